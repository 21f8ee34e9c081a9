/*-------------------------------------------------------------------------
 *
 * test_checkpoint.c
 *	  Slots and their names, matching, parts and tasks, and binding a model.
 *
 * With MB_REFERENCE set to a folder whose "checkpoints" holds Hugging Face
 * directories, each of those is read and matched as well.
 *
 *-------------------------------------------------------------------------
 */
#include "base/json.h"
#include "model/checkpoint.h"
#include "model/model.h"
#include "model/safetensors.h"
#include "tap.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

static mb_arena arena;
static mb_error err;
static mb_config config;

/* A document without a family is one of MobileBERT here. */
static const char *
with_family(const char *text)
{
	char	   *result;
	size_t		size = strlen(text) + 40;

	if (text[0] != '{' || strstr(text, "\"model_type\"") != NULL)
		return text;
	result = mb_arena_alloc(&arena, size, 1);
	snprintf(result, size, "{\"model_type\": \"mobilebert\"%s%s",
			 text[1] == '}' ? "" : ", ", text + 1);
	return result;
}

static void
read_config(const char *text)
{
	mb_json    *root = NULL;

	text = with_family(text);

	if (mb_json_parse(text, strlen(text), "doc", true, &arena, NULL, &root,
					  &err) != MB_OK ||
		mb_config_read(root, &config, &err) != MB_OK)
		printf("# bad test configuration: %s\n", err.message);
}

static const char *const configurations[] = {
	"{}",
	"{\"classifier_activation\": false}",
	"{\"use_bottleneck\": false, \"num_feedforward_networks\": 1,"
	" \"trigram_input\": false}",
	"{\"use_bottleneck_attention\": true, \"num_feedforward_networks\": 2}",
	"{\"use_bottleneck_attention\": true,"
	" \"key_query_shared_bottleneck\": false}",
	"{\"num_hidden_layers\": 0}",
	"{\"num_hidden_layers\": 101, \"num_feedforward_networks\": 12}",
	"{\"model_type\": \"bert\"}",
	"{\"model_type\": \"distilbert\"}",
	"{\"model_type\": \"electra\"}",
	"{\"model_type\": \"electra\", \"embedding_size\": 256,"
	" \"summary_use_proj\": false}"
};

#define MOBILEBERT_CONFIGURATIONS 7

/* Parameters and tensors of model.md 8.1 and 9. */
static void
test_counts(void)
{
	uint64_t	part[MB_PART_COUNT] = {0};
	size_t		tensors = 0;
	size_t		i;

	read_config(configurations[0]);
	for (i = 0; i < mb_slot_count(&config); i++)
	{
		part[mb_slot_part(&config, i)] += mb_slot_size(&config, i);
		tensors += mb_slot_part(&config, i) == MB_PART_BASE;
	}
	ok(tensors == 1111, "%zu tensors in the base model", tensors);
	ok(part[MB_PART_BASE] == 24581888, "parameters of the base model");
	ok(part[MB_PART_POOLER] == 262656, "of the pooler");
	ok(part[MB_PART_MLM] == 12014650, "of the MLM head");
	ok(part[MB_PART_MLM_UNTIED] == 3906816, "of its decoder");
	ok(part[MB_PART_NSP] == 1026, "of the NSP head");
	ok(part[MB_PART_CLASSIFIER] == 1026 && part[MB_PART_QA] == 1026,
	   "of the classifiers");
}

