/*-------------------------------------------------------------------------
 *
 * reduced_vnni.c
 *	  int8 products for processors with AVX-512 VNNI.
 *
 * VPDPBUSD adds four products of a byte of activations and a byte of weights
 * to each of 16 integers, without saturation.  Up to eight rows by the outputs
 * of two strips are summed in registers: sixteen sums, enough to hide the
 * latency of five cycles on two ports.
 *
 * The instruction stands as inline assembly: given the intrinsic, GCC 12 keeps
 * moving the sums between registers and the stack.
 *
 * Depends on kernels/finish_template.h, kernels/x86/low_precision_avx512.h,
 * kernels/reduced.h, kernels/reduced_layout.h, kernels/x86/simd_avx512.h.
 * Compiled with -mavx512vnni; nothing here may run before mb_cpu_has_vnni() has
 * said yes.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__x86_64__)

#include "kernels/x86/low_precision_avx512.h"
#include "kernels/reduced.h"
#include "kernels/reduced_layout.h"
#include "kernels/x86/simd_avx512.h"

#include "kernels/finish_template.h"

#include <string.h>

#define ADD(sum, x, w) \
	__asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w))

#define OPEN(r) \
	const uint8_t *x##r = x + r * MB_LINE; \
	__m512i a##r = _mm512_setzero_si512(), b##r = a##r

/* 4 bytes, whatever their alignment and type */
static inline int32_t
quad(const uint8_t *p)
{
	int32_t		v;

	memcpy(&v, p, sizeof(v));
	return v;
}

