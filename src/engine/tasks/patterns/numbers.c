/*-------------------------------------------------------------------------
 *
 * numbers.c
 *	  Patterns of numbers that carry a check: CREDIT_CARD, IBAN.
 *
 * Source: ISO/IEC 7812 (cards; Luhn), issuers' ranges as published; ISO 13616
 * and SWIFT's registry of IBAN formats.
 * Depends on tasks/patterns/scan.h.
 *
 *-------------------------------------------------------------------------
 */
#include "tasks/patterns/scan.h"

/*
 * CREDIT_CARD
 */

#define CARD_MIN 12
#define CARD_MAX 19

/* Groups of digits: 4-4-4-4-3 are the most. */
#define CARD_GROUPS 5

/* Numbers that begin with first to last have so many digits. */
#define LENGTHS(low, high) ((2u << (high)) - (1u << (low)))

static const struct
{
	unsigned	first;
	unsigned	last;
	unsigned	digits;			/* of first and last */
	unsigned	lengths;		/* bit n: n digits */
}			issuers[] =
{
	{4, 4, 1, 1u << 13 | 1u << 16 | 1u << 19},	/* Visa */
	{51, 55, 2, 1u << 16},		/* Mastercard */
	{2221, 2720, 4, 1u << 16},
	{34, 34, 2, 1u << 15},		/* American Express */
	{37, 37, 2, 1u << 15},
	{300, 305, 3, LENGTHS(14, 19)}, /* Diners Club */
	{3095, 3095, 4, LENGTHS(14, 19)},
	{36, 36, 2, LENGTHS(14, 19)},
	{38, 39, 2, LENGTHS(14, 19)},
	{35, 35, 2, LENGTHS(16, 19)},	/* JCB */
	{1800, 1800, 4, 1u << 15},
	{2131, 2131, 4, 1u << 15},
	{6011, 6011, 4, LENGTHS(16, 19)},	/* Discover, RuPay, Troy */
	{644, 659, 3, LENGTHS(16, 19)},
	{60, 60, 2, 1u << 16},
	{81, 82, 2, 1u << 16},
	{9792, 9792, 4, 1u << 16},
	{62, 62, 2, LENGTHS(16, 19)},	/* UnionPay */
	{2200, 2204, 4, LENGTHS(16, 19)},	/* Mir */
	{50, 50, 2, LENGTHS(12, 19)},	/* Maestro and those before it */
	{56, 58, 2, LENGTHS(12, 19)},
	{6304, 6304, 4, LENGTHS(12, 19)},
	{6390, 6390, 4, LENGTHS(12, 19)},
	{67, 67, 2, LENGTHS(12, 19)},
	{604, 604, 4, LENGTHS(12, 19)}	/* 0604 */
};

static bool
is_issued(const unsigned char *digits, size_t count)
{
	size_t		i;

	for (i = 0; i < sizeof(issuers) / sizeof(issuers[0]); i++)
	{
		unsigned	prefix = 0;
		unsigned	n;

		if ((issuers[i].lengths >> count & 1) == 0)
			continue;
		for (n = 0; n < issuers[i].digits; n++)
			prefix = prefix * 10 + digits[n];
		if (prefix >= issuers[i].first && prefix <= issuers[i].last)
			return true;
	}
	return false;
}

static bool
is_luhn(const unsigned char *digits, size_t count)
{
	unsigned	sum = 0;
	size_t		i;

	for (i = 0; i < count; i++)
	{
		unsigned	digit = digits[count - 1 - i];

		if (i % 2 == 1)
			digit = digit > 4 ? 2 * digit - 9 : 2 * digit;
		sum += digit;
	}
	return sum % 10 == 0;
}

/* What parts groups of digits: the byte that stands for its kind, 0 nothing. */
static char
separator_at(mb_scan *s, size_t at, size_t *bytes)
{
	*bytes = mb_blank_at(s, at);
	if (*bytes > 0)
		return ' ';
	*bytes = mb_dash_at(s, at);
	if (*bytes > 0)
		return '-';
	*bytes = 1;
	return mb_look(s, at) == '.' ? '.' : '\0';
}

