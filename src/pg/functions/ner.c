/*-------------------------------------------------------------------------
 *
 * ner.c
 *	  A call of a token classifier: options, texts and words, windows.
 *
 * Each window's logits are computed while its states are in the workspace and
 * go straight into the engine's mb_entities, which keeps no more than the
 * entities.
 *
 * A text that does not fit is read in overlapping windows, in the way of
 * Hugging Face's option "stride": every window is run as if padded to the
 * longest, and of overlapping entities the longer one stays.  Strategy "none"
 * has no such merging there; here each token then counts once, in the window
 * in which it stands farther inside (sequences.c).
 *
 * Words that come pre-split are tokenised each alone, and then treated as the
 * text they make with a delimiter between them.
 *
 * Source: transformers' TokenClassificationPipeline; spec pipelines.md 3.
 * Depends on server/pg.h, server/adapt.h, server/options.h, models/labels.h,
 * models/model_cache.h, pass/calls.h, pass/sequences.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/options.h"
#include "models/labels.h"
#include "models/model_cache.h"
#include "pass/calls.h"
#include "pass/sequences.h"
#include "functions/ner.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* Without a stride, windows share one in so many of their tokens. */
#define DEFAULT_OVERLAP 4

/*
 * Options
 */

mb_aggregation
mobilebert_aggregation(text *value, mb_aggregation otherwise)
{
	static const MobilebertChoice choices[] = {
		{"none", MB_AGGREGATE_NONE},
		{"simple", MB_AGGREGATE_SIMPLE},
		{"first", MB_AGGREGATE_FIRST},
		{"average", MB_AGGREGATE_AVERAGE},
		{"max", MB_AGGREGATE_MAX},
		{NULL, 0}
	};

	return (mb_aggregation) mobilebert_choice("aggregation_strategy", value,
											  choices, otherwise);
}

static mb_aggregation
ner_aggregation(FunctionCallInfo fcinfo,
				const MobilebertNerArguments *arguments)
{
	mb_aggregation aggregation =
		mobilebert_aggregation(ARG_TEXT(arguments->aggregation),
							   arguments->strategy);

	if (aggregation == MB_AGGREGATE_NONE && ARG_IS_GIVEN(arguments->stride))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"stride\" needs an \"aggregation_strategy\" other than \"none\""),
				 errdetail("Single tokens of overlapping windows are not merged."),
				 errhint("Without \"stride\" each token of a long text counts once.")));
	return aggregation;
}

/* Labels to leave out, in the database encoding; a NULL among them is none. */
static mb_label *
ner_ignored(FunctionCallInfo fcinfo, int argument, size_t *count)
{
	ArrayType  *array;
	ArrayIterator iterator;
	mb_label   *labels;
	Datum		element;
	bool		null;
	size_t		room;

	if (!ARG_IS_GIVEN(argument))
	{
		labels = palloc(sizeof(mb_label));
		labels->text = "O";
		labels->length = 1;
		*count = 1;
		return labels;
	}
	array = PG_GETARG_ARRAYTYPE_P_COPY(argument);
	room = (size_t) ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	labels = mobilebert_allocate(room, sizeof(mb_label));
	*count = 0;
	iterator = array_create_iterator(array, 0, NULL);
	while (array_iterate(iterator, &element, &null))
	{
		text	   *label;

		CHECK_FOR_INTERRUPTS();
		if (null)
			continue;
		label = DatumGetTextPP(element);
		labels[*count].text = VARDATA_ANY(label);
		labels[*count].length = VARSIZE_ANY_EXHDR(label);
		(*count)++;
	}
	array_free_iterator(iterator);
	return labels;
}

/*
 * Input
 */

static void
ner_tokenise(MobilebertNer *ner, text *input)
{
	const mb_tokenizer *tokenizer = &ner->call.model->image.tokenizer;

	mobilebert_text_read(input, &ner->text);
	ENGINE_CALL(mb_tokenize, tokenizer, ner->text.utf8, ner->text.length,
				tokenizer->split_special_tokens, &ner->in.arena,
				&mobilebert_cancel, &ner->in.first);
}

/* A word as the engine reads it, and its length in characters. */
static size_t
word_length(text *word, mb_document *utf8)
{
	MobilebertText t;
	size_t		length;

	mobilebert_text_read(word, &t);
	utf8->text = t.utf8;
	utf8->length = t.length;
	length = (size_t) mobilebert_text_length(&t);
	if (t.offsets != NULL)
		pfree(t.offsets);
	return length;
}

/*
 * The text of words with a delimiter between them.  Its size is known, and
 * checked, before it is made: together with its copy and those of the words
 * for the engine.
 */
