/*-------------------------------------------------------------------------
 *
 * fn_outputs.c
 *	  What the network computes, unpooled: hidden_states, attentions, logits.
 *
 * The rows are written while the pass runs: an observer puts each layer into
 * the tuplestore, so that only one layer is in memory.  Errors of the server
 * (a full disk) must not jump through the engine; the observer catches them,
 * ends the pass, and they are thrown again after it.
 *
 * A long text runs in several passes, so that memory does not grow with it.
 * Rows come by layer first: with more than one pass each layer is gathered in
 * a tuplestore of its own, which goes to disk when it is large, and they are
 * put together at the end.
 *
 * Source: transformers' MobileBertModel (output_hidden_states,
 * output_attentions) and heads; spec model.md sections 2, 3 and 5.
 * Depends on server/pg.h, server/adapt.h, server/options.h, models/fitted.h,
 * models/model_cache.h, models/stats.h, pass/pass.h, pass/sequences.h,
 * pass/workspace.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/options.h"
#include "models/fitted.h"
#include "models/model_cache.h"
#include "models/stats.h"
#include "pass/pass.h"
#include "pass/sequences.h"
#include "pass/workspace.h"

#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#define ALL ((size_t) -1)

typedef struct OutputCall
{
	FunctionCallInfo fcinfo;
	ReturnSetInfo *info;
	const MobilebertModel *model;
	MobilebertPass pass;
	const uint8 *mask;			/* of raw ids */
	MemoryContext context;
	MemoryContext scratch;		/* of the current pass: tokens */

	/* what to run, and of it what to put */
	void		(*run) (struct OutputCall *call);
	size_t		layer;			/* the one asked for, or ALL */
	size_t		head;			/* of attentions, likewise */
	mb_task		task;			/* of logits, 0: the base model's output */

	/* the input's own tokens, in order, and where their states stand */
	size_t		done;			/* tokens of earlier passes */
	size_t		count;			/* tokens of this pass */
	size_t	   *rows;			/* [count]: rows of the pass */
	size_t		rows_room;
	Datum	   *tokens;			/* [count]; 0: the id has no token */

	Tuplestorestate **stores;	/* [layers + 1]: NULL with one pass */
	ArrayType  *array;			/* of the row being written */
} OutputCall;

/*
 * Passes
 */

static void
output_init(OutputCall *call, FunctionCallInfo fcinfo, mb_task task,
			void (*run) (OutputCall *call))
{
	memset(call, 0, sizeof(*call));
	call->fcinfo = fcinfo;
	call->info = (ReturnSetInfo *) fcinfo->resultinfo;
	call->model = mobilebert_model_argument(fcinfo, 1, task);
	call->run = run;
	call->layer = ALL;
	call->head = ALL;
	call->context = CurrentMemoryContext;
	call->scratch = AllocSetContextCreate(CurrentMemoryContext,
										  "mobilebert tokens",
										  ALLOCSET_DEFAULT_SIZES);
	mobilebert_pass_init(&call->pass, call->model);
	call->rows_room = 512;
	call->rows = palloc(call->rows_room * sizeof(size_t));
}

/* Rows [from, to) of the pass are tokens of the input. */
static void
output_keep(OutputCall *call, size_t from, size_t to)
{
	size_t		i;

	while (call->count + (to - from) > call->rows_room)
	{
		call->rows_room *= 2;
		call->rows = repalloc_huge(call->rows,
								   call->rows_room * sizeof(size_t));
	}
	for (i = from; i < to; i++)
		call->rows[call->count++] = i;
}

static void
output_tokens(OutputCall *call)
{
	MemoryContext old = MemoryContextSwitchTo(call->scratch);
	size_t		i;

	call->tokens = MemoryContextAllocHuge(CurrentMemoryContext,
										  call->count * sizeof(Datum));
	for (i = 0; i < call->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		call->tokens[i] =
			mobilebert_token_datum(&call->model->image.tokenizer,
								   call->pass.ids[call->rows[i]]);
	}
	MemoryContextSwitchTo(old);
}

/* Run what was gathered, and begin the next pass. */
static void
output_pass(OutputCall *call)
{
	output_tokens(call);
	call->run(call);
	call->done += call->count;
	call->count = 0;
	mobilebert_pass_clear(&call->pass);
	MemoryContextReset(call->scratch);
}

/*
 * Several passes
 */

/* Layer 0 is the first to be read: it goes to the result at once. */
static void
stores_make(OutputCall *call)
{
	size_t		layers = call->model->image.config.layers;
	size_t		i;

	call->stores = palloc0((layers + 1) * sizeof(Tuplestorestate *));
	call->stores[0] = call->info->setResult;
	for (i = 1; i <= layers; i++)
		call->stores[i] = tuplestore_begin_heap(false, false,
												Max(work_mem / (int) layers,
													64));
}

