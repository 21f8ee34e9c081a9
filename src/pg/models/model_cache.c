/*-------------------------------------------------------------------------
 *
 * model_cache.c
 *	  From a model's name to a model that is ready to run, once a backend.
 *
 * Two small caches.  "Entries" remember what a name means (the registry's row
 * and the right to use it), and are void when registry_generation() moved.
 * "Loaded" images are found by content, so that a renamed model, or two names
 * of one content, share a mapping.
 *
 * Lifetime: what mobilebert_model() returns stays valid until the transaction
 * ends, whatever invalidations arrive in between.  So nothing is released at
 * once: outdated entries and images that no model needs any more are put on
 * "retired" lists, which the end of the transaction empties.
 *
 * Depends on server/pg.h, server/guc.h, models/image_file.h,
 * models/registry.h, models/rights.h, models/stats.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/guc.h"
#include "models/image_file.h"
#include "models/model_cache.h"
#include "models/registry.h"
#include "models/rights.h"
#include "models/stats.h"

#include "access/xact.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#define NAME_BYTES (MOBILEBERT_NAME_MAX * MAX_MULTIBYTE_CHAR_LEN + 1)

typedef struct Loaded
{
	struct Loaded *next;
	uint8		image_key[PG_SHA256_DIGEST_LENGTH];
	ImageBytes	bytes;
	mb_image	image;
	MemoryContext context;		/* holds this struct and image's layers */
	bool		dead;			/* no model needs it: unload at end of xact */
} Loaded;

typedef struct Entry
{
	char		name[NAME_BYTES];	/* hash key, must be first */
	uint64		generation;		/* of registry, when row was read */
	MemoryContext context;		/* holds row and model */
	RegistryModel *row;
	Loaded	   *loaded;			/* NULL: not loaded yet */
	MobilebertModel *model;
} Entry;

static HTAB *entries = NULL;
static Loaded *loaded_images = NULL;
static MemoryContext cache_context = NULL;
static MemoryContext retired_context = NULL;	/* parent of outdated entries */
static uint64 swept_generation = 0;

/* Name of each task's stored default, as of defaults_generation. */
static uint64 defaults_generation = 0;
static char *defaults[MB_TASK_COUNT + 1];

static void
unload(Loaded *image)
{
	Loaded	  **link;

	for (link = &loaded_images; *link != NULL; link = &(*link)->next)
		if (*link == image)
		{
			*link = image->next;
			break;
		}
	image_file_unload(&image->bytes);
	MemoryContextDelete(image->context);
}

/* At the end of a transaction nobody holds a model any more. */
static void
transaction_ended(XactEvent event, void *arg)
{
	Loaded	   *image;
	Loaded	   *next;

	(void) arg;
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT &&
		event != XACT_EVENT_PARALLEL_COMMIT &&
		event != XACT_EVENT_PARALLEL_ABORT && event != XACT_EVENT_PREPARE)
		return;
	if (retired_context != NULL)
		MemoryContextReset(retired_context);
	for (image = loaded_images; image != NULL; image = next)
	{
		next = image->next;
		if (image->dead)
			unload(image);
	}
}

