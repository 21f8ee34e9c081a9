/*-------------------------------------------------------------------------
 *
 * split_amx.c
 *	  Products of floats for processors with AMX, whose tiles take bfloat16.
 *
 * Of the nine products of parts (split.h) six are made: with a for activations
 * and w for weights, high, middle and low,
 *
 *	ah wm + ah wl + am wm + am wh + al wh	and then ah wh
 *
 * each exact, and added up in float.  The three that are left out are less than
 * 2^-21 of the whole product, and 2^-24 on average.  As small ones are added up
 * first, what rounds is mostly the sum of ah wh: tiles add up 32 inputs from
 * zero in two chains of 16, then CHUNK of these, and vectors add up the chunks.
 * Errors are less than those of kernels that multiply floats and add up one
 * after the other.
 *
 * Weights of 16 bits have fewer parts; what is left out for them is zero, and
 * changes no bit.
 *
 * Tiles take subnormal numbers for zero, so that numbers below 2^-110 lose
 * their low parts.  What is not finite becomes NaN, as do weights whose nearest
 * bfloat16 is infinite (from 3.3961e38 on).
 *
 * Source: for the method Henry, Tang and Heinecke, "Leveraging the bfloat16
 * Artificial Intelligence Datatype For Higher-Precision Computations", 2019.
 * Depends on base/arena.h (sizes), kernels/x86/amx.h, kernels/finish_template.h,
 * kernels/reduced_layout.h, kernels/x86/simd_avx512.h, kernels/split.h.  Compiled
 * as reduced_amx.c, whose mb_begin_amx() sets up the tiles for both.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__x86_64__)

#include "base/arena.h"
#include "kernels/x86/amx.h"
#include "kernels/reduced_layout.h"
#include "kernels/x86/simd_avx512.h"
#include "kernels/split.h"

#include "kernels/finish_template.h"

#define PARTS 3

/* Steps along k, of 32 inputs, that are added up in tiles before vectors do */
#define CHUNK ((size_t) 4)

/* Bytes of a part of a step: two tiles */
#define PART_BYTES ((size_t) 2 * MB_TILE_BYTES)

/*
 * Weights are prefetched so many steps ahead, each line of them.  Layers lie in
 * the order of use, so that after the last panel comes the next layer.
 */
#define AHEAD(parts) ((parts) == 3 ? (size_t) 2 : (size_t) 4)

/*
 * What is made of a step of weights: middle parts, and low ones after them.
 * One group of rows has two such slots, for this step and the next: more would
 * not stay in the first level beside all else.  More groups have this chunk and
 * the next.
 */
#define SLOT_BYTES (2 * PART_BYTES)
#define FEW_SLOTS ((size_t) 2)
#define SLOTS (2 * CHUNK)

/*
 * A step of a tile of rows: its parts, high first.  Tiles lie one after the
 * other, so that the first level holds little for a short text.
 */
#define ROWS_STEP (PARTS * (size_t) MB_TILE_BYTES)

/*
 * mb_product.operand: this, the rows in tiles, their steps one after the
 * other, and the sums so far of each group with this panel.
 */
typedef struct split_operand
{
	sums_block	sums[2];		/* of this chunk and of the one before */
	uint8_t		slots[][SLOT_BYTES];
} split_operand;

/* How many slots are there for so many rows? */
static inline size_t
slots_of(size_t rows)
{
	return rows > MB_GROUP ? SLOTS : FEW_SLOTS;
}

/* Bytes that are kept of a step of weights of so many parts */
static inline size_t
kept_bytes(int parts)
{
	return parts == 3 ? 2 * PART_BYTES : parts == 2 ? PART_BYTES / 4 * 5 :
		PART_BYTES;
}

static inline size_t
steps_of(size_t k)
{
	return depth(MB_FORMAT_FLOAT_SPLIT, k);
}

