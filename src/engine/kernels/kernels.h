/*-------------------------------------------------------------------------
 *
 * kernels.h
 *	  The table of functions that do the arithmetic, one per instruction set.
 *
 * A model keeps the table it was made for.  What each function does stands in
 * plain C as well, in kernels_ref.c, gemm.c or reduced.c, as oracle and fallback;
 * for low-precision attention that is attention in float.  Row-wise functions
 * treat each row alone, in the same order of operations whatever the number of
 * rows, so a row gives the same bits in any batch.
 *
 * Depends on kernels/linear.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_KERNELS_H
#define MB_KERNELS_H

#include "kernels/linear.h"

/*
 * Functions that are written once for several cases: where they are called the
 * cases are constants, and each call becomes code of its own.
 */
#define MB_INLINE static inline __attribute__((always_inline))

/*
 * Buffers of activations have room for whole blocks of this many rows, so that
 * a kernel may take full blocks, and a library's matrix product is always given
 * as many rows: its choice of algorithm cannot depend on the batch.
 */
#define MB_ROW_BLOCK 32

/*
 * Query rows that attention takes together, so that their scores stay in the
 * first level of the cache for texts of the usual lengths.
 */
#define MB_QUERY_ROWS 12

/* Outputs that a product with "next" has at least */
#define MB_CHAIN_LEAST (2 * MB_PANEL)

/*
 * A softmax weight of e to less than this is 0.  It could not be seen beside
 * the largest, and subnormal weights make processors two hundred times slower:
 * e^-70 over 2^24 tokens is still a normal number.
 */
#define MB_SOFTMAX_LEAST (-70.0f)

/* Query rows of mb_attention */
#define MB_ATTEND_ROWS 16

/*
 * One linear layer over some rows, and what follows it while the sums are still
 * in registers:
 *
 *	y = act(x W' + b)				then, where given,
 *	y = y + residual				then
 *	y = y * norm.weight + norm.bias	(NoNorm; LayerNorm needs the whole row)
 *
 * for the outputs [first, first + width) of n; first is a multiple of MB_PANEL.
 *
 * With "next", operand_size(rows, n) bytes aligned to 64, these become with the
 * last outputs what prepare() would make of y (INT8 on "amx": of y rounded to
 * bfloat16; GELU of INT8 and BF16: to 14 bits).  It is for kernels that are
 * chained, MB_CHAIN_LEAST outputs or more, and neither residual nor norm; y is
 * memory to work in then, whole blocks of MB_ROW_BLOCK rows.
 */
typedef struct mb_product
{
	const struct mb_kernels *kernels;	/* of these; for other activations */
	const float *x;				/* [rows, k] */
	void	   *operand;		/* operand_size() bytes, aligned to 64: what
								 * prepare() made of x, or the kernel's own to
								 * write */
	size_t		rows;
	size_t		k;
	size_t		n;
	const mb_linear *linear;	/* bias [n] or NULL, panels */
	size_t		first;
	size_t		width;
	mb_activation activation;	/* MB_ACT_LINEAR: none */
	const float *residual;		/* [rows, n] or NULL; may be y */
	const mb_norm *norm;		/* [n], or NULL */
	float	   *y;				/* [rows, n]; must not overlap x */
	void	   *next;			/* instead of y, see below; or NULL */
} mb_product;

/*
 * Some query rows of a head of one sequence, in fewer bits than float:
 *
 *	context = softmax(query keys' / root of size + bias, where mask is 1) values
 */
typedef struct mb_attention
{
	const float *query;			/* [rows, size] at distance ld */
	float	   *context;		/* likewise; may be query */
	size_t		ld;
	size_t		rows;			/* MB_ATTEND_ROWS at most */
	size_t		length;			/* keys and values */
	size_t		size;			/* of the head */
	const void *keys;			/* of pack_keys() and pack_values() */
	const void *values;
	const uint8_t *mask;		/* [length], some of it 1; NULL: all 1 */
	const float *bias;			/* [length] of the first row; that of each row
								 * begins one before the last one's.  NULL: none */
	void	   *scratch;		/* attend_memory() bytes, aligned to 64 */
	float	   *weights;		/* [rows, length] or NULL: softmax's result */
} mb_attention;

/*
 * What a table does with linear layers whose weights are in one format.  x and
 * y have room for rows rounded up to MB_ROW_BLOCK, and x numbers in them: the
 * rows after the last may be read and written.  A row's bits depend on its row
 * of x alone, not on rows, first or width.
 */
