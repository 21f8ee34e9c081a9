/*-------------------------------------------------------------------------
 *
 * fn_embed.c
 *	  Sentence embeddings: embed() in its forms, and similarity().
 *
 * Each text is an EmbedJob: a call (calls.c) that gets its vector when the pass
 * with its last window has run.  It is pooled as its windows come, one or many
 * (the engine's mb_pool), so its states are never all in memory.
 *
 * A vector depends on its own text only: not on what shares the pass, nor on
 * where a long text's windows were parted among passes.
 *
 * embed(text[]) runs each distinct text once.  Rows go to the result as soon
 * as all before them are known, and a vector is kept only while the same text
 * comes again; when those kept exceed mobilebert.memory_limit, the rest is
 * forgotten and will be computed again.
 *
 * Source: sentence-transformers' Pooling and Normalize (spec pipelines.md 8).
 * Depends on server/pg.h, server/adapt.h, server/guc.h, server/options.h,
 * models/model_cache.h, models/registry.h, models/stats.h, pass/calls.h,
 * pass/pass.h, pass/result_cache.h, pass/sequences.h, pass/truncation.h,
 * pass/workspace.h, functions/batched.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/guc.h"
#include "server/options.h"
#include "models/model_cache.h"
#include "models/registry.h"
#include "models/stats.h"
#include "pass/calls.h"
#include "pass/pass.h"
#include "pass/result_cache.h"
#include "pass/sequences.h"
#include "pass/truncation.h"
#include "pass/workspace.h"
#include "functions/batched.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/primnodes.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"

typedef struct EmbedOptions
{
	uint32		pooling;		/* bits of mb_pooling */
	bool		normalize;
	size_t		layers;			/* hidden_states[layers] is pooled */
	MobilebertOverflow overflow;
	size_t		stride;
	size_t		dimension;		/* floats of a vector */
} EmbedOptions;

/* What the texts of one SQL call have in common. */
typedef struct EmbedPlan
{
	FunctionCallInfo fcinfo;
	const MobilebertModel *model;
	EmbedOptions options;
	MemoryContext context;		/* vectors and what they are pooled in */
} EmbedPlan;

typedef struct EmbedJob
{
	MobilebertCall call;
	const EmbedPlan *plan;
	text	   *input;
	MobilebertInput *in;		/* while sequences are asked for */
	uint32		hash;			/* of its bytes */
	int			copies;			/* rows that still want the vector */
	int			waiting;		/* those of them that were read already */
	bool		running;		/* taken by the run, not known yet */
	bool		kept;			/* its vector counts in EmbedArray.kept */
	size_t		cut_tokens;		/* of the whole text when it was cut, else 0 */
	mb_pool    *pool;			/* from the first window to the last */
	float	   *vector;			/* [dimension]; NULL until it is known */
} EmbedJob;

/* What a cached vector depends on beside the bytes of the text. */
typedef struct EmbedKey
{
	uint8		image_key[PG_SHA256_DIGEST_LENGTH];
	const void *kernels;		/* mobilebert.instruction_set may change */
	size_t		limit;			/* tokens of a window */
	size_t		layers;
	size_t		stride;
	uint32		pooling;
	uint32		normalize;
	uint32		overflow;
	uint32		unused;
} EmbedKey;

/* The vector of a text that is the same for all rows; hangs on fn_extra. */
typedef struct EmbedMemo
{
	bool		fixed;			/* else there is nothing to keep */
	MemoryContext context;		/* holds the rest */
	ArrayType  *vector;			/* NULL: not computed yet */
	text	   *input;
	char	   *default_model;	/* what the vector depends on beside it */
	uint64		generation;
	const void *kernels;
} EmbedMemo;

/* embed(text[]): the elements, and the rows of the result so far. */
typedef struct EmbedArray
{
	int			count;
	int		   *index;			/* [count]: into jobs; -1: null */
	EmbedJob   *jobs;			/* distinct texts */
	int			jobs_used;
	int			jobs_room;
	int		   *table;			/* [table_size]: into jobs by hash; -1: free */
	uint32		table_size;		/* a power of two */
	int			done;			/* rows put */
	size_t		kept;			/* bytes of vectors that are wanted again */
} EmbedArray;

/*
 * Options
 */

