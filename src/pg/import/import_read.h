/*-------------------------------------------------------------------------
 *
 * import_read.h
 *	  Directories, files, large objects -> documents and weight files.
 *
 * Depends on server/pg.h, import/import_model.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_IMPORT_READ_H
#define MOBILEBERT_IMPORT_READ_H

#include "server/pg.h"
#include "import/import_model.h"

extern void import_read_directory(Import *import, const char *directory);
extern void import_open_object(WeightFile *file, Oid object);
extern void import_close(Import *import);

/* The documents of the model that a variant is made of. */
extern void import_read_base(Import *import);

/* size bytes of a file from offset on; an error when there are fewer. */
extern void import_read_bytes(const WeightFile *file, uint64 offset,
							  char *target, size_t size);

/* An error for what a clone without git-lfs has in the place of a file. */
extern void import_refuse_pointer(const char *name, const char *content,
								  size_t size);

#endif							/* MOBILEBERT_IMPORT_READ_H */
