/*-------------------------------------------------------------------------
 *
 * linear_template.h
 *	  Matrix products over panels for vector instruction sets, written once.
 *
 * y[r, c] = sum over t of x[r, t] * panel[t, c]: a tile of some rows by two
 * vectors of outputs stays in registers while t runs.  x is read one number at
 * a time and spread over a vector, weights are read in the order in which they
 * lie, and what comes next is asked for meanwhile.  Bias, activation, residual
 * and NoNorm are applied before the sums leave the registers.
 *
 * Rounding.  An element is summed in blocks of products, each from zero, and
 * the blocks are added up one after the other, so errors grow like the roots
 * of the block and of their number rather than like that of k.  That order
 * follows from k alone, not from the tile's height, the place of a row or
 * panel, or the instruction set: all give the same bits.
 *
 * Beside what rows_template.h asks for, each kernels_<isa>.c defines
 *
 *	TILE_ROWS			most rows of a tile that the registers hold, at most 6
 *	TOTALS_IN_MEMORY	1 when they cannot hold the blocks' totals as well
 *	v_load_half(p)		VW numbers of binary16, widened; v_load_bfloat alike
 *
 * This is not for products with large k and many rows at once: nothing is
 * blocked for caches but by whoever calls (forward.c's sweeps).
 *
 * Depends on base/arena.h (sizes); rows_template.h includes it.
 *
 *-------------------------------------------------------------------------
 */
#include "base/arena.h"

/*
 * Products of a block: near the root of k errors are least, and the fewer
 * blocks the less work.  Multiples of 4.
 */
#define SUM_BLOCK(k) ((size_t) ((k) <= 48 ? 4 : (k) <= 160 ? 12 : 24))

/* Outputs of a tile; a divisor of MB_PANEL. */
#define TILE_COLUMNS (2 * VW)

/* Loops over the rows of a tile, whose number is a constant by then. */
#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 6")
#endif

/* One tile: operands, and what becomes of the sums. */
typedef struct tile
{
	const float *x;				/* [rows, k] at distance ldx */
	size_t		ldx;
	const char *panel;			/* [k, MB_PANEL] in its format */
	float	   *wide;			/* the same to be kept as float, or NULL */
	size_t		k;
	const char *next;			/* what to ask for meanwhile ... */
	size_t		lines;			/* ... in cache lines for each block of sums */
	float	   *y;				/* [rows, columns] at distance ldy */
	size_t		ldy;
	size_t		columns;		/* 1 to TILE_COLUMNS */
	float		scale;			/* of the sums */
	const float *bias;			/* [columns]; these four may be NULL */
	const float *residual;		/* as y */
	const float *weight;		/* [columns], with shift: NoNorm */
	const float *shift;
	mb_activation activation;
} tile;

/* VW weights of format at number i of the panel. */
ALWAYS vf
load_weights(mb_format format, const char *panel, size_t i)
{
	if (format == MB_FORMAT_HALF)
		return v_load_half((const uint16_t *) panel + i);
	if (format == MB_FORMAT_BFLOAT)
		return v_load_bfloat((const uint16_t *) panel + i);
	return v_load((const float *) panel + i);
}

/* One product for each element of a tile: input at. */
ALWAYS void
tile_step(const tile *o, mb_format format, bool keep, int rows, size_t at,
		  vf *low, vf *high)
{
	vf			w0 = load_weights(format, o->panel, at * MB_PANEL);
	vf			w1 = load_weights(format, o->panel, at * MB_PANEL + VW);
	int			r;

	if (keep)
	{
		v_store(o->wide + at * MB_PANEL, w0);
		v_store(o->wide + at * MB_PANEL + VW, w1);
	}
UNROLL
	for (r = 0; r < rows; r++)
	{
		vf			x = v_set1(o->x[r * o->ldx + at]);

		low[r] = v_fma(x, w0, low[r]);
		high[r] = v_fma(x, w1, high[r]);
	}
}

/* One block of inputs [at, end) from zero. */
ALWAYS void
tile_block(const tile *o, mb_format format, bool keep, int rows, size_t at,
		   size_t end, vf *low, vf *high)
{
	int			r;

UNROLL
	for (r = 0; r < rows; r++)
		low[r] = high[r] = v_set1(0.0f);
	for (; at + 4 <= end; at += 4)
	{
		tile_step(o, format, keep, rows, at, low, high);
		tile_step(o, format, keep, rows, at + 1, low, high);
		tile_step(o, format, keep, rows, at + 2, low, high);
		tile_step(o, format, keep, rows, at + 3, low, high);
	}
	for (; at < end; at++)
		tile_step(o, format, keep, rows, at, low, high);
}

