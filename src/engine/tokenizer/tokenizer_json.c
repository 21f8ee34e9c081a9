/*-------------------------------------------------------------------------
 *
 * tokenizer_json.c
 *	  The file tokenizer.json but for its added tokens and template: the
 *	  model's tokens, and options of normalizer, decoder and others.
 *
 * Spec formats.md 6.  Start at mb_read_tokenizer_json(), at the end.
 *
 * Depends on tokenizer/reader.h.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/reader.h"

#include <string.h>

/* {"token": id, ...} */
static mb_status
read_vocab_object(mb_reader *r, const mb_json *vocab)
{
	mb_vocabulary *v = &r->vocabulary;
	const mb_json *member;
	mb_status	status;
	int32_t    *ids;
	size_t		i = 0;

	if (vocab == NULL || vocab->type != MB_JSON_OBJECT)
		return mb_wrong_value(r, MB_TOKENIZER_JSON, "model.vocab",
							  "an object");
	status = mb_vocabulary_begin(v, vocab->length, MB_TOKENIZER_JSON,
								 r->scratch, r->err);
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
						   member->key, MB_TOKENIZER_JSON);
		if (id >= MB_TOKEN_ID_LIMIT)
			return mb_fail(r->err, MB_ERR_LIMIT,
						   "id of token \"%s\" in \"%s\" must be below %d",
						   member->key, MB_TOKENIZER_JSON, MB_TOKEN_ID_LIMIT);
		ids[i] = (int32_t) id;
		status = mb_vocabulary_set(v, i, member->key, member->key_length,
								   MB_TOKENIZER_JSON, r->err);
		if (status != MB_OK)
			return status;
	}
	return mb_vocabulary_sort(v, ids, r->cancel, r->err);
}

static mb_status
read_model(mb_reader *r)
{
	const mb_json *model = mb_json_get(r->tokenizer, "model");
	const mb_json *limit;
	mb_vocabulary *v = &r->vocabulary;
	mb_status	status;

	if (model == NULL || model->type != MB_JSON_OBJECT)
		return mb_wrong_value(r, MB_TOKENIZER_JSON, "model", "an object");
	if (mb_json_get(model, "type") != NULL)
	{
		status = mb_check_type(r, model, "model", "WordPiece");
		if (status != MB_OK)
			return status;
	}
	else if (mb_json_get(model, "merges") != NULL)
		return mb_fail(r->err, MB_ERR_UNSUPPORTED,
					   "model with \"merges\" in \"%s\" is not supported",
					   MB_TOKENIZER_JSON);

	status = mb_read_text(r, model, MB_TOKENIZER_JSON, "unk_token",
						  &v->unk_text, &v->unk_length);
	if (status == MB_OK)
		status = mb_read_text(r, model, MB_TOKENIZER_JSON,
							  "continuing_subword_prefix",
							  &v->prefix, &v->prefix_length);
	if (status != MB_OK)
		return status;
	limit = mb_json_get(model, "max_input_chars_per_word");
	if (limit != NULL)
	{
		uint64_t	value;

		if (!mb_json_uint64(limit, &value))
			return mb_wrong_value(r, MB_TOKENIZER_JSON,
								  "max_input_chars_per_word",
								  "a non-negative integer");
		v->max_word_chars = value > INT32_MAX ? INT32_MAX : (uint32_t) value;
	}
	return read_vocab_object(r, mb_json_get(model, "vocab"));
}

/* BertNormalizer; *strip is -1 for null. */
static mb_status
read_bert_normalizer(mb_reader *r, const mb_json *component, int *strip)
{
	mb_normalizer *n = &r->vocabulary.normalizer;
	bool		value = false;
	mb_status	status = mb_check_type(r, component, "normalizer",
									   "BertNormalizer");

	if (status == MB_OK)
		status = mb_read_bool(r, component, MB_TOKENIZER_JSON, "clean_text",
							  &n->clean_text);
	if (status == MB_OK)
		status = mb_read_bool(r, component, MB_TOKENIZER_JSON,
							  "handle_chinese_chars",
							  &n->handle_chinese_chars);
	if (status == MB_OK)
		status = mb_read_bool(r, component, MB_TOKENIZER_JSON, "lowercase",
							  &n->lowercase);
	if (status == MB_OK)
		status = mb_read_bool(r, component, MB_TOKENIZER_JSON, "strip_accents",
							  &value);
	if (status == MB_OK &&
		!mb_json_is_null(mb_json_get(component, "strip_accents")))
		*strip = value;
	return status;
}

/*
 * A Sequence of a BertNormalizer and Lowercase, as sentence-transformers writes
 * for do_lower_case.  Lower-casing first and last gives the same; accents are
 * stripped only if the BertNormalizer does it by itself.
 */
