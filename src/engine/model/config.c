/*-------------------------------------------------------------------------
 *
 * config.c
 *	  config.json to mb_config and back.
 *
 * Reading takes three steps: every key by its type (an absent key leaves the
 * default; null is a value of the wrong type, unless null is allowed), the
 * derived sizes, and mb_config_check(), which refuses what cannot be computed.
 * The last is separate because a weight image carries an mb_config as bytes.
 *
 * Start at mb_config_read().
 *
 * Source: MobileBertConfig and PretrainedConfig of transformers; spec model.md
 * sections 1 and 3.1.
 * Depends on model/config.h, model/config_keys.h.
 *
 *-------------------------------------------------------------------------
 */
#include "model/config.h"

#include "model/config_keys.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SIZE (1 << 24)		/* any width, table or vocabulary */
#define MAX_LAYERS 1000
#define MAX_FEEDFORWARDS 1000
#define MAX_LABELS 65536

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* ----------
 * Names
 * ----------
 */

static const mb_named_value activations[] = {
	{"relu", MB_ACT_RELU},
	{"gelu", MB_ACT_GELU},
	{"gelu_python", MB_ACT_GELU},
	{"gelu_new", MB_ACT_GELU_TANH},
	{"gelu_accurate", MB_ACT_GELU_TANH},
	{"gelu_pytorch_tanh", MB_ACT_GELU_TANH},
	{"gelu_python_tanh", MB_ACT_GELU_TANH},
	{"gelu_fast", MB_ACT_GELU_FAST},
	{"quick_gelu", MB_ACT_QUICK_GELU},
	{"gelu_10", MB_ACT_GELU_10},
	{"silu", MB_ACT_SILU},
	{"swish", MB_ACT_SILU},
	{"relu6", MB_ACT_RELU6},
	{"relu2", MB_ACT_RELU2},
	{"leaky_relu", MB_ACT_LEAKY_RELU},
	{"mish", MB_ACT_MISH},
	{"sigmoid", MB_ACT_SIGMOID},
	{"tanh", MB_ACT_TANH},
	{"linear", MB_ACT_LINEAR},
	{"laplace", MB_ACT_LAPLACE}
};

static const mb_named_value problems[] = {
	{"regression", MB_PROBLEM_REGRESSION},
	{"single_label_classification", MB_PROBLEM_SINGLE_LABEL},
	{"multi_label_classification", MB_PROBLEM_MULTI_LABEL}
};

static const mb_named_value architectures[] = {
	{"MobileBertModel", MB_ARCH_MODEL},
	{"MobileBertForPreTraining", MB_ARCH_PRETRAINING},
	{"MobileBertForMaskedLM", MB_ARCH_MASKED_LM},
	{"MobileBertForNextSentencePrediction", MB_ARCH_NEXT_SENTENCE},
	{"MobileBertForSequenceClassification", MB_ARCH_SEQUENCE},
	{"MobileBertForMultipleChoice", MB_ARCH_MULTIPLE_CHOICE},
	{"MobileBertForTokenClassification", MB_ARCH_TOKEN},
	{"MobileBertForQuestionAnswering", MB_ARCH_QUESTION}
};

static const mb_named_value normalizations[] = {
	{"no_norm", 0},
	{"layer_norm", 1}
};

const char *
mb_activation_name(mb_activation activation)
{
	return mb_find_name(activations, LENGTH(activations),
						(uint32_t) activation);
}

/* ----------
 * Sizes, flags and numbers
 * ----------
 */

/*
 * Where a member of mb_config is and what may stand there.  The columns of
 * "sizes" in the order of model.md section 1.
 */
typedef struct size_key
{
	const char *key;
	size_t		offset;
	uint32_t	low;
	uint32_t	high;
	uint32_t	initial;		/* MobileBertConfig's default */
} size_key;

