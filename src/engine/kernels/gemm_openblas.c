/*-------------------------------------------------------------------------
 *
 * gemm_openblas.c
 *	  Products of floats by OpenBLAS, for processors without kernels of their
 *	  own.
 *
 * In double: its sums in float are further from the exact result than the bound
 * on fidelity allows, however few inputs are summed at a time
 * (test/golden/model/README.md).  Sizes are below 2^31 because mb_config_read()
 * bounds them.
 *
 * A library picks its algorithm by the shape of the product, and another
 * algorithm rounds differently.  A row of the result must not depend on its
 * batch, so every product here has a shape that the batch does not decide:
 *
 *	- linear layers always take MB_ROW_BLOCK rows and one panel; the last block
 *	  of a batch is filled up.  Within a product each row is summed in the same
 *	  order (test_kernels checks this on the machine it runs on).
 *	- attention products take MB_QUERY_ROWS rows of one sequence and one head;
 *	  a panel of its keys or of its head and at most BLAS_DEEP inputs.
 *
 * This is the only file that knows of BLAS.  The serial build of OpenBLAS is
 * meant; with another one mb_begin_openblas() still keeps it to one thread.
 *
 * Depends on kernels/epilogue.h, kernels/gemm.h, kernels/panels.h, cblas.
 *
 *-------------------------------------------------------------------------
 */
#include "kernels/gemm.h"

#include "kernels/epilogue.h"
#include "kernels/panels.h"

#include <cblas.h>
#include <string.h>

/* Inputs of a panel widened at a time, and summed by a call of OpenBLAS */
#define BLAS_DEEP ((size_t) 128)

void
mb_begin_openblas(void)
{
	openblas_set_num_threads(1);
}

/* y[rows, width] = x, rows at distance ld */
static void
to_doubles(const float *x, size_t ld, size_t rows, size_t width, double *y)
{
	size_t		i;
	size_t		c;

	for (i = 0; i < rows; i++)
		for (c = 0; c < width; c++)
			y[i * width + c] = (double) x[i * ld + c];
}

/*
 * sums[rows, MB_PANEL] += x * panel, x [rows, k] at distance ld; rows are
 * MB_ROW_BLOCK at most, k is BLAS_DEEP at most.
 */
static void
add_openblas(const float *x, size_t ld, size_t rows, size_t k,
			 const float *panel, double *sums)
{
	double		a[MB_ROW_BLOCK * BLAS_DEEP];
	double		b[BLAS_DEEP * MB_PANEL];

	to_doubles(x, ld, rows, k, a);
	to_doubles(panel, MB_PANEL, k, MB_PANEL, b);
	cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans,
				(blasint) rows, MB_PANEL, (blasint) k, 1.0, a, (blasint) k,
				b, MB_PANEL, 1.0, sums, MB_PANEL);
}

/* One panel for a full block of rows */
static void
block_openblas(const mb_product *p, size_t row, size_t column)
{
	float		panel[BLAS_DEEP * MB_PANEL];
	double		sums[MB_ROW_BLOCK * MB_PANEL] = {0};
	float		rounded[MB_PANEL];
	size_t		at;
	size_t		i;
	size_t		c;

	for (at = 0; at < p->k; at += BLAS_DEEP)
	{
		size_t		some = p->k - at < BLAS_DEEP ? p->k - at : BLAS_DEEP;

		mb_format_widen(p->linear->format, p->linear->panels, p->k,
						column / MB_PANEL, at, some, panel);
		add_openblas(p->x + row * p->k + at, p->k, MB_ROW_BLOCK, some, panel,
					 sums);
	}
	for (i = 0; i < MB_ROW_BLOCK && row + i < p->rows; i++)
	{
		for (c = 0; c < MB_PANEL; c++)
			rounded[c] = (float) sums[i * MB_PANEL + c];
		mb_finish_sums(p, row + i, column, rounded, mb_panel_width(p, column));
	}
}

static void
linear_openblas(const mb_product *p)
{
	size_t		column;
	size_t		row;

	for (column = p->first; column < p->first + p->width; column += MB_PANEL)
		for (row = 0; row < p->rows; row += MB_ROW_BLOCK)
			block_openblas(p, row, column);
}

const mb_linear_kernel mb_exact_openblas = {.run = linear_openblas};

/* The same of attention: MB_QUERY_ROWS rows of a and y, n outputs of them */
static void
queries_openblas(const float *a, size_t lda, const float *panel, float scale,
				 float *y, size_t ldy, size_t n, size_t k)
{
	double		sums[MB_QUERY_ROWS * MB_PANEL] = {0};
	size_t		at;
	size_t		i;
	size_t		c;

	for (at = 0; at < k; at += BLAS_DEEP)
		add_openblas(a + at, lda, MB_QUERY_ROWS,
					 k - at < BLAS_DEEP ? k - at : BLAS_DEEP,
					 panel + at * MB_PANEL, sums);
	for (i = 0; i < MB_QUERY_ROWS; i++)
		for (c = 0; c < n; c++)
			y[i * ldy + c] = scale * (float) sums[i * MB_PANEL + c];
}

void
mb_matrix_openblas(const float *a, size_t lda, const float *panels,
				   float scale, float *y, size_t ldy,
				   size_t m, size_t n, size_t k)
{
	size_t		column;
	size_t		row;

	for (column = 0; column < n; column += MB_PANEL)
		for (row = 0; row < m; row += MB_QUERY_ROWS)
			queries_openblas(a + row * lda, lda, panels + column * k, scale,
							 y + row * ldy + column, ldy,
							 n - column < MB_PANEL ? n - column : MB_PANEL, k);
}

const char *
mb_gemm_library(void)
{
	return openblas_get_config();
}
