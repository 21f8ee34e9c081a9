/*-------------------------------------------------------------------------
 *
 * test_forward.c
 *	  The encoder on models built in memory: the golden values G1 to G3 of
 *	  spec model.md section 10, batches that leave bits alone, masks and
 *	  padding, relative bias and positions, early stop, cancel, and everything that
 *	  must be refused.
 *
 *-------------------------------------------------------------------------
 */
#include "kernels/choose.h"
#include "encoder/forward.h"
#include "encoder/pooling.h"
#include "encoder/relative_bias.h"

#include "fixture.h"
#include "tables.h"
#include "tap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The table that is tested */
static const mb_kernels *kernels;

/* Panels of the weights as they are now. */
static void
pack_as(fixture *f, mb_precision precision, mb_dtype dtype)
{
	if (mb_model_pack(&f->model, precision, dtype, &f->panels, NULL) != MB_OK)
		abort();
}

static void
pack(fixture *f, mb_dtype dtype)
{
	pack_as(f, MB_PRECISION_FP32, dtype);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const tensor *) a)->name, ((const tensor *) b)->name);
}

/* The weights of model.md section 10. */
static void
fill_golden(fixture *f)
{
	size_t		k;
	size_t		j;

	qsort(f->tensors, f->count, sizeof(tensor), by_name);
	for (k = 0; k < f->count; k++)
	{
		double		one = scales(f->tensors[k].name) ? 1.0 : 0.0;

		for (j = 0; j < f->tensors[k].count; j++)
			f->tensors[k].data[j] = (float)
				(0.2 * sin(0.37 * (j % 1009) + 0.61 * (k % 97) + 0.05) + one);
	}
	pack(f, MB_DTYPE_F32);
}

static uint64_t seed = 1;

static uint32_t
random_below(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t) (seed >> 33) % n;
}

static float
uniform(void)
{
	return (float) random_below(1 << 24) / (1 << 23) - 1.0f;
}

/* Small enough that scores stay near 1: larger ones make rounding chaotic. */
static void
fill_random(fixture *f)
{
	size_t		k;
	size_t		j;

	for (k = 0; k < f->count; k++)
	{
		float		one = scales(f->tensors[k].name) ? 1.0f : 0.0f;

		float		most = f->tensors[k].target == &f->model.relative_bias ?
			2.0f : 0.15f;

		for (j = 0; j < f->tensors[k].count; j++)
			f->tensors[k].data[j] = most * uniform() + one;
	}
	pack(f, MB_DTYPE_F32);
}

/* Running */

typedef struct capture
{
	const mb_model *model;
	const mb_batch *batch;
	float	   *hidden;			/* [layers + 1, tokens, H] */
	float	   *attention;		/* [layers, heads, tokens, longest] */
	size_t		longest;
	size_t		rows_seen;		/* attention rows */
	size_t		next_layer;
	bool		in_order;
} capture;

static mb_status
capture_hidden(void *context, size_t layer, const float *states)
{
	capture    *c = context;
	size_t		size = c->batch->starts[c->batch->sequences] *
		c->model->config.hidden_size;

	if (layer != c->next_layer++)
		c->in_order = false;
	memcpy(c->hidden + layer * size, states, size * sizeof(float));
	return MB_OK;
}

static mb_status
capture_attention(void *context, size_t layer, size_t sequence, size_t head,
				  size_t first_query, size_t queries, const float *p)
{
	capture    *c = context;
	size_t		tokens = c->batch->starts[c->batch->sequences];
	size_t		start = c->batch->starts[sequence];
	size_t		length = c->batch->starts[sequence + 1] - start;
	size_t		base = (layer * c->model->config.heads + head) * tokens;
	size_t		i;

	c->rows_seen += queries;
	for (i = 0; i < queries; i++)
		memcpy(c->attention + (base + start + first_query + i) * c->longest,
			   p + i * length, length * sizeof(float));
	return MB_OK;
}

