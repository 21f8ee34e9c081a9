/*-------------------------------------------------------------------------
 *
 * vocab.h
 *	  What a tokenizer consists of, as read from a model's files, and the
 *	  block of bytes it is compiled into.
 *
 * Internal to vocab.c (reads the files), blob.c (compiles and opens the
 * block), wordpiece.c, encode.c and decode.c.
 *
 * Depends on tokenizer/tokenizer.h, tokenizer/text.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_VOCAB_H
#define MB_VOCAB_H

#include <string.h>

#include "tokenizer/text.h"
#include "tokenizer/tokenizer.h"

/*
 * Ids must be below this: the table of tokens has a row for each id up to the
 * highest, and a file of a few bytes must not ask for gigabytes.
 */
#define MB_TOKEN_ID_LIMIT (2 * 1024 * 1024)

/* A token may have this many bytes at most. */
#define MB_TOKEN_LENGTH_LIMIT (1024 * 1024)

/* What a cancel stops. */
#define MB_BUILDING "building the tokenizer"

/*
 * As read from the files
 */

typedef struct mb_vocab_token
{
	const char *text;
	size_t		length;
	int32_t		id;
} mb_vocab_token;

typedef struct mb_added_token
{
	const char *text;
	size_t		length;
	int32_t		id;
	bool		single_word;
	bool		lstrip;
	bool		rstrip;
	bool		normalized;
	bool		special;
} mb_added_token;

typedef enum mb_template_kind
{
	MB_TEMPLATE_TOKEN,
	MB_TEMPLATE_FIRST,			/* "Sequence" A */
	MB_TEMPLATE_SECOND			/* "Sequence" B */
} mb_template_kind;

/* A piece of a template, as stored. */
typedef struct mb_template_piece
{
	int32_t		kind;
	int32_t		id;				/* of MB_TEMPLATE_TOKEN */
	int32_t		type;			/* token type id */
} mb_template_piece;

typedef struct mb_vocabulary
{
	mb_vocab_token *tokens;		/* of the model; sorted by text, no repeats */
	size_t		token_count;
	mb_added_token *added;		/* in the order they were added, no repeats */
	size_t		added_count;

	mb_template_piece *single;
	size_t		single_count;
	mb_template_piece *pair;
	size_t		pair_count;

	mb_normalizer normalizer;
	const char *unk_text;		/* unk_token of the model */
	size_t		unk_length;
	const char *prefix;			/* continuing_subword_prefix */
	size_t		prefix_length;
	const char *decoder_prefix;
	size_t		decoder_prefix_length;
	bool		decoder_cleanup;
	uint32_t	max_word_chars; /* max_input_chars_per_word */

	int32_t		cls_id;			/* -1: none */
	int32_t		sep_id;
	int32_t		pad_id;
	int32_t		mask_id;
	int32_t		pad_type_id;
	uint64_t	model_max_length;	/* UINT64_MAX: none */
	bool		truncate_left;
	bool		pad_left;
	bool		clean_up_spaces;
	bool		split_special_tokens;
} mb_vocabulary;

/* Order of token texts: bytes, then length. */
extern int	mb_text_compare(const char *a, size_t a_length,
							const char *b, size_t b_length);

/* Id of a token of the model (binary search), or -1. */
extern int32_t mb_vocabulary_find(const mb_vocabulary *vocabulary,
								  const char *text, size_t length);

/* Compile; see mb_tokenizer_build. */
extern mb_status mb_blob_compile(const mb_vocabulary *vocabulary,
								 mb_arena *arena, mb_arena *scratch,
								 const mb_cancel *cancel,
								 void **blob, size_t *size, mb_error *err);

/*
 * As stored.  Sections follow the header, each aligned to 8 bytes; all
 * integers are in the byte order of the machine that built the block.
 */

#define MB_BLOB_MAGIC "MBTOKENS"
#define MB_BLOB_VERSION 1
#define MB_BLOB_ORDER 0x01020304

