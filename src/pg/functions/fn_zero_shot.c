/*-------------------------------------------------------------------------
 *
 * fn_zero_shot.c
 *	  Zero-shot classification: zero_shot() and best_label().
 *
 * A classifier of natural language inference is asked, for each label, whether
 * the text entails a sentence made of the label.  The text is tokenised once,
 * and the labels of a text are sequences of one call, so that they share
 * passes.
 *
 * A text too long is cut so that each sentence stays whole, each pair as far as
 * its own sentence needs.  With overflow => 'window' all labels see the same
 * windows, which leave room for the longest sentence, and the scores are the
 * mean of the windows', weighted by the tokens that each stands for, without
 * those of the sentence: a label's score does not depend on the order of
 * labels.
 *
 * A NULL among the labels takes no part and comes last in the result.
 *
 * Source: transformers' ZeroShotClassificationPipeline; spec pipelines.md
 * section 6.
 * Depends on server/pg.h, server/adapt.h, server/client_warning.h,
 * server/options.h, models/fitted.h, models/labels.h, models/model_cache.h,
 * pass/calls.h, pass/sequences.h, pass/truncation.h, pass/workspace.h,
 * functions/batched.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/client_warning.h"
#include "server/options.h"
#include "models/fitted.h"
#include "models/labels.h"
#include "models/model_cache.h"
#include "pass/calls.h"
#include "pass/sequences.h"
#include "pass/truncation.h"
#include "pass/workspace.h"
#include "functions/batched.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"

#define DEFAULT_TEMPLATE "This example is {}."

typedef struct ZeroShotCall
{
	MobilebertCall call;
	FunctionCallInfo fcinfo;	/* of a call that returns rows */
	MobilebertInput in;			/* its second text is the current label */
	const MobilebertLabels *outputs;	/* of the classifier */
	bool		alone;			/* each label is judged by itself */
	bool		cut;			/* overflow is truncate */
	size_t		contradiction;	/* number of that output */
	size_t		count;			/* labels without the NULLs */
	size_t		nulls;
	text	  **labels;			/* [count] */
	mb_pieces  *sentences;		/* [count] */
	size_t		tokens;			/* that the windows so far stand for */
	float	   *scratch;		/* [mb_head_scratch] */
	float	   *logits;			/* [outputs] */
	float	   *entailed;		/* [count], of the current window */
	float	   *contradicted;	/* [count] */
	float	   *scores;			/* [count] */
	double	   *sums;			/* [count]; NULL: there is one window */
} ZeroShotCall;

/*
 * Labels and the sentences made of them
 */

static void
labels_read(ZeroShotCall *z, ArrayType *array)
{
	ArrayIterator iterator;
	Datum		element;
	bool		null;
	size_t		count = mobilebert_array_length(array, "labels");

	if (count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("array \"labels\" must not be empty")));
	z->labels = mobilebert_allocate(count, sizeof(text *));
	iterator = array_create_iterator(array, 0, NULL);
	while (array_iterate(iterator, &element, &null))
	{
		CHECK_FOR_INTERRUPTS();
		if (null)
			z->nulls++;
		else
			z->labels[z->count++] = DatumGetTextPP(element);
	}
	array_free_iterator(iterator);
}

/* The template with the label in it; a template without a field is refused. */
static text *
sentence_make(mb_arena *arena, text *template, text *label)
{
	char	   *sentence;
	size_t		length;

	ENGINE_CALL(mb_format_label, VARDATA_ANY(template),
				VARSIZE_ANY_EXHDR(template), VARDATA_ANY(label),
				VARSIZE_ANY_EXHDR(label), arena, &sentence, &length);
	return cstring_to_text_with_len(sentence, (int) length);
}

