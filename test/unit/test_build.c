/*-------------------------------------------------------------------------
 *
 * test_build.c
 *	  Reading tokenizer files, the compiled block, hostile input and time.
 *
 * test_tokenizer.c holds the tokenizer against golden results; here are the
 * rules about files, what is refused, what damage does, and that time is
 * linear.
 *
 *-------------------------------------------------------------------------
 */
#include "tap.h"
#include "tokenizer/blob.h"
#include "tokenizer/tokenizer.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define VOCAB "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##a\nb\n##b\nab\nA\n.\n"

static mb_arena arena;
static mb_error err;

/* Build from texts (NULL: no such file) and open. */
static mb_status
build(const char *tokenizer_json, const char *vocab, const char *config,
	  const char *special_map, const char *added, mb_tokenizer *tokenizer)
{
	mb_tokenizer_files files;
	mb_status	status;
	void	   *blob;
	size_t		size;

	memset(&files, 0, sizeof(files));
#define DOCUMENT(field, value) \
	files.field.text = value, \
	files.field.length = value == NULL ? 0 : strlen(value)
	DOCUMENT(tokenizer_json, tokenizer_json);
	DOCUMENT(vocab_txt, vocab);
	DOCUMENT(tokenizer_config, config);
	DOCUMENT(special_tokens_map, special_map);
	DOCUMENT(added_tokens, added);
	memset(&err, 0, sizeof(err));
	status = mb_tokenizer_build(&files, &arena, NULL, &blob, &size, &err);
	if (status != MB_OK)
		return status;
	if (size % 64 != 0 || (uintptr_t) blob % 64 != 0)
		return MB_ERR_LIMIT;
	return mb_tokenizer_open(blob, size, tokenizer, &err);
}

/* Ids of a text as "1 2 3"; "error" when it cannot be tokenized. */
static const char *
ids_of(const mb_tokenizer *tokenizer, const char *text)
{
	static char out[1024];
	mb_pieces	pieces;
	size_t		at = 0;
	size_t		i;

	out[0] = '\0';
	if (mb_tokenize(tokenizer, text, strlen(text),
					tokenizer->split_special_tokens, &arena, NULL, &pieces,
					&err) != MB_OK)
		return "error";
	for (i = 0; i < pieces.count && at < sizeof(out) - 16; i++)
		at += (size_t) sprintf(out + at, "%s%d", i > 0 ? " " : "",
							   pieces.ids[i]);
	return out;
}

static bool
gives(const mb_tokenizer *tokenizer, const char *text, const char *ids)
{
	const char *got = ids_of(tokenizer, text);

	if (strcmp(got, ids) == 0)
		return true;
	printf("# \"%s\" gives \"%s\", not \"%s\"\n", text, got, ids);
	return false;
}

/*
 * vocab.txt and tokenizer_config.json
 */

static void
check_vocab_txt(void)
{
	mb_tokenizer t;

	ok(build(NULL, VOCAB, NULL, NULL, NULL, &t) == MB_OK &&
	   t.vocabulary_size == 12 && t.pad_id == 0 && t.unk_id == 1 &&
	   t.cls_id == 2 && t.sep_id == 3 && t.mask_id == 4 &&
	   t.template_single == 2 && t.template_pair == 3 &&
	   t.model_max_length == UINT64_MAX, "vocab.txt alone");
	ok(gives(&t, "ab aba AB [MASK] . x", "9 9 6 9 4 11 1"),
	   "lower case by default");
	ok(build(NULL, "[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\n[MASK]\r\na", NULL,
			 NULL, NULL, &t) == MB_OK && gives(&t, "a [SEP]", "5 3") &&
	   t.vocabulary_size == 6,
	   "lines may end in CR LF, and the last one need not end");
	ok(build(NULL, VOCAB "a\n", NULL, NULL, NULL, &t) == MB_OK &&
	   gives(&t, "a", "12"), "a repeated token takes its last id");
	ok(mb_token_text(&t, 5, &(size_t) {0}) == NULL &&
	   mb_token_text(&t, 12, &(size_t) {0}) != NULL,
	   "and its first id has no token");
	ok(build(NULL, VOCAB "\n a\n", NULL, NULL, NULL, &t) == MB_OK &&
	   t.vocabulary_size == 14 && mb_token_id(&t, " a", 2) == 13 &&
	   mb_token_id(&t, "", 0) == 12, "lines are not trimmed, and may be empty");
	ok(build(NULL, "", NULL, NULL, NULL, &t) == MB_ERR_DATA &&
	   build(NULL, "a\xff\n", NULL, NULL, NULL, &t) == MB_ERR_DATA &&
	   build(NULL, NULL, "{}", NULL, NULL, &t) == MB_ERR_DATA,
	   "no tokens, no UTF-8, no file");
	ok(build(NULL, "a\n", NULL, NULL, NULL, &t) == MB_OK &&
	   t.unk_id == -1 && gives(&t, "a", "0") && gives(&t, "x", "error") &&
	   strstr(err.message, "[UNK]") != NULL && gives(&t, "[SEP]", "2"),
	   "special tokens that are missing are added, but unknown words need one");
}

static void
check_config(void)
{
	mb_tokenizer t;

	ok(build(NULL, VOCAB, "{\"do_lower_case\": false}", NULL, NULL, &t) ==
	   MB_OK && gives(&t, "A a", "10 5"), "do_lower_case");
	ok(build(NULL, VOCAB, "{\"do_lower_case\": 0}", NULL, NULL, &t) ==
	   MB_OK && gives(&t, "A a", "10 5"), "as a number");
	ok(build(NULL, VOCAB, "{\"strip_accents\": false}", NULL, NULL, &t) ==
	   MB_OK && gives(&t, "\xc3\x81", "1") &&
	   build(NULL, VOCAB, "{\"strip_accents\": null}", NULL, NULL, &t) ==
	   MB_OK && gives(&t, "\xc3\x81", "5"), "strip_accents");
	ok(build(NULL, VOCAB, "{\"model_max_length\": 512, "
			 "\"padding_side\": \"left\", \"truncation_side\": \"left\", "
			 "\"clean_up_tokenization_spaces\": true, "
			 "\"pad_token_type_id\": 3, \"split_special_tokens\": true}",
			 NULL, NULL, &t) == MB_OK && t.model_max_length == 512 &&
	   t.pad_left && t.truncate_left && t.clean_up_spaces &&
	   t.pad_type_id == 3 && t.split_special_tokens &&
	   gives(&t, "[SEP]", "1 1 1"), "the other options");
	ok(build(NULL, VOCAB, "{\"model_max_length\": 1e30}", NULL, NULL, &t) ==
	   MB_OK && t.model_max_length == UINT64_MAX,
	   "model_max_length of 1e30 is none");
	ok(build(NULL, VOCAB, "{\"cls_token\": \"a\", \"mask_token\": null}", NULL,
			 NULL, &t) == MB_OK && t.cls_id == 5 && t.mask_id == -1,
	   "named tokens");
	ok(build(NULL, VOCAB, "{\"mask_token\": {\"content\": \"b\", "
			 "\"lstrip\": true}, \"additional_special_tokens\": [\"<x>\"], "
			 "\"extra_special_tokens\": {\"y\": \"<y>\"}}", NULL, NULL, &t) ==
	   MB_OK && t.mask_id == 7 && gives(&t, "a<x> b<y>", "5 12 7 13") &&
	   mb_token_special(&t, 12) && mb_token_special(&t, 13),
	   "further special tokens get the next ids");
	ok(build(NULL, VOCAB, "{\"added_tokens_decoder\": {\"13\": {\"content\": "
			 "\"zz\", \"normalized\": true}, \"12\": {\"content\": \"Yy\", "
			 "\"normalized\": true}}}", "{\"cls_token\": \"b\"}",
			 "{\"qq\": 12}", &t) == MB_OK && gives(&t, "zzyY", "13 12") &&
	   t.cls_id == 2 && mb_token_id(&t, "qq", 2) == -1,
	   "added_tokens_decoder, before which legacy files do not count");
	ok(build(NULL, VOCAB, NULL, "{\"cls_token\": \"b\"}",
			 "{\"Qq\": 12, \"b\": 7}", &t) == MB_OK && t.cls_id == 7 &&
	   gives(&t, "qQ", "12"), "legacy files");
}