void
mobilebert_model_cache_init(void)
{
	HASHCTL		control = {0};

	cache_context = AllocSetContextCreate(TopMemoryContext,
										  "mobilebert models",
										  ALLOCSET_SMALL_SIZES);
	retired_context = AllocSetContextCreate(cache_context,
											"mobilebert retired models",
											ALLOCSET_SMALL_SIZES);
	control.keysize = NAME_BYTES;
	control.entrysize = sizeof(Entry);
	control.hcxt = cache_context;
	entries = hash_create("mobilebert model names", 16, &control,
						  HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	RegisterXactCallback(transaction_ended, NULL);
}

/* The registry changed: find images that no model needs any more. */
static void
sweep(uint64 generation)
{
	Loaded	   *image;

	for (image = loaded_images; image != NULL; image = image->next)
		image->dead = !registry_has_image(image->image_key);
	/* not with each statement */
	if (swept_generation != 0 && registry_announced())
		image_file_clean();
	if (registry_announced())
		mobilebert_stats_clean();
	swept_generation = generation;
}

/* Bring an entry up to date with the registry. */
static void
refresh(Entry *entry, uint64 generation)
{
	MemoryContext context;
	MemoryContext old;

	if (entry->context != NULL)
		MemoryContextSetParent(entry->context, retired_context);
	entry->context = NULL;
	entry->row = NULL;
	entry->loaded = NULL;
	entry->model = NULL;
	entry->generation = 0;

	context = AllocSetContextCreate(CurrentMemoryContext,
									"mobilebert model name",
									ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	entry->row = registry_find(entry->name);
	MemoryContextSwitchTo(old);
	MemoryContextSetParent(context, cache_context);
	entry->context = context;
	entry->generation = generation;
}

static Entry *
find_entry(const char *name)
{
	uint64		generation = registry_generation();
	Entry	   *entry;
	bool		found;

	if (strlen(name) >= NAME_BYTES)
		return NULL;
	if (swept_generation != generation)
		sweep(generation);
	entry = hash_search(entries, name, HASH_ENTER, &found);
	if (!found)
	{
		entry->generation = 0;
		entry->context = NULL;
	}
	if (entry->generation != generation)
		refresh(entry, generation);
	if (entry->row == NULL)
	{
		/* names may come from users: remember only those that exist */
		MemoryContextDelete(entry->context);
		(void) hash_search(entries, name, HASH_REMOVE, NULL);
		return NULL;
	}
	return entry;
}

static Loaded *
load(const RegistryModel *row)
{
	Loaded	   *image;
	MemoryContext context;
	bool		first = loaded_images == NULL;

	for (image = loaded_images; image != NULL; image = image->next)
		if (memcmp(image->image_key, row->image_key, PG_SHA256_DIGEST_LENGTH) == 0 &&
			image->image.model.kernels == mb_kernels_current())
		{
			image->dead = false;
			return image;
		}

	context = AllocSetContextCreate(CurrentMemoryContext, "mobilebert image",
									ALLOCSET_SMALL_SIZES);
	image = MemoryContextAllocZero(context, sizeof(Loaded));
	image->context = context;
	memcpy(image->image_key, row->image_key, PG_SHA256_DIGEST_LENGTH);
	image_file_load(row, context, &image->bytes, &image->image);
	MemoryContextSetParent(context, cache_context);
	image->next = loaded_images;
	loaded_images = image;
	if (first)
		image_file_clean();
	return image;
}

const char *
mobilebert_task_name(mb_task task)
{
	return task == MOBILEBERT_ZERO_SHOT ? "zero_shot" : mb_task_name(task);
}

mb_task
mobilebert_task_head(mb_task task)
{
	return task == MOBILEBERT_ZERO_SHOT ? MB_TASK_CLASSIFY : task;
}

uint32
mobilebert_task_heads(mb_task task)
{
	return task == MOBILEBERT_ZERO_SHOT ? MB_TASK_CLASSIFY | MB_TASK_EMBED :
		task;
}

/*
 * Does a model have the head that a task is named after?  A classifier that
 * was fitted on frozen states knows its own labels alone.
 */
static bool
has_head(const RegistryModel *row, mb_task task)
{
	if ((row->tasks & mobilebert_task_head(task)) == 0)
		return false;
	return task != MOBILEBERT_ZERO_SHOT ||
		(row->parts & (1U << MB_PART_CLASSIFIER | 1U << MB_PART_SEQUENCE)) != 0;
}

/* The stored default of a task by name, cached for one generation. */
static const char *
stored_default(mb_task task)
{
	uint64		generation = registry_generation();
	int			index = __builtin_ctz((unsigned) task);
	pg_uuid_t	id;

	if (defaults_generation != generation)
	{
		int			i;

		for (i = 0; i < (int) lengthof(defaults); i++)
		{
			if (defaults[i] != NULL)
				pfree(defaults[i]);
			defaults[i] = NULL;
		}
		defaults_generation = generation;
	}
	if (defaults[index] == NULL)
	{
		RegistryModel *row = NULL;

		if (registry_default(mobilebert_task_name(task), &id))
			row = registry_find_id(&id);
		else if (mobilebert_task_head(task) != task &&
				 registry_default(mobilebert_task_name(mobilebert_task_head(task)),
								  &id))
		{
			row = registry_find_id(&id);
			if (row != NULL && !has_head(row, task))
				row = NULL;
		}
		defaults[index] = MemoryContextStrdup(cache_context,
											  row != NULL ? row->name : "");
	}
	return defaults[index][0] != '\0' ? defaults[index] : NULL;
}

/* The default model of a head; without errors for the planner. */
static const char *
default_of_head(mb_task task, bool missing_ok)
{
	const char *name = mobilebert_default_model;

	if (name != NULL && name[0] != '\0')
	{
		Entry	   *entry = find_entry(name);

		if (entry == NULL && missing_ok)
			return NULL;
		if (entry == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("model \"%s\" does not exist", name),
					 errdetail("It is named by the setting mobilebert.default_model.")));
		if (has_head(entry->row, task))
			return name;
	}
	return stored_default(task);
}

static const char *
default_name(mb_task task, bool missing_ok)
{
	const char *name = default_of_head(task, missing_ok);

	if (name == NULL && task == MOBILEBERT_ZERO_SHOT)
		name = default_of_head(MB_TASK_EMBED, missing_ok);
	return name;
}

char *
mobilebert_default_name(mb_task task)
{
	const char *name = default_name(task, false);

	return name != NULL ? pstrdup(name) : NULL;
}

mb_task
mobilebert_task(const char *name)
{
	int			i;

	for (i = 0; i <= MB_TASK_COUNT; i++)
	{
		mb_task		task = 1U << i;

		if (task != MB_TASK_POOLER && task != MB_TASK_REPLACED_TOKEN &&
			pg_strcasecmp(mobilebert_task_name(task), name) == 0)
			return task;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized task: \"%s\"", name),
			 errhint("Legal values are embed, fill_mask, next_sentence, classify, zero_shot, ner, answer and choose.")));
}

