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
 * What is between two attentions is linear maps, each with what follows it.
 * They are written down once, as steps: which buffer a map reads, which it
 * writes (embedding_steps(), project_steps(), finish_steps()).  A pass runs the
 * steps; the workspace is laid out by walking over the same steps, so that no
 * width can be forgotten.
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
 * Depends on base/arena.h (sizes), kernels/dense.h, kernels/gemm.h,
 * kernels/kernels.h, kernels/panels.h, model/forward.h.
 *
 *-------------------------------------------------------------------------
 */
#include "model/forward.h"

#include "base/arena.h"
#include "kernels/dense.h"
#include "kernels/gemm.h"
#include "kernels/kernels.h"
#include "kernels/panels.h"

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

/* ----------
 * Steps: the linear maps of a pass
 * ----------
 */

/* Rows of activations that steps read and write. */
typedef enum buffer
{
	BUFFER_STATES,				/* h [rows, H] */
	BUFFER_RESIDUAL,			/* R [rows, T]; without bottleneck h is R */
	BUFFER_QUERY,				/* Q [rows, A]; then the context */
	BUFFER_KEY,					/* K [rows, A] */
	BUFFER_VALUE,				/* V [rows, A] */
	BUFFER_WIDE,				/* [sweep, 3E, E or I] */
	BUFFER_NARROW,				/* [sweep, T] */
	BUFFERS,
	BUFFER_NONE = BUFFERS
} buffer;

/* Those before this one have all rows of the batch, the others a sweep. */
#define FIRST_OF_SWEEP BUFFER_WIDE

/*
 * y = Norm(act(x * map) + residual).  residual may be y.  NoNorm goes with the
 * product, LayerNorm waits for the whole row.
 */
typedef struct step
{
	const mb_linear *map;
	buffer		x;
	buffer		y;
	mb_activation activation;	/* MB_ACT_LINEAR: none */
	buffer		residual;		/* BUFFER_NONE: none */
	const mb_norm *norm;		/* NULL: none */
	float		epsilon;
	const mb_linear *next;		/* the map of the next step, when it alone reads
								 * y; else NULL */
} step;

/* What is done with each step of a walk, in order; an error ends the walk. */
typedef struct visitor
{
	mb_status	(*visit) (void *context, const step *s);
	void	   *context;
} visitor;

static mb_status
visit_map(const visitor *v, const mb_linear *map, buffer x, buffer y)
{
	step		s = {map, x, y, MB_ACT_LINEAR, BUFFER_NONE, NULL, 0.0f, NULL};

	return v->visit(v->context, &s);
}

static mb_status
visit_normed(const visitor *v, const mb_linear *map, buffer x, buffer y,
			 buffer residual, const mb_norm *norm, float epsilon)
{
	step		s = {map, x, y, MB_ACT_LINEAR, residual, norm, epsilon, NULL};

	return v->visit(v->context, &s);
}

/* Is the embedding transformation applied? (model.md 2.1) */
static bool
transforms_embedding(const mb_config *config)
{
	return config->trigram_input ||
		config->embedding_size != config->hidden_size;
}

static mb_status
embedding_steps(const mb_model *model, const visitor *v)
{
	if (!transforms_embedding(&model->config))
		return MB_OK;
	return visit_map(v, &model->embedding_transformation, BUFFER_WIDE,
					 BUFFER_STATES);
}

/* What of a layer's first sweep is wanted. */
#define PROJECT_QUERIES 1		/* Q, and R */
#define PROJECT_KEYS 2			/* K and V */

