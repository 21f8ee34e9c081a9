/*-------------------------------------------------------------------------
 *
 * spans.h
 *	  Spans of a text that may overlap, and which of them stand.
 *
 * Of overlapping spans the longer stands; of equally long ones the one that
 * starts first, and of equal ones the one that came first.
 *
 * Depends on base/arena.h, base/status.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_SPANS_H
#define MB_SPANS_H

#include "base/arena.h"
#include "base/status.h"

typedef struct mb_span
{
	size_t		start;			/* [start, end), in any unit */
	size_t		end;
	uint32_t	label;			/* the caller's number for it */
} mb_span;

/*
 * Leave in *spans [*count] those that stand, in order.  With "cover" they also
 * take, in their order, what the others have beyond them, so that whatever was
 * in a span still is in one.  Spans lie in a text of size units, and are not
 * empty.  Time is n log n in their number, and linear in size.
 */
extern mb_status mb_spans_settle(mb_span *spans, size_t *count, size_t size,
								 bool cover, mb_arena *arena,
								 const mb_cancel *cancel, mb_error *err);

/*
 * Sort numbers [count] so that order() of neighbours is not above 0; equals
 * keep their order.  It adds to *work what a comparison took, in units of
 * which 100,000 may lie between two polls.
 */
typedef int (*mb_order) (const void *context, uint32_t a, uint32_t b,
						   size_t *work);

extern mb_status mb_sort_numbers(uint32_t *numbers, size_t count,
								 mb_order compare, const void *context,
								 mb_arena *arena, const mb_cancel *cancel,
								 mb_error *err);

#endif							/* MB_SPANS_H */
