/*-------------------------------------------------------------------------
 *
 * fn_vector.c
 *	  Distances of stored vectors: cosine_similarity, inner_product,
 *	  l2_distance.
 *
 * They are read where they lie: a stored real[] whose header has four bytes is
 * not even copied, and the arithmetic is the engine's.
 *
 * Depends on server/pg.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"

#include "utils/array.h"

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

/* cosine_similarity(a real[], b real[]) -> real; NaN beside a zero vector */
PG_FUNCTION_INFO_V1(mobilebert_cosine_similarity);
Datum
mobilebert_cosine_similarity(PG_FUNCTION_ARGS)
{
	return vector_call(fcinfo, mb_cosine_similarity);
}

/* inner_product(a real[], b real[]) -> real */
PG_FUNCTION_INFO_V1(mobilebert_inner_product);
Datum
mobilebert_inner_product(PG_FUNCTION_ARGS)
{
	return vector_call(fcinfo, mb_inner_product);
}

/* l2_distance(a real[], b real[]) -> real */
PG_FUNCTION_INFO_V1(mobilebert_l2_distance);
Datum
mobilebert_l2_distance(PG_FUNCTION_ARGS)
{
	return vector_call(fcinfo, mb_l2_distance);
}
