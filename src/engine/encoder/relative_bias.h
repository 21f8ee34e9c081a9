/*-------------------------------------------------------------------------
 *
 * relative_bias.h
 *	  What attention adds to a score for how far the key is from the query.
 *
 * A model may have a table with a row for each bucket of distances and a column
 * for each head.  Which bucket a pair of tokens is in depends on the key's place
 * less the query's, both counted from the start of their sequence, and on
 * nothing else: so a row of numbers for each head, one for each distance, serves
 * all layers, sequences and queries of a pass.
 *
 * Source: transformers' MPNetEncoder.relative_position_bucket; spec families.md
 * section 3.4.
 * Depends on base/status.h, encoder/pass.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_RELATIVE_BIAS_H
#define MB_RELATIVE_BIAS_H

#include "base/status.h"
#include "encoder/pass.h"

/* The table's row for a key that is so far after the query */
extern size_t mb_relative_bucket(ptrdiff_t distance);

/* Fill memory.attention.bias of a pass whose model has a table. */
extern mb_status mb_spread_bias(const mb_pass *p);

/* The bias of a head for query "query" of a sequence and its key 0 */
extern const float *mb_bias_row(const mb_pass *p, size_t head, size_t query);

#endif							/* MB_RELATIVE_BIAS_H */
