/*-------------------------------------------------------------------------
 *
 * config_keys.c
 *	  Reading the keys of a configuration file.
 *
 * Depends on model/config_keys.h.
 *
 *-------------------------------------------------------------------------
 */
#include "model/config_keys.h"

#include <math.h>

mb_status
mb_fail_type(const char *key, const char *expected, mb_error *err)
{
	return mb_fail(err, MB_ERR_DATA, "\"%s\" must be %s", key, expected);
}

mb_status
mb_read_size(const mb_json *root, const char *key, uint32_t low, uint32_t high,
			 uint32_t *value, mb_error *err)
{
	const mb_json *member = mb_json_get(root, key);
	int64_t		number;

	if (member == NULL)
		return MB_OK;
	if (member->type != MB_JSON_NUMBER || !member->integer)
		return mb_fail_type(key, "an integer", err);
	if (!mb_json_int(member, low, high, &number))
		return mb_fail(err, MB_ERR_LIMIT,
					   "\"%s\" must be between %u and %u, not %.40s",
					   key, low, high, member->text);
	*value = (uint32_t) number;
	return MB_OK;
}

mb_status
mb_read_flag(const mb_json *root, const char *key, uint8_t *value,
			 mb_error *err)
{
	const mb_json *member = mb_json_get(root, key);

	if (member == NULL)
		return MB_OK;
	if (member->type == MB_JSON_TRUE)
		*value = 1;
	else if (member->type == MB_JSON_FALSE || member->type == MB_JSON_NULL)
		*value = 0;
	else if (member->type == MB_JSON_NUMBER)
		*value = member->number != 0.0;
	else
		return mb_fail_type(key, "true or false", err);
	return MB_OK;
}

mb_status
mb_read_number(const mb_json *root, const char *key, double *value,
			   mb_error *err)
{
	const mb_json *member = mb_json_get(root, key);

	if (member == NULL)
		return MB_OK;
	if (member->type != MB_JSON_NUMBER)
		return mb_fail_type(key, "a number", err);
	if (!isfinite(member->number) || member->number < 0)
		return mb_fail_type(key, "finite and not negative", err);
	*value = member->number;
	return MB_OK;
}

bool
mb_find_value(const mb_named_value *table, size_t count, const mb_json *name,
			  uint32_t *value)
{
	size_t		i;

	for (i = 0; i < count; i++)
	{
		if (mb_json_is_string(name, table[i].name))
		{
			*value = table[i].value;
			return true;
		}
	}
	return false;
}

const char *
mb_find_name(const mb_named_value *table, size_t count, uint32_t value)
{
	size_t		i;

	for (i = 0; i < count; i++)
	{
		if (table[i].value == value)
			return table[i].name;
	}
	return NULL;
}
