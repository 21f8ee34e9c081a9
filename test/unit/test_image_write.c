/*-------------------------------------------------------------------------
 *
 * test_image_write.c
 *	  Writing weight images: the bytes against ones put together here, in every
 *	  precision and from every stored type; and what happens when any of the
 *	  reads fails, any of the puts, or a cancel comes at any time.
 *
 *-------------------------------------------------------------------------
 */
#include "base/crc32c.h"
#include "base/json.h"
#include "image_bytes.h"
#include "kernels/panels.h"
#include "model/checkpoint.h"
#include "tap.h"

/* Wide enough that some tensors are read in several pieces. */
static const char document[] =
"{\"model_type\": \"mobilebert\", \"vocab_size\": 9000,"
"\"hidden_size\": 20, \"num_hidden_layers\": 1,"
" \"num_attention_heads\": 2, \"intermediate_size\": 4200,"
" \"max_position_embeddings\": 7, \"embedding_size\": 8,"
" \"intra_bottleneck_size\": 16, \"num_feedforward_networks\": 1}";

static const char vocabulary[] =
"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nof\nand\n##s\nto\n";

static const uint8_t key[MB_IMAGE_KEY] = {1, 2, 3};

/* All that an image knows of kernels */
static const mb_kernels avx2 = {.name = "avx2"};
static const mb_kernels tiles = {.name = "avx2", .split = true};

static mb_arena arena;
static mb_error err;
static mb_config config;
static mb_sentence_settings settings;
static mb_image_content content;
static bool *present;
static mb_dtype *dtypes;

static float
element(size_t slot, uint64_t at)
{
	return (float) ((slot * 31 + at * 7) % 201) / 8.0f - 12.0f;
}

static void
prepare(void)
{
	mb_sentence_files none = {0};
	mb_tokenizer_files files;
	mb_json    *root;
	void	   *blob = NULL;
	size_t		slots;
	size_t		i;

	memset(&files, 0, sizeof(files));
	files.vocab_txt.text = vocabulary;
	files.vocab_txt.length = strlen(vocabulary);
	ok(mb_json_parse(document, strlen(document), "doc", false, &arena, NULL,
					 &root, &err) == MB_OK &&
	   mb_config_read(root, &config, &err) == MB_OK &&
	   mb_sentence_settings_read(&none, &settings, &err) == MB_OK &&
	   mb_tokenizer_build(&files, &arena, NULL, &blob, &content.tokenizer_size,
						  &err) == MB_OK, "configuration and tokenizer");

	/* All but the NSP head and the decoder that is tied. */
	slots = mb_slot_count(&config);
	present = mb_arena_zero(&arena, slots, sizeof(bool));
	dtypes = mb_arena_zero(&arena, slots, sizeof(mb_dtype));
	for (i = 0; i < slots; i++)
		present[i] = mb_slot_part(&config, i) != MB_PART_NSP &&
			mb_slot_part(&config, i) != MB_PART_MLM_UNTIED;
	content.config = &config;
	content.settings = &settings;
	content.kernels = &avx2;
	content.key = key;
	content.tokenizer = blob;
	content.document = document;
	content.document_size = strlen(document);
	content.present = present;
	content.dtypes = dtypes;
	ok(mb_checkpoint_complete(&config, present, &content.parts, &err) == MB_OK,
	   "parts");
}

/* Slot i is stored as number "first" + i of the types that are read. */
static void
store_as(size_t first)
{
	static const mb_dtype types[] = {
		MB_DTYPE_F32, MB_DTYPE_F16, MB_DTYPE_BF16, MB_DTYPE_F64
	};
	size_t		i;

	for (i = 0; i < mb_slot_count(&config); i++)
		dtypes[i] = types[(first + i) % 4];
}

static void
make_plan(mb_image_plan *plan)
{
	if (mb_image_plan_make(&content, &arena, plan, &err) != MB_OK)
		abort();
}

/* ----------
 * Callbacks that look at their arguments, and fail when told
 * ----------
 */

#define NEVER SIZE_MAX

typedef struct recorder
{
	image_target target;
	const mb_image_plan *plan;
	size_t		slot;			/* being read */
	uint64_t	read;			/* bytes of it so far */
	size_t		position;		/* of the image so far, after the head */
	size_t		reads;			/* calls so far */
	size_t		puts;
	size_t		polls;
	size_t		failing_read;	/* number of the call; NEVER */
	size_t		failing_put;
	size_t		cancelling_poll;
	size_t		wrong;			/* what must not be */
	bool		failed;			/* nothing may be asked for any more */
	bool		head;			/* it was put */
} recorder;

