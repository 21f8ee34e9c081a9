/*-------------------------------------------------------------------------
 *
 * test_fit.c
 *	  Heads from labelled rows: scores beside scikit-learn's
 *	  (test/golden/learning), one result whatever the order of rows, folds,
 *	  figures, refusals, cancel and memory.
 *
 *-------------------------------------------------------------------------
 */
#include "learning/fit.h"
#include "learning/folds.h"
#include "learning/logistic.h"
#include "tap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GOLDEN "test/golden/learning/fit.txt"

/* Scores may differ by so much, for scikit-learn and we stop near the end. */
#define NEAR 2e-6

typedef struct problem
{
	mb_fit_task task;
	size_t		rows;
	float	   *features;		/* [rows, layers * features] */
	mb_fit_row *row;			/* [rows] */
	uint32_t   *sets;			/* [rows, labels], for MB_FIT_LABELS */
	double	   *expected;		/* [rows, labels] or NULL */
} problem;

static mb_error err;
static uint64_t state = 1;

static uint64_t
random_bits(void)
{
	state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return state ^ state >> 29;
}

/* About normal */
static double
noise(void)
{
	double		sum = 0;
	int			i;

	for (i = 0; i < 12; i++)
		sum += (double) (random_bits() >> 11) / 0x1p53;
	return sum - 6;
}

static void
new_rows(problem *p)
{
	size_t		width = p->task.layers * p->task.features;
	size_t		r;

	p->features = calloc(p->rows * width + 1, sizeof(float));
	p->row = calloc(p->rows + 1, sizeof(mb_fit_row));
	p->sets = calloc(p->rows * p->task.labels + 1, sizeof(uint32_t));
	p->expected = NULL;
	for (r = 0; r < p->rows; r++)
	{
		p->row[r].hash[0] = random_bits();
		p->row[r].hash[1] = random_bits();
		p->row[r].features = p->features + r * width;
	}
}

static void
free_rows(problem *p)
{
	free(p->features);
	free(p->row);
	free(p->sets);
	free(p->expected);
}

/* Classes around random centres, noisier in the earlier layers */
static problem
make_classes(size_t rows, size_t layers, size_t features, size_t labels,
			 double spread)
{
	problem		p = {{MB_FIT_CLASS, layers, features, labels,
	MB_FIT_CHOOSE_LAYER, MB_FIT_CHOOSE_L2, false, MB_FIT_FOLDS}, rows,
	NULL, NULL, NULL, NULL};
	double	   *centres = calloc(labels * features, sizeof(double));
	size_t		r;
	size_t		l;
	size_t		i;

	new_rows(&p);
	for (i = 0; i < labels * features; i++)
		centres[i] = noise();
	for (r = 0; r < rows; r++)
	{
		uint32_t	label = (uint32_t) (r % labels);

		p.row[r].target.label = label;
		for (l = 0; l < layers; l++)
		{
			float	   *x = p.features + (r * layers + l) * features;
			double		squares = 0;

			for (i = 0; i < features; i++)
			{
				x[i] = (float) (centres[label * features + i] +
								noise() * spread * (double) (layers - l));
				squares += (double) x[i] * x[i];
			}
			for (i = 0; i < features; i++)
				x[i] = (float) (x[i] / sqrt(squares));
		}
	}
	free(centres);
	return p;
}

/* Fits; the arena is the caller's to free. */
static mb_status
fit(problem *p, mb_arena *arena, const mb_cancel *cancel,
	mb_fit_result *result)
{
	size_t		bytes;
	mb_status	status = mb_fit_memory(&p->task, p->rows, &bytes, &err);

	mb_arena_init(arena, &mb_libc_memory, bytes);
	if (status != MB_OK)
		return status;
	return mb_fit(&p->task, p->row, p->rows, arena, cancel, result, &err);
}

