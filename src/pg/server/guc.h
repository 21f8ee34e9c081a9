/*-------------------------------------------------------------------------
 *
 * guc.h
 *	  Settings of the extension.
 *
 * Depends on server/pg.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_GUC_H
#define MOBILEBERT_GUC_H

#include "server/pg.h"

extern char *mobilebert_default_model;
extern bool mobilebert_enable_batching;
extern int	mobilebert_batch_tokens;
extern int	mobilebert_cache_size;	/* kB */
extern int	mobilebert_memory_limit;	/* kB */
extern char *mobilebert_instruction_set;

extern void mobilebert_guc_init(void);

#endif							/* MOBILEBERT_GUC_H */
