/*-------------------------------------------------------------------------
 *
 * fn_pretraining.c
 *	  pretraining: both outputs of the pretraining heads from one pass.
 *
 * Source: transformers' MobileBertForPreTraining; spec model.md 5.3.
 * Depends on server/pg.h, server/adapt.h, server/options.h,
 * models/model_cache.h, pass/calls.h, pass/rows.h, pass/sequences.h,
 * pass/workspace.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/options.h"
#include "models/model_cache.h"
#include "pass/calls.h"
#include "pass/rows.h"
#include "pass/sequences.h"
#include "pass/workspace.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"

typedef struct PretrainingCall
{
	MobilebertCall call;
	MobilebertRows rows;		/* one */
	size_t	   *positions;		/* [count] */
	size_t		count;
	TupleDesc	desc;
	ArrayType  *predictions;	/* [count][V] */
	float		relationship[2];
} PretrainingCall;

/* Option "positions": tokens, negative ones from the end; NULL: all. */
static void
positions_read(PretrainingCall *pretraining, ArrayType *array)
{
	size_t		length = pretraining->rows.rows[0].length;
	const int32 *given = NULL;
	size_t		i;

	pretraining->count = length;
	if (array != NULL)
		given = mobilebert_int_values(array, "positions",
									  &pretraining->count);
	pretraining->positions = mobilebert_allocate(pretraining->count,
												 sizeof(size_t));
	for (i = 0; i < pretraining->count; i++)
	{
		int64		position = given == NULL ? (int64) i : given[i];

		CHECK_FOR_INTERRUPTS();
		if (position < 0)
			position += (int64) length;
		if (position < 0 || position >= (int64) length)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid value in array \"positions\": %d",
							given[i]),
					 errdetail("Legal values are 0 to %zu, or -1 to -%zu counted from the end.",
							   length - 1, length)));
		pretraining->positions[i] = (size_t) position;
	}
}

/* real[rows][columns]; refused before the pass when it cannot be. */
static ArrayType *
matrix_make(size_t rows, size_t columns)
{
	size_t		elements;
	size_t		size;
	ArrayType  *array;

	if (rows == 0)
		return construct_empty_array(FLOAT4OID);
	if (!mb_size_multiply(rows, columns, &elements) ||
		elements > (MaxAllocSize - ARR_OVERHEAD_NONULLS(2)) / sizeof(float))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("logits of %zu tokens are too large for an array",
						rows),
				 errdetail("There are %zu numbers for each, and an array has at most 1 GB.",
						   columns),
				 errhint("Ask for fewer positions.")));
	size = ARR_OVERHEAD_NONULLS(2) + elements * sizeof(float);
	mobilebert_workspace_check(size);
	array = palloc(size);
	SET_VARSIZE(array, size);
	array->ndim = 2;
	array->dataoffset = 0;
	array->elemtype = FLOAT4OID;
	ARR_DIMS(array)[0] = (int) rows;
	ARR_DIMS(array)[1] = (int) columns;
	ARR_LBOUND(array)[0] = 1;
	ARR_LBOUND(array)[1] = 1;
	return array;
}

static void
pretraining_sequence(MobilebertCall *call, size_t n,
					 MobilebertSequence *sequence)
{
	mobilebert_rows_sequence(&((PretrainingCall *) call)->rows, n, false,
							 sequence);
}

static void
pretraining_take(MobilebertCall *call, size_t n,
				 const MobilebertSequence *sequence, const float *states)
{
	PretrainingCall *pretraining = (PretrainingCall *) call;
	const mb_model *model = &call->model->image.model;
	size_t		width = model->config.hidden_size;
	size_t		vocabulary = model->config.vocab_size;
	float	   *out = (float *) ARR_DATA_PTR(pretraining->predictions);
	float	   *scratch = palloc(mb_head_scratch(model) * sizeof(float));
	size_t		i;

	(void) n;
	(void) sequence;
	ENGINE_CALL(mb_head_logits, model, MB_TASK_NEXT_SENTENCE, states, scratch,
				pretraining->relationship, &mobilebert_cancel);
	for (i = 0; i < pretraining->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		ENGINE_CALL(mb_head_logits, model, MB_TASK_FILL_MASK,
					states + pretraining->positions[i] * width, scratch,
					out + i * vocabulary, &mobilebert_cancel);
	}
	pfree(scratch);
}

static Datum
pretraining_result(MobilebertCall *call, bool *null)
{
	PretrainingCall *pretraining = (PretrainingCall *) call;
	Datum		values[2];
	bool		nulls[2] = {0};

	*null = false;
	values[0] = PointerGetDatum(pretraining->predictions);
	values[1] = PointerGetDatum(mobilebert_real_array(pretraining->relationship,
													  2));
	return HeapTupleGetDatum(heap_form_tuple(pretraining->desc, values,
											 nulls));
}

/*
 * pretraining(input text [, model text, pair text, positions int[]]) ->
 * (prediction_logits real[][], seq_relationship_logits real[])
 */
static MobilebertCall *
mobilebert_pretraining_begin(FunctionCallInfo fcinfo)
{
	PretrainingCall *pretraining;
	const MobilebertModel *model;

	if (PG_ARGISNULL(0))
		return NULL;
	model = mobilebert_model_argument(fcinfo, 1, MB_TASK_FILL_MASK);
	if ((model->registry->tasks & MB_TASK_NEXT_SENTENCE) == 0)
		mobilebert_no_head(model->registry, MB_TASK_NEXT_SENTENCE);
	pretraining = palloc0(sizeof(PretrainingCall));
	pretraining->call.model = model;
	pretraining->call.layers = model->image.config.layers;
	pretraining->call.sequences = 1;
	pretraining->call.sequence = pretraining_sequence;
	pretraining->call.take = pretraining_take;
	pretraining->call.result = pretraining_result;
	if (get_call_result_type(fcinfo, NULL, &pretraining->desc) !=
		TYPEFUNC_COMPOSITE)
		elog(ERROR, "pretraining() must return a row");
	pretraining->desc = BlessTupleDesc(pretraining->desc);

	mobilebert_rows_init(&pretraining->rows, fcinfo, model, false, 0);
	(void) mobilebert_rows_add(&pretraining->rows, PG_GETARG_TEXT_PP(0),
							   mobilebert_second_text(fcinfo, 2));
	mobilebert_rows_done(&pretraining->rows);
	positions_read(pretraining,
				   ARG_IS_GIVEN(3) ? PG_GETARG_ARRAYTYPE_P(3) : NULL);
	pretraining->predictions =
		matrix_make(pretraining->count, model->image.config.vocab_size);
	return &pretraining->call;
}

MOBILEBERT_VALUE_FUNCTION(mobilebert_pretraining);
