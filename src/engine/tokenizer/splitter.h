/*-------------------------------------------------------------------------
 *
 * splitter.h
 *	  Takes a text apart at its added tokens (spec tokenizer.md 3).
 *
 *	mb_splits_start(&splitter, blob, &blob->raw, text ...)
 *	while (mb_splits_next(&splitter, &split)) ...
 *
 * Splits come from left to right, and none is empty.  They follow each other
 * without a gap; only a token that begins with white space can begin inside
 * the white space that the token before it took by rstrip, as in the library.
 *
 * Depends on base/arena.h, base/status.h, tokenizer/blob.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_SPLITTER_H
#define MB_SPLITTER_H

#include "base/arena.h"
#include "base/status.h"
#include "tokenizer/blob.h"

/* Steps between two polls of cancel. */
#define MB_WORK_STEPS 65536

/* The work of one call, so that all its loops together poll often enough. */
typedef struct mb_work
{
	const mb_cancel *cancel;
	mb_error   *err;
	size_t		steps;			/* since the last poll */
} mb_work;

static inline mb_status
mb_work_step(mb_work *work, size_t count)
{
	work->steps += count;
	if (work->steps < MB_WORK_STEPS)
		return MB_OK;
	work->steps = 0;
	return mb_poll_cancel(work->cancel, "tokenizing", work->err);
}

/* A stretch of the text: an added token, or (added < 0) what is between. */
typedef struct mb_split
{
	size_t		start;			/* bytes [start, stop) */
	size_t		stop;
	int32_t		added;			/* index of the added token */
} mb_split;

typedef struct mb_match_chunk mb_match_chunk;

typedef struct mb_splitter
{
	const mb_blob *blob;
	const char *text;
	size_t		length;
	bool		split_special_tokens;	/* special ones are but text */
	mb_match_chunk *matches;
	size_t		scanned;		/* end of the last match looked at */
	size_t		done;			/* end of the last split */
	size_t		furthest;		/* largest end of a token so far */
	bool		waiting;		/* a token follows the split before it */
	mb_split	token;
	size_t		spaces_start;	/* a run of white space that rstrip walked */
	size_t		spaces_stop;
} mb_splitter;

/* Find the added tokens of a matcher of the blob in valid UTF-8. */
extern mb_status mb_splits_start(mb_splitter *s, const mb_blob *blob,
								 const mb_matcher *matcher,
								 bool split_special_tokens,
								 const char *text, size_t length,
								 mb_arena *scratch, mb_work *work);

/* The next split; false at the end. */
extern bool mb_splits_next(mb_splitter *s, mb_split *split);

#endif							/* MB_SPLITTER_H */
