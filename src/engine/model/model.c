/*-------------------------------------------------------------------------
 *
 * model.c
 *	  Placing the pointers of an mb_model; what a precision means.
 *
 * Each slot names its site (family.h); a table says which member of the structs
 * that is.
 *
 * Depends on kernels/panels.h.
 *
 *-------------------------------------------------------------------------
 */
#include "model/model.h"

#include "kernels/panels.h"

#include <stddef.h>
#include <string.h>

/* ----------
 * Precisions
 * ----------
 */

static const char *const precision_names[MB_PRECISIONS] = {
	[MB_PRECISION_FP32] = "fp32",
	[MB_PRECISION_BF16X3] = "bf16x3",
	[MB_PRECISION_BF16] = "bf16",
	[MB_PRECISION_INT8] = "int8"
};

const char *
mb_precision_name(mb_precision precision)
{
	return (unsigned int) precision < MB_PRECISIONS ?
		precision_names[precision] : NULL;
}

bool
mb_precision_from_name(const char *name, mb_precision *precision)
{
	int			i;

	for (i = 0; i < MB_PRECISIONS; i++)
	{
		if (strcmp(name, precision_names[i]) == 0)
		{
			*precision = (mb_precision) i;
			return true;
		}
	}
	return false;
}

mb_format
mb_format_choose(const mb_kernels *kernels, mb_precision precision,
				 mb_dtype dtype)
{
	bool		split = kernels->split;

	switch (precision)
	{
		case MB_PRECISION_BF16X3:
			return MB_FORMAT_BF16X3;
		case MB_PRECISION_BF16:
			return MB_FORMAT_BF16;
		case MB_PRECISION_INT8:
			return MB_FORMAT_INT8;
		default:
			break;
	}
	if (dtype == MB_DTYPE_F16)
		return split ? MB_FORMAT_HALF_SPLIT : MB_FORMAT_HALF;
	if (dtype == MB_DTYPE_BF16)
		return split ? MB_FORMAT_BFLOAT_SPLIT : MB_FORMAT_BFLOAT;
	return split ? MB_FORMAT_FLOAT_SPLIT : MB_FORMAT_FLOAT;
}

/* ----------
 * Placing
 * ----------
 */

/* Panels start at cache lines. */
#define PANEL_ALIGN 64

typedef enum place_kind
{
	PLACE_TABLE,				/* const float * */
	PLACE_LINEAR,
	PLACE_NORM
} place_kind;

typedef enum place_owner
{
	OWNER_MODEL,
	OWNER_LAYER,
	OWNER_NETWORK,				/* mb_feedforward */
	OWNER_MODULE				/* mb_module_weights */
} place_owner;

typedef struct place
{
	uint8_t		kind;
	uint8_t		owner;
	size_t		offset;
} place;

