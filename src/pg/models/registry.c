/*-------------------------------------------------------------------------
 *
 * registry.c
 *	  Reading the registry's tables.
 *
 * Reading.  Functions that run once a row must know quickly which model a name
 * stands for, in any context: a parallel worker, a read-only transaction, a
 * standby, the planner.  So models are looked up as the server looks up its
 * catalogs: index scans with the newest snapshot, no SPI, no table rights.
 * What may be used is decided in rights.c.
 *
 * Noticing.  A trigger on the tables sends a relcache invalidation of
 * mobilebert.model; every backend counts them (registry_generation), and a
 * conclusion drawn under an older count is void.  Because reads take the newest
 * snapshot, a look after the message always sees the change.
 * A trigger that is not enabled ALWAYS says nothing of what a logical
 * subscriber gets or a session changes as a replica (pg_restore
 * --disable-triggers leaves them so), one that is disabled or gone nothing at
 * all.  Where that is so the count moves with each statement.
 *
 * Half restored.  The tables do not reference each other, and a restore fills
 * them in any order: whoever reads rows of a model checks that all are there,
 * and registry_incomplete() says what is missing.  No failure is remembered, so
 * that a model works as soon as the last row has come.
 *
 * Depends on server/pg.h, models/role.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "models/registry.h"
#include "models/role.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(mobilebert_registry_changed);

/* Bumped by invalidations; see the head of the file. */
static uint64 generation = 1;
static bool listening = false;
static TimestampTz heard_statement = 0;

/* The tables that conclusions are drawn from, each with the triggers. */
#define WATCHED 3
static const char *const watched_tables[WATCHED] = {
	"model", "model_grant", "task_default"
};
static Oid	watched[WATCHED];
static bool watching = false;	/* what is above and below is up to date */
static bool announced = false;	/* triggers tell of every change */

Oid
registry_relid(const char *table)
{
	Oid			schema = get_namespace_oid("mobilebert", true);
	Oid			relid = OidIsValid(schema) ?
		get_relname_relid(table, schema) : InvalidOid;

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("extension \"mobilebert\" is not installed in this database"),
				 errhint("Run CREATE EXTENSION mobilebert.")));
	return relid;
}

/* Roles that own models or may use them came, went or changed their name. */
static void
roles_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	(void) arg;
	(void) cacheid;
	(void) hashvalue;
	generation++;
}

static bool
is_watched(Oid relid)
{
	int			i;

	for (i = 0; i < WATCHED; i++)
		if (watched[i] == relid)
			return true;
	return false;
}

static void
relcache_changed(Datum arg, Oid relid)
{
	(void) arg;
	if (!OidIsValid(relid) || !watching || is_watched(relid))
	{
		generation++;
		watching = false;
	}
}

/* The kinds of changes that the registry's triggers on a table always report. */
static int
announced_changes(Relation table)
{
	const TriggerDesc *triggers = table->trigdesc;
	int			kinds = 0;
	int			i;

	for (i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];
		char	   *function = get_func_name(trigger->tgfoid);

		if (trigger->tgenabled != TRIGGER_FIRES_ALWAYS ||
			trigger->tgqual != NULL || trigger->tgnattr > 0 ||
			get_func_namespace(trigger->tgfoid) !=
			RelationGetNamespace(table) ||
			function == NULL || strcmp(function, "registry_changed") != 0)
			continue;
		if (TRIGGER_FOR_ROW(trigger->tgtype))
			kinds |= trigger->tgtype & (TRIGGER_TYPE_INSERT |
										TRIGGER_TYPE_UPDATE |
										TRIGGER_TYPE_DELETE);
		else
			kinds |= trigger->tgtype & TRIGGER_TYPE_TRUNCATE;
	}
	return kinds;
}

