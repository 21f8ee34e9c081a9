/*-------------------------------------------------------------------------
 *
 * batch_plan.c
 *	  Finds calls in finished plans, and puts nodes that batch them above
 *	  (batch_scan.c).
 *
 * A node N with calls in its target list is split:
 *
 *		N: embed(body), id + 1	becomes		B: result 1, id + 1
 *											  N: body, id
 *
 * N is left with its columns only: what B cannot compute itself.  All other
 * expressions move up, where they are evaluated when a row is given out, so
 * reading ahead changes nothing about them.  The same for a condition with a
 * call: it moves into B, with those after it; those before it, which decide
 * whether the call is made at all, stay.  When conditions or arguments have
 * calls again, there is a B above B.  For the arguments of aggregates a B comes
 * between the Agg and what is below.
 *
 * Only calls that are certainly evaluated for each row are lifted, not those
 * in CASE, COALESCE, AND, OR and other conditional places.  Neither are calls
 * without a column in their arguments (one text for all rows), with volatile
 * arguments, or with a subplan in them.  See "certain" below.
 *
 * B goes above a Limit where only B lies between, so that nothing is read
 * ahead in vain, nor computed for rows that OFFSET skips.
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
 * Depends on batch.h (pg.h, functions.h).
 *
 *-------------------------------------------------------------------------
 */
#include "batch.h"

#include "access/htup_details.h"
#include "access/parallel.h"
#include "access/transam.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "executor/executor.h"
#include "jit/jit.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/planner.h"
#include "utils/builtins.h"
#include "utils/plancache.h"
#include "utils/syscache.h"

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

/* A node in the making; see batch.h for the lists. */
typedef struct Lift
{
	bool		direct;			/* columns are those of the node below, all */
	List	   *columns;		/* target list of the node below */
	List	   *scan;			/* custom_scan_tlist */
	List	   *sources;		/* of its entries */
	List	   *calls;
} Lift;

typedef bool (*PlanWalker) (Plan *plan, void *context);

static planner_hook_type previous_planner = NULL;
static ExecutorStart_hook_type previous_executor_start = NULL;
static ExecutorRun_hook_type previous_executor_run = NULL;

/* Plans from before the hooks may be cached. */
static bool old_plans = true;

bool		mobilebert_batch_all_wanted = false;

static bool certain_call(Node *node, void *context);
static Node *lifted(Node *node, void *context);
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
is_ours(const Plan *plan)
{
	return IsA(plan, CustomScan) &&
		((const CustomScan *) plan)->methods == &mobilebert_batch_methods;
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

/*
 * Finding calls
 */

MobilebertBegin
mobilebert_batch_begin(Oid function)
{
	HeapTuple	tuple;
	Form_pg_proc proc;
	Datum		source;
	bool		null;
	bool		ours;
	FmgrInfo	flinfo;

	if (function < FirstNormalObjectId)
		return NULL;
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	if (!HeapTupleIsValid(tuple))
		return NULL;
	proc = (Form_pg_proc) GETSTRUCT(tuple);
	source = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &null);
	ours = !null && proc->prolang == ClanguageId && !proc->proretset &&
		proc->provolatile != PROVOLATILE_VOLATILE &&
		strncmp(TextDatumGetCString(source), "mobilebert_",
				strlen("mobilebert_")) == 0;
	ReleaseSysCache(tuple);
	if (!ours)
		return NULL;

	/* What has settings or an owner's rights of its own is another function. */
	fmgr_info(function, &flinfo);
	return mobilebert_scalar_begin(flinfo.fn_addr);
}

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
column_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	return is_column(node) ||
		expression_tree_walker(node, column_walker, context);
}

static bool
subplan_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	return IsA(node, SubPlan) || IsA(node, AlternativeSubPlan) ||
		expression_tree_walker(node, subplan_walker, context);
}

static bool
is_call(Node *node)
{
	FuncExpr   *call = (FuncExpr *) node;

	return IsA(node, FuncExpr) && !call->funcretset &&
		mobilebert_batch_begin(call->funcid) != NULL &&
		column_walker((Node *) call->args, NULL) &&
		!subplan_walker((Node *) call->args, NULL) &&
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
certain_call(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, SubscriptingRef))
		return certain_call((Node *) ((SubscriptingRef *) node)->refexpr,
							context);
	if (!evaluates_operands(node))
		return false;
	return is_call(node) ||
		expression_tree_walker(node, certain_call, context);
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

/* An entry of the row to work on, by where it comes from. */
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
	return make_reference(lift->direct ? OUTER_VAR : INDEX_VAR, n, node);
}

