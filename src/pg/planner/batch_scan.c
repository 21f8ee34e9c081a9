/*-------------------------------------------------------------------------
 *
 * batch_scan.c
 *	  The plan node that makes calls of many rows in common passes.
 *
 * Rows wait in a queue, first in, first out, each with its calls: begun, and
 * added to a run (calls.c).  A row can be given out when its calls are done.
 * While the first in the queue is not, another row is read, which fills the
 * pass; when the pass is full it runs, so its rows are done, and the row that
 * did not fit starts the next one.  So all passes are full, but for the last.
 *
 * A query may stop early.  The queue may hold one row at first; when it is full
 * before the pass is, that runs as it is and the queue may hold twice as many.
 * So never more rows are computed in vain than were given out.  Where the plan
 * says that all rows will be asked for, the queue is large from the start.  It
 * is also full when its memory passes work_mem: the bound is work_mem and the
 * largest row, beside the pass itself (mobilebert.memory_limit).
 *
 * Reading ahead must not show.  Calls have no side effects but these three:
 *
 * Errors.  A call of a row that is not the next one begins in a subtransaction;
 * an error there is kept until it is the row's turn, and nothing is read beyond
 * that row.  (As in PL/pgSQL's exception blocks.)  Below Gather there are no
 * subtransactions; there errors are raised when they are met, as they are
 * without batching by workers that run ahead of what was asked for.  Errors
 * that are no row's own, such as a cancel, are raised at once everywhere.
 *
 * Notes of texts that were cut are collected with the call, and noted when the
 * row is given out.
 *
 * Time.  A cancel is heard in the pass and between rows.
 *
 * Equal calls in the queue are one call with several rows.
 *
 * The node is parallel-aware below Gather only for its figures: each worker
 * keeps the sums of its own in shared memory after each pass.
 *
 * Depends on server/pg.h, server/guc.h, pass/calls.h, pass/truncation.h,
 * planner/batch.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/guc.h"
#include "pass/calls.h"
#include "pass/truncation.h"
#include "planner/batch.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_proc.h"
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif
#include "commands/explain.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "portability/instr_time.h"
#include "storage/shm_toc.h"
#include "utils/acl.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/ruleutils.h"

/* Rows in the queue at most; a pass of short texts takes far fewer. */
#define BATCH_ROWS 1024

/* A call, for the rows of the queue that have it. */
typedef struct BatchCall
{
	MemoryContext context;		/* holds it, and all that belongs to it */
	int			number;			/* which call of the node */
	uint32		hash;			/* of its arguments */
	int			rows;			/* that have it */
	FunctionCallInfo fcinfo;
	MobilebertCall *call;		/* NULL: the result is NULL */
	MobilebertCuts cuts;
	bool		in_table;		/* of the calls in the queue */
	bool		added;			/* to the run */
	bool		known;			/* the result is made */
	bool		null;
	Datum		value;
} BatchCall;

/* Calls in the queue that are not known at once, by number and arguments. */
typedef struct BatchEntry
{
	BatchCall  *call;			/* the key */
	uint32		hash;
	char		status;
} BatchEntry;

static bool same_call(const BatchCall *a, const BatchCall *b);

#define SH_PREFIX batchcalls
#define SH_ELEMENT_TYPE BatchEntry
#define SH_KEY_TYPE BatchCall *
#define SH_KEY call
#define SH_HASH_KEY(table, key) ((key)->hash)
#define SH_EQUAL(table, a, b) same_call(a, b)
#define SH_STORE_HASH
#define SH_GET_HASH(table, entry) ((entry)->hash)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* A row of the queue. */
typedef struct BatchRow
{
	dlist_node	node;
	MinimalTuple tuple;			/* columns of the left tree; NULL: still in its
								 * slot, because the row did not have to wait */
	ItemPointerData tid;		/* of the table's row, for WHERE CURRENT OF */
	ErrorData  *failure;		/* raised when it is this row's turn */
	BatchCall  *calls[FLEXIBLE_ARRAY_MEMBER];
} BatchRow;

