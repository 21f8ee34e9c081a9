/*-------------------------------------------------------------------------
 *
 * test_polls.c
 *	  How far apart the looks for a cancel are in a pass: operations between two
 *	  of them, counted, for every instruction set and precision.
 *
 * Operations and not time, which a busy machine decides.  The kernels of a
 * model are wrapped, and each adds what it was asked for: multiply-adds of
 * products, and a number each for what is prepared, packed or exponentiated.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/forward.h"
#include "encoder/heads.h"
#include "kernels/choose.h"

#include "fixture.h"
#include "tables.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>

#define LENGTH 256

/* Operations between two polls at most, whatever the model. */
#define BOUND ((size_t) 1 << 24)

static const mb_kernels *original;
static mb_kernels counting;
static mb_linear_kernel linear[MB_FORMATS];
static mb_attention_kernel attention;
static size_t since;			/* the last poll */
static size_t longest;

static void
count(size_t operations)
{
	since += operations;
	if (since > longest)
		longest = since;
}

static bool
poll(void *context)
{
	(void) context;
	since = 0;
	return false;
}

static void
count_run(const mb_product *p)
{
	count(p->rows * p->k * p->width);
	original->linear[p->linear->format]->run(p);
}

/* What is prepared has no format in its arguments: one function for each. */
#define COUNT_PREPARE(format) \
	static void \
	count_prepare_##format(const float *x, size_t rows, size_t k, \
						   void *operand) \
	{ \
		count(rows * k); \
		original->linear[format]->prepare(x, rows, k, operand); \
	}
COUNT_PREPARE(MB_FORMAT_FLOAT)
COUNT_PREPARE(MB_FORMAT_BF16X3)
COUNT_PREPARE(MB_FORMAT_BF16)
COUNT_PREPARE(MB_FORMAT_INT8)
COUNT_PREPARE(MB_FORMAT_FLOAT_SPLIT)

static void
count_attention(const mb_attention *a)
{
	count(2 * a->rows * a->length * a->size);
	original->attention->run(a);
}

static void
count_keys(const float *x, size_t ld, size_t rows, size_t width, void *panels)
{
	count(rows * width);
	original->attention->pack_keys(x, ld, rows, width, panels);
}

static void
count_values(const float *x, size_t ld, size_t rows, size_t width,
			 void *panels)
{
	count(rows * width);
	original->attention->pack_values(x, ld, rows, width, panels);
}

static void
count_matrix(const float *a, size_t lda, const float *panels, float scale,
			 float *y, size_t ldy, size_t m, size_t n, size_t k)
{
	count(m * n * k);
	original->matrix(a, lda, panels, scale, y, ldy, m, n, k);
}

static double
count_exponentials(float *x, const uint8_t *mask, size_t width)
{
	count(width);
	return original->exponentials(x, mask, width);
}

static void
count_add(const float *x, const float *r, float *y, size_t width)
{
	count(width);
	original->add(x, r, y, width);
}

static double
count_dot(const float *a, const float *b, size_t n)
{
	count(n);
	return original->dot_wide(a, b, n);
}

static void
wrap(const mb_kernels *kernels)
{
	static void (*const prepare[MB_FORMATS]) (const float *, size_t, size_t,
											  void *) = {
		[MB_FORMAT_FLOAT] = count_prepare_MB_FORMAT_FLOAT,
		[MB_FORMAT_BF16X3] = count_prepare_MB_FORMAT_BF16X3,
		[MB_FORMAT_BF16] = count_prepare_MB_FORMAT_BF16,
		[MB_FORMAT_INT8] = count_prepare_MB_FORMAT_INT8,
		[MB_FORMAT_FLOAT_SPLIT] = count_prepare_MB_FORMAT_FLOAT_SPLIT
	};
	int			i;

	original = kernels;
	counting = *kernels;
	for (i = 0; i < MB_FORMATS; i++)
	{
		if (kernels->linear[i] == NULL)
			continue;
		linear[i] = *kernels->linear[i];
		linear[i].run = count_run;
		if (linear[i].prepare != NULL && prepare[i] != NULL)
			linear[i].prepare = prepare[i];
		counting.linear[i] = &linear[i];
	}
	if (kernels->attention != NULL)
	{
		attention = *kernels->attention;
		attention.run = count_attention;
		attention.pack_keys = count_keys;
		attention.pack_values = count_values;
		counting.attention = &attention;
	}
	counting.matrix = count_matrix;
	counting.exponentials = count_exponentials;
	counting.add = count_add;
	counting.dot_wide = count_dot;
}

