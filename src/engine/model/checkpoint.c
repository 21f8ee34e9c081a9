/*-------------------------------------------------------------------------
 *
 * checkpoint.c
 *	  The list of tensors of a configuration, and matching names against it.
 *
 * The list is never stored.  It is a few constant groups of tensors
 * (family.c) that repeat per layer and per feed-forward network, so a slot's
 * number follows from its layer, its group and its place in the group by
 * arithmetic, and back:
 *
 *	embeddings | layer 0 | layer 1 | ... | pooler and heads | modules
 *
 *	a layer:  bottleneck.input		if use_bottleneck
 *			  bottleneck.attention	if that and key_query_shared_bottleneck
 *			  attention
 *			  ffn.0 ... ffn.F-2
 *			  the last feed-forward network
 *			  output.bottleneck		if use_bottleneck
 *
 * Images store weights in this order.
 *
 * Start at lay_out(); mb_slot_get() and mb_slot_index() go from a number to its
 * tensor and back.
 *
 * Source: spec model.md sections 3.1, 5.2 and 9, families.md sections 4 and 5.
 * Depends on libc only.
 *
 *-------------------------------------------------------------------------
 */
#include "model/checkpoint.h"

#include <stdio.h>
#include <string.h>

/* ----------
 * Where groups begin
 * ----------
 */

/* Where the groups of one layer begin, from the layer's first slot. */
typedef struct layer_layout
{
	size_t		bottleneck_attention;
	size_t		attention;
	size_t		feedforwards;	/* ffn.0 */
	size_t		last;			/* the last feed-forward network */
	size_t		bottleneck_output;
	size_t		size;
} layer_layout;

static void
lay_out(const mb_config *config, layer_layout *layout)
{
	const mb_family *family = mb_family_of(config);
	size_t		at = 0;

	if (config->use_bottleneck)
		at += family->bottleneck_input.count;
	layout->bottleneck_attention = at;
	if (config->use_bottleneck && config->key_query_shared_bottleneck)
		at += family->bottleneck_attention.count;
	layout->attention = at;
	at += family->attention.count;
	layout->feedforwards = at;
	at += (size_t) (config->feedforwards - 1) * family->feedforward.count;
	layout->last = at;
	at += family->feedforward.count;
	layout->bottleneck_output = at;
	if (config->use_bottleneck)
		at += family->bottleneck_output.count;
	layout->size = at;
}

static uint64_t
dimension_size(const mb_config *config, uint8_t dim)
{
	switch ((mb_dimension) dim)
	{
		case MB_DIM_NONE:
		case MB_DIM_INPUTS:
		case MB_DIM_OUTPUTS:
			break;
		case MB_DIM_V:
			return config->vocab_size;
		case MB_DIM_H:
			return config->hidden_size;
		case MB_DIM_E:
			return config->embedding_size;
		case MB_DIM_T:
			return config->true_hidden_size;
		case MB_DIM_A:
			return config->attention_size;
		case MB_DIM_I:
			return config->intermediate_size;
		case MB_DIM_P:
			return config->max_positions;
		case MB_DIM_Y:
			return config->type_vocab_size;
		case MB_DIM_K:
			return config->num_labels;
		case MB_DIM_N:
			return config->heads;
		case MB_DIM_ONE:
			return 1;
		case MB_DIM_TWO:
			return 2;
		case MB_DIM_BUCKETS:
			return config->relative_buckets;
		case MB_DIM_TRANSFORMED:
			return (uint64_t) config->embedding_size *
				(config->trigram_input ? 3 : 1);
		case MB_DIM_VALUE:
			return config->value_input_size;
		case MB_DIM_EXTRA:
			return config->hidden_size > config->embedding_size ?
				config->hidden_size - config->embedding_size : 0;
		case MB_DIM_CHOICES:
			return config->architecture == MB_ARCH_MULTIPLE_CHOICE ?
				1 : config->num_labels;
		case MB_DIM_PROJECTED:
			return config->hidden_size == config->embedding_size ?
				0 : config->hidden_size;
		case MB_DIM_SUMMARY:
			return config->summary_use_proj ? config->hidden_size : 0;
	}
	return 1;
}

