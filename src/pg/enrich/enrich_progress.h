/*-------------------------------------------------------------------------
 *
 * enrich_progress.h
 *	  How far mobilebert.enrich() has come.
 *
 * Depends on server/pg.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_ENRICH_PROGRESS_H
#define MOBILEBERT_ENRICH_PROGRESS_H

#include "server/pg.h"

#include "access/attnum.h"
#include "access/htup.h"
#include "access/tupdesc.h"
#include "utils/timestamp.h"

typedef struct EnrichProgress
{
	Oid			relation;
	AttrNumber	attnum;			/* of the column that is filled */
	TimestampTz started_at;
	int64		total;			/* rows to be enriched when the call began */
	int64		done;			/* rows enriched */
	int64		nulls;			/* rows that stay NULL, without an error */
	int64		failed;			/* rows noted as failed */
	int64		left;			/* rows found, but held or changed by others */
	int64		batches;
	int64		sweep;			/* over the table, from 1; column "pass" */
} EnrichProgress;

/* Rows that were computed, whatever came of it. */
static inline int64
enrich_progress_tried(const EnrichProgress *progress)
{
	return progress->done + progress->nulls + progress->failed;
}

/* Show it in mobilebert.enrichment_progress. */
extern void enrich_progress_show(const EnrichProgress *progress);
extern void enrich_progress_end(void);

/* What a call gives back: a row of the caller's type. */
extern HeapTuple enrich_progress_row(const EnrichProgress *progress,
									 TupleDesc type);

/* NOTICE lines: underway, and at the end. */
extern void enrich_progress_notice(const EnrichProgress *progress);
extern void enrich_progress_summary(const EnrichProgress *progress);

#endif							/* MOBILEBERT_ENRICH_PROGRESS_H */
