/*-------------------------------------------------------------------------
 *
 * batch_plan.h
 *	  Gathering calls over the rows of a query.
 *
 * Each file stands on those below it:
 *
 *	  batch_plan.c		goes through finished plans for nodes with calls
 *	  batch_lift.c		splits such a node in two, of which one makes the calls:
 *						the batch node
 *	  batch_scan.c		the batch node as the executor sees it
 *	  batch_queue.c		its rows: read ahead, their calls run in common passes
 *	  batch_functions.c which functions that is for
 *
 * Depends on server/pg.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_BATCH_PLAN_H
#define MOBILEBERT_BATCH_PLAN_H

#include "server/pg.h"

extern void mobilebert_batch_plan_init(void);

#endif							/* MOBILEBERT_BATCH_PLAN_H */
