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

extern void mobilebert_support_init(void);

#endif							/* MOBILEBERT_SUPPORT_H */
