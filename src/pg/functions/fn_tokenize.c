/*-------------------------------------------------------------------------
 *
 * fn_tokenize.c
 *	  The tokenizer from SQL: tokenize, encode, decode, tokens, count_tokens,
 *	  token_id, token_text, vocabulary; chunk is in fn_chunk.c.
 *
 * Each has a form that names the model and one for the default model; the C
 * function is the same and looks at how many arguments it got.  Offsets leave
 * here in characters of the database encoding.
 *
 * Every "_no" column counts from 0, as indices do in Hugging Face.
 *
 * A text can have millions of tokens: every loop over them lets a cancel in.
 *
 * Source: transformers' MobileBertTokenizerFast; spec tokenizer.md.
 * Depends on server/pg.h, server/adapt.h, server/options.h,
 * models/model_cache.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/options.h"
#include "models/model_cache.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* Argument numbers that encode() and both forms of tokens() have in common. */
enum
{
	ENCODE_INPUT,
	ENCODE_MODEL,
	ENCODE_PAIR,
	ENCODE_ADD_SPECIAL_TOKENS,
	ENCODE_MAX_LENGTH,
	ENCODE_TRUNCATION,
	ENCODE_STRIDE,
	ENCODE_PADDING,
	ENCODE_PAD_TO_MULTIPLE_OF,
	ENCODE_TRUNCATION_SIDE,
	ENCODE_PADDING_SIDE,
	ENCODE_SPLIT_SPECIAL_TOKENS
};

/* One side of an encoding: a text, or its words when it came pre-split. */
typedef struct TokenSide
{
	bool		given;
	bool		split;			/* pre-split: texts[count] */
	int			count;
	MobilebertText *texts;
	mb_pieces	pieces;
} TokenSide;

typedef struct TokenCall
{
	const MobilebertModel *model;
	mb_memory	memory;
	mb_arena	arena;
	bool		split_special_tokens;
	mb_encode_options options;
	TokenSide	sides[2];
} TokenCall;

/*
 * Reading texts and options
 */

static void
call_init(TokenCall *call, FunctionCallInfo fcinfo, int model, int split)
{
	memset(call, 0, sizeof(*call));
	call->model = mobilebert_model_argument(fcinfo, model, MB_TASK_EMBED);
	call->memory = mobilebert_memory(CurrentMemoryContext);
	mobilebert_arena_init(&call->arena, &call->memory);
	call->split_special_tokens =
		ARG_BOOL(split, call->model->image.tokenizer.split_special_tokens);
}

static void
side_text(TokenCall *call, TokenSide *side, text *value)
{
	side->given = true;
	side->split = false;
	side->count = 1;
	side->texts = palloc(sizeof(MobilebertText));
	mobilebert_text_read(value, side->texts);
	ENGINE_CALL(mb_tokenize, &call->model->image.tokenizer, side->texts->utf8,
				side->texts->length, call->split_special_tokens, &call->arena,
				&mobilebert_cancel, &side->pieces);
}

static void
side_words(TokenCall *call, TokenSide *side, ArrayType *array,
		   const char *what)
{
	ArrayIterator iterator;
	mb_document *words;
	size_t		bytes = 0;
	Datum		element;
	bool		null;
	int			i;

	side->count = (int) mobilebert_array_length(array, what);
	side->given = true;
	side->split = true;
	side->texts = mobilebert_allocate((size_t) side->count, sizeof(MobilebertText));
	words = mobilebert_allocate((size_t) side->count, sizeof(mb_document));
	iterator = array_create_iterator(array, 0, NULL);
	for (i = 0; i < side->count && array_iterate(iterator, &element, &null);
		 i++)
	{
		if (null)
			mobilebert_array_null(what);
		bytes += VARSIZE_ANY_EXHDR(DatumGetTextPP(element)) + 1;
		mobilebert_memory_check(what, bytes);
		mobilebert_text_read(DatumGetTextPP(element), &side->texts[i]);
		words[i].text = side->texts[i].utf8;
		words[i].length = side->texts[i].length;
		CHECK_FOR_INTERRUPTS();
	}
	array_free_iterator(iterator);
	ENGINE_CALL(mb_tokenize_words, &call->model->image.tokenizer, words,
				(size_t) side->count, call->split_special_tokens, &call->arena,
				&mobilebert_cancel, &side->pieces);
}