/* All sentences are kept as pieces, which counts like the memory of a pass. */
static void
sentences_read(ZeroShotCall *z, text *template)
{
	size_t		text_size = z->in.arena.total;
	mb_arena	arena;
	size_t		i;

	mobilebert_arena_init(&arena, &z->in.memory);
	z->sentences = mobilebert_allocate(z->count, sizeof(mb_pieces));
	for (i = 0; i < z->count; i++)
	{
		text	   *sentence = sentence_make(&arena, template, z->labels[i]);

		CHECK_FOR_INTERRUPTS();
		if (i == 0 &&
			VARSIZE_ANY_EXHDR(sentence) == VARSIZE_ANY_EXHDR(template) &&
			memcmp(VARDATA_ANY(sentence), VARDATA_ANY(template),
				   VARSIZE_ANY_EXHDR(template)) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("hypothesis template has no place for the label"),
					 errhint("Write {} where the label goes.")));
		mobilebert_input_tokenise(&z->in, sentence, &z->sentences[i]);
		mobilebert_workspace_check(z->in.arena.total - text_size);
		pfree(sentence);
		mb_arena_free(&arena);
	}
}

/*
 * What is too long
 */

static const mb_pieces *
longest_sentence(const ZeroShotCall *z)
{
	size_t		longest = 0;
	size_t		i;

	for (i = 1; i < z->count; i++)
	{
		if (z->sentences[i].count > z->sentences[longest].count)
			longest = i;
	}
	return &z->sentences[longest];
}

static size_t
pair_tokens(const ZeroShotCall *z, const mb_pieces *sentence)
{
	return z->in.first.count + sentence->count +
		z->call.model->image.tokenizer.template_pair;
}

/*
 * Is the text cut to make room for the sentence?  Not where no cut of the text
 * would do: then Hugging Face gives the model the whole pair.  (A limit that
 * just holds the template empties both texts, there as here.)
 */
static bool
pair_is_cut(const ZeroShotCall *z, const mb_pieces *sentence)
{
	size_t		fixed = z->call.model->image.tokenizer.template_pair;
	size_t		limit = z->in.limit;

	if (!z->cut || limit < fixed || pair_tokens(z, sentence) <= limit)
		return false;
	return limit == fixed || sentence->count < limit - fixed;
}

/* Policy truncate: note a cut text, and refuse what is too long as it is. */
static void
cut_pairs(ZeroShotCall *z, FunctionCallInfo fcinfo)
{
	const MobilebertModel *model = z->call.model;
	size_t		positions = model->image.config.max_tokens;
	size_t		longest = 0;
	size_t		cut = 0;
	size_t		i;

	for (i = 0; i < z->count; i++)
	{
		size_t		tokens = pair_tokens(z, &z->sentences[i]);

		if (pair_is_cut(z, &z->sentences[i]))
		{
			cut = Max(cut, tokens);
			tokens = z->in.limit;
		}
		longest = Max(longest, tokens);
	}
	if (longest > positions)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("hypothesis is too long for model \"%s\"",
						model->name),
				 errdetail("With the text it has %zu tokens, the model takes %zu, and cutting the text would not make room.",
						   longest, positions),
				 errhint("Use shorter labels or a shorter template.")));
	if (cut > 0)
		mobilebert_note_truncated(fcinfo, cut, z->in.limit);
	mobilebert_workspace_check(mb_forward_memory(&model->image.model, longest,
												 longest));
}

/*
 * The call
 */

/* Which outputs of the classifier count. */
static void
find_outputs(ZeroShotCall *z, FunctionCallInfo fcinfo)
{
	const MobilebertModel *model = z->call.model;
	const MobilebertLabels *outputs;
	FmgrInfo   *function = fcinfo->flinfo;

	mobilebert_not_fitted(model, "labels of one's own");
	outputs = z->outputs = mobilebert_labels(model, MB_TASK_CLASSIFY,
											 "zero-shot-classification");
	if (outputs->outputs == 0)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("classifier of model \"%s\" has no labels",
						model->name)));
	z->contradiction = outputs->entailment == 0 ? outputs->outputs - 1 : 0;

	/* Say so once a statement: fn_extra remembers. */
	if (outputs->entailment_named ||
		(function != NULL && function->fn_extra != NULL))
		return;
	if (function != NULL)
		function->fn_extra = MemoryContextAlloc(function->fn_mcxt, 1);
	mobilebert_client_warning(psprintf("no label of model \"%s\" is called entailment",
									   model->name),
							  "Its last output is taken for that, so the scores may mean nothing.",
							  "Use a model made for natural language inference, with a label that starts with \"entail\" in the \"label2id\" of its config.json.");
}