/* Scores [labels] of a row by the result */
static void
score(const problem *p, const mb_fit_result *result, const mb_fit_row *row,
	  double *scores)
{
	const float *x = row->features + result->layer * p->task.features;
	double		sum = 0;
	double		top = -HUGE_VAL;
	size_t		k;
	size_t		i;

	for (k = 0; k < p->task.labels; k++)
	{
		scores[k] = result->bias[k];
		for (i = 0; i < p->task.features; i++)
			scores[k] += result->weights[k * p->task.features + i] * x[i];
		top = fmax(top, scores[k]);
	}
	if (p->task.kind == MB_FIT_NUMBER)
		return;
	for (k = 0; k < p->task.labels; k++)
	{
		scores[k] = p->task.kind == MB_FIT_CLASS ? exp(scores[k] - top) :
			1 / (1 + exp(-scores[k]));
		sum += scores[k];
	}
	for (k = 0; k < p->task.labels && p->task.kind == MB_FIT_CLASS; k++)
		scores[k] /= sum;
}

static size_t
best_of(const double *scores, size_t count)
{
	size_t		best = 0;
	size_t		i;

	for (i = 1; i < count; i++)
		if (scores[i] > scores[best])
			best = i;
	return best;
}

static double
read_number(FILE *file)
{
	double		x;

	if (fscanf(file, "%lf", &x) != 1)
		abort();
	return x;
}

/* The next case of the file; false at its end */
static bool
read_case(FILE *file, problem *p, char *name)
{
	static const char *const kinds[] = {"class", "labels", "number"};
	char		kind[16];
	char		target[64];
	int			balanced;
	size_t		r;
	size_t		i;

	memset(p, 0, sizeof(*p));
	if (fscanf(file, " case %63s %15s %zu %zu %zu %lf %d", name, kind,
			   &p->rows, &p->task.features, &p->task.labels, &p->task.l2,
			   &balanced) != 7)
		return false;
	while (strcmp(kinds[p->task.kind], kind) != 0)
		p->task.kind++;
	p->task.layers = 1;
	p->task.layer = 0;
	p->task.folds = MB_FIT_FOLDS;
	p->task.balanced = balanced != 0;
	new_rows(p);
	for (r = 0; r < p->rows; r++)
	{
		mb_fit_row *row = &p->row[r];

		if (fscanf(file, "%63s", target) != 1)
			abort();
		if (p->task.kind == MB_FIT_CLASS)
			row->target.label = (uint32_t) atoi(target);
		else if (p->task.kind == MB_FIT_NUMBER)
			row->target.number = atof(target);
		else
		{
			uint32_t   *set = p->sets + r * p->task.labels;

			row->target.labels.items = set;
			for (i = 0; i < p->task.labels; i++)
				if (target[i] == '1')
					set[row->target.labels.count++] = (uint32_t) i;
		}
		for (i = 0; i < p->task.features; i++)
			p->features[r * p->task.features + i] =
				(float) (read_number(file) / 64);
	}
	p->expected = calloc(p->rows * p->task.labels, sizeof(double));
	for (i = 0; i < p->rows * p->task.labels; i++)
		p->expected[i] = read_number(file);
	return true;
}

static void
test_golden(void)
{
	FILE	   *file = fopen(GOLDEN, "r");
	char		name[64];
	problem		p;

	if (!ok(file != NULL, "%s is there", GOLDEN))
		return;
	while (read_case(file, &p, name))
	{
		double	   *scores = calloc(p.task.labels, sizeof(double));
		mb_fit_result result;
		mb_arena	arena;
		double		worst = 0;
		size_t		other = 0;
		mb_status	status = fit(&p, &arena, NULL, &result);
		size_t		r;
		size_t		k;

		ok(status == MB_OK && result.converged, "%s: converged in %u steps",
		   name, result.iterations);
		for (r = 0; r < p.rows; r++)
		{
			const double *expected = p.expected + p.task.labels *
				((size_t) (p.row[r].features - p.features) / p.task.features);

			score(&p, &result, &p.row[r], scores);
			for (k = 0; k < p.task.labels; k++)
				worst = fmax(worst, fabs(scores[k] - expected[k]) /
							 fmax(1, fabs(expected[k])));
			other += best_of(scores, p.task.labels) !=
				best_of(expected, p.task.labels);
		}
		ok(worst < NEAR, "%s: scikit-learn's scores (%.1e)", name, worst);
		ok(other == 0, "%s: scikit-learn's classes", name);
		mb_arena_free(&arena);
		free(scores);
		free_rows(&p);
	}
	fclose(file);
}

