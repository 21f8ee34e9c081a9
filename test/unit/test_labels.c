/*-------------------------------------------------------------------------
 *
 * test_labels.c
 *	  Names, problem and entailment output of a classifier, as configurations
 *	  in the wild give them.
 *
 *-------------------------------------------------------------------------
 */
#include "model/labels.h"
#include "tap.h"

#include <string.h>

static mb_arena arena;
static mb_error err;
static mb_labels labels;

static mb_json *
parse(const char *text)
{
	mb_json    *root = NULL;

	if (mb_json_parse(text, strlen(text), "doc", true, &arena, NULL, &root,
					  &err) != MB_OK)
		printf("# test document is not JSON: %s\n", err.message);
	return root;
}

static void
read_labels(const char *text, const char *task, size_t outputs)
{
	if (mb_labels_read(parse(text), task, outputs, &arena, &labels,
					   &err) != MB_OK)
		printf("# labels were refused: %s\n", err.message);
}

static bool
is_named(size_t output, const char *name)
{
	const mb_label *label = &labels.names[output];

	if (name == NULL)
		return label->text == NULL;
	return label->text != NULL && label->length == strlen(name) &&
		strcmp(label->text, name) == 0;
}

static void
test_names(void)
{
	read_labels("{}", NULL, 2);
	ok(labels.outputs == 2 && labels.count == 2 && is_named(0, "LABEL_0") &&
	   is_named(1, "LABEL_1"), "names are made up without id2label");
	read_labels("{\"id2label\": null, \"label2id\": {\"a\": 0}}", NULL, 1);
	ok(labels.count == 1 && is_named(0, "LABEL_0"),
	   "id2label null is no id2label");
	read_labels("{\"id2label\": {\"10\": \"k\", \"2\": \"c\", \"0\": \"a\","
				" \"1\": \"b\"}}", NULL, 11);
	ok(labels.count == 4 && is_named(0, "a") && is_named(1, "b") &&
	   is_named(2, "c") && is_named(3, NULL) && is_named(10, "k"),
	   "names go by number, not by place; gaps have no name");
	read_labels("{\"id2label\": {\"1\": \"b\", \"01\": \"B\", \"7\": \"x\"}}",
				NULL, 2);
	ok(labels.count == 2 && is_named(0, NULL) && is_named(1, "B"),
	   "the last of equal numbers counts, one out of range is not read");
	read_labels("{\"id2label\": {\"0\": \"0\", \"1\": \"\"}}", NULL, 2);
	ok(is_named(0, "0") && is_named(1, ""), "a digit, an empty name");
	read_labels("{\"id2label\": {\"0\": 10, \"1\": 1.50, \"2\": true,"
				" \"3\": false, \"4\": null, \"+5\": \"\"}}", NULL, 6);
	ok(is_named(0, "10") && is_named(1, "1.50") && is_named(2, "true") &&
	   is_named(3, "false") && is_named(4, "null") && is_named(5, ""),
	   "labels that are other scalars");
	read_labels("{\"id2label\": {}}", NULL, 0);
	ok(labels.count == 0 && labels.outputs == 0, "no outputs");
}

static void
test_problem(void)
{
	read_labels("{}", NULL, 1);
	ok(labels.problem == MB_PROBLEM_NONE, "no problem type");
	read_labels("{\"problem_type\": \"regression\"}", NULL, 1);
	ok(labels.problem == MB_PROBLEM_REGRESSION, "regression");
	read_labels("{\"problem_type\": \"other\"}", NULL, 1);
	ok(labels.problem == MB_PROBLEM_NONE, "an unknown problem type");
}

