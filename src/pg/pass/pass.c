/*-------------------------------------------------------------------------
 *
 * pass.c
 *	  A packed pass over the network.
 *
 * Sequences stand one after another without padding, so a pass costs what its
 * tokens cost.  It is as large as mobilebert.batch_tokens and
 * mobilebert.memory_limit allow; a single sequence may be longer than the first.
 *
 * Depends on server/pg.h, server/adapt.h, server/guc.h, models/model_cache.h,
 * models/stats.h, pass/pass.h, pass/sequences.h, pass/workspace.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/guc.h"
#include "models/model_cache.h"
#include "models/stats.h"
#include "pass/pass.h"
#include "pass/sequences.h"
#include "pass/workspace.h"

#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/memutils.h"

/* Room for need elements; the array is in the context it was made in. */
static void *
grow(void *array, size_t *room, size_t need, size_t size)
{
	size_t		more = *room;

	if (need <= *room)
		return array;
	while (more < need)
		more *= 2;
	if (!AllocHugeSizeIsValid(more * size))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("pass of %zu tokens is too large", need)));
	*room = more;
	return repalloc_huge(array, more * size);
}

void
mobilebert_pass_init(MobilebertPass *pass, const MobilebertModel *model)
{
	memset(pass, 0, sizeof(*pass));
	pass->model = model;
	pass->sequences_room = 16;
	pass->tokens_room = 512;
	pass->starts = palloc((pass->sequences_room + 1) * sizeof(size_t));
	pass->ids = palloc(pass->tokens_room * sizeof(int32));
	pass->types = palloc(pass->tokens_room * sizeof(int32));
	pass->pad_after = palloc(pass->sequences_room);
	pass->starts[0] = 0;
}

void
mobilebert_pass_clear(MobilebertPass *pass)
{
	pass->sequences = 0;
	pass->tokens = 0;
	pass->longest = 0;
}

bool
mobilebert_pass_fits(const MobilebertPass *pass, size_t length)
{
	size_t		tokens = pass->tokens + length;

	if (pass->sequences == 0)
		return true;			/* alone, or not at all */
	if (tokens > (size_t) mobilebert_batch_tokens)
		return false;
	return mb_forward_memory(&pass->model->image.model, tokens,
							 Max(pass->longest, length)) / 1024 <
		(size_t) mobilebert_memory_limit;
}

void
mobilebert_pass_add(MobilebertPass *pass, const MobilebertSequence *sequence)
{
	size_t		length = sequence->length;
	size_t		room = pass->tokens_room;
	size_t		sequences_room = pass->sequences_room;
	size_t		starts_room = pass->sequences_room + 1;

	/* An empty text, and a template that adds nothing to it. */
	if (length == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("text has no tokens"),
				 errdetail("The template of model \"%s\" adds none to it, and the model needs one at least.",
						   pass->model->name)));

	pass->ids = grow(pass->ids, &room, pass->tokens + length, sizeof(int32));
	pass->types = grow(pass->types, &pass->tokens_room,
					   pass->tokens + length, sizeof(int32));
	pass->pad_after = grow(pass->pad_after, &sequences_room,
						   pass->sequences + 1, 1);
	pass->starts = grow(pass->starts, &starts_room, sequences_room + 1,
						sizeof(size_t));
	pass->sequences_room = sequences_room;

	memcpy(pass->ids + pass->tokens, sequence->ids, length * sizeof(int32));
	if (sequence->types != NULL)
		memcpy(pass->types + pass->tokens, sequence->types,
			   length * sizeof(int32));
	else
		memset(pass->types + pass->tokens, 0, length * sizeof(int32));
	pass->pad_after[pass->sequences] = sequence->pad_after;
	pass->tokens += length;
	pass->longest = Max(pass->longest, length);
	pass->sequences++;
	pass->starts[pass->sequences] = pass->tokens;
}

static void
count_pass(const MobilebertPass *pass, instr_time start, mb_status status)
{
	MobilebertStats *stats = pass->model->stats;
	instr_time	time;

	if (stats == NULL)
		return;
	INSTR_TIME_SET_CURRENT(time);
	INSTR_TIME_SUBTRACT(time, start);
	mobilebert_stats_add(stats, STAT_PASSES, 1);
	mobilebert_stats_add(stats, STAT_ROWS, pass->sequences);
	mobilebert_stats_add(stats, STAT_TOKENS, pass->tokens);
	mobilebert_stats_add(stats, STAT_MICROSECONDS,
						 INSTR_TIME_GET_MICROSEC(time));
	if (status != MB_OK)
		mobilebert_stats_add(stats, STAT_ERRORS, 1);
}

void *
mobilebert_pass_run(const MobilebertPass *pass, const uint8 *mask,
					size_t layers, const mb_observer *observer,
					const float **states)
{
	const mb_model *model = &pass->model->image.model;
	size_t		size = mb_forward_memory(model, pass->tokens, pass->longest);
	void	   *workspace;
	instr_time	start;
	mb_batch	batch;
	mb_status	status;
	mb_error	err;

	CHECK_FOR_INTERRUPTS();
	INSTR_TIME_SET_CURRENT(start);
	workspace = mobilebert_workspace(size);
	batch.sequences = pass->sequences;
	batch.starts = pass->starts;
	batch.ids = pass->ids;
	batch.types = pass->types;
	batch.mask = mask;
	batch.pad_after = pass->pad_after;
	batch.first_only = pass->first_only;
	status = mb_forward(model, &batch, layers, observer, &mobilebert_cancel,
						workspace, size, states, &err);
	count_pass(pass, start, status);
	if (status != MB_OK && pass->failure != NULL)
		ReThrowError(pass->failure);
	mobilebert_check(status, &err);
	return workspace;
}
