/*-------------------------------------------------------------------------
 *
 * gemm.h
 *	  Matrix products: OpenBLAS, and the plain C that is its oracle.
 *
 * The functions here are entries of mb_kernels; kernels.h has their contract.
 * Code above the kernels calls mb_dense(), which also minds the clock.
 *
 * Depends on kernels.h, model.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_GEMM_H
#define MB_GEMM_H

#include "kernels.h"
#include "model.h"

/* Keep OpenBLAS to the calling thread; harmless to call again. */
extern void mb_gemm_prepare(void);

/*
 * y[rows, n] = x[rows, k] * weight[n, k]' + bias[n] with the table in use, in
 * parts of some milliseconds with a look at cancel before each.  How it is
 * parted depends on k and n only.  Room as for mb_kernels.linear.
 */
extern mb_status mb_dense(const mb_linear *linear, const float *x, size_t rows,
						  float *y, size_t k, size_t n,
						  const mb_cancel *cancel, mb_error *err);

extern void mb_linear_ref(const float *x, size_t rows, const float *w,
						  const float *b, float *y, size_t ldy,
						  size_t k, size_t n);
extern void mb_scores_ref(const float *a, size_t lda, const float *b,
						  size_t ldb, float scale, float *s, size_t lds,
						  size_t m, size_t n, size_t k);
extern void mb_context_ref(const float *p, size_t ldp, const float *v,
						   size_t ldv, float *c, size_t ldc,
						   size_t m, size_t n, size_t k);

extern void mb_linear_openblas(const float *x, size_t rows, const float *w,
							   const float *b, float *y, size_t ldy,
							   size_t k, size_t n);
extern void mb_scores_openblas(const float *a, size_t lda, const float *b,
							   size_t ldb, float scale, float *s, size_t lds,
							   size_t m, size_t n, size_t k);
extern void mb_context_openblas(const float *p, size_t ldp, const float *v,
								size_t ldv, float *c, size_t ldc,
								size_t m, size_t n, size_t k);

#endif							/* MB_GEMM_H */
