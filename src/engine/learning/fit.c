/*-------------------------------------------------------------------------
 *
 * fit.c
 *	  Checks, candidates, folds, and the fit of all rows.
 *
 * Depends on kernels/products.h, learning/fit.h, learning/folds.h,
 * learning/logistic.h, learning/ridge.h, learning/verdict.h.
 *
 *-------------------------------------------------------------------------
 */
#include "learning/fit.h"

#include <math.h>
#include <string.h>

#include "kernels/products.h"
#include "learning/folds.h"
#include "learning/logistic.h"
#include "learning/ridge.h"
#include "learning/verdict.h"

/* The penalties that are tried, the strongest first */
static const double grid[] = {
	1, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001, 0.00003, 0.00001
};

#define GRID (sizeof(grid) / sizeof(grid[0]))

/* What stands where nothing can be judged */
#define MIDDLE 1.0

/* To choose by, and to keep; of the rows' weights (logistic.h) */
#define CANDIDATE_TOLERANCE 1e-5
#define FINAL_TOLERANCE 1e-7
#define CANDIDATE_STEPS 100
#define FINAL_STEPS 1000

/*
 * The arena leaves the rest of a block when the next piece is larger: in all no
 * more than what is asked for, nor than a full block for each piece.
 */
#define MOST_WASTE ((size_t) 32 << 20)

/* Candidates, parts, and a first block that is not filled */
#define SMALL 32768

/* All that a fit needs beside its rows */
typedef struct fitting
{
	const mb_fit_task *task;
	const mb_fit_row *rows;
	size_t		count;
	const mb_cancel *cancel;
	mb_error   *err;
	size_t		outputs;		/* of the solver: 1 for two classes */
	size_t		size;			/* of its weights */
	mb_folds	folds;
	uint32_t   *index;			/* [count] all rows */
	uint32_t   *inside;			/* [count] by fold, one after the other */
	uint32_t   *outside;		/* [count] those of all folds but one */
	mb_fit_part *parts;			/* [folds, or 1] of inside */
	mb_logistic logistic;
	mb_ridge	ridge;
	double	   *gram;			/* [width, width], logistic: of the layer */
	double	   *warm;			/* [folds, size]: weights of the last penalty */
	double	   *weights;		/* [size] */
	mb_verdict	current;
	mb_verdict	best;
	bool		converged;		/* all fits of the current candidate */
	bool		best_converged;
	double		best_loss;		/* HUGE_VAL before the first candidate */
	double		squares;		/* of all numbers, by their mean */
	mb_fit_result *result;
} fitting;

static mb_status
check_task(const mb_fit_task *task, mb_error *err)
{
	if (task->layers < 1 || task->layers > MB_FIT_LAYERS ||
		task->features < 1 || task->labels < 1 ||
		task->labels > UINT32_MAX - 1 ||
		(task->layer != MB_FIT_CHOOSE_LAYER && task->layer >= task->layers))
		return mb_fail(err, MB_ERR_ARGUMENT,
					   "layers or features of labelled rows are out of range");
	if (task->folds < MB_FIT_MIN_FOLDS || task->folds > MB_FIT_MAX_FOLDS)
		return mb_fail(err, MB_ERR_ARGUMENT,
					   "folds must be between %d and %d", MB_FIT_MIN_FOLDS,
					   MB_FIT_MAX_FOLDS);
	if (task->l2 != MB_FIT_CHOOSE_L2 &&
		!(task->l2 > 0 && task->l2 <= 1e300))
		return mb_fail(err, MB_ERR_ARGUMENT,
					   "the penalty must be a number above 0");
	if (task->kind == MB_FIT_CLASS && task->labels < 2)
		return mb_fail(err, MB_ERR_ARGUMENT,
					   "at least two labels are needed, but all rows have the same");
	return MB_OK;
}