static mb_status
read_sequence(mb_reader *r, const mb_json *sequence, int *strip)
{
	const mb_json *list = mb_json_get(sequence, "normalizers");
	const mb_json *part;
	const mb_json *bert = NULL;
	bool		lowercase = false;
	mb_status	status;

	if (list == NULL || list->type != MB_JSON_ARRAY)
		return mb_wrong_value(r, MB_TOKENIZER_JSON, "normalizers", "an array");
	for (part = list->child; part != NULL; part = part->next)
	{
		if (mb_json_is_string(mb_json_get(part, "type"), "Lowercase"))
			lowercase = true;
		else if (bert == NULL)
			bert = part;
		else
			return mb_fail(r->err, MB_ERR_UNSUPPORTED,
						   "normalizer in \"%s\" is a Sequence of others than "
						   "Lowercase and one BertNormalizer",
						   MB_TOKENIZER_JSON);
	}
	if (bert == NULL)
		return mb_fail(r->err, MB_ERR_UNSUPPORTED,
					   "normalizer in \"%s\" is a Sequence without a "
					   "BertNormalizer", MB_TOKENIZER_JSON);
	r->sequence = true;
	status = read_bert_normalizer(r, bert, strip);
	if (*strip < 0)
		*strip = r->vocabulary.normalizer.lowercase;
	r->vocabulary.normalizer.lowercase |= lowercase;
	return status;
}

/* Without one, the generic class does nothing and the others build their own. */
static mb_status
read_normalizer(mb_reader *r, int *strip)
{
	const mb_json *component = mb_json_get(r->tokenizer, "normalizer");
	mb_normalizer *n = &r->vocabulary.normalizer;

	if (mb_json_is_null(component))
	{
		if (r->class->generic)
			memset(n, 0, sizeof(*n));
		return MB_OK;
	}
	if (mb_json_is_string(mb_json_get(component, "type"), "Sequence"))
		return read_sequence(r, component, strip);
	return read_bert_normalizer(r, component, strip);
}

static mb_status
read_pre_tokenizer(mb_reader *r)
{
	const mb_json *component = mb_json_get(r->tokenizer, "pre_tokenizer");

	if (mb_json_is_null(component))
		return mb_fail(r->err, MB_ERR_UNSUPPORTED,
					   "\"%s\" without a pre_tokenizer is not supported",
					   MB_TOKENIZER_JSON);
	return mb_check_type(r, component, "pre_tokenizer", "BertPreTokenizer");
}

static mb_status
read_decoder(mb_reader *r)
{
	const mb_json *component = mb_json_get(r->tokenizer, "decoder");
	mb_vocabulary *v = &r->vocabulary;
	mb_status	status;

	if (mb_json_is_null(component))
		return MB_OK;
	status = mb_check_type(r, component, "decoder", "WordPiece");
	if (status == MB_OK)
		status = mb_read_text(r, component, MB_TOKENIZER_JSON, "prefix",
							  &v->decoder_prefix, &v->decoder_prefix_length);
	if (status == MB_OK)
		status = mb_read_bool(r, component, MB_TOKENIZER_JSON, "cleanup",
							  &v->decoder_cleanup);
	return status;
}

/* Stored truncation and padding set attributes of the tokenizer only (6.1). */
static mb_status
read_attributes(mb_reader *r)
{
	const mb_json *truncation = mb_json_get(r->tokenizer, "truncation");
	const mb_json *padding = mb_json_get(r->tokenizer, "padding");
	mb_vocabulary *v = &r->vocabulary;
	mb_status	status = MB_OK;

	if (!mb_json_is_null(truncation))
	{
		if (truncation->type != MB_JSON_OBJECT)
			return mb_wrong_value(r, MB_TOKENIZER_JSON, "truncation",
								  "an object");
		status = mb_read_side(r, truncation, MB_TOKENIZER_JSON, "direction",
							  &v->truncate_left);
	}
	if (status == MB_OK && !mb_json_is_null(padding))
	{
		if (padding->type != MB_JSON_OBJECT)
			return mb_wrong_value(r, MB_TOKENIZER_JSON, "padding",
								  "an object");
		status = mb_read_side(r, padding, MB_TOKENIZER_JSON, "direction",
							  &v->pad_left);
		if (status == MB_OK)
			status = mb_read_type_id(r, padding, MB_TOKENIZER_JSON,
									 "pad_type_id", &v->pad_type_id);
		r->stored_pad = mb_json_get(padding, "pad_token");
	}
	return status;
}

mb_status
mb_read_tokenizer_json(mb_reader *r, int *strip)
{
	const mb_json *version = mb_json_get(r->tokenizer, "version");
	mb_status	status;

	if (!mb_json_is_null(version) && !mb_json_is_string(version, "1.0"))
		return mb_fail(r->err, MB_ERR_UNSUPPORTED,
					   "\"%s\" has a format version other than \"1.0\"",
					   MB_TOKENIZER_JSON);
	status = read_model(r);
	if (status == MB_OK)
		status = read_normalizer(r, strip);
	if (status == MB_OK)
		status = read_pre_tokenizer(r);
	if (status == MB_OK)
		status = read_decoder(r);
	if (status == MB_OK)
		status = read_attributes(r);
	return status;
}
