/*-------------------------------------------------------------------------
 *
 * import_progress.h
 *	  What an import of a large model tells its client while it runs.
 *
 * Depends on server/pg.h, import/import_model.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_IMPORT_PROGRESS_H
#define MOBILEBERT_IMPORT_PROGRESS_H

#include "server/pg.h"
#include "import/import_model.h"

/* Says how large the model is: before its tensors are read. */
extern void import_progress_begin(Import *import);

/*
 * Tensors are now "read" or "stored", from the first on; then how many bytes
 * more of them are.
 */
extern void import_progress_phase(Import *import, const char *phase);
extern void import_progress_add(Import *import, uint64 bytes);

#endif							/* MOBILEBERT_IMPORT_PROGRESS_H */
