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
	text	   *by_default;		/* or NULL */
} MobilebertPrompts;

/* The result is all in the current context, in which nothing else remains. */
static MobilebertPrompts *
prompts_read(const MobilebertModel *model)
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
	if (model->image.settings.prompts)
		documents_load(&documents, model->registry, DOC_SENTENCE_CONFIG, NULL);
	ENGINE_CALL(mb_prompts_read,
				documents_tree(&documents, DOC_SENTENCE_CONFIG), &arena,
				&prompts);
	MemoryContextSwitchTo(old);
	result->names = palloc(prompts.count * sizeof(char *));
	result->texts = palloc(prompts.count * sizeof(text *));
	for (i = 0; i < prompts.count; i++)
	{
		const mb_prompt *prompt = &prompts.list[i];

		result->names[i] = text_to_cstring(mobilebert_text_make(prompt->name,
																strlen(prompt->name)));
		result->texts[i] = mobilebert_text_make(prompt->text, prompt->length);
		if (prompt == prompts.by_default)
			result->by_default = result->texts[i];
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
	prompts = prompts_read(model);
	MemoryContextSwitchTo(old);
	MemoryContextSetParent(context, GetMemoryChunkContext(owner));
	owner->prompts = prompts;
	return prompts;
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

text *
mobilebert_prompt(const MobilebertModel *model, const char *name)
{
	const MobilebertPrompts *prompts;
	text	   *found = NULL;
	int			i;

	if (name == NULL && !model->image.settings.prompts)
		return NULL;
	prompts = prompts_of(model);
	if (name == NULL)
		found = prompts->by_default;
	else
	{
		for (i = 0; i < prompts->count && found == NULL; i++)
			if (strcmp(prompts->names[i], name) == 0)
				found = prompts->texts[i];
		if (found == NULL)
			no_such_prompt(model, prompts, name);
	}
	return found == NULL || VARSIZE_ANY_EXHDR(found) == 0 ? NULL : found;
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
