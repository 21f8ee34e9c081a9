/*-------------------------------------------------------------------------
 *
 * scan.h
 *	  What the scanners of patterns share: bytes and characters of the text,
 *	  and where finds go.
 *
 * A scanner moves forward through the text, calls mb_scan_poll() as it goes,
 * and at a place where its kind may begin looks at a bounded number of bytes
 * from there.  All bytes are read by mb_look(), which tests count.
 *
 * Depends on base/arena.h, base/status.h, base/utf8.h,
 * tokenizer/unicode_tables.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_SCAN_H
#define MB_SCAN_H

#include "base/arena.h"
#include "base/status.h"
#include "base/utf8.h"
#include "tokenizer/unicode_tables.h"

/* Bytes between two polls of cancel. */
#define MB_SCAN_POLL 65536

typedef struct mb_place
{
	size_t		start;			/* bytes [start, end) */
	size_t		end;
} mb_place;

typedef struct mb_scan
{
	const char *text;
	size_t		length;
	const mb_cancel *cancel;
	size_t		poll;			/* where to poll next */
	mb_arena   *arena;
	mb_place   *places;			/* [count], in order */
	size_t		count;
	size_t		capacity;
	size_t		looks;
	mb_error   *err;
} mb_scan;

/* One for each kind; each begins with poll and count 0. */
extern mb_status mb_scan_email(mb_scan *s);
extern mb_status mb_scan_url(mb_scan *s);
extern mb_status mb_scan_ip(mb_scan *s);
extern mb_status mb_scan_phone(mb_scan *s);
extern mb_status mb_scan_card(mb_scan *s);
extern mb_status mb_scan_iban(mb_scan *s);
extern mb_status mb_scan_date(mb_scan *s);

/* A find; it begins no earlier than the one before ended. */
extern mb_status mb_scan_add(mb_scan *s, size_t start, size_t end);
extern mb_status mb_scan_cancelled(mb_scan *s, size_t at);

static inline mb_status
mb_scan_poll(mb_scan *s, size_t at)
{
	return at < s->poll ? MB_OK : mb_scan_cancelled(s, at);
}

/*
 * All finds of a kind that is seen where it begins: end_at is the end of what
 * begins at a place, or 0.
 */
static inline mb_status
mb_scan_forward(mb_scan *s, size_t (*end_at) (mb_scan *s, size_t at))
{
	size_t		at = 0;

	while (at < s->length)
	{
		mb_status	status = mb_scan_poll(s, at);
		size_t		end;

		if (status != MB_OK)
			return status;
		end = end_at(s, at);
		if (end > 0)
			status = mb_scan_add(s, at, end);
		if (status != MB_OK)
			return status;
		at = end > 0 ? end : at + 1;
	}
	return MB_OK;
}

/*
 * Bytes.  Beyond the text there are zeros.
 */

static inline char
mb_look(mb_scan *s, size_t at)
{
#if defined(MB_ASSERTIONS)
	s->looks++;
#endif
	return at < s->length ? s->text[at] : '\0';
}

static inline bool
mb_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
mb_is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool
mb_is_alnum(char c)
{
	return mb_is_digit(c) || mb_is_letter(c);
}

static inline bool
mb_is_ascii(char c)
{
	return ((unsigned char) c & 0x80) == 0;
}

static inline char
mb_small(char c)
{
	return c >= 'A' && c <= 'Z' ? (char) (c + ('a' - 'A')) : c;
}

static inline bool
mb_digit_at(mb_scan *s, size_t at)
{
	return mb_is_digit(mb_look(s, at));
}

/*
 * Characters
 */

/* The character that begins at a place in the text, and its bytes. */
static inline uint32_t
mb_code_at(mb_scan *s, size_t at, size_t *bytes)
{
	const char *c = s->text + at;
	uint32_t	code;

	(void) mb_look(s, at);
	code = mb_utf8_next(&c);
	*bytes = (size_t) (c - s->text) - at;
	return code;
}

/* Is it part of a word, in a script that puts blanks between words? */
static inline bool
mb_joins(uint32_t code)
{
	if (code < 0x80)
		return mb_is_alnum((char) code);
	if ((mb_char_flags(code) & MB_CHAR_WORD) == 0)
		return false;
	return code < 0x0E00 ||		/* up to Malayalam and Sinhala */
		(code >= 0x10A0 && code < 0x1100) ||	/* Georgian */
		(code >= 0x1200 && code < 0x13A0) ||	/* Ethiopic */
		(code >= 0x1E00 && code < 0x2000) ||	/* more Latin, Greek */
		(code >= 0xFF10 && code < 0xFF5B);	/* wide ASCII */
}

static inline bool
mb_joins_at(mb_scan *s, size_t at)
{
	size_t		bytes;

	return at < s->length && mb_joins(mb_code_at(s, at, &bytes));
}

static inline bool
mb_joins_before(mb_scan *s, size_t at)
{
	size_t		bytes;

	if (at == 0)
		return false;
	do
		at--;
	while (at > 0 && mb_utf8_continues(mb_look(s, at)));
	return mb_joins(mb_code_at(s, at, &bytes));
}

/* Bytes of a blank within a line, 0: there is none. */
static inline size_t
mb_blank_at(mb_scan *s, size_t at)
{
	char		c = mb_look(s, at);

	if (c == ' ')
		return 1;
	if (c == '\xC2')			/* no-break space */
		return mb_look(s, at + 1) == '\xA0' ? 2 : 0;
	if (c != '\xE2' || mb_look(s, at + 1) != '\x80')
		return 0;
	c = mb_look(s, at + 2);		/* thin and narrow no-break space */
	return c == '\x89' || c == '\xAF' ? 3 : 0;
}

/* Bytes of a hyphen, dash or minus, 0: there is none. */
static inline size_t
mb_dash_at(mb_scan *s, size_t at)
{
	char		c = mb_look(s, at);

	if (c == '-')
		return 1;
	if (c != '\xE2')
		return 0;
	c = mb_look(s, at + 1);
	if (c == '\x88')
		return mb_look(s, at + 2) == '\x92' ? 3 : 0;
	if (c != '\x80')
		return 0;
	c = mb_look(s, at + 2);		/* U+2010 to U+2013 */
	return c >= '\x90' && c <= '\x93' ? 3 : 0;
}

/* The number of up to "most" digits at *at, which moves over them. */
static inline unsigned
mb_number_at(mb_scan *s, size_t *at, unsigned most, unsigned *digits)
{
	unsigned	value = 0;

	for (*digits = 0; *digits < most && mb_digit_at(s, *at); ++*digits)
		value = value * 10 + (unsigned) (mb_look(s, (*at)++) - '0');
	return value;
}

#endif							/* MB_SCAN_H */
