/*-------------------------------------------------------------------------
 *
 * text.c
 *	  The BERT normaliser: cleaning, spaces round ideographs, accents, case.
 *
 * One pass.  Each character of the text goes through the four steps of
 * BertNormalizer (spec tokenizer.md 2.1) on its own; only canonical
 * reordering looks further, so combining marks wait until the next starter
 * (a character of class 0) shows that their run is complete.  The run is
 * sorted by class, stably, and by counting when it is long, so that a
 * megabyte of marks takes linear time.
 *
 * utf8proc gives decompositions, combining classes and lower-case letters,
 * and is asked only about characters that unicode_tables.c lists: whatever
 * its Unicode version, the results are those of the tokenizers library.
 * Its combining class and decomposition of a character never change once the
 * character exists; pairs of letters newer than the oldest supported utf8proc
 * come from our own table.
 *
 * Depends on utf8proc (this file alone), arena.h, unicode_tables.h.
 *
 *-------------------------------------------------------------------------
 */
#include "text.h"
#include "tokenizer.h"

#include <string.h>
#include <utf8proc.h>

#define MB_TEXT_STR(x) #x
#define MB_TEXT_XSTR(x) MB_TEXT_STR(x)

/* Bytes that mb_utf8_check looks at between two looks at cancel. */
#define CHECK_BYTES (128 * 1024)

/* Marks held without asking the arena; real text never has more. */
#define MARKS_INLINE 32

/* Longest run sorted by insertion. */
#define INSERTION_MAX 16

/* Longest canonical decomposition is 4 characters. */
#define DECOMPOSED_MAX 8

#define LATIN_CAPITAL_I_WITH_DOT 0x0130
#define COMBINING_DOT_ABOVE 0x0307

/* A combining mark that waits for its run to end. */
typedef struct mark
{
	uint32_t	code;
	int32_t		source;
	uint8_t		combining;		/* canonical combining class */
	bool		first;			/* first of its source's decomposition */
} mark;

typedef struct normalizer_state
{
	mb_normalizer options;
	mb_arena   *scratch;
	const mb_cancel *cancel;
	mb_char_sink sink;
	void	   *context;
	mb_error   *err;
	int32_t		previous;		/* source of the last character put out */
	mark	   *marks;			/* the waiting run */
	size_t		mark_count;
	size_t		mark_capacity;
	bool		out_of_order;	/* the waiting run is to be sorted */
	mark	   *sorted;			/* room of a counting sort, mark_capacity */
	size_t		count;			/* of chars */
	mb_char		chars[MB_TEXT_RUN];
	mark		inline_marks[MARKS_INLINE];
} normalizer_state;

static mb_status
poll_cancel(const normalizer_state *state)
{
	if (mb_cancelled(state->cancel))
		return mb_fail(state->err, MB_ERR_CANCELLED, "tokenizing was cancelled");
	return MB_OK;
}

/* After mark i of a pass over the waiting run, which may be all of a text. */
static inline mb_status
poll_mark(const normalizer_state *state, size_t i)
{
	return (i + 1) % MB_TEXT_POLL == 0 ? poll_cancel(state) : MB_OK;
}

static mb_status
hand_over(normalizer_state *state)
{
	size_t		count = state->count;
	mb_status	status;

	if (count == 0)
		return MB_OK;
	status = poll_cancel(state);
	if (status != MB_OK)
		return status;
	state->count = 0;
	return state->sink(state->context, state->chars, count);
}

static inline mb_status
push(normalizer_state *state, uint32_t code, int32_t source)
{
	if (state->count == MB_TEXT_RUN)
	{
		mb_status	status = hand_over(state);

		if (status != MB_OK)
			return status;
	}
	state->chars[state->count].code = code;
	state->chars[state->count].source = source;
	state->count++;
	return MB_OK;
}

/* Small letter of a capital that utf8proc may not know. */
static uint32_t
lower_new(uint32_t code)
{
	int			i;

	for (i = 0; i < mb_unicode_lowers_count; i++)
	{
		const mb_lower_range *range = &mb_unicode_lowers[i];

		if (code >= range->first && code <= range->last)
			return range->lower + (code - range->first);
	}
	return code;
}

/*
 * Put out a character that has its final place: drop accents, lower the case.
 * The full lower-case mapping is one to one but for U+0130.
 */
static mb_status
put(normalizer_state *state, uint32_t code, unsigned flags, int32_t source)
{
	state->previous = source;
	if (state->options.strip_accents && (flags & MB_CHAR_MARK))
		return MB_OK;
	if (state->options.lowercase &&
		(flags & (MB_CHAR_LOWERS | MB_CHAR_LOWERS_NEW)))
	{
		if (code == LATIN_CAPITAL_I_WITH_DOT)
		{
			mb_status	status = push(state, 'i', source);

			if (status != MB_OK)
				return status;
			code = COMBINING_DOT_ABOVE;
		}
		else if (flags & MB_CHAR_LOWERS_NEW)
			code = lower_new(code);
		else
			code = (uint32_t) utf8proc_tolower((utf8proc_int32_t) code);
	}
	return push(state, code, source);
}

