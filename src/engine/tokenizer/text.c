/*-------------------------------------------------------------------------
 *
 * text.c
 *	  The BERT normaliser: cleaning, spaces around ideographs, accents, case.
 *
 * Each character of the text goes once through the four steps of
 * BertNormalizer (spec tokenizer.md 2.1) on its own; only canonical
 * reordering looks further, so combining marks wait until the next starter
 * (a character of class 0) shows that their run is complete.  The run is
 * sorted by class, stably, and by counting when it is long, so that
 * a megabyte of marks takes linear time.  The steps are the functions from
 * add_source(), which cleans, to emit(), which drops accents and lowers case.
 *
 * utf8proc gives decompositions, combining classes and lower-case letters,
 * and is used only for characters that unicode_tables.c lists: whatever its
 * Unicode version, the results are those of the tokenizers library.
 * Its combining class and decomposition of a character never change once the
 * character exists; pairs of letters newer than the oldest supported utf8proc
 * come from our own table.
 *
 * The same letters serve to compare texts without regard to case, as Python
 * does; there utf8proc's categories tell which sigma ends a word.
 *
 * Depends on tokenizer/text.h, base/utf8.h, tokenizer/tokenizer.h, and, as the
 * only file, on utf8proc.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/text.h"

#include <string.h>
#include <utf8proc.h>

#include "base/utf8.h"
#include "tokenizer/tokenizer.h"

#define MB_TEXT_STR(x) #x
#define MB_TEXT_XSTR(x) MB_TEXT_STR(x)

/* Bytes that mb_utf8_check reads between two polls of cancel. */
#define CHECK_BYTES (128 * 1024)

/* Marks held without memory of the arena; real text never has more. */
#define MARKS_INLINE 32

/* Longest run sorted by insertion. */
#define INSERTION_MAX 16

/* Longest canonical decomposition is 4 characters. */
#define DECOMPOSED_MAX 8

#define LATIN_CAPITAL_I_WITH_DOT 0x0130
#define COMBINING_DOT_ABOVE 0x0307
#define GREEK_CAPITAL_SIGMA 0x03A3
#define GREEK_FINAL_SIGMA 0x03C2
#define GREEK_SMALL_SIGMA 0x03C3

/* No character: the end of a text. */
#define TEXT_END UINT32_MAX

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
	int32_t		previous;		/* source of the last character emitted */
	mark	   *marks;			/* the waiting run */
	size_t		mark_count;
	size_t		mark_capacity;
	bool		out_of_order;	/* the waiting run is to be sorted */
	mark	   *sorted;			/* of a counting sort, [mark_capacity] */
	size_t		count;			/* of chars */
	mb_char		chars[MB_TEXT_RUN];
	mark		inline_marks[MARKS_INLINE];
} normalizer_state;

static mb_status
poll_cancel(const normalizer_state *state)
{
	return mb_poll_cancel(state->cancel, "tokenizing", state->err);
}

/* After mark i of a loop over the waiting run, which may be all of a text. */
static inline mb_status
poll_mark(const normalizer_state *state, size_t i)
{
	return (i + 1) % MB_TEXT_POLL == 0 ? poll_cancel(state) : MB_OK;
}

