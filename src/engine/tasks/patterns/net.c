/*-------------------------------------------------------------------------
 *
 * net.c
 *	  Patterns of the net: EMAIL, URL, IP.
 *
 * They are read more widely than their standards write them, for what is
 * masked by mistake costs less than what is not: a local part may have dots
 * anywhere, a number of an IPv4 address leading zeros, an IPv6 address capital
 * letters.
 *
 * Source: RFC 5321 and 6531 (addresses), 3986 and 3987 (URLs), 4291 and 5952
 * (IPv6).
 * Depends on tasks/patterns/scan.h.
 *
 *-------------------------------------------------------------------------
 */
#include "tasks/patterns/scan.h"

#include <string.h>

/* Bytes of a domain at most. */
#define DOMAIN_MAX 255

/* Bytes of a scheme at most. */
#define SCHEME_MAX 20

/*
 * EMAIL
 */

/* Bytes of a character of a word, or of the ASCII characters in "others". */
static size_t
word_or(mb_scan *s, size_t at, const char *others)
{
	char		c = mb_look(s, at);
	size_t		bytes;

	if (mb_is_ascii(c))
		return mb_is_alnum(c) || (c != '\0' && strchr(others, c) != NULL);
	return mb_joins(mb_code_at(s, at, &bytes)) ? bytes : 0;
}

/* Bytes of whatever character stands there. */
static size_t
any_character(mb_scan *s, size_t at)
{
	size_t		bytes = 1;

	if (!mb_is_ascii(mb_look(s, at)))
		(void) mb_code_at(s, at, &bytes);
	return bytes;
}

/*
 * Where a domain can end in its label [from, to), if that is to be the last:
 * after letters, two at least, that no digit follows.  0: nowhere.
 */
static size_t
last_label(mb_scan *s, size_t from, size_t to)
{
	size_t		at = from;
	char		c;

	if (to - from > 4 && mb_small(mb_look(s, from)) == 'x' &&
		mb_small(mb_look(s, from + 1)) == 'n' &&
		mb_look(s, from + 2) == '-' && mb_look(s, from + 3) == '-')
	{
		while (mb_look(s, to - 1) == '-')
			to--;
		return to - from > 4 ? to : 0;
	}
	while (at < to)
	{
		c = mb_look(s, at);
		if (mb_is_digit(c) || c == '-')
			break;
		at++;
	}
	return at - from >= 2 && !mb_digit_at(s, at) ? at : 0;
}

/* Where the domain that begins there ends; 0: there is none. */
static size_t
domain_end(mb_scan *s, size_t start)
{
	size_t		labels = 0;		/* before the current one */
	size_t		at = start;
	size_t		best = 0;

	for (;;)
	{
		size_t		label = at;
		size_t		end;
		size_t		bytes;

		while (at - start <= DOMAIN_MAX &&
			   (bytes = word_or(s, at, "-")) > 0)
			at += bytes;
		if (at == label || at - start > DOMAIN_MAX ||
			mb_look(s, label) == '-')
			break;
		end = labels > 0 ? last_label(s, label, at) : 0;
		if (end > 0)
			best = end;
		if (mb_look(s, at) != '.' || mb_look(s, at - 1) == '-')
			break;
		labels++;
		at++;
	}
	return best;
}

mb_status
mb_scan_email(mb_scan *s)
{
	size_t		local = 0;		/* where what may be a local part began */
	size_t		at = 0;

	while (at < s->length)
	{
		mb_status	status = mb_scan_poll(s, at);
		char		c = mb_look(s, at);
		size_t		bytes;
		size_t		end;

		if (status != MB_OK)
			return status;
		if (c == '@')
		{
			end = at > local ? domain_end(s, at + 1) : 0;
			if (end > 0)
			{
				status = mb_scan_add(s, local, end);
				if (status != MB_OK)
					return status;
			}
			at = end > 0 ? end : at + 1;
			local = at;
			continue;
		}
		bytes = word_or(s, at, "._%+-'~#&");

		/* It does not begin with a sign of punctuation. */
		if (bytes == 0 || (at == local && bytes == 1 && !mb_is_alnum(c) &&
						   c != '_' && c != '+'))
		{
			at += any_character(s, at);
			local = at;
		}
		else
			at += bytes;
	}
	return MB_OK;
}

/*
 * URL
 */

/* Bytes of a character of a URL; 0: it ends there. */
static size_t
url_character(mb_scan *s, size_t at)
{
	char		c = mb_look(s, at);
	size_t		bytes;

	if (mb_is_ascii(c))
		return c > ' ' && c != '\x7F' && strchr("<>\"`{}|\\^", c) == NULL;
	return (mb_char_flags(mb_code_at(s, at, &bytes)) & MB_CHAR_WORD) != 0 ?
		bytes : 0;
}

/*
 * Where a URL ends whose host begins there: before white space and quotes,
 * before a bracket that was not opened in it, and before punctuation after
 * which nothing else comes.
 */
static mb_status
url_end(mb_scan *s, size_t at, size_t *end)
{
	size_t		round = 0;		/* brackets that are open */
	size_t		square = 0;
	size_t		bytes;

	*end = at;
	for (; (bytes = url_character(s, at)) > 0; at += bytes)
	{
		mb_status	status = mb_scan_poll(s, at);
		char		c = mb_look(s, at);

		if (status != MB_OK)
			return status;
		if (c == '(')
			round++;
		else if (c == '[')
			square++;
		else if (c == ')' || c == ']')
		{
			size_t	   *open = c == ')' ? &round : &square;

			if (*open == 0)
				break;
			--*open;
			*end = at + 1;
		}
		else if (strchr(".,;:!?'*_~", c) == NULL)
			*end = at + bytes;
	}
	return MB_OK;
}

