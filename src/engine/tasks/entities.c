/*-------------------------------------------------------------------------
 *
 * entities.c
 *	  Token classification: scores of word pieces, words, groups, windows.
 *
 * A piece goes through up to three steps, each of which has one item under
 * construction: piece -> word -> group.  "none" stops after the first,
 * "simple" makes groups of pieces.  The results are those of Hugging Face's
 * pipeline, its oddities included:
 *
 *	- a piece continues a word when its token and its text differ in length.
 *	  For most that is the "##"; but a first piece with an accent of its own
 *	  inside is joined to the word before, too;
 *	- items of an ignored label separate groups, template tokens do not;
 *	- the name of a group is its first label without everything up to the first
 *	  "-", while "B-" and "I-" alone decide what belongs together.
 *
 * Windows: the pipeline sorts the entities of all windows by where they start
 * and walks over them once, comparing each with the last one kept.  What
 * starts before the next window does is final, so the walk goes as far as that
 * after each window, and entities wait only where windows overlap.
 *
 * Source: spec pipelines.md 3.2 to 3.5.
 * Depends on base/utf8.h, tasks/scores.h.
 *
 *-------------------------------------------------------------------------
 */
#include "tasks/entities.h"

#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "tasks/scores.h"

/* Entities, pieces or characters between two polls of cancel. */
#define POLL_ENTITIES 16384
#define POLL_CHARACTERS 1000000

/* What a cancel stops. */
#define WORK "token classification"

/*
 * Lists
 */

/* Append; an array that became too small stays in the arena. */
static bool
list_add(mb_entity_list *list, mb_arena *arena, const mb_entity *entity)
{
	if (list->count == list->capacity)
	{
		size_t		capacity = list->capacity == 0 ? 16 : list->capacity * 2;
		mb_entity  *items = mb_arena_alloc(arena, capacity, sizeof(mb_entity));

		if (items == NULL)
			return false;
		if (list->count > 0)
			memcpy(items, list->items, list->count * sizeof(mb_entity));
		list->items = items;
		list->capacity = capacity;
	}
	list->items[list->count++] = *entity;
	return true;
}

/*
 * Labels
 */

/* What grouping compares: a label's tag, and whether it begins a group. */
static mb_label
label_tag(const mb_label *label, bool *begins)
{
	mb_label tag = *label;
	bool		prefix = label->length >= 2 && label->text[1] == '-' &&
		(label->text[0] == 'B' || label->text[0] == 'I');

	*begins = prefix && label->text[0] == 'B';
	if (prefix)
	{
		tag.text += 2;
		tag.length -= 2;
	}
	return tag;
}

static bool
same_text(const mb_label *a, const mb_label *b)
{
	return a->length == b->length &&
		(a->length == 0 || memcmp(a->text, b->text, a->length) == 0);
}

mb_label
mb_entity_group(mb_label label)
{
	const char *dash = label.length == 0 ? NULL :
		memchr(label.text, '-', label.length);

	if (dash != NULL)
	{
		label.length -= (size_t) (dash + 1 - label.text);
		label.text = dash + 1;
	}
	return label;
}

/* The name under which a label is reported. */
static mb_label
label_name(const mb_entities *e, uint32_t label)
{
	mb_label name = e->task.labels[label];

	return e->task.aggregation == MB_AGGREGATE_NONE ? name :
		mb_entity_group(name);
}

mb_label
mb_entities_label(const mb_entities *e, const mb_entity *entity)
{
	return label_name(e, entity->label);
}

static bool
is_ignored(mb_entities *e, uint32_t label)
{
	mb_label name;
	size_t		i;

	if (e->ignore[label] == 0)
	{
		name = label_name(e, label);
		e->ignore[label] = 1;
		for (i = 0; i < e->task.ignored_count; i++)
		{
			if (same_text(&name, &e->task.ignored[i]))
			{
				e->ignore[label] = 2;
				break;
			}
		}
	}
	return e->ignore[label] == 2;
}

/*
 * Pieces, words, groups
 */

mb_status
mb_entities_begin(mb_entities *e, const mb_entity_task *task, mb_arena *arena,
				  mb_error *err)
{
	memset(e, 0, sizeof(*e));
	e->task = *task;
	e->arena = arena;
	e->scores = mb_arena_alloc(arena, task->label_count, sizeof(float));
	e->ignore = mb_arena_zero(arena, task->label_count, 1);
	if (e->scores == NULL || e->ignore == NULL)
		return mb_fail_memory(err);
	if (task->aggregation == MB_AGGREGATE_AVERAGE)
	{
		e->sums = mb_arena_alloc(arena, task->label_count, sizeof(double));
		e->means = mb_arena_alloc(arena, task->label_count, sizeof(float));
		if (e->sums == NULL || e->means == NULL)
			return mb_fail_memory(err);
	}
	return MB_OK;
}

