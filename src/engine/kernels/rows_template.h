/*-------------------------------------------------------------------------
 *
 * rows_template.h
 *	  The kernels for vector instruction sets, written once.
 *
 * To be included once, after simd_<isa>.h.
 *
 * Every lane goes through the same operations, wherever it stands and also in
 * the last, partly filled vector of a row; so the bits of an element depend on
 * the row alone.
 *
 * Elementary functions.  Polynomials were fitted for this file: weighted
 * minimax by Lawson's iteration, coefficients rounded to float one at a time
 * from the lowest, the rest fitted again.  Errors against double libm, which
 * test_kernels holds: 2.5 ulp for tanh, 1 / exp and gelu above 0; measured 1.3,
 * 1.5 and 1.6.
 *
 * Depends on kernels/kernels.h.
 *
 *-------------------------------------------------------------------------
 */
#include "kernels/kernels.h"

#include <math.h>

#if !defined(MB_LANES)
#error "include kernels/simd_<isa>.h first"
#endif

/* mask NULL: the first n lanes */
static inline vm
attended(const uint8_t *mask, size_t i, size_t n)
{
	return mask == NULL ? v_first(n) : v_bytes(mask + i, n);
}

/*
 * e^x = result * 2^n.  x = n ln 2 + r with |r| <= ln 2 / 2; e^r = 1 + r +
 * r^2 P(r), P of degree 4, error 4e-9.
 */
static inline vf
exp_parts_v(vf x, vf *n)
{
	vf			r;
	vf			p;

	*n = v_nearest(x * v_set1(1.44269502f));
	r = v_fnma(*n, v_set1(0.693147182f), x);
	r = v_fnma(*n, v_set1(-1.90465421e-09f), r);
	p = v_fma(v_set1(0.00138198258f), r, v_set1(0.00836868677f));
	p = v_fma(p, r, v_set1(0.0416682772f));
	p = v_fma(p, r, v_set1(0.166665211f));
	p = v_fma(p, r, v_set1(0.49999994f));
	return v_fma(r * r, p, r) + v_set1(1.0f);
}

/*
 * e^x, times 2^n in two steps, so that results below the normal range and
 * infinity come out right.
 */
static inline vf
exp_v(vf x)
{
	vf			n;
	vf			half;
	vf			p;

	p = exp_parts_v(v_min(v_set1(89.0f), v_max(v_set1(-104.0f), x)), &n);
	half = v_nearest(n * v_set1(0.5f));
	return p * v_power2(half) * v_power2(n - half);
}

/* e^x where it is a normal number, the same bits; NaN stays. */
static inline vf
exp_near_v(vf x)
{
	vf			n;
	vf			e = exp_parts_v(x, &n);

	return e * v_power2(n);
}

/*
 * e^x for x of softmax: 0 where x is less than MB_SOFTMAX_LEAST; NaN stays.
 * Shorter than exp_parts_v(): adding and taking off 1.5 * 2^23 rounds to an
 * integer, and one float for ln 2 is wrong by 2.7e-9 of x, while x, a difference
 * of scores, was rounded by up to 6e-8 of itself.  Where x is below the least,
 * n may be anything.
 */
static inline vf
exp_weight_v(vf x)
{
	vf			shift = v_set1(12582912.0f);
	vf			n = v_fma(x, v_set1(1.44269502f), shift) - shift;
	vf			r = v_fnma(n, v_set1(0.693147182f), x);
	vf			p = v_fma(v_set1(0.00138198258f), r, v_set1(0.00836868677f));

	p = v_fma(p, r, v_set1(0.0416682772f));
	p = v_fma(p, r, v_set1(0.166665211f));
	p = v_fma(p, r, v_set1(0.49999994f));
	p = v_fma(r * r, p, r) + v_set1(1.0f);
	return v_scaled(v_reaches(x, v_set1(MB_SOFTMAX_LEAST)), p, n);
}

