/*-------------------------------------------------------------------------
 *
 * fuzz_chunks.c
 *	  Any text in chunks.
 *
 * The first three bytes choose how it is split, the room of a chunk, and the
 * overlap; the rest is the text, for a small fixed vocabulary, or where the
 * first byte is from 128 on each byte chooses a part of it.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"
#include "tasks/chunks.h"
#include "tasks/sentences.h"
#include "tokenizer/tokenizer.h"

static const char vocabulary[] =
"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nthe\nof\nun\n##a\n##b\n##s\n"
"##able\n.\n,\n!\n?\n'\n\"\n-\n1\n##2\n\xE4\xB8\xAD\n\xE3\x80\x82\ne\n##e\n"
"\xE1\x84\x92\n##\xE1\x85\xA1\n##\xE1\x86\xAB\n##\xE1\x84\x92\nmr\nx\n##x\n";

static const mb_tokenizer *
fixed_tokenizer(void)
{
	static mb_arena arena;
	static mb_tokenizer tokenizer;

	if (tokenizer.blob == NULL)
	{
		mb_tokenizer_files files;
		void	   *blob;
		size_t		size;

		memset(&files, 0, sizeof(files));
		files.vocab_txt.text = vocabulary;
		files.vocab_txt.length = strlen(vocabulary);
		mb_arena_init(&arena, &mb_libc_memory, FUZZ_MEMORY);
		CHECK(mb_tokenizer_build(&files, &arena, NULL, &blob, &size,
								 NULL) == MB_OK);
		CHECK(mb_tokenizer_open(blob, size, &tokenizer, NULL) == MB_OK);
	}
	return &tokenizer;
}

/* The byte of a character; the end of the text for one past the last. */
static size_t
byte_of(const char *text, size_t length, int32_t character)
{
	size_t		at = 0;

	for (; at < length; at++)
		if (!mb_utf8_continues(text[at]) && character-- == 0)
			return at;
	CHECK(character == 0);
	return length;
}

/* Tokens of the slice between two characters by itself. */
static size_t
tokens_of(const char *text, size_t length, int32_t start, int32_t end,
		  mb_arena *arena)
{
	size_t		from = byte_of(text, length, start);
	size_t		to = byte_of(text, length, end);
	mb_pieces	pieces;

	CHECK(mb_tokenize(fixed_tokenizer(), text + from, to - from, false, arena,
					  NULL, &pieces, NULL) == MB_OK);
	return pieces.count;
}

/* No token of the text is between the characters. */
static bool
nothing_between(const mb_pieces *pieces, int32_t from, int32_t to)
{
	size_t		i;

	for (i = 0; i < pieces->count; i++)
		if (pieces->starts[i] < to && pieces->ends[i] > from)
			return false;
	return true;
}

/*
 * The strongest break that is not inside a word and lies in [from, to], or,
 * strictly within, behind tokens after "from" and before tokens up to "to".
 */
static mb_break
strongest(const char *text, size_t length, const mb_pieces *pieces,
		  int32_t from, int32_t to, bool within)
{
	mb_sentences s;
	mb_break	best = MB_BREAK_NONE;

	CHECK(mb_sentences_begin(&s, text, length, NULL, NULL) == MB_OK);
	for (;;)
	{
		mb_break	kind;
		int32_t		end;
		size_t		i;

		CHECK(mb_sentences_next(&s, NULL, &kind, &end, NULL) == MB_OK);
		if (kind == MB_BREAK_NONE)
			return best;
		if (end < from || end > to)
			continue;
		if (within && (nothing_between(pieces, from, end) ||
					   nothing_between(pieces, end, to)))
			continue;
		for (i = 0; i < pieces->count; i++)
		{
			if (pieces->starts[i] < end && pieces->ends[i] > end)
				break;
			if (i > 0 && pieces->words[i] == pieces->words[i - 1] &&
				pieces->ends[i - 1] <= end && pieces->starts[i] >= end)
				break;
		}
		if (i == pieces->count && kind > best)
			best = kind;
	}
}

