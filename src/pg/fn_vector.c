/*-------------------------------------------------------------------------
 *
 * fn_vector.c
 *	  Distances of stored vectors: cosine_similarity, inner_product,
 *	  l2_distance.
 *
 * They are read where they lie: a stored real[] whose header has four bytes is
 * not even copied, and the arithmetic is the engine's.
 *
 * Depends on pg.h.
 *
 *-------------------------------------------------------------------------
 */
#include "pg.h"

#include "utils/array.h"

PG_FUNCTION_INFO_V1(mobilebert_cosine_similarity);
PG_FUNCTION_INFO_V1(mobilebert_inner_product);
PG_FUNCTION_INFO_V1(mobilebert_l2_distance);

typedef float (*VectorFunction) (const float *a, const float *b, size_t count);

static size_t vector_length(const ArrayType *array);
static Datum vector_call(FunctionCallInfo fcinfo, VectorFunction function);

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
	result = function((const float *) ARR_DATA_PTR(a),
					  (const float *) ARR_DATA_PTR(b), length);
	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	PG_RETURN_FLOAT4(result);
}

/* cosine_similarity(a real[], b real[]) -> real; NaN beside a zero vector */
Datum
mobilebert_cosine_similarity(PG_FUNCTION_ARGS)
{
	return vector_call(fcinfo, mb_cosine_similarity);
}

/* inner_product(a real[], b real[]) -> real */
Datum
mobilebert_inner_product(PG_FUNCTION_ARGS)
{
	return vector_call(fcinfo, mb_inner_product);
}

/* l2_distance(a real[], b real[]) -> real */
Datum
mobilebert_l2_distance(PG_FUNCTION_ARGS)
{
	return vector_call(fcinfo, mb_l2_distance);
}
