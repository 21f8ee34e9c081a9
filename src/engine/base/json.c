/*-------------------------------------------------------------------------
 *
 * json.c
 *	  The JSON reader: one walk over the bytes, a tree in the caller's arena.
 *
 * The text is checked to be UTF-8 first, in pieces, so that everything after
 * may treat it as such.  Then a loop with an explicit stack of open arrays and
 * objects builds the tree; nothing recurses, so depth costs no stack.  Each
 * string is measured before it is copied, which keeps the reader linear and
 * lets the arena's limit be the only bound on memory.
 *
 * Numbers keep their source text, because a 64-bit integer does not survive
 * a double.  Their value comes from strtod(), so the program's LC_NUMERIC has
 * to be "C", as it is in a server process.
 *
 * Depends on base/json.h, base/utf8.h.
 *
 *-------------------------------------------------------------------------
 */
#include "base/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

/* Bytes read between two polls of cancel; a few milliseconds at most. */
#define POLL_BYTES (128 * 1024)

/* Nobody writes longer numbers; Python refuses longer integers as well. */
#define MAX_NUMBER_LENGTH 4300

typedef struct json_frame
{
	mb_json    *container;		/* an open array or object */
	mb_json    *last;			/* its newest member; NULL: none yet */
} json_frame;

typedef struct json_parser
{
	const char *text;
	size_t		length;
	size_t		at;				/* next byte to read */
	size_t		next_poll;
	bool		stopped;		/* skip_blanks() was cancelled */
	const char *what;
	bool		python;
	mb_arena   *arena;
	const mb_cancel *cancel;
	mb_error   *err;
	size_t		depth;			/* frames in use */
	json_frame	frames[MB_JSON_MAX_DEPTH];
} json_parser;

static mb_status
fail_cancelled(json_parser *parser)
{
	return mb_fail(parser->err, MB_ERR_CANCELLED,
				   "reading \"%.200s\" was cancelled", parser->what);
}

static mb_status
fail_at(json_parser *parser, size_t at, const char *reason)
{
	if (parser->stopped)
		return fail_cancelled(parser);
	return mb_fail(parser->err, MB_ERR_DATA,
				   "\"%.200s\" is not valid JSON: %s at byte %zu",
				   parser->what, reason, at);
}

static mb_status
fail_memory(json_parser *parser)
{
	return mb_fail(parser->err, MB_ERR_MEMORY,
				   "not enough memory to read \"%.200s\"", parser->what);
}

