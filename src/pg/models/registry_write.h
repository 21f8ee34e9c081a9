/*-------------------------------------------------------------------------
 *
 * registry_write.h
 *	  Changing the registry's tables.
 *
 * Depends on server/pg.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_REGISTRY_WRITE_H
#define MOBILEBERT_REGISTRY_WRITE_H

#include "server/pg.h"

/*
 * Between begin and end SPI is connected, the user is the tables' owner,
 * search_path is pg_catalog alone.  Takes the lock that serialises writers.
 */
typedef struct RegistryWrite
{
	Oid			user;
	int			security;
	int			guc_level;
} RegistryWrite;

/* "what" names the command in errors: "import_model()". */
extern void registry_write_begin(RegistryWrite *write, const char *what);
extern void registry_write_end(RegistryWrite *write);

/* Run one statement with parameters; returns rows processed. */
extern uint64 registry_execute(const char *sql, int count, const Oid *types,
							   const Datum *values, const char *nulls);

/* Remove all rows that belong to no model (inside begin/end). */
extern void registry_collect(void);

#endif							/* MOBILEBERT_REGISTRY_WRITE_H */
