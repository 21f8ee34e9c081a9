/*-------------------------------------------------------------------------
 *
 * truncation.c
 *	  The note about texts that were cut.
 *
 * A statement that cuts texts says so once, when it is over, with their number.
 * A counter hangs on the memory context that lives as long as the statement's
 * function calls (fn_mcxt); all calls of a statement find the same counter
 * there, and the context's end emits the WARNING.  Contexts that outlive their
 * statement (PL/pgSQL keeps one for the whole transaction) are served before
 * the commit; a transaction that fails says nothing.
 *
 * Rows are read ahead of what a statement asks for (batch_scan.c): what was cut
 * for one of them is noted when it is given out.
 *
 * Parallel workers share no memory with their leader that we could count in,
 * so each says for itself how many texts it cut; the server marks these
 * WARNINGs with the context "parallel worker".
 *
 * Depends on server/pg.h, server/client_warning.h, pass/truncation.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/client_warning.h"
#include "pass/truncation.h"

#include "access/xact.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* Lives in its context; the list holds those of all statements in progress. */
typedef struct TruncationNote
{
	dlist_node	node;
	MemoryContext context;
	MemoryContextCallback callback;
	uint64		texts;			/* cut since the last WARNING */
	size_t		longest;		/* tokens of the longest of them */
	size_t		limit;			/* of the first of them */
	bool		limits_differ;	/* another one had another limit */
} TruncationNote;

static dlist_head notes = DLIST_STATIC_INIT(notes);
static bool notes_registered = false;
static MobilebertCuts *collecting = NULL;	/* where notes go instead */

static void
note_emit(TruncationNote *note)
{
	uint64		texts = note->texts;
	char		limit[64];
	char		message[128];
	char		detail[64];

	note->texts = 0;
	if (texts == 0)
		return;
	if (note->limits_differ)
		snprintf(limit, sizeof(limit), "the limit of their model");
	else
		snprintf(limit, sizeof(limit),
				 note->limit == 1 ? "%zu token" : "%zu tokens", note->limit);

	snprintf(message, sizeof(message), texts == 1 ?
			 "%llu text was cut to %s" : "%llu texts were cut to %s",
			 (unsigned long long) texts, limit);
	snprintf(detail, sizeof(detail), "The longest has %zu tokens.",
			 note->longest);

	/* A cancel must not jump out of a memory context's clean-up. */
	HOLD_INTERRUPTS();
	mobilebert_client_warning(message, detail,
							  "Use overflow => 'window' to read whole texts, or overflow => 'error' to refuse them.");
	RESUME_INTERRUPTS();
}

/*
 * The context is being deleted, and an error must not leave that half done.
 * Not even a WARNING is free of errors (of memory, say): then it is lost, and
 * what the server changed for the jump is put back.
 */
static void
note_end(void *arg)
{
	TruncationNote *note = arg;
	MemoryContext context = CurrentMemoryContext;
	uint32		holdoff = InterruptHoldoffCount;

	dlist_delete(&note->node);
	if (!IsTransactionState())
		return;
	PG_TRY();
	{
		note_emit(note);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		FlushErrorState();
		InterruptHoldoffCount = holdoff;
	}
	PG_END_TRY();
}

static void
notes_at_transaction(XactEvent event, void *arg)
{
	dlist_iter	iter;

	(void) arg;
	dlist_foreach(iter, &notes)
	{
		TruncationNote *note = dlist_container(TruncationNote, node, iter.cur);

		if (event == XACT_EVENT_PRE_COMMIT ||
			event == XACT_EVENT_PARALLEL_PRE_COMMIT ||
			event == XACT_EVENT_PRE_PREPARE)
			note_emit(note);
		else if (event == XACT_EVENT_ABORT ||
				 event == XACT_EVENT_PARALLEL_ABORT)
			note->texts = 0;
	}
}

static TruncationNote *
note_of(MemoryContext context)
{
	TruncationNote *note;
	dlist_iter	iter;

	dlist_foreach(iter, &notes)
	{
		note = dlist_container(TruncationNote, node, iter.cur);
		if (note->context == context)
			return note;
	}

	if (!notes_registered)
	{
		RegisterXactCallback(notes_at_transaction, NULL);
		notes_registered = true;
	}
	note = MemoryContextAllocZero(context, sizeof(TruncationNote));
	note->context = context;
	note->callback.func = note_end;
	note->callback.arg = note;
	MemoryContextRegisterResetCallback(context, &note->callback);
	dlist_push_head(&notes, &note->node);
	return note;
}

void
mobilebert_note_truncated(FunctionCallInfo fcinfo,
						  size_t tokens, size_t limit)
{
	TruncationNote *note;

	if (collecting != NULL)
	{
		collecting->texts++;
		collecting->longest = Max(collecting->longest, tokens);
		collecting->limit = limit;
		return;
	}
	note = note_of(fcinfo->flinfo != NULL ? fcinfo->flinfo->fn_mcxt :
				   CurrentMemoryContext);
	if (note->texts == 0)
	{
		note->limit = limit;
		note->limits_differ = false;
		note->longest = 0;
	}
	note->texts++;
	note->longest = Max(note->longest, tokens);
	if (note->limit != limit)
		note->limits_differ = true;
}

void
mobilebert_collect_cuts(MobilebertCuts *cuts)
{
	collecting = cuts;
	if (cuts != NULL)
		memset(cuts, 0, sizeof(*cuts));
}

void
mobilebert_note_cuts(FunctionCallInfo fcinfo, const MobilebertCuts *cuts)
{
	uint64		i;

	for (i = 0; i < cuts->texts; i++)
		mobilebert_note_truncated(fcinfo, cuts->longest, cuts->limit);
}
