/*-------------------------------------------------------------------------
 *
 * test_text.c
 *	  The BERT normaliser: every character, combining marks and their sources,
 *	  hostile lengths.
 *
 *-------------------------------------------------------------------------
 */
#include "base/utf8.h"
#include "tap.h"
#include "tokenizer/text.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static mb_arena scratch;
static mb_error err;

/* What the sink got. */
typedef struct collected
{
	mb_char		chars[4096];
	size_t		count;			/* of chars; more are only counted */
	uint64_t	digest;			/* FNV-1a over the UTF-8 of the characters */
	size_t		stop_after;		/* fail once this many came; 0: never */
} collected;

static mb_status
collect(void *context, const mb_char *chars, size_t count)
{
	collected  *c = context;
	size_t		i;

	for (i = 0; i < count; i++)
	{
		char		bytes[4];
		unsigned	length = mb_utf8_put(bytes, chars[i].code);
		unsigned	j;

		for (j = 0; j < length; j++)
			c->digest = (c->digest ^ (uint8_t) bytes[j]) * 0x100000001B3u;
		if (c->count < 4096)
			c->chars[c->count] = chars[i];
		c->count++;
	}
	if (c->stop_after > 0 && c->count >= c->stop_after)
		return MB_ERR_LIMIT;
	return MB_OK;
}

static mb_status
run(const mb_normalizer *options, const char *text, size_t length,
	collected *c)
{
	return mb_normalize_text(options, text, length, 0, &scratch, NULL,
							 collect, c, &err);
}

static const mb_normalizer uncased = {true, true, true, true};

/*
 * Cases: the text, the normalised text, the source of each of its characters
 */
static const struct
{
	mb_normalizer options;
	const char *text;
	const char *wanted;
	const int32_t *sources;
}			cases[] = {
#define SOURCES(...) (const int32_t[]) {__VA_ARGS__}
	{{true, true, true, true}, "", "", NULL},
	{{true, true, true, true}, "Ab", "ab", SOURCES(0, 1)},
	{{true, true, true, true}, "a\xe2\x80\x8b" "b", "ab", SOURCES(0, 2)},
	{{false, true, true, true}, "a\xe2\x80\x8b", "a\xe2\x80\x8b",
	SOURCES(0, 1)},
	{{true, true, true, true}, "a\t\xc2\xa0\xe2\x80\xa8", "a   ",
	SOURCES(0, 1, 2, 3)},
	{{false, true, true, true}, "\t\xc2\xa0", "\t\xc2\xa0", SOURCES(0, 1)},
	{{true, true, true, true}, "\xe4\xb8\xad", " \xe4\xb8\xad ",
	SOURCES(0, 0, 0)},
	{{true, false, true, true}, "\xe4\xb8\xad", "\xe4\xb8\xad", SOURCES(0)},
	/* 2B91F is not spaced, 2B920 is */
	{{true, true, true, true}, "\xf0\xab\xa4\x9f\xf0\xab\xa4\xa0",
	"\xf0\xab\xa4\x9f \xf0\xab\xa4\xa0 ", SOURCES(0, 1, 1, 1)},
	/* a compatibility ideograph is spaced, then decomposed */
	{{true, true, true, true}, "\xef\xa4\x80", " \xe8\xb1\x88 ",
	SOURCES(0, 0, 0)},
	{{true, true, true, true}, "\xc3\x89", "e", SOURCES(0)},
	{{true, true, false, true}, "\xc3\x89", "\xc3\xa9", SOURCES(0)},
	{{true, true, true, false}, "\xc3\x89", "E", SOURCES(0)},
	/* U+0130: decomposed and stripped, or the one mapping to two */
	{{true, true, true, true}, "\xc4\xb0", "i", SOURCES(0)},
	{{true, true, false, true}, "x\xc4\xb0", "xi\xcc\x87", SOURCES(0, 1, 1)},
	/* final sigma has no context; sharp s */
	{{true, true, true, true}, "\xce\x9f\xce\xa3", "\xce\xbf\xcf\x83",
	SOURCES(0, 1)},
	{{true, true, true, true}, "\xe1\xba\x9e", "\xc3\x9f", SOURCES(0)},
	/* Hangul syllable */
	{{true, true, true, true}, "\xed\x95\x9c",
	"\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", SOURCES(0, 0, 0)},
	/* U+11938 was given its decomposition after Unicode 9.0 */
	{{true, true, true, true}, "\xf0\x91\xa4\xb8", "\xf0\x91\xa4\xb8",
	SOURCES(0)},
	/* letters of Unicode 16.0 and 17.0 */
	{{true, true, true, true}, "\xe1\xb2\x89\xf0\x96\xba\xb8",
	"\xe1\xb2\x8a\xf0\x96\xbb\x93", SOURCES(0, 1)},
	/*
	 * Mc marks of class 216 (1D165, 1D16E) and 226 (1D16D) stay and are
	 * reordered; sources go by position, not by mark
	 */
	{{true, true, true, true},
	"a\xf0\x9d\x85\xad\xf0\x9d\x85\xa5\xf0\x9d\x85\xae",
	"a\xf0\x9d\x85\xa5\xf0\x9d\x85\xae\xf0\x9d\x85\xad",
	SOURCES(0, 1, 2, 3)},
	/* a mark that is not first of its decomposition repeats the source */
	{{true, true, true, true}, "\xf0\x9d\x85\x9e\xf0\x9d\x85\xad",
	"\xf0\x9d\x85\x97\xf0\x9d\x85\xa5\xf0\x9d\x85\xad", SOURCES(0, 0, 1)},
	{{true, true, true, true}, "\xc3\xa9\xf0\x9d\x85\xa5",
	"e\xf0\x9d\x85\xa5", SOURCES(0, 1)},
};