static const size_key sizes[] = {
	{"vocab_size", offsetof(mb_config, vocab_size), 1, MAX_SIZE, 30522},
	{"hidden_size", offsetof(mb_config, hidden_size), 1, MAX_SIZE, 512},
	{"num_hidden_layers", offsetof(mb_config, layers), 0, MAX_LAYERS, 24},
	{"num_attention_heads", offsetof(mb_config, heads), 1, MAX_SIZE, 4},
	{"intermediate_size", offsetof(mb_config, intermediate_size), 1, MAX_SIZE,
	512},
	{"max_position_embeddings", offsetof(mb_config, max_positions), 1,
	MAX_SIZE, 512},
	{"type_vocab_size", offsetof(mb_config, type_vocab_size), 1, MAX_SIZE, 2},
	{"embedding_size", offsetof(mb_config, embedding_size), 1, MAX_SIZE, 128},
	{"intra_bottleneck_size", offsetof(mb_config, intra_bottleneck_size), 1,
	MAX_SIZE, 128},
	{"num_feedforward_networks", offsetof(mb_config, feedforwards), 1,
	MAX_FEEDFORWARDS, 4}
};

typedef struct flag_key
{
	const char *key;
	size_t		offset;
	uint8_t		initial;
} flag_key;

static const flag_key flags[] = {
	{"trigram_input", offsetof(mb_config, trigram_input), 1},
	{"use_bottleneck", offsetof(mb_config, use_bottleneck), 1},
	{"use_bottleneck_attention",
	offsetof(mb_config, use_bottleneck_attention), 0},
	{"key_query_shared_bottleneck",
	offsetof(mb_config, key_query_shared_bottleneck), 1},
	{"classifier_activation", offsetof(mb_config, classifier_activation), 1},
	{"tie_word_embeddings", offsetof(mb_config, tie_word_embeddings), 1}
};

static uint32_t *
size_member(mb_config *config, const size_key *key)
{
	return (uint32_t *) ((char *) config + key->offset);
}

static uint8_t *
flag_member(mb_config *config, const flag_key *key)
{
	return (uint8_t *) config + key->offset;
}

static void
set_defaults(mb_config *config)
{
	size_t		i;

	memset(config, 0, sizeof(*config));
	for (i = 0; i < LENGTH(sizes); i++)
		*size_member(config, &sizes[i]) = sizes[i].initial;
	for (i = 0; i < LENGTH(flags); i++)
		*flag_member(config, &flags[i]) = flags[i].initial;
	config->num_labels = 2;
	config->layer_norm_eps = 1e-12f;
	config->activation = MB_ACT_RELU;
	config->problem = MB_PROBLEM_NONE;
	config->architecture = MB_ARCH_UNKNOWN;
	config->hidden_dropout_prob = 0.0;
	config->attention_probs_dropout_prob = 0.1;
	config->initializer_range = 0.02;
	config->classifier_dropout = -1.0;
}

static mb_status
read_sizes_and_flags(const mb_json *root, mb_config *config, mb_error *err)
{
	size_t		i;

	for (i = 0; i < LENGTH(flags); i++)
	{
		mb_status	status = mb_read_flag(root, flags[i].key,
										  flag_member(config, &flags[i]), err);

		if (status != MB_OK)
			return status;
	}
	for (i = 0; i < LENGTH(sizes); i++)
	{
		mb_status	status = mb_read_size(root, sizes[i].key, sizes[i].low,
										  sizes[i].high,
										  size_member(config, &sizes[i]), err);

		if (status != MB_OK)
			return status;
	}
	return MB_OK;
}

/* A number that nothing at inference reads: it is shown, and refuses nothing. */
static void
read_unused(const mb_json *root, const char *key, double *value)
{
	const mb_json *member = mb_json_get(root, key);

	if (member != NULL && member->type == MB_JSON_NUMBER &&
		isfinite(member->number) && member->number >= 0)
		*value = member->number;
}

static mb_status
read_numbers(const mb_json *root, mb_config *config, mb_error *err)
{
	double		epsilon = 1e-12;
	mb_status	status;

	read_unused(root, "hidden_dropout_prob", &config->hidden_dropout_prob);
	read_unused(root, "attention_probs_dropout_prob",
				&config->attention_probs_dropout_prob);
	read_unused(root, "initializer_range", &config->initializer_range);
	read_unused(root, "classifier_dropout", &config->classifier_dropout);
	status = mb_read_number(root, "layer_norm_eps", &epsilon, err);
	if (status != MB_OK)
		return status;
	if (epsilon > FLT_MAX)
		return mb_fail(err, MB_ERR_LIMIT, "\"layer_norm_eps\" is too large");
	config->layer_norm_eps = (float) epsilon;
	return MB_OK;
}

/*
 * A row of the word table, as the tokenizer's own id of [PAD] is: that one
 * counts where there is one (image.c).  -1: none, or one that is no row.
 */
