/*-------------------------------------------------------------------------
 *
 * symmetric.c
 *	  Cholesky's factors of a symmetric matrix, and what they solve.
 *
 * Depends on learning/symmetric.h.
 *
 *-------------------------------------------------------------------------
 */
#include "learning/symmetric.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define BLOCK MB_FACTOR_BLOCK

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t
spare_columns(size_t n)
{
	return n > MB_FACTOR_COLUMNS ? n : MB_FACTOR_COLUMNS;
}

bool
mb_factor_memory(size_t n, size_t *bytes)
{
	size_t		rows;			/* of n, and those of a block beside it */

	return n <= SIZE_MAX / 2 && mb_size_add(n, 2 * BLOCK, &rows) &&
		mb_size_multiply(rows, n, bytes) &&
		mb_size_add(*bytes, spare_columns(n) * BLOCK, bytes) &&
		mb_size_multiply(*bytes, sizeof(double), bytes);
}

mb_status
mb_factor_begin(mb_factor *factor, size_t n, const mb_products *products,
				mb_arena *arena, mb_error *err)
{
	size_t		bytes;

	MB_ASSERT(n % MB_LANES == 0);
	if (!mb_factor_memory(n, &bytes))
		return mb_fail_memory(err);
	factor->products = products;
	factor->n = n;
	factor->matrix = mb_arena_alloc(arena, n * n, sizeof(double));
	factor->inverses = mb_arena_alloc(arena, n * BLOCK, sizeof(double));
	factor->panel = mb_arena_alloc(arena, n * BLOCK, sizeof(double));
	factor->spare = mb_arena_alloc(arena, spare_columns(n) * BLOCK,
								   sizeof(double));
	if (factor->matrix == NULL || factor->inverses == NULL ||
		factor->panel == NULL || factor->spare == NULL)
		return mb_fail_memory(err);
	return MB_OK;
}

/*
 * The factor of a diagonal block a [size, size] at distance n, and its inverse
 * [size, BLOCK].  least: what no diagonal element is below.
 */
static bool
factor_block(double *a, size_t n, size_t size, double least, double *inverse)
{
	bool		weak = false;
	size_t		i;
	size_t		j;
	size_t		k;

	for (j = 0; j < size; j++)
	{
		for (i = j; i < size; i++)
		{
			double		sum = a[i * n + j];

			for (k = 0; k < j; k++)
				sum -= a[i * n + k] * a[j * n + k];
			if (i > j)
				sum /= a[j * n + j];
			else if (sum > least)
				sum = sqrt(sum);
			else
			{
				sum = sqrt(least);
				weak = true;
			}
			a[i * n + j] = sum;
		}
	}
	memset(inverse, 0, size * BLOCK * sizeof(double));
	for (j = 0; j < size; j++)
	{
		inverse[j * BLOCK + j] = 1 / a[j * n + j];
		for (i = j + 1; i < size; i++)
		{
			double		sum = 0;

			for (k = j; k < i; k++)
				sum += a[i * n + k] * inverse[k * BLOCK + j];
			inverse[i * BLOCK + j] = -sum / a[i * n + i];
		}
	}
	return weak;
}

/*
 * The rows below a diagonal block: panel times the transpose of the inverse;
 * then what they take away from the rest of the matrix.
 */
static void
factor_below(mb_factor *factor, size_t start, size_t size)
{
	const mb_products *products = factor->products;
	size_t		n = factor->n;
	const double *inverse = factor->inverses + start * BLOCK;
	size_t		first = start + size;
	size_t		rows = n - first;
	double	   *below = factor->matrix + first * n + start;
	double		transpose[BLOCK * BLOCK];
	size_t		i;
	size_t		j;

	for (i = 0; i < size; i++)
		for (j = 0; j < size; j++)
			transpose[j * size + i] = inverse[i * BLOCK + j];
	memset(factor->spare, 0, rows * size * sizeof(double));
	products->multiply(below, n, 1, transpose, size, factor->spare, size,
					   rows, size, size, 1);
	for (i = 0; i < rows; i++)
		for (j = 0; j < size; j++)
		{
			below[i * n + j] = factor->spare[i * size + j];
			factor->panel[j * rows + i] = factor->spare[i * size + j];
		}
	for (i = 0; i < rows; i += BLOCK)
	{
		size_t		m = smaller(BLOCK, rows - i);

		products->multiply(factor->spare + i * size, size, 1, factor->panel,
						   rows, factor->matrix + (first + i) * n + first, n,
						   m, i + m, size, -1);
	}
}

