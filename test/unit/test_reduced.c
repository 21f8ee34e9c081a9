/*-------------------------------------------------------------------------
 *
 * test_reduced.c
 *	  Products with fewer bits, and of floats in parts: each form on each
 *	  instruction set against double arithmetic, in every size from 1 to 65;
 *	  int8 against exact integers; rows that keep their bits in any batch.
 *
 * Buffers have the size that kernels.h asks for and no more, so that the
 * sanitizers see a step too far.  Tables of instruction sets that this
 * processor lacks are skipped by name; TABLE or TABLE/FORM on the command line is
 * what to test.
 *
 *-------------------------------------------------------------------------
 */
#include "base/dtype.h"
#include "kernels/choose.h"
#include "kernels/dense.h"
#include "kernels/panels.h"
#include "kernels/reduced.h"
#include "kernels/reduced_layout.h"

#include "sets.h"
#include "tap.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST 65

/* Rows of a batch: one group, its neighbours, and more */
#define ROWS 70

static const char *const tables[] = {"ref", SET_NAMES};

#define TABLES (sizeof(tables) / sizeof(tables[0]))

typedef struct form
{
	const char *name;
	mb_format	format;
} form;

static const form forms[] = {
	{"int8", MB_FORMAT_INT8},
	{"bf16", MB_FORMAT_BF16},
	{"bf16x3", MB_FORMAT_BF16X3},
	{"float split", MB_FORMAT_FLOAT_SPLIT},
	{"half split", MB_FORMAT_HALF_SPLIT},
	{"bfloat split", MB_FORMAT_BFLOAT_SPLIT}
};

#define FORMS (sizeof(forms) / sizeof(forms[0]))

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

/* The table that is tested */
static const mb_kernels *kernels;

/* All operands of a product, and its results. */
typedef struct trial
{
	const char *table;			/* of kernels, by name */
	size_t		rows;
	size_t		k;
	size_t		n;
	float	   *x;				/* [rows, k], room for whole blocks */
	float	   *w;				/* [n, k] */
	float	   *bias;			/* [n] */
	float	   *y;				/* [rows, n], room for whole blocks */
	void	   *panels;
	void	   *operand;
	mb_linear	linear;
} trial;

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

/* Weights that a format holds: of 24, 11 or 8 bits of mantissa */
static void
cut_weights(mb_format format, float *w, size_t count)
{
	uint32_t	mask = format == MB_FORMAT_HALF_SPLIT ? 0xffffe000 :
		format == MB_FORMAT_BFLOAT_SPLIT ? 0xffff0000 : 0xffffffff;
	size_t		i;

	for (i = 0; i < count; i++)
	{
		uint32_t	bits;

		memcpy(&bits, &w[i], sizeof(bits));
		bits &= mask;
		memcpy(&w[i], &bits, sizeof(bits));
	}
}

static size_t
whole_blocks(size_t rows)
{
	return (rows + MB_ROW_BLOCK - 1) / MB_ROW_BLOCK * MB_ROW_BLOCK;
}

static size_t
operand_size(mb_format format, size_t rows, size_t k)
{
	const mb_linear_kernel *kernel = kernels->linear[format];

	return kernel->operand_size == NULL ? 0 : kernel->operand_size(rows, k);
}

static void
trial_make(trial *p, const form *f, size_t rows, size_t k, size_t n)
{
	size_t		size = 0;

	memset(p, 0, sizeof(*p));
	p->table = kernels->name;
	p->rows = rows;
	p->k = k;
	p->n = n;
	p->x = floats(whole_blocks(rows) * k, 3.0f);
	p->w = floats(n * k, 0.3f);
	cut_weights(f->format, p->w, n * k);
	p->bias = floats(n, 1.0f);
	p->y = floats(whole_blocks(rows) * n, 1.0f);
	(void) mb_format_size(f->format, k, n, &size);
	p->panels = aligned(size);
	p->operand = aligned(operand_size(f->format, rows, k));
	p->linear.bias = p->bias;
	p->linear.panels = p->panels;
	p->linear.format = f->format;
	p->linear.k = k;
	p->linear.n = n;
}