static void
check_cases(void)
{
	size_t		i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		static collected c;
		char		got[256];
		size_t		length = 0;
		bool		same_sources = true;
		size_t		j;
		mb_status	status;

		memset(&c, 0, sizeof(c));
		status = run(&cases[i].options, cases[i].text, strlen(cases[i].text),
					 &c);
		for (j = 0; j < c.count; j++)
		{
			length += mb_utf8_put(got + length, c.chars[j].code);
			if (c.chars[j].source != cases[i].sources[j])
				same_sources = false;
		}
		ok(status == MB_OK && same_sources &&
		   length == strlen(cases[i].wanted) &&
		   memcmp(got, cases[i].wanted, length) == 0,
		   "case %zu: normalised text and sources", i);
	}
}

/*
 * Every scalar value: digests of what the tokenizers library makes of them
 * (test/golden/tokenizer/digests.py)
 */
static const struct
{
	mb_normalizer options;
	uint64_t	digest;
}			digests[] = {
	{{true, true, true, true}, 0x7a56f3129a0b29a5u},
	{{false, false, false, true}, 0x4b2e69a63593dc34u},
	{{false, false, true, false}, 0xfc9d3b7a0efc4b07u},
	{{true, false, false, false}, 0x64e6626ec725349eu},
};

#define PIECES_DIGEST 0xe7e8aa850a289f16u
#define FNV_START 0xCBF29CE484222325u
#define FNV_STEP(digest, byte) (((digest) ^ (byte)) * 0x100000001B3u)

static void
check_every_character(const mb_normalizer *options, uint64_t wanted)
{
	static collected c;
	uint64_t	digest = FNV_START;
	bool		sources = true;
	uint32_t	code;

	for (code = 0; code <= MB_UNICODE_MAX; code++)
	{
		char		text[4];
		size_t		i;

		if (code >= 0xD800 && code < 0xE000)
			continue;
		c.digest = digest;
		c.count = 0;
		if (run(options, text, mb_utf8_put(text, code), &c) != MB_OK)
			break;
		for (i = 0; i < c.count; i++)
			sources = sources && c.chars[i].source == 0;
		digest = FNV_STEP(c.digest, 0xFF);
	}
	ok(digest == wanted && sources,
	   "every character, options %d%d%d%d: digest %016llx",
	   options->clean_text, options->handle_chinese_chars,
	   options->strip_accents, options->lowercase,
	   (unsigned long long) digest);
}

