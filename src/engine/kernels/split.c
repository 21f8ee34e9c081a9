/*-------------------------------------------------------------------------
 *
 * split.c
 *	  Packing floats as sums of bfloat16, and putting them together again.
 *
 * Depends on base/arena.h (sizes), base/dtype.h, kernels/reduced_layout.h
 * (tiles), kernels/split.h.
 *
 *-------------------------------------------------------------------------
 */
#include "kernels/split.h"

#include "base/arena.h"
#include "base/dtype.h"
#include "kernels/reduced_layout.h"

#include <math.h>
#include <string.h>

/* Bytes of a step: high parts, and what lies after them */
static size_t
step_size(mb_format format)
{
	size_t		high = MB_PANEL / MB_TILE * MB_TILE_BYTES;

	return format == MB_FORMAT_FLOAT_SPLIT ? 2 * high :
		format == MB_FORMAT_HALF_SPLIT ? high + high / 4 : high;
}

/* Bytes of a panel */
static size_t
panel_bytes(mb_format format, size_t k)
{
	return depth(format, k) * step_size(format);
}

static bool
split_size(mb_format format, size_t k, size_t n, size_t *size)
{
	if (k > SIZE_MAX / 64 || !mb_size_add(n, MB_PANEL - 1, &n))
		return false;
	return mb_size_multiply(n / MB_PANEL, step_size(format), size) &&
		mb_size_multiply(*size, depth(format, k), size);
}

/* Half of what a bfloat16's last bit is worth in the bits of a float */
#define HALF_STEP UINT32_C(0x8000)

/*
 * Where the weight of input i and output c is.  Inputs i and i + 16 are a pair:
 * two vectors of activations are laced together with two instructions.
 */
typedef struct place
{
	uint8_t    *high;			/* 16 bits */
	uint8_t    *low;			/* the 16 bits of FLOAT_SPLIT */
	uint8_t    *rest;			/* the 4 bits of HALF_SPLIT */
	int			shift;
} place;

static inline place
place_of(mb_format format, const uint8_t *panel, size_t i, size_t c)
{
	size_t		line = c / MB_TILE * MB_TILE + i % MB_TILE;
	size_t		word = c % MB_TILE * MB_BF16_STEP + i / MB_TILE % MB_BF16_STEP;
	uint8_t    *step = (uint8_t *) panel + i / MB_BF16_DEEP * step_size(format);
	uint8_t    *after = step + MB_PANEL / MB_TILE * MB_TILE_BYTES;
	size_t		at = line * MB_LINE + word * sizeof(uint16_t);
	place		p = {
		step + at, after + at,
		after + line / 2 * (MB_LINE / 2) + word, line % 2 * 4
	};

	return p;
}

/* The unit of HALF_SPLIT's 4 bits, with the sign of the high part */
static float
unit_of(uint16_t high)
{
	return mb_bf16_to_float(high & 0xff80) * 0x1p-11f;
}

static void
put(mb_format format, uint8_t *panel, size_t i, size_t c, float x)
{
	place		p = place_of(format, panel, i, c);
	uint32_t	bits;
	uint16_t	high;
	uint16_t	low;

	memcpy(&bits, &x, sizeof(bits));
	bits += HALF_STEP;
	high = (uint16_t) (bits >> 16);
	low = (uint16_t) bits;
	memcpy(p.high, &high, sizeof(high));
	if (format == MB_FORMAT_FLOAT_SPLIT)
		memcpy(p.low, &low, sizeof(low));
	if (format == MB_FORMAT_HALF_SPLIT)
	{
		int			rest = x == 0.0f || !isfinite(x) ? 0 :
			(int) ((x - mb_bf16_to_float(high)) / unit_of(high));

		*p.rest = (uint8_t) ((*p.rest & (0xf0 >> p.shift)) |
							 (rest & 15) << p.shift);
	}
}

static float
get(mb_format format, const uint8_t *panel, size_t i, size_t c)
{
	place		p = place_of(format, panel, i, c);
	uint16_t	high;
	uint16_t	low;
	uint32_t	bits;
	float		x;
	int			rest;

	memcpy(&high, p.high, sizeof(high));
	x = mb_bf16_to_float(high);
	if (format == MB_FORMAT_FLOAT_SPLIT)
	{
		memcpy(&low, p.low, sizeof(low));
		bits = ((uint32_t) high << 16 | low) - HALF_STEP;
		memcpy(&x, &bits, sizeof(x));
	}
	if (format == MB_FORMAT_HALF_SPLIT)
	{
		rest = *p.rest >> p.shift & 15;
		rest -= rest >= 8 ? 16 : 0;
		if (rest != 0)
			x += (float) rest * unit_of(high);
	}
	return x;
}

static void
split_pack(mb_format format, const float *w, size_t k, size_t n, void *panels)
{
	size_t		inputs = depth(format, k) * MB_BF16_DEEP;
	size_t		c;
	size_t		i;

	for (c = 0; c < padded(n); c++)
	{
		uint8_t    *panel = (uint8_t *) panels +
			c / MB_PANEL * panel_bytes(format, k);

		for (i = 0; i < inputs; i++)
			put(format, panel, i, c % MB_PANEL,
				c < n && i < k ? w[c * k + i] : 0.0f);
	}
}

static void
split_widen(mb_format format, const void *panels, size_t k, size_t p,
			size_t first, size_t count, float *out)
{
	const uint8_t *panel = (const uint8_t *) panels +
		p * panel_bytes(format, k);
	size_t		c;
	size_t		i;

	for (i = first; i < first + count; i++)
		for (c = 0; c < MB_PANEL; c++)
			*out++ = get(format, panel, i, c);
}

const mb_packing mb_split_packing = {split_size, split_pack, split_widen};
