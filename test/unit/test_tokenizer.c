/*-------------------------------------------------------------------------
 *
 * test_tokenizer.c
 *	  The tokenizer against golden results of other tokenizers.
 *
 *	test_tokenizer [directory of the golden files]
 *
 * Every case of every file must be equal in all that the file records; see
 * README.md in that directory for where the files come from.  The files are
 * gzipped and read through gzip(1).
 *
 *-------------------------------------------------------------------------
 */
#include "base/json.h"
#include "tap.h"
#include "tokenizer/tokenizer.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_DIRECTORY "test/golden/tokenizer"

static const char *directory = DEFAULT_DIRECTORY;

/* Options sets of the golden files, all with the same vocabulary. */
static const struct
{
	const char *name;
	const char *config;
}			variants[] = {
	{"uncased", "{}"},
	{"cased", "{\"do_lower_case\": false}"},
	{"cased-strip", "{\"do_lower_case\": false, \"strip_accents\": true}"},
	{"lower-keep-accents",
	"{\"do_lower_case\": true, \"strip_accents\": false}"},
	{"no-cjk", "{\"tokenize_chinese_chars\": false}"},
};

#define VARIANTS ((int) (sizeof(variants) / sizeof(variants[0])))

static mb_tokenizer tokenizers[VARIANTS];
static mb_arena blobs;
static mb_error err;

/* vocab.txt of the golden files */
static char *vocab;
static size_t vocab_length;

/* The uncompressed contents of a golden file; exits when there is none. */
static char *
read_gzipped(const char *name, size_t *length)
{
	char		command[1024];
	size_t		capacity = 1 << 20;
	char	   *text = malloc(capacity);
	size_t		got;
	FILE	   *pipe;

	snprintf(command, sizeof(command), "gzip -dc '%s/%s'", directory, name);
	pipe = popen(command, "r");
	*length = 0;
	while (pipe != NULL && text != NULL &&
		   (got = fread(text + *length, 1, capacity - *length, pipe)) > 0)
	{
		*length += got;
		if (*length == capacity)
			text = realloc(text, capacity *= 2);
	}
	if (pipe == NULL || text == NULL || pclose(pipe) != 0)
	{
		printf("Bail out! cannot read %s/%s\n", directory, name);
		exit(1);
	}
	return text;
}

/*
 * Comparing
 */

static bool
same_ints(const mb_json *list, const int32_t *values, size_t count)
{
	const mb_json *item;
	size_t		i = 0;

	if (list == NULL || list->length != count)
		return false;
	for (item = list->child; item != NULL; item = item->next, i++)
	{
		int64_t		value = -1;

		if (item->type != MB_JSON_NULL &&
			!mb_json_int(item, INT32_MIN, INT32_MAX, &value))
			return false;
		if (value != values[i])
			return false;
	}
	return true;
}

/* As same_ints; an absent list stands for "all are this value". */
static bool
same_bytes(const mb_json *list, const void *values, size_t count, int absent)
{
	const mb_json *item;
	size_t		i = 0;

	if (list == NULL)
	{
		for (i = 0; i < count; i++)
			if (((const int8_t *) values)[i] != absent)
				return false;
		return true;
	}
	if (list->length != count)
		return false;
	for (item = list->child; item != NULL; item = item->next, i++)
	{
		int64_t		value = -1;

		if (item->type != MB_JSON_NULL && !mb_json_int(item, 0, 1, &value))
			return false;
		if (value != ((const int8_t *) values)[i])
			return false;
	}
	return true;
}

static bool
same_tokens(const mb_tokenizer *tokenizer, const mb_json *list,
			const mb_encoding *window)
{
	const mb_json *item;
	size_t		i = 0;

	if (list == NULL || list->length != window->length)
		return false;
	for (item = list->child; item != NULL; item = item->next, i++)
	{
		size_t		length;
		const char *text = mb_token_text(tokenizer, window->ids[i], &length);

		if (text == NULL || length != item->length ||
			memcmp(text, item->text, length) != 0 ||
			mb_token_id(tokenizer, text, length) != window->ids[i])
			return false;
	}
	return true;
}

static bool
same_offsets(const mb_json *list, const mb_encoding *window)
{
	const mb_json *item;
	size_t		i = 0;

	if (list == NULL || list->length != window->length)
		return false;
	for (item = list->child; item != NULL; item = item->next, i++)
	{
		int64_t		start;
		int64_t		end;

		if (!mb_json_int(item->child, 0, INT32_MAX, &start) ||
			!mb_json_int(item->child->next, 0, INT32_MAX, &end) ||
			start != window->starts[i] || end != window->ends[i])
			return false;
	}
	return true;
}

