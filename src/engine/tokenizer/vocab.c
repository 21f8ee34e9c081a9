/*-------------------------------------------------------------------------
 *
 * vocab.c
 *	  Reads a model's tokenizer files (spec tokenizer.md 10, formats.md 5, 6).
 *
 * tokenizer.json wins over vocab.txt; tokenizer_config.json then changes the
 * normaliser and adds tokens, as from_pretrained() of the Python classes does.
 * The steps, in the order of the functions below:
 *
 *	1. the model's vocabulary, from either file;
 *	2. options of the parts of tokenizer.json: normalizer, decoder, ...;
 *	3. options of tokenizer_config.json, which win;
 *	4. added tokens: those of tokenizer.json, then added_tokens_decoder (or,
 *	   without it, added_tokens.json), then the named special tokens ("cls_token"
 *	   and the others).  Each gets the id that the model has for it or
 *	   the next free one; when one comes twice, its last flags count;
 *	5. the template, which needs the ids.
 *
 * Parts that we do not implement are refused by name: a tokenizer that is
 * almost right would give wrong results silently.
 *
 * Depends on base/json.h, tokenizer/vocab.h.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/vocab.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

/* Pieces of a template; each looks its name up by going through a list. */
#define TEMPLATE_LIMIT 64

/* Tokens that a template may add; each costs room in every window. */
#define TEMPLATE_TOKEN_LIMIT 1024

/* transformers: a model_max_length above this means "none" (6.1) */
#define LARGE_LENGTH 1e20

#define TOKENIZER_JSON "tokenizer.json"
#define TOKENIZER_CONFIG "tokenizer_config.json"
#define SPECIAL_TOKENS_MAP "special_tokens_map.json"
#define ADDED_TOKENS "added_tokens.json"
#define VOCAB_TXT "vocab.txt"

/* Special tokens with a name, in the order in which they are added. */
typedef enum named_token
{
	NAMED_BOS,
	NAMED_EOS,
	NAMED_UNK,
	NAMED_SEP,
	NAMED_PAD,
	NAMED_CLS,
	NAMED_MASK,
	NAMED_COUNT
} named_token;

static const struct
{
	const char *key;
	const char *preset;			/* of (Mobile)BertTokenizer; NULL: none */
}			named_tokens[NAMED_COUNT] = {
	[NAMED_BOS] = {"bos_token", NULL},
	[NAMED_EOS] = {"eos_token", NULL},
	[NAMED_UNK] = {"unk_token", "[UNK]"},
	[NAMED_SEP] = {"sep_token", "[SEP]"},
	[NAMED_PAD] = {"pad_token", "[PAD]"},
	[NAMED_CLS] = {"cls_token", "[CLS]"},
	[NAMED_MASK] = {"mask_token", "[MASK]"},
};

/* A token that some file asks to add. */
typedef struct request
{
	mb_added_token token;
	size_t		order;
	bool		flags_given;	/* not only a string */
} request;

typedef struct reader
{
	const mb_tokenizer_files *files;
	mb_arena   *scratch;
	const mb_cancel *cancel;
	mb_error   *err;

	mb_json    *tokenizer;		/* tokenizer.json, or NULL */
	mb_json    *config;			/* tokenizer_config.json, or NULL */
	mb_json    *special_map;	/* special_tokens_map.json where it counts */
	mb_json    *added_map;		/* added_tokens.json where it counts */
	mb_json    *pad_seed;		/* padding.pad_token of tokenizer.json */
	bool		generic;		/* PreTrainedTokenizerFast: no presets */

	request    *requests;
	size_t		request_count;
	size_t		request_capacity;
	mb_added_token named[NAMED_COUNT];	/* text NULL: none */
	bool		named_flags[NAMED_COUNT];

	mb_vocabulary vocabulary;
} reader;

/* Message for a value that is not what its file must hold. */
static mb_status
wrong_value(reader *r, const char *file, const char *key, const char *wanted)
{
	return mb_fail(r->err, MB_ERR_DATA, "\"%s\" in \"%s\" must be %s",
				   key, file, wanted);
}

static bool
is_null(const mb_json *value)
{
	return value == NULL || value->type == MB_JSON_NULL;
}

/*
 * Values with a default: *result stays when the key is absent or null
 */

static mb_status
read_bool(reader *r, const mb_json *object, const char *file, const char *key,
		  bool *result)
{
	const mb_json *value = mb_json_get(object, key);

	if (is_null(value))
		return MB_OK;
	if (value->type != MB_JSON_TRUE && value->type != MB_JSON_FALSE)
		return wrong_value(r, file, key, "true or false");
	*result = value->type == MB_JSON_TRUE;
	return MB_OK;
}

static mb_status
read_text(reader *r, const mb_json *object, const char *file, const char *key,
		  const char **text, size_t *length)
{
	const mb_json *value = mb_json_get(object, key);

	if (is_null(value))
		return MB_OK;
	if (value->type != MB_JSON_STRING)
		return wrong_value(r, file, key, "a string");
	if (value->length > MB_TOKEN_LENGTH_LIMIT)
		return mb_fail(r->err, MB_ERR_LIMIT, "\"%s\" in \"%s\" is too long",
					   key, file);
	*text = value->text;
	*length = value->length;
	return MB_OK;
}

/* "left" or "right", capitalised in tokenizer.json. */
static mb_status
read_side(reader *r, const mb_json *object, const char *file, const char *key,
		  bool *left)
{
	const mb_json *value = mb_json_get(object, key);

	if (is_null(value))
		return MB_OK;
	if (mb_json_is_string(value, "left") || mb_json_is_string(value, "Left"))
		*left = true;
	else if (mb_json_is_string(value, "right") ||
			 mb_json_is_string(value, "Right"))
		*left = false;
	else
		return wrong_value(r, file, key, "\"left\" or \"right\"");
	return MB_OK;
}

/*
 * Step 1: the vocabulary
 */

static int
compare_tokens(const void *a, const void *b)
{
	const mb_vocab_token *left = a;
	const mb_vocab_token *right = b;
	int			order = mb_text_compare(left->text, left->length,
										right->text, right->length);

	/* array order, so that the last of equal texts can be told */
	if (order != 0)
		return order;
	return left->id < right->id ? -1 : left->id > right->id;
}

