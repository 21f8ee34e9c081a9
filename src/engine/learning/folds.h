/*-------------------------------------------------------------------------
 *
 * folds.h
 *	  Which rows are tested together in cross-validation.
 *
 * Rows of one text lie in one fold, or the head would be asked what it was
 * told.  The texts of a label are dealt to the folds one by one, in the order
 * of their hashes, and the next label goes on where the last one ended: each
 * fold has its share of each label and of all texts, to within one.  A text
 * counts for its first row; a row of several labels for the rarest of them;
 * numbers are dealt in ascending order, so that each fold has small and large
 * ones.  No random numbers: the hash is what mixes.
 *
 * Depends on base/arena.h, base/status.h, learning/fit_rows.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_FOLDS_H
#define MB_FOLDS_H

#include "base/arena.h"
#include "base/status.h"
#include "learning/fit_rows.h"

typedef struct mb_folds
{
	unsigned	count;			/* as asked for, or the number of different
								 * texts; 0 when that is below 2 */
	uint16_t   *of_row;			/* [rows] */
	size_t	   *texts;			/* [labels]: different texts of each label; NULL
								 * for MB_FIT_NUMBER */
	size_t	   *label_rows;		/* [labels]; likewise */
} mb_folds;

/* Bytes that mb_folds_deal() takes of the arena. */
extern bool mb_folds_memory(mb_fit_kind kind, size_t rows, size_t labels,
							size_t *bytes);

/* rows [count] are sorted and their targets are checked. */
extern mb_status mb_folds_deal(const mb_fit_row *rows, size_t count,
							   mb_fit_kind kind, size_t labels,
							   unsigned asked, mb_folds *folds,
							   mb_arena *arena, const mb_cancel *cancel,
							   mb_error *err);

#endif							/* MB_FOLDS_H */
