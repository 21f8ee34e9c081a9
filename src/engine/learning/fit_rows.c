/*-------------------------------------------------------------------------
 *
 * fit_rows.c
 *	  The order of labelled rows.
 *
 * Depends on learning/fit_rows.h.
 *
 *-------------------------------------------------------------------------
 */
#include "learning/fit_rows.h"

#include <string.h>

/* Rows between two looks for a cancel */
#define POLL_ROWS 4096

static int
compare_labels(const mb_fit_row *a, const mb_fit_row *b)
{
	size_t		shared = a->target.labels.count < b->target.labels.count ?
		a->target.labels.count : b->target.labels.count;
	size_t		i;

	for (i = 0; i < shared; i++)
		if (a->target.labels.items[i] != b->target.labels.items[i])
			return a->target.labels.items[i] < b->target.labels.items[i] ?
				-1 : 1;
	if (a->target.labels.count != b->target.labels.count)
		return a->target.labels.count < b->target.labels.count ? -1 : 1;
	return 0;
}

int
mb_fit_compare_targets(const mb_fit_row *a, const mb_fit_row *b,
					   mb_fit_kind kind)
{
	switch (kind)
	{
		case MB_FIT_CLASS:
			return (a->target.label > b->target.label) -
				(a->target.label < b->target.label);
		case MB_FIT_LABELS:
			return compare_labels(a, b);
		case MB_FIT_NUMBER:
			break;
	}
	return (a->target.number > b->target.number) -
		(a->target.number < b->target.number);
}

static int
compare_rows(const mb_fit_row *a, const mb_fit_row *b, size_t width,
			 mb_fit_kind kind)
{
	int			i;

	for (i = 0; i < 2; i++)
		if (a->hash[i] != b->hash[i])
			return a->hash[i] < b->hash[i] ? -1 : 1;
	i = mb_fit_compare_targets(a, b, kind);
	if (i != 0)
		return i;
	return width == 0 ? 0 :
		memcmp(a->features, b->features, width * sizeof(float));
}

/* Merges the sorted from[start .. middle) and from[middle .. end). */
static mb_status
merge(const mb_fit_row *from, mb_fit_row *to, size_t start, size_t middle,
	  size_t end, size_t width, mb_fit_kind kind, const mb_cancel *cancel,
	  mb_error *err)
{
	size_t		left = start;
	size_t		right = middle;
	size_t		i;

	for (i = start; i < end; i++)
	{
		if (left < middle &&
			(right == end || compare_rows(&from[left], &from[right], width,
										  kind) <= 0))
			to[i] = from[left++];
		else
			to[i] = from[right++];
		if (i % POLL_ROWS == 0)
		{
			mb_status	status = mb_poll_cancel(cancel, "fitting", err);

			if (status != MB_OK)
				return status;
		}
	}
	return MB_OK;
}

mb_status
mb_fit_sort(mb_fit_row *rows, mb_fit_row *spare, size_t count, size_t width,
			mb_fit_kind kind, const mb_cancel *cancel, mb_error *err)
{
	mb_fit_row *from = rows;
	mb_fit_row *to = spare;
	size_t		run;

	for (run = 1; run < count; run = run > count / 2 ? count : run * 2)
	{
		mb_fit_row *swap = from;
		size_t		start;
		size_t		end;

		for (start = 0; start < count; start = end)
		{
			size_t		middle = count - start > run ? start + run : count;
			mb_status	status;

			end = count - middle > run ? middle + run : count;
			status = merge(from, to, start, middle, end, width, kind, cancel,
						   err);
			if (status != MB_OK)
				return status;
		}
		from = to;
		to = swap;
	}
	if (from != rows)
		memcpy(rows, from, count * sizeof(*rows));
	return MB_OK;
}
