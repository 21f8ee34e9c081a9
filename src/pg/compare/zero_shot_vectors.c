/*-------------------------------------------------------------------------
 *
 * zero_shot_vectors.c
 *	  Labels of one's own by a model that embeds: how alike a text and each
 *	  label are.
 *
 * Text and sentences are embedded as embed() does it, with the model's default
 * prompt before each, as sentence-transformers' encode(); the score of a label
 * follows from the cosine of both vectors.  A call is the call of embed() with
 * its text, so that calls of many rows share passes.
 *
 * The labels of a statement are mostly the same for all rows.  The vectors of
 * the first that it asks for stay with the statement (fn_extra) as long as its
 * calls do; calls with others compute theirs, or find them among the results
 * that the session keeps.  Calls that wait point to the vectors, so that what
 * is there stays.
 *
 * Start with zero_shot_vectors_begin().
 *
 * Depends on server/pg.h, server/adapt.h, server/options.h,
 * models/model_cache.h, models/prompts.h, pass/calls.h, pass/queue.h,
 * functions/batched.h, compare/zero_shot.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/options.h"
#include "models/model_cache.h"
#include "models/prompts.h"
#include "pass/calls.h"
#include "pass/queue.h"
#include "functions/batched.h"
#include "compare/zero_shot.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#define DEFAULT_TEMPLATE "{}"

/* The arguments of embed(); those that are not named here are NULL. */
#define EMBED_INPUT 0
#define EMBED_MODEL 1
#define EMBED_OVERFLOW 5
#define EMBED_STRIDE 6
#define EMBED_MAX_LENGTH 9
#define EMBED_ARGUMENTS 11

/* Vectors of labels. */
typedef struct ZeroShotVectors
{
	MemoryContext context;		/* holds all of it */
	StringInfoData key;			/* what they depend on */
	size_t		count;
	size_t		known;			/* while they are made: so many */
	size_t		dimension;
	float	   *values;			/* [count][dimension] */
} ZeroShotVectors;

typedef struct VectorsCall
{
	ZeroShotCall base;
	MobilebertCall *embed;		/* of the text */
	const ZeroShotVectors *labels;
} VectorsCall;

/* Begin embed(value) with the options of the call of zero_shot(). */
static MobilebertCall *
embed_text(FunctionCallInfo fcinfo, const MobilebertModel *model, text *value)
{
	FunctionCallInfo embed = mobilebert_inner_call(fcinfo, EMBED_ARGUMENTS);

	mobilebert_inner_argument(embed, EMBED_INPUT, PointerGetDatum(value));
	mobilebert_inner_argument(embed, EMBED_MODEL,
							  CStringGetTextDatum(model->name));
	if (ARG_IS_GIVEN(ZERO_SHOT_OVERFLOW))
		embed->args[EMBED_OVERFLOW] = fcinfo->args[ZERO_SHOT_OVERFLOW];
	if (ARG_IS_GIVEN(ZERO_SHOT_STRIDE))
		embed->args[EMBED_STRIDE] = fcinfo->args[ZERO_SHOT_STRIDE];
	if (ARG_IS_GIVEN(ZERO_SHOT_MAX_LENGTH))
		embed->args[EMBED_MAX_LENGTH] = fcinfo->args[ZERO_SHOT_MAX_LENGTH];
	return mobilebert_embed_begin(embed);
}

/* The vector of a call that is done; it lies in the array. */
static const float *
embedded(MobilebertCall *call, ArrayType **array)
{
	bool		null;

	*array = DatumGetArrayTypeP(call->result(call, &null));
	return (const float *) ARR_DATA_PTR(*array);
}

/*
 * Vectors of labels
 */

static void
key_append(StringInfo key, FunctionCallInfo fcinfo, int n)
{
	struct varlena *value;
	int			length = -1;

	if (!ARG_IS_GIVEN(n))
	{
		appendBinaryStringInfo(key, (const char *) &length, sizeof(length));
		return;
	}
	value = PG_GETARG_VARLENA_PP(n);
	length = (int) VARSIZE_ANY_EXHDR(value);
	appendBinaryStringInfo(key, (const char *) &length, sizeof(length));
	appendBinaryStringInfo(key, VARDATA_ANY(value), length);
}

/* What the vectors of a call's labels depend on. */
static void
key_make(StringInfo key, FunctionCallInfo fcinfo, const MobilebertModel *model)
{
	const void *kernels = model->image.model.kernels;
	Oid			role = GetUserId();
	text	   *prompt = mobilebert_prompt(model, NULL);
	int32		stride = ARG_INT(ZERO_SHOT_STRIDE, -1);
	int32		max_length = ARG_INT(ZERO_SHOT_MAX_LENGTH, -1);

	initStringInfo(key);
	appendBinaryStringInfo(key, (const char *) model->registry->image_key,
						   sizeof(model->registry->image_key));
	appendBinaryStringInfo(key, (const char *) &kernels, sizeof(kernels));
	appendBinaryStringInfo(key, (const char *) &role, sizeof(role));
	appendBinaryStringInfo(key, (const char *) &stride, sizeof(stride));
	appendBinaryStringInfo(key, (const char *) &max_length,
						   sizeof(max_length));
	key_append(key, fcinfo, ZERO_SHOT_LABELS);
	key_append(key, fcinfo, ZERO_SHOT_DESCRIPTIONS);
	key_append(key, fcinfo, ZERO_SHOT_TEMPLATE);
	key_append(key, fcinfo, ZERO_SHOT_OVERFLOW);
	if (prompt != NULL)
		appendBinaryStringInfo(key, VARDATA_ANY(prompt),
							   (int) VARSIZE_ANY_EXHDR(prompt));
}