/* Expressions on the columns of the node below, as a call's arguments are. */
static Node *
below(Node *node, void *context)
{
	Lift	   *lift = context;

	if (node == NULL)
		return NULL;
	if (lift->direct)
		return copyObject(node);
	if (is_column(node))
		return (Node *) make_reference(OUTER_VAR, lift_column(lift, node),
									   node);
	return expression_tree_mutator(node, below, context);
}

/* Expressions on the row to work on. */
static Node *
above(Node *node, void *context)
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
	return expression_tree_mutator(node, above, context);
}

/* The result of a call. */
static Node *
lift_call(Lift *lift, FuncExpr *node)
{
	FuncExpr   *call = makeNode(FuncExpr);
	int			n = 1;
	ListCell   *lc;

	memcpy(call, node, sizeof(FuncExpr));
	call->args = (List *) below((Node *) node->args, lift);
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

/* The same as above(), with certain calls lifted, innermost ones first. */
static Node *
lifted(Node *node, void *context)
{
	if (node == NULL)
		return NULL;
	if (!certain_call(node, NULL))
		return above(node, context);
	if (IsA(node, SubscriptingRef))
	{
		SubscriptingRef *from = (SubscriptingRef *) node;
		SubscriptingRef *to = makeNode(SubscriptingRef);

		memcpy(to, from, sizeof(SubscriptingRef));
		to->refupperindexpr = (List *) above((Node *) from->refupperindexpr,
											 context);
		to->reflowerindexpr = (List *) above((Node *) from->reflowerindexpr,
											 context);
		to->refexpr = (Expr *) lifted((Node *) from->refexpr, context);
		to->refassgnexpr = (Expr *) above((Node *) from->refassgnexpr,
										  context);
		return (Node *) to;
	}
	if (is_call(node) &&
		!certain_call((Node *) ((FuncExpr *) node)->args, NULL))
		return lift_call(context, (FuncExpr *) node);
	return expression_tree_mutator(node, lifted, context);
}

/*
 * Making nodes
 */

/* A target list that gives on all entries of the one below. */
static List *
make_references(int varno, List *below_list)
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

static int
wanted(int place)
{
	if ((place & PLACE_WHOLE) != 0)
		return BATCH_WANTED_ALL;
	return (place & PLACE_ROOT) != 0 ? BATCH_WANTED_AS_ROOT :
		BATCH_WANTED_SOME;
}

static Plan *
lift_end(Rewrite *r, Lift *lift, Plan *plan, List *targetlist, List *qual,
		 int place)
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
	result->parallel_aware = (place & PLACE_WORKER) != 0;
	result->plan_node_id = next_id(r);
	result->targetlist = targetlist;
	result->qual = qual;
	result->lefttree = plan;
	result->initPlan = plan->initPlan;
	plan->initPlan = NIL;
	result->extParam = bms_copy(plan->extParam);
	result->allParam = bms_copy(plan->allParam);
	plan->async_capable = false;
	batch->custom_exprs = lift->calls;
	batch->custom_private =
		list_concat(list_make1_int(wanted(place)), lift->sources);
	batch->custom_scan_tlist = lift->scan;
	batch->methods = &mobilebert_batch_methods;
	r->lifted = true;
	return result;
}

static List *
above_list(List *list, Lift *lift)
{
	return (List *) above((Node *) list, lift);
}

/* Calls in the first condition that has any. */
static Plan *
lift_qual(Rewrite *r, Plan *plan, int place)
{
	List	   *kept = NIL;
	List	   *moved = NIL;
	Lift		lift;
	ListCell   *lc;

	lift_begin(&lift, plan->targetlist);
	foreach(lc, plan->qual)
	{
		if (moved != NIL)
			moved = lappend(moved, above(lfirst(lc), &lift));
		else if (certain_call(lfirst(lc), NULL))
			moved = lappend(moved, lifted(lfirst(lc), &lift));
		else
			kept = lappend(kept, lfirst(lc));
	}
	plan->qual = kept;
	return lift_end(r, &lift, plan, above_list(plan->targetlist, &lift), moved,
					place);
}

static Plan *
lift_targetlist(Rewrite *r, Plan *plan, int place)
{
	Lift		lift;
	List	   *list;

	lift_begin(&lift, plan->targetlist);
	list = (List *) lifted((Node *) plan->targetlist, &lift);
	return lift_end(r, &lift, plan, list, NIL, place);
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
			return is_ours(plan);
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
		if (moved != NIL || certain_call(lfirst(lc), NULL))
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
	if (!projects(plan) || (place & PLACE_MARK) != 0)
		return plan;
	if (is_join(plan))
		split_joinqual((Join *) plan);
	for (;;)
	{
		bool		in_qual = !IsA(plan, WindowAgg) &&
			certain_call((Node *) plan->qual, NULL);

		if (!in_qual && !certain_call((Node *) plan->targetlist, NULL))
			return plan;
		if ((place & PLACE_WHOLE) == 0 &&
			(contain_volatile_functions((Node *) plan->qual) ||
			 plan_children(plan, shows_reading, NULL)))
			return plan;
		plan = in_qual ? lift_qual(r, plan, place) :
			lift_targetlist(r, plan, place);
	}
}

