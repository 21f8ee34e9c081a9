/*-------------------------------------------------------------------------
 *
 * splitter.c
 *	  Where the added tokens are in a text, and what is between them.
 *
 * One walk from the end finds at each byte the longest token that starts there
 * (see blob.h), in linear time; mb_splits_next() goes over these matches from
 * the start.  A damaged block finds other tokens, but none that begins or ends
 * inside a character.
 *
 * Depends on tokenizer/splitter.h, base/utf8.h, tokenizer/unicode_tables.h.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/splitter.h"

#include <string.h>

#include "base/utf8.h"
#include "tokenizer/unicode_tables.h"

#define FIRST_CHUNK 16
#define LARGEST_CHUNK 16384

/* Where an added token may be: at this byte, the longest one. */
typedef struct match
{
	uint32_t	start;
	int32_t		added;
} match;

/* Matches come last first, so the newest chunk has the first ones. */
struct mb_match_chunk
{
	mb_match_chunk *older;
	size_t		count;
	size_t		capacity;
	match		matches[];
};

static mb_status
add_match(mb_splitter *s, size_t start, int32_t added, mb_arena *scratch,
		  mb_work *work)
{
	mb_match_chunk *chunk = s->matches;

	if (chunk == NULL || chunk->count == chunk->capacity)
	{
		size_t		capacity = chunk == NULL ?
			FIRST_CHUNK : 2 * chunk->capacity;

		if (capacity > LARGEST_CHUNK)
			capacity = LARGEST_CHUNK;
		chunk = mb_arena_alloc(scratch, 1, sizeof(mb_match_chunk) +
							   capacity * sizeof(match));
		if (chunk == NULL)
			return mb_fail_memory(work->err);
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
 * Most bytes end no token; the table skips those quickly.  On a damaged
 * block a match may begin or end inside a character; it is none.
 */
static mb_status
find_matches(mb_splitter *s, const mb_matcher *matcher, mb_arena *scratch,
			 mb_work *work)
{
	const mb_blob *blob = s->blob;
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
		status = mb_work_step(work, 1);
		if (status != MB_OK)
			return status;
		if (state == 0 && !ends_token[(uint8_t) s->text[i]])
			continue;
		state = next_state(matcher, state, (uint8_t) s->text[i]);
		added = matcher->links[state].added;
		if (added < 0 || (uint32_t) added >= blob->added_count ||
			blob->added[added].length == 0 ||
			blob->added[added].length > s->length - i ||
			mb_utf8_continues(s->text[i]) ||
			(i + blob->added[added].length < s->length &&
			 mb_utf8_continues(s->text[i + blob->added[added].length])))
			continue;
		status = add_match(s, i, added, scratch, work);
		if (status != MB_OK)
			return status;
	}
	return MB_OK;
}

mb_status
mb_splits_start(mb_splitter *s, const mb_blob *blob,
				const mb_matcher *matcher, bool split_special_tokens,
				const char *text, size_t length, mb_arena *scratch,
				mb_work *work)
{
	memset(s, 0, sizeof(*s));
	s->blob = blob;
	s->split_special_tokens = split_special_tokens;
	s->text = text;
	s->length = length;
	return find_matches(s, matcher, scratch, work);
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
strip_left(const mb_splitter *s, size_t start)
{
	size_t		previous;

	while (start > s->done &&
		   (flags_before(s->text, start, &previous) & MB_CHAR_SPACE))
		start = previous;
	return start > s->done ? start : s->done;
}

/* rstrip: over white space after; a run is walked only once. */
static size_t
strip_right(mb_splitter *s, size_t stop)
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
accept_match(mb_splitter *s, const match *found)
{
	const mb_blob_added *added = &s->blob->added[found->added];
	size_t		start = found->start;
	size_t		stop = start + added->length;
	size_t		unused;

	if (start < s->scanned)
		return false;
	s->scanned = stop;
	if (s->split_special_tokens && (added->flags & MB_ADDED_SPECIAL))
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
take_token(mb_splitter *s, mb_split *split)
{
	s->waiting = false;
	*split = s->token;
	s->done = split->stop;
	if (s->furthest < split->stop)
		s->furthest = split->stop;
	return true;
}

bool
mb_splits_next(mb_splitter *s, mb_split *split)
{
	if (s->waiting)
		return take_token(s, split);
	while (s->matches != NULL)
	{
		match		found;

		if (s->matches->count == 0)
		{
			s->matches = s->matches->older;
			continue;
		}
		found = s->matches->matches[--s->matches->count];
		if (!accept_match(s, &found))
			continue;
		if (s->done >= s->token.start)
			return take_token(s, split);
		s->waiting = true;
		split->start = s->done;
		split->stop = s->token.start;
		split->added = -1;
		return true;
	}
	if (s->done >= s->length)
		return false;
	split->start = s->done;
	split->stop = s->length;
	split->added = -1;
	s->done = s->length;
	return true;
}