/* erf(t) for 0 <= t <= 1: t + t P(t^2), P of degree 6, error 2e-9 */
static inline vf
erf_small(vf t)
{
	vf			s = t * t;
	vf			p = v_set1(7.80690316e-05f);

	p = v_fma(p, s, v_set1(-0.00079978531f));
	p = v_fma(p, s, v_set1(0.0051871622f));
	p = v_fma(p, s, v_set1(-0.0268533472f));
	p = v_fma(p, s, v_set1(0.112835787f));
	p = v_fma(p, s, v_set1(-0.37612626f));
	p = v_fma(p, s, v_set1(0.128379166f));
	return v_fma(p, t, t);
}

/*
 * 1 - erf(t) for t >= 1: exp(-(t + t Q(t))), Q of degree 6, error 4e-10
 * relative to erf; 0 from 4 on, where erf(t) is 1 in float.
 */
static inline vf
erfc_large(vf t)
{
	vf			far = v_set1(4.0f);
	vf			u = v_min(far, t);
	vf			q = v_set1(1.39613912e-05f);

	q = v_fma(q, u, v_set1(-0.000350583141f));
	q = v_fma(q, u, v_set1(0.00375744794f));
	q = v_fma(q, u, v_set1(-0.024010025f));
	q = v_fma(q, u, v_set1(0.106530838f));
	q = v_fma(q, u, v_set1(0.634969532f));
	q = v_fma(q, u, v_set1(0.128694341f));
	q = exp_near_v(v_set1(0.0f) - v_fma(q, u, u));
	return v_choose(v_less(t, far), q, q * v_set1(0.0f));	/* NaN stays */
}

/* 1 + erf(x); for x < -1 it is the tail itself, which keeps its digits. */
static inline vf
one_plus_erf_v(vf x)
{
	vf			zero = v_set1(0.0f);
	vf			one = v_set1(1.0f);
	vf			t = v_abs(x);
	vm			negative = v_less(x, zero);
	vf			near = erf_small(t);
	vf			tail = erfc_large(t);

	near = v_choose(negative, one - near, one + near);
	tail = v_choose(negative, tail, v_set1(2.0f) - tail);
	return v_choose(v_less(t, one), near, tail);
}

/*
 * tanh(x): below 0.625 x + x^3 P(x^2), P of degree 4, error 5e-9; beyond it
 * 1 - 2 / (e^2x + 1).
 */
static inline vf
tanh_v(vf x)
{
	vf			t = v_abs(x);
	vf			s = t * t;
	vf			p = v_set1(-0.0056922962f);
	vf			near;
	vf			far;

	p = v_fma(p, s, v_set1(0.0206281673f));
	p = v_fma(p, s, v_set1(-0.0537365153f));
	p = v_fma(p, s, v_set1(0.133314058f));
	p = v_fma(p, s, v_set1(-0.333332807f));
	near = v_fma(t * s, p, t);
	far = v_set1(1.0f) -
		v_set1(2.0f) / (exp_v(t + t) + v_set1(1.0f));
	return v_sign_of(v_choose(v_less(t, v_set1(0.625f)), near, far), x);
}

/* x * sigmoid(u) */
static inline vf
gated_v(vf x, vf u)
{
	return x / (v_set1(1.0f) + exp_v(v_set1(0.0f) - u));
}

static inline vf
relu6_v(vf x)
{
	return v_min(v_set1(6.0f), v_relu(x));
}

static inline vf
relu2_v(vf x)
{
	vf			y = v_relu(x);

	return y * y;
}

static inline vf
leaky_relu_v(vf x)
{
	return v_choose(v_less(x, v_set1(0.0f)), x * v_set1(0.01f), x);
}

static inline vf
gelu_v(vf x)
{
	return v_set1(0.5f) * x * one_plus_erf_v(x * v_set1(0.707106769f));
}

static inline vf
gelu_10_v(vf x)
{
	return v_min(v_set1(10.0f), v_max(v_set1(-10.0f), gelu_v(x)));
}

/* As in kernels_ref.c: tanh in terms of the logistic function. */
static inline vf
gelu_tanh_v(vf x)
{
	vf			u = v_fma(x * x * x, v_set1(0.044715f), x);

	return gated_v(x, u * v_set1(1.5957691f));
}

