/*-------------------------------------------------------------------------
 *
 * registry_write.c
 *	  Changing the registry's tables.
 *
 * Through SPI as the tables' owner with search_path pg_catalog, one writer at a
 * time (a SHARE ROW EXCLUSIVE lock on mobilebert.model), so that no tensor is
 * collected while another import is about to share it.
 *
 * The tables do not reference each other (registry.c): what belongs to a model
 * is removed here when the model is dropped, and with it whatever else belongs
 * to none, such as the rest of a restore that failed.
 *
 * Depends on server/pg.h, models/registry.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "models/registry.h"
#include "models/registry_write.h"

#include "access/table.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/rel.h"

void
registry_write_begin(RegistryWrite *write, const char *what)
{
	Relation	model;
	Oid			owner;

	PreventCommandIfReadOnly(what);
	PreventCommandIfParallelMode(what);
	model = table_open(registry_relid("model"), ShareRowExclusiveLock);
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

uint64
registry_execute(const char *sql, int count, const Oid *types,
				 const Datum *values, const char *nulls)
{
	int			result = SPI_execute_with_args(sql, count,
											   unconstify(Oid *, types),
											   unconstify(Datum *, values),
											   nulls, false, 0);

	if (result < 0)
		elog(ERROR, "SPI_execute_with_args failed: %s",
			 SPI_result_code_string(result));
	return SPI_processed;
}

void
registry_collect(void)
{
	static const char *const of_models[] = {
		"model_file", "model_tensor", "model_grant", "task_default"
	};
	int			i;

	for (i = 0; i < (int) lengthof(of_models); i++)
		registry_execute(psprintf("DELETE FROM mobilebert.%s r WHERE NOT EXISTS "
								  "(SELECT FROM mobilebert.model m "
								  "WHERE m.id = r.model_id)", of_models[i]),
						 0, NULL, NULL, NULL);
	registry_execute("DELETE FROM mobilebert.tensor t WHERE NOT EXISTS "
					 "(SELECT FROM mobilebert.model_tensor p "
					 "WHERE p.tensor_id = t.id)",
					 0, NULL, NULL, NULL);
	registry_execute("DELETE FROM mobilebert.tensor_chunk c WHERE NOT EXISTS "
					 "(SELECT FROM mobilebert.tensor t "
					 "WHERE t.id = c.tensor_id)",
					 0, NULL, NULL, NULL);
}
