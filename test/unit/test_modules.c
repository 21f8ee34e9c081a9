/*-------------------------------------------------------------------------
 *
 * test_modules.c
 *	  Modules after Pooling: their configurations, their tensors, and what
 *	  they make of a vector, against their definition in double, with every
 *	  table of kernels.
 *
 *-------------------------------------------------------------------------
 */
#include "base/json.h"
#include "encoder/modules.h"
#include "kernels/kernels.h"
#include "model/checkpoint.h"
#include "model/settings.h"

#include "tables.h"
#include "tap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HIDDEN 12
#define MOST 700				/* numbers of a vector here */

static mb_arena arena;
static mb_error err;
static mb_config config;
static mb_sentence_settings settings;

#define ST "sentence_transformers.models."
#define BEFORE "{\"path\": \"\", \"type\": \"" ST "Transformer\"}," \
	"{\"path\": \"1_Pooling\", \"type\": \"" ST "Pooling\"}"
#define MODULE(name) ", {\"path\": \"x\", \"type\": \"" ST name "\"}"
#define ACTIVATION "\"activation_function\": \"torch.nn.modules."
#define MOST_NUMBERS "16777216"

static mb_json *
parse(const char *text)
{
	mb_json    *root;

	if (mb_json_parse(text, strlen(text), "doc", false, &arena, NULL, &root,
					  &err) != MB_OK)
		abort();
	return root;
}

/* Modules and their configurations [MB_MODULES_LIMIT], NULL where none is. */
static mb_status
read_all(const char *modules, const char *pooling,
		 const char *const *following)
{
	mb_sentence_files files = {0};
	mb_status	status;
	size_t		i;

	if (mb_config_read(parse("{\"model_type\": \"bert\", \"vocab_size\": 9,"
							 "\"hidden_size\": 12, \"num_hidden_layers\": 1,"
							 "\"num_attention_heads\": 2,"
							 "\"intermediate_size\": 5,"
							 "\"max_position_embeddings\": 7}"), &config,
					   &err) != MB_OK)
		abort();
	files.modules = parse(modules);
	files.pooling = parse(pooling);
	for (i = 0; following[i] != NULL; i++)
		files.following[i] = following[i][0] == '\0' ? NULL :
			parse(following[i]);
	status = mb_sentence_settings_read(&files, &settings, &err);
	if (status == MB_OK)
		status = mb_modules_read(&files, &settings, &config, &err);
	return status;
}

/* One module after Pooling */
static mb_status
read_one(const char *module, const char *text)
{
	const char *const following[] = {text, NULL};
	char		modules[400];

	snprintf(modules, sizeof(modules), "[" BEFORE MODULE("%s") "]", module);
	return read_all(modules, "{}", following);
}

static bool
is_module(size_t i, mb_module_kind kind, uint32_t inputs, uint32_t outputs,
		  mb_activation activation, int bias)
{
	const mb_module *m = &config.modules[i];

	return m->kind == kind && m->inputs == inputs && m->outputs == outputs &&
		m->activation == activation && m->bias == bias;
}

static void
test_read(void)
{
	static const char *const following[] = {
		"{\"in_features\": 24, \"out_features\": 7, "
		ACTIVATION "activation.GELU\"}",
		"", "{\"dimension\": 7}", "",
		"{\"in_features\": 7, \"out_features\": 30, \"bias\": false, "
		ACTIVATION "linear.Identity\"}", NULL
	};

	ok(read_all("[" BEFORE MODULE("Dense") MODULE("Normalize")
				MODULE("LayerNorm") MODULE("Dropout") MODULE("Dense")
				MODULE("Normalize") MODULE("Dropout") "]",
				"{\"pooling_mode\": [\"cls\", \"mean\"]}",
				following) == MB_OK && config.module_count == 5 &&
	   is_module(0, MB_MODULE_DENSE, 24, 7, MB_ACT_GELU, 1) &&
	   is_module(1, MB_MODULE_NORMALIZE, 7, 7, MB_ACT_LINEAR, 0) &&
	   is_module(2, MB_MODULE_LAYER_NORM, 7, 7, MB_ACT_LINEAR, 0) &&
	   is_module(3, MB_MODULE_NONE, 7, 7, MB_ACT_LINEAR, 0) &&
	   is_module(4, MB_MODULE_DENSE, 7, 30, MB_ACT_LINEAR, 0) &&
	   settings.normalize == 1, "all kinds of modules");
	ok(mb_modules_width(&config, 24) == 30 &&
	   mb_modules_room(&config, 24) == 30 &&
	   mb_modules_room(&config, 100) == 100 &&
	   mb_vector_width(&config, &settings) == 30, "widths");
	settings.truncate_dim = 11;
	ok(mb_vector_width(&config, &settings) == 11, "cut");
	settings.truncate_dim = 24;
	ok(mb_vector_width(&config, &settings) == 24, "cut to less than it has");
	settings.truncate_dim = 31;
	ok(mb_vector_width(&config, &settings) == 30, "nothing to cut");

	ok(read_all("[" BEFORE MODULE("Normalize") MODULE("Dropout") "]", "{}",
				following + 5) == MB_OK && config.module_count == 0 &&
	   settings.normalize == 1 && mb_modules_width(&config, 12) == 12,
	   "a Normalize at the end is not one of them");
	ok(read_all("[" BEFORE MODULE("Normalize") MODULE("Dense") "]", "{}",
				(const char *const []) {"", "{\"in_features\": 12,"
										"\"out_features\": 3}", NULL}) ==
	   MB_OK && config.module_count == 2 && settings.normalize == 0 &&
	   is_module(1, MB_MODULE_DENSE, 12, 3, MB_ACT_TANH, 1),
	   "one before a Dense is; a Dense has Tanh and a bias");
	ok(read_one("Dense", "{\"in_features\": 12, \"out_features\": 3,"
				"\"module_input_name\": \"sentence_embedding\","
				"\"module_output_name\": null, \"bias\": 0,"
				ACTIVATION "activation.SiLU\"}") == MB_OK &&
	   is_module(0, MB_MODULE_DENSE, 12, 3, MB_ACT_SILU, 0),
	   "as 5.7 writes it");
}

