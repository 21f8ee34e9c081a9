/*-------------------------------------------------------------------------
 *
 * phone.c
 *	  The pattern PHONE.
 *
 * A number is read as groups of digits with what stands between them, and what
 * it may be follows from how it begins:
 *
 *	+41 (0)38 549 02 90			+ and a country: 8 to 15 digits
 *	001-518-640-0854			00 and a country
 *	(08) 8747 6301				an area code in parentheses
 *	0341 8387176				a leading 0: 9 to 12 digits
 *	201-948-1927				3-3-4, as in North America, also after a 1
 *	138 0013 8000				3-4-4, as in China
 *	450 0840, 5403926876		anything else of 7 to 12 digits, if a word near
 *								by says that it is a telephone's (cues)
 *
 * The longest number of groups that fits is taken.  A word such as "order"
 * before a number speaks against it.  An extension belongs to the number.
 *
 * Depends on tasks/patterns/scan.h.
 *
 *-------------------------------------------------------------------------
 */
#include "tasks/patterns/scan.h"

#include <string.h>

#define GROUPS 8
#define DIGITS 17
#define DIGITS_MIN 7

typedef struct group
{
	unsigned	digits;
	bool		round;			/* in parentheses */
	char		separator;		/* before it: blank - . / or 0 */
	size_t		end;
} group;

typedef struct phone
{
	bool		plus;
	char		digits[DIGITS]; /* of all groups */
	group		groups[GROUPS];
	unsigned	count;
} phone;

/*
 * Reading
 */

/* What stands before the next group: its kind, or 0, and its bytes. */
static char
separator_at(mb_scan *s, size_t at, size_t *bytes)
{
	size_t		from = at;
	char		kind = '\0';
	size_t		n = mb_blank_at(s, at);

	if (n > 0)
		kind = ' ';
	at += n;
	n = mb_dash_at(s, at);
	if (n > 0)
		kind = '-';
	else if (mb_look(s, at) == '.' || mb_look(s, at) == '/')
	{
		kind = mb_look(s, at);
		n = 1;
	}
	at += n;
	if (kind == '-' || kind == '/')
		at += mb_blank_at(s, at);
	*bytes = at - from;
	return kind;
}

/* Read a group, with its parentheses; false: there is none. */
static bool
read_group(mb_scan *s, phone *p, unsigned *total, size_t *at)
{
	group	   *g = &p->groups[p->count];
	size_t		from = *at;
	bool		plus = false;

	g->digits = 0;
	g->round = mb_look(s, from) == '(';
	from += g->round;
	if (mb_look(s, from) == '+' && p->count == 0)
	{
		plus = true;
		from++;
		from += mb_blank_at(s, from);
	}
	while (mb_digit_at(s, from))
	{
		if (*total == DIGITS)
			return false;
		p->digits[(*total)++] = mb_look(s, from++);
		g->digits++;
	}
	if (g->digits == 0 || (g->round && mb_look(s, from++) != ')'))
		return false;
	p->plus |= plus;
	g->end = from;
	*at = from;
	p->count++;
	return true;
}

static void
read_phone(mb_scan *s, size_t at, phone *p)
{
	unsigned	total = 0;
	char		separator = '\0';

	memset(p, 0, sizeof(*p));
	while (p->count < GROUPS)
	{
		size_t		bytes;
		size_t		next = at;

		if (p->count > 0)
		{
			separator = separator_at(s, at, &bytes);
			next += bytes;
			if (separator == '\0' && mb_look(s, next) != '(' &&
				!p->groups[p->count - 1].round)
				break;
		}
		p->groups[p->count].separator = separator;
		if (!read_group(s, p, &total, &next))
			break;
		at = next;
	}
}

/*
 * Cues
 */

typedef enum cue
{
	CUE_NONE,
	CUE_PHONE,
	CUE_OTHER
} cue;

/* In small letters, a blank before and after each. */
static const char phone_words[] =
" phone phones telephone tel tele mobile mob cell cellphone fax call calls"
" calling called dial dialing ring sms text texts message messages whatsapp"
" signal viber hotline contact landline answering callback pager"
" telefon telefonnummer handy handynummer rufnummer durchwahl mobil mobiltelefon"
" anrufen telefax portable telephoner appeler movil celular telefono llamar"
" cellulare chiamare telefone telemovel ligar telefoon bellen office desk ";

static const char other_words[] =
" order orders invoice account acct ticket case serial tracking parcel sku item"
" isbn issn ean imei ref reference version build id ids zip code pin"
" bestellung bestellnummer rechnung rechnungsnummer kundennummer konto"
" commande facture pedido factura ordine fattura ";

