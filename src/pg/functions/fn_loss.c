/*-------------------------------------------------------------------------
 *
 * fn_loss.c
 *	  loss(): what Hugging Face's classes return when they are given labels.
 *
 * The overloads differ in how labels are written; which head they are for
 * follows from the model, or from option "head" where it has several that
 * take such labels:
 *
 *	  (input, int)				a class, or a next sentence's label
 *	  (input, text)				a class by name, or the text without masks
 *	  (input, double)			the target of a regression
 *	  (input, double[])			targets of a regression, or of each label
 *	  (input, int[])			a label for each token: tags, or masked tokens;
 *							with next_sentence_label both pretraining heads
 *	  (words[], tags[])			tags of words
 *	  (question, context, ...)	where the answer stands
 *	  (prompt, choices[], int)	which choice is right
 *
 * With an array of inputs they are a batch that is padded to its longest text,
 * as Hugging Face's is; the others are rows by themselves, so that
 * avg(loss(...)) evaluates a table.
 *
 * Source: transformers' MobileBertFor... classes; spec model.md section 5.
 * Depends on server/pg.h, server/adapt.h, server/options.h, models/labels.h,
 * models/model_cache.h, pass/calls.h, pass/rows.h, functions/batched.h,
 * functions/loss.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/options.h"
#include "models/labels.h"
#include "models/model_cache.h"
#include "pass/calls.h"
#include "pass/rows.h"
#include "functions/batched.h"
#include "functions/loss.h"

#include <math.h>

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/float.h"

/* Heads that take an int for a sequence, and one for each token. */
#define SEQUENCE_HEADS (MB_TASK_CLASSIFY | MB_TASK_NEXT_SENTENCE)
#define TOKEN_HEADS (MB_TASK_NER | MB_TASK_FILL_MASK)

/*
 * Arguments
 */

/* Elements of a text[] without nulls. */
static Datum *
texts_read(ArrayType *array, const char *what, int dimensions, size_t *count)
{
	ArrayIterator iterator;
	Datum	   *texts;
	bool		null;
	size_t		i;

	if (ARR_NDIM(array) != dimensions && ARR_NDIM(array) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 dimensions == 1 ?
				 errmsg("array \"%s\" must have one dimension", what) :
				 errmsg("array \"%s\" must have two dimensions", what)));
	*count = (size_t) ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	texts = mobilebert_allocate(*count, sizeof(Datum));
	iterator = array_create_iterator(array, 0, NULL);
	for (i = 0; i < *count && array_iterate(iterator, &texts[i], &null); i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (null)
			mobilebert_array_null(what);
	}
	array_free_iterator(iterator);
	return texts;
}

/*
 * Elements of a double precision[] without nulls, of whatever dimensions: what
 * drivers send, and what real[] becomes by itself.
 */
static const float *
target_values(ArrayType *array, const char *what, size_t *count)
{
	const float8 *given = (const float8 *) ARR_DATA_PTR(array);
	float	   *values;
	size_t		i;

	if (ARR_HASNULL(array) && array_contains_nulls(array))
		mobilebert_array_null(what);
	*count = (size_t) ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	values = MemoryContextAllocHuge(CurrentMemoryContext,
									Max(*count, 1) * sizeof(float));
	for (i = 0; i < *count; i++)
		values[i] = (float) given[i];
	return values;
}

/* The number of the first label of that name. */
static int32
label_number(const LossCall *loss, text *name, const char *pipeline)
{
	const MobilebertLabels *labels = mobilebert_labels(loss->call.model,
													   loss->task, pipeline);
	size_t		length = VARSIZE_ANY_EXHDR(name);
	size_t		i;

	for (i = 0; i < labels->outputs; i++)
	{
		const void *label = DatumGetPointer(labels->names[i]);

		if (label != NULL && VARSIZE_ANY_EXHDR(label) == length &&
			memcmp(VARDATA_ANY(label), VARDATA_ANY(name), length) == 0)
			return (int32) i;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("model \"%s\" has no label \"%s\"",
					loss->call.model->name, text_to_cstring(name)),
			 errhint("The view mobilebert.models shows the labels.")));
}

/* Argument 0, alone or with a second text. */
static void
add_text(LossCall *loss, FunctionCallInfo fcinfo, int second)
{
	(void) mobilebert_rows_add(&loss->rows, PG_GETARG_TEXT_PP(0),
							   mobilebert_second_text(fcinfo, second));
}

