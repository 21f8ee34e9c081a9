/*-------------------------------------------------------------------------
 *
 * sequences.c
 *	  From texts and id arrays to sequences that fit a model.
 *
 * A text (or pair) is tokenised once; what is too long for the model is
 * refused, cut, or read in several windows.  Windows are encoded one at a time,
 * as passes need them, so a long text costs its pieces and one window.
 *
 * Who keeps a token that lies in two windows: the one in which it stands
 * farther from the edge; at equal distance the earlier one.  With windows
 * [s0, e0) and [s1, e1), s0 < s1, that gives all pieces before
 * (e0 - 1 + s1) / 2 + 1 to the first.  The template's tokens count once: those
 * before the text in the first window, those after it in the last.  So do those
 * of a second text, which stands before or after the first as the template says;
 * since every window has all of it, no window weighs more for it.
 *
 * Depends on server/pg.h, server/adapt.h, server/guc.h, server/options.h,
 * models/model_cache.h, models/stats.h, pass/sequences.h, pass/truncation.h,
 * pass/workspace.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/guc.h"
#include "server/options.h"
#include "models/model_cache.h"
#include "models/stats.h"
#include "pass/sequences.h"
#include "pass/truncation.h"
#include "pass/workspace.h"

#include "miscadmin.h"
#include "utils/memutils.h"

/*
 * Texts
 */

void
mobilebert_input_tokenise(MobilebertInput *in, text *value, mb_pieces *pieces)
{
	const mb_tokenizer *tokenizer = &in->model->image.tokenizer;
	MobilebertText t;

	mobilebert_text_read(value, &t);
	ENGINE_CALL(mb_tokenize, tokenizer, t.utf8, t.length,
				tokenizer->split_special_tokens, &in->arena,
				&mobilebert_cancel, pieces);
	mobilebert_text_free(&t);
}

pg_noreturn static void
input_refuse(const MobilebertInput *in, size_t limit)
{
	mobilebert_stats_add(in->model->stats, STAT_ERRORS, 1);
	if (in->pair)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("pair of texts is too long for model \"%s\"",
						in->model->name),
				 errdetail("It has %zu tokens, and the model takes %zu.",
						   in->tokens, limit),
				 errhint("Shorten the texts; mobilebert.chunk() cuts a text in pieces that fit.")));
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("text is too long for model \"%s\"", in->model->name),
			 errdetail("It has %zu tokens, and the model takes %zu.",
					   in->tokens, limit),
			 errhint("Where there is an option overflow, overflow => 'truncate' cuts the text and overflow => 'window' reads it in windows; mobilebert.chunk() cuts a text in pieces that fit.")));
}

/*
 * Tokens of a window: what the model's files say, or what was asked for as far
 * as the model has positions.
 */
static size_t
window_limit(const MobilebertModel *model, size_t max_length)
{
	return max_length > 0 ?
		Min(max_length, model->image.config.max_tokens) :
		mobilebert_max_tokens(model);
}

/* The text has more tokens than one window of the model. */
static void
input_overflow(MobilebertInput *in, FunctionCallInfo fcinfo,
			   MobilebertOverflow overflow, size_t stride)
{
	size_t		limit = in->limit;
	size_t		fixed = in->tokens - in->first.count;
	size_t		positions = in->model->image.config.max_tokens;
	size_t		step;

	switch (overflow)
	{
		case OVERFLOW_ERROR:
			input_refuse(in, limit);
			break;
		case OVERFLOW_TRUNCATE:
			/* A limit below the template's tokens cuts nothing (mb_encode). */
			if (limit < fixed - in->second.count)
			{
				if (in->tokens > positions)
					input_refuse(in, positions);
				break;
			}
			in->truncated = true;
			mobilebert_stats_add(in->model->stats, STAT_TRUNCATIONS, 1);
			mobilebert_note_truncated(fcinfo, in->tokens, limit);
			break;
		case OVERFLOW_WINDOW:
			if (fixed >= limit || stride >= limit - fixed)
				input_refuse(in, limit);
			in->window_pieces = limit - fixed;
			in->stride = stride;
			step = in->window_pieces - stride;
			in->windows = 1 +
				(in->first.count - in->window_pieces + step - 1) / step;
			break;
	}
}

/* Refuse a sequence before anything is allocated for its pass. */
static void
check_memory(const MobilebertModel *model, size_t tokens)
{
	size_t		size = mb_forward_memory(&model->image.model, tokens, tokens);

	if (size > (size_t) mobilebert_memory_limit * 1024)
		mobilebert_stats_add(model->stats, STAT_ERRORS, 1);
	mobilebert_workspace_check(size);
}

