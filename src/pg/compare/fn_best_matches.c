/*-------------------------------------------------------------------------
 *
 * fn_best_matches.c
 *	  The aggregate best_matches(): the rows that fit a query best.
 *
 * Every row is a document of rank() (match.c), and what is kept of them is in
 * best.c.  The query is read once.
 *
 * Depends on server/pg.h, server/adapt.h, server/options.h, pass/queue.h,
 * compare/best.h, compare/match.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/options.h"
#include "pass/queue.h"
#include "compare/best.h"
#include "compare/match.h"

#include "utils/memutils.h"

/* Arguments of the transition function. */
#define QUERY 1
#define DOCUMENT 2
#define KEY 3
#define MODEL 4
#define TOP_K 5

typedef struct MatchState
{
	BestList	best;
	MobilebertQueue queue;
	MatchQuery *match;			/* NULL: none yet */
} MatchState;

static void
take_match(void *owner, MobilebertQueued *queued)
{
	MatchState *state = owner;
	MatchRow   *row = (MatchRow *) queued;
	BestEntry	entry = {0};

	entry.score = match_score(state->match, row);
	if (entry.score < state->best.floor)
		return;
	entry.key = row->key;
	best_add(&state->best, &entry);
}

static void
finish(BestList *list)
{
	mobilebert_queue_flush(&((MatchState *) list)->queue);
}

static MatchState *
state_make(MemoryContext context, size_t top_k)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	BestList   *list = best_make(context, sizeof(MatchState), top_k);
	MatchState *state = (MatchState *) list;

	list->finish = finish;
	mobilebert_queue_init(&state->queue, take_match, state);
	MemoryContextSwitchTo(old);
	return state;
}

/* Rows that wait have the old query. */
static void
read_query(MatchState *state, FunctionCallInfo fcinfo)
{
	MemoryContext old;

	if (state->match != NULL)
	{
		if (match_is_query(state->match, fcinfo, MODEL,
						   PG_GETARG_TEXT_PP(QUERY)))
			return;
		mobilebert_queue_flush(&state->queue);
		MemoryContextDelete(state->match->context);
		state->match = NULL;
	}
	old = MemoryContextSwitchTo(state->best.context);
	state->match = match_query(fcinfo, MODEL, PG_GETARG_TEXT_PP(QUERY));
	MemoryContextSwitchTo(old);
}

/*
 * best_matches_step(state internal, query text, document text, key text
 * [, model text [, top_k int]]) -> internal
 */
PG_FUNCTION_INFO_V1(mobilebert_best_matches_step);
Datum
mobilebert_best_matches_step(PG_FUNCTION_ARGS)
{
	MemoryContext context = mobilebert_aggregate_context(fcinfo);
	MatchState *state = PG_ARGISNULL(0) ? NULL :
		(MatchState *) PG_GETARG_POINTER(0);
	size_t		top_k;

	if (PG_ARGISNULL(QUERY) || PG_ARGISNULL(DOCUMENT))
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	top_k = best_top_k(fcinfo, TOP_K, state == NULL ? NULL : &state->best);
	if (state == NULL)
		state = state_make(context, top_k);
	read_query(state, fcinfo);
	match_document(state->match, fcinfo, &state->queue,
				   PG_GETARG_TEXT_PP(DOCUMENT), 0, ARG_TEXT(KEY));
	PG_RETURN_POINTER(state);
}

static void
put_match(const BestEntry *entry, Datum *values)
{
	values[0] = Float4GetDatum((float4) entry->score);
}

/* best_matches_final(state internal) -> mobilebert.ranked_match[] */
PG_FUNCTION_INFO_V1(mobilebert_best_matches_final);
Datum
mobilebert_best_matches_final(PG_FUNCTION_ARGS)
{
	return best_result(fcinfo, put_match);
}
