/*-------------------------------------------------------------------------
 *
 * date.c
 *	  The pattern DATE.
 *
 *	2004-04-16, 2004/4/16, 2004.04.16, each also with a time after it
 *	4/16/2004, 16.4.2004, 16. 4. 2004, 16-04-2004, 4/16/04, 16.04.04
 *	16 April 2004, 16th of April, 16. April, 16-Apr-2004, 16/Apr/04, 16 de abril
 *	April 16, 2004, Apr 16th, April 2004
 *	2004年4月16日, 4月16日
 *
 * Day and month have to exist, in one of the two orders where both are numbers.
 * Names of months count in any case, but those that are English words ("may")
 * need a capital or a year.
 *
 * Depends on tasks/patterns/scan.h.
 *
 *-------------------------------------------------------------------------
 */
#include "tasks/patterns/scan.h"

#include <string.h>

/* A month's name; in UTF-8, in small letters. */
static const struct
{
	const char *name;
	unsigned	month;
	bool		is_word;		/* of English, too */
}			months[] =
{
	/* English, and its short forms */
	{"january", 1, false}, {"february", 2, false}, {"march", 3, true},
	{"april", 4, false}, {"may", 5, true}, {"june", 6, false},
	{"july", 7, false}, {"august", 8, true}, {"september", 9, false},
	{"october", 10, false}, {"november", 11, false}, {"december", 12, false},
	{"jan", 1, false}, {"feb", 2, false}, {"mar", 3, true}, {"apr", 4, false},
	{"jun", 6, false}, {"jul", 7, false}, {"aug", 8, false},
	{"sep", 9, false}, {"sept", 9, false}, {"oct", 10, false},
	{"nov", 11, false}, {"dec", 12, false},
	/* German */
	{"januar", 1, false}, {"j\xC3\xA4nner", 1, false}, {"februar", 2, false},
	{"m\xC3\xA4rz", 3, false}, {"maerz", 3, false}, {"m\xC3\xA4r", 3, false},
	{"mai", 5, false}, {"juni", 6, false}, {"juli", 7, false},
	{"oktober", 10, false}, {"okt", 10, false}, {"dezember", 12, false},
	{"dez", 12, false},
	/* French */
	{"janvier", 1, false}, {"f\xC3\xA9vrier", 2, false},
	{"fevrier", 2, false}, {"mars", 3, true}, {"avril", 4, false},
	{"juin", 6, false}, {"juillet", 7, false}, {"ao\xC3\xBBt", 8, false},
	{"aout", 8, false}, {"septembre", 9, false}, {"octobre", 10, false},
	{"novembre", 11, false}, {"d\xC3\xA9" "cembre", 12, false},
	{"decembre", 12, false},
	/* Spanish */
	{"enero", 1, false}, {"febrero", 2, false}, {"marzo", 3, false},
	{"abril", 4, false}, {"mayo", 5, true}, {"junio", 6, false},
	{"julio", 7, false}, {"agosto", 8, false}, {"septiembre", 9, false},
	{"setiembre", 9, false}, {"octubre", 10, false}, {"noviembre", 11, false},
	{"diciembre", 12, false},
	/* Italian */
	{"gennaio", 1, false}, {"febbraio", 2, false}, {"aprile", 4, false},
	{"maggio", 5, false}, {"giugno", 6, false}, {"luglio", 7, false},
	{"settembre", 9, false}, {"ottobre", 10, false}, {"dicembre", 12, false},
	/* Portuguese */
	{"janeiro", 1, false}, {"fevereiro", 2, false}, {"mar\xC3\xA7o", 3, false},
	{"maio", 5, false}, {"junho", 6, false}, {"julho", 7, false},
	{"setembro", 9, false}, {"outubro", 10, false}, {"novembro", 11, false},
	{"dezembro", 12, false},
	/* Dutch */
	{"januari", 1, false}, {"februari", 2, false}, {"maart", 3, false},
	{"mei", 5, false}, {"augustus", 8, false}
};

#define NAME_MAX_BYTES 12

/* What stands between days, months and years in numeric dates */
#define SEPARATORS "-/."

