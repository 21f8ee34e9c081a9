/*-------------------------------------------------------------------------
 *
 * fuzz_tokenizer.c
 *	  Any bytes as text, as the files of a tokenizer, and as a stored one.
 *
 * The first byte says as what:
 *
 *	T	text for a small fixed vocabulary; the second byte chooses the options
 *	J	tokenizer.json
 *	V	vocab.txt
 *	C	tokenizer_config.json beside a fixed vocab.txt
 *	S	special_tokens_map.json beside it
 *	A	added_tokens.json beside it
 *	M	tokenizer.json of class MPNetTokenizer, lower-cased first
 *	D	tokenizer_config.json of that class beside the vocab.txt
 *	B	changes of a built tokenizer, three bytes each: an offset (16 bits,
 *		little end first) and which bits to turn
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"
#include "tokenizer/tokenizer.h"

static const char vocabulary[] =
"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nthe\nof\nun\n##a\n##b\n##s\n"
"##able\n.\n,\n!\n'\n-\n1\n##2\n\xC3\xA9\n\xE4\xB8\xAD\ne\n##e\n";

static const char sample[] =
"The un\xC3\x89""able ab\xE4\xB8\xAD""c, [MASK] a's  12!\tb";

/* A tokenizer of these files, or false when they are refused. */
static bool
build(const mb_tokenizer_files *files, mb_arena *arena, void **blob,
	  size_t *size, mb_tokenizer *tokenizer)
{
	mb_error	err;
	mb_status	status = mb_tokenizer_build(files, arena, NULL, blob, size,
											&err);

	if (status != MB_OK)
	{
		CHECK_ERROR(status, err);
		return false;
	}
	CHECK(*size % 64 == 0);
	/* What was built must open. */
	CHECK(mb_tokenizer_open(*blob, *size, tokenizer, &err) == MB_OK);
	return true;
}

static size_t
count_characters(const char *text, size_t length)
{
	size_t		count = 0;
	size_t		i;

	for (i = 0; i < length; i++)
		count += (text[i] & 0xC0) != 0x80;
	return count;
}

static void
check_pieces(const mb_tokenizer *tokenizer, const mb_pieces *pieces,
			 size_t characters)
{
	size_t		i;

	for (i = 0; i < pieces->count; i++)
	{
		CHECK(pieces->ids[i] >= 0 &&
			  (uint32_t) pieces->ids[i] < tokenizer->vocabulary_size);
		CHECK(pieces->starts[i] >= 0 &&
			  pieces->starts[i] <= pieces->ends[i] &&
			  (size_t) pieces->ends[i] <= characters);
		CHECK(i == 0 || pieces->words[i] >= pieces->words[i - 1]);
	}
}

static void
check_encoding(const mb_encoding *window, const mb_encode_options *options)
{
	size_t		i;

	for (i = 0; i < window->length; i++)
	{
		CHECK(window->mask[i] <= 1 && window->special[i] <= 1);
		CHECK(window->sequences[i] >= -1 && window->sequences[i] <= 1);
		CHECK(window->starts[i] >= 0 && window->starts[i] <= window->ends[i]);
		CHECK(window->words[i] >= -1);
	}
	/* What is longer than max_length, and not cut, is not padded. */
	if (options->pad_to_multiple_of > 1 && options->padding == MB_PAD_LONGEST)
		CHECK(window->length % options->pad_to_multiple_of == 0);
}

/* Options from one byte: small lengths, so that much is cut. */
static void
choose_options(const mb_tokenizer *tokenizer, uint8_t choice,
			   mb_encode_options *options)
{
	mb_encode_defaults(tokenizer, options);
	options->truncation = (mb_truncation) (choice & 3);
	options->overflow = (choice & 4) != 0;
	options->padding = (mb_padding) ((choice >> 3) % 3);
	options->truncate_left = (choice & 32) != 0;
	options->pad_left = (choice & 64) != 0;
	if (options->truncation != MB_TRUNCATE_NONE ||
		options->padding == MB_PAD_MAX_LENGTH)
		options->max_length = 3 + choice % 13;
	options->stride = choice % 4;
	options->pad_to_multiple_of = (choice & 128) != 0 ? 8 : 0;
}

/* Encode the pieces alone and with a second text, and decode the result. */
static void
encode_and_decode(const mb_tokenizer *tokenizer, const mb_pieces *first,
				  const mb_pieces *second, uint8_t choice, mb_arena *arena)
{
	mb_encode_options options;
	mb_encoding *windows;
	size_t		count;
	size_t		dropped;
	size_t		i;
	mb_error	err;
	mb_status	status;
	char	   *text;
	size_t		length;

	choose_options(tokenizer, choice, &options);
	status = mb_encode(tokenizer, first, second, &options, arena, NULL,
					   &windows, &count, &dropped, &err);
	if (status != MB_OK)
	{
		CHECK_ERROR(status, err);
		return;
	}
	CHECK(count >= 1 && (options.overflow || count == 1));
	for (i = 0; i < count && i < 20; i++)
		check_encoding(&windows[i], &options);
	CHECK(mb_decode(tokenizer, windows[0].ids, windows[0].length,
					choice & 1, choice & 2, arena, NULL, &text, &length,
					&err) == MB_OK);
	CHECK(mb_utf8_valid(text, length));
}

