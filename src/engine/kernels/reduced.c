/*-------------------------------------------------------------------------
 *
 * reduced.c
 *	  Linear layers with fewer bits: products in plain C.
 *
 * The plain C functions are the oracle of the others: for INT8 they find the
 * same integers.
 *
 * Depends on base/arena.h (sizes), base/dtype.h, kernels/epilogue.h,
 * kernels/reduced.h, kernels/reduced_layout.h.
 *
 *-------------------------------------------------------------------------
 */
#include "kernels/reduced.h"

#include "base/arena.h"
#include "base/dtype.h"
#include "kernels/epilogue.h"
#include "kernels/reduced_layout.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ----------
 * INT8 in plain C
 * ----------
 */

size_t
mb_groups_size(size_t rows, size_t group_bytes)
{
	size_t		size;

	if (!mb_size_add(rows, MB_GROUP - 1, &rows) ||
		!mb_size_multiply(rows / MB_GROUP, group_bytes, &size))
		return SIZE_MAX;
	return size;
}

size_t
mb_operand_size_int8(size_t rows, size_t k)
{
	return k > SIZE_MAX / (4 * MB_GROUP) ? SIZE_MAX :
		mb_groups_size(rows, int8_group_size(k));
}

static uint8_t
byte(float q)
{
	return (uint8_t) (q < 0.0f ? 0.0f : q > 255.0f ? 255.0f : q);
}

/*
 * Integers of one row for its range, which includes 0; values outside of it
 * count as 0.  How far they are from zero altogether, none more than
 * MB_MOST_STEPS.
 */
static size_t
quantise(int8_group *group, size_t r, const float *x, size_t k, float low,
		 float high)
{
	size_t		deep = depth(MB_FORMAT_INT8, k);
	float		scale = high / 255.0f - low / 255.0f;
	float		inverse = scale > MB_RANGE_LEAST ? 1.0f / scale : 0.0f;
	float		zero = rintf(-low * inverse);
	size_t		steps = 0;
	size_t		i;

	for (i = 0; i < deep * MB_INT8_DEEP; i++)
	{
		float		v = i < k && x[i] >= low && x[i] <= high ? x[i] : 0.0f;
		uint8_t		q = byte(rintf(v * inverse) + zero);
		int			distance = abs((int) q - (int) zero);

		rows_line(group->tiles, deep, r, i / MB_INT8_DEEP)[i % MB_INT8_DEEP] = q;
		steps += (size_t) (distance < MB_MOST_STEPS ? distance : MB_MOST_STEPS);
	}
	group->scale[r] = scale;
	group->zero[r] = zero;
	return steps;
}

/* A row that holds what is no number: nor is any result. */
static void
quantise_nothing(int8_group *group, size_t r, const float *x, size_t k)
{
	(void) quantise(group, r, x, k, 0.0f, 0.0f);
	group->scale[r] = NAN;
}

static int8_rest
measure(const float *x, size_t k, float bound)
{
	int8_rest	rest = {0.0f, 0.0f, 0, 0, 0};
	float		inverse;
	size_t		i;

	for (i = 0; i < k; i++)
	{
		float		v = fabsf(x[i]) <= bound ? x[i] : 0.0f;

		rest.low = v < rest.low ? v : rest.low;
		rest.high = v > rest.high ? v : rest.high;
	}
	inverse = rest.high / 255.0f - rest.low / 255.0f;
	inverse = inverse > MB_RANGE_LEAST ? 1.0f / inverse : 0.0f;
	for (i = 0; i < k; i++)
	{
		bool		within = fabsf(x[i]) <= bound;
		float		u = within ? fabsf(x[i]) * inverse : 0.0f;

		rest.steps += (uint32_t) ((u < MB_MOST_STEPS ? u : MB_MOST_STEPS) *
								  MB_STEP_PARTS);
		rest.count += u > 0.0f;
		rest.above += !within;
	}
	return rest;
}

static void
leave_out(int8_group *group, size_t r, const float *x, size_t k, float low,
		  float high)
{
	size_t		i;

	(void) quantise(group, r, x, k, low, high);
	for (i = 0; i < k; i++)
		if (!(x[i] >= low && x[i] <= high))
			add_outlier(group, r, x, i);
}

const int8_work mb_int8_work_ref = {measure, leave_out};

/*
 * Those within a factor of four of the largest go, until what remains is
 * large enough for its scale, or too many would go.
 */
void
mb_int8_leave_out(int8_group *group, size_t r, const float *x, size_t k,
				  const int8_work *work)
{
	float		bound = INFINITY;
	int8_rest	rest = work->measure(x, k, bound);

	while (rest.steps < MB_STEP_PARTS * rest.count)
	{
		float		quarter = fmaxf(-rest.low, rest.high) / 4.0f;
		int8_rest	next = work->measure(x, k, quarter);

		if (next.above > MB_MOST_OUTLIERS)
			break;
		rest = next;
		bound = quarter;
	}
	if (bound < INFINITY)
		work->leave_out(group, r, x, k, rest.low, rest.high);
}

