/*-------------------------------------------------------------------------
 *
 * fn_info.c
 *	  What a model is, what it needs, and how the library was built.
 *
 * Depends on server/pg.h, server/adapt.h, server/options.h,
 * models/documents.h, models/model_cache.h, models/registry.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/options.h"
#include "models/documents.h"
#include "models/model_cache.h"
#include "models/registry.h"

#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/snapmgr.h"

static Datum
jsonb_from_utf8(const char *utf8, size_t length)
{
	char	   *json = text_to_cstring(mobilebert_text_make(utf8, length));

	return DirectFunctionCall1(jsonb_in, CStringGetDatum(json));
}

static Datum
jsonb_join(Datum a, Datum b)
{
	return DirectFunctionCall2(jsonb_concat, a, b);
}

/* {"id2label": {...}, "label2id": {...}} as Hugging Face makes them up */
static char *
default_labels(uint32 count)
{
	StringInfoData json;
	uint32		i;

	initStringInfo(&json);
	appendStringInfoString(&json, "{\"id2label\": {");
	for (i = 0; i < count; i++)
		appendStringInfo(&json, "%s\"%u\": \"LABEL_%u\"", i > 0 ? ", " : "",
						 i, i);
	appendStringInfoString(&json, "}, \"label2id\": {");
	for (i = 0; i < count; i++)
		appendStringInfo(&json, "%s\"LABEL_%u\": %u", i > 0 ? ", " : "",
						 i, i);
	appendStringInfoString(&json, "}}");
	return json.data;
}

/* The object with one member more */
static Datum
jsonb_put(Datum object, const char *key, Datum value)
{
	Datum		name = CStringGetTextDatum(key);

	return DirectFunctionCall4(jsonb_set, object,
							   PointerGetDatum(construct_array(&name, 1, TEXTOID,
															   -1, false, 'i')),
							   value, BoolGetDatum(true));
}

/* What follows Pooling, as a list; NULL: nothing does */
static char *
module_list(const mb_config *config, const mb_sentence_settings *settings)
{
	StringInfoData json;
	uint32		i;

	if (config->module_count == 0 && !settings->normalize)
		return NULL;
	initStringInfo(&json);
	for (i = 0; i < config->module_count; i++)
	{
		const mb_module *module = &config->modules[i];

		appendStringInfo(&json, "%s{\"type\": \"%s\"", i > 0 ? ", " : "[",
						 mb_module_name((mb_module_kind) module->kind));
		if (module->kind == MB_MODULE_DENSE)
			appendStringInfo(&json, ", \"in_features\": %u, \"out_features\": %u, \"bias\": %s, \"activation_function\": \"%s\"",
							 module->inputs, module->outputs,
							 module->bias ? "true" : "false",
							 mb_activation_name((mb_activation) module->activation));
		else if (module->kind == MB_MODULE_LAYER_NORM)
			appendStringInfo(&json, ", \"dimension\": %u", module->outputs);
		appendStringInfoChar(&json, '}');
	}
	if (settings->normalize)
		appendStringInfo(&json, "%s{\"type\": \"%s\"}", i > 0 ? ", " : "[",
						 mb_module_name(MB_MODULE_NORMALIZE));
	appendStringInfoChar(&json, ']');
	return json.data;
}

PG_FUNCTION_INFO_V1(mobilebert_model_config);
Datum
mobilebert_model_config(PG_FUNCTION_ARGS)
{
	const RegistryModel *model;
	mb_memory	memory = mobilebert_memory(CurrentMemoryContext);
	mb_arena	arena;
	Documents	documents;
	const mb_document *file = &documents.files[DOC_CONFIG];
	mb_json    *root;
	mb_json    *labels;
	mb_config	config;
	mb_sentence_settings settings;
	char	   *effective;
	char	   *modules;
	Datum		result;

	if (!ARG_IS_GIVEN(0))
		PG_RETURN_NULL();
	model = mobilebert_model_row(PG_GETARG_TEXT_PP(0), 0);
	mb_arena_init(&arena, &memory, SIZE_MAX);
	documents_init(&documents, &arena);
	documents_load_settings(&documents, model, NULL);
	documents_load(&documents, model, DOC_CLASSIFIER, NULL);
	root = documents_tree(&documents, DOC_CONFIG);
	documents_settings(&documents, &config, &settings);
	ENGINE_CALL(mb_config_write, &config, &arena, &effective);

	result = jsonb_from_utf8(file->text, file->length);
	labels = mb_json_get(root, "id2label");
	if (labels == NULL || labels->type != MB_JSON_OBJECT)
	{
		char	   *made_up = default_labels(config.num_labels);

		result = jsonb_join(result, jsonb_from_utf8(made_up, strlen(made_up)));
	}
	result = jsonb_join(result, jsonb_from_utf8(effective, strlen(effective)));
	modules = module_list(&config, &settings);
	if (modules != NULL)
		result = jsonb_put(result, "modules",
						   jsonb_from_utf8(modules, strlen(modules)));
	file = &documents.files[DOC_SENTENCE_CONFIG];
	if (file->text != NULL)
		result = jsonb_put(result, "config_sentence_transformers",
						   jsonb_from_utf8(file->text, file->length));
	file = &documents.files[DOC_CLASSIFIER];
	if (file->text != NULL)
		result = jsonb_join(result, jsonb_from_utf8(file->text, file->length));
	PG_RETURN_DATUM(result);
}