static void
shuffle(problem *p)
{
	size_t		r;

	for (r = p->rows; r-- > 1;)
	{
		size_t		other = random_bits() % (r + 1);
		mb_fit_row	swap = p->row[r];

		p->row[r] = p->row[other];
		p->row[other] = swap;
	}
}

static bool
same_result(const problem *p, const mb_fit_result *a, const mb_fit_result *b)
{
	size_t		labels = p->task.labels;

	return memcmp(a->weights, b->weights, labels * p->task.features *
				  sizeof(double)) == 0 &&
		memcmp(a->bias, b->bias, labels * sizeof(double)) == 0 &&
		a->layer == b->layer && a->l2 == b->l2 &&
		a->iterations == b->iterations && a->accuracy == b->accuracy &&
		a->macro_f1 == b->macro_f1 && a->weakest == b->weakest &&
		a->mean_squared_error == b->mean_squared_error &&
		a->candidate_count == b->candidate_count &&
		memcmp(a->candidates, b->candidates, a->candidate_count *
			   sizeof(mb_fit_candidate)) == 0 &&
		(a->predicted == NULL || memcmp(a->predicted, b->predicted, p->rows *
										sizeof(uint32_t)) == 0);
}

/* Rows of every kind, of which some have the text of another */
static problem
make_kind(mb_fit_kind kind, size_t rows)
{
	problem		p = make_classes(rows, 2, 21, 3, 1.0);
	size_t		r;
	size_t		k;

	p.task.kind = kind;
	for (r = 0; r < rows; r++)
	{
		uint32_t   *set = p.sets + r * 3;
		uint32_t	label = p.row[r].target.label;

		if (r % 7 == 6)
			memcpy(p.row[r].hash, p.row[r - 3].hash, sizeof(p.row[r].hash));
		if (kind == MB_FIT_NUMBER)
			p.row[r].target.number = label + noise() / 4 + 100;
		if (kind != MB_FIT_LABELS)
			continue;
		p.row[r].target.labels.items = set;
		p.row[r].target.labels.count = 0;
		for (k = 0; k < 3; k++)
			if (k == label || random_bits() % 5 == 0)
				set[p.row[r].target.labels.count++] = (uint32_t) k;
		if (r % 11 == 0)
			p.row[r].target.labels.count = 0;
	}
	if (kind == MB_FIT_NUMBER)
		p.task.labels = 1;
	return p;
}

static void
test_order(void)
{
	static const char *const names[] = {"classes", "labels", "numbers"};
	int			kind;

	for (kind = MB_FIT_CLASS; kind <= MB_FIT_NUMBER; kind++)
	{
		problem		p = make_kind(kind, 240);
		mb_fit_result first;
		mb_arena	arena;
		int			i;

		ok(fit(&p, &arena, NULL, &first) == MB_OK && first.converged &&
		   first.folds == MB_FIT_FOLDS, "%s: fitted", names[kind]);
		ok(first.accuracy > 0.5, "%s: accuracy, or R2, is %.3f", names[kind],
		   first.accuracy);
		for (i = 0; i < 3; i++)
		{
			mb_fit_result again;
			mb_arena	other;

			shuffle(&p);
			ok(fit(&p, &other, NULL, &again) == MB_OK &&
			   same_result(&p, &first, &again),
			   "%s: the same bits in another order", names[kind]);
			mb_arena_free(&other);
		}
		mb_arena_free(&arena);
		free_rows(&p);
	}
}

