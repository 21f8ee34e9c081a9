/*-------------------------------------------------------------------------
 *
 * test_classifier.c
 *	  Documents of a fitted classifier: what is read, what is refused, and the
 *	  logits.
 *
 *-------------------------------------------------------------------------
 */
#include "kernels/choose.h"
#include "tasks/classifier.h"
#include "tap.h"

#include <math.h>
#include <string.h>

#define H 4						/* hidden size of the model */
#define K 3

static mb_arena arena;
static mb_error err;
static mb_config config;
static mb_classifier classifier;
static char weights[4096];
static size_t weights_size;

static const float weight[K * H] = {1, 0, 0, 0, 0, 2, 0, 0, 0, 0, -3, 0.5f};
static const float bias[K] = {0.25f, 0, -1};

static mb_status
read_with(const char *settings, const void *bytes, size_t size)
{
	mb_json    *root = NULL;

	if (mb_json_parse(settings, strlen(settings), "doc", true, &arena, NULL,
					  &root, &err) != MB_OK)
		printf("# test document is not JSON: %s\n", err.message);
	return mb_classifier_read(root, bytes, size, &config, &arena, NULL,
							  &classifier, &err);
}

static mb_status
read_settings(const char *settings)
{
	return read_with(settings, weights, weights_size);
}

#define LABELS "\"id2label\": {\"0\": \"a\", \"1\": \"b\", \"2\": \"c\"}"
#define SINGLE "\"problem_type\": \"single_label_classification\""
#define INPUT "\"classifier\": {\"layer\": 2, \"pooling\": [\"mean\"], \"more\": 1}"
#define GOOD "{" SINGLE ", " LABELS ", " INPUT "}"

static void
test_read(void)
{
	float		vector[H] = {0.5f, 0.5f, -0.5f, 0.5f};
	float		out[K];

	ok(read_settings(GOOD) == MB_OK && classifier.layer == 2 &&
	   classifier.pooling == MB_POOL_MEAN && classifier.width == H &&
	   classifier.labels.outputs == K &&
	   classifier.labels.problem == MB_PROBLEM_SINGLE_LABEL &&
	   strcmp(classifier.labels.names[1].text, "b") == 0,
	   "settings");
	ok(memcmp(classifier.weight, weight, sizeof(weight)) == 0 &&
	   memcmp(classifier.bias, bias, sizeof(bias)) == 0,
	   "weights come back as they were written");
	ok(mb_classifier_logits(&classifier, mb_kernels_current(), vector, out,
							NULL, &err) == MB_OK &&
	   out[0] == 0.75f && out[1] == 1.0f && out[2] == 0.75f,
	   "logits are w x + b");
}

static void
refused(const char *settings, const char *why)
{
	mb_status	status = read_settings(settings);

	ok(status == MB_ERR_DATA && strstr(err.message, why) != NULL,
	   "refused: %s%s%s", why, status == MB_OK ? "" : ", says ",
	   status == MB_OK ? "" : err.message);
}

/* Of one label more than a head may have */
static void
test_many_labels(void)
{
	static char settings[32 * (MB_MOST_LABELS + 1) + 256];
	char	   *at = settings;
	int			i;

	at += sprintf(at, "{" SINGLE ", " INPUT ", \"id2label\": {");
	for (i = 0; i <= MB_MOST_LABELS; i++)
		at += sprintf(at, "%s\"%d\": \"%d\"", i > 0 ? ", " : "", i, i);
	sprintf(at, "}}");
	ok(read_settings(settings) == MB_ERR_LIMIT &&
	   strstr(err.message, "over 65536 labels") != NULL, "refused: %s",
	   err.message);
}

