/*-------------------------------------------------------------------------
 *
 * manage.c
 *	  Dropping, renaming, granting and choosing registered models.
 *
 * Depends on server/pg.h, server/options.h, models/model_cache.h,
 * models/registry.h, models/registry_write.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/options.h"
#include "models/model_cache.h"
#include "models/registry.h"
#include "models/registry_write.h"

#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

static char *
required(FunctionCallInfo fcinfo, int argument, const char *what)
{
	if (!ARG_IS_GIVEN(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", what)));
	return text_to_cstring(PG_GETARG_TEXT_PP(argument));
}

/* The model of that name, which the current user must own. */
static RegistryModel *
owned_model(const char *name)
{
	RegistryModel *model = registry_find(name);

	if (model == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("model \"%s\" does not exist", name)));
	if (!registry_owned_by(model, GetUserId()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of model \"%s\"", name)));
	return model;
}

/*
 * The same, locked; and new_name, unless that is NULL, which must be free.  The
 * first look is for those who may not lock the name; the second for those who
 * waited, while another model, of another owner, was put under it.
 */
static RegistryModel *
lock_owned(const char *what, const char *name, const char *new_name)
{
	RegistryModel *model = owned_model(name);

	if (new_name != NULL)
		registry_name_is_free(new_name);
	registry_lock(what, name, new_name);
	model = owned_model(name);
	if (new_name != NULL)
		registry_name_is_free(new_name);
	return model;
}

/*
 * Run a statement on a model that the caller owns: $1 is its id.  It is going
 * to be called new_name, unless that is NULL.
 */
static void
change_model(const char *what, const char *name, const char *new_name,
			 const char *sql, int count, Oid *types, Datum *values)
{
	RegistryModel *model = lock_owned(what, name, new_name);
	RegistryWrite write;

	types[0] = UUIDOID;
	values[0] = UUIDPGetDatum(&model->id);
	registry_write_begin(&write, what);
	registry_execute(sql, count, types, values, NULL);
	registry_write_end(&write);
}

PG_FUNCTION_INFO_V1(mobilebert_drop_model);
Datum
mobilebert_drop_model(PG_FUNCTION_ARGS)
{
	static const char *const deletes[] = {
		"DELETE FROM mobilebert.model WHERE id = $1",
		"DELETE FROM mobilebert.model_file WHERE model_id = $1",
		"DELETE FROM mobilebert.model_tensor WHERE model_id = $1",
		"DELETE FROM mobilebert.model_grant WHERE model_id = $1",
		"DELETE FROM mobilebert.task_default WHERE model_id = $1"
	};
	RegistryModel *model = lock_owned("drop_model()",
									  required(fcinfo, 0, "the name of a model"),
									  NULL);
	RegistryWrite write;
	Oid			types[1] = {UUIDOID};
	Datum		values[1];
	int			i;

	values[0] = UUIDPGetDatum(&model->id);
	registry_write_begin(&write, "drop_model()");
	for (i = 0; i < (int) lengthof(deletes); i++)
		registry_execute(deletes[i], 1, types, values, NULL);
	registry_write_end(&write);
	registry_collect();
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(mobilebert_rename_model);
Datum
mobilebert_rename_model(PG_FUNCTION_ARGS)
{
	char	   *old_name = required(fcinfo, 0, "the name of a model");
	char	   *new_name = required(fcinfo, 1, "the new name of a model");
	Oid			types[2] = {UUIDOID, TEXTOID};
	Datum		values[2];

	registry_check_name(new_name);
	values[1] = CStringGetTextDatum(new_name);
	change_model("rename_model()", old_name, new_name,
				 "UPDATE mobilebert.model SET name = $2 WHERE id = $1",
				 2, types, values);
	PG_RETURN_VOID();
}

/* The name of an existing role, or public, as a name datum. */
static Datum
role_argument(FunctionCallInfo fcinfo)
{
	char	   *name = required(fcinfo, 1, "the name of a role");

	if (strcmp(name, "public") != 0)
		(void) get_role_oid(name, false);
	return DirectFunctionCall1(namein, CStringGetDatum(name));
}

PG_FUNCTION_INFO_V1(mobilebert_grant_model);
Datum
mobilebert_grant_model(PG_FUNCTION_ARGS)
{
	char	   *name = required(fcinfo, 0, "the name of a model");
	Oid			types[2] = {UUIDOID, NAMEOID};
	Datum		values[2];

	values[1] = role_argument(fcinfo);
	change_model("grant_model()", name, NULL,
				 "INSERT INTO mobilebert.model_grant (model_id, grantee) "
				 "VALUES ($1, $2) ON CONFLICT DO NOTHING", 2, types, values);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(mobilebert_revoke_model);
Datum
mobilebert_revoke_model(PG_FUNCTION_ARGS)
{
	char	   *name = required(fcinfo, 0, "the name of a model");
	char	   *role = required(fcinfo, 1, "the name of a role");
	Oid			types[2] = {UUIDOID, NAMEOID};
	Datum		values[2];

	/* a role that is gone may still have its grant taken back */
	values[1] = DirectFunctionCall1(namein, CStringGetDatum(role));
	change_model("revoke_model()", name, NULL,
				 "DELETE FROM mobilebert.model_grant "
				 "WHERE model_id = $1 AND grantee = $2", 2, types, values);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(mobilebert_set_default_model);
Datum
mobilebert_set_default_model(PG_FUNCTION_ARGS)
{
	mb_task		task = mobilebert_task(required(fcinfo, 0, "the task"));
	const RegistryModel *model = NULL;
	RegistryWrite write;
	Oid			types[2] = {TEXTOID, UUIDOID};
	Datum		values[2];

	if (!has_privs_of_role(GetUserId(), ROLE_PG_DATABASE_OWNER))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of the database to set its default models"),
				 errhint("The setting mobilebert.default_model chooses for one session.")));
	PreventCommandIfReadOnly("set_default_model()");
	if (ARG_IS_GIVEN(1))
	{
		text	   *name = PG_GETARG_TEXT_PP(1);

		/* as in lock_owned() */
		(void) mobilebert_model_row(name, task);
		registry_lock("set_default_model()", text_to_cstring(name), NULL);
		model = mobilebert_model_row(name, task);
	}
	values[0] = CStringGetTextDatum(mb_task_name(task));
	registry_write_begin(&write, "set_default_model()");
	if (model == NULL)
		registry_execute("DELETE FROM mobilebert.task_default WHERE task = $1",
						 1, types, values, NULL);
	else
	{
		values[1] = UUIDPGetDatum(&model->id);
		registry_execute("INSERT INTO mobilebert.task_default "
						 "(task, model_id) VALUES ($1, $2) "
						 "ON CONFLICT (task) DO UPDATE "
						 "SET model_id = EXCLUDED.model_id",
						 2, types, values, NULL);
	}
	registry_write_end(&write);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(mobilebert_default_model_name);
Datum
mobilebert_default_model_name(PG_FUNCTION_ARGS)
{
	char	   *name;

	if (!ARG_IS_GIVEN(0))
		PG_RETURN_NULL();
	name = mobilebert_default_name(mobilebert_task(text_to_cstring(PG_GETARG_TEXT_PP(0))));
	if (name == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(name));
}
