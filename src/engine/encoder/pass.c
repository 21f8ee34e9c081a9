/*-------------------------------------------------------------------------
 *
 * pass.c
 *	  Running steps over the rows of a sweep.
 *
 * Depends on libc only.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/pass.h"

size_t
mb_sweep_rows(const mb_pass *p, size_t rows, size_t first)
{
	size_t		sweep = p->memory.sweep;

	return rows - first < sweep ? rows - first : sweep;
}

float *
mb_sweep_buffer(const mb_sweep *w, mb_buffer b, size_t width)
{
	const mb_workspace *memory = &w->p->memory;
	size_t		first = b < MB_FIRST_OF_SWEEP ? w->first : 0;

	MB_ASSERT(b < MB_FIRST_OF_SWEEP ? width == memory->widths[b] :
			  width <= memory->widths[b]);
	MB_ASSERT((first + (w->rows + MB_ROW_BLOCK - 1) / MB_ROW_BLOCK *
			   MB_ROW_BLOCK) * width <= memory->buffers[b].size);
	return memory->buffers[b].start + first * width;
}

/* An operand of these rows for linear layers of a format, nothing prepared */
static mb_operand
make_operand(const mb_sweep *w, const float *x, size_t k, mb_format format,
			 const mb_region *scratch)
{
	mb_operand	operand = {x, w->rows, k, scratch->start, MB_FORMAT_ROWS};

	MB_ASSERT(mb_operand_memory(w->p->kernels, format, w->rows, k) <=
			  scratch->size * sizeof(float));
	(void) format;
	return operand;
}

/* LayerNorm of each row in place. */
static void
layer_norm(const mb_pass *p, const mb_norm *norm, float epsilon, float *y,
		   size_t rows, size_t width)
{
	size_t		i;

	for (i = 0; i < rows; i++)
		p->kernels->layer_norm(y + i * width, NULL, norm->weight, norm->bias,
							   epsilon, y + i * width, width);
}

mb_status
mb_run_step(void *context, const mb_step *s)
{
	mb_sweep   *w = context;
	const mb_pass *p = w->p;
	size_t		k = s->linear->k;
	size_t		n = s->linear->n;
	bool		whole = s->norm != NULL && p->config->layer_norm;
	bool		chained = mb_step_chained(p->kernels, s);
	float	   *x = mb_sweep_buffer(w, s->x, k);
	float	   *y = mb_sweep_buffer(w, s->y, n);
	mb_operand	next;
	mb_epilogue epilogue = {s->activation, NULL, whole ? NULL : s->norm,
	chained ? &next : NULL};
	mb_status	status;

	if (w->source != s->x)
		w->operand = make_operand(w, x, k, s->linear->format,
								  &p->memory.operand);
	w->source = s->x;
	if (chained)
		next = make_operand(w, y, n, s->next->format, &p->memory.next);
	if (s->residual != MB_BUFFER_NONE)
		epilogue.residual = mb_sweep_buffer(w, s->residual, n);
	status = mb_dense(p->kernels, s->linear, &w->operand, &epilogue, y,
					  p->cancel, p->err);
	if (status == MB_OK && whole)
		layer_norm(p, s->norm, s->epsilon, y, w->rows, n);
	if (chained)
	{
		w->operand = next;
		w->source = s->y;
	}
	else if (w->source == s->y)
		w->source = MB_BUFFER_NONE;
	return status;
}
