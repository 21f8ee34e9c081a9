/*-------------------------------------------------------------------------
 *
 * fn_best_answers.c
 *	  The aggregate best_answers(): one question put to many contexts.
 *
 * Every row is the call that answer() would make of it (answer.c).  The
 * calls go to one run, so windows of many rows share passes; a row waits in
 * a memory context of its own until its last window has run, which takes
 * as many rows as a pass has room for.  The question is tokenised once.
 *
 * Of the rows' answers up to twice top_k are held; then they are sorted and
 * the worse half is dropped.  So memory does not grow with the rows.  Answers
 * with equal scores are in the order of their keys, then as in their row:
 * the result depends neither on the order of rows nor on parallel workers.
 *
 * Depends on server/pg.h, server/adapt.h, server/options.h,
 * models/model_cache.h, pass/calls.h, functions/answer.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/options.h"
#include "models/model_cache.h"
#include "pass/calls.h"
#include "functions/answer.h"

#include <math.h>

#include "access/htup_details.h"
#include "funcapi.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#define DEFAULT_TOP_K 5

/* Columns of mobilebert.ranked_answer. */
#define COLUMNS 6

/* An answer, and the row it is of. */
typedef struct BestEntry
{
	double		score;
	int32		rank;			/* among the answers of its row, from 0 */
	int32		start;
	int32		end;
	text	   *key;			/* NULL: null */
	text	   *answer;
} BestEntry;

/* A row whose windows are not all through. */
typedef struct BestRow BestRow;
struct BestRow
{
	BestRow    *next;
	MemoryContext context;		/* this, the call and the key */
	AnswerCall *call;
	text	   *key;
};

typedef struct BestState
{
	MemoryContext context;		/* of all that is kept */
	size_t		top_k;
	BestEntry  *entries;
	size_t		count;
	size_t		room;
	size_t		bytes;			/* of the entries' texts */
	double		floor;			/* lower scores have no chance */

	/* In the process that reads rows; run is NULL elsewhere. */
	MobilebertRun *run;
	BestRow    *first;			/* in the order in which they end */
	BestRow    *last;
	MemoryContext question_context;
	const MobilebertModel *model;	/* whose pieces the question has */
	text	   *question;
	mb_pieces  *pieces;
} BestState;

/*
 * The best so far
 */

static BestState *
state_make(MemoryContext context, size_t top_k)
{
	BestState  *state = MemoryContextAllocZero(context, sizeof(BestState));

	state->context = context;
	state->top_k = top_k;
	state->room = 16;
	state->entries = MemoryContextAlloc(context,
										state->room * sizeof(BestEntry));
	state->floor = -INFINITY;
	return state;
}

/* By bytes; null comes last. */
static int
text_order(const text *a, const text *b)
{
	size_t		x;
	size_t		y;
	int			order;

	if (a == NULL || b == NULL)
		return (a == NULL) - (b == NULL);
	x = VARSIZE_ANY_EXHDR(a);
	y = VARSIZE_ANY_EXHDR(b);
	order = memcmp(VARDATA_ANY(a), VARDATA_ANY(b), Min(x, y));
	return order != 0 ? order : (x > y) - (x < y);
}

static int
entry_order(const void *a, const void *b)
{
	const BestEntry *x = a;
	const BestEntry *y = b;
	int			order;

	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	order = text_order(x->key, y->key);
	if (order == 0)
		order = (x->rank > y->rank) - (x->rank < y->rank);
	if (order == 0)
		order = (x->start > y->start) - (x->start < y->start);
	if (order == 0)
		order = (x->end > y->end) - (x->end < y->end);
	return order != 0 ? order : text_order(x->answer, y->answer);
}

static size_t
text_bytes(const text *value)
{
	return value == NULL ? 0 : VARSIZE_ANY(value);
}

/* top_k is the user's, and so is the number of rows. */
static void
check_memory(const BestState *state, size_t room, size_t more)
{
	mobilebert_memory_check("best answers",
							room * sizeof(BestEntry) + state->bytes + more);
}