static void
test_folds(void)
{
	int			kind;

	for (kind = MB_FIT_CLASS; kind <= MB_FIT_NUMBER; kind++)
	{
		problem		p = make_kind(kind, 301);
		mb_fit_row *spare = calloc(p.rows, sizeof(*spare));
		size_t		size[5] = {0};
		size_t		of_label[5][3] = {{0}};
		bool		together = true;
		size_t		least = p.rows;
		size_t		most = 0;
		bool		even = true;
		mb_arena	arena;
		mb_folds	folds;
		size_t		r;
		int			i;
		int			j;
		int			k;

		mb_arena_init(&arena, &mb_libc_memory, SIZE_MAX);
		mb_fit_sort(p.row, spare, p.rows, 42, kind, NULL, &err);
		ok(mb_folds_deal(p.row, p.rows, kind, p.task.labels, 5, &folds,
						 &arena, NULL, &err) == MB_OK && folds.count == 5,
		   "kind %d: dealt", kind);
		for (r = 0; r < p.rows; r++)
		{
			bool		first = r == 0 || memcmp(p.row[r].hash,
												 p.row[r - 1].hash, 16) != 0;

			together = together &&
				(first || folds.of_row[r] == folds.of_row[r - 1]);
			size[folds.of_row[r]] += first;
			if (kind == MB_FIT_CLASS && first)
				of_label[folds.of_row[r]][p.row[r].target.label]++;
		}
		for (i = 0; i < 5; i++)
		{
			least = size[i] < least ? size[i] : least;
			most = size[i] > most ? size[i] : most;
			for (j = 0; j < 5; j++)
				for (k = 0; k < 3; k++)
					even = even && of_label[i][k] <= of_label[j][k] + 1;
		}
		ok(together, "kind %d: equal texts lie in one fold", kind);
		ok(most - least <= 1, "kind %d: folds of one size (%zu to %zu)", kind,
		   least, most);
		ok(even, "kind %d: each fold has its share of each label", kind);
		mb_arena_free(&arena);
		free(spare);
		free_rows(&p);
	}
}

/* Figures beside those counted from the predictions */
static void
test_figures(void)
{
	problem		p = make_classes(203, 1, 12, 5, 1.5);
	mb_fit_result result;
	mb_arena	arena;
	size_t		rows[5] = {0};
	size_t		predicted[5] = {0};
	size_t		correct[5] = {0};
	size_t		right = 0;
	double		f1 = 0;
	double		least = 2;
	size_t		r;
	size_t		k;

	p.row[7].target.label = 4;
	ok(fit(&p, &arena, NULL, &result) == MB_OK, "fitted");
	for (r = 0; r < p.rows; r++)
	{
		rows[p.row[r].target.label]++;
		predicted[result.predicted[r]]++;
		if (p.row[r].target.label == result.predicted[r])
		{
			correct[p.row[r].target.label]++;
			right++;
		}
	}
	for (k = 0; k < 5; k++)
	{
		double		one = 2.0 * correct[k] / (rows[k] + predicted[k]);

		f1 += one / 5;
		least = fmin(least, one);
		ok(result.counts[k].rows == rows[k] &&
		   result.counts[k].predicted == predicted[k] &&
		   result.counts[k].correct == correct[k], "counts of label %zu", k);
	}
	ok(result.rows == p.rows && result.folds == 5, "all rows are judged");
	ok(result.accuracy == (double) right / p.rows &&
	   result.micro_f1 == result.accuracy, "accuracy %.3f", result.accuracy);
	ok(fabs(result.macro_f1 - f1) < 1e-12, "macro F1 %.3f", f1);
	ok(fabs(result.weakest_f1 - least) < 1e-12, "the weakest label");
	ok(result.majority == 41.0 / 203, "majority %.3f", result.majority);
	ok(result.scarce == 0 && result.scarcest_rows == 40, "no label is scarce");
	mb_arena_free(&arena);
	free_rows(&p);
}

