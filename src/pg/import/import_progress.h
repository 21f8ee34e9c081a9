/*-------------------------------------------------------------------------
 *
 * import_progress.h
 *	  How far an import has come: for other sessions, and for the client.
 *
 * Depends on server/pg.h, import/import_model.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_IMPORT_PROGRESS_H
#define MOBILEBERT_IMPORT_PROGRESS_H

#include "server/pg.h"
#include "import/import_model.h"

/* Says how large the model is, before its tensors are read. */
extern void import_progress_begin(Import *import);

/* What is done with all tensors now, and how many bytes more of them are. */
extern void import_progress_phase(Import *import, ImportPhase phase);
extern void import_progress_add(Import *import, uint64 bytes);

extern void import_progress_end(void);

#endif							/* MOBILEBERT_IMPORT_PROGRESS_H */
