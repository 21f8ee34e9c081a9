/*-------------------------------------------------------------------------
 *
 * batch_plan.c
 *	  Goes through finished plans, and has nodes with calls split
 *	  (batch_lift.c), so that a node of ours (B here) makes the calls.
 *
 * B goes above a Limit that was just above it, so that nothing is read ahead in
 * vain, nor computed for rows that OFFSET skips.
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
 * planner/batch_lift.h, planner/batch_scan.h, access/parallel.h,
 * executor/executor.h, jit/jit.h, miscadmin.h, nodes/nodeFuncs.h,
 * optimizer/optimizer.h, optimizer/planner.h, utils/plancache.h.
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
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/planner.h"
#include "utils/plancache.h"

/* A Limit of at most so many rows is not worth parallel workers' haste. */
#define SMALL_LIMIT 64

/* What is known of the place of a node. */
typedef enum Place
{
	PLACE_WHOLE = 1,			/* all its rows will be asked for */
	PLACE_ROOT = 2,				/* as many as of the statement's */
	PLACE_WORKER = 4,			/* below Gather */
	PLACE_MARK = 8				/* must be able to mark and restore */
} Place;

/* A rewriting of one plan. */
typedef struct Rewrite
{
	int			last_id;		/* of plan nodes; -1: not known yet */
	PlannedStmt *stmt;
	bool		lifted;			/* anything */
} Rewrite;

typedef bool (*PlanWalker) (Plan *plan, void *context);

static planner_hook_type previous_planner = NULL;
static ExecutorStart_hook_type previous_executor_start = NULL;

/* Plans from before the hooks may be cached. */
static bool old_plans = true;

static Plan *rewrite(Rewrite *r, Plan *plan, int place);

/*
 * Walking plans
 */

/* Call walker for the children of a node, until it says true. */
static bool
plan_children(Plan *plan, PlanWalker walker, void *context)
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
	return plan_children(plan, max_id_walker, context);
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

static int
wanted(int place)
{
	if ((place & PLACE_WHOLE) != 0)
		return BATCH_WANTED_ALL;
	return (place & PLACE_ROOT) != 0 ? BATCH_WANTED_AS_ROOT :
		BATCH_WANTED_SOME;
}

/* A node of ours will be there. */
static void
batch_place(Rewrite *r, int place, BatchPlace *batch)
{
	batch->id = next_id(r);
	batch->wanted = wanted(place);
	batch->worker = (place & PLACE_WORKER) != 0;
}

/* Would it show how many rows are read from this plan? */
static bool
shows_reading(Plan *plan, void *context)
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
	return plan_children(plan, shows_reading, context);
}

/* Does the node compute its target list, from columns that we understand? */
static bool
projects(const Plan *plan)
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
lift_node(Rewrite *r, Plan *plan, int place)
{
	BatchPlace	batch;

	if (!projects(plan) || (place & PLACE_MARK) != 0)
		return plan;
	if (is_join(plan))
		split_joinqual((Join *) plan);
	for (;;)
	{
		bool		in_qual = !IsA(plan, WindowAgg) &&
			mobilebert_has_call(plan->qual);

		if (!in_qual && !mobilebert_has_call(plan->targetlist))
			return plan;
		if ((place & PLACE_WHOLE) == 0 &&
			(contain_volatile_functions((Node *) plan->qual) ||
			 plan_children(plan, shows_reading, NULL)))
			return plan;
		batch_place(r, place, &batch);
		r->lifted = true;
		plan = in_qual ? mobilebert_lift_qual(plan, &batch) :
			mobilebert_lift_targetlist(plan, &batch);
	}
}

/*
 * Calls in the arguments of aggregates, until there are no more.  The place is
 * that of the plan below.
 */
static void
lift_aggregates(Rewrite *r, Plan *agg, int place)
{
	BatchPlace	batch;

	while (mobilebert_has_aggregate_call(agg) &&
		   ((place & PLACE_WHOLE) != 0 ||
			!shows_reading(agg->lefttree, NULL)))
	{
		batch_place(r, place, &batch);
		r->lifted = true;
		mobilebert_lift_aggregates(agg, &batch);
	}
}

#if PG_VERSION_NUM >= 150000
static void
lift_merge(Rewrite *r, ModifyTable *merge, int place)
{
	BatchPlace	batch;

	batch_place(r, place, &batch);
	while (mobilebert_lift_merge(merge, &batch))
	{
		r->lifted = true;
		batch_place(r, place, &batch);
	}
}
#endif

/*
 * Limits
 */

