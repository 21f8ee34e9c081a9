/*-------------------------------------------------------------------------
 *
 * losses.h
 *	  What a model's classes return as loss when they are given labels: means
 *	  of cross entropies, squared errors, binary cross entropies.
 *
 * A loss is gathered term by term, so that no logits need to be kept.  Terms
 * and sums are double; a NaN among the logits gives NaN, and so does a mean of
 * nothing, as in torch.
 *
 * Source: the losses of transformers' MobileBertFor... classes; spec model.md
 * section 5.
 * Depends on libc only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_LOSSES_H
#define MB_LOSSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The label of what is not to be counted. */
#define MB_NO_LABEL (-100)

/* Begins as all zero. */
typedef struct mb_loss
{
	double		sum;
	size_t		terms;
} mb_loss;

/* sum / terms */
extern double mb_loss_mean(const mb_loss *loss);

/* Is this the number of one of count classes, or MB_NO_LABEL? */
extern bool mb_is_label(int32_t label, size_t count);

/* Cross entropy, one term; logits [count], label as mb_is_label has it. */
extern void mb_loss_class(mb_loss *loss, const float *logits, size_t count,
						  int32_t label);

/*
 * The same for the position of a token in a row of count tokens: a position
 * before the row counts as 0, one after it as none.
 */
extern void mb_loss_position(mb_loss *loss, const float *logits, size_t count,
							 int64_t position);

/* (output - target)^2, count terms. */
extern void mb_loss_squares(mb_loss *loss, const float *outputs,
							const float *targets, size_t count);

/*
 * Binary cross entropy of sigmoid(logit), count terms; targets from 0 to 1,
 * though any number is taken, as torch does.
 */
extern void mb_loss_binary(mb_loss *loss, const float *logits,
						   const float *targets, size_t count);

#endif							/* MB_LOSSES_H */
