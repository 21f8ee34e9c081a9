/*-------------------------------------------------------------------------
 *
 * added_tokens.c
 *	  Which tokens are added to the model's, with which flags and ids.
 *
 * A token may be named by several files, with flags that disagree.  The
 * library adds it each time, one file after the other, and what comes out is
 * not the same for each flag:
 *
 *	special					as soon as one of them is
 *	single_word, lstrip,	the last ones
 *	rstrip
 *	normalized				that of the first special one, and of each before
 *							it: a token can be found in the raw text and in
 *							the normalised
 *
 * So every file makes requests in the order in which PreTrainedTokenizerFast
 * of transformers 4.57 adds tokens; requests for the same text are merged by
 * these rules, then numbered.  The steps are those of mb_read_added_tokens(),
 * at the end; test/golden/tokenizer/flags.json has all combinations of two
 * files.  Spec formats.md 5 and 6.
 *
 * Depends on tokenizer/reader.h, tokenizer/trie.h.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/reader.h"

#include <stdlib.h>
#include <string.h>

#include "tokenizer/trie.h"

static const char *const named_keys[MB_NAMED_COUNT] = {
	[MB_NAMED_BOS] = "bos_token",
	[MB_NAMED_EOS] = "eos_token",
	[MB_NAMED_UNK] = "unk_token",
	[MB_NAMED_SEP] = "sep_token",
	[MB_NAMED_PAD] = "pad_token",
	[MB_NAMED_CLS] = "cls_token",
	[MB_NAMED_MASK] = "mask_token",
};

/* A token that some file wants added. */
typedef struct request
{
	mb_added_token token;
	size_t		order;
	bool		raw;			/* found in the raw text */
	bool		normalized;		/* found in the normalised text */
	size_t		special_order;	/* of the first request that is special */
} request;

/* Requests in the order in which they came. */
typedef struct request_list
{
	request    *items;
	size_t		count;
	size_t		capacity;
} request_list;

/* A token given as a string or as an object with content and flags. */
static mb_status
read_token(mb_reader *r, const mb_json *value, const char *file,
		   const char *what, bool special, mb_added_token *token,
		   bool *flags_given)
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
		status = mb_read_text(r, value, file, "content",
							  &token->text, &token->length);
		if (status == MB_OK)
			status = mb_read_bool(r, value, file, "special", &token->special);
		token->normalized = !token->special;
		if (status == MB_OK)
			status = mb_read_bool(r, value, file, "single_word",
								  &token->single_word);
		if (status == MB_OK)
			status = mb_read_bool(r, value, file, "lstrip", &token->lstrip);
		if (status == MB_OK)
			status = mb_read_bool(r, value, file, "rstrip", &token->rstrip);
		if (status == MB_OK)
			status = mb_read_bool(r, value, file, "normalized",
								  &token->normalized);
		if (status != MB_OK)
			return status;
	}
	if (token->text == NULL)
		return mb_wrong_value(r, file, what,
							  "a string or an object with \"content\"");
	if (token->length > MB_TOKEN_LENGTH_LIMIT)
		return mb_fail(r->err, MB_ERR_LIMIT, "token in \"%s\" is too long",
					   file);
	return MB_OK;
}

static mb_status
add_request(mb_reader *r, request_list *requests, const mb_added_token *token)
{
	request    *added;

	if (token->length == 0)
		return MB_OK;			/* as the library: cannot be found in text */
	if (requests->count == requests->capacity)
	{
		size_t		capacity = requests->capacity == 0 ?
			32 : 2 * requests->capacity;
		request    *grown;

		if (requests->count >= MB_TOKEN_ID_LIMIT)
			return mb_fail(r->err, MB_ERR_LIMIT, "too many added tokens");
		grown = mb_arena_alloc(r->scratch, capacity, sizeof(request));
		if (grown == NULL)
			return mb_fail_memory(r->err);
		if (requests->count > 0)
			memcpy(grown, requests->items, requests->count * sizeof(request));
		requests->items = grown;
		requests->capacity = capacity;
	}
	added = &requests->items[requests->count];
	added->token = *token;
	added->order = requests->count++;
	added->raw = !token->normalized;
	added->normalized = token->normalized;
	added->special_order = token->special ? added->order : SIZE_MAX;
	return MB_OK;
}

/* Texts of requests, sorted: files may be hostile, and lists long. */
typedef struct text_set
{
	mb_document *texts;
	size_t		count;
} text_set;

static int
compare_texts(const void *a, const void *b)
{
	const mb_document *left = a;
	const mb_document *right = b;

	return mb_text_compare(left->text, left->length, right->text,
						   right->length);
}

