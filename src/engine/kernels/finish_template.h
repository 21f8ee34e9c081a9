/*-------------------------------------------------------------------------
 *
 * finish_template.h
 *	  From sums of products to results, written once for vector instruction
 *	  sets.
 *
 * To be included once, after simd_<isa>.h.
 *
 * Products come block by block: those of a group of rows and a panel.
 *
 * Depends on kernels/kernels.h, kernels/reduced_layout.h.
 *
 *-------------------------------------------------------------------------
 */
#include "kernels/kernels.h"
#include "kernels/reduced_layout.h"

#if !defined(MB_LANES)
#error "include kernels/simd_<isa>.h first"
#endif

/* Vectors of a row that are finished together */
#define FINISH_VECTORS (MB_REGISTERS >= 32 ? 2 : 1)

/* Vectors of an epilogue for n outputs from column c on */
typedef struct finish_vectors
{
	vf			scale;			/* INT8 */
	vf			sum;
	vf			bias;
	vf			norm_weight;
	vf			norm_bias;
} finish_vectors;

MB_INLINE finish_vectors
load_finish(const mb_product *p, size_t c, size_t n)
{
	finish_vectors v;

	v.scale = v.sum = v.bias = v.norm_weight = v.norm_bias = v_set1(0.0f);
	if (p->linear->format == MB_FORMAT_INT8)
	{
		/* these are padded */
		v.scale = v_load(panel_scale(p->linear->panels, p->k, p->n) + c);
		v.sum = v_load(panel_sum(p->linear->panels, p->k, p->n) + c);
	}
	if (p->linear->bias != NULL)
		v.bias = v_load_some(p->linear->bias + c, n);
	if (p->norm != NULL)
	{
		v.norm_weight = v_load_some(p->norm->weight + c, n);
		v.norm_bias = v_load_some(p->norm->bias + c, n);
	}
	return v;
}

/* INT8 sums of a row as floats: (integer - zero * sum) * scale * scale + add */
MB_INLINE vf
integers(const int8_group *group, const sums_block *block, size_t r, size_t i,
		 const finish_vectors *v, vf add)
{
	vf			total = v_fnma(v_set1(group->zero[r]), v->sum,
							   v_load_ints(block->i[r] + i));

	return v_fma(total, v_set1(group->scale[r]) * v->scale, add);
}

/*
 * A product's block of sums and what they become: those of the rows from
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

MB_INLINE finish_job
finish_job_make(const mb_product *p, const int8_group *group,
				sums_block *block, size_t row, size_t column)
{
	size_t		left = p->first + p->width - column;
	finish_job	job = {p, group, block, row, group_rows(p->rows, row), column,
	left < MB_PANEL ? left : MB_PANEL};

	return job;
}

/* Integers of rows [r, end) become floats, with bias and what was left out. */
static void
integers_to_floats(const finish_job *job, size_t r, size_t end)
{
	const mb_product *p = job->p;
	const int8_group *group = job->group;
	size_t		i;
	size_t		j;

	for (; r < end; r++)
	{
		for (i = 0; i < MB_PANEL; i += MB_LANES)
		{
			finish_vectors v = load_finish(p, job->column + i,
										   i < job->width ?
										   v_lanes(job->width, i) : 0);
			vf			total = integers(group, job->block, r, i, &v, v.bias);

			for (j = 0; j < group->outliers[r]; j++)
			{
				const int8_outlier *outlier = &group->outlier[r][j];
				const uint16_t *w = panel_input(p->linear->panels, p->k, p->n,
												outlier->column);

				total = v_fma(v_set1(outlier->value),
							  v_load_bf16(w + job->column + i), total);
			}
			v_store(job->block->f[r] + i, total);
		}
	}
}

/*
 * Activation of float sums of rows [r, end), where it is no ReLU, and the bias
 * if they have none yet
 */
static void
activate(const finish_job *job, size_t r, size_t end)
{
	size_t		i;
	size_t		j;

	for (i = 0; i < job->width && job->group == NULL; i += MB_LANES)
	{
		finish_vectors v = load_finish(job->p, job->column + i,
									   v_lanes(job->width, i));

		for (j = r; j < end; j++)
			v_store(job->block->f[j] + i, v_load(job->block->f[j] + i) +
					v.bias);
	}
	job->p->kernels->activation(job->p->activation, job->block->f[r],
								(end - r) * MB_PANEL);
}

/* The result of n outputs of row r from lane i of the block on */
MB_INLINE void
finish_lane(const finish_job *job, const finish_vectors *v, bool floats,
			bool relu, bool residual, bool norm, size_t r, size_t i, size_t n,
			const float *other, float *y)
{
	vf			result = floats ? (vf) (v_load(job->block->f[r] + i) + v->bias) :
		integers(job->group, job->block, r, i, v, v->bias);

	if (relu)
		result = v_relu(result);
	if (residual)
		result = result + v_load_some(other + i, n);
	/* rounded twice, as torch does: outlying features show it */
	if (norm)
		result = result * v->norm_weight + v->norm_bias;
	v_store_some(y + i, result, n);
}

/*
 * Results of rows [r, end) from lane i on: n outputs, or two vectors of them.
 * What the epilogue asks for is constant wherever this is called.
 */
