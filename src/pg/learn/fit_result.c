/*-------------------------------------------------------------------------
 *
 * fit_result.c
 *	  From the rows that fit() gathered to a value of mobilebert.classifier.
 *
 * Labels are brought into the order of their bytes, rows into the engine's, so
 * that the same rows give the same bits whatever their way here.  What the user
 * is to know of the result beside its figures is told as NOTICE or WARNING.
 *
 * Depends on server/pg.h, server/adapt.h, server/guc.h, server/options.h,
 * models/fitted.h, models/registry.h, learn/fit.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/guc.h"
#include "server/options.h"
#include "models/fitted.h"
#include "models/registry.h"
#include "learn/fit.h"

#include "access/htup_details.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/typcache.h"

/* The rows as the engine takes them, and what it made of them. */
typedef struct Fitting
{
	const FitState *state;
	text	  **labels;			/* [state->label_count] in order */
	mb_fit_row *rows;			/* [state->count] */
	size_t	   *support;		/* [state->label_count] rows that have it */
	size_t		labels_of_rows; /* all their labels together */
	mb_fit_task task;
	mb_arena	arena;
	mb_memory	memory;
	mb_fit_result result;
} Fitting;

/* ----------
 * Before
 * ----------
 */

typedef struct LabelNumber
{
	text	   *label;
	uint32		number;			/* as they came */
} LabelNumber;

static int
compare_labels(const void *a, const void *b)
{
	const text *x = ((const LabelNumber *) a)->label;
	const text *y = ((const LabelNumber *) b)->label;
	size_t		lx = VARSIZE_ANY_EXHDR(x);
	size_t		ly = VARSIZE_ANY_EXHDR(y);
	int			order = memcmp(VARDATA_ANY(x), VARDATA_ANY(y), Min(lx, ly));

	return order != 0 ? order : (lx > ly) - (lx < ly);
}

static int
compare_numbers(const void *a, const void *b)
{
	uint32		x = *(const uint32 *) a;
	uint32		y = *(const uint32 *) b;

	return (x > y) - (x < y);
}

/* f->labels; returns the new number of each old one. */
static uint32 *
order_labels(Fitting *f)
{
	const FitState *state = f->state;
	LabelNumber *sorted = palloc(Max(state->label_count, 1) *
								 sizeof(LabelNumber));
	uint32	   *numbers = palloc(Max(state->label_count, 1) * sizeof(uint32));
	size_t		i;

	for (i = 0; i < state->label_count; i++)
	{
		sorted[i].label = state->labels[i];
		sorted[i].number = (uint32) i;
	}
	qsort(sorted, state->label_count, sizeof(LabelNumber), compare_labels);
	f->labels = palloc(Max(state->label_count, 1) * sizeof(text *));
	for (i = 0; i < state->label_count; i++)
	{
		f->labels[i] = sorted[i].label;
		numbers[sorted[i].number] = (uint32) i;
	}
	pfree(sorted);
	return numbers;
}

/* The labels of a row by their new numbers, in order. */
static void
renumber_labels(Fitting *f, mb_fit_row *row, const uint32 *numbers)
{
	size_t		count = row->target.labels.count;
	uint32	   *items = MemoryContextAllocHuge(CurrentMemoryContext,
											   Max(count, 1) * sizeof(uint32));
	size_t		i;

	for (i = 0; i < count; i++)
	{
		items[i] = numbers[row->target.labels.items[i]];
		f->support[items[i]]++;
	}
	qsort(items, count, sizeof(uint32), compare_numbers);
	row->target.labels.items = items;
	f->labels_of_rows += count;
}

/* A copy of the rows: the state itself may get more of them after this. */
static void
order_rows(Fitting *f)
{
	const FitState *state = f->state;
	uint32	   *numbers = order_labels(f);
	size_t		i;

	f->support = palloc0(Max(state->label_count, 1) * sizeof(size_t));
	f->rows = MemoryContextAllocHuge(CurrentMemoryContext,
									 state->count * sizeof(mb_fit_row));
	memcpy(f->rows, state->rows, state->count * sizeof(mb_fit_row));
	for (i = 0; i < state->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (state->kind == MB_FIT_LABELS)
			renumber_labels(f, &f->rows[i], numbers);
		if (state->kind != MB_FIT_CLASS)
			continue;
		f->rows[i].target.label = numbers[f->rows[i].target.label];
		f->support[f->rows[i].target.label]++;
	}
	pfree(numbers);
}

