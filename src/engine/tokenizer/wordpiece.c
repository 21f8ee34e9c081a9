/*-------------------------------------------------------------------------
 *
 * wordpiece.c
 *	  Text to word pieces: added tokens, words, greedy longest match.
 *
 * The stages of spec tokenizer.md 1:
 *
 *	text ->	splits at added tokens of the raw text (splitter.c)
 *		 ->	normaliser (text.c), a stream of characters
 *		 ->	splits at added tokens of the normalised text, when there are any
 *		 ->	words: white space dropped, punctuation alone
 *		 ->	WordPiece on each word
 *
 * Only the characters of one word are held, and no more of them than
 * max_input_chars_per_word, unless a tokenizer has added tokens that match
 * normalised text: these may span words, so then the normalised piece is held
 * as a whole.
 *
 * Matching added tokens takes linear time (splitter.c).  WordPiece walks the
 * trie from each piece's start for at most the length of the longest token,
 * and never beyond the word: time is words times longest token, bounded by
 * max_input_chars_per_word.
 *
 * Start at tokenize_text().
 *
 * Depends on tokenizer/tokenizer.h, base/utf8.h, tokenizer/blob.h,
 * tokenizer/splitter.h, tokenizer/text.h.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/tokenizer.h"

#include <string.h>

#include "base/utf8.h"
#include "tokenizer/blob.h"
#include "tokenizer/splitter.h"
#include "tokenizer/text.h"

#define FIRST_CHUNK 64
#define LARGEST_CHUNK 16384
#define FIRST_WORD 128

/* What a word counts at least, be it empty: a poll every 1024 words. */
#define WORD_STEPS (MB_WORK_STEPS / 1024)

/* A list of chunks: each piece is copied once, into the result. */
typedef struct piece
{
	int32_t		id;
	int32_t		start;
	int32_t		end;
	int32_t		word;
} piece;

typedef struct piece_chunk
{
	struct piece_chunk *next;
	size_t		count;
	size_t		capacity;
	piece		pieces[];
} piece_chunk;

/* The word being collected. */
typedef struct word_buffer
{
	char	   *bytes;			/* UTF-8 of its characters */
	int32_t    *sources;		/* [character] */
	size_t		capacity;		/* characters that fit */
	size_t		length;			/* bytes */
	size_t		count;			/* characters, also beyond the limit */
	int32_t		first;			/* sources of the first and last character */
	int32_t		last;
} word_buffer;

/* A normalised piece of text, held as a whole. */
typedef struct held_text
{
	char	   *bytes;
	uint32_t   *starts;			/* [character] its first byte */
	int32_t    *sources;		/* [character] */
	size_t		length;
	size_t		count;			/* characters */
	size_t		capacity;		/* characters that fit */
} held_text;

typedef struct tokenizing
{
	mb_blob		blob;
	bool		split_special_tokens;
	mb_arena   *scratch;
	mb_work		work;

	piece_chunk *chunks;
	piece_chunk *chunk;			/* the last one */
	int32_t		words;			/* index of the next word */
	bool		one_word;		/* pre-split: all of it is one word */

	word_buffer word;
	held_text	held;
} tokenizing;

/*
 * The list of pieces
 */

/* Room for count pieces side by side in the last chunk. */
static mb_status
reserve(tokenizing *t, size_t count)
{
	piece_chunk *chunk = t->chunk;
	size_t		capacity;
	size_t		size;

	if (chunk != NULL && chunk->capacity - chunk->count >= count)
		return MB_OK;
	capacity = chunk == NULL ? FIRST_CHUNK : 2 * chunk->capacity;
	if (capacity > LARGEST_CHUNK)
		capacity = LARGEST_CHUNK;
	if (capacity < count)
		capacity = count;
	if (!mb_size_multiply(capacity, sizeof(piece), &size) ||
		!mb_size_add(size, sizeof(piece_chunk), &size))
		return mb_fail_memory(t->work.err);
	chunk = mb_arena_alloc(t->scratch, size, 1);
	if (chunk == NULL)
		return mb_fail_memory(t->work.err);
	chunk->next = NULL;
	chunk->count = 0;
	chunk->capacity = capacity;
	if (t->chunk == NULL)
		t->chunks = chunk;
	else
		t->chunk->next = chunk;
	t->chunk = chunk;
	return MB_OK;
}

