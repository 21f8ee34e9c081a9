/*-------------------------------------------------------------------------
 *
 * heads.c
 *	  Logits of the task heads.
 *
 * All but one are a dense layer over the state of a token or the pooled state.
 * The masked language model transforms the state first and has its weights in
 * two parts that lie crosswise: the decoder by token, [V, E], and the rest by
 * feature, [H - E, V].  It goes over the vocabulary in blocks, so that both are
 * read in the order in which they lie and cancellation is checked between blocks.
 *
 * Source: transformers' MobileBertFor... classes; spec model.md section 5.
 * Depends on encoder/pooling.h, kernels/kernels.h.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/heads.h"

#include "encoder/pooling.h"
#include "kernels/kernels.h"

/* Tokens of the vocabulary in one block; their sums are on the stack. */
#define VOCABULARY_BLOCK 512

/* Multiply-adds of a dense layer between two looks for a cancel. */
#define DENSE_STEP ((size_t) 1 << 20)

/* The dense layer of a task; NULL when the task has none, or the model. */
static const mb_linear *
dense_head(const mb_model *model, mb_task task)
{
	const mb_linear *head = NULL;

	switch (task)
	{
		case MB_TASK_NEXT_SENTENCE:
			head = &model->nsp;
			break;
		case MB_TASK_CLASSIFY:
		case MB_TASK_NER:
		case MB_TASK_CHOOSE:
			head = &model->classifier;
			break;
		case MB_TASK_ANSWER:
			head = &model->qa;
			break;
		default:
			break;
	}
	if (head == NULL || head->weight == NULL || head->bias == NULL)
		return NULL;
	return head;
}

static bool
has_head(const mb_model *model, mb_task task)
{
	return (mb_checkpoint_tasks(&model->config, model->parts) & task) != 0 &&
		(task == MB_TASK_FILL_MASK || dense_head(model, task) != NULL);
}

size_t
mb_head_width(const mb_model *model, mb_task task)
{
	if (!has_head(model, task))
		return 0;
	switch (task)
	{
		case MB_TASK_FILL_MASK:
			return model->config.vocab_size;
		case MB_TASK_NEXT_SENTENCE:
			return 2;
		case MB_TASK_CHOOSE:
			return 1;
		default:
			return model->config.num_labels;
	}
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

/* Logits [from, to) of the vocabulary from the transformed state [H]. */
static void
vocabulary_block(const mb_model *model, const float *t, size_t from,
				 size_t to, float *out)
{
	const mb_kernels *kernels = model->kernels;
	size_t		vocabulary = model->config.vocab_size;
	size_t		width = model->config.embedding_size;
	size_t		rest = model->config.hidden_size - width;
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

/* model.md 5.2; t: scratch [H] */
static mb_status
vocabulary_logits(const mb_model *model, const float *state, float *t,
				  float *out, const mb_cancel *cancel, mb_error *err)
{
	const mb_kernels *kernels = model->kernels;
	const mb_config *config = &model->config;
	size_t		width = config->hidden_size;
	size_t		from;
	mb_status	status;

	status = dense_row(kernels, &model->mlm_transform, state, width, t, width,
					   cancel, err);
	if (status != MB_OK)
		return status;
	kernels->activation((mb_activation) config->activation, t, width);
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

mb_status
mb_head_logits(const mb_model *model, mb_task task, const float *state,
			   float *scratch, float *out, const mb_cancel *cancel,
			   mb_error *err)
{
	const char *name = mb_task_name(task);
	mb_status	status;

	if (!has_head(model, task))
		return mb_fail(err, MB_ERR_UNSUPPORTED,
					   "the model has no head for task \"%s\"",
					   name == NULL ? "" : name);
	if (task == MB_TASK_FILL_MASK)
		return vocabulary_logits(model, state, scratch, out, cancel, err);
	if (mb_head_pooled(task))
	{
		status = mb_pooler(model, state, scratch, err);
		if (status != MB_OK)
			return status;
		state = scratch;
	}
	return dense_row(model->kernels, dense_head(model, task), state,
					 model->config.hidden_size, out,
					 mb_head_width(model, task), cancel, err);
}
