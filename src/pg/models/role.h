/*-------------------------------------------------------------------------
 *
 * role.h
 *	  The roles that the registry's rows name: owners and grantees.
 *
 * Depends on server/pg.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_ROLE_H
#define MOBILEBERT_ROLE_H

#include "server/pg.h"

/* What is kept beside a name: which cluster the OID is of. */
extern int64 role_cluster(void);

/*
 * The role that a row means; InvalidOid: it is gone, or was never here.  No
 * role is meant by its name alone.
 */
extern Oid	role_meant(const char *name, Oid oid, int64 cluster);

/* Error unless a user may give what is theirs to that role. */
extern void role_check_giving(Oid user, Oid role);

#endif							/* MOBILEBERT_ROLE_H */