#if TOTALS_IN_MEMORY
typedef struct tile_totals
{
	float		low[TILE_ROWS][VW];
	float		high[TILE_ROWS][VW];
} tile_totals;

#define TOTAL_SET(which, r, v) v_store(totals.which[r], v)
#define TOTAL_GET(which, r) v_load(totals.which[r])
#else
typedef struct tile_totals
{
	vf			low[TILE_ROWS];
	vf			high[TILE_ROWS];
} tile_totals;

#define TOTAL_SET(which, r, v) totals.which[r] = v
#define TOTAL_GET(which, r) totals.which[r]
#endif

/* low and high become the tile's sums. */
ALWAYS void
tile_sum(const tile *o, mb_format format, bool keep, int rows, vf *low,
		 vf *high)
{
	const char *next = o->next;
	size_t		block = SUM_BLOCK(o->k);
	size_t		at = o->k < block ? o->k : block;
	tile_totals totals;
	size_t		i;
	int			r;

	for (i = 0; i < o->lines; i++, next += 64)
		__builtin_prefetch(next, 0, 2);
	tile_block(o, format, keep, rows, 0, at, low, high);
	if (at == o->k)
		return;
UNROLL
	for (r = 0; r < rows; r++)
	{
		TOTAL_SET(low, r, low[r]);
		TOTAL_SET(high, r, high[r]);
	}
	for (; at < o->k; at += block)
	{
		for (i = 0; i < o->lines; i++, next += 64)
			__builtin_prefetch(next, 0, 2);
		tile_block(o, format, keep, rows, at,
				   o->k - at < block ? o->k : at + block, low, high);
UNROLL
		for (r = 0; r < rows; r++)
		{
			TOTAL_SET(low, r, TOTAL_GET(low, r) + low[r]);
			TOTAL_SET(high, r, TOTAL_GET(high, r) + high[r]);
		}
	}
UNROLL
	for (r = 0; r < rows; r++)
	{
		low[r] = TOTAL_GET(low, r);
		high[r] = TOTAL_GET(high, r);
	}
}

/* v[rows], one vector of each row's sums, finished and stored at column. */
ALWAYS void
tile_finish(const tile *o, int rows, vf *v, size_t column, size_t lanes)
{
	int			r;

	if (o->scale != 1.0f)
	{
		vf			scale = v_set1(o->scale);

UNROLL
		for (r = 0; r < rows; r++)
			v[r] = v[r] * scale;
	}
	if (o->bias != NULL)
	{
		vf			bias = load(o->bias + column, lanes);

UNROLL
		for (r = 0; r < rows; r++)
			v[r] = v[r] + bias;
	}
	if (o->activation == MB_ACT_RELU)
	{
UNROLL
		for (r = 0; r < rows; r++)
			v[r] = relu_v(v[r]);
	}
	if (o->residual != NULL)
	{
UNROLL
		for (r = 0; r < rows; r++)
			v[r] = v[r] + load(o->residual + r * o->ldy + column, lanes);
	}
	if (o->weight != NULL)
	{
		vf			weight = load(o->weight + column, lanes);
		vf			shift = load(o->shift + column, lanes);

UNROLL
		for (r = 0; r < rows; r++)
			v[r] = v[r] * weight + shift;
	}
UNROLL
	for (r = 0; r < rows; r++)
		store(o->y + r * o->ldy + column, v[r], lanes);
}

/* A tile of "rows" rows, a constant wherever this is called. */
ALWAYS void
tile_run(const tile *o, mb_format format, bool keep, int rows)
{
	vf			low[TILE_ROWS];
	vf			high[TILE_ROWS];

	tile_sum(o, format, keep, rows, low, high);
	if (o->columns == TILE_COLUMNS)
	{
		tile_finish(o, rows, low, 0, VW);
		tile_finish(o, rows, high, VW, VW);
		return;
	}
	tile_finish(o, rows, low, 0, STEP(o->columns, 0));
	if (o->columns > VW)
		tile_finish(o, rows, high, VW, o->columns - VW);
}

