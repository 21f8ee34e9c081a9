/*-------------------------------------------------------------------------
 *
 * fit.c
 *	  The aggregate fit(): labelled rows to a classifier on a model's states.
 *
 * Each row is a call (pass/calls.h) whose vector is the one that embed() makes
 * of its text, of each of the layers that are to be chosen of: all of them come
 * from the same pass, which rows of many texts share.  A row waits in a memory
 * context of its own until its pass has run; then its features are among those
 * that are gathered (fit_rows.c), and nothing else of it is left.
 *
 * What is done with them stands in the engine (tasks/fit.h), and around it in
 * fit_result.c.  Parallel workers gather their part and send it.
 *
 * Depends on server/pg.h, server/adapt.h, server/options.h, models/fitted.h,
 * models/model_cache.h, models/prompts.h, models/registry.h, pass/calls.h,
 * pass/sequences.h, functions/embed.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/options.h"
#include "models/fitted.h"
#include "models/model_cache.h"
#include "models/prompts.h"
#include "models/registry.h"
#include "pass/calls.h"
#include "pass/sequences.h"
#include "functions/embed.h"
#include "learn/fit.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/cryptohash.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* A row whose pass has not run. */
typedef struct FitCall FitCall;
struct FitCall
{
	MobilebertCall call;
	FitCall    *next;
	MemoryContext context;		/* this and all that belongs to it */
	const FitState *state;
	const EmbedPlan *plan;
	MobilebertInput in;
	mb_pool    *pools;			/* [layers] */
	uint8	   *mask;			/* of the tokens that are kept; NULL: all 1 */
	float	   *features;		/* [layers * width], the state's */
};

typedef struct FitRun
{
	MobilebertRun run;
	EmbedPlan	plan;			/* of the vectors, whatever the layer */
	uint64		generation;		/* of the registry, when it was looked at */
	FitCall    *first;			/* in the order in which they end */
	FitCall    *last;
} FitRun;

/* ----------
 * A row's features
 * ----------
 */

static void
fit_sequence(MobilebertCall *call, size_t n, MobilebertSequence *sequence)
{
	FitCall    *c = (FitCall *) call;
	size_t		prompt = c->plan->prompt_tokens;
	size_t		count;

	mobilebert_input_window(&c->in, n, sequence);
	count = sequence->keep_to - sequence->keep_from;
	if (prompt == 0)
		return;
	c->mask = palloc(count);
	memset(c->mask, 1, count);
	memset(c->mask, 0, Min(prompt, count));
}

static void
pool_layer(FitCall *c, size_t layer, const MobilebertSequence *sequence,
		   const float *states)
{
	size_t		width = c->call.model->image.config.hidden_size;

	mb_pool_add(&c->pools[layer - c->state->options.first_layer],
				states + sequence->keep_from * width,
				sequence->keep_to - sequence->keep_from, c->mask);
}

/* The layers before the last of them */
static void
fit_see(MobilebertCall *call, size_t n, size_t layer,
		const MobilebertSequence *sequence, const float *states)
{
	(void) n;
	pool_layer((FitCall *) call, layer, sequence, states);
}

static void
fit_take(MobilebertCall *call, size_t n, const MobilebertSequence *sequence,
		 const float *states)
{
	FitCall    *c = (FitCall *) call;
	size_t		i;

	(void) n;
	pool_layer(c, call->layers, sequence, states);
	for (i = 0; i < c->state->options.layers; i++)
	{
		float	   *vector = c->features + i * c->state->width;

		ENGINE_CALL(mb_pool_end, &c->pools[i], vector);
		mb_normalize(vector, c->state->width);
	}
}

/* In the call's context, as nothing may be allocated within the pass. */
static void
begin_pools(FitCall *c)
{
	const mb_model *model = &c->call.model->image.model;
	const FitOptions *options = &c->state->options;
	Size		size = MAXALIGN(mb_pool_memory(model, options->pooling));
	size_t		i;

	c->pools = palloc(options->layers * sizeof(mb_pool));
	for (i = 0; i < options->layers; i++)
		ENGINE_CALL(mb_pool_begin, &c->pools[i], model, options->pooling,
					palloc(size));
}

