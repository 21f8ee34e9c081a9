/*-------------------------------------------------------------------------
 *
 * logistic.c
 *	  Logistic regression by preconditioned L-BFGS.
 *
 * Source: Liu and Nocedal, "On the limited memory BFGS method for large scale
 * optimization" (1989); Nocedal and Wright, "Numerical Optimization", algorithm
 * 7.4.  What the curvature of softmax is bounded by: Boehning, "Multinomial
 * logistic regression algorithm" (1992).
 *
 * Depends on learning/logistic.h.
 *
 *-------------------------------------------------------------------------
 */
#include "learning/logistic.h"

#include <math.h>
#include <string.h>

/* Outputs of a product between two looks for a cancel */
#define POLL_COLUMNS 256

/* Steps tried along a direction */
#define TRIALS 30

/* Of the decrease that the slope promises, what a step must give */
#define SUFFICIENT 1e-4

/*
 * Steps after which the preconditioner is made anew, and the most outputs where
 * it is: of more, the mean curvature says little more at the end than at the
 * start, and what the steps have taught is worth more.
 */
#define REFRESH 10
#define REFRESHED_OUTPUTS 32

/* Of the penalty, what the preconditioner adds for the bias */
#define BIAS_SHARE 1e-3

/* Of the loss, what is rounding alone */
#define ROUNDING 1e-13

bool
mb_fit_pad(size_t count, size_t *padded)
{
	if (!mb_size_add(count, MB_LANES - 1, padded))
		return false;
	*padded -= *padded % MB_LANES;
	return true;
}

static bool
sizes(size_t features, size_t outputs, size_t *width, size_t *padded,
	  size_t *size)
{
	return mb_size_add(features, 1, width) && mb_fit_pad(*width, width) &&
		mb_fit_pad(outputs, padded) &&
		mb_size_multiply(*width, *padded, size);
}

bool
mb_logistic_memory(size_t features, size_t outputs, size_t *bytes)
{
	size_t		width;
	size_t		padded;
	size_t		size;
	size_t		blocks;
	size_t		factor;

	return sizes(features, outputs, &width, &padded, &size) &&
		mb_size_multiply(size, 4 + 2 * MB_LBFGS_PAIRS, &size) &&
		mb_size_multiply(width, 2 * MB_FIT_BLOCK, &blocks) &&
		mb_size_multiply(padded, MB_FIT_BLOCK + 4, &padded) &&
		mb_size_add(blocks, padded, &blocks) &&
		mb_size_add(size, blocks, &size) &&
		mb_size_multiply(size, sizeof(double), bytes) &&
		mb_factor_memory(width, &factor) &&
		mb_size_add(*bytes, factor, bytes);
}

mb_status
mb_logistic_begin(mb_logistic *l, mb_fit_kind kind, size_t features,
				  size_t outputs, const mb_products *products,
				  mb_arena *arena, mb_error *err)
{
	double	  **const vectors[] = {&l->gradient, &l->next, &l->next_gradient,
	&l->direction};
	double	  **const rows[] = {&l->positive, &l->negative, &l->targets,
	&l->row_weights};
	mb_status	status;
	size_t		i;

	l->products = products;
	l->kind = kind;
	l->features = features;
	l->outputs = outputs;
	l->softmax = kind == MB_FIT_CLASS && outputs > 1;
	if (!sizes(features, outputs, &l->width, &l->padded, &l->size))
		return mb_fail_memory(err);
	status = mb_factor_begin(&l->factor, l->width, products, arena, err);
	if (status != MB_OK)
		return status;
	for (i = 0; i < 4; i++)
	{
		*vectors[i] = mb_arena_alloc(arena, l->size, sizeof(double));
		*rows[i] = mb_arena_zero(arena, l->padded, sizeof(double));
		if (*vectors[i] == NULL || *rows[i] == NULL)
			return mb_fail_memory(err);
	}
	l->block = mb_arena_alloc(arena, l->width, MB_FIT_BLOCK * sizeof(double));
	l->scaled = mb_arena_alloc(arena, l->width, MB_FIT_BLOCK * sizeof(double));
	l->logits = mb_arena_alloc(arena, l->padded,
							   MB_FIT_BLOCK * sizeof(double));
	l->steps = mb_arena_alloc(arena, l->size, MB_LBFGS_PAIRS * sizeof(double));
	l->changes = mb_arena_alloc(arena, l->size,
								MB_LBFGS_PAIRS * sizeof(double));
	if (l->block == NULL || l->scaled == NULL || l->logits == NULL ||
		l->steps == NULL || l->changes == NULL)
		return mb_fail_memory(err);
	return MB_OK;
}

