/*-------------------------------------------------------------------------
 *
 * modules.c
 *	  What sentence-transformers runs one after the other: modules.json, and
 *	  config.json of each module after Pooling.
 *
 * Start at mb_sentence_modules_read(), which reads the list, and at
 * mb_modules_read(), which reads what follows Pooling in it.
 *
 * Source: Dense, LayerNorm and Normalize of sentence-transformers 5.7 and its
 * loader; spec families.md 7.1.
 * Depends on model/settings.h, model/config_keys.h.
 *
 *-------------------------------------------------------------------------
 */
#include "model/settings.h"

#include "model/config_keys.h"

#include <string.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define MAX_PATH 255			/* bytes of a module's folder */

/* ----------
 * modules.json
 * ----------
 */

/* The class of a module without the Python packages before it. */
static const char *
class_name(const mb_json *type)
{
	const char *dot = strrchr(type->text, '.');

	return dot == NULL ? type->text : dot + 1;
}

/* A folder below the directory, and nothing beside or above it. */
static bool
legal_path(const mb_json *path)
{
	const char *at = path->text;

	if (path->length != strlen(at) || path->length > MAX_PATH || at[0] == '/')
		return false;
	while (at != NULL)
	{
		if (strncmp(at, "..", 2) == 0 && (at[2] == '/' || at[2] == '\0'))
			return false;
		at = strchr(at, '/');
		at = at == NULL ? NULL : at + 1;
	}
	return true;
}

static mb_status
read_path(const mb_json *module, const char **path, mb_error *err)
{
	const mb_json *value = mb_json_get(module, "path");

	*path = NULL;
	if (value == NULL)
		return MB_OK;
	if (value->type != MB_JSON_STRING || !legal_path(value))
		return mb_fail(err, MB_ERR_DATA,
					   "a \"path\" in \"modules.json\" is not a folder of "
					   "the model's directory");
	*path = value->text;
	return MB_OK;
}

/* Where in the list a module may stand: one at each of the first places. */
typedef enum module_place
{
	PLACE_TRANSFORMER,
	PLACE_POOLING,
	PLACE_REST
} module_place;

static mb_status
fail_order(const char *name, mb_error *err)
{
	mb_fail(err, MB_ERR_UNSUPPORTED,
			"module \"%.100s\" stands at the wrong place in \"modules.json\"",
			name);
	mb_detail(err, "A Transformer, then Pooling, then Dense, LayerNorm, "
			  "Normalize and Dropout can be run.");
	return MB_ERR_UNSUPPORTED;
}

/* What may follow Pooling; Dropout does nothing at inference. */
static const mb_named_value kinds[] = {
	{"Dense", MB_MODULE_DENSE},
	{"LayerNorm", MB_MODULE_LAYER_NORM},
	{"Normalize", MB_MODULE_NORMALIZE},
	{"Dropout", MB_MODULE_NONE}
};

const char *
mb_module_name(mb_module_kind kind)
{
	return mb_find_name(kinds, LENGTH(kinds), kind);
}

/* One of kinds; false: another module. */
static bool
find_kind(const char *name, mb_module_kind *kind)
{
	size_t		i;

	for (i = 0; i < LENGTH(kinds); i++)
	{
		*kind = (mb_module_kind) kinds[i].value;
		if (strcmp(name, kinds[i].name) == 0)
			return true;
	}
	return false;
}

static mb_status
add_module(mb_module_kind kind, const char *path, mb_sentence_modules *modules,
		   mb_error *err)
{
	if (modules->count == MB_MODULES_LIMIT)
		return mb_fail(err, MB_ERR_LIMIT,
					   "\"modules.json\" has over %d modules after Pooling",
					   MB_MODULES_LIMIT);
	modules->kinds[modules->count] = kind;
	modules->paths[modules->count++] = path;
	return MB_OK;
}

/* Take off the end what is no Dense and no LayerNorm. */
static void
cut_modules(mb_sentence_modules *modules)
{
	while (modules->count > 0)
	{
		mb_module_kind last = modules->kinds[modules->count - 1];

		if (last == MB_MODULE_DENSE || last == MB_MODULE_LAYER_NORM)
			return;
		modules->normalize = modules->normalize || last == MB_MODULE_NORMALIZE;
		modules->count--;
	}
}

/* One module */
static mb_status
read_module(const mb_json *module, module_place place,
			mb_sentence_modules *modules, mb_error *err)
{
	const mb_json *type = mb_json_get(module, "type");
	const char *name;
	module_place wanted = PLACE_REST;
	mb_module_kind kind = MB_MODULE_NONE;
	const char *path;
	mb_status	status;

	if (type == NULL || type->type != MB_JSON_STRING)
		return mb_fail(err, MB_ERR_DATA,
					   "a module of \"modules.json\" has no \"type\"");
	status = read_path(module, &path, err);
	if (status != MB_OK)
		return status;
	name = class_name(type);
	if (strcmp(name, "Transformer") == 0)
	{
		wanted = PLACE_TRANSFORMER;
		modules->transformer_path = path;
	}
	else if (strcmp(name, "Pooling") == 0)
	{
		wanted = PLACE_POOLING;
		modules->pooling = true;
		modules->pooling_path = path;
	}
	else if (!find_kind(name, &kind))
		return mb_fail(err, MB_ERR_UNSUPPORTED,
					   "module \"%.100s\" of \"modules.json\" is not "
					   "supported", type->text);
	if (place != wanted)
		return fail_order(name, err);
	return place == PLACE_REST ? add_module(kind, path, modules, err) : MB_OK;
}

