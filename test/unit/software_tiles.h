/*-------------------------------------------------------------------------
 *
 * software_tiles.h
 *	  The tile registers of AMX in C, for tests of the AMX kernels on any
 *	  processor with AVX-512, VNNI and bf16, and under the address sanitizer.
 *
 * Included before everything else (the compiler's -include), as test/engine.mk
 * does with TILES=software.  Instructions on tiles are functions over an array
 * then, and mb_cpu_has_amx() does without the processor's AMX; all else is what
 * the product has.  test_tiles.c tests them.
 *
 * What Intel's manual says of these instructions (volume 2 of the SDM) is what
 * is done here:
 *
 *	memory		exactly the bytes of a tile's rows are read or written, row
 *				by row and by memcpy, so that sanitizers check them
 *	faults		where the processor has #GP or #UD (no configuration or a bad
 *				one, shapes that do not fit, a tile twice in a product) the
 *				program says what it is and aborts
 *	TDPBUSD		and its siblings: sums of 32 bits, which wrap around
 *	TDPBF16PS	two chains of fused multiply-adds from zero, one of the even
 *				and one of the odd numbers; their sum is added to the tile.
 *				All is rounded to nearest even; subnormal numbers are zero,
 *				in and out.  MXCSR is neither asked nor changed.  Which NaN of
 *				several comes out is not looked after.
 *
 * A whole extension, to compare results of two versions through SQL:
 *
 *	make clean && make COPT="-include $PWD/test/unit/software_tiles.h"
 *
 * Behind that make clean again: test/border.pl takes no such module.
 *
 * Depends on nothing of ours.  start_row is always 0: only the operating system
 * sees another one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_SOFTWARE_TILES
#define MB_SOFTWARE_TILES 1		/* cpu.c looks at this */

/* Only files compiled for tiles have them. */
#if defined(__AMX_TILE__)

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOFT_TILES 8
#define SOFT_ROWS 16
#define SOFT_BYTES 64

/* A compiler may give up where sanitizers look at each access. */
#define SOFT_UNCHECKED \
	__attribute__((noinline, unused, \
				   no_sanitize_address, no_sanitize_undefined))
#define SOFT_FUNCTION __attribute__((noinline, unused))

typedef struct soft_tile
{
	uint8_t		row[SOFT_ROWS][SOFT_BYTES] __attribute__((aligned(64)));
	unsigned	rows;			/* 0: not configured */
	unsigned	bytes;			/* of a row */
} soft_tile;

/*
 * A thread's tiles.  Weak, so that all files of a program share them and need
 * no other one.  What is not configured is zero, as are rows and bytes beyond a
 * tile's shape.
 */
extern __thread soft_tile soft_tiles[SOFT_TILES];
__attribute__((weak)) __thread soft_tile soft_tiles[SOFT_TILES];

static inline void
soft_check(int fits, const char *what, int tile)
{
	if (fits)
		return;
	fprintf(stderr, "software tiles: %s (tile %d)\n", what, tile);
	abort();
}

/* TILERELEASE */
SOFT_FUNCTION static void
soft_release(void)
{
	memset(soft_tiles, 0, sizeof(soft_tiles));
}

/* LDTILECFG, all or nothing */
SOFT_FUNCTION static void
soft_configure(const void *from)
{
	uint8_t		c[64];
	int			i;

	memcpy(c, from, sizeof(c));
	soft_check(c[0] <= 1, "#GP: unknown palette", -1);
	soft_check(c[1] == 0, "a start row", -1);
	for (i = 2; c[0] == 1 && i < 64; i++)
		if (i < 16 || (i >= 32 && i < 48) || i >= 56)
			soft_check(c[i] == 0, "#GP: reserved bytes are not zero", -1);
	soft_release();
	for (i = 0; c[0] == 1 && i < SOFT_TILES; i++)
	{
		unsigned	bytes = c[16 + 2 * i] | (unsigned) c[17 + 2 * i] << 8;
		unsigned	rows = c[48 + i];

		soft_check(bytes <= SOFT_BYTES, "#GP: too many bytes in a row", i);
		soft_check(rows <= SOFT_ROWS, "#GP: too many rows", i);
		soft_check((bytes == 0) == (rows == 0), "#GP: half a shape", i);
		soft_tiles[i].rows = rows;
		soft_tiles[i].bytes = bytes;
	}
}

