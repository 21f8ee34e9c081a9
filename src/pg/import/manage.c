/*-------------------------------------------------------------------------
 *
 * manage.c
 *	  Dropping, renaming, granting, giving and choosing registered models.
 *
 * Depends on server/pg.h, server/adapt.h, server/options.h,
 * models/model_cache.h, models/registry.h, models/registry_write.h,
 * models/rights.h, models/role.h, import/dependants.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/options.h"
#include "models/model_cache.h"
#include "models/registry.h"
#include "models/registry_write.h"
#include "models/rights.h"
#include "models/role.h"
#include "import/dependants.h"

#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
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
	if (!rights_owned_by(model, GetUserId()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of model \"%s\"", name),
				 rights_owner_hint(model)));
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

/* The same, with the registry open for writing. */
static RegistryModel *
change_begin(RegistryWrite *write, const char *what, const char *name,
			 const char *new_name)
{
	RegistryModel *model = lock_owned(what, name, new_name);

	registry_write_begin(write, what);
	return model;
}

/*
 * A model is to be dropped: those of the same owner that stand on it will stand
 * on what it stands on, or on their own.  Others keep their tensors but not the
 * right to them, which was this owner's to give.
 */
static void
leave_those_above(const RegistryModel *model)
{
	Oid			types[2] = {UUIDOID, UUIDOID};
	Datum		values[2];
	char		nulls[2] = {' ', model->base_id != NULL ? ' ' : 'n'};
	StringInfoData own;
	StringInfoData others;
	int			count;
	pg_uuid_t  *above = registry_standing_on(&model->id, &count);
	int			i;

	initStringInfo(&own);
	initStringInfo(&others);
	for (i = 0; i < count; i++)
	{
		RegistryModel *upper = registry_find_id(&above[i]);

		if (upper == NULL)
			continue;
		if (!OidIsValid(model->owner) || upper->owner != model->owner)
		{
			mobilebert_list_name(&others, upper->name);
			continue;
		}
		mobilebert_list_name(&own, upper->name);
		values[0] = UUIDPGetDatum(&upper->id);
		values[1] = model->base_id != NULL ?
			UUIDPGetDatum(model->base_id) : (Datum) 0;
		registry_execute("UPDATE mobilebert.model SET base_id = $2 "
						 "WHERE id = $1", 2, types, values, nulls);
	}
	if (own.len > 0)
		ereport(NOTICE,
				(errmsg("models stand on model \"%s\": %s", model->name, own.data),
				 errdetail("They keep its tensors and go on without it.")));
	if (others.len > 0)
		ereport(NOTICE,
				(errmsg("models of other owners stand on model \"%s\": %s",
						model->name, others.data),
				 errdetail("From now on only superusers may use them.")));
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
	RegistryWrite write;
	RegistryModel *model = change_begin(&write, "drop_model()",
										required(fcinfo, 0, "the name of a model"),
										NULL);
	Oid			types[1] = {UUIDOID};
	Datum		values[1];
	int			i;

	dependants_warn(model->name);
	leave_those_above(model);
	values[0] = UUIDPGetDatum(&model->id);
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
	RegistryWrite write;
	RegistryModel *model;
	Oid			types[2] = {UUIDOID, TEXTOID};
	Datum		values[2];

	registry_check_name(new_name);
	model = change_begin(&write, "rename_model()", old_name, new_name);
	dependants_warn(old_name);
	values[0] = UUIDPGetDatum(&model->id);
	values[1] = CStringGetTextDatum(new_name);
	registry_execute("UPDATE mobilebert.model SET name = $2 WHERE id = $1",
					 2, types, values, NULL);
	registry_write_end(&write);
	PG_RETURN_VOID();
}

static Datum
name_datum(const char *name)
{
	return DirectFunctionCall1(namein, CStringGetDatum(name));
}

/*
 * Give the rows of grantees that were renamed their names of today, so that a
 * name stands for one role: the one that is called so, if there is one.
 */