/* ----------
 * Modules after pooling
 * ----------
 */

/* Slots of the first modules */
static size_t
slots_of_modules(const mb_config *config, size_t modules)
{
	size_t		count = 0;
	size_t		i;

	for (i = 0; i < modules; i++)
		count += mb_module_tensors(&config->modules[i]).count;
	return count;
}

/* ----------
 * From numbers to tensors
 * ----------
 */

/* A slot taken apart. */
typedef struct slot_place
{
	const mb_tensor_spec *spec;
	ptrdiff_t	layer;			/* -1: not in a layer */
	ptrdiff_t	ffn;			/* -1: not in an ffn.j */
	ptrdiff_t	module;			/* -1: not in a module */
} slot_place;

static void
locate_in_modules(const mb_config *config, size_t index, slot_place *place)
{
	mb_tensor_group group = mb_module_tensors(&config->modules[0]);

	for (place->module = 0; index >= group.count;)
	{
		index -= group.count;
		group = mb_module_tensors(&config->modules[++place->module]);
	}
	place->spec = &group.specs[index];
}

static uint64_t
place_size(const mb_config *config, const slot_place *place, uint8_t dim)
{
	if (dim == MB_DIM_INPUTS)
		return config->modules[place->module].inputs;
	if (dim == MB_DIM_OUTPUTS)
		return config->modules[place->module].outputs;
	return dimension_size(config, dim);
}

static void
locate_in_layer(const mb_family *family, const layer_layout *layout,
				size_t index, slot_place *place)
{
	if (index >= layout->bottleneck_output)
		place->spec = &family->bottleneck_output.specs[index -
													   layout->bottleneck_output];
	else if (index >= layout->last)
		place->spec = &family->feedforward.specs[index - layout->last];
	else if (index >= layout->feedforwards)
	{
		size_t		at = index - layout->feedforwards;

		place->ffn = (ptrdiff_t) (at / family->feedforward.count);
		place->spec = &family->feedforward.specs[at % family->feedforward.count];
	}
	else if (index >= layout->attention)
		place->spec = &family->attention.specs[index - layout->attention];
	else if (index >= layout->bottleneck_attention)
		place->spec = &family->bottleneck_attention.specs[index -
														  layout->bottleneck_attention];
	else
		place->spec = &family->bottleneck_input.specs[index];
}

static slot_place
locate(const mb_config *config, size_t index)
{
	const mb_family *family = mb_family_of(config);
	slot_place	place = {NULL, -1, -1, -1};
	layer_layout layout;

	if (index < family->embeddings.count)
	{
		place.spec = &family->embeddings.specs[index];
		return place;
	}
	index -= family->embeddings.count;
	lay_out(config, &layout);
	if (index < config->layers * layout.size)
	{
		place.layer = (ptrdiff_t) (index / layout.size);
		locate_in_layer(family, &layout, index % layout.size, &place);
	}
	else if (index - config->layers * layout.size < family->last.count)
		place.spec = &family->last.specs[index - config->layers * layout.size];
	else
		locate_in_modules(config, index - config->layers * layout.size -
						  family->last.count, &place);
	return place;
}

static size_t
first_head(const mb_config *config)
{
	layer_layout layout;

	lay_out(config, &layout);
	return mb_family_of(config)->embeddings.count +
		config->layers * layout.size;
}

static size_t
first_of_modules(const mb_config *config)
{
	return first_head(config) + mb_family_of(config)->last.count;
}

size_t
mb_slot_count(const mb_config *config)
{
	return first_of_modules(config) +
		slots_of_modules(config, config->module_count);
}