static void
recorder_init(recorder *r, const mb_image_plan *plan)
{
	memset(r, 0, sizeof(*r));
	r->target.content = &content;
	r->target.element = element;
	r->target.bytes = image_memory(plan->total_size);
	memset(r->target.bytes, 0xEE, plan->total_size);
	r->plan = plan;
	r->position = plan->head_size;
	r->failing_read = r->failing_put = r->cancelling_poll = NEVER;
}

static mb_status
record_read(void *context, size_t slot, uint64_t offset, void *buffer,
			size_t size, mb_error *error)
{
	recorder   *r = context;

	if (r->reads > 0 && slot < r->slot)
		r->wrong++;
	if (r->reads == 0 || slot != r->slot)
		r->read = 0;
	r->slot = slot;
	r->wrong += r->failed || r->head || !present[slot] || size == 0 ||
		offset != r->read || offset + size >
		mb_slot_size(&config, slot) * mb_dtype_size(dtypes[slot]);
	r->read += size;
	if (r->reads++ == r->failing_read)
	{
		r->failed = true;
		return mb_fail(error, MB_ERR_IO, "read %zu fails", r->reads - 1);
	}
	return target_read(&r->target, slot, offset, buffer, size, error);
}

static mb_status
record_put(void *context, size_t offset, const void *bytes, size_t size,
		   mb_error *error)
{
	recorder   *r = context;

	r->wrong += r->failed || r->head || size == 0;
	if (offset == 0)
	{
		r->wrong += size != r->plan->head_size ||
			r->position != r->plan->total_size;
		r->head = true;
	}
	else
	{
		r->wrong += offset != r->position;
		r->position += size;
	}
	if (r->puts++ == r->failing_put)
	{
		r->failed = true;
		return mb_fail(error, MB_ERR_LIMIT, "put %zu fails", r->puts - 1);
	}
	return target_put(&r->target, offset, bytes, size, error);
}

static bool
record_poll(void *context)
{
	recorder   *r = context;

	r->wrong += r->failed;
	if (r->polls++ != r->cancelling_poll)
		return false;
	r->failed = true;
	return true;
}

/* In a workspace of the size that is asked for, between guards. */
static mb_status
run(recorder *r)
{
	mb_image_io io = {r, record_read, record_put};
	mb_cancel	cancel = {record_poll, r};
	size_t		size = mb_image_write_memory(&content, r->plan);
	size_t		total = arena.total;
	uint8_t    *memory = image_memory(size + 128);
	mb_status	status;
	size_t		i;

	memset(memory, 0x5A, size + 128);
	err.message[0] = '\0';
	status = mb_image_write(&content, r->plan, &io, &cancel, memory + 64, size,
							&err);
	for (i = 0; i < 64; i++)
		r->wrong += memory[i] != 0x5A || memory[64 + size + i] != 0x5A;
	r->wrong += arena.total != total;
	free(memory);
	return status;
}

/* ----------
 * Whole images
 * ----------
 */

/* The data of an image, by its plan alone; not the head. */
static uint8_t *
expected_data(const mb_image_plan *plan)
{
	uint8_t    *bytes = image_memory(plan->total_size);
	size_t		i;

	memset(bytes, 0, plan->total_size);
	memcpy(bytes + plan->tokenizer_offset, content.tokenizer,
		   content.tokenizer_size);
	memcpy(bytes + plan->document_offset, document, strlen(document));
	for (i = 0; i < plan->slots; i++)
	{
		uint64_t	shape[2];
		float	   *tensor;
		uint64_t	j;

		if (!present[i])
			continue;
		(void) mb_slot_linear(&config, i, shape);
		tensor = malloc((shape[0] * shape[1] + 1) * sizeof(float));
		for (j = 0; j < shape[0] * shape[1]; j++)
			tensor[j] = element(i, j);
		mb_format_pack((mb_format) plan->slot_formats[i], tensor, shape[1],
					   shape[0], bytes + plan->slot_offsets[i]);
		free(tensor);
	}
	return bytes;
}

