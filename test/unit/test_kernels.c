/*-------------------------------------------------------------------------
 *
 * test_kernels.c
 *	  Each table of kernels against double arithmetic and against the plain
 *	  table, on every size from 1 to 70; and rows that keep their bits.
 *
 * Tables of instruction sets that this processor lacks are skipped by name.  With
 * names of tables on the command line these alone are tested, the first being
 * what "auto" has to choose.
 *
 *-------------------------------------------------------------------------
 */
#include "base/dtype.h"
#include "kernels/choose.h"
#include "kernels/dense.h"
#include "kernels/gemm.h"
#include "kernels/kernels.h"
#include "kernels/panels.h"
#include "model/config.h"

#include "tables.h"
#include "tap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST 70
#define BLOCK MB_ROW_BLOCK

static const char *const tables[] = {
	"ref", "ref/openblas", VECTOR_SET_NAMES, MIXED_NAMES, MIXED_REF_NAMES
};

#define TABLES (sizeof(tables) / sizeof(tables[0]))

static uint64_t seed = 20251;

/* Uniform in [-1, 1). */
static float
uniform(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (float) ((double) (seed >> 40) / (1 << 23) - 1.0);
}

static void
fill(float *x, size_t count, float scale)
{
	size_t		i;

	for (i = 0; i < count; i++)
		x[i] = scale * uniform();
}

/* Distance of x from the exact y in units of the last place of float y. */
static double
ulps(float x, double y)
{
	int			exponent;
	double		unit;

	if (isnan(y) || isinf(y) || fabs(y) > 3.4028235e38)
		return (isnan(y) && isnan(x)) || (float) y == x ? 0.0 : 1e30;
	frexp(y, &exponent);
	unit = ldexp(1.0, exponent - 24);
	if (unit < ldexp(1.0, -149))
		unit = ldexp(1.0, -149);
	return fabs(x - y) / unit;
}

/* Activations */

static double
exact_activation(mb_activation kind, double x)
{
	double		gelu = 0.5 * x * erfc(-x * M_SQRT1_2);
	double		root = sqrt(2.0 / M_PI);

	switch (kind)
	{
		case MB_ACT_RELU:
			return x > 0 ? x : 0;
		case MB_ACT_GELU:
			return gelu;
		case MB_ACT_GELU_TANH:
			return x / (1 + exp(-2 * root * (x + 0.044715 * x * x * x)));
		case MB_ACT_GELU_FAST:
			return x / (1 + exp(-2 * 0.7978845608 * x *
								(1 + 0.044715 * x * x)));
		case MB_ACT_QUICK_GELU:
			return x / (1 + exp(-1.702 * x));
		case MB_ACT_GELU_10:
			return fmin(fmax(gelu, -10), 10);
		case MB_ACT_SILU:
			return x / (1 + exp(-x));
		case MB_ACT_RELU6:
			return fmin(fmax(x, 0), 6);
		case MB_ACT_RELU2:
			return x > 0 ? x * x : 0;
		case MB_ACT_LEAKY_RELU:
			return x < 0 ? 0.01 * x : x;
		case MB_ACT_MISH:
			return x * tanh(log1p(exp(x)));
		case MB_ACT_SIGMOID:
			return 1 / (1 + exp(-x));
		case MB_ACT_TANH:
			return tanh(x);
		case MB_ACT_LINEAR:
			return x;
		case MB_ACT_LAPLACE:
			return 0.5 * (1 + erf((x - 0.707107) / (0.282095 * M_SQRT2)));
	}
	return NAN;
}

/*
 * Bounds: error <= relative * |exact| + absolute * max(|x|, 1), in units of
 * 2^-24.  The gated functions lose relative digits where they nearly vanish,
 * because the argument of exp is rounded; the absolute part covers that.
 * Below the normal range any function may give zero.
 */
typedef struct bound
{
	mb_activation kind;
	double		relative;
	double		absolute;
} bound;

static const bound bounds[] = {
	{MB_ACT_RELU, 0, 0},
	{MB_ACT_GELU, 4, 1},
	{MB_ACT_GELU_TANH, 4, 1},
	{MB_ACT_GELU_FAST, 4, 1},
	{MB_ACT_QUICK_GELU, 4, 1},
	{MB_ACT_GELU_10, 4, 1},
	{MB_ACT_SILU, 4, 0},
	{MB_ACT_RELU6, 0, 0},
	{MB_ACT_RELU2, 1, 0},
	{MB_ACT_LEAKY_RELU, 2, 0},
	{MB_ACT_MISH, 6, 0},
	{MB_ACT_SIGMOID, 4, 0},
	{MB_ACT_TANH, 4, 0},
	{MB_ACT_LINEAR, 0, 0},
	{MB_ACT_LAPLACE, 4, 2},
};

