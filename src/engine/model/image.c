/*-------------------------------------------------------------------------
 *
 * image.c
 *	  Laying out a weight image, writing its head and opening it again.
 *
 *	offset 0		image_header
 *	behind it		uint64_t slot_offsets[slots]; 0: not filled
 *	behind it		uint8_t slot_formats[slots]; mb_format
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
 * Depends on base/crc32c.h, kernels/panels.h, model/image.h.
 *
 *-------------------------------------------------------------------------
 */
#include "model/image.h"

#include "kernels/panels.h"

#include <string.h>

#include "base/crc32c.h"

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
	uint32_t	precision;		/* mb_precision */
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
	return mb_size_multiply(slots, sizeof(uint64_t) + 1, size) &&
		mb_size_add(*size, sizeof(image_header), size) &&
		align_size(size);
}

/* Bytes of a slot in a format; false on overflow. */
static bool
slot_bytes(const mb_config *config, size_t slot, mb_format format,
		   size_t *bytes)
{
	uint64_t	shape[2];

	(void) mb_slot_linear(config, slot, shape);
	return shape[0] <= SIZE_MAX && shape[1] <= SIZE_MAX &&
		mb_format_size(format, (size_t) shape[1], (size_t) shape[0], bytes);
}

static bool
add_slots(const mb_config *config, const bool *present,
		  const mb_dtype *dtypes, mb_image_plan *plan)
{
	size_t		i;

	for (i = 0; i < plan->slots; i++)
	{
		mb_format	format = MB_FORMAT_ROWS;
		uint64_t	shape[2];
		size_t		bytes;

		plan->slot_offsets[i] = 0;
		plan->slot_formats[i] = MB_FORMAT_ROWS;
		if (!present[i])
			continue;
		if (mb_slot_linear(config, i, shape))
			format = mb_format_choose(plan->kernels, plan->precision,
									  dtypes == NULL ? MB_DTYPE_F32 :
									  dtypes[i]);
		plan->slot_formats[i] = (uint8_t) format;
		if (!slot_bytes(config, i, format, &bytes) ||
			!add_section(&plan->total_size, bytes, &plan->slot_offsets[i]))
			return false;
	}
	return true;
}

mb_status
mb_image_plan_make(const mb_config *config, const mb_kernels *kernels,
				   mb_precision precision, const bool *present,
				   const mb_dtype *dtypes, size_t tokenizer_size,
				   size_t document_size, mb_arena *arena, mb_image_plan *plan,
				   mb_error *err)
{
	memset(plan, 0, sizeof(*plan));
	plan->slots = mb_slot_count(config);
	plan->kernels = kernels;
	plan->precision = precision;
	plan->tokenizer_size = tokenizer_size;
	plan->document_size = document_size;
	plan->slot_offsets = mb_arena_alloc(arena, plan->slots, sizeof(size_t));
	plan->slot_formats = mb_arena_alloc(arena, plan->slots, 1);
	if (plan->slot_offsets == NULL || plan->slot_formats == NULL)
		return mb_fail(err, MB_ERR_MEMORY,
					   "not enough memory to plan a weight image");

	if (!compute_head_size(plan->slots, &plan->head_size))
		return mb_fail(err, MB_ERR_LIMIT, "the weight image is too large");
	plan->total_size = plan->head_size;
	if (!add_section(&plan->total_size, tokenizer_size,
					 &plan->tokenizer_offset) ||
		!add_section(&plan->total_size, document_size,
					 &plan->document_offset) ||
		!add_slots(config, present, dtypes, plan))
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
			  const uint8_t key[MB_IMAGE_KEY], uint32_t data_crc, void *head)
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
	set_instruction_set(header.instruction_set, plan->kernels->name);
	header.parts = parts;
	header.data_crc = data_crc;
	header.tokenizer_offset = plan->tokenizer_offset;
	header.tokenizer_size = plan->tokenizer_size;
	header.document_offset = plan->document_offset;
	header.document_size = plan->document_size;
	header.slots = plan->slots;
	header.config = *config;
	header.settings = *settings;
	header.precision = (uint32_t) plan->precision;

	memset(head, 0, plan->head_size);
	for (i = 0; i < plan->slots; i++)
	{
		uint64_t	offset = plan->slot_offsets[i];

		memcpy(at + i * sizeof(offset), &offset, sizeof(offset));
	}
	memcpy(at + plan->slots * sizeof(uint64_t), plan->slot_formats,
		   plan->slots);
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
			 const char *instruction_set, mb_precision precision,
			 const uint8_t *key, mb_error *err)
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
	if (header->precision != (uint32_t) precision)
		return fail_image("it was made for another precision", err);
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

