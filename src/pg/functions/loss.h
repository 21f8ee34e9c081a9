/*-------------------------------------------------------------------------
 *
 * loss.h
 *	  A call of loss(), whatever its labels look like in SQL.
 *
 * fn_loss.c reads the arguments of each form, and brings the labels into one
 * of these: a number for each sequence, targets for each sequence, a number for
 * each token, or the positions of an answer.  loss.c checks them, and adds up
 * the terms of the mean when the states come.
 *
 * Depends on server/pg.h, pass/calls.h, pass/rows.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_LOSS_H
#define MOBILEBERT_LOSS_H

#include "server/pg.h"
#include "pass/calls.h"
#include "pass/rows.h"

typedef struct LossCall
{
	MobilebertCall call;
	MobilebertRows rows;
	bool		padded;			/* rows are one padded batch */
	mb_task		task;
	size_t		width;			/* logits of a sequence, or of a token */
	const int32 *labels;		/* [rows], [rows][rows.longest], or [prompts] */
	const float *targets;		/* [rows][width] */
	mb_problem	problem;		/* of a classifier */
	bool		both;			/* pretraining: next_label as well */
	int32		next_label;
	int64		start;			/* of an answer: tokens */
	int64		end;
	size_t		choices;		/* of each prompt */
	float	   *logits;			/* of the current prompt, [choices] */
	mb_loss		loss;
	mb_loss		second;			/* next sentences; ends of answers */
} LossCall;

/* A call for a head of the model that argument "model" names. */
extern LossCall *loss_make(FunctionCallInfo fcinfo, int model, mb_task task);

/*
 * The same, with the model in argument 1, where several heads are legal: the
 * one that argument "head" names, or else the model's only one.
 */
extern LossCall *loss_make_head(FunctionCallInfo fcinfo, int head,
								uint32 legal);

/* All rows were added; labels come next. */
extern void loss_ready(LossCall *loss);

/* Labels or targets, [rows]; an int is a target where the model wants one. */
extern void loss_labels(LossCall *loss, const int32 *labels);

/* count must be rows times width. */
extern void loss_targets(LossCall *loss, const float *targets, size_t count);

/* count must be rows times the tokens of the longest. */
extern void loss_token_labels(LossCall *loss, const int32 *labels,
							  size_t count);

/* The next sentence's label, in addition to those of tokens. */
extern void loss_next_label(LossCall *loss, int32 label);

/* The right choice of each prompt, from 1 on; loss->choices is set. */
extern void loss_choices(LossCall *loss, const int32 *right, size_t prompts);

/* An error unless an array has as many elements as it must. */
extern void loss_check_count(const char *what, size_t count, size_t expected);

#endif							/* MOBILEBERT_LOSS_H */
