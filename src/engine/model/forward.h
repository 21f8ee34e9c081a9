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
 * Depends on model/model.h, base/status.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_FORWARD_H
#define MB_FORWARD_H

#include "base/status.h"
#include "model/model.h"

typedef struct mb_batch
{
	size_t		sequences;		/* B */
	const size_t *starts;		/* [B + 1]; starts[0] = 0, starts[B] = tokens */
	const int32_t *ids;			/* [tokens] */
	const int32_t *types;		/* [tokens]; NULL: all 0 */
	const uint8_t *mask;		/* [tokens], 1 = attended to, 0 = not; NULL: all
								 * 1.  A sequence with all 0 is an error. */
	const uint8_t *pad_after;	/* [B]; 1: the trigram neighbour after the last
								 * token is the pad token's row, as if the row
								 * had been padded (model.md 7); NULL: all 0,
								 * the zero vector */
	bool		first_only;		/* the last of the layers is to give the state
								 * of each sequence's first token alone, at
								 * much less work: *states, and what observers
								 * see of that layer, has a row for each
								 * sequence */
} mb_batch;

/*
 * Called between the steps of a pass, with memory that lasts for the call
 * only.  Either function may be NULL.  A status other than MB_OK ends the pass.
 */
typedef struct mb_observer
{
	void	   *context;

	/*
	 * hidden_states[layer]: [tokens, H], of the last one run [B, H] when
	 * first_only; layer 0 is the embeddings' output
	 */
	mb_status	(*hidden) (void *context, size_t layer, const float *states);

	/* rows [first_query, first_query + queries) of P: [queries, L] */
	mb_status	(*attention) (void *context, size_t layer, size_t sequence,
							  size_t head, size_t first_query, size_t queries,
							  const float *probabilities);
} mb_observer;

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
 * Errors: MB_ERR_LIMIT a sequence longer than max_position_embeddings (message
 * names both numbers); MB_ERR_ARGUMENT an id or type outside its table, an
 * empty sequence, a mask of all 0; MB_ERR_CANCELLED.
 */
extern mb_status mb_forward(const mb_model *model, const mb_batch *batch,
							size_t layers, const mb_observer *observer,
							const mb_cancel *cancel,
							void *workspace, size_t workspace_size,
							const float **states, mb_error *err);

#endif							/* MB_FORWARD_H */
