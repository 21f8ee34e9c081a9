/*-------------------------------------------------------------------------
 *
 * panels.c
 *	  Packing the weights of linear layers into panels; plain C.
 *
 * This runs when an image is made, once for a model, so that it is simple is
 * worth more than that it is fast.
 *
 * Depends on base/arena.h (sizes), base/dtype.h, kernels/panels.h,
 * kernels/reduced.h, kernels/split.h.
 *
 *-------------------------------------------------------------------------
 */
#include "kernels/panels.h"

#include "base/arena.h"
#include "base/dtype.h"
#include "kernels/reduced.h"
#include "kernels/split.h"

#include <string.h>

/* ----------
 * ROWS
 * ----------
 */

static bool
rows_size(mb_format format, size_t k, size_t n, size_t *size)
{
	(void) format;
	return mb_size_multiply(k, n, size) &&
		mb_size_multiply(*size, sizeof(float), size);
}

static void
rows_pack(mb_format format, const float *w, size_t k, size_t n, void *panels)
{
	(void) format;
	memcpy(panels, w, n * k * sizeof(float));
}

static const mb_packing rows_packing = {rows_size, rows_pack, NULL};

/* ----------
 * FLOAT, HALF, BFLOAT
 * ----------
 */

/* Bytes of one number. */
static size_t
element_size(mb_format format)
{
	return format == MB_FORMAT_FLOAT ? sizeof(float) : sizeof(uint16_t);
}

static bool
plain_size(mb_format format, size_t k, size_t n, size_t *size)
{
	return mb_size_add(n, MB_PANEL - 1, &n) &&
		mb_size_multiply(k, n / MB_PANEL * MB_PANEL, size) &&
		mb_size_multiply(*size, element_size(format), size);
}

/* Number i of the panels. */
static void
put(mb_format format, void *panels, size_t i, float x)
{
	if (format == MB_FORMAT_HALF)
		((uint16_t *) panels)[i] = mb_half_from_exact(x);
	else if (format == MB_FORMAT_BFLOAT)
		((uint16_t *) panels)[i] = mb_bf16_from_exact(x);
	else
		((float *) panels)[i] = x;
}

static void
plain_pack(mb_format format, const float *w, size_t k, size_t n, void *panels)
{
	size_t		i = 0;
	size_t		first;
	size_t		t;
	size_t		c;

	for (first = 0; first < n; first += MB_PANEL)
		for (t = 0; t < k; t++)
			for (c = first; c < first + MB_PANEL; c++)
				put(format, panels, i++, c < n ? w[c * k + t] : 0.0f);
}

static void
plain_widen(mb_format format, const void *panels, size_t k, size_t p,
			size_t first, size_t count, float *out)
{
	size_t		at = (p * k + first) * MB_PANEL;

	mb_widen(format == MB_FORMAT_HALF ? MB_DTYPE_F16 :
			 format == MB_FORMAT_BFLOAT ? MB_DTYPE_BF16 : MB_DTYPE_F32,
			 (const char *) panels + at * element_size(format),
			 count * MB_PANEL, out);
}

static const mb_packing plain_packing = {plain_size, plain_pack, plain_widen};

/* ----------
 * All formats
 * ----------
 */

static const mb_packing *const packings[MB_FORMATS] = {
	[MB_FORMAT_ROWS] = &rows_packing,
	[MB_FORMAT_FLOAT] = &plain_packing,
	[MB_FORMAT_HALF] = &plain_packing,
	[MB_FORMAT_BFLOAT] = &plain_packing,
	[MB_FORMAT_BF16X3] = &mb_reduced_packing,
	[MB_FORMAT_BF16] = &mb_reduced_packing,
	[MB_FORMAT_INT8] = &mb_reduced_packing,
	[MB_FORMAT_FLOAT_SPLIT] = &mb_split_packing,
	[MB_FORMAT_HALF_SPLIT] = &mb_split_packing,
	[MB_FORMAT_BFLOAT_SPLIT] = &mb_split_packing
};

bool
mb_format_size(mb_format format, size_t k, size_t n, size_t *size)
{
	return packings[format]->size(format, k, n, size);
}

void
mb_format_pack(mb_format format, const float *w, size_t k, size_t n,
			   void *panels)
{
	packings[format]->pack(format, w, k, n, panels);
}

void
mb_format_widen(mb_format format, const void *panels, size_t k, size_t p,
				size_t first, size_t count, float *out)
{
	packings[format]->widen(format, panels, k, p, first, count, out);
}
