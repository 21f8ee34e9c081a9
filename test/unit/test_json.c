/*-------------------------------------------------------------------------
 *
 * test_json.c
 *	  The JSON reader against RFC 8259: what it takes, what it refuses and
 *	  where, and what becomes of values.
 *
 *-------------------------------------------------------------------------
 */
#include "base/json.h"
#include "tap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static mb_arena arena;
static mb_error err;

static mb_json *
parse_bytes(const char *text, size_t length, bool python)
{
	mb_json    *root = NULL;

	if (mb_json_parse(text, length, "doc", python, &arena, NULL, &root,
					  &err) != MB_OK)
		return NULL;
	return root;
}

static mb_json *
parse(const char *text)
{
	return parse_bytes(text, strlen(text), false);
}

static const char *const valid[] = {
	"null", "true", "false", "0", "-0", "10", "-1", "1.5", "0.5", "1e5",
	"1E+5", "1e-5", "1.25e10", "\"\"", "[]", "{}", "[[]]", "[1]", "[1,2]",
	"{\"a\":1}", "{\"a\":1,\"a\":2}", "{\"\":0}", " \t\r\n[ 1 , 2 ] \n",
	"{ \"a\" : { \"b\" : [ ] } }", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
	"\"\\u00e9\\uD834\\uDD1E\"", "\"\x7f\"", "\"\xf4\x8f\xbf\xbf\"",
	"123456789012345678901234567890", "1e999", "-1e-999",
	"[null,true,false,0,\"\",[],{}]"
};

/* With the byte at which each goes wrong. */
static const struct
{
	const char *text;
	size_t		at;
}			invalid[] = {
	{"", 0}, {" ", 1}, {"nul", 0}, {"nulll", 4}, {"True", 0}, {"NaN", 0},
	{"Infinity", 0}, {"-Infinity", 1}, {"01", 1}, {"-", 1}, {"-01", 2},
	{"+1", 0}, {".5", 0}, {"1.", 2}, {"1.e5", 2}, {"1e", 2}, {"1e+", 3},
	{"0x10", 1}, {"1 2", 2}, {"\"", 0}, {"\"a", 0}, {"\"\\\"", 0},
	{"\"a\nb\"", 2}, {"\"\\x\"", 1}, {"\"\\u12\"", 1}, {"\"\\u12G4\"", 1},
	{"\"\\uD800\"", 1}, {"\"\\uDC00\"", 1}, {"\"\\uD800\\u0041\"", 1},
	{"\"\\uD800\\uD800\"", 1}, {"\"\\uD800x\"", 1}, {"'a'", 0}, {"[", 1},
	{"]", 0}, {"[1", 2}, {"[1,", 3}, {"[1,]", 3}, {"[,1]", 1}, {"[1 2]", 3},
	{"[1}", 2}, {"{", 1}, {"{1:2}", 1}, {"{\"a\"}", 4}, {"{\"a\" 1}", 5},
	{"{\"a\":}", 5}, {"{\"a\":1,}", 7}, {"{\"a\":1]", 6}, {"{,}", 1},
	{"{\"a\":1 \"b\":2}", 7}, {"[1]]", 3}, {"{}{}", 2}, {"/**/1", 0},
	{"\xEF\xBB\xBF{}", 0}, {"[1\xC2\xA0]", 2}, {"[\"a\xFF\"]", 3},
	{"\"\xED\xA0\x80\"", 1}, {"\"\xC0\x80\"", 1}, {"\"ab\xE2\x82\"", 3}
};

