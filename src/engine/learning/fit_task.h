/*-------------------------------------------------------------------------
 *
 * fit_task.h
 *	  What is to be fitted, and what comes of it.
 *
 * What is minimised (logistic.h and ridge.h have the details): the sum over
 * rows of weight * loss, plus l2 / 2 times the sum of squares of the weights,
 * without the bias.  So l2 is 1 / C of scikit-learn's LogisticRegression and
 * alpha of its Ridge.
 *
 * Depends on learning/fit_rows.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_FIT_TASK_H
#define MB_FIT_TASK_H

#include "learning/fit_rows.h"

#define MB_FIT_MIN_FOLDS 2
#define MB_FIT_MAX_FOLDS 20
#define MB_FIT_FOLDS 5			/* the default */
#define MB_FIT_LAYERS 4			/* most candidates */

/* Chosen by cross-validation: values of mb_fit_task.layer and .l2 */
#define MB_FIT_CHOOSE_LAYER SIZE_MAX
#define MB_FIT_CHOOSE_L2 (-1.0)

typedef struct mb_fit_task
{
	mb_fit_kind kind;
	size_t		layers;			/* of each row's features, the last one is the
								 * encoder's last; 1 to MB_FIT_LAYERS */
	size_t		features;		/* of one layer, >= 1 */
	size_t		labels;			/* K; 1 for MB_FIT_NUMBER */
	size_t		layer;			/* of these "layers", or MB_FIT_CHOOSE_LAYER */
	double		l2;				/* > 0 and finite, or MB_FIT_CHOOSE_L2 */
	bool		balanced;		/* class_weight: rows * (all rows) / (labels *
								 * rows of the label), scikit-learn's "balanced";
								 * not for MB_FIT_NUMBER */
	unsigned	folds;			/* MB_FIT_MIN_FOLDS to MB_FIT_MAX_FOLDS */
} mb_fit_task;

/* Of one label in cross-validation; from it all figures follow. */
typedef struct mb_fit_count
{
	size_t		rows;			/* that have the label (support) */
	size_t		predicted;		/* that were given it */
	size_t		correct;		/* both */
} mb_fit_count;

/* A layer and a penalty that were judged. */
typedef struct mb_fit_candidate
{
	size_t		layer;
	double		l2;
	double		loss;			/* mean over rows, each by a head that was fitted
								 * without its fold: cross entropy, sum of the
								 * labels' cross entropies, squared error */
	double		accuracy;		/* as in mb_fit_result */
} mb_fit_candidate;

typedef struct mb_fit_result
{
	/*
	 * The head: score of output k is bias[k] + the sum of weights[k * features
	 * + f] * feature f, for every kind.  MB_FIT_CLASS: softmax over K outputs,
	 * also for K = 2, where scikit-learn keeps one vector w; here the outputs
	 * are -w / 2 and w / 2, of the same probabilities.  MB_FIT_LABELS: a
	 * sigmoid for each output.  MB_FIT_NUMBER: the number itself.
	 */
	double	   *weights;		/* [labels, features] */
	double	   *bias;			/* [labels] */
	size_t		layer;
	double		l2;
	bool		converged;		/* the final fit and those that judged it */
	unsigned	iterations;		/* of the final fit */

	/*
	 * Cross-validation of the chosen candidate: each row predicted by a head
	 * that was fitted without its fold.  folds is 0 when there are fewer than
	 * two different texts, or one row, and nothing could be judged; then what
	 * was to be chosen is the last layer and the middle of the grid, and the
	 * figures are 0.  It is less than asked for when there are fewer different
	 * texts.
	 */
	unsigned	folds;
	mb_fit_candidate *candidates;	/* [candidate_count], as they were judged */
	size_t		candidate_count;
	size_t		rows;			/* judged: all of them */
	uint32_t   *predicted;		/* [rows] in the order rows were left in;
								 * MB_FIT_CLASS only, else NULL */
	mb_fit_count *counts;		/* [labels]; not for MB_FIT_NUMBER */
	double		accuracy;		/* CLASS: share of rows; LABELS: share of rows
								 * with exactly their labels; NUMBER: R2 */
	double		macro_f1;		/* mean of the labels' F1, 0 where undefined */
	double		micro_f1;		/* of all labels together; CLASS: accuracy */
	double		mean_squared_error; /* NUMBER only */
	double		majority;		/* what a constant guess gets: CLASS: share of
								 * the most frequent label; LABELS: share of the
								 * most frequent set of labels; NUMBER: 0 */
	size_t		weakest;		/* label of the lowest F1, of equals the one of
								 * fewer rows, then the first */
	double		weakest_f1;

	/*
	 * Labels with fewer rows of different texts than folds: they are tested
	 * in as many folds as they have such rows, and in the fold of an only row
	 * the head has never seen the label.  scarcest is the one with fewest, and
	 * scarcest_rows how many; scarce says how many such labels there are.
	 */
	size_t		scarce;
	size_t		scarcest;
	size_t		scarcest_rows;
} mb_fit_result;

#endif							/* MB_FIT_TASK_H */