static void
read_pad_token(const mb_json *root, mb_config *config)
{
	const mb_json *member = mb_json_get(root, "pad_token_id");
	int64_t		id = 0;

	if (member != NULL &&
		!mb_json_int(member, 0, (int64_t) config->vocab_size - 1, &id))
		id = -1;
	config->pad_token_id = (int32_t) id;
}

/* ----------
 * Keys that are names
 * ----------
 */

static mb_status
read_activation(const mb_json *root, mb_config *config, mb_error *err)
{
	const mb_json *member = mb_json_get(root, "hidden_act");
	uint32_t	value;

	if (member == NULL)
		return MB_OK;
	if (member->type != MB_JSON_STRING)
		return mb_fail_type("hidden_act", "a string", err);
	if (!mb_find_value(activations, LENGTH(activations), member, &value))
	{
		mb_fail(err, MB_ERR_UNSUPPORTED,
				"activation \"%.100s\" is not supported", member->text);
		if (mb_json_is_string(member, "prelu") ||
			mb_json_is_string(member, "xielu"))
			mb_detail(err, "It has learned parameters, for which a MobileBERT "
					  "checkpoint has no tensors.");
		return MB_ERR_UNSUPPORTED;
	}
	config->activation = (uint8_t) value;
	return MB_OK;
}

static mb_status
read_normalization(const mb_json *root, mb_config *config, mb_error *err)
{
	const mb_json *member = mb_json_get(root, "normalization_type");
	uint32_t	value;

	if (member == NULL)
		return MB_OK;
	if (member->type != MB_JSON_STRING)
		return mb_fail_type("normalization_type", "a string", err);
	if (!mb_find_value(normalizations, LENGTH(normalizations), member, &value))
	{
		mb_fail(err, MB_ERR_UNSUPPORTED,
				"normalization type \"%.100s\" is not supported",
				member->text);
		mb_detail(err, "It is \"no_norm\" or \"layer_norm\".");
		return MB_ERR_UNSUPPORTED;
	}
	config->layer_norm = (uint8_t) value;
	return MB_OK;
}

mb_problem
mb_problem_from_name(const mb_json *name)
{
	uint32_t	value = MB_PROBLEM_NONE;

	if (name != NULL && name->type == MB_JSON_STRING)
		mb_find_value(problems, LENGTH(problems), name, &value);
	return (mb_problem) value;
}

static mb_status
read_problem(const mb_json *root, mb_config *config, mb_error *err)
{
	const mb_json *member = mb_json_get(root, "problem_type");
	uint32_t	value;

	if (member == NULL || member->type == MB_JSON_NULL)
		return MB_OK;
	if (member->type != MB_JSON_STRING)
		return mb_fail_type("problem_type", "a string or null", err);
	if (!mb_find_value(problems, LENGTH(problems), member, &value))
		return mb_fail(err, MB_ERR_UNSUPPORTED,
					   "problem type \"%.100s\" is not supported",
					   member->text);
	config->problem = (uint8_t) value;
	return MB_OK;
}

/* The first MobileBERT class of the list; anything else is none. */
static void
read_architectures(const mb_json *root, mb_config *config)
{
	const mb_json *list = mb_json_get(root, "architectures");
	const mb_json *member;

	if (list == NULL || list->type != MB_JSON_ARRAY)
		return;
	for (member = list->child; member != NULL; member = member->next)
	{
		uint32_t	value;

		if (mb_find_value(architectures, LENGTH(architectures), member, &value))
		{
			config->architecture = (uint8_t) value;
			return;
		}
	}
}

static mb_status
read_model_type(const mb_json *root, mb_error *err)
{
	const mb_json *member = mb_json_get(root, "model_type");

	if (member == NULL || mb_json_is_string(member, "mobilebert"))
		return MB_OK;
	if (member->type != MB_JSON_STRING)
		return mb_fail_type("model_type", "a string", err);
	mb_fail(err, MB_ERR_UNSUPPORTED, "model type \"%.100s\" is not supported",
			member->text);
	mb_detail(err, "Only \"mobilebert\" models can be run.");
	return MB_ERR_UNSUPPORTED;
}

