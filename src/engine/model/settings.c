/*-------------------------------------------------------------------------
 *
 * settings.c
 *	  The files of sentence-transformers: config.json of its module Pooling,
 *	  sentence_bert_config.json and config_sentence_transformers.json; and
 *	  where a cross-encoder's activation stands.  modules.c reads modules.json.
 *
 * Source: Pooling, Transformer, CrossEncoder and the loader of
 * sentence-transformers 5.7; spec pipelines.md section 8, families.md 7.
 * Depends on model/config_keys.h.
 *
 *-------------------------------------------------------------------------
 */
#include "model/settings.h"

#include "model/config_keys.h"

#include <string.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const mb_named_value poolings[] = {
	{"cls", MB_POOL_CLS},
	{"max", MB_POOL_MAX},
	{"mean", MB_POOL_MEAN},
	{"mean_sqrt_len_tokens", MB_POOL_MEAN_SQRT_LEN},
	{"weightedmean", MB_POOL_WEIGHTED_MEAN},
	{"lasttoken", MB_POOL_LAST_TOKEN},
	{"pooler", MB_POOL_POOLER}
};

mb_pooling
mb_pooling_from_name(const char *name)
{
	size_t		i;

	for (i = 0; i < LENGTH(poolings); i++)
	{
		if (strcmp(name, poolings[i].name) == 0)
			return (mb_pooling) poolings[i].value;
	}
	return (mb_pooling) 0;
}

const char *
mb_pooling_name(mb_pooling mode)
{
	size_t		i;

	for (i = 0; i < sizeof(poolings) / sizeof(poolings[0]); i++)
		if (poolings[i].value == (uint32_t) mode)
			return poolings[i].name;
	return NULL;
}

/* ----------
 * Lists of modes
 * ----------
 */

#define MODE_MASK ((1u << MB_POOLINGS_BITS) - 1)

mb_pooling
mb_poolings_next(mb_poolings *list)
{
	mb_pooling	mode = (mb_pooling) (*list & MODE_MASK);

	*list >>= MB_POOLINGS_BITS;
	return mode;
}

unsigned
mb_poolings_count(mb_poolings list)
{
	unsigned	count = 0;

	while (mb_poolings_next(&list) != 0)
		count++;
	return count;
}

bool
mb_poolings_append(mb_poolings *list, mb_pooling mode)
{
	unsigned	count = mb_poolings_count(*list);

	if (count == MB_POOLINGS_LIMIT)
		return false;
	*list |= (mb_poolings) mode << (count * MB_POOLINGS_BITS);
	return true;
}

bool
mb_poolings_valid(mb_poolings list)
{
	if (list == 0)
		return false;
	while (list != 0)
	{
		mb_pooling	mode = mb_poolings_next(&list);

		if (mode == 0 || mode >= MB_POOL_END)
			return false;
	}
	return true;
}

bool
mb_poolings_contain(mb_poolings list, mb_pooling mode)
{
	while (list != 0)
	{
		if (mb_poolings_next(&list) == mode)
			return true;
	}
	return false;
}

/* ----------
 * config.json of Pooling
 * ----------
 */

/* In the order in which sentence-transformers joins their vectors. */
static const mb_named_value pooling_keys[] = {
	{"pooling_mode_cls_token", MB_POOL_CLS},
	{"pooling_mode_max_tokens", MB_POOL_MAX},
	{"pooling_mode_mean_tokens", MB_POOL_MEAN},
	{"pooling_mode_mean_sqrt_len_tokens", MB_POOL_MEAN_SQRT_LEN},
	{"pooling_mode_weightedmean_tokens", MB_POOL_WEIGHTED_MEAN},
	{"pooling_mode_lasttoken", MB_POOL_LAST_TOKEN}
};

static mb_status
append_mode(const mb_json *name, mb_sentence_settings *settings, mb_error *err)
{
	uint32_t	mode;

	if (name->type != MB_JSON_STRING)
		return mb_fail_type("pooling_mode", "a string or a list of strings",
							err);
	if (!mb_find_value(poolings, LENGTH(poolings), name, &mode) ||
		mode == MB_POOL_POOLER)
		return mb_fail(err, MB_ERR_UNSUPPORTED,
					   "pooling mode \"%.100s\" is not supported",
					   name->text);
	if (!mb_poolings_append(&settings->pooling, (mb_pooling) mode))
		return mb_fail(err, MB_ERR_LIMIT,
					   "\"pooling_mode\" has over %d modes",
					   MB_POOLINGS_LIMIT);
	return MB_OK;
}