static void
trial_free(trial *p)
{
	free(p->x);
	free(p->w);
	free(p->bias);
	free(p->y);
	free(p->panels);
	free(p->operand);
}

static void
trial_prepare(const trial *p)
{
	const mb_linear_kernel *kernel = kernels->linear[p->linear.format];

	if (kernel->prepare != NULL)
		kernel->prepare(p->x, p->rows, p->k, p->operand);
}

static void
trial_multiply(const trial *p, const mb_epilogue *epilogue, size_t first,
			   size_t width)
{
	mb_product	product = {kernels, p->x, p->operand, p->rows, p->k, p->n,
		&p->linear, first, width, epilogue->activation, epilogue->residual,
	epilogue->norm, p->y, NULL};

	kernels->linear[p->linear.format]->run(&product);
}

static const mb_epilogue plain = {MB_ACT_LINEAR, NULL, NULL, NULL};

static void
trial_run(trial *p)
{
	mb_format_pack(p->linear.format, p->w, p->k, p->n, p->panels);
	trial_prepare(p);
	trial_multiply(p, &plain, 0, p->n);
}

/* The group of rows that row r of an INT8 operand is in */
static int8_group *
group_of(const trial *p, size_t r)
{
	return int8_group_at(p->operand, p->k, r / MB_GROUP);
}

/* Is value i of row r left out of the integers? */
static bool
left_out(const trial *p, size_t r, size_t i)
{
	const int8_group *group = group_of(p, r);
	size_t		j;

	for (j = 0; j < group->outliers[r % MB_GROUP]; j++)
		if (group->outlier[r % MB_GROUP][j].column == i)
			return true;
	return false;
}

/*
 * How far a result may be from the exact one: half a step of each integer, or
 * of the bfloat16 weight where the integers leave a value out; or the rounding
 * of bfloat16 (2^-8 for each operand; 2^-16 for a sum of two, and as much for
 * the product low * low that is left out), and of float sums.  Split floats
 * have nothing but the sums.
 */
static double
allowed(const trial *p, size_t r, size_t c)
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
		if (p->linear.format != MB_FORMAT_INT8 || !left_out(p, r, i))
		{
			low = fmin(low, x[i]);
			high = fmax(high, x[i]);
		}
		most = fmax(most, fabs(w[i]));
		product += fabs((double) x[i] * w[i]);
	}
	step = (high - low) / 255;
	for (i = 0; i < p->k && p->linear.format == MB_FORMAT_INT8; i++)
		error += left_out(p, r, i) ? fabs((double) x[i] * w[i]) / 250 :
			fabs(w[i]) * step * 0.501 + fabs(x[i]) * most / 254 +
			step * most / 500;
	if (p->linear.format == MB_FORMAT_BF16)
		error = product / 127;
	if (p->linear.format == MB_FORMAT_BF16X3)
		error = product * 3 / 65536;
	return error + (product + fabs(p->bias[c])) * 1e-6;
}

/* Largest ratio of a result's error to what is allowed */
static double
worst_error(const trial *p)
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
			if (isnan(ratio))
				return INFINITY;
			worst = fmax(worst, ratio);
		}
	}
	return worst;
}

static void
test_sizes(const form *f)
{
	double		worst = 0.0;
	size_t		k;
	size_t		n;

	for (k = 1; k <= MOST; k++)
	{
		for (n = 1; n <= MOST; n++)
		{
			trial		p;

			trial_make(&p, f, 1 + (k + n) % 5, k, n);
			if ((k + n) % 3 == 0)
				p.x[random_bits() % k] = 3e4f;
			trial_run(&p);
			worst = fmax(worst, worst_error(&p));
			trial_free(&p);
		}
	}
	ok(worst <= 1.0, "%s %s: every size up to %d: error at most %.3f of what "
	   "is allowed", f->name, kernels->name, MOST, worst);
}

