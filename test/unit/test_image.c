/*-------------------------------------------------------------------------
 *
 * test_image.c
 *	  Weight images written, opened, and damaged in many ways.
 *
 *-------------------------------------------------------------------------
 */
#include "base/crc32c.h"
#include "base/json.h"
#include "image_bytes.h"
#include "kernels/panels.h"
#include "model/checkpoint.h"
#include "model/image.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>

/* Where the checksum of the head is */
#define HEAD_CRC_OFFSET offsetof(mb_image_header, head_crc)

static mb_arena arena;
static mb_error err;

/* ----------
 * A small image
 * ----------
 */

static const char document[] =
"{\"model_type\": \"mobilebert\", \"vocab_size\": 20,"
"\"hidden_size\": 8, \"num_hidden_layers\": 2,"
" \"num_attention_heads\": 2, \"intermediate_size\": 5,"
" \"max_position_embeddings\": 7, \"embedding_size\": 8,"
" \"intra_bottleneck_size\": 4, \"num_feedforward_networks\": 2}";

static const char vocabulary[] =
"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nof\nand\n##s\nto\n";

static const uint8_t key[MB_IMAGE_KEY] = {1, 2, 3};

/* All that an image knows of kernels */
static const mb_kernels avx2 = {.name = "avx2"};
static const mb_kernels avx512 = {.name = "avx512"};

static mb_config config;
static mb_sentence_settings settings;
static mb_image_content content;
static mb_image_plan plan;
static uint8_t *image_bytes;	/* [plan.total_size], aligned to 64 */

/* Element j of slot i, so that each can be told. */
static float
element(size_t slot, uint64_t j)
{
	return (float) (slot % 16 * 16 + j % 16);
}

static void
prepare_config(void)
{
	mb_sentence_files none = {0};
	mb_json    *root;

	ok(mb_json_parse(document, strlen(document), "doc", false, &arena, NULL,
					 &root, &err) == MB_OK &&
	   mb_config_read(root, &config, &err) == MB_OK &&
	   mb_sentence_settings_read(&none, &settings, &err) == MB_OK,
	   "configuration");
}

/* Everything but the NSP head; cls.predictions.dense has no elements. */
static void
choose_tensors(void)
{
	size_t		slots = mb_slot_count(&config);
	bool	   *present = mb_arena_zero(&arena, slots, sizeof(bool));
	mb_dtype   *dtypes = mb_arena_zero(&arena, slots, sizeof(mb_dtype));
	size_t		i;

	for (i = 0; i < slots; i++)
	{
		present[i] = mb_slot_part(&config, i) != MB_PART_NSP &&
			mb_slot_part(&config, i) != MB_PART_MLM_UNTIED;
		dtypes[i] = i % 3 == 0 ? MB_DTYPE_F16 : i % 3 == 1 ? MB_DTYPE_F32 :
			MB_DTYPE_BF16;
	}
	content.present = present;
	content.dtypes = dtypes;
	ok(mb_checkpoint_complete(&config, present, &content.parts, &err) == MB_OK,
	   "parts");
}

static void
build_image(void)
{
	mb_tokenizer_files files;
	void	   *blob = NULL;

	memset(&files, 0, sizeof(files));
	files.vocab_txt.text = vocabulary;
	files.vocab_txt.length = strlen(vocabulary);
	ok(mb_tokenizer_build(&files, &arena, NULL, &blob, &content.tokenizer_size,
						  &err) == MB_OK, "tokenizer");
	choose_tensors();
	content.config = &config;
	content.settings = &settings;
	content.precision = MB_PRECISION_FP32;
	content.kernels = &avx2;
	content.key = key;
	content.tokenizer = blob;
	content.document = document;
	content.document_size = strlen(document);
	ok(mb_image_plan_make(&content, &arena, &plan, &err) == MB_OK, "plan");
	image_bytes = write_image(&content, &plan, element);
}

static mb_status
open_bytes(const void *bytes, size_t size, mb_image *image)
{
	return mb_image_open(bytes, size, &avx2, MB_PRECISION_FP32, key, &arena,
						 image, &err);
}

static void
test_open(void)
{
	mb_image	image;
	mb_slot		slot;
	const mb_linear *linear;
	float		panel[5 * MB_PANEL];
	size_t		index = (size_t) mb_slot_index(&config, "encoder.layer.1.ffn.0."
											   "output.dense.weight");

	if (!ok(open_bytes(image_bytes, plan.total_size, &image) == MB_OK,
			"opened: %s", err.message))
		return;
	ok(memcmp(&image.config, &config, sizeof(config)) == 0 &&
	   memcmp(&image.settings, &settings, sizeof(settings)) == 0,
	   "configuration and settings");
	ok(image.document_size == strlen(document) &&
	   memcmp(image.document, document, strlen(document)) == 0, "document");
	ok(mb_crc32c(0, image_bytes + image.head_size,
				 plan.total_size - image.head_size) == image.data_crc,
	   "checksum of the data");
	ok(image.tokenizer.vocabulary_size == 10, "tokenizer");
	mb_slot_get(&config, index, &slot);
	linear = &image.model.layers[1].feedforwards[0].output;
	mb_format_widen(linear->format, linear->panels, slot.shape[1], 0, 0,
					slot.shape[1], panel);
	ok(linear->weight == NULL && linear->format == plan.slot_formats[index] &&
	   panel[2 * MB_PANEL + 1] == element(index, slot.shape[1] + 2),
	   "a weight");
	ok(image.model.nsp.weight == NULL && image.model.qa.weight != NULL &&
	   image.model.mlm_decoder == image.model.word_embeddings, "parts");
}

