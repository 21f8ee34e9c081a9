/*-------------------------------------------------------------------------
 *
 * answer.h
 *	  A question put to one context, as a call (calls.c): what answer() and
 *	  best_answers() share.
 *
 * Depends on server/pg.h, server/adapt.h, models/model_cache.h, pass/calls.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_ANSWER_H
#define MOBILEBERT_ANSWER_H

#include "server/pg.h"
#include "server/adapt.h"
#include "models/model_cache.h"
#include "pass/calls.h"

/* Which argument is which; ANSWER_ABSENT: the function has no such. */
typedef struct AnswerArguments
{
	int			model;
	int			top_k;
	int			doc_stride;
	int			max_answer_len;
	int			max_seq_len;
	int			impossible;		/* handle_impossible_answer */
	int			align;			/* align_to_words */
} AnswerArguments;

#define ANSWER_ABSENT FUNC_MAX_ARGS

typedef struct AnswerOptions
{
	const MobilebertModel *model;
	mb_answer_options select;
	size_t		limit;			/* tokens of a window, template included */
	size_t		stride;			/* tokens of context that windows share */
} AnswerOptions;

typedef struct AnswerCall
{
	MobilebertCall call;
	AnswerOptions options;
	FunctionCallInfo fcinfo;	/* where result puts rows; else unused */
	mb_memory	memory;
	mb_arena	arena;			/* pieces and answers */
	mb_arena	window_arena;	/* the current window */
	const mb_pieces *question;
	mb_pieces	pieces;			/* of the context */
	MobilebertText text;		/* the context */
	size_t		window_pieces;	/* of the context, in a window */
	mb_answers	answers;
} AnswerCall;

extern void answer_options_read(FunctionCallInfo fcinfo,
								const AnswerArguments *arguments,
								AnswerOptions *options);

/* The word pieces of a question, in the current context. */
extern mb_pieces *answer_question(const MobilebertModel *model,
								  text *question);

/*
 * The call, in the current context.  The question must stay as long as the
 * call; the context is copied.
 */
extern AnswerCall *answer_begin(const AnswerOptions *options,
								const mb_pieces *question, text *context);

/* When the call is done: its best answers, in the current context. */
extern mb_answer *answer_best(const AnswerCall *call, size_t *count);

/* A slice of the context: offsets in characters of the database encoding. */
typedef struct AnswerSlice
{
	int32		start;
	int32		end;
	Datum		text;
} AnswerSlice;

/* The slices of some answers, in their order; [count] */
extern AnswerSlice *answer_slices(const AnswerCall *call,
								  const mb_answer *answers, size_t count);

#endif							/* MOBILEBERT_ANSWER_H */