/*
 * Sort the tokens by text.  While sorting, "id" is the position in the file;
 * a repeated token takes its last id, and its earlier ones have no token.
 */
static mb_status
sort_tokens(reader *r, const int32_t *ids)
{
	mb_vocab_token *tokens = r->vocabulary.tokens;
	size_t		count = r->vocabulary.token_count;
	size_t		kept = 0;
	size_t		i;

	if (mb_cancelled(r->cancel))
		return mb_fail_cancelled(r->err, MB_BUILDING);
	qsort(tokens, count, sizeof(mb_vocab_token), compare_tokens);
	for (i = 1; i < count; i++)
	{
		if (mb_text_compare(tokens[kept].text, tokens[kept].length,
							tokens[i].text, tokens[i].length) != 0)
			kept++;
		tokens[kept] = tokens[i];
	}
	r->vocabulary.token_count = kept + 1;
	if (ids != NULL)
		for (i = 0; i <= kept; i++)
			tokens[i].id = ids[tokens[i].id];
	return MB_OK;
}

static mb_status
new_tokens(reader *r, size_t count, const char *file)
{
	if (count == 0)
		return mb_fail(r->err, MB_ERR_DATA, "\"%s\" has no tokens", file);
	if (count > MB_TOKEN_ID_LIMIT)
		return mb_fail(r->err, MB_ERR_LIMIT,
					   "\"%s\" has %zu tokens, but at most %d are allowed",
					   file, count, MB_TOKEN_ID_LIMIT);
	r->vocabulary.tokens = mb_arena_alloc(r->scratch, count,
										  sizeof(mb_vocab_token));
	if (r->vocabulary.tokens == NULL)
		return mb_fail_memory(r->err);
	r->vocabulary.token_count = count;
	return MB_OK;
}

static mb_status
set_token(reader *r, size_t position, const char *text, size_t length,
		  const char *file)
{
	mb_vocab_token *token = &r->vocabulary.tokens[position];

	if (length > MB_TOKEN_LENGTH_LIMIT)
		return mb_fail(r->err, MB_ERR_LIMIT,
					   "token %zu in \"%s\" is too long", position, file);
	token->text = text;
	token->length = length;
	token->id = (int32_t) position;
	return MB_OK;
}

static size_t
count_lines(const char *text, size_t length)
{
	size_t		lines = 0;
	const char *end = text + length;

	while (text < end)
	{
		const char *newline = memchr(text, '\n', (size_t) (end - text));

		lines++;
		if (newline == NULL)
			break;
		text = newline + 1;
	}
	return lines;
}

/* One token a line, its id the number of the line; "\r\n" is accepted. */
static mb_status
read_vocab_txt(reader *r)
{
	const char *text = r->files->vocab_txt.text;
	size_t		length = r->files->vocab_txt.length;
	const char *end = text + length;
	mb_status	status;
	size_t		line;

	status = mb_utf8_check(text, length, r->cancel);
	if (status == MB_ERR_CANCELLED)
		return mb_fail_cancelled(r->err, MB_BUILDING);
	if (status != MB_OK)
		return mb_fail(r->err, MB_ERR_DATA, "\"%s\" is not valid UTF-8",
					   VOCAB_TXT);
	status = new_tokens(r, count_lines(text, length), VOCAB_TXT);
	for (line = 0; status == MB_OK && text < end; line++)
	{
		const char *newline = memchr(text, '\n', (size_t) (end - text));
		const char *stop = newline != NULL ? newline : end;
		const char *next = newline != NULL ? newline + 1 : end;

		if (stop > text && newline != NULL && stop[-1] == '\r')
			stop--;
		status = set_token(r, line, text, (size_t) (stop - text), VOCAB_TXT);
		text = next;
	}
	return status == MB_OK ? sort_tokens(r, NULL) : status;
}

/* {"token": id, ...} */
static mb_status
read_vocab_object(reader *r, const mb_json *vocab)
{
	const mb_json *member;
	mb_status	status;
	int32_t    *ids;
	size_t		i = 0;

	if (vocab == NULL || vocab->type != MB_JSON_OBJECT)
		return wrong_value(r, TOKENIZER_JSON, "model.vocab", "an object");
	status = new_tokens(r, vocab->length, TOKENIZER_JSON);
	if (status != MB_OK)
		return status;
	ids = mb_arena_alloc(r->scratch, vocab->length, sizeof(int32_t));
	if (ids == NULL)
		return mb_fail_memory(r->err);
	for (member = vocab->child; member != NULL; member = member->next, i++)
	{
		int64_t		id;

		if (!mb_json_int(member, 0, INT32_MAX, &id))
			return mb_fail(r->err, MB_ERR_DATA,
						   "id of token \"%s\" in \"%s\" is not valid",
						   member->key, TOKENIZER_JSON);
		if (id >= MB_TOKEN_ID_LIMIT)
			return mb_fail(r->err, MB_ERR_LIMIT,
						   "id of token \"%s\" in \"%s\" must be below %d",
						   member->key, TOKENIZER_JSON, MB_TOKEN_ID_LIMIT);
		ids[i] = (int32_t) id;
		status = set_token(r, i, member->key, member->key_length,
						   TOKENIZER_JSON);
		if (status != MB_OK)
			return status;
	}
	return sort_tokens(r, ids);
}

/*
 * Step 2: the parts of tokenizer.json
 */

/* A part must be an object of the one type that we implement. */
static mb_status
check_type(reader *r, const mb_json *part, const char *what, const char *type)
{
	const mb_json *found;

	if (part->type != MB_JSON_OBJECT)
		return wrong_value(r, TOKENIZER_JSON, what, "an object");
	found = mb_json_get(part, "type");
	if (found == NULL || found->type != MB_JSON_STRING)
		return mb_fail(r->err, MB_ERR_DATA,
					   "\"%s\" in \"%s\" has no type", what, TOKENIZER_JSON);
	if (mb_json_is_string(found, type))
		return MB_OK;
	mb_fail(r->err, MB_ERR_UNSUPPORTED,
			"%s of type \"%s\" in \"%s\" is not supported",
			what, found->text, TOKENIZER_JSON);
	mb_detail(r->err, "A MobileBERT tokenizer has a %s of type \"%s\".",
			  what, type);
	return MB_ERR_UNSUPPORTED;
}

