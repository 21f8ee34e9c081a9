/*-------------------------------------------------------------------------
 *
 * config_read.c
 *	  config.json to mb_config.
 *
 * Which keys there are and what they default to is the family's (family.c).
 * Reading takes four steps: the family; every key by its type (an absent key
 * leaves the default; null is a value of the wrong type, unless null is
 * allowed); what has no key, or is derived; and mb_config_check(), which
 * refuses what cannot be computed.  The last is separate because a weight image
 * carries an mb_config as bytes.
 *
 * Start at mb_config_read().
 *
 * Source: MobileBertConfig and its like, PretrainedConfig of transformers; spec
 * model.md sections 1 and 3.1, families.md sections 1 and 2.
 * Depends on model/config.h, model/config_keys.h, model/config_names.h,
 * model/family.h.
 *
 *-------------------------------------------------------------------------
 */
#include "model/config.h"

#include "model/config_keys.h"
#include "model/config_names.h"
#include "model/family.h"

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

/* ----------
 * Sizes, flags and numbers
 * ----------
 */

static void
set_defaults(mb_config *config, mb_family_number number)
{
	const mb_family *family = &mb_families[number];
	size_t		i;

	memset(config, 0, sizeof(*config));
	config->family = (uint8_t) number;
	for (i = 0; i < family->size_count; i++)
		*mb_size_member(config, &family->sizes[i]) = family->sizes[i].initial;
	for (i = 0; i < family->flag_count; i++)
		*mb_flag_member(config, &family->flags[i]) = family->flags[i].initial;
	for (i = 0; i < family->number_count; i++)
		*mb_number_member(config, &family->numbers[i]) =
			family->numbers[i].initial;
	config->num_labels = 2;
	config->layer_norm_eps = 1e-12f;
	config->activation = family->activation;
	config->summary_activation = family->summary ? MB_ACT_GELU :
		MB_ACT_LINEAR;
	config->problem = MB_PROBLEM_NONE;
	config->architecture = MB_ARCH_UNKNOWN;
}

