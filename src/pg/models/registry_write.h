/*-------------------------------------------------------------------------
 *
 * registry_write.h
 *	  Changing the registry's tables.
 *
 * First registry_lock(), then checks (what was looked at before may have
 * changed while the lock was waited for), then statements between
 * registry_write_begin() and registry_write_end().
 *
 * Depends on server/pg.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_REGISTRY_WRITE_H
#define MOBILEBERT_REGISTRY_WRITE_H

#include "server/pg.h"

#include "executor/spi.h"

/*
 * Keep the models of these names, whether they exist or not, from being changed
 * by others until the transaction ends; other_name may be NULL.  "what" names
 * the command in errors: "import_model()".
 */
extern void registry_lock(const char *what, const char *name,
						  const char *other_name);

/* Wait for whoever is changing the model of this name; keep nobody waiting. */
extern void registry_wait(const char *name);

/*
 * Between begin and end SPI is connected, the user is the tables' owner,
 * search_path is pg_catalog alone.
 */
typedef struct RegistryWrite
{
	Oid			user;
	int			security;
	int			guc_level;
} RegistryWrite;

extern void registry_write_begin(RegistryWrite *write, const char *what);
extern void registry_write_end(RegistryWrite *write);

/* Run one statement with parameters; returns rows processed. */
extern uint64 registry_execute(const char *sql, int count, const Oid *types,
							   const Datum *values, const char *nulls);

/* The same in two steps, for a statement that is run often. */
extern SPIPlanPtr registry_prepare(const char *sql, int count,
								   const Oid *types);
extern uint64 registry_run(SPIPlanPtr plan, const Datum *values,
						   const char *nulls);

/*
 * When the transaction commits, remove tensors that no model uses any more, and
 * whatever else belongs to no model.
 */
extern void registry_collect(void);

#endif							/* MOBILEBERT_REGISTRY_WRITE_H */