/* "a", the character, "b": one piece, or two for space, or three. */
static void
check_every_split(void)
{
	uint64_t	digest = FNV_START;
	uint32_t	code;

	for (code = 0; code <= MB_UNICODE_MAX; code++)
	{
		unsigned	flags = mb_char_flags(code);

		if (code >= 0xD800 && code < 0xE000)
			continue;
		digest = FNV_STEP(digest, (flags & MB_CHAR_SPACE) ? 2u :
						  (flags & MB_CHAR_PUNCTUATION) ? 3u : 1u);
	}
	ok(digest == PIECES_DIGEST,
	   "every character splits words as in the library: digest %016llx",
	   (unsigned long long) digest);
}

/*
 * Long runs of marks
 */

/* length bytes of marks of falling and rising classes after one letter */
static char *
many_marks(size_t length)
{
	static const char *const marks[] = {
		"\xcc\x81", "\xcc\x96", "\xcc\xb4", "\xcd\x85", "\xd6\xb0", "\xd9\x8b"
	};
	char	   *text = malloc(length);
	size_t		i;

	memset(text, 'a', 2);
	for (i = 2; i + 1 < length; i += 2)
		memcpy(text + i, marks[i / 2 * 7919 % 6], 2);
	return text;
}

static double
seconds_for(const mb_normalizer *options, const char *text, size_t length,
			collected *c)
{
	double		best = 1e9;
	int			i;

	for (i = 0; i < 3; i++)
	{
		clock_t		start = clock();
		double		seconds;

		memset(c, 0, sizeof(*c));
		if (run(options, text, length, c) != MB_OK)
			return -1;
		seconds = (double) (clock() - start) / CLOCKS_PER_SEC;
		if (seconds < best)
			best = seconds;
	}
	return best;
}

static void
check_long_run(void)
{
	static collected c;
	const size_t small = 64 * 1024;
	const size_t large = 1024 * 1024;
	char	   *text = many_marks(large);
	double		short_time = seconds_for(&uncased, text, small, &c);
	double		long_time = seconds_for(&uncased, text, large, &c);

	ok(c.count == 2 && short_time >= 0 && long_time >= 0,
	   "a megabyte of marks is stripped");

	/* 16 times the text; a quadratic sort would take 256 times as long */
	ok(long_time < 100 * (short_time + 0.0005),
	   "a megabyte of marks takes linear time");
	ok(scratch.total < 64 * 4 * large, "and a bounded amount of memory");
	free(text);
}

/* Marks that stay (Mc) in a run longer than any inline buffer. */
static void
check_long_order(void)
{
	static collected c;
	char		text[4 * 300];
	bool		ordered = true;
	size_t		i;

	for (i = 0; i < 300; i++)
		memcpy(text + 4 * i, i % 2 == 0 ? "\xf0\x9d\x85\xad" :
			   "\xf0\x9d\x85\xa5", 4);
	memset(&c, 0, sizeof(c));
	ok(run(&uncased, text, sizeof(text), &c) == MB_OK && c.count == 300,
	   "300 marks that stay");
	for (i = 0; i < c.count; i++)
		ordered = ordered &&
			c.chars[i].code == (i < 150 ? 0x1D165u : 0x1D16Du) &&
			c.chars[i].source == (int32_t) i;
	ok(ordered, "they are sorted by class, and sources go by position");
}

/*
 * Failure
 */

static bool
always(void *context)
{
	(void) context;
	return true;
}

