/*-------------------------------------------------------------------------
 *
 * fuzz_image.c
 *	  A weight image with any changes to its head and its tokenizer.
 *
 * An input is a list of changes of four bytes each: an offset (16 bits, little
 * end first), which bits to turn (8 bits), and whether the checksum of the head
 * is to be made right again after the last change (odd) or not.  An image that
 * opens is used, which must not lead outside of it.
 *
 *-------------------------------------------------------------------------
 */
#include "base/crc32c.h"
#include "base/json.h"
#include "encoder/modules.h"
#include "encoder/pooling.h"
#include "fuzz.h"
#include "image_bytes.h"
#include "kernels/panels.h"
#include "model/checkpoint.h"
#include "model/image.h"

/* Where the checksum of the head is */
#define HEAD_CRC_OFFSET offsetof(mb_image_header, head_crc)

static const char document[] =
"{\"model_type\": \"mobilebert\", \"vocab_size\": 20,"
"\"hidden_size\": 8, \"num_hidden_layers\": 2,"
" \"num_attention_heads\": 2, \"intermediate_size\": 5,"
" \"max_position_embeddings\": 7, \"embedding_size\": 4,"
" \"intra_bottleneck_size\": 4, \"num_feedforward_networks\": 2}";

static const char vocabulary[] =
"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nof\nand\n##s\nto\n";

static const uint8_t key[MB_IMAGE_KEY] = {1, 2, 3};

/* After Pooling */
static const mb_module modules[] = {
	{8, 3, MB_MODULE_DENSE, MB_ACT_TANH, 1, 0},
	{3, 3, MB_MODULE_LAYER_NORM, MB_ACT_LINEAR, 0, 0}
};

/* The whole image, made once; inputs work on a copy. */
static uint8_t *original;
static uint8_t *copy;
static size_t image_size;
static size_t head_size;

static float
zero(size_t slot, uint64_t at)
{
	(void) slot;
	(void) at;
	return 0.0f;
}

static void
make_image(void)
{
	mb_arena	arena;
	mb_error	err;
	mb_json    *root = NULL;
	mb_config	config;
	mb_sentence_settings settings;
	mb_sentence_files none = {0};
	mb_tokenizer_files files;
	mb_image_content content;
	mb_image_plan plan;
	void	   *blob = NULL;
	bool	   *present;
	size_t		i;

	mb_arena_init(&arena, &mb_libc_memory, SIZE_MAX);
	memset(&content, 0, sizeof(content));
	CHECK(mb_json_parse(document, strlen(document), "doc", false, &arena,
						NULL, &root, &err) == MB_OK);
	CHECK(mb_config_read(root, &config, &err) == MB_OK);
	CHECK(mb_sentence_settings_read(&none, &settings, &err) == MB_OK);
	config.module_count = 2;
	memcpy(config.modules, modules, sizeof(modules));
	memset(&files, 0, sizeof(files));
	files.vocab_txt.text = vocabulary;
	files.vocab_txt.length = strlen(vocabulary);
	CHECK(mb_tokenizer_build(&files, &arena, NULL, &blob,
							 &content.tokenizer_size, &err) == MB_OK);
	present = mb_arena_alloc(&arena, mb_slot_count(&config), sizeof(bool));
	for (i = 0; i < mb_slot_count(&config); i++)
		present[i] = true;
	CHECK(mb_checkpoint_complete(&config, present, &content.parts,
								 &err) == MB_OK);
	content.config = &config;
	content.settings = &settings;
	content.precision = MB_PRECISION_FP32;
	content.kernels = &mb_kernels_ref;
	content.key = key;
	content.tokenizer = blob;
	content.document = document;
	content.document_size = strlen(document);
	content.present = present;
	CHECK(mb_image_plan_make(&content, &arena, &plan, &err) == MB_OK);

	image_size = plan.total_size;
	head_size = plan.head_size;
	original = write_image(&content, &plan, zero);
	copy = image_memory(image_size);
	mb_arena_free(&arena);
}

static void
sign_head(void)
{
	uint32_t	crc = 0;

	memcpy(copy + HEAD_CRC_OFFSET, &crc, sizeof(crc));
	crc = mb_crc32c(0, copy, head_size);
	memcpy(copy + HEAD_CRC_OFFSET, &crc, sizeof(crc));
}

/* Takes what is read, so that no compiler leaves the reading out. */
static volatile float sink;

/* The last byte of a map's panels. */
static float
last_weight(const mb_linear *map, size_t k, size_t n)
{
	size_t		size;

	CHECK(map->panels != NULL && mb_format_size(map->format, k, n, &size));
	return ((const uint8_t *) map->panels)[size - 1];
}

/* Run a vector through the modules of the image. */
static float
use_modules(const mb_image *image)
{
	size_t		pooled = mb_pool_width(&image->model,
									   image->settings.pooling);
	size_t		room = mb_modules_room(&image->config, pooled);
	float	   *vector = calloc(2 * room, sizeof(float));
	float		result;

	CHECK(vector != NULL);
	CHECK(mb_modules_run(&image->model, vector, vector + room, NULL, NULL) ==
		  MB_OK);
	result = vector[mb_modules_width(&image->config, pooled) - 1];
	free(vector);
	return result;
}

/* Read the far ends of what the image describes. */
static void
use_image(const mb_image *image, mb_arena *arena)
{
	static const char text[] = "The sands of [MASK]s and to.";
	const mb_config *config = &image->config;
	const mb_model *model = &image->model;
	float		sum = 0;
	mb_pieces	pieces;
	mb_error	err;
	uint32_t	i;

	sum += model->word_embeddings[(size_t) config->vocab_size *
								  config->embedding_size - 1];
	sum += model->position_embeddings[(size_t) config->max_positions *
									  config->hidden_size - 1];
	for (i = 0; i < config->layers; i++)
	{
		const mb_layer *layer = &model->layers[i];

		sum += last_weight(&layer->value, config->value_input_size,
						   config->attention_size);
		sum += layer->feedforwards[config->feedforwards - 1].norm
			.bias[config->true_hidden_size - 1];
	}
	if (image->config.module_count > 0)
		sum += use_modules(image);
	if (image->document_size > 0)
		sum += image->document[image->document_size - 1];
	sink = sum;
	mb_tokenize(&image->tokenizer, text, strlen(text), false, arena, NULL,
				&pieces, &err);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mb_arena	arena;
	mb_error	err;
	mb_image	image;
	bool		sign = false;
	mb_status	status;

	if (original == NULL)
		make_image();
	memcpy(copy, original, image_size);
	for (; size >= 4; data += 4, size -= 4)
	{
		copy[(size_t) (data[0] | data[1] << 8) % image_size] ^= data[2];
		sign = data[3] & 1;
	}
	if (sign)
		sign_head();

	mb_arena_init(&arena, &mb_libc_memory, FUZZ_MEMORY);
	status = mb_image_open(copy, image_size, &mb_kernels_ref,
						   MB_PRECISION_FP32, key, &arena, &image, &err);
	if (status == MB_OK)
		use_image(&image, &arena);
	else
		CHECK_ERROR(status, err);
	mb_arena_free(&arena);
	return 0;
}
