/*-------------------------------------------------------------------------
 *
 * family.c
 *	  The tables of the families.
 *
 * From top to bottom: keys of config.json, tensors of the body, heads, and
 * mb_families, which puts them together.  Rows that several families share are
 * macros; a family without a key has a row without a name.
 *
 * Source: configuration_*.py and modeling_*.py of transformers; spec model.md
 * sections 1, 3.1 and 9, families.md sections 2, 4 and 5.
 * Depends on libc only.
 *
 *-------------------------------------------------------------------------
 */
#include "model/family.h"

#include <stddef.h>

#define MAX_SIZE (1 << 24)		/* any width, table or vocabulary */
#define MAX_LAYERS 1000
#define MAX_FEEDFORWARDS 1000

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* ----------
 * Keys
 * ----------
 */

#define SIZE(key, other, member, low, high, initial) \
	{key, other, offsetof(mb_config, member), low, high, initial}
#define FIXED_SIZE(member, value) \
	{NULL, NULL, offsetof(mb_config, member), 0, UINT32_MAX, value}
#define FLAG(key, member, initial) {key, offsetof(mb_config, member), initial}

/* Rows that all have; the order is that in which they are written. */
#define VOCAB_SIZE(initial) \
	SIZE("vocab_size", NULL, vocab_size, 1, MAX_SIZE, initial)
#define HIDDEN_SIZE(initial) \
	SIZE("hidden_size", NULL, hidden_size, 1, MAX_SIZE, initial)
#define LAYERS(initial) \
	SIZE("num_hidden_layers", NULL, layers, 0, MAX_LAYERS, initial)
#define HEADS(initial) \
	SIZE("num_attention_heads", NULL, heads, 1, MAX_SIZE, initial)
#define INTERMEDIATE_SIZE(initial) \
	SIZE("intermediate_size", NULL, intermediate_size, 1, MAX_SIZE, initial)
#define POSITIONS(low) \
	SIZE("max_position_embeddings", NULL, max_positions, low, MAX_SIZE, 512)
#define TYPES SIZE("type_vocab_size", NULL, type_vocab_size, 1, MAX_SIZE, 2)
#define EMBEDDING_SIZE \
	SIZE("embedding_size", NULL, embedding_size, 1, MAX_SIZE, 128)

/* Without bottleneck, and one feed-forward network in a layer */
#define PLAIN_SIZES \
	FIXED_SIZE(intra_bottleneck_size, MB_SAME_AS_HIDDEN), \
	FIXED_SIZE(feedforwards, 1)

static const mb_size_key mobilebert_sizes[] = {
	VOCAB_SIZE(30522), HIDDEN_SIZE(512), LAYERS(24), HEADS(4),
	INTERMEDIATE_SIZE(512), POSITIONS(1), TYPES, EMBEDDING_SIZE,
	SIZE("intra_bottleneck_size", NULL, intra_bottleneck_size, 1, MAX_SIZE,
		 128),
	SIZE("num_feedforward_networks", NULL, feedforwards, 1, MAX_FEEDFORWARDS,
		 4),
	FIXED_SIZE(relative_buckets, 0)
};

static const mb_size_key bert_sizes[] = {
	VOCAB_SIZE(30522), HIDDEN_SIZE(768), LAYERS(12), HEADS(12),
	INTERMEDIATE_SIZE(3072), POSITIONS(1), TYPES,
	FIXED_SIZE(embedding_size, MB_SAME_AS_HIDDEN), PLAIN_SIZES,
	FIXED_SIZE(relative_buckets, 0)
};

/* The common names are attributes of DistilBertConfig that set the others. */
static const mb_size_key distilbert_sizes[] = {
	VOCAB_SIZE(30522),
	SIZE("dim", "hidden_size", hidden_size, 1, MAX_SIZE, 768),
	SIZE("n_layers", "num_hidden_layers", layers, 0, MAX_LAYERS, 6),
	SIZE("n_heads", "num_attention_heads", heads, 1, MAX_SIZE, 12),
	SIZE("hidden_dim", NULL, intermediate_size, 1, MAX_SIZE, 3072),
	POSITIONS(1), FIXED_SIZE(type_vocab_size, 0),
	FIXED_SIZE(embedding_size, MB_SAME_AS_HIDDEN), PLAIN_SIZES,
	FIXED_SIZE(relative_buckets, 0)
};

