/*-------------------------------------------------------------------------
 *
 * import.c
 *	  The SQL functions that register a model; import_shipped.c has those of
 *	  models that come with the extension.
 *
 * import_model.h tells how an import goes.
 *
 * Depends on server/pg.h, server/adapt.h, server/guc.h, server/options.h,
 * models/model_cache.h, models/registry.h, models/registry_write.h,
 * import/import_check.h, import/import_hash.h, import/import_model.h,
 * import/import_progress.h, import/import_read.h, import/import_store.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/guc.h"
#include "server/options.h"
#include "models/model_cache.h"
#include "models/registry.h"
#include "models/registry_write.h"
#include "import/import.h"
#include "import/import_check.h"
#include "import/import_hash.h"
#include "import/import_model.h"
#include "import/import_progress.h"
#include "import/import_read.h"
#include "import/import_store.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/snapmgr.h"

/*
 * What reading headers, configuration and tokenizer may take: a header of
 * 60 MB that is nothing but brackets would take ten times that.
 */
#define ARENA_MINIMUM_KB ((size_t) 64 * 1024)

#define SENTENCE_HINT \
	"Its members are modules, pooling, sentence_bert and config_sentence_transformers."

Datum
import_model_info(FunctionCallInfo fcinfo, const Import *import)
{
	TupleDesc	desc;
	Oid			types[] = {TEXTOID};
	Datum		values[1];
	HeapTuple	tuple;
	RegistryWrite write;
	MemoryContext caller = CurrentMemoryContext;
	Datum		result;
	Datum	   *columns;
	bool	   *nulls;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	desc = BlessTupleDesc(desc);
	columns = palloc(desc->natts * sizeof(Datum));
	nulls = palloc(desc->natts * sizeof(bool));
	values[0] = CStringGetTextDatum(import->name);

	registry_write_begin(&write, import->command);
	registry_execute("SELECT name, owner, tasks, architecture, layers, "
					 "hidden_size, dimension, vocabulary_size, max_tokens, "
					 "parameters, size, \"precision\", labels, "
					 "encode(sha256, 'hex'), created_at, (SELECT b.name "
					 "FROM mobilebert.model b WHERE b.id = m.base_id) "
					 "FROM mobilebert.model m WHERE name = $1",
					 1, types, values, NULL);
	if (SPI_processed != 1 || SPI_tuptable->tupdesc->natts != desc->natts)
		elog(ERROR, "registry does not show the imported model");
	heap_deform_tuple(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, columns,
					  nulls);
	MemoryContextSwitchTo(caller);
	tuple = heap_form_tuple(desc, columns, nulls);
	registry_write_end(&write);
	result = HeapTupleGetDatum(tuple);
	return result;
}

/* The arithmetic of that name: one of mb_precision_name(). */
static char *
legal_precision(text *value)
{
	char	   *name = text_to_cstring(value);
	mb_precision precision;

	if (!mb_precision_from_name(name, &precision))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unrecognized precision: \"%s\"", name),
				 errhint("Legal values are fp32, bf16x3, bf16 and int8.")));
	return name;
}

void
import_begin(Import *import, const char *command, text *name, text *precision)
{
	memset(import, 0, sizeof(Import));
	import->command = command;
	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the name of a model must not be null")));
	import->name = text_to_cstring(name);
	registry_check_name(import->name);
	import->precision = precision != NULL ? legal_precision(precision) : "fp32";
	import->memory = mobilebert_memory(CurrentMemoryContext);
	mb_arena_init(&import->arena, &import->memory,
				  Max((size_t) mobilebert_memory_limit, ARENA_MINIMUM_KB) *
				  1024);
	documents_init(&import->documents, &import->arena);
	PreventCommandIfReadOnly(command);
}

void
import_run(Import *import)
{
	import_check(import);
	import_progress_begin(import);
	import_hash(import);
	import_store(import);
	import_close(import);
	import_progress_end();
}

/* The two as most functions here have them: the name must be free. */
static void
begin(Import *import, const char *command, text *name, text *precision)
{
	import_begin(import, command, name, precision);
	registry_name_is_free(import->name);
}

static Datum
run(FunctionCallInfo fcinfo, Import *import)
{
	import_run(import);
	return import_model_info(fcinfo, import);
}

PG_FUNCTION_INFO_V1(mobilebert_import_directory);
Datum
mobilebert_import_directory(PG_FUNCTION_ARGS)
{
	Import		import;
	text	   *path = ARG_TEXT(1);
	char	   *directory;

	if (!has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to import a model from a server directory"),
				 errdetail("Only roles with privileges of the \"pg_read_server_files\" role may do that."),
				 errhint("import_model also takes the weights as bytea or large object.")));
	begin(&import, "import_model()", ARG_TEXT(0), ARG_TEXT(2));
	if (path == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the path of a model must not be null")));
	directory = text_to_cstring(path);
	canonicalize_path(directory);
	import_read_directory(&import, directory);
	return run(fcinfo, &import);
}

/* A jsonb value as UTF-8 text. */
static void
jsonb_document(Jsonb *value, mb_document *document)
{
	char	   *json = JsonbToCString(NULL, &value->root, VARSIZE(value));

	document->text = mobilebert_utf8_cstring(cstring_to_text(json));
	document->length = strlen(document->text);
}