/* A name, or a list of names, which stand for vectors in that order. */
static mb_status
read_modes(const mb_json *mode, mb_sentence_settings *settings, mb_error *err)
{
	const mb_json *name;

	if (mode->type != MB_JSON_ARRAY)
		return append_mode(mode, settings, err);
	for (name = mode->child; name != NULL; name = name->next)
	{
		mb_status	status = append_mode(name, settings, err);

		if (status != MB_OK)
			return status;
	}
	return settings->pooling != 0 ? MB_OK :
		mb_fail(err, MB_ERR_DATA, "\"pooling_mode\" is an empty list");
}

/*
 * "pooling_mode" counts; without it a flag for each mode, in the order of
 * pooling_keys, and where none is true the mean.
 */
static mb_status
read_pooling(const mb_json *pooling, mb_sentence_settings *settings,
			 mb_error *err)
{
	const mb_json *mode = mb_json_get(pooling, "pooling_mode");
	uint8_t		include_prompt = 1;
	mb_status	status;
	size_t		i;

	if (pooling->type != MB_JSON_OBJECT)
		return mb_fail(err, MB_ERR_DATA,
					   "the pooling configuration must be a JSON object");
	status = mb_read_flag(pooling, "include_prompt", &include_prompt, err);
	if (status != MB_OK)
		return status;
	settings->exclude_prompt = !include_prompt;
	settings->pooling = 0;
	if (!mb_json_is_null(mode))
		return read_modes(mode, settings, err);
	for (i = 0; i < LENGTH(pooling_keys); i++)
	{
		uint8_t		on = 0;

		status = mb_read_flag(pooling, pooling_keys[i].name, &on, err);
		if (status != MB_OK)
			return status;
		if (on)
			(void) mb_poolings_append(&settings->pooling, (mb_pooling)
									  pooling_keys[i].value);
	}
	if (settings->pooling == 0)
		settings->pooling = MB_POOL_MEAN;
	return MB_OK;
}

/* ----------
 * sentence_bert_config.json
 * ----------
 */

/*
 * Written since 5.7: what the Transformer is run as, and from which kinds of
 * input.  A text that is put into a chat template gives other tokens.
 */
static mb_status
read_transformer_task(const mb_json *document, mb_error *err)
{
	const mb_json *task = mb_json_get(document, "transformer_task");
	const mb_json *inputs = mb_json_get(document, "modality_config");
	const mb_json *input;

	if (!mb_json_is_null(task) &&
		!mb_json_is_string(task, "feature-extraction") &&
		!mb_json_is_string(task, "sequence-classification"))
		return mb_fail(err, MB_ERR_UNSUPPORTED,
					   "\"transformer_task\" of "
					   "\"sentence_bert_config.json\" is not supported");
	if (inputs == NULL || inputs->type != MB_JSON_OBJECT)
		return MB_OK;
	for (input = inputs->child; input != NULL; input = input->next)
	{
		if (strcmp(input->key, "text") != 0)
			return mb_fail(err, MB_ERR_UNSUPPORTED,
						   "input \"%.100s\" in \"modality_config\" of "
						   "\"sentence_bert_config.json\" is not supported",
						   input->key);
	}
	return MB_OK;
}

static mb_status
read_sentence_bert(const mb_json *document, mb_sentence_settings *settings,
				   mb_error *err)
{
	const mb_json *length = mb_json_get(document, "max_seq_length");
	mb_status	status = MB_OK;

	if (document->type != MB_JSON_OBJECT)
		return mb_fail(err, MB_ERR_DATA,
					   "\"sentence_bert_config.json\" must be a JSON object");
	if (length != NULL && length->type != MB_JSON_NULL)
		status = mb_read_size(document, "max_seq_length", 1, INT32_MAX,
							  &settings->max_seq_length, err);
	if (status == MB_OK)
		status = mb_read_flag(document, "do_lower_case",
							  &settings->do_lower_case, err);
	if (status == MB_OK)
		status = read_transformer_task(document, err);
	return status;
}

/* ----------
 * Cross-encoders
 * ----------
 */

#define SENTENCE_CONFIG "\"config_sentence_transformers.json\""

/*
 * Where a cross-encoder's files name its activation: the first of the places
 * where releases from the newest on down have written it.
 */
