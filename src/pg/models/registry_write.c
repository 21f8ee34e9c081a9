/*-------------------------------------------------------------------------
 *
 * registry_write.c
 *	  Changing the registry's tables.
 *
 * Through SPI as the tables' owner with search_path pg_catalog.  Each statement
 * sees the newest state, as commands on the server's own catalogs do, in a
 * REPEATABLE READ transaction as well: what is decided under a lock must not
 * rest on what was true before it.
 *
 * Who waits for whom.  A transaction may change a model and then stay open for
 * hours, so only those that change the same model wait for it: registry_lock()
 * locks a name.  (Names, because a model that is being imported has nothing
 * else yet.)  An ordinary role can lock only names of its own or free ones, for
 * rights are checked before the lock is asked for; the lock's key is 64 bits of
 * the name's SHA-256, so that nobody finds a name which locks another one.
 * Making a model of another one's tensors (a variant, a base) needs no right to
 * change that one: it waits for those who do, but nobody waits for it
 * (registry_wait()).
 *
 * Tensors are shared by models of owners who know nothing of each other, so
 * nobody waits for a tensor either:
 *
 * - An import shares a tensor that it can lock FOR KEY SHARE at once, and else
 *	 stores a copy (import_store.c).  Imports of the same weights at the same
 *	 time do not see each other's tensors and store them twice.
 * - Tensors that no model uses are removed in the last moment of a
 *	 transaction that dropped models.  It locks those that it can lock FOR
 *	 UPDATE at once, which no import is about to share then, looks again
 *	 whether one has, and removes the others.
 * - Two transactions that drop the two models which share a tensor each see
 *	 the other's model until it is committed.  So those last moments go one
 *	 after the other, under a lock that is held no longer than a commit takes.
 *
 * What an import held that is then rolled back, or had in a copy, is left for
 * the next drop.
 *
 * The tables do not reference each other (registry.c): rows of a model that a
 * restore did not bring whole are removed in the same way.
 *
 * Depends on server/pg.h, models/registry.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "models/registry.h"
#include "models/registry_write.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "common/cryptohash.h"
#include "common/sha2.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Classes of advisory locks that SQL cannot take: it has 1 and 2, images 7. */
#define LOCK_NAME 8
#define LOCK_COLLECT 9

static bool collect_at_commit = false;

typedef struct NameKey
{
	uint32		high;
	uint32		low;
} NameKey;

static NameKey
name_key(const char *name)
{
	pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);
	uint8		result[PG_SHA256_DIGEST_LENGTH];
	NameKey		key;

	if (hash == NULL || pg_cryptohash_init(hash) < 0 ||
		pg_cryptohash_update(hash, (const uint8 *) name, strlen(name)) < 0 ||
		pg_cryptohash_final(hash, result, sizeof(result)) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not compute a SHA-256 hash")));
	pg_cryptohash_free(hash);
	memcpy(&key, result, sizeof(key));
	return key;
}

static void
acquire(NameKey key, uint16 class)
{
	LOCKTAG		lock;

	SET_LOCKTAG_ADVISORY(lock, MyDatabaseId, key.high, key.low, class);
	(void) LockAcquire(&lock, ExclusiveLock, false, false);
}

void
registry_wait(const char *name)
{
	NameKey		key = name_key(name);
	LOCKTAG		lock;

	SET_LOCKTAG_ADVISORY(lock, MyDatabaseId, key.high, key.low, LOCK_NAME);
	(void) LockAcquire(&lock, ShareLock, false, false);
	(void) LockRelease(&lock, ShareLock, false);
	registry_look_again();
}

void
registry_lock(const char *what, const char *name, const char *other_name)
{
	NameKey		first = name_key(name);

	PreventCommandIfReadOnly(what);
	PreventCommandIfParallelMode(what);
	if (other_name != NULL)
	{
		NameKey		second = name_key(other_name);

		/* in the same order everywhere, so that no two wait for each other */
		if (memcmp(&second, &first, sizeof(NameKey)) < 0)
		{
			acquire(second, LOCK_NAME);
			acquire(first, LOCK_NAME);
		}
		else
		{
			acquire(first, LOCK_NAME);
			acquire(second, LOCK_NAME);
		}
	}
	else
		acquire(first, LOCK_NAME);
	registry_look_again();
}

