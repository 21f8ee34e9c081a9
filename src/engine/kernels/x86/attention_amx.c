/*-------------------------------------------------------------------------
 *
 * attention_amx.c
 *	  Attention in bfloat16 for processors with AMX, beside linear layers in
 *	  INT8 and BF16.
 *
 * Sixteen query rows, a tile, go through all of a head at once:
 *
 *	scores		query * keys, tile by tile into memory that stays in the first
 *				level for texts of 512 tokens; then the bias, if there is one
 *	weights		e^(score - largest of the row) rounded to bfloat16, written over
 *				the row's scores; their sum
 *	context		weights * values, over the sum
 *
 * A row's results depend on its query, the keys, the values, the mask and the
 * bias, not on the rows beside it.
 *
 * Depends on base/arena.h, base/dtype.h, kernels/x86/amx.h,
 * kernels/x86/low_precision_avx512.h, kernels/reduced.h,
 * kernels/reduced_layout.h, kernels/x86/simd_avx512.h.
 * Compiled as reduced_amx.c is.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__x86_64__)

#include "base/arena.h"
#include "base/dtype.h"
#include "kernels/x86/amx.h"
#include "kernels/x86/low_precision_avx512.h"
#include "kernels/reduced.h"
#include "kernels/reduced_layout.h"
#include "kernels/x86/simd_avx512.h"

/* ----------
 * Keys and values as weights
 * ----------
 */

/* Sixteen keys are a tile of outputs; their pairs of inputs its lines. */
static void
pack_keys(const float *x, size_t ld, size_t rows, size_t width, void *panels)
{
	size_t		deep = depth(MB_FORMAT_BF16, width);
	uint8_t    *tile = panels;
	size_t		first;
	size_t		t;
	int			i;

	for (first = 0; first < padded(rows); first += MB_TILE)
	{
		for (t = 0; t < deep; t++, tile += MB_TILE_BYTES)
		{
			__m512i		line[MB_TILE];

			for (i = 0; i < MB_TILE; i++)
			{
				const float *row = x + (first + i) * ld;

				line[i] = first + i < rows ?
					round_line(v_load_row(row, width, t * MB_BF16_DEEP),
							   v_load_row(row, width,
										  t * MB_BF16_DEEP + MB_LANES)) :
					_mm512_setzero_si512();
			}
			transpose(line);
			for (i = 0; i < MB_TILE; i++)
				_mm512_store_si512((void *) (tile + i * MB_LINE), line[i]);
		}
	}
}

/* bfloat16 of 16 outputs, in 32 bits each */
MB_INLINE __m512i
round_wide(const float *row, size_t width, size_t c)
{
	return _mm512_cvtepu16_epi32((__m256i)
								 _mm512_cvtneps_pbh(v_load_row(row, width, c)));
}

/* Sixteen columns are a tile of outputs, two values a line. */
static void
pack_values(const float *x, size_t ld, size_t rows, size_t width,
			void *panels)
{
	size_t		lines = depth(MB_FORMAT_BF16, rows) * MB_TILE;
	uint8_t    *line = panels;
	size_t		c;
	size_t		i;

	for (c = 0; c < padded(width); c += MB_TILE)
	{
		for (i = 0; i < 2 * lines; i += MB_BF16_STEP, line += MB_LINE)
		{
			__m512i		even = _mm512_setzero_si512();
			__m512i		odd = even;

			if (i < rows)
				even = round_wide(x + i * ld, width, c);
			if (i + 1 < rows)
				odd = round_wide(x + (i + 1) * ld, width, c);
			_mm512_store_si512((void *) line,
							   _mm512_or_si512(even,
											   _mm512_slli_epi32(odd, 16)));
		}
	}
}

/* ----------
 * A block of query rows
 * ----------
 */

/* Bytes of the tiles of 16 queries */
static inline size_t
query_bytes(size_t size)
{
	return depth(MB_FORMAT_BF16, size) * MB_TILE_BYTES;
}

