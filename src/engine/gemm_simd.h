/*-------------------------------------------------------------------------
 *
 * gemm_simd.h
 *	  Matrix products over panels for vector instruction sets, written once.
 *
 * y[r, c] = sum over t of x[r, t] * panel[t, c]: a tile of some rows by two
 * vectors of outputs stays in registers while t runs.  x is read one number at
 * a time and spread over a vector, weights are read in the order in which they
 * lie, and those of the next panel are asked for ahead.
 *
 * Rounding.  An element is summed in blocks of SUM_BLOCK products, each from
 * zero, and the blocks are added up one after the other.  That order does not
 * depend on the tile's height, on the place of a row or a panel, or on the
 * instruction set: all give the same bits.  Errors grow like the roots of
 * SUM_BLOCK and of the number of blocks rather than of k.
 *
 * Beside what kernels_simd.h asks for, each kernels_<isa>.c defines
 *
 *	TILE_ROWS			most rows of a tile that the registers hold: 12 or 6
 *	v_load_half(p)		VW numbers of binary16, widened; v_load_bfloat alike
 *
 * This is not for products with large k and many rows at once: nothing is
 * blocked for caches but by whoever calls (forward.c's sweeps).
 *
 * Depends on kernels_simd.h, which includes it.
 *
 *-------------------------------------------------------------------------
 */

/* Products that are added up before they join the total. */
#define SUM_BLOCK ((size_t) 16)

/* Outputs of a tile; a divisor of MB_PANEL. */
#define TILE_COLUMNS (2 * VW)

/* How far ahead weights are asked for. */
#define AHEAD_BYTES 4096

/* Loops over the rows of a tile, whose number is a constant by then. */
#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 12")
#endif

#define ALWAYS static inline __attribute__((always_inline))

/* Sums of a tile on their way to memory. */
typedef struct tile_sums
{
	float		at[TILE_ROWS][TILE_COLUMNS];
} tile_sums;

/* A tile's operands: rows of x, and the panel's columns of the tile. */
typedef struct tile_operands
{
	const float *x;				/* [rows, k] at distance ldx */
	size_t		ldx;
	const char *panel;			/* [k, MB_PANEL] in its format */
	size_t		k;
} tile_operands;

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

/*
 * Sums of a tile of "rows" rows, a constant wherever this is called, so that
 * all loops over rows are unrolled and the sums live in registers.
 */
ALWAYS void
tile_sum(const tile_operands *o, mb_format format, bool ahead, int rows,
		 tile_sums *total)
{
	size_t		width = format == MB_FORMAT_FLOAT ? 4 : 2;
	size_t		at;
	int			r;

	for (at = 0; at < o->k; at += SUM_BLOCK)
	{
		size_t		end = o->k - at < SUM_BLOCK ? o->k : at + SUM_BLOCK;
		vf			low[TILE_ROWS];
		vf			high[TILE_ROWS];
		size_t		t;

UNROLL
		for (r = 0; r < rows; r++)
			low[r] = high[r] = v_set1(0.0f);
		for (t = at; t < end; t++)
		{
			vf			w0 = load_weights(format, o->panel, t * MB_PANEL);
			vf			w1 = load_weights(format, o->panel, t * MB_PANEL + VW);

			if (ahead)
			{
				const char *next = o->panel + t * MB_PANEL * width +
					AHEAD_BYTES;

				__builtin_prefetch(next);
				if (MB_PANEL * width > 64)
					__builtin_prefetch(next + 64);
			}
UNROLL
			for (r = 0; r < rows; r++)
			{
				vf			x = v_set1(o->x[r * o->ldx + t]);

				low[r] = v_fma(x, w0, low[r]);
				high[r] = v_fma(x, w1, high[r]);
			}
		}
UNROLL
		for (r = 0; r < rows; r++)
		{
			if (at > 0)
			{
				low[r] = v_load(total->at[r]) + low[r];
				high[r] = v_load(total->at[r] + VW) + high[r];
			}
			v_store(total->at[r], low[r]);
			v_store(total->at[r] + VW, high[r]);
		}
	}
	if (o->k == 0)
		memset(total, 0, sizeof(*total));
}

#define TILE_CASE(rows) \
	case rows: \
		tile_sum(o, format, ahead, rows, total); \
		break

/* The same for a number of rows known only now, 1 to TILE_ROWS. */
ALWAYS void
tile_any(const tile_operands *o, mb_format format, bool ahead, size_t rows,
		 tile_sums *total)
{
	switch (rows)
	{
			TILE_CASE(1);
			TILE_CASE(2);
			TILE_CASE(3);
			TILE_CASE(4);
			TILE_CASE(5);
			TILE_CASE(6);
#if TILE_ROWS == 12
			TILE_CASE(7);
			TILE_CASE(8);
			TILE_CASE(9);
			TILE_CASE(10);
			TILE_CASE(11);
			TILE_CASE(12);
#endif
	}
}

