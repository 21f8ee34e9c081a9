/*-------------------------------------------------------------------------
 *
 * enrich.c
 *	  CALL mobilebert.enrich(): fills a column of a table, a batch a
 *	  transaction.
 *
 * The sweep.  Tables are read in ranges of blocks, in order, for rows whose
 * target is NULL; a range grows while it holds few of them.  What was found is
 * only a proposal: each batch locks those of its rows that still want to be
 * enriched and that nobody else holds (SKIP LOCKED), updates them and commits.
 * So any number of sessions may sweep over the same table: who comes first
 * takes a batch, the others skip it.  Nothing is remembered outside of the table
 * itself, so that a call that ended early, by whatever, is resumed by calling
 * again.
 *
 * Further sweeps.  Concurrent updates move rows to where the sweep has been, and
 * rows held by others are skipped, so when a sweep has found something there is
 * another one, up to MAX_SWEEPS.  A later sweep must not try again what stayed
 * NULL because it failed or because the expression gave NULL: those rows are
 * kept in "tried" (up to MAX_TRIED_ROWS of them; with more, there is one sweep
 * only).
 *
 * Failures.  A batch runs in a subtransaction.  When it fails it is halved
 * until single rows fail; those are noted and skipped.  Errors that are not the
 * fault of a row end the call, and so does an error of the kind that hits all
 * rows alike (no such function, model or right) when it has hit every row of a
 * batch.  Serialization failures, deadlocks and lock timeouts are tried again.
 *
 * Transactions are READ COMMITTED, so that each batch sees what others did.
 * Deferred constraints are checked at once, for the sake of finding the row
 * that violates them.
 *
 * Start with mobilebert_enrich() at the end of the file, and go up.
 *
 * Depends on server/pg.h, server/options.h, enrich/enrich_progress.h,
 * enrich/enrich_statement.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/options.h"
#include "enrich/enrich_progress.h"
#include "enrich/enrich_statement.h"

#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/wait_event.h"

PG_FUNCTION_INFO_V1(mobilebert_enrich);

#define MAX_SWEEPS 3
#define MAX_TRIED_ROWS 1000000	/* some 40 MB */
#define TRIED_ROOM 256			/* to begin with; it grows */

/*
 * A range of blocks: its first width, how many rows to take from one, and how
 * few of them let it grow.
 */
#define RANGE_BLOCKS 64
#define RANGE_ROWS 100000
#define RANGE_FEW_ROWS (RANGE_ROWS / 4)

#define DEFAULT_BATCH_ROWS 1000 /* for NULL; as in the SQL script */
#define MAX_BATCH_ROWS 100000	/* what fits in one statement's text */
#define MAX_TRIES 5				/* of a batch */
#define NOTICE_MILLISECONDS 10000

/* The arguments of enrich(). */
enum
{
	ARGUMENT_RELATION,
	ARGUMENT_TARGET,
	ARGUMENT_EXPRESSION,
	ARGUMENT_FILTER,
	ARGUMENT_BATCH_ROWS,
	ARGUMENT_ERROR_COLUMN,
	ARGUMENT_MAX_ROWS,
	ARGUMENT_ROWS_PER_SECOND
};

/* A row that was tried and is still NULL; no padding: hashed as bytes. */
typedef struct TriedRow
{
	Oid			relid;
	ItemPointerData tid;
	uint16		zero;
} TriedRow;

typedef struct Enrich
{
	EnrichJob	job;
	int			batch_rows;
	int64		max_rows;		/* to be tried in this call */
	double		rows_per_second;	/* 0: as fast as it goes */

	EnrichProgress progress;
	TimestampTz noticed_at;		/* last NOTICE */
	HTAB	   *tried;			/* of TriedRow; NULL: there were too many */

	MemoryContext range_context;	/* the sweep's, reset for each range */
	MemoryContext batch_context;	/* reset for each batch */

	/* of the current batch */
	int64		nulls;			/* rows that stayed NULL, in one attempt */
	ErrorData  *general;		/* an error that may hit all rows alike */
	int64		generals;		/* rows that failed in such a way */
} Enrich;

