/*-------------------------------------------------------------------------
 *
 * fn_pairs.c
 *	  Pairs of texts: next_sentence, choose, best_choice.
 *
 * The choices of a prompt are pairs with it, one sequence each.  Hugging Face
 * reads them as one padded batch, in which MobileBERT sees a pad token after
 * all but the longest; that is done here without padding (model.md 7), or left
 * out when each choice is to be read alone.
 *
 * Source: transformers' MobileBertForNextSentencePrediction and
 * MobileBertForMultipleChoice; spec pipelines.md 7, model.md 5.5 and 5.7.
 * Depends on server/pg.h, server/adapt.h, server/options.h,
 * models/model_cache.h, pass/calls.h, pass/rows.h, pass/sequences.h,
 * functions/batched.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/options.h"
#include "models/model_cache.h"
#include "pass/calls.h"
#include "pass/rows.h"
#include "pass/sequences.h"
#include "functions/batched.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

typedef struct NextCall
{
	MobilebertCall call;
	MobilebertRows rows;		/* one */
	float		logits[2];
} NextCall;

typedef struct ChooseCall
{
	MobilebertCall call;
	FunctionCallInfo fcinfo;
	MobilebertRows rows;		/* choices that are not null */
	bool		padded;
	Datum	   *choices;		/* [count] */
	bool	   *nulls;			/* [count] */
	int			count;
	int			first;			/* subscript of the array's first element */
	float	   *logits;			/* [rows.count] */
} ChooseCall;

/*
 * next_sentence
 */

static void
next_sequence(MobilebertCall *call, size_t n, MobilebertSequence *sequence)
{
	mobilebert_rows_sequence(&((NextCall *) call)->rows, n, false, sequence);
}

static void
next_take(MobilebertCall *call, size_t n, const MobilebertSequence *sequence,
		  const float *states)
{
	const mb_model *model = &call->model->image.model;
	float	   *scratch = palloc(mb_head_scratch(model) * sizeof(float));

	(void) n;
	(void) sequence;
	ENGINE_CALL(mb_head_logits, model, MB_TASK_NEXT_SENTENCE, states, scratch,
				((NextCall *) call)->logits, &mobilebert_cancel);
	pfree(scratch);
}

static Datum
next_result(MobilebertCall *call, bool *null)
{
	float		probabilities[2];

	*null = false;
	mb_softmax(((NextCall *) call)->logits, 2, probabilities);
	return Float4GetDatum(probabilities[0]);
}

/*
 * next_sentence(first text, second text [, model text, overflow text,
 * max_length int]) -> real
 */
MobilebertCall *
mobilebert_next_sentence_begin(FunctionCallInfo fcinfo)
{
	NextCall   *next;
	bool		truncate;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return NULL;
	truncate = mobilebert_truncate(ARG_TEXT(3));
	next = palloc0(sizeof(NextCall));
	next->call.model = mobilebert_model_argument(fcinfo, 2,
												 MB_TASK_NEXT_SENTENCE);
	next->call.layers = next->call.model->image.config.layers;
	next->call.first_only = true;
	next->call.sequences = 1;
	next->call.sequence = next_sequence;
	next->call.take = next_take;
	next->call.result = next_result;
	mobilebert_rows_init(&next->rows, fcinfo, next->call.model, truncate,
						 mobilebert_max_length(fcinfo, 4, next->call.model, 0));
	(void) mobilebert_rows_add(&next->rows, PG_GETARG_TEXT_PP(0),
							   mobilebert_second_text(fcinfo, 1));
	mobilebert_rows_done(&next->rows);
	return &next->call;
}

MOBILEBERT_VALUE_FUNCTION(mobilebert_next_sentence);

/*
 * choose
 */

static void
choices_read(ChooseCall *choose, ArrayType *array)
{
	ArrayIterator iterator;
	int			i;

	choose->count = (int) mobilebert_array_length(array, "choices");
	choose->first = ARR_NDIM(array) == 0 ? 1 : ARR_LBOUND(array)[0];
	choose->choices = mobilebert_allocate((size_t) choose->count,
										  sizeof(Datum));
	choose->nulls = mobilebert_allocate((size_t) choose->count, sizeof(bool));
	iterator = array_create_iterator(array, 0, NULL);
	for (i = 0; i < choose->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!array_iterate(iterator, &choose->choices[i], &choose->nulls[i]))
			break;
	}
	array_free_iterator(iterator);
}

static void
choose_sequence(MobilebertCall *call, size_t n, MobilebertSequence *sequence)
{
	ChooseCall *choose = (ChooseCall *) call;

	mobilebert_rows_sequence(&choose->rows, n, choose->padded, sequence);
}

