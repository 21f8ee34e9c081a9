/*-------------------------------------------------------------------------
 *
 * scores.h
 *	  From logits to scores: softmax, sigmoid, cross entropy, the best few.
 *
 * Results are floats as Hugging Face's; what lies between is double, with the
 * maximum subtracted, so no finite logits overflow.
 *
 * Source: spec pipelines.md (common rules), model.md section 5.
 * Depends on libc only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_SCORES_H
#define MB_SCORES_H

#include <stddef.h>

/* log(sum of exp(logits)), count >= 1 */
extern double mb_log_sum_exp(const float *logits, size_t count);

/* out [count]; may be logits itself.  A NaN gives NaN everywhere. */
extern void mb_softmax(const float *logits, size_t count, float *out);

extern float mb_sigmoid(float logit);

/* -log softmax(logits)[label] */
extern double mb_cross_entropy(const float *logits, size_t count,
							   size_t label);

/* The largest; the first of equals.  NaN is smaller than any number. */
extern size_t mb_argmax(const float *values, size_t count);

/*
 * Indexes of the "top" largest values, largest first, equals by index; returns
 * how many there are: min(top, count).  best [min(top, count)].  NaN comes
 * last.  n log(top) steps.
 */
extern size_t mb_top(const float *values, size_t count, size_t top,
					 size_t *best);

#endif							/* MB_SCORES_H */
