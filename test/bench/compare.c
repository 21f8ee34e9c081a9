/*-------------------------------------------------------------------------
 *
 * compare.c
 *	  Two builds of the engine in one process, pass by pass in turn.
 *
 *	  compare BEFORE.so AFTER.so MODEL SET PRECISION COPIES SECONDS TOKENS...
 *
 * Each library is one that compare.sh made of subject.c.  For each number of
 * TOKENS one text of so many runs before and after, before and after, the
 * first of a pair changing each time, for so many SECONDS; the ratio after /
 * before of each pair is taken, and their median.  Which physical pages the
 * weights of a copy lie in decides up to a fifth of the time of a short text:
 * so both models are loaded anew COPIES times, the first of the two changing,
 * and what counts is the median of the copies' medians.  Beside it stand the
 * least and the largest of these, which say how sure that is.
 *
 * Output: a line a case, "LABEL before_ms after_ms ratio least largest" with
 * tabs, and "bits" in place of numbers if the states of one pass differ.
 *
 * Depends on subject.h, libc and dlopen.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE

#include "subject.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MOST_CASES 16
#define MOST_COPIES 64
#define MOST_PAIRS 4096
#define LEAST_PAIRS 5

/* Ids below the vocabulary of any English model */
#define IDS 20000

static const subject *library[2];

/* What is known of a number of tokens, by copy */
typedef struct result
{
	size_t		tokens;
	int32_t    *ids;
	bool		same;
	double		seconds[2][MOST_COPIES];
	double		ratio[MOST_COPIES];
} result;

/* Whose time counts; CLOCK of the environment, see compare.sh. */
static clockid_t clock_id = CLOCK_THREAD_CPUTIME_ID;

static double
now(void)
{
	struct timespec t;

	clock_gettime(clock_id, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static int
by_value(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x > y) - (x < y);
}

/* Sorts them. */
static double
median(double *values, size_t count)
{
	qsort(values, count, sizeof(double), by_value);
	return count % 2 == 1 ? values[count / 2] :
		(values[count / 2 - 1] + values[count / 2]) / 2;
}

static const subject *
load(const char *path)
{
	void	   *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	const subject *s = handle == NULL ? NULL : dlsym(handle, SUBJECT_SYMBOL);

	if (s == NULL)
	{
		fprintf(stderr, "compare: %s\n", dlerror());
		exit(2);
	}
	return s;
}

static const float *
pass(int side, void *model, const result *r, size_t *count)
{
	size_t		starts[2] = {0, r->tokens};

	return library[side]->run(model, 1, starts, r->ids, count);
}

static double
timed(int side, void *model, const result *r)
{
	double		begin = now();
	size_t		count;

	(void) pass(side, model, r, &count);
	return now() - begin;
}

/* The first pass of both warms up, and must give the same bits. */
static void
check_bits(void *const *models, result *r)
{
	size_t		count[2];
	const float *before = pass(0, models[0], r, &count[0]);
	const float *after = pass(1, models[1], r, &count[1]);

	if (count[0] != count[1] ||
		memcmp(before, after, count[0] * sizeof(float)) != 0)
		r->same = false;
}

static void
run_pairs(void *const *models, result *r, size_t copy, double seconds)
{
	static double times[2][MOST_PAIRS];
	static double ratios[MOST_PAIRS];
	double		end = now() + seconds;
	size_t		n;

	check_bits(models, r);
	for (n = 0; n < MOST_PAIRS && (n < LEAST_PAIRS || now() < end); n++)
	{
		int			first = (int) (n % 2);

		times[first][n] = timed(first, models[first], r);
		times[!first][n] = timed(!first, models[!first], r);
		ratios[n] = times[1][n] / times[0][n];
	}
	r->ratio[copy] = median(ratios, n);
	r->seconds[0][copy] = median(times[0], n);
	r->seconds[1][copy] = median(times[1], n);
}

static void
prepare(result *r, size_t tokens)
{
	size_t		i;

	r->tokens = tokens;
	r->same = true;
	r->ids = malloc(tokens * sizeof(int32_t));
	for (i = 0; i < tokens; i++)
		r->ids[i] = (int32_t) (1 + i * 7919 % (IDS - 1));
}

static void
report(result *r, const char *label, size_t copies)
{
	double		ratio = median(r->ratio, copies);

	printf("%s, %zu tokens\t", label, r->tokens);
	if (r->same)
		printf("%.3f\t%.3f\t%.4f\t%.4f\t%.4f\n",
			   median(r->seconds[0], copies) * 1e3,
			   median(r->seconds[1], copies) * 1e3,
			   ratio, r->ratio[0], r->ratio[copies - 1]);
	else
		printf("bits\n");
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	static result results[MOST_CASES];
	size_t		cases = argc > 8 ? (size_t) argc - 8 : 0;
	size_t		copies = argc > 8 ? (size_t) atoi(argv[6]) : 0;
	size_t		most = 0;
	size_t		copy;
	size_t		i;
	char		label[256];

	if (cases == 0 || cases > MOST_CASES || copies == 0 ||
		copies > MOST_COPIES)
	{
		fprintf(stderr, "usage: compare BEFORE.so AFTER.so MODEL SET "
				"PRECISION COPIES SECONDS TOKENS...\n");
		return 2;
	}
	if (getenv("CLOCK") != NULL && strcmp(getenv("CLOCK"), "wall") == 0)
		clock_id = CLOCK_MONOTONIC;
	library[0] = load(argv[1]);
	library[1] = load(argv[2]);
	for (i = 0; i < cases; i++)
	{
		prepare(&results[i], (size_t) atoi(argv[8 + i]));
		if (results[i].tokens > most)
			most = results[i].tokens;
	}
	for (copy = 0; copy < copies; copy++)
	{
		int			first = (int) (copy % 2);
		void	   *models[2];

		models[first] = library[first]->open(argv[3], argv[5], argv[4], most);
		models[!first] = library[!first]->open(argv[3], argv[5], argv[4],
											   most);
		for (i = 0; i < cases; i++)
			run_pairs(models, &results[i], copy, atof(argv[7]));
		library[first]->close(models[first]);
		library[!first]->close(models[!first]);
	}
	snprintf(label, sizeof(label), "%s %s on %s", strrchr(argv[3], '/') == NULL ?
			 argv[3] : strrchr(argv[3], '/') + 1, argv[5], argv[4]);
	for (i = 0; i < cases; i++)
		report(&results[i], label, copies);
	return 0;
}
