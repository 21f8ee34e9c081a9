/*-------------------------------------------------------------------------
 *
 * matrix_template.h
 *	  Sums of products of small matrices: I8MM's and BF16's, written once.
 *
 * To be included once, after simd_neon.h, with these defined:
 *
 *	matrix_sum					four sums: two rows by two outputs
 *	MATRIX_ZERO()				all of them 0
 *	MATRIX_ADD(sum, x, w)		sum with what eight bytes of each of two rows, x,
 *								and of each of two outputs, w, add to it
 *	MATRIX_STORE(p, low, high)	four sums to p: two of each
 *
 * Rows.  An instruction wants eight bytes of a row and, beside them, those of
 * the next.  So rows lie in pairs: where a tile has two lines of 64 bytes, one
 * after the other, are eight vectors with eight bytes of each.  The second row
 * of the last pair may be anything.
 *
 * Weights.  Lines of a panel have four bytes of each output; two lines laced
 * together have eight.
 *
 * Depends on kernels/reduced_layout.h, kernels/arm/simd_neon.h.
 *
 *-------------------------------------------------------------------------
 */
#include "kernels/reduced_layout.h"
#include "kernels/arm/simd_neon.h"

#if !defined(MATRIX_ADD)
#error "define MATRIX_ADD and its like first"
#endif

/* Bytes of a vector, and of each row or output in it */
#define VECTOR_BYTES ((size_t) 16)
#define ROW_BYTES ((size_t) 8)

/* Where in its pair's lines, of tile t, row r has its first eight bytes */
static inline uint8_t *
pair_line(uint8_t *tiles, size_t deep, size_t r, size_t t)
{
	return rows_line(tiles, deep, r - r % 2, t) + r % 2 * ROW_BYTES;
}

/* Most of a register block */
#define MOST_PAIRS 4
#define MOST_SUMS 16

/* What a register block is made of */
typedef struct matrix_block
{
	const uint8_t *x;			/* tiles of rows in pairs, from its first on */
	const uint8_t *w;			/* a strip, from its first output on */
	size_t		deep;			/* tiles along k */
	size_t		x_low;			/* bytes from high to low parts (BF16X3) */
	size_t		w_low;
} matrix_block;

/* Eight bytes each of four outputs, from two lines */
typedef struct four_outputs
{
	uint8x16_t	low;			/* the first two */
	uint8x16_t	high;
} four_outputs;

MB_INLINE four_outputs
lace_outputs(const uint8_t *line)
{
	uint32x4_t	first = vreinterpretq_u32_u8(vld1q_u8(line));
	uint32x4_t	second = vreinterpretq_u32_u8(vld1q_u8(line + MB_LINE));
	four_outputs w = {
		vreinterpretq_u8_u32(vzip1q_u32(first, second)),
		vreinterpretq_u8_u32(vzip2q_u32(first, second))
	};

	return w;
}

/*
 * "pairs" pairs of rows by "fours" times four outputs; with "parts" of numbers
 * low * high, high * high and high * low, rows first.  These are constants
 * wherever this is called.
 */
MB_INLINE void
sum_pairs(const matrix_block *b, int pairs, int fours, bool parts,
		  int32_t *sums)
{
	matrix_sum	sum[MOST_SUMS];
	uint8x16_t	x[MOST_PAIRS];
	uint8x16_t	x_low[MOST_PAIRS];
	const uint8_t *rows = b->x;
	const uint8_t *w = b->w;
	size_t		t;
	size_t		i;
	int			p;
	int			f;

MB_UNROLL
	for (p = 0; p < pairs * fours * 2; p++)
		sum[p] = MATRIX_ZERO();
	for (t = 0; t < b->deep; t++, rows += MB_TILE_BYTES)
	{
		for (i = 0; i < 2 * MB_LINE; i += VECTOR_BYTES, w += 2 * MB_LINE)
		{
MB_UNROLL
			for (p = 0; p < pairs; p++)
			{
				const uint8_t *from = rows + (size_t) p * 2 * MB_LINE + i;

				x[p] = vld1q_u8(from);
				if (parts)
					x_low[p] = vld1q_u8(from + b->x_low);
			}
MB_UNROLL
			for (f = 0; f < fours; f++)
			{
				const uint8_t *line = w + (size_t) f * VECTOR_BYTES;
				four_outputs v = lace_outputs(line);
				four_outputs v_low;

				if (parts)
					v_low = lace_outputs(line + b->w_low);
MB_UNROLL
				for (p = 0; p < pairs; p++)
				{
					matrix_sum *s = &sum[(p * fours + f) * 2];

					if (parts)
					{
						s[0] = MATRIX_ADD(s[0], x_low[p], v.low);
						s[1] = MATRIX_ADD(s[1], x_low[p], v.high);
					}
					s[0] = MATRIX_ADD(s[0], x[p], v.low);
					s[1] = MATRIX_ADD(s[1], x[p], v.high);
					if (parts)
					{
						s[0] = MATRIX_ADD(s[0], x[p], v_low.low);
						s[1] = MATRIX_ADD(s[1], x[p], v_low.high);
					}
				}
			}
		}
	}
MB_UNROLL
	for (p = 0; p < pairs; p++)
	{
MB_UNROLL
		for (f = 0; f < fours; f++)
		{
			matrix_sum *s = &sum[(p * fours + f) * 2];
			int32_t    *to = sums + p * 2 * MB_PANEL + f * 4;

			MATRIX_STORE(to, s[0], s[1]);
		}
	}
}

/* The rows of a group with the panel at w, whose strips are as deep */
MB_INLINE void
sum_group(const uint8_t *tiles, size_t rows, size_t deep, const uint8_t *w,
		  bool parts, sums_block *block)
{
	size_t		strip = deep * MB_TILE_BYTES * (parts ? 2 : 1);
	size_t		c;
	size_t		r;

	for (c = 0; c < MB_PANEL; c += MB_TILE, w += strip)
	{
		matrix_block b = {NULL, w, deep,
			MB_GROUP / MB_TILE * deep * MB_TILE_BYTES, deep * MB_TILE_BYTES
		};

		for (r = 0; r < rows;)
		{
			int32_t    *sums = &block->i[r][c];

			/* eight rows at a multiple of eight lie in one tile */
			b.x = rows_line((uint8_t *) tiles, deep, r, 0);
			if (rows - r > 4)
			{
				b.w = w;
				sum_pairs(&b, 4, 2, parts, sums);
				b.w = w + 2 * VECTOR_BYTES;
				sum_pairs(&b, 4, 2, parts, sums + 8);
				r += 8;
				continue;
			}
			b.w = w;
			if (rows - r > 2)
				sum_pairs(&b, 2, 4, parts, sums);
			else
				sum_pairs(&b, 1, 4, parts, sums);
			r += rows - r > 2 ? 4 : 2;
		}
	}
}
