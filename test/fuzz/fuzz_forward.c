/*-------------------------------------------------------------------------
 *
 * fuzz_forward.c
 *	  Passes of random models over random batches, in every precision and with
 *	  every table of kernels that this processor has.
 *
 * The bytes choose a legal configuration (family, structural flags, widths from 1
 * to 600 in any order, any head size, 0 to 5 layers, a relative bias or none), a
 * batch (lengths, masks, types, padding, first tokens alone, how many layers) and
 * whether somebody observes; when they are used up, random numbers that they
 * start go on.
 *
 * What has to hold:
 *
 *	- a pass stays inside a workspace as large as it asked for, between pages
 *	  that cannot be read; packed weights end at such a page, too
 *	- what lies in the workspace before has no influence
 *	- results are those of plain C, as near as the precision lets them be
 *	- a sequence has the same bits alone as in the batch
 *	- pooling, the pooler and the masked language model's head write what they
 *	  are to, in bits that do not depend on where it lies
 *
 * Depends on kernels/choose.h, kernels/panels.h, encoder/forward.h,
 * encoder/heads.h, choices.h, fixture.h, pool.h and mmap().
 *
 *-------------------------------------------------------------------------
 */
#include "choices.h"
#include "fixture.h"
#include "fuzz.h"
#include "sets.h"
#include "kernels/choose.h"
#include "kernels/panels.h"
#include "encoder/forward.h"
#include "encoder/heads.h"
#include "pool.h"

#include <float.h>
#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

/* Multiply-adds of a pass at most, or of one token if that is more */
#define MOST_WORK 200000.0

#define MOST_LAYERS 5
#define MOST_NETWORKS 4
#define MOST_SEQUENCES 9
#define MOST_TOKENS 600
#define MOST_WIDTH 600

/* ----------
 * Choices
 * ----------
 */

/* Widths around whole vectors, lines and tiles as often as others */
static uint32_t
choose_width(choices *c)
{
	uint32_t	width = choose_size(c, MOST_WIDTH);

	if (choose(c, 2) == 0)
		width = (width + 15) / 16 * 16 + choose(c, 3) - 1;
	return width < 1 ? 1 : width > MOST_WIDTH ? MOST_WIDTH : width;
}

/* [-1, 1) */
static float
number(choices *c)
{
	return (float) random_bits(c) / (float) (1u << 30) - 1.0f;
}

/* ----------
 * A configuration, and a model of it
 * ----------
 */

/* Its true hidden size is a whole number of heads. */
static void
choose_heads(choices *c, mb_config *config, uint32_t *inner)
{
	uint32_t	size = *inner;

	config->heads = choose_size(c, 12);
	if (config->heads > size)
		config->heads = size;
	*inner = size / config->heads * config->heads;
}

/* Multiply-adds of a token through all linear layers, attention aside */
static double
token_work(const mb_config *c)
{
	double		h = c->hidden_size;
	double		t = c->use_bottleneck ? c->intra_bottleneck_size : h;
	double		layer = 3.0 * t * (t > h ? t : h) + t * t +
		2.0 * c->feedforwards * t * c->intermediate_size;

	if (c->use_bottleneck)
		layer += 3.0 * t * h;
	return layer * c->layers + 3.0 * c->embedding_size * h;
}

