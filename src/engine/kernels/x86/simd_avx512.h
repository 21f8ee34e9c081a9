/*-------------------------------------------------------------------------
 *
 * simd_avx512.h
 *	  The vector vocabulary of AVX-512: sixteen floats.
 *
 * The templates (*_template.h) and the kernels of this instruction set are
 * written in these words; simd_avx2.h has the same ones.
 *
 *	vf, vm				MB_LANES floats; a choice for each of them
 *	vd					MB_LANES / 2 doubles
 *	v_load_part(p, n)	first n lanes from p, zeros after them; n <= MB_LANES
 *	v_store_part		first n lanes to p
 *	v_max(a, b)			b where either is NaN; v_min alike
 *	v_fma(a, b, c)		a * b + c rounded once; v_fnma: -a * b + c
 *	v_relu(x)			max(0, x); NaN stays
 *	v_nearest(x)		nearest integer, ties to even
 *	v_power2(n)			2^n for an integer n in [-126, 127]
 *	v_first(n)			true in the first n lanes
 *	v_less(a, b)		a < b; v_reaches(a, b): not that, so also where either is
 *						NaN
 *	v_bytes(p, n)		true in those of the first n lanes where p[i] != 0
 *	v_choose(m, a, b)	a where m, else b
 *	v_scaled(m, e, n)	e * 2^n for an integer n in [-126, 127] where m, else 0
 *	v_sum, v_largest	over the lanes
 *	w_low, w_high(v)	the first and the last half of v, widened; w_narrow back
 *	v_load_half(p)		numbers of binary16, widened; v_load_bf16 alike
 *	v_load_ints(p)		int32_t, converted
 *
 *	v_lanes(width, i)	lanes of a loop over width from i on
 *	v_load_some(p, n)	first n lanes, all of them without a mask; v_store_some
 *	v_load_row(x, k, i)	lanes of x from i on, of which the row has k; 0 after
 *						them
 *
 * Depends on nothing.  For files compiled with -mavx512f -mavx512bw
 * -mavx512dq -mavx512vl -mavx2 -mfma -mf16c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_SIMD_AVX512_H
#define MB_SIMD_AVX512_H

#if defined(__AVX512F__)

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define MB_LANES ((size_t) 16)

/* Vectors that the processor has names for */
#define MB_REGISTERS 32

typedef __m512 vf;
typedef __mmask16 vm;
typedef __m512d vd;

static inline vm
v_first(size_t n)
{
	return (vm) ((1u << n) - 1);
}

static inline vf
v_load(const float *p)
{
	return _mm512_loadu_ps(p);
}

static inline void
v_store(float *p, vf v)
{
	_mm512_storeu_ps(p, v);
}

static inline vf
v_load_part(const float *p, size_t n)
{
	return _mm512_maskz_loadu_ps(v_first(n), p);
}

static inline void
v_store_part(float *p, vf v, size_t n)
{
	_mm512_mask_storeu_ps(p, v_first(n), v);
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
v_max(vf a, vf b)
{
	return _mm512_max_ps(a, b);
}

static inline vf
v_min(vf a, vf b)
{
	return _mm512_min_ps(a, b);
}

static inline vf
v_relu(vf x)
{
	return v_max(v_set1(0.0f), x);
}

static inline vf
v_abs(vf x)
{
	return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), x);
}

/* The magnitude of x >= 0 with the sign of s. */
static inline vf
v_sign_of(vf x, vf s)
{
	return _mm512_or_ps(x, _mm512_and_ps(_mm512_set1_ps(-0.0f), s));
}

static inline vf
v_nearest(vf x)
{
	return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT |
								_MM_FROUND_NO_EXC);
}

static inline vf
v_power2(vf n)
{
	__m512i		e = _mm512_add_epi32(_mm512_cvtps_epi32(n),
									 _mm512_set1_epi32(127));

	return _mm512_castsi512_ps(_mm512_slli_epi32(e, 23));
}