/* What attention reads (model.md 3.1) */
static mb_status
project_steps(const mb_model *model, const mb_layer *layer, int parts,
			  const visitor *v)
{
	const mb_config *c = &model->config;
	buffer		query_input = BUFFER_STATES;
	buffer		value_input = BUFFER_STATES;
	mb_status	status = MB_OK;

	/* all that reads h first: an operand is prepared once */
	if (c->use_bottleneck &&
		(parts & PROJECT_QUERIES || c->use_bottleneck_attention))
		status = visit_normed(v, &layer->bottleneck_input, BUFFER_STATES,
							  BUFFER_RESIDUAL, BUFFER_NONE,
							  &layer->bottleneck_input_norm,
							  c->layer_norm_eps);
	if (c->use_bottleneck && c->use_bottleneck_attention)
		query_input = value_input = BUFFER_RESIDUAL;
	else if (c->use_bottleneck && c->key_query_shared_bottleneck)
	{
		query_input = BUFFER_NARROW;
		if (status == MB_OK)
			status = visit_normed(v, &layer->bottleneck_attention,
								  BUFFER_STATES, query_input, BUFFER_NONE,
								  &layer->bottleneck_attention_norm,
								  c->layer_norm_eps);
	}
	if (status == MB_OK && parts & PROJECT_KEYS)
		status = visit_map(v, &layer->value, value_input, BUFFER_VALUE);
	if (status == MB_OK && parts & PROJECT_QUERIES)
		status = visit_map(v, &layer->query, query_input, BUFFER_QUERY);
	if (status == MB_OK && parts & PROJECT_KEYS)
		status = visit_map(v, &layer->key, query_input, BUFFER_KEY);
	return status;
}

/* y = Norm(lin(act(lin(a))) + a) (model.md 3.4) */
static mb_status
feedforward_steps(const mb_model *model, const mb_feedforward *net,
				  float epsilon, buffer y, const visitor *v)
{
	step		s = {&net->intermediate, BUFFER_NARROW, BUFFER_WIDE,
		(mb_activation) model->config.activation, BUFFER_NONE, NULL, 0.0f,
	&net->output};
	mb_status	status = v->visit(v->context, &s);

	if (status != MB_OK)
		return status;
	return visit_normed(v, &net->output, BUFFER_WIDE, y, BUFFER_NARROW,
						&net->norm, epsilon);
}

/* From the context to the layer's output (model.md 3.3 to 3.5) */
static mb_status
finish_steps(const mb_model *model, const mb_layer *layer, const visitor *v)
{
	const mb_config *c = &model->config;
	size_t		last = c->feedforwards - 1;
	mb_status	status;
	size_t		j;

	status = visit_normed(v, &layer->attention_output, BUFFER_QUERY,
						  BUFFER_NARROW,
						  c->use_bottleneck ? BUFFER_RESIDUAL : BUFFER_STATES,
						  &layer->attention_norm, c->layer_norm_eps);
	for (j = 0; j < last && status == MB_OK; j++)
		status = feedforward_steps(model, &layer->feedforwards[j],
								   c->layer_norm_eps, BUFFER_NARROW, v);
	if (status == MB_OK)
		status = feedforward_steps(model, &layer->feedforwards[last],
								   DEFAULT_EPSILON,
								   c->use_bottleneck ? BUFFER_NARROW :
								   BUFFER_STATES, v);
	if (status != MB_OK || !c->use_bottleneck)
		return status;
	return visit_normed(v, &layer->bottleneck_output, BUFFER_NARROW,
						BUFFER_STATES, BUFFER_STATES,
						&layer->bottleneck_output_norm, c->layer_norm_eps);
}

/* All steps of a pass; the layers are alike. */
static void
walk_model(const mb_model *model, const visitor *v)
{
	(void) embedding_steps(model, v);
	if (model->config.layers == 0)
		return;
	(void) project_steps(model, &model->layers[0],
						 PROJECT_QUERIES | PROJECT_KEYS, v);
	(void) finish_steps(model, &model->layers[0], v);
}

/* ----------
 * Workspace
 * ----------
 */

/* Some memory of the workspace, in floats from a cache line on */
typedef struct region
{
	float	   *start;
	size_t		size;
} region;

