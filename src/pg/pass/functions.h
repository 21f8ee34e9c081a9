/*-------------------------------------------------------------------------
 *
 * functions.h
 *	  What the SQL functions (fn_*.c) share beyond pg.h: reading arguments
 *	  (options.c) and turning texts into rows of a pass (sequences.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_FUNCTIONS_H
#define MOBILEBERT_FUNCTIONS_H

#include "server/pg.h"

#include "utils/array.h"

/*
 * options.c
 */

/* A legal value of an option, and its name. */
typedef struct MobilebertChoice
{
	const char *name;			/* NULL ends a list */
	int			value;
} MobilebertChoice;

/* The value of a named choice, in any case; NULL text gives the default. */
extern int	mobilebert_choice(const char *option, text *value,
							  const MobilebertChoice *choices, int otherwise);

/*
 * The model a function is to use: argument n, or the default model when the
 * function was called in the form without arguments after n - 1.  A NULL there
 * is an error: the form with a model is IMMUTABLE and cannot depend on a
 * default that may change.
 */
extern const MobilebertModel *mobilebert_model_argument(FunctionCallInfo fcinfo,
														int n, mb_task task);

/* An integer option that must be at least low; false when it is NULL. */
extern bool mobilebert_size_option(FunctionCallInfo fcinfo, int n,
								   const char *option, int low, size_t *value);

/* Elements of an array argument "what", which must have one dimension. */
extern size_t mobilebert_array_length(ArrayType *array, const char *what);

/* Error: there is a null among them. */
pg_noreturn extern void mobilebert_array_null(const char *what);

/*
 * Values of an int[] argument of one dimension without nulls; they lie in the
 * array.  "what" names the argument in messages.
 */
extern const int32 *mobilebert_int_values(ArrayType *array, const char *what,
										  size_t *count);

/*
 * Text from the engine as a datum, 0 when the database encoding lacks one of
 * its characters.
 */
extern Datum mobilebert_text_datum(const char *utf8, size_t length);

/*
 * The token of an id as a text datum; 0 for an id without a token, and for a
 * token with a character that the database encoding lacks.
 */
extern Datum mobilebert_token_datum(const mb_tokenizer *tokenizer, int32 id);

/*
 * sequences.c
 */

