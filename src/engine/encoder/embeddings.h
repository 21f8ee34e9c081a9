/*-------------------------------------------------------------------------
 *
 * embeddings.h
 *	  From token ids to the input of the first layer.
 *
 * Depends on base/status.h, encoder/pass.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_EMBEDDINGS_H
#define MB_EMBEDDINGS_H

#include "base/status.h"
#include "encoder/pass.h"

/* All rows of h: MobileBertEmbeddings (model.md 2.1). */
extern mb_status mb_embed(const mb_pass *p);

#endif							/* MB_EMBEDDINGS_H */
