/*-------------------------------------------------------------------------
 *
 * prompts.h
 *	  The prompts of a model, as texts in the database encoding.
 *
 * Depends on server/pg.h, models/model_cache.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_PROMPTS_H
#define MOBILEBERT_PROMPTS_H

#include "server/pg.h"
#include "models/model_cache.h"

/*
 * The text of a prompt, NULL when it is empty; name NULL: of the default one.
 * A name that the model does not have is an error that lists those it has.
 */
extern text *mobilebert_prompt(const MobilebertModel *model, const char *name);

/* What is made of a text that may have a prompt before it. */
typedef enum MobilebertPrompted
{
	PROMPTED_VECTOR,			/* always */
	PROMPTED_LABEL,				/* by a fitted classifier */
	PROMPTED_SCORE				/* by that, or a cross-encoder */
} MobilebertPrompted;

/*
 * For EXPLAIN, which loads no model: the same, NULL also where there is no such
 * prompt or the model has none for that; *name becomes that of the default one.
 */
extern text *mobilebert_prompt_peek(const RegistryModel *row,
									MobilebertPrompted what,
									const char **name);

/* prompt before value; prompt NULL: value itself. */
extern text *mobilebert_prompt_apply(text *prompt, text *value);

#endif							/* MOBILEBERT_PROMPTS_H */