static void
test_task_specific(void)
{
	static const char *const text =
		"{\"id2label\": {\"0\": \"a\", \"1\": \"b\"},"
		" \"label2id\": {\"a\": 0, \"b\": 1},"
		" \"problem_type\": \"regression\","
		" \"task_specific_params\": {"
		"  \"text-classification\": {"
		"   \"problem_type\": \"multi_label_classification\"},"
		"  \"zero-shot-classification\": {"
		"   \"id2label\": {\"0\": \"Entailment\", \"1\": \"no\"},"
		"   \"label2id\": null},"
		"  \"ner\": 7}}";
	size_t		output;
	bool		named;

	read_labels(text, "text-classification", 2);
	ok(labels.problem == MB_PROBLEM_MULTI_LABEL && is_named(1, "b"),
	   "a task overrides one key and leaves the others");
	read_labels(text, "zero-shot-classification", 2);
	ok(labels.problem == MB_PROBLEM_REGRESSION && is_named(0, "Entailment"),
	   "another task another one");
	read_labels(text, "ner", 2);
	ok(is_named(0, "a") && labels.problem == MB_PROBLEM_REGRESSION,
	   "what is no object overrides nothing");
	read_labels(text, NULL, 2);
	ok(is_named(0, "a") && labels.problem == MB_PROBLEM_REGRESSION,
	   "without a task nothing is overridden");
	ok(mb_entailment_output(parse(text), "zero-shot-classification", 2,
							&output, &named, &err) == MB_OK && named &&
	   output == 0, "entailment as the task says");
	ok(mb_entailment_output(parse(text), NULL, 2, &output, &named,
							&err) == MB_OK && !named && output == 1,
	   "entailment as the configuration says");
}

/* The output, -1 when the last one was taken for lack of a name, -2: error. */
static int
entailment(const char *text, size_t outputs)
{
	size_t		output;
	bool		named;

	if (mb_entailment_output(parse(text), NULL, outputs, &output, &named,
							 &err) != MB_OK)
		return err.status == MB_ERR_DATA ? -2 : -3;
	if (!named)
		return output == outputs - 1 ? -1 : -3;
	return (int) output;
}

#define NAMES "{\"id2label\": {\"0\": \"a\", \"1\": \"b\", \"2\": \"c\"}"

static void
test_entailment(void)
{
	ok(entailment(NAMES ", \"label2id\": {\"contradiction\": 0,"
				  " \"entailment\": 2, \"neutral\": 1}}", 3) == 2,
	   "label2id decides");
	ok(entailment(NAMES ", \"label2id\": {\"ENTAILED\": 1,"
				  " \"entailment\": 2}}", 3) == 1,
	   "the first key of the file, in any case");
	ok(entailment(NAMES ", \"label2id\": {\"entail\": 1, \"x\": 2,"
				  " \"entail\": 0}}", 3) == 0,
	   "the last value of a key that comes twice");
	ok(entailment(NAMES ", \"label2id\": {\"not entailed\": 1,"
				  " \"entai\": 0}}", 3) == -1, "no such key");
	ok(entailment(NAMES ", \"label2id\": {}}", 3) == -1, "no key");
	ok(entailment(NAMES ", \"label2id\": {\"entail\": -3}}", 3) == 0,
	   "a negative number counts from the end");
	ok(entailment(NAMES ", \"label2id\": {\"entail\": 3}}", 3) == -2,
	   "a number out of range");
	ok(entailment(NAMES ", \"label2id\": {\"entail\": \"1\"}}", 3) == -2,
	   "a string");
	ok(entailment(NAMES ", \"label2id\": {\"entail\": 1.5}}", 3) == -2,
	   "a fraction");
	ok(entailment("{\"id2label\": {\"2\": \"Entailment\","
				  " \"0\": \"entailment?\"}}", 3) == 2,
	   "without label2id the first of id2label");
	ok(entailment("{\"id2label\": {\"7\": \"entailment\"}}", 3) == -1,
	   "one of id2label that is no output");
	ok(entailment("{\"label2id\": {\"entailment\": 0}}", 3) == -1,
	   "without id2label both are made up");
}

static void
test_memory(void)
{
	mb_arena	small;
	mb_json    *root = parse("{}");

	mb_arena_init(&small, &mb_libc_memory, 4096);
	ok(mb_labels_read(root, NULL, 60000, &small, &labels, &err) ==
	   MB_ERR_MEMORY, "no memory for the names");
	mb_arena_free(&small);
	mb_arena_init(&small, &mb_libc_memory, 20000);
	ok(mb_labels_read(root, NULL, 600, &small, &labels, &err) ==
	   MB_ERR_MEMORY, "no memory for made-up names");
	mb_arena_free(&small);
}

int
main(void)
{
	mb_arena_init(&arena, &mb_libc_memory, SIZE_MAX);
	test_names();
	test_problem();
	test_task_specific();
	test_entailment();
	test_memory();
	mb_arena_free(&arena);
	return done_testing();
}