static mb_status
read_sizes_and_flags(const mb_json *root, mb_config *config, mb_error *err)
{
	const mb_family *family = mb_family_of(config);
	size_t		i;

	for (i = 0; i < family->flag_count; i++)
	{
		const mb_flag_key *flag = &family->flags[i];
		mb_status	status = MB_OK;

		if (flag->key != NULL)
			status = mb_read_flag(root, flag->key, mb_flag_member(config, flag),
								  err);
		if (status != MB_OK)
			return status;
	}
	for (i = 0; i < family->size_count; i++)
	{
		const mb_size_key *size = &family->sizes[i];
		uint32_t   *member = mb_size_member(config, size);
		mb_status	status = MB_OK;

		if (size->key != NULL)
			status = mb_read_size(root, size->key, size->low, size->high,
								  member, err);
		if (status == MB_OK && size->other != NULL)
			status = mb_read_size(root, size->other, size->low, size->high,
								  member, err);
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
	const mb_family *family = mb_family_of(config);
	double		epsilon = 1e-12;
	mb_status	status = MB_OK;
	size_t		i;

	for (i = 0; i < family->number_count; i++)
	{
		const mb_number_key *number = &family->numbers[i];

		if (number->key != NULL)
			read_unused(root, number->key, mb_number_member(config, number));
	}
	if (family->epsilon_key != NULL)
		status = mb_read_number(root, family->epsilon_key, &epsilon, err);
	if (status != MB_OK)
		return status;
	if (epsilon > FLT_MAX)
		return mb_fail(err, MB_ERR_LIMIT, "\"%s\" is too large",
					   family->epsilon_key);
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
	int64_t		id = mb_family_of(config)->pad_token_id;

	if (member != NULL &&
		!mb_json_int(member, 0, (int64_t) config->vocab_size - 1, &id))
		id = -1;
	config->pad_token_id = (int32_t) id;
}

/* ----------
 * Keys that are names
 * ----------
 */

/* The activation that a key names; absent: *value stays. */
static mb_status
read_activation(const mb_json *root, const char *key, uint8_t *value,
				mb_error *err)
{
	const mb_json *member = mb_json_get(root, key);
	uint32_t	found;

	if (member == NULL)
		return MB_OK;
	if (member->type != MB_JSON_STRING)
		return mb_fail_type(key, "a string", err);
	if (!mb_find_value(activations, LENGTH(activations), member, &found))
	{
		mb_fail(err, MB_ERR_UNSUPPORTED,
				"activation \"%.100s\" is not supported", member->text);
		if (mb_json_is_string(member, "prelu") ||
			mb_json_is_string(member, "xielu"))
			mb_detail(err, "It has learned parameters, for which a "
					  "checkpoint has no tensors.");
		return MB_ERR_UNSUPPORTED;
	}
	*value = (uint8_t) found;
	return MB_OK;
}

/*
 * SequenceSummary before a classifier of choices: nothing but the first state
 * is computed, and no activation may be null or "".
 */
static mb_status
read_summary(const mb_json *root, mb_config *config, mb_error *err)
{
	const mb_json *type = mb_json_get(root, "summary_type");
	const mb_json *activation = mb_json_get(root, "summary_activation");

	if (!mb_family_of(config)->summary)
		return MB_OK;
	if (config->architecture == MB_ARCH_MULTIPLE_CHOICE && type != NULL &&
		!mb_json_is_string(type, "first"))
	{
		mb_fail(err, MB_ERR_UNSUPPORTED,
				"\"summary_type\" \"%.100s\" is not supported",
				type->type == MB_JSON_STRING ? type->text : "");
		mb_detail(err, "Only \"first\", the state of the first token, does "
				  "not depend on padding.");
		return MB_ERR_UNSUPPORTED;
	}
	if (activation != NULL && (activation->type == MB_JSON_NULL ||
							   mb_json_is_string(activation, "")))
	{
		config->summary_activation = MB_ACT_LINEAR;
		return MB_OK;
	}
	return read_activation(root, "summary_activation",
						   &config->summary_activation, err);
}

static mb_status
read_normalization(const mb_json *root, mb_config *config, mb_error *err)
{
	const mb_json *member = mb_json_get(root, "normalization_type");
	uint32_t	value;

	if (member == NULL || !mb_family_of(config)->normalization)
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

/* What follows the family's prefix in a name of a class; false: no prefix. */
static bool
find_architecture(const mb_family *family, const mb_json *name,
				  uint32_t *value)
{
	size_t		length = strlen(family->class_prefix);
	mb_json		rest = *name;

	if (name->length < length ||
		strncmp(name->text, family->class_prefix, length) != 0)
		return false;
	rest.text = name->text + length;
	rest.length = name->length - length;
	return mb_find_value(architectures, LENGTH(architectures), &rest, value) &&
		family->parts[*value] != 0;
}

/* The first class of the family in the list; anything else is none. */
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

		if (member->type == MB_JSON_STRING &&
			find_architecture(mb_family_of(config), member, &value))
		{
			config->architecture = (uint8_t) value;
			return;
		}
	}
}

/* ----------
 * Which family, and what is refused
 * ----------
 */

/* MobileBERT's own keys; early checkpoints of it lack "model_type". */
static bool
looks_like_mobilebert(const mb_json *root)
{
	static const char *const own[] = {
		"trigram_input", "use_bottleneck", "intra_bottleneck_size",
		"num_feedforward_networks", "normalization_type"
	};
	size_t		i;

	for (i = 0; i < LENGTH(own); i++)
	{
		if (mb_json_get(root, own[i]) != NULL)
			return true;
	}
	return false;
}

static mb_status
read_model_type(const mb_json *root, mb_family_number *number, mb_error *err)
{
	const mb_json *member = mb_json_get(root, "model_type");
	int			i;

	if (member == NULL)
	{
		if (looks_like_mobilebert(root))
			return MB_OK;
		mb_fail(err, MB_ERR_DATA, "\"model_type\" is missing");
		mb_hint(err, "Add it to config.json: \"bert\" for most embedding "
				"models, \"mobilebert\", \"distilbert\", \"electra\" or "
				"\"mpnet\".");
		return MB_ERR_DATA;
	}
	if (member->type != MB_JSON_STRING)
		return mb_fail_type("model_type", "a string", err);
	for (i = 0; i < MB_FAMILIES; i++)
	{
		if (mb_json_is_string(member, mb_families[i].model_type))
		{
			*number = (mb_family_number) i;
			return MB_OK;
		}
	}
	mb_fail(err, MB_ERR_UNSUPPORTED,
			"\"model_type\" \"%.100s\" is not supported", member->text);
	mb_detail(err, "Models of type mobilebert, bert, distilbert, electra and "
			  "mpnet can be run.");
	mb_hint(err, "Choose an encoder with a WordPiece vocabulary (vocab.txt): "
			"models like RoBERTa, XLM-RoBERTa or DeBERTa split text by BPE or "
			"SentencePiece and have other networks.");
	return MB_ERR_UNSUPPORTED;
}

