/*-------------------------------------------------------------------------
 *
 * fuzz_json.c
 *	  Any bytes as a JSON document.
 *
 *-------------------------------------------------------------------------
 */
#include "base/json.h"
#include "fuzz.h"

/* Everything a tree promises; returns how deep it is. */
static int
check_value(const mb_json *value, bool member)
{
	const mb_json *child;
	size_t		count = 0;
	int			depth = 0;
	int64_t		number;
	uint64_t	u;

	CHECK((value->key != NULL) == member);
	if (member)
	{
		CHECK(value->key[value->key_length] == '\0');
		CHECK(mb_utf8_valid(value->key, value->key_length));
	}
	if (value->type == MB_JSON_STRING || value->type == MB_JSON_NUMBER)
	{
		CHECK(value->text[value->length] == '\0');
		CHECK(mb_utf8_valid(value->text, value->length));
		CHECK(value->child == NULL);
	}
	if (mb_json_int(value, -5, 1000, &number))
		CHECK(number >= -5 && number <= 1000 &&
			  value->number == (double) number);
	if (mb_json_uint64(value, &u) && u < UINT64_C(1) << 53)
		CHECK(value->number == (double) u);
	for (child = value->child; child != NULL; child = child->next)
	{
		int			inner = check_value(child, value->type == MB_JSON_OBJECT);

		depth = inner > depth ? inner : depth;
		count++;
	}
	if (value->type == MB_JSON_OBJECT || value->type == MB_JSON_ARRAY)
	{
		CHECK(value->length == count);
		depth++;
	}
	return depth;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int			python;

	for (python = 0; python < 2; python++)
	{
		mb_arena	arena;
		mb_error	err;
		mb_json    *root = NULL;
		mb_status	status;

		mb_arena_init(&arena, &mb_libc_memory, FUZZ_MEMORY);
		status = mb_json_parse((const char *) data, size, "doc", python != 0,
							   &arena, NULL, &root, &err);
		if (status == MB_OK)
		{
			CHECK(mb_utf8_valid((const char *) data, size));
			CHECK(check_value(root, false) <= MB_JSON_MAX_DEPTH);
			mb_json_get(root, "a");
		}
		else
			CHECK_ERROR(status, err);
		mb_arena_free(&arena);
	}
	return 0;
}
