/*-------------------------------------------------------------------------
 *
 * fuzz_image_write.c
 *	  Weight images of random models, written with callbacks that fail.
 *
 * The bytes choose a configuration, the heads that are there, a precision, a
 * table of kernels, the type that each tensor is stored as, its numbers, and
 * which call fails: a read, a put or a poll for a cancel.
 *
 * What has to hold:
 *
 *	- whoever fails is asked nothing any more, its status is the result, and
 *	  what was put does not open as an image
 *	- the next try, in the same workspace, gives an image whose bytes are those
 *	  of each tensor widened and packed by itself
 *	- it opens, and its model is the one that those tensors make up
 *
 * Depends on model/image_write.h, model/checkpoint.h, kernels/choose.h,
 * kernels/panels.h, base/json.h, choices.h, image_bytes.h.
 *
 *-------------------------------------------------------------------------
 */
#include "base/json.h"
#include "choices.h"
#include "fuzz.h"
#include "sets.h"
#include "image_bytes.h"
#include "kernels/choose.h"
#include "kernels/panels.h"
#include "model/checkpoint.h"
#include "model/family.h"

#include <math.h>

#define MOST_WIDTH 300
#define MOST_TOKENS 2000
#define DOCUMENT_SIZE 1000

static const char vocabulary[] =
"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nof\nand\n##s\nto\n";

static const uint8_t key[MB_IMAGE_KEY] = {3, 2, 1};

/* ----------
 * A model that is chosen
 * ----------
 */

static void
put_size(char *document, const char *name, uint32_t value)
{
	size_t		length = strlen(document);

	snprintf(document + length, DOCUMENT_SIZE - length, "\"%s\": %u, ", name,
			 value);
}

static void
put_flag(char *document, const char *name, bool value)
{
	size_t		length = strlen(document);

	snprintf(document + length, DOCUMENT_SIZE - length, "\"%s\": %s, ", name,
			 value ? "true" : "false");
}

/* A config.json; not all of them are legal. */
static void
choose_document(choices *c, char *document)
{
	static const char *const flags[] = {
		"use_bottleneck", "key_query_shared_bottleneck", "trigram_input",
		"use_bottleneck_attention", "tie_word_embeddings",
		"classifier_activation"
	};
	uint32_t	heads = 1 + choose(c, 4);
	uint32_t	inner = heads * choose_size(c, MOST_WIDTH / 4);
	uint32_t	hidden = choose(c, 2) == 0 ? inner : choose_size(c, MOST_WIDTH);
	size_t		i;

	snprintf(document, DOCUMENT_SIZE, "{\"model_type\": \"%s\", ",
			 mb_families[choose(c, MB_FAMILIES)].model_type);
	put_size(document, "num_attention_heads", heads);
	put_size(document, "relative_attention_num_buckets", 32 + choose(c, 3));
	put_size(document, "intra_bottleneck_size", inner);
	put_size(document, "hidden_size", hidden);
	put_size(document, "embedding_size", choose_size(c, hidden));
	put_size(document, "intermediate_size", choose_size(c, MOST_WIDTH));
	put_size(document, "hidden_dim", choose_size(c, MOST_WIDTH));
	put_size(document, "vocab_size", choose_size(c, MOST_TOKENS));
	put_size(document, "max_position_embeddings", choose_size(c, 100));
	put_size(document, "num_hidden_layers", choose(c, 3));
	put_size(document, "num_feedforward_networks", 1 + choose(c, 3));
	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		put_flag(document, flags[i], choose(c, 2) == 0);
	strcat(document, "\"pad_token_id\": 0}");
}

/* What follows Pooling, which has H numbers: nothing, or some modules. */
static bool
choose_modules(choices *c, const mb_sentence_settings *settings,
			   mb_config *config)
{
	uint32_t	width = config->hidden_size;
	mb_error	err;
	uint32_t	i;

	config->module_count = choose(c, 2) == 0 ? 0 :
		1 + choose(c, MB_MODULES_LIMIT);
	for (i = 0; i < config->module_count; i++)
	{
		mb_module  *module = &config->modules[i];

		module->kind = (uint8_t) choose(c, MB_MODULE_KINDS);
		module->activation = MB_ACT_LINEAR;
		module->inputs = module->outputs = width;
		if (module->kind != MB_MODULE_DENSE)
			continue;
		module->outputs = width = choose_size(c, MOST_WIDTH);
		module->activation = (uint8_t) choose(c, MB_ACTIVATIONS);
		module->bias = (uint8_t) choose(c, 2);
	}
	return mb_modules_check(config, settings, &err) == MB_OK;
}

