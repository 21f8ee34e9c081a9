/*-------------------------------------------------------------------------
 *
 * import_store.c
 *	  An import's rows of the registry.
 *
 * Tensors that the registry has already are not stored again, unless they are
 * locked: registry_write.c says who waits for whom.
 *
 * Depends on server/pg.h, server/adapt.h, models/model_cache.h,
 * models/registry.h, models/registry_write.h, models/role.h,
 * import/import_check.h, import/import_hash.h, import/import_model.h,
 * import/import_progress.h, import/import_read.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "models/model_cache.h"
#include "models/registry.h"
#include "models/registry_write.h"
#include "models/role.h"
#include "import/import_check.h"
#include "import/import_hash.h"
#include "import/import_model.h"
#include "import/import_progress.h"
#include "import/import_read.h"
#include "import/import_store.h"

#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#define MODEL_COLUMNS 25		/* of mobilebert.model */

static Datum
bytea_datum(const void *data, size_t size)
{
	bytea	   *value = palloc(VARHDRSZ + size);

	SET_VARSIZE(value, VARHDRSZ + size);
	if (size > 0)
		memcpy(VARDATA(value), data, size);
	return PointerGetDatum(value);
}

static Datum
hash_datum(const uint8 *hash)
{
	return bytea_datum(hash, PG_SHA256_DIGEST_LENGTH);
}

static Datum
shape_datum(const RegistryTensorInfo *info)
{
	Datum		values[2];
	int			i;

	for (i = 0; i < (int) info->rank; i++)
		values[i] = Int64GetDatum((int64) info->shape[i]);
	return PointerGetDatum(construct_array(values, (int) info->rank, INT8OID,
										   8, FLOAT8PASSBYVAL, 'd'));
}

/* The bytes of a new tensor; the hash is taken again: a file may change. */
static void
store_chunks(Import *import, const Filled *filled, SPIPlanPtr insert, Datum id)
{
	uint64		at = filled->entry->begin;
	int			chunk_no = 0;
	pg_cryptohash_ctx *hash = import_hash_tensor(&filled->info);
	uint8		again[PG_SHA256_DIGEST_LENGTH];

	while (at < filled->entry->end)
	{
		size_t		step = Min(filled->entry->end - at, IMPORT_CHUNK);
		bytea	   *data = palloc(VARHDRSZ + step);
		Datum		values[3];

		SET_VARSIZE(data, VARHDRSZ + step);
		import_read_bytes(filled->file, at, VARDATA(data), step);
		import_hash_add(hash, VARDATA(data), step);
		values[0] = id;
		values[1] = Int32GetDatum(chunk_no++);
		values[2] = PointerGetDatum(data);
		registry_run(insert, values, NULL);
		pfree(data);
		import_progress_add(import, step);
		at += step;
	}
	import_hash_end(hash, again);
	if (memcmp(again, filled->info.sha256, PG_SHA256_DIGEST_LENGTH) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("model file \"%s\" changed while it was read",
						filled->file->name)));
}

/* The statements that store tensors. */
typedef struct TensorPlans
{
	SPIPlanPtr	find;
	SPIPlanPtr	keep;
	SPIPlanPtr	tensor;
	SPIPlanPtr	chunk;
	SPIPlanPtr	link;
} TensorPlans;

static void
prepare_tensors(TensorPlans *plans)
{
	Oid			find_types[] = {BYTEAOID};
	Oid			keep_types[] = {UUIDOID};
	Oid			tensor_types[] = {UUIDOID, BYTEAOID, TEXTOID, INT8ARRAYOID, INT8OID};
	Oid			chunk_types[] = {UUIDOID, INT4OID, BYTEAOID};
	Oid			link_types[] = {UUIDOID, TEXTOID, UUIDOID};

	/*
	 * A tensor whose pieces a restore has not brought yet is not shared, nor
	 * one that a drop is about to remove.
	 */
	plans->find =
		registry_prepare("SELECT t.id FROM mobilebert.tensor t "
						 "WHERE t.sha256 = $1 AND t.bytes = "
						 "(SELECT coalesce(sum(octet_length(c.data)), 0) "
						 "FROM mobilebert.tensor_chunk c "
						 "WHERE c.tensor_id = t.id) "
						 "LIMIT 1 FOR KEY SHARE OF t SKIP LOCKED",
						 1, find_types);
	/* the base's: wait for a drop of it, and look what became of it */
	plans->keep =
		registry_prepare("SELECT FROM mobilebert.tensor t "
						 "WHERE t.id = $1 FOR KEY SHARE", 1, keep_types);
	plans->tensor =
		registry_prepare("INSERT INTO mobilebert.tensor "
						 "(id, sha256, dtype, shape, bytes) VALUES "
						 "($1, $2, $3, $4, $5)", 5, tensor_types);
	plans->chunk =
		registry_prepare("INSERT INTO mobilebert.tensor_chunk "
						 "(tensor_id, chunk_no, data) VALUES "
						 "($1, $2, $3)", 3, chunk_types);
	plans->link =
		registry_prepare("INSERT INTO mobilebert.model_tensor "
						 "(model_id, tensor_name, tensor_id) VALUES "
						 "($1, $2, $3)", 3, link_types);
}