/* A member of sentence_transformers. */
static void
read_sentence_member(Import *import, const JsonbValue *name,
					 JsonbValue *value)
{
	mb_document *files = import->documents.files;
	const struct
	{
		const char *name;
		mb_document *document;
	}			members[] = {
		{"modules", &files[DOC_MODULES]},
		{"pooling", &files[DOC_POOLING]},
		{"sentence_bert", &files[DOC_SENTENCE_BERT]},
		{"config_sentence_transformers", &files[DOC_SENTENCE_CONFIG]}
	};
	int			i;

	for (i = 0; i < (int) lengthof(members); i++)
	{
		const char *member = members[i].name;

		if (strlen(member) != (size_t) name->val.string.len ||
			memcmp(member, name->val.string.val, strlen(member)) != 0)
			continue;
		jsonb_document(JsonbValueToJsonb(value), members[i].document);
		return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized member of sentence_transformers: \"%.*s\"",
					name->val.string.len, name->val.string.val),
			 errhint(SENTENCE_HINT)));
}

static void
read_sentence_members(Import *import, Jsonb *object)
{
	JsonbIterator *iterator = JsonbIteratorInit(&object->root);
	JsonbIteratorToken token;
	JsonbValue	name;
	JsonbValue	value;

	if (!JB_ROOT_IS_OBJECT(object))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("sentence_transformers must be an object"),
				 errhint(SENTENCE_HINT)));
	while ((token = JsonbIteratorNext(&iterator, &name, true)) != WJB_DONE)
	{
		if (token != WJB_KEY)
			continue;
		(void) JsonbIteratorNext(&iterator, &value, true);
		read_sentence_member(import, &name, &value);
	}
}

/* Modules after Pooling that have weights, for which there is no argument. */
static void
refuse_modules(Import *import)
{
	const mb_json *list = documents_tree(&import->documents, DOC_MODULES);
	mb_sentence_modules modules;

	if (list == NULL)
		return;
	ENGINE_CALL(mb_sentence_modules_read, list, &modules);
	if (modules.count > 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a model with the module %s is imported from a directory only",
						mb_module_name(modules.kinds[modules.count - 1])),
				 errdetail("That module has a file of weights of its own."),
				 errhint("import_model(name, path) reads a directory of the server.")));
}

/* Arguments 1, 2, 5 and 6 of the forms that take documents by value. */
static void
read_arguments(FunctionCallInfo fcinfo, Import *import)
{
	text	   *tokenizer = ARG_TEXT(2);
	mb_document document;
	const char *c;

	if (!ARG_IS_GIVEN(1) || tokenizer == NULL || !ARG_IS_GIVEN(3))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("config, tokenizer and weights must not be null")));
	jsonb_document(PG_GETARG_JSONB_P(1), &import->documents.files[DOC_CONFIG]);
	document.text = mobilebert_utf8_cstring(tokenizer);
	document.length = strlen(document.text);
	for (c = document.text; *c == ' ' || *c == '\n' || *c == '\r' || *c == '\t';)
		c++;
	/* a vocabulary has a word on each line, and "{" may be the first */
	import->documents.files[c[0] == '{' && strchr(c, '"') != NULL &&
					  strstr(c, "\"model\"") != NULL ?
					  DOC_TOKENIZER : DOC_VOCAB] = document;
	if (ARG_IS_GIVEN(5))
		jsonb_document(PG_GETARG_JSONB_P(5),
					   &import->documents.files[DOC_TOKENIZER_CONFIG]);
	if (ARG_IS_GIVEN(6))
		read_sentence_members(import, PG_GETARG_JSONB_P(6));
	refuse_modules(import);
	import->weight_files = palloc0(sizeof(WeightFile));
	import->weight_files->fd = -1;
	import->weight_files->object = -1;
	import->weight_file_count = 1;
}

PG_FUNCTION_INFO_V1(mobilebert_import_bytea);
Datum
mobilebert_import_bytea(PG_FUNCTION_ARGS)
{
	Import		import;
	bytea	   *weights;

	begin(&import, "import_model()", ARG_TEXT(0), ARG_TEXT(4));
	read_arguments(fcinfo, &import);
	weights = PG_GETARG_BYTEA_PP(3);
	import.weight_files->name = "weights";
	import.weight_files->memory = VARDATA_ANY(weights);
	import.weight_files->size = VARSIZE_ANY_EXHDR(weights);
	return run(fcinfo, &import);
}

PG_FUNCTION_INFO_V1(mobilebert_import_large_object);
Datum
mobilebert_import_large_object(PG_FUNCTION_ARGS)
{
	Import		import;

	begin(&import, "import_model()", ARG_TEXT(0), ARG_TEXT(4));
	read_arguments(fcinfo, &import);
	import_open_object(import.weight_files, PG_GETARG_OID(3));
	return run(fcinfo, &import);
}

PG_FUNCTION_INFO_V1(mobilebert_create_variant);
Datum
mobilebert_create_variant(PG_FUNCTION_ARGS)
{
	Import		import;
	Snapshot	snapshot;

	if (!ARG_IS_GIVEN(1) || !ARG_IS_GIVEN(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("base and precision of a variant must not be null")));
	begin(&import, "create_variant()", ARG_TEXT(0), ARG_TEXT(2));
	import.variant = true;
	import.base =
		unconstify(RegistryModel *, mobilebert_model_row(ARG_TEXT(1), 0));
	snapshot = registry_snapshot();
	documents_load_all(&import.documents, import.base, snapshot);
	UnregisterSnapshot(snapshot);
	return run(fcinfo, &import);
}
