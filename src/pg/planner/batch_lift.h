/*-------------------------------------------------------------------------
 *
 * batch_lift.h
 *	  Lifting calls out of a plan node into a batch node.
 *
 * Depends on server/pg.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_BATCH_LIFT_H
#define MOBILEBERT_BATCH_LIFT_H

#include "server/pg.h"

#include "nodes/plannodes.h"

/* What a new node is told of its place. */
typedef struct BatchPlace
{
	int			id;				/* plan_node_id */
	int			wanted;			/* BATCH_WANTED_... */
	bool		worker;			/* below Gather */
} BatchPlace;

/* Has an expression, or a list of them, a call that is to be lifted? */
extern bool mobilebert_has_call(void *expression);
extern bool mobilebert_has_aggregate_call(Plan *agg);

/*
 * Lift calls out of a node: those of the first condition that has any, those
 * of the target list, those in arguments of aggregates, those in the actions of
 * a MERGE (false: there are none).  The first two give the batch node, which
 * takes the other's place; the others put it below.
 */
extern Plan *mobilebert_lift_qual(Plan *plan, const BatchPlace *place);
extern Plan *mobilebert_lift_targetlist(Plan *plan, const BatchPlace *place);
extern void mobilebert_lift_aggregates(Plan *agg, const BatchPlace *place);
extern bool mobilebert_lift_merge(ModifyTable *merge, const BatchPlace *place);

/* A target list of references to all entries of the one below. */
extern List *mobilebert_plan_references(int varno, List *below);

#endif							/* MOBILEBERT_BATCH_LIFT_H */
