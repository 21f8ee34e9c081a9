/*-------------------------------------------------------------------------
 *
 * match.c
 *	  How well documents fit a query: what rank() and best_matches() share.
 *
 * A model with a classifier of one output is a cross-encoder: the score is what
 * score(query, model, pair => document) gives.  Any other model compares
 * vectors: those of embed_query() and embed_document(), by the model's own
 * similarity.  Both are the calls of those functions, with other arguments, so
 * that scores have the same bits.
 *
 * Depends on server/pg.h, server/adapt.h, models/fitted.h, models/labels.h,
 * models/model_cache.h, pass/calls.h, pass/queue.h, functions/batched.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "models/fitted.h"
#include "models/labels.h"
#include "models/model_cache.h"
#include "pass/calls.h"
#include "pass/queue.h"
#include "functions/batched.h"
#include "compare/match.h"

#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* A call of a function with two texts, or three where c is not NULL. */
static FunctionCallInfo
text_call(FunctionCallInfo fcinfo, text *a, text *b, text *c)
{
	FunctionCallInfo call = mobilebert_inner_call(fcinfo, c == NULL ? 2 : 3);

	mobilebert_inner_argument(call, 0, PointerGetDatum(a));
	mobilebert_inner_argument(call, 1, PointerGetDatum(b));
	if (c != NULL)
		mobilebert_inner_argument(call, 2, PointerGetDatum(c));
	return call;
}

/* Does the model's own classifier give one score?  A fitted one reads no pair. */
static bool
is_cross_encoder(const MobilebertModel *model)
{
	return (model->registry->tasks & MB_TASK_CLASSIFY) != 0 &&
		mobilebert_fitted(model) == NULL &&
		mobilebert_labels(model, MB_TASK_CLASSIFY,
						  "text-classification")->outputs == 1;
}

bool
match_is_query(const MatchQuery *match, FunctionCallInfo fcinfo, int n,
			   text *query)
{
	const MobilebertModel *model = mobilebert_model_argument(fcinfo, n,
															 MB_TASK_EMBED);

	return mobilebert_same_value(match->query, query) &&
		memcmp(match->image_key, model->registry->image_key,
			   sizeof(match->image_key)) == 0 &&
		strlen(model->name) == VARSIZE_ANY_EXHDR(match->model) &&
		memcmp(model->name, VARDATA_ANY(match->model),
			   VARSIZE_ANY_EXHDR(match->model)) == 0;
}

MatchQuery *
match_query(FunctionCallInfo fcinfo, int n, text *query)
{
	const MobilebertModel *model = mobilebert_model_argument(fcinfo, n,
															 MB_TASK_EMBED);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "mobilebert query",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	MatchQuery *match = palloc0(sizeof(MatchQuery));

	match->context = context;
	match->query = DatumGetTextPCopy(PointerGetDatum(query));
	match->model = cstring_to_text(model->name);
	memcpy(match->image_key, model->registry->image_key,
		   sizeof(match->image_key));
	match->cross_encoder = is_cross_encoder(model);
	match->similarity = (mb_similarity) model->image.settings.similarity;
	if (!match->cross_encoder)
	{
		FunctionCallInfo embed = text_call(fcinfo, match->query, match->model,
										   NULL);

		match->vector =
			DatumGetArrayTypeP(mobilebert_call_value(embed,
													 mobilebert_embed_query_begin));
	}
	MemoryContextSwitchTo(old);
	return match;
}

void
match_document(const MatchQuery *match, FunctionCallInfo fcinfo,
			   MobilebertQueue *queue, text *document, size_t number,
			   text *key)
{
	MatchRow   *row = (MatchRow *) mobilebert_queue_room(queue,
														 sizeof(MatchRow));
	MemoryContext old = MemoryContextSwitchTo(row->queued.context);

	/* the call may read its text again when it is done */
	document = DatumGetTextPCopy(PointerGetDatum(document));
	row->number = number;
	row->key = key == NULL ? NULL : DatumGetTextPCopy(PointerGetDatum(key));
	row->queued.call = match->cross_encoder ?
		mobilebert_score_begin(text_call(fcinfo, match->query, match->model,
										 document)) :
		mobilebert_embed_document_begin(text_call(fcinfo, document,
												  match->model, NULL));
	MemoryContextSwitchTo(old);
	mobilebert_queue_add(queue, &row->queued);
}

float
match_score(const MatchQuery *match, MatchRow *row)
{
	MemoryContext old = MemoryContextSwitchTo(row->queued.context);
	bool		null;
	Datum		value = row->queued.call->result(row->queued.call, &null);
	ArrayType  *vector;
	float		score;

	if (match->cross_encoder)
		score = DatumGetFloat4(value);
	else
	{
		vector = DatumGetArrayTypeP(value);
		score = mb_compare(match->similarity,
						   (const float *) ARR_DATA_PTR(match->vector),
						   (const float *) ARR_DATA_PTR(vector),
						   (size_t) ARR_DIMS(vector)[0]);
	}
	MemoryContextSwitchTo(old);
	return score;
}
