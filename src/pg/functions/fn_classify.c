/*-------------------------------------------------------------------------
 *
 * fn_classify.c
 *	  Sequence classification: classify(), label() and score().
 *
 * One call for all three: the logits of the first token's state become scores
 * as the configuration's kind of problem asks for, and what is made of the
 * scores differs.  Of a text read in several windows the scores are the mean of
 * the windows' scores, weighted by the tokens that each window stands for, those
 * of a second text aside.
 *
 * score() is sentence-transformers' CrossEncoder where the model's files say
 * that it is one: they have an activation for it, and texts are cut to the
 * tokenizer's model_max_length, neither of which the pipeline, and with it
 * classify() and label(), does.
 *
 * Source: transformers' MobileBertForSequenceClassification and
 * TextClassificationPipeline, CrossEncoder of sentence-transformers; spec
 * pipelines.md section 2, model.md 5.6, families.md 7.4.
 * Depends on server/pg.h, server/adapt.h, server/options.h, models/labels.h,
 * models/model_cache.h, models/prompts.h, pass/calls.h, pass/sequences.h,
 * functions/batched.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/options.h"
#include "models/labels.h"
#include "models/model_cache.h"
#include "models/prompts.h"
#include "pass/calls.h"
#include "pass/sequences.h"
#include "functions/batched.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/datum.h"

/* What makes scores of logits. */
typedef enum ScoreFunction
{
	SCORE_NONE,
	SCORE_SIGMOID,
	SCORE_SOFTMAX,
	SCORE_ACTIVATION			/* of a cross-encoder, another than those */
} ScoreFunction;

typedef struct ClassifyCall
{
	MobilebertCall call;
	FunctionCallInfo fcinfo;	/* of a call that returns rows */
	MobilebertInput in;
	const MobilebertLabels *labels;
	ScoreFunction function;
	size_t		top;			/* rows of the result at most */
	size_t		pad_to;			/* windows count as padded to it; 0: not */
	size_t		tokens;			/* that the windows so far stand for */
	float	   *scratch;		/* [mb_head_scratch] */
	float	   *scores;			/* [outputs], of the current window */
	double	   *sums;			/* [outputs]; NULL: there is one window */
} ClassifyCall;

/*
 * Options
 */

/* The pipeline's: the first rule that fits. */
static ScoreFunction
pipeline_function(const MobilebertLabels *labels)
{
	if (labels->problem == MB_PROBLEM_REGRESSION)
		return SCORE_NONE;
	if (labels->problem == MB_PROBLEM_MULTI_LABEL || labels->count == 1)
		return SCORE_SIGMOID;
	return SCORE_SOFTMAX;
}

/* The cross-encoder's, which has one label. */
static ScoreFunction
cross_encoder_function(const mb_sentence_settings *settings)
{
	switch (settings->activation)
	{
		case MB_ACT_LINEAR:
			return SCORE_NONE;
		case MB_ACT_SIGMOID:
			return SCORE_SIGMOID;
		default:
			return SCORE_ACTIVATION;
	}
}

/* Option "function_to_apply" */
static ScoreFunction
score_function(text *value, ScoreFunction otherwise)
{
	static const MobilebertChoice functions[] = {
		{"sigmoid", SCORE_SIGMOID},
		{"softmax", SCORE_SOFTMAX},
		{"none", SCORE_NONE},
		{NULL, 0}
	};

	return (ScoreFunction) mobilebert_choice("function_to_apply", value,
											 functions, otherwise);
}

static void
apply_function(const ClassifyCall *c, float *values, size_t count)
{
	const mb_image *image = &c->call.model->image;
	size_t		i;

	switch (c->function)
	{
		case SCORE_NONE:
			break;
		case SCORE_SIGMOID:
			for (i = 0; i < count; i++)
				values[i] = mb_sigmoid(values[i]);
			break;
		case SCORE_SOFTMAX:
			mb_softmax(values, count, values);
			break;
		case SCORE_ACTIVATION:
			image->model.kernels->activation((mb_activation)
											 image->settings.activation,
											 values, count);
			break;
	}
}

/*
 * The call
 */

static void
classify_sequence(MobilebertCall *call, size_t n,
				  MobilebertSequence *sequence)
{
	ClassifyCall *c = (ClassifyCall *) call;

	mobilebert_input_window(&c->in, n, sequence);
	sequence->pad_after = sequence->length < c->pad_to;
}

static void
classify_take(MobilebertCall *call, size_t n,
			  const MobilebertSequence *sequence, const float *states)
{
	ClassifyCall *c = (ClassifyCall *) call;
	size_t		outputs = c->labels->outputs;
	size_t		weight = sequence->weight;
	bool		last = n + 1 == call->sequences;
	size_t		i;

	ENGINE_CALL(mb_head_logits, &call->model->image.model, MB_TASK_CLASSIFY,
				states, c->scratch, c->scores, &mobilebert_cancel);
	apply_function(c, c->scores, outputs);
	if (last)
		mobilebert_input_free(&c->in);
	if (c->sums == NULL)
		return;
	c->tokens += weight;
	for (i = 0; i < outputs; i++)
	{
		c->sums[i] += (double) weight * c->scores[i];
		if (last)
			c->scores[i] = (float) (c->sums[i] / (double) c->tokens);
	}
}

/*
 * Arguments 0 to 2 are input, model and pair; those from "overflow" on are
 * overflow, stride and max_length.  score: as a cross-encoder, if it is one.
 */
