/*-------------------------------------------------------------------------
 *
 * reduced.h
 *	  Linear maps with fewer bits: int8, bf16 and bf16x3.
 *
 * Weights are packed once, into panels (layout below) that all instruction
 * sets read; activations arrive as float rows, are made ready once for all
 * maps that read them, and results leave as float rows.
 *
 *	int8	Weights: a scale for each column, symmetric, -127 to 127.
 *			Activations: a scale and a zero point for each row, 0 to 255.  A row
 *			whose largest value stands far above the others gets a second term:
 *			what the first left over, at 1/254 of its scale, as another row of
 *			the product; together they have 16 bits.  Sums are exact in 32 bits,
 *			so every instruction set finds the same integers.
 *	bf16	Both operands rounded to bfloat16, sums in float.  Without AMX there
 *			is nothing to win by rounding activations: they stay float.
 *	bf16x3	Both operands as a sum of two bfloat16, 16 bits together; the
 *			products high * high, high * low and low * high are added up in
 *			float.  Without AMX activations stay float.
 *
 * A row's results depend on the row and the weights alone, never on the rows
 * beside it; bits are the same in any batch on one instruction set.
 *
 * Panels.  Columns (outputs) go in tiles of 16.  A tile is a sequence of lines
 * of 64 bytes; a line has, for each of the 16 columns, the next 4 (int8) or 2
 * (bf16) inputs: what VPDPBUSD and an AMX tile take as it is.  Inputs are
 * filled up with zeros to whole AMX tiles of 16 lines, columns to whole pairs
 * of tiles.  bf16x3 has the tile of low parts behind that of high parts.
 * Behind the tiles of int8 come float scale[n] and float sum[n], the sum of a
 * column's integers, both padded alike.
 *
 * Source: spec model.md section 8; the arithmetic of each form is this file's.
 * Depends on status.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_REDUCED_H
#define MB_REDUCED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum mb_reduced_form
{
	MB_REDUCED_INT8,
	MB_REDUCED_BF16,
	MB_REDUCED_BF16X3,
	MB_REDUCED_FORMS
} mb_reduced_form;

/* Rows of one product at most */
#define MB_REDUCED_ROWS 32

/* Columns of a tile, of a pair of tiles, and bytes of a line */
#define MB_REDUCED_TILE 16
#define MB_REDUCED_PAIR 32
#define MB_REDUCED_LINE 64

/* Inputs are as wide as this at most, so that no sum overflows 32 bits. */
#define MB_REDUCED_WIDTH_MAX 65536

/*
 * Bytes of the panels for weights [n, k], a multiple of 64; SIZE_MAX when that
 * is beyond size_t or k beyond MB_REDUCED_WIDTH_MAX.
 */
extern size_t mb_reduced_panel_size(mb_reduced_form form, size_t k, size_t n);

/* Pack columns [first, last) of w [n, k]; first is a multiple of a pair. */
extern void mb_reduced_pack(mb_reduced_form form, const float *w, size_t k,
							size_t n, size_t first, size_t last, void *panel);

/*
 * Rows of activations made ready.  tiles: room for mb_reduced_rows_size()
 * bytes, aligned to 64.
 *
 * int8: row r of the tiles is (x - zero) / scale; rows from MB_REDUCED_ROWS on
 * are second terms, row MB_REDUCED_ROWS + i that of row owner[i].
 */
typedef struct mb_reduced_rows
{
	const float *x;				/* as given: [rows, k], rows ldx apart */
	size_t		ldx;
	size_t		rows;			/* 1 to MB_REDUCED_ROWS */
	size_t		k;
	uint8_t    *tiles;
	size_t		seconds;		/* second terms */
	uint8_t		owner[MB_REDUCED_ROWS];
	float		scale[2 * MB_REDUCED_ROWS];
	float		zero[2 * MB_REDUCED_ROWS];
} mb_reduced_rows;

extern size_t mb_reduced_rows_size(size_t k);

/*
 * What becomes of a sum: y = (relu(sum + bias) + residual) * norm_weight +
 * norm_bias, each part only where it is asked for.  Vectors are [n].
 */
typedef struct mb_reduced_finish
{
	const float *bias;			/* NULL: zeros */
	bool		relu;
	const float *residual;		/* [rows, n], rows ldr apart; NULL: none */
	size_t		ldr;
	const float *norm_weight;	/* NULL: no NoNorm */
	const float *norm_bias;
} mb_reduced_finish;

/* The functions of one form on one instruction set */
typedef struct mb_reduced_kernels
{
	const char *name;			/* "ref", "avx2", "avx512", "vnni", "amx" */

	/*
	 * Around a pass: state of the processor that products need.  False when
	 * the system refuses; never where mb_reduced_choose() has said yes.
	 */
	bool		(*begin) (void);
	void		(*end) (void);

	/* rows->x, ldx, rows, k and tiles are given; fills the rest. */
	void		(*prepare) (mb_reduced_rows *rows);

	/*
	 * Columns [first, last) of y [rows, n], rows ldy apart; first is a
	 * multiple of MB_REDUCED_PAIR, and last too unless it is n.  y may be the
	 * residual, but not x.
	 */
	void		(*linear) (const mb_reduced_rows *rows, const void *panel,
						   size_t n, size_t first, size_t last,
						   const mb_reduced_finish *finish,
						   float *y, size_t ldy);
} mb_reduced_kernels;

/*
 * The functions for a form on an instruction set ("ref", "avx2", "avx512",
 * "vnni", "amx"); NULL where this processor, system or build lacks them.
 */
extern const mb_reduced_kernels *mb_reduced_find(mb_reduced_form form,
												 const char *name);

/*
 * The best functions for a form among those that the named instruction set of
 * mb_kernels_choose() allows; never NULL.
 */
extern const mb_reduced_kernels *mb_reduced_best(mb_reduced_form form,
												 const char *instruction_set);

#endif							/* MB_REDUCED_H */
