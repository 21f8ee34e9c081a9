/*-------------------------------------------------------------------------
 *
 * test_heads.c
 *	  Logits of each head of each family against plain sums, with every table of
 *	  kernels; which heads a model has; errors.
 *
 * The vocabulary is longer than heads.c's blocks and no multiple of them.
 *
 *-------------------------------------------------------------------------
 */
#include "kernels/choose.h"
#include "encoder/forward.h"
#include "encoder/heads.h"

#include "sets.h"
#include "tap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define H 20
#define E 12
#define V 1300
#define K 5

/* The table that is tested */
static const mb_kernels *kernels;

static float state[H];
static float pooler_weight[H * H];
static float pooler_bias[H];
static float transform_weight[H * H];
static float transform_bias[H];
static float norm_weight[H];
static float norm_bias[H];
static float decoder[V * E];
static float dense[(H - E) * V];
static float mlm_bias[V];
static float head_weight[K * H];
static float head_bias[K];
static float before_weight[H * H];
static float before_bias[H];

static void
fill(float *x, size_t count, uint32_t seed)
{
	size_t		i;

	for (i = 0; i < count; i++)
	{
		seed = seed * 1664525 + 1013904223;
		x[i] = (float) (seed >> 8) / (1 << 23) - 1;
	}
}

static void
fill_all(void)
{
	fill(state, H, 1);
	fill(pooler_weight, H * H, 2);
	fill(pooler_bias, H, 3);
	fill(transform_weight, H * H, 4);
	fill(transform_bias, H, 5);
	fill(norm_weight, H, 6);
	fill(norm_bias, H, 7);
	fill(decoder, V * E, 8);
	fill(dense, (H - E) * V, 9);
	fill(mlm_bias, V, 10);
	fill(head_weight, K * H, 11);
	fill(head_bias, K, 12);
	fill(before_weight, H * H, 13);
	fill(before_bias, H, 14);
}

static void
set_linear(mb_linear *linear, const float *weight, const float *bias, size_t n)
{
	linear->weight = weight;
	linear->bias = bias;
	linear->n = n;
	linear->k = H;
}

/* A model with all heads, or those of "parts". */
static mb_model
make_model(mb_architecture architecture, uint32_t parts)
{
	mb_model	model;

	memset(&model, 0, sizeof(model));
	model.kernels = kernels;
	model.config.hidden_size = H;
	model.config.embedding_size = E;
	model.config.vocab_size = V;
	model.config.num_labels = K;
	model.config.layer_norm_eps = 1e-12f;
	model.config.classifier_activation = 1;
	model.config.architecture = (uint8_t) architecture;
	model.parts = parts | 1u << MB_PART_BASE;
	if (parts & 1u << MB_PART_POOLER)
		set_linear(&model.pooler, pooler_weight, pooler_bias, H);
	if (parts & 1u << MB_PART_MLM)
	{
		set_linear(&model.mlm_transform, transform_weight, transform_bias, H);
		model.mlm_norm.weight = norm_weight;
		model.mlm_norm.bias = norm_bias;
		model.mlm_decoder = decoder;
		model.mlm_dense = dense;
		model.mlm_bias = mlm_bias;
	}
	if (parts & 1u << MB_PART_NSP)
		set_linear(&model.nsp, head_weight, head_bias, 2);
	if (parts & 1u << MB_PART_CLASSIFIER)
		set_linear(&model.classifier, head_weight, head_bias, K);
	if (parts & 1u << MB_PART_QA)
	{
		model.config.num_labels = 2;
		set_linear(&model.qa, head_weight, head_bias, 2);
	}
	return model;
}

/* y[n] = w[n, k] x[k] + b[n] */
static void
plain_dense(const float *w, const float *b, const double *x, size_t k,
			double *y, size_t n)
{
	size_t		i;
	size_t		j;

	for (i = 0; i < n; i++)
	{
		y[i] = b[i];
		for (j = 0; j < k; j++)
			y[i] += (double) w[i * k + j] * x[j];
	}
}