/* Sequences go by window first, then by label. */
static void
zero_shot_sequence(MobilebertCall *call, size_t n,
				   MobilebertSequence *sequence)
{
	ZeroShotCall *z = (ZeroShotCall *) call;

	CHECK_FOR_INTERRUPTS();
	z->in.second = z->sentences[n % z->count];
	z->in.truncated = pair_is_cut(z, &z->in.second);
	mobilebert_input_window(&z->in, n / z->count, sequence);
}

/*
 * The logits of all labels are there for one window, of which this is the last
 * label's sequence.
 */
static void
window_end(ZeroShotCall *z, const MobilebertSequence *sequence, bool last)
{
	size_t		weight = sequence->weight;
	size_t		i;

	mb_zero_shot_scores(z->entailed, z->alone ? z->contradicted : NULL,
						z->count, z->scores);
	if (z->sums != NULL)
	{
		z->tokens += weight;
		for (i = 0; i < z->count; i++)
		{
			z->sums[i] += (double) weight * z->scores[i];
			if (last)
				z->scores[i] = (float) (z->sums[i] / (double) z->tokens);
		}
	}
	if (last)
		mobilebert_input_free(&z->in);
}

static void
zero_shot_take(MobilebertCall *call, size_t n,
			   const MobilebertSequence *sequence, const float *states)
{
	ZeroShotCall *z = (ZeroShotCall *) call;
	size_t		label = n % z->count;

	ENGINE_CALL(mb_head_logits, &call->model->image.model, MB_TASK_CLASSIFY,
				states, z->scratch, z->logits, &mobilebert_cancel);
	z->entailed[label] = z->logits[z->outputs->entailment];
	z->contradicted[label] = z->logits[z->contradiction];
	if (label + 1 == z->count)
		window_end(z, sequence, n + 1 == call->sequences);
}

/* Begin the call proper: room for what its passes give. */
static void
zero_shot_prepare(ZeroShotCall *z)
{
	z->scratch = palloc(mb_head_scratch(&z->call.model->image.model) *
						sizeof(float));
	z->logits = palloc(z->outputs->outputs * sizeof(float));
	z->entailed = mobilebert_allocate(z->count, sizeof(float));
	z->contradicted = mobilebert_allocate(z->count, sizeof(float));
	z->scores = mobilebert_allocate(z->count, sizeof(float));
	if (z->in.windows > 1)
	{
		z->sums = mobilebert_allocate(z->count, sizeof(double));
		memset(z->sums, 0, z->count * sizeof(double));
	}
	z->call.layers = z->call.model->image.config.layers;
	z->call.first_only = true;
	z->call.sequences = z->in.windows * z->count;
	z->call.sequence = zero_shot_sequence;
	z->call.take = zero_shot_take;
}

/*
 * input text, labels text[], model text, hypothesis_template text, multi_label
 * boolean, max_length int, overflow text, stride int
 */