/* Numbers that are none, labels that are not there */
static mb_status
check_row(const mb_fit_task *task, const mb_fit_row *row, mb_error *err)
{
	size_t		width = task->layers * task->features;
	size_t		i;

	for (i = 0; i < width; i++)
		if (!isfinite(row->features[i]))
			return mb_fail(err, MB_ERR_ARGUMENT,
						   "a feature of a row is not a finite number");
	switch (task->kind)
	{
		case MB_FIT_CLASS:
			if (row->target.label >= task->labels)
				return mb_fail(err, MB_ERR_ARGUMENT,
							   "a label of a row is out of range");
			break;
		case MB_FIT_LABELS:
			for (i = 0; i < row->target.labels.count; i++)
				if (row->target.labels.items[i] >= task->labels ||
					(i > 0 && row->target.labels.items[i - 1] >=
					 row->target.labels.items[i]))
					return mb_fail(err, MB_ERR_ARGUMENT,
								   "labels of a row are out of range or order");
			break;
		case MB_FIT_NUMBER:
			if (!isfinite(row->target.number))
				return mb_fail(err, MB_ERR_ARGUMENT,
							   "a number to be predicted is not finite");
			break;
	}
	return MB_OK;
}

static mb_status
check_rows(const fitting *f)
{
	size_t		r;

	if (f->count == 0)
		return mb_fail(f->err, MB_ERR_ARGUMENT, "there are no labelled rows");
	if (f->count > UINT32_MAX - 1)
		return mb_fail(f->err, MB_ERR_LIMIT, "there are too many labelled rows");
	for (r = 0; r < f->count; r++)
	{
		mb_status	status = check_row(f->task, &f->rows[r], f->err);

		if (status == MB_OK && r % 64 == 0)
			status = mb_poll_cancel(f->cancel, "fitting", f->err);
		if (status != MB_OK)
			return status;
	}
	return MB_OK;
}

static size_t
outputs_of(const mb_fit_task *task)
{
	return task->kind == MB_FIT_CLASS && task->labels == 2 ? 1 : task->labels;
}

/* Of what is fitted, and of the folds */
static bool
solver_memory(const mb_fit_task *task, size_t rows, size_t *bytes)
{
	size_t		width;
	size_t		padded;
	size_t		weights;
	size_t		folds;

	if (!mb_size_add(task->features, 1, &width) ||
		!mb_fit_pad(width, &width) ||
		!mb_fit_pad(task->kind == MB_FIT_NUMBER ? 1 : outputs_of(task),
					&padded) ||
		!mb_size_multiply(width, padded, &weights) ||
		!mb_folds_memory(task->kind, rows, task->labels, &folds))
		return false;
	if (task->kind == MB_FIT_NUMBER)
		return mb_ridge_memory(task->features, task->folds, bytes) &&
			mb_size_multiply(weights, sizeof(double), &weights) &&
			mb_size_add(*bytes, weights, bytes) &&
			mb_size_add(*bytes, folds, bytes);
	return mb_size_multiply(weights, task->folds + 1, &weights) &&
		mb_size_multiply(width, width, &width) &&
		mb_size_add(weights, width, &weights) &&
		mb_size_multiply(weights, sizeof(double), &weights) &&
		mb_logistic_memory(task->features, outputs_of(task), bytes) &&
		mb_size_add(*bytes, weights, bytes) &&
		mb_size_add(*bytes, folds, bytes);
}

mb_status
mb_fit_memory(const mb_fit_task *task, size_t rows, size_t *bytes,
			  mb_error *err)
{
	size_t		each = sizeof(mb_fit_row) + 3 * sizeof(uint32_t);
	size_t		result;
	size_t		verdict;
	mb_status	status = check_task(task, err);

	if (status != MB_OK)
		return status;
	if (task->kind == MB_FIT_LABELS)
		each += 4 * sizeof(size_t);
	if (!solver_memory(task, rows, bytes) ||
		!mb_verdict_memory(task, rows, &verdict) ||
		!mb_size_multiply(verdict, 2, &verdict) ||
		!mb_size_add(*bytes, verdict, bytes) ||
		!mb_size_multiply(rows, each, &each) ||
		!mb_size_add(*bytes, each, bytes) ||
		!mb_size_add(task->features, 1, &result) ||
		!mb_size_multiply(result, task->labels, &result) ||
		!mb_size_multiply(result, sizeof(double), &result) ||
		!mb_size_add(*bytes, result, bytes) ||
		!mb_size_add(*bytes, *bytes < MOST_WASTE ? *bytes : MOST_WASTE,
					 bytes) ||
		!mb_size_add(*bytes, SMALL, bytes))
		return mb_fail(err, MB_ERR_LIMIT,
					   "labelled rows are too many or too wide to be fitted");
	return MB_OK;
}

