/*-------------------------------------------------------------------------
 *
 * fuzz_markup.c
 *	  Any spans of any text: which stand, and the text with them replaced or
 *	  marked.
 *
 * Choices make up spans, labels, templates and the text (choices.h).  What
 * stands is compared with the definition, the longest first, done the slow way.
 *
 *-------------------------------------------------------------------------
 */
#include "choices.h"
#include "fuzz.h"
#include "tasks/markup.h"

#define SIZE 200
#define SPANS 24
#define LABELS 4

static bool
overlaps(const mb_span *a, const mb_span *b)
{
	return a->start < b->end && b->start < a->end;
}

/* Does a come before b when the longest are taken first? */
static bool
goes_first(const mb_span *a, const mb_span *b)
{
	size_t		x = a->end - a->start;
	size_t		y = b->end - b->start;

	/* of equals the first in the array */
	return x > y || (x == y && (a->start < b->start ||
								(a->start == b->start && a < b)));
}

/* stands [count], by the definition */
static void
choose_slowly(const mb_span *spans, size_t count, bool *stands)
{
	bool		seen[SPANS] = {false};
	size_t		n;

	for (n = 0; n < count; n++)
	{
		size_t		best = count;
		size_t		i;

		for (i = 0; i < count; i++)
		{
			if (!seen[i] && (best == count ||
							 goes_first(&spans[i], &spans[best])))
				best = i;
		}
		seen[best] = true;
		stands[best] = true;
		for (i = 0; i < count; i++)
		{
			if (i != best && stands[i] && overlaps(&spans[i], &spans[best]))
				stands[best] = false;
		}
	}
}

/* How many spans of a list hold a place */
static size_t
holders(const mb_span *spans, size_t count, size_t at)
{
	size_t		n = 0;
	size_t		i;

	for (i = 0; i < count; i++)
		n += spans[i].start <= at && at < spans[i].end;
	return n;
}

static void
check_choice(const mb_span *spans, size_t count, mb_arena *arena)
{
	mb_span		exact[SPANS];
	mb_span		cover[SPANS];
	bool		stands[SPANS] = {false};
	size_t		exact_count = count;
	size_t		cover_count = count;
	mb_error	err;
	size_t		i;
	size_t		j;

	memcpy(exact, spans, count * sizeof(mb_span));
	memcpy(cover, spans, count * sizeof(mb_span));
	choose_slowly(spans, count, stands);
	CHECK(mb_spans_settle(exact, &exact_count, SIZE, false, arena, NULL,
						  &err) == MB_OK);
	CHECK(mb_spans_settle(cover, &cover_count, SIZE, true, arena, NULL,
						  &err) == MB_OK);
	CHECK(exact_count == cover_count);
	for (i = 0, j = 0; i < count; i++)
		j += stands[i];
	CHECK(j == exact_count);
	for (i = 0; i < exact_count; i++)
	{
		CHECK(i == 0 || exact[i].start >= exact[i - 1].end);
		CHECK(cover[i].label == exact[i].label);
		CHECK(cover[i].start <= exact[i].start && cover[i].end >= exact[i].end);
		for (j = 0; j < count; j++)
		{
			if (stands[j] && spans[j].start == exact[i].start &&
				spans[j].end == exact[i].end &&
				spans[j].label == exact[i].label)
				break;
		}
		CHECK(j < count);
	}
	for (i = 0; i < SIZE; i++)
	{
		CHECK(holders(exact, exact_count, i) <= 1);
		CHECK(holders(cover, cover_count, i) ==
			  (holders(spans, count, i) > 0 ? 1 : 0));
	}
}

/* A template of fields, braces and other characters, sometimes a bad one */
static mb_label
make_template(choices *c, char *out)
{
	static const char *const parts[] = {
		"{}", "{#}", "{{", "}}", "<", "&", "x", "", "", "{", "}"
	};
	mb_label	template;
	uint32_t	n = choose(c, 6);
	uint32_t	bad = choose(c, 8) == 0 ? 11 : 9;

	template.text = out;
	template.length = 0;
	for (; n > 0; n--)
	{
		const char *part = parts[choose(c, bad)];

		memcpy(out + template.length, part, strlen(part));
		template.length += strlen(part);
	}
	return template;
}

static void
check_text(choices *c, mb_span *spans, size_t count, mb_arena *arena)
{
	static const mb_label labels[LABELS] = {
		{"PER", 3}, {"<&\"'>", 5}, {"", 0}, {"PER", 3}
	};
	char		text[SIZE];
	char		before[16];
	char		after[16];
	mb_markup_task task;
	mb_markup	result;
	mb_error	err;
	mb_status	status;
	char	   *out;
	size_t		i;

	for (i = 0; i < SIZE; i++)
		text[i] = "ab<&\"'> {}"[choose(c, 10)];
	memset(&task, 0, sizeof(task));
	task.text = text;
	task.length = SIZE;
	task.spans = spans;
	task.count = count;
	CHECK(mb_spans_settle(spans, &task.count, SIZE, choose(c, 2) == 0, arena,
						  NULL, &err) == MB_OK);
	task.labels = labels;
	task.before = make_template(c, before);
	task.after = make_template(c, after);
	task.keep = choose(c, 2) == 0;
	task.html = choose(c, 2) == 0;
	task.option = "replacement";
	status = mb_markup_begin(&result, &task, arena, NULL, &err);
	if (status != MB_OK)
	{
		CHECK(status == MB_ERR_ARGUMENT);
		CHECK_ERROR(status, err);
		return;
	}
	out = malloc(result.size > 0 ? result.size : 1);	/* not a byte more */
	CHECK(out != NULL);
	CHECK(mb_markup_write(&result, out, NULL, &err) == MB_OK);
	if (task.html)
	{
		/* a quote comes from no template, so none is there */
		for (i = 0; i < result.size; i++)
			CHECK(out[i] != '"' && out[i] != '\'' && out[i] != '>');
	}
	if (task.count == 0 && !task.html)
		CHECK(result.size == SIZE && memcmp(out, text, SIZE) == 0);
	free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	choices		c;
	mb_arena	arena;
	mb_span		spans[SPANS];
	size_t		count;
	size_t		i;

	start_choices(&c, data, size);
	mb_arena_init(&arena, &mb_libc_memory, FUZZ_MEMORY);
	count = choose(&c, SPANS + 1);
	for (i = 0; i < count; i++)
	{
		spans[i].start = choose(&c, SIZE);
		spans[i].end = spans[i].start + choose_size(&c, SIZE);
		if (spans[i].end > SIZE)
			spans[i].end = SIZE;
		spans[i].label = choose(&c, LABELS);
	}
	check_choice(spans, count, &arena);
	check_text(&c, spans, count, &arena);
	mb_arena_free(&arena);
	return 0;
}
