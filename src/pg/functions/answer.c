/*-------------------------------------------------------------------------
 *
 * answer.c
 *	  Extractive question answering: a question put to one context.
 *
 * A question and a context are one call with a sequence for each window: the
 * whole question, and as much of the context as fits beside it; neighbouring
 * windows share doc_stride pieces of the context.  A window is laid out when
 * it is asked for, and again when its states come, so a long context costs its
 * pieces, one window, and what answers.c keeps of each.  Logits are computed
 * at the positions that can be in an answer only.
 *
 * Source: transformers' QuestionAnsweringPipeline (the path of fast
 * tokenizers); spec pipelines.md 5.
 * Depends on server/pg.h, server/adapt.h, server/options.h,
 * models/model_cache.h, pass/calls.h, pass/sequences.h, pass/workspace.h,
 * functions/answer.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/options.h"
#include "models/model_cache.h"
#include "pass/calls.h"
#include "pass/sequences.h"
#include "pass/workspace.h"
#include "functions/answer.h"

#include "miscadmin.h"
#include "utils/builtins.h"

/* Defaults and bounds of the options (5.0, 5.1). */
#define DEFAULT_MAX_ANSWER_LEN 15
#define DEFAULT_MAX_SEQ_LEN 384
#define DEFAULT_DOC_STRIDE 128

/* Where an answer stands in the context, and which it is. */
typedef struct AnswerPlace
{
	int32		start;
	size_t		answer;
} AnswerPlace;

/*
 * Options
 */

/* Sets the limit of windows; returns what was asked for. */
static size_t
read_max_seq_len(FunctionCallInfo fcinfo, int n, AnswerOptions *options)
{
	const MobilebertModel *model = options->model;
	size_t		max_seq_len = Min(DEFAULT_MAX_SEQ_LEN,
								  mobilebert_max_tokens(model));

	mobilebert_size_option(fcinfo, n, "max_seq_len",
						   (int) model->image.tokenizer.template_pair + 1,
						   &max_seq_len);
	options->limit = Min(max_seq_len, model->image.config.max_tokens);
	return max_seq_len;
}

static void
read_doc_stride(FunctionCallInfo fcinfo, int n, size_t max_seq_len,
				AnswerOptions *options)
{
	size_t		fixed = options->model->image.tokenizer.template_single;

	options->stride = Min(options->limit / 2, DEFAULT_DOC_STRIDE);
	if (mobilebert_size_option(fcinfo, n, "doc_stride", 0, &options->stride) &&
		(max_seq_len < fixed || options->stride > max_seq_len - fixed))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"doc_stride\": %zu",
						options->stride),
				 errdetail("Windows have %zu tokens, and the stride must be smaller than what the question leaves of them.",
						   max_seq_len)));
}

void
answer_options_read(FunctionCallInfo fcinfo, const AnswerArguments *arguments,
					AnswerOptions *options)
{
	const MobilebertModel *model;
	mb_answer_options *select = &options->select;
	size_t		max_seq_len;

	model = mobilebert_model_argument(fcinfo, arguments->model,
									  MB_TASK_ANSWER);
	options->model = model;
	select->top_k = 1;
	mobilebert_size_option(fcinfo, arguments->top_k, "top_k", 1,
						   &select->top_k);
	select->max_tokens = DEFAULT_MAX_ANSWER_LEN;
	mobilebert_size_option(fcinfo, arguments->max_answer_len, "max_answer_len",
						   1, &select->max_tokens);
	select->cls_id = model->image.tokenizer.cls_id;
	select->no_answer = ARG_BOOL(arguments->impossible, false);
	select->align_to_words = ARG_BOOL(arguments->align, true);
	max_seq_len = read_max_seq_len(fcinfo, arguments->max_seq_len, options);
	read_doc_stride(fcinfo, arguments->doc_stride, max_seq_len, options);
}

/*
 * Question and context
 */