/* The numbers of tensors of model.md 10, with cls.* and without decoders. */
static void
test_golden_counts(void)
{
#define GOLDEN "\"vocab_size\": 40, \"hidden_size\": 32," \
	"\"num_hidden_layers\": 3, \"intermediate_size\": 24," \
	"\"max_position_embeddings\": 16, \"embedding_size\": 16," \
	"\"intra_bottleneck_size\": 16"
	static const struct
	{
		const char *text;
		size_t		tensors;
	}			golden[] = {
		{"{" GOLDEN "}", 155},
		{"{" GOLDEN ", \"use_bottleneck_attention\": true,"
			"\"key_query_shared_bottleneck\": false,"
			"\"num_feedforward_networks\": 2,"
		"\"classifier_activation\": false}", 105},
		{"{" GOLDEN ", \"use_bottleneck\": false,"
		"\"num_feedforward_networks\": 1, \"trigram_input\": false}", 65}
	};
	size_t		g;

	for (g = 0; g < 3; g++)
	{
		size_t		count = 0;
		size_t		i;

		read_config(golden[g].text);
		for (i = 0; i < mb_slot_count(&config); i++)
		{
			mb_part		part = mb_slot_part(&config, i);

			count += part == MB_PART_BASE || part == MB_PART_MLM ||
				part == MB_PART_NSP ||
				(part == MB_PART_POOLER && config.classifier_activation);
		}
		ok(count == golden[g].tensors, "G%zu has %zu tensors", g + 1, count);
	}
}

static void
test_names(void)
{
	static const char *const absent[] = {
		"", "embeddings", "encoder.layer.",
		"encoder.layer.24.attention.self.query.weight",
		"encoder.layer.00.attention.self.query.weight",
		"encoder.layer.+1.attention.self.query.weight",
		"encoder.layer.0.ffn.3.output.dense.weight",
		"encoder.layer.0.ffn.00.output.dense.weight",
		"encoder.layer.0.ffn.0.attention.self.query.weight",
		"encoder.layer.99999999999999999999.attention.self.query.weight",
		"encoder.layer.0", "encoder.layer.0.", "encoder.layer.0.ffn.",
		"embeddings.position_ids", "cls.predictions.decoder.bias"
	};
	size_t		c;

	for (c = 0; c < sizeof(configurations) / sizeof(configurations[0]); c++)
	{
		size_t		wrong = 0;
		size_t		i;

		read_config(configurations[c]);
		for (i = 0; i < mb_slot_count(&config); i++)
		{
			mb_slot		slot;

			mb_slot_get(&config, i, &slot);
			wrong += mb_slot_index(&config, slot.name) != (ptrdiff_t) i ||
				mb_slot_elements(&slot) != mb_slot_size(&config, i) ||
				slot.part != mb_slot_part(&config, i);
		}
		ok(wrong == 0, "names and numbers of %zu slots agree",
		   mb_slot_count(&config));
	}
	read_config("{}");
	for (c = 0; c < sizeof(absent) / sizeof(absent[0]); c++)
		ok(mb_slot_index(&config, absent[c]) == -1, "no slot: \"%s\"",
		   absent[c]);
}

static void
check_slot(const char *name, uint32_t rank, uint64_t rows, uint64_t columns)
{
	mb_slot		slot;

	mb_slot_get(&config, (size_t) mb_slot_index(&config, name), &slot);
	ok(slot.rank == rank && slot.shape[0] == rows &&
	   (rank == 1 || slot.shape[1] == columns), "shape of %s", name);
}

