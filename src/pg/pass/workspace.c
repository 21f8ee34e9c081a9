/*-------------------------------------------------------------------------
 *
 * workspace.c
 *	  Memory of a pass, which mobilebert.memory_limit bounds.
 *
 * The engine says how much it needs before it does anything.  A small workspace
 * is kept from pass to pass; a large one is taken from the current context, so
 * that it goes when a pass fails.
 *
 * Depends on server/pg.h, server/guc.h, pass/workspace.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/guc.h"
#include "pass/workspace.h"

#include "utils/memutils.h"

/* A workspace of up to this size is kept from pass to pass. */
#define SCRATCH_SIZE (4 * 1024 * 1024)
#define WORKSPACE_ALIGN 64

/* Kept between passes; only one pass runs at a time. */
static void *scratch_block = NULL;

void
mobilebert_workspace_check(size_t size)
{
	if (size > (size_t) mobilebert_memory_limit * 1024)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("pass over the model needs %zu kB of memory, but mobilebert.memory_limit is %d kB",
						size / 1024 + (size % 1024 != 0),
						mobilebert_memory_limit),
				 errhint("Raise mobilebert.memory_limit, or give less text at a time.")));
}

void *
mobilebert_workspace(size_t size)
{
	size_t		bytes;
	char	   *block;
	char	   *aligned;

	mobilebert_workspace_check(size);
	if (size <= SCRATCH_SIZE)
	{
		if (scratch_block == NULL)
			scratch_block = MemoryContextAlloc(TopMemoryContext,
											   SCRATCH_SIZE + WORKSPACE_ALIGN);
		return (void *) TYPEALIGN(WORKSPACE_ALIGN, scratch_block);
	}

	/* The block's address stands before the workspace. */
	bytes = size + WORKSPACE_ALIGN + sizeof(void *);
	block = MemoryContextAllocExtended(CurrentMemoryContext, bytes,
									   MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
	if (block == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("A pass over the model needs %zu kB.",
						   size / 1024 + 1)));
	mb_prefer_large_pages(block, bytes);
	aligned = (char *) TYPEALIGN(WORKSPACE_ALIGN, block + sizeof(void *));
	((void **) aligned)[-1] = block;
	return aligned;
}

void
mobilebert_workspace_release(void *workspace)
{
	if (scratch_block != NULL &&
		workspace == (void *) TYPEALIGN(WORKSPACE_ALIGN, scratch_block))
		return;
	pfree(((void **) workspace)[-1]);
}
