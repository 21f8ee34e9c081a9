/*-------------------------------------------------------------------------
 *
 * model.h
 *	  A checkpoint ready to run: pointers to its tensors, and what every layer
 *	  needs.
 *
 * An mb_model owns nothing: tensors lie in a weight image (image.h) or in a
 * test's memory.  mb_model_bind only places pointers, so opening a mapped
 * image costs microseconds.  What runs it is decided with it: its kernels.
 *
 * Shapes: W [out, in] row-major, b [out]; letters as in spec model.md.
 * Depends on base/arena.h, base/dtype.h, kernels/kernels.h, kernels/linear.h,
 * model/checkpoint.h, model/config.h, model/family.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_MODEL_H
#define MB_MODEL_H

#include "base/arena.h"
#include "base/dtype.h"
#include "kernels/kernels.h"
#include "kernels/linear.h"
#include "model/checkpoint.h"
#include "model/config.h"
#include "model/family.h"

/* ----------
 * Precisions
 * ----------
 */

/* A property of a model, chosen when it is imported. */
typedef enum mb_precision
{
	MB_PRECISION_FP32,			/* the default: exact weights, float sums */
	MB_PRECISION_BF16X3,		/* 16 bits of mantissa, in two bfloat16 */
	MB_PRECISION_BF16,			/* bfloat16, float sums */
	MB_PRECISION_INT8,			/* 8 bits and scales, integer sums */
	MB_PRECISIONS
} mb_precision;

/* "fp32"; NULL beyond the last.  The other way round: false for no name. */
extern const char *mb_precision_name(mb_precision precision);
extern bool mb_precision_from_name(const char *name, mb_precision *precision);

/*
 * The format of a linear layer whose weights a checkpoint stores as dtype, for
 * a table of kernels.
 */
extern mb_format mb_format_choose(const mb_kernels *kernels,
								  mb_precision precision, mb_dtype dtype);

/* ----------
 * Weights
 * ----------
 */

typedef struct mb_feedforward
{
	mb_linear	intermediate;	/* [I, T] */
	mb_linear	output;			/* [T, I] */
	mb_norm		norm;			/* [T] */
} mb_feedforward;

typedef struct mb_layer
{
	mb_linear	bottleneck_input;	/* [T, H]; use_bottleneck only */
	mb_norm		bottleneck_input_norm;	/* [T] */
	mb_linear	bottleneck_attention;	/* [T, H]; shared bottleneck only */
	mb_norm		bottleneck_attention_norm;
	mb_linear	query;			/* [A, T] */
	mb_linear	key;			/* [A, T] */
	mb_linear	value;			/* [A, value_input_size] */
	mb_linear	attention_output;	/* [T, T] */
	mb_norm		attention_norm; /* [T] */
	mb_feedforward *feedforwards;	/* [F]: ffn.0 ... ffn.F-2, then the last */
	mb_linear	bottleneck_output;	/* [H, T]; use_bottleneck only */
	mb_norm		bottleneck_output_norm; /* [H] */
} mb_layer;

/* Of a module after pooling, what its kind has */
typedef struct mb_module_weights
{
	mb_linear	dense;			/* [outputs, inputs]; bias NULL: none */
	mb_norm		norm;			/* [outputs] */
} mb_module_weights;

typedef struct mb_model
{
	mb_config	config;
	const mb_kernels *kernels;	/* weights are in formats that these have */
	uint32_t	parts;			/* bits 1 << mb_part */
	const float *word_embeddings;	/* [V, E] */
	const float *position_embeddings;	/* [P, H], E wide when the norm comes
										 * before the transformation */
	const float *type_embeddings;	/* [Y, H], likewise; NULL: no types */
	const float *relative_bias; /* [buckets, N]; NULL: none */
	mb_linear	embedding_transformation;	/* [H, 3E] or [H, E] */
	mb_norm		embedding_norm; /* [H], likewise */
	mb_layer   *layers;			/* [layers] */
	mb_linear	pooler;			/* [H, H]; weight NULL: absent */
	mb_linear	mlm_transform;	/* [H, H] or [E, H] */
	mb_norm		mlm_norm;		/* likewise, always a LayerNorm */
	const float *mlm_decoder;	/* [V, E] */
	const float *mlm_dense;		/* [H - E, V] */
	const float *mlm_bias;		/* [V] */
	mb_linear	nsp;			/* [2, H] */
	mb_linear	classifier;		/* [K, H], or [1, H] for multiple choice */
	mb_linear	qa;				/* [K, H] */
	mb_linear	preclassifier;	/* [H, H] */
	mb_linear	sequence_dense; /* [H, H] */
	mb_linear	sequence_output;	/* [K, H] */
	mb_linear	discriminator_dense;	/* [H, H] */
	mb_linear	discriminator;	/* [1, H] */
	mb_module_weights modules[MB_MODULES_LIMIT];	/* by place in config.modules */
} mb_model;

/* A linear layer of the pooler and heads; those that are absent have no weight. */
extern const mb_linear *mb_model_head(const mb_model *model, mb_site site);

/*
 * tensors[slot] points to that slot's numbers, or is NULL when absent; they
 * are float rows, or for an encoder's linear layer what formats[slot] says (formats
 * NULL: all rows).  "parts" as mb_checkpoint_complete gave it.  Layer structs
 * are allocated in arena.
 */
extern mb_status mb_model_bind(const mb_config *config,
							   const mb_kernels *kernels, uint32_t parts,
							   const void *const *tensors,
							   const uint8_t *formats, mb_arena *arena,
							   mb_model *model, mb_error *err);

/*
 * Give panels for model->kernels to the encoder's linear layers that have rows, in
 * memory of arena: for programs that run a model without an image.  dtype: as
 * which the weights count to be stored.  Layers that have panels get new ones.
 */
extern mb_status mb_model_pack(mb_model *model, mb_precision precision,
							   mb_dtype dtype, mb_arena *arena, mb_error *err);

#endif							/* MB_MODEL_H */
