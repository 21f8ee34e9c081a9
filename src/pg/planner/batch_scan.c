/*-------------------------------------------------------------------------
 *
 * batch_scan.c
 *	  The plan node that makes calls of many rows in common passes.
 *
 * INTERFACE ROUTINES
 *		batch_create		makes the node's state
 *		batch_begin			starts the plan below and a queue for its rows
 *		batch_exec			gives the next row, with the results of its calls
 *		batch_end			ends the plan below
 *		batch_rescan		starts again from the first row
 *		batch_estimate		the size of the figures of all workers
 *		batch_initialize	lays them out in shared memory
 *		batch_reinitialize	nothing: they go on over rescans
 *		batch_attach		finds a worker's figures
 *		batch_shutdown		adds those of all workers up, while they are there
 *		batch_explain		shows calls and figures
 *
 * What happens to the rows is told in batch_queue.c; here is only what makes it
 * a node of the executor: conditions and target list, the row's place for
 * WHERE CURRENT OF, figures for EXPLAIN ANALYZE.
 *
 * The node is parallel-aware below Gather only for its figures: each worker
 * keeps the sums of its own in shared memory after each row.
 *
 * Depends on server/pg.h, planner/batch_queue.h, planner/support.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "planner/batch_queue.h"
#include "planner/batch_scan.h"
#include "planner/support.h"

#include "access/parallel.h"
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif
#include "commands/explain.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/value.h"
#include "storage/shm_toc.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"

/* Figures of all workers, each by its own number, in shared memory. */
typedef struct BatchShared
{
	int			workers;
	BatchFigures figures[FLEXIBLE_ARRAY_MEMBER];
} BatchShared;

typedef struct BatchState
{
	CustomScanState css;		/* must be first */
	BatchQueue *queue;
	BatchWanted wanted;
	int		   *sources;		/* of the columns of the scan slot */
	ScanState  *table_scan;		/* whose table CURRENT OF may mean */

	BatchFigures workers;		/* of all others, when they are through */
	BatchFigures before;		/* in shared memory when this worker began */
	BatchFigures *own;			/* in shared memory: this worker's */
	BatchShared *shared;		/* the leader's view */
} BatchState;

static ExecutorRun_hook_type previous_executor_run = NULL;

/* Are all rows of the current statement asked for, not so many for now? */
static bool all_rows_asked = false;

bool
mobilebert_is_batch_node(const Plan *plan)
{
	return IsA(plan, CustomScan) &&
		((const CustomScan *) plan)->methods == &mobilebert_batch_methods;
}

/*
 * Start and end
 */

/* The table's scan below that gives one row for each row of the node. */
static ScanState *
find_table_scan(PlanState *below)
{
	while (below != NULL)
	{
		switch (nodeTag(below))
		{
			case T_SeqScanState:
			case T_SampleScanState:
			case T_IndexScanState:
			case T_BitmapHeapScanState:
			case T_TidScanState:
			case T_TidRangeScanState:
				return (ScanState *) below;
			case T_CustomScanState:
				if (!mobilebert_is_batch_node(below->plan) ||
					((BatchState *) below)->table_scan == NULL)
					return NULL;
				return (ScanState *) below;
			case T_LimitState:
			case T_ResultState:
				below = outerPlanState(below);
				break;
			default:
				return NULL;
		}
	}
	return NULL;
}

static void
batch_begin(CustomScanState *node, EState *estate, int eflags)
{
	BatchState *state = (BatchState *) node;
	CustomScan *plan = (CustomScan *) node->ss.ps.plan;
	List	   *sources = list_nth(plan->custom_private, BATCH_PRIVATE_SOURCES);
	ListCell   *lc;
	int			i = 0;

	outerPlanState(node) = ExecInitNode(outerPlan(plan), estate, eflags);
	state->wanted = intVal(list_nth(plan->custom_private,
									BATCH_PRIVATE_WANTED));
	state->sources = palloc(list_length(sources) * sizeof(int));
	foreach(lc, sources)
		state->sources[i++] = lfirst_int(lc);
	state->table_scan = find_table_scan(outerPlanState(node));
	if (state->table_scan != NULL)
		node->ss.ss_currentRelation = state->table_scan->ss_currentRelation;
	state->queue = batch_queue_create(&node->ss.ps, plan->custom_exprs,
									  state->table_scan);
}

