/*-------------------------------------------------------------------------
 *
 * fn_rank.c
 *	  rank(): the documents of an array by how well they fit a query.
 *
 * Documents share passes; scores alone are kept until all are there.
 *
 * Depends on server/pg.h, server/adapt.h, server/options.h, pass/queue.h,
 * compare/match.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/options.h"
#include "pass/queue.h"
#include "compare/match.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/memutils.h"

typedef struct Ranking
{
	MatchQuery *match;
	size_t		count;			/* documents that are not null */
	size_t		nulls;
	int32	   *numbers;		/* [count + nulls]; the nulls' from the end */
	float	   *scores;			/* [count] */
} Ranking;

static void
take_score(void *owner, MobilebertQueued *queued)
{
	Ranking    *ranking = owner;
	MatchRow   *row = (MatchRow *) queued;

	ranking->scores[row->number] = match_score(ranking->match, row);
}

/* Score the documents, reading one after another. */
static void
read_documents(Ranking *ranking, FunctionCallInfo fcinfo, ArrayType *array)
{
	size_t		count = mobilebert_array_length(array, "documents");
	ArrayIterator iterator = array_create_iterator(array, 0, NULL);
	MobilebertQueue queue;
	Datum		element;
	bool		null;
	size_t		i = 0;

	ranking->numbers = mobilebert_allocate(count, sizeof(int32));
	ranking->scores = mobilebert_allocate(count, sizeof(float));
	mobilebert_queue_init(&queue, take_score, ranking);
	while (array_iterate(iterator, &element, &null))
	{
		CHECK_FOR_INTERRUPTS();
		i++;
		if (null)
		{
			ranking->nulls++;
			ranking->numbers[count - ranking->nulls] = (int32) i;
			continue;
		}
		ranking->numbers[ranking->count] = (int32) i;
		match_document(ranking->match, fcinfo, &queue, DatumGetTextPP(element),
					   ranking->count, NULL);
		ranking->count++;
	}
	mobilebert_queue_flush(&queue);
	array_free_iterator(iterator);
}

static void
put_row(ReturnSetInfo *info, size_t rank, int32 number, const float *score)
{
	Datum		values[3];
	bool		nulls[3] = {false, false, score == NULL};

	CHECK_FOR_INTERRUPTS();
	values[0] = Int32GetDatum((int32) rank);
	values[1] = Int32GetDatum(number);
	values[2] = score == NULL ? (Datum) 0 : Float4GetDatum(*score);
	tuplestore_putvalues(info->setResult, info->setDesc, values, nulls);
}

/* The best first, equals in the order of the array, nulls last. */
static void
put_rows(const Ranking *ranking, ReturnSetInfo *info, size_t top_k)
{
	size_t		all = ranking->count + ranking->nulls;
	size_t	   *best = mobilebert_allocate(Min(top_k, ranking->count),
										   sizeof(size_t));
	size_t		kept = mb_top(ranking->scores, ranking->count, top_k, best);
	size_t		i;

	for (i = 0; i < kept; i++)
		put_row(info, i + 1, ranking->numbers[best[i]],
				&ranking->scores[best[i]]);
	for (; i < all && i < top_k; i++)
		put_row(info, i + 1, ranking->numbers[all - 1 - (i - kept)], NULL);
	pfree(best);
}

/*
 * rank(query text, documents text[] [, model text, top_k int]) -> setof (rank,
 * document_no, score)
 */
PG_FUNCTION_INFO_V1(mobilebert_rank);
Datum
mobilebert_rank(PG_FUNCTION_ARGS)
{
	Ranking		ranking = {0};
	size_t		top_k = SIZE_MAX;

	mobilebert_srf_begin(fcinfo);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return (Datum) 0;
	mobilebert_size_option(fcinfo, 3, "top_k", 1, &top_k);
	ranking.match = match_query(fcinfo, 2, PG_GETARG_TEXT_PP(0));
	read_documents(&ranking, fcinfo, PG_GETARG_ARRAYTYPE_P(1));
	put_rows(&ranking, (ReturnSetInfo *) fcinfo->resultinfo, top_k);
	return (Datum) 0;
}
