/*-------------------------------------------------------------------------
 *
 * loss.c
 *	  Labels against logits: the checks, and the terms of the mean.
 *
 * Source: transformers' MobileBertFor... classes; spec model.md section 5.
 * Depends on server/pg.h, server/adapt.h, server/options.h, models/fitted.h,
 * models/model_cache.h, models/registry.h, pass/calls.h, pass/rows.h,
 * pass/sequences.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/options.h"
#include "models/fitted.h"
#include "models/model_cache.h"
#include "models/registry.h"
#include "pass/calls.h"
#include "pass/rows.h"
#include "pass/sequences.h"
#include "functions/loss.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"

/*
 * Beginning
 */

/* The head that is meant: the model's only one among the legal. */
static mb_task
loss_head(const MobilebertModel *model, text *head, uint32 legal)
{
	static const mb_task tasks[] = {
		MB_TASK_CLASSIFY, MB_TASK_NEXT_SENTENCE, MB_TASK_NER, MB_TASK_FILL_MASK
	};
	uint32		own = model->registry->tasks & legal;
	MobilebertChoice choices[lengthof(tasks) + 1];
	StringInfoData names;
	size_t		count = 0;
	size_t		i;

	memset(choices, 0, sizeof(choices));
	initStringInfo(&names);
	for (i = 0; i < lengthof(tasks); i++)
	{
		if ((legal & tasks[i]) == 0)
			continue;
		choices[count].name = mb_task_name(tasks[i]);
		choices[count++].value = tasks[i];
		if ((own & tasks[i]) != 0)
			appendStringInfo(&names, "%s\"%s\"", names.len > 0 ? " and " : "",
							 mb_task_name(tasks[i]));
	}
	if (head != NULL)
	{
		mb_task		task = (mb_task) mobilebert_choice("head", head, choices, 0);

		if ((own & task) == 0)
			mobilebert_no_head(model->registry, task);
		return task;
	}
	if (own == 0)
		mobilebert_no_head(model->registry, (mb_task) choices[0].value);
	if ((own & (own - 1)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model \"%s\" has several heads that take such labels",
						model->name),
				 errhint("Choose one of %s with the option \"head\".",
						 names.data)));
	pfree(names.data);
	return (mb_task) own;
}

static void
loss_sequence(MobilebertCall *call, size_t n, MobilebertSequence *sequence)
{
	LossCall   *loss = (LossCall *) call;

	mobilebert_rows_sequence(&loss->rows, n, loss->padded, sequence);
}

/*
 * The mean; with two of them their sum, and for the ends of an answer half of
 * it.
 */
static Datum
loss_result(MobilebertCall *call, bool *null)
{
	LossCall   *loss = (LossCall *) call;
	double		value = mb_loss_mean(&loss->loss);

	*null = false;
	if (loss->both || loss->task == MB_TASK_ANSWER)
		value += mb_loss_mean(&loss->second);
	if (loss->task == MB_TASK_ANSWER)
		value /= 2;
	return Float4GetDatum((float) value);
}

LossCall *
loss_make(FunctionCallInfo fcinfo, int model, mb_task task)
{
	LossCall   *loss = palloc0(sizeof(LossCall));

	loss->call.model = mobilebert_model_argument(fcinfo, model, task);
	mobilebert_not_fitted(loss->call.model, "losses");
	loss->call.layers = loss->call.model->image.config.layers;
	loss->call.sequence = loss_sequence;
	loss->call.result = loss_result;
	loss->task = task;
	mobilebert_rows_init(&loss->rows, fcinfo, loss->call.model, false, 0);
	return loss;
}

LossCall *
loss_make_head(FunctionCallInfo fcinfo, int head, uint32 legal)
{
	LossCall   *loss = loss_make(fcinfo, 1, 0);

	loss->task = loss_head(loss->call.model, ARG_TEXT(head), legal);
	return loss;
}

static void
head_logits(const LossCall *loss, mb_task task, const float *state,
			float *scratch, float *logits)
{
	ENGINE_CALL(mb_head_logits, &loss->call.model->image.model, task, state,
				scratch, logits, &mobilebert_cancel);
}

