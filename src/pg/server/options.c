/*-------------------------------------------------------------------------
 *
 * options.c
 *	  Arguments and results of SQL functions, and the note about cut texts.
 *
 * The note: a statement that cuts texts says so once, when it is over, with
 * their number.  A counter hangs on the memory context that lives as long as
 * the statement's function calls (fn_mcxt); all calls of a statement find the
 * same counter there, and the context's end emits the WARNING.  Contexts that
 * outlive their statement (PL/pgSQL keeps one for the whole transaction) are
 * served before the commit; a transaction that fails says nothing.
 *
 * Rows are read ahead of what a statement asks for (batch_scan.c): what was cut
 * for one of them is noted when it is given out.
 *
 * Parallel workers share no memory with their leader that we could count in,
 * so each says for itself how many texts it cut; the server marks these
 * WARNINGs with the context "parallel worker".
 *
 * Depends on server/pg.h, pass/functions.h.
 *
 *-------------------------------------------------------------------------
 */
#include "pass/functions.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "lib/ilist.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* Lives in its context; the list holds those of all statements in progress. */
typedef struct TruncationNote
{
	dlist_node	node;
	MemoryContext context;
	MemoryContextCallback callback;
	uint64		texts;			/* cut since the last WARNING */
	size_t		longest;		/* tokens of the longest of them */
	size_t		limit;			/* of the first of them */
	bool		limits_differ;	/* another one had another limit */
} TruncationNote;

static dlist_head notes = DLIST_STATIC_INIT(notes);
static bool notes_registered = false;
static MobilebertCuts *collecting = NULL;	/* where notes go instead */

static void note_emit(TruncationNote *note);
static void note_end(void *arg);
static void notes_at_transaction(XactEvent event, void *arg);
static TruncationNote *note_of(MemoryContext context);
static ArrayType *array_make(const void *values, size_t count, Oid type);

/*
 * Options
 */

int
mobilebert_choice(const char *option, text *value,
				  const MobilebertChoice *choices, int otherwise)
{
	const MobilebertChoice *c;
	StringInfoData legal;
	char	   *given;

	if (value == NULL)
		return otherwise;

	given = text_to_cstring(value);
	for (c = choices; c->name != NULL; c++)
	{
		if (pg_strcasecmp(given, c->name) == 0)
		{
			pfree(given);
			return c->value;
		}
	}

	initStringInfo(&legal);
	for (c = choices; c->name != NULL; c++)
		appendStringInfo(&legal, "%s\"%s\"", c == choices ? "" : ", ", c->name);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for option \"%s\": \"%s\"", option, given),
			 errdetail("Legal values are %s.", legal.data)));
}

MobilebertOverflow
mobilebert_overflow(text *value, MobilebertOverflow otherwise)
{
	static const MobilebertChoice choices[] = {
		{"error", OVERFLOW_ERROR},
		{"truncate", OVERFLOW_TRUNCATE},
		{"window", OVERFLOW_WINDOW},
		{NULL, 0}
	};

	return (MobilebertOverflow) mobilebert_choice("overflow", value, choices,
												  otherwise);
}

bool
mobilebert_size_option(FunctionCallInfo fcinfo, int n, const char *option,
					   int low, size_t *value)
{
	int32		given;

	if (!ARG_IS_GIVEN(n))
		return false;
	given = PG_GETARG_INT32(n);
	if (given < low)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\": %d", option, given),
				 errdetail("Legal values are integers from %d.", low)));
	*value = (size_t) given;
	return true;
}

size_t
mobilebert_layer(FunctionCallInfo fcinfo, int n, size_t count,
				 size_t otherwise)
{
	int64		layer;

	if (!ARG_IS_GIVEN(n))
		return otherwise;
	layer = PG_GETARG_INT32(n);
	if (layer < 0)
		layer += (int64) count;
	if (layer < 0 || layer >= (int64) count)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"layer\": %d",
						PG_GETARG_INT32(n)),
				 count == 0 ? errdetail("The model has no layers.") :
				 errdetail("Legal values are 0 to %d, or -1 to -%d counted from the end.",
						   (int) count - 1, (int) count)));
	return (size_t) layer;
}