/* After a number these say what it is. */
static const char trailing_words[] =
" phone telephone tel mobile mob cell fax office desk home work landline"
" telefon handy mobil portable ";

#define WORD_MAX 16

/* Is the word [from, to) one of the list? */
static bool
is_listed(mb_scan *s, size_t from, size_t to, const char *list)
{
	char		word[WORD_MAX + 3];
	size_t		n = 0;

	if (to - from > WORD_MAX)
		return false;
	word[n++] = ' ';
	while (from < to)
		word[n++] = mb_small(mb_look(s, from++));
	word[n++] = ' ';
	word[n] = '\0';
	return strstr(list, word) != NULL;
}

/* The nearest of some words before a place that says something. */
#define CUE_BYTES 64
#define CUE_WORDS 5
#define CUE_OTHER_WORDS 2

static cue
cue_before(mb_scan *s, size_t at)
{
	size_t		first = at > CUE_BYTES ? at - CUE_BYTES : 0;
	int			word;

	if (at > 0 && mb_look(s, at - 1) == '#')
		return CUE_OTHER;
	for (word = 0; word < CUE_WORDS; word++)
	{
		size_t		to;

		while (at > first && !mb_is_letter(mb_look(s, at - 1)))
		{
			if (mb_digit_at(s, at - 1) && word > 0)
				return CUE_NONE;	/* words about another number */
			at--;
		}
		to = at;
		while (at > first && mb_is_letter(mb_look(s, at - 1)))
			at--;
		if (at == to)
			break;
		if (word < CUE_OTHER_WORDS && is_listed(s, at, to, other_words))
			return CUE_OTHER;
		if (is_listed(s, at, to, phone_words))
			return CUE_PHONE;
	}
	return CUE_NONE;
}

static bool
cue_after(mb_scan *s, size_t at)
{
	size_t		from = at;
	size_t		to;

	while (from - at < 3 && (mb_look(s, from) == ' ' ||
							 mb_look(s, from) == '-' ||
							 mb_look(s, from) == '(' ||
							 mb_look(s, from) == ','))
		from++;
	to = from;
	while (to - from < WORD_MAX && mb_is_letter(mb_look(s, to)))
		to++;
	return to > from && is_listed(s, from, to, trailing_words);
}

/*
 * Forms
 */

/*
 * Have all groups from first on two digits, and those after it the same before
 * them?  After blanks the last one may be an extension: 123 45 67-89.
 */
static bool
is_even(const phone *p, unsigned first, unsigned count)
{
	const group *g = p->groups;
	unsigned	i;

	for (i = first; i < count; i++)
	{
		bool		extension = i > first + 1 && i + 1 == count &&
			g[i].separator == '-' && g[i].digits <= 4 &&
			g[i - 1].separator == ' ';

		if (g[i].round || (g[i].digits < 2 && !extension) ||
			(i > first && g[i].separator != g[first + 1].separator &&
			 !extension))
			return false;
	}
	return true;
}

/* 3-3-4 digits from a group on */
static bool
is_american(const phone *p, unsigned first, unsigned count)
{
	const group *g = &p->groups[first];

	return count == first + 3 && g[0].digits == 3 && g[1].digits == 3 &&
		g[2].digits == 4 && !g[1].round && !g[2].round &&
		(g[0].round || g[1].separator == g[2].separator) &&
		g[2].separator != '/' &&
		p->digits[first] != '0' &&
		(first == 0 || (p->groups[0].digits == 1 && p->digits[0] == '1'));
}

/* 3-4-4 digits of a mobile */
static bool
is_chinese(const phone *p, unsigned count)
{
	const group *g = p->groups;

	return count == 3 && g[0].digits == 3 && g[1].digits == 4 &&
		g[2].digits == 4 && g[1].separator == g[2].separator &&
		g[2].separator != '/' && p->digits[0] == '1' && p->digits[1] >= '3';
}

/* 3-2-4 digits, as social security numbers are written */
static bool
is_social(const phone *p, unsigned count)
{
	const group *g = p->groups;

	return count == 3 && g[0].digits == 3 && g[1].digits == 2 &&
		g[2].digits == 4 && g[2].separator == '-';
}

/* Four digits that may be a year's */
static bool
is_year(const char *digits)
{
	return strncmp(digits, "19", 2) == 0 || strncmp(digits, "20", 2) == 0;
}

