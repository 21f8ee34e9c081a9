/*-------------------------------------------------------------------------
 *
 * fixture.h
 *	  Models of any configuration in memory: masked language model with tied
 *	  weights, next sentence and pooler, as far as the family has them.
 *
 *	make_fixture()		a model with room for every tensor of a configuration
 *						(derived sizes are set here); nothing in them yet;
 *						f->model.kernels may be changed before packing
 *	f->tensors			each with its name in a checkpoint, to be filled
 *	free_fixture()
 *
 * Weights are packed by the caller: mb_model_pack(), or with memory of its own.
 *
 * Depends on model.h; functions are static, like tap.h's.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FIXTURE_H
#define FIXTURE_H

#include "model/model.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_TENSORS 400

typedef struct tensor
{
	char		name[160];
	size_t		count;
	const float **target;		/* where the model wants it */
	float	   *data;
} tensor;

typedef struct fixture
{
	mb_model	model;
	mb_arena	panels;
	size_t		count;
	tensor		tensors[MOST_TENSORS];
} fixture;

static void __attribute__((format(printf, 4, 5)))
add(fixture *f, const float **target, size_t count, const char *format,...)
{
	tensor	   *t = &f->tensors[f->count++];
	va_list		args;

	va_start(args, format);
	vsnprintf(t->name, sizeof(t->name), format, args);
	va_end(args);
	t->count = count;
	t->target = target;
	t->data = malloc((count > 0 ? count : 1) * sizeof(float));
	*target = t->data;
}

static void
add_linear(fixture *f, mb_linear *linear, size_t out, size_t in,
		   const char *name)
{
	linear->n = out;
	linear->k = in;
	add(f, &linear->weight, out * in, "%s.weight", name);
	add(f, &linear->bias, out, "%s.bias", name);
}

static void
add_norm(fixture *f, mb_norm *norm, size_t width, const char *name)
{
	add(f, &norm->weight, width, "%s.LayerNorm.weight", name);
	add(f, &norm->bias, width, "%s.LayerNorm.bias", name);
}

/* "mobilebert.encoder.layer.<i>.<rest>"; good until the next call */
static const char *
in_layer(size_t i, const char *rest)
{
	static char name[128];

	snprintf(name, sizeof(name), "mobilebert.encoder.layer.%zu.%s", i, rest);
	return name;
}

static void
add_feedforwards(fixture *f, mb_layer *layer, size_t i)
{
	const mb_config *c = &f->model.config;
	size_t		j;

	layer->feedforwards = calloc(c->feedforwards, sizeof(mb_feedforward));
	for (j = 0; j < c->feedforwards; j++)
	{
		mb_feedforward *net = &layer->feedforwards[j];
		char		at[24] = "";
		char		rest[64];

		if (j + 1 < c->feedforwards)
			snprintf(at, sizeof(at), "ffn.%zu.", j);
		snprintf(rest, sizeof(rest), "%sintermediate.dense", at);
		add_linear(f, &net->intermediate, c->intermediate_size,
				   c->true_hidden_size, in_layer(i, rest));
		snprintf(rest, sizeof(rest), "%soutput.dense", at);
		add_linear(f, &net->output, c->true_hidden_size, c->intermediate_size,
				   in_layer(i, rest));
		snprintf(rest, sizeof(rest), "%soutput", at);
		add_norm(f, &net->norm, c->true_hidden_size, in_layer(i, rest));
	}
}

static void
add_layer(fixture *f, size_t i)
{
	const mb_config *c = &f->model.config;
	mb_layer   *layer = &f->model.layers[i];
	size_t		inner = c->true_hidden_size;
	size_t		hidden = c->hidden_size;
	size_t		wide = c->attention_size;

	add_linear(f, &layer->query, wide, inner,
			   in_layer(i, "attention.self.query"));
	add_linear(f, &layer->key, wide, inner, in_layer(i, "attention.self.key"));
	add_linear(f, &layer->value, wide, c->value_input_size,
			   in_layer(i, "attention.self.value"));
	add_linear(f, &layer->attention_output, inner, inner,
			   in_layer(i, "attention.output.dense"));
	add_norm(f, &layer->attention_norm, inner, in_layer(i, "attention.output"));
	add_feedforwards(f, layer, i);
	if (!c->use_bottleneck)
		return;
	add_linear(f, &layer->bottleneck_input, inner, hidden,
			   in_layer(i, "bottleneck.input.dense"));
	add_norm(f, &layer->bottleneck_input_norm, inner,
			 in_layer(i, "bottleneck.input"));
	add_linear(f, &layer->bottleneck_output, hidden, inner,
			   in_layer(i, "output.bottleneck.dense"));
	add_norm(f, &layer->bottleneck_output_norm, hidden,
			 in_layer(i, "output.bottleneck"));
	if (!c->key_query_shared_bottleneck)
		return;
	add_linear(f, &layer->bottleneck_attention, inner, hidden,
			   in_layer(i, "bottleneck.attention.dense"));
	add_norm(f, &layer->bottleneck_attention_norm, inner,
			 in_layer(i, "bottleneck.attention"));
}