/* What came of trying some rows in a subtransaction. */
typedef enum Outcome
{
	OUTCOME_DONE,
	OUTCOME_FAILED,
	OUTCOME_RETRY
} Outcome;

/*
 * Arguments
 */

static void
require_argument(FunctionCallInfo fcinfo, int n, const char *name)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name)));
}

static void
check_relation(Oid relation)
{
	char		kind = get_rel_relkind(relation);

	if (kind == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relation)));
	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE &&
		kind != RELKIND_FOREIGN_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table", get_rel_name(relation))));
}

static void
read_job(EnrichJob *job, FunctionCallInfo fcinfo)
{
	const char *target;

	require_argument(fcinfo, ARGUMENT_RELATION, "relation");
	require_argument(fcinfo, ARGUMENT_TARGET, "target");
	require_argument(fcinfo, ARGUMENT_EXPRESSION, "expression");
	job->relation = PG_GETARG_OID(ARGUMENT_RELATION);
	check_relation(job->relation);
	target = NameStr(*PG_GETARG_NAME(ARGUMENT_TARGET));
	job->attnum = enrich_column(job->relation, target);
	job->target = pstrdup(quote_identifier(target));
	job->expression = text_to_cstring(PG_GETARG_TEXT_PP(ARGUMENT_EXPRESSION));
	enrich_check_expression("expression", job->expression);
	if (!PG_ARGISNULL(ARGUMENT_FILTER))
	{
		job->filter = text_to_cstring(PG_GETARG_TEXT_PP(ARGUMENT_FILTER));
		enrich_check_expression("filter", job->filter);
	}
	if (!PG_ARGISNULL(ARGUMENT_ERROR_COLUMN))
	{
		const char *column = NameStr(*PG_GETARG_NAME(ARGUMENT_ERROR_COLUMN));

		if (enrich_column(job->relation, column) == job->attnum)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("target and error_column must be two columns")));
		job->error_column = pstrdup(quote_identifier(column));
	}
	job->key = enrich_key_columns(job->relation);
	job->several_tables =
		get_rel_relkind(job->relation) == RELKIND_PARTITIONED_TABLE ||
		has_subclass(job->relation);
}

static void
read_limits(Enrich *e, FunctionCallInfo fcinfo)
{
	e->batch_rows = ARG_INT(ARGUMENT_BATCH_ROWS, DEFAULT_BATCH_ROWS);
	if (e->batch_rows < 1 || e->batch_rows > MAX_BATCH_ROWS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for argument \"batch_rows\": %d",
						e->batch_rows),
				 errdetail("Legal values are integers from 1 to %d.",
						   MAX_BATCH_ROWS)));
	e->max_rows = PG_ARGISNULL(ARGUMENT_MAX_ROWS) ? PG_INT64_MAX :
		PG_GETARG_INT64(ARGUMENT_MAX_ROWS);
	if (e->max_rows < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for argument \"max_rows\": " INT64_FORMAT,
						e->max_rows),
				 errdetail("Legal values are integers from 0.")));
	e->rows_per_second = PG_ARGISNULL(ARGUMENT_ROWS_PER_SECOND) ? 0 :
		PG_GETARG_FLOAT8(ARGUMENT_ROWS_PER_SECOND);
	if (!PG_ARGISNULL(ARGUMENT_ROWS_PER_SECOND) &&
		!(e->rows_per_second > 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for argument \"rows_per_second\": %g",
						e->rows_per_second),
				 errdetail("Legal values are numbers greater than 0.")));
	/* a slow pace is kept in small steps */
	if (e->rows_per_second > 0 && e->rows_per_second < e->batch_rows)
		e->batch_rows = Max((int) e->rows_per_second, 1);
}

/*
 * Rows that were tried
 */

static TriedRow
tried_key(Oid relid, ItemPointer tid)
{
	TriedRow	key;

	memset(&key, 0, sizeof(key));
	key.relid = relid;
	key.tid = *tid;
	return key;
}

