/*-------------------------------------------------------------------------
 *
 * test_products.c
 *	  Arithmetic of fitting: right, and of the same bits with every instruction
 *	  set; Cholesky's factors.
 *
 *-------------------------------------------------------------------------
 */
#include "base/cpu.h"
#include "kernels/products.h"
#include "learning/symmetric.h"
#include "tap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST 128

static const mb_products *tables[3];
static int	table_count;

static uint64_t state = 1;

/* -1 to 1 */
static double
number(void)
{
	state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (double) (int64_t) state / 0x1p63;
}

static void
find_tables(void)
{
	tables[table_count++] = &mb_products_plain;
#if defined(__x86_64__)
	if (mb_cpu_has_avx2())
		tables[table_count++] = &mb_products_avx2;
	if (mb_cpu_has_avx512())
		tables[table_count++] = &mb_products_avx512;
#endif
}

static void
test_multiply(void)
{
	static const size_t shapes[][3] = {
		{1, 8, 1}, {1, 8, 0}, {5, 16, 3}, {6, 24, 64}, {7, 40, 33},
		{13, 8, 100}, {64, 80, 97}, {0, 8, 4}, {31, 128, 17}
	};
	static double a[MOST * MOST];
	static double b[MOST * MOST];
	static double start[MOST * MOST];
	static double c[3][MOST * MOST];
	size_t		s;
	int			way;

	for (s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++)
		for (way = 0; way < 4; way++)
		{
			size_t		m = shapes[s][0];
			size_t		n = shapes[s][1];
			size_t		k = shapes[s][2];
			size_t		row = way & 1 ? 1 : MOST;
			size_t		column = way & 1 ? MOST : 1;
			double		sign = way & 2 ? -1 : 1;
			double		worst = 0;
			size_t		i;
			size_t		j;
			size_t		p;
			int			t;

			for (i = 0; i < MOST * MOST; i++)
			{
				a[i] = number();
				b[i] = number();
				start[i] = number();
			}
			for (t = 0; t < table_count; t++)
			{
				memcpy(c[t], start, sizeof(start));
				tables[t]->multiply(a, row, column, b, MOST, c[t], MOST,
									m, n, k, sign);
			}
			for (i = 0; i < MOST; i++)
				for (j = 0; j < MOST; j++)
				{
					double		sum = 0;

					for (p = 0; p < k; p++)
						sum = fma(a[i * row + p * column], b[p * MOST + j],
								  sum);
					sum = start[i * MOST + j] +
						(i < m && j < n ? sign * sum : 0);
					worst = fmax(worst, fabs(sum - c[0][i * MOST + j]));
				}
			ok(worst == 0, "%zu x %zu x %zu, way %d: each sum in its order",
			   m, n, k, way);
			for (t = 1; t < table_count; t++)
				ok(memcmp(c[0], c[t], sizeof(c[0])) == 0,
				   "%s has the same bits", tables[t]->name);
		}
}

static void
test_softmax(void)
{
	enum
	{
		ROWS = 40, WIDTH = 24, LABELS = 19
	};
	static double logits[ROWS * WIDTH];
	static double out[3][ROWS * WIDTH];
	double		weights[ROWS];
	uint32_t	labels[ROWS];
	double		loss[3][ROWS];
	double		worst = 0;
	double		worst_loss = 0;
	int			t;
	int			r;
	int			j;

	for (r = 0; r < ROWS; r++)
	{
		double		reach = r < 10 ? 1 : r < 20 ? 30 : r < 30 ? 700 : 1e6;

		for (j = 0; j < WIDTH; j++)
			logits[r * WIDTH + j] = j < LABELS ? number() * reach : MB_NEVER;
		labels[r] = r % LABELS;
		weights[r] = r % 3 == 0 ? 1 : 0.25 * r;
	}
	for (t = 0; t < table_count; t++)
	{
		memcpy(out[t], logits, sizeof(logits));
		tables[t]->softmax(out[t], ROWS, WIDTH, labels, weights, loss[t]);
		ok(memcmp(out[t], out[0], sizeof(logits)) == 0 &&
		   memcmp(loss[t], loss[0], sizeof(loss[0])) == 0,
		   "softmax of %s: the same bits", tables[t]->name);
	}
	for (r = 0; r < ROWS; r++)
	{
		const double *x = logits + r * WIDTH;
		long double top = x[0];
		long double sum = 0;

		for (j = 1; j < LABELS; j++)
			if (x[j] > top)
				top = x[j];
		for (j = 0; j < LABELS; j++)
			sum += expl(x[j] - top);
		for (j = 0; j < WIDTH; j++)
		{
			long double exact = j >= LABELS ? 0 : expl(x[j] - top) / sum;

			exact = weights[r] * (exact - (j == (int) labels[r]));
			worst = fmax(worst, fabsl(exact - out[0][r * WIDTH + j]) /
						 fmax(weights[r], 1));
		}
		sum = weights[r] * (top + logl(sum) - x[labels[r]]);
		worst_loss = fmax(worst_loss, fabsl(sum - loss[0][r]) /
						  fmax(1, fabsl(sum)));
	}
	ok(worst < 1e-15, "softmax: gradients (%.1e)", worst);
	ok(worst_loss < 1e-14, "softmax: losses (%.1e)", worst_loss);
}

