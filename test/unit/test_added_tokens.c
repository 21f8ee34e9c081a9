/*-------------------------------------------------------------------------
 *
 * test_added_tokens.c
 *	  Flags of added tokens where the files of a tokenizer disagree, against
 *	  transformers for every combination.
 *
 *	test_added_tokens [directory of the golden files]
 *
 * flags.jsonl.gz in that directory is made, and described, by flags.py.
 *
 *-------------------------------------------------------------------------
 */
#include "load.h"
#include "tap.h"
#include "tokenizer/tokenizer.h"

#define DEFAULT_DIRECTORY "test/golden/tokenizer"
#define FLAGS 5
#define BOTH (1 << FLAGS)		/* combinations of one file's flags */

/* JSON text of the flags, bit by bit. */
static void
print_flags(int bits, char *text, size_t size)
{
	static const char *const names[FLAGS] = {
		"single_word", "lstrip", "rstrip", "normalized", "special"
	};
	size_t		used = 0;
	int			i;

	for (i = 0; i < FLAGS; i++)
		used += (size_t) snprintf(text + used, size - used, "%s\"%s\": %s",
								  i > 0 ? ", " : "", names[i],
								  bits >> i & 1 ? "true" : "false");
}

/* The text with flags in the place of "@A": 0 and "@B": 0. */
static mb_document
fill_in(const mb_json *file, int a, int b, mb_arena *arena)
{
	char		flags[2][200];
	mb_document result = {NULL, 0};
	const char *at;
	char	   *out;

	if (file == NULL)
		return result;
	print_flags(a, flags[0], sizeof(flags[0]));
	print_flags(b, flags[1], sizeof(flags[1]));
	out = mb_arena_alloc(arena, file->length + 8 * sizeof(flags), 1);
	if (out == NULL)
		give_up("memory");
	result.text = out;
	for (at = file->text; *at != '\0';)
	{
		if (strncmp(at, "\"@A\": 0", 7) != 0 && strncmp(at, "\"@B\": 0", 7) != 0)
		{
			*out++ = *at++;
			continue;
		}
		strcpy(out, flags[at[2] == 'B']);
		out += strlen(out);
		at += 7;
	}
	*out = '\0';
	result.length = (size_t) (out - result.text);
	return result;
}

/* "4:0-6 5:7-8": ids and offsets */
static bool
gives(const mb_tokenizer *tokenizer, const mb_json *text, bool split,
	  const mb_json *expected, mb_arena *arena)
{
	char		found[1000] = "";
	size_t		used = 0;
	mb_pieces	pieces;
	size_t		i;

	if (mb_tokenize(tokenizer, text->text, text->length, split, arena, NULL,
					&pieces, &error) != MB_OK)
		return false;
	for (i = 0; i < pieces.count; i++)
		used += (size_t) snprintf(found + used, sizeof(found) - used,
								  "%s%d:%d-%d", i > 0 ? " " : "",
								  pieces.ids[i], pieces.starts[i],
								  pieces.ends[i]);
	return strcmp(found, expected->text) == 0;
}

static bool
agrees(const mb_json *record, int a, int b, const mb_json *expected)
{
	const mb_json *files = mb_json_get(record, "files");
	const mb_json *token = mb_json_get(record, "token");
	const mb_json *found = mb_json_get(expected, "found")->child;
	mb_tokenizer_files of;
	mb_tokenizer tokenizer;
	mb_arena	arena;
	void	   *blob;
	size_t		size;
	bool		good;
	int			split;

	mb_arena_init(&arena, &mb_libc_memory, SIZE_MAX);
	memset(&of, 0, sizeof(of));
	of.tokenizer_json = fill_in(mb_json_get(files, "tokenizer.json"), a, b,
								&arena);
	of.vocab_txt = fill_in(mb_json_get(files, "vocab.txt"), a, b, &arena);
	of.tokenizer_config = fill_in(mb_json_get(files, "tokenizer_config.json"),
								  a, b, &arena);
	of.special_tokens_map = fill_in(mb_json_get(files,
												"special_tokens_map.json"),
									a, b, &arena);
	of.added_tokens = fill_in(mb_json_get(files, "added_tokens.json"), a, b,
							  &arena);
	good = mb_tokenizer_build(&of, &arena, NULL, &blob, &size, &error) == MB_OK &&
		mb_tokenizer_open(blob, size, &tokenizer, &error) == MB_OK;
	if (good)
		good = mb_token_special(&tokenizer,
								mb_token_id(&tokenizer, token->text,
											token->length)) ==
			(mb_json_get(expected, "special")->type == MB_JSON_TRUE);
	for (split = 0; split < 2; split++)
	{
		const mb_json *text = mb_json_get(record, "texts")->child;

		for (; text != NULL; text = text->next, found = found->next)
			good = good && gives(&tokenizer, text, split == 1, found, &arena);
	}
	mb_arena_free(&arena);
	return good;
}

/* A case: all its combinations, the first flags before the second. */
static void
check_case(const mb_json *record)
{
	const mb_json *combinations = mb_json_get(record, "combinations");
	const mb_json *number;
	const mb_json *first = mb_json_get(record, "results")->child;
	int			seconds = (int) combinations->length / BOTH;
	int			wrong = 0;
	int			i = 0;

	for (number = combinations->child; number != NULL;
		 number = number->next, i++)
	{
		const mb_json *expected = first;
		int			skip = (int) number->number;

		while (skip-- > 0)
			expected = expected->next;
		wrong += !agrees(record, i / seconds, i % seconds, expected);
	}
	ok(wrong == 0 && i == seconds * BOTH, "%s: %s, %d of %d combinations",
	   mb_json_get(record, "token")->text, mb_json_get(record, "case")->text,
	   i - wrong, i);
}

int
main(int argc, char **argv)
{
	document	golden = read_file(argc > 1 ? argv[1] : DEFAULT_DIRECTORY,
								   "flags.jsonl");
	char	   *line = golden.text;

	if (line == NULL)
		give_up("flags.jsonl");
	while (*line != '\0')
	{
		char	   *end = strchr(line, '\n');
		document	one = {line, (size_t) (end - line)};
		mb_arena	arena;

		mb_arena_init(&arena, &mb_libc_memory, SIZE_MAX);
		check_case(parse(&one, "flags.jsonl", &arena));
		mb_arena_free(&arena);
		line = end + 1;
	}
	free(golden.text);
	return done_testing();
}