static void
test_settings(void)
{
	refused("{}", "\"classifier\"");
	refused("[]", "\"classifier\"");
	refused("{" SINGLE ", " LABELS ", \"classifier\": 1}", "\"classifier\"");
	refused("{" SINGLE ", " LABELS ", \"classifier\": {\"layer\": 3, "
			"\"pooling\": [\"mean\"]}}", "\"layer\"");
	refused("{" SINGLE ", " LABELS ", \"classifier\": {\"layer\": -1, "
			"\"pooling\": [\"mean\"]}}", "\"layer\"");
	refused("{" SINGLE ", " LABELS ", \"classifier\": {\"layer\": 0.5, "
			"\"pooling\": [\"mean\"]}}", "\"layer\"");
	refused("{" SINGLE ", " LABELS ", \"classifier\": {\"layer\": 2, "
			"\"pooling\": \"mean\"}}", "\"pooling\"");
	refused("{" SINGLE ", " LABELS ", \"classifier\": {\"layer\": 2, "
			"\"pooling\": []}}", "\"pooling\"");
	refused("{" SINGLE ", " LABELS ", \"classifier\": {\"layer\": 2, "
			"\"pooling\": [\"mode\"]}}", "\"pooling\"");
	refused("{" SINGLE ", " LABELS ", \"classifier\": {\"layer\": 2, "
			"\"pooling\": [\"cls\", \"cls\", \"cls\", \"cls\", \"cls\", "
			"\"cls\", \"cls\", \"cls\", \"cls\"]}}", "\"pooling\"");
	refused("{" SINGLE ", " LABELS ", \"classifier\": {\"layer\": 1, "
			"\"pooling\": [\"pooler\"]}}", "\"pooling\"");
	refused("{" SINGLE ", " INPUT "}", "\"id2label\"");
	refused("{" SINGLE ", \"id2label\": {}, " INPUT "}", "\"id2label\"");
	refused("{" SINGLE ", \"id2label\": [\"a\"], " INPUT "}", "\"id2label\"");
	refused("{" SINGLE ", \"id2label\": {\"0\": \"a\", \"1\": \"b\", "
			"\"3\": \"c\"}, " INPUT "}", "\"id2label\"");
	refused("{" SINGLE ", \"id2label\": {\"0\": \"a\"}, " INPUT "}",
			"\"id2label\"");
	refused("{" LABELS ", " INPUT "}", "\"problem_type\"");
	refused("{\"problem_type\": \"other\", " LABELS ", " INPUT "}",
			"\"problem_type\"");
	refused("{\"problem_type\": \"regression\", " LABELS ", " INPUT "}",
			"\"id2label\"");
	refused("{" SINGLE ", \"id2label\": {\"0\": \"a\", \"1\": \"b\"}, " INPUT
			"}", "\"weight\"");
	refused("{" SINGLE ", " LABELS ", \"classifier\": {\"layer\": 2, "
			"\"pooling\": [\"mean\", \"cls\"]}}", "\"weight\"");
}

static void
test_weights(void)
{
	char		copy[sizeof(weights)];
	float		nan = NAN;
	size_t		size;
	size_t		wrong = 0;

	for (size = 0; size < weights_size; size++)
		wrong += read_with(GOOD, weights, size) != MB_ERR_DATA;
	ok(wrong == 0, "a file that is cut is refused, wherever");
	memcpy(copy, weights, weights_size);
	memcpy(copy + weights_size - sizeof(float), &nan, sizeof(nan));
	ok(read_with(GOOD, copy, weights_size) == MB_ERR_DATA &&
	   strstr(err.message, "finite") != NULL, "a bias that is not a number");
	memcpy(copy, weights, weights_size);
	memcpy(copy + weights_size - (K * H + K) * sizeof(float), &nan,
		   sizeof(nan));
	ok(read_with(GOOD, copy, weights_size) == MB_ERR_DATA &&
	   strstr(err.message, "finite") != NULL, "a weight that is not a number");
	memcpy(copy, weights, weights_size);
	memcpy(strstr(copy + 8, "weight"), "height", 6);
	ok(read_with(GOOD, copy, weights_size) == MB_ERR_DATA &&
	   strstr(err.message, "\"weight\"") != NULL, "no weight");
	ok(!mb_classifier_weights_size(SIZE_MAX / 2, 3, &size) &&
	   !mb_classifier_weights_size(3, SIZE_MAX, &size) &&
	   !mb_classifier_weights_size(SIZE_MAX / 8, 1, &size),
	   "sizes that overflow");
}

static bool
always(void *context)
{
	(void) context;
	return true;
}

static void
test_cancel(void)
{
	mb_cancel	cancel = {always, NULL};
	float		vector[H] = {0};
	float		out[K];

	ok(read_settings(GOOD) == MB_OK &&
	   mb_classifier_logits(&classifier, mb_kernels_current(), vector, out,
							&cancel, &err) == MB_ERR_CANCELLED,
	   "logits hear a cancel");
}

int
main(void)
{
	mb_arena_init(&arena, &mb_libc_memory, SIZE_MAX);
	memset(&config, 0, sizeof(config));
	config.hidden_size = H;
	config.layers = 2;
	if (!mb_classifier_weights_size(K, H, &weights_size))
		return 1;
	mb_classifier_weights_write(weight, bias, K, H, weights);
	test_read();
	test_settings();
	test_many_labels();
	test_weights();
	test_cancel();
	mb_arena_free(&arena);
	return done_testing();
}
