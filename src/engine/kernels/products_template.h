/*-------------------------------------------------------------------------
 *
 * products_template.h
 *	  The functions of an mb_products, once for all instruction sets.
 *
 * The file that includes this, after products.h, defines PRODUCTS_ROWS and
 * PRODUCTS_VECTORS, the tile of results that multiply() keeps in registers,
 * the registers' PRODUCTS_WIDTH in doubles, PRODUCTS_FUSED(sum, x, y), which adds
 * x * y to such a register, rounded once, and the table, PRODUCTS_TABLE with its
 * PRODUCTS_NAME.  A vector is MB_LANES doubles whatever the registers are; the
 * compiler splits it elsewhere.
 * The tile decides only which sums go on side by side, not the order of any; a
 * fused operation is exact wherever it is done; and flags.mk has
 * -ffp-contract=off for all others: that is why bits are the same.
 *
 * Depends on libc only.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

typedef double lanes __attribute__((vector_size(MB_LANES * 8)));
typedef double part __attribute__((vector_size(PRODUCTS_WIDTH * 8)));
typedef int64_t bits __attribute__((vector_size(MB_LANES * 8)));

#define LOAD(v, from) memcpy(&(v), (from), sizeof(v))
#define STORE(to, v) memcpy((to), &(v), sizeof(v))
#define SAME(x) ((lanes) {x, x, x, x, x, x, x, x})

/* The lanes of v one by one into a sum: of halves, quarters, eighths */
#define TOTAL(v) \
	((((v)[0] + (v)[4]) + ((v)[2] + (v)[6])) + \
	 (((v)[1] + (v)[5]) + ((v)[3] + (v)[7])))

/*
 * One tile of c.  "rows" and "vectors" are constants where it is called, so
 * that sums stay in registers.
 */
static inline __attribute__((always_inline)) void
multiply_tile(const double *a, size_t row, size_t column,
			  const double *b, size_t ldb, double *c, size_t ldc,
			  size_t k, double sign, size_t rows, size_t vectors)
{
	const size_t parts = vectors * (MB_LANES / PRODUCTS_WIDTH);
	part		sum[PRODUCTS_ROWS][PRODUCTS_VECTORS * MB_LANES / PRODUCTS_WIDTH];
	size_t		i;
	size_t		j;
	size_t		p;

#pragma GCC unroll 16
	for (i = 0; i < rows; i++)
#pragma GCC unroll 16
		for (j = 0; j < parts; j++)
			sum[i][j] = (part) {0};
	for (p = 0; p < k; p++)
	{
		part		right[PRODUCTS_VECTORS * MB_LANES / PRODUCTS_WIDTH];

#pragma GCC unroll 16
		for (j = 0; j < parts; j++)
			LOAD(right[j], b + p * ldb + j * PRODUCTS_WIDTH);
#pragma GCC unroll 16
		for (i = 0; i < rows; i++)
		{
			part		left = a[i * row + p * column] - (part) {0};

#pragma GCC unroll 16
			for (j = 0; j < parts; j++)
				PRODUCTS_FUSED(sum[i][j], left, right[j]);
		}
	}
#pragma GCC unroll 16
	for (i = 0; i < rows; i++)
#pragma GCC unroll 16
		for (j = 0; j < parts; j++)
		{
			part		before;

			LOAD(before, c + i * ldc + j * PRODUCTS_WIDTH);
			before += sign * sum[i][j];
			STORE(c + i * ldc + j * PRODUCTS_WIDTH, before);
		}
}

/* All rows of "vectors" vectors of c. */
static inline __attribute__((always_inline)) void
multiply_columns(const double *a, size_t row, size_t column,
				 const double *b, size_t ldb, double *c, size_t ldc,
				 size_t m, size_t k, double sign, size_t vectors)
{
	size_t		i;

	for (i = 0; i + PRODUCTS_ROWS <= m; i += PRODUCTS_ROWS)
		multiply_tile(a + i * row, row, column, b, ldb, c + i * ldc, ldc, k,
					  sign, PRODUCTS_ROWS, vectors);
	for (; i < m; i++)
		multiply_tile(a + i * row, row, column, b, ldb, c + i * ldc, ldc, k,
					  sign, 1, vectors);
}