/* Values of the wrong kind, each with the status it must give. */
static const char *const bad_configs[] = {
	"[]", "{", "{\"do_lower_case\": 2}", "{\"strip_accents\": \"no\"}",
	"{\"model_max_length\": \"512\"}", "{\"model_max_length\": -1}",
	"{\"padding_side\": \"middle\"}", "{\"cls_token\": 5}",
	"{\"cls_token\": {}}", "{\"cls_token\": null}",
	"{\"added_tokens_decoder\": []}",
	"{\"added_tokens_decoder\": {\"x\": {\"content\": \"a\"}}}",
	"{\"added_tokens_decoder\": {\"1\": 5}}",
	"{\"additional_special_tokens\": \"a\"}",
	"{\"additional_special_tokens\": [1]}", "{\"pad_token_type_id\": -1}",
};

static void
check_bad_configs(void)
{
	size_t		i;

	for (i = 0; i < sizeof(bad_configs) / sizeof(bad_configs[0]); i++)
	{
		mb_tokenizer t;

		ok(build(NULL, VOCAB, bad_configs[i], NULL, NULL, &t) == MB_ERR_DATA &&
		   err.message[0] != '\0', "refused: tokenizer_config.json %s: %s",
		   bad_configs[i], err.message);
	}
}

/*
 * tokenizer.json
 */

#define MODEL "\"model\": {\"type\": \"WordPiece\", \"vocab\": " \
	"{\"[UNK]\": 0, \"[CLS]\": 1, \"[SEP]\": 2, \"a\": 3, \"##a\": 4}}"
#define PRE "\"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"}"
#define TEMPLATE(single, pair) "\"post_processor\": " \
	"{\"type\": \"TemplateProcessing\", \"single\": [" single "], \"pair\": " \
	"[" pair "], \"special_tokens\": {\"C\": {\"id\": \"C\", \"ids\": [1, 2], " \
	"\"tokens\": [\"x\", \"y\"]}}}"
#define PIECE_A "{\"Sequence\": {\"id\": \"A\", \"type_id\": 1}}"
#define PIECE_B "{\"Sequence\": {\"id\": \"B\", \"type_id\": 2}}"
#define PIECE_C "{\"SpecialToken\": {\"id\": \"C\", \"type_id\": 3}}"

static void
check_tokenizer_json(void)
{
	mb_tokenizer t;
	mb_encode_options options;
	mb_encoding *windows;
	mb_pieces	first;
	mb_pieces	second;
	size_t		count;
	size_t		dropped;
	const int32_t ids[] = {3, 1, 2, 3, 4};
	const int32_t types[] = {2, 3, 3, 1, 1};

	ok(build("{" MODEL "," PRE "}", VOCAB, NULL, NULL, NULL, &t) == MB_OK &&
	   t.template_single == 0 && t.pad_id == 5 && gives(&t, "aA", "3 4"),
	   "tokenizer.json wins over vocab.txt");
	ok(build("{" MODEL "," PRE ", \"normalizer\": {\"type\": \"BertNormalizer\", "
			 "\"lowercase\": false}, \"padding\": {\"direction\": \"Left\", "
			 "\"pad_token\": \"a\", \"pad_type_id\": 1}, \"truncation\": "
			 "{\"direction\": \"Left\"}}", NULL,
			 "{\"do_lower_case\": false}", NULL, NULL, &t) ==
	   MB_OK && gives(&t, "A", "0") && t.pad_left && t.truncate_left &&
	   t.pad_id == 3 && t.pad_type_id == 1,
	   "its normalizer, and what seeds attributes");
	ok(build("{" MODEL "," PRE ", \"normalizer\": {\"type\": \"BertNormalizer\", "
			 "\"lowercase\": false}}", NULL, "{\"do_lower_case\": true}", NULL,
			 NULL, &t) == MB_OK && gives(&t, "A", "3") &&
	   build("{" MODEL "," PRE ", \"normalizer\": {\"type\": \"BertNormalizer\", "
			 "\"lowercase\": false}}", NULL, "{\"do_lower_case\": true, "
			 "\"tokenizer_class\": \"PreTrainedTokenizerFast\"}", NULL, NULL,
			 &t) == MB_OK && gives(&t, "A", "0") && t.pad_id == -1 &&
	   !t.no_types,
	   "tokenizer_config.json wins, but not in the generic class");
	ok(build("{" MODEL "," PRE ", \"normalizer\": {\"type\": \"BertNormalizer\", "
			 "\"lowercase\": false}}", NULL, "{\"do_lower_case\": true, "
			 "\"tokenizer_class\": \"TokenizersBackend\"}", NULL, NULL,
			 &t) == MB_OK && gives(&t, "A", "0") && t.no_types,
	   "transformers 5's generic class gives no token types");
	ok(build("{\"model\": {\"unk_token\": \"u\", "
			 "\"continuing_subword_prefix\": \"\", "
			 "\"max_input_chars_per_word\": 3, \"vocab\": "
			 "{\"u\": 9, \"a\": 2, \"a\": 7}}," PRE "}", NULL, NULL, NULL,
			 NULL, &t) == MB_OK && gives(&t, "aaa aaaa", "7 7 7 9") &&
	   t.vocabulary_size == 10 && mb_token_id(&t, "[PAD]", 5) == 4,
	   "options of the model, ids that are not dense");

	/* B C A: a general template, and overflow with B as the outer text */
	ok(build("{" MODEL "," PRE "," TEMPLATE(PIECE_A, PIECE_B "," PIECE_C ","
											PIECE_A) "}",
			 NULL, NULL, NULL, NULL, &t) == MB_OK && t.template_single == 0 &&
	   t.template_pair == 2, "a general template builds");
	mb_encode_defaults(&t, &options);
	ok(mb_tokenize(&t, "aa", 2, false, &arena, NULL, &first, &err) == MB_OK &&
	   mb_tokenize(&t, "a", 1, false, &arena, NULL, &second, &err) == MB_OK &&
	   mb_encode(&t, &first, &second, &options, &arena, NULL, &windows, &count,
				 &dropped, &err) == MB_OK && count == 1 && dropped == 0 &&
	   windows->length == 5 && memcmp(windows->ids, ids, 20) == 0 &&
	   memcmp(windows->types, types, 20) == 0, "and is followed");
	options.truncation = MB_TRUNCATE_LONGEST_FIRST;
	options.max_length = 4;
	ok(mb_encode(&t, &first, &second, &options, &arena, NULL, &windows, &count,
				 &dropped, &err) == MB_OK && count == 1 && dropped == 1 &&
	   windows->length == 4, "without overflow only the first window is made");
}

