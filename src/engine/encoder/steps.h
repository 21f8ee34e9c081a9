/*-------------------------------------------------------------------------
 *
 * steps.h
 *	  The linear layers of a pass, each with what follows it, written down once.
 *
 * What is between two attentions is linear layers.  A "step" is one of them:
 * which buffer it reads, which it writes, what is done to the result before it
 * is written.  A pass runs the steps (pass.h); the workspace is laid out by
 * walking over the same steps (workspace.h), so that no width can be forgotten.
 *
 * Source: transformers' modeling_mobilebert and its like; spec model.md sections
 * 2 and 3, families.md section 3, whose letters (H, E, T, I, A) are used here.
 * Depends on base/status.h, kernels/kernels.h, kernels/linear.h,
 * model/config.h, model/model.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_STEPS_H
#define MB_STEPS_H

#include "base/status.h"
#include "kernels/kernels.h"
#include "kernels/linear.h"
#include "model/config.h"
#include "model/model.h"

/* Rows of activations that steps read and write. */
typedef enum mb_buffer
{
	MB_BUFFER_STATES,			/* h [rows, H] */
	MB_BUFFER_RESIDUAL,			/* R [rows, T]; without bottleneck h is R */
	MB_BUFFER_QUERY,			/* Q [rows, A]; then the context */
	MB_BUFFER_KEY,				/* K [rows, A] */
	MB_BUFFER_VALUE,			/* V [rows, A] */
	MB_BUFFER_WIDE,				/* [sweep, 3E, E or I] */
	MB_BUFFER_NARROW,			/* [sweep, T] */
	MB_BUFFERS,
	MB_BUFFER_NONE = MB_BUFFERS
} mb_buffer;

/* Those before this one have all rows of the batch, the others a sweep. */
#define MB_FIRST_OF_SWEEP MB_BUFFER_WIDE

/*
 * y = Norm(act(linear(x)) + residual).  residual may be y.  NoNorm goes with
 * the product, LayerNorm waits for the whole row.
 */
typedef struct mb_step
{
	const mb_linear *linear;
	mb_buffer	x;
	mb_buffer	y;
	mb_activation activation;	/* MB_ACT_LINEAR: none */
	mb_buffer	residual;		/* MB_BUFFER_NONE: none */
	const mb_norm *norm;		/* NULL: none */
	float		epsilon;
	const mb_linear *next;		/* that of the next step, when it alone reads y;
								 * else NULL */
} mb_step;

/* What is done with each step of a walk, in order; an error ends the walk. */
typedef struct mb_step_visitor
{
	mb_status	(*visit) (void *context, const mb_step *s);
	void	   *context;
} mb_step_visitor;

/* Can a step write the operand of the next? */
extern bool mb_step_chained(const mb_kernels *kernels, const mb_step *s);

/*
 * Is the embedding transformation applied? (model.md 2.1)  It comes before the
 * norm, or with project_after_norm after it (families.md 3.3).
 */
extern bool mb_transforms_embedding(const mb_config *config);
extern mb_status mb_embedding_steps(const mb_model *model,
									const mb_step_visitor *v);

/* What of a layer's first sweep is wanted. */
#define MB_PROJECT_QUERIES 1	/* Q, and R */
#define MB_PROJECT_KEYS 2		/* K and V */

/* What attention reads (model.md 3.1) */
extern mb_status mb_project_steps(const mb_model *model, const mb_layer *layer,
								  int wanted, const mb_step_visitor *v);

/* From the context to the layer's output (model.md 3.3 to 3.5) */
extern mb_status mb_finish_steps(const mb_model *model, const mb_layer *layer,
								 const mb_step_visitor *v);

/* All steps of a pass; the layers are alike. */
extern void mb_walk_steps(const mb_model *model, const mb_step_visitor *v);

#endif							/* MB_STEPS_H */