/* After reserve(). */
static inline void
add_piece(tokenizing *t, int32_t id, int32_t start, int32_t end)
{
	piece	   *added = &t->chunk->pieces[t->chunk->count++];

	added->id = id;
	added->start = start;
	added->end = end;
	added->word = t->words;
}

static inline void
next_word(tokenizing *t)
{
	if (!t->one_word)
		t->words++;
}

/*
 * WordPiece (section 4)
 */

static mb_status
add_unknown(tokenizing *t)
{
	const mb_blob_header *header = t->blob.header;
	mb_status	status;

	if (header->unk_id < 0)
		return mb_fail(t->work.err, MB_ERR_DATA,
					   "vocabulary lacks the unknown token \"%.*s\"",
					   header->unk_length > 64 ? 64 : (int) header->unk_length,
					   t->blob.strings + header->unk_start);
	status = reserve(t, 1);
	if (status == MB_OK)
		add_piece(t, header->unk_id, t->word.first, t->word.last + 1);
	return status;
}

/* The longest token from a position in a word. */
typedef struct longest
{
	int32_t		id;				/* -1: none */
	size_t		bytes;
	size_t		characters;
	size_t		walked;			/* bytes looked at */
} longest;

static longest
longest_token(const mb_blob *blob, uint32_t node,
			  const char *text, size_t length)
{
	longest		best = {-1, 0, 0, 0};
	size_t		characters = 0;
	size_t		i;

	for (i = 0; i < length; i++)
	{
		int32_t		id;

		node = mb_trie_child(&blob->model, node, (uint8_t) text[i]);
		if (node == 0)
			break;
		characters += !mb_utf8_continues(text[i]);
		id = blob->model.nodes[node].value;
		if (id >= 0 && (uint32_t) id < blob->token_count)
		{
			best.id = id;
			best.bytes = i + 1;
			best.characters = characters;
		}
	}
	best.walked = i;
	return best;
}

/*
 * Greedy longest match from the left.  A token is a whole number of
 * characters, as its bytes are valid UTF-8; on a damaged block it may not be,
 * so the end is kept inside the word.
 */
static mb_status
match_word(tokenizing *t)
{
	const word_buffer *word = &t->word;
	uint32_t	node = 0;
	size_t		byte = 0;
	size_t		character = 0;
	size_t		before;
	mb_status	status = reserve(t, word->count);

	if (status != MB_OK)
		return status;
	before = t->chunk->count;
	while (byte < word->length)
	{
		longest		best = {-1, 0, 0, 0};
		size_t		last;

		if (node != MB_NO_NODE)
			best = longest_token(&t->blob, node, word->bytes + byte,
								 word->length - byte);
		status = mb_work_step(&t->work, best.walked + 1);
		if (status != MB_OK)
			return status;
		if (best.id < 0 || best.characters == 0 ||
			best.characters > word->count - character)
		{
			t->chunk->count = before;
			return add_unknown(t);
		}
		last = character + best.characters - 1;
		add_piece(t, best.id, word->sources[character],
				  word->sources[last] + 1);
		character = last + 1;
		byte += best.bytes;
		node = t->blob.header->continuing;
	}
	return MB_OK;
}

static mb_status
end_word(tokenizing *t)
{
	mb_status	status;

	if (t->word.count == 0)
		return MB_OK;
	status = t->word.count > t->blob.header->max_word_chars ?
		add_unknown(t) : match_word(t);
	t->word.count = 0;
	t->word.length = 0;
	next_word(t);
	return status;
}

static mb_status
grow_word(tokenizing *t)
{
	word_buffer *word = &t->word;
	size_t		capacity = word->capacity == 0 ? FIRST_WORD :
		2 * word->capacity;
	char	   *bytes = mb_arena_alloc(t->scratch, capacity, 4);
	int32_t    *sources = mb_arena_alloc(t->scratch, capacity,
										 sizeof(int32_t));

	if (bytes == NULL || sources == NULL)
		return mb_fail_memory(t->work.err);
	if (word->count > 0)
	{
		memcpy(bytes, word->bytes, word->length);
		memcpy(sources, word->sources, word->count * sizeof(int32_t));
	}
	word->bytes = bytes;
	word->sources = sources;
	word->capacity = capacity;
	return MB_OK;
}