/* The tile, if it is one */
static inline soft_tile *
soft_find(int tile)
{
	soft_check(tile >= 0 && tile < SOFT_TILES, "no such tile", tile);
	soft_check(soft_tiles[tile].rows > 0, "#UD: not configured", tile);
	soft_check(soft_tiles[tile].bytes % 4 == 0, "#UD: parts of numbers", tile);
	return &soft_tiles[tile];
}

/* TILEZERO */
SOFT_FUNCTION static void
soft_zero(int tile)
{
	memset(soft_find(tile)->row, 0, sizeof(soft_tiles[tile].row));
}

/* TILELOADD and TILELOADDT1 */
SOFT_FUNCTION static void
soft_load(int tile, const void *from, ptrdiff_t stride)
{
	soft_tile  *t = soft_find(tile);
	unsigned	r;

	for (r = 0; r < t->rows; r++)
		memcpy(t->row[r], (const uint8_t *) from + (ptrdiff_t) r * stride,
			   t->bytes);
}

/* TILESTORED */
SOFT_FUNCTION static void
soft_store(int tile, void *to, ptrdiff_t stride)
{
	soft_tile  *t = soft_find(tile);
	unsigned	r;

	for (r = 0; r < t->rows; r++)
		memcpy((uint8_t *) to + (ptrdiff_t) r * stride, t->row[r], t->bytes);
}

/* Of sums += a * b: shapes [m, n], [m, k] and [k, n], 32 bits each */
typedef struct soft_operands
{
	soft_tile  *sums;
	const soft_tile *a;
	const soft_tile *b;
} soft_operands;

static inline soft_operands
soft_product(int sums, int a, int b)
{
	soft_operands o = {soft_find(sums), soft_find(a), soft_find(b)};

	soft_check(sums != a && sums != b && a != b,
			   "#UD: a tile twice in a product", sums);
	soft_check(o.sums->rows == o.a->rows, "#UD: rows differ", a);
	soft_check(o.sums->bytes == o.b->bytes, "#UD: columns differ", b);
	soft_check(o.a->bytes / 4 == o.b->rows, "#UD: depths differ", b);
	return o;
}

/* 32 bits of a row, in all lanes */
static inline __m512i
soft_all_lanes(const soft_tile *t, unsigned r, unsigned i)
{
	int32_t		x;

	memcpy(&x, t->row[r] + 4 * i, sizeof(x));
	return _mm512_set1_epi32(x);
}

/* Byte i of each 32 bits, as a number of 32 bits */
static inline __m512i
soft_byte(__m512i x, unsigned i, int has_sign)
{
	x = _mm512_slli_epi32(x, 24 - 8 * i);
	return has_sign ? _mm512_srai_epi32(x, 24) : _mm512_srli_epi32(x, 24);
}

/* TDPBSSD, TDPBSUD, TDPBUSD, TDPBUUD: which of the two has signs */
SOFT_UNCHECKED static void
soft_multiply_bytes(int sums, int a, int b, int a_signed, int b_signed)
{
	soft_operands o = soft_product(sums, a, b);
	unsigned	m;
	unsigned	k;
	unsigned	i;

	for (m = 0; m < o.sums->rows; m++)
	{
		__m512i		sum = _mm512_load_si512((void *) o.sums->row[m]);

		for (k = 0; k < o.b->rows; k++)
			for (i = 0; i < 4; i++)
			{
				__m512i		x = soft_all_lanes(o.a, m, k);
				__m512i		y = _mm512_load_si512((void *) o.b->row[k]);

				x = soft_byte(x, i, a_signed);
				y = soft_byte(y, i, b_signed);
				sum = _mm512_add_epi32(sum, _mm512_mullo_epi32(x, y));
			}
		_mm512_store_si512((void *) o.sums->row[m], sum);
	}
}

