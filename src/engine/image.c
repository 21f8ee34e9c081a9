/*-------------------------------------------------------------------------
 *
 * image.c
 *	  Laying out a weight image, writing its head and opening it again.
 *
 *	offset 0		image_header
 *	behind it		uint64_t slot_offsets[slots]; 0: not filled
 *	head_size		first section; every section begins at a multiple of 64,
 *					and the bytes between sections are zero
 *
 * Numbers are in the machine's own order and structs in the compiler's own
 * layout: an image never leaves the machine that made it, and one that did is
 * told by the magic number's byte order and the sizes of the structs.
 *
 * The head's CRC finds damage, not malice, so opening checks every offset and
 * the configuration as well.  After that no access through the mb_image can
 * leave the bytes.  It costs a few steps per slot and touches no page of the
 * weights.
 *
 * Depends on image.h and libc.
 *
 *-------------------------------------------------------------------------
 */
#include "image.h"

#include <string.h>

#define IMAGE_MAGIC UINT64_C(0x314547414D49424D)	/* "MBIMAGE1" */
#define IMAGE_ALIGN 64
#define INSTRUCTION_SET_MAX 16

typedef struct image_header
{
	uint64_t	magic;
	uint32_t	layout;			/* MB_IMAGE_LAYOUT */
	uint32_t	struct_sizes;	/* of header, mb_config and settings, added */
	uint64_t	head_size;
	uint64_t	total_size;
	uint8_t		key[MB_IMAGE_KEY];
	char		instruction_set[INSTRUCTION_SET_MAX];	/* zero-padded */
	uint32_t	parts;
	uint32_t	data_crc;		/* of [head_size, total_size) */
	uint64_t	tokenizer_offset;
	uint64_t	tokenizer_size;
	uint64_t	document_offset;
	uint64_t	document_size;
	uint64_t	slots;
	mb_config	config;
	mb_sentence_settings settings;
	uint32_t	reserved;
	uint32_t	head_crc;		/* of [0, head_size) with this field zero */
} image_header;

#define STRUCT_SIZES \
	((uint32_t) (sizeof(image_header) + sizeof(mb_config) + \
				 sizeof(mb_sentence_settings)))

/* ----------
 * Writing
 * ----------
 */

/* Round *size up to a multiple of IMAGE_ALIGN; false on overflow. */
static bool
align_size(size_t *size)
{
	if (!mb_size_add(*size, IMAGE_ALIGN - 1, size))
		return false;
	*size -= *size % IMAGE_ALIGN;
	return true;
}

/* Put a section of size bytes at the end of *total, aligned. */
static bool
add_section(size_t *total, size_t size, size_t *offset)
{
	*offset = *total;
	return mb_size_add(*total, size, total) && align_size(total);
}

/* Bytes of the head for so many slots; false on overflow. */
static bool
compute_head_size(size_t slots, size_t *size)
{
	return mb_size_multiply(slots, sizeof(uint64_t), size) &&
		mb_size_add(*size, sizeof(image_header), size) &&
		align_size(size);
}

static bool
add_slots(const mb_config *config, const bool *present, mb_image_plan *plan)
{
	size_t		i;

	for (i = 0; i < plan->slots; i++)
	{
		uint64_t	elements;
		size_t		bytes;

		plan->slot_offsets[i] = 0;
		if (!present[i])
			continue;
		elements = mb_slot_size(config, i);
		if (elements > SIZE_MAX ||
			!mb_size_multiply((size_t) elements, sizeof(float), &bytes) ||
			!add_section(&plan->total_size, bytes, &plan->slot_offsets[i]))
			return false;
	}
	return true;
}

mb_status
mb_image_plan_make(const mb_config *config, const bool *present,
				   size_t tokenizer_size, size_t document_size,
				   mb_arena *arena, mb_image_plan *plan, mb_error *err)
{
	memset(plan, 0, sizeof(*plan));
	plan->slots = mb_slot_count(config);
	plan->tokenizer_size = tokenizer_size;
	plan->document_size = document_size;
	plan->slot_offsets = mb_arena_alloc(arena, plan->slots, sizeof(size_t));
	if (plan->slot_offsets == NULL)
		return mb_fail(err, MB_ERR_MEMORY,
					   "not enough memory to plan a weight image");

	if (!compute_head_size(plan->slots, &plan->head_size))
		return mb_fail(err, MB_ERR_LIMIT, "the weight image is too large");
	plan->total_size = plan->head_size;
	if (!add_section(&plan->total_size, tokenizer_size,
					 &plan->tokenizer_offset) ||
		!add_section(&plan->total_size, document_size,
					 &plan->document_offset) ||
		!add_slots(config, present, plan))
		return mb_fail(err, MB_ERR_LIMIT, "the weight image is too large");
	return MB_OK;
}

