/*-------------------------------------------------------------------------
 *
 * labels.c
 *	  The labels of a model's outputs, as text in the database encoding.
 *
 * They stand in config.json and not in the weight image.  Reading it takes a
 * look into the registry and a parse, so what was read stays with the model as
 * long as the model is cached: for each pipeline apart, as config.json may
 * override keys for one (engine's labels.h).
 *
 * Depends on server/pg.h, server/adapt.h, models/documents.h,
 * models/model_cache.h, models/registry.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "models/documents.h"
#include "models/labels.h"
#include "models/model_cache.h"
#include "models/registry.h"

#include "miscadmin.h"
#include "utils/memutils.h"

static MobilebertLabels *labels_read(const MobilebertModel *model,
									 mb_task head, const char *pipeline);

/* The result is all in the current context, in which nothing else remains. */
static MobilebertLabels *
labels_read(const MobilebertModel *model, mb_task head, const char *pipeline)
{
	MobilebertLabels *result = palloc0(sizeof(MobilebertLabels));
	size_t		outputs = mb_head_width(&model->image.model, head);
	MemoryContext old = CurrentMemoryContext;
	MemoryContext scratch = AllocSetContextCreate(old, "mobilebert config",
												  ALLOCSET_DEFAULT_SIZES);
	mb_memory	memory = mobilebert_memory(scratch);
	mb_arena	arena;
	Documents	documents;
	mb_json    *root;
	mb_labels	labels;
	size_t		i;

	result->pipeline = pstrdup(pipeline);
	result->outputs = outputs;
	result->names = palloc0(Max(outputs, 1) * sizeof(Datum));

	MemoryContextSwitchTo(scratch);
	mb_arena_init(&arena, &memory, SIZE_MAX);
	documents_init(&documents, &arena);
	documents_load(&documents, model->registry, DOC_CONFIG, NULL);
	root = documents_tree(&documents, DOC_CONFIG);
	ENGINE_CALL(mb_labels_read, root, pipeline, outputs, &arena, &labels);
	result->count = labels.count;
	result->problem = labels.problem;
	if (strcmp(pipeline, "zero-shot-classification") == 0 && outputs > 0)
		ENGINE_CALL(mb_entailment_output, root, pipeline, outputs,
					&result->entailment, &result->entailment_named);
	MemoryContextSwitchTo(old);
	for (i = 0; i < outputs; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (labels.names[i].text != NULL)
			result->names[i] = PointerGetDatum(mobilebert_text_make(labels.names[i].text,
																	labels.names[i].length));
	}
	MemoryContextDelete(scratch);
	return result;
}

const MobilebertLabels *
mobilebert_labels(const MobilebertModel *model, mb_task head,
				  const char *pipeline)
{
	MobilebertModel *owner = (MobilebertModel *) model;	/* for its cache */
	MobilebertLabels *labels;
	MemoryContext context;
	MemoryContext old;

	for (labels = model->labels; labels != NULL; labels = labels->next)
	{
		if (strcmp(labels->pipeline, pipeline) == 0)
			return labels;
	}

	/* An error leaves nothing behind where the model lives. */
	context = AllocSetContextCreate(CurrentMemoryContext, "mobilebert labels",
									ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	labels = labels_read(model, head, pipeline);
	MemoryContextSwitchTo(old);
	MemoryContextSetParent(context, GetMemoryChunkContext(owner));
	labels->next = owner->labels;
	owner->labels = labels;
	return labels;
}

Datum
mobilebert_label_name(const MobilebertModel *model,
					  const MobilebertLabels *labels, size_t output)
{
	if (labels->names[output] == (Datum) 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("output %zu of model \"%s\" has no label", output,
						model->name),
				 errdetail("The \"id2label\" of its config.json leaves it out.")));
	return labels->names[output];
}
