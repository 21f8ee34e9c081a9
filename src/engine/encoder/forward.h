/*-------------------------------------------------------------------------
 *
 * forward.h
 *	  The encoder: a packed batch of token sequences in, hidden states out.
 *
 * "Packed" means the tokens of all sequences one after another, no padding;
 * attention sees its own sequence only.  One text is a batch of one: there is
 * no other code path.  A row's bits do not depend on its batch mates.
 *
 * Source: transformers' MobileBertModel; spec model.md sections 2 to 4, 6, 7.
 * Depends on base/status.h, encoder/batch.h, model/model.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_FORWARD_H
#define MB_FORWARD_H

#include "base/status.h"
#include "encoder/batch.h"
#include "model/model.h"

/*
 * Bytes of workspace a pass over so many tokens needs, the longest sequence
 * having "longest" of them; SIZE_MAX when that is beyond size_t.
 */
extern size_t mb_forward_memory(const mb_model *model, size_t tokens,
								size_t longest);

/*
 * Run the embeddings and the first "layers" layers (model->config.layers for
 * all).  workspace: 64-byte aligned, as large as mb_forward_memory says.
 * *states points into it: [tokens, H], or [B, H] when first_only.
 *
 * Errors: MB_ERR_LIMIT a sequence longer than the configuration's max_tokens (message
 * names both numbers); MB_ERR_ARGUMENT an id or type outside its table
 * (types are not looked at when the model has none), an empty sequence, a mask of all 0; MB_ERR_CANCELLED.
 */
extern mb_status mb_forward(const mb_model *model, const mb_batch *batch,
							size_t layers, const mb_observer *observer,
							const mb_cancel *cancel,
							void *workspace, size_t workspace_size,
							const float **states, mb_error *err);

#endif							/* MB_FORWARD_H */