/* Where the scheme before a colon begins; the colon itself: there is none. */
static size_t
scheme_start(mb_scan *s, size_t colon, size_t done)
{
	size_t		at = colon;
	char		c;

	while (at > done && colon - at < SCHEME_MAX)
	{
		c = mb_look(s, at - 1);
		if (!mb_is_alnum(c) && c != '+' && c != '-')
			break;
		at--;
	}
	while (at < colon && !mb_is_letter(mb_look(s, at)))
		at++;
	return at;
}

/* A URL without a scheme begins with www and a dot. */
static bool
is_www(mb_scan *s, size_t at)
{
	size_t		i;

	if (mb_joins_before(s, at))
		return false;
	for (i = 0; i < 3; i++)
	{
		if (mb_small(mb_look(s, at + i)) != 'w')
			return false;
	}
	return mb_look(s, at + 3) == '.';
}

mb_status
mb_scan_url(mb_scan *s)
{
	size_t		done = 0;		/* end of the last find */
	size_t		at = 0;

	while (at < s->length)
	{
		mb_status	status = mb_scan_poll(s, at);
		char		c = mb_look(s, at);
		size_t		start = at;
		size_t		host = at;	/* at: nothing begins here */
		size_t		end;

		if (status != MB_OK)
			return status;
		if (c == ':' && mb_look(s, at + 1) == '/' && mb_look(s, at + 2) == '/')
		{
			start = scheme_start(s, at, done);
			if (start < at)
				host = at + 3;
		}
		else if (mb_small(c) == 'w' && is_www(s, at))
			host = at + 4;
		if (host > at)
		{
			status = url_end(s, host, &end);
			if (status == MB_OK && end > host)
				status = mb_scan_add(s, start, end);
			if (status != MB_OK)
				return status;
			if (end > host)
				done = end;
			at = end > host ? end : host;
		}
		else
			at++;
	}
	return MB_OK;
}

/*
 * IP
 */

static bool
is_hex(char c)
{
	return mb_is_digit(c) || (mb_small(c) >= 'a' && mb_small(c) <= 'f');
}

/* Where four numbers end that begin there; 0: they do not. */
static size_t
four_numbers(mb_scan *s, size_t at)
{
	unsigned	digits;
	int			i;

	for (i = 0; i < 4; i++)
	{
		if (i > 0 && mb_look(s, at++) != '.')
			return 0;
		if (mb_number_at(s, &at, 3, &digits) > 255 || digits == 0)
			return 0;
	}
	return at;
}

static size_t
ip4_end(mb_scan *s, size_t at)
{
	size_t		end;

	if (at >= 2 && mb_look(s, at - 1) == '.' && mb_joins_before(s, at - 1))
		return 0;				/* of a longer number, or a name */
	end = four_numbers(s, at);
	if (end == 0 || mb_joins_at(s, end) ||
		(mb_look(s, end) == '.' && mb_digit_at(s, end + 1)))
		return 0;
	return end;
}

/* Is the colon after a group of an address? */
static bool
after_group(mb_scan *s, size_t colon)
{
	size_t		at = colon;

	if (colon == 0)
		return false;
	if (mb_look(s, colon - 1) == ':')
		return true;
	while (at > 0 && colon - at < 4 && is_hex(mb_look(s, at - 1)))
		at--;
	return at < colon && !mb_joins_before(s, at);
}

/*
 * Where an IPv6 address ends that begins there; 0: none does.  A short one
 * needs a digit: "a::b" is more often a name in a program.
 */
static size_t
ip6_end(mb_scan *s, size_t at)
{
	bool		compressed = mb_look(s, at) == ':';
	bool		has_digit = false;
	int			groups = 0;

	if (compressed)
		at += 2;
	else if (at > 0 && mb_look(s, at - 1) == ':' && after_group(s, at - 1))
		return 0;
	for (;;)
	{
		size_t		group = at;
		size_t		end;

		if (groups == 6 || (compressed && groups < 6))
		{
			end = mb_digit_at(s, at) ? four_numbers(s, at) : 0;
			if (end > 0)
			{
				groups += 2;
				has_digit = true;
				at = end;
				break;
			}
		}
		while (at - group < 5 && is_hex(mb_look(s, at)))
			has_digit |= mb_digit_at(s, at++);
		if (at - group > 4)
			return 0;
		if (at == group)
			break;				/* after a :: */
		groups++;
		if (groups == 8 || mb_look(s, at) != ':')
			break;
		if (mb_look(s, at + 1) == ':')
		{
			if (compressed)
				return 0;
			compressed = true;
			at += 2;
		}
		else if (is_hex(mb_look(s, at + 1)))
			at++;
		else
			break;				/* a colon of the sentence */
	}
	if (compressed ? groups == 0 || groups > 7 || (groups <= 2 && !has_digit) :
		groups != 8)
		return 0;
	if (mb_joins_at(s, at) ||
		(mb_look(s, at) == ':' &&
		 (is_hex(mb_look(s, at + 1)) || mb_look(s, at + 1) == ':')) ||
		(mb_look(s, at) == '.' && mb_digit_at(s, at + 1)))
		return 0;
	return at;
}

static size_t
find_ip(mb_scan *s, size_t at)
{
	char		c = mb_look(s, at);
	size_t		end = 0;

	if (!(is_hex(c) || (c == ':' && mb_look(s, at + 1) == ':')) ||
		mb_joins_before(s, at))
		return 0;
	if (c != ':' || at == 0 || mb_look(s, at - 1) != ':')
		end = ip6_end(s, at);
	return end == 0 && mb_is_digit(c) ? ip4_end(s, at) : end;
}

mb_status
mb_scan_ip(mb_scan *s)
{
	return mb_scan_forward(s, find_ip);
}
