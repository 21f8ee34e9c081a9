/*-------------------------------------------------------------------------
 *
 * sequences.h
 *	  From texts and id arrays to sequences that fit a model.
 *
 * Depends on server/pg.h, server/options.h, models/model_cache.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_SEQUENCES_H
#define MOBILEBERT_SEQUENCES_H

#include "server/pg.h"
#include "server/options.h"
#include "models/model_cache.h"

/* A text, or a pair of them, ready to be cut into windows of a model. */
typedef struct MobilebertInput
{
	const MobilebertModel *model;
	mb_memory	memory;
	mb_arena	arena;			/* pieces */
	mb_arena	window_arena;	/* the current window */
	mb_pieces	first;
	mb_pieces	second;
	bool		pair;
	mb_truncation truncation;	/* of what is truncated: longest first */
	size_t		limit;			/* tokens of a window */
	size_t		tokens;			/* of the whole, template included */
	bool		truncated;		/* to the limit, and noted */
	size_t		window_pieces;	/* of "first", in one window */
	size_t		stride;
	size_t		windows;		/* >= 1 */
	bool		from_end;		/* the first window is the one that may be
								 * short, not the last; off unless set */
	bool		overflow_parts; /* windows have the types of Hugging Face's,
								 * not of texts by themselves; off unless set */
	size_t		lead;			/* template tokens before the text, as the
								 * last window that was made has them */
} MobilebertInput;

/*
 * One row of a pass: a whole input or one window of it.  Tokens [keep_from,
 * keep_to) are the ones it stands for: together the windows of an input keep
 * each of its tokens once, in order.
 */
typedef struct MobilebertSequence
{
	size_t		length;
	const int32 *ids;
	const int32 *types;			/* NULL: all 0 */
	const mb_encoding *encoding;	/* of a window, else NULL */
	bool		pad_after;		/* as if padded (mb_batch.pad_after) */
	size_t		keep_from;
	size_t		keep_to;
	size_t		weight;			/* of a window: tokens it stands for without
								 * those of the second text, which is whole in
								 * every window */
} MobilebertSequence;

/*
 * Tokenise and apply the overflow policy; memory comes from the current
 * context.  An error when a pass over the longest window would need more than
 * mobilebert.memory_limit.  A pair is windowed over its first text, the second
 * staying whole.  max_length: tokens of a window if the model has so many
 * positions, 0 for the model's own limit.  stride must fit (see mobilebert_stride).
 */
extern void mobilebert_input_read(MobilebertInput *in, FunctionCallInfo fcinfo,
								  const MobilebertModel *model,
								  text *first, text *second,
								  MobilebertOverflow overflow,
								  size_t max_length, size_t stride);

/*
 * The same in steps, for who has several second texts: begin tokenises the
 * first one, tokenise another, which becomes in->second with in->pair, and fit
 * applies the policy.  Who tokenises for himself begins with first NULL and
 * puts the pieces into in->first; they lie in in->arena.
 */
extern void mobilebert_input_begin(MobilebertInput *in,
								   const MobilebertModel *model, text *first,
								   size_t max_length);
extern void mobilebert_input_tokenise(MobilebertInput *in, text *value,
									  mb_pieces *pieces);
extern void mobilebert_input_fit(MobilebertInput *in, FunctionCallInfo fcinfo,
								 MobilebertOverflow overflow, size_t stride);

/* Window n; its arrays last until the next call. */
extern void mobilebert_input_window(MobilebertInput *in, size_t n,
									MobilebertSequence *sequence);
extern void mobilebert_input_free(MobilebertInput *in);

/*
 * The pieces in window n of a single text, that has so many tokens: how many
 * they are, and which is the first, at token "lead".
 */
extern size_t mobilebert_input_pieces(const MobilebertInput *in, size_t n,
									  size_t length, size_t *first);

/*
 * Option "stride": tokens that neighbouring windows of one text share; default
 * 0.  max_length as above.
 */
extern size_t mobilebert_stride(FunctionCallInfo fcinfo, int n,
								const MobilebertModel *model,
								size_t max_length);

/* Option "max_length"; when it is NULL otherwise, which may be 0 as above. */
extern size_t mobilebert_max_length(FunctionCallInfo fcinfo, int n,
									const MobilebertModel *model,
									size_t otherwise);

/*
 * Tokens of a text where nothing truncates of itself, so that the tokenizer's
 * model_max_length counts for nothing: the model's positions.  For states as
 * such, no more than vectors are made of.
 */
extern size_t mobilebert_positions(const MobilebertModel *model);
extern size_t mobilebert_state_positions(const MobilebertModel *model);

/*
 * Raw ids as a row: the arrays input_ids, token_type_ids and attention_mask of
 * arguments ids, types and mask.  The mask is NULL when it was not given.  More
 * ids than the model has positions are an error.
 */
typedef struct MobilebertIds
{
	MobilebertSequence sequence;
	const uint8 *mask;
} MobilebertIds;

extern void mobilebert_ids_read(FunctionCallInfo fcinfo,
								const MobilebertModel *model, int ids,
								int types, int mask, MobilebertIds *result);

#endif							/* MOBILEBERT_SEQUENCES_H */
