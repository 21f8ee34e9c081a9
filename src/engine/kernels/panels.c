/*-------------------------------------------------------------------------
 *
 * panels.c
 *	  Packing the weights of linear maps into panels; plain C.
 *
 * This runs when an image is made, once for a model, so that it is simple is
 * worth more than that it is fast.
 *
 * Depends on kernels/panels.h, kernels/reduced.h, kernels/split.h,
 * base/arena.h (size arithmetic).
 *
 *-------------------------------------------------------------------------
 */
#include "kernels/panels.h"

#include "base/arena.h"
#include "kernels/reduced.h"
#include "kernels/split.h"

#include <string.h>

static const char *const precision_names[MB_PRECISIONS] = {
	[MB_PRECISION_FP32] = "fp32",
	[MB_PRECISION_BF16X3] = "bf16x3",
	[MB_PRECISION_BF16] = "bf16",
	[MB_PRECISION_INT8] = "int8"
};

const char *
mb_precision_name(mb_precision precision)
{
	return (unsigned int) precision < MB_PRECISIONS ?
		precision_names[precision] : NULL;
}

bool
mb_precision_from_name(const char *name, mb_precision *precision)
{
	int			i;

	for (i = 0; i < MB_PRECISIONS; i++)
	{
		if (strcmp(name, precision_names[i]) == 0)
		{
			*precision = (mb_precision) i;
			return true;
		}
	}
	return false;
}

mb_format
mb_format_choose(const mb_kernels *kernels, mb_precision precision,
				 mb_dtype dtype)
{
	bool		split = kernels->split;

	switch (precision)
	{
		case MB_PRECISION_BF16X3:
			return MB_FORMAT_BF16X3;
		case MB_PRECISION_BF16:
			return MB_FORMAT_BF16;
		case MB_PRECISION_INT8:
			return MB_FORMAT_INT8;
		default:
			break;
	}
	if (dtype == MB_DTYPE_F16)
		return split ? MB_FORMAT_HALF_SPLIT : MB_FORMAT_HALF;
	if (dtype == MB_DTYPE_BF16)
		return split ? MB_FORMAT_BFLOAT_SPLIT : MB_FORMAT_BFLOAT;
	return split ? MB_FORMAT_FLOAT_SPLIT : MB_FORMAT_FLOAT;
}

/* Is the format one of reduced.h? */
static bool
reduced(mb_format format)
{
	return format == MB_FORMAT_BF16X3 || format == MB_FORMAT_BF16 ||
		format == MB_FORMAT_INT8;
}

/* Bytes of one number. */
static size_t
element_size(mb_format format)
{
	return format == MB_FORMAT_HALF || format == MB_FORMAT_BFLOAT ?
		sizeof(uint16_t) : sizeof(float);
}

bool
mb_format_size(mb_format format, size_t k, size_t n, size_t *size)
{
	if (reduced(format))
		return mb_reduced_size(format, k, n, size);
	if (mb_split_parts(format) > 0)
		return mb_split_size(format, k, n, size);
	if (format != MB_FORMAT_ROWS)
	{
		if (!mb_size_add(n, MB_PANEL - 1, &n))
			return false;
		n = n / MB_PANEL * MB_PANEL;
	}
	return mb_size_multiply(k, n, size) &&
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

void
mb_format_pack(mb_format format, const float *w, size_t k, size_t n,
			   void *panels)
{
	size_t		i = 0;
	size_t		first;
	size_t		t;
	size_t		c;

	if (reduced(format))
	{
		mb_reduced_pack(format, w, k, n, panels);
		return;
	}
	if (mb_split_parts(format) > 0)
	{
		mb_split_pack(format, w, k, n, panels);
		return;
	}
	if (format == MB_FORMAT_ROWS)
	{
		memcpy(panels, w, n * k * sizeof(float));
		return;
	}
	for (first = 0; first < n; first += MB_PANEL)
		for (t = 0; t < k; t++)
			for (c = first; c < first + MB_PANEL; c++)
				put(format, panels, i++, c < n ? w[c * k + t] : 0.0f);
}

void
mb_format_widen(mb_format format, const void *panels, size_t k, size_t p,
				size_t first, size_t count, float *out)
{
	size_t		at = (p * k + first) * MB_PANEL;

	if (mb_split_parts(format) > 0)
	{
		mb_split_widen(format, panels, k, p, first, count, out);
		return;
	}
	mb_widen(format == MB_FORMAT_HALF ? MB_DTYPE_F16 :
			 format == MB_FORMAT_BFLOAT ? MB_DTYPE_BF16 : MB_DTYPE_F32,
			 (const char *) panels + at * element_size(format),
			 count * MB_PANEL, out);
}
