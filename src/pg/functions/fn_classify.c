/*-------------------------------------------------------------------------
 *
 * fn_classify.c
 *	  Sequence classification: classify(), label(), score(), uncertainty().
 *
 * One call for all of them: the logits of the first token's state become scores
 * as the configuration's kind of problem asks for, and what is made of the
 * scores differs.  Of a text read in several windows the scores are the mean of
 * the windows' scores, weighted by the tokens that each window stands for, those
 * of a second text aside.
 *
 * A classifier that was fitted on a model's frozen states (fitted.h) has a
 * vector for a text, as embed() makes it, with several windows pooled as one
 * text; the scores are what its head makes of that.  So it can also be given a
 * vector that is stored, if it is the one that embed() makes by default.
 *
 * score() is sentence-transformers' CrossEncoder where the model's files say
 * that it is one: they have an activation for it, and texts are cut to the
 * tokenizer's model_max_length, neither of which the pipeline, and with it
 * classify() and label(), does.
 *
 * Source: transformers' MobileBertForSequenceClassification and
 * TextClassificationPipeline, CrossEncoder of sentence-transformers; spec
 * pipelines.md section 2, model.md 5.6, families.md 7.4.
 * Depends on server/pg.h, server/adapt.h, server/options.h, models/fitted.h,
 * models/labels.h, models/model_cache.h, models/prompts.h, pass/calls.h,
 * pass/sequences.h, functions/batched.h, functions/embed.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/options.h"
#include "models/fitted.h"
#include "models/labels.h"
#include "models/model_cache.h"
#include "models/prompts.h"
#include "pass/calls.h"
#include "pass/sequences.h"
#include "functions/batched.h"
#include "functions/embed.h"

#include <math.h>

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
	EmbedJob	job;			/* of a fitted classifier; of others its call
								 * alone */
	FunctionCallInfo fcinfo;	/* of a call that returns rows */
	const MobilebertFitted *fitted; /* NULL: the model has a head of its own */
	const MobilebertLabels *labels;
	ScoreFunction function;
	size_t		top;			/* rows of the result at most */
	float		min_score;		/* of a label; lower ones are no result */
	float	   *scores;			/* [outputs], of the current window */

	/* of a head of the model's own */
	MobilebertInput in;
	size_t		pad_to;			/* windows count as padded to it; 0: not */
	size_t		tokens;			/* that the windows so far stand for */
	float	   *scratch;		/* [mb_head_scratch] */
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
	const mb_image *image = &c->job.call.model->image;
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
 * What makes scores of the logits of a fitted classifier; there is nothing else
 * to choose from, as it is no cross-encoder.
 */
static void
use_fitted(ClassifyCall *c, const MobilebertFitted *fitted, text *function)
{
	c->fitted = fitted;
	c->labels = &fitted->labels;
	c->function = score_function(function, pipeline_function(c->labels));
	c->scores = palloc(c->labels->outputs * sizeof(float));
}

/* The scores of a vector that was divided by its length. */
static void
fitted_scores(ClassifyCall *c, const float *vector)
{
	ENGINE_CALL(mb_classifier_logits, &c->fitted->classifier,
				c->job.call.model->image.model.kernels, vector, c->scores,
				&mobilebert_cancel);
	apply_function(c, c->scores, c->labels->outputs);
}

/* A text on its way to the vector that a fitted classifier reads. */
static void
fitted_begin(ClassifyCall *c, FunctionCallInfo fcinfo,
			 const MobilebertModel *model, int overflow)
{
	EmbedPlan  *plan = palloc(sizeof(EmbedPlan));

	if (mobilebert_second_text(fcinfo, 2) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("model \"%s\" takes one text", model->name),
				 errdetail("It is a classifier that was fitted on single texts."),
				 errhint("Leave out the option \"pair\".")));
	embed_options_fitted(plan, fcinfo, model, &c->fitted->classifier);
	plan->options.overflow = mobilebert_overflow(ARG_TEXT(overflow),
												 OVERFLOW_TRUNCATE);
	plan->options.limit = mobilebert_max_length(fcinfo, overflow + 2, model,
												plan->options.limit);
	plan->options.stride = mobilebert_stride(fcinfo, overflow + 1, model,
											 plan->options.limit);
	embed_job_init(&c->job, plan, PG_GETARG_TEXT_PP(0));
	embed_job_begin(&c->job);
}

/* Of a head of the model's own. */
static void
head_begin(ClassifyCall *c, FunctionCallInfo fcinfo,
		   const MobilebertModel *model, text *function, bool score,
		   int overflow)
{
	MobilebertOverflow policy;
	text	   *input;
	bool		as_cross_encoder;
	size_t		max_length;
	size_t		stride;

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
	c->job.call.model = model;
	c->job.call.layers = model->image.config.layers;
	c->job.call.first_only = true;
	c->job.call.sequences = c->in.windows;
	c->job.call.sequence = classify_sequence;
	c->job.call.take = classify_take;
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
	const MobilebertFitted *fitted;
	ClassifyCall *c;

	if (PG_ARGISNULL(0))
		return NULL;
	c = palloc0(sizeof(ClassifyCall));
	model = mobilebert_model_argument(fcinfo, 1, MB_TASK_CLASSIFY);
	c->fcinfo = fcinfo;
	fitted = mobilebert_fitted(model);
	if (fitted == NULL)
		head_begin(c, fcinfo, model, function, score, overflow);
	else
	{
		use_fitted(c, fitted, function);
		fitted_begin(c, fcinfo, model, overflow);
	}
	return c;
}