static mb_status
read_model(reader *r)
{
	const mb_json *model = mb_json_get(r->tokenizer, "model");
	const mb_json *limit;
	mb_vocabulary *v = &r->vocabulary;
	mb_status	status;

	if (model == NULL || model->type != MB_JSON_OBJECT)
		return wrong_value(r, TOKENIZER_JSON, "model", "an object");
	if (mb_json_get(model, "type") != NULL)
	{
		status = check_type(r, model, "model", "WordPiece");
		if (status != MB_OK)
			return status;
	}
	else if (mb_json_get(model, "merges") != NULL)
		return mb_fail(r->err, MB_ERR_UNSUPPORTED,
					   "model with \"merges\" in \"%s\" is not supported",
					   TOKENIZER_JSON);

	status = read_text(r, model, TOKENIZER_JSON, "unk_token",
					   &v->unk_text, &v->unk_length);
	if (status == MB_OK)
		status = read_text(r, model, TOKENIZER_JSON,
						   "continuing_subword_prefix",
						   &v->prefix, &v->prefix_length);
	if (status != MB_OK)
		return status;
	limit = mb_json_get(model, "max_input_chars_per_word");
	if (limit != NULL)
	{
		uint64_t	value;

		if (!mb_json_uint64(limit, &value))
			return wrong_value(r, TOKENIZER_JSON, "max_input_chars_per_word",
							   "a non-negative integer");
		v->max_word_chars = value > INT32_MAX ? INT32_MAX : (uint32_t) value;
	}
	return read_vocab_object(r, mb_json_get(model, "vocab"));
}

/*
 * BertNormalizer.  Without one, the generic class does nothing and the BERT
 * classes build their own.  *strip is -1 for null.
 */
static mb_status
read_normalizer(reader *r, int *strip)
{
	const mb_json *part = mb_json_get(r->tokenizer, "normalizer");
	mb_normalizer *n = &r->vocabulary.normalizer;
	mb_status	status;
	bool		value = false;

	if (is_null(part))
	{
		if (r->generic)
			memset(n, 0, sizeof(*n));
		return MB_OK;
	}
	status = check_type(r, part, "normalizer", "BertNormalizer");
	if (status == MB_OK)
		status = read_bool(r, part, TOKENIZER_JSON, "clean_text",
						   &n->clean_text);
	if (status == MB_OK)
		status = read_bool(r, part, TOKENIZER_JSON, "handle_chinese_chars",
						   &n->handle_chinese_chars);
	if (status == MB_OK)
		status = read_bool(r, part, TOKENIZER_JSON, "lowercase",
						   &n->lowercase);
	if (status == MB_OK)
		status = read_bool(r, part, TOKENIZER_JSON, "strip_accents", &value);
	if (status == MB_OK && !is_null(mb_json_get(part, "strip_accents")))
		*strip = value;
	return status;
}

static mb_status
read_pre_tokenizer(reader *r)
{
	const mb_json *part = mb_json_get(r->tokenizer, "pre_tokenizer");

	if (is_null(part))
		return mb_fail(r->err, MB_ERR_UNSUPPORTED,
					   "\"%s\" without a pre_tokenizer is not supported",
					   TOKENIZER_JSON);
	return check_type(r, part, "pre_tokenizer", "BertPreTokenizer");
}

static mb_status
read_decoder(reader *r)
{
	const mb_json *part = mb_json_get(r->tokenizer, "decoder");
	mb_vocabulary *v = &r->vocabulary;
	mb_status	status;

	if (is_null(part))
		return MB_OK;
	status = check_type(r, part, "decoder", "WordPiece");
	if (status == MB_OK)
		status = read_text(r, part, TOKENIZER_JSON, "prefix",
						   &v->decoder_prefix, &v->decoder_prefix_length);
	if (status == MB_OK)
		status = read_bool(r, part, TOKENIZER_JSON, "cleanup",
						   &v->decoder_cleanup);
	return status;
}

/* A type id; *result stays when it is absent. */
static mb_status
read_type_id(reader *r, const mb_json *object, const char *file,
			 const char *key, int32_t *result)
{
	const mb_json *value = mb_json_get(object, key);
	int64_t		type;

	if (is_null(value))
		return MB_OK;
	if (!mb_json_int(value, 0, INT32_MAX, &type))
		return wrong_value(r, file, key, "a non-negative integer");
	*result = (int32_t) type;
	return MB_OK;
}

/* Stored truncation and padding only seed attributes of the tokenizer (6.1). */
static mb_status
read_seeds(reader *r)
{
	const mb_json *truncation = mb_json_get(r->tokenizer, "truncation");
	const mb_json *padding = mb_json_get(r->tokenizer, "padding");
	mb_vocabulary *v = &r->vocabulary;
	mb_status	status = MB_OK;

	if (!is_null(truncation))
	{
		if (truncation->type != MB_JSON_OBJECT)
			return wrong_value(r, TOKENIZER_JSON, "truncation", "an object");
		status = read_side(r, truncation, TOKENIZER_JSON, "direction",
						   &v->truncate_left);
	}
	if (status == MB_OK && !is_null(padding))
	{
		if (padding->type != MB_JSON_OBJECT)
			return wrong_value(r, TOKENIZER_JSON, "padding", "an object");
		status = read_side(r, padding, TOKENIZER_JSON, "direction",
						   &v->pad_left);
		if (status == MB_OK)
			status = read_type_id(r, padding, TOKENIZER_JSON, "pad_type_id",
								  &v->pad_type_id);
		r->pad_seed = mb_json_get(padding, "pad_token");
	}
	return status;
}

static mb_status
read_tokenizer_json(reader *r, int *strip)
{
	const mb_json *version = mb_json_get(r->tokenizer, "version");
	mb_status	status;

	if (!is_null(version) && !mb_json_is_string(version, "1.0"))
		return mb_fail(r->err, MB_ERR_UNSUPPORTED,
					   "\"%s\" has a format version other than \"1.0\"",
					   TOKENIZER_JSON);
	status = read_model(r);
	if (status == MB_OK)
		status = read_normalizer(r, strip);
	if (status == MB_OK)
		status = read_pre_tokenizer(r);
	if (status == MB_OK)
		status = read_decoder(r);
	if (status == MB_OK)
		status = read_seeds(r);
	return status;
}

