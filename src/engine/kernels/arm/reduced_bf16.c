/*-------------------------------------------------------------------------
 *
 * reduced_bf16.c
 *	  bf16 and bf16x3 products for aarch64 processors with matrix products of
 *	  bfloat16.
 *
 * BFMMLA multiplies four numbers of two rows with those of two outputs: four
 * times as many products as a multiplication of floats.  It rounds as BF16
 * arithmetic of the architecture does (subnormal numbers are zero); the sums of
 * a row are formed along k whatever the rows beside it.
 *
 * bf16x3 takes three of them, which is a third more products than floats.
 *
 * Depends on kernels/reduced.h, kernels/reduced_layout.h,
 * kernels/arm/simd_neon.h, kernels/finish_template.h,
 * kernels/arm/matrix_template.h.  Compiled with bf16; nothing here may run
 * before mb_cpu_has_bf16() has said yes.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__aarch64__)

#include "kernels/reduced.h"
#include "kernels/reduced_layout.h"
#include "kernels/arm/simd_neon.h"

#include "kernels/finish_template.h"

typedef float32x4_t matrix_sum;

#define MATRIX_ZERO() vdupq_n_f32(0.0f)

#define MATRIX_ADD(sum, x, w) \
	vbfmmlaq_f32(sum, vreinterpretq_bf16_u8(x), vreinterpretq_bf16_u8(w))

#define MATRIX_STORE(p, low, high) \
	do { \
		float64x2_t a = vreinterpretq_f64_f32(low); \
		float64x2_t b = vreinterpretq_f64_f32(high); \
		float	   *to_row = (float *) (p); \
		\
		vst1q_f32(to_row, vreinterpretq_f32_f64(vzip1q_f64(a, b))); \
		vst1q_f32(to_row + MB_PANEL, \
				  vreinterpretq_f32_f64(vzip2q_f64(a, b))); \
	} while (0)

#include "kernels/arm/matrix_template.h"

/* Bytes of a group's rows, low parts included */
static inline size_t
group_size(mb_format format, size_t k)
{
	return group_tiles(format, k,
					   format == MB_FORMAT_BF16X3 ? 2 * MB_GROUP : MB_GROUP);
}

static size_t
operand_size(mb_format format, size_t rows, size_t k)
{
	return k > SIZE_MAX / (8 * MB_GROUP) ? SIZE_MAX :
		mb_groups_size(rows, group_size(format, k));
}

/* What rounding to bfloat16 leaves over */
static inline vf
rest(vf x, uint16x4_t rounded)
{
	return x - vreinterpretq_f32_u32(vshll_n_u16(rounded, 16));
}

/* A row's numbers, rounded, into its place in a pair, and low parts in theirs */
MB_INLINE void
round_row(mb_format format, const float *x, size_t k, uint8_t *tiles, size_t r)
{
	size_t		deep = depth(format, k);
	size_t		low = MB_GROUP / MB_TILE * deep * MB_TILE_BYTES;
	size_t		t;
	size_t		i;

	for (t = 0; t < deep; t++)
	{
		uint8_t    *to = pair_line(tiles, deep, r, t);

		for (i = 0; i < MB_BF16_DEEP; i += MB_LANES, to += VECTOR_BYTES)
		{
			vf			v = v_load_row(x, k, t * MB_BF16_DEEP + i);
			uint16x4_t	high = vreinterpret_u16_bf16(vcvt_bf16_f32(v));

			vst1_u16((uint16_t *) to, high);
			if (format == MB_FORMAT_BF16X3)
				vst1_u16((uint16_t *) (to + low), vreinterpret_u16_bf16(
																		vcvt_bf16_f32(rest(v, high))));
		}
	}
}

MB_INLINE void
prepare(mb_format format, const float *x, size_t rows, size_t k, void *operand)
{
	size_t		r;

	for (r = 0; r < rows; r++)
		round_row(format, x + r * k, k,
				  (uint8_t *) operand + r / MB_GROUP * group_size(format, k),
				  r % MB_GROUP);
}

MB_INLINE void
run(mb_format format, const mb_product *p)
{
	sums_block	block __attribute__((aligned(64)));
	size_t		column;
	size_t		row;

	for (column = p->first; column < p->first + p->width; column += MB_PANEL)
	{
		const uint8_t *w = panel_strip(format, p->linear->panels, p->k, column);

		for (row = 0; row < p->rows; row += MB_GROUP)
		{
			const uint8_t *group = (const uint8_t *) p->operand +
				row / MB_GROUP * group_size(format, p->k);
			finish_job	job = finish_job_make(p, NULL, &block, row, column);

			sum_group(group, job.rows, depth(format, p->k), w,
					  format == MB_FORMAT_BF16X3, &block);
			finish_rows(&job, 0, job.rows);
		}
	}
}

static size_t
operand_size_bf16(size_t rows, size_t k)
{
	return operand_size(MB_FORMAT_BF16, rows, k);
}

static size_t
operand_size_bf16x3(size_t rows, size_t k)
{
	return operand_size(MB_FORMAT_BF16X3, rows, k);
}

static void
prepare_bf16(const float *x, size_t rows, size_t k, void *operand)
{
	prepare(MB_FORMAT_BF16, x, rows, k, operand);
}

static void
prepare_bf16x3(const float *x, size_t rows, size_t k, void *operand)
{
	prepare(MB_FORMAT_BF16X3, x, rows, k, operand);
}

static void
run_bf16(const mb_product *p)
{
	run(MB_FORMAT_BF16, p);
}

static void
run_bf16x3(const mb_product *p)
{
	run(MB_FORMAT_BF16X3, p);
}

const mb_linear_kernel mb_bf16_bf16 = {
	.run = run_bf16,
	.operand_size = operand_size_bf16,
	.prepare = prepare_bf16
};

const mb_linear_kernel mb_bf16x3_bf16 = {
	.run = run_bf16x3,
	.operand_size = operand_size_bf16x3,
	.prepare = prepare_bf16x3
};

#endif							/* __aarch64__ */
