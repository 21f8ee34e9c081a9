/*-------------------------------------------------------------------------
 *
 * batch_scan.h
 *	  The batch node, a CustomScan that makes calls of many rows together.
 *
 * What its makers (batch_lift.c, batch_plan.c) and its executor (batch_scan.c)
 * agree on: its left tree gives "columns".  custom_scan_tlist describes the row
 * that its target list and qualification work on (INDEX_VAR): columns and
 * results of calls, in any order.  custom_exprs are the calls, FuncExprs over
 * OUTER_VAR.  custom_private has the elements below.
 *
 * Depends on server/pg.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_BATCH_SCAN_H
#define MOBILEBERT_BATCH_SCAN_H

#include "server/pg.h"

#include "nodes/extensible.h"
#include "nodes/plannodes.h"

/*
 * Elements of custom_private.  An entry of the sources says where the entry of
 * custom_scan_tlist comes from: k > 0 is column k of the left tree, -k the
 * result of call k, from 1.
 */
enum
{
	BATCH_PRIVATE_WANTED,		/* Integer, a BatchWanted */
	BATCH_PRIVATE_SOURCES		/* list of integers */
};

/* How many of its rows will be asked for. */
typedef enum BatchWanted
{
	BATCH_WANTED_SOME,			/* not known */
	BATCH_WANTED_ALL,
	BATCH_WANTED_AS_ROOT		/* all, when all of the statement's are */
} BatchWanted;

extern const CustomScanMethods mobilebert_batch_methods;

extern bool mobilebert_is_batch_node(const Plan *plan);

extern void mobilebert_batch_scan_init(void);

#endif							/* MOBILEBERT_BATCH_SCAN_H */
