/*-------------------------------------------------------------------------
 *
 * reduced_pack.c
 *	  Packing weights with fewer bits: INT8, BF16 and BF16X3.
 *
 * Depends on base/arena.h (sizes), base/dtype.h, kernels/reduced.h,
 * kernels/reduced_layout.h.
 *
 *-------------------------------------------------------------------------
 */
#include "kernels/reduced.h"

#include "base/arena.h"
#include "base/dtype.h"
#include "kernels/reduced_layout.h"

#include <math.h>
#include <string.h>

static bool
reduced_size(mb_format format, size_t k, size_t n, size_t *size)
{
	size_t		vectors;
	size_t		inputs;

	if (k > (format == MB_FORMAT_INT8 ? MB_INT8_WIDTH_MAX : SIZE_MAX / 64) ||
		!mb_size_add(n, MB_PANEL - 1, &n))
		return false;
	n = n / MB_PANEL * MB_PANEL;
	if (!mb_size_multiply(n / MB_PANEL, panel_size(format, k), size) ||
		!mb_size_multiply(n, 2 * sizeof(float), &vectors) ||
		!mb_size_multiply(n, k * sizeof(uint16_t), &inputs))
		return false;
	return format != MB_FORMAT_INT8 ||
		(mb_size_add(*size, vectors, size) && mb_size_add(*size, inputs, size));
}

/* Output number c */
static void
pack_int8(const float *w, size_t k, size_t n, size_t c, void *panels)
{
	int8_t	   *strip = (int8_t *) panel_strip(MB_FORMAT_INT8, panels, k, c);
	float	   *scale = (float *) panel_scale(panels, k, n) + c;
	float	   *sum = (float *) panel_sum(panels, k, n) + c;
	float		largest = 0.0f;
	float		check = 0.0f;
	int32_t		total = 0;
	size_t		i;

	for (i = 0; i < k; i++)
	{
		largest = fabsf(w[i]) > largest ? fabsf(w[i]) : largest;
		check += w[i] * 0.0f;
	}
	*scale = largest > MB_RANGE_LEAST ? largest / 127.0f : 0.0f;
	if (check != 0.0f)
		*scale = NAN;			/* a weight is no number: nor is any result */
	for (i = 0; i < k; i++)
	{
		int32_t		q = *scale > 0.0f ? (int32_t) rintf(w[i] / *scale) : 0;

		((uint16_t *) panel_input(panels, k, n, i))[c] =
			mb_bf16_from_float(w[i]);
		q = q > 127 ? 127 : q < -127 ? -127 : q;
		strip[i / MB_INT8_STEP * MB_LINE + c % MB_TILE * MB_INT8_STEP +
			  i % MB_INT8_STEP] = (int8_t) q;
		total += q;
	}
	*sum = (float) total;
}

static void
pack_bf16(mb_format format, const float *w, size_t k, size_t c, void *panels)
{
	uint16_t   *high = (uint16_t *) panel_strip(format, panels, k, c);
	uint16_t   *low = high + depth(format, k) * MB_TILE_BYTES / sizeof(uint16_t);
	size_t		i;

	for (i = 0; i < k; i++)
	{
		size_t		at = bf16_at(i, c);

		high[at] = mb_bf16_from_float(w[i]);
		if (format == MB_FORMAT_BF16X3)
			low[at] = mb_bf16_from_float(w[i] - mb_bf16_to_float(high[at]));
	}
}

static void
reduced_pack(mb_format format, const float *w, size_t k, size_t n,
			 void *panels)
{
	size_t		size;
	size_t		c;

	if (!reduced_size(format, k, n, &size))
		return;
	memset(panels, 0, size);
	for (c = 0; c < n; c++)
	{
		if (format == MB_FORMAT_INT8)
			pack_int8(w + c * k, k, n, c, panels);
		else
			pack_bf16(format, w + c * k, k, c, panels);
	}
}

const mb_packing mb_reduced_packing = {reduced_size, reduced_pack, NULL};
