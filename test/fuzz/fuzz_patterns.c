/*-------------------------------------------------------------------------
 *
 * fuzz_patterns.c
 *	  Any text: what patterns find in it lies in it, in order, carries the
 *	  check that its kind has, and takes a bounded number of looks at a byte.
 *
 * An input is a byte that says which kinds, and a text; bytes that are no
 * UTF-8 become characters of their own.  What is found stands also when
 * another line follows.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"
#include "tasks/patterns/patterns.h"

/* The digits of a find, and their Luhn sum, which has to end in 0. */
static bool
is_luhn(const char *text, size_t length)
{
	unsigned	sum = 0;
	unsigned	digits = 0;

	while (length-- > 0)
	{
		unsigned	digit = (unsigned) (text[length] - '0');

		if (text[length] < '0' || text[length] > '9')
			continue;
		if (digits++ % 2 == 1)
			digit = 2 * digit / 10 + 2 * digit % 10;
		sum += digit;
	}
	return digits >= 12 && digits <= 19 && sum % 10 == 0;
}

/* The remainder of an IBAN modulo 97, digit by digit. */
static bool
is_iban(const char *text, size_t length)
{
	char		code[64];
	size_t		count = 0;
	unsigned	remainder = 0;
	size_t		i;

	for (i = 0; i < length; i++)
	{
		char		c = text[i];

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'))
			code[count++] = c;
		else if (c >= 'a' && c <= 'z')
			code[count++] = (char) (c - 'a' + 'A');
		CHECK(count < sizeof(code));
	}
	for (i = 0; i < count; i++)
	{
		char		c = code[(i + 4) % count];

		remainder = c <= '9' ? remainder * 10 + (unsigned) (c - '0') :
			remainder * 100 + (unsigned) (c - 'A' + 10);
		remainder %= 97;
	}
	return count >= 15 && count <= 34 && remainder == 1;
}

static bool
has(const char *text, size_t length, const char *part)
{
	size_t		size = strlen(part);
	size_t		i;

	for (i = 0; i + size <= length; i++)
	{
		if (memcmp(text + i, part, size) == 0)
			return true;
	}
	return false;
}

/* What a find of a kind has to have; no line ends in it. */
static void
check_find(mb_pattern pattern, const char *text, size_t length)
{
	CHECK(!has(text, length, "\n"));
	switch (pattern)
	{
		case MB_PATTERN_EMAIL:
			CHECK(has(text, length, "@") && has(text, length, "."));
			CHECK(text[0] != '.' && text[length - 1] != '.');
			break;
		case MB_PATTERN_URL:
			CHECK(!has(text, length, " "));
			CHECK(strchr(".,;:!?'", text[length - 1]) == NULL);
			break;
		case MB_PATTERN_IP:
			CHECK(length >= 3 && length <= 45);
			break;
		case MB_PATTERN_IBAN:
			CHECK(is_iban(text, length));
			break;
		case MB_PATTERN_CREDIT_CARD:
			CHECK(is_luhn(text, length));
			break;
		case MB_PATTERN_PHONE:
		case MB_PATTERN_DATE:
			CHECK(length >= 5 && length <= 128);
			break;
		case MB_PATTERN_KINDS:
			CHECK(false);
	}
}

/* The byte of a character, from a character and its byte before it. */
static size_t
move(const char *text, size_t length, size_t at, int32_t characters)
{
	for (; characters > 0; characters--)
	{
		CHECK(at < length);
		do
			at++;
		while (at < length && mb_utf8_continues(text[at]));
	}
	return at;
}

static void
check_finds(const char *text, size_t length, const mb_matches *found)
{
	int32_t		ends[MB_PATTERN_KINDS] = {0};
	int32_t		last = 0;
	size_t		at = 0;
	size_t		i;

	for (i = 0; i < found->count; i++)
	{
		const mb_match *match = &found->items[i];
		size_t		end;

		CHECK(match->pattern < MB_PATTERN_KINDS);
		CHECK(match->start < match->end);
		CHECK(match->start >= last);
		CHECK(match->start > last || i == 0 ||
			  match->start > match[-1].start ||
			  match->pattern > match[-1].pattern);
		CHECK(match->start >= ends[match->pattern]);
		at = move(text, length, at, match->start - last);
		end = move(text, length, at, match->end - match->start);
		check_find(match->pattern, text + at, end - at);
		ends[match->pattern] = match->end;
		last = match->start;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mb_arena	arena;
	mb_error	err;
	mb_matches	found;
	mb_matches	again;
	unsigned	set;
	char	   *text;
	size_t		length = 0;
	size_t		i;

	if (size == 0)
		return 0;
	set = data[0] % 8 == 7 ? 1u << data[0] / 8 % MB_PATTERN_KINDS : ~0u;
	data++;
	size--;
	mb_arena_init(&arena, &mb_libc_memory, FUZZ_MEMORY);
	text = mb_arena_alloc(&arena, 2 * size + 2, 1);
	CHECK(text != NULL);
	for (i = 0; i < size;)
	{
		size_t		bytes = mb_utf8_length((const char *) data + i, size - i);

		if (bytes == 0)
			length += mb_utf8_put(text + length, 0x80u + data[i++]);
		for (; bytes > 0; bytes--)
			text[length++] = (char) data[i++];
	}
	CHECK(mb_utf8_valid(text, length));
	CHECK(mb_patterns_find(text, length, set, &arena, NULL, &found,
						   &err) == MB_OK);
	check_finds(text, length, &found);
#if defined(MB_ASSERTIONS)
	CHECK(found.looks >= length / 4 &&
		  found.looks <= MB_PATTERN_LOOKS * (length + 1));
#endif
	text[length] = '\n';
	text[length + 1] = 'x';
	CHECK(mb_patterns_find(text, length + 2, set, &arena, NULL, &again,
						   &err) == MB_OK);
	CHECK(again.count == found.count);
	CHECK(found.count == 0 || memcmp(again.items, found.items,
									 found.count * sizeof(mb_match)) == 0);
	mb_arena_free(&arena);
	return 0;
}
