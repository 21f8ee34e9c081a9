/*-------------------------------------------------------------------------
 *
 * patterns.h
 *	  Personal data that needs no model: what has a form of its own.
 *
 * One scanner for each kind goes over the text once and looks a bounded number
 * of bytes ahead and back, so the time is linear in the text whatever stands in
 * it: there is no backtracking and no regular expression.
 *
 *	EMAIL		local@domain; the domain's last label is of letters
 *	URL			scheme://… and www.…; bare names of hosts are none
 *	IP			version 4 (four numbers up to 255) and 6 (also compressed)
 *	PHONE		international (+, 00), national (leading 0, area code in
 *				parentheses, 3-3-4, 3-4-4); other groups of digits after or before
 *				a word such as "phone"
 *	CREDIT_CARD	12 to 19 digits of an issuer's range and length whose Luhn sum
 *				is right, solid or in the groups of cards
 *	IBAN		length and form of its country, checked modulo 97
 *	DATE		numeric dates (ISO with a time), and days or years with a
 *				month's name in English, German, French, Spanish, Italian,
 *				Portuguese or Dutch; a year or a weekday alone is none
 *
 * Digits are ASCII digits.  A find neither begins nor ends beside a letter or
 * digit of a script that is written with blanks between words; characters of
 * the others (Chinese, Japanese, Korean, Thai) stand beside one without
 * hiding it.
 *
 * Depends on base/arena.h, base/status.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_PATTERNS_H
#define MB_PATTERNS_H

#include "base/arena.h"
#include "base/status.h"

/* In the order in which equal finds win. */
typedef enum mb_pattern
{
	MB_PATTERN_EMAIL,
	MB_PATTERN_URL,
	MB_PATTERN_IP,
	MB_PATTERN_IBAN,
	MB_PATTERN_CREDIT_CARD,
	MB_PATTERN_PHONE,
	MB_PATTERN_DATE,
	MB_PATTERN_KINDS
} mb_pattern;

/* Characters [start, end) of the text. */
typedef struct mb_match
{
	int32_t		start;
	int32_t		end;
	mb_pattern	pattern;
} mb_match;

/* By start, then by kind; those of one kind do not overlap. */
typedef struct mb_matches
{
	mb_match   *items;			/* [count], in the arena */
	size_t		count;
	size_t		looks;			/* at bytes of the text; counted in builds with
								 * MB_ASSERTIONS, else 0 */
} mb_matches;

/* How many looks a byte of the text may cost, all kinds together. */
#define MB_PATTERN_LOOKS 200

/* Its name as above; pattern < MB_PATTERN_KINDS. */
extern const char *mb_pattern_name(mb_pattern pattern);

/*
 * Finds of the kinds in the set (1 << pattern) in valid UTF-8 of at most
 * INT32_MAX bytes.
 */
extern mb_status mb_patterns_find(const char *text, size_t length,
								  unsigned set, mb_arena *arena,
								  const mb_cancel *cancel, mb_matches *found,
								  mb_error *err);

#endif							/* MB_PATTERNS_H */
