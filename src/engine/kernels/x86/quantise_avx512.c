/*-------------------------------------------------------------------------
 *
 * quantise_avx512.c
 *	  Rows of activations as integers, for int8 products on AVX-512.
 *
 * The same integers as reduced.c makes.
 *
 * Depends on base/dtype.h, kernels/reduced.h, kernels/reduced_layout.h,
 * kernels/x86/simd_avx512.h.  Compiled with -mavx512f -mavx512bw
 * -mavx512dq -mavx512vl -mavx2 -mfma -mf16c.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__x86_64__)

#include "base/dtype.h"
#include "kernels/reduced.h"
#include "kernels/reduced_layout.h"
#include "kernels/x86/simd_avx512.h"

#include <math.h>

/* ----------
 * Rows of floats
 * ----------
 */

/* Ranges of the lanes so far */
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

/* Over the lanes, both at once: the smallest is minus the largest of -low */
static inline void
reduce_range(vf low_lanes, vf high_lanes, float *low, float *high)
{
	vf			minus = _mm512_setzero_ps() - low_lanes;
	__m256		a = _mm256_max_ps(_mm512_castps512_ps256(minus),
								  _mm512_extractf32x8_ps(minus, 1));
	__m256		b = _mm256_max_ps(_mm512_castps512_ps256(high_lanes),
								  _mm512_extractf32x8_ps(high_lanes, 1));
	__m256		c = _mm256_max_ps(_mm256_unpacklo_ps(a, b),
								  _mm256_unpackhi_ps(a, b));
	__m128		d = _mm_max_ps(_mm256_castps256_ps128(c),
							   _mm256_extractf128_ps(c, 1));

	d = _mm_max_ps(d, _mm_movehl_ps(d, d));
	*low = 0.0f - _mm_cvtss_f32(d);	/* not -0 */
	*high = _mm_cvtss_f32(_mm_movehdup_ps(d));
}

/* Smallest and largest of a row and 0; high is NaN if any is no number. */
static inline void
find_range(const float *x, size_t k, float *low, float *high)
{
	vf			zero = _mm512_setzero_ps();
	lane_range	even = {zero, zero, zero};
	lane_range	odd = even;
	size_t		i;

	for (i = 0; i + 2 * MB_LANES <= k; i += 2 * MB_LANES)
	{
		widen_range(&even, v_load(x + i));
		widen_range(&odd, v_load(x + i + MB_LANES));
	}
	if (i < k)
	{
		widen_range(&even, v_load_row(x, k, i));
		widen_range(&odd, v_load_row(x, k, i + MB_LANES));
	}
	reduce_range(_mm512_min_ps(even.low, odd.low),
				 _mm512_max_ps(even.high, odd.high), low, high);
	if (_mm512_cmp_ps_mask(even.check + odd.check, zero, _CMP_EQ_OQ) != 0xffff)
		*high = NAN;
}

/* Of n rows: their ranges, and what follows from them */
typedef struct row_scales
{
	float		low[MB_GROUP];
	float		high[MB_GROUP];
	float		inverse[MB_GROUP];	/* of the scale; 0: all integers are zero */
} row_scales;