static bool
same_types(const mb_json *list, const mb_encoding *window)
{
	size_t		i;

	if (list != NULL)
		return same_ints(list, window->types, window->length);
	for (i = 0; i < window->length; i++)
		if (window->types[i] != 0)
			return false;
	return true;
}

/* For a single text, sequence ids say what the special mask says. */
static bool
same_sequences(const mb_json *list, const mb_encoding *window)
{
	size_t		i;

	if (list != NULL)
		return same_bytes(list, window->sequences, window->length, 0);
	for (i = 0; i < window->length; i++)
		if (window->sequences[i] != (window->words[i] < 0 ? -1 : 0))
			return false;
	return true;
}

/* What differs, or NULL. */
static const char *
compare_window(const mb_tokenizer *tokenizer, const mb_json *expected,
			   const mb_encoding *window)
{
	if (!same_ints(mb_json_get(expected, "ids"), window->ids, window->length))
		return "ids";
	if (!same_tokens(tokenizer, mb_json_get(expected, "tokens"), window))
		return "tokens";
	if (!same_offsets(mb_json_get(expected, "offsets"), window))
		return "offsets";
	if (!same_ints(mb_json_get(expected, "word_ids"), window->words,
				   window->length))
		return "word ids";
	if (!same_bytes(mb_json_get(expected, "special_tokens_mask"),
					window->special, window->length, -1))
		return "special tokens mask";
	if (!same_types(mb_json_get(expected, "type_ids"), window))
		return "type ids";
	if (!same_sequences(mb_json_get(expected, "sequence_ids"), window))
		return "sequence ids";
	if (!same_bytes(mb_json_get(expected, "attention_mask"), window->mask,
					window->length, 1))
		return "attention mask";
	return NULL;
}

/*
 * One case
 */

static const mb_tokenizer *
find_tokenizer(const mb_json *record)
{
	const mb_json *name = mb_json_get(record, "tokenizer");
	int			i;

	for (i = 0; name != NULL && i < VARIANTS; i++)
		if (mb_json_is_string(name, variants[i].name))
			return &tokenizers[i];
	return &tokenizers[0];
}

static void
read_options(const mb_json *record, mb_encode_options *options)
{
	const mb_json *o = mb_json_get(record, "options");
	const mb_json *truncation = mb_json_get(o, "truncation");
	const mb_json *padding = mb_json_get(o, "padding");
	const mb_json *special = mb_json_get(o, "add_special_tokens");
	uint64_t	number;

	if (truncation != NULL)
		options->truncation =
			mb_json_is_string(truncation, "only_first") ?
			MB_TRUNCATE_ONLY_FIRST :
			mb_json_is_string(truncation, "only_second") ?
			MB_TRUNCATE_ONLY_SECOND : MB_TRUNCATE_LONGEST_FIRST;
	if (padding != NULL)
		options->padding = mb_json_is_string(padding, "max_length") ?
			MB_PAD_MAX_LENGTH : MB_PAD_LONGEST;
	if (mb_json_uint64(mb_json_get(o, "max_length"), &number))
		options->max_length = number;
	if (mb_json_uint64(mb_json_get(o, "stride"), &number))
		options->stride = number;
	if (mb_json_uint64(mb_json_get(o, "pad_to_multiple_of"), &number))
		options->pad_to_multiple_of = number;
	if (special != NULL)
		options->add_special_tokens = special->type == MB_JSON_TRUE;
	options->overflow = mb_json_get(o, "return_overflowing_tokens") != NULL;
	options->truncate_left =
		mb_json_is_string(mb_json_get(record, "truncation_side"), "left");
	options->pad_left =
		mb_json_is_string(mb_json_get(record, "padding_side"), "left");
}

static mb_status
tokenize_value(const mb_tokenizer *tokenizer, const mb_json *value,
			   mb_arena *arena, mb_pieces *pieces)
{
	mb_document *words;
	const mb_json *word;
	size_t		i = 0;

	if (value->type == MB_JSON_STRING)
		return mb_tokenize(tokenizer, value->text, value->length, false,
						   arena, NULL, pieces, &err);
	words = mb_arena_alloc(arena, value->length, sizeof(mb_document));
	for (word = value->child; word != NULL; word = word->next, i++)
	{
		words[i].text = word->text;
		words[i].length = word->length;
	}
	return mb_tokenize_words(tokenizer, words, i, false, arena, NULL, pieces,
							 &err);
}

