/*-------------------------------------------------------------------------
 *
 * test_attention.c
 *	  Attention with fewer bits against double arithmetic: texts of every
 *	  length from 1 to 65 and longer ones, heads of odd widths, with and without
 *	  a mask and a bias for each distance; rows that keep their bits among any
 *	  others.
 *
 * Buffers have the size that kernels.h asks for and no more.  Skipped by name
 * where no table has such attention.
 *
 *-------------------------------------------------------------------------
 */
#include "kernels/choose.h"
#include "kernels/panels.h"

#include "tap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST 65

/*
 * Scores of at most some 5 from bfloat16 queries and keys are off by 2^-6 or
 * so, weights by as much relatively, and values are below 1.
 */
#define BOUND 0.03

/* The table that is tested */
static const mb_kernels *kernels;
static const mb_attention_kernel *attention;

static uint64_t seed = 977;

static float
uniform(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (float) ((double) (uint32_t) (seed >> 33) / (1u << 30) - 1.0);
}

static void *
aligned(size_t size)
{
	void	   *p = NULL;

	if (posix_memalign(&p, 64, size > 0 ? size : 1) != 0)
		abort();
	return p;
}

/* A head of one text: [length, size] three times, at distance ld */
typedef struct trial
{
	mb_attention a;
	float	   *query;
	float	   *key;
	float	   *value;
	float	   *context;
	uint8_t    *mask;
	float	   *bias;			/* [2 length - 1] or NULL */
	float	   *weights;
	void	   *keys;
	void	   *values;
} trial;

static float *
matrix(size_t rows, size_t width, size_t ld, float scale)
{
	/* the last row ends with its last number */
	float	   *p = malloc(((rows - 1) * ld + width) * sizeof(float));
	size_t		i;

	for (i = 0; i < (rows - 1) * ld + width; i++)
		p[i] = scale * uniform();
	return p;
}

static void *
panels(size_t k, size_t n)
{
	size_t		bytes = 0;

	if (!mb_format_size(attention->panels, k, n, &bytes))
		abort();
	return aligned(bytes);
}

static void
trial_make(trial *t, size_t length, size_t size, size_t ld, bool masked)
{
	size_t		i;

	memset(t, 0, sizeof(*t));
	t->query = matrix(length, size, ld, 3.0f);
	t->key = matrix(length, size, ld, 3.0f);
	t->value = matrix(length, size, ld, 1.0f);
	t->context = matrix(length, size, ld, 0.0f);
	t->weights = malloc(MB_ATTEND_ROWS * length * sizeof(float));
	if (masked)
	{
		t->mask = malloc(length);
		for (i = 0; i < length; i++)
			t->mask[i] = uniform() > 0.0f;
		t->mask[length / 2] = 1;
	}
	t->keys = panels(size + 1, length);
	t->values = panels(length, size);
	attention->pack_keys(t->key, ld, length, size, t->keys);
	attention->pack_values(t->value, ld, length, size, t->values);
	t->a = (mb_attention) {
		.ld = ld, .length = length, .size = size, .keys = t->keys,
		.values = t->values, .mask = t->mask, .weights = t->weights,
		.scratch = aligned(attention->memory(length, size))
	};
}

/* A bias of up to 4, which is as much as scores are */
static void
trial_bias(trial *t)
{
	t->bias = matrix(1, 2 * t->a.length - 1, 0, 4.0f);
}

static void
trial_free(trial *t)
{
	free(t->bias);
	free(t->query);
	free(t->key);
	free(t->value);
	free(t->context);
	free(t->mask);
	free(t->weights);
	free(t->keys);
	free(t->values);
	free(t->a.scratch);
}

static void
run_rows(trial *t, size_t first, size_t rows)
{
	t->a.query = t->query + first * t->a.ld;
	t->a.context = t->context + first * t->a.ld;
	t->a.bias = t->bias == NULL ? NULL : t->bias + t->a.length - 1 - first;
	t->a.rows = rows;
	attention->run(&t->a);
}