/* Bytes of a tile of rows, all steps */
static inline size_t
tile_bytes(size_t k)
{
	return steps_of(k) * ROWS_STEP;
}

/* The line of a row, one of so many, of the first part of the first step */
static inline uint8_t *
row_of(void *operand, size_t rows, size_t row, size_t k)
{
	return ((split_operand *) operand)->slots[slots_of(rows)] +
		row / MB_TILE * tile_bytes(k) + row % MB_TILE * MB_LINE;
}

/* The sums so far, a block for each group */
static inline sums_block *
totals_of(split_operand *operand, size_t rows, size_t k)
{
	size_t		groups = (rows + MB_GROUP - 1) / MB_GROUP;

	return (sums_block *) row_of(operand, rows, groups * MB_GROUP, k);
}

static size_t
split_operand_size(size_t rows, size_t k)
{
	size_t		size;

	if (k > SIZE_MAX / (16 * MB_GROUP) ||
		!mb_size_add(mb_groups_size(rows, MB_GROUP / MB_TILE * tile_bytes(k) +
									sizeof(sums_block)),
					 sizeof(split_operand) + slots_of(rows) * SLOT_BYTES, &size))
		return SIZE_MAX;
	return size;
}

/* The upper half of a float, which is a bfloat16 */
#define UPPER_HALF _mm512_set1_epi32((int) 0xffff0000)

/* The upper 8 bits of mantissa */
static inline vf
cut(vf x)
{
	return _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(x),
												UPPER_HALF));
}

/* The upper halves of a and b side by side, a below */
static inline __m512i
pair_line(vf a, vf b)
{
	__m512i		low = _mm512_srli_epi32(_mm512_castps_si512(a), 16);

	/* (b & UPPER_HALF) | low */
	return _mm512_ternarylogic_epi32(_mm512_castps_si512(b), UPPER_HALF, low,
									 0xea);
}

/*
 * Parts of 32 inputs of a row, to a line of each part: cut off rather than
 * rounded, which is exact as well and takes half the time.
 */
MB_INLINE void
split_line(vf a, vf b, uint8_t *line)
{
	size_t		part;

	for (part = 0; part < PARTS; part++, line += MB_TILE_BYTES)
	{
		_mm512_store_si512((void *) line, pair_line(a, b));
		a = a - cut(a);
		b = b - cut(b);
	}
}

static void
prepare_split(const float *x, size_t rows, size_t k, void *operand)
{
	size_t		r;
	size_t		i;

	for (r = 0; r < rows; r++, x += k)
	{
		uint8_t    *line = row_of(operand, rows, r, k);

		for (i = 0; i < k; i += MB_BF16_DEEP, line += ROWS_STEP)
			split_line(v_load_row(x, k, i), v_load_row(x, k, i + MB_LANES),
					   line);
	}
}

/*
 * A line of middle and low parts from what FLOAT_SPLIT keeps: the floats are put
 * together, and what they are above their high parts is cut as split_line()
 * does it.
 */
MB_INLINE void
unpack_line(const uint8_t *from, uint8_t *to)
{
	const __m512i half_step = _mm512_set1_epi32(0x8000);
	const __m512i lower = _mm512_set1_epi32(0xffff);
	__m512i		high = _mm512_load_si512((const void *) from);
	__m512i		rest = _mm512_load_si512((const void *) (from + PART_BYTES));
	__m512i		a = _mm512_slli_epi32(high, 16);
	__m512i		b = _mm512_and_si512(high, UPPER_HALF);
	__m512i		all_a = _mm512_ternarylogic_epi32(a, rest, lower, 0xf8);
	__m512i		all_b = _mm512_or_si512(b, _mm512_srli_epi32(rest, 16));
	vf			x = (vf) _mm512_sub_epi32(all_a, half_step) - (vf) a;
	vf			y = (vf) _mm512_sub_epi32(all_b, half_step) - (vf) b;

	_mm512_store_si512((void *) to, pair_line(x, y));
	x = x - cut(x);
	y = y - cut(y);
	_mm512_store_si512((void *) (to + PART_BYTES), pair_line(x, y));
}