static mb_status
read_decoder(const mb_json *root, mb_error *err)
{
	uint8_t		decoder = 0;
	mb_status	status = mb_read_flag(root, "is_decoder", &decoder, err);

	if (status == MB_OK && decoder)
		status = mb_fail(err, MB_ERR_UNSUPPORTED,
						 "a decoder (\"is_decoder\" true) is not supported");
	return status;
}

/* ----------
 * Labels
 * ----------
 */

/* Python's int(): blanks around it, a sign, single underscores inside. */
bool
mb_label_id(const mb_json *member, uint32_t *id)
{
	const char *at = member->key;
	const char *end = at + member->key_length;
	uint32_t	value = 0;
	bool		digit = false;

	while (at < end && strchr(" \t\n\v\f\r", *at) != NULL && *at != '\0')
		at++;
	while (end > at && strchr(" \t\n\v\f\r", end[-1]) != NULL &&
		   end[-1] != '\0')
		end--;
	if (at < end && *at == '+')
		at++;
	for (; at < end; at++)
	{
		if (*at == '_' && digit)
		{
			digit = false;
			continue;
		}
		if (*at < '0' || *at > '9')
			return false;
		digit = true;
		value = value * 10 + (uint32_t) (*at - '0');
		if (value >= MAX_LABELS)
			return false;
	}
	*id = value;
	return digit;
}

bool
mb_label_text(const mb_json *member, const char **text, size_t *length)
{
	switch (member->type)
	{
		case MB_JSON_STRING:
		case MB_JSON_NUMBER:
			*text = member->text;
			break;
		case MB_JSON_NULL:
			*text = "null";
			break;
		case MB_JSON_FALSE:
			*text = "false";
			break;
		case MB_JSON_TRUE:
			*text = "true";
			break;
		case MB_JSON_ARRAY:
		case MB_JSON_OBJECT:
			return false;
	}
	*length = member->type == MB_JSON_STRING ? member->length : strlen(*text);
	return true;
}

uint32_t
mb_label_count(const mb_json *labels)
{
	uint8_t		seen[MAX_LABELS / 8] = {0};
	uint32_t	count = 0;
	const mb_json *member;

	for (member = labels->child; member != NULL; member = member->next)
	{
		uint32_t	id;
		uint8_t		bit;

		if (!mb_label_id(member, &id))
			continue;
		bit = (uint8_t) (1 << (id % 8));
		if ((seen[id / 8] & bit) == 0)
			count++;
		seen[id / 8] |= bit;
	}
	return count;
}

/* num_labels is the number of entries of id2label when that is there. */
static mb_status
read_labels(const mb_json *root, mb_config *config, mb_error *err)
{
	const mb_json *labels = mb_json_get(root, "id2label");
	const mb_json *member;

	if (mb_json_is_null(labels))
		return mb_json_is_null(mb_json_get(root, "num_labels")) ? MB_OK :
			mb_read_size(root, "num_labels", 0, MAX_LABELS,
						 &config->num_labels, err);
	if (labels->type != MB_JSON_OBJECT)
		return mb_fail_type("id2label", "an object or null", err);
	if (labels->length > MAX_LABELS)
		return mb_fail(err, MB_ERR_LIMIT, "\"id2label\" has over %d entries",
					   MAX_LABELS);
	for (member = labels->child; member != NULL; member = member->next)
	{
		const char *text;
		size_t		length;
		uint32_t	id;

		if (!mb_label_id(member, &id))
			return mb_fail(err, MB_ERR_DATA,
						   "key \"%.100s\" of \"id2label\" is not an integer "
						   "between 0 and %d", member->key, MAX_LABELS - 1);
		if (!mb_label_text(member, &text, &length))
			return mb_fail(err, MB_ERR_DATA,
						   "label %u of \"id2label\" has no text", id);
	}
	config->num_labels = mb_label_count(labels);
	return MB_OK;
}

/* ----------
 * Sizes that follow, and what cannot be
 * ----------
 */

static void
derive(mb_config *config)
{
	config->true_hidden_size = config->use_bottleneck ?
		config->intra_bottleneck_size : config->hidden_size;
	config->head_size = config->true_hidden_size / config->heads;
	config->attention_size = config->heads * config->head_size;
	config->value_input_size = config->use_bottleneck_attention ?
		config->true_hidden_size : config->hidden_size;
}

