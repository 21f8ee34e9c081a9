/*-------------------------------------------------------------------------
 *
 * image_write.c
 *	  Planning a weight image and writing its bytes.
 *
 * The bytes after the head are put in one pass, with a checksum that goes along
 * with them; the head, which holds that checksum, comes last.
 *
 * Most tensors pass through a small buffer: read, widen, put.  Panels hold the
 * numbers of a tensor in another order, so a tensor that is packed is collected
 * whole.  The workspace has an area for each step:
 *
 *	panels	what the widest packed tensor becomes	-> put
 *	floats	widened numbers: a packed tensor, or a piece of another one
 *	stored	a piece as it was read
 *
 * and the head is made in the same place when they have done.
 *
 * Depends on model/image_write.h, model/image_layout.h, model/checkpoint.h,
 * kernels/panels.h.
 *
 *-------------------------------------------------------------------------
 */
#include "model/image_write.h"

#include "kernels/panels.h"
#include "model/checkpoint.h"
#include "model/image_layout.h"

#include <string.h>

/* Numbers read at a time, between two looks for a cancel. */
#define PIECE 65536

/* Bytes of the longest stored number. */
#define NUMBER_MAX 8

/* ----------
 * Planning
 * ----------
 */

/* Put a section of size bytes at the end of *total, aligned. */
static bool
add_section(size_t *total, size_t size, size_t *offset)
{
	*offset = *total;
	return mb_size_add(*total, size, total) && mb_image_align(total);
}

static mb_dtype
stored_type(const mb_image_content *content, size_t slot)
{
	return content->dtypes == NULL ? MB_DTYPE_F32 : content->dtypes[slot];
}

static bool
add_slots(const mb_image_content *content, mb_image_plan *plan)
{
	size_t		i;

	for (i = 0; i < plan->slots; i++)
	{
		mb_format	format = MB_FORMAT_ROWS;
		uint64_t	shape[2];
		size_t		size;

		plan->slot_offsets[i] = 0;
		plan->slot_formats[i] = MB_FORMAT_ROWS;
		if (!content->present[i])
			continue;
		if (mb_slot_linear(content->config, i, shape))
			format = mb_format_choose(content->kernels, content->precision,
									  stored_type(content, i));
		plan->slot_formats[i] = (uint8_t) format;
		if (!mb_image_slot_size(content->config, i, format, &size) ||
			!add_section(&plan->total_size, size, &plan->slot_offsets[i]))
			return false;
	}
	return true;
}

mb_status
mb_image_plan_make(const mb_image_content *content, mb_arena *arena,
				   mb_image_plan *plan, mb_error *err)
{
	memset(plan, 0, sizeof(*plan));
	plan->slots = mb_slot_count(content->config);
	plan->slot_offsets = mb_arena_alloc(arena, plan->slots, sizeof(size_t));
	plan->slot_formats = mb_arena_alloc(arena, plan->slots, 1);
	if (plan->slot_offsets == NULL || plan->slot_formats == NULL)
		return mb_fail(err, MB_ERR_MEMORY,
					   "not enough memory to plan a weight image");

	if (!mb_image_head_size(plan->slots, &plan->head_size))
		return mb_fail(err, MB_ERR_LIMIT, "the weight image is too large");
	plan->total_size = plan->head_size;
	if (!add_section(&plan->total_size, content->tokenizer_size,
					 &plan->tokenizer_offset) ||
		!add_section(&plan->total_size, content->document_size,
					 &plan->document_offset) ||
		!add_slots(content, plan))
		return mb_fail(err, MB_ERR_LIMIT, "the weight image is too large");
	return MB_OK;
}

/* ----------
 * The workspace
 * ----------
 */

/* Bytes of the areas, multiples of 64. */
typedef struct area_sizes
{
	size_t		panels;
	size_t		floats;
	size_t		stored;
} area_sizes;

/* Let *size be at least that of count numbers; false on overflow. */
static bool
widen_area(size_t *size, uint64_t count, size_t number)
{
	size_t		wanted;

	if (count > SIZE_MAX ||
		!mb_size_multiply((size_t) count, number, &wanted) ||
		!mb_image_align(&wanted))
		return false;
	if (wanted > *size)
		*size = wanted;
	return true;
}