/* Scales and zeros of rows [r, r + n) of a group: divisions for 16 at a time */
static inline void
set_scales(int8_group *group, size_t r, size_t n, row_scales *rows)
{
	const vf	steps = v_set1(255.0f);
	size_t		i;

	for (i = 0; i < n; i += MB_LANES)
	{
		size_t		some = v_lanes(n, i);
		vf			low = v_load_some(rows->low + i, some);
		vf			scale = v_load_some(rows->high + i, some) / steps -
			low / steps;
		__mmask16	good = _mm512_cmp_ps_mask(scale, v_set1(MB_RANGE_LEAST),
											  _CMP_GT_OQ);
		__mmask16	finite = _mm512_cmp_ps_mask(scale, scale, _CMP_EQ_OQ);
		vf			inverse = _mm512_maskz_div_ps(good, v_set1(1.0f), scale);
		vf			zero = _mm512_maskz_mul_ps(finite, v_set1(-0.0f) - low,
											   inverse);

		zero = _mm512_roundscale_ps(zero, _MM_FROUND_TO_NEAREST_INT |
									_MM_FROUND_NO_EXC);
		v_store_part(rows->inverse + i, inverse, some);
		v_store_part(group->scale + r + i, scale, some);
		v_store_part(group->zero + r + i, zero, some);
	}
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

/* How far bytes are from zero, none more than MB_MOST_STEPS, added up */
static inline __m512i
add_steps(__m512i sum, __m512i bytes, __m512i zero)
{
	__m512i		distance = _mm512_or_si512(_mm512_subs_epu8(bytes, zero),
										   _mm512_subs_epu8(zero, bytes));

	distance = _mm512_min_epu8(distance, _mm512_set1_epi8(MB_MOST_STEPS));
	return _mm512_add_epi64(sum, _mm512_sad_epu8(distance,
												 _mm512_setzero_si512()));
}

/* How a row becomes integers */
typedef struct row_steps
{
	vf			factor;
	__m512i		wide_zero;		/* 16 bits each */
	__m512i		byte_zero;
} row_steps;

static inline row_steps
steps_of(int8_group *group, size_t r, float inverse)
{
	float		zero = group->zero[r];
	row_steps	steps = {
		v_set1(inverse), _mm512_set1_epi16((short) zero),
		_mm512_set1_epi8((char) (int) zero)
	};

	group->outliers[r] = 0;
	return steps;
}

/* Values outside [low, high] are 0 */
static inline vf
clip(vf v, vf low, vf high)
{
	return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(v, low, _CMP_GE_OQ) &
							   _mm512_cmp_ps_mask(v, high, _CMP_LE_OQ), v);
}

/* Integers of a row, how far from zero they are altogether; clipped: see clip() */
MB_INLINE size_t
quantise_lines(int8_group *group, size_t r, const float *x, size_t k,
			   float inverse, bool clipped, float low, float high)
{
	size_t		deep = depth(MB_FORMAT_INT8, k);
	row_steps	row = steps_of(group, r, inverse);
	__m512i		steps = _mm512_setzero_si512();
	uint8_t    *line = rows_line(group->tiles, deep, r, 0);
	vf			lows = v_set1(low);
	vf			highs = v_set1(high);
	size_t		i;

	for (i = 0; i < k; i += MB_INT8_DEEP, line += MB_TILE_BYTES)
	{
		bool		whole = k - i >= MB_INT8_DEEP;
		vf			a = whole ? v_load(x + i) : v_load_row(x, k, i);
		vf			b = whole ? v_load(x + i + MB_LANES) :
			v_load_row(x, k, i + MB_LANES);
		vf			c = whole ? v_load(x + i + 2 * MB_LANES) :
			v_load_row(x, k, i + 2 * MB_LANES);
		vf			d = whole ? v_load(x + i + 3 * MB_LANES) :
			v_load_row(x, k, i + 3 * MB_LANES);
		__m512i		bytes;

		if (clipped)
		{
			a = clip(a, lows, highs);
			b = clip(b, lows, highs);
			c = clip(c, lows, highs);
			d = clip(d, lows, highs);
		}
		bytes = pack_bytes(_mm512_cvtps_epi32(a * row.factor),
						   _mm512_cvtps_epi32(b * row.factor),
						   _mm512_cvtps_epi32(c * row.factor),
						   _mm512_cvtps_epi32(d * row.factor),
						   row.wide_zero);
		steps = add_steps(steps, bytes, row.byte_zero);
		_mm512_store_si512((void *) line, bytes);
	}
	return (size_t) _mm512_reduce_add_epi64(steps);
}

/* As the plain C of reduced.c */
static int8_rest
measure(const float *x, size_t k, float bound)
{
	int8_rest	rest = {0.0f, 0.0f, 0, 0, 0};
	vf			bounds = v_set1(bound);
	vf			low = _mm512_setzero_ps();
	vf			high = low;
	vf			factor;
	__m512i		steps = _mm512_setzero_si512();
	float		scale;
	size_t		i;

	for (i = 0; i < k; i += MB_LANES)
	{
		vf			v = v_load_row(x, k, i);
		__mmask16	within = _mm512_cmp_ps_mask(_mm512_abs_ps(v), bounds,
												_CMP_LE_OQ);

		low = _mm512_mask_min_ps(low, within, v, low);
		high = _mm512_mask_max_ps(high, within, v, high);
		rest.above += MB_LANES - (uint32_t) __builtin_popcount(within);
	}
	rest.low = _mm512_reduce_min_ps(low);
	rest.high = _mm512_reduce_max_ps(high);
	scale = rest.high / 255.0f - rest.low / 255.0f;
	factor = v_set1(scale > MB_RANGE_LEAST ? 1.0f / scale : 0.0f);
	for (i = 0; i < k; i += MB_LANES)
	{
		vf			v = _mm512_abs_ps(v_load_row(x, k, i));
		vf			u = _mm512_maskz_mul_ps(_mm512_cmp_ps_mask(v, bounds,
															   _CMP_LE_OQ),
											v, factor);

		rest.count += (uint32_t) __builtin_popcount(
													_mm512_cmp_ps_mask(u, _mm512_setzero_ps(), _CMP_GT_OQ));
		u = _mm512_min_ps(u, v_set1(MB_MOST_STEPS)) * v_set1(MB_STEP_PARTS);
		steps = _mm512_add_epi32(steps, _mm512_cvttps_epi32(u));
	}
	rest.steps = (uint32_t) _mm512_reduce_add_epi32(steps);
	return rest;
}

