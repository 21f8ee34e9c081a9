/*-------------------------------------------------------------------------
 *
 * abbreviations.c
 *	  Words that tell whether a stop ends a sentence: English, and the most
 *	  frequent of German, French, Spanish, Dutch and Italian.
 *
 * A list is one string with the words between blanks.  One that is written
 * there with a capital is none without: "St." and "st.".
 *
 * Depends on libc only.
 *
 *-------------------------------------------------------------------------
 */
#include "tasks/abbreviations.h"

#include <string.h>

static const struct
{
	mb_abbreviation kind;
	const char *words;			/* each between blanks */
}			abbreviations[] = {
	{MB_GOES_ON, " mr mrs dr prof messrs mme mlle mgr rev sgt cpl cmdr capt supt "
		"insp Ms St Mt Ft Hon Fr Gen Col Lt Maj Adm Gov Sen Rep Pres Sr Sra "
		"Srta Sig Dott Hr Ing Dipl Ud Uds Dhr Mevr Mag "
		"e.g i.e eg cf v vs viz op.cit approx esp incl excl resp attn "
		"z.b d.h bzw vgl evtl ggf inkl exkl zzgl ca sog bijv p.ex p.ej "},
	{MB_BEFORE_NUMBER, " no nos nr num fig figs p pp vol vols ch chap sec sect art "
		"eq eqs ex pt par para tab ref refs ver app bd kap abs ziff lit tel ext "
		"fax apt ste bldg op pop div jan feb mar apr jun jul aug sep sept oct okt nov "
		"dec dez dic "},
	{MB_IN_NAME, " inc ltd co corp llc plc bros jr dept univ assn Ave Blvd Rd Hwy "
		"Sq Str gmbh "
		"Mon Tue Tues Wed Thu Thur Thurs Fri "},
	{MB_ENDS_BEFORE_CAPITAL, " etc usw usf ecc al a.m p.m eds lb lbs oz hrs yrs "
		"avg misc govt intl natl "}
};

/* Words that begin sentences, and hardly a name. */
static const char starters[] =
" the this that these those it they we she but and if when then there however "
"after before because while although since what why how who our their its for "
"in ";

static const char months[] =
" januar februar m\xC3\xA4rz april mai juni juli august september oktober "
"november dezember jahrhundert ";

static char
ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

/* Is the word in the list, with no regard to case but where a capital is asked? */
static bool
in_list(const char *list, const char *word, size_t length)
{
	const char *at = list;

	if (length == 0)
		return false;
	while ((at = strchr(at, ' ')) != NULL && *++at != '\0')
	{
		size_t		i = 0;

		while (i < length && at[i] != '\0' && at[i] != ' ' &&
			   (at[i] == word[i] || at[i] == ascii_lower(word[i])))
			i++;
		if (i == length && at[i] == ' ')
			return true;
	}
	return false;
}

mb_abbreviation
mb_abbreviation_kind(const char *word, size_t length)
{
	char		first = length > 0 ? ascii_lower(word[0]) : 0;
	size_t		i;

	if (first < 'a' || first > 'z')
		return MB_NO_ABBREVIATION;
	for (i = 0; i < sizeof(abbreviations) / sizeof(abbreviations[0]); i++)
		if (in_list(abbreviations[i].words, word, length))
			return abbreviations[i].kind;
	return MB_NO_ABBREVIATION;
}

bool
mb_word_begins(const char *word, size_t length)
{
	return in_list(starters, word, length);
}

bool
mb_word_is_month(const char *word, size_t length)
{
	return in_list(months, word, length);
}