static void
check_not_empty(text *value, const char *what)
{
	if (VARSIZE_ANY_EXHDR(value) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not be empty", what)));
}

static void
tokenise(const MobilebertModel *model, const MobilebertText *t,
		 mb_arena *arena, mb_pieces *pieces)
{
	const mb_tokenizer *tokenizer = &model->image.tokenizer;

	ENGINE_CALL(mb_tokenize, tokenizer, t->utf8, t->length,
				tokenizer->split_special_tokens, arena, &mobilebert_cancel,
				pieces);
}

mb_pieces *
answer_question(const MobilebertModel *model, text *question)
{
	struct
	{
		mb_memory	memory;
		mb_arena	arena;
		mb_pieces	pieces;
	}		   *kept = palloc(sizeof(*kept));
	MobilebertText t;

	check_not_empty(question, "question");
	kept->memory = mobilebert_memory(CurrentMemoryContext);
	mobilebert_arena_init(&kept->arena, &kept->memory);
	mobilebert_text_read(question, &t);
	tokenise(model, &t, &kept->arena, &kept->pieces);
	mobilebert_text_free(&t);
	return &kept->pieces;
}

/*
 * Windows
 */

/* How many windows it takes, or an error when the question leaves no room. */
static void
answer_windows(AnswerCall *call)
{
	const AnswerOptions *options = &call->options;
	const MobilebertModel *model = options->model;
	size_t		fixed = call->question->count +
		model->image.tokenizer.template_pair;
	size_t		count = call->pieces.count;
	size_t		length = Min(fixed + count, options->limit);
	size_t		step;

	call->window_pieces = count;
	call->call.sequences = 1;
	if (fixed + count > options->limit)
	{
		if (fixed >= options->limit ||
			options->limit - fixed <= options->stride)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("question is too long for windows of %zu tokens",
							options->limit),
					 errdetail("With the template it has %zu tokens, and what it leaves must be more than the %zu tokens of context that windows share.",
							   fixed, options->stride),
					 errhint("Shorten the question, lower doc_stride, or raise max_seq_len; model \"%s\" has %u positions.",
							 model->name, model->image.config.max_tokens)));
		call->window_pieces = options->limit - fixed;
		step = call->window_pieces - options->stride;
		call->call.sequences = 1 +
			(count - call->window_pieces + step - 1) / step;
	}
	mobilebert_workspace_check(mb_forward_memory(&model->image.model, length,
												 length));
}

/* Window n, in an arena. */
static const mb_encoding *
answer_window(const AnswerCall *call, size_t n, mb_arena *arena)
{
	const mb_tokenizer *tokenizer = &call->options.model->image.tokenizer;
	size_t		shift = n * (call->window_pieces - call->options.stride);
	size_t		count = call->pieces.count;
	mb_pieces	part = call->pieces;
	mb_encode_options options;
	mb_encoding *windows;
	size_t		start = 0;

	if (call->call.sequences > 1)
	{
		part.count = Min(call->window_pieces, count - shift);
		start = tokenizer->truncate_left ? count - shift - part.count : shift;
	}
	part.ids += start;
	part.starts += start;
	part.ends += start;
	part.words += start;

	mb_encode_defaults(tokenizer, &options);
	options.later[1] = n > 0;
	ENGINE_CALL(mb_encode, tokenizer, call->question, &part, &options, arena,
				&mobilebert_cancel, &windows, &count, NULL);
	return windows;
}

static void
answer_sequence(MobilebertCall *base, size_t n, MobilebertSequence *sequence)
{
	AnswerCall *call = (AnswerCall *) base;
	const mb_encoding *window;

	mb_arena_free(&call->window_arena);
	window = answer_window(call, n, &call->window_arena);
	sequence->length = window->length;
	sequence->ids = window->ids;
	sequence->types = window->types;
	sequence->keep_to = window->length;
}