/*
 * By the 4 bits of HALF_SPLIT: what makes the middle part of the high one's sign
 * and exponent when it is added: exponent and mantissa of the number as a
 * bfloat16, and the sign bit for a negative one.  Twice, as indices have five bits.
 */
#define MIDDLE_PARTS \
	0, 0xfa80, 0xfb00, 0xfb40, 0xfb80, 0xfba0, 0xfbc0, 0xfbe0, \
	0x7c00, 0x7be0, 0x7bc0, 0x7ba0, 0x7b80, 0x7b40, 0x7b00, 0x7a80

static const uint16_t middle_parts[] __attribute__((aligned(MB_LINE))) = {
	MIDDLE_PARTS, MIDDLE_PARTS
};

/* A line of middle parts: of high parts, and 4 bits of each byte of rest */
MB_INLINE void
unpack_half_line(const uint8_t *from, const uint8_t *rest, bool upper,
				 uint8_t *to)
{
	const __m512i table = _mm512_load_si512((const void *) middle_parts);
	const __m512i power = _mm512_set1_epi16((short) 0xff80);
	__m256i		bytes = _mm256_load_si256((const void *) rest);
	__m512i		i = _mm512_srl_epi16(_mm512_cvtepu8_epi16(bytes),
									 _mm_cvtsi32_si128(upper ? 4 : 0));
	__mmask32	some = _mm512_test_epi16_mask(i, _mm512_set1_epi16(15));
	__m512i		high = _mm512_load_si512((const void *) from);
	__m512i		part = _mm512_permutexvar_epi16(i, table);

	high = _mm512_and_si512(high, power);
	_mm512_store_si512((void *) to, _mm512_maskz_add_epi16(some, high, part));
}

/*
 * The next weights, which are made ready between the products of others: lines
 * are unpacked and those AHEAD of them prefetched, or this only.
 */
typedef struct weight_stream
{
	const uint8_t *from;		/* steps as they are kept */
	uint8_t    *to;				/* slots to unpack into */
	size_t		line;			/* the next one */
	size_t		end;
	size_t		calls;			/* of stream_advance() that are left */
} weight_stream;

/* Lines of a step that make a line of each of its parts */
#define STEP_LINES (PART_BYTES / MB_LINE)

/* Lines up to "end" */
MB_INLINE void
unpack(weight_stream *stream, int parts, size_t end)
{
	const size_t ahead = AHEAD(parts) * kept_bytes(parts);

	for (; stream->line < end; stream->line++)
	{
		size_t		step = stream->line / STEP_LINES;
		size_t		line = stream->line % STEP_LINES;
		const uint8_t *from = stream->from + step * kept_bytes(parts);
		const uint8_t *rest_of_step = from + PART_BYTES;
		uint8_t    *to = stream->to + step * SLOT_BYTES + line * MB_LINE;

		from += line * MB_LINE;
		rest_of_step += line * MB_LINE / (parts == 3 ? 1 : 4);
		__builtin_prefetch(from + ahead, 0, 2);
		if (parts == 3 || line % 4 == 0)
			__builtin_prefetch(rest_of_step + ahead, 0, 2);
		if (parts == 3)
			unpack_line(from, to);
		else
			unpack_half_line(from, rest_of_step - line % 2 * (MB_LINE / 4),
							 line % 2, to);
	}
}

/* A group of rows times a chunk of a panel */
typedef struct chunk_job
{
	const uint8_t *x;			/* the group's rows */
	size_t		tile;			/* bytes to the second tile of them */
	const uint8_t *w;			/* the chunk's weights */
	size_t		steps;
	sums_block *sums;			/* to make */
	weight_stream stream;		/* of this job, but for its calls; not used where
								 * one group's weights are unpacked */
	/* Where weights are unpacked: */
	uint8_t    *slots;			/* of the chunk; with one group: the two */
	size_t		slot;			/* one group: number of the first step */
	const uint8_t *next;		/* one group: the step after the last, or NULL */
} chunk_job;

