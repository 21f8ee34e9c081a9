/*-------------------------------------------------------------------------
 *
 * fitted.h
 *	  Models that are classifiers fitted on the frozen states of another.
 *
 * Such a model has the documents and tensors of its base, whose image it
 * shares, and two documents more (engine's classifier.h).
 *
 * Depends on server/pg.h, models/labels.h, models/model_cache.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_FITTED_H
#define MOBILEBERT_FITTED_H

#include "server/pg.h"
#include "models/labels.h"
#include "models/model_cache.h"

typedef struct MobilebertFitted
{
	mb_classifier classifier;
	MobilebertLabels labels;	/* of its outputs */
} MobilebertFitted;

/*
 * NULL: the model is no such classifier.  Read once as long as the model is
 * cached, and valid as long as it is.
 */
extern const MobilebertFitted *mobilebert_fitted(const MobilebertModel *model);

/* Error if it is one: "what" needs a head that was trained with its encoder. */
extern void mobilebert_not_fitted(const MobilebertModel *model,
								  const char *what);

/* Columns of the type mobilebert.classifier. */
enum
{
	CLASSIFIER_BASE,
	CLASSIFIER_FINGERPRINT,
	CLASSIFIER_PROBLEM,
	CLASSIFIER_LAYER,
	CLASSIFIER_POOLING,
	CLASSIFIER_LABELS,
	CLASSIFIER_WEIGHTS,
	CLASSIFIER_BIAS,
	CLASSIFIER_L2,
	CLASSIFIER_CLASS_WEIGHT,
	CLASSIFIER_FOLDS,
	CLASSIFIER_ROWS,
	CLASSIFIER_SUPPORT,
	CLASSIFIER_F1,
	CLASSIFIER_ACCURACY,
	CLASSIFIER_MACRO_F1,
	CLASSIFIER_MAJORITY,
	CLASSIFIER_R2,
	CLASSIFIER_COLUMNS
};

#endif							/* MOBILEBERT_FITTED_H */
