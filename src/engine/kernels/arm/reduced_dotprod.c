/*-------------------------------------------------------------------------
 *
 * reduced_dotprod.c
 *	  int8 products for aarch64 processors with dot product instructions.
 *
 * SDOT adds four products of bytes to each of four integers; a line of a panel
 * is four of its operands, and four bytes of a row, a lane, the other one.  Four
 * rows by the 16 outputs of a strip are summed in registers.
 *
 * Depends on kernels/reduced.h, kernels/reduced_layout.h,
 * kernels/arm/simd_neon.h, kernels/finish_template.h,
 * kernels/arm/int8_template.h.  Compiled with dotprod; nothing here may run
 * before mb_cpu_has_dotprod() has said yes.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__aarch64__)

#include "kernels/reduced.h"
#include "kernels/reduced_layout.h"
#include "kernels/arm/simd_neon.h"

#include "kernels/finish_template.h"

#include "kernels/arm/int8_template.h"

/* Four inputs, number i of each row's quads, with the line at w */
#define FOUR(i) \
	do { \
		MB_UNROLL \
		for (v = 0; v < STRIP_VECTORS; v++) \
		{ \
			int8x16_t	line = load_bytes(w + v * INT8_BYTES); \
			\
			MB_UNROLL \
			for (r = 0; r < rows; r++) \
				sum[r][v] = vdotq_laneq_s32(sum[r][v], line, bytes[r], i); \
		} \
		w += MB_LINE; \
	} while (0)

/* The number of rows is a constant wherever this is called. */
MB_INLINE void
rows_sums(const uint8_t *x, int rows, const uint8_t *w, size_t deep,
		  const float *weight_sums, int32_t (*sums)[MB_PANEL])
{
	int32x4_t	sum[SIGNED_ROWS][STRIP_VECTORS];
	int8x16_t	bytes[SIGNED_ROWS];
	size_t		t;
	size_t		i;
	int			r;
	int			v;

MB_UNROLL
	for (v = 0; v < STRIP_VECTORS; v++)
MB_UNROLL
		for (r = 0; r < rows; r++)
			sum[r][v] = missing_sums(weight_sums + v * 4);
	for (t = 0; t < deep; t++, x += MB_TILE_BYTES)
	{
		for (i = 0; i < MB_LINE; i += INT8_BYTES)
		{
MB_UNROLL
			for (r = 0; r < rows; r++)
				bytes[r] = load_signed(x + r * MB_LINE + i);
			FOUR(0);
			FOUR(1);
			FOUR(2);
			FOUR(3);
		}
	}
MB_UNROLL
	for (r = 0; r < rows; r++)
MB_UNROLL
		for (v = 0; v < STRIP_VECTORS; v++)
			vst1q_s32(sums[r] + v * 4, sum[r][v]);
}

static void
int8_sums_dotprod(const uint8_t *x, size_t rows, const uint8_t *w, size_t deep,
				  const float *weight_sums, int32_t (*sums)[MB_PANEL])
{
	switch (rows)
	{
		case 1:
			rows_sums(x, 1, w, deep, weight_sums, sums);
			break;
		case 2:
			rows_sums(x, 2, w, deep, weight_sums, sums);
			break;
		case 3:
			rows_sums(x, 3, w, deep, weight_sums, sums);
			break;
		case 4:
			rows_sums(x, 4, w, deep, weight_sums, sums);
			break;
	}
}

static void
run_int8(const mb_product *p)
{
	linear_signed(p, int8_sums_dotprod);
}

const mb_linear_kernel mb_int8_dotprod = {
	.run = run_int8,
	.operand_size = mb_operand_size_int8,
	.prepare = mb_prepare_int8_neon
};

#endif							/* __aarch64__ */
