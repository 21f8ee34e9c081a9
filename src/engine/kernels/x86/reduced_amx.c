/*-------------------------------------------------------------------------
 *
 * reduced_amx.c
 *	  int8, bf16 and bf16x3 products for processors with AMX.
 *
 * The tiles' configuration is state of the thread, loaded before a pass and let
 * go after it, so that switching tasks need not save 8 kB outside of one.
 *
 * bf16 products round as AMX does (subnormal numbers are zero); sums of a row
 * are formed along k whatever the rows beside it.
 *
 * Depends on kernels/x86/amx.h, kernels/finish_template.h,
 * kernels/x86/low_precision_avx512.h, kernels/reduced.h, kernels/reduced_layout.h,
 * kernels/x86/simd_avx512.h.  Compiled with -mamx-tile -mamx-int8 -mamx-bf16
 * -mavx512bf16; nothing here may run before mb_cpu_has_amx() has said yes.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__x86_64__)

#include "kernels/x86/amx.h"
#include "kernels/x86/low_precision_avx512.h"
#include "kernels/reduced.h"
#include "kernels/reduced_layout.h"
#include "kernels/x86/simd_avx512.h"

#include "kernels/finish_template.h"

void
mb_begin_amx(void)
{
	set_tiles(MB_TILE);
}

void
mb_end_amx(void)
{
	_tile_release();
}

/* Where a step along k finds its tiles */
typedef struct step_operands
{
	const uint8_t *x;			/* the group's rows */
	const uint8_t *w;			/* the panel */
	size_t		size;			/* of a tile of rows or outputs along k */
} step_operands;

MB_INLINE void
load_step(const step_operands *o, size_t at, bool two)
{
	MB_LOAD_TILE(4, o->x + at);
	MB_LOAD_TILE(6, o->w + at);
	MB_LOAD_TILE(7, o->w + o->size + at);
	if (two)
		MB_LOAD_TILE(5, o->x + o->size + at);
}

MB_INLINE void
step_int8(const step_operands *o, size_t at, bool two)
{
	load_step(o, at, two);
	MB_MULTIPLY_TILES(_tile_dpbusd, two);
}

MB_INLINE void
step_bf16(const step_operands *o, size_t at, bool two)
{
	load_step(o, at, two);
	MB_MULTIPLY_TILES(_tile_dpbf16ps, two);
}

/* low * high, high * high and high * low, activations first */
MB_INLINE void
step_bf16x3(const step_operands *o, size_t at, bool two)
{
	const uint8_t *w_next = o->w + 2 * o->size;
	const uint8_t *low = o->x + MB_GROUP / MB_TILE * o->size;

	MB_LOAD_TILE(4, low + at);
	MB_LOAD_TILE(6, o->w + at);
	MB_LOAD_TILE(7, w_next + at);
	if (two)
		MB_LOAD_TILE(5, low + o->size + at);
	MB_MULTIPLY_TILES(_tile_dpbf16ps, two);
	MB_LOAD_TILE(4, o->x + at);
	if (two)
		MB_LOAD_TILE(5, o->x + o->size + at);
	MB_MULTIPLY_TILES(_tile_dpbf16ps, two);
	MB_LOAD_TILE(6, o->w + o->size + at);
	MB_LOAD_TILE(7, w_next + o->size + at);
	MB_MULTIPLY_TILES(_tile_dpbf16ps, two);
}

/* Bytes of a group's rows in BF16 and BF16X3, low parts included */
static size_t
bf16_group_size(mb_format format, size_t k)
{
	return group_tiles(format, k,
					   format == MB_FORMAT_BF16X3 ? 2 * MB_GROUP : MB_GROUP);
}

/* What rounding to bfloat16 left over */
static inline vf
rest(vf x, __m256i rounded)
{
	return x - _mm512_castsi512_ps(_mm512_slli_epi32(
													 _mm512_cvtepu16_epi32(rounded), 16));
}

/* A line of 32 inputs, and with "parts" that of their low parts after it */
MB_INLINE void
store_line(uint8_t *line, vf a, vf b, bool parts, size_t low)
{
	__m512i		high = round_line(a, b);

	_mm512_storeu_si512((void *) line, high);
	if (!parts)
		return;
	a = rest(a, _mm512_castsi512_si256(high));
	b = rest(b, _mm512_extracti64x4_epi64(high, 1));
	_mm512_store_si512((void *) (line + low), round_line(a, b));
}

