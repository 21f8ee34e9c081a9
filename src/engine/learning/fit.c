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
	3, 1, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001, 0.00003, 0.00001
};

#define GRID (sizeof(grid) / sizeof(grid[0]))

/* Where of the grid to begin, and what stands where nothing can be judged */
#define MIDDLE 5

/* Standard errors by which an earlier layer has to be better */
#define SURE 1.0

/*
 * Rows times weights of a candidate that are tried, and rows that are tried
 * however many weights there are
 */
#define PILOT_WORK 0x1p25
#define PILOT_ROWS 1000
#define MOST_STEP 1000

/* Where half of that work is at hand, candidates are tried on so many folds. */
#define PILOT_FOLDS 2

#define VERDICTS 3

/* To choose by, and to keep; of the rows' weights (logistic.h) */
#define CANDIDATE_TOLERANCE 1e-5
#define FINAL_TOLERANCE 1e-8
#define CANDIDATE_STEPS 100

/* The same for the choice and for the last fit where rows are many (pilot) */
#define MANY_CHOICE_TOLERANCE 3e-5
#define MANY_FINAL_TOLERANCE 1e-6
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
	mb_folds	pilot;			/* step times as many */
	uint32_t   *index;			/* [count] all rows */
	uint32_t   *inside;			/* [count] by fold, one after the other */
	uint32_t   *outside;		/* [count] those of all folds but one */
	unsigned	step;			/* candidates are judged on one row of so many */
	bool		many;			/* rows, so that step was not 1 */
	double		tolerance;		/* of the fits that judge */
	mb_fit_part *parts;			/* [folds, or 1] of inside */
	mb_logistic logistic;
	mb_ridge	ridge;
	double	   *warm;			/* [folds, size]: weights of the last penalty */
	double	   *weights;		/* [size] */
	mb_verdict	current;
	mb_verdict	layer_best;
	mb_verdict	best;
	unsigned	tried;			/* folds that candidates are judged by */
	size_t		judged;			/* rows in those */
	bool		converged;		/* all fits of the current candidate */
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
					   "the penalty must be a number above 0, 1e300 at most");
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
		!mb_folds_memory(task->kind, rows, task->labels, &folds) ||
		!mb_size_multiply(folds, 2, &folds))
		return false;
	if (task->kind == MB_FIT_NUMBER)
		return mb_ridge_memory(task->features, task->folds, bytes) &&
			mb_size_multiply(weights, sizeof(double), &weights) &&
			mb_size_add(*bytes, weights, bytes) &&
			mb_size_add(*bytes, folds, bytes);
	return mb_size_multiply(weights, task->folds + 1, &weights) &&
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
		!mb_size_multiply(verdict, VERDICTS, &verdict) ||
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

/* The fold of a row, or MB_FIT_MAX_FOLDS for one that takes no part */
static unsigned
fold_of(const fitting *f, size_t row)
{
	if (f->step == 1)
		return f->folds.of_row[row];
	return f->pilot.of_row[row] % f->step != 0 ? MB_FIT_MAX_FOLDS :
		f->pilot.of_row[row] / f->step;
}

/* The rows by fold, and where each fold's begin */
static void
part_rows(fitting *f)
{
	unsigned	parts = f->folds.count > 0 ? f->folds.count : 1;
	size_t		filled = 0;
	unsigned	fold;
	size_t		r;

	f->judged = 0;
	for (fold = 0; fold < parts; fold++)
	{
		mb_fit_part *part = &f->parts[fold];

		part->rows = f->rows;
		part->index = f->inside + filled;
		part->offset = 0;
		for (r = 0; r < f->count; r++)
			if (fold_of(f, r) == fold)
				f->inside[filled++] = (uint32_t) r;
		part->count = (size_t) (f->inside + filled - part->index);
		if (fold < f->tried)
			f->judged += part->count;
	}
}

/*
 * Of so many rows that to try all candidates on them would take long, only each
 * so many-th text of a label is tried, dealt to folds as the whole is.
 */
