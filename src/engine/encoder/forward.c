/*-------------------------------------------------------------------------
 *
 * forward.c
 *	  The encoder: embeddings and layers over a packed batch.
 *
 *	ids, types
 *	    |   embed     words, neighbours, positions, types    embeddings.c
 *	    v
 *	h [tokens, H] <-------------------------------------------------.
 *	    |   project   a sweep of rows at a time: bottlenecks,       |
 *	    v             Q, K and V                                    |
 *	R, Q, K, V                                                      |
 *	    |   attend    a sequence and a head at a time: scores,      | each
 *	    v             softmax, context              attention.c     | layer
 *	context, in the place of Q                                      |
 *	    |   finish    a sweep of rows at a time: attention output,  |
 *	    |             feed-forward networks, output bottleneck      |
 *	    '-----------------------------------------------------------'
 *
 * project and finish are linear layers, each with what follows it: steps.h has
 * them all, pass.h runs them over a sweep, and workspace.h lays out the memory
 * that they need.
 *
 * When the first token of each sequence is all that is wanted, the last layer
 * makes keys and values of all rows but goes on with those tokens alone.
 *
 * That a row has the same bits in every batch rests on: products whose order
 * of sums the batch does not decide (kernels.h), kernels that see one row, and
 * attention blocks that start at the sequence's own first row.
 *
 * Start at mb_forward(), at the end.
 *
 * Which steps there are and what they do follows from the configuration alone;
 * families of models are known in model/family.c.
 *
 * Source: transformers' modeling_mobilebert and its like; spec model.md sections
 * 2, 3, 6 and 7, families.md section 3, whose letters (H, E, T, I, A, N, D, L) are used here.
 * Depends on encoder/attention.h, encoder/embeddings.h, encoder/pass.h,
 * encoder/relative_bias.h, encoder/steps.h, encoder/workspace.h.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/forward.h"

#include "encoder/attention.h"
#include "encoder/embeddings.h"
#include "encoder/pass.h"
#include "encoder/relative_bias.h"
#include "encoder/steps.h"
#include "encoder/workspace.h"

#include <string.h>

size_t
mb_forward_memory(const mb_model *model, size_t tokens, size_t longest)
{
	mb_workspace memory;
	size_t		size;

	if (!mb_workspace_lay_out(model, tokens, longest > 0 ? longest : 1, NULL,
							  &memory, &size))
		return SIZE_MAX;
	return size;
}

/* ----------
 * Checks
 * ----------
 */

/* One sequence: its length, and each id, type and mask byte. */
static mb_status
check_sequence(const mb_config *config, const mb_batch *batch, size_t sequence,
			   mb_error *err)
{
	size_t		first = batch->starts[sequence];
	size_t		end = batch->starts[sequence + 1];
	bool		attended = batch->mask == NULL;
	size_t		i;

	if (end <= first)
		return mb_fail(err, MB_ERR_ARGUMENT, "sequence %zu has no tokens",
					   sequence);
	if (end - first > config->max_tokens)
		return mb_fail(err, MB_ERR_LIMIT, "sequence has %zu tokens, but the "
					   "model has positions for %u only", end - first,
					   config->max_tokens);
	for (i = first; i < end; i++)
	{
		if (batch->ids[i] < 0 ||
			(uint32_t) batch->ids[i] >= config->vocab_size)
			return mb_fail(err, MB_ERR_ARGUMENT, "token id %d is outside the "
						   "vocabulary of %u", (int) batch->ids[i],
						   config->vocab_size);
		if (batch->types != NULL && config->type_vocab_size > 0 &&
			(batch->types[i] < 0 ||
			 (uint32_t) batch->types[i] >= config->type_vocab_size))
			return mb_fail(err, MB_ERR_ARGUMENT, "token type %d is outside the "
						   "model's %u types", (int) batch->types[i],
						   config->type_vocab_size);
		if (batch->mask != NULL && batch->mask[i] > 1)
			return mb_fail(err, MB_ERR_ARGUMENT, "attention mask has the value "
						   "%d, but only 0 and 1 are allowed",
						   (int) batch->mask[i]);
		if (batch->mask != NULL && batch->mask[i] == 1)
			attended = true;
	}
	if (!attended)
		return mb_fail(err, MB_ERR_ARGUMENT, "attention mask of sequence %zu "
					   "is all 0", sequence);
	if (config->trigram_input && batch->pad_after != NULL &&
		batch->pad_after[sequence] &&
		(config->pad_token_id < 0 ||
		 (uint32_t) config->pad_token_id >= config->vocab_size))
		return mb_fail(err, MB_ERR_ARGUMENT, "padding token id %d is outside "
					   "the vocabulary of %u", (int) config->pad_token_id,
					   config->vocab_size);
	return MB_OK;
}

/* The whole batch; *longest, 0 so far, becomes its longest length. */
static mb_status
check_batch(const mb_model *model, const mb_batch *batch, size_t layers,
			const mb_cancel *cancel, size_t *longest, mb_error *err)
{
	const mb_config *config = &model->config;
	size_t		sequence;

	if (batch->sequences == 0)
		return mb_fail(err, MB_ERR_ARGUMENT, "batch has no sequences");
	if (batch->starts[0] != 0)
		return mb_fail(err, MB_ERR_ARGUMENT,
					   "batch does not start at its first token");
	if (layers > config->layers)
		return mb_fail(err, MB_ERR_ARGUMENT, "%zu layers were asked for, but "
					   "the model has %u", layers, config->layers);
	for (sequence = 0; sequence < batch->sequences; sequence++)
	{
		mb_status	status = check_sequence(config, batch, sequence, err);
		size_t		length;

		if (status != MB_OK)
			return status;
		length = batch->starts[sequence + 1] - batch->starts[sequence];
		if (length > *longest)
			*longest = length;
		if (sequence % 256 == 255 && mb_cancelled(cancel))
			return mb_fail_cancelled(err, NULL);
	}
	return MB_OK;
}