/* Each with the status it must give. */
static const struct
{
	mb_status	status;
	const char *text;
}			bad_json[] = {
	{MB_ERR_DATA, "[]"},
	{MB_ERR_DATA, "{}"},
	{MB_ERR_DATA, "{" PRE "}"},
	{MB_ERR_UNSUPPORTED, "{\"version\": \"2.0\"," MODEL "," PRE "}"},
	{MB_ERR_UNSUPPORTED, "{" MODEL "}"},
	{MB_ERR_UNSUPPORTED, "{" MODEL ", \"pre_tokenizer\": "
		"{\"type\": \"Whitespace\"}}"},
	{MB_ERR_UNSUPPORTED, "{" MODEL ", \"pre_tokenizer\": {\"type\": "
		"\"Sequence\", \"pretokenizers\": [{\"type\": \"BertPreTokenizer\"}]}}"},
	{MB_ERR_UNSUPPORTED, "{" MODEL "," PRE ", \"normalizer\": "
	"{\"type\": \"NFC\"}}"},
	{MB_ERR_DATA, "{" MODEL "," PRE ", \"normalizer\": {}}"},
	{MB_ERR_DATA, "{" MODEL "," PRE ", \"normalizer\": "
	"{\"type\": \"BertNormalizer\", \"lowercase\": \"x\"}}"},
	{MB_ERR_UNSUPPORTED, "{" MODEL "," PRE ", \"decoder\": "
	"{\"type\": \"BPEDecoder\"}}"},
	{MB_ERR_UNSUPPORTED, "{" MODEL "," PRE ", \"post_processor\": "
	"{\"type\": \"ByteLevel\"}}"},
	{MB_ERR_DATA, "{" MODEL "," PRE ", \"post_processor\": "
		"{\"type\": \"BertProcessing\", \"sep\": [1, 2], \"cls\": [\"a\", 1]}}"},
	{MB_ERR_DATA, "{" MODEL "," PRE ", \"post_processor\": "
	"{\"type\": \"BertProcessing\"}}"},
	{MB_ERR_UNSUPPORTED, "{" MODEL "," PRE "," TEMPLATE("", PIECE_A) "}"},
	{MB_ERR_UNSUPPORTED, "{" MODEL "," PRE "," TEMPLATE(PIECE_A, PIECE_A) "}"},
	{MB_ERR_UNSUPPORTED, "{" MODEL "," PRE ","
		TEMPLATE(PIECE_A, PIECE_A "," PIECE_B "," PIECE_B) "}"},
	{MB_ERR_DATA, "{" MODEL "," PRE "," TEMPLATE("{}", PIECE_A) "}"},
	{MB_ERR_DATA, "{" MODEL "," PRE ","
		TEMPLATE("{\"Sequence\": {\"id\": \"C\"}}", PIECE_A) "}"},
	{MB_ERR_DATA, "{" MODEL "," PRE ","
		TEMPLATE("{\"SpecialToken\": {\"id\": \"D\"}}", PIECE_A) "}"},
	{MB_ERR_UNSUPPORTED, "{\"model\": {\"type\": \"BPE\", \"vocab\": "
	"{\"a\": 0}}," PRE "}"},
	{MB_ERR_UNSUPPORTED, "{\"model\": {\"merges\": [], \"vocab\": "
	"{\"a\": 0}}," PRE "}"},
	{MB_ERR_DATA, "{\"model\": {\"vocab\": [[\"a\", 0]]}," PRE "}"},
	{MB_ERR_DATA, "{\"model\": {\"vocab\": {}}," PRE "}"},
	{MB_ERR_DATA, "{\"model\": {\"vocab\": {\"a\": -1}}," PRE "}"},
	{MB_ERR_DATA, "{\"model\": {\"vocab\": {\"a\": 1.5}}," PRE "}"},
	{MB_ERR_DATA, "{\"model\": {\"vocab\": {\"a\": 4294967296}}," PRE "}"},
	{MB_ERR_LIMIT, "{\"model\": {\"vocab\": {\"a\": 2147483647}}," PRE "}"},
	{MB_ERR_DATA, "{\"model\": {\"max_input_chars_per_word\": -1, "
	"\"vocab\": {\"a\": 0}}," PRE "}"},
	{MB_ERR_DATA, "{" MODEL "," PRE ", \"added_tokens\": {}}"},
	{MB_ERR_DATA, "{" MODEL "," PRE ", \"added_tokens\": [{\"id\": 5}]}"},
	{MB_ERR_DATA, "{" MODEL "," PRE ", \"truncation\": 5}"},
};

static void
check_bad_json(void)
{
	size_t		i;

	for (i = 0; i < sizeof(bad_json) / sizeof(bad_json[0]); i++)
	{
		mb_tokenizer t;

		ok(build(bad_json[i].text, VOCAB, NULL, NULL, NULL, &t) ==
		   bad_json[i].status && err.message[0] != '\0',
		   "refused: tokenizer.json %zu: %s", i, err.message);
	}
}

/* "single" and "pair" whose special token stands for this many ids. */
static mb_status
build_template(int ids)
{
	char	   *text = malloc(1024 + 2 * (size_t) ids);
	char	   *out = text;
	mb_tokenizer t;
	mb_status	status;
	int			i;

	out += sprintf(out, "{" MODEL "," PRE ", \"post_processor\": {\"type\": "
				   "\"TemplateProcessing\", \"single\": [" PIECE_A "," PIECE_C
				   "], \"pair\": [" PIECE_A "," PIECE_B "], "
				   "\"special_tokens\": {\"C\": {\"ids\": [1");
	for (i = 1; i < ids; i++)
		out += sprintf(out, ",1");
	sprintf(out, "]}}}}");
	status = build(text, NULL, NULL, NULL, NULL, &t);
	free(text);
	return status;
}