/* The rows by fold, and where each fold's begin */
static mb_status
part_rows(fitting *f, mb_arena *arena)
{
	unsigned	parts = f->folds.count > 0 ? f->folds.count : 1;
	size_t		filled = 0;
	unsigned	fold;
	size_t		r;

	f->index = mb_arena_alloc(arena, f->count, sizeof(uint32_t));
	f->inside = mb_arena_alloc(arena, f->count, sizeof(uint32_t));
	f->outside = mb_arena_alloc(arena, f->count, sizeof(uint32_t));
	f->parts = mb_arena_alloc(arena, parts, sizeof(mb_fit_part));
	if (f->index == NULL || f->inside == NULL || f->outside == NULL ||
		f->parts == NULL)
		return mb_fail_memory(f->err);
	for (r = 0; r < f->count; r++)
		f->index[r] = (uint32_t) r;
	for (fold = 0; fold < parts; fold++)
	{
		mb_fit_part *part = &f->parts[fold];

		part->rows = f->rows;
		part->index = f->inside + filled;
		part->offset = 0;
		for (r = 0; r < f->count; r++)
			if (f->folds.of_row[r] == fold)
				f->inside[filled++] = (uint32_t) r;
		part->count = (size_t) (f->inside + filled - part->index);
	}
	return MB_OK;
}

static mb_status
begin(fitting *f, mb_arena *arena)
{
	const mb_fit_task *task = f->task;
	const mb_products *products = mb_products_choose();
	mb_status	status;

	f->outputs = outputs_of(task);
	status = mb_folds_deal(f->rows, f->count, task->kind, task->labels,
						   task->folds, &f->folds, arena, f->cancel, f->err);
	if (status == MB_OK)
		status = part_rows(f, arena);
	if (status == MB_OK)
		status = mb_verdict_begin(&f->current, task, f->count, arena, f->err);
	if (status == MB_OK)
		status = mb_verdict_begin(&f->best, task, f->count, arena, f->err);
	if (status != MB_OK)
		return status;
	if (task->kind == MB_FIT_NUMBER)
	{
		status = mb_ridge_begin(&f->ridge, task->features, f->folds.count,
								products, arena, f->err);
		if (status != MB_OK)
			return status;
		f->size = f->ridge.width * MB_LANES;
	}
	else
	{
		status = mb_logistic_begin(&f->logistic, task->kind, task->features,
								   f->outputs, products, arena, f->err);
		if (status != MB_OK)
			return status;
		f->size = f->logistic.size;
		f->gram = mb_arena_alloc(arena, f->logistic.width,
								 f->logistic.width * sizeof(double));
		f->warm = mb_arena_alloc(arena, f->folds.count > 0 ?
								 f->folds.count : 1,
								 f->size * sizeof(double));
		if (f->gram == NULL || f->warm == NULL)
			return mb_fail_memory(f->err);
	}
	f->weights = mb_arena_zero(arena, f->size, sizeof(double));
	return f->weights == NULL ? mb_fail_memory(f->err) : MB_OK;
}

/* The rows outside of a fold, or all for fold = folds, of a layer. */
static mb_fit_part
rows_without(fitting *f, unsigned fold, size_t layer)
{
	mb_fit_part part = {f->rows, f->index, f->count,
	layer * f->task->features};
	size_t		filled = 0;
	size_t		r;

	if (fold == f->folds.count)
		return part;
	for (r = 0; r < f->count; r++)
		if (f->folds.of_row[r] != fold)
			f->outside[filled++] = (uint32_t) r;
	part.index = f->outside;
	part.count = filled;
	return part;
}

/* Rows of the part with each output's label, to logistic->positive. */
static void
count_part(mb_logistic *l, const mb_fit_part *part)
{
	size_t		r;
	size_t		i;

	memset(l->positive, 0, l->padded * sizeof(double));
	for (r = 0; r < part->count; r++)
	{
		const mb_fit_row *row = &part->rows[part->index[r]];

		if (l->softmax)
			l->positive[row->target.label]++;
		else if (l->kind == MB_FIT_CLASS)
			l->positive[0] += row->target.label;
		else
			for (i = 0; i < row->target.labels.count; i++)
				l->positive[row->target.labels.items[i]]++;
	}
}

/*
 * Weights of the labels in a part, and the mean over outputs of weight *
 * probability * (1 - probability), where the probability is the label's share.
 * A label without rows there cannot be fitted: it is never predicted, and in
 * the sum of losses its rows are left out.  Nor can an output that all rows or
 * none have: it keeps its share, with half a row added to both sides.  first:
 * [size] or NULL, becomes the weights to start from.
 */
