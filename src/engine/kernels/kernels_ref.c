/*-------------------------------------------------------------------------
 *
 * kernels_ref.c
 *	  The kernels in plain C: oracle of the others, and what runs on a
 *	  processor that has none of them.
 *
 * Sums that decide accuracy (means, variances, softmax totals) are double.
 *
 * Source of the formulas: spec model.md 1.1 and 2.2.
 * Depends on kernels/kernels.h, kernels/gemm.h, kernels/reduced.h.
 *
 *-------------------------------------------------------------------------
 */
#include "kernels/kernels.h"

#include "kernels/gemm.h"
#include "kernels/reduced.h"

#include <math.h>

#define LANES 8

static double
exponentials_ref(float *x, const uint8_t *mask, size_t width)
{
	float		largest = -INFINITY;
	double		sum = 0.0;
	size_t		i;

	for (i = 0; i < width; i++)
		if ((mask == NULL || mask[i]) && !(x[i] <= largest))
			largest = x[i];
	for (i = 0; i < width; i++)
	{
		float		d = x[i] - largest;

		x[i] = (mask == NULL || mask[i]) && !(d < MB_SOFTMAX_LEAST) ?
			expf(d) : 0.0f;
		sum += x[i];
	}
	return sum;
}

static void
scale_ref(float *x, double factor, size_t width)
{
	size_t		i;

	for (i = 0; i < width; i++)
		x[i] = (float) (x[i] * factor);
}

static void
add_ref(const float *x, const float *r, float *y, size_t width)
{
	size_t		i;

	for (i = 0; i < width; i++)
		y[i] = x[i] + r[i];
}

/* Activations, one number */

static float
sigmoid(float x)
{
	return 1.0f / (1.0f + expf(-x));
}

static float
gelu(float x)
{
	return 0.5f * x * (1.0f + erff(x * 0.70710678f));
}

/* 0.5 (1 + tanh(u)) is sigmoid(2 u), which keeps its digits where u << 0 */
static float
gelu_tanh(float x)
{
	return x * sigmoid(1.5957691f * (x + 0.044715f * (x * x * x)));
}

static float
gelu_fast(float x)
{
	return x * sigmoid(1.5957691216f * x * (1.0f + 0.044715f * (x * x)));
}

/*
 * tanh(ln(1 + e)) is (e^2 + 2e) / (e^2 + 2e + 2); from 30 on that is 1, and
 * below it the square stays finite.
 */
static float
mish(float x)
{
	float		e = expf(x > 30.0f ? 30.0f : x);
	float		q = e * (e + 2.0f);

	return x * (q / (q + 2.0f));
}

static float
laplace(float x)
{
	/* 0.39894257 is 0.282095 times the root of 2 */
	return 0.5f * (1.0f + erff((x - 0.707107f) / 0.39894257f));
}

/* Written so that a NaN stays one. */
static float
clip(float x, float low, float high)
{
	return x < low ? low : x > high ? high : x;
}

static float
activate(mb_activation kind, float x)
{
	switch (kind)
	{
		case MB_ACT_RELU:
			return x < 0.0f ? 0.0f : x;
		case MB_ACT_GELU:
			return gelu(x);
		case MB_ACT_GELU_TANH:
			return gelu_tanh(x);
		case MB_ACT_GELU_FAST:
			return gelu_fast(x);
		case MB_ACT_QUICK_GELU:
			return x * sigmoid(1.702f * x);
		case MB_ACT_GELU_10:
			return clip(gelu(x), -10.0f, 10.0f);
		case MB_ACT_SILU:
			return x * sigmoid(x);
		case MB_ACT_RELU6:
			return clip(x, 0.0f, 6.0f);
		case MB_ACT_RELU2:
			return x < 0.0f ? 0.0f : x * x;
		case MB_ACT_LEAKY_RELU:
			return x < 0.0f ? 0.01f * x : x;
		case MB_ACT_MISH:
			return mish(x);
		case MB_ACT_SIGMOID:
			return sigmoid(x);
		case MB_ACT_TANH:
			return tanhf(x);
		case MB_ACT_LINEAR:
			return x;
		case MB_ACT_LAPLACE:
			return laplace(x);
	}
	return x;
}

static void
activation_ref(mb_activation kind, float *x, size_t width)
{
	size_t		i;

	for (i = 0; i < width; i++)
		x[i] = activate(kind, x[i]);
}