static void
check_template_limit(void)
{
	ok(build_template(1024) == MB_OK, "a template of 1024 tokens");
	ok(build_template(1025) == MB_ERR_LIMIT &&
	   strcmp(err.message, "template in \"tokenizer.json\" adds more than "
			  "1024 tokens") == 0, "refused: one of 1025");
}

/*
 * Templates in every order
 */

#define TEMPLATE_CASES 8

/* What is encoded; room: tokens of a window beside the template's. */
static const struct
{
	const char *first;
	const char *second;			/* NULL: a single text */
	mb_truncation truncation;
	size_t		room;
	size_t		stride;
	bool		left;
}			template_cases[TEMPLATE_CASES] = {
	{"a b c d e f g", NULL, MB_TRUNCATE_LONGEST_FIRST, 3, 1, false},
	{"a b c d e f g", NULL, MB_TRUNCATE_LONGEST_FIRST, 3, 0, true},
	{"x y z", "a b c d e f g", MB_TRUNCATE_ONLY_SECOND, 6, 1, false},
	{"a b c d e f g", "x y z", MB_TRUNCATE_ONLY_FIRST, 6, 1, true},
	{"x y z", "a b c", MB_TRUNCATE_LONGEST_FIRST, 4, 0, false},
	{"", NULL, MB_TRUNCATE_NONE, 0, 0, false},
	{"", "a b", MB_TRUNCATE_NONE, 0, 0, false},
	{"x y z", "", MB_TRUNCATE_NONE, 0, 0, false},
};

/*
 * Windows of each case as tokenizers 0.22.2 gives them: a letter of a text, or
 * C, S, M for a special token, and the type.
 */
static const struct
{
	const char *single;
	const char *pair;
	const char *windows[TEMPLATE_CASES];
}			template_orders[] = {
	{"C0 A0 S0", "C0 A0 S0 B1 S1", {
		"C0 a0 b0 c0 S0 / C0 c0 d0 e0 S0 / C0 e0 f0 g0 S0",
		"C0 e0 f0 g0 S0 / C0 b0 c0 d0 S0 / C0 a0 S0",
		"C0 x0 y0 z0 S0 a1 b1 c1 S1 / C0 x0 y0 z0 S0 c1 d1 e1 S1 / C0 x0 y0 z0 S0 e1 f1 g1 S1",
		"C0 e0 f0 g0 S0 x1 y1 z1 S1 / C0 c0 d0 e0 S0 x1 y1 z1 S1 / C0 a0 b0 c0 S0 x1 y1 z1 S1",
		"C0 x0 y0 S0 a1 b1 S1 / C0 z0 S0 a1 b1 S1 / C0 z0 S0 c1 S1 / C0 x0 y0 S0 c1 S1",
		"C0 S0",
		"C0 S0 a1 b1 S1",
		"C0 x0 y0 z0 S0 S1"
	}},
	{"C0 A0 S0", "C0 B0 S0 A1 S1", {
		"C0 a0 b0 c0 S0 / C0 c0 d0 e0 S0 / C0 e0 f0 g0 S0",
		"C0 e0 f0 g0 S0 / C0 b0 c0 d0 S0 / C0 a0 S0",
		"C0 a0 b0 c0 S0 x1 y1 z1 S1 / C0 c1 d1 e1 S0 x1 y1 z1 S1 / C0 e1 f1 g1 S0 x1 y1 z1 S1",
		"C0 x0 y0 z0 S0 e1 f1 g1 S1 / C0 x0 y0 z0 S0 c0 d0 e0 S1 / C0 x0 y0 z0 S0 a0 b0 c0 S1",
		"C0 a0 b0 S0 x1 y1 S1 / C0 c1 S0 x1 y1 S1 / C0 c1 S0 z0 S1 / C0 a0 b0 S0 z0 S1",
		"C0 S0",
		"C0 a0 b0 S0 S1",
		"C0 S0 x1 y1 z1 S1"
	}},
	{"C1 A1 S1", "C1 A1 S1 B0 S0", {
		"C1 a1 b1 c1 S1 / C1 c0 d0 e0 S1 / C1 e0 f0 g0 S1",
		"C1 e1 f1 g1 S1 / C1 b0 c0 d0 S1 / C1 a0 S1",
		"C1 x1 y1 z1 S1 a0 b0 c0 S0 / C1 x1 y1 z1 S1 c1 d1 e1 S0 / C1 x1 y1 z1 S1 e1 f1 g1 S0",
		"C1 e1 f1 g1 S1 x0 y0 z0 S0 / C1 c0 d0 e0 S1 x0 y0 z0 S0 / C1 a0 b0 c0 S1 x0 y0 z0 S0",
		"C1 x1 y1 S1 a0 b0 S0 / C1 z0 S1 a0 b0 S0 / C1 z0 S1 c1 S0 / C1 x1 y1 S1 c1 S0",
		"C1 S1",
		"C1 S1 a0 b0 S0",
		"C1 x1 y1 z1 S1 S0"
	}},
	{"S0 A1 C0", "C1 B1 S1 A0 S0", {
		"S0 a1 b1 c1 C0 / S0 c0 d0 e0 C0 / S0 e0 f0 g0 C0",
		"S0 e1 f1 g1 C0 / S0 b0 c0 d0 C0 / S0 a0 C0",
		"C1 a1 b1 c1 S1 x0 y0 z0 S0 / C1 c1 d1 e1 S1 x0 y0 z0 S0 / C1 e1 f1 g1 S1 x0 y0 z0 S0",
		"C1 x1 y1 z1 S1 e0 f0 g0 S0 / C1 x1 y1 z1 S1 c0 d0 e0 S0 / C1 x1 y1 z1 S1 a0 b0 c0 S0",
		"C1 a1 b1 S1 x0 y0 S0 / C1 c1 S1 x0 y0 S0 / C1 c1 S1 z0 S0 / C1 a1 b1 S1 z0 S0",
		"S0 C0",
		"C1 a1 b1 S1 S0",
		"C1 S1 x0 y0 z0 S0"
	}},
	{"A0 S0 C1", "B1 S0 A0 S0 C1", {
		"a0 b0 c0 S0 C1 / c0 d0 e0 S0 C1 / e0 f0 g0 S0 C1",
		"e0 f0 g0 S0 C1 / b0 c0 d0 S0 C1 / a0 S0 C1",
		"a1 b1 c1 S0 x0 y0 z0 S0 C1 / c1 d1 e1 S0 x0 y0 z0 S0 C1 / e1 f1 g1 S0 x0 y0 z0 S0 C1",
		"x1 y1 z1 S0 e0 f0 g0 S0 C1 / x1 y1 z1 S0 c0 d0 e0 S0 C1 / x1 y1 z1 S0 a0 b0 c0 S0 C1",
		"a1 b1 S0 x0 y0 S0 C1 / c1 S0 x0 y0 S0 C1 / c1 S0 z0 S0 C1 / a1 b1 S0 z0 S0 C1",
		"S0 C1",
		"a1 b1 S0 S0 C1",
		"S0 x0 y0 z0 S0 C1"
	}},
	{"S0 C1 A1 S0 S1 S0", "C0 S1 B1 S0 M0 S1 A0", {
		"S0 C1 a1 b1 c1 S0 S1 S0 / S0 C1 c0 d0 e0 S0 S1 S0 / S0 C1 e0 f0 g0 S0 S1 S0",
		"S0 C1 e1 f1 g1 S0 S1 S0 / S0 C1 b0 c0 d0 S0 S1 S0 / S0 C1 a0 S0 S1 S0",
		"C0 S1 a1 b1 c1 S0 M0 S1 x0 y0 z0 / C0 S1 c1 d1 e1 S0 M0 S1 x0 y0 z0 / C0 S1 e1 f1 g1 S0 M0 S1 x0 y0 z0",
		"C0 S1 x1 y1 z1 S0 M0 S1 e0 f0 g0 / C0 S1 x1 y1 z1 S0 M0 S1 c0 d0 e0 / C0 S1 x1 y1 z1 S0 M0 S1 a0 b0 c0",
		"C0 S1 a1 b1 S0 M0 S1 x0 y0 / C0 S1 c1 S0 M0 S1 x0 y0 / C0 S1 c1 S0 M0 S1 z0 / C0 S1 a1 b1 S0 M0 S1 z0",
		"S0 C1 S0 S1 S0",
		"C0 S1 a1 b1 S0 M0 S1",
		"C0 S1 S0 M0 S1 x0 y0 z0"
	}},
	{"A0", "A0 B1", {
		"a0 b0 c0 / c0 d0 e0 / e0 f0 g0",
		"e0 f0 g0 / b0 c0 d0 / a0",
		"x0 y0 z0 a1 b1 c1 / x0 y0 z0 c1 d1 e1 / x0 y0 z0 e1 f1 g1",
		"e0 f0 g0 x1 y1 z1 / c0 d0 e0 x1 y1 z1 / a0 b0 c0 x1 y1 z1",
		"x0 y0 a1 b1 / z0 a1 b1 / z0 c1 / x0 y0 c1",
		"",
		"a1 b1",
		"x0 y0 z0"
	}},
	{"A1", "B1 A1", {
		"a1 b1 c1 / c0 d0 e0 / e0 f0 g0",
		"e1 f1 g1 / b0 c0 d0 / a0",
		"a1 b1 c1 x1 y1 z1 / c1 d1 e1 x1 y1 z1 / e1 f1 g1 x1 y1 z1",
		"x1 y1 z1 e1 f1 g1 / x1 y1 z1 c0 d0 e0 / x1 y1 z1 a0 b0 c0",
		"a1 b1 x1 y1 / c1 x1 y1 / c1 z0 / a1 b1 z0",
		"",
		"a1 b1",
		"x1 y1 z1"
	}},
};