/* One name, or several separated by commas; 0 when NULL. */
static uint32
pooling_option(text *value)
{
	uint32		pooling = 0;
	char	   *names;
	char	   *name;

	if (value == NULL)
		return 0;
	names = text_to_cstring(value);
	for (name = names; name != NULL;)
	{
		char	   *comma = strchr(name, ',');
		uint32		bit;

		if (comma != NULL)
			*comma = '\0';
		while (*name == ' ')
			name++;
		bit = mb_pooling_from_name(name);
		if (bit == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid value for option \"pooling\": \"%s\"",
							name),
					 errdetail("Legal values are \"mean\", \"cls\", \"max\", \"mean_sqrt_len_tokens\", \"weightedmean\", \"lasttoken\" and \"pooler\", or several of them separated by commas.")));
		pooling |= bit;
		name = comma == NULL ? NULL : comma + 1;
	}
	pfree(names);
	return pooling;
}

/* Fill in what the model decides. */
static void
options_finish(EmbedPlan *plan)
{
	const mb_config *config = &plan->model->image.config;
	EmbedOptions *options = &plan->options;

	if (options->pooling == 0)
		options->pooling = plan->model->image.settings.pooling;
	if ((options->pooling & MB_POOL_POOLER) != 0 &&
		options->layers != config->layers)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("pooling \"pooler\" needs the last layer"),
				 errhint("Leave out the option \"layer\".")));
	options->dimension = mb_pool_width(&plan->model->image.model,
									   options->pooling);
}

/* The options that the forms for texts and for ids share: 1 to 4. */
static void
options_model(EmbedPlan *plan)
{
	FunctionCallInfo fcinfo = plan->fcinfo;
	EmbedOptions *options = &plan->options;
	const MobilebertModel *model;

	options->pooling = pooling_option(ARG_TEXT(2));
	model = mobilebert_model_argument(fcinfo, 1,
									  (options->pooling & MB_POOL_POOLER) != 0 ?
									  MB_TASK_POOLER : MB_TASK_EMBED);
	plan->model = model;
	options->normalize = ARG_BOOL(3, model->image.settings.normalize != 0);
	options->layers = mobilebert_layer(fcinfo, 4,
									   (size_t) model->image.config.layers + 1,
									   model->image.config.layers);
	options_finish(plan);
}

static void
plan_init(EmbedPlan *plan, FunctionCallInfo fcinfo)
{
	memset(plan, 0, sizeof(*plan));
	plan->fcinfo = fcinfo;
	plan->context = CurrentMemoryContext;
}

/* Model and options of embed(text) and embed(text[]). */
static void
options_read(EmbedPlan *plan, FunctionCallInfo fcinfo)
{
	plan_init(plan, fcinfo);
	plan->options.overflow = mobilebert_overflow(ARG_TEXT(5),
												 OVERFLOW_TRUNCATE);
	options_model(plan);
	plan->options.stride = mobilebert_stride(fcinfo, 6, plan->model, 0);
}

/*
 * Pooling
 */

/* In the plan's context: windows of a text come in several passes. */
static mb_pool *
pool_begin(const EmbedPlan *plan)
{
	const mb_model *model = &plan->model->image.model;
	uint32		modes = plan->options.pooling;
	Size		head = MAXALIGN(sizeof(mb_pool));
	mb_pool    *pool = MemoryContextAlloc(plan->context, head +
										  mb_pool_memory(model, modes));

	ENGINE_CALL(mb_pool_begin, pool, model, modes, (char *) pool + head);
	return pool;
}

/* The vector, in the plan's context. */
static float *
pool_end(const EmbedPlan *plan, mb_pool *pool)
{
	float	   *vector = MemoryContextAlloc(plan->context,
											plan->options.dimension *
											sizeof(float));

	ENGINE_CALL(mb_pool_end, pool, vector);
	pfree(pool);
	if (plan->options.normalize)
		mb_normalize(vector, plan->options.dimension);
	return vector;
}

/*
 * Jobs
 */

