/*-------------------------------------------------------------------------
 *
 * test_sentences.c
 *	  Where sentences, paragraphs and clauses end: lists of texts with marks.
 *
 * In an example "|" marks the end of a sentence, "^" that of a paragraph, and,
 * where clauses are looked at, "~" the end of one.
 *
 *-------------------------------------------------------------------------
 */
#include "base/utf8.h"
#include "tasks/sentences.h"

#include "tap.h"

#include <stdlib.h>
#include <string.h>

/* The text with marks where breaks are, clauses only if asked for. */
static char *
marked(const char *text, bool clauses)
{
	static const char marks[] = {0, '~', '|', '^'};
	mb_sentences s;
	mb_break	kind;
	int32_t		end;
	int32_t		at = 0;
	const char *from = text;
	char	   *out = malloc(2 * strlen(text) + 2);
	char	   *to = out;

	if (mb_sentences_begin(&s, text, strlen(text), NULL, NULL) != MB_OK)
		return strcpy(out, "failed");
	for (;;)
	{
		if (mb_sentences_next(&s, NULL, &kind, &end, NULL) != MB_OK ||
			kind == MB_BREAK_NONE)
			break;
		while (at < end)
		{
			const char *next = from;

			(void) mb_utf8_next(&next);
			memcpy(to, from, (size_t) (next - from));
			to += next - from;
			from = next;
			at++;
		}
		if (kind > MB_BREAK_CLAUSE || clauses)
			*to++ = marks[kind];
	}
	strcpy(to, from);
	return out;
}

static void
examples(const char *const *list, bool clauses, const char *what)
{
	int			wrong = 0;

	for (; *list != NULL; list++)
	{
		char	   *text = malloc(strlen(*list) + 1);
		char	   *to = text;
		const char *from;
		char	   *found;

		for (from = *list; *from != '\0'; from++)
			if (*from != '|' && *from != '^' && *from != '~')
				*to++ = *from;
		*to = '\0';
		found = marked(text, clauses);
		if (strcmp(found, *list) != 0)
		{
			printf("# expected %s\n# found    %s\n", *list, found);
			wrong++;
		}
		free(found);
		free(text);
	}
	ok(wrong == 0, "%s", what);
}

static const char *const plain[] = {
	"",
	" ",
	"One sentence",
	"One sentence.",
	"One.| Two.| Three.",
	"  One.|  Two.  ",
	"Really?| Yes!| What?!| No...| Well\xE2\x80\xA6| Then go.",
	"Wait...| What?",
	"It took... a while.| Then\xE2\x80\xA6 nothing.",
	"He came .| He saw .",
	NULL
};

static const char *const abbreviations[] = {
	"Mr. Smith met Dr. Jones at St. Mary's.| They talked.",
	"See e.g. Figure 3 and i.e. Berlin.| Done.",
	"Bananas, pears, etc. are fruit.| Apples, etc.| The rest is not.",
	"It is No. 5 of the series.| She said no.| He left.",
	"See Fig. 3, p. 12 and Vol. IV of it.| Next.",
	"Apple Inc. Chairman Levinson spoke.| It was bought by Apple Inc.| The price rose.",
	"He lives in the U.S. Army base.| She left the U.S.| They stayed.",
	"It begins at 5 p.m. sharp.| It ends at 6 p.m.| Everybody leaves.| It was 3 a.m. EST (2 a.m. CST) there.| On Tues. Sept. 3 he came.",
	"She has a Ph.D. in physics.| Roe v. Wade was decided on Jan. 22 of 1973.",
	"Smith et al. found it.| Approx. five of them, incl. Peter.",
	"Das kostet ca. 5 Euro, z. B. Berlin oder z.B. Bonn, d. h. viel.| Am 3. Oktober war es so.| Hr. Maier kam.",
	"Siehe Nr. 7, Abs. 3, bzw. Seite 5 usw.| Danach kam er.",
	"Le Dr. Martin et Mme. Dupont, p. ex. ici.| Voil\xC3\xA0.",
	"THE END.| SEE FIG. 3.| MR. BROWN IS HERE.",
	"A st. is not a saint.| Or the ms. of it.| So.",
	NULL
};