static void
new_uuid(pg_uuid_t *uuid)
{
	if (!pg_strong_random(uuid->data, UUID_LEN))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not make a random identifier")));
	uuid->data[6] = (uuid->data[6] & 0x0f) | 0x40;
	uuid->data[8] = (uuid->data[8] & 0x3f) | 0x80;
}

/* A tensor of a file: one that is stored already, or a new one. */
static void
store_tensor(Import *import, const TensorPlans *plans, const Filled *filled,
			 pg_uuid_t *id)
{
	Datum		values[5];

	values[0] = hash_datum(filled->info.sha256);
	if (registry_run(plans->find, values, NULL) > 0)
	{
		bool		isnull;

		*id = *DatumGetUUIDP(SPI_getbinval(SPI_tuptable->vals[0],
										   SPI_tuptable->tupdesc, 1,
										   &isnull));
		SPI_freetuptable(SPI_tuptable);
		import_progress_add(import, filled->info.bytes);
		return;
	}
	new_uuid(id);
	values[1] = values[0];
	values[0] = UUIDPGetDatum(id);
	values[2] = CStringGetTextDatum(mb_dtype_name(filled->info.dtype));
	values[3] = shape_datum(&filled->info);
	values[4] = Int64GetDatum((int64) filled->info.bytes);
	registry_run(plans->tensor, values, NULL);
	store_chunks(import, filled, plans->chunk, values[0]);
}

static void
store_tensors(Import *import, Datum id)
{
	TensorPlans plans;
	size_t		i;

	prepare_tensors(&plans);
	for (i = 0; i < import->slots; i++)
	{
		Filled	   *filled = &import->filled[i];
		Datum		values[3];
		mb_slot		slot;

		if (!import->present[i])
			continue;
		CHECK_FOR_INTERRUPTS();
		values[2] = UUIDPGetDatum(&filled->id);
		if (filled->file != NULL)
			store_tensor(import, &plans, filled, &filled->id);
		else
		{
			if (registry_run(plans.keep, &values[2], NULL) == 0)
				import_base_dropped(import);
			SPI_freetuptable(SPI_tuptable);
		}
		mb_slot_get(&import->config, i, &slot);
		values[0] = id;
		values[1] = CStringGetTextDatum(slot.name);
		registry_run(plans.link, values, NULL);
	}
}

static void
store_documents(Import *import, Datum id)
{
	Oid			types[] = {UUIDOID, TEXTOID, BYTEAOID};
	int			d;

	for (d = 0; d < DOC_COUNT; d++)
	{
		Datum		values[3];

		if (import->documents.files[d].text == NULL)
			continue;
		values[0] = id;
		values[1] = CStringGetTextDatum(document_names[d]);
		values[2] = bytea_datum(import->documents.files[d].text,
								import->documents.files[d].length);
		registry_execute("INSERT INTO mobilebert.model_file "
						 "(model_id, file_name, content) VALUES ($1, $2, $3)",
						 3, types, values, NULL);
	}
}

static int32
count_documents(const Import *import)
{
	int32		count = 0;
	int			d;

	for (d = 0; d < DOC_COUNT; d++)
		count += import->documents.files[d].text != NULL;
	return count;
}

static Datum
text_datum(const char *utf8, size_t length)
{
	return PointerGetDatum(mobilebert_text_make(utf8, length));
}

/*
 * Labels by number, NULL for one that id2label leaves out; only where there is
 * a classifier.
 */
