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

#include <math.h>
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

/* The nearest bfloat16; towards zero where the nearest is infinite. */
static uint16_t
part_of(float x)
{
	uint16_t	nearest = bf16_from_float(x);
	uint32_t	bits;

	if (!isfinite(x) || isfinite(bf16_to_float(nearest)))
		return nearest;
	memcpy(&bits, &x, sizeof(bits));
	return (uint16_t) (bits >> 16);
}

void
mb_split_pack(mb_format format, const float *w, size_t k, size_t n,
			  void *panels)
{
	size_t		parts = mb_split_parts(format);
	size_t		size;
	size_t		c;
	size_t		i;
	size_t		part;

	if (!mb_split_size(format, k, n, &size))
		return;
	memset(panels, 0, size);
	for (c = 0; c < n; c++)
	{
		uint8_t    *to = (uint8_t *) panels +
			c / MB_PANEL * panel_bytes(format, k);

		for (i = 0; i < k; i++)
		{
			float		x = w[c * k + i];

			for (part = 0; part < parts; part++)
			{
				uint16_t	bits = part_of(x);

				memcpy(to + split_at(format, part, i, c % MB_PANEL), &bits,
					   sizeof(bits));
				x -= bf16_to_float(bits);
			}
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
			*out = 0.0f;
			/* smallest first: each sum is exact */
			for (part = mb_split_parts(format); part-- > 0;)
			{
				uint16_t	bits;

				memcpy(&bits, panel + split_at(format, part, i, c),
					   sizeof(bits));
				*out += bf16_to_float(bits);
			}
		}
	}
}
