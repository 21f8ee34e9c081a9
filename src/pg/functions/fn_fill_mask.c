/*-------------------------------------------------------------------------
 *
 * fn_fill_mask.c
 *	  The masked language model: fill_mask, best_token, token_log_probability,
 *	  pseudo_perplexity.
 *
 * The head costs as much as some layers of the encoder, so it runs at the
 * asked positions only.  Of the probabilities over the vocabulary only the
 * best few are kept; their tokens and sequences are decoded when the rows are
 * given out, one at a time.
 *
 * fill_mask reads a long text in windows when it is told to, and runs only
 * those that have a mask.  token_log_probability makes of a text as many
 * sequences as it has tokens, each with another one masked; like all calls
 * they are packed together as far as they fit.
 *
 * Source: transformers' FillMaskPipeline (spec pipelines.md 4); pseudo
 * perplexity after Salazar et al., "Masked Language Model Scoring" (2020).
 * Depends on server/pg.h, server/adapt.h, server/options.h,
 * models/model_cache.h, pass/calls.h, pass/rows.h, pass/sequences.h,
 * pass/workspace.h, functions/batched.h.
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
#include "functions/batched.h"

#include <math.h>

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#define DEFAULT_TOP_K 5

/* A mask, and its best tokens, best first. */
typedef struct FillMask
{
	size_t		row;			/* the window it is filled in */
	size_t		position;
	int32	   *ids;			/* [top_k] */
	float	   *scores;			/* [top_k] */
} FillMask;

typedef struct FillCall
{
	MobilebertCall call;
	FunctionCallInfo fcinfo;
	MobilebertRows rows;		/* windows with masks */
	FillMask   *masks;			/* [count], left to right */
	size_t		count;
	size_t		filled;
	size_t		top_k;
	int32	   *targets;		/* [targets_count], ascending; NULL: all tokens */
	size_t		targets_count;
} FillCall;

/* Each token of a text, masked in turn. */
typedef struct TokenCall
{
	MobilebertCall call;
	FunctionCallInfo fcinfo;
	MobilebertRows rows;		/* one */
	size_t	   *positions;		/* [call.sequences] */
	double	   *logarithms;		/* [call.sequences] */
	int32	   *masked;			/* the current sequence */
} TokenCall;

/*
 * Targets
 */

static int
compare_ids(const void *a, const void *b)
{
	int32		x = *(const int32 *) a;
	int32		y = *(const int32 *) b;

	return x < y ? -1 : x > y;
}

/*
 * The token of that name, or else the one that stays when the target's tokens
 * are cut to one; -1 when it has none.
 */
static int32
target_id(FillCall *fill, Datum target, mb_arena *arena)
{
	const MobilebertModel *model = fill->call.model;
	const mb_tokenizer *tokenizer = &model->image.tokenizer;
	MobilebertText t;
	mb_pieces	pieces;
	int32		id;

	mobilebert_text_read(DatumGetTextPP(target), &t);
	id = mb_token_id(tokenizer, t.utf8, t.length);
	if (id < 0)
	{
		ENGINE_CALL(mb_tokenize, tokenizer, t.utf8, t.length,
					tokenizer->split_special_tokens, arena, &mobilebert_cancel,
					&pieces);
		if (pieces.count == 0)
			return -1;
		id = pieces.ids[tokenizer->truncate_left ? pieces.count - 1 : 0];
	}
	if ((uint32) id >= model->image.config.vocab_size)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("target \"%s\" is not in the vocabulary of model \"%s\"",
						TextDatumGetCString(target), model->name),
				 errdetail("Its token has id %d, and the model has %u tokens.",
						   id, model->image.config.vocab_size)));
	return id;
}

