/*-------------------------------------------------------------------------
 *
 * dependants.h
 *	  What in a database names a model: columns, indexes, views and their kin.
 *
 * Depends on server/pg.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_DEPENDANTS_H
#define MOBILEBERT_DEPENDANTS_H

#include "server/pg.h"

/*
 * WARNING when objects of the database name a model that is about to lose its
 * name.  Between registry_write_begin() and its end.
 */
extern void dependants_warn(const char *name);

#endif							/* MOBILEBERT_DEPENDANTS_H */
