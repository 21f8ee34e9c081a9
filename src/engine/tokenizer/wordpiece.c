/*-------------------------------------------------------------------------
 *
 * wordpiece.c
 *	  Text to word pieces: added tokens, words, greedy longest match.
 *
 * The stages of spec tokenizer.md 1:
 *
 *	text ->	splits at added tokens of the raw text
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
 * Matching added tokens takes linear time (see blob.c).  WordPiece walks the
 * trie from each piece's start for at most the length of the longest token,
 * and never beyond the word: time is words times longest token, bounded by
 * max_input_chars_per_word.
 *
 * Depends on tokenizer/blob.h, base/utf8.h.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/blob.h"

#include <string.h>

#include "base/utf8.h"

/* Steps between two looks at cancel. */
#define POLL_STEPS 65536

#define FIRST_CHUNK 64
#define LARGEST_CHUNK 16384
#define FIRST_WORD 128

/* What a word counts at least, be it empty: a look every 1024 words. */
#define WORD_STEPS (POLL_STEPS / 1024)

/* A growing list, so that nothing is copied but once, into the result. */
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

/* Where an added token may be: at this byte, the longest one. */
typedef struct match
{
	uint32_t	start;
	int32_t		added;
} match;

/* Matches come last first, so the newest chunk has the first ones. */
typedef struct match_chunk
{
	struct match_chunk *older;
	size_t		count;
	size_t		capacity;
	match		matches[];
} match_chunk;

/* A part of the text: an added token, or (added < 0) what is between. */
typedef struct split
{
	size_t		start;
	size_t		stop;
	int32_t		added;
} split;

typedef struct tokenizing
{
	mb_blob		blob;
	bool		split_special_tokens;
	mb_arena   *scratch;
	const mb_cancel *cancel;
	mb_error   *err;
	size_t		steps;			/* since the last look at cancel */

	piece_chunk *chunks;
	piece_chunk *chunk;			/* the last one */
	int32_t		words;			/* index of the next word */
	bool		one_word;		/* pre-split: all of it is one word */

	word_buffer word;
	held_text	held;
} tokenizing;

static inline mb_status
step(tokenizing *t, size_t count)
{
	t->steps += count;
	if (t->steps < POLL_STEPS)
		return MB_OK;
	t->steps = 0;
	return mb_poll_cancel(t->cancel, "tokenizing", t->err);
}

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
		return mb_fail_memory(t->err);
	chunk = mb_arena_alloc(t->scratch, size, 1);
	if (chunk == NULL)
		return mb_fail_memory(t->err);
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
		return mb_fail(t->err, MB_ERR_DATA,
					   "vocabulary lacks the unknown token \"%.*s\"",
					   header->unk_length > 64 ? 64 : (int) header->unk_length,
					   t->blob.strings + header->unk_start);
	status = reserve(t, 1);
	if (status == MB_OK)
		add_piece(t, header->unk_id, t->word.first, t->word.last + 1);
	return status;
}

/* The longest token from a place in a word. */
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
 * so the end is held inside the word.
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
		status = step(t, best.walked + 1);
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
		return mb_fail_memory(t->err);
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

/* Sections 2.5 and 2.6: take normalised characters apart into words. */
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

/*
 * Added tokens (section 3)
 */

/* Walks a text from left to right as a list of splits. */
typedef struct splitter
{
	const char *text;
	size_t		length;
	match_chunk *matches;
	size_t		scanned;		/* end of the last match looked at */
	size_t		done;			/* end of the last split */
	size_t		furthest;		/* largest end of a token so far */
	bool		waiting;		/* a token follows the split before it */
	split		token;
	size_t		spaces_start;	/* a run of white space that rstrip walked */
	size_t		spaces_stop;
} splitter;

static mb_status
add_match(tokenizing *t, splitter *s, size_t start, int32_t added)
{
	match_chunk *chunk = s->matches;

	if (chunk == NULL || chunk->count == chunk->capacity)
	{
		size_t		capacity = chunk == NULL ? 16 : 2 * chunk->capacity;

		if (capacity > LARGEST_CHUNK)
			capacity = LARGEST_CHUNK;
		chunk = mb_arena_alloc(t->scratch, 1,
							   sizeof(match_chunk) + capacity * sizeof(match));
		if (chunk == NULL)
			return mb_fail_memory(t->err);
		chunk->older = s->matches;
		chunk->count = 0;
		chunk->capacity = capacity;
		s->matches = chunk;
	}
	chunk->matches[chunk->count].start = (uint32_t) start;
	chunk->matches[chunk->count].added = added;
	chunk->count++;
	return MB_OK;
}

/* The automaton's next state.  A damaged link leads to the root. */
static inline uint32_t
next_state(const mb_matcher *matcher, uint32_t state, uint8_t byte)
{
	for (;;)
	{
		uint32_t	next = mb_trie_child(&matcher->trie, state, byte);
		uint32_t	fail;

		if (next != 0 || state == 0)
			return next;
		fail = matcher->links[state].fail;
		state = fail < state ? fail : 0;
	}
}

