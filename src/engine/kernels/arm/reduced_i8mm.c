/*-------------------------------------------------------------------------
 *
 * reduced_i8mm.c
 *	  int8 products for aarch64 processors with matrix products of bytes.
 *
 * USMMLA multiplies two rows of eight unsigned bytes with two outputs' eight
 * signed ones: twice as many products as SDOT, and bytes need no change of sign.
 *
 * The operand is that of the other instruction sets, and after its groups the
 * same integers once more, each group's in pairs of rows.
 *
 * Depends on kernels/reduced.h, kernels/reduced_layout.h,
 * kernels/arm/simd_neon.h, kernels/finish_template.h,
 * kernels/arm/matrix_template.h.  Compiled with i8mm; nothing here may run
 * before mb_cpu_has_i8mm() has said yes.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__aarch64__)

#include "kernels/reduced.h"
#include "kernels/reduced_layout.h"
#include "kernels/arm/simd_neon.h"

#include "kernels/finish_template.h"

typedef int32x4_t matrix_sum;

#define MATRIX_ZERO() vdupq_n_s32(0)

#define MATRIX_ADD(sum, x, w) vusmmlaq_s32(sum, x, vreinterpretq_s8_u8(w))

#define MATRIX_STORE(p, low, high) \
	do { \
		int64x2_t	a = vreinterpretq_s64_s32(low); \
		int64x2_t	b = vreinterpretq_s64_s32(high); \
		\
		vst1q_s32(p, vreinterpretq_s32_s64(vzip1q_s64(a, b))); \
		vst1q_s32((p) + MB_PANEL, vreinterpretq_s32_s64(vzip2q_s64(a, b))); \
	} while (0)

#include "kernels/arm/matrix_template.h"

/* Bytes of a group's integers */
static inline size_t
pairs_size(size_t k)
{
	return group_tiles(MB_FORMAT_INT8, k, MB_GROUP);
}

static size_t
operand_size_i8mm(size_t rows, size_t k)
{
	return k > SIZE_MAX / (8 * MB_GROUP) ? SIZE_MAX :
		mb_groups_size(rows, int8_group_size(k) + pairs_size(k));
}

/* The pairs of the group that begins at row "row" */
static inline uint8_t *
pairs_at(void *operand, size_t rows, size_t k, size_t row)
{
	size_t		groups = (rows + MB_GROUP - 1) / MB_GROUP;

	return (uint8_t *) operand + groups * int8_group_size(k) +
		row / MB_GROUP * pairs_size(k);
}

/* Two lines, one after the other, as vectors with eight bytes of each */
static inline void
lace_lines(const uint8_t *lines, uint8_t *to)
{
	size_t		i;

	for (i = 0; i < MB_LINE; i += VECTOR_BYTES)
	{
		uint64x2_t	a = vreinterpretq_u64_u8(vld1q_u8(lines + i));
		uint64x2_t	b = vreinterpretq_u64_u8(vld1q_u8(lines + MB_LINE + i));

		vst1q_u8(to + 2 * i, vreinterpretq_u8_u64(vzip1q_u64(a, b)));
		vst1q_u8(to + 2 * i + VECTOR_BYTES,
				 vreinterpretq_u8_u64(vzip2q_u64(a, b)));
	}
}

static void
prepare_i8mm(const float *x, size_t rows, size_t k, void *operand)
{
	size_t		deep = depth(MB_FORMAT_INT8, k);
	size_t		r;
	size_t		t;

	mb_prepare_int8_neon(x, rows, k, operand);
	for (r = 0; r < rows; r += 2)
	{
		int8_group *group = int8_group_at(operand, k, r / MB_GROUP);
		uint8_t    *pairs = pairs_at(operand, rows, k, r);

		for (t = 0; t < deep; t++)
			lace_lines(rows_line(group->tiles, deep, r % MB_GROUP, t),
					   pair_line(pairs, deep, r % MB_GROUP, t));
	}
}

static void
run_int8(const mb_product *p)
{
	sums_block	block __attribute__((aligned(64)));
	size_t		deep = depth(MB_FORMAT_INT8, p->k);
	size_t		column;
	size_t		row;

	for (column = p->first; column < p->first + p->width; column += MB_PANEL)
	{
		const uint8_t *w = panel_strip(MB_FORMAT_INT8, p->linear->panels, p->k,
									   column);

		for (row = 0; row < p->rows; row += MB_GROUP)
		{
			int8_group *group = int8_group_at(p->operand, p->k, row / MB_GROUP);
			finish_job	job = finish_job_make(p, group, &block, row, column);

			sum_group(pairs_at(p->operand, p->rows, p->k, row), job.rows, deep,
					  w, false, &block);
			finish_rows(&job, 0, job.rows);
		}
	}
}

const mb_linear_kernel mb_int8_i8mm = {
	.run = run_int8,
	.operand_size = operand_size_i8mm,
	.prepare = prepare_i8mm
};

#endif							/* __aarch64__ */
