/*-------------------------------------------------------------------------
 *
 * create_classifier.c
 *	  The SQL function create_classifier(): a fitted classifier becomes a model.
 *
 * A value of type mobilebert.classifier is a row that anybody can write by
 * hand, so nothing in it is believed: it is turned into the two documents of a
 * fitted classifier, and the engine checks these against the model's
 * configuration, as it does whenever they are read (classifier.h).
 *
 * The model that it was fitted on is found by its fingerprint: first under the
 * name that it had then, then under any.
 *
 * Depends on server/pg.h, server/adapt.h, server/options.h, models/fitted.h,
 * models/model_cache.h, models/registry.h, models/rights.h, import/import.h,
 * import/import_model.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/options.h"
#include "models/fitted.h"
#include "models/model_cache.h"
#include "models/registry.h"
#include "models/rights.h"
#include "import/import.h"
#include "import/import_model.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/numeric.h"
#include "utils/snapmgr.h"
#include "utils/typcache.h"

/* Columns of create_classifier()'s row */
#define INFO_COLUMNS 8

/* A value of type mobilebert.classifier, and what was found in it. */
typedef struct Classifier
{
	Datum		values[CLASSIFIER_COLUMNS];
	bool		nulls[CLASSIFIER_COLUMNS];
	Datum	   *labels;			/* [outputs] text */
	int			outputs;
	Datum	   *pooling;		/* text */
	int			poolings;
	ArrayType  *weights;		/* [outputs, width] real */
	ArrayType  *bias;			/* [outputs] real */
	int			width;
} Classifier;

static const char *const column_names[CLASSIFIER_COLUMNS] = {
	"base", "fingerprint", "problem_type", "layer", "pooling", "labels",
	"weights", "bias", "l2", "class_weight", "folds", "rows", "support", "f1",
	"accuracy", "macro_f1", "majority", "r2"
};

/* ----------
 * The value
 * ----------
 */

pg_noreturn static void
bad_value(int column, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("\"%s\" of the classifier %s", column_names[column], what),
			 errhint("Pass what mobilebert.fit() returned, as it is.")));
}

static void
deform(HeapTupleHeader header, Classifier *c)
{
	TupleDesc	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header),
											  HeapTupleHeaderGetTypMod(header));
	HeapTupleData tuple;
	int			i;

	if (desc->natts != CLASSIFIER_COLUMNS)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("type mobilebert.classifier has %d columns instead of %d",
						desc->natts, CLASSIFIER_COLUMNS)));
	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = header;
	heap_deform_tuple(&tuple, desc, c->values, c->nulls);
	ReleaseTupleDesc(desc);
	for (i = 0; i <= CLASSIFIER_BIAS; i++)
		if (c->nulls[i])
			bad_value(i, "is null");
}

/* An array of so many dimensions without nulls. */
static ArrayType *
plain_array(const Classifier *c, int column, int dimensions)
{
	ArrayType  *array = DatumGetArrayTypeP(c->values[column]);

	if (ARR_NDIM(array) != dimensions)
		bad_value(column, dimensions == 1 ? "does not have one dimension" :
				  "does not have two dimensions");
	if (ARR_HASNULL(array) && array_contains_nulls(array))
		bad_value(column, "contains nulls");
	return array;
}

static Datum *
text_items(const Classifier *c, int column, int *count)
{
	Datum	   *items;

	deconstruct_array(plain_array(c, column, 1), TEXTOID, -1, false,
					  TYPALIGN_INT, &items, NULL, count);
	return items;
}

static int
compare_labels(const void *a, const void *b)
{
	const text *x = *(text *const *) a;
	const text *y = *(text *const *) b;
	size_t		lx = VARSIZE_ANY_EXHDR(x);
	size_t		ly = VARSIZE_ANY_EXHDR(y);
	int			order = memcmp(VARDATA_ANY(x), VARDATA_ANY(y), Min(lx, ly));

	return order != 0 ? order : (lx > ly) - (lx < ly);
}

