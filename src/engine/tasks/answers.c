/*-------------------------------------------------------------------------
 *
 * answers.c
 *	  Candidates of a window, and merging them over the windows of a context.
 *
 * In a window, S and E are the softmax of the start and end logits over the
 * allowed positions; a span from i to j scores S[i] E[j].  Spans are visited
 * one by one, at most max_tokens for each i, and the best are kept in a heap:
 * no matrix of all spans.  As in Hugging Face their number is twice
 * the answers wanted and ten more when spans grow to whole words, for then
 * several become the same.
 *
 * A span becomes a slice of the context.  One whose text, whatever its case,
 * is that of an answer already there adds its score to that answer; a hash
 * table over the lower-case texts finds it.  The texts themselves are not
 * kept, only where they stand, so the memory of a long context is a small
 * entry for each candidate.
 *
 * Scores of spans are floats, as Hugging Face's, and sums of them doubles.
 *
 * Source: transformers' QuestionAnsweringPipeline, select_starts_ends and
 * decode_spans; spec pipelines.md 5.2 to 5.4 (numbers in parentheses).
 * Depends on tasks/answers.h, base/utf8.h, tasks/scores.h, tokenizer/text.h.
 *
 *-------------------------------------------------------------------------
 */
#include "tasks/answers.h"

#include <string.h>

#include "base/utf8.h"
#include "tasks/scores.h"
#include "tokenizer/text.h"

/* The logit of a position that is not allowed (5.2, 1). */
#define DISALLOWED (-10000.0f)

/* More than any score (5.2, 3). */
#define NO_ANSWER_START 1000000.0

/* Characters between two entries of mb_answers.offsets. */
#define OFFSET_STEP 64

/* Bytes of the context between two polls of cancel. */
#define POLL_BYTES ((size_t) 1 << 20)

/* Spans or answers between two polls of cancel. */
#define POLL_SPANS 65536

/* Candidates, each of which searches its window, between two polls. */
#define POLL_CANDIDATES 64

struct mb_answer_entry
{
	uint64_t	hash;			/* of the lower-case text */
	double		score;
	int32_t		start;
	int32_t		end;
};

/* A score, and what it is of; equal scores are in the order of "index". */
typedef struct ranked
{
	double		score;
	size_t		index;
} ranked;

/* The best few of many, the worst of them on top. */
typedef struct best_few
{
	ranked	   *heap;			/* [capacity] */
	size_t		count;
	size_t		capacity;
} best_few;

/*
 * The best few
 */

static bool
ranks_before(const ranked *a, const ranked *b)
{
	return a->score > b->score ||
		(a->score == b->score && a->index < b->index);
}

