/*-------------------------------------------------------------------------
 *
 * simd_avx2.h
 *	  The vector vocabulary of AVX2, FMA and F16C: eight floats.
 *
 * The templates (*_template.h) and the kernels of this instruction set are
 * written in these words; simd_avx512.h has the same ones.
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
 * Depends on nothing.  For files compiled with -mavx2 -mfma -mf16c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_SIMD_AVX2_H
#define MB_SIMD_AVX2_H

#if defined(__AVX2__)

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MB_LANES ((size_t) 8)

/* Vectors that the processor has names for */
#define MB_REGISTERS 16

typedef __m256 vf;
typedef __m256 vm;
typedef __m256d vd;

/* Eight times true, eight times false: first_integers() reads a window of it. */
static const int32_t first_lanes[16] = {
	-1, -1, -1, -1, -1, -1, -1, -1
};

static inline vf
v_load(const float *p)
{
	return _mm256_loadu_ps(p);
}

static inline void
v_store(float *p, vf v)
{
	_mm256_storeu_ps(p, v);
}

static inline __m256i
first_integers(size_t n)
{
	return _mm256_loadu_si256((const __m256i *) (first_lanes + 8 - n));
}

static inline vf
v_load_part(const float *p, size_t n)
{
	return _mm256_maskload_ps(p, first_integers(n));
}

static inline void
v_store_part(float *p, vf v, size_t n)
{
	_mm256_maskstore_ps(p, first_integers(n), v);
}

static inline vf
v_set1(float x)
{
	return _mm256_set1_ps(x);
}

static inline vf
v_fma(vf a, vf b, vf c)
{
	return _mm256_fmadd_ps(a, b, c);
}

static inline vf
v_fnma(vf a, vf b, vf c)
{
	return _mm256_fnmadd_ps(a, b, c);
}

static inline vf
v_max(vf a, vf b)
{
	return _mm256_max_ps(a, b);
}

static inline vf
v_min(vf a, vf b)
{
	return _mm256_min_ps(a, b);
}

static inline vf
v_relu(vf x)
{
	return v_max(v_set1(0.0f), x);
}

static inline vf
v_abs(vf x)
{
	return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x);
}

/* The magnitude of x >= 0 with the sign of s. */
static inline vf
v_sign_of(vf x, vf s)
{
	return _mm256_or_ps(x, _mm256_and_ps(_mm256_set1_ps(-0.0f), s));
}

static inline vf
v_nearest(vf x)
{
	return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

static inline vf
v_power2(vf n)
{
	__m256i		e = _mm256_add_epi32(_mm256_cvtps_epi32(n),
									 _mm256_set1_epi32(127));

	return _mm256_castsi256_ps(_mm256_slli_epi32(e, 23));
}

static inline vm
v_first(size_t n)
{
	return _mm256_castsi256_ps(first_integers(n));
}

static inline vm
v_bytes(const uint8_t *p, size_t n)
{
	uint64_t	bytes = 0;
	__m256i		wide;

	if (n == MB_LANES)
		memcpy(&bytes, p, MB_LANES);
	else
		memcpy(&bytes, p, n);
	wide = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long) bytes));
	return _mm256_castsi256_ps(_mm256_cmpgt_epi32(wide,
												  _mm256_setzero_si256()));
}

static inline vm
v_less(vf a, vf b)
{
	return _mm256_cmp_ps(a, b, _CMP_LT_OQ);
}

static inline vm
v_reaches(vf a, vf b)
{
	return _mm256_cmp_ps(a, b, _CMP_NLT_UQ);
}

static inline vf
v_choose(vm m, vf a, vf b)
{
	return _mm256_blendv_ps(b, a, m);
}

/* what n out of range makes of e does not matter where m is false */
static inline vf
v_scaled(vm m, vf e, vf n)
{
	return _mm256_and_ps(m, e * v_power2(n));
}

static inline float
v_sum(vf v)
{
	__m128		s = _mm_add_ps(_mm256_castps256_ps128(v),
							   _mm256_extractf128_ps(v, 1));

	s = _mm_add_ps(s, _mm_movehl_ps(s, s));
	s = _mm_add_ss(s, _mm_movehdup_ps(s));
	return _mm_cvtss_f32(s);
}

static inline float
v_largest(vf v)
{
	__m128		s = _mm_max_ps(_mm256_castps256_ps128(v),
							   _mm256_extractf128_ps(v, 1));

	s = _mm_max_ps(s, _mm_movehl_ps(s, s));
	s = _mm_max_ss(s, _mm_movehdup_ps(s));
	return _mm_cvtss_f32(s);
}

static inline vd
w_zero(void)
{
	return _mm256_setzero_pd();
}

static inline vd
w_set1(double x)
{
	return _mm256_set1_pd(x);
}

static inline vd
w_low(vf v)
{
	return _mm256_cvtps_pd(_mm256_castps256_ps128(v));
}

static inline vd
w_high(vf v)
{
	return _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1));
}

static inline vf
w_narrow(vd low, vd high)
{
	return _mm256_set_m128(_mm256_cvtpd_ps(high), _mm256_cvtpd_ps(low));
}

static inline double
w_sum(vd v)
{
	__m128d		s = _mm_add_pd(_mm256_castpd256_pd128(v),
							   _mm256_extractf128_pd(v, 1));

	return _mm_cvtsd_f64(s) + _mm_cvtsd_f64(_mm_unpackhi_pd(s, s));
}

/* Other types */

static inline vf
v_load_half(const uint16_t *p)
{
	return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *) p));
}

static inline vf
v_load_bf16(const uint16_t *p)
{
	__m256i		wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(
													  (const __m128i *) p));

	return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}

static inline vf
v_load_ints(const int32_t *p)
{
	return _mm256_cvtepi32_ps(_mm256_loadu_si256((const __m256i *) p));
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

#endif							/* __AVX2__ */
#endif							/* MB_SIMD_AVX2_H */
