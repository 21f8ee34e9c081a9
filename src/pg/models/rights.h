/*-------------------------------------------------------------------------
 *
 * rights.h
 *	  Who may use a model, and who may change it.
 *
 * Depends on server/pg.h, models/registry.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_RIGHTS_H
#define MOBILEBERT_RIGHTS_H

#include "server/pg.h"
#include "models/registry.h"

/* May a user drop, rename, grant and give this model? */
extern bool rights_owned_by(const RegistryModel *model, Oid user);

/* May the current user, or that one, use it and all that it stands on? */
extern bool rights_may_use(const RegistryModel *model);
extern bool rights_may_be_used_by(const RegistryModel *model, Oid user);

/*
 * What stands in the way of a role that was granted the model (InvalidOid:
 * public), said to a user as a sentence without its end; NULL: nothing.
 */
extern char *rights_obstacle(const RegistryModel *model, Oid role, Oid user);

/* Error: the current user may not use the model. */
pg_noreturn extern void rights_denied(const RegistryModel *model);

/* In ereport: says so where the role that owned the model is gone. */
extern int	rights_owner_hint(const RegistryModel *model);

/* Up to five names of usable models with a task, "a", "b"; "" when none. */
extern char *rights_names_with_task(uint32 task);

#endif							/* MOBILEBERT_RIGHTS_H */
