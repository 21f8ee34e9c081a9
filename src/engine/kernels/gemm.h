/*-------------------------------------------------------------------------
 *
 * gemm.h
 *	  Matrix products: OpenBLAS, and the plain C that is its oracle.
 *
 * The functions here are entries of mb_kernels; kernels.h has their contract.
 * Code above the kernels calls mb_dense(), which also minds the clock.
 *
 * Depends on base/status.h, kernels/kernels.h, kernels/linear.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_GEMM_H
#define MB_GEMM_H

#include "base/status.h"
#include "kernels/kernels.h"
#include "kernels/linear.h"

/* begin() of tables with OpenBLAS: it keeps to the calling thread. */
extern void mb_begin_openblas(void);

/* Rows that are the input of one or more maps. */
typedef struct mb_operand
{
	const float *x;				/* [rows, k] */
	size_t		rows;
	size_t		k;
	void	   *scratch;		/* mb_operand_memory() bytes for each of the maps,
								 * aligned to 64 */
	mb_format	prepared;		/* for which scratch is filled; ROWS: none */
} mb_operand;

/* Bytes of scratch for maps of a format; SIZE_MAX: too many. */
extern size_t mb_operand_memory(const mb_kernels *kernels, mb_format format,
								size_t rows, size_t k);

/* What follows the sums of a map; as in mb_product. */
typedef struct mb_epilogue
{
	mb_activation activation;
	const float *residual;
	const mb_norm *norm;
	mb_operand *next;			/* what reads the result, or NULL: mb_dense() */
} mb_epilogue;

/*
 * y[rows, map->n] = epilogue(x * map), x as wide as map->k, in parts of some
 * milliseconds with a look at cancel before each.  epilogue NULL: sums and bias
 * alone.  With its "next", whose x is y and which has its own scratch, the
 * result may be in next's scratch alone, prepared for maps of this map's
 * format; not to be given with residual or norm.  A map without panels is
 * MB_ERR_ARGUMENT, one in a format that this table has no kernel for
 * MB_ERR_UNSUPPORTED.
 */
extern mb_status mb_dense(const mb_kernels *kernels, const mb_linear *map,
						  mb_operand *operand, const mb_epilogue *epilogue,
						  float *y, const mb_cancel *cancel, mb_error *err);

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

/*
 * Plain C epilogue for the sums [width] of one row, from output column on;
 * changes sums.
 */
extern void mb_finish_sums(const mb_product *product, size_t row,
						   size_t column, float *sums, size_t width);

/* FLOAT, HALF and BFLOAT, split or not */
extern const mb_linear_kernel mb_exact_ref;
extern void mb_matrix_ref(const float *a, size_t lda, const float *panels,
						  float scale, float *y, size_t ldy,
						  size_t m, size_t n, size_t k);

extern const mb_linear_kernel mb_exact_openblas;
extern void mb_matrix_openblas(const float *a, size_t lda, const float *panels,
							   float scale, float *y, size_t ldy,
							   size_t m, size_t n, size_t k);

#endif							/* MB_GEMM_H */
