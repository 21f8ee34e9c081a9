/*-------------------------------------------------------------------------
 *
 * chunks.c
 *	  A long text in pieces that each fit a window of a model.
 *
 * Words are the tokenizer's (punctuation and CJK characters are words of their
 * own); a unit is a run of words with nothing between them, such as "don't".
 * Between two words is a gap, and each gap has a strength: what ends there.
 *
 * Words of the BERT tokenizers do not look at what stands around them, so a
 * slice that begins and ends at gaps has by itself the tokens that it has in
 * the text.  What begins inside a word is tokenised anew.
 *
 * Depends on base/arena.h, base/status.h, base/utf8.h, tokenizer/tokenizer.h,
 * tokenizer/unicode_tables.h, tasks/sentences.h.
 *
 *-------------------------------------------------------------------------
 */
#include "base/arena.h"
#include "base/status.h"
#include "base/utf8.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/unicode_tables.h"
#include "tasks/chunks.h"
#include "tasks/sentences.h"

#include <string.h>

#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* Words between two looks at the cancel. */
#define POLL 4096

/* Strengths of a gap. */
enum
{
	GAP_TIGHT,					/* before a comma and its like */
	GAP_WORD,					/* without white space */
	GAP_SPACE,
	GAP_CLAUSE,
	GAP_SENTENCE,
	GAP_PARAGRAPH,
	GAPS
};

typedef struct Word
{
	size_t		first;			/* piece */
	size_t		unit;			/* word: first of its unit */
	uint8_t		gap;			/* before it; not for MB_SPLIT_WORD */
} Word;

typedef struct Plan
{
	const mb_tokenizer *tokenizer;
	const char *text;
	size_t		length;
	const mb_pieces *pieces;
	const mb_chunk_options *options;
	mb_arena   *arena;
	const mb_cancel *cancel;
	mb_error   *err;
	size_t		count;			/* words */
	Word	   *words;			/* [count + 1] */

	/* the next chunk begins inside word "from", of which that is left */
	bool		parted;
	int32_t		rest_start;
	size_t		rest_tokens;

	/* where the character "seen" is, for slices of the text */
	int32_t		seen;
	size_t		seen_byte;

	mb_chunks  *chunks;
	size_t		room;			/* of chunks->list */
} Plan;

static mb_status
poll(const Plan *plan, size_t turn)
{
	return turn % POLL == 0 ?
		mb_poll_cancel(plan->cancel, "splitting", plan->err) : MB_OK;
}

static mb_status
find_words(Plan *plan)
{
	const mb_pieces *p = plan->pieces;
	size_t		unit = 0;
	size_t		i;

	plan->words = p->count == SIZE_MAX ? NULL :
		mb_arena_alloc(plan->arena, p->count + 1, sizeof(Word));
	if (plan->words == NULL)
		return mb_fail_memory(plan->err);
	for (i = 0; i < p->count; i++)
	{
		Word	   *word = &plan->words[plan->count];

		if (poll(plan, i) != MB_OK)
			return MB_ERR_CANCELLED;

		/*
		 * One character of the text can become two words; they stay together,
		 * or the character would be in two chunks.
		 */
		if (i > 0 && (p->words[i] == p->words[i - 1] ||
					  p->starts[i] < p->ends[i - 1]))
			continue;
		if (i > 0 && p->starts[i] > p->ends[i - 1])
			unit = plan->count;
		word->first = i;
		word->unit = unit;
		word->gap = GAP_WORD;
		plan->count++;
	}
	plan->words[plan->count].first = p->count;
	plan->words[plan->count].unit = plan->count;
	plan->words[plan->count].gap = GAP_PARAGRAPH;
	return MB_OK;
}

/* Tokens of words [from, to). */
static size_t
tokens(const Plan *plan, size_t from, size_t to)
{
	return plan->words[to].first - plan->words[from].first;
}

/* The first and one past the last character of word i. */
static int32_t
word_start(const Plan *plan, size_t i)
{
	return plan->pieces->starts[plan->words[i].first];
}

static int32_t
word_end(const Plan *plan, size_t i)
{
	return plan->pieces->ends[plan->words[i + 1].first - 1];
}

static mb_status
put_chunk(Plan *plan, int32_t start, int32_t end, size_t count)
{
	mb_chunks  *chunks = plan->chunks;
	mb_chunk   *chunk;

	if (chunks->count == plan->room)
	{
		size_t		room = plan->room == 0 ? 16 : plan->room * 2;
		mb_chunk   *list = mb_arena_alloc(plan->arena, room, sizeof(mb_chunk));

		if (list == NULL)
			return mb_fail_memory(plan->err);
		if (chunks->count > 0)
			memcpy(list, chunks->list, chunks->count * sizeof(mb_chunk));
		chunks->list = list;
		plan->room = room;
	}
	chunk = &chunks->list[chunks->count++];
	chunk->start = start;
	chunk->end = end;
	chunk->tokens = count;
	return MB_OK;
}