#define EACH(r) \
	do { \
		__m512i v = _mm512_set1_epi32(quad(x##r + at)); \
		\
		ADD(a##r, v, w0); \
		ADD(b##r, v, w1); \
	} while (0)

#define CLOSE(r) \
	do { \
		_mm512_store_si512(sums[r], a##r); \
		_mm512_store_si512(sums[r] + MB_TILE, b##r); \
	} while (0)

/*
 * What is prefetched with each pair of lines of weights: nothing, a pair of the
 * next panel, or "part" bytes of it where several blocks of rows take turns.
 * Fill buffers are few: when the first eight rows of 32 alone prefetched the
 * next panel, these had to wait.
 */
#define PREFETCH_NONE
#define PREFETCH_PAIR \
	__builtin_prefetch(next, 0, 2); \
	__builtin_prefetch(next + MB_LINE, 0, 2); \
	next += 2 * MB_LINE
#define PREFETCH_PART \
	__builtin_prefetch(next, 0, 2); \
	next += part

/*
 * Rows from x on, "deep" tiles along k, with the strip at w and the next one.
 * ROWS_DO applies a macro to each row's number.
 */
#define BODY(ROWS_DO, PREFETCH) \
	const uint8_t *w_next = w + deep * MB_TILE_BYTES; \
	size_t t; \
	size_t i; \
	ROWS_DO(OPEN); \
	\
	for (t = 0; t < deep; t++) \
	{ \
		for (i = 0; i < MB_TILE; i++) \
		{ \
			size_t at = t * MB_TILE_BYTES + i * MB_INT8_STEP; \
			__m512i w0 = _mm512_load_si512(w + t * MB_TILE_BYTES + \
										   i * MB_LINE); \
			__m512i w1 = _mm512_load_si512(w_next + t * MB_TILE_BYTES + \
										   i * MB_LINE); \
			\
			PREFETCH; \
			ROWS_DO(EACH); \
		} \
	} \
	ROWS_DO(CLOSE)

#define ROWS(name, ROWS_DO) \
static void \
name(const uint8_t *x, const uint8_t *w, size_t deep, \
	 int32_t (*sums)[MB_PANEL]) \
{ \
	BODY(ROWS_DO, PREFETCH_NONE); \
} \
static void \
name##_pair(const uint8_t *x, const uint8_t *w, size_t deep, \
			int32_t (*sums)[MB_PANEL], const uint8_t *next) \
{ \
	BODY(ROWS_DO, PREFETCH_PAIR); \
} \
static void \
name##_part(const uint8_t *x, const uint8_t *w, size_t deep, \
			 int32_t (*sums)[MB_PANEL], const uint8_t *next, size_t part) \
{ \
	BODY(ROWS_DO, PREFETCH_PART); \
}

ROWS(rows_1, MB_ROWS_1)
ROWS(rows_2, MB_ROWS_2)
ROWS(rows_4, MB_ROWS_4)
ROWS(rows_8, MB_ROWS_8)

#define SUMS(name) \
	do { \
		if (next == NULL) \
			name(x, w, deep, sums); \
		else if (part >= 2 * MB_LINE) \
			name##_pair(x, w, deep, sums, next); \
		else \
			name##_part(x, w, deep, sums, next, part); \
	} while (0)

/* Sums of a group's rows; the panel at next, unless NULL, is prefetched. */
static void
group_sums(int8_group *group, size_t rows, size_t deep, const uint8_t *w,
		   const uint8_t *next, sums_block *block)
{
	size_t		part = 2 * MB_LINE / (rows > 16 ? 4 : rows > 8 ? 2 : 1);
	size_t		r = 0;

	/* eight rows at a multiple of eight lie in one tile; so do the parts */
	while (r < rows)
	{
		const uint8_t *x = rows_line(group->tiles, deep, r, 0);
		int32_t		(*sums)[MB_PANEL] = &block->i[r];
		size_t		left = rows - r;

		if (left >= 8)
			SUMS(rows_8);
		else if (left >= 4)
			SUMS(rows_4);
		else if (left >= 2)
			SUMS(rows_2);
		else
			SUMS(rows_1);
		r += left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
		if (next != NULL)
			next = part < 2 * MB_LINE ? next + deep * MB_TILE * part : NULL;
	}
}

/* ----------
 * Results that go into the next product's operand
 * ----------
 */

/* GELU of few bits of n outputs of a block from lane i on, into y */
MB_INLINE void
finish_gelu(const finish_job *job, bool floats, size_t i, size_t n)
{
	const mb_product *p = job->p;
	finish_vectors v = load_finish(p, job->column + i, n);
	float	   *y = p->y + job->row * p->n + job->column + i;
	size_t		r;

	for (r = 0; r < job->rows; r++, y += p->n)
	{
		vf			x = floats ? v_load(job->block->f[r] + i) :
			integers(job->group, job->block, r, i, &v, v.bias);

		v_store_part(y, gelu_approximate(x), n);
	}
}

/*
 * Rows of a block become y, which is to be integers.  Without an instruction for
 * it, rounding y to bfloat16 takes longer than half the memory saves.
 */
static void
store_next_operand(const finish_job *job)
{
	size_t		i;

	if (job->p->activation != MB_ACT_GELU)
	{
		finish_rows(job, 0, job->rows);
		return;
	}
	if (settle(job, false, 0, job->rows))
		for (i = 0; i < job->width; i += MB_LANES)
			finish_gelu(job, true, i, v_lanes(job->width, i));
	else
		for (i = 0; i < job->width; i += MB_LANES)
			finish_gelu(job, false, i, v_lanes(job->width, i));
}

/*
 * As linear_int8(), but during the first group of rows the next panel is
 * prefetched: with few rows there is little else to wait for.
 */
static void
run_int8(const mb_product *p)
{
	sums_block	block __attribute__((aligned(64)));
	size_t		deep = depth(MB_FORMAT_INT8, p->k);
	size_t		end = p->first + p->width;
	size_t		column;
	size_t		row;

	for (column = p->first; column < end; column += MB_PANEL)
	{
		const uint8_t *w = panel_strip(MB_FORMAT_INT8, p->linear->panels, p->k,
									   column);
		const uint8_t *next = panel_after(MB_FORMAT_INT8, p, column);

		for (row = 0; row < p->rows; row += MB_GROUP)
		{
			int8_group *group = int8_group_at(p->operand, p->k, row / MB_GROUP);
			finish_job	job = finish_job_make(p, group, &block, row, column);

			group_sums(group, job.rows, deep, w, row == 0 ? next : NULL,
					   &block);
			if (p->next == NULL)
				finish_rows(&job, 0, job.rows);
			else
				store_next_operand(&job);
		}
	}
	if (p->next != NULL && end == p->n)
		mb_prepare_int8_avx512(p->y, p->rows, p->n, p->next);
}

const mb_linear_kernel mb_int8_vnni = {
	.run = run_int8,
	.operand_size = mb_operand_size_int8,
	.prepare = mb_prepare_int8_avx512,
	.chained = true,
	.attention = true
};

#endif							/* __x86_64__ */
