/*-------------------------------------------------------------------------
 *
 * fuzz_config.c
 *	  Any bytes as config.json and as the sentence-transformers files, those of
 *	  modules after Pooling too, and the list of tensors and the labels of what
 *	  is accepted.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"
#include "model/checkpoint.h"
#include "model/config.h"
#include "model/labels.h"
#include "encoder/modules.h"
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

/*
 * The document as modules.json, or as the configuration of modules that a list
 * names, behind a model of 8 numbers.
 */
static void
check_modules(const mb_json *root, mb_arena *arena)
{
	static const char *const lists[] = {
		NULL, "Dense\"}, {\"type\": \"Dense", "LayerNorm",
		"Normalize\"}, {\"type\": \"Dense\"}, {\"type\": \"LayerNorm"
	};
	static const char model[] = "{\"model_type\": \"bert\", "
		"\"vocab_size\": 9, \"hidden_size\": 8, \"num_hidden_layers\": 1, "
		"\"num_attention_heads\": 2, \"intermediate_size\": 5}";
	mb_json    *config_root;
	mb_config	config;
	mb_sentence_settings settings;
	mb_error	err;
	size_t		i;
	size_t		m;

	CHECK(mb_json_parse(model, strlen(model), "model", false, arena, NULL,
						&config_root, &err) == MB_OK &&
		  mb_config_read(config_root, &config, &err) == MB_OK);
	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
	{
		char		text[300];
		mb_json    *list = NULL;
		mb_sentence_files files = {0};
		mb_status	status;

		snprintf(text, sizeof(text), "[{\"type\": \"Transformer\"}, "
				 "{\"type\": \"Pooling\"}, {\"type\": \"%s\"}]",
				 lists[i] == NULL ? "" : lists[i]);
		if (lists[i] != NULL)
			CHECK(mb_json_parse(text, strlen(text), "list", false, arena, NULL,
								&list, &err) == MB_OK);
		files.modules = lists[i] == NULL ? root : list;
		files.pooling = config_root;	/* has no key of it: the mean */
		for (m = 0; m < MB_MODULES_LIMIT; m++)
			files.following[m] = root;
		status = mb_sentence_settings_read(&files, &settings, &err);
		if (status == MB_OK)
			status = mb_modules_read(&files, &settings, &config, &err);
		if (status != MB_OK)
		{
			CHECK_ERROR(status, err);
			continue;
		}
		CHECK(mb_modules_check(&config, &settings, &err) == MB_OK);
		CHECK(mb_modules_room(&config, 8) >= mb_modules_width(&config, 8) &&
			  mb_vector_width(&config, &settings) ==
			  mb_modules_width(&config, 8));
		check_slots(&config);
		for (m = 0; m < mb_slot_count(&config); m++)
		{
			mb_slot		slot;

			mb_slot_get(&config, m, &slot);
			CHECK((strncmp(slot.name, "modules.", 8) == 0) ==
				  (slot.part == MB_PART_MODULES));
		}
	}
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
		check_modules(root, &arena);
		for (which = 0; which < 5; which++)
		{
			mb_sentence_files files = {
				which == 0 ? root : NULL, which == 1 ? root : NULL,
				which == 2 ? root : NULL, which == 3 ? root : NULL,
				which == 4 ? root : NULL, {NULL}
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
