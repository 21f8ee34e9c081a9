/*-------------------------------------------------------------------------
 *
 * test_reduced.c
 *	  Products with fewer bits: each form on each instruction set against
 *	  double arithmetic, in every size from 1 to 65; int8 against exact
 *	  integers; rows that keep their bits in any batch.
 *
 * Buffers have the size that reduced.h asks for and no more, so that the
 * sanitizers see a step too far.  Instruction sets that this processor lacks
 * are skipped by name.
 *
 *-------------------------------------------------------------------------
 */
#include "reduced.h"

#include "tap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST 65

static const char *const sets[] = {"ref", "avx2", "avx512", "vnni", "amx"};
static const char *const forms[] = {"int8", "bf16", "bf16x3"};

#define SETS (sizeof(sets) / sizeof(sets[0]))

static uint64_t seed = 20251;

static uint32_t
random_bits(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t) (seed >> 33);
}

/* Uniform in [-1, 1). */
static float
uniform(void)
{
	return (float) ((double) random_bits() / (1u << 30) - 1.0);
}

/* All operands of a product, and its results. */
typedef struct product
{
	const mb_reduced_kernels *kernels;
	mb_reduced_form form;
	size_t		rows;
	size_t		k;
	size_t		n;
	float	   *x;				/* [rows, k] */
	float	   *w;				/* [n, k] */
	float	   *bias;			/* [n] */
	float	   *y;				/* [rows, n] */
	void	   *panel;
	mb_reduced_rows ready;
} product;

static void *
aligned(size_t size)
{
	void	   *p = NULL;

	if (posix_memalign(&p, 64, size > 0 ? size : 1) != 0)
		abort();
	return p;
}

static float *
floats(size_t count, float scale)
{
	float	   *p = malloc(count * sizeof(float));
	size_t		i;

	for (i = 0; i < count; i++)
		p[i] = scale * uniform();
	return p;
}

static void
product_make(product *p, mb_reduced_form form,
			 const mb_reduced_kernels *kernels, size_t rows, size_t k, size_t n)
{
	memset(p, 0, sizeof(*p));
	p->form = form;
	p->kernels = kernels;
	p->rows = rows;
	p->k = k;
	p->n = n;
	p->x = floats(rows * k, 3.0f);
	p->w = floats(n * k, 0.3f);
	p->bias = floats(n, 1.0f);
	p->y = floats(rows * n, 1.0f);
	p->panel = aligned(mb_reduced_panel_size(form, k, n));
	p->ready.tiles = aligned(mb_reduced_rows_size(k));
}

static void
product_free(product *p)
{
	free(p->x);
	free(p->w);
	free(p->bias);
	free(p->y);
	free(p->panel);
	free(p->ready.tiles);
}

static void
product_prepare(product *p)
{
	p->ready.x = p->x;
	p->ready.ldx = p->k;
	p->ready.rows = p->rows;
	p->ready.k = p->k;
	p->kernels->prepare(&p->ready);
}

static void
product_run(product *p)
{
	mb_reduced_finish finish = {.bias = p->bias};

	mb_reduced_pack(p->form, p->w, p->k, p->n, 0, p->n, p->panel);
	product_prepare(p);
	p->kernels->linear(&p->ready, p->panel, p->n, 0, p->n, &finish, p->y,
					   p->n);
}

/*
 * How far a result may be from the exact one: half a step of each integer, or
 * the rounding of bfloat16 (2^-8 for each operand; 2^-16 for a sum of two, and
 * as much for the product low * low that is left out), and of float sums.
 */
static double
allowed(const product *p, size_t r, size_t c)
{
	const float *x = p->x + r * p->k;
	const float *w = p->w + c * p->k;
	double		low = 0.0;
	double		high = 0.0;
	double		most = 0.0;
	double		step;
	double		error = 0.0;
	double		product = 0.0;
	size_t		i;

	for (i = 0; i < p->k; i++)
	{
		low = fmin(low, x[i]);
		high = fmax(high, x[i]);
		most = fmax(most, fabs(w[i]));
		product += fabs((double) x[i] * w[i]);
	}
	step = (high - low) / 255;
	for (i = 0; i < p->ready.seconds; i++)
		if (p->ready.owner[i] == r)
			step /= 254;
	for (i = 0; i < p->k; i++)
		error += fabs(w[i]) * step * 0.501 + fabs(x[i]) * most / 254 +
			step * most / 500;
	if (p->form == MB_REDUCED_BF16)
		error = product / 127;
	if (p->form == MB_REDUCED_BF16X3)
		error = product * 3 / 65536;
	return error + (product + fabs(p->bias[c])) * 1e-6;
}