/* Rows of a batch. */
static void
add_batch(LossCall *loss, ArrayType *inputs, ArrayType *pairs)
{
	Datum	   *firsts;
	Datum	   *seconds = NULL;
	size_t		count;
	size_t		pair_count;
	size_t		i;

	firsts = texts_read(inputs, "input", 1, &count);
	if (pairs != NULL)
	{
		seconds = texts_read(pairs, "pair", 1, &pair_count);
		loss_check_count("pair", pair_count, count);
	}
	for (i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		(void) mobilebert_rows_add(&loss->rows, DatumGetTextPP(firsts[i]),
								   seconds == NULL ? NULL :
								   DatumGetTextPP(seconds[i]));
	}
	loss->padded = true;
}

/*
 * Labels of a sequence
 */

/* loss(input text, model text, label int, pair text, head text) */
MobilebertCall *
mobilebert_loss_label_begin(FunctionCallInfo fcinfo)
{
	LossCall   *loss;
	int32	   *label;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(2))
		return NULL;
	loss = loss_make_head(fcinfo, 4, SEQUENCE_HEADS);
	add_text(loss, fcinfo, 3);
	loss_ready(loss);
	label = palloc(sizeof(int32));
	*label = PG_GETARG_INT32(2);
	loss_labels(loss, label);
	return &loss->call;
}

MOBILEBERT_VALUE_FUNCTION(mobilebert_loss_label);

/*
 * The tokens of the true text where the input has masks, and no label
 * elsewhere.
 */
static int32 *
masked_labels(LossCall *loss, text *truth)
{
	int32		mask_id = loss->call.model->image.tokenizer.mask_id;
	const MobilebertRow *row;
	const MobilebertRow *true_row;
	int32	   *labels;
	size_t		i;

	(void) mobilebert_rows_add(&loss->rows, truth, NULL);
	row = &loss->rows.rows[0];
	true_row = &loss->rows.rows[1];
	if (row->length != true_row->length)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("text and its true form must have the same number of tokens"),
				 errdetail("They have %zu and %zu.", row->length,
						   true_row->length),
				 errhint("A word of several tokens needs as many mask tokens; mobilebert.tokens() shows them.")));
	labels = palloc(row->length * sizeof(int32));
	for (i = 0; i < row->length; i++)
		labels[i] = row->ids[i] == mask_id ? true_row->ids[i] : MB_NO_LABEL;
	loss->rows.count = 1;		/* the true text is not read */
	return labels;
}

/* loss(input text, model text, label text, pair text, head text) */
MobilebertCall *
mobilebert_loss_name_begin(FunctionCallInfo fcinfo)
{
	LossCall   *loss;
	text	   *label;
	int32	   *number;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(2))
		return NULL;
	label = PG_GETARG_TEXT_PP(2);
	loss = loss_make_head(fcinfo, 4, MB_TASK_CLASSIFY | MB_TASK_FILL_MASK);
	if (loss->task == MB_TASK_FILL_MASK && ARG_IS_GIVEN(3))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("true form of a masked text cannot be given for a pair"),
				 errhint("Give the labels of all tokens as integer array.")));
	add_text(loss, fcinfo, 3);
	if (loss->task == MB_TASK_FILL_MASK)
	{
		int32	   *labels = masked_labels(loss, label);

		loss_ready(loss);
		loss_token_labels(loss, labels, loss->rows.longest);
		return &loss->call;
	}
	loss_ready(loss);
	number = palloc(sizeof(int32));
	*number = label_number(loss, label, "text-classification");
	loss_labels(loss, number);
	return &loss->call;
}

MOBILEBERT_VALUE_FUNCTION(mobilebert_loss_name);

/* loss(input text, model text, target double precision, pair text) */
MobilebertCall *
mobilebert_loss_target_begin(FunctionCallInfo fcinfo)
{
	LossCall   *loss;
	float	   *target;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(2))
		return NULL;
	loss = loss_make(fcinfo, 1, MB_TASK_CLASSIFY);
	add_text(loss, fcinfo, 3);
	loss_ready(loss);
	target = palloc(sizeof(float));
	*target = (float) PG_GETARG_FLOAT8(2);
	if (isinf(*target) && !isinf(PG_GETARG_FLOAT8(2)))
		float_overflow_error();
	loss_targets(loss, target, 1);
	return &loss->call;
}

MOBILEBERT_VALUE_FUNCTION(mobilebert_loss_target);

