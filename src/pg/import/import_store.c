/*-------------------------------------------------------------------------
 *
 * import_store.c
 *	  An import's rows of the registry.
 *
 * Tensors that the registry has already are not stored again.
 *
 * Depends on server/pg.h, server/adapt.h, models/model_cache.h,
 * models/registry.h, import/import.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "models/model_cache.h"
#include "models/registry.h"
#include "import/import.h"

#include "catalog/pg_authid.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

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
shape_datum(const RegistryTensorInfo *info)
{
	Datum		values[2];
	int			i;

	for (i = 0; i < (int) info->rank; i++)
		values[i] = Int64GetDatum((int64) info->shape[i]);
	return PointerGetDatum(construct_array(values, (int) info->rank, INT8OID,
										   8, FLOAT8PASSBYVAL, 'd'));
}

static SPIPlanPtr
prepare(const char *sql, int count, Oid *types)
{
	SPIPlanPtr	plan = SPI_prepare(sql, count, types);

	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s",
			 SPI_result_code_string(SPI_result));
	return plan;
}

static uint64
execute(SPIPlanPtr plan, Datum *values)
{
	int			result = SPI_execute_plan(plan, values, NULL, false, 0);

	if (result < 0)
		elog(ERROR, "SPI_execute_plan failed: %s",
			 SPI_result_code_string(result));
	return SPI_processed;
}

/* The bytes of a new tensor; the hash is taken again: a file may change. */
static void
store_chunks(const Filled *filled, SPIPlanPtr insert, Datum sha256)
{
	uint64		at = filled->entry->begin;
	int			chunk_no = 0;
	pg_cryptohash_ctx *hash = import_hash_tensor(&filled->info);
	uint8		again[32];

	while (at < filled->entry->end)
	{
		size_t		step = Min(filled->entry->end - at, IMPORT_CHUNK);
		bytea	   *data = palloc(VARHDRSZ + step);
		Datum		values[3];

		SET_VARSIZE(data, VARHDRSZ + step);
		import_read_bytes(filled->part, at, VARDATA(data), step);
		import_hash_add(hash, VARDATA(data), step);
		values[0] = sha256;
		values[1] = Int32GetDatum(chunk_no++);
		values[2] = PointerGetDatum(data);
		execute(insert, values);
		pfree(data);
		at += step;
	}
	import_hash_end(hash, again);
	if (memcmp(again, filled->sha256, 32) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("model file \"%s\" changed while it was read",
						filled->part->name)));
}