/* ----------
 * Results that go into the next product's operand
 * ----------
 */

/*
 * Where the line of outputs from "column" on of a row goes: into the operand
 * itself or, for INT8, which needs to know the whole row, into rows of bfloat16
 * in the memory of y.
 */
static inline uint8_t *
next_line(const mb_product *p, size_t row, size_t column)
{
	mb_format	format = p->linear->format;
	uint8_t    *group = p->next;

	if (format == MB_FORMAT_INT8)
		return (uint8_t *) p->y +
			(row * padded(p->n) + column) * sizeof(uint16_t);
	group += row / MB_GROUP * bf16_group_size(format, p->n);
	return rows_line(group, depth(format, p->n), row % MB_GROUP,
					 column / MB_BF16_DEEP);
}

/* Activations in registers; with others the block has been through them. */
typedef enum fused_activation
{
	FUSED_NONE,
	FUSED_RELU,
	FUSED_GELU
} fused_activation;

MB_INLINE vf
activate_fused(vf x, fused_activation activation)
{
	return activation == FUSED_RELU ? v_relu(x) :
		activation == FUSED_GELU ? gelu_approximate(x) : x;
}

/* Lines of rows [r, end), which are in one tile */
MB_INLINE void
store_next_rows(const finish_job *job, bool floats, bool biased,
				fused_activation activation, bool parts, size_t r, size_t end)
{
	const mb_product *p = job->p;
	size_t		n = job->width < MB_LANES ? job->width : MB_LANES;
	size_t		m = job->width - n;
	finish_vectors v = load_finish(p, job->column, n);
	finish_vectors w = load_finish(p, job->column + n, m);
	uint8_t    *line = next_line(p, job->row + r, job->column);
	size_t		step = p->linear->format == MB_FORMAT_INT8 ?
		padded(p->n) * sizeof(uint16_t) : MB_LINE;
	size_t		low = MB_GROUP / MB_TILE * depth(p->linear->format, p->n) *
		MB_TILE_BYTES;

	if (!biased)
		v.bias = w.bias = v_set1(0.0f);
	for (; r < end; r++, line += step)
	{
		vf			a = floats ? (vf) (v_load(job->block->f[r]) + v.bias) :
			integers(job->group, job->block, r, 0, &v, v.bias);
		vf			b = floats ?
			(vf) (v_load(job->block->f[r] + MB_LANES) + w.bias) :
			integers(job->group, job->block, r, MB_LANES, &w, w.bias);

		a = activate_fused(a, activation);
		b = activate_fused(b, activation);
		if (job->width < MB_PANEL)
		{
			a = _mm512_maskz_mov_ps(v_first(n), a);
			b = _mm512_maskz_mov_ps(v_first(m), b);
		}
		store_line(line, a, b, parts, low);
	}
}

/* The same for rows in any tiles; biased: the bias is still to be added */
MB_INLINE void
store_next_tiles(const finish_job *job, fused_activation activation,
				 bool biased, bool floats, size_t r, size_t end)
{
	size_t		stop;

	for (; r < end; r = stop)
	{
		stop = (r / MB_TILE + 1) * MB_TILE;
		stop = stop < end ? stop : end;
		if (job->p->linear->format == MB_FORMAT_BF16X3)
			store_next_rows(job, true, biased, activation, true, r, stop);
		else if (floats)
			store_next_rows(job, true, biased, activation, false, r, stop);
		else
			store_next_rows(job, false, biased, activation, false, r, stop);
	}
}

/* Rows [r, end) of a block become inputs of the next product. */
static void
store_next_operand(const finish_job *job, size_t r, size_t end)
{
	mb_activation activation = job->p->activation;
	bool		gelu = activation == MB_ACT_GELU &&
		job->p->linear->format != MB_FORMAT_BF16X3;
	bool		elaborate = is_elaborate(activation) && !gelu;
	bool		floats = settle(job, elaborate, r, end);
	bool		biased = !floats || (!elaborate && job->group == NULL);

	if (gelu)
		store_next_tiles(job, FUSED_GELU, biased, floats, r, end);
	else if (activation == MB_ACT_RELU)
		store_next_tiles(job, FUSED_RELU, biased, floats, r, end);
	else
		store_next_tiles(job, FUSED_NONE, biased, floats, r, end);
}