static mb_config
choose_config(choices *c)
{
	mb_config	config;
	uint32_t   *inner;

	memset(&config, 0, sizeof(config));
	config.family = (uint8_t) (choose(c, 2) ? choose(c, MB_FAMILIES) :
							   MB_FAMILY_MOBILEBERT);
	config.use_bottleneck = (uint8_t) choose(c, 2);
	config.use_bottleneck_attention = choose(c, 4) == 0;
	config.key_query_shared_bottleneck = (uint8_t) choose(c, 2);
	config.trigram_input = (uint8_t) choose(c, 2);
	config.layer_norm = (uint8_t) choose(c, 2);
	config.layer_norm_eps = choose(c, 2) ? 1e-12f : 1e-5f;
	config.activation = (uint8_t) choose(c, MB_ACTIVATIONS);
	config.tie_word_embeddings = 1;
	config.classifier_activation = 1;
	config.hidden_size = choose_width(c);
	config.intra_bottleneck_size = choose_width(c);
	config.intermediate_size = choose_width(c);
	config.embedding_size = choose(c, 3) == 0 ? config.hidden_size :
		choose_width(c);
	config.feedforwards = 1 + choose(c, MOST_NETWORKS);
	config.type_vocab_size = 1 + choose(c, 3);
	config.max_positions = MOST_TOKENS + 2;
	config.relative_buckets = 32 + choose(c, 3);
	config.heads = 1;
	mb_config_derive(&config);	/* what the family has no key for */
	inner = config.use_bottleneck ? &config.intra_bottleneck_size :
		&config.hidden_size;
	choose_heads(c, &config, inner);
	if (config.use_bottleneck && !config.use_bottleneck_attention &&
		!config.key_query_shared_bottleneck)
		config.hidden_size = config.intra_bottleneck_size;
	config.layers = choose(c, MOST_LAYERS + 1);
	while (config.layers > 1 && token_work(&config) > MOST_WORK)
		config.layers--;
	config.vocab_size = 1 + choose(c, 40);
	config.pad_token_id = (int32_t) choose(c, config.vocab_size);
	config.num_labels = 2;
	return config;
}

/*
 * Weights that let a pass neither explode nor vanish: sums have about the
 * size of what is summed.  With "exact" they are numbers that 16 bits hold.
 */
static void
fill_weights(choices *c, fixture *f, bool exact)
{
	size_t		i;
	size_t		j;

	for (i = 0; i < f->count; i++)
	{
		tensor	   *t = &f->tensors[i];
		float		one = scales(t->name) ? 1.0f : 0.0f;
		float		most = t->target == &f->model.relative_bias ? 3.0f : 0.15f;

		for (j = 0; j < t->count; j++)
		{
			float		x = most * number(c);

			t->data[j] = one + (exact ? ldexpf(rintf(ldexpf(x, 9)), -9) : x);
		}
	}
}

/* Divide the weights of a linear layer by the root of its inputs, in powers of two. */
static void
scale_linear(mb_linear *linear)
{
	float		factor = exp2f(-rintf(0.5f * log2f((float) (linear->k + 1))));
	float	   *w = (float *) linear->weight;
	size_t		i;

	for (i = 0; linear->weight != NULL && i < linear->n * linear->k; i++)
		w[i] *= 4.0f * factor;
}

typedef void (*linear_visitor) (mb_linear *linear);

static void
for_each_linear(mb_model *m, linear_visitor visit)
{
	uint32_t	i;
	uint32_t	j;

	visit(&m->embedding_transformation);
	for (i = 0; i < m->config.layers; i++)
	{
		mb_layer   *layer = &m->layers[i];

		visit(&layer->bottleneck_input);
		visit(&layer->bottleneck_attention);
		visit(&layer->query);
		visit(&layer->key);
		visit(&layer->value);
		visit(&layer->attention_output);
		for (j = 0; j < m->config.feedforwards; j++)
		{
			visit(&layer->feedforwards[j].intermediate);
			visit(&layer->feedforwards[j].output);
		}
		visit(&layer->bottleneck_output);
	}
}

/* ----------
 * Memory that ends where nothing can be read
 * ----------
 */

/* One for each linear layer and the workspace; mapped once, used again and again. */
#define FENCES (MOST_LAYERS * (7 + 2 * MOST_NETWORKS) + 2)
#define FENCE_SIZE ((size_t) 16 << 20)

static uint8_t *fences[FENCES];
static size_t fences_used;