typedef enum mb_blob_section
{
	MB_BLOB_STRINGS,			/* char: texts of tokens */
	MB_BLOB_TOKENS,				/* mb_blob_token, by id */
	MB_BLOB_MODEL,				/* mb_node: texts of the model -> id */
	MB_BLOB_MODEL_LABELS,		/* uint8_t, one per node */
	MB_BLOB_ADDED_TEXTS,		/* mb_node: texts of added tokens -> id */
	MB_BLOB_ADDED_TEXTS_LABELS, /* uint8_t, one per node */
	MB_BLOB_ADDED,				/* mb_blob_added */
	MB_BLOB_RAW,				/* mb_node: patterns, normalized = false */
	MB_BLOB_RAW_LABELS,			/* uint8_t, one per node */
	MB_BLOB_RAW_LINKS,			/* mb_link, one per node */
	MB_BLOB_NORMALIZED,			/* mb_node: patterns, normalized = true */
	MB_BLOB_NORMALIZED_LABELS,	/* uint8_t, one per node */
	MB_BLOB_NORMALIZED_LINKS,	/* mb_link, one per node */
	MB_BLOB_SINGLE,				/* mb_template_piece */
	MB_BLOB_PAIR,				/* mb_template_piece */
	MB_BLOB_SECTIONS
} mb_blob_section;

/* bits of mb_blob_header.flags */
#define MB_BLOB_CLEAN_TEXT		(1 << 0)
#define MB_BLOB_CHINESE_CHARS	(1 << 1)
#define MB_BLOB_STRIP_ACCENTS	(1 << 2)
#define MB_BLOB_LOWERCASE		(1 << 3)
#define MB_BLOB_TRUNCATE_LEFT	(1 << 4)
#define MB_BLOB_PAD_LEFT		(1 << 5)
#define MB_BLOB_CLEAN_UP_SPACES (1 << 6)
#define MB_BLOB_SPLIT_SPECIAL	(1 << 7)
#define MB_BLOB_DECODER_CLEANUP (1 << 8)

typedef struct mb_blob_header
{
	char		magic[8];
	uint32_t	version;
	uint32_t	order;
	uint32_t	size;
	uint32_t	flags;
	uint64_t	model_max_length;
	int32_t		unk_id;
	int32_t		cls_id;
	int32_t		sep_id;
	int32_t		pad_id;
	int32_t		mask_id;
	int32_t		pad_type_id;
	uint32_t	max_word_chars;
	uint32_t	continuing;		/* node of MB_BLOB_MODEL that the prefix of
								 * non-initial pieces leads to, or
								 * MB_NO_NODE */
	uint32_t	unk_start;		/* in MB_BLOB_STRINGS */
	uint32_t	unk_length;
	uint32_t	prefix_start;	/* of the decoder, in MB_BLOB_STRINGS */
	uint32_t	prefix_length;
	struct
	{
		uint32_t	offset;
		uint32_t	count;
	}			sections[MB_BLOB_SECTIONS];
} mb_blob_header;

#define MB_NO_NODE UINT32_MAX

/* bits of mb_blob_token.flags */
#define MB_TOKEN_PRESENT 1
#define MB_TOKEN_SPECIAL 2

typedef struct mb_blob_token
{
	uint32_t	start;			/* in MB_BLOB_STRINGS */
	uint32_t	length:24;
	uint32_t	flags:8;
} mb_blob_token;

/* bits of mb_blob_added.flags */
#define MB_ADDED_SINGLE_WORD 1
#define MB_ADDED_LSTRIP 2
#define MB_ADDED_RSTRIP 4
#define MB_ADDED_SPECIAL 8

typedef struct mb_blob_added
{
	int32_t		id;
	uint32_t	length;			/* bytes of its pattern */
	uint32_t	flags;
} mb_blob_added;

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

/* A blob that mb_tokenizer_open has accepted, with its sections in place. */
typedef struct mb_blob
{
	const mb_blob_header *header;
	const char *strings;
	uint32_t	strings_size;
	const mb_blob_token *tokens;
	uint32_t	token_count;
	mb_trie		model;
	mb_trie		added_texts;
	const mb_blob_added *added;
	uint32_t	added_count;
	mb_matcher	raw;
	mb_matcher	normalized;
	const mb_template_piece *single;
	uint32_t	single_count;
	const mb_template_piece *pair;
	uint32_t	pair_count;
	mb_normalizer normalizer;
} mb_blob;

extern void mb_blob_view(const mb_tokenizer *tokenizer, mb_blob *blob);

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

#endif							/* MB_VOCAB_H */
