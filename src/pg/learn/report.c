/*-------------------------------------------------------------------------
 *
 * report.c
 *	  The aggregate classification_report(): how well predicted labels are the
 *	  actual ones, as scikit-learn's function of that name tells.
 *
 * What is kept is three counts for each label (the engine's report.h), so the
 * numbers depend neither on the order of rows nor on parallel workers.
 *
 * Depends on server/pg.h, server/adapt.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

/* Columns of mobilebert.report_line. */
#define COLUMNS 6

typedef struct ReportState
{
	mb_memory	memory;
	mb_arena	arena;			/* its limit is mobilebert.memory_limit */
	mb_report	report;
} ReportState;

static ReportState *
state_make(MemoryContext context)
{
	ReportState *state = MemoryContextAllocZero(context, sizeof(ReportState));

	state->memory = mobilebert_memory(context);
	mobilebert_arena_init(&state->arena, &state->memory);
	mb_report_begin(&state->report, &state->arena);
	return state;
}

/*
 * classification_report_step(state internal, actual text, predicted text) ->
 * internal
 */
PG_FUNCTION_INFO_V1(mobilebert_classification_report_step);
Datum
mobilebert_classification_report_step(PG_FUNCTION_ARGS)
{
	MemoryContext context = mobilebert_aggregate_context(fcinfo);
	ReportState *state = PG_ARGISNULL(0) ? NULL :
		(ReportState *) PG_GETARG_POINTER(0);
	text	   *actual;
	text	   *predicted;

	if (PG_ARGISNULL(1))
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	if (state == NULL)
		state = state_make(context);
	actual = PG_GETARG_TEXT_PP(1);
	predicted = PG_ARGISNULL(2) ? NULL : PG_GETARG_TEXT_PP(2);
	ENGINE_CALL(mb_report_add, &state->report, VARDATA_ANY(actual),
				VARSIZE_ANY_EXHDR(actual),
				predicted == NULL ? NULL : VARDATA_ANY(predicted),
				predicted == NULL ? 0 : VARSIZE_ANY_EXHDR(predicted));
	PG_RETURN_POINTER(state);
}

/* classification_report_combine(a internal, b internal) -> internal */
PG_FUNCTION_INFO_V1(mobilebert_classification_report_combine);
Datum
mobilebert_classification_report_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = mobilebert_aggregate_context(fcinfo);
	ReportState *a = PG_ARGISNULL(0) ? NULL :
		(ReportState *) PG_GETARG_POINTER(0);
	ReportState *b = PG_ARGISNULL(1) ? NULL :
		(ReportState *) PG_GETARG_POINTER(1);
	size_t		i;

	if (b == NULL)
	{
		if (a == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(a);
	}
	if (a == NULL)
		a = state_make(context);
	for (i = 0; i < b->report.labels; i++)
	{
		CHECK_FOR_INTERRUPTS();
		ENGINE_CALL(mb_report_combine, &a->report, &b->report.counts[i]);
	}
	PG_RETURN_POINTER(a);
}

