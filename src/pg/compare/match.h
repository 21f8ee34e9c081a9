/*-------------------------------------------------------------------------
 *
 * match.h
 *	  How well documents fit a query.
 *
 * Depends on server/pg.h, models/model_cache.h, pass/queue.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_MATCH_H
#define MOBILEBERT_MATCH_H

#include "server/pg.h"
#include "models/model_cache.h"
#include "pass/queue.h"

/* A query, ready to be compared with documents. */
typedef struct MatchQuery
{
	MemoryContext context;		/* holds the rest */
	text	   *query;
	text	   *model;			/* its name */
	uint8		image_key[PG_SHA256_DIGEST_LENGTH];
	bool		cross_encoder;	/* query and document are read together */
	mb_similarity similarity;	/* else their vectors are compared so */
	ArrayType  *vector;			/* of the query */
} MatchQuery;

/* A document on its way to its score. */
typedef struct MatchRow
{
	MobilebertQueued queued;
	size_t		number;			/* what the caller knows it by */
	text	   *key;			/* likewise */
} MatchRow;

/*
 * Read a query, by the model of argument n, or the default one of embeddings
 * where the function has no such argument.  All lies in a context below the
 * current one.
 */
extern MatchQuery *match_query(FunctionCallInfo fcinfo, int n, text *query);

/* Is that the query that match_query() would give? */
extern bool match_is_query(const MatchQuery *match, FunctionCallInfo fcinfo,
						   int n, text *query);

/*
 * Give a document to a queue whose "done" gets a MatchRow; match must stay
 * until then.  Texts that are cut are noted for the statement of fcinfo.
 */
extern void match_document(const MatchQuery *match, FunctionCallInfo fcinfo,
						   MobilebertQueue *queue, text *document,
						   size_t number, text *key);

/* The score of a row that is done. */
extern float match_score(const MatchQuery *match, MatchRow *row);

#endif							/* MOBILEBERT_MATCH_H */
