/*-------------------------------------------------------------------------
 *
 * rights.c
 *	  Who may use a model, and who may change it.
 *
 * A model is its owner's; who was granted it may use it.  A variant, and a model
 * whose configuration names a base, have tensors of another model: they stand
 * on it.  To use one takes the right to it and to every model under it, each by
 * that one's own owner and grants, at each use.  So whoever may use a model
 * cannot pass it on by making another of it, and a revoke reaches what was made
 * before.  Where the model under it is not there (dropped by another owner, or
 * not restored yet) only superusers may use what stands on it.
 *
 * Two imports of the same files share stored tensors, but neither stands on the
 * other: each has shown the bytes.
 *
 * Depends on server/pg.h, server/adapt.h, models/registry.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "models/registry.h"
#include "models/rights.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

bool
rights_owned_by(const RegistryModel *model, Oid user)
{
	return OidIsValid(model->owner) ? has_privs_of_role(user, model->owner) :
		superuser_arg(user);
}

/* By its own owner and grants; user InvalidOid: everybody. */
static bool
own_right(const RegistryModel *model, Oid user)
{
	int			i;

	if (model->public_use)
		return true;
	if (!OidIsValid(user))
		return false;
	if (rights_owned_by(model, user))
		return true;
	for (i = 0; i < model->grantees_count; i++)
		if (has_privs_of_role(user, model->grantees[i]))
			return true;
	return false;
}

/* The lowest model that stands on one that is not there, or NULL. */
static const RegistryModel *
without_base(const RegistryModel *model)
{
	while (model->base != NULL)
		model = model->base;
	return model->base_id != NULL ? model : NULL;
}

bool
rights_may_be_used_by(const RegistryModel *model, Oid user)
{
	const RegistryModel *under;

	for (under = model; under != NULL; under = under->base)
		if (!own_right(under, user))
			return false;
	return without_base(model) == NULL ||
		(OidIsValid(user) && superuser_arg(user));
}

bool
rights_may_use(const RegistryModel *model)
{
	return rights_may_be_used_by(model, GetUserId());
}

char *
rights_obstacle(const RegistryModel *model, Oid role, Oid user)
{
	const RegistryModel *under;

	if (OidIsValid(role) && superuser_arg(role))
		return NULL;
	if (without_base(model) != NULL)
		return pstrdup("It stands on a model that was dropped, or is not restored yet");
	for (under = model->base; under != NULL; under = under->base)
	{
		const char *who = !OidIsValid(role) ? "not everybody may use" :
			psprintf("role \"%s\" may not use",
					 GetUserNameFromId(role, false));

		if (own_right(under, role))
			continue;
		/* its name is for those alone who may see it */
		return rights_may_be_used_by(under, user) ?
			psprintf("It stands on model \"%s\", which %s", under->name, who) :
			psprintf("It stands on a model that %s", who);
	}
	return NULL;
}

int
rights_owner_hint(const RegistryModel *model)
{
	if (OidIsValid(model->owner))
		return 0;
	errdetail("The role that owned model \"%s\" is gone.", model->name);
	return errhint("A superuser may give it to another: SELECT mobilebert.set_model_owner(%s, 'role').",
				   quote_literal_cstr(model->name));
}

void
rights_denied(const RegistryModel *model)
{
	char	   *obstacle = own_right(model, GetUserId()) ?
		rights_obstacle(model, GetUserId(), GetUserId()) : NULL;

	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for model \"%s\"", model->name),
			 obstacle != NULL ? errdetail("%s.", obstacle) :
			 rights_owner_hint(model)));
}

PG_FUNCTION_INFO_V1(mobilebert_may_see_model);
Datum
mobilebert_may_see_model(PG_FUNCTION_ARGS)
{
	RegistryModel *model = registry_find_id(PG_GETARG_UUID_P(0));

	PG_RETURN_BOOL(model != NULL && (rights_owned_by(model, GetUserId()) ||
									 rights_may_use(model)));
}

char *
rights_names_with_task(uint32 task)
{
	int			count;
	pg_uuid_t  *ids = registry_with_task(task, &count);
	StringInfoData names;
	int			found = 0;
	int			i;

	initStringInfo(&names);
	for (i = 0; i < count && found < 5; i++)
	{
		RegistryModel *model = registry_find_id(&ids[i]);

		if (model != NULL && rights_may_use(model) &&
			registry_is_complete(model))
		{
			mobilebert_list_name(&names, model->name);
			found++;
		}
	}
	return names.data;
}