static double
weigh_part(mb_logistic *l, const mb_fit_part *part, bool balanced,
		   double *first)
{
	double		n = (double) part->count;
	double	   *bias = first == NULL ? NULL :
		first + l->features * l->padded;
	double		curvature = 0;
	size_t		present = 0;
	size_t		i;

	if (first != NULL)
		memset(first, 0, l->size * sizeof(double));
	count_part(l, part);
	for (i = 0; i < l->outputs; i++)
		present += l->positive[i] > 0;
	for (i = 0; i < l->padded; i++)
	{
		double		with = l->positive[i];
		double		without = n - with;

		if (l->softmax)
		{
			l->positive[i] = with == 0 ? 0 :
				balanced ? n / ((double) present * with) : 1;
			if (with == 0 && bias != NULL)
				bias[i] = MB_NEVER;
			curvature += l->positive[i] * with / n * without / n;
		}
		else if (i >= l->outputs || with == 0 || without == 0)
		{
			l->positive[i] = l->negative[i] = 0;
			if (i < l->outputs && bias != NULL)
				bias[i] = log((with + 0.5) / (without + 0.5));
		}
		else
		{
			l->positive[i] = balanced ? n / (2 * with) : 1;
			l->negative[i] = balanced ? n / (2 * without) : 1;
			curvature += (l->positive[i] * without + l->negative[i] * with) /
				n * with / n * without / n;
		}
	}
	return curvature / (double) l->outputs;
}

/* Preconditions for the rows of a part and a penalty. */
static mb_status
precondition(fitting *f, double curvature, size_t part_rows, double l2)
{
	mb_logistic *l = &f->logistic;
	double	   *matrix = l->factor.matrix;
	double		scale = curvature * (double) part_rows / (double) f->count;
	bool		weak;
	size_t		i;

	for (i = 0; i < l->width * l->width; i++)
		matrix[i] = f->gram[i] * scale;
	for (i = 0; i < l->features; i++)
		matrix[i * l->width + i] += l2;
	for (i = l->features + (curvature > 0); i < l->width; i++)
		matrix[i * l->width + i] = 1;
	return mb_factor_compute(&l->factor, &weak, f->cancel, f->err);
}

/* What all penalties of a layer have in common */
static mb_status
begin_layer(fitting *f, size_t layer)
{
	unsigned	parts = f->folds.count > 0 ? f->folds.count : 1;
	mb_fit_part all = rows_without(f, f->folds.count, layer);
	unsigned	fold;

	for (fold = 0; fold < parts; fold++)
		f->parts[fold].offset = all.offset;
	if (f->task->kind == MB_FIT_NUMBER)
		return mb_ridge_gather(&f->ridge, f->parts, f->cancel, f->err);
	for (fold = 0; fold < f->folds.count; fold++)
	{
		mb_fit_part part = rows_without(f, fold, layer);

		weigh_part(&f->logistic, &part, false, f->warm + fold * f->size);
	}
	memset(f->gram, 0, f->logistic.width * f->logistic.width * sizeof(double));
	return mb_fit_gram(&all, f->task->features, f->logistic.width,
					   f->logistic.products, f->logistic.block, f->gram,
					   f->cancel, f->err);
}

/* Adds what the head without a fold makes of that fold to current. */
static mb_status
judge_fold(fitting *f, unsigned fold, size_t layer, double l2)
{
	double	   *weights = f->warm + fold * f->size;
	mb_fit_part part;
	double		curvature;
	unsigned	taken;
	bool		converged;
	mb_status	status;

	if (f->task->kind == MB_FIT_NUMBER)
	{
		double		squares;

		status = mb_ridge_fit(&f->ridge, fold, l2, f->weights, &converged,
							  f->cancel, f->err);
		if (status == MB_OK)
			status = mb_ridge_squares(&f->ridge, &f->parts[fold], f->weights,
									  &squares, f->cancel, f->err);
		if (status == MB_OK)
			f->current.loss += squares;
	}
	else
	{
		part = rows_without(f, fold, layer);
		curvature = weigh_part(&f->logistic, &part, f->task->balanced, NULL);
		status = precondition(f, curvature, part.count, l2);
		if (status == MB_OK)
			status = mb_logistic_fit(&f->logistic, &part, l2,
									 CANDIDATE_TOLERANCE, CANDIDATE_STEPS,
									 weights, &converged, &taken, f->cancel,
									 f->err);
		if (status == MB_OK)
			status = mb_verdict_add(&f->current, &f->logistic,
									&f->parts[fold], weights, f->cancel,
									f->err);
	}
	f->converged = f->converged && converged;
	return status;
}