static const mb_size_key electra_sizes[] = {
	VOCAB_SIZE(30522), HIDDEN_SIZE(256), LAYERS(12), HEADS(4),
	INTERMEDIATE_SIZE(1024), POSITIONS(1), TYPES, EMBEDDING_SIZE, PLAIN_SIZES,
	FIXED_SIZE(relative_buckets, 0)
};

/* Two positions are never a token's; the function of buckets has 32. */
static const mb_size_key mpnet_sizes[] = {
	VOCAB_SIZE(30527), HIDDEN_SIZE(768), LAYERS(12), HEADS(12),
	INTERMEDIATE_SIZE(3072), POSITIONS(3), FIXED_SIZE(type_vocab_size, 0),
	FIXED_SIZE(embedding_size, MB_SAME_AS_HIDDEN), PLAIN_SIZES,
	SIZE("relative_attention_num_buckets", NULL, relative_buckets, 32,
		 MAX_SIZE, 32)
};

/* As model.md and families.md have the layer in common */
#define PLAIN_FLAGS \
	FLAG(NULL, trigram_input, 0), \
	FLAG(NULL, use_bottleneck, 0), \
	FLAG(NULL, use_bottleneck_attention, 0), \
	FLAG(NULL, key_query_shared_bottleneck, 0), \
	FLAG(NULL, classifier_activation, 1), \
	FLAG(NULL, layer_norm, 1), \
	FLAG("tie_word_embeddings", tie_word_embeddings, 1)

static const mb_flag_key mobilebert_flags[] = {
	FLAG("trigram_input", trigram_input, 1),
	FLAG("use_bottleneck", use_bottleneck, 1),
	FLAG("use_bottleneck_attention", use_bottleneck_attention, 0),
	FLAG("key_query_shared_bottleneck", key_query_shared_bottleneck, 1),
	FLAG("classifier_activation", classifier_activation, 1),
	FLAG("tie_word_embeddings", tie_word_embeddings, 1),
	FLAG(NULL, summary_use_proj, 0)
};

static const mb_flag_key plain_flags[] = {
	PLAIN_FLAGS, FLAG(NULL, summary_use_proj, 0)
};

static const mb_flag_key electra_flags[] = {
	PLAIN_FLAGS, FLAG("summary_use_proj", summary_use_proj, 1)
};

#define NUMBERS(hidden, attention, initial) \
	{hidden, offsetof(mb_config, hidden_dropout_prob), initial}, \
	{attention, offsetof(mb_config, attention_probs_dropout_prob), 0.1}, \
	{"initializer_range", offsetof(mb_config, initializer_range), 0.02}
#define COMMON_NUMBERS(initial) \
	NUMBERS("hidden_dropout_prob", "attention_probs_dropout_prob", initial), \
	{"classifier_dropout", offsetof(mb_config, classifier_dropout), -1.0}

static const mb_number_key mobilebert_numbers[] = {COMMON_NUMBERS(0.0)};
static const mb_number_key common_numbers[] = {COMMON_NUMBERS(0.1)};
static const mb_number_key distilbert_numbers[] = {
	NUMBERS("dropout", "attention_dropout", 0.1),
	{NULL, offsetof(mb_config, classifier_dropout), -1.0}
};

/* ----------
 * Tensors
 * ----------
 */

#define TABLE(name, rows, columns, part, site) \
	{name, MB_DIM_##rows, MB_DIM_##columns, MB_PART_##part, MB_SITE_##site, \
	false}
