/*-------------------------------------------------------------------------
 *
 * batched.h
 *	  Functions that give one value for a call, and how their calls begin.
 *
 * They may be gathered over the rows of a query (planner/batch_functions.c).
 *
 * Depends on server/pg.h, pass/calls.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_BATCHED_H
#define MOBILEBERT_BATCHED_H

#include "server/pg.h"
#include "pass/calls.h"

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

#endif							/* MOBILEBERT_BATCHED_H */
