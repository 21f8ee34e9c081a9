/*-------------------------------------------------------------------------
 *
 * test_answers.c
 *	  Answers of windows against the definition, worked out the long way; and
 *	  the cases that are easy to get wrong.
 *
 * The definition (spec pipelines.md 5.2 to 5.4) is followed here with a matrix
 * of all spans, a sort, and comparing every answer's text with every other's.
 *
 *-------------------------------------------------------------------------
 */
#include "tap.h"
#include "tasks/answers.h"
#include "tasks/scores.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Tokens of a test's window, and windows of a test, at most. */
#define TOKENS 24
#define WINDOWS 4

#define CLS 101

static mb_arena arena;
static mb_error err;
static uint32_t seed = 20251;

static uint32_t
random_number(void)
{
	seed = seed * 1664525u + 1013904223u;
	return seed >> 16;
}

/* A window with its arrays, and its logits. */
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

static void
window_init(window *w, size_t length)
{
	memset(&w->encoding, 0, sizeof(w->encoding));
	w->encoding.length = length;
	w->encoding.ids = w->ids;
	w->encoding.starts = w->starts;
	w->encoding.ends = w->ends;
	w->encoding.words = w->words;
	w->encoding.sequences = w->sequences;
}

static void
put_token(window *w, size_t i, int32_t id, int sequence, int32_t word,
		  int32_t start, int32_t end)
{
	w->ids[i] = id;
	w->sequences[i] = (int8_t) sequence;
	w->words[i] = word;
	w->starts[i] = start;
	w->ends[i] = end;
}

/*
 * [CLS] question [SEP] context [SEP] over the context's characters, which are
 * cut in pieces of 1 to 3 and words of 1 to 3 pieces; now and then a [CLS]
 * is typed in the question.
 */
static void
random_window(window *w, size_t characters)
{
	size_t		question = 1 + random_number() % 3;
	size_t		length = question + 4 + random_number() % (TOKENS - 7);
	int32_t		at = (int32_t) (random_number() % 5);
	int32_t		word = (int32_t) (random_number() % 3);
	size_t		i;

	window_init(w, length);
	for (i = 0; i < length; i++)
	{
		int32_t		next = at + 1 + (int32_t) (random_number() % 3);

		if (i == 0 || i == question + 1 || i + 1 == length)
			put_token(w, i, i == 0 ? CLS : 102, -1, -1, 0, 0);
		else if (i <= question)
			put_token(w, i, random_number() % 8 == 0 ? CLS : 7, 0,
					  (int32_t) i - 1, (int32_t) i, (int32_t) i + 1);
		else
		{
			if (next > (int32_t) characters)
				next = (int32_t) characters;
			if (at > next)
				at = next;
			put_token(w, i, 8, 1, word, at, next);
			at = next + (int32_t) (random_number() % 2);
			word += random_number() % 2;
		}
		w->start[i] = (float) (random_number() % 9) / 2;
		w->end[i] = (float) (random_number() % 9) / 2;
	}
}

/*
 * The definition
 */

typedef struct span
{
	float		score;
	size_t		i;
	size_t		j;
} span;

typedef struct expected
{
	mb_answer	answers[TOKENS * TOKENS * WINDOWS];
	size_t		count;
	double		none;
} expected;

static int
span_order(const void *a, const void *b)
{
	const span *x = a;
	const span *y = b;

	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	if (x->i != y->i)
		return x->i < y->i ? -1 : 1;
	return x->j < y->j ? -1 : x->j > y->j;
}

/* context[start:end] of a text whose characters are bytes */
static void
python_slice(const char *text, int32_t start, int32_t end, char *out)
{
	int32_t		length = (int32_t) strlen(text);

	end = end < length ? end : length;
	while (start < end)
		*out++ = text[start++];
	*out = '\0';
}