/* CRC of the head as if head_crc were zero. */
static uint32_t
compute_head_crc(const void *head, size_t size)
{
	static const uint8_t zero[sizeof(uint32_t)];
	const uint8_t *bytes = head;
	size_t		field = offsetof(image_header, head_crc);
	size_t		behind = field + sizeof(zero);
	uint32_t	crc = mb_crc32c(0, bytes, field);

	crc = mb_crc32c(crc, zero, sizeof(zero));
	return mb_crc32c(crc, bytes + behind, size - behind);
}

/* Names longer than the field are cut, on both sides of a comparison. */
static void
set_instruction_set(char *field, const char *name)
{
	size_t		length = strlen(name);

	memset(field, 0, INSTRUCTION_SET_MAX);
	memcpy(field, name,
		   length < INSTRUCTION_SET_MAX ? length : INSTRUCTION_SET_MAX);
}

void
mb_image_head(const mb_image_plan *plan, const mb_config *config,
			  const mb_sentence_settings *settings, uint32_t parts,
			  const char *instruction_set, const uint8_t key[MB_IMAGE_KEY],
			  uint32_t data_crc, void *head)
{
	image_header header;
	uint8_t    *at = (uint8_t *) head + sizeof(header);
	size_t		i;

	memset(&header, 0, sizeof(header));
	header.magic = IMAGE_MAGIC;
	header.layout = MB_IMAGE_LAYOUT;
	header.struct_sizes = STRUCT_SIZES;
	header.head_size = plan->head_size;
	header.total_size = plan->total_size;
	memcpy(header.key, key, MB_IMAGE_KEY);
	set_instruction_set(header.instruction_set, instruction_set);
	header.parts = parts;
	header.data_crc = data_crc;
	header.tokenizer_offset = plan->tokenizer_offset;
	header.tokenizer_size = plan->tokenizer_size;
	header.document_offset = plan->document_offset;
	header.document_size = plan->document_size;
	header.slots = plan->slots;
	header.config = *config;
	header.settings = *settings;

	memset(head, 0, plan->head_size);
	for (i = 0; i < plan->slots; i++)
	{
		uint64_t	offset = plan->slot_offsets[i];

		memcpy(at + i * sizeof(offset), &offset, sizeof(offset));
	}
	memcpy(head, &header, sizeof(header));
	header.head_crc = compute_head_crc(head, plan->head_size);
	memcpy(head, &header, sizeof(header));
}

/* ----------
 * Reading
 * ----------
 */

static mb_status
fail_image(const char *reason, mb_error *err)
{
	return mb_fail(err, MB_ERR_DATA, "the weight image is not usable: %s",
				   reason);
}

/* What tells a stale or foreign image from a good one, then the head's CRC. */
static mb_status
check_header(const image_header *header, const void *bytes, size_t size,
			 const char *instruction_set, const uint8_t *key, mb_error *err)
{
	char		expected[INSTRUCTION_SET_MAX];
	size_t		head_size;

	if (header->magic != IMAGE_MAGIC)
		return fail_image("it does not begin as one", err);
	if (header->layout != MB_IMAGE_LAYOUT)
		return fail_image(header->layout > MB_IMAGE_LAYOUT ?
						  "its layout is newer than this program" :
						  "its layout is older than this program", err);
	if (header->struct_sizes != STRUCT_SIZES)
		return fail_image("another build of this program made it", err);
	set_instruction_set(expected, instruction_set);
	if (memcmp(header->instruction_set, expected, sizeof(expected)) != 0)
		return fail_image("it was made for another instruction set", err);
	if (memcmp(header->key, key, MB_IMAGE_KEY) != 0)
		return fail_image("it was made from other files", err);
	if (header->total_size != size)
		return fail_image("its size is wrong", err);
	if (header->slots > size / sizeof(uint64_t) ||
		!compute_head_size((size_t) header->slots, &head_size) ||
		header->head_size != head_size || head_size > size)
		return fail_image("the size of its head is wrong", err);
	if (compute_head_crc(bytes, head_size) != header->head_crc)
		return fail_image("its head is damaged", err);
	return MB_OK;
}

