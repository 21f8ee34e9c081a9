/*-------------------------------------------------------------------------
 *
 * kernels_neon.c
 *	  The kernels for aarch64 processors: four floats.
 *
 * NEON is part of the architecture, so "neon" may run everywhere; the other
 * tables are NEON with other products, in files of their own.
 *
 * Depends on kernels/kernels.h, kernels/gemm.h, kernels/reduced.h,
 * kernels/arm/simd_neon.h, kernels/rows_template.h, kernels/linear_template.h.
 *
 *-------------------------------------------------------------------------
 */
#include "kernels/kernels.h"

#include "kernels/gemm.h"
#include "kernels/reduced.h"

#if defined(__aarch64__)

#include "kernels/arm/simd_neon.h"

#include "kernels/rows_template.h"

#include "kernels/linear_template.h"

/* What all tables have in common */
#define NEON_COMMON \
	MB_SIMD_ROWS, \
	MB_SIMD_PRODUCTS, \
	.linear[MB_FORMAT_FLOAT_SPLIT] = &mb_exact_ref, \
	.linear[MB_FORMAT_HALF_SPLIT] = &mb_exact_ref, \
	.linear[MB_FORMAT_BFLOAT_SPLIT] = &mb_exact_ref

const mb_kernels mb_kernels_neon = {
	.name = "neon",
	.gemm_name = "neon",
	NEON_COMMON,
	.linear[MB_FORMAT_INT8] = &mb_int8_neon,
	.linear[MB_FORMAT_BF16] = &mb_bf16_neon,
	.linear[MB_FORMAT_BF16X3] = &mb_bf16x3_neon
};

const mb_kernels mb_kernels_dotprod = {
	.name = "dotprod",
	.gemm_name = "neon",
	NEON_COMMON,
	.linear[MB_FORMAT_INT8] = &mb_int8_dotprod,
	.linear[MB_FORMAT_BF16] = &mb_bf16_neon,
	.linear[MB_FORMAT_BF16X3] = &mb_bf16x3_neon
};

const mb_kernels mb_kernels_i8mm = {
	.name = "i8mm",
	.gemm_name = "neon",
	NEON_COMMON,
	.linear[MB_FORMAT_INT8] = &mb_int8_i8mm,
	.linear[MB_FORMAT_BF16] = &mb_bf16_neon,
	.linear[MB_FORMAT_BF16X3] = &mb_bf16x3_neon
};

const mb_kernels mb_kernels_bf16 = {
	.name = "bf16",
	.gemm_name = "neon",
	NEON_COMMON,
	.linear[MB_FORMAT_INT8] = &mb_int8_i8mm,
	.linear[MB_FORMAT_BF16] = &mb_bf16_bf16,
	.linear[MB_FORMAT_BF16X3] = &mb_bf16x3_bf16
};

#endif							/* __aarch64__ */