MB_INLINE void
finish_lanes(const finish_job *job, bool floats, bool biased, bool relu,
			 bool residual, bool norm, size_t r, size_t end, size_t i,
			 size_t n, bool two)
{
	const mb_product *p = job->p;
	finish_vectors v = load_finish(p, job->column + i, n);
	finish_vectors w = load_finish(p, job->column + i + (two ? MB_LANES : 0),
								   n);
	size_t		at = (job->row + r) * p->n + job->column;
	const float *other = residual ? p->residual + at : NULL;
	float	   *y = p->y + at;

	if (!biased)
		v.bias = w.bias = v_set1(0.0f);
	for (; r < end; r++, y += p->n)
	{
		finish_lane(job, &v, floats, relu, residual, norm, r, i, n, other, y);
		if (two)
			finish_lane(job, &w, floats, relu, residual, norm, r,
						i + MB_LANES, n, other, y);
		if (residual)
			other += p->n;
	}
}

/* The same for all outputs of a panel */
MB_INLINE void
finish_whole(const finish_job *job, bool floats, bool biased, bool relu,
			 bool residual, bool norm, size_t r, size_t end)
{
	size_t		i;

	for (i = 0; i < MB_PANEL; i += FINISH_VECTORS * MB_LANES)
		finish_lanes(job, floats, biased, relu, residual, norm, r, end, i,
					 MB_LANES, FINISH_VECTORS == 2);
}

MB_INLINE void
finish_panel(const finish_job *job, bool floats, bool biased, size_t r,
			 size_t end)
{
	const mb_product *p = job->p;
	bool		relu = p->activation == MB_ACT_RELU;
	bool		residual = p->residual != NULL;
	bool		norm = p->norm != NULL;
	size_t		i;

	if (job->width < MB_PANEL || (relu && (residual || norm)))
		for (i = 0; i < job->width; i += MB_LANES)
			finish_lanes(job, floats, biased, relu, residual, norm, r, end, i,
						 v_lanes(job->width, i), false);
	else if (relu)
		finish_whole(job, floats, biased, true, false, false, r, end);
	else if (residual && norm)
		finish_whole(job, floats, biased, false, true, true, r, end);
	else if (norm)
		finish_whole(job, floats, biased, false, false, true, r, end);
	else if (residual)
		finish_whole(job, floats, biased, false, true, false, r, end);
	else
		finish_whole(job, floats, biased, false, false, false, r, end);
}

/* Is the activation one that goes through the block, bias and all? */
static inline bool
is_elaborate(mb_activation activation)
{
	return activation != MB_ACT_LINEAR && activation != MB_ACT_RELU;
}

/*
 * What cannot be done in registers for the results of rows [r, end) is done in
 * the block, where "elaborate" bias and activation.  Is it in floats then?
 * Those that were integers have the bias.
 */
static inline bool
settle(const finish_job *job, bool elaborate, size_t r, size_t end)
{
	bool		floats = job->group == NULL;

	if (!floats && (elaborate || job->group->total > 0))
	{
		integers_to_floats(job, r, end);
		floats = true;
	}
	if (elaborate)
		activate(job, r, end);
	return floats;
}

/* Results of rows [r, end) of a block */
static void
finish_rows(const finish_job *job, size_t r, size_t end)
{
	bool		elaborate = is_elaborate(job->p->activation);

	if (settle(job, elaborate, r, end))
		finish_panel(job, true, !elaborate && job->group == NULL, r, end);
	else
		finish_panel(job, false, true, r, end);
}

/* Sums of "rows" rows of a group with the panel at w */
typedef void (*int8_sums) (int8_group *group, size_t rows, size_t k,
						   const uint8_t *w, sums_block *block);

MB_INLINE void
linear_int8(const mb_product *p, int8_sums sums)
{
	sums_block	block __attribute__((aligned(64)));
	size_t		end = p->first + p->width;
	size_t		column;
	size_t		row;

	for (column = p->first; column < end; column += MB_PANEL)
	{
		const uint8_t *w = panel_strip(MB_FORMAT_INT8, p->linear->panels, p->k,
									   column);

		for (row = 0; row < p->rows; row += MB_GROUP)
		{
			int8_group *group = int8_group_at(p->operand, p->k, row / MB_GROUP);

			finish_job	job = finish_job_make(p, group, &block, row, column);

			sums(group, job.rows, p->k, w, &block);
			finish_rows(&job, 0, job.rows);
		}
	}
}

/* Sums of "rows" float rows of x with the panel at w */
typedef void (*float_sums) (const float *x, size_t rows, size_t k,
							const uint8_t *w, sums_block *block);

MB_INLINE void
linear_bf16(const mb_product *p, mb_format format, float_sums sums)
{
	sums_block	block __attribute__((aligned(64)));
	size_t		end = p->first + p->width;
	size_t		column;
	size_t		row;

	for (column = p->first; column < end; column += MB_PANEL)
	{
		const uint8_t *w = panel_strip(format, p->linear->panels, p->k, column);

		for (row = 0; row < p->rows; row += MB_GROUP)
		{
			finish_job	job = finish_job_make(p, NULL, &block, row, column);

			sums(p->x + row * p->k, job.rows, p->k, w, &block);
			finish_rows(&job, 0, job.rows);
		}
	}
}

#undef FINISH_VECTORS