/*
 * Read the text backwards and note the longest token that starts at each byte.
 * Most bytes end no token; the table lets those pass quickly.  On a damaged
 * block a match may begin or end inside a character; it is none.
 */
static mb_status
find_matches(tokenizing *t, const mb_matcher *matcher, splitter *s)
{
	bool		ends_token[256] = {false};
	uint32_t	state = 0;
	size_t		i = s->length;
	int			byte;

	if (matcher->trie.count <= 1)
		return MB_OK;
	for (byte = 0; byte < 256; byte++)
		ends_token[byte] = mb_trie_child(&matcher->trie, 0,
										 (uint8_t) byte) != 0;
	while (i > 0)
	{
		mb_status	status;
		int32_t		added;

		i--;
		status = step(t, 1);
		if (status != MB_OK)
			return status;
		if (state == 0 && !ends_token[(uint8_t) s->text[i]])
			continue;
		state = next_state(matcher, state, (uint8_t) s->text[i]);
		added = matcher->links[state].added;
		if (added < 0 || (uint32_t) added >= t->blob.added_count ||
			t->blob.added[added].length == 0 ||
			t->blob.added[added].length > s->length - i ||
			mb_utf8_continues(s->text[i]) ||
			(i + t->blob.added[added].length < s->length &&
			 mb_utf8_continues(s->text[i + t->blob.added[added].length])))
			continue;
		status = add_match(t, s, i, added);
		if (status != MB_OK)
			return status;
	}
	return MB_OK;
}

static mb_status
start_splits(tokenizing *t, const mb_matcher *matcher,
			 const char *text, size_t length, splitter *s)
{
	memset(s, 0, sizeof(*s));
	s->text = text;
	s->length = length;
	return find_matches(t, matcher, s);
}

/* Flags of the character before a byte; 0 at the start of the text. */
static unsigned
flags_before(const char *text, size_t byte, size_t *start)
{
	const char *previous;

	if (byte == 0)
		return 0;
	byte--;
	while (byte > 0 && mb_utf8_continues(text[byte]))
		byte--;
	*start = byte;
	previous = text + byte;
	return mb_char_flags(mb_utf8_next(&previous));
}

/* Flags of the character at a byte; 0 at the end of the text. */
static unsigned
flags_at(const char *text, size_t length, size_t byte, size_t *stop)
{
	const char *next = text + byte;
	unsigned	flags;

	if (byte >= length)
		return 0;
	flags = mb_char_flags(mb_utf8_next(&next));
	*stop = (size_t) (next - text);
	return flags;
}

/* lstrip: over white space before, but not into the split before. */
static size_t
strip_left(const splitter *s, size_t start)
{
	size_t		previous;

	while (start > s->done &&
		   (flags_before(s->text, start, &previous) & MB_CHAR_SPACE))
		start = previous;
	return start > s->done ? start : s->done;
}

/* rstrip: over white space after; a run is walked only once. */
static size_t
strip_right(splitter *s, size_t stop)
{
	size_t		end = stop;
	size_t		next;

	if (stop >= s->spaces_start && stop < s->spaces_stop)
		return s->spaces_stop;
	while (flags_at(s->text, s->length, end, &next) & MB_CHAR_SPACE)
		end = next;
	s->spaces_start = stop;
	s->spaces_stop = end;
	return end;
}

/*
 * Whether a match counts, and over which bytes.  A match that does not is
 * passed over as a whole: tokens inside it are not looked for.
 */
static bool
accept_match(const tokenizing *t, splitter *s, const match *found)
{
	const mb_blob_added *added = &t->blob.added[found->added];
	size_t		start = found->start;
	size_t		stop = start + added->length;
	size_t		unused;

	if (start < s->scanned)
		return false;
	s->scanned = stop;
	if (t->split_special_tokens && (added->flags & MB_ADDED_SPECIAL))
		return false;
	if ((added->flags & MB_ADDED_SINGLE_WORD) &&
		((flags_before(s->text, start, &unused) & MB_CHAR_WORD) ||
		 (flags_at(s->text, s->length, stop, &unused) & MB_CHAR_WORD)))
		return false;
	s->token.start = (added->flags & MB_ADDED_LSTRIP) ?
		strip_left(s, start) : start;
	s->token.stop = (added->flags & MB_ADDED_RSTRIP) ?
		strip_right(s, stop) : stop;
	s->token.added = found->added;

	/* all of it was white space that the token before it took */
	return s->token.start < s->token.stop;
}

/* The token found is the next split. */
static bool
give_token(splitter *s, split *part)
{
	s->waiting = false;
	*part = s->token;
	s->done = part->stop;
	if (s->furthest < part->stop)
		s->furthest = part->stop;
	return true;
}

/*
 * The next split, false at the end; none is empty.  Splits follow each other
 * without a gap; only a token that begins with white space can begin inside
 * the white space that the token before it took by rstrip, as in the library.
 */