static void
test_rows(const form *f)
{
	static const size_t widths[][2] = {{128, 65}, {70, 128}, {512, 33}};
	double		worst = 0.0;
	size_t		rows;
	size_t		i;

	for (i = 0; i < 3; i++)
	{
		for (rows = 1; rows <= ROWS; rows += rows < 34 ? 1 : 5)
		{
			trial		p;

			trial_make(&p, f, rows, widths[i][0], widths[i][1]);
			p.x[random_bits() % (rows * p.k)] = -2.5e7f;
			trial_run(&p);
			worst = fmax(worst, worst_error(&p));
			trial_free(&p);
		}
	}
	ok(worst <= 1.0, "%s %s: 1 to %d rows: error at most %.3f of what is "
	   "allowed", f->name, kernels->name, ROWS, worst);
}

/* Operands that int8 holds exactly: results are integers. */
static void
test_exact_integers(const form *f)
{
	static const size_t widths[] = {1, 2, 3, 17, 63, 64, 65, 127, 128, 512};
	size_t		wrong = 0;
	size_t		i;
	size_t		j;

	for (i = 0; i < sizeof(widths) / sizeof(widths[0]); i++)
	{
		trial		p;
		size_t		r;
		size_t		c;

		trial_make(&p, f, 7, widths[i], 35);
		/* row 0 and column 0: extremes, which saturate 16 bits */
		for (j = 0; j < p.rows * p.k; j++)
			p.x[j] = j < p.k || j % p.k == 0 ? 255.0f :
				(float) (random_bits() % 256);
		for (j = 0; j < p.n * p.k; j++)
			p.w[j] = j < p.k || j % p.k == 0 ? 127.0f :
				(float) (random_bits() % 255) - 127.0f;
		memset(p.bias, 0, p.n * sizeof(float));
		trial_run(&p);
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
		trial_free(&p);
	}
	ok(wrong == 0, "int8 %s: %zu sums of integers are not exact",
	   kernels->name, wrong);
}

/* Activations become the same integers as in plain C, byte for byte. */
static void
test_same_integers(const form *f)
{
	const char *name = kernels->name;
	size_t		wrong = 0;
	size_t		outliers = 0;
	size_t		k;

	for (k = 1; k <= 200; k++)
	{
		trial		p;
		size_t		size;
		void	   *expected;
		size_t		i;

		trial_make(&p, f, 1 + k % ROWS, k, 1);
		for (i = 0; i < p.rows; i += 3)
			p.x[i * k + random_bits() % k] *= 1000.0f;
		for (i = 0; i < p.rows * k; i++)
			if (k % 4 == 0 && p.x[i] < 0)
				p.x[i] = 0;
		size = mb_operand_size_int8(p.rows, k);
		expected = aligned(size);
		memset(expected, 0, size);
		memset(p.operand, 0, size);
		trial_prepare(&p);
		mb_int8_ref.prepare(p.x, p.rows, k, expected);
		if (memcmp(expected, p.operand, size) != 0)
			wrong++;
		outliers += group_of(&p, 0)->total;
		free(expected);
		trial_free(&p);
	}
	ok(wrong == 0 && outliers > 0, "int8 %s: %zu of 200 operands differ from "
	   "plain C's (%zu values left out)", name, wrong, outliers);
}

/* A row of p alone, against the same row in its batch */
static bool
row_keeps_bits(const trial *p, size_t r)
{
	trial		alone = *p;
	bool		same;

	alone.rows = 1;
	alone.x = floats(MB_ROW_BLOCK * p->k, 1.0f);
	alone.y = floats(MB_ROW_BLOCK * p->n, 1.0f);
	alone.operand = aligned(operand_size(p->linear.format, 1, p->k));
	memcpy(alone.x, p->x + r * p->k, p->k * sizeof(float));
	trial_prepare(&alone);
	trial_multiply(&alone, &plain, 0, p->n);
	same = memcmp(alone.y, p->y + r * p->n, p->n * sizeof(float)) == 0;
	free(alone.operand);
	free(alone.x);
	free(alone.y);
	return same;
}