/* Calls of stream_advance() in small_products() */
#define SMALL_CALLS(parts) ((parts) == 1 ? 2 : (parts) + 2)

/* What becomes of a chunk's sums: added to totals, and those finished */
typedef struct total_job
{
	finish_job	finish;			/* of totals */
	const sums_block *sums;		/* to add, or NULL */
	bool		last;			/* there is no chunk after this */
} total_job;

/* totals[r, end) += sums */
static inline void
add_sums(const total_job *job, size_t r, size_t end)
{
	sums_block *totals = job->finish.block;

	for (; r < end; r++)
	{
		v_store(totals->f[r], v_load(totals->f[r]) + v_load(job->sums->f[r]));
		v_store(totals->f[r] + MB_LANES, v_load(totals->f[r] + MB_LANES) +
				v_load(job->sums->f[r] + MB_LANES));
	}
}

/*
 * Rows [r, end) of totals become inputs of the next layers, as finish_rows()
 * would write them: the 32 outputs of a panel are a step along k.
 */
static inline void
store_next_operand(const finish_job *job, size_t r, size_t end)
{
	const mb_product *p = job->p;
	size_t		step = job->column / MB_PANEL;
	bool		relu = p->activation == MB_ACT_RELU;
	vf			bias_a = v_set1(0.0f);
	vf			bias_b = bias_a;

	if (is_elaborate(p->activation))
		activate(job, r, end);	/* with the bias */
	else if (p->linear->bias != NULL)
	{
		bias_a = v_load_row(p->linear->bias + job->column, job->width, 0);
		bias_b = v_load_row(p->linear->bias + job->column, job->width, MB_LANES);
	}
	for (; r < end; r++)
	{
		vf			a = v_load_row(job->block->f[r], job->width, 0) + bias_a;
		vf			b = v_load_row(job->block->f[r], job->width, MB_LANES) +
			bias_b;

		if (relu)
		{
			a = v_relu(a);
			b = v_relu(b);
		}
		split_line(a, b, row_of(p->next, p->rows, job->row + r, p->n) +
				   step * ROWS_STEP);
	}
}

/* What total_job says, for rows [r, end) of the group */
static void
total_rows(const total_job *job, size_t r, size_t end)
{
	if (job->sums != NULL)
		add_sums(job, r, end);
	if (!job->last)
		return;
	if (job->finish.p->next != NULL)
		store_next_operand(&job->finish, r, end);
	else
		finish_rows(&job->finish, r, end);
}

/* Part "part" of a step of rows (two: more than a tile of them) */
MB_INLINE void
load_rows(const uint8_t *x, size_t tile, int part, bool two)
{
	MB_LOAD_TILE(4, x + part * MB_TILE_BYTES);
	if (two)
		MB_LOAD_TILE(5, x + tile + part * MB_TILE_BYTES);
}

/* A part of a step of weights */
MB_INLINE void
load_weights(const uint8_t *w)
{
	MB_LOAD_TILE(6, w);
	MB_LOAD_TILE(7, w + MB_TILE_BYTES);
}

/* What is due between two products */
MB_INLINE void
stream_advance(weight_stream *stream, int parts)
{
	size_t		end = stream->line +
		(stream->end - stream->line) / stream->calls--;

	if (parts > 1)
		unpack(stream, parts, end);
	else if (end > stream->line)
	{
		prefetch_lines(stream->from + AHEAD(1) * kept_bytes(1) +
					   stream->line * MB_LINE,
					   (end - stream->line) * MB_LINE, 1);
		stream->line = end;
	}
}

/*
 * All products of a step but the largest.  high, middle: parts of the weights,
 * low ones after the middle
 */