static size_t
attend_memory(size_t length, size_t size)
{
	size_t		scores;

	if (length > SIZE_MAX / 2 || size > SIZE_MAX / (2 * MB_TILE_BYTES) ||
		!mb_size_multiply(score_step(length), MB_TILE * sizeof(float),
						  &scores) ||
		!mb_size_add(scores, query_bytes(size), &scores))
		return SIZE_MAX;
	return scores;
}

/* The queries as tiles; rows that are not there are zero. */
MB_INLINE void
round_queries(const mb_attention *a, uint8_t *tiles)
{
	size_t		deep = depth(MB_FORMAT_BF16, a->size);
	size_t		r;
	size_t		t;

	for (r = 0; r < MB_TILE; r++)
	{
		const float *row = a->query + r * a->ld;

		for (t = 0; t < deep; t++)
		{
			__m512i		line = _mm512_setzero_si512();

			if (r < a->rows)
				line = round_line(v_load_row(row, a->size, t * MB_BF16_DEEP),
								  v_load_row(row, a->size,
											 t * MB_BF16_DEEP + MB_LANES));
			_mm512_store_si512((void *) rows_line(tiles, deep, r, t), line);
		}
	}
}

/* Scores of 64 keys, or of 32 where no more are left */
MB_INLINE void
score_keys(const uint8_t *queries, const uint8_t *keys, size_t deep,
		   bool four, float *scores, size_t step)
{
	size_t		size = deep * MB_TILE_BYTES;
	size_t		bytes = step * sizeof(float);
	size_t		at;

	clear_sums();
	for (at = 0; at < size; at += MB_TILE_BYTES)
	{
		MB_LOAD_TILE(4, queries + at);
		MB_LOAD_TILE(6, keys + at);
		MB_LOAD_TILE(7, keys + size + at);
		_tile_dpbf16ps(0, 4, 6);
		_tile_dpbf16ps(1, 4, 7);
		if (four)
		{
			MB_LOAD_TILE(6, keys + 2 * size + at);
			MB_LOAD_TILE(7, keys + 3 * size + at);
			_tile_dpbf16ps(2, 4, 6);
			_tile_dpbf16ps(3, 4, 7);
		}
	}
	_tile_stored(0, scores, bytes);
	_tile_stored(1, scores + MB_TILE, bytes);
	if (four)
	{
		_tile_stored(2, scores + 2 * MB_TILE, bytes);
		_tile_stored(3, scores + 3 * MB_TILE, bytes);
	}
}

MB_INLINE void
score_rows(const mb_attention *a, const uint8_t *queries, float *scores)
{
	size_t		deep = depth(MB_FORMAT_BF16, a->size);
	size_t		step = score_step(a->length);
	const uint8_t *keys = a->keys;
	size_t		end = padded(a->length);
	size_t		i;

	for (i = 0; i + 2 * MB_PANEL <= end; i += 2 * MB_PANEL)
	{
		score_keys(queries, keys, deep, true, scores + i, step);
		keys += 2 * MB_PANEL / MB_TILE * deep * MB_TILE_BYTES;
	}
	if (i < end)
		score_keys(queries, keys, deep, false, scores + i, step);
	MB_BARRIER;
}

/* Vectors of 16 rows, one of each */
typedef struct row_vectors
{
	vf			v[MB_TILE];
} row_vectors;

MB_INLINE vf
join(bool largest, vf x, vf y)
{
	return largest ? (vf) _mm512_max_ps(x, y) : (vf) (x + y);
}

/* Lane r of the result: the lanes of row r, all added or the largest */
MB_INLINE vf
across_lanes(const row_vectors *rows, bool largest)
{
	vf			a[8];
	vf			b[4];
	vf			c[2];
	int			i;

	for (i = 0; i < 8; i++)
	{
		vf			x = rows->v[2 * i];
		vf			y = rows->v[2 * i + 1];

		a[i] = join(largest, _mm512_unpacklo_ps(x, y),
					_mm512_unpackhi_ps(x, y));
	}
	for (i = 0; i < 4; i++)
	{
		__m512d		x = _mm512_castps_pd(a[2 * i]);
		__m512d		y = _mm512_castps_pd(a[2 * i + 1]);

		b[i] = join(largest, _mm512_castpd_ps(_mm512_unpacklo_pd(x, y)),
					_mm512_castpd_ps(_mm512_unpackhi_pd(x, y)));
	}
	for (i = 0; i < 2; i++)
	{
		vf			x = b[2 * i];
		vf			y = b[2 * i + 1];

		c[i] = join(largest, _mm512_shuffle_f32x4(x, y, 0x88),
					_mm512_shuffle_f32x4(x, y, 0xdd));
	}
	return join(largest, _mm512_shuffle_f32x4(c[0], c[1], 0x88),
				_mm512_shuffle_f32x4(c[0], c[1], 0xdd));
}

