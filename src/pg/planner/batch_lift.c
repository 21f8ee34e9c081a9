/*-------------------------------------------------------------------------
 *
 * batch_lift.c
 *	  Splits a plan node, so that a batch node makes its calls.
 *
 * A node N with calls in its target list becomes two:
 *
 *		N: embed(body), id + 1	becomes		B: result 1, id + 1
 *											  N: body, id
 *
 * N is left with its columns only: what B cannot compute itself.  All other
 * expressions move up, where they are evaluated when a row is given out, so
 * reading ahead changes nothing about them.  The same for a condition with a
 * call: it moves into B, with those after it; those before it, which decide
 * whether the call is made at all, stay.  One B makes calls that are evaluated
 * for the same rows; when what moved up has calls again, in a later condition
 * or around a result, there will be a B above B.
 *
 * Calls in the arguments of aggregates and in the actions of a MERGE are made
 * by a B between that node and what is below it, which gives the results as
 * further columns.
 *
 * Only calls that are certainly evaluated for each row are lifted, not those
 * in CASE, COALESCE, AND, OR and other conditional places.  Neither are calls
 * without a column in their arguments (one text for all rows), with volatile
 * arguments, or with a subplan in them.
 *
 * Start with mobilebert_lift_qual() and what it calls.
 *
 * Depends on server/pg.h, planner/batch_functions.h, planner/batch_scan.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "planner/batch_functions.h"
#include "planner/batch_lift.h"
#include "planner/batch_scan.h"

#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/value.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"

/*
 * A batch node under construction; see batch_scan.h for the lists.  "direct"
 * when it has all columns of the node below as they are: then expressions stay
 * where they are but for calls, whose results they find under "varno".
 */
typedef struct Lift
{
	bool		direct;
	int			varno;
	List	   *columns;		/* target list of the node below */
	List	   *scan;			/* custom_scan_tlist */
	List	   *sources;		/* BATCH_PRIVATE_SOURCES */
	List	   *calls;
} Lift;

/*
 * Finding calls
 */

/* A value that only the node itself can get. */
static bool
is_column(const Node *node)
{
	switch (nodeTag(node))
	{
		case T_Var:
		case T_Aggref:
		case T_GroupingFunc:
		case T_WindowFunc:
			return true;
		case T_FuncExpr:
			return ((const FuncExpr *) node)->funcretset;
		case T_OpExpr:
			return ((const OpExpr *) node)->opretset;
		default:
			return false;
	}
}

static bool
contain_columns_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	return is_column(node) ||
		expression_tree_walker(node, contain_columns_walker, context);
}

static bool
is_call(Node *node)
{
	FuncExpr   *call = (FuncExpr *) node;

	return IsA(node, FuncExpr) && !call->funcretset &&
		mobilebert_batched_function(call->funcid) != NULL &&
		contain_columns_walker((Node *) call->args, NULL) &&
		!contain_subplans((Node *) call->args) &&
		!contain_volatile_functions((Node *) call->args);
}

/* Are the operands of a node evaluated whenever the node is? */
static bool
evaluates_operands(Node *node)
{
	switch (nodeTag(node))
	{
		case T_List:
		case T_TargetEntry:
		case T_FuncExpr:
		case T_OpExpr:
		case T_DistinctExpr:
		case T_ScalarArrayOpExpr:
		case T_RelabelType:
		case T_CoerceViaIO:
		case T_ConvertRowtypeExpr:
		case T_FieldSelect:
		case T_FieldStore:
		case T_RowExpr:
		case T_ArrayExpr:
		case T_NullTest:
		case T_BooleanTest:
		case T_MinMaxExpr:
			return !is_column(node);
		case T_BoolExpr:
			return ((BoolExpr *) node)->boolop == NOT_EXPR;
		default:
			return false;
	}
}

/*
 * Is there a call that is certainly evaluated when the expression is?  Of an
 * array's element or slice that is so for the array, not for the subscripts.
 */
static bool
certain_call_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, SubscriptingRef))
		return certain_call_walker((Node *) ((SubscriptingRef *) node)->refexpr,
								   context);
	if (!evaluates_operands(node))
		return false;
	return is_call(node) ||
		expression_tree_walker(node, certain_call_walker, context);
}

/* A call without another one in its arguments. */
static bool
is_innermost_call(Node *node)
{
	return is_call(node) &&
		!certain_call_walker((Node *) ((FuncExpr *) node)->args, NULL);
}

bool
mobilebert_has_call(void *expression)
{
	return certain_call_walker(expression, NULL);
}

/*
 * Lifting calls out of expressions
 */

/* A reference to entry n of a target list. */
static Var *
make_reference(int varno, int n, Node *node)
{
	return makeVar(varno, (AttrNumber) n, exprType(node), exprTypmod(node),
				   exprCollation(node), 0);
}