MB_INLINE void
small_products(const uint8_t *x, size_t tile, const uint8_t *high,
			   const uint8_t *middle, int parts, bool two,
			   weight_stream *stream)
{
	load_rows(x, tile, 0, two);
	if (parts > 1)
	{
		load_weights(middle);
		MB_MULTIPLY_TILES(_tile_dpbf16ps, two);
		stream_advance(stream, parts);
	}
	if (parts > 2)
	{
		load_weights(middle + PART_BYTES);
		MB_MULTIPLY_TILES(_tile_dpbf16ps, two);
		stream_advance(stream, parts);
	}
	load_rows(x, tile, 1, two);
	if (parts > 1)
	{
		load_weights(middle);
		MB_MULTIPLY_TILES(_tile_dpbf16ps, two);
		stream_advance(stream, parts);
	}
	load_weights(high);
	MB_MULTIPLY_TILES(_tile_dpbf16ps, two);
	stream_advance(stream, parts);
	load_rows(x, tile, 2, two);
	MB_MULTIPLY_TILES(_tile_dpbf16ps, two);
	stream_advance(stream, parts);
}

/*
 * One chunk_job; between its steps the job before: the tiles' unit and the
 * vectors' work at the same time.  alone: there is one group of rows.
 */
MB_INLINE void
multiply_chunk(const chunk_job *now, int parts, bool two, bool alone,
			   const total_job *before)
{
	size_t		rows = before == NULL ? 0 : before->finish.rows;
	size_t		step = kept_bytes(parts);
	weight_stream stream = now->stream;
	size_t		s;

	stream.calls = now->steps * (SMALL_CALLS(parts) + 1);
	clear_sums();
	for (s = 0; s < now->steps; s++)
	{
		const uint8_t *w = now->w + s * step;
		const uint8_t *middle = NULL;

		if (parts > 1)
		{
			size_t		slot = alone ? now->slot + s : s;

			middle = now->slots + (alone ? slot % 2 : slot) * SLOT_BYTES;
			if (alone)
			{
				bool		last = s + 1 == now->steps;

				stream.from = last ? now->next : w + step;
				stream.to = now->slots + (slot + 1) % 2 * SLOT_BYTES;
				stream.line = 0;
				stream.end = stream.from == NULL ? 0 : STEP_LINES;
				stream.calls = SMALL_CALLS(parts) + (last ? now->steps : 0);
			}
			MB_BARRIER;
		}
		small_products(now->x + s * ROWS_STEP, now->tile, w, middle, parts, two,
					   &stream);
		if (before != NULL)
			total_rows(before, rows * s / now->steps,
					   rows * (s + 1) / now->steps);
	}
	for (s = 0; s < now->steps; s++)
	{
		load_rows(now->x + s * ROWS_STEP, now->tile, 0, two);
		load_weights(now->w + s * step);
		MB_MULTIPLY_TILES(_tile_dpbf16ps, two);
		stream_advance(&stream, parts);
	}
	store_sums(now->sums, two);
	MB_BARRIER;
}

/* Steps of the chunk that begins with a step */
static inline size_t
chunk_steps(size_t steps, size_t first)
{
	return steps - first < CHUNK ? steps - first : CHUNK;
}

/*
 * Panel by panel, chunk by chunk, group by group of rows: the weights of a
 * chunk stay in the cache for all rows.  What a job has multiplied is totalled
 * during the next.
 */
