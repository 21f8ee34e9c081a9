/*-------------------------------------------------------------------------
 *
 * ner.h
 *	  A call of a token classifier, for all functions that use what it finds.
 *
 * Depends on server/pg.h, server/adapt.h, pass/calls.h, pass/sequences.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_NER_H
#define MOBILEBERT_NER_H

#include "server/pg.h"
#include "server/adapt.h"
#include "pass/calls.h"
#include "pass/sequences.h"

/* Numbers of the arguments; the first is the input. */
typedef struct MobilebertNerArguments
{
	int			model;
	int			aggregation;
	int			ignore_labels;
	int			stride;
	int			overflow;
	int			max_length;
	mb_aggregation strategy;	/* where none is given */
} MobilebertNerArguments;

/* One that a function does not have. */
#define NER_NO_ARGUMENT FUNC_MAX_ARGS

/* What tasks put first in a struct of their own, all zero. */
typedef struct MobilebertNer
{
	MobilebertCall call;		/* result is the caller's */
	mb_aggregation aggregation;
	MobilebertText text;
	MobilebertInput in;
	mb_entities entities;		/* when done */
	size_t		base;			/* the piece at token in.lead in "none" */
	float	   *logits;			/* [labels] */
	float	   *scratch;		/* [mb_head_scratch] */
} MobilebertNer;

/* The value of option "aggregation_strategy". */
extern mb_aggregation mobilebert_aggregation(text *value,
											 mb_aggregation otherwise);

/*
 * Begin the call for a text, or for the text that words make with a delimiter
 * between them; all it needs lives in the current context.
 */
extern void mobilebert_ner_start(MobilebertNer *ner, FunctionCallInfo fcinfo,
								 const MobilebertNerArguments *arguments,
								 text *input);
extern void mobilebert_ner_start_words(MobilebertNer *ner,
									   FunctionCallInfo fcinfo,
									   const MobilebertNerArguments *arguments,
									   ArrayType *words, text *delimiter);

#endif							/* MOBILEBERT_NER_H */
