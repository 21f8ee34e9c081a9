/*-------------------------------------------------------------------------
 *
 * pg.h
 *	  What every file of src/pg includes first: the server, the engine, and the
 *	  differences between versions of the server.
 *
 * Only files in src/pg see PostgreSQL's headers, and of the engine they see
 * engine.h alone.
 *
 * Depends on engine/engine.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_PG_H
#define MOBILEBERT_PG_H

#include "postgres.h"

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif
#include "fmgr.h"

#include "engine/engine.h"

/* Server versions: spell the differences once. */
#if PG_VERSION_NUM < 140000
#error "mobilebert needs PostgreSQL 14 or newer"
#endif
#ifndef pg_noreturn				/* new in 18, which dropped the old spelling */
#define pg_noreturn pg_attribute_noreturn()
#endif

#endif							/* MOBILEBERT_PG_H */
