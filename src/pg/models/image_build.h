/*-------------------------------------------------------------------------
 *
 * image_build.h
 *	  A weight image of a registered model, for whoever takes its bytes.
 *
 * Depends on server/pg.h, models/registry.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_IMAGE_BUILD_H
#define MOBILEBERT_IMAGE_BUILD_H

#include "server/pg.h"
#include "models/registry.h"

typedef struct ImageBuild ImageBuild;

/* An error when this version does not know it: a dump may be of a newer one. */
extern mb_precision image_precision(const RegistryModel *model);

/*
 * Read all but the tensors, under a snapshot that is kept until the end.  The
 * build is a context of its own below the current one.
 */
extern ImageBuild *image_build_begin(const RegistryModel *model);
extern void image_build_end(ImageBuild *build);

/* Bytes of the whole image. */
extern size_t image_build_size(const ImageBuild *build);

/* Takes bytes of the image: see mb_image_io. */
typedef mb_status (*ImagePut) (void *context, size_t offset, const void *bytes,
							   size_t size, mb_error *err);

/*
 * Read the tensors and put the image.  Errors of the server are raised; what
 * else ended it is the result.
 */
extern mb_status image_build_write(ImageBuild *build, ImagePut put,
								   void *context, mb_error *err);

#endif							/* MOBILEBERT_IMAGE_BUILD_H */
