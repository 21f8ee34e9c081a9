/*-------------------------------------------------------------------------
 *
 * client_warning.c
 *	  WARNINGs for the client that stay out of the server's log.
 *
 * That texts were cut, or that a model has no label called entailment, tells
 * whoever wrote the statement, and each statement anew: a generated column on a
 * table of long texts would fill the log with it.  So the client gets a WARNING
 * by client_min_messages, as ever, and the log has it only where NOTICEs are
 * wanted there, too (log_min_messages).
 *
 * The server asks emit_log_hook about each message that is on its way to the
 * log.  Ours are known by the place where they were made, which also the copy
 * has that a leader makes of its parallel workers' messages.  Hooks that others
 * set before see all that is logged, as without this one.
 *
 * Depends on server/pg.h, server/client_warning.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/client_warning.h"

#include "utils/elog.h"
#include "utils/guc.h"

static emit_log_hook_type previous_hook = NULL;

/* The only function here that makes a message. */
void
mobilebert_client_warning(const char *message, const char *detail,
						  const char *hint)
{
	ereport(WARNING,
			(errcode(ERRCODE_WARNING),
			 errmsg_internal("%s", message),
			 errdetail_internal("%s", detail),
			 errhint("%s", hint)));
}

static bool
is_client_warning(const ErrorData *error)
{
	return error->elevel == WARNING &&
		error->filename != NULL && error->funcname != NULL &&
		strcmp(error->filename, "client_warning.c") == 0 &&
		strcmp(error->funcname, "mobilebert_client_warning") == 0;
}

static void
keep_out_of_log(ErrorData *error)
{
	if (log_min_messages > NOTICE && is_client_warning(error))
		error->output_to_server = false;
	else if (previous_hook != NULL)
		previous_hook(error);
}

void
mobilebert_client_warning_init(void)
{
	previous_hook = emit_log_hook;
	emit_log_hook = keep_out_of_log;
}
