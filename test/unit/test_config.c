/*-------------------------------------------------------------------------
 *
 * test_config.c
 *	  config.json: defaults, types, derived sizes, refusals, and back, for all
 *	  families.
 *
 *-------------------------------------------------------------------------
 */
#include "model/config.h"
#include "model/family.h"
#include "model/settings.h"
#include "tap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static mb_arena arena;
static mb_error err;
static mb_config config;

static mb_json *
parse(const char *text)
{
	mb_json    *root = NULL;

	if (mb_json_parse(text, strlen(text), "doc", true, &arena, NULL, &root,
					  &err) != MB_OK)
		printf("# test document is not JSON: %s\n", err.message);
	return root;
}

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

static mb_status
read_config(const char *text)
{
	return mb_config_read(parse(with_family(text)), &config, &err);
}

static void
test_defaults(void)
{
	ok(read_config("{}") == MB_OK, "an empty object");
	ok(config.vocab_size == 30522 && config.hidden_size == 512 &&
	   config.layers == 24 && config.heads == 4 &&
	   config.intermediate_size == 512 && config.max_positions == 512 &&
	   config.type_vocab_size == 2 && config.embedding_size == 128 &&
	   config.intra_bottleneck_size == 128 && config.feedforwards == 4 &&
	   config.num_labels == 2 && config.pad_token_id == 0, "sizes");
	ok(config.true_hidden_size == 128 && config.head_size == 32 &&
	   config.attention_size == 128 && config.value_input_size == 512,
	   "derived sizes");
	ok(config.trigram_input && config.use_bottleneck &&
	   !config.use_bottleneck_attention &&
	   config.key_query_shared_bottleneck && config.classifier_activation &&
	   config.tie_word_embeddings && !config.layer_norm, "flags");
	ok(config.activation == MB_ACT_RELU && config.layer_norm_eps == 1e-12f &&
	   config.problem == MB_PROBLEM_NONE &&
	   config.architecture == MB_ARCH_UNKNOWN, "the rest");
	ok(config.hidden_dropout_prob == 0 &&
	   config.attention_probs_dropout_prob == 0.1 &&
	   config.initializer_range == 0.02 && config.classifier_dropout < 0,
	   "what has no effect");
}

static const char *const accepted[] = {
	"{\"unknown\": [1], \"true_hidden_size\": 7}",
	"{\"classifier_dropout\": null}",
	"{\"classifier_dropout\": 0.1}",
	"{\"problem_type\": null}",
	"{\"id2label\": null}",
	"{\"architectures\": null}",
	"{\"architectures\": []}",
	"{\"num_hidden_layers\": 0}",
	"{\"trigram_input\": 0, \"tie_word_embeddings\": 1}",
	"{\"layer_norm_eps\": 0}",
	"{\"is_decoder\": false}",
	"{\"model_type\": \"mobilebert\"}",
	"{\"num_labels\": 0}",
	"{\"id2label\": {}}",
	"{\"vocab_size\": 16777216}",
	"{\"use_bottleneck\": false, \"use_bottleneck_attention\": true}",
	"{\"use_bottleneck\": false, \"key_query_shared_bottleneck\": false}",
	"{\"key_query_shared_bottleneck\": false, \"intra_bottleneck_size\": 512}",
	("{\"use_bottleneck_attention\": true,"
	 " \"key_query_shared_bottleneck\": false}"),
	"{\"embedding_size\": 1024}",
	"{\"vocab_size\": null, \"vocab_size\": 10}",

	/* what nothing at inference reads, or Python reads as well */
	"{\"pad_token_id\": null, \"bos_token_id\": \"x\"}",
	"{\"pad_token_id\": 30522}",
	"{\"pad_token_id\": \"x\"}",
	"{\"trigram_input\": 2, \"tie_word_embeddings\": null}",
	"{\"is_decoder\": null}",
	"{\"hidden_dropout_prob\": null, \"classifier_dropout\": \"x\"}",
	"{\"initializer_range\": null, \"attention_probs_dropout_prob\": -1}",
	"{\"layer_norm_eps\": 1e30}",
	"{\"architectures\": \"MobileBertModel\"}",
	"{\"architectures\": [1, null, \"MobileBertModel\"]}",
	"{\"architectures\": {}}",
	"{\"num_labels\": null}",
	"{\"id2label\": {\"0\": 1, \"1\": 1.50, \"2\": true, \"3\": null}}",
	"{\"id2label\": {\" 1\\t\": \"a\", \"+0\": \"b\", \"1_0\": \"c\"}}"
};