static mb_status
begin_pilot(fitting *f, mb_arena *arena)
{
	const mb_fit_task *task = f->task;
	double		work = (double) f->count * (double) f->size;

	f->step = 1;
	f->tried = f->folds.count;
	if (task->kind == MB_FIT_NUMBER || f->folds.count == 0 ||
		(task->layer != MB_FIT_CHOOSE_LAYER && task->l2 != MB_FIT_CHOOSE_L2))
		return MB_OK;
	if (work > PILOT_WORK / 2)
		f->tried = PILOT_FOLDS;
	if (work > PILOT_WORK)
		f->step = work / PILOT_WORK < MOST_STEP ?
			(unsigned) (work / PILOT_WORK) + 1 : MOST_STEP;
	if (f->step > f->count / PILOT_ROWS)
		f->step = f->count >= PILOT_ROWS ?
			(unsigned) (f->count / PILOT_ROWS) : 1;
	if (f->step == 1)
		return MB_OK;
	return mb_folds_deal(f->rows, f->count, task->kind, task->labels,
						 f->step * f->folds.count, &f->pilot, arena,
						 f->cancel, f->err);
}

static mb_status
begin(fitting *f, mb_arena *arena)
{
	const mb_fit_task *task = f->task;
	const mb_products *products = mb_products_choose();
	mb_verdict *const verdicts[] = {&f->current, &f->layer_best, &f->best};
	mb_status	status;
	size_t		r;
	int			i;

	f->outputs = outputs_of(task);
	status = mb_folds_deal(f->rows, f->count, task->kind, task->labels,
						   task->folds, &f->folds, arena, f->cancel, f->err);
	for (i = 0; i < VERDICTS && status == MB_OK; i++)
		status = mb_verdict_begin(verdicts[i], task, f->count, arena, f->err);
	if (status != MB_OK)
		return status;
	f->index = mb_arena_alloc(arena, f->count, sizeof(uint32_t));
	f->inside = mb_arena_alloc(arena, f->count, sizeof(uint32_t));
	f->outside = mb_arena_alloc(arena, f->count, sizeof(uint32_t));
	f->parts = mb_arena_alloc(arena, MB_FIT_MAX_FOLDS, sizeof(mb_fit_part));
	if (f->index == NULL || f->inside == NULL || f->outside == NULL ||
		f->parts == NULL)
		return mb_fail_memory(f->err);
	for (r = 0; r < f->count; r++)
		f->index[r] = (uint32_t) r;
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
		f->warm = mb_arena_alloc(arena, f->folds.count > 0 ?
								 f->folds.count : 1,
								 f->size * sizeof(double));
		if (f->warm == NULL)
			return mb_fail_memory(f->err);
	}
	f->weights = mb_arena_zero(arena, f->size, sizeof(double));
	if (f->weights == NULL)
		return mb_fail_memory(f->err);
	status = begin_pilot(f, arena);
	if (status == MB_OK)
		part_rows(f);
	return status;
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
	{
		unsigned	own = fold_of(f, r);

		if (own != fold && own < f->folds.count)
			f->outside[filled++] = (uint32_t) r;
	}
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
 * Weights of the labels in a part.  A label without rows there cannot be
 * fitted: it is never predicted, and in the sum of losses its rows are left
 * out.  Nor can an output that all rows or none have: it keeps its share, with
 * half a row added to both sides.  first: [size] or NULL, becomes the weights
 * to start from.
 */
static void
weigh_part(mb_logistic *l, const mb_fit_part *part, bool balanced,
		   double *first)
{
	double		n = (double) part->count;
	double	   *bias = first == NULL ? NULL :
		first + l->features * l->padded;
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
		}
	}
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
	return MB_OK;
}