/* Stable; for short runs. */
static void
sort_by_insertion(mark *marks, size_t count)
{
	size_t		i;

	for (i = 1; i < count; i++)
	{
		mark		moved = marks[i];
		size_t		j = i;

		while (j > 0 && marks[j - 1].combining > moved.combining)
		{
			marks[j] = marks[j - 1];
			j--;
		}
		marks[j] = moved;
	}
}

/* Stable and linear; the result is in state->sorted. */
static mb_status
sort_by_counting(normalizer_state *state)
{
	size_t		starts[256] = {0};
	size_t		total = 0;
	mb_status	status = MB_OK;
	size_t		i;

	for (i = 0; i < state->mark_count && status == MB_OK; i++)
	{
		starts[state->marks[i].combining]++;
		status = poll_mark(state, i);
	}
	for (i = 0; i < 256; i++)
	{
		size_t		count = starts[i];

		starts[i] = total;
		total += count;
	}
	for (i = 0; i < state->mark_count && status == MB_OK; i++)
	{
		state->sorted[starts[state->marks[i].combining]++] = state->marks[i];
		status = poll_mark(state, i);
	}
	return status;
}

/* Put out marks whose order reordering did not change. */
static mb_status
put_marks(normalizer_state *state)
{
	mb_status	status = MB_OK;
	size_t		i;

	for (i = 0; i < state->mark_count && status == MB_OK; i++)
	{
		status = put(state, state->marks[i].code,
					 mb_char_flags(state->marks[i].code),
					 state->marks[i].source);
		if (status == MB_OK)
			status = poll_mark(state, i);
	}
	return status;
}

/*
 * Put out marks that were moved.  The library gives sources by position, not
 * by mark (5.1): a mark that is the first of a decomposition takes the next
 * unused source, any other repeats the source before it.  Sources are unused
 * in the order of the text, which state->marks still has when the result of
 * sorting is elsewhere.
 */
static mb_status
put_moved_marks(normalizer_state *state, const mark *sorted)
{
	mb_status	status = MB_OK;
	size_t		unused = 0;
	size_t		i;

	for (i = 0; i < state->mark_count && status == MB_OK; i++)
	{
		int32_t		source = state->previous;

		if (sorted[i].first)
		{
			while (!state->marks[unused].first)
				unused++;
			source = state->marks[unused++].source;
		}
		status = put(state, sorted[i].code, mb_char_flags(sorted[i].code),
					 source);
		if (status == MB_OK)
			status = poll_mark(state, i);
	}
	return status;
}

/* The run of marks is complete: canonical ordering, then out with it. */
static mb_status
end_marks(normalizer_state *state)
{
	mb_status	status;

	if (!state->out_of_order)
		status = put_marks(state);
	else if (state->mark_count <= INSERTION_MAX)
	{
		mark		sorted[INSERTION_MAX];

		memcpy(sorted, state->marks, state->mark_count * sizeof(mark));
		sort_by_insertion(sorted, state->mark_count);
		status = put_moved_marks(state, sorted);
	}
	else
	{
		if (state->sorted == NULL)
			state->sorted = mb_arena_alloc(state->scratch,
										   state->mark_capacity, sizeof(mark));
		if (state->sorted == NULL)
			return mb_fail(state->err, MB_ERR_MEMORY, "out of memory");
		status = sort_by_counting(state);
		if (status == MB_OK)
			status = put_moved_marks(state, state->sorted);
	}
	state->mark_count = 0;
	state->out_of_order = false;
	return status;
}

static mb_status
hold_mark(normalizer_state *state, uint32_t code, bool first, int32_t source)
{
	mark	   *held;

	if (state->mark_count == state->mark_capacity)
	{
		mark	   *grown = mb_arena_alloc(state->scratch,
										   state->mark_capacity,
										   2 * sizeof(mark));

		if (grown == NULL)
			return mb_fail(state->err, MB_ERR_MEMORY, "out of memory");
		memcpy(grown, state->marks, state->mark_count * sizeof(mark));
		state->marks = grown;
		state->mark_capacity *= 2;
		state->sorted = NULL;	/* too small now */
	}
	held = &state->marks[state->mark_count++];
	held->code = code;
	held->source = source;
	held->combining = (uint8_t)
		utf8proc_get_property((utf8proc_int32_t) code)->combining_class;
	held->first = first;
	if (state->mark_count > 1 && held[-1].combining > held->combining)
		state->out_of_order = true;
	return MB_OK;
}