/* Encode as the record says; what differs, or NULL. */
static const char *
check_encoding(const mb_json *record, mb_arena *arena)
{
	const mb_tokenizer *tokenizer = find_tokenizer(record);
	const mb_json *expected = mb_json_get(record, "expected");
	const mb_json *text = mb_json_get(record, "text");
	const mb_json *pair = mb_json_get(record, "text_pair");
	const mb_json *list = mb_json_get(expected, "windows");
	const char *difference = NULL;
	mb_encode_options options;
	mb_encoding *windows;
	mb_pieces	first;
	mb_pieces	second;
	mb_status	status;
	size_t		count;
	size_t		i;

	mb_encode_defaults(tokenizer, &options);
	read_options(record, &options);

	/* in a single call, which overflow needs, an empty second text is none */
	if (options.overflow && pair != NULL && pair->length == 0)
		pair = NULL;
	if (text == NULL)
		text = mb_json_get(record, "words");
	status = tokenize_value(tokenizer, text, arena, &first);
	if (status == MB_OK && pair != NULL)
		status = tokenize_value(tokenizer, pair, arena, &second);
	if (status != MB_OK)
		return "status of tokenizing";
	status = mb_encode(tokenizer, &first, pair != NULL ? &second : NULL,
					   &options, arena, NULL, &windows, &count, NULL, &err);
	if (mb_json_get(expected, "error") != NULL)
		return status == MB_ERR_ARGUMENT ? NULL : "error";
	if (status != MB_OK)
		return "status of encoding";
	if (list == NULL)
		return count == 1 ? compare_window(tokenizer, expected, windows) :
			"number of windows";
	if (list->length != count)
		return "number of windows";
	list = list->child;
	for (i = 0; i < count && difference == NULL; i++, list = list->next)
		difference = compare_window(tokenizer, list, &windows[i]);
	return difference;
}

static const char *
check_decoding(const mb_json *record, mb_arena *arena)
{
	static const char *const keys[] = {
		"skip_0_cleanup_0", "skip_0_cleanup_1",
		"skip_1_cleanup_0", "skip_1_cleanup_1"
	};
	const mb_json *list = mb_json_get(record, "decode");
	const mb_json *expected = mb_json_get(record, "expected");
	int32_t    *ids = mb_arena_alloc(arena, list->length, sizeof(int32_t));
	const mb_json *item;
	size_t		count = 0;
	int			i;

	for (item = list->child; item != NULL; item = item->next)
		ids[count++] = (int32_t) item->number;
	for (i = 0; i < 4; i++)
	{
		const mb_json *wanted = mb_json_get(expected, keys[i]);
		char	   *text;
		size_t		length;

		if (mb_decode(find_tokenizer(record), ids, count, i >= 2, i % 2 == 1,
					  arena, NULL, &text, &length, &err) != MB_OK ||
			wanted == NULL || wanted->length != length ||
			memcmp(wanted->text, text, length) != 0)
			return keys[i];
	}
	return NULL;
}

/* Records with "text", "ids" and perhaps "offsets", "types" or "decoded". */
static const char *
check_ids(const mb_json *record, mb_arena *arena)
{
	const mb_tokenizer *tokenizer = &tokenizers[0];
	const mb_json *text = mb_json_get(record, "text");
	const mb_json *pair = mb_json_get(record, "text_pair");
	const mb_json *decoded = mb_json_get(record, "decoded");
	mb_encode_options options;
	mb_encoding *window;
	mb_pieces	first;
	mb_pieces	second;
	char	   *back;
	size_t		length;
	size_t		count;

	mb_encode_defaults(tokenizer, &options);
	if (tokenize_value(tokenizer, text, arena, &first) != MB_OK ||
		(pair != NULL &&
		 tokenize_value(tokenizer, pair, arena, &second) != MB_OK) ||
		mb_encode(tokenizer, &first, pair != NULL ? &second : NULL, &options,
				  arena, NULL, &window, &count, NULL, &err) != MB_OK)
		return "status";
	if (!same_ints(mb_json_get(record, "ids"), window->ids, window->length))
		return "ids";
	if (mb_json_get(record, "offsets") != NULL &&
		!same_offsets(mb_json_get(record, "offsets"), window))
		return "offsets";
	if (mb_json_get(record, "types") != NULL &&
		!same_types(mb_json_get(record, "types"), window))
		return "types";
	if (decoded == NULL)
		return NULL;
	if (mb_decode(tokenizer, window->ids, window->length, false, true, arena,
				  NULL, &back, &length, &err) != MB_OK ||
		length != decoded->length ||
		memcmp(back, decoded->text, length) != 0)
		return "decoded text";
	return NULL;
}

