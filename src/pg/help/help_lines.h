/*-------------------------------------------------------------------------
 *
 * help_lines.h
 *	  What help() knows of each function, view and setting.
 *
 * Depends on libc only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_HELP_LINES_H
#define MOBILEBERT_HELP_LINES_H

#include <stddef.h>

typedef struct HelpLine
{
	const char *topic;			/* one word */
	const char *name;			/* of the function, view or setting */
	const char *description;	/* a few words */
	const char *example;		/* a statement, without a semicolon */
} HelpLine;

/* By topic, those of one beside each other. */
extern const HelpLine help_lines[];
extern const size_t help_lines_count;

#endif							/* MOBILEBERT_HELP_LINES_H */
