/*-------------------------------------------------------------------------
 *
 * workspace.h
 *	  The memory of a pass: what lies in it, laid out from the steps.
 *
 * Only h, the residual R, Q, K and V exist for all rows; everything between is
 * as large as one sweep, the rows that go through steps together.  The context
 * overwrites Q, head by head, once the scores of those queries are known.
 *
 * Buffers have room for whole blocks of MB_ROW_BLOCK rows, with numbers in
 * them: padding rows of h are zero and stay so.  What products make of them is
 * never read by a real row.
 *
 * Depends on encoder/steps.h, kernels/kernels.h, model/model.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_WORKSPACE_H
#define MB_WORKSPACE_H

#include "encoder/steps.h"
#include "kernels/kernels.h"
#include "model/model.h"

/* Workspaces, and regions in them, start at cache lines. */
#define MB_LINE_FLOATS 16

/* Rows of attention blocks at most */
#define MB_BLOCK_ROWS \
	(MB_QUERY_ROWS > MB_ATTEND_ROWS ? MB_QUERY_ROWS : MB_ATTEND_ROWS)

/* Some memory of the workspace, in floats from a cache line on */
typedef struct mb_region
{
	float	   *start;
	size_t		size;
} mb_region;

/* Of one head of the longest sequence, and of a block of its queries */
typedef struct mb_attention_memory
{
	mb_region	keys;			/* panels */
	mb_region	values;			/* likewise */
	mb_region	queries;		/* [MB_BLOCK_ROWS, D], one block of Q */
	mb_region	context;		/* likewise */
	mb_region	scores;			/* [MB_BLOCK_ROWS, L] */
	mb_region	bias;			/* [N, 2 reach + 1], the middle for distance 0;
								 * of all heads.  Empty: the model has none */
	size_t		reach;			/* L - 1 */
} mb_attention_memory;

typedef struct mb_workspace
{
	mb_region	buffers[MB_BUFFERS];
	size_t		widths[MB_BUFFERS];
	size_t		sweep;			/* rows that go through steps together */
	mb_attention_memory attention;
	mb_region	operand;		/* of a sweep's steps, or attention's scratch */
	mb_region	next;			/* another, for what the step before writes */
} mb_workspace;

/*
 * Lay out the workspace in base, or count with base NULL; *size gets bytes.
 * False when that is beyond size_t.
 */
extern bool mb_workspace_lay_out(const mb_model *model, size_t tokens,
								 size_t longest, float *base,
								 mb_workspace *memory, size_t *size);

#endif							/* MB_WORKSPACE_H */