static void
watch_tables(void)
{
	uint64		before = generation;
	bool		all = true;
	int			i;

	announced = false;
	for (i = 0; i < WATCHED; i++)
	{
		Relation	table = table_open(registry_relid(watched_tables[i]),
									   AccessShareLock);

		watched[i] = RelationGetRelid(table);
		all = all && announced_changes(table) == (TRIGGER_TYPE_INSERT |
												  TRIGGER_TYPE_UPDATE |
												  TRIGGER_TYPE_DELETE |
												  TRIGGER_TYPE_TRUNCATE);
		table_close(table, AccessShareLock);
	}
	announced = all;
	/* unless a message came meanwhile */
	watching = generation == before;
}

uint64
registry_generation(void)
{
	if (!listening)
	{
		CacheRegisterRelcacheCallback(relcache_changed, (Datum) 0);
		CacheRegisterSyscacheCallback(AUTHOID, roles_changed, (Datum) 0);
		listening = true;
	}

	/*
	 * Messages arrive where a lock on a relation is taken.  A statement that
	 * only calls functions takes none after the first in its transaction, so
	 * listen once a statement.
	 */
	if (IsTransactionState() &&
		heard_statement != GetCurrentStatementStartTimestamp())
	{
		heard_statement = GetCurrentStatementStartTimestamp();
		AcceptInvalidationMessages();
		if (!announced)
			generation++;
	}
	if (!watching && IsTransactionState())
		watch_tables();
	return generation;
}

void
registry_look_again(void)
{
	AcceptInvalidationMessages();
	generation++;
}

bool
registry_announced(void)
{
	return announced;
}

Datum
mobilebert_registry_changed(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"registry_changed\" can only be called as a trigger")));
	CacheInvalidateRelcacheByRelid(registry_relid("model"));
	PG_RETURN_POINTER(NULL);
}

void
registry_hex(const uint8 *hash, char *hex)
{
	int			i;

	for (i = 0; i < PG_SHA256_DIGEST_LENGTH; i++)
		snprintf(hex + 2 * i, 3, "%02x", hash[i]);
}

Snapshot
registry_snapshot(void)
{
	return RegisterSnapshot(GetCatalogSnapshot(registry_relid("model")));
}

/*
 * A scan of one of our tables by the columns of one of its indexes, in index
 * order.  snapshot NULL: the newest.
 */
typedef struct RegistryScan
{
	Relation	table;
	Relation	index;
	SysScanDesc scan;
	Snapshot	own;			/* registered here, or NULL */
} RegistryScan;

static void
scan_begin(RegistryScan *scan, const char *table, const char *index,
		   Snapshot snapshot, int nkeys, ScanKey keys)
{
	scan->table = table_open(registry_relid(table), AccessShareLock);
	scan->index = index_open(registry_relid(index), AccessShareLock);
	scan->own = snapshot == NULL ? registry_snapshot() : NULL;
	scan->scan = systable_beginscan_ordered(scan->table, scan->index,
											snapshot ? snapshot : scan->own,
											nkeys, keys);
}

static HeapTuple
scan_next(RegistryScan *scan)
{
	return systable_getnext_ordered(scan->scan, ForwardScanDirection);
}

static void
scan_end(RegistryScan *scan)
{
	systable_endscan_ordered(scan->scan);
	if (scan->own != NULL)
		UnregisterSnapshot(scan->own);
	index_close(scan->index, AccessShareLock);
	table_close(scan->table, AccessShareLock);
}

static void
key_text(ScanKey key, AttrNumber column, const char *value)
{
	ScanKeyInit(key, column, BTEqualStrategyNumber, F_TEXTEQ,
				CStringGetTextDatum(value));
}

static void
key_uuid(ScanKey key, AttrNumber column, const pg_uuid_t *value)
{
	ScanKeyInit(key, column, BTEqualStrategyNumber, F_UUID_EQ,
				UUIDPGetDatum(value));
}

static Datum
hash_datum(const uint8 *hash)
{
	bytea	   *value = palloc(VARHDRSZ + PG_SHA256_DIGEST_LENGTH);

	SET_VARSIZE(value, VARHDRSZ + PG_SHA256_DIGEST_LENGTH);
	memcpy(VARDATA(value), hash, PG_SHA256_DIGEST_LENGTH);
	return PointerGetDatum(value);
}

