/*-------------------------------------------------------------------------
 *
 * embed.c
 *	  A text on its way to its vector, for all forms of embed() and for
 *	  similarity().
 *
 * Each text is an EmbedJob: a call (calls.c) that gets its vector when the pass
 * with its last window has run.  It is pooled as its windows come, one or many
 * (the engine's mb_pool), so its states are never all in memory.
 *
 * A vector depends on its own text only: not on what shares the pass, nor on
 * where a long text's windows were parted among passes.
 *
 * Source: sentence-transformers' Pooling and Normalize (spec pipelines.md 8),
 * and the modules between them (families.md 7.1).
 * Depends on server/pg.h, server/adapt.h, server/options.h,
 * models/model_cache.h, models/prompts.h, models/stats.h, pass/calls.h,
 * pass/result_cache.h, pass/sequences.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/options.h"
#include "models/model_cache.h"
#include "models/prompts.h"
#include "models/stats.h"
#include "pass/calls.h"
#include "pass/result_cache.h"
#include "pass/sequences.h"
#include "functions/embed.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* What a cached vector depends on beside the bytes of prompt and text. */
typedef struct EmbedKey
{
	uint8		image_key[PG_SHA256_DIGEST_LENGTH];
	const void *kernels;		/* mobilebert.instruction_set may change */
	size_t		limit;			/* tokens of a window */
	size_t		layers;
	size_t		stride;
	size_t		prompt_tokens;
	size_t		dimension;
	mb_poolings pooling;
	uint32		normalize;
	uint32		overflow;
	uint32		own;
	Oid			role;			/* nobody is told what others asked for */
} EmbedKey;

/*
 * Options
 */

/* One name, or several separated by commas, in that order; 0 when NULL. */
mb_poolings
embed_pooling(text *value)
{
	mb_poolings pooling = 0;
	char	   *names;
	char	   *name;

	if (value == NULL)
		return 0;
	names = text_to_cstring(value);
	for (name = names; name != NULL;)
	{
		char	   *comma = strchr(name, ',');
		mb_pooling	mode;

		if (comma != NULL)
			*comma = '\0';
		while (*name == ' ')
			name++;
		mode = mb_pooling_from_name(name);
		if (mode == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid value for option \"pooling\": \"%s\"",
							name),
					 errdetail("Legal values are \"mean\", \"cls\", \"max\", \"mean_sqrt_len_tokens\", \"weightedmean\", \"lasttoken\" and \"pooler\", or several of them separated by commas.")));
		if (!mb_poolings_append(&pooling, mode))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("option \"pooling\" has over %d modes",
							MB_POOLINGS_LIMIT)));
		name = comma == NULL ? NULL : comma + 1;
	}
	pfree(names);
	return pooling;
}

/* Fill in what the model decides; other options are set. */
static void
options_finish(EmbedPlan *plan)
{
	const mb_image *image = &plan->model->image;
	const mb_config *config = &image->config;
	EmbedOptions *options = &plan->options;

	options->own = options->pooling == 0;
	if (options->limit == 0)
		options->limit = mobilebert_embed_tokens(plan->model);
	if (options->own)
		options->pooling = image->settings.pooling;
	if (mb_poolings_contain(options->pooling, MB_POOL_POOLER) &&
		options->layers != config->layers)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("pooling \"pooler\" needs the last layer"),
				 errhint("Leave out the option \"layer\".")));
	options->pooled = mb_pool_width(&image->model, options->pooling);
	options->room = options->whole = options->dimension = options->pooled;
	if (options->own)
	{
		options->room = mb_modules_room(config, options->pooled);
		options->whole = mb_modules_width(config, options->pooled);
		options->dimension = mb_vector_width(config, &image->settings);
	}
	if (options->asked > 0)
	{
		if (options->asked > options->whole)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid value for option \"dimensions\": %zu",
							options->asked),
					 errdetail("Legal values are 1 to %zu, the numbers of a vector of model \"%s\" with this pooling.",
							   options->whole, plan->model->name)));
		options->dimension = options->asked;
		options->renormalize = options->normalize;
	}
}

/* What a window holds: never more than the model has positions. */
static size_t
window_tokens(FunctionCallInfo fcinfo, int n, const MobilebertModel *model)
{
	return Min(mobilebert_max_length(fcinfo, n, model,
									 mobilebert_embed_tokens(model)),
			   mobilebert_positions(model));
}

void
embed_options_model(EmbedPlan *plan, int dimensions)
{
	FunctionCallInfo fcinfo = plan->fcinfo;
	EmbedOptions *options = &plan->options;
	const MobilebertModel *model;

	options->pooling = embed_pooling(ARG_TEXT(2));
	model = mobilebert_model_argument(fcinfo, 1,
									  mb_poolings_contain(options->pooling,
														  MB_POOL_POOLER) ?
									  MB_TASK_POOLER : MB_TASK_EMBED);
	plan->model = model;
	options->normalize = ARG_BOOL(3, model->image.settings.normalize != 0);
	options->renormalize = ARG_BOOL(3, false);
	options->layers = mobilebert_layer(fcinfo, 4,
									   (size_t) model->image.config.layers + 1,
									   model->image.config.layers);
	mobilebert_size_option(fcinfo, dimensions, "dimensions", 1,
						   &options->asked);
	options_finish(plan);
}

