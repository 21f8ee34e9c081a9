/*-------------------------------------------------------------------------
 *
 * precision.h
 *	  The precisions that a model can have, and the formats of its weights that
 *	  follow.
 *
 * Depends on base/dtype.h, kernels/kernels.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_PRECISION_H
#define MB_PRECISION_H

#include "base/dtype.h"
#include "kernels/kernels.h"

/* A property of a model, chosen when it is imported. */
typedef enum mb_precision
{
	MB_PRECISION_FP32,			/* the default: exact weights, float sums */
	MB_PRECISION_BF16X3,		/* 16 bits of mantissa, in two bfloat16 */
	MB_PRECISION_BF16,			/* bfloat16, float sums */
	MB_PRECISION_INT8,			/* 8 bits and scales, integer sums */
	MB_PRECISIONS
} mb_precision;

/* "fp32"; NULL beyond the last.  The other way round: false for no name. */
extern const char *mb_precision_name(mb_precision precision);
extern bool mb_precision_from_name(const char *name, mb_precision *precision);

/*
 * The format of a linear layer whose weights a checkpoint stores as dtype, for
 * a table of kernels.
 */
extern mb_format mb_format_choose(const mb_kernels *kernels,
								  mb_precision precision, mb_dtype dtype);

#endif							/* MB_PRECISION_H */
