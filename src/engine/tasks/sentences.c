/*-------------------------------------------------------------------------
 *
 * sentences.c
 *	  Where clauses, sentences and paragraphs of a text end.
 *
 * One walk over the characters.  A state says what stands just before: stops, a
 * comma, or neither; closing quotes and brackets leave it as it is.  Decisions
 * fall at white space, and right after the stops of scripts that have none
 * between sentences.  What is looked at around a place is bounded, or a run of
 * white space or quotes that is walked over next, so that time is linear.
 *
 * Characters are classed by tables that come with the engine, not by a library
 * of which another version may class otherwise: chunks are stored.
 *
 * Start at mb_sentences_next(); whether a stop ends its sentence is stop_ends();
 * the lists of words are abbreviations.c.
 *
 * Source: the classes Sentence_Terminal, Ps, Pi, Pe and Pf of Unicode 14.
 * Depends on base/status.h, base/utf8.h, tokenizer/unicode_tables.h,
 * tasks/abbreviations.h.
 *
 *-------------------------------------------------------------------------
 */
#include "base/status.h"
#include "base/utf8.h"
#include "tokenizer/unicode_tables.h"
#include "tasks/abbreviations.h"
#include "tasks/sentences.h"

#include <string.h>

/* Characters between two looks at the cancel. */
#define POLL 16384

/* What stands before the place that is looked at. */
enum
{
	PLAIN,
	STOPS,						/* . ! ? and the like, which want white space */
	FULL_STOPS,					/* those that end where they stand */
	COMMA
};

/* Bytes of the longest word that can be an abbreviation or a list's number. */
#define LONGEST_WORD 24

/* Quotes and brackets that are skipped to see what a sentence begins with. */
#define MOST_OPENERS 8

typedef struct Range
{
	uint32_t	first;
	uint32_t	last;
} Range;

/* Sentence_Terminal beyond ASCII, but the full stop between digits. */
static const Range stops[] = {
	{0x037E, 0x037E}, {0x0589, 0x0589}, {0x061D, 0x061F}, {0x06D4, 0x06D4},
	{0x0700, 0x0702}, {0x07F9, 0x07F9}, {0x0837, 0x0837}, {0x0839, 0x0839},
	{0x083D, 0x083E}, {0x0964, 0x0965}, {0x104A, 0x104B}, {0x1362, 0x1362},
	{0x1367, 0x1368}, {0x166E, 0x166E}, {0x1735, 0x1736}, {0x17D4, 0x17D5},
	{0x1803, 0x1803}, {0x1809, 0x1809}, {0x1944, 0x1945}, {0x1AA8, 0x1AAB},
	{0x1B5A, 0x1B5B}, {0x1B5E, 0x1B5F}, {0x1B7D, 0x1B7E}, {0x1C3B, 0x1C3C},
	{0x1C7E, 0x1C7F}, {0x2E2E, 0x2E2E}, {0x2E3C, 0x2E3C}, {0x2E53, 0x2E54},
	{0x3002, 0x3002}, {0xA4FF, 0xA4FF}, {0xA60E, 0xA60F}, {0xA6F3, 0xA6F3},
	{0xA6F7, 0xA6F7}, {0xA876, 0xA877}, {0xA8CE, 0xA8CF}, {0xA92F, 0xA92F},
	{0xA9C8, 0xA9C9}, {0xAA5D, 0xAA5F}, {0xAAF0, 0xAAF1}, {0xABEB, 0xABEB},
	{0xFE12, 0xFE12}, {0xFE15, 0xFE16}, {0xFE52, 0xFE52}, {0xFE56, 0xFE57},
	{0xFF01, 0xFF01}, {0xFF0E, 0xFF0E}, {0xFF1F, 0xFF1F}, {0xFF61, 0xFF61},
	{0x10A56, 0x10A57}, {0x10F55, 0x10F59}, {0x10F86, 0x10F89},
	{0x11047, 0x11048}, {0x110BE, 0x110C1}, {0x11141, 0x11143},
	{0x111C5, 0x111C6}, {0x111CD, 0x111CD}, {0x111DE, 0x111DF},
	{0x11238, 0x11239}, {0x1123B, 0x1123C}, {0x112A9, 0x112A9},
	{0x1144B, 0x1144C}, {0x115C2, 0x115C3}, {0x115C9, 0x115D7},
	{0x11641, 0x11642}, {0x1173C, 0x1173E}, {0x11944, 0x11944},
	{0x11946, 0x11946}, {0x11A42, 0x11A43}, {0x11A9B, 0x11A9C},
	{0x11C41, 0x11C42}, {0x11EF7, 0x11EF8}, {0x16A6E, 0x16A6F},
	{0x16AF5, 0x16AF5}, {0x16B37, 0x16B38}, {0x16B44, 0x16B44},
	{0x16E98, 0x16E98}, {0x1BC9F, 0x1BC9F}, {0x1DA88, 0x1DA88}
};