static bool
is_day(unsigned day, unsigned month, unsigned year)
{
	static const unsigned char days[] = {
		31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
	};

	if (month < 1 || month > 12 || day < 1 || day > days[month - 1])
		return false;
	return month != 2 || day < 29 || year % 4 == 0;
}

/* A year of four digits at *at; 0: there is none. */
static unsigned
year_at(mb_scan *s, size_t *at)
{
	size_t		from = *at;
	unsigned	digits;
	unsigned	year = mb_number_at(s, &from, 4, &digits);

	if (digits < 4 || year < 1000 || mb_joins_at(s, from))
		return 0;
	*at = from;
	return year;
}

/* Is it a short form, which a full stop may follow? */
static bool
is_short(const char *name, size_t length)
{
	static const char others[] = " may mai mei ";

	return length == 3 ? strstr(others, name) == NULL :
		strcmp(name, "sept") == 0 || strcmp(name, "m\xC3\xA4r") == 0;
}

/*
 * The month whose name begins at *at, which moves over it; 0: none does.
 * *after is behind a full stop that shortens it.
 */
static unsigned
month_at(mb_scan *s, size_t *at, size_t *after, bool *is_word)
{
	char		name[NAME_MAX_BYTES + 1];
	size_t		length = 0;
	size_t		i;
	bool		small = false;

	while (length < NAME_MAX_BYTES)
	{
		char		c = mb_look(s, *at + length);

		if (mb_is_letter(c))
		{
			if (length == 0)
				small = c >= 'a';
			name[length++] = mb_small(c);
		}
		else if (c == '\xC3')
		{
			/* a letter of Latin-1, whose capitals are 32 before it */
			c = mb_look(s, *at + length + 1);
			if (length + 2 > NAME_MAX_BYTES)
				return 0;
			name[length++] = '\xC3';
			name[length++] = c <= '\x9E' && c != '\x97' ? (char) (c + 0x20) :
				c;
		}
		else
			break;
	}
	name[length] = '\0';
	if (length < 3 || mb_joins_at(s, *at + length))
		return 0;
	for (i = 0; i < sizeof(months) / sizeof(months[0]); i++)
	{
		if (strcmp(months[i].name, name) == 0)
		{
			*at += length;
			*after = *at;
			if (is_short(name, length) && mb_look(s, *at) == '.')
				++*after;
			*is_word = months[i].is_word && small;
			return months[i].month;
		}
	}
	return 0;
}

/* Bytes of a word between blanks, with the blank after it; 0: another one. */
static size_t
word_at(mb_scan *s, size_t at, const char *word)
{
	size_t		length = strlen(word);
	size_t		blank;
	size_t		i;

	for (i = 0; i < length; i++)
	{
		if (mb_small(mb_look(s, at + i)) != word[i])
			return 0;
	}
	blank = mb_blank_at(s, at + length);
	return blank == 0 ? 0 : length + blank;
}

/* Over blanks, or none, and "of" or "de" where there is one. */
static size_t
skip_of(mb_scan *s, size_t at)
{
	size_t		blank = mb_blank_at(s, at);
	size_t		word;

	if (blank == 0)
		return at;
	at += blank;
	word = word_at(s, at, "of");
	if (word == 0)
		word = word_at(s, at, "de");
	if (word == 0)
		word = word_at(s, at, "del");
	return at + word;
}

/*
 * Ends
 */

/* Is there no more of a number or a word where a date should end? */
static bool
ends_there(mb_scan *s, size_t at, char separator)
{
	return !mb_joins_at(s, at) &&
		(mb_look(s, at) != separator || !mb_digit_at(s, at + 1));
}

/* Is a digit there the first of its number? */
static bool
begins_there(mb_scan *s, size_t at)
{
	char		before;

	if (at < 2 || (s->count > 0 && s->places[s->count - 1].end == at - 1))
		return true;			/* also the second date of a range */
	before = mb_look(s, at - 1);
	return (before != ',' && before != ':' &&
			(before == '\0' || strchr(SEPARATORS, before) == NULL)) ||
		!mb_digit_at(s, at - 2);
}