/* The current context is the call's own. */
static FitCall *
call_begin(FitState *state, FunctionCallInfo fcinfo, text *input,
		   float *features)
{
	const FitOptions *options = &state->options;
	EmbedPlan  *plan = &state->run->plan;
	FitCall    *c = palloc0(sizeof(FitCall));

	c->context = CurrentMemoryContext;
	c->state = state;
	c->plan = plan;
	c->features = features;
	mobilebert_input_read(&c->in, fcinfo, plan->model,
						  mobilebert_prompt_apply(plan->prompt, input), NULL,
						  OVERFLOW_TRUNCATE, plan->options.limit, 0);
	c->call.model = plan->model;
	c->call.layers = options->first_layer + options->layers - 1;
	c->call.first_only = options->layers == 1 && plan->prompt_tokens == 0 &&
		mb_pool_first_only(options->pooling, NULL);
	c->call.sequences = 1;
	c->call.sequence = fit_sequence;
	c->call.take = fit_take;
	if (options->layers > 1)
	{
		c->call.see = fit_see;
		c->call.first_seen = options->first_layer;
	}
	begin_pools(c);
	return c;
}

/* ----------
 * The run
 * ----------
 */

static void
drop_done(FitRun *run)
{
	while (run->first != NULL && run->first->call.done)
	{
		FitCall    *c = run->first;

		run->first = c->next;
		if (run->first == NULL)
			run->last = NULL;
		MemoryContextDelete(c->context);
	}
}

/* Run what waits. */
static void
finish(FitState *state)
{
	if (state->run == NULL)
		return;
	mobilebert_run_flush(&state->run->run);
	drop_done(state->run);
}

