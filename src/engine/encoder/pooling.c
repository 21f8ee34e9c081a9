/*-------------------------------------------------------------------------
 *
 * pooling.c
 *	  From the hidden states of a text to one vector, and between vectors.
 *
 * Hidden states of a NoNorm network reach 2.5e7 in single features (spec
 * model.md 8), so whatever adds up tokens does it in double.  Tokens are added
 * one after the other, whatever window they come in: where a long text's
 * windows are parted changes no bit.
 *
 * Source: sentence-transformers' Pooling and Normalize; spec pipelines.md
 * section 8, model.md section 4.
 * Depends on kernels/choose.h, kernels/kernels.h.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/pooling.h"

#include "kernels/choose.h"
#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

/* Multiply-adds of a dense layer between two looks for a cancel */
#define DENSE_STEP ((size_t) 1 << 20)

mb_status
mb_dense_state(const mb_model *model, const mb_linear *linear,
			   mb_activation activation, const float *state, float *out,
			   const mb_cancel *cancel, mb_error *err)
{
	const mb_kernels *kernels = model->kernels;
	size_t		rows = 1 + DENSE_STEP / (linear->k + 1);
	size_t		i;

	for (i = 0; i < linear->n; i++)
	{
		double		sum = kernels->dot_wide(state,
											linear->weight + i * linear->k,
											linear->k);

		if (i % rows == 0 && mb_cancelled(cancel))
			return mb_fail_cancelled(err, NULL);
		if (linear->bias != NULL)
			sum += linear->bias[i];
		out[i] = (float) (activation == MB_ACT_TANH ? tanh(sum) : sum);
	}
	if (activation != MB_ACT_TANH && activation != MB_ACT_LINEAR)
		kernels->activation(activation, out, linear->n);
	return MB_OK;
}

mb_status
mb_pooler(const mb_model *model, const float *first, float *out, mb_error *err)
{
	const mb_linear *pooler = &model->pooler;
	size_t		width = model->config.hidden_size;

	if (!model->config.classifier_activation)
	{
		memmove(out, first, width * sizeof(float));
		return MB_OK;
	}
	if (pooler->weight == NULL || pooler->bias == NULL)
	{
		mb_fail(err, MB_ERR_UNSUPPORTED, "model has no pooler weights");
		mb_detail(err, "Its configuration asks for a dense layer in the "
				  "pooler, but the checkpoint has no \"pooler.dense\".");
		return MB_ERR_UNSUPPORTED;
	}
	return mb_dense_state(model, pooler, MB_ACT_TANH, first, out, NULL, err);
}

/* The modes of a list as a set, and those that need each of the arrays. */
#define BIT(mode) (1u << (mode))
#define NEED_SUM (BIT(MB_POOL_MEAN) | BIT(MB_POOL_MEAN_SQRT_LEN))
#define NEED_FIRST (BIT(MB_POOL_CLS) | BIT(MB_POOL_POOLER))

static uint32_t
set_of(mb_poolings modes)
{
	uint32_t	set = 0;

	while (modes != 0)
		set |= BIT(mb_poolings_next(&modes));
	return set;
}

bool
mb_pool_first_only(mb_poolings modes, const uint8_t *mask)
{
	uint32_t	set = set_of(modes);

	return (set & ~NEED_FIRST) == 0 &&
		(mask == NULL || mask[0] != 0 || (set & BIT(MB_POOL_CLS)) == 0);
}

size_t
mb_pool_width(const mb_model *model, mb_poolings modes)
{
	return (size_t) mb_poolings_count(modes) * model->config.hidden_size;
}