/*
 * All cases of a file
 */

static void
check_file(const char *name, size_t wanted,
		   const char *(*check) (const mb_json *, mb_arena *))
{
	size_t		length;
	char	   *text = read_gzipped(name, &length);
	char	   *line = text;
	size_t		cases = 0;
	size_t		equal = 0;

	while (line < text + length)
	{
		char	   *end = memchr(line, '\n', (size_t) (text + length - line));
		size_t		size = end == NULL ? (size_t) (text + length - line) :
			(size_t) (end - line);
		const char *difference = "JSON";
		mb_arena	arena;
		mb_json    *record;

		mb_arena_init(&arena, &mb_libc_memory, SIZE_MAX);
		if (mb_json_parse(line, size, name, false, &arena, NULL, &record,
						  &err) == MB_OK)
			difference = check(record, &arena);
		cases++;
		if (difference == NULL)
			equal++;
		else if (cases - equal <= 10)
			printf("# %s: %s differ in line %zu: %.*s\n", name, difference,
				   cases, (int) (size < 300 ? size : 300), line);
		mb_arena_free(&arena);
		line += size + 1;
	}
	free(text);
	ok(cases == wanted && equal == cases, "%s: %zu of %zu equal", name, equal,
	   wanted);
}

static void
build_variants(void)
{
	mb_tokenizer_files files;
	int			i;

	vocab = read_gzipped("vocab.txt.gz", &vocab_length);
	memset(&files, 0, sizeof(files));
	files.vocab_txt.text = vocab;
	files.vocab_txt.length = vocab_length;
	for (i = 0; i < VARIANTS; i++)
	{
		void	   *blob;
		size_t		size;

		files.tokenizer_config.text = variants[i].config;
		files.tokenizer_config.length = strlen(variants[i].config);
		if (!ok(mb_tokenizer_build(&files, &blobs, NULL, &blob, &size,
								   &err) == MB_OK &&
				mb_tokenizer_open(blob, size, &tokenizers[i], &err) == MB_OK,
				"tokenizer \"%s\" builds and opens", variants[i].name))
		{
			printf("Bail out! %s\n", err.message);
			exit(1);
		}
	}
}

/*
 * tokenizer.json
 */

/* vocab.txt as the "vocab" object of a tokenizer.json, with these added. */
static char *
make_tokenizer_json(const char *added_tokens, const char *post_processor,
					size_t *length)
{
	/* a token of one byte becomes at most "\"": 12345,", and the rest */
	char	   *json = malloc(16 * vocab_length + 8192);
	char	   *out = json;
	const char *line = vocab;
	int			id = 0;

	out += sprintf(out, "{\"version\": \"1.0\", \"added_tokens\": [%s], "
				   "\"normalizer\": {\"type\": \"BertNormalizer\"}, "
				   "\"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"}, "
				   "\"post_processor\": %s, \"decoder\": {\"type\": "
				   "\"WordPiece\"}, \"model\": {\"type\": \"WordPiece\", "
				   "\"vocab\": {", added_tokens, post_processor);
	while (line < vocab + vocab_length)
	{
		out += sprintf(out, "%s\"", id > 0 ? "," : "");
		for (; *line != '\n'; line++)
		{
			if (*line == '"' || *line == '\\')
				*out++ = '\\';
			*out++ = *line;
		}
		line++;
		out += sprintf(out, "\":%d", id++);
	}
	out += sprintf(out, "}}}");
	*length = (size_t) (out - json);
	return json;
}

static bool
build_json(const char *added_tokens, const char *post_processor,
		   void **blob, size_t *size)
{
	mb_tokenizer_files files;
	char	   *json;
	mb_status	status;

	memset(&files, 0, sizeof(files));
	json = make_tokenizer_json(added_tokens, post_processor,
							   &files.tokenizer_json.length);
	files.tokenizer_json.text = json;
	status = mb_tokenizer_build(&files, &blobs, NULL, blob, size, &err);
	free(json);
	return status == MB_OK;
}

