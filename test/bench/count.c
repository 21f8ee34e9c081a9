/*-------------------------------------------------------------------------
 *
 * count.c
 *	  Work of the engine for something that counts instructions.
 *
 *	  count SET PRECISION MODEL TOKENS WORK TIMES
 *
 * MODEL is a Hugging Face directory, SET a table of kernels.  WORK, done TIMES
 * times for one text of TOKENS tokens, is
 *
 *	pass		a pass
 *	linears		its linear layers by themselves
 *	sgemm		the same products by one call of OpenBLAS's sgemm each
 *
 * What two runs with different TIMES differ by is the work; count.sh takes the
 * difference.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/forward.h"
#include "kernels/choose.h"
#include "kernels/dense.h"

#include "linears.h"
#include "load.h"
#include "tables.h"

#include <cblas.h>

typedef struct job
{
	const mb_model *model;
	size_t		tokens;
	size_t		width;			/* of the widest layer */
	size_t		weights;		/* of the largest */
	size_t		scratch_size;
	float	   *x;
	float	   *y;
	float	   *w;
	void	   *scratch;
} job;

static void *
memory(size_t size)
{
	void	   *p;

	if (posix_memalign(&p, 64, size + 64) != 0)
		give_up("memory");
	memset(p, 0, size + 64);
	return p;
}

static void
measure_linear(void *context, const mb_linear *linear)
{
	job		   *j = context;
	size_t		scratch = mb_operand_memory(j->model->kernels, linear->format,
											j->tokens, linear->k);

	j->width = linear->k > j->width ? linear->k : j->width;
	j->width = linear->n > j->width ? linear->n : j->width;
	if (linear->k * linear->n > j->weights)
		j->weights = linear->k * linear->n;
	if (scratch > j->scratch_size)
		j->scratch_size = scratch;
}

static void
run_linear(void *context, const mb_linear *linear)
{
	job		   *j = context;
	mb_operand	operand = {j->x, j->tokens, linear->k, j->scratch,
	MB_FORMAT_ROWS};

	if (mb_dense(j->model->kernels, linear, &operand, NULL, j->y, NULL,
				 &error) != MB_OK)
		give_up("linear layer");
}

static void
run_sgemm(void *context, const mb_linear *linear)
{
	job		   *j = context;

	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int) j->tokens,
				(int) linear->n, (int) linear->k, 1.0f, j->x, (int) linear->k,
				j->w, (int) linear->k, 0.0f, j->y, (int) linear->n);
}

static void
run_layers(job *j, linear_visitor run, int times)
{
	size_t		rows = (j->tokens + MB_ROW_BLOCK) * sizeof(float);

	walk_linears(j->model, measure_linear, j);
	j->x = memory(rows * j->width);
	j->y = memory(rows * j->width);
	j->w = memory(j->weights * sizeof(float));
	j->scratch = memory(j->scratch_size);
	for (; times > 0; times--)
		walk_linears(j->model, run, j);
}

static void
run_passes(const job *j, int times)
{
	size_t		starts[2] = {0, j->tokens};
	int32_t    *ids = memory(j->tokens * sizeof(int32_t));
	mb_batch	batch = {1, starts, ids, NULL, NULL, NULL, false};
	size_t		size = mb_forward_memory(j->model, j->tokens, j->tokens);
	void	   *workspace = memory(size);
	const float *states;
	size_t		i;

	for (i = 0; i < j->tokens; i++)
		ids[i] = (int32_t) (i * 7919 % j->model->config.vocab_size);
	for (; times > 0; times--)
		if (mb_forward(j->model, &batch, j->model->config.layers, NULL, NULL,
					   workspace, size, &states, &error) != MB_OK)
			give_up("forward");
}

int
main(int argc, char **argv)
{
	const mb_kernels *kernels = argc == 7 ? find_table(argv[1]) : NULL;
	mb_precision precision;
	job			j;

	if (kernels == NULL || !mb_precision_from_name(argv[2], &precision))
		give_up("usage: count SET PRECISION MODEL TOKENS pass|linears|sgemm "
				"TIMES");
	memset(&j, 0, sizeof(j));
	j.model = &load_checkpoint(argv[3], "count", kernels, precision,
							   &mb_libc_memory)->model;
	j.tokens = (size_t) atoi(argv[4]);
	if (strcmp(argv[5], "pass") == 0)
		run_passes(&j, atoi(argv[6]));
	else if (strcmp(argv[5], "linears") == 0)
		run_layers(&j, run_linear, atoi(argv[6]));
	else
		run_layers(&j, run_sgemm, atoi(argv[6]));
	return 0;
}