/* A text, or a pair of them, ready to be cut into windows of a model. */
typedef struct MobilebertInput
{
	const MobilebertModel *model;
	mb_memory	memory;
	mb_arena	arena;			/* pieces */
	mb_arena	window_arena;	/* the window at hand */
	mb_pieces	first;
	mb_pieces	second;
	bool		pair;
	mb_truncation truncation;	/* of what is truncated: longest first */
	size_t		limit;			/* tokens of a window */
	size_t		tokens;			/* of the whole, template included */
	bool		truncated;		/* to the limit, and noted */
	size_t		room;			/* pieces of "first" in one window */
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
 * model_max_length counts for nothing: the model's positions, or less if it was
 * trained as a sentence encoder.
 */
extern size_t mobilebert_positions(const MobilebertModel *model);

/*
 * A pass in the making: sequences packed one after another.  Everything lies
 * in the current context of mobilebert_pass_init and grows as needed.
 */
typedef struct MobilebertPass
{
	const MobilebertModel *model;
	size_t		sequences;
	size_t		tokens;
	size_t		longest;
	size_t	   *starts;			/* [sequences + 1] */
	int32	   *ids;			/* [tokens] */
	int32	   *types;			/* [tokens] */
	uint8	   *pad_after;		/* [sequences] */
	bool		first_only;		/* as in mb_batch */
	size_t		sequences_room;
	size_t		tokens_room;
	ErrorData  *failure;		/* an observer returned MB_ERR_IO for this */
} MobilebertPass;

extern void mobilebert_pass_init(MobilebertPass *pass,
								 const MobilebertModel *model);
extern void mobilebert_pass_add(MobilebertPass *pass,
								const MobilebertSequence *sequence);
extern void mobilebert_pass_clear(MobilebertPass *pass);

/*
 * Would a pass with one more sequence stay within mobilebert.batch_tokens and
 * mobilebert.memory_limit?
 */
extern bool mobilebert_pass_fits(const MobilebertPass *pass, size_t length);

/*
 * Run the first "layers" layers over the pass.  Returns the workspace, to be
 * released by the caller when it is done with *states [tokens, H], or
 * [sequences, H] for a pass of first tokens only.
 */
extern void *mobilebert_pass_run(const MobilebertPass *pass,
								 const uint8 *mask, size_t layers,
								 const mb_observer *observer,
								 const float **states);

/* hidden_states[layer] of an option; negative counts from the end. */
extern size_t mobilebert_layer(FunctionCallInfo fcinfo, int n, size_t count,
							   size_t otherwise);

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

/*
 * rows.c
 */

/*
 * A second text; NULL also when it is empty, which Hugging Face's tokenizer
 * takes for absent unless it is called with a list of texts.
 */
extern text *mobilebert_second_text(FunctionCallInfo fcinfo, int n);

/* Option "overflow" where windows make no sense: "error", or "truncate". */
extern bool mobilebert_truncate(text *overflow);

/*
 * Rows of one call that belong together, each a text or a pair in one window.
 * Memory comes from the current context of rows_init; what the rows' ids take
 * may not exceed mobilebert.memory_limit.
 */
typedef struct MobilebertRow
{
	size_t		length;
	int32	   *ids;			/* [length] */
	int32	   *types;			/* [length] */
} MobilebertRow;

typedef struct MobilebertRows
{
	FunctionCallInfo fcinfo;
	const MobilebertModel *model;
	MobilebertOverflow overflow;	/* error or truncate */
	size_t		max_length;
	text	   *first;			/* the first text at hand */
	MobilebertInput in;			/* it and the second one, while first is set */
	size_t		first_size;		/* bytes of its pieces */
	MobilebertRow *rows;		/* [count] */
	size_t		count;
	size_t		room;
	size_t		bytes;
	size_t		longest;		/* tokens of the longest row */
} MobilebertRows;

extern void mobilebert_rows_init(MobilebertRows *rows, FunctionCallInfo fcinfo,
								 const MobilebertModel *model, bool truncate,
								 size_t max_length);

/*
 * Add a text, or a pair when second is not NULL; several pairs with the same
 * first text one after another tokenise it once.  Or words, which are a text
 * that was split before.  The encoding lasts until the next add or done, its
 * ids and types are kept.
 */
extern const mb_encoding *mobilebert_rows_add(MobilebertRows *rows,
											  text *first, text *second);
extern const mb_encoding *mobilebert_rows_add_words(MobilebertRows *rows,
													const mb_document *words,
													size_t count);

/* Add a row that was encoded elsewhere. */
extern void mobilebert_rows_keep(MobilebertRows *rows,
								 const MobilebertSequence *sequence);

/* All are added. */
extern void mobilebert_rows_done(MobilebertRows *rows);

/*
 * Row n for a pass; padded: as if the rows had been padded to the longest (the
 * longest itself is not).
 */
extern void mobilebert_rows_sequence(const MobilebertRows *rows, size_t n,
									 bool padded,
									 MobilebertSequence *sequence);

/*
 * labels.c
 */

/* What the outputs of a classifier are called, for one pipeline. */
typedef struct MobilebertLabels
{
	struct MobilebertLabels *next;
	const char *pipeline;		/* as Hugging Face names it */
	size_t		outputs;
	Datum	   *names;			/* [outputs], text; 0: the output has none */
	size_t		count;			/* num_labels */
	mb_problem	problem;
	size_t		entailment;		/* zero-shot-classification only */
	bool		entailment_named;	/* else it is the last output */
} MobilebertLabels;

/*
 * Labels of a head of the model; read once in a transaction at most, and valid
 * as long as the model is.
 */
extern const MobilebertLabels *mobilebert_labels(const MobilebertModel *model,
												 mb_task head,
												 const char *pipeline);

/* The name of an output; an error when it has none. */
extern Datum mobilebert_label_name(const MobilebertModel *model,
								   const MobilebertLabels *labels,
								   size_t output);

/*
 * calls.c
 */

/*
 * One call of a task.  A begin function makes it, in the current context,
 * where all that belongs to it lives; tasks put it first in a struct of their
 * own.
 */
typedef struct MobilebertCall MobilebertCall;
struct MobilebertCall
{
	const MobilebertModel *model;
	size_t		layers;			/* of the encoder; all but embed need all */
	bool		first_only;		/* take reads the first token's state alone */
	size_t		sequences;		/* 0: the result is known already */
	bool		done;			/* all states were taken */

	/* Sequence n, asked for in order; arrays last until the next is asked. */
	void		(*sequence) (MobilebertCall *call, size_t n,
							 MobilebertSequence *sequence);

	/*
	 * The last hidden states of sequence n, [sequence->length, hidden_size], or
	 * with first_only [1, hidden_size], in order; they do not outlast the call.
	 */
	void		(*take) (MobilebertCall *call, size_t n,
						 const MobilebertSequence *sequence,
						 const float *states);

	/* When done: the value, or for a set the rows are put. */
	Datum		(*result) (MobilebertCall *call, bool *null);
};

/*
 * Reads the arguments of a function and begins the call; NULL: the result is
 * NULL (no rows).
 */
typedef MobilebertCall *(*MobilebertBegin) (FunctionCallInfo fcinfo);

/* Calls in the making; everything lies in the context of run_init. */
typedef struct MobilebertRunRow MobilebertRunRow;
typedef struct MobilebertRun
{
	MobilebertPass pass;
	size_t		layers;			/* of the pass at hand */
	bool		first_only;
	MobilebertRunRow *rows;		/* [pass.sequences] */
	size_t		rows_room;
	uint64		passes;			/* run so far, and their tokens */
	uint64		tokens;
} MobilebertRun;

extern void mobilebert_run_init(MobilebertRun *run);

/*
 * Take a call.  It is done at once, by a later add, or by flush at the latest,
 * and must stay until then.
 */
extern void mobilebert_run_add(MobilebertRun *run, MobilebertCall *call);
extern void mobilebert_run_flush(MobilebertRun *run);

/* Forget the calls that are not done, without touching them. */
extern void mobilebert_run_drop(MobilebertRun *run);

/* A function's whole body: a value, or rows in a tuplestore. */
extern Datum mobilebert_call_value(FunctionCallInfo fcinfo,
								   MobilebertBegin begin);
extern Datum mobilebert_call_rows(FunctionCallInfo fcinfo,
								  MobilebertBegin begin);

/* How calls of a function with one value begin; NULL: not one of those. */
extern MobilebertBegin mobilebert_scalar_begin(PGFunction function);

extern Datum mobilebert_embed(PG_FUNCTION_ARGS);
extern MobilebertCall *mobilebert_embed_begin(FunctionCallInfo fcinfo);
extern Datum mobilebert_similarity(PG_FUNCTION_ARGS);
extern MobilebertCall *mobilebert_similarity_begin(FunctionCallInfo fcinfo);
extern Datum mobilebert_label(PG_FUNCTION_ARGS);
extern MobilebertCall *mobilebert_label_begin(FunctionCallInfo fcinfo);
extern Datum mobilebert_score(PG_FUNCTION_ARGS);
extern MobilebertCall *mobilebert_score_begin(FunctionCallInfo fcinfo);
extern Datum mobilebert_best_label(PG_FUNCTION_ARGS);
extern MobilebertCall *mobilebert_best_label_begin(FunctionCallInfo fcinfo);
extern Datum mobilebert_best_answer(PG_FUNCTION_ARGS);
extern MobilebertCall *mobilebert_best_answer_begin(FunctionCallInfo fcinfo);

extern Datum mobilebert_best_token(PG_FUNCTION_ARGS);
extern MobilebertCall *mobilebert_best_token_begin(FunctionCallInfo fcinfo);
extern Datum mobilebert_pseudo_perplexity(PG_FUNCTION_ARGS);
extern MobilebertCall *mobilebert_pseudo_perplexity_begin(FunctionCallInfo fcinfo);
extern Datum mobilebert_next_sentence(PG_FUNCTION_ARGS);
extern MobilebertCall *mobilebert_next_sentence_begin(FunctionCallInfo fcinfo);
extern Datum mobilebert_best_choice(PG_FUNCTION_ARGS);
extern MobilebertCall *mobilebert_best_choice_begin(FunctionCallInfo fcinfo);
extern Datum mobilebert_entities(PG_FUNCTION_ARGS);
extern MobilebertCall *mobilebert_entities_begin(FunctionCallInfo fcinfo);
extern Datum mobilebert_entities_words(PG_FUNCTION_ARGS);
extern MobilebertCall *mobilebert_entities_words_begin(FunctionCallInfo fcinfo);

extern Datum mobilebert_loss_label(PG_FUNCTION_ARGS);
extern MobilebertCall *mobilebert_loss_label_begin(FunctionCallInfo fcinfo);
extern Datum mobilebert_loss_name(PG_FUNCTION_ARGS);
extern MobilebertCall *mobilebert_loss_name_begin(FunctionCallInfo fcinfo);
extern Datum mobilebert_loss_target(PG_FUNCTION_ARGS);
extern MobilebertCall *mobilebert_loss_target_begin(FunctionCallInfo fcinfo);
extern Datum mobilebert_loss_targets(PG_FUNCTION_ARGS);
extern MobilebertCall *mobilebert_loss_targets_begin(FunctionCallInfo fcinfo);
extern Datum mobilebert_loss_tokens(PG_FUNCTION_ARGS);
extern MobilebertCall *mobilebert_loss_tokens_begin(FunctionCallInfo fcinfo);
extern Datum mobilebert_loss_tags(PG_FUNCTION_ARGS);
extern MobilebertCall *mobilebert_loss_tags_begin(FunctionCallInfo fcinfo);
extern Datum mobilebert_loss_positions(PG_FUNCTION_ARGS);
extern MobilebertCall *mobilebert_loss_positions_begin(FunctionCallInfo fcinfo);
extern Datum mobilebert_loss_answer(PG_FUNCTION_ARGS);
extern MobilebertCall *mobilebert_loss_answer_begin(FunctionCallInfo fcinfo);
extern Datum mobilebert_loss_choice(PG_FUNCTION_ARGS);
extern MobilebertCall *mobilebert_loss_choice_begin(FunctionCallInfo fcinfo);
extern Datum mobilebert_loss_labels_batch(PG_FUNCTION_ARGS);
extern MobilebertCall *mobilebert_loss_labels_batch_begin(FunctionCallInfo fcinfo);
extern Datum mobilebert_loss_targets_batch(PG_FUNCTION_ARGS);
extern MobilebertCall *mobilebert_loss_targets_batch_begin(FunctionCallInfo fcinfo);
extern Datum mobilebert_loss_choice_batch(PG_FUNCTION_ARGS);
extern MobilebertCall *mobilebert_loss_choice_batch_begin(FunctionCallInfo fcinfo);


#endif							/* MOBILEBERT_FUNCTIONS_H */