void
registry_write_begin(RegistryWrite *write, const char *what)
{
	Relation	model;
	Oid			owner;

	PreventCommandIfReadOnly(what);
	PreventCommandIfParallelMode(what);
	model = table_open(registry_relid("model"), RowExclusiveLock);
	owner = model->rd_rel->relowner;
	table_close(model, NoLock);

	GetUserIdAndSecContext(&write->user, &write->security);
	write->guc_level = NewGUCNestLevel();
	SetUserIdAndSecContext(owner, write->security |
						   SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_NOFORCE_RLS);
	(void) set_config_option("search_path", "pg_catalog, pg_temp",
							 PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

void
registry_write_end(RegistryWrite *write)
{
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
	AtEOXact_GUC(false, write->guc_level);
	SetUserIdAndSecContext(write->user, write->security);
}

SPIPlanPtr
registry_prepare(const char *sql, int count, const Oid *types)
{
	SPIPlanPtr	plan = SPI_prepare(sql, count, unconstify(Oid *, types));

	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s",
			 SPI_result_code_string(SPI_result));
	return plan;
}

uint64
registry_run(SPIPlanPtr plan, const Datum *values, const char *nulls)
{
	int			result = SPI_execute_snapshot(plan,
											  unconstify(Datum *, values),
											  nulls, GetLatestSnapshot(),
											  InvalidSnapshot, false, true, 0);

	if (result < 0)
		elog(ERROR, "SPI_execute_snapshot failed: %s",
			 SPI_result_code_string(result));
	return SPI_processed;
}

uint64
registry_execute(const char *sql, int count, const Oid *types,
				 const Datum *values, const char *nulls)
{
	SPIPlanPtr	plan = registry_prepare(sql, count, types);
	uint64		processed = registry_run(plan, values, nulls);

	SPI_freeplan(plan);
	return processed;
}

/* Remove rows of a table that have no row of another one to belong to. */
static void
remove_orphans(const char *table, const char *column, const char *owner)
{
	registry_execute(psprintf("DELETE FROM mobilebert.%s WHERE ctid = ANY (ARRAY("
							  "SELECT r.ctid FROM mobilebert.%s r WHERE NOT EXISTS "
							  "(SELECT FROM mobilebert.%s o WHERE o.id = r.%s) "
							  "FOR UPDATE OF r SKIP LOCKED))",
							  table, table, owner, column),
					 0, NULL, NULL, NULL);
}

static void
remove_tensors(void)
{
	Oid			types[] = {UUIDARRAYOID};
	Datum		values[1];
	bool		isnull;

	registry_execute("SELECT array_agg(id) FROM (SELECT t.id "
					 "FROM mobilebert.tensor t WHERE NOT EXISTS "
					 "(SELECT FROM mobilebert.model_tensor p "
					 "WHERE p.tensor_id = t.id) "
					 "FOR UPDATE OF t SKIP LOCKED) unused",
					 0, NULL, NULL, NULL);
	values[0] = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
							  &isnull);
	if (isnull)
		return;
	/* an import may have committed between the first look and the locks */
	registry_execute("DELETE FROM mobilebert.tensor t WHERE t.id = ANY ($1) "
					 "AND NOT EXISTS (SELECT FROM mobilebert.model_tensor p "
					 "WHERE p.tensor_id = t.id)",
					 1, types, values, NULL);
}

static void
collect(void)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "mobilebert collect",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	RegistryWrite write;

	registry_write_begin(&write, "drop_model()");
	remove_orphans("model_file", "model_id", "model");
	remove_orphans("model_tensor", "model_id", "model");
	remove_orphans("model_grant", "model_id", "model");
	remove_orphans("task_default", "model_id", "model");
	remove_tensors();
	remove_orphans("tensor_chunk", "tensor_id", "tensor");
	registry_write_end(&write);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* The extension may have been dropped since. */
static bool
may_collect(void)
{
	Oid			schema = get_namespace_oid("mobilebert", true);

	return OidIsValid(schema) && !XactReadOnly &&
		OidIsValid(get_relname_relid("model", schema));
}

static void
transaction_ends(XactEvent event, void *arg)
{
	NameKey		none = {0, 0};

	(void) arg;
	if (!collect_at_commit)
		return;
	collect_at_commit = false;
	if (event != XACT_EVENT_PRE_COMMIT && event != XACT_EVENT_PRE_PREPARE)
		return;
	if (!may_collect())
		return;
	/* a prepared transaction would keep the lock as long as it likes */
	if (event == XACT_EVENT_PRE_COMMIT)
		acquire(none, LOCK_COLLECT);
	PushActiveSnapshot(GetLatestSnapshot());
	collect();
	PopActiveSnapshot();
}

void
registry_collect(void)
{
	static bool registered = false;

	if (!registered)
		RegisterXactCallback(transaction_ends, NULL);
	registered = true;
	collect_at_commit = true;
}