/* Sort, and keep the best. */
static void
entries_prune(BestState *state)
{
	qsort(state->entries, state->count, sizeof(BestEntry), entry_order);
	while (state->count > state->top_k)
	{
		BestEntry  *entry = &state->entries[--state->count];

		state->bytes -= text_bytes(entry->key) + text_bytes(entry->answer);
		if (entry->key != NULL)
			pfree(entry->key);
		pfree(entry->answer);
	}
	if (state->count == state->top_k)
		state->floor = state->entries[state->count - 1].score;
}

/* The entry's texts must be in the state's context. */
static void
entries_add(BestState *state, const BestEntry *entry)
{
	if (state->count == state->room && state->room > state->top_k)
		entries_prune(state);
	if (state->count == state->room)
	{
		check_memory(state, 2 * state->room, 0);
		state->room *= 2;
		state->entries = repalloc_huge(state->entries,
									   state->room * sizeof(BestEntry));
	}
	state->bytes += text_bytes(entry->key) + text_bytes(entry->answer);
	state->entries[state->count++] = *entry;
}

static text *
text_copy(const text *value)
{
	return value == NULL ? NULL :
		DatumGetTextPCopy(PointerGetDatum(value));
}

/*
 * Rows
 */

/* A row's answers, as far as they have a chance; then the row is gone. */
static void
take_answers(BestState *state, BestRow *row)
{
	MemoryContext old = MemoryContextSwitchTo(row->context);
	AnswerSlice *slices;
	mb_answer  *best;
	size_t		count;
	size_t		i;

	best = answer_best(row->call, &count);
	while (count > 0 && best[count - 1].score < state->floor)
		count--;
	slices = answer_slices(row->call, best, count);
	MemoryContextSwitchTo(state->context);
	for (i = 0; i < count; i++)
	{
		BestEntry	entry;

		CHECK_FOR_INTERRUPTS();
		entry.score = best[i].score;
		entry.rank = (int32) i;
		entry.start = slices[i].start;
		entry.end = slices[i].end;
		check_memory(state, state->room, text_bytes(row->key) +
					 text_bytes(DatumGetTextPP(slices[i].text)));
		entry.key = text_copy(row->key);
		entry.answer = text_copy(DatumGetTextPP(slices[i].text));
		entries_add(state, &entry);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(row->context);
}

static void
take_done(BestState *state)
{
	while (state->first != NULL && state->first->call->call.done)
	{
		BestRow    *row = state->first;

		state->first = row->next;
		if (state->first == NULL)
			state->last = NULL;
		take_answers(state, row);
	}
}

/* Run what waits. */
static void
finish(BestState *state)
{
	if (state->run != NULL)
	{
		mobilebert_run_flush(state->run);
		take_done(state);
	}
	entries_prune(state);
}

/* Rows that wait have the old question. */
static void
read_question(BestState *state, const MobilebertModel *model, text *question)
{
	MemoryContext old;

	if (state->question != NULL && state->model == model &&
		text_order(state->question, question) == 0)
		return;
	finish(state);
	state->question = NULL;
	MemoryContextReset(state->question_context);
	old = MemoryContextSwitchTo(state->question_context);
	state->pieces = answer_question(model, question);
	state->model = model;
	state->question = text_copy(question);
	MemoryContextSwitchTo(old);
}

static void
add_row(BestState *state, const AnswerOptions *options, text *context,
		text *key)
{
	MemoryContext own = AllocSetContextCreate(state->context,
											  "mobilebert answer",
											  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(own);
	BestRow    *row = palloc0(sizeof(BestRow));

	row->context = own;
	row->call = answer_begin(options, state->pieces, context);
	row->key = text_copy(key);
	MemoryContextSwitchTo(old);

	if (state->last != NULL)
		state->last->next = row;
	else
		state->first = row;
	state->last = row;
	mobilebert_run_add(state->run, &row->call->call);
	take_done(state);
}

/*
 * SQL functions
 */

static MemoryContext
aggregate_context(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "aggregate function called in non-aggregate context");
	return context;
}

/*
 * best_answers_step(state internal, question text, context text, key text
 * [, model text [, top_k int [, doc_stride int, max_answer_len int,
 * max_seq_len int, align_to_words bool]]]) -> internal
 */
PG_FUNCTION_INFO_V1(mobilebert_best_answers_step);
Datum
mobilebert_best_answers_step(PG_FUNCTION_ARGS)
{
	static const AnswerArguments arguments = {
		4, ANSWER_ABSENT, 6, 7, 8, ANSWER_ABSENT, 9
	};
	MemoryContext context = aggregate_context(fcinfo);
	BestState  *state = PG_ARGISNULL(0) ? NULL :
		(BestState *) PG_GETARG_POINTER(0);
	AnswerOptions options;
	MemoryContext old;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	answer_options_read(fcinfo, &arguments, &options);
	options.select.top_k = DEFAULT_TOP_K;
	mobilebert_size_option(fcinfo, 5, "top_k", 1, &options.select.top_k);
	if (state == NULL)
		state = state_make(context, options.select.top_k);
	if (state->top_k != options.select.top_k)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"top_k\" must be the same in all rows"),
				 errdetail("It was %zu, and now it is %zu.", state->top_k,
						   options.select.top_k)));
	if (state->run == NULL)
	{
		old = MemoryContextSwitchTo(context);
		state->question_context = AllocSetContextCreate(context,
														"mobilebert question",
														ALLOCSET_SMALL_SIZES);
		state->run = palloc(sizeof(MobilebertRun));
		mobilebert_run_init(state->run);
		MemoryContextSwitchTo(old);
	}
	read_question(state, options.model, PG_GETARG_TEXT_PP(1));
	add_row(state, &options, PG_GETARG_TEXT_PP(2), ARG_TEXT(3));
	PG_RETURN_POINTER(state);
}