static void
test_shapes(void)
{
	uint64_t	shape[9] = {512, 384, 1, 1, 1, 1, 1, 1, 1};
	mb_slot		slot;

	read_config("{\"num_labels\": 7}");
	check_slot("embeddings.word_embeddings.weight", 2, 30522, 128);
	check_slot("embeddings.embedding_transformation.weight", 2, 512, 384);
	check_slot("encoder.layer.3.attention.self.query.weight", 2, 128, 128);
	check_slot("encoder.layer.3.attention.self.value.weight", 2, 128, 512);
	check_slot("encoder.layer.3.output.bottleneck.dense.weight", 2, 512, 128);
	check_slot("encoder.layer.3.bottleneck.attention.LayerNorm.bias", 1, 128,
			   0);
	check_slot("encoder.layer.3.ffn.1.intermediate.dense.weight", 2, 512, 128);
	check_slot("cls.predictions.dense.weight", 2, 384, 30522);
	check_slot("classifier.weight", 2, 7, 512);
	check_slot("qa_outputs.bias", 1, 7, 0);

	mb_slot_get(&config, 3, &slot);
	ok(mb_checkpoint_shape(&slot, "t", 2, shape, &err) == MB_OK, "right shape");
	shape[1] = 128;
	ok(mb_checkpoint_shape(&slot, "t", 2, shape, &err) == MB_ERR_DATA &&
	   strstr(err.message, "[512, 128]") != NULL &&
	   strstr(err.message, "[512, 384]") != NULL, "wrong: %s", err.message);
	ok(mb_checkpoint_shape(&slot, "t", 1, shape, &err) == MB_ERR_DATA &&
	   mb_checkpoint_shape(&slot, "t", 0, shape, &err) == MB_ERR_DATA,
	   "wrong rank");
	memset(shape, 0xFF, sizeof(shape));
	ok(mb_checkpoint_shape(&slot, "t", 4000000000u, shape, &err) ==
	   MB_ERR_DATA, "many dimensions: %s", err.message);

	read_config("{\"num_labels\": 7, \"trigram_input\": false, \"architectures\":"
				"[\"MobileBertForMultipleChoice\"],"
				"\"use_bottleneck_attention\": true}");
	check_slot("classifier.weight", 2, 1, 512);
	check_slot("embeddings.embedding_transformation.weight", 2, 512, 128);
	check_slot("encoder.layer.3.attention.self.value.weight", 2, 128, 128);
}

/* Match names that end with NULL; slots of all of them. */
static mb_status
match(const char *const *names, int32_t *slots)
{
	size_t		count = 0;

	while (names[count] != NULL)
		count++;
	return mb_checkpoint_match(&config, names, count, &arena, slots, &err);
}

#define WORD "embeddings.word_embeddings.weight"
#define LN "embeddings.LayerNorm."
#define MB "mobilebert."

static int32_t
number(const char *name)
{
	return (int32_t) mb_slot_index(&config, name);
}

static void
test_match_names(void)
{
	static const char *const prefixed[] = {
		MB WORD, WORD, MB LN "gamma", MB LN "beta", MB "embeddings.position_ids",
		"classifier.weight", MB "classifier.weight", MB "pooler.dense.bias",
		"pooler.dense.weight", MB "encoder.layer.99.output.dense.bias",
		"mobilebert", "", NULL
	};
	static const char *const bare[] = {
		WORD, LN "weight", "embeddings.position_ids", "classifier.weight",
		"pooler.dense.weight", "cls.predictions.transform.LayerNorm.gamma", NULL
	};
	static const char *const legacy_head[] = {
		MB WORD, "cls.predictions.transform.LayerNorm.gamma", NULL
	};
	static const char *const heads[] = {
		"classifier.weight", "cls.seq_relationship.bias", NULL
	};
	char		long_name[300];
	const char *long_names[] = {long_name, NULL};
	int32_t		slots[20];

	read_config("{}");
	ok(match(prefixed, slots) == MB_OK && slots[0] == 0 && slots[1] == -1 &&
	   slots[2] == number(LN "weight") && slots[3] == number(LN "bias") &&
	   slots[4] == -1 && slots[5] == number("classifier.weight") &&
	   slots[6] == -1 && slots[7] == number("pooler.dense.bias") &&
	   slots[8] == -1 && slots[9] == -1 && slots[10] == -1 && slots[11] == -1,
	   "a file with the prefix");
	ok(match(bare, slots) == MB_OK && slots[0] == 0 &&
	   slots[1] == number(LN "weight") && slots[2] == -1 && slots[3] == -1 &&
	   slots[4] == number("pooler.dense.weight") && slots[5] == -1,
	   "a file without is a bare base model");
	ok(match(heads, slots) == MB_OK &&
	   slots[0] == number("classifier.weight") &&
	   slots[1] == number("cls.seq_relationship.bias"),
	   "a file of heads alone");
	ok(match(legacy_head, slots) == MB_OK &&
	   slots[1] == number("cls.predictions.transform.LayerNorm.weight"),
	   "a legacy name in a head");
	memset(long_name, 'a', sizeof(long_name));
	long_name[sizeof(long_name) - 1] = '\0';
	ok(match(long_names, slots) == MB_OK && slots[0] == -1, "a long name");
	ok(mb_checkpoint_match(&config, NULL, 0, &arena, slots, &err) == MB_OK,
	   "no names");

	read_config("{\"classifier_activation\": false}");
	ok(match(prefixed, slots) == MB_OK && slots[7] == -1,
	   "no pooler without classifier_activation");
}