static const mb_json *
find_activation(const mb_sentence_files *files, const char **key)
{
	const mb_json *name = NULL;

	if (mb_json_is_string(mb_json_get(files->sentence_config, "model_type"),
						  "CrossEncoder"))
	{
		*key = "\"activation_fn\" of " SENTENCE_CONFIG;
		name = mb_json_get(files->sentence_config, "activation_fn");
	}
	if (mb_json_is_null(name))
	{
		*key = "\"sentence_transformers.activation_fn\" of \"config.json\"";
		name = mb_json_get(mb_json_get(files->config,
									   "sentence_transformers"),
						   "activation_fn");
	}
	if (mb_json_is_null(name))
	{
		*key = "\"sbert_ce_default_activation_function\" of "
			"\"config.json\"";
		name = mb_json_get(files->config,
						   "sbert_ce_default_activation_function");
	}
	return mb_json_is_null(name) ? NULL : name;
}

/*
 * The sigmoid is the default of one label, and more than one give no score.  A
 * class that is not torch's would be somebody's code: the library does not run
 * it, and takes the default too.
 */
static mb_status
read_cross_encoder(const mb_sentence_files *files,
				   mb_sentence_settings *settings, mb_error *err)
{
	const char *key;
	const mb_json *name = find_activation(files, &key);
	uint32_t	activation = MB_ACT_SIGMOID;

	settings->activation = MB_ACT_LINEAR;
	settings->cross_encoder = name != NULL ||
		mb_json_is_string(mb_json_get(files->sentence_config, "model_type"),
						  "CrossEncoder");
	if (!settings->cross_encoder)
		return MB_OK;
	if (name != NULL && name->type != MB_JSON_STRING)
		return mb_fail(err, MB_ERR_DATA, "%s must be a string", key);
	if (name != NULL && strncmp(name->text, "torch.", 6) == 0 &&
		!mb_torch_activation(name, &activation))
	{
		mb_fail(err, MB_ERR_UNSUPPORTED, "%s, \"%.100s\", is not supported",
				key, name->text);
		mb_detail(err, "Of torch's classes Identity, Sigmoid, Tanh, ReLU, "
				  "GELU and SiLU can make a score of a logit.");
		return MB_ERR_UNSUPPORTED;
	}
	settings->activation = (uint8_t) activation;
	return MB_OK;
}

/* ----------
 * Prompts
 * ----------
 */

/* What the library has of itself. */
static const char *const built_in[] = {"query", "document"};

#define BUILT_IN (sizeof(built_in) / sizeof(built_in[0]))
#define MAX_PROMPTS 1000		/* looking names up takes so many steps each */

static bool
is_built_in(const char *name)
{
	size_t		i;

	for (i = 0; i < BUILT_IN; i++)
	{
		if (strcmp(name, built_in[i]) == 0)
			return true;
	}
	return false;
}

mb_status
mb_prompts_check(const mb_json *document, size_t *count, mb_error *err)
{
	const mb_json *prompts = mb_json_get(document, "prompts");
	const mb_json *name = mb_json_get(document, "default_prompt_name");
	const mb_json *member;

	*count = 0;
	if (!mb_json_is_null(prompts) && prompts->type != MB_JSON_OBJECT)
		return mb_fail_type("prompts", "an object", err);
	for (member = mb_json_is_null(prompts) ? NULL : prompts->child;
		 member != NULL; member = member->next)
	{
		if (member->type != MB_JSON_STRING && member->type != MB_JSON_NULL)
			return mb_fail(err, MB_ERR_DATA,
						   "prompt \"%.100s\" of "
						   "\"config_sentence_transformers.json\" must be a "
						   "string", member->key);
		if (++*count > MAX_PROMPTS)
			return mb_fail(err, MB_ERR_LIMIT, "there are over %d prompts",
						   MAX_PROMPTS);
	}
	if (mb_json_is_null(name))
		return MB_OK;
	if (name->type != MB_JSON_STRING)
		return mb_fail_type("default_prompt_name", "a string or null", err);
	if (mb_json_get(prompts, name->text) == NULL && !is_built_in(name->text))
		return mb_fail(err, MB_ERR_DATA,
					   "the default prompt \"%.100s\" of "
					   "\"config_sentence_transformers.json\" is not among "
					   "its prompts", name->text);
	return MB_OK;
}

static void
put_prompt(mb_prompts *prompts, const char *name, const mb_json *text)
{
	mb_prompt  *prompt = &prompts->list[prompts->count++];

	prompt->name = name;
	prompt->text = mb_json_is_null(text) ? "" : text->text;
	prompt->length = mb_json_is_null(text) ? 0 : text->length;
}