static void
rename_grantees(const RegistryModel *model)
{
	Oid			types[3] = {UUIDOID, OIDARRAYOID, INT8OID};
	Datum		values[3];
	bool		isnull;

	values[0] = UUIDPGetDatum(&model->id);
	registry_execute("SELECT array_agg(grantee_oid) "
					 "FROM mobilebert.model_grant WHERE model_id = $1 "
					 "AND mobilebert.role_now(grantee, grantee_oid, "
					 "grantee_cluster) <> grantee",
					 1, types, values, NULL);
	values[1] = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
							  &isnull);
	if (isnull)
		return;
	values[2] = Int64GetDatum(role_cluster());
	registry_execute("DELETE FROM mobilebert.model_grant WHERE model_id = $1 "
					 "AND mobilebert.role_now(grantee, grantee_oid, "
					 "grantee_cluster) <> grantee",
					 1, types, values, NULL);
	registry_execute("INSERT INTO mobilebert.model_grant "
					 "(model_id, grantee, grantee_oid, grantee_cluster) "
					 "SELECT $1, rolname, oid, $3 FROM pg_authid "
					 "WHERE oid = ANY ($2) "
					 "ON CONFLICT (model_id, grantee) DO UPDATE "
					 "SET grantee_oid = EXCLUDED.grantee_oid, "
					 "grantee_cluster = EXCLUDED.grantee_cluster",
					 3, types, values, NULL);
}

/* Say so where a right to a model is not enough to use it. */
static void
note_obstacle(const RegistryModel *model, Oid role, Oid user)
{
	char	   *obstacle = rights_obstacle(model, role, user);

	if (obstacle != NULL)
		ereport(NOTICE,
				(errmsg("the right to model \"%s\" is not enough to use it",
						model->name),
				 errdetail("%s.", obstacle)));
}

PG_FUNCTION_INFO_V1(mobilebert_grant_model);
Datum
mobilebert_grant_model(PG_FUNCTION_ARGS)
{
	char	   *name = required(fcinfo, 0, "the name of a model");
	char	   *role = required(fcinfo, 1, "the name of a role");
	Oid			grantee = InvalidOid;
	RegistryWrite write;
	RegistryModel *model;
	Oid			types[4] = {UUIDOID, NAMEOID, OIDOID, INT8OID};
	Datum		values[4];

	if (strcmp(role, "public") != 0)
		grantee = get_role_oid(role, false);
	model = change_begin(&write, "grant_model()", name, NULL);
	rename_grantees(model);
	values[0] = UUIDPGetDatum(&model->id);
	values[1] = name_datum(role);
	values[2] = ObjectIdGetDatum(grantee);
	values[3] = Int64GetDatum(role_cluster());
	registry_execute("INSERT INTO mobilebert.model_grant "
					 "(model_id, grantee, grantee_oid, grantee_cluster) "
					 "VALUES ($1, $2, $3, $4) "
					 "ON CONFLICT (model_id, grantee) DO UPDATE "
					 "SET grantee_oid = EXCLUDED.grantee_oid, "
					 "grantee_cluster = EXCLUDED.grantee_cluster",
					 4, types, values, NULL);
	note_obstacle(model, grantee, write.user);
	registry_write_end(&write);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(mobilebert_revoke_model);
Datum
mobilebert_revoke_model(PG_FUNCTION_ARGS)
{
	char	   *name = required(fcinfo, 0, "the name of a model");
	char	   *role = required(fcinfo, 1, "the name of a role");
	RegistryWrite write;
	RegistryModel *model = change_begin(&write, "revoke_model()", name, NULL);
	Oid			types[2] = {UUIDOID, NAMEOID};
	Datum		values[2];

	/* a role that is gone may still have its grant taken back */
	rename_grantees(model);
	values[0] = UUIDPGetDatum(&model->id);
	values[1] = name_datum(role);
	registry_execute("DELETE FROM mobilebert.model_grant "
					 "WHERE model_id = $1 AND grantee = $2",
					 2, types, values, NULL);
	registry_write_end(&write);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(mobilebert_set_model_owner);
Datum
mobilebert_set_model_owner(PG_FUNCTION_ARGS)
{
	char	   *name = required(fcinfo, 0, "the name of a model");
	char	   *role = required(fcinfo, 1, "the name of a role");
	Oid			owner = get_role_oid(role, false);
	RegistryWrite write;
	RegistryModel *model;
	Oid			types[4] = {UUIDOID, NAMEOID, OIDOID, INT8OID};
	Datum		values[4];

	/* as for ALTER ... OWNER TO: a model can be pressed on nobody */
	(void) owned_model(name);
	role_check_giving(GetUserId(), owner);
	model = change_begin(&write, "set_model_owner()", name, NULL);
	values[0] = UUIDPGetDatum(&model->id);
	values[1] = name_datum(role);
	values[2] = ObjectIdGetDatum(owner);
	values[3] = Int64GetDatum(role_cluster());
	registry_execute("UPDATE mobilebert.model SET owner = $2, owner_oid = $3, "
					 "owner_cluster = $4 WHERE id = $1",
					 4, types, values, NULL);
	note_obstacle(model, owner, write.user);
	registry_write_end(&write);
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
	values[0] = CStringGetTextDatum(mobilebert_task_name(task));
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