void
mb_slot_get(const mb_config *config, size_t index, mb_slot *slot)
{
	slot_place	place = locate(config, index);
	const char *layer = mb_family_of(config)->layer_name;

	if (place.module >= 0)
		snprintf(slot->name, sizeof(slot->name), "modules.%d.%s",
				 MB_MODULES_FIRST + (int) place.module, place.spec->name);
	else if (place.layer < 0)
		snprintf(slot->name, sizeof(slot->name), "%s", place.spec->name);
	else if (place.ffn < 0)
		snprintf(slot->name, sizeof(slot->name), "%s%d.%s", layer,
				 (int) place.layer, place.spec->name);
	else
		snprintf(slot->name, sizeof(slot->name), "%s%d.ffn.%d.%s", layer,
				 (int) place.layer, (int) place.ffn, place.spec->name);
	slot->part = (mb_part) place.spec->part;
	slot->rank = place.spec->columns == MB_DIM_NONE ? 1 : 2;
	slot->shape[0] = place_size(config, &place, place.spec->rows);
	slot->shape[1] = place_size(config, &place, place.spec->columns);
}

mb_slot_place
mb_slot_locate(const mb_config *config, size_t index)
{
	slot_place	place = locate(config, index);
	mb_slot_place result = {(mb_site) place.spec->site, place.spec->bias,
	place.layer, place.ffn, place.module};

	if (place.layer >= 0 && place.ffn < 0)
		result.network = (ptrdiff_t) config->feedforwards - 1;
	return result;
}

mb_part
mb_slot_part(const mb_config *config, size_t index)
{
	return (mb_part) locate(config, index).spec->part;
}

uint64_t
mb_slot_size(const mb_config *config, size_t index)
{
	slot_place	place = locate(config, index);

	return place_size(config, &place, place.spec->rows) *
		place_size(config, &place, place.spec->columns);
}

bool
mb_slot_linear(const mb_config *config, size_t index, uint64_t shape[2])
{
	slot_place	place = locate(config, index);

	shape[0] = place_size(config, &place, place.spec->rows);
	shape[1] = place_size(config, &place, place.spec->columns);
	return place.spec->columns != MB_DIM_NONE &&
		index >= mb_family_of(config)->tables &&
		index < first_head(config);
}

/* ----------
 * From names to numbers
 * ----------
 */

/* The place of a name in a group, or -1. */
static ptrdiff_t
find_spec(const mb_tensor_group *group, const char *name)
{
	size_t		i;

	for (i = 0; i < group->count; i++)
	{
		if (strcmp(group->specs[i].name, name) == 0)
			return (ptrdiff_t) i;
	}
	return -1;
}

/* Move *name past prefix when it starts with that. */
static bool
skip_prefix(const char **name, const char *prefix)
{
	size_t		length = strlen(prefix);

	if (strncmp(*name, prefix, length) != 0)
		return false;
	*name += length;
	return true;
}

/*
 * Move *name past a decimal number below limit and the dot after it.  As the
 * name has to be the one that we would write, leading zeros do not count.
 */
static bool
skip_number(const char **name, size_t limit, size_t *number)
{
	const char *at = *name;
	size_t		value = 0;

	if (*at == '0' && at[1] != '.')
		return false;
	for (; *at >= '0' && *at <= '9'; at++)
	{
		value = value * 10 + (size_t) (*at - '0');
		if (value >= limit)
			return false;
	}
	if (at == *name || *at != '.' || value >= limit)
		return false;
	*name = at + 1;
	*number = value;
	return true;
}

/* The number of a name after "encoder.layer.i." from the layer's start. */
static ptrdiff_t
index_in_layer(const mb_config *config, const layer_layout *layout,
			   const char *name)
{
	const mb_family *family = mb_family_of(config);
	const char *rest = name;
	size_t		ffn;
	ptrdiff_t	at;

	if (config->feedforwards > 1 && skip_prefix(&rest, "ffn."))
	{
		if (!skip_number(&rest, config->feedforwards - 1, &ffn))
			return -1;
		at = find_spec(&family->feedforward, rest);
		return at < 0 ? -1 : at +
			(ptrdiff_t) (layout->feedforwards + ffn * family->feedforward.count);
	}

	at = find_spec(&family->attention, name);
	if (at >= 0)
		return at + (ptrdiff_t) layout->attention;
	at = find_spec(&family->feedforward, name);
	if (at >= 0)
		return at + (ptrdiff_t) layout->last;
	if (!config->use_bottleneck)
		return -1;
	at = find_spec(&family->bottleneck_input, name);
	if (at >= 0)
		return at;
	at = find_spec(&family->bottleneck_output, name);
	if (at >= 0)
		return at + (ptrdiff_t) layout->bottleneck_output;
	if (!config->key_query_shared_bottleneck)
		return -1;
	at = find_spec(&family->bottleneck_attention, name);
	return at < 0 ? -1 : at + (ptrdiff_t) layout->bottleneck_attention;
}