MB_INLINE void
linear_groups(const mb_product *p, int parts, bool alone)
{
	split_operand *operand = p->operand;
	sums_block *totals = totals_of(operand, p->rows, p->k);
	size_t		step = kept_bytes(parts);
	size_t		steps = steps_of(p->k);
	size_t		end = p->first + p->width;
	const uint8_t *w = (const uint8_t *) p->linear->panels +
		p->first / MB_PANEL * steps * step;
	size_t		groups = (p->rows + MB_GROUP - 1) / MB_GROUP;
	size_t		slot = 0;
	int			turn = 0;		/* which half of the slots the chunk has */
	total_job	jobs[2];
	const total_job *before = NULL;
	int			now = 0;
	size_t		column;
	size_t		chunk;
	size_t		row;

	if (parts > 1)
	{
		weight_stream first = {w, operand->slots[0], 0, 0, 0};

		unpack(&first, parts,
			   (alone ? 1 : chunk_steps(steps, 0)) * STEP_LINES);
	}
	for (column = p->first; column < end; column += MB_PANEL)
	{
		for (chunk = 0; chunk < steps; chunk += CHUNK, turn ^= 1)
		{
			size_t		some = chunk_steps(steps, chunk);
			bool		last = chunk + some == steps;
			const uint8_t *next = last && column + MB_PANEL >= end ? NULL :
				w + some * step;
			size_t		lines = next == NULL ? 0 :
				chunk_steps(steps, last ? 0 : chunk + some) * STEP_LINES;

			for (row = 0; row < p->rows; row += MB_GROUP)
			{
				size_t		group = row / MB_GROUP;
				total_job  *job = &jobs[now];
				chunk_job	multiply = {
					.x = row_of(operand, p->rows, row, p->k) +
						chunk * ROWS_STEP,
					.tile = tile_bytes(p->k),
					.w = w,
					.steps = some,
					.sums = chunk == 0 ? &totals[group] : &operand->sums[now],
					.slots = operand->slots[alone ? 0 : turn * CHUNK],
					.slot = slot,
					.next = next
				};

				if (parts == 1)
				{
					multiply.stream.from = w;
					multiply.stream.end = row == 0 ? some * step / MB_LINE : 0;
				}
				else if (!alone)
				{
					multiply.stream.from = next;
					multiply.stream.to = operand->slots[(turn ^ 1) * CHUNK];
					multiply.stream.line = lines * group / groups;
					multiply.stream.end = lines * (group + 1) / groups;
				}
				job->finish = finish_job_make(p, NULL, &totals[group], row,
											  column);
				job->sums = chunk == 0 ? NULL : multiply.sums;
				job->last = last;
				if (job->finish.rows > MB_TILE)
					multiply_chunk(&multiply, parts, true, alone, before);
				else
					multiply_chunk(&multiply, parts, false, alone, before);
				before = job;
				now ^= 1;
			}
			w += some * step;
			slot += some;
		}
	}
	if (before != NULL)
		total_rows(before, 0, before->finish.rows);
}

MB_INLINE void
linear_amx(const mb_product *p, int parts)
{
	if (p->rows == 0 || p->width == 0)
		return;					/* tiles without lines are no tiles */
	if (p->rows < MB_TILE)
		set_tiles(p->rows);
	if (p->rows <= MB_GROUP)
		linear_groups(p, parts, true);
	else
		linear_groups(p, parts, false);
	if (p->rows < MB_TILE)
		set_tiles(MB_TILE);
}

static void
run_float_split(const mb_product *p)
{
	linear_amx(p, 3);
}

static void
run_half_split(const mb_product *p)
{
	linear_amx(p, 2);
}

static void
run_bfloat_split(const mb_product *p)
{
	linear_amx(p, 1);
}

const mb_linear_kernel mb_float_split_amx = {
	.run = run_float_split,
	.operand_size = split_operand_size,
	.prepare = prepare_split,
	.chained = true
};

const mb_linear_kernel mb_half_split_amx = {
	.run = run_half_split,
	.operand_size = split_operand_size,
	.prepare = prepare_split,
	.chained = true
};

const mb_linear_kernel mb_bfloat_split_amx = {
	.run = run_bfloat_split,
	.operand_size = split_operand_size,
	.prepare = prepare_split,
	.chained = true
};

#endif							/* __x86_64__ */
