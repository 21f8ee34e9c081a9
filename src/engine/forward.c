/*-------------------------------------------------------------------------
 *
 * forward.c
 *	  The encoder: MobileBertEmbeddings and MobileBertLayer over a packed batch.
 *
 * A pass walks the layers; within a layer there are three sweeps:
 *
 *	  project	for each block of MB_ROW_BLOCK rows: bottlenecks, Q, K and V
 *	  attend	for each sequence, head and block of query rows: scores,
 *				softmax, context
 *	  finish	for each block of rows: attention output, feed-forward networks,
 *				output bottleneck
 *
 * Only h, the residual R, Q, K and V exist for all rows; everything between is
 * as large as one block.  The context overwrites Q, head by head, once the
 * scores of those queries are known.
 *
 * Rows are padded to whole blocks.  Padding rows of h are zero and stay so:
 * norms and activations run over real rows only.  What the products make of
 * them is never read by a real row.
 *
 * That a row has the same bits in every batch rests on: products of fixed
 * shape (gemm.c), kernels that see one row, and attention blocks that start at
 * the sequence's own first row.
 *
 * Source: transformers' modeling_mobilebert; spec model.md sections 2, 3, 6
 * and 7, whose letters (H, E, T, I, A, N, D, L) are used here.
 * Depends on forward.h, gemm.h, kernels.h.
 *
 *-------------------------------------------------------------------------
 */
#include "forward.h"

#include "gemm.h"
#include "kernels.h"

#include <math.h>
#include <string.h>

/* Query rows taken together, and how many scores that may make. */
#define QUERY_ROWS 64
#define MAX_SCORES ((size_t) 1 << 18)

/* Sites that MobileBERT builds without the configured epsilon (model.md 2.2) */
#define DEFAULT_EPSILON 1e-5f

/* Workspace regions start at cache lines. */
#define LINE_FLOATS 16

/* Regions of the workspace, all float. */
typedef struct workspace
{
	float	   *states;			/* [rows, H] */
	float	   *residual;		/* [rows, T]; is states without bottleneck */
	float	   *query;			/* [rows, A]; then the context */
	float	   *key;			/* [rows, A] */
	float	   *value;			/* [rows, A] */
	float	   *scores;			/* [query rows, L] of the longest sequence */
	float	   *wide;			/* [block, max(trigram, H, I)] */
	float	   *narrow;			/* [block, T] */
	float	   *narrow2;		/* [block, T] */
} workspace;

typedef struct pass
{
	const mb_model *model;
	const mb_config *config;
	const mb_batch *batch;
	const mb_observer *observer;
	const mb_cancel *cancel;
	const mb_kernels *kernels;
	mb_error   *err;
	size_t		tokens;
	size_t		rows;			/* tokens, padded to whole blocks */
	workspace	memory;
} pass;

/* Number of query rows that attention takes together for length L. */
static size_t
query_rows(size_t length)
{
	size_t		rows = MAX_SCORES / length;

	if (rows > QUERY_ROWS)
		rows = QUERY_ROWS;
	if (rows > length)
		rows = length;
	return rows > 0 ? rows : 1;
}

/* Width of the embedding transformation's input; 0 when it is not applied. */
static size_t
transformation_width(const mb_config *config)
{
	if (config->trigram_input)
		return 3 * (size_t) config->embedding_size;
	if (config->embedding_size != config->hidden_size)
		return config->embedding_size;
	return 0;
}

/* Workspace */

/*
 * Lay one region of rows * width floats behind *used; *region may be NULL to
 * count only.  False when that is beyond size_t.
 */
static bool
carve(float *base, size_t *used, size_t rows, size_t width, float **region)
{
	size_t		count;

	if (!mb_size_multiply(rows, width, &count) ||
		!mb_size_add(count, LINE_FLOATS - 1, &count))
		return false;
	count = count / LINE_FLOATS * LINE_FLOATS;
	if (base != NULL)
		*region = base + *used;
	return mb_size_add(*used, count, used);
}

/*
 * Lay out the workspace in base, or count with base NULL.  *size gets bytes;
 * false when that is beyond size_t.
 */
