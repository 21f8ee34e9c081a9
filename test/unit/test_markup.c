/*-------------------------------------------------------------------------
 *
 * test_markup.c
 *	  Which of overlapping spans stand, and texts with spans replaced or
 *	  marked.
 *
 *-------------------------------------------------------------------------
 */
#include "tap.h"
#include "tasks/markup.h"

#include <stdlib.h>
#include <string.h>

static mb_arena arena;
static mb_error err;

/* Spans as "A0-4 B2-9": label, start, end. */
static size_t
read_spans(const char *list, mb_span *spans)
{
	size_t		count = 0;

	while (*list != '\0')
	{
		char	   *end;

		if (*list == ' ')
		{
			list++;
			continue;
		}
		spans[count].label = (uint32_t) (*list++ - 'A');
		spans[count].start = strtoul(list, &end, 10);
		spans[count].end = strtoul(end + 1, &end, 10);
		list = end;
		count++;
	}
	return count;
}

static const char *
write_spans(const mb_span *spans, size_t count)
{
	static char list[1000];
	size_t		length = 0;
	size_t		i;

	list[0] = '\0';
	for (i = 0; i < count; i++)
		length += (size_t) sprintf(list + length, "%s%c%zu-%zu",
								   i > 0 ? " " : "", 'A' + (char) spans[i].label,
								   spans[i].start, spans[i].end);
	return list;
}

/* What stands, exactly, and with all that was in a span. */
static const struct
{
	const char *spans;
	const char *stand;
	const char *cover;
}			choices[] =
{
	{"", "", ""},
	{"A0-4", "A0-4", "A0-4"},
	{"A0-4 B4-9", "A0-4 B4-9", "A0-4 B4-9"},
	{"B4-9 A0-4", "A0-4 B4-9", "A0-4 B4-9"},
	/* one in the other */
	{"A0-9 B2-4", "A0-9", "A0-9"},
	{"B2-4 A0-9", "A0-9", "A0-9"},
	{"A0-9 B0-4", "A0-9", "A0-9"},
	{"A0-9 B5-9", "A0-9", "A0-9"},
	/* equals: the first one */
	{"A0-4 B0-4", "A0-4", "A0-4"},
	{"B0-4 A0-4", "B0-4", "B0-4"},
	/* of one length: the one that starts first */
	{"B2-6 A0-4", "A0-4", "A0-6"},
	{"A0-4 B2-6", "A0-4", "A0-6"},
	/* the longer one, before and after */
	{"A0-4 B2-9", "B2-9", "B0-9"},
	{"A0-7 B5-9", "A0-7", "A0-9"},
	/* chains */
	{"A0-5 B4-8 C7-12", "A0-5 C7-12", "A0-7 C7-12"},
	{"A0-3 B2-9 C8-10", "B2-9", "B0-10"},
	{"A0-4 B3-6 C5-8 D7-12", "A0-4 D7-12", "A0-7 D7-12"},
	{"A0-9 B1-2 C3-4 D8-10", "A0-9", "A0-10"},
	{"A0-2 B1-3 C2-4 D3-5", "A0-2 C2-4", "A0-2 C2-5"},
	{"A0-1 B9-10", "A0-1 B9-10", "A0-1 B9-10"},
};

static void
test_choices(void)
{
	size_t		i;

	for (i = 0; i < sizeof(choices) / sizeof(choices[0]); i++)
	{
		mb_span		spans[16];
		size_t		count = read_spans(choices[i].spans, spans);
		bool		good;

		good = mb_spans_settle(spans, &count, 12, false, &arena, NULL,
							   &err) == MB_OK;
		ok(good && strcmp(write_spans(spans, count), choices[i].stand) == 0,
		   "of %s stand %s", choices[i].spans, write_spans(spans, count));
		count = read_spans(choices[i].spans, spans);
		good = mb_spans_settle(spans, &count, 12, true, &arena, NULL,
							   &err) == MB_OK;
		ok(good && strcmp(write_spans(spans, count), choices[i].cover) == 0,
		   "%s cover %s", write_spans(spans, count), choices[i].spans);
	}
}

/* Texts */

