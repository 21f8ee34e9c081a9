/*-------------------------------------------------------------------------
 *
 * import_check.h
 *	  Everything that is checked before anything is written.
 *
 * Depends on server/pg.h, import/import_model.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_IMPORT_CHECK_H
#define MOBILEBERT_IMPORT_CHECK_H

#include "server/pg.h"
#include "import/import_model.h"

extern void import_check(Import *import);

/*
 * Waits for whoever is changing the base model; an error when it, or the current
 * user's right to it, went away since it was checked.
 */
extern void import_base_is_there(const Import *import);

/* That error. */
pg_noreturn extern void import_base_dropped(const Import *import);

#endif							/* MOBILEBERT_IMPORT_CHECK_H */