/* Adds what the head without a fold makes of that fold to current. */
static mb_status
judge_fold(fitting *f, unsigned fold, size_t layer, double l2)
{
	double	   *weights = f->warm + fold * f->size;
	mb_fit_part part;
	unsigned	taken;
	bool		converged;
	mb_status	status;

	if (f->task->kind == MB_FIT_NUMBER)
	{
		double		squares = 0;

		status = mb_ridge_fit(&f->ridge, fold, l2, f->weights, &converged,
							  f->cancel, f->err);
		if (status == MB_OK)
			status = mb_ridge_squares(&f->ridge, &f->parts[fold], f->weights,
									  f->current.losses, &squares, f->cancel, f->err);
		if (status == MB_OK)
			f->current.loss += squares;
	}
	else
	{
		part = rows_without(f, fold, layer);
		weigh_part(&f->logistic, &part, f->task->balanced, NULL);
		status = mb_logistic_fit(&f->logistic, &part, l2, f->tolerance,
								 CANDIDATE_STEPS, weights, &converged, &taken,
								 f->cancel, f->err);
		if (status == MB_OK)
			status = mb_verdict_add(&f->current, &f->logistic,
									&f->parts[fold], weights, f->cancel,
									f->err);
	}
	f->converged = f->converged && converged;
	return status;
}

/* Judges a layer and a penalty: current. */
static mb_status
judge(fitting *f, size_t layer, double l2)
{
	mb_fit_candidate *candidate;
	unsigned	fold;

	mb_verdict_clear(&f->current, f->task);
	f->converged = true;
	for (fold = 0; fold < f->tried; fold++)
	{
		mb_status	status = judge_fold(f, fold, layer, l2);

		if (status != MB_OK)
			return status;
	}
	candidate = &f->result->candidates[f->result->candidate_count++];
	candidate->layer = layer;
	candidate->l2 = l2;
	candidate->loss = f->current.loss / (double) f->judged;
	candidate->accuracy = f->task->kind != MB_FIT_NUMBER ?
		(double) f->current.exact / (double) f->judged :
		f->squares > 0 ? 1 - f->current.loss / f->squares : 0;
	return MB_OK;
}

static void
swap(mb_verdict *a, mb_verdict *b)
{
	mb_verdict	c = *a;

	*a = *b;
	*b = c;
}

/*
 * The penalty of a layer: from *best of the grid on to weaker ones, and where
 * there is no less loss that way to stronger ones, as long as there is less.
 * layer_best and *best are what was found.  Where there is a best already, and
 * this layer has not less loss with the penalty it begins with, that is all.
 */
static mb_status
choose_penalty(fitting *f, size_t layer, bool first, size_t *best)
{
	size_t		start = *best;
	mb_status	status = begin_layer(f, layer);
	int			way;

	if (status != MB_OK)
		return status;
	if (f->task->l2 != MB_FIT_CHOOSE_L2)
	{
		status = judge(f, layer, f->task->l2);
		swap(&f->current, &f->layer_best);
		return status;
	}
	status = judge(f, layer, grid[start]);
	swap(&f->current, &f->layer_best);
	if (!first && !(f->layer_best.loss < f->best.loss))
		return status;
	for (way = 1; way >= -1 && *best == start; way -= 2)
		while (status == MB_OK && (way > 0 ? *best + 1 < GRID : *best > 0))
		{
			status = judge(f, layer, grid[*best + way]);
			if (!(f->current.loss < f->layer_best.loss))
				break;
			swap(&f->current, &f->layer_best);
			*best += way;
		}
	return status;
}

/*
 * The layer: from the last to earlier ones, which are taken when they have less
 * loss by more than chance.
 */
static mb_status
choose(fitting *f)
{
	const mb_fit_task *task = f->task;
	bool		any_layer = task->layer == MB_FIT_CHOOSE_LAYER;
	size_t		layers = any_layer ? task->layers : 1;
	size_t		best = MIDDLE;
	size_t		i;

	for (i = 0; i < layers; i++)
	{
		size_t		layer = any_layer ? task->layers - 1 - i : task->layer;
		size_t		penalty = best;
		mb_status	status = choose_penalty(f, layer, i == 0, &penalty);

		if (status != MB_OK)
			return status;
		if (i == 0 ||
			mb_verdict_difference(&f->layer_best, &f->best, f->parts,
								  f->tried) > SURE)
		{
			swap(&f->layer_best, &f->best);
			best = penalty;
			f->result->layer = layer;
			f->result->l2 = task->l2 == MB_FIT_CHOOSE_L2 ? grid[best] :
				task->l2;
		}
	}
	return MB_OK;
}

