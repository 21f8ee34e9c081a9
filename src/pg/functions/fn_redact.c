/*-------------------------------------------------------------------------
 *
 * fn_redact.c
 *	  Texts with their entities masked or marked: redact, highlight, and
 *	  pattern_entities, what the patterns find.
 *
 * redact with a model is the call of a token classifier (ner.c) whose result
 * is a text; without one it needs no pass.  Spans are kept in characters of the
 * database encoding, which is what stored entities have, and become bytes of
 * the original when all are known: what is not masked keeps its bytes.
 *
 * Entities that are given have to be those of the text.  Offsets outside it,
 * and a word that is not what stands there, are errors: the text was changed
 * after they were found, and masking something else would show what should be
 * hidden.  Messages do not quote the text.
 *
 * Depends on server/pg.h, server/adapt.h, server/options.h, models/labels.h,
 * pass/calls.h, functions/batched.h, functions/ner.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/options.h"
#include "models/labels.h"
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

/* Arguments of redact; stored entities stand in the place of the model. */
#define REDACT_INPUT 0
#define REDACT_MODEL 1
#define REDACT_ENTITIES 1
#define REDACT_LABELS 2
#define REDACT_REPLACEMENT 3
#define REDACT_MIN_SCORE 4
#define REDACT_PATTERNS 5
#define REDACT_AGGREGATION 6

/* Columns of mobilebert.entity. */
#define ENTITY_LABEL 0
#define ENTITY_SCORE 1
#define ENTITY_WORD 2
#define ENTITY_START 3
#define ENTITY_END 4
#define ENTITY_TOKEN 5
#define ENTITY_COLUMNS 7

#define DEFAULT_REPLACEMENT "[{}]"

/* Whole words, for half a name is easily made whole. */
static const MobilebertNerArguments redact_arguments = {
	.model = REDACT_MODEL,
	.aggregation = REDACT_AGGREGATION,
	.ignore_labels = NER_NO_ARGUMENT,
	.stride = NER_NO_ARGUMENT,
	.overflow = NER_NO_ARGUMENT,
	.max_length = NER_NO_ARGUMENT,
	.strategy = MB_AGGREGATE_FIRST
};

/* Spans of a text, in characters of the original, and what they are called. */
typedef struct Spans
{
	mb_span    *items;			/* [room] */
	mb_label   *labels;			/* [room], by a span's label */
	size_t		count;
	size_t		names;			/* labels so far */
	size_t		room;
} Spans;

/* A call of redact with a model, or without. */
typedef struct RedactCall
{
	MobilebertNer ner;			/* without a model only the text of it */
	bool		has_model;
	unsigned	patterns;		/* set of mb_pattern */
	mb_label   *groups;			/* [outputs]: what entities are called */
	bool	   *wanted;			/* [outputs] */
	size_t		outputs;
	float		min_score;
	mb_label	replacement;
} RedactCall;

/*
 * Options
 */

static mb_label
label_of(text *value)
{
	mb_label	label;

	label.text = VARDATA_ANY(value);
	label.length = VARSIZE_ANY_EXHDR(value);
	return label;
}

/* The pattern of that name; MB_PATTERN_KINDS: there is none. */
static int
pattern_named(const char *name)
{
	int			i;

	for (i = 0; i < MB_PATTERN_KINDS; i++)
	{
		if (pg_strcasecmp(name, mb_pattern_name((mb_pattern) i)) == 0)
			break;
	}
	return i;
}