/* loss(input text, model text, targets double precision[], pair text) */
MobilebertCall *
mobilebert_loss_targets_begin(FunctionCallInfo fcinfo)
{
	LossCall   *loss;
	const float *targets;
	size_t		count;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(2))
		return NULL;
	loss = loss_make(fcinfo, 1, MB_TASK_CLASSIFY);
	add_text(loss, fcinfo, 3);
	loss_ready(loss);
	targets = target_values(PG_GETARG_ARRAYTYPE_P(2), "targets", &count);
	loss_targets(loss, targets, count);
	return &loss->call;
}

MOBILEBERT_VALUE_FUNCTION(mobilebert_loss_targets);

/*
 * Labels of tokens
 */

/*
 * loss(input text, model text, labels int[], pair text, head text,
 * next_sentence_label int)
 */
MobilebertCall *
mobilebert_loss_tokens_begin(FunctionCallInfo fcinfo)
{
	LossCall   *loss;
	const int32 *labels;
	size_t		count;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(2))
		return NULL;
	loss = loss_make_head(fcinfo, 4, ARG_IS_GIVEN(5) ? MB_TASK_FILL_MASK :
						  TOKEN_HEADS);
	add_text(loss, fcinfo, 3);
	loss_ready(loss);
	labels = mobilebert_int_values(PG_GETARG_ARRAYTYPE_P(2), "labels", &count);
	loss_token_labels(loss, labels, count);
	if (ARG_IS_GIVEN(5))
		loss_next_label(loss, PG_GETARG_INT32(5));
	return &loss->call;
}

MOBILEBERT_VALUE_FUNCTION(mobilebert_loss_tokens);

/*
 * loss(words text[], model text, tags text[]): the first token of a word has
 * its tag, the others have none.
 */
MobilebertCall *
mobilebert_loss_tags_begin(FunctionCallInfo fcinfo)
{
	LossCall   *loss;
	const mb_encoding *encoding;
	mb_document *words;
	Datum	   *texts;
	Datum	   *tags;
	int32	   *labels;
	int32		last = -1;
	size_t		bytes = 0;
	size_t		count;
	size_t		tag_count;
	size_t		i;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(2))
		return NULL;
	loss = loss_make(fcinfo, 1, MB_TASK_NER);
	texts = texts_read(PG_GETARG_ARRAYTYPE_P(0), "words", 1, &count);
	tags = texts_read(PG_GETARG_ARRAYTYPE_P(2), "tags", 1, &tag_count);
	loss_check_count("tags", tag_count, count);
	words = mobilebert_allocate(count, sizeof(mb_document));
	for (i = 0; i < count; i++)
	{
		MobilebertText t;

		CHECK_FOR_INTERRUPTS();
		bytes += VARSIZE_ANY_EXHDR(DatumGetTextPP(texts[i])) + 1;
		mobilebert_memory_check("words", bytes);
		mobilebert_text_read(DatumGetTextPP(texts[i]), &t);
		words[i].text = t.utf8;
		words[i].length = t.length;
	}

	encoding = mobilebert_rows_add_words(&loss->rows, words, count);
	labels = palloc(encoding->length * sizeof(int32));
	for (i = 0; i < encoding->length; i++)
	{
		int32		word = encoding->words[i];

		CHECK_FOR_INTERRUPTS();
		labels[i] = word < 0 || word == last ? MB_NO_LABEL :
			label_number(loss, DatumGetTextPP(tags[word]),
						 "token-classification");
		last = word;
	}
	loss_ready(loss);
	loss_token_labels(loss, labels, loss->rows.longest);
	return &loss->call;
}

MOBILEBERT_VALUE_FUNCTION(mobilebert_loss_tags);

/*
 * Answers
 */

/* Question, context and model; the row is there. */
static LossCall *
answer_call(FunctionCallInfo fcinfo)
{
	LossCall   *loss = loss_make(fcinfo, 2, MB_TASK_ANSWER);
	const MobilebertModel *model = loss->call.model;

	if (mb_head_width(&model->image.model, MB_TASK_ANSWER) != 2)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("question answering head of model \"%s\" must have two outputs, and not %zu",
						model->name,
						mb_head_width(&model->image.model, MB_TASK_ANSWER))));
	return loss;
}

/*
 * loss(question text, context text, model text, start_position int,
 * end_position int)
 */
MobilebertCall *
mobilebert_loss_positions_begin(FunctionCallInfo fcinfo)
{
	LossCall   *loss;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(3) ||
		PG_ARGISNULL(4))
		return NULL;
	loss = answer_call(fcinfo);
	loss->start = PG_GETARG_INT32(3);
	loss->end = PG_GETARG_INT32(4);
	add_text(loss, fcinfo, 1);
	loss_ready(loss);
	return &loss->call;
}