static void
check_labels(const FitState *state)
{
	if (state->kind == MB_FIT_NUMBER || state->label_count >= 2)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("there must be two different labels or more to fit a classifier on"),
			 state->label_count == 0 ? errdetail("No row has a label.") :
			 errdetail("All %zu rows have the label \"%s\".", state->count,
					   text_to_cstring(state->labels[0]))));
}

/* A label in lower case, without blanks. */
static text *
fold_label(const text *label)
{
	char	   *lower = str_tolower(VARDATA_ANY(label),
									VARSIZE_ANY_EXHDR(label),
									DEFAULT_COLLATION_OID);
	char	   *to = lower;
	const char *from;

	for (from = lower; *from != '\0'; from++)
		if (strchr(" \t\n\r\f\v", *from) == NULL)
			*to++ = *from;
	return cstring_to_text_with_len(lower, (int) (to - lower));
}

/* Labels that may be meant to be one. */
static void
notice_alike(const Fitting *f)
{
	size_t		count = f->state->label_count;
	LabelNumber *folded = palloc(Max(count, 1) * sizeof(LabelNumber));
	StringInfoData names;
	size_t		pairs = 0;
	size_t		i;

	initStringInfo(&names);
	for (i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		folded[i].label = fold_label(f->labels[i]);
		folded[i].number = (uint32) i;
	}
	qsort(folded, count, sizeof(LabelNumber), compare_labels);
	for (i = 1; i < count; i++)
	{
		if (compare_labels(&folded[i - 1], &folded[i]) != 0)
			continue;
		if (pairs++ < 5)
			appendStringInfo(&names, "%s\"%s\" and \"%s\"",
							 names.len > 0 ? ", " : "",
							 text_to_cstring(f->labels[Min(folded[i - 1].number,
														   folded[i].number)]),
							 text_to_cstring(f->labels[Max(folded[i - 1].number,
														   folded[i].number)]));
	}
	if (pairs > 0)
		ereport(NOTICE,
				(errmsg("there are labels that differ only in case or blanks: %s%s",
						names.data, pairs > 5 ? ", and others" : ""),
				 errdetail("They are different labels here.")));
	pfree(folded);
}

/* ----------
 * The fit
 * ----------
 */

static void
make_task(Fitting *f)
{
	const FitState *state = f->state;
	mb_fit_task *task = &f->task;

	task->kind = state->kind;
	task->layers = state->options.layers;
	task->features = state->width;
	task->labels = state->kind == MB_FIT_NUMBER ? 1 : state->label_count;
	task->layer = state->options.layers > 1 ? MB_FIT_CHOOSE_LAYER : 0;
	task->l2 = state->options.l2;
	task->balanced = state->options.balanced;
	task->folds = state->options.folds;
	if (task->balanced && task->kind == MB_FIT_NUMBER)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"class_weight\" needs classes"),
				 errdetail("The labels are numbers.")));
}

static void
run_fit(Fitting *f)
{
	size_t		beside = f->state->count * sizeof(mb_fit_row) +
		f->labels_of_rows * sizeof(uint32);
	size_t		bytes;

	ENGINE_CALL(mb_fit_memory, &f->task, f->state->count, &bytes);
	if (!mb_size_add(bytes, beside, &bytes))
		bytes = SIZE_MAX;
	fit_state_check(f->state, bytes);
	f->memory = mobilebert_memory(CurrentMemoryContext);
	mb_arena_init(&f->arena, &f->memory, SIZE_MAX);
	ENGINE_CALL(mb_fit, &f->task, f->rows, f->state->count, &f->arena,
				&mobilebert_cancel, &f->result);
}

/* ----------
 * What to tell
 * ----------
 */

static void
notice_folds(const Fitting *f)
{
	const mb_fit_result *result = &f->result;

	if (result->folds == 0)
		ereport(WARNING,
				(errmsg("the fit could not be judged by cross-validation"),
				 errdetail("The rows have one text, or are one.")));
	else if (result->folds < f->task.folds)
		ereport(NOTICE,
				(errmsg("cross-validation has %u folds instead of %u",
						result->folds, f->task.folds),
				 errdetail("There are no more different texts.")));
	if (result->folds == 0 || result->scarce == 0)
		return;
	ereport(NOTICE,
			(errmsg_plural("%zu label has fewer rows than the %u folds of cross-validation",
						   "%zu labels have fewer rows than the %u folds of cross-validation",
						   result->scarce, result->scarce, result->folds),
			 errdetail("Label \"%s\" has %zu of different texts; it is tested in as many folds.",
					   text_to_cstring(f->labels[result->scarcest]),
					   result->scarcest_rows)));
}