/* Sift down the entry on top of a heap of "count". */
static void
sift_down(ranked *heap, size_t count)
{
	ranked		entry = heap[0];
	size_t		at = 0;

	for (;;)
	{
		size_t		child = 2 * at + 1;

		if (child >= count)
			break;
		if (child + 1 < count && ranks_before(&heap[child], &heap[child + 1]))
			child++;
		if (!ranks_before(&entry, &heap[child]))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = entry;
}

static void
best_offer(best_few *best, double score, size_t index)
{
	ranked		entry = {score, index};
	size_t		at = best->count;

	if (at == best->capacity)
	{
		if (at > 0 && ranks_before(&entry, &best->heap[0]))
		{
			best->heap[0] = entry;
			sift_down(best->heap, at);
		}
		return;
	}
	best->count++;
	while (at > 0 && ranks_before(&best->heap[(at - 1) / 2], &entry))
	{
		best->heap[at] = best->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	best->heap[at] = entry;
}

/* The heap becomes a list, the best first. */
static mb_status
best_sort(best_few *best, const mb_cancel *cancel, mb_error *err)
{
	size_t		i;

	for (i = best->count; i-- > 1;)
	{
		ranked		worst = best->heap[0];

		best->heap[0] = best->heap[i];
		sift_down(best->heap, i);
		best->heap[i] = worst;
		if (i % POLL_SPANS == 0 && mb_cancelled(cancel))
			return mb_fail_cancelled(err, NULL);
	}
	return MB_OK;
}

static bool
best_init(best_few *best, size_t capacity, mb_arena *arena)
{
	best->count = 0;
	best->capacity = capacity;
	best->heap = mb_arena_alloc(arena, capacity > 0 ? capacity : 1,
								sizeof(ranked));
	return best->heap != NULL;
}

/*
 * The context
 */

/* Count the characters, and note where every OFFSET_STEP'th begins. */
static mb_status
find_offsets(mb_answers *answers, const mb_cancel *cancel, mb_error *err)
{
	size_t		at;
	size_t		character = 0;

	for (at = 0; at < answers->length; at += POLL_BYTES)
	{
		size_t		rest = answers->length - at;

		if (mb_cancelled(cancel))
			return mb_fail_cancelled(err, NULL);
		answers->characters +=
			mb_utf8_count(answers->text + at,
						  rest < POLL_BYTES ? rest : POLL_BYTES);
	}
	if (answers->characters == answers->length)
		return MB_OK;
	answers->offsets = mb_arena_alloc(answers->arena,
									  answers->characters / OFFSET_STEP + 1,
									  sizeof(size_t));
	if (answers->offsets == NULL)
		return mb_fail_memory(err);
	for (at = 0; at < answers->length; at++)
	{
		if (at % POLL_BYTES == POLL_BYTES - 1 && mb_cancelled(cancel))
			return mb_fail_cancelled(err, NULL);
		if (mb_utf8_continues(answers->text[at]))
			continue;
		if (character % OFFSET_STEP == 0)
			answers->offsets[character / OFFSET_STEP] = at;
		character++;
	}
	return MB_OK;
}

/* The byte at which a character begins; the end for one beyond it. */
static size_t
byte_of(const mb_answers *answers, int32_t character)
{
	size_t		wanted = character > 0 ? (size_t) character : 0;
	size_t		at;
	size_t		i;

	if (wanted >= answers->characters)
		return answers->length;
	if (answers->offsets == NULL)
		return wanted;
	at = answers->offsets[wanted / OFFSET_STEP];
	for (i = wanted % OFFSET_STEP; i > 0; i--)
	{
		do
			at++;
		while (mb_utf8_continues(answers->text[at]));
	}
	return at;
}

/* context[start:end], as Python slices */
static const char *
slice(const mb_answers *answers, int32_t start, int32_t end, size_t *length)
{
	size_t		from = byte_of(answers, start);
	size_t		to = byte_of(answers, end);

	*length = to > from ? to - from : 0;
	return answers->text + from;
}

mb_status
mb_answers_init(mb_answers *answers, const mb_answer_options *options,
				const char *text, size_t length, mb_arena *arena,
				const mb_cancel *cancel, mb_error *err)
{
	memset(answers, 0, sizeof(*answers));
	answers->options = *options;
	answers->text = text;
	answers->length = length;
	answers->arena = arena;
	answers->no_answer = NO_ANSWER_START;
	return find_offsets(answers, cancel, err);
}

/*
 * Merging (5.4)
 */

/* Twice the slots; they stay at most half full. */
static bool
table_grow(mb_answers *answers)
{
	size_t		size = answers->table_size > 0 ? answers->table_size * 2 : 64;
	size_t	   *table = mb_arena_zero(answers->arena, size, sizeof(size_t));
	size_t		i;

	if (table == NULL)
		return false;
	for (i = 0; i < answers->count; i++)
	{
		size_t		slot = answers->entries[i].hash & (size - 1);

		while (table[slot] != 0)
			slot = (slot + 1) & (size - 1);
		table[slot] = i + 1;
	}
	answers->table = table;
	answers->table_size = size;
	return true;
}

/* Space for one entry more. */
static bool
entries_grow(mb_answers *answers)
{
	mb_answer_entry *entries;
	size_t		capacity = answers->capacity > 0 ? answers->capacity * 2 : 16;

	if (answers->count < answers->capacity)
		return true;
	entries = mb_arena_alloc(answers->arena, capacity, sizeof(*entries));
	if (entries == NULL)
		return false;
	if (answers->count > 0)
		memcpy(entries, answers->entries, answers->count * sizeof(*entries));
	answers->entries = entries;
	answers->capacity = capacity;
	return true;
}

/* *slot: that of the answer with this text, or a free one. */
static mb_status
find_slot(const mb_answers *answers, const char *text, size_t length,
		  uint64_t hash, size_t *slot, const mb_cancel *cancel)
{
	size_t		mask = answers->table_size - 1;
	bool		equal = false;

	for (*slot = hash & mask; answers->table[*slot] != 0;
		 *slot = (*slot + 1) & mask)
	{
		const mb_answer_entry *entry =
			&answers->entries[answers->table[*slot] - 1];
		const char *other;
		size_t		other_length;
		mb_status	status;

		if (entry->hash != hash)
			continue;
		other = slice(answers, entry->start, entry->end, &other_length);
		status = mb_lower_equal(text, length, other, other_length, cancel,
								&equal);
		if (status != MB_OK || equal)
			return status;
	}
	return MB_OK;
}

static mb_status
merge(mb_answers *answers, int32_t start, int32_t end, float score,
	  const mb_cancel *cancel, mb_error *err)
{
	mb_answer_entry *entry;
	const char *text;
	size_t		length;
	size_t		slot;
	uint64_t	hash;

	if ((answers->count + 1) * 2 > answers->table_size && !table_grow(answers))
		return mb_fail_memory(err);
	text = slice(answers, start, end, &length);
	if (mb_lower_hash(text, length, cancel, &hash) != MB_OK ||
		find_slot(answers, text, length, hash, &slot, cancel) != MB_OK)
		return mb_fail_cancelled(err, NULL);
	if (answers->table[slot] != 0)
	{
		answers->entries[answers->table[slot] - 1].score += score;
		return MB_OK;
	}
	if (!entries_grow(answers))
		return mb_fail_memory(err);
	entry = &answers->entries[answers->count++];
	entry->hash = hash;
	entry->score = score;
	entry->start = start;
	entry->end = end;
	answers->table[slot] = answers->count;
	return MB_OK;
}

/*
 * From tokens to characters (5.3)
 */

/*
 * The first and the last token of the context in this window with a word
 * index; false when there is none.  Word indexes do not decrease.
 */
static bool
find_word(const mb_encoding *window, int32_t word, size_t *first,
		  size_t *last)
{
	bool		found = false;
	size_t		i;

	*first = 0;
	*last = 0;
	if (word < 0)
		return false;
	for (i = 0; i < window->length; i++)
	{
		if (window->sequences[i] != 1 || window->words[i] != word)
			continue;
		if (!found)
			*first = i;
		*last = i;
		found = true;
	}
	return found;
}

/* The characters of tokens i to j. */
static void
find_characters(const mb_encoding *window, size_t i, size_t j,
				bool align_to_words, int32_t *start, int32_t *end)
{
	size_t		first;
	size_t		last;
	size_t		ignored;

	if (align_to_words &&
		find_word(window, window->words[i], &first, &ignored) &&
		find_word(window, window->words[j], &ignored, &last))
	{
		*start = window->starts[first];
		*end = window->ends[last];
		return;
	}
	*start = window->starts[i];
	*end = window->ends[j];
}

/*
 * Candidates of a window (5.2)
 */

/* Logits become probabilities; the template's first token is set aside. */
static void
probabilities(mb_answers *answers, const mb_encoding *window, float *start,
			  float *end)
{
	size_t		i;

	for (i = 0; i < window->length; i++)
	{
		if (mb_answer_allowed(answers, window, i))
			continue;
		start[i] = DISALLOWED;
		end[i] = DISALLOWED;
	}
	mb_softmax(start, window->length, start);
	mb_softmax(end, window->length, end);
	if (answers->options.no_answer)
	{
		double		score = start[0] * end[0];

		if (score < answers->no_answer)
			answers->no_answer = score;
	}
	start[0] = 0;
	end[0] = 0;
}

/* How many spans are wanted, and how many of them there can be. */
static size_t
spans_wanted(const mb_answer_options *options, size_t length)
{
	size_t		width = options->max_tokens < length ?
		options->max_tokens : length;
	size_t		wanted = options->top_k;
	size_t		all;

	if (options->align_to_words &&
		(!mb_size_multiply(wanted, 2, &wanted) ||
		 !mb_size_add(wanted, 10, &wanted)))
		wanted = SIZE_MAX;
	if (!mb_size_multiply(length, width, &all))
		all = SIZE_MAX;
	return wanted < all ? wanted : all;
}

/* Offer all spans of which both ends have a probability above 0. */
static mb_status
offer_spans(const mb_answers *answers, size_t length, const float *start,
			const float *end, best_few *best, const mb_cancel *cancel,
			mb_error *err)
{
	size_t		width = answers->options.max_tokens;
	size_t		spans = 0;
	size_t		i;
	size_t		j;

	for (i = 0; i < length; i++)
	{
		size_t		stop = length - i > width ? i + width : length;

		if (!(start[i] > 0))
			continue;
		for (j = i; j < stop; j++)
		{
			float		score = start[i] * end[j];

			if (score > 0)
				best_offer(best, score, i * length + j);
		}
		spans += stop - i;
		if (spans >= POLL_SPANS)
		{
			spans = 0;
			if (mb_cancelled(cancel))
				return mb_fail_cancelled(err, NULL);
		}
	}
	return MB_OK;
}

mb_status
mb_answers_add(mb_answers *answers, const mb_encoding *window, float *start,
			   float *end, mb_arena *scratch, const mb_cancel *cancel,
			   mb_error *err)
{
	size_t		length = window->length;
	best_few	best;
	mb_status	status;
	size_t		n;

	if (length == 0)
		return MB_OK;
	if (!best_init(&best, spans_wanted(&answers->options, length), scratch))
		return mb_fail_memory(err);
	probabilities(answers, window, start, end);
	status = offer_spans(answers, length, start, end, &best, cancel, err);
	if (status == MB_OK)
		status = best_sort(&best, cancel, err);
	for (n = 0; n < best.count && status == MB_OK; n++)
	{
		size_t		i = best.heap[n].index / length;
		size_t		j = best.heap[n].index % length;
		int32_t		from;
		int32_t		to;

		if (n % POLL_CANDIDATES == POLL_CANDIDATES - 1 && mb_cancelled(cancel))
			return mb_fail_cancelled(err, NULL);
		if (!mb_answer_allowed(answers, window, i) ||
			!mb_answer_allowed(answers, window, j))
			continue;
		find_characters(window, i, j, answers->options.align_to_words, &from,
						&to);
		status = merge(answers, from, to, (float) best.heap[n].score, cancel,
					   err);
	}
	return status;
}

mb_status
mb_answers_best(const mb_answers *answers, mb_arena *scratch,
				const mb_cancel *cancel, mb_answer **best, size_t *count,
				mb_error *err)
{
	size_t		top_k = answers->options.top_k;
	size_t		all = answers->count + (answers->options.no_answer ? 1 : 0);
	best_few	few;
	mb_status	status;
	size_t		i;

	if (!best_init(&few, top_k < all ? top_k : all, scratch))
		return mb_fail_memory(err);
	for (i = 0; i < answers->count; i++)
	{
		best_offer(&few, answers->entries[i].score, i);
		if (i % POLL_SPANS == POLL_SPANS - 1 && mb_cancelled(cancel))
			return mb_fail_cancelled(err, NULL);
	}
	if (answers->options.no_answer)
		best_offer(&few, answers->no_answer, answers->count);
	status = best_sort(&few, cancel, err);
	if (status != MB_OK)
		return status;

	*count = few.count;
	*best = mb_arena_zero(scratch, few.count > 0 ? few.count : 1,
						  sizeof(mb_answer));
	if (*best == NULL)
		return mb_fail_memory(err);
	for (i = 0; i < few.count; i++)
	{
		mb_answer  *answer = &(*best)[i];
		size_t		index = few.heap[i].index;

		answer->score = few.heap[i].score;
		answer->none = index == answers->count;
		if (!answer->none)
		{
			answer->start = answers->entries[index].start;
			answer->end = answers->entries[index].end;
		}
	}
	return MB_OK;
}
