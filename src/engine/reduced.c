/*-------------------------------------------------------------------------
 *
 * reduced.c
 *	  Linear maps with fewer bits: packing, plain C, and who does what.
 *
 * The plain C functions are the oracle of the others: for int8 they find the
 * same integers.
 *
 * Depends on reduced_layout.h, cpu.h, arena.h (sizes).
 *
 *-------------------------------------------------------------------------
 */
#include "reduced_layout.h"

#include "arena.h"
#include "cpu.h"

#include <math.h>
#include <string.h>

/* ----------
 * Packing
 * ----------
 */

size_t
mb_reduced_panel_size(mb_reduced_form form, size_t k, size_t n)
{
	size_t		tiles;
	size_t		size;
	size_t		vectors;

	if (k > MB_REDUCED_WIDTH_MAX || !mb_size_add(n, PAIR - 1, &tiles))
		return SIZE_MAX;
	tiles = tiles / PAIR * (PAIR / TILE);
	if (!mb_size_multiply(tiles, tile_size(form, k), &size) ||
		!mb_size_multiply(tiles, 2 * TILE * sizeof(float), &vectors))
		return SIZE_MAX;
	if (form == MB_REDUCED_INT8 && !mb_size_add(size, vectors, &size))
		return SIZE_MAX;
	return size;
}