/* Parts are there or not; false when that is no model. */
static bool
choose_tensors(choices *c, mb_image_content *content, mb_arena *arena)
{
	static const mb_dtype types[] = {
		MB_DTYPE_F32, MB_DTYPE_F16, MB_DTYPE_BF16, MB_DTYPE_F64
	};
	size_t		slots = mb_slot_count(content->config);
	bool	   *present = mb_arena_zero(arena, slots, sizeof(bool));
	mb_dtype   *dtypes = mb_arena_zero(arena, slots, sizeof(mb_dtype));
	uint32_t	parts = choose(c, 1u << MB_PART_MODULES) | 1u << MB_PART_BASE |
		1u << MB_PART_MODULES;
	bool		mixed = choose(c, 3) == 0;
	uint32_t	type = choose(c, 4);
	mb_error	err;
	size_t		i;

	for (i = 0; i < slots; i++)
	{
		present[i] = (parts >> mb_slot_part(content->config, i) & 1) != 0;
		dtypes[i] = types[mixed ? random_bits(c) % 4 : type];
	}
	content->present = present;
	content->dtypes = choose(c, 8) == 0 ? NULL : dtypes;
	return mb_checkpoint_complete(content->config, present, &content->parts,
								  &err) == MB_OK;
}

/* Numbers that every type holds exactly, by their place alone. */
static uint64_t numbers_seed;

static float
element(size_t slot, uint64_t at)
{
	uint64_t	x = (numbers_seed + slot) * UINT64_C(0x9E3779B97F4A7C15) + at;

	x = (x ^ x >> 31) * UINT64_C(0xBF58476D1CE4E5B9);
	x ^= x >> 29;
	return ldexpf((float) (int) (x % 511) - 255.0f, -8 - (int) (x >> 60) % 4);
}

/* ----------
 * Callbacks that fail
 * ----------
 */

typedef enum failure
{
	FAIL_NOT,
	FAIL_READ,
	FAIL_PUT,
	FAIL_POLL,
	FAILURES
} failure;

typedef struct attempt
{
	image_target target;
	failure		failing;
	size_t		calls;			/* until that fails */
	mb_status	status;			/* with this */
	bool		failed;
} attempt;

/* Is it this call that fails? */
static bool
fails(attempt *a, failure kind)
{
	CHECK(!a->failed);
	if (a->failing == kind)
		a->failed = a->calls-- == 0;
	return a->failed;
}

static mb_status
attempt_read(void *context, size_t slot, uint64_t offset, void *buffer,
			 size_t size, mb_error *err)
{
	attempt    *a = context;

	/* what a failing read leaves in the buffer is its own affair */
	(void) target_read(&a->target, slot, offset, buffer, size, err);
	return fails(a, FAIL_READ) ? mb_fail(err, a->status, "a read fails") :
		MB_OK;
}

static mb_status
attempt_put(void *context, size_t offset, const void *bytes, size_t size,
			mb_error *err)
{
	attempt    *a = context;

	if (fails(a, FAIL_PUT))
		return mb_fail(err, a->status, "a put fails");
	return target_put(&a->target, offset, bytes, size, err);
}

static bool
attempt_poll(void *context)
{
	return fails(context, FAIL_POLL);
}

static mb_status
write_once(attempt *a, const mb_image_plan *plan, void *workspace,
		   size_t size, mb_error *err)
{
	mb_image_io io = {a, attempt_read, attempt_put};
	mb_cancel	cancel = {attempt_poll, a};

	memset(a->target.bytes, 0xA5, plan->total_size);
	return mb_image_write(a->target.content, plan, &io, &cancel, workspace,
						  size, err);
}

static bool
opens(const attempt *a, const mb_image_plan *plan, mb_arena *arena,
	  mb_image *image)
{
	mb_error	err;

	return mb_image_open(a->target.bytes, plan->total_size,
						 a->target.content->kernels,
						 a->target.content->precision, key, arena, image,
						 &err) == MB_OK;
}

/* ----------
 * What is expected
 * ----------
 */

/* All bytes after the head. */
static void
check_bytes(const mb_image_content *content, const mb_image_plan *plan,
			const uint8_t *bytes)
{
	uint8_t    *expected = image_memory(plan->total_size);
	size_t		i;

	memset(expected, 0, plan->total_size);
	memcpy(expected + plan->tokenizer_offset, content->tokenizer,
		   content->tokenizer_size);
	memcpy(expected + plan->document_offset, content->document,
		   content->document_size);
	for (i = 0; i < plan->slots; i++)
	{
		uint64_t	shape[2];
		float	   *tensor;
		uint64_t	j;

		if (!content->present[i])
			continue;
		(void) mb_slot_linear(content->config, i, shape);
		tensor = malloc((shape[0] * shape[1] + 1) * sizeof(float));
		for (j = 0; j < shape[0] * shape[1]; j++)
			tensor[j] = element(i, j);
		mb_format_pack((mb_format) plan->slot_formats[i], tensor, shape[1],
					   shape[0], expected + plan->slot_offsets[i]);
		free(tensor);
	}
	CHECK(memcmp(expected + plan->head_size, bytes + plan->head_size,
				 plan->total_size - plan->head_size) == 0);
	free(expected);
}