/*
 * Hugging Face's rule: a max_length alone means longest_first, unless padding
 * is asked for, which max_length may be meant for.
 */
static mb_truncation
truncation_option(FunctionCallInfo fcinfo)
{
	static const MobilebertChoice choices[] = {
		{"none", MB_TRUNCATE_NONE},
		{"longest_first", MB_TRUNCATE_LONGEST_FIRST},
		{"only_first", MB_TRUNCATE_ONLY_FIRST},
		{"only_second", MB_TRUNCATE_ONLY_SECOND},
		{NULL, 0}
	};
	bool		implied = ARG_IS_GIVEN(ENCODE_MAX_LENGTH) &&
		!ARG_IS_GIVEN(ENCODE_PADDING);

	return (mb_truncation)
		mobilebert_choice("truncation", ARG_TEXT(ENCODE_TRUNCATION), choices,
						  implied ? MB_TRUNCATE_LONGEST_FIRST :
						  MB_TRUNCATE_NONE);
}

static bool
side_is_left(FunctionCallInfo fcinfo, int n, const char *option,
			 bool otherwise)
{
	static const MobilebertChoice choices[] = {
		{"right", false},
		{"left", true},
		{NULL, 0}
	};

	return mobilebert_choice(option, ARG_TEXT(n), choices, otherwise) != 0;
}

static void
call_options(TokenCall *call, FunctionCallInfo fcinfo)
{
	static const MobilebertChoice paddings[] = {
		{"none", MB_PAD_NONE},
		{"longest", MB_PAD_LONGEST},
		{"max_length", MB_PAD_MAX_LENGTH},
		{NULL, 0}
	};
	const mb_tokenizer *tokenizer = &call->model->image.tokenizer;
	mb_encode_options *options = &call->options;

	mb_encode_defaults(tokenizer, options);
	options->add_special_tokens = ARG_BOOL(ENCODE_ADD_SPECIAL_TOKENS, true);
	options->truncation = truncation_option(fcinfo);
	options->padding = (mb_padding)
		mobilebert_choice("padding", ARG_TEXT(ENCODE_PADDING), paddings,
						  MB_PAD_NONE);
	options->truncate_left = side_is_left(fcinfo, ENCODE_TRUNCATION_SIDE,
										  "truncation_side",
										  options->truncate_left);
	options->pad_left = side_is_left(fcinfo, ENCODE_PADDING_SIDE,
									 "padding_side", options->pad_left);
	mobilebert_size_option(fcinfo, ENCODE_STRIDE, "stride", 0,
						   &options->stride);
	mobilebert_size_option(fcinfo, ENCODE_PAD_TO_MULTIPLE_OF,
						   "pad_to_multiple_of", 1,
						   &options->pad_to_multiple_of);

	/* Without max_length the model's, and where it has none: no limit. */
	if (!mobilebert_size_option(fcinfo, ENCODE_MAX_LENGTH, "max_length", 0,
								&options->max_length))
	{
		if (tokenizer->model_max_length < SIZE_MAX)
			options->max_length = (size_t) tokenizer->model_max_length;
		else
		{
			options->max_length = SIZE_MAX;
			options->truncation = MB_TRUNCATE_NONE;
			if (options->padding == MB_PAD_MAX_LENGTH)
				options->padding = MB_PAD_NONE;
		}
	}
}

static mb_encoding *
call_encode(TokenCall *call, size_t *count)
{
	mb_encoding *windows;

	ENGINE_CALL(mb_encode, &call->model->image.tokenizer,
				&call->sides[0].pieces,
				call->sides[1].given ? &call->sides[1].pieces : NULL,
				&call->options, &call->arena, &mobilebert_cancel, &windows,
				count, NULL);
	return windows;
}