/* Steps in a workspace: sizes in numbers, but scratch in bytes */
typedef struct measures
{
	const mb_kernels *kernels;
	size_t		sweep;
	size_t		widths[BUFFERS];
	size_t		widest;			/* input of a map */
	size_t		operand;		/* scratch of the operand of a sweep */
	size_t		next;			/* of one that the step before writes */
} measures;

/* Of one head of the longest sequence, and of a block of its queries */
typedef struct attention_memory
{
	region		keys;			/* panels */
	region		values;			/* likewise */
	region		queries;		/* [BLOCK_ROWS, D], one block of Q */
	region		context;		/* likewise */
	region		scores;			/* [BLOCK_ROWS, L] */
} attention_memory;

typedef struct workspace
{
	region		buffers[BUFFERS];
	size_t		widths[BUFFERS];
	attention_memory attention;
	region		operand;		/* of a sweep's maps, or attention's scratch */
	region		next;			/* another, for what the step before writes */
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

static void
widen(size_t *size, size_t wanted)
{
	if (*size < wanted)
		*size = wanted;
}

/* Can a step write the operand of the next? */
static bool
is_chained(const mb_kernels *kernels, const step *s)
{
	const mb_linear_kernel *kernel = kernels->linear[s->map->format];

	return s->next != NULL && s->next->format == s->map->format &&
		kernel != NULL && kernel->chained;
}

static mb_status
measure_widths(void *context, const step *s)
{
	measures   *m = context;

	widen(&m->widths[s->x], s->map->k);
	widen(&m->widths[s->y], s->map->n);
	if (s->residual != BUFFER_NONE)
		widen(&m->widths[s->residual], s->map->n);
	widen(&m->widest, s->map->k);
	return MB_OK;
}

static mb_status
measure_operands(void *context, const step *s)
{
	measures   *m = context;

	widen(&m->operand, mb_operand_memory(m->kernels, s->map->format, m->sweep,
										 s->map->k));
	if (is_chained(m->kernels, s))
		widen(&m->next, mb_operand_memory(m->kernels, s->next->format,
										  m->sweep, s->next->k));
	return MB_OK;
}

/* Rows of a sweep, a whole number of blocks, when a pass has so many rows */
static size_t
sweep_size(const mb_model *model, size_t widest, size_t rows)
{
	size_t		sweep = SECOND_LEVEL / SWEEP_BYTES /
		(widest > 0 ? widest : 1) / MB_ROW_BLOCK * MB_ROW_BLOCK;

	if (sweep > SWEEP_MOST)
		sweep = SWEEP_MOST;
	if (sweep < SWEEP_LEAST || (model->config.layers > 0 &&
								model->layers[0].query.format == MB_FORMAT_INT8))
		sweep = SWEEP_LEAST;
	return rows < sweep ? rows : sweep;
}

/*
 * Lay one region of rows * width floats behind *used; with base NULL count
 * only.  False when that is beyond size_t.
 */
static bool
carve(float *base, size_t *used, size_t rows, size_t width, region *r)
{
	if (!mb_size_multiply(rows, width, &r->size) ||
		!mb_size_add(r->size, LINE_FLOATS - 1, &r->size))
		return false;
	r->size = r->size / LINE_FLOATS * LINE_FLOATS;
	r->start = base == NULL ? NULL : base + *used;
	return mb_size_add(*used, r->size, used);
}

/* Likewise, so many bytes */
static bool
carve_bytes(float *base, size_t *used, size_t size, region *r)
{
	return size != SIZE_MAX &&
		carve(base, used, 1, size / sizeof(float) + (size % sizeof(float) > 0),
			  r);
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

/*
 * Bytes that [n, k] takes in the panels that attention may ask for, with
 * "extra" inputs where it has low precision; SIZE_MAX when that is beyond
 * size_t.
 */
static size_t
head_panels(const mb_kernels *kernels, size_t k, size_t n, size_t extra)
{
	size_t		floats;
	size_t		low_precision = 0;

	if (!mb_format_size(MB_FORMAT_FLOAT, k, n, &floats))
		return SIZE_MAX;
	if (kernels->attention != NULL &&
		!mb_format_size(kernels->attention->panels, k + extra, n,
						&low_precision))
		return SIZE_MAX;
	return floats > low_precision ? floats : low_precision;
}

/* What pack_head() and attend_block() read and write. */
static bool
carve_attention(const mb_model *model, const mb_kernels *kernels,
				size_t longest, float *base, size_t *used,
				attention_memory *memory)
{
	size_t		size = model->config.head_size;

	if (model->config.layers == 0)
		return true;
	return carve_bytes(base, used, head_panels(kernels, size, longest, 1),
					   &memory->keys) &&
		carve_bytes(base, used, head_panels(kernels, longest, size, 0),
					&memory->values) &&
		carve(base, used, BLOCK_ROWS, size, &memory->queries) &&
		carve(base, used, BLOCK_ROWS, size, &memory->context) &&
		carve(base, used, BLOCK_ROWS, longest, &memory->scores);
}

/*
 * Lay out the workspace in base, or count with base NULL.  *size gets bytes,
 * *sweep the rows of a sweep; false when that is beyond size_t.
 */
static bool
lay_out(const mb_model *model, size_t tokens, size_t longest, float *base,
		workspace *memory, size_t *sweep, size_t *size)
{
	const mb_kernels *kernels = model->kernels;
	measures	m = {kernels, 0, {0}, 0, 0, 0};
	visitor		widths = {measure_widths, &m};
	visitor		operands = {measure_operands, &m};
	size_t		rows;
	size_t		used = 0;
	int			i;

	memset(memory, 0, sizeof(*memory));
	if (!round_up(tokens, MB_ROW_BLOCK, &rows))
		return false;
	/* what is not a map's: embeddings are added in place */
	m.widths[BUFFER_STATES] = model->config.hidden_size;
	walk_model(model, &widths);
	m.sweep = sweep_size(model, m.widest, rows);
	walk_model(model, &operands);
	if (kernels->attention != NULL && model->config.layers > 0)
		widen(&m.operand,
			  kernels->attention->memory(longest, model->config.head_size));

	for (i = 0; i < BUFFERS; i++)
		if (!carve(base, &used, i < FIRST_OF_SWEEP ? rows : m.sweep,
				   m.widths[i], &memory->buffers[i]))
			return false;
	memcpy(memory->widths, m.widths, sizeof(m.widths));
	*sweep = m.sweep;
	return carve_attention(model, kernels, longest, base, &used,
						   &memory->attention) &&
		carve_bytes(base, &used, m.operand, &memory->operand) &&
		carve_bytes(base, &used, m.next, &memory->next) &&
		mb_size_multiply(used, sizeof(float), size);
}

size_t
mb_forward_memory(const mb_model *model, size_t tokens, size_t longest)
{
	workspace	memory;
	size_t		sweep;
	size_t		size;

	if (!lay_out(model, tokens, longest > 0 ? longest : 1, NULL, &memory,
				 &sweep, &size))
		return SIZE_MAX;
	return size;
}

/* Checks */

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
			return mb_fail_cancelled(err, NULL);
	}
	return MB_OK;
}

