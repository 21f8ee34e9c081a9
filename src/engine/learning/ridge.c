/*-------------------------------------------------------------------------
 *
 * ridge.c
 *	  Ridge regression from sums of products.
 *
 * Depends on learning/ridge.h.
 *
 *-------------------------------------------------------------------------
 */
#include "learning/ridge.h"

#include <string.h>

bool
mb_ridge_memory(size_t features, unsigned folds, size_t *bytes)
{
	size_t		width;
	size_t		sums;
	size_t		factor;

	return mb_size_add(features, 1, &width) && mb_fit_pad(width, &width) &&
		mb_size_add(width, MB_LANES, &sums) &&
		mb_size_multiply(sums, width, &sums) &&
		mb_size_multiply(sums, (size_t) folds + 1, &sums) &&
		mb_size_multiply(width + MB_LANES, MB_FIT_BLOCK, bytes) &&
		mb_size_add(*bytes, sums, bytes) &&
		mb_size_multiply(*bytes, sizeof(double), bytes) &&
		mb_factor_memory(width, &factor) &&
		mb_size_add(*bytes, factor, bytes);
}

mb_status
mb_ridge_begin(mb_ridge *ridge, size_t features, unsigned folds,
			   const mb_products *products, mb_arena *arena, mb_error *err)
{
	size_t		bytes;
	size_t		width;
	mb_status	status;

	if (!mb_ridge_memory(features, folds, &bytes))
		return mb_fail_memory(err);
	mb_fit_pad(features + 1, &width);
	ridge->products = products;
	ridge->features = features;
	ridge->width = width;
	ridge->folds = folds;
	ridge->centre = 0;
	status = mb_factor_begin(&ridge->factor, width, products, arena, err);
	if (status != MB_OK)
		return status;
	ridge->block = mb_arena_alloc(arena, width, MB_FIT_BLOCK * sizeof(double));
	ridge->numbers = mb_arena_zero(arena, MB_LANES,
								   MB_FIT_BLOCK * sizeof(double));
	ridge->grams = mb_arena_alloc(arena, ((size_t) folds + 1) * width * width,
								  sizeof(double));
	ridge->moments = mb_arena_alloc(arena,
									((size_t) folds + 1) * width * MB_LANES,
									sizeof(double));
	if (ridge->block == NULL || ridge->numbers == NULL ||
		ridge->grams == NULL || ridge->moments == NULL)
		return mb_fail_memory(err);
	return MB_OK;
}

/* The sums of one part, from nothing */
static mb_status
gather_part(mb_ridge *ridge, const mb_fit_part *part, double *gram,
			double *moment, const mb_cancel *cancel, mb_error *err)
{
	size_t		start;
	size_t		r;

	memset(gram, 0, ridge->width * ridge->width * sizeof(double));
	memset(moment, 0, ridge->width * MB_LANES * sizeof(double));
	for (start = 0; start < part->count; start += MB_FIT_BLOCK)
	{
		size_t		rows = part->count - start < MB_FIT_BLOCK ?
			part->count - start : MB_FIT_BLOCK;
		mb_status	status;

		mb_fit_load(part, start, rows, ridge->features, ridge->width,
					ridge->block);
		for (r = 0; r < rows; r++)
			ridge->numbers[r * MB_LANES] =
				part->rows[part->index[start + r]].target.number -
				ridge->centre;
		ridge->products->multiply(ridge->block, 1, ridge->width,
								  ridge->numbers, MB_LANES, moment, MB_LANES,
								  ridge->width, MB_LANES, rows, 1);
		status = mb_fit_gram(ridge->products, ridge->block, ridge->block,
							 rows, ridge->width, gram, cancel, err);
		if (status != MB_OK)
			return status;
	}
	return MB_OK;
}

/* to = total - to, or total += to */
static void
subtract_from(const double *total, double *to, size_t n)
{
	size_t		i;

	for (i = 0; i < n; i++)
		to[i] = total[i] - to[i];
}