/* The logits of a prompt's choices come one by one. */
static void
take_choice(MobilebertCall *call, size_t n,
			const MobilebertSequence *sequence, const float *states)
{
	LossCall   *loss = (LossCall *) call;
	float	   *scratch = palloc(mb_head_scratch(&call->model->image.model) *
								 sizeof(float));
	size_t		prompt = n / loss->choices;
	size_t		choice = n % loss->choices;

	(void) sequence;
	head_logits(loss, MB_TASK_CHOOSE, states, scratch, &loss->logits[choice]);
	if (choice + 1 == loss->choices)
		mb_loss_class(&loss->loss, loss->logits, loss->choices,
					  loss->labels[prompt]);
	pfree(scratch);
}

/* The logits of starts, and those of ends, over all tokens. */
static void
take_answer(MobilebertCall *call, size_t n,
			const MobilebertSequence *sequence, const float *states)
{
	LossCall   *loss = (LossCall *) call;
	size_t		hidden = call->model->image.config.hidden_size;
	size_t		length = sequence->length;
	float	   *scratch = palloc(mb_head_scratch(&call->model->image.model) *
								 sizeof(float));
	float	   *starts = palloc(length * sizeof(float));
	float	   *ends = palloc(length * sizeof(float));
	float		logits[2];
	size_t		i;

	(void) n;
	for (i = 0; i < length; i++)
	{
		CHECK_FOR_INTERRUPTS();
		head_logits(loss, MB_TASK_ANSWER, states + i * hidden, scratch,
					logits);
		starts[i] = logits[0];
		ends[i] = logits[1];
	}
	mb_loss_position(&loss->loss, starts, length, loss->start);
	mb_loss_position(&loss->second, ends, length, loss->end);
	pfree(scratch);
	pfree(starts);
	pfree(ends);
}

/* A label or targets for the sequence. */
static void
take_pooled(MobilebertCall *call, size_t n,
			const MobilebertSequence *sequence, const float *states)
{
	LossCall   *loss = (LossCall *) call;
	size_t		width = loss->width;
	float	   *scratch = palloc(mb_head_scratch(&call->model->image.model) *
								 sizeof(float));
	float	   *logits = palloc(width * sizeof(float));

	(void) sequence;
	head_logits(loss, loss->task, states, scratch, logits);
	if (loss->problem == MB_PROBLEM_SINGLE_LABEL)
		mb_loss_class(&loss->loss, logits, width, loss->labels[n]);
	else if (loss->problem == MB_PROBLEM_REGRESSION)
		mb_loss_squares(&loss->loss, logits, loss->targets + n * width, width);
	else
		mb_loss_binary(&loss->loss, logits, loss->targets + n * width, width);
	pfree(scratch);
	pfree(logits);
}

/* A label for each token, and maybe one for the sequence. */
static void
take_tokens(MobilebertCall *call, size_t n,
			const MobilebertSequence *sequence, const float *states)
{
	LossCall   *loss = (LossCall *) call;
	size_t		hidden = call->model->image.config.hidden_size;
	const int32 *labels = loss->labels + n * loss->rows.longest;
	float	   *scratch = palloc(mb_head_scratch(&call->model->image.model) *
								 sizeof(float));
	float	   *logits = palloc(Max(loss->width, 2) * sizeof(float));
	size_t		i;

	for (i = 0; i < sequence->length; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (labels[i] == MB_NO_LABEL)
			continue;
		head_logits(loss, loss->task, states + i * hidden, scratch, logits);
		mb_loss_class(&loss->loss, logits, loss->width, labels[i]);
	}
	if (loss->both)
	{
		head_logits(loss, MB_TASK_NEXT_SENTENCE, states, scratch, logits);
		mb_loss_class(&loss->second, logits, 2, loss->next_label);
	}
	pfree(scratch);
	pfree(logits);
}

void
loss_ready(LossCall *loss)
{
	mobilebert_rows_done(&loss->rows);
	loss->call.sequences = loss->rows.count;
	loss->width = mb_head_width(&loss->call.model->image.model, loss->task);
	loss->call.first_only = mb_head_pooled(loss->task);
	loss->call.take = loss->task == MB_TASK_CHOOSE ? take_choice :
		loss->task == MB_TASK_ANSWER ? take_answer :
		loss->call.first_only ? take_pooled : take_tokens;
}

/*
 * Labels
 */

void
loss_check_count(const char *what, size_t count, size_t expected)
{
	if (count != expected)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("array \"%s\" must have %zu elements, and not %zu",
						what, expected, count)));
}

/* A label must be the number of an output, or -100. */
static void
check_label(const LossCall *loss, int32 label)
{
	if (!mb_is_label(label, loss->width))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid label: %d", label),
				 errdetail("Legal values are 0 to %zu, and %d for what is not to be counted.",
						   loss->width - 1, MB_NO_LABEL)));
}

