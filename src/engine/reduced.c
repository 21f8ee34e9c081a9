/*-------------------------------------------------------------------------
 *
 * reduced.c
 *	  Linear maps with fewer bits: packing, and products in plain C.
 *
 * The plain C functions are the oracle of the others: for INT8 they find the
 * same integers.
 *
 * Depends on reduced_layout.h, gemm.h (epilogue), arena.h (sizes).
 *
 *-------------------------------------------------------------------------
 */
#include "reduced_layout.h"

#include "arena.h"
#include "gemm.h"

#include <math.h>
#include <string.h>

/* ----------
 * Packing
 * ----------
 */

bool
mb_reduced_size(mb_format format, size_t k, size_t n, size_t *size)
{
	size_t		vectors;

	if (k > (format == MB_FORMAT_INT8 ? MB_INT8_WIDTH_MAX : SIZE_MAX / 64) ||
		!mb_size_add(n, MB_PANEL - 1, &n))
		return false;
	n = n / MB_PANEL * MB_PANEL;
	if (!mb_size_multiply(n / MB_PANEL, panel_size(format, k), size) ||
		!mb_size_multiply(n, 2 * sizeof(float), &vectors))
		return false;
	return format != MB_FORMAT_INT8 || mb_size_add(*size, vectors, size);
}

/* Output number c */
static void
pack_int8(const float *w, size_t k, size_t n, size_t c, void *panels)
{
	int8_t	   *tile = (int8_t *) panel_tile(MB_FORMAT_INT8, panels, k, c);
	float	   *scale = (float *) panel_scale(panels, k, n) + c;
	float	   *sum = (float *) panel_sum(panels, k, n) + c;
	float		largest = 0.0f;
	float		check = 0.0f;
	int32_t		total = 0;
	size_t		i;

	for (i = 0; i < k; i++)
	{
		largest = fabsf(w[i]) > largest ? fabsf(w[i]) : largest;
		check += w[i] * 0.0f;
	}
	*scale = largest > RANGE_LEAST ? largest / 127.0f : 0.0f;
	if (check != 0.0f)
		*scale = NAN;			/* a weight is no number: nor is any result */
	for (i = 0; i < k; i++)
	{
		int32_t		q = *scale > 0.0f ? (int32_t) rintf(w[i] / *scale) : 0;

		q = q > 127 ? 127 : q < -127 ? -127 : q;
		tile[i / INT8_STEP * LINE + c % TILE * INT8_STEP + i % INT8_STEP] =
			(int8_t) q;
		total += q;
	}
	*sum = (float) total;
}

/* Where in a tile of BF16 the weight of input i and output c is */
static size_t
bf16_at(size_t i, size_t c)
{
	return i / BF16_STEP * (LINE / sizeof(uint16_t)) + c % TILE * BF16_STEP +
		i % BF16_STEP;
}

static void
pack_bf16(mb_format format, const float *w, size_t k, size_t c, void *panels)
{
	uint16_t   *high = (uint16_t *) panel_tile(format, panels, k, c);
	uint16_t   *low = high + depth(format, k) * AMX_BYTES / sizeof(uint16_t);
	size_t		i;

	for (i = 0; i < k; i++)
	{
		size_t		at = bf16_at(i, c);

		high[at] = bf16_from_float(w[i]);
		if (format == MB_FORMAT_BF16X3)
			low[at] = bf16_from_float(w[i] - bf16_to_float(high[at]));
	}
}

void
mb_reduced_pack(mb_format format, const float *w, size_t k, size_t n,
				void *panels)
{
	size_t		size;
	size_t		c;

	if (!mb_reduced_size(format, k, n, &size))
		return;
	memset(panels, 0, size);
	for (c = 0; c < n; c++)
	{
		if (format == MB_FORMAT_INT8)
			pack_int8(w + c * k, k, n, c, panels);
		else
			pack_bf16(format, w + c * k, k, c, panels);
	}
}

/* ----------
 * INT8 in plain C
 * ----------
 */

size_t
mb_operand_size_int8(size_t rows, size_t k)
{
	size_t		groups;
	size_t		size;

	if (k > SIZE_MAX / (4 * GROUP) || !mb_size_add(rows, GROUP - 1, &groups) ||
		!mb_size_multiply(groups / GROUP, int8_group_size(k), &size))
		return SIZE_MAX;
	return size;
}

static uint8_t
byte(float q)
{
	return (uint8_t) (q < 0.0f ? 0.0f : q > 255.0f ? 255.0f : q);
}

/* In the order of vector code: 16 lanes, then halves */
static float
add_up_squares(float *lane)
{
	size_t		i;

	for (i = 0; i < 8; i++)
		lane[i] += lane[i + 8];
	for (i = 0; i < 4; i++)
		lane[i] += lane[i + 4];
	return (lane[0] + lane[2]) + (lane[1] + lane[3]);
}