typedef struct mb_linear_kernel
{
	void		(*run) (const mb_product *product);

	/*
	 * For products that want x in another form (quantised, split): bytes for
	 * that many rows, SIZE_MAX if beyond size_t; and the work itself, done
	 * once for all layers that read one x.  NULL: products take x as it is.
	 * With a size alone, the memory is for run() to write in.
	 */
	size_t		(*operand_size) (size_t rows, size_t k);
	void		(*prepare) (const float *x, size_t rows, size_t k,
							void *operand);

	bool		chained;		/* products can write the next ones' operand */
	bool		attention;		/* goes with mb_kernels.attention */
} mb_linear_kernel;

/*
 * Low-precision attention.  Keys and values are a matrix [rows, width] at
 * distance ld; they are packed into the mb_format_size() bytes of a format,
 * aligned to 64: keys an output each, with one number more for itself; values
 * turned, an input each.
 */
typedef struct mb_attention_kernel
{
	mb_format	panels;
	void		(*pack_keys) (const float *x, size_t ld, size_t rows,
							  size_t width, void *panels);
	void		(*pack_values) (const float *x, size_t ld, size_t rows,
								size_t width, void *panels);

	/* bytes of mb_attention.scratch, SIZE_MAX if beyond size_t */
	size_t		(*memory) (size_t length, size_t size);
	void		(*run) (const mb_attention *attention);
} mb_attention_kernel;

typedef struct mb_kernels
{
	const char *name;			/* of the table, see below */
	const char *gemm_name;		/* of what multiplies floats: "openblas", or the
								 * table that does it */
	bool		split;			/* float weights go into formats of split.h */

	/*
	 * Before the first product and after the last of a pass: processor state
	 * that products need.  NULL: none.
	 */
	void		(*begin) (void);
	void		(*end) (void);

	const mb_linear_kernel *linear[MB_FORMATS]; /* NULL: cannot run these */
	const mb_attention_kernel *attention;	/* NULL: float for all formats */

	/*
	 * y[m, n] = scale * a[m, k] * B, rows of a and y at distance lda and ldy,
	 * B [k, n] in float panels (gemm.h): attention's two products.  a and y
	 * have room for m rounded up to MB_QUERY_ROWS rows, which may be read and
	 * written; a row's bits do not depend on m.
	 */
	void		(*matrix) (const float *a, size_t lda, const float *panels,
						   float scale, float *y, size_t ldy,
						   size_t m, size_t n, size_t k);

	/*
	 * The two halves of softmax, x[width] in place.  First e^(x - largest),
	 * exactly 0 where mask, as in mb_batch and with at least one 1, is 0; the
	 * result is the sum.  Then x * factor, rounded once from double.  Attention
	 * scales the context instead of the weights, which are many more.
	 */
	double		(*exponentials) (float *x, const uint8_t *mask, size_t width);
	void		(*scale) (float *x, double factor, size_t width);

	/* y = x + r, a row; y may be x or r */
	void		(*add) (const float *x, const float *r, float *y, size_t width);

	/* x[width] in place */
	void		(*activation) (mb_activation kind, float *x, size_t width);

	/* y = (x + r) normalised, a row; r may be NULL; y may be x or r */
	void		(*no_norm) (const float *x, const float *r, const float *weight,
							const float *bias, float *y, size_t width);
	void		(*layer_norm) (const float *x, const float *r,
							   const float *weight, const float *bias,
							   float epsilon, float *y, size_t width);

	/* Distances; float sums in several lanes. */
	float		(*inner_product) (const float *a, const float *b, size_t count);
	float		(*l2_squared) (const float *a, const float *b, size_t count);

	/* a.b, a.a and b.b in one reading */
	void		(*dot3) (const float *a, const float *b, size_t count,
						 float out[3]);

	/* inner product with double products and sums, for single rows */
	double		(*dot_wide) (const float *a, const float *b, size_t count);
} mb_kernels;

/*
 * The tables: "ref", and those named by instruction sets.  "vnni" and "amx" are
 * AVX-512 with other products: for int8, and for all precisions.  So "dotprod",
 * "i8mm" and "bf16" are NEON: the first two for int8, the last for bf16 as well.
 */
extern const mb_kernels mb_kernels_ref;
extern const mb_kernels mb_kernels_ref_openblas;

#if defined(__x86_64__)
extern const mb_kernels mb_kernels_avx2;
extern const mb_kernels mb_kernels_avx512;
extern const mb_kernels mb_kernels_vnni;
extern const mb_kernels mb_kernels_amx;
#endif

#if defined(__aarch64__)
extern const mb_kernels mb_kernels_neon;
extern const mb_kernels mb_kernels_dotprod;
extern const mb_kernels mb_kernels_i8mm;
extern const mb_kernels mb_kernels_bf16;
#endif

#endif							/* MB_KERNELS_H */
