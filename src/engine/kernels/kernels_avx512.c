/*-------------------------------------------------------------------------
 *
 * kernels_avx512.c
 *	  The kernels for x86-64 processors with AVX-512: sixteen floats.
 *
 * Compiled with -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma;
 * nothing here may run before mb_cpu_has_avx512() has said yes.
 * rows_template.h says what the v_ and w_ functions do.
 *
 * Depends on kernels/gemm.h, kernels/kernels.h, kernels/reduced.h,
 * kernels/rows_template.h, kernels/split.h.
 *
 *-------------------------------------------------------------------------
 */
#include "kernels/kernels.h"

#if defined(__x86_64__)

#include "kernels/gemm.h"
#include "kernels/reduced.h"
#include "kernels/split.h"

#include <immintrin.h>

#define VW ((size_t) 16)
#define TILE_ROWS 6				/* twelve sums and their totals in 32 registers */
#define TOTALS_IN_MEMORY 0

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

/* Weights of 16 bits */

static inline vf
v_load_half(const uint16_t *p)
{
	return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *) p));
}

static inline vf
v_load_bfloat(const uint16_t *p)
{
	__m512i		wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(
													 (const __m256i *) p));

	return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

#include "kernels/rows_template.h"

const mb_kernels mb_kernels_avx512 = {
	.name = "avx512",
	.gemm_name = "avx512",
	SIMD_ROWS,
	SIMD_PRODUCTS,
	.linear[MB_FORMAT_INT8] = &mb_int8_avx512,
	.linear[MB_FORMAT_BF16] = &mb_bf16_avx512,
	.linear[MB_FORMAT_BF16X3] = &mb_bf16x3_avx512,
	.linear[MB_FORMAT_FLOAT_SPLIT] = &mb_exact_ref,
	.linear[MB_FORMAT_HALF_SPLIT] = &mb_exact_ref,
	.linear[MB_FORMAT_BFLOAT_SPLIT] = &mb_exact_ref
};

const mb_kernels mb_kernels_vnni = {
	.name = "vnni",
	.gemm_name = "avx512",
	SIMD_ROWS,
	SIMD_PRODUCTS,
	.linear[MB_FORMAT_INT8] = &mb_int8_vnni,
	.linear[MB_FORMAT_BF16] = &mb_bf16_avx512,
	.linear[MB_FORMAT_BF16X3] = &mb_bf16x3_avx512,
	.linear[MB_FORMAT_FLOAT_SPLIT] = &mb_exact_ref,
	.linear[MB_FORMAT_HALF_SPLIT] = &mb_exact_ref,
	.linear[MB_FORMAT_BFLOAT_SPLIT] = &mb_exact_ref,
	.attention = &mb_attention_vnni
};

const mb_kernels mb_kernels_amx = {
	.name = "amx",
	.gemm_name = "amx",
	.split = true,
	.begin = mb_begin_amx,
	.end = mb_end_amx,
	SIMD_ROWS,
	SIMD_PRODUCTS,
	.linear[MB_FORMAT_INT8] = &mb_int8_amx,
	.linear[MB_FORMAT_BF16] = &mb_bf16_amx,
	.linear[MB_FORMAT_BF16X3] = &mb_bf16x3_amx,
	.linear[MB_FORMAT_FLOAT_SPLIT] = &mb_float_split_amx,
	.linear[MB_FORMAT_HALF_SPLIT] = &mb_half_split_amx,
	.linear[MB_FORMAT_BFLOAT_SPLIT] = &mb_bfloat_split_amx,
	.attention = &mb_attention_amx
};

#endif							/* __x86_64__ */