/* Judges a layer and a penalty, and keeps them if they are the best so far. */
static mb_status
judge(fitting *f, size_t layer, double l2)
{
	mb_fit_candidate *candidate;
	unsigned	fold;

	mb_verdict_clear(&f->current, f->task);
	f->converged = true;
	for (fold = 0; fold < f->folds.count; fold++)
	{
		mb_status	status = judge_fold(f, fold, layer, l2);

		if (status != MB_OK)
			return status;
	}
	candidate = &f->result->candidates[f->result->candidate_count++];
	candidate->layer = layer;
	candidate->l2 = l2;
	candidate->loss = f->current.loss / (double) f->count;
	candidate->accuracy = f->task->kind != MB_FIT_NUMBER ?
		(double) f->current.exact / (double) f->count :
		f->squares > 0 ? 1 - f->current.loss / f->squares : 0;
	if (f->current.loss < f->best_loss)
	{
		mb_verdict	swap = f->best;

		f->best = f->current;
		f->current = swap;
		f->best_loss = f->best.loss;
		f->best_converged = f->converged;
		f->result->layer = layer;
		f->result->l2 = l2;
		f->result->accuracy = candidate->accuracy;
	}
	return MB_OK;
}

/* All layers, the last one first, with all penalties, the strongest first. */
static mb_status
choose(fitting *f)
{
	const mb_fit_task *task = f->task;
	bool		any_layer = task->layer == MB_FIT_CHOOSE_LAYER;
	size_t		layers = any_layer ? task->layers : 1;
	size_t		penalties = task->l2 == MB_FIT_CHOOSE_L2 ? GRID : 1;
	size_t		i;
	size_t		j;

	for (i = 0; i < layers; i++)
	{
		size_t		layer = any_layer ? task->layers - 1 - i : task->layer;
		mb_status	status = begin_layer(f, layer);

		for (j = 0; j < penalties && status == MB_OK; j++)
			status = judge(f, layer, penalties == 1 ? task->l2 : grid[j]);
		if (status != MB_OK)
			return status;
	}
	return MB_OK;
}

/* The mean of the numbers, and their squares by it */
static mb_status
centre_numbers(fitting *f)
{
	double		sum = 0;
	size_t		r;

	for (r = 0; r < f->count; r++)
		sum += f->rows[r].target.number / (double) f->count;
	f->ridge.centre = sum;
	f->squares = 0;
	for (r = 0; r < f->count; r++)
	{
		double		difference = f->rows[r].target.number - sum;

		f->squares += difference * difference;
	}
	if (!isfinite(f->squares))
		return mb_fail(f->err, MB_ERR_ARGUMENT,
					   "numbers to be predicted are too large");
	return MB_OK;
}

/* All rows with the layer and the penalty that the result names */
static mb_status
fit_all(fitting *f)
{
	mb_fit_result *result = f->result;
	mb_fit_part part;
	double		curvature;
	mb_status	status = begin_layer(f, result->layer);

	if (status != MB_OK)
		return status;
	if (f->task->kind == MB_FIT_NUMBER)
		return mb_ridge_fit(&f->ridge, f->folds.count, result->l2, f->weights,
							&result->converged, f->cancel, f->err);
	part = rows_without(f, f->folds.count, result->layer);
	curvature = weigh_part(&f->logistic, &part, f->task->balanced,
						   f->weights);
	status = precondition(f, curvature, f->count, result->l2);
	if (status != MB_OK)
		return status;
	return mb_logistic_fit(&f->logistic, &part, result->l2, FINAL_TOLERANCE,
						   FINAL_STEPS, f->weights, &result->converged,
						   &result->iterations, f->cancel, f->err);
}

