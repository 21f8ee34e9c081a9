/*-------------------------------------------------------------------------
 *
 * enrich_progress.c
 *	  How far mobilebert.enrich() has come: for other sessions, in the view
 *	  mobilebert.enrichment_progress, and as NOTICE lines.
 *
 * Figures for others are where progress.h says.  The end of a failed
 * (sub)transaction clears them, so they are shown anew after each batch.
 *
 * Depends on server/pg.h, server/progress.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/progress.h"
#include "enrich/enrich_progress.h"

#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(mobilebert_enrichment_progress);

/* Places of the figures in the status entry. */
enum
{
	PROGRESS_ATTNUM,
	PROGRESS_STARTED_AT,
	PROGRESS_TOTAL,
	PROGRESS_DONE,
	PROGRESS_NULLS,
	PROGRESS_FAILED,
	PROGRESS_LEFT,
	PROGRESS_BATCHES,
	PROGRESS_SWEEP,
	PROGRESS_FIGURES
};

/* Columns of the view's function. */
enum
{
	COLUMN_PID,
	COLUMN_DATABASE,
	COLUMN_ROLE,
	COLUMN_RELATION,
	COLUMN_ATTNUM,
	COLUMN_STARTED_AT,
	COLUMN_PASS,
	COLUMN_BATCHES,
	COLUMN_TOTAL,
	COLUMN_DONE,
	COLUMN_NULLS,
	COLUMN_FAILED,
	COLUMN_LEFT,
	COLUMN_RATE,
	COLUMN_SECONDS_LEFT,
	COLUMNS
};

void
enrich_progress_show(const EnrichProgress *progress)
{
	int64		figures[PROGRESS_FIGURES];

	figures[PROGRESS_ATTNUM] = progress->attnum;
	figures[PROGRESS_STARTED_AT] = progress->started_at;
	figures[PROGRESS_TOTAL] = progress->total;
	figures[PROGRESS_DONE] = progress->done;
	figures[PROGRESS_NULLS] = progress->nulls;
	figures[PROGRESS_FAILED] = progress->failed;
	figures[PROGRESS_LEFT] = progress->left;
	figures[PROGRESS_BATCHES] = progress->batches;
	figures[PROGRESS_SWEEP] = progress->sweep;
	mobilebert_progress_show(PROGRESS_COMMAND_ENRICH, progress->relation,
							 figures, PROGRESS_FIGURES);
}

void
enrich_progress_end(void)
{
	mobilebert_progress_end(PROGRESS_COMMAND_ENRICH);
}

/* Rows a second since the start. */
static double
rate_of(const EnrichProgress *p, TimestampTz now)
{
	double		seconds = (double) (now - p->started_at) / USECS_PER_SEC;

	return seconds > 0 ? (double) enrich_progress_tried(p) / seconds : 0;
}

/*
 * Seconds to go; negative: not known yet.  Rows that other sessions took from
 * the same table count as gone.
 */
static double
seconds_left(const EnrichProgress *p, TimestampTz now)
{
	double		seconds = (double) (now - p->started_at) / USECS_PER_SEC;
	int64		gone = enrich_progress_tried(p) + p->left;

	if (gone <= 0)
		return -1;
	return (double) Max(p->total - gone, 0) * seconds / (double) gone;
}

/* "47 s", "12 min 5 s", "3 h 20 min" */
static char *
duration(double seconds)
{
	int64		s = (int64) (seconds + 0.5);

	if (s < SECS_PER_MINUTE)
		return psprintf(INT64_FORMAT " s", s);
	if (s < SECS_PER_HOUR)
		return psprintf(INT64_FORMAT " min " INT64_FORMAT " s",
						s / SECS_PER_MINUTE, s % SECS_PER_MINUTE);
	return psprintf(INT64_FORMAT " h " INT64_FORMAT " min",
					s / SECS_PER_HOUR, s % SECS_PER_HOUR / SECS_PER_MINUTE);
}