/* Are these the groups of a card's number? */
static bool
is_grouped(const size_t *groups, size_t count)
{
	size_t		i;

	if (count == 1)
		return true;
	if (count == 3 && groups[0] == 4 && groups[1] == 6)
		return groups[2] == 5 || groups[2] == 4;
	for (i = 0; i + 1 < count; i++)
	{
		if (groups[i] != 4)
			return false;
	}
	return groups[count - 1] <= 4;
}

/* Where the number of a card ends that begins there; 0: none does. */
static size_t
card_end(mb_scan *s, size_t at)
{
	unsigned char digits[CARD_MAX];
	size_t		groups[CARD_GROUPS];
	size_t		count = 0;
	size_t		parts;
	size_t		best = 0;
	char		kind = '\0';

	for (parts = 0; parts < CARD_GROUPS; parts++)
	{
		size_t		bytes;
		char		separator;

		groups[parts] = 0;
		while (mb_digit_at(s, at) && count < CARD_MAX)
		{
			digits[count++] = (unsigned char) (mb_look(s, at++) - '0');
			groups[parts]++;
		}
		if (mb_joins_at(s, at))
			break;				/* too long, or the text goes on */
		separator = separator_at(s, at, &bytes);
		if (separator != '\0' && !mb_digit_at(s, at + bytes))
			separator = '\0';
		if (count >= CARD_MIN && is_grouped(groups, parts + 1) &&
			(separator != '.' || parts > 0) && is_luhn(digits, count) &&
			is_issued(digits, count))
			best = at;
		if (separator == '\0' || (kind != '\0' && kind != separator))
			break;
		kind = separator;
		at += bytes;
	}
	return best;
}

/* Is a digit there the first of its number? */
static bool
begins_number(mb_scan *s, size_t at)
{
	char		before;

	if (at == 0)
		return true;
	if (mb_joins_before(s, at))
		return false;
	before = mb_look(s, at - 1);
	return (before != '.' && before != ',') || at == 1 ||
		!mb_digit_at(s, at - 2);
}

static size_t
find_card(mb_scan *s, size_t at)
{
	return mb_digit_at(s, at) && begins_number(s, at) ? card_end(s, at) : 0;
}

mb_status
mb_scan_card(mb_scan *s)
{
	return mb_scan_forward(s, find_card);
}

/*
 * IBAN
 */

/*
 * What follows a country's code and its two check digits: so many digits (n),
 * capital letters (a) and any of the two (c).
 */
static const struct
{
	char		country[3];
	const char *form;
}			accounts[] =
{
	{"AD", "8n12c"}, {"AE", "19n"}, {"AL", "8n16c"}, {"AT", "16n"},
	{"AZ", "4a20c"}, {"BA", "16n"}, {"BE", "12n"}, {"BG", "4a6n8c"},
	{"BH", "4a14c"}, {"BI", "23n"}, {"BR", "23n1a1c"}, {"BY", "4c4n16c"},
	{"CH", "5n12c"}, {"CR", "18n"}, {"CY", "8n16c"}, {"CZ", "20n"},
	{"DE", "18n"}, {"DJ", "23n"}, {"DK", "14n"}, {"DO", "4c20n"},
	{"EE", "16n"}, {"EG", "25n"}, {"ES", "20n"}, {"FI", "14n"},
	{"FK", "2a12n"}, {"FO", "14n"}, {"FR", "10n11c2n"}, {"GB", "4a14n"},
	{"GE", "2a16n"}, {"GI", "4a15c"}, {"GL", "14n"}, {"GR", "7n16c"},
	{"GT", "24c"}, {"HN", "4a20n"}, {"HR", "17n"}, {"HU", "24n"},
	{"IE", "4a14n"}, {"IL", "19n"}, {"IQ", "4a15n"}, {"IS", "22n"},
	{"IT", "1a10n12c"}, {"JO", "4a4n18c"}, {"KW", "4a22c"}, {"KZ", "3n13c"},
	{"LB", "4n20c"}, {"LC", "4a24c"}, {"LI", "5n12c"}, {"LT", "16n"},
	{"LU", "3n13c"}, {"LV", "4a13c"}, {"LY", "21n"}, {"MC", "10n11c2n"},
	{"MD", "20c"}, {"ME", "18n"}, {"MK", "3n10c2n"}, {"MN", "16n"},
	{"MR", "23n"}, {"MT", "4a5n18c"}, {"MU", "4a19n3a"}, {"NI", "4a20n"},
	{"NL", "4a10n"}, {"NO", "11n"}, {"OM", "3n16c"}, {"PK", "4a16c"},
	{"PL", "24n"}, {"PS", "4a21c"}, {"PT", "21n"}, {"QA", "4a21c"},
	{"RO", "4a16c"}, {"RS", "18n"}, {"RU", "14n15c"}, {"SA", "2n18c"},
	{"SC", "4a20n3a"}, {"SD", "14n"}, {"SE", "20n"}, {"SI", "15n"},
	{"SK", "20n"}, {"SM", "1a10n12c"}, {"SO", "19n"}, {"ST", "21n"},
	{"SV", "4a20n"}, {"TL", "19n"}, {"TN", "20n"}, {"TR", "6n16c"},
	{"UA", "6n19c"}, {"VA", "18n"}, {"VG", "4a16n"}, {"XK", "16n"},
	{"YE", "4a4n18c"}
};