static bool
labels_datum(Import *import, Datum *result)
{
	mb_memory	memory = mobilebert_memory(CurrentMemoryContext);
	mb_arena	arena;
	mb_labels	labels;
	Datum	   *names;
	bool	   *nulls;
	int			count;
	int			low = 1;
	int			i;

	mb_arena_init(&arena, &memory, SIZE_MAX);
	if (import->classifier != NULL)
		labels = import->classifier->labels;
	else if ((import->parts_mask & (1U << MB_PART_CLASSIFIER |
									1U << MB_PART_SEQUENCE)) == 0)
		return false;
	else
		ENGINE_CALL(mb_labels_read,
					documents_tree(&import->documents, DOC_CONFIG), NULL,
					import->config.num_labels, &arena, &labels);
	count = (int) labels.outputs;
	names = palloc0(Max(count, 1) * sizeof(Datum));
	nulls = palloc0(Max(count, 1) * sizeof(bool));
	for (i = 0; i < count; i++)
	{
		nulls[i] = labels.names[i].text == NULL;
		if (!nulls[i])
			names[i] = text_datum(labels.names[i].text,
								  labels.names[i].length);
	}
	*result = PointerGetDatum(construct_md_array(names, nulls, count > 0,
												 &count, &low, TEXTOID, -1,
												 false, 'i'));
	mb_arena_free(&arena);
	return true;
}

/* A fitted classifier has its base's states, but not its heads. */
static uint32
parts_of(const Import *import)
{
	return import->classifier == NULL ? import->parts_mask :
		import->parts_mask & (1U << MB_PART_BASE | 1U << MB_PART_POOLER |
							  1U << MB_PART_MODULES);
}

static uint32
tasks_of(const Import *import)
{
	uint32		tasks = mb_checkpoint_tasks(&import->config,
											import->parts_mask);

	return import->classifier == NULL ? tasks :
		(tasks & (MB_TASK_EMBED | MB_TASK_POOLER)) | MB_TASK_CLASSIFY;
}

static Datum
tasks_datum(uint32 tasks)
{
	Datum		names[MB_TASK_COUNT];
	int			count = 0;
	int			i;

	for (i = 0; i < MB_TASK_COUNT; i++)
	{
		if ((tasks & (1U << i)) != 0)
			names[count++] = CStringGetTextDatum(mb_task_name(1U << i));
	}
	return PointerGetDatum(construct_array(names, count, TEXTOID, -1, false,
										   'i'));
}

/* Sizes of a model that the registry shows. */
typedef struct Sizes
{
	int64		parameters;
	int64		multiply_adds;	/* of the encoder, for one token */
	int64		bytes;
	int32		tensors;
} Sizes;

/* Is it of a layer that no call of a fitted classifier runs? */
static bool
layer_is_left_out(const Import *import, size_t slot)
{
	return import->classifier != NULL &&
		mb_slot_locate(&import->config, slot).layer >=
		(ptrdiff_t) import->classifier->layer;
}

static void
sum_sizes(const Import *import, Sizes *sizes)
{
	size_t		i;

	memset(sizes, 0, sizeof(Sizes));
	for (i = 0; i < import->slots; i++)
	{
		uint64_t	shape[2];

		if (!import->present[i])
			continue;
		sizes->parameters += (int64) mb_slot_size(&import->config, i);
		sizes->bytes += (int64) import->filled[i].info.bytes;
		sizes->tensors++;
		if (mb_slot_linear(&import->config, i, shape) &&
			!layer_is_left_out(import, i))
			sizes->multiply_adds += (int64) mb_slot_size(&import->config, i);
	}
}

/* A row of mobilebert.model, column by column. */
typedef struct ModelRow
{
	int			count;
	const char *columns[MODEL_COLUMNS];
	Oid			types[MODEL_COLUMNS];
	Datum		values[MODEL_COLUMNS];
	char		nulls[MODEL_COLUMNS];
} ModelRow;

static void
row_put(ModelRow *row, const char *column, Oid type, Datum value)
{
	if (row->count == MODEL_COLUMNS)
		elog(ERROR, "table mobilebert.model has more columns than %d",
			 MODEL_COLUMNS);
	row->columns[row->count] = column;
	row->types[row->count] = type;
	row->values[row->count] = value;
	row->nulls[row->count] = ' ';
	row->count++;
}

static void
row_put_null(ModelRow *row, const char *column, Oid type)
{
	row_put(row, column, type, (Datum) 0);
	row->nulls[row->count - 1] = 'n';
}

static void
row_put_int(ModelRow *row, const char *column, int32 value)
{
	row_put(row, column, INT4OID, Int32GetDatum(value));
}

static void
row_put_bigint(ModelRow *row, const char *column, int64 value)
{
	row_put(row, column, INT8OID, Int64GetDatum(value));
}