static void
test_batches(const form *f)
{
	size_t		wrong = 0;
	size_t		checked = 0;
	size_t		i;
	size_t		r;

	for (i = 0; i < 40; i++)
	{
		trial		p;

		trial_make(&p, f, 1 + random_bits() % ROWS, 1 + random_bits() % 300,
				   1 + random_bits() % 100);
		for (r = 0; r < p.rows; r++)
			if (random_bits() % 3 == 0)
				p.x[r * p.k + random_bits() % p.k] = 1e6f * uniform();
		trial_run(&p);
		for (r = 0; r < p.rows; r++, checked++)
			if (!row_keeps_bits(&p, r))
				wrong++;
		trial_free(&p);
	}
	ok(wrong == 0, "%s %s: %zu of %zu rows have other bits alone than in a "
	   "batch", f->name, kernels->name, wrong, checked);
}

/* Everything that an epilogue can ask for, in parts of the columns, in place */
static void
test_epilogue(const form *f, mb_activation activation)
{
	trial		p;
	mb_norm		norm;
	mb_epilogue epilogue = {activation, NULL, &norm, NULL};
	float	   *sums;
	float	   *residual;
	float	   *weight;
	float	   *bias;
	double		worst = 0.0;
	size_t		i;

	trial_make(&p, f, 39, 96, 83);
	p.x[17 * p.k] = 1e4f;
	trial_run(&p);
	sums = malloc(p.rows * p.n * sizeof(float));
	memcpy(sums, p.y, p.rows * p.n * sizeof(float));
	residual = floats(p.rows * p.n, 5.0f);
	weight = floats(p.n, 1.0f);
	bias = floats(p.n, 1.0f);
	memcpy(p.y, residual, p.rows * p.n * sizeof(float));
	epilogue.residual = p.y;
	norm.weight = weight;
	norm.bias = bias;
	trial_multiply(&p, &epilogue, 0, 32);
	trial_multiply(&p, &epilogue, 64, p.n - 64);
	trial_multiply(&p, &epilogue, 32, 32);
	kernels->activation(activation, sums, p.rows * p.n);
	for (i = 0; i < p.rows * p.n; i++)
	{
		double		y = ((double) sums[i] + residual[i]) * weight[i % p.n] +
			bias[i % p.n];

		worst = fmax(worst, fabs(p.y[i] - y) / fmax(1.0, fabs(sums[i])));
	}
	ok(worst < 2e-6, "%s %s: activation %d, residual and norm in three parts: "
	   "largest difference %.2g", f->name, p.table, (int) activation, worst);

	/* no bias */
	memcpy(sums, p.y, p.rows * p.n * sizeof(float));
	trial_run(&p);
	memcpy(sums, p.y, p.rows * p.n * sizeof(float));
	p.linear.bias = NULL;
	trial_multiply(&p, &plain, 0, p.n);
	worst = 0.0;
	for (i = 0; i < p.rows * p.n; i++)
		worst = fmax(worst, fabs((double) p.y[i] + p.bias[i % p.n] - sums[i]) /
					 fmax(1.0, fabs(sums[i])));
	ok(worst < 2e-6, "%s %s: no bias: largest difference %.2g", f->name,
	   p.table, worst);
	free(sums);
	free(residual);
	free(weight);
	free(bias);
	trial_free(&p);
}

/* What is no number stays none, in its row or column alone. */
static void
test_no_numbers(const form *f)
{
	trial		p;
	size_t		wrong = 0;
	size_t		i;

	trial_make(&p, f, 20, 70, 40);
	p.x[3 * p.k + 69] = NAN;
	p.x[17 * p.k] = -INFINITY;
	p.w[39 * p.k + 5] = NAN;
	memset(p.x + 9 * p.k, 0, p.k * sizeof(float));
	trial_run(&p);
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
	   "zeros", f->name, p.table, wrong);
	trial_free(&p);
}

