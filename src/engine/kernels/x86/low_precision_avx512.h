/*-------------------------------------------------------------------------
 *
 * low_precision_avx512.h
 *	  Functions of few bits for AVX-512: GELU between two products, and what
 *	  attention needs whatever its products are.
 *
 * Depends on kernels/kernels.h, kernels/reduced_layout.h,
 * kernels/x86/simd_avx512.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_LOW_PRECISION_AVX512_H
#define MB_LOW_PRECISION_AVX512_H

#if defined(__AVX512F__)

#include "kernels/kernels.h"
#include "kernels/reduced_layout.h"
#include "kernels/x86/simd_avx512.h"

#include <math.h>

/*
 * GELU to 14 bits: x * (1/2 + x P(x^2)), P of degree 7 for |x| up to 4 (minimax,
 * error 5.3e-5 of |x| or of 1/4), which is a 40th of what rounding to bfloat16
 * may be; 0 below -4.  NaN stays.
 */
MB_INLINE vf
gelu_approximate(vf x)
{
	vf			far = v_set1(-4.0f);
	vf			t = _mm512_min_ps(v_set1(4.0f), _mm512_max_ps(far, x));
	vf			s = t * t;
	vf			p = v_set1(-1.58078373e-09f);

	p = v_fma(p, s, v_set1(1.21710954e-07f));
	p = v_fma(p, s, v_set1(-4.10086295e-06f));
	p = v_fma(p, s, v_set1(8.06673561e-05f));
	p = v_fma(p, s, v_set1(-0.00104820414f));
	p = v_fma(p, s, v_set1(0.00966487359f));
	p = v_fma(p, s, v_set1(-0.0661753789f));
	p = v_fma(p, s, v_set1(0.39884752f));
	p = v_fma(p, t, v_set1(0.5f));
	return _mm512_maskz_mul_ps(_mm512_cmp_ps_mask(x, far, _CMP_NLE_UQ), x, p);
}

/* ----------
 * Attention
 * ----------
 */

/* A row of scores has this much more, so that rows begin in different sets. */
#define MB_SCORES_APART MB_LANES

/* Floats from a row of scores to the next */
static inline size_t
score_step(size_t length)
{
	return padded(length) + MB_SCORES_APART;
}

/* What scores are multiplied by to be powers of two: log2(e) / root of size */
static inline float
score_factor(size_t size)
{
	return (float) (1.44269504088896340736 / sqrt((double) size));
}

/* rows of 16 x 16 numbers of 32 bits become columns */
MB_INLINE void
transpose(__m512i *r)
{
	__m512i		t[16];
	int			i;

	for (i = 0; i < 16; i += 2)
	{
		t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
		t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
	}
	for (i = 0; i < 16; i += 4)
	{
		r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
		r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
		r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
		r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
	}
	for (i = 0; i < 4; i++)
	{
		t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
		t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
		t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
		t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
	}
	for (i = 0; i < 8; i++)
	{
		r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
		r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
	}
}

/* The lanes from i on that are of this text and, with a mask, attended to */
MB_INLINE __mmask16
attended(const mb_attention *a, size_t i)
{
	__mmask16	lanes = i + MB_LANES <= a->length ? (__mmask16) 0xffff :
		i < a->length ? v_first(a->length - i) : (__mmask16) 0;

	if (a->mask == NULL || lanes == 0)
		return lanes;
	return _mm_mask_test_epi8_mask(lanes,
								   _mm_maskz_loadu_epi8(lanes, a->mask + i),
								   _mm_set1_epi8(-1));
}

/*
 * 2^t: 2^floor(t) times a polynomial in the rest (minimax, relative error
 * 7.5e-5, a 26th of what rounding to bfloat16 may be).  0 where the power of e
 * is less than MB_SOFTMAX_LEAST: subnormal results take a hundred times as long.
 * NaN stays.
 */
MB_INLINE vf
power_of_two(vf t)
{
	vf			f = _mm512_reduce_ps(t, _MM_FROUND_TO_NEG_INF);
	vf			p = v_fma(v_set1(0.0780245215f), f, v_set1(0.226067171f));

	p = v_fma(p, f, v_set1(0.695833504f));
	p = v_fma(p, f, v_set1(0.999925196f));
	return _mm512_maskz_scalef_ps(
								  _mm512_cmp_ps_mask(t, v_set1(MB_SOFTMAX_LEAST * 1.44269504f),
													 _CMP_NLT_UQ), p, t);
}

/* Lanes of the largest score of a row that is attended to */
MB_INLINE vf
largest_scores(const mb_attention *a, const float *scores, bool masked)
{
	vf			lowest = v_set1(-INFINITY);
	vf			even = lowest;
	vf			odd = lowest;
	size_t		i = 0;

	if (!masked)
	{
		for (; i + 2 * MB_LANES <= a->length; i += 2 * MB_LANES)
		{
			even = _mm512_max_ps(v_load(scores + i), even);
			odd = _mm512_max_ps(v_load(scores + i + MB_LANES), odd);
		}
	}
	for (; i < a->length; i += MB_LANES)
		even = _mm512_mask_max_ps(even, attended(a, i), v_load(scores + i),
								  even);
	return _mm512_max_ps(even, odd);
}

/*
 * Scores of a row become powers of two with the bias in them, so that nothing
 * is left to multiply; lanes after the last key are not looked at later.
 */
MB_INLINE void
add_bias(float *scores, const float *bias, size_t length, float factor)
{
	vf			scale = v_set1(factor);
	vf			log2_e = v_set1(1.44269504f);
	size_t		i;

	for (i = 0; i < length; i += MB_LANES)
		v_store(scores + i, v_fma(v_load(scores + i), scale,
								  v_load_row(bias, length, i) * log2_e));
}

#endif							/* __AVX512F__ */
#endif							/* MB_LOW_PRECISION_AVX512_H */