/* The set of patterns in an argument; a NULL among them is none. */
static unsigned
patterns_read(FunctionCallInfo fcinfo, int argument)
{
	ArrayIterator iterator;
	Datum		element;
	bool		null;
	unsigned	set = 0;
	int			i;

	if (!ARG_IS_GIVEN(argument))
		return 0;
	iterator = array_create_iterator(PG_GETARG_ARRAYTYPE_P(argument), 0, NULL);
	while (array_iterate(iterator, &element, &null))
	{
		char	   *name = null ? NULL : TextDatumGetCString(element);
		StringInfoData known;

		CHECK_FOR_INTERRUPTS();
		if (null)
			continue;
		i = pattern_named(name);
		if (i < MB_PATTERN_KINDS)
		{
			set |= 1u << i;
			pfree(name);
			continue;
		}
		initStringInfo(&known);
		for (i = 0; i < MB_PATTERN_KINDS; i++)
			mobilebert_list_name(&known, mb_pattern_name((mb_pattern) i));
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown pattern \"%s\"", name),
				 errdetail("Patterns are %s.", known.data)));
	}
	array_free_iterator(iterator);
	return set;
}

static float
min_score_read(FunctionCallInfo fcinfo)
{
	float		score;

	if (!ARG_IS_GIVEN(REDACT_MIN_SCORE))
		return 0;
	score = PG_GETARG_FLOAT4(REDACT_MIN_SCORE);
	if (!(score >= 0 && score <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"min_score\": %g", score),
				 errdetail("Scores are numbers from 0 to 1.")));
	return score;
}

/* An option that is a template, checked. */
static mb_label
template_read(FunctionCallInfo fcinfo, int argument, const char *otherwise,
			  const char *option)
{
	mb_label	template;

	template.text = otherwise;
	template.length = strlen(otherwise);
	if (ARG_IS_GIVEN(argument))
		template = label_of(PG_GETARG_TEXT_PP(argument));
	ENGINE_CALL(mb_markup_check, template, option);
	return template;
}

static bool
same_label(const mb_label *a, const mb_label *b)
{
	return a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

/* "O" stands for no entity. */
static bool
is_outside(const mb_label *label)
{
	return label->length == 1 && label->text[0] == 'O';
}

/* Error: the model has no such label. */
pg_noreturn static void
unknown_label(const RedactCall *r, text *label)
{
	char	   *name = text_to_cstring(label);
	StringInfoData known;
	size_t		i;
	size_t		j;

	initStringInfo(&known);
	for (i = 0; i < r->outputs; i++)
	{
		CHECK_FOR_INTERRUPTS();
		for (j = 0; j < i; j++)
		{
			if (same_label(&r->groups[i], &r->groups[j]))
				break;
		}
		if (j == i && !is_outside(&r->groups[i]) && r->groups[i].length > 0)
			mobilebert_list_name(&known, pnstrdup(r->groups[i].text,
												  r->groups[i].length));
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("model \"%s\" has no label \"%s\"",
					r->ner.call.model->name, name),
			 errdetail("Its labels are %s.", known.data),
			 pattern_named(name) == MB_PATTERN_KINDS ? 0 :
			 errhint("Patterns are named in option \"patterns\".")));
}

/* What the model's entities are called, and which of them are asked for. */
static void
labels_read(RedactCall *r, FunctionCallInfo fcinfo)
{
	const MobilebertLabels *labels = mobilebert_labels(r->ner.call.model,
													   MB_TASK_NER,
													   "token-classification");
	ArrayIterator iterator;
	Datum		element;
	bool		null;
	size_t		i;

	r->outputs = labels->outputs;
	r->groups = palloc0(r->outputs * sizeof(mb_label));
	r->wanted = palloc0(r->outputs * sizeof(bool));
	for (i = 0; i < r->outputs; i++)
	{
		/* one without a name is an error if it is ever the best one */
		if (labels->names[i] != (Datum) 0)
			r->groups[i] = mb_entity_group(label_of((text *)
													DatumGetPointer(labels->names[i])));
		r->wanted[i] = !ARG_IS_GIVEN(REDACT_LABELS);
	}
	if (!ARG_IS_GIVEN(REDACT_LABELS))
		return;
	iterator = array_create_iterator(PG_GETARG_ARRAYTYPE_P(REDACT_LABELS), 0,
									 NULL);
	while (array_iterate(iterator, &element, &null))
	{
		mb_label	label;
		bool		found = false;

		CHECK_FOR_INTERRUPTS();
		if (null)
			continue;
		label = label_of(DatumGetTextPP(element));
		for (i = 0; i < r->outputs; i++)
		{
			if (same_label(&r->groups[i], &label) && !is_outside(&label))
			{
				r->wanted[i] = true;
				found = true;
			}
		}
		if (!found)
			unknown_label(r, DatumGetTextPP(element));
	}
	array_free_iterator(iterator);
}

