/*-------------------------------------------------------------------------
 *
 * products_avx2.c
 *	  Arithmetic of fitting for processors with AVX2.
 *
 * Nothing here may run before mb_cpu_has_avx2() has said yes.
 *
 * Depends on kernels/products.h, kernels/products_template.h.
 *
 *-------------------------------------------------------------------------
 */
#include "kernels/products.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define PRODUCTS_TABLE mb_products_avx2
#define PRODUCTS_NAME "avx2"
#define PRODUCTS_ROWS 4
#define PRODUCTS_VECTORS 1
#define PRODUCTS_WIDTH 4
#define PRODUCTS_FUSED(sum, x, y) ((sum) = _mm256_fmadd_pd(x, y, sum))
#include "kernels/products_template.h"

#endif							/* __x86_64__ */
