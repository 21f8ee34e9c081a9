/*-------------------------------------------------------------------------
 *
 * classifier.h
 *	  A classifier that was fitted on a model's frozen states: how it is
 *	  described, and what it makes of a text's vector.
 *
 * Its input is a pooled hidden state, of any layer, divided by its length; on
 * that stands one linear layer.  It is kept in two documents beside those of the
 * model that it was fitted on.  "classifier.json" has "id2label" and
 * "problem_type" as a config.json has them, and in "classifier" the "layer", the
 * list "pooling", and what else is to be kept.  "classifier.safetensors" has
 * "weight" [K, width] and "bias" [K].
 *
 * Depends on base/arena.h, base/json.h, base/status.h, kernels/kernels.h,
 * model/config.h, model/labels.h, model/settings.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_CLASSIFIER_H
#define MB_CLASSIFIER_H

#include "base/arena.h"
#include "base/json.h"
#include "base/status.h"
#include "kernels/kernels.h"
#include "model/config.h"
#include "model/labels.h"
#include "model/settings.h"

typedef struct mb_classifier
{
	uint32_t	layer;			/* hidden_states[layer] is pooled */
	mb_poolings pooling;
	mb_labels	labels;			/* [K], and the kind of problem */
	size_t		width;			/* of the pooled state */
	float	   *weight;			/* [K, width] */
	float	   *bias;			/* [K] */
} mb_classifier;

/*
 * Both documents, for a model of that configuration; the second is the bytes of
 * a safetensors file.  All memory comes from arena, but names of labels lie in
 * the first.  Errors: MB_ERR_DATA what cannot be a classifier of this model: a
 * layer that it does not have, sizes that do not fit together, numbers that are
 * not finite.
 */
extern mb_status mb_classifier_read(const mb_json *root, const void *weights,
									size_t weights_size,
									const mb_config *config, mb_arena *arena,
									const mb_cancel *cancel,
									mb_classifier *classifier, mb_error *err);

/* Bytes of "classifier.safetensors" for so many outputs; false on overflow. */
extern bool mb_classifier_weights_size(size_t outputs, size_t width,
									   size_t *size);

/* That file: out [mb_classifier_weights_size]. */
extern void mb_classifier_weights_write(const float *weight,
										const float *bias, size_t outputs,
										size_t width, void *out);

/*
 * out [K] of a vector [width] that was divided by its length; sums in double.
 * Errors: MB_ERR_CANCELLED.
 */
extern mb_status mb_classifier_logits(const mb_classifier *classifier,
									  const mb_kernels *kernels,
									  const float *vector, float *out,
									  const mb_cancel *cancel, mb_error *err);

#endif							/* MB_CLASSIFIER_H */