/*
 * Heads as messages call them, and the classes of transformers that have them,
 * with the name of a family before that, in the order of mb_task's bits.
 */
static const struct
{
	const char *head;
	const char *class;
}			task_names[MB_TASK_COUNT] =
{
	{"embedding", "Model"},
	{"pooler", "Model"},
	{"masked-language-model", "ForMaskedLM"},
	{"next-sentence", "ForNextSentencePrediction"},
	{"sequence-classification", "ForSequenceClassification"},
	{"token-classification", "ForTokenClassification"},
	{"question-answering", "ForQuestionAnswering"},
	{"multiple-choice", "ForMultipleChoice"},
	{"replaced-token", "ForPreTraining"}
};

/* What to import where no model can do a task: the end of a hint. */
static const char *
what_to_import(mb_task task)
{
	if (task == MB_TASK_EMBED)
		return "Run SELECT mobilebert.import_model('minilm').";
	return psprintf("Register a model with a %s head (a class that ends in %s) by mobilebert.import_model(name, path).",
					task_names[__builtin_ctz((unsigned) task)].head,
					task_names[__builtin_ctz((unsigned) task)].class);
}

/* What to do where a task has no default model: what is there, or is not. */
static const char *
without_default(mb_task task)
{
	char	   *names = rights_names_with_task(mobilebert_task_heads(task));

	if (names[0] == '\0')
		return psprintf("No registered model can do it. %s",
						what_to_import(task == MOBILEBERT_ZERO_SHOT ?
									   MB_TASK_EMBED : task));
	return psprintf("Models that can do it: %s. Name one in the call, or make it the default with mobilebert.set_default_model('%s', name) or the setting mobilebert.default_model.",
					names, mobilebert_task_name(task));
}

static void
no_default(mb_task task)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("there is no default model for task \"%s\"",
					mobilebert_task_name(task)),
			 errhint("%s", without_default(task))));
}

/*
 * NULL where a model is to be named.  Who wants options with the default model
 * names it with mobilebert.default_model(), which gives NULL when there is none.
 * task 0: of no task in particular.
 */
static void
null_model(mb_task task)
{
	char	   *name;

	if (task == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"model\" must not be null"),
				 errhint("Name a model; mobilebert.default_model(task) is the default one of a task.")));
	name = mobilebert_default_name(task);
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("argument \"model\" must not be null"),
			 name != NULL ?
			 errhint("Name a model: the default one is mobilebert.default_model('%s').",
					 mobilebert_task_name(task)) :
			 errhint("There is no default model for task \"%s\". %s",
					 mobilebert_task_name(task), without_default(task))));
}

