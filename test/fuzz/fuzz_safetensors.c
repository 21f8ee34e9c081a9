/*-------------------------------------------------------------------------
 *
 * fuzz_safetensors.c
 *	  Any bytes as the header of a safetensors file.
 *
 * The first two bytes are the size of the data behind the header, as two
 * characters from 'a' on (26 * first + second), so that seeds are text; the
 * rest is the header.
 *
 *-------------------------------------------------------------------------
 */
#include "base/json.h"
#include "fuzz.h"
#include "model/checkpoint.h"
#include "model/family.h"
#include "model/safetensors.h"

static void
read_small_config(const mb_family *family, mb_config *config, mb_arena *arena)
{
	char		text[100];
	mb_error	err;
	mb_json    *root = NULL;

	snprintf(text, sizeof(text), "{\"model_type\": \"%s\", "
			 "\"num_hidden_layers\": 2}", family->model_type);
	CHECK(mb_json_parse(text, strlen(text), "doc", false, arena, NULL, &root,
						&err) == MB_OK);
	CHECK(mb_config_read(root, config, &err) == MB_OK);
}

/* Match whatever names came through with the tensors of a family. */
static void
check_match(const mb_safetensors *file, const mb_family *family,
			mb_arena *arena)
{
	mb_config	config;
	mb_error	err;
	const char **names = mb_arena_alloc(arena, file->count, sizeof(char *));
	int32_t    *slots = mb_arena_alloc(arena, file->count, sizeof(int32_t));
	bool	   *present;
	uint32_t	parts;
	size_t		i;

	read_small_config(family, &config, arena);
	present = mb_arena_zero(arena, mb_slot_count(&config), sizeof(bool));
	CHECK(names != NULL && slots != NULL && present != NULL);
	for (i = 0; i < file->count; i++)
		names[i] = file->entries[i].name;
	if (mb_checkpoint_match(&config, names, file->count, arena, slots,
							&err) != MB_OK)
		return;
	for (i = 0; i < file->count; i++)
	{
		mb_slot		slot;

		if (slots[i] < 0)
			continue;
		CHECK((size_t) slots[i] < mb_slot_count(&config));
		CHECK(!present[slots[i]]);
		present[slots[i]] = true;
		mb_slot_get(&config, (size_t) slots[i], &slot);
		mb_checkpoint_shape(&slot, names[i], file->entries[i].rank,
							file->entries[i].shape, &err);
	}
	mb_checkpoint_complete(&config, present, &parts, &err);
}

static void
check_file(const mb_safetensors *file, uint64_t start, uint64_t file_size)
{
	uint64_t	at = start;
	size_t		i;

	for (i = 0; i < file->count; i++)
	{
		const mb_tensor_entry *entry = &file->entries[i];
		size_t		size = mb_dtype_size(entry->dtype);
		uint64_t	elements = 1;
		uint32_t	k;

		CHECK(entry->begin == at && entry->end >= entry->begin);
		at = entry->end;
		if (size == 0 || entry->rank > MB_TENSOR_MAX_RANK)
			continue;
		for (k = 0; k < entry->rank; k++)
			elements *= entry->shape[k];
		CHECK(elements * size == entry->end - entry->begin);
	}
	CHECK(at == file_size);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mb_arena	arena;
	mb_error	err;
	mb_safetensors file;
	uint64_t	data_size;
	uint64_t	file_size;
	mb_status	status;
	int			i;

	if (size < 2)
		return 0;
	data_size = (uint8_t) (data[0] - 'a') * 26u + (uint8_t) (data[1] - 'a');
	file_size = MB_SAFETENSORS_PREFIX + (size - 2) + data_size;

	mb_arena_init(&arena, &mb_libc_memory, FUZZ_MEMORY);
	status = mb_safetensors_read((const char *) data + 2, size - 2, file_size,
								 "file", &arena, NULL, &file, &err);
	if (status == MB_OK)
	{
		check_file(&file, MB_SAFETENSORS_PREFIX + (size - 2), file_size);
		for (i = 0; i < MB_FAMILIES; i++)
			check_match(&file, &mb_families[i], &arena);
	}
	else
		CHECK_ERROR(status, err);
	mb_arena_free(&arena);
	return 0;
}