static const char *const initials[] = {
	"J. Smith and A. B. Jones came.| Then J.R.R. Tolkien came.",
	"\xD0\x90. \xD0\xA1. \xD0\x9F\xD1\x83\xD1\x88\xD0\xBA\xD0\xB8\xD0\xBD \xD0\xBF\xD0\xB8\xD1\x81\xD0\xB0\xD0\xBB.| \xD0\x9E\xD0\xBD \xD0\xB6\xD0\xB8\xD0\xBB.",
	"We went with plan B.| It failed.",
	"Jean-J. Rousseau wrote.| Then x = y.| Now z.",
	NULL
};

static const char *const numbers[] = {
	"It costs 3.14 or 1,000.50 today.| Version 2.0 is out.| We have 5.| 6 are left.",
	"It was 1999.| The year ended at 10.30 p.m. on a Friday.",
	"1. Open the box.| 2. Take it out.| 10. Close it.",
	"IV. The fourth part.| It is long.",
	"1.2. Scope of it.| 1.2.3. Terms.| The end.",
	"My comments: 1. This one.| 2. That one.",
	"a. first thing.| A. First thing.| The end.",
	"Items:|\n1. One|\n2. Two|\n3) Three|\n- four|\n* five|\n(a) six\nof it",
	"in the year\n1999.| It ended.",
	"\xEF\xBC\x93\xEF\xBC\x8E\xEF\xBC\x91\xEF\xBC\x94\xE3\x81\xA7\xE3\x81\x99\xE3\x80\x82",
	NULL
};

static const char *const quotes[] = {
	"He said \"Stop.\"| Then he left.",
	"He said \xE2\x80\x9CStop.\xE2\x80\x9D| (She did not.)| \xE2\x80\x9CWhy?\xE2\x80\x9D she asked.",
	"\xE2\x80\x9EHalt.\xE2\x80\x9C| Dann ging er.| \xC2\xAB Non. \xC2\xBB| Il part.",
	"(See p. 5.)| [It is there.]| 'So.'| **Bold.**| _Thin._| Last.",
	"It (really!) works.| It is known.[12]| It is so.[1][2a]| The end.",
	"She asked: \"Who?\"| \"Me.\"| \xC2\xBFQui\xC3\xA9n?| \xC2\xA1Yo!| Bien.",
	"Yes.).| No.",
	"It is so. [1]| It was. [2] [3][4]| [It] will be.| The end. [5]",
	NULL
};

static const char *const places[] = {
	"See https://example.com/a.b?c=d.| It",
	"Look at www.example.com/index.html or mail a.b@example.com.| Then use .NET or node.js.| Done.",
	"Open file.txt and /etc/hosts.allow.| Run a.out!| Right?",
	NULL
};

static const char *const small[] = {
	"hello.| how are you?| i am fine!| and you... well.| bye",
	"the approx. five of them.| e.g. this.| see no. 5 of it",
	"It is small. and goes on. iPhones too.| New.",
	NULL
};

static const char *const scripts[] = {
	"\xE4\xBD\xA0\xE5\xA5\xBD\xE3\x80\x82|\xE4\xBB\x8A\xE5\xA4\xA9\xEF\xBC\x81|\xE5\x90\x97\xEF\xBC\x9F|\xE3\x80\x8C\xE6\x98\xAF\xE3\x80\x82\xE3\x80\x8D|\xE5\xA5\xBD\xE3\x80\x82",
	"\xE3\x80\x8C\xE3\x81\xAF\xE3\x81\x84\xE3\x80\x82\xE3\x80\x8D\xE3\x81\xA8\xE8\xA8\x80\xE3\x81\xA3\xE3\x81\x9F\xE3\x80\x82|\xE7\xB5\x82\xE3\x80\x82",
	"\xE4\xBD\xA0\xE5\xA5\xBD!|\xE4\xBB\x8A\xE5\xA4\xA9\xE3\x80\x82| Then English.| \xE5\xA5\xBD\xE3\x80\x82",
	"\xE4\xBD\xA0\xE5\xA5\xBD\xE3\x80\x82|\xE2\x80\x9C\xE6\x98\xAF\xE3\x80\x82\xE2\x80\x9D|\xE5\xA5\xBD\xE3\x80\x82",
	"\xE0\xA4\xB9\xE0\xA4\xBE\xE0\xA4\x81\xE0\xA5\xA4| \xE0\xA4\xA8\xE0\xA4\xB9\xE0\xA5\x80\xE0\xA4\x82\xE0\xA5\xA4",
	"\xD9\x87\xD9\x84\xD8\x9F| \xD9\x86\xD8\xB9\xD9\x85.| \xD9\x84\xD8\xA7\xDB\x94",
	NULL
};