/* A sequence may be waiting in window_arena, so this lays out its own. */
static void
answer_take(MobilebertCall *base, size_t n, const MobilebertSequence *sequence,
			const float *states)
{
	AnswerCall *call = (AnswerCall *) base;
	const mb_model *model = &base->model->image.model;
	size_t		length = sequence->length;
	size_t		width = model->config.hidden_size;
	float	   *start = palloc((2 * length + width) * sizeof(float));
	float	   *end = start + length;
	float	   *scratch = end + length;
	mb_memory	memory = mobilebert_memory(CurrentMemoryContext);
	const mb_encoding *window;
	mb_arena	arena;
	size_t		i;

	mobilebert_arena_init(&arena, &memory);
	window = answer_window(call, n, &arena);
	for (i = 0; i < length; i++)
	{
		float		logits[2];

		if (!mb_answer_allowed(&call->answers, window, i))
			continue;
		ENGINE_CALL(mb_head_logits, model, MB_TASK_ANSWER, states + i * width,
					scratch, logits, &mobilebert_cancel);
		start[i] = logits[0];
		end[i] = logits[1];
	}
	ENGINE_CALL(mb_answers_add, &call->answers, window, start, end, &arena,
				&mobilebert_cancel);
	mb_arena_free(&arena);
	pfree(start);
}

AnswerCall *
answer_begin(const AnswerOptions *options, const mb_pieces *question,
			 text *context)
{
	AnswerCall *call = palloc0(sizeof(AnswerCall));

	check_not_empty(context, "context");
	call->call.model = options->model;
	call->call.layers = options->model->image.config.layers;
	call->call.sequence = answer_sequence;
	call->call.take = answer_take;
	call->options = *options;
	call->question = question;
	call->memory = mobilebert_memory(CurrentMemoryContext);
	mobilebert_arena_init(&call->arena, &call->memory);
	mobilebert_arena_init(&call->window_arena, &call->memory);

	/* answers are slices of it, and the argument may be gone by then */
	mobilebert_text_read(DatumGetTextPCopy(PointerGetDatum(context)),
						 &call->text);
	tokenise(options->model, &call->text, &call->arena, &call->pieces);
	answer_windows(call);
	ENGINE_CALL(mb_answers_init, &call->answers, &options->select,
				call->text.utf8, call->text.length, &call->arena,
				&mobilebert_cancel);
	return call;
}

/*
 * Results
 */

mb_answer *
answer_best(const AnswerCall *call, size_t *count)
{
	mb_memory	memory = mobilebert_memory(CurrentMemoryContext);
	mb_arena	arena;
	mb_answer  *best;
	mb_answer  *copy;

	mobilebert_arena_init(&arena, &memory);
	ENGINE_CALL(mb_answers_best, &call->answers, &arena, &mobilebert_cancel,
				&best, count);
	copy = mobilebert_allocate(*count, sizeof(mb_answer));
	memcpy(copy, best, *count * sizeof(mb_answer));
	mb_arena_free(&arena);
	return copy;
}

static int
place_order(const void *a, const void *b)
{
	int32		x = ((const AnswerPlace *) a)->start;
	int32		y = ((const AnswerPlace *) b)->start;

	return x < y ? -1 : x > y;
}

/* Texts are cut in one way through the context, so by where they stand. */
AnswerSlice *
answer_slices(const AnswerCall *call, const mb_answer *answers, size_t count)
{
	AnswerSlice *slices = mobilebert_allocate(count, sizeof(AnswerSlice));
	AnswerPlace *places = mobilebert_allocate(count, sizeof(AnswerPlace));
	int32	   *starts = mobilebert_allocate(count, sizeof(int32));
	int32	   *ends = mobilebert_allocate(count, sizeof(int32));
	Datum	   *texts = mobilebert_allocate(count, sizeof(Datum));
	size_t		i;

	for (i = 0; i < count; i++)
	{
		slices[i].start = mobilebert_text_offset(&call->text,
												 answers[i].start);
		slices[i].end = mobilebert_text_end(&call->text, answers[i].end);
		places[i].start = slices[i].start;
		places[i].answer = i;
	}
	qsort(places, count, sizeof(AnswerPlace), place_order);
	for (i = 0; i < count; i++)
	{
		starts[i] = places[i].start;
		ends[i] = slices[places[i].answer].end;
	}
	mobilebert_text_slices(&call->text, starts, ends, (int) count, texts);
	for (i = 0; i < count; i++)
		slices[places[i].answer].text = texts[i];
	pfree(places);
	pfree(starts);
	pfree(ends);
	pfree(texts);
	return slices;
}