static bool
lay_out(const mb_config *config, size_t tokens, size_t longest, float *base,
		workspace *memory, size_t *size)
{
	size_t		hidden = config->hidden_size;
	size_t		inner = config->true_hidden_size;
	size_t		attention = config->attention_size;
	size_t		wide = transformation_width(config);
	size_t		rows;
	size_t		used = 0;
	bool		fits;

	if (!mb_size_add(tokens, MB_ROW_BLOCK - 1, &rows))
		return false;
	rows = rows / MB_ROW_BLOCK * MB_ROW_BLOCK;
	if (wide < hidden)
		wide = hidden;
	if (wide < config->intermediate_size)
		wide = config->intermediate_size;
	fits = carve(base, &used, rows, hidden, &memory->states) &&
		carve(base, &used, config->use_bottleneck ? rows : 0, inner,
			  &memory->residual) &&
		carve(base, &used, rows, attention, &memory->query) &&
		carve(base, &used, rows, attention, &memory->key) &&
		carve(base, &used, rows, attention, &memory->value) &&
		carve(base, &used, query_rows(longest), longest, &memory->scores) &&
		carve(base, &used, MB_ROW_BLOCK, wide, &memory->wide) &&
		carve(base, &used, MB_ROW_BLOCK, inner, &memory->narrow) &&
		carve(base, &used, MB_ROW_BLOCK, inner, &memory->narrow2);
	if (!config->use_bottleneck)
		memory->residual = memory->states;
	return fits && mb_size_multiply(used, sizeof(float), size);
}

size_t
mb_forward_memory(const mb_model *model, size_t tokens, size_t longest)
{
	workspace	memory;
	size_t		size;

	memset(&memory, 0, sizeof(memory));
	if (longest == 0)
		longest = 1;
	if (!lay_out(&model->config, tokens, longest, NULL, &memory, &size))
		return SIZE_MAX;
	return size;
}

/* Checks */

static mb_status
cancelled(const pass *p)
{
	if (mb_cancelled(p->cancel))
		return mb_fail(p->err, MB_ERR_CANCELLED, "cancelled");
	return MB_OK;
}

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
	if (end - first > config->max_positions)
		return mb_fail(err, MB_ERR_LIMIT, "sequence has %zu tokens, but the "
					   "model has positions for %u only", end - first,
					   config->max_positions);
	for (i = first; i < end; i++)
	{
		if (batch->ids[i] < 0 ||
			(uint32_t) batch->ids[i] >= config->vocab_size)
			return mb_fail(err, MB_ERR_ARGUMENT, "token id %d is outside the "
						   "vocabulary of %u", (int) batch->ids[i],
						   config->vocab_size);
		if (batch->types != NULL &&
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
	if (batch->types == NULL && config->type_vocab_size == 0)
		return mb_fail(err, MB_ERR_ARGUMENT, "model has no token types");
	if (config->trigram_input && batch->pad_after != NULL &&
		batch->pad_after[sequence] &&
		(config->pad_token_id < 0 ||
		 (uint32_t) config->pad_token_id >= config->vocab_size))
		return mb_fail(err, MB_ERR_ARGUMENT, "padding token id %d is outside "
					   "the vocabulary of %u", (int) config->pad_token_id,
					   config->vocab_size);
	return MB_OK;
}

/* The whole batch; *longest, 0 so far, becomes its longest sequence's length. */
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
			return mb_fail(err, MB_ERR_CANCELLED, "cancelled");
	}
	return MB_OK;
}

/* Building blocks */

/* Real rows of the block that starts at row first. */
static size_t
real_rows(const pass *p, size_t first)
{
	size_t		left = p->tokens > first ? p->tokens - first : 0;

	return left < MB_ROW_BLOCK ? left : MB_ROW_BLOCK;
}

static mb_status
dense(const pass *p, const mb_linear *linear, const float *x, size_t rows,
	  float *y, size_t k, size_t n)
{
	return mb_dense(linear, x, rows, y, k, n, p->cancel, p->err);
}