/* Of a word over the limit, only the span is kept. */
static inline mb_status
add_to_word(tokenizing *t, const mb_char *c)
{
	word_buffer *word = &t->word;

	if (word->count < t->blob.header->max_word_chars)
	{
		if (word->count == word->capacity)
		{
			mb_status	status = grow_word(t);

			if (status != MB_OK)
				return status;
		}
		word->length += mb_utf8_put(word->bytes + word->length, c->code);
		word->sources[word->count] = c->source;
	}
	if (word->count == 0)
		word->first = c->source;
	word->last = c->source;
	word->count++;
	return MB_OK;
}

/* Sections 2.5 and 2.6: split normalised characters into words. */
static mb_status
split_words(void *context, const mb_char *chars, size_t count)
{
	tokenizing *t = context;
	size_t		i;

	for (i = 0; i < count; i++)
	{
		unsigned	flags = mb_char_flags(chars[i].code);
		mb_status	status = MB_OK;

		if (!(flags & (MB_CHAR_SPACE | MB_CHAR_PUNCTUATION)))
			status = add_to_word(t, &chars[i]);
		else
		{
			status = end_word(t);
			if (status == MB_OK && !(flags & MB_CHAR_SPACE))
			{
				status = add_to_word(t, &chars[i]);
				if (status == MB_OK)
					status = end_word(t);
			}
		}
		if (status != MB_OK)
			return status;
	}
	return MB_OK;
}

/* An added token in the text is a word of its own. */
static mb_status
add_token(tokenizing *t, int32_t added, int32_t start, int32_t end)
{
	int32_t		id = t->blob.added[added].id;
	mb_status	status;

	if (id < 0 || (uint32_t) id >= t->blob.token_count)
		return mb_fail(t->work.err, MB_ERR_DATA,
					   "stored tokenizer is damaged: an added token has no id");
	status = reserve(t, 1);
	if (status != MB_OK)
		return status;
	add_piece(t, id, start, end);
	next_word(t);
	return MB_OK;
}

/*
 * Normalised text with added tokens of its own
 */

/* Room for this many more characters. */
static mb_status
grow_held(tokenizing *t, size_t more)
{
	held_text  *held = &t->held;
	size_t		capacity = held->capacity;
	char	   *bytes;
	uint32_t   *starts;
	int32_t    *sources;

	if (capacity - held->count >= more)
		return MB_OK;
	capacity += capacity / 2;
	if (capacity - held->count < more)
		capacity = held->count + more;
	if (capacity > INT32_MAX / 4)
		return mb_fail(t->work.err, MB_ERR_LIMIT, "text is too long");
	bytes = mb_arena_alloc(t->scratch, capacity, 4);
	starts = mb_arena_alloc(t->scratch, capacity, sizeof(uint32_t));
	sources = mb_arena_alloc(t->scratch, capacity, sizeof(int32_t));
	if (bytes == NULL || starts == NULL || sources == NULL)
		return mb_fail_memory(t->work.err);
	if (held->count > 0)
	{
		memcpy(bytes, held->bytes, held->length);
		memcpy(starts, held->starts, held->count * sizeof(uint32_t));
		memcpy(sources, held->sources, held->count * sizeof(int32_t));
	}
	held->bytes = bytes;
	held->starts = starts;
	held->sources = sources;
	held->capacity = capacity;
	return MB_OK;
}

static mb_status
hold(void *context, const mb_char *chars, size_t count)
{
	tokenizing *t = context;
	held_text  *held = &t->held;
	mb_status	status;
	size_t		i;

	status = grow_held(t, count);
	if (status != MB_OK)
		return status;
	for (i = 0; i < count; i++)
	{
		held->starts[held->count] = (uint32_t) held->length;
		held->sources[held->count++] = chars[i].source;
		held->length += mb_utf8_put(held->bytes + held->length,
									chars[i].code);
	}
	return MB_OK;
}