static void
check_labels(const Classifier *c)
{
	text	  **sorted = palloc(c->outputs * sizeof(text *));
	int			i;

	for (i = 0; i < c->outputs; i++)
		sorted[i] = DatumGetTextPP(c->labels[i]);
	qsort(sorted, c->outputs, sizeof(text *), compare_labels);
	for (i = 1; i < c->outputs; i++)
		if (compare_labels(&sorted[i - 1], &sorted[i]) == 0)
			bad_value(CLASSIFIER_LABELS, "has a label twice");
	pfree(sorted);
}

static void
read_value(HeapTupleHeader header, Classifier *c)
{
	memset(c, 0, sizeof(*c));
	deform(header, c);
	c->labels = text_items(c, CLASSIFIER_LABELS, &c->outputs);
	check_labels(c);
	c->pooling = text_items(c, CLASSIFIER_POOLING, &c->poolings);
	c->weights = plain_array(c, CLASSIFIER_WEIGHTS, 2);
	c->bias = plain_array(c, CLASSIFIER_BIAS, 1);
	c->width = ARR_DIMS(c->weights)[1];
	if (ARR_DIMS(c->weights)[0] != c->outputs)
		bad_value(CLASSIFIER_WEIGHTS, "does not have one row for each label");
	if (ARR_DIMS(c->bias)[0] != c->outputs)
		bad_value(CLASSIFIER_BIAS, "does not have one number for each label");
}

/* ----------
 * The model that it was fitted on
 * ----------
 */

static bool
has_fingerprint(const RegistryModel *model, const char *fingerprint)
{
	char		hex[PG_SHA256_DIGEST_STRING_LENGTH];

	registry_hex(model->sha256, hex);
	return strcmp(hex, fingerprint) == 0;
}

static RegistryModel *
find_base(const Classifier *c)
{
	char	   *name = TextDatumGetCString(c->values[CLASSIFIER_BASE]);
	char	   *fingerprint = TextDatumGetCString(c->values[CLASSIFIER_FINGERPRINT]);
	RegistryModel *named = registry_find(name);
	pg_uuid_t  *ids;
	int			count;
	int			i;

	if (named != NULL && has_fingerprint(named, fingerprint))
	{
		if (!rights_may_use(named))
			rights_denied(named);
		return named;
	}
	ids = registry_with_task(MB_TASK_EMBED, &count);
	for (i = 0; i < count; i++)
	{
		RegistryModel *model = registry_find_id(&ids[i]);

		if (model != NULL && has_fingerprint(model, fingerprint) &&
			rights_may_use(model))
			return model;
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("the model that the classifier was fitted on does not exist"),
			 errdetail("It was called \"%s\" and has the fingerprint %s.%s",
					   name, fingerprint,
					   named == NULL ? "" :
					   " The model of that name is another one."),
			 errhint("Import that model, or fit the classifier anew.")));
}

/* ----------
 * The documents
 * ----------
 */

static void
put_text(StringInfo json, Datum value)
{
	escape_json(json, TextDatumGetCString(value));
}

static void
put_number(StringInfo json, int column, double value)
{
	char		number[DOUBLE_SHORTEST_DECIMAL_LEN];

	if (!isfinite(value))
		bad_value(column, "is not finite");
	(void) double_to_shortest_decimal_buf(value, number);
	appendStringInfoString(json, number);
}

/* The labels under their numbers, and the numbers under their labels. */
static void
put_labels(StringInfo json, const Classifier *c)
{
	int			i;

	appendStringInfoString(json, ", \"id2label\": {");
	for (i = 0; i < c->outputs; i++)
	{
		appendStringInfo(json, "%s\"%d\": ", i > 0 ? ", " : "", i);
		put_text(json, c->labels[i]);
	}
	appendStringInfoString(json, "}, \"label2id\": {");
	for (i = 0; i < c->outputs; i++)
	{
		appendStringInfoString(json, i > 0 ? ", " : "");
		put_text(json, c->labels[i]);
		appendStringInfo(json, ": %d", i);
	}
	appendStringInfo(json, "}, \"num_labels\": %d", c->outputs);
}