void
mobilebert_input_begin(MobilebertInput *in, const MobilebertModel *model,
					   text *first, size_t max_length)
{
	memset(in, 0, sizeof(*in));
	in->model = model;
	in->limit = window_limit(model, max_length);
	in->truncation = MB_TRUNCATE_LONGEST_FIRST;
	in->memory = mobilebert_memory(CurrentMemoryContext);
	mobilebert_arena_init(&in->arena, &in->memory);
	mobilebert_arena_init(&in->window_arena, &in->memory);
	if (first != NULL)
		mobilebert_input_tokenise(in, first, &in->first);
	in->windows = 1;
}

void
mobilebert_input_fit(MobilebertInput *in, FunctionCallInfo fcinfo,
					 MobilebertOverflow overflow, size_t stride)
{
	const mb_tokenizer *tokenizer = &in->model->image.tokenizer;

	in->tokens = in->first.count + in->second.count +
		(in->pair ? tokenizer->template_pair : tokenizer->template_single);
	in->window_pieces = in->first.count;
	if (in->tokens > in->limit)
		input_overflow(in, fcinfo, overflow, stride);
	check_memory(in->model, in->truncated || in->windows > 1 ?
				 in->limit : in->tokens);
}

void
mobilebert_input_read(MobilebertInput *in, FunctionCallInfo fcinfo,
					  const MobilebertModel *model, text *first, text *second,
					  MobilebertOverflow overflow, size_t max_length,
					  size_t stride)
{
	mobilebert_input_begin(in, model, first, max_length);
	in->pair = second != NULL;
	if (in->pair)
		mobilebert_input_tokenise(in, second, &in->second);
	mobilebert_input_fit(in, fcinfo, overflow, stride);
}

/* Window n covers pieces [window_start, window_end) of the first text. */
static size_t
window_start(const MobilebertInput *in, size_t n)
{
	size_t		step = in->window_pieces - in->stride;
	size_t		back;			/* from the end of the text */

	if (!in->from_end || in->windows == 1)
		return n * step;
	back = (in->windows - 1 - n) * step + in->window_pieces;
	return in->first.count > back ? in->first.count - back : 0;
}

static size_t
window_end(const MobilebertInput *in, size_t n)
{
	if (in->from_end && in->windows > 1)
		return in->first.count -
			(in->windows - 1 - n) * (in->window_pieces - in->stride);
	return Min(window_start(in, n) + in->window_pieces, in->first.count);
}

/* The first piece that window n keeps. */
static size_t
window_keep_from(const MobilebertInput *in, size_t n)
{
	if (n == 0)
		return 0;
	if (n >= in->windows)
		return in->first.count;
	return (window_end(in, n - 1) + window_start(in, n) - 1) / 2 + 1;
}

void
mobilebert_input_window(MobilebertInput *in, size_t n,
						MobilebertSequence *sequence)
{
	const mb_tokenizer *tokenizer = &in->model->image.tokenizer;
	mb_encode_options options;
	mb_encoding *encoding;
	mb_pieces	pieces = in->first;
	size_t		count;
	size_t		start = 0;
	size_t		lead;
	size_t		i;

	mb_arena_free(&in->window_arena);
	mb_encode_defaults(tokenizer, &options);
	if (in->truncated)
	{
		options.truncation = in->truncation;
		options.max_length = in->limit;
	}
	else if (in->windows > 1)
	{
		start = window_start(in, n);
		pieces.ids += start;
		pieces.starts += start;
		pieces.ends += start;
		pieces.words += start;
		pieces.count = window_end(in, n) - start;
		options.later[0] = in->overflow_parts &&
			n != (in->from_end ? in->windows - 1 : 0);
	}
	ENGINE_CALL(mb_encode, tokenizer, &pieces, in->pair ? &in->second : NULL,
				&options, &in->window_arena, &mobilebert_cancel, &encoding,
				&count, NULL);

	sequence->length = encoding->length;
	sequence->ids = encoding->ids;
	sequence->types = encoding->types;
	sequence->encoding = encoding;
	sequence->pad_after = false;
	for (lead = 0; lead < encoding->length; lead++)
	{
		if (encoding->sequences[lead] == 0)
			break;
	}
	in->lead = lead;
	sequence->keep_from = n == 0 ? 0 :
		lead + (window_keep_from(in, n) - start);
	sequence->keep_to = n + 1 == in->windows ? encoding->length :
		lead + (window_keep_from(in, n + 1) - start);
	sequence->weight = 0;
	for (i = sequence->keep_from; i < sequence->keep_to; i++)
		sequence->weight += encoding->sequences[i] != 1;
}

