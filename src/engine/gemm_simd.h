/*-------------------------------------------------------------------------
 *
 * gemm_simd.h
 *	  Matrix products for vector instruction sets, written once.
 *
 * Weights lie as checkpoints store them, [out, in].  Two forms are enough:
 *
 *	dot form	y[r, c] = scale * x[r] . w[c] + bias[c], both rows contiguous:
 *				linear maps and attention scores.  A tile of TILE_ROWS rows by
 *				four columns runs over k with DOT_LANES partial sums for
 *				each element, and four of them are added up together.
 *	sum form	c[r] = sum over j of p[r, j] * v[j]: the attention context.
 *				Elements of c are lanes.
 *
 * Nothing is packed or copied, so there is no cost to small products and no
 * memory to hold.  An element goes through the same operations in the same
 * order in a tile of any height: its bits depend on its row of x, its row of
 * w and, because the last columns of a product are added up one by one, on n.
 * Every instruction set keeps DOT_LANES partial sums and adds them up in the
 * same order, so they agree bit for bit, and round less than the running sum
 * that libraries keep.
 *
 * Beside what kernels_simd.h asks for, each kernels_<isa>.c defines
 *
 *	vs					DOT_LANES partial sums
 *	s_zero, s_load, s_load_part, s_fma	as the v_ functions
 *	s_sum				over the lanes
 *	s_sum4(a, b, c, d)	the four sums over lanes, as an __m128
 *	TILE_ROWS			1 or 4: rows of a tile that the registers hold
 *
 * This is not for products with large k and n at once: nothing is blocked for
 * caches, because MB_ROW_BLOCK rows of activations fit in the second level.
 *
 * OpenBLAS does the same work (gemm.c), but it knows processors by name: one
 * that it has not heard of gets SSE3 code, several times slower than this.
 *
 * Depends on kernels_simd.h, which includes it.
 *
 *-------------------------------------------------------------------------
 */

#define DOT_LANES ((size_t) 16)
#define TILE_COLUMNS 4

/* Operands of a dot form product; rows of x, w and y are strides apart. */
typedef struct dot_operands
{
	const float *x;				/* [rows, k] */
	size_t		ldx;
	const float *w;				/* [n, k] */
	size_t		ldw;
	const float *bias;			/* [n], or NULL */
	float		scale;
	float	   *y;				/* [rows, n] */
	size_t		ldy;
	size_t		k;
} dot_operands;

/* Four partial sums for one row of x and the four rows of w at hand. */
#define ROW_OPEN(r) \
	const float *x##r = o->x + (row + r) * o->ldx; \
	vs a##r = s_zero(), b##r = a##r, c##r = a##r, d##r = a##r

#define ROW_ADD(r, some) \
	do { \
		vs x = some; \
		\
		a##r = s_fma(x, w0, a##r); \
		b##r = s_fma(x, w1, b##r); \
		c##r = s_fma(x, w2, c##r); \
		d##r = s_fma(x, w3, d##r); \
	} while (0)