#define BOUNDS (sizeof(bounds) / sizeof(bounds[0]))
#define DENSE 4096

/* Worst error over its bound for points spread evenly over [-reach, reach]. */
static double
worst_activation(const mb_kernels *kernels, const bound *limit, double reach)
{
	static float x[DENSE];
	static float y[DENSE];
	double		worst = 0.0;
	int			round;
	size_t		i;

	for (round = 0; round < 16; round++)
	{
		for (i = 0; i < DENSE; i++)
			x[i] = y[i] = (float) (reach * (2.0 * (i + round / 16.0) / DENSE -
											1.0));
		kernels->activation(limit->kind, y, DENSE);
		for (i = 0; i < DENSE; i++)
		{
			double		exact = exact_activation(limit->kind, x[i]);
			double		size = fmax(fabs(x[i]), 1.0);
			double		allowed = size * ldexp(1.0, -126) + ldexp(1.0, -24) *
				(limit->relative * fabs(exact) + limit->absolute * size);

			if (isnan(y[i]))
				return 1e30;
			worst = fmax(worst, fabs(y[i] - exact) / allowed);
		}
	}
	return worst;
}

static void
test_activations(const mb_kernels *kernels, const char *name)
{
	static const double reaches[] = {0.01, 1.5, 6.0, 20.0, 80.0, 2000.0};
	size_t		b;
	size_t		r;

	for (b = 0; b < BOUNDS; b++)
	{
		double		worst = 0.0;

		for (r = 0; r < sizeof(reaches) / sizeof(reaches[0]); r++)
			worst = fmax(worst, worst_activation(kernels, &bounds[b],
												 reaches[r]));
		ok(worst <= 1.0, "%s: %s against double, %.2f of its bound", name,
		   mb_activation_name(bounds[b].kind), worst);
	}
}

/* exp, erf and tanh by themselves, in units of the last place */
static void
test_elementary(const mb_kernels *kernels, const char *name)
{
	static float x[DENSE];
	static float y[DENSE];
	double		tanh_worst = 0.0;
	double		exp_worst = 0.0;
	double		erf_worst = 0.0;
	int			round;
	size_t		i;

	for (round = 0; round < 64; round++)
	{
		double		reach = ldexp(12.0, -round % 16);

		fill(x, DENSE, (float) reach);
		memcpy(y, x, sizeof(x));
		kernels->activation(MB_ACT_TANH, y, DENSE);
		for (i = 0; i < DENSE; i++)
			tanh_worst = fmax(tanh_worst, ulps(y[i], tanh(x[i])));

		/* far below 0 the logistic function is 1 / e^-x */
		for (i = 0; i < DENSE; i++)
			x[i] = y[i] = -60.0f - 12.0f * fabsf(uniform());
		kernels->activation(MB_ACT_SIGMOID, y, DENSE);
		for (i = 0; i < DENSE; i++)
			exp_worst = fmax(exp_worst, ulps(y[i], exp(x[i])));

		/* gelu of x >= 0 is x (1 + erf) / 2: 1 ulp of it is 1 of 1 + erf */
		for (i = 0; i < DENSE; i++)
			x[i] = y[i] = (float) (fabs(reach) * fabsf(uniform()));
		kernels->activation(MB_ACT_GELU, y, DENSE);
		for (i = 0; i < DENSE; i++)
			erf_worst = fmax(erf_worst,
							 ulps(y[i], exact_activation(MB_ACT_GELU, x[i])));
	}
	ok(tanh_worst <= 2.5, "%s: tanh within %.2f ulp", name, tanh_worst);
	ok(exp_worst <= 2.5, "%s: 1 / exp within %.2f ulp", name, exp_worst);
	ok(erf_worst <= 2.5, "%s: gelu above 0 within %.2f ulp", name, erf_worst);
}

/* What is not a number stays so, and the ends of the range are kept. */
static void
test_extremes(const mb_kernels *kernels, const char *name)
{
	static const mb_activation smooth[] = {
		MB_ACT_RELU, MB_ACT_GELU, MB_ACT_GELU_TANH, MB_ACT_GELU_FAST,
		MB_ACT_QUICK_GELU, MB_ACT_GELU_10, MB_ACT_SILU, MB_ACT_RELU6,
		MB_ACT_RELU2, MB_ACT_LEAKY_RELU, MB_ACT_MISH, MB_ACT_SIGMOID,
		MB_ACT_TANH, MB_ACT_LINEAR, MB_ACT_LAPLACE
	};
	bool		nan_kept = true;
	bool		finite = true;
	size_t		i;

	for (i = 0; i < sizeof(smooth) / sizeof(smooth[0]); i++)
	{
		float		x[3] = {NAN, 1e18f, -1e18f};

		kernels->activation(smooth[i], x, 3);
		if (!isnan(x[0]))
			nan_kept = ok(false, "%s: %s keeps NaN", name,
						  mb_activation_name(smooth[i]));
		if (!isfinite(x[1]) && smooth[i] != MB_ACT_RELU2)
			finite = ok(false, "%s: %s of 1e18 is finite", name,
						mb_activation_name(smooth[i]));
		if (!isfinite(x[2]))
			finite = ok(false, "%s: %s of -1e18 is finite", name,
						mb_activation_name(smooth[i]));
	}
	ok(nan_kept, "%s: activations keep NaN", name);
	ok(finite, "%s: activations of huge numbers are finite", name);
}