static void
warn_quality(const Fitting *f)
{
	const mb_fit_result *result = &f->result;

	if (!result->converged)
		ereport(WARNING,
				(errmsg("the fit did not converge"),
				 errdetail("%u iterations were not enough.",
						   result->iterations),
				 errhint("A larger \"l2\" converges faster.")));
	if (result->folds == 0)
		return;
	if (f->task.kind == MB_FIT_NUMBER)
		ereport(result->accuracy > 0 ? NOTICE : WARNING,
				(result->accuracy > 0 ?
				 errmsg("cross-validated R2 is %.2f", result->accuracy) :
				 errmsg("the classifier is no better than the mean of all rows: its R2 is %.2f",
						result->accuracy),
				 errdetail("The mean squared error is %g.",
						   result->mean_squared_error)));
	else if (result->accuracy <= result->majority)
		ereport(WARNING,
				(errmsg("the classifier is no better than the most frequent answer: accuracy %.2f, and %.2f without it",
						result->accuracy, result->majority),
				 errhint("Label more rows, look at the labels, or try another model.")));
}

/* ----------
 * The value
 * ----------
 */

static double
f1_of(const mb_fit_count *count)
{
	size_t		sum = count->rows + count->predicted;

	return sum == 0 ? 0 : 2.0 * (double) count->correct / (double) sum;
}

/* real[labels][features] */
static Datum
weights_datum(const Fitting *f)
{
	size_t		labels = f->task.labels;
	size_t		count = labels * f->task.features;
	ArrayType  *array;
	size_t		size = ARR_OVERHEAD_NONULLS(2) + count * sizeof(float4);
	float4	   *numbers;
	size_t		i;

	if (size > MaxAllocSize)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a classifier of %zu labels is too large", labels)));
	array = palloc0(size);
	SET_VARSIZE(array, size);
	array->ndim = 2;
	array->elemtype = FLOAT4OID;
	ARR_DIMS(array)[0] = (int) labels;
	ARR_DIMS(array)[1] = (int) f->task.features;
	ARR_LBOUND(array)[0] = ARR_LBOUND(array)[1] = 1;
	numbers = (float4 *) ARR_DATA_PTR(array);
	for (i = 0; i < count; i++)
		numbers[i] = (float4) f->result.weights[i];
	return PointerGetDatum(array);
}

static Datum
bias_datum(const Fitting *f)
{
	float4	   *numbers = palloc(f->task.labels * sizeof(float4));
	size_t		i;

	for (i = 0; i < f->task.labels; i++)
		numbers[i] = (float4) f->result.bias[i];
	return PointerGetDatum(mobilebert_real_array(numbers, f->task.labels));
}

static Datum
pooling_datum(mb_poolings pooling)
{
	Datum		names[MB_POOLINGS_LIMIT];
	int			count = 0;

	while (pooling != 0)
		names[count++] =
			CStringGetTextDatum(mb_pooling_name(mb_poolings_next(&pooling)));
	return PointerGetDatum(construct_array(names, count, TEXTOID, -1, false,
										   TYPALIGN_INT));
}

/* A number has one output, and a name as transformers makes it up. */
static Datum
labels_datum(const Fitting *f)
{
	Datum	   *names = palloc(f->task.labels * sizeof(Datum));
	size_t		i;

	for (i = 0; i < f->task.labels; i++)
		names[i] = f->task.kind == MB_FIT_NUMBER ?
			CStringGetTextDatum("LABEL_0") : PointerGetDatum(f->labels[i]);
	return PointerGetDatum(construct_array(names, (int) f->task.labels,
										   TEXTOID, -1, false, TYPALIGN_INT));
}