void
mb_fit_load(const mb_fit_part *part, size_t start, size_t rows,
			size_t features, size_t width, double *block)
{
	size_t		r;
	size_t		f;

	for (r = 0; r < rows; r++)
	{
		const float *from = part->rows[part->index[start + r]].features +
			part->offset;
		double	   *to = block + r * width;

		for (f = 0; f < features; f++)
			to[f] = from[f];
		to[f++] = 1;
		for (; f < width; f++)
			to[f] = 0;
	}
}

mb_status
mb_fit_gram(const mb_products *products, const double *block,
			const double *other, size_t rows, size_t width, double *gram,
			const mb_cancel *cancel, mb_error *err)
{
	size_t		i;

	for (i = 0; i < width; i += MB_FACTOR_BLOCK)
	{
		size_t		m = width - i < MB_FACTOR_BLOCK ?
			width - i : MB_FACTOR_BLOCK;
		mb_status	status = mb_poll_cancel(cancel, "fitting", err);

		if (status != MB_OK)
			return status;
		products->multiply(block + i, 1, width, other, width,
						   gram + i * width, width, m, i + m, rows, 1);
	}
	return MB_OK;
}

/*
 * c [m, padded] += a * b [k, padded], some columns at a time: with many labels
 * the whole would take too long between two looks for a cancel.
 */
static mb_status
multiply(const mb_logistic *l, const double *a, size_t row, size_t column,
		 const double *b, double *c, size_t m, size_t k,
		 const mb_cancel *cancel, mb_error *err)
{
	size_t		j;

	for (j = 0; j < l->padded; j += POLL_COLUMNS)
	{
		size_t		n = l->padded - j < POLL_COLUMNS ?
			l->padded - j : POLL_COLUMNS;
		mb_status	status = mb_poll_cancel(cancel, "fitting", err);

		if (status != MB_OK)
			return status;
		l->products->multiply(a, row, column, b + j, l->padded, c + j,
							  l->padded, m, n, k, 1);
	}
	return MB_OK;
}

mb_status
mb_logistic_logits(mb_logistic *l, const mb_fit_part *part, size_t start,
				   size_t rows, const double *weights,
				   const mb_cancel *cancel, mb_error *err)
{
	mb_fit_load(part, start, rows, l->features, l->width, l->block);
	memset(l->logits, 0, rows * l->padded * sizeof(double));
	return multiply(l, l->block, l->width, 1, weights, l->logits, rows,
					l->width, cancel, err);
}

/* Logits of rows of one label to the gradient in their place; their loss */
static double
softmax_loss(mb_logistic *l, const mb_fit_part *part, size_t start,
			 size_t rows)
{
	uint32_t	labels[MB_FIT_BLOCK] = {0};
	double		weights[MB_FIT_BLOCK] = {0};
	double		loss = 0;
	size_t		r;

	for (r = 0; r < rows; r++)
	{
		labels[r] = part->rows[part->index[start + r]].target.label;
		weights[r] = l->positive[labels[r]];
	}
	l->products->softmax(l->logits, rows, l->padded, labels, weights,
						 l->losses);
	for (r = 0; r < rows; r++)
		loss += l->losses[r];
	return loss;
}

