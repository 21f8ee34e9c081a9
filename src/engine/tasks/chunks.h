/*-------------------------------------------------------------------------
 *
 * chunks.h
 *	  A long text in pieces that each fit a window of a model.
 *
 * Depends on base/arena.h, base/status.h, tokenizer/tokenizer.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_CHUNKS_H
#define MB_CHUNKS_H

#include "base/arena.h"
#include "base/status.h"
#include "tokenizer/tokenizer.h"

/* Where chunks end, if it can be. */
typedef enum mb_split
{
	MB_SPLIT_WORD,
	MB_SPLIT_SENTENCE,			/* else at a clause, a word, a token */
	MB_SPLIT_PARAGRAPH			/* else at a sentence and so on */
} mb_split;

typedef struct mb_chunk_options
{
	mb_split	split;
	size_t		budget;			/* tokens of a chunk, at least 1 */
	size_t		overlap;		/* that neighbours may share, below budget */
	bool		split_special_tokens;	/* as the text was tokenised */
} mb_chunk_options;

typedef struct mb_chunk
{
	int32_t		start;			/* in characters of the text */
	int32_t		end;
	size_t		tokens;			/* of this slice as a text by itself */
} mb_chunk;

typedef struct mb_chunks
{
	size_t		count;
	mb_chunk   *list;			/* in the arena */

	/* when they were refused because something fits in no chunk */
	int32_t		refused;		/* the character where it begins */
	size_t		refused_tokens; /* its tokens; 0: it was another error */
} mb_chunks;

/*
 * text: valid UTF-8, whose pieces these are (mb_tokenize).  Chunks hold all of
 * its tokens, in order, and never part of a character.
 *
 * MB_SPLIT_WORD: as many words as fit, parted at white space if possible;
 * neighbours share whole words.  Otherwise: chunks end at the last sentence
 * (paragraph) that fits; only what is longer than a chunk is parted at the last
 * clause, else white space, else word, else token that fits.  Neighbours share
 * whole sentences, and none where one was parted.
 *
 * Errors: MB_ERR_LIMIT when a word, or but for MB_SPLIT_WORD a character, fits
 * in no chunk (chunks->refused); MB_ERR_MEMORY, MB_ERR_CANCELLED.
 */
extern mb_status mb_chunk_text(const mb_tokenizer *tokenizer,
							   const char *text, size_t length,
							   const mb_pieces *pieces,
							   const mb_chunk_options *options,
							   mb_arena *arena, const mb_cancel *cancel,
							   mb_chunks *chunks, mb_error *err);

#endif							/* MB_CHUNKS_H */
