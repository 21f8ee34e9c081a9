/*-------------------------------------------------------------------------
 *
 * result_cache.c
 *	  Recent embeddings of this backend, by role, model, options and text.
 *
 * It makes ORDER BY ... embed('constant') and repeated texts cheap.  Keys are
 * compared byte for byte, so a hit is the value that would be computed.  The
 * least recently used entries go when the total passes mobilebert.cache_size,
 * also when the setting was lowered since.
 *
 * Depends on server/pg.h, server/guc.h, pass/result_cache.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/guc.h"
#include "pass/result_cache.h"

#include "common/hashfn.h"
#include "lib/ilist.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

/* What dynahash copies and compares: where the key's bytes lie. */
typedef struct ResultKey
{
	const void *bytes;
	size_t		size;
} ResultKey;

typedef struct ResultEntry
{
	ResultKey	key;			/* must be first; bytes lie in "block" */
	dlist_node	node;			/* most recently used first */
	char	   *block;			/* values, then the key's bytes */
	size_t		count;			/* values */
	size_t		space;			/* bytes this entry is charged with */
} ResultEntry;

static MemoryContext cache_context = NULL;
static HTAB *cache_table = NULL;	/* NULL while there are no entries */
static dlist_head cache_order = DLIST_STATIC_INIT(cache_order);
static size_t cache_space = 0;	/* bytes of all entries */

static uint32
key_hash(const void *key, Size size)
{
	const ResultKey *k = key;

	(void) size;
	return hash_bytes(k->bytes, (int) k->size);
}

static int
key_compare(const void *a, const void *b, Size size)
{
	const ResultKey *ka = a;
	const ResultKey *kb = b;

	(void) size;
	if (ka->size != kb->size)
		return 1;
	return memcmp(ka->bytes, kb->bytes, ka->size);
}

static size_t
cache_limit(void)
{
	return (size_t) Max(mobilebert_cache_size, 0) * 1024;
}

/* Drop the entry that was not used for the longest time. */
static void
cache_drop_last(void)
{
	ResultEntry *entry = dlist_tail_element(ResultEntry, node, &cache_order);
	char	   *block = entry->block;

	dlist_delete(&entry->node);
	cache_space -= entry->space;
	/* the key's bytes are needed until the entry is out */
	(void) hash_search(cache_table, &entry->key, HASH_REMOVE, NULL);
	pfree(block);
}

/* Drop old entries until the rest takes at most that space. */
static void
cache_shrink(size_t space)
{
	while (cache_space > space && !dlist_is_empty(&cache_order))
		cache_drop_last();

	/* Give everything back: a hash table never shrinks by itself. */
	if (dlist_is_empty(&cache_order) && cache_table != NULL)
	{
		MemoryContextReset(cache_context);
		cache_table = NULL;
		cache_space = 0;
	}
}

static void
cache_table_make(void)
{
	HASHCTL		control;

	memset(&control, 0, sizeof(control));
	control.keysize = sizeof(ResultKey);
	control.entrysize = sizeof(ResultEntry);
	control.hash = key_hash;
	control.match = key_compare;
	control.hcxt = cache_context;
	cache_table = hash_create("mobilebert results", 256, &control,
							  HASH_ELEM | HASH_FUNCTION | HASH_COMPARE |
							  HASH_CONTEXT);
}

void
mobilebert_result_cache_init(void)
{
	cache_context = AllocSetContextCreate(TopMemoryContext,
										  "mobilebert result cache",
										  ALLOCSET_DEFAULT_SIZES);
}

bool
mobilebert_result_cache_on(void)
{
	cache_shrink(cache_limit());
	return cache_limit() > 0;
}

const float *
mobilebert_result_find(const void *key, size_t key_size, size_t *count)
{
	ResultEntry *entry;
	ResultKey	k = {key, key_size};

	cache_shrink(cache_limit());
	if (cache_table == NULL)
		return NULL;
	entry = hash_search(cache_table, &k, HASH_FIND, NULL);
	if (entry == NULL)
		return NULL;
	dlist_move_head(&cache_order, &entry->node);
	*count = entry->count;
	return (const float *) entry->block;
}

/*
 * What can throw comes first, and leaves no half an entry: it is made with the
 * caller's key, and until it has a block of its own nothing else can fail but
 * that block, for which it is taken out again.
 */
void
mobilebert_result_store(const void *key, size_t key_size,
						const float *values, size_t count)
{
	size_t		bytes = count * sizeof(float);
	size_t		space = sizeof(ResultEntry);
	ResultEntry *entry;
	ResultKey	k = {key, key_size};
	char	   *block;
	bool		found;

	if (key_size > cache_limit() || bytes > cache_limit() ||
		bytes + key_size + sizeof(ResultEntry) > cache_limit())
		return;
	if (cache_table == NULL)
		cache_table_make();
	entry = hash_search(cache_table, &k, HASH_ENTER, &found);
	if (found)
		return;
	block = MemoryContextAllocExtended(cache_context, bytes + key_size,
									   MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
	if (block != NULL)
		space += GetMemoryChunkSpace(block);
	if (block == NULL || space > cache_limit())
	{
		(void) hash_search(cache_table, &k, HASH_REMOVE, NULL);
		if (block != NULL)
			pfree(block);
		return;
	}
	memcpy(block, values, bytes);
	memcpy(block + bytes, key, key_size);

	/* The new entry is not in the list yet, so it is not dropped. */
	while (cache_space > cache_limit() - space)
		cache_drop_last();
	entry->key.bytes = block + bytes;
	entry->block = block;
	entry->count = count;
	entry->space = space;
	cache_space += space;
	dlist_push_head(&cache_order, &entry->node);
}