static text *
words_join(ArrayType *array, size_t count, const text *delimiter)
{
	size_t		gap = VARSIZE_ANY_EXHDR(delimiter);
	size_t		size = 0;
	size_t		joined;
	ArrayIterator iterator;
	Datum		element;
	bool		null;
	text	   *result;
	char	   *at;
	size_t		i;

	iterator = array_create_iterator(array, 0, NULL);
	while (array_iterate(iterator, &element, &null))
	{
		CHECK_FOR_INTERRUPTS();
		if (null)
			mobilebert_array_null("words");
		size += VARSIZE_ANY_EXHDR(DatumGetTextPP(element));
	}
	array_free_iterator(iterator);

	/* no overflow: both factors are below 2^30 */
	joined = size + (count > 0 ? (count - 1) * gap : 0);
	mobilebert_memory_check("text of the words", 2 * joined + size +
							count * (sizeof(mb_document) + sizeof(int32) + 1));
	if (joined > MaxAllocSize - VARHDRSZ)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("text of the words would have %zu bytes, and a text has at most 1 GB",
						joined)));
	result = palloc(VARHDRSZ + joined);
	SET_VARSIZE(result, VARHDRSZ + joined);
	at = VARDATA(result);
	iterator = array_create_iterator(array, 0, NULL);
	for (i = 0; i < count && array_iterate(iterator, &element, &null); i++)
	{
		const text *word = DatumGetTextPP(element);

		CHECK_FOR_INTERRUPTS();
		if (i > 0)
		{
			mobilebert_copy(at, VARDATA_ANY(delimiter), gap);
			at += gap;
		}
		mobilebert_copy(at, VARDATA_ANY(word), VARSIZE_ANY_EXHDR(word));
		at += VARSIZE_ANY_EXHDR(word);
	}
	array_free_iterator(iterator);
	return result;
}

/* Tokenise words and make the text of them to which offsets refer. */
static void
ner_tokenise_words(MobilebertNer *ner, ArrayType *array, text *delimiter)
{
	const mb_tokenizer *tokenizer = &ner->call.model->image.tokenizer;
	mb_pieces  *pieces = &ner->in.first;
	size_t		count;
	size_t		at = 0;
	size_t		gap;
	mb_document *words;
	mb_document unused;
	int32	   *starts;
	ArrayIterator iterator;
	Datum		element;
	bool		null;
	size_t		i;

	count = mobilebert_array_length(array, "words");
	mobilebert_text_read(words_join(array, count, delimiter), &ner->text);
	words = mobilebert_allocate(count, sizeof(mb_document));
	starts = mobilebert_allocate(count, sizeof(int32));
	gap = word_length(delimiter, &unused);
	iterator = array_create_iterator(array, 0, NULL);
	for (i = 0; i < count && array_iterate(iterator, &element, &null); i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (i > 0)
			at += gap;
		starts[i] = (int32) at;
		at += word_length(DatumGetTextPP(element), &words[i]);
	}
	array_free_iterator(iterator);
	ENGINE_CALL(mb_tokenize_words, tokenizer, words, count,
				tokenizer->split_special_tokens, &ner->in.arena,
				&mobilebert_cancel, pieces);
	for (i = 0; i < pieces->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		pieces->starts[i] += starts[pieces->words[i]];
		pieces->ends[i] += starts[pieces->words[i]];
	}
}

/* Windows share option "stride" of tokens, or a part of one by default. */
static void
ner_fit(MobilebertNer *ner, FunctionCallInfo fcinfo,
		const MobilebertNerArguments *arguments, size_t max_length)
{
	const mb_tokenizer *tokenizer = &ner->call.model->image.tokenizer;
	size_t		fixed = tokenizer->template_single;
	size_t		limit = ner->in.limit;
	size_t		stride;

	stride = mobilebert_stride(fcinfo, arguments->stride, ner->call.model,
							   max_length);
	if (!ARG_IS_GIVEN(arguments->stride) && limit > fixed)
		stride = (limit - fixed) / DEFAULT_OVERLAP;
	mobilebert_input_fit(&ner->in, fcinfo,
						 mobilebert_overflow(ARG_TEXT(arguments->overflow),
											 OVERFLOW_WINDOW), stride);
	ner->in.from_end = tokenizer->truncate_left;
	ner->in.overflow_parts = true;
}