static void
leave_out(int8_group *group, size_t r, const float *x, size_t k, float low,
		  float high)
{
	row_scales	row;
	size_t		i;

	row.low[0] = low;
	row.high[0] = high;
	set_scales(group, r, 1, &row);
	(void) quantise_lines(group, r, x, k, row.inverse[0], true, low, high);
	for (i = 0; i < k; i += MB_LANES)
	{
		vf			v = v_load_row(x, k, i);
		unsigned	outside = _mm512_cmp_ps_mask(v, v_set1(low), _CMP_LT_OQ) |
			_mm512_cmp_ps_mask(v, v_set1(high), _CMP_GT_OQ);

		for (; outside != 0; outside &= outside - 1)
			add_outlier(group, r, x, i + (size_t) __builtin_ctz(outside));
	}
}

static const int8_work int8_work_avx512 = {measure, leave_out};

void
mb_prepare_int8_avx512(const float *x, size_t rows, size_t k, void *operand)
{
	row_scales	scales;
	size_t		first;
	size_t		r;

	for (first = 0; first < rows; first += MB_GROUP, x += MB_GROUP * k)
	{
		int8_group *group = int8_group_at(operand, k, first / MB_GROUP);
		size_t		some = group_rows(rows, first);

		for (r = 0; r < some; r++)
			find_range(x + r * k, k, &scales.low[r], &scales.high[r]);
		group->total = 0;
		set_scales(group, 0, some, &scales);
		for (r = 0; r < some; r++)
			if (quantise_lines(group, r, x + r * k, k, scales.inverse[r],
							   false, 0.0f, 0.0f) < k &&
				scales.inverse[r] > 0.0f)
				mb_int8_leave_out(group, r, x + r * k, k, &int8_work_avx512);
	}
}

/* Without VNNI, AVX-512 has no faster way to multiply these than AVX2. */
const mb_linear_kernel mb_int8_avx512 = {
	.run = mb_linear_int8_avx2,
	.operand_size = mb_operand_size_int8,
	.prepare = mb_prepare_int8_avx512
};

/* ----------
 * Rows of bfloat16
 * ----------
 */

/* Largest of 32 numbers of 16 bits, without sign */
static uint32_t
largest_of(__m512i v)
{
	__m256i		h = _mm256_max_epu16(_mm512_castsi512_si256(v),
									 _mm512_extracti64x4_epi64(v, 1));
	__m128i		q = _mm_max_epu16(_mm256_castsi256_si128(h),
								  _mm256_extracti128_si256(h, 1));

	/* there is an instruction for the smallest */
	q = _mm_minpos_epu16(_mm_xor_si128(q, _mm_set1_epi16(-1)));
	return 0xffff ^ (uint32_t) _mm_extract_epi16(q, 0);
}

/*
 * The range of a row of bfloat16, filled up with zeros to whole lines.  As
 * signed integers the largest is the largest positive number, as unsigned ones
 * the largest is the smallest negative one; NaN is beyond infinity in both.
 */