static void
check_failure(void)
{
	static collected c;
	const mb_cancel cancel = {always, NULL};
	char	   *text = many_marks(100000);
	mb_arena	tight;

	memset(&c, 0, sizeof(c));
	ok(mb_normalize_text(&uncased, "abc", 3, 0, &scratch, &cancel, collect,
						 &c, &err) == MB_ERR_CANCELLED && c.count == 0,
	   "a cancel stops before output");
	ok(mb_normalize_text(&uncased, text, 100000, 0, &scratch, &cancel,
						 collect, &c, &err) == MB_ERR_CANCELLED,
	   "a cancel stops");
	mb_arena_init(&tight, &mb_libc_memory, 20000);
	ok(mb_normalize_text(&uncased, text, 100000, 0, &tight, NULL, collect,
						 &c, &err) == MB_ERR_MEMORY, "no memory for marks");
	mb_arena_free(&tight);
	memset(text, 'x', 100000);
	memset(&c, 0, sizeof(c));
	c.stop_after = 1;
	ok(run(&uncased, text, 100000, &c) == MB_ERR_LIMIT &&
	   c.count <= MB_TEXT_RUN, "what the sink says is passed on");
	free(text);
}

/* Texts, and whether Python's str.lower() makes them the same. */
static const struct
{
	const char *a;
	const char *b;
	bool		equal;
}			lower_pairs[] =
{
	{"", "", true},
	{"The Answer", "tHE aNSWER", true},
	{"answer", "answers", false},
	{"\xC3\x89T\xC3\x89", "\xC3\xA9t\xC3\xA9", true},
	{"\xC4\xB0", "i\xCC\x87", true},	/* U+0130 */
	{"\xC4\xB0", "i", false},
	{"\xE1\xBA\x9E", "ss", false},	/* lower case, not folded */
	{"\xE1\xBA\x9E", "\xC3\x9F", true},
	{"\xE2\x84\xAA", "K", true},	/* the Kelvin sign */
	/* a sigma at the end of a word, one after a mark, one before a letter */
	{"\xCE\x9F\xCE\x94\xCE\x9F\xCE\xA3", "\xCE\xBF\xCE\xB4\xCE\xBF\xCF\x82", true},
	{"\xCE\x9F\xCE\x94\xCE\x9F\xCE\xA3", "\xCE\xBF\xCE\xB4\xCE\xBF\xCF\x83", false},
	{"a'\xCE\xA3.", "a'\xCF\x82.", true},
	{"a\xCE\xA3'b", "a\xCF\x83'b", true},
	{" \xCE\xA3", " \xCF\x83", true},
	{"\xCE\xA3", "\xCF\x82", false},
};

static void
check_lower(void)
{
	static const mb_cancel cancel = {always, NULL};
	char	   *text = malloc(200000);
	bool		equal = false;
	bool		right = true;
	uint64_t	x = 0;
	uint64_t	y = 0;
	size_t		i;

	for (i = 0; i < sizeof(lower_pairs) / sizeof(lower_pairs[0]); i++)
	{
		const char *a = lower_pairs[i].a;
		const char *b = lower_pairs[i].b;

		right = mb_lower_equal(a, strlen(a), b, strlen(b), NULL,
							   &equal) == MB_OK &&
			equal == lower_pairs[i].equal;
		right = right && mb_lower_equal(b, strlen(b), a, strlen(a), NULL,
										&equal) == MB_OK &&
			equal == lower_pairs[i].equal;
		mb_lower_hash(a, strlen(a), NULL, &x);
		mb_lower_hash(b, strlen(b), NULL, &y);
		ok(right && (x == y) == equal, "\"%s\" and \"%s\" %s", a, b,
		   lower_pairs[i].equal ? "are equal but for case" : "differ");
	}
	memset(text, 'x', 200000);
	ok(mb_lower_hash(text, 200000, &cancel, &x) == MB_ERR_CANCELLED &&
	   mb_lower_equal(text, 200000, text, 200000, &cancel,
					  &equal) == MB_ERR_CANCELLED,
	   "a cancel stops comparing");
	free(text);
}

int
main(void)
{
	size_t		i;

	mb_arena_init(&scratch, &mb_libc_memory, SIZE_MAX);
	check_cases();
	for (i = 0; i < sizeof(digests) / sizeof(digests[0]); i++)
		check_every_character(&digests[i].options, digests[i].digest);
	check_every_split();
	check_long_run();
	check_long_order();
	check_failure();
	check_lower();
	mb_arena_free(&scratch);
	return done_testing();
}
