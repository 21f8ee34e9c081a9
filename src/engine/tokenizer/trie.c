/*-------------------------------------------------------------------------
 *
 * trie.c
 *	  Building tries, level by level.
 *
 * Depends on tokenizer/trie.h.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/trie.h"

#include <stdlib.h>
#include <string.h>

/* Nodes built between two polls of cancel. */
#define POLL_NODES 8192

/* The entries [low, high) that share the first "depth" bytes. */
typedef struct trie_span
{
	uint32_t	low;
	uint32_t	high;
	uint32_t	depth;
	uint32_t	parent;
} trie_span;

int
mb_text_compare(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t		common = a_length < b_length ? a_length : b_length;
	int			order = common == 0 ? 0 : memcmp(a, b, common);

	if (order != 0)
		return order;
	return a_length < b_length ? -1 : a_length > b_length;
}

static int
compare_entries(const void *a, const void *b)
{
	const mb_trie_entry *left = a;
	const mb_trie_entry *right = b;
	int			order = mb_text_compare(left->text, left->length,
										right->text, right->length);

	if (order != 0)
		return order;
	return left->value < right->value ? -1 : left->value > right->value;
}

size_t
mb_trie_sort(mb_trie_entry *entries, size_t count)
{
	size_t		kept = 0;
	size_t		i;

	if (count == 0)
		return 0;
	qsort(entries, count, sizeof(mb_trie_entry), compare_entries);
	for (i = 1; i < count; i++)
		if (mb_text_compare(entries[kept].text, entries[kept].length,
							entries[i].text, entries[i].length) != 0)
			entries[++kept] = entries[i];
	return kept + 1;
}

/* Give a node its value and its children, one per distinct next byte. */
static void
expand_node(const mb_trie_entry *entries, mb_built_trie *trie,
			trie_span *spans, uint32_t node)
{
	uint32_t	depth = spans[node].depth;
	uint32_t	low = spans[node].low;
	uint32_t	high = spans[node].high;

	if (low < high && entries[low].length == depth)
		trie->nodes[node].value = entries[low++].value;
	trie->nodes[node].first = trie->count;
	while (low < high)
	{
		uint8_t		label = (uint8_t) entries[low].text[depth];
		uint32_t	child = trie->count++;
		uint32_t	next = low + 1;

		while (next < high && (uint8_t) entries[next].text[depth] == label)
			next++;
		memset(&trie->nodes[child], 0, sizeof(mb_node));
		trie->nodes[child].value = -1;
		trie->labels[child] = label;
		spans[child].low = low;
		spans[child].high = next;
		spans[child].depth = depth + 1;
		spans[child].parent = node;
		trie->nodes[node].children++;
		low = next;
	}
}

/* Aho-Corasick: parents come before children, so one walk in order. */
static void
link_node(const mb_built_trie *trie, const trie_span *spans, uint32_t node)
{
	mb_trie		view = {trie->nodes, trie->labels, trie->count};
	uint32_t	fail = 0;

	if (node != 0 && spans[node].parent != 0)
	{
		uint32_t	from = trie->links[spans[node].parent].fail;

		for (;;)
		{
			fail = mb_trie_child(&view, from, trie->labels[node]);
			if (fail != 0 || from == 0)
				break;
			from = trie->links[from].fail;
		}
	}
	trie->links[node].fail = fail;
	trie->links[node].added = trie->nodes[node].value;
	if (trie->links[node].added < 0 && node != 0)
		trie->links[node].added = trie->links[fail].added;
}

mb_status
mb_trie_build(const mb_trie_entry *entries, size_t count, bool link,
			  mb_arena *arena, const mb_cancel *cancel, mb_built_trie *trie,
			  mb_error *err)
{
	size_t		limit = 1;
	size_t		work = 0;		/* nodes and entries since the last poll */
	trie_span  *spans;
	uint32_t	node;
	size_t		i;

	for (i = 0; i < count; i++)
		if (!mb_size_add(limit, entries[i].length, &limit))
			return mb_fail_memory(err);
	if (limit > UINT32_MAX / sizeof(mb_node))
		return mb_fail(err, MB_ERR_LIMIT, "vocabulary is too large");

	trie->nodes = mb_arena_alloc(arena, limit, sizeof(mb_node));
	trie->labels = mb_arena_alloc(arena, limit, 1);
	spans = mb_arena_alloc(arena, limit, sizeof(trie_span));
	trie->links = NULL;
	if (trie->nodes == NULL || trie->labels == NULL || spans == NULL)
		return mb_fail_memory(err);
	memset(&trie->nodes[0], 0, sizeof(mb_node));
	trie->labels[0] = 0;
	trie->nodes[0].value = -1;
	trie->count = 1;
	spans[0].low = 0;
	spans[0].high = (uint32_t) count;
	spans[0].depth = 0;
	spans[0].parent = 0;
	for (node = 0; node < trie->count; node++)
	{
		expand_node(entries, trie, spans, node);
		work += 1 + spans[node].high - spans[node].low;
		if (work < POLL_NODES)
			continue;
		work = 0;
		if (mb_cancelled(cancel))
			return mb_fail_cancelled(err, "building the tokenizer");
	}
	if (!link)
		return MB_OK;

	trie->links = mb_arena_alloc(arena, trie->count, sizeof(mb_link));
	if (trie->links == NULL)
		return mb_fail_memory(err);
	for (node = 0; node < trie->count; node++)
	{
		link_node(trie, spans, node);
		if (node % POLL_NODES == 0 && mb_cancelled(cancel))
			return mb_fail_cancelled(err, "building the tokenizer");
	}
	return MB_OK;
}