static void
test_match_twice(void)
{
	static const char *const same[] = {MB WORD, MB WORD, NULL};
	static const char *const legacy[] = {MB LN "gamma", MB LN "weight", NULL};
	static const char *const biases[] = {
		MB WORD, "cls.predictions.bias", "cls.predictions.decoder.bias", NULL
	};
	static const char *const swapped[] = {
		MB WORD, "cls.predictions.decoder.bias", "cls.predictions.bias", NULL
	};
	static const char *const decoder_twice[] = {
		MB WORD, "cls.predictions.decoder.bias",
		"cls.predictions.decoder.bias", NULL
	};
	int32_t		slots[20];

	read_config("{}");
	ok(match(same, slots) == MB_ERR_DATA, "a name twice: %s", err.message);
	ok(match(legacy, slots) == MB_ERR_DATA, "gamma and weight: %s",
	   err.message);
	ok(match(biases, slots) == MB_OK && slots[2] == -1 &&
	   slots[1] == number("cls.predictions.bias"),
	   "bias wins over decoder.bias");
	ok(match(swapped, slots) == MB_OK && slots[1] == -1 &&
	   slots[2] == number("cls.predictions.bias"), "in either order");
	ok(match(decoder_twice, slots) == MB_ERR_DATA, "but not twice");
}

static void
test_match_tied(void)
{
	static const char *const both[] = {
		"cls.predictions.decoder.weight", MB WORD, NULL
	};
	static const char *const decoder[] = {
		"cls.predictions.decoder.weight", MB LN "weight", NULL
	};
	int32_t		slots[20];

	read_config("{}");
	ok(match(both, slots) == MB_OK && slots[0] == -1 && slots[1] == 0,
	   "tied: the copy is ignored");
	ok(match(decoder, slots) == MB_OK && slots[0] == 0,
	   "tied, no embedding table: the copy takes its place");
	read_config("{\"tie_word_embeddings\": false}");
	ok(match(both, slots) == MB_OK && slots[1] == 0 &&
	   slots[0] == number("cls.predictions.decoder.weight"),
	   "untied: both count");
}

/* Fill every slot of the parts in "wanted". */
static bool *
fill(uint32_t wanted)
{
	size_t		count = mb_slot_count(&config);
	bool	   *present = mb_arena_alloc(&arena, count, sizeof(bool));
	size_t		i;

	for (i = 0; i < count; i++)
		present[i] = wanted >> mb_slot_part(&config, i) & 1;
	return present;
}

#define BIT(part) (1u << MB_PART_##part)
#define ALL_PARTS (BIT(BASE) | BIT(POOLER) | BIT(MLM) | BIT(MLM_UNTIED) | \
				   BIT(NSP) | BIT(CLASSIFIER) | BIT(QA))	/* of MobileBERT */

static uint32_t
complete(uint32_t wanted)
{
	uint32_t	parts = 0;

	if (mb_checkpoint_complete(&config, fill(wanted), &parts, &err) != MB_OK)
		return 0;
	return parts;
}

