/*-------------------------------------------------------------------------
 *
 * forward.c
 *	  The encoder: MobileBertEmbeddings and MobileBertLayer over a packed batch.
 *
 * A pass walks the layers; within a layer there are three sweeps:
 *
 *	  project	for each sweep of rows: bottlenecks, Q, K and V
 *	  attend	for each sequence and head, its keys and values packed, each
 *				block of query rows: scores, softmax, context
 *	  finish	for each sweep of rows: attention output, feed-forward
 *				networks, output bottleneck
 *
 * When the first token of each sequence is all that is wanted, the last layer
 * makes keys and values of all rows but goes on with those tokens alone.
 *
 * Only h, the residual R, Q, K and V exist for all rows; everything between is
 * as large as one sweep.  The context overwrites Q, head by head, once the
 * scores of those queries are known.
 *
 * Buffers have room for whole blocks of MB_ROW_BLOCK rows, with numbers in
 * them: padding rows of h are zero and stay so.  What products make of them is
 * never read by a real row.
 *
 * That a row has the same bits in every batch rests on: products whose order
 * of sums the batch does not decide (kernels.h), kernels that see one row, and
 * attention blocks that start at the sequence's own first row.
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

/*
 * Rows that go through a sweep together, whole blocks: enough that weights are
 * read from afar seldom, and few enough that what is between two maps, some
 * SWEEP_BYTES for each number of the widest input, stays in the second level.
 * Weights in INT8 are near in any case.
 */
#define SWEEP_LEAST ((size_t) 3 * MB_ROW_BLOCK)
#define SWEEP_MOST ((size_t) 8 * MB_ROW_BLOCK)
#define SWEEP_BYTES (sizeof(float) + 3 * sizeof(uint16_t))
#define SECOND_LEVEL ((size_t) 2 << 20)

/* Scores between two looks for a cancel. */
#define MAX_SCORES ((size_t) 1 << 16)

/* Rows of attention blocks at most */
#define BLOCK_ROWS \
	(MB_QUERY_ROWS > MB_ATTEND_ROWS ? MB_QUERY_ROWS : MB_ATTEND_ROWS)

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
	float	   *keys;			/* panels of one head of the longest sequence */
	float	   *values;			/* likewise */
	float	   *queries;		/* [query rows, D], one block of Q */
	float	   *context;		/* likewise */
	float	   *scores;			/* [query rows, L] of the longest sequence */
	float	   *wide;			/* [sweep, max(trigram, I)] */
	float	   *narrow;			/* [sweep, T] */
	float	   *operand;		/* mb_operand.scratch of a sweep, or attend()'s */
	float	   *next;			/* another, for what is in wide */
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
	size_t		sweep;			/* rows */
	workspace	memory;
} pass;

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

/* n rounded up to a multiple of step; false when that is beyond size_t. */
static bool
round_up(size_t n, size_t step, size_t *result)
{
	if (!mb_size_add(n, step - 1, result))
		return false;
	*result = *result / step * step;
	return true;
}

/* The widest input of a map. */
static size_t
widest(const mb_config *config)
{
	size_t		width = transformation_width(config);

	if (width < config->hidden_size)
		width = config->hidden_size;
	if (width < config->intermediate_size)
		width = config->intermediate_size;
	return width;
}

/* Rows of a sweep, a whole number of blocks */
static size_t
sweep_size(const mb_model *model)
{
	size_t		rows = SECOND_LEVEL / SWEEP_BYTES / widest(&model->config) /
		MB_ROW_BLOCK * MB_ROW_BLOCK;

	if (rows < SWEEP_LEAST || (model->config.layers > 0 &&
							   model->layers[0].query.format == MB_FORMAT_INT8))
		return SWEEP_LEAST;
	return rows < SWEEP_MOST ? rows : SWEEP_MOST;
}

/* Do maps write the operands of others? */
static bool
is_chained(const mb_model *model)
{
	return model->config.layers > 0 &&
		mb_kernels_current()->chained[model->layers[0].query.format];
}