/* An entity of the current window is complete. */
static mb_status
keep_entity(mb_entities *e, const mb_entity *entity, mb_error *err)
{
	if (is_ignored(e, entity->label))
		return MB_OK;
	if (!list_add(e->task.merge ? &e->window : &e->done, e->arena, entity))
		return mb_fail_memory(err);
	return MB_OK;
}

static mb_status
end_group(mb_entities *e, mb_error *err)
{
	if (!e->has_group)
		return MB_OK;
	e->has_group = false;
	e->group.score = e->group_scores == 0 ? NAN :
		(float) (e->group_sum / (double) e->group_scores);
	return keep_entity(e, &e->group, err);
}

/* Does the item continue the current group? */
static bool
continues_group(const mb_entities *e, const mb_entity *item)
{
	mb_label	tag;
	mb_label	tail;
	bool		begins;
	bool		unused;

	if (!e->has_group)
		return false;
	tag = label_tag(&e->task.labels[item->label], &begins);
	tail = label_tag(&e->task.labels[e->group_tail], &unused);
	return !begins && same_text(&tag, &tail);
}

/* A token or word, the last step for strategy none. */
static mb_status
add_item(mb_entities *e, const mb_entity *item, mb_error *err)
{
	mb_status	status;

	if (e->task.labels[item->label].text == NULL)
		return mb_fail(err, MB_ERR_DATA,
					   "output %u of the classifier has no label",
					   item->label);
	if (e->task.aggregation == MB_AGGREGATE_NONE)
		return keep_entity(e, item, err);
	if (continues_group(e, item))
	{
		e->group.last = item->last;
		e->group.end = item->end;
	}
	else
	{
		status = end_group(e, err);
		if (status != MB_OK)
			return status;
		e->has_group = true;
		e->group = *item;
		e->group_sum = 0;
		e->group_scores = 0;
	}
	e->group_tail = item->label;
	if (!isnan(item->score))
	{
		e->group_sum += item->score;
		e->group_scores++;
	}
	return MB_OK;
}

/* The mean of a word's tokens decides, not the tokens; NaN does not count. */
static void
average_word(mb_entities *e)
{
	size_t		i;

	for (i = 0; i < e->task.label_count; i++)
		e->means[i] = e->word_tokens == 0 ? NAN :
			(float) (e->sums[i] / (double) e->word_tokens);
	e->word.label = (uint32_t) mb_argmax(e->means, e->task.label_count);
	e->word.score = e->means[e->word.label];
}

static mb_status
end_word(mb_entities *e, mb_error *err)
{
	if (!e->has_word)
		return MB_OK;
	e->has_word = false;
	if (e->task.aggregation == MB_AGGREGATE_AVERAGE)
		average_word(e);
	return add_item(e, &e->word, err);
}

/* e->scores are those of a token of the current word; add them to its sums. */
static void
average_token(mb_entities *e, bool first)
{
	size_t		i;

	if (first)
	{
		memset(e->sums, 0, e->task.label_count * sizeof(double));
		e->word_tokens = 0;
	}
	if (isnan(e->scores[0]))
		return;					/* then all of them are NaN */
	for (i = 0; i < e->task.label_count; i++)
		e->sums[i] += e->scores[i];
	e->word_tokens++;
}

/* The string of a piece's token, and whether it is the unknown one. */
static mb_document
piece_token(const mb_entities *e, size_t piece, bool *unknown)
{
	int32_t		id = e->task.pieces->ids[piece];
	mb_document token;

	*unknown = id == e->task.tokenizer->unk_id;
	token.text = mb_token_text(e->task.tokenizer, id, &token.length);
	if (token.text == NULL)
	{
		token.text = "";
		token.length = 0;
	}
	return token;
}

static bool
is_subword(const mb_entities *e, size_t piece)
{
	const mb_pieces *pieces = e->task.pieces;
	bool		unknown;
	mb_document token = piece_token(e, piece, &unknown);

	return !unknown && mb_utf8_count(token.text, token.length) !=
		(size_t) (pieces->ends[piece] - pieces->starts[piece]);
}