/*
 * Pe and Pf, and quotes that languages use either way; what opens a bracket is
 * mostly the one before it.
 */
static const Range closers[] = {
	{0x0022, 0x0022}, {0x0027, 0x0027}, {0x0029, 0x002A}, {0x005D, 0x005D},
	{0x005F, 0x0060}, {0x007D, 0x007D}, {0x00AB, 0x00AB}, {0x00BB, 0x00BB},
	{0x2018, 0x201F}, {0x2039, 0x203A}, {0x2046, 0x2046}, {0x207E, 0x207E},
	{0x208E, 0x208E}, {0x232A, 0x232A}, {0x27E9, 0x27E9}, {0x27EB, 0x27EB},
	{0x2E29, 0x2E29}, {0x3009, 0x3009}, {0x300B, 0x300B}, {0x300D, 0x300D},
	{0x300F, 0x300F}, {0x3011, 0x3011}, {0x3015, 0x3015}, {0x3017, 0x3017},
	{0x3019, 0x3019}, {0x301B, 0x301B}, {0x301E, 0x301F}, {0xFD3E, 0xFD3E},
	{0xFE36, 0xFE36}, {0xFE38, 0xFE38}, {0xFE3A, 0xFE3A}, {0xFE3C, 0xFE3C},
	{0xFE3E, 0xFE3E}, {0xFE40, 0xFE40}, {0xFE42, 0xFE42}, {0xFE44, 0xFE44},
	{0xFF02, 0xFF02}, {0xFF07, 0xFF07}, {0xFF09, 0xFF09}, {0xFF3D, 0xFF3D},
	{0xFF5D, 0xFF5D}, {0xFF60, 0xFF60}, {0xFF63, 0xFF63}
};

static const Range openers[] = {
	{0x0022, 0x0022}, {0x0027, 0x0028}, {0x002A, 0x002A}, {0x005B, 0x005B},
	{0x005F, 0x0060}, {0x007B, 0x007B}, {0x00A1, 0x00A1}, {0x00AB, 0x00AB},
	{0x00BB, 0x00BB}, {0x00BF, 0x00BF}, {0x2018, 0x201F}, {0x2039, 0x203A},
	{0x3008, 0x3008}, {0x300A, 0x300A}, {0x300C, 0x300C}, {0x300E, 0x300E},
	{0x3010, 0x3010}, {0x3014, 0x3014}, {0xFF08, 0xFF08}, {0xFF3B, 0xFF3B},
	{0xFF62, 0xFF62}
};

/* Commas, colons and semicolons that want no white space after them. */
static const Range commas[] = {
	{0x060C, 0x060C}, {0x061B, 0x061B}, {0x1363, 0x1366}, {0x2014, 0x2014},
	{0x3001, 0x3001}, {0xFE50, 0xFE51}, {0xFE54, 0xFE55}, {0xFF0C, 0xFF0C},
	{0xFF1A, 0xFF1B}, {0xFF64, 0xFF64}
};