/* The rows' hash decides on their fold: 128 bits of SHA-256 of the text. */
static void
hash_text(const text *input, uint64 hash[2])
{
	pg_cryptohash_ctx *context = pg_cryptohash_create(PG_SHA256);
	uint8		digest[PG_SHA256_DIGEST_LENGTH];

	if (context == NULL || pg_cryptohash_init(context) < 0 ||
		pg_cryptohash_update(context, (const uint8 *) VARDATA_ANY(input),
							 VARSIZE_ANY_EXHDR(input)) < 0 ||
		pg_cryptohash_final(context, digest, sizeof(digest)) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not compute a SHA-256 hash")));
	pg_cryptohash_free(context);
	memcpy(hash, digest, 2 * sizeof(uint64));
}

static void
add_call(FitState *state, FunctionCallInfo fcinfo, text *input,
		 float *features)
{
	FitRun	   *run = state->run;
	MemoryContext own = AllocSetContextCreate(state->context,
											  "mobilebert fit",
											  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(own);
	FitCall    *c = call_begin(state, fcinfo, input, features);

	if (run->last != NULL)
		run->last->next = c;
	else
		run->first = c;
	run->last = c;
	mobilebert_run_add(&run->run, &c->call);
	MemoryContextSwitchTo(old);
	drop_done(run);
}

/* A classifier's states are those of the model that it was fitted on. */
static void
refuse_classifier(const MobilebertModel *model)
{
	const RegistryModel *base = model->registry->base;

	if (mobilebert_fitted(model) == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("model \"%s\" is a classifier that was fitted itself",
					model->name),
			 base == NULL ?
			 errhint("Name a model that it could have been fitted on.") :
			 errhint("Name the model that it stands on: \"%s\".",
					 base->name)));
}

static text *
keep_text(MemoryContext context, const void *value)
{
	text	   *copy;

	if (value == NULL)
		return NULL;
	copy = MemoryContextAlloc(context, VARHDRSZ + VARSIZE_ANY_EXHDR(value));
	SET_VARSIZE(copy, VARHDRSZ + VARSIZE_ANY_EXHDR(value));
	memcpy(VARDATA(copy), VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
	return copy;
}

/* The model, and what is to be made of it, at the first row. */
static void
run_begin(FitState *state, FunctionCallInfo fcinfo)
{
	MemoryContext old = MemoryContextSwitchTo(state->context);
	mb_classifier wanted = {0};
	const MobilebertModel *model;
	FitRun	   *run;

	model = mobilebert_model_argument(fcinfo, 3, MB_TASK_EMBED);
	refuse_classifier(model);
	run = palloc0(sizeof(FitRun));
	run->generation = registry_generation();
	state->given = (Jsonb *) keep_text(state->context, ARG_IS_GIVEN(4) ?
									   PG_GETARG_JSONB_P(4) : NULL);
	state->model = keep_text(state->context, PG_GETARG_TEXT_PP(3));
	memcpy(state->sha256, model->registry->sha256, sizeof(state->sha256));
	fit_options_read(state->given, model, &state->options);
	state->width = mb_pool_width(&model->image.model, state->options.pooling);
	wanted.pooling = state->options.pooling;
	wanted.layer = (uint32_t) (state->options.first_layer +
							   state->options.layers - 1);
	embed_options_fitted(&run->plan, NULL, model, &wanted);
	run->plan.prompt = keep_text(state->context, run->plan.prompt);
	mobilebert_run_init(&run->run);
	state->run = run;
	MemoryContextSwitchTo(old);
}

/*
 * The model and the options are those of the first row.  What was looked up
 * lasts for the transaction, but the right to it may go.
 */
static void
check_row(FitState *state, FunctionCallInfo fcinfo)
{
	const char *what = NULL;

	if (PG_ARGISNULL(3) ||
		!mobilebert_same_value(state->model, PG_GETARG_TEXT_PP(3)))
		what = "model";
	else if (!mobilebert_same_value(state->given, ARG_IS_GIVEN(4) ?
								   PG_GETARG_JSONB_P(4) : NULL))
		what = "options";
	if (what != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" of fit must be the same in all rows",
						what)));
	if (state->run->generation == registry_generation())
		return;
	if (memcmp(mobilebert_model(state->model, MB_TASK_EMBED)->registry->sha256,
			   state->sha256, sizeof(state->sha256)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the model became another one while rows were read")));
	state->run->generation = registry_generation();
}

/* ----------
 * Labels
 * ----------
 */

static mb_fit_kind
kind_of(Oid type)
{
	switch (type)
	{
		case FLOAT8OID:
			return MB_FIT_NUMBER;
		case TEXTARRAYOID:
			return MB_FIT_LABELS;
		default:
			return MB_FIT_CLASS;
	}
}

/* A label of a text, a boolean or an enum as text. */
static text *
label_text(Datum value, Oid type)
{
	Oid			output;
	bool		varlena;

	if (type == TEXTOID)
		return DatumGetTextPP(value);
	if (type == BOOLOID)
		return cstring_to_text(DatumGetBool(value) ? "true" : "false");
	getTypeOutputInfo(type, &output, &varlena);
	return cstring_to_text(OidOutputFunctionCall(output, value));
}

static double
label_number(Datum value)
{
	double		number = DatumGetFloat8(value);

	if (!isfinite(number))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a label of fit is %s",
						isnan(number) ? "not a number" : "infinite")));
	return number;
}

static void
put_labels(FitState *state, mb_fit_row *row, ArrayType *array)
{
	size_t		length = mobilebert_array_length(array, "label");
	Datum	   *items;
	bool	   *nulls;
	uint32	   *numbers;
	int			count;
	int			i;

	(void) length;
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls,
					  &count);
	numbers = palloc(Max(count, 1) * sizeof(uint32));
	for (i = 0; i < count; i++)
	{
		if (nulls[i])
			mobilebert_array_null("label");
		numbers[i] = fit_state_label(state, DatumGetTextPP(items[i]));
	}
	fit_state_labels(state, row, numbers, (size_t) count);
}

