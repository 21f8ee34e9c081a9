/*-------------------------------------------------------------------------
 *
 * reduced_simd.h
 *	  From sums of products to results, written once for vector instruction
 *	  sets.
 *
 * reduced_<isa>.c defines VW lanes of float (type vf) and
 *
 *	v_load(p), v_store(p, v)			VW lanes
 *	v_load_part(p, n), v_store_part		first n lanes from p, zeros behind
 *	v_set1(x)
 *	v_fma(a, b, c), v_fnma(a, b, c)		a * b + c and c - a * b, rounded once
 *	v_relu(x)							max(0, x); NaN stays
 *	v_ints(p)							int32_t[VW], converted
 *
 * The products come block by block: int32_t or float [2 * ROWS][PAIR], rows of
 * second terms from ROWS on.  A block function fills one.
 *
 * Depends on reduced_layout.h.
 *
 *-------------------------------------------------------------------------
 */
#include "reduced_layout.h"

typedef union reduced_block
{
	int32_t		i[2 * ROWS][PAIR];
	float		f[2 * ROWS][PAIR];
} reduced_block;

/* Lanes of this step of a loop over width */
#define STEP(width, i) ((width) - (i) < VW ? (width) - (i) : VW)

static inline vf
load_some(const float *p, size_t n)
{
	return n == VW ? v_load(p) : v_load_part(p, n);
}

/* Results of column c .. c + n from their sums. */
static inline vf
finish_vector(vf v, const mb_reduced_finish *f, size_t r, size_t c, size_t n,
			  vf bias, vf norm_weight, vf norm_bias)
{
	v = v + bias;
	if (f->relu)
		v = v_relu(v);
	if (f->residual != NULL)
		v = v + load_some(f->residual + r * f->ldr + c, n);
	if (f->norm_weight != NULL)
		v = v_fma(v, norm_weight, norm_bias);
	return v;
}

#define FINISH_OPEN \
	vf bias = f->bias == NULL ? v_set1(0.0f) : load_some(f->bias + c, n); \
	vf norm_weight = f->norm_weight == NULL ? v_set1(0.0f) : \
		load_some(f->norm_weight + c, n); \
	vf norm_bias = f->norm_weight == NULL ? v_set1(0.0f) : \
		load_some(f->norm_bias + c, n)

#define FINISH_ROW(v) \
	do { \
		vf result = finish_vector(v, f, r, c, n, bias, norm_weight, \
								  norm_bias); \
		\
		if (n == VW) \
			v_store(y + r * ldy + c, result); \
		else \
			v_store_part(y + r * ldy + c, result, n); \
	} while (0)

/* Columns [column, column + width) of float sums */
static inline void
finish_float(const reduced_block *block, size_t rows, size_t column,
			 size_t width, const mb_reduced_finish *f, float *y, size_t ldy)
{
	size_t		i;
	size_t		r;

	for (i = 0; i < width; i += VW)
	{
		size_t		c = column + i;
		size_t		n = STEP(width, i);
		FINISH_OPEN;

		for (r = 0; r < rows; r++)
			FINISH_ROW(v_load(block->f[r] + i));
	}
}

/* A row's share of sums: (integer - zero * sum) * scale */
static inline vf
row_term(const mb_reduced_rows *rows, const reduced_block *block, size_t r,
		 size_t i, vf sum)
{
	return v_fnma(v_set1(rows->zero[r]), sum, v_ints(block->i[r] + i)) *
		v_set1(rows->scale[r]);
}

/* Add second terms to the rows they belong to; sums become floats. */
static void
add_seconds(const mb_reduced_rows *rows, reduced_block *block,
			const float *sums)
{
	size_t		i;
	size_t		r;

	for (i = 0; i < PAIR; i += VW)
	{
		vf			sum = v_load(sums + i);

		for (r = 0; r < rows->rows; r++)
			v_store(block->f[r] + i, row_term(rows, block, r, i, sum));
		for (r = 0; r < rows->seconds; r++)
		{
			float	   *target = block->f[rows->owner[r]] + i;

			v_store(target, v_load(target) +
					row_term(rows, block, ROWS + r, i, sum));
		}
	}
}

/*
 * The same for int8: scales and sums are those of the block's columns, padded
 * to PAIR.
 */
static inline void
finish_int8(reduced_block *block, const mb_reduced_rows *rows,
			const float *scales, const float *sums, size_t column,
			size_t width, const mb_reduced_finish *f, float *y, size_t ldy)
{
	size_t		i;
	size_t		r;

	if (rows->seconds > 0)
		add_seconds(rows, block, sums);
	for (i = 0; i < width; i += VW)
	{
		size_t		c = column + i;
		size_t		n = STEP(width, i);
		vf			scale = v_load(scales + i);
		vf			sum = v_load(sums + i);
		FINISH_OPEN;

		if (rows->seconds > 0)
			for (r = 0; r < rows->rows; r++)
				FINISH_ROW(v_load(block->f[r] + i) * scale);
		else
			for (r = 0; r < rows->rows; r++)
				FINISH_ROW(row_term(rows, block, r, i, sum) * scale);
	}
}

/* A block of products of int8 rows with the pair of tiles at w. */
typedef void (*int8_block) (const mb_reduced_rows *rows, const uint8_t *w,
							reduced_block *block);

static inline void
linear_int8(int8_block product, const mb_reduced_rows *rows,
			const void *panel, size_t n, size_t first, size_t last,
			const mb_reduced_finish *finish, float *y, size_t ldy)
{
	const float *scales = panel_scale(panel, rows->k, n);
	const float *sums = panel_sum(panel, rows->k, n);
	reduced_block block __attribute__((aligned(64)));
	size_t		c;

	for (c = first; c < last; c += PAIR)
	{
		product(rows, panel_tile(MB_REDUCED_INT8, panel, rows->k, c), &block);
		finish_int8(&block, rows, scales + c, sums + c, c,
					last - c < PAIR ? last - c : PAIR, finish, y, ldy);
	}
}