/*
 * Step 3: tokenizer_config.json
 */

static mb_status
read_max_length(reader *r)
{
	const mb_json *value = mb_json_get(r->config, "model_max_length");

	if (is_null(value))
		return MB_OK;
	if (value->type != MB_JSON_NUMBER || !(value->number >= 0))
		return wrong_value(r, TOKENIZER_CONFIG, "model_max_length",
						   "a non-negative number");
	if (value->number > LARGE_LENGTH || value->number >= 1.8e19)
		r->vocabulary.model_max_length = UINT64_MAX;
	else if (!mb_json_uint64(value, &r->vocabulary.model_max_length))
		r->vocabulary.model_max_length = (uint64_t) value->number;
	return MB_OK;
}

/*
 * The normaliser's switches: what tokenizer_config.json says wins, but
 * PreTrainedTokenizerFast takes them from tokenizer.json alone.
 */
static mb_status
read_config_normalizer(reader *r, int *strip)
{
	mb_normalizer *n = &r->vocabulary.normalizer;
	const mb_json *accents = mb_json_get(r->config, "strip_accents");
	mb_status	status;
	bool		value = false;

	if (r->generic)
		return MB_OK;
	status = read_bool(r, r->config, TOKENIZER_CONFIG, "do_lower_case",
					   &n->lowercase);
	if (status == MB_OK)
		status = read_bool(r, r->config, TOKENIZER_CONFIG,
						   "tokenize_chinese_chars", &n->handle_chinese_chars);
	if (status == MB_OK)
		status = read_bool(r, r->config, TOKENIZER_CONFIG, "strip_accents",
						   &value);
	if (status == MB_OK && accents != NULL)
		*strip = is_null(accents) ? -1 : value;
	return status;
}

static mb_status
read_config(reader *r, int *strip)
{
	mb_vocabulary *v = &r->vocabulary;
	mb_status	status = read_config_normalizer(r, strip);

	if (status == MB_OK)
		status = read_max_length(r);
	if (status == MB_OK)
		status = read_side(r, r->config, TOKENIZER_CONFIG, "padding_side",
						   &v->pad_left);
	if (status == MB_OK)
		status = read_side(r, r->config, TOKENIZER_CONFIG, "truncation_side",
						   &v->truncate_left);
	if (status == MB_OK)
		status = read_type_id(r, r->config, TOKENIZER_CONFIG,
							  "pad_token_type_id", &v->pad_type_id);
	if (status == MB_OK)
		status = read_bool(r, r->config, TOKENIZER_CONFIG,
						   "clean_up_tokenization_spaces",
						   &v->clean_up_spaces);
	if (status == MB_OK)
		status = read_bool(r, r->config, TOKENIZER_CONFIG,
						   "split_special_tokens", &v->split_special_tokens);
	return status;
}

/*
 * Step 4: added tokens
 */

/* A token given as a string or as an object with content and flags. */
static mb_status
read_token(reader *r, const mb_json *value, const char *file, const char *what,
		   bool special, mb_added_token *token, bool *flags_given)
{
	mb_status	status;

	memset(token, 0, sizeof(*token));
	token->special = special;
	*flags_given = false;
	if (value->type == MB_JSON_STRING)
	{
		token->text = value->text;
		token->length = value->length;
	}
	else if (value->type == MB_JSON_OBJECT)
	{
		*flags_given = true;
		status = read_text(r, value, file, "content",
						   &token->text, &token->length);
		if (status == MB_OK)
			status = read_bool(r, value, file, "special", &token->special);
		token->normalized = !token->special;
		if (status == MB_OK)
			status = read_bool(r, value, file, "single_word",
							   &token->single_word);
		if (status == MB_OK)
			status = read_bool(r, value, file, "lstrip", &token->lstrip);
		if (status == MB_OK)
			status = read_bool(r, value, file, "rstrip", &token->rstrip);
		if (status == MB_OK)
			status = read_bool(r, value, file, "normalized",
							   &token->normalized);
		if (status != MB_OK)
			return status;
	}
	if (token->text == NULL)
		return wrong_value(r, file, what,
						   "a string or an object with \"content\"");
	if (token->length > MB_TOKEN_LENGTH_LIMIT)
		return mb_fail(r->err, MB_ERR_LIMIT, "token in \"%s\" is too long",
					   file);
	return MB_OK;
}

static mb_status
add_request(reader *r, const mb_added_token *token, bool flags_given)
{
	request    *added;

	if (token->length == 0)
		return MB_OK;			/* as the library: cannot be found in text */
	if (r->request_count == r->request_capacity)
	{
		size_t		capacity = r->request_capacity == 0 ?
			32 : 2 * r->request_capacity;
		request    *grown;

		if (r->request_count >= MB_TOKEN_ID_LIMIT)
			return mb_fail(r->err, MB_ERR_LIMIT, "too many added tokens");
		grown = mb_arena_alloc(r->scratch, capacity, sizeof(request));
		if (grown == NULL)
			return mb_fail_memory(r->err);
		if (r->request_count > 0)
			memcpy(grown, r->requests, r->request_count * sizeof(request));
		r->requests = grown;
		r->request_capacity = capacity;
	}
	added = &r->requests[r->request_count];
	added->token = *token;
	added->order = r->request_count++;
	added->flags_given = flags_given;
	return MB_OK;
}

static mb_status
request_value(reader *r, const mb_json *value, const char *file,
			  const char *what, bool special)
{
	mb_added_token token;
	bool		flags_given;
	mb_status	status = read_token(r, value, file, what, special, &token,
									&flags_given);

	return status == MB_OK ? add_request(r, &token, flags_given) : status;
}

/* "added_tokens" of tokenizer.json; the ids there are not used (formats.md 6) */
static mb_status
request_added_tokens(reader *r)
{
	const mb_json *list = mb_json_get(r->tokenizer, "added_tokens");
	const mb_json *member;
	mb_status	status = MB_OK;

	if (is_null(list))
		return MB_OK;
	if (list->type != MB_JSON_ARRAY)
		return wrong_value(r, TOKENIZER_JSON, "added_tokens", "an array");
	for (member = list->child; member != NULL && status == MB_OK;
		 member = member->next)
		status = request_value(r, member, TOKENIZER_JSON, "added_tokens",
							   false);
	return status;
}

