/*-------------------------------------------------------------------------
 *
 * test_pooling.c
 *	  Pooling of one text: each mode against its definition, the same bits
 *	  however the text is parted into windows, several modes at once; and
 *	  distances of vectors.
 *
 *-------------------------------------------------------------------------
 */
#include "kernels/choose.h"
#include "kernels/kernels.h"
#include "encoder/pooling.h"

#include "pool.h"
#include "sets.h"
#include "tap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 70
#define MOST_TOKENS 40

static uint64_t seed = 1;

static uint32_t
below(uint32_t limit)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t) (seed >> 33) % limit;
}

static float
uniform(void)
{
	return (float) below(1 << 24) / (float) (1 << 23) - 1.0f;
}

static bool
pools_to(const mb_model *model, uint32_t mode, const float *states,
		 const uint8_t *mask, double a, double b)
{
	float		out[2] = {NAN, NAN};

	return pool_text(model, mode, states, 4, mask, out, NULL) == MB_OK &&
		fabs(out[0] - a) <= 1e-6 * fmax(1.0, fabs(a)) &&
		fabs(out[1] - b) <= 1e-6 * fmax(1.0, fabs(b));
}

static void
test_modes(void)
{
	static const float states[] = {1, -2e9f, 2, -3e9f, 4, -4e9f, 9, 1};
	static const uint8_t mask[] = {1, 0, 1, 0};
	static const uint8_t late[] = {0, 1, 1, 0};
	float		broken[] = {1, 2, NAN, 3};
	static mb_model model;
	float		out[2];

	model.config.hidden_size = 2;
	ok(pools_to(&model, MB_POOL_CLS, states, mask, 1, -2e9), "cls");
	ok(pools_to(&model, MB_POOL_CLS, states, late, 2, -3e9),
	   "cls is the first token that is attended to");
	ok(pools_to(&model, MB_POOL_POOLER, states, late, 1, -2e9),
	   "pooler without activation is cls");
	ok(pools_to(&model, MB_POOL_MEAN, states, mask, 2.5, -3e9) &&
	   pools_to(&model, MB_POOL_MEAN, states, NULL, 4, -2.25e9), "mean");
	ok(pools_to(&model, MB_POOL_MEAN_SQRT_LEN, states, mask, 5 / sqrt(2.0),
				-6e9 / sqrt(2.0)), "mean_sqrt_len_tokens");
	ok(pools_to(&model, MB_POOL_WEIGHTED_MEAN, states, mask, 13 / 4.0,
				-14e9 / 4), "weightedmean counts positions from 1");
	ok(pools_to(&model, MB_POOL_LAST_TOKEN, states, mask, 4, -4e9) &&
	   pools_to(&model, MB_POOL_LAST_TOKEN, states, NULL, 9, 1),
	   "lasttoken is the last attended one");
	ok(pools_to(&model, MB_POOL_MAX, states, mask, 4, -2e9) &&
	   pools_to(&model, MB_POOL_MAX, states, NULL, 9, 1),
	   "max takes masked tokens as -1e9");
	ok(pool_text(&model, MB_POOL_MAX, broken, 2, NULL, out, NULL) == MB_OK &&
	   isnan(out[0]) && out[1] == 3, "max keeps NaN");
}

static void
test_refusals(void)
{
	static const float states[] = {1, 2, 3, 4, 5, 6, 7, 8};
	static const uint8_t none[] = {0, 0, 0, 0};
	static mb_model model;
	mb_error	err;
	float		out[2];

	model.config.hidden_size = 2;
	ok(pool_text(&model, MB_POOL_MEAN, states, 4, none, out, &err) ==
	   MB_ERR_ARGUMENT &&
	   pool_text(&model, MB_POOL_MEAN, states, 0, NULL, out, &err) ==
	   MB_ERR_ARGUMENT, "nothing to pool is refused: %s", err.message);
	ok(pool_text(&model, MB_POOL_END, states, 4, NULL, out, &err) ==
	   MB_ERR_ARGUMENT &&
	   pool_text(&model, 0, states, 4, NULL, out, &err) == MB_ERR_ARGUMENT,
	   "an unknown mode, or none, is refused: %s", err.message);
	model.config.classifier_activation = 1;
	ok(mb_pooler(&model, states, out, &err) == MB_ERR_UNSUPPORTED,
	   "a pooler without weights is refused: %s", err.message);
	ok(pool_text(&model, MB_POOL_POOLER, states, 4, NULL, out, &err) ==
	   MB_ERR_UNSUPPORTED, "and so is pooling with it: %s", err.message);
}

/* ----------
 * One text in windows
 * ----------
 */

typedef struct text
{
	size_t		length;
	float		states[MOST_TOKENS * WIDTH];
	uint8_t		mask[MOST_TOKENS];
} text;