/* Token i of the vocabulary below, as a letter. */
static const char template_letters[] = "UCSMabcdefgxyz";

static char *
put_template(char *out, const char *template)
{
	for (; *template != '\0'; template += template[2] == ' ' ? 3 : 2)
	{
		const char *form = strchr("AB", template[0]) != NULL ?
			"%s{\"Sequence\": {\"id\": \"%c\", \"type_id\": %c}}" :
			"%s{\"SpecialToken\": {\"id\": \"%c\", \"type_id\": %c}}";

		out += sprintf(out, form, out[-1] == '[' ? "" : ", ", template[0],
					   template[1]);
	}
	return out;
}

/* A tokenizer of one-letter words with these templates. */
static mb_status
build_order(const char *single, const char *pair, mb_tokenizer *t)
{
	char		text[4096];
	char	   *out = text;
	int			i;

	out += sprintf(out, "{\"model\": {\"type\": \"WordPiece\", "
				   "\"unk_token\": \"U\", \"vocab\": {");
	for (i = 0; template_letters[i] != '\0'; i++)
		out += sprintf(out, "%s\"%c\": %d", i > 0 ? ", " : "",
					   template_letters[i], i);
	out += sprintf(out, "}}," PRE ", \"post_processor\": {\"type\": "
				   "\"TemplateProcessing\", \"single\": [");
	out = put_template(out, single);
	out += sprintf(out, "], \"pair\": [");
	out = put_template(out, pair);
	sprintf(out, "], \"special_tokens\": {\"C\": {\"ids\": [1]}, "
			"\"S\": {\"ids\": [2]}, \"M\": {\"ids\": [3]}}}}");
	return build(text, NULL, NULL, NULL, NULL, t);
}

/* A window as in the table; '!' after a token of which more is wrong. */
static char *
put_order(char *out, const mb_encoding *window, const char *const *texts)
{
	size_t		i;

	for (i = 0; i < window->length; i++)
	{
		char		letter = template_letters[window->ids[i]];
		int			text = strchr("CSM", letter) != NULL ? -1 :
			strchr(texts[0], letter) != NULL ? 0 : 1;
		int32_t		start = text < 0 ? 0 :
			(int32_t) (strchr(texts[text], letter) - texts[text]);

		out += sprintf(out, "%s%c%d", i > 0 ? " " : "", letter,
					   window->types[i]);
		if (window->sequences[i] != text ||
			window->special[i] != (text < 0) ||
			window->starts[i] != start ||
			window->ends[i] != (text < 0 ? 0 : start + 1) ||
			window->words[i] != (text < 0 ? -1 : start / 2))
			*out++ = '!';
	}
	*out = '\0';
	return out;
}

/* The range of pieces that a window has of a text. */
static mb_pieces
range_of(const mb_pieces *pieces, const mb_encoding *window, int text)
{
	mb_pieces	range = *pieces;
	size_t		start = 0;
	size_t		i;

	range.count = 0;
	for (i = 0; i < window->length; i++)
	{
		if (window->sequences[i] == text && range.count++ == 0)
			start = (size_t) window->words[i];
	}
	range.ids += start;
	range.starts += start;
	range.ends += start;
	range.words += start;
	return range;
}

/*
 * A case with one template; and each of its windows laid out by itself, from
 * the ranges of the texts that it has.
 */