/* Makes the row's labels targets, or takes them away again. */
static void
set_targets(mb_logistic *l, const mb_fit_row *row, bool set)
{
	const uint32_t zero = 0;
	const uint32_t *items = &zero;
	size_t		count = row->target.label == 1;
	size_t		i;

	if (l->kind == MB_FIT_LABELS)
	{
		items = row->target.labels.items;
		count = row->target.labels.count;
	}
	for (i = 0; i < count; i++)
	{
		l->targets[items[i]] = set ? 1 : 0;
		l->row_weights[items[i]] = set ? l->positive[items[i]] :
			l->negative[items[i]];
	}
}

static double
sigmoid_loss(mb_logistic *l, const mb_fit_part *part, size_t start,
			 size_t rows)
{
	double		loss = 0;
	size_t		r;

	memcpy(l->row_weights, l->negative, l->padded * sizeof(double));
	for (r = 0; r < rows; r++)
	{
		const mb_fit_row *row = &part->rows[part->index[start + r]];

		set_targets(l, row, true);
		l->losses[r] = l->products->sigmoid(l->logits + r * l->padded,
											l->targets, l->row_weights,
											l->padded);
		loss += l->losses[r];
		set_targets(l, row, false);
	}
	return loss;
}

double
mb_logistic_loss(mb_logistic *l, const mb_fit_part *part, size_t start,
				 size_t rows)
{
	return l->softmax ? softmax_loss(l, part, start, rows) :
		sigmoid_loss(l, part, start, rows);
}

/* The objective and its gradient [size] at weights [size]. */
static mb_status
evaluate(mb_logistic *l, const mb_fit_part *part, double l2,
		 const double *weights, double *gradient, double *value,
		 const mb_cancel *cancel, mb_error *err)
{
	size_t		penalised = l->features * l->padded;
	double		loss = 0;
	size_t		start;
	size_t		i;

	memset(gradient, 0, l->size * sizeof(double));
	for (start = 0; start < part->count; start += MB_FIT_BLOCK)
	{
		size_t		rows = part->count - start < MB_FIT_BLOCK ?
			part->count - start : MB_FIT_BLOCK;
		mb_status	status;

		status = mb_logistic_logits(l, part, start, rows, weights, cancel,
									err);
		if (status != MB_OK)
			return status;
		loss += mb_logistic_loss(l, part, start, rows);
		status = multiply(l, l->block, 1, l->width, l->logits, gradient,
						  l->width, rows, cancel, err);
		if (status != MB_OK)
			return status;
	}
	for (i = 0; i < penalised; i++)
		gradient[i] += l2 * weights[i];
	*value = loss + l2 / 2 * l->products->dot(weights, weights, penalised);
	return MB_OK;
}

/*
 * The mean over outputs of weight * p * (1 - p) in a row, from its gradient by
 * the logits, weight * (p - target).
 */
static double
curvature_of(const mb_logistic *l, const mb_fit_row *row,
			 const double *gradient)
{
	double		sum = 0;
	size_t		k;

	for (k = 0; k < l->outputs; k++)
	{
		double		weight = l->softmax ? l->positive[row->target.label] :
			l->row_weights[k];
		double		target = l->softmax ? k == row->target.label :
			l->targets[k];
		double		p = weight > 0 ? gradient[k] / weight + target : 0;

		sum += weight * p * (1 - p);
	}
	return sum > 0 ? sum / (double) l->outputs : 0;
}

/*
 * What stands for the Hessian of each output at these weights: the sum over
 * rows of the mean curvature times x times its transpose, and the penalty.  With
 * one output it is the Hessian.  The bias has a little of the penalty as well,
 * for where all rows are so sure that nothing else is left.
 */
