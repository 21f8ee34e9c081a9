/*-------------------------------------------------------------------------
 *
 * reduced_amx.c
 *	  int8, bf16 and bf16x3 products for processors with AMX.
 *
 * The tiles' configuration is state of the thread, loaded before a pass and let
 * go behind it, so that switching tasks need not save 8 kB outside of one.
 *
 * bf16 products round as AMX does (subnormal numbers are zero); sums of a row
 * are formed along k whatever the rows beside it.
 *
 * Depends on amx.h, arena.h (sizes).  Compiled with -mamx-tile -mamx-int8
 * -mamx-bf16 -mavx512bf16; nothing here may run before mb_cpu_has_amx() has
 * said yes.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__x86_64__)

#include "amx.h"

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

/* Where a step along k finds its tiles */
typedef struct step_operands
{
	const uint8_t *x;			/* the group's rows */
	const uint8_t *w;			/* the panel */
	size_t		size;			/* of a tile of rows or outputs along k */
} step_operands;

ALWAYS void
load_step(const step_operands *o, size_t at, bool two)
{
	LOAD(4, o->x + at);
	LOAD(6, o->w + at);
	LOAD(7, o->w + o->size + at);
	if (two)
		LOAD(5, o->x + o->size + at);
}

ALWAYS void
step_int8(const step_operands *o, size_t at, bool two)
{
	load_step(o, at, two);
	MULTIPLY(_tile_dpbusd);
}

ALWAYS void
step_bf16(const step_operands *o, size_t at, bool two)
{
	load_step(o, at, two);
	MULTIPLY(_tile_dpbf16ps);
}

/* low * high, high * high and high * low, activations first */
ALWAYS void
step_bf16x3(const step_operands *o, size_t at, bool two)
{
	const uint8_t *w_next = o->w + 2 * o->size;
	const uint8_t *low = o->x + GROUP / TILE * o->size;

	LOAD(4, low + at);
	LOAD(6, o->w + at);
	LOAD(7, w_next + at);
	if (two)
		LOAD(5, low + o->size + at);
	MULTIPLY(_tile_dpbf16ps);
	LOAD(4, o->x + at);
	if (two)
		LOAD(5, o->x + o->size + at);
	MULTIPLY(_tile_dpbf16ps);
	LOAD(6, o->w + o->size + at);
	LOAD(7, w_next + o->size + at);
	MULTIPLY(_tile_dpbf16ps);
}

/*
 * Sums of one block, and between their steps results of the block before: the
 * tiles' unit and the vectors' work at the same time.  two: more than a tile
 * of rows.  ahead: this is the first to read the panel.
 */
ALWAYS void
multiply_block(mb_format format, const step_operands *o, bool two, bool ahead,
			   const finish_job *before, sums_block *block)
{
	size_t		panel = MB_PANEL / TILE * o->size *
		(format == MB_FORMAT_BF16X3 ? 2 : 1);
	size_t		steps = o->size / AMX_BYTES;
	size_t		rows = before == NULL ? 0 : before->rows;
	size_t		done = 0;
	size_t		s;

	clear_sums();
	for (s = 0; s < steps; s++)
	{
		size_t		end = rows * (s + 1) / steps;

		if (format == MB_FORMAT_INT8)
			step_int8(o, s * AMX_BYTES, two);
		else if (format == MB_FORMAT_BF16)
			step_bf16(o, s * AMX_BYTES, two);
		else
			step_bf16x3(o, s * AMX_BYTES, two);
		if (ahead)
			ask_ahead(o->w + panel + s * (panel / steps), panel / steps);
		if (end > done)
			finish_rows(before, done, end);
		done = end;
	}
	store_sums(block, two);
	BARRIER;
}

/* The group of rows of a product's operand that begins with "row" */
ALWAYS const uint8_t *
group_of(const mb_product *p, size_t row, size_t size)
{
	return (const uint8_t *) p->operand + row / GROUP * size;
}