/* What an image says about its slots. */
typedef struct slot_list
{
	const void **tensors;		/* [slots]; NULL: not filled */
	uint8_t    *formats;		/* [slots] */
} slot_list;

/* A format is one that slot i can have: heads and tables have rows alone. */
static bool
format_fits(const mb_config *config, size_t i, uint8_t format)
{
	uint64_t	shape[2];

	return format < MB_FORMATS &&
		mb_slot_linear(config, i, shape) == (format != MB_FORMAT_ROWS);
}

/* Pointers to all slots, and whether they make up the parts that it claims. */
static mb_status
find_slots(const image_header *header, const uint8_t *bytes, mb_arena *arena,
		   slot_list *list, mb_error *err)
{
	const mb_config *config = &header->config;
	size_t		count = (size_t) header->slots;
	const uint8_t *offsets = bytes + sizeof(image_header);
	bool	   *present;
	uint32_t	parts;
	size_t		i;
	mb_status	status;

	list->tensors = mb_arena_zero(arena, count, sizeof(void *));
	list->formats = mb_arena_alloc(arena, count, 1);
	present = mb_arena_zero(arena, count, sizeof(bool));
	if (list->tensors == NULL || list->formats == NULL || present == NULL)
		return mb_fail(err, MB_ERR_MEMORY,
					   "not enough memory to open a weight image");
	memcpy(list->formats, offsets + count * sizeof(uint64_t), count);
	for (i = 0; i < count; i++)
	{
		uint64_t	offset;
		size_t		size;

		memcpy(&offset, offsets + i * sizeof(offset), sizeof(offset));
		if (offset == 0)
			continue;
		if (!format_fits(config, i, list->formats[i]))
			return fail_image("a tensor has an unknown format", err);
		if (!slot_bytes(config, i, (mb_format) list->formats[i], &size) ||
			!section_fits(header, offset, size))
			return fail_image("a tensor lies outside", err);
		present[i] = true;
		list->tensors[i] = bytes + offset;
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
mb_image_open(const void *bytes, size_t size, const mb_kernels *kernels,
			  mb_precision precision, const uint8_t key[MB_IMAGE_KEY],
			  mb_arena *arena, mb_image *image, mb_error *err)
{
	const uint8_t *base = bytes;
	image_header header;
	slot_list	slots;
	mb_status	status;

	if ((uintptr_t) bytes % IMAGE_ALIGN != 0)
		return mb_fail(err, MB_ERR_ARGUMENT,
					   "a weight image must be aligned to %d bytes",
					   IMAGE_ALIGN);
	if (size < sizeof(header))
		return fail_image("it is too short", err);
	memcpy(&header, bytes, sizeof(header));
	status = check_header(&header, bytes, size, kernels->name, precision,
						  key, err);
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
	image->precision = precision;
	image->data_crc = header.data_crc;
	image->head_size = (size_t) header.head_size;
	image->document = (const char *) base + header.document_offset;
	image->document_size = (size_t) header.document_size;

	status = find_slots(&header, base, arena, &slots, err);
	if (status == MB_OK)
		status = mb_tokenizer_open(base + header.tokenizer_offset,
								   (size_t) header.tokenizer_size,
								   &image->tokenizer, err);
	if (status == MB_OK)
		status = mb_model_bind(&image->config, kernels, image->parts,
							   slots.tensors, slots.formats, arena,
							   &image->model, err);
	return status;
}
