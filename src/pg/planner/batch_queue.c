/*-------------------------------------------------------------------------
 *
 * batch_queue.c
 *	  Rows that wait for the results of their calls.
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
 * is also full when its memory exceeds work_mem: the bound is work_mem and the
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
 * Depends on server/pg.h, server/guc.h, pass/calls.h, pass/truncation.h,
 * planner/batch_functions.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/guc.h"
#include "pass/calls.h"
#include "pass/truncation.h"
#include "planner/batch_functions.h"
#include "planner/batch_queue.h"

#include "access/xact.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_proc.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "portability/instr_time.h"
#include "utils/acl.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

/* Rows in the queue at most; a pass of short texts takes far fewer. */
#define QUEUE_ROWS 1024

/* Room of the table of calls to begin with; it grows. */
#define QUEUE_CALLS 64

/* What a null argument adds to the hash of its call. */
#define HASH_OF_NULL 1

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
	NullableDatum result;
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

struct BatchQueue
{
	PlanState  *node;			/* whose rows and calls they are */
	ScanState  *table_scan;		/* gives the rows' tids; NULL: nothing does */
	int			count;			/* calls of a row */
	BatchFunction *functions;	/* [count] */
	NullableDatum *results;		/* [count]; of the row given out */
	ExprContext *econtext;		/* arguments are read in it */
	TupleTableSlot *columns;	/* of the row last read */
	TupleTableSlot *waiting;	/* those of a row that had to wait */

	MemoryContext context;		/* rows, and below it calls */
	MemoryContext spare;		/* of a call that is no more, or NULL */
	MemoryContext scratch;		/* while passes are filled and run */
	dlist_head	rows;
	int			rows_count;
	int			rows_limit;		/* of rows_count for now */
	batchcalls_hash *calls;
	BatchRow   *given;			/* given out last; NULL: none */
	bool		ended;			/* there is nothing more to read */

	uint64		cached;			/* figures; see BatchFigures */
	uint64		equal;
	uint64		microseconds;
};

/*
 * Start and end
 */

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

BatchQueue *
batch_queue_create(PlanState *node, List *calls, ScanState *table_scan)
{
	BatchQueue *queue = palloc0(sizeof(BatchQueue));
	ListCell   *lc;
	int			i = 0;

	queue->node = node;
	queue->table_scan = table_scan;
	queue->econtext = CreateExprContext(node->state);
	queue->waiting =
		ExecInitExtraTupleSlot(node->state,
							   ExecGetResultType(outerPlanState(node)),
							   &TTSOpsMinimalTuple);
	queue->count = list_length(calls);
	queue->functions = palloc0(queue->count * sizeof(BatchFunction));
	queue->results = palloc(queue->count * sizeof(NullableDatum));
	foreach(lc, calls)
	{
		function_init(&queue->functions[i], i, lfirst_node(FuncExpr, lc),
					  node);
		i++;
	}
	queue->context = AllocSetContextCreate(CurrentMemoryContext,
										   "mobilebert batch",
										   ALLOCSET_DEFAULT_SIZES);
	queue->scratch = AllocSetContextCreate(CurrentMemoryContext,
										   "mobilebert batch pass",
										   ALLOCSET_DEFAULT_SIZES);
	dlist_init(&queue->rows);
	queue->calls = batchcalls_create(CurrentMemoryContext, QUEUE_CALLS, NULL);
	queue->rows_limit = 1;
	return queue;
}

/*
 * If the previous scan consumed every row, keep the queue large; otherwise
 * start with one row again.
 */
void
batch_queue_reset(BatchQueue *queue)
{
	int			i;

	if (!(queue->ended && queue->rows_count == 0))
		queue->rows_limit = 1;
	queue->ended = false;
	ExecClearTuple(queue->waiting);
	for (i = 0; i < queue->count; i++)
		mobilebert_run_drop(&queue->functions[i].run);
	batchcalls_reset(queue->calls);
	dlist_init(&queue->rows);
	queue->rows_count = 0;
	queue->given = NULL;
	queue->spare = NULL;
	MemoryContextReset(queue->context);
}

/*
 * Figures
 */

/* Time of calls and passes, without that of the plan below. */
static void
clock_start(const BatchQueue *queue, instr_time *start)
{
	INSTR_TIME_SET_ZERO(*start);
	if (queue->node->instrument != NULL && queue->node->instrument->need_timer)
		INSTR_TIME_SET_CURRENT(*start);
}

