/*-------------------------------------------------------------------------
 *
 * test_families.c
 *	  Tensors, parts and tasks of the families but MobileBERT, whose own are in
 *	  test_checkpoint.c; what config.json says is in test_config.c.
 *
 *-------------------------------------------------------------------------
 */
#include "base/json.h"
#include "model/checkpoint.h"
#include "model/model.h"
#include "tap.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static mb_arena arena;
static mb_error err;
static mb_config config;

#define BIT(part) (1u << MB_PART_##part)

static void
read_config(const char *text)
{
	mb_json    *root = NULL;

	if (mb_json_parse(text, strlen(text), "doc", true, &arena, NULL, &root,
					  &err) != MB_OK ||
		mb_config_read(root, &config, &err) != MB_OK)
		printf("# bad test configuration: %s\n", err.message);
}

static int32_t
number(const char *name)
{
	return (int32_t) mb_slot_index(&config, name);
}

/* Is this the tensor of that name? */
static bool
is_slot(const float *pointer, const float *const *tensors, const char *name)
{
	ptrdiff_t	index = mb_slot_index(&config, name);

	return index >= 0 && tensors[index] == pointer;
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

static uint32_t
complete(uint32_t wanted)
{
	uint32_t	parts = 0;

	if (mb_checkpoint_complete(&config, fill(wanted), &parts, &err) != MB_OK)
		return 0;
	return parts;
}

static uint32_t
tasks(const char *text, uint32_t parts)
{
	read_config(text);
	return mb_checkpoint_tasks(&config, parts | BIT(BASE));
}

#define FAMILY(type) "{\"model_type\": \"" type "\"}"
#define CLASS(type, class) \
	"{\"model_type\": \"" type "\", \"architectures\": [\"" class "\"]}"

static uint64_t
count_parameters(uint32_t parts)
{
	uint64_t	count = 0;
	size_t		i;

	for (i = 0; i < mb_slot_count(&config); i++)
	{
		if (parts >> mb_slot_part(&config, i) & 1)
			count += mb_slot_size(&config, i);
	}
	return count;
}

/* The parameters that are known of public models with these defaults */
static void
test_family_sizes(void)
{
	mb_slot		slot;

	read_config(FAMILY("bert"));
	ok(count_parameters(BIT(BASE) | BIT(POOLER)) == 109482240,
	   "bert-base-uncased");
	ok(count_parameters(BIT(MLM)) == 622650 && count_parameters(BIT(NSP)) ==
	   1538, "its pretraining heads");
	read_config(FAMILY("distilbert"));
	ok(count_parameters(BIT(BASE)) == 66362880, "distilbert-base-uncased");
	read_config(FAMILY("electra"));
	ok(count_parameters(BIT(BASE)) == (30522 + 512 + 2 + 2) * 128 +
	   256 * 129 + 12 * (4 * 256 * 257 + 1024 * 257 + 256 * 1025 + 4 * 256),
	   "electra-small");
	ok(count_parameters(BIT(DISCRIMINATOR)) == 66049, "its discriminator");
	read_config("{\"model_type\": \"mpnet\","
				"\"max_position_embeddings\": 514}");
	ok(count_parameters(BIT(BASE) | BIT(POOLER)) == 109486464, "mpnet-base");
	read_config("{\"model_type\": \"electra\", \"embedding_size\": 256}");
	mb_slot_get(&config, (size_t) number("embeddings_project.weight"), &slot);
	ok(slot.shape[0] == 0 && slot.shape[1] == 256, "no projection when E = H");
}

/* Some tensors of each family, and where they have to be found again */
static const struct
{
	const char *config;
	const char *name;
	size_t		offset;			/* of a pointer in mb_model */
}			family_tensors[] = {
#define AT(config, name, member) {config, name, offsetof(mb_model, member)}
	AT(FAMILY("bert"), "embeddings.LayerNorm.bias", embedding_norm.bias),
	AT(FAMILY("bert"), "embeddings.token_type_embeddings.weight",
	   type_embeddings),
	AT(FAMILY("bert"), "cls.predictions.bias", mlm_bias),
	AT(FAMILY("bert"), "pooler.dense.weight", pooler.weight),
	AT(FAMILY("bert"), "cls.seq_relationship.bias", nsp.bias),
	AT(FAMILY("distilbert"), "embeddings.LayerNorm.weight",
	   embedding_norm.weight),
	AT(FAMILY("distilbert"), "vocab_transform.bias", mlm_transform.bias),
	AT(FAMILY("distilbert"), "vocab_layer_norm.weight", mlm_norm.weight),
	AT(FAMILY("distilbert"), "vocab_projector.bias", mlm_bias),
	AT(FAMILY("distilbert"), "pre_classifier.weight", preclassifier.weight),
	AT(FAMILY("distilbert"), "qa_outputs.bias", qa.bias),
	AT(FAMILY("electra"), "embeddings_project.weight",
	   embedding_transformation.weight),
	AT(FAMILY("electra"), "generator_predictions.dense.weight",
	   mlm_transform.weight),
	AT(FAMILY("electra"), "generator_predictions.LayerNorm.bias",
	   mlm_norm.bias),
	AT(FAMILY("electra"), "generator_lm_head.bias", mlm_bias),
	AT(FAMILY("electra"), "discriminator_predictions.dense.weight",
	   discriminator_dense.weight),
	AT(FAMILY("electra"), "discriminator_predictions.dense_prediction.bias",
	   discriminator.bias),
	AT(FAMILY("electra"), "classifier.dense.bias", sequence_dense.bias),
	AT(FAMILY("electra"), "classifier.out_proj.weight",
	   sequence_output.weight),
	AT(FAMILY("electra"), "classifier.weight", classifier.weight),
	AT(FAMILY("electra"), "sequence_summary.summary.bias", preclassifier.bias),
	AT(FAMILY("mpnet"), "encoder.relative_attention_bias.weight",
	   relative_bias),
	AT(FAMILY("mpnet"), "lm_head.dense.weight", mlm_transform.weight),
	AT(FAMILY("mpnet"), "lm_head.layer_norm.bias", mlm_norm.bias),
	AT(FAMILY("mpnet"), "lm_head.bias", mlm_bias),
	AT(FAMILY("mpnet"), "classifier.dense.weight", sequence_dense.weight),
	AT(FAMILY("mpnet"), "classifier.out_proj.bias", sequence_output.bias)
};

/* Likewise of the second layer */
static const struct
{
	const char *config;
	const char *names[7];		/* query, value, output, its norm; the feed-
								 * forward network's two layers and norm */
}			family_layers[] = {
	{FAMILY("bert"), {
			"encoder.layer.1.attention.self.query.weight",
			"encoder.layer.1.attention.self.value.bias",
			"encoder.layer.1.attention.output.dense.weight",
			"encoder.layer.1.attention.output.LayerNorm.bias",
			"encoder.layer.1.intermediate.dense.weight",
			"encoder.layer.1.output.dense.bias",
		"encoder.layer.1.output.LayerNorm.weight"}},
	{FAMILY("distilbert"), {
			"transformer.layer.1.attention.q_lin.weight",
			"transformer.layer.1.attention.v_lin.bias",
			"transformer.layer.1.attention.out_lin.weight",
			"transformer.layer.1.sa_layer_norm.bias",
			"transformer.layer.1.ffn.lin1.weight",
			"transformer.layer.1.ffn.lin2.bias",
		"transformer.layer.1.output_layer_norm.weight"}},
	{FAMILY("mpnet"), {
			"encoder.layer.1.attention.attn.q.weight",
			"encoder.layer.1.attention.attn.v.bias",
			"encoder.layer.1.attention.attn.o.weight",
			"encoder.layer.1.attention.LayerNorm.bias",
			"encoder.layer.1.intermediate.dense.weight",
			"encoder.layer.1.output.dense.bias",
		"encoder.layer.1.output.LayerNorm.weight"}}
};

/* A model of all parts but an untied decoder; a float for each tensor */
static const float **
bind_all(const char *text, mb_model *model)
{
	size_t		count;
	float	   *floats;
	const float **tensors;
	size_t		i;

	read_config(text);
	count = mb_slot_count(&config);
	floats = mb_arena_zero(&arena, count, sizeof(float));
	tensors = mb_arena_alloc(&arena, count, sizeof(float *));
	for (i = 0; i < count; i++)
		tensors[i] = &floats[i];
	if (mb_model_bind(&config, &mb_kernels_ref, ~BIT(MLM_UNTIED),
					  (const void *const *) tensors, NULL, &arena, model,
					  &err) != MB_OK)
		printf("# not bound: %s\n", err.message);
	return tensors;
}

static void
test_family_bind(void)
{
	mb_model	model;
	size_t		i;

	for (i = 0; i < sizeof(family_tensors) / sizeof(family_tensors[0]); i++)
	{
		const float **tensors = bind_all(family_tensors[i].config, &model);
		const float *pointer;

		memcpy(&pointer, (const char *) &model + family_tensors[i].offset,
			   sizeof(pointer));
		ok(is_slot(pointer, tensors, family_tensors[i].name),
		   "%s of %s", family_tensors[i].name,
		   mb_family_of(&config)->model_type);
	}
	for (i = 0; i < sizeof(family_layers) / sizeof(family_layers[0]); i++)
	{
		const float **tensors = bind_all(family_layers[i].config, &model);
		const char *const *names = family_layers[i].names;
		const mb_layer *l = &model.layers[1];
		const mb_feedforward *f = &l->feedforwards[0];

		ok(is_slot(l->query.weight, tensors, names[0]) &&
		   is_slot(l->value.bias, tensors, names[1]) &&
		   is_slot(l->attention_output.weight, tensors, names[2]) &&
		   is_slot(l->attention_norm.bias, tensors, names[3]) &&
		   is_slot(f->intermediate.weight, tensors, names[4]) &&
		   is_slot(f->output.bias, tensors, names[5]) &&
		   is_slot(f->norm.weight, tensors, names[6]),
		   "a layer of %s", mb_family_of(&config)->model_type);
		ok(model.mlm_decoder == model.word_embeddings, "tied decoder");
	}
	bind_all(FAMILY("distilbert"), &model);
	ok(model.type_embeddings == NULL && model.pooler.weight == NULL,
	   "DistilBERT has neither types nor pooler");
}

static void
test_family_match(void)
{
	static const char *const bert[] = {
		"bert.embeddings.word_embeddings.weight",
		"bert.embeddings.LayerNorm.gamma", "bert.pooler.dense.weight",
		"cls.predictions.decoder.weight", "cls.predictions.decoder.bias",
		"bert.embeddings.position_ids",
		"mobilebert.embeddings.word_embeddings.weight", NULL
	};
	static const char *const distilbert[] = {
		"distilbert.embeddings.word_embeddings.weight",
		"distilbert.transformer.layer.0.sa_layer_norm.gamma",
		"vocab_projector.weight", "vocab_projector.bias", NULL
	};
	static const char *const mpnet[] = {
		"lm_head.bias", "lm_head.decoder.bias", "lm_head.decoder.weight",
		"mpnet.embeddings.word_embeddings.weight", NULL
	};
	static const char *const electra[] = {
		"electra.embeddings.word_embeddings.weight",
		"electra.embeddings_project.weight",
		"sequence_summary.summary.weight", NULL
	};
	int32_t		slots[20];
	uint32_t	parts = 0;

	read_config(FAMILY("bert"));
	ok(match(bert, slots) == MB_OK && slots[0] == 0 &&
	   slots[1] == number("embeddings.LayerNorm.weight") &&
	   slots[2] == number("pooler.dense.weight") && slots[3] == -1 &&
	   slots[4] == number("cls.predictions.bias") && slots[5] == -1 &&
	   slots[6] == -1, "the prefix is the family's");
	ok(complete(0) == 0 && strstr(err.message, "\"bert.embeddings.") != NULL,
	   "and in messages: %s", err.message);
	read_config(FAMILY("distilbert"));
	ok(match(distilbert, slots) == MB_OK && slots[1] == -1 && slots[2] == -1 &&
	   slots[3] == number("vocab_projector.bias"),
	   "norms of other names have no legacy names");
	ok(complete(BIT(BASE)) == BIT(BASE), "parts that the family has not");
	read_config("{\"model_type\": \"distilbert\","
				"\"tie_word_embeddings\": false}");
	ok(match(distilbert, slots) == MB_OK &&
	   slots[2] == number("vocab_projector.weight"), "untied");
	read_config(FAMILY("electra"));
	ok(match(electra, slots) == MB_OK &&
	   slots[1] == number("embeddings_project.weight") &&
	   slots[2] == number("sequence_summary.summary.weight"),
	   "ELECTRA's projection");
	read_config("{\"model_type\": \"electra\", \"embedding_size\": 256,"
				"\"summary_use_proj\": false}");
	ok(match(electra, slots) == MB_OK && slots[1] == -1 && slots[2] == -1,
	   "layers that are left out");
	ok(mb_checkpoint_complete(&config, fill(BIT(BASE)), &parts, &err) ==
	   MB_OK, "and are not missed");
	read_config(FAMILY("mpnet"));
	ok(match(mpnet, slots) == MB_OK && slots[0] == number("lm_head.bias") &&
	   slots[1] == -1 && slots[2] == -1 && slots[3] == 0,
	   "MPNet's bias wins over its copy");
	read_config(CLASS("distilbert", "DistilBertForSequenceClassification"));
	ok(mb_checkpoint_stray(&config, MB_PART_MLM) &&
	   !mb_checkpoint_stray(&config, MB_PART_PRECLASSIFIER), "stray parts");
}

static void
test_family_tasks(void)
{
	static const struct
	{
		const char *text;
		uint32_t	parts;
		uint32_t	tasks;
	}			table[] = {
		{FAMILY("bert"), BIT(POOLER), MB_TASK_POOLER},
		{CLASS("bert", "BertForPreTraining"), BIT(POOLER) | BIT(MLM) | BIT(NSP),
		MB_TASK_POOLER | MB_TASK_FILL_MASK | MB_TASK_NEXT_SENTENCE},
		{CLASS("bert", "BertForSequenceClassification"),
		BIT(POOLER) | BIT(CLASSIFIER), MB_TASK_POOLER | MB_TASK_CLASSIFY},
		{CLASS("bert", "BertForMaskedLM"), 0, 0},
		{CLASS("distilbert", "DistilBertForSequenceClassification"),
		BIT(PRECLASSIFIER) | BIT(CLASSIFIER), MB_TASK_CLASSIFY},
		{CLASS("distilbert", "DistilBertForSequenceClassification"),
		BIT(CLASSIFIER), 0},
		{CLASS("distilbert", "DistilBertForMultipleChoice"),
		BIT(PRECLASSIFIER) | BIT(CLASSIFIER), MB_TASK_CHOOSE},
		{CLASS("distilbert", "DistilBertForTokenClassification"),
		BIT(CLASSIFIER), MB_TASK_NER},
		{CLASS("electra", "ElectraForPreTraining"), BIT(DISCRIMINATOR),
		MB_TASK_REPLACED_TOKEN},
		{CLASS("electra", "ElectraForMaskedLM"), BIT(MLM), MB_TASK_FILL_MASK},
		{CLASS("electra", "ElectraForSequenceClassification"), BIT(SEQUENCE),
		MB_TASK_CLASSIFY},
		{CLASS("electra", "ElectraForTokenClassification"), BIT(CLASSIFIER),
		MB_TASK_NER},
		{CLASS("electra", "ElectraForMultipleChoice"),
		BIT(CLASSIFIER) | BIT(PRECLASSIFIER), MB_TASK_CHOOSE},
		{CLASS("electra", "ElectraForQuestionAnswering"), BIT(QA),
		MB_TASK_ANSWER},
		/* all-mpnet-base-v2: the file has the base model alone */
		{CLASS("mpnet", "MPNetForMaskedLM"), BIT(POOLER), MB_TASK_POOLER},
		{CLASS("mpnet", "MPNetForMaskedLM"), BIT(MLM), MB_TASK_FILL_MASK},
		{CLASS("mpnet", "MPNetForSequenceClassification"), BIT(SEQUENCE),
		MB_TASK_CLASSIFY},
		{CLASS("mpnet", "MPNetForMultipleChoice"),
		BIT(POOLER) | BIT(CLASSIFIER), MB_TASK_POOLER | MB_TASK_CHOOSE}
	};
	size_t		i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		ok(tasks(table[i].text, table[i].parts) ==
		   (table[i].tasks | MB_TASK_EMBED), "tasks of %s, parts %x",
		   table[i].text, table[i].parts);
}

/* A head's layers are slots of the parts that it names. */
static void
test_family_tables(void)
{
	static const char *const families[] = {
		FAMILY("mobilebert"), FAMILY("bert"), FAMILY("distilbert"),
		FAMILY("electra"), FAMILY("mpnet")
	};
	size_t		f;

	for (f = 0; f < sizeof(families) / sizeof(families[0]); f++)
	{
		const mb_head *heads;
		uint32_t	parts[MB_SITES] = {0};
		size_t		wrong = 0;
		size_t		i;

		read_config(families[f]);
		heads = mb_family_of(&config)->heads;
		for (i = 0; i < mb_slot_count(&config); i++)
			parts[mb_slot_locate(&config, i).site] |=
				1u << mb_slot_part(&config, i);
		for (i = 0; i < MB_HEADS_MAX && heads[i].task != 0; i++)
		{
			wrong += parts[heads[i].output] != 1u << heads[i].part;
			wrong += heads[i].dense != MB_SITE_NONE &&
				parts[heads[i].dense] != 1u << heads[i].dense_part;
		}
		ok(wrong == 0 && i < MB_HEADS_MAX, "heads of %s",
		   mb_family_of(&config)->model_type);
	}
}

int
main(void)
{
	mb_arena_init(&arena, &mb_libc_memory, SIZE_MAX);
	test_family_sizes();
	test_family_bind();
	test_family_match();
	test_family_tasks();
	test_family_tables();
	mb_arena_free(&arena);
	return done_testing();
}