/* Widths and modes are bounded (config.h), so that this fits. */
size_t
mb_pool_memory(const mb_model *model, mb_poolings modes)
{
	uint32_t	set = set_of(modes);
	size_t		bytes = 0;

	bytes += (set & NEED_SUM) != 0 ? sizeof(double) : 0;
	bytes += (set & BIT(MB_POOL_WEIGHTED_MEAN)) != 0 ? sizeof(double) : 0;
	bytes += (set & BIT(MB_POOL_MAX)) != 0 ? sizeof(float) : 0;
	bytes += (set & BIT(MB_POOL_POOLER)) != 0 ? sizeof(float) : 0;
	bytes += (set & BIT(MB_POOL_CLS)) != 0 ? sizeof(float) : 0;
	bytes += (set & BIT(MB_POOL_LAST_TOKEN)) != 0 ? sizeof(float) : 0;
	return bytes * model->config.hidden_size;
}

/* The next array of an mb_pool; NULL when no mode needs it. */
static void *
take_array(char **memory, bool needed, size_t size)
{
	void	   *array = *memory;

	if (!needed)
		return NULL;
	*memory += size;
	return array;
}

mb_status
mb_pool_begin(mb_pool *pool, const mb_model *model, mb_poolings modes,
			  void *memory, mb_error *err)
{
	size_t		width = model->config.hidden_size;
	uint32_t	set = set_of(modes);
	char	   *at = memory;
	size_t		i;

	if (!mb_poolings_valid(modes))
		return mb_fail(err, MB_ERR_ARGUMENT, "pooling %x is not known", modes);
	memset(pool, 0, sizeof(*pool));
	pool->model = model;
	pool->modes = modes;
	pool->sum = take_array(&at, (set & NEED_SUM) != 0,
						   width * sizeof(double));
	pool->weighted = take_array(&at, (set & BIT(MB_POOL_WEIGHTED_MEAN)) != 0,
								width * sizeof(double));
	pool->max = take_array(&at, (set & BIT(MB_POOL_MAX)) != 0,
						   width * sizeof(float));
	pool->first = take_array(&at, (set & BIT(MB_POOL_POOLER)) != 0,
							 width * sizeof(float));
	pool->cls = take_array(&at, (set & BIT(MB_POOL_CLS)) != 0,
						   width * sizeof(float));
	pool->last = take_array(&at, (set & BIT(MB_POOL_LAST_TOKEN)) != 0,
							width * sizeof(float));
	for (i = 0; i < width; i++)
	{
		if (pool->sum != NULL)
			pool->sum[i] = 0.0;
		if (pool->weighted != NULL)
			pool->weighted[i] = 0.0;
		if (pool->max != NULL)
			pool->max[i] = -INFINITY;
	}
	return MB_OK;
}

/* sums [width] += weight * row [width] */
static void
add_weighted(double *sums, const float *row, double weight, size_t width)
{
	size_t		i;

	for (i = 0; i < width; i++)
		sums[i] += weight * (double) row[i];
}

/* The larger value of each feature; NaN wins as in torch.max. */
static void
add_max(float *max, const float *row, size_t width)
{
	size_t		i;

	for (i = 0; i < width; i++)
	{
		if (row[i] > max[i] || row[i] != row[i])
			max[i] = row[i];
	}
}

/* One token: only the modes that are wanted read its row. */
static void
add_token(mb_pool *pool, const float *row, bool attended)
{
	size_t		width = pool->model->config.hidden_size;
	double		position = (double) ++pool->tokens;

	if (pool->first != NULL && pool->tokens == 1)
		memcpy(pool->first, row, width * sizeof(float));
	if (!attended)
		return;
	if (pool->cls != NULL && pool->attended == 0.0)
		memcpy(pool->cls, row, width * sizeof(float));
	if (pool->max != NULL)
		add_max(pool->max, row, width);
	pool->attended += 1.0;
	pool->positions += position;
	if (pool->sum != NULL)
		add_weighted(pool->sum, row, 1.0, width);
	if (pool->weighted != NULL)
		add_weighted(pool->weighted, row, position, width);
	if (pool->last != NULL)
		memcpy(pool->last, row, width * sizeof(float));
}

void
mb_pool_add(mb_pool *pool, const float *states, size_t count,
			const uint8_t *mask)
{
	size_t		width = pool->model->config.hidden_size;
	size_t		token;

	for (token = 0; token < count; token++)
		add_token(pool, states + token * width,
				  mask == NULL || mask[token] != 0);
}

