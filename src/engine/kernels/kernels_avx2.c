/*-------------------------------------------------------------------------
 *
 * kernels_avx2.c
 *	  The kernels for x86-64 processors with AVX2, FMA and F16C: eight floats.
 *
 * Compiled with -mavx2 -mfma -mf16c; nothing here may run before mb_cpu_has_avx2()
 * has said yes.  rows_template.h says what the v_ and w_ functions do.
 *
 * Depends on kernels/gemm.h, kernels/kernels.h, kernels/reduced.h,
 * kernels/rows_template.h.
 *
 *-------------------------------------------------------------------------
 */
#include "kernels/kernels.h"

#if defined(__x86_64__)

#include "kernels/gemm.h"
#include "kernels/reduced.h"

#include <immintrin.h>
#include <string.h>

#define VW ((size_t) 8)
#define TILE_ROWS 6				/* twelve sums in sixteen registers */
#define TOTALS_IN_MEMORY 1

typedef __m256 vf;
typedef __m256 vm;
typedef __m256d vd;

/* Eight times true, eight times false: v_first() reads a window of it. */
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

	if (n == VW)
		memcpy(&bytes, p, VW);
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

/* Weights of 16 bits */

static inline vf
v_load_half(const uint16_t *p)
{
	return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *) p));
}

static inline vf
v_load_bfloat(const uint16_t *p)
{
	__m256i		wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(
													  (const __m128i *) p));

	return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}

#include "kernels/rows_template.h"

const mb_kernels mb_kernels_avx2 = {
	.name = "avx2",
	.gemm_name = "avx2",
	SIMD_ROWS,
	SIMD_PRODUCTS,
	.linear[MB_FORMAT_INT8] = &mb_int8_avx2,
	.linear[MB_FORMAT_BF16] = &mb_bf16_avx2,
	.linear[MB_FORMAT_BF16X3] = &mb_bf16x3_avx2,
	.linear[MB_FORMAT_FLOAT_SPLIT] = &mb_exact_ref,
	.linear[MB_FORMAT_HALF_SPLIT] = &mb_exact_ref,
	.linear[MB_FORMAT_BFLOAT_SPLIT] = &mb_exact_ref
};

#endif							/* __x86_64__ */
