/*-------------------------------------------------------------------------
 *
 * int8_template.h
 *	  INT8 layers for instructions that multiply signed bytes alone.
 *
 * To be included once, after finish_template.h.
 *
 * Activations are bytes from 0 to 255 (reduced.h).  With 128 taken off, which
 * turns the highest bit, they are signed; what is missing in a sum then is 128
 * times the sum of the output's weights, which the panels have.  All in
 * integers, so the sums are those of every other instruction set.
 *
 * Depends on kernels/reduced_layout.h, kernels/arm/simd_neon.h.
 *
 *-------------------------------------------------------------------------
 */
#include "kernels/reduced_layout.h"
#include "kernels/arm/simd_neon.h"

/* Bytes of a vector */
#define INT8_BYTES ((size_t) 16)

/* Vectors of integers for the outputs of a strip */
#define STRIP_VECTORS (MB_TILE / 4)

/* 16 activations, made signed */
static inline int8x16_t
load_signed(const uint8_t *x)
{
	return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(x), vdupq_n_u8(0x80)));
}

/* 16 weights: four inputs of four outputs */
static inline int8x16_t
load_bytes(const uint8_t *w)
{
	return vreinterpretq_s8_u8(vld1q_u8(w));
}

/* What signed activations leave out of the sums of four outputs */
static inline int32x4_t
missing_sums(const float *weight_sums)
{
	return vshlq_n_s32(vcvtq_s32_f32(v_load(weight_sums)), 7);
}

/*
 * Sums of SIGNED_ROWS rows at most, from x on, with the strip of 16 outputs at
 * w, whose weights' sums these are
 */
#define SIGNED_ROWS 4

typedef void (*signed_sums) (const uint8_t *x, size_t rows, const uint8_t *w,
							 size_t deep, const float *weight_sums,
							 int32_t (*sums)[MB_PANEL]);

/* All rows of a group with a strip */
MB_INLINE void
group_signed(signed_sums strip_sums, int8_group *group, size_t rows,
			 size_t deep, const uint8_t *w, const float *weight_sums,
			 int32_t (*sums)[MB_PANEL])
{
	size_t		r;

	/* rows from a multiple of four on lie in one tile; so do the parts */
	for (r = 0; r < rows; r += SIGNED_ROWS)
		strip_sums(rows_line(group->tiles, deep, r, 0),
				   rows - r < SIGNED_ROWS ? rows - r : SIGNED_ROWS, w, deep,
				   weight_sums, sums + r);
}

MB_INLINE void
linear_signed(const mb_product *p, signed_sums strip_sums)
{
	sums_block	block __attribute__((aligned(64)));
	size_t		deep = depth(MB_FORMAT_INT8, p->k);
	const float *weight_sums = panel_sum(p->linear->panels, p->k, p->n);
	size_t		column;
	size_t		row;
	size_t		c;

	for (column = p->first; column < p->first + p->width; column += MB_PANEL)
	{
		for (row = 0; row < p->rows; row += MB_GROUP)
		{
			int8_group *group = int8_group_at(p->operand, p->k, row / MB_GROUP);
			finish_job	job = finish_job_make(p, group, &block, row, column);

			for (c = 0; c < MB_PANEL; c += MB_TILE)
				group_signed(strip_sums, group, job.rows, deep,
							 panel_strip(MB_FORMAT_INT8, p->linear->panels,
										 p->k, column + c),
							 weight_sums + column + c,
							 (int32_t (*)[MB_PANEL]) &block.i[0][c]);
			finish_rows(&job, 0, job.rows);
		}
	}
}