/*
 * What cross-validation says of a fold is what a head fitted without its rows
 * says of them.
 */
static void
test_left_out(void)
{
	problem		p = make_classes(120, 1, 10, 3, 0.8);
	mb_fit_result result;
	mb_arena	arena;
	mb_arena	fold_arena;
	mb_folds	folds;
	unsigned	fold;
	size_t		same = 0;
	size_t		r;

	p.task.l2 = 0.1;
	ok(fit(&p, &arena, NULL, &result) == MB_OK, "fitted");
	mb_arena_init(&fold_arena, &mb_libc_memory, SIZE_MAX);
	mb_folds_deal(p.row, p.rows, MB_FIT_CLASS, 3, 5, &folds, &fold_arena, NULL,
				  &err);
	for (fold = 0; fold < 5; fold++)
	{
		problem		part = p;
		mb_fit_result without;
		mb_arena	part_arena;
		double		scores[3];

		part.row = calloc(p.rows, sizeof(mb_fit_row));
		part.rows = 0;
		for (r = 0; r < p.rows; r++)
			if (folds.of_row[r] != fold)
				part.row[part.rows++] = p.row[r];
		if (fit(&part, &part_arena, NULL, &without) != MB_OK)
			abort();
		for (r = 0; r < p.rows; r++)
			if (folds.of_row[r] == fold)
			{
				score(&p, &without, &p.row[r], scores);
				same += best_of(scores, 3) == result.predicted[r];
			}
		mb_arena_free(&part_arena);
		free(part.row);
	}
	/* the fits that judge stop a little earlier than the last one */
	ok(same >= p.rows - 1, "%zu of %zu predictions are those of heads that "
	   "never saw the row", same, p.rows);
	mb_arena_free(&fold_arena);
	mb_arena_free(&arena);
	free_rows(&p);
}

static void
test_scarce(void)
{
	problem		p = make_classes(60, 1, 8, 3, 0.5);
	mb_fit_result result;
	mb_arena	arena;
	size_t		r;

	for (r = 0; r < p.rows; r++)
		p.row[r].target.label = r == 5 ? 2 : r % 2;
	ok(fit(&p, &arena, NULL, &result) == MB_OK && result.folds == 5 &&
	   result.scarce == 1 && result.scarcest == 2 &&
	   result.scarcest_rows == 1, "a label of one row is told");
	ok(result.weakest == 2 && result.weakest_f1 == 0 &&
	   result.counts[2].correct == 0 && result.counts[2].predicted == 0,
	   "nothing can predict it without its row");
	mb_arena_free(&arena);

	for (r = 0; r < p.rows; r++)
		memcpy(p.row[r].hash, p.row[r % 3].hash, 16);
	ok(fit(&p, &arena, NULL, &result) == MB_OK && result.folds == 3,
	   "no more folds than texts");
	mb_arena_free(&arena);
	for (r = 0; r < p.rows; r++)
		memset(p.row[r].hash, 0, 16);
	ok(fit(&p, &arena, NULL, &result) == MB_OK && result.folds == 0 &&
	   result.predicted == NULL && result.converged,
	   "one text alone is fitted, but not judged");
	mb_arena_free(&arena);
	free_rows(&p);

	/* labels that no row of a fold has, or all rows have */
	p = make_kind(MB_FIT_LABELS, 40);
	for (r = 0; r < p.rows; r++)
	{
		uint32_t   *set = p.sets + r * 3;

		set[0] = 0;
		set[1] = 2;
		p.row[r].target.labels.items = set;
		p.row[r].target.labels.count = r == 9 ? 2 : 1;
	}
	p.sets[3 * 3] = 1;
	p.row[3].target.labels.items = p.sets + 3 * 3;
	ok(fit(&p, &arena, NULL, &result) == MB_OK && result.converged &&
	   result.bias[0] > 0 && result.accuracy > 0.9,
	   "labels of one row, or of all but one");
	mb_arena_free(&arena);
	free_rows(&p);
}