/* ----------
 * Products
 * ----------
 */

/* Rows [r, end) of a block go where they should */
MB_INLINE void
dispatch_rows(const finish_job *job, size_t r, size_t end)
{
	if (job->p->next == NULL)
		finish_rows(job, r, end);
	else
		store_next_operand(job, r, end);
}

/* Rows finished at a time: few calls, and yet all of them between the steps */
#define FINISH_LEAST 8

MB_INLINE size_t
rows_at_once(size_t rows, size_t steps)
{
	size_t		least = (rows + steps - 1) / (steps > 0 ? steps : 1);

	return least > FINISH_LEAST ? least : FINISH_LEAST;
}

/*
 * Of the next panel's lines a group of rows prefetches one in so many, when it
 * has one tile and when it has two; what the processor fetches by itself is
 * enough for the others.  Further groups prefetch what lies between, BF16X3's
 * excepted, which have enough to wait for.
 */
#define PREFETCH_EVERY_FEW 8
#define PREFETCH_EVERY 4

/*
 * Sums of one block, and between their steps results of the block before: the
 * tiles' unit and the vectors' work at the same time.  two: more than a tile
 * of rows.  ahead: the panel to prefetch, or NULL.
 */
MB_INLINE void
multiply_block(mb_format format, const step_operands *o, bool two,
			   const uint8_t *ahead, const finish_job *before,
			   sums_block *block)
{
	size_t		panel_step = MB_PANEL / MB_TILE * MB_TILE_BYTES *
		(format == MB_FORMAT_BF16X3 ? 2 : 1);
	size_t		steps = o->size / MB_TILE_BYTES;
	size_t		rows = before == NULL ? 0 : before->rows;
	size_t		at_once = rows_at_once(rows, steps);
	size_t		every = two && format != MB_FORMAT_BF16X3 ?
		PREFETCH_EVERY : PREFETCH_EVERY_FEW;
	size_t		done = 0;
	size_t		s;

	clear_sums();
	for (s = 0; s < steps; s++)
	{
		size_t		end = rows - done < at_once ? rows : done + at_once;

		if (format == MB_FORMAT_INT8)
			step_int8(o, s * MB_TILE_BYTES, two);
		else if (format == MB_FORMAT_BF16)
			step_bf16(o, s * MB_TILE_BYTES, two);
		else
			step_bf16x3(o, s * MB_TILE_BYTES, two);
		if (ahead != NULL)
			prefetch_lines(ahead + s * panel_step, panel_step, every);
		if (end > done)
			dispatch_rows(before, done, end);
		done = end;
	}
	store_sums(block, two);
	MB_BARRIER;
}

/* The first line that the group from "row" on prefetches, or NULL */
MB_INLINE const uint8_t *
prefetch_from(const mb_product *p, mb_format format, size_t row, size_t column)
{
	size_t		group = row / MB_GROUP;

	if (group >= (format == MB_FORMAT_BF16X3 ? 1 : PREFETCH_EVERY))
		return NULL;
	return panel_after(format, p, column) + group * MB_LINE;
}

/* The group of rows of a product's operand that begins with "row" */
MB_INLINE const uint8_t *
group_of(const mb_product *p, size_t row, size_t size)
{
	return (const uint8_t *) p->operand + row / MB_GROUP * size;
}

/* Where the products of a group and the panel at "column" find their tiles */
MB_INLINE step_operands
find_operands(const mb_product *p, mb_format format, const uint8_t *group,
			  size_t column)
{
	step_operands o = {
		format == MB_FORMAT_INT8 ? ((const int8_group *) group)->tiles : group,
		panel_strip(format, p->linear->panels, p->k, column),
		depth(format, p->k) * MB_TILE_BYTES
	};

	return o;
}

/* size: bytes of a group of rows */
MB_INLINE void
linear_amx(const mb_product *p, mb_format format, size_t size)
{
	sums_block	blocks[2] __attribute__((aligned(64)));
	finish_job	jobs[2];
	const finish_job *before = NULL;
	size_t		end = p->first + p->width;
	size_t		column;
	size_t		row;
	int			now = 0;

	for (column = p->first; column < end; column += MB_PANEL)
	{
		for (row = 0; row < p->rows; row += MB_GROUP)
		{
			const uint8_t *group = group_of(p, row, size);
			step_operands o = find_operands(p, format, group, column);
			const uint8_t *ahead = prefetch_from(p, format, row, column);

			jobs[now] = finish_job_make(p, format == MB_FORMAT_INT8 ?
										(const int8_group *) group : NULL,
										&blocks[now], row, column);
			if (jobs[now].rows > MB_TILE)
				multiply_block(format, &o, true, ahead, before, &blocks[now]);
			else
				multiply_block(format, &o, false, ahead, before,
							   &blocks[now]);
			before = &jobs[now];
			now ^= 1;
		}
	}
	if (before != NULL)
		dispatch_rows(before, 0, before->rows);
}

