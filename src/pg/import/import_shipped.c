/*-------------------------------------------------------------------------
 *
 * import_shipped.c
 *	  Models that come with the extension: import_model(name) and
 *	  import_defaults().
 *
 * They are directories of the share directory's "mobilebert", put there by
 * "make install" or by packages.  In their config.json, beside what
 * transformers reads, "base" names the model that one stands on, and
 * "default_for" lists the tasks that it is meant for: of these it becomes the
 * default where there is none yet, without the list of all that it can do.
 *
 * Depends on server/pg.h, server/adapt.h, server/options.h,
 * models/model_cache.h, models/registry.h, models/registry_write.h,
 * models/rights.h, import/import.h, import/import_model.h,
 * import/import_read.h.
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
#include "import/import.h"
#include "import/import_model.h"
#include "import/import_read.h"

#include <sys/stat.h>

#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/acl.h"
#include "utils/builtins.h"

/* A directory of the share directory's. */
typedef struct Shipped
{
	char	   *name;
	bool		visited;		/* imported, or about to be */
} Shipped;

/* What import_defaults() goes through. */
typedef struct ShippedList
{
	ReturnSetInfo *result;
	Shipped    *models;			/* [count], by name */
	int			count;
} ShippedList;

/* What may be a name of a directory of its own, and nothing else. */
static bool
legal_name(const char *name)
{
	const char *c;

	for (c = name; *c != '\0'; c++)
		if (!isalnum((unsigned char) *c) && strchr("._-", *c) == NULL)
			return false;
	return name[0] != '\0' && name[0] != '.';
}

/* The directory of a shipped model, or of all of them (""). */
static char *
shipped_path(const char *name)
{
	char		share[MAXPGPATH];

	get_share_path(my_exec_path, share);
	return psprintf("%s/extension/mobilebert/%s", share, name);
}

/*
 * Defaults
 */

/*
 * A member of "default_for": a task's name; false where the model that was
 * there under this name cannot do it.
 */
static bool
listed_task(const Import *import, const RegistryModel *row, bool imported,
			const mb_json *item, Datum *name)
{
	mb_task		task;

	if (item->type != MB_JSON_STRING)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("\"default_for\" in \"config.json\" of model \"%s\" is not a list of tasks",
						import->name)));
	task = mobilebert_task(text_to_cstring(mobilebert_text_make(item->text,
																item->length)));
	*name = CStringGetTextDatum(mobilebert_task_name(task));
	if ((row->tasks & mobilebert_task_heads(task)) != 0)
		return true;
	if (imported)
		mobilebert_no_head(row, mobilebert_task_head(task));
	return false;
}

/* The tasks that a model is meant for. */
static ArrayType *
meant_for(Import *import, const RegistryModel *row, bool imported)
{
	const mb_json *list = mb_json_get(documents_tree(&import->documents, DOC_CONFIG),
									  "default_for");
	Datum	   *names;
	int			count = 0;

	if (list == NULL)
	{
		int			i;

		names = palloc(MB_TASK_COUNT * sizeof(Datum));
		for (i = 0; i < MB_TASK_COUNT; i++)
			if ((row->tasks & (1U << i)) != 0)
				names[count++] = CStringGetTextDatum(mb_task_name(1U << i));
	}
	else
	{
		const mb_json *item = list->child;

		if (list->type != MB_JSON_ARRAY)
			item = list;		/* to be refused as a member */
		names = palloc(Max(list->length, 1) * sizeof(Datum));
		for (; item != NULL && item != list->next; item = item->next)
			count += listed_task(import, row, imported, item, &names[count]);
	}
	return construct_array(names, count, TEXTOID, -1, false, 'i');
}

/* Make a model the default of what it is meant for, where the user may. */
static void
make_default(Import *import, bool imported)
{
	const RegistryModel *row = registry_find(import->name);
	Oid			types[] = {UUIDOID, TEXTARRAYOID};
	Datum		values[2];
	RegistryWrite write;

	values[0] = UUIDPGetDatum(&row->id);
	values[1] = PointerGetDatum(meant_for(import, row, imported));
	if (!has_privs_of_role(GetUserId(), ROLE_PG_DATABASE_OWNER) ||
		!rights_may_use(row))
		return;
	registry_write_begin(&write, import->command);
	/* one that another session is dropping still counts: no waiting */
	registry_execute("INSERT INTO mobilebert.task_default (task, model_id) "
					 "SELECT t, $1 FROM unnest($2) t WHERE NOT EXISTS "
					 "(SELECT FROM mobilebert.task_default d "
					 "WHERE d.task = t) ON CONFLICT DO NOTHING",
					 2, types, values, NULL);
	registry_write_end(&write);
}

/*
 * One model
 */

static void
begin(Import *import, const char *command, const char *name)
{
	import_begin(import, command, cstring_to_text(name), NULL);
	import->shipped = true;
	import_read_directory(import, shipped_path(name));
}

