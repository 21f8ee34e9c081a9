/*-------------------------------------------------------------------------
 *
 * reader.h
 *	  Reading a model's tokenizer files: what the steps of build.c share.
 *
 * build.c parses the files and takes the steps in order; each fills fields of
 * the vocabulary.  tokenizer_json.c, added_tokens.c and template.c are a step
 * each; class.c has what a class of tokenizers adds to the files.
 *
 * Components other than a BERT tokenizer has are refused by name: one that is
 * almost right would give wrong results silently.
 *
 * Depends on base/arena.h, base/json.h, base/status.h, tokenizer/tokenizer.h,
 * tokenizer/vocabulary.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_READER_H
#define MB_READER_H

#include "base/arena.h"
#include "base/json.h"
#include "base/status.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocabulary.h"

/* The files, as messages name them. */
#define MB_TOKENIZER_JSON "tokenizer.json"
#define MB_TOKENIZER_CONFIG "tokenizer_config.json"
#define MB_SPECIAL_TOKENS_MAP "special_tokens_map.json"
#define MB_ADDED_TOKENS "added_tokens.json"
#define MB_VOCAB_TXT "vocab.txt"

/* Special tokens with a name, in the order in which they are added. */
typedef enum mb_named_token
{
	MB_NAMED_BOS,
	MB_NAMED_EOS,
	MB_NAMED_UNK,
	MB_NAMED_SEP,
	MB_NAMED_PAD,
	MB_NAMED_CLS,
	MB_NAMED_MASK,
	MB_NAMED_COUNT
} mb_named_token;

/* A class of transformers: what counts where files are silent. */
typedef struct mb_tokenizer_class
{
	const char *name;			/* without "Fast" */
	const char *named[MB_NAMED_COUNT];	/* special tokens; NULL: none */
	bool		generic;		/* only what tokenizer.json says */
	bool		types;			/* gives token types */
	bool		flagged;		/* named tokens that are texts have flags: the
								 * mask takes the blanks before it */
	bool		file_chinese;	/* handle_chinese_chars of tokenizer.json counts,
								 * tokenize_chinese_chars does not */
	bool		double_separator;	/* two between texts */
} mb_tokenizer_class;

/*
 * The class of a name, or of the other where there is none.  The generic one
 * needs a tokenizer.json.
 */
extern const mb_tokenizer_class *mb_find_tokenizer_class(const mb_json *name,
														 const char *otherwise,
														 bool tokenizer_json);

typedef struct mb_reader
{
	const mb_tokenizer_files *files;
	mb_arena   *scratch;
	const mb_cancel *cancel;
	mb_error   *err;

	mb_json    *tokenizer;		/* tokenizer.json, or NULL */
	mb_json    *config;			/* tokenizer_config.json, or NULL */
	mb_json    *special_map;	/* special_tokens_map.json where it applies */
	mb_json    *added_map;		/* added_tokens.json where it applies */
	mb_json    *stored_pad;	/* padding.pad_token of tokenizer.json */
	const mb_tokenizer_class *class;
	bool		sequence;		/* the normalizer is a Sequence, which no switch
								 * of tokenizer_config.json changes */

	mb_added_token named[MB_NAMED_COUNT];	/* text NULL: none */
	mb_vocabulary vocabulary;	/* the result */
} mb_reader;

/*
 * Steps, in this order
 */

/*
 * The model's tokens and all options that tokenizer.json has.  *strip is
 * "strip_accents": -1 for null, that is as lowercase.
 */
extern mb_status mb_read_tokenizer_json(mb_reader *r, int *strip);

/*
 * Added tokens: those of tokenizer.json, then added_tokens_decoder (or,
 * without it, added_tokens.json), then the special tokens that have a name
 * ("cls_token" and the others) or stand in a list of further ones.  Each gets
 * the id that the model has for it or the next free one.
 */
extern mb_status mb_read_added_tokens(mb_reader *r);

/* The templates, and the ids of named tokens. */
extern mb_status mb_read_template(mb_reader *r);

/*
 * Values.  "file" and "key" are for messages.  The functions that read leave
 * *result as it is, a default, when the key is absent or null.
 */

/* Says that a value is not what its file must hold. */
extern mb_status mb_wrong_value(mb_reader *r, const char *file,
								const char *key, const char *wanted);

extern mb_status mb_read_bool(mb_reader *r, const mb_json *object,
							  const char *file, const char *key,
							  bool *result);
extern mb_status mb_read_text(mb_reader *r, const mb_json *object,
							  const char *file, const char *key,
							  const char **text, size_t *length);

/* "left" or "right", capitalised in tokenizer.json. */
extern mb_status mb_read_side(mb_reader *r, const mb_json *object,
							  const char *file, const char *key, bool *left);

/* A token type id. */
extern mb_status mb_read_type_id(mb_reader *r, const mb_json *object,
								 const char *file, const char *key,
								 int32_t *result);

/* Check that a component is an object of the type that it must have. */
extern mb_status mb_check_type(mb_reader *r, const mb_json *component,
							   const char *what, const char *type);

#endif							/* MB_READER_H */
