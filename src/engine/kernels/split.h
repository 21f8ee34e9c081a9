/*-------------------------------------------------------------------------
 *
 * split.h
 *	  Floats as sums of bfloat16: FLOAT_SPLIT, HALF_SPLIT and BFLOAT_SPLIT.
 *
 * A float has 24 bits of mantissa, bfloat16 has 8: three of them, each made of
 * what those before leave over, are a float exactly.  binary16 takes two.
 * Tiles that multiply bfloat16 (AMX) so multiply floats, part by part; see
 * split_amx.c for which parts and in what order.  Other instruction sets have
 * plain C for these formats: models get them only where the table in use asks
 * for them (mb_kernels.split).
 *
 * All keep the high part, the nearest bfloat16, as tiles take it.  The others
 * are made by the kernel on the way, of what lies behind a step's high parts:
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
 * Depends on kernels/kernels.h, kernels/panels.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_SPLIT_H
#define MB_SPLIT_H

#include "kernels/kernels.h"
#include "kernels/panels.h"

/* bfloat16 for each number of a format: 3, 2, 1; 0: not one of these */
static inline size_t
mb_split_parts(mb_format format)
{
	return format == MB_FORMAT_FLOAT_SPLIT ? 3 :
		format == MB_FORMAT_HALF_SPLIT ? 2 :
		format == MB_FORMAT_BFLOAT_SPLIT ? 1 : 0;
}

/*
 * mb_format_size(), mb_format_pack() and mb_format_widen() of panels.h, for
 * weights [n, k] in these formats
 */
extern bool mb_split_size(mb_format format, size_t k, size_t n, size_t *size);
extern void mb_split_pack(mb_format format, const float *w, size_t k,
						  size_t n, void *panels);
extern void mb_split_widen(mb_format format, const void *panels, size_t k,
						   size_t p, size_t first, size_t count, float *out);

/*
 * Entries of mb_kernels, which says what they take.  Operands have three parts
 * of each number of x [rows, k], whatever the weights have: the three formats
 * share size and preparation.
 */
#if defined(__x86_64__)
extern size_t mb_operand_size_split_amx(size_t rows, size_t k);
extern void mb_prepare_split_amx(const float *x, size_t rows, size_t k,
								 void *operand);
extern void mb_linear_float_split_amx(const mb_product *product);
extern void mb_linear_half_split_amx(const mb_product *product);
extern void mb_linear_bfloat_split_amx(const mb_product *product);
#endif

/* What a table has for these formats: of an instruction set, or plain C */
#define MB_SPLIT(set) \
	.linear[MB_FORMAT_FLOAT_SPLIT] = mb_linear_float_split_##set, \
	.linear[MB_FORMAT_HALF_SPLIT] = mb_linear_half_split_##set, \
	.linear[MB_FORMAT_BFLOAT_SPLIT] = mb_linear_bfloat_split_##set, \
	.operand_size[MB_FORMAT_FLOAT_SPLIT] = mb_operand_size_split_##set, \
	.operand_size[MB_FORMAT_HALF_SPLIT] = mb_operand_size_split_##set, \
	.operand_size[MB_FORMAT_BFLOAT_SPLIT] = mb_operand_size_split_##set, \
	.prepare[MB_FORMAT_FLOAT_SPLIT] = mb_prepare_split_##set, \
	.prepare[MB_FORMAT_HALF_SPLIT] = mb_prepare_split_##set, \
	.prepare[MB_FORMAT_BFLOAT_SPLIT] = mb_prepare_split_##set

#define MB_SPLIT_REF \
	.linear[MB_FORMAT_FLOAT_SPLIT] = mb_linear_ref, \
	.linear[MB_FORMAT_HALF_SPLIT] = mb_linear_ref, \
	.linear[MB_FORMAT_BFLOAT_SPLIT] = mb_linear_ref

#endif							/* MB_SPLIT_H */
