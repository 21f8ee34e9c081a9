/*-------------------------------------------------------------------------
 *
 * dense.h
 *	  A linear layer over some rows, with a look at cancel: what code above
 *	  the kernels calls.
 *
 * Depends on base/status.h, kernels/kernels.h, kernels/linear.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_DENSE_H
#define MB_DENSE_H

#include "base/status.h"
#include "kernels/kernels.h"
#include "kernels/linear.h"

/* Rows that are the input of one or more linear layers. */
typedef struct mb_operand
{
	const float *x;				/* [rows, k] */
	size_t		rows;
	size_t		k;
	void	   *scratch;		/* mb_operand_memory() bytes for each of these,
								 * aligned to 64 */
	mb_format	prepared;		/* for which scratch is filled; ROWS: none */
} mb_operand;

/* Bytes of scratch for layers in a format; SIZE_MAX: too many. */
extern size_t mb_operand_memory(const mb_kernels *kernels, mb_format format,
								size_t rows, size_t k);

/* What follows the sums; as in mb_product. */
typedef struct mb_epilogue
{
	mb_activation activation;
	const float *residual;
	const mb_norm *norm;
	mb_operand *next;			/* what reads the result, or NULL: mb_dense() */
} mb_epilogue;

/*
 * y[rows, n] = epilogue(linear(x)), x as wide as linear->k, in parts of some
 * milliseconds with a look at cancel before each.  epilogue NULL: sums and bias
 * alone.  With its "next", whose x is y and which has its own scratch, the
 * result may be in next's scratch alone, prepared for layers in this one's
 * format; not to be given with residual or norm.  Weights without panels are
 * MB_ERR_ARGUMENT, those in a format that this table has no kernel for
 * MB_ERR_UNSUPPORTED.
 */
extern mb_status mb_dense(const mb_kernels *kernels, const mb_linear *linear,
						  mb_operand *operand, const mb_epilogue *epilogue,
						  float *y, const mb_cancel *cancel, mb_error *err);

#endif							/* MB_DENSE_H */