static bool
same_but_case(const char *text, const mb_answer *a, const mb_answer *b)
{
	char		x[256];
	char		y[256];
	size_t		i;

	python_slice(text, a->start, a->end, x);
	python_slice(text, b->start, b->end, y);
	for (i = 0; tolower(x[i]) == tolower(y[i]); i++)
		if (x[i] == '\0')
			return true;
	return false;
}

/* The first or last token of the context with this word; -1: none. */
static ptrdiff_t
token_of_word(const window *w, int32_t word, bool last)
{
	ptrdiff_t	found = -1;
	size_t		i;

	for (i = 0; word >= 0 && i < w->encoding.length; i++)
		if (w->sequences[i] == 1 && w->words[i] == word && (last || found < 0))
			found = (ptrdiff_t) i;
	return found;
}

static void
expect_window(const mb_answer_options *options, const char *text, window w,
			  expected *e)
{
	size_t		length = w.encoding.length;
	size_t		wanted = options->align_to_words ?
		2 * options->top_k + 10 : options->top_k;
	span		spans[TOKENS * TOKENS];
	bool		allowed[TOKENS];
	size_t		count = 0;
	size_t		i;
	size_t		j;

	for (i = 0; i < length; i++)
	{
		allowed[i] = w.sequences[i] == 1 || w.ids[i] == CLS;
		w.start[i] = allowed[i] ? w.start[i] : -10000;
		w.end[i] = allowed[i] ? w.end[i] : -10000;
	}
	mb_softmax(w.start, length, w.start);
	mb_softmax(w.end, length, w.end);
	e->none = fmin(e->none, w.start[0] * w.end[0]);
	w.start[0] = w.end[0] = 0;
	for (i = 0; i < length; i++)
		for (j = i; j < length && j - i < options->max_tokens; j++)
		{
			span		s = {w.start[i] * w.end[j], i, j};

			spans[count++] = s;
		}
	qsort(spans, count, sizeof(span), span_order);
	for (i = 0; i < count && i < wanted; i++)
	{
		const span *s = &spans[i];
		ptrdiff_t	first = token_of_word(&w, w.words[s->i], false);
		ptrdiff_t	last = token_of_word(&w, w.words[s->j], true);
		mb_answer	answer = {s->score, w.starts[s->i], w.ends[s->j], false};

		if (s->score == 0 || !allowed[s->i] || !allowed[s->j])
			continue;
		if (options->align_to_words && first >= 0 && last >= 0)
		{
			answer.start = w.starts[first];
			answer.end = w.ends[last];
		}
		for (j = 0; j < e->count; j++)
			if (same_but_case(text, &e->answers[j], &answer))
				break;
		if (j < e->count)
			e->answers[j].score += s->score;
		else
			e->answers[e->count++] = answer;
	}
}

static void
expect_best(const mb_answer_options *options, expected *e)
{
	size_t		i;
	size_t		j;

	if (options->no_answer)
	{
		mb_answer	none = {e->none, 0, 0, true};

		e->answers[e->count++] = none;
	}
	for (i = 1; i < e->count; i++)
	{
		mb_answer	moved = e->answers[i];

		for (j = i; j > 0 && e->answers[j - 1].score < moved.score; j--)
			e->answers[j] = e->answers[j - 1];
		e->answers[j] = moved;
	}
	if (e->count > options->top_k)
		e->count = options->top_k;
}

/* Take copies of the windows, as mb_answers_add writes to the logits. */
static bool
as_expected(const mb_answer_options *options, const char *text,
			const window *windows, size_t count)
{
	static expected e;
	mb_answers	answers;
	mb_answer  *best;
	size_t		found;
	size_t		i;
	bool		right;

	e.count = 0;
	e.none = 1000000;
	right = mb_answers_init(&answers, options, text, strlen(text), &arena,
							NULL, &err) == MB_OK;
	for (i = 0; i < count; i++)
	{
		window		w = windows[i];

		expect_window(options, text, w, &e);
		window_init(&w, w.encoding.length);
		right = right && mb_answers_add(&answers, &w.encoding, w.start, w.end,
										&arena, NULL, &err) == MB_OK;
	}
	expect_best(options, &e);
	right = right && mb_answers_best(&answers, &arena, NULL, &best, &found,
									 &err) == MB_OK && found == e.count;
	for (i = 0; right && i < found; i++)
		right = best[i].score == e.answers[i].score &&
			best[i].start == e.answers[i].start &&
			best[i].end == e.answers[i].end &&
			best[i].none == e.answers[i].none;
	return right;
}

