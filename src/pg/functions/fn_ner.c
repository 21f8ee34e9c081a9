/*-------------------------------------------------------------------------
 *
 * fn_ner.c
 *	  Token classification: ner (rows) and entities (one array).
 *
 * Both are the same call (ner.c) with another form of result.
 *
 * Source: transformers' TokenClassificationPipeline; spec pipelines.md 3.
 * Depends on server/pg.h, server/adapt.h, server/options.h, pass/calls.h,
 * functions/batched.h, functions/ner.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/options.h"
#include "pass/calls.h"
#include "functions/batched.h"
#include "functions/ner.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

/* Arguments; the last one is of words only. */
#define NER_INPUT 0
#define NER_DELIMITER 7

static const MobilebertNerArguments ner_arguments = {
	.model = 1,
	.aggregation = 2,
	.ignore_labels = 3,
	.stride = 4,
	.overflow = 5,
	.max_length = 6,
	.strategy = MB_AGGREGATE_SIMPLE
};

/* Columns of mobilebert.entity and of ner's rows. */
#define NER_COLUMNS 7

typedef struct NerCall
{
	MobilebertNer ner;
	ReturnSetInfo *info;		/* of ner */
	Oid			row_type;		/* of entities: mobilebert.entity */
} NerCall;

/* A call, NULL for NULL. */
static NerCall *
ner_make(FunctionCallInfo fcinfo, bool words)
{
	NerCall    *ner;

	if (PG_ARGISNULL(NER_INPUT))
		return NULL;
	ner = palloc0(sizeof(NerCall));
	if (words)
		mobilebert_ner_start_words(&ner->ner, fcinfo, &ner_arguments,
								   PG_GETARG_ARRAYTYPE_P(NER_INPUT),
								   ARG_IS_GIVEN(NER_DELIMITER) ?
								   PG_GETARG_TEXT_PP(NER_DELIMITER) :
								   cstring_to_text(" "));
	else
		mobilebert_ner_start(&ner->ner, fcinfo, &ner_arguments,
							 PG_GETARG_TEXT_P_COPY(NER_INPUT));
	return ner;
}

/*
 * Results
 */

