/*-------------------------------------------------------------------------
 *
 * gemm.h
 *	  Products of floats in plain C, the oracle of all others, and those of
 *	  OpenBLAS; and the panels of attention in float.
 *
 * The kernels here are entries of mb_kernels; kernels.h has their contract.
 *
 * Depends on kernels/kernels.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_GEMM_H
#define MB_GEMM_H

#include "kernels/kernels.h"

/*
 * Float panels of a matrix [rows, width] at distance ld: of its transpose
 * (keys: panel p has rows p * MB_PANEL and so on side by side, [width,
 * MB_PANEL]) and of itself (values: panel p has columns p * MB_PANEL and so
 * on, [rows, MB_PANEL]); zeros beyond the last.
 */
extern void mb_pack_keys(const float *x, size_t ld, size_t rows, size_t width,
						 float *panels);
extern void mb_pack_values(const float *x, size_t ld, size_t rows,
						   size_t width, float *panels);

/* Layers in FLOAT, HALF and BFLOAT, split or not; attention's products */
extern const mb_linear_kernel mb_exact_ref;
extern void mb_matrix_ref(const float *a, size_t lda, const float *panels,
						  float scale, float *y, size_t ldy,
						  size_t m, size_t n, size_t k);

extern const mb_linear_kernel mb_exact_openblas;
extern void mb_matrix_openblas(const float *a, size_t lda, const float *panels,
							   float scale, float *y, size_t ldy,
							   size_t m, size_t n, size_t k);

/* begin() of tables with OpenBLAS: it keeps to the calling thread. */
extern void mb_begin_openblas(void);

/* Name and version of the matrix library, for people to read. */
extern const char *mb_gemm_library(void);

#endif							/* MB_GEMM_H */