/* One of the columns that only say how the fit went. */
static void
put_column(StringInfo json, const Classifier *c, int column)
{
	Datum		value = c->values[column];
	Datum	   *items;
	int			count;
	int			i;

	appendStringInfo(json, ", \"%s\": ", column_names[column]);
	if (c->nulls[column])
	{
		appendStringInfoString(json, "null");
		return;
	}
	switch (column)
	{
		case CLASSIFIER_BASE:
		case CLASSIFIER_FINGERPRINT:
		case CLASSIFIER_CLASS_WEIGHT:
			put_text(json, value);
			break;
		case CLASSIFIER_FOLDS:
		case CLASSIFIER_ROWS:
			appendStringInfo(json, "%d", DatumGetInt32(value));
			break;
		case CLASSIFIER_SUPPORT:
		case CLASSIFIER_F1:
			deconstruct_array(plain_array(c, column, 1),
							  column == CLASSIFIER_F1 ? FLOAT8OID : INT4OID,
							  column == CLASSIFIER_F1 ? 8 : 4,
							  column == CLASSIFIER_F1 ? FLOAT8PASSBYVAL : true,
							  column == CLASSIFIER_F1 ? TYPALIGN_DOUBLE :
							  TYPALIGN_INT, &items, NULL, &count);
			if (count != c->outputs)
				bad_value(column, "does not have one number for each label");
			for (i = 0; i < count; i++)
			{
				appendStringInfoString(json, i > 0 ? ", " : "[");
				put_number(json, column, column == CLASSIFIER_F1 ?
						   DatumGetFloat8(items[i]) :
						   (double) DatumGetInt32(items[i]));
			}
			appendStringInfoChar(json, ']');
			break;
		default:
			put_number(json, column, DatumGetFloat8(value));
	}
}

static void
make_settings(const Classifier *c, mb_document *document)
{
	static const int columns[] = {
		CLASSIFIER_BASE, CLASSIFIER_FINGERPRINT, CLASSIFIER_L2,
		CLASSIFIER_CLASS_WEIGHT, CLASSIFIER_FOLDS, CLASSIFIER_ROWS,
		CLASSIFIER_SUPPORT, CLASSIFIER_F1, CLASSIFIER_ACCURACY,
		CLASSIFIER_MACRO_F1, CLASSIFIER_MAJORITY, CLASSIFIER_R2
	};
	StringInfoData json;
	int			i;

	initStringInfo(&json);
	appendStringInfoString(&json, "{\"problem_type\": ");
	put_text(&json, c->values[CLASSIFIER_PROBLEM]);
	put_labels(&json, c);
	appendStringInfo(&json, ", \"classifier\": {\"layer\": %d, \"pooling\": [",
					 DatumGetInt32(c->values[CLASSIFIER_LAYER]));
	for (i = 0; i < c->poolings; i++)
	{
		appendStringInfoString(&json, i > 0 ? ", " : "");
		put_text(&json, c->pooling[i]);
	}
	appendStringInfoChar(&json, ']');
	for (i = 0; i < (int) lengthof(columns); i++)
		put_column(&json, c, columns[i]);
	appendStringInfoString(&json, "}}");
	document->text = mobilebert_utf8_cstring(cstring_to_text(json.data));
	document->length = strlen(document->text);
}

static void
make_weights(const Classifier *c, mb_document *document)
{
	size_t		size;
	char	   *bytes;

	if (!mb_classifier_weights_size((size_t) c->outputs, (size_t) c->width,
									&size))
		size = SIZE_MAX;
	mobilebert_memory_check("classifier", size);
	bytes = palloc_extended(size, MCXT_ALLOC_HUGE);
	mb_classifier_weights_write((const float *) ARR_DATA_PTR(c->weights),
								(const float *) ARR_DATA_PTR(c->bias),
								(size_t) c->outputs, (size_t) c->width, bytes);
	document->text = bytes;
	document->length = size;
}

