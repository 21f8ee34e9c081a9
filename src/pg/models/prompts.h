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

/*
 * For EXPLAIN, which loads no model: the same, NULL also where there is no such
 * prompt; *name becomes that of the default one.  cross_encoder: only if it is a
 * model of that kind.
 */
extern text *mobilebert_prompt_peek(const RegistryModel *row,
									const char **name, bool cross_encoder);

/* prompt before value; prompt NULL: value itself. */
extern text *mobilebert_prompt_apply(text *prompt, text *value);

#endif							/* MOBILEBERT_PROMPTS_H */