void
enrich_progress_notice(const EnrichProgress *p)
{
	TimestampTz now = GetCurrentTimestamp();
	double		left = seconds_left(p, now);

	ereport(NOTICE,
			(errmsg("enriched " INT64_FORMAT " of " INT64_FORMAT " rows of \"%s\", %.0f rows a second, %s left",
					p->done, p->total, get_rel_name(p->relation),
					rate_of(p, now), left < 0 ? "unknown time" :
					duration(left))));
}

void
enrich_progress_summary(const EnrichProgress *p)
{
	TimestampTz now = GetCurrentTimestamp();

	ereport(NOTICE,
			(errmsg("enriched " INT64_FORMAT " rows of \"%s\" in %s, %.0f rows a second; " INT64_FORMAT " stay NULL, " INT64_FORMAT " failed, " INT64_FORMAT " left to other sessions",
					p->done, get_rel_name(p->relation),
					duration((double) (now - p->started_at) / USECS_PER_SEC),
					rate_of(p, now), p->nulls, p->failed, p->left)));
}

HeapTuple
enrich_progress_row(const EnrichProgress *p, TupleDesc type)
{
	TimestampTz now = GetCurrentTimestamp();
	Datum		values[] = {
		Int64GetDatum(p->done),
		Int64GetDatum(p->nulls),
		Int64GetDatum(p->failed),
		Int64GetDatum(p->left),
		Float8GetDatum((double) (now - p->started_at) / USECS_PER_SEC),
		Float8GetDatum(rate_of(p, now))
	};
	bool		nulls[lengthof(values)] = {false};

	if (type->natts != lengthof(values))
		elog(ERROR, "enrich() gives %d columns, not %d",
			 (int) lengthof(values), type->natts);
	return heap_form_tuple(type, values, nulls);
}

static void
put_progress(ReturnSetInfo *rsinfo, const PgBackendStatus *status)
{
	const int64 *figures = status->st_progress_param;
	TimestampTz now = GetCurrentTimestamp();
	EnrichProgress p = {0};
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS] = {false};
	double		left;

	p.started_at = figures[PROGRESS_STARTED_AT];
	p.total = figures[PROGRESS_TOTAL];
	p.done = figures[PROGRESS_DONE];
	p.nulls = figures[PROGRESS_NULLS];
	p.failed = figures[PROGRESS_FAILED];
	p.left = figures[PROGRESS_LEFT];
	left = seconds_left(&p, now);

	values[COLUMN_PID] = Int32GetDatum(status->st_procpid);
	values[COLUMN_DATABASE] = ObjectIdGetDatum(status->st_databaseid);
	values[COLUMN_ROLE] = ObjectIdGetDatum(status->st_userid);
	values[COLUMN_RELATION] =
		ObjectIdGetDatum(status->st_progress_command_target);
	values[COLUMN_ATTNUM] = Int16GetDatum((int16) figures[PROGRESS_ATTNUM]);
	values[COLUMN_STARTED_AT] = TimestampTzGetDatum(p.started_at);
	values[COLUMN_PASS] = Int32GetDatum((int32) figures[PROGRESS_SWEEP]);
	values[COLUMN_BATCHES] = Int64GetDatum(figures[PROGRESS_BATCHES]);
	values[COLUMN_TOTAL] = Int64GetDatum(p.total);
	values[COLUMN_DONE] = Int64GetDatum(p.done);
	values[COLUMN_NULLS] = Int64GetDatum(p.nulls);
	values[COLUMN_FAILED] = Int64GetDatum(p.failed);
	values[COLUMN_LEFT] = Int64GetDatum(p.left);
	values[COLUMN_RATE] = Float8GetDatum(rate_of(&p, now));
	values[COLUMN_SECONDS_LEFT] = Float8GetDatum(left);
	nulls[COLUMN_SECONDS_LEFT] = left < 0;
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* enrichment_progress_rows() -> a row for each call of enrich() under way */
Datum
mobilebert_enrichment_progress(PG_FUNCTION_ARGS)
{
	return mobilebert_progress_rows(fcinfo, PROGRESS_COMMAND_ENRICH,
									put_progress);
}
