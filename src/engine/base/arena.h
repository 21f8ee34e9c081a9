/*-------------------------------------------------------------------------
 *
 * arena.h
 *	  The caller's memory, and a region allocator on top of it.
 *
 * Whoever calls the engine says where memory comes from: palloc in a backend,
 * malloc in a unit test.  Functions whose result has no size known beforehand
 * take an mb_arena; everything in it is freed at once by mb_arena_free(), or
 * with the memory context that it came from when a query fails.
 *
 * Depends on base/status.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_ARENA_H
#define MB_ARENA_H

#include "base/status.h"

/*
 * "alloc" returns memory aligned for any object, or NULL when there is none;
 * it must not jump.  "release" may be NULL (freed by other means).
 */
typedef struct mb_memory
{
	void	   *(*alloc) (void *context, size_t size);
	void		(*release) (void *context, void *pointer);
	void	   *context;
} mb_memory;

/* malloc and free, for programs without a server. */
extern const mb_memory mb_libc_memory;

typedef struct mb_arena_block mb_arena_block;

typedef struct mb_arena
{
	const mb_memory *memory;
	mb_arena_block *blocks;		/* newest first */
	size_t		used;			/* bytes of the newest block in use */
	size_t		limit;			/* total bytes allowed; SIZE_MAX for none */
	size_t		total;			/* bytes taken from memory so far */
} mb_arena;

extern void mb_arena_init(mb_arena *arena, const mb_memory *memory,
						  size_t limit);
extern void mb_arena_free(mb_arena *arena);

/* Uninitialised, 16-byte aligned memory for count objects; NULL on failure. */
extern void *mb_arena_alloc(mb_arena *arena, size_t count, size_t size);
extern void *mb_arena_zero(mb_arena *arena, size_t count, size_t size);

/* A copy with a zero byte after it. */
extern char *mb_arena_copy(mb_arena *arena, const char *text, size_t length);

/* Size arithmetic: false (and *result unspecified) when it does not fit. */
static inline bool
mb_size_multiply(size_t a, size_t b, size_t *result)
{
	return !__builtin_mul_overflow(a, b, result);
}

static inline bool
mb_size_add(size_t a, size_t b, size_t *result)
{
	return !__builtin_add_overflow(a, b, result);
}

#endif							/* MB_ARENA_H */
