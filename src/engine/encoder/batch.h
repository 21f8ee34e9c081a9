/*-------------------------------------------------------------------------
 *
 * batch.h
 *	  What a pass is given: sequences of tokens, and an observer.
 *
 * Depends on base/status.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_BATCH_H
#define MB_BATCH_H

#include "base/status.h"

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

#endif							/* MB_BATCH_H */
