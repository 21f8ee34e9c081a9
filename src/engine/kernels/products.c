/*-------------------------------------------------------------------------
 *
 * products.c
 *	  Arithmetic of fitting for any processor, and the choice of the fastest.
 *
 * fma() is one instruction on aarch64; where a processor has none it is slow.
 *
 * Depends on base/cpu.h, kernels/products.h, kernels/products_template.h.
 *
 *-------------------------------------------------------------------------
 */
#include "kernels/products.h"

#include <math.h>

#include "base/cpu.h"

#define PRODUCTS_TABLE mb_products_plain
#define PRODUCTS_NAME "plain"
#define PRODUCTS_ROWS 2
#define PRODUCTS_VECTORS 1
#define PRODUCTS_WIDTH 2
#define PRODUCTS_FUSED(sum, x, y) \
	((sum) = (part) {fma((x)[0], (y)[0], (sum)[0]), \
					 fma((x)[1], (y)[1], (sum)[1])})
#include "kernels/products_template.h"

const mb_products *
mb_products_choose(void)
{
#if defined(__x86_64__)
	if (mb_cpu_has_avx512())
		return &mb_products_avx512;
	if (mb_cpu_has_avx2())
		return &mb_products_avx2;
#endif
	return &mb_products_plain;
}
