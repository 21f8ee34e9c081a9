/*-------------------------------------------------------------------------
 *
 * fn_zero_shot.c
 *	  Zero-shot classification: zero_shot() and best_label().
 *
 * A model with a classifier, of natural language inference, is asked for each
 * label whether the text entails a sentence made of the label.  The text is
 * tokenised once, and the labels of a text are sequences of one call, so that
 * they share passes.  One without compares vectors: zero_shot_vectors.c.
 *
 * A text too long is cut so that each sentence stays whole, each pair as far as
 * its own sentence needs.  With overflow => 'window' all labels see the same
 * windows, which leave room for the longest sentence, and the scores are the
 * mean of the windows', weighted by the tokens that each stands for, without
 * those of the sentence: a label's score does not depend on the order of
 * labels.
 *
 * Start with zero_shot_begin(), which decides between the two.
 *
 * Source: transformers' ZeroShotClassificationPipeline; spec pipelines.md
 * section 6.
 * Depends on server/pg.h, server/adapt.h, server/client_warning.h,
 * server/options.h, models/fitted.h, models/labels.h, models/model_cache.h,
 * pass/calls.h, pass/sequences.h, pass/truncation.h, pass/workspace.h,
 * functions/batched.h, compare/zero_shot.h.
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
#include "compare/zero_shot.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#define DEFAULT_TEMPLATE "This example is {}."

typedef struct EntailCall
{
	ZeroShotCall base;
	MobilebertInput in;			/* its second text is the current label */
	const MobilebertLabels *outputs;	/* of the classifier */
	bool		cut;			/* overflow is truncate */
	size_t		contradiction;	/* number of that output */
	mb_pieces  *sentences;		/* [count] */
	size_t		tokens;			/* that the windows so far stand for */
	float	   *scratch;		/* [mb_head_scratch] */
	float	   *logits;			/* [outputs] */
	float	   *entailed;		/* [count], of the current window */
	float	   *contradicted;	/* [count] */
	double	   *sums;			/* [count]; NULL: there is one window */
} EntailCall;

/* All sentences are kept as pieces, which counts like the memory of a pass. */
static void
sentences_read(EntailCall *z)
{
	size_t		text_size = z->in.arena.total;
	size_t		i;

	z->sentences = mobilebert_allocate(z->base.count, sizeof(mb_pieces));
	for (i = 0; i < z->base.count; i++)
	{
		text	   *sentence = zero_shot_sentence(&z->base, i);

		CHECK_FOR_INTERRUPTS();
		mobilebert_input_tokenise(&z->in, sentence, &z->sentences[i]);
		mobilebert_workspace_check(z->in.arena.total - text_size);
		pfree(sentence);
	}
}

/*
 * What is too long
 */

static const mb_pieces *
longest_sentence(const EntailCall *z)
{
	size_t		longest = 0;
	size_t		i;

	for (i = 1; i < z->base.count; i++)
	{
		if (z->sentences[i].count > z->sentences[longest].count)
			longest = i;
	}
	return &z->sentences[longest];
}

static size_t
pair_tokens(const EntailCall *z, const mb_pieces *sentence)
{
	return z->in.first.count + sentence->count +
		z->base.call.model->image.tokenizer.template_pair;
}

/*
 * Is the text cut to make room for the sentence?  Not where no cut of the text
 * would do: then Hugging Face gives the model the whole pair.  (A limit that
 * just holds the template empties both texts, there as here.)
 */
static bool
pair_is_cut(const EntailCall *z, const mb_pieces *sentence)
{
	size_t		fixed = z->base.call.model->image.tokenizer.template_pair;
	size_t		limit = z->in.limit;

	if (!z->cut || limit < fixed || pair_tokens(z, sentence) <= limit)
		return false;
	return limit == fixed || sentence->count < limit - fixed;
}