/* y[rows, width] = Norm(x + r); r may be NULL, y may be x or r. */
static void
normalise(const pass *p, const mb_norm *norm, float epsilon, const float *x,
		  const float *r, float *y, size_t rows, size_t width)
{
	size_t		i;

	for (i = 0; i < rows; i++)
	{
		const float *row = x + i * width;
		const float *other = r == NULL ? NULL : r + i * width;

		if (p->config->layer_norm)
			p->kernels->layer_norm(row, other, norm->weight, norm->bias,
								   epsilon, y + i * width, width);
		else
			p->kernels->no_norm(row, other, norm->weight, norm->bias,
								y + i * width, width);
	}
}

/* Embeddings (model.md 2.1) */

static const float *
word_row(const pass *p, int32_t id)
{
	return p->model->word_embeddings + (size_t) id * p->config->embedding_size;
}

/* The row after the last token of a sequence; NULL stands for zeros. */
static const float *
row_after(const pass *p, size_t sequence)
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
trigram(const pass *p, size_t sequence, size_t token, float *x)
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

/* x[H] += position and type rows of one token */
static void
add_position(const pass *p, size_t sequence, size_t token, float *x)
{
	size_t		width = p->config->hidden_size;
	size_t		position = token - p->batch->starts[sequence];
	size_t		type = p->batch->types == NULL ? 0 : p->batch->types[token];
	const float *positions = p->model->position_embeddings + position * width;
	const float *types = p->model->type_embeddings + type * width;
	size_t		i;

	for (i = 0; i < width; i++)
		x[i] = x[i] + positions[i] + types[i];
}

/*
 * One block of rows; *sequence is the one its first token belongs to, and then
 * the one the next block's first token belongs to.
 */
static mb_status
embed_block(const pass *p, size_t first, size_t *sequence)
{
	const mb_config *config = p->config;
	size_t		hidden = config->hidden_size;
	size_t		width = transformation_width(config);
	size_t		rows = real_rows(p, first);
	float	   *input = width > 0 ? p->memory.wide :
		p->memory.states + first * hidden;
	float	   *output = p->memory.states + first * hidden;
	size_t		input_width = width > 0 ? width : hidden;
	size_t		start = *sequence;
	mb_status	status = MB_OK;
	size_t		i;

	memset(input + rows * input_width, 0,
		   (MB_ROW_BLOCK - rows) * input_width * sizeof(float));
	for (i = 0; i < rows; i++)
	{
		while (first + i >= p->batch->starts[*sequence + 1])
			++*sequence;
		if (config->trigram_input)
			trigram(p, *sequence, first + i, input + i * width);
		else
			copy_row(input + i * input_width,
					 word_row(p, p->batch->ids[first + i]), input_width);
	}
	if (width > 0)
		status = dense(p, &p->model->embedding_transformation, input, rows,
					   output, width, hidden);
	if (status != MB_OK)
		return status;
	for (i = 0; i < rows; i++)
	{
		while (first + i >= p->batch->starts[start + 1])
			start++;
		add_position(p, start, first + i, output + i * hidden);
	}
	normalise(p, &p->model->embedding_norm, DEFAULT_EPSILON, output, NULL,
			  output, rows, hidden);
	memset(output + rows * hidden, 0,
		   (MB_ROW_BLOCK - rows) * hidden * sizeof(float));
	return MB_OK;
}

static mb_status
embed(const pass *p)
{
	size_t		sequence = 0;
	size_t		first;

	for (first = 0; first < p->rows; first += MB_ROW_BLOCK)
	{
		mb_status	status = cancelled(p);

		if (status == MB_OK)
			status = embed_block(p, first, &sequence);
		if (status != MB_OK)
			return status;
	}
	return MB_OK;
}

/* Layer, first sweep: what attention reads (model.md 3.1) */

static mb_status
bottleneck(const pass *p, const mb_linear *linear, const mb_norm *norm,
		   const float *h, float *y, size_t rows)
{
	size_t		inner = p->config->true_hidden_size;
	mb_status	status;

	status = dense(p, linear, h, rows, y, p->config->hidden_size, inner);
	if (status == MB_OK)
		normalise(p, norm, p->config->layer_norm_eps, y, NULL, y, rows, inner);
	return status;
}

