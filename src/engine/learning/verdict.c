/*-------------------------------------------------------------------------
 *
 * verdict.c
 *	  Counts and losses of predictions, and the figures that follow.
 *
 * Depends on learning/verdict.h.
 *
 *-------------------------------------------------------------------------
 */
#include "learning/verdict.h"

#include <math.h>
#include <string.h>

bool
mb_verdict_memory(const mb_fit_task *task, size_t rows, size_t *bytes)
{
	size_t		counts = 0;
	size_t		predicted = 0;
	size_t		losses;

	return mb_size_multiply(rows, sizeof(double), &losses) &&
		(task->kind == MB_FIT_NUMBER ||
			mb_size_multiply(task->labels, sizeof(mb_fit_count), &counts)) &&
		(task->kind != MB_FIT_CLASS ||
		 mb_size_multiply(rows, sizeof(uint32_t), &predicted)) &&
		mb_size_add(counts, predicted, bytes) &&
		mb_size_add(*bytes, losses, bytes);
}

mb_status
mb_verdict_begin(mb_verdict *v, const mb_fit_task *task, size_t rows,
				 mb_arena *arena, mb_error *err)
{
	memset(v, 0, sizeof(*v));
	v->losses = mb_arena_zero(arena, rows, sizeof(double));
	if (v->losses == NULL)
		return mb_fail_memory(err);
	if (task->kind == MB_FIT_NUMBER)
		return MB_OK;
	v->counts = mb_arena_zero(arena, task->labels, sizeof(mb_fit_count));
	if (v->counts == NULL)
		return mb_fail_memory(err);
	if (task->kind != MB_FIT_CLASS)
		return MB_OK;
	v->predicted = mb_arena_zero(arena, rows, sizeof(uint32_t));
	return v->predicted == NULL ? mb_fail_memory(err) : MB_OK;
}

void
mb_verdict_clear(mb_verdict *v, const mb_fit_task *task)
{
	v->loss = 0;
	v->exact = 0;
	if (v->counts != NULL)
		memset(v->counts, 0, task->labels * sizeof(mb_fit_count));
}

/* The label of the largest logit, the first of equals */
static uint32_t
choose_label(const mb_logistic *l, const double *logits)
{
	size_t		best = 0;
	size_t		i;

	if (l->outputs == 1)
		return logits[0] > 0;
	for (i = 1; i < l->outputs; i++)
		if (logits[i] > logits[best])
			best = i;
	return (uint32_t) best;
}

static void
add_class(mb_verdict *v, const mb_logistic *l, uint32_t index,
		  const mb_fit_row *row, const double *logits)
{
	uint32_t	label = row->target.label;
	uint32_t	chosen = choose_label(l, logits);

	v->predicted[index] = chosen;
	v->counts[label].rows++;
	v->counts[chosen].predicted++;
	if (chosen == label)
	{
		v->counts[label].correct++;
		v->exact++;
	}
}

static void
add_labels(mb_verdict *v, const mb_logistic *l, const mb_fit_row *row,
		   const double *logits)
{
	size_t		next = 0;
	bool		exact = true;
	size_t		i;

	for (i = 0; i < l->outputs; i++)
	{
		bool		chosen = logits[i] > 0;
		bool		is = next < row->target.labels.count &&
			row->target.labels.items[next] == i;

		next += is;
		v->counts[i].rows += is;
		v->counts[i].predicted += chosen;
		v->counts[i].correct += is && chosen;
		exact = exact && is == chosen;
	}
	v->exact += exact;
}

mb_status
mb_verdict_add(mb_verdict *v, mb_logistic *l, const mb_fit_part *part,
			   const double *weights, const mb_cancel *cancel, mb_error *err)
{
	size_t		start;
	size_t		r;

	for (start = 0; start < part->count; start += MB_FIT_BLOCK)
	{
		size_t		rows = part->count - start < MB_FIT_BLOCK ?
			part->count - start : MB_FIT_BLOCK;
		mb_status	status = mb_logistic_logits(l, part, start, rows, weights,
												cancel, err);

		if (status != MB_OK)
			return status;
		for (r = 0; r < rows; r++)
		{
			uint32_t	index = part->index[start + r];
			const double *logits = l->logits + r * l->padded;

			if (l->kind == MB_FIT_CLASS)
				add_class(v, l, index, &part->rows[index], logits);
			else
				add_labels(v, l, &part->rows[index], logits);
		}
		v->loss += mb_logistic_loss(l, part, start, rows);
		for (r = 0; r < rows; r++)
			v->losses[part->index[start + r]] = l->losses[r];
	}
	return MB_OK;
}