static bool
next_split(const tokenizing *t, splitter *s, split *part)
{
	if (s->waiting)
		return give_token(s, part);
	while (s->matches != NULL)
	{
		match		found;

		if (s->matches->count == 0)
		{
			s->matches = s->matches->older;
			continue;
		}
		found = s->matches->matches[--s->matches->count];
		if (!accept_match(t, s, &found))
			continue;
		if (s->done >= s->token.start)
			return give_token(s, part);
		s->waiting = true;
		part->start = s->done;
		part->stop = s->token.start;
		part->added = -1;
		return true;
	}
	if (s->done >= s->length)
		return false;
	part->start = s->done;
	part->stop = s->length;
	part->added = -1;
	s->done = s->length;
	return true;
}

/* An added token in the text is a word of its own. */
static mb_status
add_token(tokenizing *t, int32_t added, int32_t start, int32_t end)
{
	int32_t		id = t->blob.added[added].id;
	mb_status	status;

	if (id < 0 || (uint32_t) id >= t->blob.token_count)
		return mb_fail(t->err, MB_ERR_DATA,
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
		return mb_fail(t->err, MB_ERR_LIMIT, "text is too long");
	bytes = mb_arena_alloc(t->scratch, capacity, 4);
	starts = mb_arena_alloc(t->scratch, capacity, sizeof(uint32_t));
	sources = mb_arena_alloc(t->scratch, capacity, sizeof(int32_t));
	if (bytes == NULL || starts == NULL || sources == NULL)
		return mb_fail_memory(t->err);
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
 * (next_split), which end a token's length after their start: cursors find
 * the characters in linear time.
 */
static mb_status
tokenize_held(tokenizing *t)
{
	const held_text *held = &t->held;
	size_t		from = 0;
	size_t		furthest = 0;
	splitter	s;
	split		part;
	mb_status	status;

	status = start_splits(t, &t->blob.normalized, held->bytes, held->length,
						  &s);
	while (status == MB_OK && next_split(t, &s, &part))
	{
		size_t		to;

		from = advance(held, from, part.start);
		to = advance(held, from > furthest || part.stop < s.furthest ?
					 from : furthest, part.stop);
		if (to > furthest)
			furthest = to;
		if (part.added < 0)
			status = split_held(t, from, to);
		else
			status = add_token(t, part.added, held->sources[from],
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
								   t->scratch, t->cancel,
								   whole ? hold : split_words, t, t->err);
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
	splitter	s;
	split		part;
	mb_status	status;

	if (length > INT32_MAX)
		return mb_fail(t->err, MB_ERR_LIMIT, "text is too long");
	status = mb_utf8_check(text, length, t->cancel);
	if (status == MB_ERR_CANCELLED)
		return mb_fail_cancelled(t->err, "tokenizing");
	if (status != MB_OK)
		return mb_fail(t->err, MB_ERR_DATA, "text is not valid UTF-8");
	status = start_splits(t, &t->blob.raw, text, length, &s);
	while (status == MB_OK && next_split(t, &s, &part))
	{
		size_t		stop_char;

		start_char += mb_utf8_count(text + start_byte,
									part.start - start_byte);
		start_byte = part.start;
		if (part.added < 0)
		{
			status = tokenize_piece(t, text + part.start,
									part.stop - part.start,
									(int32_t) start_char);
			continue;
		}
		stop_char = start_char;
		if (part.stop < furthest_byte || part.start > furthest_byte)
			stop_char += mb_utf8_count(text + part.start,
									   part.stop - part.start);
		else
			stop_char = furthest_char +
				mb_utf8_count(text + furthest_byte,
							  part.stop - furthest_byte);
		if (part.stop > furthest_byte)
		{
			furthest_byte = part.stop;
			furthest_char = stop_char;
		}
		status = add_token(t, part.added, (int32_t) start_char,
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
	t->cancel = cancel;
	t->err = err;
}

/* The list becomes the arrays of the result. */
static mb_status
finish(tokenizing *t, mb_arena *arena, mb_pieces *pieces)
{
	const piece_chunk *chunk;
	size_t		count = 0;
	size_t		i;

	for (chunk = t->chunks; chunk != NULL; chunk = chunk->next)
		count += chunk->count;
	pieces->count = count;
	pieces->ids = mb_arena_alloc(arena, count, sizeof(int32_t));
	pieces->starts = mb_arena_alloc(arena, count, sizeof(int32_t));
	pieces->ends = mb_arena_alloc(arena, count, sizeof(int32_t));
	pieces->words = mb_arena_alloc(arena, count, sizeof(int32_t));
	if (pieces->ids == NULL || pieces->starts == NULL ||
		pieces->ends == NULL || pieces->words == NULL)
		return mb_fail_memory(t->err);
	count = 0;
	for (chunk = t->chunks; chunk != NULL; chunk = chunk->next)
	{
		mb_status	status = step(t, chunk->count);

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
		status = step(&t, WORD_STEPS);
		if (status == MB_OK)
			status = tokenize_text(&t, words[i].text, words[i].length);
	}
	if (status == MB_OK)
		status = finish(&t, arena, pieces);
	mb_arena_free(&scratch);
	return status;
}
