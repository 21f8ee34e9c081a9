/*-------------------------------------------------------------------------
 *
 * simd_neon.h
 *	  The vector vocabulary of NEON, which every aarch64 processor has: four
 *	  floats.
 *
 * The templates (*_template.h) and the kernels of this instruction set are
 * written in these words; x86/simd_avx2.h has the same ones.
 *
 *	vf, vm				MB_LANES floats; a choice for each of them
 *	vd					MB_LANES / 2 doubles
 *	v_load_part(p, n)	first n lanes from p, zeros after them; n <= MB_LANES
 *	v_store_part		first n lanes to p
 *	v_max(a, b)			b where either is NaN; v_min alike
 *	v_fma(a, b, c)		a * b + c rounded once; v_fnma: -a * b + c
 *	v_fma_lane(q, i, b, c)
 *						number i, a constant, of the vector q, times b, + c
 *	v_relu(x)			max(0, x); NaN stays
 *	v_nearest(x)		nearest integer, ties to even
 *	v_power2(n)			2^n for an integer n in [-126, 127]
 *	v_first(n)			true in the first n lanes
 *	v_less(a, b)		a < b; v_reaches(a, b): not that, so also where either is
 *						NaN
 *	v_bytes(p, n)		true in those of the first n lanes where p[i] != 0
 *	v_choose(m, a, b)	a where m, else b
 *	v_scaled(m, e, n)	e * 2^n for an integer n in [-126, 127] where m, else 0
 *	v_sum, v_largest	over the lanes
 *	w_low, w_high(v)	the first and the last half of v, widened; w_narrow back
 *	v_load_half(p)		numbers of binary16, widened; v_load_bf16 alike
 *	v_load_ints(p)		int32_t, converted
 *
 *	v_lanes(width, i)	lanes of a loop over width from i on
 *	v_load_some(p, n)	first n lanes, all of them without a branch for each;
 *						v_store_some
 *	v_load_row(x, k, i)	lanes of x from i on, of which the row has k; 0 after
 *						them
 *
 * Where x86's instruction and NEON's differ in zeros' signs or in NaN, the words
 * mean x86's, so that the templates give the same bits.
 *
 * Depends on libc only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_SIMD_NEON_H
#define MB_SIMD_NEON_H

#if defined(__aarch64__)

#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MB_LANES ((size_t) 4)

/* Vectors that the processor has names for */
#define MB_REGISTERS 32

/* A product takes one lane of a vector as it is: see linear_template.h. */
#define MB_FMA_BY_LANE 1

/*
 * Before loops over the vectors of a register block, whose number is a constant:
 * without it GCC keeps them in memory.
 */
#if defined(__clang__)
#define MB_UNROLL _Pragma("unroll")
#else
#define MB_UNROLL _Pragma("GCC unroll 16")
#endif

typedef float32x4_t vf;
typedef uint32x4_t vm;
typedef float64x2_t vd;

/* Four times true, four times false: v_first() reads a window of it. */
static const uint32_t first_lanes[8] = {
	UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX
};

static inline vf
v_load(const float *p)
{
	return vld1q_f32(p);
}

static inline void
v_store(float *p, vf v)
{
	vst1q_f32(p, v);
}

static inline vf
v_set1(float x)
{
	return vdupq_n_f32(x);
}

/* Nothing is read behind the last lane: there is no load with a mask. */
static inline vf
v_load_part(const float *p, size_t n)
{
	vf			v = v_set1(0.0f);

	if (n >= MB_LANES)
		return v_load(p);
	if (n > 1)
		v = vcombine_f32(vld1_f32(p), vdup_n_f32(0.0f));
	if (n == 1)
		v = vld1q_lane_f32(p, v, 0);
	if (n == 3)
		v = vld1q_lane_f32(p + 2, v, 2);
	return v;
}

static inline void
v_store_part(float *p, vf v, size_t n)
{
	if (n >= MB_LANES)
	{
		v_store(p, v);
		return;
	}
	if (n > 1)
		vst1_f32(p, vget_low_f32(v));
	if (n == 1)
		vst1q_lane_f32(p, v, 0);
	if (n == 3)
		vst1q_lane_f32(p + 2, v, 2);
}

static inline vf
v_fma(vf a, vf b, vf c)
{
	return vfmaq_f32(c, a, b);
}

