/*-------------------------------------------------------------------------
 *
 * progress.c
 *	  How far a long command has come: for views that other sessions read, and
 *	  when it is time to tell the client.
 *
 * Depends on server/pg.h, server/options.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/options.h"
#include "server/progress.h"

#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "utils/acl.h"

/* Milliseconds from one line to the next */
#define BETWEEN_LINES 1000

bool
mobilebert_progress_due(TimestampTz *told_at)
{
	TimestampTz now = GetCurrentTimestamp();

	if (!TimestampDifferenceExceeds(*told_at, now, BETWEEN_LINES))
		return false;
	*told_at = now;
	return true;
}

void
mobilebert_progress_show(ProgressCommandType command, Oid relation,
						 const int64 *figures, int count)
{
	int			index[PGSTAT_NUM_PROGRESS_PARAM];
	int			i;

	if (MyBEEntry == NULL)
		return;
	if (MyBEEntry->st_progress_command == PROGRESS_COMMAND_INVALID)
		pgstat_progress_start_command(command, relation);
	else if (MyBEEntry->st_progress_command != command)
		return;
	for (i = 0; i < count; i++)
		index[i] = i;
	pgstat_progress_update_multi_param(count, index, figures);
}

void
mobilebert_progress_end(ProgressCommandType command)
{
	if (MyBEEntry != NULL && MyBEEntry->st_progress_command == command)
		pgstat_progress_end_command();
}

/* The status entry number i as read by this backend's snapshot of them. */
static LocalPgBackendStatus *
status_entry(int i)
{
#if PG_VERSION_NUM >= 160000
	return pgstat_get_local_beentry_by_index(i);
#else
	return pgstat_fetch_stat_local_beentry(i);
#endif
}

Datum
mobilebert_progress_rows(FunctionCallInfo fcinfo, ProgressCommandType command,
						 MobilebertProgressPut put)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	bool		all = has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
	int			count = pgstat_fetch_stat_numbackends();
	int			i;

	mobilebert_srf_begin(fcinfo);
	for (i = 1; i <= count; i++)
	{
		LocalPgBackendStatus *entry = status_entry(i);

		if (entry == NULL ||
			entry->backendStatus.st_progress_command != command)
			continue;
		if (all || has_privs_of_role(GetUserId(),
									 entry->backendStatus.st_userid))
			put(rsinfo, &entry->backendStatus);
	}
	return (Datum) 0;
}