static const char *
mark(const char *text, const char *list, const char *before,
	 const char *after, bool html)
{
	static const mb_label labels[] = {
		{"PER", 3}, {"LOC", 3}, {"PER", 3}, {"<a b=\"c\">", 9}, {"", 0}
	};
	static char out[1000];
	mb_markup_task task;
	mb_markup	result;
	mb_span		spans[16];

	memset(&task, 0, sizeof(task));
	task.text = text;
	task.length = strlen(text);
	task.spans = spans;
	task.count = read_spans(list, spans);
	task.labels = labels;
	task.before.text = before;
	task.before.length = strlen(before);
	task.after.text = after;
	task.after.length = strlen(after);
	task.keep = html;
	task.html = html;
	task.option = "replacement";
	if (mb_markup_begin(&result, &task, &arena, NULL, &err) != MB_OK)
		return err.message;
	memset(out, 'x', sizeof(out));
	if (mb_markup_write(&result, out, NULL, &err) != MB_OK)
		return err.message;
	if (out[result.size] != 'x')
		return "wrote beyond its size";
	out[result.size] = '\0';
	return out;
}

static const struct
{
	const char *text;
	const char *spans;
	const char *template;
	const char *result;
}			replaced[] =
{
	{"Zoe met Ann.", "A0-3 A8-11", "[{}]", "[PER] met [PER]."},
	{"Zoe met Ann.", "A0-3 A8-11", "", " met ."},
	{"Zoe met Ann.", "A0-3 A8-11", "***", "*** met ***."},
	{"Zoe met Ann.", "", "[{}]", "Zoe met Ann."},
	{"", "", "[{}]", ""},
	{"Zoe", "A0-3", "{}{}", "PERPER"},
	{"Zoe", "A0-3", "{{{}}}", "{PER}"},
	{"Zoe", "A0-3", "{{}}", "{}"},
	{"Zoe", "A0-3", "{{#}}", "{#}"},
	{"ZoeAnn", "A0-3 A3-6", "[{} {#}]", "[PER 1][PER 2]"},
	{"Zoe met Ann, Zoe left.", "A0-3 A8-11 A13-16", "[{} {#}]", "[PER 1] met [PER 2], [PER 1] left."},
	{"Zoe met zoe.", "A0-3 A8-11", "[{} {#}]", "[PER 1] met [PER 2]."},
	/* numbers of each label by itself, of labels of one name together */
	{"Zoe in Bern, Ann in Bern", "A0-3 B7-11 C13-16 B20-24", "[{} {#}]", "[PER 1] in [LOC 1], [PER 2] in [LOC 1]"},
	{"Bern met Bern", "A0-4 B9-13", "[{} {#}]", "[PER 1] met [LOC 1]"},
	{"Bern met Bern", "A0-4 C9-13", "[{} {#}]", "[PER 1] met [PER 1]"},
	/* and of all where labels are not shown */
	{"Zoe in Bern, Ann in Bern", "A0-3 B7-11 C13-16 B20-24", "#{#}", "#1 in #2, #3 in #2"},
	{"Bern met Bern", "A0-4 B9-13", "<{#}>", "<1> met <1>"},
	{"a b c d e f g h i j k", "A0-1 A2-3 A4-5 A6-7 A8-9 A10-11 A12-13 A14-15 A16-17 A18-19 A20-21", "{#}", "1 2 3 4 5 6 7 8 9 10 11"},
	{"ab abc ab", "A0-2 A3-6 A7-9", "{#}", "1 2 1"},
	{"x < y & z", "A0-1", "<{}>", "<PER> < y & z"},
	/* bad templates */
	{"Zoe", "A0-3", "{", "replacement cannot be formatted"},
	{"Zoe", "A0-3", "}", "replacement cannot be formatted"},
	{"Zoe", "A0-3", "{0}", "replacement cannot be formatted"},
	{"Zoe", "A0-3", "{#", "replacement cannot be formatted"},
	{"Zoe", "A0-3", "{ }", "replacement cannot be formatted"},
	{"Zoe", "", "{label}", "replacement cannot be formatted"},
	{"Zoe", "A0-3", "{##}", "replacement cannot be formatted"},
	{"Zoe", "A0-3", "{}}", "replacement cannot be formatted"},
};

static void
test_replaced(void)
{
	size_t		i;

	for (i = 0; i < sizeof(replaced) / sizeof(replaced[0]); i++)
	{
		const char *result = mark(replaced[i].text, replaced[i].spans,
								  replaced[i].template, "", false);

		ok(strcmp(result, replaced[i].result) == 0, "\"%s\" of \"%s\": %s",
		   replaced[i].template, replaced[i].text, result);
	}
}

