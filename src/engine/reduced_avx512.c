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
 * Depends on reduced_avx512.h.  Compiled with -mavx512f -mavx512bw -mavx512dq
 * -mavx512vl -mavx2 -mfma.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__x86_64__)

#include "reduced_avx512.h"

/* The even and the odd inputs' weights of a line */
static inline vf
even(const uint8_t *line)
{
	return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_load_si512(line), 16));
}

static inline vf
odd(const uint8_t *line)
{
	return _mm512_castsi512_ps(_mm512_and_si512(_mm512_load_si512(line),
												_mm512_set1_epi32((int) 0xffff0000)));
}

/* The same of both tiles; low is where the low parts are, or NULL */
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
	const float *x##r = x + r * ldx; \
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
		v_store(sums[r] + TILE, b##r); \
	} while (0)

/* Inputs in order, so that the bits of a row are the same in every tile */
#define BODY(ROWS_DO) \
	size_t i; \
	ROWS_DO(OPEN); \
	\
	for (i = 0; i < k; i++) \
	{ \
		size_t at = i / BF16_STEP * LINE; \
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

#define ONE(DO) DO(0)
#define TWO(DO) DO(0); DO(1)
#define FOUR(DO) DO(0); DO(1); DO(2); DO(3)
#define EIGHT(DO) FOUR(DO); DO(4); DO(5); DO(6); DO(7)

#define ARGUMENTS \
	const float *x, size_t ldx, size_t k, const uint8_t *w, size_t size, \
	const bool low, float (*sums)[PAIR]

static inline __attribute__((always_inline)) void
rows_1(ARGUMENTS)
{
	BODY(ONE);
}

static inline __attribute__((always_inline)) void
rows_2(ARGUMENTS)
{
	BODY(TWO);
}

static inline __attribute__((always_inline)) void
rows_4(ARGUMENTS)
{
	BODY(FOUR);
}

static inline __attribute__((always_inline)) void
rows_8(ARGUMENTS)
{
	BODY(EIGHT);
}

static inline __attribute__((always_inline)) void
product(const mb_reduced_rows *rows, const uint8_t *w, size_t size,
		const bool low, reduced_block *block)
{
	size_t		k = rows->k;
	size_t		ldx = rows->ldx;
	size_t		r = 0;

	for (; rows->rows - r >= 8; r += 8)
		rows_8(rows->x + r * ldx, ldx, k, w, size, low, &block->f[r]);
	if (rows->rows - r >= 4)
	{
		rows_4(rows->x + r * ldx, ldx, k, w, size, low, &block->f[r]);
		r += 4;
	}
	if (rows->rows - r >= 2)
	{
		rows_2(rows->x + r * ldx, ldx, k, w, size, low, &block->f[r]);
		r += 2;
	}
	if (rows->rows - r >= 1)
		rows_1(rows->x + r * ldx, ldx, k, w, size, low, &block->f[r]);
}

static inline __attribute__((always_inline)) void
linear(mb_reduced_form form, const mb_reduced_rows *rows, const void *panel,
	   size_t first, size_t last, const mb_reduced_finish *finish, float *y,
	   size_t ldy)
{
	reduced_block block __attribute__((aligned(64)));
	size_t		c;

	for (c = first; c < last; c += PAIR)
	{
		product(rows, panel_tile(form, panel, rows->k, c),
				tile_size(form, rows->k), form == MB_REDUCED_BF16X3, &block);
		finish_float(&block, rows->rows, c, last - c < PAIR ? last - c : PAIR,
					 finish, y, ldy);
	}
}

static void
linear_bf16(const mb_reduced_rows *rows, const void *panel, size_t n,
			size_t first, size_t last, const mb_reduced_finish *finish,
			float *y, size_t ldy)
{
	(void) n;
	linear(MB_REDUCED_BF16, rows, panel, first, last, finish, y, ldy);
}

static void
linear_bf16x3(const mb_reduced_rows *rows, const void *panel, size_t n,
			  size_t first, size_t last, const mb_reduced_finish *finish,
			  float *y, size_t ldy)
{
	(void) n;
	linear(MB_REDUCED_BF16X3, rows, panel, first, last, finish, y, ldy);
}

static void
prepare(mb_reduced_rows *rows)
{
	rows->seconds = 0;
}

const mb_reduced_kernels mb_reduced_avx512[MB_REDUCED_FORMS] = {
	[MB_REDUCED_BF16] = {
		.name = "avx512",
		.prepare = prepare,
		.linear = linear_bf16
	},
	[MB_REDUCED_BF16X3] = {
		.name = "avx512",
		.prepare = prepare,
		.linear = linear_bf16x3
	}
};

#endif							/* __x86_64__ */
