/*-------------------------------------------------------------------------
 *
 * reduced_neon.c
 *	  int8, bf16 and bf16x3 products for every aarch64 processor.
 *
 * int8: products of signed bytes go into 16 bits two at a time, 2 * 128 * 127 at
 * most, and pairs of those into 32: no error.  Processors that have no more than
 * this do as many of them in a cycle as of floats, of which weights are a
 * quarter.
 *
 * bf16: weights are widened, activations stay float; a weight of bf16x3 is the
 * sum of its parts, exact in float.
 *
 * Depends on kernels/reduced.h, kernels/reduced_layout.h,
 * kernels/arm/simd_neon.h, kernels/finish_template.h,
 * kernels/arm/int8_template.h.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__aarch64__)

#include "kernels/reduced.h"
#include "kernels/reduced_layout.h"
#include "kernels/arm/simd_neon.h"

#include "kernels/finish_template.h"

#include "kernels/arm/int8_template.h"

/* ----------
 * int8
 * ----------
 */

/*
 * Eight inputs of four outputs, w0 and w1, with those of a row: products of the
 * first two outputs in sum[0], of the others in sum[1], two sums for each.
 */
MB_INLINE void
add_products(int32x4_t sum[2], int8x16_t w0, int8x16_t w1, int8x16_t x0,
			 int8x16_t x1)
{
	int16x8_t	low = vmull_s8(vget_low_s8(w0), vget_low_s8(x0));
	int16x8_t	high = vmull_high_s8(w0, x0);

	low = vmlal_s8(low, vget_low_s8(w1), vget_low_s8(x1));
	high = vmlal_high_s8(high, w1, x1);
	sum[0] = vpadalq_s16(sum[0], low);
	sum[1] = vpadalq_s16(sum[1], high);
}

/* Four activations, number i, four times */
#define QUAD(x, i) \
	vreinterpretq_s8_s32(vdupq_laneq_s32(vreinterpretq_s32_s8(x), i))

/* Eight inputs, from quad number i of a row's bytes on, with two lines at w */
#define EIGHT(i) \
	do { \
		int8x16_t	x0 = QUAD(bytes, i); \
		int8x16_t	x1 = QUAD(bytes, (i) + 1); \
		\
		MB_UNROLL \
		for (v = 0; v < STRIP_VECTORS; v++) \
			add_products(sum[v], load_bytes(w + v * INT8_BYTES), \
						 load_bytes(w + MB_LINE + v * INT8_BYTES), x0, x1); \
		w += 2 * MB_LINE; \
	} while (0)

/* One row: two rows' sums and products do not fit in registers. */
static void
row_sums(const uint8_t *x, const uint8_t *w, size_t deep,
		 const float *weight_sums, int32_t *sums)
{
	int32x4_t	sum[STRIP_VECTORS][2];
	size_t		t;
	size_t		i;
	int			v;

MB_UNROLL
	for (v = 0; v < STRIP_VECTORS; v++)
		sum[v][0] = sum[v][1] = vdupq_n_s32(0);
	for (t = 0; t < deep; t++, x += MB_TILE_BYTES)
	{
		for (i = 0; i < MB_LINE; i += INT8_BYTES)
		{
			int8x16_t	bytes = load_signed(x + i);

			EIGHT(0);
			EIGHT(2);
		}
	}
MB_UNROLL
	for (v = 0; v < STRIP_VECTORS; v++)
		vst1q_s32(sums + v * 4,
				  vaddq_s32(vpaddq_s32(sum[v][0], sum[v][1]),
							missing_sums(weight_sums + v * 4)));
}

static void
int8_sums_neon(const uint8_t *x, size_t rows, const uint8_t *w, size_t deep,
			   const float *weight_sums, int32_t (*sums)[MB_PANEL])
{
	size_t		r;

	for (r = 0; r < rows; r++)
		row_sums(x + r * MB_LINE, w, deep, weight_sums, sums[r]);
}

static void
run_int8(const mb_product *p)
{
	linear_signed(p, int8_sums_neon);
}

const mb_linear_kernel mb_int8_neon = {
	.run = run_int8,
	.operand_size = mb_operand_size_int8,
	.prepare = mb_prepare_int8_neon
};

/* ----------
 * bf16, bf16x3
 * ----------
 */

/* The even and the odd inputs' weights of four outputs */
static inline vf
even(uint32x4_t line)
{
	return vreinterpretq_f32_u32(vshlq_n_u32(line, 16));
}

static inline vf
odd(uint32x4_t line)
{
	return vreinterpretq_f32_u32(vandq_u32(line, vdupq_n_u32(0xffff0000)));
}

static inline uint32x4_t
load_pairs(const uint8_t *w)
{
	return vreinterpretq_u32_u8(vld1q_u8(w));
}