/* Option "targets": distinct ids, lower ones first. */
static void
fill_targets(FillCall *fill, ArrayType *array)
{
	mb_memory	memory = mobilebert_memory(CurrentMemoryContext);
	size_t		count = (size_t) ArrayGetNItems(ARR_NDIM(array),
												ARR_DIMS(array));
	ArrayIterator iterator = array_create_iterator(array, 0, NULL);
	mb_arena	arena;
	Datum		element;
	bool		null;
	size_t		used = 0;
	size_t		i;

	fill->targets = mobilebert_allocate(count, sizeof(int32));
	mobilebert_arena_init(&arena, &memory);
	while (array_iterate(iterator, &element, &null))
	{
		int32		id;

		CHECK_FOR_INTERRUPTS();
		if (null)
			mobilebert_array_null("targets");
		id = target_id(fill, element, &arena);
		mb_arena_free(&arena);
		if (id >= 0)
			fill->targets[used++] = id;
	}
	array_free_iterator(iterator);
	if (used == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"targets\" must name at least one token"),
				 errhint("Leave it out to choose among all tokens.")));

	qsort(fill->targets, used, sizeof(int32), compare_ids);
	fill->targets_count = 1;
	for (i = 1; i < used; i++)
		if (fill->targets[i] != fill->targets[i - 1])
			fill->targets[fill->targets_count++] = fill->targets[i];
}

/*
 * fill_mask
 */

static void
check_mask_token(const MobilebertModel *model)
{
	if (model->image.tokenizer.mask_id < 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("tokenizer of model \"%s\" has no mask token",
						model->name)));
}

/* Option "top_k": at most all tokens, or all targets. */
static void
fill_top_k(FillCall *fill, FunctionCallInfo fcinfo, int n)
{
	size_t		vocabulary = fill->call.model->image.config.vocab_size;

	fill->top_k = DEFAULT_TOP_K;
	mobilebert_size_option(fcinfo, n, "top_k", 1, &fill->top_k);
	if (fill->targets != NULL)
		fill->top_k = Min(fill->top_k, fill->targets_count);
	if (fill->top_k > vocabulary)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"top_k\": %zu",
						fill->top_k),
				 errdetail("Model \"%s\" has %zu tokens.",
						   fill->call.model->name, vocabulary)));
}

/* Find the masks, and keep the windows that have any. */
static void
fill_masks(FillCall *fill, MobilebertInput *in)
{
	const mb_tokenizer *tokenizer = &fill->call.model->image.tokenizer;
	int32		mask_id = tokenizer->mask_id;
	size_t		room = 4;
	MobilebertSequence sequence;
	size_t		n;
	size_t		i;

	fill->masks = palloc(room * sizeof(FillMask));
	for (n = 0; n < in->windows; n++)
	{
		size_t		before = fill->count;

		CHECK_FOR_INTERRUPTS();
		mobilebert_input_window(in, n, &sequence);
		for (i = sequence.keep_from; i < sequence.keep_to; i++)
		{
			if (sequence.ids[i] != mask_id)
				continue;
			if (fill->count == room)
			{
				room *= 2;
				mobilebert_memory_check("masks", room * sizeof(FillMask));
				fill->masks = repalloc_huge(fill->masks,
											room * sizeof(FillMask));
			}
			fill->masks[fill->count].row = fill->rows.count;
			fill->masks[fill->count++].position = i;
		}
		if (fill->count > before)
			mobilebert_rows_keep(&fill->rows, &sequence);
	}
	if (fill->count == 0)
	{
		size_t		length;
		const char *token = mb_token_text(tokenizer, mask_id, &length);

		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("text has no mask token"),
				 in->truncated ?
				 errdetail("Nothing is masked in the %zu tokens that are left of it.",
						   in->limit) : 0,
				 errhint("Write \"%s\" where a token is to be filled in.",
						 mobilebert_message(pnstrdup(token, length)))));
	}
}

static void
fill_sequence(MobilebertCall *call, size_t n, MobilebertSequence *sequence)
{
	mobilebert_rows_sequence(&((FillCall *) call)->rows, n, false, sequence);
}

/* scores [V]: probabilities of all tokens; the targets' move to the front. */
static void
fill_best(const FillCall *fill, FillMask *mask, float *scores)
{
	size_t		count = fill->call.model->image.config.vocab_size;
	size_t	   *best = palloc(fill->top_k * sizeof(size_t));
	size_t		i;

	if (fill->targets != NULL)
	{
		count = fill->targets_count;
		for (i = 0; i < count; i++)
			scores[i] = scores[fill->targets[i]];
	}
	(void) mb_top(scores, count, fill->top_k, best);
	for (i = 0; i < fill->top_k; i++)
	{
		mask->scores[i] = scores[best[i]];
		mask->ids[i] = fill->targets != NULL ? fill->targets[best[i]] :
			(int32) best[i];
	}
	pfree(best);
}