static void
test_complete(void)
{
	uint32_t	parts;
	bool	   *present;

	read_config("{}");
	ok(complete(BIT(BASE)) == BIT(BASE), "base alone");
	ok(complete(ALL_PARTS) == (ALL_PARTS & ~BIT(MLM_UNTIED)), "all, tied");
	ok(complete(ALL_PARTS & ~BIT(BASE)) == 0 &&
	   strstr(err.message, "\"mobilebert.embeddings.word_") != NULL,
	   "no base: %s", err.message);
	present = fill(ALL_PARTS);
	present[number("encoder.layer.23.output.bottleneck.LayerNorm.bias")] =
		false;
	ok(mb_checkpoint_complete(&config, present, &parts, &err) == MB_ERR_DATA,
	   "one missing: %s", err.message);
	present = fill(ALL_PARTS);
	present[number("classifier.bias")] = false;
	ok(mb_checkpoint_complete(&config, present, &parts, &err) == MB_ERR_DATA &&
	   strstr(err.message, "\"classifier.bias\"") != NULL,
	   "half a head: %s", err.message);

	read_config("{\"architectures\": [\"MobileBertForMaskedLM\"],"
				"\"tie_word_embeddings\": false,"
				"\"classifier_activation\": false}");
	ok(complete(ALL_PARTS) == (ALL_PARTS & ~BIT(POOLER)),
	   "all, untied, without pooler");
	ok(mb_checkpoint_complete(&config, present, &parts, &err) == MB_OK &&
	   (parts & BIT(CLASSIFIER)) == 0, "half a stray head is absent");
	ok(mb_checkpoint_stray(&config, MB_PART_CLASSIFIER) &&
	   !mb_checkpoint_stray(&config, MB_PART_MLM) &&
	   !mb_checkpoint_stray(&config, MB_PART_BASE), "what is stray");
	present[number("cls.predictions.bias")] = false;
	ok(mb_checkpoint_complete(&config, present, &parts, &err) == MB_ERR_DATA,
	   "half an own head is an error");
	ok(complete(BIT(BASE) | BIT(MLM_UNTIED)) == BIT(BASE),
	   "a decoder alone is nothing");

	read_config("{\"embedding_size\": 512}");
	present = fill(BIT(BASE) | BIT(MLM));
	present[number("cls.predictions.dense.weight")] = false;
	ok(mb_checkpoint_complete(&config, present, &parts, &err) == MB_OK &&
	   parts == (BIT(BASE) | BIT(MLM)), "a tensor without elements may lack");
	read_config("{\"embedding_size\": 513}");
	ok(complete(BIT(BASE)) == BIT(BASE) &&
	   complete(BIT(BASE) | BIT(MLM)) == 0, "E > H: %s", err.message);
	read_config("{\"embedding_size\": 513, \"architectures\": "
				"[\"MobileBertForTokenClassification\"]}");
	ok(complete(BIT(BASE) | BIT(MLM)) == BIT(BASE),
	   "E > H: a stray head is not looked at");
	read_config("{\"num_labels\": 0}");
	ok(complete(ALL_PARTS) == (ALL_PARTS & ~BIT(MLM_UNTIED) &
							   ~BIT(CLASSIFIER) & ~BIT(QA)), "no labels");
}

static uint32_t
tasks(const char *text, uint32_t parts)
{
	read_config(text);
	return mb_checkpoint_tasks(&config, parts | BIT(BASE));
}