typedef struct numbered
{
	uint64_t	number;
	const mb_json *member;
} numbered;

static int
compare_numbered(const void *a, const void *b)
{
	const numbered *left = a;
	const numbered *right = b;

	return left->number < right->number ? -1 : left->number > right->number;
}

/* The number that a key of added_tokens_decoder is. */
static bool
parse_key(const mb_json *member, uint64_t *number)
{
	size_t		i;

	*number = 0;
	if (member->key_length == 0 || member->key_length > 10)
		return false;
	for (i = 0; i < member->key_length; i++)
	{
		if (member->key[i] < '0' || member->key[i] > '9')
			return false;
		*number = *number * 10 + (uint64_t) (member->key[i] - '0');
	}
	return true;
}

static bool
is_named(const reader *r, const char *text, size_t length)
{
	int			i;

	for (i = 0; i < NAMED_COUNT; i++)
		if (r->named[i].text != NULL && r->named[i].length == length &&
			memcmp(r->named[i].text, text, length) == 0)
			return true;
	return false;
}

/*
 * added_tokens_decoder ({"103": {token}}) or added_tokens.json
 * ({"token": 103}), by ascending id.
 */
static mb_status
request_numbered(reader *r, const mb_json *object, bool decoder)
{
	const char *file = decoder ? TOKENIZER_CONFIG : ADDED_TOKENS;
	const char *what = decoder ? "added_tokens_decoder" : "added tokens";
	const mb_json *member;
	numbered   *list;
	mb_status	status = MB_OK;
	size_t		count = 0;
	size_t		i;

	if (object->type != MB_JSON_OBJECT)
		return wrong_value(r, file, what, "an object");
	list = mb_arena_alloc(r->scratch, object->length, sizeof(numbered));
	if (list == NULL)
		return mb_fail_memory(r->err);
	for (member = object->child; member != NULL; member = member->next)
	{
		if (decoder ? !parse_key(member, &list[count].number) :
			!mb_json_uint64(member, &list[count].number))
			return mb_fail(r->err, MB_ERR_DATA,
						   "id of added token \"%s\" in \"%s\" is not valid",
						   member->key, file);
		list[count++].member = member;
	}
	qsort(list, count, sizeof(numbered), compare_numbered);

	for (i = 0; i < count && status == MB_OK; i++)
	{
		mb_added_token token;
		bool		flags_given;

		member = list[i].member;
		if (decoder)
		{
			status = read_token(r, member, file, what, false, &token,
								&flags_given);
			if (status == MB_OK && is_named(r, token.text, token.length))
				token.special = true;
		}
		else
		{
			memset(&token, 0, sizeof(token));
			token.text = member->key;
			token.length = member->key_length;
			token.special = is_named(r, token.text, token.length);
			token.normalized = !token.special;
		}
		if (status == MB_OK)
			status = add_request(r, &token, true);
	}
	return status;
}

/* The named special tokens: tokenizer_config.json or the legacy file. */
static mb_status
read_named(reader *r)
{
	int			i;

	for (i = 0; i < NAMED_COUNT; i++)
	{
		const char *key = named_tokens[i].key;
		const mb_json *legacy = mb_json_get(r->special_map, key);
		const mb_json *value = mb_json_get(r->config, key);
		const char *file = TOKENIZER_CONFIG;
		mb_status	status;

		if (!is_null(legacy))
		{
			value = legacy;
			file = SPECIAL_TOKENS_MAP;
		}
		if (value == NULL && i == NAMED_PAD && !is_null(r->pad_seed))
		{
			value = r->pad_seed;
			file = TOKENIZER_JSON;
		}
		if (value == NULL)
		{
			if (named_tokens[i].preset != NULL && !r->generic)
			{
				r->named[i].text = named_tokens[i].preset;
				r->named[i].length = strlen(named_tokens[i].preset);
				r->named[i].special = true;
			}
			continue;
		}
		if (is_null(value))
			continue;
		status = read_token(r, value, file, key, true, &r->named[i],
							&r->named_flags[i]);
		if (status != MB_OK)
			return status;
		r->named[i].special = true;
		if (!r->named_flags[i] ||
			is_null(mb_json_get(value, "normalized")))
			r->named[i].normalized = false;
	}
	return MB_OK;
}

/* A list of tokens, or (late v4) an object name -> token. */
static mb_status
request_further(reader *r, const mb_json *object, const char *file,
				const char *key)
{
	const mb_json *list = mb_json_get(object, key);
	const mb_json *member;
	mb_status	status = MB_OK;

	if (is_null(list))
		return MB_OK;
	if (list->type != MB_JSON_ARRAY && list->type != MB_JSON_OBJECT)
		return wrong_value(r, file, key, "an array or an object");
	for (member = list->child; member != NULL && status == MB_OK;
		 member = member->next)
	{
		mb_added_token token;
		bool		flags_given;

		status = read_token(r, member, file, key, true, &token, &flags_given);
		if (status == MB_OK)
		{
			token.special = true;
			if (!flags_given || is_null(mb_json_get(member, "normalized")))
				token.normalized = false;

			/* what other files say of the token's flags wins */
			status = add_request(r, &token, false);
		}
	}
	return status;
}

static mb_status
request_named(reader *r)
{
	mb_status	status = MB_OK;
	int			i;

	for (i = 0; i < NAMED_COUNT && status == MB_OK; i++)
		if (r->named[i].text != NULL)
			status = add_request(r, &r->named[i], false);
	if (status == MB_OK)
		status = request_further(r, r->config, TOKENIZER_CONFIG,
								 "additional_special_tokens");
	if (status == MB_OK)
		status = request_further(r, r->special_map, SPECIAL_TOKENS_MAP,
								 "additional_special_tokens");
	if (status == MB_OK)
		status = request_further(r, r->config, TOKENIZER_CONFIG,
								 "extra_special_tokens");
	return status;
}

static int
compare_requests(const void *a, const void *b)
{
	const request *left = a;
	const request *right = b;
	int			order = mb_text_compare(left->token.text, left->token.length,
										right->token.text,
										right->token.length);

	if (order != 0)
		return order;
	return left->order < right->order ? -1 : left->order > right->order;
}

