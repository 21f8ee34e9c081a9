/*-------------------------------------------------------------------------
 *
 * embed.h
 *	  A text on its way to its vector.
 *
 * Depends on server/pg.h, server/options.h, models/model_cache.h,
 * pass/calls.h, pass/sequences.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_EMBED_H
#define MOBILEBERT_EMBED_H

#include "server/pg.h"
#include "server/options.h"
#include "models/model_cache.h"
#include "pass/calls.h"
#include "pass/sequences.h"

typedef struct EmbedOptions
{
	mb_poolings pooling;		/* 0: not given */
	bool		own;			/* the model's own pooling, and what follows it */
	bool		normalize;		/* the whole vector */
	bool		renormalize;	/* what was kept of it */
	size_t		layers;			/* hidden_states[layers] is pooled */
	MobilebertOverflow overflow;
	size_t		limit;			/* tokens of a window; 0: the model's own */
	size_t		stride;
	size_t		asked;			/* option "dimensions"; 0: not given */
	size_t		pooled;			/* floats of what was pooled */
	size_t		room;			/* of the longest vector on the way */
	size_t		whole;			/* of the vector before it is cut */
	size_t		dimension;		/* floats of a vector */
} EmbedOptions;

/* What the texts of one SQL call have in common. */
typedef struct EmbedPlan
{
	FunctionCallInfo fcinfo;
	const MobilebertModel *model;
	EmbedOptions options;
	text	   *prompt;			/* stands before each text; NULL: none */
	size_t		prompt_tokens;	/* at the beginning that are not pooled */
	MemoryContext context;		/* vectors and what they are pooled in */
} EmbedPlan;

/* A text on its way to its vector: a call (pass/calls.h). */
typedef struct EmbedJob
{
	MobilebertCall call;
	const EmbedPlan *plan;
	text	   *input;
	Oid			role;			/* that asks */
	MobilebertInput *in;		/* until its last sequence is in a pass */
	bool		running;		/* taken by the run, not known yet */
	size_t		cut_tokens;		/* of the whole text when it was cut, else 0 */
	mb_pool    *pool;			/* from the first window to the last */
	float	   *vector;			/* [dimension]; NULL until it is known */
} EmbedJob;

/* The value of option "pooling"; 0 when it is NULL. */
extern mb_poolings embed_pooling(text *value);

/* Nothing is known but the call and its memory, the current context. */
extern void embed_plan_init(EmbedPlan *plan, FunctionCallInfo fcinfo);

/*
 * Arguments 1 to 4, which the forms for texts and for ids share, and
 * "dimensions".
 */
extern void embed_options_model(EmbedPlan *plan, int dimensions);

/* All arguments of embed(text) and embed(text[]), from the beginning. */
extern void embed_options_read(EmbedPlan *plan, FunctionCallInfo fcinfo);

/*
 * Those of a form that has the model as argument n, and takes the prompt of
 * that name, or with NULL the model's default.  Where it has no max_length or
 * dimensions, these are arguments that it does not have either.
 */
extern void embed_options_default(EmbedPlan *plan, FunctionCallInfo fcinfo,
								  int n, const char *prompt_name,
								  int max_length, int dimensions);

/*
 * Those of the vector that a classifier was fitted on: its layer and pooling,
 * divided by the length, with the model's default prompt; cut.
 */
extern void embed_options_fitted(EmbedPlan *plan, FunctionCallInfo fcinfo,
								 const MobilebertModel *model,
								 const mb_classifier *classifier);

/* Pooling, in the plan's context; the vector has the plan's dimension. */
extern mb_pool *embed_pool_begin(const EmbedPlan *plan);
extern float *embed_pool_end(const EmbedPlan *plan, mb_pool *pool);


extern void embed_job_init(EmbedJob *job, const EmbedPlan *plan, text *input);

/*
 * Look into the cache, else read the text; the current context holds its
 * tokens.
 */
extern void embed_job_begin(EmbedJob *job);

/* What a job does as a call, for one that has several. */
extern void embed_job_sequence(MobilebertCall *call, size_t n,
							   MobilebertSequence *sequence);
extern void embed_job_take(MobilebertCall *call, size_t n,
						   const MobilebertSequence *sequence,
						   const float *states);

#endif							/* MOBILEBERT_EMBED_H */