/* One of the node's calls. */
typedef struct BatchFunction
{
	FmgrInfo	flinfo;
	MobilebertBegin begin;
	Oid			collation;
	int			count;			/* arguments */
	ExprState **arguments;
	int16	   *lengths;		/* typlen and typbyval of each */
	bool	   *by_value;
	BatchCall	probe;			/* with the arguments just read */
	MobilebertRun run;
} BatchFunction;

/* What EXPLAIN ANALYZE shows. */
typedef struct BatchFigures
{
	uint64		tokens;
	uint64		passes;
	uint64		cached;			/* calls whose result was known at once */
	uint64		equal;			/* calls equal to one in the queue */
	uint64		microseconds;
} BatchFigures;

/* Figures of all workers, each by its own number, in shared memory. */
typedef struct BatchShared
{
	int			workers;
	BatchFigures figures[FLEXIBLE_ARRAY_MEMBER];
} BatchShared;

typedef struct BatchState
{
	CustomScanState css;		/* must be first */
	int			count;			/* calls */
	BatchFunction *functions;
	int		   *sources;		/* of the columns of the scan slot */
	ExprContext *econtext;		/* arguments are read in it */
	TupleTableSlot *below;		/* the columns of the row last read */
	TupleTableSlot *waiting;	/* those of a row that had to wait */
	ScanState  *leaf;			/* whose table CURRENT OF may mean */

	MemoryContext context;		/* rows, and below it calls */
	MemoryContext spare;		/* of a call that is no more, or NULL */
	MemoryContext scratch;		/* while passes are filled and run */
	dlist_head	rows;
	int			rows_count;
	int			rows_limit;		/* of rows_count for now */
	batchcalls_hash *calls;
	BatchRow   *given;			/* in the scan slot; NULL: none */
	int			wanted;			/* BATCH_WANTED_... */
	bool		ended;			/* there is nothing more to read */

	BatchFigures figures;		/* of this process */
	BatchFigures workers;		/* of all others, when they are through */
	BatchFigures before;		/* in shared memory when this worker began */
	BatchFigures *own;			/* in shared memory: this worker's */
	BatchShared *shared;		/* the leader's view */
} BatchState;

static Node *batch_create(CustomScan *plan);
static void batch_begin(CustomScanState *node, EState *estate, int eflags);
static TupleTableSlot *batch_exec(CustomScanState *node);
static void batch_end(CustomScanState *node);
static void batch_rescan(CustomScanState *node);
static Size batch_estimate(CustomScanState *node, ParallelContext *pcxt);
static void batch_initialize(CustomScanState *node, ParallelContext *pcxt,
							 void *coordinate);
static void batch_reinitialize(CustomScanState *node, ParallelContext *pcxt,
							   void *coordinate);
static void batch_attach(CustomScanState *node, shm_toc *toc,
						 void *coordinate);
static void batch_shutdown(CustomScanState *node);
static void batch_explain(CustomScanState *node, List *ancestors,
						  ExplainState *es);

const CustomScanMethods mobilebert_batch_methods = {
	.CustomName = "MobilebertBatch",
	.CreateCustomScanState = batch_create
};

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

void
mobilebert_batch_scan_init(void)
{
	RegisterCustomScanMethods(&mobilebert_batch_methods);
}

/*
 * Start and end
 */

static Node *
batch_create(CustomScan *plan)
{
	BatchState *state = (BatchState *) newNode(sizeof(BatchState),
											   T_CustomScanState);

	(void) plan;
	state->css.methods = &exec_methods;
	return (Node *) state;
}

/* As the executor does for a function call it finds in an expression. */
static void
check_execute(Oid function)
{
	AclResult	result;

#if PG_VERSION_NUM >= 160000
	result = object_aclcheck(ProcedureRelationId, function, GetUserId(),
							 ACL_EXECUTE);
#else
	result = pg_proc_aclcheck(function, GetUserId(), ACL_EXECUTE);
#endif
	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_FUNCTION, get_func_name(function));
	InvokeFunctionExecuteHook(function);
}

