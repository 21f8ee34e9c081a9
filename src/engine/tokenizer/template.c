/*-------------------------------------------------------------------------
 *
 * template.c
 *	  The templates: which special tokens stand around one text and two.
 *
 * Spec formats.md 6.  Start at mb_read_template(), at the end.
 *
 * Depends on tokenizer/reader.h.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/reader.h"

#include <string.h>

/* Pieces of a template; each searches a list for its name. */
#define TEMPLATE_LIMIT 64

/* Tokens that a template may add; each takes space in every window. */
#define TEMPLATE_TOKEN_LIMIT 1024

/* A template under construction. */
typedef struct template_list
{
	mb_template_piece *pieces;
	size_t		count;
	size_t		capacity;
	size_t		tokens;			/* of kind MB_TEMPLATE_TOKEN */
} template_list;

static mb_status
template_add(mb_reader *r, template_list *list, int32_t kind, int32_t id,
			 int32_t type)
{
	if (kind == MB_TEMPLATE_TOKEN && list->tokens++ >= TEMPLATE_TOKEN_LIMIT)
		return mb_fail(r->err, MB_ERR_LIMIT,
					   "template in \"%s\" adds more than %d tokens",
					   MB_TOKENIZER_JSON, TEMPLATE_TOKEN_LIMIT);
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
store_template(mb_reader *r, bool pair, const template_list *list)
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

/*
 * No post-processor: A, or A B.  With ids: CLS A SEP, or CLS A SEP B SEP; with
 * as many separators between the texts.
 */
static mb_status
plain_template(mb_reader *r, int separators, int32_t cls, int32_t sep,
			   int32_t second)
{
	bool		special = separators > 0;
	int			pair;

	for (pair = 0; pair < 2; pair++)
	{
		template_list list = {NULL, 0, 0, 0};
		mb_status	status = MB_OK;
		int			i;

		if (special)
			status = template_add(r, &list, MB_TEMPLATE_TOKEN, cls, 0);
		if (status == MB_OK)
			status = template_add(r, &list, MB_TEMPLATE_FIRST, 0, 0);
		for (i = 0; i < (pair ? separators : special) && status == MB_OK; i++)
			status = template_add(r, &list, MB_TEMPLATE_TOKEN, sep, 0);
		if (status == MB_OK && pair)
			status = template_add(r, &list, MB_TEMPLATE_SECOND, 0, second);
		if (status == MB_OK && pair && special)
			status = template_add(r, &list, MB_TEMPLATE_TOKEN, sep, second);
		if (status != MB_OK)
			return status;
		store_template(r, pair == 1, &list);
	}
	return MB_OK;
}

/* The ids of {"SpecialToken": {"id": name}}, one piece each. */
static mb_status
template_special(mb_reader *r, template_list *list, const mb_json *processor,
				 const mb_json *piece, int32_t type)
{
	const mb_json *name = mb_json_get(piece, "id");
	const mb_json *known = mb_json_get(processor, "special_tokens");
	const mb_json *id;

	if (name == NULL || name->type != MB_JSON_STRING)
		return mb_wrong_value(r, MB_TOKENIZER_JSON, "SpecialToken.id",
							  "a string");
	if (known == NULL || known->type != MB_JSON_OBJECT)
		return mb_wrong_value(r, MB_TOKENIZER_JSON, "special_tokens",
							  "an object");
	known = mb_json_get(known, name->text);
	if (known == NULL || known->type != MB_JSON_OBJECT)
		return mb_fail(r->err, MB_ERR_DATA,
					   "template in \"%s\" names unknown special token \"%s\"",
					   MB_TOKENIZER_JSON, name->text);
	known = mb_json_get(known, "ids");
	if (known == NULL || known->type != MB_JSON_ARRAY)
		return mb_wrong_value(r, MB_TOKENIZER_JSON, "special_tokens.ids",
							  "an array");
	for (id = known->child; id != NULL; id = id->next)
	{
		int64_t		value;
		mb_status	status;

		if (!mb_json_int(id, 0, INT32_MAX, &value))
			return mb_wrong_value(r, MB_TOKENIZER_JSON, "special_tokens.ids",
								  "an array of non-negative integers");
		status = template_add(r, list, MB_TEMPLATE_TOKEN, (int32_t) value,
							  type);
		if (status != MB_OK)
			return status;
	}
	return MB_OK;
}

static mb_status
template_piece(mb_reader *r, template_list *list, const mb_json *processor,
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
					   MB_TOKENIZER_JSON);
	status = mb_read_type_id(r, special != NULL ? special : sequence,
							 MB_TOKENIZER_JSON, "type_id", &type);
	if (status != MB_OK)
		return status;
	if (special != NULL)
		return template_special(r, list, processor, special, type);

	name = mb_json_get(sequence, "id");
	if (mb_json_is_string(name, "A"))
		return template_add(r, list, MB_TEMPLATE_FIRST, 0, type);
	if (mb_json_is_string(name, "B"))
		return template_add(r, list, MB_TEMPLATE_SECOND, 0, type);
	return mb_wrong_value(r, MB_TOKENIZER_JSON, "Sequence.id",
						  "\"A\" or \"B\"");
}

