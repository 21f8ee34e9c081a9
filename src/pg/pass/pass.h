/*-------------------------------------------------------------------------
 *
 * pass.h
 *	  A packed pass over the network.
 *
 * Depends on server/pg.h, models/model_cache.h, pass/sequences.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_PASS_H
#define MOBILEBERT_PASS_H

#include "server/pg.h"
#include "models/model_cache.h"
#include "pass/sequences.h"

/*
 * A pass that is being filled: sequences packed one after another.  Everything lies
 * in the current context of mobilebert_pass_init and grows as needed.
 */
typedef struct MobilebertPass
{
	const MobilebertModel *model;
	size_t		sequences;
	size_t		tokens;
	size_t		longest;
	size_t	   *starts;			/* [sequences + 1] */
	int32	   *ids;			/* [tokens] */
	int32	   *types;			/* [tokens] */
	uint8	   *pad_after;		/* [sequences] */
	bool		first_only;		/* as in mb_batch */
	size_t		sequences_room;
	size_t		tokens_room;
	ErrorData  *failure;		/* an observer returned MB_ERR_IO for this */
} MobilebertPass;

extern void mobilebert_pass_init(MobilebertPass *pass,
								 const MobilebertModel *model);
extern void mobilebert_pass_add(MobilebertPass *pass,
								const MobilebertSequence *sequence);
extern void mobilebert_pass_clear(MobilebertPass *pass);

/*
 * Would a pass with one more sequence stay within mobilebert.batch_tokens and
 * mobilebert.memory_limit?
 */
extern bool mobilebert_pass_fits(const MobilebertPass *pass, size_t length);

/*
 * Run the first "layers" layers over the pass.  Returns the workspace, to be
 * released by the caller when it is done with *states [tokens, H], or
 * [sequences, H] for a pass of first tokens only.
 */
extern void *mobilebert_pass_run(const MobilebertPass *pass,
								 const uint8 *mask, size_t layers,
								 const mb_observer *observer,
								 const float **states);

#endif							/* MOBILEBERT_PASS_H */