static bool
opens(const recorder *r, uint32_t crc)
{
	mb_arena	own;
	mb_image	image;
	bool		good;

	mb_arena_init(&own, &mb_libc_memory, SIZE_MAX);
	good = mb_image_open(r->target.bytes, r->plan->total_size, &avx2,
						 content.precision, key, &own, &image, &err) == MB_OK &&
		image.data_crc == crc && image.head_size == r->plan->head_size &&
		image.parts == content.parts &&
		memcmp(&image.config, &config, sizeof(config)) == 0 &&
		memcmp(&image.settings, &settings, sizeof(settings)) == 0 &&
		image.document_size == strlen(document) &&
		memcmp(image.document, document, strlen(document)) == 0 &&
		image.tokenizer.vocabulary_size == 10;
	mb_arena_free(&own);
	return good;
}

static void
test_whole(mb_precision precision)
{
	size_t		wrong = 0;
	size_t		first;

	content.precision = precision;
	for (first = 0; first < 4; first++)
	{
		mb_image_plan plan;
		recorder	r;
		uint8_t    *expected;
		size_t		data;

		store_as(first);
		make_plan(&plan);
		recorder_init(&r, &plan);
		expected = expected_data(&plan);
		data = plan.total_size - plan.head_size;
		wrong += run(&r) != MB_OK || !r.head || r.wrong > 0;
		wrong += memcmp(r.target.bytes + plan.head_size,
						expected + plan.head_size, data) != 0;
		wrong += !opens(&r, mb_crc32c(0, expected + plan.head_size, data));
		free(expected);
		free(r.target.bytes);
	}
	ok(wrong == 0, "%s%s: same bytes from every stored type, in order, and "
	   "they open", mb_precision_name(precision),
	   content.kernels->split ? ", for tiles" : "");
}

/* Without types all tensors are float32. */
static void
test_no_types(void)
{
	mb_image_plan plan;
	uint8_t    *with;
	uint8_t    *without;
	size_t		i;

	content.precision = MB_PRECISION_FP32;
	for (i = 0; i < mb_slot_count(&config); i++)
		dtypes[i] = MB_DTYPE_F32;
	make_plan(&plan);
	with = write_image(&content, &plan, element);
	content.dtypes = NULL;
	make_plan(&plan);
	without = write_image(&content, &plan, element);
	content.dtypes = dtypes;
	ok(memcmp(with, without, plan.total_size) == 0,
	   "without types all tensors are float32");
	free(with);
	free(without);
}

/* ----------
 * Plans
 * ----------
 */

/* Bytes of a slot's section, or 0 when its format is not the one expected. */
static size_t
bytes_of(const mb_image_plan *plan, size_t i)
{
	uint64_t	shape[2];
	bool		linear = mb_slot_linear(&config, i, shape);
	mb_format	format = !linear ? MB_FORMAT_ROWS :
		mb_format_choose(content.kernels, content.precision, dtypes[i]);
	size_t		size;

	if (plan->slot_formats[i] != format ||
		!mb_format_size(format, shape[1], shape[0], &size))
		return 0;
	return size;
}

static void
test_plan(void)
{
	mb_image_content huge = content;
	mb_image_plan plan;
	size_t		end;
	bool		good;
	size_t		i;

	store_as(0);
	make_plan(&plan);
	end = plan.head_size;
	good = plan.head_size % 64 == 0 && plan.total_size % 64 == 0 &&
		plan.tokenizer_offset == end &&
		plan.document_offset >= end + content.tokenizer_size;
	end = plan.document_offset + content.document_size;
	for (i = 0; i < plan.slots; i++)
	{
		if (!present[i])
		{
			good = good && plan.slot_offsets[i] == 0;
			continue;
		}
		good = good && plan.slot_offsets[i] >= end &&
			plan.slot_offsets[i] % 64 == 0;
		end = plan.slot_offsets[i] + bytes_of(&plan, i);
	}
	ok(good && end <= plan.total_size && plan.total_size - end < 64,
	   "sections are aligned, in order and apart");
	huge.tokenizer_size = SIZE_MAX - 100;
	ok(mb_image_plan_make(&huge, &arena, &plan, &err) == MB_ERR_LIMIT,
	   "sizes overflow: %s", err.message);
	huge.tokenizer_size = 10;
	huge.document_size = SIZE_MAX;
	ok(mb_image_plan_make(&huge, &arena, &plan, &err) == MB_ERR_LIMIT,
	   "sizes overflow again");
}

static void
test_plan_memory(void)
{
	mb_image_plan plan;
	mb_arena	tight;

	mb_arena_init(&tight, &mb_libc_memory, 16);
	ok(mb_image_plan_make(&content, &tight, &plan, &err) == MB_ERR_MEMORY,
	   "no memory for a plan: %s", err.message);
	mb_arena_free(&tight);
}

/* ----------
 * What goes wrong
 * ----------
 */