static bool
check_order(const mb_tokenizer *t, int n, const char *expected)
{
	const char *texts[2] = {template_cases[n].first, template_cases[n].second};
	size_t		added = texts[1] != NULL ? t->template_pair : t->template_single;
	mb_encode_options options;
	mb_encoding *windows;
	mb_pieces	pieces[2];
	const int32_t *begin[2] = {NULL, NULL};
	char		got[1024] = "";
	char		alone[1024] = "";
	char	   *out = got;
	char	   *out_alone = alone;
	size_t		count;
	size_t		i;
	int			text;

	for (text = 0; text < (texts[1] != NULL ? 2 : 1); text++)
	{
		if (mb_tokenize(t, texts[text], strlen(texts[text]), false, &arena,
						NULL, &pieces[text], &err) != MB_OK)
			return false;
	}
	mb_encode_defaults(t, &options);
	options.truncation = template_cases[n].truncation;
	options.stride = template_cases[n].stride;
	options.truncate_left = template_cases[n].left;
	options.overflow = true;
	if (template_cases[n].room > 0)
		options.max_length = template_cases[n].room + added;
	if (mb_encode(t, &pieces[0], texts[1] != NULL ? &pieces[1] : NULL,
				  &options, &arena, NULL, &windows, &count, NULL,
				  &err) != MB_OK)
		return false;
	for (i = 0; i < count; i++)
	{
		mb_pieces	ranges[2];
		mb_encoding *window;
		size_t		one;

		out += sprintf(out, "%s", i > 0 ? " / " : "");
		out = put_order(out, &windows[i], texts);

		mb_encode_defaults(t, &options);
		for (text = 0; text < (texts[1] != NULL ? 2 : 1); text++)
		{
			ranges[text] = range_of(&pieces[text], &windows[i], text);
			if (i == 0)
				begin[text] = ranges[text].ids;
			options.later[text] = ranges[text].ids != begin[text];
		}
		if (mb_encode(t, &ranges[0], texts[1] != NULL ? &ranges[1] : NULL,
					  &options, &arena, NULL, &window, &one, NULL,
					  &err) != MB_OK || one != 1)
			return false;
		out_alone += sprintf(out_alone, "%s", i > 0 ? " / " : "");
		out_alone = put_order(out_alone, window, texts);
	}
	if (strcmp(got, expected) == 0 && strcmp(alone, expected) == 0)
		return true;
	printf("# %s\n# %s\n# not %s\n", got, alone, expected);
	return false;
}

static void
check_orders(void)
{
	size_t		i;
	int			n;

	for (i = 0; i < sizeof(template_orders) / sizeof(template_orders[0]); i++)
	{
		mb_tokenizer t;
		bool		built = build_order(template_orders[i].single,
										template_orders[i].pair, &t) == MB_OK;

		for (n = 0; n < TEMPLATE_CASES; n++)
			ok(built && check_order(&t, n, template_orders[i].windows[n]),
			   "templates %s, %s: case %d", template_orders[i].single,
			   template_orders[i].pair, n);
	}
}

/*
 * Arguments of mb_encode that are refused, and text that is not UTF-8
 */
static void
check_arguments(void)
{
	mb_tokenizer t;
	mb_encode_options options;
	mb_encoding *windows;
	mb_pieces	pieces;
	size_t		count;

	ok(build(NULL, VOCAB, NULL, NULL, NULL, &t) == MB_OK &&
	   mb_tokenize(&t, "a\xc0\x80", 3, false, &arena, NULL, &pieces, &err) ==
	   MB_ERR_DATA, "text that is not UTF-8");
	mb_tokenize(&t, "a b a b a b", 11, false, &arena, NULL, &pieces, &err);
	mb_encode_defaults(&t, &options);
	options.truncation = MB_TRUNCATE_ONLY_SECOND;
	options.max_length = 5;
#define ENCODE() mb_encode(&t, &pieces, NULL, &options, &arena, NULL, \
						   &windows, &count, NULL, &err)
	ok(ENCODE() == MB_ERR_ARGUMENT, "only_second of one text");
	options.truncation = MB_TRUNCATE_ONLY_FIRST;
	options.stride = 3;
	ok(ENCODE() == MB_ERR_ARGUMENT, "stride as large as the room");
	options.stride = 2;
	options.overflow = true;
	ok(ENCODE() == MB_OK && count == 4, "stride less than the room");
	options.padding = MB_PAD_MAX_LENGTH;
	options.pad_to_multiple_of = 4;
	ok(ENCODE() == MB_ERR_ARGUMENT, "max_length no multiple");
	options.truncation = MB_TRUNCATE_NONE;
	options.max_length = 9;
	ok(ENCODE() == MB_OK && count == 1 && windows->length == 12,
	   "padded to a multiple");
	options.pad_to_multiple_of = SIZE_MAX;
	ok(ENCODE() == MB_ERR_LIMIT, "padding that no memory holds");
	t.pad_id = -1;
	ok(ENCODE() == MB_ERR_ARGUMENT, "padding without a token for it");
}

/*
 * Damage: a block that opens must not lead outside of it, whatever is in it.
 * The sanitized build of this test is what proves it.
 */
static void
use_all(const mb_tokenizer *t)
{
	static const char text[] =
	"ab aba Zz [MASK] x\xcc\x81 . <x>  <x> \xe4\xb8\xad";
	static const int32_t ids[] = {0, 1, 5, 6, 9, 11, 12, 13, -1, 1 << 30};
	mb_arena	own;
	mb_pieces	pieces;
	mb_encode_options options;
	mb_encoding *windows;
	mb_error	error;
	size_t		count;
	char	   *back;
	size_t		length;

	mb_arena_init(&own, &mb_libc_memory, 64 << 20);
	mb_encode_defaults(t, &options);
	options.truncation = MB_TRUNCATE_LONGEST_FIRST;
	options.max_length = 6;
	options.overflow = true;
	if (mb_tokenize(t, text, sizeof(text) - 1, false, &own, NULL, &pieces,
					&error) == MB_OK)
		mb_encode(t, &pieces, &pieces, &options, &own, NULL, &windows, &count,
				  NULL, &error);
	mb_decode(t, ids, sizeof(ids) / sizeof(ids[0]), false, true, &own, NULL,
			  &back, &length, &error);
	mb_token_id(t, "ab", 2);
	mb_arena_free(&own);
}