/* best_answers_combine(a internal, b internal) -> internal */
PG_FUNCTION_INFO_V1(mobilebert_best_answers_combine);
Datum
mobilebert_best_answers_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	BestState  *a = PG_ARGISNULL(0) ? NULL :
		(BestState *) PG_GETARG_POINTER(0);
	BestState  *b = PG_ARGISNULL(1) ? NULL :
		(BestState *) PG_GETARG_POINTER(1);
	MemoryContext old;
	size_t		i;

	if (b == NULL)
	{
		if (a == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(a);
	}
	finish(b);
	if (a == NULL)
		a = state_make(context, b->top_k);
	old = MemoryContextSwitchTo(a->context);
	for (i = 0; i < b->count; i++)
	{
		BestEntry	entry = b->entries[i];

		CHECK_FOR_INTERRUPTS();
		entry.key = text_copy(entry.key);
		entry.answer = text_copy(entry.answer);
		entries_add(a, &entry);
	}
	MemoryContextSwitchTo(old);
	PG_RETURN_POINTER(a);
}

/* Its length and its bytes; -1 for null. */
static void
send_text(StringInfo buffer, const text *value)
{
	if (value == NULL)
	{
		pq_sendint32(buffer, (uint32) -1);
		return;
	}
	pq_sendint32(buffer, (uint32) VARSIZE_ANY_EXHDR(value));
	pq_sendbytes(buffer, VARDATA_ANY(value), (int) VARSIZE_ANY_EXHDR(value));
}

static text *
receive_text(StringInfo buffer)
{
	int			length = (int) pq_getmsgint(buffer, 4);
	text	   *value;

	if (length < 0)
		return NULL;
	value = palloc(VARHDRSZ + length);
	SET_VARSIZE(value, VARHDRSZ + length);
	pq_copymsgbytes(buffer, VARDATA(value), length);
	return value;
}