double
mb_verdict_difference(const mb_verdict *a, const mb_verdict *b,
					  const mb_fit_part *parts, unsigned count)
{
	double		n = 0;
	double		sum = 0;
	double		squares = 0;
	unsigned	i;
	size_t		r;

	for (i = 0; i < count; i++)
		for (r = 0; r < parts[i].count; r++)
		{
			uint32_t	row = parts[i].index[r];
			double		difference = b->losses[row] - a->losses[row];

			n++;
			sum += difference;
			squares += difference * difference;
		}
	squares -= sum * sum / n;
	return squares > 0 ? sum / sqrt(squares * n / (n - 1)) :
		sum > 0 ? HUGE_VAL : sum < 0 ? -HUGE_VAL : 0;
}

/* 2 * correct / (rows + predicted), or 0 */
static double
f1_of(const mb_fit_count *count)
{
	size_t		both = count->rows + count->predicted;

	return both == 0 ? 0 : 2.0 * (double) count->correct / (double) both;
}

static uint64_t
hash_set(const mb_fit_row *row)
{
	uint64_t	hash = row->target.labels.count;
	size_t		i;

	for (i = 0; i < row->target.labels.count; i++)
	{
		hash = (hash ^ row->target.labels.items[i]) *
			UINT64_C(0x9E3779B97F4A7C15);
		hash ^= hash >> 29;
	}
	return hash;
}

/*
 * Rows of the most frequent set of labels.  slots: a table with twice as many
 * places as rows, of the first row of a set + 1 and how many have it so far;
 * the places of both lie side by side.
 */
static mb_status
count_sets(const mb_fit_row *rows, size_t count, size_t *slots,
		   size_t *most, const mb_cancel *cancel, mb_error *err)
{
	size_t		places = 2 * count;
	size_t	   *seen = slots + places;
	size_t		r;

	*most = 0;
	memset(slots, 0, places * sizeof(size_t));
	for (r = 0; r < count; r++)
	{
		size_t		place = hash_set(&rows[r]) % places;

		if (r % 1024 == 0)
		{
			mb_status	status = mb_poll_cancel(cancel, "fitting", err);

			if (status != MB_OK)
				return status;
		}
		while (slots[place] != 0 &&
			   mb_fit_compare_targets(&rows[slots[place] - 1], &rows[r],
									  MB_FIT_LABELS) != 0)
			place = place + 1 == places ? 0 : place + 1;
		if (slots[place] == 0)
		{
			slots[place] = r + 1;
			seen[place] = 0;
		}
		if (++seen[place] > *most)
			*most = seen[place];
	}
	return MB_OK;
}

mb_status
mb_verdict_figures(const mb_verdict *v, const mb_fit_task *task,
				   const mb_fit_row *rows, size_t count, size_t *spare,
				   mb_fit_result *result, const mb_cancel *cancel,
				   mb_error *err)
{
	mb_fit_count all = {0, 0, 0};
	double		sum = 0;
	size_t		most = 0;
	size_t		i;

	for (i = 0; i < task->labels; i++)
	{
		const mb_fit_count *one = &v->counts[i];
		double		f1 = f1_of(one);

		all.rows += one->rows;
		all.predicted += one->predicted;
		all.correct += one->correct;
		sum += f1;
		if (one->rows > most)
			most = one->rows;
		if (i == 0 || f1 < result->weakest_f1 ||
			(f1 == result->weakest_f1 &&
			 one->rows < v->counts[result->weakest].rows))
		{
			result->weakest = i;
			result->weakest_f1 = f1;
		}
	}
	if (task->kind == MB_FIT_LABELS)
	{
		mb_status	status = count_sets(rows, count, spare, &most, cancel,
										err);

		if (status != MB_OK)
			return status;
	}
	result->accuracy = (double) v->exact / (double) count;
	result->macro_f1 = sum / (double) task->labels;
	result->micro_f1 = f1_of(&all);
	result->majority = (double) most / (double) count;
	return MB_OK;
}