/* What the message has to name. */
static const struct
{
	const char *text;
	mb_status	status;
	const char *names;
}			refused[] = {
	{"[]", MB_ERR_DATA, "object"},
	{"{\"hidden_size\": null}", MB_ERR_DATA, "hidden_size"},
	{"{\"hidden_size\": \"512\"}", MB_ERR_DATA, "hidden_size"},
	{"{\"hidden_size\": 512.0}", MB_ERR_DATA, "hidden_size"},
	{"{\"hidden_size\": true}", MB_ERR_DATA, "hidden_size"},
	{"{\"hidden_size\": 0}", MB_ERR_LIMIT, "hidden_size"},
	{"{\"hidden_size\": -5}", MB_ERR_LIMIT, "hidden_size"},
	{"{\"hidden_size\": 16777217}", MB_ERR_LIMIT, "hidden_size"},
	{"{\"vocab_size\": 99999999999999999999}", MB_ERR_LIMIT, "vocab_size"},
	{"{\"vocab_size\": 5, \"vocab_size\": null}", MB_ERR_DATA, "vocab_size"},
	{"{\"num_hidden_layers\": 1001}", MB_ERR_LIMIT, "num_hidden_layers"},
	{"{\"num_feedforward_networks\": 0}", MB_ERR_LIMIT,
	"num_feedforward_networks"},
	{"{\"num_attention_heads\": 3}", MB_ERR_DATA, "num_attention_heads"},
	{"{\"num_attention_heads\": 129}", MB_ERR_DATA, "num_attention_heads"},
	{"{\"num_attention_heads\": 0}", MB_ERR_LIMIT, "num_attention_heads"},
	{"{\"type_vocab_size\": 0}", MB_ERR_LIMIT, "type_vocab_size"},
	{"{\"trigram_input\": \"true\"}", MB_ERR_DATA, "trigram_input"},
	{"{\"layer_norm_eps\": null}", MB_ERR_DATA, "layer_norm_eps"},
	{"{\"layer_norm_eps\": NaN}", MB_ERR_DATA, "layer_norm_eps"},
	{"{\"layer_norm_eps\": -1}", MB_ERR_DATA, "layer_norm_eps"},
	{"{\"layer_norm_eps\": 1e300}", MB_ERR_LIMIT, "layer_norm_eps"},
	{"{\"hidden_act\": null}", MB_ERR_DATA, "hidden_act"},
	{"{\"hidden_act\": \"prelu\"}", MB_ERR_UNSUPPORTED, "prelu"},
	{"{\"hidden_act\": \"xielu\"}", MB_ERR_UNSUPPORTED, "xielu"},
	{"{\"hidden_act\": \"ReLU\"}", MB_ERR_UNSUPPORTED, "ReLU"},
	{"{\"hidden_act\": \"relu\\u0000\"}", MB_ERR_UNSUPPORTED, "relu"},
	{"{\"normalization_type\": \"batch\"}", MB_ERR_UNSUPPORTED, "batch"},
	{"{\"normalization_type\": null}", MB_ERR_DATA, "normalization_type"},
	{"{\"problem_type\": \"x\"}", MB_ERR_UNSUPPORTED, "\"x\""},
	{"{\"problem_type\": 1}", MB_ERR_DATA, "problem_type"},
	{"{\"is_decoder\": true}", MB_ERR_UNSUPPORTED, "is_decoder"},
	{"{\"model_type\": null}", MB_ERR_DATA, "model_type"},
	{"{\"num_labels\": -1}", MB_ERR_LIMIT, "num_labels"},
	{"{\"id2label\": [\"a\"]}", MB_ERR_DATA, "id2label"},
	{"{\"id2label\": {\"a\": \"b\"}}", MB_ERR_DATA, "id2label"},
	{"{\"id2label\": {\"\": \"b\"}}", MB_ERR_DATA, "id2label"},
	{"{\"id2label\": {\"-1\": \"b\"}}", MB_ERR_DATA, "id2label"},
	{"{\"id2label\": {\"4294967296\": \"b\"}}", MB_ERR_DATA, "id2label"},
	{"{\"id2label\": {\"1 0\": \"b\"}}", MB_ERR_DATA, "id2label"},
	{"{\"id2label\": {\"1__0\": \"b\"}}", MB_ERR_DATA, "id2label"},
	{"{\"id2label\": {\"_1\": \"b\"}}", MB_ERR_DATA, "id2label"},
	{"{\"id2label\": {\"1_\": \"b\"}}", MB_ERR_DATA, "id2label"},
	{"{\"id2label\": {\" \": \"b\"}}", MB_ERR_DATA, "id2label"},
	{"{\"id2label\": {\"0\\u0000\": \"b\"}}", MB_ERR_DATA, "id2label"},
	{"{\"id2label\": {\"0\": [1]}}", MB_ERR_DATA, "id2label"},
	{"{\"id2label\": {\"0\": {}}}", MB_ERR_DATA, "id2label"},
	{"{\"tie_word_embeddings\": \"\"}", MB_ERR_DATA, "tie_word_embeddings"},
	{"{\"key_query_shared_bottleneck\": false}", MB_ERR_DATA,
	"intra_bottleneck_size"}
};

static void
test_rules(void)
{
	size_t		i;

	for (i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++)
		ok(read_config(accepted[i]) == MB_OK, "accepted: %s", accepted[i]);
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		ok(read_config(refused[i].text) == refused[i].status &&
		   strstr(err.message, refused[i].names) != NULL,
		   "refused: %s: %s", refused[i].text, err.message);
	ok(read_config("{\"pad_token_id\": null}") == MB_OK &&
	   config.pad_token_id == -1 &&
	   read_config("{\"pad_token_id\": 30522}") == MB_OK &&
	   config.pad_token_id == -1 && read_config("{}") == MB_OK &&
	   config.pad_token_id == 0, "a padding token that is none");
	ok(read_config("{\"trigram_input\": 2, \"use_bottleneck\": null}") ==
	   MB_OK && config.trigram_input == 1 && config.use_bottleneck == 0,
	   "flags as Python takes them");
	ok(read_config("{\"architectures\": [1, \"MobileBertModel\"]}") == MB_OK &&
	   config.architecture == MB_ARCH_MODEL &&
	   read_config("{\"architectures\": \"MobileBertModel\"}") == MB_OK &&
	   config.architecture == MB_ARCH_UNKNOWN, "classes, and what is no list");
}

static void
test_names(void)
{
	static const struct
	{
		const char *name;
		mb_activation activation;
		const char *written;
	}			table[] = {
		{"relu", MB_ACT_RELU, "relu"}, {"gelu", MB_ACT_GELU, "gelu"},
		{"gelu_python", MB_ACT_GELU, "gelu"},
		{"gelu_new", MB_ACT_GELU_TANH, "gelu_new"},
		{"gelu_accurate", MB_ACT_GELU_TANH, "gelu_new"},
		{"gelu_pytorch_tanh", MB_ACT_GELU_TANH, "gelu_new"},
		{"gelu_python_tanh", MB_ACT_GELU_TANH, "gelu_new"},
		{"gelu_fast", MB_ACT_GELU_FAST, "gelu_fast"},
		{"quick_gelu", MB_ACT_QUICK_GELU, "quick_gelu"},
		{"gelu_10", MB_ACT_GELU_10, "gelu_10"},
		{"silu", MB_ACT_SILU, "silu"}, {"swish", MB_ACT_SILU, "silu"},
		{"relu6", MB_ACT_RELU6, "relu6"}, {"relu2", MB_ACT_RELU2, "relu2"},
		{"leaky_relu", MB_ACT_LEAKY_RELU, "leaky_relu"},
		{"mish", MB_ACT_MISH, "mish"}, {"sigmoid", MB_ACT_SIGMOID, "sigmoid"},
		{"tanh", MB_ACT_TANH, "tanh"}, {"linear", MB_ACT_LINEAR, "linear"},
		{"laplace", MB_ACT_LAPLACE, "laplace"}
	};
	char		text[200];
	size_t		i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
	{
		snprintf(text, sizeof(text), "{\"hidden_act\": \"%s\"}", table[i].name);
		ok(read_config(text) == MB_OK &&
		   config.activation == table[i].activation &&
		   strcmp(mb_activation_name((mb_activation) config.activation),
				  table[i].written) == 0, "activation %s", table[i].name);
	}
	ok(read_config("{\"architectures\": [\"BertModel\","
				   "\"MobileBertForTokenClassification\"]}") == MB_OK &&
	   config.architecture == MB_ARCH_TOKEN, "first MobileBERT class");
	ok(read_config("{\"problem_type\": \"multi_label_classification\"}") ==
	   MB_OK && config.problem == MB_PROBLEM_MULTI_LABEL, "problem type");
	ok(mb_pooling_from_name("mean_sqrt_len_tokens") == MB_POOL_MEAN_SQRT_LEN &&
	   mb_pooling_from_name("pooler") == MB_POOL_POOLER &&
	   mb_pooling_from_name("Mean") == 0, "pooling names");
}