static void *
plan_key(const EmbedPlan *plan, text *input, size_t *size)
{
	size_t		length = VARSIZE_ANY_EXHDR(input);
	EmbedKey   *key = palloc0(sizeof(EmbedKey) + length);

	memcpy(key->image_key, plan->model->registry->image_key,
		   sizeof(key->image_key));
	key->kernels = mb_kernels_current();
	key->limit = mobilebert_max_tokens(plan->model);
	key->layers = plan->options.layers;
	key->stride = plan->options.stride;
	key->pooling = plan->options.pooling;
	key->normalize = plan->options.normalize;
	key->overflow = plan->options.overflow;
	memcpy((char *) key + sizeof(EmbedKey), VARDATA_ANY(input), length);
	*size = sizeof(EmbedKey) + length;
	return key;
}

static bool
same_text(const text *a, const text *b)
{
	return VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
		memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
}

static void
job_sequence(MobilebertCall *call, size_t n, MobilebertSequence *sequence)
{
	mobilebert_input_window(((EmbedJob *) call)->in, n, sequence);
}

static void
job_take(MobilebertCall *call, size_t n, const MobilebertSequence *sequence,
		 const float *states)
{
	EmbedJob   *job = (EmbedJob *) call;
	const EmbedPlan *plan = job->plan;
	size_t		width = plan->model->image.config.hidden_size;

	if (n == 0)
		job->pool = pool_begin(plan);
	mb_pool_add(job->pool, states + sequence->keep_from * width,
				sequence->keep_to - sequence->keep_from, NULL);
	if (n + 1 < call->sequences)
		return;

	job->vector = pool_end(plan, job->pool);
	job->pool = NULL;
	job->running = false;

	/* A cut text is not kept: it must be noted again when it comes again. */
	if (job->cut_tokens == 0 && mobilebert_cache_size > 0)
	{
		size_t		size;
		void	   *key = plan_key(plan, job->input, &size);

		mobilebert_result_store(key, size, job->vector,
								plan->options.dimension);
		pfree(key);
	}
}

static Datum
job_result(MobilebertCall *call, bool *null)
{
	EmbedJob   *job = (EmbedJob *) call;

	*null = false;
	return PointerGetDatum(mobilebert_real_array(job->vector,
												 job->plan->options.dimension));
}

static void
job_init(EmbedJob *job, const EmbedPlan *plan, text *input)
{
	memset(job, 0, sizeof(*job));
	job->call.model = plan->model;
	job->call.layers = plan->options.layers;
	job->call.sequence = job_sequence;
	job->call.take = job_take;
	job->call.result = job_result;
	job->plan = plan;
	job->input = input;
}

/* Fetch the job's vector from the cache. */
static bool
job_cached(EmbedJob *job)
{
	const EmbedPlan *plan = job->plan;
	const float *values;
	size_t		size;
	size_t		count;
	void	   *key;

	if (mobilebert_cache_size <= 0)
	{
		/* off: let it give its memory back */
		(void) mobilebert_result_find(NULL, 0, &count);
		return false;
	}
	key = plan_key(plan, job->input, &size);
	values = mobilebert_result_find(key, size, &count);
	pfree(key);
	if (values == NULL || count != plan->options.dimension)
		return false;
	mobilebert_stats_add(plan->model->stats, STAT_CACHE_HITS, 1);
	job->vector = MemoryContextAlloc(plan->context, count * sizeof(float));
	memcpy(job->vector, values, count * sizeof(float));
	return true;
}

/* Read the text; the current context holds its tokens. */
static void
job_begin(EmbedJob *job)
{
	const EmbedPlan *plan = job->plan;
	MobilebertInput *in;

	if (job_cached(job))
		return;
	in = job->in = palloc(sizeof(MobilebertInput));
	mobilebert_input_read(in, plan->fcinfo, plan->model, job->input, NULL,
						  plan->options.overflow, 0, plan->options.stride);
	job->cut_tokens = in->truncated ? in->tokens : 0;
	job->running = true;
	job->call.sequences = in->windows;
	job->call.first_only = in->windows == 1 &&
		mb_pool_first_only(plan->options.pooling);
}

/*
 * embed(input text) and embed(input text, model text, pooling text,
 * normalized bool, layer int, overflow text, stride int) -> real[]
 */
MobilebertCall *
mobilebert_embed_begin(FunctionCallInfo fcinfo)
{
	EmbedPlan  *plan;
	EmbedJob   *job;

	if (PG_ARGISNULL(0))
		return NULL;
	plan = palloc(sizeof(EmbedPlan));
	job = palloc(sizeof(EmbedJob));
	options_read(plan, fcinfo);
	job_init(job, plan, PG_GETARG_TEXT_PP(0));
	job_begin(job);
	return &job->call;
}