/* Policy truncate: note a cut text, and refuse what is too long as it is. */
static void
cut_pairs(EntailCall *z, FunctionCallInfo fcinfo)
{
	const MobilebertModel *model = z->base.call.model;
	size_t		positions = model->image.config.max_tokens;
	size_t		longest = 0;
	size_t		cut = 0;
	size_t		i;

	for (i = 0; i < z->base.count; i++)
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
find_outputs(EntailCall *z, FunctionCallInfo fcinfo)
{
	const MobilebertModel *model = z->base.call.model;
	const MobilebertLabels *outputs;
	ZeroShotStatement *statement = zero_shot_statement(fcinfo);

	mobilebert_not_fitted(model, "labels of one's own");
	outputs = z->outputs = mobilebert_labels(model, MB_TASK_CLASSIFY,
											 "zero-shot-classification");
	if (outputs->outputs == 0)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("classifier of model \"%s\" has no labels",
						model->name)));
	z->contradiction = outputs->entailment == 0 ? outputs->outputs - 1 : 0;

	/* Say so once a statement. */
	if (outputs->entailment_named || (statement != NULL && statement->warned))
		return;
	if (statement != NULL)
		statement->warned = true;
	mobilebert_client_warning(psprintf("no label of model \"%s\" is called entailment",
									   model->name),
							  "Its last output is taken for that, so the scores may mean nothing.",
							  "Use a model made for natural language inference, with a label that starts with \"entail\" in the \"label2id\" of its config.json.");
}

/* Sequences go by window first, then by label. */
static void
entail_sequence(MobilebertCall *call, size_t n, MobilebertSequence *sequence)
{
	EntailCall *z = (EntailCall *) call;

	CHECK_FOR_INTERRUPTS();
	z->in.second = z->sentences[n % z->base.count];
	z->in.truncated = pair_is_cut(z, &z->in.second);
	mobilebert_input_window(&z->in, n / z->base.count, sequence);
}

/*
 * The logits of all labels are there for one window, of which this is the last
 * label's sequence.
 */
static void
window_end(EntailCall *z, const MobilebertSequence *sequence, bool last)
{
	size_t		weight = sequence->weight;
	size_t		i;

	mb_zero_shot_scores(z->entailed, z->base.alone ? z->contradicted : NULL,
						z->base.count, z->base.scores);
	if (z->sums != NULL)
	{
		z->tokens += weight;
		for (i = 0; i < z->base.count; i++)
		{
			z->sums[i] += (double) weight * z->base.scores[i];
			if (last)
				z->base.scores[i] = (float) (z->sums[i] / (double) z->tokens);
		}
	}
	if (last)
		mobilebert_input_free(&z->in);
}

static void
entail_take(MobilebertCall *call, size_t n, const MobilebertSequence *sequence,
			const float *states)
{
	EntailCall *z = (EntailCall *) call;
	size_t		label = n % z->base.count;

	ENGINE_CALL(mb_head_logits, &call->model->image.model, MB_TASK_CLASSIFY,
				states, z->scratch, z->logits, &mobilebert_cancel);
	z->entailed[label] = z->logits[z->outputs->entailment];
	z->contradicted[label] = z->logits[z->contradiction];
	if (label + 1 == z->base.count)
		window_end(z, sequence, n + 1 == call->sequences);
}

/* Begin the call proper: room for what its passes give. */
static void
entail_prepare(EntailCall *z)
{
	z->scratch = palloc(mb_head_scratch(&z->base.call.model->image.model) *
						sizeof(float));
	z->logits = palloc(z->outputs->outputs * sizeof(float));
	z->entailed = mobilebert_allocate(z->base.count, sizeof(float));
	z->contradicted = mobilebert_allocate(z->base.count, sizeof(float));
	z->base.scores = mobilebert_allocate(z->base.count, sizeof(float));
	if (z->in.windows > 1)
	{
		z->sums = mobilebert_allocate(z->base.count, sizeof(double));
		memset(z->sums, 0, z->base.count * sizeof(double));
	}
	z->base.call.layers = z->base.call.model->image.config.layers;
	z->base.call.first_only = true;
	z->base.call.sequences = z->in.windows * z->base.count;
	z->base.call.sequence = entail_sequence;
	z->base.call.take = entail_take;
}

