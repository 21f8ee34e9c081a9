/*-------------------------------------------------------------------------
 *
 * family.h
 *	  What the families of encoders differ in, as data: keys and defaults of
 *	  config.json, tensors and their names, heads by class.
 *
 * A family is what "model_type" names.  Reading a configuration (config_read.c),
 * matching tensors (checkpoint.c), placing them in a model (model.c) and the
 * heads (heads.c) walk over these tables; the forward pass sees only the
 * mb_config that follows from them.  src/README.md says how to add a family.
 *
 * Source: configuration and modelling files of transformers; spec model.md
 * sections 1 and 9, families.md.
 * Depends on kernels/linear.h, model/config.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_FAMILY_H
#define MB_FAMILY_H

#include "kernels/linear.h"
#include "model/config.h"

/* ----------
 * Keys of config.json
 * ----------
 */

/* A size that is always that of hidden_size */
#define MB_SAME_AS_HIDDEN UINT32_MAX

/*
 * A number that is a member of mb_config.  Every family has a row for every
 * member; without a key the value is always the initial one.
 */
typedef struct mb_size_key
{
	const char *key;			/* NULL: the family has no such key */
	const char *other;			/* another name, which wins; or NULL */
	size_t		offset;			/* of a uint32_t */
	uint32_t	low;
	uint32_t	high;
	uint32_t	initial;		/* where the key is absent */
} mb_size_key;

typedef struct mb_flag_key
{
	const char *key;			/* likewise */
	size_t		offset;			/* of a uint8_t */
	uint8_t		initial;
} mb_flag_key;

/* Numbers without effect at inference, kept to be shown */
typedef struct mb_number_key
{
	const char *key;
	size_t		offset;			/* of a double */
	double		initial;		/* -1: null, which the key may be */
} mb_number_key;

static inline uint32_t *
mb_size_member(mb_config *config, const mb_size_key *key)
{
	return (uint32_t *) ((char *) config + key->offset);
}

static inline uint8_t *
mb_flag_member(mb_config *config, const mb_flag_key *key)
{
	return (uint8_t *) config + key->offset;
}

static inline double *
mb_number_member(mb_config *config, const mb_number_key *key)
{
	return (double *) ((char *) config + key->offset);
}

/* ----------
 * Tensors
 * ----------
 */

/* A group of tensors that a checkpoint has wholly or not at all. */
typedef enum mb_part
{
	MB_PART_BASE,				/* required */
	MB_PART_POOLER,				/* the base model's pooler */
	MB_PART_MLM,				/* masked language model */
	MB_PART_MLM_UNTIED,			/* its decoder's weight */
	MB_PART_NSP,				/* next sentence */
	MB_PART_CLASSIFIER,			/* one linear layer: classifier.* */
	MB_PART_QA,					/* qa_outputs.* */
	MB_PART_PRECLASSIFIER,		/* a dense layer before "classifier" */
	MB_PART_SEQUENCE,			/* classifier.dense.*, classifier.out_proj.* */
	MB_PART_DISCRIMINATOR,		/* discriminator_predictions.* */
	MB_PART_MODULES,			/* what follows pooling; required */
	MB_PART_COUNT
} mb_part;

/* Where in a model a tensor goes; model.c has the members. */
typedef enum mb_site
{
	MB_SITE_NONE,
	MB_SITE_WORDS,
	MB_SITE_POSITIONS,
	MB_SITE_TYPES,
	MB_SITE_RELATIVE_BIAS,
	MB_SITE_EMBEDDING_TRANSFORMATION,
	MB_SITE_EMBEDDING_NORM,
	MB_SITE_BOTTLENECK_INPUT,
	MB_SITE_BOTTLENECK_INPUT_NORM,
	MB_SITE_BOTTLENECK_ATTENTION,
	MB_SITE_BOTTLENECK_ATTENTION_NORM,
	MB_SITE_QUERY,
	MB_SITE_KEY,
	MB_SITE_VALUE,
	MB_SITE_ATTENTION_OUTPUT,
	MB_SITE_ATTENTION_NORM,
	MB_SITE_INTERMEDIATE,
	MB_SITE_OUTPUT,
	MB_SITE_OUTPUT_NORM,
	MB_SITE_BOTTLENECK_OUTPUT,
	MB_SITE_BOTTLENECK_OUTPUT_NORM,
	MB_SITE_POOLER,
	MB_SITE_MLM_TRANSFORM,
	MB_SITE_MLM_NORM,
	MB_SITE_MLM_DECODER,
	MB_SITE_MLM_DENSE,
	MB_SITE_MLM_BIAS,
	MB_SITE_NSP,
	MB_SITE_CLASSIFIER,
	MB_SITE_QA,
	MB_SITE_PRECLASSIFIER,
	MB_SITE_SEQUENCE_DENSE,
	MB_SITE_SEQUENCE_OUTPUT,
	MB_SITE_DISCRIMINATOR_DENSE,
	MB_SITE_DISCRIMINATOR,
	MB_SITE_MODULE_DENSE,
	MB_SITE_MODULE_NORM,
	MB_SITES
} mb_site;