MOBILEBERT_VALUE_FUNCTION(mobilebert_loss_positions);

/*
 * The first and the last token of an answer that begins at character "start":
 * the last one that begins not after it, and the first that ends not before
 * its end (as transformers' example run_qa.py has it).  False: the context's
 * tokens do not cover the answer.
 */
static bool
answer_tokens(LossCall *loss, const mb_encoding *encoding, text *context,
			  text *answer, int32 start)
{
	MobilebertText t;
	int32		end;
	Datum		slice;
	size_t		i;

	mobilebert_text_read(context, &t);
	end = pg_mbstrlen_with_len(VARDATA_ANY(answer),
							   (int) VARSIZE_ANY_EXHDR(answer));
	if (start >= 0 && end <= PG_INT32_MAX - start)
	{
		end += start;
		mobilebert_text_slices(&t, &start, &end, 1, &slice);
	}
	else
		slice = PointerGetDatum(cstring_to_text(""));
	if (VARSIZE_ANY_EXHDR(answer) == 0 ||
		VARSIZE_ANY_EXHDR(DatumGetPointer(slice)) !=
		VARSIZE_ANY_EXHDR(answer) ||
		memcmp(VARDATA_ANY(DatumGetPointer(slice)), VARDATA_ANY(answer),
			   VARSIZE_ANY_EXHDR(answer)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("answer does not stand at character %d of the context",
						start)));

	loss->start = -1;
	loss->end = -1;
	for (i = 0; i < encoding->length; i++)
	{
		if (encoding->sequences[i] != 1)
			continue;
		if (mobilebert_text_offset(&t, encoding->starts[i]) <= start)
			loss->start = (int64) i;
		if (loss->end < 0 &&
			mobilebert_text_end(&t, encoding->ends[i]) >= end)
			loss->end = (int64) i;
	}
	return loss->start >= 0 && loss->end >= 0;
}

/* The token that stands for "no answer" (run_qa.py): the first [CLS]. */
static int64
no_answer_token(const LossCall *loss, const mb_encoding *encoding)
{
	int32		cls_id = loss->call.model->image.tokenizer.cls_id;
	size_t		i;

	for (i = 0; i < encoding->length; i++)
	{
		if (cls_id >= 0 && encoding->ids[i] == cls_id)
			return (int64) i;
	}
	return 0;
}

/*
 * loss(question text, context text, model text, answer text,
 * answer_start int)
 */
MobilebertCall *
mobilebert_loss_answer_begin(FunctionCallInfo fcinfo)
{
	LossCall   *loss;
	const mb_encoding *encoding;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(3) ||
		PG_ARGISNULL(4))
		return NULL;
	loss = answer_call(fcinfo);
	encoding = mobilebert_rows_add(&loss->rows, PG_GETARG_TEXT_PP(0),
								   PG_GETARG_TEXT_PP(1));
	if (!answer_tokens(loss, encoding, PG_GETARG_TEXT_PP(1),
					   PG_GETARG_TEXT_PP(3), PG_GETARG_INT32(4)))
	{
		/* no token holds it */
		loss->start = no_answer_token(loss, encoding);
		loss->end = loss->start;
	}
	loss_ready(loss);
	return &loss->call;
}

MOBILEBERT_VALUE_FUNCTION(mobilebert_loss_answer);

/*
 * Choices
 */

/*
 * loss(prompt text, choices text[], model text, choice_no int,
 * padding boolean)
 */
MobilebertCall *
mobilebert_loss_choice_begin(FunctionCallInfo fcinfo)
{
	LossCall   *loss;
	Datum	   *choices;
	text	   *prompt;
	int32		right;
	size_t		i;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(3))
		return NULL;
	loss = loss_make(fcinfo, 2, MB_TASK_CHOOSE);
	loss->padded = ARG_BOOL(4, true);
	prompt = PG_GETARG_TEXT_PP(0);
	choices = texts_read(PG_GETARG_ARRAYTYPE_P(1), "choices", 1,
						 &loss->choices);
	for (i = 0; i < loss->choices; i++)
		(void) mobilebert_rows_add(&loss->rows, prompt,
								   DatumGetTextPP(choices[i]));
	right = PG_GETARG_INT32(3);
	loss_ready(loss);
	loss_choices(loss, &right, 1);
	return &loss->call;
}