static void
label_done(void *owner, MobilebertQueued *queued)
{
	ZeroShotVectors *vectors = owner;
	MemoryContext old = MemoryContextSwitchTo(vectors->context);
	ArrayType  *array;
	const float *vector = embedded(queued->call, &array);

	if (vectors->values == NULL)
	{
		vectors->dimension = (size_t) ARR_DIMS(array)[0];
		vectors->values = mobilebert_allocate(vectors->count,
											  vectors->dimension *
											  sizeof(float));
	}
	memcpy(vectors->values + vectors->known * vectors->dimension, vector,
		   vectors->dimension * sizeof(float));
	vectors->known++;
	pfree(array);
	MemoryContextSwitchTo(old);
}

/* Give the sentence of a label to the queue. */
static void
label_add(MobilebertQueue *queue, ZeroShotCall *z, FunctionCallInfo fcinfo,
		  size_t n)
{
	MobilebertQueued *queued = mobilebert_queue_room(queue,
													 sizeof(MobilebertQueued));
	MemoryContext old = MemoryContextSwitchTo(queued->context);

	queued->call = embed_text(fcinfo, z->call.model, zero_shot_sentence(z, n));
	MemoryContextSwitchTo(old);
	mobilebert_queue_add(queue, queued);
}

/* Compute them, packed; all of it is in a context below the current one. */
static ZeroShotVectors *
vectors_make(ZeroShotCall *z, FunctionCallInfo fcinfo)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "mobilebert labels",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext,
												  "mobilebert labels' passes",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	ZeroShotVectors *vectors = palloc0(sizeof(ZeroShotVectors));
	MobilebertQueue queue;
	size_t		i;

	vectors->context = context;
	vectors->count = z->count;
	MemoryContextSwitchTo(scratch);
	mobilebert_queue_init(&queue, label_done, vectors);
	for (i = 0; i < z->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		label_add(&queue, z, fcinfo, i);
	}
	mobilebert_queue_flush(&queue);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
	return vectors;
}

/* Those of the statement if they will do, else others. */
static const ZeroShotVectors *
vectors_find(ZeroShotCall *z, FunctionCallInfo fcinfo)
{
	ZeroShotStatement *statement = zero_shot_statement(fcinfo);
	ZeroShotVectors *vectors;
	StringInfoData key;
	MemoryContext old;

	if (statement == NULL)
		return vectors_make(z, fcinfo);
	key_make(&key, fcinfo, z->call.model);
	vectors = statement->vectors;
	if (vectors != NULL && vectors->key.len == key.len &&
		memcmp(vectors->key.data, key.data, key.len) == 0)
	{
		pfree(key.data);
		return vectors;
	}
	vectors = vectors_make(z, fcinfo);
	if (statement->vectors == NULL)
	{
		old = MemoryContextSwitchTo(vectors->context);
		initStringInfo(&vectors->key);
		appendBinaryStringInfo(&vectors->key, key.data, key.len);
		MemoryContextSwitchTo(old);
		MemoryContextSetParent(vectors->context, fcinfo->flinfo->fn_mcxt);
		statement->vectors = vectors;
	}
	pfree(key.data);
	return vectors;
}

/*
 * The call
 */

static void
score_labels(VectorsCall *call)
{
	const ZeroShotVectors *labels = call->labels;
	ZeroShotCall *z = &call->base;
	ArrayType  *array;
	const float *vector = embedded(call->embed, &array);
	size_t		i;

	for (i = 0; i < z->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		z->scores[i] = mb_cosine_similarity(vector, labels->values +
											i * labels->dimension,
											labels->dimension);
	}
	mb_similarity_scores(z->scores, z->count, z->alone, z->scores);
	pfree(array);
}

static void
vectors_sequence(MobilebertCall *call, size_t n, MobilebertSequence *sequence)
{
	MobilebertCall *embed = ((VectorsCall *) call)->embed;

	embed->sequence(embed, n, sequence);
}

static void
vectors_take(MobilebertCall *call, size_t n,
			 const MobilebertSequence *sequence, const float *states)
{
	MobilebertCall *embed = ((VectorsCall *) call)->embed;

	embed->take(embed, n, sequence, states);
	if (n + 1 == call->sequences)
		score_labels((VectorsCall *) call);
}

ZeroShotCall *
zero_shot_vectors_begin(FunctionCallInfo fcinfo)
{
	VectorsCall *call = palloc0(sizeof(VectorsCall));
	ZeroShotCall *z = &call->base;

	z->call.model = mobilebert_model_argument(fcinfo, ZERO_SHOT_MODEL,
											  MOBILEBERT_ZERO_SHOT);
	zero_shot_labels_read(z, fcinfo, DEFAULT_TEMPLATE);
	if (z->count == 0)
		return z;
	z->scores = mobilebert_allocate(z->count, sizeof(float));
	call->labels = vectors_find(z, fcinfo);
	call->embed = embed_text(fcinfo, z->call.model,
							PG_GETARG_TEXT_PP(ZERO_SHOT_INPUT));
	z->call.layers = call->embed->layers;
	z->call.first_only = call->embed->first_only;
	z->call.sequences = call->embed->sequences;
	z->call.sequence = vectors_sequence;
	z->call.take = vectors_take;
	if (z->call.sequences == 0)
		score_labels(call);
	return z;
}
