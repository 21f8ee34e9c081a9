/*-------------------------------------------------------------------------
 *
 * fuzz_zero_shot.c
 *	  Any bytes as a hypothesis template and a label: the first byte is the
 *	  length of the label, which follows, and the rest the template.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"
#include "tasks/zero_shot.h"

static size_t
count(const char *text, size_t length, char c)
{
	size_t		found = 0;
	size_t		i;

	for (i = 0; i < length; i++)
		found += text[i] == c;
	return found;
}

/* Fields and doubled braces are all that can change. */
static void
check_text(const char *template, size_t template_length, size_t label_length,
		   const char *text, size_t length)
{
	size_t		braces = count(template, template_length, '{') +
		count(template, template_length, '}');

	CHECK(text[length] == '\0');
	if (braces == 0)
		CHECK(length == template_length &&
			  memcmp(text, template, length) == 0);
	/* {0} has two braces and three characters */
	CHECK(length + 2 * braces >= template_length);
	CHECK(length <= template_length + braces * label_length);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *label = (const char *) data + 1;
	const char *template;
	size_t		label_length;
	size_t		length;
	mb_arena	arena;
	mb_error	err;
	mb_status	status;
	char	   *text;

	if (size == 0 || (size_t) data[0] > size - 1)
		return 0;
	label_length = data[0];
	template = label + label_length;
	mb_arena_init(&arena, &mb_libc_memory, FUZZ_MEMORY);
	status = mb_format_label(template, size - 1 - label_length, label,
							 label_length, &arena, &text, &length, &err);
	if (status == MB_OK)
		check_text(template, size - 1 - label_length, label_length, text,
				   length);
	else
		CHECK_ERROR(status, err);
	mb_arena_free(&arena);
	return 0;
}