/* int[] of rows that have each label, double precision[] of its F1 */
static void
put_counts(const Fitting *f, Datum *values, bool *nulls)
{
	size_t		labels = f->task.labels;
	int32	   *support = palloc(labels * sizeof(int32));
	Datum	   *f1 = palloc(labels * sizeof(Datum));
	size_t		i;

	nulls[CLASSIFIER_SUPPORT] = f->task.kind == MB_FIT_NUMBER;
	nulls[CLASSIFIER_F1] = nulls[CLASSIFIER_SUPPORT] || f->result.folds == 0;
	for (i = 0; i < labels; i++)
	{
		if (!nulls[CLASSIFIER_SUPPORT])
			support[i] = (int32) f->support[i];
		if (!nulls[CLASSIFIER_F1])
			f1[i] = Float8GetDatum(f1_of(&f->result.counts[i]));
	}
	if (!nulls[CLASSIFIER_SUPPORT])
		values[CLASSIFIER_SUPPORT] =
			PointerGetDatum(mobilebert_int_array(support, labels));
	if (!nulls[CLASSIFIER_F1])
		values[CLASSIFIER_F1] =
			PointerGetDatum(construct_array(f1, (int) labels, FLOAT8OID, 8,
											FLOAT8PASSBYVAL,
											TYPALIGN_DOUBLE));
}

static void
put_figures(const Fitting *f, Datum *values, bool *nulls)
{
	const mb_fit_result *result = &f->result;
	bool		judged = result->folds > 0;
	bool		number = f->task.kind == MB_FIT_NUMBER;

	put_counts(f, values, nulls);
	nulls[CLASSIFIER_ACCURACY] = nulls[CLASSIFIER_MACRO_F1] =
		nulls[CLASSIFIER_MAJORITY] = number || !judged;
	nulls[CLASSIFIER_R2] = !number || !judged;
	values[CLASSIFIER_ACCURACY] = Float8GetDatum(result->accuracy);
	values[CLASSIFIER_MACRO_F1] = Float8GetDatum(result->macro_f1);
	values[CLASSIFIER_MAJORITY] = Float8GetDatum(result->majority);
	values[CLASSIFIER_R2] = Float8GetDatum(result->accuracy);
}

static const char *
problem_name(mb_fit_kind kind)
{
	switch (kind)
	{
		case MB_FIT_LABELS:
			return "multi_label_classification";
		case MB_FIT_NUMBER:
			return "regression";
		default:
			return "single_label_classification";
	}
}

static Datum
make_value(const Fitting *f, Oid type)
{
	const FitState *state = f->state;
	TupleDesc	desc = lookup_rowtype_tupdesc(type, -1);
	Datum		values[CLASSIFIER_COLUMNS] = {0};
	bool		nulls[CLASSIFIER_COLUMNS] = {0};
	char		hex[PG_SHA256_DIGEST_STRING_LENGTH];
	Datum		result;

	if (desc->natts != CLASSIFIER_COLUMNS)
		elog(ERROR, "type mobilebert.classifier has other columns");
	registry_hex(state->sha256, hex);
	values[CLASSIFIER_BASE] = PointerGetDatum(state->model);
	values[CLASSIFIER_FINGERPRINT] = CStringGetTextDatum(hex);
	values[CLASSIFIER_PROBLEM] = CStringGetTextDatum(problem_name(state->kind));
	values[CLASSIFIER_LAYER] = Int32GetDatum((int32) (state->options.first_layer +
													  f->result.layer));
	values[CLASSIFIER_POOLING] = pooling_datum(state->options.pooling);
	values[CLASSIFIER_LABELS] = labels_datum(f);
	values[CLASSIFIER_WEIGHTS] = weights_datum(f);
	values[CLASSIFIER_BIAS] = bias_datum(f);
	values[CLASSIFIER_L2] = Float8GetDatum(f->result.l2);
	values[CLASSIFIER_CLASS_WEIGHT] =
		CStringGetTextDatum(f->task.balanced ? "balanced" : "none");
	values[CLASSIFIER_FOLDS] = Int32GetDatum((int32) f->result.folds);
	values[CLASSIFIER_ROWS] = Int32GetDatum((int32) state->count);
	put_figures(f, values, nulls);
	result = HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
	ReleaseTupleDesc(desc);
	return result;
}

Datum
fit_result(const FitState *state, Oid type)
{
	Fitting		f;

	memset(&f, 0, sizeof(f));
	f.state = state;
	check_labels(state);
	make_task(&f);
	order_rows(&f);
	notice_alike(&f);
	run_fit(&f);
	notice_folds(&f);
	warn_quality(&f);
	return make_value(&f, type);
}