static void
find_range_bf16(const uint16_t *x, size_t k, float *least, float *most)
{
	__m512i		low = _mm512_setzero_si512();
	__m512i		high = low;
	uint32_t	lowest;
	uint32_t	highest;
	size_t		i;

	for (i = 0; i < k; i += MB_BF16_DEEP)
	{
		__m512i		v = _mm512_loadu_si512((const void *) (x + i));

		low = _mm512_max_epu16(low, v);
		high = _mm512_max_epi16(high, v);
	}
	lowest = largest_of(low);
	highest = largest_of(high);
	*least = lowest > 0x8000 ? mb_bf16_to_float((uint16_t) lowest) : 0.0f;
	*most = (lowest & 0x7fff) < 0x7f80 && highest < 0x7f80 ?
		mb_bf16_to_float((uint16_t) highest) : NAN;
}

/* Steps of the even and of the odd numbers of a line */
MB_INLINE __m512i
even_steps(__m512i line, vf factor)
{
	vf			x = _mm512_castsi512_ps(_mm512_slli_epi32(line, 16));

	return _mm512_cvtps_epi32(x * factor);
}

MB_INLINE __m512i
odd_steps(__m512i line, vf factor)
{
	vf			x = _mm512_castsi512_ps(_mm512_and_si512(line,
														 _mm512_set1_epi32((int) 0xffff0000)));

	return _mm512_cvtps_epi32(x * factor);
}

/* Two lines as 64 bytes, those outside saturated */
MB_INLINE __m512i
line_bytes(__m512i a, __m512i b, const row_steps *row)
{
	const __m512i pairs = _mm512_broadcast_i32x4(
												 _mm_setr_epi8(0, 8, 1, 9, 2, 10, 3, 11,
															   4, 12, 5, 13, 6, 14, 7, 15));
	const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
	__m512i		even = _mm512_packs_epi32(even_steps(a, row->factor),
										  even_steps(b, row->factor));
	__m512i		odd = _mm512_packs_epi32(odd_steps(a, row->factor),
										 odd_steps(b, row->factor));
	__m512i		bytes;

	bytes = _mm512_packus_epi16(_mm512_add_epi16(even, row->wide_zero),
								_mm512_add_epi16(odd, row->wide_zero));
	return _mm512_permutexvar_epi64(order,
									_mm512_shuffle_epi8(bytes, pairs));
}

/* As quantise_lines() of the same numbers */
static size_t
quantise_bf16_lines(int8_group *group, size_t r, const uint16_t *x, size_t k,
					float inverse)
{
	size_t		deep = depth(MB_FORMAT_INT8, k);
	row_steps	row = steps_of(group, r, inverse);
	__m512i		steps = _mm512_setzero_si512();
	uint8_t    *line = rows_line(group->tiles, deep, r, 0);
	size_t		i;

	for (i = 0; i < k; i += MB_INT8_DEEP, line += MB_TILE_BYTES)
	{
		__m512i		a = _mm512_loadu_si512((const void *) (x + i));
		__m512i		b = i + MB_BF16_DEEP < k ?
			_mm512_loadu_si512((const void *) (x + i + MB_BF16_DEEP)) :
			_mm512_setzero_si512();
		__m512i		bytes = line_bytes(a, b, &row);

		steps = add_steps(steps, bytes, row.byte_zero);
		_mm512_store_si512((void *) line, bytes);
	}
	return (size_t) _mm512_reduce_add_epi64(steps);
}

/* The row as floats in wide, for the search for what to leave out */
static void
leave_out_bf16(int8_group *group, size_t r, const uint16_t *x, size_t k,
			   float *wide)
{
	size_t		i;

	for (i = 0; i < k; i++)
		wide[i] = mb_bf16_to_float(x[i]);
	mb_int8_leave_out(group, r, wide, k, &int8_work_avx512);
}

void
mb_quantise_bf16_avx512(const uint16_t *x, size_t step, size_t rows, size_t k,
						float *wide, void *operand)
{
	row_scales	scales;
	size_t		first;
	size_t		r;

	for (first = 0; first < rows; first += MB_GROUP, x += MB_GROUP * step)
	{
		int8_group *group = int8_group_at(operand, k, first / MB_GROUP);
		size_t		some = group_rows(rows, first);

		for (r = 0; r < some; r++)
			find_range_bf16(x + r * step, k, &scales.low[r], &scales.high[r]);
		group->total = 0;
		set_scales(group, 0, some, &scales);
		for (r = 0; r < some; r++)
			if (quantise_bf16_lines(group, r, x + r * step, k,
									scales.inverse[r]) < k &&
				scales.inverse[r] > 0.0f)
				leave_out_bf16(group, r, x + r * step, k, wide);
	}
}

#endif							/* __x86_64__ */
