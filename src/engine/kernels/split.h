/*-------------------------------------------------------------------------
 *
 * split.h
 *	  Floats as sums of bfloat16: FLOAT_SPLIT, HALF_SPLIT and BFLOAT_SPLIT.
 *
 * A float has 24 bits of mantissa, bfloat16 has 8: three of them, each made of
 * what those before leave over, are a float exactly.  binary16 takes two.
 * Tiles that multiply bfloat16 (AMX) so multiply floats, part by part; see
 * split_amx.c for which parts and in what order.  Other instruction sets have
 * plain C for these formats: models get them only for tables that want
 * them (mb_kernels.split).
 *
 * All keep the high part, the nearest bfloat16, as tiles take it.  The others
 * are made by the kernel on the way, of what lies after a step's high parts:
 *
 *	FLOAT_SPLIT		with 0x8000 added to a float's bits the upper half is the high
 *					part; the lower half, 16 bits
 *	HALF_SPLIT		how much further from zero the number is than its high part,
 *					in units of 2^-11 of the high part's power of two: -8 to 7,
 *					in two's complement, 4 bits
 *	BFLOAT_SPLIT	nothing
 *
 * Panels.  A panel is a sequence of steps along k of 32 inputs, filled up with
 * zeros; a step has two AMX tiles of 16 outputs of high parts; a tile has a line
 * for each pair of inputs, number i and number i + 16 of the step, with the 16
 * outputs' pairs side by side.  Lower halves are tiles alike.  Of 4 bits there are
 * 32 bytes for each two lines: those of the first below, of the second above.
 *
 * Depends on kernels/kernels.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_SPLIT_H
#define MB_SPLIT_H

#include "kernels/kernels.h"

/* FLOAT_SPLIT, HALF_SPLIT and BFLOAT_SPLIT */
extern const mb_packing mb_split_packing;

/*
 * Operands have three parts of each number of x [rows, k], whatever the weights
 * have: the three formats share size and preparation.
 */
#if defined(__x86_64__)
extern const mb_linear_kernel mb_float_split_amx;
extern const mb_linear_kernel mb_half_split_amx;
extern const mb_linear_kernel mb_bfloat_split_amx;
#endif

#endif							/* MB_SPLIT_H */