/* Ranges of everything that is not derived. */
static mb_status
check_ranges(const mb_config *config, mb_error *err)
{
	mb_config	copy = *config;
	size_t		i;

	for (i = 0; i < LENGTH(sizes); i++)
	{
		uint32_t	value = *size_member(&copy, &sizes[i]);

		if (value < sizes[i].low || value > sizes[i].high)
			return mb_fail(err, MB_ERR_LIMIT,
						   "\"%s\" must be between %u and %u, not %u",
						   sizes[i].key, sizes[i].low, sizes[i].high, value);
	}
	for (i = 0; i < LENGTH(flags); i++)
	{
		if (*flag_member(&copy, &flags[i]) > 1)
			return mb_fail_type(flags[i].key, "true or false", err);
	}
	if (config->layer_norm > 1 || config->activation >= MB_ACTIVATIONS ||
		config->problem > MB_PROBLEM_MULTI_LABEL ||
		config->architecture > MB_ARCH_QUESTION)
		return mb_fail(err, MB_ERR_DATA, "a name in the configuration is "
					   "out of range");
	if (config->num_labels > MAX_LABELS)
		return mb_fail(err, MB_ERR_LIMIT, "\"num_labels\" is over %d",
					   MAX_LABELS);
	if (config->pad_token_id < -1 ||
		config->pad_token_id >= (int64_t) config->vocab_size)
		return mb_fail(err, MB_ERR_LIMIT,
					   "\"pad_token_id\" must be between -1 and %u, not %d",
					   config->vocab_size - 1, config->pad_token_id);
	if (!isfinite(config->layer_norm_eps) || config->layer_norm_eps < 0)
		return mb_fail_type("layer_norm_eps", "finite and not negative", err);
	return MB_OK;
}

/* attention.output.dense is [T, T] and reads N * D values (model.md 3.1). */
static mb_status
check_heads(const mb_config *config, mb_error *err)
{
	if (config->heads > config->true_hidden_size ||
		config->true_hidden_size % config->heads != 0)
	{
		mb_fail(err, MB_ERR_DATA,
				"\"num_attention_heads\" %u does not divide the true hidden "
				"size %u", config->heads, config->true_hidden_size);
		mb_detail(err, "The true hidden size is \"%s\".",
				  config->use_bottleneck ? "intra_bottleneck_size" :
				  "hidden_size");
		return MB_ERR_DATA;
	}
	return MB_OK;
}

/* Queries and keys read the layer's input, of width H, with [A, T] weights. */
static mb_status
check_bottleneck(const mb_config *config, mb_error *err)
{
	if (config->use_bottleneck && !config->use_bottleneck_attention &&
		!config->key_query_shared_bottleneck &&
		config->true_hidden_size != config->hidden_size)
	{
		mb_fail(err, MB_ERR_DATA,
				"\"intra_bottleneck_size\" %u differs from \"hidden_size\" %u",
				config->intra_bottleneck_size, config->hidden_size);
		mb_detail(err, "They must be equal when \"use_bottleneck\" is true and "
				  "\"use_bottleneck_attention\" and "
				  "\"key_query_shared_bottleneck\" are false.");
		return MB_ERR_DATA;
	}
	return MB_OK;
}

mb_status
mb_config_check(const mb_config *config, mb_error *err)
{
	mb_config	again = *config;
	mb_status	status;

	status = check_ranges(config, err);
	if (status != MB_OK)
		return status;
	derive(&again);
	if (again.true_hidden_size != config->true_hidden_size ||
		again.head_size != config->head_size ||
		again.attention_size != config->attention_size ||
		again.value_input_size != config->value_input_size)
		return mb_fail(err, MB_ERR_DATA,
					   "the derived sizes of the configuration are wrong");
	status = check_heads(config, err);
	if (status == MB_OK)
		status = check_bottleneck(config, err);
	return status;
}

mb_status
mb_config_read(const mb_json *root, mb_config *config, mb_error *err)
{
	mb_status	status;

	if (root == NULL || root->type != MB_JSON_OBJECT)
		return mb_fail(err, MB_ERR_DATA,
					   "the configuration must be a JSON object");

	set_defaults(config);
	status = read_model_type(root, err);
	if (status == MB_OK)
		status = read_decoder(root, err);
	if (status == MB_OK)
		status = read_sizes_and_flags(root, config, err);
	if (status == MB_OK)
		status = read_numbers(root, config, err);
	if (status == MB_OK)
		status = read_activation(root, config, err);
	if (status == MB_OK)
		status = read_normalization(root, config, err);
	if (status == MB_OK)
		status = read_problem(root, config, err);
	read_architectures(root, config);
	if (status == MB_OK)
		status = read_labels(root, config, err);
	if (status != MB_OK)
		return status;

	read_pad_token(root, config);
	derive(config);
	return mb_config_check(config, err);
}

