/*-------------------------------------------------------------------------
 *
 * image_layout.h
 *	  How the bytes of a weight image lie: shared by what writes images and
 *	  what opens them, and nobody else's.
 *
 *	offset 0		image_header
 *	after it		uint64_t slot_offsets[slots]; 0: not filled
 *	after it		uint8_t slot_formats[slots]; mb_format
 *	head_size		first section; every section begins at a multiple of 64,
 *					and the bytes between sections are zero
 *
 * Sections are the tokenizer blob, config.json as imported, and each filled
 * slot in slot order, which is the order of use: the encoder's linear layers in
 * the format that the head names (panels.h), all else as float32.  Nothing in
 * it is a pointer.
 *
 * Numbers are in the machine's own order and structs in the compiler's own
 * layout: an image never leaves the machine that made it, and one that did is
 * told by the magic number's byte order and the sizes of the structs.
 *
 * Depends on base/arena.h, base/crc32c.h, kernels/panels.h,
 * model/checkpoint.h, model/config.h, model/settings.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_IMAGE_LAYOUT_H
#define MB_IMAGE_LAYOUT_H

#include "base/arena.h"
#include "base/crc32c.h"
#include "kernels/panels.h"
#include "model/checkpoint.h"
#include "model/config.h"
#include "model/settings.h"

#include <string.h>

#define MB_IMAGE_LAYOUT 9
#define MB_IMAGE_KEY 32			/* bytes of the content key (SHA-256) */

#define MB_IMAGE_MAGIC UINT64_C(0x314547414D49424D) /* "MBIMAGE1" */
#define MB_IMAGE_ALIGN 64
#define MB_INSTRUCTION_SET_MAX 16

typedef struct mb_image_header
{
	uint64_t	magic;
	uint32_t	layout;			/* MB_IMAGE_LAYOUT */
	uint32_t	struct_sizes;	/* of header, mb_config and settings, added */
	uint64_t	head_size;
	uint64_t	total_size;
	uint8_t		key[MB_IMAGE_KEY];
	char		instruction_set[MB_INSTRUCTION_SET_MAX];	/* zero-padded */
	uint32_t	parts;
	uint32_t	data_crc;		/* of [head_size, total_size) */
	uint64_t	tokenizer_offset;
	uint64_t	tokenizer_size;
	uint64_t	document_offset;
	uint64_t	document_size;
	uint64_t	slots;
	mb_config	config;
	mb_sentence_settings settings;
	uint32_t	precision;		/* mb_precision */
	uint32_t	head_crc;		/* of [0, head_size) with this field zero */
} mb_image_header;

#define MB_IMAGE_STRUCT_SIZES \
	((uint32_t) (sizeof(mb_image_header) + sizeof(mb_config) + \
				 sizeof(mb_sentence_settings)))

/* Round *size up to a multiple of MB_IMAGE_ALIGN; false on overflow. */
static inline bool
mb_image_align(size_t *size)
{
	if (!mb_size_add(*size, MB_IMAGE_ALIGN - 1, size))
		return false;
	*size -= *size % MB_IMAGE_ALIGN;
	return true;
}

/* Bytes of the head for so many slots; false on overflow. */
static inline bool
mb_image_head_size(size_t slots, size_t *size)
{
	return mb_size_multiply(slots, sizeof(uint64_t) + 1, size) &&
		mb_size_add(*size, sizeof(mb_image_header), size) &&
		mb_image_align(size);
}

/* Bytes of a slot in a format; false on overflow. */
static inline bool
mb_image_slot_size(const mb_config *config, size_t slot, mb_format format,
				   size_t *size)
{
	uint64_t	shape[2];

	(void) mb_slot_linear(config, slot, shape);
	return shape[0] <= SIZE_MAX && shape[1] <= SIZE_MAX &&
		mb_format_size(format, (size_t) shape[1], (size_t) shape[0], size);
}

/* CRC of the head as if head_crc were zero. */
static inline uint32_t
mb_image_head_crc(const void *head, size_t size)
{
	static const uint8_t zero[sizeof(uint32_t)];
	const uint8_t *bytes = head;
	size_t		field = offsetof(mb_image_header, head_crc);
	size_t		after = field + sizeof(zero);
	uint32_t	crc = mb_crc32c(0, bytes, field);

	crc = mb_crc32c(crc, zero, sizeof(zero));
	return mb_crc32c(crc, bytes + after, size - after);
}

/* Names longer than the field are cut, on both sides of a comparison. */
static inline void
mb_image_set_name(char field[MB_INSTRUCTION_SET_MAX], const char *name)
{
	size_t		length = strlen(name);

	memset(field, 0, MB_INSTRUCTION_SET_MAX);
	memcpy(field, name, length < MB_INSTRUCTION_SET_MAX ? length :
		   MB_INSTRUCTION_SET_MAX);
}

#endif							/* MB_IMAGE_LAYOUT_H */