static void
key_hash(ScanKey key, AttrNumber column, const uint8 *value)
{
	ScanKeyInit(key, column, BTEqualStrategyNumber, F_BYTEAEQ,
				hash_datum(value));
}

/* Columns of our tables never hold NULL where this is used. */
static Datum
column(RegistryScan *scan, HeapTuple tuple, AttrNumber number)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, number,
									 RelationGetDescr(scan->table), &isnull);

	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("column %d of table \"%s\" is null", number,
						RelationGetRelationName(scan->table))));
	return value;
}

static void
read_hash(Datum value, uint8 *hash)
{
	bytea	   *bytes = DatumGetByteaPP(value);

	if (VARSIZE_ANY_EXHDR(bytes) != PG_SHA256_DIGEST_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("a hash in the registry has %zu bytes instead of %d",
						(size_t) VARSIZE_ANY_EXHDR(bytes),
						PG_SHA256_DIGEST_LENGTH)));
	memcpy(hash, VARDATA_ANY(bytes), PG_SHA256_DIGEST_LENGTH);
}

/* Column numbers of mobilebert.model that are read here. */
enum
{
	MODEL_ID = 1,
	MODEL_NAME = 2,
	MODEL_OWNER = 3,
	MODEL_PRECISION = 4,
	MODEL_PARTS = 5,
	MODEL_TASK_BITS = 6,
	MODEL_MAX_TOKENS = 13,
	MODEL_MULTIPLY_ADDS = 15,
	MODEL_SHA256 = 18,
	MODEL_IMAGE_KEY = 19,
	MODEL_FILE_COUNT = 21,
	MODEL_TENSOR_COUNT = 22,
	MODEL_OWNER_OID = 23,
	MODEL_OWNER_CLUSTER = 24,
	MODEL_BASE_ID = 25
};

static void
read_grants(RegistryModel *model)
{
	RegistryScan scan;
	ScanKeyData key;
	HeapTuple	tuple;
	int			room = 0;

	key_uuid(&key, 1, &model->id);
	scan_begin(&scan, "model_grant", "model_grant_pkey", NULL, 1, &key);
	while ((tuple = scan_next(&scan)) != NULL)
	{
		char	   *name = NameStr(*DatumGetName(column(&scan, tuple, 2)));
		Oid			grantee;

		if (strcmp(name, "public") == 0)
		{
			model->public_use = true;
			continue;
		}
		grantee = role_meant(name,
							 DatumGetObjectId(column(&scan, tuple, 3)),
							 DatumGetInt64(column(&scan, tuple, 4)));
		if (!OidIsValid(grantee))
			continue;
		if (model->grantees_count == room)
		{
			room = room == 0 ? 8 : room * 2;
			model->grantees = model->grantees == NULL ?
				palloc(room * sizeof(Oid)) :
				repalloc(model->grantees, room * sizeof(Oid));
		}
		model->grantees[model->grantees_count++] = grantee;
	}
	scan_end(&scan);
}

static pg_uuid_t *
base_column(RegistryScan *scan, HeapTuple tuple)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, MODEL_BASE_ID,
									 RelationGetDescr(scan->table), &isnull);
	pg_uuid_t  *id;

	if (isnull)
		return NULL;
	id = palloc(sizeof(pg_uuid_t));
	*id = *DatumGetUUIDP(value);
	return id;
}