static void
test_labels(void)
{
	ok(read_config("{\"id2label\": {\"0\":\"a\",\"10\":\"b\",\"2\":\"c\"},"
				   "\"num_labels\": 7}") == MB_OK && config.num_labels == 3,
	   "entries of id2label count, not num_labels");
	ok(read_config("{\"id2label\": {\"0\":\"a\",\"0\":\"b\",\"00\":\"c\"}}") ==
	   MB_OK && config.num_labels == 1, "an id counts once");
	ok(read_config("{\"id2label\": {\"70\":\"a\",\"65535\":\"b\"}}") ==
	   MB_OK && config.num_labels == 2, "ids far apart");
	ok(read_config("{\"id2label\": {\"65536\":\"a\"}}") == MB_ERR_DATA,
	   "an id beyond all labels");
	ok(read_config("{\"num_labels\": 7}") == MB_OK && config.num_labels == 7,
	   "num_labels alone");
}

static void
test_derived(void)
{
	ok(read_config("{\"use_bottleneck\": false}") == MB_OK &&
	   config.true_hidden_size == 512 && config.head_size == 128 &&
	   config.value_input_size == 512, "without bottleneck");
	ok(read_config("{\"use_bottleneck_attention\": true}") == MB_OK &&
	   config.value_input_size == 128, "with bottleneck attention");
	read_config("{}");
	config.head_size = 31;
	ok(mb_config_check(&config, &err) == MB_ERR_DATA, "check: derived size");
	read_config("{}");
	config.activation = 99;
	ok(mb_config_check(&config, &err) == MB_ERR_DATA, "check: activation");
	read_config("{}");
	config.heads = 0;
	ok(mb_config_check(&config, &err) == MB_ERR_LIMIT, "check: no heads");
	read_config("{}");
	config.pad_token_id = 30522;
	ok(mb_config_check(&config, &err) == MB_ERR_LIMIT, "check: pad token");
	read_config("{}");
	config.layer_norm_eps = NAN;
	ok(mb_config_check(&config, &err) == MB_ERR_DATA, "check: epsilon");
	read_config("{}");
	config.pad_token_id = -2;
	ok(mb_config_check(&config, &err) == MB_ERR_LIMIT, "check: padding token");
	read_config("{}");
	config.family = MB_FAMILIES;
	ok(mb_config_check(&config, &err) == MB_ERR_DATA, "check: family");
	read_config("{\"model_type\": \"bert\"}");
	config.use_bottleneck = 1;
	ok(mb_config_check(&config, &err) == MB_ERR_DATA,
	   "check: what the family has no key for");
	read_config("{\"model_type\": \"distilbert\"}");
	config.architecture = MB_ARCH_NEXT_SENTENCE;
	ok(mb_config_check(&config, &err) == MB_ERR_DATA,
	   "check: a class that the family does not have");
}

static void
test_writing(void)
{
	static const char *const documents[] = {
		"{}",
		"{\"layer_norm_eps\": 0.1, \"hidden_dropout_prob\": 0.3,"
		" \"classifier_dropout\": 0.25, \"initializer_range\": 1e-7}",
		"{\"architectures\": [\"MobileBertForMaskedLM\"], \"num_labels\": 5,"
		" \"problem_type\": \"regression\", \"hidden_act\": \"laplace\","
		" \"normalization_type\": \"layer_norm\", \"pad_token_id\": 12,"
		" \"use_bottleneck\": false, \"tie_word_embeddings\": false,"
		" \"num_hidden_layers\": 0, \"layer_norm_eps\": 3e-39}",
		"{\"vocab_size\": 16777216, \"max_position_embeddings\": 16777216,"
		" \"classifier_dropout\": 0.123456789012345678,"
		" \"architectures\": [\"MobileBertForNextSentencePrediction\"],"
		" \"layer_norm_eps\": 1.17549435e-38}",
		"{\"model_type\": \"bert\", \"classifier_dropout\": 0.5,"
		" \"architectures\": [\"BertForPreTraining\"],"
		" \"layer_norm_eps\": 1e-5}",
		"{\"model_type\": \"distilbert\", \"dim\": 24, \"n_heads\": 3,"
		" \"activation\": \"relu\", \"attention_dropout\": 0.25}",
		"{\"model_type\": \"electra\", \"summary_activation\": \"tanh\","
		" \"summary_use_proj\": false, \"embedding_size\": 256,"
		" \"architectures\": [\"ElectraForMultipleChoice\"]}",
		"{\"model_type\": \"electra\", \"summary_activation\": null}",
		"{\"model_type\": \"mpnet\", \"relative_attention_num_buckets\": 64,"
		" \"architectures\": [\"MPNetForMaskedLM\"], \"pad_token_id\": 7}"
	};
	size_t		i;

	for (i = 0; i < sizeof(documents) / sizeof(documents[0]); i++)
	{
		mb_config	first;
		char	   *text;

		read_config(documents[i]);
		first = config;
		ok(mb_config_write(&first, &arena, &text, &err) == MB_OK &&
		   read_config(text) == MB_OK &&
		   memcmp(&first, &config, sizeof(first)) == 0,
		   "written and read again, document %zu", i);
		if (i == 0)
		{
			ok(strstr(text, "\"layer_norm_eps\": 1e-12,") != NULL &&
			   strstr(text, "\"attention_probs_dropout_prob\": 0.1,") != NULL,
			   "shortest decimals");
			ok(mb_json_get(parse(text), "true_hidden_size")->number == 128 &&
			   mb_json_get(parse(text), "head_size")->number == 32 &&
			   mb_json_get(parse(text), "attention_size")->number == 128 &&
			   mb_json_get(parse(text), "num_labels")->number == 2,
			   "derived sizes are written");
		}
	}
}