static void
check_damage(void)
{
	mb_tokenizer t;
	mb_tokenizer damaged;
	uint64_t	random = 12345;
	uint8_t    *copy;
	size_t		opened = 0;
	size_t		refused = 0;
	size_t		i;

	ok(build(NULL, VOCAB, "{\"added_tokens_decoder\": {\"12\": {\"content\": "
			 "\"zz\", \"normalized\": true}, \"13\": {\"content\": \"<x>\", "
			 "\"lstrip\": true, \"rstrip\": true, \"normalized\": false}}}",
			 NULL, NULL, &t) == MB_OK, "a block to damage");
	copy = malloc(t.size);
	memcpy(copy, t.blob, t.size);
	ok(mb_tokenizer_open(copy, t.size, &damaged, &err) == MB_OK,
	   "the copy opens elsewhere");
	for (i = 0; i < t.size; i++)
	{
		uint8_t    *cut = malloc(i + 1);

		memcpy(cut, t.blob, i);
		refused += mb_tokenizer_open(cut, i, &damaged, &err) != MB_OK;
		free(cut);
	}
	ok(refused == t.size, "every shorter block is refused");
	for (i = 0; i < 4 * t.size; i++)
	{
		size_t		at = i % t.size;

		random = random * 6364136223846793005u + 1442695040888963407u;
		memcpy(copy, t.blob, t.size);
		copy[at] = (uint8_t) (random >> 56);
		if (i / t.size >= 2)	/* a whole word */
			memset(copy + at / 4 * 4, i / t.size == 2 ? 0xff : 0x7f, 4);
		if (mb_tokenizer_open(copy, t.size, &damaged, &err) != MB_OK)
			continue;
		opened++;
		use_all(&damaged);
	}
	ok(opened > 0, "%zu of %zu damaged blocks open and do no harm", opened,
	   4 * t.size);
	memcpy(copy, t.blob, t.size);
	copy[0] ^= 1;
	ok(mb_tokenizer_open(copy, t.size, &damaged, &err) == MB_ERR_DATA &&
	   mb_tokenizer_open(NULL, 0, &damaged, &err) == MB_ERR_ARGUMENT,
	   "wrong magic, no block");
	free(copy);
}

/* Files cut short or with a byte changed give an error or a tokenizer. */
static void
check_damaged_files(void)
{
	static const char text[] = "{\"version\": \"1.0\"," MODEL "," PRE ","
	TEMPLATE(PIECE_C "," PIECE_A, PIECE_A "," PIECE_C "," PIECE_B) ","
	"\"added_tokens\": [{\"id\": 9, \"content\": \"<x>\", \"special\": true}]}";
	const size_t length = sizeof(text) - 1;
	uint64_t	random = 99;
	char	   *copy = malloc(length + 1);
	size_t		built = 0;
	size_t		i;

	for (i = 0; i < 3 * length; i++)
	{
		mb_tokenizer t;

		memcpy(copy, text, length + 1);
		random = random * 6364136223846793005u + 1442695040888963407u;
		if (i < length)
			copy[i] = '\0';
		else
			copy[i % length] = (char) (random >> 57);
		if (build(copy, NULL, NULL, NULL, NULL, &t) == MB_OK)
		{
			built++;
			use_all(&t);
		}
	}
	ok(built > 0 && built < 2 * length,
	   "%zu of %zu damaged files build a tokenizer", built, 3 * length);
	free(copy);
}

/*
 * Time
 */

static char *
repeat(const char *unit, size_t length)
{
	char	   *text = malloc(length + 1);
	size_t		n = strlen(unit);
	size_t		i;

	for (i = 0; i + n <= length; i += n)
		memcpy(text + i, unit, n);
	memset(text + i, ' ', length - i);
	text[length] = '\0';
	return text;
}

/* Memory that counts: bytes held now, and the most there were. */
typedef struct meter
{
	size_t		held;
	size_t		most;
} meter;

static void *
metered_alloc(void *context, size_t size)
{
	meter	   *m = context;
	size_t	   *block = malloc(size + 16);

	if (block == NULL)
		return NULL;
	*block = size;
	m->held += size;
	if (m->most < m->held)
		m->most = m->held;
	return (char *) block + 16;
}

static void
metered_release(void *context, void *pointer)
{
	size_t	   *block = (size_t *) ((char *) pointer - 16);

	((meter *) context)->held -= *block;
	free(block);
}

/* Seconds, the best of three; negative when it fails. */
static double
seconds_for(const mb_tokenizer *t, const char *unit, size_t length,
			size_t *memory)
{
	char	   *text = repeat(unit, length);
	double		best = 1e9;
	int			i;

	for (i = 0; i < 3; i++)
	{
		meter		m = {0, 0};
		const mb_memory metered = {metered_alloc, metered_release, &m};
		mb_arena	own;
		mb_pieces	pieces;
		clock_t		start = clock();
		mb_status	status;
		double		seconds;

		mb_arena_init(&own, &metered, SIZE_MAX);
		status = mb_tokenize(t, text, length, false, &own, NULL, &pieces,
							 &err);
		seconds = (double) (clock() - start) / CLOCKS_PER_SEC;
		mb_arena_free(&own);
		*memory = m.held > 0 ? SIZE_MAX : m.most;
		if (status != MB_OK)
			best = -1;
		else if (seconds < best)
			best = seconds;
	}
	free(text);
	return best;
}

static void
check_linear(const mb_tokenizer *t, const char *name, const char *unit)
{
	const size_t small = 64 * 1024;
	const size_t large = 1024 * 1024;
	size_t		memory = 0;
	double		short_time = seconds_for(t, unit, small, &memory);
	double		long_time = seconds_for(t, unit, large, &memory);

	/* 16 times the text; quadratic time would be 256 times as long */
	ok(short_time >= 0 && long_time >= 0 &&
	   long_time < 80 * (short_time + 0.0005),
	   "%s: a megabyte takes linear time", name);
	ok(memory <= 64 * large, "%s: and %.1f bytes for each of it", name,
	   (double) memory / (double) large);
}

/* Added tokens "aaa...ab" and "aaa...a" long enough to make restarts hurt. */
static char *
hostile_config(size_t length, bool normalized)
{
	char	   *a = repeat("a", length);
	char	   *config = malloc(4 * length + 1024);

	sprintf(config, "{\"added_tokens_decoder\": {"
			"\"12\": {\"content\": \"%sb\", \"normalized\": %s}, "
			"\"13\": {\"content\": \" \", \"rstrip\": true, \"lstrip\": true, "
			"\"normalized\": %s}, \"14\": {\"content\": \"a.\", "
			"\"single_word\": true, \"normalized\": %s}}}", a,
			normalized ? "true" : "false", normalized ? "true" : "false",
			normalized ? "true" : "false");
	free(a);
	return config;
}

