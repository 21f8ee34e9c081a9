/*-------------------------------------------------------------------------
 *
 * status.c
 *	  Filling an mb_error with text that can be printed.
 *
 * Depends on base/status.h, base/utf8.h.
 *
 *-------------------------------------------------------------------------
 */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

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
		size_t		n = mb_utf8_length(text + i, length - i);

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
