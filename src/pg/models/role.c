/*-------------------------------------------------------------------------
 *
 * role.c
 *	  The roles that the registry's rows name: owners and grantees.
 *
 * Names alone would give a dropped role's models to whoever makes a role of
 * that name; OIDs alone mean nothing where a dump is restored or a publisher's
 * rows arrive.  So a row has three columns: the name, the OID, and the system
 * identifier of the cluster that the OID is of.
 *
 *	  the row is of this cluster	the role with that OID, whatever it is
 *									called by now
 *	  of another one				only a role with that OID and that name,
 *									as pg_upgrade leaves them
 *
 * A restore and logical replication bring rows of other clusters.  A trigger
 * turns them into rows of this one when they arrive: the role of that name, if
 * there is one at that time, and 0 otherwise, so that a role which is made
 * later under that name gets nothing.
 *
 * Depends on server/pg.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "models/role.h"

#include "access/htup_details.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/rel.h"

int64
role_cluster(void)
{
	return (int64) GetSystemIdentifier();
}

/* Is that role there, and called so? */
static bool
is_called(Oid role, const char *name)
{
	char	   *now = OidIsValid(role) ? GetUserNameFromId(role, true) : NULL;

	return now != NULL && strcmp(now, name) == 0;
}

Oid
role_meant(const char *name, Oid oid, int64 cluster)
{
	if (cluster == role_cluster())
		return OidIsValid(oid) && GetUserNameFromId(oid, true) != NULL ?
			oid : InvalidOid;
	return is_called(oid, name) ? oid : InvalidOid;
}

/* As ALTER ... OWNER TO asks. */
void
role_check_giving(Oid user, Oid role)
{
#if PG_VERSION_NUM >= 160000
	check_can_set_role(user, role);
#else
	check_is_member_of_role(user, role);
#endif
}

PG_FUNCTION_INFO_V1(mobilebert_role_now);
Datum
mobilebert_role_now(PG_FUNCTION_ARGS)
{
	Oid			role = role_meant(NameStr(*PG_GETARG_NAME(0)),
								  PG_GETARG_OID(1), PG_GETARG_INT64(2));
	char	   *name = OidIsValid(role) ? GetUserNameFromId(role, true) : NULL;

	if (name == NULL)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(DirectFunctionCall1(namein, CStringGetDatum(name)));
}

/* The three columns of a row that say which role is meant. */
typedef struct RoleColumns
{
	int			numbers[3];		/* attribute numbers */
	Datum		values[3];
} RoleColumns;

#define ROLE_NAME(columns) NameStr(*DatumGetName((columns)->values[0]))
#define ROLE_OID(columns) DatumGetObjectId((columns)->values[1])
#define ROLE_CLUSTER(columns) DatumGetInt64((columns)->values[2])

/* false: one of them is null, which the table's constraints refuse. */
static bool
role_columns(Relation table, HeapTuple tuple, const char *column,
			 RoleColumns *columns)
{
	static const char *const endings[] = {"", "_oid", "_cluster"};
	static const Oid types[] = {NAMEOID, OIDOID, INT8OID};
	TupleDesc	desc = RelationGetDescr(table);
	int			i;

	for (i = 0; i < 3; i++)
	{
		char	   *name = psprintf("%s%s", column, endings[i]);
		int			number = SPI_fnumber(desc, name);
		bool		isnull;

		if (number <= 0 || SPI_gettypeid(desc, number) != types[i])
			ereport(ERROR,
					(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
					 errmsg("table \"%s\" has no column \"%s\" for trigger function \"role_arrived\"",
							RelationGetRelationName(table), name)));
		columns->numbers[i] = number;
		columns->values[i] = heap_getattr(tuple, number, desc, &isnull);
		if (isnull)
			return false;
	}
	return true;
}

/* A role of this cluster, or of none. */
static void
role_set(RoleColumns *columns, Oid role)
{
	columns->values[1] = ObjectIdGetDatum(role);
	columns->values[2] = Int64GetDatum(role_cluster());
}

/*
 * A row that arrives.  By UPDATE only a role of another name is a new one: a
 * publisher sends all columns again when another one changed, and a role that
 * is gone here must not come back by its name.
 */
static void
role_arrived(RoleColumns *columns, const RoleColumns *before)
{
	bool		same = before != NULL &&
		strcmp(ROLE_NAME(columns), ROLE_NAME(before)) == 0;

	if (strcmp(ROLE_NAME(columns), "public") == 0)
	{
		role_set(columns, InvalidOid);
		return;
	}
	if (ROLE_CLUSTER(columns) == role_cluster())
	{
		/*
		 * A row of this cluster that did not change stays.  One that is
		 * written with a role that is called otherwise comes from a dump that
		 * is older than the role's new name, or from a copy of this cluster,
		 * where the OID may be another role's: nobody is meant.
		 */
		if (same && ROLE_CLUSTER(before) == ROLE_CLUSTER(columns) &&
			ROLE_OID(before) == ROLE_OID(columns))
			return;
		if (!is_called(ROLE_OID(columns), ROLE_NAME(columns)))
			role_set(columns, InvalidOid);
		return;
	}
	if (same)
	{
		Oid			role = role_meant(ROLE_NAME(before), ROLE_OID(before),
									  ROLE_CLUSTER(before));

		columns->values[1] = before->values[1];
		columns->values[2] = before->values[2];
		if (OidIsValid(role))
			role_set(columns, role);
		return;
	}
	role_set(columns, get_role_oid(ROLE_NAME(columns), true));
}

PG_FUNCTION_INFO_V1(mobilebert_role_arrived);
Datum
mobilebert_role_arrived(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	RoleColumns columns;
	RoleColumns before;
	HeapTuple	row;
	bool		update;
	bool		nulls[3] = {false, false, false};

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		!TRIGGER_FIRED_BEFORE(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ||
		TRIGGER_FIRED_BY_DELETE(trigger->tg_event) ||
		trigger->tg_trigger->tgnargs != 1)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"role_arrived\" can only be called as a trigger before each row")));
	update = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
	row = update ? trigger->tg_newtuple : trigger->tg_trigtuple;
	if (!role_columns(trigger->tg_relation, row,
					  trigger->tg_trigger->tgargs[0], &columns))
		return PointerGetDatum(row);
	if (update && !role_columns(trigger->tg_relation, trigger->tg_trigtuple,
								trigger->tg_trigger->tgargs[0], &before))
		update = false;
	role_arrived(&columns, update ? &before : NULL);
	return PointerGetDatum(heap_modify_tuple_by_cols(row,
													 RelationGetDescr(trigger->tg_relation),
													 3, columns.numbers,
													 columns.values, nulls));
}
