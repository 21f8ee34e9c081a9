/*-------------------------------------------------------------------------
 *
 * heads.h
 *	  Logits: what a task's head makes of the last hidden states.
 *
 * One row at a time: who needs few positions (a mask, the first token) pays
 * for those alone.
 *
 * Source: transformers' MobileBertFor... classes; spec model.md section 5.
 * Depends on base/status.h, model/checkpoint.h, model/model.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_HEADS_H
#define MB_HEADS_H

#include "base/status.h"
#include "model/checkpoint.h"
#include "model/model.h"

/* Numbers in a row of logits of a task's head; 0 when the model has no such. */
extern size_t mb_head_width(const mb_model *model, mb_task task);

/*
 * Does the head work on the pooled output, and give one row for a sequence?
 * If not it gives a row for each token.
 */
extern bool mb_head_pooled(mb_task task);

/* Floats of scratch that any head of the model needs. */
extern size_t mb_head_scratch(const mb_model *model);

/*
 * One row of logits.  state [H]: the last hidden state of the token, or for a
 * pooled head that of the first token, which is pooled here; scratch
 * [mb_head_scratch]; out [mb_head_width].  Sums are in double.
 *
 * Errors: MB_ERR_UNSUPPORTED the model has no such head, or no pooler for it;
 * MB_ERR_CANCELLED.
 */
extern mb_status mb_head_logits(const mb_model *model, mb_task task,
								const float *state, float *scratch, float *out,
								const mb_cancel *cancel, mb_error *err);

#endif							/* MB_HEADS_H */
