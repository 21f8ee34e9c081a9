/*-------------------------------------------------------------------------
 *
 * test_utf8.c
 *	  What is UTF-8, by an independent decoder; characters to bytes and back.
 *
 *-------------------------------------------------------------------------
 */
#include "base/utf8.h"
#include "tap.h"

/* An independent decoder: the value of the sequence, or -1. */
static long
decode(const unsigned char *s, size_t n)
{
	static const long least[] = {0, 0, 0x80, 0x800, 0x10000};
	long		value;
	size_t		i;

	if (n == 1)
		return s[0] < 0x80 ? s[0] : -1;
	value = s[0] & (0x7F >> n);
	if ((s[0] >> (7 - n)) != (0xFE & ((1 << (n + 1)) - 1)))
		return -1;
	for (i = 1; i < n; i++)
	{
		if ((s[i] & 0xC0) != 0x80)
			return -1;
		value = value << 6 | (s[i] & 0x3F);
	}
	if (value < least[n] || value > 0x10FFFF ||
		(value >= 0xD800 && value <= 0xDFFF))
		return -1;
	return value;
}

/* All sequences of one to three bytes, and those of four by their first two. */
static void
test_valid(void)
{
	long		wrong = 0;
	long		valid = 0;
	unsigned char s[4];
	unsigned long i;

	for (i = 0; i < 256; i++)
	{
		s[0] = (unsigned char) i;
		wrong += mb_utf8_valid((char *) s, 1) != (decode(s, 1) >= 0);
	}
	for (i = 0x8000; i < 0x10000; i++)
	{
		s[0] = (unsigned char) (i >> 8);
		s[1] = (unsigned char) i;
		if (s[1] >= 0x80)
			wrong += mb_utf8_valid((char *) s, 2) != (decode(s, 2) >= 0);
	}
	for (i = 0xE00000; i < 0xF00000; i++)
	{
		s[0] = (unsigned char) (i >> 16);
		s[1] = (unsigned char) (i >> 8);
		s[2] = (unsigned char) i;
		wrong += mb_utf8_valid((char *) s, 3) != (decode(s, 3) >= 0);
		valid += decode(s, 3) >= 0;
	}
	for (i = 0xF000; i < 0xF900; i++)
	{
		s[0] = (unsigned char) (i >> 8);
		s[1] = (unsigned char) i;
		s[2] = 0x80;
		s[3] = 0xBF;
		wrong += mb_utf8_valid((char *) s, 4) != (decode(s, 4) >= 0);
	}
	ok(wrong == 0, "UTF-8 check agrees with a decoder (%ld differ)", wrong);
	ok(valid == 0x10000 - 0x800 - 0x800, "%ld sequences of three bytes", valid);
	ok(mb_utf8_valid("", 0), "no text is valid");
	ok(mb_utf8_valid("a\0b", 3), "a zero byte is valid");
	ok(!mb_utf8_valid("ab\xE2\x82", 4), "a cut character is not");
}

static void
test_characters(void)
{
	uint32_t	code;
	bool		same = true;

	for (code = 0; code <= 0x10FFFF; code++)
	{
		char		text[4];
		const char *end = text;
		unsigned	length;

		if (code >= 0xD800 && code < 0xE000)
			continue;
		length = mb_utf8_put(text, code);
		same = same && mb_utf8_valid(text, length) &&
			mb_utf8_next(&end) == code && end == text + length &&
			mb_utf8_count(text, length) == 1;
	}
	ok(same, "every character survives encoding and decoding");
}

int
main(void)
{
	test_valid();
	test_characters();
	return done_testing();
}
