/*-------------------------------------------------------------------------
 *
 * calls.c
 *	  What function calls ask of the network, gathered in packed passes.
 *
 * A MobilebertCall is one call of a task in two halves.  Its begin function
 * reads arguments and texts and says how many sequences it needs; when the
 * states of all of them have come, result makes the value.  In between stands
 * a MobilebertRun, which takes calls one after another, packs their sequences
 * as far as they fit together, and gives each its states.  So one call with
 * many sequences (windows, labels, choices) and many calls with one (the rows
 * of a table) run alike, and none of the tasks knows which it is.
 *
 * Calls that need different models or depths cannot share a pass: the run
 * ends the current one first.  Calls become done in the order in which they
 * were added.
 *
 * Depends on server/pg.h, server/options.h, models/stats.h, pass/pass.h,
 * pass/sequences.h, pass/workspace.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/options.h"
#include "models/stats.h"
#include "pass/calls.h"
#include "pass/pass.h"
#include "pass/sequences.h"
#include "pass/workspace.h"

/* What a sequence of the current pass is for. */
struct MobilebertRunRow
{
	MobilebertCall *call;
	size_t		n;				/* which of its sequences */
	size_t		keep_from;
	size_t		keep_to;
	size_t		weight;
};

void
mobilebert_run_init(MobilebertRun *run)
{
	mobilebert_pass_init(&run->pass, NULL);
	run->layers = 0;
	run->first_only = false;
	run->passes = 0;
	run->tokens = 0;
	run->rows_room = run->pass.sequences_room;
	run->rows = palloc(run->rows_room * sizeof(MobilebertRunRow));
}

/* Add one sequence, after running those gathered when it does not fit. */
static void
run_add_row(MobilebertRun *run, MobilebertCall *call, size_t n,
			const MobilebertSequence *sequence)
{
	MobilebertRunRow *row;

	if (!mobilebert_pass_fits(&run->pass, sequence->length))
		mobilebert_run_flush(run);
	if (run->pass.sequences == run->rows_room)
	{
		run->rows_room *= 2;
		run->rows = repalloc_huge(run->rows,
								  run->rows_room * sizeof(MobilebertRunRow));
	}
	row = &run->rows[run->pass.sequences];
	row->call = call;
	row->n = n;
	row->keep_from = sequence->keep_from;
	row->keep_to = sequence->keep_to;
	row->weight = sequence->weight;
	mobilebert_pass_add(&run->pass, sequence);
}

void
mobilebert_run_add(MobilebertRun *run, MobilebertCall *call)
{
	MobilebertSequence sequence;
	size_t		n;

	if (call->model != NULL)
		mobilebert_stats_add(call->model->stats, STAT_CALLS, 1);
	call->done = call->sequences == 0;
	if (call->done)
		return;
	if (run->pass.sequences > 0 &&
		(run->pass.model != call->model || run->layers != call->layers ||
		 run->first_only != call->first_only))
		mobilebert_run_flush(run);
	for (n = 0; n < call->sequences; n++)
	{
		memset(&sequence, 0, sizeof(sequence));
		call->sequence(call, n, &sequence);
		run->pass.model = call->model;
		run->layers = call->layers;
		run->first_only = call->first_only;
		run_add_row(run, call, n, &sequence);
	}
}

/* A sequence of the pass, as it was added. */
static MobilebertSequence
sequence_of(const MobilebertRun *run, size_t row)
{
	const MobilebertPass *pass = &run->pass;
	size_t		start = pass->starts[row];
	MobilebertSequence sequence;

	sequence.length = pass->starts[row + 1] - start;
	sequence.ids = pass->ids + start;
	sequence.types = pass->types + start;
	sequence.encoding = NULL;
	sequence.pad_after = pass->pad_after[row] != 0;
	sequence.keep_from = run->rows[row].keep_from;
	sequence.keep_to = run->rows[row].keep_to;
	sequence.weight = run->rows[row].weight;
	return sequence;
}

/* mb_observer's hidden: layers that calls want to see beside the last. */
static mb_status
show_layer(void *context, size_t layer, const float *states)
{
	const MobilebertRun *run = context;
	size_t		width = run->pass.model->image.config.hidden_size;
	size_t		i;

	if (layer >= run->layers)
		return MB_OK;
	for (i = 0; i < run->pass.sequences; i++)
	{
		MobilebertCall *call = run->rows[i].call;
		MobilebertSequence sequence;

		if (call->see == NULL || layer < call->first_seen)
			continue;
		sequence = sequence_of(run, i);
		call->see(call, run->rows[i].n, layer, &sequence,
				  states + run->pass.starts[i] * width);
	}
	return MB_OK;
}

static bool
wants_layers(const MobilebertRun *run)
{
	size_t		i;

	for (i = 0; i < run->pass.sequences; i++)
		if (run->rows[i].call->see != NULL)
			return true;
	return false;
}

static void
run_row(MobilebertRun *run, size_t row, const float *states)
{
	const MobilebertPass *pass = &run->pass;
	MobilebertCall *call = run->rows[row].call;
	size_t		start = pass->starts[row];
	MobilebertSequence sequence = sequence_of(run, row);

	call->take(call, run->rows[row].n, &sequence, states +
			   (pass->first_only ? row : start) *
			   pass->model->image.config.hidden_size);
	if (run->rows[row].n + 1 == call->sequences)
		call->done = true;
}

void
mobilebert_run_flush(MobilebertRun *run)
{
	mb_observer observer = {run, show_layer, NULL};
	const float *states;
	void	   *workspace;
	size_t		i;

	if (run->pass.sequences == 0)
		return;
	run->pass.first_only = run->first_only;
	workspace = mobilebert_pass_run(&run->pass, NULL, run->layers,
									wants_layers(run) ? &observer : NULL,
									&states);
	run->passes++;
	run->tokens += run->pass.tokens;
	for (i = 0; i < run->pass.sequences; i++)
		run_row(run, i, states);
	mobilebert_workspace_release(workspace);
	mobilebert_pass_clear(&run->pass);
}

void
mobilebert_run_drop(MobilebertRun *run)
{
	mobilebert_pass_clear(&run->pass);
}

FunctionCallInfo
mobilebert_inner_call(FunctionCallInfo outer, int count)
{
	FunctionCallInfo inner = palloc0(SizeForFunctionCallInfo(count));
	int			i;

	InitFunctionCallInfoData(*inner, outer->flinfo, count,
							 outer->fncollation, NULL, NULL);
	for (i = 0; i < count; i++)
		inner->args[i].isnull = true;
	return inner;
}

Datum
mobilebert_call_value(FunctionCallInfo fcinfo, MobilebertBegin begin)
{
	MobilebertCall *call = begin(fcinfo);
	MobilebertRun run;
	bool		null = false;
	Datum		value;

	if (call == NULL)
		PG_RETURN_NULL();
	mobilebert_run_init(&run);
	mobilebert_run_add(&run, call);
	mobilebert_run_flush(&run);
	value = call->result(call, &null);
	fcinfo->isnull = null;
	return null ? (Datum) 0 : value;
}

Datum
mobilebert_call_rows(FunctionCallInfo fcinfo, MobilebertBegin begin)
{
	mobilebert_srf_begin(fcinfo);
	(void) mobilebert_call_value(fcinfo, begin);
	fcinfo->isnull = false;
	return (Datum) 0;
}