static mb_status
read_settings(const char *modules, const char *pooling, const char *sentence,
			  mb_sentence_settings *settings)
{
	mb_sentence_files files = {0};

	files.modules = modules ? parse(modules) : NULL;
	files.pooling = pooling ? parse(pooling) : NULL;
	files.sentence_bert = sentence ? parse(sentence) : NULL;
	return mb_sentence_settings_read(&files, settings, &err);
}

/* The modes of a list, by number. */
static mb_poolings
list_of(const mb_pooling *modes, size_t count)
{
	mb_poolings list = 0;
	size_t		i;

	for (i = 0; i < count; i++)
		mb_poolings_append(&list, modes[i]);
	return list;
}

#define LIST(...) \
	list_of((const mb_pooling []) {__VA_ARGS__}, \
			sizeof((mb_pooling []) {__VA_ARGS__}) / sizeof(mb_pooling))

#define ST "sentence_transformers.models."
#define TRANSFORMER "{\"path\": \"\", \"type\": \"" ST "Transformer\"}"
#define POOLING "{\"path\": \"1_Pooling\", \"type\": \"" ST "Pooling\"}"
#define MODULE(name) "{\"type\": \"" ST name "\"}"

static void
test_sentence_settings(void)
{
	mb_sentence_settings s;

	ok(read_settings(NULL, NULL, NULL, &s) == MB_OK &&
	   s.pooling == MB_POOL_MEAN && s.max_seq_length == 0 && !s.normalize &&
	   !s.do_lower_case, "defaults");
	ok(read_settings("[" TRANSFORMER "," POOLING "," MODULE("Normalize") "]",
					 "{\"pooling_mode_cls_token\": true,"
					 "\"pooling_mode_mean_tokens\": false}",
					 "{\"max_seq_length\": 128, \"do_lower_case\": true}",
					 &s) == MB_OK && s.pooling == MB_POOL_CLS &&
	   s.max_seq_length == 128 && s.normalize && s.do_lower_case, "all files");
	ok(read_settings(NULL, NULL, "{\"max_seq_length\": null}", &s) == MB_OK &&
	   s.max_seq_length == 0, "no length");
	ok(read_settings(NULL, NULL,
					 "{\"transformer_task\": \"feature-extraction\","
					 "\"modality_config\": {\"text\": {\"method\": "
					 "\"forward\"}}}", &s) == MB_OK, "as 5.7 writes it");
	ok(read_settings(NULL, NULL, "{\"transformer_task\": \"fill-mask\"}",
					 &s) == MB_ERR_UNSUPPORTED &&
	   read_settings(NULL, NULL, "{\"modality_config\": {\"text\": {},"
					 "\"message\": {}}}", &s) == MB_ERR_UNSUPPORTED,
	   "what is no text's states");
	ok(read_settings("{}", NULL, NULL, &s) == MB_ERR_DATA &&
	   read_settings("[1]", NULL, NULL, &s) == MB_ERR_DATA &&
	   read_settings("[]", NULL, NULL, &s) == MB_ERR_DATA &&
	   read_settings(NULL, "[]", NULL, &s) == MB_ERR_DATA &&
	   read_settings(NULL, NULL, "[]", &s) == MB_ERR_DATA &&
	   read_settings(NULL, NULL, "{\"max_seq_length\": 0}", &s) ==
	   MB_ERR_LIMIT, "wrong types");
}

static void
test_sentence_pooling(void)
{
	mb_sentence_settings s;

	ok(read_settings(NULL, "{\"pooling_mode_cls_token\": true}", NULL,
					 &s) == MB_OK && s.pooling == MB_POOL_CLS,
	   "an absent flag is false");
	ok(read_settings(NULL, "{\"pooling_mode_mean_tokens\": false}", NULL,
					 &s) == MB_OK && s.pooling == MB_POOL_MEAN &&
	   read_settings(NULL, "{}", NULL, &s) == MB_OK &&
	   s.pooling == MB_POOL_MEAN, "no flag that is true is the mean");
	ok(read_settings(NULL, "{\"pooling_mode_lasttoken\": true,"
					 "\"pooling_mode_weightedmean_tokens\": true,"
					 "\"pooling_mode_mean_sqrt_len_tokens\": true,"
					 "\"pooling_mode_mean_tokens\": true,"
					 "\"pooling_mode_max_tokens\": true,"
					 "\"pooling_mode_cls_token\": true}", NULL, &s) == MB_OK &&
	   s.pooling == LIST(MB_POOL_CLS, MB_POOL_MAX, MB_POOL_MEAN,
						 MB_POOL_MEAN_SQRT_LEN, MB_POOL_WEIGHTED_MEAN,
						 MB_POOL_LAST_TOKEN), "flags have an order of theirs");
	ok(read_settings(NULL, "{\"pooling_mode\": \"lasttoken\","
					 "\"pooling_mode_cls_token\": true}", NULL,
					 &s) == MB_OK && s.pooling == MB_POOL_LAST_TOKEN,
	   "a name wins over flags");
	ok(read_settings(NULL, "{\"pooling_mode\": [\"mean\", \"cls\", \"max\","
					 "\"mean\"]}", NULL, &s) == MB_OK &&
	   s.pooling == LIST(MB_POOL_MEAN, MB_POOL_CLS, MB_POOL_MAX, MB_POOL_MEAN),
	   "a list keeps its order, and a name that comes twice");
	ok(read_settings(NULL, "{\"pooling_mode\": \"pooler\"}", NULL,
					 &s) == MB_ERR_UNSUPPORTED &&
	   read_settings(NULL, "{\"pooling_mode\": [\"cls\", \"Mean\"]}", NULL,
					 &s) == MB_ERR_UNSUPPORTED, "not a mode there");
	ok(read_settings(NULL, "{\"pooling_mode\": []}", NULL, &s) == MB_ERR_DATA &&
	   read_settings(NULL, "{\"pooling_mode\": [1]}", NULL,
					 &s) == MB_ERR_DATA &&
	   read_settings(NULL, "{\"pooling_mode\": 1}", NULL, &s) == MB_ERR_DATA,
	   "nor a list of them");
	ok(read_settings(NULL, "{\"pooling_mode\": [\"cls\", \"cls\", \"cls\","
					 "\"cls\", \"cls\", \"cls\", \"cls\", \"cls\","
					 "\"cls\"]}", NULL, &s) == MB_ERR_LIMIT, "nine modes");
}

