/*-------------------------------------------------------------------------
 *
 * markup.c
 *	  A text whose spans are replaced or marked.
 *
 * The text is made twice by the same code, the first time only to count its
 * bytes.
 *
 * Depends on libc only.
 *
 *-------------------------------------------------------------------------
 */
#include "tasks/markup.h"

#include <string.h>

#define WORK "writing of a text"

/* Bytes between two polls of cancel. */
#define POLL_BYTES ((size_t) 1024 * 1024)

/* What a span counts for beside them. */
#define SPAN_BYTES 16

/* So that no loop over one lasts. */
#define TEMPLATE_MAX ((size_t) 1024 * 1024)

/*
 * Templates
 */

typedef enum element
{
	ELEMENT_TEXT,				/* one byte of the template */
	ELEMENT_LABEL,				/* {} */
	ELEMENT_NUMBER,				/* {#} */
	ELEMENT_INVALID
} element;

/* The element of a template that starts at "at", and its length. */
static element
next_element(mb_label template, size_t at, size_t *taken)
{
	char		c = template.text[at];
	char		next = at + 1 < template.length ? template.text[at + 1] : '\0';

	*taken = 1;
	if (c != '{' && c != '}')
		return ELEMENT_TEXT;
	*taken = 2;
	if (next == c)
		return ELEMENT_TEXT;		/* {{ or }} */
	if (c == '{' && next == '}')
		return ELEMENT_LABEL;
	*taken = 3;
	if (c == '{' && next == '#' && at + 2 < template.length &&
		template.text[at + 2] == '}')
		return ELEMENT_NUMBER;
	return ELEMENT_INVALID;
}

mb_status
mb_markup_check(mb_label template, const char *option, mb_error *err)
{
	size_t		at;
	size_t		taken;

	if (template.length > TEMPLATE_MAX)
		return mb_fail(err, MB_ERR_LIMIT, "%s is longer than %zu bytes",
					   option, TEMPLATE_MAX);
	for (at = 0; at < template.length; at += taken)
	{
		if (next_element(template, at, &taken) != ELEMENT_INVALID)
			continue;
		mb_fail(err, MB_ERR_ARGUMENT, "%s cannot be formatted", option);
		mb_detail(err, "A brace is neither doubled nor part of a field {} or {#}.");
		mb_hint(err, "Write {} where the label goes, {#} for its number, and {{ or }} for a brace.");
		return MB_ERR_ARGUMENT;
	}
	return MB_OK;
}

static bool
has_element(mb_label template, element wanted)
{
	size_t		at;
	size_t		taken;

	for (at = 0; at < template.length; at += taken)
	{
		if (next_element(template, at, &taken) == wanted)
			return true;
	}
	return false;
}

/*
 * Numbers
 */

/* What tells spans apart that have numbers */
typedef struct naming
{
	const mb_markup_task *task;
	bool		by_label;
} naming;

static int
compare_text(const char *a, size_t a_length, const char *b, size_t b_length,
			 size_t *work)
{
	size_t		length = a_length < b_length ? a_length : b_length;
	int			order = length == 0 ? 0 : memcmp(a, b, length);

	*work += length / 64;
	if (order != 0)
		return order;
	return a_length < b_length ? -1 : a_length > b_length;
}

static int
compare_labels(const naming *names, uint32_t a, uint32_t b, size_t *work)
{
	const mb_label *x = &names->task->labels[names->task->spans[a].label];
	const mb_label *y = &names->task->labels[names->task->spans[b].label];

	return x == y ? 0 : compare_text(x->text, x->length, y->text, y->length,
									 work);
}

static int
compare_names(const void *context, uint32_t a, uint32_t b, size_t *work)
{
	const naming *names = context;
	const mb_markup_task *task = names->task;
	const mb_span *x = &task->spans[a];
	const mb_span *y = &task->spans[b];
	int			order = names->by_label ?
		compare_labels(names, a, b, work) : 0;

	return order != 0 ? order :
		compare_text(task->text + x->start, x->end - x->start,
					 task->text + y->start, y->end - y->start, work);
}

/*
 * numbers [count].  Sorting brings equals together, the first of them first;
 * then, in the order of the text, each first one gets the next number of its
 * label, and the others get its.
 */
static mb_status
number_spans(const naming *names, uint32_t *numbers, mb_arena *arena,
			 const mb_cancel *cancel, mb_error *err)
{
	size_t		count = names->task->count;
	uint32_t   *order = mb_arena_alloc(arena, count, sizeof(uint32_t));
	uint32_t   *first = mb_arena_alloc(arena, count, sizeof(uint32_t));
	uint32_t   *group = mb_arena_zero(arena, count, sizeof(uint32_t));
	uint32_t   *last = mb_arena_zero(arena, count + 1, sizeof(uint32_t));
	size_t		work = 0;
	uint32_t	groups = 0;
	mb_status	status;
	size_t		i;

	if (order == NULL || first == NULL || group == NULL || last == NULL)
		return mb_fail_memory(err);
	for (i = 0; i < count; i++)
		order[i] = (uint32_t) i;
	status = mb_sort_numbers(order, count, compare_names, names, arena, cancel,
							 err);
	for (i = 0; i < count && status == MB_OK; i++)
	{
		bool		same = i > 0 &&
			compare_names(names, order[i - 1], order[i], &work) == 0;

		first[order[i]] = same ? first[order[i - 1]] : order[i];
		if (names->by_label && i > 0 &&
			compare_labels(names, order[i - 1], order[i], &work) != 0)
			groups++;
		group[order[i]] = groups;
		if (++work >= POLL_BYTES / 16)
		{
			work = 0;
			status = mb_poll_cancel(cancel, WORK, err);
		}
	}
	for (i = 0; i < count && status == MB_OK; i++)
	{
		numbers[i] = first[i] == i ? ++last[group[i]] : numbers[first[i]];
		if ((i + 1) % POLL_BYTES == 0)
			status = mb_poll_cancel(cancel, WORK, err);
	}
	return status;
}