/* Append the layers' rows to the result. */
static void
stores_join(OutputCall *call)
{
	size_t		layers = call->model->image.config.layers;
	TupleTableSlot *slot = MakeSingleTupleTableSlot(call->info->setDesc,
													&TTSOpsMinimalTuple);
	size_t		i;

	for (i = 1; i <= layers; i++)
	{
		while (tuplestore_gettupleslot(call->stores[i], true, false, slot))
		{
			tuplestore_puttupleslot(call->info->setResult, slot);
			CHECK_FOR_INTERRUPTS();
		}
		tuplestore_end(call->stores[i]);
	}
	ExecDropSingleTupleTableSlot(slot);
}

/*
 * Input
 */

/* All windows of a text. */
static void
output_text(OutputCall *call, int pair, MobilebertOverflow overflow,
			size_t max_length, size_t stride)
{
	FunctionCallInfo fcinfo = call->fcinfo;
	MobilebertInput in;
	MobilebertSequence sequence;
	size_t		start;
	size_t		i;

	mobilebert_stats_add(call->model->stats, STAT_CALLS, 1);
	mobilebert_input_read(&in, fcinfo, call->model, PG_GETARG_TEXT_PP(0),
						  mobilebert_second_text(fcinfo, pair), overflow,
						  max_length, stride);
	for (i = 0; i < in.windows; i++)
	{
		mobilebert_input_window(&in, i, &sequence);
		if (!mobilebert_pass_fits(&call->pass, sequence.length))
		{
			if (call->stores == NULL && call->layer == ALL)
				stores_make(call);
			output_pass(call);
		}
		start = call->pass.tokens;
		mobilebert_pass_add(&call->pass, &sequence);
		output_keep(call, start + sequence.keep_from,
					start + sequence.keep_to);
	}
	mobilebert_input_free(&in);
	output_pass(call);
	if (call->stores != NULL)
		stores_join(call);
}

/* Raw ids; types and mask are argument numbers. */
static void
output_ids(OutputCall *call, int types, int mask)
{
	MobilebertIds ids;

	mobilebert_ids_read(call->fcinfo, call->model, 0, types, mask, &ids);
	mobilebert_pass_add(&call->pass, &ids.sequence);
	output_keep(call, 0, ids.sequence.length);
	call->mask = ids.mask;
	output_pass(call);
}

/*
 * hidden_states
 */

/* states [pass.tokens, hidden_size] -> rows; layer ALL: without the column */
static void
put_states(OutputCall *call, size_t layer, const float *states)
{
	size_t		width = call->model->image.config.hidden_size;
	Tuplestorestate *store = call->stores == NULL ? call->info->setResult :
		call->stores[layer];
	size_t		i;

	if (call->array == NULL)
		call->array = mobilebert_real_array(states, width);
	for (i = 0; i < call->count; i++)
	{
		Datum		values[4];
		bool		nulls[4] = {0};
		int			column = 0;

		CHECK_FOR_INTERRUPTS();
		memcpy(ARR_DATA_PTR(call->array), states + call->rows[i] * width,
			   width * sizeof(float));
		if (layer != ALL)
			values[column++] = Int32GetDatum((int32) layer);
		values[column++] = Int32GetDatum((int32) (call->done + i));
		if (layer != ALL)
		{
			nulls[column] = call->tokens[i] == (Datum) 0;
			values[column++] = call->tokens[i];
		}
		values[column++] = PointerGetDatum(call->array);
		tuplestore_putvalues(store, call->info->setDesc, values, nulls);
	}
}

/* Keep the error that is being thrown for after the pass. */
static mb_status
catch_error(OutputCall *call)
{
	MemoryContextSwitchTo(call->context);
	call->pass.failure = CopyErrorData();
	FlushErrorState();
	return MB_ERR_IO;
}

static mb_status
observe_hidden(void *context, size_t layer, const float *states)
{
	OutputCall *call = context;
	volatile mb_status status = MB_OK;

	PG_TRY();
	{
		put_states(call, layer, states);
	}
	PG_CATCH();
	{
		status = catch_error(call);
	}
	PG_END_TRY();
	return status;
}

static void
hidden_run(OutputCall *call)
{
	mb_observer observer = {call, observe_hidden, NULL};
	const float *states;
	void	   *workspace;

	if (call->layer == ALL)
		workspace = mobilebert_pass_run(&call->pass, call->mask,
										call->model->image.config.layers,
										&observer, &states);
	else
	{
		workspace = mobilebert_pass_run(&call->pass, call->mask, call->layer,
										NULL, &states);
		put_states(call, call->layer, states);
	}
	mobilebert_workspace_release(workspace);
}