/* out [width] = sums [width] / divisor */
static void
divide(const double *sums, double divisor, size_t width, float *out)
{
	size_t		i;

	for (i = 0; i < width; i++)
		out[i] = (float) (sums[i] / divisor);
}

/* One mode: out [H] */
static mb_status
end_mode(const mb_pool *pool, mb_pooling mode, float *out, mb_error *err)
{
	size_t		width = pool->model->config.hidden_size;

	switch (mode)
	{
		case MB_POOL_CLS:
			memcpy(out, pool->cls, width * sizeof(float));
			return MB_OK;
		case MB_POOL_MAX:
			memcpy(out, pool->max, width * sizeof(float));
			return MB_OK;
		case MB_POOL_MEAN:
			divide(pool->sum, pool->attended, width, out);
			return MB_OK;
		case MB_POOL_MEAN_SQRT_LEN:
			divide(pool->sum, sqrt(pool->attended), width, out);
			return MB_OK;
		case MB_POOL_WEIGHTED_MEAN:
			divide(pool->weighted, pool->positions, width, out);
			return MB_OK;
		case MB_POOL_LAST_TOKEN:
			memcpy(out, pool->last, width * sizeof(float));
			return MB_OK;
		case MB_POOL_POOLER:
			return mb_pooler(pool->model, pool->first, out, err);
		case MB_POOL_END:
			break;
	}
	return mb_fail(err, MB_ERR_ARGUMENT, "unknown pooling mode %d",
				   (int) mode);
}

mb_status
mb_pool_end(const mb_pool *pool, float *out, mb_error *err)
{
	size_t		width = pool->model->config.hidden_size;
	mb_poolings modes = pool->modes;

	if (pool->attended == 0.0)
		return mb_fail(err, MB_ERR_ARGUMENT, "no token to pool");
	while (modes != 0)
	{
		mb_status	status = end_mode(pool, mb_poolings_next(&modes), out,
									  err);

		if (status != MB_OK)
			return status;
		out += width;
	}
	return MB_OK;
}

void
mb_normalize(float *x, size_t count)
{
	double		norm = sqrt(mb_kernels_current()->dot_wide(x, x, count));
	size_t		i;

	if (norm < 1e-12)
		norm = 1e-12;
	for (i = 0; i < count; i++)
		x[i] = (float) (x[i] / norm);
}

float
mb_inner_product(const float *a, const float *b, size_t count)
{
	return mb_kernels_current()->inner_product(a, b, count);
}

float
mb_l2_distance(const float *a, const float *b, size_t count)
{
	return sqrtf(mb_kernels_current()->l2_squared(a, b, count));
}

/* In double: nothing is to be won here by lanes. */
float
mb_l1_distance(const float *a, const float *b, size_t count)
{
	double		sum = 0;
	size_t		i;

	for (i = 0; i < count; i++)
		sum += fabs((double) a[i] - (double) b[i]);
	return (float) sum;
}

/* Within [-1, 1] whatever the rounding; NaN when a vector is zero. */
float
mb_cosine_similarity(const float *a, const float *b, size_t count)
{
	float		sums[3];
	double		cosine;

	mb_kernels_current()->dot3(a, b, count, sums);
	cosine = sums[0] / sqrt((double) sums[1] * (double) sums[2]);
	if (cosine > 1.0)
		cosine = 1.0;
	if (cosine < -1.0)
		cosine = -1.0;
	return (float) cosine;
}

float
mb_compare(mb_similarity similarity, const float *a, const float *b,
		   size_t count)
{
	switch (similarity)
	{
		case MB_SIMILARITY_DOT:
			return mb_inner_product(a, b, count);
		case MB_SIMILARITY_EUCLIDEAN:
			return -mb_l2_distance(a, b, count);
		case MB_SIMILARITY_MANHATTAN:
			return -mb_l1_distance(a, b, count);
		case MB_SIMILARITY_COSINE:
		case MB_SIMILARITIES:
			break;
	}
	return mb_cosine_similarity(a, b, count);
}
