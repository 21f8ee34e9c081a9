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
 * 2^-22 of the whole product, and 2^-24 on average.  As small ones are added up
 * first, what rounds is mostly the sum of ah wh: tiles add up 32 inputs from
 * zero in two chains of 16, then CHUNK of these, and vectors add up the chunks.
 * Errors are less than those of kernels that multiply floats and add up one
 * after the other.
 *
 * Weights of 16 bits have fewer parts; what is left out for them is zero, and
 * changes no bit.
 *
 * Tiles take subnormal numbers for zero, so that numbers below 2^-110 lose
 * their low parts.  What is not finite becomes NaN.
 *
 * Source: for the method Henry, Tang and Heinecke, "Leveraging the bfloat16
 * Artificial Intelligence Datatype For Higher-Precision Computations", 2019.
 * Depends on split.h, amx.h, arena.h (sizes).  Compiled as reduced_amx.c, whose
 * mb_begin_amx() sets up the tiles for both.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__x86_64__)

#include "split.h"

#include "amx.h"
#include "arena.h"

#define PARTS 3

/* Steps along k, of 32 inputs, that are added up in tiles before vectors do */
#define CHUNK ((size_t) 4)

/* Bytes of a part of a step: two tiles */
#define PART_BYTES ((size_t) 2 * AMX_BYTES)

/*
 * How far ahead weights are asked for, in bytes.  Maps lie in the order of use,
 * so that behind the last panel comes the next map.
 */
#define AHEAD ((size_t) 16 * 1024)

/* A step of rows: its parts, high first, as split.h has it for weights */
#define ROWS_STEP (PARTS * PART_BYTES)

/*
 * mb_product.operand: this, the rows in groups, their steps one behind the
 * other, and the sums so far of each group with the panel in work.
 */
typedef struct split_operand
{
	sums_block	sums[2];		/* of the chunk in work and of the one before */
	uint8_t		rest[];
} split_operand;

static inline size_t
steps_of(size_t k)
{
	return depth(MB_FORMAT_FLOAT_SPLIT, k);
}

/* Bytes of a group of rows */
static inline size_t
group_bytes(size_t k)
{
	return steps_of(k) * ROWS_STEP;
}

/* The group that begins with "row" */
static inline uint8_t *
rows_of(void *operand, size_t row, size_t k)
{
	return ((split_operand *) operand)->rest + row / GROUP * group_bytes(k);
}

/* The sums so far, a block for each group */
static inline sums_block *
totals_of(split_operand *operand, size_t rows, size_t k)
{
	return (sums_block *) (operand->rest +
						   (rows + GROUP - 1) / GROUP * group_bytes(k));
}

