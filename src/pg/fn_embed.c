/*-------------------------------------------------------------------------
 *
 * fn_embed.c
 *	  Sentence embeddings: embed() in its forms, similarity(), and the memory
 *	  of a pass.
 *
 * An EmbedRun takes texts one after another, gathers their tokens in one
 * packed pass, and runs it when the next text would not fit any more.  Each
 * text is an EmbedJob, which gets its vector when the pass with its last window
 * has run.  A text of one window is pooled by the engine where its states lie;
 * of a longer one the sums are carried from window to window in double, so its
 * states are never all in memory.
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
 * Depends on pg.h, functions.h.
 *
 *-------------------------------------------------------------------------
 */
#include "functions.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(mobilebert_embed);
PG_FUNCTION_INFO_V1(mobilebert_embed_array);
PG_FUNCTION_INFO_V1(mobilebert_embed_ids);
PG_FUNCTION_INFO_V1(mobilebert_similarity);

/* A workspace of up to this size is kept from pass to pass. */
#define SCRATCH_SIZE (4 * 1024 * 1024)
#define WORKSPACE_ALIGN 64

typedef struct EmbedOptions
{
	uint32		pooling;		/* bits of mb_pooling */
	bool		normalize;
	size_t		layers;			/* hidden_states[layers] is pooled */
	MobilebertOverflow overflow;
	size_t		stride;
	size_t		dimension;		/* floats of a vector */
} EmbedOptions;

/* Sums over the windows of a long text; arrays [hidden_size]. */
typedef struct EmbedSums
{
	size_t		tokens;
	double	   *sum;
	double	   *weighted;		/* token t weighs t + 1 */
	float	   *max;
	float	   *first;
	float	   *last;
} EmbedSums;

typedef struct EmbedJob
{
	text	   *input;
	uint32		hash;			/* of its bytes */
	int			copies;			/* rows that still want the vector */
	int			waiting;		/* those of them that were read already */
	bool		running;		/* in the pass at hand */
	bool		kept;			/* its vector counts in EmbedArray.kept */
	size_t		cut_tokens;		/* of the whole text when it was cut, else 0 */
	EmbedSums  *sums;			/* NULL: one window */
	float	   *vector;			/* [dimension]; NULL until it is known */
} EmbedJob;

/* What a row of the pass at hand is for. */
typedef struct EmbedRow
{
	EmbedJob   *job;
	size_t		keep_from;
	size_t		keep_to;
	bool		last;			/* the job's last window */
} EmbedRow;

typedef struct EmbedRun
{
	FunctionCallInfo fcinfo;
	const MobilebertModel *model;
	EmbedOptions options;
	MemoryContext context;		/* pass, rows and vectors */
	MemoryContext scratch;		/* reset after each text */
	MobilebertPass pass;
	EmbedRow   *rows;			/* [pass.sequences] */
	size_t		rows_room;
} EmbedRun;

/* What a cached vector depends on beside the bytes of the text. */
typedef struct EmbedKey
{
	uint8		image_key[32];
	const void *kernels;		/* mobilebert.instruction_set may change */
	size_t		limit;			/* tokens of a window */
	size_t		layers;
	size_t		stride;
	uint32		pooling;
	uint32		normalize;
	uint32		overflow;
	uint32		unused;
} EmbedKey;

/* Modes in the order in which several of them are concatenated. */
static const uint32 pooling_order[] = {
	MB_POOL_CLS, MB_POOL_MAX, MB_POOL_MEAN, MB_POOL_MEAN_SQRT_LEN,
	MB_POOL_WEIGHTED_MEAN, MB_POOL_LAST_TOKEN, MB_POOL_POOLER
};

/* Kept between passes; only one pass runs at a time. */
static void *scratch_block = NULL;

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

static uint32 pooling_option(text *value);
static const MobilebertModel *options_model(FunctionCallInfo fcinfo,
											EmbedOptions *options);
static void options_finish(EmbedOptions *options,
						   const MobilebertModel *model);
