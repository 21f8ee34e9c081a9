/*-------------------------------------------------------------------------
 *
 * linear.h
 *	  A linear layer as kernels see it: its weights, and what may follow it.
 *
 * Depends on nothing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_LINEAR_H
#define MB_LINEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Outputs whose weights lie side by side, see panels.h */
#define MB_PANEL 32

/* How weights lie in memory; panels.h has what each format is. */
typedef enum mb_format
{
	MB_FORMAT_ROWS,				/* float [n, k] as in a checkpoint, no panels:
								 * all but the encoder's linear layers */
	MB_FORMAT_FLOAT,
	MB_FORMAT_HALF,				/* IEEE binary16 */
	MB_FORMAT_BFLOAT,			/* bfloat16 */
	MB_FORMAT_BF16X3,			/* these three: see reduced.h */
	MB_FORMAT_BF16,
	MB_FORMAT_INT8,
	MB_FORMAT_FLOAT_SPLIT,		/* these three: FLOAT, HALF and BFLOAT for tiles
								 * of bfloat16; see split.h */
	MB_FORMAT_HALF_SPLIT,
	MB_FORMAT_BFLOAT_SPLIT,
	MB_FORMATS
} mb_format;

/*
 * How the weights of some formats are packed; one of these for several formats
 * that are alike.
 */
typedef struct mb_packing
{
	/* bytes of W [n, k]; false when that is beyond size_t */
	bool		(*size) (mb_format format, size_t k, size_t n, size_t *size);

	/* w [n, k] into these bytes, aligned to 64 */
	void		(*pack) (mb_format format, const float *w, size_t k, size_t n,
						 void *panels);

	/*
	 * Panel number p, inputs [first, first + count), as float [count,
	 * MB_PANEL]; NULL where weights are not exact.
	 */
	void		(*widen) (mb_format format, const void *panels, size_t k,
						  size_t p, size_t first, size_t count, float *out);
} mb_packing;

/*
 * A linear layer: y = x W' + b.  The encoder's have panels, the heads' have
 * rows.  It carries its shape, for what runs it and for what sets memory aside.
 */
typedef struct mb_linear
{
	const float *weight;		/* [n, k]; NULL: absent, or panels alone */
	const float *bias;			/* [n]; NULL: absent, or zeros */
	const void *panels;			/* see panels.h; NULL: rows alone */
	mb_format	format;			/* of panels */
	size_t		k;				/* inputs */
	size_t		n;				/* outputs */
} mb_linear;

/* NoNorm or LayerNorm, as the configuration says (model.md 2.2). */
typedef struct mb_norm
{
	const float *weight;		/* [width] */
	const float *bias;			/* [width] */
} mb_norm;

typedef enum mb_activation
{
	MB_ACT_RELU,
	MB_ACT_GELU,				/* erf form: gelu, gelu_python */
	MB_ACT_GELU_TANH,			/* gelu_new, gelu_accurate, gelu_pytorch_tanh,
								 * gelu_python_tanh */
	MB_ACT_GELU_FAST,
	MB_ACT_QUICK_GELU,
	MB_ACT_GELU_10,
	MB_ACT_SILU,				/* silu, swish */
	MB_ACT_RELU6,
	MB_ACT_RELU2,
	MB_ACT_LEAKY_RELU,
	MB_ACT_MISH,
	MB_ACT_SIGMOID,
	MB_ACT_TANH,
	MB_ACT_LINEAR,
	MB_ACT_LAPLACE
} mb_activation;

/* How many there are */
#define MB_ACTIVATIONS (MB_ACT_LAPLACE + 1)

#endif							/* MB_LINEAR_H */