/* Row functions, every width */

static double
softmax_error(const mb_kernels *kernels, size_t width, bool masked)
{
	float		x[MOST + 1];
	double		exact[MOST];
	uint8_t		mask[MOST];
	double		sum = 0.0;
	double		worst = 0.0;
	double		largest = -INFINITY;
	size_t		i;

	fill(x, MOST, 30.0f);
	x[width] = 12345.0f;
	for (i = 0; i < width; i++)
		mask[i] = !masked || i % 3 != 1;
	for (i = 0; i < width; i++)
		if (mask[i])
			largest = fmax(largest, x[i]);
	for (i = 0; i < width; i++)
		sum += exact[i] = mask[i] ? exp(x[i] - largest) : 0.0;
	kernels->scale(x, 1.0 / kernels->exponentials(x, masked ? mask : NULL,
												  width), width);
	for (i = 0; i < width; i++)
	{
		if (!mask[i] && x[i] != 0.0f)
			return 1e30;

		/* x - largest is rounded once: up to 60 of relative error 2^-24 */
		worst = fmax(worst, fabs(x[i] - exact[i] / sum) /
					 (exact[i] / sum * 36.0 + 1e-30) * ldexp(1.0, 24));
	}
	return x[width] == 12345.0f ? worst : 1e30;
}

static void
exact_norm(bool layer, const float *x, const float *r, const float *w,
		   const float *b, size_t width, double *y)
{
	double		mean = 0.0;
	double		square = 0.0;
	size_t		i;

	for (i = 0; i < width; i++)
	{
		y[i] = r == NULL ? x[i] : (float) (x[i] + r[i]);
		mean += y[i] / width;
	}
	for (i = 0; i < width; i++)
		square += (y[i] - mean) * (y[i] - mean) / width;
	for (i = 0; i < width; i++)
	{
		if (layer)
			y[i] = (y[i] - mean) / sqrt(square + (double) 1e-5f);
		y[i] = y[i] * w[i] + b[i];
	}
}

static double
norm_error(const mb_kernels *kernels, size_t width, bool layer, int aliased)
{
	float		x[MOST + 1];
	float		r[MOST + 1];
	float		w[MOST];
	float		b[MOST];
	float		z[MOST + 1];
	double		exact[MOST];
	float	   *y = aliased == 1 ? x : aliased == 2 ? r : z;
	const float *other = aliased == 3 ? NULL : r;
	double		worst = 0.0;
	size_t		i;

	fill(x, MOST, 3.0f);
	for (i = 0; i < MOST; i++)
		x[i] += 50.0f;
	fill(r, MOST, 3.0f);
	fill(w, MOST, 2.0f);
	fill(b, MOST, 1.0f);
	exact_norm(layer, x, other, w, b, width, exact);
	y[width] = 12345.0f;
	if (layer)
		kernels->layer_norm(x, other, w, b, 1e-5f, y, width);
	else
		kernels->no_norm(x, other, w, b, y, width);
	for (i = 0; i < width; i++)
		worst = fmax(worst, fabs(y[i] - exact[i]) /
					 (layer ? 8.0 : 110.0) * ldexp(1.0, 24));
	return y[width] == 12345.0f ? worst : 1e30;
}

/* x + r, in either's place or a third; nothing after the last */
static bool
adds(const mb_kernels *kernels, size_t width, int aliased)
{
	float		x[MOST + 1];
	float		r[MOST + 1];
	float		z[MOST + 1];
	float		exact[MOST];
	float	   *y = aliased == 0 ? z : aliased == 1 ? x : r;
	size_t		i;

	fill(x, MOST, 3.0f);
	fill(r, MOST, 3.0f);
	for (i = 0; i < width; i++)
		exact[i] = x[i] + r[i];
	y[width] = 12345.0f;
	kernels->add(x, r, y, width);
	return memcmp(y, exact, width * sizeof(float)) == 0 &&
		y[width] == 12345.0f;
}