/*
 * Parts put together are the number, whatever its size.  Numbers of 16 bits
 * give the same results in the format of floats.
 */
static void
test_split(const form *f)
{
	/* the last ones: beyond binary16 */
	static const float extremes[] = {
		0.0f, -0.0f, 1.0f, 0x1.fffffep0f, 0x1.010101p0f, -0x1.fe01fep5f,
		0x1.00ff00p-14f, 0x1.01p0f, 0x1.03p0f, -0x1.017ffep3f, 0x1.018002p0f,
		-0x1.fffffep-3f, 65504.0f, 0x1p-24f,
		FLT_MAX, -FLT_MAX, FLT_MIN, 0x1p-100f, INFINITY
	};
	size_t		count = sizeof(extremes) / sizeof(extremes[0]) -
		(f->format == MB_FORMAT_HALF_SPLIT ? 5 : 0);
	size_t		wrong = 0;
	float	   *panel;
	trial		p;
	size_t		i;
	size_t		c;

	trial_make(&p, f, 37, 133, 45);
	memcpy(p.w + p.k, extremes, count * sizeof(float));
	cut_weights(f->format, p.w + p.k, count);
	mb_format_pack(f->format, p.w, p.k, p.n, p.panels);
	panel = malloc(p.k * MB_PANEL * sizeof(float));
	for (c = 0; c < p.n; c++)
	{
		if (c % MB_PANEL == 0)
			mb_format_widen(f->format, p.panels, p.k, c / MB_PANEL, 0, p.k,
							panel);
		for (i = 0; i < p.k; i++)
			if (panel[i * MB_PANEL + c % MB_PANEL] != p.w[c * p.k + i] &&
				isfinite(p.w[c * p.k + i]))
				wrong++;
	}
	ok(wrong == 0, "%s: %zu weights are not what they were", f->name, wrong);
	free(panel);
	trial_free(&p);

	trial_make(&p, f, 37, 133, 45);
	trial_run(&p);
	{
		trial		floats = p;
		size_t		size = 0;

		floats.linear.format = MB_FORMAT_FLOAT_SPLIT;
		(void) mb_format_size(floats.linear.format, p.k, p.n, &size);
		floats.linear.panels = floats.panels = aligned(size);
		floats.y = calloc(whole_blocks(p.rows) * p.n, sizeof(float));
		trial_run(&floats);
		ok(memcmp(p.y, floats.y, p.rows * p.n * sizeof(float)) == 0,
		   "%s %s: same bits as in the format of floats", f->name, p.table);
		free(floats.panels);
		free(floats.y);
	}
	trial_free(&p);
}

/* The same bits, or no number in both */
static bool
same_floats(const float *a, const float *b, size_t count)
{
	size_t		i;

	for (i = 0; i < count; i++)
		if (memcmp(&a[i], &b[i], sizeof(float)) != 0 &&
			!(isnan(a[i]) && isnan(b[i])))
			return false;
	return true;
}

/* Largest difference of numbers; infinite if one is none and the other is. */
static double
difference(const float *a, const float *b, size_t count)
{
	double		worst = 0.0;
	size_t		i;

	for (i = 0; i < count; i++)
	{
		if (isnan(a[i]) != isnan(b[i]))
			return INFINITY;
		if (!isnan(a[i]))
			worst = fmax(worst, fabs((double) a[i] - b[i]));
	}
	return worst;
}

/*
 * Two layers one after the other: that the first writes the second's operand
 * changes no bit, but for INT8, where numbers between the two are rounded to
 * bfloat16.  One of them stands far above the others.
 */