/* A prompt by its name: "text", or "none" when there is no such prompt. */
static const char *
prompt_text(const mb_prompts *prompts, const char *name)
{
	size_t		i;

	for (i = 0; i < prompts->count; i++)
	{
		if (strcmp(prompts->list[i].name, name) == 0)
			return prompts->list[i].text;
	}
	return "none";
}

static mb_status
read_prompts(const char *text, mb_prompts *prompts)
{
	return mb_prompts_read(text == NULL ? NULL : parse(text), &arena, prompts,
						   &err);
}

static void
test_prompts(void)
{
	mb_prompts	p;

	ok(read_prompts(NULL, &p) == MB_OK && p.count == 2 &&
	   strcmp(prompt_text(&p, "query"), "") == 0 &&
	   strcmp(prompt_text(&p, "document"), "") == 0 && p.by_default == NULL &&
	   read_prompts("{\"prompts\": null, \"default_prompt_name\": null}",
					&p) == MB_OK && p.count == 2 && p.by_default == NULL,
	   "two prompts without a file");
	ok(read_prompts("{\"prompts\": {\"passage\": \"p: \", \"query\": "
					"\"q: \", \"other\": null}, \"default_prompt_name\": "
					"\"passage\"}", &p) == MB_OK && p.count == 4 &&
	   strcmp(prompt_text(&p, "query"), "q: ") == 0 &&
	   strcmp(prompt_text(&p, "document"), "") == 0 &&
	   strcmp(prompt_text(&p, "other"), "") == 0 &&
	   strcmp(prompt_text(&p, "one"), "none") == 0 && p.by_default != NULL &&
	   strcmp(p.by_default->text, "p: ") == 0, "prompts and a default");
	ok(read_prompts("{\"prompts\": {\"a\": \"1\", \"query\": \"2\","
					"\"a\": \"3\", \"query\": \"4\"},"
					"\"default_prompt_name\": \"a\"}", &p) == MB_OK &&
	   p.count == 3 && strcmp(prompt_text(&p, "query"), "4") == 0 &&
	   strcmp(p.by_default->text, "3") == 0, "the last of a name counts");
	ok(read_prompts("{\"default_prompt_name\": \"query\"}", &p) == MB_OK &&
	   p.by_default != NULL && p.by_default->length == 0,
	   "a default that the file does not have");
	ok(read_prompts("{\"prompts\": {}, \"default_prompt_name\": \"a\"}",
					&p) == MB_ERR_DATA && strstr(err.message, "\"a\"") != NULL &&
	   read_prompts("{\"default_prompt_name\": 1}", &p) == MB_ERR_DATA &&
	   read_prompts("{\"prompts\": [1]}", &p) == MB_ERR_DATA &&
	   read_prompts("{\"prompts\": {\"a\": 1}}", &p) == MB_ERR_DATA,
	   "what are no prompts");
}

/* Settings of config.json and config_sentence_transformers.json. */
static mb_status
read_cross_encoder(const char *config, const char *sentence_config,
				   mb_sentence_settings *settings)
{
	mb_sentence_files files = {0};

	files.config = parse(config);
	files.sentence_config = sentence_config ? parse(sentence_config) : NULL;
	return mb_sentence_settings_read(&files, settings, &err);
}

static void
test_sentence_config(void)
{
	static const struct
	{
		const char *name;
		mb_similarity similarity;
	}			known[] = {
		{"null", MB_SIMILARITY_COSINE},
		{"\"cosine\"", MB_SIMILARITY_COSINE},
		{"\"dot\"", MB_SIMILARITY_DOT},
		{"\"euclidean\"", MB_SIMILARITY_EUCLIDEAN},
		{"\"manhattan\"", MB_SIMILARITY_MANHATTAN}
	};
	mb_sentence_settings s;
	size_t		i;

	ok(read_cross_encoder("{}", NULL, &s) == MB_OK && s.truncate_dim == 0 &&
	   s.similarity == MB_SIMILARITY_COSINE &&
	   read_cross_encoder("{}", "{\"truncate_dim\": null}", &s) == MB_OK &&
	   s.truncate_dim == 0, "nothing to cut");
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
	{
		char		text[100];

		snprintf(text, sizeof(text), "{\"similarity_fn_name\": %s}",
				 known[i].name);
		ok(read_cross_encoder("{}", text, &s) == MB_OK &&
		   s.similarity == known[i].similarity, "similarity %s",
		   known[i].name);
	}
	ok(read_cross_encoder("{}", "{\"similarity_fn_name\": \"jaccard\"}",
						  &s) == MB_ERR_UNSUPPORTED &&
	   strstr(err.message, "jaccard") != NULL &&
	   read_cross_encoder("{}", "{\"similarity_fn_name\": 1}", &s) ==
	   MB_ERR_UNSUPPORTED, "another similarity");
	ok(read_cross_encoder("{}", "{\"truncate_dim\": 64}", &s) == MB_OK &&
	   s.truncate_dim == 64 &&
	   read_cross_encoder("{}", "{\"truncate_dim\": 0}", &s) ==
	   MB_ERR_LIMIT &&
	   read_cross_encoder("{}", "{\"truncate_dim\": \"1\"}", &s) ==
	   MB_ERR_DATA, "numbers that are kept");
	ok(read_cross_encoder("{}", "{\"model_type\": \"SparseEncoder\"}", &s) ==
	   MB_ERR_UNSUPPORTED &&
	   read_cross_encoder("{}", "{\"model_type\": \"CrossEncoder\"}", &s) ==
	   MB_OK, "kinds of models");
	ok(read_cross_encoder("{}", "{\"prompts\": {}}", &s) == MB_OK &&
	   !s.prompts &&
	   read_cross_encoder("{}", "{\"prompts\": {\"a\": \"\"}}", &s) == MB_OK &&
	   s.prompts &&
	   read_cross_encoder("{}", "{\"default_prompt_name\": \"a\"}", &s) ==
	   MB_ERR_DATA, "prompts, and a default that is none");
	ok(read_settings(NULL, "{\"include_prompt\": false}", NULL, &s) == MB_OK &&
	   s.exclude_prompt && s.pooling == MB_POOL_MEAN &&
	   read_settings(NULL, "{\"include_prompt\": true}", NULL, &s) == MB_OK &&
	   !s.exclude_prompt, "prompts that are not pooled");
	ok(read_cross_encoder("{}", "[]", &s) == MB_ERR_DATA, "no object");
}

