/*-------------------------------------------------------------------------
 *
 * attention_vnni.c
 *	  Attention in integers and floats for processors with AVX-512 VNNI,
 *	  beside linear layers in INT8.
 *
 * Some query rows go through all of a head at once:
 *
 *	scores		query * keys, both as integers of 16 bits: VPDPWSSD adds twice as
 *				many products as a multiplication of floats.  A row of integers
 *				has one scale and the most digits whose sums fit in 32 bits, 14
 *				for heads of 32 numbers; what rounding to so many costs is
 *				less than with bfloat16.  With 8 bits it would be ten times more.
 *				Then the bias, if there is one.
 *	weights		e^(score - largest of the row) of some 14 bits, in the place of
 *				the row's scores; their sum
 *	context		weights * values, in float, over the sum: integers would lose
 *				many small weights
 *
 * A row's results depend on its query, the keys, the values, the mask and the
 * bias, not on the rows beside it.
 *
 * Depends on base/arena.h, kernels/x86/low_precision_avx512.h,
 * kernels/reduced.h, kernels/reduced_layout.h, kernels/x86/simd_avx512.h.
 * Compiled as reduced_vnni.c is.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__x86_64__)

#include "base/arena.h"
#include "kernels/x86/low_precision_avx512.h"
#include "kernels/reduced.h"
#include "kernels/reduced_layout.h"
#include "kernels/x86/simd_avx512.h"

#include <math.h>
#include <string.h>

/* Inputs of a line for each key, and the lines of a tile of 16 keys */
#define PAIR 2

static inline size_t
pairs_of(size_t size)
{
	return (size + PAIR - 1) / PAIR;
}

/* ----------
 * Rows as integers
 * ----------
 */

/* The largest integer of a row, so that no sum of products overflows */
static float
most_of(size_t size)
{
	double		most = floor(sqrt((double) INT32_MAX / (double) size));

	return most < INT16_MAX ? (float) most : INT16_MAX;
}

/* How 16 rows become integers: times inverse, and scale is the way back. */
typedef struct integer_scales
{
	float		scale[MB_TILE];
	float		inverse[MB_TILE];
} integer_scales;

/* Largest distance from zero in the lanes of a row, as integers: NaN is most. */
MB_INLINE __m512i
distances(const float *x, size_t width)
{
	__m512i		most = _mm512_setzero_si512();
	size_t		i;

	for (i = 0; i < width; i += MB_LANES)
		most = _mm512_max_epu32(most, _mm512_castps_si512(
														  _mm512_abs_ps(v_load_row(x, width, i))));
	return most;
}

/*
 * Scales of "rows" rows, and zeros for the others of 16.  Where any is no finite
 * number the scale is NaN.
 */
MB_INLINE integer_scales
scales_of(const float *x, size_t ld, size_t rows, size_t width)
{
	float		most = most_of(width);
	integer_scales s;
	__m512i		lanes[MB_TILE];
	__m512i		far;
	vf			scale;
	int			i;

	for (i = 0; i < MB_TILE; i++)
		lanes[i] = (size_t) i < rows ? distances(x + (size_t) i * ld, width) :
			_mm512_setzero_si512();
	transpose(lanes);
	far = lanes[0];
	for (i = 1; i < MB_TILE; i++)
		far = _mm512_max_epu32(far, lanes[i]);
	scale = _mm512_mask_blend_ps(_mm512_cmpge_epu32_mask(far,
														 _mm512_set1_epi32(0x7f800000)),
								 _mm512_castsi512_ps(far) / v_set1(most),
								 v_set1(NAN));
	v_store(s.scale, scale);
	v_store(s.inverse,
			_mm512_maskz_div_ps(_mm512_cmp_ps_mask(scale, v_set1(MB_RANGE_LEAST),
												   _CMP_GT_OQ),
								v_set1(most), _mm512_castsi512_ps(far)));
	return s;
}

/* Integers of 32 inputs of a row, zeros after the last */
MB_INLINE __m512i
integer_line(const float *x, size_t width, size_t i, float inverse)
{
	vf			factor = v_set1(inverse);
	vf			a = v_load_row(x, width, i) * factor;
	vf			b = v_load_row(x, width, i + MB_LANES) * factor;
	__m256i		low;
	__m256i		high;

	/* what is no number becomes INT32_MIN, and nothing may come of that */
	low = _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(a));
	high = _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(b));
	return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

