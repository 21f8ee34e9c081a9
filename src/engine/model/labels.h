/*-------------------------------------------------------------------------
 *
 * labels.h
 *	  What config.json says about the outputs of a classifier: their names,
 *	  the kind of problem, and which of them means entailment.
 *
 * Apart from config.h because names have no place in the weight image, and
 * because they can differ from task to task: "task_specific_params" overrides
 * keys of config.json for the pipeline it names.
 *
 * Source: PretrainedConfig (id2label, label2id, num_labels) and the
 * text-classification and zero-shot-classification pipelines of transformers;
 * spec pipelines.md, common rules and section 6.
 * Depends on model/config.h, base/arena.h, base/json.h, base/status.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_LABELS_H
#define MB_LABELS_H

#include "base/arena.h"
#include "base/json.h"
#include "base/status.h"
#include "model/config.h"

typedef struct mb_label
{
	const char *text;			/* zero-terminated UTF-8; NULL: has no name */
	size_t		length;
} mb_label;

typedef struct mb_labels
{
	size_t		outputs;		/* of the head */
	mb_label   *names;			/* [outputs] */
	size_t		count;			/* num_labels, as the pipelines count */
	mb_problem	problem;
} mb_labels;

/*
 * Names for the "outputs" of a head.  root is a config.json that
 * mb_config_read() accepted; task the name of a pipeline
 * ("text-classification"), or NULL for config.json's own keys.  Without
 * "id2label" outputs are called LABEL_0, LABEL_1 ...; with it, an output that
 * it leaves out has no name.  All memory comes from arena; names lie in the
 * document.
 */
extern mb_status mb_labels_read(const mb_json *root, const char *task,
								size_t outputs, mb_arena *arena,
								mb_labels *labels, mb_error *err);

/*
 * The value of the first key of "label2id", in the order of the file, that
 * starts with "entail" in any case; without label2id the id of the first such
 * label of id2label.  *named is false when there is none; then *output is the
 * last one.  Errors: MB_ERR_DATA when the value is not an output's number.
 */
extern mb_status mb_entailment_output(const mb_json *root, const char *task,
									  size_t outputs, size_t *output,
									  bool *named, mb_error *err);

#endif							/* MB_LABELS_H */
