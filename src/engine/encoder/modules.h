/*-------------------------------------------------------------------------
 *
 * modules.h
 *	  From a pooled vector to the one that a model of sentence-transformers
 *	  gives: its modules after Pooling.
 *
 * They see one vector at a time, so that its bits do not depend on others.
 *
 * Source: sentence-transformers' Dense, LayerNorm and Normalize; spec
 * families.md 7.1.
 * Depends on base/status.h, model/config.h, model/model.h, model/settings.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_MODULES_H
#define MB_MODULES_H

#include "base/status.h"
#include "model/config.h"
#include "model/model.h"
#include "model/settings.h"

/* Floats of what the modules make of a pooled vector of so many. */
extern size_t mb_modules_width(const mb_config *config, size_t pooled);

/* Floats of the longest vector on the way. */
extern size_t mb_modules_room(const mb_config *config, size_t pooled);

/* Floats of the vector that a model's own settings give, cut as they say. */
extern size_t mb_vector_width(const mb_config *config,
							  const mb_sentence_settings *settings);

/*
 * Run them: vector [mb_modules_room], whose beginning is what was pooled and
 * then what they made of it; scratch is as large.  The Normalize at the end is
 * not among them (settings.h).  Sums are in double.  Errors: MB_ERR_CANCELLED.
 */
extern mb_status mb_modules_run(const mb_model *model, float *vector,
								float *scratch, const mb_cancel *cancel,
								mb_error *err);

#endif							/* MB_MODULES_H */