static void
quantise_row(int8_group *group, size_t r, const float *x, size_t k)
{
	float		low = 0.0f;
	float		high = 0.0f;
	float		check = 0.0f;
	size_t		i;

	for (i = 0; i < k; i++)
	{
		low = x[i] < low ? x[i] : low;
		high = x[i] > high ? x[i] : high;
		check += x[i] * 0.0f;
	}
	group->outliers[r] = 0;
	if (check != 0.0f)
		quantise_nothing(group, r, x, k);
	else if (quantise(group, r, x, k, low, high) < k &&
			 group->scale[r] > MB_RANGE_LEAST)
		mb_int8_leave_out(group, r, x, k, &mb_int8_work_ref);
}

static void
prepare_int8(const float *x, size_t rows, size_t k, void *operand)
{
	size_t		r;

	for (r = 0; r < rows; r++, x += k)
	{
		int8_group *group = int8_group_at(operand, k, r / MB_GROUP);

		if (r % MB_GROUP == 0)
			group->total = 0;
		quantise_row(group, r % MB_GROUP, x, k);
	}
}

/* The integer of row r and the output whose weights start at w */
static int32_t
dot_int8(int8_group *group, size_t r, const int8_t *w, size_t k)
{
	size_t		deep = depth(MB_FORMAT_INT8, k);
	int32_t		sum = 0;
	size_t		t;
	size_t		i;

	for (t = 0; t < deep; t++)
	{
		const uint8_t *x = rows_line(group->tiles, deep, r, t);

		for (i = 0; i < MB_INT8_DEEP; i++)
			sum += x[i] * w[i / MB_INT8_STEP * MB_LINE + i % MB_INT8_STEP];
		w += MB_TILE_BYTES;
	}
	return sum;
}

/* The sum of row "row" of x and output c */
static float
sum_int8(const mb_product *p, size_t row, size_t c)
{
	size_t		r = row % MB_GROUP;
	const void *panels = p->linear->panels;
	int8_group *group = int8_group_at(p->operand, p->k, row / MB_GROUP);
	const int8_t *w = (const int8_t *)
		panel_strip(MB_FORMAT_INT8, panels, p->k, c) +
		c % MB_TILE * MB_INT8_STEP;
	float		total;
	size_t		i;

	total = ((float) dot_int8(group, r, w, p->k) -
			 group->zero[r] * panel_sum(panels, p->k, p->n)[c]) *
		group->scale[r] * panel_scale(panels, p->k, p->n)[c];
	for (i = 0; i < group->outliers[r]; i++)
	{
		const int8_outlier *outlier = &group->outlier[r][i];

		total += outlier->value *
			mb_bf16_to_float(panel_input(panels, p->k, p->n,
									  outlier->column)[c]);
	}
	return total;
}

/* ----------
 * BF16 and BF16X3 in plain C
 * ----------
 */

static float
sum_bf16(const mb_product *p, size_t row, size_t c)
{
	mb_format	format = p->linear->format;
	const uint16_t *high =
		(const uint16_t *) panel_strip(format, p->linear->panels, p->k, c);
	const uint16_t *low = high + depth(format, p->k) * MB_TILE_BYTES /
		sizeof(uint16_t);
	const float *x = p->x + row * p->k;
	double		sum = 0.0;
	size_t		i;

	for (i = 0; i < p->k; i++)
	{
		size_t		at = bf16_at(i, c);
		float		w = mb_bf16_to_float(high[at]);

		if (format == MB_FORMAT_BF16X3)
			w += mb_bf16_to_float(low[at]);
		sum += (double) x[i] * (double) w;
	}
	return (float) sum;
}

/* ----------
 * Products in plain C
 * ----------
 */

static void
linear_ref(const mb_product *p, float (*sum) (const mb_product *p, size_t row,
											  size_t c))
{
	size_t		end = p->first + p->width;
	size_t		column;
	size_t		row;

	for (column = p->first; column < end; column += MB_PANEL)
	{
		size_t		width = end - column < MB_PANEL ? end - column : MB_PANEL;

		for (row = 0; row < p->rows; row++)
		{
			float		sums[MB_PANEL];
			size_t		c;

			for (c = 0; c < width; c++)
				sums[c] = sum(p, row, column + c);
			mb_finish_sums(p, row, column, sums, width);
		}
	}
}

static void
run_int8(const mb_product *p)
{
	linear_ref(p, sum_int8);
}

static void
run_bf16(const mb_product *p)
{
	linear_ref(p, sum_bf16);
}

const mb_linear_kernel mb_int8_ref = {
	.run = run_int8,
	.operand_size = mb_operand_size_int8,
	.prepare = prepare_int8
};

const mb_linear_kernel mb_bf16_ref = {.run = run_bf16};

const mb_linear_kernel mb_bf16x3_ref = {.run = run_bf16};