static const MobilebertModel *options_read(FunctionCallInfo fcinfo,
										   EmbedOptions *options);
static EmbedSums *sums_make(size_t width);
static void sums_free(EmbedSums *sums);
static void sums_add(EmbedSums *sums, const float *states, size_t count,
					 size_t width);
static void sums_pool(const EmbedSums *sums, const mb_model *model,
					  uint32 pooling, float *out);
static void pool_rows(const EmbedRun *run, const float *states, size_t length,
					  const uint8 *mask, float *out);
static void run_init(EmbedRun *run, FunctionCallInfo fcinfo,
					 const MobilebertModel *model,
					 const EmbedOptions *options);
static void job_init(EmbedJob *job, text *input);
static bool same_text(const text *a, const text *b);
static void *run_key(const EmbedRun *run, text *input, size_t *size);
static bool run_cached(EmbedRun *run, EmbedJob *job);
static void run_add_row(EmbedRun *run, EmbedJob *job,
						const MobilebertSequence *sequence, bool last);
static void run_add(EmbedRun *run, EmbedJob *job);
static void run_row(EmbedRun *run, const EmbedRow *row, const float *states);
static void run_flush(EmbedRun *run);
static void array_table_grow(EmbedArray *array);
static int	array_job(EmbedArray *array, text *t);
static void array_read(EmbedArray *array, ArrayType *value);
static void array_put(EmbedArray *array, EmbedRun *run, int end);
static void array_run(EmbedArray *array, EmbedRun *run);

/*
 * Memory of a pass
 */

/* Would a pass with this workspace be allowed?  An error when not. */
void
mobilebert_workspace_check(size_t size)
{
	if (size > (size_t) mobilebert_memory_limit * 1024)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("pass over the model needs %zu kB of memory, but mobilebert.memory_limit is %d kB",
						size / 1024 + (size % 1024 != 0),
						mobilebert_memory_limit),
				 errhint("Raise mobilebert.memory_limit, or give less text at a time.")));
}

void *
mobilebert_workspace(size_t size)
{
	size_t		bytes;
	char	   *block;
	char	   *aligned;

	mobilebert_workspace_check(size);
	if (size <= SCRATCH_SIZE)
	{
		if (scratch_block == NULL)
			scratch_block = MemoryContextAlloc(TopMemoryContext,
											   SCRATCH_SIZE + WORKSPACE_ALIGN);
		return (void *) TYPEALIGN(WORKSPACE_ALIGN, scratch_block);
	}

	/* The block's address stands before the workspace. */
	bytes = size + WORKSPACE_ALIGN + sizeof(void *);
	block = MemoryContextAllocExtended(CurrentMemoryContext, bytes,
									   MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
	if (block == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("A pass over the model needs %zu kB.",
						   size / 1024 + 1)));
	aligned = (char *) TYPEALIGN(WORKSPACE_ALIGN, block + sizeof(void *));
	((void **) aligned)[-1] = block;
	return aligned;
}

void
mobilebert_workspace_release(void *workspace)
{
	if (scratch_block != NULL &&
		workspace == (void *) TYPEALIGN(WORKSPACE_ALIGN, scratch_block))
		return;
	pfree(((void **) workspace)[-1]);
}

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

/* The options that the forms for texts and for ids share: 1 to 4. */
static const MobilebertModel *
options_model(FunctionCallInfo fcinfo, EmbedOptions *options)
{
	const MobilebertModel *model;

	options->pooling = pooling_option(ARG_TEXT(2));
	model = mobilebert_model_argument(fcinfo, 1,
									  (options->pooling & MB_POOL_POOLER) != 0 ?
									  MB_TASK_POOLER : MB_TASK_EMBED);
	options->normalize = ARG_BOOL(3, model->image.settings.normalize != 0);
	options->layers = mobilebert_layer(fcinfo, 4,
									   (size_t) model->image.config.layers + 1,
									   model->image.config.layers);
	options_finish(options, model);
	return model;
}

