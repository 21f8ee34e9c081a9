/*-------------------------------------------------------------------------
 *
 * unicode_tables.h
 *	  Classes of characters, as the BERT normaliser and pre-tokeniser see
 *	  them.
 *
 * Each class is frozen at the Unicode version that the tokenizers library uses
 * for it (spec tokenizer.md 2); unicode_ranges.txt lists the members.
 *
 * Depends on libc only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_UNICODE_TABLES_H
#define MB_UNICODE_TABLES_H

#include <stdint.h>

/* Bits in the order of BITS in unicode_tables.py. */
#define MB_CHAR_REMOVED		(1 << 0)	/* dropped by clean_text (2.2) */
#define MB_CHAR_SPACE		(1 << 1)	/* White_Space (2.5) */
#define MB_CHAR_IDEOGRAPH	(1 << 2)	/* handle_chinese_chars (2.3) */
#define MB_CHAR_PUNCTUATION (1 << 3)	/* a word of its own (2.6) */
#define MB_CHAR_MARK		(1 << 4)	/* Mn, dropped by strip_accents (2.4) */
#define MB_CHAR_DECOMPOSES	(1 << 5)	/* has a canonical decomposition */
#define MB_CHAR_COMBINES	(1 << 6)	/* combining class other than 0 */
#define MB_CHAR_LOWERS		(1 << 7)	/* has a lower-case mapping ... */
#define MB_CHAR_LOWERS_NEW	(1 << 8)	/* ... newer than utf8proc may be */
#define MB_CHAR_WORD		(1 << 9)	/* \w, for single_word (3) */

#define MB_UNICODE_MAX		0x10FFFF
#define MB_UNICODE_BLOCK	128

extern const uint16_t mb_unicode_index[];
extern const uint16_t mb_unicode_blocks[][MB_UNICODE_BLOCK];

/* Capitals first .. last; their small letters start at lower. */
typedef struct mb_lower_range
{
	uint32_t	first;
	uint32_t	last;
	uint32_t	lower;
} mb_lower_range;

extern const mb_lower_range mb_unicode_lowers[];
extern const int mb_unicode_lowers_count;

/* The MB_CHAR_ bits of a code point (at most MB_UNICODE_MAX). */
static inline unsigned
mb_char_flags(uint32_t code)
{
	return mb_unicode_blocks[mb_unicode_index[code / MB_UNICODE_BLOCK]]
		[code % MB_UNICODE_BLOCK];
}

#endif							/* MB_UNICODE_TABLES_H */
