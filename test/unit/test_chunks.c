/*-------------------------------------------------------------------------
 *
 * test_chunks.c
 *	  Texts in chunks: what fits, what is shared, what is parted, and a long
 *	  text in linear time.
 *
 * Chunks of an example are written one after the other with "|" between them.
 *
 *-------------------------------------------------------------------------
 */
#include "base/utf8.h"
#include "tasks/chunks.h"
#include "tokenizer/tokenizer.h"

#include "tap.h"

#include <stdlib.h>
#include <string.h>

static const char vocabulary[] =
"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nd\ne\nf\ng\nh\nan\nbe\nci\ndo\nef\nfo\ngo\nha\n##a\n##b\n##c\n"
"##d\n##\xCC\x81\n.\n,\n!\n'\n-\n/\nmr\n\xE4\xB8\xAD\n\xE5\x9B\xBD\n\xE3\x80\x82\n"
"\xE1\x84\x92\n##\xE1\x85\xA1\n##\xE1\x86\xAB\n";

static mb_arena arena;
static mb_tokenizer tokenizer;

/* config: tokenizer_config.json */
static void
build(const char *config)
{
	mb_tokenizer_files files;
	void	   *blob;
	size_t		size;

	memset(&files, 0, sizeof(files));
	files.tokenizer_config.text = config;
	files.tokenizer_config.length = strlen(config);
	files.vocab_txt.text = vocabulary;
	files.vocab_txt.length = strlen(vocabulary);
	mb_arena_init(&arena, &mb_libc_memory, SIZE_MAX);
	if (mb_tokenizer_build(&files, &arena, NULL, &blob, &size, NULL) != MB_OK ||
		mb_tokenizer_open(blob, size, &tokenizer, NULL) != MB_OK)
		abort();
}

static size_t
byte_of(const char *text, int32_t character)
{
	const char *at = text;

	while (character-- > 0)
		(void) mb_utf8_next(&at);
	return (size_t) (at - text);
}

static mb_status
run(const char *text, size_t length, mb_split split, size_t budget,
	size_t overlap, const mb_cancel *cancel, mb_chunks *chunks)
{
	mb_chunk_options options = {split, budget, overlap, false};
	mb_pieces	pieces;

	if (mb_tokenize(&tokenizer, text, length, false, &arena, NULL, &pieces,
					NULL) != MB_OK)
		abort();
	return mb_chunk_text(&tokenizer, text, length, &pieces, &options, &arena,
						 cancel, chunks, NULL);
}

static void
gives(const char *text, mb_split split, size_t budget, size_t overlap,
	  const char *expected)
{
	char		found[1000] = "";
	mb_chunks	chunks;
	size_t		i;

	if (run(text, strlen(text), split, budget, overlap, NULL,
			&chunks) != MB_OK)
	{
		strcpy(found, "refused");
		chunks.count = 0;
	}
	for (i = 0; i < chunks.count; i++)
	{
		size_t		from = byte_of(text, chunks.list[i].start);
		size_t		to = byte_of(text, chunks.list[i].end);

		if (i > 0)
			strcat(found, "|");
		strncat(found, text + from, to - from);
	}
	if (!ok(strcmp(found, expected) == 0, "%d of %zu, %zu: %s", (int) split,
			budget, overlap, expected))
		printf("# found %s\n", found);
}

