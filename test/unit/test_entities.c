/*-------------------------------------------------------------------------
 *
 * test_entities.c
 *	  From labelled word pieces to entities.
 *
 * A test says which label each piece of a text gets, and with what score, and
 * compares entities written as "NAME first-last" or with their text.  Merging
 * of windows is compared with the definition: all entities sorted, one walk.
 *
 *-------------------------------------------------------------------------
 */
#include "tap.h"
#include "tasks/entities.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char vocabulary[] =
"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nnew\nyork\nea\n##a\n##b\n##c\n"
".\n,\n!\n##ork\n";

static const mb_label labels[] = {
	{"O", 1}, {"B-PER", 5}, {"I-PER", 5}, {"PER", 3}, {"B-", 2},
	{"I-GEO-city", 10}, {"X-Y", 3}, {"X-", 2}, {NULL, 0}
};

#define LABELS (sizeof(labels) / sizeof(labels[0]))

enum
{
	O, B_PER, I_PER, PER, B_, I_GEO, X_Y, X_, UNNAMED
};

static const mb_label outside[] = {{"O", 1}};

static mb_arena memory;
static mb_tokenizer tokenizer;
static mb_error err;

/* A text, its classifier, and what comes out. */
typedef struct example
{
	const char *text;
	mb_pieces	pieces;
	mb_entity_task task;
	mb_entities entities;
} example;

static bool
make_tokenizer(void)
{
	mb_tokenizer_files files;
	void	   *blob;
	size_t		size;

	memset(&files, 0, sizeof(files));
	files.vocab_txt.text = vocabulary;
	files.vocab_txt.length = strlen(vocabulary);
	return mb_tokenizer_build(&files, &memory, NULL, &blob, &size,
							  &err) == MB_OK &&
		mb_tokenizer_open(blob, size, &tokenizer, &err) == MB_OK;
}

static bool
set_up(example *ex, const char *text, mb_aggregation aggregation)
{
	memset(ex, 0, sizeof(*ex));
	ex->text = text;
	ex->task.tokenizer = &tokenizer;
	ex->task.text = text;
	ex->task.length = strlen(text);
	ex->task.pieces = &ex->pieces;
	ex->task.labels = labels;
	ex->task.label_count = LABELS;
	ex->task.ignored = outside;
	ex->task.ignored_count = 1;
	ex->task.aggregation = aggregation;
	return mb_tokenize(&tokenizer, text, strlen(text), false, &memory, NULL,
					   &ex->pieces, &err) == MB_OK;
}

/* Logits that give a label so much, and the others the rest. */
static void
make_logits(int label, double score, float *logits)
{
	size_t		i;

	for (i = 0; i < LABELS; i++)
		logits[i] = (float) log(i == (size_t) label ? score :
								(1 - score) / (LABELS - 1));
}

/* All pieces, in one window, with these labels and scores. */
static mb_status
give(example *ex, const int *chosen, const double *scores)
{
	mb_status	status;
	size_t		i;

	status = mb_entities_begin(&ex->entities, &ex->task, &memory, &err);
	for (i = 0; i < ex->pieces.count && status == MB_OK; i++)
	{
		float		logits[LABELS];

		make_logits(chosen[i], scores == NULL ? 0.5 : scores[i], logits);
		status = mb_entities_add(&ex->entities, i, logits, &err);
	}
	if (status == MB_OK)
		status = mb_entities_window(&ex->entities, INT32_MAX, NULL, &err);
	return status;
}

/* "PER 0-1, GEO-city 3-3": names and pieces */
static const char *
described(const example *ex)
{
	static char out[1000];
	size_t		at = 0;
	size_t		i;

	out[0] = '\0';
	for (i = 0; i < ex->entities.done.count; i++)
	{
		const mb_entity *entity = &ex->entities.done.items[i];
		mb_label	name = mb_entities_label(&ex->entities, entity);

		at += (size_t) snprintf(out + at, sizeof(out) - at, "%s%.*s %zu-%zu",
								i > 0 ? ", " : "", (int) name.length,
								name.text, entity->first, entity->last);
	}
	return out;
}

static const char *
text_of(example *ex, size_t n)
{
	char	   *text;
	size_t		length;

	if (n >= ex->entities.done.count ||
		mb_entities_text(&ex->entities, &ex->entities.done.items[n], &memory,
						 NULL, &text, &length, &err) != MB_OK)
		return "(none)";
	return strlen(text) == length ? text : "(length)";
}