/* Where letters come in two cases; one without a small form is a small one. */
static const Range cased[] = {
	{0x0061, 0x007A}, {0x00DF, 0x00F6}, {0x00F8, 0x02AF}, {0x037B, 0x037D},
	{0x0390, 0x03FF}, {0x0430, 0x0481}, {0x048A, 0x052F}, {0x0561, 0x0587},
	{0x1E00, 0x1FBC}, {0x1FC2, 0x1FCC}, {0x1FD0, 0x1FDB}, {0x1FE0, 0x1FEC},
	{0x1FF2, 0x1FFC}, {0x2C30, 0x2C7F}, {0xA640, 0xA66D}, {0xFF41, 0xFF5A}
};

#define IN(ranges, code) \
	in_ranges(ranges, sizeof(ranges) / sizeof(ranges[0]), code)

static bool
in_ranges(const Range *ranges, size_t count, uint32_t code)
{
	size_t		low = 0;

	while (count > 0)
	{
		size_t		half = count / 2;

		if (ranges[low + half].last < code)
		{
			low += half + 1;
			count -= half + 1;
		}
		else if (ranges[low + half].first > code)
			count = half;
		else
			return true;
	}
	return false;
}

static bool
is_space(uint32_t code)
{
	return (mb_char_flags(code) & MB_CHAR_SPACE) != 0;
}

static bool
is_digit(uint32_t code)
{
	return (code >= '0' && code <= '9') || (code >= 0xFF10 && code <= 0xFF19);
}

static bool
is_capital(uint32_t code)
{
	return (mb_char_flags(code) & MB_CHAR_LOWERS) != 0;
}

static bool
is_small(uint32_t code)
{
	return IN(cased, code) && !is_capital(code);
}

/* Stops that want white space after them. */
static bool
is_stop(uint32_t code)
{
	return code == '.' || code == '!' || code == '?' || code == 0x2026 ||
		code == 0x203C || code == 0x203D || (code >= 0x2047 && code <= 0x2049);
}

static bool
is_full_stop(uint32_t code)
{
	return code >= 0x80 && IN(stops, code);
}

static bool
is_dash(uint32_t code)
{
	return code == '-' || (code >= 0x2010 && code <= 0x2015);
}

/* The character at "at"; 0 at the end. */
static uint32_t
peek(const mb_sentences *s, size_t at, size_t *next)
{
	const char *p = s->text + at;
	uint32_t	code;

	if (at >= s->length)
	{
		*next = s->length;
		return 0;
	}
	code = mb_utf8_next(&p);
	*next = (size_t) (p - s->text);
	return code;
}

/* The character before "at"; 0 at the beginning. */
static uint32_t
peek_back(const mb_sentences *s, size_t at, size_t *before)
{
	size_t		next;

	*before = at;
	if (at == 0)
		return 0;
	do
		(*before)--;
	while (*before > 0 && mb_utf8_continues(s->text[*before]));
	return peek(s, *before, &next);
}

mb_status
mb_sentences_begin(mb_sentences *s, const char *text, size_t length,
				   const mb_cancel *cancel, mb_error *err)
{
	size_t		at = 0;
	size_t		polled = 0;

	memset(s, 0, sizeof(*s));
	s->text = text;
	s->length = length;
	while (at < length && !s->capitals)
	{
		s->capitals = is_capital(peek(s, at, &at));
		if (at - polled >= POLL)
		{
			polled = at;
			if (mb_cancelled(cancel))
				return mb_fail_cancelled(err, "splitting");
		}
	}
	return MB_OK;
}

/*
 * Around a stop
 */

/* The word that ends at "end", back to white space, a quote, a dash, .... */
static size_t
word_before(const mb_sentences *s, size_t end)
{
	size_t		begin = end;

	while (begin > 0 && end - begin < LONGEST_WORD)
	{
		size_t		before;
		uint32_t	code = peek_back(s, begin, &before);

		if (is_space(code) || is_dash(code) || code == '/' || code == '&' ||
			IN(openers, code))
			break;
		begin = before;
	}
	return begin;
}

