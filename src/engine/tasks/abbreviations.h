/*-------------------------------------------------------------------------
 *
 * abbreviations.h
 *	  Words that tell whether the stop after them, or before them, ends a
 *	  sentence.
 *
 * Words are UTF-8, without the stop.
 *
 * Depends on libc only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_ABBREVIATIONS_H
#define MB_ABBREVIATIONS_H

#include <stdbool.h>
#include <stddef.h>

typedef enum mb_abbreviation
{
	MB_NO_ABBREVIATION,
	MB_GOES_ON,					/* never ends a sentence: Mr. */
	MB_BEFORE_NUMBER,			/* goes on before a number: No. 5 */
	MB_IN_NAME,					/* ends before The, It, ...: Inc. */
	MB_ENDS_BEFORE_CAPITAL		/* ends before a capital: etc. */
} mb_abbreviation;

extern mb_abbreviation mb_abbreviation_kind(const char *word, size_t length);

/* One that begins sentences, and hardly a name. */
extern bool mb_word_begins(const char *word, size_t length);

/* A month's name that follows a day's number with a stop (German). */
extern bool mb_word_is_month(const char *word, size_t length);

#endif							/* MB_ABBREVIATIONS_H */