/* ----------
 * The row that tells of it
 * ----------
 */

/* A share, as a number of two decimals. */
static void
put_share(const Classifier *c, int column, Datum *value, bool *null)
{
	*null = c->nulls[column];
	if (!*null)
		*value = DirectFunctionCall2(numeric_round,
									 DirectFunctionCall1(float8_numeric,
														 c->values[column]),
									 Int32GetDatum(2));
}

/* "billing (0.74, 11 rows)": the label of the lowest F1. */
static char *
weakest_label(const Classifier *c)
{
	ArrayType  *f1;
	ArrayType  *support;
	const float8 *scores;
	const int32 *rows;
	int			weakest = 0;
	int			i;

	if (c->nulls[CLASSIFIER_F1] || c->nulls[CLASSIFIER_SUPPORT])
		return NULL;
	f1 = plain_array(c, CLASSIFIER_F1, 1);
	support = plain_array(c, CLASSIFIER_SUPPORT, 1);
	scores = (const float8 *) ARR_DATA_PTR(f1);
	rows = (const int32 *) ARR_DATA_PTR(support);
	for (i = 1; i < c->outputs; i++)
		if (scores[i] < scores[weakest] ||
			(scores[i] == scores[weakest] && rows[i] < rows[weakest]))
			weakest = i;
	return psprintf("%s (%.2f, %d %s)",
					TextDatumGetCString(c->labels[weakest]), scores[weakest],
					rows[weakest], rows[weakest] == 1 ? "row" : "rows");
}

static Datum
info_row(FunctionCallInfo fcinfo, const char *name, const Classifier *c)
{
	TupleDesc	desc;
	Datum		values[INFO_COLUMNS];
	bool		nulls[INFO_COLUMNS] = {false};
	char	   *weakest = weakest_label(c);

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = CStringGetTextDatum(name);
	values[1] = Int32GetDatum(c->outputs);
	values[2] = c->values[CLASSIFIER_ROWS];
	nulls[2] = c->nulls[CLASSIFIER_ROWS];
	values[3] = c->values[CLASSIFIER_LAYER];
	put_share(c, CLASSIFIER_ACCURACY, &values[4], &nulls[4]);
	put_share(c, CLASSIFIER_MACRO_F1, &values[5], &nulls[5]);
	put_share(c, CLASSIFIER_MAJORITY, &values[6], &nulls[6]);
	nulls[7] = weakest == NULL;
	if (weakest != NULL)
		values[7] = CStringGetTextDatum(weakest);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values,
											 nulls));
}

/* create_classifier(name text, classifier mobilebert.classifier) */
PG_FUNCTION_INFO_V1(mobilebert_create_classifier);
Datum
mobilebert_create_classifier(PG_FUNCTION_ARGS)
{
	Import		import;
	Classifier	c;
	Snapshot	snapshot;

	if (!ARG_IS_GIVEN(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the classifier must not be null"),
				 errhint("Pass what mobilebert.fit() returned.")));
	import_begin(&import, "create_classifier()", ARG_TEXT(0), NULL);
	registry_name_is_free(import.name);
	read_value(PG_GETARG_HEAPTUPLEHEADER(1), &c);
	import.variant = true;
	import.base = find_base(&c);
	import.precision = import.base->precision;
	snapshot = registry_snapshot();
	documents_load_all(&import.documents, import.base, snapshot);
	UnregisterSnapshot(snapshot);
	make_settings(&c, &import.documents.files[DOC_CLASSIFIER]);
	make_weights(&c, &import.documents.files[DOC_CLASSIFIER_WEIGHTS]);
	import_run(&import);
	return info_row(fcinfo, import.name, &c);
}