static mb_status
precondition(mb_logistic *l, const mb_fit_part *part, double l2,
			 const double *weights, const mb_cancel *cancel, mb_error *err)
{
	double	   *matrix = l->factor.matrix;
	size_t		start;
	size_t		i;
	bool		weak;

	memset(matrix, 0, l->width * l->width * sizeof(double));
	for (start = 0; start < part->count; start += MB_FIT_BLOCK)
	{
		size_t		rows = part->count - start < MB_FIT_BLOCK ?
			part->count - start : MB_FIT_BLOCK;
		mb_status	status = mb_logistic_logits(l, part, start, rows, weights,
												cancel, err);
		size_t		r;

		if (status != MB_OK)
			return status;
		mb_logistic_loss(l, part, start, rows);
		for (r = 0; r < rows; r++)
		{
			const mb_fit_row *row = &part->rows[part->index[start + r]];
			double		curvature;

			if (!l->softmax)
				set_targets(l, row, true);
			curvature = curvature_of(l, row, l->logits + r * l->padded);
			if (!l->softmax)
				set_targets(l, row, false);
			for (i = 0; i < l->width; i++)
				l->scaled[r * l->width + i] =
					curvature * l->block[r * l->width + i];
		}
		status = mb_fit_gram(l->products, l->block, l->scaled, rows, l->width,
							 matrix, cancel, err);
		if (status != MB_OK)
			return status;
	}
	for (i = 0; i < l->features; i++)
		matrix[i * l->width + i] += l2;
	matrix[i * l->width + i] += BIAS_SHARE * l2;
	for (i++; i < l->width; i++)
		matrix[i * l->width + i] = 1;
	return mb_factor_compute(&l->factor, &weak, cancel, err);
}

/* y += factor * x */
static void
add(double *y, double factor, const double *x, size_t n)
{
	size_t		i;

	for (i = 0; i < n; i++)
		y[i] += factor * x[i];
}

static double
largest(const double *x, size_t n)
{
	double		most = 0;
	size_t		i;

	for (i = 0; i < n; i++)
		if (!(fabs(x[i]) <= most))
			most = fabs(x[i]);
	return most;
}

/* The steps that L-BFGS remembers: a ring of pairs, the oldest at "first" */
typedef struct history
{
	unsigned	first;
	unsigned	count;
	double		inverse[MB_LBFGS_PAIRS];	/* 1 / (step * change) */
} history;

static unsigned
slot_of(const history *h, unsigned i)
{
	return (h->first + i) % MB_LBFGS_PAIRS;
}

/* direction = - inverse Hessian, as far as it is known, * gradient */
static mb_status
find_direction(mb_logistic *l, const history *h, const mb_cancel *cancel,
			   mb_error *err)
{
	const mb_products *products = l->products;
	double		share[MB_LBFGS_PAIRS];
	mb_status	status;
	unsigned	i;
	size_t		j;

	for (j = 0; j < l->size; j++)
		l->direction[j] = -l->gradient[j];
	for (i = h->count; i-- > 0;)
	{
		unsigned	slot = slot_of(h, i);

		share[i] = h->inverse[slot] *
			products->dot(l->steps + slot * l->size, l->direction, l->size);
		add(l->direction, -share[i], l->changes + slot * l->size, l->size);
		status = mb_poll_cancel(cancel, "fitting", err);
		if (status != MB_OK)
			return status;
	}
	status = mb_factor_solve(&l->factor, l->direction, l->padded, l->padded,
							 cancel, err);
	if (status != MB_OK)
		return status;
	for (i = 0; i < h->count; i++)
	{
		unsigned	slot = slot_of(h, i);
		double		other = h->inverse[slot] *
			products->dot(l->changes + slot * l->size, l->direction, l->size);

		add(l->direction, share[i] - other, l->steps + slot * l->size,
			l->size);
		status = mb_poll_cancel(cancel, "fitting", err);
		if (status != MB_OK)
			return status;
	}
	return MB_OK;
}

/* Remembers the step from weights to next, if the slope has changed with it. */
static void
remember(mb_logistic *l, history *h, const double *weights)
{
	unsigned	slot = slot_of(h, h->count);
	double	   *step = l->steps + slot * l->size;
	double	   *change = l->changes + slot * l->size;
	double		product;
	size_t		i;

	for (i = 0; i < l->size; i++)
	{
		step[i] = l->next[i] - weights[i];
		change[i] = l->next_gradient[i] - l->gradient[i];
	}
	product = l->products->dot(step, change, l->size);
	if (h->count == MB_LBFGS_PAIRS)
		h->first = (h->first + 1) % MB_LBFGS_PAIRS;
	else
		h->count++;
	if (product > 0)
		h->inverse[slot] = 1 / product;
	else
		h->first = h->count = 0;
}

