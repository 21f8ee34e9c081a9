/*-------------------------------------------------------------------------
 *
 * linear_template.h
 *	  Matrix products over panels for vector instruction sets, written once.
 *
 * To be included once, after simd_<isa>.h and rows_template.h.
 *
 * y[r, c] = sum over t of x[r, t] * panel[t, c]: a register block, some rows
 * by two vectors of outputs, stays in registers while t runs.  x is read one
 * number at a time and spread over a vector, weights are read in the order in
 * which they lie, and those that come next are prefetched.  Bias, activation,
 * residual and NoNorm are applied before the sums leave the registers.
 *
 * Rounding.  An element is summed in chunks of products, each from zero, and
 * the chunks are added up one after the other, so errors grow like the roots
 * of the chunk and of their number rather than like that of k.  That order
 * follows from k alone, not from the register block's height, the place of a
 * row or panel, or the instruction set: all give the same bits.
 *
 * This is not for products with large k and many rows at once: nothing is
 * blocked for caches but by whoever calls (forward.c's sweeps).
 *
 * Depends on base/arena.h, kernels/kernels.h.
 *
 *-------------------------------------------------------------------------
 */
#include "base/arena.h"
#include "kernels/kernels.h"

#include <string.h>

#if !defined(MB_LANES)
#error "include kernels/simd_<isa>.h and kernels/rows_template.h first"
#endif

/*
 * Products of a chunk: near the root of k errors are least, and the fewer
 * chunks the less work.  Multiples of 4.
 */
#define SUM_CHUNK(k) ((size_t) ((k) <= 48 ? 4 : (k) <= 160 ? 12 : 24))

/*
 * Most rows of a register block: twelve sums, beside which 32 registers hold
 * twelve totals of chunks as well.
 */
#define BLOCK_ROWS 6
#define TOTALS_IN_MEMORY (MB_REGISTERS < 32)

/* Outputs of a register block; a divisor of MB_PANEL. */
#define BLOCK_COLUMNS (2 * MB_LANES)

/* Loops over the rows of a register block, whose number is a constant then. */
#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 6")
#endif

/* One register block: operands, and what becomes of the sums. */
typedef struct register_block
{
	const float *x;				/* [rows, k] at distance ldx */
	size_t		ldx;
	const char *panel;			/* [k, MB_PANEL] in its format */
	float	   *wide;			/* the same to be kept as float, or NULL */
	size_t		k;
	const char *next;			/* what to prefetch ... */
	size_t		lines;			/* ... in cache lines for each chunk of sums */
	float	   *y;				/* [rows, columns] at distance ldy */
	size_t		ldy;
	size_t		columns;		/* 1 to BLOCK_COLUMNS */
	float		scale;			/* of the sums */
	const float *bias;			/* [columns]; these four may be NULL */
	const float *residual;		/* as y */
	const float *weight;		/* [columns], with shift: NoNorm */
	const float *shift;
	mb_activation activation;
} register_block;

/* MB_LANES weights of format at number i of the panel. */
MB_INLINE vf
load_weights(mb_format format, const char *panel, size_t i)
{
	if (format == MB_FORMAT_HALF)
		return v_load_half((const uint16_t *) panel + i);
	if (format == MB_FORMAT_BFLOAT)
		return v_load_bf16((const uint16_t *) panel + i);
	return v_load((const float *) panel + i);
}

/* One product for each element of a register block: input at. */
MB_INLINE void
block_step(const register_block *o, mb_format format, bool keep, int rows,
		   size_t at, vf *low, vf *high)
{
	vf			w0 = load_weights(format, o->panel, at * MB_PANEL);
	vf			w1 = load_weights(format, o->panel, at * MB_PANEL + MB_LANES);
	int			r;

	if (keep)
	{
		v_store(o->wide + at * MB_PANEL, w0);
		v_store(o->wide + at * MB_PANEL + MB_LANES, w1);
	}
UNROLL
	for (r = 0; r < rows; r++)
	{
		vf			x = v_set1(o->x[r * o->ldx + at]);

		low[r] = v_fma(x, w0, low[r]);
		high[r] = v_fma(x, w1, high[r]);
	}
}

#if defined(MB_FMA_BY_LANE)
/* The same of one of four inputs, those of each row in a vector: number i */
#define LANE_STEP(i) \
	do { \
		size_t		from = (at + (i)) * MB_PANEL; \
		vf			w0 = load_weights(format, o->panel, from); \
		vf			w1 = load_weights(format, o->panel, from + MB_LANES); \
		\
		if (keep) \
		{ \
			v_store(o->wide + from, w0); \
			v_store(o->wide + from + MB_LANES, w1); \
		} \
		UNROLL \
		for (r = 0; r < rows; r++) \
		{ \
			low[r] = v_fma_lane(x[r], i, w0, low[r]); \
			high[r] = v_fma_lane(x[r], i, w1, high[r]); \
		} \
	} while (0)