/* The layer is chosen that tells the labels apart. */
static void
test_layer(void)
{
	problem		p = make_classes(150, 4, 16, 3, 0.2);
	mb_fit_result result;
	mb_arena	arena;
	size_t		r;
	size_t		i;

	for (r = 0; r < p.rows; r++)
		for (i = 0; i < p.task.features * 4; i++)
			if (i / p.task.features != 1)
				p.features[r * p.task.features * 4 + i] =
					(float) noise() / 4;
	ok(fit(&p, &arena, NULL, &result) == MB_OK && result.layer == 1 &&
	   result.accuracy > 0.9, "the layer that knows is chosen");
	mb_arena_free(&arena);
	for (r = 0; r < p.rows; r++)
		for (i = 1; i < 4; i++)
			memcpy(p.features + (r * 4 + i) * p.task.features,
				   p.features + r * 4 * p.task.features,
				   p.task.features * sizeof(float));
	ok(fit(&p, &arena, NULL, &result) == MB_OK && result.layer == 3,
	   "of equals the last");
	mb_arena_free(&arena);
	free_rows(&p);
}

/* So many rows and labels that candidates are tried on some of them */
static void
test_pilot(void)
{
	problem		p = make_classes(2000, 1, 24, 560, 0.1);
	mb_fit_result result;
	mb_arena	arena;
	mb_status	status = fit(&p, &arena, NULL, &result);

	ok(status == MB_OK && result.converged && result.rows == p.rows &&
	   result.accuracy > 0.5 && result.candidates[0].accuracy > 0.5,
	   "many rows and labels: accuracy %.3f", result.accuracy);
	mb_arena_free(&arena);
	free_rows(&p);
}

static void
refused(problem *p, mb_status expected, const char *what)
{
	mb_fit_result result;
	mb_arena	arena;

	mb_arena_init(&arena, &mb_libc_memory, SIZE_MAX);
	ok(mb_fit(&p->task, p->row, p->rows, &arena, NULL, &result,
			  &err) == expected, "refused: %s (%s)", what, err.message);
	mb_arena_free(&arena);
}