static int
compare_orders(const void *a, const void *b)
{
	const request *left = a;
	const request *right = b;

	return left->order < right->order ? -1 : left->order > right->order;
}

/*
 * One request per text, in the order of the first: the flags are those given
 * last, and what was special once stays special.  A request without flags of
 * its own (a named token) only makes a token special that is there already.
 */
static void
merge_requests(reader *r)
{
	request    *list = r->requests;
	size_t		kept = 0;
	size_t		i;

	if (r->request_count == 0)
		return;
	qsort(list, r->request_count, sizeof(request), compare_requests);
	for (i = 1; i < r->request_count; i++)
	{
		if (mb_text_compare(list[kept].token.text, list[kept].token.length,
							list[i].token.text, list[i].token.length) != 0)
		{
			list[++kept] = list[i];
			continue;
		}
		if (list[i].flags_given)
		{
			bool		special = list[kept].token.special;

			list[kept].token = list[i].token;
			list[kept].token.special |= special;
		}
		else
			list[kept].token.special |= list[i].token.special;
	}
	r->request_count = kept + 1;
	qsort(list, r->request_count, sizeof(request), compare_orders);
}

/*
 * Ids: the model's own, else the next free one from the size of the model's
 * vocabulary on, as the library counts.  Ids of the model need not be dense,
 * so one that it uses is passed over.
 */
static mb_status
number_added_tokens(reader *r)
{
	mb_vocabulary *v = &r->vocabulary;
	int64_t		next = (int64_t) v->token_count;
	uint8_t    *used = mb_arena_zero(r->scratch, MB_TOKEN_ID_LIMIT / 8, 1);
	size_t		i;

	v->added = mb_arena_alloc(r->scratch, r->request_count,
							  sizeof(mb_added_token));
	if (v->added == NULL || used == NULL)
		return mb_fail_memory(r->err);
	v->added_count = r->request_count;
	for (i = 0; i < v->token_count; i++)
		used[v->tokens[i].id / 8] |= 1 << v->tokens[i].id % 8;
	for (i = 0; i < r->request_count; i++)
	{
		mb_added_token *token = &r->requests[i].token;

		token->id = mb_vocabulary_find(v, token->text, token->length);
		if (token->id >= 0)
		{
			if (token->id >= next)
				next = (int64_t) token->id + 1;
			continue;
		}
		while (next < MB_TOKEN_ID_LIMIT && (used[next / 8] & 1 << next % 8))
			next++;
		if (next >= MB_TOKEN_ID_LIMIT)
			return mb_fail(r->err, MB_ERR_LIMIT,
						   "no id below %d is free for added token \"%s\"",
						   MB_TOKEN_ID_LIMIT, token->text);
		token->id = (int32_t) next++;
	}
	return MB_OK;
}

/*
 * Store the added tokens, special ones first: of two tokens that normalise to
 * the same pattern, the library finds the special one.
 */
static void
store_added_tokens(reader *r)
{
	mb_added_token *out = r->vocabulary.added;
	size_t		i;

	for (i = 0; i < r->request_count; i++)
		if (r->requests[i].token.special)
			*out++ = r->requests[i].token;
	for (i = 0; i < r->request_count; i++)
		if (!r->requests[i].token.special)
			*out++ = r->requests[i].token;
}

static mb_status
read_added_tokens(reader *r)
{
	const mb_json *decoder = mb_json_get(r->config, "added_tokens_decoder");
	mb_status	status = read_named(r);

	if (status == MB_OK)
		status = request_added_tokens(r);
	if (status == MB_OK && !is_null(decoder))
		status = request_numbered(r, decoder, true);
	if (status == MB_OK && is_null(decoder) && r->added_map != NULL)
		status = request_numbered(r, r->added_map, false);
	if (status == MB_OK)
		status = request_named(r);
	if (status != MB_OK)
		return status;
	merge_requests(r);
	status = number_added_tokens(r);
	if (status == MB_OK)
		store_added_tokens(r);
	return status;
}

/* Id of a token of the model or an added one, or -1. */
static int32_t
find_id(const reader *r, const char *text, size_t length)
{
	size_t		i;

	for (i = 0; i < r->vocabulary.added_count; i++)
		if (r->vocabulary.added[i].length == length &&
			memcmp(r->vocabulary.added[i].text, text, length) == 0)
			return r->vocabulary.added[i].id;
	return mb_vocabulary_find(&r->vocabulary, text, length);
}

static int32_t
named_id(const reader *r, named_token which)
{
	const mb_added_token *token = &r->named[which];

	return token->text == NULL ? -1 : find_id(r, token->text, token->length);
}

/*
 * Step 5: the template
 */

/* A template being written down. */
typedef struct template_list
{
	mb_template_piece *pieces;
	size_t		count;
	size_t		capacity;
	size_t		tokens;			/* of kind MB_TEMPLATE_TOKEN */
} template_list;

static mb_status
template_add(reader *r, template_list *list, int32_t kind, int32_t id,
			 int32_t type)
{
	if (kind == MB_TEMPLATE_TOKEN && list->tokens++ >= TEMPLATE_TOKEN_LIMIT)
		return mb_fail(r->err, MB_ERR_LIMIT,
					   "template in \"%s\" adds more than %d tokens",
					   TOKENIZER_JSON, TEMPLATE_TOKEN_LIMIT);
	if (list->count == list->capacity)
	{
		size_t		capacity = list->capacity == 0 ? 8 : 2 * list->capacity;
		mb_template_piece *grown = mb_arena_alloc(r->scratch, capacity,
												  sizeof(mb_template_piece));

		if (grown == NULL)
			return mb_fail_memory(r->err);
		if (list->count > 0)
			memcpy(grown, list->pieces,
				   list->count * sizeof(mb_template_piece));
		list->pieces = grown;
		list->capacity = capacity;
	}
	list->pieces[list->count].kind = kind;
	list->pieces[list->count].id = id;
	list->pieces[list->count].type = type;
	list->count++;
	return MB_OK;
}

