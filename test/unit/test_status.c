/*-------------------------------------------------------------------------
 *
 * test_status.c
 *	  mb_fail() and its like, and cancelling.
 *
 *-------------------------------------------------------------------------
 */
#include "base/status.h"
#include "base/utf8.h"
#include "tap.h"

#include <string.h>

static void
test_messages(void)
{
	mb_error	err;
	char		longer[1000];

	ok(mb_fail(NULL, MB_ERR_DATA, "x") == MB_ERR_DATA, "err may be NULL");
	mb_detail(NULL, "x");
	mb_hint(NULL, "x");

	memset(&err, 'x', sizeof(err));
	ok(mb_fail(&err, MB_ERR_LIMIT, "size %d of \"%s\"", 3, "a") == MB_ERR_LIMIT,
	   "mb_fail returns its status");
	ok(err.status == MB_ERR_LIMIT && strcmp(err.message, "size 3 of \"a\"") == 0,
	   "message");
	ok(err.detail[0] == '\0' && err.hint[0] == '\0', "detail and hint cleared");
	mb_detail(&err, "Detail %d.", 1);
	mb_hint(&err, "Hint %d.", 2);
	ok(strcmp(err.detail, "Detail 1.") == 0 && strcmp(err.hint, "Hint 2.") == 0,
	   "detail and hint");

	mb_fail(&err, MB_ERR_DATA, "%s", "a\xFF" "b\x01\x7F\nc\xE2\x82");
	ok(strcmp(err.message, "a?b   c") == 0,
	   "bad bytes and control characters: \"%s\"", err.message);
	mb_fail(&err, MB_ERR_DATA, "%s", "a\xE9z");
	ok(strcmp(err.message, "a?z") == 0,
	   "a bad byte near the end is not a cut character: \"%s\"", err.message);

	memset(longer, 'a', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	memcpy(longer + 509, "\xE2\x82\xAC", 3);
	mb_fail(&err, MB_ERR_DATA, "%s", longer);
	ok(strlen(err.message) == 509, "a cut character goes away (%zu)",
	   strlen(err.message));
	memcpy(longer + 508, "\xE2\x82\xAC" "b", 4);
	mb_fail(&err, MB_ERR_DATA, "%s", longer);
	ok(strlen(err.message) == 511 && mb_utf8_valid(err.message, 511),
	   "a whole one stays");

	ok(mb_fail_memory(&err) == MB_ERR_MEMORY &&
	   err.status == MB_ERR_MEMORY && strcmp(err.message, "out of memory") == 0,
	   "no memory");
}

static bool
say(void *context)
{
	return *(bool *) context;
}

static void
test_cancel(void)
{
	bool		answer = true;
	mb_cancel	cancel = {say, &answer};
	mb_cancel	never = {NULL, NULL};
	mb_error	err;

	ok(mb_cancelled(&cancel), "a request is noticed");
	ok(mb_poll_cancel(&cancel, "reading", &err) == MB_ERR_CANCELLED &&
	   strcmp(err.message, "reading was cancelled") == 0, "and said");
	ok(mb_poll_cancel(&cancel, NULL, &err) == MB_ERR_CANCELLED &&
	   strcmp(err.message, "cancelled") == 0, "without a word for the work");
	answer = false;
	ok(mb_poll_cancel(&cancel, "reading", NULL) == MB_OK, "all is well");
	ok(!mb_cancelled(&cancel), "no request");
	ok(!mb_cancelled(NULL) && !mb_cancelled(&never), "nobody to ask");
}

int
main(void)
{
	test_messages();
	test_cancel();
	return done_testing();
}
