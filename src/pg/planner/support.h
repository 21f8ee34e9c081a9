/*-------------------------------------------------------------------------
 *
 * support.h
 *	  Planner support: what a call of the network costs.
 *
 * Depends on server/pg.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_SUPPORT_H
#define MOBILEBERT_SUPPORT_H

#include "server/pg.h"

#include "nodes/primnodes.h"

/*
 * The prompt that a call gets without naming one, as EXPLAIN shows it; NULL
 * where there is none, or planning cannot know it.
 */
extern char *mobilebert_prompt_of_call(FuncExpr *call);

extern void mobilebert_support_init(void);

#endif							/* MOBILEBERT_SUPPORT_H */
