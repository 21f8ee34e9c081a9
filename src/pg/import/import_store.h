/*-------------------------------------------------------------------------
 *
 * import_store.h
 *	  An import's rows of the registry.
 *
 * Depends on server/pg.h, import/import_model.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_IMPORT_STORE_H
#define MOBILEBERT_IMPORT_STORE_H

#include "server/pg.h"
#include "import/import_model.h"

extern void import_store(Import *import);

#endif							/* MOBILEBERT_IMPORT_STORE_H */