/* The word that begins at "begin", as far as letters go. */
static size_t
word_after(const mb_sentences *s, size_t begin)
{
	size_t		end = begin;

	while (end < s->length && end - begin < LONGEST_WORD)
	{
		size_t		next;
		uint32_t	code = peek(s, end, &next);

		if (!is_small(code) && !is_capital(code))
			break;
		end = next;
	}
	return end;
}

/* A letter or two, then a stop, again and again: "U.S", "z.B", "Ph.D"? */
static bool
is_acronym(const mb_sentences *s, size_t begin, size_t end)
{
	size_t		letters = 0;
	size_t		parts = 1;

	while (begin < end)
	{
		uint32_t	code = peek(s, begin, &begin);

		if (code == '.')
		{
			if (letters == 0)
				return false;
			letters = 0;
			parts++;
		}
		else if (!is_small(code) && !is_capital(code))
			return false;
		else if (++letters > 2)
			return false;
	}
	return parts > 1 && letters > 0;
}

static bool
is_roman(char c)
{
	return c == 'I' || c == 'V' || c == 'X' || c == 'L' || c == 'C';
}

/* A number of Rome, with capitals? */
static bool
is_numeral(const mb_sentences *s, size_t begin, size_t end)
{
	size_t		i;

	for (i = begin; i < end; i++)
		if (!is_roman(s->text[i]))
			return false;
	return end > begin && end - begin <= 5;
}

/* The number of a list: 1 to 3 digits, with stops between, or of Rome. */
static bool
is_list_number(const mb_sentences *s, size_t begin, size_t end)
{
	size_t		digits = 0;
	size_t		i;

	if (is_numeral(s, begin, end))
		return true;
	for (i = begin; i < end; i++)
	{
		if (s->text[i] == '.')
			digits = 0;
		else if (!is_digit((unsigned char) s->text[i]) || ++digits > 3)
			return false;
	}
	return digits > 0;
}

/* Such as what follows a time: EST. */
static bool
all_capitals(const mb_sentences *s, size_t begin, size_t end)
{
	size_t		letters = 0;

	while (begin < end)
	{
		if (!is_capital(peek(s, begin, &begin)))
			return false;
		letters++;
	}
	return letters > 1;
}

static bool
all_digits(const mb_sentences *s, size_t begin, size_t end, size_t most)
{
	size_t		i;

	for (i = begin; i < end; i++)
		if (!is_digit((unsigned char) s->text[i]))
			return false;
	return end > begin && end - begin <= most;
}

/*
 * What the text goes on with after the white space at "at", quotes and brackets
 * before it left out.
 */
typedef struct Following
{
	size_t		begin;			/* of its first word */
	size_t		end;
	uint32_t	code;			/* its first character; 0: the text ends */
	bool		small;			/* it cannot begin a sentence */
} Following;

static void
look_ahead(const mb_sentences *s, size_t at, Following *f)
{
	size_t		next;
	int			n;

	f->code = peek(s, at, &next);
	for (n = 0; n < MOST_OPENERS && f->code != 0; n++)
	{
		bool		dash = is_dash(f->code);

		if (!dash && !IN(openers, f->code))
			break;
		at = next;
		f->code = peek(s, at, &next);
		if (dash && is_space(f->code))
		{
			at = next;
			f->code = peek(s, at, &next);
		}
	}
	f->begin = at;
	f->end = word_after(s, at);
	f->small = is_small(f->code);
}

/* Can the number of a list stand here: first in a sentence or line, after ":"? */
static bool
begins_list(const mb_sentences *s, size_t begin)
{
	size_t		before;

	if (begin == s->sentence || begin == s->line)
		return true;
	return is_space(peek_back(s, begin, &before)) &&
		peek_back(s, before, &before) == ':';
}