mb_status
mb_factor_compute(mb_factor *factor, bool *weak, const mb_cancel *cancel,
				  mb_error *err)
{
	size_t		n = factor->n;
	double		largest = 0;
	double		least;
	size_t		start;

	*weak = false;
	for (start = 0; start < n; start++)
		if (factor->matrix[start * n + start] > largest)
			largest = factor->matrix[start * n + start];
	least = largest > 0 ? largest * DBL_EPSILON : DBL_MIN;
	for (start = 0; start < n; start += BLOCK)
	{
		size_t		size = smaller(BLOCK, n - start);
		mb_status	status = mb_poll_cancel(cancel, "fitting", err);

		if (status != MB_OK)
			return status;
		if (factor_block(factor->matrix + start * n + start, n, size, least,
						 factor->inverses + start * BLOCK))
			*weak = true;
		if (start + size < n)
			factor_below(factor, start, size);
	}
	return MB_OK;
}

/*
 * What both ways through the factor end in, a block of x times an inverse;
 * row and column are the distances in it.
 */
static void
solve_block(const mb_factor *factor, size_t start, size_t size, size_t row,
			size_t column, double *x, size_t ld, size_t m)
{
	size_t		i;

	memset(factor->spare, 0, size * m * sizeof(double));
	factor->products->multiply(factor->inverses + start * BLOCK, row, column,
							   x + start * ld, ld, factor->spare, m,
							   size, m, size, 1);
	for (i = 0; i < size; i++)
		memcpy(x + (start + i) * ld, factor->spare + i * m,
			   m * sizeof(double));
}

static mb_status
solve_columns(const mb_factor *factor, double *x, size_t ld, size_t m,
			  const mb_cancel *cancel, mb_error *err)
{
	const mb_products *products = factor->products;
	size_t		n = factor->n;
	size_t		start;
	size_t		size;
	mb_status	status;

	for (start = 0; start < n; start += size)
	{
		size = smaller(BLOCK, n - start);
		status = mb_poll_cancel(cancel, "fitting", err);
		if (status != MB_OK)
			return status;
		products->multiply(factor->matrix + start * n, n, 1, x, ld,
						   x + start * ld, ld, size, m, start, -1);
		solve_block(factor, start, size, BLOCK, 1, x, ld, m);
	}
	for (start = (n - 1) / BLOCK * BLOCK;; start -= BLOCK)
	{
		size_t		next = start + smaller(BLOCK, n - start);

		status = mb_poll_cancel(cancel, "fitting", err);
		if (status != MB_OK)
			return status;
		products->multiply(factor->matrix + next * n + start, 1, n,
						   x + next * ld, ld, x + start * ld, ld,
						   next - start, m, n - next, -1);
		solve_block(factor, start, next - start, 1, BLOCK, x, ld, m);
		if (start == 0)
			break;
	}
	return MB_OK;
}

mb_status
mb_factor_solve(const mb_factor *factor, double *x, size_t ld, size_t m,
				const mb_cancel *cancel, mb_error *err)
{
	size_t		j;

	for (j = 0; j < m; j += MB_FACTOR_COLUMNS)
	{
		mb_status	status = solve_columns(factor, x + j, ld,
										   smaller(MB_FACTOR_COLUMNS, m - j),
										   cancel, err);

		if (status != MB_OK)
			return status;
	}
	return MB_OK;
}