static void
fill_take(MobilebertCall *call, size_t n, const MobilebertSequence *sequence,
		  const float *states)
{
	FillCall   *fill = (FillCall *) call;
	const mb_model *model = &call->model->image.model;
	size_t		width = model->config.hidden_size;
	size_t		vocabulary = model->config.vocab_size;
	float	   *scratch = palloc(mb_head_scratch(model) * sizeof(float));
	float	   *scores = palloc(vocabulary * sizeof(float));

	(void) sequence;
	for (; fill->filled < fill->count && fill->masks[fill->filled].row == n;
		 fill->filled++)
	{
		FillMask   *mask = &fill->masks[fill->filled];

		CHECK_FOR_INTERRUPTS();
		ENGINE_CALL(mb_head_logits, model, MB_TASK_FILL_MASK,
					states + mask->position * width, scratch, scores,
					&mobilebert_cancel);
		mb_softmax(scores, vocabulary, scores);
		fill_best(fill, mask, scores);
	}
	pfree(scratch);
	pfree(scores);
}

/* Arguments of fill_mask(); best_token() has the first two. */
static FillCall *
fill_begin(FunctionCallInfo fcinfo)
{
	FillCall   *fill;
	MobilebertInput in;
	MobilebertOverflow overflow;
	size_t		max_length;
	size_t		bytes;
	size_t		i;

	if (PG_ARGISNULL(0))
		return NULL;
	overflow = mobilebert_overflow(ARG_TEXT(4), OVERFLOW_ERROR);
	fill = palloc0(sizeof(FillCall));
	fill->fcinfo = fcinfo;
	fill->call.model = mobilebert_model_argument(fcinfo, 1, MB_TASK_FILL_MASK);
	fill->call.layers = fill->call.model->image.config.layers;
	fill->call.sequence = fill_sequence;
	fill->call.take = fill_take;
	check_mask_token(fill->call.model);
	max_length = mobilebert_max_length(fcinfo, 6, fill->call.model,
									   mobilebert_positions(fill->call.model));
	if (ARG_IS_GIVEN(3))
		fill_targets(fill, PG_GETARG_ARRAYTYPE_P(3));
	fill_top_k(fill, fcinfo, 2);

	mobilebert_input_read(&in, fcinfo, fill->call.model, PG_GETARG_TEXT_PP(0),
						  NULL, overflow, max_length,
						  mobilebert_stride(fcinfo, 5, fill->call.model,
											max_length));
	mobilebert_rows_init(&fill->rows, fcinfo, fill->call.model, false, 0);
	fill_masks(fill, &in);
	mobilebert_input_free(&in);
	fill->call.sequences = fill->rows.count;

	if (!mb_size_multiply(fill->count, fill->top_k *
						  (sizeof(int32) + sizeof(float)), &bytes))
		bytes = SIZE_MAX;
	mobilebert_workspace_check(bytes);
	for (i = 0; i < fill->count; i++)
	{
		fill->masks[i].ids = palloc(fill->top_k * sizeof(int32));
		fill->masks[i].scores = palloc(fill->top_k * sizeof(float));
	}
	return fill;
}

/* As text, 0 when the database encoding lacks a character. */
static Datum
fill_decode(FillCall *fill, const int32 *ids, size_t count, bool skip_special)
{
	const mb_tokenizer *tokenizer = &fill->call.model->image.tokenizer;
	mb_memory	memory = mobilebert_memory(CurrentMemoryContext);
	mb_arena	arena;
	char	   *utf8;
	size_t		length;
	Datum		result;

	mobilebert_arena_init(&arena, &memory);
	ENGINE_CALL(mb_decode, tokenizer, ids, count, skip_special,
				tokenizer->clean_up_spaces, &arena, &mobilebert_cancel, &utf8,
				&length);
	result = mobilebert_text_datum(utf8, length);
	mb_arena_free(&arena);
	return result;
}

/*
 * The mask's row with the token in its place, without padding; special tokens
 * show when there are several masks, since the others would vanish.
 */
