/*-------------------------------------------------------------------------
 *
 * fuzz_answers.c
 *	  Any windows over any context: choosing spans and merging answers.
 *
 * An input is three bytes of options, the context up to a zero byte (each byte
 * a character of its own, so that it is UTF-8 whatever the bytes), and tokens
 * of six bytes: what it is (bits 0 and 1: template, question, context, a typed
 * [CLS]; bit 7: the window ends here), word index, start, end, and the logits.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>

#include "fuzz.h"
#include "tasks/answers.h"
#include "tokenizer/text.h"

#define TOKENS 64
#define CLS 101

typedef struct window
{
	mb_encoding encoding;
	int32_t		ids[TOKENS];
	int32_t		starts[TOKENS];
	int32_t		ends[TOKENS];
	int32_t		words[TOKENS];
	int8_t		sequences[TOKENS];
	float		start[TOKENS];
	float		end[TOKENS];
} window;

/* A number from a byte: mostly small, at both ends extreme. */
static float
logit_of(uint8_t byte)
{
	switch (byte)
	{
		case 0:
			return -INFINITY;
		case 1:
			return -3e38f;
		case 253:
			return 3e38f;
		case 254:
			return INFINITY;
		case 255:
			return NAN;
		default:
			return ((float) byte - 128) / 8;
	}
}

/* The next window; false when there is none. */
static bool
read_window(window *w, const uint8_t **data, size_t *size)
{
	size_t		n = 0;
	bool		more = true;

	for (; more && n < TOKENS && *size >= 6; n++, *data += 6, *size -= 6)
	{
		const uint8_t *token = *data;
		int			kind = token[0] & 3;

		w->ids[n] = kind == 3 ? CLS : 7;
		w->sequences[n] = kind == 0 ? -1 : kind == 2 ? 1 : 0;
		w->words[n] = kind == 0 ? -1 : (int8_t) token[1];
		w->starts[n] = token[2];
		w->ends[n] = token[3];
		w->start[n] = logit_of(token[4]);
		w->end[n] = logit_of(token[5]);
		more = (token[0] & 128) == 0;
	}
	memset(&w->encoding, 0, sizeof(w->encoding));
	w->encoding.length = n;
	w->encoding.ids = w->ids;
	w->encoding.starts = w->starts;
	w->encoding.ends = w->ends;
	w->encoding.words = w->words;
	w->encoding.sequences = w->sequences;
	return n > 0;
}

/* The byte at which a character begins, counted from the start. */
static size_t
place_of(const char *text, size_t length, int32_t character)
{
	size_t		at = 0;

	for (; at < length && character > 0; character--)
	{
		do
			at++;
		while (at < length && mb_utf8_continues(text[at]));
	}
	return at;
}

static bool
same_text(const char *text, size_t length, const mb_answer *a,
		  const mb_answer *b)
{
	size_t		from[2] = {place_of(text, length, a->start),
		place_of(text, length, b->start)};
	size_t		to[2] = {place_of(text, length, a->end),
		place_of(text, length, b->end)};
	bool		equal = false;

	CHECK(mb_lower_equal(text + from[0],
						 to[0] > from[0] ? to[0] - from[0] : 0,
						 text + from[1],
						 to[1] > from[1] ? to[1] - from[1] : 0,
						 NULL, &equal) == MB_OK);
	return equal;
}

static void
check_best(const mb_answer_options *options, const char *text, size_t length,
		   const mb_answer *best, size_t count)
{
	size_t		nones = 0;
	size_t		i;
	size_t		j;

	CHECK(count <= options->top_k);
	for (i = 0; i < count; i++)
	{
		CHECK(best[i].none || best[i].score > 0);
		CHECK(best[i].start >= 0 && best[i].end >= 0);
		CHECK(i == 0 || !(best[i].score > best[i - 1].score));
		nones += best[i].none;
		for (j = 0; j < i && i < 40; j++)
			CHECK(best[i].none || best[j].none ||
				  !same_text(text, length, &best[i], &best[j]));
	}
	CHECK(nones <= (options->no_answer ? 1 : 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mb_answer_options options;
	mb_answers	answers;
	mb_answer  *best;
	mb_arena	arena;
	mb_error	err;
	window		w;
	char	   *text;
	size_t		length = 0;
	size_t		count;

	if (size < 3)
		return 0;
	options.top_k = 1 + (data[0] & 63);
	options.align_to_words = (data[0] & 64) != 0;
	options.no_answer = (data[0] & 128) != 0;
	options.max_tokens = 1 + data[1] % 32;
	options.cls_id = data[2] % 8 == 0 ? -1 : CLS;
	data += 3;
	size -= 3;

	mb_arena_init(&arena, &mb_libc_memory, FUZZ_MEMORY);
	text = mb_arena_alloc(&arena, 4 * size + 1, 1);
	CHECK(text != NULL);
	for (; size > 0 && *data != 0; data++, size--)
		length += mb_utf8_put(text + length,
							  *data < 0x80 ? *data : 0x300 + *data);
	if (size > 0)
	{
		data++;
		size--;
	}
	CHECK(mb_answers_init(&answers, &options, text, length, &arena, NULL,
						  &err) == MB_OK);
	while (read_window(&w, &data, &size))
		CHECK(mb_answers_add(&answers, &w.encoding, w.start, w.end, &arena,
							 NULL, &err) == MB_OK);
	CHECK(mb_answers_best(&answers, &arena, NULL, &best, &count,
						  &err) == MB_OK);
	check_best(&options, text, length, best, count);
	mb_arena_free(&arena);
	return 0;
}