static void
tried_make(Enrich *e)
{
	HASHCTL		control = {0};

	control.keysize = sizeof(TriedRow);
	control.entrysize = sizeof(TriedRow);
	control.hcxt = CurrentMemoryContext;
	e->tried = hash_create("mobilebert tried rows", TRIED_ROOM, &control,
						   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static void
tried_add(Enrich *e, Oid relid, ItemPointer tid)
{
	TriedRow	key = tried_key(relid, tid);

	if (e->tried == NULL)
		return;
	(void) hash_search(e->tried, &key, HASH_ENTER, NULL);
	if (hash_get_num_entries(e->tried) > MAX_TRIED_ROWS)
	{
		hash_destroy(e->tried);
		e->tried = NULL;
	}
}

/* The expression gave NULL for a row. */
static void
row_is_null(void *context, Oid relid, ItemPointer tid)
{
	Enrich	   *e = context;

	e->nulls++;
	tried_add(e, relid, tid);
}

/*
 * Triggers kept so many of these rows from being updated; which ones is not
 * known, but those that were have another place now.
 */
static void
rows_refused(Enrich *e, const EnrichLeaf *leaf, const EnrichRows *rows,
			 int64 refused)
{
	int			i;

	e->nulls += refused;
	for (i = 0; i < rows->count; i++)
		tried_add(e, leaf->relid, &rows->tids[i]);
}

/* Drop rows from the list that this call has tried. */
static void
tried_remove(const Enrich *e, const EnrichLeaf *leaf, EnrichRows *rows)
{
	int			kept = 0;
	int			i;

	if (e->tried == NULL || hash_get_num_entries(e->tried) == 0)
		return;
	for (i = 0; i < rows->count; i++)
	{
		TriedRow	key = tried_key(leaf->relid, &rows->tids[i]);

		if (hash_search(e->tried, &key, HASH_FIND, NULL) == NULL)
			rows->tids[kept++] = rows->tids[i];
	}
	rows->count = kept;
}

/*
 * Transactions
 */

static void
begin_transaction(void)
{
	(void) set_config_option("transaction_isolation", "read committed",
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL,
							 true, 0, false);
}

static void
commit(void)
{
	SPI_commit();
	begin_transaction();
}

/*
 * Batches
 */

/* Is this an error that has nothing to do with the row? */
static bool
ends_call(const ErrorData *error)
{
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_CONNECTION_EXCEPTION:
		case ERRCODE_INVALID_TRANSACTION_STATE:
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_OPERATOR_INTERVENTION:
		case ERRCODE_SYSTEM_ERROR:
		case ERRCODE_CONFIG_FILE_ERROR:
			return true;
		default:
			return false;
	}
}

/* Does it usually hit all rows: something is missing, or forbidden? */
static bool
is_general(const ErrorData *error)
{
	int			category = ERRCODE_TO_CATEGORY(error->sqlerrcode);

	return category == ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION ||
		category == ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
}

/* Lock and update rows [from, to); on failure nothing of it remains. */
static Outcome
try_rows(Enrich *e, const EnrichLeaf *leaf, const EnrichRows *rows,
		 int from, int to, ErrorData **error)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile Outcome outcome = OUTCOME_DONE;
	EnrichRows	locked = {context, NULL, 0, 0};

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		int64		done = 0;

		e->nulls = 0;
		enrich_lock(&e->job, leaf, rows, from, to, &locked);
		if (locked.count > 0)
			done = enrich_update(&e->job, leaf, &locked, row_is_null, e);
		if (done < locked.count)
			rows_refused(e, leaf, &locked, locked.count - done);
		ReleaseCurrentSubTransaction();
		e->progress.done += locked.count - e->nulls;
		e->progress.nulls += e->nulls;
		e->progress.left += (to - from) - locked.count;
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		*error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		outcome = OUTCOME_FAILED;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;

	if (outcome == OUTCOME_DONE)
		return OUTCOME_DONE;
	if (ERRCODE_TO_CATEGORY((*error)->sqlerrcode) ==
		ERRCODE_TRANSACTION_ROLLBACK ||
		(*error)->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
		return OUTCOME_RETRY;
	if (ends_call(*error))
		ReThrowError(*error);
	return OUTCOME_FAILED;
}

/* A row failed. */
static void
note_row(Enrich *e, const EnrichLeaf *leaf, ItemPointer tid, ErrorData *error)
{
	if (is_general(error))
	{
		e->general = error;
		e->generals++;
	}
	if (e->job.error_column != NULL)
		enrich_note(&e->job, leaf, tid, error->message);
	else
	{
		tried_add(e, leaf->relid, tid);
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("could not enrich row %s of table \"%s\": %s",
						enrich_row_name(&e->job, leaf, tid),
						get_rel_name(leaf->relid), error->message),
				 error->detail != NULL ? errdetail("%s", error->detail) : 0));
	}
	e->progress.failed++;
}

