/*-------------------------------------------------------------------------
 *
 * stats.c
 *	  What models have done since the server started: mobilebert.stat_models.
 *
 * Counters lie in shared memory, so they exist only where the library is
 * preloaded; elsewhere counting does nothing and the view says so.
 *
 * A model (of one database) has a slot.  Nothing here waits: counters are added
 * to with atomic operations, and who finds a slot half made by another process
 * goes on to the next one.  So a model may in rare cases have two slots; the view
 * adds them up.
 *
 * Slots of models that are no more, and those of databases that are no more, are
 * given back: by each session that sees that the registry changed, and by who
 * finds all taken.  A slot has a generation, by which processes that knew it as
 * another model's notice; they look for theirs again.  (What a process adds in
 * the very moment in which a slot is given back may count for the next model;
 * and counts of a model whose import has not been committed may be lost.)  When
 * all slots are taken further models are not counted, and the log and the view
 * say so.
 *
 * A reader does not stop writers, so the figures of a row need not be of the
 * same moment.
 *
 * Depends on server/pg.h, server/options.h, models/registry.h,
 * models/rights.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/options.h"
#include "models/registry.h"
#include "models/rights.h"
#include "models/stats.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(mobilebert_stat_models);
PG_FUNCTION_INFO_V1(mobilebert_stat_reset);

#define STAT_SLOTS 512

/* What a slot belongs to; no padding. */
typedef struct StatKey
{
	pg_uuid_t	model;
	Oid			database;
} StatKey;

/* States of a slot, which goes through them in a circle. */
enum
{
	SLOT_FREE,					/* all counters are 0 */
	SLOT_CLAIMED,				/* one process makes it ready or free */
	SLOT_READY
};

typedef struct StatSlot
{
	pg_atomic_uint32 state;
	pg_atomic_uint32 generation;	/* how often it was given back */
	StatKey		key;			/* when SLOT_READY; does not change then */
	pg_atomic_uint64 counters[STAT_COUNTERS];
} StatSlot;

typedef struct StatShared
{
	pg_atomic_uint64 since;		/* TimestampTz of start or reset */
	pg_atomic_uint32 full;		/* has the log been told that it is? */
	StatSlot	slots[STAT_SLOTS];
} StatShared;

/* What a process knows of a model's slot. */
struct MobilebertStats
{
	StatKey		key;
	StatSlot   *slot;			/* NULL: there was none */
	uint32		generation;		/* of the slot, when it was found */
};

static StatShared *shared = NULL;	/* NULL: not preloaded */
static shmem_startup_hook_type previous_startup = NULL;
#if PG_VERSION_NUM >= 150000
static shmem_request_hook_type previous_request = NULL;
#endif

#if PG_VERSION_NUM >= 150000
static void
stat_request(void)
{
	if (previous_request != NULL)
		previous_request();
	RequestAddinShmemSpace(sizeof(StatShared));
}
#endif

static void
stat_startup(void)
{
	bool		found;
	int			i;
	int			c;

	if (previous_startup != NULL)
		previous_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct("mobilebert statistics", sizeof(StatShared),
							 &found);
	if (!found)
	{
		memset(shared, 0, sizeof(StatShared));
		pg_atomic_init_u64(&shared->since, (uint64) GetCurrentTimestamp());
		pg_atomic_init_u32(&shared->full, 0);
		for (i = 0; i < STAT_SLOTS; i++)
		{
			pg_atomic_init_u32(&shared->slots[i].state, SLOT_FREE);
			pg_atomic_init_u32(&shared->slots[i].generation, 0);
			for (c = 0; c < STAT_COUNTERS; c++)
				pg_atomic_init_u64(&shared->slots[i].counters[c], 0);
		}
	}
	LWLockRelease(AddinShmemInitLock);
}

void
mobilebert_stats_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
#if PG_VERSION_NUM >= 150000
	previous_request = shmem_request_hook;
	shmem_request_hook = stat_request;
#else
	RequestAddinShmemSpace(sizeof(StatShared));
#endif
	previous_startup = shmem_startup_hook;
	shmem_startup_hook = stat_startup;
}

/* The key of a slot that is ready, and since when it is. */
static bool
slot_key(StatSlot *slot, StatKey *key, uint32 *generation)
{
	*generation = pg_atomic_read_u32(&slot->generation);
	pg_read_barrier();
	if (pg_atomic_read_u32(&slot->state) != SLOT_READY)
		return false;
	pg_read_barrier();
	*key = slot->key;
	pg_read_barrier();
	return pg_atomic_read_u32(&slot->generation) == *generation;
}

static bool
claim_slot(StatSlot *slot, uint32 state)
{
	return pg_atomic_compare_exchange_u32(&slot->state, &state, SLOT_CLAIMED);
}

/* Find the slot of stats->key, or make one; false: all are taken. */
static bool
find_slot(MobilebertStats *stats)
{
	uint32		first = hash_bytes((const unsigned char *) &stats->key,
								   sizeof(StatKey));
	StatKey		key;
	int			i;

	for (i = 0; i < STAT_SLOTS; i++)
	{
		stats->slot = &shared->slots[(first + i) % STAT_SLOTS];
		if (slot_key(stats->slot, &key, &stats->generation) &&
			memcmp(&key, &stats->key, sizeof(StatKey)) == 0)
			return true;
	}
	for (i = 0; i < STAT_SLOTS; i++)
	{
		stats->slot = &shared->slots[(first + i) % STAT_SLOTS];
		if (!claim_slot(stats->slot, SLOT_FREE))
			continue;
		stats->slot->key = stats->key;
		stats->generation = pg_atomic_read_u32(&stats->slot->generation);
		pg_write_barrier();
		pg_atomic_write_u32(&stats->slot->state, SLOT_READY);
		return true;
	}
	stats->slot = NULL;
	return false;
}