static void
test_rows(const mb_kernels *kernels, const char *name)
{
	double		softmax = 0.0;
	double		norm = 0.0;
	bool		sums = true;
	size_t		width;
	int			i;

	for (width = 1; width <= MOST; width++)
	{
		softmax = fmax(softmax, softmax_error(kernels, width, false));
		softmax = fmax(softmax, softmax_error(kernels, width, true));
		for (i = 0; i < 8; i++)
			norm = fmax(norm, norm_error(kernels, width, i & 1, i / 2));
		for (i = 0; i < 3; i++)
			sums = sums && adds(kernels, width, i);
	}
	ok(sums, "%s: sums of 1 to %d", name, MOST);
	ok(softmax <= 2.0, "%s: softmax of 1 to %d, %.2f of its unit", name, MOST,
	   softmax);
	ok(norm <= 2.0, "%s: norms of 1 to %d, %.2f of their unit", name, MOST,
	   norm);
}

/* Weights that could only be subnormal are 0: they would slow what follows. */
static void
test_small_weights(const mb_kernels *kernels, const char *name)
{
	float		x[MOST];
	bool		good = true;
	size_t		i;

	for (i = 0; i < MOST; i++)
		x[i] = -2.0f * (float) i;
	kernels->scale(x, 1.0 / kernels->exponentials(x, NULL, MOST), MOST);
	for (i = 0; i < MOST; i++)
		good = good && (i <= 35 ? isnormal(x[i]) : x[i] == 0.0f);
	ok(good, "%s: softmax gives no subnormal weights", name);
}

/* Reductions, every count */

static void
test_reductions(const mb_kernels *kernels, const char *name)
{
	double		worst = 0.0;
	double		wide = 0.0;
	float		a[3 * MOST];
	float		b[3 * MOST];
	size_t		count;
	size_t		i;

	for (count = 1; count <= 3 * MOST; count++)
	{
		double		ab = 0.0;
		double		aa = 0.0;
		double		bb = 0.0;
		double		dd = 0.0;
		double		size = 0.0;
		float		sums[3];

		fill(a, count, 2.0f);
		fill(b, count, 2.0f);
		for (i = 0; i < count; i++)
		{
			ab += (double) a[i] * b[i];
			aa += (double) a[i] * a[i];
			bb += (double) b[i] * b[i];
			dd += ((double) a[i] - b[i]) * ((double) a[i] - b[i]);
			size += fabs((double) a[i] * b[i]);
		}
		kernels->dot3(a, b, count, sums);
		worst = fmax(worst, fabs(kernels->inner_product(a, b, count) - ab) /
					 size);
		worst = fmax(worst, fabs(sums[0] - ab) / size);
		worst = fmax(worst, fabs(sums[1] - aa) / aa);
		worst = fmax(worst, fabs(sums[2] - bb) / bb);
		worst = fmax(worst, fabs(kernels->l2_squared(a, b, count) - dd) / dd);
		wide = fmax(wide, fabs(kernels->dot_wide(a, b, count) - ab) / size);
	}
	ok(worst < 2e-6, "%s: sums of products within %.1e", name, worst);
	ok(wide < 1e-14, "%s: double sums of products within %.1e", name, wide);
}

/* Matrix products, every size */

/* A layer [n, k] with panels of a format, in memory that ends with them. */
typedef struct layer
{
	mb_linear	linear;
	float	   *w;				/* [n, k], what the panels hold */
	void	   *panels;
} layer;

static void *
aligned(size_t size)
{
	void	   *result;

	if (posix_memalign(&result, 64, size > 0 ? size : 1) != 0)
		abort();
	return result;
}

/* Numbers that all formats of 16 bits can hold: seven bits and a scale. */
static void
fill_exact(float *x, size_t count)
{
	size_t		i;

	for (i = 0; i < count; i++)
		x[i] = ldexpf(floorf(127.0f * uniform()), -7);
}

static layer
make_layer(mb_format format, const float *bias, size_t k, size_t n)
{
	layer		m = {{NULL, bias, NULL, format, k, n}, NULL, NULL};
	size_t		size;

	m.w = malloc(k * n * sizeof(float));
	fill_exact(m.w, k * n);
	if (!mb_format_size(format, k, n, &size))
		abort();
	m.linear.panels = m.panels = aligned(size);
	mb_format_pack(format, m.w, k, n, m.panels);
	return m;
}

static void
free_layer(layer *m)
{
	free(m->w);
	free(m->panels);
}

/* Run a product with the memory its kernel asks for. */
static void
run_product(mb_product *p)
{
	const mb_linear_kernel *kernel = p->kernels->linear[p->linear->format];

	if (kernel->operand_size != NULL)
		p->operand = aligned(kernel->operand_size(p->rows, p->k));
	if (kernel->prepare != NULL)
		kernel->prepare(p->x, p->rows, p->k, p->operand);
	kernel->run(p);
	free(p->operand);
	p->operand = NULL;
}