/* A size by its letter in model.md. */
typedef enum mb_dimension
{
	MB_DIM_NONE,				/* no second dimension: rank 1 */
	MB_DIM_V,
	MB_DIM_H,
	MB_DIM_E,
	MB_DIM_T,
	MB_DIM_A,
	MB_DIM_I,
	MB_DIM_P,
	MB_DIM_Y,
	MB_DIM_K,
	MB_DIM_N,
	MB_DIM_ONE,
	MB_DIM_TWO,
	MB_DIM_BUCKETS,				/* of relative positions */
	MB_DIM_TRANSFORMED,			/* 3E with trigram_input, else E */
	MB_DIM_VALUE,				/* H, or T with use_bottleneck_attention */
	MB_DIM_EXTRA,				/* H - E */
	MB_DIM_CHOICES,				/* K, or 1 for multiple choice */
	MB_DIM_PROJECTED,			/* H, or 0 when E = H: there is no layer */
	MB_DIM_SUMMARY,				/* H, or 0 without summary_use_proj */
	MB_DIM_INPUTS,				/* of a module after pooling */
	MB_DIM_OUTPUTS
} mb_dimension;

typedef struct mb_tensor_spec
{
	const char *name;			/* after the group's prefix */
	uint8_t		rows;			/* mb_dimension */
	uint8_t		columns;		/* mb_dimension */
	uint8_t		part;			/* mb_part */
	uint8_t		site;			/* mb_site */
	bool		bias;			/* of a linear layer or norm */
} mb_tensor_spec;

typedef struct mb_tensor_group
{
	const mb_tensor_spec *specs;
	size_t		count;
} mb_tensor_group;

/* Those of a module after pooling, which are the same in all families. */
extern mb_tensor_group mb_module_tensors(const mb_module *module);

/* ----------
 * Heads
 * ----------
 */

/* What a model can do, as its parts and its class decide. */
typedef enum mb_task
{
	MB_TASK_EMBED = 1,
	MB_TASK_POOLER = 2,			/* pooler_output is defined */
	MB_TASK_FILL_MASK = 4,
	MB_TASK_NEXT_SENTENCE = 8,
	MB_TASK_CLASSIFY = 16,
	MB_TASK_NER = 32,
	MB_TASK_ANSWER = 64,
	MB_TASK_CHOOSE = 128,
	MB_TASK_REPLACED_TOKEN = 256	/* a discriminator's */
} mb_task;

#define MB_TASK_COUNT 9			/* bits 1 << 0 to 1 << 8 */

/* "embed", "fill_mask", ...; NULL when task is not a single bit above. */
extern const char *mb_task_name(mb_task task);

/* Activations that the configuration names */
#define MB_ACT_CONFIGURED MB_ACTIVATIONS	/* hidden_act */
#define MB_ACT_SUMMARY (MB_ACTIVATIONS + 1) /* summary_activation */

/*
 * output(act(dense(state))), or output(state): of each token, or of the first
 * one for tasks that look at a text as a whole.  The masked language model,
 * which ends in the word table, is not among them.
 */
typedef struct mb_head
{
	uint32_t	task;			/* mb_task */
	uint8_t		part;			/* mb_part of output */
	uint8_t		output;			/* mb_site */
	uint8_t		dense_part;		/* mb_part of dense */
	uint8_t		dense;			/* mb_site; MB_SITE_NONE: no such layer */
	uint8_t		activation;		/* of dense; or one of the two above */
} mb_head;

#define MB_HEADS_MAX 6

/* ----------
 * Families
 * ----------
 */

typedef struct mb_family
{
	const char *model_type;		/* and in task classes, with a dot, the prefix
								 * of the base model's tensors */
	const char *class_prefix;	/* of names of classes */

	/* config.json */
	const mb_size_key *sizes;
	size_t		size_count;
	const mb_flag_key *flags;
	size_t		flag_count;
	const mb_number_key *numbers;
	size_t		number_count;
	const char *activation_key;
	uint8_t		activation;		/* where the key is absent */
	const char *epsilon_key;	/* NULL: always 1e-12 */
	uint32_t	pad_token_id;	/* where the key is absent */
	bool		normalization;	/* has "normalization_type" */
	bool		position_type;	/* has "position_embedding_type" */
	bool		summary;		/* has the keys of SequenceSummary */
	bool		two_labels;		/* question answering has to have two */

	/* arithmetic */
	float		fixed_epsilon;	/* of the norm of the embeddings and of the last
								 * feed-forward network's; 0: the configured */
	bool		project_after_norm; /* of embeddings; and before that all is E
									 * wide */
	bool		count_positions;	/* from 2 on, over tokens that are not id 1 */
	uint8_t		mlm_activation; /* or MB_ACT_CONFIGURED */
	mb_head		heads[MB_HEADS_MAX];	/* task 0: the end */

	/* parts that each class has; 0: no such class */
	uint32_t	parts[MB_ARCHITECTURES];

	/* tensors; "layer_name" and a number are before those of a layer */
	mb_tensor_group embeddings;
	size_t		tables;			/* so many of these are no linear layers */
	const char *layer_name;
	mb_tensor_group bottleneck_input;
	mb_tensor_group bottleneck_attention;
	mb_tensor_group attention;
	mb_tensor_group feedforward;
	mb_tensor_group bottleneck_output;
	mb_tensor_group last;		/* pooler and heads */
	const char *decoder_bias;	/* another name of the MLM's bias; or NULL */
} mb_family;

extern const mb_family mb_families[MB_FAMILIES];

static inline const mb_family *
mb_family_of(const mb_config *config)
{
	return &mb_families[config->family];
}

/* The head of a task; NULL when the family has none. */
extern const mb_head *mb_family_head(const mb_family *family, mb_task task);

/* The activation of a row: one of those the configuration names, or itself. */
extern mb_activation mb_family_activation(const mb_config *config,
										  uint8_t activation);

#endif							/* MB_FAMILY_H */
