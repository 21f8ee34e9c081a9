/*-------------------------------------------------------------------------
 *
 * fit_rows.h
 *	  Labelled rows that a head is fitted on, and the order they are taken in.
 *
 * A row is its features, what it is labelled with, and a hash of its text.
 * Sums of floating-point numbers depend on the order of their terms, so rows
 * are brought into one order that follows from the rows alone: whoever gathers
 * them in another order, in batches or by several workers, gets the same bits.
 *
 * Depends on base/status.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_FIT_ROWS_H
#define MB_FIT_ROWS_H

#include "base/status.h"

/* What rows are labelled with, from which the kind of head follows. */
typedef enum mb_fit_kind
{
	MB_FIT_CLASS,				/* one of K labels: softmax */
	MB_FIT_LABELS,				/* any number of K labels: K sigmoids */
	MB_FIT_NUMBER				/* a number: ridge regression */
} mb_fit_kind;

/*
 * Labels are numbered from 0 in an order that does not depend on that of the
 * rows; the bytes of their names in ascending order is the one that scikit-learn
 * has.  Nothing here knows the names.
 *
 * The hash is 128 bits of the text, as uniform as those of MD5: rows of equal
 * hash are equal texts, and lie in one fold.
 */
typedef struct mb_fit_row
{
	uint64_t	hash[2];
	const float *features;		/* [layers * features], one layer after the
								 * other: what the head will be given, so divided
								 * by the length already where it will be */
	union
	{
		uint32_t	label;		/* MB_FIT_CLASS */
		struct
		{
			const uint32_t *items;	/* MB_FIT_LABELS: [count], ascending, each
									 * once; may be none */
			size_t		count;
		}			labels;
		double		number;		/* MB_FIT_NUMBER */
	}			target;
} mb_fit_row;

/* < 0, 0, > 0: the order of what two rows are labelled with. */
extern int	mb_fit_compare_targets(const mb_fit_row *a, const mb_fit_row *b,
								   mb_fit_kind kind);

/*
 * Sorts rows [count] in place: by hash, then by target, then by the bytes of
 * the features [width each].  Rows that still compare equal are the same row
 * twice, so the result does not depend on the order before (with a width of 0
 * they stay as they were).  spare [count] is overwritten.  After an error rows
 * are in no order, and some may be lost.
 */
extern mb_status mb_fit_sort(mb_fit_row *rows, mb_fit_row *spare,
							 size_t count, size_t width, mb_fit_kind kind,
							 const mb_cancel *cancel, mb_error *err);

#endif							/* MB_FIT_ROWS_H */
