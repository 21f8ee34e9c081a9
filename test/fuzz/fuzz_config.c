/*-------------------------------------------------------------------------
 *
 * fuzz_config.c
 *	  Any bytes as config.json and as the sentence-transformers files, and the
 *	  list of tensors and the labels of what is accepted.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"
#include "model/checkpoint.h"
#include "model/config.h"
#include "model/labels.h"
#include "model/settings.h"

/* A slot's name leads back to it. */
static void
check_slots(const mb_config *config)
{
	size_t		count = mb_slot_count(config);
	size_t		step = count / 50 + 1;
	size_t		i;

	for (i = 0; i < count; i += step)
	{
		mb_slot		slot;

		mb_slot_get(config, i, &slot);
		CHECK(strlen(slot.name) < MB_SLOT_NAME_MAX - 1);
		CHECK(slot.rank == 1 || slot.rank == 2);
		CHECK(mb_slot_index(config, slot.name) == (ptrdiff_t) i);
		CHECK(mb_slot_elements(&slot) == mb_slot_size(config, i));
	}
}

/* What is written reads back as the same. */
static void
check_round_trip(const mb_config *config, mb_arena *arena)
{
	mb_config	again;
	mb_error	err;
	mb_json    *root;
	char	   *text;

	CHECK(mb_config_check(config, &err) == MB_OK);
	CHECK(mb_config_write(config, arena, &text, &err) == MB_OK);
	CHECK(mb_json_parse(text, strlen(text), "written", false, arena, NULL,
						&root, &err) == MB_OK);
	CHECK(mb_config_read(root, &again, &err) == MB_OK);
	CHECK(memcmp(config, &again, sizeof(again)) == 0);
}

/* Every output of a head has a name or none; one of them means entailment. */
static void
check_labels(const mb_json *root, const char *task, size_t outputs,
			 mb_arena *arena)
{
	mb_labels	labels;
	mb_error	err;
	mb_status	status;
	size_t		output;
	bool		named;
	size_t		i;

	CHECK(mb_labels_read(root, task, outputs, arena, &labels, &err) == MB_OK);
	CHECK(labels.outputs == outputs);
	for (i = 0; i < outputs; i++)
		CHECK(labels.names[i].text == NULL ||
			  labels.names[i].text[labels.names[i].length] == '\0');
	if (outputs == 0)
		return;
	status = mb_entailment_output(root, task, outputs, &output, &named, &err);
	if (status == MB_OK)
		CHECK(output < outputs && (named || output == outputs - 1));
	else
		CHECK_ERROR(status, err);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mb_arena	arena;
	mb_error	err;
	mb_json    *root = NULL;
	mb_config	config;
	mb_sentence_settings settings;
	mb_prompts	prompts;
	mb_status	status;
	int			which;

	mb_arena_init(&arena, &mb_libc_memory, FUZZ_MEMORY);
	if (mb_json_parse((const char *) data, size, "doc", true, &arena, NULL,
					  &root, &err) == MB_OK)
	{
		status = mb_config_read(root, &config, &err);
		if (status == MB_OK)
		{
			check_round_trip(&config, &arena);
			check_slots(&config);
			check_labels(root, NULL, config.num_labels, &arena);
			check_labels(root, "text-classification", 3, &arena);
		}
		else
			CHECK_ERROR(status, err);
		status = mb_prompts_read(root, &arena, &prompts, &err);
		if (status == MB_OK)
			CHECK(prompts.count >= 2 &&
				  (prompts.by_default == NULL ||
				   (prompts.by_default >= prompts.list &&
					prompts.by_default < prompts.list + prompts.count)));
		else
			CHECK_ERROR(status, err);
		for (which = 0; which < 5; which++)
		{
			mb_sentence_files files = {
				which == 0 ? root : NULL, which == 1 ? root : NULL,
				which == 2 ? root : NULL, which == 3 ? root : NULL,
				which == 4 ? root : NULL
			};

			status = mb_sentence_settings_read(&files, &settings, &err);
			if (status == MB_OK)
				CHECK(mb_poolings_valid(settings.pooling) &&
					  !mb_poolings_contain(settings.pooling,
										   MB_POOL_POOLER) &&
					  settings.cross_encoder <= 1 &&
					  settings.activation < MB_ACTIVATIONS);
			else
				CHECK_ERROR(status, err);
		}
	}
	mb_arena_free(&arena);
	return 0;
}
