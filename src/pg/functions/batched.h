/*-------------------------------------------------------------------------
 *
 * batched.h
 *	  Functions whose calls may be gathered over the rows of a query.
 *
 * They give one value for a call.  Who adds one names it here, and defines
 * name_begin() and, with MOBILEBERT_VALUE_FUNCTION() of pass/calls.h, name().
 * planner/batch_functions.c looks functions up in this list.
 *
 * Depends on server/pg.h, pass/calls.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_BATCHED_H
#define MOBILEBERT_BATCHED_H

#include "server/pg.h"
#include "pass/calls.h"

#define BATCHED_FUNCTIONS(F) \
	F(mobilebert_embed) \
	F(mobilebert_embed_query) \
	F(mobilebert_embed_document) \
	F(mobilebert_similarity) \
	F(mobilebert_label) \
	F(mobilebert_score) \
	F(mobilebert_uncertainty) \
	F(mobilebert_best_label) \
	F(mobilebert_best_answer) \
	F(mobilebert_best_token) \
	F(mobilebert_pseudo_perplexity) \
	F(mobilebert_next_sentence) \
	F(mobilebert_best_choice) \
	F(mobilebert_entities) \
	F(mobilebert_entities_words) \
	F(mobilebert_redact) \
	F(mobilebert_loss_label) \
	F(mobilebert_loss_name) \
	F(mobilebert_loss_target) \
	F(mobilebert_loss_targets) \
	F(mobilebert_loss_tokens) \
	F(mobilebert_loss_tags) \
	F(mobilebert_loss_positions) \
	F(mobilebert_loss_answer) \
	F(mobilebert_loss_choice) \
	F(mobilebert_loss_labels_batch) \
	F(mobilebert_loss_targets_batch) \
	F(mobilebert_loss_choice_batch)

/* The function, and how its calls begin. */
#define DECLARE_BATCHED_FUNCTION(name) \
	extern Datum name(PG_FUNCTION_ARGS); \
	extern MobilebertCall *name##_begin(FunctionCallInfo fcinfo);

BATCHED_FUNCTIONS(DECLARE_BATCHED_FUNCTION)
#undef DECLARE_BATCHED_FUNCTION

#endif							/* MOBILEBERT_BATCHED_H */