/* Does one full stop after a word end the sentence? */
static bool
period_ends(const mb_sentences *s, const Following *f)
{
	size_t		end = s->stop;
	size_t		begin = word_before(s, end);
	const char *word = s->text + begin;
	size_t		length = end - begin;
	const char *after = s->text + f->begin;
	size_t		after_length = f->end - f->begin;
	bool		starter = mb_word_begins(after, after_length);
	uint32_t	letter;
	size_t		next;

	/* in a text without capitals, small letters say nothing */
	if (f->small && s->capitals)
		return false;
	if (length == 0)
		return true;
	if (begins_list(s, begin) && is_list_number(s, begin, end))
		return false;
	if (all_digits(s, begin, end, 2) && mb_word_is_month(after, after_length))
		return false;
	switch (mb_abbreviation_kind(word, length))
	{
		case MB_GOES_ON:
			return false;
		case MB_BEFORE_NUMBER:
			if (is_digit(f->code) || is_numeral(s, f->begin, f->end))
				return false;
			break;
		case MB_IN_NAME:
			return starter;
		case MB_ENDS_BEFORE_CAPITAL:
			return is_capital(f->code) && !all_capitals(s, f->begin, f->end);
		case MB_NO_ABBREVIATION:
			break;
	}
	if (is_acronym(s, begin, end))
		return starter;
	letter = peek(s, begin, &next);
	if (next == end && (is_capital(letter) || is_small(letter)))
	{
		/* the letter of a list, an initial, "z. B." */
		if (begins_list(s, begin))
			return false;
		if (is_capital(letter))
			return starter;
		(void) peek(s, f->begin, &next);
		if (is_digit(f->code) ||
			(next == f->end && peek(s, next, &next) == '.'))
			return false;
	}
	return true;
}

/* Do the stops, and what closes after them, end a sentence before "at"? */
static bool
stop_ends(const mb_sentences *s, size_t end, size_t at)
{
	Following	f;
	bool		marks = false;
	size_t		dots = 0;
	size_t		p = s->stop;

	if (s->state == FULL_STOPS)
		return true;
	look_ahead(s, at, &f);
	if (f.code == 0)
		return true;
	if (f.code < 0x80 && strchr(",;:.!?)]}", (int) f.code) != NULL)
		return false;
	while (p < end)
	{
		size_t		next;
		uint32_t	code = peek(s, p, &next);

		if (!is_stop(code))
			break;
		if (code == '.')
			dots++;
		else if (code == 0x2026)
			dots += 3;
		else
			marks = true;
		p = next;
	}
	if (marks)
		return !(f.small && s->closed);
	if (dots > 1)
		return !f.small;
	return period_ends(s, &f);
}

/*
 * Lines
 */

