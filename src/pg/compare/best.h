/*-------------------------------------------------------------------------
 *
 * best.h
 *	  The best few of many rows: what an aggregate keeps.
 *
 * Depends on server/pg.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_BEST_H
#define MOBILEBERT_BEST_H

#include "server/pg.h"

/* What was found in a row.  Texts lie in the context of the list. */
typedef struct BestEntry
{
	double		score;
	int32		rank;			/* among those of its row, from 0 */
	int32		start;			/* of an answer */
	int32		end;
	text	   *key;			/* of the row; NULL: null */
	text	   *answer;			/* NULL: the row itself was found */
} BestEntry;

/*
 * State of an aggregate, which may put it first in a struct of its own with
 * what it needs in the process that reads rows.
 */
typedef struct BestList BestList;
struct BestList
{
	MemoryContext context;		/* of all that is kept */
	size_t		top_k;
	BestEntry  *entries;
	size_t		count;
	size_t		room;
	size_t		bytes;			/* of the entries' texts */
	double		floor;			/* lower scores have no chance */
	void		(*finish) (BestList *list); /* read what waits; NULL: nothing
											 * does */
};

/* A list at the beginning of a zeroed struct of that size, in that context. */
extern BestList *best_make(MemoryContext context, size_t size, size_t top_k);

/*
 * Option "top_k", argument n, which must be the same in all rows: list is NULL
 * with the first of them.
 */
extern size_t best_top_k(FunctionCallInfo fcinfo, int n, const BestList *list);

/* Add an entry, with copies of its texts. */
extern void best_add(BestList *list, const BestEntry *entry);

/*
 * The result of an aggregate, an array of rows: rank, key and what "put" makes
 * of the entry.  NULL when there is none.
 */
extern Datum best_result(FunctionCallInfo fcinfo,
						 void (*put) (const BestEntry *entry, Datum *values));

#endif							/* MOBILEBERT_BEST_H */