static RegistryModel *
find_row(const char *index, ScanKey key)
{
	RegistryScan scan;
	HeapTuple	tuple;
	RegistryModel *model = NULL;

	scan_begin(&scan, "model", index, NULL, 1, key);
	tuple = scan_next(&scan);
	if (tuple != NULL)
	{
		model = palloc0(sizeof(RegistryModel));
		model->id = *DatumGetUUIDP(column(&scan, tuple, MODEL_ID));
		model->name = TextDatumGetCString(column(&scan, tuple, MODEL_NAME));
		model->owner =
			role_meant(NameStr(*DatumGetName(column(&scan, tuple, MODEL_OWNER))),
					   DatumGetObjectId(column(&scan, tuple, MODEL_OWNER_OID)),
					   DatumGetInt64(column(&scan, tuple,
											MODEL_OWNER_CLUSTER)));
		model->precision =
			TextDatumGetCString(column(&scan, tuple, MODEL_PRECISION));
		model->parts = DatumGetUInt32(column(&scan, tuple, MODEL_PARTS));
		model->tasks = DatumGetUInt32(column(&scan, tuple, MODEL_TASK_BITS));
		model->max_tokens =
			DatumGetInt32(column(&scan, tuple, MODEL_MAX_TOKENS));
		model->multiply_adds =
			DatumGetInt64(column(&scan, tuple, MODEL_MULTIPLY_ADDS));
		model->file_count =
			DatumGetInt32(column(&scan, tuple, MODEL_FILE_COUNT));
		model->tensor_count =
			DatumGetInt32(column(&scan, tuple, MODEL_TENSOR_COUNT));
		read_hash(column(&scan, tuple, MODEL_SHA256), model->sha256);
		read_hash(column(&scan, tuple, MODEL_IMAGE_KEY), model->image_key);
		model->base_id = base_column(&scan, tuple);
	}
	scan_end(&scan);
	if (model != NULL)
		read_grants(model);
	return model;
}

/*
 * The model, and those under it.  Rows that somebody wrote by hand may go in a
 * circle, which ends as a base that is not there.
 */
static RegistryModel *
find_model(const char *index, ScanKey key)
{
	RegistryModel *model = find_row(index, key);
	RegistryModel *upper = model;
	int			depth;

	for (depth = 0; upper != NULL && upper->base_id != NULL &&
		 depth < REGISTRY_BASES_MAX; depth++)
	{
		ScanKeyData base;

		key_uuid(&base, MODEL_ID, upper->base_id);
		upper->base = find_row("model_pkey", &base);
		upper = upper->base;
	}
	return model;
}

RegistryModel *
registry_find(const char *name)
{
	ScanKeyData key;

	key_text(&key, MODEL_NAME, name);
	return find_model("model_name_key", &key);
}

RegistryModel *
registry_find_id(const pg_uuid_t *id)
{
	ScanKeyData key;

	key_uuid(&key, MODEL_ID, id);
	return find_model("model_pkey", &key);
}

/* Ids of models of a scan: those with a task, or all of them. */
static pg_uuid_t *
list_ids(RegistryScan *scan, uint32 task, int *count)
{
	int			room = 16;
	pg_uuid_t  *ids = palloc(room * sizeof(pg_uuid_t));
	HeapTuple	tuple;

	*count = 0;
	while ((tuple = scan_next(scan)) != NULL)
	{
		if (task != 0 &&
			(DatumGetUInt32(column(scan, tuple, MODEL_TASK_BITS)) & task) == 0)
			continue;
		if (*count == room)
		{
			room *= 2;
			ids = repalloc(ids, room * sizeof(pg_uuid_t));
		}
		ids[(*count)++] = *DatumGetUUIDP(column(scan, tuple, MODEL_ID));
	}
	scan_end(scan);
	return ids;
}

pg_uuid_t *
registry_with_task(uint32 task, int *count)
{
	RegistryScan scan;

	scan_begin(&scan, "model", "model_name_key", NULL, 0, NULL);
	return list_ids(&scan, task, count);
}

pg_uuid_t *
registry_standing_on(const pg_uuid_t *id, int *count)
{
	RegistryScan scan;
	ScanKeyData key;

	key_uuid(&key, MODEL_BASE_ID, id);
	scan_begin(&scan, "model", "model_base_id", NULL, 1, &key);
	return list_ids(&scan, 0, count);
}

bool
registry_has_image(const uint8 *image_key)
{
	RegistryScan scan;
	ScanKeyData key;
	bool		found;

	key_hash(&key, MODEL_IMAGE_KEY, image_key);
	scan_begin(&scan, "model", "model_image_key", NULL, 1, &key);
	found = scan_next(&scan) != NULL;
	scan_end(&scan);
	return found;
}