static void
release_slot(StatSlot *slot)
{
	int			c;

	if (!claim_slot(slot, SLOT_READY))
		return;
	(void) pg_atomic_fetch_add_u32(&slot->generation, 1);
	for (c = 0; c < STAT_COUNTERS; c++)
		pg_atomic_write_u64(&slot->counters[c], 0);
	pg_write_barrier();
	pg_atomic_write_u32(&slot->state, SLOT_FREE);
}

/* Another database's models cannot be seen from here. */
static bool
is_gone(const StatKey *key)
{
	if (key->database != MyDatabaseId)
		return !SearchSysCacheExists1(DATABASEOID,
									  ObjectIdGetDatum(key->database));
	return registry_find_id(&key->model) == NULL;
}

static void
release_slots(void)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "mobilebert statistics",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	StatKey		key;
	uint32		generation;
	int			i;

	for (i = 0; i < STAT_SLOTS; i++)
	{
		StatSlot   *slot = &shared->slots[i];

		CHECK_FOR_INTERRUPTS();
		if (slot_key(slot, &key, &generation) && is_gone(&key) &&
			pg_atomic_read_u32(&slot->generation) == generation)
			release_slot(slot);
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* What this transaction has dropped may come back. */
void
mobilebert_stats_clean(void)
{
	if (shared != NULL && !TransactionIdIsValid(GetTopTransactionIdIfAny()))
		release_slots();
}

MobilebertStats *
mobilebert_stats_of(const pg_uuid_t *model, MemoryContext context)
{
	MobilebertStats *stats;

	if (shared == NULL)
		return NULL;
	stats = MemoryContextAllocZero(context, sizeof(MobilebertStats));
	stats->key.model = *model;
	stats->key.database = MyDatabaseId;
	if (find_slot(stats))
		return stats;
	release_slots();
	if (!find_slot(stats) && pg_atomic_exchange_u32(&shared->full, 1) == 0)
		ereport(LOG,
				(errmsg("all %d slots of mobilebert.stat_models are taken",
						STAT_SLOTS),
				 errdetail("Calls of further models are not counted.")));
	return stats;
}

void
mobilebert_stats_add(MobilebertStats *stats, MobilebertCounter counter,
					 uint64 value)
{
	if (stats == NULL || stats->slot == NULL)
		return;
	if (pg_atomic_read_u32(&stats->slot->generation) != stats->generation &&
		!find_slot(stats))
		return;
	(void) pg_atomic_fetch_add_u64(&stats->slot->counters[counter],
								   (int64) value);
}

static void
require_shared(void)
{
	if (shared == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("mobilebert is not preloaded, so that nothing is counted"),
				 errhint("Add mobilebert to shared_preload_libraries and restart the server.")));
}

/*
 * stat_models_rows() -> (name, counters ..., since), a row for each slot of a
 * model of this database that the user may use
 */
Datum
mobilebert_stat_models(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	int			taken = 0;
	int			i;
	int			c;

	require_shared();
	mobilebert_srf_begin(fcinfo);
	for (i = 0; i < STAT_SLOTS; i++)
	{
		StatSlot   *slot = &shared->slots[i];
		StatKey		key;
		uint32		generation;
		RegistryModel *model;
		Datum		values[STAT_COUNTERS + 2];
		bool		nulls[STAT_COUNTERS + 2] = {false};

		if (!slot_key(slot, &key, &generation))
			continue;
		taken++;
		if (key.database != MyDatabaseId)
			continue;
		model = registry_find_id(&key.model);
		if (model == NULL || !rights_may_use(model))
			continue;
		values[0] = CStringGetTextDatum(model->name);
		for (c = 0; c < STAT_COUNTERS; c++)
			values[c + 1] =
				Int64GetDatum((int64) pg_atomic_read_u64(&slot->counters[c]));
		values[STAT_COUNTERS + 1] =
			TimestampTzGetDatum((TimestampTz) pg_atomic_read_u64(&shared->since));
		/* it may have become another model's in between */
		if (pg_atomic_read_u32(&slot->generation) == generation)
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values,
								 nulls);
	}
	if (taken == STAT_SLOTS)
		ereport(WARNING,
				(errcode(ERRCODE_WARNING),
				 errmsg("all %d slots of mobilebert.stat_models are taken",
						STAT_SLOTS),
				 errdetail("Calls of further models, of all databases, are not counted."),
				 errhint("Drop models that are not needed.")));
	else
		pg_atomic_write_u32(&shared->full, 0);
	return (Datum) 0;
}

/* stat_reset(): all counters of all databases to 0 */
Datum
mobilebert_stat_reset(PG_FUNCTION_ARGS)
{
	int			i;
	int			c;

	(void) fcinfo;
	require_shared();
	for (i = 0; i < STAT_SLOTS; i++)
	{
		for (c = 0; c < STAT_COUNTERS; c++)
			pg_atomic_write_u64(&shared->slots[i].counters[c], 0);
	}
	pg_atomic_write_u64(&shared->since, (uint64) GetCurrentTimestamp());
	PG_RETURN_VOID();
}
