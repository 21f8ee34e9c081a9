/*-------------------------------------------------------------------------
 *
 * kernels_avx512.c
 *	  The kernels for x86-64 processors with AVX-512: sixteen floats.
 *
 * Compiled with -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma;
 * nothing here may run before mb_cpu_has_avx512() has said yes.
 *
 * Depends on kernels/gemm.h, kernels/kernels.h, kernels/linear_template.h,
 * kernels/reduced.h, kernels/rows_template.h, kernels/x86/simd_avx512.h,
 * kernels/split.h.
 *
 *-------------------------------------------------------------------------
 */
#include "kernels/kernels.h"

#include "kernels/gemm.h"
#include "kernels/reduced.h"
#include "kernels/split.h"

#if defined(__x86_64__)

#include "kernels/x86/simd_avx512.h"

#include "kernels/rows_template.h"

#include "kernels/linear_template.h"

const mb_kernels mb_kernels_avx512 = {
	.name = "avx512",
	.gemm_name = "avx512",
	MB_SIMD_ROWS,
	MB_SIMD_PRODUCTS,
	.linear[MB_FORMAT_INT8] = &mb_int8_avx512,
	.linear[MB_FORMAT_BF16] = &mb_bf16_avx512,
	.linear[MB_FORMAT_BF16X3] = &mb_bf16x3_avx512,
	.linear[MB_FORMAT_FLOAT_SPLIT] = &mb_exact_ref,
	.linear[MB_FORMAT_HALF_SPLIT] = &mb_exact_ref,
	.linear[MB_FORMAT_BFLOAT_SPLIT] = &mb_exact_ref
};

const mb_kernels mb_kernels_vnni = {
	.name = "vnni",
	.gemm_name = "avx512",
	MB_SIMD_ROWS,
	MB_SIMD_PRODUCTS,
	.linear[MB_FORMAT_INT8] = &mb_int8_vnni,
	.linear[MB_FORMAT_BF16] = &mb_bf16_avx512,
	.linear[MB_FORMAT_BF16X3] = &mb_bf16x3_avx512,
	.linear[MB_FORMAT_FLOAT_SPLIT] = &mb_exact_ref,
	.linear[MB_FORMAT_HALF_SPLIT] = &mb_exact_ref,
	.linear[MB_FORMAT_BFLOAT_SPLIT] = &mb_exact_ref,
	.attention = &mb_attention_vnni
};

const mb_kernels mb_kernels_amx = {
	.name = "amx",
	.gemm_name = "amx",
	.split = true,
	.begin = mb_begin_amx,
	.end = mb_end_amx,
	MB_SIMD_ROWS,
	MB_SIMD_PRODUCTS,
	.linear[MB_FORMAT_INT8] = &mb_int8_amx,
	.linear[MB_FORMAT_BF16] = &mb_bf16_amx,
	.linear[MB_FORMAT_BF16X3] = &mb_bf16x3_amx,
	.linear[MB_FORMAT_FLOAT_SPLIT] = &mb_float_split_amx,
	.linear[MB_FORMAT_HALF_SPLIT] = &mb_half_split_amx,
	.linear[MB_FORMAT_BFLOAT_SPLIT] = &mb_bfloat_split_amx,
	.attention = &mb_attention_amx
};

#endif							/* __x86_64__ */
