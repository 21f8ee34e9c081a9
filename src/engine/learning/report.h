/*-------------------------------------------------------------------------
 *
 * report.h
 *	  Precision, recall and F1 by label, from pairs of actual and predicted
 *	  labels, as scikit-learn's classification_report has them.
 *
 * What is kept is three counts for each label, so rows may come in any order
 * and reports of parts may be combined: the numbers are those of all rows.
 *
 * A row without a prediction counts as wrong: it is in the support of its
 * label and among the rows that accuracy divides by, and is predicted as no
 * label.  There is no line for "none", which scikit-learn would have if none
 * were a label of its own.
 *
 * Depends on base/arena.h, base/status.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_REPORT_H
#define MB_REPORT_H

#include "base/arena.h"
#include "base/status.h"

typedef struct mb_report_count
{
	const char *name;			/* in the arena, zero-terminated */
	size_t		length;
	uint64_t	support;		/* rows whose actual label it is */
	uint64_t	predicted;		/* rows predicted as it */
	uint64_t	correct;		/* both */
} mb_report_count;

typedef struct mb_report
{
	mb_arena   *arena;
	mb_report_count *counts;	/* [labels], in no order; for a caller that
								 * sends a part's report to another process */
	size_t		labels;
	size_t		capacity;
	uint32_t   *slots;			/* hash table: number of a label + 1, or 0 */
	size_t		slot_count;		/* a power of two, or 0 */
} mb_report;

/* A line of the report; name is NULL in those after the labels. */
typedef struct mb_report_line
{
	const char *name;
	size_t		length;
	double		precision;
	double		recall;
	double		f1;
	uint64_t	support;
	uint64_t	predicted;
} mb_report_line;

/* The lines after those of the labels */
enum
{
	MB_REPORT_ACCURACY,			/* in precision, recall and f1 alike */
	MB_REPORT_MACRO,			/* plain means over labels */
	MB_REPORT_WEIGHTED,			/* means weighted by support */
	MB_REPORT_EXTRA				/* how many there are */
};

extern void mb_report_begin(mb_report *report, mb_arena *arena);

/*
 * One row; predicted NULL: none.  Names are bytes, copied once for each label.
 * Fails only for want of memory.
 */
extern mb_status mb_report_add(mb_report *report,
							   const char *actual, size_t actual_length,
							   const char *predicted, size_t predicted_length,
							   mb_error *err);

/*
 * Adds the counts of another report's label.  MB_ERR_DATA: more correct rows
 * than supported or predicted ones, or a sum that does not fit.
 */
extern mb_status mb_report_combine(mb_report *report,
								   const mb_report_count *part, mb_error *err);

/*
 * lines: [labels + MB_REPORT_EXTRA] in the report's arena, labels by the bytes
 * of their names, which for UTF-8 is scikit-learn's order; then accuracy, macro
 * avg, weighted avg.  What would be divided by zero is 0.  *count is 0, without
 * the extra lines, for a report of no rows.
 */
extern mb_status mb_report_lines(mb_report *report, mb_report_line **lines,
								 size_t *count, const mb_cancel *cancel,
								 mb_error *err);

#endif							/* MB_REPORT_H */
