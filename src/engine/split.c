/*-------------------------------------------------------------------------
 *
 * split.c
 *	  Packing floats as sums of bfloat16, and putting them together again.
 *
 * Depends on split.h, reduced_layout.h (tiles), arena.h (sizes).
 *
 *-------------------------------------------------------------------------
 */
#include "split.h"

#include "arena.h"
#include "reduced_layout.h"

#include <string.h>

/* Bytes of a step: for each part, two tiles */
static size_t
step_size(mb_format format)
{
	return mb_split_parts(format) * (MB_PANEL / TILE) * AMX_BYTES;
}

/* Bytes of a panel */
static size_t
panel_bytes(mb_format format, size_t k)
{
	return depth(format, k) * step_size(format);
}

/*
 * Where in a panel a part of the weight of input i and output c is, in bytes.
 * Inputs i and i + 16 are a pair: two vectors of activations are laced together
 * with two instructions.
 */
static size_t
split_at(mb_format format, size_t part, size_t i, size_t c)
{
	return i / BF16_DEEP * step_size(format) +
		(part * (MB_PANEL / TILE) + c / TILE) * AMX_BYTES +
		i % TILE * LINE +
		(c % TILE * BF16_STEP + i / TILE % BF16_STEP) * sizeof(uint16_t);
}

bool
mb_split_size(mb_format format, size_t k, size_t n, size_t *size)
{
	if (k > SIZE_MAX / 64 || !mb_size_add(n, MB_PANEL - 1, &n))
		return false;
	return mb_size_multiply(n / MB_PANEL, step_size(format), size) &&
		mb_size_multiply(*size, depth(format, k), size);
}

/* Half of what a bfloat16's last bit is worth in the bits of a float */
#define HALF_STEP UINT32_C(0x8000)

static uint32_t
bits_of(float x)
{
	uint32_t	bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits;
}

static float
float_of(uint32_t bits)
{
	float		x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

/* The numbers that a format keeps of a weight; see split.h */
static void
take_apart(mb_format format, float x, uint16_t *number)
{
	uint32_t	bits = bits_of(x) + HALF_STEP;

	number[0] = (uint16_t) (bits >> 16);
	number[1] = (uint16_t) bits;
	if (format == MB_FORMAT_HALF_SPLIT)
		number[1] = bf16_from_float(x - bf16_to_float(number[0]));
}

static float
put_together(mb_format format, const uint16_t *number)
{
	if (format == MB_FORMAT_FLOAT_SPLIT)
		return float_of(((uint32_t) number[0] << 16 | number[1]) - HALF_STEP);
	if (format == MB_FORMAT_HALF_SPLIT)
		return bf16_to_float(number[0]) + bf16_to_float(number[1]);
	return bf16_to_float(number[0]);
}

void
mb_split_pack(mb_format format, const float *w, size_t k, size_t n,
			  void *panels)
{
	size_t		parts = mb_split_parts(format);
	size_t		inputs = depth(format, k) * BF16_DEEP;
	size_t		c;
	size_t		i;
	size_t		part;

	for (c = 0; c < padded(n); c++)
	{
		uint8_t    *to = (uint8_t *) panels +
			c / MB_PANEL * panel_bytes(format, k);

		for (i = 0; i < inputs; i++)
		{
			uint16_t	number[2];

			take_apart(format, c < n && i < k ? w[c * k + i] : 0.0f, number);
			for (part = 0; part < parts; part++)
				memcpy(to + split_at(format, part, i, c % MB_PANEL),
					   &number[part], sizeof(uint16_t));
		}
	}
}

void
mb_split_widen(mb_format format, const void *panels, size_t k, size_t p,
			   size_t first, size_t count, float *out)
{
	const uint8_t *panel = (const uint8_t *) panels +
		p * panel_bytes(format, k);
	size_t		part;
	size_t		c;
	size_t		i;

	for (i = first; i < first + count; i++)
	{
		for (c = 0; c < MB_PANEL; c++, out++)
		{
			uint16_t	number[2];

			for (part = 0; part < mb_split_parts(format); part++)
				memcpy(&number[part], panel + split_at(format, part, i, c),
					   sizeof(uint16_t));
			*out = put_together(format, number);
		}
	}
}