static mb_status
make_set(mb_reader *r, const request *items, size_t count, text_set *set)
{
	size_t		i;

	set->count = count;
	set->texts = mb_arena_alloc(r->scratch, count, sizeof(mb_document));
	if (set->texts == NULL)
		return mb_fail_memory(r->err);
	if (mb_cancelled(r->cancel))
		return mb_fail_cancelled(r->err, "building the tokenizer");
	for (i = 0; i < count; i++)
	{
		set->texts[i].text = items[i].token.text;
		set->texts[i].length = items[i].token.length;
	}
	if (count > 0)
		qsort(set->texts, count, sizeof(mb_document), compare_texts);
	return MB_OK;
}

static bool
has_text(const text_set *set, const mb_added_token *token)
{
	mb_document text;

	text.text = token->text;
	text.length = token->length;
	return set->count > 0 &&
		bsearch(&text, set->texts, set->count, sizeof(mb_document),
				compare_texts) != NULL;
}

/* One of the named special tokens, or of the further ones? */
static bool
is_special(const mb_reader *r, const text_set *further,
		   const mb_added_token *token)
{
	int			i;

	for (i = 0; i < MB_NAMED_COUNT; i++)
		if (r->named[i].text != NULL &&
			mb_text_compare(r->named[i].text, r->named[i].length,
							token->text, token->length) == 0)
			return true;
	return has_text(further, token);
}

/* "added_tokens" of tokenizer.json, whose ids are not used (formats.md 6) */
static mb_status
request_added_tokens(mb_reader *r, request_list *requests)
{
	const mb_json *list = mb_json_get(r->tokenizer, "added_tokens");
	const mb_json *member;
	mb_status	status = MB_OK;

	if (mb_json_is_null(list))
		return MB_OK;
	if (list->type != MB_JSON_ARRAY)
		return mb_wrong_value(r, MB_TOKENIZER_JSON, "added_tokens",
							  "an array");
	for (member = list->child; member != NULL && status == MB_OK;
		 member = member->next)
	{
		mb_added_token token;
		bool		flags_given;

		status = read_token(r, member, MB_TOKENIZER_JSON, "added_tokens",
							false, &token, &flags_given);
		if (status == MB_OK)
			status = add_request(r, requests, &token);
	}
	return status;
}

/*
 * Without added_tokens_decoder, transformers makes one of tokenizer.json's
 * list, and adds all of it again: tokens that are special by name become it.
 */
static mb_status
request_again(mb_reader *r, request_list *requests, const text_set *further)
{
	size_t		count = requests->count;
	mb_status	status = MB_OK;
	size_t		i;

	for (i = 0; i < count && status == MB_OK; i++)
	{
		mb_added_token token = requests->items[i].token;

		token.special |= is_special(r, further, &token);
		status = add_request(r, requests, &token);
	}
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

/*
 * added_tokens_decoder ({"103": {token}}) or added_tokens.json
 * ({"token": 103}), by ascending id.  known: tokens of tokenizer.json, which
 * added_tokens.json has nothing to say of; NULL for added_tokens_decoder.
 */
static mb_status
request_numbered(mb_reader *r, request_list *requests,
				 const text_set *further, const mb_json *object,
				 const text_set *known)
{
	bool		decoder = known == NULL;
	const char *file = decoder ? MB_TOKENIZER_CONFIG : MB_ADDED_TOKENS;
	const char *what = decoder ? "added_tokens_decoder" : "added tokens";
	const mb_json *member;
	numbered   *list;
	mb_status	status = MB_OK;
	size_t		count = 0;
	size_t		i;

	if (object->type != MB_JSON_OBJECT)
		return mb_wrong_value(r, file, what, "an object");
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
			if (status != MB_OK)
				return status;
			token.special |= is_special(r, further, &token);
		}
		else
		{
			memset(&token, 0, sizeof(token));
			token.text = member->key;
			token.length = member->key_length;
			if (has_text(known, &token))
				continue;
			token.special = is_special(r, further, &token);
			token.normalized = !token.special;
		}
		status = add_request(r, requests, &token);
	}
	return status;
}

/* How much flags of a named token count. */
typedef enum named_flags
{
	FLAGS_NONE,					/* it is only a text */
	FLAGS_UNLISTED,				/* where no list has the token */
	FLAGS_LAST					/* after all lists */
} named_flags;

/* A named token that is a text, of a file or of the class. */
static void
name_text(const mb_reader *r, int which, const char *text, size_t length,
		  mb_added_token *token)
{
	memset(token, 0, sizeof(*token));
	token->text = text;
	token->length = length;
	token->special = true;
	token->lstrip = r->class->flagged && which == MB_NAMED_MASK;
}