/* Feature i of the text's vector, from the definition of a mode alone. */
static float
expected(const text *t, mb_pooling mode, size_t i)
{
	double		sum = 0.0;
	double		weighted = 0.0;
	double		tokens = 0.0;
	double		positions = 0.0;
	float		max = -INFINITY;
	float		first = 0.0f;
	float		last = 0.0f;
	size_t		token;

	for (token = 0; token < t->length; token++)
	{
		float		x = t->states[token * WIDTH + i];

		if (!t->mask[token])
			continue;
		if (tokens == 0.0)
			first = x;
		max = fmaxf(max, x);
		sum += x;
		weighted += (double) (token + 1) * (double) x;
		tokens += 1.0;
		positions += (double) (token + 1);
		last = x;
	}
	switch (mode)
	{
		case MB_POOL_MAX:
			return max;
		case MB_POOL_MEAN:
			return (float) (sum / tokens);
		case MB_POOL_MEAN_SQRT_LEN:
			return (float) (sum / sqrt(tokens));
		case MB_POOL_WEIGHTED_MEAN:
			return (float) (weighted / positions);
		case MB_POOL_LAST_TOKEN:
			return last;
		case MB_POOL_CLS:
			return first;
		default:				/* a pooler without activation */
			return t->states[i];
	}
}

static void
random_text(text *t)
{
	bool		masked = below(2) == 0;
	size_t		i;

	t->length = 1 + below(MOST_TOKENS);
	for (i = 0; i < t->length * WIDTH; i++)
		t->states[i] = uniform() * (below(10) == 0 ? 2.5e7f : 1.0f);
	for (i = 0; i < t->length; i++)
		t->mask[i] = !masked || below(3) > 0;
	t->mask[below((uint32_t) t->length)] = 1;
}

/* The text in windows of random lengths, some of them of no token at all. */
static bool
pool_windows(const mb_model *model, mb_poolings modes, const text *t,
			 float *out)
{
	size_t		size = mb_pool_memory(model, modes);
	char	   *memory = malloc(size + 1);
	size_t		at = 0;
	mb_pool		pool;
	bool		good;

	memset(memory, 0x5a, size + 1);
	good = mb_pool_begin(&pool, model, modes, memory, NULL) == MB_OK;
	while (good && at < t->length)
	{
		size_t		count = below((uint32_t) (t->length - at + 1));
		float	   *states = malloc(count * WIDTH * sizeof(float) + 1);

		/* by itself, as a window's states go away when it is through */
		memcpy(states, t->states + at * WIDTH, count * WIDTH * sizeof(float));
		mb_pool_add(&pool, states, count, t->mask + at);
		free(states);
		at += count;
	}
	good = good && mb_pool_end(&pool, out, NULL) == MB_OK &&
		memory[size] == 0x5a;
	free(memory);
	return good;
}

static void
test_windows(void)
{
	static mb_model model;
	static text t;
	size_t		wrong[MB_POOL_END] = {0};
	size_t		round;
	mb_pooling	mode;

	model.config.hidden_size = WIDTH;
	for (round = 0; round < 500; round++)
	{
		random_text(&t);
		for (mode = MB_POOL_CLS; mode < MB_POOL_END; mode++)
		{
			float		whole[WIDTH];
			float		parted[WIDTH];
			bool		good;
			size_t		i;

			good = pool_text(&model, mode, t.states, t.length, t.mask,
							 whole, NULL) == MB_OK &&
				pool_windows(&model, mode, &t, parted) &&
				memcmp(whole, parted, sizeof(whole)) == 0;
			for (i = 0; i < WIDTH; i++)
				good = good && whole[i] == expected(&t, mode, i);
			wrong[mode] += !good;
		}
	}
	for (mode = MB_POOL_CLS; mode < MB_POOL_END; mode++)
		ok(wrong[mode] == 0, "mode %d: same bits in one window, in several, "
		   "and by its definition", (int) mode);
}

/* Any list of modes gives what each gives by itself, in the list's order. */
static void
test_lists(void)
{
	static mb_model model;
	static text t;
	size_t		wrong = 0;
	size_t		round;

	model.config.hidden_size = WIDTH;
	for (round = 0; round < 500; round++)
	{
		float		all[MB_POOLINGS_LIMIT * WIDTH];
		float		one[WIDTH];
		mb_pooling	modes[MB_POOLINGS_LIMIT];
		uint32_t	count = 1 + below(MB_POOLINGS_LIMIT);
		mb_poolings list = 0;
		uint32_t	i;

		random_text(&t);
		for (i = 0; i < count; i++)
		{
			modes[i] = (mb_pooling) (1 + below(MB_POOL_END - 1));
			wrong += !mb_poolings_append(&list, modes[i]);
		}
		wrong += !mb_poolings_valid(list) || mb_poolings_count(list) != count;
		wrong += mb_pool_width(&model, list) != count * WIDTH;
		wrong += !pool_windows(&model, list, &t, all);
		for (i = 0; i < count; i++)
		{
			wrong += !pool_windows(&model, modes[i], &t, one);
			wrong += memcmp(all + i * WIDTH, one, sizeof(one)) != 0;
			wrong += !mb_poolings_contain(list, modes[i]);
		}
		wrong += mb_poolings_append(&list, MB_POOL_CLS) !=
			(count < MB_POOLINGS_LIMIT);
	}
	ok(wrong == 0, "every list of modes is its modes one after the other");
	ok(!mb_poolings_valid(0) && !mb_poolings_valid(MB_POOL_END) &&
	   !mb_poolings_valid(MB_POOL_CLS << MB_POOLINGS_BITS) &&
	   !mb_poolings_contain(MB_POOL_MEAN, MB_POOL_CLS),
	   "what is no list is none");
}

