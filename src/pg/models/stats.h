/*-------------------------------------------------------------------------
 *
 * stats.h
 *	  What models have done since the server started.
 *
 * Depends on server/pg.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_STATS_H
#define MOBILEBERT_STATS_H

#include "server/pg.h"

#include "utils/uuid.h"

/* What is counted, in the order of mobilebert.stat_models' columns. */
typedef enum MobilebertCounter
{
	STAT_CALLS,					/* texts, pairs and id arrays asked for */
	STAT_ROWS,					/* sequences that ran through the network */
	STAT_TOKENS,				/* of them */
	STAT_PASSES,
	STAT_MICROSECONDS,			/* of passes */
	STAT_CACHE_HITS,			/* calls answered by the session's cache */
	STAT_TRUNCATIONS,			/* texts that were cut */
	STAT_ERRORS,				/* texts refused and passes that failed */
	STAT_COUNTERS
} MobilebertCounter;

typedef struct MobilebertStats MobilebertStats;

extern void mobilebert_stats_init(void);

/* The counters of a model, in a context; NULL when nothing is counted. */
extern MobilebertStats *mobilebert_stats_of(const pg_uuid_t *model,
											MemoryContext context);

/* The registry changed: counters of models that are no more may go. */
extern void mobilebert_stats_clean(void);

/* Does nothing when stats is NULL. */
extern void mobilebert_stats_add(MobilebertStats *stats,
								 MobilebertCounter counter, uint64 value);

#endif							/* MOBILEBERT_STATS_H */