static inline vf
gelu_fast_v(vf x)
{
	vf			u = v_fma(x * x, v_set1(0.044715f), v_set1(1.0f));

	return gated_v(x, x * v_set1(1.5957691216f) * u);
}

static inline vf
quick_gelu_v(vf x)
{
	return gated_v(x, x * v_set1(1.702f));
}

static inline vf
silu_v(vf x)
{
	return gated_v(x, x);
}

static inline vf
sigmoid_v(vf x)
{
	return gated_v(v_set1(1.0f), x);
}

static inline vf
mish_v(vf x)
{
	vf			e = exp_v(v_min(v_set1(30.0f), x));
	vf			q = e * (e + v_set1(2.0f));

	return x * (q / (q + v_set1(2.0f)));
}

static inline vf
laplace_v(vf x)
{
	vf			u = (x - v_set1(0.707107f)) / v_set1(0.39894257f);

	return v_set1(0.5f) * one_plus_erf_v(u);
}

/* A loop over x[width] in place. */
#define EACH(function, x, width) \
	do { \
		size_t		i; \
		\
		for (i = 0; i < (width); i += MB_LANES) \
		{ \
			size_t		n = v_lanes(width, i); \
			\
			v_store_some((x) + i, function(v_load_some((x) + i, n)), n); \
		} \
	} while (0)

static void
activation_simd(mb_activation kind, float *x, size_t width)
{
	switch (kind)
	{
		case MB_ACT_RELU:
			EACH(v_relu, x, width);
			break;
		case MB_ACT_GELU:
			EACH(gelu_v, x, width);
			break;
		case MB_ACT_GELU_TANH:
			EACH(gelu_tanh_v, x, width);
			break;
		case MB_ACT_GELU_FAST:
			EACH(gelu_fast_v, x, width);
			break;
		case MB_ACT_QUICK_GELU:
			EACH(quick_gelu_v, x, width);
			break;
		case MB_ACT_GELU_10:
			EACH(gelu_10_v, x, width);
			break;
		case MB_ACT_SILU:
			EACH(silu_v, x, width);
			break;
		case MB_ACT_RELU6:
			EACH(relu6_v, x, width);
			break;
		case MB_ACT_RELU2:
			EACH(relu2_v, x, width);
			break;
		case MB_ACT_LEAKY_RELU:
			EACH(leaky_relu_v, x, width);
			break;
		case MB_ACT_MISH:
			EACH(mish_v, x, width);
			break;
		case MB_ACT_SIGMOID:
			EACH(sigmoid_v, x, width);
			break;
		case MB_ACT_TANH:
			EACH(tanh_v, x, width);
			break;
		case MB_ACT_LINEAR:
			break;
		case MB_ACT_LAPLACE:
			EACH(laplace_v, x, width);
			break;
	}
}

#undef EACH

/* Largest of those of x[width] that mask lets through; mask may be NULL. */
MB_INLINE float
largest_of(const float *x, const uint8_t *mask, size_t width)
{
	vf			lowest = v_set1(-INFINITY);
	vf			largest[4] = {lowest, lowest, lowest, lowest};
	size_t		i = 0;

	for (; mask == NULL && i + 4 * MB_LANES <= width; i += 4 * MB_LANES)
	{
		largest[0] = v_max(largest[0], v_load(x + i));
		largest[1] = v_max(largest[1], v_load(x + i + MB_LANES));
		largest[2] = v_max(largest[2], v_load(x + i + 2 * MB_LANES));
		largest[3] = v_max(largest[3], v_load(x + i + 3 * MB_LANES));
	}
	for (; i < width; i += MB_LANES)
	{
		size_t		n = v_lanes(width, i);

		largest[0] = v_max(largest[0], v_choose(attended(mask, i, n),
												v_load_some(x + i, n), lowest));
	}
	return v_largest(v_max(v_max(largest[0], largest[1]),
						   v_max(largest[2], largest[3])));
}

/* Lanes [i, i + n) of x become weights, which are returned. */
MB_INLINE vf
weigh(float *x, const uint8_t *mask, vf largest, size_t i, size_t n)
{
	vf			e = exp_weight_v(v_load_some(x + i, n) - largest);

	if (mask != NULL || n < MB_LANES)
		e = v_choose(attended(mask, i, n), e, v_set1(0.0f));
	v_store_some(x + i, e, n);
	return e;
}