/*
 * Spans
 */

static void
spans_init(Spans *spans, size_t room)
{
	spans->room = room;
	spans->count = 0;
	spans->names = 0;
	spans->items = mobilebert_allocate(room, sizeof(mb_span));
	spans->labels = mobilebert_allocate(room, sizeof(mb_label));
}

/* The number of a further label. */
static uint32
spans_label(Spans *spans, mb_label label)
{
	spans->labels[spans->names] = label;
	return (uint32) spans->names++;
}

/* One more; an empty one is none. */
static void
spans_add(Spans *spans, int32 start, int32 end, uint32 label)
{
	mb_span    *span = &spans->items[spans->count];

	if (start >= end)
		return;
	span->start = (size_t) start;
	span->end = (size_t) end;
	span->label = label;
	spans->count++;
}

static void
patterns_find(const MobilebertText *t, unsigned set, mb_arena *arena,
			  mb_matches *found)
{
	memset(found, 0, sizeof(*found));
	if (set != 0)
		ENGINE_CALL(mb_patterns_find, t->utf8, t->length, set, arena,
					&mobilebert_cancel, found);
}

/* The finds of patterns, and their names as labels, before all others. */
static void
spans_patterns(Spans *spans, const MobilebertText *t, const mb_matches *found)
{
	size_t		i;

	for (i = 0; i < MB_PATTERN_KINDS; i++)
	{
		mb_label	label;

		label.text = mb_pattern_name((mb_pattern) i);
		label.length = strlen(label.text);
		(void) spans_label(spans, label);
	}
	for (i = 0; i < found->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		spans_add(spans, mobilebert_text_offset(t, found->items[i].start),
				  mobilebert_text_end(t, found->items[i].end),
				  (uint32) found->items[i].pattern);
	}
}

/* The entities of an array, in the order in which they come. */
typedef struct Entities
{
	ArrayIterator iterator;
	TupleDesc	desc;
	Datum		values[MaxTupleAttributeNumber];
	bool		nulls[MaxTupleAttributeNumber];
	size_t		number;			/* of the current one, from 1 */
	const MobilebertText *text;
	const uint32 *places;
	int32		characters;
} Entities;

static void
entities_init(Entities *e, ArrayType *array, const MobilebertText *t)
{
	e->iterator = array_create_iterator(array, 0, NULL);
	e->desc = lookup_rowtype_tupdesc_copy(ARR_ELEMTYPE(array), -1);
	if (e->desc->natts < ENTITY_COLUMNS)
		elog(ERROR, "type %u is not mobilebert.entity", ARR_ELEMTYPE(array));
	e->number = 0;
	e->text = t;
	e->places = mobilebert_text_places(t);
	e->characters = mobilebert_text_length(t);
}

/* Does the entity's word stand where it says? */
static bool
is_there(const Entities *e, int32 start, int32 end)
{
	text	   *word;
	size_t		from;
	size_t		to;

	if (e->nulls[ENTITY_WORD])
		return true;
	word = DatumGetTextPP(e->values[ENTITY_WORD]);
	from = mobilebert_text_place(e->text, e->places, start);
	to = mobilebert_text_place(e->text, e->places, end);
	return to - from == VARSIZE_ANY_EXHDR(word) &&
		memcmp(e->text->original + from, VARDATA_ANY(word), to - from) == 0;
}

