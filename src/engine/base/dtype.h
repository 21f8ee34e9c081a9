/*-------------------------------------------------------------------------
 *
 * dtype.h
 *	  How numbers are stored: types of tensors, and floats of 16 bits.
 *
 * binary16 ("half", IEEE 754) has 5 bits of exponent and 10 of mantissa,
 * bfloat16 is the upper half of a float.
 *
 * Depends on nothing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_DTYPE_H
#define MB_DTYPE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef enum mb_dtype
{
	MB_DTYPE_F32,
	MB_DTYPE_F16,
	MB_DTYPE_BF16,
	MB_DTYPE_F64,
	MB_DTYPE_OTHER				/* known to safetensors, not used for weights */
} mb_dtype;

typedef struct mb_dtype_info
{
	const char *name;			/* as in a safetensors file: "F32", "I64" */
	uint32_t	bits;			/* of one number */
	mb_dtype	dtype;
} mb_dtype_info;

/* A type that safetensors knows; NULL: it knows none of that name. */
extern const mb_dtype_info *mb_dtype_find(const char *name);

/* Bytes of one element, 0 for MB_DTYPE_OTHER. */
extern size_t mb_dtype_size(mb_dtype dtype);
extern mb_dtype mb_dtype_from_name(const char *name);
extern const char *mb_dtype_name(mb_dtype dtype);

/*
 * Exact widening (F64: round to nearest even) of count little-endian numbers;
 * source need not be aligned.
 */
extern void mb_widen(mb_dtype dtype, const void *source, size_t count,
					 float *target);

/* ----------
 * One number
 * ----------
 */

static inline float
mb_float_from_bits(uint32_t bits)
{
	float		value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

static inline uint32_t
mb_float_bits(float value)
{
	uint32_t	bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

/*
 * Half to single.  Normal numbers only move their exponent from bias 15 to 127;
 * infinity and NaN get the largest exponent.  A subnormal m * 2^-24 is the
 * difference of two normal numbers, (2^-14 + m * 2^-24) - 2^-14, which is exact
 * and does not need the processor to handle subnormals.
 */
static inline float
mb_half_to_float(uint16_t half)
{
	uint32_t	sign = (uint32_t) (half & 0x8000) << 16;
	uint32_t	moved = (uint32_t) (half & 0x7FFF) << 13;
	uint32_t	exponent = moved & 0x0F800000;
	uint32_t	normal = moved + ((uint32_t) (127 - 15) << 23);
	uint32_t	special = moved | 0x7F800000;
	uint32_t	least = (uint32_t) (127 - 14) << 23;
	float		small = mb_float_from_bits(moved + least) -
		mb_float_from_bits(least);
	uint32_t	bits;

	bits = exponent == 0 ? mb_float_bits(small) : normal;
	bits = exponent == 0x0F800000 ? special : bits;
	return mb_float_from_bits(sign | bits);
}

/*
 * binary16 of a float that is one exactly: rebias the exponent, and for what
 * is below 2^-14 count in units of 2^-24.
 */
static inline uint16_t
mb_half_from_exact(float x)
{
	uint32_t	bits = mb_float_bits(x);
	uint16_t	sign = (uint16_t) (bits >> 16 & 0x8000);

	bits &= 0x7fffffff;
	if (bits >= 0x7f800000)		/* infinity, or a NaN with its first bits */
		return (uint16_t) (sign | 0x7c00 | (bits >> 13 & 0x3ff));
	if (bits >= 0x38800000)
		return (uint16_t) (sign | ((bits - 0x38000000) >> 13));
	return (uint16_t) (sign |
					   (uint16_t) (mb_float_from_bits(bits) * 16777216.0f));
}

static inline float
mb_bf16_to_float(uint16_t bf16)
{
	return mb_float_from_bits((uint32_t) bf16 << 16);
}

/* bfloat16 of a float that is one exactly, a NaN by its first bits */
static inline uint16_t
mb_bf16_from_exact(float x)
{
	return (uint16_t) (mb_float_bits(x) >> 16);
}

/* The nearest bfloat16, ties to even; NaN stays one. */
static inline uint16_t
mb_bf16_from_float(float x)
{
	uint32_t	bits = mb_float_bits(x);

	if (x != x)
		return (uint16_t) (bits >> 16 | 0x40);
	return (uint16_t) ((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

#endif							/* MB_DTYPE_H */