/* Cross-validation of what was chosen: best, and the result's accuracy. */
static mb_status
judge_choice(fitting *f)
{
	mb_fit_result *result = f->result;
	mb_status	status;

	f->many = f->step > 1;
	if (f->many)
		f->tolerance = MANY_CHOICE_TOLERANCE;
	f->step = 1;
	f->tried = f->folds.count;
	part_rows(f);
	status = begin_layer(f, result->layer);
	if (status == MB_OK)
		status = judge(f, result->layer, result->l2);
	if (status != MB_OK)
		return status;
	swap(&f->current, &f->best);
	result->accuracy = result->candidates[result->candidate_count - 1].accuracy;
	result->converged = f->converged;
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

/*
 * Weights to start from: the mean of what the folds ended with, but for biases
 * of labels that a fold has not seen.
 */
static void
start_near(fitting *f)
{
	unsigned	fold;
	size_t		i;

	for (i = 0; i < f->size; i++)
	{
		double		sum = 0;

		for (fold = 0; fold < f->folds.count; fold++)
			sum += f->warm[fold * f->size + i];
		if (f->folds.count > 0 && f->weights[i] == 0 && sum > MB_NEVER / 1e3)
			f->weights[i] = sum / f->folds.count;
	}
}

/* All rows with the layer and the penalty that the result names */
static mb_status
fit_all(fitting *f)
{
	mb_fit_result *result = f->result;
	mb_fit_part part;
	bool		converged = true;
	mb_status	status;

	if (f->task->kind == MB_FIT_NUMBER)
	{
		status = f->folds.count > 0 ? MB_OK : begin_layer(f, result->layer);
		if (status == MB_OK)
			status = mb_ridge_fit(&f->ridge, f->folds.count, result->l2,
								  f->weights, &converged, f->cancel, f->err);
		result->converged = result->converged && converged;
		return status;
	}
	part = rows_without(f, f->folds.count, result->layer);
	weigh_part(&f->logistic, &part, f->task->balanced, f->weights);
	start_near(f);
	status = mb_logistic_fit(&f->logistic, &part, result->l2,
							 f->many ? MANY_FINAL_TOLERANCE : FINAL_TOLERANCE,
							 FINAL_STEPS, f->weights, &converged,
							 &result->iterations, f->cancel, f->err);
	result->converged = result->converged && converged;
	return status;
}

/* A classifier's weights are floats, and some doubles are beyond these. */
static mb_status
check_weights(const mb_fit_task *task, const mb_fit_result *result,
			  mb_error *err)
{
	size_t		count = task->labels * task->features;
	bool		finite = true;
	size_t		i;

	for (i = 0; i < count && finite; i++)
		finite = isfinite((float) result->weights[i]);
	for (i = 0; i < task->labels && finite; i++)
		finite = isfinite((float) result->bias[i]);
	if (finite && isfinite(result->accuracy))
		return MB_OK;
	if (task->kind == MB_FIT_NUMBER)
		return mb_fail(err, MB_ERR_ARGUMENT, "numbers to be predicted are too "
					   "large, or the penalty is too small");
	return mb_fail(err, MB_ERR_ARGUMENT, "the penalty is too small");
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
	return check_weights(task, result, f->err);
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
		result->mean_squared_error = f->best.loss / (double) f->count;
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
	f.step = 1;
	f.tolerance = CANDIDATE_TOLERANCE;
	status = check_task(task, err);
	if (status == MB_OK)
		status = check_rows(&f);
	if (status != MB_OK)
		return status;

	spare = mb_arena_alloc(arena, count, sizeof(mb_fit_row));
	result->candidates = mb_arena_alloc(arena, MB_FIT_LAYERS * GRID + 1,
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
	result->l2 = task->l2 == MB_FIT_CHOOSE_L2 ? grid[MIDDLE] :
		task->l2;
	give_scarce(&f);
	result->converged = true;
	if (f.folds.count > 0)
		status = choose(&f);
	if (status == MB_OK && f.folds.count > 0)
		status = judge_choice(&f);
	if (status == MB_OK)
		status = fit_all(&f);
	if (status == MB_OK)
		status = give_weights(&f, arena);
	if (status == MB_OK)
		status = give_figures(&f, arena);
	return status;
}