static void
multiply(const double *a, size_t row, size_t column,
		 const double *b, size_t ldb, double *c, size_t ldc,
		 size_t m, size_t n, size_t k, double sign)
{
	const size_t wide = PRODUCTS_VECTORS * MB_LANES;
	size_t		j;

	for (j = 0; j + wide <= n; j += wide)
		multiply_columns(a, row, column, b + j, ldb, c + j, ldc, m, k, sign,
						 PRODUCTS_VECTORS);
	for (; j < n; j += MB_LANES)
		multiply_columns(a, row, column, b + j, ldb, c + j, ldc, m, k, sign,
						 1);
}

static double
dot(const double *a, const double *b, size_t n)
{
	lanes		sum = SAME(0.0);
	size_t		i;

	for (i = 0; i < n; i += MB_LANES)
	{
		lanes		x;
		lanes		y;

		LOAD(x, a + i);
		LOAD(y, b + i);
		sum += x * y;
	}
	return TOTAL(sum);
}

/*
 * exp(x) for x <= 0, 0 below -700: 2^n times the series of the rest, which is
 * within log(2) / 2 of 0, so that the first term left out is under 2^-56.
 */
#define EXPONENTIAL(result, x) do { \
	const lanes magic = SAME(0x1.8p52); \
	const lanes low = SAME(-700.0); \
	bits		kept_ = (x) > low; \
	lanes		x_ = (lanes) (((bits) (x) & kept_) | ((bits) low & ~kept_)); \
	lanes		whole_ = x_ * SAME(0x1.71547652b82fep0) + magic; \
	bits		shift_ = (bits) whole_ << 52; \
	lanes		n_ = whole_ - magic; \
	lanes		r_ = (x_ - n_ * SAME(0x1.62e42feep-1)) - \
		n_ * SAME(0x1.a39ef35793c76p-33); \
	lanes		p_ = SAME(1.0 / 479001600.0); \
	p_ = p_ * r_ + SAME(1.0 / 39916800.0); \
	p_ = p_ * r_ + SAME(1.0 / 3628800.0); \
	p_ = p_ * r_ + SAME(1.0 / 362880.0); \
	p_ = p_ * r_ + SAME(1.0 / 40320.0); \
	p_ = p_ * r_ + SAME(1.0 / 5040.0); \
	p_ = p_ * r_ + SAME(1.0 / 720.0); \
	p_ = p_ * r_ + SAME(1.0 / 120.0); \
	p_ = p_ * r_ + SAME(1.0 / 24.0); \
	p_ = p_ * r_ + SAME(1.0 / 6.0); \
	p_ = p_ * r_ + SAME(0.5); \
	p_ = p_ * r_ + SAME(1.0); \
	p_ = p_ * r_ + SAME(1.0); \
	(result) = (lanes) (((bits) p_ + shift_) & kept_); \
} while (0)

/*
 * log(x) for 1 <= x < 2^1000: the exponent times log(2), and twice the series
 * of artanh((m - 1) / (m + 1)) for the rest m from sqrt(1/2) to sqrt(2).
 */