PG_FUNCTION_INFO_V1(mobilebert_fingerprint);
Datum
mobilebert_fingerprint(PG_FUNCTION_ARGS)
{
	const RegistryModel *model;
	char		hex[PG_SHA256_DIGEST_STRING_LENGTH];

	if (!ARG_IS_GIVEN(0))
		PG_RETURN_NULL();
	model = mobilebert_model_row(PG_GETARG_TEXT_PP(0), 0);
	registry_hex(model->sha256, hex);
	PG_RETURN_TEXT_P(cstring_to_text(hex));
}

PG_FUNCTION_INFO_V1(mobilebert_prewarm);
Datum
mobilebert_prewarm(PG_FUNCTION_ARGS)
{
	const MobilebertModel *model;
	const volatile char *bytes;
	size_t		at;
	unsigned	sum = 0;

	if (!ARG_IS_GIVEN(0))
		PG_RETURN_NULL();
	model = mobilebert_model(PG_GETARG_TEXT_PP(0), 0);
	bytes = model->bytes;
	for (at = 0; at < model->size; at += 4096)
	{
		sum += (unsigned char) bytes[at];
		if (at % (4 * 1024 * 1024) == 0)
			CHECK_FOR_INTERRUPTS();
	}
	(void) sum;
	PG_RETURN_INT64((int64) model->size);
}

PG_FUNCTION_INFO_V1(mobilebert_memory_needed);
Datum
mobilebert_memory_needed(PG_FUNCTION_ARGS)
{
	const MobilebertModel *model;
	int32		tokens;
	size_t		longest;
	size_t		size;

	if (!ARG_IS_GIVEN(0) || !ARG_IS_GIVEN(1))
		PG_RETURN_NULL();
	model = mobilebert_model(PG_GETARG_TEXT_PP(0), 0);
	tokens = PG_GETARG_INT32(1);
	if (tokens < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the number of tokens must be at least 1")));
	longest = Min((size_t) tokens, model->image.config.max_tokens);
	size = mb_forward_memory(&model->image.model, (size_t) tokens, longest);
	if (size > (size_t) PG_INT64_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a pass over %d tokens cannot be addressed", tokens)));
	PG_RETURN_INT64((int64) size);
}

static void
put_row(ReturnSetInfo *rsinfo, const char *name, const char *value)
{
	Datum		values[2];
	bool		nulls[2] = {false, false};

	values[0] = CStringGetTextDatum(name);
	values[1] = CStringGetTextDatum(value);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

PG_FUNCTION_INFO_V1(mobilebert_build_info);
Datum
mobilebert_build_info(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	mobilebert_srf_begin(fcinfo);
	put_row(rsinfo, "version", MOBILEBERT_VERSION);
	put_row(rsinfo, "compiler",
#if defined(__clang__)
			"clang " __clang_version__
#elif defined(__GNUC__)
			"gcc " __VERSION__
#else
			"unknown"
#endif
		);
	put_row(rsinfo, "postgresql", PG_VERSION);
	put_row(rsinfo, "kernels", mb_kernels_current()->name);
	put_row(rsinfo, "matrix product", mb_kernels_current()->gemm_name);
	put_row(rsinfo, "matrix library", mb_gemm_library());
	put_row(rsinfo, "unicode library", mb_text_library());
	put_row(rsinfo, "row block", psprintf("%d", MB_ROW_BLOCK));
	put_row(rsinfo, "image layout", psprintf("%d", MB_IMAGE_LAYOUT));
	put_row(rsinfo, "database encoding", GetDatabaseEncodingName());
	return (Datum) 0;
}
