/*-------------------------------------------------------------------------
 *
 * fn_embed_array.c
 *	  Sentence embeddings of many texts: embed(text[]).
 *
 * Each distinct text runs once.  Rows go to the result as soon as all before
 * them are known, and a vector is kept only while the same text comes again;
 * when those kept exceed mobilebert.memory_limit, the rest is forgotten and will
 * be computed again.
 *
 * Depends on server/pg.h, server/adapt.h, server/guc.h, server/options.h,
 * models/model_cache.h, pass/calls.h, pass/truncation.h, functions/embed.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/guc.h"
#include "server/options.h"
#include "models/model_cache.h"
#include "pass/calls.h"
#include "pass/truncation.h"
#include "functions/embed.h"

#include "common/hashfn.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

/* A distinct text of the array. */
typedef struct ArrayText
{
	text	   *input;			/* hash key, must be first */
	EmbedJob	job;
	int			copies;			/* rows that still want the vector */
	int			waiting;		/* those of them that were read already */
	bool		kept;			/* the vector counts in EmbedArray.kept */
} ArrayText;

typedef struct EmbedArray
{
	int			count;
	ArrayText **texts;			/* [count]; NULL: a null element */
	int			done;			/* rows put */
	size_t		kept;			/* bytes of vectors that are wanted again */
} EmbedArray;

static uint32
text_hash(const void *key, Size size)
{
	const text *t = *(text *const *) key;

	(void) size;
	return hash_bytes((const unsigned char *) VARDATA_ANY(t),
					  (int) VARSIZE_ANY_EXHDR(t));
}

static int
text_differs(const void *a, const void *b, Size size)
{
	(void) size;
	return !mobilebert_same_value(*(text *const *) a, *(text *const *) b);
}

/*
 * A table of texts.  The server's dynahash never stops to grow all of itself,
 * which a cancel would have to wait for, and what it holds stays in its place.
 */
static HTAB *
table_make(void)
{
	HASHCTL		control = {0};

	control.keysize = sizeof(text *);
	control.entrysize = sizeof(ArrayText);
	control.hash = text_hash;
	control.match = text_differs;
	control.hcxt = CurrentMemoryContext;
	return hash_create("mobilebert texts", 256, &control,
					   HASH_ELEM | HASH_FUNCTION | HASH_COMPARE |
					   HASH_CONTEXT);
}

/* The server's deconstruct_array() could not be interrupted. */
static void
array_read(EmbedArray *array, const EmbedPlan *plan, ArrayType *value)
{
	HTAB	   *table = table_make();
	ArrayIterator iterator = array_create_iterator(value, 0, NULL);
	Datum		element;
	bool		null;
	int			i;

	memset(array, 0, sizeof(*array));
	array->count = ArrayGetNItems(ARR_NDIM(value), ARR_DIMS(value));
	array->texts = mobilebert_allocate((size_t) array->count,
									   sizeof(ArrayText *));
	for (i = 0; i < array->count && array_iterate(iterator, &element, &null);
		 i++)
	{
		text	   *input;
		ArrayText  *entry;
		bool		found;

		CHECK_FOR_INTERRUPTS();
		array->texts[i] = NULL;
		if (null)
			continue;
		input = DatumGetTextPP(element);
		mobilebert_memory_check("array of texts",
								(size_t) array->count * sizeof(ArrayText *) +
								(size_t) hash_get_num_entries(table) *
								sizeof(ArrayText));
		entry = hash_search(table, &input, HASH_ENTER, &found);
		if (!found)
		{
			embed_job_init(&entry->job, plan, input);
			entry->copies = 0;
			entry->waiting = 0;
			entry->kept = false;
		}
		entry->copies++;
		array->texts[i] = entry;
	}
	array_free_iterator(iterator);
}

/* A row was put: keep the vector for the next copy, if any, and if it fits. */
static void
array_keep(EmbedArray *array, ArrayText *entry, size_t bytes)
{
	entry->copies--;
	entry->waiting--;
	if (entry->kept)
		array->kept -= bytes;
	entry->kept = entry->waiting > 0 ||
		(entry->copies > 0 && array->kept + bytes <=
		 (size_t) mobilebert_memory_limit * 1024);
	if (entry->kept)
		array->kept += bytes;
	else
	{
		pfree(entry->job.vector);
		entry->job.vector = NULL;
	}
}

/* Put rows before "end", up to the first that is not known. */
static void
array_put(EmbedArray *array, const EmbedPlan *plan, int end)
{
	ReturnSetInfo *info = (ReturnSetInfo *) plan->fcinfo->resultinfo;
	size_t		dimension = plan->options.dimension;

	for (; array->done < end; array->done++)
	{
		ArrayText  *entry = array->texts[array->done];
		Datum		value = (Datum) 0;
		bool		null = entry == NULL;

		CHECK_FOR_INTERRUPTS();
		if (entry != NULL && entry->job.vector == NULL)
			break;
		if (entry != NULL)
			value = PointerGetDatum(mobilebert_real_array(entry->job.vector,
														  dimension));
		tuplestore_putvalues(info->setResult, info->setDesc, &value, &null);
		if (entry == NULL)
			continue;
		pfree(DatumGetPointer(value));
		array_keep(array, entry, dimension * sizeof(float));
	}
}

/* Give the job to the run; its vector is there when its last window has run. */
static void
array_add(EmbedJob *job, MobilebertRun *run, MemoryContext scratch)
{
	MemoryContext old = MemoryContextSwitchTo(scratch);

	job->call.sequences = 0;
	embed_job_begin(job);
	mobilebert_run_add(run, &job->call);
	MemoryContextSwitchTo(old);
	MemoryContextReset(scratch);
}

/* Run the texts in order. */
static void
array_run(EmbedArray *array, const EmbedPlan *plan)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext,
												  "mobilebert text",
												  ALLOCSET_DEFAULT_SIZES);
	MobilebertRun run;
	int			i;

	mobilebert_run_init(&run);
	for (i = 0; i < array->count; i++)
	{
		ArrayText  *entry = array->texts[i];

		CHECK_FOR_INTERRUPTS();
		if (entry != NULL)
		{
			entry->waiting++;
			if (entry->job.vector == NULL && !entry->job.running)
				array_add(&entry->job, &run, scratch);
			else if (entry->job.cut_tokens > 0)
				mobilebert_note_truncated(plan->fcinfo, entry->job.cut_tokens,
										  plan->options.limit);
		}
		array_put(array, plan, i + 1);
	}
	mobilebert_run_flush(&run);
	array_put(array, plan, array->count);
	MemoryContextDelete(scratch);
}

/*
 * embed(input text[], model text, ...) -> setof real[], a row for each element
 * in order, NULL for NULL
 */
PG_FUNCTION_INFO_V1(mobilebert_embed_array);
Datum
mobilebert_embed_array(PG_FUNCTION_ARGS)
{
	EmbedPlan	plan;
	EmbedArray	array;

	mobilebert_srf_begin(fcinfo);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	embed_options_read(&plan, fcinfo);
	array_read(&array, &plan, PG_GETARG_ARRAYTYPE_P(0));
	array_run(&array, &plan);
	return (Datum) 0;
}
