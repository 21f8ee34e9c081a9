/*-------------------------------------------------------------------------
 *
 * reduced_amx.c
 *	  int8, bf16 and bf16x3 products for processors with AMX.
 *
 * Eight tile registers: four of sums (two of rows by two of columns), two of
 * activations and two of weights.  Four products of 16 cycles for four loads.
 *
 * The tiles' configuration is state of the thread, loaded before a pass and let
 * go behind it, so that switching tasks need not save 8 kB outside of one.
 *
 * bf16 products round as AMX does (subnormal numbers are zero); sums of a row
 * are formed along k whatever the rows beside it.
 *
 * Depends on reduced_avx512.h, arena.h (sizes).  Compiled with -mamx-tile -mamx-int8
 * -mamx-bf16 -mavx512bf16; nothing here may run before mb_cpu_has_amx() has
 * said yes.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__x86_64__)

#include "reduced_avx512.h"

#include "arena.h"

/* As LDTILECFG reads it */
typedef struct tile_configuration
{
	uint8_t		palette;
	uint8_t		start_row;
	uint8_t		reserved[14];
	uint16_t	column_bytes[16];
	uint8_t		rows[16];
} tile_configuration;

void
mb_begin_amx(void)
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
}

void
mb_end_amx(void)
{
	_tile_release();
}

/* Tiles 0 to 3 are sums, 4 and 5 activations, 6 and 7 weights. */
#define LOAD(tile, p) _tile_loadd(tile, p, LINE)
#define STORE(tile, r, c) \
	_tile_stored(tile, &block->i[r][c], MB_PANEL * sizeof(int32_t))

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
store_sums(sums_block *block)
{
	STORE(0, 0, 0);
	STORE(1, 0, TILE);
	STORE(2, TILE, 0);
	STORE(3, TILE, TILE);
}