/* Rows [from, to): all at once, else by halves. */
static Outcome
enrich_rows(Enrich *e, const EnrichLeaf *leaf, const EnrichRows *rows,
			int from, int to)
{
	ErrorData  *error = NULL;
	int			middle = from + (to - from) / 2;
	Outcome		outcome = try_rows(e, leaf, rows, from, to, &error);

	if (outcome != OUTCOME_FAILED)
		return outcome;
	if (to - from == 1)
	{
		note_row(e, leaf, &rows->tids[from], error);
		return OUTCOME_DONE;
	}
	FreeErrorData(error);
	outcome = enrich_rows(e, leaf, rows, from, middle);
	if (outcome == OUTCOME_DONE)
		outcome = enrich_rows(e, leaf, rows, middle, to);
	return outcome;
}

/* Wait until this call may go on at its pace; no lock is held meanwhile. */
static void
throttle(const Enrich *e)
{
	TimestampTz due;

	if (e->rows_per_second <= 0)
		return;
	due = e->progress.started_at +
		(TimestampTz) ((double) enrich_progress_tried(&e->progress) /
					   e->rows_per_second * USECS_PER_SEC);
	for (;;)
	{
		long		wait = TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
														   due);

		if (wait <= 0)
			break;
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 wait, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

static void
report(Enrich *e)
{
	TimestampTz now = GetCurrentTimestamp();

	enrich_progress_show(&e->progress);
	if (TimestampDifferenceExceeds(e->noticed_at, now, NOTICE_MILLISECONDS))
	{
		e->noticed_at = now;
		enrich_progress_notice(&e->progress);
	}
}

/* One transaction: rows [from, to) of what was found. */
static void
enrich_batch(Enrich *e, const EnrichLeaf *leaf, const EnrichRows *rows,
			 int from, int to)
{
	MemoryContext old = MemoryContextSwitchTo(e->batch_context);
	EnrichProgress before = e->progress;
	int			tries = 0;

	for (;;)
	{
		e->general = NULL;
		e->generals = 0;
		if (SPI_execute("SET CONSTRAINTS ALL IMMEDIATE", false, 0) < 0)
			elog(ERROR, "SPI_execute failed");
		MemoryContextSwitchTo(e->batch_context);
		if (enrich_rows(e, leaf, rows, from, to) == OUTCOME_DONE)
			break;
		if (++tries == MAX_TRIES)
			ereport(ERROR,
					(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					 errmsg("could not enrich a batch of \"%s\" because of concurrent changes",
							get_rel_name(e->job.relation)),
					 errhint("Call mobilebert.enrich() again; it goes on where it stopped.")));
		e->progress = before;
		SPI_rollback();
		begin_transaction();
	}
	if (e->generals > 1 && e->generals == to - from)
		ReThrowError(e->general);
	e->progress.batches++;
	commit();
	report(e);
	MemoryContextSwitchTo(old);
	MemoryContextReset(e->batch_context);
	throttle(e);
}

/*
 * The sweep
 */

static int64
rows_to_go(const Enrich *e)
{
	return e->max_rows - enrich_progress_tried(&e->progress);
}

/* Enrich what was found in a range. */
static void
enrich_found(Enrich *e, const EnrichLeaf *leaf, const EnrichRows *rows)
{
	int			from;
	int			to;

	for (from = 0; from < rows->count && rows_to_go(e) > 0; from = to)
	{
		to = from + (int) Min(Min(e->batch_rows, rows->count - from),
							  rows_to_go(e));
		enrich_batch(e, leaf, rows, from, to);
	}
}

static void
enrich_leaf(Enrich *e, const EnrichLeaf *leaf)
{
	MemoryContext old = MemoryContextSwitchTo(e->range_context);
	BlockNumber blocks = enrich_blocks(&e->job, leaf);
	BlockNumber width = RANGE_BLOCKS;
	BlockNumber start = 0;

	while (start < blocks && rows_to_go(e) > 0)
	{
		BlockNumber end = blocks - start > width ? start + width : blocks;
		EnrichRows	rows = {e->range_context, NULL, 0, 0};
		bool		all;

		CHECK_FOR_INTERRUPTS();
		all = enrich_find(&e->job, leaf, start, end, RANGE_ROWS, &rows);
		if (!all && width > 1)
			width /= 2;			/* the same again, but less */
		else
		{
			if (rows.count < RANGE_FEW_ROWS && width <= blocks / 2)
				width *= 2;
			tried_remove(e, leaf, &rows);
			enrich_found(e, leaf, &rows);
			start = end;
		}
		MemoryContextReset(e->range_context);
	}
	MemoryContextSwitchTo(old);
}

/* Returns whether another sweep may find something. */
static bool
enrich_sweep(Enrich *e)
{
	EnrichProgress before = e->progress;
	EnrichLeaf *leaves;
	int			count;
	int			i;

	e->progress.sweep++;
	e->progress.left = 0;
	leaves = enrich_leaves(&e->job, &count);
	for (i = 0; i < count && rows_to_go(e) > 0; i++)
		enrich_leaf(e, &leaves[i]);
	pfree(leaves);
	return rows_to_go(e) > 0 && e->tried != NULL &&
		(enrich_progress_tried(&e->progress) > enrich_progress_tried(&before) ||
		 e->progress.left > 0);
}

static void
check_nonatomic(FunctionCallInfo fcinfo)
{
	if (fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
				 errmsg("mobilebert.enrich() cannot run inside a transaction block or a function"),
				 errdetail("It commits after each batch.")));
}