/* Flags that turn the encoder into another network */
static mb_status
refuse_decoder(const mb_json *root, mb_error *err)
{
	static const struct
	{
		const char *key;
		const char *what;
	}			decoders[] = {
		{"is_decoder", "a decoder"},
		{"add_cross_attention", "cross attention"},
		{"is_encoder_decoder", "an encoder with a decoder"}
	};
	size_t		i;

	for (i = 0; i < LENGTH(decoders); i++)
	{
		uint8_t		on = 0;
		mb_status	status = mb_read_flag(root, decoders[i].key, &on, err);

		if (status != MB_OK)
			return status;
		if (!on)
			continue;
		mb_fail(err, MB_ERR_UNSUPPORTED, "%s (\"%s\" true) is not supported",
				decoders[i].what, decoders[i].key);
		mb_hint(err, "Import an encoder: the state of a token has to depend "
				"on the whole text.");
		return MB_ERR_UNSUPPORTED;
	}
	return MB_OK;
}

static mb_status
refuse_positions(const mb_json *root, const mb_config *config, mb_error *err)
{
	const mb_json *type = mb_json_get(root, "position_embedding_type");

	if (type == NULL || !mb_family_of(config)->position_type ||
		mb_json_is_string(type, "absolute"))
		return MB_OK;
	if (type->type != MB_JSON_STRING)
		return mb_fail_type("position_embedding_type", "a string", err);
	mb_fail(err, MB_ERR_UNSUPPORTED,
			"\"position_embedding_type\" \"%.100s\" is not supported",
			type->text);
	mb_hint(err, "Only models with \"absolute\" positions can be run.");
	return MB_ERR_UNSUPPORTED;
}

/* A model whose code is beside its weights, and no class that we know */
static bool
has_custom_code(const mb_json *root, const mb_config *config)
{
	const mb_json *list = mb_json_get(root, "architectures");
	uint32_t	value;

	return mb_json_get(root, "auto_map") != NULL && list != NULL &&
		list->type == MB_JSON_ARRAY && list->child != NULL &&
		list->child->type == MB_JSON_STRING &&
		!find_architecture(mb_family_of(config), list->child, &value);
}

/* Weights of other shapes or other types than the configuration's */
static mb_status
refuse_changed_weights(const mb_json *root, const mb_config *config,
					   mb_error *err)
{
	const mb_json *pruned = mb_json_get(root, "pruned_heads");
	const mb_json *quantised = mb_json_get(root, "quantization_config");

	if (pruned != NULL && pruned->type != MB_JSON_NULL && pruned->length > 0)
	{
		mb_fail(err, MB_ERR_UNSUPPORTED,
				"a model with \"pruned_heads\" in %zu of its layers is not "
				"supported", pruned->length);
		mb_hint(err, "Import the model that it was pruned from.");
		return MB_ERR_UNSUPPORTED;
	}
	if (quantised != NULL && quantised->type != MB_JSON_NULL)
	{
		const mb_json *method = mb_json_get(quantised, "quant_method");

		if (method != NULL && method->type != MB_JSON_STRING)
			method = NULL;
		mb_fail(err, MB_ERR_UNSUPPORTED,
				"a model with a \"quantization_config\"%s%.50s is not "
				"supported", method == NULL ? "" : " of method ",
				method == NULL ? "" : method->text);
		mb_hint(err, "Import the model with float weights; option "
				"\"precision\" quantises it.");
		return MB_ERR_UNSUPPORTED;
	}
	if (has_custom_code(root, config))
	{
		mb_fail(err, MB_ERR_UNSUPPORTED,
				"class \"%.100s\" (\"architectures\") with code of its own "
				"(\"auto_map\") is not supported",
				mb_json_get(root, "architectures")->child->text);
		mb_hint(err, "Only classes of transformers can be run.");
		return MB_ERR_UNSUPPORTED;
	}
	return MB_OK;
}

