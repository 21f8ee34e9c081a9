/*-------------------------------------------------------------------------
 *
 * labels.h
 *	  The labels of a model's outputs, as text in the database encoding.
 *
 * Depends on server/pg.h, models/model_cache.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_LABELS_H
#define MOBILEBERT_LABELS_H

#include "server/pg.h"
#include "models/model_cache.h"

/* What the outputs of a classifier are called, for one pipeline. */
typedef struct MobilebertLabels
{
	struct MobilebertLabels *next;
	const char *pipeline;		/* as Hugging Face names it */
	size_t		outputs;
	Datum	   *names;			/* [outputs], text; 0: the output has none */
	size_t		count;			/* num_labels */
	mb_problem	problem;
	size_t		entailment;		/* zero-shot-classification only */
	bool		entailment_named;	/* else it is the last output */
} MobilebertLabels;

/*
 * Labels of a head of the model; read once in a transaction at most, and valid
 * as long as the model is.
 */
extern const MobilebertLabels *mobilebert_labels(const MobilebertModel *model,
												 mb_task head,
												 const char *pipeline);

/* The name of an output; an error when it has none. */
extern Datum mobilebert_label_name(const MobilebertModel *model,
								   const MobilebertLabels *labels,
								   size_t output);

#endif							/* MOBILEBERT_LABELS_H */
