/*-------------------------------------------------------------------------
 *
 * test_scores.c
 *	  Softmax, sigmoid, cross entropy and the best few.
 *
 *-------------------------------------------------------------------------
 */
#include "tap.h"
#include "tasks/scores.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

static uint32_t seed = 20251;

static uint32_t
random_number(void)
{
	seed = seed * 1664525u + 1013904223u;
	return seed >> 8;
}

/* The definition, one by one: the largest that was not taken, first of equals. */
static bool
top_is_right(const float *values, size_t count, size_t top)
{
	bool	   *taken = calloc(count + 1, sizeof(bool));
	size_t	   *best = malloc((count + 1) * sizeof(size_t));
	size_t		kept = mb_top(values, count, top, best);
	bool		right = kept == (top < count ? top : count);
	size_t		i;
	size_t		j;

	for (i = 0; right && i < kept; i++)
	{
		size_t		expected = count;

		for (j = 0; j < count; j++)
		{
			if (!taken[j] &&
				(expected == count || values[j] > values[expected] ||
				 (isnan(values[expected]) && !isnan(values[j]))))
				expected = j;
		}
		right = best[i] == expected;
		taken[expected] = true;
	}
	free(taken);
	free(best);
	return right;
}

static void
test_top(void)
{
	float		values[64];
	bool		right = true;
	int			round;

	for (round = 0; round < 2000; round++)
	{
		size_t		count = random_number() % 64;
		size_t		i;

		for (i = 0; i < count; i++)
			values[i] = random_number() % 16 == 0 ? NAN :
				(float) (random_number() % 12);
		right = right && top_is_right(values, count, random_number() % 66);
	}
	ok(right, "2,000 rows with equals and NaN: the best in order");

	values[0] = 1;
	values[1] = NAN;
	values[2] = 3;
	values[3] = 3;
	ok(mb_argmax(values, 4) == 2, "the first of the largest");
	ok(mb_argmax(values + 1, 1) == 0, "NaN alone");
}

static void
test_softmax(void)
{
	static const float logits[] = {1, 2, 3, -1000};
	static const float huge[] = {3e38f, 3e38f, -3e38f};
	static const float odd[] = {1, NAN};
	float		out[4];
	double		sum = 0;
	size_t		i;

	mb_softmax(logits, 4, out);
	for (i = 0; i < 4; i++)
		sum += out[i];
	ok(fabs(sum - 1) < 1e-6, "shares of one");
	ok(fabsf(out[0] - 0.09003057f) < 1e-8f && out[3] == 0, "known values");
	mb_softmax(huge, 3, out);
	ok(out[0] == 0.5f && out[1] == 0.5f && out[2] == 0,
	   "the largest floats do not overflow");
	mb_softmax(odd, 2, out);
	ok(isnan(out[0]) && isnan(out[1]), "NaN spreads");
	out[0] = 5;
	mb_softmax(out, 1, out);
	ok(out[0] == 1, "one logit, in place");
}

int
main(void)
{
	static const float logits[] = {0, 0, 0, 0};

	test_softmax();
	test_top();
	ok(mb_sigmoid(0) == 0.5f && mb_sigmoid(-200) < 1e-30f &&
	   mb_sigmoid(200) == 1, "sigmoid");
	ok(fabs(mb_cross_entropy(logits, 4, 2) - log(4)) < 1e-12,
	   "cross entropy of equal logits");
	ok(fabs(mb_log_sum_exp(logits, 4) - log(4)) < 1e-12, "log sum exp");
	return done_testing();
}
