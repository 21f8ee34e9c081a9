/*-------------------------------------------------------------------------
 *
 * model.c
 *	  Placing the pointers of an mb_model.
 *
 * The slots are in execution order (checkpoint.c), so one cursor walks over
 * them and each tensor of a layer takes the next; no name is looked up.
 *
 * Depends on kernels/panels.h, model/model.h.
 *
 *-------------------------------------------------------------------------
 */
#include "model/model.h"

#include "kernels/panels.h"

#include <string.h>

/* Panels start at cache lines. */
#define PANEL_ALIGN 64

typedef struct cursor
{
	const mb_config *config;
	const void *const *tensors;
	const uint8_t *formats;		/* NULL: rows */
	size_t		at;				/* next slot */
	bool		missing;		/* a required tensor was NULL */
} cursor;

static const void *
take_optional(cursor *from)
{
	return from->tensors[from->at++];
}

static const void *
take(cursor *from)
{
	const void *tensor = take_optional(from);

	if (tensor == NULL)
		from->missing = true;
	return tensor;
}

static void
take_linear(cursor *from, mb_linear *linear)
{
	uint64_t	shape[2];

	(void) mb_slot_linear(from->config, from->at, shape);
	linear->n = (size_t) shape[0];
	linear->k = (size_t) shape[1];
	linear->format = from->formats == NULL ? MB_FORMAT_ROWS :
		(mb_format) from->formats[from->at];
	if (linear->format == MB_FORMAT_ROWS)
		linear->weight = take(from);
	else
		linear->panels = take(from);
	linear->bias = take(from);
}

static void
take_norm(cursor *from, mb_norm *norm)
{
	norm->weight = take(from);
	norm->bias = take(from);
}

/* A head's tensors when its part is there; else they are passed over. */
static void
take_head(cursor *from, uint32_t parts, mb_part part, mb_linear *linear)
{
	if (parts >> part & 1)
		take_linear(from, linear);
	else
		from->at += 2;
}

static void
take_embeddings(cursor *from, mb_model *model)
{
	model->word_embeddings = take(from);
	model->position_embeddings = take(from);
	model->type_embeddings = take(from);
	take_linear(from, &model->embedding_transformation);
	take_norm(from, &model->embedding_norm);
}

static void
take_layer(cursor *from, mb_layer *layer)
{
	const mb_config *config = from->config;
	uint32_t	i;

	if (config->use_bottleneck)
	{
		take_linear(from, &layer->bottleneck_input);
		take_norm(from, &layer->bottleneck_input_norm);
	}
	if (config->use_bottleneck && config->key_query_shared_bottleneck)
	{
		take_linear(from, &layer->bottleneck_attention);
		take_norm(from, &layer->bottleneck_attention_norm);
	}
	take_linear(from, &layer->query);
	take_linear(from, &layer->key);
	take_linear(from, &layer->value);
	take_linear(from, &layer->attention_output);
	take_norm(from, &layer->attention_norm);
	for (i = 0; i < config->feedforwards; i++)
	{
		take_linear(from, &layer->feedforwards[i].intermediate);
		take_linear(from, &layer->feedforwards[i].output);
		take_norm(from, &layer->feedforwards[i].norm);
	}
	if (config->use_bottleneck)
	{
		take_linear(from, &layer->bottleneck_output);
		take_norm(from, &layer->bottleneck_output_norm);
	}
}

/* mlm_dense has no elements, and may be absent, when E = H. */
static void
take_mlm(cursor *from, mb_model *model)
{
	const float *decoder;

	if ((model->parts >> MB_PART_MLM & 1) == 0)
	{
		from->at += 7;
		return;
	}
	take_linear(from, &model->mlm_transform);
	take_norm(from, &model->mlm_norm);
	decoder = take_optional(from);
	model->mlm_decoder = model->word_embeddings;
	if (model->parts >> MB_PART_MLM_UNTIED & 1)
	{
		model->mlm_decoder = decoder;
		if (decoder == NULL)
			from->missing = true;
	}
	if (model->config.embedding_size < model->config.hidden_size)
		model->mlm_dense = take(from);
	else
		model->mlm_dense = take_optional(from);
	model->mlm_bias = take(from);
}

