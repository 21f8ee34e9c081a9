/*-------------------------------------------------------------------------
 *
 * config.h
 *	  config.json with every default and derived size, for all families.
 *
 * Letters in comments are those of model.md.
 *
 * Source: transformers' MobileBertConfig and its like; spec model.md section
 * 1, families.md sections 1 and 2.
 * Depends on base/arena.h, base/json.h, base/status.h, kernels/linear.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_CONFIG_H
#define MB_CONFIG_H

#include "base/arena.h"
#include "base/json.h"
#include "base/status.h"
#include "kernels/linear.h"

typedef enum mb_problem
{
	MB_PROBLEM_NONE,
	MB_PROBLEM_REGRESSION,
	MB_PROBLEM_SINGLE_LABEL,
	MB_PROBLEM_MULTI_LABEL
} mb_problem;

/* What "model_type" names; family.h has what follows. */
typedef enum mb_family_number
{
	MB_FAMILY_MOBILEBERT,
	MB_FAMILY_BERT,
	MB_FAMILY_DISTILBERT,
	MB_FAMILY_ELECTRA,
	MB_FAMILY_MPNET,
	MB_FAMILIES
} mb_family_number;

/* The class named in "architectures", without its family's prefix. */
typedef enum mb_architecture
{
	MB_ARCH_UNKNOWN,			/* absent, or not a class of the family */
	MB_ARCH_MODEL,
	MB_ARCH_PRETRAINING,
	MB_ARCH_MASKED_LM,
	MB_ARCH_NEXT_SENTENCE,
	MB_ARCH_SEQUENCE,
	MB_ARCH_MULTIPLE_CHOICE,
	MB_ARCH_TOKEN,
	MB_ARCH_QUESTION,
	MB_ARCHITECTURES
} mb_architecture;

/*
 * What is done to a pooled vector, as modules.json of sentence-transformers
 * lists it after Pooling.
 */
typedef enum mb_module_kind
{
	MB_MODULE_NONE,				/* Dropout, which does nothing here */
	MB_MODULE_DENSE,			/* act(linear(x)) */
	MB_MODULE_LAYER_NORM,
	MB_MODULE_NORMALIZE,
	MB_MODULE_KINDS
} mb_module_kind;

#define MB_MODULES_LIMIT 8		/* after Pooling */
#define MB_MODULES_FIRST 2		/* number of the first of them in modules.json */
#define MB_MODULE_WIDTH_MAX (1u << 24)

typedef struct mb_module
{
	uint32_t	inputs;
	uint32_t	outputs;		/* of all but Dense as many */
	uint8_t		kind;			/* mb_module_kind */
	uint8_t		activation;		/* mb_activation of Dense */
	uint8_t		bias;			/* Dense has one */
	uint8_t		reserved;
} mb_module;

/*
 * Plain data: it is stored in the weight image as it is, so a change of this
 * struct needs a new MB_IMAGE_LAYOUT.
 */
typedef struct mb_config
{
	uint32_t	vocab_size;		/* V */
	uint32_t	hidden_size;	/* H */
	uint32_t	layers;			/* num_hidden_layers; 0 is allowed */
	uint32_t	heads;			/* N */
	uint32_t	intermediate_size;	/* I */
	uint32_t	max_positions;	/* P */
	uint32_t	type_vocab_size;	/* Y; 0: tokens have no types */
	uint32_t	embedding_size; /* E */
	uint32_t	intra_bottleneck_size;
	uint32_t	feedforwards;	/* F, num_feedforward_networks, >= 1 */
	uint32_t	relative_buckets;	/* rows of the relative bias; 0: none */
	uint32_t	num_labels;		/* K */
	int32_t		pad_token_id;	/* -1: none */
	uint32_t	true_hidden_size;	/* T, derived */
	uint32_t	head_size;		/* D, derived */
	uint32_t	attention_size; /* A = N * D, derived */
	uint32_t	value_input_size;	/* input width of attention.self.value */
	uint32_t	max_tokens;		/* of a sequence, derived */
	float		layer_norm_eps;
	float		embedding_norm_eps; /* derived */
	float		output_norm_eps;	/* of a layer's last feed-forward network,
									 * derived */
	uint8_t		family;			/* mb_family_number */
	uint8_t		activation;		/* mb_activation, of feed-forward networks */
	uint8_t		mlm_activation; /* of the masked language model, derived */
	uint8_t		summary_activation;
	uint8_t		problem;		/* mb_problem */
	uint8_t		architecture;	/* mb_architecture */
	uint8_t		layer_norm;		/* normalization_type is layer_norm */
	uint8_t		trigram_input;
	uint8_t		use_bottleneck;
	uint8_t		use_bottleneck_attention;
	uint8_t		key_query_shared_bottleneck;
	uint8_t		classifier_activation;
	uint8_t		tie_word_embeddings;
	uint8_t		summary_use_proj;
	uint8_t		project_after_norm; /* of embeddings, derived */
	uint8_t		count_positions;	/* from 2 on, derived */

	/*
	 * Not of config.json: mb_modules_read() (settings.h) sets these.  They are
	 * here because tensors follow from them as from all else.  The last of them
	 * is Dense or LayerNorm.
	 */
	uint32_t	module_count;
	mb_module	modules[MB_MODULES_LIMIT];

	/* Without effect at inference; kept for mb_config_write(). */
	double		hidden_dropout_prob;
	double		attention_probs_dropout_prob;
	double		initializer_range;
	double		classifier_dropout; /* negative: null */
} mb_config;

/*
 * Effective configuration of a parsed config.json.  Errors name the key:
 * wrong type, unknown activation or normalisation, sizes that cannot be
 * (zero, over 2^24, heads that do not divide T, bottleneck combinations that
 * Hugging Face cannot run), and what would give other numbers if it were
 * passed over: a decoder, relative positions of BERT, pruned heads, quantised
 * weights, custom code, a model_type of no family.
 */
extern mb_status mb_config_read(const mb_json *root, mb_config *config,
								mb_error *err);

/* Members that are marked so, and those for which the family has no key */
extern void mb_config_derive(mb_config *config);

/*
 * The same checks of sizes, combinations and derived members on a struct from
 * elsewhere (a stored one): after MB_OK every computation with it is safe, once
 * mb_modules_check() has looked at the modules.
 */
extern mb_status mb_config_check(const mb_config *config, mb_error *err);

/*
 * All keys of the family with their effective values, derived sizes and
 * num_labels as a JSON object (id2label and label2id are left to the
 * caller); *text is allocated in arena.
 */
extern mb_status mb_config_write(const mb_config *config, mb_arena *arena,
								 char **text, mb_error *err);

/* Labels of one head */
#define MB_MOST_LABELS 65536

/* The number that a key of id2label stands for; false when it is none. */
extern bool mb_label_id(const mb_json *member, uint32_t *id);

/* The text of a label, whatever scalar it is; false for a list or object. */
extern bool mb_label_text(const mb_json *member, const char **text,
						  size_t *length);

/* How many different numbers the keys have: "1" and "01" are one. */
extern uint32_t mb_label_count(const mb_json *id2label);

/* MB_PROBLEM_NONE for anything that is not the name of a problem. */
extern mb_problem mb_problem_from_name(const mb_json *name);

/* Names as Hugging Face spells them, e.g. "gelu_new". */
extern const char *mb_activation_name(mb_activation activation);

#endif							/* MB_CONFIG_H */