/* A time of day after an ISO date; where it ends, or "at" without one. */
static size_t
time_end(mb_scan *s, size_t at)
{
	size_t		from = at;
	size_t		end;
	unsigned	digits;
	char		c = mb_look(s, from);

	from += c == 'T' || c == 't' ? 1 : mb_blank_at(s, from);
	if (from == at || mb_number_at(s, &from, 2, &digits) > 24 || digits != 2 ||
		mb_look(s, from++) != ':' ||
		mb_number_at(s, &from, 2, &digits) > 59 || digits != 2)
		return at;
	end = from;
	if (mb_look(s, from++) == ':' &&
		mb_number_at(s, &from, 2, &digits) <= 60 && digits == 2)
	{
		end = from;
		c = mb_look(s, from++);
		if ((c == '.' || c == ',') && mb_digit_at(s, from))
		{
			(void) mb_number_at(s, &from, 9, &digits);
			end = from;
		}
	}
	from = end;
	c = mb_look(s, from++);
	if (c == 'Z' || c == 'z')
		end = from;
	else if ((c == '+' || c == '-') &&
			 mb_number_at(s, &from, 2, &digits) <= 14 && digits == 2)
	{
		end = from;
		from += mb_look(s, from) == ':';
		if (mb_number_at(s, &from, 2, &digits) < 60 && digits == 2)
			end = from;
	}
	return mb_joins_at(s, end) ? at : end;
}

/*
 * ", 2004" or " de 2004" after day and month, or "at" without it.  "after" is
 * behind a full stop at "at".
 */
static size_t
year_end(mb_scan *s, size_t at, size_t after, unsigned *year)
{
	size_t		from = after;

	from += mb_look(s, from) == ',';
	from = skip_of(s, from);
	*year = from > after ? year_at(s, &from) : 0;
	return *year > 0 ? from : at;
}

/*
 * Beginnings
 */

/* Numbers with the characters for year, month and day; year or month first. */
static size_t
cjk_end(mb_scan *s, size_t at, unsigned number, unsigned digits)
{
	static const char signs[3][4] = {
		"\xE5\xB9\xB4", "\xE6\x9C\x88", "\xE6\x97\xA5"
	};
	unsigned	numbers[3] = {2000, 0, 1};
	size_t		end = 0;
	bool		has_year = digits == 4;
	int			part = has_year ? 0 : 1;

	for (; part < 3; part++)
	{
		size_t		from = at;
		int			i;

		for (i = 0; i < 3; i++)
		{
			if (mb_look(s, from++) != signs[part][i])
				return end;
		}
		numbers[part] = number;
		if (part > 0 && !is_day(numbers[2], numbers[1], numbers[0]))
			return end;
		if (part > (has_year ? 0 : 1))
			end = from;			/* neither a year nor a month alone */
		at = from;
		number = mb_number_at(s, &at, 2, &digits);
		if (digits == 0)
			return end;
	}
	return end;
}

/* 2004-04-16, after the year */
static size_t
iso_end(mb_scan *s, size_t at, unsigned year)
{
	char		separator = mb_look(s, at++);
	unsigned	digits;
	unsigned	month;
	unsigned	day;
	size_t		end;

	month = mb_number_at(s, &at, 2, &digits);
	if (digits == 0 || mb_look(s, at++) != separator)
		return 0;
	day = mb_number_at(s, &at, 2, &digits);
	if (digits == 0 || year < 1000 || !is_day(day, month, year))
		return 0;
	end = time_end(s, at);
	return end > at || ends_there(s, at, separator) ? end : 0;
}

/* 16/4/2004, after the first number and where a separator stands */
static size_t
numeric_end(mb_scan *s, size_t at, unsigned first, unsigned first_digits)
{
	char		separator = mb_look(s, at++);
	size_t		blank = separator == '.' ? mb_blank_at(s, at) : 0;
	unsigned	second_digits;
	unsigned	digits;
	unsigned	second;
	unsigned	year;
	size_t		after;
	bool		is_word;

	at += blank;
	second = mb_number_at(s, &at, 2, &second_digits);
	if (second_digits == 0)
	{
		second = month_at(s, &at, &after, &is_word);
		if (second == 0 || !is_day(first, second, 2000))
			return 0;
	}
	if (mb_look(s, at++) != separator)
		return 0;
	if (blank > 0)
		at += mb_blank_at(s, at);
	year = mb_number_at(s, &at, 4, &digits);
	if (digits == 2)
	{
		/* with points or dashes more often something else */
		if (second_digits != 0 && separator != '/' &&
			!(separator == '.' && first_digits == 2 && second_digits == 2 &&
			  blank == 0))
			return 0;
		year += 2000;
	}
	else if (digits != 4 || year < 1000)
		return 0;
	if (!is_day(first, second, year) &&
		(second_digits == 0 || !is_day(second, first, year)))
		return 0;
	return ends_there(s, at, separator) ? at : 0;
}