ptrdiff_t
mb_slot_of_module(const mb_config *config, size_t module, const char *name)
{
	mb_tensor_group group = mb_module_tensors(&config->modules[module]);
	ptrdiff_t	at = find_spec(&group, name);

	return at < 0 ? -1 : at + (ptrdiff_t) (first_of_modules(config) +
										   slots_of_modules(config, module));
}

ptrdiff_t
mb_slot_index(const mb_config *config, const char *name)
{
	const mb_family *family = mb_family_of(config);
	ptrdiff_t	at;

	if (skip_prefix(&name, "modules."))
	{
		size_t		number;

		if (!skip_number(&name, MB_MODULES_FIRST + config->module_count,
						 &number) || number < MB_MODULES_FIRST)
			return -1;
		return mb_slot_of_module(config, number - MB_MODULES_FIRST, name);
	}
	if (skip_prefix(&name, family->layer_name))
	{
		layer_layout layout;
		size_t		layer;

		if (!skip_number(&name, config->layers, &layer))
			return -1;
		lay_out(config, &layout);
		at = index_in_layer(config, &layout, name);
		return at < 0 ? -1 : at +
			(ptrdiff_t) (family->embeddings.count + layer * layout.size);
	}
	at = find_spec(&family->embeddings, name);
	if (at >= 0)
		return at;
	at = find_spec(&family->last, name);
	return at < 0 ? -1 : at + (ptrdiff_t) first_head(config);
}

/* The first slot of the pooler and heads that goes to a site, or -1 */
static ptrdiff_t
head_slot(const mb_config *config, mb_site site)
{
	const mb_tensor_group *last = &mb_family_of(config)->last;
	size_t		i;

	for (i = 0; i < last->count; i++)
	{
		if (last->specs[i].site == site)
			return (ptrdiff_t) (first_head(config) + i);
	}
	return -1;
}

/* ----------
 * Matching the names of a file
 * ----------
 */

/* Move *name past the prefix of the base model in task classes. */
static bool
skip_base_prefix(const mb_config *config, const char **name)
{
	const char *rest = *name;

	if (!skip_prefix(&rest, mb_family_of(config)->model_type) || *rest != '.')
		return false;
	*name = rest + 1;
	return true;
}

/* decoder.bias, which is another name of the masked language model's bias */
static bool
is_decoder_bias(const mb_config *config, const char *name)
{
	const char *other = mb_family_of(config)->decoder_bias;

	return other != NULL && strcmp(name, other) == 0;
}

/* A layer that this configuration does without */
static bool
is_left_out(const mb_config *config, size_t index)
{
	uint8_t		rows = locate(config, index).spec->rows;

	return (rows == MB_DIM_PROJECTED || rows == MB_DIM_SUMMARY) &&
		dimension_size(config, rows) == 0;
}

/* "LayerNorm.gamma" and "LayerNorm.beta" at the end are legacy names. */
static void
replace_legacy_ending(char *name, size_t length)
{
	static const char gamma[] = "LayerNorm.gamma";
	static const char beta[] = "LayerNorm.beta";
	size_t		norm = strlen("LayerNorm.");

	if (length >= strlen(gamma) &&
		strcmp(name + length - strlen(gamma), gamma) == 0)
		strcpy(name + length - strlen(gamma) + norm, "weight");
	else if (length >= strlen(beta) &&
			 strcmp(name + length - strlen(beta), beta) == 0)
		strcpy(name + length - strlen(beta) + norm, "bias");
}