/*
 * Writing
 */

typedef struct writer
{
	char	   *out;			/* NULL: count only */
	size_t		size;
	size_t		poll;			/* bytes since the last one */
	bool		html;
	const mb_cancel *cancel;
	mb_error   *err;
} writer;

static mb_status
poll(writer *w)
{
	if (w->poll < POLL_BYTES)
		return MB_OK;
	w->poll = 0;
	return mb_poll_cancel(w->cancel, WORK, w->err);
}

static mb_status
put(writer *w, const char *bytes, size_t length)
{
	mb_status	status = MB_OK;
	size_t		done;
	size_t		part;

	for (done = 0; done < length && status == MB_OK; done += part)
	{
		part = length - done < POLL_BYTES ? length - done : POLL_BYTES;
		if (w->out != NULL)
			memcpy(w->out + w->size, bytes + done, part);
		if (!mb_size_add(w->size, part, &w->size))
			return mb_fail(w->err, MB_ERR_LIMIT, "text would be too long");
		w->poll += part;
		status = poll(w);
	}
	return status;
}

static const char *
html_of(char c)
{
	switch (c)
	{
		case '&':
			return "&amp;";
		case '<':
			return "&lt;";
		case '>':
			return "&gt;";
		case '"':
			return "&quot;";
		case '\'':
			return "&#39;";
		default:
			return NULL;
	}
}

/* A stretch of text, escaped where that is asked for. */
static mb_status
put_text(writer *w, const char *text, size_t length)
{
	mb_status	status = MB_OK;
	size_t		done = 0;
	size_t		at;

	if (!w->html)
		return put(w, text, length);
	for (at = 0; at < length && status == MB_OK; at++)
	{
		const char *escaped = html_of(text[at]);

		if (escaped == NULL && at - done < POLL_BYTES)
			continue;
		status = put(w, text + done, at - done);
		done = escaped == NULL ? at : at + 1;
		if (escaped != NULL && status == MB_OK)
			status = put(w, escaped, strlen(escaped));
	}
	return status == MB_OK ? put(w, text + done, length - done) : status;
}

static mb_status
put_number(writer *w, uint32_t number)
{
	char		digits[10];
	size_t		at = sizeof(digits);

	do
	{
		digits[--at] = (char) ('0' + number % 10);
		number /= 10;
	} while (number > 0);
	return put(w, digits + at, sizeof(digits) - at);
}

static mb_status
put_template(writer *w, const mb_markup *markup, mb_label template,
			 size_t span)
{
	const mb_label *label =
		&markup->task.labels[markup->task.spans[span].label];
	mb_status	status = MB_OK;
	size_t		at;
	size_t		taken;

	for (at = 0; at < template.length && status == MB_OK; at += taken)
	{
		switch (next_element(template, at, &taken))
		{
			case ELEMENT_LABEL:
				status = put_text(w, label->text, label->length);
				break;
			case ELEMENT_NUMBER:
				status = put_number(w, markup->numbers[span]);
				break;
			case ELEMENT_TEXT:
			case ELEMENT_INVALID:
				status = put(w, template.text + at, 1);
				break;
		}
	}
	return status;
}

static mb_status
write_all(writer *w, const mb_markup *markup)
{
	const mb_markup_task *task = &markup->task;
	mb_status	status = MB_OK;
	size_t		done = 0;
	size_t		i;

	w->html = task->html;
	for (i = 0; i < task->count && status == MB_OK; i++)
	{
		const mb_span *span = &task->spans[i];

		MB_ASSERT(done <= span->start && span->start < span->end &&
				  span->end <= task->length);
		status = put_text(w, task->text + done, span->start - done);
		if (status == MB_OK)
			status = put_template(w, markup, task->before, i);
		if (status == MB_OK && task->keep)
			status = put_text(w, task->text + span->start,
							  span->end - span->start);
		if (status == MB_OK)
			status = put_template(w, markup, task->after, i);
		done = span->end;
		w->poll += SPAN_BYTES;
		if (status == MB_OK)
			status = poll(w);
	}
	return status == MB_OK ?
		put_text(w, task->text + done, task->length - done) : status;
}

mb_status
mb_markup_begin(mb_markup *markup, const mb_markup_task *task,
				mb_arena *arena, const mb_cancel *cancel, mb_error *err)
{
	writer		w = {NULL, 0, 0, false, cancel, err};
	mb_status	status = mb_markup_check(task->before, task->option, err);

	memset(markup, 0, sizeof(*markup));
	markup->task = *task;
	if (status == MB_OK)
		status = mb_markup_check(task->after, task->option, err);
	if (status != MB_OK)
		return status;
	if (has_element(task->before, ELEMENT_NUMBER) ||
		has_element(task->after, ELEMENT_NUMBER))
	{
		naming		names;

		names.task = &markup->task;
		names.by_label = has_element(task->before, ELEMENT_LABEL) ||
			has_element(task->after, ELEMENT_LABEL);
		markup->numbers = mb_arena_alloc(arena, task->count, sizeof(uint32_t));
		if (markup->numbers == NULL)
			return mb_fail_memory(err);
		status = number_spans(&names, markup->numbers, arena, cancel, err);
		if (status != MB_OK)
			return status;
	}
	status = write_all(&w, markup);
	markup->size = w.size;
	return status;
}

mb_status
mb_markup_write(const mb_markup *markup, char *out, const mb_cancel *cancel,
				mb_error *err)
{
	writer		w = {out, 0, 0, false, cancel, err};

	return write_all(&w, markup);
}
