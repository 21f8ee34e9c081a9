/*-------------------------------------------------------------------------
 *
 * products_avx512.c
 *	  Arithmetic of fitting for processors with AVX-512.
 *
 * Nothing here may run before mb_cpu_has_avx512() has said yes.
 *
 * Depends on kernels/products.h, kernels/products_template.h.
 *
 *-------------------------------------------------------------------------
 */
#include "kernels/products.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define PRODUCTS_TABLE mb_products_avx512
#define PRODUCTS_NAME "avx512"
#define PRODUCTS_ROWS 6
#define PRODUCTS_VECTORS 2
#define PRODUCTS_WIDTH 8
#define PRODUCTS_FUSED(sum, x, y) ((sum) = _mm512_fmadd_pd(x, y, sum))
#include "kernels/products_template.h"

#endif							/* __x86_64__ */