static void
is_answer(example *ex, const int *chosen, const char *expected,
		  const char *what)
{
	bool		equal = give(ex, chosen, NULL) == MB_OK &&
		strcmp(described(ex), expected) == 0;

	if (!ok(equal, "%s", what))
		printf("# expected: %s\n# got: %s\n", expected, described(ex));
}

static void
test_groups(void)
{
	static const int begin[] = {B_PER, I_PER, B_PER, PER, O, PER, I_PER};
	static const int names[] = {I_GEO, I_GEO, X_Y, X_Y, B_, B_, X_};
	static const int only[] = {O, O, O, O, O, O, O};
	static const mb_label person[] = {{"B-PER", 5}, {"PER", 3}};
	example	ex;

	ok(set_up(&ex, "a b c a b c a", MB_AGGREGATE_SIMPLE) && ex.pieces.count == 7,
	   "seven pieces");
	is_answer(&ex, begin, "PER 0-1, PER 2-3, PER 5-6",
			  "B begins, I and bare labels continue, O separates");
	is_answer(&ex, names, "GEO-city 0-1, Y 2-3,  4-4,  5-5,  6-6",
			  "names lose all up to the first dash; an empty name is kept");
	is_answer(&ex, only, "", "nothing but O");
	ex.task.ignored = person;
	ex.task.ignored_count = 2;
	is_answer(&ex, begin, "O 4-4", "groups are ignored by name");
	ex.task.aggregation = MB_AGGREGATE_NONE;
	is_answer(&ex, begin, "I-PER 1-1, O 4-4, I-PER 6-6",
			  "tokens are ignored by label");
	ex.task.ignored_count = 0;
	is_answer(&ex, only, "O 0-0, O 1-1, O 2-2, O 3-3, O 4-4, O 5-5, O 6-6",
			  "nothing is ignored");
}

static void
test_words(void)
{
	/* new york ##ork , b */
	static const int mixed[] = {O, B_PER, X_Y, O, X_Y};
	static const double scores[] = {0.9, 0.4, 0.6, 0.9, 0.5};
	example	ex;

	ok(set_up(&ex, "New yorkOrk, b", MB_AGGREGATE_SIMPLE) && ex.pieces.count == 5,
	   "a piece that continues a word");
	give(&ex, mixed, scores);
	ok(strcmp(described(&ex), "PER 1-1, Y 2-2, Y 4-4") == 0 &&
	   strcmp(text_of(&ex, 1), "##ork") == 0,
	   "simple: a first piece keeps its ##");
	ex.task.aggregation = MB_AGGREGATE_FIRST;
	give(&ex, mixed, scores);
	ok(strcmp(described(&ex), "PER 1-2, Y 4-4") == 0 &&
	   fabsf(ex.entities.done.items[0].score - 0.4f) < 1e-6f &&
	   strcmp(text_of(&ex, 0), "yorkork") == 0, "first");
	ex.task.aggregation = MB_AGGREGATE_MAX;
	give(&ex, mixed, scores);
	ok(strcmp(described(&ex), "Y 1-2, Y 4-4") == 0 &&
	   fabsf(ex.entities.done.items[0].score - 0.6f) < 1e-6f, "max");
	ex.task.aggregation = MB_AGGREGATE_AVERAGE;
	give(&ex, mixed, scores);
	ok(strcmp(described(&ex), "Y 1-2, Y 4-4") == 0 &&
	   fabsf(ex.entities.done.items[0].score -
			 (0.6f + 0.6f / (LABELS - 1)) / 2) < 1e-6f, "average");

	ok(set_up(&ex, "b e\xCC\x81" "a \xE2\x82\xAC! a", MB_AGGREGATE_FIRST) &&
	   ex.pieces.count == 5, "an accent inside of a word, and an unknown one");
	is_answer(&ex, (int[]) {B_PER, X_Y, X_Y, X_Y, X_Y}, "PER 0-1, Y 2-4",
			  "the longer piece joins the word before");
	ok(strcmp(text_of(&ex, 0), "b ea") == 0 &&
	   strcmp(text_of(&ex, 1), "\xE2\x82\xAC! a") == 0,
	   "text: unknown tokens as they stand, no blank before \"!\"");
	ok(ex.entities.done.items[0].end == 5 &&
	   ex.entities.done.items[1].start == 6, "offsets of the text");
	ok(strcmp(text_of(&ex, 1), "\xE2\x82\xAC! a") == 0 &&
	   strcmp(text_of(&ex, 0), "b ea") == 0, "wanted in any order");
}

