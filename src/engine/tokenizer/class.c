/*-------------------------------------------------------------------------
 *
 * class.c
 *	  What transformers' classes of tokenizers add to the files of a model.
 *
 * Source: the tokenization_*_fast.py files of transformers 4.57; spec
 * families.md 6.
 * Depends on tokenizer/reader.h.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/reader.h"

#include <string.h>

#define BERT_TOKENS { \
	[MB_NAMED_UNK] = "[UNK]", [MB_NAMED_SEP] = "[SEP]", \
	[MB_NAMED_PAD] = "[PAD]", [MB_NAMED_CLS] = "[CLS]", \
	[MB_NAMED_MASK] = "[MASK]"}

/* The first is that of a model that names none, or another one. */
static const mb_tokenizer_class classes[] = {
	{.name = "BertTokenizer", .named = BERT_TOKENS, .types = true},
	{.name = "MobileBertTokenizer", .named = BERT_TOKENS, .types = true},
	{.name = "DistilBertTokenizer", .named = BERT_TOKENS},
	{.name = "ElectraTokenizer", .named = BERT_TOKENS, .types = true},
	{
		.name = "MPNetTokenizer",
		.named = {
			[MB_NAMED_BOS] = "<s>", [MB_NAMED_EOS] = "</s>",
			[MB_NAMED_UNK] = "[UNK]", [MB_NAMED_SEP] = "</s>",
			[MB_NAMED_PAD] = "<pad>", [MB_NAMED_CLS] = "<s>",
			[MB_NAMED_MASK] = "<mask>"
		},
		.flagged = true,
		.file_chinese = true,
		.double_separator = true
	}
};

/* What tokenizer.json says and nothing else. */
static const mb_tokenizer_class generic = {
	.name = "PreTrainedTokenizer", .generic = true, .types = true
};

/* The same as transformers 5 names it, which gives it no token types. */
static const mb_tokenizer_class backend = {
	.name = "TokenizersBackend", .generic = true
};

/* A name with or without "Fast" at its end. */
static bool
is_class(const char *name, size_t length, const char *class)
{
	size_t		plain = strlen(class);

	return length >= plain && memcmp(name, class, plain) == 0 &&
		(length == plain ||
		 (length == plain + 4 && memcmp(name + plain, "Fast", 4) == 0));
}

const mb_tokenizer_class *
mb_find_tokenizer_class(const mb_json *name, const char *otherwise,
						bool tokenizer_json)
{
	const char *text = otherwise;
	size_t		length = text == NULL ? 0 : strlen(text);
	size_t		i;

	if (name != NULL && name->type == MB_JSON_STRING)
	{
		text = name->text;
		length = name->length;
	}
	if (text == NULL)
		return &classes[0];
	if (tokenizer_json && is_class(text, length, generic.name))
		return &generic;
	if (tokenizer_json && is_class(text, length, backend.name))
		return &backend;
	for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (is_class(text, length, classes[i].name))
			return &classes[i];
	return &classes[0];
}