#define ACTIVATION "torch.nn.modules.activation."
#define IDENTITY "\"torch.nn.modules.linear.Identity\""
#define OLDEST(name) "\"sbert_ce_default_activation_function\": " name
#define OLDER(name) "\"sentence_transformers\": {\"activation_fn\": " name "}"
#define NEWEST(name) "{\"model_type\": \"CrossEncoder\", \"activation_fn\": " \
	name "}"

static void
test_cross_encoder(void)
{
	static const struct
	{
		const char *name;
		mb_activation activation;
	}			known[] = {
		{"\"" ACTIVATION "Sigmoid\"", MB_ACT_SIGMOID},
		{"\"" ACTIVATION "Tanh\"", MB_ACT_TANH},
		{"\"" ACTIVATION "ReLU\"", MB_ACT_RELU},
		{"\"" ACTIVATION "GELU\"", MB_ACT_GELU},
		{"\"" ACTIVATION "SiLU\"", MB_ACT_SILU},
		{IDENTITY, MB_ACT_LINEAR}
	};
	mb_sentence_settings s;
	size_t		i;

	ok(read_cross_encoder("{}", NULL, &s) == MB_OK && !s.cross_encoder &&
	   s.activation == MB_ACT_LINEAR &&
	   read_cross_encoder("{}", "{\"model_type\": \"SentenceTransformer\","
						  "\"activation_fn\": " IDENTITY "}", &s) == MB_OK &&
	   !s.cross_encoder, "no cross-encoder");
	ok(read_cross_encoder("{}", "{\"model_type\": \"CrossEncoder\"}",
						  &s) == MB_OK && s.cross_encoder &&
	   s.activation == MB_ACT_SIGMOID, "one that names no activation");
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
	{
		char		text[200];

		snprintf(text, sizeof(text), NEWEST("%s"), known[i].name);
		ok(read_cross_encoder("{}", text, &s) == MB_OK && s.cross_encoder &&
		   s.activation == known[i].activation, "activation %s",
		   known[i].name);
	}
	ok(read_cross_encoder("{" OLDEST(IDENTITY) "}", NULL, &s) == MB_OK &&
	   s.cross_encoder && s.activation == MB_ACT_LINEAR &&
	   read_cross_encoder("{" OLDER(IDENTITY) "}", NULL, &s) == MB_OK &&
	   s.cross_encoder && s.activation == MB_ACT_LINEAR, "older places");
	ok(read_cross_encoder("{" OLDEST("\"" ACTIVATION "ReLU\"") ","
						  OLDER("\"" ACTIVATION "Tanh\"") "}",
						  NEWEST("\"" ACTIVATION "SiLU\""), &s) == MB_OK &&
	   s.activation == MB_ACT_SILU &&
	   read_cross_encoder("{" OLDEST("\"" ACTIVATION "ReLU\"") ","
						  OLDER("\"" ACTIVATION "Tanh\"") "}",
						  NEWEST("null"), &s) == MB_OK &&
	   s.activation == MB_ACT_TANH &&
	   read_cross_encoder("{" OLDEST("\"" ACTIVATION "ReLU\"") ","
						  OLDER("null") "}", NEWEST("null"), &s) == MB_OK &&
	   s.activation == MB_ACT_RELU, "the newest place counts");
	ok(read_cross_encoder("{" OLDEST(IDENTITY) "}", NEWEST("\"my.Own\""),
						  &s) == MB_OK && s.activation == MB_ACT_SIGMOID,
	   "code of somebody's own is not run");
	ok(read_cross_encoder("{}", NEWEST("\"" ACTIVATION "Softmax\""), &s) ==
	   MB_ERR_UNSUPPORTED && strstr(err.message, "Softmax") != NULL &&
	   strstr(err.message, "\"activation_fn\"") != NULL &&
	   read_cross_encoder("{" OLDEST("\"" ACTIVATION "Softmax\"") "}", NULL,
						  &s) == MB_ERR_UNSUPPORTED &&
	   strstr(err.message, "sbert_ce") != NULL, "another of torch's");
	ok(read_cross_encoder("{" OLDER("1") "}", NULL, &s) == MB_ERR_DATA,
	   "no name");
}

static mb_status
read_modules(const char *text, mb_sentence_modules *modules)
{
	return mb_sentence_modules_read(parse(text), modules, &err);
}