/*
 * The text is the same for all rows of a query, as in ORDER BY
 * cosine_similarity(column, embed('words')): a constant, or a parameter, beside
 * nothing but constants.  A parameter may still change when the expression is
 * used again (PL/pgSQL does).
 */
static bool
is_fixed_call(FmgrInfo *flinfo)
{
	Node	   *call = flinfo->fn_expr;
	ListCell   *cell;

	if (call == NULL || !IsA(call, FuncExpr) ||
		((FuncExpr *) call)->args == NIL ||
		!get_fn_expr_arg_stable(flinfo, 0))
		return false;
	for_each_from(cell, ((FuncExpr *) call)->args, 1)
	{
		if (!IsA(lfirst(cell), Const))
			return false;
	}
	return true;
}

/* Is the memo's vector what the call would give? */
static bool
memo_holds(const EmbedMemo *memo, text *input)
{
	return memo->vector != NULL && same_text(memo->input, input) &&
		memo->generation == registry_generation() &&
		memo->kernels == mb_kernels_current() &&
		strcmp(memo->default_model, mobilebert_default_model) == 0;
}

/* Compute it, and keep all of it where it lasts as long as the expression. */
static void
memo_make(EmbedMemo *memo, FunctionCallInfo fcinfo, text *input)
{
	uint64		generation = registry_generation();
	Datum		vector = mobilebert_call_value(fcinfo, mobilebert_embed_begin);
	MemoryContext old;

	MemoryContextReset(memo->context);
	memo->vector = NULL;
	old = MemoryContextSwitchTo(memo->context);
	memo->input = (text *) DatumGetPointer(datumCopy(PointerGetDatum(input),
													 false, -1));
	memo->default_model = pstrdup(mobilebert_default_model);
	memo->generation = generation;
	memo->kernels = mb_kernels_current();
	memo->vector = DatumGetArrayTypePCopy(vector);
	MemoryContextSwitchTo(old);
}

PG_FUNCTION_INFO_V1(mobilebert_embed);
Datum
mobilebert_embed(PG_FUNCTION_ARGS)
{
	FmgrInfo   *flinfo = fcinfo->flinfo;
	EmbedMemo  *memo = flinfo->fn_extra;
	text	   *input;

	if (memo == NULL)
	{
		memo = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(EmbedMemo));
		memo->fixed = is_fixed_call(flinfo);
		if (memo->fixed)
			memo->context = AllocSetContextCreate(flinfo->fn_mcxt,
												  "mobilebert fixed text",
												  ALLOCSET_SMALL_SIZES);
		flinfo->fn_extra = memo;
	}
	if (!memo->fixed || PG_ARGISNULL(0))
		return mobilebert_call_value(fcinfo, mobilebert_embed_begin);
	input = PG_GETARG_TEXT_PP(0);
	if (!memo_holds(memo, input))
		memo_make(memo, fcinfo, input);
	PG_RETURN_ARRAYTYPE_P(memo->vector);
}

/*
 * similarity
 */

typedef struct SimilarityCall
{
	MobilebertCall call;
	EmbedPlan	plan;
	EmbedJob	a;				/* its sequences come first */
	EmbedJob	b;
} SimilarityCall;

static void
similarity_sequence(MobilebertCall *call, size_t n,
					MobilebertSequence *sequence)
{
	SimilarityCall *pair = (SimilarityCall *) call;
	size_t		first = pair->a.call.sequences;

	if (n < first)
		job_sequence(&pair->a.call, n, sequence);
	else
		job_sequence(&pair->b.call, n - first, sequence);
}

static void
similarity_take(MobilebertCall *call, size_t n,
				const MobilebertSequence *sequence, const float *states)
{
	SimilarityCall *pair = (SimilarityCall *) call;
	size_t		first = pair->a.call.sequences;

	if (n < first)
		job_take(&pair->a.call, n, sequence, states);
	else
		job_take(&pair->b.call, n - first, sequence, states);
}