/* ----------
 * INT8
 * ----------
 */

/*
 * Rows of bfloat16 become the operand.  They take half of the memory of y,
 * which has whole blocks of rows; after them is room for a row of floats.
 */
static void
quantise_next(const mb_product *p)
{
	const uint16_t *x = (const uint16_t *) p->y;
	size_t		step = padded(p->n);
	size_t		rows = (p->rows + MB_GROUP - 1) / MB_GROUP * MB_GROUP;

	mb_quantise_bf16_avx512(x, step, p->rows, p->n,
							(float *) (x + step * rows), p->next);
}

static void
run_int8(const mb_product *p)
{
	linear_amx(p, MB_FORMAT_INT8, int8_group_size(p->k));
	if (p->next != NULL && p->first + p->width == p->n)
		quantise_next(p);
}

const mb_linear_kernel mb_int8_amx = {
	.run = run_int8,
	.operand_size = mb_operand_size_int8,
	.prepare = mb_prepare_int8_avx512,
	.chained = true,
	.attention = true
};

/* ----------
 * BF16 and BF16X3
 * ----------
 */

static size_t
operand_size_bf16(mb_format format, size_t rows, size_t k)
{
	return k > SIZE_MAX / (8 * MB_GROUP) ? SIZE_MAX :
		mb_groups_size(rows, bf16_group_size(format, k));
}

static size_t
bf16_operand_size(size_t rows, size_t k)
{
	return operand_size_bf16(MB_FORMAT_BF16, rows, k);
}

static size_t
bf16x3_operand_size(size_t rows, size_t k)
{
	return operand_size_bf16(MB_FORMAT_BF16X3, rows, k);
}

/* Row r of a group's tiles */
MB_INLINE void
round_row(mb_format format, const float *x, size_t k, uint8_t *tiles, size_t r)
{
	size_t		deep = depth(format, k);
	size_t		t;

	for (t = 0; t < deep; t++)
		store_line(rows_line(tiles, deep, r, t),
				   v_load_row(x, k, t * MB_BF16_DEEP),
				   v_load_row(x, k, t * MB_BF16_DEEP + MB_LANES),
				   format == MB_FORMAT_BF16X3,
				   MB_GROUP / MB_TILE * deep * MB_TILE_BYTES);
}

MB_INLINE void
prepare_bf16(mb_format format, const float *x, size_t rows, size_t k,
			 uint8_t *operand)
{
	size_t		r;

	for (r = 0; r < rows; r++)
		round_row(format, x + r * k, k,
				  operand + r / MB_GROUP * bf16_group_size(format, k),
				  r % MB_GROUP);
}

static void
prepare_bf16_rows(const float *x, size_t rows, size_t k, void *operand)
{
	prepare_bf16(MB_FORMAT_BF16, x, rows, k, operand);
}

static void
prepare_bf16x3_rows(const float *x, size_t rows, size_t k, void *operand)
{
	prepare_bf16(MB_FORMAT_BF16X3, x, rows, k, operand);
}

static void
run_bf16(const mb_product *p)
{
	linear_amx(p, MB_FORMAT_BF16, bf16_group_size(MB_FORMAT_BF16, p->k));
}

static void
run_bf16x3(const mb_product *p)
{
	linear_amx(p, MB_FORMAT_BF16X3, bf16_group_size(MB_FORMAT_BF16X3, p->k));
}

const mb_linear_kernel mb_bf16_amx = {
	.run = run_bf16,
	.operand_size = bf16_operand_size,
	.prepare = prepare_bf16_rows,
	.chained = true,
	.attention = true
};

const mb_linear_kernel mb_bf16x3_amx = {
	.run = run_bf16x3,
	.operand_size = bf16x3_operand_size,
	.prepare = prepare_bf16x3_rows,
	.chained = true
};

#endif							/* __x86_64__ */
