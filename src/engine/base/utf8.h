/*-------------------------------------------------------------------------
 *
 * utf8.h
 *	  Reading and writing UTF-8.
 *
 * Only mb_utf8_length() and mb_utf8_valid() take any bytes; all else expects
 * what they have accepted.
 *
 * Depends on libc only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_UTF8_H
#define MB_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Bytes of the character at text, with n >= 1 bytes left; 0 when it is not
 * valid UTF-8 (RFC 3629: no surrogates, shortest form, up to U+10FFFF).
 */
extern size_t mb_utf8_length(const char *text, size_t n);

/* True when [text, text + length) is valid UTF-8. */
extern bool mb_utf8_valid(const char *text, size_t length);

/* Decode the character at *text, which must be valid UTF-8, and step over. */
static inline uint32_t
mb_utf8_next(const char **text)
{
	const unsigned char *s = (const unsigned char *) *text;

	if (s[0] < 0x80)
	{
		*text += 1;
		return s[0];
	}
	if (s[0] < 0xE0)
	{
		*text += 2;
		return (s[0] & 0x1Fu) << 6 | (s[1] & 0x3Fu);
	}
	if (s[0] < 0xF0)
	{
		*text += 3;
		return (s[0] & 0x0Fu) << 12 | (s[1] & 0x3Fu) << 6 | (s[2] & 0x3Fu);
	}
	*text += 4;
	return (s[0] & 0x07u) << 18 | (s[1] & 0x3Fu) << 12 |
		(s[2] & 0x3Fu) << 6 | (s[3] & 0x3Fu);
}

/* Encode a character; returns its bytes, at most 4. */
static inline unsigned
mb_utf8_put(char *out, uint32_t code)
{
	if (code < 0x80)
	{
		out[0] = (char) code;
		return 1;
	}
	if (code < 0x800)
	{
		out[0] = (char) (0xC0 | code >> 6);
		out[1] = (char) (0x80 | (code & 0x3F));
		return 2;
	}
	if (code < 0x10000)
	{
		out[0] = (char) (0xE0 | code >> 12);
		out[1] = (char) (0x80 | (code >> 6 & 0x3F));
		out[2] = (char) (0x80 | (code & 0x3F));
		return 3;
	}
	out[0] = (char) (0xF0 | code >> 18);
	out[1] = (char) (0x80 | (code >> 12 & 0x3F));
	out[2] = (char) (0x80 | (code >> 6 & 0x3F));
	out[3] = (char) (0x80 | (code & 0x3F));
	return 4;
}

/* A byte that does not begin a character. */
static inline bool
mb_utf8_continues(char byte)
{
	return ((unsigned char) byte & 0xC0) == 0x80;
}

/* Characters in length bytes of valid UTF-8. */
static inline size_t
mb_utf8_count(const char *text, size_t length)
{
	size_t		count = 0;
	size_t		i;

	for (i = 0; i < length; i++)
		count += !mb_utf8_continues(text[i]);
	return count;
}

#endif							/* MB_UTF8_H */
