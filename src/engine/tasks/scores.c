/*-------------------------------------------------------------------------
 *
 * scores.c
 *	  From logits to scores.
 *
 * Depends on tasks/scores.h.
 *
 *-------------------------------------------------------------------------
 */
#include "tasks/scores.h"

#include <math.h>
#include <stdbool.h>

/* The largest logit, and the sum of exp(logit - largest). */
static double
exp_sum(const float *logits, size_t count, double *max)
{
	double		sum = 0;
	size_t		i;

	*max = logits[mb_argmax(logits, count)];
	if (isinf(*max))
		*max = 0;
	for (i = 0; i < count; i++)
		sum += exp(logits[i] - *max);
	return sum;
}

double
mb_log_sum_exp(const float *logits, size_t count)
{
	double		max;
	double		sum = exp_sum(logits, count, &max);

	return max + log(sum);
}

void
mb_softmax(const float *logits, size_t count, float *out)
{
	double		max;
	double		sum;
	size_t		i;

	if (count == 0)
		return;
	sum = exp_sum(logits, count, &max);
	for (i = 0; i < count; i++)
		out[i] = (float) (exp(logits[i] - max) / sum);
}

float
mb_sigmoid(float logit)
{
	return (float) (1 / (1 + exp(-(double) logit)));
}

double
mb_cross_entropy(const float *logits, size_t count, size_t label)
{
	double		max;
	double		sum = exp_sum(logits, count, &max);

	return max - logits[label] + log(sum);
}

/* Does value a, at index i, rank before value b, at index j? */
static bool
ranks_before(float a, size_t i, float b, size_t j)
{
	if (isnan(a) || isnan(b))
		return isnan(a) && isnan(b) ? i < j : !isnan(a);
	return a > b || (a == b && i < j);
}

size_t
mb_argmax(const float *values, size_t count)
{
	size_t		best = 0;
	size_t		i;

	for (i = 1; i < count; i++)
	{
		if (ranks_before(values[i], i, values[best], best))
			best = i;
	}
	return best;
}

/* Sift down the entry at "at" of a heap with the lowest in rank on top. */
static void
sift_down(const float *values, size_t *heap, size_t count, size_t at)
{
	for (;;)
	{
		size_t		child = 2 * at + 1;
		size_t		entry = heap[at];

		if (child >= count)
			return;
		if (child + 1 < count &&
			ranks_before(values[heap[child]], heap[child],
						 values[heap[child + 1]], heap[child + 1]))
			child++;
		if (!ranks_before(values[entry], entry,
						  values[heap[child]], heap[child]))
			return;
		heap[at] = heap[child];
		heap[child] = entry;
		at = child;
	}
}

size_t
mb_top(const float *values, size_t count, size_t top, size_t *best)
{
	size_t		kept = top < count ? top : count;
	size_t		i;

	if (kept == 0)
		return 0;
	for (i = 0; i < kept; i++)
		best[i] = i;
	for (i = kept / 2; i-- > 0;)
		sift_down(values, best, kept, i);
	for (i = kept; i < count; i++)
	{
		if (ranks_before(values[i], i, values[best[0]], best[0]))
		{
			best[0] = i;
			sift_down(values, best, kept, 0);
		}
	}
	for (i = kept; i-- > 1;)
	{
		size_t		last = best[0];

		best[0] = best[i];
		best[i] = last;
		sift_down(values, best, i, 0);
	}
	return kept;
}