/* A page that cannot be read on both sides of FENCE_SIZE bytes */
static uint8_t *
map_fence(void)
{
	size_t		page = (size_t) sysconf(_SC_PAGESIZE);
	uint8_t    *p = mmap(NULL, FENCE_SIZE + 2 * page, PROT_NONE,
						 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(p != MAP_FAILED);
	CHECK(mprotect(p + page, FENCE_SIZE, PROT_READ | PROT_WRITE) == 0);
	return p + page;
}

static void
free_fenced(void)
{
	fences_used = 0;
}

/*
 * Memory for size bytes, a multiple of 64, that ends at a fence, or with
 * "begins" begins behind one.  What was written last time is still there.
 */
static void *
fenced(size_t size, bool begins)
{
	uint8_t    *p;

	CHECK(fences_used < FENCES && size <= FENCE_SIZE && size % 64 == 0);
	if (fences[fences_used] == NULL)
		fences[fences_used] = map_fence();
	p = fences[fences_used++];
	return begins ? p : p + FENCE_SIZE - size;
}

static mb_format packing;

static void
pack_fenced(mb_linear *linear)
{
	size_t		size;
	void	   *panels;

	if (linear->weight == NULL)
		return;
	CHECK(mb_format_size(packing, linear->k, linear->n, &size));
	panels = fenced((size + 63) / 64 * 64, false);
	mb_format_pack(packing, linear->weight, linear->k, linear->n, panels);
	linear->panels = panels;
	linear->format = packing;
}

/* ----------
 * Batches
 * ----------
 */

/* Models without types do not look at them. */
#define NO_TYPE 12345

typedef struct text_batch
{
	mb_batch	batch;
	size_t		starts[MOST_SEQUENCES + 1];
	int32_t		ids[MOST_TOKENS];
	int32_t		types[MOST_TOKENS];
	uint8_t		mask[MOST_TOKENS];
	uint8_t		pad_after[MOST_SEQUENCES];
	size_t		layers;
} text_batch;

static void
choose_tokens(choices *c, const mb_config *config, text_batch *b)
{
	size_t		tokens = b->starts[b->batch.sequences];
	size_t		i;

	for (i = 0; i < tokens; i++)
	{
		b->ids[i] = (int32_t) choose(c, config->vocab_size);
		b->types[i] = config->type_vocab_size > 0 ?
			(int32_t) choose(c, config->type_vocab_size) : NO_TYPE;
		b->mask[i] = choose(c, 8) != 0;
	}
	for (i = 0; i < b->batch.sequences; i++)
	{
		size_t		length = b->starts[i + 1] - b->starts[i];

		b->mask[b->starts[i] + choose(c, (uint32_t) length)] = 1;
		b->pad_after[i] = (uint8_t) choose(c, 2);
	}
}

static void
choose_batch(choices *c, const mb_config *config, text_batch *b)
{
	double		room = MOST_WORK / (token_work(config) + 1.0);
	size_t		left = room < 1.0 ? 1 : room > MOST_TOKENS ? MOST_TOKENS :
		(size_t) room;
	size_t		sequences = 1 + choose(c, MOST_SEQUENCES);
	bool		masked = choose(c, 3) == 0;
	bool		typed = choose(c, 2) == 0;
	bool		padded = choose(c, 3) == 0;

	memset(b, 0, sizeof(*b));
	while (b->batch.sequences < sequences && left > 0)
	{
		size_t		length = choose_size(c, (uint32_t) left);

		b->batch.sequences++;
		b->starts[b->batch.sequences] =
			b->starts[b->batch.sequences - 1] + length;
		left -= length;
	}
	b->batch.starts = b->starts;
	b->batch.ids = b->ids;
	b->batch.types = typed ? b->types : NULL;
	b->batch.mask = masked ? b->mask : NULL;
	b->batch.pad_after = padded ? b->pad_after : NULL;
	b->batch.first_only = choose(c, 4) == 0;
	b->layers = choose(c, 3) == 0 ? choose(c, config->layers + 1) :
		config->layers;
	choose_tokens(c, config, b);
}

static size_t
longest_of(const mb_batch *batch)
{
	size_t		longest = 0;
	size_t		i;

	for (i = 0; i < batch->sequences; i++)
		if (batch->starts[i + 1] - batch->starts[i] > longest)
			longest = batch->starts[i + 1] - batch->starts[i];
	return longest;
}

/* Rows that a pass gives */
static size_t
result_rows(const mb_batch *batch)
{
	return batch->first_only ? batch->sequences :
		batch->starts[batch->sequences];
}

/* ----------
 * Passes
 * ----------
 */

/* Softmax's results are shares of 1, or 0 where the mask is. */
static mb_status
check_attention(void *context, size_t layer, size_t sequence, size_t head,
				size_t first, size_t queries, const float *p)
{
	const mb_batch *batch = context;
	size_t		start = batch->starts[sequence];
	size_t		length = batch->starts[sequence + 1] - start;
	size_t		i;
	size_t		t;

	(void) layer;
	(void) head;
	CHECK(first + queries <= length && queries > 0);
	for (i = 0; i < queries; i++)
	{
		double		sum = 0.0;

		for (t = 0; t < length; t++)
		{
			float		weight = p[i * length + t];

			CHECK(weight >= 0.0f && weight <= 1.01f);
			CHECK(batch->mask == NULL || batch->mask[start + t] != 0 ||
				  weight == 0.0f);
			sum += (double) weight;
		}
		CHECK(fabs(sum - 1.0) < 0.03);
	}
	return MB_OK;
}

/*
 * The pass's result, to be freed.  The workspace is full of a byte before:
 * 0xff makes NaN of every number.
 */
static float *
run_pass(const mb_model *model, const mb_batch *batch, size_t layers,
		 bool observed, uint8_t filler)
{
	mb_observer observer = {(void *) batch, NULL, check_attention};
	size_t		tokens = batch->starts[batch->sequences];
	size_t		size = mb_forward_memory(model, tokens, longest_of(batch));
	size_t		fence = fences_used;
	size_t		bytes = result_rows(batch) * model->config.hidden_size *
		sizeof(float);
	const float *states = NULL;
	float	   *result = malloc(bytes);
	uint8_t    *workspace;
	mb_error	err;

	CHECK(size != SIZE_MAX);
	workspace = fenced(size, filler != 0);
	memset(workspace, filler, size);
	CHECK(mb_forward(model, batch, layers, observed ? &observer : NULL, NULL,
					 workspace, size, &states, &err) == MB_OK);
	CHECK((const uint8_t *) states >= workspace &&
		  (const uint8_t *) states + bytes <= workspace + size);
	memcpy(result, states, bytes);
	if (size > 64)
		CHECK(mb_forward(model, batch, layers, NULL, NULL, workspace,
						 size - 64, &states, &err) == MB_ERR_ARGUMENT);
	fences_used = fence;
	return result;
}

/* The length of a row that has the mean of the rows' squares */
static double
mean_length(const float *x, size_t rows, size_t width)
{
	double		sum = 1e-12;
	size_t		i;

	for (i = 0; i < rows * width; i++)
		sum += (double) x[i] * (double) x[i];
	return sqrt(sum / (double) rows);
}

/*
 * How far the row of x that is furthest from expected is from it, in parts of
 * the mean length of rows; infinite when there is what is no number.
 */
static double
distance(const float *x, const float *expected, size_t rows, size_t width)
{
	double		most = 0.0;
	size_t		row;
	size_t		i;

	for (row = 0; row < rows; row++)
	{
		double		sum = 0.0;

		for (i = row * width; i < (row + 1) * width; i++)
		{
			double		d = (double) x[i] - (double) expected[i];

			sum += d * d;
		}
		if (!isfinite(sum))
			return INFINITY;
		most = fmax(most, sum);
	}
	return sqrt(most) / mean_length(expected, rows, width);
}

/*
 * How far from plain C results may be: a share for a model that does not enlarge
 * a change of its input, and more for one that does, as LayerNorm of a few
 * numbers that are nearly equal.  "change" is what is tried, by how much all
 * embeddings differ.
 */
typedef struct tolerance
{
	double		share;
	float		change;
} tolerance;

static const tolerance tolerances[MB_PRECISIONS] = {
	[MB_PRECISION_FP32] = {2e-5, 0x1p-19f},
	[MB_PRECISION_BF16X3] = {2e-4, 0x1p-14f},
	[MB_PRECISION_BF16] = {0.03, 0x1p-7f},
	[MB_PRECISION_INT8] = {0.03, 0x1p-7f}
};

/* What a row may be apart in times of what a change of the input does */
#define ENLARGED 8.0

/* When it may be as far as this, nothing is known but that it is finite. */
#define UNKNOWN 0.2
#define JUMPY_WIDTH 24

#if defined(MB_FUZZ_MEASURE)
/* The largest distances so far in parts of the bound */
static double largest[MB_PRECISIONS];
#endif

static void
compare_results(const mb_model *model, const text_batch *b,
				mb_precision precision, const char *table, const float *x,
				const float *expected, double bound)
{
	double		d = distance(x, expected, result_rows(&b->batch),
							 model->config.hidden_size);

#if defined(MB_FUZZ_MEASURE)
	if (d / bound > largest[precision])
	{
		largest[precision] = d / bound;
		fprintf(stderr, "%s %s: %g of %g\n", table,
				mb_precision_name(precision), d, bound);
	}
#endif
	if (!(d <= bound))
	{
		fprintf(stderr, "table %s, precision %s: %g from plain C, bound %g\n",
				table, mb_precision_name(precision), d, bound);
		abort();
	}
}

/* One sequence by itself has the bits it has in the batch. */
static void
check_alone(choices *c, const mb_model *model, const text_batch *b,
			const float *expected)
{
	size_t		width = model->config.hidden_size;
	size_t		which = choose(c, (uint32_t) b->batch.sequences);
	size_t		start = b->starts[which];
	size_t		starts[2] = {0, b->starts[which + 1] - start};
	mb_batch	alone = b->batch;
	float	   *x;

	alone.sequences = 1;
	alone.starts = starts;
	alone.ids += start;
	alone.types = alone.types == NULL ? NULL : alone.types + start;
	alone.mask = alone.mask == NULL ? NULL : alone.mask + start;
	alone.pad_after = alone.pad_after == NULL ? NULL :
		alone.pad_after + which;
	x = run_pass(model, &alone, b->layers, false, 0);
	CHECK(memcmp(x, expected + (alone.first_only ? which : start) * width,
				 result_rows(&alone) * width * sizeof(float)) == 0);
	free(x);
}

/* ----------
 * What reads the states
 * ----------
 */

static void
check_heads(const mb_model *model, const text_batch *b, const float *states)
{
	size_t		width = model->config.hidden_size;
	size_t		length = b->batch.first_only ? 1 : b->starts[1];
	const uint8_t *mask = b->batch.first_only ? NULL : b->batch.mask;
	float	   *out = malloc(width * sizeof(float));
	float	   *scratch = malloc(mb_head_scratch(model) * sizeof(float));
	float	   *logits = malloc(model->config.vocab_size * sizeof(float));
	mb_error	err;
	uint32_t	pooling;
	size_t		i;

	for (pooling = 1; pooling < MB_POOL_END; pooling++)
	{
		if (pooling == MB_POOL_POOLER && model->pooler.weight == NULL)
			continue;
		memset(out, 0xff, width * sizeof(float));
		CHECK(pool_text(model, pooling, states, length, mask, out, &err) ==
			  MB_OK);
		for (i = 0; i < width; i++)
			CHECK(isfinite(out[i]));
	}
	if (mb_head_width(model, MB_TASK_FILL_MASK) > 0)
	{
		CHECK(mb_head_logits(model, MB_TASK_FILL_MASK, states, scratch, logits,
							 NULL, &err) == MB_OK);
		for (i = 0; i < model->config.vocab_size; i++)
			CHECK(isfinite(logits[i]));
	}
	free(out);
	free(scratch);
	free(logits);
}

/* ----------
 * All precisions and tables
 * ----------
 */

static const char *const tables[] = {
	"ref/openblas", SET_NAMES
};

#define TABLES (sizeof(tables) / sizeof(tables[0]))

/* ref: the result of plain C in this precision, and how far others may be */
static void
check_table(choices *c, fixture *f, const text_batch *b,
			mb_precision precision, mb_dtype dtype, const char *table,
			const float *ref, double bound)
{
	uint8_t		filler = choose(c, 2) ? 0xff : 0;
	float	   *x;
	float	   *again;

	f->model.kernels = mb_kernels_find(table);
	if (f->model.kernels == NULL)
		return;
	free_fenced();
	packing = mb_format_choose(f->model.kernels, precision, dtype);
	if (f->model.kernels->linear[packing] == NULL)
		return;
	for_each_linear(&f->model, pack_fenced);
	x = run_pass(&f->model, &b->batch, b->layers, false, filler);
	again = run_pass(&f->model, &b->batch, b->layers, true,
					 (uint8_t) ~filler);
	CHECK(memcmp(x, again, result_rows(&b->batch) *
				 f->model.config.hidden_size * sizeof(float)) == 0);
	free(again);
	compare_results(&f->model, b, precision, table, x, ref, bound);
	check_alone(c, &f->model, b, x);
	check_heads(&f->model, b, x);
	free(x);
}

/*
 * LayerNorm of few numbers jumps: of two it makes 1 and -1, whatever they are,
 * so that a rounding anywhere may turn all that follows round.
 */
static bool
is_jumpy(const mb_config *config)
{
	return config->layer_norm && (config->hidden_size < JUMPY_WIDTH ||
								  config->true_hidden_size < JUMPY_WIDTH);
}

/* How far a small change of all embeddings moves a row at most, in plain C */
static double
change_input(choices *c, fixture *f, const text_batch *b, float change,
			 const float *ref)
{
	float	   *words = (float *) f->model.word_embeddings;
	size_t		count = (size_t) f->model.config.vocab_size *
		f->model.config.embedding_size;
	float	   *kept = malloc(count * sizeof(float));
	double		most;
	float	   *x;
	size_t		i;

	memcpy(kept, words, count * sizeof(float));
	for (i = 0; i < count; i++)
		words[i] += change * number(c);
	x = run_pass(&f->model, &b->batch, b->layers, false, 0);
	most = distance(x, ref, result_rows(&b->batch),
					f->model.config.hidden_size);
	memcpy(words, kept, count * sizeof(float));
	free(kept);
	free(x);
	return most;
}

static void
check_precision(choices *c, fixture *f, const text_batch *b,
				mb_precision precision, mb_dtype dtype)
{
	const tolerance *allowed = &tolerances[precision];
	float	   *ref;
	double		bound;
	size_t		i;

	f->model.kernels = &mb_kernels_ref;
	free_fenced();
	packing = mb_format_choose(&mb_kernels_ref, precision, dtype);
	for_each_linear(&f->model, pack_fenced);
	ref = run_pass(&f->model, &b->batch, b->layers, false, 0);
	bound = allowed->share +
		ENLARGED * change_input(c, f, b, allowed->change, ref);
	if (bound > UNKNOWN || is_jumpy(&f->model.config))
		bound = DBL_MAX;
	for (i = 0; i < TABLES; i++)
		check_table(c, f, b, precision, dtype, tables[i], ref, bound);
	free(ref);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const mb_dtype dtypes[] = {MB_DTYPE_F32, MB_DTYPE_F16, MB_DTYPE_BF16};
	static text_batch b;
	choices		c;
	mb_config	config;
	fixture    *f;
	mb_error	err;
	mb_dtype	dtype;
	int			precision;

	start_choices(&c, data, size);
	config = choose_config(&c);
	dtype = dtypes[choose(&c, 3)];
	choose_batch(&c, &config, &b);
	f = make_fixture(&config, &mb_kernels_ref);
	CHECK(mb_config_check(&f->model.config, &err) == MB_OK);
	f->model.parts = 1 << MB_PART_BASE;
	if (f->model.pooler.weight != NULL)
		f->model.parts |= 1 << MB_PART_POOLER;
	if (f->model.config.project_after_norm ||
		f->model.config.embedding_size <= f->model.config.hidden_size)
		f->model.parts |= 1 << MB_PART_MLM;
	fill_weights(&c, f, dtype != MB_DTYPE_F32);
	for_each_linear(&f->model, scale_linear);
	for (precision = 0; precision < MB_PRECISIONS; precision++)
		check_precision(&c, f, &b, (mb_precision) precision, dtype);
	free_fixture(f);
	return 0;
}