/* The layers' structs and, in one block, those of their networks. */
static mb_status
allocate_layers(mb_model *model, mb_arena *arena, mb_error *err)
{
	size_t		layers = model->config.layers;
	size_t		networks = model->config.feedforwards;
	mb_feedforward *feedforwards;
	size_t		count;
	size_t		i;

	if (!mb_size_multiply(layers, networks, &count))
		return mb_fail(err, MB_ERR_LIMIT, "the model has too many layers");
	model->layers = mb_arena_zero(arena, layers, sizeof(mb_layer));
	feedforwards = mb_arena_zero(arena, count, sizeof(mb_feedforward));
	if (model->layers == NULL || feedforwards == NULL)
		return mb_fail(err, MB_ERR_MEMORY,
					   "not enough memory for %zu layers", layers);
	for (i = 0; i < layers; i++)
		model->layers[i].feedforwards = feedforwards + i * networks;
	return MB_OK;
}

mb_status
mb_model_bind(const mb_config *config, const mb_kernels *kernels,
			  uint32_t parts, const void *const *tensors,
			  const uint8_t *formats,
			  mb_arena *arena, mb_model *model, mb_error *err)
{
	cursor		from = {config, tensors, formats, 0, false};
	mb_status	status;
	uint32_t	i;

	memset(model, 0, sizeof(*model));
	model->config = *config;
	model->kernels = kernels;
	model->parts = parts;
	status = allocate_layers(model, arena, err);
	if (status != MB_OK)
		return status;

	take_embeddings(&from, model);
	for (i = 0; i < config->layers; i++)
		take_layer(&from, &model->layers[i]);
	take_head(&from, parts, MB_PART_POOLER, &model->pooler);
	take_mlm(&from, model);
	take_head(&from, parts, MB_PART_NSP, &model->nsp);
	take_head(&from, parts, MB_PART_CLASSIFIER, &model->classifier);
	take_head(&from, parts, MB_PART_QA, &model->qa);

	if (from.missing || from.at != mb_slot_count(config))
		return mb_fail(err, MB_ERR_ARGUMENT,
					   "the model lacks tensors of its parts");
	return MB_OK;
}

/* Packing in memory */

typedef struct packer
{
	mb_format	format;
	mb_arena   *arena;
	mb_error   *err;
	mb_status	status;
} packer;

static void
pack_linear(packer *p, mb_linear *linear)
{
	size_t		size;
	uintptr_t	at;

	if (p->status != MB_OK || linear->weight == NULL)
		return;
	if (!mb_format_size(p->format, linear->k, linear->n, &size))
	{
		p->status = mb_fail(p->err, MB_ERR_LIMIT, "the model is too large");
		return;
	}
	at = (uintptr_t) mb_arena_alloc(p->arena, size + PANEL_ALIGN, 1);
	if (at == 0)
	{
		p->status = mb_fail(p->err, MB_ERR_MEMORY,
							"not enough memory for panels of weights");
		return;
	}
	at = (at + PANEL_ALIGN - 1) / PANEL_ALIGN * PANEL_ALIGN;
	mb_format_pack(p->format, linear->weight, linear->k, linear->n,
				   (void *) at);
	linear->panels = (const void *) at;
	linear->format = p->format;
}

static void
pack_layer(packer *p, const mb_config *c, mb_layer *layer)
{
	uint32_t	i;

	pack_linear(p, &layer->bottleneck_input);
	pack_linear(p, &layer->bottleneck_attention);
	pack_linear(p, &layer->query);
	pack_linear(p, &layer->key);
	pack_linear(p, &layer->value);
	pack_linear(p, &layer->attention_output);
	for (i = 0; i < c->feedforwards; i++)
	{
		pack_linear(p, &layer->feedforwards[i].intermediate);
		pack_linear(p, &layer->feedforwards[i].output);
	}
	pack_linear(p, &layer->bottleneck_output);
}

mb_status
mb_model_pack(mb_model *model, mb_precision precision, mb_dtype dtype,
			  mb_arena *arena, mb_error *err)
{
	const mb_config *c = &model->config;
	packer		p = {mb_format_choose(model->kernels, precision, dtype), arena,
	err, MB_OK};
	uint32_t	i;

	pack_linear(&p, &model->embedding_transformation);
	for (i = 0; i < c->layers; i++)
		pack_layer(&p, c, &model->layers[i]);
	return p.status;
}