static void
function_init(BatchFunction *function, int number, FuncExpr *call,
			  PlanState *parent)
{
	int			count = list_length(call->args);
	ListCell   *lc;
	int			i = 0;

	check_execute(call->funcid);
	fmgr_info(call->funcid, &function->flinfo);
	fmgr_info_set_expr((Node *) call, &function->flinfo);
	function->begin = mobilebert_batched_function(call->funcid);
	if (function->begin == NULL)
		elog(ERROR, "calls of function %u cannot be gathered", call->funcid);
	function->collation = call->inputcollid;
	function->count = count;
	function->arguments = palloc(count * sizeof(ExprState *));
	function->lengths = palloc(count * sizeof(int16));
	function->by_value = palloc(count * sizeof(bool));
	foreach(lc, call->args)
	{
		function->arguments[i] = ExecInitExpr(lfirst(lc), parent);
		get_typlenbyval(exprType(lfirst(lc)), &function->lengths[i],
						&function->by_value[i]);
		i++;
	}
	function->probe.number = number;
	function->probe.fcinfo = palloc0(SizeForFunctionCallInfo(count));
	function->probe.fcinfo->flinfo = &function->flinfo;
	mobilebert_run_init(&function->run);
}

/* The table's scan below that gives one row for each row of the node. */
static ScanState *
leaf_scan(PlanState *below)
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
				if (((CustomScanState *) below)->methods != &exec_methods)
					return NULL;
				return ((BatchState *) below)->leaf == NULL ? NULL :
					(ScanState *) below;
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
	PlanState  *below;
	ListCell   *lc;
	int			i = 0;

	below = ExecInitNode(outerPlan(plan), estate, eflags);
	outerPlanState(node) = below;
	state->econtext = CreateExprContext(estate);
	state->waiting = ExecInitExtraTupleSlot(estate, ExecGetResultType(below),
											&TTSOpsMinimalTuple);
	state->wanted = list_nth_int(plan->custom_private, BATCH_PRIVATE_WANTED);
	state->sources = palloc(list_length(plan->custom_private) * sizeof(int));
	for_each_from(lc, plan->custom_private, BATCH_PRIVATE_HEAD)
		state->sources[i++] = lfirst_int(lc);

	state->count = list_length(plan->custom_exprs);
	state->functions = palloc0(state->count * sizeof(BatchFunction));
	i = 0;
	foreach(lc, plan->custom_exprs)
	{
		function_init(&state->functions[i], i, lfirst_node(FuncExpr, lc),
					  &node->ss.ps);
		i++;
	}

	state->context = AllocSetContextCreate(CurrentMemoryContext,
										   "mobilebert batch",
										   ALLOCSET_DEFAULT_SIZES);
	state->scratch = AllocSetContextCreate(CurrentMemoryContext,
										   "mobilebert batch pass",
										   ALLOCSET_DEFAULT_SIZES);
	dlist_init(&state->rows);
	state->calls = batchcalls_create(CurrentMemoryContext, 64, NULL);
	state->rows_limit = 1;
	state->leaf = leaf_scan(below);
	if (state->leaf != NULL)
		node->ss.ss_currentRelation = state->leaf->ss_currentRelation;
}

/* Forget the queue. */
static void
rows_drop(BatchState *state)
{
	int			i;

	ExecClearTuple(state->css.ss.ss_ScanTupleSlot);
	ExecClearTuple(state->waiting);
	for (i = 0; i < state->count; i++)
		mobilebert_run_drop(&state->functions[i].run);
	batchcalls_reset(state->calls);
	dlist_init(&state->rows);
	state->rows_count = 0;
	state->given = NULL;
	state->spare = NULL;
	MemoryContextReset(state->context);
}

/*
 * Who read all rows last time may do so again; who did not will be served
 * carefully.
 */