/* The formula of model.md 5.2; relu */
static void
plain_vocabulary(double *out)
{
	double		x[H];
	double		t[H];
	double		mean = 0;
	double		variance = 0;
	size_t		i;
	size_t		v;

	for (i = 0; i < H; i++)
		x[i] = state[i];
	plain_dense(transform_weight, transform_bias, x, H, t, H);
	for (i = 0; i < H; i++)
	{
		t[i] = t[i] > 0 ? t[i] : 0;
		mean += t[i] / H;
	}
	for (i = 0; i < H; i++)
		variance += (t[i] - mean) * (t[i] - mean) / H;
	for (i = 0; i < H; i++)
		t[i] = (t[i] - mean) / sqrt(variance + 1e-12) * norm_weight[i] +
			norm_bias[i];
	for (v = 0; v < V; v++)
	{
		out[v] = mlm_bias[v];
		for (i = 0; i < E; i++)
			out[v] += t[i] * decoder[v * E + i];
		for (i = 0; i < H - E; i++)
			out[v] += t[E + i] * dense[i * V + v];
	}
}

/* The logits of a dense head, over the pooled state or the state itself. */
static void
plain_head(bool pooled, double *out, size_t n)
{
	double		x[H];
	double		p[H];
	size_t		i;

	for (i = 0; i < H; i++)
		x[i] = state[i];
	if (pooled)
	{
		plain_dense(pooler_weight, pooler_bias, x, H, p, H);
		for (i = 0; i < H; i++)
			x[i] = tanh(p[i]);
	}
	plain_dense(head_weight, head_bias, x, H, out, n);
}

static void
check_head(const char *kernels, mb_task task, mb_architecture architecture,
		   uint32_t parts, size_t width)
{
	mb_model	model = make_model(architecture, parts);
	float	   *out = malloc((V + 1) * sizeof(float));
	double	   *expected = malloc(V * sizeof(double));
	float		scratch[H];
	double		worst = 0;
	mb_error	err;
	mb_status	status;
	size_t		i;

	if (task == MB_TASK_FILL_MASK)
		plain_vocabulary(expected);
	else
		plain_head(mb_head_pooled(task), expected, width);
	out[width] = 12345;
	status = mb_head_logits(&model, task, state, scratch, out, NULL, &err);
	for (i = 0; i < width; i++)
	{
		if (!(fabs(out[i] - expected[i]) <= worst))
			worst = fabs(out[i] - expected[i]);
	}
	ok(mb_head_width(&model, task) == width,
	   "%s %s: %zu numbers in a row", kernels, mb_task_name(task), width);
	ok(status == MB_OK && worst < 1e-5 && out[width] == 12345,
	   "%s %s: as plain sums, within %.2g", kernels, mb_task_name(task),
	   worst);
	free(out);
	free(expected);
}

static void
check_heads(const char *kernels)
{
	const uint32_t pooler = 1u << MB_PART_POOLER;

	check_head(kernels, MB_TASK_FILL_MASK, MB_ARCH_MASKED_LM,
			   1u << MB_PART_MLM, V);
	check_head(kernels, MB_TASK_NEXT_SENTENCE, MB_ARCH_NEXT_SENTENCE,
			   pooler | 1u << MB_PART_NSP, 2);
	check_head(kernels, MB_TASK_CLASSIFY, MB_ARCH_SEQUENCE,
			   pooler | 1u << MB_PART_CLASSIFIER, K);
	check_head(kernels, MB_TASK_CHOOSE, MB_ARCH_MULTIPLE_CHOICE,
			   pooler | 1u << MB_PART_CLASSIFIER, 1);
	check_head(kernels, MB_TASK_NER, MB_ARCH_TOKEN,
			   1u << MB_PART_CLASSIFIER, K);
	check_head(kernels, MB_TASK_ANSWER, MB_ARCH_QUESTION, 1u << MB_PART_QA, 2);
}

/* ----------
 * Heads of other families: a dense layer with an activation before them
 * ----------
 */