static void
test_tasks(void)
{
	static const char sequence[] =
	"{\"architectures\": [\"MobileBertForSequenceClassification\"]}";
	static const char token[] =
	"{\"architectures\": [\"MobileBertForTokenClassification\"]}";
	static const char choice[] =
	"{\"architectures\": [\"MobileBertForMultipleChoice\"]}";
	static const char several[] =
	"{\"architectures\": [\"MobileBertForPreTraining\"],"
	"\"classifier_activation\": false}";
	uint32_t	task;

	ok(tasks("{}", 0) == MB_TASK_EMBED, "base");
	ok(tasks("{\"classifier_activation\": false}", 0) ==
	   (MB_TASK_EMBED | MB_TASK_POOLER), "pooler without a dense layer");
	ok(tasks("{}", BIT(NSP) | BIT(MLM)) ==
	   (MB_TASK_EMBED | MB_TASK_FILL_MASK), "NSP needs a pooler");
	ok(tasks("{}", BIT(NSP) | BIT(POOLER)) ==
	   (MB_TASK_EMBED | MB_TASK_POOLER | MB_TASK_NEXT_SENTENCE), "and has it");
	ok(tasks(sequence, BIT(CLASSIFIER)) == MB_TASK_EMBED &&
	   tasks(sequence, BIT(CLASSIFIER) | BIT(POOLER)) ==
	   (MB_TASK_EMBED | MB_TASK_POOLER | MB_TASK_CLASSIFY), "sequences");
	ok(tasks(token, BIT(CLASSIFIER)) == (MB_TASK_EMBED | MB_TASK_NER),
	   "tokens");
	ok(tasks(choice, BIT(CLASSIFIER) | BIT(POOLER)) ==
	   (MB_TASK_EMBED | MB_TASK_POOLER | MB_TASK_CHOOSE), "choices");
	ok(tasks("{}", BIT(QA)) == (MB_TASK_EMBED | MB_TASK_ANSWER) &&
	   tasks("{\"num_labels\": 3}", BIT(QA)) == MB_TASK_EMBED, "answers");
	ok(tasks(several, BIT(MLM) | BIT(NSP) | BIT(CLASSIFIER) | BIT(QA)) ==
	   (MB_TASK_EMBED | MB_TASK_POOLER | MB_TASK_FILL_MASK |
		MB_TASK_NEXT_SENTENCE | MB_TASK_CLASSIFY | MB_TASK_ANSWER),
	   "a file with several heads");
	for (task = 1; task < 1u << MB_TASK_COUNT; task *= 2)
		ok(mb_task_name((mb_task) task) != NULL, "task %s",
		   mb_task_name((mb_task) task));
	ok(mb_task_name((mb_task) 3) == NULL, "no name for two tasks");
}

/* Each pointer of a bound model must be that of the tensor of its name. */
static bool
is_slot(const float *pointer, const float *const *tensors, const char *format,
		int layer, int ffn)
{
	char		name[200];
	ptrdiff_t	index;

	snprintf(name, sizeof(name), format, layer, ffn);
	index = mb_slot_index(&config, name);
	return index >= 0 && tensors[index] == pointer;
}

#define IS(pointer, name) is_slot(pointer, tensors, name, (int) i, (int) j)

static size_t
count_wrong_layers(const mb_model *model, const float *const *tensors)
{
	size_t		wrong = 0;
	size_t		i;
	size_t		j = 0;

#define L "encoder.layer.%d."
	for (i = 0; i < config.layers; i++)
	{
		const mb_layer *l = &model->layers[i];
		const mb_feedforward *last = &l->feedforwards[config.feedforwards - 1];

		wrong += !IS(l->query.weight, L "attention.self.query.weight");
		wrong += !IS(l->key.bias, L "attention.self.key.bias");
		wrong += !IS(l->value.weight, L "attention.self.value.weight");
		wrong += !IS(l->attention_output.bias, L "attention.output.dense.bias");
		wrong += !IS(l->attention_norm.weight,
					 L "attention.output.LayerNorm.weight");
		for (j = 0; j + 1 < config.feedforwards; j++)
		{
			const mb_feedforward *f = &l->feedforwards[j];

			wrong += !IS(f->intermediate.weight,
						 L "ffn.%d.intermediate.dense.weight");
			wrong += !IS(f->output.bias, L "ffn.%d.output.dense.bias");
			wrong += !IS(f->norm.bias, L "ffn.%d.output.LayerNorm.bias");
		}
		wrong += !IS(last->intermediate.bias, L "intermediate.dense.bias");
		wrong += !IS(last->output.weight, L "output.dense.weight");
		wrong += !IS(last->norm.weight, L "output.LayerNorm.weight");
		if (!config.use_bottleneck)
		{
			wrong += l->bottleneck_output.weight != NULL;
			continue;
		}
		wrong += !IS(l->bottleneck_input.weight,
					 L "bottleneck.input.dense.weight");
		wrong += !IS(l->bottleneck_input_norm.bias,
					 L "bottleneck.input.LayerNorm.bias");
		wrong += !IS(l->bottleneck_output.weight,
					 L "output.bottleneck.dense.weight");
		wrong += !IS(l->bottleneck_output_norm.bias,
					 L "output.bottleneck.LayerNorm.bias");
		if (config.key_query_shared_bottleneck)
			wrong += !IS(l->bottleneck_attention_norm.weight,
						 L "bottleneck.attention.LayerNorm.weight");
		else
			wrong += l->bottleneck_attention.weight != NULL;
	}
	return wrong;
}

