/*-------------------------------------------------------------------------
 *
 * batch_plan.c
 *	  Goes through finished plans, and has nodes with calls split
 *	  (batch_lift.c), so that a batch node makes the calls.
 *
 * Start with rewrite_plan().
 *
 * A batch node goes above a Limit that was just above it, so that nothing is
 * read ahead in vain, nor computed for rows that OFFSET skips.
 *
 * A hidden column by which an index sorts already is not computed at all.
 *
 * Where it would show that rows are read ahead, because a volatile function or
 * a row lock below would act on rows that are never asked for, calls stay as
 * they are.
 *
 * When: a planner hook sees all plans but those that were made before the
 * library was loaded.  Those are the plan of the session's first statement that
 * has a call (planning it loads the library for the support function), and
 * plans that were cached without one.  A hook on the executor's start rewrites
 * a copy of these, and lets the plan cache plan them anew next time.  Cursors
 * that may be read backward are left alone, at both places.
 *
 * Depends on server/pg.h, server/guc.h, planner/batch_functions.h,
 * planner/batch_lift.h, planner/batch_scan.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/guc.h"
#include "planner/batch_functions.h"
#include "planner/batch_lift.h"
#include "planner/batch_plan.h"
#include "planner/batch_scan.h"

#include "access/parallel.h"
#include "executor/executor.h"
#include "jit/jit.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/planner.h"
#include "utils/plancache.h"

/* A Limit of at most so many rows is not worth parallel workers' haste. */
#define SMALL_LIMIT 64

/* A rewriting of one plan. */
typedef struct Rewrite
{
	int			last_id;		/* of plan nodes; -1: not known yet */
	PlannedStmt *stmt;
	bool		lifted;			/* anything, or dropped */
} Rewrite;

typedef bool (*PlanWalker) (Plan *plan, void *context);

static planner_hook_type previous_planner = NULL;
static ExecutorStart_hook_type previous_executor_start = NULL;

/* Plans from before the hooks may be cached. */
static bool old_plans = true;

static Plan *rewrite_plan(Rewrite *r, Plan *plan, BatchPlace place);

/*
 * Walking plans
 */

/* Call walker for the children of a node, until it returns true. */
static bool
plan_tree_walker(Plan *plan, PlanWalker walker, void *context)
{
	List	   *list = NIL;
	ListCell   *lc;

	if (IsA(plan, Append))
		list = ((Append *) plan)->appendplans;
	else if (IsA(plan, MergeAppend))
		list = ((MergeAppend *) plan)->mergeplans;
	else if (IsA(plan, BitmapAnd))
		list = ((BitmapAnd *) plan)->bitmapplans;
	else if (IsA(plan, BitmapOr))
		list = ((BitmapOr *) plan)->bitmapplans;
	else if (IsA(plan, CustomScan))
		list = ((CustomScan *) plan)->custom_plans;
	else if (IsA(plan, SubqueryScan))
	{
		if (walker(((SubqueryScan *) plan)->subplan, context))
			return true;
	}
	foreach(lc, list)
	{
		if (walker(lfirst(lc), context))
			return true;
	}
	return (plan->lefttree != NULL && walker(plan->lefttree, context)) ||
		(plan->righttree != NULL && walker(plan->righttree, context));
}

static bool
is_join(const Plan *plan)
{
	return IsA(plan, NestLoop) || IsA(plan, MergeJoin) || IsA(plan, HashJoin);
}

static bool
max_id_walker(Plan *plan, void *context)
{
	int		   *max = context;

	check_stack_depth();
	*max = Max(*max, plan->plan_node_id);
	return plan_tree_walker(plan, max_id_walker, context);
}

/* An id that no node of the statement has. */
static int
next_id(Rewrite *r)
{
	ListCell   *lc;

	if (r->last_id < 0)
	{
		(void) max_id_walker(r->stmt->planTree, &r->last_id);
		foreach(lc, r->stmt->subplans)
		{
			if (lfirst(lc) != NULL)
				(void) max_id_walker(lfirst(lc), &r->last_id);
		}
	}
	return ++r->last_id;
}

/* Would it show how many rows are read from this plan? */
static bool
volatile_plan_walker(Plan *plan, void *context)
{
	check_stack_depth();
	if (IsA(plan, ModifyTable) || IsA(plan, LockRows) ||
		contain_volatile_functions((Node *) plan->targetlist) ||
		contain_volatile_functions((Node *) plan->qual) ||
		(is_join(plan) &&
		 contain_volatile_functions((Node *) ((Join *) plan)->joinqual)) ||
		(IsA(plan, ValuesScan) &&
		 contain_volatile_functions((Node *) ((ValuesScan *) plan)->values_lists)))
		return true;
	return plan_tree_walker(plan, volatile_plan_walker, context);
}