typedef enum before
{
	BEFORE_RELU,
	BEFORE_GELU,
	BEFORE_TANH,
	BEFORE_NOTHING
} before;

/* As plain_head(), with the layer before it of that kind; or it is left out. */
static void
plain_family_head(before kind, bool dense, double *out, size_t n)
{
	double		x[H];
	double		p[H];
	size_t		i;

	for (i = 0; i < H; i++)
		x[i] = p[i] = state[i];
	if (dense)
		plain_dense(before_weight, before_bias, x, H, p, H);
	for (i = 0; i < H; i++)
	{
		if (kind == BEFORE_RELU)
			p[i] = p[i] > 0 ? p[i] : 0;
		else if (kind == BEFORE_GELU)
			p[i] = 0.5 * p[i] * (1 + erf(p[i] / sqrt(2)));
		else if (kind == BEFORE_TANH)
			p[i] = tanh(p[i]);
	}
	plain_dense(head_weight, head_bias, p, H, out, n);
}

/* All layers that heads have before them, and the heads that are behind them */
static mb_model
make_family_model(mb_family_number family, mb_architecture architecture)
{
	mb_model	model = make_model(architecture, 1u << MB_PART_CLASSIFIER |
								   1u << MB_PART_PRECLASSIFIER |
								   1u << MB_PART_SEQUENCE |
								   1u << MB_PART_DISCRIMINATOR);

	model.config.family = (uint8_t) family;
	model.config.activation = MB_ACT_RELU;
	model.config.summary_activation = MB_ACT_TANH;
	set_linear(&model.preclassifier, before_weight, before_bias, H);
	set_linear(&model.sequence_dense, before_weight, before_bias, H);
	set_linear(&model.sequence_output, head_weight, head_bias, K);
	set_linear(&model.discriminator_dense, before_weight, before_bias, H);
	set_linear(&model.discriminator, head_weight, head_bias, 1);
	return model;
}

static void
check_family_head(const char *table, const mb_model *model, mb_task task,
				  before kind, bool dense, size_t width)
{
	double		expected[K];
	float		out[K + 1];
	float		scratch[H];
	double		worst = 0;
	mb_error	err;
	mb_status	status;
	size_t		i;

	plain_family_head(kind, dense, expected, width);
	out[width] = 12345;
	status = mb_head_logits(model, task, state, scratch, out, NULL, &err);
	for (i = 0; i < width; i++)
		worst = fmax(worst, fabs(out[i] - expected[i]));
	ok(status == MB_OK && worst < 1e-5 && out[width] == 12345 &&
	   mb_head_width(model, task) == width && mb_head_scratch(model) == H,
	   "%s %s of %s: as plain sums, within %.2g", table, mb_task_name(task),
	   mb_family_of(&model->config)->model_type, worst);
}

static void
check_family_heads(const char *table)
{
	mb_model	m = make_family_model(MB_FAMILY_DISTILBERT, MB_ARCH_SEQUENCE);

	check_family_head(table, &m, MB_TASK_CLASSIFY, BEFORE_RELU, true, K);
	m = make_family_model(MB_FAMILY_DISTILBERT, MB_ARCH_MULTIPLE_CHOICE);
	check_family_head(table, &m, MB_TASK_CHOOSE, BEFORE_RELU, true, 1);
	m = make_family_model(MB_FAMILY_ELECTRA, MB_ARCH_SEQUENCE);
	check_family_head(table, &m, MB_TASK_CLASSIFY, BEFORE_GELU, true, K);
	m = make_family_model(MB_FAMILY_ELECTRA, MB_ARCH_PRETRAINING);
	check_family_head(table, &m, MB_TASK_REPLACED_TOKEN, BEFORE_RELU, true, 1);
	m = make_family_model(MB_FAMILY_ELECTRA, MB_ARCH_MULTIPLE_CHOICE);
	check_family_head(table, &m, MB_TASK_CHOOSE, BEFORE_TANH, true, 1);
	m.config.summary_activation = MB_ACT_LINEAR;
	check_family_head(table, &m, MB_TASK_CHOOSE, BEFORE_NOTHING, true, 1);
	memset(&m.preclassifier, 0, sizeof(mb_linear));
	check_family_head(table, &m, MB_TASK_CHOOSE, BEFORE_NOTHING, false, 1);
	m.config.summary_activation = MB_ACT_TANH;
	check_family_head(table, &m, MB_TASK_CHOOSE, BEFORE_TANH, false, 1);
	m = make_family_model(MB_FAMILY_MPNET, MB_ARCH_SEQUENCE);
	check_family_head(table, &m, MB_TASK_CLASSIFY, BEFORE_TANH, true, K);
}