const MobilebertModel *
mobilebert_model_argument(FunctionCallInfo fcinfo, int n, mb_task task)
{
	if (PG_NARGS() <= n)
		return mobilebert_model(NULL, task);
	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"model\" must not be null"),
				 errhint("Name a model, or leave out the arguments after the input to use the default model.")));
	return mobilebert_model(PG_GETARG_TEXT_PP(n), task);
}

/*
 * Arrays
 */

size_t
mobilebert_array_length(ArrayType *array, const char *what)
{
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("array \"%s\" must have one dimension", what)));
	return ARR_NDIM(array) == 0 ? 0 : (size_t) ARR_DIMS(array)[0];
}

void
mobilebert_array_null(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("array \"%s\" must not contain nulls", what)));
}

const int32 *
mobilebert_int_values(ArrayType *array, const char *what, size_t *count)
{
	*count = mobilebert_array_length(array, what);
	if (ARR_HASNULL(array) && array_contains_nulls(array))
		mobilebert_array_null(what);
	return (const int32 *) ARR_DATA_PTR(array);
}

/* An array of 4-byte values without nulls. */
static ArrayType *
array_make(const void *values, size_t count, Oid type)
{
	ArrayType  *array;
	size_t		size;

	if (count == 0)
		return construct_empty_array(type);
	if (count > (MaxAllocSize - ARR_OVERHEAD_NONULLS(1)) / 4)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("array of %zu elements is too large", count)));

	size = ARR_OVERHEAD_NONULLS(1) + count * 4;
	array = palloc(size);
	SET_VARSIZE(array, size);
	array->ndim = 1;
	array->dataoffset = 0;
	array->elemtype = type;
	ARR_DIMS(array)[0] = (int) count;
	ARR_LBOUND(array)[0] = 1;
	memcpy(ARR_DATA_PTR(array), values, count * 4);
	return array;
}

ArrayType *
mobilebert_real_array(const float *values, size_t count)
{
	return array_make(values, count, FLOAT4OID);
}

ArrayType *
mobilebert_int_array(const int32 *values, size_t count)
{
	return array_make(values, count, INT4OID);
}

Datum
mobilebert_text_datum(const char *utf8, size_t length)
{
	int			encoding = GetDatabaseEncoding();
	Oid			conversion;
	char	   *converted;
	int			room;
	Datum		result = (Datum) 0;

	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII ||
		length >= MaxAllocSize / MAX_CONVERSION_GROWTH)
		return PointerGetDatum(mobilebert_text_make(utf8, length));

	conversion = FindDefaultConversionProc(PG_UTF8, encoding);
	if (!OidIsValid(conversion))
		return (Datum) 0;
	room = (int) length * MAX_CONVERSION_GROWTH + 1;
	converted = palloc0(room);
	if (pg_do_encoding_conversion_buf(conversion, PG_UTF8, encoding,
									  (unsigned char *) utf8, (int) length,
									  (unsigned char *) converted, room,
									  true) == (int) length)
		result = PointerGetDatum(cstring_to_text(converted));
	pfree(converted);
	return result;
}

Datum
mobilebert_token_datum(const mb_tokenizer *tokenizer, int32 id)
{
	size_t		length;
	const char *token = mb_token_text(tokenizer, id, &length);

	return token == NULL ? (Datum) 0 : mobilebert_text_datum(token, length);
}

/*
 * One code path for all server versions: the helpers for this came and were
 * renamed from 15 on.
 */