#define IN_MODEL(kind, member) \
	{PLACE_##kind, OWNER_MODEL, offsetof(mb_model, member)}
#define IN_LAYER(kind, member) \
	{PLACE_##kind, OWNER_LAYER, offsetof(mb_layer, member)}
#define IN_NETWORK(kind, member) \
	{PLACE_##kind, OWNER_NETWORK, offsetof(mb_feedforward, member)}
#define IN_MODULE(kind, member) \
	{PLACE_##kind, OWNER_MODULE, offsetof(mb_module_weights, member)}

static const place places[MB_SITES] = {
	[MB_SITE_WORDS] = IN_MODEL(TABLE, word_embeddings),
	[MB_SITE_POSITIONS] = IN_MODEL(TABLE, position_embeddings),
	[MB_SITE_TYPES] = IN_MODEL(TABLE, type_embeddings),
	[MB_SITE_RELATIVE_BIAS] = IN_MODEL(TABLE, relative_bias),
	[MB_SITE_EMBEDDING_TRANSFORMATION] =
	IN_MODEL(LINEAR, embedding_transformation),
	[MB_SITE_EMBEDDING_NORM] = IN_MODEL(NORM, embedding_norm),
	[MB_SITE_BOTTLENECK_INPUT] = IN_LAYER(LINEAR, bottleneck_input),
	[MB_SITE_BOTTLENECK_INPUT_NORM] = IN_LAYER(NORM, bottleneck_input_norm),
	[MB_SITE_BOTTLENECK_ATTENTION] = IN_LAYER(LINEAR, bottleneck_attention),
	[MB_SITE_BOTTLENECK_ATTENTION_NORM] =
	IN_LAYER(NORM, bottleneck_attention_norm),
	[MB_SITE_QUERY] = IN_LAYER(LINEAR, query),
	[MB_SITE_KEY] = IN_LAYER(LINEAR, key),
	[MB_SITE_VALUE] = IN_LAYER(LINEAR, value),
	[MB_SITE_ATTENTION_OUTPUT] = IN_LAYER(LINEAR, attention_output),
	[MB_SITE_ATTENTION_NORM] = IN_LAYER(NORM, attention_norm),
	[MB_SITE_INTERMEDIATE] = IN_NETWORK(LINEAR, intermediate),
	[MB_SITE_OUTPUT] = IN_NETWORK(LINEAR, output),
	[MB_SITE_OUTPUT_NORM] = IN_NETWORK(NORM, norm),
	[MB_SITE_BOTTLENECK_OUTPUT] = IN_LAYER(LINEAR, bottleneck_output),
	[MB_SITE_BOTTLENECK_OUTPUT_NORM] = IN_LAYER(NORM, bottleneck_output_norm),
	[MB_SITE_POOLER] = IN_MODEL(LINEAR, pooler),
	[MB_SITE_MLM_TRANSFORM] = IN_MODEL(LINEAR, mlm_transform),
	[MB_SITE_MLM_NORM] = IN_MODEL(NORM, mlm_norm),
	[MB_SITE_MLM_DECODER] = IN_MODEL(TABLE, mlm_decoder),
	[MB_SITE_MLM_DENSE] = IN_MODEL(TABLE, mlm_dense),
	[MB_SITE_MLM_BIAS] = IN_MODEL(TABLE, mlm_bias),
	[MB_SITE_NSP] = IN_MODEL(LINEAR, nsp),
	[MB_SITE_CLASSIFIER] = IN_MODEL(LINEAR, classifier),
	[MB_SITE_QA] = IN_MODEL(LINEAR, qa),
	[MB_SITE_PRECLASSIFIER] = IN_MODEL(LINEAR, preclassifier),
	[MB_SITE_SEQUENCE_DENSE] = IN_MODEL(LINEAR, sequence_dense),
	[MB_SITE_SEQUENCE_OUTPUT] = IN_MODEL(LINEAR, sequence_output),
	[MB_SITE_DISCRIMINATOR_DENSE] = IN_MODEL(LINEAR, discriminator_dense),
	[MB_SITE_DISCRIMINATOR] = IN_MODEL(LINEAR, discriminator),
	[MB_SITE_MODULE_DENSE] = IN_MODULE(LINEAR, dense),
	[MB_SITE_MODULE_NORM] = IN_MODULE(NORM, norm)
};

const mb_linear *
mb_model_head(const mb_model *model, mb_site site)
{
	const place *p = &places[site];

	MB_ASSERT(p->kind == PLACE_LINEAR && p->owner == OWNER_MODEL);
	return (const mb_linear *) ((const char *) model + p->offset);
}

/* The member that a slot's tensor belongs to */
static void *
find_member(mb_model *model, const mb_slot_place *at)
{
	const place *p = &places[at->site];
	char	   *owner = (char *) model;

	if (p->owner == OWNER_LAYER)
		owner = (char *) &model->layers[at->layer];
	else if (p->owner == OWNER_NETWORK)
		owner = (char *) &model->layers[at->layer].feedforwards[at->network];
	else if (p->owner == OWNER_MODULE)
		owner = (char *) &model->modules[at->module];
	return owner + p->offset;
}

static void
place_linear(const mb_config *config, size_t slot, bool bias,
			 const void *tensor, mb_format format, mb_linear *linear)
{
	uint64_t	shape[2];

	if (bias)
	{
		linear->bias = tensor;
		return;
	}
	(void) mb_slot_linear(config, slot, shape);
	linear->n = (size_t) shape[0];
	linear->k = (size_t) shape[1];
	linear->format = format;
	if (format == MB_FORMAT_ROWS)
		linear->weight = tensor;
	else
		linear->panels = tensor;
}

static void
place_tensor(mb_model *model, size_t slot, const void *tensor,
			 mb_format format)
{
	mb_slot_place at = mb_slot_locate(&model->config, slot);
	void	   *member = find_member(model, &at);

	switch ((place_kind) places[at.site].kind)
	{
		case PLACE_TABLE:
			*(const float **) member = tensor;
			break;
		case PLACE_LINEAR:
			place_linear(&model->config, slot, at.bias, tensor, format,
						 member);
			break;
		case PLACE_NORM:
			if (at.bias)
				((mb_norm *) member)->bias = tensor;
			else
				((mb_norm *) member)->weight = tensor;
			break;
	}
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
	size_t		slots = mb_slot_count(config);
	mb_status	status;
	size_t		i;

	memset(model, 0, sizeof(*model));
	model->config = *config;
	model->kernels = kernels;
	model->parts = parts;
	status = allocate_layers(model, arena, err);
	if (status != MB_OK)
		return status;

	for (i = 0; i < slots; i++)
	{
		if ((parts >> mb_slot_part(config, i) & 1) == 0)
			continue;
		if (tensors[i] != NULL)
			place_tensor(model, i, tensors[i], formats == NULL ?
						 MB_FORMAT_ROWS : (mb_format) formats[i]);
		else if (mb_slot_size(config, i) > 0)
			return mb_fail(err, MB_ERR_ARGUMENT,
						   "the model lacks tensors of its parts");
	}
	if (parts >> MB_PART_MLM & 1 && model->mlm_decoder == NULL)
		model->mlm_decoder = model->word_embeddings;
	return MB_OK;
}

/* ----------
 * Packing in memory
 * ----------
 */

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
