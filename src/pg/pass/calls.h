/*-------------------------------------------------------------------------
 *
 * calls.h
 *	  What function calls ask of the network, gathered in packed passes.
 *
 * Depends on server/pg.h, models/model_cache.h, pass/pass.h, pass/sequences.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_CALLS_H
#define MOBILEBERT_CALLS_H

#include "server/pg.h"
#include "models/model_cache.h"
#include "pass/pass.h"
#include "pass/sequences.h"

/*
 * One call of a task.  A begin function makes it, in the current context,
 * where all that belongs to it lives; tasks put it first in a struct of their
 * own.
 */
typedef struct MobilebertCall MobilebertCall;
struct MobilebertCall
{
	const MobilebertModel *model;	/* NULL: there are no sequences */
	size_t		layers;			/* of the encoder; all but embed need all */
	bool		first_only;		/* take reads the first token's state alone */
	size_t		sequences;		/* 0: the result is known already */
	bool		done;			/* all states were taken */

	/* Sequence n, asked for in order; arrays last until the next is asked. */
	void		(*sequence) (MobilebertCall *call, size_t n,
							 MobilebertSequence *sequence);

	/*
	 * The last hidden states of sequence n, [sequence->length, hidden_size], or
	 * with first_only [1, hidden_size], in order; they do not outlast the call.
	 */
	void		(*take) (MobilebertCall *call, size_t n,
						 const MobilebertSequence *sequence,
						 const float *states);

	/*
	 * NULL, or the same for hidden_states[layer] of the layers from first_seen
	 * on, before the last: of all tokens.  It is called within the pass, so it
	 * raises no error and allocates nothing.
	 */
	void		(*see) (MobilebertCall *call, size_t n, size_t layer,
						const MobilebertSequence *sequence,
						const float *states);
	size_t		first_seen;

	/* When done: the value, or for a set the rows are put. */
	Datum		(*result) (MobilebertCall *call, bool *null);
};

/*
 * Reads the arguments of a function and begins the call; NULL: the result is
 * NULL (no rows).
 */
typedef MobilebertCall *(*MobilebertBegin) (FunctionCallInfo fcinfo);

/*
 * Calls that wait for their passes; everything lies in the context of
 * mobilebert_run_init.
 */
typedef struct MobilebertRunRow MobilebertRunRow;
typedef struct MobilebertRun
{
	MobilebertPass pass;
	size_t		layers;			/* of the current pass */
	bool		first_only;
	MobilebertRunRow *rows;		/* [pass.sequences] */
	size_t		rows_room;
	uint64		passes;			/* run so far, and their tokens */
	uint64		tokens;
} MobilebertRun;

extern void mobilebert_run_init(MobilebertRun *run);

/*
 * Take a call.  It is done at once, by a later add, or by flush at the latest,
 * and must stay until then.
 */
extern void mobilebert_run_add(MobilebertRun *run, MobilebertCall *call);
extern void mobilebert_run_flush(MobilebertRun *run);

/* Forget the calls that are not done, without touching them. */
extern void mobilebert_run_drop(MobilebertRun *run);

/*
 * For the begin function of another SQL function, called within the outer call,
 * whose statement is told what is to be told: count arguments, all NULL until
 * they are set.
 */
extern FunctionCallInfo mobilebert_inner_call(FunctionCallInfo outer,
											  int count);

static inline void
mobilebert_inner_argument(FunctionCallInfo inner, int n, Datum value)
{
	inner->args[n].value = value;
	inner->args[n].isnull = false;
}

/* Begin a call and run it alone: its value, or its rows in a tuplestore. */
extern Datum mobilebert_call_value(FunctionCallInfo fcinfo,
								   MobilebertBegin begin);
extern Datum mobilebert_call_rows(FunctionCallInfo fcinfo,
								  MobilebertBegin begin);

/*
 * A SQL function "name", whose calls begin with name_begin: one with a value,
 * and one that returns rows.
 */
#define MOBILEBERT_VALUE_FUNCTION(name) \
	MOBILEBERT_FUNCTION(name, mobilebert_call_value)
#define MOBILEBERT_ROWS_FUNCTION(name) \
	MOBILEBERT_FUNCTION(name, mobilebert_call_rows)

#define MOBILEBERT_FUNCTION(name, run) \
	PG_FUNCTION_INFO_V1(name); \
	Datum \
	name(PG_FUNCTION_ARGS) \
	{ \
		return run(fcinfo, name##_begin); \
	} \
	extern int	no_such_variable

#endif							/* MOBILEBERT_CALLS_H */