#define TILE_CASE(rows) \
	case rows: \
		tile_run(o, format, keep, rows); \
		break

/* A tile of a number of rows known only now, 1 to TILE_ROWS. */
ALWAYS void
tile_any(const tile *o, mb_format format, bool keep, size_t rows)
{
	switch (rows)
	{
			TILE_CASE(1);
			TILE_CASE(2);
			TILE_CASE(3);
			TILE_CASE(4);
			TILE_CASE(5);
			TILE_CASE(6);
	}
}

static void
tile_float(const tile *o, size_t rows)
{
	tile_any(o, MB_FORMAT_FLOAT, false, rows);
}

static void
tile_half(const tile *o, size_t rows)
{
	tile_any(o, MB_FORMAT_HALF, false, rows);
}

static void
tile_half_keep(const tile *o, size_t rows)
{
	tile_any(o, MB_FORMAT_HALF, true, rows);
}

static void
tile_bfloat(const tile *o, size_t rows)
{
	tile_any(o, MB_FORMAT_BFLOAT, false, rows);
}

static void
tile_bfloat_keep(const tile *o, size_t rows)
{
	tile_any(o, MB_FORMAT_BFLOAT, true, rows);
}

typedef void (*tile_function) (const tile *o, size_t rows);

/* Rows of the next tile when "left" are to do: even shares of what is left. */
static inline size_t
tile_rows(size_t left)
{
	size_t		tiles = (left + TILE_ROWS - 1) / TILE_ROWS;

	return (left + tiles - 1) / tiles;
}

/* Weights of a tile's columns, or behind the last what lies there. */
ALWAYS const char *
tile_panel(const mb_product *p, size_t column, size_t element)
{
	size_t		at = column / MB_PANEL * p->k * MB_PANEL + column % MB_PANEL;

	return (const char *) p->map->panels + at * element;
}

/*
 * What stands between the sums and y for the outputs from column on.  ReLU
 * happens in the tile; other activations, and all that follows them, do not.
 */
static void
set_finish(const mb_product *p, tile *o, size_t column)
{
	size_t		left = p->first + p->width - column;

	o->columns = left < TILE_COLUMNS ? left : TILE_COLUMNS;
	o->bias = p->map->bias == NULL ? NULL : p->map->bias + column;
	if (p->activation != MB_ACT_LINEAR && p->activation != MB_ACT_RELU)
		return;
	o->activation = p->activation;
	if (p->norm != NULL)
	{
		o->weight = p->norm->weight + column;
		o->shift = p->norm->bias + column;
	}
}

/* Another activation over a tile's rows, whose sums and bias are in "from". */
static void
activate_rows(const mb_product *p, const tile *o, float *from, size_t ld,
			  size_t row, size_t rows, size_t column)
{
	size_t		r;

	for (r = 0; r < rows; r++, from += ld)
	{
		size_t		at = (row + r) * p->n + column;

		activation_simd(p->activation, from, o->columns);
		if (p->residual == NULL && p->norm == NULL)
			continue;
		if (p->norm == NULL)
			add_rows(from, p->residual + at, p->y + at, o->columns);
		else
			no_norm_simd(from, p->residual == NULL ? NULL : p->residual + at,
						 p->norm->weight + column, p->norm->bias + column,
						 p->y + at, o->columns);
	}
}

/*
 * All rows of one tile's columns, while what follows comes nearer.  If the
 * first tile keeps the weights as float, those that follow read them there.
 */
static void
tile_column(const mb_product *p, tile *o, size_t column, tile_function run)
{
	bool		later = p->activation != MB_ACT_LINEAR &&
		p->activation != MB_ACT_RELU;
	bool		apart = later && (p->residual != NULL || p->norm != NULL);
	size_t		block = SUM_BLOCK(p->k);
	size_t		step = o->lines * 64 * ((p->k + block - 1) / block);
	float		sums[TILE_ROWS * TILE_COLUMNS];
	size_t		row;
	size_t		rows;

	set_finish(p, o, column);
	for (row = 0; row < p->rows; row += rows)
	{
		size_t		at = row * p->n + column;

		rows = tile_rows(p->rows - row);
		o->x = p->x + row * p->k;
		o->y = apart ? sums : p->y + at;
		o->ldy = apart ? TILE_COLUMNS : p->n;
		o->residual = later || p->residual == NULL ? NULL : p->residual + at;
		run(o, rows);
		if (later)
			activate_rows(p, o, o->y, o->ldy, row, rows, column);
		o->next += step;
		if (o->wide != NULL)
		{
			o->panel = (const char *) o->wide;
			run = tile_float;
		}
	}
}