/* The entities' slices of the text. */
static Datum *
ner_slices(NerCall *ner)
{
	const mb_entity_list *done = &ner->ner.entities.done;
	Datum	   *slices;
	int32	   *starts;
	int32	   *ends;
	size_t		i;

	if (done->count > PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many entities")));
	slices = mobilebert_allocate(done->count, sizeof(Datum));
	starts = mobilebert_allocate(done->count, sizeof(int32));
	ends = mobilebert_allocate(done->count, sizeof(int32));
	for (i = 0; i < done->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		starts[i] = mobilebert_text_offset(&ner->ner.text, done->items[i].start);
		ends[i] = mobilebert_text_end(&ner->ner.text, done->items[i].end);
	}
	mobilebert_text_slices(&ner->ner.text, starts, ends, (int) done->count,
						   slices);
	pfree(starts);
	pfree(ends);
	return slices;
}

/* The columns of entity n. */
static void
ner_row(NerCall *ner, size_t n, Datum slice, Datum *values, bool *nulls)
{
	const mb_entity *entity = &ner->ner.entities.done.items[n];
	mb_label	label = mb_entities_label(&ner->ner.entities, entity);
	mb_memory	memory = mobilebert_memory(CurrentMemoryContext);
	mb_arena	arena;
	char	   *pieces;
	size_t		length;

	mobilebert_arena_init(&arena, &memory);
	ENGINE_CALL(mb_entities_text, &ner->ner.entities, entity, &arena,
				&mobilebert_cancel, &pieces, &length);
	memset(nulls, 0, NER_COLUMNS * sizeof(bool));
	values[0] = PointerGetDatum(cstring_to_text_with_len(label.text,
														 (int) label.length));
	values[1] = Float4GetDatum(entity->score);
	values[2] = slice;
	values[3] = Int32GetDatum(mobilebert_text_offset(&ner->ner.text,
													 entity->start));
	values[4] = Int32GetDatum(mobilebert_text_end(&ner->ner.text, entity->end));
	values[5] = Int32GetDatum((int32) (ner->ner.in.lead + entity->first -
									   ner->ner.base));
	nulls[5] = ner->ner.aggregation != MB_AGGREGATE_NONE;
	values[6] = mobilebert_text_datum(pieces, length);
	nulls[6] = values[6] == (Datum) 0;
	mb_arena_free(&arena);
}

static Datum
ner_rows_result(MobilebertCall *call, bool *null)
{
	NerCall    *ner = (NerCall *) call;
	Datum	   *slices = ner_slices(ner);
	size_t		i;

	for (i = 0; i < ner->ner.entities.done.count; i++)
	{
		Datum		values[NER_COLUMNS];
		bool		nulls[NER_COLUMNS];

		CHECK_FOR_INTERRUPTS();
		ner_row(ner, i, slices[i], values, nulls);
		tuplestore_putvalues(ner->info->setResult, ner->info->setDesc, values,
							 nulls);
		pfree(DatumGetPointer(values[0]));
		pfree(DatumGetPointer(values[2]));
		if (!nulls[6])
			pfree(DatumGetPointer(values[6]));
	}
	*null = true;
	return (Datum) 0;
}

static Datum
ner_array_result(MobilebertCall *call, bool *null)
{
	NerCall    *ner = (NerCall *) call;
	size_t		count = ner->ner.entities.done.count;
	TupleDesc	desc = lookup_rowtype_tupdesc_copy(ner->row_type, -1);
	Datum	   *slices = ner_slices(ner);
	Datum	   *rows;
	size_t		i;

	rows = mobilebert_allocate(count, sizeof(Datum));
	for (i = 0; i < count; i++)
	{
		Datum		values[NER_COLUMNS];
		bool		nulls[NER_COLUMNS];

		CHECK_FOR_INTERRUPTS();
		ner_row(ner, i, slices[i], values, nulls);
		rows[i] = HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
	}
	*null = false;
	return PointerGetDatum(construct_array(rows, (int) count, ner->row_type,
										   -1, false, TYPALIGN_DOUBLE));
}

/*
 * ner(input text [, model text, aggregation_strategy text,
 * ignore_labels text[], stride int, overflow text, max_length int])
 * -> setof (entity, score, word, start_offset, end_offset, token_no, pieces)
 */
static MobilebertCall *
mobilebert_ner_begin(FunctionCallInfo fcinfo)
{
	NerCall    *ner = ner_make(fcinfo, false);

	if (ner == NULL)
		return NULL;
	ner->info = (ReturnSetInfo *) fcinfo->resultinfo;
	ner->ner.call.result = ner_rows_result;
	return &ner->ner.call;
}

MOBILEBERT_ROWS_FUNCTION(mobilebert_ner);

/* ner(words text[] [, model text, ..., max_length int, delimiter text]) */
static MobilebertCall *
mobilebert_ner_words_begin(FunctionCallInfo fcinfo)
{
	NerCall    *ner = ner_make(fcinfo, true);

	if (ner == NULL)
		return NULL;
	ner->info = (ReturnSetInfo *) fcinfo->resultinfo;
	ner->ner.call.result = ner_rows_result;
	return &ner->ner.call;
}

MOBILEBERT_ROWS_FUNCTION(mobilebert_ner_words);

static MobilebertCall *
ner_array_begin(FunctionCallInfo fcinfo, bool words)
{
	NerCall    *ner = ner_make(fcinfo, words);

	if (ner == NULL)
		return NULL;
	ner->row_type = get_element_type(get_func_rettype(fcinfo->flinfo->fn_oid));
	if (!OidIsValid(ner->row_type))
		elog(ERROR, "function %u does not return an array",
			 fcinfo->flinfo->fn_oid);
	ner->ner.call.result = ner_array_result;
	return &ner->ner.call;
}

/* entities(input text [, model text, ...]) -> mobilebert.entity[] */
MobilebertCall *
mobilebert_entities_begin(FunctionCallInfo fcinfo)
{
	return ner_array_begin(fcinfo, false);
}

MOBILEBERT_VALUE_FUNCTION(mobilebert_entities);

/* entities(words text[] [, model text, ...]) -> mobilebert.entity[] */
MobilebertCall *
mobilebert_entities_words_begin(FunctionCallInfo fcinfo)
{
	return ner_array_begin(fcinfo, true);
}

MOBILEBERT_VALUE_FUNCTION(mobilebert_entities_words);