static Datum
similarity_result(MobilebertCall *call, bool *null)
{
	SimilarityCall *pair = (SimilarityCall *) call;
	const float *a = pair->a.vector;
	const float *b = pair->b.vector != NULL ? pair->b.vector : a;

	*null = false;
	return Float4GetDatum(mb_cosine_similarity(a, b,
											   pair->plan.options.dimension));
}

/* similarity(a text, b text [, model text]) -> real */
MobilebertCall *
mobilebert_similarity_begin(FunctionCallInfo fcinfo)
{
	SimilarityCall *pair;
	EmbedPlan  *plan;
	text	   *a;
	text	   *b;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return NULL;
	pair = palloc0(sizeof(SimilarityCall));
	plan = &pair->plan;
	plan_init(plan, fcinfo);
	plan->model = mobilebert_model_argument(fcinfo, 2, MB_TASK_EMBED);
	plan->options.overflow = OVERFLOW_ERROR;
	plan->options.normalize = plan->model->image.settings.normalize != 0;
	plan->options.layers = plan->model->image.config.layers;
	options_finish(plan);

	a = PG_GETARG_TEXT_PP(0);
	b = PG_GETARG_TEXT_PP(1);
	job_init(&pair->a, plan, a);
	job_init(&pair->b, plan, b);
	job_begin(&pair->a);
	if (!same_text(a, b))
		job_begin(&pair->b);
	pair->call.model = plan->model;
	pair->call.layers = plan->options.layers;
	pair->call.sequences = pair->a.call.sequences + pair->b.call.sequences;
	pair->call.first_only =
		(pair->a.call.sequences == 0 || pair->a.call.first_only) &&
		(pair->b.call.sequences == 0 || pair->b.call.first_only);
	pair->call.sequence = similarity_sequence;
	pair->call.take = similarity_take;
	pair->call.result = similarity_result;
	return &pair->call;
}

MOBILEBERT_VALUE_FUNCTION(mobilebert_similarity);

/*
 * embed(text[])
 */

/* Twice the slots; they stay at most half full. */
static void
array_table_grow(EmbedArray *array)
{
	uint32		size = Max(array->table_size * 2, 16);
	uint32		slot;
	int			i;

	if (array->table != NULL)
		pfree(array->table);
	array->table = MemoryContextAllocHuge(CurrentMemoryContext,
										  (Size) size * sizeof(int));
	array->table_size = size;
	for (slot = 0; slot < size; slot++)
	{
		array->table[slot] = -1;
		CHECK_FOR_INTERRUPTS();
	}
	for (i = 0; i < array->jobs_used; i++)
	{
		slot = array->jobs[i].hash & (size - 1);
		while (array->table[slot] >= 0)
			slot = (slot + 1) & (size - 1);
		array->table[slot] = i;
		CHECK_FOR_INTERRUPTS();
	}
}

/* The job of a text, the same one for equal texts. */
static int
array_job(EmbedArray *array, const EmbedPlan *plan, text *t)
{
	uint32		hash = hash_bytes((const unsigned char *) VARDATA_ANY(t),
								  (int) VARSIZE_ANY_EXHDR(t));
	uint32		slot;
	EmbedJob   *job;

	if ((uint32) array->jobs_used >= array->table_size / 2)
		array_table_grow(array);
	for (slot = hash & (array->table_size - 1); array->table[slot] >= 0;
		 slot = (slot + 1) & (array->table_size - 1))
	{
		job = &array->jobs[array->table[slot]];
		if (job->hash == hash && same_text(job->input, t))
			return array->table[slot];
	}

	if (array->jobs_used == array->jobs_room)
	{
		array->jobs_room *= 2;
		array->jobs = repalloc_huge(array->jobs,
									array->jobs_room * sizeof(EmbedJob));
	}
	job_init(&array->jobs[array->jobs_used], plan, t);
	array->jobs[array->jobs_used].hash = hash;
	array->table[slot] = array->jobs_used;
	return array->jobs_used++;
}

