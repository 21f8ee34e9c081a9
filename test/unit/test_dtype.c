/*-------------------------------------------------------------------------
 *
 * test_dtype.c
 *	  Types of stored numbers, and the widening of each.
 *
 *-------------------------------------------------------------------------
 */
#include "base/dtype.h"

#include "tap.h"

#include <math.h>
#include <string.h>

/* The value of a half by its definition. */
static double
half_value(unsigned half)
{
	int			exponent = (int) (half >> 10 & 31);
	double		mantissa = half & 1023;
	double		value;

	if (exponent == 31)
		value = mantissa != 0 ? (double) NAN : (double) INFINITY;
	else if (exponent == 0)
		value = ldexp(mantissa, -24);
	else
		value = ldexp(1024 + mantissa, exponent - 25);
	return half & 0x8000 ? -value : value;
}

static void
test_widen(void)
{
	static uint8_t source[1 + 65536 * 2];
	static float target[65536];
	uint32_t	bits;
	uint32_t	i;
	uint32_t	wrong = 0;

	/* All halves, from an odd address. */
	for (i = 0; i < 65536; i++)
	{
		source[1 + 2 * i] = (uint8_t) i;
		source[2 + 2 * i] = (uint8_t) (i >> 8);
	}
	mb_widen(MB_DTYPE_F16, source + 1, 65536, target);
	for (i = 0; i < 65536; i++)
	{
		double		value = half_value(i);

		if (isnan(value))
			wrong += !isnan(target[i]);
		else
			wrong += target[i] != value ||
				(signbit(target[i]) != 0) != (i >= 0x8000);
	}
	ok(wrong == 0, "all 65536 halves (%u wrong)", wrong);

	mb_widen(MB_DTYPE_BF16, source + 1, 65536, target);
	wrong = 0;
	for (i = 0; i < 65536; i++)
	{
		memcpy(&bits, &target[i], 4);
		wrong += bits != i << 16;
	}
	ok(wrong == 0, "all 65536 bfloat16 (%u wrong)", wrong);

	mb_widen(MB_DTYPE_F32, source + 1, 32768, target);
	ok(memcmp(target, source + 1, 65536 * 2) == 0, "float32 is copied");
}

static void
test_widen_double(void)
{
	/* Ties to even, the largest float, overflow, subnormals, underflow. */
	static const double given[] = {
		0.0, -0.0, 1.0, 1.0 + 0x1p-24, 1.0 + 0x3p-24, 1.0 + 0x1.8p-24,
		0x1.fffffep127, 0x1.ffffffp127, 0x1.fffffefffffffp127, 1e300, -1e300,
		0x1p-149, 0x1p-150, 0x1.8p-149, 0x1.000001p-150, 1e-320
	};
	static const float expected[] = {
		0.0f, -0.0f, 1.0f, 1.0f, 1.0f + 0x1p-22f, 1.0f + 0x1p-23f,
		0x1.fffffep127f, INFINITY, 0x1.fffffep127f, INFINITY, -INFINITY,
		0x1p-149f, 0.0f, 0x1p-148f, 0x1p-149f, 0.0f
	};
	size_t		count = sizeof(given) / sizeof(given[0]);
	uint8_t		source[sizeof(given) + 3];
	float		target[sizeof(given) / sizeof(given[0])];
	size_t		i;

	memcpy(source + 3, given, sizeof(given));
	mb_widen(MB_DTYPE_F64, source + 3, count, target);
	for (i = 0; i < count; i++)
		ok(memcmp(&target[i], &expected[i], sizeof(float)) == 0,
		   "double %a becomes %a", given[i], (double) target[i]);
}

static void
test_dtypes(void)
{
	ok(mb_dtype_size(MB_DTYPE_F32) == 4 && mb_dtype_size(MB_DTYPE_F16) == 2 &&
	   mb_dtype_size(MB_DTYPE_BF16) == 2 && mb_dtype_size(MB_DTYPE_F64) == 8 &&
	   mb_dtype_size(MB_DTYPE_OTHER) == 0, "sizes");
	ok(mb_dtype_from_name("F32") == MB_DTYPE_F32 &&
	   mb_dtype_from_name("BF16") == MB_DTYPE_BF16 &&
	   mb_dtype_from_name("I64") == MB_DTYPE_OTHER &&
	   mb_dtype_from_name("?") == MB_DTYPE_OTHER, "by name");
	ok(strcmp(mb_dtype_name(MB_DTYPE_F16), "F16") == 0 &&
	   strcmp(mb_dtype_name(MB_DTYPE_OTHER), "other") == 0, "names");
}

/* All numbers of 16 bits become themselves again. */
static void
test_exact(void)
{
	uint32_t	wrong = 0;
	uint32_t	i;

	for (i = 0; i < 65536; i++)
	{
		uint16_t	bits = (uint16_t) i;

		wrong += mb_half_from_exact(mb_half_to_float(bits)) != bits;
		wrong += mb_bf16_from_exact(mb_bf16_to_float(bits)) != bits;
	}
	ok(wrong == 0, "there and back, %u of 65536 numbers wrong", wrong);
}

/* Nearest, ties to even */
static void
test_round(void)
{
	static const struct
	{
		uint32_t	bits;
		uint16_t	rounded;
	}			cases[] = {
		{0x3f800000, 0x3f80}, {0x3f807fff, 0x3f80}, {0x3f808000, 0x3f80},
		{0x3f808001, 0x3f81}, {0x3f818000, 0x3f82}, {0xbf818000, 0xbf82},
		{0x7f7fffff, 0x7f80}, {0x7f800000, 0x7f80}, {0x00000001, 0x0000},
		{0x80000000, 0x8000}
	};
	float		small_nan;
	size_t		wrong = 0;
	size_t		i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		wrong += mb_bf16_from_float(mb_float_from_bits(cases[i].bits)) !=
			cases[i].rounded;
	ok(wrong == 0, "rounding to bfloat16: %zu cases wrong", wrong);
	small_nan = mb_float_from_bits(0x7f800001);
	ok(isnan(mb_bf16_to_float(mb_bf16_from_float(small_nan))) &&
	   isnan(mb_bf16_to_float(mb_bf16_from_float(NAN))),
	   "rounding to bfloat16 keeps NaN");
}

int
main(void)
{
	test_widen();
	test_widen_double();
	test_dtypes();
	test_exact();
	test_round();
	return done_testing();
}
