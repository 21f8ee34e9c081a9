/*-------------------------------------------------------------------------
 *
 * zero_shot.h
 *	  Zero-shot classification around the network: hypotheses from a template,
 *	  scores and order of the labels from the logits of an NLI classifier, or
 *	  from how alike the vectors of text and labels are.
 *
 * Source: transformers' ZeroShotClassificationPipeline; spec pipelines.md
 * section 6; for vectors spec learning.md section 2.
 *
 * Depends on base/arena.h, base/status.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_ZERO_SHOT_H
#define MB_ZERO_SHOT_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/status.h"

/*
 * What Python's template.format(label) gives, for templates with the fields {}
 * and {0} and the braces {{ and }}; *text is allocated in arena.  Templates
 * that Python refuses are MB_ERR_ARGUMENT, and so are fields that format the
 * label, as {0!r} and {:>8} do.  A template over 1 MB or a result over 32 MB is
 * MB_ERR_LIMIT.  The bytes may be of any encoding in which an ASCII byte is an
 * ASCII character.
 */
extern mb_status mb_format_label(const char *template, size_t template_length,
								 const char *label, size_t label_length,
								 mb_arena *arena, char **text, size_t *length,
								 mb_error *err);

/*
 * Scores of count >= 1 labels from the logits for entailment, [count], and
 * contradiction, [count] or NULL: with them each label is scored alone
 * (softmax of two), without them all against each other.  Both may be scores.
 */
extern void mb_zero_shot_scores(const float *entailment,
								const float *contradiction, size_t count,
								float *scores);

/*
 * What cosines are multiplied with before the softmax: the scale with which
 * sentence-transformers' MultipleNegativesRankingLoss, and with it all-MiniLM,
 * is trained.
 */
#define MB_COSINE_SCALE 20.0f

/*
 * Scores of count >= 1 labels from the cosines, [count], between the vectors of
 * a text and of the labels: softmax of MB_COSINE_SCALE times them, all against
 * each other, or with "alone" the cosines themselves.  Both may be scores.
 */
extern void mb_similarity_scores(const float *cosines, size_t count,
								 bool alone, float *scores);

/*
 * order [count]: labels by score, the largest first.  Of equals the later comes
 * first, which is what reversing an ascending sort mostly gives.
 */
extern mb_status mb_zero_shot_order(const float *scores, size_t count,
									mb_arena *arena, size_t *order,
									mb_error *err);

#endif							/* MB_ZERO_SHOT_H */