/* ----------
 * Writing
 * ----------
 */

/* Grows never: "size" was computed for the longest possible text. */
typedef struct writer
{
	char	   *text;
	size_t		size;
	size_t		used;
} writer;

static void put(writer *out, const char *format,...) MB_PRINTF(2, 3);

static void
put(writer *out, const char *format,...)
{
	va_list		args;
	int			written;

	va_start(args, format);
	written = vsnprintf(out->text + out->used, out->size - out->used, format,
						args);
	va_end(args);
	if (written > 0 && (size_t) written < out->size - out->used)
		out->used += (size_t) written;
}

/* The shortest decimal that reads back as the same float or double. */
static void
put_number(writer *out, const char *key, double value, bool single)
{
	int			digits = single ? 6 : 15;
	char		text[40];

	for (;; digits++)
	{
		double		again;

		snprintf(text, sizeof(text), "%.*g", digits, value);
		again = strtod(text, NULL);
		if (digits >= 17 || again == value ||
			(single && (float) again == (float) value))
			break;
	}
	put(out, ", \"%s\": %s", key, text);
}

static void
put_name(writer *out, const char *key, const char *name)
{
	if (name == NULL)
		put(out, ", \"%s\": null", key);
	else
		put(out, ", \"%s\": \"%s\"", key, name);
}

static void
put_architecture(writer *out, uint8_t architecture)
{
	const char *name = mb_find_name(architectures, LENGTH(architectures),
									architecture);

	if (name == NULL)
		put(out, ", \"architectures\": null");
	else
		put(out, ", \"architectures\": [\"%s\"]", name);
}

mb_status
mb_config_write(const mb_config *config, mb_arena *arena, char **text,
				mb_error *err)
{
	mb_config	copy = *config;
	writer		out;
	size_t		i;

	/* 35 keys of at most 80 characters with their values. */
	out.size = 4096;
	out.used = 0;
	out.text = mb_arena_alloc(arena, out.size, 1);
	if (out.text == NULL)
		return mb_fail(err, MB_ERR_MEMORY,
					   "not enough memory to write the configuration");

	put(&out, "{\"model_type\": \"mobilebert\"");
	put_architecture(&out, config->architecture);
	for (i = 0; i < LENGTH(sizes); i++)
		put(&out, ", \"%s\": %u", sizes[i].key,
			*size_member(&copy, &sizes[i]));
	if (config->pad_token_id < 0)
		put_name(&out, "pad_token_id", NULL);
	else
		put(&out, ", \"pad_token_id\": %d", config->pad_token_id);
	put_name(&out, "hidden_act",
			 mb_activation_name((mb_activation) config->activation));
	put_name(&out, "normalization_type",
			 mb_find_name(normalizations, LENGTH(normalizations),
						  config->layer_norm));
	put_number(&out, "layer_norm_eps", config->layer_norm_eps, true);
	put_number(&out, "hidden_dropout_prob", config->hidden_dropout_prob, false);
	put_number(&out, "attention_probs_dropout_prob",
			   config->attention_probs_dropout_prob, false);
	put_number(&out, "initializer_range", config->initializer_range, false);
	if (config->classifier_dropout < 0)
		put_name(&out, "classifier_dropout", NULL);
	else
		put_number(&out, "classifier_dropout", config->classifier_dropout,
				   false);
	for (i = 0; i < LENGTH(flags); i++)
		put(&out, ", \"%s\": %s", flags[i].key,
			*flag_member(&copy, &flags[i]) ? "true" : "false");
	put(&out, ", \"is_decoder\": false");
	put_name(&out, "problem_type",
			 mb_find_name(problems, LENGTH(problems), config->problem));
	put(&out, ", \"num_labels\": %u", config->num_labels);
	put(&out, ", \"true_hidden_size\": %u", config->true_hidden_size);
	put(&out, ", \"head_size\": %u", config->head_size);
	put(&out, ", \"attention_size\": %u}", config->attention_size);
	*text = out.text;
	return MB_OK;
}
