/*-------------------------------------------------------------------------
 *
 * model_cache.h
 *	  From a model's name to a model that is ready to run.
 *
 * Depends on server/pg.h, models/registry.h, models/stats.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_MODEL_CACHE_H
#define MOBILEBERT_MODEL_CACHE_H

#include "server/pg.h"
#include "models/registry.h"
#include "models/stats.h"

typedef struct MobilebertModel
{
	char	   *name;			/* as asked for */
	RegistryModel *registry;
	mb_image	image;
	const void *bytes;			/* the image */
	size_t		size;
	bool		shared;			/* mapped from a file, not private memory */
	struct MobilebertLabels *labels;	/* those asked for so far (labels.c) */
	struct MobilebertPrompts *prompts;	/* likewise (prompts.c) */
	struct MobilebertFitted *fitted;	/* what it is if it is a fitted classifier ... */
	bool		fitted_known;	/* ... once that was asked (fitted.c) */
	MobilebertStats *stats;		/* its counters; NULL: not counted */
} MobilebertModel;

/*
 * A task in all places here that take one: zero_shot() asks a classifier, or
 * compares vectors where a model has none, and has a default model of its own,
 * for label()'s says nothing of entailment.  Where there is none it is that of
 * classifiers, else that of embed.
 */
#define MOBILEBERT_ZERO_SHOT ((mb_task) (1U << MB_TASK_COUNT))

/*
 * The model of that name for a task (0: any), ready to run, usable by the
 * current user.  NULL name: the default model of the task.  Raises an error
 * when there is none, it may not be used, or it lacks the head.  Valid until
 * the end of the transaction.
 */
extern const MobilebertModel *mobilebert_model(text *name, mb_task task);

/* The same without loading weights: only the registry's row. */
extern const RegistryModel *mobilebert_model_row(text *name, mb_task task);

/* A model for the planner (NULL name: the task's default): NULL, no errors. */
extern const RegistryModel *mobilebert_model_peek(const char *name,
												  mb_task task);

/*
 * The model a function is to use: argument n, or the default model when the
 * function was called in the form without arguments after n - 1.  A NULL there
 * is an error: the form with a model is IMMUTABLE and cannot depend on a
 * default that may change.
 */
extern const MobilebertModel *mobilebert_model_argument(FunctionCallInfo fcinfo,
														int n, mb_task task);

/* The name of the default model for a task, or NULL. */
extern char *mobilebert_default_name(mb_task task);

/* The task of a name such as "embed"; error when there is none. */
extern mb_task mobilebert_task(const char *name);

/*
 * The name of a task, the head that it is named after in messages, and all
 * heads of which one is enough for it.
 */
extern const char *mobilebert_task_name(mb_task task);
extern mb_task mobilebert_task_head(mb_task task);
extern uint32 mobilebert_task_heads(mb_task task);

extern void mobilebert_model_cache_init(void);

/* Error: a model lacks the head that a task needs. */
pg_noreturn extern void mobilebert_no_head(const RegistryModel *row,
										   mb_task task);

/*
 * Limit of tokens in one window, template included: the model's positions, or
 * less if the tokenizer's model_max_length says so.  For vectors of texts
 * max_seq_length of sentence-transformers' files takes the latter's place, as
 * it does there.
 */
extern size_t mobilebert_max_tokens(const MobilebertModel *model);
extern size_t mobilebert_embed_tokens(const MobilebertModel *model);
extern size_t mobilebert_token_limit(const mb_config *config,
									 const mb_sentence_settings *settings,
									 const mb_tokenizer *tokenizer);

#endif							/* MOBILEBERT_MODEL_CACHE_H */
