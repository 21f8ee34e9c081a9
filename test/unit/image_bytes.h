/*-------------------------------------------------------------------------
 *
 * image_bytes.h
 *	  Weight images in memory, and tensors to make them of.
 *
 *	store_number()	a float as a checkpoint stores it
 *	image_memory()	memory for an image, not a byte more; it never fails
 *	write_image()	a whole image of that content, by mb_image_write()
 *
 * Depends on model/image_write.h and libc; functions are static, like tap.h's.
 *
 *-------------------------------------------------------------------------
 */
#ifndef IMAGE_BYTES_H
#define IMAGE_BYTES_H

#include "model/image_write.h"

#include <stdlib.h>
#include <string.h>

/*
 * Write x as a number of that type.  It must be one: of 8 bits of mantissa and,
 * for F16, of an exponent that makes it a normal number there.
 */
static inline void
store_number(mb_dtype dtype, float x, char *target)
{
	double		wide = x;
	uint32_t	bits;
	uint16_t	half;

	memcpy(&bits, &x, sizeof(bits));
	switch (dtype)
	{
		case MB_DTYPE_F16:
			half = (uint16_t) (bits >> 16 & 0x8000);
			if (x != 0.0f)
				half |= (uint16_t) (((bits >> 23 & 0xFF) - 112) << 10 |
									(bits >> 13 & 0x3FF));
			memcpy(target, &half, sizeof(half));
			break;
		case MB_DTYPE_BF16:
			half = (uint16_t) (bits >> 16);
			memcpy(target, &half, sizeof(half));
			break;
		case MB_DTYPE_F64:
			memcpy(target, &wide, sizeof(wide));
			break;
		default:
			memcpy(target, &x, sizeof(x));
			break;
	}
}

static inline uint8_t *
image_memory(size_t size)
{
	void	   *result = NULL;

	if (posix_memalign(&result, 64, size > 0 ? size : 1) != 0)
		abort();
	return result;
}

/* Element "at" of a slot. */
typedef float (*element_of) (size_t slot, uint64_t at);

typedef struct image_target
{
	const mb_image_content *content;
	element_of	element;
	uint8_t    *bytes;
} image_target;

static inline mb_status
target_read(void *context, size_t slot, uint64_t offset, void *buffer,
			size_t size, mb_error *err)
{
	const image_target *target = context;
	mb_dtype	dtype = target->content->dtypes == NULL ? MB_DTYPE_F32 :
		target->content->dtypes[slot];
	size_t		number = mb_dtype_size(dtype);
	size_t		i;

	(void) err;
	for (i = 0; i < size / number; i++)
		store_number(dtype, target->element(slot, offset / number + i),
					 (char *) buffer + i * number);
	return MB_OK;
}

static inline mb_status
target_put(void *context, size_t offset, const void *bytes, size_t size,
		   mb_error *err)
{
	(void) err;
	memcpy(((image_target *) context)->bytes + offset, bytes, size);
	return MB_OK;
}

/* To be freed by the caller; plan->total_size bytes. */
static inline uint8_t *
write_image(const mb_image_content *content, const mb_image_plan *plan,
			element_of element)
{
	image_target target = {content, element, image_memory(plan->total_size)};
	mb_image_io io = {&target, target_read, target_put};
	size_t		size = mb_image_write_memory(content, plan);
	void	   *workspace = image_memory(size);

	if (mb_image_write(content, plan, &io, NULL, workspace, size,
					   NULL) != MB_OK)
		abort();
	free(workspace);
	return target.bytes;
}

#endif							/* IMAGE_BYTES_H */