/* The weights of 32 keys, of which some are not looked at, as bfloat16 */
MB_INLINE __m512i
weigh_line(const mb_attention *a, const float *scores, size_t i, vf scale,
		   vf shift, bool whole)
{
	vf			x = power_of_two(v_fma(v_load(scores + i), scale, shift));
	vf			y = power_of_two(v_fma(v_load(scores + i + MB_LANES), scale,
									   shift));

	if (!whole)
	{
		x = _mm512_maskz_mov_ps(attended(a, i), x);
		y = _mm512_maskz_mov_ps(attended(a, i + MB_LANES), y);
	}
	return round_line(x, y);
}

/* sum += the even and the odd numbers of a line */
MB_INLINE vf
add_line(vf sum, __m512i line)
{
	const __m512i ones = _mm512_set1_epi16(0x3f80);

	return _mm512_dpbf16_ps(sum, (__m512bh) line, (__m512bh) ones);
}

/*
 * A row's scores become bfloat16 weights, each line written where scores are
 * done with.  Lanes of the sum of these weights.
 */
MB_INLINE vf
weigh_row(const mb_attention *a, float *scores, vf scale, vf shift,
		  bool masked)
{
	vf			sum = _mm512_setzero_ps();
	vf			other = sum;
	uint8_t    *line = (uint8_t *) scores;
	size_t		i = 0;

	/* in this order with a mask, too: one of all 1 changes no bit */
	for (; i + 4 * MB_LANES <= a->length;
		 i += 4 * MB_LANES, line += 2 * MB_LINE)
	{
		__m512i		u = weigh_line(a, scores, i, scale, shift, !masked);
		__m512i		v = weigh_line(a, scores, i + 2 * MB_LANES, scale, shift,
								   !masked);

		sum = add_line(sum, u);
		other = add_line(other, v);
		_mm512_store_si512((void *) line, u);
		_mm512_store_si512((void *) (line + MB_LINE), v);
	}
	for (; i < a->length; i += 2 * MB_LANES, line += MB_LINE)
	{
		__m512i		u = weigh_line(a, scores, i, scale, shift, false);

		sum = add_line(sum, u);
		_mm512_store_si512((void *) line, u);
	}
	return sum + other;
}

/* All rows, whose scores are to be multiplied; factors[r] is 1 / the sum of row r, so that they add up to 1. */
MB_INLINE void
weigh_rows(const mb_attention *a, float *scores, float factor, bool masked,
		   float *factors)
{
	size_t		step = score_step(a->length);
	float		shifts[MB_TILE];
	row_vectors rows;
	size_t		r;

	for (r = 0; r < a->rows; r++)
		rows.v[r] = largest_scores(a, scores + r * step, masked);
	for (; r < MB_TILE; r++)
		rows.v[r] = _mm512_setzero_ps();
	v_store(shifts, v_set1(-factor) * across_lanes(&rows, true));
	for (r = 0; r < a->rows; r++)
		rows.v[r] = weigh_row(a, scores + r * step, v_set1(factor),
							  v_set1(shifts[r]), masked);
	v_store(factors, v_set1(1.0f) / across_lanes(&rows, false));
}

/*
 * Context of 32 numbers of the heads' width from column c on.  Steps along the
 * keys go in turn to two sums each: one product waits for the one before.
 */
