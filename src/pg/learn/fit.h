/*-------------------------------------------------------------------------
 *
 * fit.h
 *	  The aggregate fit(): its options, and what it gathers of its rows.
 *
 *	  fit_options.c		the options, from jsonb and the model
 *	  fit_rows.c		rows and labels: gathered, combined, sent to another
 *						process
 *	  fit.c				texts through the model, and the SQL functions
 *	  fit_result.c		from the rows to a mobilebert.classifier
 *
 * Depends on server/pg.h, models/model_cache.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_FIT_H
#define MOBILEBERT_FIT_H

#include "server/pg.h"
#include "models/model_cache.h"

#include "common/sha2.h"
#include "utils/hsearch.h"
#include "utils/jsonb.h"

/* What is asked for; the same in all rows. */
typedef struct FitOptions
{
	mb_poolings pooling;
	size_t		first_layer;	/* of "layers" in a row, which one is to be
								 * chosen of */
	size_t		layers;
	bool		own_layer;		/* the option "layer" was given */
	double		l2;				/* or MB_FIT_CHOOSE_L2 */
	bool		balanced;
	unsigned	folds;
	bool		own_folds;
} FitOptions;

/* options NULL: none */
extern void fit_options_read(Jsonb *options, const MobilebertModel *model,
							 FitOptions *result);

/*
 * Rows
 */

/* The run of an aggregate over rows, or what a worker has sent of its part. */
typedef struct FitState
{
	MemoryContext context;		/* of all that is kept */

	/* What is the same in all rows */
	text	   *model;			/* its name */
	Jsonb	   *given;			/* the options; NULL: none */
	uint8		sha256[PG_SHA256_DIGEST_LENGTH];	/* of the model */
	FitOptions	options;
	mb_fit_kind kind;
	size_t		width;			/* of the state of one layer */

	/* Rows; labels by number, in the order in which they came */
	mb_fit_row *rows;			/* [count] */
	size_t		count;
	size_t		room;
	size_t		bytes;			/* of features, targets and labels */
	char	   *block;			/* free part of the last block of features */
	size_t		block_left;
	HTAB	   *numbers;		/* of labels, by their text */
	text	  **labels;			/* [label_count] */
	size_t		label_count;
	size_t		label_room;

	struct FitRun *run;			/* in the process that reads rows, else NULL */
} FitState;

extern FitState *fit_state_make(MemoryContext context, mb_fit_kind kind);

/* The number of a label, which is a new one's if there is none yet. */
extern uint32 fit_state_label(FitState *state, const text *label);

/*
 * Room for the features of one more row, [layers * width], which is the last
 * from now on, without a target.  An error that tells what to do when it would
 * take more memory than mobilebert.memory_limit.
 */
extern float *fit_state_row(FitState *state, mb_fit_row **row);

/* The labels of a row of MB_FIT_LABELS: numbers [count], in any order. */
extern void fit_state_labels(FitState *state, mb_fit_row *row,
							 const uint32 *numbers, size_t count);

/* The same error where "more" bytes are to be taken beside the rows. */
extern void fit_state_check(const FitState *state, size_t more);

/* Put b's rows to those of a. */
extern void fit_state_add(FitState *a, const FitState *b);

extern bytea *fit_state_send(const FitState *state);
extern FitState *fit_state_receive(MemoryContext context, bytea *data);

/* The value of the aggregate, of composite type "type". */
extern Datum fit_result(const FitState *state, Oid type);

#endif							/* MOBILEBERT_FIT_H */
