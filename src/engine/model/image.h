/*-------------------------------------------------------------------------
 *
 * image.h
 *	  The weight image: one model as one block of bytes that can be mapped.
 *
 * An image is made for one layout version, instruction set and precision and
 * carries the SHA-256 of what it was made from; anything else is stale and made
 * anew (image_write.h).  image_layout.h says how its bytes lie.
 *
 * mb_image_open() checks head and sizes.  The CRC over the data is separate
 * because it costs a reading of the whole file: mb_crc32c() over the bytes from
 * head_size on is to be data_crc.
 *
 * Depends on base/arena.h, base/status.h, kernels/kernels.h, model/config.h,
 * model/image_layout.h, model/model.h, model/settings.h,
 * tokenizer/tokenizer.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_IMAGE_H
#define MB_IMAGE_H

#include "base/arena.h"
#include "base/status.h"
#include "kernels/kernels.h"
#include "model/config.h"
#include "model/image_layout.h"
#include "model/model.h"
#include "model/settings.h"
#include "tokenizer/tokenizer.h"

typedef struct mb_image
{
	mb_config	config;
	mb_sentence_settings settings;
	uint32_t	parts;
	mb_precision precision;
	uint32_t	data_crc;
	size_t		head_size;
	mb_tokenizer tokenizer;
	mb_model	model;
	const char *document;		/* config.json, not zero-terminated */
	size_t		document_size;
} mb_image;

/*
 * Check and bind.  Every mismatch (magic, layout, instruction set, precision,
 * key, size, head CRC, an offset outside) is an error, MB_ERR_DATA or, for
 * what another version wrote, MB_ERR_UNSUPPORTED: the caller makes a new image.
 * MB_ERR_MEMORY says nothing about the image.
 */
extern mb_status mb_image_open(const void *bytes, size_t size,
							   const mb_kernels *kernels,
							   mb_precision precision,
							   const uint8_t key[MB_IMAGE_KEY],
							   mb_arena *arena, mb_image *image,
							   mb_error *err);

#endif							/* MB_IMAGE_H */