static void
test_grammar(void)
{
	size_t		i;

	for (i = 0; i < sizeof(valid) / sizeof(valid[0]); i++)
		ok(parse(valid[i]) != NULL, "valid number %zu", i);
	for (i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
	{
		char		place[40];

		snprintf(place, sizeof(place), "at byte %zu", invalid[i].at);
		ok(parse(invalid[i].text) == NULL && err.status == MB_ERR_DATA &&
		   strncmp(err.message, "\"doc\" is not valid ", 18) == 0 &&
		   strlen(err.message) > strlen(place) &&
		   strcmp(err.message + strlen(err.message) - strlen(place),
				  place) == 0,
		   "invalid number %zu: %s", i, err.message);
	}
	ok(parse_bytes("1\0", 2, false) == NULL, "a zero byte is no blank");
}

/* Every prefix of a document is refused, and none is read beyond its end. */
static void
test_prefixes(void)
{
	static const char text[] =
	"{\"a\\u00e9\\ud834\\udd1e\": [1.5e+3, -2, true, false, null, \"\\n\"]}";
	size_t		length = strlen(text);
	size_t		taken = 0;
	size_t		i;

	for (i = 0; i < length; i++)
	{
		char	   *copy = malloc(i + 1);

		memcpy(copy + 1, text, i);
		if (parse_bytes(copy + 1, i, false) != NULL)
			taken++;
		free(copy);
	}
	ok(taken == 0, "%zu of %zu prefixes taken", taken, length);
	ok(parse(text) != NULL, "the whole is");
}

static void
test_tree(void)
{
	mb_json    *root = parse("{\"b\":1,\"a\":[\"x\",{\"k\":null},-2.5],"
							 "\"b\":2,\"n\\u0000\":3}");
	mb_json    *list;

	ok(root != NULL && root->type == MB_JSON_OBJECT && root->length == 4 &&
	   root->key == NULL && root->next == NULL, "object of four members");
	ok(strcmp(root->child->key, "b") == 0 &&
	   strcmp(root->child->next->key, "a") == 0 &&
	   strcmp(root->child->next->next->key, "b") == 0,
	   "order and repeated keys are kept");
	ok(mb_json_get(root, "b")->number == 2, "the last of them counts");
	ok(mb_json_get(root, "n") == NULL, "a key with a zero byte is another");
	ok(root->child->next->next->next->key_length == 2, "and is whole");
	list = mb_json_get(root, "a");
	ok(list->type == MB_JSON_ARRAY && list->length == 3 &&
	   list->child->key == NULL, "list of three");
	ok(mb_json_is_string(list->child, "x") &&
	   !mb_json_is_string(list->child, "xy") &&
	   !mb_json_is_string(list->child->next, "x") &&
	   !mb_json_is_string(NULL, "x"), "string comparison");
	ok(mb_json_get(list->child->next, "k")->type == MB_JSON_NULL, "nested");
	ok(list->child->next->next->number == -2.5 &&
	   strcmp(list->child->next->next->text, "-2.5") == 0 &&
	   !list->child->next->next->integer, "number and its text");
	ok(mb_json_get(list, "a") == NULL && mb_json_get(NULL, "a") == NULL,
	   "no members where there is no object");
}

static void
test_strings(void)
{
	mb_json    *value;

	value = parse("\"\\u0000a\\u00e9\\u20ac\\ud834\\udd1e\\\"\\/\"");
	ok(value != NULL && value->length == 13 &&
	   memcmp(value->text, "\0a\xC3\xA9\xE2\x82\xAC\xF0\x9D\x84\x9E\"/", 14) == 0,
	   "escapes become UTF-8, a zero byte is kept");
	value = parse("\"\\uFFFF\\uDBFF\\uDFFF\"");
	ok(value != NULL && memcmp(value->text, "\xEF\xBF\xBF\xF4\x8F\xBF\xBF",
							   8) == 0, "last code points");
	value = parse("\"\xC3\xA9\\n\xF0\x9D\x84\x9E\"");
	ok(value != NULL && memcmp(value->text, "\xC3\xA9\n\xF0\x9D\x84\x9E",
							   8) == 0, "text between escapes");
}

static bool
is_int(const char *text, int64_t low, int64_t high, int64_t expected)
{
	int64_t		result;

	return mb_json_int(parse(text), low, high, &result) && result == expected;
}

static bool
no_int(const char *text, int64_t low, int64_t high)
{
	int64_t		result;

	return !mb_json_int(parse(text), low, high, &result);
}

static void
test_integers(void)
{
	uint64_t	u;

	ok(is_int("5", 0, 5, 5) && no_int("6", 0, 5) && no_int("-1", 0, 5),
	   "range");
	ok(is_int("-0", 0, 0, 0), "minus zero");
	ok(is_int("9223372036854775807", INT64_MIN, INT64_MAX, INT64_MAX) &&
	   is_int("-9223372036854775808", INT64_MIN, INT64_MAX, INT64_MIN),
	   "largest and smallest");
	ok(no_int("9223372036854775808", INT64_MIN, INT64_MAX) &&
	   no_int("-9223372036854775809", INT64_MIN, INT64_MAX) &&
	   no_int("99999999999999999999999", INT64_MIN, INT64_MAX), "beyond");
	ok(no_int("1.0", 0, 9) && no_int("1e0", 0, 9) && no_int("\"1\"", 0, 9) &&
	   no_int("true", 0, 9) && !mb_json_int(NULL, 0, 9, &(int64_t) {0}),
	   "not integers");
	ok(mb_json_uint64(parse("18446744073709551615"), &u) && u == UINT64_MAX,
	   "largest unsigned");
	ok(!mb_json_uint64(parse("18446744073709551616"), &u) &&
	   !mb_json_uint64(parse("-1"), &u) && !mb_json_uint64(parse("-0"), &u) &&
	   !mb_json_uint64(parse("1.0"), &u) && !mb_json_uint64(NULL, &u),
	   "not unsigned");
	ok(parse("1e-12")->number == 1e-12 && parse("0.1")->number == 0.1 &&
	   isinf(parse("1e999")->number), "values of numbers");
}

static void
test_python(void)
{
	mb_json    *list = parse_bytes("[NaN,Infinity,-Infinity,-1]", 27, true);

	ok(list != NULL && list->length == 4, "Python's numbers");
	ok(list != NULL && isnan(list->child->number) &&
	   list->child->next->number == INFINITY &&
	   list->child->next->next->number == -INFINITY &&
	   !list->child->integer, "their values");
	ok(parse_bytes("-Infinite", 9, true) == NULL &&
	   parse_bytes("Na", 2, true) == NULL, "not half of them");
}

/* Brackets nested so deep, all closed again. */
static mb_status
parse_nested(size_t depth)
{
	char	   *text = malloc(2 * depth);
	mb_json    *root;
	mb_status	status;

	memset(text, '[', depth);
	memset(text + depth, ']', depth);
	status = mb_json_parse(text, 2 * depth, "doc", false, &arena, NULL, &root,
						   &err);
	free(text);
	return status;
}

static bool
count_down(void *context)
{
	int		   *left = context;

	return (*left)-- <= 0;
}

static void
test_limits(void)
{
	size_t		size = 20 * 1024 * 1024;
	char	   *text = malloc(size);
	mb_json    *root;
	mb_arena	small;
	int			left;
	int			at;
	mb_cancel	cancel = {count_down, &left};

	ok(parse_nested(MB_JSON_MAX_DEPTH) == MB_OK, "depth at its limit");
	ok(parse_nested(MB_JSON_MAX_DEPTH + 1) == MB_ERR_LIMIT, "over it: %s",
	   err.message);
	ok(parse_nested(1000000) == MB_ERR_LIMIT, "far over it");

	memset(text, '1', 5000);
	ok(mb_json_parse(text, 4300, "doc", false, &arena, NULL, &root,
					 &err) == MB_OK, "a number of 4300 digits");
	ok(mb_json_parse(text, 4301, "doc", false, &arena, NULL, &root,
					 &err) == MB_ERR_LIMIT, "of 4301: %s", err.message);

	mb_arena_init(&small, &mb_libc_memory, 10000);
	memset(text, ' ', size);
	text[0] = text[size - 1] = '"';
	ok(mb_json_parse(text, size, "doc", false, &small, NULL, &root,
					 &err) == MB_ERR_MEMORY, "a string over the arena's limit");
	mb_arena_free(&small);

	for (at = 0; at < 300; at += 99)
	{
		left = at;
		ok(mb_json_parse(text, size, "doc", false, &arena, &cancel, &root,
						 &err) == MB_ERR_CANCELLED && left == -1,
		   "string cancelled at poll %d", at);
	}
	left = 1000;
	ok(mb_json_parse(text, size, "doc", false, &arena, &cancel, &root,
					 &err) == MB_OK && left < 700, "%d polls in 20 MB",
	   1000 - left);

	text[0] = '[';
	text[size - 1] = ']';
	left = 200;
	ok(mb_json_parse(text, size, "doc", false, &arena, &cancel, &root,
					 &err) == MB_ERR_CANCELLED, "blanks cancelled");
	left = 1000;
	ok(mb_json_parse(text, size, "doc", false, &arena, &cancel, &root,
					 &err) == MB_OK, "or not");
	free(text);
}

/* UTF-8 is checked in pieces: characters across their ends, and bad ones. */
static void
test_pieces(void)
{
	size_t		size = 3 * 1024 * 1024 + 100;
	char	   *text = malloc(size);
	bool		good = true;
	bool		found = true;
	size_t		shift;
	size_t		i;

	for (shift = 1; shift <= 4; shift++)
	{
		char		place[60];

		memset(text, 'a', size);
		text[0] = text[size - 1] = '"';
		for (i = shift; i + 4 < size - 1; i += 4)
			memcpy(text + i, "\xF0\x9D\x84\x9E", 4);
		good = good && parse_bytes(text, size, false) != NULL;
		i = 128 * 1024 - 2;
		text[i] = (char) 0xFF;
		snprintf(place, sizeof(place), "UTF-8 at byte ");
		found = found && parse_bytes(text, size, false) == NULL &&
			strstr(err.message, place) != NULL &&
			(size_t) atol(strstr(err.message, place) + strlen(place)) <= i &&
			(size_t) atol(strstr(err.message, place) + strlen(place)) + 4 > i;
	}
	free(text);
	ok(good, "characters across pieces");
	ok(found, "a bad byte is found: %s", err.message);
}

int
main(void)
{
	mb_arena_init(&arena, &mb_libc_memory, SIZE_MAX);
	test_grammar();
	test_prefixes();
	test_tree();
	test_strings();
	test_integers();
	test_python();
	test_limits();
	test_pieces();
	mb_arena_free(&arena);
	return done_testing();
}