/* Largest difference of row "row", the block's row r, from double arithmetic */
static double
row_error(const trial *t, size_t row, size_t r)
{
	size_t		length = t->a.length;
	size_t		size = t->a.size;
	size_t		ld = t->a.ld;
	double	   *weights = malloc(length * sizeof(double));
	double		largest = -INFINITY;
	double		sum = 0.0;
	double		worst = 0.0;
	size_t		i;
	size_t		j;

	for (i = 0; i < length; i++)
	{
		weights[i] = 0.0;
		for (j = 0; j < size; j++)
			weights[i] += (double) t->query[row * ld + j] *
				t->key[i * ld + j] / sqrt((double) size);
		if (t->bias != NULL)
			weights[i] += t->bias[length - 1 + i - row];
		if (t->mask == NULL || t->mask[i])
			largest = fmax(largest, weights[i]);
	}
	for (i = 0; i < length; i++)
	{
		weights[i] = t->mask == NULL || t->mask[i] ?
			exp(weights[i] - largest) : 0.0;
		sum += weights[i];
	}
	for (i = 0; i < length; i++)
	{
		double		given = t->weights[r * length + i];

		weights[i] /= sum;
		worst = fmax(worst, fabs(given - weights[i]));
		if (t->mask != NULL && !t->mask[i] && given != 0.0)
			worst = 1e30;
	}
	for (j = 0; j < size; j++)
	{
		double		exact = 0.0;

		for (i = 0; i < length; i++)
			exact += weights[i] * t->value[i * ld + j];
		worst = fmax(worst, fabs(t->context[row * ld + j] - exact));
	}
	free(weights);
	return worst;
}

static double
trial_error(size_t length, size_t size, bool masked, bool biased)
{
	trial		t;
	double		worst = 0.0;
	size_t		first;
	size_t		r;

	trial_make(&t, length, size, size + length % 5, masked);
	if (biased)
		trial_bias(&t);
	for (first = 0; first < length; first += MB_ATTEND_ROWS)
	{
		size_t		rows = length - first < MB_ATTEND_ROWS ? length - first :
			MB_ATTEND_ROWS;

		run_rows(&t, first, rows);
		for (r = 0; r < rows; r++)
			worst = fmax(worst, row_error(&t, first + r, r));
	}
	trial_free(&t);
	return worst;
}

static void
test_exact(void)
{
	const char *name = kernels->name;
	double		plain = 0.0;
	double		masked = 0.0;
	double		biased = 0.0;
	size_t		i;

	for (i = 1; i <= MOST; i++)
	{
		plain = fmax(plain, trial_error(i, 32, false, false));
		plain = fmax(plain, trial_error(1 + i * 7 % MOST, i, false, false));
		masked = fmax(masked, trial_error(i, 1 + i * 11 % MOST, true, false));
		biased = fmax(biased, trial_error(i, 1 + i * 11 % MOST, i % 2, true));
	}
	for (i = 127; i <= 513; i += 193)
	{
		plain = fmax(plain, trial_error(i, 32, false, false));
		masked = fmax(masked, trial_error(i, 64, true, false));
		biased = fmax(biased, trial_error(i, 64, i % 3, true));
	}
	ok(plain < BOUND, "%s: contexts and weights within %.1e", name, plain);
	ok(masked < BOUND, "%s: with a mask within %.1e, weights of others exactly "
	   "0", name, masked);
	ok(biased < BOUND, "%s: with a bias within %.1e", name, biased);
}

/* A row alone, and at another place of a block: the same bits */
static void
test_rows(void)
{
	size_t		wrong = 0;
	size_t		checked = 0;
	size_t		length;

	for (length = 5; length < 300; length += 49)
	{
		trial		t;
		float		alone[32];
		size_t		row;

		trial_make(&t, length, 32, 40, length % 2);
		if (length % 3 > 0)
			trial_bias(&t);
		for (row = 0; row < length; row++, checked++)
		{
			size_t		before = row % MB_ATTEND_ROWS;

			run_rows(&t, row, 1);
			memcpy(alone, t.context + row * 40, sizeof(alone));
			run_rows(&t, row - before, before + 1);
			wrong += memcmp(alone, t.context + row * 40, sizeof(alone)) != 0;
		}
		trial_free(&t);
	}
	ok(wrong == 0, "%s: %zu of %zu rows have other bits alone than in a block",
	   kernels->name, wrong, checked);
}

/* All contexts of a trial, in blocks */
static void
run_all(trial *t)
{
	size_t		length = t->a.length;
	size_t		first;

	for (first = 0; first < length; first += MB_ATTEND_ROWS)
		run_rows(t, first, length - first < MB_ATTEND_ROWS ? length - first :
				 MB_ATTEND_ROWS);
}