static void
test_sentences(void)
{
	const mb_split by = MB_SPLIT_SENTENCE;

	gives("", by, 5, 0, "");
	gives(" \n ", by, 5, 0, "");
	gives("An be. Ci do. Ef fo.", by, 14, 0, "An be. Ci do. Ef fo.");
	gives("An be. Ci do. Ef fo.", by, 8, 0, "An be. Ci do.|Ef fo.");
	gives("An be. Ci do. Ef fo.", by, 6, 0, "An be. Ci do.|Ef fo.");
	gives("An be. Ci do. Ef fo.", by, 5, 0, "An be.|Ci do.|Ef fo.");
	gives("An be. Ci do ef fo go ha an be. Ef fo.", by, 8, 0, "An be.|Ci do ef fo go ha an|be. Ef fo.");
	gives("An be. Ci do ef, fo go ha an be. Ef fo.", by, 8, 0, "An be.|Ci do ef,|fo go ha an be.|Ef fo.");
	gives("An be. Ci do ef fo go ha an be.\n\nEf fo.", by, 5, 0, "An be.|Ci do ef fo go|ha an be.|Ef fo.");
	gives("Mr. An be ci. Do.", by, 6, 0, "Mr. An be ci.|Do.");
	gives("An 'be ci'. Do ef fo.", by, 7, 0, "An 'be ci'.|Do ef fo.");
	gives("\xE4\xB8\xAD\xE3\x80\x82\xE5\x9B\xBD\xE4\xB8\xAD\xE3\x80\x82\xE5\x9B\xBD",
		  by, 5, 0, "\xE4\xB8\xAD\xE3\x80\x82\xE5\x9B\xBD\xE4\xB8\xAD\xE3\x80\x82|\xE5\x9B\xBD");
	/* a stop is not parted from what it closes */
	gives("\xE4\xB8\xAD\xE5\x9B\xBD\xE4\xB8\xAD\xE3\x80\x82", by, 3, 0,
		  "\xE4\xB8\xAD\xE5\x9B\xBD|\xE4\xB8\xAD\xE3\x80\x82");
}

static void
test_paragraphs(void)
{
	const mb_split by = MB_SPLIT_PARAGRAPH;

	gives("An. Be.\n\nCi. Do.\n\nEf.", by, 8, 0, "An. Be.\n\nCi. Do.|Ef.");
	gives("An. Be.\n\nCi. Do.\n\nEf.", by, 7, 0, "An. Be.|Ci. Do.\n\nEf.");
	gives("An. Be.\n\nCi. Do. Ef.\n\nFo.", by, 5, 0, "An. Be.|Ci. Do.|Ef.\n\nFo.");
	gives("An. Be.\n\nCi. Do. Ef.\n\nFo.", by, 8, 2, "An. Be.|Be.\n\nCi. Do. Ef.|Ef.\n\nFo.");
	gives("An. Be.\n\nCi. Do. Ef.\n\nFo.", MB_SPLIT_SENTENCE, 5, 0, "An. Be.|Ci. Do.|Ef.\n\nFo.");
}

static void
test_overlap(void)
{
	const mb_split by = MB_SPLIT_SENTENCE;

	gives("An be. Ci. Do ef. Fo.", by, 6, 3, "An be. Ci.|Ci. Do ef.|Do ef. Fo.");
	gives("An be. Ci. Do ef. Fo.", by, 6, 1, "An be. Ci.|Do ef. Fo.");
	gives("An be. Ci. Do ef. Fo.", by, 5, 4, "An be. Ci.|Ci. Do ef.|Do ef. Fo.");
	gives("An. Be. Ci. Do. Ef.", by, 6, 4, "An. Be. Ci.|Be. Ci. Do.|Ci. Do. Ef.");
	/* none where a sentence is parted, or the next would not fit whole */
	gives("An. Be ci do ef fo go ha. An be.", by, 5, 4, "An.|Be ci do ef fo|go ha.|An be.");
	gives("An. Be. Ci do ef.", by, 5, 2, "An. Be.|Ci do ef.");
}