static const char *const lines[] = {
	"One\ntwo\nthree.|\nFour\r\nfive.",
	"One^\n\nTwo.^\r\n\r\nThree^\n \t\nFour^\xE2\x80\xA9" "Five",
	"# Title|\nIt begins.^\n\n## Part two|\nIt goes on|\n# again",
	"\n\nOne.^\n\n\n\nTwo.\n\n",
	"- one|\n- two",
	NULL
};

static const char *const clauses[] = {
	"First,~ second;~ third:~ fourth.| Last,~ as \"said,\"~ 1,000 of a:b",
	"One \xE2\x80\x94~ two\xE2\x80\x94~three \xE2\x80\x93~ four -~ five-six",
	"\xE4\xBD\xA0\xEF\xBC\x8C~\xE5\xA5\xBD\xE3\x80\x81~\xE5\xA5\xBD\xEF\xBC\x9A~\xE5\xA5\xBD",
	"One~\ntwo.|\n- three",
	NULL
};

/* Long runs of one thing, and a cancel that comes at once. */
static bool
at_once(void *context)
{
	(void) context;
	return true;
}

static void
test_long(void)
{
	static const char *const parts[] = {
		"a", ".", " ", ")", "\n", "\"", ". ", "a. ", ".) ", "[1]", ".[1]", "- "
		"\xE3\x80\x82", "\xE2\x80\x9C", "A. ", "1. ", "\n\n", ", ", "#", "\n# "
	};
	const mb_cancel cancel = {at_once, NULL};
	size_t		i;
	int			wrong = 0;

	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
	{
		size_t		each = strlen(parts[i]);
		size_t		count = 400000 / each;
		char	   *text = malloc(count * each);
		size_t		n;
		mb_sentences s;
		mb_break	kind = MB_BREAK_CLAUSE;
		int32_t		end = 0;
		int32_t		last = -1;

		for (n = 0; n < count; n++)
			memcpy(text + n * each, parts[i], each);
		wrong += mb_sentences_begin(&s, text, count * each, NULL, NULL) != MB_OK;
		while (kind != MB_BREAK_NONE)
		{
			wrong += mb_sentences_next(&s, NULL, &kind, &end, NULL) != MB_OK;
			wrong += kind != MB_BREAK_NONE && end <= last;
			last = end;
		}
		wrong += s.at != s.length;

		if (mb_sentences_begin(&s, text, count * each, &cancel, NULL) == MB_OK)
		{
			mb_status	status = MB_OK;

			kind = MB_BREAK_CLAUSE;
			for (n = 0; n < 100000 && status == MB_OK && kind != MB_BREAK_NONE; n++)
				status = mb_sentences_next(&s, &cancel, &kind, &end, NULL);
			wrong += n > 1 ? 0 : status != MB_ERR_CANCELLED;
		}
		free(text);
	}
	ok(wrong == 0, "long runs take their time, and hear a cancel");
}

int
main(void)
{
	examples(plain, false, "sentences");
	examples(abbreviations, false, "abbreviations");
	examples(initials, false, "initials");
	examples(numbers, false, "numbers and lists");
	examples(quotes, false, "quotes and brackets");
	examples(places, false, "addresses and files");
	examples(small, false, "small letters");
	examples(scripts, false, "scripts without white space, and other stops");
	examples(lines, false, "lines and paragraphs");
	examples(clauses, true, "clauses");
	test_long();
	return done_testing();
}
