/*-------------------------------------------------------------------------
 *
 * module.c
 *	  Loading of the library.
 *
 * Nothing needs preloading but the counters of stats.c: a backend that calls a
 * function loads the library, defines the settings, registers what the caches
 * listen to, and looks at plans from then on (batch_plan.c).  Parallel workers
 * load it before they read theirs.
 *
 * Depends on server/pg.h, server/client_warning.h, server/guc.h,
 * models/model_cache.h, models/stats.h, pass/result_cache.h,
 * planner/batch_plan.h, planner/batch_scan.h, planner/support.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/client_warning.h"
#include "server/guc.h"
#include "models/model_cache.h"
#include "models/stats.h"
#include "pass/result_cache.h"
#include "planner/batch_plan.h"
#include "planner/batch_scan.h"
#include "planner/support.h"

#ifdef PG_MODULE_MAGIC_EXT
PG_MODULE_MAGIC_EXT(.name = "mobilebert",.version = MOBILEBERT_VERSION);
#else
PG_MODULE_MAGIC;
#endif

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	mobilebert_guc_init();
	mobilebert_client_warning_init();
	mobilebert_model_cache_init();
	mobilebert_result_cache_init();
	mobilebert_support_init();
	mobilebert_batch_scan_init();
	mobilebert_batch_plan_init();
	mobilebert_stats_init();
}
