/*-------------------------------------------------------------------------
 *
 * test_arena.c
 *	  The region allocator: alignment, limits, overflow, failing memory.
 *
 *-------------------------------------------------------------------------
 */
#include "base/arena.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>

/* Memory that is aligned to 8 only, counts, and fails when told. */
typedef struct meter
{
	long		live;
	long		left;			/* calls until it fails; negative: never */
} meter;

static void *
meter_alloc(void *context, size_t size)
{
	meter	   *m = context;
	char	   *p;

	if (m->left == 0)
		return NULL;
	if (m->left > 0)
		m->left--;
	m->live++;
	p = malloc(size + 8);
	return p + 8;
}

static void
meter_release(void *context, void *pointer)
{
	meter	   *m = context;

	m->live--;
	free((char *) pointer - 8);
}

static void
test_blocks(void)
{
	meter		m = {0, -1};
	mb_memory	memory = {meter_alloc, meter_release, &m};
	mb_arena	arena;
	unsigned char *objects[2000];
	bool		aligned = true;
	bool		intact = true;
	size_t		i;
	size_t		j;

	mb_arena_init(&arena, &memory, SIZE_MAX);
	for (i = 0; i < 2000; i++)
	{
		size_t		size = i * 7 % 3000 + (i == 777 ? 5000000 : 0);

		objects[i] = mb_arena_alloc(&arena, size, 1);
		aligned = aligned && (uintptr_t) objects[i] % 16 == 0;
		memset(objects[i], (int) (i & 0xFF), size);
	}
	for (i = 0; i < 2000; i++)
	{
		for (j = 0; j < i * 7 % 3000; j++)
			intact = intact && objects[i][j] == (i & 0xFF);
	}
	ok(aligned, "every piece is aligned to 16");
	ok(intact, "no pieces overlap");
	ok(m.live > 1 && m.live < 30, "%ld blocks", m.live);
	mb_arena_free(&arena);
	ok(m.live == 0 && arena.total == 0, "all blocks released");
	ok(mb_arena_alloc(&arena, 1, 1) != NULL, "usable again");
	mb_arena_free(&arena);
}

static void
test_refusals(void)
{
	meter		m = {0, -1};
	mb_memory	memory = {meter_alloc, meter_release, &m};
	mb_arena	arena;
	size_t		total = 0;

	mb_arena_init(&arena, &memory, 20000);
	ok(mb_arena_alloc(&arena, SIZE_MAX, 2) == NULL, "product overflows");
	ok(mb_arena_alloc(&arena, SIZE_MAX, 1) == NULL, "rounding overflows");
	ok(mb_arena_alloc(&arena, SIZE_MAX - 20, 1) == NULL, "block overflows");
	ok(mb_arena_copy(&arena, "", SIZE_MAX) == NULL, "copy overflows");
	ok(mb_arena_zero(&arena, SIZE_MAX / 2, 3) == NULL, "zero overflows");
	ok(mb_arena_alloc(&arena, 20001, 1) == NULL, "over the limit");
	while (mb_arena_alloc(&arena, 100, 1) != NULL)
		total += 100;
	ok(total > 15000 && arena.total <= 20000,
	   "the limit leaves %zu of 20000 bytes", total);
	mb_arena_free(&arena);

	m.left = 0;
	mb_arena_init(&arena, &memory, SIZE_MAX);
	ok(mb_arena_alloc(&arena, 1, 1) == NULL, "no memory");
	m.left = 1;
	ok(mb_arena_alloc(&arena, 1, 1) != NULL &&
	   mb_arena_alloc(&arena, 10000, 1) == NULL &&
	   mb_arena_alloc(&arena, 100, 1) != NULL,
	   "a failure leaves the arena usable");
	mb_arena_free(&arena);
	ok(m.live == 0, "released");
}

static void
test_helpers(void)
{
	mb_arena	arena;
	char	   *zero;
	char	   *copy;
	size_t		product;
	bool		all = true;
	size_t		i;

	mb_arena_init(&arena, &mb_libc_memory, SIZE_MAX);
	memset(mb_arena_alloc(&arena, 3000, 1), 'x', 3000);
	zero = mb_arena_zero(&arena, 500, 4);
	for (i = 0; i < 2000; i++)
		all = all && zero[i] == 0;
	ok(all, "zeroed");
	copy = mb_arena_copy(&arena, "a\0b", 3);
	ok(memcmp(copy, "a\0b", 4) == 0, "copy with a zero byte after it");
	copy = mb_arena_copy(&arena, NULL, 0);
	ok(copy != NULL && copy[0] == '\0', "copy of nothing");
	ok(mb_arena_alloc(&arena, 0, 8) != NULL, "no bytes are not a failure");
	mb_arena_free(&arena);

	ok(mb_size_multiply(3, 4, &product) && product == 12, "multiply");
	ok(!mb_size_multiply(SIZE_MAX, 2, &product), "multiply overflows");
	ok(!mb_size_add(SIZE_MAX, 1, &product), "add overflows");
}

int
main(void)
{
	test_blocks();
	test_refusals();
	test_helpers();
	return done_testing();
}
