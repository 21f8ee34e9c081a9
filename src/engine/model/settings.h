/*-------------------------------------------------------------------------
 *
 * settings.h
 *	  What makes an embedding of a model's states, and a score of its logit:
 *	  the settings that sentence-transformers keeps beside a checkpoint,
 *	  prompts, pooling modes, and the modules after pooling.
 *
 * Source: sentence-transformers' Pooling, Dense, LayerNorm and CrossEncoder;
 * spec pipelines.md section 8, families.md section 7.
 * Depends on base/arena.h, base/json.h, base/status.h, kernels/linear.h,
 * model/config.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_SETTINGS_H
#define MB_SETTINGS_H

#include "base/arena.h"
#include "base/json.h"
#include "base/status.h"
#include "kernels/linear.h"
#include "model/config.h"

/* Pooling modes by number; 0 is none. */
typedef enum mb_pooling
{
	MB_POOL_CLS = 1,
	MB_POOL_MAX,
	MB_POOL_MEAN,
	MB_POOL_MEAN_SQRT_LEN,
	MB_POOL_WEIGHTED_MEAN,
	MB_POOL_LAST_TOKEN,
	MB_POOL_POOLER,				/* ours: Hugging Face's pooler_output */
	MB_POOL_END					/* the number after the last; at most 16 */
} mb_pooling;

/*
 * Modes whose vectors stand one after the other, in that order; one may come
 * twice.  Four bits each, the first in the lowest, zeros after the last: one
 * mode alone is its own list.
 */
typedef uint32_t mb_poolings;

#define MB_POOLINGS_BITS 4
#define MB_POOLINGS_LIMIT 8		/* modes in a list */

/* Put a mode at the end; false when the list is full. */
extern bool mb_poolings_append(mb_poolings *list, mb_pooling mode);

/* One mode or more, each of them known? */
extern bool mb_poolings_valid(mb_poolings list);

extern unsigned mb_poolings_count(mb_poolings list);
extern bool mb_poolings_contain(mb_poolings list, mb_pooling mode);

/* Take the first mode off; 0 when none is left. */
extern mb_pooling mb_poolings_next(mb_poolings *list);

/* 0 when the name is not one of sentence-transformers' names or "pooler". */
extern mb_pooling mb_pooling_from_name(const char *name);

/* The other way; NULL for what is no mode. */
extern const char *mb_pooling_name(mb_pooling mode);

/*
 * What modules.json says.  Paths are folders below the directory, "" for the
 * directory itself; NULL: not given.
 */
typedef struct mb_sentence_modules
{
	const char *transformer_path;
	const char *pooling_path;
	bool		pooling;		/* has a module Pooling */
	bool		normalize;		/* the result is normalised at last */

	/*
	 * What follows pooling, up to the last Dense or LayerNorm; a Normalize
	 * after that is the one above.
	 */
	uint32_t	count;
	mb_module_kind kinds[MB_MODULES_LIMIT];
	const char *paths[MB_MODULES_LIMIT];
} mb_sentence_modules;

/*
 * Errors: modules other than a Transformer, then Pooling, then Dense, LayerNorm,
 * Normalize and Dropout, and paths that lead out of the directory.
 */
extern mb_status mb_sentence_modules_read(const mb_json *document,
										  mb_sentence_modules *modules,
										  mb_error *err);

/* How two vectors of a model are compared: larger is more alike. */
typedef enum mb_similarity
{
	MB_SIMILARITY_COSINE,
	MB_SIMILARITY_DOT,
	MB_SIMILARITY_EUCLIDEAN,	/* the distance, negative */
	MB_SIMILARITY_MANHATTAN,	/* likewise, of sums of differences */
	MB_SIMILARITIES				/* how many there are */
} mb_similarity;

/* What the sentence-transformers files of a directory say. */
typedef struct mb_sentence_settings
{
	mb_poolings pooling;		/* default MB_POOL_MEAN */
	uint32_t	max_seq_length; /* 0: not set */
	uint32_t	truncate_dim;	/* numbers kept of a vector; 0: all */
	uint8_t		normalize;
	uint8_t		do_lower_case;
	uint8_t		cross_encoder;	/* a file says that it is one */
	uint8_t		activation;		/* mb_activation, from a cross-encoder's logit
								 * to its score; else MB_ACT_LINEAR */
	uint8_t		similarity;		/* mb_similarity */
	uint8_t		prompts;		/* there are some */
	uint8_t		exclude_prompt; /* from pooling */
	uint8_t		reserved;
} mb_sentence_settings;

/* Those files, parsed, and config.json; each may be NULL (absent). */
typedef struct mb_sentence_files
{
	const mb_json *config;		/* config.json of the model */
	const mb_json *modules;
	const mb_json *pooling;		/* config.json of the module Pooling */
	const mb_json *sentence_bert;
	const mb_json *sentence_config; /* config_sentence_transformers.json */
	const mb_json *following[MB_MODULES_LIMIT]; /* config.json of each module
												 * after Pooling */
} mb_sentence_files;

/*
 * All NULL gives the defaults.  A module Pooling without its configuration is
 * an error, and so are an activation of a cross-encoder or a similarity that is
 * not known, other kinds of models than vectors and scores come from, and what
 * mb_prompts_check() refuses.
 */
extern mb_status mb_sentence_settings_read(const mb_sentence_files *files,
										   mb_sentence_settings *settings,
										   mb_error *err);

/*
 * Classes of torch that a module or a cross-encoder may name: *activation, an
 * mb_activation, or false.
 */
extern bool mb_torch_activation(const mb_json *name, uint32_t *activation);

/* "Dense", ... as modules.json has it */
extern const char *mb_module_name(mb_module_kind kind);

/*
 * The modules after pooling: config->modules and module_count, from modules.json
 * and the configuration of each.  config and settings are those of the same
 * files.  Errors: a configuration that is missing or does not fit the vector
 * that comes from the module before, other activations than torch's Identity,
 * Sigmoid, Tanh, ReLU, GELU and SiLU, a Dense of tokens.
 */
extern mb_status mb_modules_read(const mb_sentence_files *files,
								 const mb_sentence_settings *settings,
								 mb_config *config, mb_error *err);

/* The same checks on structs from elsewhere, as mb_config_check() does them. */
extern mb_status mb_modules_check(const mb_config *config,
								  const mb_sentence_settings *settings,
								  mb_error *err);

/*
 * Prompts: texts with a name, one of which is put before each text.  They stand
 * in config_sentence_transformers.json and not in the weight image, which only
 * says whether there are any.
 */
typedef struct mb_prompt
{
	const char *name;
	const char *text;			/* may be empty */
	size_t		length;			/* of text */
} mb_prompt;

typedef struct mb_prompts
{
	size_t		count;
	mb_prompt  *list;			/* [count] */
	const mb_prompt *by_default;	/* one of them, or NULL */
} mb_prompts;

/*
 * document NULL: absent.  "query" and "document" are always there, empty where
 * the file does not have them; null counts as empty.  Names and texts lie in
 * the document, the list in arena.  Errors: MB_ERR_DATA prompts that are no
 * texts, a default prompt that is not among them; MB_ERR_MEMORY.
 */
extern mb_status mb_prompts_read(const mb_json *document, mb_arena *arena,
								 mb_prompts *prompts, mb_error *err);

/* The same without an arena: only whether that succeeds, and how many. */
extern mb_status mb_prompts_check(const mb_json *document, size_t *count,
								  mb_error *err);

#endif							/* MB_SETTINGS_H */