/* The even or the odd bfloat16 of each 32 bits, as floats */
static inline __m512
soft_half(__m512i x, int odd)
{
	x = odd ? _mm512_srli_epi32(x, 16) : x;
	return _mm512_castsi512_ps(_mm512_slli_epi32(x, 16));
}

/* Sums of products, with rounding and subnormal numbers as they are set up */
SOFT_UNCHECKED static void
soft_add_products(const soft_operands *o)
{
	__mmask16	columns = (__mmask16) ((1u << o->sums->bytes / 4) - 1);
	unsigned	m;
	unsigned	k;

	for (m = 0; m < o->sums->rows; m++)
	{
		__m512		even = _mm512_setzero_ps();
		__m512		odd = _mm512_setzero_ps();
		__m512		sum = _mm512_load_ps((void *) o->sums->row[m]);

		for (k = 0; k < o->b->rows; k++)
		{
			__m512i		x = soft_all_lanes(o->a, m, k);
			__m512i		y = _mm512_load_si512((void *) o->b->row[k]);

			even = _mm512_fmadd_ps(soft_half(x, 0), soft_half(y, 0), even);
			odd = _mm512_fmadd_ps(soft_half(x, 1), soft_half(y, 1), odd);
		}
		sum = _mm512_add_ps(sum, _mm512_add_ps(even, odd));
		/* columns that the tile lacks stay zero, even by an infinite number */
		_mm512_mask_store_ps((void *) o->sums->row[m], columns, sum);
	}
}

/* TDPBF16PS */
SOFT_FUNCTION static void
soft_multiply_bf16(int sums, int a, int b)
{
	soft_operands o = soft_product(sums, a, b);
	unsigned	before = _mm_getcsr();

	/* nothing traps, to nearest even, subnormal numbers are zero */
	_mm_setcsr(0x1f80 | _MM_FLUSH_ZERO_ON | 0x0040);
	soft_add_products(&o);
	_mm_setcsr(before);
}

#undef _tile_loadconfig
#undef _tile_storeconfig
#undef _tile_release
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stream_loadd
#undef _tile_stored
#undef _tile_dpbssd
#undef _tile_dpbsud
#undef _tile_dpbusd
#undef _tile_dpbuud
#undef _tile_dpbf16ps

#define _tile_loadconfig(from) soft_configure(from)
#define _tile_release() soft_release()
#define _tile_zero(tile) soft_zero(tile)
#define _tile_loadd(tile, from, stride) \
	soft_load(tile, from, (ptrdiff_t) (stride))
#define _tile_stream_loadd(tile, from, stride) \
	soft_load(tile, from, (ptrdiff_t) (stride))
#define _tile_stored(tile, to, stride) \
	soft_store(tile, to, (ptrdiff_t) (stride))
#define _tile_dpbssd(sums, a, b) soft_multiply_bytes(sums, a, b, 1, 1)
#define _tile_dpbsud(sums, a, b) soft_multiply_bytes(sums, a, b, 1, 0)
#define _tile_dpbusd(sums, a, b) soft_multiply_bytes(sums, a, b, 0, 1)
#define _tile_dpbuud(sums, a, b) soft_multiply_bytes(sums, a, b, 0, 0)
#define _tile_dpbf16ps(sums, a, b) soft_multiply_bf16(sums, a, b)

/* The seam in amx.h */
#define MB_LOAD_CONFIGURATION(c) soft_configure(&(c))

#endif							/* __AMX_TILE__ */
#endif							/* MB_SOFTWARE_TILES */