static bool
gives_on(const Plan *plan)
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
is_small(const Limit *limit)
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
lift_over_limit(Limit *limit, int place)
{
	Plan	   *over = &limit->plan;
	Plan	   *batch = over->lefttree;

	if (limit->limitOption != LIMIT_OPTION_COUNT)
		return over;
	if (IsA(batch, Gather) && mobilebert_is_batch_node(batch->lefttree) && gives_on(batch) &&
		is_small(limit))
	{
		over = batch;
		batch = batch->lefttree;
	}
	if (!mobilebert_is_batch_node(batch) || batch->qual != NIL ||
		contain_volatile_functions((Node *) batch->targetlist))
		return &limit->plan;

	over->lefttree = batch->lefttree;
	over->targetlist = mobilebert_plan_references(OUTER_VAR, over->lefttree->targetlist);
	if (over != &limit->plan)
		limit->plan.targetlist = mobilebert_plan_references(OUTER_VAR, over->targetlist);
	over = &limit->plan;
	batch->lefttree = over;
	batch->parallel_aware = (place & PLACE_WORKER) != 0;
	linitial_int(((CustomScan *) batch)->custom_private) = wanted(place);
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
static int
place_of_child(const Plan *plan, int place, bool right)
{
	int			worker = place & PLACE_WORKER;

	switch (nodeTag(plan))
	{
		case T_Gather:
		case T_GatherMerge:
			return PLACE_WORKER | (place & (PLACE_WHOLE | PLACE_ROOT));
		case T_ModifyTable:
		case T_Sort:
		case T_Hash:
			return PLACE_WHOLE | worker;
		case T_Agg:
			if (((const Agg *) plan)->aggstrategy == AGG_PLAIN ||
				((const Agg *) plan)->aggstrategy == AGG_HASHED)
				return PLACE_WHOLE | worker;
			return place & ~PLACE_MARK;
		case T_Result:
			return place;
		case T_Append:
		case T_ProjectSet:
		case T_SubqueryScan:
		case T_LockRows:
		case T_Unique:
		case T_WindowAgg:
			return place & ~PLACE_MARK;
		case T_MergeJoin:
			if (right && !((const MergeJoin *) plan)->skip_mark_restore)
				return PLACE_MARK | worker;
			return worker;
		default:
			return worker;
	}
}

static void
rewrite_list(Rewrite *r, List *plans, int place)
{
	ListCell   *lc;

	foreach(lc, plans)
		lfirst(lc) = rewrite(r, lfirst(lc), place);
}

static Plan *
rewrite(Rewrite *r, Plan *plan, int place)
{
	int			left;

	if (plan == NULL || IsA(plan, CustomScan))
		return plan;
	check_stack_depth();
	left = place_of_child(plan, place, false);
	plan->lefttree = rewrite(r, plan->lefttree, left);
	plan->righttree = rewrite(r, plan->righttree,
							  place_of_child(plan, place, true));
	if (IsA(plan, Append))
		rewrite_list(r, ((Append *) plan)->appendplans, left);
	else if (IsA(plan, MergeAppend))
		rewrite_list(r, ((MergeAppend *) plan)->mergeplans, left);
	else if (IsA(plan, SubqueryScan))
		((SubqueryScan *) plan)->subplan =
			rewrite(r, ((SubqueryScan *) plan)->subplan, left);
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

/*
 * Rewrite in place; true when something was done.  Then the costs are those of
 * the network, which compiled expressions would not make any less.
 */
static bool
rewrite_statement(PlannedStmt *stmt)
{
	Rewrite		r = {-1, stmt, false};

	stmt->planTree = rewrite(&r, stmt->planTree, PLACE_ROOT);
	rewrite_list(&r, stmt->subplans, 0);
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

/* Has a plan calls, but no node of ours?  A quick look before copying it. */
static bool
expression_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	return (IsA(node, FuncExpr) &&
			mobilebert_batched_function(((FuncExpr *) node)->funcid) != NULL) ||
		expression_tree_walker(node, expression_walker, context);
}

static bool
plan_walker(Plan *plan, void *context)
{
	bool	   *ours = context;

	check_stack_depth();
	if (mobilebert_is_batch_node(plan))
		*ours = true;
	return *ours || expression_walker((Node *) plan->targetlist, NULL) ||
		expression_walker((Node *) plan->qual, NULL) ||
#if PG_VERSION_NUM >= 150000
		(IsA(plan, ModifyTable) &&
		 expression_walker((Node *) ((ModifyTable *) plan)->mergeActionLists,
						   NULL)) ||
#endif
		(is_join(plan) &&
		 expression_walker((Node *) ((Join *) plan)->joinqual, NULL)) ||
		plan_children(plan, plan_walker, context);
}

static bool
is_old_plan(PlannedStmt *stmt)
{
	bool		ours = false;
	ListCell   *lc;

	if (plan_walker(stmt->planTree, &ours))
		return !ours;
	foreach(lc, stmt->subplans)
	{
		if (lfirst(lc) != NULL && plan_walker(lfirst(lc), &ours))
			return !ours;
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