static void
clock_stop(BatchQueue *queue, const instr_time *start)
{
	instr_time	now;

	if (INSTR_TIME_IS_ZERO(*start))
		return;
	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, *start);
	queue->microseconds += INSTR_TIME_GET_MICROSEC(now);
}

void
batch_queue_figures(const BatchQueue *queue, BatchFigures *figures)
{
	int			i;

	memset(figures, 0, sizeof(*figures));
	for (i = 0; i < queue->count; i++)
	{
		figures->passes += queue->functions[i].run.passes;
		figures->tokens += queue->functions[i].run.tokens;
	}
	figures->cached = queue->cached;
	figures->equal = queue->equal;
	figures->microseconds = queue->microseconds;
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
arguments_read(BatchQueue *queue, BatchFunction *function)
{
	MemoryContext old;
	int			i;

	old = MemoryContextSwitchTo(queue->econtext->ecxt_per_tuple_memory);
	for (i = 0; i < function->count; i++)
	{
		NullableDatum *value = &function->probe.fcinfo->args[i];

		value->value = ExecEvalExpr(function->arguments[i], queue->econtext,
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
			hash = hash_combine(hash, HASH_OF_NULL);
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
call_make(BatchQueue *queue, BatchFunction *function)
{
	MemoryContext context = queue->spare;
	MemoryContext old;
	BatchCall  *call;
	int			i;

	if (context == NULL)
		context = AllocSetContextCreate(queue->context, "mobilebert call",
										ALLOCSET_SMALL_SIZES);
	queue->spare = NULL;
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
call_find(BatchQueue *queue, BatchFunction *function)
{
	BatchEntry *entry = NULL;
	BatchCall  *call;

	arguments_read(queue, function);
	if (queue->calls->members > 0)
	{
		function->probe.hash = arguments_hash(function, &function->probe);
		entry = batchcalls_lookup(queue->calls, &function->probe);
	}
	if (entry != NULL)
	{
		queue->equal++;
		call = entry->call;
	}
	else
	{
		call = call_make(queue, function);
		if (call->call != NULL && call->call->sequences > 0)
		{
			call->hash = arguments_hash(function, call);
			(void) batchcalls_insert(queue->calls, call, &call->in_table);
			call->in_table = true;
		}
	}
	call->rows++;
	return call;
}

static void
call_release(BatchQueue *queue, BatchCall *call)
{
	if (--call->rows > 0)
		return;
	if (call->in_table)
		(void) batchcalls_delete(queue->calls, call);
	if (queue->spare != NULL)
		MemoryContextDelete(call->context);
	else
	{
		queue->spare = call->context;
		MemoryContextReset(queue->spare);
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
	call->result.isnull = true;
	if (call->call != NULL)
		call->result.value = call->call->result(call->call,
												&call->result.isnull);
	call->known = true;
	MemoryContextSwitchTo(old);
}

/*
 * Rows
 */

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

/* Begin the calls of a row, in order, as far as there is no error. */
static void
row_begin(BatchQueue *queue, BatchRow *row)
{
	int			i;

	for (i = 0; i < queue->count; i++)
		row->calls[i] = call_find(queue, &queue->functions[i]);
}

/* The same for a row whose turn has not come: its error is kept. */
static void
row_begin_ahead(BatchQueue *queue, BatchRow *row)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		row_begin(queue, row);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(queue->context);
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
row_add(BatchQueue *queue, BatchRow *row)
{
	MemoryContext old = MemoryContextSwitchTo(queue->scratch);
	int			i;

	for (i = 0; i < queue->count; i++)
	{
		BatchCall  *call = row->calls[i];

		if (call->added)
			continue;
		call->added = true;
		if (call->call == NULL)
			continue;
		if (call->call->sequences == 0)
			queue->cached++;
		mobilebert_run_add(&queue->functions[i].run, call->call);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(queue->scratch);
}

static bool
row_done(const BatchQueue *queue, const BatchRow *row)
{
	int			i;

	if (row->failure != NULL)
		return true;
	for (i = 0; i < queue->count; i++)
	{
		if (!call_done(row->calls[i]))
			return false;
	}
	return true;
}

/* Read a row into the queue; false when there is none. */
static bool
row_read(BatchQueue *queue)
{
	TupleTableSlot *slot = ExecProcNode(outerPlanState(queue->node));
	MemoryContext old;
	BatchRow   *row;
	instr_time	start;

	CHECK_FOR_INTERRUPTS();
	if (TupIsNull(slot))
	{
		queue->ended = true;
		return false;
	}
	row = MemoryContextAllocZero(queue->context,
								 offsetof(BatchRow, calls) +
								 queue->count * sizeof(BatchCall *));
	if (queue->table_scan != NULL)
		row->tid = queue->table_scan->ss_ScanTupleSlot->tts_tid;
	ResetExprContext(queue->econtext);
	queue->econtext->ecxt_outertuple = slot;
	queue->columns = slot;
	clock_start(queue, &start);
	if (queue->rows_count == 0 || IsInParallelMode())
		row_begin(queue, row);
	else
		row_begin_ahead(queue, row);
	if (row->failure != NULL)
		queue->ended = true;
	else
	{
		row_add(queue, row);
		if (queue->rows_count > 0 || !row_done(queue, row))
		{
			old = MemoryContextSwitchTo(queue->context);
			row->tuple = ExecCopySlotMinimalTuple(slot);
			MemoryContextSwitchTo(old);
		}
	}
	dlist_push_tail(&queue->rows, &row->node);
	queue->rows_count++;
	clock_stop(queue, &start);
	return true;
}

/* The row that was given out is not needed any more. */
static void
row_release(BatchQueue *queue)
{
	BatchRow   *row = queue->given;
	int			i;

	if (row == NULL)
		return;
	queue->given = NULL;
	ExecClearTuple(queue->waiting);
	for (i = 0; i < queue->count; i++)
		call_release(queue, row->calls[i]);
	if (row->tuple != NULL)
		pfree(row->tuple);
	pfree(row);
}

/* Run what the passes hold, and allow for more rows next time. */
static void
rows_flush(BatchQueue *queue)
{
	MemoryContext old = MemoryContextSwitchTo(queue->scratch);
	instr_time	start;
	int			i;

	clock_start(queue, &start);
	for (i = 0; i < queue->count; i++)
		mobilebert_run_flush(&queue->functions[i].run);
	clock_stop(queue, &start);
	MemoryContextSwitchTo(old);
	MemoryContextReset(queue->scratch);
	if (mobilebert_enable_batching && queue->rows_count >= queue->rows_limit)
		queue->rows_limit = Min(2 * queue->rows_limit, QUEUE_ROWS);
}

static bool
rows_full(const BatchQueue *queue)
{
	return queue->rows_count >=
		(mobilebert_enable_batching ? queue->rows_limit : 1) ||
		MemoryContextMemAllocated(queue->context, true) >
		(Size) work_mem * 1024;
}

/* Read until the first row in the queue is done; false: there is none. */
static bool
rows_gather(BatchQueue *queue)
{
	for (;;)
	{
		bool		empty = dlist_is_empty(&queue->rows);

		if (!empty && row_done(queue, dlist_head_element(BatchRow, node,
														 &queue->rows)))
			return true;
		if (!empty && (queue->ended || rows_full(queue)))
			rows_flush(queue);
		else if (queue->ended || !row_read(queue))
		{
			if (dlist_is_empty(&queue->rows))
				return false;
		}
	}
}

/* Make the results of the row whose turn it is. */
static void
row_give(BatchQueue *queue, BatchRow *row, BatchOutput *output)
{
	int			i;

	if (row->failure != NULL)
		ReThrowError(row->failure);
	for (i = 0; i < queue->count; i++)
	{
		BatchCall  *call = row->calls[i];

		call_result(call);
		mobilebert_note_cuts(call->fcinfo, &call->cuts);
		queue->results[i] = call->result;
	}
	output->columns = row->tuple == NULL ? queue->columns :
		ExecStoreMinimalTuple(row->tuple, queue->waiting, false);
	slot_getallattrs(output->columns);
	output->results = queue->results;
	output->tid = row->tid;
}

bool
batch_queue_next(BatchQueue *queue, bool all_wanted, BatchOutput *output)
{
	row_release(queue);
	if (all_wanted)
		queue->rows_limit = QUEUE_ROWS;
	if (!rows_gather(queue))
		return false;
	queue->given = dlist_container(BatchRow, node,
								   dlist_pop_head_node(&queue->rows));
	queue->rows_count--;
	row_give(queue, queue->given, output);
	return true;
}