/* The scores, when all states have come. */
static const float *
classify_scores(ClassifyCall *c)
{
	if (c->fitted != NULL)
		fitted_scores(c, c->job.vector);
	return c->scores;
}

/* The rows of classify() */
static void
put_scores(const ClassifyCall *c, const float *scores)
{
	ReturnSetInfo *info = (ReturnSetInfo *) c->fcinfo->resultinfo;
	size_t		outputs = c->labels->outputs;
	size_t	   *best = palloc(Max(outputs, 1) * sizeof(size_t));
	size_t		count = mb_top(scores, outputs, c->top, best);
	size_t		i;

	for (i = 0; i < count; i++)
	{
		Datum		values[3];
		bool		nulls[3] = {0};

		CHECK_FOR_INTERRUPTS();
		values[0] = Int32GetDatum((int32) i + 1);
		values[1] = mobilebert_label_name(c->job.call.model, c->labels,
										  best[i]);
		values[2] = Float4GetDatum(scores[best[i]]);
		tuplestore_putvalues(info->setResult, info->setDesc, values, nulls);
	}
	pfree(best);
}

static Datum
classify_rows(MobilebertCall *call, bool *null)
{
	ClassifyCall *c = (ClassifyCall *) call;

	put_scores(c, classify_scores(c));
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
	if (c->fitted == NULL && ARG_BOOL(8, false))
		c->pad_to = c->in.limit;
	c->job.call.result = classify_rows;
	return &c->job.call;
}

MOBILEBERT_ROWS_FUNCTION(mobilebert_classify);

/* Option "min_score"; without it any label does. */
static float
min_score_option(FunctionCallInfo fcinfo, int n)
{
	return ARG_IS_GIVEN(n) ? PG_GETARG_FLOAT4(n) : -INFINITY;
}

/* The best label, if its score is high enough. */
static Datum
best_label(const ClassifyCall *c, const float *scores, bool *null)
{
	size_t		best;

	*null = c->labels->outputs == 0;
	if (*null)
		return (Datum) 0;
	best = mb_argmax(scores, c->labels->outputs);
	*null = !(scores[best] >= c->min_score);
	if (*null)
		return (Datum) 0;
	return datumCopy(mobilebert_label_name(c->job.call.model, c->labels, best),
					 false, -1);
}

static Datum
label_result(MobilebertCall *call, bool *null)
{
	ClassifyCall *c = (ClassifyCall *) call;

	return best_label(c, classify_scores(c), null);
}

/*
 * label(input text [, model text, pair text, overflow text, stride int,
 * max_length int, min_score real]) -> text
 */
MobilebertCall *
mobilebert_label_begin(FunctionCallInfo fcinfo)
{
	ClassifyCall *c = classify_begin(fcinfo, NULL, false, 3);

	if (c == NULL)
		return NULL;
	c->min_score = min_score_option(fcinfo, 6);
	c->job.call.result = label_result;
	return &c->job.call;
}

MOBILEBERT_VALUE_FUNCTION(mobilebert_label);

/* Of a fitted classifier with two labels the second one's, which is "true". */
static Datum
score_result(MobilebertCall *call, bool *null)
{
	ClassifyCall *c = (ClassifyCall *) call;
	const float *scores = classify_scores(c);

	*null = false;
	return Float4GetDatum(scores[c->labels->outputs - 1]);
}

/* Of two labels that exclude each other one score says all. */
static bool
has_single_score(const ClassifyCall *c)
{
	return c->labels->outputs == 1 ||
		(c->fitted != NULL && c->labels->outputs == 2 &&
		 c->labels->problem == MB_PROBLEM_SINGLE_LABEL);
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
	if (!has_single_score(c))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("model \"%s\" gives no single score",
						c->job.call.model->name),
				 errdetail("Its classifier has %zu labels.",
						   c->labels->outputs),
				 errhint("Use mobilebert.classify() or mobilebert.label().")));
	c->job.call.result = score_result;
	return &c->job.call;
}

MOBILEBERT_VALUE_FUNCTION(mobilebert_score);

/*
 * Uncertainty
 */

/* Of a label that is scored alone: 1 at one half, 0 when it is sure. */
static float
doubt(float score)
{
	return 1.0f - fabsf(2.0f * score - 1.0f);
}