static void
ner_entities(MobilebertNer *ner, FunctionCallInfo fcinfo, int ignore_labels)
{
	const MobilebertModel *model = ner->call.model;
	const MobilebertLabels *labels = mobilebert_labels(model, MB_TASK_NER,
													   "token-classification");
	mb_label   *names;
	mb_entity_task task;
	size_t		i;

	names = palloc0(labels->outputs * sizeof(mb_label));
	for (i = 0; i < labels->outputs; i++)
	{
		text	   *name = (text *) DatumGetPointer(labels->names[i]);

		if (name == NULL)
			continue;			/* an error if it is ever the best one */
		names[i].text = VARDATA_ANY(name);
		names[i].length = VARSIZE_ANY_EXHDR(name);
	}

	memset(&task, 0, sizeof(task));
	task.tokenizer = &model->image.tokenizer;
	task.text = ner->text.utf8;
	task.length = ner->text.length;
	task.pieces = &ner->in.first;
	task.labels = names;
	task.label_count = labels->outputs;
	task.ignored = ner_ignored(fcinfo, ignore_labels, &task.ignored_count);
	task.aggregation = ner->aggregation;
	task.merge = ner->in.windows > 1 && task.aggregation != MB_AGGREGATE_NONE;
	task.from_end = ner->in.from_end;
	ENGINE_CALL(mb_entities_begin, &ner->entities, &task, &ner->in.arena);
	ner->logits = palloc(labels->outputs * sizeof(float));
	ner->scratch = palloc(mb_head_scratch(&model->image.model) *
						  sizeof(float));
}

/*
 * The network
 */

static void
ner_sequence(MobilebertCall *call, size_t n, MobilebertSequence *sequence)
{
	MobilebertNer *ner = (MobilebertNer *) call;

	mobilebert_input_window(&ner->in, n, sequence);

	/* Padding is on the right alone: see the README's differences. */
	sequence->pad_after = ner->entities.task.merge &&
		sequence->length < ner->in.limit &&
		!call->model->image.tokenizer.pad_left;
}

static void
ner_take(MobilebertCall *call, size_t n, const MobilebertSequence *sequence,
		 const float *states)
{
	MobilebertNer *ner = (MobilebertNer *) call;
	const mb_model *model = &call->model->image.model;
	size_t		width = model->config.hidden_size;
	int32		next_start = PG_INT32_MAX;
	size_t		lead = ner->in.lead;
	size_t		count;
	size_t		first;
	size_t		next;
	size_t		i;

	count = mobilebert_input_pieces(&ner->in, n, sequence->length, &first);
	if (ner->in.windows == 1)
		ner->base = first;
	for (i = 0; i < count; i++)
	{
		size_t		token = lead + i;

		if (ner->aggregation == MB_AGGREGATE_NONE &&
			(token < sequence->keep_from || token >= sequence->keep_to))
			continue;
		ENGINE_CALL(mb_head_logits, model, MB_TASK_NER, states + token * width,
					ner->scratch, ner->logits, &mobilebert_cancel);
		ENGINE_CALL(mb_entities_add, &ner->entities, first + i, ner->logits);
	}
	if (n + 1 < call->sequences)
	{
		(void) mobilebert_input_pieces(&ner->in, n + 1, sequence->length,
									   &next);
		next_start = ner->in.first.starts[next];
	}
	ENGINE_CALL(mb_entities_window, &ner->entities, next_start,
				&mobilebert_cancel);
}

/* What comes before the text is tokenised, and what comes after. */
static size_t
ner_begin(MobilebertNer *ner, FunctionCallInfo fcinfo,
		  const MobilebertNerArguments *arguments)
{
	size_t		max_length;

	ner->call.model = mobilebert_model_argument(fcinfo, arguments->model,
												MB_TASK_NER);
	ner->call.layers = ner->call.model->image.config.layers;
	ner->call.sequence = ner_sequence;
	ner->call.take = ner_take;
	ner->aggregation = ner_aggregation(fcinfo, arguments);
	max_length = mobilebert_max_length(fcinfo, arguments->max_length,
									   ner->call.model, 0);
	mobilebert_input_begin(&ner->in, ner->call.model, NULL, max_length);
	return max_length;
}

static void
ner_end(MobilebertNer *ner, FunctionCallInfo fcinfo,
		const MobilebertNerArguments *arguments, size_t max_length)
{
	ner_fit(ner, fcinfo, arguments, max_length);
	ner_entities(ner, fcinfo, arguments->ignore_labels);

	/* Without pieces there is nothing that the network could say. */
	ner->call.sequences = ner->in.first.count > 0 ? ner->in.windows : 0;
}

void
mobilebert_ner_start(MobilebertNer *ner, FunctionCallInfo fcinfo,
					 const MobilebertNerArguments *arguments, text *input)
{
	size_t		max_length = ner_begin(ner, fcinfo, arguments);

	ner_tokenise(ner, input);
	ner_end(ner, fcinfo, arguments, max_length);
}

void
mobilebert_ner_start_words(MobilebertNer *ner, FunctionCallInfo fcinfo,
						   const MobilebertNerArguments *arguments,
						   ArrayType *words, text *delimiter)
{
	size_t		max_length = ner_begin(ner, fcinfo, arguments);

	ner_tokenise_words(ner, words, delimiter);
	ner_end(ner, fcinfo, arguments, max_length);
}
