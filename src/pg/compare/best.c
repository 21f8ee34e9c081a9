/*-------------------------------------------------------------------------
 *
 * best.c
 *	  The best few of many rows: what best_answers() and best_matches() keep.
 *
 * Up to twice top_k entries are held; then they are sorted and the worse half
 * is dropped.  So memory does not grow with the rows.  Entries with equal
 * scores are in the order of their keys, then as in their row: the result
 * depends neither on the order of rows nor on parallel workers.
 *
 * Depends on server/pg.h, server/adapt.h, server/options.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/options.h"
#include "compare/best.h"

#include <math.h>

#include "access/htup_details.h"
#include "funcapi.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#define DEFAULT_TOP_K 5

/* Columns of a result at most. */
#define COLUMNS 6

BestList *
best_make(MemoryContext context, size_t size, size_t top_k)
{
	BestList   *list = MemoryContextAllocZero(context, size);

	list->context = context;
	list->top_k = top_k;
	list->room = 16;
	list->entries = MemoryContextAlloc(context,
									   list->room * sizeof(BestEntry));
	list->floor = -INFINITY;
	return list;
}

size_t
best_top_k(FunctionCallInfo fcinfo, int n, const BestList *list)
{
	size_t		top_k = DEFAULT_TOP_K;

	mobilebert_size_option(fcinfo, n, "top_k", 1, &top_k);
	if (list != NULL && list->top_k != top_k)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"top_k\" must be the same in all rows"),
				 errdetail("It was %zu, and now it is %zu.", list->top_k,
						   top_k)));
	return top_k;
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

/* The greatest first; what is no number comes last. */
static int
score_order(double a, double b)
{
	if (isnan(a) || isnan(b))
		return isnan(a) - isnan(b);
	return (a < b) - (a > b);
}

