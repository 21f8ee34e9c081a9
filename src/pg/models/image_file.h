/*-------------------------------------------------------------------------
 *
 * image_file.h
 *	  Making, finding and removing image files.
 *
 * Depends on server/pg.h, models/registry.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_IMAGE_FILE_H
#define MOBILEBERT_IMAGE_FILE_H

#include "server/pg.h"
#include "models/registry.h"

typedef struct ImageBytes
{
	const void *bytes;
	size_t		size;
	bool		shared;
} ImageBytes;

/* Find or make the image of a model; opened into *image. */
extern void image_file_load(const RegistryModel *model, MemoryContext context,
							ImageBytes *bytes, mb_image *image);
extern void image_file_unload(ImageBytes *bytes);

/* Remove files of this database that no model needs any more. */
extern void image_file_clean(void);

#endif							/* MOBILEBERT_IMAGE_FILE_H */