/* Scales of keys lie after the integers of them all. */
static inline float *
key_scales(const void *panels, size_t rows, size_t size)
{
	return (float *) ((uint8_t *) panels +
					  padded(rows) / MB_TILE * pairs_of(size) * MB_LINE);
}

/* Sixteen keys are a tile; a pair of inputs is a line of it. */
static void
pack_keys(const float *x, size_t ld, size_t rows, size_t width, void *panels)
{
	float	   *scales = key_scales(panels, rows, width);
	size_t		pairs = pairs_of(width);
	uint8_t    *line = panels;
	size_t		first;
	size_t		t;
	size_t		i;

	for (first = 0; first < padded(rows); first += MB_TILE)
	{
		size_t		some = first >= rows ? 0 :
			rows - first < MB_TILE ? rows - first : MB_TILE;
		integer_scales s = scales_of(x + first * ld, ld, some, width);

		memcpy(scales + first, s.scale, sizeof(s.scale));
		for (t = 0; t < pairs; t += MB_TILE)
		{
			__m512i		lines[MB_TILE];

			for (i = 0; i < MB_TILE; i++)
				lines[i] = i < some ?
					integer_line(x + (first + i) * ld, width, PAIR * t,
								 s.inverse[i]) : _mm512_setzero_si512();
			transpose(lines);
			for (i = 0; i < MB_TILE && t + i < pairs; i++, line += MB_LINE)
				_mm512_store_si512((void *) line, lines[i]);
		}
	}
}

/* As mb_pack_values() */
static void
pack_values(const float *x, size_t ld, size_t rows, size_t width,
			void *panels)
{
	float	   *y = panels;
	size_t		c;
	size_t		i;

	for (c = 0; c < width; c += MB_PANEL)
	{
		for (i = 0; i < rows; i++, y += MB_PANEL)
		{
			v_store(y, v_load_row(x + i * ld, width, c));
			v_store(y + MB_LANES, v_load_row(x + i * ld, width, c + MB_LANES));
		}
	}
}

/* ----------
 * A block of query rows
 * ----------
 */

/* Keys whose values are multiplied before other rows take them */
#define VALUES_TOGETHER 64

/* Integers of a query, in pairs */
static inline size_t
query_step(size_t size)
{
	return (pairs_of(size) + MB_TILE - 1) / MB_TILE * MB_TILE;
}

static size_t
attend_memory(size_t length, size_t size)
{
	size_t		row;

	if (length > SIZE_MAX / 8 || size > SIZE_MAX / 8 ||
		!mb_size_add(score_step(length), query_step(size), &row) ||
		!mb_size_multiply(row, MB_ATTEND_ROWS * sizeof(float), &row))
		return SIZE_MAX;
	return row;
}

/* A block of query rows and what is made of them so far */
typedef struct attend_block
{
	const mb_attention *a;
	int32_t    *queries;		/* [MB_ATTEND_ROWS, query_step] */
	float	   *scores;			/* [MB_ATTEND_ROWS, score_step] */
	integer_scales scales;		/* of the queries, MB_ATTEND_ROWS */
	float		factors[MB_ATTEND_ROWS];	/* 1 / the sum of weights */
} attend_block;

/* Queries that are not there are zero. */
static void
round_queries(attend_block *b)
{
	const mb_attention *a = b->a;
	size_t		step = query_step(a->size);
	size_t		r;
	size_t		t;

	b->scales = scales_of(a->query, a->ld, a->rows, a->size);
	for (r = 0; r < MB_ATTEND_ROWS; r++)
	{
		const float *row = a->query + r * a->ld;

		for (t = 0; t < step; t += MB_TILE)
			_mm512_store_si512(b->queries + r * step + t, r < a->rows ?
							   integer_line(row, a->size, PAIR * t,
											b->scales.inverse[r]) :
							   _mm512_setzero_si512());
	}
}

#define SCORE_OPEN(r) \
	__m512i a##r = _mm512_setzero_si512(), b##r = a##r