mb_status
mb_sentence_modules_read(const mb_json *document,
						 mb_sentence_modules *modules, mb_error *err)
{
	const mb_json *module;
	int			place = PLACE_TRANSFORMER;

	memset(modules, 0, sizeof(*modules));
	if (document->type != MB_JSON_ARRAY)
		return mb_fail(err, MB_ERR_DATA,
					   "\"modules.json\" must be a list of objects");
	if (document->child == NULL)
		return mb_fail(err, MB_ERR_DATA, "\"modules.json\" has no modules");
	for (module = document->child; module != NULL; module = module->next)
	{
		mb_status	status = read_module(module, (module_place) place, modules,
										 err);

		if (status != MB_OK)
			return status;
		if (place < PLACE_REST)
			place++;
	}
	cut_modules(modules);
	return MB_OK;
}

/* ----------
 * config.json of modules after Pooling
 * ----------
 */

static const mb_named_value classes[] = {
	{"torch.nn.modules.linear.Identity", MB_ACT_LINEAR},
	{"torch.nn.modules.activation.Sigmoid", MB_ACT_SIGMOID},
	{"torch.nn.modules.activation.Tanh", MB_ACT_TANH},
	{"torch.nn.modules.activation.ReLU", MB_ACT_RELU},
	{"torch.nn.modules.activation.GELU", MB_ACT_GELU},
	{"torch.nn.modules.activation.SiLU", MB_ACT_SILU}
};

bool
mb_torch_activation(const mb_json *name, uint32_t *activation)
{
	return mb_find_value(classes, LENGTH(classes), name, activation);
}

static const char *const dense_keys[] = {
	"in_features", "out_features", "bias", "activation_function",
	"module_input_name", "module_output_name"
};
static const char *const layer_norm_keys[] = {"dimension"};

/* The library stops at keys that it does not know, whatever they would mean. */
static mb_status
check_keys(const mb_json *config, const char *const *keys, size_t count,
		   mb_error *err)
{
	const mb_json *member;
	size_t		i;

	if (config->type != MB_JSON_OBJECT)
		return mb_fail(err, MB_ERR_DATA, "it must be a JSON object");
	for (member = config->child; member != NULL; member = member->next)
	{
		for (i = 0; i < count && strcmp(member->key, keys[i]) != 0; i++)
			;
		if (i == count)
			return mb_fail(err, MB_ERR_UNSUPPORTED,
						   "\"%.100s\" is not known", member->key);
	}
	return MB_OK;
}

/* A size that has to be there. */
static mb_status
read_width(const mb_json *config, const char *key, uint32_t *width,
		   mb_error *err)
{
	if (mb_json_get(config, key) == NULL)
		return mb_fail(err, MB_ERR_DATA, "\"%s\" is missing", key);
	return mb_read_size(config, key, 1, MB_MODULE_WIDTH_MAX, width, err);
}

static mb_status
check_inputs(const char *key, uint32_t inputs, const mb_module *module,
			 mb_error *err)
{
	return inputs == module->inputs ? MB_OK :
		mb_fail(err, MB_ERR_DATA,
				"\"%s\" is %u, but the vector before it has %u numbers", key,
				inputs, module->inputs);
}

/*
 * The names of what is read and written: the vector of the text.  A Dense of
 * tokens is part of another kind of model, which keeps a vector of each.
 */
static mb_status
check_names(const mb_json *config, mb_error *err)
{
	static const char *const keys[] = {
		"module_input_name", "module_output_name"
	};
	size_t		i;

	for (i = 0; i < LENGTH(keys); i++)
	{
		const mb_json *name = mb_json_get(config, keys[i]);

		if (name == NULL || mb_json_is_string(name, "sentence_embedding") ||
			(i == 1 && name->type == MB_JSON_NULL))
			continue;
		mb_fail(err, MB_ERR_UNSUPPORTED, "\"%s\" \"%.100s\" is not supported",
				keys[i], name->type == MB_JSON_STRING ? name->text : "");
		mb_detail(err, "\"sentence_embedding\" is: vectors of tokens are not "
				  "kept.");
		return MB_ERR_UNSUPPORTED;
	}
	return MB_OK;
}