/*
 * Goes along the direction to where the objective is enough smaller; *found is
 * false when there is no such place.
 */
static mb_status
search_line(mb_logistic *l, const mb_fit_part *part, double l2,
			const double *weights, double slope, double *value, bool *found,
			const mb_cancel *cancel, mb_error *err)
{
	double		length = 1;
	int			trial;

	*found = false;
	for (trial = 0; trial < TRIALS && !*found; trial++)
	{
		double		next;
		double		shorter;
		mb_status	status;

		memcpy(l->next, weights, l->size * sizeof(double));
		add(l->next, length, l->direction, l->size);
		status = evaluate(l, part, l2, l->next, l->next_gradient, &next,
						  cancel, err);
		if (status != MB_OK)
			return status;

		/*
		 * So near the end that the values differ by rounding alone, the slope
		 * says whether it went well.
		 */
		if (next <= *value + SUFFICIENT * length * slope ||
			(next <= *value + ROUNDING * fabs(*value) &&
			 fabs(l->products->dot(l->next_gradient, l->direction,
								   l->size)) <= -0.9 * slope))
		{
			*value = next;
			*found = true;
			break;
		}
		/* The least of the parabola through what is known */
		shorter = -slope * length * length /
			(2 * (next - *value - slope * length));
		if (!(shorter >= 0.1 * length))
			shorter = 0.1 * length;
		else if (shorter > 0.5 * length)
			shorter = 0.5 * length;
		length = shorter;
	}
	return MB_OK;
}

static double
sum_of_weights(const mb_logistic *l, const mb_fit_part *part)
{
	double		sum = 0;
	size_t		i;

	if (l->kind == MB_FIT_LABELS)
		return (double) part->count;
	for (i = 0; i < part->count; i++)
	{
		uint32_t	label = part->rows[part->index[i]].target.label;

		sum += l->softmax ? l->positive[label] :
			label == 1 ? l->positive[0] : l->negative[0];
	}
	return sum;
}

mb_status
mb_logistic_fit(mb_logistic *l, const mb_fit_part *part, double l2,
				double tolerance, unsigned iterations, double *weights,
				bool *converged, unsigned *taken, const mb_cancel *cancel,
				mb_error *err)
{
	double		enough = tolerance * sum_of_weights(l, part);
	history		h = {0, 0, {0}};
	bool		refresh = true;
	unsigned	since = 0;
	double		value;
	mb_status	status;

	*converged = false;
	*taken = 0;
	status = evaluate(l, part, l2, weights, l->gradient, &value, cancel, err);
	while (status == MB_OK)
	{
		double		slope;
		bool		found;
		double	   *swap;

		*converged = largest(l->gradient, l->size) <= enough;
		if (*converged || *taken >= iterations)
			break;
		++*taken;
		if (refresh ||
			(since == REFRESH && l->outputs <= REFRESHED_OUTPUTS))
		{
			status = precondition(l, part, l2, weights, cancel, err);
			if (status != MB_OK)
				break;
			h.count = 0;
			since = 0;
			refresh = false;
		}
		since++;
		status = find_direction(l, &h, cancel, err);
		if (status != MB_OK)
			break;
		slope = l->products->dot(l->gradient, l->direction, l->size);
		if (!(slope < 0))
			found = false;
		else
			status = search_line(l, part, l2, weights, slope, &value, &found,
								 cancel, err);
		if (status != MB_OK)
			break;
		if (!found)
		{
			/* What is remembered misleads; without it there is no better. */
			if (h.count == 0)
				break;
			refresh = true;
			continue;
		}
		remember(l, &h, weights);
		memcpy(weights, l->next, l->size * sizeof(double));
		swap = l->gradient;
		l->gradient = l->next_gradient;
		l->next_gradient = swap;
	}
	return status;
}