/* Largest ratio of a result's error to what is allowed */
static double
worst_error(const product *p)
{
	double		worst = 0.0;
	size_t		r;
	size_t		c;
	size_t		i;

	for (r = 0; r < p->rows; r++)
	{
		for (c = 0; c < p->n; c++)
		{
			double		exact = p->bias[c];
			double		ratio;

			for (i = 0; i < p->k; i++)
				exact += (double) p->x[r * p->k + i] * p->w[c * p->k + i];
			ratio = fabs(p->y[r * p->n + c] - exact) / allowed(p, r, c);
			if (!(ratio <= worst))
				worst = ratio;
		}
	}
	return worst;
}

static void
test_sizes(mb_reduced_form form, const mb_reduced_kernels *kernels)
{
	double		worst = 0.0;
	double		at_least = 1.0;
	size_t		k;
	size_t		n;

	for (k = 1; k <= MOST; k++)
	{
		for (n = 1; n <= MOST; n++)
		{
			product		p;
			double		error;

			product_make(&p, form, kernels, 1 + (k + n) % 5, k, n);
			if ((k + n) % 3 == 0)
				p.x[random_bits() % k] = 3e4f;
			product_run(&p);
			error = worst_error(&p);
			worst = fmax(worst, error);
			at_least = fmin(at_least, error);
			product_free(&p);
		}
	}
	ok(worst <= 1.0, "%s %s: every size up to %d: error at most %.3f of what is "
	   "allowed", forms[form], kernels->name, MOST, worst);
}

static void
test_rows(mb_reduced_form form, const mb_reduced_kernels *kernels)
{
	static const size_t widths[][2] = {{128, 65}, {70, 128}, {512, 33}};
	double		worst = 0.0;
	size_t		rows;
	size_t		i;

	for (i = 0; i < 3; i++)
	{
		for (rows = 1; rows <= MB_REDUCED_ROWS; rows++)
		{
			product		p;

			product_make(&p, form, kernels, rows, widths[i][0], widths[i][1]);
			p.x[random_bits() % (rows * p.k)] = -2.5e7f;
			product_run(&p);
			worst = fmax(worst, worst_error(&p));
			product_free(&p);
		}
	}
	ok(worst <= 1.0, "%s %s: 1 to %d rows: error at most %.3f of "
	   "what is allowed", forms[form], kernels->name, MB_REDUCED_ROWS, worst);
}

/* Operands that int8 holds exactly: results are integers. */
static void
test_exact_integers(const mb_reduced_kernels *kernels)
{
	static const size_t widths[] = {1, 2, 3, 17, 63, 64, 65, 127, 128, 512};
	size_t		wrong = 0;
	size_t		i;
	size_t		j;

	for (i = 0; i < sizeof(widths) / sizeof(widths[0]); i++)
	{
		product		p;
		size_t		r;
		size_t		c;

		product_make(&p, MB_REDUCED_INT8, kernels, 7, widths[i], 35);
		/* row 0 and column 0: extremes, which saturate 16 bits */
		for (j = 0; j < p.rows * p.k; j++)
			p.x[j] = j < p.k || j % p.k == 0 ? 255.0f :
				(float) (random_bits() % 256);
		for (j = 0; j < p.n * p.k; j++)
			p.w[j] = j < p.k || j % p.k == 0 ? 127.0f :
				(float) (random_bits() % 255) - 127.0f;
		memset(p.bias, 0, p.n * sizeof(float));
		product_run(&p);
		for (r = 0; r < p.rows; r++)
		{
			for (c = 0; c < p.n; c++)
			{
				double		exact = 0.0;

				for (j = 0; j < p.k; j++)
					exact += (double) p.x[r * p.k + j] * p.w[c * p.k + j];
				if (p.y[r * p.n + c] != exact)
					wrong++;
			}
		}
		product_free(&p);
	}
	ok(wrong == 0, "int8 %s: %zu sums of integers are not exact",
	   kernels->name, wrong);
}

