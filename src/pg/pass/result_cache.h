/*-------------------------------------------------------------------------
 *
 * result_cache.h
 *	  Recent embeddings of this backend, by role, model, options and text.
 *
 * Depends on server/pg.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_RESULT_CACHE_H
#define MOBILEBERT_RESULT_CACHE_H

#include "server/pg.h"

extern void mobilebert_result_cache_init(void);

/* Is the cache on?  When it was turned off, it gives its memory back here. */
extern bool mobilebert_result_cache_on(void);

/* The values of a key, or NULL; they stay until the next call here. */
extern const float *mobilebert_result_find(const void *key, size_t key_size,
										   size_t *count);

/*
 * Keep values; quietly does nothing when they do not fit, or when the key is
 * there already.
 */
extern void mobilebert_result_store(const void *key, size_t key_size,
									const float *values, size_t count);

#endif							/* MOBILEBERT_RESULT_CACHE_H */