static void
batch_rescan(CustomScanState *node)
{
	ExecClearTuple(node->ss.ss_ScanTupleSlot);
	batch_queue_reset(((BatchState *) node)->queue);
	if (outerPlanState(node)->chgParam == NULL)
		ExecReScan(outerPlanState(node));
}

static void
batch_end(CustomScanState *node)
{
	ExecClearTuple(node->ss.ss_ScanTupleSlot);
	batch_queue_reset(((BatchState *) node)->queue);
	ExecEndNode(outerPlanState(node));
}

/*
 * Figures
 */

static void
figures_add(BatchFigures *sum, const BatchFigures *more)
{
	sum->tokens += more->tokens;
	sum->passes += more->passes;
	sum->cached += more->cached;
	sum->equal += more->equal;
	sum->microseconds += more->microseconds;
}

/* Bring a worker's figures up to date for the leader. */
static void
figures_publish(const BatchState *state)
{
	BatchFigures figures;

	if (state->own == NULL || state->css.ss.ps.instrument == NULL)
		return;
	batch_queue_figures(state->queue, &figures);
	*state->own = state->before;
	figures_add(state->own, &figures);
}

/*
 * Execution
 */

/* Put columns and results into the scan slot. */
static TupleTableSlot *
store_output(BatchState *state, const BatchOutput *output)
{
	TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;
	int			count = slot->tts_tupleDescriptor->natts;
	int			i;

	for (i = 0; i < count; i++)
	{
		int			source = state->sources[i];

		if (source > 0)
		{
			slot->tts_values[i] = output->columns->tts_values[source - 1];
			slot->tts_isnull[i] = output->columns->tts_isnull[source - 1];
		}
		else
		{
			slot->tts_values[i] = output->results[-source - 1].value;
			slot->tts_isnull[i] = output->results[-source - 1].isnull;
		}
	}
	ExecStoreVirtualTuple(slot);
	if (state->table_scan != NULL)
	{
		slot->tts_tid = output->tid;
		slot->tts_tableOid =
			RelationGetRelid(state->table_scan->ss_currentRelation);
	}
	return slot;
}

static TupleTableSlot *
next_row(BatchState *state)
{
	BatchOutput output;
	bool		found;

	ExecClearTuple(state->css.ss.ss_ScanTupleSlot);
	found = batch_queue_next(state->queue,
							 state->wanted == BATCH_WANTED_ALL ||
							 (state->wanted == BATCH_WANTED_AS_ROOT &&
							  all_rows_asked), &output);
	figures_publish(state);
	return found ? store_output(state, &output) : NULL;
}

static TupleTableSlot *
batch_exec(CustomScanState *node)
{
	ProjectionInfo *projection = node->ss.ps.ps_ProjInfo;
	ExprContext *econtext = node->ss.ps.ps_ExprContext;
	TupleTableSlot *slot;

	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		ResetExprContext(econtext);
		slot = next_row((BatchState *) node);
		if (slot == NULL)
			return projection == NULL ? NULL :
				ExecClearTuple(projection->pi_state.resultslot);
		econtext->ecxt_scantuple = slot;
		if (ExecQual(node->ss.ps.qual, econtext))
			return projection == NULL ? slot : ExecProject(projection);
		InstrCountFiltered1(node, 1);
	}
}

/*
 * Parallel query
 */

static Size
batch_estimate(CustomScanState *node, ParallelContext *pcxt)
{
	(void) node;
	return offsetof(BatchShared, figures) +
		pcxt->nworkers * sizeof(BatchFigures);
}

static void
batch_initialize(CustomScanState *node, ParallelContext *pcxt,
				 void *coordinate)
{
	BatchShared *shared = coordinate;

	memset(shared, 0, batch_estimate(node, pcxt));
	shared->workers = pcxt->nworkers;
	((BatchState *) node)->shared = shared;
}

/* Figures go on over rescans, as those of this process do. */
static void
batch_reinitialize(CustomScanState *node, ParallelContext *pcxt,
				   void *coordinate)
{
	(void) node;
	(void) pcxt;
	(void) coordinate;
}

static void
batch_attach(CustomScanState *node, shm_toc *toc, void *coordinate)
{
	BatchState *state = (BatchState *) node;
	BatchShared *shared = coordinate;

	(void) toc;
	state->own = &shared->figures[ParallelWorkerNumber];
	state->before = *state->own;
}

/* The last look at shared memory before it goes. */
static void
batch_shutdown(CustomScanState *node)
{
	BatchState *state = (BatchState *) node;
	int			i;

	if (state->shared == NULL)
		return;
	memset(&state->workers, 0, sizeof(state->workers));
	for (i = 0; i < state->shared->workers; i++)
		figures_add(&state->workers, &state->shared->figures[i]);
	state->shared = NULL;
}