static void
hidden_init(OutputCall *call, FunctionCallInfo fcinfo)
{
	output_init(call, fcinfo, MB_TASK_EMBED, hidden_run);
	call->layer = mobilebert_layer(fcinfo, 3,
								   (size_t) call->model->image.config.layers + 1,
								   ALL);
}

/*
 * hidden_states(input text [, model text, pair text, layer int,
 * overflow text, stride int]) -> setof (layer, token_no, token, state)
 */
PG_FUNCTION_INFO_V1(mobilebert_hidden_states);
Datum
mobilebert_hidden_states(PG_FUNCTION_ARGS)
{
	OutputCall	call;
	MobilebertOverflow overflow;
	size_t		limit;

	mobilebert_srf_begin(fcinfo);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	overflow = mobilebert_overflow(ARG_TEXT(4), OVERFLOW_WINDOW);
	hidden_init(&call, fcinfo);
	limit = mobilebert_state_positions(call.model);
	output_text(&call, 2, overflow, limit,
				mobilebert_stride(fcinfo, 5, call.model, limit));
	return (Datum) 0;
}

/*
 * hidden_states(input_ids int[], model text, token_type_ids int[], layer int,
 * attention_mask int[]) -> the same
 */
PG_FUNCTION_INFO_V1(mobilebert_hidden_states_ids);
Datum
mobilebert_hidden_states_ids(PG_FUNCTION_ARGS)
{
	OutputCall	call;

	mobilebert_srf_begin(fcinfo);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	hidden_init(&call, fcinfo);
	output_ids(&call, 2, 4);
	return (Datum) 0;
}

/*
 * logits
 */

/*
 * Option "head": a task, or 0 for the base model's output.  By default it is
 * the model's own head when it has just one.
 */
static mb_task
logits_head(text *head, const MobilebertModel *model)
{
	static const MobilebertChoice heads[] = {
		{"base", 0},
		{"fill_mask", MB_TASK_FILL_MASK},
		{"next_sentence", MB_TASK_NEXT_SENTENCE},
		{"classify", MB_TASK_CLASSIFY},
		{"ner", MB_TASK_NER},
		{"answer", MB_TASK_ANSWER},
		{"choose", MB_TASK_CHOOSE},
		{"replaced_token", MB_TASK_REPLACED_TOKEN},
		{NULL, 0}
	};
	uint32		own = model->registry->tasks &
		~(uint32) (MB_TASK_EMBED | MB_TASK_POOLER);
	bool		one = own != 0 && (own & (own - 1)) == 0;
	mb_task		task = (mb_task) mobilebert_choice("head", head, heads,
												   one ? (int) own : 0);

	if (task != 0 && (own & (uint32) task) == 0)
		mobilebert_no_head(model->registry, task);
	if (task == MB_TASK_CLASSIFY)
		mobilebert_not_fitted(model, "logits");
	return task;
}

/* A row of logits for each token, or one for the text, for its first token. */
static void
put_logits(OutputCall *call, const float *states)
{
	const mb_model *model = &call->model->image.model;
	size_t		width = model->config.hidden_size;
	size_t		labels = mb_head_width(model, call->task);
	size_t		rows = mb_head_pooled(call->task) ? 1 : call->count;
	float	   *scratch = palloc(mb_head_scratch(model) * sizeof(float));
	float	   *logits = palloc(labels * sizeof(float));
	size_t		i;

	for (i = 0; i < rows; i++)
	{
		Datum		values[2];
		bool		nulls[2] = {0};

		CHECK_FOR_INTERRUPTS();
		ENGINE_CALL(mb_head_logits, model, call->task,
					states + call->rows[i] * width, scratch, logits,
					&mobilebert_cancel);
		if (call->array == NULL)
			call->array = mobilebert_real_array(logits, labels);
		memcpy(ARR_DATA_PTR(call->array), logits, labels * sizeof(float));
		values[0] = Int32GetDatum((int32) (call->done + i));
		values[1] = PointerGetDatum(call->array);
		tuplestore_putvalues(call->info->setResult, call->info->setDesc,
							 values, nulls);
	}
	pfree(scratch);
	pfree(logits);
}

static void
logits_run(OutputCall *call)
{
	const float *states;
	void	   *workspace;

	workspace = mobilebert_pass_run(&call->pass, NULL,
									call->model->image.config.layers, NULL,
									&states);
	if (call->task == 0)
		put_states(call, ALL, states);
	else
		put_logits(call, states);
	mobilebert_workspace_release(workspace);
}