/*
 * tokenize, encode, decode, count_tokens
 */

/*
 * The token of an id; 0 when there is none.  One that the database encoding
 * cannot hold is the server's error about it.
 */
static Datum
token_or_error(const mb_tokenizer *tokenizer, int32 id)
{
	size_t		length;
	const char *token = mb_token_text(tokenizer, id, &length);

	if (token == NULL)
		return (Datum) 0;
	return PointerGetDatum(mobilebert_text_make(token, length));
}

/*
 * The tokens of pieces as text[].  The server's functions for that could not
 * be interrupted and want every element in memory twice.
 */
static ArrayType *
token_array(const mb_tokenizer *tokenizer, const mb_pieces *pieces)
{
	StringInfoData buffer;
	ArrayType  *array;
	size_t		i;

	if (pieces->count == 0)
		return construct_empty_array(TEXTOID);
	initStringInfo(&buffer);
	enlargeStringInfo(&buffer, ARR_OVERHEAD_NONULLS(1));
	memset(buffer.data, 0, ARR_OVERHEAD_NONULLS(1));
	buffer.len = ARR_OVERHEAD_NONULLS(1);
	for (i = 0; i < pieces->count; i++)
	{
		Datum		token = token_or_error(tokenizer, pieces->ids[i]);

		/* the buffer doubles when it is full */
		mobilebert_memory_check("array of tokens", 2 * (size_t) buffer.len);
		appendBinaryStringInfo(&buffer, DatumGetPointer(token),
							   (int) VARSIZE(DatumGetPointer(token)));
		while (buffer.len != (int) INTALIGN(buffer.len))
			appendStringInfoChar(&buffer, '\0');
		pfree(DatumGetPointer(token));
		CHECK_FOR_INTERRUPTS();
	}

	array = (ArrayType *) buffer.data;
	SET_VARSIZE(array, buffer.len);
	array->ndim = 1;
	array->elemtype = TEXTOID;
	ARR_DIMS(array)[0] = (int) pieces->count;
	ARR_LBOUND(array)[0] = 1;
	return array;
}

/* tokenize(input text [, model text, split_special_tokens bool]) -> text[] */
PG_FUNCTION_INFO_V1(mobilebert_tokenize);
Datum
mobilebert_tokenize(PG_FUNCTION_ARGS)
{
	TokenCall	call;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	call_init(&call, fcinfo, 1, 2);
	side_text(&call, &call.sides[0], PG_GETARG_TEXT_PP(0));
	PG_RETURN_ARRAYTYPE_P(token_array(&call.model->image.tokenizer,
									  &call.sides[0].pieces));
}

/* encode(input text [, model text, pair text, ...]) -> int[] */
PG_FUNCTION_INFO_V1(mobilebert_encode);
Datum
mobilebert_encode(PG_FUNCTION_ARGS)
{
	TokenCall	call;
	mb_encoding *windows;
	size_t		count;

	if (PG_ARGISNULL(ENCODE_INPUT))
		PG_RETURN_NULL();
	call_init(&call, fcinfo, ENCODE_MODEL, ENCODE_SPLIT_SPECIAL_TOKENS);
	call_options(&call, fcinfo);
	side_text(&call, &call.sides[0], PG_GETARG_TEXT_PP(ENCODE_INPUT));
	if (ARG_IS_GIVEN(ENCODE_PAIR))
		side_text(&call, &call.sides[1], PG_GETARG_TEXT_PP(ENCODE_PAIR));
	windows = call_encode(&call, &count);
	PG_RETURN_ARRAYTYPE_P(mobilebert_int_array(windows[0].ids,
											   windows[0].length));
}

/*
 * decode(ids int[] [, model text, skip_special_tokens bool,
 * clean_up_tokenization_spaces bool]) -> text
 */