/* ----------
 * Running steps
 * ----------
 */

/* Rows of the sweep that starts at row first of so many. */
static size_t
sweep_rows(const pass *p, size_t rows, size_t first)
{
	return rows - first < p->sweep ? rows - first : p->sweep;
}

/* Some rows on their way through steps */
typedef struct sweep
{
	const pass *p;
	size_t		first;
	size_t		rows;
	buffer		source;			/* whose rows are in operand; or BUFFER_NONE */
	mb_operand	operand;		/* kept while steps read the same rows */
} sweep;

/* Rows of a buffer, each as wide as its map has them */
static float *
buffer_rows(const sweep *w, buffer b, size_t width)
{
	const workspace *memory = &w->p->memory;
	size_t		first = b < FIRST_OF_SWEEP ? w->first : 0;

	MB_ASSERT(b < FIRST_OF_SWEEP ? width == memory->widths[b] :
			  width <= memory->widths[b]);
	MB_ASSERT((first + (w->rows + MB_ROW_BLOCK - 1) / MB_ROW_BLOCK *
			   MB_ROW_BLOCK) * width <= memory->buffers[b].size);
	return memory->buffers[b].start + first * width;
}

/* An operand of these rows for maps of a format, nothing prepared */
static mb_operand
make_operand(const sweep *w, const float *x, size_t k, mb_format format,
			 const region *scratch)
{
	mb_operand	operand = {x, w->rows, k, scratch->start, MB_FORMAT_ROWS};

	MB_ASSERT(mb_operand_memory(w->p->kernels, format, w->rows, k) <=
			  scratch->size * sizeof(float));
	(void) format;
	return operand;
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

static mb_status
run_step(void *context, const step *s)
{
	sweep	   *w = context;
	const pass *p = w->p;
	size_t		k = s->map->k;
	size_t		n = s->map->n;
	bool		whole = s->norm != NULL && p->config->layer_norm;
	bool		chained = is_chained(p->kernels, s);
	float	   *x = buffer_rows(w, s->x, k);
	float	   *y = buffer_rows(w, s->y, n);
	mb_operand	next;
	mb_epilogue epilogue = {s->activation, NULL, whole ? NULL : s->norm,
	chained ? &next : NULL};
	mb_status	status;

	if (w->source != s->x)
		w->operand = make_operand(w, x, k, s->map->format,
								  &p->memory.operand);
	w->source = s->x;
	if (chained)
		next = make_operand(w, y, n, s->next->format, &p->memory.next);
	if (s->residual != BUFFER_NONE)
		epilogue.residual = buffer_rows(w, s->residual, n);
	status = mb_dense(p->kernels, s->map, &w->operand, &epilogue, y, p->cancel,
					  p->err);
	if (status == MB_OK && whole)
		layer_norm(p, s->norm, s->epsilon, y, w->rows, n);
	if (chained)
	{
		w->operand = next;
		w->source = s->y;
	}
	else if (w->source == s->y)
		w->source = BUFFER_NONE;
	return status;
}

/* ----------
 * Embeddings (model.md 2.1)
 * ----------
 */

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
	size_t		rows = sweep_rows(p, p->tokens, first);
	sweep		w = {p, first, rows, BUFFER_NONE, {0}};
	visitor		run = {run_step, &w};
	const mb_norm *norm = &p->model->embedding_norm;
	float	   *output = buffer_rows(&w, BUFFER_STATES, hidden);
	mb_status	status;
	size_t		i;

	if (transforms_embedding(p->config))
	{
		size_t		width = p->model->embedding_transformation.k;

		gather_words(p, first, rows, *sequence,
					 buffer_rows(&w, BUFFER_WIDE, width), width);
	}
	else
		gather_words(p, first, rows, *sequence, output, hidden);
	status = embedding_steps(p->model, &run);
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
		mb_status	status = mb_poll_cancel(p->cancel, NULL, p->err);

		if (status == MB_OK)
			status = embed_rows(p, first, &sequence);
		if (status != MB_OK)
			return status;
	}
	return MB_OK;
}