/* 16 April 2004, 16th of April, after the day */
static size_t
day_first_end(mb_scan *s, size_t at, unsigned day)
{
	static const char ordinals[][3] = {"st", "nd", "rd", "th"};
	unsigned	month;
	unsigned	year;
	size_t		end;
	size_t		next;
	size_t		after;
	size_t		i;
	bool		is_word;

	for (i = 0; i < sizeof(ordinals) / sizeof(ordinals[0]); i++)
	{
		if (mb_small(mb_look(s, at)) == ordinals[i][0] &&
			mb_small(mb_look(s, at + 1)) == ordinals[i][1])
		{
			at += 2;
			break;
		}
	}
	if (i == sizeof(ordinals) / sizeof(ordinals[0]) && mb_look(s, at) == '.')
		at++;
	next = skip_of(s, at);
	if (next == at)
		return 0;
	month = month_at(s, &next, &after, &is_word);
	if (month == 0 || !is_day(day, month, 2000))
		return 0;
	end = year_end(s, next, after, &year);
	return is_word && year == 0 ? 0 : end;
}

/* Where a date ends that begins with a digit there; 0: none does. */
static size_t
digit_first_end(mb_scan *s, size_t at)
{
	unsigned	digits;
	unsigned	number = mb_number_at(s, &at, 4, &digits);
	size_t		end;
	char		c = mb_look(s, at);

	if (c == '\0' || mb_is_digit(c) || digits == 3)
		return 0;
	if (!mb_is_ascii(c))
	{
		end = cjk_end(s, at, number, digits);
		if (end > 0)
			return end;
	}
	if (digits == 4)
		return strchr(SEPARATORS, c) == NULL ? 0 : iso_end(s, at, number);
	end = strchr(SEPARATORS, c) == NULL ? 0 :
		numeric_end(s, at, number, digits);
	return end > 0 ? end : day_first_end(s, at, number);
}

/* Where a date ends that begins with a month's name there; 0: none does. */
static size_t
month_first_end(mb_scan *s, size_t at)
{
	bool		is_word;
	size_t		after = at;
	unsigned	month = month_at(s, &at, &after, &is_word);
	unsigned	year;
	unsigned	digits;
	unsigned	day;
	size_t		end;
	size_t		next;
	char		c;

	if (month == 0)
		return 0;
	end = year_end(s, at, after, &year);
	if (year > 0)				/* April 2004, but no march 1500 */
		return year >= (is_word ? 1900 : 1500) && year < 2100 ? end : 0;
	next = after + mb_blank_at(s, after);
	if (next == after)
		return 0;
	day = mb_number_at(s, &next, 2, &digits);
	if (digits == 0 || !is_day(day, month, 2000))
		return 0;
	c = mb_small(mb_look(s, next));
	if ((c == 's' || c == 'n' || c == 'r' || c == 't') &&
		mb_is_letter(mb_look(s, next + 1)))
		next += 2;
	c = mb_look(s, next);
	if (mb_joins_at(s, next) ||
		((c == ':' || c == '.' || c == '/' || c == '%') &&
		 mb_digit_at(s, next + 1)))
		return 0;
	end = year_end(s, next, next, &year);
	if (year == 0)
	{
		if (is_word || (c == ',' && mb_digit_at(s, next + 1)))
			return 0;			/* "may 5", "April 16,000 people" */
	}
	return end;
}

static size_t
find_date(mb_scan *s, size_t at)
{
	char		c = mb_look(s, at);

	if (!mb_is_alnum(c) || mb_joins_before(s, at))
		return 0;
	if (mb_is_letter(c))
		return month_first_end(s, at);
	return begins_there(s, at) ? digit_first_end(s, at) : 0;
}

mb_status
mb_scan_date(mb_scan *s)
{
	return mb_scan_forward(s, find_date);
}
