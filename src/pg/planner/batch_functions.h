/*-------------------------------------------------------------------------
 *
 * batch_functions.h
 *	  Which functions are gathered over the rows of a query.
 *
 * Depends on server/pg.h, pass/calls.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_BATCH_FUNCTIONS_H
#define MOBILEBERT_BATCH_FUNCTIONS_H

#include "server/pg.h"
#include "pass/calls.h"

/* How calls of the function begin; NULL: they are not gathered. */
extern MobilebertBegin mobilebert_batched_function(Oid function);

#endif							/* MOBILEBERT_BATCH_FUNCTIONS_H */
