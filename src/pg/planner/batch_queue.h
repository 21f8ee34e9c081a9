/*-------------------------------------------------------------------------
 *
 * batch_queue.h
 *	  Rows that wait for the results of their calls.
 *
 * Depends on server/pg.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_BATCH_QUEUE_H
#define MOBILEBERT_BATCH_QUEUE_H

#include "server/pg.h"

#include "nodes/execnodes.h"
#include "storage/itemptr.h"

typedef struct BatchQueue BatchQueue;

/* A row with the results of its calls. */
typedef struct BatchOutput
{
	TupleTableSlot *columns;	/* of the plan below, all of them in the slot */
	const NullableDatum *results;	/* of the calls */
	ItemPointerData tid;		/* of the table's row, if there is a table */
} BatchOutput;

/* What EXPLAIN ANALYZE shows. */
typedef struct BatchFigures
{
	uint64		tokens;
	uint64		passes;
	uint64		cached;			/* calls whose result was known at once */
	uint64		equal;			/* calls equal to one in the queue */
	uint64		microseconds;
} BatchFigures;

/*
 * A queue for the rows of the node's left tree and calls (FuncExprs over
 * OUTER_VAR), in the current memory context.  table_scan, if not NULL, is the
 * scan below that gives a row of its table for each row.
 */
extern BatchQueue *batch_queue_create(PlanState *node, List *calls,
									  ScanState *table_scan);

/*
 * The next row, which lasts until the next call of these functions; false:
 * there is none.  all_wanted: all rows will be asked for.
 */
extern bool batch_queue_next(BatchQueue *queue, bool all_wanted,
							 BatchOutput *output);

/* Drop all rows, before the plan below is read from the start or ended. */
extern void batch_queue_reset(BatchQueue *queue);

/* Figures so far; the time only when the node is instrumented for it. */
extern void batch_queue_figures(const BatchQueue *queue,
								BatchFigures *figures);

#endif							/* MOBILEBERT_BATCH_QUEUE_H */