static void
test_sigmoid(void)
{
	enum
	{
		WIDTH = 4096
	};
	static double logits[WIDTH];
	static double targets[WIDTH];
	static double weights[WIDTH];
	static double out[3][WIDTH];
	double		loss[3];
	double		worst = 0;
	long double sum = 0;
	int			t;
	int			j;

	for (j = 0; j < WIDTH; j++)
	{
		logits[j] = number() * (j < 3000 ? 40 : 1e5);
		targets[j] = j % 3 == 0;
		weights[j] = j % 5 == 0 ? 0 : 1 + number();
	}
	logits[0] = 0;
	for (t = 0; t < table_count; t++)
	{
		memcpy(out[t], logits, sizeof(logits));
		loss[t] = tables[t]->sigmoid(out[t], targets, weights, WIDTH);
		ok(memcmp(out[t], out[0], sizeof(logits)) == 0 && loss[t] == loss[0],
		   "sigmoid of %s: the same bits", tables[t]->name);
		ok(tables[t]->dot(logits, targets, WIDTH) ==
		   tables[0]->dot(logits, targets, WIDTH),
		   "dot of %s: the same bits", tables[t]->name);
	}
	for (j = 0; j < WIDTH; j++)
	{
		long double x = logits[j];
		long double p = x > 0 ? 1 / (1 + expl(-x)) : expl(x) / (1 + expl(x));

		worst = fmax(worst, fabsl(weights[j] * (p - targets[j]) - out[0][j]));
		sum += weights[j] * (log1pl(expl(-fabsl(x))) + (x > 0 ? x : 0) -
							 targets[j] * x);
	}
	ok(worst < 1e-15, "sigmoid: gradients (%.1e)", worst);
	ok(fabsl(sum - loss[0]) < 1e-13 * sum, "sigmoid: the loss");
}

/* A matrix with known solutions, and what is left of rounding alone */
static void
test_factor(void)
{
	static const size_t sizes[] = {8, 24, 32, 40, 104};
	size_t		s;

	for (s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
	{
		size_t		n = sizes[s];
		size_t		m = 16;
		double	   *matrix = calloc(n * n, sizeof(double));
		double	   *x = calloc(n * m, sizeof(double));
		double	   *right = calloc(n * m, sizeof(double));
		double	   *columns = calloc(n * n, sizeof(double));
		mb_arena	arena;
		mb_factor	factor;
		mb_error	err;
		double		worst = 0;
		size_t		bytes;
		bool		weak = true;
		size_t		i;

		for (i = 0; i < n * n; i++)
			columns[i] = number();
		for (i = 0; i < n; i++)
			matrix[i * n + i] = 1;
		mb_products_plain.multiply(columns, 1, n, columns, n, matrix, n, n, n,
								   n, 1);
		for (i = 0; i < n * m; i++)
			x[i] = number();
		mb_products_plain.multiply(matrix, n, 1, x, m, right, m, n, m, n, 1);
		mb_arena_init(&arena, &mb_libc_memory, SIZE_MAX);
		ok(mb_factor_begin(&factor, n, mb_products_choose(), &arena,
						   &err) == MB_OK, "begun");
		/* the upper half is not looked at */
		for (i = 0; i < n * n; i++)
			factor.matrix[i] = i % n > i / n ? NAN : matrix[i];
		ok(mb_factor_compute(&factor, &weak, NULL, &err) == MB_OK && !weak,
		   "%zu: factored", n);
		ok(mb_factor_solve(&factor, right, m, m, NULL, &err) == MB_OK,
		   "%zu: solved", n);
		for (i = 0; i < n * m; i++)
			worst = fmax(worst, fabs(right[i] - x[i]));
		ok(worst < 1e-12, "%zu: what was multiplied (%.1e)", n, worst);
		ok(mb_factor_memory(n, &bytes) && bytes <= arena.total + 64,
		   "%zu: memory", n);

		for (i = 0; i < n * n; i++)
			factor.matrix[i] = 1;
		ok(mb_factor_compute(&factor, &weak, NULL, &err) == MB_OK && weak,
		   "%zu: a singular one is told", n);
		mb_arena_free(&arena);
		free(columns);
		free(right);
		free(x);
		free(matrix);
	}
}

int
main(void)
{
	find_tables();
	test_multiply();
	test_softmax();
	test_sigmoid();
	test_factor();
	return done_testing();
}