/* The slot that a name of the file stands for by itself, or -1. */
static ptrdiff_t
find_slot(const mb_config *config, const char *name, bool bare)
{
	char		canonical[MB_SLOT_NAME_MAX + 4];
	bool		base = bare || skip_base_prefix(config, &name);
	size_t		length = strlen(name);
	ptrdiff_t	index;
	mb_part		part;

	if (length >= MB_SLOT_NAME_MAX)
		return -1;
	memcpy(canonical, name, length + 1);
	replace_legacy_ending(canonical, length);
	index = is_decoder_bias(config, canonical) ?
		head_slot(config, MB_SITE_MLM_BIAS) : mb_slot_index(config, canonical);
	if (index < 0 || is_left_out(config, (size_t) index))
		return -1;

	/*
	 * The pooler belongs to the base model; heads are never under the prefix,
	 * and a file without the prefix has none.
	 */
	part = mb_slot_part(config, (size_t) index);
	if (part == MB_PART_MODULES)
		return -1;
	if (base != (part == MB_PART_BASE || part == MB_PART_POOLER))
		return -1;
	/* Without the dense layer the pooler is the first state (model.md 4). */
	if (part == MB_PART_POOLER && !config->classifier_activation)
		return -1;
	return index;
}

/*
 * Let name number i fill a slot.  owner[slot] is the number of the name that
 * fills it already, or -1.
 */
static mb_status
fill_slot(const mb_config *config, const char *const *names, size_t i,
		  ptrdiff_t index, int32_t *owner, int32_t *slots, mb_error *err)
{
	int32_t		other = owner[index];

	if (other >= 0)
	{
		mb_slot		slot;

		/*
		 * decoder.bias and bias are one parameter.  transformers 4.57.6 fills
		 * it from the latter where a file has both.
		 */
		if (is_decoder_bias(config, names[i]) &&
			!is_decoder_bias(config, names[other]))
			return MB_OK;
		if (is_decoder_bias(config, names[i]) ||
			!is_decoder_bias(config, names[other]))
		{
			mb_slot_get(config, (size_t) index, &slot);
			return mb_fail(err, MB_ERR_DATA,
						   "tensors \"%.100s\" and \"%.100s\" both stand for "
						   "\"%s\"", names[other], names[i], slot.name);
		}
		slots[other] = -1;
	}
	owner[index] = (int32_t) i;
	slots[i] = (int32_t) index;
	return MB_OK;
}

/*
 * With tied embeddings the decoder's weight is a copy, and the embedding table
 * counts; but if there is no such table, the copy takes its place
 * (model.md 5.2).
 */
static void
tie_decoder(const mb_config *config, const int32_t *owner, int32_t *slots)
{
	ptrdiff_t	decoder = head_slot(config, MB_SITE_MLM_DECODER);
	int32_t		name = owner[decoder];

	if (!config->tie_word_embeddings || name < 0)
		return;
	if (owner[0] >= 0)
		slots[name] = -1;
	else
		slots[name] = 0;
}

/*
 * Is this a file of the base model, whose names have no prefix?  Heads alone,
 * of a model that takes its encoder from another one, have none either.
 */
static bool
is_bare(const mb_config *config, const char *const *names, size_t count)
{
	bool		encoder = false;
	size_t		i;

	for (i = 0; i < count; i++)
	{
		const char *name = names[i];

		if (skip_base_prefix(config, &name))
			return false;
		encoder = encoder || find_slot(config, name, true) >= 0;
	}
	return encoder;
}

