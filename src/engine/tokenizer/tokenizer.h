/*-------------------------------------------------------------------------
 *
 * tokenizer.h
 *	  The fast tokenizers of BERT and its relatives: text to token ids with
 *	  offsets, and back.
 *
 * A tokenizer is one flat, position-independent block of bytes ("blob"), built
 * once from a model's files (build.c) and kept inside the weight image, so
 * a backend opens it (blob.c) without reading a vocabulary.  Work on text is in
 * text.c (Unicode), wordpiece.c (splitting, WordPiece), encode.c (truncation,
 * windows, template, padding) and decode.c (back to text).
 *
 * Offsets count Unicode characters of the text as given, from 0, end
 * exclusive.  Text is UTF-8; invalid UTF-8 is MB_ERR_DATA.
 *
 * Source: tokenizers 0.22.2; spec tokenizer.md (sections in parentheses).
 * Depends on base/arena.h, base/status.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_TOKENIZER_H
#define MB_TOKENIZER_H

#include "base/arena.h"
#include "base/status.h"

/* Contents of the files of a model directory; text NULL: no such file. */
typedef struct mb_document
{
	const char *text;
	size_t		length;
} mb_document;

typedef struct mb_tokenizer_files
{
	mb_document tokenizer_json;
	mb_document vocab_txt;		/* used when there is no tokenizer.json */
	mb_document tokenizer_config;
	mb_document special_tokens_map;
	mb_document added_tokens;

	/* what is known from elsewhere */
	const char *class_name;		/* where tokenizer_config.json names none: that
								 * of config.json, or the family's; or NULL */
	bool		lowercase_first;	/* do_lower_case of sentence-transformers */
} mb_tokenizer_files;

/*
 * Build the blob; *blob is allocated in arena, 64-byte aligned size multiple
 * of 64.  (section 10, formats.md 5 and 6)
 */
extern mb_status mb_tokenizer_build(const mb_tokenizer_files *files,
									mb_arena *arena, const mb_cancel *cancel,
									void **blob, size_t *size, mb_error *err);

typedef struct mb_tokenizer
{
	const uint8_t *blob;
	size_t		size;
	uint32_t	vocabulary_size;	/* highest id + 1, added tokens included */
	int32_t		unk_id;			/* ids of special tokens; -1: none */
	int32_t		cls_id;
	int32_t		sep_id;
	int32_t		pad_id;
	int32_t		mask_id;
	int32_t		pad_type_id;
	uint64_t	model_max_length;	/* UINT64_MAX: none */
	bool		truncate_left;	/* truncation_side */
	bool		pad_left;		/* padding_side */
	bool		clean_up_spaces;	/* clean_up_tokenization_spaces */
	bool		split_special_tokens;
	bool		no_types;		/* model_input_names has no token types: all 0 */
	uint32_t	template_single;	/* tokens the template adds to one text */
	uint32_t	template_pair;	/* and to two */
} mb_tokenizer;

/*
 * Check a blob (magic, version, sizes, every offset inside) and describe it.
 * The blob must stay where it is as long as the tokenizer is used.
 */
extern mb_status mb_tokenizer_open(const void *blob, size_t size,
								   mb_tokenizer *tokenizer, mb_error *err);

/* The string of an id; NULL for an id without a token. */
extern const char *mb_token_text(const mb_tokenizer *tokenizer, int32_t id,
								 size_t *length);

/* The id of a token string, or -1. */
extern int32_t mb_token_id(const mb_tokenizer *tokenizer,
						   const char *text, size_t length);

/* Flagged special among the added tokens. */
extern bool mb_token_special(const mb_tokenizer *tokenizer, int32_t id);

/* Stages 1 to 4: word pieces of one text, no template. */
typedef struct mb_pieces
{
	size_t		count;
	int32_t    *ids;
	int32_t    *starts;			/* offsets in characters */
	int32_t    *ends;
	int32_t    *words;			/* word index (5.2) */
} mb_pieces;

extern mb_status mb_tokenize(const mb_tokenizer *tokenizer,
							 const char *text, size_t length,
							 bool split_special_tokens,
							 mb_arena *arena, const mb_cancel *cancel,
							 mb_pieces *pieces, mb_error *err);

/* Pre-split input: each word alone, offsets relative to it (5.2). */
extern mb_status mb_tokenize_words(const mb_tokenizer *tokenizer,
								   const mb_document *words, size_t count,
								   bool split_special_tokens,
								   mb_arena *arena, const mb_cancel *cancel,
								   mb_pieces *pieces, mb_error *err);

typedef enum mb_truncation
{
	MB_TRUNCATE_NONE,
	MB_TRUNCATE_LONGEST_FIRST,
	MB_TRUNCATE_ONLY_FIRST,
	MB_TRUNCATE_ONLY_SECOND
} mb_truncation;

typedef enum mb_padding
{
	MB_PAD_NONE,
	MB_PAD_LONGEST,				/* of the windows of this call */
	MB_PAD_MAX_LENGTH
} mb_padding;

typedef struct mb_encode_options
{
	bool		add_special_tokens;
	bool		overflow;		/* all windows, not only the first */
	bool		truncate_left;
	bool		pad_left;
	bool		later[2];		/* first, second: is a later range of a longer
								 * text, with an overflow range's type id */
	mb_truncation truncation;
	mb_padding	padding;
	size_t		max_length;		/* SIZE_MAX: no limit */
	size_t		stride;
	size_t		pad_to_multiple_of; /* 0 or 1: not rounded */
} mb_encode_options;

/* add_special_tokens true, no truncation, no padding, sides as the model's. */
extern void mb_encode_defaults(const mb_tokenizer *tokenizer,
							   mb_encode_options *options);

/* One window with its template tokens (and padding). */
typedef struct mb_encoding
{
	size_t		length;
	int32_t    *ids;
	int32_t    *types;
	int32_t    *starts;
	int32_t    *ends;
	int32_t    *words;			/* -1: template or padding token */
	int8_t	   *sequences;		/* 0, 1; -1: template or padding token */
	uint8_t    *special;		/* special_tokens_mask */
	uint8_t    *mask;			/* attention_mask */
} mb_encoding;

/*
 * Stages 5 (sections 5.3 and 6): truncate, cut into windows, apply the
 * template, pad.  second may be NULL (single text).  *windows has *count >= 1
 * encodings, the first being the result and the rest overflow in order.
 * *dropped, when not NULL, gets the tokens that the first window lost.
 */
extern mb_status mb_encode(const mb_tokenizer *tokenizer,
						   const mb_pieces *first, const mb_pieces *second,
						   const mb_encode_options *options,
						   mb_arena *arena, const mb_cancel *cancel,
						   mb_encoding **windows, size_t *count,
						   size_t *dropped, mb_error *err);

/* Section 7; *text is allocated in arena. */
extern mb_status mb_decode(const mb_tokenizer *tokenizer,
						   const int32_t *ids, size_t count,
						   bool skip_special_tokens, bool clean_up_spaces,
						   mb_arena *arena, const mb_cancel *cancel,
						   char **text, size_t *length, mb_error *err);

/*
 * Token strings (not ids) to text as the tokenizer's decoder joins them, that
 * is Hugging Face's convert_tokens_to_string(); nothing is skipped.  *text is
 * allocated in arena.
 */
extern mb_status mb_join_tokens(const mb_tokenizer *tokenizer,
								const mb_document *tokens, size_t count,
								mb_arena *arena, const mb_cancel *cancel,
								char **text, size_t *length, mb_error *err);

/* Name and version of the Unicode library, for people to read. */
extern const char *mb_text_library(void);

#endif							/* MB_TOKENIZER_H */