size_t
mobilebert_input_pieces(const MobilebertInput *in, size_t n, size_t length,
						size_t *first)
{
	const mb_tokenizer *tokenizer = &in->model->image.tokenizer;
	size_t		count = length - tokenizer->template_single;

	if (in->windows > 1)
		*first = window_start(in, n);
	else
		*first = in->truncated && tokenizer->truncate_left ?
			in->first.count - count : 0;
	return count;
}

void
mobilebert_input_free(MobilebertInput *in)
{
	mb_arena_free(&in->window_arena);
	mb_arena_free(&in->arena);
}

size_t
mobilebert_stride(FunctionCallInfo fcinfo, int n, const MobilebertModel *model,
				  size_t max_length)
{
	size_t		limit = window_limit(model, max_length);
	size_t		fixed = model->image.tokenizer.template_single;
	size_t		stride = 0;

	mobilebert_size_option(fcinfo, n, "stride", 0, &stride);
	if (stride > 0 && (fixed >= limit || stride >= limit - fixed))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"stride\": %zu", stride),
				 errdetail("Windows of model \"%s\" hold %zu tokens, %zu of them the template's; the stride must be smaller than what is left.",
						   model->name, limit, fixed)));
	return stride;
}

size_t
mobilebert_max_length(FunctionCallInfo fcinfo, int n,
					  const MobilebertModel *model, size_t otherwise)
{
	size_t		fixed = model->image.tokenizer.template_single;
	size_t		max_length = otherwise;

	mobilebert_size_option(fcinfo, n, "max_length", (int) fixed + 1,
						   &max_length);
	return max_length;
}

size_t
mobilebert_positions(const MobilebertModel *model)
{
	return model->image.config.max_tokens;
}

size_t
mobilebert_state_positions(const MobilebertModel *model)
{
	size_t		positions = model->image.config.max_tokens;
	size_t		trained = model->image.settings.max_seq_length;

	return trained > 0 ? Min(trained, positions) : positions;
}

/*
 * Arrays of ids
 */

static const uint8 *
mask_read(ArrayType *array, size_t length)
{
	const int32 *values;
	uint8	   *bytes;
	size_t		count;
	size_t		i;

	values = mobilebert_int_values(array, "attention_mask", &count);
	if (count != length)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("array \"attention_mask\" must have as many elements as \"input_ids\", %zu and not %zu",
						length, count)));
	bytes = palloc(length);
	for (i = 0; i < length; i++)
	{
		if (values[i] != 0 && values[i] != 1)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid value in array \"attention_mask\": %d",
							values[i]),
					 errdetail("Legal values are 0 and 1.")));
		bytes[i] = (uint8) values[i];
	}
	return bytes;
}

void
mobilebert_ids_read(FunctionCallInfo fcinfo, const MobilebertModel *model,
					int ids, int types, int mask, MobilebertIds *result)
{
	uint32		positions = model->image.config.max_tokens;
	MobilebertSequence *sequence = &result->sequence;
	size_t		length;

	mobilebert_stats_add(model->stats, STAT_CALLS, 1);
	memset(result, 0, sizeof(*result));
	sequence->ids = mobilebert_int_values(PG_GETARG_ARRAYTYPE_P(ids),
										  "input_ids", &sequence->length);
	sequence->keep_to = sequence->length;
	if (sequence->length == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("array \"input_ids\" must not be empty")));
	if (sequence->length > positions)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("input is too long for model \"%s\"", model->name),
				 errdetail("It has %zu tokens, and the model has %u positions.",
						   sequence->length, positions)));
	check_memory(model, sequence->length);

	if (ARG_IS_GIVEN(types))
	{
		sequence->types = mobilebert_int_values(PG_GETARG_ARRAYTYPE_P(types),
												"token_type_ids", &length);
		if (length != sequence->length)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("array \"token_type_ids\" must have as many elements as \"input_ids\", %zu and not %zu",
							sequence->length, length)));
	}
	if (ARG_IS_GIVEN(mask))
		result->mask = mask_read(PG_GETARG_ARRAYTYPE_P(mask), sequence->length);
}
