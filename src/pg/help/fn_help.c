/*-------------------------------------------------------------------------
 *
 * fn_help.c
 *	  help(): what there is, a line each.
 *
 * Depends on server/pg.h, server/adapt.h, server/options.h,
 * help/help_lines.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/options.h"
#include "help/help_lines.h"

#include "funcapi.h"
#include "utils/builtins.h"

/* Its own name, a setting also without the extension's before it. */
static bool
is_asked_for(const HelpLine *line, const char *wanted)
{
	const char *last = strrchr(line->name, '.');

	return pg_strcasecmp(line->topic, wanted) == 0 ||
		pg_strcasecmp(line->name, wanted) == 0 ||
		(last != NULL && pg_strcasecmp(last + 1, wanted) == 0);
}

/* A name as \df and error messages have it: mobilebert.embed, embed(text). */
static char *
plain_name(char *wanted)
{
	if (pg_strncasecmp(wanted, "mobilebert.", 11) == 0)
		wanted += 11;
	return pnstrdup(wanted, strcspn(wanted, "("));
}

pg_noreturn static void
no_such_topic(const char *wanted)
{
	StringInfoData topics;
	size_t		i;

	initStringInfo(&topics);
	for (i = 0; i < help_lines_count; i++)
	{
		if (i == 0 ||
			strcmp(help_lines[i].topic, help_lines[i - 1].topic) != 0)
			mobilebert_list_name(&topics, help_lines[i].topic);
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("there is no help on \"%s\"", wanted),
			 errdetail("Topics are %s.", topics.data),
			 errhint("Give a topic or the name of a function, view or setting; SELECT * FROM mobilebert.help() shows all.")));
}

/* help(topic text) -> setof (topic, name, description, example) */
PG_FUNCTION_INFO_V1(mobilebert_help);
Datum
mobilebert_help(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *info = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *wanted = NULL;
	char	   *plain = NULL;
	bool		found = false;
	size_t		i;

	mobilebert_srf_begin(fcinfo);
	if (ARG_IS_GIVEN(0))
	{
		wanted = text_to_cstring(PG_GETARG_TEXT_PP(0));
		plain = plain_name(wanted);
	}
	for (i = 0; i < help_lines_count; i++)
	{
		const HelpLine *line = &help_lines[i];
		Datum		values[4];
		bool		nulls[4] = {false};

		if (wanted != NULL && !is_asked_for(line, plain))
			continue;
		found = true;
		values[0] = CStringGetTextDatum(line->topic);
		values[1] = CStringGetTextDatum(line->name);
		values[2] = CStringGetTextDatum(line->description);
		values[3] = CStringGetTextDatum(line->example);
		tuplestore_putvalues(info->setResult, info->setDesc, values, nulls);
	}
	if (!found)
		no_such_topic(wanted);
	return (Datum) 0;
}