/* Hugging Face cannot run these classes either. */
static mb_status
refuse_labels(const mb_config *config, mb_error *err)
{
	if (config->architecture != MB_ARCH_QUESTION || config->num_labels == 2 ||
		!mb_family_of(config)->two_labels)
		return MB_OK;
	return mb_fail(err, MB_ERR_DATA, "question answering needs two labels, "
				   "but \"num_labels\" (or \"id2label\") says %u",
				   config->num_labels);
}

static mb_status
refuse(const mb_json *root, const mb_config *config, mb_error *err)
{
	mb_status	status = refuse_decoder(root, err);

	if (status == MB_OK)
		status = refuse_positions(root, config, err);
	if (status == MB_OK)
		status = refuse_changed_weights(root, config, err);
	if (status == MB_OK)
		status = refuse_labels(config, err);
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
		if (value >= MB_MOST_LABELS)
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
	uint8_t		seen[MB_MOST_LABELS / 8] = {0};
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
			mb_read_size(root, "num_labels", 0, MB_MOST_LABELS,
						 &config->num_labels, err);
	if (labels->type != MB_JSON_OBJECT)
		return mb_fail_type("id2label", "an object or null", err);
	if (labels->length > MB_MOST_LABELS)
		return mb_fail(err, MB_ERR_LIMIT, "\"id2label\" has over %d entries",
					   MB_MOST_LABELS);
	for (member = labels->child; member != NULL; member = member->next)
	{
		const char *text;
		size_t		length;
		uint32_t	id;

		if (!mb_label_id(member, &id))
			return mb_fail(err, MB_ERR_DATA,
						   "key \"%.100s\" of \"id2label\" is not an integer "
						   "between 0 and %d", member->key, MB_MOST_LABELS - 1);
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

void
mb_config_derive(mb_config *config)
{
	const mb_family *family = mb_family_of(config);
	size_t		i;

	for (i = 0; i < family->size_count; i++)
	{
		const mb_size_key *size = &family->sizes[i];

		if (size->key == NULL)
			*mb_size_member(config, size) = size->initial == MB_SAME_AS_HIDDEN ?
				config->hidden_size : size->initial;
	}
	for (i = 0; i < family->flag_count; i++)
	{
		if (family->flags[i].key == NULL)
			*mb_flag_member(config, &family->flags[i]) = family->flags[i].initial;
	}
	config->true_hidden_size = config->use_bottleneck ?
		config->intra_bottleneck_size : config->hidden_size;
	config->head_size = config->true_hidden_size / config->heads;
	config->attention_size = config->heads * config->head_size;
	config->value_input_size = config->use_bottleneck_attention ?
		config->true_hidden_size : config->hidden_size;
	config->embedding_norm_eps = config->output_norm_eps =
		family->fixed_epsilon > 0 ? family->fixed_epsilon :
		config->layer_norm_eps;
	config->mlm_activation = (uint8_t)
		mb_family_activation(config, family->mlm_activation);
	config->project_after_norm = family->project_after_norm;
	config->count_positions = family->count_positions;
	config->max_tokens = config->max_positions -
		(config->count_positions ? 2 : 0);
}

/* Ranges of everything that is not derived. */
static mb_status
check_ranges(const mb_config *config, mb_error *err)
{
	const mb_family *family = mb_family_of(config);
	mb_config	copy = *config;
	size_t		i;

	for (i = 0; i < family->size_count; i++)
	{
		const mb_size_key *size = &family->sizes[i];
		uint32_t	value = *mb_size_member(&copy, size);

		if (size->key != NULL && (value < size->low || value > size->high))
			return mb_fail(err, MB_ERR_LIMIT,
						   "\"%s\" must be between %u and %u, not %u",
						   size->key, size->low, size->high, value);
	}
	for (i = 0; i < family->flag_count; i++)
	{
		if (family->flags[i].key != NULL &&
			*mb_flag_member(&copy, &family->flags[i]) > 1)
			return mb_fail_type(family->flags[i].key, "true or false", err);
	}
	if (config->layer_norm > 1 || config->activation >= MB_ACTIVATIONS ||
		config->summary_activation >= MB_ACTIVATIONS ||
		config->problem > MB_PROBLEM_MULTI_LABEL ||
		config->architecture >= MB_ARCHITECTURES ||
		(config->architecture != MB_ARCH_UNKNOWN &&
		 family->parts[config->architecture] == 0))
		return mb_fail(err, MB_ERR_DATA, "a name in the configuration is "
					   "out of range");
	if (config->num_labels > MB_MOST_LABELS)
		return mb_fail(err, MB_ERR_LIMIT, "\"num_labels\" is over %d",
					   MB_MOST_LABELS);
	if (config->pad_token_id < -1 ||
		config->pad_token_id >= (int64_t) config->vocab_size)
		return mb_fail(err, MB_ERR_LIMIT,
					   "\"pad_token_id\" must be between -1 and %u, not %d",
					   config->vocab_size - 1, config->pad_token_id);
	if (!isfinite(config->layer_norm_eps) || config->layer_norm_eps < 0)
		return mb_fail_type("layer_norm_eps", "finite and not negative", err);
	return MB_OK;
}

/* What the family calls a size */
static const char *
size_name(const mb_config *config, size_t offset)
{
	const mb_family *family = mb_family_of(config);
	size_t		i;

	for (i = 0; i < family->size_count; i++)
	{
		if (family->sizes[i].offset == offset && family->sizes[i].key != NULL)
			return family->sizes[i].key;
	}
	return "";
}

/* attention.output.dense is [T, T] and reads N * D values (model.md 3.1). */
static mb_status
check_heads(const mb_config *config, mb_error *err)
{
	if (config->heads <= config->true_hidden_size &&
		config->true_hidden_size % config->heads == 0)
		return MB_OK;
	return mb_fail(err, MB_ERR_DATA, "\"%s\" %u does not divide \"%s\" %u",
				   size_name(config, offsetof(mb_config, heads)),
				   config->heads,
				   size_name(config, config->use_bottleneck ?
							 offsetof(mb_config, intra_bottleneck_size) :
							 offsetof(mb_config, hidden_size)),
				   config->true_hidden_size);
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

/* Members that mb_config_derive() sets */
static bool
same_derived(mb_config *a, const mb_config *b)
{
	const mb_family *family = mb_family_of(b);
	mb_config	copy = *b;
	size_t		i;

	for (i = 0; i < family->size_count; i++)
	{
		if (*mb_size_member(a, &family->sizes[i]) !=
			*mb_size_member(&copy, &family->sizes[i]))
			return false;
	}
	for (i = 0; i < family->flag_count; i++)
	{
		if (*mb_flag_member(a, &family->flags[i]) !=
			*mb_flag_member(&copy, &family->flags[i]))
			return false;
	}
	return a->true_hidden_size == b->true_hidden_size &&
		a->head_size == b->head_size &&
		a->attention_size == b->attention_size &&
		a->value_input_size == b->value_input_size &&
		a->max_tokens == b->max_tokens &&
		a->embedding_norm_eps == b->embedding_norm_eps &&
		a->output_norm_eps == b->output_norm_eps &&
		a->mlm_activation == b->mlm_activation &&
		a->project_after_norm == b->project_after_norm &&
		a->count_positions == b->count_positions;
}

mb_status
mb_config_check(const mb_config *config, mb_error *err)
{
	mb_config	again = *config;
	mb_status	status;

	if (config->family >= MB_FAMILIES)
		return mb_fail(err, MB_ERR_DATA,
					   "the configuration is of an unknown family");
	status = check_ranges(config, err);
	if (status != MB_OK)
		return status;
	mb_config_derive(&again);
	if (!same_derived(&again, config))
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
	mb_family_number number = MB_FAMILY_MOBILEBERT;
	mb_status	status;

	if (root == NULL || root->type != MB_JSON_OBJECT)
		return mb_fail(err, MB_ERR_DATA,
					   "the configuration must be a JSON object");

	status = read_model_type(root, &number, err);
	if (status != MB_OK)
		return status;
	set_defaults(config, number);
	status = read_sizes_and_flags(root, config, err);
	if (status == MB_OK)
		status = read_numbers(root, config, err);
	if (status == MB_OK)
		status = read_activation(root, mb_families[number].activation_key,
								 &config->activation, err);
	if (status == MB_OK)
		status = read_normalization(root, config, err);
	if (status == MB_OK)
		status = read_problem(root, config, err);
	read_architectures(root, config);
	if (status == MB_OK)
		status = read_summary(root, config, err);
	if (status == MB_OK)
		status = read_labels(root, config, err);
	if (status == MB_OK)
		status = refuse(root, config, err);
	if (status != MB_OK)
		return status;

	read_pad_token(root, config);
	mb_config_derive(config);
	return mb_config_check(config, err);
}
