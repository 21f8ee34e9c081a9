/*-------------------------------------------------------------------------
 *
 * dense.c
 *	  Linear layers in parts of some milliseconds.
 *
 * Depends on kernels/dense.h.
 *
 *-------------------------------------------------------------------------
 */
#include "kernels/dense.h"

/*
 * Multiply-adds of one call at most, if that leaves a panel for it: about 10 ms
 * even in plain C.
 */
#define PART_WORK ((size_t) 1 << 23)

/* Outputs of one part of a layer: whole panels, at least one. */
static size_t
part_width(size_t rows, size_t k)
{
	size_t		work = rows * (k > 0 ? k : 1);
	size_t		panels = PART_WORK / MB_PANEL / (work > 0 ? work : 1);

	return (panels > 0 ? panels : 1) * MB_PANEL;
}

size_t
mb_operand_memory(const mb_kernels *kernels, mb_format format, size_t rows,
				  size_t k)
{
	const mb_linear_kernel *kernel = kernels->linear[format];

	return kernel == NULL || kernel->operand_size == NULL ? 0 :
		kernel->operand_size(rows, k);
}

mb_status
mb_dense(const mb_kernels *kernels, const mb_linear *linear, mb_operand *operand,
		 const mb_epilogue *epilogue, float *y, const mb_cancel *cancel,
		 mb_error *err)
{
	const mb_linear_kernel *kernel = kernels->linear[linear->format];
	size_t		n = linear->n;
	size_t		step = part_width(operand->rows, operand->k);
	mb_product	p = {kernels, operand->x, operand->scratch, operand->rows,
	operand->k, n, linear, 0, 0, MB_ACT_LINEAR, NULL, NULL, y, NULL};

	if (linear->panels == NULL)
		return mb_fail(err, MB_ERR_ARGUMENT, "weights are not packed");
	if (operand->k != linear->k)
		return mb_fail(err, MB_ERR_ARGUMENT, "rows of %zu numbers are no input "
					   "for weights of %zu inputs", operand->k, linear->k);
	if (kernel == NULL)
		return mb_fail(err, MB_ERR_UNSUPPORTED,
					   "instruction set \"%s\" cannot run weights of this "
					   "precision", kernels->name);
	if (epilogue != NULL)
	{
		p.activation = epilogue->activation;
		p.residual = epilogue->residual;
		p.norm = epilogue->norm;
		if (epilogue->next != NULL && kernel->chained && n >= MB_CHAIN_LEAST &&
			p.residual == NULL && p.norm == NULL)
		{
			p.next = epilogue->next->scratch;
			epilogue->next->prepared = linear->format;
		}
	}
	if (kernel->prepare != NULL && operand->prepared != linear->format)
		kernel->prepare(operand->x, operand->rows, operand->k,
						operand->scratch);
	operand->prepared = linear->format;
	for (p.first = 0; p.first < n; p.first += p.width)
	{
		p.width = n - p.first < step ? n - p.first : step;
		if (mb_cancelled(cancel))
			return mb_fail(err, MB_ERR_CANCELLED, "cancelled");
		kernel->run(&p);
	}
	return MB_OK;
}
