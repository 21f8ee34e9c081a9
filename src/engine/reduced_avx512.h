/*-------------------------------------------------------------------------
 *
 * reduced_avx512.h
 *	  What the AVX-512 files of reduced products share: vectors, and making
 *	  rows ready for int8.
 *
 * Depends on reduced_simd.h.
 *
 *-------------------------------------------------------------------------
 */
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define VW ((size_t) 16)

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

#include "reduced_simd.h"

/* The smallest of lanes and 0, the largest; NAN when a value is no number */
typedef struct row_range
{
	float		low;
	float		high;
	bool		finite;
} row_range;

static inline row_range
find_range(const float *x, size_t k)
{
	vf			zero = _mm512_setzero_ps();
	vf			low = zero;
	vf			high = zero;
	vf			check = zero;
	row_range	range;
	size_t		i;

	for (i = 0; i < k; i += VW)
	{
		vf			v = load_some(x + i, STEP(k, i));

		low = _mm512_min_ps(v, low);
		high = _mm512_max_ps(v, high);
		check = _mm512_fmadd_ps(v, zero, check);
	}
	range.low = _mm512_reduce_min_ps(low);
	range.high = _mm512_reduce_max_ps(high);
	range.finite = _mm512_cmp_ps_mask(check, zero, _CMP_EQ_OQ) == 0xffff;
	return range;
}

/* The order of reduced.c */
static inline float
add_up(vf s)
{
	__m256		h = _mm256_add_ps(_mm512_castps512_ps256(s),
								  _mm512_extractf32x8_ps(s, 1));
	__m128		q = _mm_add_ps(_mm256_castps256_ps128(h),
							   _mm256_extractf128_ps(h, 1));

	q = _mm_add_ps(q, _mm_movehl_ps(q, q));
	return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
}

/* Four vectors of integers, plus zero, as 64 bytes, those outside saturated */
static inline __m512i
pack_bytes(__m512i a, __m512i b, __m512i c, __m512i d, __m512i zero)
{
	const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13,
											2, 6, 10, 14, 3, 7, 11, 15);
	__m512i		ab = _mm512_add_epi16(_mm512_packs_epi32(a, b), zero);
	__m512i		cd = _mm512_add_epi16(_mm512_packs_epi32(c, d), zero);

	return _mm512_permutexvar_epi32(order, _mm512_packus_epi16(ab, cd));
}

/* Lanes of x from i on, of which the row has k; 0 beyond */
static inline vf
row_lanes(const float *x, size_t k, size_t i)
{
	if (i + VW <= k)
		return v_load(x + i);
	return i < k ? v_load_part(x + i, k - i) : _mm512_setzero_ps();
}

/* Values in steps of the scale, none above MOST_STEPS, added to sum */
static inline vf
add_steps(vf sum, vf u)
{
	return sum + _mm512_min_ps(_mm512_abs_ps(u), v_set1(MOST_STEPS));
}

static inline void
quantise_row(int8_group *group, size_t r, const float *x, size_t k)
{
	size_t		deep = depth(MB_FORMAT_INT8, k);
	row_range	range = find_range(x, k);
	float		scale = range.high / 255.0f - range.low / 255.0f;
	float		inverse = scale > RANGE_LEAST && range.finite ?
		1.0f / scale : 0.0f;
	float		zero = range.finite ? rintf(-range.low * inverse) : 0.0f;
	vf			factor = v_set1(inverse);
	vf			steps = _mm512_setzero_ps();
	__m512i		zeros = _mm512_set1_epi16((short) zero);
	size_t		t;

	group->outliers[r] = 0;
	group->scale[r] = range.finite ? scale : NAN;
	group->zero[r] = zero;
	for (t = 0; t < deep; t++)
	{
		size_t		i = t * INT8_DEEP;
		vf			a = row_lanes(x, k, i) * factor;
		vf			b = row_lanes(x, k, i + VW) * factor;
		vf			c = row_lanes(x, k, i + 2 * VW) * factor;
		vf			d = row_lanes(x, k, i + 3 * VW) * factor;

		steps = add_steps(steps, a);
		steps = add_steps(steps, b);
		steps = add_steps(steps, c);
		steps = add_steps(steps, d);
		_mm512_store_si512((void *) rows_line(group->tiles, deep, r, t),
						   pack_bytes(_mm512_cvtps_epi32(a),
									  _mm512_cvtps_epi32(b),
									  _mm512_cvtps_epi32(c),
									  _mm512_cvtps_epi32(d), zeros));
	}
	if (inverse > 0.0f && add_up(steps) < FEWEST_STEPS * (float) k)
		mb_int8_leave_out(group, r, x, k);
}

static inline void
prepare_int8(const float *x, size_t rows, size_t k, void *operand)
{
	size_t		r;

	for (r = 0; r < rows; r++, x += k)
	{
		int8_group *group = int8_group_at(operand, k, r / GROUP);

		if (r % GROUP == 0)
			group->total = 0;
		quantise_row(group, r % GROUP, x, k);
	}
}