/* Index of the character at a byte, searched on from an earlier one. */
static size_t
advance(const held_text *held, size_t character, size_t byte)
{
	while (character < held->count && held->starts[character] < byte)
		character++;
	return character;
}

/* Words of the held characters [from, to). */
static mb_status
split_held(tokenizing *t, size_t from, size_t to)
{
	const char *text = t->held.bytes + (from < to ? t->held.starts[from] : 0);
	mb_status	status = MB_OK;

	for (; from < to && status == MB_OK; from++)
	{
		mb_char		c;

		c.code = mb_utf8_next(&text);
		c.source = t->held.sources[from];
		status = split_words(t, &c, 1);
	}
	return status == MB_OK ? end_word(t) : status;
}

/*
 * Starts of splits ascend, and so do stops but for tokens inside white space
 * (mb_splits_next), which end a token's length after their start: cursors find
 * the characters in linear time.
 */
static mb_status
tokenize_held(tokenizing *t)
{
	const held_text *held = &t->held;
	size_t		from = 0;
	size_t		furthest = 0;
	mb_splitter s;
	mb_split	split;
	mb_status	status;

	status = mb_splits_start(&s, &t->blob, &t->blob.normalized,
							 t->split_special_tokens, held->bytes,
							 held->length, t->scratch, &t->work);
	while (status == MB_OK && mb_splits_next(&s, &split))
	{
		size_t		to;

		from = advance(held, from, split.start);
		to = advance(held, from > furthest || split.stop < s.furthest ?
					 from : furthest, split.stop);
		if (to > furthest)
			furthest = to;
		if (split.added < 0)
			status = split_held(t, from, to);
		else
			status = add_token(t, split.added, held->sources[from],
							   held->sources[to - 1] + 1);
	}
	return status;
}

/* Stages 2 to 4 for a piece of raw text whose first character is "first". */
static mb_status
tokenize_piece(tokenizing *t, const char *text, size_t length, int32_t first)
{
	bool		whole = t->blob.normalized.trie.count > 1;
	mb_status	status = MB_OK;

	if (whole)
	{
		/* most text normalises to no more characters than it has */
		t->held.count = 0;
		t->held.length = 0;
		status = grow_held(t, mb_utf8_count(text, length));
	}
	if (status == MB_OK)
		status = mb_normalize_text(&t->blob.normalizer, text, length, first,
								   t->scratch, t->work.cancel,
								   whole ? hold : split_words, t, t->work.err);
	if (status != MB_OK)
		return status;
	return whole ? tokenize_held(t) : end_word(t);
}

/* All stages for one text. */
static mb_status
tokenize_text(tokenizing *t, const char *text, size_t length)
{
	size_t		start_byte = 0;	/* cursors, as in tokenize_held */
	size_t		start_char = 0;
	size_t		furthest_byte = 0;
	size_t		furthest_char = 0;
	mb_splitter s;
	mb_split	split;
	mb_status	status;

	if (length > INT32_MAX)
		return mb_fail(t->work.err, MB_ERR_LIMIT, "text is too long");
	status = mb_utf8_check(text, length, t->work.cancel);
	if (status == MB_ERR_CANCELLED)
		return mb_fail_cancelled(t->work.err, "tokenizing");
	if (status != MB_OK)
		return mb_fail(t->work.err, MB_ERR_DATA, "text is not valid UTF-8");
	status = mb_splits_start(&s, &t->blob, &t->blob.raw,
							 t->split_special_tokens, text, length,
							 t->scratch, &t->work);
	while (status == MB_OK && mb_splits_next(&s, &split))
	{
		size_t		stop_char;

		start_char += mb_utf8_count(text + start_byte,
									split.start - start_byte);
		start_byte = split.start;
		if (split.added < 0)
		{
			status = tokenize_piece(t, text + split.start,
									split.stop - split.start,
									(int32_t) start_char);
			continue;
		}
		stop_char = start_char;
		if (split.stop < furthest_byte || split.start > furthest_byte)
			stop_char += mb_utf8_count(text + split.start,
									   split.stop - split.start);
		else
			stop_char = furthest_char +
				mb_utf8_count(text + furthest_byte,
							  split.stop - furthest_byte);
		if (split.stop > furthest_byte)
		{
			furthest_byte = split.stop;
			furthest_char = stop_char;
		}
		status = add_token(t, split.added, (int32_t) start_char,
						   (int32_t) stop_char);
	}
	return status;
}

