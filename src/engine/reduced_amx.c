/*-------------------------------------------------------------------------
 *
 * reduced_amx.c
 *	  int8, bf16 and bf16x3 products for processors with AMX.
 *
 * Eight tile registers: four of sums (two of rows by two of columns), two of
 * activations and two of weights.  Four products of 16 cycles for four loads.
 *
 * The tiles' configuration is state of the thread, loaded by begin() and let
 * go by end(), so that switching tasks need not save 8 kB outside of a pass.
 * The first begin() of a process asks Linux for the right to use them.
 *
 * bf16 products round as AMX does (subnormal numbers are zero); sums of a row
 * are formed along k whatever the rows beside it.
 *
 * Depends on reduced_avx512.h, cpu.h.  Compiled with -mamx-tile -mamx-int8
 * -mamx-bf16 -mavx512bf16; nothing here may run before mb_cpu_has_amx() has
 * said yes.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__x86_64__)

#include "reduced_avx512.h"

/* As LDTILECFG reads it */
typedef struct tile_configuration
{
	uint8_t		palette;
	uint8_t		start_row;
	uint8_t		reserved[14];
	uint16_t	column_bytes[16];
	uint8_t		rows[16];
} tile_configuration;

static bool
begin(void)
{
	tile_configuration c __attribute__((aligned(64)));
	size_t		i;

	memset(&c, 0, sizeof(c));
	c.palette = 1;
	for (i = 0; i < 8; i++)
	{
		c.column_bytes[i] = LINE;
		c.rows[i] = TILE;
	}
	/* GCC 12's intrinsic does not say that it reads all 64 bytes. */
	__asm__ volatile("ldtilecfg %0" : : "m"(c));
	return true;
}

static void
end(void)
{
	_tile_release();
}

/* Tiles 0 to 3 are sums, 4 and 5 activations, 6 and 7 weights. */
#define LOAD(tile, p) _tile_loadd(tile, p, LINE)
#define STORE(tile, r, c) \
	_tile_stored(tile, &block->i[r][c], PAIR * sizeof(int32_t))

/* Nor does that of a load say that it reads memory: hence the barrier. */
static inline void
clear_sums(void)
{
	__asm__ volatile("" : : : "memory");
	_tile_zero(0);
	_tile_zero(1);
	_tile_zero(2);
	_tile_zero(3);
}

static inline void
store_sums(reduced_block *block, size_t r)
{
	STORE(0, r, 0);
	STORE(1, r, TILE);
	STORE(2, r + TILE, 0);
	STORE(3, r + TILE, TILE);
}

static inline void
store_upper_sums(reduced_block *block, size_t r)
{
	STORE(0, r, 0);
	STORE(1, r, TILE);
}

/* Sums += activations * weights, of one or two tiles of rows */
#define MULTIPLY_ONE(dot) \
	do { \
		dot(0, 4, 6); \
		dot(1, 4, 7); \
	} while (0)

#define MULTIPLY_TWO(dot) \
	do { \
		dot(0, 4, 6); \
		dot(1, 4, 7); \
		dot(2, 5, 6); \
		dot(3, 5, 7); \
	} while (0)

/* int8: rows from r on, "rows" of them */
static void
product_rows(const mb_reduced_rows *rows, size_t r, size_t count,
			 const uint8_t *w, reduced_block *block)
{
	size_t		size = tile_size(MB_REDUCED_INT8, rows->k);
	const uint8_t *x = rows_line(rows->tiles, size / AMX_BYTES, r, 0);
	size_t		at;

	clear_sums();
	if (count <= TILE)
	{
		for (at = 0; at < size; at += AMX_BYTES)
		{
			LOAD(4, x + at);
			LOAD(6, w + at);
			LOAD(7, w + size + at);
			MULTIPLY_ONE(_tile_dpbusd);
		}
		store_upper_sums(block, r);
		return;
	}
	for (at = 0; at < size; at += AMX_BYTES)
	{
		LOAD(4, x + at);
		LOAD(6, w + at);
		LOAD(7, w + size + at);
		LOAD(5, x + size + at);
		MULTIPLY_TWO(_tile_dpbusd);
	}
	store_sums(block, r);
}

static void
product_int8(const mb_reduced_rows *rows, const uint8_t *w,
			 reduced_block *block)
{
	product_rows(rows, 0, rows->rows, w, block);
	if (rows->seconds > 0)
		product_rows(rows, ROWS, rows->seconds, w, block);
}

static void
linear_int8_amx(const mb_reduced_rows *rows, const void *panel, size_t n,
				size_t first, size_t last, const mb_reduced_finish *finish,
				float *y, size_t ldy)
{
	linear_int8(product_int8, rows, panel, n, first, last, finish, y, ldy);
}

static void
prepare_int8_amx(mb_reduced_rows *rows)
{
	prepare_int8(rows);
}

/* bfloat16 of 32 inputs of a row */
static inline __m512i
round_line(vf a, vf b)
{
	return (__m512i) _mm512_cvtne2ps_pbh(b, a);
}

/* What rounding to bfloat16 left over */
static inline vf
rest(vf x, __m256i rounded)
{
	return x - _mm512_castsi512_ps(_mm512_slli_epi32(
													 _mm512_cvtepu16_epi32(rounded), 16));
}