/* Fill in what the model decides. */
static void
options_finish(EmbedOptions *options, const MobilebertModel *model)
{
	const mb_config *config = &model->image.config;
	size_t		i;

	if (options->pooling == 0)
		options->pooling = model->image.settings.pooling;
	if ((options->pooling & MB_POOL_POOLER) != 0 &&
		options->layers != config->layers)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("pooling \"pooler\" needs the last layer"),
				 errhint("Leave out the option \"layer\".")));
	options->dimension = 0;
	for (i = 0; i < lengthof(pooling_order); i++)
	{
		if ((options->pooling & pooling_order[i]) != 0)
			options->dimension += config->hidden_size;
	}
}

/* Model and options of embed(text) and embed(text[]). */
static const MobilebertModel *
options_read(FunctionCallInfo fcinfo, EmbedOptions *options)
{
	const MobilebertModel *model;

	memset(options, 0, sizeof(*options));
	options->overflow = mobilebert_overflow(ARG_TEXT(5), OVERFLOW_TRUNCATE);
	model = options_model(fcinfo, options);
	options->stride = mobilebert_stride(fcinfo, 6, model);
	return model;
}

/*
 * Pooling over several windows
 */

static EmbedSums *
sums_make(size_t width)
{
	EmbedSums  *sums = palloc0(sizeof(EmbedSums));
	size_t		i;

	sums->sum = palloc0(width * sizeof(double));
	sums->weighted = palloc0(width * sizeof(double));
	sums->max = palloc(width * sizeof(float));
	sums->first = palloc(width * sizeof(float));
	sums->last = palloc(width * sizeof(float));
	for (i = 0; i < width; i++)
		sums->max[i] = -INFINITY;
	return sums;
}

static void
sums_free(EmbedSums *sums)
{
	pfree(sums->sum);
	pfree(sums->weighted);
	pfree(sums->max);
	pfree(sums->first);
	pfree(sums->last);
	pfree(sums);
}

/* states [count, width], the next tokens of the text */
static void
sums_add(EmbedSums *sums, const float *states, size_t count, size_t width)
{
	size_t		token;
	size_t		i;

	for (token = 0; token < count; token++)
	{
		const float *row = states + token * width;
		double		weight = (double) ++sums->tokens;

		for (i = 0; i < width; i++)
		{
			sums->sum[i] += row[i];
			sums->weighted[i] += weight * row[i];
			if (row[i] > sums->max[i] || isnan(row[i]))
				sums->max[i] = row[i];
		}
		if (sums->tokens == 1)
			memcpy(sums->first, row, width * sizeof(float));
	}
	if (count > 0)
		memcpy(sums->last, states + (count - 1) * width,
			   width * sizeof(float));
}

/* One mode, as mb_pool would have given it: out [hidden_size] */
static void
sums_pool(const EmbedSums *sums, const mb_model *model, uint32 pooling,
		  float *out)
{
	size_t		width = model->config.hidden_size;
	double		n = (double) sums->tokens;
	const double *sum = sums->sum;
	double		divisor = n;
	mb_error	err;
	size_t		i;

	switch (pooling)
	{
		case MB_POOL_CLS:
			memcpy(out, sums->first, width * sizeof(float));
			return;
		case MB_POOL_MAX:
			memcpy(out, sums->max, width * sizeof(float));
			return;
		case MB_POOL_LAST_TOKEN:
			memcpy(out, sums->last, width * sizeof(float));
			return;
		case MB_POOL_POOLER:
			mobilebert_check(mb_pooler(model, sums->first, out, &err), &err);
			return;
		case MB_POOL_MEAN_SQRT_LEN:
			divisor = sqrt(n);
			break;
		case MB_POOL_WEIGHTED_MEAN:
			sum = sums->weighted;
			divisor = n * (n + 1) / 2;
			break;
		default:				/* mean */
			break;
	}
	for (i = 0; i < width; i++)
		out[i] = (float) (sum[i] / divisor);
}

