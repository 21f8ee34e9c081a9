/*-------------------------------------------------------------------------
 *
 * gemm.c
 *	  Matrix products: OpenBLAS, and the plain C that is its oracle.
 *
 * A library picks its algorithm by the shape of the product, and another
 * algorithm rounds differently.  A row of the result must not depend on its
 * batch, so every product here has a shape that the batch does not decide:
 *
 *	- linear maps always take MB_ROW_BLOCK rows and one panel; the last block of
 *	  a batch is filled up.  Within a product each row is summed in the same
 *	  order (test_kernels checks this on the machine it runs on).
 *	- attention products take MB_QUERY_ROWS rows of one sequence and one head;
 *	  a panel of its keys or of its head and at most BLAS_DEEP inputs.
 *
 * This is the only file that knows of BLAS.  The serial build of OpenBLAS is
 * meant; with another one mb_begin_openblas() keeps it to one thread.
 *
 * Depends on kernels/gemm.h, cblas.
 *
 *-------------------------------------------------------------------------
 */
#include "kernels/gemm.h"

#include "kernels/panels.h"

#include <cblas.h>
#include <string.h>

/* Multiply-adds of one call at most: about 10 ms even in plain C. */
#define PART_WORK ((size_t) 1 << 23)

/* Inputs of a panel widened at a time, and summed by a call of OpenBLAS. */
#define WIDEN_ROWS ((size_t) 256)
#define BLAS_DEEP ((size_t) 128)

void
mb_begin_openblas(void)
{
	openblas_set_num_threads(1);
}

/* Linear maps in parts */

/* Outputs of one part of a map: whole panels, at least one. */
static size_t
part_width(size_t rows, size_t k)
{
	size_t		work = rows * (k > 0 ? k : 1);
	size_t		panels = PART_WORK / MB_PANEL / (work > 0 ? work : 1);

	return (panels > 0 ? panels : 1) * MB_PANEL;
}

size_t
mb_operand_memory(const mb_kernels *kernels, mb_format format, size_t rows,
				  size_t k)
{
	const mb_linear_kernel *kernel = kernels->linear[format];

	return kernel == NULL || kernel->operand_size == NULL ? 0 :
		kernel->operand_size(rows, k);
}

mb_status
mb_dense(const mb_kernels *kernels, const mb_linear *map, mb_operand *operand,
		 const mb_epilogue *epilogue, float *y, const mb_cancel *cancel,
		 mb_error *err)
{
	const mb_linear_kernel *kernel = kernels->linear[map->format];
	size_t		n = map->n;
	size_t		step = part_width(operand->rows, operand->k);
	mb_product	p = {kernels, operand->x, operand->scratch, operand->rows,
	operand->k, n, map, 0, 0, MB_ACT_LINEAR, NULL, NULL, y, NULL};

	if (map->panels == NULL)
		return mb_fail(err, MB_ERR_ARGUMENT, "weights are not packed");
	if (operand->k != map->k)
		return mb_fail(err, MB_ERR_ARGUMENT, "rows of %zu numbers are no input "
					   "for weights of %zu inputs", operand->k, map->k);
	if (kernel == NULL)
		return mb_fail(err, MB_ERR_UNSUPPORTED,
					   "instruction set \"%s\" cannot run weights of this "
					   "precision", kernels->name);
	if (epilogue != NULL)
	{
		p.activation = epilogue->activation;
		p.residual = epilogue->residual;
		p.norm = epilogue->norm;
		if (epilogue->next != NULL && kernel->chained && n >= MB_CHAIN_LEAST &&
			p.residual == NULL && p.norm == NULL)
		{
			p.next = epilogue->next->scratch;
			epilogue->next->prepared = map->format;
		}
	}
	if (kernel->prepare != NULL && operand->prepared != map->format)
		kernel->prepare(operand->x, operand->rows, operand->k,
						operand->scratch);
	operand->prepared = map->format;
	for (p.first = 0; p.first < n; p.first += p.width)
	{
		p.width = n - p.first < step ? n - p.first : step;
		if (mb_cancelled(cancel))
			return mb_fail(err, MB_ERR_CANCELLED, "cancelled");
		kernel->run(&p);
	}
	return MB_OK;
}

/* Panels of keys and values */

void
mb_pack_keys(const float *x, size_t ld, size_t rows, size_t width,
			 float *panels)
{
	size_t		first;
	size_t		t;
	size_t		c;

	for (first = 0; first < rows; first += MB_PANEL)
	{
		size_t		some = rows - first < MB_PANEL ? rows - first : MB_PANEL;

		if (some < MB_PANEL)
			memset(panels, 0, width * MB_PANEL * sizeof(float));
		/* four rows at once are a vector for the compiler to store */
		for (c = 0; c + 4 <= some; c += 4)
		{
			const float *from = x + (first + c) * ld;

			for (t = 0; t < width; t++)
			{
				panels[t * MB_PANEL + c] = from[t];
				panels[t * MB_PANEL + c + 1] = from[ld + t];
				panels[t * MB_PANEL + c + 2] = from[2 * ld + t];
				panels[t * MB_PANEL + c + 3] = from[3 * ld + t];
			}
		}
		for (; c < some; c++)
			for (t = 0; t < width; t++)
				panels[t * MB_PANEL + c] = x[(first + c) * ld + t];
		panels += width * MB_PANEL;
	}
}