static Datum
uncertainty_result(MobilebertCall *call, bool *null)
{
	ClassifyCall *c = (ClassifyCall *) call;
	const float *scores = classify_scores(c);
	size_t		outputs = c->labels->outputs;
	float		result = 0;
	size_t		best[2];
	size_t		i;

	*null = outputs == 0;
	if (c->function == SCORE_SOFTMAX)
	{
		if (mb_top(scores, outputs, 2, best) == 2)
			result = 1.0f - (scores[best[0]] - scores[best[1]]);
	}
	else
		for (i = 0; i < outputs; i++)
			if (!(doubt(scores[i]) <= result))
				result = doubt(scores[i]);
	return Float4GetDatum(result);
}

/*
 * uncertainty(input text [, model text, pair text, overflow text, stride int,
 * max_length int]) -> real
 */
MobilebertCall *
mobilebert_uncertainty_begin(FunctionCallInfo fcinfo)
{
	ClassifyCall *c = classify_begin(fcinfo, NULL, false, 3);

	if (c == NULL)
		return NULL;
	if (c->function == SCORE_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("model \"%s\" gives no scores between 0 and 1",
						c->job.call.model->name),
				 errdetail("Its problem_type is regression.")));
	c->job.call.result = uncertainty_result;
	return &c->job.call;
}

MOBILEBERT_VALUE_FUNCTION(mobilebert_uncertainty);

/*
 * Vectors that are stored
 */

/* Does the classifier read what embed() makes by default, whatever its length? */
static void
check_vector_kind(const MobilebertModel *model, const MobilebertFitted *fitted)
{
	const mb_classifier *classifier;
	const char *what = NULL;

	if (fitted == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("model \"%s\" does not classify stored vectors",
						model->name),
				 errdetail("Its head was trained with its encoder, and reads texts."),
				 errhint("Give the text itself.")));
	classifier = &fitted->classifier;
	if (classifier->layer != model->image.config.layers)
		what = psprintf("layer %u of %u", classifier->layer,
						model->image.config.layers);
	else if (classifier->pooling != model->image.settings.pooling)
		what = "another pooling than the model's own";
	else if (model->image.config.module_count > 0)
		what = "what is pooled, without the model's modules after that";
	else if (classifier->width != mb_vector_width(&model->image.config,
												  &model->image.settings))
		what = "vectors of another length than the model's own";
	if (what != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("model \"%s\" does not classify stored vectors",
						model->name),
				 errdetail("It was fitted on %s, and not on what mobilebert.embed() returns by default.",
						   what),
				 errhint("Give the text itself, or fit with {\"layer\": -1}.")));
}

/* The numbers of the vector, divided by its length. */
static float *
read_vector(FunctionCallInfo fcinfo, const MobilebertFitted *fitted)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	size_t		count = mobilebert_array_length(array, "embedding");
	size_t		width = fitted->classifier.width;
	float	   *vector;
	size_t		i;

	if (ARR_HASNULL(array) && array_contains_nulls(array))
		mobilebert_array_null("embedding");
	if (count != width)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("embedding has %zu elements, but the classifier reads %zu",
						count, width)));
	vector = palloc(width * sizeof(float));
	memcpy(vector, ARR_DATA_PTR(array), width * sizeof(float));
	for (i = 0; i < width; i++)
		if (!isfinite(vector[i]))
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("embedding has an element that is not finite")));
	mb_normalize(vector, width);
	return vector;
}

/* Arguments 0 and 1: embedding, model; NULL: the result is NULL. */
static ClassifyCall *
vector_begin(FunctionCallInfo fcinfo, text *function)
{
	const MobilebertModel *model;
	const MobilebertFitted *fitted;
	ClassifyCall *c;

	if (PG_ARGISNULL(0))
		return NULL;
	model = mobilebert_model_argument(fcinfo, 1, MB_TASK_CLASSIFY);
	fitted = mobilebert_fitted(model);
	check_vector_kind(model, fitted);
	c = palloc0(sizeof(ClassifyCall));
	c->fcinfo = fcinfo;
	c->job.call.model = model;
	use_fitted(c, fitted, function);
	fitted_scores(c, read_vector(fcinfo, fitted));
	return c;
}

/* label(embedding real[], model text, min_score real) -> text */
PG_FUNCTION_INFO_V1(mobilebert_label_vector);
Datum
mobilebert_label_vector(PG_FUNCTION_ARGS)
{
	ClassifyCall *c = vector_begin(fcinfo, NULL);
	bool		null;
	Datum		label;

	if (c == NULL)
		PG_RETURN_NULL();
	c->min_score = min_score_option(fcinfo, 2);
	label = best_label(c, c->scores, &null);
	if (null)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(label);
}

/*
 * classify(embedding real[], model text, top_k int, function_to_apply text) ->
 * setof (rank, label, score)
 */
PG_FUNCTION_INFO_V1(mobilebert_classify_vector);
Datum
mobilebert_classify_vector(PG_FUNCTION_ARGS)
{
	ClassifyCall *c;

	mobilebert_srf_begin(fcinfo);
	c = vector_begin(fcinfo, ARG_TEXT(3));
	if (c == NULL)
		return (Datum) 0;
	c->top = c->labels->outputs;
	(void) mobilebert_size_option(fcinfo, 2, "top_k", 1, &c->top);
	put_scores(c, c->scores);
	return (Datum) 0;
}