static void
test_scores(void)
{
	static const int person[] = {PER, PER, PER};
	static const double scores[] = {0.5, 0.7, 0.9};
	float		logits[LABELS];
	example	ex;
	size_t		i;

	set_up(&ex, "a b c", MB_AGGREGATE_SIMPLE);
	give(&ex, person, scores);
	ok(ex.entities.done.count == 1 &&
	   fabsf(ex.entities.done.items[0].score - 0.7f) < 1e-6f,
	   "a group has the mean of its scores");
	ok(give(&ex, (int[]) {UNNAMED, O, O}, scores) == MB_ERR_DATA,
	   "a label without a name");

	for (i = 0; i < LABELS; i++)
		logits[i] = NAN;
	ex.task.ignored_count = 0;
	mb_entities_begin(&ex.entities, &ex.task, &memory, &err);
	mb_entities_add(&ex.entities, 0, logits, &err);
	mb_entities_window(&ex.entities, INT32_MAX, NULL, &err);
	ok(strcmp(described(&ex), "O 0-0") == 0 &&
	   isnan(ex.entities.done.items[0].score), "NaN is the first label");
	ex.task.aggregation = MB_AGGREGATE_AVERAGE;
	mb_entities_begin(&ex.entities, &ex.task, &memory, &err);
	mb_entities_add(&ex.entities, 0, logits, &err);
	mb_entities_window(&ex.entities, INT32_MAX, NULL, &err);
	ok(isnan(ex.entities.done.items[0].score), "of NaN alone the mean is NaN");
	ok(mb_entities_begin(&ex.entities, &ex.task, &memory, &err) == MB_OK &&
	   mb_entities_window(&ex.entities, INT32_MAX, NULL, &err) == MB_OK &&
	   ex.entities.done.count == 0, "nothing at all");
}

/*
 * Windows
 */

static uint32_t seed = 20251;

static uint32_t
random_number(void)
{
	seed = seed * 1664525u + 1013904223u;
	return seed >> 8;
}

/* A stable sort by start, and the walk, as they are defined. */
static size_t
merge_all(mb_entity *all, size_t count)
{
	size_t		kept = 0;
	size_t		i;
	size_t		j;
	mb_entity	current;

	for (i = 1; i < count; i++)
	{
		mb_entity	moved = all[i];

		for (j = i; j > 0 && all[j - 1].start > moved.start; j--)
			all[j] = all[j - 1];
		all[j] = moved;
	}
	if (count == 0)
		return 0;
	current = all[0];
	for (i = 0; i < count; i++)
	{
		mb_entity	e = all[i];

		if (current.start <= e.start && e.start < current.end)
		{
			if (e.end - e.start > current.end - current.start ||
				(e.end - e.start == current.end - current.start &&
				 e.score > current.score))
				current = e;
		}
		else
		{
			all[kept++] = current;
			current = e;
		}
	}
	all[kept++] = current;
	return kept;
}

/* A window's pieces; each time with labels and scores of their own. */
static void
give_window(example *ex, mb_entities *one, size_t from, size_t to)
{
	size_t		i;

	mb_entities_begin(one, &ex->task, &memory, &err);
	one->task.merge = false;
	for (i = from; i < to; i++)
	{
		float		logits[LABELS];

		make_logits((int) (random_number() % 3) * 2,
					0.3 + 0.1 * (random_number() % 4), logits);
		mb_entities_add(one, i, logits, &err);
		mb_entities_add(&ex->entities, i, logits, &err);
	}
	mb_entities_window(one, INT32_MAX, NULL, &err);
}

static bool
same_entities(const mb_entity_list *list, const mb_entity *all, size_t count)
{
	size_t		i;

	for (i = 0; i < count && i < list->count; i++)
	{
		if (list->items[i].first != all[i].first ||
			list->items[i].last != all[i].last ||
			list->items[i].label != all[i].label ||
			list->items[i].score != all[i].score)
			return false;
	}
	return list->count == count;
}