/* The solver's weights as the result has them */
static mb_status
give_weights(const fitting *f, mb_arena *arena)
{
	const mb_fit_task *task = f->task;
	mb_fit_result *result = f->result;
	size_t		padded = task->kind == MB_FIT_NUMBER ? MB_LANES :
		f->logistic.padded;
	size_t		i;
	size_t		k;

	result->weights = mb_arena_alloc(arena, task->labels,
									 task->features * sizeof(double));
	result->bias = mb_arena_alloc(arena, task->labels, sizeof(double));
	if (result->weights == NULL || result->bias == NULL)
		return mb_fail_memory(f->err);
	for (k = 0; k < task->labels; k++)
	{
		size_t		output = f->outputs == 1 ? 0 : k;
		double		scale = f->outputs == task->labels ? 1 :
			k == 0 ? -0.5 : 0.5;

		for (i = 0; i < task->features; i++)
			result->weights[k * task->features + i] =
				scale * f->weights[i * padded + output];
		result->bias[k] = scale * f->weights[task->features * padded + output];
	}
	return MB_OK;
}

static void
give_scarce(const fitting *f)
{
	mb_fit_result *result = f->result;
	size_t		i;

	for (i = 0; i < f->task->labels && f->folds.texts != NULL; i++)
	{
		if (f->folds.texts[i] < f->task->folds)
			result->scarce++;
		if (i == 0 || f->folds.texts[i] < result->scarcest_rows)
		{
			result->scarcest = i;
			result->scarcest_rows = f->folds.texts[i];
		}
	}
}

static mb_status
give_figures(const fitting *f, mb_arena *arena)
{
	mb_fit_result *result = f->result;
	size_t	   *spare = NULL;

	if (f->folds.count == 0)
		return MB_OK;
	result->folds = f->folds.count;
	result->rows = f->count;
	if (f->task->kind == MB_FIT_NUMBER)
	{
		result->mean_squared_error = f->best_loss / (double) f->count;
		return MB_OK;
	}
	result->predicted = f->best.predicted;
	result->counts = f->best.counts;
	if (f->task->kind == MB_FIT_LABELS)
	{
		spare = mb_arena_alloc(arena, f->count, 4 * sizeof(size_t));
		if (spare == NULL)
			return mb_fail_memory(f->err);
	}
	return mb_verdict_figures(&f->best, f->task, f->rows, f->count, spare,
							  result, f->cancel, f->err);
}

/* A label that no row has would have nothing to be fitted on. */
static mb_status
check_labels(const fitting *f)
{
	size_t		i;

	for (i = 0; i < f->task->labels && f->folds.label_rows != NULL; i++)
		if (f->folds.label_rows[i] == 0)
			return mb_fail(f->err, MB_ERR_ARGUMENT,
						   "there is a label that no row has");
	return MB_OK;
}

mb_status
mb_fit(const mb_fit_task *task, mb_fit_row *rows, size_t count,
	   mb_arena *arena, const mb_cancel *cancel, mb_fit_result *result,
	   mb_error *err)
{
	fitting		f;
	mb_fit_row *spare;
	mb_status	status;

	memset(result, 0, sizeof(*result));
	memset(&f, 0, sizeof(f));
	f.task = task;
	f.rows = rows;
	f.count = count;
	f.cancel = cancel;
	f.err = err;
	f.result = result;
	f.best_loss = HUGE_VAL;
	f.best_converged = true;
	status = check_task(task, err);
	if (status == MB_OK)
		status = check_rows(&f);
	if (status != MB_OK)
		return status;

	spare = mb_arena_alloc(arena, count, sizeof(mb_fit_row));
	result->candidates = mb_arena_alloc(arena, MB_FIT_LAYERS * GRID,
										sizeof(mb_fit_candidate));
	if (spare == NULL || result->candidates == NULL)
		return mb_fail_memory(err);
	status = mb_fit_sort(rows, spare, count, task->layers * task->features,
						 task->kind, cancel, err);
	if (status == MB_OK)
		status = begin(&f, arena);
	if (status == MB_OK)
		status = check_labels(&f);
	if (status == MB_OK && task->kind == MB_FIT_NUMBER)
		status = centre_numbers(&f);
	if (status != MB_OK)
		return status;

	result->layer = task->layer == MB_FIT_CHOOSE_LAYER ? task->layers - 1 :
		task->layer;
	result->l2 = task->l2 == MB_FIT_CHOOSE_L2 ? MIDDLE : task->l2;
	give_scarce(&f);
	if (f.folds.count > 0)
		status = choose(&f);
	if (status == MB_OK)
		status = fit_all(&f);
	if (status == MB_OK)
		status = give_weights(&f, arena);
	if (status == MB_OK)
		status = give_figures(&f, arena);
	result->converged = result->converged && f.best_converged;
	return status;
}