/* The next entity, checked; false: there is none. */
static bool
entities_next(Entities *e, mb_label *label, int32 *start, int32 *end)
{
	HeapTupleData tuple;
	Datum		element;
	bool		null;

	CHECK_FOR_INTERRUPTS();
	if (!array_iterate(e->iterator, &element, &null))
		return false;
	if (null)
		mobilebert_array_null("entities");
	e->number++;
	tuple.t_data = DatumGetHeapTupleHeader(element);
	tuple.t_len = HeapTupleHeaderGetDatumLength(tuple.t_data);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	heap_deform_tuple(&tuple, e->desc, e->values, e->nulls);
	if (e->nulls[ENTITY_LABEL] || e->nulls[ENTITY_START] ||
		e->nulls[ENTITY_END])
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("entity %zu has no label or no offsets", e->number)));
	*label = label_of(DatumGetTextPP(e->values[ENTITY_LABEL]));
	if (!e->nulls[ENTITY_TOKEN])
		*label = mb_entity_group(*label);	/* of a token: B-PER */
	*start = DatumGetInt32(e->values[ENTITY_START]);
	*end = DatumGetInt32(e->values[ENTITY_END]);
	if (*start < 0 || *end < *start || *end > e->characters)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("entity %zu does not lie in the text", e->number),
				 errdetail("It goes from %d to %d, and the text has %d characters.",
						   *start, *end, e->characters),
				 errhint("Entities are those of one text; find them again when it has changed.")));
	if (!is_there(e, *start, *end))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("entity %zu is not what stands in the text", e->number),
				 errdetail("Its word differs from the characters %d to %d of the text.",
						   *start, *end),
				 errhint("Entities are those of one text; find them again when it has changed.")));
	return true;
}

/*
 * Results
 */

/* The text with its spans replaced or marked, as the task says. */
static text *
markup(const MobilebertText *t, Spans *spans, mb_markup_task *task,
	   mb_arena *arena)
{
	const uint32 *places;
	mb_markup	result;
	text	   *value;
	size_t		i;

	ENGINE_CALL(mb_spans_settle, spans->items, &spans->count,
				(size_t) mobilebert_text_length(t), !task->keep, arena,
				&mobilebert_cancel);
	places = mobilebert_text_places(t);
	for (i = 0; i < spans->count; i++)
	{
		mb_span    *span = &spans->items[i];

		CHECK_FOR_INTERRUPTS();
		span->start = mobilebert_text_place(t, places, (int32) span->start);
		span->end = mobilebert_text_place(t, places, (int32) span->end);
	}
	task->text = t->original;
	task->length = t->original_length;
	task->spans = spans->items;
	task->count = spans->count;
	task->labels = spans->labels;
	ENGINE_CALL(mb_markup_begin, &result, task, arena, &mobilebert_cancel);
	if (result.size > MaxAllocSize - VARHDRSZ)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("text would have %zu bytes, and a text has at most 1 GB",
						result.size)));
	mobilebert_memory_check("text", result.size);
	value = palloc(VARHDRSZ + result.size);
	SET_VARSIZE(value, VARHDRSZ + result.size);
	ENGINE_CALL(mb_markup_write, &result, VARDATA(value), &mobilebert_cancel);
	return value;
}

static text *
redacted(const MobilebertText *t, Spans *spans, mb_label replacement,
		 mb_arena *arena)
{
	mb_markup_task task;

	memset(&task, 0, sizeof(task));
	task.before = replacement;
	task.after.text = "";
	task.option = "replacement";
	return markup(t, spans, &task, arena);
}

static text *
highlighted(const MobilebertText *t, Spans *spans, mb_label start,
			mb_label stop)
{
	mb_memory	memory = mobilebert_memory(CurrentMemoryContext);
	mb_markup_task task;
	mb_arena	arena;
	text	   *value;

	mobilebert_arena_init(&arena, &memory);
	memset(&task, 0, sizeof(task));
	task.before = start;
	task.after = stop;
	task.keep = true;
	task.html = true;
	task.option = "start_sel or stop_sel";
	value = markup(t, spans, &task, &arena);
	mb_arena_free(&arena);
	return value;
}