static mb_status
project_block(const pass *p, const mb_layer *layer, size_t first)
{
	const mb_config *config = p->config;
	const workspace *memory = &p->memory;
	size_t		inner = config->true_hidden_size;
	size_t		attention = config->attention_size;
	size_t		rows = real_rows(p, first);
	const float *h = memory->states + first * config->hidden_size;
	const float *query_input = h;
	const float *value_input = h;
	mb_status	status = MB_OK;

	if (config->use_bottleneck)
	{
		float	   *b = memory->residual + first * inner;

		status = bottleneck(p, &layer->bottleneck_input,
							&layer->bottleneck_input_norm, h, b, rows);
		if (config->use_bottleneck_attention)
			query_input = value_input = b;
		else if (config->key_query_shared_bottleneck && status == MB_OK)
		{
			status = bottleneck(p, &layer->bottleneck_attention,
								&layer->bottleneck_attention_norm, h,
								memory->narrow, rows);
			query_input = memory->narrow;
		}
	}
	if (status == MB_OK)
		status = dense(p, &layer->query, query_input, rows,
					   memory->query + first * attention, inner, attention);
	if (status == MB_OK)
		status = dense(p, &layer->key, query_input, rows,
					   memory->key + first * attention, inner, attention);
	if (status == MB_OK)
		status = dense(p, &layer->value, value_input, rows,
					   memory->value + first * attention,
					   config->value_input_size, attention);
	return status;
}

/* Second sweep: softmax(Q K' / root D) V, head by head (model.md 3.2) */

/* Query rows [first, first + rows) of one sequence and one head. */
static mb_status
attend_block(const pass *p, size_t layer, size_t sequence, size_t head,
			 size_t first, size_t rows)
{
	const mb_config *config = p->config;
	const mb_batch *batch = p->batch;
	size_t		start = batch->starts[sequence];
	size_t		length = batch->starts[sequence + 1] - start;
	size_t		stride = config->attention_size;
	size_t		size = config->head_size;
	float	   *query = p->memory.query + (start + first) * stride + head * size;
	const float *key = p->memory.key + start * stride + head * size;
	const float *value = p->memory.value + start * stride + head * size;
	const uint8_t *mask = batch->mask == NULL ? NULL : batch->mask + start;
	float	   *scores = p->memory.scores;
	mb_status	status = MB_OK;
	size_t		i;

	p->kernels->scores(query, stride, key, stride,
					   (float) (1.0 / sqrt((double) size)), scores, length,
					   rows, length, size);
	for (i = 0; i < rows; i++)
		p->kernels->softmax(scores + i * length, mask, length);
	if (p->observer != NULL && p->observer->attention != NULL)
		status = p->observer->attention(p->observer->context, layer, sequence,
										head, first, rows, scores);
	p->kernels->context(scores, length, value, stride, query, stride,
						rows, size, length);
	return status;
}

static mb_status
attend(const pass *p, size_t layer, size_t sequence)
{
	const mb_batch *batch = p->batch;
	size_t		length = batch->starts[sequence + 1] - batch->starts[sequence];
	size_t		step = query_rows(length);
	size_t		head;
	size_t		first;

	for (head = 0; head < p->config->heads; head++)
	{
		for (first = 0; first < length; first += step)
		{
			size_t		rows = length - first < step ? length - first : step;
			mb_status	status = cancelled(p);

			if (status == MB_OK)
				status = attend_block(p, layer, sequence, head, first, rows);
			if (status != MB_OK)
				return status;
		}
	}
	return MB_OK;
}

/* Third sweep: from the context to the layer's output (model.md 3.3 to 3.5) */

/* y = Norm(lin(act(lin(a))) + a), block of rows; y may be a */
static mb_status
feed_forward(const pass *p, const mb_feedforward *net, float epsilon,
			 const float *a, float *y, size_t rows)
{
	const mb_config *config = p->config;
	size_t		inner = config->true_hidden_size;
	size_t		wide = config->intermediate_size;
	mb_status	status;

	status = dense(p, &net->intermediate, a, rows, p->memory.wide, inner, wide);
	if (status != MB_OK)
		return status;
	p->kernels->activation((mb_activation) config->activation,
						   p->memory.wide, rows * wide);
	status = dense(p, &net->output, p->memory.wide, rows, p->memory.narrow2,
				   wide, inner);
	if (status == MB_OK)
		normalise(p, &net->norm, epsilon, p->memory.narrow2, a, y, rows, inner);
	return status;
}