static inline __attribute__((always_inline)) void
prepare_bf16(mb_reduced_form form, mb_reduced_rows *rows)
{
	size_t		deep = depth(form, rows->k);
	size_t		r;
	size_t		t;

	rows->seconds = 0;
	for (r = 0; r < rows->rows; r++)
	{
		const float *x = rows->x + r * rows->ldx;

		for (t = 0; t < deep; t++)
		{
			vf			a = row_lanes(x, rows->k, t * BF16_DEEP);
			vf			b = row_lanes(x, rows->k, t * BF16_DEEP + VW);
			__m512i		high = round_line(a, b);

			_mm512_store_si512((void *) rows_line(rows->tiles, deep, r, t),
							   high);
			if (form != MB_REDUCED_BF16X3)
				continue;
			a = rest(a, _mm512_castsi512_si256(high));
			b = rest(b, _mm512_extracti64x4_epi64(high, 1));
			_mm512_store_si512((void *) rows_line(rows->tiles, deep, ROWS + r,
												  t), round_line(a, b));
		}
	}
}

static void
prepare_bf16_amx(mb_reduced_rows *rows)
{
	prepare_bf16(MB_REDUCED_BF16, rows);
}

static void
prepare_bf16x3_amx(mb_reduced_rows *rows)
{
	prepare_bf16(MB_REDUCED_BF16X3, rows);
}

static void
product_bf16(const mb_reduced_rows *rows, const uint8_t *w,
			 reduced_block *block)
{
	size_t		size = tile_size(MB_REDUCED_BF16, rows->k);
	const uint8_t *x = rows->tiles;
	size_t		at;

	clear_sums();
	if (rows->rows <= TILE)
	{
		for (at = 0; at < size; at += AMX_BYTES)
		{
			LOAD(4, x + at);
			LOAD(6, w + at);
			LOAD(7, w + size + at);
			MULTIPLY_ONE(_tile_dpbf16ps);
		}
		store_upper_sums(block, 0);
		return;
	}
	for (at = 0; at < size; at += AMX_BYTES)
	{
		LOAD(4, x + at);
		LOAD(6, w + at);
		LOAD(7, w + size + at);
		LOAD(5, x + size + at);
		MULTIPLY_TWO(_tile_dpbf16ps);
	}
	store_sums(block, 0);
}

/* high * low and high * high share the activations, low * high comes last. */
static void
product_bf16x3(const mb_reduced_rows *rows, const uint8_t *w,
			   reduced_block *block)
{
	size_t		size = tile_size(MB_REDUCED_BF16, rows->k);
	const uint8_t *w_next = w + 2 * size;
	const uint8_t *x = rows->tiles;
	const uint8_t *x_low = x + ROWS / TILE * size;
	bool		two = rows->rows > TILE;
	size_t		at;

	clear_sums();
	for (at = 0; at < size; at += AMX_BYTES)
	{
		LOAD(4, x + at);
		LOAD(6, w + size + at);
		LOAD(7, w_next + size + at);
		if (two)
		{
			LOAD(5, x + size + at);
			MULTIPLY_TWO(_tile_dpbf16ps);
			LOAD(6, w + at);
			LOAD(7, w_next + at);
			MULTIPLY_TWO(_tile_dpbf16ps);
			LOAD(4, x_low + at);
			LOAD(5, x_low + size + at);
			MULTIPLY_TWO(_tile_dpbf16ps);
		}
		else
		{
			MULTIPLY_ONE(_tile_dpbf16ps);
			LOAD(6, w + at);
			LOAD(7, w_next + at);
			MULTIPLY_ONE(_tile_dpbf16ps);
			LOAD(4, x_low + at);
			MULTIPLY_ONE(_tile_dpbf16ps);
		}
	}
	if (two)
		store_sums(block, 0);
	else
		store_upper_sums(block, 0);
}

static inline __attribute__((always_inline)) void
linear_bf16(mb_reduced_form form, const mb_reduced_rows *rows,
			const void *panel, size_t first, size_t last,
			const mb_reduced_finish *finish, float *y, size_t ldy)
{
	reduced_block block __attribute__((aligned(64)));
	size_t		c;

	for (c = first; c < last; c += PAIR)
	{
		const uint8_t *w = panel_tile(form, panel, rows->k, c);

		if (form == MB_REDUCED_BF16X3)
			product_bf16x3(rows, w, &block);
		else
			product_bf16(rows, w, &block);
		finish_float(&block, rows->rows, c, last - c < PAIR ? last - c : PAIR,
					 finish, y, ldy);
	}
}

static void
linear_bf16_amx(const mb_reduced_rows *rows, const void *panel, size_t n,
				size_t first, size_t last, const mb_reduced_finish *finish,
				float *y, size_t ldy)
{
	(void) n;
	linear_bf16(MB_REDUCED_BF16, rows, panel, first, last, finish, y, ldy);
}

static void
linear_bf16x3_amx(const mb_reduced_rows *rows, const void *panel, size_t n,
				  size_t first, size_t last, const mb_reduced_finish *finish,
				  float *y, size_t ldy)
{
	(void) n;
	linear_bf16(MB_REDUCED_BF16X3, rows, panel, first, last, finish, y, ldy);
}

const mb_reduced_kernels mb_reduced_amx[MB_REDUCED_FORMS] = {
	[MB_REDUCED_INT8] = {
		.name = "amx",
		.begin = begin,
		.end = end,
		.prepare = prepare_int8_amx,
		.linear = linear_int8_amx
	},
	[MB_REDUCED_BF16] = {
		.name = "amx",
		.begin = begin,
		.end = end,
		.prepare = prepare_bf16_amx,
		.linear = linear_bf16_amx
	},
	[MB_REDUCED_BF16X3] = {
		.name = "amx",
		.begin = begin,
		.end = end,
		.prepare = prepare_bf16x3_amx,
		.linear = linear_bf16x3_amx
	}
};

#endif							/* __x86_64__ */