static bool
measure_areas(const mb_image_content *content, const mb_image_plan *plan,
			  area_sizes *sizes)
{
	size_t		i;

	sizes->panels = 0;
	sizes->floats = PIECE * sizeof(float);
	sizes->stored = PIECE * NUMBER_MAX;
	for (i = 0; i < plan->slots; i++)
	{
		mb_format	format = (mb_format) plan->slot_formats[i];
		size_t		packed;

		if (format == MB_FORMAT_ROWS)
			continue;
		if (!mb_image_slot_size(content->config, i, format, &packed) ||
			!widen_area(&sizes->panels, packed, 1) ||
			!widen_area(&sizes->floats, mb_slot_size(content->config, i),
						sizeof(float)))
			return false;
	}
	return true;
}

size_t
mb_image_write_memory(const mb_image_content *content,
					  const mb_image_plan *plan)
{
	area_sizes	sizes;
	size_t		total;

	if (!measure_areas(content, plan, &sizes) ||
		!mb_size_add(sizes.panels, sizes.floats, &total) ||
		!mb_size_add(total, sizes.stored, &total))
		return SIZE_MAX;
	return total > plan->head_size ? total : plan->head_size;
}

/* ----------
 * Writing
 * ----------
 */

typedef struct image_writer
{
	const mb_image_content *content;
	const mb_image_plan *plan;
	const mb_image_io *io;
	const mb_cancel *cancel;
	mb_error   *err;
	size_t		position;		/* in the image, of the next byte to put */
	uint32_t	crc;			/* of the bytes put so far */
	void	   *panels;
	float	   *floats;
	char	   *stored;
} image_writer;

static mb_status
put(image_writer *w, const void *bytes, size_t size)
{
	size_t		offset = w->position;

	if (size == 0)
		return MB_OK;
	w->crc = mb_crc32c(w->crc, bytes, size);
	w->position += size;
	return w->io->put(w->io->context, offset, bytes, size, w->err);
}

/* Zeros up to where the next section begins. */
static mb_status
pad_to(image_writer *w, size_t offset)
{
	static const char zeros[MB_IMAGE_ALIGN];

	MB_ASSERT(offset >= w->position && offset - w->position < sizeof(zeros));
	return put(w, zeros, offset - w->position);
}

static mb_status
write_section(image_writer *w, size_t offset, const void *bytes, size_t size)
{
	mb_status	status = mb_poll_cancel(w->cancel, NULL, w->err);

	if (status == MB_OK)
		status = pad_to(w, offset);
	if (status == MB_OK)
		status = put(w, bytes, size);
	return status;
}

/* Numbers [first, first + count) of a slot as floats; count <= PIECE. */
static mb_status
read_piece(image_writer *w, size_t slot, uint64_t first, size_t count,
		   float *floats)
{
	mb_dtype	dtype = stored_type(w->content, slot);
	size_t		number = mb_dtype_size(dtype);
	mb_status	status = mb_poll_cancel(w->cancel, NULL, w->err);

	if (status == MB_OK)
		status = w->io->read(w->io->context, slot, first * number, w->stored,
							 count * number, w->err);
	if (status == MB_OK)
		mb_widen(dtype, w->stored, count, floats);
	return status;
}

static size_t
piece_at(uint64_t first, uint64_t elements)
{
	return elements - first < PIECE ? (size_t) (elements - first) : PIECE;
}

/* A slot that is put as float rows: piece by piece. */
static mb_status
write_rows(image_writer *w, size_t slot)
{
	uint64_t	elements = mb_slot_size(w->content->config, slot);
	uint64_t	first;
	mb_status	status = MB_OK;

	for (first = 0; first < elements && status == MB_OK; first += PIECE)
	{
		size_t		count = piece_at(first, elements);

		status = read_piece(w, slot, first, count, w->floats);
		if (status == MB_OK)
			status = put(w, w->floats, count * sizeof(float));
	}
	return status;
}

/* A slot that is put as panels: the whole of it is needed at once. */
static mb_status
write_panels(image_writer *w, size_t slot, mb_format format)
{
	uint64_t	elements = mb_slot_size(w->content->config, slot);
	uint64_t	shape[2];
	uint64_t	first;
	size_t		size;
	mb_status	status = MB_OK;

	for (first = 0; first < elements && status == MB_OK; first += PIECE)
		status = read_piece(w, slot, first, piece_at(first, elements),
							w->floats + first);
	if (status == MB_OK)
		status = mb_poll_cancel(w->cancel, NULL, w->err);
	if (status != MB_OK)
		return status;

	/* the plan has found that these sizes fit */
	(void) mb_slot_linear(w->content->config, slot, shape);
	(void) mb_image_slot_size(w->content->config, slot, format, &size);
	mb_format_pack(format, w->floats, (size_t) shape[1], (size_t) shape[0],
				   w->panels);
	return put(w, w->panels, size);
}