static void
test_sentence_modules(void)
{
	static const char *const paths[] = {
		"/etc", "..", "../1_Pooling", "a/..", "a/../../b", "a\\u0000b"
	};
	mb_sentence_modules m;
	mb_sentence_settings s;
	size_t		i;

	ok(read_modules("[{\"path\": \"0_Transformer\", \"type\": \"a.b."
					"Transformer\"}, {\"path\": \"2_Pooling\", \"type\": "
					"\"a.Pooling\"}, {\"type\": \"Dropout\"},"
					"{\"type\": \"Normalize\"}]", &m) == MB_OK && m.pooling &&
	   m.normalize && strcmp(m.transformer_path, "0_Transformer") == 0 &&
	   strcmp(m.pooling_path, "2_Pooling") == 0, "modules and their folders");
	ok(read_modules("[" TRANSFORMER "]", &m) == MB_OK && !m.pooling &&
	   m.pooling_path == NULL && m.transformer_path[0] == '\0',
	   "a Transformer alone, as a cross-encoder has it");
	ok(read_modules("[" TRANSFORMER "," MODULE("Dense") "]", &m) ==
	   MB_ERR_UNSUPPORTED && strstr(err.message, "Dense") != NULL,
	   "other module");
	ok(read_modules("[" POOLING "]", &m) == MB_ERR_UNSUPPORTED &&
	   read_modules("[" POOLING "," TRANSFORMER "]", &m) ==
	   MB_ERR_UNSUPPORTED &&
	   read_modules("[" TRANSFORMER "," MODULE("Normalize") "," POOLING "]",
					&m) == MB_ERR_UNSUPPORTED &&
	   read_modules("[" TRANSFORMER "," POOLING "," POOLING "]", &m) ==
	   MB_ERR_UNSUPPORTED &&
	   read_modules("[" TRANSFORMER "," TRANSFORMER "]", &m) ==
	   MB_ERR_UNSUPPORTED, "other orders");
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
	{
		char		text[200];

		snprintf(text, sizeof(text),
				 "[{\"path\": \"%s\", \"type\": \"Transformer\"}]", paths[i]);
		ok(read_modules(text, &m) == MB_ERR_DATA, "folder %s", paths[i]);
	}
	ok(read_modules("[{\"path\": \"..a/b..\", \"type\": \"Transformer\"}]",
					&m) == MB_OK, "a folder with odd dots");
	ok(read_settings("[" TRANSFORMER "," POOLING "]", NULL, NULL, &s) ==
	   MB_ERR_DATA && strstr(err.message, "Pooling") != NULL,
	   "Pooling without its configuration");
}

