/*-------------------------------------------------------------------------
 *
 * precision.c
 *	  Names of precisions, and which format a precision means.
 *
 * Depends on model/precision.h.
 *
 *-------------------------------------------------------------------------
 */
#include "model/precision.h"

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