/* Activations become the same integers as in plain C, byte for byte. */
static void
test_same_integers(const mb_reduced_kernels *kernels)
{
	const mb_reduced_kernels *ref = mb_reduced_find(MB_REDUCED_INT8, "ref");
	size_t		wrong = 0;
	size_t		seconds = 0;
	size_t		k;

	for (k = 1; k <= 200; k++)
	{
		product		p;
		mb_reduced_rows expected;
		size_t		size = mb_reduced_rows_size(k);
		size_t		i;

		product_make(&p, MB_REDUCED_INT8, kernels, 1 + k % MB_REDUCED_ROWS,
					 k, 1);
		for (i = 0; i < p.rows; i += 3)
			p.x[i * k + random_bits() % k] *= 1000.0f;
		for (i = 0; i < p.rows * k; i++)
			if (k % 4 == 0 && p.x[i] < 0)
				p.x[i] = 0;
		memset(p.ready.tiles, 0, size);
		product_prepare(&p);
		expected = p.ready;
		expected.tiles = aligned(size);
		memset(expected.tiles, 0, size);
		ref->prepare(&expected);
		if (expected.seconds != p.ready.seconds ||
			memcmp(expected.tiles, p.ready.tiles, size) != 0 ||
			memcmp(expected.owner, p.ready.owner, expected.seconds) != 0 ||
			memcmp(expected.scale, p.ready.scale,
				   p.rows * sizeof(float)) != 0 ||
			memcmp(expected.zero, p.ready.zero, p.rows * sizeof(float)) != 0)
			wrong++;
		seconds += p.ready.seconds;
		free(expected.tiles);
		product_free(&p);
	}
	ok(wrong == 0 && seconds > 0, "int8 %s: %zu of 200 blocks differ from plain "
	   "C (%zu second terms)", kernels->name, wrong, seconds);
}

/* A row of p alone, against the same row in its batch */
static bool
row_keeps_bits(const product *p, size_t r)
{
	mb_reduced_finish finish = {.bias = p->bias};
	float	   *x = malloc(p->k * sizeof(float));
	float	   *y = malloc(p->n * sizeof(float));
	mb_reduced_rows alone;
	bool		same;

	memset(&alone, 0, sizeof(alone));
	memcpy(x, p->x + r * p->k, p->k * sizeof(float));
	alone.x = x;
	alone.ldx = p->k;
	alone.rows = 1;
	alone.k = p->k;
	alone.tiles = aligned(mb_reduced_rows_size(p->k));
	p->kernels->prepare(&alone);
	p->kernels->linear(&alone, p->panel, p->n, 0, p->n, &finish, y, p->n);
	same = memcmp(y, p->y + r * p->n, p->n * sizeof(float)) == 0;
	free(alone.tiles);
	free(x);
	free(y);
	return same;
}

static void
test_batches(mb_reduced_form form, const mb_reduced_kernels *kernels)
{
	size_t		wrong = 0;
	size_t		checked = 0;
	size_t		i;
	size_t		r;

	for (i = 0; i < 40; i++)
	{
		product		p;

		product_make(&p, form, kernels, 1 + random_bits() % MB_REDUCED_ROWS,
					 1 + random_bits() % 300, 1 + random_bits() % 200);
		for (r = 0; r < p.rows; r++)
			if (random_bits() % 3 == 0)
				p.x[r * p.k + random_bits() % p.k] = 1e6f * uniform();
		product_run(&p);
		for (r = 0; r < p.rows; r++, checked++)
			if (!row_keeps_bits(&p, r))
				wrong++;
		product_free(&p);
	}
	ok(wrong == 0, "%s %s: %zu of %zu rows have other bits alone than in a "
	   "batch", forms[form], kernels->name, wrong, checked);
}