/* As in reduced_vnni.c, inline assembly keeps the sums in registers. */
#define SCORE_ADD(sum, x, w) \
	__asm__("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w))

#define SCORE_EACH(r) \
	do { \
		__m512i x = _mm512_set1_epi32(queries[r * query_step + t]); \
		\
		SCORE_ADD(a##r, x, w0); \
		SCORE_ADD(b##r, x, w1); \
	} while (0)

#define SCORE_CLOSE(r) \
	do { \
		v_store(scores + r * step, _mm512_cvtepi32_ps(a##r) * scale0); \
		v_store(scores + r * step + MB_LANES, \
				_mm512_cvtepi32_ps(b##r) * scale1); \
	} while (0)

/* Scores, but for the query's scale, of some rows and a pair of tiles of keys */
#define SCORE_ROWS(name, ROWS_DO) \
static void \
name(const int32_t *queries, size_t query_step, const uint8_t *keys, \
	 size_t pairs, const float *scales, float *scores, size_t step) \
{ \
	const uint8_t *next = keys + pairs * MB_LINE; \
	vf			scale0 = v_load(scales); \
	vf			scale1 = v_load(scales + MB_LANES); \
	size_t		t; \
	ROWS_DO(SCORE_OPEN); \
	\
	for (t = 0; t < pairs; t++) \
	{ \
		__m512i		w0 = _mm512_load_si512(keys + t * MB_LINE); \
		__m512i		w1 = _mm512_load_si512(next + t * MB_LINE); \
		\
		ROWS_DO(SCORE_EACH); \
	} \
	ROWS_DO(SCORE_CLOSE); \
}

SCORE_ROWS(score_4, MB_ROWS_4)
SCORE_ROWS(score_8, MB_ROWS_8)

static void
score_rows(attend_block *b)
{
	const mb_attention *a = b->a;
	const float *scales = key_scales(a->keys, a->length, a->size);
	const uint8_t *keys = a->keys;
	size_t		pairs = pairs_of(a->size);
	size_t		from = query_step(a->size);
	size_t		step = score_step(a->length);
	size_t		i;
	size_t		r;

	for (i = 0; i < a->length; i += MB_PANEL, keys += 2 * pairs * MB_LINE)
	{
		for (r = 0; r < a->rows; r += 8)
		{
			if (a->rows - r > 4)
				score_8(b->queries + r * from, from, keys, pairs, scales + i,
						b->scores + r * step + i, step);
			else
				score_4(b->queries + r * from, from, keys, pairs, scales + i,
						b->scores + r * step + i, step);
		}
	}
}

/* A row's scores become weights; 1 / their sum */
MB_INLINE float
weigh_row(const mb_attention *a, float *scores, float factor, bool masked)
{
	vf			scale = v_set1(factor);
	float		largest = _mm512_reduce_max_ps(largest_scores(a, scores,
														  masked));
	vf			shift = v_set1(-factor * largest);
	vf			sum = _mm512_setzero_ps();
	vf			other = sum;
	size_t		i = 0;

	/* in this order with a mask, too: one of all 1 changes no bit */
	for (; i + 2 * MB_LANES <= a->length; i += 2 * MB_LANES)
	{
		vf			x = power_of_two(v_fma(v_load(scores + i), scale, shift));
		vf			y = power_of_two(v_fma(v_load(scores + i + MB_LANES), scale,
										   shift));

		if (masked)
		{
			x = _mm512_maskz_mov_ps(attended(a, i), x);
			y = _mm512_maskz_mov_ps(attended(a, i + MB_LANES), y);
		}
		sum = sum + x;
		other = other + y;
		v_store(scores + i, x);
		v_store(scores + i + MB_LANES, y);
	}
	for (; i < a->length; i += MB_LANES)
	{
		vf			x = power_of_two(v_fma(v_load(scores + i), scale, shift));

		x = _mm512_maskz_mov_ps(attended(a, i), x);
		sum = sum + x;
		v_store(scores + i, x);
	}
	return 1.0f / _mm512_reduce_add_ps(sum + other);
}

#define VALUE_OPEN(r) \
	vf			a##r = v_load(sums[r]); \
	vf			b##r = v_load(sums[r] + MB_LANES)

#define VALUE_EACH(r) \
	do { \
		vf			x = v_set1(weights[r * step + i]); \
		\
		a##r = v_fma(x, w0, a##r); \
		b##r = v_fma(x, w1, b##r); \
	} while (0)

#define VALUE_CLOSE(r) \
	do { \
		v_store(sums[r], a##r); \
		v_store(sums[r] + MB_LANES, b##r); \
	} while (0)

/* sums += weights of some rows * "count" values of 32 columns */
#define VALUE_ROWS(name, ROWS_DO) \
static void \
name(const float *weights, size_t step, const float *values, size_t count, \
	 float (*sums)[MB_PANEL]) \
{ \
	size_t		i; \
	ROWS_DO(VALUE_OPEN); \
	\
	for (i = 0; i < count; i++) \
	{ \
		vf			w0 = v_load(values + i * MB_PANEL); \
		vf			w1 = v_load(values + i * MB_PANEL + MB_LANES); \
		\
		ROWS_DO(VALUE_EACH); \
	} \
	ROWS_DO(VALUE_CLOSE); \
}

VALUE_ROWS(value_4, MB_ROWS_4)
VALUE_ROWS(value_8, MB_ROWS_8)

/* Context of 32 numbers of the head's width from column c on */
static void
weigh_values(const attend_block *b, size_t c)
{
	const mb_attention *a = b->a;
	const float *values = (const float *) a->values + c * a->length;
	float		sums[MB_ATTEND_ROWS][MB_PANEL] __attribute__((aligned(64)));
	size_t		step = score_step(a->length);
	size_t		width = a->size - c < MB_PANEL ? a->size - c : MB_PANEL;
	size_t		i;
	size_t		r;

	memset(sums, 0, sizeof(sums));
	for (i = 0; i < a->length; i += VALUES_TOGETHER)
	{
		size_t		count = a->length - i < VALUES_TOGETHER ?
			a->length - i : VALUES_TOGETHER;

		for (r = 0; r < a->rows; r += 8)
		{
			if (a->rows - r > 4)
				value_8(b->scores + r * step + i, step,
						values + i * MB_PANEL, count, &sums[r]);
			else
				value_4(b->scores + r * step + i, step,
						values + i * MB_PANEL, count, &sums[r]);
		}
	}
	for (r = 0; r < a->rows; r++)
		for (i = 0; i < width; i += MB_LANES)
			v_store_part(a->context + r * a->ld + c + i,
						 v_load(sums[r] + i) * v_set1(b->factors[r]),
						 v_lanes(width, i));
}

/* The weights as they were used, for those who want to see them */
static void
show_weights(const attend_block *b)
{
	const mb_attention *a = b->a;
	size_t		r;
	size_t		i;

	for (r = 0; r < a->rows; r++)
		for (i = 0; i < a->length; i++)
			a->weights[r * a->length + i] =
				b->scores[r * score_step(a->length) + i] * b->factors[r];
}

MB_INLINE void
attend(const mb_attention *a, bool masked)
{
	attend_block b;
	float		factor = score_factor(a->size);
	size_t		step = score_step(a->length);
	size_t		c;
	size_t		r;

	b.a = a;
	b.queries = a->scratch;
	b.scores = (float *) (b.queries + MB_ATTEND_ROWS * query_step(a->size));
	round_queries(&b);
	score_rows(&b);
	for (r = 0; r < a->rows; r++)
	{
		float	   *scores = b.scores + r * step;
		float		scale = b.scales.scale[r] * factor;

		if (a->bias != NULL)
		{
			add_bias(scores, a->bias - r, a->length, scale);
			scale = 1.0f;
		}
		b.factors[r] = weigh_row(a, scores, scale, masked);
	}
	for (c = 0; c < a->size; c += MB_PANEL)
		weigh_values(&b, c);
	if (a->weights != NULL)
		show_weights(&b);
}

static void
attend_rows(const mb_attention *a)
{
	if (a->mask == NULL)
		attend(a, false);
	else
		attend(a, true);
}

const mb_attention_kernel mb_attention_vnni = {
	.panels = MB_FORMAT_FLOAT,
	.pack_keys = pack_keys,
	.pack_values = pack_values,
	.memory = attend_memory,
	.run = attend_rows
};

#endif							/* __x86_64__ */