static void
test_html(void)
{
	const char *mark_it = "<mark class=\"{}\">";

	ok(strcmp(mark("Zoe & <Ann>", "A0-3 B7-10", mark_it, "</mark>", true),
			  "<mark class=\"PER\">Zoe</mark> &amp; &lt;<mark class=\"LOC\">Ann</mark>&gt;") == 0,
	   "marks, and the text is escaped");
	ok(strcmp(mark("a<b", "D0-3", mark_it, "</mark>", true),
			  "<mark class=\"&lt;a b=&quot;c&quot;&gt;\">a&lt;b</mark>") == 0,
	   "a label is escaped, too");
	ok(strcmp(mark("\"it's\"", "", mark_it, "</mark>", true),
			  "&quot;it&#39;s&quot;") == 0, "quotes");
	ok(strcmp(mark("Zoe", "E0-3", "<b>", "</b>{}", true), "<b>Zoe</b>") == 0,
	   "a label without a name");
	ok(strcmp(mark("Zoe Ann Zoe", "A0-3 A4-7 A8-11", "<i id=\"{}-{#}\">",
				   "</i>", true),
			  "<i id=\"PER-1\">Zoe</i> <i id=\"PER-2\">Ann</i> <i id=\"PER-1\">Zoe</i>") == 0,
	   "numbers");
}

/* Many spans: chosen and numbered in less than quadratic time, with polls. */
#define MANY 300000

static int	polls;
static int	polls_allowed;

static bool
poll(void *context)
{
	(void) context;
	return ++polls > polls_allowed;
}

static void
test_many(void)
{
	const mb_cancel cancel = {poll, NULL};
	static const mb_label label = {"X", 1};
	mb_span    *spans = malloc(MANY * sizeof(mb_span));
	char	   *text = malloc(2 * MANY);
	size_t		count;
	mb_markup_task task;
	mb_markup	result;
	mb_status	status;
	size_t		i;

	if (spans == NULL || text == NULL)
		abort();

	/* each one longer than the one before, and all end in one place */
	for (i = 0; i < MANY; i++)
	{
		spans[i].start = MANY - i - 1;
		spans[i].end = MANY;
		spans[i].label = 0;
	}
	polls_allowed = 1 << 30;
	count = MANY;
	status = mb_spans_settle(spans, &count, MANY, true, &arena, &cancel, &err);
	ok(status == MB_OK && count == 1 && spans[0].start == 0 && polls > 50,
	   "%d spans in each other, %d polls", MANY, polls);

	memset(text, 'x', 2 * MANY);
	for (i = 0; i < MANY; i++)
	{
		spans[i].start = 2 * i;
		spans[i].end = 2 * i + 1;
		text[2 * i] = (char) ('a' + i % 26);
	}
	memset(&task, 0, sizeof(task));
	task.text = text;
	task.length = 2 * MANY;
	task.spans = spans;
	task.count = MANY;
	task.labels = &label;
	task.before.text = "{}{#}";
	task.before.length = 5;
	task.after.text = "";
	task.option = "replacement";
	polls = 0;
	ok(mb_markup_begin(&result, &task, &arena, &cancel, &err) == MB_OK &&
	   result.numbers[25] == 26 && result.numbers[MANY - 1] ==
	   (MANY - 1) % 26 + 1 && polls > 50, "%d spans with numbers, %d polls",
	   MANY, polls);
	polls_allowed = polls / 2;
	polls = 0;
	ok(mb_markup_begin(&result, &task, &arena, &cancel,
					   &err) == MB_ERR_CANCELLED, "and a cancel is heard");
	polls = 0;
	polls_allowed = 5;
	count = MANY;
	ok(mb_spans_settle(spans, &count, 2 * MANY, true, &arena, &cancel,
					   &err) == MB_ERR_CANCELLED, "among many spans as well");
	free(spans);
	free(text);
}

int
main(void)
{
	mb_arena_init(&arena, &mb_libc_memory, SIZE_MAX);
	test_choices();
	test_replaced();
	test_html();
	test_many();
	mb_arena_free(&arena);
	return done_testing();
}