static void
test_mismatch(void)
{
	mb_image	image;
	uint8_t		other[MB_IMAGE_KEY] = {1, 2, 4};
	size_t		taken = 0;
	size_t		i;
	uint8_t    *copy = image_memory(plan.total_size + 64);

	ok(mb_image_open(image_bytes, plan.total_size, &avx512, MB_PRECISION_FP32,
					 key, &arena, &image, &err) == MB_ERR_DATA, "instruction set: %s",
	   err.message);
	ok(mb_image_open(image_bytes, plan.total_size, &avx2, MB_PRECISIONS,
					 key, &arena, &image, &err) == MB_ERR_DATA,
	   "precision: %s", err.message);
	ok(mb_image_open(image_bytes, plan.total_size, &avx2, MB_PRECISION_FP32,
					 other, &arena, &image, &err) == MB_ERR_DATA, "key: %s", err.message);
	memcpy(copy, image_bytes, plan.total_size);
	memset(copy + plan.total_size, 0, 64);
	ok(open_bytes(copy, plan.total_size + 64, &image) == MB_ERR_DATA,
	   "longer: %s", err.message);
	memmove(copy + 4, copy, plan.total_size);
	ok(open_bytes(copy + 4, plan.total_size, &image) == MB_ERR_ARGUMENT,
	   "not aligned");
	free(copy);

	/* Exact sizes, so that a sanitizer sees a read beyond the end. */
	for (i = 0; i < plan.total_size; i += i < 600 ? 1 : 997)
	{
		copy = image_memory(i);
		memcpy(copy, image_bytes, i);
		taken += open_bytes(copy, i, &image) != MB_ERR_DATA;
		free(copy);
	}
	ok(taken == 0, "no prefix opens");

	for (i = 0; i < plan.head_size; i++)
	{
		image_bytes[i] ^= 0x10;
		taken += open_bytes(image_bytes, plan.total_size, &image) !=
			MB_ERR_DATA;
		image_bytes[i] ^= 0x10;
	}
	ok(taken == 0, "no damaged byte in %zu of the head passes (%zu)",
	   plan.head_size, taken);
	ok(open_bytes(image_bytes, plan.total_size, &image) == MB_OK,
	   "whole again");
}

/* Give a changed head a right checksum. */
static void
sign_head(uint8_t *bytes)
{
	uint32_t	crc = 0;

	memcpy(bytes + HEAD_CRC_OFFSET, &crc, sizeof(crc));
	crc = mb_crc32c(0, bytes, plan.head_size);
	memcpy(bytes + HEAD_CRC_OFFSET, &crc, sizeof(crc));
}

/* Of a linear layer's panels. */
static uint8_t
last_byte(const mb_linear *linear, size_t k, size_t n)
{
	size_t		size;

	if (linear->panels == NULL || !mb_format_size(linear->format, k, n, &size))
		abort();
	return ((const uint8_t *) linear->panels)[size - 1];
}

/* Sum over everything that an opened image points to. */
static double
touch(const mb_image *image)
{
	const mb_config *c = &image->config;
	double		sum = 0;
	size_t		i;

	sum += image->model.word_embeddings[(size_t) c->vocab_size *
										c->embedding_size - 1];
	sum += image->model.position_embeddings[(size_t) c->max_positions *
											c->hidden_size - 1];
	for (i = 0; i < c->layers; i++)
	{
		const mb_layer *layer = &image->model.layers[i];

		sum += last_byte(&layer->value, c->value_input_size,
						 c->attention_size);
		sum += last_byte(&layer->feedforwards[c->feedforwards - 1].output,
						 c->intermediate_size, c->true_hidden_size);
	}
	if (image->model.classifier.weight != NULL)
		sum += image->model.classifier.weight[0];
	for (i = 0; i < image->document_size; i++)
		sum += image->document[i];
	return sum;
}

/* Changes with a right checksum: malice, not damage. */
static void
test_hostile(void)
{
	uint8_t    *copy = image_memory(plan.total_size);
	uint32_t	state = 12345;
	uint32_t	opened = 0;
	double		sum = 0;
	int			round;

	memcpy(copy, image_bytes, plan.total_size);
	sign_head(copy);
	ok(memcmp(copy, image_bytes, plan.head_size) == 0,
	   "the head's checksum is where this test thinks");

	for (round = 0; round < 20000; round++)
	{
		mb_image	image;
		mb_arena	own;
		int			change;

		memcpy(copy, image_bytes, plan.head_size);
		for (change = 0; change <= round % 3; change++)
		{
			size_t		at;

			state = state * 1664525 + 1013904223;
			at = (state >> 8) % plan.head_size;
			state = state * 1664525 + 1013904223;
			copy[at] = (round % 2 == 0) ? (uint8_t) (state >> 24) :
				(uint8_t) (copy[at] ^ 1 << (state >> 24 & 7));
		}
		sign_head(copy);
		mb_arena_init(&own, &mb_libc_memory, 1 << 22);
		if (mb_image_open(copy, plan.total_size, &avx2, MB_PRECISION_FP32,
						  key, &own, &image, &err) == MB_OK)
		{
			opened++;
			sum += touch(&image);
		}
		mb_arena_free(&own);
	}
	ok(opened > 0 && opened < 20000, "%u of 20000 changed heads open, and can "
	   "be read through (%g)", opened, sum);
	free(copy);
}

int
main(void)
{
	mb_arena_init(&arena, &mb_libc_memory, SIZE_MAX);
	prepare_config();
	build_image();
	test_open();
	test_mismatch();
	test_hostile();
	free(image_bytes);
	mb_arena_free(&arena);
	return done_testing();
}
