/*-------------------------------------------------------------------------
 *
 * reduced_simd.h
 *	  From sums of products to results, written once for vector instruction
 *	  sets.
 *
 * reduced_<isa>.c defines VW lanes of float (type vf) and
 *
 *	v_load(p), v_store(p, v)			VW lanes
 *	v_load_part(p, n), v_store_part		first n lanes from p, zeros behind
 *	v_set1(x)
 *	v_fma(a, b, c), v_fnma(a, b, c)		a * b + c and c - a * b, rounded once
 *	v_relu(x)							max(0, x); NaN stays
 *	v_ints(p)							int32_t[VW], converted
 *	v_bf16(p)							uint16_t[VW], bfloat16, widened
 *
 * Products come block by block: those of a group of rows and a panel.
 *
 * Depends on reduced_layout.h.
 *
 *-------------------------------------------------------------------------
 */
#include "reduced_layout.h"

#define ALWAYS static inline __attribute__((always_inline))

typedef union sums_block
{
	int32_t		i[GROUP][MB_PANEL];
	float		f[GROUP][MB_PANEL];
} sums_block;

/* Lanes of this step of a loop over width */
#define STEP(width, i) ((width) - (i) < VW ? (width) - (i) : VW)

ALWAYS vf
load_some(const float *p, size_t n)
{
	return n == VW ? v_load(p) : v_load_part(p, n);
}

/* Vectors of an epilogue for n outputs from column c on */
typedef struct finish_vectors
{
	vf			scale;			/* INT8 */
	vf			sum;
	vf			bias;
	vf			norm_weight;
	vf			norm_bias;
} finish_vectors;

ALWAYS finish_vectors
load_finish(const mb_product *p, size_t c, size_t n)
{
	finish_vectors v;

	v.scale = v.sum = v.bias = v.norm_weight = v.norm_bias = v_set1(0.0f);
	if (p->map->format == MB_FORMAT_INT8)
	{
		/* these are padded */
		v.scale = v_load(panel_scale(p->map->panels, p->k, p->n) + c);
		v.sum = v_load(panel_sum(p->map->panels, p->k, p->n) + c);
	}
	if (p->map->bias != NULL)
		v.bias = load_some(p->map->bias + c, n);
	if (p->norm != NULL)
	{
		v.norm_weight = load_some(p->norm->weight + c, n);
		v.norm_bias = load_some(p->norm->bias + c, n);
	}
	return v;
}

/* Results of one row from its sums */
ALWAYS void
finish_vector(const mb_product *p, const finish_vectors *v, vf sums,
			  size_t row, size_t c, size_t n)
{
	float	   *y = p->y + row * p->n + c;
	vf			result = sums + v->bias;

	if (p->activation == MB_ACT_RELU)
		result = v_relu(result);
	if (p->residual != NULL)
		result = result + load_some(p->residual + row * p->n + c, n);
	if (p->norm != NULL)
		result = v_fma(result, v->norm_weight, v->norm_bias);
	if (n == VW)
		v_store(y, result);
	else
		v_store_part(y, result, n);
}

/* INT8 sums of a row as floats: (integer - zero * sum) * scale * scale */
ALWAYS vf
integers(const int8_group *group, const sums_block *block, size_t r, size_t i,
		 const finish_vectors *v)
{
	return v_fnma(v_set1(group->zero[r]), v->sum, v_ints(block->i[r] + i)) *
		v_set1(group->scale[r]) * v->scale;
}

/*
 * A product's block of sums on its way to results: those of the rows from
 * "row" on and of one panel.  group is NULL where sums are floats.
 */
typedef struct finish_job
{
	const mb_product *p;
	const int8_group *group;
	sums_block *block;
	size_t		row;
	size_t		rows;
	size_t		column;
	size_t		width;
} finish_job;

ALWAYS finish_job
finish_job_make(const mb_product *p, const int8_group *group,
				sums_block *block, size_t row, size_t column)
{
	size_t		left = p->first + p->width - column;
	finish_job	job = {p, group, block, row, group_rows(p->rows, row), column,
	left < MB_PANEL ? left : MB_PANEL};

	return job;
}