static void
test_parted(void)
{
	const mb_split by = MB_SPLIT_SENTENCE;

	/* "abcd" is a ##b ##c ##d, but what is left of it begins anew */
	gives("abcd", by, 3, 0, "abc|d");
	gives("a abcdab b", by, 2, 0, "a|ab|cd|ab|b");
	gives("a abcda b", by, 2, 0, "a|ab|cd|a b");
	gives("a a/b/c/d b", by, 4, 0, "a a/b|/c/d|b");
	gives("a abcd", MB_SPLIT_WORD, 3, 0, "refused");
	/* one character of three tokens */
	gives("\xED\x95\x9C a", by, 3, 0, "\xED\x95\x9C|a");
	gives("\xED\x95\x9C a", by, 2, 0, "refused");
}

static void
test_words(void)
{
	const mb_split by = MB_SPLIT_WORD;

	gives("A b. C d. E f.", by, 7, 0, "A b. C d. E|f.");
	gives("a b-c d", by, 3, 0, "a|b-c|d");
	gives("a b-c d", by, 3, 1, "a|b-c|c d");
	gives("a b c d", by, 3, 1, "a b c|c d");
}

static bool
at_once(void *context)
{
	(void) context;
	return true;
}

static void
test_long(void)
{
	static const char *const parts[] = {
		"a b. ", "ab-cd", "abcd ", "\xE4\xB8\xAD", "\xE4\xB8\xAD\xE3\x80\x82",
		"a.\n\n", "a, ", ".", "abc, a b a b a b a b. A. "
	};
	const mb_cancel cancel = {at_once, NULL};
	mb_split	by;
	size_t		i;
	int			wrong = 0;

	for (by = MB_SPLIT_WORD; by <= MB_SPLIT_PARAGRAPH; by++)
	{
		for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		{
			size_t		each = strlen(parts[i]);
			size_t		count = 500000 / each;
			char	   *text = malloc(count * each);
			mb_chunks	chunks;
			size_t		n;

			for (n = 0; n < count; n++)
				memcpy(text + n * each, parts[i], each);
			wrong += run(text, count * each, by, 100, 20, NULL,
						 &chunks) != MB_OK;
			wrong += run(text, count * each, by, 100, 20, &cancel,
						 &chunks) != MB_ERR_CANCELLED;
			free(text);
			mb_arena_free(&arena);
			build("{}");
		}
	}
	ok(wrong == 0, "long texts take their time, and hear a cancel");
}

static void
test_refusals(void)
{
	mb_chunks	chunks;
	const char *text = "a \xED\x95\x9C";

	ok(run(text, strlen(text), MB_SPLIT_SENTENCE, 2, 0, NULL,
		   &chunks) == MB_ERR_LIMIT && chunks.refused == 2 &&
	   chunks.refused_tokens == 3, "a character that fits in no chunk");
	ok(run("a b abcd", 8, MB_SPLIT_WORD, 2, 0, NULL, &chunks) ==
	   MB_ERR_LIMIT && chunks.refused == 4 && chunks.refused_tokens == 4,
	   "a word that fits in no chunk");
}

/* Tokens that begin with an accent: no chunk does. */
static void
test_accents(void)
{
	mb_arena_free(&arena);
	build("{\"strip_accents\": false}");
	gives("a\xCC\x81" "a\xCC\x81" "a b", MB_SPLIT_SENTENCE, 3, 0,
		  "a\xCC\x81|a\xCC\x81" "a|b");
	gives("a\xCC\x81 b", MB_SPLIT_SENTENCE, 1, 0, "refused");
	mb_arena_free(&arena);
	build("{}");

	/* those that are dropped stay with their letter */
	gives("A ba. Ab a\xCC\x81 b a\xCC\x81", MB_SPLIT_SENTENCE, 3, 0,
		  "A|ba.|Ab a\xCC\x81|b a\xCC\x81");
	gives("aba\xCC\x81" "b", MB_SPLIT_SENTENCE, 3, 0, "aba\xCC\x81|b");
}

int
main(void)
{
	build("{}");
	test_sentences();
	test_paragraphs();
	test_overlap();
	test_parted();
	test_words();
	test_accents();
	test_refusals();
	test_long();
	mb_arena_free(&arena);
	return done_testing();
}
