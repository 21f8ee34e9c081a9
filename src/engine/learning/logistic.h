/*-------------------------------------------------------------------------
 *
 * logistic.h
 *	  Logistic regression: softmax over classes, or a sigmoid for each output.
 *
 * What is minimised is the sum over rows of weight * cross entropy, plus
 * l2 / 2 times the sum of squares of all weights but the biases.  That is
 * scikit-learn's LogisticRegression with C = 1 / l2 for three classes or more;
 * for two classes it fits one sigmoid there, and who calls does so too
 * (MB_FIT_CLASS with one output).  Several sigmoids are its OneVsRestClassifier.
 *
 * The method is L-BFGS, preconditioned: one matrix, the Hessian's mean over
 * the outputs, stands for the Hessian of each, which takes the correlations of
 * the features out; of few outputs it is made anew every few steps.  It has
 * converged when no element of the gradient is larger than tolerance times the
 * sum of the rows' weights, as in scikit-learn.
 *
 * Weights lie as [width, outputs padded]: the features, the bias in row
 * "features", zeros to the next multiple of MB_LANES.
 *
 * Depends on base/arena.h, base/status.h, kernels/products.h,
 * learning/fit_rows.h, learning/symmetric.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_LOGISTIC_H
#define MB_LOGISTIC_H

#include "base/arena.h"
#include "base/status.h"
#include "kernels/products.h"
#include "learning/fit_rows.h"
#include "learning/symmetric.h"

#define MB_FIT_BLOCK 64			/* rows that are taken at a time */
#define MB_LBFGS_PAIRS 10

/* Rows to fit on or to score: rows[index[i]], i < count. */
typedef struct mb_fit_part
{
	const mb_fit_row *rows;
	const uint32_t *index;
	size_t		count;
	size_t		offset;			/* of the layer in a row's features */
} mb_fit_part;

typedef struct mb_logistic
{
	const mb_products *products;
	mb_fit_kind kind;			/* of the rows' targets; not MB_FIT_NUMBER */
	size_t		features;
	size_t		outputs;		/* 1 for two classes */
	bool		softmax;
	size_t		width;			/* features and bias, padded */
	size_t		padded;			/* outputs, padded */
	size_t		size;			/* width * padded */
	mb_factor	factor;			/* the preconditioner */

	/*
	 * Weights of rows: of a label with softmax; else of an output's rows with
	 * and without the label.  An output whose two weights are 0 is left as it
	 * is, and so is, with softmax, one whose bias is MB_NEVER.
	 */
	double	   *positive;		/* [padded] */
	double	   *negative;		/* [padded] */

	double	   *block;			/* [MB_FIT_BLOCK, width] */
	double	   *scaled;			/* [MB_FIT_BLOCK, width] */
	double	   *logits;			/* [MB_FIT_BLOCK, padded] */
	double		losses[MB_FIT_BLOCK];	/* of each row, weighted */
	double	   *targets;		/* [padded], zeros between rows */
	double	   *row_weights;	/* [padded], negative between rows */
	double	   *gradient;		/* each [size] */
	double	   *next;
	double	   *next_gradient;
	double	   *direction;
	double	   *steps;			/* [MB_LBFGS_PAIRS, size] */
	double	   *changes;		/* [MB_LBFGS_PAIRS, size], of the gradient */
} mb_logistic;

/* Padded to lanes; false when it does not fit. */
extern bool mb_fit_pad(size_t count, size_t *padded);

/* What mb_logistic_begin() takes of the arena. */
extern bool mb_logistic_memory(size_t features, size_t outputs,
							   size_t *bytes);

extern mb_status mb_logistic_begin(mb_logistic *logistic, mb_fit_kind kind,
								   size_t features, size_t outputs,
								   const mb_products *products,
								   mb_arena *arena, mb_error *err);

/* Fits weights [size], which are where it starts. */
extern mb_status mb_logistic_fit(mb_logistic *logistic,
								 const mb_fit_part *part, double l2,
								 double tolerance, unsigned iterations,
								 double *weights, bool *converged,
								 unsigned *taken, const mb_cancel *cancel,
								 mb_error *err);

/*
 * Logits of the rows [start, start + rows) of the part, rows <= MB_FIT_BLOCK,
 * to logistic->logits.
 */
extern mb_status mb_logistic_logits(mb_logistic *logistic,
									const mb_fit_part *part, size_t start,
									size_t rows, const double *weights,
									const mb_cancel *cancel, mb_error *err);

/*
 * The weighted loss of the same rows from these logits, which become the
 * gradient by them; logistic->losses has that of each row.
 */
extern double mb_logistic_loss(mb_logistic *logistic, const mb_fit_part *part,
							   size_t start, size_t rows);

/* Rows of a part as doubles, each with a 1 after its features: [rows, width]. */
extern void mb_fit_load(const mb_fit_part *part, size_t start, size_t rows,
						size_t features, size_t width, double *block);

/*
 * gram [width, width] += transpose of block * other, both [rows, width]; lower
 * half.
 */
extern mb_status mb_fit_gram(const mb_products *products, const double *block,
							 const double *other, size_t rows, size_t width,
							 double *gram, const mb_cancel *cancel,
							 mb_error *err);

#endif							/* MB_LOGISTIC_H */