/* The named special tokens: tokenizer_config.json or the legacy file. */
static mb_status
read_named(mb_reader *r, named_flags given[MB_NAMED_COUNT])
{
	int			i;

	for (i = 0; i < MB_NAMED_COUNT; i++)
	{
		const char *key = named_keys[i];
		const mb_json *legacy = mb_json_get(r->special_map, key);
		const mb_json *value = mb_json_get(r->config, key);
		const char *file = MB_TOKENIZER_CONFIG;
		mb_status	status;
		bool		object;

		given[i] = r->class->flagged ? FLAGS_UNLISTED : FLAGS_NONE;
		if (!mb_json_is_null(legacy))
		{
			value = legacy;
			file = MB_SPECIAL_TOKENS_MAP;
		}
		if (value == NULL && i == MB_NAMED_PAD &&
			!mb_json_is_null(r->stored_pad))
		{
			value = r->stored_pad;
			file = MB_TOKENIZER_JSON;
		}
		if (value == NULL && r->class->named[i] != NULL)
		{
			name_text(r, i, r->class->named[i], strlen(r->class->named[i]),
					  &r->named[i]);
			if (r->class->flagged)
				given[i] = FLAGS_LAST;
		}
		if (mb_json_is_null(value))
			continue;
		status = read_token(r, value, file, key, true, &r->named[i], &object);
		if (status != MB_OK)
			return status;
		if (!object)
		{
			name_text(r, i, r->named[i].text, r->named[i].length,
					  &r->named[i]);
			continue;
		}
		given[i] = FLAGS_UNLISTED;
		r->named[i].special = true;
		if (mb_json_is_null(mb_json_get(value, "normalized")))
			r->named[i].normalized = false;
	}
	return MB_OK;
}

/* A list of tokens, or (late v4) an object name -> token. */
static mb_status
read_further_list(mb_reader *r, request_list *objects, request_list *all,
				  const mb_json *object, const char *file, const char *key)
{
	const mb_json *list = mb_json_get(object, key);
	const mb_json *member;
	mb_status	status = MB_OK;

	if (mb_json_is_null(list))
		return MB_OK;
	if (list->type != MB_JSON_ARRAY && list->type != MB_JSON_OBJECT)
		return mb_wrong_value(r, file, key, "an array or an object");
	for (member = list->child; member != NULL && status == MB_OK;
		 member = member->next)
	{
		mb_added_token token;
		bool		flags_given;

		status = read_token(r, member, file, key, true, &token, &flags_given);
		if (status != MB_OK)
			return status;
		token.special = true;
		if (!flags_given || mb_json_is_null(mb_json_get(member, "normalized")))
			token.normalized = false;
		status = add_request(r, all, &token);
		if (status == MB_OK && flags_given)
			status = add_request(r, objects, &token);
	}
	return status;
}

/* Special tokens that have no name of their own; objects: those with flags. */
static mb_status
read_further(mb_reader *r, request_list *objects, request_list *all)
{
	static const char additional[] = "additional_special_tokens";
	mb_status	status;

	status = read_further_list(r, objects, all, r->config, MB_TOKENIZER_CONFIG,
							   additional);
	if (status == MB_OK)
		status = read_further_list(r, objects, all, r->special_map,
								   MB_SPECIAL_TOKENS_MAP, additional);
	if (status == MB_OK)
		status = read_further_list(r, objects, all, r->config,
								   MB_TOKENIZER_CONFIG,
								   "extra_special_tokens");
	return status;
}

/*
 * Special tokens that no list has, and objects among the further ones: their
 * flags come last.  The first "listed" requests are tokenizer.json's; flags of
 * a named token count where no other list has it.
 */