static Datum
fill_text(FillCall *fill, const FillMask *mask, int32 id)
{
	const mb_tokenizer *tokenizer = &fill->call.model->image.tokenizer;
	const MobilebertRow *row = &fill->rows.rows[mask->row];
	int32	   *ids = palloc(row->length * sizeof(int32));
	size_t		masks = 0;
	size_t		count = 0;
	size_t		i;

	for (i = 0; i < row->length; i++)
	{
		int32		token = i == mask->position ? id : row->ids[i];

		masks += row->ids[i] == tokenizer->mask_id;
		if (token != tokenizer->pad_id)
			ids[count++] = token;
	}
	return fill_decode(fill, ids, count, masks == 1);
}

static Datum
fill_result(MobilebertCall *call, bool *null)
{
	FillCall   *fill = (FillCall *) call;
	ReturnSetInfo *info = (ReturnSetInfo *) fill->fcinfo->resultinfo;
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext,
												  "mobilebert rows",
												  ALLOCSET_DEFAULT_SIZES);
	size_t		m;
	size_t		i;

	*null = true;
	for (m = 0; m < fill->count; m++)
	{
		const FillMask *mask = &fill->masks[m];

		for (i = 0; i < fill->top_k; i++)
		{
			MemoryContext old = MemoryContextSwitchTo(scratch);
			Datum		values[6];
			bool		nulls[6] = {0};

			CHECK_FOR_INTERRUPTS();
			values[0] = Int32GetDatum((int32) m);
			values[1] = Int32GetDatum((int32) i + 1);
			values[2] = fill_decode(fill, &mask->ids[i], 1, false);
			values[3] = Int32GetDatum(mask->ids[i]);
			values[4] = Float4GetDatum(mask->scores[i]);
			values[5] = fill_text(fill, mask, mask->ids[i]);
			nulls[2] = values[2] == (Datum) 0;
			nulls[5] = values[5] == (Datum) 0;
			tuplestore_putvalues(info->setResult, info->setDesc, values,
								 nulls);
			MemoryContextSwitchTo(old);
			MemoryContextReset(scratch);
		}
	}
	MemoryContextDelete(scratch);
	return (Datum) 0;
}

/*
 * fill_mask(input text [, model text, top_k int, targets text[],
 * overflow text, stride int, max_length int]) -> setof (mask_no, rank, token,
 * token_id, score, sequence)
 */
static MobilebertCall *
mobilebert_fill_mask_begin(FunctionCallInfo fcinfo)
{
	FillCall   *fill = fill_begin(fcinfo);

	if (fill == NULL)
		return NULL;
	fill->call.result = fill_result;
	return &fill->call;
}

MOBILEBERT_ROWS_FUNCTION(mobilebert_fill_mask);

static Datum
best_token_result(MobilebertCall *call, bool *null)
{
	FillCall   *fill = (FillCall *) call;
	Datum		token = fill_decode(fill, fill->masks[0].ids, 1, false);

	*null = token == (Datum) 0;
	return token;
}

/* best_token(input text [, model text]) -> text */
MobilebertCall *
mobilebert_best_token_begin(FunctionCallInfo fcinfo)
{
	FillCall   *fill = fill_begin(fcinfo);

	if (fill == NULL)
		return NULL;
	if (fill->count > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("text has %zu mask tokens", fill->count),
				 errdetail("best_token() takes exactly one."),
				 errhint("fill_mask() fills each of several masks.")));
	fill->call.result = best_token_result;
	return &fill->call;
}

MOBILEBERT_VALUE_FUNCTION(mobilebert_best_token);

/*
 * token_log_probability, pseudo_perplexity
 */

static void
token_sequence(MobilebertCall *call, size_t n, MobilebertSequence *sequence)
{
	TokenCall  *token = (TokenCall *) call;

	mobilebert_rows_sequence(&token->rows, 0, false, sequence);
	memcpy(token->masked, sequence->ids, sequence->length * sizeof(int32));
	token->masked[token->positions[n]] = call->model->image.tokenizer.mask_id;
	sequence->ids = token->masked;
}