static inline vf
v_fnma(vf a, vf b, vf c)
{
	return vfmsq_f32(c, a, b);
}

/* a macro, for the lane is part of the instruction */
#define v_fma_lane(q, i, b, c) vfmaq_laneq_f32(c, b, q, i)

static inline vf
v_max(vf a, vf b)
{
	return vbslq_f32(vcgtq_f32(a, b), a, b);
}

static inline vf
v_min(vf a, vf b)
{
	return vbslq_f32(vcltq_f32(a, b), a, b);
}

static inline vf
v_relu(vf x)
{
	return vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(x),
										   vcltzq_f32(x)));
}

static inline vf
v_abs(vf x)
{
	return vabsq_f32(x);
}

/* The magnitude of x >= 0 with the sign of s. */
static inline vf
v_sign_of(vf x, vf s)
{
	return vbslq_f32(vdupq_n_u32(UINT32_C(0x80000000)), s, x);
}

static inline vf
v_nearest(vf x)
{
	return vrndnq_f32(x);
}

static inline vf
v_power2(vf n)
{
	int32x4_t	e = vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127));

	return vreinterpretq_f32_s32(vshlq_n_s32(e, 23));
}

static inline vm
v_first(size_t n)
{
	return vld1q_u32(first_lanes + MB_LANES - n);
}

static inline vm
v_bytes(const uint8_t *p, size_t n)
{
	uint32_t	bytes = 0;
	uint32x4_t	wide;

	if (n == MB_LANES)
		memcpy(&bytes, p, MB_LANES);
	else
		memcpy(&bytes, p, n);
	wide = vmovl_u16(vget_low_u16(vmovl_u8(vreinterpret_u8_u32(
														   vdup_n_u32(bytes)))));
	return vtstq_u32(wide, wide);
}

static inline vm
v_less(vf a, vf b)
{
	return vcltq_f32(a, b);
}

static inline vm
v_reaches(vf a, vf b)
{
	return vmvnq_u32(vcltq_f32(a, b));
}

static inline vf
v_choose(vm m, vf a, vf b)
{
	return vbslq_f32(m, a, b);
}

/* what n out of range makes of e does not matter where m is false */
static inline vf
v_scaled(vm m, vf e, vf n)
{
	return vreinterpretq_f32_u32(vandq_u32(m, vreinterpretq_u32_f32(
																	e * v_power2(n))));
}

static inline float
v_sum(vf v)
{
	return vaddvq_f32(v);
}

static inline float
v_largest(vf v)
{
	return vmaxvq_f32(v);
}

static inline vd
w_zero(void)
{
	return vdupq_n_f64(0.0);
}

static inline vd
w_set1(double x)
{
	return vdupq_n_f64(x);
}

static inline vd
w_low(vf v)
{
	return vcvt_f64_f32(vget_low_f32(v));
}

static inline vd
w_high(vf v)
{
	return vcvt_high_f64_f32(v);
}

static inline vf
w_narrow(vd low, vd high)
{
	return vcvt_high_f32_f64(vcvt_f32_f64(low), high);
}

static inline double
w_sum(vd v)
{
	return vaddvq_f64(v);
}

/* Other types */

static inline vf
v_load_half(const uint16_t *p)
{
	return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
}

static inline vf
v_load_bf16(const uint16_t *p)
{
	return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16));
}

static inline vf
v_load_ints(const int32_t *p)
{
	return vcvtq_f32_s32(vld1q_s32(p));
}

/* Loops over the numbers of a row */

static inline size_t
v_lanes(size_t width, size_t i)
{
	return width - i < MB_LANES ? width - i : MB_LANES;
}

static inline vf
v_load_some(const float *p, size_t n)
{
	return n == MB_LANES ? v_load(p) : v_load_part(p, n);
}

static inline void
v_store_some(float *p, vf v, size_t n)
{
	if (n == MB_LANES)
		v_store(p, v);
	else
		v_store_part(p, v, n);
}

static inline vf
v_load_row(const float *x, size_t k, size_t i)
{
	if (i + MB_LANES <= k)
		return v_load(x + i);
	return i < k ? v_load_part(x + i, k - i) : v_set1(0.0f);
}

#endif							/* __aarch64__ */
#endif							/* MB_SIMD_NEON_H */
