/*-------------------------------------------------------------------------
 *
 * workspace.c
 *	  Measuring the steps of a pass, and laying out its memory.
 *
 * Depends on base/arena.h, kernels/dense.h, kernels/panels.h.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/workspace.h"

#include "base/arena.h"
#include "kernels/dense.h"
#include "kernels/panels.h"

#include <string.h>

/*
 * Rows that go through a sweep together, whole blocks: enough that weights are
 * read from afar seldom, and few enough that what is between two linear layers,
 * some SWEEP_BYTES for each number of the widest input, stays in the second
 * level of the cache.  Weights in INT8 are near in any case.
 */
#define SWEEP_LEAST ((size_t) 3 * MB_ROW_BLOCK)
#define SWEEP_MOST ((size_t) 8 * MB_ROW_BLOCK)
#define SWEEP_BYTES (sizeof(float) + 3 * sizeof(uint16_t))
#define SECOND_LEVEL ((size_t) 2 << 20)

/* Steps in a workspace: sizes in numbers, but scratch in bytes */
typedef struct measures
{
	const mb_kernels *kernels;
	size_t		sweep;
	size_t		widths[MB_BUFFERS];
	size_t		widest;			/* input of a linear layer */
	size_t		operand;		/* scratch of the operand of a sweep */
	size_t		next;			/* of one that the step before writes */
} measures;

static void
grow(size_t *size, size_t wanted)
{
	if (*size < wanted)
		*size = wanted;
}

static mb_status
measure_widths(void *context, const mb_step *s)
{
	measures   *m = context;

	grow(&m->widths[s->x], s->linear->k);
	grow(&m->widths[s->y], s->linear->n);
	if (s->residual != MB_BUFFER_NONE)
		grow(&m->widths[s->residual], s->linear->n);
	grow(&m->widest, s->linear->k);
	return MB_OK;
}

static mb_status
measure_operands(void *context, const mb_step *s)
{
	measures   *m = context;

	grow(&m->operand, mb_operand_memory(m->kernels, s->linear->format, m->sweep,
										s->linear->k));
	if (mb_step_chained(m->kernels, s))
		grow(&m->next, mb_operand_memory(m->kernels, s->next->format,
										 m->sweep, s->next->k));
	return MB_OK;
}

/* Rows of a sweep, a whole number of blocks, when a pass has so many rows */
static size_t
sweep_size(const mb_model *model, size_t widest, size_t rows)
{
	size_t		sweep = SECOND_LEVEL / SWEEP_BYTES /
		(widest > 0 ? widest : 1) / MB_ROW_BLOCK * MB_ROW_BLOCK;

	if (sweep > SWEEP_MOST)
		sweep = SWEEP_MOST;
	if (sweep < SWEEP_LEAST ||
		(model->config.layers > 0 &&
		 model->layers[0].query.format == MB_FORMAT_INT8))
		sweep = SWEEP_LEAST;
	return rows < sweep ? rows : sweep;
}

/*
 * Lay one region of rows * width floats after *used; with base NULL count
 * only.  False when that is beyond size_t.
 */
static bool
carve(float *base, size_t *used, size_t rows, size_t width, mb_region *r)
{
	if (!mb_size_multiply(rows, width, &r->size) ||
		!mb_size_add(r->size, MB_LINE_FLOATS - 1, &r->size))
		return false;
	r->size = r->size / MB_LINE_FLOATS * MB_LINE_FLOATS;
	r->start = base == NULL ? NULL : base + *used;
	return mb_size_add(*used, r->size, used);
}

/* Likewise, so many bytes */
static bool
carve_bytes(float *base, size_t *used, size_t size, mb_region *r)
{
	return size != SIZE_MAX &&
		carve(base, used, 1, size / sizeof(float) + (size % sizeof(float) > 0),
			  r);
}

/* n rounded up to a multiple of step; false when that is beyond size_t. */
static bool
round_up(size_t n, size_t step, size_t *result)
{
	if (!mb_size_add(n, step - 1, result))
		return false;
	*result = *result / step * step;
	return true;
}

/*
 * Bytes that [n, k] takes in the panels that attention may ask for, with
 * "extra" inputs where it has low precision; SIZE_MAX when that is beyond
 * size_t.
 */
static size_t
head_panels(const mb_kernels *kernels, size_t k, size_t n, size_t extra)
{
	size_t		floats;
	size_t		low_precision = 0;

	if (!mb_format_size(MB_FORMAT_FLOAT, k, n, &floats))
		return SIZE_MAX;
	if (kernels->attention != NULL &&
		!mb_format_size(kernels->attention->panels, k + extra, n,
						&low_precision))
		return SIZE_MAX;
	return floats > low_precision ? floats : low_precision;
}

/* The bias of every distance that the longest sequence has, for each head */
static bool
carve_bias(const mb_model *model, size_t longest, float *base, size_t *used,
		   mb_attention_memory *memory)
{
	memory->reach = longest - 1;
	if (model->relative_bias == NULL)
		return true;
	return longest <= SIZE_MAX / 2 &&
		carve(base, used, model->config.heads, 2 * memory->reach + 1,
			  &memory->bias);
}

/* What attention.c reads and writes. */
static bool
carve_attention(const mb_model *model, const mb_kernels *kernels,
				size_t longest, float *base, size_t *used,
				mb_attention_memory *memory)
{
	size_t		size = model->config.head_size;

	if (model->config.layers == 0)
		return true;
	return carve_bytes(base, used, head_panels(kernels, size, longest, 1),
					   &memory->keys) &&
		carve_bytes(base, used, head_panels(kernels, longest, size, 0),
					&memory->values) &&
		carve(base, used, MB_BLOCK_ROWS, size, &memory->queries) &&
		carve(base, used, MB_BLOCK_ROWS, size, &memory->context) &&
		carve(base, used, MB_BLOCK_ROWS, longest, &memory->scores) &&
		carve_bias(model, longest, base, used, memory);
}

bool
mb_workspace_lay_out(const mb_model *model, size_t tokens, size_t longest,
					 float *base, mb_workspace *memory, size_t *size)
{
	const mb_kernels *kernels = model->kernels;
	measures	m = {kernels, 0, {0}, 0, 0, 0};
	mb_step_visitor widths = {measure_widths, &m};
	mb_step_visitor operands = {measure_operands, &m};
	size_t		rows;
	size_t		used = 0;
	int			i;

	memset(memory, 0, sizeof(*memory));
	if (!round_up(tokens, MB_ROW_BLOCK, &rows))
		return false;
	/* what is not a linear layer's: embeddings are added in place */
	m.widths[MB_BUFFER_STATES] = model->config.hidden_size;
	mb_walk_steps(model, &widths);
	m.sweep = sweep_size(model, m.widest, rows);
	mb_walk_steps(model, &operands);
	if (kernels->attention != NULL && model->config.layers > 0)
		grow(&m.operand,
			 kernels->attention->memory(longest, model->config.head_size));

	for (i = 0; i < MB_BUFFERS; i++)
		if (!carve(base, &used, i < MB_FIRST_OF_SWEEP ? rows : m.sweep,
				   m.widths[i], &memory->buffers[i]))
			return false;
	memcpy(memory->widths, m.widths, sizeof(m.widths));
	memory->sweep = m.sweep;
	return carve_attention(model, kernels, longest, base, &used,
						   &memory->attention) &&
		carve_bytes(base, &used, m.operand, &memory->operand) &&
		carve_bytes(base, &used, m.next, &memory->next) &&
		mb_size_multiply(used, sizeof(float), size);
}
