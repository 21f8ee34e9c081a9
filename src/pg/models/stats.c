/*-------------------------------------------------------------------------
 *
 * stats.c
 *	  What models have done since the server started: mobilebert.stat_models.
 *
 * Counters lie in shared memory, so they exist only where the library is
 * preloaded; elsewhere counting does nothing and the view says so.
 *
 * A model (of one database) has a slot, found by hash and linear probing, and
 * a slot is never given back.  Nothing here waits: counters are added to with
 * atomic operations, and who finds a slot half made by another process goes on
 * to the next one.  So a model may in rare cases have two slots; the view adds
 * them up.  When all slots are taken further models are not counted.
 *
 * A reader does not stop writers, so the figures of a row need not be of the
 * same moment.
 *
 * Depends on server/pg.h, server/options.h, models/registry.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/options.h"
#include "models/registry.h"
#include "models/stats.h"

#include "common/hashfn.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
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

/* States of a slot; it goes from one to the next only. */
enum
{
	SLOT_FREE,
	SLOT_CLAIMED,				/* its key is being written */
	SLOT_READY
};

struct MobilebertStats
{
	pg_atomic_uint32 state;
	StatKey		key;			/* when SLOT_READY; never changes then */
	pg_atomic_uint64 counters[STAT_COUNTERS];
};

typedef struct StatShared
{
	pg_atomic_uint64 since;		/* TimestampTz of start or reset */
	MobilebertStats slots[STAT_SLOTS];
} StatShared;

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
		for (i = 0; i < STAT_SLOTS; i++)
		{
			pg_atomic_init_u32(&shared->slots[i].state, SLOT_FREE);
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

/* Is it ours, or can we make it so? */
static bool
take_slot(MobilebertStats *slot, const StatKey *key)
{
	uint32		state = SLOT_FREE;

	if (pg_atomic_compare_exchange_u32(&slot->state, &state, SLOT_CLAIMED))
	{
		slot->key = *key;
		pg_write_barrier();
		pg_atomic_write_u32(&slot->state, SLOT_READY);
		return true;
	}
	if (state != SLOT_READY)
		return false;
	pg_read_barrier();
	return memcmp(&slot->key, key, sizeof(StatKey)) == 0;
}

MobilebertStats *
mobilebert_stats_of(const pg_uuid_t *model)
{
	StatKey		key;
	uint32		first;
	int			i;

	if (shared == NULL)
		return NULL;
	key.model = *model;
	key.database = MyDatabaseId;
	first = hash_bytes((const unsigned char *) &key, sizeof(key));
	for (i = 0; i < STAT_SLOTS; i++)
	{
		MobilebertStats *slot = &shared->slots[(first + i) % STAT_SLOTS];

		if (take_slot(slot, &key))
			return slot;
	}
	return NULL;
}

void
mobilebert_stats_add(MobilebertStats *stats, MobilebertCounter counter,
					 uint64 value)
{
	if (stats != NULL)
		(void) pg_atomic_fetch_add_u64(&stats->counters[counter],
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
	int			i;
	int			c;

	require_shared();
	mobilebert_srf_begin(fcinfo);
	for (i = 0; i < STAT_SLOTS; i++)
	{
		MobilebertStats *slot = &shared->slots[i];
		RegistryModel *model;
		Datum		values[STAT_COUNTERS + 2];
		bool		nulls[STAT_COUNTERS + 2] = {false};

		if (pg_atomic_read_u32(&slot->state) != SLOT_READY)
			continue;
		pg_read_barrier();
		if (slot->key.database != MyDatabaseId)
			continue;
		model = registry_find_id(&slot->key.model);
		if (model == NULL || !registry_may_use(model))
			continue;
		values[0] = CStringGetTextDatum(model->name);
		for (c = 0; c < STAT_COUNTERS; c++)
			values[c + 1] =
				Int64GetDatum((int64) pg_atomic_read_u64(&slot->counters[c]));
		values[STAT_COUNTERS + 1] =
			TimestampTzGetDatum((TimestampTz) pg_atomic_read_u64(&shared->since));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
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