/* One column of int8: c is its number. */
static void
pack_int8(const float *w, size_t k, size_t n, size_t c, void *panel)
{
	int8_t	   *tile = (int8_t *) panel_tile(MB_REDUCED_INT8, panel, k, c);
	float	   *scale = (float *) panel_scale(panel, k, n) + c;
	float	   *sum = (float *) panel_sum(panel, k, n) + c;
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

static void
pack_bf16(mb_reduced_form form, const float *w, size_t k, size_t c,
		  void *panel)
{
	uint16_t   *high = (uint16_t *) panel_tile(form, panel, k, c);
	uint16_t   *low = high + depth(form, k) * AMX_BYTES / sizeof(uint16_t);
	size_t		i;

	for (i = 0; i < k; i++)
	{
		size_t		at = i / BF16_STEP * (LINE / sizeof(uint16_t)) +
			c % TILE * BF16_STEP + i % BF16_STEP;

		high[at] = bf16_from_float(w[i]);
		if (form == MB_REDUCED_BF16X3)
			low[at] = bf16_from_float(w[i] - bf16_to_float(high[at]));
	}
}

void
mb_reduced_pack(mb_reduced_form form, const float *w, size_t k, size_t n,
				size_t first, size_t last, void *panel)
{
	size_t		end = last == n ? round_up(n, PAIR) : last;
	size_t		c;

	memset((uint8_t *) panel_tile(form, panel, k, first), 0,
		   (end - first) / TILE * tile_size(form, k));
	if (form == MB_REDUCED_INT8)
	{
		memset((float *) panel_scale(panel, k, n) + first, 0,
			   (end - first) * sizeof(float));
		memset((float *) panel_sum(panel, k, n) + first, 0,
			   (end - first) * sizeof(float));
	}
	for (c = first; c < last; c++)
	{
		if (form == MB_REDUCED_INT8)
			pack_int8(w + c * k, k, n, c, panel);
		else
			pack_bf16(form, w + c * k, k, c, panel);
	}
}

/*
 * Second terms of int8 take as much room as the rows themselves, the low parts
 * of bf16x3 likewise, at twice the size.
 */
size_t
mb_reduced_rows_size(size_t k)
{
	size_t		deep;
	size_t		size;

	if (!mb_size_add(k, BF16_DEEP - 1, &deep) ||
		!mb_size_multiply(deep / BF16_DEEP, 2 * ROWS / TILE * AMX_BYTES,
						  &size))
		return SIZE_MAX;
	return size;
}

/* ----------
 * Plain C
 * ----------
 */

/* Integers of one row; false when its values call for a second term. */
static bool
quantise_row(mb_reduced_rows *rows, size_t r, const float *x)
{
	size_t		deep = depth(MB_REDUCED_INT8, rows->k);
	float		low = 0.0f;
	float		high = 0.0f;
	float		check = 0.0f;
	float		squares[16] = {0};
	float		total = 0.0f;
	float		scale;
	float		inverse;
	float		zero;
	size_t		i;

	for (i = 0; i < rows->k; i++)
	{
		low = x[i] < low ? x[i] : low;
		high = x[i] > high ? x[i] : high;
		check += x[i] * 0.0f;
	}
	scale = high / 255.0f - low / 255.0f;
	inverse = scale > RANGE_LEAST ? 1.0f / scale : 0.0f;
	zero = check == 0.0f ? rintf(-low * inverse) : 0.0f;
	for (i = 0; i < rows->k; i++)
	{
		float		u = x[i] * inverse;
		float		q = check == 0.0f ? rintf(u) + zero : 0.0f;

		rows_line(rows->tiles, deep, r, i / INT8_DEEP)[i % INT8_DEEP] =
			(uint8_t) (q < 0.0f ? 0.0f : q > 255.0f ? 255.0f : q);
		squares[i % 16] = fmaf(u, u, squares[i % 16]);
	}
	for (; i < deep * INT8_DEEP; i++)
		rows_line(rows->tiles, deep, r, i / INT8_DEEP)[i % INT8_DEEP] =
			(uint8_t) zero;
	rows->scale[r] = check == 0.0f ? scale : NAN;
	rows->zero[r] = zero;
	for (i = 0; i < 8; i++)
		squares[i] += squares[i + 8];
	for (i = 0; i < 4; i++)
		squares[i] += squares[i + 4];
	total = (squares[0] + squares[2]) + (squares[1] + squares[3]);
	return total * (SECOND_RATIO * SECOND_RATIO) >=
		255.0f * 255.0f * (float) rows->k || !(total > 0.0f);
}

/* What the integers of row r left over, as another row */
static void
quantise_rest(mb_reduced_rows *rows, size_t r, const float *x)
{
	size_t		deep = depth(MB_REDUCED_INT8, rows->k);
	size_t		second = ROWS + rows->seconds;
	float		inverse = 1.0f / rows->scale[r];
	size_t		i;

	for (i = 0; i < deep * INT8_DEEP; i++)
	{
		size_t		t = i / INT8_DEEP;
		size_t		at = i % INT8_DEEP;
		float		q = 128.0f;

		if (i < rows->k)
		{
			q = (float) rows_line(rows->tiles, deep, r, t)[at] - rows->zero[r];
			q = rintf((x[i] * inverse - q) * SECOND_STEPS) + 128.0f;
		}
		rows_line(rows->tiles, deep, second, t)[at] =
			(uint8_t) (q < 0.0f ? 0.0f : q > 255.0f ? 255.0f : q);
	}
	rows->scale[second] = rows->scale[r] * (1.0f / SECOND_STEPS);
	rows->zero[second] = 128.0f;
	rows->owner[rows->seconds++] = (uint8_t) r;
}

static void
prepare_int8_ref(mb_reduced_rows *rows)
{
	size_t		r;

	rows->seconds = 0;
	for (r = 0; r < rows->rows; r++)
		if (!quantise_row(rows, r, rows->x + r * rows->ldx))
			quantise_rest(rows, r, rows->x + r * rows->ldx);
}

static void
prepare_float_ref(mb_reduced_rows *rows)
{
	rows->seconds = 0;
}

/* The integer of row r and column c */
static int32_t
dot_int8(const mb_reduced_rows *rows, size_t r, const int8_t *w)
{
	size_t		deep = depth(MB_REDUCED_INT8, rows->k);
	int32_t		sum = 0;
	size_t		t;
	size_t		i;

	for (t = 0; t < deep; t++)
	{
		const uint8_t *x = rows_line(rows->tiles, deep, r, t);

		for (i = 0; i < INT8_DEEP; i++)
			sum += x[i] * w[i / INT8_STEP * LINE + i % INT8_STEP];
		w += AMX_BYTES;
	}
	return sum;
}

/* (integer - zero * sum) * scale: the row's share, without the column's */
static float
term_int8(const mb_reduced_rows *rows, size_t r, const int8_t *w, float sum)
{
	return ((float) dot_int8(rows, r, w) - rows->zero[r] * sum) *
		rows->scale[r];
}

static float
sum_int8(const mb_reduced_rows *rows, const void *panel, size_t n, size_t r,
		 size_t c)
{
	size_t		k = rows->k;
	const int8_t *w = (const int8_t *) panel_tile(MB_REDUCED_INT8, panel, k,
												  c) + c % TILE * INT8_STEP;
	float		sum = panel_sum(panel, k, n)[c];
	float		total = term_int8(rows, r, w, sum);
	size_t		i;

	for (i = 0; i < rows->seconds; i++)
		if (rows->owner[i] == r)
			total += term_int8(rows, ROWS + i, w, sum);
	return total * panel_scale(panel, k, n)[c];
}

static float
sum_bf16(mb_reduced_form form, const mb_reduced_rows *rows, const void *panel,
		 size_t r, size_t c)
{
	const uint16_t *high =
		(const uint16_t *) panel_tile(form, panel, rows->k, c);
	const uint16_t *low = high + depth(form, rows->k) * AMX_BYTES /
		sizeof(uint16_t);
	const float *x = rows->x + r * rows->ldx;
	double		sum = 0.0;
	size_t		i;

	for (i = 0; i < rows->k; i++)
	{
		size_t		at = i / BF16_STEP * (LINE / sizeof(uint16_t)) +
			c % TILE * BF16_STEP + i % BF16_STEP;
		float		w = bf16_to_float(high[at]);

		if (form == MB_REDUCED_BF16X3)
			w += bf16_to_float(low[at]);
		sum += (double) x[i] * (double) w;
	}
	return (float) sum;
}

static void
finish_ref(float sum, const mb_reduced_finish *f, size_t r, size_t c, float *y)
{
	float		v = f->bias == NULL ? sum : sum + f->bias[c];

	if (f->relu)
		v = v < 0.0f ? 0.0f : v;
	if (f->residual != NULL)
		v += f->residual[r * f->ldr + c];
	if (f->norm_weight != NULL)
		v = v * f->norm_weight[c] + f->norm_bias[c];
	*y = v;
}

static void
linear_ref(mb_reduced_form form, const mb_reduced_rows *rows,
		   const void *panel, size_t n, size_t first, size_t last,
		   const mb_reduced_finish *finish, float *y, size_t ldy)
{
	size_t		r;
	size_t		c;

	for (c = first; c < last; c++)
		for (r = 0; r < rows->rows; r++)
			finish_ref(form == MB_REDUCED_INT8 ?
					   sum_int8(rows, panel, n, r, c) :
					   sum_bf16(form, rows, panel, r, c),
					   finish, r, c, y + r * ldy + c);
}

static void
linear_int8_ref(const mb_reduced_rows *rows, const void *panel, size_t n,
				size_t first, size_t last, const mb_reduced_finish *finish,
				float *y, size_t ldy)
{
	linear_ref(MB_REDUCED_INT8, rows, panel, n, first, last, finish, y, ldy);
}

static void
linear_bf16_ref(const mb_reduced_rows *rows, const void *panel, size_t n,
				size_t first, size_t last, const mb_reduced_finish *finish,
				float *y, size_t ldy)
{
	linear_ref(MB_REDUCED_BF16, rows, panel, n, first, last, finish, y, ldy);
}

static void
linear_bf16x3_ref(const mb_reduced_rows *rows, const void *panel, size_t n,
				  size_t first, size_t last, const mb_reduced_finish *finish,
				  float *y, size_t ldy)
{
	linear_ref(MB_REDUCED_BF16X3, rows, panel, n, first, last, finish, y,
			   ldy);
}

const mb_reduced_kernels mb_reduced_ref[MB_REDUCED_FORMS] = {
	[MB_REDUCED_INT8] = {
		.name = "ref",
		.prepare = prepare_int8_ref,
		.linear = linear_int8_ref
	},
	[MB_REDUCED_BF16] = {
		.name = "ref",
		.prepare = prepare_float_ref,
		.linear = linear_bf16_ref
	},
	[MB_REDUCED_BF16X3] = {
		.name = "ref",
		.prepare = prepare_float_ref,
		.linear = linear_bf16x3_ref
	}
};

/* ----------
 * Choosing
 * ----------
 */

typedef struct reduced_set
{
	const char *name;
	const char *needs;			/* instruction set of mb_kernels_choose() */
	const mb_reduced_kernels *tables;
	bool		(*usable) (void);
} reduced_set;

static bool
always(void)
{
	return true;
}

/* Best first */
static const reduced_set sets[] = {
#if defined(__x86_64__)
	{"amx", "avx512", mb_reduced_amx, mb_cpu_has_amx},
	{"vnni", "avx512", mb_reduced_vnni, mb_cpu_has_vnni},
	{"avx512", "avx512", mb_reduced_avx512, mb_cpu_has_avx512},
	{"avx2", "avx512", mb_reduced_avx2, mb_cpu_has_avx2},
	{"avx2", "avx2", mb_reduced_avx2, mb_cpu_has_avx2},
#endif
	{"ref", "ref", mb_reduced_ref, always},
};

#define SETS (sizeof(sets) / sizeof(sets[0]))

const mb_reduced_kernels *
mb_reduced_find(mb_reduced_form form, const char *name)
{
	size_t		i;

	for (i = 0; i < SETS; i++)
		if (strcmp(sets[i].name, name) == 0 &&
			sets[i].tables[form].name != NULL && sets[i].usable())
			return &sets[i].tables[form];
	return NULL;
}

const mb_reduced_kernels *
mb_reduced_best(mb_reduced_form form, const char *instruction_set)
{
	size_t		i;

	for (i = 0; i < SETS; i++)
		if (strcmp(sets[i].needs, instruction_set) == 0 &&
			sets[i].tables[form].name != NULL && sets[i].usable())
			return &sets[i].tables[form];
	return &mb_reduced_ref[form];
}