void
mb_pack_values(const float *x, size_t ld, size_t rows, size_t width,
			   float *panels)
{
	size_t		first;
	size_t		t;

	for (first = 0; first < width; first += MB_PANEL)
	{
		size_t		some = width - first < MB_PANEL ? width - first : MB_PANEL;

		for (t = 0; t < rows; t++)
		{
			memcpy(panels, x + t * ld + first, some * sizeof(float));
			memset(panels + some, 0, (MB_PANEL - some) * sizeof(float));
			panels += MB_PANEL;
		}
	}
}

/* Plain C */

void
mb_finish_sums(const mb_product *p, size_t row, size_t column, float *sums,
			   size_t width)
{
	float	   *y = p->y + row * p->n + column;
	size_t		i;

	for (i = 0; p->map->bias != NULL && i < width; i++)
		sums[i] += p->map->bias[column + i];
	if (p->activation != MB_ACT_LINEAR)
		p->kernels->activation(p->activation, sums, width);
	for (i = 0; p->residual != NULL && i < width; i++)
		sums[i] += p->residual[row * p->n + column + i];
	for (i = 0; p->norm != NULL && i < width; i++)
		sums[i] = sums[i] * p->norm->weight[column + i] +
			p->norm->bias[column + i];
	memcpy(y, sums, width * sizeof(float));
}

/* Outputs of the panel at column that are wanted. */
static size_t
panel_width(const mb_product *p, size_t column)
{
	size_t		left = p->first + p->width - column;

	return left < MB_PANEL ? left : MB_PANEL;
}

/* sums[c] = sum over t of x[t] * panel[t, c] in double */
static void
panel_sums(const float *x, const float *panel, size_t k, double *sums)
{
	size_t		t;
	size_t		c;

	for (t = 0; t < k; t++)
		for (c = 0; c < MB_PANEL; c++)
			sums[c] += (double) x[t] * (double) panel[t * MB_PANEL + c];
}

/* The outputs of one panel for a block of rows. */
static void
panel_block(const mb_product *p, size_t row, size_t rows, size_t column)
{
	double		sums[MB_ROW_BLOCK][MB_PANEL] = {{0}};
	float		panel[WIDEN_ROWS * MB_PANEL];
	size_t		at;
	size_t		i;
	size_t		c;

	for (at = 0; at < p->k; at += WIDEN_ROWS)
	{
		size_t		some = p->k - at < WIDEN_ROWS ? p->k - at : WIDEN_ROWS;

		mb_format_widen(p->map->format, p->map->panels, p->k,
						column / MB_PANEL, at, some, panel);
		for (i = 0; i < rows; i++)
			panel_sums(p->x + (row + i) * p->k + at, panel, some, sums[i]);
	}
	for (i = 0; i < rows; i++)
	{
		float		rounded[MB_PANEL];

		for (c = 0; c < MB_PANEL; c++)
			rounded[c] = (float) sums[i][c];
		mb_finish_sums(p, row + i, column, rounded, panel_width(p, column));
	}
}

static void
linear_ref(const mb_product *p)
{
	size_t		column;
	size_t		row;

	for (column = p->first; column < p->first + p->width; column += MB_PANEL)
		for (row = 0; row < p->rows; row += MB_ROW_BLOCK)
			panel_block(p, row, p->rows - row < MB_ROW_BLOCK ?
						p->rows - row : MB_ROW_BLOCK, column);
}

const mb_linear_kernel mb_exact_ref = {.run = linear_ref};

void
mb_matrix_ref(const float *a, size_t lda, const float *panels, float scale,
			  float *y, size_t ldy, size_t m, size_t n, size_t k)
{
	size_t		column;
	size_t		i;
	size_t		c;

	for (column = 0; column < n; column += MB_PANEL)
	{
		for (i = 0; i < m; i++)
		{
			double		sums[MB_PANEL] = {0};

			panel_sums(a + i * lda, panels + column * k, k, sums);
			for (c = 0; c < MB_PANEL && column + c < n; c++)
				y[i * ldy + column + c] = scale * (float) sums[c];
		}
	}
}

/*
 * OpenBLAS, in double: its sums in float are further from the exact result than
 * the bound on fidelity allows, however few inputs are summed at a time
 * (test/golden/model/README.md).  Sizes are below 2^31 because mb_config_read()
 * bounds them.
 */

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

		mb_format_widen(p->map->format, p->map->panels, p->k,
						column / MB_PANEL, at, some, panel);
		add_openblas(p->x + row * p->k + at, p->k, MB_ROW_BLOCK, some, panel,
					 sums);
	}
	for (i = 0; i < MB_ROW_BLOCK && row + i < p->rows; i++)
	{
		for (c = 0; c < MB_PANEL; c++)
			rounded[c] = (float) sums[i * MB_PANEL + c];
		mb_finish_sums(p, row + i, column, rounded, panel_width(p, column));
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
