/*-------------------------------------------------------------------------
 *
 * test_report.c
 *	  Reports of labels beside those that scikit-learn prints
 *	  (test/golden/learning), in parts and whole.
 *
 *-------------------------------------------------------------------------
 */
#include "learning/report.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>

#define GOLDEN "test/golden/learning/report.txt"
#define MOST_ROWS 1000
#define TEXT 65536

static char actual[MOST_ROWS][64];
static char predicted[MOST_ROWS][64];
static char line[1024];
static mb_error err;

static bool
next_line(FILE *file)
{
	if (fgets(line, sizeof(line), file) == NULL)
		return false;
	line[strcspn(line, "\n")] = '\0';
	return true;
}

static int
characters(const char *text)
{
	int			count = 0;

	for (; *text != '\0'; text++)
		count += (*text & 0xC0) != 0x80;
	return count;
}

/* A name at the right of so many columns, then numbers, as it prints them */
static void
print_line(char *to, const char *name, int width, int digits,
		   const mb_report_line *l, bool accuracy)
{
	size_t		n = strlen(to);

	n += sprintf(to + n, "%*s%s ", width - characters(name), "", name);
	if (accuracy)
		n += sprintf(to + n, " %9s %9s", "", "");
	else
		n += sprintf(to + n, " %9.*f %9.*f", digits, l->precision, digits,
					 l->recall);
	sprintf(to + n, " %9.*f %9llu\n", digits, l->f1,
			(unsigned long long) l->support);
}

static void
print_report(char *to, const mb_report_line *lines, size_t count, int digits)
{
	static const char *const extra[] = {"accuracy", "macro avg", "weighted avg"};
	size_t		labels = count - MB_REPORT_EXTRA;
	int			width = (int) strlen("weighted avg");
	size_t		i;

	for (i = 0; i < labels; i++)
		if (characters(lines[i].name) > width)
			width = characters(lines[i].name);
	sprintf(to, "%*s  %9s %9s %9s %9s\n\n", width, "", "precision", "recall",
			"f1-score", "support");
	for (i = 0; i < labels; i++)
		print_line(to, lines[i].name, width, digits, &lines[i], false);
	strcat(to, "\n");
	for (i = 0; i < MB_REPORT_EXTRA; i++)
		print_line(to, extra[i], width, digits, &lines[labels + i],
				   i == MB_REPORT_ACCURACY);
}

static mb_report
count_rows(mb_arena *arena, size_t from, size_t to)
{
	mb_report	report;
	size_t		i;

	mb_report_begin(&report, arena);
	for (i = from; i < to; i++)
		if (mb_report_add(&report, actual[i], strlen(actual[i]),
						  predicted[i], strlen(predicted[i]), &err) != MB_OK)
			abort();
	return report;
}

/* The same from three parts, combined from the last to the first */
static mb_report
count_parts(mb_arena *arena, size_t rows)
{
	mb_report	report;
	size_t		part;
	size_t		i;

	mb_report_begin(&report, arena);
	for (part = 3; part-- > 0;)
	{
		mb_report	some = count_rows(arena, part * rows / 3,
									  (part + 1) * rows / 3);

		for (i = 0; i < some.labels; i++)
			if (mb_report_combine(&report, &some.counts[i], &err) != MB_OK)
				abort();
	}
	return report;
}

static void
test_golden(void)
{
	static char expected[TEXT];
	static char printed[TEXT];
	FILE	   *file = fopen(GOLDEN, "r");
	char		name[64] = "";
	size_t		rows = 0;

	if (!ok(file != NULL, "%s is there", GOLDEN))
		return;
	while (next_line(file))
	{
		size_t		i;
		int			digits;

		if (sscanf(line, "case %63s %zu", name, &rows) != 2 ||
			rows > MOST_ROWS)
			abort();
		for (i = 0; i < rows; i++)
			if (!next_line(file) ||
				sscanf(line, "%63[^\t]\t%63[^\n]", actual[i],
					   predicted[i]) != 2)
				abort();
		next_line(file);
		next_line(file);
		while (sscanf(line, "digits %d", &digits) == 1)
		{
			mb_arena	arena;
			int			parts;

			expected[0] = '\0';
			while (next_line(file) && strncmp(line, "digits", 6) != 0 &&
				   strcmp(line, "end of case") != 0)
			{
				strcat(expected, line);
				strcat(expected, "\n");
			}
			mb_arena_init(&arena, &mb_libc_memory, SIZE_MAX);
			for (parts = 0; parts < 2; parts++)
			{
				mb_report	report = parts ? count_parts(&arena, rows) :
					count_rows(&arena, 0, rows);
				mb_report_line *lines;
				size_t		count;

				ok(mb_report_lines(&report, &lines, &count, NULL,
								   &err) == MB_OK, "%s", name);
				print_report(printed, lines, count, digits);
				if (!ok(strcmp(printed, expected) == 0,
						"%s, %d digits%s: as scikit-learn prints it", name,
						digits, parts ? ", in parts" : ""))
					printf("%s\nnot\n%s", printed, expected);
			}
			mb_arena_free(&arena);
		}
	}
	fclose(file);
}

