/*-------------------------------------------------------------------------
 *
 * import.h
 *	  An import from its beginning to its end.
 *
 * Depends on server/pg.h, import/import_model.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_IMPORT_H
#define MOBILEBERT_IMPORT_H

#include "server/pg.h"
#include "import/import_model.h"

/*
 * Begin the import of a model of that name; precision NULL: fp32.  "command"
 * names the function in errors: "import_model()".
 */
extern void import_begin(Import *import, const char *command, text *name,
						 text *precision);

/* Check, hash and store what import_read.h read. */
extern void import_run(Import *import);

/* Its row of mobilebert.models: a mobilebert.model_info. */
extern Datum import_model_info(FunctionCallInfo fcinfo,
							   const Import *import);

#endif							/* MOBILEBERT_IMPORT_H */
