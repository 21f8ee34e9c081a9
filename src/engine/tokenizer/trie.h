/*-------------------------------------------------------------------------
 *
 * trie.h
 *	  Tries over bytes, and Aho-Corasick automata on top of them.
 *
 * Tries instead of hash tables, because greedy longest match walks a trie once
 * where a hash table would be searched for every length.  Node numbers are
 * those of a breadth-first walk, which puts the children of a node side by
 * side.
 *
 * Depends on base/arena.h, base/status.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_TRIE_H
#define MB_TRIE_H

#include <string.h>

#include "base/arena.h"
#include "base/status.h"

#define MB_NO_NODE UINT32_MAX

/*
 * A trie over bytes.  Node 0 is the root; the children of a node are
 * neighbours and come after it.  The byte that leads to a node, its label, is
 * kept apart from it, so that memchr() finds a child.
 */
typedef struct mb_node
{
	uint32_t	first;			/* its first child */
	int32_t		value;			/* -1: no text ends here */
	uint32_t	children;
} mb_node;

/*
 * Aho-Corasick links of a trie of reversed patterns: "fail" is the node of the
 * longest proper suffix in the trie (a smaller index, as it is less deep),
 * "added" the index of the longest pattern that ends here, or -1.
 */
typedef struct mb_link
{
	uint32_t	fail;
	int32_t		added;
} mb_link;

typedef struct mb_trie
{
	const mb_node *nodes;
	const uint8_t *labels;
	uint32_t	count;
} mb_trie;

typedef struct mb_matcher
{
	mb_trie		trie;
	const mb_link *links;
} mb_matcher;

/*
 * The child that a label leads to, or 0 for none (the root is nobody's child).
 * Safe on a damaged block: a node outside the trie has no children.
 */
static inline uint32_t
mb_trie_child(const mb_trie *trie, uint32_t node, uint8_t label)
{
	const mb_node *parent = &trie->nodes[node];
	const uint8_t *labels;
	const uint8_t *found;

	if (parent->first >= trie->count ||
		parent->children > trie->count - parent->first)
		return 0;
	labels = trie->labels + parent->first;
	if (parent->children == 1)
		return labels[0] == label ? parent->first : 0;
	found = memchr(labels, label, parent->children);
	return found == NULL ? 0 : (uint32_t) (found - trie->labels);
}

/* The node that a text leads to from "node", or MB_NO_NODE. */
static inline uint32_t
mb_trie_walk(const mb_trie *trie, uint32_t node,
			 const char *text, size_t length)
{
	size_t		i;

	for (i = 0; i < length; i++)
	{
		node = mb_trie_child(trie, node, (uint8_t) text[i]);
		if (node == 0)
			return MB_NO_NODE;
	}
	return node;
}

/* Order of texts in a trie: bytes, then length. */
extern int	mb_text_compare(const char *a, size_t a_length,
							const char *b, size_t b_length);

/* A text to put into a trie. */
typedef struct mb_trie_entry
{
	const char *text;
	size_t		length;
	int32_t		value;
} mb_trie_entry;

typedef struct mb_built_trie
{
	mb_node    *nodes;			/* [count] */
	uint8_t    *labels;			/* [count] */
	mb_link    *links;			/* [count]; NULL: built without */
	uint32_t	count;
} mb_built_trie;

/*
 * Sort, as building wants it; of equal texts only the one with the smallest
 * value stays.  Returns how many stay.
 */
extern size_t mb_trie_sort(mb_trie_entry *entries, size_t count);

/*
 * Build a trie, with "link" also the links of an automaton.  Entries must be
 * sorted and distinct.  Linear in their bytes.
 */
extern mb_status mb_trie_build(const mb_trie_entry *entries, size_t count,
							   bool link, mb_arena *arena,
							   const mb_cancel *cancel, mb_built_trie *trie,
							   mb_error *err);

#endif							/* MB_TRIE_H */
