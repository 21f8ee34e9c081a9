/*-------------------------------------------------------------------------
 *
 * kernels_avx2.c
 *	  The kernels for x86-64 processors with AVX2, FMA and F16C: eight floats.
 *
 * Compiled with -mavx2 -mfma -mf16c; nothing here may run before
 * mb_cpu_has_avx2() has said yes.
 *
 * Depends on kernels/gemm.h, kernels/kernels.h, kernels/linear_template.h,
 * kernels/reduced.h, kernels/rows_template.h, kernels/x86/simd_avx2.h.
 *
 *-------------------------------------------------------------------------
 */
#include "kernels/kernels.h"

#include "kernels/gemm.h"
#include "kernels/reduced.h"

#if defined(__x86_64__)

#include "kernels/x86/simd_avx2.h"

#include "kernels/rows_template.h"

#include "kernels/linear_template.h"

const mb_kernels mb_kernels_avx2 = {
	.name = "avx2",
	.gemm_name = "avx2",
	MB_SIMD_ROWS,
	MB_SIMD_PRODUCTS,
	.linear[MB_FORMAT_INT8] = &mb_int8_avx2,
	.linear[MB_FORMAT_BF16] = &mb_bf16_avx2,
	.linear[MB_FORMAT_BF16X3] = &mb_bf16x3_avx2,
	.linear[MB_FORMAT_FLOAT_SPLIT] = &mb_exact_ref,
	.linear[MB_FORMAT_HALF_SPLIT] = &mb_exact_ref,
	.linear[MB_FORMAT_BFLOAT_SPLIT] = &mb_exact_ref
};

#endif							/* __x86_64__ */