static void
store_template(reader *r, bool pair, const template_list *list)
{
	if (pair)
	{
		r->vocabulary.pair = list->pieces;
		r->vocabulary.pair_count = list->count;
	}
	else
	{
		r->vocabulary.single = list->pieces;
		r->vocabulary.single_count = list->count;
	}
}

/* No post-processor: A, or A B.  With ids: CLS A SEP, or CLS A SEP B SEP. */
static mb_status
plain_template(reader *r, bool special, int32_t cls, int32_t sep)
{
	int			pair;

	for (pair = 0; pair < 2; pair++)
	{
		template_list list = {NULL, 0, 0, 0};
		mb_status	status = MB_OK;

		if (special)
			status = template_add(r, &list, MB_TEMPLATE_TOKEN, cls, 0);
		if (status == MB_OK)
			status = template_add(r, &list, MB_TEMPLATE_FIRST, 0, 0);
		if (status == MB_OK && special)
			status = template_add(r, &list, MB_TEMPLATE_TOKEN, sep, 0);
		if (status == MB_OK && pair)
			status = template_add(r, &list, MB_TEMPLATE_SECOND, 0, 1);
		if (status == MB_OK && pair && special)
			status = template_add(r, &list, MB_TEMPLATE_TOKEN, sep, 1);
		if (status != MB_OK)
			return status;
		store_template(r, pair == 1, &list);
	}
	return MB_OK;
}

/* The ids of {"SpecialToken": {"id": name}}, one piece each. */
static mb_status
template_special(reader *r, template_list *list, const mb_json *processor,
				 const mb_json *piece, int32_t type)
{
	const mb_json *name = mb_json_get(piece, "id");
	const mb_json *known = mb_json_get(processor, "special_tokens");
	const mb_json *id;

	if (name == NULL || name->type != MB_JSON_STRING)
		return wrong_value(r, TOKENIZER_JSON, "SpecialToken.id", "a string");
	if (known == NULL || known->type != MB_JSON_OBJECT)
		return wrong_value(r, TOKENIZER_JSON, "special_tokens", "an object");
	known = mb_json_get(known, name->text);
	if (known == NULL || known->type != MB_JSON_OBJECT)
		return mb_fail(r->err, MB_ERR_DATA,
					   "template in \"%s\" names unknown special token \"%s\"",
					   TOKENIZER_JSON, name->text);
	known = mb_json_get(known, "ids");
	if (known == NULL || known->type != MB_JSON_ARRAY)
		return wrong_value(r, TOKENIZER_JSON, "special_tokens.ids", "an array");
	for (id = known->child; id != NULL; id = id->next)
	{
		int64_t		value;
		mb_status	status;

		if (!mb_json_int(id, 0, INT32_MAX, &value))
			return wrong_value(r, TOKENIZER_JSON, "special_tokens.ids",
							   "an array of non-negative integers");
		status = template_add(r, list, MB_TEMPLATE_TOKEN, (int32_t) value,
							  type);
		if (status != MB_OK)
			return status;
	}
	return MB_OK;
}

static mb_status
template_piece(reader *r, template_list *list, const mb_json *processor,
			   const mb_json *item)
{
	const mb_json *special = NULL;
	const mb_json *sequence = NULL;
	const mb_json *name;
	mb_status	status;
	int32_t		type = 0;

	if (item->type == MB_JSON_OBJECT)
	{
		special = mb_json_get(item, "SpecialToken");
		sequence = mb_json_get(item, "Sequence");
	}
	if ((special == NULL) == (sequence == NULL) ||
		(special != NULL ? special : sequence)->type != MB_JSON_OBJECT)
		return mb_fail(r->err, MB_ERR_DATA,
					   "template in \"%s\" has a piece that is neither a \"SpecialToken\" nor a \"Sequence\"",
					   TOKENIZER_JSON);
	status = read_type_id(r, special != NULL ? special : sequence,
						  TOKENIZER_JSON, "type_id", &type);
	if (status != MB_OK)
		return status;
	if (special != NULL)
		return template_special(r, list, processor, special, type);

	name = mb_json_get(sequence, "id");
	if (mb_json_is_string(name, "A"))
		return template_add(r, list, MB_TEMPLATE_FIRST, 0, type);
	if (mb_json_is_string(name, "B"))
		return template_add(r, list, MB_TEMPLATE_SECOND, 0, type);
	return wrong_value(r, TOKENIZER_JSON, "Sequence.id", "\"A\" or \"B\"");
}

static mb_status
general_template(reader *r, const mb_json *processor, bool pair)
{
	const char *key = pair ? "pair" : "single";
	const mb_json *pieces = mb_json_get(processor, key);
	const mb_json *item;
	template_list list = {NULL, 0, 0, 0};
	size_t		seen[2] = {0, 0};
	size_t		i;

	if (pieces == NULL || pieces->type != MB_JSON_ARRAY)
		return wrong_value(r, TOKENIZER_JSON, key, "an array");
	if (pieces->length > TEMPLATE_LIMIT)
		return mb_fail(r->err, MB_ERR_LIMIT,
					   "template \"%s\" in \"%s\" has more than %d pieces",
					   key, TOKENIZER_JSON, TEMPLATE_LIMIT);
	for (item = pieces->child; item != NULL; item = item->next)
	{
		mb_status	status = template_piece(r, &list, processor, item);

		if (status != MB_OK)
			return status;
	}
	for (i = 0; i < list.count; i++)
	{
		seen[0] += list.pieces[i].kind == MB_TEMPLATE_FIRST;
		seen[1] += list.pieces[i].kind == MB_TEMPLATE_SECOND;
	}
	if (seen[0] != 1 || seen[1] != (pair ? 1 : 0))
		return mb_fail(r->err, MB_ERR_UNSUPPORTED,
					   "template \"%s\" in \"%s\" must have %s",
					   key, TOKENIZER_JSON,
					   pair ? "each of the sequences A and B once" :
					   "the sequence A once and no other");
	store_template(r, pair, &list);
	return MB_OK;
}

/* ["[SEP]", 102] */
static mb_status
processor_id(reader *r, const mb_json *processor, const char *key, int32_t *id)
{
	const mb_json *value = mb_json_get(processor, key);
	int64_t		number;

	if (value == NULL || value->type != MB_JSON_ARRAY || value->length != 2 ||
		value->child->type != MB_JSON_STRING ||
		!mb_json_int(value->child->next, 0, INT32_MAX, &number))
		return wrong_value(r, TOKENIZER_JSON, key, "a token and its id");
	*id = (int32_t) number;
	return MB_OK;
}

