/*-------------------------------------------------------------------------
 *
 * fn_vector.c
 *	  Distances of stored vectors: cosine_similarity, inner_product,
 *	  l2_distance; the type numbers.
 *
 * They are read where they lie: a stored real[] whose header has four bytes is
 * not even copied, and the arithmetic is the engine's.
 *
 * Other arrays of numbers become the type numbers before, a real[] inside, by a
 * cast: so the planner does that to a constant once, not for each row.
 *
 * Depends on server/pg.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

/* Header of a row and its small columns; what memory is read by. */
#define ROW_OVERHEAD 64
#define CACHE_LINE 64

typedef float (*VectorFunction) (const float *a, const float *b, size_t count);

static size_t
vector_length(const ArrayType *array)
{
	if (unlikely(ARR_NDIM(array) > 1))
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("vector must be an array of one dimension, not %d",
						ARR_NDIM(array))));
	if (unlikely(ARR_HASNULL(array)) &&
		array_contains_nulls((ArrayType *) array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("vector must not contain nulls")));
	return ARR_NDIM(array) == 0 ? 0 : (size_t) ARR_DIMS(array)[0];
}

/*
 * A double as the nearest real.  One that is too large is an error, as in a
 * cast; one that is too small is 0, as in the arithmetic that follows.
 */
static float4
narrowed(float8 value)
{
	float4		result = (float4) value;

	if (unlikely(isinf(result)) && !isinf(value))
		float_overflow_error();
	return result;
}

static float4
element_value(Oid type, Datum value)
{
	switch (type)
	{
		case INT2OID:
			return (float4) DatumGetInt16(value);
		case INT4OID:
			return (float4) DatumGetInt32(value);
		case INT8OID:
			return (float4) DatumGetInt64(value);
		case NUMERICOID:
			return DatumGetFloat4(DirectFunctionCall1(numeric_float4, value));
		default:
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("vector must be an array of numbers, not of %s",
							format_type_be(type))));
	}
	return 0;					/* not reached */
}

static void
convert_elements(ArrayType *array, size_t length, float4 *result)
{
	Oid			type = ARR_ELEMTYPE(array);
	int16		width;
	bool		by_value;
	char		align;
	Datum	   *values;
	int			count;
	size_t		i;

	if (type == FLOAT8OID)
	{
		const float8 *given = (const float8 *) ARR_DATA_PTR(array);

		for (i = 0; i < length; i++)
			result[i] = narrowed(given[i]);
		return;
	}
	get_typlenbyvalalign(type, &width, &by_value, &align);
	deconstruct_array(array, type, width, by_value, align, &values, NULL,
					  &count);
	Assert((size_t) count == length);
	for (i = 0; i < length; i++)
		result[i] = element_value(type, values[i]);
	pfree(values);
}

/* numbers(anyarray) -> numbers: a real[] as it is, others rounded to real */
PG_FUNCTION_INFO_V1(mobilebert_numbers);
Datum
mobilebert_numbers(PG_FUNCTION_ARGS)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	ArrayType  *result;
	size_t		length;
	size_t		size;

	if (ARR_ELEMTYPE(array) == FLOAT4OID)
		PG_RETURN_ARRAYTYPE_P(array);
	length = vector_length(array);
	if (length == 0)
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(FLOAT4OID));
	size = ARR_OVERHEAD_NONULLS(1) + length * sizeof(float4);
	result = palloc(size);
	SET_VARSIZE(result, size);
	result->ndim = 1;
	result->dataoffset = 0;
	result->elemtype = FLOAT4OID;
	ARR_DIMS(result)[0] = (int) length;
	ARR_LBOUND(result)[0] = 1;
	convert_elements(array, length, (float4 *) ARR_DATA_PTR(result));
	PG_FREE_IF_COPY(array, 0);
	PG_RETURN_ARRAYTYPE_P(result);
}

/*
 * Rows of a page lie one before the other in memory, so the vector of the row
 * that a scan reads next probably lies before this one, at a distance of its
 * size.  Asking for it now lets memory work while the executor does; asking in
 * vain costs next to nothing.  Addresses that do not exist are harmless.
 *
 * It is the first argument, unless the second is not where it was in the last
 * call: then that is the one of the row.  fn_extra is where it was.
 */
static inline void
prefetch_next(FunctionCallInfo fcinfo, const ArrayType *a, const ArrayType *b)
{
	uintptr_t	end = (uintptr_t) a;
	uintptr_t	at;

	if (fcinfo->flinfo != NULL && fcinfo->flinfo->fn_extra != (void *) b)
	{
		fcinfo->flinfo->fn_extra = unconstify(ArrayType *, b);
		end = (uintptr_t) b;
	}
	for (at = end - VARSIZE(a) - ROW_OVERHEAD; at < end;
		 at += CACHE_LINE)
		__builtin_prefetch((const void *) at);
}

static Datum
vector_call(FunctionCallInfo fcinfo, VectorFunction function)
{
	ArrayType  *a = PG_GETARG_ARRAYTYPE_P(0);
	ArrayType  *b = PG_GETARG_ARRAYTYPE_P(1);
	size_t		length = vector_length(a);
	size_t		other = vector_length(b);
	float		result;

	if (unlikely(length != other))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("vectors must have the same length, not %zu and %zu",
						length, other)));
	prefetch_next(fcinfo, a, b);
	result = function((const float *) ARR_DATA_PTR(a),
					  (const float *) ARR_DATA_PTR(b), length);
	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	PG_RETURN_FLOAT4(result);
}

/* cosine_similarity(a real[] or numbers, b the same) -> real; NaN beside zero */
PG_FUNCTION_INFO_V1(mobilebert_cosine_similarity);
Datum
mobilebert_cosine_similarity(PG_FUNCTION_ARGS)
{
	return vector_call(fcinfo, mb_cosine_similarity);
}

/* inner_product(a real[] or numbers, b the same) -> real */
PG_FUNCTION_INFO_V1(mobilebert_inner_product);
Datum
mobilebert_inner_product(PG_FUNCTION_ARGS)
{
	return vector_call(fcinfo, mb_inner_product);
}

/* l2_distance(a real[] or numbers, b the same) -> real */
PG_FUNCTION_INFO_V1(mobilebert_l2_distance);
Datum
mobilebert_l2_distance(PG_FUNCTION_ARGS)
{
	return vector_call(fcinfo, mb_l2_distance);
}