static mb_status
refuse(Plan *plan, const char *what, int32_t start, size_t count)
{
	plan->chunks->refused = start;
	plan->chunks->refused_tokens = count;
	mb_fail(plan->err, MB_ERR_LIMIT, "%s at offset %d does not fit in a chunk",
			what, start);
	mb_detail(plan->err, "It has %zu tokens, and a chunk has room for %zu.",
			  count, plan->options->budget);
	return MB_ERR_LIMIT;
}

/*
 * Chunks of words
 *
 * A chunk takes as many words as fit and then gives back the beginning of a
 * unit that it would cut, if that unit fits in a chunk of its own.
 */

/* One past the unit's last word, from "word" on; 0: it fits in no chunk. */
static size_t
unit_end(const Plan *plan, size_t unit, size_t word)
{
	size_t		end = word;

	while (end < plan->count && plan->words[end].unit == unit)
	{
		if (tokens(plan, unit, end + 1) > plan->options->budget)
			return 0;
		end++;
	}
	return end;
}

/*
 * Where the chunk that begins with word "from" ends.  *fits: the first word
 * that did not fit any more, never before the last chunk's.
 */
static size_t
word_chunk_end(const Plan *plan, size_t from, size_t *fits)
{
	size_t		end = MAX(*fits, from);
	size_t		unit;

	while (end < plan->count &&
		   tokens(plan, from, end + 1) <= plan->options->budget)
		end++;
	*fits = end;
	if (end == plan->count || end == from)
		return end;

	/* Word "end" must go to the next chunk; take its unit along? */
	unit = plan->words[end].unit;
	if (unit == end || unit <= from)
		return end;
	if (unit_end(plan, unit, end) == 0)
		return end;				/* too long for any chunk: cut it here */
	return unit;
}

/* The first word of the chunk after [from, cut). */
static size_t
word_chunk_next(const Plan *plan, size_t from, size_t cut)
{
	size_t		next = cut;
	size_t		needed = cut + 1;

	/* It must hold more than the overlap: a whole unit when it begins one. */
	if (plan->words[cut].unit == cut)
	{
		size_t		end = unit_end(plan, cut, cut);

		needed = MAX(end, needed);
	}
	while (next > from + 1 &&
		   tokens(plan, next - 1, cut) <= plan->options->overlap &&
		   tokens(plan, next - 1, needed) <= plan->options->budget)
		next--;
	return next;
}

static mb_status
chunks_of_words(Plan *plan)
{
	size_t		from = 0;
	size_t		fits = 0;
	size_t		turn = 0;

	while (from < plan->count)
	{
		size_t		cut = word_chunk_end(plan, from, &fits);

		if (poll(plan, turn += 64) != MB_OK)
			return MB_ERR_CANCELLED;
		if (cut == from)
			return refuse(plan, "word", word_start(plan, from),
						  tokens(plan, from, from + 1));
		if (put_chunk(plan, word_start(plan, from), word_end(plan, cut - 1),
					  tokens(plan, from, cut)) != MB_OK)
			return MB_ERR_MEMORY;
		from = cut < plan->count ? word_chunk_next(plan, from, cut) : cut;
	}
	return MB_OK;
}

/*
 * Chunks of sentences
 */

/* Step to a character at or after the last one asked for. */
static const char *
seek(Plan *plan, int32_t character)
{
	MB_ASSERT(character >= plan->seen);
	while (plan->seen < character && plan->seen_byte < plan->length)
	{
		const char *at = plan->text + plan->seen_byte;

		(void) mb_utf8_next(&at);
		plan->seen_byte = (size_t) (at - plan->text);
		plan->seen++;
	}
	return plan->text + plan->seen_byte;
}

static uint32_t
character_at(Plan *plan, int32_t character)
{
	const char *at = seek(plan, character);

	return at < plan->text + plan->length ? mb_utf8_next(&at) : 0;
}

