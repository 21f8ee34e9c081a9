/*-------------------------------------------------------------------------
 *
 * fn_best_answers.c
 *	  The aggregate best_answers(): one question put to many contexts.
 *
 * Every row is the call that answer() would make of it (answer.c).  The calls
 * go to one queue (queue.c), so windows of many rows share passes.  The
 * question is tokenised once.  What is kept of the answers is in best.c.
 *
 * Depends on server/pg.h, server/adapt.h, server/options.h,
 * models/model_cache.h, pass/queue.h, functions/answer.h, compare/best.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/options.h"
#include "models/model_cache.h"
#include "pass/queue.h"
#include "functions/answer.h"
#include "compare/best.h"

#include "miscadmin.h"
#include "utils/memutils.h"

/* A row whose windows are not all through. */
typedef struct AnswerRow
{
	MobilebertQueued queued;
	AnswerCall *call;
	text	   *key;
} AnswerRow;

typedef struct AnswerState
{
	BestList	best;
	MobilebertQueue queue;
	MemoryContext question_context;
	const MobilebertModel *model;	/* whose pieces the question has */
	text	   *question;		/* NULL: none yet */
	mb_pieces  *pieces;
} AnswerState;

/*
 * Rows
 */

/* A row's answers, as far as they have a chance. */
static void
take_answers(void *owner, MobilebertQueued *queued)
{
	BestList   *list = owner;
	AnswerRow  *row = (AnswerRow *) queued;
	MemoryContext old = MemoryContextSwitchTo(queued->context);
	AnswerSlice *slices;
	mb_answer  *best;
	size_t		count;
	size_t		i;

	best = answer_best(row->call, &count);
	while (count > 0 && best[count - 1].score < list->floor)
		count--;
	slices = answer_slices(row->call, best, count);
	for (i = 0; i < count; i++)
	{
		BestEntry	entry;

		CHECK_FOR_INTERRUPTS();
		entry.score = best[i].score;
		entry.rank = (int32) i;
		entry.start = slices[i].start;
		entry.end = slices[i].end;
		entry.key = row->key;
		entry.answer = DatumGetTextPP(slices[i].text);
		best_add(list, &entry);
	}
	MemoryContextSwitchTo(old);
}

static void
finish(BestList *list)
{
	mobilebert_queue_flush(&((AnswerState *) list)->queue);
}

static AnswerState *
state_make(MemoryContext context, size_t top_k)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	BestList   *list = best_make(context, sizeof(AnswerState), top_k);
	AnswerState *state = (AnswerState *) list;

	list->finish = finish;
	mobilebert_queue_init(&state->queue, take_answers, list);
	state->question_context = AllocSetContextCreate(context,
													"mobilebert question",
													ALLOCSET_SMALL_SIZES);
	MemoryContextSwitchTo(old);
	return state;
}

/* Rows that wait have the old question. */
static void
read_question(AnswerState *state, const MobilebertModel *model, text *question)
{
	MemoryContext old;

	if (state->question != NULL && state->model == model &&
		mobilebert_same_value(state->question, question))
		return;
	mobilebert_queue_flush(&state->queue);
	state->question = NULL;
	MemoryContextReset(state->question_context);
	old = MemoryContextSwitchTo(state->question_context);
	state->pieces = answer_question(model, question);
	state->model = model;
	state->question = DatumGetTextPCopy(PointerGetDatum(question));
	MemoryContextSwitchTo(old);
}

static void
add_row(AnswerState *state, const AnswerOptions *options, text *context,
		text *key)
{
	AnswerRow  *row = (AnswerRow *) mobilebert_queue_room(&state->queue,
														  sizeof(AnswerRow));
	MemoryContext old = MemoryContextSwitchTo(row->queued.context);

	row->call = answer_begin(options, state->pieces, context);
	row->queued.call = &row->call->call;
	row->key = key == NULL ? NULL : DatumGetTextPCopy(PointerGetDatum(key));
	MemoryContextSwitchTo(old);
	mobilebert_queue_add(&state->queue, &row->queued);
}

/*
 * SQL functions
 */

/*
 * best_answers_step(state internal, question text, context text, key text
 * [, model text [, top_k int [, doc_stride int, max_answer_len int,
 * max_seq_len int, align_to_words bool]]]) -> internal
 */
PG_FUNCTION_INFO_V1(mobilebert_best_answers_step);
Datum
mobilebert_best_answers_step(PG_FUNCTION_ARGS)
{
	static const AnswerArguments arguments = {
		4, ANSWER_ABSENT, 6, 7, 8, ANSWER_ABSENT, 9
	};
	MemoryContext context = mobilebert_aggregate_context(fcinfo);
	AnswerState *state = PG_ARGISNULL(0) ? NULL :
		(AnswerState *) PG_GETARG_POINTER(0);
	AnswerOptions options;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	answer_options_read(fcinfo, &arguments, &options);
	options.select.top_k = best_top_k(fcinfo, 5,
									  state == NULL ? NULL : &state->best);
	if (state == NULL)
		state = state_make(context, options.select.top_k);
	read_question(state, options.model, PG_GETARG_TEXT_PP(1));
	add_row(state, &options, PG_GETARG_TEXT_PP(2), ARG_TEXT(3));
	PG_RETURN_POINTER(state);
}

static void
put_answer(const BestEntry *entry, Datum *values)
{
	values[0] = PointerGetDatum(entry->answer);
	values[1] = Float4GetDatum((float4) entry->score);
	values[2] = Int32GetDatum(entry->start);
	values[3] = Int32GetDatum(entry->end);
}

/* best_answers_final(state internal) -> mobilebert.ranked_answer[] */
PG_FUNCTION_INFO_V1(mobilebert_best_answers_final);
Datum
mobilebert_best_answers_final(PG_FUNCTION_ARGS)
{
	return best_result(fcinfo, put_answer);
}