/*
 * What a classifier is trained for, by its configuration or else by what it
 * has and is given.
 */
static mb_problem
problem_of(const MobilebertModel *model, bool targets)
{
	const mb_config *config = &model->image.config;

	if (config->problem != MB_PROBLEM_NONE)
		return (mb_problem) config->problem;
	if (config->num_labels == 1)
		return MB_PROBLEM_REGRESSION;
	return targets ? MB_PROBLEM_MULTI_LABEL : MB_PROBLEM_SINGLE_LABEL;
}

void
loss_labels(LossCall *loss, const int32 *labels)
{
	float	   *targets;
	size_t		i;

	loss->problem = loss->task == MB_TASK_CLASSIFY ?
		problem_of(loss->call.model, false) : MB_PROBLEM_SINGLE_LABEL;
	if (loss->problem == MB_PROBLEM_SINGLE_LABEL)
	{
		for (i = 0; i < loss->rows.count; i++)
			check_label(loss, labels[i]);
		loss->labels = labels;
		return;
	}
	if (loss->problem == MB_PROBLEM_MULTI_LABEL || loss->width != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model \"%s\" takes %zu targets, and not one label",
						loss->call.model->name, loss->width),
				 errhint("Give an array of type real[].")));
	targets = palloc(loss->rows.count * sizeof(float));
	for (i = 0; i < loss->rows.count; i++)
		targets[i] = (float) labels[i];
	loss->targets = targets;
}

void
loss_targets(LossCall *loss, const float *targets, size_t count)
{
	loss->problem = problem_of(loss->call.model, true);
	if (loss->problem == MB_PROBLEM_SINGLE_LABEL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model \"%s\" takes a label, and not targets",
						loss->call.model->name),
				 errhint("Give the label's name, or its number as integer.")));
	if (count != loss->rows.count * loss->width)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there must be %zu targets, and not %zu",
						loss->rows.count * loss->width, count),
				 errdetail("Model \"%s\" has %zu outputs for each text.",
						   loss->call.model->name, loss->width)));
	loss->targets = targets;
}

void
loss_token_labels(LossCall *loss, const int32 *labels, size_t count)
{
	size_t		length = loss->rows.longest;
	size_t		row;
	size_t		i;

	if (count != loss->rows.count * length)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("array \"%s\" must have %zu elements, and not %zu",
						"labels", loss->rows.count * length, count),
				 errdetail("There must be one for each token, those of the template included."),
				 errhint("mobilebert.tokens() shows the tokens.")));
	loss->labels = labels;
	for (row = 0; row < loss->rows.count; row++)
	{
		CHECK_FOR_INTERRUPTS();
		for (i = 0; i < length; i++, labels++)
		{
			check_label(loss, *labels);
			if (i >= loss->rows.rows[row].length && *labels != MB_NO_LABEL)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("invalid label: %d", *labels),
						 errdetail("Labels of padding must be %d.",
								   MB_NO_LABEL)));
		}
	}
}

void
loss_next_label(LossCall *loss, int32 label)
{
	const RegistryModel *row = loss->call.model->registry;

	if ((row->tasks & MB_TASK_NEXT_SENTENCE) == 0)
		mobilebert_no_head(row, MB_TASK_NEXT_SENTENCE);
	if (!mb_is_label(label, 2))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid next_sentence_label: %d", label),
				 errdetail("Legal values are 0 (the second text follows), 1 (it does not) and %d.",
						   MB_NO_LABEL)));
	loss->both = true;
	loss->next_label = label;
}

void
loss_choices(LossCall *loss, const int32 *right, size_t prompts)
{
	int32	   *labels = palloc(Max(prompts, 1) * sizeof(int32));
	size_t		i;

	if (loss->choices == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("array \"%s\" must not be empty", "choices")));
	for (i = 0; i < prompts; i++)
	{
		labels[i] = right[i] == MB_NO_LABEL ? MB_NO_LABEL : right[i] - 1;
		if (right[i] != MB_NO_LABEL &&
			(right[i] < 1 || (size_t) right[i] > loss->choices))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid choice_no: %d", right[i]),
					 errdetail("Legal values are 1 to %zu, and %d for what is not to be counted.",
							   loss->choices, MB_NO_LABEL)));
	}
	loss->labels = labels;
	loss->logits = palloc(loss->choices * sizeof(float));
}

/*
 * Passes
 */