/*
 * EXPLAIN
 */

/* A call without the options that were not given, for people to read. */
static char *
call_text(FuncExpr *node, List *context, bool prefix)
{
	FuncExpr   *call = copyObject(node);

	while (list_length(call->args) > 1 && IsA(llast(call->args), Const) &&
		   llast_node(Const, call->args)->constisnull)
		call->args = list_truncate(call->args, list_length(call->args) - 1);
	return deparse_expression((Node *) call, context, prefix, false);
}

/* Prompts that calls get without naming them, each once. */
static List *
hidden_prompts(List *calls)
{
	List	   *prompts = NIL;
	ListCell   *lc;

	foreach(lc, calls)
	{
		char	   *prompt = mobilebert_prompt_of_call(lfirst(lc));
		ListCell   *known;

		foreach(known, prompts)
		{
			if (prompt != NULL && strcmp(lfirst(known), prompt) == 0)
				prompt = NULL;
		}
		if (prompt != NULL)
			prompts = lappend(prompts, prompt);
	}
	return prompts;
}

static void
batch_explain(CustomScanState *node, List *ancestors, ExplainState *es)
{
	BatchState *state = (BatchState *) node;
	CustomScan *plan = (CustomScan *) node->ss.ps.plan;
	BatchFigures sum;
	List	   *context;
	List	   *calls = NIL;
	List	   *prompts = hidden_prompts(plan->custom_exprs);
	ListCell   *lc;

	context = set_deparse_context_plan(es->deparse_cxt, (Plan *) plan,
									   ancestors);
	foreach(lc, plan->custom_exprs)
		calls = lappend(calls, call_text(lfirst(lc), context, es->verbose ||
										 list_length(es->rtable) > 1));
	ExplainPropertyList("Calls", calls, es);
	if (prompts != NIL)
		ExplainPropertyList("Prompts", prompts, es);
	if (!es->analyze)
		return;

	batch_queue_figures(state->queue, &sum);
	figures_add(&sum, &state->workers);
	ExplainPropertyUInteger("Tokens", NULL, sum.tokens, es);
	ExplainPropertyUInteger("Passes", NULL, sum.passes, es);
	ExplainPropertyFloat("Tokens per Pass", NULL,
						 sum.passes == 0 ? 0 :
						 (double) sum.tokens / (double) sum.passes, 1, es);
	ExplainPropertyUInteger("Cache Hits", NULL, sum.cached, es);
	ExplainPropertyUInteger("Equal Calls", NULL, sum.equal, es);
	if (es->timing)
		ExplainPropertyFloat("Batch Time", "ms",
							 (double) sum.microseconds / 1000.0, 3, es);
}

/*
 * Registration
 */

static const CustomExecMethods exec_methods = {
	.CustomName = "MobilebertBatch",
	.BeginCustomScan = batch_begin,
	.ExecCustomScan = batch_exec,
	.EndCustomScan = batch_end,
	.ReScanCustomScan = batch_rescan,
	.EstimateDSMCustomScan = batch_estimate,
	.InitializeDSMCustomScan = batch_initialize,
	.ReInitializeDSMCustomScan = batch_reinitialize,
	.InitializeWorkerCustomScan = batch_attach,
	.ShutdownCustomScan = batch_shutdown,
	.ExplainCustomScan = batch_explain
};

static Node *
batch_create(CustomScan *plan)
{
	BatchState *state = (BatchState *) newNode(sizeof(BatchState),
											   T_CustomScanState);

	(void) plan;
	state->css.methods = &exec_methods;
	return (Node *) state;
}

const CustomScanMethods mobilebert_batch_methods = {
	.CustomName = "MobilebertBatch",
	.CreateCustomScanState = batch_create
};

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
	bool		outer = all_rows_asked;

	all_rows_asked = count == 0;
	PG_TRY();
	{
		if (previous_executor_run != NULL)
			previous_executor_run(RUN_VALUES);
		else
			standard_ExecutorRun(RUN_VALUES);
	}
	PG_FINALLY();
	{
		all_rows_asked = outer;
	}
	PG_END_TRY();
}

void
mobilebert_batch_scan_init(void)
{
	RegisterCustomScanMethods(&mobilebert_batch_methods);
	previous_executor_run = ExecutorRun_hook;
	ExecutorRun_hook = batch_executor_run;
}
