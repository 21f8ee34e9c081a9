/*-------------------------------------------------------------------------
 *
 * fitted.c
 *	  Models that are classifiers fitted on the frozen states of another.
 *
 * Their two documents are not in the weight image, which is the base's; they
 * are read when the first call asks, and stay with the model as long as it is
 * cached, as labels do (labels.c).
 *
 * Depends on server/pg.h, server/adapt.h, models/documents.h,
 * models/model_cache.h, models/registry.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "models/documents.h"
#include "models/fitted.h"
#include "models/model_cache.h"
#include "models/registry.h"

#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* All of a label's text, zero-terminated, in the current context. */
static void
keep_labels(MobilebertFitted *fitted)
{
	mb_labels  *labels = &fitted->classifier.labels;
	MobilebertLabels *named = &fitted->labels;
	size_t		i;

	named->pipeline = "text-classification";
	named->outputs = named->count = labels->outputs;
	named->problem = labels->problem;
	named->names = palloc(labels->outputs * sizeof(Datum));
	for (i = 0; i < labels->outputs; i++)
		named->names[i] =
			PointerGetDatum(mobilebert_text_make(labels->names[i].text,
												 labels->names[i].length));
}

/*
 * The result is in the current context, with its arena.  All documents are read
 * under one snapshot and counted first: one that a restore has not brought yet
 * is not one that the model does not have.
 */
static MobilebertFitted *
fitted_read(const MobilebertModel *model)
{
	MobilebertFitted *fitted;
	mb_memory	memory = mobilebert_memory(CurrentMemoryContext);
	Snapshot	snapshot = registry_snapshot();
	mb_arena	arena;
	Documents	documents;
	const mb_document *weights;

	mb_arena_init(&arena, &memory, SIZE_MAX);
	documents_init(&documents, &arena);
	registry_check_files(model->registry, snapshot);
	documents_load(&documents, model->registry, DOC_CLASSIFIER, snapshot);
	documents_load(&documents, model->registry, DOC_CLASSIFIER_WEIGHTS,
				   snapshot);
	UnregisterSnapshot(snapshot);
	weights = &documents.files[DOC_CLASSIFIER_WEIGHTS];
	if (documents.files[DOC_CLASSIFIER].text == NULL)
		return NULL;
	fitted = palloc0(sizeof(MobilebertFitted));
	ENGINE_CALL(mb_classifier_read, documents_tree(&documents, DOC_CLASSIFIER),
				weights->text, weights->text == NULL ? 0 : weights->length,
				&model->image.config, &arena, &mobilebert_cancel,
				&fitted->classifier);
	keep_labels(fitted);
	return fitted;
}

const MobilebertFitted *
mobilebert_fitted(const MobilebertModel *model)
{
	MobilebertModel *owner = (MobilebertModel *) model; /* for its cache */
	MobilebertFitted *fitted;
	MemoryContext context;
	MemoryContext old;

	if (model->fitted_known)
		return model->fitted;

	/* An error leaves nothing behind where the model lives. */
	context = AllocSetContextCreate(CurrentMemoryContext,
									"mobilebert classifier",
									ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	fitted = fitted_read(model);
	MemoryContextSwitchTo(old);
	if (fitted == NULL)
		MemoryContextDelete(context);
	else
		MemoryContextSetParent(context, GetMemoryChunkContext(owner));
	owner->fitted = fitted;
	owner->fitted_known = true;
	return fitted;
}

void
mobilebert_not_fitted(const MobilebertModel *model, const char *what)
{
	if (mobilebert_fitted(model) == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("model \"%s\" has no head for %s", model->name, what),
			 errdetail("It is a classifier that was fitted on the frozen states of a model."),
			 errhint("Use mobilebert.label(), mobilebert.classify() or mobilebert.score().")));
}