/*
 * Aggregates
 */

static bool
aggregate_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Aggref))
	{
		Aggref	   *aggregate = (Aggref *) node;

		return certain_call((Node *) aggregate->aggfilter, context) ||
			(aggregate->aggfilter == NULL &&
			 certain_call((Node *) aggregate->args, context));
	}
	return expression_tree_walker(node, aggregate_walker, context);
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
			aggregate->aggfilter =
				(Expr *) lifted((Node *) aggregate->aggfilter, context);
		else
			aggregate->args = (List *) lifted((Node *) aggregate->args,
											  context);
		return (Node *) aggregate;
	}
	return expression_tree_mutator(node, aggregate_mutator, context);
}

/* Calls in the arguments of aggregates, until there are no more. */
static void
lift_aggregates(Rewrite *r, Plan *agg, int place)
{
	Lift		lift;
	int			i;

	while ((aggregate_walker((Node *) agg->targetlist, NULL) ||
			aggregate_walker((Node *) agg->qual, NULL)) &&
		   ((place & PLACE_WHOLE) != 0 ||
			!shows_reading(agg->lefttree, NULL)))
	{
		memset(&lift, 0, sizeof(lift));
		lift.direct = true;
		lift.columns = agg->lefttree->targetlist;
		lift.scan = make_references(OUTER_VAR, lift.columns);
		for (i = 1; i <= list_length(lift.scan); i++)
			lift.sources = lappend_int(lift.sources, i);
		agg->targetlist = (List *)
			aggregate_mutator((Node *) agg->targetlist, &lift);
		agg->qual = (List *) aggregate_mutator((Node *) agg->qual, &lift);
		agg->lefttree = lift_end(r, &lift, agg->lefttree,
								 make_references(INDEX_VAR, lift.scan), NIL,
								 place);
	}
}

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
	if (IsA(batch, Gather) && is_ours(batch->lefttree) && gives_on(batch) &&
		is_small(limit))
	{
		over = batch;
		batch = batch->lefttree;
	}
	if (!is_ours(batch) || batch->qual != NIL ||
		contain_volatile_functions((Node *) batch->targetlist))
		return &limit->plan;

	over->lefttree = batch->lefttree;
	over->targetlist = make_references(OUTER_VAR, over->lefttree->targetlist);
	if (over != &limit->plan)
		limit->plan.targetlist = make_references(OUTER_VAR, over->targetlist);
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
			mobilebert_batch_begin(((FuncExpr *) node)->funcid) != NULL) ||
		expression_tree_walker(node, expression_walker, context);
}

static bool
plan_walker(Plan *plan, void *context)
{
	bool	   *ours = context;

	check_stack_depth();
	if (is_ours(plan))
		*ours = true;
	return *ours || expression_walker((Node *) plan->targetlist, NULL) ||
		expression_walker((Node *) plan->qual, NULL) ||
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

/* In a worker it is the leader's business; rows are computed as they come. */
#if PG_VERSION_NUM >= 180000
#define RUN_ARGUMENTS QueryDesc *query, ScanDirection direction, uint64 count
#define RUN_VALUES query, direction, count
#else
#define RUN_ARGUMENTS \
	QueryDesc *query, ScanDirection direction, uint64 count, bool once
#define RUN_VALUES query, direction, count, once
#endif

static void
batch_executor_run(RUN_ARGUMENTS)
{
	bool		outer = mobilebert_batch_all_wanted;

	mobilebert_batch_all_wanted = count == 0;
	PG_TRY();
	{
		if (previous_executor_run != NULL)
			previous_executor_run(RUN_VALUES);
		else
			standard_ExecutorRun(RUN_VALUES);
	}
	PG_FINALLY();
	{
		mobilebert_batch_all_wanted = outer;
	}
	PG_END_TRY();
}

void
mobilebert_batch_plan_init(void)
{
	previous_planner = planner_hook;
	planner_hook = batch_planner;
	previous_executor_start = ExecutorStart_hook;
	ExecutorStart_hook = batch_executor_start;
	previous_executor_run = ExecutorRun_hook;
	ExecutorRun_hook = batch_executor_run;
}