/* Without the key it is Tanh, not what a plain linear layer would be. */
static mb_status
read_module_activation(const mb_json *config, mb_module *module,
					   mb_error *err)
{
	const mb_json *name = mb_json_get(config, "activation_function");
	uint32_t	activation = MB_ACT_TANH;

	if (name != NULL &&
		!mb_torch_activation(name, &activation))
	{
		mb_fail(err, MB_ERR_UNSUPPORTED,
				"\"activation_function\" \"%.100s\" is not supported",
				name->type == MB_JSON_STRING ? name->text : "");
		mb_detail(err, "Of torch's classes Identity, Sigmoid, Tanh, ReLU, "
				  "GELU and SiLU are, with the names that "
				  "sentence-transformers writes.");
		return MB_ERR_UNSUPPORTED;
	}
	module->activation = (uint8_t) activation;
	return MB_OK;
}

static mb_status
read_dense(const mb_json *config, mb_module *module, mb_error *err)
{
	uint32_t	inputs = 0;
	mb_status	status = check_keys(config, dense_keys, LENGTH(dense_keys),
									err);

	if (status == MB_OK)
		status = check_names(config, err);
	if (status == MB_OK)
		status = read_width(config, "in_features", &inputs, err);
	if (status == MB_OK)
		status = check_inputs("in_features", inputs, module, err);
	if (status == MB_OK)
		status = read_width(config, "out_features", &module->outputs, err);
	module->bias = 1;
	if (status == MB_OK)
		status = mb_read_flag(config, "bias", &module->bias, err);
	if (status == MB_OK)
		status = read_module_activation(config, module, err);
	return status;
}

static mb_status
read_layer_norm(const mb_json *config, mb_module *module, mb_error *err)
{
	uint32_t	width = 0;
	mb_status	status = check_keys(config, layer_norm_keys,
									LENGTH(layer_norm_keys), err);

	if (status == MB_OK)
		status = read_width(config, "dimension", &width, err);
	if (status == MB_OK)
		status = check_inputs("dimension", width, module, err);
	return status;
}

/* Say in which module the error is. */
static mb_status
fail_in_module(mb_status status, uint32_t number, mb_module_kind kind,
			   mb_error *err)
{
	mb_error	inner;

	if (err == NULL)
		return status;
	inner = *err;
	mb_fail(err, status, "module %u, %s: %s", number + MB_MODULES_FIRST,
			mb_module_name(kind), inner.message);
	memcpy(err->detail, inner.detail, sizeof(err->detail));
	return status;
}

mb_status
mb_modules_check(const mb_config *config, const mb_sentence_settings *settings,
				 mb_error *err)
{
	uint64_t	width = (uint64_t) mb_poolings_count(settings->pooling) *
		config->hidden_size;
	uint32_t	i;

	if (config->module_count > MB_MODULES_LIMIT)
		return mb_fail(err, MB_ERR_DATA, "there are too many modules");
	for (i = 0; i < config->module_count; i++)
	{
		const mb_module *module = &config->modules[i];
		bool		dense = module->kind == MB_MODULE_DENSE;

		if (module->kind >= MB_MODULE_KINDS || module->bias > 1 ||
			module->activation >= MB_ACTIVATIONS ||
			module->inputs != width || module->outputs == 0 ||
			module->outputs > (dense ? MB_MODULE_WIDTH_MAX : width) ||
			(!dense && module->outputs != width))
			return mb_fail(err, MB_ERR_DATA, "module %u is wrong",
						   i + MB_MODULES_FIRST);
		width = module->outputs;
	}
	return MB_OK;
}

mb_status
mb_modules_read(const mb_sentence_files *files,
				const mb_sentence_settings *settings, mb_config *config,
				mb_error *err)
{
	uint32_t	width = mb_poolings_count(settings->pooling) *
		config->hidden_size;
	mb_sentence_modules listed;
	mb_status	status = MB_OK;
	uint32_t	i;

	config->module_count = 0;
	memset(config->modules, 0, sizeof(config->modules));
	if (files->modules == NULL)
		return MB_OK;
	status = mb_sentence_modules_read(files->modules, &listed, err);
	if (status != MB_OK)
		return status;
	for (i = 0; i < listed.count; i++)
	{
		mb_module  *module = &config->modules[i];
		const mb_json *file = files->following[i];
		bool		configured = listed.kinds[i] == MB_MODULE_DENSE ||
			listed.kinds[i] == MB_MODULE_LAYER_NORM;

		module->kind = (uint8_t) listed.kinds[i];
		module->activation = MB_ACT_LINEAR;
		module->inputs = module->outputs = width;
		if (configured && file == NULL)
			status = mb_fail(err, MB_ERR_DATA, "its configuration is missing");
		else if (listed.kinds[i] == MB_MODULE_DENSE)
			status = read_dense(file, module, err);
		else if (listed.kinds[i] == MB_MODULE_LAYER_NORM)
			status = read_layer_norm(file, module, err);
		if (status != MB_OK)
			return fail_in_module(status, i, listed.kinds[i], err);
		width = module->outputs;
	}
	config->module_count = listed.count;
	return MB_OK;
}