/* Integers of one row; false when its values call for a second term. */
static bool
quantise_row(int8_group *group, size_t r, const float *x, size_t k)
{
	size_t		deep = depth(MB_FORMAT_INT8, k);
	float		low = 0.0f;
	float		high = 0.0f;
	float		check = 0.0f;
	float		squares[16] = {0};
	float		total;
	float		scale;
	float		inverse;
	float		zero;
	size_t		i;

	for (i = 0; i < k; i++)
	{
		low = x[i] < low ? x[i] : low;
		high = x[i] > high ? x[i] : high;
		check += x[i] * 0.0f;
	}
	scale = high / 255.0f - low / 255.0f;
	inverse = scale > RANGE_LEAST ? 1.0f / scale : 0.0f;
	zero = check == 0.0f ? rintf(-low * inverse) : 0.0f;
	for (i = 0; i < deep * INT8_DEEP; i++)
	{
		float		u = i < k ? x[i] * inverse : 0.0f;

		rows_line(group->tiles, deep, r, i / INT8_DEEP)[i % INT8_DEEP] =
			byte(check == 0.0f ? rintf(u) + zero : 0.0f);
		squares[i % 16] = fmaf(u, u, squares[i % 16]);
	}
	group->scale[r] = check == 0.0f ? scale : NAN;
	group->zero[r] = zero;
	total = add_up_squares(squares);
	return total * (SECOND_RATIO * SECOND_RATIO) >=
		255.0f * 255.0f * (float) k || !(total > 0.0f);
}

/* What the integers of row r left over, as another row */
static void
quantise_rest(int8_group *group, size_t r, const float *x, size_t k)
{
	size_t		deep = depth(MB_FORMAT_INT8, k);
	size_t		second = GROUP + group->seconds;
	float		inverse = 1.0f / group->scale[r];
	size_t		i;

	for (i = 0; i < deep * INT8_DEEP; i++)
	{
		size_t		t = i / INT8_DEEP;
		size_t		at = i % INT8_DEEP;
		float		u = i < k ? x[i] * inverse : 0.0f;
		float		first = (float) rows_line(group->tiles, deep, r, t)[at] -
			group->zero[r];

		rows_line(group->tiles, deep, second, t)[at] =
			byte(rintf((u - first) * SECOND_STEPS) + 128.0f);
	}
	group->scale[second] = group->scale[r] * (1.0f / SECOND_STEPS);
	group->zero[second] = 128.0f;
	group->owner[group->seconds++] = (uint8_t) r;
}

void
mb_prepare_int8_ref(const float *x, size_t rows, size_t k, void *operand)
{
	size_t		r;

	for (r = 0; r < rows; r++, x += k)
	{
		int8_group *group = int8_group_at(operand, k, r / GROUP);

		if (r % GROUP == 0)
			group->seconds = 0;
		if (!quantise_row(group, r % GROUP, x, k))
			quantise_rest(group, r % GROUP, x, k);
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

		for (i = 0; i < INT8_DEEP; i++)
			sum += x[i] * w[i / INT8_STEP * LINE + i % INT8_STEP];
		w += AMX_BYTES;
	}
	return sum;
}

/* (integer - zero * sum) * scale: the row's share, without the column's */
static float
term_int8(int8_group *group, size_t r, const int8_t *w, float sum, size_t k)
{
	return ((float) dot_int8(group, r, w, k) - group->zero[r] * sum) *
		group->scale[r];
}

/* The sum of row "row" of x and output c */
static float
sum_int8(const mb_product *p, size_t row, size_t c)
{
	int8_group *group = int8_group_at(p->operand, p->k, row / GROUP);
	const int8_t *w = (const int8_t *)
		panel_tile(MB_FORMAT_INT8, p->map->panels, p->k, c) +
		c % TILE * INT8_STEP;
	float		sum = panel_sum(p->map->panels, p->k, p->n)[c];
	float		total = term_int8(group, row % GROUP, w, sum, p->k);
	size_t		i;

	for (i = 0; i < group->seconds; i++)
		if (group->owner[i] == row % GROUP)
			total += term_int8(group, GROUP + i, w, sum, p->k);
	return total * panel_scale(p->map->panels, p->k, p->n)[c];
}

/* ----------
 * BF16 and BF16X3 in plain C
 * ----------
 */

static float
sum_bf16(const mb_product *p, size_t row, size_t c)
{
	mb_format	format = p->map->format;
	const uint16_t *high =
		(const uint16_t *) panel_tile(format, p->map->panels, p->k, c);
	const uint16_t *low = high + depth(format, p->k) * AMX_BYTES /
		sizeof(uint16_t);
	const float *x = p->x + row * p->k;
	double		sum = 0.0;
	size_t		i;

	for (i = 0; i < p->k; i++)
	{
		size_t		at = bf16_at(i, c);
		float		w = bf16_to_float(high[at]);

		if (format == MB_FORMAT_BF16X3)
			w += bf16_to_float(low[at]);
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

void
mb_linear_int8_ref(const mb_product *p)
{
	linear_ref(p, sum_int8);
}

void
mb_linear_bf16_ref(const mb_product *p)
{
	linear_ref(p, sum_bf16);
}

void
mb_linear_bf16x3_ref(const mb_product *p)
{
	linear_ref(p, sum_bf16);
}