/* What is refused, and what the message has to say. */
static void
test_refusals(void)
{
	static const struct
	{
		const char *module;
		const char *text;
		mb_status	status;
		const char *message;
	}			cases[] = {
#define SIZES "\"in_features\": 12, \"out_features\": 3"
		{"Dense", "", MB_ERR_DATA, "module 2, Dense: its configuration"},
		{"Dense", "[]", MB_ERR_DATA, "module 2, Dense: "},
		{"Dense", "{\"out_features\": 3}", MB_ERR_DATA, "\"in_features\""},
		{"Dense", "{\"in_features\": 12}", MB_ERR_DATA, "\"out_features\""},
		{"Dense", "{\"in_features\": 13, \"out_features\": 3}", MB_ERR_DATA,
		"\"in_features\" is 13, but the vector before it has 12 numbers"},
		{"Dense", "{\"in_features\": \"12\", \"out_features\": 3}",
		MB_ERR_DATA, "\"in_features\""},
		{"Dense", "{\"in_features\": 12, \"out_features\": 0}", MB_ERR_LIMIT,
		"\"out_features\""},
		{"Dense", "{\"in_features\": 12, \"out_features\": -1}", MB_ERR_LIMIT,
		"\"out_features\""},
		{"Dense", "{\"in_features\": 12, \"out_features\": 16777217}",
		MB_ERR_LIMIT, MOST_NUMBERS},
		{"Dense", "{\"in_features\": 1e300, \"out_features\": 3}",
		MB_ERR_DATA, "\"in_features\""},
		{"Dense", "{\"in_features\": 12, \"out_features\": 2.5}", MB_ERR_DATA,
		"\"out_features\""},
		{"Dense", "{" SIZES ", \"bias\": \"no\"}", MB_ERR_DATA, "\"bias\""},
		{"Dense", "{" SIZES ", \"activation_function\": null}",
		MB_ERR_UNSUPPORTED, "\"activation_function\""},
		{"Dense", "{" SIZES ", \"activation_function\": "
		"\"somebody.Activation\"}", MB_ERR_UNSUPPORTED,
		"\"somebody.Activation\""},
		{"Dense", "{" SIZES ", " ACTIVATION "activation.Softmax\"}",
		MB_ERR_UNSUPPORTED, "Softmax"},
		{"Dense", "{" SIZES ", \"module_input_name\": \"token_embeddings\"}",
		MB_ERR_UNSUPPORTED, "\"module_input_name\" \"token_embeddings\""},
		{"Dense", "{" SIZES ", \"module_output_name\": \"x\"}",
		MB_ERR_UNSUPPORTED, "\"module_output_name\" \"x\""},
		{"Dense", "{" SIZES ", \"module_input_name\": null}",
		MB_ERR_UNSUPPORTED, "\"module_input_name\""},
		{"Dense", "{" SIZES ", \"residual\": true}", MB_ERR_UNSUPPORTED,
		"\"residual\" is not known"},
		{"LayerNorm", "{}", MB_ERR_DATA, "module 2, LayerNorm: \"dimension\""},
		{"LayerNorm", "{\"dimension\": 24}", MB_ERR_DATA,
		"\"dimension\" is 24"},
		{"LayerNorm", "{\"dimension\": 12, \"eps\": 1}", MB_ERR_UNSUPPORTED,
		"\"eps\" is not known"},
		{"CNN", "{}", MB_ERR_UNSUPPORTED, "CNN"},
		{"WeightedLayerPooling", "{}", MB_ERR_UNSUPPORTED, "WeightedLayer"}
	};
	char		modules[2000] = "[" BEFORE;
	size_t		i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		mb_status	status = read_one(cases[i].module, cases[i].text);

		ok(status == cases[i].status &&
		   strstr(err.message, cases[i].message) != NULL &&
		   config.module_count == 0, "%s: %s", cases[i].text, err.message);
	}
	ok(read_one("Dense", "{" SIZES ", \"module_input_name\": "
				"\"token_embeddings\"}") == MB_ERR_UNSUPPORTED &&
	   strstr(err.detail, "vectors of tokens") != NULL,
	   "the detail is kept: %s", err.detail);
	for (i = 0; i < 9; i++)
		strcat(modules, MODULE("Dropout"));
	strcat(modules, "]");
	ok(read_all(modules, "{}", (const char *const []) {NULL}) ==
	   MB_ERR_LIMIT, "nine modules: %s", err.message);
}