static mb_status
request_special(mb_reader *r, request_list *requests, size_t listed,
				const named_flags given[MB_NAMED_COUNT],
				const request_list *objects,
				const request_list *further)
{
	text_set	all;
	text_set	others;
	text_set	flagged;
	mb_status	status;
	size_t		i;

	status = make_set(r, requests->items, requests->count, &all);
	if (status == MB_OK)
		status = make_set(r, requests->items + listed,
						  requests->count - listed, &others);
	if (status == MB_OK)
		status = make_set(r, objects->items, objects->count, &flagged);
	for (i = 0; i < MB_NAMED_COUNT && status == MB_OK; i++)
	{
		const mb_added_token *token = &r->named[i];

		if (token->text != NULL &&
			(given[i] == FLAGS_LAST ||
			 !has_text(given[i] == FLAGS_NONE ? &all : &others, token)))
			status = add_request(r, requests, token);
	}
	for (i = 0; i < further->count && status == MB_OK; i++)
	{
		const mb_added_token *token = &further->items[i].token;

		if (has_text(&flagged, token) || !has_text(&all, token))
			status = add_request(r, requests, token);
	}
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

/* A later request for the same text; see the head of the file. */
static void
merge_request(request *kept, const request *later)
{
	bool		special = kept->token.special;

	if (!special)
	{
		kept->raw |= later->raw;
		kept->normalized |= later->normalized;
		kept->special_order = later->special_order;
	}
	kept->token = later->token;
	kept->token.special |= special;
}

/* One request per text, in the order of the first. */
static void
merge_requests(request_list *requests)
{
	request    *list = requests->items;
	size_t		kept = 0;
	size_t		i;

	if (requests->count == 0)
		return;
	qsort(list, requests->count, sizeof(request), compare_requests);
	for (i = 1; i < requests->count; i++)
	{
		if (mb_text_compare(list[kept].token.text, list[kept].token.length,
							list[i].token.text, list[i].token.length) == 0)
			merge_request(&list[kept], &list[i]);
		else
			list[++kept] = list[i];
	}
	requests->count = kept + 1;
	qsort(list, requests->count, sizeof(request), compare_orders);
}

/*
 * Ids: the model's own, else the next free one from the size of the model's
 * vocabulary on, as the library counts.  Ids of the model need not be dense,
 * so one that it uses is passed over.
 */
static mb_status
number_requests(mb_reader *r, const request_list *requests)
{
	mb_vocabulary *v = &r->vocabulary;
	int64_t		next = (int64_t) v->token_count;
	uint8_t    *used = mb_arena_zero(r->scratch, MB_TOKEN_ID_LIMIT / 8, 1);
	size_t		i;

	/* each may be found in two ways */
	v->added = mb_arena_alloc(r->scratch, requests->count,
							  2 * sizeof(mb_added_token));
	if (v->added == NULL || used == NULL)
		return mb_fail_memory(r->err);
	for (i = 0; i < v->token_count; i++)
		used[v->tokens[i].id / 8] |= 1 << v->tokens[i].id % 8;
	for (i = 0; i < requests->count; i++)
	{
		mb_added_token *token = &requests->items[i].token;

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

static void
store_token(mb_vocabulary *v, const request *r)
{
	if (r->raw)
	{
		v->added[v->added_count] = r->token;
		v->added[v->added_count++].normalized = false;
	}
	if (r->normalized)
	{
		v->added[v->added_count] = r->token;
		v->added[v->added_count++].normalized = true;
	}
}

static int
compare_special_orders(const void *a, const void *b)
{
	const request *left = a;
	const request *right = b;

	if (left->special_order != right->special_order)
		return left->special_order < right->special_order ? -1 : 1;
	return compare_orders(a, b);
}

/*
 * Store the added tokens, special ones first: of two tokens that normalise to
 * the same pattern, the library finds the special one, or else the first.
 */
static void
store_added_tokens(mb_reader *r, request_list *requests)
{
	size_t		i;

	if (requests->count > 0)
		qsort(requests->items, requests->count, sizeof(request),
			  compare_special_orders);
	for (i = 0; i < requests->count; i++)
		store_token(&r->vocabulary, &requests->items[i]);
}

mb_status
mb_read_added_tokens(mb_reader *r)
{
	const mb_json *decoder = mb_json_get(r->config, "added_tokens_decoder");
	request_list requests = {NULL, 0, 0};
	request_list objects = {NULL, 0, 0};
	request_list further = {NULL, 0, 0};
	text_set	special;
	text_set	known;
	named_flags given[MB_NAMED_COUNT];
	mb_status	status = read_named(r, given);
	size_t		listed = 0;

	if (status == MB_OK)
		status = read_further(r, &objects, &further);
	if (status == MB_OK)
		status = make_set(r, further.items, further.count, &special);
	if (status == MB_OK)
		status = request_added_tokens(r, &requests);
	listed = requests.count;
	if (status == MB_OK && !mb_json_is_null(decoder))
		status = request_numbered(r, &requests, &special, decoder, NULL);
	else if (status == MB_OK)
	{
		status = make_set(r, requests.items, requests.count, &known);
		if (status == MB_OK)
			status = request_again(r, &requests, &special);
		if (status == MB_OK && r->added_map != NULL)
			status = request_numbered(r, &requests, &special, r->added_map,
									  &known);
	}
	if (status == MB_OK)
		status = request_special(r, &requests, listed, given, &objects,
								 &further);
	if (status != MB_OK)
		return status;
	merge_requests(&requests);
	status = number_requests(r, &requests);
	if (status == MB_OK)
		store_added_tokens(r, &requests);
	return status;
}