MOBILEBERT_VALUE_FUNCTION(mobilebert_loss_choice);

/*
 * Batches
 */

/*
 * loss(input text[], model text, labels int[], pair text[], head text): a
 * label for each text, or [texts][tokens of the longest].
 */
MobilebertCall *
mobilebert_loss_labels_batch_begin(FunctionCallInfo fcinfo)
{
	LossCall   *loss;
	ArrayType  *array;
	size_t		count;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(2))
		return NULL;
	array = PG_GETARG_ARRAYTYPE_P(2);
	loss = loss_make_head(fcinfo, 4, ARR_NDIM(array) == 2 ? TOKEN_HEADS :
						  SEQUENCE_HEADS);
	add_batch(loss, PG_GETARG_ARRAYTYPE_P(0),
			  ARG_IS_GIVEN(3) ? PG_GETARG_ARRAYTYPE_P(3) : NULL);
	loss_ready(loss);
	if (ARR_NDIM(array) == 2)
	{
		if (ARR_HASNULL(array) && array_contains_nulls(array))
			mobilebert_array_null("labels");
		if ((size_t) ARR_DIMS(array)[0] != loss->rows.count)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("array \"%s\" must have one row for each text",
							"labels"),
					 errdetail("Texts are %zu, and rows %d.",
							   loss->rows.count, ARR_DIMS(array)[0])));
		loss_token_labels(loss, (const int32 *) ARR_DATA_PTR(array),
						  (size_t) ArrayGetNItems(2, ARR_DIMS(array)));
	}
	else
	{
		const int32 *labels = mobilebert_int_values(array, "labels", &count);

		loss_check_count("labels", count, loss->rows.count);
		loss_labels(loss, labels);
	}
	return &loss->call;
}

MOBILEBERT_VALUE_FUNCTION(mobilebert_loss_labels_batch);

/* loss(input text[], model text, targets double precision[], pair text[]) */
MobilebertCall *
mobilebert_loss_targets_batch_begin(FunctionCallInfo fcinfo)
{
	LossCall   *loss;
	const float *targets;
	size_t		count;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(2))
		return NULL;
	loss = loss_make(fcinfo, 1, MB_TASK_CLASSIFY);
	add_batch(loss, PG_GETARG_ARRAYTYPE_P(0),
			  ARG_IS_GIVEN(3) ? PG_GETARG_ARRAYTYPE_P(3) : NULL);
	loss_ready(loss);
	targets = target_values(PG_GETARG_ARRAYTYPE_P(2), "targets", &count);
	loss_targets(loss, targets, count);
	return &loss->call;
}

MOBILEBERT_VALUE_FUNCTION(mobilebert_loss_targets_batch);

/*
 * loss(prompt text[], choices text[], model text, choice_no int[]): choices
 * [prompts][choices of each]
 */
MobilebertCall *
mobilebert_loss_choice_batch_begin(FunctionCallInfo fcinfo)
{
	LossCall   *loss;
	ArrayType  *array;
	Datum	   *prompts;
	Datum	   *choices;
	const int32 *right;
	size_t		prompt_count;
	size_t		count;
	size_t		i;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(3))
		return NULL;
	loss = loss_make(fcinfo, 2, MB_TASK_CHOOSE);
	loss->padded = true;
	prompts = texts_read(PG_GETARG_ARRAYTYPE_P(0), "prompt", 1,
						 &prompt_count);
	array = PG_GETARG_ARRAYTYPE_P(1);
	choices = texts_read(array, "choices", 2, &count);
	loss->choices = count > 0 ? (size_t) ARR_DIMS(array)[1] : 0;
	if (count != loss->choices * prompt_count)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("array \"%s\" must have one row for each prompt",
						"choices"),
				 errdetail("Prompts are %zu, and rows %d.", prompt_count,
						   ARR_DIMS(array)[0])));
	right = mobilebert_int_values(PG_GETARG_ARRAYTYPE_P(3), "choice_no",
								  &count);
	loss_check_count("choice_no", count, prompt_count);
	for (i = 0; i < loss->choices * prompt_count; i++)
		(void) mobilebert_rows_add(&loss->rows,
								   DatumGetTextPP(prompts[i / loss->choices]),
								   DatumGetTextPP(choices[i]));
	loss_ready(loss);
	loss_choices(loss, right, prompt_count);
	return &loss->call;
}

MOBILEBERT_VALUE_FUNCTION(mobilebert_loss_choice_batch);