static void
put_target(FitState *state, mb_fit_row *row, Datum value, Oid type)
{
	switch (state->kind)
	{
		case MB_FIT_CLASS:
			row->target.label = fit_state_label(state,
												label_text(value, type));
			break;
		case MB_FIT_LABELS:
			put_labels(state, row, DatumGetArrayTypeP(value));
			break;
		case MB_FIT_NUMBER:
			row->target.number = label_number(value);
			break;
	}
}

/* ----------
 * SQL functions
 * ----------
 */

/*
 * fit_step(state internal, input text, label L, model text [, options jsonb])
 * -> internal; L: text, boolean, an enum, text[], double precision
 */
PG_FUNCTION_INFO_V1(mobilebert_fit_step);
Datum
mobilebert_fit_step(PG_FUNCTION_ARGS)
{
	MemoryContext context = mobilebert_aggregate_context(fcinfo);
	FitState   *state = PG_ARGISNULL(0) ? NULL :
		(FitState *) PG_GETARG_POINTER(0);
	Oid			type = get_fn_expr_argtype(fcinfo->flinfo, 2);
	mb_fit_row *row;
	float	   *features;
	text	   *input;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	if (state == NULL)
		state = fit_state_make(context, kind_of(type));
	if (state->run == NULL)
		run_begin(state, fcinfo);
	check_row(state, fcinfo);
	input = PG_GETARG_TEXT_PP(1);
	features = fit_state_row(state, &row);
	hash_text(input, row->hash);
	put_target(state, row, PG_GETARG_DATUM(2), type);
	add_call(state, fcinfo, input, features);
	PG_RETURN_POINTER(state);
}

/* fit_combine(a internal, b internal) -> internal */
PG_FUNCTION_INFO_V1(mobilebert_fit_combine);
Datum
mobilebert_fit_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = mobilebert_aggregate_context(fcinfo);
	FitState   *a = PG_ARGISNULL(0) ? NULL : (FitState *) PG_GETARG_POINTER(0);
	FitState   *b = PG_ARGISNULL(1) ? NULL : (FitState *) PG_GETARG_POINTER(1);

	if (b == NULL)
	{
		if (a == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(a);
	}
	finish(b);
	if (a == NULL)
	{
		a = fit_state_make(context, b->kind);
		a->model = keep_text(context, b->model);
		a->given = (Jsonb *) keep_text(context, b->given);
		memcpy(a->sha256, b->sha256, sizeof(a->sha256));
		a->options = b->options;
		a->width = b->width;
	}
	finish(a);
	fit_state_add(a, b);
	PG_RETURN_POINTER(a);
}

/* fit_serialize(state internal) -> bytea */
PG_FUNCTION_INFO_V1(mobilebert_fit_serialize);
Datum
mobilebert_fit_serialize(PG_FUNCTION_ARGS)
{
	FitState   *state = (FitState *) PG_GETARG_POINTER(0);

	(void) mobilebert_aggregate_context(fcinfo);
	finish(state);
	PG_RETURN_BYTEA_P(fit_state_send(state));
}

/* fit_deserialize(data bytea, internal) -> internal */
PG_FUNCTION_INFO_V1(mobilebert_fit_deserialize);
Datum
mobilebert_fit_deserialize(PG_FUNCTION_ARGS)
{
	(void) mobilebert_aggregate_context(fcinfo);
	PG_RETURN_POINTER(fit_state_receive(CurrentMemoryContext,
										PG_GETARG_BYTEA_PP(0)));
}

/* fit_final(state internal) -> mobilebert.classifier */
PG_FUNCTION_INFO_V1(mobilebert_fit_final);
Datum
mobilebert_fit_final(PG_FUNCTION_ARGS)
{
	FitState   *state = PG_ARGISNULL(0) ? NULL :
		(FitState *) PG_GETARG_POINTER(0);

	(void) mobilebert_aggregate_context(fcinfo);
	if (state == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("there are no rows to fit a classifier on"),
				 errdetail("Rows without a text or without a label take no part.")));
	finish(state);
	PG_RETURN_DATUM(fit_result(state,
							   get_func_rettype(fcinfo->flinfo->fn_oid)));
}