bool
registry_default(const char *task, pg_uuid_t *id)
{
	RegistryScan scan;
	ScanKeyData key;
	HeapTuple	tuple;

	key_text(&key, 1, task);
	scan_begin(&scan, "task_default", "task_default_pkey", NULL, 1, &key);
	tuple = scan_next(&scan);
	if (tuple != NULL)
		*id = *DatumGetUUIDP(column(&scan, tuple, 2));
	scan_end(&scan);
	return tuple != NULL;
}

void
registry_check_name(const char *name)
{
	if (name[0] == '\0' || pg_mbstrlen(name) > MOBILEBERT_NAME_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("the name of a model must have 1 to %d characters",
						MOBILEBERT_NAME_MAX)));
}

void
registry_name_is_free(const char *name)
{
	if (registry_find(name) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("model \"%s\" already exists", name),
				 errhint("Drop it with mobilebert.drop_model, or choose another name.")));
}

/* Rows of one of the tables whose index begins with the model's id. */
static int
count_rows(const char *table, const char *index, const pg_uuid_t *id,
		   Snapshot snapshot)
{
	RegistryScan scan;
	ScanKeyData key;
	int			count = 0;

	key_uuid(&key, 1, id);
	scan_begin(&scan, table, index, snapshot, 1, &key);
	while (scan_next(&scan) != NULL)
		count++;
	scan_end(&scan);
	return count;
}

static int
count_files(const RegistryModel *model, Snapshot snapshot)
{
	return count_rows("model_file", "model_file_pkey", &model->id, snapshot);
}

bool
registry_is_complete(const RegistryModel *model)
{
	return count_files(model, NULL) >= model->file_count &&
		count_rows("model_tensor", "model_tensor_pkey", &model->id,
				   NULL) >= model->tensor_count;
}

void
registry_incomplete(const RegistryModel *model, const char *detail)
{
	/* another session may have dropped it since its row was read */
	if (registry_find_id(&model->id) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("model \"%s\" does not exist", model->name)));
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("model \"%s\" is not complete in the registry",
					model->name),
			 errdetail("%s", detail),
			 errhint("It works as soon as the data of all tables of schema mobilebert is restored or replicated; where that is not to come, drop the model and import it again.")));
}

void
registry_check_files(const RegistryModel *model, Snapshot snapshot)
{
	int			count = count_files(model, snapshot);

	if (count < model->file_count)
		registry_incomplete(model,
							psprintf("%d of its %d files are there.",
									 count, model->file_count));
}

bytea *
registry_file(const pg_uuid_t *id, const char *file_name, Snapshot snapshot)
{
	RegistryScan scan;
	ScanKeyData keys[2];
	HeapTuple	tuple;
	bytea	   *content = NULL;

	key_uuid(&keys[0], 1, id);
	key_text(&keys[1], 2, file_name);
	scan_begin(&scan, "model_file", "model_file_pkey", snapshot, 2, keys);
	tuple = scan_next(&scan);
	if (tuple != NULL)
		content = DatumGetByteaPCopy(column(&scan, tuple, 3));
	scan_end(&scan);
	return content;
}

RegistryTensor *
registry_tensors(const RegistryModel *model, Snapshot snapshot, int *count)
{
	RegistryScan scan;
	ScanKeyData key;
	HeapTuple	tuple;
	int			room = 256;
	RegistryTensor *tensors = palloc(room * sizeof(RegistryTensor));

	*count = 0;
	key_uuid(&key, 1, &model->id);
	scan_begin(&scan, "model_tensor", "model_tensor_pkey", snapshot, 1, &key);
	while ((tuple = scan_next(&scan)) != NULL)
	{
		if (*count == room)
		{
			room *= 2;
			tensors = repalloc(tensors, room * sizeof(RegistryTensor));
		}
		tensors[*count].name = TextDatumGetCString(column(&scan, tuple, 2));
		tensors[*count].id = *DatumGetUUIDP(column(&scan, tuple, 3));
		(*count)++;
	}
	scan_end(&scan);
	if (*count < model->tensor_count)
		registry_incomplete(model,
							psprintf("%d of its %d tensors are there.",
									 *count, model->tensor_count));
	return tensors;
}