static void
check_chunks(const char *text, size_t length, const mb_pieces *pieces,
			 const mb_chunk_options *options, const mb_chunks *chunks,
			 mb_arena *arena)
{
	mb_break	wanted = options->split == MB_SPLIT_PARAGRAPH ?
		MB_BREAK_PARAGRAPH : MB_BREAK_SENTENCE;
	int32_t		last = 0;
	size_t		i;

	CHECK((chunks->count == 0) == (pieces->count == 0));
	for (i = 0; i < chunks->count; i++)
	{
		const mb_chunk *chunk = &chunks->list[i];
		bool		is_last = i + 1 == chunks->count;
		int32_t		next = is_last ? INT32_MAX : chunks->list[i + 1].start;

		CHECK(chunk->start >= 0 && chunk->end > chunk->start);
		CHECK(chunk->tokens >= 1 && chunk->tokens <= options->budget);
		CHECK(tokens_of(text, length, chunk->start, chunk->end, arena) ==
			  chunk->tokens);
		CHECK(nothing_between(pieces, i == 0 ? 0 : last, chunk->start));
		CHECK(chunk->end > last);
		CHECK(is_last || next > chunk->start);
		CHECK(!is_last || nothing_between(pieces, chunk->end, INT32_MAX));
		if (next < chunk->end)
		{
			CHECK(tokens_of(text, length, next, chunk->end, arena) <=
				  options->overlap);
			if (options->split != MB_SPLIT_WORD)
				CHECK(strongest(text, length, pieces, chunk->end,
								chunks->list[i + 1].end, false) >=
					  MB_BREAK_SENTENCE);
		}
		/* what was wanted, or nothing of it was left out */
		if (options->split != MB_SPLIT_WORD && !is_last)
		{
			int32_t		after = chunk->end;

			while (nothing_between(pieces, chunk->end, after + 1))
				after++;
			if (strongest(text, length, pieces, chunk->end, after,
						  false) < wanted)
				CHECK(strongest(text, length, pieces,
								last > chunk->start ? last : chunk->start,
								chunk->end, true) < wanted);
		}
		last = chunk->end;
	}
}

static const char *const parts[] = {
	"a", "b ", "un", "able", "unable ab", "the of ", " ", "\n", "\n\n", "\r\n",
	".", ". ", "... ", "? ", "!", ", ", "; ", ": ", "-", " - ", "'", "\"", "\" ",
	"(", ") ", "[1]", "Mr. ", "e.g. ", "A. ", "1. ", "1.2", "12 ", "# ", "\n- ",
	"[MASK]", "[SEP] ", "\xE4\xB8\xAD", "\xE3\x80\x82", "\xE3\x80\x8C",
	"\xE3\x80\x8D", "\xEF\xBC\x8C", "\xED\x95\x9C", "\xCC\x81", "e\xCC\x81",
	"\xC2\xA0", "\xC2\xBB", "\xE2\x80\x9C", "\xE2\x80\xA6 ", "\xE2\x80\x94",
	"xx", "xxxxaaabbb", "\xF0\x9F\x98\x80", "The ", "It "
};

static char *
text_of(const uint8_t *data, size_t *size)
{
	char	   *text = malloc(*size * 12 + 1);
	size_t		length = 0;
	size_t		i;

	for (i = 0; i < *size; i++)
	{
		const char *part = parts[data[i] % (sizeof(parts) / sizeof(parts[0]))];

		memcpy(text + length, part, strlen(part));
		length += strlen(part);
	}
	*size = length;
	return text;
}

static void
use_text(const uint8_t *data, const char *text, size_t size)
{
	mb_chunk_options options;
	mb_arena	arena;
	mb_pieces	pieces;
	mb_chunks	chunks;
	mb_error	err;
	mb_status	status;

	options.split = (mb_split) ((data[0] & 127) % 3);
	options.budget = 1 + data[1] % 40;
	options.overlap = data[2] % options.budget;
	options.split_special_tokens = false;
	mb_arena_init(&arena, &mb_libc_memory, FUZZ_MEMORY);
	CHECK(mb_tokenize(fixed_tokenizer(), text, size, false, &arena, NULL,
					  &pieces, &err) == MB_OK);
	status = mb_chunk_text(fixed_tokenizer(), text, size, &pieces, &options,
						   &arena, NULL, &chunks, &err);
	if (status == MB_OK)
		check_chunks(text, size, &pieces, &options, &chunks, &arena);
	else
	{
		CHECK_ERROR(status, err);
		CHECK(status == MB_ERR_LIMIT &&
			  chunks.refused_tokens > options.budget);
	}
	mb_arena_free(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 3 || size > 1000)
		return 0;
	size -= 3;
	if (data[0] >= 128)
	{
		char	   *text = text_of(data + 3, &size);

		use_text(data, text, size);
		free(text);
	}
	else if (mb_utf8_valid((const char *) data + 3, size))
		use_text(data, (const char *) data + 3, size);
	return 0;
}