/* A pass for the first token's state alone gives one row for a long text. */
static void
test_first_only(void)
{
	static mb_model model;
	static const uint8_t first[] = {0, 1};
	static const uint8_t second[] = {1, 0};
	mb_poolings both = MB_POOL_CLS;
	mb_poolings more = MB_POOL_CLS;
	float	   *row = malloc(WIDTH * sizeof(float));
	float		out[2 * WIDTH];
	size_t		i;

	model.config.hidden_size = WIDTH;
	for (i = 0; i < WIDTH; i++)
		row[i] = uniform();
	mb_poolings_append(&both, MB_POOL_POOLER);
	mb_poolings_append(&more, MB_POOL_MAX);
	ok(pool_text(&model, both, row, 500, NULL, out,
				 NULL) == MB_OK &&
	   memcmp(out, row, WIDTH * sizeof(float)) == 0 &&
	   memcmp(out + WIDTH, row, WIDTH * sizeof(float)) == 0,
	   "cls and pooler read one row of a text of 500 tokens");
	ok(mb_pool_first_only(both, NULL) && mb_pool_first_only(both, second) &&
	   !mb_pool_first_only(more, NULL), "and say so");
	ok(!mb_pool_first_only(both, first) &&
	   mb_pool_first_only(MB_POOL_POOLER, first),
	   "but cls reads another one where the first is masked");
	free(row);
}

/* ----------
 * Distances
 * ----------
 */

static void
test_distances(const char *table)
{
	static const float a[] = {3, 4, 0, 0, 0};
	static const float b[] = {0, 0, 0, 5, 12};
	static const float c[] = {6, 8, 0, 0, 0};
	float		zero[] = {0, 0, 0, 0, 0};
	float		large[] = {3e30f, 4e30f};
	bool		bounded = true;
	float		x[33];
	size_t		i;

	ok(mb_inner_product(a, c, 5) == 50.0f && mb_inner_product(a, b, 5) == 0.0f,
	   "%s: inner product", table);
	ok(mb_l2_distance(a, c, 5) == 5.0f && mb_l2_distance(a, a, 5) == 0.0f,
	   "%s: Euclidean distance", table);
	ok(mb_l1_distance(a, a, 5) == 0.0f &&
	   mb_l1_distance(a, zero, 5) == fabsf(a[0]) + fabsf(a[1]) + fabsf(a[2]) +
	   fabsf(a[3]) + fabsf(a[4]), "%s: L1 distance", table);
	ok(mb_compare(MB_SIMILARITY_COSINE, a, c, 5) == 1.0f &&
	   mb_compare(MB_SIMILARITY_DOT, a, c, 5) == mb_inner_product(a, c, 5) &&
	   mb_compare(MB_SIMILARITY_EUCLIDEAN, a, c, 5) == -5.0f &&
	   mb_compare(MB_SIMILARITY_MANHATTAN, a, c, 5) ==
	   -mb_l1_distance(a, c, 5), "%s: as a model compares", table);
	ok(mb_cosine_similarity(a, c, 5) == 1.0f &&
	   mb_cosine_similarity(a, b, 5) == 0.0f &&
	   isnan(mb_cosine_similarity(a, zero, 5)), "%s: cosine similarity",
	   table);
	for (i = 0; i < 2000; i++)
	{
		size_t		j;

		for (j = 0; j < 33; j++)
			x[j] = uniform();
		if (fabsf(mb_cosine_similarity(x, x, 33) - 1.0f) > 1e-6f ||
			mb_cosine_similarity(x, x, 33) > 1.0f)
			bounded = false;
		mb_normalize(x, 33);
		if (fabsf(mb_inner_product(x, x, 33) - 1.0f) > 1e-6f)
			bounded = false;
	}
	ok(bounded, "%s: similarity of a vector to itself is 1 and no more", table);
	mb_normalize(large, 2);
	mb_normalize(zero, 5);
	ok(fabsf(large[0] - 0.6f) < 1e-6f && fabsf(large[1] - 0.8f) < 1e-6f &&
	   zero[0] == 0.0f, "%s: normalising huge and zero vectors", table);
}

int
main(void)
{
	static const char *const tables[] = {
		"ref", "ref/openblas", SET_NAMES
	};
	size_t		i;

	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
	{
		if (mb_kernels_choose(tables[i]))
			test_distances(tables[i]);
		else
			ok(true, "%s # SKIP not on this processor", tables[i]);
	}
	mb_kernels_choose("auto");
	test_modes();
	test_refusals();
	test_windows();
	test_lists();
	test_first_only();
	return done_testing();
}
