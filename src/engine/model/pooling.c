/*-------------------------------------------------------------------------
 *
 * pooling.c
 *	  From the hidden states of a text to one vector, and between vectors.
 *
 * Hidden states of a NoNorm network reach 2.5e7 in single features (spec
 * model.md 8), so whatever adds up tokens does it in double.
 *
 * Source: sentence-transformers' Pooling and Normalize; spec pipelines.md
 * section 8, model.md section 4.
 * Depends on model/forward.h, kernels/kernels.h.
 *
 *-------------------------------------------------------------------------
 */
#include "model/forward.h"

#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

/* Features added up together, to need no memory of the caller's. */
#define POOL_CHUNK 64

/* What sentence-transformers puts in the place of masked tokens for "max". */
#define MASKED_MAX (-1e9f)

mb_status
mb_pooler(const mb_model *model, const float *first, float *out, mb_error *err)
{
	const mb_kernels *kernels = mb_kernels_current();
	const mb_linear *pooler = &model->pooler;
	size_t		width = model->config.hidden_size;
	size_t		i;

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
	for (i = 0; i < width; i++)
		out[i] = (float) tanh(kernels->dot_wide(first,
												pooler->weight + i * width,
												width) + pooler->bias[i]);
	return MB_OK;
}

static bool
attended(const uint8_t *mask, size_t token)
{
	return mask == NULL || mask[token] != 0;
}

/* Position of the last attended token + 1; 0 when there is none. */
static size_t
attended_length(const uint8_t *mask, size_t length)
{
	while (length > 0 && !attended(mask, length - 1))
		length--;
	return length;
}

/* The largest value of each feature; NaN wins as in torch.max. */
static void
pool_max(const float *states, size_t length, size_t width,
		 const uint8_t *mask, float *out)
{
	size_t		token;
	size_t		i;

	for (i = 0; i < width; i++)
		out[i] = -INFINITY;
	for (token = 0; token < length; token++)
	{
		const float *row = states + token * width;

		for (i = 0; i < width; i++)
		{
			float		x = attended(mask, token) ? row[i] : MASKED_MAX;

			if (x > out[i] || x != x)
				out[i] = x;
		}
	}
}

/* Sum of weight(t) * states[t] over attended tokens, divided. */
static void
pool_sum(const float *states, size_t length, size_t width,
		 const uint8_t *mask, bool weighted, double divisor, float *out)
{
	size_t		first;

	for (first = 0; first < width; first += POOL_CHUNK)
	{
		size_t		count = width - first;
		double		sums[POOL_CHUNK] = {0};
		size_t		token;
		size_t		i;

		if (count > POOL_CHUNK)
			count = POOL_CHUNK;
		for (token = 0; token < length; token++)
		{
			const float *row = states + token * width + first;
			double		weight = weighted ? (double) (token + 1) : 1.0;

			if (!attended(mask, token))
				continue;
			for (i = 0; i < count; i++)
				sums[i] += weight * (double) row[i];
		}
		for (i = 0; i < count; i++)
			out[first + i] = (float) (sums[i] / divisor);
	}
}

/* Divisor of a summing mode: tokens, its root, or the sum of positions. */
static double
pool_divisor(uint32_t pooling, const uint8_t *mask, size_t length)
{
	double		tokens = 0.0;
	double		positions = 0.0;
	size_t		token;

	for (token = 0; token < length; token++)
	{
		if (!attended(mask, token))
			continue;
		tokens += 1.0;
		positions += (double) (token + 1);
	}
	if (pooling == MB_POOL_WEIGHTED_MEAN)
		return positions;
	return pooling == MB_POOL_MEAN_SQRT_LEN ? sqrt(tokens) : tokens;
}

mb_status
mb_pool(const mb_model *model, uint32_t pooling, const float *states,
		size_t length, const uint8_t *mask, float *out, mb_error *err)
{
	size_t		width = model->config.hidden_size;
	size_t		end = attended_length(mask, length);

	if (end == 0)
		return mb_fail(err, MB_ERR_ARGUMENT, "no token to pool");
	switch (pooling)
	{
		case MB_POOL_CLS:
			memcpy(out, states, width * sizeof(float));
			return MB_OK;
		case MB_POOL_LAST_TOKEN:
			memcpy(out, states + (end - 1) * width, width * sizeof(float));
			return MB_OK;
		case MB_POOL_MAX:
			pool_max(states, length, width, mask, out);
			return MB_OK;
		case MB_POOL_MEAN:
		case MB_POOL_MEAN_SQRT_LEN:
		case MB_POOL_WEIGHTED_MEAN:
			pool_sum(states, end, width, mask,
					 pooling == MB_POOL_WEIGHTED_MEAN,
					 pool_divisor(pooling, mask, end), out);
			return MB_OK;
		case MB_POOL_POOLER:
			return mb_pooler(model, states, out, err);
		default:
			return mb_fail(err, MB_ERR_ARGUMENT,
						   "pooling %u is not one single mode", pooling);
	}
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
