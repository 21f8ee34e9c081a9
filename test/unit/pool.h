/*-------------------------------------------------------------------------
 *
 * pool.h
 *	  A text whose states are all in memory pooled at once, for programs
 *	  without a server.
 *
 * Depends on encoder/pooling.h and libc; functions are static, like tap.h's.
 *
 *-------------------------------------------------------------------------
 */
#ifndef POOL_H
#define POOL_H

#include "encoder/pooling.h"

#include <stdlib.h>

/* states [length, H], mask [length] or NULL; out [mb_pool_width] */
static mb_status
pool_text(const mb_model *model, mb_poolings modes, const float *states,
		  size_t length, const uint8_t *mask, float *out, mb_error *err)
{
	void	   *memory = malloc(mb_pool_memory(model, modes) + 1);
	mb_pool		pool;
	mb_status	status = mb_pool_begin(&pool, model, modes, memory, err);

	if (status == MB_OK)
	{
		mb_pool_add(&pool, states, length, mask);
		status = mb_pool_end(&pool, out, err);
	}
	free(memory);
	return status;
}

#endif							/* POOL_H */
