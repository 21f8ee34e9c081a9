/*-------------------------------------------------------------------------
 *
 * test_zero_shot.c
 *	  Templates as Python formats them, scores and order of labels.
 *
 *-------------------------------------------------------------------------
 */
#include "tasks/zero_shot.h"
#include "tap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static mb_arena arena;
static mb_error err;

/* What Python 3.11's str.format gives; NULL: ValueError or IndexError. */
static const struct
{
	const char *template;
	const char *label;
	const char *text;
}			templates[] =
{
	{"This example is {}.", "sport", "This example is sport."},
	{"{}", "x", "x"},
	{"{0}", "x", "x"},
	{"{0} or {0}", "x", "x or x"},
	{"{{}}", "x", "{}"},
	{"{{{}}}", "x", "{x}"},
	{"{0}}}", "x", "x}"},
	{"Is it {0}? {{yes}}", "x", "Is it x? {yes}"},
	{"{}", "{}", "{}"},
	{"{}", "", ""},
	{"", "x", ""},
	{"no field", "x", "no field"},
	{"{} {}", "x", NULL},
	{"{} {0}", "x", NULL},
	{"{1}", "x", NULL},
	{"{name}", "x", NULL},
	{"{ 0}", "x", NULL},
	{"{", "x", NULL},
	{"a}", "x", NULL},
	{"{0", "x", NULL},
	{"{{}", "x", NULL},
	{"{}}", "x", NULL},
	/* legal in Python, refused here */
	{"{0!r}", "x", NULL},
	{"{:>8}", "x", NULL},
	{"{00}", "x", NULL},
};

static void
test_templates(void)
{
	size_t		i;

	for (i = 0; i < sizeof(templates) / sizeof(templates[0]); i++)
	{
		const char *template = templates[i].template;
		const char *label = templates[i].label;
		const char *expected = templates[i].text;
		char	   *text = NULL;
		size_t		length = 0;
		mb_status	status;

		status = mb_format_label(template, strlen(template), label,
								 strlen(label), &arena, &text, &length, &err);
		if (expected == NULL)
			ok(status == MB_ERR_ARGUMENT && err.hint[0] != '\0',
			   "\"%s\" is refused", template);
		else
			ok(status == MB_OK && length == strlen(expected) &&
			   strcmp(text, expected) == 0, "\"%s\" with \"%s\"", template,
			   label);
	}
}

static void
test_limits(void)
{
	size_t		size = 1024 * 1024;
	char	   *template = malloc(size + 1);
	char	   *label = malloc(100);
	mb_arena	small;
	char	   *text;
	size_t		length;
	size_t		i;

	memset(template, 'x', size + 1);
	memset(label, 'y', 100);
	ok(mb_format_label(template, size, label, 100, &arena, &text, &length,
					   &err) == MB_OK && length == size, "1 MB");
	ok(mb_format_label(template, size + 1, label, 100, &arena, &text, &length,
					   &err) == MB_ERR_LIMIT, "over 1 MB");
	for (i = 0; i + 3 <= size; i += 3)
		memcpy(template + i, "{0}", 3);
	template[size - 1] = ' ';
	ok(mb_format_label(template, size, label, 97, &arena, &text, &length,
					   &err) == MB_ERR_LIMIT, "a long hypothesis");
	ok(mb_format_label(template, size, label, 96, &arena, &text, &length,
					   &err) == MB_OK && length == size / 3 * 96 + 1 &&
	   text[length - 2] == 'y', "one just as long as is allowed");
	mb_arena_init(&small, &mb_libc_memory, 4096);
	ok(mb_format_label(template, size, label, 1, &small, &text, &length,
					   &err) == MB_ERR_MEMORY, "no memory");
	mb_arena_free(&small);
	free(template);
	free(label);
}

static bool
near(float a, double b)
{
	return fabs(a - b) < 1e-6;
}

static void
test_scores(void)
{
	float		entailment[3] = {1.0f, 2.0f, 0.5f};
	float		contradiction[3] = {0.0f, 2.0f, 700.0f};
	float		large[2] = {1000.0f, 999.0f};
	float		scores[3];

	mb_zero_shot_scores(entailment, NULL, 3, scores);
	ok(near(scores[0], exp(1) / (exp(1) + exp(2) + exp(0.5))) &&
	   near(scores[0] + scores[1] + scores[2], 1), "labels against each other");
	mb_zero_shot_scores(entailment, contradiction, 3, scores);
	ok(near(scores[0], exp(1) / (exp(1) + 1)) && near(scores[1], 0.5) &&
	   scores[2] == 0, "each label alone");
	mb_zero_shot_scores(large, NULL, 2, scores);
	ok(near(scores[0], 1 / (1 + exp(-1))), "large logits");
	mb_zero_shot_scores(entailment, contradiction, 3, entailment);
	ok(near(entailment[1], 0.5) && near(entailment[0], exp(1) / (exp(1) + 1)),
	   "in place");
}

/* softmax(20 * cosine) in Python's float64 */
static void
test_similarity(void)
{
	float		cosines[4] = {0.31f, 0.05f, -0.2f, 0.28f};
	const double expected[4] = {
		0.6433493815316965, 0.003549078308276204, 2.3913501536768973e-05,
		0.3530776266584905
	};
	float		ends[2] = {-1.0f, 1.0f};
	float		none[2] = {NAN, 0.5f};
	float		scores[4];
	size_t		i;
	bool		all = true;

	mb_similarity_scores(cosines, 4, false, scores);
	for (i = 0; i < 4; i++)
		all = all && near(scores[i], expected[i]);
	ok(all, "cosines against each other");
	mb_similarity_scores(cosines, 4, true, scores);
	ok(memcmp(scores, cosines, sizeof(scores)) == 0, "cosines alone");
	mb_similarity_scores(ends, 2, false, scores);
	ok(near(scores[1], 1) && scores[0] > 0, "the largest difference");
	mb_similarity_scores(cosines, 1, false, scores);
	ok(scores[0] == 1, "one against itself");
	mb_similarity_scores(none, 2, false, scores);
	ok(isnan(scores[0]) && isnan(scores[1]), "a vector without length");
	mb_similarity_scores(cosines, 4, false, cosines);
	ok(near(cosines[0], expected[0]) && near(cosines[3], expected[3]),
	   "cosines in place");
}

static void
test_order(void)
{
	float		scores[5] = {0.1f, 0.3f, 0.1f, 0.3f, 0.2f};
	size_t		order[5];
	mb_arena	none;

	ok(mb_zero_shot_order(scores, 5, &arena, order, &err) == MB_OK &&
	   order[0] == 3 && order[1] == 1 && order[2] == 4 && order[3] == 2 &&
	   order[4] == 0, "the largest first, of equals the later");
	ok(mb_zero_shot_order(scores, 1, &arena, order, &err) == MB_OK &&
	   order[0] == 0, "one label");
	mb_arena_init(&none, &mb_libc_memory, 0);
	ok(mb_zero_shot_order(scores, 5, &none, order, &err) == MB_ERR_MEMORY,
	   "no memory");
	mb_arena_free(&none);
}

int
main(void)
{
	mb_arena_init(&arena, &mb_libc_memory, SIZE_MAX);
	test_templates();
	test_limits();
	test_scores();
	test_similarity();
	test_order();
	mb_arena_free(&arena);
	return done_testing();
}
