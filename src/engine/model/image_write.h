/*-------------------------------------------------------------------------
 *
 * image_write.h
 *	  Making a weight image: a plan of its sections, then its bytes, in order.
 *
 * A tensor's way into an image: the caller reads it piece by piece as it is
 * stored; it is widened to float; a weight of the encoder's linear layers is
 * packed into panels; the caller puts the bytes where they are to be (a file,
 * or memory).  Reading and putting are callbacks, the memory in between is a
 * workspace of the caller's, as large as the largest packed tensor wants.
 *
 *	mb_image_plan_make()	sizes and offsets
 *	mb_image_write_memory()	size of the workspace
 *	mb_image_write()		reads every tensor, puts every byte
 *
 * Depends on base/arena.h, base/dtype.h, base/status.h, kernels/kernels.h,
 * model/config.h, model/image.h, model/model.h, model/settings.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_IMAGE_WRITE_H
#define MB_IMAGE_WRITE_H

#include "base/arena.h"
#include "base/dtype.h"
#include "base/status.h"
#include "kernels/kernels.h"
#include "model/config.h"
#include "model/image.h"
#include "model/model.h"
#include "model/settings.h"

/* What an image is made of. */
typedef struct mb_image_content
{
	const mb_config *config;
	const mb_sentence_settings *settings;
	mb_precision precision;
	uint32_t	parts;			/* as mb_checkpoint_complete gave it */
	const mb_kernels *kernels;	/* that the image is for */
	const uint8_t *key;			/* [MB_IMAGE_KEY] */
	const void *tokenizer;		/* a blob of mb_tokenizer_build */
	size_t		tokenizer_size;
	const char *document;		/* config.json as imported */
	size_t		document_size;
	const bool *present;		/* [slots]: there is such a tensor */
	const mb_dtype *dtypes;		/* [slots]: as what it is stored; NULL: all
								 * float32 */
} mb_image_content;

typedef struct mb_image_plan
{
	size_t		head_size;		/* header and tables, multiple of 64 */
	size_t		tokenizer_offset;
	size_t		document_offset;
	size_t		slots;
	size_t	   *slot_offsets;	/* [slots]; 0: slot not filled */
	uint8_t    *slot_formats;	/* [slots] mb_format */
	size_t		total_size;
} mb_image_plan;

/* The plan's arrays are allocated in arena.  Errors: MB_ERR_LIMIT, _MEMORY. */
extern mb_status mb_image_plan_make(const mb_image_content *content,
									mb_arena *arena, mb_image_plan *plan,
									mb_error *err);

/*
 * Where tensors come from and where the image goes.  A status other than MB_OK
 * ends the writing and becomes its result; the callback has filled err then.
 */
typedef struct mb_image_io
{
	void	   *context;

	/*
	 * The next "size" bytes of the tensor that fills a slot, as stored, which
	 * are its bytes [offset, offset + size).  Slots come in ascending order,
	 * each from its first byte to its last.
	 */
	mb_status	(*read) (void *context, size_t slot, uint64_t offset,
						 void *buffer, size_t size, mb_error *err);

	/*
	 * Bytes [offset, offset + size) of the image.  They come in ascending
	 * order, without gaps, from head_size to total_size; then the head, at
	 * offset 0: what has no head is no image.
	 */
	mb_status	(*put) (void *context, size_t offset, const void *bytes,
						size_t size, mb_error *err);
} mb_image_io;

/* Bytes of workspace that writing wants; SIZE_MAX when beyond size_t. */
extern size_t mb_image_write_memory(const mb_image_content *content,
									const mb_image_plan *plan);

/*
 * Write the image.  workspace: 64-byte aligned, as large as
 * mb_image_write_memory says.  After any status but MB_OK what was put is to be
 * thrown away.
 *
 * Errors: MB_ERR_ARGUMENT the workspace, or a tensor of a type that is not
 * read; MB_ERR_CANCELLED; whatever a callback returns.
 */
extern mb_status mb_image_write(const mb_image_content *content,
								const mb_image_plan *plan,
								const mb_image_io *io,
								const mb_cancel *cancel, void *workspace,
								size_t workspace_size, mb_error *err);

#endif							/* MB_IMAGE_WRITE_H */