static void
test_definition(void)
{
	static const char letters[] = "aAbB c";
	size_t		failed = 0;
	int			round;

	for (round = 0; round < 3000; round++)
	{
		mb_answer_options options;
		window		windows[WINDOWS];
		char		text[61];
		size_t		characters = 1 + random_number() % 60;
		size_t		count = 1 + random_number() % WINDOWS;
		size_t		i;

		for (i = 0; i < characters; i++)
			text[i] = letters[random_number() % 6];
		text[characters] = '\0';
		options.top_k = 1 + random_number() % 9;
		options.max_tokens = 1 + random_number() % 8;
		options.cls_id = CLS;
		options.align_to_words = random_number() % 3 > 0;
		options.no_answer = random_number() % 2;
		for (i = 0; i < count; i++)
			random_window(&windows[i], characters);
		failed += !as_expected(&options, text, windows, count);
		mb_arena_free(&arena);
	}
	ok(failed == 0, "3,000 contexts of 1 to 4 windows are as defined (%zu not)",
	   failed);
}

/*
 * Single cases
 */

/* Best of a window over the pieces of a context, one word each. */
static mb_answer *
answers_of(const mb_answer_options *options, const char *text,
		   const int32_t *ends, const float *start, const float *end,
		   size_t pieces, size_t *count)
{
	static mb_answers answers;
	mb_answer  *best = NULL;
	window		w;
	size_t		i;

	window_init(&w, pieces + 4);
	memset(w.start, 0, sizeof(w.start));
	memset(w.end, 0, sizeof(w.end));
	put_token(&w, 0, CLS, -1, -1, 0, 0);
	put_token(&w, 1, 7, 0, 0, 0, 1);
	put_token(&w, 2, 102, -1, -1, 0, 0);
	for (i = 0; i < pieces; i++)
	{
		put_token(&w, i + 3, 8, 1, (int32_t) i, i == 0 ? 0 : ends[i - 1],
				  ends[i]);
		w.start[i + 3] = start[i];
		w.end[i + 3] = end[i];
	}
	put_token(&w, pieces + 3, 102, -1, -1, 0, 0);
	*count = 0;
	if (mb_answers_init(&answers, options, text, strlen(text), &arena, NULL,
						&err) == MB_OK &&
		mb_answers_add(&answers, &w.encoding, w.start, w.end, &arena, NULL,
					   &err) == MB_OK)
		mb_answers_best(&answers, &arena, NULL, &best, count, &err);
	return best;
}

static void
test_cases(void)
{
	/* "ÉTÉ été", two pieces */
	static const char summer[] = "\xC3\x89T\xC3\x89\xC3\xA9t\xC3\xA9";
	static const int32_t ends[] = {3, 6, 6};
	static const float even[] = {5, 5, 5};
	static const float nan[] = {NAN, NAN, NAN};
	static const float low[] = {-3e38f, -3e38f, -3e38f};
	mb_answer_options options = {5, 1, CLS, true, false};
	mb_answer  *best;
	size_t		count;

	best = answers_of(&options, summer, ends, even, even, 2, &count);
	ok(count == 1 && best[0].start == 0 && best[0].end == 3 &&
	   best[0].score > 0.48 && best[0].score < 0.5,
	   "equal but for case: one answer, at the first position, with the sum");
	best = answers_of(&options, summer, ends, even, even, 3, &count);
	ok(count == 2 && best[1].start == 6 && best[1].end == 6,
	   "a piece without characters is an answer of its own");
	answers_of(&options, summer, ends, nan, even, 3, &count);
	ok(count == 0, "NaN logits give no answer");
	answers_of(&options, summer, ends, low, even, 3, &count);
	ok(count == 0, "nor do start logits far below those of [CLS]");

	options.no_answer = true;
	best = answers_of(&options, summer, ends, low, even, 3, &count);
	ok(count == 1 && best[0].none && best[0].score > 0 && best[0].score < 1,
	   "but then \"no answer\" is ranked");
	options.top_k = SIZE_MAX;
	options.max_tokens = SIZE_MAX;
	best = answers_of(&options, summer, ends, even, even, 3, &count);
	ok(count == 4, "as many as there are, of any length");
	mb_arena_free(&arena);
}