PG_FUNCTION_INFO_V1(mobilebert_decode);
Datum
mobilebert_decode(PG_FUNCTION_ARGS)
{
	TokenCall	call;
	const int32 *ids;
	size_t		count;
	char	   *result;
	size_t		length;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	call_init(&call, fcinfo, 1, PG_NARGS());
	ids = mobilebert_int_values(PG_GETARG_ARRAYTYPE_P(0), "ids", &count);
	ENGINE_CALL(mb_decode, &call.model->image.tokenizer, ids, count,
				ARG_BOOL(2, false),
				ARG_BOOL(3, call.model->image.tokenizer.clean_up_spaces),
				&call.arena, &mobilebert_cancel, &result, &length);
	PG_RETURN_TEXT_P(mobilebert_text_make(result, length));
}

/*
 * count_tokens(input text [, model text, pair text, add_special_tokens bool])
 * -> int
 */
PG_FUNCTION_INFO_V1(mobilebert_count_tokens);
Datum
mobilebert_count_tokens(PG_FUNCTION_ARGS)
{
	TokenCall	call;
	const mb_tokenizer *tokenizer;
	bool		pair = ARG_IS_GIVEN(2);
	size_t		count;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	call_init(&call, fcinfo, 1, PG_NARGS());
	tokenizer = &call.model->image.tokenizer;
	side_text(&call, &call.sides[0], PG_GETARG_TEXT_PP(0));
	if (pair)
		side_text(&call, &call.sides[1], PG_GETARG_TEXT_PP(2));
	count = call.sides[0].pieces.count + call.sides[1].pieces.count;
	if (ARG_BOOL(3, true))
		count += pair ? tokenizer->template_pair : tokenizer->template_single;
	if (count > PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("number of tokens is out of range")));
	PG_RETURN_INT32((int32) count);
}

/*
 * tokens
 */

/* Columns: see the SQL script. */
static void
put_window(ReturnSetInfo *info, const TokenCall *call, int window,
		   const mb_encoding *encoding)
{
	size_t		i;

	for (i = 0; i < encoding->length; i++)
	{
		int			sequence = encoding->sequences[i];
		int32		word = encoding->words[i];
		int32		start = encoding->starts[i];
		int32		end = encoding->ends[i];
		Datum		values[11];
		bool		nulls[11] = {0};

		if (sequence >= 0)
		{
			const TokenSide *side = &call->sides[sequence];
			const MobilebertText *t = &side->texts[side->split ? word : 0];

			start = mobilebert_text_offset(t, start);
			end = mobilebert_text_end(t, end);
		}
		values[0] = Int32GetDatum(window);
		values[1] = Int32GetDatum((int32) i);
		values[2] = Int32GetDatum(encoding->ids[i]);
		values[3] = mobilebert_token_datum(&call->model->image.tokenizer,
										   encoding->ids[i]);
		nulls[3] = values[3] == (Datum) 0;
		values[4] = Int32GetDatum(start);
		values[5] = Int32GetDatum(end);
		values[6] = Int32GetDatum(word);
		nulls[6] = word < 0;
		values[7] = Int32GetDatum(sequence);
		nulls[7] = sequence < 0;
		values[8] = Int32GetDatum(encoding->types[i]);
		values[9] = BoolGetDatum(encoding->special[i] != 0);
		values[10] = BoolGetDatum(encoding->mask[i] != 0);
		tuplestore_putvalues(info->setResult, info->setDesc, values, nulls);
		if (!nulls[3])
			pfree(DatumGetPointer(values[3]));
		CHECK_FOR_INTERRUPTS();
	}
}

static void
put_windows(FunctionCallInfo fcinfo, TokenCall *call)
{
	mb_encoding *windows;
	size_t		count;
	size_t		i;

	call->options.overflow = true;
	windows = call_encode(call, &count);
	for (i = 0; i < count; i++)
		put_window((ReturnSetInfo *) fcinfo->resultinfo, call, (int) i,
				   &windows[i]);
}