#endif

/*
 * Inputs [at, at + 4), one after the other.  Where products take a lane of a
 * vector, no instruction spreads the numbers of x.
 */
MB_INLINE void
block_steps(const register_block *o, mb_format format, bool keep, int rows,
			size_t at, vf *low, vf *high)
{
#if defined(MB_FMA_BY_LANE)
	const float *row = o->x + at;
	vf			x[BLOCK_ROWS];
	int			r;

UNROLL
	for (r = 0; r < rows; r++, row += o->ldx)
		x[r] = v_load(row);
	LANE_STEP(0);
	LANE_STEP(1);
	LANE_STEP(2);
	LANE_STEP(3);
#else
	block_step(o, format, keep, rows, at, low, high);
	block_step(o, format, keep, rows, at + 1, low, high);
	block_step(o, format, keep, rows, at + 2, low, high);
	block_step(o, format, keep, rows, at + 3, low, high);
#endif
}

/* One chunk of inputs [at, end) from zero. */
MB_INLINE void
block_chunk(const register_block *o, mb_format format, bool keep, int rows,
			size_t at, size_t end, vf *low, vf *high)
{
	int			r;

UNROLL
	for (r = 0; r < rows; r++)
		low[r] = high[r] = v_set1(0.0f);
	for (; at + 4 <= end; at += 4)
		block_steps(o, format, keep, rows, at, low, high);
	for (; at < end; at++)
		block_step(o, format, keep, rows, at, low, high);
}

#if TOTALS_IN_MEMORY
typedef struct block_totals
{
	float		low[BLOCK_ROWS][MB_LANES];
	float		high[BLOCK_ROWS][MB_LANES];
} block_totals;

#define TOTAL_SET(total, v) v_store(total, v)
#define TOTAL_GET(total) v_load(total)
#else
typedef struct block_totals
{
	vf			low[BLOCK_ROWS];
	vf			high[BLOCK_ROWS];
} block_totals;

#define TOTAL_SET(total, v) ((total) = (v))
#define TOTAL_GET(total) (total)
#endif

/* low and high become the register block's sums. */
MB_INLINE void
block_sum(const register_block *o, mb_format format, bool keep, int rows,
		  vf *low, vf *high)
{
	const char *next = o->next;
	size_t		chunk = SUM_CHUNK(o->k);
	size_t		at = o->k < chunk ? o->k : chunk;
	block_totals totals;
	size_t		i;
	int			r;

	for (i = 0; i < o->lines; i++, next += 64)
		__builtin_prefetch(next, 0, 2);
	block_chunk(o, format, keep, rows, 0, at, low, high);
	if (at == o->k)
		return;
UNROLL
	for (r = 0; r < rows; r++)
	{
		TOTAL_SET(totals.low[r], low[r]);
		TOTAL_SET(totals.high[r], high[r]);
	}
	for (; at < o->k; at += chunk)
	{
		for (i = 0; i < o->lines; i++, next += 64)
			__builtin_prefetch(next, 0, 2);
		block_chunk(o, format, keep, rows, at,
					o->k - at < chunk ? o->k : at + chunk, low, high);
UNROLL
		for (r = 0; r < rows; r++)
		{
			TOTAL_SET(totals.low[r], TOTAL_GET(totals.low[r]) + low[r]);
			TOTAL_SET(totals.high[r], TOTAL_GET(totals.high[r]) + high[r]);
		}
	}
UNROLL
	for (r = 0; r < rows; r++)
	{
		low[r] = TOTAL_GET(totals.low[r]);
		high[r] = TOTAL_GET(totals.high[r]);
	}
}

/* v[rows], one vector of each row's sums, finished and stored at column. */
MB_INLINE void
block_finish(const register_block *o, int rows, vf *v, size_t column,
			 size_t lanes)
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
		vf			bias = v_load_some(o->bias + column, lanes);

