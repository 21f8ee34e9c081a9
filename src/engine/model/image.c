/*-------------------------------------------------------------------------
 *
 * image.c
 *	  Opening a weight image: everything in it is checked, then used in place.
 *
 * The head's CRC finds damage, not malice, so opening checks every offset and
 * the configuration as well.  After that no access through the mb_image can
 * leave the bytes.  It costs a few steps per slot and touches no page of the
 * weights.
 *
 * Start at mb_image_open(), at the end.
 *
 * Depends on libc only.
 *
 *-------------------------------------------------------------------------
 */
#include "model/image.h"

#include <string.h>

static mb_status
fail_image(const char *reason, mb_error *err)
{
	return mb_fail(err, MB_ERR_DATA, "the weight image is not usable: %s",
				   reason);
}

/* What tells a stale or foreign image from a good one, then the head's CRC. */
static mb_status
check_header(const mb_image_header *header, const void *bytes, size_t size,
			 const char *instruction_set, mb_precision precision,
			 const uint8_t *key, mb_error *err)
{
	char		expected[MB_INSTRUCTION_SET_MAX];
	size_t		head_size;

	if (header->magic != MB_IMAGE_MAGIC)
		return fail_image("it does not begin as one", err);
	if (header->layout != MB_IMAGE_LAYOUT)
		return fail_image(header->layout > MB_IMAGE_LAYOUT ?
						  "its layout is newer than this program" :
						  "its layout is older than this program", err);
	if (header->struct_sizes != MB_IMAGE_STRUCT_SIZES)
		return fail_image("another build of this program made it", err);
	mb_image_set_name(expected, instruction_set);
	if (memcmp(header->instruction_set, expected, sizeof(expected)) != 0)
		return fail_image("it was made for another instruction set", err);
	if (header->precision != (uint32_t) precision)
		return fail_image("it was made for another precision", err);
	if (memcmp(header->key, key, MB_IMAGE_KEY) != 0)
		return fail_image("it was made from other files", err);
	if (header->total_size != size)
		return fail_image("its size is wrong", err);
	if (header->slots > size / sizeof(uint64_t) ||
		!mb_image_head_size((size_t) header->slots, &head_size) ||
		header->head_size != head_size || head_size > size)
		return fail_image("the size of its head is wrong", err);
	if (mb_image_head_crc(bytes, head_size) != header->head_crc)
		return fail_image("its head is damaged", err);
	return MB_OK;
}

/* A section lies after the head, inside the image, and is aligned. */
static bool
section_fits(const mb_image_header *header, uint64_t offset, uint64_t size)
{
	return offset >= header->head_size && offset <= header->total_size &&
		size <= header->total_size - offset && offset % MB_IMAGE_ALIGN == 0;
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
find_slots(const mb_image_header *header, const uint8_t *bytes, mb_arena *arena,
		   slot_list *list, mb_error *err)
{
	const mb_config *config = &header->config;
	size_t		count = (size_t) header->slots;
	const uint8_t *offsets = bytes + sizeof(mb_image_header);
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
		if (!mb_image_slot_size(config, i, (mb_format) list->formats[i],
								&size) ||
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
check_config(const mb_image_header *header, mb_error *err)
{
	mb_status	status = mb_config_check(&header->config, err);

	if (status != MB_OK)
		return fail_image("its configuration is wrong", err);
	if (!mb_poolings_valid(header->settings.pooling) ||
		header->settings.normalize > 1 ||
		header->settings.do_lower_case > 1 ||
		header->settings.cross_encoder > 1 ||
		header->settings.activation >= MB_ACTIVATIONS ||
		header->settings.similarity >= MB_SIMILARITIES ||
		header->settings.prompts > 1 || header->settings.exclude_prompt > 1)
		return fail_image("its settings are wrong", err);
	if (mb_modules_check(&header->config, &header->settings, err) != MB_OK)
		return fail_image("its modules are wrong", err);
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
	mb_image_header header;
	slot_list	slots;
	mb_status	status;

	if ((uintptr_t) bytes % MB_IMAGE_ALIGN != 0)
		return mb_fail(err, MB_ERR_ARGUMENT,
					   "a weight image must be aligned to %d bytes",
					   MB_IMAGE_ALIGN);
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

	/* Hugging Face pads with the tokenizer's token, whatever config.json says */
	if (status == MB_OK && image->tokenizer.pad_id >= 0)
		image->config.pad_token_id = image->tokenizer.pad_id;
	if (status == MB_OK)
		status = mb_model_bind(&image->config, kernels, image->parts,
							   slots.tensors, slots.formats, arena,
							   &image->model, err);
	return status;
}