/* What may follow the sums. */
typedef struct follow
{
	mb_activation activation;
	bool		residual;
	bool		norm;
} follow;

static const follow follows[] = {
	{MB_ACT_LINEAR, false, false},
	{MB_ACT_RELU, false, false},
	{MB_ACT_LINEAR, true, false},
	{MB_ACT_LINEAR, true, true},
	{MB_ACT_GELU, false, true},
	{MB_ACT_TANH, true, true}
};

#define FOLLOWS (sizeof(follows) / sizeof(follows[0]))

/*
 * Largest error of a layer over some rows against double arithmetic; 1e30 when
 * what was not asked for is written.  With a residual y is the residual.
 */
static double
linear_error(const mb_kernels *kernels, mb_format format, size_t rows,
			 size_t k, size_t n, const follow *f, bool with_bias)
{
	size_t		room = (rows + BLOCK - 1) / BLOCK * BLOCK;
	float	   *x = malloc(room * k * sizeof(float));
	float	   *b = malloc(n * sizeof(float));
	float	   *scale = malloc(n * sizeof(float));
	float	   *y = malloc(room * n * sizeof(float));
	float	   *r = malloc(room * n * sizeof(float));
	layer		m = make_layer(format, with_bias ? b : NULL, k, n);
	mb_norm		norm = {scale, b};
	mb_product	p = {kernels, x, NULL, rows, k, n, &m.linear, 0, n,
		f->activation, f->residual ? y : NULL, f->norm ? &norm : NULL, y, NULL};
	double		worst = 0.0;
	size_t		row;
	size_t		j;
	size_t		i;

	fill(x, room * k, 1.0f);
	fill(b, n, 1.0f);
	fill(scale, n, 1.0f);
	fill(y, room * n, 1.0f);
	memcpy(r, y, room * n * sizeof(float));

	/* in two parts where there are two panels, the last one first */
	for (i = (n - 1) / MB_PANEL + 1; i-- > 0;)
	{
		p.first = i * MB_PANEL;
		p.width = n - p.first < MB_PANEL ? n - p.first : MB_PANEL;
		run_product(&p);
	}
	for (row = 0; row < rows; row++)
	{
		for (j = 0; j < n; j++)
		{
			double		exact = with_bias ? b[j] : 0.0;

			for (i = 0; i < k; i++)
				exact += (double) x[row * k + i] * m.w[j * k + i];
			exact = exact_activation(f->activation, exact);
			if (f->residual)
				exact += r[row * n + j];
			if (f->norm)
				exact = exact * scale[j] + b[j];
			worst = fmax(worst, fabs(y[row * n + j] - exact));
		}
	}
	free(x);
	free(b);
	free(scale);
	free(y);
	free(r);
	free_layer(&m);
	return worst;
}

static double
matrix_error(const mb_kernels *kernels, size_t m, size_t n, size_t k,
			 bool keys)
{
	size_t		lda = k + 1;
	size_t		ldb = (keys ? k : n) + 2;
	size_t		ldy = n + 1;
	size_t		wide = (n + MB_PANEL - 1) / MB_PANEL * MB_PANEL;
	size_t		room = (m + MB_QUERY_ROWS - 1) / MB_QUERY_ROWS * MB_QUERY_ROWS;
	float	   *a = malloc(room * lda * sizeof(float));
	float	   *b = malloc((keys ? n : k) * ldb * sizeof(float));
	float	   *panels = aligned(wide * k * sizeof(float));
	float	   *y = malloc(room * ldy * sizeof(float));
	double		worst = 0.0;
	size_t		i;
	size_t		j;
	size_t		t;

	fill(a, room * lda, 1.0f);
	fill(b, (keys ? n : k) * ldb, 1.0f);
	for (i = 0; i < m * ldy; i++)
		y[i] = 12345.0f;
	if (keys)
		mb_pack_keys(b, ldb, n, k, panels);
	else
		mb_pack_values(b, ldb, k, n, panels);
	kernels->matrix(a, lda, panels, 0.25f, y, ldy, m, n, k);
	for (i = 0; i < m; i++)
	{
		for (j = 0; j < n; j++)
		{
			double		exact = 0.0;

			for (t = 0; t < k; t++)
				exact += 0.25 * a[i * lda + t] *
					(keys ? b[j * ldb + t] : b[t * ldb + j]);
			worst = fmax(worst, fabs(y[i * ldy + j] - exact));
		}
		if (y[i * ldy + n] != 12345.0f)
			worst = 1e30;
	}
	free(a);
	free(b);
	free(panels);
	free(y);
	return worst;
}