PG_FUNCTION_INFO_V1(mobilebert_import_shipped);
Datum
mobilebert_import_shipped(PG_FUNCTION_ARGS)
{
	const char *command = "import_model()";
	text	   *name = ARG_TEXT(0);
	Import		import;
	struct stat st;

	import_begin(&import, command, name, NULL);
	registry_name_is_free(import.name);
	if (!legal_name(import.name) ||
		stat(shipped_path(import.name), &st) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("no model \"%s\" is shipped with the extension",
						import.name),
				 errhint("The shipped embedding model is \"minilm\"; import_defaults() imports all that are there, import_model(name, path) reads a directory.")));
	begin(&import, command, import.name);
	import_run(&import);
	make_default(&import, true);
	return import_model_info(fcinfo, &import);
}

/*
 * All of them
 */

static int
compare_shipped(const void *a, const void *b)
{
	return strcmp(((const Shipped *) a)->name, ((const Shipped *) b)->name);
}

/* The directories that have a config.json. */
static void
list_shipped(ShippedList *list)
{
	char	   *path = shipped_path("");
	DIR		   *directory = AllocateDir(path);
	struct dirent *entry;
	int			room = 16;

	list->models = palloc(room * sizeof(Shipped));
	while ((entry = ReadDirExtended(directory, path,
									directory == NULL ? LOG : ERROR)) != NULL)
	{
		struct stat st;

		if (!legal_name(entry->d_name) ||
			stat(psprintf("%s%s/config.json", path, entry->d_name), &st) != 0)
			continue;
		if (list->count == room)
			list->models = repalloc(list->models,
									(room *= 2) * sizeof(Shipped));
		list->models[list->count].name = pstrdup(entry->d_name);
		list->models[list->count++].visited = false;
	}
	if (directory != NULL)
		FreeDir(directory);
	qsort(list->models, list->count, sizeof(Shipped), compare_shipped);
}

/* The tasks whose stored default a model is: text[]. */
static Datum
default_of(const RegistryModel *row)
{
	Datum		names[MB_TASK_COUNT + 1];
	int			count = 0;
	int			i;

	for (i = 0; i <= MB_TASK_COUNT; i++)
	{
		mb_task		task = 1U << i;
		pg_uuid_t	id;

		if (task != MB_TASK_POOLER && task != MB_TASK_REPLACED_TOKEN &&
			registry_default(mobilebert_task_name(task), &id) &&
			memcmp(&id, &row->id, sizeof(id)) == 0)
			names[count++] = CStringGetTextDatum(mobilebert_task_name(task));
	}
	return PointerGetDatum(construct_array(names, count, TEXTOID, -1, false,
										   'i'));
}

static void
put_row(ShippedList *list, const Import *import, bool imported)
{
	Datum		values[3];
	bool		nulls[3] = {false, false, false};

	values[0] = CStringGetTextDatum(import->name);
	values[1] = BoolGetDatum(imported);
	values[2] = default_of(registry_find(import->name));
	tuplestore_putvalues(list->result->setResult, list->result->setDesc,
						 values, nulls);
}

/* Import a model after the one that it stands on, when that is shipped too. */
static void
visit(ShippedList *list, Shipped *model)
{
	Import		import;
	const mb_json *base;
	RegistryModel *there;

	check_stack_depth();
	model->visited = true;
	begin(&import, "import_defaults()", model->name);
	base = mb_json_get(documents_tree(&import.documents, DOC_CONFIG), "base");
	if (base != NULL && base->type == MB_JSON_STRING)
	{
		Shipped		wanted = {unconstify(char *, base->text), false};
		Shipped    *below = bsearch(&wanted, list->models, list->count,
									sizeof(Shipped), compare_shipped);

		if (below != NULL && !below->visited)
			visit(list, below);
	}
	registry_lock(import.command, import.name, NULL);
	there = registry_find(import.name);
	if (there == NULL)
		import_run(&import);
	else
		import_close(&import);
	make_default(&import, there == NULL);
	put_row(list, &import, there == NULL);
}

PG_FUNCTION_INFO_V1(mobilebert_import_defaults);
Datum
mobilebert_import_defaults(PG_FUNCTION_ARGS)
{
	ShippedList list = {0};
	int			i;

	mobilebert_srf_begin(fcinfo);
	list.result = (ReturnSetInfo *) fcinfo->resultinfo;
	list_shipped(&list);
	if (list.count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("no models are shipped with the extension"),
				 errdetail("There is none in directory \"%s\".",
						   shipped_path("")),
				 errhint("\"make install\" puts them there; import_model(name, path) reads another directory.")));
	for (i = 0; i < list.count; i++)
		if (!list.models[i].visited)
			visit(&list, &list.models[i]);
	return (Datum) 0;
}