static size_t
count_wrong_heads(const mb_model *m, const float *const *tensors)
{
	size_t		i = 0;
	size_t		j = 0;

	return !IS(m->word_embeddings, WORD) +
		!IS(m->position_embeddings, "embeddings.position_embeddings.weight") +
		!IS(m->type_embeddings, "embeddings.token_type_embeddings.weight") +
		!IS(m->embedding_transformation.bias,
			"embeddings.embedding_transformation.bias") +
		!IS(m->embedding_norm.weight, "embeddings.LayerNorm.weight") +
		!IS(m->pooler.weight, "pooler.dense.weight") +
		!IS(m->mlm_transform.weight, "cls.predictions.transform.dense.weight") +
		!IS(m->mlm_norm.bias, "cls.predictions.transform.LayerNorm.bias") +
		!IS(m->mlm_dense, "cls.predictions.dense.weight") +
		!IS(m->mlm_bias, "cls.predictions.bias") +
		!IS(m->nsp.weight, "cls.seq_relationship.weight") +
		!IS(m->classifier.bias, "classifier.bias") +
		!IS(m->qa.weight, "qa_outputs.weight");
}

static mb_status
bind(uint32_t parts, const float *const *tensors, mb_model *model)
{
	return mb_model_bind(&config, &mb_kernels_ref, parts,
						 (const void *const *) tensors, NULL, &arena, model,
						 &err);
}

static void
test_bind(void)
{
	size_t		c;
	mb_model	model;

	for (c = 0; c < MOBILEBERT_CONFIGURATIONS; c++)
	{
		size_t		count;
		float	   *floats;
		const float **tensors;
		size_t		i;

		read_config(configurations[c]);
		count = mb_slot_count(&config);
		floats = mb_arena_zero(&arena, count, sizeof(float));
		tensors = mb_arena_alloc(&arena, count, sizeof(float *));
		for (i = 0; i < count; i++)
			tensors[i] = &floats[i];
		ok(bind(ALL_PARTS & ~BIT(MLM_UNTIED), tensors, &model) == MB_OK &&
		   count_wrong_layers(&model, tensors) == 0 &&
		   count_wrong_heads(&model, tensors) == 0 &&
		   model.mlm_decoder == tensors[0], "bound: %s", configurations[c]);
		ok(bind(ALL_PARTS, tensors, &model) == MB_OK && model.mlm_decoder ==
		   tensors[number("cls.predictions.decoder.weight")], "untied");
		ok(bind(BIT(BASE), tensors, &model) == MB_OK && model.pooler.weight == NULL &&
		   model.mlm_bias == NULL && model.nsp.weight == NULL &&
		   model.classifier.weight == NULL && model.qa.bias == NULL,
		   "heads that are not there");
		tensors[count / 2] = NULL;
		ok(bind(ALL_PARTS, tensors, &model) == MB_ERR_ARGUMENT, "a tensor lacks");
	}
}

/* ----------
 * Reference directories
 * ----------
 */

static char *
read_file(const char *directory, const char *name, size_t *length)
{
	char		path[4096];
	FILE	   *file;
	char	   *text;
	long		size;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "rb");
	if (file == NULL)
		return NULL;
	fseek(file, 0, SEEK_END);
	size = ftell(file);
	rewind(file);
	text = mb_arena_alloc(&arena, (size_t) size + 1, 1);
	*length = fread(text, 1, (size_t) size, file);
	text[*length] = '\0';
	fclose(file);
	return text;
}

/* Append the tensors of one file to entries. */
static bool
add_file(const char *directory, const char *name, mb_tensor_entry *entries,
		 size_t *count)
{
	size_t		size = 0;
	size_t		length;
	mb_safetensors file;
	char	   *bytes = read_file(directory, name, &size);

	if (bytes == NULL || size < 8 ||
		mb_safetensors_header_length((uint8_t *) bytes, size, name, &length,
									 &err) != MB_OK ||
		mb_safetensors_read(bytes + 8, length, size, name, &arena, NULL, &file,
							&err) != MB_OK || *count + file.count > 5000)
		return false;
	memcpy(entries + *count, file.entries, file.count * sizeof(*entries));
	*count += file.count;
	return true;
}