void
embed_plan_init(EmbedPlan *plan, FunctionCallInfo fcinfo)
{
	memset(plan, 0, sizeof(*plan));
	plan->fcinfo = fcinfo;
	plan->context = CurrentMemoryContext;
}

/*
 * Tokens of the prompt as a text by itself, without the template's after it:
 * what the model leaves out of pooling.  Where the prompt's last word goes on
 * in the text, this is still the number.
 */
static size_t
count_prompt_tokens(const EmbedPlan *plan)
{
	MobilebertInput in;
	MobilebertSequence sequence;
	size_t		count;

	if (plan->prompt == NULL || !plan->model->image.settings.exclude_prompt)
		return 0;
	mobilebert_input_begin(&in, plan->model, plan->prompt,
						   plan->options.limit);
	in.window_pieces = in.first.count;
	in.truncated = in.first.count +
		plan->model->image.tokenizer.template_single > in.limit;
	mobilebert_input_window(&in, 0, &sequence);
	count = sequence.length;
	if (count > 0 && sequence.encoding->special[count - 1])
		count--;
	mobilebert_input_free(&in);
	return count;
}

static void
set_prompt(EmbedPlan *plan, text *prompt)
{
	plan->prompt = prompt != NULL && VARSIZE_ANY_EXHDR(prompt) > 0 ?
		prompt : NULL;
	plan->prompt_tokens = count_prompt_tokens(plan);
}

void
embed_options_read(EmbedPlan *plan, FunctionCallInfo fcinfo)
{
	text	   *name = ARG_TEXT(7);
	text	   *literal = ARG_TEXT(8);

	embed_plan_init(plan, fcinfo);
	plan->options.overflow = mobilebert_overflow(ARG_TEXT(5),
												 OVERFLOW_TRUNCATE);
	if (name != NULL && literal != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("options \"prompt\" and \"prompt_text\" exclude each other")));
	embed_options_model(plan, 10);
	plan->options.limit = window_tokens(fcinfo, 9, plan->model);
	plan->options.stride = mobilebert_stride(fcinfo, 6, plan->model,
											 plan->options.limit);
	set_prompt(plan, literal != NULL ? literal :
			   mobilebert_prompt(plan->model, name == NULL ? NULL :
								 text_to_cstring(name)));
}

void
embed_options_default(EmbedPlan *plan, FunctionCallInfo fcinfo, int n,
					  const char *prompt_name, int max_length, int dimensions)
{
	embed_plan_init(plan, fcinfo);
	plan->model = mobilebert_model_argument(fcinfo, n, MB_TASK_EMBED);
	plan->options.overflow = OVERFLOW_TRUNCATE;
	plan->options.normalize = plan->model->image.settings.normalize != 0;
	plan->options.layers = plan->model->image.config.layers;
	plan->options.limit = window_tokens(fcinfo, max_length, plan->model);
	mobilebert_size_option(fcinfo, dimensions, "dimensions", 1,
						   &plan->options.asked);
	options_finish(plan);
	set_prompt(plan, mobilebert_prompt(plan->model, prompt_name));
}

void
embed_options_fitted(EmbedPlan *plan, FunctionCallInfo fcinfo,
					 const MobilebertModel *model,
					 const mb_classifier *classifier)
{
	embed_plan_init(plan, fcinfo);
	plan->model = model;
	plan->options.overflow = OVERFLOW_TRUNCATE;
	plan->options.normalize = true;
	plan->options.pooling = classifier->pooling;
	plan->options.layers = classifier->layer;
	plan->options.limit = mobilebert_embed_tokens(model);
	options_finish(plan);
	set_prompt(plan, mobilebert_prompt(model, NULL));
}

/*
 * Pooling
 */

/* In the plan's context: windows of a text come in several passes. */
mb_pool *
embed_pool_begin(const EmbedPlan *plan)
{
	const mb_model *model = &plan->model->image.model;
	mb_poolings modes = plan->options.pooling;
	Size		head = MAXALIGN(sizeof(mb_pool));
	mb_pool    *pool = MemoryContextAlloc(plan->context, head +
										  mb_pool_memory(model, modes));

	ENGINE_CALL(mb_pool_begin, pool, model, modes, (char *) pool + head);
	return pool;
}

/* The modules after Pooling, which belong to the model's own pooling. */
static void
run_modules(const EmbedPlan *plan, float *vector)
{
	const mb_model *model = &plan->model->image.model;
	float	   *scratch;

	if (!plan->options.own || model->config.module_count == 0)
		return;
	scratch = palloc(plan->options.room * sizeof(float));
	ENGINE_CALL(mb_modules_run, model, vector, scratch, &mobilebert_cancel);
	pfree(scratch);
}