/* size: bytes of a group of rows */
ALWAYS void
linear_amx(const mb_product *p, mb_format format, size_t size)
{
	sums_block	blocks[2] __attribute__((aligned(64)));
	finish_job	jobs[2];
	const finish_job *before = NULL;
	size_t		end = p->first + p->width;
	size_t		column;
	size_t		row;
	int			now = 0;

	for (column = p->first; column < end; column += MB_PANEL)
	{
		for (row = 0; row < p->rows; row += GROUP)
		{
			const uint8_t *group = group_of(p, row, size);
			bool		integers = format == MB_FORMAT_INT8;
			step_operands o = {
				integers ? ((const int8_group *) group)->tiles : group,
				panel_tile(format, p->map->panels, p->k, column),
				depth(format, p->k) * AMX_BYTES
			};

			jobs[now] = finish_job_make(p, integers ?
										(const int8_group *) group : NULL,
										&blocks[now], row, column);
			if (jobs[now].rows > TILE)
				multiply_block(format, &o, true, row == 0, before,
							   &blocks[now]);
			else
				multiply_block(format, &o, false, row == 0, before,
							   &blocks[now]);
			before = &jobs[now];
			now ^= 1;
		}
	}
	if (before != NULL)
		finish_rows(before, 0, before->rows);
}

void
mb_linear_int8_amx(const mb_product *p)
{
	linear_amx(p, MB_FORMAT_INT8, int8_group_size(p->k));
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

void
mb_linear_bf16_amx(const mb_product *p)
{
	linear_amx(p, MB_FORMAT_BF16, bf16_group_size(MB_FORMAT_BF16, p->k));
}

void
mb_linear_bf16x3_amx(const mb_product *p)
{
	linear_amx(p, MB_FORMAT_BF16X3, bf16_group_size(MB_FORMAT_BF16X3, p->k));
}

/* ----------
 * Attention: keys and values as weights
 * ----------
 */

/* rows of 16 x 16 numbers of 32 bits become columns */
ALWAYS void
transpose(__m512i *r)
{
	__m512i		t[16];
	int			i;

	for (i = 0; i < 16; i += 2)
	{
		t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
		t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
	}
	for (i = 0; i < 16; i += 4)
	{
		r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
		r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
		r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
		r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
	}
	for (i = 0; i < 4; i++)
	{
		t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
		t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
		t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
		t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
	}
	for (i = 0; i < 8; i++)
	{
		r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
		r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
	}
}

/* Sixteen keys are a tile of outputs; their pairs of inputs its lines. */
void
mb_pack_keys_amx(const float *x, size_t ld, size_t rows, size_t width,
				 void *panels)
{
	size_t		deep = depth(MB_FORMAT_BF16, width);
	uint8_t    *tile = panels;
	size_t		first;
	size_t		t;
	int			i;

	for (first = 0; first < padded(rows); first += TILE)
	{
		for (t = 0; t < deep; t++, tile += AMX_BYTES)
		{
			__m512i		line[TILE];

			for (i = 0; i < TILE; i++)
			{
				const float *row = x + (first + i) * ld;

				line[i] = first + i < rows ?
					round_line(row_lanes(row, width, t * BF16_DEEP),
							   row_lanes(row, width, t * BF16_DEEP + VW)) :
					_mm512_setzero_si512();
			}
			transpose(line);
			for (i = 0; i < TILE; i++)
				_mm512_store_si512((void *) (tile + i * LINE), line[i]);
		}
	}
}

/* bfloat16 of 16 outputs, in 32 bits each */
ALWAYS __m512i
round_wide(const float *row, size_t width, size_t c)
{
	return _mm512_cvtepu16_epi32((__m256i)
								 _mm512_cvtneps_pbh(row_lanes(row, width, c)));
}

/* Sixteen columns are a tile of outputs, two values a line. */
void
mb_pack_values_amx(const float *x, size_t ld, size_t rows, size_t width,
				   void *panels)
{
	size_t		lines = depth(MB_FORMAT_BF16, rows) * TILE;
	uint8_t    *line = panels;
	size_t		c;
	size_t		i;

	for (c = 0; c < padded(width); c += TILE)
	{
		for (i = 0; i < 2 * lines; i += BF16_STEP, line += LINE)
		{
			__m512i		even = _mm512_setzero_si512();
			__m512i		odd = even;

			if (i < rows)
				even = round_wide(x + i * ld, width, c);
			if (i + 1 < rows)
				odd = round_wide(x + (i + 1) * ld, width, c);
			_mm512_store_si512((void *) line,
							   _mm512_or_si512(even,
											   _mm512_slli_epi32(odd, 16)));
		}
	}
}

#endif							/* __x86_64__ */
