/*-------------------------------------------------------------------------
 *
 * fn_chunk.c
 *	  Long texts in pieces: chunk(), and embed_chunks() with their vectors.
 *
 * Where a text is cut is the engine's (tasks/chunks.h).  Offsets leave here in
 * characters of the database encoding.
 *
 * A vector is that of embed_document(chunk, model, max_tokens): the prompt that
 * the model has for documents, or another one that was asked for, stands before
 * each chunk, and takes its part of max_tokens.
 *
 * Depends on server/pg.h, server/adapt.h, server/options.h,
 * models/model_cache.h, pass/calls.h, pass/sequences.h, functions/embed.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/options.h"
#include "models/model_cache.h"
#include "pass/calls.h"
#include "pass/sequences.h"
#include "functions/embed.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* A text and its chunks. */
typedef struct ChunkCall
{
	const MobilebertModel *model;
	mb_memory	memory;
	mb_arena	arena;
	MobilebertText text;
	size_t		fixed;			/* tokens of each chunk that are not the text's */
	const char *owner;			/* whose they are */
	size_t		max_tokens;
	mb_chunk_options options;
	int			count;
	int32	   *starts;			/* [count] */
	int32	   *ends;
	int32	   *tokens;			/* "fixed" ones included */
	Datum	   *slices;
} ChunkCall;

static mb_split
split_option(text *value)
{
	static const MobilebertChoice choices[] = {
		{"sentence", MB_SPLIT_SENTENCE},
		{"paragraph", MB_SPLIT_PARAGRAPH},
		{"word", MB_SPLIT_WORD},
		{NULL, 0}
	};

	return (mb_split) mobilebert_choice("split", value, choices,
										MB_SPLIT_SENTENCE);
}

/* Arguments 2 to 4: max_tokens, overlap, split. */
static void
chunk_options(ChunkCall *call, FunctionCallInfo fcinfo)
{
	const MobilebertModel *model = call->model;
	size_t		fixed = call->fixed;
	size_t		limit = mobilebert_embed_tokens(model);
	size_t		max_tokens = limit;
	size_t		overlap = 0;

	if (limit <= fixed)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("model \"%s\" has no room for text", model->name),
				 errdetail("Its %s takes %zu tokens, and its limit is %zu.",
						   call->owner, fixed, limit)));
	mobilebert_size_option(fcinfo, 2, "max_tokens", 1, &max_tokens);
	if (max_tokens <= fixed || max_tokens > limit)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"max_tokens\": %zu",
						max_tokens),
				 errdetail("Legal values for model \"%s\" are %zu to %zu, the %s's %zu tokens included.",
						   model->name, fixed + 1, limit, call->owner, fixed)));
	mobilebert_size_option(fcinfo, 3, "overlap", 0, &overlap);
	if (overlap >= max_tokens - fixed)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"overlap\": %zu", overlap),
				 errdetail("Legal values are 0 to %zu, less than what a chunk holds beside the %s's tokens.",
						   max_tokens - fixed - 1, call->owner)));
	call->max_tokens = max_tokens;
	call->options.budget = max_tokens - fixed;
	call->options.overlap = overlap;
	call->options.split = split_option(ARG_TEXT(4));
	call->options.split_special_tokens =
		model->image.tokenizer.split_special_tokens;
}

static void
chunk_refuse(const ChunkCall *call, const mb_chunks *chunks)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("%s at offset %d does not fit in a chunk",
					call->options.split == MB_SPLIT_WORD ? "word" : "character",
					mobilebert_text_offset(&call->text, chunks->refused)),
			 errdetail("It has %zu tokens, and a chunk has room for %zu beside the %s's.",
					   chunks->refused_tokens, call->options.budget, call->owner),
			 errhint("Raise max_tokens.")));
}

/* Tokenise and cut. */
static void
chunk_text(ChunkCall *call, text *input)
{
	const mb_tokenizer *tokenizer = &call->model->image.tokenizer;
	mb_pieces	pieces;
	mb_chunks	chunks;
	mb_error	err;
	mb_status	status;
	int			i;

	mobilebert_text_read(input, &call->text);
	ENGINE_CALL(mb_tokenize, tokenizer, call->text.utf8, call->text.length,
				call->options.split_special_tokens, &call->arena,
				&mobilebert_cancel, &pieces);
	status = mb_chunk_text(tokenizer, call->text.utf8, call->text.length,
						   &pieces, &call->options, &call->arena,
						   &mobilebert_cancel, &chunks, &err);
	if (status == MB_ERR_LIMIT && chunks.refused_tokens > 0)
		chunk_refuse(call, &chunks);
	mobilebert_check(status, &err);

	/* no more than characters of a text, and so an int */
	call->count = (int) chunks.count;
	call->starts = mobilebert_allocate(chunks.count, sizeof(int32));
	call->ends = mobilebert_allocate(chunks.count, sizeof(int32));
	call->tokens = mobilebert_allocate(chunks.count, sizeof(int32));
	call->slices = mobilebert_allocate(chunks.count, sizeof(Datum));
	for (i = 0; i < call->count; i++)
	{
		const mb_chunk *chunk = &chunks.list[i];

		CHECK_FOR_INTERRUPTS();
		call->starts[i] = mobilebert_text_offset(&call->text, chunk->start);
		call->ends[i] = mobilebert_text_end(&call->text, chunk->end);
		call->tokens[i] = (int32) (chunk->tokens + call->fixed);
	}
	mb_arena_free(&call->arena);
	mobilebert_text_slices(&call->text, call->starts, call->ends, call->count,
						   call->slices);
}