MB_INLINE void
weigh_values(const mb_attention *a, const float *scores, const float *factors,
			 size_t c)
{
	float		sums[4][MB_TILE][MB_TILE] __attribute__((aligned(64)));
	size_t		deep = depth(MB_FORMAT_BF16, a->length);
	size_t		size = deep * MB_TILE_BYTES;
	size_t		bytes = score_step(a->length) * sizeof(float);
	const uint8_t *weights = (const uint8_t *) scores;
	const uint8_t *values = (const uint8_t *) a->values + c / MB_TILE * size;
	size_t		t;
	size_t		r;

	clear_sums();
	for (t = 0; t < deep; t += 2)
	{
		_tile_loadd(4, weights + t * MB_LINE, bytes);
		MB_LOAD_TILE(6, values + t * MB_TILE_BYTES);
		MB_LOAD_TILE(7, values + size + t * MB_TILE_BYTES);
		_tile_dpbf16ps(0, 4, 6);
		_tile_dpbf16ps(1, 4, 7);
		if (t + 1 == deep)
			break;
		_tile_loadd(5, weights + (t + 1) * MB_LINE, bytes);
		MB_LOAD_TILE(6, values + (t + 1) * MB_TILE_BYTES);
		MB_LOAD_TILE(7, values + size + (t + 1) * MB_TILE_BYTES);
		_tile_dpbf16ps(2, 5, 6);
		_tile_dpbf16ps(3, 5, 7);
	}
	_tile_stored(0, sums[0], MB_LINE);
	_tile_stored(1, sums[1], MB_LINE);
	_tile_stored(2, sums[2], MB_LINE);
	_tile_stored(3, sums[3], MB_LINE);
	MB_BARRIER;
	for (r = 0; r < a->rows; r++)
	{
		float	   *y = a->context + r * a->ld + c;
		vf			factor = v_set1(factors[r]);
		vf			low = (v_load(sums[0][r]) + v_load(sums[2][r])) * factor;
		vf			high = (v_load(sums[1][r]) + v_load(sums[3][r])) * factor;

		if (a->size - c >= 2 * MB_LANES)
		{
			v_store(y, low);
			v_store(y + MB_LANES, high);
			continue;
		}
		v_store_part(y, low, a->size - c < MB_LANES ? a->size - c : MB_LANES);
		if (a->size - c > MB_LANES)
			v_store_part(y + MB_LANES, high, a->size - c - MB_LANES);
	}
}

/* The weights as they were used, for those who want to see them */
static void
show_weights(const mb_attention *a, const float *scores, const float *factors)
{
	size_t		r;
	size_t		i;

	for (r = 0; r < a->rows; r++)
	{
		const uint16_t *row = (const uint16_t *)
			(scores + r * score_step(a->length));

		for (i = 0; i < a->length; i++)
			a->weights[r * a->length + i] =
				mb_bf16_to_float(row[i]) * factors[r];
	}
}

static void
add_biases(const mb_attention *a, float *scores, float factor)
{
	size_t		r;

	for (r = 0; r < a->rows; r++)
		add_bias(scores + r * score_step(a->length), a->bias - r, a->length,
				 factor);
}

MB_INLINE void
attend(const mb_attention *a, bool masked)
{
	uint8_t    *queries = a->scratch;
	float	   *scores = (float *) (queries + query_bytes(a->size));
	float		factor = score_factor(a->size);
	float		factors[MB_TILE];
	size_t		c;

	round_queries(a, queries);
	score_rows(a, queries, scores);
	if (a->bias != NULL)
	{
		add_biases(a, scores, factor);
		factor = 1.0f;
	}
	weigh_rows(a, scores, factor, masked, factors);
	MB_BARRIER;
	for (c = 0; c < a->size; c += MB_PANEL)
		weigh_values(a, scores, factors, c);
	if (a->weights != NULL)
		show_weights(a, scores, factors);
}

static void
attend_rows(const mb_attention *a)
{
	if (a->mask == NULL)
		attend(a, false);
	else
		attend(a, true);
}

const mb_attention_kernel mb_attention_amx = {
	.panels = MB_FORMAT_BF16,
	.pack_keys = pack_keys,
	.pack_values = pack_values,
	.memory = attend_memory,
	.run = attend_rows
};

#endif							/* __x86_64__ */