size_t
mb_operand_size_split_amx(size_t rows, size_t k)
{
	size_t		size;

	if (k > SIZE_MAX / (16 * GROUP) ||
		!mb_size_add(mb_groups_size(rows, group_bytes(k) + sizeof(sums_block)),
					 sizeof(split_operand), &size))
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
ALWAYS void
split_line(vf a, vf b, uint8_t *line)
{
	size_t		part;

	for (part = 0; part < PARTS; part++, line += PART_BYTES)
	{
		_mm512_store_si512((void *) line, pair_line(a, b));
		a = a - cut(a);
		b = b - cut(b);
	}
}

void
mb_prepare_split_amx(const float *x, size_t rows, size_t k, void *operand)
{
	size_t		r;
	size_t		i;

	for (r = 0; r < rows; r++, x += k)
	{
		uint8_t    *line = rows_of(operand, r, k) + r % GROUP * LINE;

		for (i = 0; i < k; i += BF16_DEEP, line += ROWS_STEP)
			split_line(row_lanes(x, k, i), row_lanes(x, k, i + VW), line);
	}
}

/* A group of rows times a chunk of a panel */
typedef struct chunk_job
{
	const uint8_t *x;			/* the group's rows */
	const uint8_t *w;			/* the panel */
	size_t		steps;
	sums_block *sums;			/* to make */
	const uint8_t *ahead;		/* what to ask for meanwhile, as large as the
								 * chunk's weights; NULL: nothing */
} chunk_job;

/* What becomes of a chunk's sums: added to totals, and those finished */
typedef struct total_job
{
	finish_job	finish;			/* of totals */
	const sums_block *sums;		/* to add, or NULL */
	bool		last;			/* there is no chunk behind */
} total_job;

/* totals[r, end) += sums */
static inline void
add_sums(const total_job *job, size_t r, size_t end)
{
	sums_block *totals = job->finish.block;

	for (; r < end; r++)
	{
		v_store(totals->f[r], v_load(totals->f[r]) + v_load(job->sums->f[r]));
		v_store(totals->f[r] + VW, v_load(totals->f[r] + VW) +
				v_load(job->sums->f[r] + VW));
	}
}

/*
 * Rows [r, end) of totals become inputs of the next maps, as finish_rows()
 * would write them: the 32 outputs of a panel are a step along k.
 */
static inline void
hand_over(const finish_job *job, size_t r, size_t end)
{
	const mb_product *p = job->p;
	uint8_t    *step = rows_of(p->next, job->row, p->n) +
		job->column / MB_PANEL * ROWS_STEP;
	bool		relu = p->activation == MB_ACT_RELU;
	vf			bias_a = v_set1(0.0f);
	vf			bias_b = bias_a;

	if (is_elaborate(p->activation))
		activate(job, r, end);	/* with the bias */
	else if (p->map->bias != NULL)
	{
		bias_a = row_lanes(p->map->bias + job->column, job->width, 0);
		bias_b = row_lanes(p->map->bias + job->column, job->width, VW);
	}
	for (; r < end; r++)
	{
		vf			a = row_lanes(job->block->f[r], job->width, 0) + bias_a;
		vf			b = row_lanes(job->block->f[r], job->width, VW) + bias_b;

		if (relu)
		{
			a = v_relu(a);
			b = v_relu(b);
		}
		split_line(a, b, step + r * LINE);
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
		hand_over(&job->finish, r, end);
	else
		finish_rows(&job->finish, r, end);
}

/* Tile number i from "ahead" on, unless NULL, into the second level */
ALWAYS void
ask_tile(const uint8_t *ahead, size_t i)
{
	if (ahead != NULL)
		ask_ahead(ahead + i * AMX_BYTES, AMX_BYTES, 1);
}

/* Part "part" of a step of rows (two: more than a tile of them) */
ALWAYS void
load_rows(const uint8_t *x, int part, bool two)
{
	LOAD(4, x + part * PART_BYTES);
	if (two)
		LOAD(5, x + part * PART_BYTES + AMX_BYTES);
}

/* The same of weights */
ALWAYS void
load_weights(const uint8_t *w, int part)
{
	LOAD(6, w + part * PART_BYTES);
	LOAD(7, w + part * PART_BYTES + AMX_BYTES);
}

/*
 * All products of a step but the largest; between them a tile each of what lies
 * ahead, rather than all at once, which would stop the products.
 */
ALWAYS void
small_products(const uint8_t *x, const uint8_t *w, int parts, bool two,
			   const uint8_t *ahead)
{
	load_rows(x, 0, two);
	if (parts > 1)
	{
		load_weights(w, 1);
		MULTIPLY(_tile_dpbf16ps);
		ask_tile(ahead, 1);
	}
	if (parts > 2)
	{
		load_weights(w, 2);
		MULTIPLY(_tile_dpbf16ps);
		ask_tile(ahead, 2);
		ask_tile(ahead, 3);
	}
	load_rows(x, 1, two);
	if (parts > 1)
	{
		load_weights(w, 1);
		MULTIPLY(_tile_dpbf16ps);
		ask_tile(ahead, parts == 2 ? 2 : 4);
	}
	load_weights(w, 0);
	MULTIPLY(_tile_dpbf16ps);
	ask_tile(ahead, 0);
	load_rows(x, 2, two);
	MULTIPLY(_tile_dpbf16ps);
}

/*
 * One chunk_job; between its steps the job before: the tiles' unit and the
 * vectors' work at the same time.
 */
ALWAYS void
multiply_chunk(const chunk_job *now, int parts, bool two,
			   const total_job *before)
{
	size_t		rows = before == NULL ? 0 : before->finish.rows;
	size_t		step = (size_t) parts * PART_BYTES;
	size_t		s;

	clear_sums();
	for (s = 0; s < now->steps; s++)
	{
		small_products(now->x + s * ROWS_STEP, now->w + s * step, parts, two,
					   now->ahead == NULL ? NULL : now->ahead + s * step);
		if (before != NULL)
			total_rows(before, rows * s / now->steps,
					   rows * (s + 1) / now->steps);
	}
	for (s = 0; s < now->steps; s++)
	{
		load_rows(now->x + s * ROWS_STEP, 0, two);
		load_weights(now->w + s * step, 0);
		MULTIPLY(_tile_dpbf16ps);
		if (now->ahead != NULL)
			ask_tile(now->ahead + (s + 1) * step - AMX_BYTES, 0);
	}
	store_sums(now->sums, two);
	BARRIER;
}

/*
 * Panel by panel, chunk by chunk, group by group of rows: the weights of a
 * chunk are near for all rows.  What a job has multiplied is totalled during
 * the next.
 */
ALWAYS void
linear_amx(const mb_product *p, int parts)
{
	split_operand *operand = p->operand;
	sums_block *totals = totals_of(operand, p->rows, p->k);
	size_t		step = (size_t) parts * PART_BYTES;
	size_t		steps = steps_of(p->k);
	size_t		end = p->first + p->width;
	total_job	jobs[2];
	const total_job *before = NULL;
	int			now = 0;
	size_t		column;
	size_t		chunk;
	size_t		row;

	for (column = p->first; column < end; column += MB_PANEL)
	{
		const uint8_t *panel = (const uint8_t *) p->map->panels +
			column / MB_PANEL * steps * step;

		for (chunk = 0; chunk < steps; chunk += CHUNK)
		{
			for (row = 0; row < p->rows; row += GROUP)
			{
				size_t		group = row / GROUP;
				total_job  *job = &jobs[now];
				const uint8_t *w = panel + chunk * step;
				chunk_job	multiply = {
					rows_of(operand, row, p->k) + chunk * ROWS_STEP,
					w,
					steps - chunk < CHUNK ? steps - chunk : CHUNK,
					chunk == 0 ? &totals[group] : &operand->sums[now],
					row == 0 ? w + AHEAD : NULL
				};

				job->finish = finish_job_make(p, NULL, &totals[group], row,
											  column);
				job->sums = chunk == 0 ? NULL : multiply.sums;
				job->last = chunk + CHUNK >= steps;
				if (job->finish.rows > TILE)
					multiply_chunk(&multiply, parts, true, before);
				else
					multiply_chunk(&multiply, parts, false, before);
				before = job;
				now ^= 1;
			}
		}
	}
	if (before != NULL)
		total_rows(before, 0, before->finish.rows);
}

void
mb_linear_float_split_amx(const mb_product *p)
{
	linear_amx(p, 3);
}

void
mb_linear_half_split_amx(const mb_product *p)
{
	linear_amx(p, 2);
}

void
mb_linear_bfloat_split_amx(const mb_product *p)
{
	linear_amx(p, 1);
}

#endif							/* __x86_64__ */