static int
entry_order(const void *a, const void *b)
{
	const BestEntry *x = a;
	const BestEntry *y = b;
	int			order = score_order(x->score, y->score);

	if (order == 0)
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

static text *
text_copy(const text *value)
{
	return value == NULL ? NULL :
		DatumGetTextPCopy(PointerGetDatum(value));
}

/* top_k is the user's, and so is the number of rows. */
static void
check_memory(const BestList *list, size_t room, size_t more)
{
	mobilebert_memory_check("best of all rows",
							room * sizeof(BestEntry) + list->bytes + more);
}

/* Sort, and keep the best. */
static void
prune(BestList *list)
{
	qsort(list->entries, list->count, sizeof(BestEntry), entry_order);
	while (list->count > list->top_k)
	{
		BestEntry  *entry = &list->entries[--list->count];

		list->bytes -= text_bytes(entry->key) + text_bytes(entry->answer);
		if (entry->key != NULL)
			pfree(entry->key);
		if (entry->answer != NULL)
			pfree(entry->answer);
	}
	if (list->count == list->top_k)
		list->floor = list->entries[list->count - 1].score;
}

void
best_add(BestList *list, const BestEntry *entry)
{
	MemoryContext old = MemoryContextSwitchTo(list->context);
	BestEntry	kept = *entry;

	check_memory(list, list->room,
				 text_bytes(entry->key) + text_bytes(entry->answer));
	kept.key = text_copy(entry->key);
	kept.answer = text_copy(entry->answer);
	MemoryContextSwitchTo(old);
	if (list->count == list->room && list->room > list->top_k)
		prune(list);
	if (list->count == list->room)
	{
		check_memory(list, 2 * list->room, 0);
		list->room *= 2;
		list->entries = repalloc_huge(list->entries,
									  list->room * sizeof(BestEntry));
	}
	list->bytes += text_bytes(kept.key) + text_bytes(kept.answer);
	list->entries[list->count++] = kept;
}

/* All rows are read: the best, in order. */
static void
finish(BestList *list)
{
	if (list->finish != NULL)
		list->finish(list);
	prune(list);
}

Datum
best_result(FunctionCallInfo fcinfo,
			void (*put) (const BestEntry *entry, Datum *values))
{
	BestList   *list;
	Oid			type;
	TupleDesc	desc;
	Datum	   *rows;
	ArrayType  *array;
	size_t		i;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	(void) mobilebert_aggregate_context(fcinfo);
	list = (BestList *) PG_GETARG_POINTER(0);
	finish(list);
	if (list->count == 0)
		PG_RETURN_NULL();

	type = get_element_type(get_func_rettype(fcinfo->flinfo->fn_oid));
	desc = lookup_rowtype_tupdesc(type, -1);
	Assert(desc->natts <= COLUMNS);
	rows = palloc(list->count * sizeof(Datum));
	for (i = 0; i < list->count; i++)
	{
		const BestEntry *entry = &list->entries[i];
		Datum		values[COLUMNS];
		bool		nulls[COLUMNS] = {false};

		CHECK_FOR_INTERRUPTS();
		values[0] = Int32GetDatum((int32) i + 1);
		values[1] = PointerGetDatum(entry->key);
		nulls[1] = entry->key == NULL;
		put(entry, values + 2);
		rows[i] = HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
	}
	array = construct_array(rows, (int) list->count, type, -1, false,
							TYPALIGN_DOUBLE);
	ReleaseTupleDesc(desc);
	PG_RETURN_ARRAYTYPE_P(array);
}

/*
 * Parts of the rows, read by several processes
 */

/* best_combine(a internal, b internal) -> internal */
PG_FUNCTION_INFO_V1(mobilebert_best_combine);
Datum
mobilebert_best_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = mobilebert_aggregate_context(fcinfo);
	BestList   *a = PG_ARGISNULL(0) ? NULL : (BestList *) PG_GETARG_POINTER(0);
	BestList   *b = PG_ARGISNULL(1) ? NULL : (BestList *) PG_GETARG_POINTER(1);
	size_t		i;

	if (b == NULL)
	{
		if (a == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(a);
	}
	finish(b);
	if (a == NULL)
		a = best_make(context, sizeof(BestList), b->top_k);
	for (i = 0; i < b->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		best_add(a, &b->entries[i]);
	}
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

/* best_serialize(state internal) -> bytea */
PG_FUNCTION_INFO_V1(mobilebert_best_serialize);
Datum
mobilebert_best_serialize(PG_FUNCTION_ARGS)
{
	BestList   *list = (BestList *) PG_GETARG_POINTER(0);
	StringInfoData buffer;
	size_t		i;

	(void) mobilebert_aggregate_context(fcinfo);
	finish(list);
	pq_begintypsend(&buffer);
	pq_sendint64(&buffer, (uint64) list->top_k);
	pq_sendint64(&buffer, (uint64) list->count);
	for (i = 0; i < list->count; i++)
	{
		const BestEntry *entry = &list->entries[i];

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

/* best_deserialize(data bytea, internal) -> internal */
PG_FUNCTION_INFO_V1(mobilebert_best_deserialize);
Datum
mobilebert_best_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *data = PG_GETARG_BYTEA_PP(0);
	BestList   *list;
	StringInfoData buffer;
	size_t		count;
	size_t		i;

	(void) mobilebert_aggregate_context(fcinfo);
	initStringInfo(&buffer);
	appendBinaryStringInfo(&buffer, VARDATA_ANY(data),
						   (int) VARSIZE_ANY_EXHDR(data));
	list = best_make(CurrentMemoryContext, sizeof(BestList),
					 (size_t) pq_getmsgint64(&buffer));
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
		best_add(list, &entry);
		if (entry.key != NULL)
			pfree(entry.key);
		if (entry.answer != NULL)
			pfree(entry.answer);
	}
	pq_getmsgend(&buffer);
	PG_RETURN_POINTER(list);
}

/*
 * The names that these have in version 1.0, which best_answers() had for itself
 */
PG_FUNCTION_INFO_V1(mobilebert_best_answers_combine);
Datum
mobilebert_best_answers_combine(PG_FUNCTION_ARGS)
{
	return mobilebert_best_combine(fcinfo);
}

PG_FUNCTION_INFO_V1(mobilebert_best_answers_serialize);
Datum
mobilebert_best_answers_serialize(PG_FUNCTION_ARGS)
{
	return mobilebert_best_serialize(fcinfo);
}

PG_FUNCTION_INFO_V1(mobilebert_best_answers_deserialize);
Datum
mobilebert_best_answers_deserialize(PG_FUNCTION_ARGS)
{
	return mobilebert_best_deserialize(fcinfo);
}