static void
test_refusals(void)
{
	static const float bad[] = {NAN, INFINITY, -INFINITY};
	problem		p = make_classes(30, 2, 8, 3, 0.5);
	mb_fit_task good = p.task;
	uint32_t	unsorted[] = {1, 0};
	size_t		bytes;
	size_t		i;

	for (i = 0; i < 3; i++)
	{
		p.features[17] = bad[i];
		refused(&p, MB_ERR_ARGUMENT, "features that are no numbers");
	}
	p.features[17] = 0;
	p.row[0].target.label = 3;
	refused(&p, MB_ERR_ARGUMENT, "a label that is none");
	p.row[0].target.label = 0;
	p.task.labels = 4;
	refused(&p, MB_ERR_ARGUMENT, "a label without rows");
	p.task.labels = 1;
	refused(&p, MB_ERR_ARGUMENT, "one label");
	p.task = good;
	p.rows = 0;
	refused(&p, MB_ERR_ARGUMENT, "no rows");
	p.rows = 30;
	for (i = 0; i < 5; i++)
	{
		static const double l2[] = {0, -2, NAN, INFINITY, 1e301};

		p.task.l2 = l2[i];
		refused(&p, MB_ERR_ARGUMENT, "a penalty");
	}
	p.task = good;
	p.task.folds = 1;
	refused(&p, MB_ERR_ARGUMENT, "one fold");
	p.task.folds = 21;
	refused(&p, MB_ERR_ARGUMENT, "21 folds");
	p.task = good;
	p.task.layers = 5;
	refused(&p, MB_ERR_ARGUMENT, "five layers");
	p.task.layers = 0;
	refused(&p, MB_ERR_ARGUMENT, "no layer");
	p.task = good;
	p.task.layer = 2;
	refused(&p, MB_ERR_ARGUMENT, "the third of two layers");
	p.task = good;
	p.task.features = SIZE_MAX / 4;
	ok(mb_fit_memory(&p.task, 30, &bytes, &err) == MB_ERR_LIMIT,
	   "more features than fit");
	p.task = good;
	p.task.labels = UINT32_MAX - 2;
	p.task.features = (size_t) 1 << 33;
	ok(mb_fit_memory(&p.task, 30, &bytes, &err) == MB_ERR_LIMIT,
	   "more weights than fit");
	p.task = good;
	ok(mb_fit_memory(&p.task, SIZE_MAX / 8, &bytes, &err) == MB_ERR_LIMIT,
	   "more rows than fit");
	free_rows(&p);

	p = make_kind(MB_FIT_LABELS, 20);
	p.row[4].target.labels.items = unsorted;
	p.row[4].target.labels.count = 2;
	refused(&p, MB_ERR_ARGUMENT, "labels out of order");
	free_rows(&p);
	p = make_kind(MB_FIT_NUMBER, 20);
	p.row[4].target.number = INFINITY;
	refused(&p, MB_ERR_ARGUMENT, "an infinite number");
	p.row[4].target.number = 1e200;
	refused(&p, MB_ERR_ARGUMENT, "a number whose square is none");
	for (i = 0; i < 20; i++)
		p.row[i].target.number = 1e38 * (double) (i + 5);
	refused(&p, MB_ERR_ARGUMENT, "numbers whose weights are no floats");
	free_rows(&p);
}

typedef struct countdown
{
	size_t		polls;
	size_t		left;
} countdown;

static bool
count_down(void *context)
{
	countdown  *c = context;

	c->polls++;
	return c->left > 0 && --c->left == 0;
}

static void
test_cancel(void)
{
	static const char *const names[] = {"classes", "labels", "numbers"};
	int			kind;

	for (kind = MB_FIT_CLASS; kind <= MB_FIT_NUMBER; kind++)
	{
		problem		p = make_kind(kind, 90);
		countdown	c = {0, 0};
		mb_cancel	cancel = {count_down, &c};
		mb_fit_result result;
		mb_arena	arena;
		bool		heard = true;
		size_t		all;
		size_t		i;

		ok(fit(&p, &arena, &cancel, &result) == MB_OK, "%s: fitted",
		   names[kind]);
		mb_arena_free(&arena);
		all = c.polls;
		for (i = 1; i <= all; i += 1 + all / 50)
		{
			problem		copy = p;

			/* a sort that is stopped may lose rows */
			copy.row = calloc(p.rows, sizeof(mb_fit_row));
			memcpy(copy.row, p.row, p.rows * sizeof(mb_fit_row));
			c.left = i;
			heard = heard && fit(&copy, &arena, &cancel,
								 &result) == MB_ERR_CANCELLED;
			mb_arena_free(&arena);
			free(copy.row);
		}
		ok(heard, "%s: a cancel at any of %zu looks ends it", names[kind],
		   all);
		free_rows(&p);
	}
}

/* Products between two looks for a cancel: multiply-adds */
static mb_products counting;
static const mb_products *counted;
static size_t since;
static size_t longest;

static void
count_multiply(const double *a, size_t row, size_t column, const double *b,
			   size_t ldb, double *c, size_t ldc, size_t m, size_t n,
			   size_t k, double sign)
{
	since += m * n * k;
	longest = since > longest ? since : longest;
	counted->multiply(a, row, column, b, ldb, c, ldc, m, n, k, sign);
}

static bool
looked(void *context)
{
	(void) context;
	since = 0;
	return false;
}

/*
 * 2^25 multiply-adds are some 2 ms with AVX-512 and 10 ms without any vectors
 * but those of two doubles.
 */
