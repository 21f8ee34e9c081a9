/*-------------------------------------------------------------------------
 *
 * settings.c
 *	  The files of sentence-transformers: modules.json, 1_Pooling/config.json
 *	  and sentence_bert_config.json.
 *
 * Source: Pooling of sentence-transformers; spec pipelines.md section 8.
 * Depends on model/settings.h, model/config_keys.h.
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

uint32_t
mb_pooling_from_name(const char *name)
{
	size_t		i;

	for (i = 0; i < LENGTH(poolings); i++)
	{
		if (strcmp(name, poolings[i].name) == 0)
			return poolings[i].value;
	}
	return 0;
}

/* The class of a module without the Python packages before it. */
static const char *
class_name(const mb_json *type)
{
	const char *dot = strrchr(type->text, '.');

	return dot == NULL ? type->text : dot + 1;
}

/*
 * modules.json: a Transformer, then what happens to its output.  Dropout does
 * nothing at inference; anything else would change the embedding.
 */
static mb_status
read_modules(const mb_json *modules, mb_sentence_settings *settings,
			 mb_error *err)
{
	const mb_json *module;

	if (modules->type != MB_JSON_ARRAY)
		return mb_fail(err, MB_ERR_DATA,
					   "\"modules.json\" must be a list of objects");
	for (module = modules->child; module != NULL; module = module->next)
	{
		const mb_json *type = mb_json_get(module, "type");
		const char *name;

		if (type == NULL || type->type != MB_JSON_STRING)
			return mb_fail(err, MB_ERR_DATA,
						   "a module of \"modules.json\" has no \"type\"");
		name = class_name(type);
		if (strcmp(name, "Normalize") == 0)
			settings->normalize = 1;
		else if (strcmp(name, "Transformer") != 0 &&
				 strcmp(name, "Pooling") != 0 && strcmp(name, "Dropout") != 0)
			return mb_fail(err, MB_ERR_UNSUPPORTED,
						   "module \"%.100s\" of \"modules.json\" is not "
						   "supported", type->text);
	}
	return MB_OK;
}

static const mb_named_value pooling_keys[] = {
	{"pooling_mode_cls_token", MB_POOL_CLS},
	{"pooling_mode_max_tokens", MB_POOL_MAX},
	{"pooling_mode_mean_tokens", MB_POOL_MEAN},
	{"pooling_mode_mean_sqrt_len_tokens", MB_POOL_MEAN_SQRT_LEN},
	{"pooling_mode_weightedmean_tokens", MB_POOL_WEIGHTED_MEAN},
	{"pooling_mode_lasttoken", MB_POOL_LAST_TOKEN}
};

/* 1_Pooling/config.json: "pooling_mode" by name, or a flag for each mode. */
static mb_status
read_pooling(const mb_json *pooling, mb_sentence_settings *settings,
			 mb_error *err)
{
	const mb_json *mode = mb_json_get(pooling, "pooling_mode");
	uint32_t	modes = 0;
	size_t		i;

	if (pooling->type != MB_JSON_OBJECT)
		return mb_fail(err, MB_ERR_DATA,
					   "the pooling configuration must be a JSON object");
	if (mode != NULL && mode->type != MB_JSON_NULL)
	{
		if (mode->type != MB_JSON_STRING)
			return mb_fail_type("pooling_mode", "a string or null", err);
		if (!mb_find_value(poolings, LENGTH(poolings), mode, &modes) ||
			modes == MB_POOL_POOLER)
			return mb_fail(err, MB_ERR_UNSUPPORTED,
						   "pooling mode \"%.100s\" is not supported",
						   mode->text);
		settings->pooling = modes;
		return MB_OK;
	}

	for (i = 0; i < LENGTH(pooling_keys); i++)
	{
		uint8_t		on = pooling_keys[i].value == MB_POOL_MEAN;
		mb_status	status = mb_read_flag(pooling, pooling_keys[i].name, &on,
										  err);

		if (status != MB_OK)
			return status;
		if (on)
			modes |= pooling_keys[i].value;
	}
	if (modes == 0)
		return mb_fail(err, MB_ERR_DATA,
					   "the pooling configuration has no mode switched on");
	settings->pooling = modes;
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
	return status;
}

mb_status
mb_sentence_settings_read(const mb_json *modules, const mb_json *pooling,
						  const mb_json *sentence_bert,
						  mb_sentence_settings *settings, mb_error *err)
{
	mb_status	status = MB_OK;

	memset(settings, 0, sizeof(*settings));
	settings->pooling = MB_POOL_MEAN;
	if (modules != NULL)
		status = read_modules(modules, settings, err);
	if (status == MB_OK && pooling != NULL)
		status = read_pooling(pooling, settings, err);
	if (status == MB_OK && sentence_bert != NULL)
		status = read_sentence_bert(sentence_bert, settings, err);
	return status;
}