UNROLL
		for (r = 0; r < rows; r++)
			v[r] = v[r] + bias;
	}
	if (o->activation == MB_ACT_RELU)
	{
UNROLL
		for (r = 0; r < rows; r++)
			v[r] = v_relu(v[r]);
	}
	if (o->residual != NULL)
	{
UNROLL
		for (r = 0; r < rows; r++)
			v[r] = v[r] + v_load_some(o->residual + r * o->ldy + column, lanes);
	}
	if (o->weight != NULL)
	{
		vf			weight = v_load_some(o->weight + column, lanes);
		vf			shift = v_load_some(o->shift + column, lanes);

UNROLL
		for (r = 0; r < rows; r++)
			v[r] = v[r] * weight + shift;
	}
UNROLL
	for (r = 0; r < rows; r++)
		v_store_some(o->y + r * o->ldy + column, v[r], lanes);
}

/* "rows" rows, a constant wherever this is called. */
MB_INLINE void
block_run(const register_block *o, mb_format format, bool keep, int rows)
{
	vf			low[BLOCK_ROWS];
	vf			high[BLOCK_ROWS];

	block_sum(o, format, keep, rows, low, high);
	if (o->columns == BLOCK_COLUMNS)
	{
		block_finish(o, rows, low, 0, MB_LANES);
		block_finish(o, rows, high, MB_LANES, MB_LANES);
		return;
	}
	block_finish(o, rows, low, 0, v_lanes(o->columns, 0));
	if (o->columns > MB_LANES)
		block_finish(o, rows, high, MB_LANES, o->columns - MB_LANES);
}

/* A number of rows known only now, 1 to BLOCK_ROWS. */
MB_INLINE void
block_any(const register_block *o, mb_format format, bool keep, size_t rows)
{
	switch (rows)
	{
		case 1:
			block_run(o, format, keep, 1);
			break;
		case 2:
			block_run(o, format, keep, 2);
			break;
		case 3:
			block_run(o, format, keep, 3);
			break;
		case 4:
			block_run(o, format, keep, 4);
			break;
		case 5:
			block_run(o, format, keep, 5);
			break;
		case 6:
			block_run(o, format, keep, 6);
			break;
	}
}

static void
block_float(const register_block *o, size_t rows)
{
	block_any(o, MB_FORMAT_FLOAT, false, rows);
}

static void
block_half(const register_block *o, size_t rows)
{
	block_any(o, MB_FORMAT_HALF, false, rows);
}

static void
block_half_keep(const register_block *o, size_t rows)
{
	block_any(o, MB_FORMAT_HALF, true, rows);
}

static void
block_bfloat(const register_block *o, size_t rows)
{
	block_any(o, MB_FORMAT_BFLOAT, false, rows);
}

static void
block_bfloat_keep(const register_block *o, size_t rows)
{
	block_any(o, MB_FORMAT_BFLOAT, true, rows);
}

typedef void (*block_function) (const register_block *o, size_t rows);

/* Rows of the next block when "left" are to do: even shares of these. */
static inline size_t
block_rows(size_t left)
{
	size_t		blocks = (left + BLOCK_ROWS - 1) / BLOCK_ROWS;

	return (left + blocks - 1) / blocks;
}

/* Weights of a block's columns, or after the last what lies there. */
MB_INLINE const char *
block_panel(const mb_product *p, size_t column, size_t element)
{
	size_t		at = column / MB_PANEL * p->k * MB_PANEL + column % MB_PANEL;

	return (const char *) p->linear->panels + at * element;
}

/*
 * What stands between the sums and y for the outputs from column on.  ReLU
 * happens in registers; other activations, and all that follows them, do not.
 */
static void
set_finish(const mb_product *p, register_block *o, size_t column)
{
	size_t		left = p->first + p->width - column;

	o->columns = left < BLOCK_COLUMNS ? left : BLOCK_COLUMNS;
	o->bias = p->linear->bias == NULL ? NULL : p->linear->bias + column;
	if (p->activation != MB_ACT_LINEAR && p->activation != MB_ACT_RELU)
		return;
	o->activation = p->activation;
	if (p->norm != NULL)
	{
		o->weight = p->norm->weight + column;
		o->shift = p->norm->bias + column;
	}
}

/* Another activation over a block's rows, whose sums and bias are in "from". */
static void
activate_rows(const mb_product *p, const register_block *o, float *from,
			  size_t ld, size_t row, size_t rows, size_t column)
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
 * All rows of a block's columns, while the weights that follow are prefetched.
 * If the first block keeps the weights as float, those that follow read them
 * there.
 */
