/*-------------------------------------------------------------------------
 *
 * attention.c
 *	  Attention of one sequence, head by head.
 *
 * Keys and values of a head are packed once; then each block of its query rows
 * gets its scores, their softmax and the context, in float or, where the
 * formats of the weights go with it, by the low-precision kernel.  Blocks start
 * at the sequence's own first row, so that what else is in the batch cannot
 * change a bit.
 *
 * Where the model has a relative bias (relative_bias.h) it is added to the
 * scores; where not, there is no work for it.
 *
 * Source: transformers' MobileBertSelfAttention and MPNetSelfAttention; spec
 * model.md section 3.2, whose letters (A, D, L) are used here.
 * Depends on encoder/pass.h, encoder/relative_bias.h, kernels/gemm.h,
 * kernels/kernels.h, kernels/panels.h.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/attention.h"

#include "encoder/pass.h"
#include "encoder/relative_bias.h"
#include "kernels/gemm.h"
#include "kernels/kernels.h"
#include "kernels/panels.h"

#include <math.h>
#include <string.h>

/*
 * Multiply-adds of attention between two looks for a cancel, and a block's more;
 * dense.c has the same for linear layers.  A score's exponential counts as so
 * many.
 */
#define ATTENTION_WORK ((size_t) 1 << 22)
#define EXPONENTIAL_WORK 16

/* One head of one sequence. */
typedef struct attention
{
	size_t		layer;
	size_t		sequence;
	size_t		head;
	size_t		length;			/* L */
	size_t		queries;		/* L, or 1 for the first alone */
	float	   *query;			/* [queries, D] at distance A; then context */
	const uint8_t *mask;		/* [L] or NULL */
	const mb_attention_kernel *low_precision;	/* NULL: in float */
	size_t		step;			/* rows of a block */
} attention;

/* Low-precision attention, where the kernel of a layer's queries has it */
static const mb_attention_kernel *
low_precision_attention(const mb_pass *p, const mb_layer *layer)
{
	const mb_linear_kernel *kernel = p->kernels->linear[layer->query.format];

	return kernel != NULL && kernel->attention ? p->kernels->attention : NULL;
}

/* Where panels of a matrix [n, k] go; the region is large enough. */
static void *
panels_in(const mb_region *r, mb_format format, size_t k, size_t n)
{
	size_t		size = 0;

	MB_ASSERT(mb_format_size(format, k, n, &size) &&
			  size <= r->size * sizeof(float));
	(void) format;
	(void) k;
	(void) n;
	(void) size;
	return r->start;
}

static void
pack_head(const mb_pass *p, const attention *a, const float *key,
		  const float *value)
{
	const mb_attention_kernel *kernel = a->low_precision;
	const mb_attention_memory *memory = &p->memory.attention;
	size_t		stride = p->config->attention_size;
	size_t		size = p->config->head_size;

	if (kernel != NULL)
	{
		kernel->pack_keys(key, stride, a->length, size,
						  panels_in(&memory->keys, kernel->panels, size + 1,
									a->length));
		kernel->pack_values(value, stride, a->length, size,
							panels_in(&memory->values, kernel->panels,
									  a->length, size));
	}
	else
	{
		mb_pack_keys(key, stride, a->length, size,
					 panels_in(&memory->keys, MB_FORMAT_FLOAT, size,
							   a->length));
		mb_pack_values(value, stride, a->length, size,
					   panels_in(&memory->values, MB_FORMAT_FLOAT, a->length,
								 size));
	}
}

static bool
observes_attention(const mb_pass *p)
{
	return p->observer != NULL && p->observer->attention != NULL;
}

/* Of query row "first" of a head, or NULL */
static const float *
bias_of(const mb_pass *p, const attention *a, size_t first)
{
	return p->model->relative_bias == NULL ? NULL :
		mb_bias_row(p, a->head, first);
}

/*
 * Query rows [first, first + rows) of a head, at most a->step: the context
 * takes their place.  When somebody observes, the weights are in scores.
 */
static void
attend_low_precision(const mb_pass *p, const attention *a, size_t first,
					 size_t rows)
{
	const mb_attention_memory *memory = &p->memory.attention;
	size_t		stride = p->config->attention_size;
	size_t		size = p->config->head_size;
	float	   *query = a->query + first * stride;
	mb_attention block = {query, query, stride, rows, a->length, size,
		memory->keys.start, memory->values.start, a->mask,
		bias_of(p, a, first), p->memory.operand.start,
	observes_attention(p) ? memory->scores.start : NULL};

	MB_ASSERT(a->low_precision->memory(a->length, size) <=
			  p->memory.operand.size * sizeof(float));
	a->low_precision->run(&block);
}