static void
no_norm_ref(const float *x, const float *r, const float *weight,
			const float *bias, float *y, size_t width)
{
	size_t		i;

	for (i = 0; i < width; i++)
	{
		float		z = r == NULL ? x[i] : x[i] + r[i];

		y[i] = z * weight[i] + bias[i];
	}
}

/* Two passes over x + r: mean, then mean square of what is left. */
static void
layer_norm_ref(const float *x, const float *r, const float *weight,
			   const float *bias, float epsilon, float *y, size_t width)
{
	double		sum = 0.0;
	double		square = 0.0;
	double		mean;
	double		scale;
	size_t		i;

	for (i = 0; i < width; i++)
	{
		y[i] = r == NULL ? x[i] : x[i] + r[i];
		sum += y[i];
	}
	mean = sum / (double) width;
	for (i = 0; i < width; i++)
		square += (y[i] - mean) * (y[i] - mean);
	scale = 1.0 / sqrt(square / (double) width + epsilon);
	for (i = 0; i < width; i++)
		y[i] = (float) ((y[i] - mean) * scale) * weight[i] + bias[i];
}

/* The sum of a lane array, pairwise. */
static float
lane_sum(const float lane[LANES])
{
	return ((lane[0] + lane[4]) + (lane[2] + lane[6])) +
		((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

static float
inner_product_ref(const float *a, const float *b, size_t count)
{
	float		lane[LANES] = {0};
	size_t		i;

	for (i = 0; i < count; i++)
		lane[i % LANES] += a[i] * b[i];
	return lane_sum(lane);
}

static float
l2_squared_ref(const float *a, const float *b, size_t count)
{
	float		lane[LANES] = {0};
	size_t		i;

	for (i = 0; i < count; i++)
	{
		float		d = a[i] - b[i];

		lane[i % LANES] += d * d;
	}
	return lane_sum(lane);
}

static void
dot3_ref(const float *a, const float *b, size_t count, float out[3])
{
	out[0] = inner_product_ref(a, b, count);
	out[1] = inner_product_ref(a, a, count);
	out[2] = inner_product_ref(b, b, count);
}

static double
dot_wide_ref(const float *a, const float *b, size_t count)
{
	double		sum = 0.0;
	size_t		i;

	for (i = 0; i < count; i++)
		sum += (double) a[i] * (double) b[i];
	return sum;
}

/* What does not depend on who multiplies floats */
#define REF_COMMON \
	.exponentials = exponentials_ref, \
	.scale = scale_ref, \
	.add = add_ref, \
	.activation = activation_ref, \
	.no_norm = no_norm_ref, \
	.layer_norm = layer_norm_ref, \
	.inner_product = inner_product_ref, \
	.l2_squared = l2_squared_ref, \
	.dot3 = dot3_ref, \
	.dot_wide = dot_wide_ref, \
	.linear[MB_FORMAT_INT8] = &mb_int8_ref, \
	.linear[MB_FORMAT_BF16] = &mb_bf16_ref, \
	.linear[MB_FORMAT_BF16X3] = &mb_bf16x3_ref, \
	.linear[MB_FORMAT_FLOAT_SPLIT] = &mb_exact_ref, \
	.linear[MB_FORMAT_HALF_SPLIT] = &mb_exact_ref, \
	.linear[MB_FORMAT_BFLOAT_SPLIT] = &mb_exact_ref

const mb_kernels mb_kernels_ref = {
	.name = "ref",
	.gemm_name = "ref",
	REF_COMMON,
	.linear[MB_FORMAT_FLOAT] = &mb_exact_ref,
	.linear[MB_FORMAT_HALF] = &mb_exact_ref,
	.linear[MB_FORMAT_BFLOAT] = &mb_exact_ref,
	.matrix = mb_matrix_ref
};

const mb_kernels mb_kernels_ref_openblas = {
	.name = "ref",
	.gemm_name = "openblas",
	.begin = mb_begin_openblas,
	REF_COMMON,
	.linear[MB_FORMAT_FLOAT] = &mb_exact_openblas,
	.linear[MB_FORMAT_HALF] = &mb_exact_openblas,
	.linear[MB_FORMAT_BFLOAT] = &mb_exact_openblas,
	.matrix = mb_matrix_openblas
};
