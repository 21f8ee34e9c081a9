/*-------------------------------------------------------------------------
 *
 * reader.c
 *	  Values of tokenizer files, and what is said of wrong ones.
 *
 * Depends on tokenizer/reader.h.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/reader.h"

#include <string.h>

mb_status
mb_wrong_value(mb_reader *r, const char *file, const char *key,
			   const char *wanted)
{
	return mb_fail(r->err, MB_ERR_DATA, "\"%s\" in \"%s\" must be %s",
				   key, file, wanted);
}

mb_status
mb_read_bool(mb_reader *r, const mb_json *object, const char *file,
			 const char *key, bool *result)
{
	const mb_json *value = mb_json_get(object, key);
	int64_t		number;

	if (mb_json_is_null(value))
		return MB_OK;
	if (value->type == MB_JSON_TRUE || value->type == MB_JSON_FALSE)
		*result = value->type == MB_JSON_TRUE;
	else if (mb_json_int(value, 0, 1, &number))
		*result = number == 1;
	else
		return mb_wrong_value(r, file, key, "true or false");
	return MB_OK;
}

mb_status
mb_read_text(mb_reader *r, const mb_json *object, const char *file,
			 const char *key, const char **text, size_t *length)
{
	const mb_json *value = mb_json_get(object, key);

	if (mb_json_is_null(value))
		return MB_OK;
	if (value->type != MB_JSON_STRING)
		return mb_wrong_value(r, file, key, "a string");
	if (value->length > MB_TOKEN_LENGTH_LIMIT)
		return mb_fail(r->err, MB_ERR_LIMIT, "\"%s\" in \"%s\" is too long",
					   key, file);
	*text = value->text;
	*length = value->length;
	return MB_OK;
}

mb_status
mb_read_side(mb_reader *r, const mb_json *object, const char *file,
			 const char *key, bool *left)
{
	const mb_json *value = mb_json_get(object, key);

	if (mb_json_is_null(value))
		return MB_OK;
	if (mb_json_is_string(value, "left") || mb_json_is_string(value, "Left"))
		*left = true;
	else if (mb_json_is_string(value, "right") ||
			 mb_json_is_string(value, "Right"))
		*left = false;
	else
		return mb_wrong_value(r, file, key, "\"left\" or \"right\"");
	return MB_OK;
}

mb_status
mb_read_type_id(mb_reader *r, const mb_json *object, const char *file,
				const char *key, int32_t *result)
{
	const mb_json *value = mb_json_get(object, key);
	int64_t		type;

	if (mb_json_is_null(value))
		return MB_OK;
	if (!mb_json_int(value, 0, INT32_MAX, &type))
		return mb_wrong_value(r, file, key, "a non-negative integer");
	*result = (int32_t) type;
	return MB_OK;
}

mb_status
mb_check_type(mb_reader *r, const mb_json *component, const char *what,
			  const char *type)
{
	const mb_json *found;

	if (component->type != MB_JSON_OBJECT)
		return mb_wrong_value(r, MB_TOKENIZER_JSON, what, "an object");
	found = mb_json_get(component, "type");
	if (found == NULL || found->type != MB_JSON_STRING)
		return mb_fail(r->err, MB_ERR_DATA,
					   "\"%s\" in \"%s\" has no type", what,
					   MB_TOKENIZER_JSON);
	if (mb_json_is_string(found, type))
		return MB_OK;
	mb_fail(r->err, MB_ERR_UNSUPPORTED,
			"%s of type \"%s\" in \"%s\" is not supported",
			what, found->text, MB_TOKENIZER_JSON);
	if (strcmp(what, "model") == 0)
		mb_detail(r->err, "Vocabularies are WordPiece's; those of BPE and SentencePiece (Unigram) are for other families of models.");
	else
		mb_detail(r->err, "A WordPiece tokenizer has a %s of type \"%s\".",
				  what, type);
	return MB_ERR_UNSUPPORTED;
}
