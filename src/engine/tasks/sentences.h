/*-------------------------------------------------------------------------
 *
 * sentences.h
 *	  Where clauses, sentences and paragraphs of a text end.
 *
 * A rule, not a model: the stop, what stands before it (abbreviations,
 * initials, numbers of lists) and what follows (white space, then a letter that
 * is no small one).  In doubt a sentence goes on: two in one piece do less harm
 * than half of one.
 *
 * Depends on base/status.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_SENTENCES_H
#define MB_SENTENCES_H

#include "base/status.h"

typedef enum mb_break
{
	MB_BREAK_NONE,				/* the text's end: no more breaks */
	MB_BREAK_CLAUSE,			/* after a comma and its like; a line's end */
	MB_BREAK_SENTENCE,
	MB_BREAK_PARAGRAPH			/* a blank line */
} mb_break;

/* A text that is read from break to break. */
typedef struct mb_sentences
{
	const char *text;			/* valid UTF-8 */
	size_t		length;
	size_t		at;				/* the next byte to look at */
	int32_t		characters;		/* before it */
	size_t		sentence;		/* where the current sentence begins, */
	size_t		line;			/* and the current line, blanks left out */
	bool		heading;		/* that line is one of Markdown */
	bool		capitals;		/* the text has capital letters */

	/* what stands just before "at" */
	int			state;
	size_t		stop;			/* the first byte of a run of stops */
	bool		closed;			/* quotes or brackets came after them */
} mb_sentences;

/* Errors: MB_ERR_CANCELLED. */
extern mb_status mb_sentences_begin(mb_sentences *s, const char *text,
									size_t length, const mb_cancel *cancel,
									mb_error *err);

/*
 * The next break: what ends there, and how many characters of the text stand
 * before it, of which the last is no white space.  Errors: MB_ERR_CANCELLED.
 */
extern mb_status mb_sentences_next(mb_sentences *s, const mb_cancel *cancel,
								   mb_break *kind, int32_t *end,
								   mb_error *err);

/*
 * Where no white space is between two characters: are they not to be parted,
 * because the second closes or the first opens?
 */
extern bool mb_clings(uint32_t before, uint32_t after);

#endif							/* MB_SENTENCES_H */
