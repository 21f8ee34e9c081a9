/*-------------------------------------------------------------------------
 *
 * reduced_layout.h
 *	  Where things lie in panels and rows; see reduced.h.
 *
 * For the files behind reduced.h only.
 * Depends on reduced.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_REDUCED_LAYOUT_H
#define MB_REDUCED_LAYOUT_H

#include "reduced.h"

#define ROWS MB_REDUCED_ROWS
#define TILE MB_REDUCED_TILE
#define PAIR MB_REDUCED_PAIR
#define LINE MB_REDUCED_LINE

/* An AMX tile: 16 lines */
#define AMX_BYTES 1024

/* Inputs in a line, for each column, and in an AMX tile */
#define INT8_STEP 4
#define BF16_STEP 2
#define INT8_DEEP 64
#define BF16_DEEP 32

/*
 * A row with values beyond this many times its root mean square (twice that
 * for a row of both signs) gets a second term.
 */
#define SECOND_RATIO 10.0f

/* Steps of the second term in one of the first */
#define SECOND_STEPS 254.0f

/* Ranges below this are zero: their inverse is not a number. */
#define RANGE_LEAST 1e-35f

static inline size_t
round_up(size_t n, size_t unit)
{
	return (n + unit - 1) / unit * unit;
}

/* AMX tiles along k */
static inline size_t
depth(mb_reduced_form form, size_t k)
{
	return form == MB_REDUCED_INT8 ? round_up(k, INT8_DEEP) / INT8_DEEP :
		round_up(k, BF16_DEEP) / BF16_DEEP;
}

/* Bytes of one tile of columns */
static inline size_t
tile_size(mb_reduced_form form, size_t k)
{
	return depth(form, k) * AMX_BYTES * (form == MB_REDUCED_BF16X3 ? 2 : 1);
}

static inline const uint8_t *
panel_tile(mb_reduced_form form, const void *panel, size_t k, size_t column)
{
	return (const uint8_t *) panel + column / TILE * tile_size(form, k);
}

/* int8: scales of the columns, and the sums of their integers */
static inline const float *
panel_scale(const void *panel, size_t k, size_t n)
{
	return (const float *) panel_tile(MB_REDUCED_INT8, panel, k,
									  round_up(n, PAIR));
}

static inline const float *
panel_sum(const void *panel, size_t k, size_t n)
{
	return panel_scale(panel, k, n) + round_up(n, PAIR);
}

/*
 * Bytes of row r from AMX tile t on, of a matrix "deep" tiles deep: rows in
 * tiles of 16, tile by tile along k.  The next row is LINE bytes on, the next
 * tile along k AMX_BYTES.
 */
static inline uint8_t *
rows_line(uint8_t *tiles, size_t deep, size_t r, size_t t)
{
	return tiles + ((r / TILE * deep + t) * TILE + r % TILE) * LINE;
}

/* bfloat16: the upper half of a float, nearest, ties to even; NaN stays one. */
static inline uint16_t
bf16_from_float(float x)
{
	union
	{
		float		f;
		uint32_t	u;
	}			v = {x};

	if (x != x)
		return (uint16_t) (v.u >> 16 | 0x40);
	return (uint16_t) ((v.u + 0x7fff + (v.u >> 16 & 1)) >> 16);
}

static inline float
bf16_to_float(uint16_t h)
{
	union
	{
		uint32_t	u;
		float		f;
	}			v = {(uint32_t) h << 16};

	return v.f;
}

extern const mb_reduced_kernels mb_reduced_ref[MB_REDUCED_FORMS];

#if defined(__x86_64__)
/* A table without name: the instruction set has nothing for that form. */
extern const mb_reduced_kernels mb_reduced_avx2[MB_REDUCED_FORMS];
extern const mb_reduced_kernels mb_reduced_avx512[MB_REDUCED_FORMS];
extern const mb_reduced_kernels mb_reduced_vnni[MB_REDUCED_FORMS];
extern const mb_reduced_kernels mb_reduced_amx[MB_REDUCED_FORMS];
#endif

#endif							/* MB_REDUCED_LAYOUT_H */