/* best_answers_serialize(state internal) -> bytea */
PG_FUNCTION_INFO_V1(mobilebert_best_answers_serialize);
Datum
mobilebert_best_answers_serialize(PG_FUNCTION_ARGS)
{
	BestState  *state = (BestState *) PG_GETARG_POINTER(0);
	StringInfoData buffer;
	size_t		i;

	(void) aggregate_context(fcinfo);
	finish(state);
	pq_begintypsend(&buffer);
	pq_sendint64(&buffer, (uint64) state->top_k);
	pq_sendint64(&buffer, (uint64) state->count);
	for (i = 0; i < state->count; i++)
	{
		const BestEntry *entry = &state->entries[i];

		CHECK_FOR_INTERRUPTS();
		pq_sendfloat8(&buffer, entry->score);
		pq_sendint32(&buffer, (uint32) entry->rank);
		pq_sendint32(&buffer, (uint32) entry->start);
		pq_sendint32(&buffer, (uint32) entry->end);
		send_text(&buffer, entry->key);
		send_text(&buffer, entry->answer);
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

/* best_answers_deserialize(data bytea, internal) -> internal */
PG_FUNCTION_INFO_V1(mobilebert_best_answers_deserialize);
Datum
mobilebert_best_answers_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *data = PG_GETARG_BYTEA_PP(0);
	BestState  *state;
	StringInfoData buffer;
	size_t		count;
	size_t		i;

	(void) aggregate_context(fcinfo);
	initStringInfo(&buffer);
	appendBinaryStringInfo(&buffer, VARDATA_ANY(data),
						   (int) VARSIZE_ANY_EXHDR(data));
	state = state_make(CurrentMemoryContext, (size_t) pq_getmsgint64(&buffer));
	count = (size_t) pq_getmsgint64(&buffer);
	for (i = 0; i < count; i++)
	{
		BestEntry	entry;

		CHECK_FOR_INTERRUPTS();
		entry.score = pq_getmsgfloat8(&buffer);
		entry.rank = (int32) pq_getmsgint(&buffer, 4);
		entry.start = (int32) pq_getmsgint(&buffer, 4);
		entry.end = (int32) pq_getmsgint(&buffer, 4);
		entry.key = receive_text(&buffer);
		entry.answer = receive_text(&buffer);
		entries_add(state, &entry);
	}
	pq_getmsgend(&buffer);
	PG_RETURN_POINTER(state);
}

/* best_answers_final(state internal) -> mobilebert.ranked_answer[] */
PG_FUNCTION_INFO_V1(mobilebert_best_answers_final);
Datum
mobilebert_best_answers_final(PG_FUNCTION_ARGS)
{
	BestState  *state;
	Oid			type;
	TupleDesc	desc;
	Datum	   *rows;
	ArrayType  *array;
	size_t		i;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	(void) aggregate_context(fcinfo);
	state = (BestState *) PG_GETARG_POINTER(0);
	finish(state);
	if (state->count == 0)
		PG_RETURN_NULL();

	type = get_element_type(get_func_rettype(fcinfo->flinfo->fn_oid));
	desc = lookup_rowtype_tupdesc(type, -1);
	rows = palloc(state->count * sizeof(Datum));
	for (i = 0; i < state->count; i++)
	{
		const BestEntry *entry = &state->entries[i];
		Datum		values[COLUMNS];
		bool		nulls[COLUMNS] = {false};

		CHECK_FOR_INTERRUPTS();
		values[0] = Int32GetDatum((int32) i + 1);
		values[1] = PointerGetDatum(entry->key);
		nulls[1] = entry->key == NULL;
		values[2] = PointerGetDatum(entry->answer);
		values[3] = Float4GetDatum((float4) entry->score);
		values[4] = Int32GetDatum(entry->start);
		values[5] = Int32GetDatum(entry->end);
		rows[i] = HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
	}
	array = construct_array(rows, (int) state->count, type, -1, false,
							TYPALIGN_DOUBLE);
	ReleaseTupleDesc(desc);
	PG_RETURN_ARRAYTYPE_P(array);
}