/* Which column gives the value; it is added when there is none. */
static int
lift_column(Lift *lift, Node *node)
{
	ListCell   *lc;

	foreach(lc, lift->columns)
	{
		TargetEntry *entry = lfirst(lc);

		if (equal(entry->expr, node))
			return entry->resno;
	}
	lift->columns = lappend(lift->columns,
							makeTargetEntry(copyObject((Expr *) node),
											list_length(lift->columns) + 1,
											NULL, false));
	return list_length(lift->columns);
}

/* The entry of that source; it is added when there is none. */
static Var *
lift_reference(Lift *lift, int source, Node *node)
{
	int			n = 1;
	ListCell   *lc;

	foreach(lc, lift->sources)
	{
		if (lfirst_int(lc) == source)
			break;
		n++;
	}
	if (n > list_length(lift->sources))
	{
		lift->sources = lappend_int(lift->sources, source);
		lift->scan = lappend(lift->scan,
							 makeTargetEntry((Expr *) node, n, NULL, false));
	}
	return make_reference(lift->varno, n, node);
}

/*
 * Expressions on the columns of the node below (OUTER_VAR), as a call's
 * arguments are.
 */
static Node *
lift_lower_mutator(Node *node, void *context)
{
	Lift	   *lift = context;

	if (node == NULL)
		return NULL;
	if (is_column(node))
		return (Node *) make_reference(OUTER_VAR, lift->direct ?
									   ((Var *) node)->varattno :
									   lift_column(lift, node), node);
	return expression_tree_mutator(node, lift_lower_mutator, context);
}

/* Expressions on the row of custom_scan_tlist. */
static Node *
lift_upper_mutator(Node *node, void *context)
{
	Lift	   *lift = context;

	if (node == NULL)
		return NULL;
	if (lift->direct)
		return copyObject(node);
	if (is_column(node))
	{
		int			n = lift_column(lift, node);

		return (Node *) lift_reference(lift, n, (Node *)
									   make_reference(OUTER_VAR, n, node));
	}
	return expression_tree_mutator(node, lift_upper_mutator, context);
}

static List *
lift_upper_list(List *list, Lift *lift)
{
	return (List *) lift_upper_mutator((Node *) list, lift);
}

/* The result of a call. */
static Node *
lift_call(Lift *lift, FuncExpr *node)
{
	FuncExpr   *call = makeNode(FuncExpr);
	int			n = 1;
	ListCell   *lc;

	memcpy(call, node, sizeof(FuncExpr));
	call->args = (List *) lift_lower_mutator((Node *) node->args, lift);
	foreach(lc, lift->calls)
	{
		if (equal(lfirst(lc), call))
			break;
		n++;
	}
	if (n > list_length(lift->calls))
		lift->calls = lappend(lift->calls, call);
	return (Node *) lift_reference(lift, -n, (Node *) call);
}

/* The same with certain calls lifted, innermost ones first. */
static Node *
lift_calls_mutator(Node *node, void *context)
{
	if (node == NULL)
		return NULL;
	if (!certain_call_walker(node, NULL))
		return lift_upper_mutator(node, context);
	if (IsA(node, SubscriptingRef))
	{
		SubscriptingRef *from = (SubscriptingRef *) node;
		SubscriptingRef *to = makeNode(SubscriptingRef);

		memcpy(to, from, sizeof(SubscriptingRef));
		to->refupperindexpr = lift_upper_list(from->refupperindexpr, context);
		to->reflowerindexpr = lift_upper_list(from->reflowerindexpr, context);
		to->refexpr = (Expr *)
			lift_calls_mutator((Node *) from->refexpr, context);
		to->refassgnexpr = (Expr *)
			lift_upper_mutator((Node *) from->refassgnexpr, context);
		return (Node *) to;
	}
	if (is_innermost_call(node))
		return lift_call(context, (FuncExpr *) node);
	return expression_tree_mutator(node, lift_calls_mutator, context);
}

/*
 * Making nodes
 */

List *
mobilebert_plan_references(int varno, List *below_list)
{
	List	   *list = NIL;
	ListCell   *lc;

	foreach(lc, below_list)
	{
		TargetEntry *entry = flatCopyTargetEntry(lfirst(lc));

		entry->expr = (Expr *) make_reference(varno, entry->resno,
											  (Node *) entry->expr);
		list = lappend(list, entry);
	}
	return list;
}

