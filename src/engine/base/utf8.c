/*-------------------------------------------------------------------------
 *
 * utf8.c
 *	  Whether bytes are UTF-8.
 *
 * Depends on base/utf8.h.
 *
 *-------------------------------------------------------------------------
 */
#include "base/utf8.h"

static size_t
sequence_length(const unsigned char *s, size_t n)
{
	unsigned char c = s[0];

	if (c < 0x80)
		return 1;
	if (c >= 0xC2 && c <= 0xDF)
		return (n >= 2 && (s[1] & 0xC0) == 0x80) ? 2 : 0;
	if (c >= 0xE0 && c <= 0xEF)
	{
		if (n < 3 || (s[1] & 0xC0) != 0x80 || (s[2] & 0xC0) != 0x80)
			return 0;
		if (c == 0xE0 && s[1] < 0xA0)
			return 0;			/* overlong */
		if (c == 0xED && s[1] > 0x9F)
			return 0;			/* surrogate */
		return 3;
	}
	if (c >= 0xF0 && c <= 0xF4)
	{
		if (n < 4 || (s[1] & 0xC0) != 0x80 || (s[2] & 0xC0) != 0x80 ||
			(s[3] & 0xC0) != 0x80)
			return 0;
		if (c == 0xF0 && s[1] < 0x90)
			return 0;			/* overlong */
		if (c == 0xF4 && s[1] > 0x8F)
			return 0;			/* above U+10FFFF */
		return 4;
	}
	return 0;
}

size_t
mb_utf8_length(const char *text, size_t n)
{
	return sequence_length((const unsigned char *) text, n);
}

bool
mb_utf8_valid(const char *text, size_t length)
{
	const unsigned char *s = (const unsigned char *) text;
	size_t		i = 0;

	while (i < length)
	{
		size_t		n = sequence_length(s + i, length - i);

		if (n == 0)
			return false;
		i += n;
	}
	return true;
}