/* Sizes as in the table of families.md 2 */
static void
test_families(void)
{
	static const struct
	{
		const char *text;
		uint32_t	sizes[8];	/* V, H, E, layers, N, I, P, Y */
		uint32_t	tokens;
	}			defaults[] = {
		{"{\"model_type\": \"bert\"}",
		{30522, 768, 768, 12, 12, 3072, 512, 2}, 512},
		{"{\"model_type\": \"distilbert\"}",
		{30522, 768, 768, 6, 12, 3072, 512, 0}, 512},
		{"{\"model_type\": \"electra\"}",
		{30522, 256, 128, 12, 4, 1024, 512, 2}, 512},
		{"{\"model_type\": \"mpnet\"}",
		{30527, 768, 768, 12, 12, 3072, 512, 0}, 510}
	};
	size_t		i;

	for (i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
	{
		ok(read_config(defaults[i].text) == MB_OK &&
		   config.vocab_size == defaults[i].sizes[0] &&
		   config.hidden_size == defaults[i].sizes[1] &&
		   config.embedding_size == defaults[i].sizes[2] &&
		   config.layers == defaults[i].sizes[3] &&
		   config.heads == defaults[i].sizes[4] &&
		   config.intermediate_size == defaults[i].sizes[5] &&
		   config.max_positions == defaults[i].sizes[6] &&
		   config.type_vocab_size == defaults[i].sizes[7] &&
		   config.max_tokens == defaults[i].tokens,
		   "sizes of %s", defaults[i].text);
		ok(config.activation == MB_ACT_GELU &&
		   config.layer_norm_eps == 1e-12f &&
		   config.embedding_norm_eps == 1e-12f &&
		   config.output_norm_eps == 1e-12f && config.layer_norm == 1 &&
		   config.feedforwards == 1 && !config.use_bottleneck &&
		   !config.trigram_input && config.classifier_activation &&
		   config.true_hidden_size == config.hidden_size,
		   "its layer: GELU, epsilon everywhere, one network");
	}
	ok(read_config("{\"model_type\": \"mpnet\", \"hidden_act\": \"relu\"}") ==
	   MB_OK && config.relative_buckets == 32 && config.pad_token_id == 1 &&
	   config.count_positions && config.mlm_activation == MB_ACT_GELU,
	   "MPNet's positions and bias");
	read_config("{}");
	ok(config.embedding_norm_eps == 1e-5f && config.output_norm_eps == 1e-5f,
	   "MobileBERT has two norms with torch's epsilon");
	ok(read_config("{\"model_type\": \"bert\", \"layer_norm_eps\": 1e-5}") ==
	   MB_OK && config.embedding_norm_eps == 1e-5f &&
	   config.output_norm_eps == 1e-5f, "BERT's epsilon is that of all norms");
	ok(read_config("{\"model_type\": \"bert\", \"embedding_size\": 7,"
				   "\"trigram_input\": true, \"use_bottleneck\": true,"
				   "\"normalization_type\": \"no_norm\","
				   "\"classifier_activation\": false}") == MB_OK &&
	   config.embedding_size == 768 && !config.trigram_input &&
	   config.layer_norm && config.classifier_activation,
	   "another family's keys are passed over");
	ok(read_config("{\"model_type\": \"distilbert\", \"dim\": 24,"
				   "\"n_heads\": 3, \"n_layers\": 5, \"hidden_dim\": 7,"
				   "\"activation\": \"relu\", \"hidden_act\": \"silu\","
				   "\"intermediate_size\": 9, \"layer_norm_eps\": 1}") ==
	   MB_OK && config.hidden_size == 24 && config.heads == 3 &&
	   config.layers == 5 && config.intermediate_size == 7 &&
	   config.activation == MB_ACT_RELU && config.layer_norm_eps == 1e-12f,
	   "DistilBERT's names");
	ok(read_config("{\"model_type\": \"distilbert\", \"hidden_size\": 40,"
				   "\"num_attention_heads\": 4, \"num_hidden_layers\": 2,"
				   "\"dim\": 24, \"n_heads\": 3, \"n_layers\": 5}") ==
	   MB_OK && config.hidden_size == 40 && config.heads == 4 &&
	   config.layers == 2, "the common names win");
	ok(read_config("{\"model_type\": \"electra\", \"hidden_act\": \"relu\"}")
	   == MB_OK && config.activation == MB_ACT_RELU &&
	   config.mlm_activation == MB_ACT_GELU && config.project_after_norm &&
	   config.summary_activation == MB_ACT_GELU && config.summary_use_proj,
	   "ELECTRA's heads have activations of their own");
	ok(read_config("{\"model_type\": \"electra\","
				   "\"summary_activation\": null}") == MB_OK &&
	   config.summary_activation == MB_ACT_LINEAR &&
	   read_config("{\"model_type\": \"electra\","
				   "\"summary_activation\": \"\"}") == MB_OK &&
	   config.summary_activation == MB_ACT_LINEAR, "or none");
	ok(read_config("{\"model_type\": \"bert\", \"hidden_act\": \"relu\"}")
	   == MB_OK && config.mlm_activation == MB_ACT_RELU,
	   "BERT's has that of the layers");
}

/* What would give other numbers if it were passed over (families.md 1) */
static void
test_family_refusals(void)
{
#define BERT "{\"model_type\": \"bert\", "
#define ELECTRA "{\"model_type\": \"electra\", "
	static const struct
	{
		const char *text;
		mb_status	status;
		const char *names[2];
	}			wrong[] = {
		{"{\"model_type\": \"roberta\"}", MB_ERR_UNSUPPORTED,
		{"model_type", "roberta"}},
		{BERT "\"is_decoder\": true}", MB_ERR_UNSUPPORTED,
		{"is_decoder", "true"}},
		{BERT "\"add_cross_attention\": true}", MB_ERR_UNSUPPORTED,
		{"add_cross_attention", "true"}},
		{BERT "\"is_encoder_decoder\": true}", MB_ERR_UNSUPPORTED,
		{"is_encoder_decoder", "true"}},
		{BERT "\"position_embedding_type\": \"relative_key\"}",
		MB_ERR_UNSUPPORTED, {"position_embedding_type", "relative_key"}},
		{ELECTRA "\"position_embedding_type\": \"alibi\"}",
		MB_ERR_UNSUPPORTED, {"position_embedding_type", "alibi"}},
		{BERT "\"position_embedding_type\": null}", MB_ERR_DATA,
		{"position_embedding_type", "string"}},
		{BERT "\"pruned_heads\": {\"0\": [1]}}", MB_ERR_UNSUPPORTED,
		{"pruned_heads", "in 1 of"}},
		{"{\"model_type\": \"mpnet\","
			"\"relative_attention_num_buckets\": 31}", MB_ERR_LIMIT,
		{"relative_attention_num_buckets", "31"}},
		{"{\"model_type\": \"mpnet\", \"max_position_embeddings\": 2}",
		MB_ERR_LIMIT, {"max_position_embeddings", "2"}},
		{BERT "\"quantization_config\": {\"bits\": 4}}", MB_ERR_UNSUPPORTED,
		{"quantization_config", ""}},
		{BERT "\"quantization_config\": {\"quant_method\": \"gptq\"}}",
		MB_ERR_UNSUPPORTED, {"quantization_config", "gptq"}},
		{BERT "\"auto_map\": {}, \"architectures\": [\"JinaBertModel\"]}",
		MB_ERR_UNSUPPORTED, {"auto_map", "JinaBertModel"}},
		{BERT "\"num_attention_heads\": 7}", MB_ERR_DATA,
		{"\"num_attention_heads\" 7", "\"hidden_size\" 768"}},
		{"{\"model_type\": \"distilbert\", \"n_heads\": 7}", MB_ERR_DATA,
		{"\"n_heads\" 7", "\"dim\" 768"}},
		{BERT "\"architectures\": [\"BertForQuestionAnswering\"],"
		"\"num_labels\": 3}", MB_ERR_DATA, {"num_labels", "3"}},
		{ELECTRA "\"architectures\": [\"ElectraForMultipleChoice\"],"
		"\"summary_type\": \"mean\"}", MB_ERR_UNSUPPORTED,
		{"summary_type", "mean"}}
	};
	size_t		i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ok(read_config(wrong[i].text) == wrong[i].status &&
		   strstr(err.message, wrong[i].names[0]) != NULL &&
		   strstr(err.message, wrong[i].names[1]) != NULL,
		   "refused: %s", err.message);
	ok(read_config(wrong[0].text) != MB_OK &&
	   strstr(err.hint, "SentencePiece") != NULL, "what to do: %s", err.hint);
	ok(mb_config_read(parse("{\"hidden_size\": 32}"), &config, &err) ==
	   MB_ERR_DATA && strstr(err.message, "model_type") != NULL &&
	   strstr(err.hint, "\"bert\"") != NULL, "no family: %s", err.message);
	ok(mb_config_read(parse("{\"use_bottleneck\": true}"), &config, &err) ==
	   MB_OK && config.family == MB_FAMILY_MOBILEBERT,
	   "MobileBERT's own keys tell it");
	ok(read_config(BERT "\"pruned_heads\": {},"
				   "\"position_embedding_type\": \"absolute\","
				   "\"quantization_config\": null, \"auto_map\": {},"
				   "\"architectures\": [\"BertModel\"]}") == MB_OK,
	   "accepted where they change nothing");
	ok(read_config("{\"position_embedding_type\": \"alibi\"}") == MB_OK,
	   "MobileBERT has no such key");
	ok(read_config(ELECTRA "\"summary_type\": \"mean\"}") == MB_OK,
	   "only the class of choices has a summary");
}

static void
test_classes(void)
{
	ok(read_config(BERT "\"architectures\": [\"MobileBertModel\","
				   "\"BertForTokenClassification\"]}") == MB_OK &&
	   config.architecture == MB_ARCH_TOKEN, "a class of the family");
	ok(read_config("{\"model_type\": \"distilbert\", \"architectures\":"
				   "[\"DistilBertForNextSentencePrediction\"]}") == MB_OK &&
	   config.architecture == MB_ARCH_UNKNOWN, "one that it does not have");
	ok(read_config(ELECTRA "\"architectures\":"
				   "[\"ElectraForPreTraining\"]}") == MB_OK &&
	   config.architecture == MB_ARCH_PRETRAINING, "ELECTRA's discriminator");
}

int
main(void)
{
	mb_arena_init(&arena, &mb_libc_memory, SIZE_MAX);
	test_defaults();
	test_rules();
	test_names();
	test_labels();
	test_derived();
	test_families();
	test_family_refusals();
	test_classes();
	test_writing();
	test_sentence_settings();
	test_sentence_pooling();
	test_sentence_modules();
	test_prompts();
	test_sentence_config();
	test_cross_encoder();
	mb_arena_free(&arena);
	return done_testing();
}
