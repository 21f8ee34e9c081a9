/*-------------------------------------------------------------------------
 *
 * progress.h
 *	  How far a long command has come: for views that other sessions read, and
 *	  when it is time to tell the client.
 *
 * Figures go where the server's own commands (VACUUM, CREATE INDEX) put theirs:
 * in the backend's status entry, under a command number that none of them has.
 * That needs no preloading, no table and no lock, ends with the backend whatever
 * ends it, and is read without waiting.  The end of a failed (sub)transaction
 * clears it.  Like the views of the server these are empty when
 * track_activities is off, and show sessions of other roles only to those who
 * may read all statistics.
 *
 * Depends on server/pg.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_PROGRESS_H
#define MOBILEBERT_PROGRESS_H

#include "server/pg.h"

#include "fmgr.h"
#include "nodes/execnodes.h"
#include "utils/backend_progress.h"
#include "utils/backend_status.h"
#include "utils/timestamp.h"

/*
 * Work on models of less than so many bytes is done before anybody asks how far
 * it is: the client hears nothing of it.
 */
#define PROGRESS_LARGE ((uint64) 256 * 1024 * 1024)
#define PROGRESS_MEGABYTE ((uint64) 1024 * 1024)

/*
 * Is it time for another line?  Once a second, from *told_at on, which then is
 * now.
 */
extern bool mobilebert_progress_due(TimestampTz *told_at);

/* "mb" and "mc": far above the server's numbers. */
#define PROGRESS_COMMAND_ENRICH ((ProgressCommandType) 0x6d62)
#define PROGRESS_COMMAND_IMPORT ((ProgressCommandType) 0x6d63)

/*
 * This session's figures [count], of a command that works on a relation or
 * InvalidOid; a command inside another one of these is not shown.
 */
extern void mobilebert_progress_show(ProgressCommandType command,
									 Oid relation, const int64 *figures,
									 int count);
extern void mobilebert_progress_end(ProgressCommandType command);

/* A view's function: "put" is called for each session that is to be seen. */
typedef void (*MobilebertProgressPut) (ReturnSetInfo *rsinfo,
									   const PgBackendStatus *status);
extern Datum mobilebert_progress_rows(FunctionCallInfo fcinfo,
									  ProgressCommandType command,
									  MobilebertProgressPut put);

#endif							/* MOBILEBERT_PROGRESS_H */