static void
test_products(const mb_kernels *kernels, const char *name)
{
	double		linear = 0.0;
	double		matrix = 0.0;
	size_t		i;

	for (i = 1; i <= MOST; i++)
	{
		mb_format	format = (mb_format) (MB_FORMAT_FLOAT + i % 3);
		const follow *f = &follows[i % FOLLOWS];

		linear = fmax(linear, linear_error(kernels, format, i, MOST + 1 - i,
										   1 + i * 7 % MOST, f, i % 4 != 0));
		linear = fmax(linear, linear_error(kernels, format, 1 + i % 13, i,
										   MOST, &follows[0], true));
		linear = fmax(linear, linear_error(kernels, MB_FORMAT_FLOAT,
										   1 + i * 5 % MOST, 33, i, f, true));
		matrix = fmax(matrix, matrix_error(kernels, i, MOST + 1 - i,
										   1 + i * 7 % MOST, i % 2));
		matrix = fmax(matrix, matrix_error(kernels, 1 + i * 11 % MOST, i,
										   MOST + 1 - i, (i + 1) % 2));
	}
	for (i = MB_FORMAT_FLOAT; i <= MB_FORMAT_BFLOAT; i++)
	{
		size_t		j;

		for (j = 0; j < FOLLOWS; j++)
			linear = fmax(linear, linear_error(kernels, (mb_format) i, 37, 41,
											   75, &follows[j], true));
	}
	ok(linear < 1e-5, "%s: linear layers of 1 to %d within %.1e", name, MOST,
	   linear);
	ok(matrix < 1e-5, "%s: matrix products of 1 to %d within %.1e", name, MOST,
	   matrix);
}

/*
 * A row in another place of the block, among other rows, with fewer rows asked
 * for and with the outputs in parts: same bits.  Sizes are those of real
 * models and odd ones, on either side of what libraries treat as small, and
 * beyond the depth at which they cut k.
 */
static bool
row_keeps_bits(const mb_kernels *kernels, mb_format format, size_t k, size_t n)
{
	float	   *x = malloc(BLOCK * k * sizeof(float));
	float	   *b = calloc(n, sizeof(float));
	float	   *y = malloc(BLOCK * n * sizeof(float));
	float	   *row = malloc(k * sizeof(float));
	float	   *first = malloc(n * sizeof(float));
	layer		m = make_layer(format, b, k, n);
	mb_product	p = {kernels, x, NULL, BLOCK, k, n, &m.linear, 0, n,
	MB_ACT_LINEAR, NULL, NULL, y, NULL};
	bool		same = true;
	size_t		place;

	fill(b, n, 1.0f);
	fill(row, k, 1.0f);
	for (place = 0; place < BLOCK && same; place++)
	{
		fill(x, BLOCK * k, place % 3 == 0 ? 0.0f : 1e6f);
		memcpy(x + place * k, row, k * sizeof(float));
		p.rows = BLOCK;
		p.first = 0;
		p.width = n;
		run_product(&p);
		if (place == 0)
			memcpy(first, y, n * sizeof(float));
		same = memcmp(first, y + place * n, n * sizeof(float)) == 0;
		memset(y, 0, BLOCK * n * sizeof(float));
		p.rows = place + 1;
		for (p.first = 0; p.first < n; p.first += p.width)
		{
			p.width = n - p.first < MB_PANEL ? n - p.first : MB_PANEL;
			run_product(&p);
		}
		same = same &&
			memcmp(first, y + place * n, n * sizeof(float)) == 0;
	}
	free(x);
	free(b);
	free(y);
	free(row);
	free(first);
	free_layer(&m);
	return same;
}

static void
test_places(const mb_kernels *kernels, const char *name)
{
	static const size_t sizes[][2] = {
		{1, 1}, {7, 5}, {16, 16}, {24, 40}, {33, 17}, {64, 63}, {96, 96},
		{128, 128}, {128, 512}, {512, 128}, {384, 512}, {512, 384}, {511, 129},
		{384, 384}, {1536, 96}, {1000, 33}
	};
	bool		same = true;
	size_t		i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
	{
		mb_format	format = (mb_format) (MB_FORMAT_FLOAT + i % 3);

		if (row_keeps_bits(kernels, format, sizes[i][0], sizes[i][1]) &&
			row_keeps_bits(kernels, MB_FORMAT_FLOAT, sizes[i][0], sizes[i][1]))
			continue;
		same = false;
		printf("# %s: k %zu n %zu differs\n", name, sizes[i][0], sizes[i][1]);
	}
	ok(same, "%s: a row of a block has the same bits in any place", name);
}

