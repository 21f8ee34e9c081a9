/*-------------------------------------------------------------------------
 *
 * options.c
 *	  Arguments and results of SQL functions.
 *
 * Depends on server/pg.h, server/adapt.h, server/options.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/options.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"

/*
 * Options
 */

int
mobilebert_choice(const char *option, text *value,
				  const MobilebertChoice *choices, int otherwise)
{
	const MobilebertChoice *c;
	StringInfoData legal;
	char	   *given;

	if (value == NULL)
		return otherwise;

	given = text_to_cstring(value);
	for (c = choices; c->name != NULL; c++)
	{
		if (pg_strcasecmp(given, c->name) == 0)
		{
			pfree(given);
			return c->value;
		}
	}

	initStringInfo(&legal);
	for (c = choices; c->name != NULL; c++)
		mobilebert_list_name(&legal, c->name);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for option \"%s\": \"%s\"", option, given),
			 errdetail("Legal values are %s.", legal.data)));
}

MobilebertOverflow
mobilebert_overflow(text *value, MobilebertOverflow otherwise)
{
	static const MobilebertChoice choices[] = {
		{"error", OVERFLOW_ERROR},
		{"truncate", OVERFLOW_TRUNCATE},
		{"window", OVERFLOW_WINDOW},
		{NULL, 0}
	};

	return (MobilebertOverflow) mobilebert_choice("overflow", value, choices,
												  otherwise);
}

bool
mobilebert_truncate(text *overflow)
{
	static const MobilebertChoice choices[] = {
		{"error", false},
		{"truncate", true},
		{NULL, 0}
	};

	return mobilebert_choice("overflow", overflow, choices, false) != 0;
}

text *
mobilebert_second_text(FunctionCallInfo fcinfo, int n)
{
	text	   *second = ARG_TEXT(n);

	return second != NULL && VARSIZE_ANY_EXHDR(second) > 0 ? second : NULL;
}

bool
mobilebert_size_option(FunctionCallInfo fcinfo, int n, const char *option,
					   int low, size_t *value)
{
	int32		given;

	if (!ARG_IS_GIVEN(n))
		return false;
	given = PG_GETARG_INT32(n);
	if (given < low)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\": %d", option, given),
				 errdetail("Legal values are integers from %d.", low)));
	*value = (size_t) given;
	return true;
}

size_t
mobilebert_layer(FunctionCallInfo fcinfo, int n, size_t count,
				 size_t otherwise)
{
	int64		layer;

	if (!ARG_IS_GIVEN(n))
		return otherwise;
	layer = PG_GETARG_INT32(n);
	if (layer < 0)
		layer += (int64) count;
	if (layer < 0 || layer >= (int64) count)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"layer\": %d",
						PG_GETARG_INT32(n)),
				 count == 0 ? errdetail("The model has no layers.") :
				 errdetail("Legal values are 0 to %d, or -1 to -%d counted from the end.",
						   (int) count - 1, (int) count)));
	return (size_t) layer;
}

/*
 * Arrays
 */

size_t
mobilebert_array_length(ArrayType *array, const char *what)
{
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("array \"%s\" must have one dimension", what)));
	return ARR_NDIM(array) == 0 ? 0 : (size_t) ARR_DIMS(array)[0];
}

void
mobilebert_array_null(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("array \"%s\" must not contain nulls", what)));
}

const int32 *
mobilebert_int_values(ArrayType *array, const char *what, size_t *count)
{
	*count = mobilebert_array_length(array, what);
	if (ARR_HASNULL(array) && array_contains_nulls(array))
		mobilebert_array_null(what);
	return (const int32 *) ARR_DATA_PTR(array);
}

/* An array of 4-byte values without nulls. */
static ArrayType *
array_make(const void *values, size_t count, Oid type)
{
	ArrayType  *array;
	size_t		size;

	if (count == 0)
		return construct_empty_array(type);
	if (count > (MaxAllocSize - ARR_OVERHEAD_NONULLS(1)) / 4)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("array of %zu elements is too large", count)));

	size = ARR_OVERHEAD_NONULLS(1) + count * 4;
	array = palloc(size);
	SET_VARSIZE(array, size);
	array->ndim = 1;
	array->dataoffset = 0;
	array->elemtype = type;
	ARR_DIMS(array)[0] = (int) count;
	ARR_LBOUND(array)[0] = 1;
	memcpy(ARR_DATA_PTR(array), values, count * 4);
	return array;
}

ArrayType *
mobilebert_real_array(const float *values, size_t count)
{
	return array_make(values, count, FLOAT4OID);
}

ArrayType *
mobilebert_int_array(const int32 *values, size_t count)
{
	return array_make(values, count, INT4OID);
}

Datum
mobilebert_text_datum(const char *utf8, size_t length)
{
	int			encoding = GetDatabaseEncoding();
	Oid			conversion;
	char	   *converted;
	int			room;
	Datum		result = (Datum) 0;

	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII ||
		length >= MaxAllocSize / MAX_CONVERSION_GROWTH)
		return PointerGetDatum(mobilebert_text_make(utf8, length));

	conversion = FindDefaultConversionProc(PG_UTF8, encoding);
	if (!OidIsValid(conversion))
		return (Datum) 0;
	room = (int) length * MAX_CONVERSION_GROWTH + 1;
	converted = palloc0(room);
	if (pg_do_encoding_conversion_buf(conversion, PG_UTF8, encoding,
									  (unsigned char *) utf8, (int) length,
									  (unsigned char *) converted, room,
									  true) == (int) length)
		result = PointerGetDatum(cstring_to_text(converted));
	pfree(converted);
	return result;
}

Datum
mobilebert_token_datum(const mb_tokenizer *tokenizer, int32 id)
{
	size_t		length;
	const char *token = mb_token_text(tokenizer, id, &length);

	return token == NULL ? (Datum) 0 : mobilebert_text_datum(token, length);
}

/*
 * One code path for all server versions: the helpers for this came and were
 * renamed from 15 on.
 */
void
mobilebert_srf_begin(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *info = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext old;
	TupleDesc	desc;
	TypeFuncClass class;

	if (info == NULL || !IsA(info, ReturnSetInfo) ||
		(info->allowedModes & SFRM_Materialize) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-valued function called in context that cannot accept a set")));

	/* Of the statement's memory takes only what the executor will free. */
	class = get_call_result_type(fcinfo, NULL, &desc);
	old = MemoryContextSwitchTo(info->econtext->ecxt_per_query_memory);
	if (class == TYPEFUNC_COMPOSITE)
		desc = CreateTupleDescCopy(desc);
	else if (class == TYPEFUNC_SCALAR && info->expectedDesc != NULL)
		desc = CreateTupleDescCopy(info->expectedDesc);
	else
		elog(ERROR, "cannot tell the row type of a function's result");
	info->returnMode = SFRM_Materialize;
	info->setDesc = desc;
	info->setResult = tuplestore_begin_heap((info->allowedModes & SFRM_Materialize_Random) != 0,
											false, work_mem);
	MemoryContextSwitchTo(old);
}
