/*-------------------------------------------------------------------------
 *
 * vocabulary.h
 *	  What a tokenizer consists of, as read from a model's files.
 *
 * reader.h fills it, blob.h makes a block of bytes of it.
 *
 * Depends on base/arena.h, base/status.h, tokenizer/text.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_VOCABULARY_H
#define MB_VOCABULARY_H

#include "base/arena.h"
#include "base/status.h"
#include "tokenizer/text.h"

/*
 * Ids must be below this: the table of tokens has a row for each id up to the
 * highest, and a file of a few bytes must not need gigabytes.
 */
#define MB_TOKEN_ID_LIMIT (2 * 1024 * 1024)

/* A token may have this many bytes at most. */
#define MB_TOKEN_LENGTH_LIMIT (1024 * 1024)

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
	mb_added_token *added;		/* special ones first; one that is found in the
								 * raw text and in the normalised comes twice */
	size_t		added_count;

	mb_template_piece *single;
	size_t		single_count;
	mb_template_piece *pair;
	size_t		pair_count;

	mb_normalizer normalizer;
	mb_normalizer added_normalizer; /* of added tokens: the file's own, before
									 * other files change it */
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
	bool		no_types;
} mb_vocabulary;

/*
 * Tokens of the model: allocate count of them, set each at its position
 * in the file, sort.  While they are set, "id" is the position; ids [count]
 * has the ids, or is NULL when they are the positions.  A repeated token takes
 * its last id, and its earlier ones have no token.  "file" names the file in
 * messages.
 */
extern mb_status mb_vocabulary_begin(mb_vocabulary *vocabulary, size_t count,
									 const char *file, mb_arena *arena,
									 mb_error *err);
extern mb_status mb_vocabulary_set(mb_vocabulary *vocabulary, size_t position,
								   const char *text, size_t length,
								   const char *file, mb_error *err);
extern mb_status mb_vocabulary_sort(mb_vocabulary *vocabulary,
									const int32_t *ids,
									const mb_cancel *cancel, mb_error *err);

/* Id of a token of the model, or -1. */
extern int32_t mb_vocabulary_find(const mb_vocabulary *vocabulary,
								  const char *text, size_t length);

/* Id of an added token or one of the model, or -1. */
extern int32_t mb_vocabulary_id(const mb_vocabulary *vocabulary,
								const char *text, size_t length);

#endif							/* MB_VOCABULARY_H */