/* Keep names and marks: row locks find their columns by them. */
static void
lift_begin(Lift *lift, List *targetlist)
{
	ListCell   *lc;

	memset(lift, 0, sizeof(*lift));
	lift->varno = INDEX_VAR;
	foreach(lc, targetlist)
	{
		TargetEntry *entry = lfirst(lc);

		if (is_column((Node *) entry->expr))
		{
			entry = copyObject(entry);
			entry->resno = list_length(lift->columns) + 1;
			lift->columns = lappend(lift->columns, entry);
		}
	}
}

void
mobilebert_place_batch_node(CustomScan *batch, BatchPlace place)
{
	batch->scan.plan.parallel_aware = place.worker;
	lfirst(list_nth_cell(batch->custom_private, BATCH_PRIVATE_WANTED)) =
		makeInteger(place.wanted);
}

static Plan *
lift_end(Lift *lift, Plan *plan, List *targetlist, List *qual, int id,
		 BatchPlace place)
{
	CustomScan *batch = makeNode(CustomScan);
	Plan	   *result = &batch->scan.plan;

	if (!lift->direct)
		plan->targetlist = lift->columns;
	result->startup_cost = plan->startup_cost;
	result->total_cost = plan->total_cost;
	result->plan_rows = plan->plan_rows;
	result->plan_width = plan->plan_width;
	result->parallel_safe = plan->parallel_safe;
	result->plan_node_id = id;
	result->targetlist = targetlist;
	result->qual = qual;
	result->lefttree = plan;
	result->initPlan = plan->initPlan;
	plan->initPlan = NIL;
	result->extParam = bms_copy(plan->extParam);
	result->allParam = bms_copy(plan->allParam);
	plan->async_capable = false;
	batch->custom_exprs = lift->calls;
	batch->custom_private = list_make2(NULL, lift->sources);
	batch->custom_scan_tlist = lift->scan;
	batch->methods = &mobilebert_batch_methods;
	mobilebert_place_batch_node(batch, place);
	return result;
}

/* Calls in the first condition that has any. */
Plan *
mobilebert_lift_qual(Plan *plan, int id, BatchPlace place)
{
	List	   *kept = NIL;
	List	   *moved = NIL;
	Lift		lift;
	ListCell   *lc;

	lift_begin(&lift, plan->targetlist);
	foreach(lc, plan->qual)
	{
		if (moved != NIL)
			moved = lappend(moved, lift_upper_mutator(lfirst(lc), &lift));
		else if (certain_call_walker(lfirst(lc), NULL))
			moved = lappend(moved, lift_calls_mutator(lfirst(lc), &lift));
		else
			kept = lappend(kept, lfirst(lc));
	}
	plan->qual = kept;
	return lift_end(&lift, plan, lift_upper_list(plan->targetlist, &lift),
					moved, id, place);
}

Plan *
mobilebert_lift_targetlist(Plan *plan, int id, BatchPlace place)
{
	Lift		lift;
	List	   *list;

	lift_begin(&lift, plan->targetlist);
	list = (List *) lift_calls_mutator((Node *) plan->targetlist, &lift);
	return lift_end(&lift, plan, list, NIL, id, place);
}

/*
 * Calls that stay inside a node
 */

/* All columns of the node below, in their places. */
static void
lift_begin_direct(Lift *lift, int varno, Plan *plan)
{
	int			i;

	memset(lift, 0, sizeof(*lift));
	lift->direct = true;
	lift->varno = varno;
	lift->columns = plan->targetlist;
	lift->scan = mobilebert_plan_references(OUTER_VAR, lift->columns);
	for (i = 1; i <= list_length(lift->scan); i++)
		lift->sources = lappend_int(lift->sources, i);
}

static Plan *
lift_end_direct(Lift *lift, Plan *plan, int id, BatchPlace place)
{
	return lift_end(lift, plan,
					mobilebert_plan_references(INDEX_VAR, lift->scan), NIL,
					id, place);
}

static bool
aggregate_call_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Aggref))
	{
		Aggref	   *aggregate = (Aggref *) node;

		return certain_call_walker((Node *) aggregate->aggfilter, context) ||
			(aggregate->aggfilter == NULL &&
			 certain_call_walker((Node *) aggregate->args, context));
	}
	return expression_tree_walker(node, aggregate_call_walker, context);
}

/* A filter decides whether the arguments are evaluated. */
static Node *
aggregate_mutator(Node *node, void *context)
{
	if (node == NULL)
		return NULL;
	if (IsA(node, Aggref))
	{
		Aggref	   *aggregate = copyObject((Aggref *) node);

		if (aggregate->aggfilter != NULL)
			aggregate->aggfilter = (Expr *)
				lift_calls_mutator((Node *) aggregate->aggfilter, context);
		else
			aggregate->args = (List *)
				lift_calls_mutator((Node *) aggregate->args, context);
		return (Node *) aggregate;
	}
	return expression_tree_mutator(node, aggregate_mutator, context);
}