mb_status
mb_prompts_read(const mb_json *document, mb_arena *arena, mb_prompts *prompts,
				mb_error *err)
{
	const mb_json *object = mb_json_get(document, "prompts");
	const mb_json *name = mb_json_get(document, "default_prompt_name");
	const mb_json *member;
	size_t		count;
	size_t		i;
	mb_status	status = mb_prompts_check(document, &count, err);

	memset(prompts, 0, sizeof(*prompts));
	if (status != MB_OK)
		return status;
	prompts->list = mb_arena_alloc(arena, count + BUILT_IN, sizeof(mb_prompt));
	if (prompts->list == NULL)
		return mb_fail(err, MB_ERR_MEMORY, "not enough memory for %zu prompts",
					   count);
	for (i = 0; i < BUILT_IN; i++)
		put_prompt(prompts, built_in[i], mb_json_get(object, built_in[i]));
	for (member = mb_json_is_null(object) ? NULL : object->child;
		 member != NULL; member = member->next)
	{
		/* of a name that comes twice the last one counts */
		if (!is_built_in(member->key) &&
			mb_json_get(object, member->key) == member)
			put_prompt(prompts, member->key, member);
	}
	for (i = 0; i < prompts->count && !mb_json_is_null(name); i++)
	{
		if (strcmp(prompts->list[i].name, name->text) == 0)
			prompts->by_default = &prompts->list[i];
	}
	return MB_OK;
}

/* ----------
 * config_sentence_transformers.json
 * ----------
 */

static const mb_named_value similarities[] = {
	{"cosine", MB_SIMILARITY_COSINE},
	{"dot", MB_SIMILARITY_DOT},
	{"euclidean", MB_SIMILARITY_EUCLIDEAN},
	{"manhattan", MB_SIMILARITY_MANHATTAN}
};

static mb_status
read_sentence_config(const mb_json *document, mb_sentence_settings *settings,
					 mb_error *err)
{
	const mb_json *kind = mb_json_get(document, "model_type");
	const mb_json *name = mb_json_get(document, "similarity_fn_name");
	uint32_t	similarity = MB_SIMILARITY_COSINE;
	size_t		prompts;
	mb_status	status;

	if (document->type != MB_JSON_OBJECT)
		return mb_fail(err, MB_ERR_DATA,
					   SENTENCE_CONFIG " must be a JSON object");
	if (!mb_json_is_null(kind) &&
		!mb_json_is_string(kind, "SentenceTransformer") &&
		!mb_json_is_string(kind, "CrossEncoder"))
		return mb_fail(err, MB_ERR_UNSUPPORTED,
					   "\"model_type\" \"%.100s\" of " SENTENCE_CONFIG
					   " is not supported",
					   kind->type == MB_JSON_STRING ? kind->text : "");
	if (!mb_json_is_null(name) &&
		!mb_find_value(similarities, LENGTH(similarities), name, &similarity))
	{
		mb_fail(err, MB_ERR_UNSUPPORTED,
				"\"similarity_fn_name\" \"%.100s\" of " SENTENCE_CONFIG
				" is not supported",
				name->type == MB_JSON_STRING ? name->text : "");
		mb_detail(err, "\"cosine\", \"dot\", \"euclidean\" and \"manhattan\" "
				  "are.");
		return MB_ERR_UNSUPPORTED;
	}
	settings->similarity = (uint8_t) similarity;
	status = mb_prompts_check(document, &prompts, err);
	if (status != MB_OK)
		return status;
	settings->prompts = prompts > 0;
	if (mb_json_is_null(mb_json_get(document, "truncate_dim")))
		return MB_OK;
	return mb_read_size(document, "truncate_dim", 1, INT32_MAX,
						&settings->truncate_dim, err);
}

/* ----------
 * All of them
 * ----------
 */

mb_status
mb_sentence_settings_read(const mb_sentence_files *files,
						  mb_sentence_settings *settings, mb_error *err)
{
	mb_sentence_modules listed;
	mb_status	status = MB_OK;

	memset(settings, 0, sizeof(*settings));
	settings->pooling = MB_POOL_MEAN;
	if (files->modules != NULL)
	{
		status = mb_sentence_modules_read(files->modules, &listed, err);
		if (status == MB_OK && listed.pooling && files->pooling == NULL)
			status = mb_fail(err, MB_ERR_DATA,
							 "\"modules.json\" has a module Pooling, but its "
							 "configuration is missing");
		if (status == MB_OK)
			settings->normalize = listed.normalize;
	}
	if (status == MB_OK && files->pooling != NULL)
		status = read_pooling(files->pooling, settings, err);
	if (status == MB_OK && files->sentence_bert != NULL)
		status = read_sentence_bert(files->sentence_bert, settings, err);
	if (status == MB_OK && files->sentence_config != NULL)
		status = read_sentence_config(files->sentence_config, settings, err);
	if (status == MB_OK)
		status = read_cross_encoder(files, settings, err);
	return status;
}