static void
batch_rescan(CustomScanState *node)
{
	BatchState *state = (BatchState *) node;

	if (!(state->ended && state->rows_count == 0))
		state->rows_limit = 1;
	rows_drop(state);
	state->ended = false;
	if (outerPlanState(node)->chgParam == NULL)
		ExecReScan(outerPlanState(node));
}

static void
batch_end(CustomScanState *node)
{
	BatchState *state = (BatchState *) node;

	rows_drop(state);
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

/* Time of calls and passes, without that of the plan below. */
static void
clock_start(const BatchState *state, instr_time *start)
{
	INSTR_TIME_SET_ZERO(*start);
	if (state->css.ss.ps.instrument != NULL &&
		state->css.ss.ps.instrument->need_timer)
		INSTR_TIME_SET_CURRENT(*start);
}

static void
clock_stop(BatchState *state, const instr_time *start)
{
	instr_time	now;

	if (INSTR_TIME_IS_ZERO(*start))
		return;
	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, *start);
	state->figures.microseconds += INSTR_TIME_GET_MICROSEC(now);
}

/* Bring them up to date, for the leader too. */
static void
figures_publish(BatchState *state)
{
	int			i;

	if (state->css.ss.ps.instrument == NULL)
		return;
	state->figures.passes = 0;
	state->figures.tokens = 0;
	for (i = 0; i < state->count; i++)
	{
		state->figures.passes += state->functions[i].run.passes;
		state->figures.tokens += state->functions[i].run.tokens;
	}
	if (state->own != NULL)
	{
		*state->own = state->before;
		figures_add(state->own, &state->figures);
	}
}

/*
 * Calls
 */

/* Bytes of an argument: those that tell it from others. */
static const void *
argument_bytes(const BatchFunction *function, int n, const NullableDatum *value,
			   Size *size)
{
	if (function->by_value[n])
	{
		*size = sizeof(Datum);
		return &value->value;
	}
	if (function->lengths[n] == -1)
	{
		*size = VARSIZE_ANY_EXHDR(DatumGetPointer(value->value));
		return VARDATA_ANY(DatumGetPointer(value->value));
	}
	*size = datumGetSize(value->value, false, function->lengths[n]);
	return DatumGetPointer(value->value);
}

/* Read the arguments of a row into the probe; they last until the next row. */
static void
arguments_read(BatchState *state, BatchFunction *function)
{
	MemoryContext old;
	int			i;

	old = MemoryContextSwitchTo(state->econtext->ecxt_per_tuple_memory);
	for (i = 0; i < function->count; i++)
	{
		NullableDatum *value = &function->probe.fcinfo->args[i];

		value->value = ExecEvalExpr(function->arguments[i], state->econtext,
									&value->isnull);
		if (!value->isnull && function->lengths[i] == -1)
			value->value =
				PointerGetDatum(PG_DETOAST_DATUM_PACKED(value->value));
	}
	MemoryContextSwitchTo(old);
}

static uint32
arguments_hash(const BatchFunction *function, const BatchCall *call)
{
	uint32		hash = (uint32) call->number;
	int			i;

	for (i = 0; i < function->count; i++)
	{
		const NullableDatum *value = &call->fcinfo->args[i];
		const void *bytes;
		Size		size;

		if (value->isnull)
		{
			hash = hash_combine(hash, 1);
			continue;
		}
		bytes = argument_bytes(function, i, value, &size);
		hash = hash_combine(hash, hash_bytes(bytes, (int) size));
	}
	return hash;
}

static BatchFunction *
function_of(const BatchCall *call)
{
	return (BatchFunction *) ((char *) call->fcinfo->flinfo -
							  offsetof(BatchFunction, flinfo));
}