/* Structs from elsewhere */
static void
test_check(void)
{
	mb_config	sound;

	if (read_all("[" BEFORE MODULE("Dense") MODULE("LayerNorm") "]", "{}",
				 (const char *const []) {"{" SIZES "}", "{\"dimension\": 3}",
				 NULL}) != MB_OK)
		abort();
	sound = config;
	ok(mb_modules_check(&config, &settings, &err) == MB_OK, "sound");
#define WRONG(member, value, name) \
	config = sound; \
	config.member = value; \
	ok(mb_modules_check(&config, &settings, &err) == MB_ERR_DATA, name)
	WRONG(module_count, MB_MODULES_LIMIT + 1, "too many");
	WRONG(module_count, UINT32_MAX, "far too many");
	WRONG(modules[0].kind, MB_MODULE_KINDS, "no kind");
	WRONG(modules[0].inputs, 11, "not what is pooled");
	WRONG(modules[0].outputs, 0, "nothing");
	WRONG(modules[0].outputs, MB_MODULE_WIDTH_MAX + 1, "too wide");
	WRONG(modules[0].outputs, 4, "not what comes next");
	WRONG(modules[1].outputs, 4, "a norm that widens");
	WRONG(modules[0].activation, MB_ACTIVATIONS, "no activation");
	WRONG(modules[0].bias, 2, "no flag");
	config = sound;
	settings.pooling = MB_POOL_CLS | MB_POOL_MEAN << MB_POOLINGS_BITS;
	ok(mb_modules_check(&config, &settings, &err) == MB_ERR_DATA,
	   "another pooling");
}