/* All formats of exact weights give the same bits. */
static void
test_formats(const mb_kernels *kernels, const char *name)
{
	size_t		n = 77;
	size_t		k = 300;
	size_t		rows;
	bool		same = true;
	float	   *x = malloc(2 * BLOCK * k * sizeof(float));
	float	   *y = malloc(2 * BLOCK * n * sizeof(float));
	float	   *first = malloc(2 * BLOCK * n * sizeof(float));
	uint64_t	start = seed;

	for (rows = 1; rows <= 2 * BLOCK; rows += 7)
	{
		int			format;

		for (format = MB_FORMAT_FLOAT; format <= MB_FORMAT_BFLOAT; format++)
		{
			layer		m;
			mb_product	p = {kernels, x, NULL, rows, k, n, &m.linear, 0, n,
			MB_ACT_RELU, NULL, NULL, y, NULL};

			seed = start;
			m = make_layer((mb_format) format, NULL, k, n);
			fill(x, 2 * BLOCK * k, 1.0f);
			run_product(&p);
			if (format == MB_FORMAT_FLOAT)
				memcpy(first, y, rows * n * sizeof(float));
			same = same && memcmp(first, y, rows * n * sizeof(float)) == 0;
			free_layer(&m);
		}
	}
	ok(same, "%s: weights of 16 bits give the bits of float", name);
	free(x);
	free(y);
	free(first);
}

/* mb_dense in parts, and what it refuses */
static void
test_dense(const mb_kernels *kernels, const char *name)
{
	size_t		k = 700;
	size_t		n = 1600;
	float	   *x = malloc(BLOCK * k * sizeof(float));
	float	   *b = calloc(n, sizeof(float));
	float	   *y = malloc(BLOCK * n * sizeof(float));
	layer		m = make_layer(MB_FORMAT_FLOAT, b, k, n);
	mb_operand	operand = {x, BLOCK, k, NULL, MB_FORMAT_ROWS};
	mb_linear	rows = {m.w, b, NULL, MB_FORMAT_ROWS, k, n};
	mb_operand	narrow = {x, BLOCK, k - 1, NULL, MB_FORMAT_ROWS};
	double		worst = 0.0;
	mb_status	status;
	mb_error	err;
	size_t		j;
	size_t		i;

	fill(x, BLOCK * k, 1.0f);
	fill(b, n, 1.0f);
	status = mb_dense(kernels, &m.linear, &operand, NULL, y, NULL, NULL);
	for (j = 0; j < n; j += 7)
	{
		size_t		row = j % BLOCK;
		double		exact = b[j];

		for (i = 0; i < k; i++)
			exact += (double) x[row * k + i] * m.w[j * k + i];
		worst = fmax(worst, fabs(y[row * n + j] - exact));
	}
	ok(status == MB_OK && worst < 1e-4, "%s: a layer in parts within %.1e", name,
	   worst);
	ok(mb_dense(kernels, &rows, &operand, NULL, y, NULL,
				&err) == MB_ERR_ARGUMENT,
	   "%s: a layer without panels is refused: %s", name, err.message);
	ok(mb_dense(kernels, &m.linear, &narrow, NULL, y, NULL,
				&err) == MB_ERR_ARGUMENT,
	   "%s: rows that are too narrow are refused: %s", name, err.message);
	free(x);
	free(b);
	free(y);
	free_layer(&m);
}

/* Every number of binary16 and bfloat16 packs to itself. */
static void
test_packing(void)
{
	float		w[MB_PANEL];
	float		back[MB_PANEL];
	uint16_t	panel[MB_PANEL];
	size_t		wrong = 0;
	uint32_t	first;
	int			half;

	for (half = 0; half < 2; half++)
	{
		for (first = 0; first < 65536; first += MB_PANEL)
		{
			uint16_t	numbers[MB_PANEL];
			size_t		i;

			for (i = 0; i < MB_PANEL; i++)
				numbers[i] = (uint16_t) (first + i);
			mb_widen(half ? MB_DTYPE_F16 : MB_DTYPE_BF16, numbers, MB_PANEL,
					 w);
			mb_format_pack(half ? MB_FORMAT_HALF : MB_FORMAT_BFLOAT, w, 1,
						   MB_PANEL, panel);
			mb_format_widen(half ? MB_FORMAT_HALF : MB_FORMAT_BFLOAT, panel, 1,
							0, 0, 1, back);
			wrong += memcmp(panel, numbers, sizeof(panel)) != 0;
			wrong += memcmp(w, back, sizeof(w)) != 0;
		}
	}
	ok(wrong == 0, "numbers of 16 bits are packed exactly (%zu)", wrong);
}

/*
 * What the vector tables make of a row of x and the weights of an output, the
 * latter at distance ldw: chunks of fused products, added up one after the other
 * (linear_template.h).
 */
