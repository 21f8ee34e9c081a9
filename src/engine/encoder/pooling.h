/*-------------------------------------------------------------------------
 *
 * pooling.h
 *	  From the hidden states of a text to one vector, and between vectors.
 *
 * A text is pooled as its windows come, one or many, by the same code: begin,
 * add each window's rows, end.  Its states are never all in memory.
 *
 * Source: sentence-transformers' Pooling and Normalize; spec pipelines.md
 * section 8, model.md section 4.
 * Depends on base/status.h, model/model.h, model/settings.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_POOLING_H
#define MB_POOLING_H

#include "base/status.h"
#include "model/model.h"
#include "model/settings.h"

/*
 * act(linear(state)) of a state [k] -> out [n], sums in double: the layer that
 * some heads have before their own, and that modules after pooling are.  Errors:
 * MB_ERR_CANCELLED.
 */
extern mb_status mb_dense_state(const mb_model *model, const mb_linear *linear,
								mb_activation activation, const float *state,
								float *out, const mb_cancel *cancel,
								mb_error *err);

/* pooler_output of one sequence: first [H] -> out [H] (model.md 4). */
extern mb_status mb_pooler(const mb_model *model, const float *first,
						   float *out, mb_error *err);

/*
 * A text on its way to its vector; arrays [H], NULL where no mode needs them.
 * A position counts from 1, and tokens that are not attended to have one.
 */
typedef struct mb_pool
{
	const mb_model *model;
	mb_poolings modes;
	size_t		tokens;			/* so far */
	double		attended;		/* of them, those with mask 1 */
	double		positions;		/* of these, added up */
	double	   *sum;			/* of the states attended to */
	double	   *weighted;		/* each of them times its position */
	float	   *max;
	float	   *first;			/* of the text, for the pooler */
	float	   *cls;			/* the first attended to */
	float	   *last;			/* the last attended to */
} mb_pool;

/*
 * Do all these modes read the first token's state alone?  mask as in
 * mb_pool_add, of the whole text.
 */
extern bool mb_pool_first_only(mb_poolings modes, const uint8_t *mask);

/* Floats of the vector: [H] for each mode. */
extern size_t mb_pool_width(const mb_model *model, mb_poolings modes);

/* Bytes that mb_pool_begin wants for these modes. */
extern size_t mb_pool_memory(const mb_model *model, mb_poolings modes);

/*
 * memory: mb_pool_memory bytes, aligned for any object, to last until
 * mb_pool_end.  Errors: MB_ERR_ARGUMENT no mode, or one that is not known.
 */
extern mb_status mb_pool_begin(mb_pool *pool, const mb_model *model,
							   mb_poolings modes, void *memory, mb_error *err);

/*
 * The text's next tokens: states [count, H], mask [count] (NULL: all 1).
 * Sums are in double.  When the modes read the first token's state alone, so
 * does this: states need no more than the row of the text's first token.
 */
extern void mb_pool_add(mb_pool *pool, const float *states, size_t count,
						const uint8_t *mask);

/*
 * out [mb_pool_width]: the modes' vectors one after the other, in the order of
 * the list.  Errors: MB_ERR_ARGUMENT no token was attended to; those of
 * mb_pooler.
 */
extern mb_status mb_pool_end(const mb_pool *pool, float *out, mb_error *err);

/* x / max(|x|, 1e-12), norm in double. */
extern void mb_normalize(float *x, size_t count);

/* Distances of vectors [count]; accumulated in several float lanes. */
extern float mb_inner_product(const float *a, const float *b, size_t count);
extern float mb_l2_distance(const float *a, const float *b, size_t count);
extern float mb_l1_distance(const float *a, const float *b, size_t count);
extern float mb_cosine_similarity(const float *a, const float *b,
								  size_t count);

/* As a model compares its vectors. */
extern float mb_compare(mb_similarity similarity, const float *a,
						const float *b, size_t count);

#endif							/* MB_POOLING_H */