/* Nothing that opens may be left of a writing that did not end well. */
static bool
left_unusable(const recorder *r)
{
	mb_arena	own;
	mb_image	image;
	bool		opened;
	mb_error	ignored;

	if (r->wrong > 0 || (r->head && r->puts - 1 != r->failing_put))
		return false;
	mb_arena_init(&own, &mb_libc_memory, SIZE_MAX);
	opened = mb_image_open(r->target.bytes, r->plan->total_size, &avx2,
						   content.precision, key, &own, &image,
						   &ignored) == MB_OK;
	mb_arena_free(&own);
	return !opened;
}

static void
test_failures(mb_precision precision)
{
	mb_image_plan plan;
	recorder	whole;
	recorder	r;
	size_t		wrong = 0;
	size_t		i;

	content.precision = precision;
	store_as(1);
	make_plan(&plan);
	recorder_init(&whole, &plan);
	wrong += run(&whole) != MB_OK;
	for (i = 0; i < whole.reads; i++)
	{
		char		message[40];

		recorder_init(&r, &plan);
		r.failing_read = i;
		snprintf(message, sizeof(message), "read %zu fails", i);
		wrong += run(&r) != MB_ERR_IO || err.status != MB_ERR_IO ||
			strcmp(err.message, message) != 0 || !left_unusable(&r);
		free(r.target.bytes);
	}
	ok(wrong == 0 && whole.reads > 30, "%s: any of %zu reads fails",
	   mb_precision_name(precision), whole.reads);

	for (wrong = 0, i = 0; i < whole.puts; i++)
	{
		char		message[40];

		recorder_init(&r, &plan);
		r.failing_put = i;
		snprintf(message, sizeof(message), "put %zu fails", i);
		wrong += run(&r) != MB_ERR_LIMIT || err.status != MB_ERR_LIMIT ||
			strcmp(err.message, message) != 0 || !left_unusable(&r);
		free(r.target.bytes);
	}
	ok(wrong == 0 && whole.puts > 30, "%s: any of %zu puts fails",
	   mb_precision_name(precision), whole.puts);

	for (wrong = 0, i = 0; i < whole.polls; i++)
	{
		recorder_init(&r, &plan);
		r.cancelling_poll = i;
		wrong += run(&r) != MB_ERR_CANCELLED ||
			err.status != MB_ERR_CANCELLED || !left_unusable(&r);
		free(r.target.bytes);
	}
	ok(wrong == 0 && whole.polls > whole.reads,
	   "%s: a cancel at any of %zu polls", mb_precision_name(precision),
	   whole.polls);
	free(whole.target.bytes);
}

static void
test_refusals(void)
{
	mb_image_plan plan;
	recorder	r;
	mb_image_io io = {&r, record_read, record_put};
	size_t		size;
	uint8_t    *memory;

	content.precision = MB_PRECISION_FP32;
	store_as(0);
	make_plan(&plan);
	recorder_init(&r, &plan);
	size = mb_image_write_memory(&content, &plan);
	memory = image_memory(size + 64);
	ok(mb_image_write(&content, &plan, &io, NULL, memory, size - 1,
					  &err) == MB_ERR_ARGUMENT &&
	   mb_image_write(&content, &plan, &io, NULL, NULL, 0,
					  &err) == MB_ERR_ARGUMENT &&
	   mb_image_write(&content, &plan, &io, NULL, memory + 4, size,
					  &err) == MB_ERR_ARGUMENT && r.reads + r.puts == 0,
	   "a workspace that is too small, absent or not aligned: %s",
	   err.message);
	dtypes[5] = MB_DTYPE_OTHER;
	ok(mb_image_write(&content, &plan, &io, NULL, memory, size,
					  &err) == MB_ERR_ARGUMENT && !r.head,
	   "a type that is not read: %s", err.message);
	free(memory);
	free(r.target.bytes);
}

int
main(void)
{
	int			precision;

	mb_arena_init(&arena, &mb_libc_memory, SIZE_MAX);
	prepare();
	for (precision = 0; precision < MB_PRECISIONS; precision++)
		test_whole((mb_precision) precision);
	content.kernels = &tiles;
	test_whole(MB_PRECISION_FP32);
	content.kernels = &avx2;
	test_no_types();
	test_plan();
	test_plan_memory();
	for (precision = 0; precision < MB_PRECISIONS; precision++)
		test_failures((mb_precision) precision);
	test_refusals();
	mb_arena_free(&arena);
	return done_testing();
}