static void
free_capture(capture *c)
{
	free(c->hidden);
	free(c->attention);
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

/* A pass with exactly the memory asked for; sanitizers watch its ends. */
static mb_status
run(const mb_model *model, const mb_batch *batch, size_t layers, capture *c,
	const mb_cancel *cancel, mb_error *err)
{
	size_t		tokens = batch->starts[batch->sequences];
	size_t		size = mb_forward_memory(model, tokens, longest_of(batch));
	void	   *workspace;
	const float *states = NULL;
	mb_observer observer = {c, capture_hidden, capture_attention};
	mb_status	status;

	if (posix_memalign(&workspace, 64, size) != 0)
		return MB_ERR_MEMORY;
	if (c != NULL)
	{
		memset(c, 0, sizeof(*c));
		c->model = model;
		c->batch = batch;
		c->longest = longest_of(batch);
		c->in_order = true;
		c->hidden = malloc((model->config.layers + 1) * tokens *
						   model->config.hidden_size * sizeof(float));
		c->attention = calloc((model->config.layers + 1) *
							  model->config.heads * tokens * c->longest,
							  sizeof(float));
	}
	status = mb_forward(model, batch, layers, c == NULL ? NULL : &observer,
						cancel, workspace, size, &states, err);
	if (status == MB_OK && c != NULL &&
		memcmp(states, c->hidden + layers * tokens * model->config.hidden_size,
			   tokens * model->config.hidden_size * sizeof(float)) != 0)
		c->in_order = false;
	free(workspace);
	return status;
}

/* Golden values */

static mb_config
golden_config(void)
{
	mb_config	c;

	memset(&c, 0, sizeof(c));
	c.vocab_size = 40;
	c.hidden_size = 32;
	c.layers = 3;
	c.heads = 4;
	c.intermediate_size = 24;
	c.max_positions = 16;
	c.type_vocab_size = 2;
	c.embedding_size = 16;
	c.intra_bottleneck_size = 16;
	c.feedforwards = 4;
	c.num_labels = 2;
	c.layer_norm_eps = 1e-12f;
	c.activation = MB_ACT_RELU;
	c.trigram_input = 1;
	c.use_bottleneck = 1;
	c.key_query_shared_bottleneck = 1;
	c.classifier_activation = 1;
	c.tie_word_embeddings = 1;
	return c;
}

static const int32_t golden_ids[] = {2, 7, 11, 5, 3, 0, 0};
static const int32_t golden_types[] = {0, 0, 0, 1, 1, 0, 0};
static const uint8_t golden_mask[] = {1, 1, 1, 1, 1, 0, 0};

/* Expected numbers; a NAN ends a row, and a first NAN means "not given". */
typedef struct golden
{
	double		emb0[4];
	double		emb4[4];
	double		attention[7];
	double		h0[4];
	double		h4[4];
	double		pooled[4];
} golden;

static double
difference(const float *got, const double *expected, size_t count)
{
	double		worst = 0.0;
	size_t		i;

	for (i = 0; i < count && !isnan(expected[i]); i++)
		worst = fmax(worst, fabs(got[i] - expected[i]));
	return worst;
}

static void
check_golden(const char *what, const fixture *f, const mb_batch *batch,
			 const golden *expected)
{
	const mb_model *model = &f->model;
	size_t		tokens = batch->starts[1];
	size_t		hidden = model->config.hidden_size;
	float		pooled[32];
	const float *last;
	double		worst;
	mb_error	err;
	capture		c;

	if (!ok(run(model, batch, 3, &c, NULL, &err) == MB_OK, "%s runs", what))
	{
		free_capture(&c);
		return;
	}
	last = c.hidden + 3 * tokens * hidden;
	mb_pooler(model, last, pooled, NULL);
	worst = difference(c.hidden, expected->emb0, 4);
	worst = fmax(worst, difference(c.hidden + 4 * hidden, expected->emb4, 4));
	worst = fmax(worst, difference(c.attention + (tokens + 2) * tokens,
								   expected->attention, tokens));
	worst = fmax(worst, difference(last, expected->h0, 4));
	worst = fmax(worst, difference(last + 4 * hidden, expected->h4, 4));
	worst = fmax(worst, difference(pooled, expected->pooled, 4));
	ok(worst <= 3e-6, "%s: within %.1e of the golden values", what, worst);
	ok(c.in_order && c.next_layer == 4 &&
	   c.rows_seen == 3 * model->config.heads * tokens,
	   "%s: observers see each layer and row once", what);
	free_capture(&c);
}

/* Unpadded, padded with a mask, and the short row that emulates padding. */
static void
check_three(const char *name, const fixture *f, const golden *unpadded,
			const golden *padded)
{
	static const size_t five[] = {0, 5};
	static const size_t seven[] = {0, 7};
	static const uint8_t yes[] = {1};
	mb_batch	batch;
	char		what[64];

	memset(&batch, 0, sizeof(batch));
	batch.sequences = 1;
	batch.ids = golden_ids;
	batch.types = golden_types;
	batch.starts = five;
	snprintf(what, sizeof(what), "%s unpadded", name);
	check_golden(what, f, &batch, unpadded);
	batch.pad_after = yes;
	snprintf(what, sizeof(what), "%s with a padding neighbour", name);
	check_golden(what, f, &batch, padded);
	batch.pad_after = NULL;
	batch.mask = golden_mask;
	batch.starts = seven;
	snprintf(what, sizeof(what), "%s padded", name);
	check_golden(what, f, &batch, padded);
}

static void
test_g1(void)
{
	static const golden unpadded = {
		{0.369235, 0.270709, 0.064223, 0.064331},
		{0.114677, -0.359596, -0.625614, -0.195037},
		{0.203316, 0.200488, 0.199073, 0.197418, 0.199704, NAN},
		{0.221105, -1.070447, -2.302094, -3.048073},
		{0.302158, -1.217359, -2.403077, -2.763398},
		{1.000000, 1.000000, 0.999148, -0.997090}
	};
	static const golden padded = {
		{0.369235, 0.270709, 0.064223, 0.064331},
		{0.035917, -0.638546, -0.812960, -0.058560},
		{0.203251, 0.200424, 0.199009, 0.197354, 0.199962, 0, 0},
		{0.225437, -1.063693, -2.293925, -3.039643},
		{0.217244, -1.475713, -2.550529, -2.627035},
		{1.000000, 1.000000, 0.999152, -0.996963}
	};
	mb_config	config = golden_config();
	fixture    *f = make_fixture(&config, kernels);

	fill_golden(f);
	ok(f->count == 155, "G1 has 155 tensors");
	check_three("G1", f, &unpadded, &padded);
	free_fixture(f);
}

static void
test_g2(void)
{
	static const golden unpadded = {
		{NAN},
		{0.504356, -0.528017, -1.144436, -0.304503},
		{0.202993, 0.202240, 0.200153, 0.198719, 0.195895, NAN},
		{0.099240, 0.183163, 0.046484, 0.360378},
		{-0.283320, -0.477653, -0.488822, 0.276743},
		{0.099240, 0.183163, 0.046484, 0.360378}
	};
	static const golden padded = {
		{NAN},
		{0.247249, -0.887327, -1.205901, 0.007308},
		{0.203272, 0.202518, 0.200428, 0.198993, 0.194789, 0, 0},
		{0.114375, 0.200595, 0.064517, 0.375052},
		{-0.374123, -0.614823, -0.465496, 0.530678},
		{0.114375, 0.200595, 0.064517, 0.375052}
	};
	mb_config	config = golden_config();
	fixture    *f;

	config.layer_norm = 1;
	config.activation = MB_ACT_GELU;
	config.use_bottleneck_attention = 1;
	config.key_query_shared_bottleneck = 0;
	config.feedforwards = 2;
	config.classifier_activation = 0;
	f = make_fixture(&config, kernels);
	fill_golden(f);
	ok(f->count == 105, "G2 has 105 tensors");
	check_three("G2", f, &unpadded, &padded);
	free_fixture(f);
}

static void
test_g3(void)
{
	static const golden values = {
		{1.061384, 1.099970, 0.990390, 0.710107},
		{0.897528, 1.070283, 1.124106, 1.014223},
		{NAN},
		{-1.169888, -0.740937, -0.352882, 0.965418},
		{-1.135126, -0.948702, -0.162769, 0.625903},
		{0.456766, 0.601828, 0.547579, 0.288752}
	};
	mb_config	config = golden_config();
	fixture    *f;

	config.use_bottleneck = 0;
	config.layer_norm = 1;
	config.activation = MB_ACT_GELU_TANH;
	config.feedforwards = 1;
	config.trigram_input = 0;
	f = make_fixture(&config, kernels);
	fill_golden(f);
	ok(f->count == 65, "G3 has 65 tensors");
	check_three("G3", f, &values, &values);
	free_fixture(f);
}

/* Batches */

#define MOST_SEQUENCES 9
#define MOST_LENGTH 150

typedef struct random_batch
{
	mb_batch	batch;
	size_t		starts[MOST_SEQUENCES + 1];
	int32_t		ids[MOST_SEQUENCES * MOST_LENGTH];
	int32_t		types[MOST_SEQUENCES * MOST_LENGTH];
	uint8_t		mask[MOST_SEQUENCES * MOST_LENGTH];
	uint8_t		pad_after[MOST_SEQUENCES];
} random_batch;

static void
make_batch(random_batch *r, const mb_config *config, size_t sequences)
{
	uint32_t	most = config->max_positions -
		(config->family == MB_FAMILY_MPNET ? 2 : 0);
	size_t		i;
	size_t		j;

	memset(r, 0, sizeof(*r));
	for (i = 0; i < sequences; i++)
	{
		size_t		length = 1 + random_below(i % 4 == 3 ?
											  most : 20);

		r->starts[i + 1] = r->starts[i] + length;
		r->pad_after[i] = random_below(2);
		for (j = r->starts[i]; j < r->starts[i + 1]; j++)
		{
			r->ids[j] = random_below(config->vocab_size);
			r->types[j] = config->type_vocab_size == 0 ? 0 :
				random_below(config->type_vocab_size);
			r->mask[j] = j == r->starts[i] || random_below(8) > 0;
		}
	}
	r->batch.sequences = sequences;
	r->batch.starts = r->starts;
	r->batch.ids = r->ids;
	r->batch.types = r->types;
	r->batch.mask = r->mask;
	r->batch.pad_after = r->pad_after;
}

/* Each sequence of the batch alone gives the same bits. */
static bool
alone_is_equal(const mb_model *model, const random_batch *r,
			   const capture *packed, size_t sequence)
{
	size_t		start = r->starts[sequence];
	size_t		length = r->starts[sequence + 1] - start;
	size_t		tokens = r->starts[r->batch.sequences];
	size_t		hidden = model->config.hidden_size;
	size_t		heads = model->config.heads;
	const size_t starts[] = {0, length};
	mb_batch	one = {1, starts, r->ids + start, r->types + start,
	r->mask + start, r->pad_after + sequence, false};
	bool		equal;
	capture		c;
	size_t		i;

	equal = run(model, &one, model->config.layers, &c, NULL, NULL) == MB_OK;
	for (i = 0; i <= model->config.layers && equal; i++)
		equal = memcmp(c.hidden + i * length * hidden,
					   packed->hidden + (i * tokens + start) * hidden,
					   length * hidden * sizeof(float)) == 0;
	for (i = 0; i < model->config.layers * heads * length && equal; i++)
		equal = memcmp(c.attention + i * length, packed->attention +
					   (i / length * tokens + start + i % length) *
					   packed->longest, length * sizeof(float)) == 0;
	free_capture(&c);
	return equal;
}

/* Attention rows are distributions, and give nothing to masked keys. */
static bool
attention_is_sound(const mb_model *model, const random_batch *r,
				   const capture *c)
{
	size_t		tokens = r->starts[r->batch.sequences];
	size_t		maps = (size_t) model->config.layers * model->config.heads;
	size_t		map;
	size_t		s;
	size_t		i;
	size_t		j;

	for (map = 0; map < maps; map++)
	{
		for (s = 0; s < r->batch.sequences; s++)
		{
			for (i = r->starts[s]; i < r->starts[s + 1]; i++)
			{
				const float *p = c->attention + (map * tokens + i) *
					c->longest;
				double		sum = 0.0;

				for (j = r->starts[s]; j < r->starts[s + 1]; j++)
				{
					double		x = p[j - r->starts[s]];

					if (r->mask[j] ? !(x >= 0.0) : x != 0.0)
						return false;
					sum += x;
				}
				if (fabs(sum - 1.0) > 1e-5)
					return false;
			}
		}
	}
	return true;
}

static mb_config
variant(int number)
{
	mb_config	c = golden_config();

	c.max_positions = MOST_LENGTH;
	c.vocab_size = 23;
	switch (number)
	{
		case 0:					/* as published, smaller */
			c.hidden_size = 64;
			c.embedding_size = c.intra_bottleneck_size = 32;
			c.intermediate_size = 64;
			break;
		case 1:					/* odd sizes, one feed-forward network */
			c.hidden_size = 21;
			c.embedding_size = 5;
			c.intra_bottleneck_size = 9;
			c.heads = 3;
			c.intermediate_size = 13;
			c.feedforwards = 1;
			c.layer_norm = 1;
			c.activation = MB_ACT_SILU;
			c.type_vocab_size = 3;
			break;
		case 2:					/* BERT's structure */
			c.use_bottleneck = c.trigram_input = 0;
			c.hidden_size = c.embedding_size = 48;
			c.intermediate_size = 100;
			c.feedforwards = 1;
			c.layer_norm = 1;
			c.activation = MB_ACT_GELU;
			break;
		case 3:					/* unshared, so T = H; wide attention input */
			c.key_query_shared_bottleneck = 0;
			c.hidden_size = c.intra_bottleneck_size = 40;
			c.heads = 1;
			c.activation = MB_ACT_MISH;
			break;
		case 4:					/* Q, K and V from the bottleneck */
			c.use_bottleneck_attention = 1;
			c.layers = 2;
			c.heads = 16;
			break;
		case 5:
			c.family = MB_FAMILY_MPNET;
			c.type_vocab_size = 0;
			c.hidden_size = 60;
			c.intermediate_size = 100;
			c.activation = MB_ACT_GELU;
			c.relative_buckets = 32;
			break;
	}
	return c;
}

#define VARIANTS 6
#define BIASED 5				/* has a relative bias */

/* The states of first tokens alone are those of the whole pass. */
static bool
first_is_equal(const mb_model *model, const random_batch *r, const capture *c)
{
	mb_batch	batch = r->batch;
	size_t		size = mb_forward_memory(model, r->starts[MOST_SEQUENCES],
										 longest_of(&batch));
	size_t		hidden = model->config.hidden_size;
	size_t		layers = model->config.layers;
	bool		equal = true;
	const float *states;
	void	   *workspace;
	size_t		i;

	if (posix_memalign(&workspace, 64, size) != 0)
		return false;
	batch.first_only = true;
	do
	{
		equal = mb_forward(model, &batch, layers, NULL, NULL, workspace, size,
						   &states, NULL) == MB_OK;
		for (i = 0; i < MOST_SEQUENCES && equal; i++)
			equal = memcmp(states + i * hidden, c->hidden +
						   (layers * r->starts[MOST_SEQUENCES] +
							r->starts[i]) * hidden,
						   hidden * sizeof(float)) == 0;
	} while (equal && layers-- > 0);
	free(workspace);
	return equal;
}

static void
test_batches(const char *table)
{
	static random_batch r;
	int			v;

	for (v = 0; v < VARIANTS * MB_PRECISIONS; v++)
	{
		mb_config	config = variant(v / MB_PRECISIONS);
		mb_precision precision = (mb_precision) (v % MB_PRECISIONS);
		const char *name = mb_precision_name(precision);
		fixture    *f = make_fixture(&config, kernels);
		bool		equal = true;
		bool		sound;
		capture		c;
		size_t		i;

		fill_random(f);
		pack_as(f, precision, MB_DTYPE_F32);
		make_batch(&r, &config, MOST_SEQUENCES);
		if (!ok(run(&f->model, &r.batch, config.layers, &c, NULL, NULL) ==
				MB_OK, "%s %s: batch of %zu tokens on variant %d", table,
				name, r.starts[MOST_SEQUENCES], v / MB_PRECISIONS))
			equal = false;
		sound = equal && attention_is_sound(&f->model, &r, &c);
		for (i = 0; i < MOST_SEQUENCES && equal; i++)
			equal = alone_is_equal(&f->model, &r, &c, i);
		ok(equal, "%s %s: packed and alone agree bit for bit, variant %d",
		   table, name, v / MB_PRECISIONS);
		ok(sound, "%s %s: attention rows add up to 1, variant %d", table, name,
		   v / MB_PRECISIONS);
		ok(first_is_equal(&f->model, &r, &c), "%s %s: first tokens alone have "
		   "the same bits after any number of layers, variant %d", table, name,
		   v / MB_PRECISIONS);
		free_capture(&c);
		free_fixture(f);
	}
}

/* Numbers that binary16 holds, in all weights. */
static void
fill_half(fixture *f)
{
	size_t		k;
	size_t		j;

	fill_random(f);
	for (k = 0; k < f->count; k++)
		for (j = 0; j < f->tensors[k].count; j++)
			f->tensors[k].data[j] = ldexpf(rintf(ldexpf(f->tensors[k].data[j],
														8)), -8);
	pack(f, MB_DTYPE_F32);
}

/* Weights stored in 16 bits give the bits of the same weights in 32. */
static void
test_stored_half(const char *table)
{
	static random_batch r;
	mb_config	config = variant(0);
	fixture    *f = make_fixture(&config, kernels);
	size_t		size = 0;
	bool		equal;
	capture		a;
	capture		b;

	fill_half(f);
	make_batch(&r, &config, MOST_SEQUENCES);
	size = (config.layers + 1) * r.starts[MOST_SEQUENCES] *
		config.hidden_size * sizeof(float);
	run(&f->model, &r.batch, config.layers, &a, NULL, NULL);
	pack(f, MB_DTYPE_F16);
	equal = f->model.layers[0].query.format ==
		mb_format_choose(kernels, MB_PRECISION_FP32, MB_DTYPE_F16) &&
		run(&f->model, &r.batch, config.layers, &b, NULL, NULL) == MB_OK &&
		memcmp(a.hidden, b.hidden, size) == 0;
	ok(equal, "%s: weights of 16 bits give the same bits", table);
	free_capture(&a);
	free_capture(&b);
	free_fixture(f);
}

/* A model keeps its kernels, whatever the process chooses for later ones. */
static void
test_choice(const char *table)
{
	static random_batch r;
	mb_config	config = variant(0);
	fixture    *f = make_fixture(&config, kernels);
	bool		equal;
	capture		a;
	capture		b;

	fill_random(f);
	make_batch(&r, &config, MOST_SEQUENCES);
	run(&f->model, &r.batch, config.layers, &a, NULL, NULL);
	mb_kernels_choose(kernels == &mb_kernels_ref ? "auto" : "ref");
	run(&f->model, &r.batch, config.layers, &b, NULL, NULL);
	mb_kernels_choose(kernels->name);
	equal = memcmp(a.hidden, b.hidden, (config.layers + 1) *
				   r.starts[MOST_SEQUENCES] * config.hidden_size *
				   sizeof(float)) == 0;
	ok(equal, "%s: another choice leaves a model's bits alone", table);
	free_capture(&a);
	free_capture(&b);
	free_fixture(f);
}

/* Two tables differ by rounding only, on sequences over several blocks. */
static void
test_tables_agree(const char *table)
{
	static random_batch r;
	int			v;

	for (v = 0; v < VARIANTS; v++)
	{
		mb_config	config = variant(v);
		fixture    *f = make_fixture(&config, kernels);
		double		worst = 0.0;
		double		largest = 0.0;
		capture		a;
		capture		b;
		size_t		i;

		fill_random(f);
		make_batch(&r, &config, MOST_SEQUENCES);
		f->model.kernels = &mb_kernels_ref;
		run(&f->model, &r.batch, config.layers, &a, NULL, NULL);
		f->model.kernels = kernels;
		run(&f->model, &r.batch, config.layers, &b, NULL, NULL);
		for (i = 0; i < (config.layers + 1) * r.starts[MOST_SEQUENCES] *
			 config.hidden_size; i++)
		{
			worst = fmax(worst, fabs(a.hidden[i] - b.hidden[i]));
			largest = fmax(largest, fabs(a.hidden[i]));
		}
		ok(worst <= 2e-5 * largest, "%s: variant %d within %.1e of ref, "
		   "largest value %.1f", table, v, worst, largest);
		free_capture(&a);
		free_capture(&b);
		free_fixture(f);
	}
}

/* ----------
 * Relative bias
 * ----------
 */

/* MPNetEncoder.relative_position_bucket, in float32 as there */
static size_t
bucket_of(int distance)
{
	int			n = abs(distance);
	int			far = n < 8 ? n : 8 + (int) (logf((float) n / 8.0f) /
											 logf(16.0f) * 8.0f);

	return (size_t) ((distance > 0 ? 16 : 0) + (far < 15 ? far : 15));
}

static void
test_buckets(void)
{
	bool		equal = true;
	int			r;

	for (r = -600; r <= 600; r++)
		equal = equal && mb_relative_bucket(r) == bucket_of(r);
	ok(equal, "buckets are those of the formula in float32");
	ok(mb_relative_bucket(PTRDIFF_MAX) == 31 &&
	   mb_relative_bucket(PTRDIFF_MIN) == 15, "the last buckets have no end");
}

/*
 * Norm of word and position, whose number is one more than how many of the
 * sequence's tokens so far are not 1, of a 1 itself 1: largest difference.
 */
static double
embedding_error(const mb_model *model, const random_batch *r, const float *x)
{
	size_t		width = model->config.hidden_size;
	double		worst = 0.0;
	size_t		s;
	size_t		i;
	size_t		j;

	for (s = 0; s < r->batch.sequences; s++)
	{
		size_t		counted = 0;

		for (i = r->starts[s]; i < r->starts[s + 1]; i++)
		{
			size_t		position = r->ids[i] == 1 ? 1 : 1 + ++counted;
			const float *word = model->word_embeddings +
				(size_t) r->ids[i] * width;
			const float *row = model->position_embeddings + position * width;
			double		mean = 0.0;
			double		square = 0.0;

			for (j = 0; j < width; j++)
				mean += ((double) word[j] + row[j]) / (double) width;
			for (j = 0; j < width; j++)
				square += pow((double) word[j] + row[j] - mean, 2.0) /
					(double) width;
			for (j = 0; j < width; j++)
				worst = fmax(worst, fabs(x[i * width + j] -
										 (((double) word[j] + row[j] - mean) /
										  sqrt(square + 1e-12) *
										  model->embedding_norm.weight[j] +
										  model->embedding_norm.bias[j])));
		}
	}
	return worst;
}

/* MPNet's positions, in batches over several sweeps, and how many there are */
static void
test_positions(const char *table)
{
	static const int32_t ids[] = {0, 5, 1, 6, 2, 1};
	static random_batch r;
	mb_config	config = variant(BIASED);
	fixture    *f = make_fixture(&config, kernels);
	size_t		starts[] = {0, config.max_positions - 2};
	mb_batch	full = {1, starts, r.ids, NULL, NULL, NULL, false};
	bool		fits;
	capture		c;

	fill_random(f);
	make_batch(&r, &config, MOST_SEQUENCES);
	memcpy(r.ids + r.starts[MOST_SEQUENCES - 1], ids, sizeof(ids));
	r.starts[MOST_SEQUENCES] = r.starts[MOST_SEQUENCES - 1] + 6;
	r.batch.mask = NULL;
	run(&f->model, &r.batch, config.layers, &c, NULL, NULL);
	ok(embedding_error(&f->model, &r, c.hidden) < 1e-5,
	   "%s: positions count the tokens of their sequence but 1", table);
	free_capture(&c);
	fits = run(&f->model, &full, 0, NULL, NULL, NULL) == MB_OK;
	starts[1]++;
	ok(fits && run(&f->model, &full, 0, NULL, NULL, NULL) == MB_ERR_LIMIT,
	   "%s: two tokens less than positions", table);
	free_fixture(f);
}

/* Without queries attention is softmax of the bias alone. */
static double
bias_error(const mb_model *model, const random_batch *r, const capture *c)
{
	size_t		tokens = r->starts[r->batch.sequences];
	size_t		heads = model->config.heads;
	size_t		map;
	size_t		s;
	size_t		i;
	size_t		j;
	double		worst = 0.0;

	for (map = 0; map < model->config.layers * heads; map++)
	{
		const float *table = model->relative_bias + map % heads;

		for (s = 0; s < r->batch.sequences; s++)
		{
			size_t		start = r->starts[s];
			size_t		length = r->starts[s + 1] - start;

			for (i = 0; i < length; i++)
			{
				const float *p = c->attention + (map * tokens + start + i) *
					c->longest;
				double		weights[MOST_LENGTH];
				double		sum = 0.0;

				for (j = 0; j < length; j++)
				{
					weights[j] = r->mask[start + j] ?
						exp(table[bucket_of((int) j - (int) i) * heads]) : 0.0;
					sum += weights[j];
				}
				for (j = 0; j < length; j++)
					worst = fmax(worst, fabs(p[j] / (weights[j] / sum + 1e-30) *
											 (weights[j] > 0.0) -
											 (weights[j] > 0.0)));
			}
		}
	}
	return worst;
}

/* In every sequence of a batch from its own first token on; larger tables */
static void
test_bias(const char *table)
{
	static random_batch r;
	int			v;

	for (v = 0; v < 2 * MB_PRECISIONS; v++)
	{
		mb_precision precision = (mb_precision) (v / 2);
		mb_config	config = variant(BIASED);
		fixture    *f;
		double		error;
		capture		c;
		size_t		i;

		config.relative_buckets = 32 + v % 2;
		f = make_fixture(&config, kernels);
		fill_random(f);
		for (i = 0; i < f->count; i++)
			if (strstr(f->tensors[i].name, "self.query") != NULL)
				memset(f->tensors[i].data, 0,
					   f->tensors[i].count * sizeof(float));
		pack_as(f, precision, MB_DTYPE_F32);
		make_batch(&r, &config, MOST_SEQUENCES);
		run(&f->model, &r.batch, config.layers, &c, NULL, NULL);
		error = bias_error(&f->model, &r, &c);
		ok(error < (precision >= MB_PRECISION_BF16 ? 0x1p-7 : 2e-6),
		   "%s %s: bias of %u buckets within %.1e", table,
		   mb_precision_name(precision),
		   config.relative_buckets, error);
		free_capture(&c);
		free_fixture(f);
	}
}

/* A table of zeros leaves the bits of none, and takes no more than its memory. */
static void
test_no_bias(const char *table)
{
	static random_batch r;
	mb_config	config = variant(BIASED);
	fixture    *f = make_fixture(&config, kernels);
	size_t		longest;
	size_t		with;
	const float *bias = f->model.relative_bias;
	bool		equal;
	capture		a;
	capture		b;

	fill_random(f);
	memset((float *) bias, 0, 32 * config.heads * sizeof(float));
	make_batch(&r, &config, MOST_SEQUENCES);
	longest = longest_of(&r.batch);
	run(&f->model, &r.batch, config.layers, &a, NULL, NULL);
	with = mb_forward_memory(&f->model, r.starts[MOST_SEQUENCES], longest);
	f->model.relative_bias = NULL;
	run(&f->model, &r.batch, config.layers, &b, NULL, NULL);
	equal = memcmp(a.hidden, b.hidden, (config.layers + 1) *
				   r.starts[MOST_SEQUENCES] * config.hidden_size *
				   sizeof(float)) == 0;
	ok(equal, "%s: a bias of 0 changes no bit", table);
	with -= mb_forward_memory(&f->model, r.starts[MOST_SEQUENCES], longest);
	ok(with >= config.heads * (2 * longest - 1) * sizeof(float) &&
	   with < config.heads * (2 * longest - 1) * sizeof(float) + 64,
	   "%s: the bias has memory of its own", table);
	f->model.relative_bias = bias;
	ok(mb_forward_memory(&f->model, 64, SIZE_MAX / 2 + 1) == SIZE_MAX,
	   "%s: a bias beyond size_t is told", table);
	free_capture(&a);
	free_capture(&b);
	free_fixture(f);
}

/* Widths */

/*
 * The pass of a model of random weights with a table, in a batch and for one
 * sequence alone, against plain C.  Small weights keep the roundings of all
 * precisions small; what reads or writes beyond its memory does not.
 */
static bool
widths_agree(const mb_config *config, mb_precision precision)
{
	static random_batch r;
	fixture    *f = make_fixture(config, kernels);
	double		worst = 0.0;
	double		largest = 0.0;
	bool		equal;
	capture		a;
	capture		b;
	size_t		i;

	fill_random(f);
	for (i = 0; i < f->count; i++)
	{
		size_t		j;

		for (j = 0; j < f->tensors[i].count && !scales(f->tensors[i].name); j++)
			f->tensors[i].data[j] *= 0.25f;
	}
	make_batch(&r, config, 3);
	f->model.kernels = &mb_kernels_ref;
	pack_as(f, precision, MB_DTYPE_F32);
	run(&f->model, &r.batch, config->layers, &a, NULL, NULL);
	f->model.kernels = kernels;
	pack_as(f, precision, MB_DTYPE_F32);
	run(&f->model, &r.batch, config->layers, &b, NULL, NULL);
	for (i = 0; i < (config->layers + 1) * r.starts[3] * config->hidden_size;
		 i++)
	{
		double		difference = fabs(a.hidden[i] - b.hidden[i]);

		worst = fmax(worst, isfinite(difference) ? difference : INFINITY);
		largest = fmax(largest, fabs(a.hidden[i]));
	}
	equal = alone_is_equal(&f->model, &r, &b, 1);
	free_capture(&a);
	free_capture(&b);
	free_fixture(f);
	return equal && worst <= (precision == MB_PRECISION_INT8 ? 2e-2 :
							  precision == MB_PRECISION_BF16 ? 2e-2 :
							  precision == MB_PRECISION_BF16X3 ? 1e-4 :
							  2e-5) * largest;
}

/* Which width is the larger must not matter: all orders of four. */
static void
test_width_orders(const char *table)
{
	static const uint32_t widths[] = {4, 20, 68, 132};
	int			precision;
	size_t		order;

	for (precision = 0; precision < MB_PRECISIONS; precision++)
	{
		bool		agree = true;
		size_t		orders = 0;

		for (order = 0; order < 256; order++)
		{
			mb_config	config = variant(0);
			size_t		e = order % 4;
			size_t		h = order / 4 % 4;
			size_t		t = order / 16 % 4;
			size_t		i = order / 64 % 4;

			if ((1 << e | 1 << h | 1 << t | 1 << i) != 15)
				continue;
			config.layers = 1;
			config.heads = 4;
			config.feedforwards = 2;
			config.max_positions = 30;
			config.trigram_input = h % 2;
			config.embedding_size = widths[e];
			config.hidden_size = widths[h];
			config.intra_bottleneck_size = widths[t];
			config.intermediate_size = widths[i];
			orders++;
			if (!widths_agree(&config, (mb_precision) precision))
			{
				agree = false;
				printf("# embedding %u, hidden %u, bottleneck %u, "
					   "intermediate %u\n", widths[e], widths[h], widths[t],
					   widths[i]);
			}
		}
		ok(agree, "%s %s: widths in %zu orders", table,
		   mb_precision_name((mb_precision) precision), orders);
	}
}

/* A bottleneck wider than all that is around it crashed servers. */
static void
test_wide_bottleneck(const char *table)
{
	static const uint32_t shapes[][2] = {{8, 512}, {8, 112}, {64, 96}};
	int			precision;
	size_t		i;

	for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		for (precision = 0; precision < MB_PRECISIONS; precision++)
		{
			mb_config	config = variant(0);

			config.layers = 4;
			config.heads = 8;
			config.feedforwards = 1;
			config.trigram_input = 0;
			config.embedding_size = 4;
			config.hidden_size = config.intermediate_size = shapes[i][0];
			config.intra_bottleneck_size = shapes[i][1];
			ok(widths_agree(&config, (mb_precision) precision),
			   "%s %s: a bottleneck of %u between %u", table,
			   mb_precision_name((mb_precision) precision), shapes[i][1],
			   shapes[i][0]);
		}
}

/* Early stop and no layers at all */

static void
test_layers(void)
{
	static random_batch r;
	mb_config	config = variant(0);
	fixture    *f = make_fixture(&config, kernels);
	size_t		size;
	bool		equal;
	capture		all;
	capture		some;
	size_t		layers;

	fill_random(f);
	make_batch(&r, &config, 3);
	size = r.starts[3] * config.hidden_size * sizeof(float);
	run(&f->model, &r.batch, config.layers, &all, NULL, NULL);
	for (layers = 0; layers <= config.layers; layers++)
	{
		equal = run(&f->model, &r.batch, layers, &some, NULL, NULL) == MB_OK &&
			some.in_order && some.next_layer == layers + 1 &&
			memcmp(all.hidden, some.hidden, (layers + 1) * size) == 0;
		ok(equal, "stopping after %zu layers gives those layers", layers);
		free_capture(&some);
	}
	free_capture(&all);
	free_fixture(f);

	config.layers = 0;
	f = make_fixture(&config, kernels);
	fill_random(f);
	ok(run(&f->model, &r.batch, 0, &some, NULL, NULL) == MB_OK &&
	   some.next_layer == 1, "a model without layers gives its embeddings");
	free_capture(&some);
	free_fixture(f);
}

/* Without types, mask and pad_after: the same as all 0, all 1, all 0 */
static void
test_defaults(void)
{
	static random_batch r;
	mb_config	config = variant(0);
	fixture    *f = make_fixture(&config, kernels);
	capture		a;
	capture		b;

	fill_random(f);
	make_batch(&r, &config, 4);
	memset(r.types, 0, sizeof(r.types));
	memset(r.mask, 1, sizeof(r.mask));
	memset(r.pad_after, 0, sizeof(r.pad_after));
	run(&f->model, &r.batch, config.layers, &a, NULL, NULL);
	r.batch.types = NULL;
	r.batch.mask = NULL;
	r.batch.pad_after = NULL;
	run(&f->model, &r.batch, config.layers, &b, NULL, NULL);
	ok(memcmp(a.hidden, b.hidden, (config.layers + 1) * r.starts[4] *
			  config.hidden_size * sizeof(float)) == 0,
	   "absent types, mask and padding mean zeros, ones and none");
	free_capture(&a);
	free_capture(&b);
	free_fixture(f);
}

/* Cancel */

typedef struct countdown
{
	size_t		polls;
	size_t		stop;			/* true from this poll on */
} countdown;

static bool
count_down(void *context)
{
	countdown  *c = context;

	return c->polls++ >= c->stop;
}

static void
test_cancel(void)
{
	static random_batch r;
	mb_config	config = variant(0);
	fixture    *f = make_fixture(&config, kernels);
	countdown	count = {0, SIZE_MAX};
	mb_cancel	cancel = {count_down, &count};
	bool		stopped = true;
	size_t		polls;
	size_t		i;
	mb_error	err;

	fill_random(f);
	make_batch(&r, &config, 4);
	ok(run(&f->model, &r.batch, config.layers, NULL, &cancel, &err) == MB_OK,
	   "a cancel that never comes changes nothing");
	polls = count.polls;
	for (i = 0; i < polls && stopped; i += 1 + i / 4)
	{
		count.polls = 0;
		count.stop = i;
		stopped = run(&f->model, &r.batch, config.layers, NULL, &cancel,
					  &err) == MB_ERR_CANCELLED && count.polls == i + 1 &&
			err.status == MB_ERR_CANCELLED;
	}
	ok(stopped && polls > 60, "each of %zu polls can stop the pass", polls);
	free_fixture(f);
}

static mb_status
refuse_hidden(void *context, size_t layer, const float *states)
{
	(void) states;
	return layer == *(size_t *) context ? MB_ERR_IO : MB_OK;
}

static mb_status
refuse_attention(void *context, size_t layer, size_t sequence, size_t head,
				 size_t first, size_t queries, const float *p)
{
	(void) context;
	(void) queries;
	return layer == 1 && sequence == 1 && head == 2 && first == 0 &&
		p[0] <= 1.0f ? MB_ERR_IO : MB_OK;
}

static void
test_observers_stop(void)
{
	static random_batch r;
	mb_config	config = variant(0);
	fixture    *f = make_fixture(&config, kernels);
	size_t		layer;
	mb_observer hidden = {&layer, refuse_hidden, NULL};
	mb_observer attention = {NULL, NULL, refuse_attention};
	bool		stopped = true;
	const float *states;
	void	   *workspace = NULL;
	size_t		size;

	fill_random(f);
	make_batch(&r, &config, 4);
	size = mb_forward_memory(&f->model, r.starts[4], longest_of(&r.batch));
	if (posix_memalign(&workspace, 64, size) != 0)
		return;
	for (layer = 0; layer <= config.layers; layer++)
		if (mb_forward(&f->model, &r.batch, config.layers, &hidden, NULL,
					   workspace, size, &states, NULL) != MB_ERR_IO)
			stopped = false;
	ok(stopped, "an observer of states can end the pass at any layer");
	ok(mb_forward(&f->model, &r.batch, config.layers, &attention, NULL,
				  workspace, size, &states, NULL) == MB_ERR_IO,
	   "an observer of attention can end the pass");
	free(workspace);
	free_fixture(f);
}

/* Refusals */

static void
refused(const fixture *f, const mb_batch *batch, mb_status expected,
		const char *part, const char *what)
{
	mb_error	err;
	mb_status	status;

	memset(&err, 0, sizeof(err));
	status = run(&f->model, batch, 0, NULL, NULL, &err);
	ok(status == expected && err.status == expected &&
	   strstr(err.message, part) != NULL, "%s is refused: %s", what,
	   err.message);
}

static void
test_refusals(void)
{
	static const size_t empty[] = {0, 3, 3, 5};
	static const size_t late[] = {1, 5};
	static const size_t five[] = {0, 5};
	static const size_t seventeen[] = {0, 17};
	static const int32_t many[17] = {0};
	static const uint8_t none[] = {0, 0, 0, 0, 0};
	static const uint8_t two[] = {1, 1, 2, 1, 1};
	static const uint8_t yes[] = {1};
	mb_config	config = golden_config();
	fixture    *f = make_fixture(&config, kernels);
	int32_t		ids[] = {2, 7, 11, 5, 3};
	int32_t		types[] = {0, 0, 0, 1, 1};
	mb_batch	batch = {1, five, ids, types, NULL, NULL, false};

	fill_golden(f);
	ids[3] = 40;
	refused(f, &batch, MB_ERR_ARGUMENT, "40", "an id of V");
	ids[3] = -1;
	refused(f, &batch, MB_ERR_ARGUMENT, "-1", "a negative id");
	ids[3] = 5;
	types[4] = 2;
	refused(f, &batch, MB_ERR_ARGUMENT, "2", "a type of Y");
	types[4] = INT32_MIN;
	refused(f, &batch, MB_ERR_ARGUMENT, "type", "a negative type");
	types[4] = 1;
	batch.mask = none;
	refused(f, &batch, MB_ERR_ARGUMENT, "all 0", "a mask of zeros");
	batch.mask = two;
	refused(f, &batch, MB_ERR_ARGUMENT, "2", "a mask with a 2");
	batch.mask = NULL;
	batch.starts = empty;
	batch.sequences = 3;
	refused(f, &batch, MB_ERR_ARGUMENT, "sequence 1", "an empty sequence");
	batch.starts = late;
	batch.sequences = 1;
	refused(f, &batch, MB_ERR_ARGUMENT, "start", "a late start");
	batch.starts = five;
	batch.sequences = 0;
	refused(f, &batch, MB_ERR_ARGUMENT, "no sequences", "an empty batch");
	batch.sequences = 1;
	batch.starts = seventeen;
	batch.ids = many;
	batch.types = NULL;
	refused(f, &batch, MB_ERR_LIMIT, "17", "a sequence that is too long");
	batch.starts = five;
	batch.ids = ids;
	f->model.config.pad_token_id = 40;
	ok(run(&f->model, &batch, 0, NULL, NULL, NULL) == MB_OK,
	   "a pad id outside the table does no harm while it is not used");
	batch.pad_after = yes;
	refused(f, &batch, MB_ERR_ARGUMENT, "40", "a pad id outside the table");
	free_fixture(f);
}

static void
test_workspace(void)
{
	mb_config	config = golden_config();
	fixture    *f = make_fixture(&config, kernels);
	static const size_t five[] = {0, 5};
	mb_batch	batch = {1, five, golden_ids, NULL, NULL, NULL, false};
	size_t		size;
	const float *states = NULL;
	char	   *workspace = NULL;
	mb_error	err;

	fill_golden(f);
	size = mb_forward_memory(&f->model, 5, 5);
	if (posix_memalign((void **) &workspace, 64, size + 64) != 0)
		return;
	memset(workspace + size, 0x5a, 64);
	ok(mb_forward(&f->model, &batch, 3, NULL, NULL, workspace, size, &states,
				  &err) == MB_OK && workspace[size] == 0x5a,
	   "%zu bytes of workspace are enough for 5 tokens", size);
	ok(mb_forward(&f->model, &batch, 3, NULL, NULL, workspace, size - 1,
				  &states, &err) == MB_ERR_ARGUMENT,
	   "one byte less is refused");
	ok(mb_forward(&f->model, &batch, 3, NULL, NULL, NULL, 0, &states,
				  &err) == MB_ERR_ARGUMENT, "no workspace is refused");
	ok(mb_forward(&f->model, &batch, 3, NULL, NULL, workspace + 4, size,
				  &states, &err) == MB_ERR_ARGUMENT,
	   "a workspace off its alignment is refused");
	ok(mb_forward(&f->model, &batch, 4, NULL, NULL, workspace, size, &states,
				  &err) == MB_ERR_ARGUMENT, "more layers than the model has");
	ok(mb_forward_memory(&f->model, SIZE_MAX, 5) == SIZE_MAX &&
	   mb_forward_memory(&f->model, SIZE_MAX / 64, 5) == SIZE_MAX,
	   "sizes beyond size_t are told");
	free(workspace);
	free_fixture(f);
}

int
main(void)
{
	static const char *const tables[] = {
		"ref", "ref/openblas", SET_NAMES, MIXED_NAMES
	};
	size_t		i;

	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
	{
		kernels = find_table(tables[i]);
		if (kernels == NULL)
		{
			ok(true, "%s # SKIP not on this processor", tables[i]);
			continue;
		}
		mb_kernels_choose(kernels->name);	/* for vectors */
		printf("# table %s\n", tables[i]);
		test_g1();
		test_g2();
		test_g3();
		test_batches(tables[i]);
		test_stored_half(tables[i]);
		test_choice(tables[i]);
		test_tables_agree(tables[i]);
		test_positions(tables[i]);
		test_bias(tables[i]);
		test_no_bias(tables[i]);
		test_width_orders(tables[i]);
		test_wide_bottleneck(tables[i]);
	}
	kernels = mb_kernels_find("auto");
	test_buckets();
	test_layers();
	test_defaults();
	test_cancel();
	test_observers_stop();
	test_refusals();
	test_workspace();
	return done_testing();
}