/*
 * e^(x - largest) of a row, and their sum: four vectors at a time in float,
 * which costs two roundings of each, and those sums in double.
 */
MB_INLINE double
weigh_row(float *x, const uint8_t *mask, size_t width)
{
	vf			largest = v_set1(largest_of(x, mask, width));
	vd			low = w_zero();
	vd			high = w_zero();
	size_t		i = 0;
	vf			e;

	for (; i + 4 * MB_LANES <= width; i += 4 * MB_LANES)
	{
		vf			a = weigh(x, mask, largest, i, MB_LANES);
		vf			b = weigh(x, mask, largest, i + MB_LANES, MB_LANES);
		vf			c = weigh(x, mask, largest, i + 2 * MB_LANES, MB_LANES);
		vf			d = weigh(x, mask, largest, i + 3 * MB_LANES, MB_LANES);

		e = (a + b) + (c + d);
		low += w_low(e);
		high += w_high(e);
	}
	for (; i < width; i += MB_LANES)
	{
		e = weigh(x, mask, largest, i, v_lanes(width, i));
		low += w_low(e);
		high += w_high(e);
	}
	return w_sum(low + high);
}

static double
exponentials_simd(float *x, const uint8_t *mask, size_t width)
{
	if (mask == NULL)
		return weigh_row(x, NULL, width);
	return weigh_row(x, mask, width);
}

static void
scale_simd(float *x, double factor, size_t width)
{
	vd			f = w_set1(factor);
	size_t		i;

	for (i = 0; i < width; i += MB_LANES)
	{
		size_t		n = v_lanes(width, i);
		vf			v = v_load_some(x + i, n);

		v_store_some(x + i, w_narrow(w_low(v) * f, w_high(v) * f), n);
	}
}

/*
 * Rounded as torch does it, after each step.  The outlying features of a NoNorm
 * network are large enough that one fused rounding more or less shows.
 */
static void
no_norm_simd(const float *x, const float *r, const float *weight,
			 const float *bias, float *y, size_t width)
{
	size_t		i;

	for (i = 0; i < width; i += MB_LANES)
	{
		size_t		n = v_lanes(width, i);
		vf			z = v_load_some(x + i, n);

		if (r != NULL)
			z = z + v_load_some(r + i, n);
		z = z * v_load_some(weight + i, n) + v_load_some(bias + i, n);
		v_store_some(y + i, z, n);
	}
}

/* y = x + r, a row */
static void
add_rows(const float *x, const float *r, float *y, size_t width)
{
	size_t		i;

	for (i = 0; i < width; i += MB_LANES)
	{
		size_t		n = v_lanes(width, i);

		v_store_some(y + i, v_load_some(x + i, n) + v_load_some(r + i, n), n);
	}
}

/* Sum of (y - mean)^2. */
static double
square_deviation(const float *y, double mean, size_t width)
{
	vd			center = w_set1(mean);
	vd			low = w_zero();
	vd			high = w_zero();
	double		square;
	size_t		i;
	size_t		whole = width / MB_LANES * MB_LANES;

	for (i = 0; i < whole; i += MB_LANES)
	{
		vf			z = v_load(y + i);
		vd			d = w_low(z) - center;
		vd			e = w_high(z) - center;

		low += d * d;
		high += e * e;
	}
	square = w_sum(low + high);
	for (; i < width; i++)
		square += (y[i] - mean) * (y[i] - mean);
	return square;
}