/* Slots: the modules' come last, with a name each, and have to be there. */
static void
test_slots(void)
{
	static const struct
	{
		const char *name;
		uint64_t	rows;
		uint64_t	columns;
	}			expected[] = {
		{"modules.2.linear.weight", 3, 12}, {"modules.2.linear.bias", 3, 0},
		{"modules.4.norm.weight", 3, 0}, {"modules.4.norm.bias", 3, 0},
		{"modules.5.linear.weight", 8, 3}
	};
	bool		present[200];
	const char *names[] = {"bert.embeddings.word_embeddings.weight",
	"modules.2.linear.weight", "2.linear.weight", "linear.weight"};
	int32_t		slots[4];
	size_t		plain;
	uint32_t	parts;
	size_t		i;

	if (read_all("[" BEFORE "]", "{}", (const char *const []) {NULL}) != MB_OK)
		abort();
	plain = mb_slot_count(&config);
	ok(mb_slot_index(&config, expected[0].name) == -1, "no modules");
	if (read_all("[" BEFORE MODULE("Dense") MODULE("Normalize")
				 MODULE("LayerNorm") MODULE("Dense") "]", "{}",
				 (const char *const []) {"{" SIZES "}", "",
				 "{\"dimension\": 3}", "{\"in_features\": 3, \"bias\": false,"
				 "\"out_features\": 8}", NULL}) != MB_OK)
		abort();
	ok(mb_slot_count(&config) == plain + 5, "five tensors more");
	for (i = 0; i < 5; i++)
	{
		uint64_t	shape[2];
		mb_slot		slot;

		mb_slot_get(&config, plain + i, &slot);
		ok(strcmp(slot.name, expected[i].name) == 0 &&
		   slot.part == MB_PART_MODULES &&
		   slot.rank == (expected[i].columns > 0 ? 2 : 1) &&
		   slot.shape[0] == expected[i].rows &&
		   (slot.rank == 1 || slot.shape[1] == expected[i].columns) &&
		   mb_slot_index(&config, slot.name) == (ptrdiff_t) (plain + i) &&
		   mb_slot_size(&config, plain + i) == mb_slot_elements(&slot) &&
		   !mb_slot_linear(&config, plain + i, shape), "%s", slot.name);
	}
	ok(mb_slot_index(&config, "modules.1.linear.weight") == -1 &&
	   mb_slot_index(&config, "modules.3.linear.weight") == -1 &&
	   mb_slot_index(&config, "modules.5.linear.bias") == -1 &&
	   mb_slot_index(&config, "modules.02.linear.weight") == -1 &&
	   mb_slot_index(&config, "modules.6.linear.weight") == -1 &&
	   mb_slot_index(&config, "modules.10.linear.weight") == -1 &&
	   mb_slot_of_module(&config, 0, "linear.weight") ==
	   (ptrdiff_t) plain && mb_slot_of_module(&config, 0, "norm.bias") == -1 &&
	   mb_slot_of_module(&config, 1, "linear.weight") == -1, "other names");
	ok(mb_checkpoint_match(&config, names, 4, &arena, slots, &err) == MB_OK &&
	   slots[0] == 0 && slots[1] == -1 && slots[2] == -1 && slots[3] == -1,
	   "the Transformer's file has none of them");

	for (i = 0; i < mb_slot_count(&config); i++)
		present[i] = mb_slot_part(&config, i) == MB_PART_BASE ||
			mb_slot_part(&config, i) == MB_PART_MODULES;
	config.architecture = MB_ARCH_MODEL;
	ok(mb_checkpoint_complete(&config, present, &parts, &err) == MB_OK &&
	   parts == (1u << MB_PART_BASE | 1u << MB_PART_MODULES) &&
	   !mb_checkpoint_stray(&config, MB_PART_MODULES), "their part");
	for (i = 0; i < 5; i++)
	{
		present[plain + i] = false;
		ok(mb_checkpoint_complete(&config, present, &parts, &err) ==
		   MB_ERR_DATA && strstr(err.message, expected[i].name) != NULL,
		   "%s", err.message);
		present[plain + i] = true;
	}
}

/* ----------
 * Running them
 * ----------
 */

static uint64_t seed = 1;

static float
uniform(void)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (float) (seed >> 40) / (float) (1 << 23) - 1.0f;
}

static float *
numbers(size_t count)
{
	float	   *result = malloc((count + 1) * sizeof(float));
	size_t		i;

	for (i = 0; i < count; i++)
		result[i] = uniform();
	return result;
}

static double
exact(mb_activation activation, double x)
{
	switch (activation)
	{
		case MB_ACT_TANH:
			return tanh(x);
		case MB_ACT_RELU:
			return x > 0 ? x : 0;
		case MB_ACT_GELU:
			return 0.5 * x * (1 + erf(x / sqrt(2.0)));
		case MB_ACT_SIGMOID:
			return 1 / (1 + exp(-x));
		case MB_ACT_SILU:
			return x / (1 + exp(-x));
		default:
			return x;
	}
}

/* One module of double numbers, from its definition */
static void
run_exactly(const mb_module *m, const mb_module_weights *w, double *x)
{
	static double y[MOST];
	double		sum = 0.0;
	double		squares = 0.0;
	size_t		i;
	size_t		j;

	for (i = 0; i < m->inputs; i++)
	{
		sum += x[i];
		squares += x[i] * x[i];
	}
	for (i = 0; i < m->outputs; i++)
	{
		double		mean = sum / m->inputs;
		double		variance = squares / m->inputs - mean * mean;

		y[i] = x[i];
		if (m->kind == MB_MODULE_NORMALIZE)
			y[i] = x[i] / fmax(sqrt(squares), 1e-12);
		else if (m->kind == MB_MODULE_LAYER_NORM)
			y[i] = (x[i] - mean) / sqrt(variance + 1e-5) * w->norm.weight[i] +
				w->norm.bias[i];
		else if (m->kind == MB_MODULE_DENSE)
		{
			y[i] = w->dense.bias == NULL ? 0.0 : w->dense.bias[i];
			for (j = 0; j < m->inputs; j++)
				y[i] += x[j] * w->dense.weight[i * m->inputs + j];
			y[i] = exact((mb_activation) m->activation, y[i]);
		}
	}
	memcpy(x, y, m->outputs * sizeof(double));
}