/* ELECTRA's generator may be wider than the encoder: so is the scratch. */
static void
check_wide_generator(void)
{
	mb_model	model = make_model(MB_ARCH_MASKED_LM, 1u << MB_PART_MLM);

	model.mlm_transform.n = H + 7;
	ok(mb_head_scratch(&model) == H + 7, "scratch of a wide generator");
}

static bool
always(void *context)
{
	(void) context;
	return true;
}

static void
check_errors(void)
{
	const mb_task tasks[] = {
		MB_TASK_EMBED, MB_TASK_POOLER, MB_TASK_FILL_MASK,
		MB_TASK_NEXT_SENTENCE, MB_TASK_CLASSIFY, MB_TASK_NER, MB_TASK_ANSWER,
		MB_TASK_CHOOSE, (mb_task) 0, (mb_task) 3, (mb_task) 1024
	};
	const mb_cancel cancel = {always, NULL};
	mb_model	base = make_model(MB_ARCH_MODEL, 1u << MB_PART_POOLER);
	mb_model	mlm = make_model(MB_ARCH_MASKED_LM, 1u << MB_PART_MLM);
	mb_model	ner = make_model(MB_ARCH_TOKEN, 1u << MB_PART_CLASSIFIER);
	mb_model	nsp = make_model(MB_ARCH_NEXT_SENTENCE, 1u << MB_PART_NSP);
	float		scratch[H];
	float	   *out = malloc(V * sizeof(float));
	mb_error	err;
	size_t		i;
	bool		refused = true;

	for (i = 0; i < sizeof(tasks) / sizeof(tasks[0]); i++)
	{
		refused = refused && mb_head_width(&base, tasks[i]) == 0 &&
			mb_head_logits(&base, tasks[i], state, scratch, out, NULL,
						   &err) == MB_ERR_UNSUPPORTED;
	}
	ok(refused, "a base model has no head");
	ok(mb_head_width(&ner, MB_TASK_CLASSIFY) == 0 &&
	   mb_head_logits(&ner, MB_TASK_CLASSIFY, state, scratch, out, NULL,
					  &err) == MB_ERR_UNSUPPORTED &&
	   strstr(err.message, "\"classify\"") != NULL,
	   "a classifier of tokens is none of texts: %s", err.message);
	ok(mb_head_logits(&nsp, MB_TASK_NEXT_SENTENCE, state, scratch, out, NULL,
					  &err) == MB_ERR_UNSUPPORTED,
	   "no pooler, no head that needs it");
	ok(mb_head_logits(&mlm, MB_TASK_FILL_MASK, state, scratch, out, &cancel,
					  &err) == MB_ERR_CANCELLED, "a cancel is heard");
	ok(mb_head_logits(&ner, MB_TASK_NER, state, scratch, out, &cancel,
					  &err) == MB_ERR_CANCELLED, "by a dense head too");
	free(out);
}

int
main(void)
{
	static const char *const tables[] = {"ref", VECTOR_SET_NAMES};
	size_t		i;

	fill_all();
	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
	{
		kernels = mb_kernels_find(tables[i]);
		if (kernels != NULL)
		{
			check_heads(tables[i]);
			check_family_heads(tables[i]);
		}
	}
	check_wide_generator();
	kernels = mb_kernels_find("auto");
	check_errors();
	return done_testing();
}
