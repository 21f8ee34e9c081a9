/*-------------------------------------------------------------------------
 *
 * zero_shot.h
 *	  Labels of one's own for a text: what both ways to find them share.
 *
 * Depends on server/pg.h, pass/calls.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_ZERO_SHOT_H
#define MOBILEBERT_ZERO_SHOT_H

#include "server/pg.h"
#include "pass/calls.h"

#include "utils/array.h"

/* The arguments of zero_shot() and best_label(). */
#define ZERO_SHOT_INPUT 0
#define ZERO_SHOT_LABELS 1
#define ZERO_SHOT_MODEL 2
#define ZERO_SHOT_TEMPLATE 3
#define ZERO_SHOT_MULTI_LABEL 4
#define ZERO_SHOT_MAX_LENGTH 5
#define ZERO_SHOT_OVERFLOW 6
#define ZERO_SHOT_STRIDE 7
#define ZERO_SHOT_DESCRIPTIONS 8

/* A call of either way; each has it first in a struct of its own. */
typedef struct ZeroShotCall
{
	MobilebertCall call;
	FunctionCallInfo fcinfo;	/* of a call that returns rows */
	text	   *template;
	bool		alone;			/* each label is judged by itself */
	size_t		count;			/* labels without the NULLs */
	size_t		nulls;
	text	  **labels;			/* [count] */
	text	  **descriptions;	/* [count], what stands in the template */
	mb_memory	memory;
	mb_arena	arena;			/* of a sentence being made */
	float	   *scores;			/* [count], when the call is done */
} ZeroShotCall;

/* What the calls of a statement share; hangs on fn_extra. */
typedef struct ZeroShotStatement
{
	bool		warned;			/* of a classifier that does not know entailment */
	struct ZeroShotVectors *vectors;	/* of its labels (zero_shot_vectors.c) */
} ZeroShotStatement;

/* NULL: the call is not part of one. */
extern ZeroShotStatement *zero_shot_statement(FunctionCallInfo fcinfo);

/* Read labels, descriptions and template; an empty text is an error. */
extern void zero_shot_labels_read(ZeroShotCall *z, FunctionCallInfo fcinfo,
								  const char *default_template);

/* The template with label n, or its description, in it; palloc'd. */
extern text *zero_shot_sentence(ZeroShotCall *z, size_t n);

/* The results of a call: rows, and the best label. */
extern Datum zero_shot_rows(MobilebertCall *call, bool *null);
extern Datum zero_shot_best(MobilebertCall *call, bool *null);

/* The call by a model that embeds (zero_shot_vectors.c). */
extern ZeroShotCall *zero_shot_vectors_begin(FunctionCallInfo fcinfo);

#endif							/* MOBILEBERT_ZERO_SHOT_H */
