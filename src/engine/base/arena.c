/*-------------------------------------------------------------------------
 *
 * arena.c
 *	  Region allocator over the caller's memory.
 *
 * Blocks double up to 1 MB; a request larger than a block gets its own, and so
 * does any request when the limit leaves no space for a doubled block.  The
 * caller's memory may be aligned to 8 only (palloc's is), so each block takes
 * a little more and begins its payload at the first multiple of ARENA_ALIGN.
 *
 * Depends on base/arena.h.
 *
 *-------------------------------------------------------------------------
 */
#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_ALIGN 16
#define ARENA_FIRST_BLOCK 4096
#define ARENA_MAX_BLOCK (1024 * 1024)

struct mb_arena_block
{
	mb_arena_block *next;
	char	   *payload;		/* aligned to ARENA_ALIGN */
	size_t		size;			/* bytes of payload */
};

/* What a block takes beside its payload, alignment included. */
#define BLOCK_OVERHEAD (sizeof(mb_arena_block) + ARENA_ALIGN - 1)

static void *
libc_alloc(void *context, size_t size)
{
	(void) context;
	return malloc(size);
}

static void
libc_release(void *context, void *pointer)
{
	(void) context;
	free(pointer);
}

const mb_memory mb_libc_memory = {libc_alloc, libc_release, NULL};

void
mb_arena_init(mb_arena *arena, const mb_memory *memory, size_t limit)
{
	arena->memory = memory;
	arena->blocks = NULL;
	arena->used = 0;
	arena->limit = limit;
	arena->total = 0;
}

void
mb_arena_free(mb_arena *arena)
{
	mb_arena_block *block = arena->blocks;

	while (block != NULL)
	{
		mb_arena_block *next = block->next;

		if (arena->memory->release != NULL)
			arena->memory->release(arena->memory->context, block);
		block = next;
	}
	arena->blocks = NULL;
	arena->used = 0;
	arena->total = 0;
}

/*
 * Put a new block with a payload of so many bytes at the head of the list;
 * false when there is no memory for it or the limit forbids it.
 */
static bool
add_block(mb_arena *arena, size_t payload_size)
{
	mb_arena_block *block;
	uintptr_t	start;
	size_t		bytes;

	if (!mb_size_add(payload_size, BLOCK_OVERHEAD, &bytes) ||
		bytes > arena->limit || arena->total > arena->limit - bytes)
		return false;
	block = arena->memory->alloc(arena->memory->context, bytes);
	if (block == NULL)
		return false;
	start = (uintptr_t) (block + 1);
	block->payload = (char *) (block + 1) +
		(ARENA_ALIGN - start % ARENA_ALIGN) % ARENA_ALIGN;
	block->size = payload_size;
	block->next = arena->blocks;
	arena->blocks = block;
	arena->used = 0;
	arena->total += bytes;
	return true;
}

void *
mb_arena_alloc(mb_arena *arena, size_t count, size_t size)
{
	size_t		need;
	mb_arena_block *block = arena->blocks;

	if (!mb_size_multiply(count, size, &need) ||
		!mb_size_add(need, ARENA_ALIGN - 1, &need))
		return NULL;
	need -= need % ARENA_ALIGN;
	if (need == 0)
		need = ARENA_ALIGN;

	if (block == NULL || block->size - arena->used < need)
	{
		size_t		larger = ARENA_FIRST_BLOCK;

		if (block != NULL)
			larger = block->size < ARENA_MAX_BLOCK / 2 ?
				block->size * 2 : ARENA_MAX_BLOCK;
		if (!(need < larger && add_block(arena, larger)) &&
			!add_block(arena, need))
			return NULL;
	}

	arena->used += need;
	return arena->blocks->payload + arena->used - need;
}

void *
mb_arena_zero(mb_arena *arena, size_t count, size_t size)
{
	void	   *result = mb_arena_alloc(arena, count, size);

	if (result != NULL)
		memset(result, 0, count * size);
	return result;
}

char *
mb_arena_copy(mb_arena *arena, const char *text, size_t length)
{
	size_t		size;
	char	   *result;

	if (!mb_size_add(length, 1, &size))
		return NULL;
	result = mb_arena_alloc(arena, size, 1);
	if (result == NULL)
		return NULL;
	if (length > 0)
		memcpy(result, text, length);
	result[length] = '\0';
	return result;
}