static void
test_nothing_predicted(void)
{
	mb_report_line *lines;
	mb_report	report;
	mb_arena	arena;
	size_t		count;

	mb_arena_init(&arena, &mb_libc_memory, SIZE_MAX);
	mb_report_begin(&report, &arena);
	ok(mb_report_lines(&report, &lines, &count, NULL, &err) == MB_OK &&
	   count == 0, "a report of no rows has no lines");
	mb_report_add(&report, "a", 1, "a", 1, &err);
	mb_report_add(&report, "a", 1, NULL, 0, &err);
	mb_report_add(&report, "b", 1, NULL, 0, &err);
	mb_report_add(&report, "a\0z", 3, "a", 1, &err);
	ok(mb_report_lines(&report, &lines, &count, NULL, &err) == MB_OK &&
	   count == 3 + MB_REPORT_EXTRA, "no prediction is no label");
	ok(lines[0].support == 2 && lines[0].predicted == 2 &&
	   lines[0].precision == 0.5 && lines[0].recall == 0.5,
	   "it counts as wrong");
	ok(lines[1].length == 3 && lines[1].support == 1,
	   "names may have zero bytes");
	ok(lines[2].recall == 0 && lines[2].precision == 0 && lines[2].f1 == 0,
	   "what would be divided by zero is 0");
	ok(lines[3 + MB_REPORT_ACCURACY].f1 == 0.25 &&
	   lines[3 + MB_REPORT_ACCURACY].support == 4 &&
	   lines[3 + MB_REPORT_ACCURACY].predicted == 2,
	   "accuracy is of all rows");
	mb_arena_free(&arena);
}

static bool
at_once(void *context)
{
	(void) context;
	return true;
}

static void
test_refusals(void)
{
	mb_report_count bad = {"x", 1, 3, 5, 4};
	mb_report_count full = {"x", 1, UINT64_MAX, UINT64_MAX, 0};
	mb_cancel	cancel = {at_once, NULL};
	mb_report_line *lines;
	mb_report	report;
	mb_arena	arena;
	size_t		count;
	mb_status	status = MB_OK;
	size_t		i;

	mb_arena_init(&arena, &mb_libc_memory, SIZE_MAX);
	mb_report_begin(&report, &arena);
	ok(mb_report_combine(&report, &bad, &err) == MB_ERR_DATA,
	   "more correct rows than there are");
	ok(mb_report_combine(&report, &full, &err) == MB_OK &&
	   mb_report_combine(&report, &full, &err) == MB_ERR_DATA,
	   "more rows than can be counted");
	mb_report_add(&report, "y", 1, "y", 1, &err);
	ok(mb_report_lines(&report, &lines, &count, &cancel,
					   &err) == MB_ERR_CANCELLED, "a cancel is heard");
	mb_arena_free(&arena);

	mb_arena_init(&arena, &mb_libc_memory, 100000);
	mb_report_begin(&report, &arena);
	for (i = 0; i < 100000 && status == MB_OK; i++)
	{
		char		name[16];

		sprintf(name, "%zu", i);
		status = mb_report_add(&report, name, strlen(name), NULL, 0, &err);
	}
	ok(status == MB_ERR_MEMORY && i > 300, "memory has a limit");
	mb_arena_free(&arena);
}

int
main(void)
{
	test_golden();
	test_nothing_predicted();
	test_refusals();
	return done_testing();
}