static float
sum_in_chunks(const float *x, const float *w, size_t ldw, size_t k)
{
	size_t		chunk = k <= 48 ? 4 : k <= 160 ? 12 : 24;
	float		total = 0.0f;
	float		sum = 0.0f;
	size_t		t;

	for (t = 0; t < k; t++)
	{
		sum = fmaf(x[t], w[t * ldw], sum);
		if ((t + 1) % chunk == 0 || t + 1 == k)
		{
			total = t < chunk ? sum : total + sum;
			sum = 0.0f;
		}
	}
	return total;
}

/* Products of k inputs: those of a layer, then those of attention */
static bool
same_products(const mb_kernels *kernels, const float *x, size_t k)
{
	static float y[2][(BLOCK + 4) * MOST];
	size_t		n = 1 + k * 11 % MOST;
	layer		m = make_layer(MB_FORMAT_FLOAT, x, k, n);
	mb_product	p = {kernels, x, NULL, BLOCK, k, n, &m.linear, 0, n,
	MB_ACT_RELU, NULL, NULL, y[0], NULL};
	bool		same = true;
	size_t		r;
	size_t		c;

	run_product(&p);
	kernels->matrix(x, k, m.panels, 0.3f, y[1], n, BLOCK, n, k);
	for (r = 0; r < BLOCK; r++)
	{
		for (c = 0; c < n; c++)
		{
			float		sum = sum_in_chunks(x + r * k, m.w + c * k, 1, k);
			float		biased = sum + x[c];
			float		expected[2] = {
				biased < 0.0f ? 0.0f : biased, 0.3f * sum
			};

			same = same && memcmp(&y[0][r * n + c], &expected[0],
								  sizeof(float)) == 0 &&
				memcmp(&y[1][r * n + c], &expected[1], sizeof(float)) == 0;
		}
	}
	free_layer(&m);
	return same;
}

/* The vector tables add up products in one order: same bits in all of them. */
static void
test_same_products(void)
{
	static const char *const sets[] = {VECTOR_SET_NAMES};
	static float x[BLOCK * 3 * MOST];
	size_t		i;
	size_t		k;

	for (i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
	{
		const mb_kernels *kernels = mb_kernels_find(sets[i]);
		bool		same = true;

		if (kernels == NULL)
		{
			ok(true, "%s # SKIP not on this processor", sets[i]);
			continue;
		}
		for (k = 1; k <= 3 * MOST && same; k += k < MOST ? 1 : 13)
		{
			fill(x, BLOCK * k, 1.0f);
			same = same_products(kernels, x, k);
		}
		ok(same, "products of %s have the bits of all instruction sets",
		   sets[i]);
	}
}

/* Asking whether there is a table leaves the one in use where it is. */
static void
test_names(void)
{
	const mb_kernels *before;

	(void) mb_kernels_choose("ref/openblas");
	before = mb_kernels_current();
	ok(mb_kernels_find("ref") == &mb_kernels_ref &&
	   mb_kernels_find("auto") != NULL && mb_kernels_find("pdp11") == NULL &&
	   mb_kernels_find("") == NULL && mb_kernels_find(NULL) == NULL &&
	   mb_kernels_current() == before,
	   "names are looked up without choosing");
	ok(!mb_kernels_choose("pdp11") && !mb_kernels_choose(NULL) &&
	   mb_kernels_current() == before, "an unknown name changes nothing");
}

static void
test_table(const char *name)
{
	const mb_kernels *kernels = find_table(name);

	if (kernels == NULL)
	{
		ok(true, "%s # SKIP not on this processor", name);
		return;
	}
	if (kernels->begin != NULL)
		kernels->begin();
	test_rows(kernels, name);
	test_small_weights(kernels, name);
	test_reductions(kernels, name);
	test_activations(kernels, name);
	test_elementary(kernels, name);
	test_extremes(kernels, name);
	test_products(kernels, name);
	test_places(kernels, name);
	test_formats(kernels, name);
	test_dense(kernels, name);
	if (kernels->end != NULL)
		kernels->end();
}

int
main(int argc, char **argv)
{
	size_t		i;

	test_names();
	ok(mb_kernels_choose("auto") &&
	   mb_kernels_current() == mb_kernels_find("auto"), "auto is %s with %s",
	   mb_kernels_current()->name, mb_kernels_current()->gemm_name);
	if (argc > 1)
		ok(strcmp(mb_kernels_current()->name, argv[1]) == 0,
		   "%s is what this processor has", argv[1]);
	for (i = 0; argc <= 1 && i < TABLES; i++)
		test_table(tables[i]);
	for (i = 1; i < (size_t) argc; i++)
		test_table(argv[i]);
	test_packing();
	test_same_products();
	return done_testing();
}
