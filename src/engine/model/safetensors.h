/*-------------------------------------------------------------------------
 *
 * safetensors.h
 *	  Reader of safetensors headers, and widening of stored numbers to float.
 *
 * The reader sees only the header; the caller fetches tensor bytes by the
 * offsets found here, however it likes.  Every rule of formats.md 1.2 is
 * checked before anything is believed.
 *
 * Source: huggingface/safetensors; spec formats.md section 1.
 * Depends on base/status.h, base/arena.h, base/json.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_SAFETENSORS_H
#define MB_SAFETENSORS_H

#include "base/arena.h"
#include "base/status.h"

typedef enum mb_dtype
{
	MB_DTYPE_F32,
	MB_DTYPE_F16,
	MB_DTYPE_BF16,
	MB_DTYPE_F64,
	MB_DTYPE_OTHER				/* known to the format, not used for weights */
} mb_dtype;

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

/* Bytes of one element, 0 for MB_DTYPE_OTHER. */
extern size_t mb_dtype_size(mb_dtype dtype);
extern mb_dtype mb_dtype_from_name(const char *name);
extern const char *mb_dtype_name(mb_dtype dtype);

/*
 * Exact widening (F64: round to nearest even) of count little-endian numbers;
 * source need not be aligned.
 */
extern void mb_widen(mb_dtype dtype, const void *source, size_t count,
					 float *target);

#endif							/* MB_SAFETENSORS_H */
