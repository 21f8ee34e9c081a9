/*-------------------------------------------------------------------------
 *
 * image.h
 *	  The weight image: one model as one block of bytes that can be mapped.
 *
 * Layout: header, table of sections, then sections aligned to 64 bytes:
 * tokenizer blob, config.json as imported, and each filled slot in slot order,
 * which is the order of use: the encoder's linear maps in the format that the
 * head names (panels.h), all else as float32.  Nothing in it is a pointer.  An
 * image is made for one layout version, instruction set and precision and
 * carries the SHA-256 of what it was made from; anything else is stale and
 * made anew.
 *
 * Writing: mb_image_plan() computes sizes; the caller writes the bytes of
 * mb_image_head() at offset 0, each section at its offset, and the CRC of the
 * data, in any order.  Reading: mb_image_open() checks head and sizes; the CRC
 * over the data is separate because it costs a reading of the whole file.
 *
 * Depends on model/checkpoint.h, model/config.h, model/model.h,
 * model/precision.h, tokenizer/tokenizer.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_IMAGE_H
#define MB_IMAGE_H

#include "model/checkpoint.h"
#include "model/config.h"
#include "model/model.h"
#include "model/precision.h"
#include "tokenizer/tokenizer.h"

#define MB_IMAGE_LAYOUT 3
#define MB_IMAGE_KEY 32			/* bytes of the content key (SHA-256) */

typedef struct mb_image_plan
{
	size_t		head_size;		/* header and tables, multiple of 64 */
	size_t		tokenizer_offset;
	size_t		tokenizer_size;
	size_t		document_offset;	/* config.json text */
	size_t		document_size;
	size_t		slots;
	size_t	   *slot_offsets;	/* [slots]; 0: slot not filled */
	uint8_t    *slot_formats;	/* [slots] mb_format */
	const mb_kernels *kernels;	/* that the image is for */
	mb_precision precision;
	size_t		total_size;
} mb_image_plan;

/*
 * dtypes[slot]: as what each tensor that is present is stored, or all NULL for
 * float32.
 */
extern mb_status mb_image_plan_make(const mb_config *config,
									const mb_kernels *kernels,
									mb_precision precision,
									const bool *present,
									const mb_dtype *dtypes, size_t tokenizer_size,
									size_t document_size, mb_arena *arena,
									mb_image_plan *plan, mb_error *err);

/* Fill head[plan->head_size].  data_crc: CRC-32C of bytes [head_size, total). */
extern void mb_image_head(const mb_image_plan *plan, const mb_config *config,
						  const mb_sentence_settings *settings, uint32_t parts,
						  const uint8_t key[MB_IMAGE_KEY],
						  uint32_t data_crc, void *head);

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
 * key, size, head CRC, an offset outside) is an error, MB_ERR_DATA or, for what another
 * version wrote, MB_ERR_UNSUPPORTED: the caller makes a new image.
 * MB_ERR_MEMORY says nothing about the image.
 */
extern mb_status mb_image_open(const void *bytes, size_t size,
							   const mb_kernels *kernels,
							   mb_precision precision,
							   const uint8_t key[MB_IMAGE_KEY],
							   mb_arena *arena, mb_image *image,
							   mb_error *err);

#endif							/* MB_IMAGE_H */
