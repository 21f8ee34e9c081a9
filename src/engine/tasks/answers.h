/*-------------------------------------------------------------------------
 *
 * answers.h
 *	  Extractive question answering: from start and end logits of windows to
 *	  ranked answers of a context.
 *
 *	  mb_answers_init(&answers, &options, context ...)
 *	  mb_answers_add(&answers, window, start, end ...)	for each, in order
 *	  mb_answers_best(&answers, k ...)
 *
 * Source: transformers' QuestionAnsweringPipeline; spec pipelines.md 5.2 to
 * 5.4.
 * Depends on base/arena.h, base/status.h, tokenizer/tokenizer.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_ANSWERS_H
#define MB_ANSWERS_H

#include "base/arena.h"
#include "base/status.h"
#include "tokenizer/tokenizer.h"

typedef struct mb_answer_options
{
	size_t		top_k;			/* answers wanted, >= 1 */
	size_t		max_tokens;		/* of an answer ("max_answer_len"), >= 1 */
	int32_t		cls_id;			/* may be in an answer; -1: none */
	bool		align_to_words;
	bool		no_answer;		/* rank "no answer" among the answers */
} mb_answer_options;

/*
 * Offsets in characters of the context; as in Hugging Face they may lie beyond
 * its end, or end before start, when the question holds a typed [CLS].  For
 * "no answer" both are 0.
 */
typedef struct mb_answer
{
	double		score;			/* a sum of probabilities */
	int32_t		start;
	int32_t		end;
	bool		none;			/* "no answer" */
} mb_answer;

/* Answers of one context under construction; fields are for answers.c. */
typedef struct mb_answer_entry mb_answer_entry;
typedef struct mb_answers
{
	mb_answer_options options;
	const char *text;			/* the context, UTF-8 */
	size_t		length;			/* its bytes */
	size_t		characters;
	size_t	   *offsets;		/* bytes before every 64th character; NULL:
								 * ASCII */
	mb_arena   *arena;
	mb_answer_entry *entries;	/* in the order in which they came */
	size_t		count;
	size_t		capacity;		/* of entries */
	size_t	   *table;			/* entries by hash + 1; 0: free */
	size_t		table_size;		/* a power of two */
	double		no_answer;		/* the smallest score of it in a window */
} mb_answers;

/*
 * text is valid UTF-8.  It stays valid, as arena does, as long as answers is
 * used; all memory comes from arena.
 */
extern mb_status mb_answers_init(mb_answers *answers,
								 const mb_answer_options *options,
								 const char *text, size_t length,
								 mb_arena *arena, const mb_cancel *cancel,
								 mb_error *err);

/* Can this position of a window be in an answer?  Others need no logits. */
static inline bool
mb_answer_allowed(const mb_answers *answers, const mb_encoding *window,
				  size_t position)
{
	return window->sequences[position] == 1 ||
		(answers->options.cls_id >= 0 &&
		 window->ids[position] == answers->options.cls_id);
}

/*
 * Add a window: question as its first text, a range of the context as its
 * second, with offsets in the whole context.  start and end [window->length]
 * are logits, and probabilities afterwards.  scratch is freed by the caller.
 */
extern mb_status mb_answers_add(mb_answers *answers, const mb_encoding *window,
								float *start, float *end, mb_arena *scratch,
								const mb_cancel *cancel, mb_error *err);

/*
 * The best top_k answers, best first, *best allocated in scratch; *count may
 * be 0.
 */
extern mb_status mb_answers_best(const mb_answers *answers, mb_arena *scratch,
								 const mb_cancel *cancel, mb_answer **best,
								 size_t *count, mb_error *err);

#endif							/* MB_ANSWERS_H */