/* tokens(input text [, model text, pair text, ...]) -> setof (...) */
PG_FUNCTION_INFO_V1(mobilebert_tokens);
Datum
mobilebert_tokens(PG_FUNCTION_ARGS)
{
	TokenCall	call;

	mobilebert_srf_begin(fcinfo);
	if (PG_ARGISNULL(ENCODE_INPUT))
		return (Datum) 0;
	call_init(&call, fcinfo, ENCODE_MODEL, ENCODE_SPLIT_SPECIAL_TOKENS);
	call_options(&call, fcinfo);
	side_text(&call, &call.sides[0], PG_GETARG_TEXT_PP(ENCODE_INPUT));
	if (ARG_IS_GIVEN(ENCODE_PAIR))
		side_text(&call, &call.sides[1], PG_GETARG_TEXT_PP(ENCODE_PAIR));
	put_windows(fcinfo, &call);
	return (Datum) 0;
}

/* tokens(words text[] [, model text, pair text[], ...]) -> setof (...) */
PG_FUNCTION_INFO_V1(mobilebert_tokens_words);
Datum
mobilebert_tokens_words(PG_FUNCTION_ARGS)
{
	TokenCall	call;

	mobilebert_srf_begin(fcinfo);
	if (PG_ARGISNULL(ENCODE_INPUT))
		return (Datum) 0;
	call_init(&call, fcinfo, ENCODE_MODEL, ENCODE_SPLIT_SPECIAL_TOKENS);
	call_options(&call, fcinfo);
	side_words(&call, &call.sides[0], PG_GETARG_ARRAYTYPE_P(ENCODE_INPUT),
			   "words");
	if (ARG_IS_GIVEN(ENCODE_PAIR))
		side_words(&call, &call.sides[1], PG_GETARG_ARRAYTYPE_P(ENCODE_PAIR),
				   "pair");
	put_windows(fcinfo, &call);
	return (Datum) 0;
}

/*
 * The vocabulary
 */

/* token_id(token text [, model text]) -> int; NULL when there is none */
PG_FUNCTION_INFO_V1(mobilebert_token_id);
Datum
mobilebert_token_id(PG_FUNCTION_ARGS)
{
	TokenCall	call;
	MobilebertText t;
	int32		id;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	call_init(&call, fcinfo, 1, PG_NARGS());
	mobilebert_text_read(PG_GETARG_TEXT_PP(0), &t);
	id = mb_token_id(&call.model->image.tokenizer, t.utf8, t.length);
	if (id < 0)
		PG_RETURN_NULL();
	PG_RETURN_INT32(id);
}

/* token_text(id int [, model text]) -> text; NULL when there is none */
PG_FUNCTION_INFO_V1(mobilebert_token_text);
Datum
mobilebert_token_text(PG_FUNCTION_ARGS)
{
	TokenCall	call;
	Datum		token;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	call_init(&call, fcinfo, 1, PG_NARGS());
	token = token_or_error(&call.model->image.tokenizer, PG_GETARG_INT32(0));
	if (token == (Datum) 0)
		PG_RETURN_NULL();
	return token;
}

/* vocabulary(model text) -> setof (token_id, token, special) */
PG_FUNCTION_INFO_V1(mobilebert_vocabulary);
Datum
mobilebert_vocabulary(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *info = (ReturnSetInfo *) fcinfo->resultinfo;
	const mb_tokenizer *tokenizer;
	uint32		id;

	mobilebert_srf_begin(fcinfo);
	tokenizer = &mobilebert_model_argument(fcinfo, 0,
										   MB_TASK_EMBED)->image.tokenizer;
	for (id = 0; id < tokenizer->vocabulary_size; id++)
	{
		size_t		length;
		Datum		values[3];
		bool		nulls[3] = {0};

		CHECK_FOR_INTERRUPTS();
		if (mb_token_text(tokenizer, (int32) id, &length) == NULL)
			continue;
		values[0] = Int32GetDatum((int32) id);
		values[1] = mobilebert_token_datum(tokenizer, (int32) id);
		nulls[1] = values[1] == (Datum) 0;
		values[2] = BoolGetDatum(mb_token_special(tokenizer, (int32) id));
		tuplestore_putvalues(info->setResult, info->setDesc, values, nulls);
		if (!nulls[1])
			pfree(DatumGetPointer(values[1]));
	}
	return (Datum) 0;
}
