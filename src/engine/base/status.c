/*-------------------------------------------------------------------------
 *
 * status.c
 *	  Filling an mb_error, and the UTF-8 check that keeps it printable.
 *
 *-------------------------------------------------------------------------
 */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Length of the valid UTF-8 sequence at s (with n bytes left), 0 if none. */
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

/*
 * True when the n < 4 bytes at s, not a character by themselves, may be the
 * first bytes of one that vsnprintf() cut.
 */
static bool
cut_character(const unsigned char *s, size_t n)
{
	size_t		i;

	if (s[0] < 0xC2 || s[0] > 0xF4)
		return false;
	for (i = 1; i < n; i++)
	{
		if ((s[i] & 0xC0) != 0x80)
			return false;
	}
	return true;
}

/*
 * Replace what is not valid UTF-8 by '?' and control characters by blanks; a
 * last character that was cut goes away.
 */
static void
make_printable(char *text)
{
	size_t		length = strlen(text);
	size_t		i = 0;

	while (i < length)
	{
		size_t		n = sequence_length((unsigned char *) text + i, length - i);

		if (n == 0)
		{
			if (length - i < 4 &&
				cut_character((unsigned char *) text + i, length - i))
			{
				text[i] = '\0';
				return;
			}
			text[i] = '?';
			n = 1;
		}
		else if (n == 1 && ((unsigned char) text[i] < 0x20 || text[i] == 0x7F))
			text[i] = ' ';
		i += n;
	}
}

mb_status
mb_fail(mb_error *err, mb_status status, const char *format,...)
{
	va_list		args;

	if (err == NULL)
		return status;
	err->status = status;
	err->detail[0] = '\0';
	err->hint[0] = '\0';
	va_start(args, format);
	vsnprintf(err->message, sizeof(err->message), format, args);
	va_end(args);
	make_printable(err->message);
	return status;
}

void
mb_detail(mb_error *err, const char *format,...)
{
	va_list		args;

	if (err == NULL)
		return;
	va_start(args, format);
	vsnprintf(err->detail, sizeof(err->detail), format, args);
	va_end(args);
	make_printable(err->detail);
}

void
mb_hint(mb_error *err, const char *format,...)
{
	va_list		args;

	if (err == NULL)
		return;
	va_start(args, format);
	vsnprintf(err->hint, sizeof(err->hint), format, args);
	va_end(args);
	make_printable(err->hint);
}

mb_status
mb_fail_memory(mb_error *err)
{
	return mb_fail(err, MB_ERR_MEMORY, "out of memory");
}

mb_status
mb_fail_cancelled(mb_error *err, const char *work)
{
	if (work == NULL)
		return mb_fail(err, MB_ERR_CANCELLED, "cancelled");
	return mb_fail(err, MB_ERR_CANCELLED, "%s was cancelled", work);
}
