/*-------------------------------------------------------------------------
 *
 * text.h
 *	  The BERT normaliser: cleaned, accent-free, lower-case characters, each
 *	  with the character of the original text it came from; and comparing
 *	  texts without regard to case.
 *
 * Depends on base/arena.h, base/status.h, tokenizer/unicode_tables.h.
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

/* Receives a run of normalised characters; any status but MB_OK stops. */
typedef mb_status (*mb_char_sink) (void *context, const mb_char *chars,
								   size_t count);

/*
 * Normalise valid UTF-8 and pass the characters to sink, in order, in runs of
 * at most MB_TEXT_RUN.  "first" is the index of the text's first character;
 * scratch holds long runs of combining marks.  Cancel is polled once per run
 * of output, every MB_TEXT_POLL characters of input, and as often while a run
 * of combining marks is counted, sorted and emitted.
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

#endif							/* MB_TEXT_H */