mb_status
mb_checkpoint_match(const mb_config *config, const char *const *names,
					size_t count, mb_arena *arena, int32_t *slots,
					mb_error *err)
{
	size_t		slot_count = mb_slot_count(config);
	int32_t    *owner;
	bool		bare = is_bare(config, names, count);
	size_t		i;

	if (count > INT32_MAX)
		return mb_fail(err, MB_ERR_LIMIT, "too many tensors");
	owner = mb_arena_alloc(arena, slot_count, sizeof(int32_t));
	if (owner == NULL)
		return mb_fail(err, MB_ERR_MEMORY,
					   "not enough memory to match tensor names");
	for (i = 0; i < slot_count; i++)
		owner[i] = -1;

	for (i = 0; i < count; i++)
	{
		ptrdiff_t	index = find_slot(config, names[i], bare);
		mb_status	status;

		slots[i] = -1;
		if (index < 0)
			continue;
		status = fill_slot(config, names, i, index, owner, slots, err);
		if (status != MB_OK)
			return status;
	}
	tie_decoder(config, owner, slots);
	return MB_OK;
}

/* ----------
 * Shapes
 * ----------
 */

/* "[2, 3]"; sizes beyond the eighth are not shown. */
static void
print_shape(uint32_t rank, const uint64_t *shape, char *text, size_t size)
{
	size_t		used;
	uint32_t	i;

	used = (size_t) snprintf(text, size, "[");
	for (i = 0; i < rank && i < 8; i++)
		used += (size_t) snprintf(text + used, size - used, "%s%llu",
								  i > 0 ? ", " : "",
								  (unsigned long long) shape[i]);
	snprintf(text + used, size - used, "%s]", rank > 8 ? ", ..." : "");
}

mb_status
mb_checkpoint_shape(const mb_slot *slot, const char *name, uint32_t rank,
					const uint64_t *shape, mb_error *err)
{
	char		found[200];		/* 8 sizes of 20 digits and two more */
	char		expected[60];

	if (rank == slot->rank && shape[0] == slot->shape[0] &&
		(rank == 1 || shape[1] == slot->shape[1]))
		return MB_OK;

	print_shape(rank, shape, found, sizeof(found));
	print_shape(slot->rank, slot->shape, expected, sizeof(expected));
	return mb_fail(err, MB_ERR_DATA,
				   "tensor \"%.100s\" has shape %s, but the configuration "
				   "needs %s", name, found, expected);
}

/* ----------
 * Parts and tasks
 * ----------
 */

/* Parts that the class named in "architectures" has, and the modules. */
static uint32_t
own_parts(const mb_config *config)
{
	if (config->architecture == MB_ARCH_UNKNOWN)
		return ~(uint32_t) 0;
	return mb_family_of(config)->parts[config->architecture] |
		1u << MB_PART_MODULES;
}

bool
mb_checkpoint_stray(const mb_config *config, mb_part part)
{
	return part != MB_PART_BASE && (own_parts(config) >> part & 1) == 0;
}

static mb_status
fail_missing(const mb_config *config, size_t index, mb_error *err)
{
	mb_slot		slot;
	bool		prefixed;

	mb_slot_get(config, index, &slot);
	prefixed = slot.part == MB_PART_BASE || slot.part == MB_PART_POOLER;
	return mb_fail(err, MB_ERR_DATA, "tensor \"%s%s%s\" is missing",
				   prefixed ? mb_family_of(config)->model_type : "",
				   prefixed ? "." : "", slot.name);
}

/*
 * One part whose slots are among [from, to): whole, or absent, or an error
 * when it is incomplete and the checkpoint's own.  A slot without elements
 * counts neither way.
 */
static mb_status
check_part(const mb_config *config, const bool *present, mb_part part,
		   size_t from, size_t to, uint32_t *parts, mb_error *err)
{
	ptrdiff_t	missing = -1;
	bool		known = false;	/* the family has it */
	bool		any = false;
	size_t		i;

	for (i = from; i < to; i++)
	{
		if (mb_slot_part(config, i) != part)
			continue;
		known = true;
		if (mb_slot_size(config, i) == 0)
			continue;
		if (present[i])
			any = true;
		else if (missing < 0)
			missing = (ptrdiff_t) i;
	}
	if (!known)
		return MB_OK;
	if (missing < 0)
		*parts |= 1u << part;
	else if (any && !mb_checkpoint_stray(config, part))
		return fail_missing(config, (size_t) missing, err);
	return MB_OK;
}

/*
 * MobileBERT's decoder is the word table, E wide, with a second table beside it
 * for the rest of the transformed state.
 */