static inline vm
v_bytes(const uint8_t *p, size_t n)
{
	__m128i		bytes = _mm_maskz_loadu_epi8(v_first(n), p);

	return _mm_test_epi8_mask(bytes, bytes);
}

static inline vm
v_less(vf a, vf b)
{
	return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
}

static inline vm
v_reaches(vf a, vf b)
{
	return _mm512_cmp_ps_mask(a, b, _CMP_NLT_UQ);
}

static inline vf
v_choose(vm m, vf a, vf b)
{
	return _mm512_mask_blend_ps(m, b, a);
}

static inline vf
v_scaled(vm m, vf e, vf n)
{
	return _mm512_maskz_scalef_ps(m, e, n);
}

static inline float
v_sum(vf v)
{
	__m256		h = _mm256_add_ps(_mm512_castps512_ps256(v),
								  _mm512_extractf32x8_ps(v, 1));
	__m128		s = _mm_add_ps(_mm256_castps256_ps128(h),
							   _mm256_extractf128_ps(h, 1));

	s = _mm_add_ps(s, _mm_movehl_ps(s, s));
	s = _mm_add_ss(s, _mm_movehdup_ps(s));
	return _mm_cvtss_f32(s);
}

static inline float
v_largest(vf v)
{
	__m256		h = _mm256_max_ps(_mm512_castps512_ps256(v),
								  _mm512_extractf32x8_ps(v, 1));
	__m128		s = _mm_max_ps(_mm256_castps256_ps128(h),
							   _mm256_extractf128_ps(h, 1));

	s = _mm_max_ps(s, _mm_movehl_ps(s, s));
	s = _mm_max_ss(s, _mm_movehdup_ps(s));
	return _mm_cvtss_f32(s);
}

static inline vd
w_zero(void)
{
	return _mm512_setzero_pd();
}

static inline vd
w_set1(double x)
{
	return _mm512_set1_pd(x);
}

static inline vd
w_low(vf v)
{
	return _mm512_cvtps_pd(_mm512_castps512_ps256(v));
}

static inline vd
w_high(vf v)
{
	return _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1));
}

static inline vf
w_narrow(vd low, vd high)
{
	return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(low)),
							  _mm512_cvtpd_ps(high), 1);
}

static inline double
w_sum(vd v)
{
	__m256d		h = _mm256_add_pd(_mm512_castpd512_pd256(v),
								  _mm512_extractf64x4_pd(v, 1));
	__m128d		s = _mm_add_pd(_mm256_castpd256_pd128(h),
							   _mm256_extractf128_pd(h, 1));

	return _mm_cvtsd_f64(s) + _mm_cvtsd_f64(_mm_unpackhi_pd(s, s));
}

/* Other types */

static inline vf
v_load_half(const uint16_t *p)
{
	return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *) p));
}

static inline vf
v_load_bf16(const uint16_t *p)
{
	__m512i		wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(
													 (const __m256i *) p));

	return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

static inline vf
v_load_ints(const int32_t *p)
{
	return _mm512_cvtepi32_ps(_mm512_loadu_si512(p));
}

/* Loops over the numbers of a row */

static inline size_t
v_lanes(size_t width, size_t i)
{
	return width - i < MB_LANES ? width - i : MB_LANES;
}

static inline vf
v_load_some(const float *p, size_t n)
{
	return n == MB_LANES ? v_load(p) : v_load_part(p, n);
}

static inline void
v_store_some(float *p, vf v, size_t n)
{
	if (n == MB_LANES)
		v_store(p, v);
	else
		v_store_part(p, v, n);
}

static inline vf
v_load_row(const float *x, size_t k, size_t i)
{
	if (i + MB_LANES <= k)
		return v_load(x + i);
	return i < k ? v_load_part(x + i, k - i) : v_set1(0.0f);
}

#endif							/* __AVX512F__ */
#endif							/* MB_SIMD_AVX512_H */