#define LOGARITHM(result, x) do { \
	const bits one_ = (bits) SAME(1.0); \
	const lanes magic = SAME(0x1.8p52); \
	bits		shifted_ = (bits) (x) - (bits) SAME(0x1.6a09e667f3bcdp-1); \
	bits		power_ = shifted_ >> 52; \
	lanes		m_ = (lanes) ((bits) (x) - (power_ << 52)); \
	lanes		n_ = (lanes) (power_ + (bits) magic) - magic; \
	lanes		s_ = (m_ - (lanes) one_) / (m_ + (lanes) one_); \
	lanes		q_ = s_ * s_; \
	lanes		p_ = SAME(1.0 / 21.0); \
	p_ = p_ * q_ + SAME(1.0 / 19.0); \
	p_ = p_ * q_ + SAME(1.0 / 17.0); \
	p_ = p_ * q_ + SAME(1.0 / 15.0); \
	p_ = p_ * q_ + SAME(1.0 / 13.0); \
	p_ = p_ * q_ + SAME(1.0 / 11.0); \
	p_ = p_ * q_ + SAME(1.0 / 9.0); \
	p_ = p_ * q_ + SAME(1.0 / 7.0); \
	p_ = p_ * q_ + SAME(1.0 / 5.0); \
	p_ = p_ * q_ + SAME(1.0 / 3.0); \
	p_ = p_ * q_ * s_ + s_; \
	(result) = n_ * SAME(0x1.62e42fefa39efp-1) + SAME(2.0) * p_; \
} while (0)

/* The larger of each lane */
#define LARGER(a, b) \
	((lanes) (((bits) (a) & ((a) > (b))) | ((bits) (b) & ~((a) > (b)))))

static void
softmax(double *logits, size_t rows, size_t n, const uint32_t *labels,
		const double *weights, double *loss)
{
	size_t		r;
	size_t		j;

	for (r = 0; r < rows; r++)
	{
		double	   *x = logits + r * n;
		double		largest = MB_NEVER;
		double		of_label = x[labels[r]];
		lanes		top = SAME(MB_NEVER);
		lanes		sum = SAME(0.0);
		lanes		logarithm;
		lanes		v;
		double		total;
		double		scale;

		for (j = 0; j < n; j += MB_LANES)
		{
			LOAD(v, x + j);
			top = LARGER(v, top);
		}
		for (j = 0; j < MB_LANES; j++)
			if (top[j] > largest)
				largest = top[j];
		for (j = 0; j < n; j += MB_LANES)
		{
			LOAD(v, x + j);
			v -= SAME(largest);
			EXPONENTIAL(v, v);
			sum += v;
			STORE(x + j, v);
		}
		total = TOTAL(sum);
		sum = SAME(total);
		LOGARITHM(logarithm, sum);
		loss[r] = weights[r] * ((logarithm[0] + largest) - of_label);
		scale = weights[r] / total;
		for (j = 0; j < n; j += MB_LANES)
		{
			LOAD(v, x + j);
			v *= SAME(scale);
			STORE(x + j, v);
		}
		x[labels[r]] -= weights[r];
	}
}

static double
sigmoid(double *logits, const double *targets, const double *weights,
		size_t n)
{
	lanes		loss = SAME(0.0);
	size_t		j;

	for (j = 0; j < n; j += MB_LANES)
	{
		const lanes one = SAME(1.0);
		const lanes zero = SAME(0.0);
		lanes		x;
		lanes		y;
		lanes		w;
		lanes		e;
		lanes		sum;
		lanes		logarithm;
		bits		positive;
		lanes		p;

		LOAD(x, logits + j);
		LOAD(y, targets + j);
		LOAD(w, weights + j);
		positive = x > zero;
		e = (lanes) (((bits) -x & positive) | ((bits) x & ~positive));
		EXPONENTIAL(e, e);
		sum = one + e;
		LOGARITHM(logarithm, sum);
		p = (lanes) (((bits) one & positive) | ((bits) e & ~positive)) / sum;
		loss += w * ((logarithm + (lanes) ((bits) x & positive)) - y * x);
		p = w * (p - y);
		STORE(logits + j, p);
	}
	return TOTAL(loss);
}

const mb_products PRODUCTS_TABLE = {
	.name = PRODUCTS_NAME,
	.multiply = multiply,
	.dot = dot,
	.softmax = softmax,
	.sigmoid = sigmoid
};