/*
 * redact with a model, or with patterns alone
 */

static Datum
redact_result(MobilebertCall *call, bool *null)
{
	RedactCall *r = (RedactCall *) call;
	const mb_entity_list *done = &r->ner.entities.done;
	const MobilebertText *t = &r->ner.text;
	mb_memory	memory = mobilebert_memory(CurrentMemoryContext);
	mb_arena	arena;
	mb_matches	found;
	Spans		spans;
	text	   *value;
	uint32		first;
	size_t		i;

	mobilebert_arena_init(&arena, &memory);
	patterns_find(t, r->patterns, &arena, &found);
	spans_init(&spans, found.count + done->count + MB_PATTERN_KINDS +
			   r->outputs);
	spans_patterns(&spans, t, &found);
	first = (uint32) spans.names;
	for (i = 0; i < r->outputs; i++)
		(void) spans_label(&spans, r->groups[i]);
	for (i = 0; i < done->count; i++)
	{
		const mb_entity *entity = &done->items[i];

		CHECK_FOR_INTERRUPTS();
		if (r->wanted[entity->label] && !(entity->score < r->min_score))
			spans_add(&spans, mobilebert_text_offset(t, entity->start),
					  mobilebert_text_end(t, entity->end),
					  first + entity->label);
	}
	value = redacted(t, &spans, r->replacement, &arena);
	mb_arena_free(&arena);
	*null = false;
	return PointerGetDatum(value);
}

/* Without a model */
static void
redact_patterns(RedactCall *r, FunctionCallInfo fcinfo, text *input)
{
	if (ARG_IS_GIVEN(REDACT_LABELS))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"labels\" needs a model"),
				 errhint("These are labels of a model; what is found without one is named by patterns => '{EMAIL}'.")));
	if (r->patterns == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("redact needs a model or patterns"),
				 errhint("Nothing would be masked.")));
	(void) mobilebert_aggregation(ARG_TEXT(REDACT_AGGREGATION),
								  redact_arguments.strategy);
	mobilebert_text_read(input, &r->ner.text);
}

/*
 * redact(input text [, model text, labels text[], replacement text,
 * min_score real, patterns text[], aggregation_strategy text]) -> text
 */
MobilebertCall *
mobilebert_redact_begin(FunctionCallInfo fcinfo)
{
	RedactCall *r;
	text	   *input;

	if (PG_ARGISNULL(REDACT_INPUT))
		return NULL;
	r = palloc0(sizeof(RedactCall));
	r->ner.call.result = redact_result;
	r->has_model = PG_NARGS() <= REDACT_MODEL || !PG_ARGISNULL(REDACT_MODEL);
	r->patterns = patterns_read(fcinfo, REDACT_PATTERNS);
	r->min_score = min_score_read(fcinfo);
	r->replacement = template_read(fcinfo, REDACT_REPLACEMENT,
								   DEFAULT_REPLACEMENT, "replacement");
	input = PG_GETARG_TEXT_P_COPY(REDACT_INPUT);
	if (r->has_model)
	{
		mobilebert_ner_start(&r->ner, fcinfo, &redact_arguments, input);
		labels_read(r, fcinfo);
	}
	else
		redact_patterns(r, fcinfo, input);
	return &r->ner.call;
}

MOBILEBERT_VALUE_FUNCTION(mobilebert_redact);

/*
 * redact(input text, entities mobilebert.entity[] [, labels text[],
 * replacement text, min_score real, patterns text[]]) -> text
 */

/* Is the label one of an array's?  NULL: all are. */
static bool
is_wanted(const mb_label *label, ArrayType *labels)
{
	ArrayIterator iterator;
	Datum		element;
	bool		null;
	bool		found = false;

	if (labels == NULL)
		return true;
	iterator = array_create_iterator(labels, 0, NULL);
	while (!found && array_iterate(iterator, &element, &null))
	{
		mb_label	wanted;

		CHECK_FOR_INTERRUPTS();
		if (null)
			continue;
		wanted = label_of(DatumGetTextPP(element));
		found = same_label(label, &wanted);
	}
	array_free_iterator(iterator);
	return found;
}