/* A list of modules that have random weights */
static void
make_modules(mb_model *model, const mb_module *modules, uint32_t count)
{
	uint32_t	i;

	model->config.module_count = count;
	for (i = 0; i < count; i++)
	{
		mb_module_weights *w = &model->modules[i];

		model->config.modules[i] = modules[i];
		w->dense.k = modules[i].inputs;
		w->dense.n = modules[i].outputs;
		w->dense.weight = numbers((size_t) w->dense.k * w->dense.n);
		w->dense.bias = modules[i].bias ? numbers(w->dense.n) : NULL;
		w->norm.weight = numbers(modules[i].outputs);
		w->norm.bias = numbers(modules[i].outputs);
	}
}

static bool
always(void *context)
{
	(void) context;
	return true;
}

static void
test_run(const mb_kernels *kernels)
{
#define DENSE(in, out, act, bias) {in, out, MB_MODULE_DENSE, act, bias, 0}
#define NORM(width) {width, width, MB_MODULE_LAYER_NORM, MB_ACT_LINEAR, 0, 0}
#define UNIT(width) {width, width, MB_MODULE_NORMALIZE, MB_ACT_LINEAR, 0, 0}
#define NOTHING(width) {width, width, MB_MODULE_NONE, MB_ACT_LINEAR, 0, 0}
	static const struct
	{
		uint32_t	count;
		mb_module	modules[6];
	}			lists[] = {
		{1, {DENSE(12, 1, MB_ACT_LINEAR, 0)}},
		{1, {DENSE(1, 700, MB_ACT_TANH, 1)}},
		{2, {DENSE(384, 512, MB_ACT_TANH, 1), DENSE(512, 31, MB_ACT_GELU, 1)}},
		{3, {UNIT(70), DENSE(70, 33, MB_ACT_RELU, 1), UNIT(33)}},
		{4, {NORM(65), DENSE(65, 40, MB_ACT_SILU, 0), NOTHING(40), NORM(40)}},
		{6, {UNIT(100), NORM(100), DENSE(100, 50, MB_ACT_SIGMOID, 1),
			NOTHING(50), DENSE(50, 200, MB_ACT_LINEAR, 1), NORM(200)
		}}
	};
	static float vector[MOST];
	static float scratch[MOST];
	static double wanted[MOST];
	mb_cancel	cancel = {always, NULL};
	size_t		l;

	for (l = 0; l < sizeof(lists) / sizeof(lists[0]); l++)
	{
		static mb_model model;
		const mb_module *modules = lists[l].modules;
		uint32_t	count = lists[l].count;
		size_t		width = modules[count - 1].outputs;
		double		largest = 0.0;
		double		worst = 0.0;
		size_t		i;

		memset(&model, 0, sizeof(model));
		model.kernels = kernels;
		make_modules(&model, modules, count);
		for (i = 0; i < modules[0].inputs; i++)
			wanted[i] = vector[i] = 3.0f * uniform();
		for (i = 0; i < count; i++)
			run_exactly(&modules[i], &model.modules[i], wanted);
		if (!ok(mb_modules_room(&model.config, modules[0].inputs) <= MOST &&
				mb_modules_run(&model, vector, scratch, NULL, &err) == MB_OK,
				"%s: list %zu runs", kernels->name, l))
			continue;
		for (i = 0; i < width; i++)
		{
			largest = fmax(largest, fabs(wanted[i]));
			worst = fmax(worst, fabs(vector[i] - wanted[i]));
		}
		ok(worst <= 1e-6 * largest, "%s: list %zu, off by %.2g of %.2g",
		   kernels->name, l, worst, largest);
		ok((modules[0].kind == MB_MODULE_DENSE) ==
		   (mb_modules_run(&model, vector, scratch, &cancel, &err) ==
			MB_ERR_CANCELLED) || count > 1, "a Dense hears a cancel");
		for (i = 0; i < count; i++)
		{
			free((void *) model.modules[i].dense.weight);
			free((void *) model.modules[i].dense.bias);
			free((void *) model.modules[i].norm.weight);
			free((void *) model.modules[i].norm.bias);
		}
	}
}

int
main(void)
{
	static const char *const tables[] = {"ref", "avx2", "avx512", "vnni", "amx"};
	size_t		i;

	mb_arena_init(&arena, &mb_libc_memory, SIZE_MAX);
	test_read();
	test_refusals();
	test_check();
	test_slots();
	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		if (find_table(tables[i]) != NULL)
			test_run(find_table(tables[i]));
	mb_arena_free(&arena);
	return done_testing();
}