static void
add_to(double *total, const double *x, size_t n)
{
	size_t		i;

	for (i = 0; i < n; i++)
		total[i] += x[i];
}

mb_status
mb_ridge_gather(mb_ridge *ridge, const mb_fit_part *parts,
				const mb_cancel *cancel, mb_error *err)
{
	size_t		gram_size = ridge->width * ridge->width;
	size_t		moment_size = ridge->width * MB_LANES;
	double	   *gram = ridge->grams + ridge->folds * gram_size;
	double	   *moment = ridge->moments + ridge->folds * moment_size;
	unsigned	fold;

	if (ridge->folds == 0)
		return gather_part(ridge, parts, gram, moment, cancel, err);
	memset(gram, 0, gram_size * sizeof(double));
	memset(moment, 0, moment_size * sizeof(double));
	for (fold = 0; fold < ridge->folds; fold++)
	{
		double	   *fold_gram = ridge->grams + fold * gram_size;
		double	   *fold_moment = ridge->moments + fold * moment_size;
		mb_status	status = gather_part(ridge, &parts[fold], fold_gram,
										 fold_moment, cancel, err);

		if (status != MB_OK)
			return status;
		add_to(gram, fold_gram, gram_size);
		add_to(moment, fold_moment, moment_size);
	}
	for (fold = 0; fold < ridge->folds; fold++)
	{
		subtract_from(gram, ridge->grams + fold * gram_size, gram_size);
		subtract_from(moment, ridge->moments + fold * moment_size,
					  moment_size);
	}
	return MB_OK;
}

mb_status
mb_ridge_fit(mb_ridge *ridge, unsigned without, double l2, double *weights,
			 bool *exact, const mb_cancel *cancel, mb_error *err)
{
	size_t		width = ridge->width;
	double	   *matrix = ridge->factor.matrix;
	mb_status	status;
	bool		weak;
	size_t		i;

	memcpy(matrix, ridge->grams + without * width * width,
		   width * width * sizeof(double));
	memcpy(weights, ridge->moments + without * width * MB_LANES,
		   width * MB_LANES * sizeof(double));
	for (i = 0; i < ridge->features; i++)
		matrix[i * width + i] += l2;
	for (i = ridge->features + 1; i < width; i++)
		matrix[i * width + i] = 1;
	status = mb_factor_compute(&ridge->factor, &weak, cancel, err);
	if (status != MB_OK)
		return status;
	*exact = !weak;
	status = mb_factor_solve(&ridge->factor, weights, MB_LANES, MB_LANES,
							 cancel, err);
	if (status != MB_OK)
		return status;
	weights[ridge->features * MB_LANES] += ridge->centre;
	return MB_OK;
}

mb_status
mb_ridge_squares(mb_ridge *ridge, const mb_fit_part *part,
				 const double *weights, double *squares_of, double *squares,
				 const mb_cancel *cancel, mb_error *err)
{
	double		predicted[MB_FIT_BLOCK * MB_LANES];
	size_t		start;
	size_t		r;

	*squares = 0;
	for (start = 0; start < part->count; start += MB_FIT_BLOCK)
	{
		size_t		rows = part->count - start < MB_FIT_BLOCK ?
			part->count - start : MB_FIT_BLOCK;
		mb_status	status = mb_poll_cancel(cancel, "fitting", err);

		if (status != MB_OK)
			return status;
		mb_fit_load(part, start, rows, ridge->features, ridge->width,
					ridge->block);
		memset(predicted, 0, sizeof(predicted));
		ridge->products->multiply(ridge->block, ridge->width, 1, weights,
								  MB_LANES, predicted, MB_LANES, rows,
								  MB_LANES, ridge->width, 1);
		for (r = 0; r < rows; r++)
		{
			uint32_t	row = part->index[start + r];
			double		error = predicted[r * MB_LANES] -
				part->rows[row].target.number;

			squares_of[row] = error * error;
			*squares += error * error;
		}
	}
	return MB_OK;
}
