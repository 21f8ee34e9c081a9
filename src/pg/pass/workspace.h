/*-------------------------------------------------------------------------
 *
 * workspace.h
 *	  Memory of a pass.
 *
 * Depends on server/pg.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_WORKSPACE_H
#define MOBILEBERT_WORKSPACE_H

#include "server/pg.h"

/* An error unless a pass may take so much. */
extern void mobilebert_workspace_check(size_t size);

/* A workspace for one pass, after that check; only one pass runs at a time. */
extern void *mobilebert_workspace(size_t size);
extern void mobilebert_workspace_release(void *workspace);

#endif							/* MOBILEBERT_WORKSPACE_H */
