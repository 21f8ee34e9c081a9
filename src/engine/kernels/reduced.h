/*-------------------------------------------------------------------------
 *
 * reduced.h
 *	  Linear layers with fewer bits: the formats INT8, BF16 and BF16X3.
 *
 *	INT8	Weights: a scale for each output, symmetric, -127 to 127.
 *			Activations: a scale and a zero point for each row, 0 to 255.  Sums
 *			are exact in 32 bits, so every instruction set finds the same
 *			integers.  Values that stand so far above the others of their row
 *			that those would vanish, as MobileBERT's states of -2.5e7 beside
 *			values of 4, are left out of the integers: their products are added
 *			in float.
 *	BF16	Both operands rounded to bfloat16, sums in float.  Without AMX, or
 *			aarch64's BF16, there is nothing to win by rounding activations:
 *			they stay float.
 *	BF16X3	Both operands as a sum of two bfloat16, 16 bits together; the
 *			products high * high, high * low and low * high are added up in
 *			float.  Without AMX or BF16 activations stay float.
 *
 * A row's results depend on the row and the weights alone, never on the rows
 * beside it; bits are the same in any batch on one instruction set.
 *
 * Panels.  A panel of MB_PANEL outputs is a pair of strips of 16.  A strip is
 * a sequence of lines of 64 bytes; a line has, for each of the 16 outputs, the
 * next 4 (INT8) or 2 inputs: what VPDPBUSD and AMX take as it is.  Inputs are
 * filled up with zeros to whole tiles of 16 lines, which is what a register of
 * AMX holds.  BF16X3 has the strip of low parts after that of high parts.
 * After the panels of INT8 come float scale[n], float sum[n], the sum of an
 * output's integers, and all weights once more as bfloat16 [k, n] for values
 * that are left out, each padded to whole panels.
 *
 * Attention of these formats, where a table has it (mb_attention of kernels.h),
 * is in fewer bits as well: attention_amx.c, attention_vnni.c.
 *
 * Source: spec model.md section 8; the arithmetic of each format is this
 * file's own.
 * Depends on kernels/kernels.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_REDUCED_H
#define MB_REDUCED_H

#include "kernels/kernels.h"

/* INT8: inputs are as wide as this at most, so that no sum overflows. */
#define MB_INT8_WIDTH_MAX 65536

/* BF16X3, BF16 and INT8 */
extern const mb_packing mb_reduced_packing;

extern const mb_linear_kernel mb_int8_ref;
extern const mb_linear_kernel mb_bf16_ref;
extern const mb_linear_kernel mb_bf16x3_ref;

#if defined(__x86_64__)
extern const mb_linear_kernel mb_int8_avx2;
extern const mb_linear_kernel mb_bf16_avx2;
extern const mb_linear_kernel mb_bf16x3_avx2;

extern const mb_linear_kernel mb_int8_avx512;
extern const mb_linear_kernel mb_bf16_avx512;
extern const mb_linear_kernel mb_bf16x3_avx512;

extern const mb_linear_kernel mb_int8_vnni;
extern const mb_attention_kernel mb_attention_vnni;

extern const mb_linear_kernel mb_int8_amx;
extern const mb_linear_kernel mb_bf16_amx;
extern const mb_linear_kernel mb_bf16x3_amx;
extern const mb_attention_kernel mb_attention_amx;
extern void mb_begin_amx(void);
extern void mb_end_amx(void);
#endif

#if defined(__aarch64__)
extern const mb_linear_kernel mb_int8_neon;
extern const mb_linear_kernel mb_bf16_neon;
extern const mb_linear_kernel mb_bf16x3_neon;

extern const mb_linear_kernel mb_int8_dotprod;
extern const mb_linear_kernel mb_int8_i8mm;
extern const mb_linear_kernel mb_bf16_bf16;
extern const mb_linear_kernel mb_bf16x3_bf16;
#endif

/* Parts that several of these are made of */
extern size_t mb_operand_size_int8(size_t rows, size_t k);
#if defined(__x86_64__)
extern void mb_linear_int8_avx2(const mb_product *product);
extern void mb_prepare_int8_avx512(const float *x, size_t rows, size_t k,
								   void *operand);
#endif
#if defined(__aarch64__)
extern void mb_prepare_int8_neon(const float *x, size_t rows, size_t k,
								 void *operand);
#endif

#endif							/* MB_REDUCED_H */
