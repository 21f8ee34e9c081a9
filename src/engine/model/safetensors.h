/*-------------------------------------------------------------------------
 *
 * safetensors.h
 *	  Reader of safetensors headers.
 *
 * The reader sees only the header; the caller fetches tensor bytes by the
 * offsets found here, however it likes.  Every rule of formats.md 1.2 is
 * checked before anything is believed.
 *
 * Source: huggingface/safetensors; spec formats.md section 1.
 * Depends on base/arena.h, base/dtype.h, base/status.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_SAFETENSORS_H
#define MB_SAFETENSORS_H

#include "base/arena.h"
#include "base/dtype.h"
#include "base/status.h"

#define MB_TENSOR_MAX_RANK 8

typedef struct mb_tensor_entry
{
	const char *name;			/* zero-terminated */
	const char *dtype_name;		/* as in the file: "F32", "I64", ... */
	mb_dtype	dtype;
	uint32_t	rank;			/* a rank above MB_TENSOR_MAX_RANK is kept with
								 * rank = its true rank, shape cut */
	uint64_t	shape[MB_TENSOR_MAX_RANK];
	uint64_t	begin;			/* bytes from the start of the file */
	uint64_t	end;			/* exclusive */
} mb_tensor_entry;

typedef struct mb_safetensors
{
	size_t		count;
	mb_tensor_entry *entries;	/* in order of the data */
} mb_safetensors;

#define MB_SAFETENSORS_PREFIX 8
#define MB_SAFETENSORS_MAX_HEADER 100000000

/*
 * Length of the JSON header from the first 8 bytes; file_size is the size of
 * the whole file.  "what" names the file in messages.
 */
extern mb_status mb_safetensors_header_length(const uint8_t *first8,
											  uint64_t file_size,
											  const char *what,
											  size_t *length, mb_error *err);

/* header: the bytes after the first 8, of the length found above. */
extern mb_status mb_safetensors_read(const char *header, size_t length,
									 uint64_t file_size, const char *what,
									 mb_arena *arena, const mb_cancel *cancel,
									 mb_safetensors *result, mb_error *err);

#endif							/* MB_SAFETENSORS_H */
