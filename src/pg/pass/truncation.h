/*-------------------------------------------------------------------------
 *
 * truncation.h
 *	  The WARNING about texts that were cut.
 *
 * Depends on server/pg.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_TRUNCATION_H
#define MOBILEBERT_TRUNCATION_H

#include "server/pg.h"

/* Note a truncated text; one WARNING when the statement ends. */
extern void mobilebert_note_truncated(FunctionCallInfo fcinfo,
									  size_t tokens, size_t limit);

/*
 * Texts that were cut for a row that may never be asked for.  While *cuts is
 * collecting, notes go there; mobilebert_note_cuts() notes them for good.
 */
typedef struct MobilebertCuts
{
	uint64		texts;
	size_t		longest;		/* tokens of the longest of them */
	size_t		limit;
} MobilebertCuts;

extern void mobilebert_collect_cuts(MobilebertCuts *cuts);	/* NULL: no more */
extern void mobilebert_note_cuts(FunctionCallInfo fcinfo,
								 const MobilebertCuts *cuts);

#endif							/* MOBILEBERT_TRUNCATION_H */