static void __attribute__((noinline))
tile_float(const tile_operands *o, size_t rows, tile_sums *total)
{
	tile_any(o, MB_FORMAT_FLOAT, false, rows, total);
}

static void __attribute__((noinline))
tile_float_ahead(const tile_operands *o, size_t rows, tile_sums *total)
{
	tile_any(o, MB_FORMAT_FLOAT, true, rows, total);
}

static void __attribute__((noinline))
tile_half(const tile_operands *o, size_t rows, tile_sums *total)
{
	tile_any(o, MB_FORMAT_HALF, true, rows, total);
}

static void __attribute__((noinline))
tile_bfloat(const tile_operands *o, size_t rows, tile_sums *total)
{
	tile_any(o, MB_FORMAT_BFLOAT, true, rows, total);
}

/* Rows of the next tile when "left" are to do: even shares of what is left. */
static inline size_t
tile_rows(size_t left)
{
	size_t		tiles = (left + TILE_ROWS - 1) / TILE_ROWS;

	return (left + tiles - 1) / tiles;
}

/* y = epilogue(sums) of n outputs of one row, from output column on */
ALWAYS void
finish_row(const mb_product *p, const float *sums, size_t row, size_t column,
		   size_t n)
{
	float	   *y = p->y + row * p->n + column;
	size_t		i;

	for (i = 0; i < n; i += VW)
	{
		size_t		lanes = STEP(n, i);
		vf			v = v_load(sums + i);

		if (p->map->bias != NULL)
			v = v + load(p->map->bias + column + i, lanes);
		if (p->activation == MB_ACT_RELU)
			v = relu_v(v);
		if (p->residual != NULL)
			v = v + load(p->residual + row * p->n + column + i, lanes);
		if (p->norm != NULL)
			v = v * load(p->norm->weight + column + i, lanes) +
				load(p->norm->bias + column + i, lanes);
		store(y + i, v, lanes);
	}
}

/* A tile's rows; other activations come before the residual, so by themselves. */
static void
finish_tile(const mb_product *p, tile_sums *sums, size_t row, size_t rows,
			size_t column)
{
	size_t		left = p->first + p->width - column;
	size_t		n = left < TILE_COLUMNS ? left : TILE_COLUMNS;
	size_t		r;

	for (r = 0; r < rows; r++)
	{
		if (p->activation != MB_ACT_LINEAR && p->activation != MB_ACT_RELU)
			mb_finish_sums(p, row + r, column, sums->at[r], n);
		else
			finish_row(p, sums->at[r], row + r, column, n);
	}
}

typedef void (*tile_function) (const tile_operands *o, size_t rows,
							   tile_sums *total);

/* All tiles of a product; only the first row of tiles asks for what is next. */
ALWAYS void
linear_tiles(const mb_product *p, size_t element, tile_function leading,
			 tile_function other)
{
	size_t		end = p->first + p->width;
	size_t		column;
	size_t		row;
	size_t		rows;
	tile_sums	sums;

	for (column = p->first; column < end; column += TILE_COLUMNS)
	{
		size_t		at = column / MB_PANEL * p->k * MB_PANEL +
			column % MB_PANEL;
		tile_operands o = {p->x, p->k,
		(const char *) p->map->panels + at * element, p->k};

		for (row = 0; row < p->rows; row += rows)
		{
			rows = tile_rows(p->rows - row);
			o.x = p->x + row * p->k;
			(row == 0 ? leading : other) (&o, rows, &sums);
			finish_tile(p, &sums, row, rows, column);
		}
	}
}

static void
linear_float(const mb_product *p)
{
	linear_tiles(p, sizeof(float), tile_float_ahead, tile_float);
}

static void
linear_half(const mb_product *p)
{
	linear_tiles(p, sizeof(uint16_t), tile_half, tile_half);
}

static void
linear_bfloat(const mb_product *p)
{
	linear_tiles(p, sizeof(uint16_t), tile_bfloat, tile_bfloat);
}

static void
matrix_simd(const float *a, size_t lda, const float *panels, float scale,
			float *y, size_t ldy, size_t m, size_t n, size_t k)
{
	size_t		column;
	size_t		row;
	size_t		rows;
	size_t		r;
	size_t		i;
	tile_sums	sums;

	for (column = 0; column < n; column += TILE_COLUMNS)
	{
		size_t		width = n - column < TILE_COLUMNS ? n - column :
			TILE_COLUMNS;
		tile_operands o = {a, lda, (const char *)
			(panels + column / MB_PANEL * k * MB_PANEL + column % MB_PANEL),
		k};

		for (row = 0; row < m; row += rows)
		{
			rows = tile_rows(m - row);
			o.x = a + row * lda;
			tile_float(&o, rows, &sums);
			for (r = 0; r < rows; r++)
				for (i = 0; i < width; i += VW)
					store(y + (row + r) * ldy + column + i,
						  v_load(sums.at[r] + i) * v_set1(scale),
						  STEP(width, i));
		}
	}
}