/* Does the node compute its target list, from columns that we understand? */
static bool
is_projecting(const Plan *plan)
{
	switch (nodeTag(plan))
	{
		case T_Result:			/* without a plan below it is a single row */
			return plan->lefttree != NULL;
		case T_Agg:
			return ((const Agg *) plan)->aggstrategy != AGG_PLAIN;
		case T_ForeignScan:
			return ((const ForeignScan *) plan)->operation == CMD_SELECT;
		case T_CustomScan:
			return mobilebert_is_batch_node(plan);
		case T_ProjectSet:
		case T_SeqScan:
		case T_SampleScan:
		case T_IndexScan:
		case T_IndexOnlyScan:
		case T_BitmapHeapScan:
		case T_TidScan:
		case T_TidRangeScan:
		case T_SubqueryScan:
		case T_FunctionScan:
		case T_ValuesScan:
		case T_TableFuncScan:
		case T_CteScan:
		case T_NamedTuplestoreScan:
		case T_WorkTableScan:
		case T_NestLoop:
		case T_MergeJoin:
		case T_HashJoin:
		case T_Group:
		case T_WindowAgg:
		case T_Gather:
		case T_GatherMerge:
			return true;
		default:
			return false;
	}
}

/*
 * Conditions of an inner join with calls: as conditions on its rows, which is
 * the same where the join looks at all pairs.
 */
static void
split_joinqual(Join *join)
{
	List	   *kept = NIL;
	List	   *moved = NIL;
	ListCell   *lc;

	if (join->jointype != JOIN_INNER || join->inner_unique)
		return;
	foreach(lc, join->joinqual)
	{
		if (moved != NIL || mobilebert_has_call(lfirst(lc)))
			moved = lappend(moved, lfirst(lc));
		else
			kept = lappend(kept, lfirst(lc));
	}
	join->joinqual = kept;
	join->plan.qual = list_concat(moved, join->plan.qual);
}

/*
 * Lift the calls of a node.  What it reads may show unless all its rows are
 * wanted; what it computes itself moves up.
 */
static Plan *
lift_node(Rewrite *r, Plan *plan, BatchPlace place)
{
	if (!is_projecting(plan) || place.mark)
		return plan;
	if (is_join(plan))
		split_joinqual((Join *) plan);
	for (;;)
	{
		bool		in_qual = !IsA(plan, WindowAgg) &&
			mobilebert_has_call(plan->qual);

		if (!in_qual && !mobilebert_has_call(plan->targetlist))
			return plan;
		if (place.wanted != BATCH_WANTED_ALL &&
			(contain_volatile_functions((Node *) plan->qual) ||
			 plan_tree_walker(plan, volatile_plan_walker, NULL)))
			return plan;
		r->lifted = true;
		plan = in_qual ? mobilebert_lift_qual(plan, next_id(r), place) :
			mobilebert_lift_targetlist(plan, next_id(r), place);
	}
}

/*
 * Calls in the arguments of aggregates, until there are no more.  The place is
 * that of the plan below.
 */
static void
lift_aggregates(Rewrite *r, Plan *agg, BatchPlace place)
{
	while (mobilebert_has_aggregate_call(agg) &&
		   (place.wanted == BATCH_WANTED_ALL ||
			!volatile_plan_walker(agg->lefttree, NULL)))
	{
		r->lifted = true;
		mobilebert_lift_aggregates(agg, next_id(r), place);
	}
}

#if PG_VERSION_NUM >= 150000
static void
lift_merge(Rewrite *r, ModifyTable *merge, BatchPlace place)
{
	while (mobilebert_lift_merge(merge, next_id(r), place))
		r->lifted = true;
}
#endif

/*
 * Limits
 */

/* Does the node give all columns of the node below, and all of its rows? */
static bool
is_identity_projection(const Plan *plan)
{
	ListCell   *lc;
	int			n = 0;

	foreach(lc, plan->targetlist)
	{
		Var		   *var = (Var *) ((TargetEntry *) lfirst(lc))->expr;

		if (!IsA(var, Var) || var->varno != OUTER_VAR || var->varattno != ++n)
			return false;
	}
	return n == list_length(plan->lefttree->targetlist) && plan->qual == NIL;
}

static bool
is_small_limit(const Limit *limit)
{
	Const	   *count = (Const *) limit->limitCount;

	return count != NULL && IsA(count, Const) && !count->constisnull &&
		DatumGetInt64(count->constvalue) <= SMALL_LIMIT;
}

