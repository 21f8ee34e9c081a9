/*-------------------------------------------------------------------------
 *
 * batch.h
 *	  Gathering calls over the rows of a query.
 *
 *	  batch_plan.c	finds calls in finished plans, and puts a node above the one
 *					that would have made them
 *	  batch_scan.c	that node: reads rows ahead, runs their calls in common
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
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_BATCH_H
#define MOBILEBERT_BATCH_H

#include "functions.h"

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
extern MobilebertBegin mobilebert_batch_begin(Oid function);

extern const CustomScanMethods mobilebert_batch_methods;

extern void mobilebert_batch_scan_init(void);
extern void mobilebert_batch_plan_init(void);

#endif							/* MOBILEBERT_BATCH_H */