/* All modes over one window: states [length, hidden_size]. */
static void
pool_rows(const EmbedRun *run, const float *states, size_t length,
		  const uint8 *mask, float *out)
{
	const mb_model *model = &run->model->image.model;
	float	   *target = out;
	mb_error	err;
	size_t		i;

	for (i = 0; i < lengthof(pooling_order); i++)
	{
		if ((run->options.pooling & pooling_order[i]) == 0)
			continue;
		mobilebert_check(mb_pool(model, pooling_order[i], states, length, mask,
								 target, &err), &err);
		target += model->config.hidden_size;
	}
	if (run->options.normalize)
		mb_normalize(out, run->options.dimension);
}

/*
 * The run
 */

static void
run_init(EmbedRun *run, FunctionCallInfo fcinfo, const MobilebertModel *model,
		 const EmbedOptions *options)
{
	run->fcinfo = fcinfo;
	run->model = model;
	run->options = *options;
	run->context = CurrentMemoryContext;
	run->scratch = AllocSetContextCreate(CurrentMemoryContext,
										 "mobilebert text",
										 ALLOCSET_DEFAULT_SIZES);
	mobilebert_pass_init(&run->pass, model);
	run->rows_room = 16;
	run->rows = palloc(run->rows_room * sizeof(EmbedRow));
}

static void *
run_key(const EmbedRun *run, text *input, size_t *size)
{
	size_t		length = VARSIZE_ANY_EXHDR(input);
	EmbedKey   *key = palloc0(sizeof(EmbedKey) + length);

	memcpy(key->image_key, run->model->registry->image_key,
		   sizeof(key->image_key));
	key->kernels = mb_kernels_current();
	key->limit = mobilebert_max_tokens(run->model);
	key->layers = run->options.layers;
	key->stride = run->options.stride;
	key->pooling = run->options.pooling;
	key->normalize = run->options.normalize;
	key->overflow = run->options.overflow;
	memcpy((char *) key + sizeof(EmbedKey), VARDATA_ANY(input), length);
	*size = sizeof(EmbedKey) + length;
	return key;
}

static void
job_init(EmbedJob *job, text *input)
{
	memset(job, 0, sizeof(*job));
	job->input = input;
}

static bool
same_text(const text *a, const text *b)
{
	return VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
		memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
}

/* Fetch the job's vector from the cache; in the scratch context. */
static bool
run_cached(EmbedRun *run, EmbedJob *job)
{
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
	key = run_key(run, job->input, &size);
	values = mobilebert_result_find(key, size, &count);
	if (values == NULL || count != run->options.dimension)
		return false;
	job->vector = MemoryContextAlloc(run->context, count * sizeof(float));
	memcpy(job->vector, values, count * sizeof(float));
	return true;
}

static void
run_add_row(EmbedRun *run, EmbedJob *job, const MobilebertSequence *sequence,
			bool last)
{
	EmbedRow   *row;

	if (!mobilebert_pass_fits(&run->pass, sequence->length))
		run_flush(run);
	if (run->pass.sequences == run->rows_room)
	{
		run->rows_room *= 2;
		run->rows = repalloc_huge(run->rows,
								  run->rows_room * sizeof(EmbedRow));
	}
	row = &run->rows[run->pass.sequences];
	row->job = job;
	row->keep_from = sequence->keep_from;
	row->keep_to = sequence->keep_to;
	row->last = last;
	mobilebert_pass_add(&run->pass, sequence->length, sequence->ids,
						sequence->types);
}

