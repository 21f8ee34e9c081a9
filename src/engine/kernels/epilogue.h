/*-------------------------------------------------------------------------
 *
 * epilogue.h
 *	  What follows the sums of a product, in plain C.
 *
 * Depends on kernels/kernels.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_EPILOGUE_H
#define MB_EPILOGUE_H

#include "kernels/kernels.h"

#include <string.h>

/* Outputs of the panel at column that are wanted. */
static inline size_t
mb_panel_width(const mb_product *p, size_t column)
{
	size_t		left = p->first + p->width - column;

	return left < MB_PANEL ? left : MB_PANEL;
}

/*
 * The results of one row from the sums [width] of its outputs from column on,
 * which are changed.
 */
static inline void
mb_finish_sums(const mb_product *p, size_t row, size_t column, float *sums,
			   size_t width)
{
	float	   *y = p->y + row * p->n + column;
	size_t		i;

	for (i = 0; p->linear->bias != NULL && i < width; i++)
		sums[i] += p->linear->bias[column + i];
	if (p->activation != MB_ACT_LINEAR)
		p->kernels->activation(p->activation, sums, width);
	for (i = 0; p->residual != NULL && i < width; i++)
		sums[i] += p->residual[row * p->n + column + i];
	for (i = 0; p->norm != NULL && i < width; i++)
		sums[i] = sums[i] * p->norm->weight[column + i] +
			p->norm->bias[column + i];
	memcpy(y, sums, width * sizeof(float));
}

#endif							/* MB_EPILOGUE_H */
