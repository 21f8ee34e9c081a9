/*-------------------------------------------------------------------------
 *
 * spans.c
 *	  Which of overlapping spans stand.
 *
 * Spans are taken from the longest on, each if nothing that was taken overlaps
 * it.  As those taken are no shorter, one that overlaps holds the first or the
 * last unit of the span, so a bit for each unit of the text tells.
 *
 * Depends on libc only.
 *
 *-------------------------------------------------------------------------
 */
#include "tasks/spans.h"

#include <string.h>

#define WORK "choice of spans"

/* Units of work between two polls of cancel. */
#define POLL_WORK 100000

/*
 * Sort
 */

/* Merge two runs of from [at, middle) and [middle, end) to "to". */
static mb_status
merge_runs(const uint32_t *from, uint32_t *to, size_t at, size_t middle,
		   size_t end, mb_order compare, const void *context, size_t *work,
		   const mb_cancel *cancel, mb_error *err)
{
	size_t		left = at;
	size_t		right = middle;

	for (; at < end; at++)
	{
		bool		takes_left = right == end ||
			(left < middle &&
			 compare(context, from[left], from[right], work) <= 0);

		to[at] = takes_left ? from[left++] : from[right++];
		if (++*work >= POLL_WORK)
		{
			*work = 0;
			if (mb_cancelled(cancel))
				return mb_fail_cancelled(err, WORK);
		}
	}
	return MB_OK;
}

mb_status
mb_sort_numbers(uint32_t *numbers, size_t count, mb_order compare,
				const void *context, mb_arena *arena,
				const mb_cancel *cancel, mb_error *err)
{
	uint32_t   *from = numbers;
	uint32_t   *to;
	size_t		work = 0;
	size_t		run;

	if (count < 2)
		return MB_OK;
	to = mb_arena_alloc(arena, count, sizeof(uint32_t));
	if (to == NULL)
		return mb_fail_memory(err);
	for (run = 1; run < count; run *= 2)
	{
		uint32_t   *swap = from;
		size_t		at;

		for (at = 0; at < count; at += 2 * run)
		{
			size_t		middle = count - at < run ? count : at + run;
			size_t		end = count - at < 2 * run ? count : at + 2 * run;
			mb_status	status = merge_runs(from, to, at, middle, end,
											compare, context, &work, cancel,
											err);

			if (status != MB_OK)
				return status;
		}
		from = to;
		to = swap;
	}
	if (from != numbers)
		memcpy(numbers, from, count * sizeof(uint32_t));
	return MB_OK;
}

static int
compare_sizes(size_t a, size_t b)
{
	return a < b ? -1 : a > b;
}

static int
by_start(const void *context, uint32_t a, uint32_t b, size_t *work)
{
	const mb_span *spans = context;

	(void) work;
	return compare_sizes(spans[a].start, spans[b].start);
}

/* The longest first, then by start, then as they came. */
static int
by_length(const void *context, uint32_t a, uint32_t b, size_t *work)
{
	const mb_span *spans = context;
	int			order = compare_sizes(spans[b].end - spans[b].start,
									  spans[a].end - spans[a].start);

	return order != 0 ? order : by_start(context, a, b, work);
}

/*
 * Choice
 */

static bool
is_marked(const uint8_t *marks, size_t at)
{
	return (marks[at / 8] >> at % 8 & 1) != 0;
}

static void
mark(uint8_t *marks, size_t at)
{
	marks[at / 8] = (uint8_t) (marks[at / 8] | 1u << at % 8);
}

/* stands [count]: 1 for those that stand.  order: by length. */
static mb_status
choose(const mb_span *spans, const uint32_t *order, size_t count, size_t size,
	   uint8_t *stands, mb_arena *arena, const mb_cancel *cancel,
	   mb_error *err)
{
	uint8_t    *marks = mb_arena_zero(arena, size / 8 + 1, 1);
	size_t		work = 0;
	size_t		i;

	if (marks == NULL)
		return mb_fail_memory(err);
	for (i = 0; i < count; i++)
	{
		const mb_span *span = &spans[order[i]];
		size_t		at;

		if (is_marked(marks, span->start) || is_marked(marks, span->end - 1))
			continue;
		stands[order[i]] = 1;
		for (at = span->start; at < span->end; at++)
		{
			mark(marks, at);
			if (++work % POLL_WORK == 0 && mb_cancelled(cancel))
				return mb_fail_cancelled(err, WORK);
		}
		if (++work % POLL_WORK == 0 && mb_cancelled(cancel))
			return mb_fail_cancelled(err, WORK);
	}
	return MB_OK;
}

/*
 * Put those that stand into "out", by start, and return how many there are.  A
 * group is what overlaps from span to span; with "cover" those of it that stand
 * share all of it.
 */
static size_t
collect(const mb_span *spans, const uint32_t *order, size_t count,
		const uint8_t *stands, bool cover, mb_span *out)
{
	size_t		kept = 0;
	size_t		i = 0;

	while (i < count)
	{
		size_t		start = spans[order[i]].start;
		size_t		end = spans[order[i]].end;
		size_t		first = kept;
		size_t		n;

		for (; i < count && spans[order[i]].start < end; i++)
		{
			const mb_span *span = &spans[order[i]];

			if (span->end > end)
				end = span->end;
			if (stands[order[i]])
				out[kept++] = *span;
		}
		if (!cover)
			continue;
		out[first].start = start;
		for (n = first; n + 1 < kept; n++)
			out[n].end = out[n + 1].start;
		out[kept - 1].end = end;
	}
	return kept;
}

mb_status
mb_spans_settle(mb_span *spans, size_t *count, size_t size, bool cover,
				mb_arena *arena, const mb_cancel *cancel, mb_error *err)
{
	uint32_t   *order = mb_arena_alloc(arena, *count, sizeof(uint32_t));
	uint8_t    *stands = mb_arena_zero(arena, *count, 1);
	mb_span    *out = mb_arena_alloc(arena, *count, sizeof(mb_span));
	mb_status	status;
	size_t		i;

	if (order == NULL || stands == NULL || out == NULL)
		return mb_fail_memory(err);
	if (*count > UINT32_MAX)
		return mb_fail(err, MB_ERR_LIMIT, "too many spans");
	for (i = 0; i < *count; i++)
	{
		MB_ASSERT(spans[i].start < spans[i].end && spans[i].end <= size);
		order[i] = (uint32_t) i;
	}
	status = mb_sort_numbers(order, *count, by_length, spans, arena, cancel,
							 err);
	if (status == MB_OK)
		status = choose(spans, order, *count, size, stands, arena, cancel,
						err);
	if (status == MB_OK)
		status = mb_sort_numbers(order, *count, by_start, spans, arena, cancel,
								 err);
	if (status != MB_OK)
		return status;
	*count = collect(spans, order, *count, stands, cover, out);
	memcpy(spans, out, *count * sizeof(mb_span));
	return MB_OK;
}