/* The form of a country's accounts; NULL: it has no IBAN. */
static const char *
account_form(char first, char second)
{
	size_t		i;

	for (i = 0; i < sizeof(accounts) / sizeof(accounts[0]); i++)
	{
		if (accounts[i].country[0] == first && accounts[i].country[1] == second)
			return accounts[i].form;
	}
	return NULL;
}

static char
capital(char c)
{
	return mb_is_letter(c) ? (char) (c & ~0x20) : c;
}

/* A number modulo 97, with one more character of it. */
static unsigned
modulo(unsigned remainder, char c)
{
	return mb_is_digit(c) ? (remainder * 10 + (unsigned) (c - '0')) % 97 :
		(remainder * 100 + (unsigned) (c - 'A') + 10) % 97;
}

/*
 * Where an IBAN ends that begins there; 0: none does.  Single blanks and
 * dashes may stand anywhere after the check digits, for it is grouped in many
 * ways; length and form say how far it goes.
 */
static size_t
iban_end(mb_scan *s, size_t at)
{
	char		head[4];
	const char *form;
	unsigned	remainder = 0;
	int			i;

	for (i = 0; i < 4; i++)
	{
		head[i] = capital(mb_look(s, at++));
		if (i < 2 ? !mb_is_letter(head[i]) : !mb_is_digit(head[i]))
			return 0;
	}
	form = account_form(head[0], head[1]);
	if (form == NULL)
		return 0;
	while (*form != '\0')
	{
		unsigned	count = 0;

		for (; mb_is_digit(*form); form++)
			count = count * 10 + (unsigned) (*form - '0');
		for (; count > 0; count--)
		{
			size_t		bytes;
			char		c;

			if (separator_at(s, at, &bytes) != '\0')
				at += bytes;
			c = capital(mb_look(s, at++));
			if (*form == 'n' ? !mb_is_digit(c) :
				*form == 'a' ? !mb_is_letter(c) : !mb_is_alnum(c))
				return 0;
			remainder = modulo(remainder, c);
		}
		form++;
	}
	for (i = 0; i < 4; i++)
		remainder = modulo(remainder, head[i]);
	return remainder == 1 && !mb_joins_at(s, at) ? at : 0;
}

static size_t
find_iban(mb_scan *s, size_t at)
{
	return mb_is_letter(mb_look(s, at)) && mb_digit_at(s, at + 2) &&
		!mb_joins_before(s, at) ? iban_end(s, at) : 0;
}

mb_status
mb_scan_iban(mb_scan *s)
{
	return mb_scan_forward(s, find_iban);
}