/*
 * enrich(relation regclass, target name, expression text, filter text,
 * batch_rows int, error_column name, max_rows bigint, rows_per_second double,
 * INOUT rows_done bigint, rows_null bigint, rows_failed bigint,
 * rows_left bigint, seconds double, rate double)
 *
 * The last six are only given back; INOUT lets a call leave them out.
 */
Datum
mobilebert_enrich(PG_FUNCTION_ARGS)
{
	Enrich	   *e;
	EnrichProgress progress;
	TupleDesc	type;

	check_nonatomic(fcinfo);
	PreventCommandIfReadOnly("mobilebert.enrich()");
	if (SPI_connect_ext(SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect_ext failed");
	e = palloc0(sizeof(Enrich));
	read_job(&e->job, fcinfo);
	read_limits(e, fcinfo);
	enrich_check_statements(&e->job);
	e->range_context = AllocSetContextCreate(CurrentMemoryContext,
											 "mobilebert enrich range",
											 ALLOCSET_DEFAULT_SIZES);
	e->batch_context = AllocSetContextCreate(CurrentMemoryContext,
											 "mobilebert enrich batch",
											 ALLOCSET_DEFAULT_SIZES);
	tried_make(e);

	commit();
	e->progress.total = Min(enrich_count(&e->job), e->max_rows);
	e->progress.relation = e->job.relation;
	e->progress.attnum = e->job.attnum;
	e->progress.started_at = GetCurrentTimestamp();
	e->noticed_at = e->progress.started_at;
	report(e);
	while (e->progress.sweep < MAX_SWEEPS && enrich_sweep(e))
		CHECK_FOR_INTERRUPTS();
	enrich_progress_summary(&e->progress);
	enrich_progress_end();
	progress = e->progress;
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
	if (get_call_result_type(fcinfo, NULL, &type) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "enrich() must give back a row");
	PG_RETURN_DATUM(HeapTupleGetDatum(enrich_progress_row(&progress,
														  BlessTupleDesc(type))));
}
