/*-------------------------------------------------------------------------
 *
 * quantise_neon.c
 *	  Rows of floats as the integers of INT8, for aarch64.
 *
 * The integers are those of plain C, byte for byte (reduced.c).
 *
 * Depends on kernels/reduced.h, kernels/reduced_layout.h,
 * kernels/arm/simd_neon.h.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__aarch64__)

#include "kernels/reduced.h"
#include "kernels/reduced_layout.h"
#include "kernels/arm/simd_neon.h"

#include <math.h>

/* Numbers that become bytes together */
#define BYTES ((size_t) 16)

/* Smallest and largest of the row and 0; false when a value is no number */
static bool
find_range(const float *x, size_t k, float *low, float *high)
{
	vf			zero = v_set1(0.0f);
	vf			least = zero;
	vf			most = zero;
	vf			check = zero;
	size_t		i;

	for (i = 0; i < k; i += MB_LANES)
	{
		vf			v = v_load_row(x, k, i);

		least = v_min(v, least);
		most = v_max(v, most);
		check = v_fma(v, zero, check);
	}
	*low = vminvq_f32(least);
	*high = vmaxvq_f32(most);
	return vminvq_u32(vceqzq_f32(check)) != 0;
}

/* Eight numbers from i on as integers of 16 bits, those outside saturated */
static inline int16x8_t
integers_of(const float *x, size_t k, size_t i, vf factor)
{
	vf			a = v_load_row(x, k, i) * factor;
	vf			b = v_load_row(x, k, i + MB_LANES) * factor;

	return vcombine_s16(vqmovn_s32(vcvtnq_s32_f32(a)),
						vqmovn_s32(vcvtnq_s32_f32(b)));
}

/* How far bytes are from zero, none more than MB_MOST_STEPS, added up */
static inline uint32x4_t
add_steps(uint32x4_t sum, uint8x16_t bytes, uint8x16_t zero)
{
	uint8x16_t	distance = vminq_u8(vabdq_u8(bytes, zero),
									vdupq_n_u8(MB_MOST_STEPS));

	return vpadalq_u16(sum, vpaddlq_u8(distance));
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
	int16x8_t	wide_zero = vdupq_n_s16((int16_t) zero);
	uint8x16_t	byte_zero = vdupq_n_u8((uint8_t) zero);
	uint32x4_t	steps = vdupq_n_u32(0);
	size_t		i;

	group->outliers[r] = 0;
	group->scale[r] = finite ? scale : NAN;
	group->zero[r] = zero;
	for (i = 0; i < deep * MB_INT8_DEEP; i += BYTES)
	{
		int16x8_t	a = vaddq_s16(integers_of(x, k, i, factor), wide_zero);
		int16x8_t	b = vaddq_s16(integers_of(x, k, i + BYTES / 2, factor),
								  wide_zero);
		uint8x16_t	bytes = vcombine_u8(vqmovun_s16(a), vqmovun_s16(b));

		steps = add_steps(steps, bytes, byte_zero);
		vst1q_u8(rows_line(group->tiles, deep, r, i / MB_INT8_DEEP) +
				 i % MB_INT8_DEEP, bytes);
	}
	if (inverse > 0.0f && vaddlvq_u32(steps) < k)
		mb_int8_leave_out(group, r, x, k, &mb_int8_work_ref);
}

void
mb_prepare_int8_neon(const float *x, size_t rows, size_t k, void *operand)
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

#endif							/* __aarch64__ */