float *
embed_pool_end(const EmbedPlan *plan, mb_pool *pool)
{
	const EmbedOptions *options = &plan->options;
	float	   *vector = MemoryContextAlloc(plan->context,
											options->room * sizeof(float));

	ENGINE_CALL(mb_pool_end, pool, vector);
	pfree(pool);
	run_modules(plan, vector);
	if (options->normalize)
		mb_normalize(vector, options->whole);
	if (options->dimension < options->room)
		vector = repalloc(vector, options->dimension * sizeof(float));
	if (options->dimension < options->whole && options->renormalize)
		mb_normalize(vector, options->dimension);
	return vector;
}

/*
 * Jobs
 */

/* What the cache knows a vector by: EmbedKey, then prompt and text. */
static void *
job_key(const EmbedJob *job, size_t *size)
{
	const EmbedPlan *plan = job->plan;
	size_t		before = plan->prompt == NULL ? 0 :
		VARSIZE_ANY_EXHDR(plan->prompt);
	size_t		length = VARSIZE_ANY_EXHDR(job->input);
	EmbedKey   *key = palloc0(sizeof(EmbedKey) + before + length);
	char	   *at = (char *) key + sizeof(EmbedKey);

	memcpy(key->image_key, plan->model->registry->image_key,
		   sizeof(key->image_key));
	key->kernels = plan->model->image.model.kernels;
	key->limit = plan->options.limit;
	key->layers = plan->options.layers;
	key->stride = plan->options.stride;
	key->prompt_tokens = plan->prompt_tokens;
	key->dimension = plan->options.dimension;
	key->pooling = plan->options.pooling;
	key->normalize = plan->options.normalize +
		2 * (uint32) plan->options.renormalize;
	key->overflow = plan->options.overflow;
	key->own = plan->options.own;
	key->role = job->role;
	if (before > 0)
		memcpy(at, VARDATA_ANY(plan->prompt), before);
	memcpy(at + before, VARDATA_ANY(job->input), length);
	*size = sizeof(EmbedKey) + before + length;
	return key;
}

void
embed_job_sequence(MobilebertCall *call, size_t n,
				   MobilebertSequence *sequence)
{
	mobilebert_input_window(((EmbedJob *) call)->in, n, sequence);
}

/* A window's tokens, those of a prompt that is not pooled with mask 0. */
static void
pool_window(EmbedJob *job, const float *states, size_t count)
{
	size_t		prompt = job->plan->prompt_tokens;
	size_t		before = job->pool->tokens;
	uint8	   *mask;

	if (before >= prompt)
	{
		mb_pool_add(job->pool, states, count, NULL);
		return;
	}
	mask = palloc(count);
	memset(mask, 1, count);
	memset(mask, 0, Min(prompt - before, count));
	mb_pool_add(job->pool, states, count, mask);
	pfree(mask);
}

void
embed_job_take(MobilebertCall *call, size_t n,
			   const MobilebertSequence *sequence, const float *states)
{
	EmbedJob   *job = (EmbedJob *) call;
	const EmbedPlan *plan = job->plan;
	size_t		width = plan->model->image.config.hidden_size;

	if (n == 0)
		job->pool = embed_pool_begin(plan);
	pool_window(job, states + sequence->keep_from * width,
				sequence->keep_to - sequence->keep_from);
	if (n + 1 < call->sequences)
		return;

	job->vector = embed_pool_end(plan, job->pool);
	job->pool = NULL;
	job->running = false;

	/* A cut text is not kept: it must be noted again when it comes again. */
	if (job->cut_tokens == 0 && mobilebert_result_cache_on())
	{
		size_t		size;
		void	   *key = job_key(job, &size);

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

void
embed_job_init(EmbedJob *job, const EmbedPlan *plan, text *input)
{
	memset(job, 0, sizeof(*job));
	job->call.model = plan->model;
	job->call.layers = plan->options.layers;
	job->call.sequence = embed_job_sequence;
	job->call.take = embed_job_take;
	job->call.result = job_result;
	job->plan = plan;
	job->input = input;
	job->role = GetUserId();
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

	if (!mobilebert_result_cache_on())
		return false;
	key = job_key(job, &size);
	values = mobilebert_result_find(key, size, &count);
	pfree(key);
	if (values == NULL || count != plan->options.dimension)
		return false;
	mobilebert_stats_add(plan->model->stats, STAT_CACHE_HITS, 1);
	job->vector = MemoryContextAlloc(plan->context, count * sizeof(float));
	memcpy(job->vector, values, count * sizeof(float));
	return true;
}

void
embed_job_begin(EmbedJob *job)
{
	const EmbedPlan *plan = job->plan;
	MobilebertInput *in;

	if (job_cached(job))
		return;
	in = job->in = palloc(sizeof(MobilebertInput));
	mobilebert_input_read(in, plan->fcinfo, plan->model,
						  mobilebert_prompt_apply(plan->prompt, job->input),
						  NULL, plan->options.overflow, plan->options.limit,
						  plan->options.stride);
	job->cut_tokens = in->truncated ? in->tokens : 0;
	job->running = true;
	job->call.sequences = in->windows;
	job->call.first_only = in->windows == 1 && plan->prompt_tokens == 0 &&
		mb_pool_first_only(plan->options.pooling, NULL);
}