static void
add_heads(fixture *f)
{
	mb_model   *m = &f->model;
	size_t		hidden = m->config.hidden_size;
	size_t		words = m->config.vocab_size;
	size_t		width = m->config.project_after_norm ?
		m->config.embedding_size : hidden;
	size_t		extra = width > m->config.embedding_size ?
		width - m->config.embedding_size : 0;
	const uint32_t *parts =
		mb_family_of(&m->config)->parts + MB_ARCH_PRETRAINING;

	add(f, &m->mlm_bias, words, "cls.predictions.bias");
	m->mlm_decoder = m->word_embeddings;
	add(f, &m->mlm_dense, extra * words, "cls.predictions.dense.weight");
	add_linear(f, &m->mlm_transform, width, hidden,
			   "cls.predictions.transform.dense");
	add_norm(f, &m->mlm_norm, width, "cls.predictions.transform");
	if (*parts >> MB_PART_NSP & 1)
		add_linear(f, &m->nsp, 2, hidden, "cls.seq_relationship");
	if (*parts >> MB_PART_POOLER & 1 && m->config.classifier_activation)
		add_linear(f, &m->pooler, hidden, hidden, "mobilebert.pooler.dense");
}

/* Derived sizes, and room for every tensor. */
static fixture *
make_fixture(const mb_config *config, const mb_kernels *kernels)
{
	fixture    *f = calloc(1, sizeof(fixture));
	mb_model   *m = &f->model;
	mb_config  *c = &m->config;
	size_t		width;
	size_t		i;

	mb_arena_init(&f->panels, &mb_libc_memory, SIZE_MAX);
	*c = *config;
	m->kernels = kernels;
	mb_config_derive(c);
	/* a bias may be tried with every family's layers */
	c->relative_buckets = config->relative_buckets;
	add(f, &m->word_embeddings, (size_t) c->vocab_size * c->embedding_size,
		"mobilebert.embeddings.word_embeddings.weight");
	width = c->project_after_norm ? c->embedding_size : c->hidden_size;
	add(f, &m->position_embeddings, c->max_positions * width,
		"mobilebert.embeddings.position_embeddings.weight");
	if (c->type_vocab_size > 0)
		add(f, &m->type_embeddings, c->type_vocab_size * width,
			"mobilebert.embeddings.token_type_embeddings.weight");
	if (c->family == MB_FAMILY_MOBILEBERT || c->embedding_size != c->hidden_size)
		add_linear(f, &m->embedding_transformation, c->hidden_size,
				   c->embedding_size * (c->trigram_input ? 3 : 1),
				   "mobilebert.embeddings.embedding_transformation");
	add_norm(f, &m->embedding_norm, width, "mobilebert.embeddings");
	if (c->relative_buckets > 0)
		add(f, &m->relative_bias,
			(size_t) c->relative_buckets * c->heads,
			"mobilebert.encoder.relative_attention_bias.weight");
	m->layers = calloc(c->layers > 0 ? c->layers : 1, sizeof(mb_layer));
	for (i = 0; i < c->layers; i++)
		add_layer(f, i);
	add_heads(f);
	return f;
}

static void
free_fixture(fixture *f)
{
	size_t		i;

	for (i = 0; i < f->count; i++)
		free(f->tensors[i].data);
	for (i = 0; i < f->model.config.layers; i++)
		free(f->model.layers[i].feedforwards);
	free(f->model.layers);
	mb_arena_free(&f->panels);
	free(f);
}

static bool
scales(const char *name)
{
	size_t		length = strlen(name);

	return length >= 16 && strcmp(name + length - 16, "LayerNorm.weight") == 0;
}

#endif							/* FIXTURE_H */
