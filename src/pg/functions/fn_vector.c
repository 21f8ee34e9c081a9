/*-------------------------------------------------------------------------
 *
 * fn_vector.c
 *	  Stored vectors: cosine_similarity, cosine_distance, inner_product,
 *	  l2_distance, l2_normalize, the aggregate centroid; the type numbers.
 *
 * They are read where they lie: a stored real[] whose header has four bytes is
 * not even copied, and the arithmetic is the engine's.
 *
 * Other arrays of numbers become the type numbers before, a real[] inside, by a
 * cast: so the planner does that to a constant once, not for each row.
 *
 * Depends on server/pg.h, server/adapt.h, server/options.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/options.h"

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

static inline void
require_same_length(size_t length, size_t other)
{
	if (unlikely(length != other))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("vectors must have the same length, not %zu and %zu",
						length, other)));
}

static Datum
vector_call(FunctionCallInfo fcinfo, VectorFunction function)
{
	ArrayType  *a = PG_GETARG_ARRAYTYPE_P(0);
	ArrayType  *b = PG_GETARG_ARRAYTYPE_P(1);
	size_t		length = vector_length(a);
	size_t		other = vector_length(b);
	float		result;

	require_same_length(length, other);
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

/* 1 - cosine_similarity: the difference of two floats, rounded once */
static float
cosine_distance(const float *a, const float *b, size_t count)
{
	return 1.0f - mb_cosine_similarity(a, b, count);
}

/* cosine_distance(a real[] or numbers, b the same) -> real; NaN beside zero */
PG_FUNCTION_INFO_V1(mobilebert_cosine_distance);
Datum
mobilebert_cosine_distance(PG_FUNCTION_ARGS)
{
	return vector_call(fcinfo, cosine_distance);
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

/* l2_normalize(a real[] or numbers) -> real[]; zero as it is */
PG_FUNCTION_INFO_V1(mobilebert_l2_normalize);
Datum
mobilebert_l2_normalize(PG_FUNCTION_ARGS)
{
	ArrayType  *a = PG_GETARG_ARRAYTYPE_P(0);
	size_t		length = vector_length(a);
	ArrayType  *result;

	if (length == 0)
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(FLOAT4OID));
	result = mobilebert_real_array((const float *) ARR_DATA_PTR(a), length);
	mb_normalize((float *) ARR_DATA_PTR(result), length);
	PG_FREE_IF_COPY(a, 0);
	PG_RETURN_ARRAYTYPE_P(result);
}

/*
 * centroid: the engine adds exactly, so that neither the order of the rows nor
 * how workers shared them shows in the result.
 */
typedef struct CentroidState
{
	mb_memory	memory;			/* the aggregate's */
	mb_exact_sum sum;
} CentroidState;

static CentroidState *
centroid_make(MemoryContext context)
{
	CentroidState *state = MemoryContextAllocZero(context,
												  sizeof(CentroidState));

	state->memory = mobilebert_memory(context);
	return state;
}

/* centroid_step(state internal, vector real[] or numbers) -> internal */
PG_FUNCTION_INFO_V1(mobilebert_centroid_step);
Datum
mobilebert_centroid_step(PG_FUNCTION_ARGS)
{
	MemoryContext context = mobilebert_aggregate_context(fcinfo);
	CentroidState *state = PG_ARGISNULL(0) ? NULL :
		(CentroidState *) PG_GETARG_POINTER(0);
	ArrayType  *vector;
	size_t		length;

	if (PG_ARGISNULL(1))
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	vector = PG_GETARG_ARRAYTYPE_P(1);
	length = vector_length(vector);
	if (state == NULL)
	{
		mobilebert_memory_check("sum of vectors",
								length * MB_EXACT_DIGITS * sizeof(int64));
		state = centroid_make(context);
		mb_exact_begin(&state->sum, length, &state->memory);
	}
	require_same_length(state->sum.width, length);
	ENGINE_CALL(mb_exact_add, &state->sum,
				(const float *) ARR_DATA_PTR(vector));
	PG_FREE_IF_COPY(vector, 1);
	PG_RETURN_POINTER(state);
}

/* centroid_combine(a internal, b internal) -> internal */
PG_FUNCTION_INFO_V1(mobilebert_centroid_combine);
Datum
mobilebert_centroid_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = mobilebert_aggregate_context(fcinfo);
	CentroidState *a = PG_ARGISNULL(0) ? NULL :
		(CentroidState *) PG_GETARG_POINTER(0);
	CentroidState *b = PG_ARGISNULL(1) ? NULL :
		(CentroidState *) PG_GETARG_POINTER(1);

	if (b == NULL)
	{
		if (a == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(a);
	}
	if (a == NULL)
	{
		a = centroid_make(context);
		mb_exact_begin(&a->sum, b->sum.width, &a->memory);
	}
	require_same_length(a->sum.width, b->sum.width);
	ENGINE_CALL(mb_exact_merge, &a->sum, &b->sum);
	PG_RETURN_POINTER(a);
}

/* centroid_serialize(state internal) -> bytea */
PG_FUNCTION_INFO_V1(mobilebert_centroid_serialize);
Datum
mobilebert_centroid_serialize(PG_FUNCTION_ARGS)
{
	CentroidState *state = (CentroidState *) PG_GETARG_POINTER(0);
	size_t		size = mb_exact_size(&state->sum);
	bytea	   *data;

	(void) mobilebert_aggregate_context(fcinfo);
	data = palloc(VARHDRSZ + size);
	SET_VARSIZE(data, VARHDRSZ + size);
	mb_exact_write(&state->sum, VARDATA(data));
	PG_RETURN_BYTEA_P(data);
}

/* centroid_deserialize(data bytea, internal) -> internal */
PG_FUNCTION_INFO_V1(mobilebert_centroid_deserialize);
Datum
mobilebert_centroid_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *data = PG_GETARG_BYTEA_PP(0);
	CentroidState *state;

	(void) mobilebert_aggregate_context(fcinfo);
	state = centroid_make(CurrentMemoryContext);
	ENGINE_CALL(mb_exact_read, &state->sum, VARDATA_ANY(data),
				VARSIZE_ANY_EXHDR(data), &state->memory);
	PG_RETURN_POINTER(state);
}

/* centroid_final(state internal) -> real[] */
PG_FUNCTION_INFO_V1(mobilebert_centroid_final);
Datum
mobilebert_centroid_final(PG_FUNCTION_ARGS)
{
	const CentroidState *state;
	float	   *mean;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	(void) mobilebert_aggregate_context(fcinfo);
	state = (const CentroidState *) PG_GETARG_POINTER(0);
	if (state->sum.width == 0)
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(FLOAT4OID));
	mean = palloc(state->sum.width * sizeof(float));
	mb_exact_mean(&state->sum, mean);
	PG_RETURN_ARRAYTYPE_P(mobilebert_real_array(mean, state->sum.width));
}