/* A register block: "rows" rows, "vectors" vectors of outputs from w on */
typedef struct float_block
{
	const float *x;				/* [rows, k] */
	size_t		k;
	const uint8_t *w;
	size_t		low;			/* bytes to the low parts, 0: there are none */
} float_block;

/* Most sums of a block, and most rows */
#define MOST_SUMS 16
#define MOST_ROWS 8

/*
 * Two inputs, numbers i and i + 1 of a vector of each row's, with the line at
 * "at".  In a macro because the lane is part of the instruction.
 */
#define PAIR_STEP(i, at) \
	do { \
		MB_UNROLL \
		for (v = 0; v < vectors; v++) \
		{ \
			uint32x4_t	line = load_pairs(b->w + (at) + v * INT8_BYTES); \
			vf			w0 = even(line); \
			vf			w1 = odd(line); \
			\
			if (parts) \
			{ \
				line = load_pairs(b->w + b->low + (at) + v * INT8_BYTES); \
				w0 = w0 + even(line); \
				w1 = w1 + odd(line); \
			} \
			MB_UNROLL \
			for (r = 0; r < rows; r++) \
				sum[r * vectors + v] = v_fma_lane(x[r], i, w0, \
												  sum[r * vectors + v]); \
			MB_UNROLL \
			for (r = 0; r < rows; r++) \
				sum[r * vectors + v] = v_fma_lane(x[r], (i) + 1, w1, \
												  sum[r * vectors + v]); \
		} \
	} while (0)

/*
 * Inputs in order, so that the bits of a row do not depend on the others; those
 * after the last are zeros, as their weights are.  rows, vectors and parts are
 * constants wherever this is called.
 */
MB_INLINE void
sum_block(const float_block *b, int rows, int vectors, bool parts,
		  float (*sums)[MB_PANEL])
{
	vf			sum[MOST_SUMS];
	vf			x[MOST_ROWS];
	size_t		at = 0;
	size_t		i;
	int			r;
	int			v;

MB_UNROLL
	for (r = 0; r < rows * vectors; r++)
		sum[r] = v_set1(0.0f);
	for (i = 0; i < b->k; i += MB_LANES, at += 2 * MB_LINE)
	{
		if (i + MB_LANES <= b->k)
MB_UNROLL
			for (r = 0; r < rows; r++)
				x[r] = v_load(b->x + r * b->k + i);
		else
MB_UNROLL
			for (r = 0; r < rows; r++)
				x[r] = v_load_part(b->x + r * b->k + i, b->k - i);
		PAIR_STEP(0, at);
		PAIR_STEP(2, at + MB_LINE);
	}
MB_UNROLL
	for (r = 0; r < rows; r++)
MB_UNROLL
		for (v = 0; v < vectors; v++)
			v_store(sums[r] + v * MB_LANES, sum[r * vectors + v]);
}

/* Some rows with 16 outputs: 8, 4, 2 or 1 */
MB_INLINE size_t
strip_rows(float_block *b, size_t rows, bool parts, float (*sums)[MB_PANEL])
{
	if (rows >= 8)
	{
		sum_block(b, 8, 2, parts, sums);
		b->w += MB_LINE / 2;
		sum_block(b, 8, 2, parts, (float (*)[MB_PANEL]) &sums[0][MB_TILE / 2]);
		b->w -= MB_LINE / 2;
		return 8;
	}
	if (rows >= 4)
	{
		sum_block(b, 4, 4, parts, sums);
		return 4;
	}
	if (rows >= 2)
	{
		sum_block(b, 2, 4, parts, sums);
		return 2;
	}
	sum_block(b, 1, 4, parts, sums);
	return 1;
}

/* Sums of rows of x [rows, k] with the panel at w */
MB_INLINE void
all_rows(mb_format format, const float *x, size_t rows, size_t k,
		 const uint8_t *w, sums_block *block)
{
	bool		parts = format == MB_FORMAT_BF16X3;
	size_t		size = strip_size(format, k);
	float_block b = {x, k, w, parts ? size / 2 : 0};
	size_t		column;
	size_t		r;

	for (column = 0; column < MB_PANEL; column += MB_TILE, b.w += size)
	{
		for (r = 0; r < rows;)
		{
			b.x = x + r * k;
			r += strip_rows(&b, rows - r, parts,
							(float (*)[MB_PANEL]) &block->f[r][column]);
		}
	}
}

static void
bf16_sums(const float *x, size_t rows, size_t k, const uint8_t *w,
		  sums_block *block)
{
	all_rows(MB_FORMAT_BF16, x, rows, k, w, block);
}

static void
bf16x3_sums(const float *x, size_t rows, size_t k, const uint8_t *w,
			sums_block *block)
{
	all_rows(MB_FORMAT_BF16X3, x, rows, k, w, block);
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

const mb_linear_kernel mb_bf16_neon = {.run = run_bf16};

const mb_linear_kernel mb_bf16x3_neon = {.run = run_bf16x3};

#endif							/* __aarch64__ */
