/*-------------------------------------------------------------------------
 *
 * panels.h
 *	  How the weights of a linear layer lie in memory for the kernels.
 *
 * A checkpoint stores W [n, k], a row for each output.  Kernels want the
 * weights of neighbouring outputs side by side and in the order of use, so a
 * weight image keeps them as panels of PANEL outputs:
 *
 *	panel p		for t in 0 .. k - 1: W[p * PANEL + c, t], c in 0 .. PANEL - 1
 *
 * one after the other; outputs beyond n are zero.  That is FLOAT, HALF and
 * BFLOAT, which differ in what one number is; in the other formats a panel is
 * tiles, see reduced.h and split.h.  Which formats a model has follows from its
 * precision, from how its tensors are stored and from the table of kernels;
 * what runs on a format is the function of the table with that number.  The
 * layout of a format is the same for every instruction set.
 *
 * HALF and BFLOAT, and their split variants, are for tensors that were stored in
 * 16 bits: widening is exact, and the result has the bits of FLOAT at half the
 * memory traffic (of FLOAT_SPLIT at five eighths and at half).
 *
 * Depends on kernels/linear.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_PANELS_H
#define MB_PANELS_H

#include "kernels/linear.h"

/* Bytes of W [n, k] in a format; false when that is beyond size_t. */
extern bool mb_format_size(mb_format format, size_t k, size_t n, size_t *size);

/*
 * Write w [n, k] into panels, mb_format_size() bytes aligned to 64.  For HALF,
 * BFLOAT and their split variants each number must be exact in 16 bits.
 */
extern void mb_format_pack(mb_format format, const float *w, size_t k,
						   size_t n, void *panels);

/*
 * Panel number p of FLOAT, HALF or BFLOAT weights, split or not, inputs [first,
 * first + count), as float [count, PANEL].
 */
extern void mb_format_widen(mb_format format, const void *panels, size_t k,
							size_t p, size_t first, size_t count, float *out);

#endif							/* MB_PANELS_H */