/* Integers of rows [r, end) become floats, with what was left out added. */
static void
integers_to_floats(const finish_job *job, size_t r, size_t end)
{
	const mb_product *p = job->p;
	const int8_group *group = job->group;
	size_t		i;
	size_t		j;

	for (; r < end; r++)
	{
		for (i = 0; i < MB_PANEL; i += VW)
		{
			finish_vectors v = load_finish(p, job->column + i, 0);
			vf			total = integers(group, job->block, r, i, &v);

			for (j = 0; j < group->outliers[r]; j++)
			{
				const int8_outlier *outlier = &group->outlier[r][j];
				const uint16_t *w = panel_input(p->map->panels, p->k, p->n,
												outlier->column);

				total = v_fma(v_set1(outlier->value),
							  v_bf16(w + job->column + i), total);
			}
			v_store(job->block->f[r] + i, total);
		}
	}
}

/* Bias and activation of float sums of rows [r, end), where it is no ReLU */
static void
activate(const finish_job *job, size_t r, size_t end)
{
	size_t		i;
	size_t		j;

	for (i = 0; i < job->width; i += VW)
	{
		finish_vectors v = load_finish(job->p, job->column + i,
									   STEP(job->width, i));

		for (j = r; j < end; j++)
			v_store(job->block->f[j] + i, v_load(job->block->f[j] + i) +
					v.bias);
	}
	mb_kernels_current()->activation(job->p->activation, job->block->f[r],
									 (end - r) * MB_PANEL);
}

/* Results of rows [r, end) of a block; the order of rows is free. */
ALWAYS void
finish_rows(const finish_job *job, size_t first, size_t end)
{
	const mb_product *p = job->p;
	const int8_group *group = job->group;
	bool		other = p->activation != MB_ACT_LINEAR &&
		p->activation != MB_ACT_RELU;
	size_t		i;
	size_t		r;

	if (group != NULL && (other || group->total > 0))
	{
		integers_to_floats(job, first, end);
		group = NULL;
	}
	if (other)
		activate(job, first, end);
	for (i = 0; i < job->width; i += VW)
	{
		size_t		n = STEP(job->width, i);
		size_t		c = job->column + i;
		finish_vectors v = load_finish(p, c, n);

		if (other)
			v.bias = v_set1(0.0f);
		if (group == NULL)
			for (r = first; r < end; r++)
				finish_vector(p, &v, v_load(job->block->f[r] + i),
							  job->row + r, c, n);
		else
			for (r = first; r < end; r++)
				finish_vector(p, &v, integers(group, job->block, r, i, &v),
							  job->row + r, c, n);
	}
}

/* Sums of "rows" rows of a group with the panel at w */
typedef void (*int8_sums) (int8_group *group, size_t rows, size_t k,
						   const uint8_t *w, sums_block *block);

ALWAYS void
linear_int8(const mb_product *p, int8_sums sums)
{
	sums_block	block __attribute__((aligned(64)));
	size_t		end = p->first + p->width;
	size_t		column;
	size_t		row;

	for (column = p->first; column < end; column += MB_PANEL)
	{
		const uint8_t *w = panel_tile(MB_FORMAT_INT8, p->map->panels, p->k,
									  column);

		for (row = 0; row < p->rows; row += GROUP)
		{
			int8_group *group = int8_group_at(p->operand, p->k, row / GROUP);

			finish_job	job = finish_job_make(p, group, &block, row, column);

			sums(group, job.rows, p->k, w, &block);
			finish_rows(&job, 0, job.rows);
		}
	}
}

/* Sums of "rows" float rows of x with the panel at w */
typedef void (*float_sums) (const float *x, size_t rows, size_t k,
							const uint8_t *w, sums_block *block);

ALWAYS void
linear_bf16(const mb_product *p, mb_format format, float_sums sums)
{
	sums_block	block __attribute__((aligned(64)));
	size_t		end = p->first + p->width;
	size_t		column;
	size_t		row;

	for (column = p->first; column < end; column += MB_PANEL)
	{
		const uint8_t *w = panel_tile(format, p->map->panels, p->k, column);

		for (row = 0; row < p->rows; row += GROUP)
		{
			finish_job	job = finish_job_make(p, NULL, &block, row, column);

			sums(p->x + row * p->k, job.rows, p->k, w, &block);
			finish_rows(&job, 0, job.rows);
		}
	}
}
