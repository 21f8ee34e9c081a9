/*-------------------------------------------------------------------------
 *
 * entities.h
 *	  Token classification: from logits of word pieces to entities.
 *
 * The pieces of a text come window by window, each with its row of logits;
 * what is kept of them is one mb_entity for each token, word or group that is
 * not ignored, so memory follows the result and not the text times the labels.
 * Windows may overlap; with mb_entity_task.merge one of overlapping entities
 * survives.
 *
 * Offsets are those of the pieces: characters (code points) of the text.
 *
 * Source: transformers' TokenClassificationPipeline (gather_pre_entities,
 * aggregate, aggregate_words, group_entities, aggregate_overlapping_entities);
 * spec pipelines.md 3.2 to 3.5.
 * Depends on model/labels.h, tokenizer/tokenizer.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_ENTITIES_H
#define MB_ENTITIES_H

#include "model/labels.h"
#include "tokenizer/tokenizer.h"

typedef enum mb_aggregation
{
	MB_AGGREGATE_NONE,			/* each token by itself */
	MB_AGGREGATE_SIMPLE,		/* groups of tokens */
	MB_AGGREGATE_FIRST,			/* groups of words, by their first token */
	MB_AGGREGATE_AVERAGE,		/* by the mean of their tokens' scores */
	MB_AGGREGATE_MAX			/* by their token of the highest score */
} mb_aggregation;

typedef struct mb_entity
{
	size_t		first;			/* pieces [first, last] */
	size_t		last;
	int32_t		start;			/* characters [start, end) */
	int32_t		end;
	uint32_t	label;			/* of its first token or word */
	float		score;
} mb_entity;

typedef struct mb_entity_list
{
	mb_entity  *items;			/* [count], in the arena */
	size_t		count;
	size_t		capacity;
} mb_entity_list;

/*
 * What is known before the first token; all of it must stay valid as long as
 * the mb_entities is used.  Labels may be in any encoding that leaves ASCII
 * alone, and need no zero byte at the end.
 */
typedef struct mb_entity_task
{
	const mb_tokenizer *tokenizer;
	const char *text;			/* valid UTF-8, [length] */
	size_t		length;
	const mb_pieces *pieces;	/* of the text; starts do not decrease */
	const mb_label *labels;		/* [label_count], label_count >= 1 */
	size_t		label_count;
	const mb_label *ignored;	/* [ignored_count]: labels to leave out, without
								 * B- and I- when tokens are grouped */
	size_t		ignored_count;
	mb_aggregation aggregation;
	bool		merge;			/* overlapping entities of several windows */
	bool		from_end;		/* windows of equal rank: the later comes first */
} mb_entity_task;

typedef struct mb_entities
{
	mb_entity_task task;
	mb_arena   *arena;
	mb_entity_list done;		/* the result, in order */

	/* of the current window */
	mb_entity_list window;
	bool		has_group;
	bool		has_word;
	mb_entity	group;
	mb_entity	word;
	uint32_t	group_tail;		/* label of the group's last item */
	double		group_sum;		/* of the scores that are numbers ... */
	size_t		group_scores;	/* ... and how many there are */
	size_t		word_tokens;	/* likewise of a word (average) */
	float	   *scores;			/* [label_count] of the current token */
	double	   *sums;			/* [label_count] of the word's, ... */
	float	   *means;			/* ... and their means; average only */

	/* of earlier windows, where later ones may still overlap */
	mb_entity_list pending;
	mb_entity_list spare;
	bool		has_current;
	mb_entity	current;

	uint8_t    *ignore;			/* [label_count]: 0 not known yet, 1 no, 2 yes */
	size_t		cursor_byte;	/* a character of the text, and where it is */
	int32_t		cursor;
} mb_entities;

/* Copies *task; everything that grows is in arena. */
extern mb_status mb_entities_begin(mb_entities *e, const mb_entity_task *task,
								   mb_arena *arena, mb_error *err);

/*
 * The next piece of the window, with its logits [label_count].  MB_ERR_DATA
 * when a label is chosen that has no name.
 */
extern mb_status mb_entities_add(mb_entities *e, size_t piece,
								 const float *logits, mb_error *err);

/*
 * The window is over.  next_start: where the next window's first piece starts
 * (later ones start no earlier), INT32_MAX after the last.
 */
extern mb_status mb_entities_window(mb_entities *e, int32_t next_start,
									const mb_cancel *cancel, mb_error *err);

/*
 * What Hugging Face calls the entity's "word": its tokens as the decoder joins
 * them.  *text is allocated in arena.  Takes time in the length of the entity
 * when entities come in order.
 */
extern mb_status mb_entities_text(mb_entities *e, const mb_entity *entity,
								  mb_arena *arena, const mb_cancel *cancel,
								  char **text, size_t *length, mb_error *err);

/* What the entity is called: its label, for a group without the prefix. */
extern mb_label mb_entities_label(const mb_entities *e,
								  const mb_entity *entity);

/* What a group is called whose first label is this one. */
extern mb_label mb_entity_group(mb_label label);

#endif							/* MB_ENTITIES_H */
