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

#include "reduced_simd.h"

/* Lanes of x from i on, of which the row has k; 0 beyond */
static inline vf
row_lanes(const float *x, size_t k, size_t i)
{
	if (i + VW <= k)
		return v_load(x + i);
	return i < k ? v_load_part(x + i, k - i) : _mm512_setzero_ps();
}

/* Smallest and largest of a row and 0; are all its values numbers? */
typedef struct row_range
{
	float		low;
	float		high;
	bool		finite;
} row_range;

/* The lanes of a range, on their way */
typedef struct lane_range
{
	vf			low;
	vf			high;
	vf			check;			/* 0, or no number */
} lane_range;

static inline void
widen_range(lane_range *range, vf v)
{
	range->low = _mm512_min_ps(v, range->low);
	range->high = _mm512_max_ps(v, range->high);
	range->check = _mm512_fmadd_ps(v, _mm512_setzero_ps(), range->check);
}

static inline row_range
find_range(const float *x, size_t k)
{
	vf			zero = _mm512_setzero_ps();
	lane_range	even = {zero, zero, zero};
	lane_range	odd = even;
	row_range	range;
	size_t		i;

	for (i = 0; i + 2 * VW <= k; i += 2 * VW)
	{
		widen_range(&even, v_load(x + i));
		widen_range(&odd, v_load(x + i + VW));
	}
	if (i < k)
	{
		widen_range(&even, row_lanes(x, k, i));
		widen_range(&odd, row_lanes(x, k, i + VW));
	}
	range.low = _mm512_reduce_min_ps(_mm512_min_ps(even.low, odd.low));
	range.high = _mm512_reduce_max_ps(_mm512_max_ps(even.high, odd.high));
	range.finite = _mm512_cmp_ps_mask(even.check + odd.check, zero,
									  _CMP_EQ_OQ) == 0xffff;
	return range;
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

/* How far bytes are from zero, none more than MOST_STEPS, added up */
static inline __m512i
add_steps(__m512i sum, __m512i bytes, __m512i zero)
{
	__m512i		distance = _mm512_or_si512(_mm512_subs_epu8(bytes, zero),
										   _mm512_subs_epu8(zero, bytes));

	distance = _mm512_min_epu8(distance, _mm512_set1_epi8(MOST_STEPS));
	return _mm512_add_epi64(sum, _mm512_sad_epu8(distance,
												 _mm512_setzero_si512()));
}

/* How a row becomes integers */
typedef struct row_steps
{
	vf			factor;
	__m512i		wide_zero;		/* 16 bits each */
	__m512i		byte_zero;
	bool		any;			/* else all are 0 */
} row_steps;

static inline row_steps
set_steps(int8_group *group, size_t r, row_range range)
{
	float		scale = range.high / 255.0f - range.low / 255.0f;
	float		inverse = scale > RANGE_LEAST && range.finite ?
		1.0f / scale : 0.0f;
	float		zero = range.finite ? rintf(-range.low * inverse) : 0.0f;
	row_steps	steps = {
		v_set1(inverse), _mm512_set1_epi16((short) zero),
		_mm512_set1_epi8((char) (int) zero), inverse > 0.0f
	};

	group->outliers[r] = 0;
	group->scale[r] = range.finite ? scale : NAN;
	group->zero[r] = zero;
	return steps;
}

static inline void
quantise_row(int8_group *group, size_t r, const float *x, size_t k)
{
	size_t		deep = depth(MB_FORMAT_INT8, k);
	row_steps	row = set_steps(group, r, find_range(x, k));
	__m512i		steps = _mm512_setzero_si512();
	uint8_t    *line = rows_line(group->tiles, deep, r, 0);
	size_t		i;

	for (i = 0; i < k; i += INT8_DEEP, line += AMX_BYTES)
	{
		bool		whole = k - i >= INT8_DEEP;
		vf			a = whole ? v_load(x + i) : row_lanes(x, k, i);
		vf			b = whole ? v_load(x + i + VW) : row_lanes(x, k, i + VW);
		vf			c = whole ? v_load(x + i + 2 * VW) :
			row_lanes(x, k, i + 2 * VW);
		vf			d = whole ? v_load(x + i + 3 * VW) :
			row_lanes(x, k, i + 3 * VW);
		__m512i		bytes = pack_bytes(_mm512_cvtps_epi32(a * row.factor),
									   _mm512_cvtps_epi32(b * row.factor),
									   _mm512_cvtps_epi32(c * row.factor),
									   _mm512_cvtps_epi32(d * row.factor),
									   row.wide_zero);

		steps = add_steps(steps, bytes, row.byte_zero);
		_mm512_store_si512((void *) line, bytes);
	}
	if (row.any && (size_t) _mm512_reduce_add_epi64(steps) < k)
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
