/*-------------------------------------------------------------------------
 *
 * reduced_avx512.h
 *	  What the AVX-512 files of reduced products and of attention share:
 *	  vectors, the lanes of a row, and a GELU of few bits.
 *
 * Depends on kernels/finish_template.h.
 *
 *-------------------------------------------------------------------------
 */
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define VW ((size_t) 16)
#define FINISH_LANES 2

typedef __m512 vf;

static inline __mmask16
first_lanes(size_t n)
{
	return (__mmask16) ((1u << n) - 1);
}

static inline vf
v_load(const float *p)
{
	return _mm512_loadu_ps(p);
}

static inline vf
v_load_part(const float *p, size_t n)
{
	return _mm512_maskz_loadu_ps(first_lanes(n), p);
}

static inline void
v_store(float *p, vf v)
{
	_mm512_storeu_ps(p, v);
}

static inline void
v_store_part(float *p, vf v, size_t n)
{
	_mm512_mask_storeu_ps(p, first_lanes(n), v);
}

static inline vf
v_set1(float x)
{
	return _mm512_set1_ps(x);
}

static inline vf
v_fma(vf a, vf b, vf c)
{
	return _mm512_fmadd_ps(a, b, c);
}

static inline vf
v_fnma(vf a, vf b, vf c)
{
	return _mm512_fnmadd_ps(a, b, c);
}

static inline vf
v_relu(vf x)
{
	return _mm512_max_ps(_mm512_setzero_ps(), x);
}

static inline vf
v_ints(const int32_t *p)
{
	return _mm512_cvtepi32_ps(_mm512_loadu_si512(p));
}

static inline vf
v_bf16(const uint16_t *p)
{
	__m512i		wide = _mm512_cvtepu16_epi32(
											 _mm256_loadu_si256((const __m256i *) p));

	return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

#include "kernels/finish_template.h"

/* Lanes of x from i on, of which the row has k; 0 beyond */
static inline vf
row_lanes(const float *x, size_t k, size_t i)
{
	if (i + VW <= k)
		return v_load(x + i);
	return i < k ? v_load_part(x + i, k - i) : _mm512_setzero_ps();
}

/*
 * GELU to 14 bits: x * (1/2 + x P(x^2)), P of degree 7 for |x| up to 4 (minimax,
 * error 5.3e-5 of |x| or of 1/4), which is a 40th of what rounding to bfloat16
 * may be; 0 below -4.  NaN stays.
 */
ALWAYS vf
gelu_brief(vf x)
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