#define VECTOR(name, rows, part, site) \
	{name, MB_DIM_##rows, MB_DIM_NONE, MB_PART_##part, MB_SITE_##site, true}
#define DENSE(name, out, in, part, site) \
	TABLE(name ".weight", out, in, part, site), \
	VECTOR(name ".bias", out, part, site)
#define NORM(name, width, part, site) \
	TABLE(name ".weight", width, NONE, part, site), \
	VECTOR(name ".bias", width, part, site)

#define GROUP(array) {array, LENGTH(array)}

static const mb_tensor_spec mobilebert_embeddings[] = {
	TABLE("embeddings.word_embeddings.weight", V, E, BASE, WORDS),
	TABLE("embeddings.position_embeddings.weight", P, H, BASE, POSITIONS),
	TABLE("embeddings.token_type_embeddings.weight", Y, H, BASE, TYPES),
	DENSE("embeddings.embedding_transformation", H, TRANSFORMED, BASE,
		  EMBEDDING_TRANSFORMATION),
	NORM("embeddings.LayerNorm", H, BASE, EMBEDDING_NORM)
};

static const mb_tensor_spec bert_embeddings[] = {
	TABLE("embeddings.word_embeddings.weight", V, E, BASE, WORDS),
	TABLE("embeddings.position_embeddings.weight", P, E, BASE, POSITIONS),
	TABLE("embeddings.token_type_embeddings.weight", Y, E, BASE, TYPES),
	NORM("embeddings.LayerNorm", E, BASE, EMBEDDING_NORM)
};

static const mb_tensor_spec distilbert_embeddings[] = {
	TABLE("embeddings.word_embeddings.weight", V, E, BASE, WORDS),
	TABLE("embeddings.position_embeddings.weight", P, E, BASE, POSITIONS),
	NORM("embeddings.LayerNorm", E, BASE, EMBEDDING_NORM)
};

static const mb_tensor_spec electra_embeddings[] = {
	TABLE("embeddings.word_embeddings.weight", V, E, BASE, WORDS),
	TABLE("embeddings.position_embeddings.weight", P, E, BASE, POSITIONS),
	TABLE("embeddings.token_type_embeddings.weight", Y, E, BASE, TYPES),
	NORM("embeddings.LayerNorm", E, BASE, EMBEDDING_NORM),
	DENSE("embeddings_project", PROJECTED, E, BASE, EMBEDDING_TRANSFORMATION)
};

static const mb_tensor_spec mpnet_embeddings[] = {
	TABLE("embeddings.word_embeddings.weight", V, E, BASE, WORDS),
	TABLE("embeddings.position_embeddings.weight", P, E, BASE, POSITIONS),
	TABLE("encoder.relative_attention_bias.weight", BUCKETS, N, BASE,
		  RELATIVE_BIAS),
	NORM("embeddings.LayerNorm", E, BASE, EMBEDDING_NORM)
};

static const mb_tensor_spec bottleneck_input[] = {
	DENSE("bottleneck.input.dense", T, H, BASE, BOTTLENECK_INPUT),
	NORM("bottleneck.input.LayerNorm", T, BASE, BOTTLENECK_INPUT_NORM)
};

static const mb_tensor_spec bottleneck_attention[] = {
	DENSE("bottleneck.attention.dense", T, H, BASE, BOTTLENECK_ATTENTION),
	NORM("bottleneck.attention.LayerNorm", T, BASE, BOTTLENECK_ATTENTION_NORM)
};

static const mb_tensor_spec bottleneck_output[] = {
	DENSE("output.bottleneck.dense", H, T, BASE, BOTTLENECK_OUTPUT),
	NORM("output.bottleneck.LayerNorm", H, BASE, BOTTLENECK_OUTPUT_NORM)
};

static const mb_tensor_spec attention[] = {
	DENSE("attention.self.query", A, T, BASE, QUERY),
	DENSE("attention.self.key", A, T, BASE, KEY),
	DENSE("attention.self.value", A, VALUE, BASE, VALUE),
	DENSE("attention.output.dense", T, T, BASE, ATTENTION_OUTPUT),
	NORM("attention.output.LayerNorm", T, BASE, ATTENTION_NORM)
};

static const mb_tensor_spec distilbert_attention[] = {
	DENSE("attention.q_lin", A, T, BASE, QUERY),
	DENSE("attention.k_lin", A, T, BASE, KEY),
	DENSE("attention.v_lin", A, VALUE, BASE, VALUE),
	DENSE("attention.out_lin", T, T, BASE, ATTENTION_OUTPUT),
	NORM("sa_layer_norm", T, BASE, ATTENTION_NORM)
};

static const mb_tensor_spec mpnet_attention[] = {
	DENSE("attention.attn.q", A, T, BASE, QUERY),
	DENSE("attention.attn.k", A, T, BASE, KEY),
	DENSE("attention.attn.v", A, VALUE, BASE, VALUE),
	DENSE("attention.attn.o", T, T, BASE, ATTENTION_OUTPUT),
	NORM("attention.LayerNorm", T, BASE, ATTENTION_NORM)
};

/* In MobileBERT behind "ffn.j.", and for the last network without that. */
static const mb_tensor_spec feedforward[] = {
	DENSE("intermediate.dense", I, T, BASE, INTERMEDIATE),
	DENSE("output.dense", T, I, BASE, OUTPUT),
	NORM("output.LayerNorm", T, BASE, OUTPUT_NORM)
};

static const mb_tensor_spec distilbert_feedforward[] = {
	DENSE("ffn.lin1", I, T, BASE, INTERMEDIATE),
	DENSE("ffn.lin2", T, I, BASE, OUTPUT),
	NORM("output_layer_norm", T, BASE, OUTPUT_NORM)
};

static const mb_tensor_spec mobilebert_last[] = {
	DENSE("pooler.dense", H, H, POOLER, POOLER),
	DENSE("cls.predictions.transform.dense", H, H, MLM, MLM_TRANSFORM),
	NORM("cls.predictions.transform.LayerNorm", H, MLM, MLM_NORM),
	TABLE("cls.predictions.decoder.weight", V, E, MLM_UNTIED, MLM_DECODER),
	TABLE("cls.predictions.dense.weight", EXTRA, V, MLM, MLM_DENSE),
	VECTOR("cls.predictions.bias", V, MLM, MLM_BIAS),
	DENSE("cls.seq_relationship", TWO, H, NSP, NSP),
	DENSE("classifier", CHOICES, H, CLASSIFIER, CLASSIFIER),
	DENSE("qa_outputs", K, H, QA, QA)
};

static const mb_tensor_spec bert_last[] = {
	DENSE("pooler.dense", H, H, POOLER, POOLER),
	DENSE("cls.predictions.transform.dense", H, H, MLM, MLM_TRANSFORM),
	NORM("cls.predictions.transform.LayerNorm", H, MLM, MLM_NORM),
	TABLE("cls.predictions.decoder.weight", V, E, MLM_UNTIED, MLM_DECODER),
	VECTOR("cls.predictions.bias", V, MLM, MLM_BIAS),
	DENSE("cls.seq_relationship", TWO, H, NSP, NSP),
	DENSE("classifier", CHOICES, H, CLASSIFIER, CLASSIFIER),
	DENSE("qa_outputs", K, H, QA, QA)
};

static const mb_tensor_spec distilbert_last[] = {
	DENSE("vocab_transform", H, H, MLM, MLM_TRANSFORM),
	NORM("vocab_layer_norm", H, MLM, MLM_NORM),
	TABLE("vocab_projector.weight", V, E, MLM_UNTIED, MLM_DECODER),
	VECTOR("vocab_projector.bias", V, MLM, MLM_BIAS),
	DENSE("pre_classifier", H, H, PRECLASSIFIER, PRECLASSIFIER),
	DENSE("classifier", CHOICES, H, CLASSIFIER, CLASSIFIER),
	DENSE("qa_outputs", K, H, QA, QA)
};

static const mb_tensor_spec electra_last[] = {
	DENSE("generator_predictions.dense", E, H, MLM, MLM_TRANSFORM),
	NORM("generator_predictions.LayerNorm", E, MLM, MLM_NORM),
	TABLE("generator_lm_head.weight", V, E, MLM_UNTIED, MLM_DECODER),
	VECTOR("generator_lm_head.bias", V, MLM, MLM_BIAS),
	DENSE("discriminator_predictions.dense", H, H, DISCRIMINATOR,
		  DISCRIMINATOR_DENSE),
	DENSE("discriminator_predictions.dense_prediction", ONE, H, DISCRIMINATOR,
		  DISCRIMINATOR),
	DENSE("sequence_summary.summary", SUMMARY, H, PRECLASSIFIER,
		  PRECLASSIFIER),
	DENSE("classifier.dense", H, H, SEQUENCE, SEQUENCE_DENSE),
	DENSE("classifier.out_proj", K, H, SEQUENCE, SEQUENCE_OUTPUT),
	DENSE("classifier", CHOICES, H, CLASSIFIER, CLASSIFIER),
	DENSE("qa_outputs", K, H, QA, QA)
};

static const mb_tensor_spec mpnet_last[] = {
	DENSE("pooler.dense", H, H, POOLER, POOLER),
	DENSE("lm_head.dense", H, H, MLM, MLM_TRANSFORM),
	NORM("lm_head.layer_norm", H, MLM, MLM_NORM),
	TABLE("lm_head.decoder.weight", V, E, MLM_UNTIED, MLM_DECODER),
	VECTOR("lm_head.bias", V, MLM, MLM_BIAS),
	DENSE("classifier.dense", H, H, SEQUENCE, SEQUENCE_DENSE),
	DENSE("classifier.out_proj", K, H, SEQUENCE, SEQUENCE_OUTPUT),
	DENSE("classifier", CHOICES, H, CLASSIFIER, CLASSIFIER),
	DENSE("qa_outputs", K, H, QA, QA)
};

/* ----------
 * Heads
 * ----------
 */

#define HEAD(task, part, output, dense, activation) \
	{MB_TASK_##task, MB_PART_##part, MB_SITE_##output, MB_PART_##dense, \
	MB_SITE_##dense, activation}
#define BARE_HEAD(task, part) \
	{MB_TASK_##task, MB_PART_##part, MB_SITE_##part, MB_PART_BASE, \
	MB_SITE_NONE, MB_ACT_LINEAR}

#define TOKEN_HEADS BARE_HEAD(NER, CLASSIFIER), BARE_HEAD(ANSWER, QA)

/* ELECTRA's and MPNet's ClassificationHead */
#define SEQUENCE_HEAD(activation) \
	{MB_TASK_CLASSIFY, MB_PART_SEQUENCE, MB_SITE_SEQUENCE_OUTPUT, \
	MB_PART_SEQUENCE, MB_SITE_SEQUENCE_DENSE, activation}

#define POOLER_HEADS { \
	HEAD(NEXT_SENTENCE, NSP, NSP, POOLER, MB_ACT_TANH), \
	HEAD(CLASSIFY, CLASSIFIER, CLASSIFIER, POOLER, MB_ACT_TANH), \
	HEAD(CHOOSE, CLASSIFIER, CLASSIFIER, POOLER, MB_ACT_TANH), \
	TOKEN_HEADS}

/* Bits of parts; the base is there so that a class is never 0. */
#define HAS(part) (1u << MB_PART_##part)
#define BASE HAS(BASE)
#define MLM (HAS(MLM) | HAS(MLM_UNTIED))

#define POOLER_PARTS { \
	[MB_ARCH_MODEL] = BASE | HAS(POOLER), \
	[MB_ARCH_PRETRAINING] = BASE | HAS(POOLER) | MLM | HAS(NSP), \
	[MB_ARCH_MASKED_LM] = BASE | MLM, \
	[MB_ARCH_NEXT_SENTENCE] = BASE | HAS(POOLER) | HAS(NSP), \
	[MB_ARCH_SEQUENCE] = BASE | HAS(POOLER) | HAS(CLASSIFIER), \
	[MB_ARCH_MULTIPLE_CHOICE] = BASE | HAS(POOLER) | HAS(CLASSIFIER), \
	[MB_ARCH_TOKEN] = BASE | HAS(CLASSIFIER), \
	[MB_ARCH_QUESTION] = BASE | HAS(QA)}