/*
 * Interface
 */

static void
begin(tokenizing *t, const mb_tokenizer *tokenizer, bool split_special_tokens,
	  mb_arena *arena, mb_arena *scratch, const mb_cancel *cancel,
	  mb_error *err)
{
	mb_arena_init(scratch, arena->memory,
				  arena->limit == SIZE_MAX ? SIZE_MAX :
				  arena->limit - arena->total);
	memset(t, 0, sizeof(*t));
	mb_blob_view(tokenizer, &t->blob);
	t->split_special_tokens = split_special_tokens;
	t->scratch = scratch;
	t->work.cancel = cancel;
	t->work.err = err;
}

/* The list becomes the arrays of the result. */
static mb_status
finish(tokenizing *t, mb_arena *arena, mb_pieces *pieces)
{
	const size_t limit = arena->limit;
	const piece_chunk *chunk;
	size_t		count = 0;
	size_t		i;

	for (chunk = t->chunks; chunk != NULL; chunk = chunk->next)
		count += chunk->count;
	pieces->count = count;

	/* the list and the arrays are there at the same time: both count */
	if (limit != SIZE_MAX)
		arena->limit -= t->scratch->total;
	pieces->ids = mb_arena_alloc(arena, count, sizeof(int32_t));
	pieces->starts = mb_arena_alloc(arena, count, sizeof(int32_t));
	pieces->ends = mb_arena_alloc(arena, count, sizeof(int32_t));
	pieces->words = mb_arena_alloc(arena, count, sizeof(int32_t));
	arena->limit = limit;
	if (pieces->ids == NULL || pieces->starts == NULL ||
		pieces->ends == NULL || pieces->words == NULL)
		return mb_fail_memory(t->work.err);
	count = 0;
	for (chunk = t->chunks; chunk != NULL; chunk = chunk->next)
	{
		mb_status	status = mb_work_step(&t->work, chunk->count);

		if (status != MB_OK)
			return status;
		for (i = 0; i < chunk->count; i++, count++)
		{
			pieces->ids[count] = chunk->pieces[i].id;
			pieces->starts[count] = chunk->pieces[i].start;
			pieces->ends[count] = chunk->pieces[i].end;
			pieces->words[count] = chunk->pieces[i].word;
		}
	}
	return MB_OK;
}

mb_status
mb_tokenize(const mb_tokenizer *tokenizer, const char *text, size_t length,
			bool split_special_tokens, mb_arena *arena,
			const mb_cancel *cancel, mb_pieces *pieces, mb_error *err)
{
	mb_arena	scratch;
	tokenizing	t;
	mb_status	status;

	begin(&t, tokenizer, split_special_tokens, arena, &scratch, cancel, err);
	status = tokenize_text(&t, text, length);
	if (status == MB_OK)
		status = finish(&t, arena, pieces);
	mb_arena_free(&scratch);
	return status;
}

mb_status
mb_tokenize_words(const mb_tokenizer *tokenizer, const mb_document *words,
				  size_t count, bool split_special_tokens, mb_arena *arena,
				  const mb_cancel *cancel, mb_pieces *pieces, mb_error *err)
{
	mb_arena	scratch;
	tokenizing	t;
	mb_status	status = MB_OK;
	size_t		i;

	if (count > INT32_MAX)
		return mb_fail(err, MB_ERR_LIMIT, "too many words");
	begin(&t, tokenizer, split_special_tokens, arena, &scratch, cancel, err);
	t.one_word = true;
	for (i = 0; i < count && status == MB_OK; i++)
	{
		t.words = (int32_t) i;
		status = mb_work_step(&t.work, WORD_STEPS);
		if (status == MB_OK)
			status = tokenize_text(&t, words[i].text, words[i].length);
	}
	if (status == MB_OK)
		status = finish(&t, arena, pieces);
	mb_arena_free(&scratch);
	return status;
}
