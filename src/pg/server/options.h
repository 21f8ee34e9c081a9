/*-------------------------------------------------------------------------
 *
 * options.h
 *	  Arguments and results of SQL functions.
 *
 * Depends on server/pg.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_OPTIONS_H
#define MOBILEBERT_OPTIONS_H

#include "server/pg.h"

#include "utils/array.h"

/* Argument n, or a default where it is NULL or was not passed. */
#define ARG_IS_GIVEN(n) (PG_NARGS() > (n) && !PG_ARGISNULL(n))
#define ARG_TEXT(n) (ARG_IS_GIVEN(n) ? PG_GETARG_TEXT_PP(n) : NULL)
#define ARG_BOOL(n, otherwise) (ARG_IS_GIVEN(n) ? PG_GETARG_BOOL(n) : (otherwise))
#define ARG_INT(n, otherwise) (ARG_IS_GIVEN(n) ? PG_GETARG_INT32(n) : (otherwise))

/* A legal value of an option, and its name. */
typedef struct MobilebertChoice
{
	const char *name;			/* NULL ends a list */
	int			value;
} MobilebertChoice;

/* The value of a named choice, in any case; NULL text gives the default. */
extern int	mobilebert_choice(const char *option, text *value,
							  const MobilebertChoice *choices, int otherwise);

typedef enum MobilebertOverflow
{
	OVERFLOW_ERROR,
	OVERFLOW_TRUNCATE,
	OVERFLOW_WINDOW
} MobilebertOverflow;

/* NULL text gives the default; a bad value is an error listing the values. */
extern MobilebertOverflow mobilebert_overflow(text *value,
											  MobilebertOverflow otherwise);

/*
 * A second text; NULL also when it is empty, which Hugging Face's tokenizer
 * takes for absent unless it is called with a list of texts.
 */
extern text *mobilebert_second_text(FunctionCallInfo fcinfo, int n);

/* Option "overflow" where windows make no sense: "error", or "truncate". */
extern bool mobilebert_truncate(text *overflow);

/* hidden_states[layer] of an option; negative counts from the end. */
extern size_t mobilebert_layer(FunctionCallInfo fcinfo, int n, size_t count,
							   size_t otherwise);

/* An integer option that must be at least low; false when it is NULL. */
extern bool mobilebert_size_option(FunctionCallInfo fcinfo, int n,
								   const char *option, int low, size_t *value);

/* Elements of an array argument "what", which must have one dimension. */
extern size_t mobilebert_array_length(ArrayType *array, const char *what);

/* Error: there is a null among them. */
pg_noreturn extern void mobilebert_array_null(const char *what);

/*
 * Values of an int[] argument of one dimension without nulls; they lie in the
 * array.  "what" names the argument in messages.
 */
extern const int32 *mobilebert_int_values(ArrayType *array, const char *what,
										  size_t *count);

/*
 * Text from the engine as a datum, 0 when the database encoding lacks one of
 * its characters.
 */
extern Datum mobilebert_text_datum(const char *utf8, size_t length);

/*
 * The token of an id as a text datum; 0 for an id without a token, and for a
 * token with a character that the database encoding lacks.
 */
extern Datum mobilebert_token_datum(const mb_tokenizer *tokenizer, int32 id);

/* real[] from floats, and int[] from ints (no nulls). */
extern ArrayType *mobilebert_real_array(const float *values, size_t count);
extern ArrayType *mobilebert_int_array(const int32 *values, size_t count);

/* Set-returning function with a tuplestore (InitMaterializedSRF before 15). */
extern void mobilebert_srf_begin(FunctionCallInfo fcinfo);

#endif							/* MOBILEBERT_OPTIONS_H */