static mb_status
flush(normalizer_state *state)
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
append(normalizer_state *state, uint32_t code, int32_t source)
{
	if (state->count == MB_TEXT_RUN)
	{
		mb_status	status = flush(state);

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
 * The lower-case letter of a character with these flags.  The full mapping is
 * one to one but for U+0130, which is left to the caller.
 */
static inline uint32_t
lower_of(uint32_t code, unsigned flags)
{
	if ((flags & (MB_CHAR_LOWERS | MB_CHAR_LOWERS_NEW)) == 0)
		return code;
	if (flags & MB_CHAR_LOWERS_NEW)
		return lower_new(code);
	return (uint32_t) utf8proc_tolower((utf8proc_int32_t) code);
}

/* A character in its final position: drop accents, lower the case. */
static mb_status
emit(normalizer_state *state, uint32_t code, unsigned flags, int32_t source)
{
	state->previous = source;
	if (state->options.strip_accents && (flags & MB_CHAR_MARK))
		return MB_OK;
	if (state->options.lowercase)
	{
		if (code == LATIN_CAPITAL_I_WITH_DOT)
		{
			mb_status	status = append(state, 'i', source);

			if (status != MB_OK)
				return status;
			code = COMBINING_DOT_ABOVE;
		}
		else
			code = lower_of(code, flags);
	}
	return append(state, code, source);
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

/* Emit marks whose order reordering did not change. */
static mb_status
emit_marks(normalizer_state *state)
{
	mb_status	status = MB_OK;
	size_t		i;

	for (i = 0; i < state->mark_count && status == MB_OK; i++)
	{
		status = emit(state, state->marks[i].code,
					  mb_char_flags(state->marks[i].code),
					  state->marks[i].source);
		if (status == MB_OK)
			status = poll_mark(state, i);
	}
	return status;
}

/*
 * Emit marks that were moved.  The library gives sources by position, not
 * by mark (5.1): a mark that is the first of a decomposition takes the next
 * unused source, any other repeats the source before it.  Sources are unused
 * in the order of the text, which state->marks still has when the result of
 * sorting is elsewhere.
 */
static mb_status
emit_moved_marks(normalizer_state *state, const mark *sorted)
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
		status = emit(state, sorted[i].code, mb_char_flags(sorted[i].code),
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
		status = emit_marks(state);
	else if (state->mark_count <= INSERTION_MAX)
	{
		mark		sorted[INSERTION_MAX];

		memcpy(sorted, state->marks, state->mark_count * sizeof(mark));
		sort_by_insertion(sorted, state->mark_count);
		status = emit_moved_marks(state, sorted);
	}
	else
	{
		if (state->sorted == NULL)
			state->sorted = mb_arena_alloc(state->scratch,
										   state->mark_capacity, sizeof(mark));
		if (state->sorted == NULL)
			return mb_fail_memory(state->err);
		status = sort_by_counting(state);
		if (status == MB_OK)
			status = emit_moved_marks(state, state->sorted);
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
			return mb_fail_memory(state->err);
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
add_decomposed(normalizer_state *state, uint32_t code, unsigned flags,
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
	return emit(state, code, flags, source);
}

/* Step 3: NFD when accents are stripped, then reordering, marks and case. */
static mb_status
add_character(normalizer_state *state, uint32_t code, unsigned flags,
			  int32_t source)
{
	utf8proc_int32_t decomposed[DECOMPOSED_MAX];
	utf8proc_ssize_t count;
	utf8proc_ssize_t i;
	int			boundary = 0;

	if (!state->options.strip_accents || !(flags & MB_CHAR_DECOMPOSES))
		return add_decomposed(state, code, flags, true, source);

	count = utf8proc_decompose_char((utf8proc_int32_t) code, decomposed,
									DECOMPOSED_MAX, UTF8PROC_DECOMPOSE,
									&boundary);
	if (count < 1 || count > DECOMPOSED_MAX)
		return add_decomposed(state, code, flags, true, source);
	for (i = 0; i < count; i++)
	{
		uint32_t	c = (uint32_t) decomposed[i];
		mb_status	status = add_decomposed(state, c, mb_char_flags(c),
											i == 0, source);

		if (status != MB_OK)
			return status;
	}
	return MB_OK;
}

/* Steps 1 and 2: cleaning and the spaces around ideographs. */
static mb_status
add_source(normalizer_state *state, uint32_t code, int32_t source)
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
		return add_character(state, code, flags, source);

	status = add_decomposed(state, ' ', MB_CHAR_SPACE, true, source);
	if (status == MB_OK)
		status = add_character(state, code, flags, source);
	if (status == MB_OK)
		status = add_decomposed(state, ' ', MB_CHAR_SPACE, true, source);
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
		mb_status	status = add_source(&state, mb_utf8_next(&text), source);

		if (status != MB_OK)
			return status;
		source++;
		if ((source - first) % MB_TEXT_POLL == 0 && mb_cancelled(cancel))
			return mb_fail_cancelled(err, "tokenizing");
	}
	if (state.mark_count > 0)
	{
		mb_status	status = end_marks(&state);

		if (status != MB_OK)
			return status;
	}
	return flush(&state);
}

/*
 * Slices end between characters.  Three steps back reach such a position in
 * valid text; in any other the slice is refused wherever it ends.
 */
mb_status
mb_utf8_check(const char *text, size_t length, const mb_cancel *cancel)
{
	while (length > CHECK_BYTES)
	{
		size_t		slice = CHECK_BYTES;
		int			back;

		for (back = 0; back < 3 && mb_utf8_continues(text[slice]); back++)
			slice--;
		if (!mb_utf8_valid(text, slice))
			return MB_ERR_DATA;
		if (mb_cancelled(cancel))
			return MB_ERR_CANCELLED;
		text += slice;
		length -= slice;
	}
	return mb_utf8_valid(text, length) ? MB_OK : MB_ERR_DATA;
}

/*
 * Comparing without regard to case
 */

/* A text that is read in lower case, character by character. */
typedef struct lower_reader
{
	const char *start;
	const char *at;
	const char *end;
	uint32_t	waiting;		/* second half of U+0130; 0: none */
	size_t		count;			/* characters read */
} lower_reader;

static void
lower_begin(lower_reader *reader, const char *text, size_t length)
{
	reader->start = text;
	reader->at = text;
	reader->end = text + length;
	reader->waiting = 0;
	reader->count = 0;
}

/* Unicode's Case_Ignorable: marks and the like, and what stands in words. */
static bool
case_ignorable(uint32_t code)
{
	switch (utf8proc_category((utf8proc_int32_t) code))
	{
		case UTF8PROC_CATEGORY_MN:
		case UTF8PROC_CATEGORY_ME:
		case UTF8PROC_CATEGORY_CF:
		case UTF8PROC_CATEGORY_LM:
		case UTF8PROC_CATEGORY_SK:
			return true;
		default:
			break;
	}
	switch (code)
	{
		case 0x0027:
		case 0x002E:
		case 0x003A:
		case 0x00B7:
		case 0x0387:
		case 0x055F:
		case 0x05F4:
		case 0x2018:
		case 0x2019:
		case 0x2024:
		case 0x2027:
		case 0xFE13:
		case 0xFE52:
		case 0xFE55:
		case 0xFF07:
		case 0xFF0E:
		case 0xFF1A:
			return true;
		default:
			return false;
	}
}

/* Unicode's Cased, for characters that are not case-ignorable. */
static bool
cased(uint32_t code)
{
	utf8proc_int32_t c = (utf8proc_int32_t) code;

	switch (utf8proc_category(c))
	{
		case UTF8PROC_CATEGORY_LU:
		case UTF8PROC_CATEGORY_LL:
		case UTF8PROC_CATEGORY_LT:
			return true;
		default:
			return code == 0xAA || code == 0xBA ||
				utf8proc_tolower(c) != c || utf8proc_toupper(c) != c;
	}
}

/*
 * Does the capital sigma before reader->at end a word?  There must be a cased
 * character before it and none after it, case-ignorable ones not counting.
 */
static bool
sigma_is_final(const lower_reader *reader)
{
	const char *at = reader->at - 2;	/* bytes of the sigma */
	uint32_t	code = 0;
	bool		found = false;

	while (at > reader->start && !found)
	{
		const char *next;

		do
			at--;
		while (mb_utf8_continues(*at));
		next = at;
		code = mb_utf8_next(&next);
		found = !case_ignorable(code);
	}
	if (!found || !cased(code))
		return false;
	at = reader->at;
	while (at < reader->end)
	{
		code = mb_utf8_next(&at);
		if (!case_ignorable(code))
			return !cased(code);
	}
	return true;
}

static uint32_t
lower_next(lower_reader *reader)
{
	uint32_t	code = reader->waiting;

	reader->waiting = 0;
	if (code != 0)
		return code;
	if (reader->at == reader->end)
		return TEXT_END;
	reader->count++;
	code = mb_utf8_next(&reader->at);
	if (code < 0x80)
		return code >= 'A' && code <= 'Z' ? code + ('a' - 'A') : code;
	if (code == LATIN_CAPITAL_I_WITH_DOT)
	{
		reader->waiting = COMBINING_DOT_ABOVE;
		return 'i';
	}
	if (code == GREEK_CAPITAL_SIGMA)
		return sigma_is_final(reader) ? GREEK_FINAL_SIGMA : GREEK_SMALL_SIGMA;
	return lower_of(code, mb_char_flags(code));
}

/* It is time to poll cancel, and it was requested. */
static bool
lower_cancelled(const lower_reader *reader, const mb_cancel *cancel)
{
	return reader->count % MB_TEXT_POLL == MB_TEXT_POLL - 1 &&
		mb_cancelled(cancel);
}

mb_status
mb_lower_hash(const char *text, size_t length, const mb_cancel *cancel,
			  uint64_t *hash)
{
	lower_reader reader;
	uint64_t	h = UINT64_C(0xCBF29CE484222325);	/* FNV-1a */
	uint32_t	code;

	lower_begin(&reader, text, length);
	while ((code = lower_next(&reader)) != TEXT_END)
	{
		h = (h ^ code) * UINT64_C(0x100000001B3);
		if (lower_cancelled(&reader, cancel))
			return MB_ERR_CANCELLED;
	}
	*hash = h ^ h >> 32;
	return MB_OK;
}

mb_status
mb_lower_equal(const char *a, size_t a_length, const char *b, size_t b_length,
			   const mb_cancel *cancel, bool *equal)
{
	lower_reader x;
	lower_reader y;
	uint32_t	code;

	lower_begin(&x, a, a_length);
	lower_begin(&y, b, b_length);
	do
	{
		code = lower_next(&x);
		*equal = code == lower_next(&y);
		if (lower_cancelled(&x, cancel))
			return MB_ERR_CANCELLED;
	} while (*equal && code != TEXT_END);
	return MB_OK;
}

const char *
mb_text_library(void)
{
	return "utf8proc " MB_TEXT_XSTR(UTF8PROC_VERSION_MAJOR) "."
		MB_TEXT_XSTR(UTF8PROC_VERSION_MINOR) "."
		MB_TEXT_XSTR(UTF8PROC_VERSION_PATCH);
}