static mb_status
read_post_processor(reader *r)
{
	const mb_json *part = mb_json_get(r->tokenizer, "post_processor");
	mb_status	status;

	if (is_null(part))
		return plain_template(r, false, 0, 0);
	if (part->type == MB_JSON_OBJECT &&
		mb_json_is_string(mb_json_get(part, "type"), "BertProcessing"))
	{
		int32_t		cls = 0;
		int32_t		sep = 0;

		status = processor_id(r, part, "cls", &cls);
		if (status == MB_OK)
			status = processor_id(r, part, "sep", &sep);
		return status == MB_OK ? plain_template(r, true, cls, sep) : status;
	}
	status = check_type(r, part, "post_processor", "TemplateProcessing");
	if (status == MB_OK)
		status = general_template(r, part, false);
	if (status == MB_OK)
		status = general_template(r, part, true);
	return status;
}

static mb_status
read_template(reader *r)
{
	mb_vocabulary *v = &r->vocabulary;

	v->cls_id = named_id(r, NAMED_CLS);
	v->sep_id = named_id(r, NAMED_SEP);
	v->pad_id = named_id(r, NAMED_PAD);
	v->mask_id = named_id(r, NAMED_MASK);
	if (r->tokenizer != NULL)
		return read_post_processor(r);
	if (v->cls_id < 0 || v->sep_id < 0)
		return mb_fail(r->err, MB_ERR_DATA, "\"%s\" sets no \"%s\"",
					   TOKENIZER_CONFIG,
					   v->cls_id < 0 ? "cls_token" : "sep_token");
	return plain_template(r, true, v->cls_id, v->sep_id);
}

/*
 * All of it
 */

static mb_status
parse(reader *r, const mb_document *document, const char *name, mb_json **root)
{
	mb_status	status;

	*root = NULL;
	if (document->text == NULL)
		return MB_OK;
	status = mb_json_parse(document->text, document->length, name, true,
						   r->scratch, r->cancel, root, r->err);
	if (status == MB_OK && (*root)->type != MB_JSON_OBJECT)
		return mb_fail(r->err, MB_ERR_DATA, "\"%s\" is not a JSON object",
					   name);
	return status;
}

static mb_status
parse_files(reader *r)
{
	const mb_json *class;
	mb_status	status;

	status = parse(r, &r->files->tokenizer_json, TOKENIZER_JSON,
				   &r->tokenizer);
	if (status == MB_OK)
		status = parse(r, &r->files->tokenizer_config, TOKENIZER_CONFIG,
					   &r->config);
	if (status != MB_OK)
		return status;
	if (r->tokenizer == NULL && r->files->vocab_txt.text == NULL)
	{
		mb_fail(r->err, MB_ERR_DATA, "model has neither \"%s\" nor \"%s\"",
				TOKENIZER_JSON, VOCAB_TXT);
		mb_hint(r->err, "Add the tokenizer files that were published with the model.");
		return MB_ERR_DATA;
	}
	class = mb_json_get(r->config, "tokenizer_class");
	r->generic = r->tokenizer != NULL &&
		mb_json_is_string(class, "PreTrainedTokenizerFast");

	/* legacy files count only without added_tokens_decoder */
	if (mb_json_get(r->config, "added_tokens_decoder") != NULL)
		return MB_OK;
	status = parse(r, &r->files->special_tokens_map, SPECIAL_TOKENS_MAP,
				   &r->special_map);
	if (status == MB_OK)
		status = parse(r, &r->files->added_tokens, ADDED_TOKENS,
					   &r->added_map);
	return status;
}

static void
preset(mb_vocabulary *v)
{
	v->normalizer.clean_text = true;
	v->normalizer.handle_chinese_chars = true;
	v->normalizer.lowercase = true;
	v->unk_text = "[UNK]";
	v->unk_length = strlen(v->unk_text);
	v->prefix = "##";
	v->prefix_length = strlen(v->prefix);
	v->decoder_prefix = v->prefix;
	v->decoder_prefix_length = v->prefix_length;
	v->decoder_cleanup = true;
	v->max_word_chars = 100;
	v->model_max_length = UINT64_MAX;
}

/*
 * Without tokenizer.json, words without pieces give the unk_token of
 * tokenizer_config.json.
 */
static void
take_unknown(reader *r)
{
	if (r->tokenizer != NULL || r->named[NAMED_UNK].text == NULL)
		return;
	r->vocabulary.unk_text = r->named[NAMED_UNK].text;
	r->vocabulary.unk_length = r->named[NAMED_UNK].length;
}

static mb_status
read_vocabulary(reader *r)
{
	mb_vocabulary *v = &r->vocabulary;
	int			strip = -1;		/* strip_accents; -1: as lowercase */
	mb_status	status;

	preset(v);
	status = parse_files(r);
	if (status == MB_OK)
		status = r->tokenizer != NULL ? read_tokenizer_json(r, &strip) :
			read_vocab_txt(r);
	if (status == MB_OK)
		status = read_config(r, &strip);
	if (status != MB_OK)
		return status;
	v->normalizer.strip_accents = strip < 0 ? v->normalizer.lowercase : strip;
	status = read_added_tokens(r);
	take_unknown(r);
	return status == MB_OK ? read_template(r) : status;
}

mb_status
mb_tokenizer_build(const mb_tokenizer_files *files, mb_arena *arena,
				   const mb_cancel *cancel, void **blob, size_t *size,
				   mb_error *err)
{
	mb_arena	scratch;
	reader		r;
	mb_status	status;

	mb_arena_init(&scratch, arena->memory,
				  arena->limit == SIZE_MAX ? SIZE_MAX :
				  arena->limit - arena->total);
	memset(&r, 0, sizeof(r));
	r.files = files;
	r.scratch = &scratch;
	r.cancel = cancel;
	r.err = err;
	status = read_vocabulary(&r);
	if (status == MB_OK)
		status = mb_blob_compile(&r.vocabulary, arena, &scratch, cancel,
								 blob, size, err);
	mb_arena_free(&scratch);
	return status;
}
