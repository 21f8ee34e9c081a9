/*-------------------------------------------------------------------------
 *
 * fit.h
 *	  From labelled rows to a linear head: cross-validation chooses the layer
 *	  and the penalty, then all rows are fitted.
 *
 * mb_fit() is the whole of it: it checks and sorts the rows, deals them to
 * folds, judges the candidates, and returns weights with what is to be told of
 * them.  The same rows give the same bits, whatever their order; no random
 * numbers, and no processor's own arithmetic (kernels/products.h).
 *
 * How a layer and a penalty are chosen.  A candidate is judged by the mean loss
 * of rows, each scored by a head that was fitted without the row's fold: cross
 * entropy, or squared error.  It tells few rows' candidates apart better than
 * accuracy, of which most are equal.  The last layer is tried first, with
 * penalties from the middle of a fixed grid on as long as the loss falls.  An
 * earlier layer begins with the best penalty so far, and is taken when it has
 * less loss by more than the standard error of the rows' differences: the last
 * layer is what stored vectors are of.  Where rows are many, every so many-th text
 * of each label is tried; what was chosen is judged on all rows in any case.
 *
 * fit_task.h says what goes in and what comes out.
 *
 * Depends on base/arena.h, base/status.h, learning/fit_rows.h,
 * learning/fit_task.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_FIT_H
#define MB_FIT_H

#include "base/arena.h"
#include "base/status.h"
#include "learning/fit_rows.h"
#include "learning/fit_task.h"

/*
 * Bytes that mb_fit() takes from the arena, result included and rows' own
 * features not; *bytes is exact enough to be held against a limit before.
 * MB_ERR_ARGUMENT for a task that mb_fit() would refuse, MB_ERR_LIMIT when it
 * does not fit in a size_t.
 */
extern mb_status mb_fit_memory(const mb_fit_task *task, size_t rows,
							   size_t *bytes, mb_error *err);

/*
 * Fits rows [count], which it sorts in place (mb_fit_sort).
 *
 * MB_ERR_ARGUMENT: no rows; fewer than two labels (CLASS), none (LABELS); a
 * label that is not below task->labels, or that no row has; NaN or an infinity
 * among features or numbers.  MB_ERR_MEMORY: the arena is over its limit.
 * Cancel is polled at least every 10 ms.  Not to have converged is no error:
 * result->converged says it.
 */
extern mb_status mb_fit(const mb_fit_task *task, mb_fit_row *rows,
						size_t count, mb_arena *arena,
						const mb_cancel *cancel, mb_fit_result *result,
						mb_error *err);

#endif							/* MB_FIT_H */