static void
test_chain(const form *f, mb_activation activation, size_t rows, size_t n)
{
	trial		p[2];
	mb_operand	x;
	mb_operand	y;
	mb_epilogue epilogue = {activation, NULL, NULL, NULL};
	float	   *expected;
	size_t		size;
	bool		chain = kernels->linear[f->format]->chained &&
		n >= MB_CHAIN_LEAST;
	bool		rounded = chain && f->format == MB_FORMAT_INT8 &&
		strcmp(kernels->name, "amx") == 0;
	bool		few_bits = chain && activation == MB_ACT_GELU &&
		(f->format == MB_FORMAT_INT8 || f->format == MB_FORMAT_BF16);
	size_t		i;

	trial_make(&p[0], f, rows, 70, n);
	trial_make(&p[1], f, rows, n, 45);
	mb_format_pack(f->format, p[0].w, 70, n, p[0].panels);
	mb_format_pack(f->format, p[1].w, n, 45, p[1].panels);
	x = (mb_operand) {p[0].x, rows, 70, p[0].operand, MB_FORMAT_ROWS};
	y = (mb_operand) {p[0].y, rows, n, p[1].operand, MB_FORMAT_ROWS};
	if (!few_bits)
		p[0].bias[n / 2] = 4e5f;
	if (rows > 1)
		p[0].x[(rows / 2) * 70 + 3] = NAN;
	(void) mb_dense(kernels, &p[0].linear, &x, &epilogue, p[0].y, NULL, NULL);
	for (i = 0; i < rows * n && rounded; i++)
		p[0].y[i] = mb_bf16_to_float(mb_bf16_from_float(p[0].y[i]));
	(void) mb_dense(kernels, &p[1].linear, &y, NULL, p[1].y, NULL, NULL);
	size = rows * 45 * sizeof(float);
	expected = malloc(size);
	memcpy(expected, p[1].y, size);
	memset(p[1].y, 0, size);
	y.prepared = MB_FORMAT_ROWS;
	epilogue.next = &y;
	(void) mb_dense(kernels, &p[0].linear, &x, &epilogue, p[0].y, NULL, NULL);
	ok((y.prepared == f->format) == chain, "%s %s: chained with %zu between",
	   f->name, kernels->name, n);
	(void) mb_dense(kernels, &p[1].linear, &y, NULL, p[1].y, NULL, NULL);
	if (few_bits)
		ok(difference(expected, p[1].y, rows * 45) < 0.2,
		   "%s %s: two layers in a chain and a GELU of few bits, off by %.1e",
		   f->name, kernels->name,
		   difference(expected, p[1].y, rows * 45));
	else
		ok(same_floats(expected, p[1].y, rows * 45), "%s %s: two layers in a "
		   "chain, activation %d, %zu rows, %zu between", f->name,
		   kernels->name, (int) activation, rows, n);
	free(expected);
	trial_free(&p[0]);
	trial_free(&p[1]);
}

/*
 * GELU on its way into an operand of bfloat16: numbers from -8 to 8 and some
 * far ones, through a layer that leaves them as they are.
 */
static void
test_gelu(const form *f)
{
	static const float far[] = {0.0f, -1e30f, 1e30f, -0x1p-20f, 0x1p-20f, NAN};
	const size_t n = MB_CHAIN_LEAST;
	const size_t rows = 1024 + sizeof(far) / sizeof(far[0]);
	trial		p;
	mb_product	product;
	uint8_t    *next = aligned(operand_size(f->format, rows, n));
	double		worst = 0.0;
	bool		same = true;
	size_t		r;

	trial_make(&p, f, rows, 1, n);
	for (r = 0; r < n; r++)
	{
		p.w[r] = 1.0f;
		p.bias[r] = 0.0f;
	}
	for (r = 0; r < rows; r++)
		p.x[r] = r < 1024 ? mb_bf16_to_float(mb_bf16_from_float(
														  (float) r / 64.0f - 8.0f)) : far[r - 1024];
	mb_format_pack(f->format, p.w, 1, n, p.panels);
	kernels->linear[f->format]->prepare(p.x, rows, 1, p.operand);
	product = (mb_product) {kernels, p.x, p.operand, rows, 1, n, &p.linear, 0, n,
	MB_ACT_GELU, NULL, NULL, p.y, next};
	kernels->linear[f->format]->run(&product);
	for (r = 0; r < rows; r++)
	{
		const uint16_t *line = (const uint16_t *)
			rows_line(next + r / MB_GROUP * group_tiles(f->format, n, MB_GROUP),
					  depth(f->format, n), r % MB_GROUP, 1);
		double		x = mb_bf16_to_float(mb_bf16_from_float(p.x[r]));
		double		y = mb_bf16_to_float(line[5]);
		double		exact = 0.5 * x * erfc(-x / sqrt(2.0));

		if (isnan(x))
			same = same && isnan(y);
		else
			worst = fmax(worst, (fabs(y - exact) - fabs(exact) / 256.0) /
						 fmax(fabs(x), 0.25));
	}
	ok(same && worst < 6e-5, "%s %s: GELU within %.1e beside its rounding",
	   f->name, kernels->name, worst);
	trial_free(&p);
	free(next);
}