static bool
always(void *context)
{
	(void) context;
	return true;
}

static void
test_failure(void)
{
	static const mb_cancel cancel = {always, NULL};
	static const mb_answer_options options = {1, 15, CLS, true, false};
	mb_answers	answers;
	mb_arena	tight;
	window		w;

	random_window(&w, 40);
	ok(mb_answers_init(&answers, &options, "text", 4, &arena, &cancel,
					   &err) == MB_ERR_CANCELLED, "a cancel stops the start");
	mb_arena_init(&tight, &mb_libc_memory, 100);
	ok(mb_answers_init(&answers, &options, "text", 4, &tight, NULL,
					   &err) == MB_OK &&
	   mb_answers_add(&answers, &w.encoding, w.start, w.end, &arena, NULL,
					  &err) == MB_ERR_MEMORY &&
	   err.message[0] != '\0', "no memory for answers");
	mb_arena_free(&tight);
	mb_arena_free(&arena);
}

/* Many answers, all over a text with characters of 1 to 4 bytes. */
static void
test_many(void)
{
	static const char *const characters[] = {
		"a", "\xC3\xA9", "\xE4\xB8\xAD", "\xF0\x9F\x98\x80"
	};
	static const mb_cancel cancel = {always, NULL};
	static char text[4 * 70000 + 1];
	mb_answer_options options = {100000, 1, CLS, false, false};
	mb_answers	answers;
	mb_answer  *best;
	size_t		count = 0;
	size_t		length = 0;
	size_t		i;
	bool		right = true;

	for (i = 0; i < 70000; i++)
	{
		const char *c = characters[random_number() % 4];

		memcpy(text + length, c, strlen(c));
		length += strlen(c);
	}
	right = mb_answers_init(&answers, &options, text, length, &arena, NULL,
							&err) == MB_OK;
	for (i = 0; i + 20 <= 70000; i++)
	{
		window		w;

		window_init(&w, 2);
		put_token(&w, 0, CLS, -1, -1, 0, 0);
		put_token(&w, 1, 8, 1, 0, (int32_t) i, (int32_t) i + 20);
		w.start[0] = w.start[1] = w.end[0] = w.end[1] = 0;
		right = right && mb_answers_add(&answers, &w.encoding, w.start, w.end,
										&arena, NULL, &err) == MB_OK;
	}
	ok(right && mb_answers_best(&answers, &arena, &cancel, &best, &count,
								&err) == MB_ERR_CANCELLED,
	   "a cancel stops the sort of many answers");
	right = right && mb_answers_best(&answers, &arena, NULL, &best, &count,
									 &err) == MB_OK;
	ok(right && count == 69981, "%zu answers of 20 characters, all different",
	   count);
	for (i = 0; right && i < count; i++)
		right = best[i].score == 0.25 && best[i].start == (int32_t) i &&
			best[i].end == (int32_t) i + 20;
	ok(right, "in the order in which they came");
	mb_arena_free(&arena);
}

int
main(void)
{
	mb_arena_init(&arena, &mb_libc_memory, SIZE_MAX);
	test_definition();
	test_cases();
	test_many();
	test_failure();
	return done_testing();
}