/* Everything that a finish can ask for, in parts of the columns, in place */
static void
test_finish(mb_reduced_form form, const mb_reduced_kernels *kernels)
{
	product		p;
	mb_reduced_finish finish = {.relu = true};
	float	   *sums;
	float	   *residual;
	float	   *weight;
	float	   *bias;
	double		worst = 0.0;
	size_t		i;

	product_make(&p, form, kernels, 29, 96, 83);
	product_run(&p);
	sums = malloc(p.rows * p.n * sizeof(float));
	memcpy(sums, p.y, p.rows * p.n * sizeof(float));
	residual = floats(p.rows * p.n, 5.0f);
	weight = floats(p.n, 1.0f);
	bias = floats(p.n, 1.0f);
	memcpy(p.y, residual, p.rows * p.n * sizeof(float));
	finish.bias = p.bias;
	finish.residual = p.y;
	finish.ldr = p.n;
	finish.norm_weight = weight;
	finish.norm_bias = bias;
	kernels->linear(&p.ready, p.panel, p.n, 0, 32, &finish, p.y, p.n);
	kernels->linear(&p.ready, p.panel, p.n, 64, p.n, &finish, p.y, p.n);
	kernels->linear(&p.ready, p.panel, p.n, 32, 64, &finish, p.y, p.n);
	for (i = 0; i < p.rows * p.n; i++)
	{
		double		y = sums[i] > 0 ? sums[i] : 0;

		y = (y + residual[i]) * weight[i % p.n] + bias[i % p.n];
		worst = fmax(worst, fabs(p.y[i] - y));
	}
	ok(worst < 1e-5, "%s %s: bias, relu, residual and norm in three parts: "
	   "largest difference %.2g", forms[form], kernels->name, worst);

	/* without bias */
	memset(&finish, 0, sizeof(finish));
	kernels->linear(&p.ready, p.panel, p.n, 0, p.n, &finish, p.y, p.n);
	worst = 0.0;
	for (i = 0; i < p.rows * p.n; i++)
		worst = fmax(worst, fabs(p.y[i] + p.bias[i % p.n] - sums[i]));
	ok(worst < 1e-5, "%s %s: no bias: largest difference %.2g", forms[form],
	   kernels->name, worst);
	free(sums);
	free(residual);
	free(weight);
	free(bias);
	product_free(&p);
}

/* What is no number stays none, in its row or column alone. */
static void
test_no_numbers(mb_reduced_form form, const mb_reduced_kernels *kernels)
{
	product		p;
	size_t		wrong = 0;
	size_t		i;

	product_make(&p, form, kernels, 20, 70, 40);
	p.x[3 * p.k + 69] = NAN;
	p.x[17 * p.k] = -INFINITY;
	p.w[39 * p.k + 5] = NAN;
	memset(p.x + 9 * p.k, 0, p.k * sizeof(float));
	product_run(&p);
	for (i = 0; i < p.rows * p.n; i++)
	{
		size_t		r = i / p.n;
		bool		bad = r == 3 || r == 17 || i % p.n == 39;

		if (bad == (isfinite(p.y[i]) != 0))
			wrong++;
		if (!bad && r == 9 && p.y[i] != p.bias[i % p.n])
			wrong++;
	}
	ok(wrong == 0, "%s %s: %zu results wrong beside NaN, infinity and a row of "
	   "zeros", forms[form], kernels->name, wrong);
	product_free(&p);
}

static void
test_limits(void)
{
	ok(mb_reduced_panel_size(MB_REDUCED_INT8, MB_REDUCED_WIDTH_MAX + 1, 1) ==
	   SIZE_MAX, "no panels for rows whose sums could overflow");
	ok(mb_reduced_panel_size(MB_REDUCED_BF16X3, MB_REDUCED_WIDTH_MAX,
							 SIZE_MAX / 64) == SIZE_MAX &&
	   mb_reduced_panel_size(MB_REDUCED_BF16, 64, SIZE_MAX) == SIZE_MAX,
	   "panels beyond size_t are refused");
	ok(mb_reduced_rows_size(SIZE_MAX) == SIZE_MAX,
	   "rows beyond size_t are refused");
	ok(mb_reduced_find(MB_REDUCED_INT8, "sse") == NULL &&
	   mb_reduced_best(MB_REDUCED_INT8, "ref") ==
	   mb_reduced_find(MB_REDUCED_INT8, "ref"),
	   "an instruction set without functions has none, or plain C's");
}

static void
test_set(mb_reduced_form form, const mb_reduced_kernels *kernels)
{
	if (kernels->begin != NULL && !kernels->begin())
	{
		ok(false, "%s %s: begins", forms[form], kernels->name);
		return;
	}
	test_sizes(form, kernels);
	test_rows(form, kernels);
	test_batches(form, kernels);
	test_finish(form, kernels);
	test_no_numbers(form, kernels);
	if (form == MB_REDUCED_INT8)
	{
		test_exact_integers(kernels);
		test_same_integers(kernels);
	}
	if (kernels->end != NULL)
		kernels->end();
}

int
main(void)
{
	mb_reduced_form form;
	size_t		i;

	for (form = 0; form < MB_REDUCED_FORMS; form++)
	{
		for (i = 0; i < SETS; i++)
		{
			const mb_reduced_kernels *kernels = mb_reduced_find(form, sets[i]);

			if (kernels == NULL)
				ok(true, "%s: nothing for %s here # skip", forms[form],
				   sets[i]);
			else
				test_set(form, kernels);
		}
	}
	test_limits();
	return done_testing();
}
