/*-------------------------------------------------------------------------
 *
 * zero_shot.c
 *	  Hypotheses, scores and order of zero-shot classification.
 *
 * Depends on tasks/zero_shot.h, tasks/scores.h.
 *
 *-------------------------------------------------------------------------
 */
#include "tasks/zero_shot.h"

#include <string.h>

#include "tasks/scores.h"

/* So that no loop over one lasts; neither would fit in any model. */
#define TEMPLATE_MAX ((size_t) 1024 * 1024)
#define HYPOTHESIS_MAX ((size_t) 32 * 1024 * 1024)

/* ----------
 * Templates
 * ----------
 */

typedef enum element_kind
{
	ELEMENT_TEXT,				/* one character of the template */
	ELEMENT_AUTOMATIC,			/* {} */
	ELEMENT_NUMBERED,			/* {0} */
	ELEMENT_INVALID
} element_kind;

/* The element of a template that starts at "at", and its length. */
static element_kind
next_element(const char *template, size_t length, size_t at, size_t *taken)
{
	char		c = template[at];
	char		next = at + 1 < length ? template[at + 1] : '\0';

	*taken = 1;
	if (c != '{' && c != '}')
		return ELEMENT_TEXT;
	*taken = 2;
	if (next == c)
		return ELEMENT_TEXT;		/* {{ or }} */
	if (c == '{' && next == '}')
		return ELEMENT_AUTOMATIC;
	*taken = 3;
	if (c == '{' && next == '0' && at + 2 < length && template[at + 2] == '}')
		return ELEMENT_NUMBERED;
	return ELEMENT_INVALID;
}

static mb_status
bad_template(mb_error *err, const char *problem)
{
	mb_fail(err, MB_ERR_ARGUMENT, "hypothesis template cannot be formatted");
	mb_detail(err, "%s", problem);
	mb_hint(err, "Write {} where the label goes, and {{ or }} for a brace.");
	return MB_ERR_ARGUMENT;
}

/* Check the template, and count its fields and its other characters. */
static mb_status
measure(const char *template, size_t length, size_t *fields, size_t *rest,
		mb_error *err)
{
	size_t		automatic = 0;
	size_t		numbered = 0;
	size_t		at;
	size_t		taken;

	if (length > TEMPLATE_MAX)
		return mb_fail(err, MB_ERR_LIMIT,
					   "hypothesis template is longer than %zu bytes",
					   TEMPLATE_MAX);
	*rest = 0;
	for (at = 0; at < length; at += taken)
	{
		switch (next_element(template, length, at, &taken))
		{
			case ELEMENT_TEXT:
				(*rest)++;
				break;
			case ELEMENT_AUTOMATIC:
				automatic++;
				break;
			case ELEMENT_NUMBERED:
				numbered++;
				break;
			case ELEMENT_INVALID:
				return bad_template(err, "A brace is neither doubled nor part of a field {} or {0}.");
		}
	}
	if (automatic > 1)
		return bad_template(err, "There is one label, but several fields {}.");
	if (automatic > 0 && numbered > 0)
		return bad_template(err, "Fields {} and {0} cannot be mixed.");
	*fields = automatic + numbered;
	return MB_OK;
}

mb_status
mb_format_label(const char *template, size_t template_length,
				const char *label, size_t label_length, mb_arena *arena,
				char **text, size_t *length, mb_error *err)
{
	size_t		fields = 0;
	size_t		size;
	size_t		rest = 0;
	size_t		at;
	size_t		taken;
	char	   *out;
	mb_status	status;

	status = measure(template, template_length, &fields, &rest, err);
	if (status != MB_OK)
		return status;
	if (!mb_size_multiply(fields, label_length, &size) ||
		!mb_size_add(size, rest + 1, &size) || size > HYPOTHESIS_MAX)
		return mb_fail(err, MB_ERR_LIMIT,
					   "hypothesis would be longer than %zu bytes",
					   HYPOTHESIS_MAX);
	*text = mb_arena_alloc(arena, size, 1);
	if (*text == NULL)
		return mb_fail(err, MB_ERR_MEMORY, "not enough memory for a hypothesis");

	out = *text;
	for (at = 0; at < template_length; at += taken)
	{
		if (next_element(template, template_length, at,
						 &taken) == ELEMENT_TEXT)
			*out++ = template[at];
		else
		{
			memcpy(out, label, label_length);
			out += label_length;
		}
	}
	*out = '\0';
	*length = size - 1;
	return MB_OK;
}

/* ----------
 * Scores
 * ----------
 */

void
mb_zero_shot_scores(const float *entailment, const float *contradiction,
					size_t count, float *scores)
{
	size_t		i;

	if (contradiction == NULL)
	{
		mb_softmax(entailment, count, scores);
		return;
	}
	for (i = 0; i < count; i++)
	{
		float		both[2] = {contradiction[i], entailment[i]};

		mb_softmax(both, 2, both);
		scores[i] = both[1];
	}
}

void
mb_similarity_scores(const float *cosines, size_t count, bool alone,
					 float *scores)
{
	size_t		i;

	for (i = 0; i < count; i++)
		scores[i] = alone ? cosines[i] : MB_COSINE_SCALE * cosines[i];
	if (!alone)
		mb_softmax(scores, count, scores);
}

mb_status
mb_zero_shot_order(const float *scores, size_t count, mb_arena *arena,
				   size_t *order, mb_error *err)
{
	float	   *reversed = mb_arena_alloc(arena, count, sizeof(float));
	size_t		i;

	if (reversed == NULL)
		return mb_fail(err, MB_ERR_MEMORY, "not enough memory for %zu labels",
					   count);
	for (i = 0; i < count; i++)
		reversed[i] = scores[count - 1 - i];
	mb_top(reversed, count, count, order);
	for (i = 0; i < count; i++)
		order[i] = count - 1 - order[i];
	return MB_OK;
}
