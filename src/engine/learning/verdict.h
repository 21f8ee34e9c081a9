/*-------------------------------------------------------------------------
 *
 * verdict.h
 *	  What predictions in cross-validation come to.
 *
 * Depends on base/arena.h, base/status.h, learning/fit_rows.h, learning/fit_task.h,
 * learning/logistic.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_VERDICT_H
#define MB_VERDICT_H

#include "base/arena.h"
#include "base/status.h"
#include "learning/fit_rows.h"
#include "learning/fit_task.h"
#include "learning/logistic.h"

typedef struct mb_verdict
{
	double		loss;			/* summed over rows ... */
	double	   *losses;			/* ... and of each row [rows] */
	size_t		exact;			/* rows predicted as they are labelled */
	mb_fit_count *counts;		/* [labels], or NULL (MB_FIT_NUMBER) */
	uint32_t   *predicted;		/* [rows], or NULL */
} mb_verdict;

extern bool mb_verdict_memory(const mb_fit_task *task, size_t rows,
							  size_t *bytes);
extern mb_status mb_verdict_begin(mb_verdict *verdict,
								  const mb_fit_task *task, size_t rows,
								  mb_arena *arena, mb_error *err);

/* Nothing predicted yet */
extern void mb_verdict_clear(mb_verdict *verdict, const mb_fit_task *task);

/*
 * By how much more than chance a has less loss than b: the mean over rows of
 * the difference, over its standard error.  parts [count]: the rows judged.
 */
extern double mb_verdict_difference(const mb_verdict *a, const mb_verdict *b,
									const mb_fit_part *parts,
									unsigned count);

/* Adds the rows of a part, scored by weights; changes logistic's block. */
extern mb_status mb_verdict_add(mb_verdict *verdict, mb_logistic *logistic,
								const mb_fit_part *part,
								const double *weights,
								const mb_cancel *cancel, mb_error *err);

/*
 * The result's figures from the verdict on all of its rows; labels only.
 * spare [4 * rows] is overwritten for MB_FIT_LABELS.
 */
extern mb_status mb_verdict_figures(const mb_verdict *verdict,
									const mb_fit_task *task,
									const mb_fit_row *rows, size_t count,
									size_t *spare, mb_fit_result *result,
									const mb_cancel *cancel, mb_error *err);

#endif							/* MB_VERDICT_H */