/* The strength of each gap. */
static mb_status
find_gaps(Plan *plan)
{
	static const uint8_t strengths[] = {
		GAP_SPACE, GAP_CLAUSE, GAP_SENTENCE, GAP_PARAGRAPH
	};
	mb_sentences sentences;
	mb_break	kind;
	int32_t		end;
	uint32_t	before = 0;
	size_t		i;
	mb_status	status;

	status = mb_sentences_begin(&sentences, plan->text, plan->length,
								plan->cancel, plan->err);
	if (status == MB_OK)
		status = mb_sentences_next(&sentences, plan->cancel, &kind, &end,
								   plan->err);
	for (i = 0; i < plan->count && status == MB_OK; i++)
	{
		Word	   *word = &plan->words[i];
		int32_t		start = word_start(plan, i);
		uint32_t	code;

		if (poll(plan, i) != MB_OK)
			return MB_ERR_CANCELLED;
		code = character_at(plan, start);
		word->gap = word->unit == i ? GAP_SPACE :
			mb_clings(before, code) ? GAP_TIGHT : GAP_WORD;
		before = code;
		while (kind != MB_BREAK_NONE && end <= start && status == MB_OK)
		{
			/* one inside a word, as in a token that was added, is none */
			if (i > 0 && end >= word_end(plan, i - 1) &&
				word->gap < strengths[kind])
				word->gap = strengths[kind];
			status = mb_sentences_next(&sentences, plan->cancel, &kind, &end,
									   plan->err);
		}
	}
	plan->seen = 0;
	plan->seen_byte = 0;
	return status;
}

/* Tokens of words [from, to), where "from" may have lost its beginning. */
static size_t
tokens_left(const Plan *plan, size_t from, size_t to)
{
	return plan->parted ?
		plan->rest_tokens + tokens(plan, from + 1, to) :
		tokens(plan, from, to);
}

/*
 * Where the chunk that begins with word "from" ends, after word "last" of the
 * one before; "from": not even its first word fits.
 */
static size_t
chunk_end(const Plan *plan, size_t from, size_t last)
{
	size_t		budget = plan->options->budget;
	size_t		best[GAPS] = {0};	/* the last gap at least so strong */
	size_t		end = from;
	int			strongest = plan->options->split == MB_SPLIT_PARAGRAPH ?
		GAP_PARAGRAPH : GAP_SENTENCE;
	int			gap;

	while (end < plan->count && tokens_left(plan, from, end + 1) <= budget)
	{
		end++;
		if (end <= last)
			continue;
		for (gap = 0; gap <= plan->words[end].gap; gap++)
			best[gap] = end;
	}
	if (end == plan->count || end == from)
		return end;
	for (gap = strongest; gap > GAP_SPACE; gap--)
		if (best[gap] > 0)
			return best[gap];

	/* a unit that is too long for any chunk is cut here */
	if (best[GAP_SPACE] > 0 &&
		(plan->words[end].unit == end ||
		 unit_end(plan, plan->words[end].unit, end) > 0))
		return best[GAP_SPACE];
	return best[GAP_WORD] > 0 ? best[GAP_WORD] : end;
}

/* The first word of the chunk after [from, cut). */
static size_t
chunk_next(const Plan *plan, size_t from, size_t cut)
{
	const mb_chunk_options *options = plan->options;
	size_t		sentence = 0;	/* ends of the next one ... */
	size_t		paragraph = 0;
	size_t		needed;
	size_t		next = cut;
	size_t		i;

	if (options->overlap == 0 || plan->words[cut].gap < GAP_SENTENCE)
		return cut;

	/* ... which must fit whole into the next chunk, beside what is shared */
	for (i = cut + 1; i <= plan->count && paragraph == 0 &&
		 tokens(plan, cut, i) <= options->budget; i++)
	{
		if (sentence == 0 && plan->words[i].gap >= GAP_SENTENCE)
			sentence = i;
		if (plan->words[i].gap == GAP_PARAGRAPH)
			paragraph = i;
		if (sentence > 0 && options->split == MB_SPLIT_SENTENCE)
			break;
	}
	needed = options->split == MB_SPLIT_PARAGRAPH && paragraph > 0 ?
		paragraph : sentence;
	if (needed == 0)
		return cut;
	for (i = cut - 1; i > from && tokens(plan, i, cut) <= options->overlap &&
		 tokens(plan, i, needed) <= options->budget; i--)
	{
		if (plan->words[i].gap >= GAP_SENTENCE)
			next = i;
	}
	return next;
}

/*
 * Where a chunk ends whose last token ends at "end", when the next token begins
 * at "next": accents that the tokenizer drops stay with their letter.
 */
static int32_t
whole_letter(Plan *plan, int32_t end, int32_t next)
{
	while (end < next &&
		   (mb_char_flags(character_at(plan, end)) & MB_CHAR_MARK) != 0)
		end++;
	return end;
}