static bool
same_call(const BatchCall *a, const BatchCall *b)
{
	const BatchFunction *function = function_of(a);
	int			i;

	if (a == b)
		return true;
	if (a->number != b->number)
		return false;
	for (i = 0; i < function->count; i++)
	{
		const NullableDatum *x = &a->fcinfo->args[i];
		const NullableDatum *y = &b->fcinfo->args[i];
		const void *x_bytes;
		const void *y_bytes;
		Size		x_size;
		Size		y_size;

		if (x->isnull || y->isnull)
		{
			if (x->isnull != y->isnull)
				return false;
			continue;
		}
		x_bytes = argument_bytes(function, i, x, &x_size);
		y_bytes = argument_bytes(function, i, y, &y_size);
		if (x_size != y_size || memcmp(x_bytes, y_bytes, x_size) != 0)
			return false;
	}
	return true;
}

/* Begin it, with what it cuts noted aside. */
static void
call_begin(BatchCall *call, MobilebertBegin begin)
{
	mobilebert_collect_cuts(&call->cuts);
	PG_TRY();
	{
		call->call = begin(call->fcinfo);
	}
	PG_FINALLY();
	{
		mobilebert_collect_cuts(NULL);
	}
	PG_END_TRY();
}

/* A call with the arguments just read, begun. */
static BatchCall *
call_make(BatchState *state, BatchFunction *function)
{
	MemoryContext context = state->spare;
	MemoryContext old;
	BatchCall  *call;
	int			i;

	if (context == NULL)
		context = AllocSetContextCreate(state->context, "mobilebert call",
										ALLOCSET_SMALL_SIZES);
	state->spare = NULL;
	old = MemoryContextSwitchTo(context);
	call = palloc0(sizeof(BatchCall));
	call->context = context;
	call->number = function->probe.number;
	call->fcinfo = palloc0(SizeForFunctionCallInfo(function->count));
	InitFunctionCallInfoData(*call->fcinfo, &function->flinfo, function->count,
							 function->collation, NULL, NULL);
	for (i = 0; i < function->count; i++)
	{
		NullableDatum *value = &call->fcinfo->args[i];

		*value = function->probe.fcinfo->args[i];
		if (!value->isnull)
			value->value = datumCopy(value->value, function->by_value[i],
									 function->lengths[i]);
	}
	call_begin(call, function->begin);
	MemoryContextSwitchTo(old);
	return call;
}

/* The call of a row: one that is in the queue already, or a new one. */
static BatchCall *
call_find(BatchState *state, BatchFunction *function)
{
	BatchEntry *entry = NULL;
	BatchCall  *call;

	arguments_read(state, function);
	if (state->calls->members > 0)
	{
		function->probe.hash = arguments_hash(function, &function->probe);
		entry = batchcalls_lookup(state->calls, &function->probe);
	}
	if (entry != NULL)
	{
		state->figures.equal++;
		call = entry->call;
	}
	else
	{
		call = call_make(state, function);
		if (call->call != NULL && call->call->sequences > 0)
		{
			call->hash = arguments_hash(function, call);
			(void) batchcalls_insert(state->calls, call, &call->in_table);
			call->in_table = true;
		}
	}
	call->rows++;
	return call;
}

static void
call_release(BatchState *state, BatchCall *call)
{
	if (--call->rows > 0)
		return;
	if (call->in_table)
		(void) batchcalls_delete(state->calls, call);
	if (state->spare != NULL)
		MemoryContextDelete(call->context);
	else
	{
		state->spare = call->context;
		MemoryContextReset(state->spare);
	}
}

static bool
call_done(const BatchCall *call)
{
	return call->call == NULL || call->call->done;
}

static void
call_result(BatchCall *call)
{
	MemoryContext old;

	if (call->known)
		return;
	old = MemoryContextSwitchTo(call->context);
	call->null = true;
	if (call->call != NULL)
		call->value = call->call->result(call->call, &call->null);
	call->known = true;
	MemoryContextSwitchTo(old);
}

/*
 * Rows
 */

/* Begin the calls of a row, in order, as far as there is no error. */
static void
row_begin(BatchState *state, BatchRow *row)
{
	int			i;

	for (i = 0; i < state->count; i++)
		row->calls[i] = call_find(state, &state->functions[i]);
}