/* Does an item of a list begin here, or a heading of Markdown? */
static bool
begins_item(const mb_sentences *s, size_t at, bool *heading)
{
	size_t		next;
	uint32_t	code = peek(s, at, &next);
	size_t		begin = at;
	int			n = 0;

	*heading = false;
	if (code == '#')
	{
		while (code == '#' && n++ < 6)
		{
			at = next;
			code = peek(s, at, &next);
		}
		*heading = is_space(code);
		return *heading;
	}
	if (code == '-' || code == '*' || code == '+' || code == 0x2022 ||
		code == 0x2023 || code == 0x25E6 || code == 0x25AA || code == 0x25CF)
		return is_space(peek(s, next, &next));
	if (code == '(')
	{
		begin = at = next;
		code = peek(s, at, &next);
	}
	while (n < 3 && is_digit(code))
	{
		n++;
		at = next;
		code = peek(s, at, &next);
	}
	if (n == 0 && ((code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z')))
	{
		at = next;
		code = peek(s, at, &next);
		if (code == '.')
			return false;		/* rather an initial */
	}
	return at > begin && (code == ')' || code == '.') &&
		is_space(peek(s, next, &next));
}

/* A number in brackets after a stop, as in an encyclopedia; 0: none. */
static size_t
note_end(const mb_sentences *s, size_t at)
{
	size_t		i;

	if (at >= s->length || s->text[at] != '[')
		return 0;
	for (i = at + 1; i < s->length && i - at <= 4; i++)
	{
		if (s->text[i] == ']')
			return i > at + 1 ? i + 1 : 0;
		if (!((s->text[i] >= '0' && s->text[i] <= '9') ||
			  (s->text[i] >= 'a' && s->text[i] <= 'z')))
			return 0;
	}
	return 0;
}

/* Is what comes after a stop and a blank still part of that sentence? */
static bool
goes_along(const mb_sentences *s)
{
	size_t		next = note_end(s, s->at);
	uint32_t	code;

	if (next == 0 && peek(s, s->at, &next) != 0x00BB)
		return false;
	code = peek(s, next, &next);
	return code == 0 || code == '[' || is_space(code);
}

/*
 * Walking
 */

/* Walk over white space; how many lines end in it, of which 2 are a blank one. */
static mb_status
skip_space(mb_sentences *s, const mb_cancel *cancel, int *lines, mb_error *err)
{
	uint32_t	last = 0;

	*lines = 0;
	while (s->at < s->length)
	{
		size_t		next;
		uint32_t	code = peek(s, s->at, &next);

		if (!is_space(code))
			break;
		if (code == 0x2029)
			*lines = 2;
		else if (*lines < 2 &&
				 (code == '\r' || code == 0x85 || code == 0x2028 ||
				  (code == '\n' && last != '\r')))
			(*lines)++;
		last = code;
		s->at = next;
		s->characters++;
		if (s->characters % POLL == 0 && mb_cancelled(cancel))
			return mb_fail_cancelled(err, "splitting");
	}
	return MB_OK;
}

/* White space begins at "at", after "characters" of them: what ends here? */
static mb_status
space(mb_sentences *s, const mb_cancel *cancel, mb_break *kind, mb_error *err)
{
	size_t		end = s->at;
	bool		was_heading = s->heading;
	bool		item = false;
	int			lines;

	if (skip_space(s, cancel, &lines, err) != MB_OK)
		return MB_ERR_CANCELLED;
	if (lines > 0)
		item = begins_item(s, s->at, &s->heading);

	/* nothing ends before the text begins, nor at its end */
	if (end == 0 || s->at == s->length)
		*kind = MB_BREAK_NONE;
	else if (lines > 1)
		*kind = MB_BREAK_PARAGRAPH;
	else if ((s->state == STOPS || s->state == FULL_STOPS) &&
			 stop_ends(s, end, s->at))
		*kind = MB_BREAK_SENTENCE;
	else if (lines == 1)
		*kind = item || was_heading ? MB_BREAK_SENTENCE : MB_BREAK_CLAUSE;
	else
		*kind = s->state == COMMA ? MB_BREAK_CLAUSE : MB_BREAK_NONE;

	/* French quotes, and numbers of notes, come after a blank, too */
	if (lines == 0 && s->state != PLAIN && goes_along(s))
	{
		*kind = MB_BREAK_NONE;
		return MB_OK;
	}

	if (*kind >= MB_BREAK_SENTENCE || end == 0)
		s->sentence = s->at;
	if (lines > 0 || end == 0)
		s->line = s->at;
	if (end == 0)
		(void) begins_item(s, s->at, &s->heading);
	s->state = PLAIN;
	return MB_OK;
}

/* What stands after a full stop or comma of a script without white space. */
static mb_break
right_after(mb_sentences *s, uint32_t code)
{
	mb_break	kind;
	size_t		next;

	if (s->state == STOPS)
	{
		/* "!" and "?" before characters of Chinese and Japanese */
		if ((mb_char_flags(code) & MB_CHAR_IDEOGRAPH) == 0 &&
			!(code >= 0x3040 && code <= 0x30FF))
			return MB_BREAK_NONE;
		if (s->text[s->stop] != '!' && s->text[s->stop] != '?')
			return MB_BREAK_NONE;
		kind = MB_BREAK_SENTENCE;
	}
	else if (s->state == FULL_STOPS)
	{
		/* a full stop of full width between digits; a quote that goes on */
		if (is_digit(code) && s->stop > 0 && !s->closed &&
			peek(s, s->stop, &next) == 0xFF0E &&
			is_digit(peek_back(s, s->stop, &next)))
			return MB_BREAK_NONE;
		if (s->closed && code == 0x3068)
			return MB_BREAK_NONE;
		kind = MB_BREAK_SENTENCE;
	}
	else if (s->state == COMMA)
	{
		/* ASCII commas want white space; digits go on */
		if (s->stop >= s->at || (unsigned char) s->text[s->stop] < 0x80 ||
			is_digit(code))
			return MB_BREAK_NONE;
		kind = MB_BREAK_CLAUSE;
	}
	else
		return MB_BREAK_NONE;
	if (kind == MB_BREAK_SENTENCE)
		s->sentence = s->at;
	return kind;
}

/*
 * Does it go with the stop or comma before it?  Quotes that open in one language
 * and close in another open in those that need no white space.
 */
static bool
closes(const mb_sentences *s, uint32_t code)
{
	if (s->state == FULL_STOPS && (code == 0x2018 || code == 0x201C))
		return false;
	return IN(closers, code) || (mb_char_flags(code) & MB_CHAR_MARK) != 0;
}

/* Take the character at "at" into the state. */
static void
take(mb_sentences *s, uint32_t code, size_t next)
{
	bool		letter = (code >= 'a' && code <= 'z') ||
		(code >= 'A' && code <= 'Z') || (code >= '0' && code <= '9');
	bool		comma = code == ',' || code == ';' || code == ':' ||
		(code >= 0x80 && IN(commas, code));

	if (letter)
		s->state = PLAIN;		/* of what follows, what most are */
	else if (is_stop(code) || is_full_stop(code))
	{
		if ((s->state != STOPS && s->state != FULL_STOPS) || s->closed)
			s->stop = s->at;
		s->closed = false;
		s->state = is_full_stop(code) || s->state == FULL_STOPS ?
			FULL_STOPS : STOPS;
	}
	else if (s->state != PLAIN && closes(s, code))
		s->closed = true;
	else if (comma)
	{
		s->state = COMMA;
		s->stop = s->at;
		s->closed = false;
	}
	else
	{
		/* a dash that stands alone ends a clause */
		size_t		before;

		s->state = PLAIN;
		if (is_dash(code) && s->at != s->line && s->at != s->sentence &&
			is_space(peek_back(s, s->at, &before)))
		{
			s->state = COMMA;
			s->stop = s->length;	/* only with white space after it */
			s->closed = false;
		}
	}
	s->at = next;
	s->characters++;
}

mb_status
mb_sentences_next(mb_sentences *s, const mb_cancel *cancel, mb_break *kind,
				  int32_t *end, mb_error *err)
{
	size_t		polled = s->at;

	*kind = MB_BREAK_NONE;
	if (s->at == 0 && s->length > 0)
	{
		size_t		next;

		if (!is_space(peek(s, 0, &next)))
			(void) begins_item(s, 0, &s->heading);
	}
	while (s->at < s->length)
	{
		size_t		next;
		uint32_t	code = peek(s, s->at, &next);

		*end = s->characters;
		if (is_space(code))
		{
			if (space(s, cancel, kind, err) != MB_OK)
				return MB_ERR_CANCELLED;
		}
		else
		{
			size_t		note = s->state == STOPS ? note_end(s, s->at) : 0;

			if (note > 0)
			{
				s->characters += (int32_t) (note - s->at);
				s->at = note;
				continue;
			}
			if (s->state != PLAIN && !is_stop(code) && !is_full_stop(code) &&
				!closes(s, code))
				*kind = right_after(s, code);
			take(s, code, next);
		}
		if (*kind != MB_BREAK_NONE)
			return MB_OK;
		if (s->at - polled >= POLL)
		{
			polled = s->at;
			if (mb_cancelled(cancel))
				return mb_fail_cancelled(err, "splitting");
		}
	}
	*end = s->characters;
	return MB_OK;
}

bool
mb_clings(uint32_t before, uint32_t after)
{
	return is_stop(after) || is_full_stop(after) || IN(closers, after) ||
		IN(commas, after) || after == ',' || after == ';' || after == ':' ||
		IN(openers, before);
}