static void
layer_norm_simd(const float *x, const float *r, const float *weight,
				const float *bias, float epsilon, float *y, size_t width)
{
	vd			low = w_zero();
	vd			high = w_zero();
	vd			center;
	vd			factor;
	double		mean;
	size_t		i;

	for (i = 0; i < width; i += MB_LANES)
	{
		size_t		n = v_lanes(width, i);
		vf			z = v_load_some(x + i, n);

		if (r != NULL)
			z = z + v_load_some(r + i, n);
		low += w_low(z);
		high += w_high(z);
		v_store_some(y + i, z, n);
	}
	mean = w_sum(low + high) / (double) width;
	center = w_set1(mean);
	factor = w_set1(1.0 / sqrt(square_deviation(y, mean, width) /
							   (double) width + epsilon));
	for (i = 0; i < width; i += MB_LANES)
	{
		size_t		n = v_lanes(width, i);
		vf			z = v_load_some(y + i, n);

		z = w_narrow((w_low(z) - center) * factor,
					 (w_high(z) - center) * factor);
		z = v_fma(z, v_load_some(weight + i, n), v_load_some(bias + i, n));
		v_store_some(y + i, z, n);
	}
}

static float
inner_product_simd(const float *a, const float *b, size_t count)
{
	vf			sum[4];
	size_t		i = 0;
	size_t		j;

	for (j = 0; j < 4; j++)
		sum[j] = v_set1(0.0f);
	for (; count - i >= 4 * MB_LANES; i += 4 * MB_LANES)
		for (j = 0; j < 4; j++)
			sum[j] = v_fma(v_load(a + i + j * MB_LANES),
						   v_load(b + i + j * MB_LANES), sum[j]);
	for (; i < count; i += MB_LANES)
	{
		size_t		n = v_lanes(count, i);

		sum[0] = v_fma(v_load_some(a + i, n), v_load_some(b + i, n), sum[0]);
	}
	return v_sum((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

static float
l2_squared_simd(const float *a, const float *b, size_t count)
{
	vf			sum[4];
	size_t		i = 0;
	size_t		j;

	for (j = 0; j < 4; j++)
		sum[j] = v_set1(0.0f);
	for (; count - i >= 4 * MB_LANES; i += 4 * MB_LANES)
	{
		for (j = 0; j < 4; j++)
		{
			vf			d = v_load(a + i + j * MB_LANES) -
				v_load(b + i + j * MB_LANES);

			sum[j] = v_fma(d, d, sum[j]);
		}
	}
	for (; i < count; i += MB_LANES)
	{
		size_t		n = v_lanes(count, i);
		vf			d = v_load_some(a + i, n) - v_load_some(b + i, n);

		sum[0] = v_fma(d, d, sum[0]);
	}
	return v_sum((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

static void
dot3_simd(const float *a, const float *b, size_t count, float out[3])
{
	vf			ab[2];
	vf			aa[2];
	vf			bb[2];
	size_t		i;
	size_t		j;

	for (j = 0; j < 2; j++)
		ab[j] = aa[j] = bb[j] = v_set1(0.0f);
	for (i = 0, j = 0; i < count; i += MB_LANES, j ^= 1)
	{
		size_t		n = v_lanes(count, i);
		vf			p = v_load_some(a + i, n);
		vf			q = v_load_some(b + i, n);

		ab[j] = v_fma(p, q, ab[j]);
		aa[j] = v_fma(p, p, aa[j]);
		bb[j] = v_fma(q, q, bb[j]);
	}
	out[0] = v_sum(ab[0] + ab[1]);
	out[1] = v_sum(aa[0] + aa[1]);
	out[2] = v_sum(bb[0] + bb[1]);
}

static double
dot_wide_simd(const float *a, const float *b, size_t count)
{
	vd			low = w_zero();
	vd			high = w_zero();
	size_t		i;

	for (i = 0; i < count; i += MB_LANES)
	{
		size_t		n = v_lanes(count, i);
		vf			p = v_load_some(a + i, n);
		vf			q = v_load_some(b + i, n);

		low += w_low(p) * w_low(q);
		high += w_high(p) * w_high(q);
	}
	return w_sum(low + high);
}

/* The entries of a table that are made here */
#define MB_SIMD_ROWS \
	.exponentials = exponentials_simd, \
	.scale = scale_simd, \
	.add = add_rows, \
	.activation = activation_simd, \
	.no_norm = no_norm_simd, \
	.layer_norm = layer_norm_simd, \
	.inner_product = inner_product_simd, \
	.l2_squared = l2_squared_simd, \
	.dot3 = dot3_simd, \
	.dot_wide = dot_wide_simd
