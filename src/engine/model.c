/*-------------------------------------------------------------------------
 *
 * model.c
 *	  Placing the pointers of an mb_model.
 *
 * The slots are in execution order (checkpoint.c), so one cursor walks over
 * them and each tensor of a layer takes the next; no name is looked up.
 *
 * Depends on model.h.
 *
 *-------------------------------------------------------------------------
 */
#include "model.h"

#include <string.h>

typedef struct cursor
{
	const float *const *tensors;
	size_t		at;				/* next slot */
	bool		missing;		/* a required tensor was NULL */
} cursor;

static const float *
take_optional(cursor *from)
{
	return from->tensors[from->at++];
}

static const float *
take(cursor *from)
{
	const float *tensor = take_optional(from);

	if (tensor == NULL)
		from->missing = true;
	return tensor;
}

static void
take_linear(cursor *from, mb_linear *linear)
{
	linear->weight = take(from);
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
take_layer(cursor *from, const mb_config *config, mb_layer *layer)
{
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

/* The layers' structs and, behind each other, those of their networks. */
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
mb_model_bind(const mb_config *config, uint32_t parts,
			  const float *const *tensors, mb_arena *arena, mb_model *model,
			  mb_error *err)
{
	cursor		from = {tensors, 0, false};
	mb_status	status;
	uint32_t	i;

	memset(model, 0, sizeof(*model));
	model->config = *config;
	model->parts = parts;
	status = allocate_layers(model, arena, err);
	if (status != MB_OK)
		return status;

	take_embeddings(&from, model);
	for (i = 0; i < config->layers; i++)
		take_layer(&from, config, &model->layers[i]);
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