/*
 * Limit -> [Gather ->] batch -> plan becomes batch -> Limit -> [Gather ->]
 * plan, when the batch does nothing that a skipped row should see.
 */
static Plan *
lift_over_limit(Limit *limit, BatchPlace place)
{
	Plan	   *over = &limit->plan;
	Plan	   *batch = over->lefttree;

	if (limit->limitOption != LIMIT_OPTION_COUNT)
		return over;
	if (IsA(batch, Gather) && mobilebert_is_batch_node(batch->lefttree) &&
		is_identity_projection(batch) && is_small_limit(limit))
	{
		over = batch;
		batch = batch->lefttree;
	}
	if (!mobilebert_is_batch_node(batch) || batch->qual != NIL ||
		contain_volatile_functions((Node *) batch->targetlist))
		return &limit->plan;

	over->lefttree = batch->lefttree;
	over->targetlist = mobilebert_plan_references(OUTER_VAR,
												  over->lefttree->targetlist);
	if (over != &limit->plan)
		limit->plan.targetlist = mobilebert_plan_references(OUTER_VAR,
															over->targetlist);
	over = &limit->plan;
	batch->lefttree = over;
	mobilebert_place_batch_node((CustomScan *) batch, place);
	batch->parallel_safe = over->parallel_safe;
	batch->plan_rows = over->plan_rows;
	batch->startup_cost = over->startup_cost;
	batch->total_cost = over->total_cost;
	batch->initPlan = list_concat(batch->initPlan, over->initPlan);
	over->initPlan = NIL;
	batch->extParam = bms_copy(over->extParam);
	batch->allParam = bms_copy(over->allParam);
	return batch;
}

/*
 * Plans
 */

/* What a node's place tells about its left and right children. */
static BatchPlace
place_of_child(const Plan *plan, BatchPlace place, bool right)
{
	BatchPlace	child = {BATCH_WANTED_SOME, place.worker, false};

	switch (nodeTag(plan))
	{
		case T_Gather:
		case T_GatherMerge:
			child.wanted = place.wanted;
			child.worker = true;
			break;
		case T_ModifyTable:
		case T_Sort:
		case T_Hash:
			child.wanted = BATCH_WANTED_ALL;
			break;
		case T_Agg:
			if (((const Agg *) plan)->aggstrategy == AGG_PLAIN ||
				((const Agg *) plan)->aggstrategy == AGG_HASHED)
				child.wanted = BATCH_WANTED_ALL;
			else
				child.wanted = place.wanted;
			break;
		case T_Result:
			return place;
		case T_Append:
		case T_ProjectSet:
		case T_SubqueryScan:
		case T_LockRows:
		case T_Unique:
		case T_WindowAgg:
			child.wanted = place.wanted;
			break;
		case T_MergeJoin:
			child.mark = right &&
				!((const MergeJoin *) plan)->skip_mark_restore;
			break;
		default:
			break;
	}
	return child;
}

static void
rewrite_list(Rewrite *r, List *plans, BatchPlace place)
{
	ListCell   *lc;

	foreach(lc, plans)
		lfirst(lc) = rewrite_plan(r, lfirst(lc), place);
}

static Plan *
rewrite_plan(Rewrite *r, Plan *plan, BatchPlace place)
{
	BatchPlace	left;

	if (plan == NULL || IsA(plan, CustomScan))
		return plan;
	check_stack_depth();
	left = place_of_child(plan, place, false);
	plan->lefttree = rewrite_plan(r, plan->lefttree, left);
	plan->righttree = rewrite_plan(r, plan->righttree,
								   place_of_child(plan, place, true));
	if (IsA(plan, Append))
		rewrite_list(r, ((Append *) plan)->appendplans, left);
	else if (IsA(plan, MergeAppend))
		rewrite_list(r, ((MergeAppend *) plan)->mergeplans, left);
	else if (IsA(plan, SubqueryScan))
		((SubqueryScan *) plan)->subplan =
			rewrite_plan(r, ((SubqueryScan *) plan)->subplan, left);
	else if (IsA(plan, Agg))
		lift_aggregates(r, plan, left);
#if PG_VERSION_NUM >= 150000
	else if (IsA(plan, ModifyTable) &&
			 ((ModifyTable *) plan)->operation == CMD_MERGE)
		lift_merge(r, (ModifyTable *) plan, left);
#endif
	else if (IsA(plan, Limit))
		return lift_over_limit((Limit *) plan, place);
	return lift_node(r, plan, place);
}

