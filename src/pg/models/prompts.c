/*-------------------------------------------------------------------------
 *
 * prompts.c
 *	  The prompts of a model, as texts in the database encoding.
 *
 * They stand in a document and not in the weight image, which says whether
 * there are any.  As labels are (labels.c), they are read once, and stay with
 * the model as long as it is cached.
 *
 * Depends on server/pg.h, server/adapt.h, models/documents.h,
 * models/model_cache.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "models/documents.h"
#include "models/model_cache.h"
#include "models/prompts.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

typedef struct MobilebertPrompts
{
	int			count;
	char	  **names;			/* [count] */
	text	  **texts;			/* [count] */
	int			by_default;		/* or -1 */
} MobilebertPrompts;

/*
 * The result is all in the current context, in which nothing else remains.
 * there_are: the model has prompts of its own.
 */
static MobilebertPrompts *
prompts_read(const RegistryModel *row, bool there_are)
{
	MobilebertPrompts *result = palloc0(sizeof(MobilebertPrompts));
	MemoryContext old = CurrentMemoryContext;
	MemoryContext scratch = AllocSetContextCreate(old, "mobilebert prompts file",
												  ALLOCSET_DEFAULT_SIZES);
	mb_memory	memory = mobilebert_memory(scratch);
	mb_arena	arena;
	Documents	documents;
	mb_prompts	prompts;
	size_t		i;

	MemoryContextSwitchTo(scratch);
	mb_arena_init(&arena, &memory, SIZE_MAX);
	documents_init(&documents, &arena);
	if (there_are)
		documents_load(&documents, row, DOC_SENTENCE_CONFIG, NULL);
	ENGINE_CALL(mb_prompts_read,
				documents_tree(&documents, DOC_SENTENCE_CONFIG), &arena,
				&prompts);
	MemoryContextSwitchTo(old);
	result->names = palloc(prompts.count * sizeof(char *));
	result->texts = palloc(prompts.count * sizeof(text *));
	result->by_default = -1;
	for (i = 0; i < prompts.count; i++)
	{
		const mb_prompt *prompt = &prompts.list[i];

		result->names[i] = text_to_cstring(mobilebert_text_make(prompt->name,
																strlen(prompt->name)));
		result->texts[i] = mobilebert_text_make(prompt->text, prompt->length);
		if (prompt == prompts.by_default)
			result->by_default = (int) i;
	}
	result->count = (int) prompts.count;
	MemoryContextDelete(scratch);
	return result;
}

static const MobilebertPrompts *
prompts_of(const MobilebertModel *model)
{
	MobilebertModel *owner = (MobilebertModel *) model; /* for its cache */
	MemoryContext context;
	MemoryContext old;
	MobilebertPrompts *prompts;

	if (model->prompts != NULL)
		return model->prompts;

	/* An error leaves nothing behind where the model lives. */
	context = AllocSetContextCreate(CurrentMemoryContext, "mobilebert prompts",
									ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	prompts = prompts_read(model->registry, model->image.settings.prompts);
	MemoryContextSwitchTo(old);
	MemoryContextSetParent(context, GetMemoryChunkContext(owner));
	owner->prompts = prompts;
	return prompts;
}

/* Does a model that is not loaded put prompts before texts for that? */
static bool
has_prompts_for(const RegistryModel *row, MobilebertPrompted what)
{
	mb_memory	memory = mobilebert_memory(CurrentMemoryContext);
	mb_sentence_files files = {0};
	mb_sentence_settings settings;
	mb_arena	arena;
	Documents	documents;

	if (what == PROMPTED_VECTOR ||
		registry_file(&row->id, document_names[DOC_CLASSIFIER], NULL) != NULL)
		return true;
	if (what == PROMPTED_LABEL)
		return false;
	mb_arena_init(&arena, &memory, SIZE_MAX);
	documents_init(&documents, &arena);
	documents_load(&documents, row, DOC_CONFIG, NULL);
	documents_load(&documents, row, DOC_SENTENCE_CONFIG, NULL);
	files.config = documents_tree(&documents, DOC_CONFIG);
	files.sentence_config = documents_tree(&documents, DOC_SENTENCE_CONFIG);
	ENGINE_CALL(mb_sentence_settings_read, &files, &settings);
	return settings.cross_encoder != 0;
}

pg_noreturn static void
no_such_prompt(const MobilebertModel *model, const MobilebertPrompts *prompts,
			   const char *name)
{
	StringInfoData names;
	int			i;

	initStringInfo(&names);
	for (i = 0; i < prompts->count; i++)
		mobilebert_list_name(&names, prompts->names[i]);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("model \"%s\" has no prompt \"%s\"", model->name, name),
			 errdetail("Its prompts are %s.", names.data),
			 errhint("Give another text with prompt_text => '...'.")));
}

/* The number of a prompt, with NULL of the default one; -1: there is none. */
static int
find_prompt(const MobilebertPrompts *prompts, const char *name)
{
	int			i;

	if (name == NULL)
		return prompts->by_default;
	for (i = 0; i < prompts->count; i++)
		if (strcmp(prompts->names[i], name) == 0)
			return i;
	return -1;
}

/* A prompt's text, NULL for one that is empty */
static text *
prompt_text(const MobilebertPrompts *prompts, int number)
{
	text	   *found = number < 0 ? NULL : prompts->texts[number];

	return found == NULL || VARSIZE_ANY_EXHDR(found) == 0 ? NULL : found;
}

text *
mobilebert_prompt_peek(const RegistryModel *row, MobilebertPrompted what,
					   const char **name)
{
	const MobilebertPrompts *prompts;
	int			number;

	if (!has_prompts_for(row, what))
		return NULL;
	prompts = prompts_read(row, true);
	number = find_prompt(prompts, *name);
	if (number >= 0)
		*name = prompts->names[number];
	return prompt_text(prompts, number);
}

text *
mobilebert_prompt(const MobilebertModel *model, const char *name)
{
	const MobilebertPrompts *prompts;
	int			number;

	if (name == NULL && !model->image.settings.prompts)
		return NULL;
	prompts = prompts_of(model);
	number = find_prompt(prompts, name);
	if (name != NULL && number < 0)
		no_such_prompt(model, prompts, name);
	return prompt_text(prompts, number);
}

text *
mobilebert_prompt_apply(text *prompt, text *value)
{
	size_t		before;
	size_t		after;
	text	   *whole;

	if (prompt == NULL)
		return value;
	before = VARSIZE_ANY_EXHDR(prompt);
	after = VARSIZE_ANY_EXHDR(value);
	whole = palloc(VARHDRSZ + before + after);
	SET_VARSIZE(whole, VARHDRSZ + before + after);
	memcpy(VARDATA(whole), VARDATA_ANY(prompt), before);
	mobilebert_copy(VARDATA(whole) + before, VARDATA_ANY(value), after);
	return whole;
}