/* Windows of so many pieces, overlapping by stride. */
static bool
windows_are_right(example *ex, size_t room, size_t stride)
{
	static mb_entity all[10000];
	size_t		count = 0;
	size_t		from = 0;
	bool		last;

	ex->task.merge = true;
	mb_entities_begin(&ex->entities, &ex->task, &memory, &err);
	do
	{
		size_t		to = from + room;
		mb_entities one;

		last = to >= ex->pieces.count;
		give_window(ex, &one, from, last ? ex->pieces.count : to);
		if (one.done.count > 0)
			memcpy(all + count, one.done.items,
				   one.done.count * sizeof(mb_entity));
		count += one.done.count;
		from += room - stride;
		mb_entities_window(&ex->entities,
						   last ? INT32_MAX : ex->pieces.starts[from], NULL,
						   &err);
	} while (!last);
	return same_entities(&ex->entities.done, all, merge_all(all, count));
}

static void
test_windows(void)
{
	static const mb_aggregation kinds[] = {MB_AGGREGATE_SIMPLE,
	MB_AGGREGATE_FIRST, MB_AGGREGATE_AVERAGE, MB_AGGREGATE_MAX};
	char		text[400];
	bool		right = true;
	example	ex;
	int			round;
	size_t		i;

	for (round = 0; round < 400; round++)
	{
		static const char *const words[] = {"a ", "ab", "new ", "york ", "c"};
		size_t		room = 2 + random_number() % 12;
		size_t		count = random_number() % 60;

		text[0] = '\0';
		for (i = 0; i < count; i++)
			strcat(text, words[random_number() % 5]);
		set_up(&ex, text, kinds[round % 4]);
		ex.task.ignored_count = random_number() % 2;
		if (ex.pieces.count > 0)
			right = right && windows_are_right(&ex, room,
											   random_number() % room);
	}
	ok(right, "400 texts in windows: as if merged all at once");
}

/* Of two windows that find the same, the one that counts as earlier wins. */
static void
test_ties(void)
{
	float		person[LABELS];
	float		other[LABELS];
	example	ex;
	bool		right = true;
	int			from_end;

	make_logits(PER, 0.5, person);
	make_logits(X_Y, 0.5, other);
	for (from_end = 0; from_end < 2; from_end++)
	{
		set_up(&ex, "a b c", MB_AGGREGATE_SIMPLE);
		ex.task.merge = true;
		ex.task.from_end = from_end != 0;
		mb_entities_begin(&ex.entities, &ex.task, &memory, &err);
		mb_entities_add(&ex.entities, 1, person, &err);
		mb_entities_window(&ex.entities, ex.pieces.starts[1], NULL, &err);
		mb_entities_add(&ex.entities, 1, other, &err);
		mb_entities_window(&ex.entities, INT32_MAX, NULL, &err);
		right = right && strcmp(described(&ex), from_end ? "Y 1-1" :
								"PER 1-1") == 0;
	}
	ok(right, "ties go to the earlier window, or the later when cut from the end");
}

static bool
stop(void *context)
{
	(void) context;
	return true;
}

static void
test_cancel(void)
{
	static const mb_cancel cancel = {stop, NULL};
	size_t		count = 40000;
	char	   *text = malloc(count * 2 + 1);
	int		   *chosen = malloc(count * sizeof(int));
	char	   *joined;
	size_t		length;
	example	ex;
	size_t		i;

	for (i = 0; i < count; i++)
	{
		memcpy(text + 2 * i, "a ", 3);
		chosen[i] = PER;
	}
	set_up(&ex, text, MB_AGGREGATE_SIMPLE);
	ok(give(&ex, chosen, NULL) == MB_OK && ex.entities.done.count == 1,
	   "a group of 40,000 tokens");
	ok(mb_entities_text(&ex.entities, &ex.entities.done.items[0], &memory,
						&cancel, &joined, &length, &err) == MB_ERR_CANCELLED,
	   "a cancel is noticed while its text is made");
	ok(mb_entities_text(&ex.entities, &ex.entities.done.items[0], &memory,
						NULL, &joined, &length, &err) == MB_OK &&
	   length == 2 * count - 1, "its text");
	free(chosen);
	free(text);
}

int
main(void)
{
	mb_arena_init(&memory, &mb_libc_memory, SIZE_MAX);
	if (ok(make_tokenizer(), "a tokenizer"))
	{
		test_groups();
		test_words();
		test_scores();
		test_windows();
		test_ties();
		test_cancel();
	}
	mb_arena_free(&memory);
	return done_testing();
}