/* ----------
 * Layer, first sweep: what attention reads
 * ----------
 */

static mb_status
project(const pass *p, const mb_layer *layer, size_t rows, int parts)
{
	mb_status	status = MB_OK;
	size_t		first;

	for (first = 0; first < rows && status == MB_OK; first += p->sweep)
	{
		sweep		w = {p, first, sweep_rows(p, rows, first), BUFFER_NONE, {0}};
		visitor		run = {run_step, &w};

		status = project_steps(p->model, layer, parts, &run);
	}
	return status;
}

/* ----------
 * Second sweep: softmax(Q K' / root D) V, head by head (model.md 3.2)
 * ----------
 */

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
	const mb_attention_kernel *low_precision;	/* NULL: in float */
	size_t		step;			/* rows of a block */
} attention;

/* Low-precision attention, where the kernel of a layer's maps goes with it */
static const mb_attention_kernel *
low_precision_attention(const pass *p, const mb_layer *layer)
{
	const mb_linear_kernel *kernel = p->kernels->linear[layer->query.format];

	return kernel != NULL && kernel->attention ? p->kernels->attention : NULL;
}

/* Where panels of a matrix [n, k] in a format go; the region is large enough. */
static void *
panels_in(const region *r, mb_format format, size_t k, size_t n)
{
	size_t		size = 0;

	MB_ASSERT(mb_format_size(format, k, n, &size) &&
			  size <= r->size * sizeof(float));
	(void) format;
	(void) k;
	(void) n;
	(void) size;
	return r->start;
}