/* One character of a decomposition (or undecomposed). */
static inline mb_status
put_decomposed(normalizer_state *state, uint32_t code, unsigned flags,
			   bool first, int32_t source)
{
	if (state->options.strip_accents)
	{
		if (flags & MB_CHAR_COMBINES)
			return hold_mark(state, code, first, source);
		if (state->mark_count > 0)
		{
			mb_status	status = end_marks(state);

			if (status != MB_OK)
				return status;
		}
		if (!first)
			source = state->previous;
	}
	return put(state, code, flags, source);
}

/* Step 3: NFD when accents are stripped, then reordering, marks and case. */
static mb_status
put_character(normalizer_state *state, uint32_t code, unsigned flags,
			  int32_t source)
{
	utf8proc_int32_t parts[DECOMPOSED_MAX];
	utf8proc_ssize_t count;
	utf8proc_ssize_t i;
	int			boundary = 0;

	if (!state->options.strip_accents || !(flags & MB_CHAR_DECOMPOSES))
		return put_decomposed(state, code, flags, true, source);

	count = utf8proc_decompose_char((utf8proc_int32_t) code, parts,
									DECOMPOSED_MAX, UTF8PROC_DECOMPOSE,
									&boundary);
	if (count < 1 || count > DECOMPOSED_MAX)
		return put_decomposed(state, code, flags, true, source);
	for (i = 0; i < count; i++)
	{
		uint32_t	part = (uint32_t) parts[i];
		mb_status	status = put_decomposed(state, part, mb_char_flags(part),
											i == 0, source);

		if (status != MB_OK)
			return status;
	}
	return MB_OK;
}

/* Steps 1 and 2: cleaning and the spaces round ideographs. */
static mb_status
take(normalizer_state *state, uint32_t code, int32_t source)
{
	unsigned	flags = mb_char_flags(code);
	mb_status	status;

	if (state->options.clean_text)
	{
		if (flags & MB_CHAR_REMOVED)
			return MB_OK;
		if (flags & MB_CHAR_SPACE)
		{
			code = ' ';
			flags = MB_CHAR_SPACE;
		}
	}
	if (!state->options.handle_chinese_chars || !(flags & MB_CHAR_IDEOGRAPH))
		return put_character(state, code, flags, source);

	status = put_decomposed(state, ' ', MB_CHAR_SPACE, true, source);
	if (status == MB_OK)
		status = put_character(state, code, flags, source);
	if (status == MB_OK)
		status = put_decomposed(state, ' ', MB_CHAR_SPACE, true, source);
	return status;
}

mb_status
mb_normalize_text(const mb_normalizer *options,
				  const char *text, size_t length, int32_t first,
				  mb_arena *scratch, const mb_cancel *cancel,
				  mb_char_sink sink, void *context, mb_error *err)
{
	normalizer_state state;
	const char *end = text + length;
	int32_t		source = first;

	state.options = *options;
	state.scratch = scratch;
	state.cancel = cancel;
	state.sink = sink;
	state.context = context;
	state.err = err;
	state.previous = first;
	state.marks = state.inline_marks;
	state.mark_count = 0;
	state.mark_capacity = MARKS_INLINE;
	state.out_of_order = false;
	state.sorted = NULL;
	state.count = 0;

	while (text < end)
	{
		mb_status	status = take(&state, mb_utf8_next(&text), source);

		if (status != MB_OK)
			return status;
		source++;
		if ((source - first) % MB_TEXT_POLL == 0 && mb_cancelled(cancel))
			return mb_fail(err, MB_ERR_CANCELLED, "tokenizing was cancelled");
	}
	if (state.mark_count > 0)
	{
		mb_status	status = end_marks(&state);

		if (status != MB_OK)
			return status;
	}
	return hand_over(&state);
}

/*
 * Pieces end between characters.  Three steps back reach such a place in
 * valid text; in any other the piece is refused wherever it ends.
 */
mb_status
mb_utf8_check(const char *text, size_t length, const mb_cancel *cancel)
{
	while (length > CHECK_BYTES)
	{
		size_t		piece = CHECK_BYTES;
		int			back;

		for (back = 0; back < 3 && mb_utf8_continues(text[piece]); back++)
			piece--;
		if (!mb_utf8_valid(text, piece))
			return MB_ERR_DATA;
		if (mb_cancelled(cancel))
			return MB_ERR_CANCELLED;
		text += piece;
		length -= piece;
	}
	return mb_utf8_valid(text, length) ? MB_OK : MB_ERR_DATA;
}

const char *
mb_text_library(void)
{
	return "utf8proc " MB_TEXT_XSTR(UTF8PROC_VERSION_MAJOR) "."
		MB_TEXT_XSTR(UTF8PROC_VERSION_MINOR) "."
		MB_TEXT_XSTR(UTF8PROC_VERSION_PATCH);
}