static bool
add_shards(const char *directory, mb_tensor_entry *entries, size_t *count)
{
	int			n;
	int			of;

	for (of = 2; of < 20; of++)
	{
		for (n = 1; n <= of; n++)
		{
			char		name[100];

			snprintf(name, sizeof(name), "model-%05d-of-%05d.safetensors", n,
					 of);
			if (!add_file(directory, name, entries, count))
				break;
		}
		if (n > of)
			return true;
	}
	return false;
}

/* Read, match, check shapes; the parts, or 0 with err filled. */
static uint32_t
read_checkpoint(const char *directory)
{
	static mb_tensor_entry entries[5000];
	static const char *names[5000];
	static int32_t slots[5000];
	size_t		length = 0;
	size_t		count = 0;
	char	   *text = read_file(directory, "config.json", &length);
	mb_json    *root;
	bool	   *present;
	uint32_t	parts = 0;
	size_t		i;

	if (text == NULL || mb_json_parse(text, length, "config.json", true,
									  &arena, NULL, &root, &err) != MB_OK ||
		mb_config_read(root, &config, &err) != MB_OK)
		return 0;
	if (!add_file(directory, "model.safetensors", entries, &count) &&
		!add_shards(directory, entries, &count))
		return 0;
	for (i = 0; i < count; i++)
		names[i] = entries[i].name;
	if (mb_checkpoint_match(&config, names, count, &arena, slots,
							&err) != MB_OK)
		return 0;
	present = mb_arena_zero(&arena, mb_slot_count(&config), sizeof(bool));
	for (i = 0; i < count; i++)
	{
		mb_slot		slot;

		if (slots[i] < 0)
			continue;
		mb_slot_get(&config, (size_t) slots[i], &slot);
		if (mb_checkpoint_shape(&slot, names[i], entries[i].rank,
								entries[i].shape, &err) == MB_OK)
			present[slots[i]] = true;
		else if (!mb_checkpoint_stray(&config, slot.part))
			return 0;
	}
	if (mb_checkpoint_complete(&config, present, &parts, &err) != MB_OK)
		return 0;
	return parts;
}

/* The parts that a class must bring. */
static uint32_t
required_parts(void)
{
	uint32_t	parts = mb_family_of(&config)->parts[config.architecture];

	if (!config.classifier_activation)
		parts &= ~BIT(POOLER);
	if (config.tie_word_embeddings)
		parts &= ~BIT(MLM_UNTIED);
	return parts | BIT(BASE);
}

static void
test_reference(const char *folder)
{
	char		path[4096];
	DIR		   *directory;
	struct dirent *entry;

	snprintf(path, sizeof(path), "%s/checkpoints", folder);
	directory = opendir(path);
	ok(directory != NULL, "reference folder");
	if (directory == NULL)
		return;
	while ((entry = readdir(directory)) != NULL)
	{
		uint32_t	parts;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/checkpoints/%s", folder,
				 entry->d_name);
		err.message[0] = '\0';
		parts = read_checkpoint(path);
		ok(parts != 0 && (parts & required_parts()) == required_parts() &&
		   config.architecture != MB_ARCH_UNKNOWN,
		   "%s: parts %x, tasks %x, %s", entry->d_name, parts,
		   mb_checkpoint_tasks(&config, parts), err.message);
	}
	closedir(directory);
}

int
main(void)
{
	mb_arena_init(&arena, &mb_libc_memory, SIZE_MAX);
	test_counts();
	test_golden_counts();
	test_names();
	test_shapes();
	test_match_names();
	test_match_twice();
	test_match_tied();
	test_complete();
	test_tasks();
	test_bind();
	if (getenv("MB_REFERENCE") != NULL)
		test_reference(getenv("MB_REFERENCE"));
	mb_arena_free(&arena);
	return done_testing();
}
