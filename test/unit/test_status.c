/*-------------------------------------------------------------------------
 *
 * test_status.c
 *	  mb_fail() and its like, and the UTF-8 check.
 *
 *-------------------------------------------------------------------------
 */
#include "base/status.h"
#include "tap.h"

#include <string.h>

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
test_utf8(void)
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
test_messages(void)
{
	mb_error	err;
	char		longer[1000];

	ok(mb_fail(NULL, MB_ERR_DATA, "x") == MB_ERR_DATA, "err may be NULL");
	mb_detail(NULL, "x");
	mb_hint(NULL, "x");

	memset(&err, 'x', sizeof(err));
	ok(mb_fail(&err, MB_ERR_LIMIT, "size %d of \"%s\"", 3, "a") == MB_ERR_LIMIT,
	   "mb_fail returns its status");
	ok(err.status == MB_ERR_LIMIT && strcmp(err.message, "size 3 of \"a\"") == 0,
	   "message");
	ok(err.detail[0] == '\0' && err.hint[0] == '\0', "detail and hint cleared");
	mb_detail(&err, "Detail %d.", 1);
	mb_hint(&err, "Hint %d.", 2);
	ok(strcmp(err.detail, "Detail 1.") == 0 && strcmp(err.hint, "Hint 2.") == 0,
	   "detail and hint");

	mb_fail(&err, MB_ERR_DATA, "%s", "a\xFF" "b\x01\x7F\nc\xE2\x82");
	ok(strcmp(err.message, "a?b   c") == 0,
	   "bad bytes and control characters: \"%s\"", err.message);
	mb_fail(&err, MB_ERR_DATA, "%s", "a\xE9z");
	ok(strcmp(err.message, "a?z") == 0,
	   "a bad byte near the end is not a cut character: \"%s\"", err.message);

	memset(longer, 'a', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	memcpy(longer + 509, "\xE2\x82\xAC", 3);
	mb_fail(&err, MB_ERR_DATA, "%s", longer);
	ok(strlen(err.message) == 509, "a cut character goes away (%zu)",
	   strlen(err.message));
	memcpy(longer + 508, "\xE2\x82\xAC" "b", 4);
	mb_fail(&err, MB_ERR_DATA, "%s", longer);
	ok(strlen(err.message) == 511 && mb_utf8_valid(err.message, 511),
	   "a whole one stays");

	ok(mb_fail_memory(&err) == MB_ERR_MEMORY &&
	   err.status == MB_ERR_MEMORY && strcmp(err.message, "out of memory") == 0,
	   "no memory");
}

static bool
say(void *context)
{
	return *(bool *) context;
}

static void
test_cancel(void)
{
	bool		answer = true;
	mb_cancel	cancel = {say, &answer};
	mb_cancel	never = {NULL, NULL};
	mb_error	err;

	ok(mb_cancelled(&cancel), "a request is heard");
	ok(mb_poll_cancel(&cancel, "reading", &err) == MB_ERR_CANCELLED &&
	   strcmp(err.message, "reading was cancelled") == 0, "and said");
	ok(mb_poll_cancel(&cancel, NULL, &err) == MB_ERR_CANCELLED &&
	   strcmp(err.message, "cancelled") == 0, "without a word for the work");
	answer = false;
	ok(mb_poll_cancel(&cancel, "reading", NULL) == MB_OK, "all is well");
	ok(!mb_cancelled(&cancel), "no request");
	ok(!mb_cancelled(NULL) && !mb_cancelled(&never), "nobody to ask");
}

int
main(void)
{
	test_utf8();
	test_messages();
	test_cancel();
	return done_testing();
}