/* The server's deconstruct_array() could not be interrupted. */
static void
array_read(EmbedArray *array, const EmbedPlan *plan, ArrayType *value)
{
	ArrayIterator iterator = array_create_iterator(value, 0, NULL);
	Datum		element;
	bool		null;
	int			i;

	memset(array, 0, sizeof(*array));
	array->count = ArrayGetNItems(ARR_NDIM(value), ARR_DIMS(value));
	array->index = MemoryContextAllocHuge(CurrentMemoryContext,
										  (Size) array->count * sizeof(int));
	array->jobs_room = 16;
	array->jobs = palloc(array->jobs_room * sizeof(EmbedJob));
	for (i = 0; i < array->count && array_iterate(iterator, &element, &null);
		 i++)
	{
		CHECK_FOR_INTERRUPTS();
		array->index[i] = -1;
		if (null)
			continue;
		array->index[i] = array_job(array, plan, DatumGetTextPP(element));
		array->jobs[array->index[i]].copies++;
	}
	array_free_iterator(iterator);
	if (array->table != NULL)
		pfree(array->table);
}

/* Put rows before "end", up to the first that is not known. */
static void
array_put(EmbedArray *array, const EmbedPlan *plan, int end)
{
	ReturnSetInfo *info = (ReturnSetInfo *) plan->fcinfo->resultinfo;
	size_t		bytes = plan->options.dimension * sizeof(float);

	for (; array->done < end; array->done++)
	{
		int			index = array->index[array->done];
		EmbedJob   *job = index < 0 ? NULL : &array->jobs[index];
		Datum		value = (Datum) 0;
		bool		null = job == NULL;

		CHECK_FOR_INTERRUPTS();
		if (job != NULL && job->vector == NULL)
			break;
		if (job != NULL)
			value = PointerGetDatum(mobilebert_real_array(job->vector,
														  plan->options.dimension));
		tuplestore_putvalues(info->setResult, info->setDesc, &value, &null);
		if (job == NULL)
			continue;
		pfree(DatumGetPointer(value));

		/* Keep the vector for the next copy, if there is one, and room. */
		job->copies--;
		job->waiting--;
		if (job->kept)
			array->kept -= bytes;
		job->kept = job->waiting > 0 ||
			(job->copies > 0 && array->kept + bytes <=
			 (size_t) mobilebert_memory_limit * 1024);
		if (job->kept)
			array->kept += bytes;
		else
		{
			pfree(job->vector);
			job->vector = NULL;
		}
	}
}

/* Give the job to the run; its vector is there when the run is through. */
static void
array_add(EmbedJob *job, MobilebertRun *run, MemoryContext scratch)
{
	MemoryContext old = MemoryContextSwitchTo(scratch);

	job->call.sequences = 0;
	job_begin(job);
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
		EmbedJob   *job = NULL;

		CHECK_FOR_INTERRUPTS();
		if (array->index[i] >= 0)
			job = &array->jobs[array->index[i]];
		if (job != NULL)
			job->waiting++;
		if (job != NULL && job->vector == NULL && !job->running)
			array_add(job, &run, scratch);
		else if (job != NULL && job->cut_tokens > 0)
			mobilebert_note_truncated(plan->fcinfo, job->cut_tokens,
									  mobilebert_max_tokens(plan->model));
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
	options_read(&plan, fcinfo);
	array_read(&array, &plan, PG_GETARG_ARRAYTYPE_P(0));
	array_run(&array, &plan);
	return (Datum) 0;
}

/*
 * embed(input_ids int[], model text, pooling text, normalized bool, layer int,
 * token_type_ids int[], attention_mask int[]) -> real[]
 */
PG_FUNCTION_INFO_V1(mobilebert_embed_ids);
Datum
mobilebert_embed_ids(PG_FUNCTION_ARGS)
{
	EmbedPlan	plan;
	MobilebertPass pass;
	MobilebertIds ids;
	mb_pool    *pool;
	const float *states;
	void	   *workspace;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	plan_init(&plan, fcinfo);
	options_model(&plan);

	mobilebert_pass_init(&pass, plan.model);
	pass.first_only = mb_pool_first_only(plan.options.pooling);
	mobilebert_ids_read(fcinfo, plan.model, 0, 5, 6, &ids);
	mobilebert_pass_add(&pass, &ids.sequence);
	workspace = mobilebert_pass_run(&pass, ids.mask, plan.options.layers, NULL,
									&states);
	pool = pool_begin(&plan);
	mb_pool_add(pool, states, ids.sequence.length, ids.mask);
	mobilebert_workspace_release(workspace);
	PG_RETURN_ARRAYTYPE_P(mobilebert_real_array(pool_end(&plan, pool),
												plan.options.dimension));
}