bool
registry_tensor_info(const pg_uuid_t *id, Snapshot snapshot,
					 RegistryTensorInfo *info)
{
	RegistryScan scan;
	ScanKeyData key;
	HeapTuple	tuple;
	char	   *dtype;
	ArrayType  *shape;
	int			i;

	key_uuid(&key, 1, id);
	scan_begin(&scan, "tensor", "tensor_pkey", snapshot, 1, &key);
	tuple = scan_next(&scan);
	if (tuple == NULL)
	{
		scan_end(&scan);
		return false;
	}
	read_hash(column(&scan, tuple, 2), info->sha256);
	dtype = TextDatumGetCString(column(&scan, tuple, 3));
	shape = DatumGetArrayTypePCopy(column(&scan, tuple, 4));
	info->bytes = (uint64) DatumGetInt64(column(&scan, tuple, 5));
	scan_end(&scan);

	info->dtype = mb_dtype_from_name(dtype);
	if (info->dtype == MB_DTYPE_OTHER || ARR_NDIM(shape) != 1 ||
		ARR_ELEMTYPE(shape) != INT8OID || ARR_HASNULL(shape) ||
		ARR_DIMS(shape)[0] < 1 || ARR_DIMS(shape)[0] > 2)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("a tensor in the registry has an impossible type or shape")));
	info->rank = ARR_DIMS(shape)[0];
	for (i = 0; i < (int) info->rank; i++)
		info->shape[i] = (uint64) ((int64 *) ARR_DATA_PTR(shape))[i];
	return true;
}

struct RegistryTensorReader
{
	RegistryScan scan;			/* of its chunks */
	int32		expected;		/* number of the next chunk */
	bool		gap;			/* another one came */
	bytea	   *copy;			/* the current chunk, if detoasted; or NULL */
	const char *at;				/* in the current chunk, not read yet */
	size_t		left;			/* bytes from there on */
};

RegistryTensorReader *
registry_tensor_open(const pg_uuid_t *id, Snapshot snapshot)
{
	RegistryTensorReader *reader = palloc0(sizeof(RegistryTensorReader));
	ScanKeyData key;

	key_uuid(&key, 1, id);
	scan_begin(&reader->scan, "tensor_chunk", "tensor_chunk_pkey", snapshot, 1,
			   &key);
	return reader;
}

/* Go on to the next chunk; false when there is none. */
static bool
next_chunk(RegistryTensorReader *reader)
{
	HeapTuple	tuple;
	Datum		stored;
	bytea	   *data;

	CHECK_FOR_INTERRUPTS();
	if (reader->copy != NULL)
		pfree(reader->copy);
	reader->copy = NULL;
	reader->left = 0;
	tuple = scan_next(&reader->scan);
	if (tuple == NULL)
		return false;
	if (DatumGetInt32(column(&reader->scan, tuple, 2)) != reader->expected++)
	{
		reader->gap = true;
		return false;
	}
	stored = column(&reader->scan, tuple, 3);
	data = DatumGetByteaPP(stored);
	if ((Pointer) data != DatumGetPointer(stored))
		reader->copy = data;
	reader->at = VARDATA_ANY(data);
	reader->left = VARSIZE_ANY_EXHDR(data);
	return true;
}

size_t
registry_tensor_read(RegistryTensorReader *reader, void *buffer, size_t size)
{
	size_t		got = 0;

	while (got < size)
	{
		size_t		some;

		if (reader->left == 0 && !next_chunk(reader))
			break;
		some = Min(size - got, reader->left);
		memcpy((char *) buffer + got, reader->at, some);
		got += some;
		reader->at += some;
		reader->left -= some;
	}
	return got;
}

bool
registry_tensor_at_end(RegistryTensorReader *reader)
{
	while (reader->left == 0)
	{
		if (!next_chunk(reader))
			return !reader->gap;
	}
	return false;
}

void
registry_tensor_close(RegistryTensorReader *reader)
{
	scan_end(&reader->scan);
	if (reader->copy != NULL)
		pfree(reader->copy);
	pfree(reader);
}