/* ----------
 * Families
 * ----------
 */

#define KEYS(size_keys, flag_keys, number_keys) \
	.sizes = size_keys, .size_count = LENGTH(size_keys), \
	.flags = flag_keys, .flag_count = LENGTH(flag_keys), \
	.numbers = number_keys, .number_count = LENGTH(number_keys)

const mb_family mb_families[MB_FAMILIES] = {
	[MB_FAMILY_MOBILEBERT] = {
		.model_type = "mobilebert",
		.class_prefix = "MobileBert",
		KEYS(mobilebert_sizes, mobilebert_flags, mobilebert_numbers),
		.activation_key = "hidden_act",
		.activation = MB_ACT_RELU,
		.epsilon_key = "layer_norm_eps",
		.normalization = true,
		.fixed_epsilon = 1e-5f, /* torch's default: built without epsilon */
		.mlm_activation = MB_ACT_CONFIGURED,
		.heads = POOLER_HEADS,
		.parts = POOLER_PARTS,
		.embeddings = GROUP(mobilebert_embeddings),
		.tables = 3,
		.layer_name = "encoder.layer.",
		.bottleneck_input = GROUP(bottleneck_input),
		.bottleneck_attention = GROUP(bottleneck_attention),
		.attention = GROUP(attention),
		.feedforward = GROUP(feedforward),
		.bottleneck_output = GROUP(bottleneck_output),
		.last = GROUP(mobilebert_last),
		.decoder_bias = "cls.predictions.decoder.bias"
	},
	[MB_FAMILY_BERT] = {
		.model_type = "bert",
		.class_prefix = "Bert",
		KEYS(bert_sizes, plain_flags, common_numbers),
		.activation_key = "hidden_act",
		.activation = MB_ACT_GELU,
		.epsilon_key = "layer_norm_eps",
		.position_type = true,
		.two_labels = true,
		.mlm_activation = MB_ACT_CONFIGURED,
		.heads = POOLER_HEADS,
		.parts = POOLER_PARTS,
		.embeddings = GROUP(bert_embeddings),
		.tables = 3,
		.layer_name = "encoder.layer.",
		.attention = GROUP(attention),
		.feedforward = GROUP(feedforward),
		.last = GROUP(bert_last),
		.decoder_bias = "cls.predictions.decoder.bias"
	},
	[MB_FAMILY_DISTILBERT] = {
		.model_type = "distilbert",
		.class_prefix = "DistilBert",
		KEYS(distilbert_sizes, plain_flags, distilbert_numbers),
		.activation_key = "activation",
		.activation = MB_ACT_GELU,
		.two_labels = true,
		.mlm_activation = MB_ACT_CONFIGURED,
		.heads = {
			HEAD(CLASSIFY, CLASSIFIER, CLASSIFIER, PRECLASSIFIER, MB_ACT_RELU),
			HEAD(CHOOSE, CLASSIFIER, CLASSIFIER, PRECLASSIFIER, MB_ACT_RELU),
			TOKEN_HEADS
		},
		.parts = {
			[MB_ARCH_MODEL] = BASE,
			[MB_ARCH_MASKED_LM] = BASE | MLM,
			[MB_ARCH_SEQUENCE] = BASE | HAS(PRECLASSIFIER) | HAS(CLASSIFIER),
			[MB_ARCH_MULTIPLE_CHOICE] = BASE | HAS(PRECLASSIFIER) |
			HAS(CLASSIFIER),
			[MB_ARCH_TOKEN] = BASE | HAS(CLASSIFIER),
			[MB_ARCH_QUESTION] = BASE | HAS(QA)
		},
		.embeddings = GROUP(distilbert_embeddings),
		.tables = 2,
		.layer_name = "transformer.layer.",
		.attention = GROUP(distilbert_attention),
		.feedforward = GROUP(distilbert_feedforward),
		.last = GROUP(distilbert_last)
	},
	[MB_FAMILY_ELECTRA] = {
		.model_type = "electra",
		.class_prefix = "Electra",
		KEYS(electra_sizes, electra_flags, common_numbers),
		.activation_key = "hidden_act",
		.activation = MB_ACT_GELU,
		.epsilon_key = "layer_norm_eps",
		.position_type = true,
		.summary = true,
		.two_labels = true,
		.project_after_norm = true,
		.mlm_activation = MB_ACT_GELU,
		.heads = {
			SEQUENCE_HEAD(MB_ACT_GELU),
			HEAD(CHOOSE, CLASSIFIER, CLASSIFIER, PRECLASSIFIER, MB_ACT_SUMMARY),
			TOKEN_HEADS,
			{MB_TASK_REPLACED_TOKEN, MB_PART_DISCRIMINATOR,
				MB_SITE_DISCRIMINATOR, MB_PART_DISCRIMINATOR,
			MB_SITE_DISCRIMINATOR_DENSE, MB_ACT_CONFIGURED}
		},
		.parts = {
			[MB_ARCH_MODEL] = BASE,
			[MB_ARCH_PRETRAINING] = BASE | HAS(DISCRIMINATOR),
			[MB_ARCH_MASKED_LM] = BASE | MLM,
			[MB_ARCH_SEQUENCE] = BASE | HAS(SEQUENCE),
			[MB_ARCH_MULTIPLE_CHOICE] = BASE | HAS(PRECLASSIFIER) |
			HAS(CLASSIFIER),
			[MB_ARCH_TOKEN] = BASE | HAS(CLASSIFIER),
			[MB_ARCH_QUESTION] = BASE | HAS(QA)
		},
		.embeddings = GROUP(electra_embeddings),
		.tables = 3,
		.layer_name = "encoder.layer.",
		.attention = GROUP(attention),
		.feedforward = GROUP(feedforward),
		.last = GROUP(electra_last)
	},
	[MB_FAMILY_MPNET] = {
		.model_type = "mpnet",
		.class_prefix = "MPNet",
		KEYS(mpnet_sizes, plain_flags, common_numbers),
		.activation_key = "hidden_act",
		.activation = MB_ACT_GELU,
		.epsilon_key = "layer_norm_eps",
		.pad_token_id = 1,
		.two_labels = true,
		.count_positions = true,
		.mlm_activation = MB_ACT_GELU,
		.heads = {
			SEQUENCE_HEAD(MB_ACT_TANH),
			HEAD(CHOOSE, CLASSIFIER, CLASSIFIER, POOLER, MB_ACT_TANH),
			TOKEN_HEADS
		},
		.parts = {
			[MB_ARCH_MODEL] = BASE | HAS(POOLER),
			[MB_ARCH_MASKED_LM] = BASE | MLM,
			[MB_ARCH_SEQUENCE] = BASE | HAS(SEQUENCE),
			[MB_ARCH_MULTIPLE_CHOICE] = BASE | HAS(POOLER) | HAS(CLASSIFIER),
			[MB_ARCH_TOKEN] = BASE | HAS(CLASSIFIER),
			[MB_ARCH_QUESTION] = BASE | HAS(QA)
		},
		.embeddings = GROUP(mpnet_embeddings),
		.tables = 3,
		.layer_name = "encoder.layer.",
		.attention = GROUP(mpnet_attention),
		.feedforward = GROUP(feedforward),
		.last = GROUP(mpnet_last),
		.decoder_bias = "lm_head.decoder.bias"
	}
};

