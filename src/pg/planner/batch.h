/*-------------------------------------------------------------------------
 *
 * batch.h
 *	  Gathering calls over the rows of a query.
 *
 *	  batch_plan.c	goes through finished plans for nodes with calls
 *	  batch_lift.c	splits such a node in two: one of ours makes the calls
 *	  batch_scan.c	what ours does: reads rows ahead, runs their calls in common
 *					passes, gives the rows out
 *
 * What both know of a CustomScan of ours: its left tree gives "columns".
 * custom_scan_tlist describes the row that its target list and qualification
 * work on (INDEX_VAR): columns and results of calls, in any order.
 * custom_private is a list of integers, BATCH_PRIVATE_HEAD of them as below,
 * then one for each entry of custom_scan_tlist: k > 0 is column k of the left
 * tree, -k the result of call k, from 1.  custom_exprs are the calls, FuncExprs
 * over OUTER_VAR.
 *
 * Depends on server/pg.h, pass/calls.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_BATCH_H
#define MOBILEBERT_BATCH_H

#include "server/pg.h"
#include "pass/calls.h"

#include "nodes/extensible.h"
#include "nodes/plannodes.h"
#include "nodes/primnodes.h"

/* The first integers of custom_private. */
enum
{
	BATCH_PRIVATE_WANTED,		/* one of the next */
	BATCH_PRIVATE_HEAD
};

/* How many of its rows will be asked for. */
enum
{
	BATCH_WANTED_SOME,			/* nobody knows */
	BATCH_WANTED_ALL,
	BATCH_WANTED_AS_ROOT		/* all, when all of the statement's are */
};

/* Are all rows of the statement at hand asked for, not so many for now? */
extern bool mobilebert_batch_all_wanted;

/* How calls of the function begin; NULL: they are not gathered. */
extern MobilebertBegin mobilebert_batched_function(Oid function);

/* Has an expression, or a list of them, a call that is to be lifted? */
extern bool mobilebert_has_call(void *expression);
extern bool mobilebert_has_aggregate_call(Plan *agg);

/* What a new node is told of its place. */
typedef struct BatchPlace
{
	int			id;				/* plan_node_id */
	int			wanted;			/* BATCH_WANTED_... */
	bool		worker;			/* below Gather */
} BatchPlace;

/*
 * Lift calls out of a node: those of the first condition that has any, those
 * of the target list, those in arguments of aggregates, those in the actions of
 * a MERGE (false: there are none).  The first two give the node of ours, which
 * takes the other's place; the others put it below.
 */
extern Plan *mobilebert_lift_qual(Plan *plan, const BatchPlace *place);
extern Plan *mobilebert_lift_targetlist(Plan *plan, const BatchPlace *place);
extern void mobilebert_lift_aggregates(Plan *agg, const BatchPlace *place);
extern bool mobilebert_lift_merge(ModifyTable *merge, const BatchPlace *place);

/* A target list that gives on all entries of the one below. */
extern List *mobilebert_plan_references(int varno, List *below);

extern const CustomScanMethods mobilebert_batch_methods;

extern void mobilebert_batch_scan_init(void);
extern void mobilebert_batch_plan_init(void);

#endif							/* MOBILEBERT_BATCH_H */