/*
 * logits(input text [, model text, pair text, head text, overflow text,
 * max_length int]) -> setof (token_no, logits)
 */
PG_FUNCTION_INFO_V1(mobilebert_logits);
Datum
mobilebert_logits(PG_FUNCTION_ARGS)
{
	OutputCall	call;
	MobilebertOverflow overflow;

	mobilebert_srf_begin(fcinfo);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	output_init(&call, fcinfo, MB_TASK_EMBED, logits_run);
	call.task = logits_head(ARG_TEXT(3), call.model);
	overflow = mobilebert_overflow(ARG_TEXT(4), OVERFLOW_ERROR);
	if (overflow == OVERFLOW_WINDOW)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("logits() does not read texts in windows"),
				 errdetail("Legal values of \"overflow\" are \"error\" and \"truncate\".")));
	output_text(&call, 2, overflow,
				mobilebert_max_length(fcinfo, 5, call.model,
									  mobilebert_state_positions(call.model)), 0);
	return (Datum) 0;
}

/*
 * attentions
 */

static void
put_attention(OutputCall *call, size_t layer, size_t head, size_t first_query,
			  size_t queries, const float *probabilities)
{
	size_t		length = call->pass.tokens;
	size_t		i;

	if (call->array == NULL)
		call->array = mobilebert_real_array(probabilities, length);
	for (i = 0; i < queries; i++)
	{
		Datum		values[4];
		bool		nulls[4] = {0};

		CHECK_FOR_INTERRUPTS();
		memcpy(ARR_DATA_PTR(call->array), probabilities + i * length,
			   length * sizeof(float));
		values[0] = Int32GetDatum((int32) layer);
		values[1] = Int32GetDatum((int32) head);
		values[2] = Int32GetDatum((int32) (first_query + i));
		values[3] = PointerGetDatum(call->array);
		tuplestore_putvalues(call->info->setResult, call->info->setDesc,
							 values, nulls);
	}
}

static mb_status
observe_attention(void *context, size_t layer, size_t sequence, size_t head,
				  size_t first_query, size_t queries,
				  const float *probabilities)
{
	OutputCall *call = context;
	volatile mb_status status = MB_OK;

	(void) sequence;			/* there is only one */
	if ((call->layer != ALL && call->layer != layer) ||
		(call->head != ALL && call->head != head))
		return MB_OK;

	PG_TRY();
	{
		put_attention(call, layer, head, first_query, queries, probabilities);
	}
	PG_CATCH();
	{
		status = catch_error(call);
	}
	PG_END_TRY();
	return status;
}

static void
attentions_run(OutputCall *call)
{
	mb_observer observer = {call, NULL, observe_attention};
	size_t		layers = call->layer == ALL ?
		call->model->image.config.layers : call->layer + 1;
	const float *states;

	mobilebert_workspace_release(mobilebert_pass_run(&call->pass, call->mask,
													 layers, &observer,
													 &states));
}

static void
attentions_init(OutputCall *call, FunctionCallInfo fcinfo)
{
	const mb_config *config;

	output_init(call, fcinfo, MB_TASK_EMBED, attentions_run);
	config = &call->model->image.config;
	call->layer = mobilebert_layer(fcinfo, 3, config->layers, ALL);
	if (ARG_IS_GIVEN(4))
	{
		int32		asked = PG_GETARG_INT32(4);

		if (asked < 0 || (uint32) asked >= config->heads)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid value for option \"head\": %d", asked),
					 errdetail("Legal values are 0 to %u.",
							   config->heads - 1)));
		call->head = (size_t) asked;
	}
}

/*
 * attentions(input text [, model text, pair text, layer int, head int]) ->
 * setof (layer, head, token_no, weights)
 */
PG_FUNCTION_INFO_V1(mobilebert_attentions);
Datum
mobilebert_attentions(PG_FUNCTION_ARGS)
{
	OutputCall	call;

	mobilebert_srf_begin(fcinfo);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	attentions_init(&call, fcinfo);
	output_text(&call, 2, OVERFLOW_ERROR,
				mobilebert_state_positions(call.model), 0);
	return (Datum) 0;
}

/*
 * attentions(input_ids int[], model text, token_type_ids int[], layer int,
 * head int, attention_mask int[]) -> the same
 */
PG_FUNCTION_INFO_V1(mobilebert_attentions_ids);
Datum
mobilebert_attentions_ids(PG_FUNCTION_ARGS)
{
	OutputCall	call;

	mobilebert_srf_begin(fcinfo);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	attentions_init(&call, fcinfo);
	output_ids(&call, 2, 5);
	return (Datum) 0;
}
