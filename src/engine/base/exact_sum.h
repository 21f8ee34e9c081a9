/*-------------------------------------------------------------------------
 *
 * exact_sum.h
 *	  The exact sum of vectors of floats: the same bits in whatever order, and
 *	  in however many parts, they are added.
 *
 * A float is a whole number of 2^-149.  Sums are kept as such, in digits of 32
 * bits, each with room for many additions before carries have to move on.
 *
 * Depends on base/arena.h, base/status.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_EXACT_SUM_H
#define MB_EXACT_SUM_H

#include "base/arena.h"
#include "base/status.h"

/* 277 bits up to the largest float; the highest digit holds the rest. */
#define MB_EXACT_DIGITS 9

typedef struct mb_exact_sum
{
	const mb_memory *memory;
	size_t		width;			/* numbers of a vector */
	uint64_t	count;			/* vectors added */
	uint32_t	pending;		/* additions since carries moved on */
	int64_t    *digits[MB_EXACT_DIGITS];	/* [width], the lowest first; NULL: 0 */
	uint8_t    *special;		/* [width], what is no number; NULL: none */
} mb_exact_sum;

/* An empty sum of vectors of that width. */
extern void mb_exact_begin(mb_exact_sum *sum, size_t width,
						   const mb_memory *memory);

/* Errors: MB_ERR_MEMORY; MB_ERR_LIMIT beyond 2^40 vectors. */
extern mb_status mb_exact_add(mb_exact_sum *sum, const float *x,
							  mb_error *err);

/* Add a sum of the same width, which keeps its value. */
extern mb_status mb_exact_merge(mb_exact_sum *sum, mb_exact_sum *other,
								mb_error *err);

/*
 * The sum divided by the number of vectors, at least one, in double, rounded
 * to float.  NaN where one of the numbers is, or where both infinities are.
 */
extern void mb_exact_mean(const mb_exact_sum *sum, float *mean);

/*
 * As bytes, for this machine: so many, and written; and from them again.
 * Errors: MB_ERR_DATA when it is no such sum; MB_ERR_MEMORY.
 */
extern size_t mb_exact_size(const mb_exact_sum *sum);
extern void mb_exact_write(const mb_exact_sum *sum, void *bytes);
extern mb_status mb_exact_read(mb_exact_sum *sum, const void *bytes,
							   size_t size, const mb_memory *memory,
							   mb_error *err);

/* Bytes of memory in use, without the struct. */
extern size_t mb_exact_memory(const mb_exact_sum *sum);

#endif							/* MB_EXACT_SUM_H */