static void
check_same_blob(void)
{
	void	   *blob;
	size_t		size;

	ok(build_json("", "{\"type\": \"BertProcessing\", "
				  "\"sep\": [\"[SEP]\", 102], \"cls\": [\"[CLS]\", 101]}",
				  &blob, &size) &&
	   size == tokenizers[0].size && memcmp(blob, tokenizers[0].blob, size) == 0,
	   "tokenizer.json and vocab.txt give the same block of bytes");
}

/* The example of spec tokenizer.md 9. */
static void
check_added_tokens(void)
{
	static const char added[] =
	"{\"id\": 30522, \"content\": \"NewTok\", \"normalized\": true},"
	"{\"id\": 30523, \"content\": \"<ent>\", \"special\": true, "
	"\"lstrip\": true, \"rstrip\": true, \"normalized\": false},"
	"{\"id\": 30524, \"content\": \"cat\", \"single_word\": true, "
	"\"normalized\": false}";
	static const char text[] =
	"a newtok NEWTOKs xNewTok  <ent>  b cat concat cat.";
	static const int32_t ids[] = {1037, 30522, 30522, 1055, 1060, 30522, 30523,
	1038, 4937, 9530, 11266, 4937, 1012};
	static const int32_t starts[] = {0, 2, 9, 15, 17, 18, 24, 33, 35, 39, 42,
	46, 49};
	static const int32_t ends[] = {1, 8, 15, 16, 18, 24, 33, 34, 38, 42, 45,
	49, 50};
	mb_tokenizer tokenizer;
	mb_pieces	pieces;
	void	   *blob;
	size_t		size;
	char	   *back;
	size_t		length;

	if (!ok(build_json(added, "null", &blob, &size) &&
			mb_tokenizer_open(blob, size, &tokenizer, &err) == MB_OK &&
			mb_tokenize(&tokenizer, text, strlen(text), false, &blobs, NULL,
						&pieces, &err) == MB_OK, "added tokens: builds"))
		return;
	ok(pieces.count == 13 && memcmp(pieces.ids, ids, sizeof(ids)) == 0 &&
	   memcmp(pieces.starts, starts, sizeof(starts)) == 0 &&
	   memcmp(pieces.ends, ends, sizeof(ends)) == 0,
	   "added tokens: ids and offsets of the example");
	ok(mb_token_id(&tokenizer, "cat", 3) == 4937 &&
	   mb_token_id(&tokenizer, "NewTok", 6) == 30522 &&
	   tokenizer.vocabulary_size == 30524,
	   "added tokens: one that the vocabulary has keeps its id");
	ok(mb_decode(&tokenizer, ids, 3, false, false, &blobs, NULL, &back,
				 &length, &err) == MB_OK &&
	   strcmp(back, "a NewTok NewTok") == 0,
	   "added tokens: decode to their content");
	ok(mb_tokenize(&tokenizer, "<ent>", 5, true, &blobs, NULL, &pieces,
				   &err) == MB_OK && pieces.count == 4,
	   "added tokens: split_special_tokens takes special ones apart");
	ok(mb_token_special(&tokenizer, 30523) &&
	   !mb_token_special(&tokenizer, 30522) &&
	   mb_token_special(&tokenizer, 101),
	   "added tokens: which are special");
}

/* SST-2's texts have no licence to pass them on: compared where they are. */
static bool
has_file(const char *name)
{
	char		path[1024];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return access(path, R_OK) == 0;
}

int
main(int argc, char **argv)
{
	if (argc > 1)
		directory = argv[1];
	mb_arena_init(&blobs, &mb_libc_memory, SIZE_MAX);
	build_variants();
	check_file("single.jsonl.gz", 3234, check_encoding);
	check_file("variants.jsonl.gz", 1200, check_encoding);
	check_file("pairs.jsonl.gz", 273, check_encoding);
	check_file("words.jsonl.gz", 80, check_encoding);
	check_file("truncation.jsonl.gz", 700, check_encoding);
	check_file("decode.jsonl.gz", 305, check_decoding);
	check_file("transformersjs-bert-uncased.jsonl.gz", 42, check_ids);
	check_file("llamacpp-bert-bge.jsonl.gz", 46, check_ids);
	if (has_file("sst2-dev-mobilebert-ids.jsonl.gz"))
		check_file("sst2-dev-mobilebert-ids.jsonl.gz", 872, check_ids);
	check_file("squad-contexts.jsonl.gz", 2034, check_ids);
	check_file("section9.jsonl.gz", 33, check_ids);
	check_same_blob();
	check_added_tokens();
	free(vocab);
	mb_arena_free(&blobs);
	return done_testing();
}