static void
store_tensors(Import *import, Datum id)
{
	Oid			tensor_types[] = {BYTEAOID, TEXTOID, INT8ARRAYOID, INT8OID};
	Oid			chunk_types[] = {BYTEAOID, INT4OID, BYTEAOID};
	Oid			place_types[] = {UUIDOID, TEXTOID, BYTEAOID};
	SPIPlanPtr	tensor = prepare("INSERT INTO mobilebert.tensor "
								 "(sha256, dtype, shape, bytes) VALUES "
								 "($1, $2, $3, $4) ON CONFLICT DO NOTHING",
								 4, tensor_types);
	SPIPlanPtr	chunk = prepare("INSERT INTO mobilebert.tensor_chunk "
								"(sha256, chunk_no, data) VALUES "
								"($1, $2, $3)", 3, chunk_types);
	SPIPlanPtr	place = prepare("INSERT INTO mobilebert.model_tensor "
								"(model_id, tensor_name, sha256) VALUES "
								"($1, $2, $3)", 3, place_types);
	size_t		i;

	for (i = 0; i < import->slots; i++)
	{
		const Filled *filled = &import->filled[i];
		Datum		values[4];
		mb_slot		slot;

		if (!import->present[i])
			continue;
		CHECK_FOR_INTERRUPTS();
		mb_slot_get(&import->config, i, &slot);
		values[0] = bytea_datum(filled->sha256, 32);
		values[1] = CStringGetTextDatum(mb_dtype_name(filled->info.dtype));
		values[2] = shape_datum(&filled->info);
		values[3] = Int64GetDatum((int64) filled->info.bytes);
		if (filled->part != NULL && execute(tensor, values) > 0)
			store_chunks(filled, chunk, values[0]);
		values[2] = values[0];
		values[0] = id;
		values[1] = CStringGetTextDatum(slot.name);
		execute(place, values);
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

		if (import->documents[d].text == NULL)
			continue;
		values[0] = id;
		values[1] = CStringGetTextDatum(import_document_names[d]);
		values[2] = bytea_datum(import->documents[d].text,
								import->documents[d].length);
		registry_execute("INSERT INTO mobilebert.model_file "
						 "(model_id, file_name, content) VALUES ($1, $2, $3)",
						 3, types, values, NULL);
	}
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
	int			count = (int) import->config.num_labels;
	mb_arena	arena;
	mb_labels	labels;
	Datum	   *names;
	bool	   *nulls;
	int			low = 1;
	int			i;

	if ((import->parts_mask & (1U << MB_PART_CLASSIFIER)) == 0)
		return false;
	mb_arena_init(&arena, &memory, SIZE_MAX);
	ENGINE_CALL(mb_labels_read, import_parse(import, DOC_CONFIG), NULL,
				import->config.num_labels, &arena, &labels);
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

static Datum
tasks_datum(uint32 tasks)
{
	Datum		names[8];
	int			count = 0;
	uint32		bit;

	for (bit = 1; bit <= MB_TASK_CHOOSE; bit <<= 1)
		if ((tasks & bit) != 0)
			names[count++] = CStringGetTextDatum(mb_task_name(bit));
	return PointerGetDatum(construct_array(names, count, TEXTOID, -1, false,
										   'i'));
}

/* Sizes of a model that the registry shows. */
typedef struct Sizes
{
	int64		parameters;
	int64		multiply_adds;	/* of the encoder, for one token */
	int64		bytes;
} Sizes;

static void
sum_sizes(const Import *import, Sizes *sizes)
{
	size_t		i;

	memset(sizes, 0, sizeof(Sizes));
	for (i = 0; i < import->slots; i++)
	{
		mb_slot		slot;

		if (!import->present[i])
			continue;
		mb_slot_get(&import->config, i, &slot);
		sizes->parameters += (int64) mb_slot_elements(&slot);
		sizes->bytes += (int64) import->filled[i].info.bytes;
		if (slot.part == MB_PART_BASE && slot.rank == 2 &&
			strstr(slot.name, "_embeddings.") == NULL)
			sizes->multiply_adds += (int64) mb_slot_elements(&slot);
	}
}

static void
store_model(Import *import, const char *owner, Datum id)
{
	const mb_json *architectures = mb_json_get(import_parse(import, DOC_CONFIG),
											   "architectures");
	uint32		tasks = mb_checkpoint_tasks(&import->config,
											import->parts_mask);
	Oid			types[20] = {UUIDOID, TEXTOID, NAMEOID, TEXTOID, INT4OID,
		INT4OID, TEXTARRAYOID, TEXTOID, INT4OID, INT4OID, INT4OID, INT4OID,
		INT4OID, INT8OID, INT8OID, INT8OID, TEXTARRAYOID, BYTEAOID, BYTEAOID,
	TIMESTAMPTZOID};
	Datum		values[20];
	char		nulls[21];
	Sizes		sizes;

	memset(nulls, ' ', sizeof(nulls));
	nulls[20] = '\0';
	sum_sizes(import, &sizes);
	values[0] = id;
	values[1] = CStringGetTextDatum(import->name);
	values[2] = DirectFunctionCall1(namein, CStringGetDatum(owner));
	values[3] = CStringGetTextDatum(import->precision);
	values[4] = Int32GetDatum((int32) import->parts_mask);
	values[5] = Int32GetDatum((int32) tasks);
	values[6] = tasks_datum(tasks);
	if (architectures != NULL && architectures->type == MB_JSON_ARRAY &&
		architectures->child != NULL &&
		architectures->child->type == MB_JSON_STRING)
		values[7] = text_datum(architectures->child->text,
							   architectures->child->length);
	else
		nulls[7] = 'n';
	values[8] = Int32GetDatum((int32) import->config.layers);
	values[9] = Int32GetDatum((int32) import->config.hidden_size);
	values[10] = Int32GetDatum((int32) import->config.hidden_size *
							   __builtin_popcount(import->settings.pooling));
	values[11] = Int32GetDatum((int32) import->config.vocab_size);
	values[12] = Int32GetDatum((int32) mobilebert_token_limit(&import->config,
														  &import->settings,
														  &import->tokenizer));
	values[13] = Int64GetDatum(sizes.parameters);
	values[14] = Int64GetDatum(sizes.multiply_adds);
	values[15] = Int64GetDatum(sizes.bytes);
	if (!labels_datum(import, &values[16]))
		nulls[16] = 'n';
	values[17] = bytea_datum(import->sha256, 32);
	values[18] = bytea_datum(import->image_key, 32);
	values[19] = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
	registry_execute("INSERT INTO mobilebert.model (id, name, owner, "
					 "\"precision\", parts, task_bits, tasks, architecture, "
					 "layers, hidden_size, dimension, vocabulary_size, "
					 "max_tokens, parameters, multiply_adds, size, labels, "
					 "sha256, image_key, created_at) VALUES ($1, $2, $3, $4, "
					 "$5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, "
					 "$17, $18, $19, $20)", 20, types, values, nulls);
	if (import->variant)
	{
		/* whoever may use the base may use its variant */
		types[1] = UUIDOID;
		values[1] = UUIDPGetDatum(&import->base->id);
		registry_execute("INSERT INTO mobilebert.model_grant "
						 "(model_id, grantee) SELECT $1, grantee "
						 "FROM mobilebert.model_grant WHERE model_id = $2",
						 2, types, values, NULL);
	}
	else
		registry_execute("INSERT INTO mobilebert.model_grant "
						 "(model_id, grantee) VALUES ($1, 'public')",
						 1, types, values, NULL);
}

void
import_store(Import *import, bool make_default)
{
	char	   *owner = GetUserNameFromId(GetUserId(), false);
	pg_uuid_t	uuid;
	RegistryWrite write;
	Datum		id = UUIDPGetDatum(&uuid);

	if (!pg_strong_random(uuid.data, UUID_LEN))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not make a random identifier")));
	uuid.data[6] = (uuid.data[6] & 0x0f) | 0x40;
	uuid.data[8] = (uuid.data[8] & 0x3f) | 0x80;

	registry_write_begin(&write, import->command);
	registry_name_is_free(import->name);
	import_base_is_there(import);
	store_model(import, owner, id);
	store_documents(import, id);
	store_tensors(import, id);
	if (make_default &&
		has_privs_of_role(write.user, ROLE_PG_DATABASE_OWNER))
	{
		Oid			types[] = {UUIDOID};

		registry_execute("INSERT INTO mobilebert.task_default (task, model_id) "
						 "SELECT unnest(tasks), id FROM mobilebert.model "
						 "WHERE id = $1 ON CONFLICT DO NOTHING",
						 1, types, &id, NULL);
	}
	registry_write_end(&write);
}