/* A section lies behind the head, inside the image, and is aligned. */
static bool
section_fits(const image_header *header, uint64_t offset, uint64_t size)
{
	return offset >= header->head_size && offset <= header->total_size &&
		size <= header->total_size - offset && offset % IMAGE_ALIGN == 0;
}

/* Pointers to all slots, and whether they make up the parts that it claims. */
static mb_status
find_slots(const image_header *header, const uint8_t *bytes, mb_arena *arena,
		   const float ***tensors, mb_error *err)
{
	const mb_config *config = &header->config;
	size_t		count = (size_t) header->slots;
	bool	   *present;
	uint32_t	parts;
	size_t		i;
	mb_status	status;

	*tensors = mb_arena_alloc(arena, count, sizeof(float *));
	present = mb_arena_alloc(arena, count, sizeof(bool));
	if (*tensors == NULL || present == NULL)
		return mb_fail(err, MB_ERR_MEMORY,
					   "not enough memory to open a weight image");
	for (i = 0; i < count; i++)
	{
		uint64_t	offset;

		memcpy(&offset, bytes + sizeof(image_header) + i * sizeof(offset),
			   sizeof(offset));
		present[i] = offset != 0;
		(*tensors)[i] = NULL;
		if (offset == 0)
			continue;
		if (!section_fits(header, offset, 0) ||
			mb_slot_size(config, i) > (header->total_size - offset) /
			sizeof(float))
			return fail_image("a tensor lies outside", err);
		(*tensors)[i] = (const float *) (bytes + offset);
	}

	status = mb_checkpoint_complete(config, present, &parts, err);
	if (status != MB_OK)
		return status;
	if (parts != header->parts)
		return fail_image("its parts are wrong", err);
	return MB_OK;
}

/* Configuration, settings, and the number of slots that follows. */
static mb_status
check_config(const image_header *header, mb_error *err)
{
	mb_status	status = mb_config_check(&header->config, err);

	if (status != MB_OK)
		return fail_image("its configuration is wrong", err);
	if (header->settings.pooling == 0 ||
		header->settings.pooling >= 2 * MB_POOL_POOLER ||
		header->settings.normalize > 1 || header->settings.do_lower_case > 1)
		return fail_image("its settings are wrong", err);
	if (header->slots != mb_slot_count(&header->config))
		return fail_image("its number of tensors is wrong", err);
	return MB_OK;
}

mb_status
mb_image_open(const void *bytes, size_t size, const char *instruction_set,
			  const uint8_t key[MB_IMAGE_KEY], mb_arena *arena,
			  mb_image *image, mb_error *err)
{
	const uint8_t *base = bytes;
	image_header header;
	const float **tensors;
	mb_status	status;

	if ((uintptr_t) bytes % IMAGE_ALIGN != 0)
		return mb_fail(err, MB_ERR_ARGUMENT,
					   "a weight image must be aligned to %d bytes",
					   IMAGE_ALIGN);
	if (size < sizeof(header))
		return fail_image("it is too short", err);
	memcpy(&header, bytes, sizeof(header));
	status = check_header(&header, bytes, size, instruction_set, key, err);
	if (status == MB_OK)
		status = check_config(&header, err);
	if (status != MB_OK)
		return status;
	if (!section_fits(&header, header.tokenizer_offset,
					  header.tokenizer_size) ||
		!section_fits(&header, header.document_offset, header.document_size))
		return fail_image("a section lies outside", err);

	memset(image, 0, sizeof(*image));
	image->config = header.config;
	image->settings = header.settings;
	image->parts = header.parts;
	image->data_crc = header.data_crc;
	image->head_size = (size_t) header.head_size;
	image->document = (const char *) base + header.document_offset;
	image->document_size = (size_t) header.document_size;

	status = find_slots(&header, base, arena, &tensors, err);
	if (status == MB_OK)
		status = mb_tokenizer_open(base + header.tokenizer_offset,
								   (size_t) header.tokenizer_size,
								   &image->tokenizer, err);
	if (status == MB_OK)
		status = mb_model_bind(&image->config, image->parts, tensors, arena,
							   &image->model, err);
	return status;
}