PG_FUNCTION_INFO_V1(mobilebert_redact_entities);
Datum
mobilebert_redact_entities(PG_FUNCTION_ARGS)
{
	mb_memory	memory = mobilebert_memory(CurrentMemoryContext);
	mb_arena	arena;
	mb_matches	found;
	MobilebertText t;
	mb_label	replacement;
	mb_label	label;
	ArrayType  *array;
	ArrayType  *labels;
	Entities   *entities;
	Spans		spans;
	text	   *value;
	float		min_score;
	unsigned	patterns;
	int32		start;
	int32		end;

	if (PG_ARGISNULL(REDACT_INPUT) || PG_ARGISNULL(REDACT_ENTITIES))
		PG_RETURN_NULL();
	array = PG_GETARG_ARRAYTYPE_P(REDACT_ENTITIES);
	labels = ARG_IS_GIVEN(REDACT_LABELS) ?
		PG_GETARG_ARRAYTYPE_P(REDACT_LABELS) : NULL;
	patterns = patterns_read(fcinfo, REDACT_PATTERNS);
	min_score = min_score_read(fcinfo);
	replacement = template_read(fcinfo, REDACT_REPLACEMENT,
								DEFAULT_REPLACEMENT, "replacement");
	mobilebert_text_read(PG_GETARG_TEXT_PP(REDACT_INPUT), &t);
	mobilebert_arena_init(&arena, &memory);
	patterns_find(&t, patterns, &arena, &found);
	spans_init(&spans, found.count + MB_PATTERN_KINDS +
			   mobilebert_array_length(array, "entities"));
	spans_patterns(&spans, &t, &found);
	entities = palloc(sizeof(Entities));
	entities_init(entities, array, &t);
	while (entities_next(entities, &label, &start, &end))
	{
		float		score = entities->nulls[ENTITY_SCORE] ? 1 :
			DatumGetFloat4(entities->values[ENTITY_SCORE]);

		if (!(score < min_score) && is_wanted(&label, labels))
			spans_add(&spans, start, end, spans_label(&spans, label));
	}
	value = redacted(&t, &spans, replacement, &arena);
	mb_arena_free(&arena);
	mobilebert_text_free(&t);
	PG_RETURN_TEXT_P(value);
}

/* highlight(input text, entities mobilebert.entity[] [, start_sel, stop_sel]) */
PG_FUNCTION_INFO_V1(mobilebert_highlight);
Datum
mobilebert_highlight(PG_FUNCTION_ARGS)
{
	MobilebertText t;
	mb_label	start_sel;
	mb_label	stop_sel;
	mb_label	label;
	ArrayType  *array;
	Entities   *entities;
	Spans		spans;
	text	   *value;
	int32		start;
	int32		end;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	array = PG_GETARG_ARRAYTYPE_P(1);
	start_sel = template_read(fcinfo, 2, "<mark class=\"{}\">", "start_sel");
	stop_sel = template_read(fcinfo, 3, "</mark>", "stop_sel");
	mobilebert_text_read(PG_GETARG_TEXT_PP(0), &t);
	spans_init(&spans, mobilebert_array_length(array, "entities"));
	entities = palloc(sizeof(Entities));
	entities_init(entities, array, &t);
	while (entities_next(entities, &label, &start, &end))
		spans_add(&spans, start, end, spans_label(&spans, label));
	value = highlighted(&t, &spans, start_sel, stop_sel);
	mobilebert_text_free(&t);
	PG_RETURN_TEXT_P(value);
}