static mb_status
write_slot(image_writer *w, size_t slot)
{
	mb_format	format = (mb_format) w->plan->slot_formats[slot];
	mb_status	status;

	if (mb_dtype_size(stored_type(w->content, slot)) == 0)
		return mb_fail(w->err, MB_ERR_ARGUMENT,
					   "a tensor has a type that is not read");
	status = pad_to(w, w->plan->slot_offsets[slot]);
	if (status != MB_OK)
		return status;
	return format == MB_FORMAT_ROWS ? write_rows(w, slot) :
		write_panels(w, slot, format);
}

static mb_status
write_data(image_writer *w)
{
	const mb_image_content *content = w->content;
	const mb_image_plan *plan = w->plan;
	mb_status	status;
	size_t		i;

	status = write_section(w, plan->tokenizer_offset, content->tokenizer,
						   content->tokenizer_size);
	if (status == MB_OK)
		status = write_section(w, plan->document_offset, content->document,
							   content->document_size);
	for (i = 0; i < plan->slots && status == MB_OK; i++)
	{
		if (plan->slot_offsets[i] != 0)
			status = write_slot(w, i);
	}
	if (status == MB_OK)
		status = pad_to(w, plan->total_size);
	return status;
}

/* The header and the tables after it: head [plan->head_size]. */
static void
make_head(const mb_image_content *content, const mb_image_plan *plan,
		  uint32_t data_crc, void *head)
{
	mb_image_header header;
	uint8_t    *at = (uint8_t *) head + sizeof(header);
	size_t		i;

	memset(&header, 0, sizeof(header));
	header.magic = MB_IMAGE_MAGIC;
	header.layout = MB_IMAGE_LAYOUT;
	header.struct_sizes = MB_IMAGE_STRUCT_SIZES;
	header.head_size = plan->head_size;
	header.total_size = plan->total_size;
	memcpy(header.key, content->key, MB_IMAGE_KEY);
	mb_image_set_name(header.instruction_set, content->kernels->name);
	header.parts = content->parts;
	header.data_crc = data_crc;
	header.tokenizer_offset = plan->tokenizer_offset;
	header.tokenizer_size = content->tokenizer_size;
	header.document_offset = plan->document_offset;
	header.document_size = content->document_size;
	header.slots = plan->slots;
	header.config = *content->config;
	header.settings = *content->settings;
	header.precision = (uint32_t) content->precision;

	memset(head, 0, plan->head_size);
	for (i = 0; i < plan->slots; i++)
	{
		uint64_t	offset = plan->slot_offsets[i];

		memcpy(at + i * sizeof(offset), &offset, sizeof(offset));
	}
	memcpy(at + plan->slots * sizeof(uint64_t), plan->slot_formats,
		   plan->slots);
	memcpy(head, &header, sizeof(header));
	header.head_crc = mb_image_head_crc(head, plan->head_size);
	memcpy(head, &header, sizeof(header));
}

mb_status
mb_image_write(const mb_image_content *content, const mb_image_plan *plan,
			   const mb_image_io *io, const mb_cancel *cancel,
			   void *workspace, size_t workspace_size, mb_error *err)
{
	image_writer w = {
		content, plan, io, cancel, err, plan->head_size, 0, NULL, NULL, NULL
	};
	area_sizes	sizes;
	mb_status	status;

	if (workspace == NULL || (uintptr_t) workspace % MB_IMAGE_ALIGN != 0 ||
		workspace_size < mb_image_write_memory(content, plan) ||
		!measure_areas(content, plan, &sizes))
		return mb_fail(err, MB_ERR_ARGUMENT,
					   "the workspace is too small or not aligned");
	w.panels = workspace;
	w.floats = (float *) ((char *) workspace + sizes.panels);
	w.stored = (char *) workspace + sizes.panels + sizes.floats;
	status = write_data(&w);
	if (status == MB_OK)
		status = mb_poll_cancel(cancel, NULL, err);
	if (status != MB_OK)
		return status;

	make_head(content, plan, w.crc, workspace);
	return io->put(io->context, 0, workspace, plan->head_size, err);
}