static ZeroShotCall *
zero_shot_begin(FunctionCallInfo fcinfo)
{
	const MobilebertModel *model;
	MobilebertOverflow overflow;
	ZeroShotCall *z;
	text	   *template;
	size_t		max_length;
	size_t		stride;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return NULL;
	z = palloc0(sizeof(ZeroShotCall));
	z->fcinfo = fcinfo;
	model = mobilebert_model_argument(fcinfo, 2, MOBILEBERT_ZERO_SHOT);
	z->call.model = model;
	template = ARG_TEXT(3);
	if (template == NULL)
		template = cstring_to_text(DEFAULT_TEMPLATE);
	max_length = mobilebert_max_length(fcinfo, 5, model, 0);
	overflow = mobilebert_overflow(ARG_TEXT(6), OVERFLOW_TRUNCATE);
	stride = mobilebert_stride(fcinfo, 7, model, max_length);
	if (VARSIZE_ANY_EXHDR(PG_GETARG_TEXT_PP(0)) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("text to classify must not be empty")));
	labels_read(z, PG_GETARG_ARRAYTYPE_P_COPY(1));
	z->alone = ARG_BOOL(4, false) || z->count == 1;
	find_outputs(z, fcinfo);

	mobilebert_input_begin(&z->in, model, PG_GETARG_TEXT_PP(0), max_length);
	z->in.pair = true;
	z->in.truncation = MB_TRUNCATE_ONLY_FIRST;
	sentences_read(z, template);
	if (z->count == 0)
		return z;
	z->cut = overflow == OVERFLOW_TRUNCATE;
	if (z->cut)
		cut_pairs(z, fcinfo);
	else
	{
		z->in.second = *longest_sentence(z);
		mobilebert_input_fit(&z->in, fcinfo, overflow, stride);
	}
	zero_shot_prepare(z);
	return z;
}

/* Indexes of the labels by score; palloc'd. */
static size_t *
label_order(const ZeroShotCall *z)
{
	size_t	   *order = mobilebert_allocate(z->count, sizeof(size_t));
	mb_memory	memory = mobilebert_memory(CurrentMemoryContext);
	mb_arena	arena;

	mobilebert_arena_init(&arena, &memory);
	ENGINE_CALL(mb_zero_shot_order, z->scores, z->count, &arena, order);
	mb_arena_free(&arena);
	return order;
}

static Datum
zero_shot_rows(MobilebertCall *call, bool *null)
{
	ZeroShotCall *z = (ZeroShotCall *) call;
	ReturnSetInfo *info = (ReturnSetInfo *) z->fcinfo->resultinfo;
	size_t	   *order = label_order(z);
	size_t		i;

	for (i = 0; i < z->count + z->nulls; i++)
	{
		Datum		values[3] = {0};
		bool		nulls[3] = {false, true, true};

		CHECK_FOR_INTERRUPTS();
		values[0] = Int32GetDatum((int32) i + 1);
		if (i < z->count)
		{
			nulls[1] = nulls[2] = false;
			values[1] = PointerGetDatum(z->labels[order[i]]);
			values[2] = Float4GetDatum(z->scores[order[i]]);
		}
		tuplestore_putvalues(info->setResult, info->setDesc, values, nulls);
	}
	pfree(order);
	*null = true;
	return (Datum) 0;
}

/*
 * zero_shot(input text, labels text[] [, model text, hypothesis_template text,
 * multi_label boolean, max_length int, overflow text, stride int]) -> setof
 * (rank, label, score)
 */
static MobilebertCall *
mobilebert_zero_shot_begin(FunctionCallInfo fcinfo)
{
	ZeroShotCall *z = zero_shot_begin(fcinfo);

	if (z == NULL)
		return NULL;
	z->call.result = zero_shot_rows;
	return &z->call;
}

MOBILEBERT_ROWS_FUNCTION(mobilebert_zero_shot);

static Datum
best_label_result(MobilebertCall *call, bool *null)
{
	ZeroShotCall *z = (ZeroShotCall *) call;
	Datum		label;
	size_t	   *order;

	*null = z->count == 0;
	if (*null)
		return (Datum) 0;
	order = label_order(z);
	label = PointerGetDatum(z->labels[order[0]]);
	pfree(order);
	return datumCopy(label, false, -1);
}

/* best_label: the arguments of zero_shot -> text */
MobilebertCall *
mobilebert_best_label_begin(FunctionCallInfo fcinfo)
{
	ZeroShotCall *z = zero_shot_begin(fcinfo);

	if (z == NULL)
		return NULL;
	z->call.result = best_label_result;
	return &z->call;
}

MOBILEBERT_VALUE_FUNCTION(mobilebert_best_label);