static mb_status
finish_block(const pass *p, const mb_layer *layer, size_t first)
{
	const mb_config *config = p->config;
	const workspace *memory = &p->memory;
	size_t		inner = config->true_hidden_size;
	size_t		hidden = config->hidden_size;
	size_t		rows = real_rows(p, first);
	size_t		last = config->feedforwards - 1;
	float	   *a = memory->narrow;
	float	   *h = memory->states + first * hidden;
	mb_status	status;
	size_t		j;

	/* The context has width A = T. */
	status = dense(p, &layer->attention_output,
				   memory->query + first * config->attention_size, rows, a,
				   config->attention_size, inner);
	if (status != MB_OK)
		return status;
	normalise(p, &layer->attention_norm, config->layer_norm_eps, a,
			  memory->residual + first * inner, a, rows, inner);
	for (j = 0; j < last && status == MB_OK; j++)
		status = feed_forward(p, &layer->feedforwards[j],
							  config->layer_norm_eps, a, a, rows);
	if (status == MB_OK)
		status = feed_forward(p, &layer->feedforwards[last], DEFAULT_EPSILON,
							  a, config->use_bottleneck ? a : h, rows);
	if (status != MB_OK || !config->use_bottleneck)
		return status;
	status = dense(p, &layer->bottleneck_output, a, rows, memory->wide, inner,
				   hidden);
	if (status == MB_OK)
		normalise(p, &layer->bottleneck_output_norm, config->layer_norm_eps,
				  memory->wide, h, h, rows, hidden);
	return status;
}

static mb_status
run_layer(const pass *p, size_t number)
{
	const mb_layer *layer = &p->model->layers[number];
	mb_status	status = MB_OK;
	size_t		first;
	size_t		sequence;

	for (first = 0; first < p->rows && status == MB_OK; first += MB_ROW_BLOCK)
		status = project_block(p, layer, first);
	for (sequence = 0; sequence < p->batch->sequences && status == MB_OK;
		 sequence++)
		status = attend(p, number, sequence);
	for (first = 0; first < p->rows && status == MB_OK; first += MB_ROW_BLOCK)
		status = finish_block(p, layer, first);
	return status;
}

static mb_status
show_states(const pass *p, size_t number)
{
	if (p->observer == NULL || p->observer->hidden == NULL)
		return MB_OK;
	return p->observer->hidden(p->observer->context, number,
							   p->memory.states);
}

mb_status
mb_forward(const mb_model *model, const mb_batch *batch, size_t layers,
		   const mb_observer *observer, const mb_cancel *cancel,
		   void *given, size_t given_size, const float **states,
		   mb_error *err)
{
	pass		p;
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
	p.kernels = mb_kernels_current();
	p.err = err;
	p.tokens = batch->starts[batch->sequences];
	size = mb_forward_memory(model, p.tokens, longest);
	if (given == NULL || size == SIZE_MAX || given_size < size)
		return mb_fail(err, MB_ERR_ARGUMENT, "workspace has %zu bytes, but %zu "
					   "are needed", given == NULL ? 0 : given_size, size);
	if ((uintptr_t) given % (LINE_FLOATS * sizeof(float)) != 0)
		return mb_fail(err, MB_ERR_ARGUMENT,
					   "workspace is not aligned to 64 bytes");
	(void) lay_out(p.config, p.tokens, longest, given, &p.memory, &size);
	p.rows = (p.tokens + MB_ROW_BLOCK - 1) / MB_ROW_BLOCK * MB_ROW_BLOCK;

	status = embed(&p);
	if (status == MB_OK)
		status = show_states(&p, 0);
	for (number = 0; number < layers && status == MB_OK; number++)
	{
		status = run_layer(&p, number);
		if (status == MB_OK)
			status = show_states(&p, number + 1);
	}
	if (status == MB_OK)
		*states = p.memory.states;
	return status;
}