static inline void
store_upper_sums(sums_block *block)
{
	STORE(0, 0, 0);
	STORE(1, 0, TILE);
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

/* ----------
 * INT8
 * ----------
 */

static void
int8_amx(int8_group *group, size_t rows, size_t k, const uint8_t *w,
		 sums_block *block)
{
	size_t		size = tile_size(MB_FORMAT_INT8, k);
	const uint8_t *x = group->tiles;
	size_t		at;

	clear_sums();
	if (rows <= TILE)
	{
		for (at = 0; at < size; at += AMX_BYTES)
		{
			LOAD(4, x + at);
			LOAD(6, w + at);
			LOAD(7, w + size + at);
			MULTIPLY_ONE(_tile_dpbusd);
		}
		store_upper_sums(block);
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
	store_sums(block);
}

void
mb_linear_int8_amx(const mb_product *product)
{
	linear_int8(product, int8_amx);
}

/* ----------
 * BF16 and BF16X3
 * ----------
 */

/* Bytes of a group's rows, low parts included */
static size_t
bf16_group_size(mb_format format, size_t k)
{
	return group_tiles(format, k,
					   format == MB_FORMAT_BF16X3 ? 2 * GROUP : GROUP);
}

static size_t
operand_size_bf16(mb_format format, size_t rows, size_t k)
{
	size_t		groups;
	size_t		size;

	if (k > SIZE_MAX / (8 * GROUP) || !mb_size_add(rows, GROUP - 1, &groups) ||
		!mb_size_multiply(groups / GROUP, bf16_group_size(format, k), &size))
		return SIZE_MAX;
	return size;
}

size_t
mb_operand_size_bf16_amx(size_t rows, size_t k)
{
	return operand_size_bf16(MB_FORMAT_BF16, rows, k);
}

size_t
mb_operand_size_bf16x3_amx(size_t rows, size_t k)
{
	return operand_size_bf16(MB_FORMAT_BF16X3, rows, k);
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

/* Row r of a group's tiles */
ALWAYS void
round_row(mb_format format, const float *x, size_t k, uint8_t *tiles, size_t r)
{
	size_t		deep = depth(format, k);
	size_t		t;

	for (t = 0; t < deep; t++)
	{
		vf			a = row_lanes(x, k, t * BF16_DEEP);
		vf			b = row_lanes(x, k, t * BF16_DEEP + VW);
		__m512i		high = round_line(a, b);

		_mm512_store_si512((void *) rows_line(tiles, deep, r, t), high);
		if (format != MB_FORMAT_BF16X3)
			continue;
		a = rest(a, _mm512_castsi512_si256(high));
		b = rest(b, _mm512_extracti64x4_epi64(high, 1));
		_mm512_store_si512((void *) rows_line(tiles, deep, GROUP + r, t),
						   round_line(a, b));
	}
}

ALWAYS void
prepare_bf16(mb_format format, const float *x, size_t rows, size_t k,
			 uint8_t *operand)
{
	size_t		r;

	for (r = 0; r < rows; r++)
		round_row(format, x + r * k, k,
				  operand + r / GROUP * bf16_group_size(format, k),
				  r % GROUP);
}

void
mb_prepare_bf16_amx(const float *x, size_t rows, size_t k, void *operand)
{
	prepare_bf16(MB_FORMAT_BF16, x, rows, k, operand);
}

void
mb_prepare_bf16x3_amx(const float *x, size_t rows, size_t k, void *operand)
{
	prepare_bf16(MB_FORMAT_BF16X3, x, rows, k, operand);
}

static void
bf16_sums(const void *x, size_t rows, size_t k, const uint8_t *w,
		  sums_block *block)
{
	size_t		size = tile_size(MB_FORMAT_BF16, k);
	const uint8_t *lines = x;
	size_t		at;

	clear_sums();
	if (rows <= TILE)
	{
		for (at = 0; at < size; at += AMX_BYTES)
		{
			LOAD(4, lines + at);
			LOAD(6, w + at);
			LOAD(7, w + size + at);
			MULTIPLY_ONE(_tile_dpbf16ps);
		}
		store_upper_sums(block);
		return;
	}
	for (at = 0; at < size; at += AMX_BYTES)
	{
		LOAD(4, lines + at);
		LOAD(6, w + at);
		LOAD(7, w + size + at);
		LOAD(5, lines + size + at);
		MULTIPLY_TWO(_tile_dpbf16ps);
	}
	store_sums(block);
}

/* high * low and high * high share the activations, low * high comes last. */
static void
bf16x3_sums(const void *x, size_t rows, size_t k, const uint8_t *w,
			sums_block *block)
{
	size_t		size = tile_size(MB_FORMAT_BF16, k);
	const uint8_t *w_next = w + 2 * size;
	const uint8_t *high = x;
	const uint8_t *low = high + GROUP / TILE * size;
	bool		two = rows > TILE;
	size_t		at;

	clear_sums();
	for (at = 0; at < size; at += AMX_BYTES)
	{
		LOAD(4, high + at);
		LOAD(6, w + size + at);
		LOAD(7, w_next + size + at);
		if (two)
		{
			LOAD(5, high + size + at);
			MULTIPLY_TWO(_tile_dpbf16ps);
			LOAD(6, w + at);
			LOAD(7, w_next + at);
			MULTIPLY_TWO(_tile_dpbf16ps);
			LOAD(4, low + at);
			LOAD(5, low + size + at);
			MULTIPLY_TWO(_tile_dpbf16ps);
		}
		else
		{
			MULTIPLY_ONE(_tile_dpbf16ps);
			LOAD(6, w + at);
			LOAD(7, w_next + at);
			MULTIPLY_ONE(_tile_dpbf16ps);
			LOAD(4, low + at);
			MULTIPLY_ONE(_tile_dpbf16ps);
		}
	}
	if (two)
		store_sums(block);
	else
		store_upper_sums(block);
}

void
mb_linear_bf16_amx(const mb_product *p)
{
	linear_bf16(p, MB_FORMAT_BF16, p->operand,
				bf16_group_size(MB_FORMAT_BF16, p->k), bf16_sums);
}

void
mb_linear_bf16x3_amx(const mb_product *p)
{
	linear_bf16(p, MB_FORMAT_BF16X3, p->operand,
				bf16_group_size(MB_FORMAT_BF16X3, p->k), bf16x3_sums);
}

#endif							/* __x86_64__ */
