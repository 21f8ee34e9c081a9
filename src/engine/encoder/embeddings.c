/*-------------------------------------------------------------------------
 *
 * embeddings.c
 *	  Words (for MobileBERT three side by side), positions, types, their norm,
 *	  and a transformation before it (MobileBERT) or after it (ELECTRA).
 *
 * Source: transformers' MobileBertEmbeddings and its like; spec model.md
 * sections 2.1 and 7, families.md sections 3.2 to 3.4.
 * Depends on encoder/pass.h, encoder/steps.h.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/embeddings.h"

#include "encoder/pass.h"
#include "encoder/steps.h"

#include <string.h>

static const float *
word_row(const mb_pass *p, int32_t id)
{
	return p->model->word_embeddings + (size_t) id * p->config->embedding_size;
}

/* The row after the last token of a sequence; NULL stands for zeros. */
static const float *
row_after(const mb_pass *p, size_t sequence)
{
	if (p->batch->pad_after == NULL || !p->batch->pad_after[sequence])
		return NULL;
	return word_row(p, p->config->pad_token_id);
}

static void
copy_row(float *target, const float *source, size_t width)
{
	if (source == NULL)
		memset(target, 0, width * sizeof(float));
	else
		memcpy(target, source, width * sizeof(float));
}

/* x[3E] of one token: next, current and previous word, in this order. */
static void
trigram(const mb_pass *p, size_t sequence, size_t token, float *x)
{
	const mb_batch *batch = p->batch;
	size_t		width = p->config->embedding_size;
	const float *next = row_after(p, sequence);
	const float *previous = NULL;

	if (token + 1 < batch->starts[sequence + 1])
		next = word_row(p, batch->ids[token + 1]);
	if (token > batch->starts[sequence])
		previous = word_row(p, batch->ids[token - 1]);
	copy_row(x, next, width);
	copy_row(x + width, word_row(p, batch->ids[token]), width);
	copy_row(x + 2 * width, previous, width);
}

/*
 * With count_positions: a padding token, whatever the configuration's is, has
 * the position of that number, and others have those after it, counted over
 * them alone.
 */
#define PAD_POSITION 1

/* Where in the batch a walk over its tokens is */
typedef struct walk
{
	size_t		sequence;
	size_t		counted;		/* of its tokens so far, in count_positions */
} walk;

/* The position of a token, the next of the walk */
static size_t
next_position(const mb_pass *p, walk *at, size_t token)
{
	while (token >= p->batch->starts[at->sequence + 1])
	{
		at->sequence++;
		at->counted = 0;
	}
	if (!p->config->count_positions)
		return token - p->batch->starts[at->sequence];
	if (p->batch->ids[token] == PAD_POSITION)
		return PAD_POSITION;
	return PAD_POSITION + ++at->counted;
}

/* x[width] += position and type rows of one token */
static void
add_position(const mb_pass *p, size_t position, size_t token, float *x,
			 size_t width)
{
	size_t		type = p->batch->types == NULL ? 0 : p->batch->types[token];
	const float *positions = p->model->position_embeddings + position * width;
	const float *types;
	size_t		i;

	if (p->model->type_embeddings == NULL)
	{
		for (i = 0; i < width; i++)
			x[i] = x[i] + positions[i];
		return;
	}
	types = p->model->type_embeddings + type * width;
	for (i = 0; i < width; i++)
		x[i] = x[i] + positions[i] + types[i];
}

/* The input of the embeddings for one sweep, and zeros up to whole blocks. */
static void
gather_words(const mb_pass *p, size_t first, size_t rows, size_t sequence,
			 float *input, size_t width)
{
	size_t		i;

	for (i = 0; i < rows; i++)
	{
		while (first + i >= p->batch->starts[sequence + 1])
			sequence++;
		if (p->config->trigram_input)
			trigram(p, sequence, first + i, input + i * width);
		else
			copy_row(input + i * width,
					 word_row(p, p->batch->ids[first + i]), width);
	}
	for (; i % MB_ROW_BLOCK != 0; i++)
		copy_row(input + i * width, NULL, width);
}

/* Positions, types and norm of a sweep's rows; then zeros up to whole blocks. */
static void
finish_words(const mb_pass *p, size_t first, size_t rows, walk *at, float *x,
			 size_t width)
{
	const mb_norm *norm = &p->model->embedding_norm;
	size_t		i;

	for (i = 0; i < rows; i++, x += width)
	{
		add_position(p, next_position(p, at, first + i), first + i, x, width);
		if (p->config->layer_norm)
			p->kernels->layer_norm(x, NULL, norm->weight, norm->bias,
								   p->config->embedding_norm_eps, x, width);
		else
			p->kernels->no_norm(x, NULL, norm->weight, norm->bias, x, width);
	}
	for (; i % MB_ROW_BLOCK != 0; i++, x += width)
		copy_row(x, NULL, width);
}

/* One sweep; the walk is at its first token, and then at the next sweep's. */
static mb_status
embed_rows(const mb_pass *p, size_t first, walk *at)
{
	size_t		hidden = p->config->hidden_size;
	size_t		rows = mb_sweep_rows(p, p->tokens, first);
	mb_sweep	w = {p, first, rows, MB_BUFFER_NONE, {0}};
	mb_step_visitor run = {mb_run_step, &w};
	float	   *output = mb_sweep_buffer(&w, MB_BUFFER_STATES, hidden);
	size_t		width = hidden;
	float	   *input = output;
	mb_status	status;
	size_t		i;

	if (mb_transforms_embedding(p->config))
	{
		width = p->model->embedding_transformation.k;
		input = mb_sweep_buffer(&w, MB_BUFFER_WIDE, width);
	}
	gather_words(p, first, rows, at->sequence, input, width);
	if (p->config->project_after_norm)
		finish_words(p, first, rows, at, input, width);
	status = mb_embedding_steps(p->model, &run);
	if (status != MB_OK)
		return status;
	if (!p->config->project_after_norm)
		finish_words(p, first, rows, at, output, hidden);
	for (i = rows; i % MB_ROW_BLOCK != 0; i++)
		copy_row(output + i * hidden, NULL, hidden);
	return MB_OK;
}

mb_status
mb_embed(const mb_pass *p)
{
	walk		at = {0, 0};
	size_t		first;

	for (first = 0; first < p->tokens; first += p->memory.sweep)
	{
		mb_status	status = mb_poll_cancel(p->cancel, NULL, p->err);

		if (status == MB_OK)
			status = embed_rows(p, first, &at);
		if (status != MB_OK)
			return status;
	}
	return MB_OK;
}