/* ----------
 * A layer
 * ----------
 */

/* Bottlenecks, Q, K and V of so many rows; wanted as in steps.h */
static mb_status
project(const mb_pass *p, const mb_layer *layer, size_t rows, int wanted)
{
	mb_status	status = MB_OK;
	size_t		first;

	for (first = 0; first < rows && status == MB_OK; first += p->memory.sweep)
	{
		mb_sweep	w = {p, first, mb_sweep_rows(p, rows, first),
		MB_BUFFER_NONE, {0}};
		mb_step_visitor run = {mb_run_step, &w};

		status = mb_project_steps(p->model, layer, wanted, &run);
	}
	return status;
}

/* From the context of so many rows to the layer's output */
static mb_status
finish(const mb_pass *p, const mb_layer *layer, size_t rows)
{
	mb_status	status = MB_OK;
	size_t		first;

	for (first = 0; first < rows && status == MB_OK; first += p->memory.sweep)
	{
		mb_sweep	w = {p, first, mb_sweep_rows(p, rows, first),
		MB_BUFFER_NONE, {0}};
		mb_step_visitor run = {mb_run_step, &w};

		status = mb_finish_steps(p->model, layer, &run);
	}
	return status;
}

/* The states of the first tokens, one after the other. */
static void
keep_first(const mb_pass *p)
{
	size_t		hidden = p->config->hidden_size;
	float	   *states = p->memory.buffers[MB_BUFFER_STATES].start;
	size_t		i;

	for (i = 1; i < p->batch->sequences; i++)
		memcpy(states + i * hidden, states + p->batch->starts[i] * hidden,
			   hidden * sizeof(float));
}

/*
 * All rows, or with first_only the first of each sequence: they attend to keys
 * and values of all rows, and are all that goes on from there.
 */
static mb_status
run_layer(const mb_pass *p, size_t number, bool first_only)
{
	const mb_layer *layer = &p->model->layers[number];
	size_t		rows = first_only ? p->batch->sequences : p->tokens;
	mb_status	status;
	size_t		sequence;

	if (!first_only)
		status = project(p, layer, rows, MB_PROJECT_QUERIES | MB_PROJECT_KEYS);
	else
	{
		status = project(p, layer, p->tokens, MB_PROJECT_KEYS);
		keep_first(p);
		if (status == MB_OK)
			status = project(p, layer, rows, MB_PROJECT_QUERIES);
	}
	for (sequence = 0; sequence < p->batch->sequences && status == MB_OK;
		 sequence++)
		status = mb_attend(p, number, sequence, first_only);
	if (status == MB_OK)
		status = finish(p, layer, rows);
	return status;
}

/* ----------
 * The pass
 * ----------
 */

static mb_status
show_states(const mb_pass *p, size_t number)
{
	if (p->observer == NULL || p->observer->hidden == NULL)
		return MB_OK;
	return p->observer->hidden(p->observer->context, number,
							   p->memory.buffers[MB_BUFFER_STATES].start);
}

mb_status
mb_forward(const mb_model *model, const mb_batch *batch, size_t layers,
		   const mb_observer *observer, const mb_cancel *cancel,
		   void *given, size_t given_size, const float **states,
		   mb_error *err)
{
	mb_pass		p;
	size_t		longest = 0;
	size_t		size;
	size_t		number;
	mb_status	status;

	status = check_batch(model, batch, layers, cancel, &longest, err);
	if (status != MB_OK)
		return status;
	memset(&p, 0, sizeof(p));
	p.model = model;
	p.config = &model->config;
	p.batch = batch;
	p.observer = observer;
	p.cancel = cancel;
	p.kernels = model->kernels;
	p.err = err;
	p.tokens = batch->starts[batch->sequences];
	size = mb_forward_memory(model, p.tokens, longest);
	if (given == NULL || size == SIZE_MAX || given_size < size)
		return mb_fail(err, MB_ERR_ARGUMENT, "workspace has %zu bytes, but %zu "
					   "are needed", given == NULL ? 0 : given_size, size);
	if ((uintptr_t) given % (MB_LINE_FLOATS * sizeof(float)) != 0)
		return mb_fail(err, MB_ERR_ARGUMENT,
					   "workspace is not aligned to 64 bytes");
	(void) mb_workspace_lay_out(model, p.tokens, longest, given, &p.memory,
								&size);

	if (p.kernels->begin != NULL)
		p.kernels->begin();
	status = mb_embed(&p);
	if (status == MB_OK && layers > 0 && model->relative_bias != NULL)
		status = mb_spread_bias(&p);
	if (layers == 0 && batch->first_only)
		keep_first(&p);
	if (status == MB_OK)
		status = show_states(&p, 0);
	for (number = 0; number < layers && status == MB_OK; number++)
	{
		status = run_layer(&p, number,
						   batch->first_only && number + 1 == layers);
		if (status == MB_OK)
			status = show_states(&p, number + 1);
	}
	if (p.kernels->end != NULL)
		p.kernels->end();
	if (status == MB_OK)
		*states = p.memory.buffers[MB_BUFFER_STATES].start;
	return status;
}
