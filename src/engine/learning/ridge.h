/*-------------------------------------------------------------------------
 *
 * ridge.h
 *	  Ridge regression: half the sum over rows of (number - prediction)^2, plus
 *	  l2 / 2 times the sum of squares of the weights, is least; the bias is free.
 *
 * That is scikit-learn's Ridge with alpha = l2, solved as there by Cholesky's
 * factors.  The products of features are summed once for each fold; what a fold
 * is fitted on is the whole less the fold, so all penalties share them.
 *
 * Depends on base/arena.h, base/status.h, kernels/products.h,
 * learning/logistic.h, learning/symmetric.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_RIDGE_H
#define MB_RIDGE_H

#include "base/arena.h"
#include "base/status.h"
#include "kernels/products.h"
#include "learning/logistic.h"
#include "learning/symmetric.h"

typedef struct mb_ridge
{
	const mb_products *products;
	size_t		features;
	size_t		width;			/* features and bias, padded */
	unsigned	folds;
	double		centre;			/* taken from all numbers, for accuracy */
	mb_factor	factor;
	double	   *block;			/* [MB_FIT_BLOCK, width] */
	double	   *numbers;		/* [MB_FIT_BLOCK, MB_LANES], first column */
	double	   *grams;			/* [folds + 1, width, width]: without each fold,
								 * and last of all rows */
	double	   *moments;		/* [folds + 1, width, MB_LANES]: likewise, sums
								 * of features times numbers */
} mb_ridge;

extern bool mb_ridge_memory(size_t features, unsigned folds, size_t *bytes);

extern mb_status mb_ridge_begin(mb_ridge *ridge, size_t features,
								unsigned folds, const mb_products *products,
								mb_arena *arena, mb_error *err);

/* Sums of a layer: parts [folds], or one part of all rows without folds. */
extern mb_status mb_ridge_gather(mb_ridge *ridge, const mb_fit_part *parts,
								 const mb_cancel *cancel, mb_error *err);

/*
 * weights [width, MB_LANES], first column, from the rows outside of fold
 * "without", or from all for "without" = folds.  *exact is false when the sums
 * were singular but for rounding (mb_factor_compute).
 */
extern mb_status mb_ridge_fit(mb_ridge *ridge, unsigned without, double l2,
							  double *weights, bool *exact,
							  const mb_cancel *cancel, mb_error *err);

/*
 * Sum over the part of (number - prediction)^2, and each by the number of its
 * row in squares_of.
 */
extern mb_status mb_ridge_squares(mb_ridge *ridge, const mb_fit_part *part,
								  const double *weights, double *squares_of,
								  double *squares,
								  const mb_cancel *cancel, mb_error *err);

#endif							/* MB_RIDGE_H */