static void
test_limits(const form *f)
{
	size_t		size;

	ok(!mb_format_size(f->format, SIZE_MAX / 2, 64, &size) &&
	   !mb_format_size(f->format, 64, SIZE_MAX, &size) &&
	   !mb_format_size(f->format, 65536, SIZE_MAX / 65536, &size),
	   "%s: panels beyond size_t are refused", f->name);
	ok(mb_format_size(f->format, MB_INT8_WIDTH_MAX + 1, 1, &size) ==
	   (f->format != MB_FORMAT_INT8),
	   "%s: sums that could overflow are refused", f->name);
}

static void
test_form(const form *f)
{
	const mb_linear_kernel *kernel = kernels->linear[f->format];

	test_sizes(f);
	test_rows(f);
	test_batches(f);
	test_epilogue(f, MB_ACT_RELU);
	test_epilogue(f, MB_ACT_GELU);
	test_no_numbers(f);
	test_chain(f, MB_ACT_RELU, 39, 128);
	test_chain(f, MB_ACT_GELU, 70, 77);
	test_chain(f, MB_ACT_LINEAR, 1, 33);
	test_chain(f, MB_ACT_LINEAR, 13, 64);
	test_chain(f, MB_ACT_SIGMOID, 33, 97);
	ok(kernel->operand_size == NULL ||
	   (kernel->operand_size(SIZE_MAX, 1) == SIZE_MAX &&
		kernel->operand_size(1, SIZE_MAX) == SIZE_MAX),
	   "%s %s: operands beyond size_t are refused", f->name, kernels->name);
	if (f->format >= MB_FORMAT_FLOAT_SPLIT)
		test_split(f);
	if (f->format == MB_FORMAT_BF16 && kernels->linear[f->format]->chained)
		test_gelu(f);
	if (f->format == MB_FORMAT_INT8)
	{
		test_exact_integers(f);
		test_same_integers(f);
	}
}

/* A table's forms, or with TABLE/FORM that one */
static void
test_table(const char *argument)
{
	const char *only = strchr(argument, '/');
	char		name[32];
	size_t		i;

	snprintf(name, sizeof(name), "%.*s",
			 only == NULL ? 31 : (int) (only - argument), argument);
	kernels = mb_kernels_find(name);
	if (kernels == NULL)
	{
		ok(true, "no table %s here # skip", name);
		return;
	}
	if (kernels->begin != NULL)
		kernels->begin();
	for (i = 0; i < FORMS; i++)
		if (only == NULL || strcmp(only + 1, forms[i].name) == 0)
			test_form(&forms[i]);
	if (kernels->end != NULL)
		kernels->end();
}

int
main(int argc, char **argv)
{
	size_t		i;

	for (i = 0; i < FORMS; i++)
		test_limits(&forms[i]);
	for (i = 0; argc <= 1 && i < TABLES; i++)
		test_table(tables[i]);
	for (i = 1; i < (size_t) argc; i++)
		test_table(argv[i]);
	return done_testing();
}