static void
row_insert(const ModelRow *row)
{
	StringInfoData sql;
	int			i;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "INSERT INTO mobilebert.model (");
	for (i = 0; i < row->count; i++)
		appendStringInfo(&sql, "%s%s", i > 0 ? ", " : "",
						 quote_identifier(row->columns[i]));
	appendStringInfoString(&sql, ") VALUES (");
	for (i = 0; i < row->count; i++)
		appendStringInfo(&sql, "%s$%d", i > 0 ? ", " : "", i + 1);
	appendStringInfoChar(&sql, ')');
	registry_execute(sql.data, row->count, row->types, row->values,
					 row->nulls);
	pfree(sql.data);
}

/* The first of "architectures" in config.json. */
static void
put_architecture(ModelRow *row, Import *import)
{
	const mb_json *list = mb_json_get(documents_tree(&import->documents, DOC_CONFIG),
									  "architectures");

	if (list != NULL && list->type == MB_JSON_ARRAY && list->child != NULL &&
		list->child->type == MB_JSON_STRING)
		row_put(row, "architecture", TEXTOID,
				text_datum(list->child->text, list->child->length));
	else
		row_put_null(row, "architecture", TEXTOID);
}

static void
store_model(Import *import, Oid owner, Datum id)
{
	const mb_config *config = &import->config;
	uint32		tasks = tasks_of(import);
	ModelRow	row = {0};
	Datum		labels;
	Sizes		sizes;

	row_put(&row, "id", UUIDOID, id);
	row_put(&row, "name", TEXTOID, CStringGetTextDatum(import->name));
	row_put(&row, "owner", NAMEOID,
			DirectFunctionCall1(namein,
								CStringGetDatum(GetUserNameFromId(owner, false))));
	row_put(&row, "owner_oid", OIDOID, ObjectIdGetDatum(owner));
	row_put_bigint(&row, "owner_cluster", role_cluster());
	row_put(&row, "precision", TEXTOID,
			CStringGetTextDatum(import->precision));
	row_put_int(&row, "parts", (int32) parts_of(import));
	row_put_int(&row, "task_bits", (int32) tasks);
	row_put(&row, "tasks", TEXTARRAYOID, tasks_datum(tasks));
	put_architecture(&row, import);
	row_put_int(&row, "layers", (int32) config->layers);
	row_put_int(&row, "hidden_size", (int32) config->hidden_size);
	row_put_int(&row, "dimension",
				(int32) mb_vector_width(config, &import->settings));
	row_put_int(&row, "vocabulary_size", (int32) config->vocab_size);
	row_put_int(&row, "max_tokens",
				(int32) mobilebert_token_limit(config, &import->settings,
											   &import->tokenizer));
	sum_sizes(import, &sizes);
	row_put_bigint(&row, "parameters", sizes.parameters);
	row_put_bigint(&row, "multiply_adds", sizes.multiply_adds);
	row_put_bigint(&row, "size", sizes.bytes);
	if (labels_datum(import, &labels))
		row_put(&row, "labels", TEXTARRAYOID, labels);
	else
		row_put_null(&row, "labels", TEXTARRAYOID);
	row_put(&row, "sha256", BYTEAOID, hash_datum(import->sha256));
	row_put(&row, "image_key", BYTEAOID, hash_datum(import->image_key));
	row_put(&row, "created_at", TIMESTAMPTZOID,
			TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()));
	row_put_int(&row, "file_count", count_documents(import));
	row_put_int(&row, "tensor_count", sizes.tensors);
	if (import->base != NULL)
		row_put(&row, "base_id", UUIDOID, UUIDPGetDatum(&import->base->id));
	else
		row_put_null(&row, "base_id", UUIDOID);
	row_insert(&row);
}

/*
 * Who may use it: everybody; of a model that stands on another the owner alone,
 * who may not give what is not theirs.  What differs from another in a shipped
 * one is everybody's; to use it takes the right to the other all the same.
 */
static void
store_grants(const Import *import, Datum id)
{
	Oid			types[] = {UUIDOID};

	if (import->base == NULL || import->shipped)
		registry_execute("INSERT INTO mobilebert.model_grant "
						 "(model_id, grantee) VALUES ($1, 'public')",
						 1, types, &id, NULL);
}

void
import_store(Import *import)
{
	pg_uuid_t	uuid;
	RegistryWrite write;
	Datum		id = UUIDPGetDatum(&uuid);

	new_uuid(&uuid);
	import_base_is_there(import);
	registry_lock(import->command, import->name, NULL);
	registry_name_is_free(import->name);
	import_progress_phase(import, IMPORT_STORES);
	registry_write_begin(&write, import->command);
	store_model(import, write.user, id);
	store_grants(import, id);
	store_documents(import, id);
	store_tensors(import, id);
	registry_write_end(&write);
}
