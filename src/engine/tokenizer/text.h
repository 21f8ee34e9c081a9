/*-------------------------------------------------------------------------
 *
 * text.h
 *	  The BERT normaliser: cleaned, accent-free, lower-case characters, each
 *	  with the character of the original text it came from.
 *
 * Depends on base/status.h, base/arena.h, tokenizer/unicode_tables.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_TEXT_H
#define MB_TEXT_H

#include "base/arena.h"
#include "base/status.h"
#include "tokenizer/unicode_tables.h"

/* The four switches of BertNormalizer (spec tokenizer.md 2.1), resolved. */
typedef struct mb_normalizer
{
	bool		clean_text;
	bool		handle_chinese_chars;
	bool		strip_accents;
	bool		lowercase;
} mb_normalizer;

/*
 * A normalised character.  Every one comes from exactly one character of the
 * original, so its span there is (source, source + 1).
 */
typedef struct mb_char
{
	uint32_t	code;
	int32_t		source;
} mb_char;

/* Takes a run of normalised characters; a status other than MB_OK stops. */
typedef mb_status (*mb_char_sink) (void *context, const mb_char *chars,
								   size_t count);

/*
 * Normalise valid UTF-8 and hand the characters to sink, in order, in runs of
 * at most MB_TEXT_RUN.  "first" is the index of the text's first character;
 * scratch holds long runs of combining marks.  Cancel is polled once per run
 * of output, every MB_TEXT_POLL characters of input, and as often while a run
 * of combining marks is counted, sorted and put out.
 */
#define MB_TEXT_RUN 256
#define MB_TEXT_POLL 65536

extern mb_status mb_normalize_text(const mb_normalizer *options,
								   const char *text, size_t length,
								   int32_t first, mb_arena *scratch,
								   const mb_cancel *cancel,
								   mb_char_sink sink, void *context,
								   mb_error *err);

/*
 * mb_utf8_valid in pieces, with cancel polled between them: MB_OK, MB_ERR_DATA
 * or MB_ERR_CANCELLED.  The caller words the error.
 */
extern mb_status mb_utf8_check(const char *text, size_t length,
							   const mb_cancel *cancel);

/*
 * Valid UTF-8 without regard to case: a hash that equal texts share, and
 * whether two are equal, by what Python's str.lower() makes of them.  MB_OK or
 * MB_ERR_CANCELLED; the caller words the error.
 */
extern mb_status mb_lower_hash(const char *text, size_t length,
							   const mb_cancel *cancel, uint64_t *hash);
extern mb_status mb_lower_equal(const char *a, size_t a_length,
								const char *b, size_t b_length,
								const mb_cancel *cancel, bool *equal);

/* Decode the character at *text, which must be valid UTF-8, and step over. */
static inline uint32_t
mb_utf8_next(const char **text)
{
	const unsigned char *s = (const unsigned char *) *text;

	if (s[0] < 0x80)
	{
		*text += 1;
		return s[0];
	}
	if (s[0] < 0xE0)
	{
		*text += 2;
		return (s[0] & 0x1Fu) << 6 | (s[1] & 0x3Fu);
	}
	if (s[0] < 0xF0)
	{
		*text += 3;
		return (s[0] & 0x0Fu) << 12 | (s[1] & 0x3Fu) << 6 | (s[2] & 0x3Fu);
	}
	*text += 4;
	return (s[0] & 0x07u) << 18 | (s[1] & 0x3Fu) << 12 |
		(s[2] & 0x3Fu) << 6 | (s[3] & 0x3Fu);
}

/* Encode a character; returns its bytes, at most 4. */
static inline unsigned
mb_utf8_put(char *out, uint32_t code)
{
	if (code < 0x80)
	{
		out[0] = (char) code;
		return 1;
	}
	if (code < 0x800)
	{
		out[0] = (char) (0xC0 | code >> 6);
		out[1] = (char) (0x80 | (code & 0x3F));
		return 2;
	}
	if (code < 0x10000)
	{
		out[0] = (char) (0xE0 | code >> 12);
		out[1] = (char) (0x80 | (code >> 6 & 0x3F));
		out[2] = (char) (0x80 | (code & 0x3F));
		return 3;
	}
	out[0] = (char) (0xF0 | code >> 18);
	out[1] = (char) (0x80 | (code >> 12 & 0x3F));
	out[2] = (char) (0x80 | (code >> 6 & 0x3F));
	out[3] = (char) (0x80 | (code & 0x3F));
	return 4;
}

/* A byte that does not begin a character. */
static inline bool
mb_utf8_continues(char byte)
{
	return ((unsigned char) byte & 0xC0) == 0x80;
}

/* Characters in length bytes of valid UTF-8. */
static inline size_t
mb_utf8_count(const char *text, size_t length)
{
	size_t		count = 0;
	size_t		i;

	for (i = 0; i < length; i++)
		count += !mb_utf8_continues(text[i]);
	return count;
}

#endif							/* MB_TEXT_H */