static void
choose_take(MobilebertCall *call, size_t n,
			const MobilebertSequence *sequence, const float *states)
{
	const mb_model *model = &call->model->image.model;
	float	   *scratch = palloc(mb_head_scratch(model) * sizeof(float));

	(void) sequence;
	ENGINE_CALL(mb_head_logits, model, MB_TASK_CHOOSE, states, scratch,
				&((ChooseCall *) call)->logits[n], &mobilebert_cancel);
	pfree(scratch);
}

/*
 * Arguments of choose() and best_choice(): prompt text, choices text[]
 * [, model text, padding boolean, overflow text, max_length int]
 */
static ChooseCall *
choose_begin(FunctionCallInfo fcinfo)
{
	ChooseCall *choose;
	text	   *prompt;
	bool		truncate;
	int			i;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return NULL;
	truncate = mobilebert_truncate(ARG_TEXT(4));
	choose = palloc0(sizeof(ChooseCall));
	choose->fcinfo = fcinfo;
	choose->padded = ARG_BOOL(3, true);
	choose->call.model = mobilebert_model_argument(fcinfo, 2, MB_TASK_CHOOSE);
	choose->call.layers = choose->call.model->image.config.layers;
	choose->call.first_only = true;
	choose->call.sequence = choose_sequence;
	choose->call.take = choose_take;
	choices_read(choose, PG_GETARG_ARRAYTYPE_P(1));

	prompt = PG_GETARG_TEXT_PP(0);
	mobilebert_rows_init(&choose->rows, fcinfo, choose->call.model, truncate,
						 mobilebert_max_length(fcinfo, 5,
											   choose->call.model, 0));
	for (i = 0; i < choose->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!choose->nulls[i])
			(void) mobilebert_rows_add(&choose->rows, prompt,
									   DatumGetTextPP(choose->choices[i]));
	}
	mobilebert_rows_done(&choose->rows);
	choose->call.sequences = choose->rows.count;
	choose->logits = palloc(Max(choose->rows.count, 1) * sizeof(float));
	return choose;
}

/* A null choice is not among those that share the probability. */
static Datum
choose_result(MobilebertCall *call, bool *null)
{
	ChooseCall *choose = (ChooseCall *) call;
	ReturnSetInfo *info = (ReturnSetInfo *) choose->fcinfo->resultinfo;
	size_t		count = choose->rows.count;
	float	   *scores = palloc(Max(count, 1) * sizeof(float));
	size_t		row = 0;
	int			i;

	*null = true;
	mb_softmax(choose->logits, count, scores);
	for (i = 0; i < choose->count; i++)
	{
		Datum		values[4] = {0};
		bool		nulls[4] = {false, true, true, true};

		CHECK_FOR_INTERRUPTS();
		values[0] = Int32GetDatum(choose->first + i);
		if (!choose->nulls[i])
		{
			values[1] = choose->choices[i];
			values[2] = Float4GetDatum(scores[row]);
			values[3] = Float4GetDatum(choose->logits[row++]);
			nulls[1] = nulls[2] = nulls[3] = false;
		}
		tuplestore_putvalues(info->setResult, info->setDesc, values, nulls);
	}
	pfree(scores);
	return (Datum) 0;
}

/* choose(...) -> setof (choice_no, choice, score, logit) */
static MobilebertCall *
mobilebert_choose_begin(FunctionCallInfo fcinfo)
{
	ChooseCall *choose = choose_begin(fcinfo);

	if (choose == NULL)
		return NULL;
	choose->call.result = choose_result;
	return &choose->call;
}

MOBILEBERT_ROWS_FUNCTION(mobilebert_choose);

/* The subscript of the best; the first of equals. */
static Datum
best_choice_result(MobilebertCall *call, bool *null)
{
	ChooseCall *choose = (ChooseCall *) call;
	size_t		best;
	int			i;

	*null = choose->rows.count == 0;
	if (*null)
		return (Datum) 0;
	best = mb_argmax(choose->logits, choose->rows.count);
	for (i = 0; i < choose->count; i++)
		if (!choose->nulls[i] && best-- == 0)
			break;
	return Int32GetDatum(choose->first + i);
}

/* best_choice(...) -> int */
MobilebertCall *
mobilebert_best_choice_begin(FunctionCallInfo fcinfo)
{
	ChooseCall *choose = choose_begin(fcinfo);

	if (choose == NULL)
		return NULL;
	choose->call.result = best_choice_result;
	return &choose->call;
}

MOBILEBERT_VALUE_FUNCTION(mobilebert_best_choice);