static void
attend_float(const mb_pass *p, const attention *a, size_t first, size_t rows)
{
	const mb_kernels *kernels = p->kernels;
	const mb_attention_memory *memory = &p->memory.attention;
	size_t		stride = p->config->attention_size;
	size_t		size = p->config->head_size;
	float	   *query = a->query + first * stride;
	float	   *scores = memory->scores.start;
	float	   *context = memory->context.start;
	const float *bias = bias_of(p, a, first);
	double		factors[MB_BLOCK_ROWS];
	size_t		i;

	MB_ASSERT(MB_BLOCK_ROWS * a->length <= memory->scores.size &&
			  MB_BLOCK_ROWS * size <= memory->context.size);
	for (i = 0; i < rows; i++)
		memcpy(memory->queries.start + i * size, query + i * stride,
			   size * sizeof(float));
	kernels->matrix(memory->queries.start, size, memory->keys.start,
					(float) (1.0 / sqrt((double) size)), scores, a->length,
					rows, a->length, size);
	for (i = 0; i < rows && bias != NULL; i++)
		kernels->add(scores + i * a->length, bias - i, scores + i * a->length,
					 a->length);
	for (i = 0; i < rows; i++)
		factors[i] = 1.0 / kernels->exponentials(scores + i * a->length,
												 a->mask, a->length);
	kernels->matrix(scores, a->length, memory->values.start, 1.0f, context,
					size, rows, size, a->length);
	for (i = 0; i < rows; i++)
	{
		kernels->scale(context + i * size, factors[i], size);
		memcpy(query + i * stride, context + i * size, size * sizeof(float));
	}
	for (i = 0; i < rows && observes_attention(p); i++)
		kernels->scale(scores + i * a->length, factors[i], a->length);
}

static mb_status
attend_block(const mb_pass *p, const attention *a, size_t first, size_t rows)
{
	if (a->low_precision != NULL)
		attend_low_precision(p, a, first, rows);
	else
		attend_float(p, a, first, rows);
	if (!observes_attention(p))
		return MB_OK;
	return p->observer->attention(p->observer->context, a->layer, a->sequence,
								  a->head, first, rows,
								  p->memory.attention.scores.start);
}

static mb_status
attend_head(const mb_pass *p, const attention *a)
{
	size_t		work = 0;
	size_t		first;
	mb_status	status = MB_OK;

	for (first = 0; first < a->queries && status == MB_OK; first += a->step)
	{
		size_t		rows = a->queries - first < a->step ?
			a->queries - first : a->step;

		if (work == 0)
			status = mb_poll_cancel(p->cancel, NULL, p->err);
		if (status == MB_OK)
			status = attend_block(p, a, first, rows);
		work += rows * a->length *
			(2 * (size_t) p->config->head_size + EXPONENTIAL_WORK);
		if (work > ATTENTION_WORK)
			work = 0;
	}
	return status;
}

mb_status
mb_attend(const mb_pass *p, size_t layer, size_t sequence, bool first_only)
{
	const mb_config *config = p->config;
	const mb_batch *batch = p->batch;
	const mb_region *buffers = p->memory.buffers;
	size_t		start = batch->starts[sequence];
	size_t		stride = config->attention_size;
	size_t		size = config->head_size;
	attention	a = {layer, sequence, 0, batch->starts[sequence + 1] - start, 1,
		NULL, batch->mask == NULL ? NULL : batch->mask + start,
	low_precision_attention(p, &p->model->layers[layer]), MB_QUERY_ROWS};
	mb_status	status = MB_OK;

	if (a.low_precision != NULL)
		a.step = MB_ATTEND_ROWS;
	if (!first_only)
		a.queries = a.length;
	for (; a.head < config->heads && status == MB_OK; a.head++)
	{
		size_t		at = start * stride + a.head * size;

		a.query = buffers[MB_BUFFER_QUERY].start +
			(first_only ? sequence * stride + a.head * size : at);
		pack_head(p, &a, buffers[MB_BUFFER_KEY].start + at,
				  buffers[MB_BUFFER_VALUE].start + at);
		status = attend_head(p, &a);
	}
	return status;
}
