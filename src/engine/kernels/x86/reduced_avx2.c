/*-------------------------------------------------------------------------
 *
 * reduced_avx2.c
 *	  int8, bf16 and bf16x3 products for processors with AVX2 and FMA.
 *
 * int8: VPMADDUBSW saturates at 16 bits, so bytes are widened to 16 bits and
 * VPMADDWD adds up pairs of products in 32.  Half of the speed, no error.
 *
 * bf16: weights are widened, activations stay float; see reduced_avx512.c.
 *
 * Depends on kernels/finish_template.h, kernels/reduced.h,
 * kernels/reduced_layout.h, kernels/x86/simd_avx2.h.  Compiled with -mavx2 -mfma
 * -mf16c.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__x86_64__)

#include "kernels/reduced.h"
#include "kernels/reduced_layout.h"
#include "kernels/x86/simd_avx2.h"

#include "kernels/finish_template.h"

#include <math.h>
#include <string.h>

/* ----------
 * int8
 * ----------
 */

static inline float
smallest(vf v)
{
	__m128		q = _mm_min_ps(_mm256_castps256_ps128(v),
							   _mm256_extractf128_ps(v, 1));

	q = _mm_min_ps(q, _mm_movehl_ps(q, q));
	return _mm_cvtss_f32(_mm_min_ss(q, _mm_movehdup_ps(q)));
}

/* Smallest and largest of the row and 0; false when a value is no number */
static bool
find_range(const float *x, size_t k, float *low, float *high)
{
	vf			zero = _mm256_setzero_ps();
	vf			least = zero;
	vf			most = zero;
	vf			check = zero;
	size_t		i;

	for (i = 0; i < k; i += MB_LANES)
	{
		vf			v = v_load_row(x, k, i);

		least = _mm256_min_ps(v, least);
		most = _mm256_max_ps(v, most);
		check = v_fma(v, zero, check);
	}
	*low = smallest(least);
	*high = 0.0f - smallest(zero - most);
	return _mm256_movemask_ps(_mm256_cmp_ps(check, zero, _CMP_EQ_OQ)) == 0xff;
}

/* Two vectors of integers, plus zero, as 16 bytes, those outside saturated */
static inline __m128i
pack_bytes(__m256i a, __m256i b, __m256i zero)
{
	__m256i		w = _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xd8);

	w = _mm256_add_epi16(w, zero);
	return _mm_packus_epi16(_mm256_castsi256_si128(w),
							_mm256_extracti128_si256(w, 1));
}

/* How far bytes are from zero, none more than MB_MOST_STEPS, added up */
static inline __m128i
add_steps(__m128i sum, __m128i bytes, __m128i zero)
{
	__m128i		distance = _mm_or_si128(_mm_subs_epu8(bytes, zero),
										_mm_subs_epu8(zero, bytes));

	distance = _mm_min_epu8(distance, _mm_set1_epi8(MB_MOST_STEPS));
	return _mm_add_epi64(sum, _mm_sad_epu8(distance, _mm_setzero_si128()));
}

static void
quantise_row(int8_group *group, size_t r, const float *x, size_t k)
{
	size_t		deep = depth(MB_FORMAT_INT8, k);
	float		low;
	float		high;
	bool		finite = find_range(x, k, &low, &high);
	float		scale = high / 255.0f - low / 255.0f;
	float		inverse = scale > MB_RANGE_LEAST && finite ? 1.0f / scale : 0.0f;
	float		zero = finite ? rintf(-low * inverse) : 0.0f;
	vf			factor = v_set1(inverse);
	__m256i		wide_zero = _mm256_set1_epi16((short) zero);
	__m128i		byte_zero = _mm_set1_epi8((char) (int) zero);
	__m128i		steps = _mm_setzero_si128();
	size_t		i;

	group->outliers[r] = 0;
	group->scale[r] = finite ? scale : NAN;
	group->zero[r] = zero;
	for (i = 0; i < deep * MB_INT8_DEEP; i += 2 * MB_LANES)
	{
		vf			a = v_load_row(x, k, i) * factor;
		vf			b = v_load_row(x, k, i + MB_LANES) * factor;
		__m128i		bytes = pack_bytes(_mm256_cvtps_epi32(a),
									   _mm256_cvtps_epi32(b), wide_zero);

		steps = add_steps(steps, bytes, byte_zero);
		_mm_store_si128((__m128i *) (rows_line(group->tiles, deep, r,
											   i / MB_INT8_DEEP) +
									 i % MB_INT8_DEEP), bytes);
	}
	steps = _mm_add_epi64(steps, _mm_unpackhi_epi64(steps, steps));
	if (inverse > 0.0f && (size_t) _mm_cvtsi128_si64(steps) < k)
		mb_int8_leave_out(group, r, x, k, &mb_int8_work_ref);
}