static void
check_time(void)
{
	static const struct
	{
		const char *name;
		const char *unit;
	}			texts[] = {
		{"one word", "a"}, {"words", "ab "}, {"punctuation", "."},
		{"half a special token", "[MASK"}, {"special tokens", "[MASK]"},
		{"marks", "\xcc\x81"}, {"mixed marks", "\xcc\x81\xcc\x96"},
		{"ideographs", "\xe4\xb8\xad"}, {"Hangul", "\xed\x95\x9c"},
		{"white space", " "}, {"unknown words", "xyz "},
		{"decompositions", "\xe1\xbe\x82"},
	};
	mb_tokenizer t;
	char	   *config;
	size_t		i;
	int			normalized;

	build(NULL, VOCAB, NULL, NULL, NULL, &t);
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		check_linear(&t, texts[i].name, texts[i].unit);
	for (normalized = 0; normalized < 2; normalized++)
	{
		const char *kind = normalized ? "normalized" : "raw";
		char		name[100];

		config = hostile_config(20000, normalized == 1);
		ok(build(NULL, VOCAB, config, NULL, NULL, &t) == MB_OK,
		   "hostile added tokens, %s: build", kind);
		free(config);
		snprintf(name, sizeof(name), "almost a long added token, %s", kind);
		check_linear(&t, name, "a");
		snprintf(name, sizeof(name), "white space as a token, %s", kind);
		check_linear(&t, name, " ");
		snprintf(name, sizeof(name), "rejected single words, %s", kind);
		check_linear(&t, name, "aa.");
	}
}

/*
 * The pattern of an added token is damaged to end inside a character: no match,
 * or what follows would be read as a character that it is not, beyond the end.
 */
static void
check_cut_pattern(void)
{
	static const char config[] = "{\"added_tokens_decoder\": {\"12\": "
	"{\"content\": \"\xc3\xa9\", \"normalized\": false}}}";
	mb_tokenizer t;
	mb_tokenizer damaged;
	mb_blob		view;
	mb_pieces	pieces;
	char	   *copy;
	char	   *text = malloc(2);
	uint32_t	i;
	int			cut = 0;

	memcpy(text, "\xc3\xa9", 2);
	ok(build(NULL, VOCAB, config, NULL, NULL, &t) == MB_OK &&
	   gives(&t, "\xc3\xa9", "12"), "an added token of two bytes");
	copy = mb_arena_alloc(&arena, t.size, 1);
	memcpy(copy, t.blob, t.size);
	ok(mb_tokenizer_open(copy, t.size, &damaged, &err) == MB_OK,
	   "its copy opens");
	mb_blob_view(&damaged, &view);
	for (i = 0; i < view.added_count; i++)
		if (view.added[i].length == 2)
		{
			((mb_blob_added *) view.added)[i].length = 1;
			cut++;
		}
	ok(cut == 1 &&
	   mb_tokenize(&damaged, text, 2, false, &arena, NULL, &pieces, &err) ==
	   MB_OK && pieces.count == 1 && pieces.ids[0] == 1 &&
	   pieces.starts[0] == 0 && pieces.ends[0] == 1,
	   "a damaged one that ends inside a character does not match");
	free(text);
}

/* Never cancels, but counts how often it is polled. */
static bool
count_up(void *context)
{
	++*(int *) context;
	return false;
}

/*
 * Every piece of the word walks a long token in vain.  What is counted is the
 * way, not the short match, so cancel is polled the more often.
 */
static void
check_polls(void)
{
	const size_t word = 10000;
	const size_t token = 1000;
	char	   *a = repeat("a", word);
	char	   *text = malloc(token + 1024);
	int			polls = 0;
	const mb_cancel cancel = {count_up, &polls};
	mb_tokenizer t;
	mb_pieces	pieces;

	sprintf(text, "{\"model\": {\"max_input_chars_per_word\": 10000, "
			"\"vocab\": {\"[UNK]\": 0, \"a\": 1, \"##a\": 2, "
			"\"##%.*sb\": 3}}," PRE "}", (int) token, a);
	ok(build(text, NULL, NULL, NULL, NULL, &t) == MB_OK &&
	   mb_tokenize(&t, a, word, false, &arena, &cancel, &pieces, &err) ==
	   MB_OK && pieces.count == word, "a word that walks a long token in vain");

	/* the normaliser asks for each 256 characters, matching for 64 kB */
	ok(polls > (int) (word / 256 + word * token / 65536 / 2),
	   "asks %d times whether to go on", polls);
	free(text);
	free(a);
}

/* A cancel is noticed wherever time may be spent. */
static bool
count_down(void *context)
{
	return --*(int *) context < 0;
}

static void
check_cancel(void)
{
	mb_tokenizer t;
	char	   *text = repeat("a", 1 << 20);
	int			left = 3;
	const mb_cancel cancel = {count_down, &left};
	mb_tokenizer_files files;
	mb_pieces	pieces;
	void	   *blob;
	size_t		size;

	build(NULL, VOCAB, NULL, NULL, NULL, &t);
	ok(mb_tokenize(&t, text, 1 << 20, false, &arena, &cancel, &pieces, &err) ==
	   MB_ERR_CANCELLED && err.status == MB_ERR_CANCELLED,
	   "tokenizing hears a cancel");
	left = 0;
	memset(&files, 0, sizeof(files));
	files.vocab_txt.text = VOCAB;
	files.vocab_txt.length = strlen(VOCAB);
	ok(mb_tokenizer_build(&files, &arena, &cancel, &blob, &size, &err) ==
	   MB_ERR_CANCELLED, "building hears a cancel");
	free(text);
}

/* Every allocation in turn fails. */
static void
check_no_memory(void)
{
	size_t		limit;
	mb_status	status = MB_ERR_MEMORY;
	bool		clean = true;

	for (limit = 0; limit < (4 << 20) && status == MB_ERR_MEMORY;
		 limit += limit < 100000 ? 997 : 40009)
	{
		mb_arena	tight;
		mb_tokenizer_files files;
		mb_tokenizer t;
		mb_pieces	pieces;
		void	   *blob;
		size_t		size;

		memset(&files, 0, sizeof(files));
		files.vocab_txt.text = VOCAB;
		files.vocab_txt.length = strlen(VOCAB);
		mb_arena_init(&tight, &mb_libc_memory, limit);
		status = mb_tokenizer_build(&files, &tight, NULL, &blob, &size, &err);
		if (status == MB_OK)
			status = mb_tokenizer_open(blob, size, &t, &err);
		if (status == MB_OK)
			status = mb_tokenize(&t, "aba . ab", 8, false, &tight, NULL,
								 &pieces, &err);
		clean = clean && (status == MB_OK || status == MB_ERR_MEMORY);
		mb_arena_free(&tight);
	}
	ok(clean && status == MB_OK, "too little memory is an error, nothing else");
}

int
main(void)
{
	mb_arena_init(&arena, &mb_libc_memory, SIZE_MAX);
	check_vocab_txt();
	check_config();
	check_bad_configs();
	check_tokenizer_json();
	check_bad_json();
	check_template_limit();
	check_orders();
	check_arguments();
	check_damage();
	check_damaged_files();
	check_time();
	check_cut_pattern();
	check_polls();
	check_cancel();
	check_no_memory();
	mb_arena_free(&arena);
	return done_testing();
}