static mb_status
general_template(mb_reader *r, const mb_json *processor, bool pair)
{
	const char *key = pair ? "pair" : "single";
	const mb_json *pieces = mb_json_get(processor, key);
	const mb_json *item;
	template_list list = {NULL, 0, 0, 0};
	size_t		seen[2] = {0, 0};
	size_t		i;

	if (pieces == NULL || pieces->type != MB_JSON_ARRAY)
		return mb_wrong_value(r, MB_TOKENIZER_JSON, key, "an array");
	if (pieces->length > TEMPLATE_LIMIT)
		return mb_fail(r->err, MB_ERR_LIMIT,
					   "template \"%s\" in \"%s\" has more than %d pieces",
					   key, MB_TOKENIZER_JSON, TEMPLATE_LIMIT);
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
					   key, MB_TOKENIZER_JSON,
					   pair ? "each of the sequences A and B once" :
					   "the sequence A once and no other");
	store_template(r, pair, &list);
	return MB_OK;
}

/* ["[SEP]", 102] */
static mb_status
processor_id(mb_reader *r, const mb_json *processor, const char *key,
			 int32_t *id)
{
	const mb_json *value = mb_json_get(processor, key);
	int64_t		number;

	if (value == NULL || value->type != MB_JSON_ARRAY || value->length != 2 ||
		value->child->type != MB_JSON_STRING ||
		!mb_json_int(value->child->next, 0, INT32_MAX, &number))
		return mb_wrong_value(r, MB_TOKENIZER_JSON, key, "a token and its id");
	*id = (int32_t) number;
	return MB_OK;
}

static mb_status
read_post_processor(mb_reader *r)
{
	const mb_json *processor = mb_json_get(r->tokenizer, "post_processor");
	const mb_json *type = mb_json_get(processor, "type");
	bool		roberta = mb_json_is_string(type, "RobertaProcessing");
	mb_status	status;

	if (mb_json_is_null(processor))
		return plain_template(r, 0, 0, 0, 1);
	if (roberta || mb_json_is_string(type, "BertProcessing"))
	{
		int32_t		cls = 0;
		int32_t		sep = 0;

		status = processor_id(r, processor, "cls", &cls);
		if (status == MB_OK)
			status = processor_id(r, processor, "sep", &sep);
		if (status != MB_OK)
			return status;
		return roberta ? plain_template(r, 2, cls, sep, 0) :
			plain_template(r, 1, cls, sep, 1);
	}
	status = mb_check_type(r, processor, "post_processor",
						   "TemplateProcessing");
	if (status == MB_OK)
		status = general_template(r, processor, false);
	if (status == MB_OK)
		status = general_template(r, processor, true);
	return status;
}

static int32_t
named_id(const mb_reader *r, mb_named_token which)
{
	const mb_added_token *token = &r->named[which];

	return token->text == NULL ? -1 :
		mb_vocabulary_id(&r->vocabulary, token->text, token->length);
}

mb_status
mb_read_template(mb_reader *r)
{
	mb_vocabulary *v = &r->vocabulary;

	v->cls_id = named_id(r, MB_NAMED_CLS);
	v->sep_id = named_id(r, MB_NAMED_SEP);
	v->pad_id = named_id(r, MB_NAMED_PAD);
	v->mask_id = named_id(r, MB_NAMED_MASK);
	if (r->tokenizer != NULL)
		return read_post_processor(r);
	if (v->cls_id < 0 || v->sep_id < 0)
		return mb_fail(r->err, MB_ERR_DATA, "\"%s\" sets no \"%s\"",
					   MB_TOKENIZER_CONFIG,
					   v->cls_id < 0 ? "cls_token" : "sep_token");
	return plain_template(r, r->class->double_separator ? 2 : 1, v->cls_id,
						  v->sep_id, 1);
}