/* Take a job's text; the vector is there after run_flush() at the latest. */
static void
run_add(EmbedRun *run, EmbedJob *job)
{
	MobilebertInput in;
	MobilebertSequence sequence;
	MemoryContext old;
	size_t		i;

	old = MemoryContextSwitchTo(run->scratch);
	if (!run_cached(run, job))
	{
		mobilebert_input_read(&in, run->fcinfo, run->model, job->input, NULL,
							  run->options.overflow, run->options.stride);
		job->cut_tokens = in.truncated ? in.tokens : 0;
		job->running = true;
		if (in.windows > 1)
		{
			MemoryContextSwitchTo(run->context);
			job->sums = sums_make(run->model->image.config.hidden_size);
			MemoryContextSwitchTo(run->scratch);
		}
		for (i = 0; i < in.windows; i++)
		{
			mobilebert_input_window(&in, i, &sequence);
			run_add_row(run, job, &sequence, i + 1 == in.windows);
		}
		mobilebert_input_free(&in);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(run->scratch);
}

/* Pool one row of a finished pass; states are the row's own. */
static void
run_row(EmbedRun *run, const EmbedRow *row, const float *states)
{
	const mb_model *model = &run->model->image.model;
	size_t		width = model->config.hidden_size;
	EmbedJob   *job = row->job;
	float	   *vector;
	float	   *target;
	size_t		i;

	states += row->keep_from * width;
	if (job->sums != NULL)
		sums_add(job->sums, states, row->keep_to - row->keep_from, width);
	if (!row->last)
		return;

	vector = MemoryContextAlloc(run->context,
								run->options.dimension * sizeof(float));
	if (job->sums == NULL)
		pool_rows(run, states, row->keep_to - row->keep_from, NULL, vector);
	else
	{
		target = vector;
		for (i = 0; i < lengthof(pooling_order); i++)
		{
			if ((run->options.pooling & pooling_order[i]) == 0)
				continue;
			sums_pool(job->sums, model, pooling_order[i], target);
			target += width;
		}
		if (run->options.normalize)
			mb_normalize(vector, run->options.dimension);
		sums_free(job->sums);
		job->sums = NULL;
	}
	job->vector = vector;
	job->running = false;

	/* A cut text is not kept: it must be noted again when it comes again. */
	if (job->cut_tokens == 0 && mobilebert_cache_size > 0)
	{
		size_t		size;
		void	   *key = run_key(run, job->input, &size);

		mobilebert_result_store(key, size, vector, run->options.dimension);
		pfree(key);
	}
}

/* Run what was gathered. */
static void
run_flush(EmbedRun *run)
{
	size_t		width = run->model->image.config.hidden_size;
	const float *states;
	void	   *workspace;
	size_t		i;

	if (run->pass.sequences == 0)
		return;
	workspace = mobilebert_pass_run(&run->pass, NULL, run->options.layers,
									NULL, &states);
	for (i = 0; i < run->pass.sequences; i++)
		run_row(run, &run->rows[i], states + run->pass.starts[i] * width);
	mobilebert_workspace_release(workspace);
	mobilebert_pass_clear(&run->pass);
}

/*
 * SQL functions
 */

/*
 * embed(input text) and embed(input text, model text, pooling text,
 * normalized bool, layer int, overflow text, stride int) -> real[]
 */
Datum
mobilebert_embed(PG_FUNCTION_ARGS)
{
	const MobilebertModel *model;
	EmbedOptions options;
	EmbedRun	run;
	EmbedJob	job;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	model = options_read(fcinfo, &options);
	run_init(&run, fcinfo, model, &options);
	job_init(&job, PG_GETARG_TEXT_PP(0));
	run_add(&run, &job);
	run_flush(&run);
	MemoryContextDelete(run.scratch);
	PG_RETURN_ARRAYTYPE_P(mobilebert_real_array(job.vector,
												options.dimension));
}

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
array_job(EmbedArray *array, text *t)
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
	job_init(&array->jobs[array->jobs_used], t);
	array->jobs[array->jobs_used].hash = hash;
	array->table[slot] = array->jobs_used;
	return array->jobs_used++;
}

/* The server's deconstruct_array() could not be interrupted. */
static void
array_read(EmbedArray *array, ArrayType *value)
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
		array->index[i] = array_job(array, DatumGetTextPP(element));
		array->jobs[array->index[i]].copies++;
	}
	array_free_iterator(iterator);
	if (array->table != NULL)
		pfree(array->table);
}

