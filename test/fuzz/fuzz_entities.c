/*-------------------------------------------------------------------------
 *
 * fuzz_entities.c
 *	  Any labels for the pieces of any text, in any windows.
 *
 * Five bytes of choices (strategy and flags, pieces of a window, stride, seed
 * of the scores, length of what follows), labels, a line each, and the text.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"
#include "tasks/entities.h"

#include <math.h>

#define MAX_LABELS 8
#define MAX_TEXT 4000

static const char vocabulary[] =
"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nthe\nof\nun\n##a\n##b\n##s\n"
"##able\n.\n,\n!\n'\n-\n1\n##2\n\xC3\xA9\n\xE4\xB8\xAD\ne\n##e\n";

static uint32_t seed;

static uint32_t
random_number(void)
{
	seed = seed * 1664525u + 1013904223u;
	return seed >> 8;
}

static bool
open_tokenizer(mb_arena *arena, mb_tokenizer *tokenizer)
{
	mb_tokenizer_files files;
	void	   *blob;
	size_t		size;
	mb_error	err;

	memset(&files, 0, sizeof(files));
	files.vocab_txt.text = vocabulary;
	files.vocab_txt.length = strlen(vocabulary);
	return mb_tokenizer_build(&files, arena, NULL, &blob, &size,
							  &err) == MB_OK &&
		mb_tokenizer_open(blob, size, tokenizer, &err) == MB_OK;
}

/* Lines as labels; an empty one has no name. */
static size_t
read_labels(const char *text, size_t length, mb_label *labels)
{
	size_t		count = 0;
	size_t		from = 0;
	size_t		i;

	for (i = 0; i <= length && count < MAX_LABELS; i++)
	{
		if (i < length && text[i] != '\n')
			continue;
		labels[count].text = i > from ? text + from : NULL;
		labels[count].length = i - from;
		count++;
		from = i + 1;
	}
	return count;
}

/* Pieces [from, to) with scores that prefer what the last one was. */
static mb_status
add_pieces(mb_entities *e, size_t from, size_t to, mb_error *err)
{
	mb_status	status = MB_OK;
	size_t		i;
	size_t		j;

	for (i = from; i < to && status == MB_OK; i++)
	{
		float		logits[MAX_LABELS];

		for (j = 0; j < e->task.label_count; j++)
			logits[j] = (float) (random_number() % 7);
		if (random_number() % 50 == 0)
			logits[0] = NAN;
		status = mb_entities_add(e, i, logits, err);
	}
	return status;
}

static void
check_entities(mb_entities *e, mb_arena *arena)
{
	const mb_pieces *pieces = e->task.pieces;
	size_t		i;
	size_t		j;

	for (i = 0; i < e->done.count; i++)
	{
		const mb_entity *entity = &e->done.items[i];
		mb_label	label = mb_entities_label(e, entity);
		char	   *text;
		size_t		length;
		mb_error	err;

		CHECK(entity->first <= entity->last && entity->last < pieces->count);
		CHECK(entity->start == pieces->starts[entity->first] &&
			  entity->end == pieces->ends[entity->last]);
		CHECK(entity->label < e->task.label_count);
		CHECK(isnan(entity->score) ||
			  (entity->score > 0 && entity->score <= 1));
		for (j = 0; j < e->task.ignored_count; j++)
			CHECK(label.length != e->task.ignored[j].length ||
				  memcmp(label.text, e->task.ignored[j].text,
						 label.length) != 0);
		if (e->task.aggregation == MB_AGGREGATE_NONE)
			CHECK(entity->first == entity->last);
		else if (i > 0 && e->task.merge)
			CHECK(entity->start >= entity[-1].end);
		else if (i > 0)
			CHECK(entity->first > entity[-1].last);
		CHECK(mb_entities_text(e, entity, arena, NULL, &text, &length,
							   &err) == MB_OK);
		CHECK(mb_utf8_valid(text, length));
	}
}

/* All windows of the pieces. */
static void
find_entities(const mb_entity_task *task, size_t room, size_t stride,
			  mb_arena *arena)
{
	size_t		count = task->pieces->count;
	size_t		from = 0;
	mb_entities e;
	mb_error	err;
	mb_status	status = mb_entities_begin(&e, task, arena, &err);

	while (status == MB_OK)
	{
		bool		last = from + room >= count;

		status = add_pieces(&e, from, last ? count : from + room, &err);
		from += room - stride;
		if (status == MB_OK)
			status = mb_entities_window(&e, last ? INT32_MAX :
										task->pieces->starts[from], NULL,
										&err);
		if (last)
			break;
	}
	if (status != MB_OK)
		CHECK_ERROR(status, err);
	else
		check_entities(&e, arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mb_label	labels[MAX_LABELS];
	mb_entity_task task;
	mb_tokenizer tokenizer;
	mb_pieces	pieces;
	mb_arena	arena;
	mb_error	err;

	if (size < 5 || size > MAX_TEXT || (size_t) data[4] > size - 5)
		return 0;
	mb_arena_init(&arena, &mb_libc_memory, FUZZ_MEMORY);
	seed = data[3];
	memset(&task, 0, sizeof(task));
	task.tokenizer = &tokenizer;
	task.labels = labels;
	task.label_count = read_labels((const char *) data + 5, data[4], labels);
	task.ignored = labels;
	task.ignored_count = (data[0] & 8) != 0 && labels[0].text != NULL;
	task.aggregation = (mb_aggregation) ((data[0] & 7) % 5);
	task.from_end = (data[0] & 16) != 0;
	task.text = (const char *) data + 5 + data[4];
	task.length = size - 5 - data[4];
	task.pieces = &pieces;
	if (open_tokenizer(&arena, &tokenizer) &&
		mb_tokenize(&tokenizer, task.text, task.length, false, &arena, NULL,
					&pieces, &err) == MB_OK)
	{
		size_t		room = 2 + data[1] % 30;

		task.merge = pieces.count > room &&
			task.aggregation != MB_AGGREGATE_NONE;
		/* unmerged windows must not overlap to keep the order */
		find_entities(&task, room, task.merge ? data[2] % room : 0, &arena);
	}
	mb_arena_free(&arena);
	return 0;
}