/*
 * A mask of all 1 changes no bit; where it is 0 neither do keys and values,
 * whatever they are: NaN among them.
 */
static void
test_masks(void)
{
	size_t		wrong = 0;
	size_t		length;

	for (length = 1; length < 300; length += 13)
	{
		trial		t;
		uint8_t    *ones = malloc(length);
		float	   *plain = malloc(length * 32 * sizeof(float));

		trial_make(&t, length, 32, 32, false);
		if (length % 3 > 0)
			trial_bias(&t);
		memset(ones, 1, length);
		run_all(&t);
		memcpy(plain, t.context, length * 32 * sizeof(float));
		t.a.mask = ones;
		run_all(&t);
		wrong += memcmp(plain, t.context, length * 32 * sizeof(float)) != 0;
		if (length > 1)
		{
			ones[length / 2] = 0;
			run_all(&t);
			memcpy(plain, t.context, length * 32 * sizeof(float));
			t.key[length / 2 * 32 + 7] = NAN;
			attention->pack_keys(t.key, 32, length, 32, t.keys);
			run_all(&t);
			wrong += memcmp(plain, t.context, length * 32 * sizeof(float)) != 0;
		}
		free(ones);
		free(plain);
		trial_free(&t);
	}
	ok(wrong == 0, "%s: %zu texts change with a mask of 1, or with what a mask "
	   "of 0 hides", kernels->name, wrong);
}

/*
 * Weights too small to be normal numbers are 0: subnormal ones would take a
 * hundred times as long.
 */
static void
test_least(void)
{
	trial		t;
	bool		good = true;
	size_t		i;

	trial_make(&t, 129, 32, 32, false);
	for (i = 0; i < 129 * 32; i++)
		t.query[i] *= 16.0f;
	run_rows(&t, 0, MB_ATTEND_ROWS);
	for (i = 0; i < MB_ATTEND_ROWS * 129; i++)
		good = good && (t.weights[i] == 0.0f || t.weights[i] > 1e-34f);
	ok(good, "%s: a weight is 0 or far from subnormal",
	   kernels->name);
	trial_free(&t);
}

/* What is no number stays one, in its row alone; scores of any size are well. */
static void
test_extremes(void)
{
	trial		t;
	bool		good = true;
	int			run;
	size_t		i;

	trial_make(&t, 40, 32, 32, false);
	t.query[3 * 32 + 5] = NAN;
	t.query[4 * 32] = INFINITY;
	for (i = 0; i < 32; i++)
	{
		t.query[5 * 32 + i] *= 1e6f;
		t.query[6 * 32 + i] = 0.0f;
	}
	for (run = 0; run < 2; run++)
	{
		if (run == 1)
			trial_bias(&t);
		run_rows(&t, 0, 16);
		for (i = 0; i < 16 * 32; i++)
		{
			bool		no_number = i / 32 == 3 || i / 32 == 4;

			good = good && (isnan(t.context[i]) != 0) == no_number &&
				(no_number || fabsf(t.context[i]) <= 1.01f);
		}
	}
	ok(row_error(&t, 6, 6) < BOUND, "%s: a query of zeros leaves the bias",
	   kernels->name);
	ok(good, "%s: NaN stays in its row, large scores give one weight",
	   kernels->name);
	trial_free(&t);
	ok(attention->memory(SIZE_MAX, 1) == SIZE_MAX &&
	   attention->memory(1, SIZE_MAX) == SIZE_MAX &&
	   attention->memory(SIZE_MAX / 64, 1) == SIZE_MAX,
	   "%s: memory beyond size_t is refused", kernels->name);
}

int
main(void)
{
	static const char *const tables[] = {"vnni", "amx"};
	size_t		i;

	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
	{
		kernels = mb_kernels_find(tables[i]);
		if (kernels == NULL)
		{
			ok(true, "no table %s here # skip", tables[i]);
			continue;
		}
		attention = kernels->attention;
		if (kernels->begin != NULL)
			kernels->begin();
		test_exact();
		test_rows();
		test_masks();
		test_least();
		test_extremes();
		if (kernels->end != NULL)
			kernels->end();
	}
	return done_testing();
}