/* The model of an image is what its slots make up. */
static void
check_model(const mb_image_plan *plan, const uint8_t *bytes, mb_image *image,
			mb_arena *arena)
{
	const void **tensors = mb_arena_zero(arena, plan->slots, sizeof(void *));
	mb_model	model;
	mb_error	err;
	uint32_t	i;
	size_t		slot;

	for (slot = 0; slot < plan->slots; slot++)
	{
		if (plan->slot_offsets[slot] != 0)
			tensors[slot] = bytes + plan->slot_offsets[slot];
	}
	CHECK(mb_model_bind(&image->config, image->model.kernels, image->parts,
						tensors, plan->slot_formats, arena, &model,
						&err) == MB_OK);
	for (i = 0; i < image->config.layers; i++)
	{
		mb_layer   *ours = &model.layers[i];
		mb_layer   *its = &image->model.layers[i];

		CHECK(memcmp(ours->feedforwards, its->feedforwards,
					 image->config.feedforwards *
					 sizeof(mb_feedforward)) == 0);
		ours->feedforwards = its->feedforwards = NULL;
		CHECK(memcmp(ours, its, sizeof(mb_layer)) == 0);
	}
	model.layers = image->model.layers = NULL;
	CHECK(memcmp(&model, &image->model, sizeof(model)) == 0);
}

/* ----------
 * One input
 * ----------
 */

/* A try that fails, if it gets so far, and one that does not. */
static void
check_writing(choices *c, const mb_image_content *content,
			  const mb_image_plan *plan, mb_arena *arena)
{
	attempt		a = {{content, element, image_memory(plan->total_size)},
					 FAIL_NOT, 0, MB_ERR_IO, false};
	size_t		size = mb_image_write_memory(content, plan);
	void	   *workspace = image_memory(size);
	mb_status	status;
	mb_image	image;
	mb_error	err;

	memset(workspace, 0xFF, size);
	a.failing = (failure) choose(c, FAILURES);
	a.calls = choose_size(c, 200) - 1;
	if (choose(c, 2) == 0)
		a.status = MB_ERR_DATA;
	status = write_once(&a, plan, workspace, size, &err);
	if (a.failed)
	{
		CHECK(status == (a.failing == FAIL_POLL ? MB_ERR_CANCELLED :
						 a.status));
		CHECK_ERROR(status, err);
		CHECK(!opens(&a, plan, arena, &image));
		a.failed = false;
		a.failing = FAIL_NOT;
		status = write_once(&a, plan, workspace, size, &err);
	}
	CHECK(status == MB_OK);
	free(workspace);
	check_bytes(content, plan, a.target.bytes);
	CHECK(opens(&a, plan, arena, &image));
	CHECK(memcmp(&image.config, content->config, sizeof(mb_config)) == 0);
	check_model(plan, a.target.bytes, &image, arena);
	free(a.target.bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const tables[] = {"ref", SET_NAMES};
	mb_kernels	tiles = mb_kernels_ref; /* with formats that others lack */
	char		document[DOCUMENT_SIZE];
	mb_tokenizer_files files;
	mb_image_content content;
	mb_sentence_settings settings;
	mb_sentence_files none = {0};
	mb_image_plan plan;
	mb_config	config;
	mb_arena	arena;
	mb_error	err;
	mb_json    *root;
	void	   *blob;
	choices		c;

	tiles.split = true;
	start_choices(&c, data, size);
	mb_arena_init(&arena, &mb_libc_memory, FUZZ_MEMORY);
	memset(&content, 0, sizeof(content));
	content.kernels = mb_kernels_find(tables[choose(&c, 1 + SETS)]);
	if (content.kernels == NULL)
		content.kernels = &tiles;
	choose_document(&c, document);
	memset(&files, 0, sizeof(files));
	files.vocab_txt.text = vocabulary;
	files.vocab_txt.length = strlen(vocabulary);
	CHECK(mb_tokenizer_build(&files, &arena, NULL, &blob,
							 &content.tokenizer_size, &err) == MB_OK);
	CHECK(mb_sentence_settings_read(&none, &settings, &err) == MB_OK);
	CHECK(mb_json_parse(document, strlen(document), "doc", false, &arena, NULL,
						&root, &err) == MB_OK);
	content.config = &config;
	content.settings = &settings;
	content.precision = (mb_precision) choose(&c, MB_PRECISIONS);
	content.key = key;
	content.tokenizer = blob;
	content.document = document;
	content.document_size = strlen(document);
	numbers_seed = random_bits(&c);
	if (mb_config_read(root, &config, &err) == MB_OK &&
		choose_modules(&c, &settings, &config) &&
		choose_tensors(&c, &content, &arena) &&
		mb_image_plan_make(&content, &arena, &plan, &err) == MB_OK)
		check_writing(&c, &content, &plan, &arena);
	mb_arena_free(&arena);
	return 0;
}