const mb_head *
mb_family_head(const mb_family *family, mb_task task)
{
	size_t		i;

	for (i = 0; i < MB_HEADS_MAX && family->heads[i].task != 0; i++)
	{
		if (family->heads[i].task == (uint32_t) task)
			return &family->heads[i];
	}
	return NULL;
}

mb_activation
mb_family_activation(const mb_config *config, uint8_t activation)
{
	if (activation == MB_ACT_CONFIGURED)
		return (mb_activation) config->activation;
	if (activation == MB_ACT_SUMMARY)
		return (mb_activation) config->summary_activation;
	return (mb_activation) activation;
}

/* ----------
 * Modules after pooling
 * ----------
 */

/* As sentence-transformers calls their tensors, in the order of their slots */
static const mb_tensor_spec dense_specs[] = {
	{"linear.weight", MB_DIM_OUTPUTS, MB_DIM_INPUTS, MB_PART_MODULES,
	MB_SITE_MODULE_DENSE, false},
	{"linear.bias", MB_DIM_OUTPUTS, MB_DIM_NONE, MB_PART_MODULES,
	MB_SITE_MODULE_DENSE, true}
};
static const mb_tensor_spec layer_norm_specs[] = {
	{"norm.weight", MB_DIM_OUTPUTS, MB_DIM_NONE, MB_PART_MODULES,
	MB_SITE_MODULE_NORM, false},
	{"norm.bias", MB_DIM_OUTPUTS, MB_DIM_NONE, MB_PART_MODULES,
	MB_SITE_MODULE_NORM, true}
};

mb_tensor_group
mb_module_tensors(const mb_module *module)
{
	mb_tensor_group none = {NULL, 0};
	mb_tensor_group dense = {dense_specs, module->bias ? 2 : 1};
	mb_tensor_group layer_norm = {layer_norm_specs, 2};

	if (module->kind == MB_MODULE_DENSE)
		return dense;
	return module->kind == MB_MODULE_LAYER_NORM ? layer_norm : none;
}

const char *
mb_task_name(mb_task task)
{
	switch (task)
	{
		case MB_TASK_EMBED:
			return "embed";
		case MB_TASK_POOLER:
			return "pooler";
		case MB_TASK_FILL_MASK:
			return "fill_mask";
		case MB_TASK_NEXT_SENTENCE:
			return "next_sentence";
		case MB_TASK_CLASSIFY:
			return "classify";
		case MB_TASK_NER:
			return "ner";
		case MB_TASK_ANSWER:
			return "answer";
		case MB_TASK_CHOOSE:
			return "choose";
		case MB_TASK_REPLACED_TOKEN:
			return "replaced_token";
	}
	return NULL;
}
