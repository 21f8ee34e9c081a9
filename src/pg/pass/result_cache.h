/*-------------------------------------------------------------------------
 *
 * result_cache.h
 *	  Recent embeddings of this backend, by model, options and text.
 *
 * Depends on server/pg.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_RESULT_CACHE_H
#define MOBILEBERT_RESULT_CACHE_H

#include "server/pg.h"

extern void mobilebert_result_cache_init(void);
extern const float *mobilebert_result_find(const void *key, size_t key_size,
										   size_t *count);
extern void mobilebert_result_store(const void *key, size_t key_size,
									const float *values, size_t count);

#endif							/* MOBILEBERT_RESULT_CACHE_H */
