/*-------------------------------------------------------------------------
 *
 * batch_lift.h
 *	  Lifting calls out of a plan node into a batch node.
 *
 * Depends on server/pg.h, planner/batch_scan.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_BATCH_LIFT_H
#define MOBILEBERT_BATCH_LIFT_H

#include "server/pg.h"
#include "planner/batch_scan.h"

#include "nodes/plannodes.h"

/* What is known of the place of a node in the plan. */
typedef struct BatchPlace
{
	BatchWanted wanted;
	bool		worker;			/* below Gather */
	bool		mark;			/* the node must be able to mark and restore */
} BatchPlace;

/* Has an expression, or a list of them, a call that is to be lifted? */
extern bool mobilebert_has_call(void *expression);
extern bool mobilebert_has_aggregate_call(Plan *agg);

/*
 * Lift calls out of a node: those of the first condition that has any, those
 * of the target list, those in arguments of aggregates, those in the actions of
 * a MERGE (false: there are none).  The first two return the batch node, which
 * takes the other's place; the others put it below.  id: its plan_node_id.
 */
extern Plan *mobilebert_lift_qual(Plan *plan, int id, BatchPlace place);
extern Plan *mobilebert_lift_targetlist(Plan *plan, int id, BatchPlace place);
extern void mobilebert_lift_aggregates(Plan *agg, int id, BatchPlace place);
extern bool mobilebert_lift_merge(ModifyTable *merge, int id, BatchPlace place);

/* Tell a batch node what is known of its place. */
extern void mobilebert_place_batch_node(CustomScan *batch, BatchPlace place);

/* A target list of references to all entries of the one below. */
extern List *mobilebert_plan_references(int varno, List *below);

#endif							/* MOBILEBERT_BATCH_LIFT_H */
