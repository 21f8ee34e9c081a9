/*-------------------------------------------------------------------------
 *
 * heads.c
 *	  Logits of the task heads.
 *
 * All but one are a linear layer over the state of a token, or of the first
 * one, with a dense layer before it where the family has that (mb_head).
 * The masked language model transforms the state first and, in MobileBERT, has
 * its weights in two parts that lie crosswise: the decoder by token, [V, E], and
 * the rest by feature, [H - E, V].  It goes over the vocabulary in blocks, so
 * that both are read in the order in which they lie and cancellation is checked
 * between blocks.
 *
 * Source: transformers' MobileBertFor... classes and their like; spec model.md
 * section 5, families.md section 4.
 * Depends on encoder/pooling.h, kernels/kernels.h, model/family.h.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/heads.h"

#include "encoder/pooling.h"
#include "kernels/kernels.h"
#include "model/family.h"

#include <string.h>

/* Tokens of the vocabulary in one block; their sums are on the stack. */
#define VOCABULARY_BLOCK 512

/* Multiply-adds of a dense layer between two looks for a cancel. */
#define DENSE_STEP ((size_t) 1 << 20)

/* Has the model what the task needs?  *head gets it, NULL for the vocabulary. */
static bool
find_head(const mb_model *model, mb_task task, const mb_head **head)
{
	const mb_linear *output;

	*head = NULL;
	if ((mb_checkpoint_tasks(&model->config, model->parts) & task) == 0)
		return false;
	if (task == MB_TASK_FILL_MASK)
		return true;
	*head = mb_family_head(mb_family_of(&model->config), task);
	if (*head == NULL)
		return false;
	output = mb_model_head(model, (mb_site) (*head)->output);
	return output->weight != NULL && output->bias != NULL;
}

size_t
mb_head_width(const mb_model *model, mb_task task)
{
	const mb_head *head;

	if (!find_head(model, task, &head))
		return 0;
	switch (task)
	{
		case MB_TASK_FILL_MASK:
			return model->config.vocab_size;
		case MB_TASK_NEXT_SENTENCE:
			return 2;
		case MB_TASK_CHOOSE:
		case MB_TASK_REPLACED_TOKEN:
			return 1;
		default:
			return model->config.num_labels;
	}
}

size_t
mb_head_scratch(const mb_model *model)
{
	size_t		hidden = model->config.hidden_size;
	size_t		transformed = model->mlm_transform.n;

	return transformed > hidden ? transformed : hidden;
}

bool
mb_head_pooled(mb_task task)
{
	return task == MB_TASK_NEXT_SENTENCE || task == MB_TASK_CLASSIFY ||
		task == MB_TASK_CHOOSE;
}

/* out[n] = w[n, k] x[k] + b[n] */
static mb_status
dense_row(const mb_kernels *kernels, const mb_linear *linear, const float *x,
		  size_t k, float *out, size_t n, const mb_cancel *cancel,
		  mb_error *err)
{
	size_t		rows = 1 + DENSE_STEP / (k + 1);
	size_t		i;

	for (i = 0; i < n; i++)
	{
		if (i % rows == 0 && mb_cancelled(cancel))
			return mb_fail_cancelled(err, NULL);
		out[i] = (float) (kernels->dot_wide(x, linear->weight + i * k, k) +
						  linear->bias[i]);
	}
	return MB_OK;
}

/*
 * Logits [from, to) of the vocabulary from the transformed state, which is as
 * wide as the word table, or wider with mlm_dense for the rest.
 */
static void
vocabulary_block(const mb_model *model, const float *t, size_t from,
				 size_t to, float *out)
{
	const mb_kernels *kernels = model->kernels;
	size_t		vocabulary = model->config.vocab_size;
	size_t		width = model->config.embedding_size;
	size_t		rest = model->mlm_transform.n - width;
	double		sums[VOCABULARY_BLOCK];
	size_t		count = to - from;
	size_t		i;
	size_t		j;

	for (i = 0; i < count; i++)
		sums[i] = kernels->dot_wide(t, model->mlm_decoder + (from + i) * width,
									width) + model->mlm_bias[from + i];
	for (j = 0; j < rest; j++)
	{
		const float *row = model->mlm_dense + j * vocabulary + from;
		double		factor = t[width + j];

		for (i = 0; i < count; i++)
			sums[i] += factor * row[i];
	}
	for (i = 0; i < count; i++)
		out[from + i] = (float) sums[i];
}

/* model.md 5.2; t: the scratch */
static mb_status
vocabulary_logits(const mb_model *model, const float *state, float *t,
				  float *out, const mb_cancel *cancel, mb_error *err)
{
	const mb_kernels *kernels = model->kernels;
	const mb_config *config = &model->config;
	size_t		width = model->mlm_transform.n;
	size_t		from;
	mb_status	status;

	status = dense_row(kernels, &model->mlm_transform, state,
					   config->hidden_size, t, width, cancel, err);
	if (status != MB_OK)
		return status;
	kernels->activation((mb_activation) config->mlm_activation, t, width);
	kernels->layer_norm(t, NULL, model->mlm_norm.weight, model->mlm_norm.bias,
						config->layer_norm_eps, t, width);

	for (from = 0; from < config->vocab_size; from += VOCABULARY_BLOCK)
	{
		size_t		to = from + VOCABULARY_BLOCK;

		if (mb_cancelled(cancel))
			return mb_fail_cancelled(err, NULL);
		if (to > config->vocab_size)
			to = config->vocab_size;
		vocabulary_block(model, t, from, to, out);
	}
	return MB_OK;
}

/*
 * The state that a head's own layer reads: that of a token, or what a dense
 * layer makes of it.
 */
static mb_status
head_input(const mb_model *model, const mb_head *head, const float *state,
		   float *scratch, const float **input, const mb_cancel *cancel,
		   mb_error *err)
{
	const mb_linear *dense;

	*input = state;
	if (head->dense == MB_SITE_NONE)
		return MB_OK;
	if (head->dense == MB_SITE_POOLER)
	{
		*input = scratch;
		return mb_pooler(model, state, scratch, err);
	}
	dense = mb_model_head(model, (mb_site) head->dense);
	*input = scratch;
	if (dense->weight == NULL)	/* left out, and its activation is not */
	{
		memmove(scratch, state, model->config.hidden_size * sizeof(float));
		model->kernels->activation(mb_family_activation(&model->config,
														head->activation),
								   scratch, model->config.hidden_size);
		return MB_OK;
	}
	return mb_dense_state(model, dense,
						  mb_family_activation(&model->config,
											   head->activation),
						  state, scratch, cancel, err);
}

mb_status
mb_head_logits(const mb_model *model, mb_task task, const float *state,
			   float *scratch, float *out, const mb_cancel *cancel,
			   mb_error *err)
{
	const char *name = mb_task_name(task);
	const mb_head *head;
	const float *input;
	mb_status	status;

	if (!find_head(model, task, &head))
		return mb_fail(err, MB_ERR_UNSUPPORTED,
					   "the model has no head for task \"%s\"",
					   name == NULL ? "" : name);
	if (head == NULL)
		return vocabulary_logits(model, state, scratch, out, cancel, err);
	status = head_input(model, head, state, scratch, &input, cancel, err);
	if (status != MB_OK)
		return status;
	return dense_row(model->kernels,
					 mb_model_head(model, (mb_site) head->output), input,
					 model->config.hidden_size, out,
					 mb_head_width(model, task), cancel, err);
}