/*
 * Floats that [n, k] takes in the panels that attention may ask for, with
 * "more" inputs where it is brief.
 */
static bool
head_panels(size_t k, size_t n, size_t more, size_t *count)
{
	size_t		floats;
	size_t		brief;

	if (!mb_format_size(MB_FORMAT_FLOAT, k, n, &floats))
		return false;
	if (mb_kernels_current()->attend == NULL)
		brief = 0;
	else if (!mb_format_size(mb_kernels_current()->attend_panels, k + more, n,
							 &brief))
		return false;
	*count = (floats > brief ? floats : brief) / sizeof(float);
	return true;
}

/* Bytes of scratch for the operands of maps and of attention. */
static size_t
operand_memory(const mb_config *config, size_t sweep, size_t longest)
{
	const mb_kernels *kernels = mb_kernels_current();
	size_t		maps = mb_operand_memory(sweep, widest(config));
	size_t		attention = kernels->attend_memory == NULL ? 0 :
		kernels->attend_memory(longest, config->head_size);

	return maps > attention ? maps : attention;
}

/*
 * Lay out the workspace in base, or count with base NULL.  *size gets bytes;
 * false when that is beyond size_t.
 */
static bool
lay_out(const mb_model *model, size_t tokens, size_t longest, float *base,
		workspace *memory, size_t *size)
{
	const mb_config *config = &model->config;
	size_t		inner = config->true_hidden_size;
	size_t		attention = config->attention_size;
	size_t		wide = widest(config);
	size_t		rows;
	size_t		sweep = sweep_size(model);
	size_t		keys;
	size_t		values;
	size_t		operand;
	size_t		used = 0;
	bool		fits;

	if (!round_up(tokens, MB_ROW_BLOCK, &rows) ||
		!head_panels(config->head_size, longest, 1, &keys) ||
		!head_panels(longest, config->head_size, 0, &values))
		return false;
	sweep = rows < sweep ? rows : sweep;
	operand = operand_memory(config, sweep, longest);
	if (operand == SIZE_MAX)
		return false;
	fits = carve(base, &used, rows, config->hidden_size, &memory->states) &&
		carve(base, &used, config->use_bottleneck ? rows : 0, inner,
			  &memory->residual) &&
		carve(base, &used, rows, attention, &memory->query) &&
		carve(base, &used, rows, attention, &memory->key) &&
		carve(base, &used, rows, attention, &memory->value) &&
		carve(base, &used, 1, keys, &memory->keys) &&
		carve(base, &used, 1, values, &memory->values) &&
		carve(base, &used, BLOCK_ROWS, config->head_size, &memory->queries) &&
		carve(base, &used, BLOCK_ROWS, config->head_size, &memory->context) &&
		carve(base, &used, BLOCK_ROWS, longest, &memory->scores) &&
		carve(base, &used, sweep, wide, &memory->wide) &&
		carve(base, &used, sweep, inner, &memory->narrow) &&
		carve(base, &used, 1, operand / sizeof(float) + 1, &memory->operand) &&
		carve(base, &used, is_chained(model) ? 1 : 0,
			  operand / sizeof(float) + 1, &memory->next);
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
	if (!lay_out(model, tokens, longest, NULL, &memory, &size))
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

/* Rows of the sweep that starts at row first of so many. */
static size_t
sweep_rows(const pass *p, size_t rows, size_t first)
{
	return rows - first < p->sweep ? rows - first : p->sweep;
}

/* Rows [rows, k] as the input of maps; one operand at a time. */
static mb_operand
operand(const pass *p, const float *x, size_t rows, size_t k)
{
	mb_operand	input = {x, rows, k, p->memory.operand, MB_FORMAT_ROWS};

	return input;
}

/* y[rows, n] = x * map */
static mb_status
dense(const pass *p, const mb_linear *map, mb_operand *x, float *y, size_t n)
{
	return mb_dense(map, x, NULL, y, n, p->cancel, p->err);
}

/* LayerNorm of each row in place. */
static void
layer_norm(const pass *p, const mb_norm *norm, float epsilon, float *y,
		   size_t rows, size_t width)
{
	size_t		i;

	for (i = 0; i < rows; i++)
		p->kernels->layer_norm(y + i * width, NULL, norm->weight, norm->bias,
							   epsilon, y + i * width, width);
}

/*
 * y[rows, n] = Norm(x * map + residual); residual may be NULL, or y.  NoNorm
 * goes with the product, LayerNorm waits for the whole row.
 */
static mb_status
dense_norm(const pass *p, const mb_linear *map, mb_operand *x,
		   const float *residual, const mb_norm *norm, float epsilon,
		   float *y, size_t n)
{
	bool		whole = p->config->layer_norm;
	mb_epilogue epilogue = {MB_ACT_LINEAR, residual, whole ? NULL : norm, NULL};
	mb_status	status = mb_dense(map, x, &epilogue, y, n, p->cancel, p->err);

	if (status == MB_OK && whole)
		layer_norm(p, norm, epsilon, y, x->rows, n);
	return status;
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

/* The input of the embeddings for one sweep, and zeros up to whole blocks. */
static void
gather_words(const pass *p, size_t first, size_t rows, size_t sequence,
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

/*
 * One sweep; *sequence is the one its first token belongs to, and then the one
 * the next sweep's first token belongs to.
 */
static mb_status
embed_rows(const pass *p, size_t first, size_t *sequence)
{
	size_t		hidden = p->config->hidden_size;
	size_t		width = transformation_width(p->config);
	size_t		rows = sweep_rows(p, p->tokens, first);
	const mb_norm *norm = &p->model->embedding_norm;
	float	   *output = p->memory.states + first * hidden;
	mb_operand	input = operand(p, p->memory.wide, rows, width);
	mb_status	status = MB_OK;
	size_t		i;

	if (width == 0)
		gather_words(p, first, rows, *sequence, output, hidden);
	else
	{
		gather_words(p, first, rows, *sequence, p->memory.wide, width);
		status = dense(p, &p->model->embedding_transformation, &input, output,
					   hidden);
	}
	if (status != MB_OK)
		return status;
	for (i = 0; i < rows; i++)
	{
		float	   *x = output + i * hidden;

		while (first + i >= p->batch->starts[*sequence + 1])
			++*sequence;
		add_position(p, *sequence, first + i, x);
		if (p->config->layer_norm)
			p->kernels->layer_norm(x, NULL, norm->weight, norm->bias,
								   DEFAULT_EPSILON, x, hidden);
		else
			p->kernels->no_norm(x, NULL, norm->weight, norm->bias, x, hidden);
	}
	for (; i % MB_ROW_BLOCK != 0; i++)
		copy_row(output + i * hidden, NULL, hidden);
	return MB_OK;
}

static mb_status
embed(const pass *p)
{
	size_t		sequence = 0;
	size_t		first;

	for (first = 0; first < p->tokens; first += p->sweep)
	{
		mb_status	status = cancelled(p);

		if (status == MB_OK)
			status = embed_rows(p, first, &sequence);
		if (status != MB_OK)
			return status;
	}
	return MB_OK;
}

/* Layer, first sweep: what attention reads (model.md 3.1) */

/* What of a layer's first sweep is wanted. */
#define PROJECT_QUERIES 1		/* Q, and R */
#define PROJECT_KEYS 2			/* K and V */

static mb_status
project(const pass *p, const mb_layer *layer, size_t first, size_t rows,
		int parts)
{
	const mb_config *config = p->config;
	const workspace *memory = &p->memory;
	size_t		inner = config->true_hidden_size;
	size_t		wide = config->attention_size;
	mb_operand	h = operand(p, memory->states + first * config->hidden_size,
							rows, config->hidden_size);
	float	   *query_input = NULL;
	float	   *b = memory->residual + first * inner;
	mb_operand	narrow;
	mb_status	status = MB_OK;

	/* all that reads h first: an operand is prepared once */
	if (config->use_bottleneck &&
		(parts & PROJECT_QUERIES || config->use_bottleneck_attention))
		status = dense_norm(p, &layer->bottleneck_input, &h, NULL,
							&layer->bottleneck_input_norm,
							config->layer_norm_eps, b, inner);
	if (config->use_bottleneck && config->use_bottleneck_attention)
		query_input = b;
	else if (config->use_bottleneck && config->key_query_shared_bottleneck &&
			 status == MB_OK)
	{
		query_input = memory->narrow;
		status = dense_norm(p, &layer->bottleneck_attention, &h, NULL,
							&layer->bottleneck_attention_norm,
							config->layer_norm_eps, query_input, inner);
	}
	if (status == MB_OK && parts & PROJECT_KEYS && query_input != b)
		status = dense(p, &layer->value, &h, memory->value + first * wide,
					   wide);
	narrow = h;
	if (query_input != NULL)
		narrow = operand(p, query_input, rows, inner);
	if (status == MB_OK && parts & PROJECT_KEYS && query_input == b)
		status = dense(p, &layer->value, &narrow, memory->value + first * wide,
					   wide);
	if (status == MB_OK && parts & PROJECT_QUERIES)
		status = dense(p, &layer->query, &narrow, memory->query + first * wide,
					   wide);
	if (status == MB_OK && parts & PROJECT_KEYS)
		status = dense(p, &layer->key, &narrow, memory->key + first * wide,
					   wide);
	return status;
}

static mb_status
project_all(const pass *p, const mb_layer *layer, size_t rows, int parts)
{
	mb_status	status = MB_OK;
	size_t		first;

	for (first = 0; first < rows && status == MB_OK; first += p->sweep)
		status = project(p, layer, first, sweep_rows(p, rows, first), parts);
	return status;
}

/* Second sweep: softmax(Q K' / root D) V, head by head (model.md 3.2) */

/* One head of one sequence. */
typedef struct attention
{
	size_t		layer;
	size_t		sequence;
	size_t		head;
	size_t		length;			/* L */
	size_t		queries;		/* L, or 1 for the first alone */
	float	   *query;			/* [queries, D] at distance A; then the context */
	const uint8_t *mask;		/* [L] or NULL */
	bool		brief;			/* in fewer bits, with attend() */
	size_t		step;			/* rows of a block */
} attention;

/* Attention goes with the maps of reduced formats where a table has it. */
static bool
is_brief(const pass *p, const mb_layer *layer)
{
	return p->kernels->brief[layer->query.format];
}

static void
pack_head(const pass *p, const attention *a, const float *key,
		  const float *value)
{
	size_t		stride = p->config->attention_size;
	size_t		size = p->config->head_size;

	if (a->brief)
	{
		p->kernels->pack_keys(key, stride, a->length, size, p->memory.keys);
		p->kernels->pack_values(value, stride, a->length, size,
								p->memory.values);
	}
	else
	{
		mb_pack_keys(key, stride, a->length, size, p->memory.keys);
		mb_pack_values(value, stride, a->length, size, p->memory.values);
	}
}

static bool
observes_attention(const pass *p)
{
	return p->observer != NULL && p->observer->attention != NULL;
}

/*
 * Query rows [first, first + rows) of a head, at most a->step: the context
 * takes their place.  When somebody observes, the weights are in scores.
 */
static void
attend_brief(const pass *p, const attention *a, size_t first, size_t rows)
{
	size_t		stride = p->config->attention_size;
	float	   *query = a->query + first * stride;
	mb_attention block = {query, query, stride, rows, a->length,
		p->config->head_size, p->memory.keys, p->memory.values, a->mask,
	p->memory.operand, observes_attention(p) ? p->memory.scores : NULL};

	p->kernels->attend(&block);
}

static void
attend_float(const pass *p, const attention *a, size_t first, size_t rows)
{
	const mb_kernels *kernels = p->kernels;
	size_t		stride = p->config->attention_size;
	size_t		size = p->config->head_size;
	float	   *query = a->query + first * stride;
	float	   *scores = p->memory.scores;
	float	   *context = p->memory.context;
	double		factors[BLOCK_ROWS];
	size_t		i;

	for (i = 0; i < rows; i++)
		copy_row(p->memory.queries + i * size, query + i * stride, size);
	kernels->matrix(p->memory.queries, size, p->memory.keys,
					(float) (1.0 / sqrt((double) size)), scores, a->length,
					rows, a->length, size);
	for (i = 0; i < rows; i++)
		factors[i] = 1.0 / kernels->exponentials(scores + i * a->length,
												 a->mask, a->length);
	kernels->matrix(scores, a->length, p->memory.values, 1.0f, context, size,
					rows, size, a->length);
	for (i = 0; i < rows; i++)
	{
		kernels->scale(context + i * size, factors[i], size);
		copy_row(query + i * stride, context + i * size, size);
	}
	for (i = 0; i < rows && observes_attention(p); i++)
		kernels->scale(scores + i * a->length, factors[i], a->length);
}

static mb_status
attend_block(const pass *p, const attention *a, size_t first, size_t rows)
{
	if (a->brief)
		attend_brief(p, a, first, rows);
	else
		attend_float(p, a, first, rows);
	if (!observes_attention(p))
		return MB_OK;
	return p->observer->attention(p->observer->context, a->layer, a->sequence,
								  a->head, first, rows, p->memory.scores);
}

static mb_status
attend_head(const pass *p, const attention *a)
{
	size_t		work = 0;
	size_t		first;
	mb_status	status = MB_OK;

	for (first = 0; first < a->queries && status == MB_OK; first += a->step)
	{
		size_t		rows = a->queries - first < a->step ?
			a->queries - first : a->step;

		if (work == 0)
			status = cancelled(p);
		if (status == MB_OK)
			status = attend_block(p, a, first, rows);
		work += rows * a->length;
		if (work > MAX_SCORES)
			work = 0;
	}
	return status;
}

/* One sequence; with first_only Q has a row for each sequence. */
static mb_status
attend(const pass *p, size_t layer, size_t sequence, bool first_only)
{
	const mb_config *config = p->config;
	const mb_batch *batch = p->batch;
	size_t		start = batch->starts[sequence];
	size_t		stride = config->attention_size;
	size_t		size = config->head_size;
	attention	a = {layer, sequence, 0, batch->starts[sequence + 1] - start, 1,
		NULL, batch->mask == NULL ? NULL : batch->mask + start,
	is_brief(p, &p->model->layers[layer]), MB_QUERY_ROWS};
	mb_status	status = MB_OK;

	if (a.brief)
		a.step = MB_ATTEND_ROWS;
	if (!first_only)
		a.queries = a.length;
	for (; a.head < config->heads && status == MB_OK; a.head++)
	{
		size_t		at = start * stride + a.head * size;

		a.query = first_only ?
			p->memory.query + sequence * stride + a.head * size :
			p->memory.query + at;
		pack_head(p, &a, p->memory.key + at, p->memory.value + at);
		status = attend_head(p, &a);
	}
	return status;
}

/* Third sweep: from the context to the layer's output (model.md 3.3 to 3.5) */

/* y = Norm(lin(act(lin(a))) + a); y may be a */
static mb_status
feed_forward(const pass *p, const mb_feedforward *net, float epsilon,
			 const float *a, float *y, size_t rows)
{
	const mb_config *config = p->config;
	size_t		inner = config->true_hidden_size;
	size_t		wide = config->intermediate_size;
	mb_operand	input = operand(p, a, rows, inner);
	bool		chained = is_chained(p->model) &&
		net->intermediate.format == net->output.format;
	mb_operand	middle = {p->memory.wide, rows, wide,
	chained ? p->memory.next : p->memory.operand, MB_FORMAT_ROWS};
	mb_epilogue activation = {(mb_activation) config->activation, NULL, NULL,
	chained ? &middle : NULL};
	mb_status	status;

	status = mb_dense(&net->intermediate, &input, &activation, p->memory.wide,
					  wide, p->cancel, p->err);
	if (status != MB_OK)
		return status;
	return dense_norm(p, &net->output, &middle, a, &net->norm, epsilon, y,
					  inner);
}

static mb_status
finish(const pass *p, const mb_layer *layer, size_t first, size_t rows)
{
	const mb_config *config = p->config;
	const workspace *memory = &p->memory;
	size_t		inner = config->true_hidden_size;
	size_t		hidden = config->hidden_size;
	size_t		last = config->feedforwards - 1;
	float	   *a = memory->narrow;
	float	   *h = memory->states + first * hidden;
	mb_operand	context = operand(p, memory->query +
								  first * config->attention_size, rows,
								  config->attention_size);
	mb_operand	output;
	mb_status	status;
	size_t		j;

	/* The context has width A = T. */
	status = dense_norm(p, &layer->attention_output, &context,
						memory->residual + first * inner,
						&layer->attention_norm, config->layer_norm_eps, a,
						inner);
	for (j = 0; j < last && status == MB_OK; j++)
		status = feed_forward(p, &layer->feedforwards[j],
							  config->layer_norm_eps, a, a, rows);
	if (status == MB_OK)
		status = feed_forward(p, &layer->feedforwards[last], DEFAULT_EPSILON,
							  a, config->use_bottleneck ? a : h, rows);
	if (status != MB_OK || !config->use_bottleneck)
		return status;
	output = operand(p, a, rows, inner);
	return dense_norm(p, &layer->bottleneck_output, &output, h,
					  &layer->bottleneck_output_norm, config->layer_norm_eps,
					  h, hidden);
}

/* The states of the first tokens, one behind the other. */
static void
keep_first(const pass *p)
{
	size_t		hidden = p->config->hidden_size;
	size_t		i;

	for (i = 1; i < p->batch->sequences; i++)
		memcpy(p->memory.states + i * hidden,
			   p->memory.states + p->batch->starts[i] * hidden,
			   hidden * sizeof(float));
}

/*
 * All rows, or with first_only the first of each sequence: they attend to keys
 * and values of all rows, and are all that goes on from there.
 */
static mb_status
run_layer(const pass *p, size_t number, bool first_only)
{
	const mb_layer *layer = &p->model->layers[number];
	size_t		rows = first_only ? p->batch->sequences : p->tokens;
	mb_status	status;
	size_t		first;
	size_t		sequence;

	if (!first_only)
		status = project_all(p, layer, rows, PROJECT_QUERIES | PROJECT_KEYS);
	else
	{
		status = project_all(p, layer, p->tokens, PROJECT_KEYS);
		keep_first(p);
		if (status == MB_OK)
			status = project_all(p, layer, rows, PROJECT_QUERIES);
	}
	for (sequence = 0; sequence < p->batch->sequences && status == MB_OK;
		 sequence++)
		status = attend(p, number, sequence, first_only);
	for (first = 0; first < rows && status == MB_OK; first += p->sweep)
		status = finish(p, layer, first, sweep_rows(p, rows, first));
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
	p.sweep = sweep_size(model);
	size = mb_forward_memory(model, p.tokens, longest);
	if (given == NULL || size == SIZE_MAX || given_size < size)
		return mb_fail(err, MB_ERR_ARGUMENT, "workspace has %zu bytes, but %zu "
					   "are needed", given == NULL ? 0 : given_size, size);
	if ((uintptr_t) given % (LINE_FLOATS * sizeof(float)) != 0)
		return mb_fail(err, MB_ERR_ARGUMENT,
					   "workspace is not aligned to 64 bytes");
	(void) lay_out(model, p.tokens, longest, given, &p.memory, &size);

	if (p.kernels->begin != NULL)
		p.kernels->begin();
	status = embed(&p);
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
		*states = p.memory.states;
	return status;
}
