/*-------------------------------------------------------------------------
 *
 * client_warning.h
 *	  WARNINGs for the client that stay out of the server's log.
 *
 * Depends on server/pg.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_CLIENT_WARNING_H
#define MOBILEBERT_CLIENT_WARNING_H

#include "server/pg.h"

/* A WARNING about what a statement asked for; in the log it is a NOTICE. */
extern void mobilebert_client_warning(const char *message, const char *detail,
									  const char *hint);
extern void mobilebert_client_warning_init(void);

#endif							/* MOBILEBERT_CLIENT_WARNING_H */
