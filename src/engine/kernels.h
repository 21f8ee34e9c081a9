/*-------------------------------------------------------------------------
 *
 * kernels.h
 *	  The table of functions that do the arithmetic, one per instruction set.
 *
 * Chosen once per process by mb_kernels_choose(); each function has a plain C
 * twin in kernels_ref.c that stays as oracle and fallback.  Row-wise functions
 * treat each row alone, in the same order of operations whatever the number of
 * rows, so a row gives the same bits in any batch.
 *
 * Depends on config.h (activations).
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_KERNELS_H
#define MB_KERNELS_H

#include "config.h"

/*
 * Rows of activations come in blocks of this many, and buffers have room for
 * whole blocks: a library's matrix product is always given a full one, so that
 * its choice of algorithm cannot depend on the batch.
 */
#define MB_ROW_BLOCK 32

typedef struct mb_kernels
{
	const char *name;			/* "ref", "avx2", "avx512" */
	const char *gemm_name;		/* "ref", "openblas", "avx2", "avx512" */

	/*
	 * y[rows, n] = x[rows, k] * w[n, k]' + b[n], rows of y at distance ldy,
	 * 1 <= rows <= MB_ROW_BLOCK.  b may be NULL (zeros); y must not overlap x.
	 * Both x and y have room for MB_ROW_BLOCK rows, and x numbers in them: the
	 * rows behind the last may be read and written.
	 */
	void		(*linear) (const float *x, size_t rows, const float *w,
						   const float *b, float *y, size_t ldy,
						   size_t k, size_t n);

	/*
	 * One sequence, one head: s[m, n] = scale * a[m, k] * b[n, k]', with row
	 * strides lda, ldb, lds; and c[m, n] = p[m, k] * v[k, n].
	 */
	void		(*scores) (const float *a, size_t lda, const float *b,
						   size_t ldb, float scale, float *s, size_t lds,
						   size_t m, size_t n, size_t k);
	void		(*context) (const float *p, size_t ldp, const float *v,
							size_t ldv, float *c, size_t ldc,
							size_t m, size_t n, size_t k);

	/*
	 * x[width] in place; stable: maximum subtracted.  mask as in mb_batch, with
	 * at least one 1; where it is 0 the result is exactly 0.
	 */
	void		(*softmax) (float *x, const uint8_t *mask, size_t width);

	/* x[width] in place */
	void		(*activation) (mb_activation kind, float *x, size_t width);

	/* y = (x + r) normalised, a row; r may be NULL; y may be x or r */
	void		(*no_norm) (const float *x, const float *r, const float *weight,
							const float *bias, float *y, size_t width);
	void		(*layer_norm) (const float *x, const float *r,
							   const float *weight, const float *bias,
							   float epsilon, float *y, size_t width);

	/* Distances; float sums in several lanes. */
	float		(*inner_product) (const float *a, const float *b, size_t count);
	float		(*l2_squared) (const float *a, const float *b, size_t count);

	/* a.b, a.a and b.b in one reading */
	void		(*dot3) (const float *a, const float *b, size_t count,
						 float out[3]);

	/* inner product with double products and sums, for single rows */
	double		(*dot_wide) (const float *a, const float *b, size_t count);
} mb_kernels;

extern const mb_kernels mb_kernels_ref;

/* The table in use; chosen on first use for this CPU. */
extern const mb_kernels *mb_kernels_current(void);

/*
 * "auto", "ref", "avx2" or "avx512", or, for tests and measurements, one of the
 * last three with its matrix product named: "ref/openblas", "avx2/openblas",
 * "avx512/ref" and so on.  Alone, each has its own product.  "auto" is the best
 * of them; on processors other than x86-64 "ref" with OpenBLAS.  False when this
 * CPU (or build) has no such table, and then nothing changes.
 */
extern bool mb_kernels_choose(const char *name);

/* Name and version of the matrix library, for people to read. */
extern const char *mb_gemm_library(void);

#endif							/* MB_KERNELS_H */