static void
prepare_int8(const float *x, size_t rows, size_t k, void *operand)
{
	size_t		r;

	for (r = 0; r < rows; r++, x += k)
	{
		int8_group *group = int8_group_at(operand, k, r / MB_GROUP);

		if (r % MB_GROUP == 0)
			group->total = 0;
		quantise_row(group, r % MB_GROUP, x, k);
	}
}

/* 4 columns of a line, 4 weights each, in 16 bits */
static inline __m256i
widen(const uint8_t *w)
{
	return _mm256_cvtepi8_epi16(_mm_load_si128((const __m128i *) w));
}

/* 4 activations in 16 bits, four times */
static inline __m256i
widen_quad(const uint8_t *x)
{
	int32_t		v;

	memcpy(&v, x, sizeof(v));
	return _mm256_cvtepu8_epi16(_mm_set1_epi32(v));
}

#define ADD(sum, x, w) \
	sum = _mm256_add_epi32(sum, _mm256_madd_epi16(x, w))

#define OPEN_INT8(r) \
	const uint8_t *x##r = x + r * MB_LINE; \
	__m256i a##r = _mm256_setzero_si256(), b##r = a##r, c##r = a##r, d##r = a##r

#define EACH_INT8(r) \
	do { \
		__m256i v = widen_quad(x##r + at); \
		\
		ADD(a##r, v, w0); \
		ADD(b##r, v, w1); \
		ADD(c##r, v, w2); \
		ADD(d##r, v, w3); \
	} while (0)

/* Each sum is in two neighbouring halves. */
#define CLOSE_INT8(r) \
	do { \
		_mm256_store_si256((__m256i *) (sums + r * MB_PANEL), \
			_mm256_permute4x64_epi64(_mm256_hadd_epi32(a##r, b##r), 0xd8)); \
		_mm256_store_si256((__m256i *) (sums + r * MB_PANEL + MB_LANES), \
			_mm256_permute4x64_epi64(_mm256_hadd_epi32(c##r, d##r), 0xd8)); \
	} while (0)

#define BODY_INT8(ROWS_DO) \
	size_t t; \
	size_t i; \
	ROWS_DO(OPEN_INT8); \
	\
	for (t = 0; t < deep; t++) \
	{ \
		for (i = 0; i < MB_TILE; i++) \
		{ \
			const uint8_t *line = w + t * MB_TILE_BYTES + i * MB_LINE; \
			size_t at = t * MB_TILE_BYTES + i * MB_INT8_STEP; \
			__m256i w0 = widen(line); \
			__m256i w1 = widen(line + 16); \
			__m256i w2 = widen(line + 32); \
			__m256i w3 = widen(line + 48); \
			\
			ROWS_DO(EACH_INT8); \
		} \
	} \
	ROWS_DO(CLOSE_INT8)

static void
int8_rows_1(const uint8_t *x, const uint8_t *w, size_t deep,
			int32_t *sums)
{
	BODY_INT8(MB_ROWS_1);
}

static void
int8_rows_2(const uint8_t *x, const uint8_t *w, size_t deep,
			int32_t *sums)
{
	BODY_INT8(MB_ROWS_2);
}

/* All rows with one strip of outputs */
static void
strip_sums(int8_group *group, size_t rows, size_t k, const uint8_t *w,
		   size_t column, sums_block *block)
{
	size_t		deep = depth(MB_FORMAT_INT8, k);
	size_t		r;

	for (r = 0; r < rows; r += 2)
	{
		const uint8_t *x = rows_line(group->tiles, deep, r, 0);

		if (rows - r >= 2)
			int8_rows_2(x, w, deep, &block->i[r][column]);
		else
			int8_rows_1(x, w, deep, &block->i[r][column]);
	}
}

static void
int8_avx2(int8_group *group, size_t rows, size_t k, const uint8_t *w,
		  sums_block *block)
{
	size_t		column;

	for (column = 0; column < MB_PANEL; column += MB_TILE)
	{
		strip_sums(group, rows, k, w, column, block);
		w += strip_size(MB_FORMAT_INT8, k);
	}
}

void
mb_linear_int8_avx2(const mb_product *product)
{
	linear_int8(product, int8_avx2);
}

const mb_linear_kernel mb_int8_avx2 = {
	.run = mb_linear_int8_avx2,
	.operand_size = mb_operand_size_int8,
	.prepare = prepare_int8
};

/* ----------
 * bf16, bf16x3
 * ----------
 */

/* The even and the odd inputs' weights of half a line */
static inline vf
even(const uint8_t *w)
{
	__m256i		line = _mm256_load_si256((const __m256i *) w);

	return _mm256_castsi256_ps(_mm256_slli_epi32(line, 16));
}

static inline vf
odd(const uint8_t *w)
{
	__m256i		line = _mm256_load_si256((const __m256i *) w);
	__m256i		mask = _mm256_set1_epi32((int) 0xffff0000);

	return _mm256_castsi256_ps(_mm256_and_si256(line, mask));
}

/* The same of a line; low: plus the low parts, which lie half a strip on */
#define WEIGHTS(part, at) \
	vf w0 = part(w + (at)); \
	vf w1 = part(w + MB_LINE / 2 + (at)); \
	\
	if (low) \
	{ \
		w0 = w0 + part(w + size / 2 + (at)); \
		w1 = w1 + part(w + size / 2 + MB_LINE / 2 + (at)); \
	}

#define OPEN(r) \
	const float *x##r = x + r * k; \
	vf a##r = v_set1(0.0f), b##r = a##r

#define EACH(r) \
	do { \
		vf v = v_set1(x##r[i]); \
		\
		a##r = v_fma(v, w0, a##r); \
		b##r = v_fma(v, w1, b##r); \
	} while (0)

#define CLOSE(r) \
	do { \
		v_store(sums + r * MB_PANEL, a##r); \
		v_store(sums + r * MB_PANEL + MB_LANES, b##r); \
	} while (0)

/* Inputs in order, so that the bits of a row do not depend on the others */
#define BODY(ROWS_DO) \
	size_t i; \
	ROWS_DO(OPEN); \
	\
	for (i = 0; i < k; i++) \
	{ \
		size_t at = i / MB_BF16_STEP * MB_LINE; \
		\
		{ \
			WEIGHTS(even, at); \
			ROWS_DO(EACH); \
		} \
		if (++i < k) \
		{ \
			WEIGHTS(odd, at); \
			ROWS_DO(EACH); \
		} \
	} \
	ROWS_DO(CLOSE)

MB_INLINE void
rows_1(const float *x, size_t k, const uint8_t *w, size_t size, const bool low,
	   float *sums)
{
	BODY(MB_ROWS_1);
}

MB_INLINE void
rows_4(const float *x, size_t k, const uint8_t *w, size_t size, const bool low,
	   float *sums)
{
	BODY(MB_ROWS_4);
}

/* Sums of rows of x [rows, k] with the panel at w; size: bytes of its strips */
MB_INLINE void
all_rows(const float *x, size_t rows, size_t k, const uint8_t *w, size_t size,
		 const bool low, sums_block *block)
{
	size_t		column;
	size_t		r;

	for (column = 0; column < MB_PANEL; column += MB_TILE, w += size)
	{
		for (r = 0; rows - r >= 4; r += 4)
			rows_4(x + r * k, k, w, size, low, &block->f[r][column]);
		for (; r < rows; r++)
			rows_1(x + r * k, k, w, size, low, &block->f[r][column]);
	}
}

static void
bf16_sums(const float *x, size_t rows, size_t k, const uint8_t *w,
		  sums_block *block)
{
	all_rows(x, rows, k, w, strip_size(MB_FORMAT_BF16, k), false, block);
}

static void
bf16x3_sums(const float *x, size_t rows, size_t k, const uint8_t *w,
			sums_block *block)
{
	all_rows(x, rows, k, w, strip_size(MB_FORMAT_BF16X3, k), true, block);
}

static void
run_bf16(const mb_product *p)
{
	linear_bf16(p, MB_FORMAT_BF16, bf16_sums);
}

static void
run_bf16x3(const mb_product *p)
{
	linear_bf16(p, MB_FORMAT_BF16X3, bf16x3_sums);
}

const mb_linear_kernel mb_bf16_avx2 = {.run = run_bf16};

const mb_linear_kernel mb_bf16x3_avx2 = {.run = run_bf16x3};

#endif							/* __x86_64__ */