static mb_status
poll_cancel(json_parser *parser, size_t at)
{
	if (at < parser->next_poll)
		return MB_OK;
	parser->next_poll = at + POLL_BYTES;
	if (mb_cancelled(parser->cancel))
		return fail_cancelled(parser);
	return MB_OK;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/*
 * Offset of the first byte in [from, length) that is not part of a valid
 * character, given that there is one.
 */
static size_t
find_invalid(const char *text, size_t from, size_t length)
{
	while (from < length)
	{
		size_t		n;

		for (n = 1; n <= 4 && n <= length - from; n++)
		{
			if (mb_utf8_valid(text + from, n))
				break;
		}
		if (n > 4 || n > length - from)
			break;
		from += n;
	}
	return from;
}

static mb_status
check_utf8(json_parser *parser)
{
	size_t		from = 0;

	while (from < parser->length)
	{
		size_t		to = parser->length;
		mb_status	status;

		if (to - from > POLL_BYTES)
		{
			/* End the piece between characters; three steps are enough. */
			int			back;

			to = from + POLL_BYTES;
			for (back = 0; back < 3; back++)
			{
				if (!mb_utf8_continues(parser->text[to]))
					break;
				to--;
			}
		}
		if (!mb_utf8_valid(parser->text + from, to - from))
			return mb_fail(parser->err, MB_ERR_DATA,
						   "\"%.200s\" is not valid UTF-8 at byte %zu",
						   parser->what,
						   find_invalid(parser->text, from, to));
		from = to;
		status = poll_cancel(parser, from);
		if (status != MB_OK)
			return status;
	}
	parser->next_poll = POLL_BYTES;
	return MB_OK;
}

/*
 * Skip blanks.  A cancel stops at a blank, where no rule of the grammar goes
 * on, so that every caller ends in fail_at(), which reports it.
 */
static void
skip_blanks(json_parser *parser)
{
	while (parser->at < parser->length)
	{
		char		c = parser->text[parser->at];

		if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
			break;
		if (parser->at >= parser->next_poll)
		{
			parser->next_poll = parser->at + POLL_BYTES;
			parser->stopped = mb_cancelled(parser->cancel);
			if (parser->stopped)
				break;
		}
		parser->at++;
	}
}

/* Value of four hexadecimal digits at "at", or -1. */
static int32_t
four_hex_digits(const json_parser *parser, size_t at)
{
	int32_t		value = 0;
	int			i;

	if (parser->length - at < 4)
		return -1;
	for (i = 0; i < 4; i++)
	{
		char		c = parser->text[at + i];

		if (is_digit(c))
			value = value * 16 + (c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value * 16 + (c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			value = value * 16 + (c - 'A' + 10);
		else
			return -1;
	}
	return value;
}

/*
 * Read the \uXXXX escape whose backslash is at *at, with its second half when
 * it is the first of a surrogate pair, and move *at past it.
 */
static mb_status
read_unicode_escape(json_parser *parser, size_t *at, uint32_t *code)
{
	int32_t		first = four_hex_digits(parser, *at + 2);
	int32_t		second;

	if (first < 0)
		return fail_at(parser, *at, "bad \\u escape");
	if (first < 0xD800 || first > 0xDFFF)
	{
		*code = (uint32_t) first;
		*at += 6;
		return MB_OK;
	}

	if (first > 0xDBFF || parser->length - *at < 12 ||
		parser->text[*at + 6] != '\\' || parser->text[*at + 7] != 'u')
		return fail_at(parser, *at, "lone surrogate");
	second = four_hex_digits(parser, *at + 8);
	if (second < 0xDC00 || second > 0xDFFF)
		return fail_at(parser, *at, "lone surrogate");
	*code = (uint32_t) (0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00));
	*at += 12;
	return MB_OK;
}

/* The byte that a one-letter escape stands for; 0 when there is none. */
static char
simple_escape(char c)
{
	switch (c)
	{
		case '"':
		case '\\':
		case '/':
			return c;
		case 'b':
			return '\b';
		case 'f':
			return '\f';
		case 'n':
			return '\n';
		case 'r':
			return '\r';
		case 't':
			return '\t';
		default:
			return 0;
	}
}

/*
 * Copy [from, end) into target, resolving escapes.  The result is never longer
 * than the source.
 */
static mb_status
unescape(json_parser *parser, size_t from, size_t end, char *target,
		 size_t *length)
{
	size_t		used = 0;

	while (from < end)
	{
		const char *run = parser->text + from;
		const char *stop = memchr(run, '\\', end - from);
		size_t		n = stop == NULL ? end - from : (size_t) (stop - run);
		mb_status	status;

		memcpy(target + used, run, n);
		used += n;
		from += n;
		if (stop == NULL)
			break;

		/* read_string() made sure that a byte follows. */
		if (parser->text[from + 1] == 'u')
		{
			uint32_t	code = 0;

			status = read_unicode_escape(parser, &from, &code);
			if (status != MB_OK)
				return status;
			used += mb_utf8_put(target + used, code);
		}
		else
		{
			char		c = simple_escape(parser->text[from + 1]);

			if (c == 0)
				return fail_at(parser, from, "unknown escape");
			target[used++] = c;
			from += 2;
		}
	}
	*length = used;
	return MB_OK;
}

/* Read the string whose opening quote is at parser->at. */
static mb_status
read_string(json_parser *parser, const char **text, size_t *length)
{
	size_t		start = parser->at + 1;
	size_t		end = start;
	char	   *copy;
	mb_status	status;

	for (;;)
	{
		unsigned char c;

		if (end >= parser->length)
			return fail_at(parser, parser->at, "string without end");
		c = (unsigned char) parser->text[end];
		if (c == '"')
			break;
		if (c < 0x20)
			return fail_at(parser, end, "control character in a string");
		end += c == '\\' ? 2 : 1;
		if (end >= parser->next_poll)
		{
			status = poll_cancel(parser, end);
			if (status != MB_OK)
				return status;
		}
	}

	copy = mb_arena_alloc(parser->arena, end - start + 1, 1);
	if (copy == NULL)
		return fail_memory(parser);
	status = unescape(parser, start, end, copy, length);
	if (status != MB_OK)
		return status;
	copy[*length] = '\0';
	*text = copy;
	parser->at = end + 1;
	return MB_OK;
}

/* Move *at over digits, but not far beyond the limit; false: none there. */
static bool
skip_digits(const json_parser *parser, size_t *at)
{
	size_t		start = *at;

	while (*at < parser->length && *at - start <= MAX_NUMBER_LENGTH &&
		   is_digit(parser->text[*at]))
		(*at)++;
	return *at > start;
}

/*
 * Measure the number at parser->at by the grammar
 * -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?.  *end is where it ends, or
 * where it goes wrong when the result is false.
 */
static bool
measure_number(const json_parser *parser, size_t *end, bool *integer)
{
	const char *text = parser->text;
	size_t		length = parser->length;
	size_t		at = parser->at;

	*integer = true;
	if (text[at] == '-')
		at++;
	*end = at;
	if (at < length && text[at] == '0')
		at++;
	else if (!skip_digits(parser, &at))
		return false;

	if (at < length && text[at] == '.')
	{
		*integer = false;
		at++;
		*end = at;
		if (!skip_digits(parser, &at))
			return false;
	}
	if (at < length && (text[at] == 'e' || text[at] == 'E'))
	{
		*integer = false;
		at++;
		if (at < length && (text[at] == '+' || text[at] == '-'))
			at++;
		*end = at;
		if (!skip_digits(parser, &at))
			return false;
	}
	*end = at;
	return true;
}

static mb_status
read_number(json_parser *parser, mb_json *value)
{
	size_t		end;

	value->type = MB_JSON_NUMBER;
	if (!measure_number(parser, &end, &value->integer))
		return fail_at(parser, end, "expected a digit");
	if (end - parser->at > MAX_NUMBER_LENGTH)
		return mb_fail(parser->err, MB_ERR_LIMIT,
					   "\"%.200s\" has a number of over %d characters at byte %zu",
					   parser->what, MAX_NUMBER_LENGTH, parser->at);

	value->length = end - parser->at;
	value->text = mb_arena_copy(parser->arena, parser->text + parser->at,
								value->length);
	if (value->text == NULL)
		return fail_memory(parser);
	value->number = strtod(value->text, NULL);
	parser->at = end;
	return MB_OK;
}

/* True, and the word skipped, when the text goes on with it. */
static bool
take_word(json_parser *parser, const char *word)
{
	size_t		n = strlen(word);

	if (parser->length - parser->at < n ||
		memcmp(parser->text + parser->at, word, n) != 0)
		return false;
	parser->at += n;
	return true;
}

/* NaN, Infinity and -Infinity, which Python writes although JSON has none. */
static bool
take_python_number(json_parser *parser, mb_json *value)
{
	if (!parser->python)
		return false;
	if (take_word(parser, "NaN"))
	{
		value->text = "NaN";
		value->number = NAN;
	}
	else if (take_word(parser, "Infinity"))
	{
		value->text = "Infinity";
		value->number = INFINITY;
	}
	else if (take_word(parser, "-Infinity"))
	{
		value->text = "-Infinity";
		value->number = -INFINITY;
	}
	else
		return false;
	value->type = MB_JSON_NUMBER;
	value->length = strlen(value->text);
	return true;
}

/*
 * Read the value that starts at parser->at into "value", whose bytes are zero
 * but for its key.  An array or object is only opened: its bracket is skipped
 * and a frame pushed.
 */
static mb_status
read_value(json_parser *parser, mb_json *value)
{
	char		c;

	if (parser->at >= parser->length)
		return fail_at(parser, parser->at, "expected a value");
	c = parser->text[parser->at];
	if (c == '"')
	{
		value->type = MB_JSON_STRING;
		return read_string(parser, &value->text, &value->length);
	}
	if (c == '{' || c == '[')
	{
		value->type = c == '{' ? MB_JSON_OBJECT : MB_JSON_ARRAY;
		if (parser->depth >= MB_JSON_MAX_DEPTH)
			return mb_fail(parser->err, MB_ERR_LIMIT,
						   "\"%.200s\" is nested more than %d deep at byte %zu",
						   parser->what, MB_JSON_MAX_DEPTH, parser->at);
		parser->frames[parser->depth].container = value;
		parser->frames[parser->depth].last = NULL;
		parser->depth++;
		parser->at++;
		return MB_OK;
	}
	if (take_python_number(parser, value))
		return MB_OK;
	if (c == '-' || is_digit(c))
		return read_number(parser, value);
	if (take_word(parser, "null"))
		value->type = MB_JSON_NULL;
	else if (take_word(parser, "true"))
		value->type = MB_JSON_TRUE;
	else if (take_word(parser, "false"))
		value->type = MB_JSON_FALSE;
	else
		return fail_at(parser, parser->at, "expected a value");
	return MB_OK;
}

/* Read one member of the innermost open container and append it. */
static mb_status
read_member(json_parser *parser)
{
	json_frame *frame = &parser->frames[parser->depth - 1];
	mb_json    *member = mb_arena_zero(parser->arena, 1, sizeof(mb_json));

	if (member == NULL)
		return fail_memory(parser);

	if (frame->container->type == MB_JSON_OBJECT)
	{
		mb_status	status;

		if (parser->at >= parser->length || parser->text[parser->at] != '"')
			return fail_at(parser, parser->at, "expected a name in quotes");
		status = read_string(parser, &member->key, &member->key_length);
		if (status != MB_OK)
			return status;
		skip_blanks(parser);
		if (parser->at >= parser->length || parser->text[parser->at] != ':')
			return fail_at(parser, parser->at, "expected \":\"");
		parser->at++;
		skip_blanks(parser);
	}

	if (frame->last == NULL)
		frame->container->child = member;
	else
		frame->last->next = member;
	frame->last = member;
	frame->container->length++;
	return read_value(parser, member);
}

/* One step in the innermost container: its end, or its next member. */
static mb_status
read_step(json_parser *parser)
{
	json_frame *frame = &parser->frames[parser->depth - 1];
	bool		object = frame->container->type == MB_JSON_OBJECT;
	char		c;

	skip_blanks(parser);
	c = parser->at < parser->length ? parser->text[parser->at] : '\0';
	if (c == (object ? '}' : ']'))
	{
		parser->at++;
		parser->depth--;
		return MB_OK;
	}
	if (frame->last != NULL)
	{
		if (c != ',')
			return fail_at(parser, parser->at,
						   object ? "expected \",\" or \"}\"" :
						   "expected \",\" or \"]\"");
		parser->at++;
		skip_blanks(parser);
	}
	return read_member(parser);
}

mb_status
mb_json_parse(const char *text, size_t length, const char *what, bool python,
			  mb_arena *arena, const mb_cancel *cancel, mb_json **root,
			  mb_error *err)
{
	json_parser parser;
	mb_status	status;

	parser.text = text;
	parser.length = length;
	parser.at = 0;
	parser.next_poll = 0;
	parser.stopped = false;
	parser.what = what;
	parser.python = python;
	parser.arena = arena;
	parser.cancel = cancel;
	parser.err = err;
	parser.depth = 0;

	status = check_utf8(&parser);
	if (status != MB_OK)
		return status;

	*root = mb_arena_zero(arena, 1, sizeof(mb_json));
	if (*root == NULL)
		return fail_memory(&parser);
	skip_blanks(&parser);
	status = read_value(&parser, *root);
	while (status == MB_OK && parser.depth > 0)
	{
		status = read_step(&parser);
		if (status == MB_OK)
			status = poll_cancel(&parser, parser.at);
	}
	if (status != MB_OK)
		return status;

	skip_blanks(&parser);
	if (parser.at < length)
		return fail_at(&parser, parser.at, "text after the end");
	return MB_OK;
}

mb_json *
mb_json_get(const mb_json *object, const char *key)
{
	size_t		length = strlen(key);
	mb_json    *found = NULL;
	mb_json    *member;

	if (object == NULL || object->type != MB_JSON_OBJECT)
		return NULL;
	for (member = object->child; member != NULL; member = member->next)
	{
		if (member->key_length == length &&
			memcmp(member->key, key, length) == 0)
			found = member;
	}
	return found;
}

bool
mb_json_is_string(const mb_json *value, const char *text)
{
	size_t		length = strlen(text);

	return value != NULL && value->type == MB_JSON_STRING &&
		value->length == length && memcmp(value->text, text, length) == 0;
}

/* Magnitude of an integer number; false when it is over 64 bits. */
static bool
read_magnitude(const char *digits, uint64_t *result)
{
	uint64_t	value = 0;

	for (; *digits != '\0'; digits++)
	{
		if (__builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, (uint64_t) (*digits - '0'), &value))
			return false;
	}
	*result = value;
	return true;
}

bool
mb_json_int(const mb_json *value, int64_t low, int64_t high, int64_t *result)
{
	uint64_t	magnitude;
	bool		negative;
	int64_t		number;

	if (value == NULL || value->type != MB_JSON_NUMBER || !value->integer)
		return false;
	negative = value->text[0] == '-';
	if (!read_magnitude(value->text + (negative ? 1 : 0), &magnitude))
		return false;
	if (negative)
	{
		if (magnitude > (uint64_t) INT64_MAX + 1)
			return false;
		number = magnitude == 0 ? 0 : -(int64_t) (magnitude - 1) - 1;
	}
	else
	{
		if (magnitude > (uint64_t) INT64_MAX)
			return false;
		number = (int64_t) magnitude;
	}
	if (number < low || number > high)
		return false;
	*result = number;
	return true;
}

bool
mb_json_uint64(const mb_json *value, uint64_t *result)
{
	if (value == NULL || value->type != MB_JSON_NUMBER || !value->integer ||
		value->text[0] == '-')
		return false;
	return read_magnitude(value->text, result);
}
