/*-------------------------------------------------------------------------
 *
 * blob.h
 *	  A tokenizer as one flat block of bytes ("blob"): what lies where.
 *
 * blob_compile.c makes the block of a vocabulary, blob.c opens it and looks
 * tokens up; wordpiece.c, encode.c and decode.c read it through mb_blob.
 *
 * The texts of the model's tokens and of the added ones are tries.  Added
 * tokens are found in text by an Aho-Corasick automaton over the reversed
 * patterns: read from the end of the text, its longest match at a position is
 * the longest token that starts there, and the scan that takes
 * leftmost-longest matches is linear whatever the tokens are.
 *
 * Opening checks the header and that each section lies inside.  What the
 * sections hold is checked where it is used: a node outside the trie has no
 * children, an id outside the table has no token, so a damaged block gives
 * wrong tokens but never a read outside of it.
 *
 * Depends on base/arena.h, base/status.h, tokenizer/text.h,
 * tokenizer/tokenizer.h, tokenizer/trie.h, tokenizer/vocabulary.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_BLOB_H
#define MB_BLOB_H

#include "base/arena.h"
#include "base/status.h"
#include "tokenizer/text.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/trie.h"
#include "tokenizer/vocabulary.h"

/*
 * Sections follow the header, each aligned to MB_BLOB_ALIGN bytes; all
 * integers are in the byte order of the machine that built the block.
 */

#define MB_BLOB_ALIGN 8
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

/* Bytes of one item of a section. */
extern const uint32_t mb_blob_item_sizes[MB_BLOB_SECTIONS];

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
#define MB_BLOB_NO_TYPES		(1 << 9)

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

/* Place an mb_blob over the block of an open tokenizer. */
extern void mb_blob_view(const mb_tokenizer *tokenizer, mb_blob *blob);

/* Compile; see mb_tokenizer_build. */
extern mb_status mb_blob_compile(const mb_vocabulary *vocabulary,
								 mb_arena *arena, mb_arena *scratch,
								 const mb_cancel *cancel,
								 void **blob, size_t *size, mb_error *err);

#endif							/* MB_BLOB_H */
