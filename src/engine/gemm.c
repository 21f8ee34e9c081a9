/*-------------------------------------------------------------------------
 *
 * gemm.c
 *	  Matrix products: OpenBLAS, and the plain C that is its oracle.
 *
 * A library picks its algorithm by the shape of the product, and another
 * algorithm rounds differently.  A row of the result must not depend on its
 * batch, so every product here has a shape that the batch does not decide:
 *
 *	- linear maps always take MB_ROW_BLOCK rows here; the last block of a batch
 *	  is filled up.  Within a product each row is summed in the same order
 *	  (test_kernels checks this on the machine it runs on).
 *	- attention products belong to one sequence and one head, and their shape
 *	  follows from the length of that sequence.
 *
 * This is the only file that knows of BLAS.  The serial build of OpenBLAS is
 * meant; with another one mb_gemm_prepare() still keeps it to one thread.
 *
 * Depends on gemm.h, cblas.
 *
 *-------------------------------------------------------------------------
 */
#include "gemm.h"

#include <cblas.h>
#include <string.h>

/*
 * Weights of one call at most, where rows of that many fit: 8 million
 * multiply-adds, about 10 ms even in plain C.
 */
#define PART_WEIGHTS ((size_t) 1 << 18)

/* Parts start at multiples of this, which suits every register tile. */
#define PART_ALIGN 16

#define LANES 4

void
mb_gemm_prepare(void)
{
	openblas_set_num_threads(1);
}

/* Columns of one part of a linear map with k inputs and n outputs. */
static size_t
part_columns(size_t k, size_t n)
{
	size_t		columns = PART_WEIGHTS / (k > 0 ? k : 1);

	columns = columns / PART_ALIGN * PART_ALIGN;
	if (columns == 0)
		columns = PART_ALIGN;
	return columns < n ? columns : n;
}

mb_status
mb_dense(const mb_linear *linear, const float *x, size_t rows, float *y,
		 size_t k, size_t n, const mb_cancel *cancel, mb_error *err)
{
	const mb_kernels *kernels = mb_kernels_current();
	size_t		columns = part_columns(k, n);
	size_t		first;

	for (first = 0; first < n; first += columns)
	{
		size_t		width = n - first < columns ? n - first : columns;

		if (mb_cancelled(cancel))
			return mb_fail(err, MB_ERR_CANCELLED, "cancelled");
		kernels->linear(x, rows, linear->weight + first * k,
						linear->bias == NULL ? NULL : linear->bias + first,
						y + first, n, k, width);
	}
	return MB_OK;
}

/* Plain C */

/* a[k] . b[k], added up in double, in lanes that compilers can vectorise */
static float
dot(const float *a, const float *b, size_t k)
{
	double		lane[LANES] = {0};
	size_t		whole = k / LANES * LANES;
	size_t		i;
	size_t		j;

	for (i = 0; i < whole; i += LANES)
		for (j = 0; j < LANES; j++)
			lane[j] += (double) a[i + j] * (double) b[i + j];
	for (j = 0; i + j < k; j++)
		lane[j] += (double) a[i + j] * (double) b[i + j];
	return (float) ((lane[0] + lane[2]) + (lane[1] + lane[3]));
}

void
mb_linear_ref(const float *x, size_t rows, const float *w, const float *b,
			  float *y, size_t ldy, size_t k, size_t n)
{
	size_t		row;
	size_t		column;

	for (column = 0; column < n; column++)
	{
		float		bias = b == NULL ? 0.0f : b[column];

		for (row = 0; row < rows; row++)
			y[row * ldy + column] = dot(x + row * k, w + column * k, k) + bias;
	}
}

void
mb_scores_ref(const float *a, size_t lda, const float *b, size_t ldb,
			  float scale, float *s, size_t lds, size_t m, size_t n, size_t k)
{
	size_t		i;
	size_t		j;

	for (i = 0; i < m; i++)
		for (j = 0; j < n; j++)
			s[i * lds + j] = scale * dot(a + i * lda, b + j * ldb, k);
}

void
mb_context_ref(const float *p, size_t ldp, const float *v, size_t ldv,
			   float *c, size_t ldc, size_t m, size_t n, size_t k)
{
	size_t		i;
	size_t		j;
	size_t		t;

	for (i = 0; i < m; i++)
	{
		float	   *row = c + i * ldc;

		for (j = 0; j < n; j++)
			row[j] = 0.0f;
		for (t = 0; t < k; t++)
			for (j = 0; j < n; j++)
				row[j] += p[i * ldp + t] * v[t * ldv + j];
	}
}

/* OpenBLAS; sizes are below 2^31 because mb_config_read() bounds them. */

void
mb_linear_openblas(const float *x, size_t rows, const float *w, const float *b,
				   float *y, size_t ldy, size_t k, size_t n)
{
	size_t		row;

	if (n == 0)
		return;
	for (row = 0; row < MB_ROW_BLOCK; row++)
	{
		if (b == NULL || row >= rows)
			memset(y + row * ldy, 0, n * sizeof(float));
		else
			memcpy(y + row * ldy, b, n * sizeof(float));
	}
	if (k == 0)
		return;
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans,
				MB_ROW_BLOCK, (blasint) n, (blasint) k,
				1.0f, x, (blasint) k, w, (blasint) k,
				1.0f, y, (blasint) ldy);
}

void
mb_scores_openblas(const float *a, size_t lda, const float *b, size_t ldb,
				   float scale, float *s, size_t lds,
				   size_t m, size_t n, size_t k)
{
	if (m == 0 || n == 0 || k == 0)
	{
		mb_scores_ref(a, lda, b, ldb, scale, s, lds, m, n, k);
		return;
	}
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans,
				(blasint) m, (blasint) n, (blasint) k,
				scale, a, (blasint) lda, b, (blasint) ldb,
				0.0f, s, (blasint) lds);
}

void
mb_context_openblas(const float *p, size_t ldp, const float *v, size_t ldv,
					float *c, size_t ldc, size_t m, size_t n, size_t k)
{
	if (m == 0 || n == 0 || k == 0)
	{
		mb_context_ref(p, ldp, v, ldv, c, ldc, m, n, k);
		return;
	}
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans,
				(blasint) m, (blasint) n, (blasint) k,
				1.0f, p, (blasint) ldp, v, (blasint) ldv,
				0.0f, c, (blasint) ldc);
}

const char *
mb_gemm_library(void)
{
	return openblas_get_config();
}