/* Is it a row's own error, or one of the whole statement? */
static bool
is_row_error(const ErrorData *error)
{
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_TO_CATEGORY(ERRCODE_QUERY_CANCELED):
		case ERRCODE_TO_CATEGORY(ERRCODE_T_R_SERIALIZATION_FAILURE):
		case ERRCODE_TO_CATEGORY(ERRCODE_OUT_OF_MEMORY):
		case ERRCODE_TO_CATEGORY(ERRCODE_IO_ERROR):
		case ERRCODE_TO_CATEGORY(ERRCODE_INTERNAL_ERROR):
			return false;
		default:
			return true;
	}
}

/* The same for a row whose turn has not come. */
static void
row_begin_ahead(BatchState *state, BatchRow *row)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		row_begin(state, row);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(state->context);
		row->failure = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		if (!is_row_error(row->failure))
			ReThrowError(row->failure);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
}

/* Give the row's new calls to their runs. */
static void
row_add(BatchState *state, BatchRow *row)
{
	MemoryContext old = MemoryContextSwitchTo(state->scratch);
	int			i;

	for (i = 0; i < state->count; i++)
	{
		BatchCall  *call = row->calls[i];

		if (call->added)
			continue;
		call->added = true;
		if (call->call == NULL)
			continue;
		if (call->call->sequences == 0)
			state->figures.cached++;
		mobilebert_run_add(&state->functions[i].run, call->call);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(state->scratch);
}

static bool
row_done(const BatchState *state, const BatchRow *row)
{
	int			i;

	if (row->failure != NULL)
		return true;
	for (i = 0; i < state->count; i++)
	{
		if (!call_done(row->calls[i]))
			return false;
	}
	return true;
}

/* Read a row into the queue; false when there is none. */
static bool
row_read(BatchState *state)
{
	TupleTableSlot *slot = ExecProcNode(outerPlanState(&state->css));
	MemoryContext old;
	BatchRow   *row;
	instr_time	start;

	CHECK_FOR_INTERRUPTS();
	if (TupIsNull(slot))
	{
		state->ended = true;
		return false;
	}
	row = MemoryContextAllocZero(state->context,
								 offsetof(BatchRow, calls) +
								 state->count * sizeof(BatchCall *));
	if (state->leaf != NULL)
		row->tid = state->leaf->ss_ScanTupleSlot->tts_tid;
	ResetExprContext(state->econtext);
	state->econtext->ecxt_outertuple = slot;
	state->below = slot;
	clock_start(state, &start);
	if (state->rows_count == 0 || IsInParallelMode())
		row_begin(state, row);
	else
		row_begin_ahead(state, row);
	if (row->failure != NULL)
		state->ended = true;
	else
	{
		row_add(state, row);
		if (state->rows_count > 0 || !row_done(state, row))
		{
			old = MemoryContextSwitchTo(state->context);
			row->tuple = ExecCopySlotMinimalTuple(slot);
			MemoryContextSwitchTo(old);
		}
	}
	dlist_push_tail(&state->rows, &row->node);
	state->rows_count++;
	clock_stop(state, &start);
	return true;
}

/* The row that was given out is not needed any more. */
static void
row_release(BatchState *state)
{
	BatchRow   *row = state->given;
	int			i;

	if (row == NULL)
		return;
	state->given = NULL;
	ExecClearTuple(state->css.ss.ss_ScanTupleSlot);
	ExecClearTuple(state->waiting);
	for (i = 0; i < state->count; i++)
		call_release(state, row->calls[i]);
	if (row->tuple != NULL)
		pfree(row->tuple);
	pfree(row);
}

/* Run what the passes hold, and allow for more rows next time. */
static void
rows_flush(BatchState *state)
{
	MemoryContext old = MemoryContextSwitchTo(state->scratch);
	instr_time	start;
	int			i;

	clock_start(state, &start);
	for (i = 0; i < state->count; i++)
		mobilebert_run_flush(&state->functions[i].run);
	clock_stop(state, &start);
	MemoryContextSwitchTo(old);
	MemoryContextReset(state->scratch);
	if (mobilebert_enable_batching && state->rows_count >= state->rows_limit)
		state->rows_limit = Min(2 * state->rows_limit, BATCH_ROWS);
}

static bool
rows_full(const BatchState *state)
{
	return state->rows_count >=
		(mobilebert_enable_batching ? state->rows_limit : 1) ||
		MemoryContextMemAllocated(state->context, true) >
		(Size) work_mem * 1024;
}

/* Read until the first row in the queue is done; false: there is none. */
static bool
rows_gather(BatchState *state)
{
	if (state->wanted == BATCH_WANTED_ALL ||
		(state->wanted == BATCH_WANTED_AS_ROOT && mobilebert_batch_all_wanted))
		state->rows_limit = BATCH_ROWS;
	for (;;)
	{
		bool		empty = dlist_is_empty(&state->rows);

		if (!empty && row_done(state, dlist_head_element(BatchRow, node,
														 &state->rows)))
			return true;
		if (!empty && (state->ended || rows_full(state)))
			rows_flush(state);
		else if (state->ended || !row_read(state))
		{
			if (dlist_is_empty(&state->rows))
				return false;
		}
	}
}

/*
 * Execution
 */

/* Put a row with its results into the scan slot. */
static TupleTableSlot *
row_give(BatchState *state, BatchRow *row)
{
	TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;
	TupleTableSlot *columns = state->below;
	int			count = slot->tts_tupleDescriptor->natts;
	int			i;

	if (row->failure != NULL)
		ReThrowError(row->failure);
	for (i = 0; i < state->count; i++)
	{
		call_result(row->calls[i]);
		mobilebert_note_cuts(row->calls[i]->fcinfo, &row->calls[i]->cuts);
	}
	if (row->tuple != NULL)
		columns = ExecStoreMinimalTuple(row->tuple, state->waiting, false);
	slot_getallattrs(columns);
	for (i = 0; i < count; i++)
	{
		int			source = state->sources[i];

		if (source > 0)
		{
			slot->tts_values[i] = columns->tts_values[source - 1];
			slot->tts_isnull[i] = columns->tts_isnull[source - 1];
		}
		else
		{
			slot->tts_values[i] = row->calls[-source - 1]->value;
			slot->tts_isnull[i] = row->calls[-source - 1]->null;
		}
	}
	ExecStoreVirtualTuple(slot);
	if (state->leaf != NULL)
	{
		slot->tts_tid = row->tid;
		slot->tts_tableOid =
			RelationGetRelid(state->leaf->ss_currentRelation);
	}
	return slot;
}

static TupleTableSlot *
row_next(BatchState *state)
{
	BatchRow   *row;
	bool		found;

	row_release(state);
	found = rows_gather(state);
	figures_publish(state);
	if (!found)
		return NULL;
	row = dlist_container(BatchRow, node, dlist_pop_head_node(&state->rows));
	state->rows_count--;
	state->given = row;
	return row_give(state, row);
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
		slot = row_next((BatchState *) node);
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

static void
batch_explain(CustomScanState *node, List *ancestors, ExplainState *es)
{
	BatchState *state = (BatchState *) node;
	CustomScan *plan = (CustomScan *) node->ss.ps.plan;
	BatchFigures sum = state->figures;
	List	   *context;
	List	   *calls = NIL;
	ListCell   *lc;

	context = set_deparse_context_plan(es->deparse_cxt, (Plan *) plan,
									   ancestors);
	foreach(lc, plan->custom_exprs)
		calls = lappend(calls, call_text(lfirst(lc), context, es->verbose ||
										 list_length(es->rtable) > 1));
	ExplainPropertyList("Calls", calls, es);
	if (!es->analyze)
		return;

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
