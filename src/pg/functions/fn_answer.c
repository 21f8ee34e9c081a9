/*-------------------------------------------------------------------------
 *
 * fn_answer.c
 *	  The SQL functions answer() and best_answer().
 *
 * Depends on server/pg.h, pass/calls.h, functions/answer.h,
 * functions/batched.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "pass/calls.h"
#include "functions/answer.h"
#include "functions/batched.h"

#include "funcapi.h"
#include "miscadmin.h"

static AnswerCall *
begin(FunctionCallInfo fcinfo, const AnswerArguments *arguments)
{
	AnswerOptions options;
	AnswerCall *call;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return NULL;
	answer_options_read(fcinfo, arguments, &options);
	call = answer_begin(&options,
						answer_question(options.model, PG_GETARG_TEXT_PP(0)),
						PG_GETARG_TEXT_PP(1));
	call->fcinfo = fcinfo;
	return call;
}

static Datum
rows_result(MobilebertCall *base, bool *null)
{
	AnswerCall *call = (AnswerCall *) base;
	ReturnSetInfo *info = (ReturnSetInfo *) call->fcinfo->resultinfo;
	AnswerSlice *slices;
	mb_answer  *best;
	size_t		count;
	size_t		i;

	best = answer_best(call, &count);
	slices = answer_slices(call, best, count);
	for (i = 0; i < count; i++)
	{
		Datum		values[6];
		bool		nulls[6] = {false};

		CHECK_FOR_INTERRUPTS();
		values[0] = Int32GetDatum((int32) i + 1);
		values[1] = slices[i].text;
		values[2] = Float4GetDatum((float4) best[i].score);
		values[3] = Int32GetDatum(slices[i].start);
		values[4] = Int32GetDatum(slices[i].end);
		values[5] = Float4GetDatum((float4) call->answers.no_answer);
		nulls[5] = !call->options.select.no_answer;
		tuplestore_putvalues(info->setResult, info->setDesc, values, nulls);
	}
	*null = true;
	return (Datum) 0;
}

/*
 * answer(question text, context text) and answer(question text, context text,
 * model text, top_k int, doc_stride int, max_answer_len int, max_seq_len int,
 * handle_impossible_answer bool, align_to_words bool)
 * -> setof (rank int, answer text, score real, start_offset int,
 * end_offset int, no_answer_score real)
 */
static MobilebertCall *
mobilebert_answer_begin(FunctionCallInfo fcinfo)
{
	static const AnswerArguments arguments = {2, 3, 4, 5, 6, 7, 8};
	AnswerCall *call = begin(fcinfo, &arguments);

	if (call == NULL)
		return NULL;
	call->call.result = rows_result;
	return &call->call;
}

MOBILEBERT_ROWS_FUNCTION(mobilebert_answer);

static Datum
best_result(MobilebertCall *base, bool *null)
{
	AnswerCall *call = (AnswerCall *) base;
	AnswerSlice *slices;
	mb_answer  *best;
	size_t		count;

	best = answer_best(call, &count);
	*null = count == 0 || best[0].none;
	if (*null)
		return (Datum) 0;
	slices = answer_slices(call, best, 1);
	*null = VARSIZE_ANY_EXHDR(DatumGetPointer(slices[0].text)) == 0;
	return slices[0].text;
}

/*
 * best_answer(question text, context text) and best_answer(question text,
 * context text, model text, doc_stride int, max_answer_len int,
 * max_seq_len int, handle_impossible_answer bool, align_to_words bool) -> text
 */
MobilebertCall *
mobilebert_best_answer_begin(FunctionCallInfo fcinfo)
{
	static const AnswerArguments arguments = {
		2, ANSWER_ABSENT, 3, 4, 5, 6, 7
	};
	AnswerCall *call = begin(fcinfo, &arguments);

	if (call == NULL)
		return NULL;
	call->call.result = best_result;
	return &call->call;
}

MOBILEBERT_VALUE_FUNCTION(mobilebert_best_answer);