#define ROW_CLOSE(r) \
	_mm_storeu_ps(o->y + (row + r) * o->ldy + column, \
				  s_sum4(a##r, b##r, c##r, d##r) * scale + bias)

/* Body of a tile: ROWS is a macro that applies another to its row numbers. */
#define TILE(ROWS) \
	const float *w = o->w + column * o->ldw; \
	__m128 scale = _mm_set1_ps(o->scale); \
	__m128 bias = o->bias == NULL ? _mm_setzero_ps() : \
		_mm_loadu_ps(o->bias + column); \
	size_t whole = o->k / DOT_LANES * DOT_LANES; \
	size_t n = o->k - whole; \
	size_t t; \
	ROWS##_OPEN; \
	\
	for (t = 0; t < whole; t += DOT_LANES) \
	{ \
		vs w0 = s_load(w + t); \
		vs w1 = s_load(w + o->ldw + t); \
		vs w2 = s_load(w + 2 * o->ldw + t); \
		vs w3 = s_load(w + 3 * o->ldw + t); \
		\
		ROWS##_WHOLE; \
	} \
	if (n > 0) \
	{ \
		vs w0 = s_load_part(w + t, n); \
		vs w1 = s_load_part(w + o->ldw + t, n); \
		vs w2 = s_load_part(w + 2 * o->ldw + t, n); \
		vs w3 = s_load_part(w + 3 * o->ldw + t, n); \
		\
		ROWS##_PART; \
	} \
	ROWS##_CLOSE

#define ROW_WHOLE(r) ROW_ADD(r, s_load(x##r + t))
#define ROW_PART(r) ROW_ADD(r, s_load_part(x##r + t, n))

#define ONE_OPEN ROW_OPEN(0)
#define ONE_WHOLE ROW_WHOLE(0)
#define ONE_PART ROW_PART(0)
#define ONE_CLOSE ROW_CLOSE(0)

#if TILE_ROWS == 4
#define FOUR_OPEN ROW_OPEN(0); ROW_OPEN(1); ROW_OPEN(2); ROW_OPEN(3)
#define FOUR_WHOLE ROW_WHOLE(0); ROW_WHOLE(1); ROW_WHOLE(2); ROW_WHOLE(3)
#define FOUR_PART ROW_PART(0); ROW_PART(1); ROW_PART(2); ROW_PART(3)
#define FOUR_CLOSE ROW_CLOSE(0); ROW_CLOSE(1); ROW_CLOSE(2); ROW_CLOSE(3)
#endif

static inline void
dot_tile_one(const dot_operands *o, size_t row, size_t column)
{
	TILE(ONE);
}

#if TILE_ROWS == 4
static inline void
dot_tile_four(const dot_operands *o, size_t row, size_t column)
{
	TILE(FOUR);
}
#endif

/* One element of the columns that fill no tile. */
static inline void
dot_element(const dot_operands *o, size_t row, size_t column)
{
	const float *x = o->x + row * o->ldx;
	const float *w = o->w + column * o->ldw;
	vs			sum = s_zero();
	size_t		whole = o->k / DOT_LANES * DOT_LANES;
	size_t		n = o->k - whole;
	size_t		t;

	for (t = 0; t < whole; t += DOT_LANES)
		sum = s_fma(s_load(x + t), s_load(w + t), sum);
	if (n > 0)
		sum = s_fma(s_load_part(x + t, n), s_load_part(w + t, n), sum);
	o->y[row * o->ldy + column] = s_sum(sum) * o->scale +
		(o->bias == NULL ? 0.0f : o->bias[column]);
}

static void
dot_product(const dot_operands *o, size_t rows, size_t n)
{
	size_t		column;
	size_t		row;

	for (column = 0; n - column >= TILE_COLUMNS; column += TILE_COLUMNS)
	{
		row = 0;
#if TILE_ROWS == 4
		for (; rows - row >= TILE_ROWS; row += TILE_ROWS)
			dot_tile_four(o, row, column);
#endif
		for (; row < rows; row++)
			dot_tile_one(o, row, column);
	}
	for (; column < n; column++)
		for (row = 0; row < rows; row++)
			dot_element(o, row, column);
}

static void
linear_simd(const float *x, size_t rows, const float *w, const float *b,
			float *y, size_t ldy, size_t k, size_t n)
{
	dot_operands o = {x, k, w, k, b, 1.0f, y, ldy, k};

	dot_product(&o, rows, n);
}

static void
scores_simd(const float *a, size_t lda, const float *b, size_t ldb,
			float scale, float *s, size_t lds, size_t m, size_t n, size_t k)
{
	dot_operands o = {a, lda, b, ldb, NULL, scale, s, lds, k};

	dot_product(&o, m, n);
}

/* c[row .. row + 1, at .. at + lanes) of a context, k values deep */
static inline void
context_two(const float *p, size_t ldp, const float *v, size_t ldv, float *c,
			size_t ldc, size_t k, size_t lanes)
{
	vf			sum0 = v_set1(0.0f);
	vf			sum1 = v_set1(0.0f);
	size_t		t;

	for (t = 0; t < k; t++)
	{
		vf			x = load(v + t * ldv, lanes);

		sum0 = v_fma(v_set1(p[t]), x, sum0);
		sum1 = v_fma(v_set1(p[ldp + t]), x, sum1);
	}
	store(c, sum0, lanes);
	store(c + ldc, sum1, lanes);
}

/* The same for a whole tile: four rows, two vectors */
static inline void
context_tile(const float *p, size_t ldp, const float *v, size_t ldv, float *c,
			 size_t ldc, size_t k)
{
	vf			a0 = v_set1(0.0f);
	vf			a1 = a0;
	vf			a2 = a0;
	vf			a3 = a0;
	vf			b0 = a0;
	vf			b1 = a0;
	vf			b2 = a0;
	vf			b3 = a0;
	size_t		t;

	for (t = 0; t < k; t++)
	{
		vf			x = v_load(v + t * ldv);
		vf			y = v_load(v + t * ldv + VW);
		vf			q = v_set1(p[t]);

		a0 = v_fma(q, x, a0);
		b0 = v_fma(q, y, b0);
		q = v_set1(p[ldp + t]);
		a1 = v_fma(q, x, a1);
		b1 = v_fma(q, y, b1);
		q = v_set1(p[2 * ldp + t]);
		a2 = v_fma(q, x, a2);
		b2 = v_fma(q, y, b2);
		q = v_set1(p[3 * ldp + t]);
		a3 = v_fma(q, x, a3);
		b3 = v_fma(q, y, b3);
	}
	v_store(c, a0);
	v_store(c + VW, b0);
	v_store(c + ldc, a1);
	v_store(c + ldc + VW, b1);
	v_store(c + 2 * ldc, a2);
	v_store(c + 2 * ldc + VW, b2);
	v_store(c + 3 * ldc, a3);
	v_store(c + 3 * ldc + VW, b3);
}

static void
context_simd(const float *p, size_t ldp, const float *v, size_t ldv,
			 float *c, size_t ldc, size_t m, size_t n, size_t k)
{
	size_t		row;
	size_t		at;

	for (at = 0; at < n;)
	{
		size_t		lanes = STEP(n, at);
		bool		wide = n - at >= 2 * VW;

		row = 0;
		if (wide)
			for (; m - row >= 4; row += 4)
				context_tile(p + row * ldp, ldp, v + at, ldv,
							 c + row * ldc + at, ldc, k);
		for (; row < m; row++)
		{
			/* a last odd row is its own partner */
			bool		pair = row + 1 < m;

			context_two(p + row * ldp, pair ? ldp : 0, v + at, ldv,
						c + row * ldc + at, pair ? ldc : 0, k, lanes);
			if (wide)
				context_two(p + row * ldp, pair ? ldp : 0, v + at + VW, ldv,
							c + row * ldc + at + VW, pair ? ldc : 0, k, VW);
			row += pair;
		}
		at += wide ? 2 * VW : lanes;
	}
}