static void
pack_head(const pass *p, const attention *a, const float *key,
		  const float *value)
{
	const mb_attention_kernel *kernel = a->low_precision;
	const attention_memory *memory = &p->memory.attention;
	size_t		stride = p->config->attention_size;
	size_t		size = p->config->head_size;

	if (kernel != NULL)
	{
		kernel->pack_keys(key, stride, a->length, size,
						  panels_in(&memory->keys, kernel->panels, size + 1,
									a->length));
		kernel->pack_values(value, stride, a->length, size,
							panels_in(&memory->values, kernel->panels,
									  a->length, size));
	}
	else
	{
		mb_pack_keys(key, stride, a->length, size,
					 panels_in(&memory->keys, MB_FORMAT_FLOAT, size,
							   a->length));
		mb_pack_values(value, stride, a->length, size,
					   panels_in(&memory->values, MB_FORMAT_FLOAT, a->length,
								 size));
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
attend_low_precision(const pass *p, const attention *a, size_t first, size_t rows)
{
	const attention_memory *memory = &p->memory.attention;
	size_t		stride = p->config->attention_size;
	size_t		size = p->config->head_size;
	float	   *query = a->query + first * stride;
	mb_attention block = {query, query, stride, rows, a->length, size,
		memory->keys.start, memory->values.start, a->mask,
	p->memory.operand.start, observes_attention(p) ? memory->scores.start : NULL};

	MB_ASSERT(a->low_precision->memory(a->length, size) <=
			  p->memory.operand.size * sizeof(float));
	a->low_precision->run(&block);
}

static void
attend_float(const pass *p, const attention *a, size_t first, size_t rows)
{
	const mb_kernels *kernels = p->kernels;
	const attention_memory *memory = &p->memory.attention;
	size_t		stride = p->config->attention_size;
	size_t		size = p->config->head_size;
	float	   *query = a->query + first * stride;
	float	   *scores = memory->scores.start;
	float	   *context = memory->context.start;
	double		factors[BLOCK_ROWS];
	size_t		i;

	MB_ASSERT(BLOCK_ROWS * a->length <= memory->scores.size &&
			  BLOCK_ROWS * size <= memory->context.size);
	for (i = 0; i < rows; i++)
		copy_row(memory->queries.start + i * size, query + i * stride, size);
	kernels->matrix(memory->queries.start, size, memory->keys.start,
					(float) (1.0 / sqrt((double) size)), scores, a->length,
					rows, a->length, size);
	for (i = 0; i < rows; i++)
		factors[i] = 1.0 / kernels->exponentials(scores + i * a->length,
												 a->mask, a->length);
	kernels->matrix(scores, a->length, memory->values.start, 1.0f, context,
					size, rows, size, a->length);
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
	if (a->low_precision != NULL)
		attend_low_precision(p, a, first, rows);
	else
		attend_float(p, a, first, rows);
	if (!observes_attention(p))
		return MB_OK;
	return p->observer->attention(p->observer->context, a->layer, a->sequence,
								  a->head, first, rows,
								  p->memory.attention.scores.start);
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
			status = mb_poll_cancel(p->cancel, NULL, p->err);
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
	const region *buffers = p->memory.buffers;
	size_t		start = batch->starts[sequence];
	size_t		stride = config->attention_size;
	size_t		size = config->head_size;
	attention	a = {layer, sequence, 0, batch->starts[sequence + 1] - start, 1,
		NULL, batch->mask == NULL ? NULL : batch->mask + start,
	low_precision_attention(p, &p->model->layers[layer]), MB_QUERY_ROWS};
	mb_status	status = MB_OK;

	if (a.low_precision != NULL)
		a.step = MB_ATTEND_ROWS;
	if (!first_only)
		a.queries = a.length;
	for (; a.head < config->heads && status == MB_OK; a.head++)
	{
		size_t		at = start * stride + a.head * size;

		a.query = buffers[BUFFER_QUERY].start +
			(first_only ? sequence * stride + a.head * size : at);
		pack_head(p, &a, buffers[BUFFER_KEY].start + at,
				  buffers[BUFFER_VALUE].start + at);
		status = attend_head(p, &a);
	}
	return status;
}

/* ----------
 * Third sweep: from the context to the layer's output
 * ----------
 */

static mb_status
finish(const pass *p, const mb_layer *layer, size_t rows)
{
	mb_status	status = MB_OK;
	size_t		first;

	for (first = 0; first < rows && status == MB_OK; first += p->sweep)
	{
		sweep		w = {p, first, sweep_rows(p, rows, first), BUFFER_NONE, {0}};
		visitor		run = {run_step, &w};

		status = finish_steps(p->model, layer, &run);
	}
	return status;
}

/* ----------
 * The pass
 * ----------
 */

/* The states of the first tokens, one behind the other. */
static void
keep_first(const pass *p)
{
	size_t		hidden = p->config->hidden_size;
	float	   *states = p->memory.buffers[BUFFER_STATES].start;
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
run_layer(const pass *p, size_t number, bool first_only)
{
	const mb_layer *layer = &p->model->layers[number];
	size_t		rows = first_only ? p->batch->sequences : p->tokens;
	mb_status	status;
	size_t		sequence;

	if (!first_only)
		status = project(p, layer, rows, PROJECT_QUERIES | PROJECT_KEYS);
	else
	{
		status = project(p, layer, p->tokens, PROJECT_KEYS);
		keep_first(p);
		if (status == MB_OK)
			status = project(p, layer, rows, PROJECT_QUERIES);
	}
	for (sequence = 0; sequence < p->batch->sequences && status == MB_OK;
		 sequence++)
		status = attend(p, number, sequence, first_only);
	if (status == MB_OK)
		status = finish(p, layer, rows);
	return status;
}

static mb_status
show_states(const pass *p, size_t number)
{
	if (p->observer == NULL || p->observer->hidden == NULL)
		return MB_OK;
	return p->observer->hidden(p->observer->context, number,
							   p->memory.buffers[BUFFER_STATES].start);
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
	p.kernels = model->kernels;
	p.err = err;
	p.tokens = batch->starts[batch->sequences];
	size = mb_forward_memory(model, p.tokens, longest);
	if (given == NULL || size == SIZE_MAX || given_size < size)
		return mb_fail(err, MB_ERR_ARGUMENT, "workspace has %zu bytes, but %zu "
					   "are needed", given == NULL ? 0 : given_size, size);
	if ((uintptr_t) given % (LINE_FLOATS * sizeof(float)) != 0)
		return mb_fail(err, MB_ERR_ARGUMENT,
					   "workspace is not aligned to 64 bytes");
	(void) lay_out(model, p.tokens, longest, given, &p.memory, &p.sweep, &size);

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
		*states = p.memory.buffers[BUFFER_STATES].start;
	return status;
}
