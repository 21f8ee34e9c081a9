/*-------------------------------------------------------------------------
 *
 * amx.h
 *	  The tile registers of AMX, for the files that multiply with them.
 *
 * Eight registers of 16 lines of 64 bytes, as set_tiles() sets them up: four
 * of sums (two of rows by two of columns), two of activations and two of
 * weights.  A product takes 16 cycles and is ready after 52: four sums in turn
 * keep the unit busy.
 *
 * "two" says whether there is more than a tile of rows, and with that a second
 * pair of sums; it is a constant wherever these are called.
 *
 * Depends on kernels/kernels.h, kernels/reduced_layout.h,
 * kernels/x86/simd_avx512.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_AMX_H
#define MB_AMX_H

#if defined(__AMX_TILE__)

#include "kernels/kernels.h"
#include "kernels/reduced_layout.h"
#include "kernels/x86/simd_avx512.h"

#include <string.h>

/* Tiles 0 to 3 are sums, 4 and 5 activations, 6 and 7 weights. */
#define MB_LOAD_TILE(tile, p) _tile_loadd(tile, p, MB_LINE)
#define MB_STORE_TILE(tile, sums) \
	_tile_stored(tile, sums, MB_PANEL * sizeof(int32_t))

/* The intrinsic of a load does not say that it reads memory. */
#define MB_BARRIER __asm__ volatile("" : : : "memory")

/*
 * GCC 12's intrinsic does not say that it reads all 64 bytes.  Tests define
 * another one, as they do intrinsics: test/unit/software_tiles.h.
 */
#ifndef MB_LOAD_CONFIGURATION
#define MB_LOAD_CONFIGURATION(c) __asm__ volatile("ldtilecfg %0" : : "m"(c))
#endif

/* As LDTILECFG reads it */
typedef struct tile_configuration
{
	uint8_t		palette;
	uint8_t		start_row;
	uint8_t		reserved[14];
	uint16_t	column_bytes[16];
	uint8_t		rows[16];
} tile_configuration;

/*
 * Tiles of weights have MB_TILE lines, those of sums and activations "rows":
 * what is done with them takes less time when these are few.
 */
static inline void
set_tiles(size_t rows)
{
	tile_configuration c __attribute__((aligned(64)));
	size_t		i;

	memset(&c, 0, sizeof(c));
	c.palette = 1;
	for (i = 0; i < 8; i++)
	{
		c.column_bytes[i] = MB_LINE;
		c.rows[i] = i < 6 ? (uint8_t) rows : MB_TILE;
	}
	MB_LOAD_CONFIGURATION(c);
}

MB_INLINE void
clear_sums(void)
{
	MB_BARRIER;
	_tile_zero(0);
	_tile_zero(1);
	_tile_zero(2);
	_tile_zero(3);
}

/* Sums [MB_TILE or MB_GROUP, MB_PANEL] into the block, integers or floats */
MB_INLINE void
store_sums(sums_block *block, bool two)
{
	MB_STORE_TILE(0, &block->i[0][0]);
	MB_STORE_TILE(1, &block->i[0][MB_TILE]);
	if (two)
	{
		MB_STORE_TILE(2, &block->i[MB_TILE][0]);
		MB_STORE_TILE(3, &block->i[MB_TILE][MB_TILE]);
	}
}

/* Sums += activations * weights, by an intrinsic */
#define MB_MULTIPLY_TILES(dot, two) \
	do { \
		dot(0, 4, 6); \
		dot(1, 4, 7); \
		if (two) \
		{ \
			dot(2, 5, 6); \
			dot(3, 5, 7); \
		} \
	} while (0)

/* bfloat16 of 32 inputs of a row */
static inline __m512i
round_line(vf a, vf b)
{
	return (__m512i) _mm512_cvtne2ps_pbh(b, a);
}

/*
 * Prefetches memory from w on into the second level of the cache, one line in
 * "every".  The processor by itself fetches the lines that follow, and each
 * prefetch takes one of the few fill buffers that loads need as well.
 */
MB_INLINE void
prefetch_lines(const uint8_t *w, size_t bytes, size_t every)
{
	size_t		i;

	for (i = 0; i < bytes; i += every * MB_LINE)
		__builtin_prefetch(w + i, 0, 2);
}

#endif							/* __AMX_TILE__ */
#endif							/* MB_AMX_H */