/* Has an expression a call of a function that is gathered? */
static bool
contain_call_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	return (IsA(node, FuncExpr) &&
			mobilebert_batched_function(((FuncExpr *) node)->funcid) != NULL) ||
		expression_tree_walker(node, contain_call_walker, context);
}

/*
 * ORDER BY a call that an index gives the order of: the planner keeps a hidden
 * column with the call all the same, which is computed for each row and then
 * dropped.  Where nothing above the index scan can look at it, it is NULL.
 */
static void
drop_hidden_calls(Rewrite *r)
{
	Plan	   *plan = r->stmt->planTree;
	ListCell   *lc;

	if (r->stmt->commandType != CMD_SELECT)
		return;
	if (IsA(plan, Limit) &&
		((Limit *) plan)->limitOption != LIMIT_OPTION_WITH_TIES)
		plan = plan->lefttree;
	if (!IsA(plan, IndexScan))
		return;
	foreach(lc, plan->targetlist)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, lc);
		Node	   *value = (Node *) entry->expr;

		if (!entry->resjunk || !contain_call_walker(value, NULL) ||
			contain_volatile_functions(value))
			continue;
		entry->expr = (Expr *) makeNullConst(exprType(value),
											 exprTypmod(value),
											 exprCollation(value));
		r->lifted = true;
	}
}

/*
 * Rewrite in place; true when something was done.  Then the costs are those of
 * the network, which compiled expressions would not make any less.
 */
static bool
rewrite_statement(PlannedStmt *stmt)
{
	Rewrite		r = {-1, stmt, false};
	BatchPlace	root = {BATCH_WANTED_AS_ROOT, false, false};
	BatchPlace	subplan = {BATCH_WANTED_SOME, false, false};

	drop_hidden_calls(&r);
	stmt->planTree = rewrite_plan(&r, stmt->planTree, root);
	rewrite_list(&r, stmt->subplans, subplan);
	if (r.lifted)
		stmt->jitFlags = PGJIT_NONE;
	return r.lifted;
}

/*
 * Hooks
 */

static PlannedStmt *
batch_planner(Query *parse, const char *query_string, int options,
			  ParamListInfo params)
{
	PlannedStmt *stmt;

	stmt = (previous_planner != NULL ? previous_planner : standard_planner)
		(parse, query_string, options, params);
	if (mobilebert_enable_batching && (options & CURSOR_OPT_SCROLL) == 0)
		(void) rewrite_statement(stmt);
	return stmt;
}

/* Is there such a call, or (then *batched) a batch node? */
static bool
old_plan_walker(Plan *plan, void *context)
{
	bool	   *batched = context;

	check_stack_depth();
	if (mobilebert_is_batch_node(plan))
		*batched = true;
	return *batched || contain_call_walker((Node *) plan->targetlist, NULL) ||
		contain_call_walker((Node *) plan->qual, NULL) ||
#if PG_VERSION_NUM >= 150000
		(IsA(plan, ModifyTable) &&
		 contain_call_walker((Node *) ((ModifyTable *) plan)->mergeActionLists,
							 NULL)) ||
#endif
		(is_join(plan) &&
		 contain_call_walker((Node *) ((Join *) plan)->joinqual, NULL)) ||
		plan_tree_walker(plan, old_plan_walker, context);
}

/* Has a plan calls, but no batch node?  A quick look before copying it. */
static bool
is_old_plan(PlannedStmt *stmt)
{
	bool		batched = false;
	ListCell   *lc;

	if (old_plan_walker(stmt->planTree, &batched))
		return !batched;
	foreach(lc, stmt->subplans)
	{
		if (lfirst(lc) != NULL && old_plan_walker(lfirst(lc), &batched))
			return !batched;
	}
	return false;
}

static void
batch_executor_start(QueryDesc *query, int eflags)
{
	if (mobilebert_enable_batching && !IsParallelWorker() &&
		(eflags & EXEC_FLAG_BACKWARD) == 0 &&
		query->plannedstmt->planTree != NULL &&
		is_old_plan(query->plannedstmt))
	{
		PlannedStmt *stmt = copyObject(query->plannedstmt);

		if (rewrite_statement(stmt))
			query->plannedstmt = stmt;
		if (old_plans)
			ResetPlanCache();
		old_plans = false;
	}
	if (previous_executor_start != NULL)
		previous_executor_start(query, eflags);
	else
		standard_ExecutorStart(query, eflags);
}

void
mobilebert_batch_plan_init(void)
{
	previous_planner = planner_hook;
	planner_hook = batch_planner;
	previous_executor_start = ExecutorStart_hook;
	ExecutorStart_hook = batch_executor_start;
}