/* One layer as published, and one of MPNet's structure with one wide head. */
static mb_config
shape(bool wide)
{
	mb_config	c;

	memset(&c, 0, sizeof(c));
	c.vocab_size = 600;
	c.hidden_size = 512;
	c.layers = 1;
	c.heads = wide ? 1 : 4;
	c.intermediate_size = 512;
	c.activation = MB_ACT_RELU;
	c.max_positions = LENGTH;
	c.type_vocab_size = 2;
	c.layer_norm_eps = 1e-12f;
	c.embedding_size = wide ? 512 : 128;
	c.trigram_input = !wide;
	c.use_bottleneck = !wide;
	c.intra_bottleneck_size = 128;
	c.key_query_shared_bottleneck = !wide;
	c.feedforwards = 1;
	c.layer_norm = wide;
	c.relative_buckets = wide ? 32 : 0;
	c.classifier_activation = 1;
	return c;
}

static fixture *
make_model(bool wide, mb_precision precision)
{
	mb_config	config = shape(wide);
	fixture    *f = make_fixture(&config, &counting);
	size_t		i;
	size_t		j;

	for (i = 0; i < f->count; i++)
		for (j = 0; j < f->tensors[i].count; j++)
			f->tensors[i].data[j] = 0.001f * (float) (j % 31) - 0.015f +
				(scales(f->tensors[i].name) ? 1.0f : 0.0f);
	f->model.parts = 1u << MB_PART_BASE | 1u << MB_PART_POOLER |
		1u << MB_PART_MLM | 1u << MB_PART_NSP;
	if (mb_model_pack(&f->model, precision, MB_DTYPE_F32, &f->panels,
					  NULL) != MB_OK)
		abort();
	return f;
}

/* A pass over so many sequences, and then a head on a state of it. */
static bool
run(const fixture *f, size_t sequences)
{
	static int32_t ids[LENGTH];
	static size_t starts[LENGTH + 1];
	static float scratch[512];
	static float out[600];
	const mb_cancel cancel = {poll, NULL};
	mb_batch	batch = {sequences, starts, ids, NULL, NULL, NULL, false};
	size_t		size = mb_forward_memory(&f->model, LENGTH, LENGTH / sequences);
	const float *states = NULL;
	void	   *workspace;
	bool		good;
	size_t		i;
	mb_error	err;

	for (i = 0; i <= sequences; i++)
		starts[i] = i * (LENGTH / sequences);
	for (i = 0; i < LENGTH; i++)
		ids[i] = (int32_t) (i * 7 % f->model.config.vocab_size);
	if (posix_memalign(&workspace, 64, size) != 0)
		return false;
	since = 0;
	good = mb_forward(&f->model, &batch, 1, NULL, &cancel, workspace, size,
					  &states, &err) == MB_OK;
	good = good && mb_head_logits(&f->model, MB_TASK_FILL_MASK, states,
								  scratch, out, &cancel, &err) == MB_OK;
	good = good && mb_head_logits(&f->model, MB_TASK_NEXT_SENTENCE, states,
								  scratch, out, &cancel, &err) == MB_OK;
	free(workspace);
	return good;
}

int
main(void)
{
	static const char *const tables[] = {
		"ref", "ref/openblas", SET_NAMES
	};
	size_t		t;
	int			precision;
	int			wide;

	for (t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
	{
		const mb_kernels *kernels = find_table(tables[t]);

		if (kernels == NULL)
		{
			ok(true, "%s # SKIP not on this processor", tables[t]);
			continue;
		}
		wrap(kernels);
		for (wide = 0; wide < 2; wide++)
			for (precision = 0; precision < MB_PRECISIONS; precision++)
			{
				fixture    *f;
				bool		good;

				/* attention in float, and in fewer bits */
				if (wide && precision != MB_PRECISION_FP32 &&
					precision != MB_PRECISION_INT8)
					continue;
				f = make_model(wide != 0, (mb_precision) precision);
				longest = 0;
				good = run(f, 1) && run(f, LENGTH / 8);
				ok(good && longest > 0 && longest <= BOUND,
				   "%s %s, %s: %zu thousand operations between polls at most",
				   tables[t], mb_precision_name((mb_precision) precision),
				   wide ? "one head of 512" : "as published",
				   longest / 1000);
				free_fixture(f);
			}
	}
	return done_testing();
}