static ZeroShotCall *
entail_begin(FunctionCallInfo fcinfo)
{
	const MobilebertModel *model;
	MobilebertOverflow overflow;
	EntailCall *z = palloc0(sizeof(EntailCall));
	size_t		max_length;
	size_t		stride;

	model = mobilebert_model_argument(fcinfo, ZERO_SHOT_MODEL,
									  MOBILEBERT_ZERO_SHOT);
	if ((model->registry->tasks & MB_TASK_CLASSIFY) == 0)
		mobilebert_no_head(model->registry, MB_TASK_CLASSIFY);
	z->base.call.model = model;
	max_length = mobilebert_max_length(fcinfo, ZERO_SHOT_MAX_LENGTH, model, 0);
	overflow = mobilebert_overflow(ARG_TEXT(ZERO_SHOT_OVERFLOW),
								   OVERFLOW_TRUNCATE);
	stride = mobilebert_stride(fcinfo, ZERO_SHOT_STRIDE, model, max_length);
	zero_shot_labels_read(&z->base, fcinfo, DEFAULT_TEMPLATE);
	find_outputs(z, fcinfo);

	mobilebert_input_begin(&z->in, model, PG_GETARG_TEXT_PP(ZERO_SHOT_INPUT),
						   max_length);
	z->in.pair = true;
	z->in.truncation = MB_TRUNCATE_ONLY_FIRST;
	sentences_read(z);
	if (z->base.count == 0)
		return &z->base;
	z->cut = overflow == OVERFLOW_TRUNCATE;
	if (z->cut)
		cut_pairs(z, fcinfo);
	else
	{
		z->in.second = *longest_sentence(z);
		mobilebert_input_fit(&z->in, fcinfo, overflow, stride);
	}
	entail_prepare(z);
	return &z->base;
}

/*
 * SQL functions
 */

/*
 * Does the model that is asked for compare vectors, because it has no
 * classifier?
 */
static bool
has_vectors_only(FunctionCallInfo fcinfo)
{
	text	   *name = ARG_TEXT(ZERO_SHOT_MODEL);

	if (name == NULL && PG_NARGS() > ZERO_SHOT_MODEL)
		return false;			/* an error follows */
	return (mobilebert_model_row(name, MOBILEBERT_ZERO_SHOT)->tasks &
			MB_TASK_CLASSIFY) == 0;
}

/*
 * input text, labels text[], model text, hypothesis_template text, multi_label
 * boolean, max_length int, overflow text, stride int, descriptions text[]
 */
static MobilebertCall *
zero_shot_begin(FunctionCallInfo fcinfo,
				Datum (*result) (MobilebertCall *call, bool *null))
{
	ZeroShotCall *z;

	if (PG_ARGISNULL(ZERO_SHOT_INPUT) || PG_ARGISNULL(ZERO_SHOT_LABELS))
		return NULL;
	z = has_vectors_only(fcinfo) ? zero_shot_vectors_begin(fcinfo) :
		entail_begin(fcinfo);
	z->fcinfo = fcinfo;
	z->call.result = result;
	return &z->call;
}

/*
 * zero_shot(input text, labels text[] [, model text, hypothesis_template text,
 * multi_label boolean, max_length int, overflow text, stride int, descriptions
 * text[]]) -> setof (rank, label, score)
 */
static MobilebertCall *
mobilebert_zero_shot_begin(FunctionCallInfo fcinfo)
{
	return zero_shot_begin(fcinfo, zero_shot_rows);
}

MOBILEBERT_ROWS_FUNCTION(mobilebert_zero_shot);

/* best_label: the arguments of zero_shot -> text */
MobilebertCall *
mobilebert_best_label_begin(FunctionCallInfo fcinfo)
{
	return zero_shot_begin(fcinfo, zero_shot_best);
}

MOBILEBERT_VALUE_FUNCTION(mobilebert_best_label);
