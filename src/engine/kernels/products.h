/*-------------------------------------------------------------------------
 *
 * products.h
 *	  Arithmetic in double for fitting: products of matrices, and losses of
 *	  logistic regression with their gradients; the same bits everywhere.
 *
 * Apart from kernels.h, whose tables differ in their last bits: what is fitted
 * on labelled rows is to be the same on every machine.  So each sum has one
 * order, multiply() always fuses multiplications with additions and nothing else
 * does, exponentials and logarithms are our own, and all tables give the same
 * bits; a better one is only faster.  They are one template, products_template.h.
 *
 * Widths are multiples of MB_LANES; who calls pads with zeros.
 *
 * Depends on libc only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_PRODUCTS_H
#define MB_PRODUCTS_H

#include <stddef.h>
#include <stdint.h>

#define MB_LANES 8

/* The logit of what cannot be: its probability is 0 exactly. */
#define MB_NEVER (-1e30)

typedef struct mb_products
{
	const char *name;

	/*
	 * c[i][j] += sign * (sum over p, from the first, of a(i, p) * b[p][j], each
	 * product added without being rounded before),
	 * where a(i, p) is a[i * row + p * column]; i < m, j < n, p < k.  n is a
	 * multiple of MB_LANES, sign 1 or -1.
	 */
	void		(*multiply) (const double *a, size_t row, size_t column,
							 const double *b, size_t ldb,
							 double *c, size_t ldc, size_t m, size_t n,
							 size_t k, double sign);

	/* Sum of a[i] * b[i]; n is a multiple of MB_LANES. */
	double		(*dot) (const double *a, const double *b, size_t n);

	/*
	 * Cross entropy of softmax, for rows of logits at distance n: each row
	 * becomes the gradient weight * (probability - target), and loss[row] is
	 * weight * (log of the sum of exponentials - logit of the label).
	 */
	void		(*softmax) (double *logits, size_t rows, size_t n,
							const uint32_t *labels, const double *weights,
							double *loss);

	/*
	 * Binary cross entropy of sigmoids: a row of logits becomes the gradient
	 * weight * (probability - target); returns the sum of weight * (log(1 +
	 * exp(logit)) - target * logit).
	 */
	double		(*sigmoid) (double *logits, const double *targets,
							const double *weights, size_t n);
} mb_products;

/* The fastest that this processor has. */
extern const mb_products *mb_products_choose(void);

extern const mb_products mb_products_plain;
#if defined(__x86_64__)
extern const mb_products mb_products_avx2;
extern const mb_products mb_products_avx512;
#endif

#endif							/* MB_PRODUCTS_H */
