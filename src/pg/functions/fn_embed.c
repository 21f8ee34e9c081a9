/*-------------------------------------------------------------------------
 *
 * fn_embed.c
 *	  Sentence embeddings: embed() of a text and of ids, embed_query(),
 *	  embed_document(), and similarity().
 *
 * embed(text[]) is in fn_embed_array.c; what they share, in embed.c.
 *
 * embed() of a text that is the same for all rows keeps its vector as long as
 * the expression lives (EmbedMemo), so that ORDER BY cosine_similarity(column,
 * embed('words')) costs one pass and no look-up a row.
 *
 * Depends on server/pg.h, server/adapt.h, server/guc.h, server/options.h,
 * models/model_cache.h, models/registry.h, pass/calls.h, pass/pass.h,
 * pass/sequences.h, pass/workspace.h, functions/batched.h, functions/embed.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/guc.h"
#include "server/options.h"
#include "models/model_cache.h"
#include "models/registry.h"
#include "pass/calls.h"
#include "pass/pass.h"
#include "pass/sequences.h"
#include "pass/workspace.h"
#include "functions/batched.h"
#include "functions/embed.h"

#include "nodes/primnodes.h"
#include "utils/datum.h"
#include "utils/memutils.h"

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

/*
 * embed
 */

/*
 * embed(input text) and embed(input text, model text, pooling text,
 * normalized bool, layer int, overflow text, stride int, prompt text,
 * prompt_text text, max_length int, dimensions int) -> real[]
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
	embed_options_read(plan, fcinfo);
	embed_job_init(job, plan, PG_GETARG_TEXT_PP(0));
	embed_job_begin(job);
	return &job->call;
}

/* encode_query() and encode_document() of sentence-transformers */
static MobilebertCall *
embed_named_begin(FunctionCallInfo fcinfo, const char *prompt_name)
{
	EmbedPlan  *plan;
	EmbedJob   *job;

	if (PG_ARGISNULL(0))
		return NULL;
	plan = palloc(sizeof(EmbedPlan));
	job = palloc(sizeof(EmbedJob));
	embed_options_default(plan, fcinfo, 1, prompt_name, 2, 3);
	embed_job_init(job, plan, PG_GETARG_TEXT_PP(0));
	embed_job_begin(job);
	return &job->call;
}

/* embed_query(input text [, model text, max_length int, dimensions int]) */
MobilebertCall *
mobilebert_embed_query_begin(FunctionCallInfo fcinfo)
{
	return embed_named_begin(fcinfo, "query");
}

/* embed_document(input text [, model text, max_length int, dimensions int]) */
MobilebertCall *
mobilebert_embed_document_begin(FunctionCallInfo fcinfo)
{
	return embed_named_begin(fcinfo, "document");
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
	return memo->vector != NULL && mobilebert_same_value(memo->input, input) &&
		memo->generation == registry_generation() &&
		memo->kernels == mb_kernels_current() &&
		strcmp(memo->default_model, mobilebert_default_model) == 0;
}

/* Compute it, and keep all of it where it lasts as long as the expression. */
static void
memo_make(EmbedMemo *memo, FunctionCallInfo fcinfo, MobilebertBegin begin,
		  text *input)
{
	uint64		generation = registry_generation();
	Datum		vector = mobilebert_call_value(fcinfo, begin);
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

static Datum
embed_value(FunctionCallInfo fcinfo, MobilebertBegin begin)
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
		return mobilebert_call_value(fcinfo, begin);
	input = PG_GETARG_TEXT_PP(0);
	if (!memo_holds(memo, input))
		memo_make(memo, fcinfo, begin, input);
	PG_RETURN_ARRAYTYPE_P(memo->vector);
}

PG_FUNCTION_INFO_V1(mobilebert_embed);
Datum
mobilebert_embed(PG_FUNCTION_ARGS)
{
	return embed_value(fcinfo, mobilebert_embed_begin);
}

PG_FUNCTION_INFO_V1(mobilebert_embed_query);
Datum
mobilebert_embed_query(PG_FUNCTION_ARGS)
{
	return embed_value(fcinfo, mobilebert_embed_query_begin);
}

PG_FUNCTION_INFO_V1(mobilebert_embed_document);
Datum
mobilebert_embed_document(PG_FUNCTION_ARGS)
{
	return embed_value(fcinfo, mobilebert_embed_document_begin);
}

/*
 * embed(input_ids int[], model text, pooling text, normalized bool, layer int,
 * token_type_ids int[], attention_mask int[], dimensions int) -> real[]
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
	embed_plan_init(&plan, fcinfo);
	embed_options_model(&plan, 7);

	mobilebert_pass_init(&pass, plan.model);
	mobilebert_ids_read(fcinfo, plan.model, 0, 5, 6, &ids);
	pass.first_only = mb_pool_first_only(plan.options.pooling, ids.mask);
	mobilebert_pass_add(&pass, &ids.sequence);
	workspace = mobilebert_pass_run(&pass, ids.mask, plan.options.layers, NULL,
									&states);
	pool = embed_pool_begin(&plan);
	mb_pool_add(pool, states, ids.sequence.length, ids.mask);
	mobilebert_workspace_release(workspace);
	PG_RETURN_ARRAYTYPE_P(mobilebert_real_array(embed_pool_end(&plan, pool),
												plan.options.dimension));
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
		embed_job_sequence(&pair->a.call, n, sequence);
	else
		embed_job_sequence(&pair->b.call, n - first, sequence);
}

static void
similarity_take(MobilebertCall *call, size_t n,
				const MobilebertSequence *sequence, const float *states)
{
	SimilarityCall *pair = (SimilarityCall *) call;
	size_t		first = pair->a.call.sequences;

	if (n < first)
		embed_job_take(&pair->a.call, n, sequence, states);
	else
		embed_job_take(&pair->b.call, n - first, sequence, states);
}

static Datum
similarity_result(MobilebertCall *call, bool *null)
{
	SimilarityCall *pair = (SimilarityCall *) call;
	const float *a = pair->a.vector;
	const float *b = pair->b.vector != NULL ? pair->b.vector : a;

	*null = false;
	return Float4GetDatum(mb_compare((mb_similarity)
									 pair->plan.model->image.settings.similarity,
									 a, b, pair->plan.options.dimension));
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
	embed_options_default(plan, fcinfo, 2, NULL, PG_NARGS(), PG_NARGS());
	plan->options.overflow = OVERFLOW_ERROR;

	a = PG_GETARG_TEXT_PP(0);
	b = PG_GETARG_TEXT_PP(1);
	embed_job_init(&pair->a, plan, a);
	embed_job_init(&pair->b, plan, b);
	embed_job_begin(&pair->a);
	if (!mobilebert_same_value(a, b))
		embed_job_begin(&pair->b);
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
