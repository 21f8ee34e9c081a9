/*-------------------------------------------------------------------------
 *
 * labels.c
 *	  Names and meaning of a classifier's outputs; see labels.h.
 *
 * Depends on model/labels.h.
 *
 *-------------------------------------------------------------------------
 */
#include "model/labels.h"

#include <stdio.h>
#include <string.h>

#define MADE_UP_LENGTH 24		/* "LABEL_" and any number */

/* The value of a key, as the task overrides it; null counts as absent. */
static const mb_json *
effective(const mb_json *root, const char *task, const char *key)
{
	const mb_json *value = NULL;

	if (task != NULL)
		value = mb_json_get(mb_json_get(mb_json_get(root,
													"task_specific_params"),
										task), key);
	if (value == NULL)
		value = mb_json_get(root, key);
	return value == NULL || value->type == MB_JSON_NULL ? NULL : value;
}

/* Names from id2label; of a number that comes twice the later one counts. */
static void
read_names(const mb_json *names, mb_labels *labels)
{
	const mb_json *member;

	for (member = names->child; member != NULL; member = member->next)
	{
		const char *text;
		size_t		length;
		uint32_t	id;

		if (!mb_label_text(member, &text, &length) ||
			!mb_label_id(member, &id) || id >= labels->outputs)
			continue;
		labels->names[id].text = text;
		labels->names[id].length = length;
	}
	labels->count = mb_label_count(names);
}

static bool
make_up_names(mb_arena *arena, mb_labels *labels)
{
	size_t		i;

	for (i = 0; i < labels->outputs; i++)
	{
		char	   *name = mb_arena_alloc(arena, MADE_UP_LENGTH, 1);

		if (name == NULL)
			return false;
		labels->names[i].length = (size_t) snprintf(name, MADE_UP_LENGTH,
													"LABEL_%zu", i);
		labels->names[i].text = name;
	}
	labels->count = labels->outputs;
	return true;
}

mb_status
mb_labels_read(const mb_json *root, const char *task, size_t outputs,
			   mb_arena *arena, mb_labels *labels, mb_error *err)
{
	const mb_json *names = effective(root, task, "id2label");

	memset(labels, 0, sizeof(*labels));
	labels->outputs = outputs;
	labels->problem = mb_problem_from_name(effective(root, task,
													 "problem_type"));
	labels->names = mb_arena_zero(arena, outputs, sizeof(mb_label));
	if (labels->names != NULL && names != NULL && names->type == MB_JSON_OBJECT)
		read_names(names, labels);
	else if (labels->names == NULL || !make_up_names(arena, labels))
		return mb_fail(err, MB_ERR_MEMORY, "not enough memory for %zu labels",
					   outputs);
	return MB_OK;
}

/* Only ASCII letters have one of these as their lower case. */
static bool
means_entailment(const char *text, size_t length)
{
	static const char start[] = "entail";
	size_t		i;

	if (length < sizeof(start) - 1)
		return false;
	for (i = 0; i < sizeof(start) - 1; i++)
	{
		char		c = text[i];

		if (c >= 'A' && c <= 'Z')
			c = (char) (c - 'A' + 'a');
		if (c != start[i])
			return false;
	}
	return true;
}

/* The first such key of label2id; Python keeps the last value of a key. */
static mb_status
entailment_of_label2id(const mb_json *numbers, size_t outputs, size_t *output,
					   bool *named, mb_error *err)
{
	const mb_json *member = numbers->child;
	const mb_json *value;
	int64_t		number;

	while (member != NULL &&
		   !means_entailment(member->key, member->key_length))
		member = member->next;
	*named = member != NULL;
	if (member == NULL)
		return MB_OK;
	for (value = member; member != NULL; member = member->next)
	{
		if (member->key_length == value->key_length &&
			memcmp(member->key, value->key, value->key_length) == 0)
			value = member;
	}
	/* As an index of Python's, a negative number counts from the end. */
	if (!mb_json_int(value, -(int64_t) outputs, (int64_t) outputs - 1,
					 &number))
	{
		mb_fail(err, MB_ERR_DATA,
				"label \"%.100s\" of \"label2id\" is not the number of an "
				"output", value->key);
		mb_detail(err, "The classifier has %zu outputs.", outputs);
		return MB_ERR_DATA;
	}
	*output = (size_t) (number < 0 ? number + (int64_t) outputs : number);
	return MB_OK;
}

static void
entailment_of_id2label(const mb_json *names, size_t outputs, size_t *output,
					   bool *named)
{
	const mb_json *member;
	uint32_t	id;

	for (member = names->child; member != NULL; member = member->next)
	{
		if (member->type == MB_JSON_STRING &&
			means_entailment(member->text, member->length) &&
			mb_label_id(member, &id) && id < outputs)
		{
			*output = id;
			*named = true;
			return;
		}
	}
}

mb_status
mb_entailment_output(const mb_json *root, const char *task, size_t outputs,
					 size_t *output, bool *named, mb_error *err)
{
	const mb_json *names = effective(root, task, "id2label");
	const mb_json *numbers = effective(root, task, "label2id");

	*output = outputs - 1;
	*named = false;
	/* Without id2label transformers makes up both. */
	if (names == NULL || names->type != MB_JSON_OBJECT)
		return MB_OK;
	if (numbers != NULL && numbers->type == MB_JSON_OBJECT)
		return entailment_of_label2id(numbers, outputs, output, named, err);
	entailment_of_id2label(names, outputs, output, named);
	return MB_OK;
}