/*
 * While a tile's columns are worked on, their share of the panel behind theirs
 * is asked for, a few cache lines with each block of sums.
 */
static void
set_ahead(const mb_product *p, tile *o, size_t column, size_t element)
{
	size_t		tiles = (p->rows + TILE_ROWS - 1) / TILE_ROWS;
	size_t		lines = SUM_BLOCK(p->k) * TILE_COLUMNS * element / 64;

	o->next = tile_panel(p, column - column % MB_PANEL + MB_PANEL, element) +
		column % MB_PANEL * p->k * element;
	o->lines = (lines + tiles - 1) / tiles;
}

static tile
make_tile(const mb_product *p)
{
	tile		o;

	memset(&o, 0, sizeof(o));
	o.ldx = o.k = p->k;
	o.scale = 1.0f;
	o.activation = MB_ACT_LINEAR;
	return o;
}

static void
linear_float(const mb_product *p)
{
	tile		o = make_tile(p);
	size_t		column;

	for (column = p->first; column < p->first + p->width;
		 column += TILE_COLUMNS)
	{
		o.panel = tile_panel(p, column, sizeof(float));
		set_ahead(p, &o, column, sizeof(float));
		tile_column(p, &o, column, tile_float);
	}
}

/*
 * Maps with weights of 16 bits, widened by the first row of tiles; if there are
 * more, it keeps what it has widened.
 */
ALWAYS void
linear_narrow(const mb_product *p, tile_function only, tile_function first)
{
	tile		o = make_tile(p);
	size_t		column;

	for (column = p->first; column < p->first + p->width;
		 column += TILE_COLUMNS)
	{
		o.panel = tile_panel(p, column, sizeof(uint16_t));
		if (p->rows > TILE_ROWS)
			o.wide = (float *) p->operand + column % MB_PANEL;
		set_ahead(p, &o, column, sizeof(uint16_t));
		tile_column(p, &o, column, o.wide == NULL ? only : first);
	}
}

static void
linear_half(const mb_product *p)
{
	linear_narrow(p, tile_half, tile_half_keep);
}

static void
linear_bfloat(const mb_product *p)
{
	linear_narrow(p, tile_bfloat, tile_bfloat_keep);
}

/* Room for one panel of float, if there is more than one row of tiles. */
static size_t
wide_panel_size(size_t rows, size_t k)
{
	size_t		size;

	if (rows <= TILE_ROWS)
		return 0;
	return mb_size_multiply(k, MB_PANEL * sizeof(float), &size) ? size :
		SIZE_MAX;
}

static const mb_linear_kernel float_simd = {.run = linear_float};

static const mb_linear_kernel half_simd = {
	.run = linear_half,
	.operand_size = wide_panel_size
};

static const mb_linear_kernel bfloat_simd = {
	.run = linear_bfloat,
	.operand_size = wide_panel_size
};

static void
matrix_simd(const float *a, size_t lda, const float *panels, float scale,
			float *y, size_t ldy, size_t m, size_t n, size_t k)
{
	size_t		column;
	size_t		row;
	size_t		rows;
	tile		o;

	memset(&o, 0, sizeof(o));
	o.ldx = lda;
	o.k = k;
	o.ldy = ldy;
	o.scale = scale;
	o.activation = MB_ACT_LINEAR;
	for (column = 0; column < n; column += TILE_COLUMNS)
	{
		o.panel = (const char *) (panels + column / MB_PANEL * k * MB_PANEL +
								  column % MB_PANEL);
		o.columns = n - column < TILE_COLUMNS ? n - column : TILE_COLUMNS;
		for (row = 0; row < m; row += rows)
		{
			rows = tile_rows(m - row);
			o.x = a + row * lda;
			o.y = y + row * ldy + column;
			tile_float(&o, rows);
		}
	}
}

/* The entries of a table that are made here */
#define SIMD_PRODUCTS \
	.linear[MB_FORMAT_FLOAT] = &float_simd, \
	.linear[MB_FORMAT_HALF] = &half_simd, \
	.linear[MB_FORMAT_BFLOAT] = &bfloat_simd, \
	.matrix = matrix_simd