/* highlight(input text, start_offset int, end_offset int [, start_sel, stop_sel]) */
PG_FUNCTION_INFO_V1(mobilebert_highlight_span);
Datum
mobilebert_highlight_span(PG_FUNCTION_ARGS)
{
	MobilebertText t;
	mb_label	start_sel;
	mb_label	stop_sel;
	mb_label	label = {"", 0};
	Spans		spans;
	text	   *value;
	int32		characters;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	start_sel = template_read(fcinfo, 3, "<mark>", "start_sel");
	stop_sel = template_read(fcinfo, 4, "</mark>", "stop_sel");
	mobilebert_text_read(PG_GETARG_TEXT_PP(0), &t);
	characters = mobilebert_text_length(&t);
	spans_init(&spans, 1);
	if (!PG_ARGISNULL(1) && !PG_ARGISNULL(2))
	{
		int32		start = PG_GETARG_INT32(1);
		int32		end = PG_GETARG_INT32(2);

		if (start < 0 || end < start || end > characters)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("offsets do not lie in the text"),
					 errdetail("They go from %d to %d, and the text has %d characters.",
							   start, end, characters)));
		spans_add(&spans, start, end, spans_label(&spans, label));
	}
	value = highlighted(&t, &spans, start_sel, stop_sel);
	mobilebert_text_free(&t);
	PG_RETURN_TEXT_P(value);
}

/* pattern_entities(input text [, patterns text[]]) -> mobilebert.entity[] */
PG_FUNCTION_INFO_V1(mobilebert_pattern_entities);
Datum
mobilebert_pattern_entities(PG_FUNCTION_ARGS)
{
	mb_memory	memory = mobilebert_memory(CurrentMemoryContext);
	mb_arena	arena;
	mb_matches	found;
	MobilebertText t;
	const uint32 *places;
	TupleDesc	desc;
	Datum	   *rows;
	Oid			row_type;
	size_t		i;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	row_type = get_element_type(get_func_rettype(fcinfo->flinfo->fn_oid));
	if (!OidIsValid(row_type))
		elog(ERROR, "function %u does not return an array",
			 fcinfo->flinfo->fn_oid);
	desc = lookup_rowtype_tupdesc_copy(row_type, -1);
	mobilebert_text_read(PG_GETARG_TEXT_PP(0), &t);
	places = mobilebert_text_places(&t);
	mobilebert_arena_init(&arena, &memory);
	patterns_find(&t, ARG_IS_GIVEN(1) ? patterns_read(fcinfo, 1) :
				  (1u << MB_PATTERN_KINDS) - 1, &arena, &found);
	if (found.count > PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many entities")));
	rows = mobilebert_allocate(found.count, sizeof(Datum));
	for (i = 0; i < found.count; i++)
	{
		const mb_match *match = &found.items[i];
		int32		start = mobilebert_text_offset(&t, match->start);
		int32		end = mobilebert_text_end(&t, match->end);
		size_t		from = mobilebert_text_place(&t, places, start);
		size_t		to = mobilebert_text_place(&t, places, end);
		Datum		values[ENTITY_COLUMNS] = {0};
		bool		nulls[ENTITY_COLUMNS] = {false, false, false, false, false,
		true, true};

		CHECK_FOR_INTERRUPTS();
		values[ENTITY_LABEL] =
			CStringGetTextDatum(mb_pattern_name(match->pattern));
		values[ENTITY_SCORE] = Float4GetDatum(1);
		values[ENTITY_WORD] =
			PointerGetDatum(cstring_to_text_with_len(t.original + from,
													 (int) (to - from)));
		values[ENTITY_START] = Int32GetDatum(start);
		values[ENTITY_END] = Int32GetDatum(end);
		rows[i] = HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
		pfree(DatumGetPointer(values[ENTITY_LABEL]));
		pfree(DatumGetPointer(values[ENTITY_WORD]));
	}
	mb_arena_free(&arena);
	mobilebert_text_free(&t);
	PG_RETURN_ARRAYTYPE_P(construct_array(rows, (int) found.count, row_type,
										  -1, false, TYPALIGN_DOUBLE));
}