static void
test_polls(void)
{
	problem		p = make_classes(700, 1, 300, 600, 0.5);
	mb_cancel	cancel = {looked, NULL};
	uint32_t   *index = calloc(p.rows, sizeof(uint32_t));
	mb_fit_part part = {p.row, index, p.rows, 0};
	mb_logistic logistic;
	mb_arena	arena;
	double	   *weights;
	bool		converged;
	unsigned	taken;
	size_t		bytes;
	size_t		i;

	counted = mb_products_choose();
	counting = *counted;
	counting.multiply = count_multiply;
	for (i = 0; i < p.rows; i++)
		index[i] = (uint32_t) i;
	mb_arena_init(&arena, &mb_libc_memory, SIZE_MAX);
	if (mb_logistic_begin(&logistic, MB_FIT_CLASS, 300, 600, &counting,
						  &arena, &err) != MB_OK)
		abort();
	ok(mb_logistic_memory(300, 600, &bytes) && bytes <= arena.total,
	   "memory of a solver");
	for (i = 0; i < 600; i++)
		logistic.positive[i] = 1;
	weights = calloc(logistic.size, sizeof(double));
	ok(mb_logistic_fit(&logistic, &part, 0.1, 1e-3, 3, weights, &converged,
					   &taken, &cancel, &err) == MB_OK, "three steps");
	ok(longest > 0 && longest <= (size_t) 1 << 25,
	   "at most %.1f million multiply-adds between two looks",
	   (double) longest / 1e6);
	free(weights);
	mb_arena_free(&arena);
	free(index);
	free_rows(&p);
}

static void
test_memory(void)
{
	static const size_t shapes[][4] = {
		{2, 1, 1, 2}, {10, 4, 8, 2}, {40, 2, 100, 5}, {300, 1, 64, 40},
		{50, 1, 700, 3}, {700, 1, 5, 200}
	};
	size_t		s;
	int			kind;

	for (s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++)
		for (kind = MB_FIT_CLASS; kind <= MB_FIT_NUMBER; kind++)
		{
			problem		p = make_classes(shapes[s][0], shapes[s][1],
										 shapes[s][2], shapes[s][3], 0.5);
			mb_fit_result result;
			mb_arena	arena;
			size_t		bytes;
			mb_status	status;
			size_t		r;

			p.task.kind = kind;
			p.task.l2 = 1;
			for (r = 0; r < p.rows; r++)
			{
				p.sets[r] = (uint32_t) (r % shapes[s][3]);
				if (kind == MB_FIT_LABELS)
				{
					p.row[r].target.labels.items = &p.sets[r];
					p.row[r].target.labels.count = 1;
				}
				else if (kind == MB_FIT_NUMBER)
					p.row[r].target.number = noise();
			}
			if (kind == MB_FIT_NUMBER)
				p.task.labels = 1;
			status = mb_fit_memory(&p.task, p.rows, &bytes, &err);
			if (status == MB_OK)
				status = fit(&p, &arena, NULL, &result);
			ok(status == MB_OK && arena.total <= bytes,
			   "shape %zu, kind %d: fits in %zu of %zu bytes", s, kind,
			   arena.total, bytes);
			bytes = arena.total / 2;
			mb_arena_free(&arena);
			mb_arena_init(&arena, &mb_libc_memory, bytes);
			status = mb_fit(&p.task, p.row, p.rows, &arena, NULL, &result,
							&err);
			ok(status == MB_ERR_MEMORY && arena.total <= bytes,
			   "shape %zu, kind %d: not in half", s, kind);
			mb_arena_free(&arena);
			free_rows(&p);
		}
}

int
main(void)
{
	test_golden();
	test_order();
	test_folds();
	test_figures();
	test_left_out();
	test_scarce();
	test_layer();
	test_pilot();
	test_refusals();
	test_cancel();
	test_polls();
	test_memory();
	return done_testing();
}