static void
token_take(MobilebertCall *call, size_t n, const MobilebertSequence *sequence,
		   const float *states)
{
	TokenCall  *token = (TokenCall *) call;
	const mb_model *model = &call->model->image.model;
	size_t		width = model->config.hidden_size;
	size_t		vocabulary = model->config.vocab_size;
	size_t		position = token->positions[n];
	float	   *scratch = palloc(mb_head_scratch(model) * sizeof(float));
	float	   *logits = palloc(vocabulary * sizeof(float));

	(void) sequence;
	ENGINE_CALL(mb_head_logits, model, MB_TASK_FILL_MASK,
				states + position * width, scratch, logits,
				&mobilebert_cancel);
	token->logarithms[n] =
		-mb_cross_entropy(logits, vocabulary,
						  (size_t) token->rows.rows[0].ids[position]);
	pfree(scratch);
	pfree(logits);
}

static TokenCall *
token_begin(FunctionCallInfo fcinfo)
{
	TokenCall  *token;
	const mb_encoding *encoding;
	size_t		vocabulary;
	size_t		i;

	if (PG_ARGISNULL(0))
		return NULL;
	token = palloc0(sizeof(TokenCall));
	token->fcinfo = fcinfo;
	token->call.model = mobilebert_model_argument(fcinfo, 1,
												  MB_TASK_FILL_MASK);
	token->call.layers = token->call.model->image.config.layers;
	token->call.sequence = token_sequence;
	token->call.take = token_take;
	check_mask_token(token->call.model);

	mobilebert_rows_init(&token->rows, fcinfo, token->call.model, false, 0);
	encoding = mobilebert_rows_add(&token->rows, PG_GETARG_TEXT_PP(0), NULL);
	token->positions = palloc(encoding->length * sizeof(size_t));
	token->masked = palloc(encoding->length * sizeof(int32));
	vocabulary = token->call.model->image.config.vocab_size;
	for (i = 0; i < encoding->length; i++)
	{
		if (encoding->sequences[i] < 0)
			continue;
		/* masked, it would not be seen by the checks of the pass */
		if ((size_t) encoding->ids[i] >= vocabulary)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("token id %d is outside the vocabulary of %zu",
							encoding->ids[i], vocabulary)));
		token->positions[token->call.sequences++] = i;
	}
	token->logarithms = palloc(encoding->length * sizeof(double));
	mobilebert_rows_done(&token->rows);
	return token;
}

static Datum
token_result(MobilebertCall *call, bool *null)
{
	TokenCall  *token = (TokenCall *) call;
	ReturnSetInfo *info = (ReturnSetInfo *) token->fcinfo->resultinfo;
	size_t		i;

	*null = true;
	for (i = 0; i < call->sequences; i++)
	{
		size_t		position = token->positions[i];
		Datum		values[3];
		bool		nulls[3] = {0};

		CHECK_FOR_INTERRUPTS();
		values[0] = Int32GetDatum((int32) position);
		values[1] = mobilebert_token_datum(&call->model->image.tokenizer,
										   token->rows.rows[0].ids[position]);
		values[2] = Float4GetDatum((float) token->logarithms[i]);
		nulls[1] = values[1] == (Datum) 0;
		tuplestore_putvalues(info->setResult, info->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/*
 * token_log_probability(input text [, model text]) -> setof (token_no, token,
 * log_probability)
 */
static MobilebertCall *
mobilebert_token_log_probability_begin(FunctionCallInfo fcinfo)
{
	TokenCall  *token = token_begin(fcinfo);

	if (token == NULL)
		return NULL;
	token->call.result = token_result;
	return &token->call;
}

MOBILEBERT_ROWS_FUNCTION(mobilebert_token_log_probability);

/* A text without tokens has no perplexity. */
static Datum
perplexity_result(MobilebertCall *call, bool *null)
{
	TokenCall  *token = (TokenCall *) call;
	double		sum = 0;
	size_t		i;

	*null = call->sequences == 0;
	if (*null)
		return (Datum) 0;
	for (i = 0; i < call->sequences; i++)
		sum += token->logarithms[i];
	return Float4GetDatum((float) exp(-sum / (double) call->sequences));
}

/* pseudo_perplexity(input text [, model text]) -> real */
MobilebertCall *
mobilebert_pseudo_perplexity_begin(FunctionCallInfo fcinfo)
{
	TokenCall  *token = token_begin(fcinfo);

	if (token == NULL)
		return NULL;
	token->call.result = perplexity_result;
	return &token->call;
}

MOBILEBERT_VALUE_FUNCTION(mobilebert_pseudo_perplexity);
