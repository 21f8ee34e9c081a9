/*-------------------------------------------------------------------------
 *
 * reduced_avx512.c
 *	  bf16 and bf16x3 products for AVX-512 processors without AMX.
 *
 * VDPBF16PS is slower than float on the processors that have it, so weights
 * are widened, which a shift and a mask do, and the sums are those of float
 * activations: nothing is lost by rounding them.  A weight of bf16x3 is the
 * sum of its parts, exact in float.
 *
 * Depends on kernels/finish_template.h, kernels/reduced.h,
 * kernels/reduced_layout.h, kernels/x86/simd_avx512.h.  Compiled with
 * -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__x86_64__)

#include "kernels/reduced.h"
#include "kernels/reduced_layout.h"
#include "kernels/x86/simd_avx512.h"

#include "kernels/finish_template.h"

/* The even and the odd inputs' weights of a line: its 16 outputs' */
static inline vf
even(const uint8_t *line)
{
	return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_load_si512(line), 16));
}

static inline vf
odd(const uint8_t *line)
{
	__m512i		mask = _mm512_set1_epi32((int) 0xffff0000);

	return _mm512_castsi512_ps(_mm512_and_si512(_mm512_load_si512(line), mask));
}

/* The same of both strips; low: plus the low parts, half a strip on */
#define WEIGHTS(part, at) \
	vf w0 = part(w + (at)); \
	vf w1 = part(w + size + (at)); \
	\
	if (low) \
	{ \
		w0 = w0 + part(w + size / 2 + (at)); \
		w1 = w1 + part(w + size + size / 2 + (at)); \
	}

#define OPEN(r) \
	const float *x##r = x + r * k; \
	vf a##r = v_set1(0.0f), b##r = a##r

#define EACH(r) \
	do { \
		vf v = v_set1(x##r[i]); \
		\
		a##r = v_fma(v, w0, a##r); \
		b##r = v_fma(v, w1, b##r); \
	} while (0)

#define CLOSE(r) \
	do { \
		v_store(sums[r], a##r); \
		v_store(sums[r] + MB_TILE, b##r); \
	} while (0)

/* Inputs in order, so that the bits of a row do not depend on the others */
#define BODY(ROWS_DO) \
	size_t i; \
	ROWS_DO(OPEN); \
	\
	for (i = 0; i < k; i++) \
	{ \
		size_t at = i / MB_BF16_STEP * MB_LINE; \
		\
		{ \
			WEIGHTS(even, at); \
			ROWS_DO(EACH); \
		} \
		if (++i < k) \
		{ \
			WEIGHTS(odd, at); \
			ROWS_DO(EACH); \
		} \
	} \
	ROWS_DO(CLOSE)

#define ARGUMENTS \
	const float *x, size_t k, const uint8_t *w, size_t size, \
	const bool low, float (*sums)[MB_PANEL]

MB_INLINE void
rows_1(ARGUMENTS)
{
	BODY(MB_ROWS_1);
}

MB_INLINE void
rows_2(ARGUMENTS)
{
	BODY(MB_ROWS_2);
}

MB_INLINE void
rows_4(ARGUMENTS)
{
	BODY(MB_ROWS_4);
}

MB_INLINE void
rows_8(ARGUMENTS)
{
	BODY(MB_ROWS_8);
}

/* Sums of rows of x [rows, k] with the panel at w; size: bytes of its strips */
MB_INLINE void
all_rows(const float *x, size_t rows, size_t k, const uint8_t *w, size_t size,
		 const bool low, sums_block *block)
{
	size_t		r = 0;

	for (; rows - r >= 8; r += 8)
		rows_8(x + r * k, k, w, size, low, &block->f[r]);
	if (rows - r >= 4)
	{
		rows_4(x + r * k, k, w, size, low, &block->f[r]);
		r += 4;
	}
	if (rows - r >= 2)
	{
		rows_2(x + r * k, k, w, size, low, &block->f[r]);
		r += 2;
	}
	if (rows - r >= 1)
		rows_1(x + r * k, k, w, size, low, &block->f[r]);
}

static void
bf16_sums(const float *x, size_t rows, size_t k, const uint8_t *w,
		  sums_block *block)
{
	all_rows(x, rows, k, w, strip_size(MB_FORMAT_BF16, k), false, block);
}

static void
bf16x3_sums(const float *x, size_t rows, size_t k, const uint8_t *w,
			sums_block *block)
{
	all_rows(x, rows, k, w, strip_size(MB_FORMAT_BF16X3, k), true, block);
}

static void
run_bf16(const mb_product *p)
{
	linear_bf16(p, MB_FORMAT_BF16, bf16_sums);
}

static void
run_bf16x3(const mb_product *p)
{
	linear_bf16(p, MB_FORMAT_BF16X3, bf16x3_sums);
}

const mb_linear_kernel mb_bf16_avx512 = {.run = run_bf16};

const mb_linear_kernel mb_bf16x3_avx512 = {.run = run_bf16x3};

#endif							/* __x86_64__ */
