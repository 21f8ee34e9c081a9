/*-------------------------------------------------------------------------
 *
 * reduced_vnni.c
 *	  int8 products for processors with AVX-512 VNNI.
 *
 * VPDPBUSD adds four products of a byte of activations and a byte of weights
 * to each of 16 integers, without saturation.  A tile is up to eight rows by a
 * pair of column tiles: sixteen sums, enough to hide the latency of five
 * cycles on two ports.
 *
 * The instruction stands as inline assembly: given the intrinsic, GCC 12 keeps
 * moving the sums between registers and the stack.
 *
 * Depends on reduced_avx512.h.  Compiled with -mavx512vnni; nothing here may
 * run before mb_cpu_has_vnni() has said yes.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__x86_64__)

#include "reduced_avx512.h"

#define ADD(sum, x, w) \
	__asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w))

#define OPEN(r) \
	const uint8_t *x##r = x + r * LINE; \
	__m512i a##r = _mm512_setzero_si512(), b##r = a##r

/* 4 bytes, whatever their alignment and type */
static inline int32_t
quad(const uint8_t *p)
{
	int32_t		v;

	memcpy(&v, p, sizeof(v));
	return v;
}

#define EACH(r) \
	do { \
		__m512i v = _mm512_set1_epi32(quad(x##r + at)); \
		\
		ADD(a##r, v, w0); \
		ADD(b##r, v, w1); \
	} while (0)

#define CLOSE(r) \
	do { \
		_mm512_store_si512(sums[r], a##r); \
		_mm512_store_si512(sums[r] + TILE, b##r); \
	} while (0)

/*
 * Rows from x on, "deep" tiles along k, with the tiles at w and behind them.
 * ROWS_DO applies a macro to each row's number.
 */
#define BODY(ROWS_DO) \
	const uint8_t *w_next = w + deep * AMX_BYTES; \
	size_t t; \
	size_t i; \
	ROWS_DO(OPEN); \
	\
	for (t = 0; t < deep; t++) \
	{ \
		for (i = 0; i < TILE; i++) \
		{ \
			size_t at = t * AMX_BYTES + i * INT8_STEP; \
			__m512i w0 = _mm512_load_si512(w + t * AMX_BYTES + i * LINE); \
			__m512i w1 = _mm512_load_si512(w_next + t * AMX_BYTES + \
										   i * LINE); \
			\
			ROWS_DO(EACH); \
		} \
	} \
	ROWS_DO(CLOSE)

#define ONE(DO) DO(0)
#define TWO(DO) DO(0); DO(1)
#define FOUR(DO) DO(0); DO(1); DO(2); DO(3)
#define EIGHT(DO) FOUR(DO); DO(4); DO(5); DO(6); DO(7)

static void
rows_1(const uint8_t *x, const uint8_t *w, size_t deep, int32_t (*sums)[MB_PANEL])
{
	BODY(ONE);
}

static void
rows_2(const uint8_t *x, const uint8_t *w, size_t deep, int32_t (*sums)[MB_PANEL])
{
	BODY(TWO);
}

static void
rows_4(const uint8_t *x, const uint8_t *w, size_t deep, int32_t (*sums)[MB_PANEL])
{
	BODY(FOUR);
}

static void
rows_8(const uint8_t *x, const uint8_t *w, size_t deep, int32_t (*sums)[MB_PANEL])
{
	BODY(EIGHT);
}

static void
int8_vnni(int8_group *group, size_t rows, size_t k, const uint8_t *w,
		  sums_block *block)
{
	size_t		deep = depth(MB_FORMAT_INT8, k);
	size_t		r = 0;

	/* eight rows at a multiple of eight lie in one tile; so do the parts */
	while (r < rows)
	{
		const uint8_t *x = rows_line(group->tiles, deep, r, 0);
		int32_t		(*sums)[MB_PANEL] = &block->i[r];
		size_t		left = rows - r;

		if (left >= 8)
			rows_8(x, w, deep, sums);
		else if (left >= 4)
			rows_4(x, w, deep, sums);
		else if (left >= 2)
			rows_2(x, w, deep, sums);
		else
			rows_1(x, w, deep, sums);
		r += left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
	}
}

void
mb_linear_int8_vnni(const mb_product *product)
{
	linear_int8(product, int8_vnni);
}

#endif							/* __x86_64__ */
