/*-------------------------------------------------------------------------
 *
 * import_progress.c
 *	  How far an import has come: for other sessions in the view
 *	  mobilebert.import_progress, and as NOTICE lines.
 *
 * The client hears of a large model alone: its size and what memory it will
 * take, then once a second how far reading and storing have come.  One of less
 * than PROGRESS_LARGE bytes is there before anybody asks.
 *
 * Depends on server/pg.h, import/import_model.h, server/progress.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "import/import_model.h"
#include "import/import_progress.h"
#include "server/progress.h"

#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(mobilebert_import_progress);

/* Places of the figures in the status entry. */
enum
{
	PROGRESS_STARTED_AT,
	PROGRESS_PHASE,
	PROGRESS_TOTAL,
	PROGRESS_DONE,
	PROGRESS_FIGURES
};

/* Columns of the view's function. */
enum
{
	COLUMN_PID,
	COLUMN_DATABASE,
	COLUMN_ROLE,
	COLUMN_STARTED_AT,
	COLUMN_PHASE,
	COLUMN_TOTAL,
	COLUMN_DONE,
	COLUMNS
};

static const char *const phases[] = {
	[IMPORT_READS] = "read",
	[IMPORT_STORES] = "stored"
};

/* Bytes of the tensors that come from files */
static uint64
bytes_of_files(const Import *import)
{
	uint64		bytes = 0;
	size_t		i;

	for (i = 0; i < import->slots; i++)
		if (import->present[i] && import->filled[i].file != NULL)
			bytes += import->filled[i].info.bytes;
	return bytes;
}

/* For other sessions */
static void
show(const Import *import)
{
	int64		figures[PROGRESS_FIGURES];

	figures[PROGRESS_STARTED_AT] = import->started_at;
	figures[PROGRESS_PHASE] = import->phase;
	figures[PROGRESS_TOTAL] = (int64) import->bytes;
	figures[PROGRESS_DONE] = (int64) import->bytes_done;
	mobilebert_progress_show(PROGRESS_COMMAND_IMPORT, InvalidOid, figures,
							 PROGRESS_FIGURES);
}

void
import_progress_begin(Import *import)
{
	import->bytes = bytes_of_files(import);
	import->started_at = GetCurrentTimestamp();
	if (import->bytes < PROGRESS_LARGE)
		return;
	ereport(NOTICE,
			(errmsg("model \"%s\" has " UINT64_FORMAT " MB of weights",
					import->name, import->bytes / PROGRESS_MEGABYTE),
			 errdetail("They are read and stored 1 MB at a time.  In use they take " UINT64_FORMAT " MB of memory in precision %s, once for all sessions.",
					   import->image_bytes / PROGRESS_MEGABYTE, import->precision)));
}

void
import_progress_phase(Import *import, ImportPhase phase)
{
	import->phase = phase;
	import->bytes_done = 0;
	import->told_at = GetCurrentTimestamp();
	show(import);
}

void
import_progress_add(Import *import, uint64 bytes)
{
	import->bytes_done += bytes;
	show(import);
	if (import->bytes < PROGRESS_LARGE ||
		!mobilebert_progress_due(&import->told_at))
		return;
	ereport(NOTICE,
			(errmsg("model \"%s\": " UINT64_FORMAT " of " UINT64_FORMAT " MB %s",
					import->name, import->bytes_done / PROGRESS_MEGABYTE,
					import->bytes / PROGRESS_MEGABYTE,
					phases[import->phase])));
}

void
import_progress_end(void)
{
	mobilebert_progress_end(PROGRESS_COMMAND_IMPORT);
}

static void
put_progress(ReturnSetInfo *rsinfo, const PgBackendStatus *status)
{
	const int64 *figures = status->st_progress_param;
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS] = {false};

	values[COLUMN_PID] = Int32GetDatum(status->st_procpid);
	values[COLUMN_DATABASE] = ObjectIdGetDatum(status->st_databaseid);
	values[COLUMN_ROLE] = ObjectIdGetDatum(status->st_userid);
	values[COLUMN_STARTED_AT] =
		TimestampTzGetDatum(figures[PROGRESS_STARTED_AT]);
	values[COLUMN_PHASE] =
		CStringGetTextDatum(figures[PROGRESS_PHASE] == IMPORT_STORES ?
							"storing" : "reading");
	values[COLUMN_TOTAL] = Int64GetDatum(figures[PROGRESS_TOTAL]);
	values[COLUMN_DONE] = Int64GetDatum(figures[PROGRESS_DONE]);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* import_progress_rows() -> a row for each import under way */
Datum
mobilebert_import_progress(PG_FUNCTION_ARGS)
{
	return mobilebert_progress_rows(fcinfo, PROGRESS_COMMAND_IMPORT,
									put_progress);
}