/* A token of the current word, or of a new one. */
static mb_status
add_to_word(mb_entities *e, const mb_entity *token, mb_error *err)
{
	bool		first = !e->has_word || !is_subword(e, token->first);
	mb_status	status;

	if (first)
	{
		status = end_word(e, err);
		if (status != MB_OK)
			return status;
		e->has_word = true;
		e->word = *token;
	}
	else
	{
		e->word.last = token->last;
		e->word.end = token->end;
		if (e->task.aggregation == MB_AGGREGATE_MAX &&
			token->score > e->word.score)
		{
			e->word.label = token->label;
			e->word.score = token->score;
		}
	}
	if (e->task.aggregation == MB_AGGREGATE_AVERAGE)
		average_token(e, first);
	return MB_OK;
}

mb_status
mb_entities_add(mb_entities *e, size_t piece, const float *logits,
				mb_error *err)
{
	mb_entity	token;

	mb_softmax(logits, e->task.label_count, e->scores);
	token.first = piece;
	token.last = piece;
	token.start = e->task.pieces->starts[piece];
	token.end = e->task.pieces->ends[piece];
	token.label = (uint32_t) mb_argmax(e->scores, e->task.label_count);
	token.score = e->scores[token.label];
	if (e->task.aggregation == MB_AGGREGATE_NONE ||
		e->task.aggregation == MB_AGGREGATE_SIMPLE)
		return add_item(e, &token, err);
	return add_to_word(e, &token, err);
}

/*
 * Windows
 */

/* Does a, of an earlier window, come before b? */
static bool
comes_first(const mb_entities *e, const mb_entity *a, const mb_entity *b)
{
	return a->start < b->start ||
		(a->start == b->start && !e->task.from_end);
}

/* Merge pending and window, both in order, into spare, the new pending. */
static mb_status
merge_window(mb_entities *e, const mb_cancel *cancel, mb_error *err)
{
	mb_entity_list merged = e->spare;
	size_t		i = 0;
	size_t		j = 0;

	merged.count = 0;
	while (i < e->pending.count || j < e->window.count)
	{
		bool		old = j == e->window.count ||
			(i < e->pending.count &&
			 comes_first(e, &e->pending.items[i], &e->window.items[j]));

		if (!list_add(&merged, e->arena, old ? &e->pending.items[i++] :
					  &e->window.items[j++]))
			return mb_fail_memory(err);
		if ((i + j) % POLL_ENTITIES == 0 && mb_cancelled(cancel))
			return mb_fail_cancelled(err, WORK);
	}
	e->spare = e->pending;
	e->pending = merged;
	e->window.count = 0;
	return MB_OK;
}

/* The walk over the entities: the next of them. */
static bool
walk(mb_entities *e, const mb_entity *next)
{
	mb_entity  *current = &e->current;
	int32_t		longer;

	if (!e->has_current)
	{
		e->has_current = true;
		e->current = *next;
	}
	if (current->start <= next->start && next->start < current->end)
	{
		longer = (next->end - next->start) - (current->end - current->start);
		if (longer > 0 || (longer == 0 && next->score > current->score))
			*current = *next;
		return true;
	}
	if (!list_add(&e->done, e->arena, current))
		return false;
	*current = *next;
	return true;
}

/* Walk over what starts before the next window. */
static mb_status
settle(mb_entities *e, int32_t next_start, const mb_cancel *cancel,
	   mb_error *err)
{
	mb_entity_list *pending = &e->pending;
	size_t		i;

	for (i = 0; i < pending->count && pending->items[i].start < next_start; i++)
	{
		if (!walk(e, &pending->items[i]))
			return mb_fail_memory(err);
		if ((i + 1) % POLL_ENTITIES == 0 && mb_cancelled(cancel))
			return mb_fail_cancelled(err, WORK);
	}
	pending->count -= i;
	if (i > 0 && pending->count > 0)
		memmove(pending->items, pending->items + i,
				pending->count * sizeof(mb_entity));
	if (next_start == INT32_MAX && e->has_current)
	{
		e->has_current = false;
		if (!list_add(&e->done, e->arena, &e->current))
			return mb_fail_memory(err);
	}
	return MB_OK;
}

mb_status
mb_entities_window(mb_entities *e, int32_t next_start,
				   const mb_cancel *cancel, mb_error *err)
{
	mb_status	status = end_word(e, err);

	if (status == MB_OK)
		status = end_group(e, err);
	if (!e->task.merge)
		return status;
	if (status == MB_OK)
		status = merge_window(e, cancel, err);
	if (status == MB_OK)
		status = settle(e, next_start, cancel, err);
	return status;
}

