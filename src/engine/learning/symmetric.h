/*-------------------------------------------------------------------------
 *
 * symmetric.h
 *	  Systems of linear equations with a symmetric positive definite matrix.
 *
 * Cholesky's factors, in blocks, so that nearly all of it are products; the
 * diagonal blocks are kept inverted, for the same reason.
 *
 * Depends on base/arena.h, base/status.h, kernels/products.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_SYMMETRIC_H
#define MB_SYMMETRIC_H

#include "base/arena.h"
#include "base/status.h"
#include "kernels/products.h"

#define MB_FACTOR_BLOCK 32		/* a multiple of MB_LANES */
#define MB_FACTOR_COLUMNS 256	/* right-hand sides at a time */

typedef struct mb_factor
{
	const mb_products *products;
	size_t		n;				/* a multiple of MB_LANES */
	double	   *matrix;			/* [n, n]: filled by the caller, lower half;
								 * then its factor */
	double	   *inverses;		/* [n, MB_FACTOR_BLOCK], of diagonal blocks */
	double	   *panel;			/* [MB_FACTOR_BLOCK, n] */
	double	   *spare;			/* [max(n, MB_FACTOR_COLUMNS),
								 * MB_FACTOR_BLOCK] */
} mb_factor;

/* Bytes of an mb_factor of n, for what it takes of the arena. */
extern bool mb_factor_memory(size_t n, size_t *bytes);

extern mb_status mb_factor_begin(mb_factor *factor, size_t n,
								 const mb_products *products,
								 mb_arena *arena, mb_error *err);

/*
 * Factors factor->matrix.  What is left of a diagonal element may be so little
 * that it is rounding alone; then it counts as that much, and *weak is true.
 */
extern mb_status mb_factor_compute(mb_factor *factor, bool *weak,
								   const mb_cancel *cancel, mb_error *err);

/* x [n, m] at distance ld becomes inverse(matrix) * x; m as in products.h. */
extern mb_status mb_factor_solve(const mb_factor *factor, double *x,
								 size_t ld, size_t m,
								 const mb_cancel *cancel, mb_error *err);

#endif							/* MB_SYMMETRIC_H */
