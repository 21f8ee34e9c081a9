/*-------------------------------------------------------------------------
 *
 * gemm.c
 *	  Products of floats in plain C, with sums in double: the oracle of all
 *	  others.
 *
 * Depends on kernels/epilogue.h, kernels/gemm.h, kernels/panels.h.
 *
 *-------------------------------------------------------------------------
 */
#include "kernels/gemm.h"

#include "kernels/epilogue.h"
#include "kernels/panels.h"

#include <string.h>

/* Inputs of a panel widened at a time */
#define WIDEN_ROWS ((size_t) 256)

void
mb_pack_keys(const float *x, size_t ld, size_t rows, size_t width,
			 float *panels)
{
	size_t		first;
	size_t		t;
	size_t		c;

	for (first = 0; first < rows; first += MB_PANEL)
	{
		size_t		some = rows - first < MB_PANEL ? rows - first : MB_PANEL;

		if (some < MB_PANEL)
			memset(panels, 0, width * MB_PANEL * sizeof(float));
		/* four rows at once are a vector for the compiler to store */
		for (c = 0; c + 4 <= some; c += 4)
		{
			const float *from = x + (first + c) * ld;

			for (t = 0; t < width; t++)
			{
				panels[t * MB_PANEL + c] = from[t];
				panels[t * MB_PANEL + c + 1] = from[ld + t];
				panels[t * MB_PANEL + c + 2] = from[2 * ld + t];
				panels[t * MB_PANEL + c + 3] = from[3 * ld + t];
			}
		}
		for (; c < some; c++)
			for (t = 0; t < width; t++)
				panels[t * MB_PANEL + c] = x[(first + c) * ld + t];
		panels += width * MB_PANEL;
	}
}

void
mb_pack_values(const float *x, size_t ld, size_t rows, size_t width,
			   float *panels)
{
	size_t		first;
	size_t		t;

	for (first = 0; first < width; first += MB_PANEL)
	{
		size_t		some = width - first < MB_PANEL ? width - first : MB_PANEL;

		for (t = 0; t < rows; t++)
		{
			memcpy(panels, x + t * ld + first, some * sizeof(float));
			memset(panels + some, 0, (MB_PANEL - some) * sizeof(float));
			panels += MB_PANEL;
		}
	}
}

/* sums[c] = sum over t of x[t] * panel[t, c] in double */
static void
panel_sums(const float *x, const float *panel, size_t k, double *sums)
{
	size_t		t;
	size_t		c;

	for (t = 0; t < k; t++)
		for (c = 0; c < MB_PANEL; c++)
			sums[c] += (double) x[t] * (double) panel[t * MB_PANEL + c];
}

/* The outputs of one panel for a block of rows. */
static void
panel_block(const mb_product *p, size_t row, size_t rows, size_t column)
{
	double		sums[MB_ROW_BLOCK][MB_PANEL] = {{0}};
	float		panel[WIDEN_ROWS * MB_PANEL];
	size_t		at;
	size_t		i;
	size_t		c;

	for (at = 0; at < p->k; at += WIDEN_ROWS)
	{
		size_t		some = p->k - at < WIDEN_ROWS ? p->k - at : WIDEN_ROWS;

		mb_format_widen(p->linear->format, p->linear->panels, p->k,
						column / MB_PANEL, at, some, panel);
		for (i = 0; i < rows; i++)
			panel_sums(p->x + (row + i) * p->k + at, panel, some, sums[i]);
	}
	for (i = 0; i < rows; i++)
	{
		float		rounded[MB_PANEL];

		for (c = 0; c < MB_PANEL; c++)
			rounded[c] = (float) sums[i][c];
		mb_finish_sums(p, row + i, column, rounded, mb_panel_width(p, column));
	}
}

static void
linear_ref(const mb_product *p)
{
	size_t		column;
	size_t		row;

	for (column = p->first; column < p->first + p->width; column += MB_PANEL)
		for (row = 0; row < p->rows; row += MB_ROW_BLOCK)
			panel_block(p, row, p->rows - row < MB_ROW_BLOCK ?
						p->rows - row : MB_ROW_BLOCK, column);
}

const mb_linear_kernel mb_exact_ref = {.run = linear_ref};

void
mb_matrix_ref(const float *a, size_t lda, const float *panels, float scale,
			  float *y, size_t ldy, size_t m, size_t n, size_t k)
{
	size_t		column;
	size_t		i;
	size_t		c;

	for (column = 0; column < n; column += MB_PANEL)
	{
		for (i = 0; i < m; i++)
		{
			double		sums[MB_PANEL] = {0};

			panel_sums(a + i * lda, panels + column * k, k, sums);
			for (c = 0; c < MB_PANEL && column + c < n; c++)
				y[i * ldy + column + c] = scale * (float) sums[c];
		}
	}
}