static bool
decoder_is_too_wide(const mb_config *config)
{
	return head_slot(config, MB_SITE_MLM_DENSE) >= 0 &&
		config->embedding_size > config->hidden_size;
}

mb_status
mb_checkpoint_complete(const mb_config *config, const bool *present,
					   uint32_t *parts, mb_error *err)
{
	size_t		base = first_head(config);
	size_t		count = mb_slot_count(config);
	size_t		i;
	int			part;

	for (i = 0; i < count; i++)
	{
		if ((i < base || i >= first_of_modules(config)) && !present[i] &&
			mb_slot_size(config, i) > 0)
			return fail_missing(config, i, err);
	}

	*parts = 1u << MB_PART_BASE;
	for (part = MB_PART_POOLER; part < MB_PART_COUNT; part++)
	{
		mb_status	status = check_part(config, present, (mb_part) part, base,
										count, parts, err);

		if (status != MB_OK)
			return status;
	}

	/* Heads of no rows are no heads. */
	if (config->num_labels == 0)
		*parts &= ~(1u << MB_PART_QA | 1u << MB_PART_SEQUENCE |
					(config->architecture == MB_ARCH_MULTIPLE_CHOICE ? 0 :
					 1u << MB_PART_CLASSIFIER));
	if (!config->classifier_activation)
		*parts &= ~(1u << MB_PART_POOLER);
	if (config->tie_word_embeddings || (*parts & 1u << MB_PART_MLM) == 0)
		*parts &= ~(1u << MB_PART_MLM_UNTIED);
	if (decoder_is_too_wide(config) &&
		mb_checkpoint_stray(config, MB_PART_MLM))
		*parts &= ~(1u << MB_PART_MLM | 1u << MB_PART_MLM_UNTIED);
	if ((*parts & 1u << MB_PART_MLM) != 0 && decoder_is_too_wide(config))
		return mb_fail(err, MB_ERR_DATA,
					   "\"embedding_size\" %u is larger than \"hidden_size\" "
					   "%u, which the masked language model head cannot be",
					   config->embedding_size, config->hidden_size);
	return MB_OK;
}

/* Is the layer before a head there, or left out by the configuration? */
static bool
has_dense(const mb_config *config, const mb_head *head, uint32_t parts)
{
	if (head->dense == MB_SITE_NONE)
		return true;
	if (head->dense == MB_SITE_POOLER && !config->classifier_activation)
		return true;
	return (parts >> head->dense_part & 1) != 0;
}

/*
 * One tensor name for several tasks: only the architecture tells.  Where it has
 * no classifier of its own (a file with several heads), the tensor is taken for
 * the commonest.
 */
static bool
fits_class(const mb_config *config, uint32_t task)
{
	switch (task)
	{
		case MB_TASK_CLASSIFY:
			return config->architecture != MB_ARCH_TOKEN &&
				config->architecture != MB_ARCH_MULTIPLE_CHOICE;
		case MB_TASK_NER:
			return config->architecture == MB_ARCH_TOKEN;
		case MB_TASK_CHOOSE:
			return config->architecture == MB_ARCH_MULTIPLE_CHOICE;
		case MB_TASK_ANSWER:
			return config->num_labels == 2;
		default:
			return true;
	}
}

uint32_t
mb_checkpoint_tasks(const mb_config *config, uint32_t parts)
{
	const mb_head *heads = mb_family_of(config)->heads;
	uint32_t	tasks = MB_TASK_EMBED;
	size_t		i;

	if (!config->classifier_activation || parts & 1u << MB_PART_POOLER)
		tasks |= MB_TASK_POOLER;
	if (parts & 1u << MB_PART_MLM)
		tasks |= MB_TASK_FILL_MASK;
	for (i = 0; i < MB_HEADS_MAX && heads[i].task != 0; i++)
	{
		if (parts >> heads[i].part & 1 && fits_class(config, heads[i].task) &&
			has_dense(config, &heads[i], parts))
			tasks |= heads[i].task;
	}
	return tasks;
}