bool
mobilebert_has_aggregate_call(Plan *agg)
{
	return aggregate_call_walker((Node *) agg->targetlist, NULL) ||
		aggregate_call_walker((Node *) agg->qual, NULL);
}

void
mobilebert_lift_aggregates(Plan *agg, int id, BatchPlace place)
{
	Lift		lift;

	lift_begin_direct(&lift, OUTER_VAR, agg->lefttree);
	agg->targetlist = (List *)
		aggregate_mutator((Node *) agg->targetlist, &lift);
	agg->qual = (List *) aggregate_mutator((Node *) agg->qual, &lift);
	agg->lefttree = lift_end_direct(&lift, agg->lefttree, id, place);
}

/*
 * MERGE.  A call in an action is certainly evaluated when for each kind of row
 * (matched or not) that the join gives the first action has no condition and
 * has the call: an "upsert", or an update of what matches.  Rows that match
 * come in any case, others only when there is an action for them.
 */
#if PG_VERSION_NUM >= 150000

/* Calls of an action, and a list of those that are to be lifted. */
typedef struct MergeCalls
{
	Lift	   *lift;
	List	   *calls;
} MergeCalls;

#if PG_VERSION_NUM >= 170000
#define MERGE_KIND(action) ((action)->matchKind)
#else
enum
{
	MERGE_WHEN_MATCHED,
	MERGE_WHEN_NOT_MATCHED,
	NUM_MERGE_MATCH_KINDS
};

#define MERGE_KIND(action) \
	((action)->matched ? MERGE_WHEN_MATCHED : MERGE_WHEN_NOT_MATCHED)
#endif

/* Has an expression columns that are not those of the plan below? */
static bool
merge_target_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var))
		return ((Var *) node)->varno != INNER_VAR;
	return is_column(node) ||
		expression_tree_walker(node, merge_target_walker, context);
}

/* All certain calls, but for those around others. */
static bool
merge_calls_walker(Node *node, void *context)
{
	MergeCalls *calls = context;

	if (node == NULL || !certain_call_walker(node, NULL))
		return false;
	if (IsA(node, SubscriptingRef))
		return merge_calls_walker((Node *) ((SubscriptingRef *) node)->refexpr,
								  context);
	if (is_innermost_call(node))
	{
		if (!merge_target_walker((Node *) ((FuncExpr *) node)->args, NULL))
			calls->calls = lappend(calls->calls, node);
		return false;
	}
	return expression_tree_walker(node, merge_calls_walker, context);
}

/* The calls of all first actions of a target; NIL when there are none. */
static List *
merge_calls(List *actions)
{
	MergeCalls	some = {NULL, NIL};
	bool		seen[NUM_MERGE_MATCH_KINDS] = {false};
	bool		first = true;
	List	   *common = NIL;
	ListCell   *lc;

	foreach(lc, actions)
	{
		MergeAction *action = lfirst(lc);
		int			kind = MERGE_KIND(action);

		if (seen[kind])
			continue;
		some.calls = NIL;
		if (action->qual == NULL)
			(void) merge_calls_walker((Node *) action->targetList, &some);
		common = first ? some.calls :
			list_intersection(common, some.calls);
		first = false;
		seen[kind] = true;
	}
	return seen[MERGE_WHEN_MATCHED] ? common : NIL;
}

static Node *
merge_mutator(Node *node, void *context)
{
	MergeCalls *calls = context;

	if (node == NULL)
		return NULL;
	if (list_member(calls->calls, node))
		return lift_call(calls->lift, (FuncExpr *) node);
	return expression_tree_mutator(node, merge_mutator, context);
}

bool
mobilebert_lift_merge(ModifyTable *merge, int id, BatchPlace place)
{
	List	   *calls = NIL;
	Lift		lift;
	MergeCalls	context;
	ListCell   *lc;
	ListCell   *action;

	foreach(lc, merge->mergeActionLists)
	{
		List	   *some = merge_calls(lfirst(lc));

		calls = foreach_current_index(lc) == 0 ? some :
			list_intersection(calls, some);
	}
	if (calls == NIL)
		return false;

	lift_begin_direct(&lift, INNER_VAR, merge->plan.lefttree);
	context.lift = &lift;
	context.calls = calls;
	foreach(lc, merge->mergeActionLists)
	{
		foreach(action, (List *) lfirst(lc))
		{
			MergeAction *a = lfirst(action);

			a->targetList = (List *)
				merge_mutator((Node *) a->targetList, &context);
			a->qual = merge_mutator(a->qual, &context);
		}
	}
	merge->plan.lefttree = lift_end_direct(&lift, merge->plan.lefttree, id,
										   place);
	return true;
}

#endif							/* PG_VERSION_NUM >= 150000 */