static void
chunk_begin(ChunkCall *call, const MobilebertModel *model)
{
	memset(call, 0, sizeof(*call));
	call->model = model;
	call->memory = mobilebert_memory(CurrentMemoryContext);
	mobilebert_arena_init(&call->arena, &call->memory);
	call->fixed = model->image.tokenizer.template_single;
	call->owner = "template";
}

/*
 * chunk(input text [, model text, max_tokens int, overlap int, split text])
 * -> setof (chunk_no, chunk, start_offset, end_offset, tokens)
 */
PG_FUNCTION_INFO_V1(mobilebert_chunk);
Datum
mobilebert_chunk(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *info = (ReturnSetInfo *) fcinfo->resultinfo;
	ChunkCall	call;
	int			i;

	mobilebert_srf_begin(fcinfo);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	chunk_begin(&call, mobilebert_model_argument(fcinfo, 1, MB_TASK_EMBED));
	chunk_options(&call, fcinfo);
	chunk_text(&call, PG_GETARG_TEXT_PP(0));
	for (i = 0; i < call.count; i++)
	{
		Datum		values[5];
		bool		nulls[5] = {0};

		values[0] = Int32GetDatum(i);
		values[1] = call.slices[i];
		values[2] = Int32GetDatum(call.starts[i]);
		values[3] = Int32GetDatum(call.ends[i]);
		values[4] = Int32GetDatum(call.tokens[i]);
		tuplestore_putvalues(info->setResult, info->setDesc, values, nulls);
		pfree(DatumGetPointer(call.slices[i]));
		CHECK_FOR_INTERRUPTS();
	}
	return (Datum) 0;
}

/*
 * embed_chunks
 */

/* Tokens of the prompt, beside the template's. */
static size_t
prompt_tokens(const EmbedPlan *plan)
{
	MobilebertInput in;
	size_t		count;

	if (plan->prompt == NULL)
		return 0;
	mobilebert_input_begin(&in, plan->model, plan->prompt, 0);
	count = in.first.count;
	mobilebert_input_free(&in);
	return count;
}

/* Chunks on their way to their vectors. */
typedef struct EmbedChunks
{
	EmbedPlan	plan;
	ChunkCall	call;
	EmbedJob   *jobs;			/* [call.count] */
	int			done;			/* rows put */
} EmbedChunks;

/* Put rows up to the first whose vector is not known, before "end". */
static void
put_embedded(EmbedChunks *c, int end)
{
	ReturnSetInfo *info = (ReturnSetInfo *) c->plan.fcinfo->resultinfo;

	for (; c->done < end && c->jobs[c->done].vector != NULL; c->done++)
	{
		int			i = c->done;
		Datum		values[5];
		bool		nulls[5] = {0};

		CHECK_FOR_INTERRUPTS();
		values[0] = Int32GetDatum(i);
		values[1] = c->call.slices[i];
		values[2] = Int32GetDatum(c->call.starts[i]);
		values[3] = Int32GetDatum(c->call.ends[i]);
		values[4] = PointerGetDatum(mobilebert_real_array(c->jobs[i].vector,
														  c->plan.options.dimension));
		tuplestore_putvalues(info->setResult, info->setDesc, values, nulls);
		pfree(DatumGetPointer(values[1]));
		pfree(DatumGetPointer(values[4]));
		pfree(c->jobs[i].vector);
	}
}

static void
embed_all(EmbedChunks *c)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext,
												  "mobilebert chunk",
												  ALLOCSET_DEFAULT_SIZES);
	MobilebertRun run;
	int			i;

	c->jobs = mobilebert_allocate((size_t) c->call.count, sizeof(EmbedJob));
	mobilebert_run_init(&run);
	for (i = 0; i < c->call.count; i++)
	{
		EmbedJob   *job = &c->jobs[i];
		MemoryContext old = MemoryContextSwitchTo(scratch);

		CHECK_FOR_INTERRUPTS();
		embed_job_init(job, &c->plan, DatumGetTextPP(c->call.slices[i]));
		embed_job_begin(job);
		mobilebert_run_add(&run, &job->call);
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
		put_embedded(c, i + 1);
	}
	mobilebert_run_flush(&run);
	put_embedded(c, c->call.count);
	MemoryContextDelete(scratch);
}

/*
 * embed_chunks(input text [, model text, max_tokens int, overlap int, split
 * text, dimensions int, prompt text]) -> setof (chunk_no, chunk, start_offset,
 * end_offset, embedding)
 */
PG_FUNCTION_INFO_V1(mobilebert_embed_chunks);
Datum
mobilebert_embed_chunks(PG_FUNCTION_ARGS)
{
	EmbedChunks c;
	text	   *prompt;

	mobilebert_srf_begin(fcinfo);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	memset(&c, 0, sizeof(c));
	prompt = ARG_TEXT(6);
	embed_options_default(&c.plan, fcinfo, 1, prompt == NULL ? "document" :
						  text_to_cstring(prompt), PG_NARGS(), 5);
	chunk_begin(&c.call, c.plan.model);
	if (c.plan.prompt != NULL)
	{
		c.call.fixed += prompt_tokens(&c.plan);
		c.call.owner = "template and prompt";
	}
	chunk_options(&c.call, fcinfo);
	c.plan.options.limit = c.call.max_tokens;
	chunk_text(&c.call, PG_GETARG_TEXT_PP(0));
	embed_all(&c);
	return (Datum) 0;
}
