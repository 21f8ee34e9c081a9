/*-------------------------------------------------------------------------
 *
 * folds.c
 *	  Folds of cross-validation.
 *
 * Depends on learning/folds.h.
 *
 *-------------------------------------------------------------------------
 */
#include "learning/folds.h"

#include <string.h>

static bool
same_text(const mb_fit_row *a, const mb_fit_row *b)
{
	return a->hash[0] == b->hash[0] && a->hash[1] == b->hash[1];
}

bool
mb_folds_memory(mb_fit_kind kind, size_t rows, size_t labels, size_t *bytes)
{
	size_t		each = sizeof(uint16_t);
	size_t		counters;

	if (kind == MB_FIT_NUMBER)
		each += 2 * sizeof(mb_fit_row);
	return mb_size_add(labels, 1, &counters) &&
		mb_size_multiply(counters, 4 * sizeof(size_t), &counters) &&
		mb_size_multiply(rows, each, bytes) &&
		mb_size_add(*bytes, counters, bytes);
}

/* What a text is dealt by: a label, or "labels" for a row that has none */
static size_t
stratum_of(const mb_fit_row *row, mb_fit_kind kind, size_t labels,
		   const size_t *label_rows)
{
	size_t		rarest = labels;
	size_t		i;

	if (kind == MB_FIT_CLASS)
		return row->target.label;
	for (i = 0; i < row->target.labels.count; i++)
	{
		uint32_t	label = row->target.labels.items[i];

		if (rarest == labels || label_rows[label] < label_rows[rarest])
			rarest = label;
	}
	return rarest;
}

/* Rows and different texts of each label; last [labels] is overwritten. */
static void
count_labels(const mb_fit_row *rows, size_t count, mb_fit_kind kind,
			 mb_folds *folds, size_t *last)
{
	size_t		text = 0;
	size_t		r;

	for (r = 0; r < count; r++)
	{
		const uint32_t *items = kind == MB_FIT_CLASS ?
			&rows[r].target.label : rows[r].target.labels.items;
		size_t		n = kind == MB_FIT_CLASS ? 1 : rows[r].target.labels.count;
		size_t		i;

		if (r == 0 || !same_text(&rows[r - 1], &rows[r]))
			text++;
		for (i = 0; i < n; i++)
		{
			folds->label_rows[items[i]]++;
			if (last[items[i]] != text)
				folds->texts[items[i]]++;
			last[items[i]] = text;
		}
	}
}

static mb_status
deal_labels(const mb_fit_row *rows, size_t count, mb_fit_kind kind,
			size_t labels, mb_folds *folds, mb_arena *arena, mb_error *err)
{
	size_t	   *next = mb_arena_zero(arena, labels + 1, sizeof(size_t));
	size_t		start = 0;
	size_t		r;
	size_t		i;

	folds->texts = mb_arena_zero(arena, labels, sizeof(size_t));
	folds->label_rows = mb_arena_zero(arena, labels, sizeof(size_t));
	if (next == NULL || folds->texts == NULL || folds->label_rows == NULL)
		return mb_fail_memory(err);
	count_labels(rows, count, kind, folds, next);
	memset(next, 0, (labels + 1) * sizeof(size_t));
	for (r = 0; r < count; r++)
		if (r == 0 || !same_text(&rows[r - 1], &rows[r]))
			next[stratum_of(&rows[r], kind, labels, folds->label_rows)]++;
	for (i = 0; i <= labels; i++)
	{
		size_t		texts = next[i];

		next[i] = start;
		start += texts;
	}
	for (r = 0; r < count && folds->count > 0; r++)
		folds->of_row[r] = r > 0 && same_text(&rows[r - 1], &rows[r]) ?
			folds->of_row[r - 1] :
			next[stratum_of(&rows[r], kind, labels,
							folds->label_rows)]++ % folds->count;
	return MB_OK;
}

/*
 * Texts in the order of their numbers, those of equal numbers as they are: a
 * copy of the first row of each is sorted without its hash and its features, in
 * place of which it says where it came from.
 */
static mb_status
deal_numbers(const mb_fit_row *rows, size_t count, mb_folds *folds,
			 mb_arena *arena, const mb_cancel *cancel, mb_error *err)
{
	mb_fit_row *texts = mb_arena_alloc(arena, count, sizeof(mb_fit_row));
	mb_fit_row *spare = mb_arena_alloc(arena, count, sizeof(mb_fit_row));
	size_t		found = 0;
	size_t		r;
	mb_status	status;

	if (texts == NULL || spare == NULL)
		return mb_fail_memory(err);
	for (r = 0; r < count; r++)
		if (r == 0 || !same_text(&rows[r - 1], &rows[r]))
		{
			texts[found] = rows[r];
			texts[found].hash[0] = 0;
			texts[found].hash[1] = 0;
			texts[found].features = (const float *) &rows[r];
			found++;
		}
	status = mb_fit_sort(texts, spare, found, 0, MB_FIT_NUMBER, cancel, err);
	if (status != MB_OK)
		return status;
	for (r = 0; r < found; r++)
		folds->of_row[(const mb_fit_row *) texts[r].features - rows] =
			r % folds->count;
	for (r = 1; r < count; r++)
		if (same_text(&rows[r - 1], &rows[r]))
			folds->of_row[r] = folds->of_row[r - 1];
	return MB_OK;
}

mb_status
mb_folds_deal(const mb_fit_row *rows, size_t count, mb_fit_kind kind,
			  size_t labels, unsigned asked, mb_folds *folds,
			  mb_arena *arena, const mb_cancel *cancel, mb_error *err)
{
	size_t		texts = 0;
	size_t		r;

	memset(folds, 0, sizeof(*folds));
	folds->of_row = mb_arena_zero(arena, count, sizeof(uint16_t));
	if (folds->of_row == NULL)
		return mb_fail_memory(err);
	for (r = 0; r < count; r++)
		if (r == 0 || !same_text(&rows[r - 1], &rows[r]))
			texts++;
	folds->count = texts < 2 ? 0 : texts < asked ? (unsigned) texts : asked;
	if (kind != MB_FIT_NUMBER)
		return deal_labels(rows, count, kind, labels, folds, arena, err);
	return folds->count == 0 ? MB_OK :
		deal_numbers(rows, count, folds, arena, cancel, err);
}
