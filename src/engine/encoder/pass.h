/*-------------------------------------------------------------------------
 *
 * pass.h
 *	  A pass under way, and running steps over some of its rows.
 *
 * Depends on base/status.h, encoder/batch.h, encoder/steps.h,
 * encoder/workspace.h, kernels/dense.h, kernels/kernels.h, model/config.h,
 * model/model.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_PASS_H
#define MB_PASS_H

#include "base/status.h"
#include "encoder/batch.h"
#include "encoder/steps.h"
#include "encoder/workspace.h"
#include "kernels/dense.h"
#include "kernels/kernels.h"
#include "model/config.h"
#include "model/model.h"

typedef struct mb_pass
{
	const mb_model *model;
	const mb_config *config;
	const mb_batch *batch;
	const mb_observer *observer;
	const mb_cancel *cancel;
	const mb_kernels *kernels;
	mb_error   *err;
	size_t		tokens;
	mb_workspace memory;
} mb_pass;

/* Some rows on their way through steps */
typedef struct mb_sweep
{
	const mb_pass *p;
	size_t		first;
	size_t		rows;
	mb_buffer	source;			/* whose rows are in operand; or NONE */
	mb_operand	operand;		/* kept while steps read the same rows */
} mb_sweep;

/* Rows of the sweep that starts at row first of so many. */
extern size_t mb_sweep_rows(const mb_pass *p, size_t rows, size_t first);

/* Rows of a buffer, each as wide as the linear layer has them */
extern float *mb_sweep_buffer(const mb_sweep *w, mb_buffer b, size_t width);

/* Visitor of steps that runs them; context is the sweep. */
extern mb_status mb_run_step(void *context, const mb_step *s);

#endif							/* MB_PASS_H */
