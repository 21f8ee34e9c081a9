/*-------------------------------------------------------------------------
 *
 * attention.h
 *	  Attention of one sequence: softmax(Q K' / root D + bias) V, head by head.
 *
 * Depends on base/status.h, encoder/pass.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_ATTENTION_H
#define MB_ATTENTION_H

#include "base/status.h"
#include "encoder/pass.h"

/*
 * Q, K and V of a sequence in a layer; the context takes the place of Q.  With
 * first_only Q has a row for each sequence, else one for each token.
 */
extern mb_status mb_attend(const mb_pass *p, size_t layer, size_t sequence,
						   bool first_only);

#endif							/* MB_ATTENTION_H */