static void
block_column(const mb_product *p, register_block *o, size_t column,
			 block_function run)
{
	bool		later = p->activation != MB_ACT_LINEAR &&
		p->activation != MB_ACT_RELU;
	bool		apart = later && (p->residual != NULL || p->norm != NULL);
	size_t		chunk = SUM_CHUNK(p->k);
	size_t		step = o->lines * 64 * ((p->k + chunk - 1) / chunk);
	float		sums[BLOCK_ROWS * BLOCK_COLUMNS];
	size_t		row;
	size_t		rows;

	set_finish(p, o, column);
	for (row = 0; row < p->rows; row += rows)
	{
		size_t		at = row * p->n + column;

		rows = block_rows(p->rows - row);
		o->x = p->x + row * p->k;
		o->y = apart ? sums : p->y + at;
		o->ldy = apart ? BLOCK_COLUMNS : p->n;
		o->residual = later || p->residual == NULL ? NULL : p->residual + at;
		run(o, rows);
		if (later)
			activate_rows(p, o, o->y, o->ldy, row, rows, column);
		o->next += step;
		if (o->wide != NULL)
		{
			o->panel = (const char *) o->wide;
			run = block_float;
		}
	}
}

/*
 * While a block's columns are worked on, their share of the next panel is
 * prefetched, a few cache lines with each chunk of sums.
 */
static void
set_prefetch(const mb_product *p, register_block *o, size_t column,
			 size_t element)
{
	size_t		blocks = (p->rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
	size_t		lines = SUM_CHUNK(p->k) * BLOCK_COLUMNS * element / 64;

	o->next = block_panel(p, column - column % MB_PANEL + MB_PANEL, element) +
		column % MB_PANEL * p->k * element;
	o->lines = (lines + blocks - 1) / blocks;
}

static register_block
make_block(const mb_product *p)
{
	register_block o;

	memset(&o, 0, sizeof(o));
	o.ldx = o.k = p->k;
	o.scale = 1.0f;
	o.activation = MB_ACT_LINEAR;
	return o;
}

static void
linear_float(const mb_product *p)
{
	register_block o = make_block(p);
	size_t		column;

	for (column = p->first; column < p->first + p->width;
		 column += BLOCK_COLUMNS)
	{
		o.panel = block_panel(p, column, sizeof(float));
		set_prefetch(p, &o, column, sizeof(float));
		block_column(p, &o, column, block_float);
	}
}

/*
 * Layers with weights of 16 bits, widened by the first row of blocks; if there
 * are more, it keeps what it has widened.
 */
MB_INLINE void
linear_narrow(const mb_product *p, block_function only, block_function first)
{
	register_block o = make_block(p);
	size_t		column;

	for (column = p->first; column < p->first + p->width;
		 column += BLOCK_COLUMNS)
	{
		o.panel = block_panel(p, column, sizeof(uint16_t));
		if (p->rows > BLOCK_ROWS)
			o.wide = (float *) p->operand + column % MB_PANEL;
		set_prefetch(p, &o, column, sizeof(uint16_t));
		block_column(p, &o, column, o.wide == NULL ? only : first);
	}
}

static void
linear_half(const mb_product *p)
{
	linear_narrow(p, block_half, block_half_keep);
}

static void
linear_bfloat(const mb_product *p)
{
	linear_narrow(p, block_bfloat, block_bfloat_keep);
}

/* Room for one panel of float, if there is more than one row of blocks. */
static size_t
wide_panel_size(size_t rows, size_t k)
{
	size_t		size;

	if (rows <= BLOCK_ROWS)
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
	register_block o;

	memset(&o, 0, sizeof(o));
	o.ldx = lda;
	o.k = k;
	o.ldy = ldy;
	o.scale = scale;
	o.activation = MB_ACT_LINEAR;
	for (column = 0; column < n; column += BLOCK_COLUMNS)
	{
		o.panel = (const char *) (panels + column / MB_PANEL * k * MB_PANEL +
								  column % MB_PANEL);
		o.columns = n - column < BLOCK_COLUMNS ? n - column : BLOCK_COLUMNS;
		for (row = 0; row < m; row += rows)
		{
			rows = block_rows(m - row);
			o.x = a + row * lda;
			o.y = y + row * ldy + column;
			block_float(&o, rows);
		}
	}
}

/* The entries of a table that are made here */
#define MB_SIMD_PRODUCTS \
	.linear[MB_FORMAT_FLOAT] = &float_simd, \
	.linear[MB_FORMAT_HALF] = &half_simd, \
	.linear[MB_FORMAT_BFLOAT] = &bfloat_simd, \
	.matrix = matrix_simd

#undef LANE_STEP
#undef SUM_CHUNK
#undef BLOCK_ROWS
#undef BLOCK_COLUMNS
#undef TOTALS_IN_MEMORY
#undef TOTAL_SET
#undef TOTAL_GET
#undef UNROLL
