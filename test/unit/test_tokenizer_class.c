/*-------------------------------------------------------------------------
 *
 * test_tokenizer_class.c
 *	  What a class of tokenizers adds to a model's files, against AutoTokenizer
 *	  of transformers.
 *
 *	test_tokenizer_class [directory of the golden files]
 *
 * classes.jsonl.gz in that directory is made, and described, by classes.py.
 *
 *-------------------------------------------------------------------------
 */
#include "load.h"
#include "tap.h"
#include "tokenizer/tokenizer.h"

#define DEFAULT_DIRECTORY "test/golden/tokenizer"

static mb_document
document_of(const mb_json *value)
{
	mb_document result = {NULL, 0};

	if (value != NULL)
	{
		result.text = value->text;
		result.length = value->length;
	}
	return result;
}

/* "0:0-0:0 9:0-1:0": ids, offsets and types */
static bool
gives(const mb_tokenizer *tokenizer, const mb_json *text,
	  const mb_json *second, const mb_json *expected, mb_arena *arena)
{
	char		found[2000] = "";
	size_t		used = 0;
	mb_pieces	pieces[2];
	mb_encode_options options;
	mb_encoding *windows;
	size_t		count;
	size_t		i;

	mb_encode_defaults(tokenizer, &options);
	if (mb_tokenize(tokenizer, text->text, text->length, false, arena, NULL,
					&pieces[0], &error) != MB_OK ||
		(second != NULL &&
		 mb_tokenize(tokenizer, second->text, second->length, false, arena,
					 NULL, &pieces[1], &error) != MB_OK) ||
		mb_encode(tokenizer, &pieces[0], second != NULL ? &pieces[1] : NULL,
				  &options, arena, NULL, &windows, &count, NULL,
				  &error) != MB_OK)
		return false;
	for (i = 0; i < windows->length; i++)
		used += (size_t) snprintf(found + used, sizeof(found) - used,
								  "%s%d:%d-%d:%d", i > 0 ? " " : "",
								  windows->ids[i], windows->starts[i],
								  windows->ends[i], windows->types[i]);
	if (strcmp(found, expected->text) == 0)
		return true;
	printf("# %s\n#  %s\n#  not %s\n", text->text, found, expected->text);
	return false;
}

static bool
has_ids(const mb_tokenizer *tokenizer, const mb_json *ids)
{
	const mb_json *cls = ids->child;
	const mb_json *sep = cls->next;
	const mb_json *pad = sep->next;
	const mb_json *mask = pad->next;

	return tokenizer->cls_id == (int32_t) cls->number &&
		tokenizer->sep_id == (int32_t) sep->number &&
		tokenizer->pad_id == (int32_t) pad->number &&
		tokenizer->mask_id == (int32_t) mask->number;
}

static void
check_case(const mb_json *record, mb_arena *arena)
{
	const mb_json *files = mb_json_get(record, "files");
	const mb_json *text = mb_json_get(record, "texts")->child;
	const mb_json *single = mb_json_get(record, "single")->child;
	const mb_json *pair = mb_json_get(record, "pair")->child;
	const mb_json *second = mb_json_get(record, "second");
	mb_tokenizer_files of;
	mb_tokenizer tokenizer;
	void	   *blob;
	size_t		size;
	bool		good;

	memset(&of, 0, sizeof(of));
	of.tokenizer_json = document_of(mb_json_get(files, "tokenizer.json"));
	of.vocab_txt = document_of(mb_json_get(files, "vocab.txt"));
	of.tokenizer_config = document_of(mb_json_get(files,
												  "tokenizer_config.json"));
	of.class_name = mb_json_get(record, "class")->text;
	good = mb_tokenizer_build(&of, arena, NULL, &blob, &size, &error) == MB_OK &&
		mb_tokenizer_open(blob, size, &tokenizer, &error) == MB_OK &&
		has_ids(&tokenizer, mb_json_get(record, "ids"));
	for (; text != NULL && good; text = text->next, single = single->next,
		 pair = pair->next)
		good = gives(&tokenizer, text, NULL, single, arena) &&
			gives(&tokenizer, text, second, pair, arena);
	ok(good, "%s: %s", mb_json_get(record, "model_type")->text,
	   mb_json_get(record, "case")->text);
}

int
main(int argc, char **argv)
{
	document	golden = read_file(argc > 1 ? argv[1] : DEFAULT_DIRECTORY,
								   "classes.jsonl");
	char	   *line = golden.text;

	if (line == NULL)
		give_up("classes.jsonl");
	while (*line != '\0')
	{
		char	   *end = strchr(line, '\n');
		document	one = {line, (size_t) (end - line)};
		mb_arena	arena;

		mb_arena_init(&arena, &mb_libc_memory, SIZE_MAX);
		check_case(parse(&one, "classes.jsonl", &arena), &arena);
		mb_arena_free(&arena);
		line = end + 1;
	}
	free(golden.text);
	return done_testing();
}