/*
 * The fixed vocabulary takes every valid text; others may lack a token that the
 * text needs, such as the unknown one.
 */
static void
use_text(const mb_tokenizer *tokenizer, bool fixed, const char *text,
		 size_t length, uint8_t choice, mb_arena *arena)
{
	mb_pieces	first;
	mb_pieces	second;
	mb_document words[2];
	mb_error	err;
	mb_status	status;

	status = mb_tokenize(tokenizer, text, length, choice & 1, arena, NULL,
						 &first, &err);
	if (fixed)
		CHECK((status == MB_OK) == mb_utf8_valid(text, length));
	if (status != MB_OK)
	{
		CHECK_ERROR(status, err);
		return;
	}
	check_pieces(tokenizer, &first, count_characters(text, length));
	words[0].text = sample;
	words[0].length = strlen(sample);
	words[1].text = text;
	words[1].length = length;
	status = mb_tokenize_words(tokenizer, words, 2, choice & 1, arena, NULL,
							   &second, &err);
	CHECK(status == MB_OK || !fixed);
	if (status != MB_OK)
		return;
	encode_and_decode(tokenizer, &first, NULL, choice, arena);
	encode_and_decode(tokenizer, &first, &second, choice, arena);
}

/* The file that the letter names gets the bytes. */
static void
set_files(uint8_t kind, const char *text, size_t length,
		  mb_tokenizer_files *files)
{
	mb_document document = {text, length};

	memset(files, 0, sizeof(*files));
	files->vocab_txt.text = vocabulary;
	files->vocab_txt.length = strlen(vocabulary);
	switch (kind)
	{
		case 'J':
			files->tokenizer_json = document;
			break;
		case 'V':
			files->vocab_txt = document;
			break;
		case 'C':
			files->tokenizer_config = document;
			break;
		case 'S':
			files->special_tokens_map = document;
			break;
		case 'A':
			files->added_tokens = document;
			break;
		case 'M':
			files->class_name = "MPNetTokenizer";
			files->tokenizer_json = document;
			files->lowercase_first = true;
			break;
		case 'D':
			files->class_name = "MPNetTokenizer";
			files->tokenizer_config = document;
			break;
		default:
			break;
	}
}

static void
use_changed_blob(const void *blob, size_t size, const uint8_t *changes,
				 size_t length, mb_arena *arena)
{
	mb_tokenizer tokenizer;
	mb_error	err;
	void	   *copy = NULL;

	CHECK(posix_memalign(&copy, 64, size) == 0);
	memcpy(copy, blob, size);
	for (; length >= 3; changes += 3, length -= 3)
		((uint8_t *) copy)[(size_t) (changes[0] | changes[1] << 8) % size] ^=
			changes[2];
	if (mb_tokenizer_open(copy, size, &tokenizer, &err) == MB_OK)
	{
		mb_pieces	pieces;
		int32_t		ids[40];
		char	   *text;
		int			i;

		/* Damaged, so no promise but to stay inside. */
		mb_tokenize(&tokenizer, sample, strlen(sample), false, arena, NULL,
					&pieces, &err);
		for (i = 0; i < 40; i++)
			ids[i] = i - 2;
		mb_decode(&tokenizer, ids, 40, true, true, arena, NULL, &text, &length,
				  &err);
	}
	free(copy);
}

/* The tokenizer of the fixed vocabulary, built once and kept. */
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

		mb_arena_init(&arena, &mb_libc_memory, FUZZ_MEMORY);
		set_files(0, NULL, 0, &files);
		CHECK(build(&files, &arena, &blob, &size, &tokenizer));
	}
	return &tokenizer;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mb_arena	arena;
	mb_tokenizer tokenizer;
	mb_tokenizer_files files;
	void	   *blob;
	size_t		blob_size;
	uint8_t		kind;

	if (size < 2)
		return 0;
	kind = *data++;
	size--;

	mb_arena_init(&arena, &mb_libc_memory, FUZZ_MEMORY);
	if (kind == 'T')
		use_text(fixed_tokenizer(), true, (const char *) data + 1, size - 1,
				 data[0], &arena);
	else if (kind == 'B')
		use_changed_blob(fixed_tokenizer()->blob, fixed_tokenizer()->size,
						 data, size, &arena);
	else
	{
		set_files(kind, (const char *) data, size, &files);
		if (build(&files, &arena, &blob, &blob_size, &tokenizer))
			use_text(&tokenizer, false, sample, strlen(sample), data[0],
					 &arena);
	}
	mb_arena_free(&arena);
	return 0;
}
