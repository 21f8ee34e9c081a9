/*-------------------------------------------------------------------------
 *
 * markup.h
 *	  A text whose spans are replaced (redact) or marked (highlight).
 *
 *	  mb_markup_begin(&markup, &task ...)	checks, and gives the size
 *	  mb_markup_write(&markup, out ...)
 *
 * Texts may be of any encoding in which an ASCII byte is an ASCII character.
 *
 * Depends on base/arena.h, base/status.h, model/labels.h, tasks/spans.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_MARKUP_H
#define MB_MARKUP_H

#include "base/arena.h"
#include "base/status.h"
#include "model/labels.h"
#include "tasks/spans.h"

/*
 * Before and after each span stands a template: {} in it is the span's label,
 * {#} a number that equal texts share, counted from 1 in the order of the text,
 * for each label by itself where the template says which it is; {{ and }} are
 * braces.
 */
typedef struct mb_markup_task
{
	const char *text;			/* [length] */
	size_t		length;
	const mb_span *spans;		/* [count]: bytes of it, in order, apart from
								 * each other, none empty */
	size_t		count;
	const mb_label *labels;		/* by a span's label; equal names are one */
	mb_label	before;
	mb_label	after;
	bool		keep;			/* the span's own text, between the two */
	bool		html;			/* text and labels escaped for HTML */
	const char *option;			/* what messages call a template */
} mb_markup_task;

typedef struct mb_markup
{
	mb_markup_task task;
	uint32_t   *numbers;		/* [count]; NULL: no template has {#} */
	size_t		size;			/* of the result */
} mb_markup;

/*
 * Copies *task; what it points to must stay valid until the text is written.
 * MB_ERR_ARGUMENT for a template with a brace that is neither of the above;
 * MB_ERR_LIMIT for one over 1 MB.
 */
extern mb_status mb_markup_begin(mb_markup *markup,
								 const mb_markup_task *task, mb_arena *arena,
								 const mb_cancel *cancel, mb_error *err);

/* out [size] */
extern mb_status mb_markup_write(const mb_markup *markup, char *out,
								 const mb_cancel *cancel, mb_error *err);

/* Checks a template alone. */
extern mb_status mb_markup_check(mb_label template, const char *option,
								 mb_error *err);

#endif							/* MB_MARKUP_H */