static ClassifyCall *
classify_begin(FunctionCallInfo fcinfo, text *function, bool score,
			   int overflow)
{
	const MobilebertModel *model;
	ClassifyCall *c;
	MobilebertOverflow policy;
	text	   *input;
	bool		as_cross_encoder;
	size_t		max_length;
	size_t		stride;

	if (PG_ARGISNULL(0))
		return NULL;
	c = palloc0(sizeof(ClassifyCall));
	model = mobilebert_model_argument(fcinfo, 1, MB_TASK_CLASSIFY);
	c->fcinfo = fcinfo;
	c->labels = mobilebert_labels(model, MB_TASK_CLASSIFY,
								  "text-classification");
	as_cross_encoder = score && model->image.settings.cross_encoder;
	c->function = score_function(function, as_cross_encoder ?
								 cross_encoder_function(&model->image.settings) :
								 pipeline_function(c->labels));
	policy = mobilebert_overflow(ARG_TEXT(overflow), OVERFLOW_TRUNCATE);
	max_length = mobilebert_max_length(fcinfo, overflow + 2, model,
									   as_cross_encoder ?
									   mobilebert_embed_tokens(model) :
									   mobilebert_positions(model));
	stride = mobilebert_stride(fcinfo, overflow + 1, model, max_length);
	input = PG_GETARG_TEXT_PP(0);
	if (as_cross_encoder)
		input = mobilebert_prompt_apply(mobilebert_prompt(model, NULL), input);
	mobilebert_input_read(&c->in, fcinfo, model, input,
						  mobilebert_second_text(fcinfo, 2), policy,
						  max_length, stride);

	c->scratch = palloc(mb_head_scratch(&model->image.model) * sizeof(float));
	c->scores = palloc(Max(c->labels->outputs, 1) * sizeof(float));
	if (c->in.windows > 1)
		c->sums = palloc0(Max(c->labels->outputs, 1) * sizeof(double));
	c->call.model = model;
	c->call.layers = model->image.config.layers;
	c->call.first_only = true;
	c->call.sequences = c->in.windows;
	c->call.sequence = classify_sequence;
	c->call.take = classify_take;
	return c;
}

static Datum
classify_rows(MobilebertCall *call, bool *null)
{
	ClassifyCall *c = (ClassifyCall *) call;
	ReturnSetInfo *info = (ReturnSetInfo *) c->fcinfo->resultinfo;
	size_t		outputs = c->labels->outputs;
	size_t	   *best = palloc(Max(outputs, 1) * sizeof(size_t));
	size_t		count = mb_top(c->scores, outputs, c->top, best);
	size_t		i;

	for (i = 0; i < count; i++)
	{
		Datum		values[3];
		bool		nulls[3] = {0};

		CHECK_FOR_INTERRUPTS();
		values[0] = Int32GetDatum((int32) i + 1);
		values[1] = mobilebert_label_name(call->model, c->labels, best[i]);
		values[2] = Float4GetDatum(c->scores[best[i]]);
		tuplestore_putvalues(info->setResult, info->setDesc, values, nulls);
	}
	pfree(best);
	*null = true;
	return (Datum) 0;
}

/*
 * classify(input text [, model text, pair text, top_k int, function_to_apply
 * text, overflow text, stride int, max_length int, padding boolean]) -> setof
 * (rank, label, score)
 *
 * padding: what is shorter than a window counts as followed by padding, which
 * is not attended to, but which the last token has as its neighbour.
 */
static MobilebertCall *
mobilebert_classify_begin(FunctionCallInfo fcinfo)
{
	ClassifyCall *c = classify_begin(fcinfo, ARG_TEXT(4), false, 5);

	if (c == NULL)
		return NULL;
	c->top = c->labels->outputs;
	mobilebert_size_option(fcinfo, 3, "top_k", 1, &c->top);
	c->pad_to = ARG_BOOL(8, false) ? c->in.limit : 0;
	c->call.result = classify_rows;
	return &c->call;
}

MOBILEBERT_ROWS_FUNCTION(mobilebert_classify);

static Datum
label_result(MobilebertCall *call, bool *null)
{
	ClassifyCall *c = (ClassifyCall *) call;
	size_t		best;

	*null = c->labels->outputs == 0;
	if (*null)
		return (Datum) 0;
	best = mb_argmax(c->scores, c->labels->outputs);
	return datumCopy(mobilebert_label_name(call->model, c->labels, best),
					 false, -1);
}

/*
 * label(input text [, model text, pair text, overflow text, stride int,
 * max_length int]) -> text
 */
MobilebertCall *
mobilebert_label_begin(FunctionCallInfo fcinfo)
{
	ClassifyCall *c = classify_begin(fcinfo, NULL, false, 3);

	if (c == NULL)
		return NULL;
	c->call.result = label_result;
	return &c->call;
}

MOBILEBERT_VALUE_FUNCTION(mobilebert_label);

static Datum
score_result(MobilebertCall *call, bool *null)
{
	*null = false;
	return Float4GetDatum(((ClassifyCall *) call)->scores[0]);
}

/*
 * score(input text [, model text, pair text, function_to_apply text, overflow
 * text, stride int, max_length int]) -> real
 */
MobilebertCall *
mobilebert_score_begin(FunctionCallInfo fcinfo)
{
	ClassifyCall *c = classify_begin(fcinfo, ARG_TEXT(3), true, 4);

	if (c == NULL)
		return NULL;
	if (c->labels->outputs != 1)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("model \"%s\" gives no single score",
						c->call.model->name),
				 errdetail("Its classifier has %zu labels.",
						   c->labels->outputs),
				 errhint("Use mobilebert.classify() or mobilebert.label().")));
	c->call.result = score_result;
	return &c->call;
}

MOBILEBERT_VALUE_FUNCTION(mobilebert_score);