/*
 * Text
 */

/* Move *byte, where character *at is, to character "to". */
static bool
seek_character(const mb_entities *e, size_t *byte, int32_t *at, int32_t to,
			   const mb_cancel *cancel)
{
	const char *text = e->task.text;

	while (*at > to && *byte > 0)
	{
		do
			(*byte)--;
		while (*byte > 0 && mb_utf8_continues(text[*byte]));
		if (--*at % POLL_CHARACTERS == 0 && mb_cancelled(cancel))
			return false;
	}
	while (*at < to && *byte < e->task.length)
	{
		do
			(*byte)++;
		while (*byte < e->task.length && mb_utf8_continues(text[*byte]));
		if (++*at % POLL_CHARACTERS == 0 && mb_cancelled(cancel))
			return false;
	}
	return true;
}

/* The strings of an entity's tokens; the unknown one's is the text itself. */
static mb_status
entity_tokens(mb_entities *e, const mb_entity *entity, mb_document *tokens,
			  const mb_cancel *cancel, mb_error *err)
{
	const mb_pieces *pieces = e->task.pieces;
	size_t		byte;
	int32_t		at;
	size_t		i;

	if (!seek_character(e, &e->cursor_byte, &e->cursor, entity->start, cancel))
		return mb_fail_cancelled(err, WORK);
	byte = e->cursor_byte;
	at = e->cursor;
	for (i = entity->first; i <= entity->last; i++)
	{
		mb_document *token = &tokens[i - entity->first];
		bool		unknown;

		*token = piece_token(e, i, &unknown);
		if ((i + 1) % POLL_ENTITIES == 0 && mb_cancelled(cancel))
			return mb_fail_cancelled(err, WORK);
		if (!unknown)
			continue;
		if (!seek_character(e, &byte, &at, pieces->starts[i], cancel))
			return mb_fail_cancelled(err, WORK);
		token->text = e->task.text + byte;
		if (!seek_character(e, &byte, &at, pieces->ends[i], cancel))
			return mb_fail_cancelled(err, WORK);
		token->length = (size_t) (e->task.text + byte - token->text);
	}
	return MB_OK;
}

/* Join the tokens of each word in place: tokens[] becomes words[], *count. */
static mb_status
join_words(mb_entities *e, const mb_entity *entity, mb_document *tokens,
		   size_t *count, mb_arena *arena, const mb_cancel *cancel,
		   mb_error *err)
{
	size_t		words = 0;
	size_t		from = 0;
	size_t		i;

	for (i = 1; i <= *count; i++)
	{
		char	   *text;
		size_t		length;
		mb_status	status;

		if (i < *count && is_subword(e, entity->first + i))
			continue;
		status = mb_join_tokens(e->task.tokenizer, tokens + from, i - from,
								arena, cancel, &text, &length, err);
		if (status != MB_OK)
			return status;
		tokens[words].text = text;
		tokens[words].length = length;
		words++;
		from = i;
		if (words % POLL_ENTITIES == 0 && mb_cancelled(cancel))
			return mb_fail_cancelled(err, WORK);
	}
	*count = words;
	return MB_OK;
}

mb_status
mb_entities_text(mb_entities *e, const mb_entity *entity, mb_arena *arena,
				 const mb_cancel *cancel, char **text, size_t *length,
				 mb_error *err)
{
	size_t		count = entity->last - entity->first + 1;
	mb_document *tokens = mb_arena_alloc(arena, count, sizeof(mb_document));
	mb_status	status;

	if (tokens == NULL)
		return mb_fail_memory(err);
	status = entity_tokens(e, entity, tokens, cancel, err);
	if (status != MB_OK)
		return status;
	switch (e->task.aggregation)
	{
		case MB_AGGREGATE_NONE:
			*text = mb_arena_copy(arena, tokens[0].text, tokens[0].length);
			*length = tokens[0].length;
			return *text == NULL ? mb_fail_memory(err) : MB_OK;
		case MB_AGGREGATE_SIMPLE:
			break;
		default:
			status = join_words(e, entity, tokens, &count, arena, cancel, err);
			break;
	}
	if (status != MB_OK)
		return status;
	return mb_join_tokens(e->task.tokenizer, tokens, count, arena, cancel,
						  text, length, err);
}