/* classification_report_serialize(state internal) -> bytea */
PG_FUNCTION_INFO_V1(mobilebert_classification_report_serialize);
Datum
mobilebert_classification_report_serialize(PG_FUNCTION_ARGS)
{
	ReportState *state = (ReportState *) PG_GETARG_POINTER(0);
	StringInfoData buffer;
	size_t		i;

	(void) mobilebert_aggregate_context(fcinfo);
	pq_begintypsend(&buffer);
	pq_sendint64(&buffer, state->report.labels);
	for (i = 0; i < state->report.labels; i++)
	{
		const mb_report_count *count = &state->report.counts[i];

		CHECK_FOR_INTERRUPTS();
		pq_sendint64(&buffer, count->support);
		pq_sendint64(&buffer, count->predicted);
		pq_sendint64(&buffer, count->correct);
		pq_sendint32(&buffer, (uint32) count->length);
		pq_sendbytes(&buffer, count->name, (int) count->length);
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

/* classification_report_deserialize(data bytea, internal) -> internal */
PG_FUNCTION_INFO_V1(mobilebert_classification_report_deserialize);
Datum
mobilebert_classification_report_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *data = PG_GETARG_BYTEA_PP(0);
	ReportState *state;
	StringInfoData buffer;
	int64		labels;

	(void) mobilebert_aggregate_context(fcinfo);
	state = state_make(CurrentMemoryContext);
	initStringInfo(&buffer);
	appendBinaryStringInfo(&buffer, VARDATA_ANY(data),
						   (int) VARSIZE_ANY_EXHDR(data));
	for (labels = pq_getmsgint64(&buffer); labels > 0; labels--)
	{
		mb_report_count count;

		CHECK_FOR_INTERRUPTS();
		count.support = (uint64) pq_getmsgint64(&buffer);
		count.predicted = (uint64) pq_getmsgint64(&buffer);
		count.correct = (uint64) pq_getmsgint64(&buffer);
		count.length = pq_getmsgint(&buffer, 4);
		count.name = pq_getmsgbytes(&buffer, (int) count.length);
		ENGINE_CALL(mb_report_combine, &state->report, &count);
	}
	pq_getmsgend(&buffer);
	PG_RETURN_POINTER(state);
}

/*
 * As scikit-learn prints them: accuracy is one number, in the column of f1, and
 * of no label.
 */
static Datum
line_datum(const mb_report_line *line, size_t extra, TupleDesc desc)
{
	static const char *const names[MB_REPORT_EXTRA] = {
		[MB_REPORT_ACCURACY] = "accuracy",
		[MB_REPORT_MACRO] = "macro avg",
		[MB_REPORT_WEIGHTED] = "weighted avg"
	};
	bool		accuracy = line->name == NULL && extra == MB_REPORT_ACCURACY;
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS] = {false};

	values[0] = line->name == NULL ? CStringGetTextDatum(names[extra]) :
		PointerGetDatum(cstring_to_text_with_len(line->name,
												 (int) line->length));
	values[1] = Float8GetDatum(line->precision);
	values[2] = Float8GetDatum(line->recall);
	nulls[1] = nulls[2] = accuracy;
	values[3] = Float8GetDatum(line->f1);
	values[4] = Int64GetDatum((int64) line->support);
	values[5] = Int64GetDatum((int64) line->predicted);
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

/* classification_report_final(state internal) -> mobilebert.report_line[] */
PG_FUNCTION_INFO_V1(mobilebert_classification_report_final);
Datum
mobilebert_classification_report_final(PG_FUNCTION_ARGS)
{
	const ReportState *state;
	mb_report	report;
	mb_memory	memory = mobilebert_memory(CurrentMemoryContext);
	mb_arena	arena;
	mb_report_line *lines;
	size_t		count;
	size_t		labels;
	size_t		i;
	TupleDesc	desc;
	Datum	   *rows;
	ArrayType  *array;
	Oid			type;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	(void) mobilebert_aggregate_context(fcinfo);
	state = (const ReportState *) PG_GETARG_POINTER(0);

	/* A window asks for each of its rows: nothing of that stays in the state. */
	mobilebert_arena_init(&arena, &memory);
	report = state->report;
	report.arena = &arena;
	ENGINE_CALL(mb_report_lines, &report, &lines, &count,
				&mobilebert_cancel);
	if (count == 0)
		PG_RETURN_NULL();
	labels = count - MB_REPORT_EXTRA;
	type = get_element_type(get_func_rettype(fcinfo->flinfo->fn_oid));
	desc = lookup_rowtype_tupdesc(type, -1);
	rows = palloc(count * sizeof(Datum));
	for (i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		rows[i] = line_datum(&lines[i], i < labels ? 0 : i - labels, desc);
	}
	array = construct_array(rows, (int) count, type, -1, false,
							TYPALIGN_DOUBLE);
	ReleaseTupleDesc(desc);
	PG_RETURN_ARRAYTYPE_P(array);
}