/* A number that needs a word to tell it from others */
static bool
is_plain(const phone *p, unsigned count, unsigned total)
{
	const group *g = p->groups;

	if (total < DIGITS_MIN || total > 12 || count > 5 || !is_even(p, 0, count))
		return false;
	if (count == 3 && ((g[0].digits == 4 && g[1].digits == 2 &&
						g[2].digits == 2) ||
					   (g[0].digits == 2 && g[1].digits == 2 &&
						g[2].digits == 4)))
		return false;			/* as dates are */
	if (total == 8 && is_year(p->digits) &&
		(count == 1 || (count == 2 && is_year(p->digits + 4))))
		return false;			/* or 20041231, or years */
	return count == 1 || g[1].separator != '/';
}

/* Is the number made of the first count groups one, of total digits? */
static bool
is_phone(mb_scan *s, const phone *p, cue before, unsigned count,
		 unsigned total)
{
	const group *g = p->groups;

	if (g[count - 1].round)
		return false;
	if (p->plus)
		return p->digits[0] != '0' && total >= 8 && total <= 16;
	if (g[0].round)
		return count > 1 && g[0].digits >= 2 && g[0].digits <= 5 &&
			total >= DIGITS_MIN && total <= 12 && is_even(p, 1, count) &&
			!(g[0].digits == 4 && is_year(p->digits));
	if (before == CUE_OTHER || is_social(p, count))
		return false;
	if (strncmp(p->digits, "00", 2) == 0 && g[0].digits > 1)
		return p->digits[2] >= '1' && total >= 11 && total <= 17 &&
			(count == 1 || g[0].digits <= 7);
	if (p->digits[0] == '0' && p->digits[1] != '0' &&
		(count == 1 ? total == 10 || total == 11 :
		 total >= 9 && total <= 12 && g[0].digits >= 2 &&
		 g[0].digits <= 6 && is_even(p, 1, count)))
		return true;
	if (is_american(p, 0, count) || is_american(p, 1, count) ||
		is_chinese(p, count))
		return true;
	return is_plain(p, count, total) &&
		(before == CUE_PHONE || cue_after(s, g[count - 1].end));
}

/* The end of a number with the extension after it. */
static size_t
extension_end(mb_scan *s, size_t end)
{
	size_t		at = end;
	unsigned	digits;

	at += mb_blank_at(s, at);
	if (mb_look(s, at) == 'x' || mb_look(s, at) == 'X')
		at++;
	else if (mb_small(mb_look(s, at)) == 'e' &&
			 mb_small(mb_look(s, at + 1)) == 'x' &&
			 mb_small(mb_look(s, at + 2)) == 't')
	{
		at += 3;
		at += mb_look(s, at) == '.';
	}
	else
		return end;
	at += mb_blank_at(s, at);
	(void) mb_number_at(s, &at, 6, &digits);
	return digits > 0 && !mb_joins_at(s, at) ? at : end;
}

/* Where a number ends that begins there; 0: none does. */
static size_t
phone_end(mb_scan *s, size_t start)
{
	phone		p;
	unsigned	total = 0;
	unsigned	count;
	cue			before;

	read_phone(s, start, &p);
	for (count = 0; count < p.count; count++)
		total += p.groups[count].digits;
	if (total < DIGITS_MIN)
		return 0;
	before = cue_before(s, start);
	for (; count > 0 && total >= DIGITS_MIN; count--)
	{
		size_t		end = p.groups[count - 1].end;

		if (is_phone(s, &p, before, count, total))
		{
			size_t		extended = extension_end(s, end);

			if (extended > end || !mb_joins_at(s, end))
				return extended;
		}
		total -= p.groups[count - 1].digits;
	}
	return 0;
}

/* May a number begin there, or does something before belong to it? */
static bool
begins_number(mb_scan *s, size_t at)
{
	char		c = mb_look(s, at);
	char		before;
	size_t		from;

	if (at == 0)
		return true;
	if (mb_joins_before(s, at))
		return false;
	before = mb_look(s, at - 1);
	if (strchr("-./,:+$(", before) != NULL && before != '\0')
		from = at - 1;
	else if (before == ' ' && c != '+')
		from = at - 1;
	else if (before == '\xA0' && at > 1 && mb_look(s, at - 2) == '\xC2')
		from = at - 2;
	else
		return true;
	if (before == '+' || before == '$')
		return false;
	if (before == '(')
		return true;
	return from == 0 || !mb_digit_at(s, from - 1);
}

static size_t
find_phone(mb_scan *s, size_t at)
{
	char		c = mb_look(s, at);

	return (mb_is_digit(c) || c == '+' || c == '(') &&
		begins_number(s, at) ? phone_end(s, at) : 0;
}

mb_status
mb_scan_phone(mb_scan *s)
{
	return mb_scan_forward(s, find_phone);
}
