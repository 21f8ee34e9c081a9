/*-------------------------------------------------------------------------
 *
 * import_progress.c
 *	  What an import of a large model tells its client while it runs: its size,
 *	  and once a second how far reading and storing have come.
 *
 * A model of less than LARGE bytes is there before anybody asks, and says
 * nothing.
 *
 * Depends on server/pg.h, import/import_model.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "import/import_model.h"
#include "import/import_progress.h"

#include "utils/timestamp.h"

#define MEGABYTE (1024 * 1024)
#define LARGE ((uint64) 256 * MEGABYTE)

/* Milliseconds from one line to the next */
#define BETWEEN_LINES 1000

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

void
import_progress_begin(Import *import)
{
	import->bytes = bytes_of_files(import);
	if (import->bytes < LARGE)
		return;
	ereport(NOTICE,
			(errmsg("model \"%s\" has " UINT64_FORMAT " MB of weights",
					import->name, import->bytes / MEGABYTE),
			 errdetail("They are read and stored 1 MB at a time.  In use they take " UINT64_FORMAT " MB of memory in precision %s, once for all sessions.",
					   import->image_bytes / MEGABYTE, import->precision)));
}

void
import_progress_phase(Import *import, const char *phase)
{
	import->phase = phase;
	import->bytes_done = 0;
	import->told_at = GetCurrentTimestamp();
}

void
import_progress_add(Import *import, uint64 bytes)
{
	TimestampTz now;

	import->bytes_done += bytes;
	if (import->bytes < LARGE)
		return;
	now = GetCurrentTimestamp();
	if (!TimestampDifferenceExceeds(import->told_at, now, BETWEEN_LINES))
		return;
	import->told_at = now;
	ereport(NOTICE,
			(errmsg("model \"%s\": " UINT64_FORMAT " of " UINT64_FORMAT " MB %s",
					import->name, import->bytes_done / MEGABYTE,
					import->bytes / MEGABYTE, import->phase)));
}