/* The slice between two characters, tokenised by itself. */
static mb_status
tokenise_slice(Plan *plan, int32_t start, int32_t end, mb_arena *arena,
			   mb_pieces *pieces)
{
	const char *from = seek(plan, start);
	const char *to = from;
	int32_t		n;

	for (n = start; n < end && to < plan->text + plan->length; n++)
		(void) mb_utf8_next(&to);
	return mb_tokenize(plan->tokenizer, from, (size_t) (to - from),
					   plan->options->split_special_tokens, arena,
					   plan->cancel, pieces, plan->err);
}

/* May a chunk begin with piece i of a slice that begins at "start"? */
static bool
may_begin(const Plan *plan, int32_t start, const mb_pieces *pieces, size_t i)
{
	Plan		copy = *plan;	/* to look ahead */
	uint32_t	code;

	if (pieces->starts[i] < pieces->ends[i - 1])
		return false;
	code = character_at(&copy, start + pieces->starts[i]);
	return (mb_char_flags(code) & (MB_CHAR_MARK | MB_CHAR_COMBINES)) == 0;
}

/*
 * Word "from" alone is longer than a chunk: put chunks of its pieces until the
 * rest fits, which the next chunk begins with.
 */
static mb_status
part_word(Plan *plan, size_t from)
{
	size_t		budget = plan->options->budget;
	int32_t		start = plan->parted ? plan->rest_start :
		word_start(plan, from);
	int32_t		end = word_end(plan, from);

	for (;;)
	{
		mb_arena	scratch;
		mb_pieces	pieces;
		mb_status	status;
		size_t		n = 0;
		size_t		cut = 0;

		mb_arena_init(&scratch, plan->arena->memory, plan->arena->limit);
		status = tokenise_slice(plan, start, end, &scratch, &pieces);
		if (status == MB_OK)
		{
			n = pieces.count;
			cut = n <= budget ? n : budget;
			while (cut > 0 && cut < n && !may_begin(plan, start, &pieces, cut))
				cut--;
			if (cut == 0 && n > 0)
				status = refuse(plan, "character", start, n);
			else if (cut < n)
				status = put_chunk(plan, start,
								   whole_letter(plan, start + pieces.ends[cut - 1],
												start + pieces.starts[cut]),
								   cut);
		}
		plan->parted = true;
		plan->rest_start = start;
		plan->rest_tokens = n;
		if (status == MB_OK && cut < n)
			start += pieces.starts[cut];
		mb_arena_free(&scratch);
		if (status != MB_OK || cut == n)
			return status;
	}
}

static mb_status
chunks_of_sentences(Plan *plan)
{
	size_t		from = 0;
	size_t		last = 0;
	size_t		turn = 0;
	mb_status	status;

	status = find_gaps(plan);
	if (status != MB_OK)
		return status;
	while (from < plan->count)
	{
		size_t		cut = chunk_end(plan, from, last);
		int32_t		start;
		int32_t		end;

		if (poll(plan, turn += 64) != MB_OK)
			return MB_ERR_CANCELLED;
		if (cut == from)
		{
			status = part_word(plan, from);
			if (status != MB_OK)
				return status;
			cut = chunk_end(plan, from, last);
			MB_ASSERT(cut > from);
		}
		start = plan->parted ? plan->rest_start : word_start(plan, from);
		end = whole_letter(plan, word_end(plan, cut - 1),
						   cut < plan->count ? word_start(plan, cut) : INT32_MAX);
		if (put_chunk(plan, start, end,
					  tokens_left(plan, from, cut)) != MB_OK)
			return MB_ERR_MEMORY;
		plan->parted = false;
		last = cut;
		from = cut < plan->count ? chunk_next(plan, from, cut) : cut;
	}
	return MB_OK;
}

mb_status
mb_chunk_text(const mb_tokenizer *tokenizer, const char *text, size_t length,
			  const mb_pieces *pieces, const mb_chunk_options *options,
			  mb_arena *arena, const mb_cancel *cancel, mb_chunks *chunks,
			  mb_error *err)
{
	Plan		plan;
	mb_status	status;

	memset(chunks, 0, sizeof(*chunks));
	memset(&plan, 0, sizeof(plan));
	plan.tokenizer = tokenizer;
	plan.text = text;
	plan.length = length;
	plan.pieces = pieces;
	plan.options = options;
	plan.arena = arena;
	plan.cancel = cancel;
	plan.err = err;
	plan.chunks = chunks;
	status = find_words(&plan);
	if (status != MB_OK)
		return status;
	return options->split == MB_SPLIT_WORD ? chunks_of_words(&plan) :
		chunks_of_sentences(&plan);
}