void
mobilebert_srf_begin(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *info = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext old;
	TupleDesc	desc;
	TypeFuncClass class;

	if (info == NULL || !IsA(info, ReturnSetInfo) ||
		(info->allowedModes & SFRM_Materialize) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-valued function called in context that cannot accept a set")));

	/* Of the statement's memory takes only what the executor will free. */
	class = get_call_result_type(fcinfo, NULL, &desc);
	old = MemoryContextSwitchTo(info->econtext->ecxt_per_query_memory);
	if (class == TYPEFUNC_COMPOSITE)
		desc = CreateTupleDescCopy(desc);
	else if (class == TYPEFUNC_SCALAR && info->expectedDesc != NULL)
		desc = CreateTupleDescCopy(info->expectedDesc);
	else
		elog(ERROR, "cannot tell the row type of a function's result");
	info->returnMode = SFRM_Materialize;
	info->setDesc = desc;
	info->setResult = tuplestore_begin_heap((info->allowedModes & SFRM_Materialize_Random) != 0,
											false, work_mem);
	MemoryContextSwitchTo(old);
}

/*
 * The note about cut texts
 */

static void
note_emit(TruncationNote *note)
{
	uint64		texts = note->texts;
	char		limit[64];

	note->texts = 0;
	if (texts == 0)
		return;
	if (note->limits_differ)
		snprintf(limit, sizeof(limit), "the limit of their model");
	else
		snprintf(limit, sizeof(limit),
				 note->limit == 1 ? "%zu token" : "%zu tokens", note->limit);

	/* A cancel must not jump out of a memory context's clean-up. */
	HOLD_INTERRUPTS();
	ereport(WARNING,
			(errcode(ERRCODE_WARNING),
			 errmsg_plural("%llu text was cut to %s",
						   "%llu texts were cut to %s",
						   (unsigned long) texts,
						   (unsigned long long) texts, limit),
			 errdetail("The longest has %zu tokens.", note->longest),
			 errhint("Use overflow => 'window' to read whole texts, or overflow => 'error' to refuse them.")));
	RESUME_INTERRUPTS();
}

/*
 * The context is being deleted, and an error must not leave that half done.
 * Not even a WARNING is free of errors (of memory, say): then it is lost, and
 * what the server changed for the jump is put back.
 */
static void
note_end(void *arg)
{
	TruncationNote *note = arg;
	MemoryContext context = CurrentMemoryContext;
	uint32		holdoff = InterruptHoldoffCount;

	dlist_delete(&note->node);
	if (!IsTransactionState())
		return;
	PG_TRY();
	{
		note_emit(note);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		FlushErrorState();
		InterruptHoldoffCount = holdoff;
	}
	PG_END_TRY();
}

static void
notes_at_transaction(XactEvent event, void *arg)
{
	dlist_iter	iter;

	(void) arg;
	dlist_foreach(iter, &notes)
	{
		TruncationNote *note = dlist_container(TruncationNote, node, iter.cur);

		if (event == XACT_EVENT_PRE_COMMIT ||
			event == XACT_EVENT_PARALLEL_PRE_COMMIT ||
			event == XACT_EVENT_PRE_PREPARE)
			note_emit(note);
		else if (event == XACT_EVENT_ABORT ||
				 event == XACT_EVENT_PARALLEL_ABORT)
			note->texts = 0;
	}
}

static TruncationNote *
note_of(MemoryContext context)
{
	TruncationNote *note;
	dlist_iter	iter;

	dlist_foreach(iter, &notes)
	{
		note = dlist_container(TruncationNote, node, iter.cur);
		if (note->context == context)
			return note;
	}

	if (!notes_registered)
	{
		RegisterXactCallback(notes_at_transaction, NULL);
		notes_registered = true;
	}
	note = MemoryContextAllocZero(context, sizeof(TruncationNote));
	note->context = context;
	note->callback.func = note_end;
	note->callback.arg = note;
	MemoryContextRegisterResetCallback(context, &note->callback);
	dlist_push_head(&notes, &note->node);
	return note;
}

void
mobilebert_note_truncated(FunctionCallInfo fcinfo,
						  size_t tokens, size_t limit)
{
	TruncationNote *note;

	if (collecting != NULL)
	{
		collecting->texts++;
		collecting->longest = Max(collecting->longest, tokens);
		collecting->limit = limit;
		return;
	}
	note = note_of(fcinfo->flinfo != NULL ? fcinfo->flinfo->fn_mcxt :
				   CurrentMemoryContext);
	if (note->texts == 0)
	{
		note->limit = limit;
		note->limits_differ = false;
		note->longest = 0;
	}
	note->texts++;
	note->longest = Max(note->longest, tokens);
	if (note->limit != limit)
		note->limits_differ = true;
}

void
mobilebert_collect_cuts(MobilebertCuts *cuts)
{
	collecting = cuts;
	if (cuts != NULL)
		memset(cuts, 0, sizeof(*cuts));
}

void
mobilebert_note_cuts(FunctionCallInfo fcinfo, const MobilebertCuts *cuts)
{
	uint64		i;

	for (i = 0; i < cuts->texts; i++)
		mobilebert_note_truncated(fcinfo, cuts->longest, cuts->limit);
}