/* The head that a task needs is missing (rule 8 of the SQL interface). */
void
mobilebert_no_head(const RegistryModel *row, mb_task task)
{
	StringInfoData has;
	char	   *others = rights_names_with_task(task);
	int			i;

	initStringInfo(&has);
	for (i = 0; i < MB_TASK_COUNT; i++)
	{
		if ((row->tasks & (1U << i)) != 0)
			appendStringInfo(&has, "%s%s", has.len > 0 ? ", " : "",
							 mb_task_name(1U << i));
	}
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("model \"%s\" has no %s head", row->name,
					task_names[__builtin_ctz((unsigned) task)].head),
			 errdetail("It can do: %s.", has.data),
			 others[0] != '\0' ?
			 errhint("Models with this head: %s.", others) :
			 errhint("No registered model has this head. %s",
					 what_to_import(task))));
}

static Entry *
usable_entry(text *name, mb_task task)
{
	char	   *wanted;
	Entry	   *entry;

	if (task == 0)
		task = MB_TASK_EMBED;
	wanted = name != NULL ? text_to_cstring(name) :
		mobilebert_default_name(task);
	if (wanted == NULL)
		no_default(task);
	entry = find_entry(wanted);
	if (entry == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("model \"%s\" does not exist", wanted),
				 errhint("See mobilebert.models; mobilebert.import_model registers a model.")));
	if (!rights_may_use(entry->row))
		rights_denied(entry->row);
	if ((entry->row->tasks & mobilebert_task_heads(task)) == 0)
		mobilebert_no_head(entry->row, mobilebert_task_head(task));
	pfree(wanted);
	return entry;
}

const RegistryModel *
mobilebert_model_row(text *name, mb_task task)
{
	return usable_entry(name, task)->row;
}

const RegistryModel *
mobilebert_model_peek(const char *name, mb_task task)
{
	Entry	   *entry;

	if (name == NULL)
		name = default_name(task, true);
	if (name == NULL)
		return NULL;
	entry = find_entry(name);
	if (entry == NULL || !rights_may_use(entry->row))
		return NULL;
	return entry->row;
}

const MobilebertModel *
mobilebert_model(text *name, mb_task task)
{
	Entry	   *entry = usable_entry(name, task);
	MobilebertModel *model;

	if (entry->model != NULL && !entry->loaded->dead &&
		entry->loaded->image.model.kernels == mb_kernels_current())
		return entry->model;

	/*
	 * Loading takes locks, and with them invalidations: keep what this call
	 * decided on.
	 */
	entry->loaded = load(entry->row);
	model = MemoryContextAllocZero(entry->context, sizeof(MobilebertModel));
	model->name = entry->row->name;
	model->registry = entry->row;
	model->image = entry->loaded->image;
	model->bytes = entry->loaded->bytes.bytes;
	model->size = entry->loaded->bytes.size;
	model->shared = entry->loaded->bytes.shared;
	model->stats = mobilebert_stats_of(&entry->row->id, entry->context);
	entry->model = model;
	return model;
}

const MobilebertModel *
mobilebert_model_argument(FunctionCallInfo fcinfo, int n, mb_task task)
{
	if (PG_NARGS() <= n)
		return mobilebert_model(NULL, task);
	if (PG_ARGISNULL(n))
		null_model(task);
	return mobilebert_model(PG_GETARG_TEXT_PP(n), task);
}

size_t
mobilebert_token_limit(const mb_config *config,
					   const mb_sentence_settings *settings,
					   const mb_tokenizer *tokenizer)
{
	if (settings->max_seq_length > 0)
		return Min(config->max_tokens, settings->max_seq_length);
	return Min(config->max_tokens, tokenizer->model_max_length);
}

size_t
mobilebert_max_tokens(const MobilebertModel *model)
{
	return Min(model->image.config.max_tokens,
			   model->image.tokenizer.model_max_length);
}

size_t
mobilebert_embed_tokens(const MobilebertModel *model)
{
	return mobilebert_token_limit(&model->image.config,
								  &model->image.settings,
								  &model->image.tokenizer);
}