/* Put rows before "end", up to the first that is not known. */
static void
array_put(EmbedArray *array, EmbedRun *run, int end)
{
	ReturnSetInfo *info = (ReturnSetInfo *) run->fcinfo->resultinfo;
	size_t		bytes = run->options.dimension * sizeof(float);

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
														  run->options.dimension));
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

/* Run the texts in order. */
static void
array_run(EmbedArray *array, EmbedRun *run)
{
	int			i;

	for (i = 0; i < array->count; i++)
	{
		EmbedJob   *job = NULL;

		CHECK_FOR_INTERRUPTS();
		if (array->index[i] >= 0)
			job = &array->jobs[array->index[i]];
		if (job != NULL)
			job->waiting++;
		if (job != NULL && job->vector == NULL && !job->running)
			run_add(run, job);
		else if (job != NULL && job->cut_tokens > 0)
			mobilebert_note_truncated(run->fcinfo, job->cut_tokens,
									  mobilebert_max_tokens(run->model));
		array_put(array, run, i + 1);
	}
	run_flush(run);
	array_put(array, run, array->count);
}

/*
 * embed(input text[], model text, ...) -> setof real[], a row for each element
 * in order, NULL for NULL
 */
Datum
mobilebert_embed_array(PG_FUNCTION_ARGS)
{
	const MobilebertModel *model;
	EmbedOptions options;
	EmbedRun	run;
	EmbedArray	array;

	mobilebert_srf_begin(fcinfo);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	model = options_read(fcinfo, &options);
	array_read(&array, PG_GETARG_ARRAYTYPE_P(0));
	run_init(&run, fcinfo, model, &options);
	array_run(&array, &run);
	MemoryContextDelete(run.scratch);
	return (Datum) 0;
}

/*
 * embed(input_ids int[], model text, pooling text, normalized bool, layer int,
 * token_type_ids int[], attention_mask int[]) -> real[]
 */
Datum
mobilebert_embed_ids(PG_FUNCTION_ARGS)
{
	const MobilebertModel *model;
	EmbedOptions options;
	EmbedRun	run;
	MobilebertIds ids;
	const float *states;
	float	   *vector;
	void	   *workspace;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	memset(&options, 0, sizeof(options));
	model = options_model(fcinfo, &options);

	run_init(&run, fcinfo, model, &options);
	mobilebert_ids_read(fcinfo, model, 0, 5, 6, &ids);
	mobilebert_pass_add(&run.pass, ids.length, ids.ids, ids.types);
	workspace = mobilebert_pass_run(&run.pass, ids.mask, options.layers, NULL,
									&states);
	vector = palloc(options.dimension * sizeof(float));
	pool_rows(&run, states, ids.length, ids.mask, vector);
	mobilebert_workspace_release(workspace);
	MemoryContextDelete(run.scratch);
	PG_RETURN_ARRAYTYPE_P(mobilebert_real_array(vector, options.dimension));
}

/* similarity(a text, b text [, model text]) -> real */
Datum
mobilebert_similarity(PG_FUNCTION_ARGS)
{
	const MobilebertModel *model;
	EmbedOptions options;
	EmbedRun	run;
	EmbedJob	a;
	EmbedJob	b;
	bool		same;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	model = mobilebert_model_argument(fcinfo, 2, MB_TASK_EMBED);
	memset(&options, 0, sizeof(options));
	options.overflow = OVERFLOW_ERROR;
	options.normalize = model->image.settings.normalize != 0;
	options.layers = model->image.config.layers;
	options_finish(&options, model);

	run_init(&run, fcinfo, model, &options);
	job_init(&a, PG_GETARG_TEXT_PP(0));
	job_init(&b, PG_GETARG_TEXT_PP(1));
	same = same_text(a.input, b.input);
	run_add(&run, &a);
	if (!same)
		run_add(&run, &b);
	run_flush(&run);
	MemoryContextDelete(run.scratch);
	PG_RETURN_FLOAT4(mb_cosine_similarity(a.vector,
										  same ? a.vector : b.vector,
										  options.dimension));
}
