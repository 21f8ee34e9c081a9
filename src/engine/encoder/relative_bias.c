/*-------------------------------------------------------------------------
 *
 * relative_bias.c
 *	  From the table of a model to a number for each distance and head.
 *
 * Depends on base/status.h, encoder/pass.h.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/relative_bias.h"

#include "base/status.h"
#include "encoder/pass.h"

/* Buckets of keys before the query or at it; as many more for those after it */
#define BUCKETS_BEFORE 16

/* Distances below this have a bucket each. */
#define NEAR 8

/* Numbers between two looks for a cancel */
#define NUMBERS_BETWEEN_POLLS ((size_t) 1 << 18)

/*
 * Where the wider buckets begin.  transformers computes 8 + floor(8 ln(n / 8) /
 * ln 16), at most 15, in float32; these are the n where that grows.
 */
static const uint8_t far[] = {8, 12, 16, 23, 32, 46, 64, 91};

size_t
mb_relative_bucket(ptrdiff_t distance)
{
	size_t		first = distance > 0 ? BUCKETS_BEFORE : 0;
	size_t		n = distance > 0 ? (size_t) distance : (size_t) 0 -
		(size_t) distance;
	size_t		bucket = n < NEAR ? n : NEAR - 1;
	size_t		i;

	for (i = 0; i < sizeof(far) && n >= far[i]; i++)
		bucket++;
	return first + bucket;
}

mb_status
mb_spread_bias(const mb_pass *p)
{
	const mb_attention_memory *memory = &p->memory.attention;
	size_t		heads = p->config->heads;
	size_t		width = 2 * memory->reach + 1;
	float	   *bias = memory->bias.start;
	mb_status	status = MB_OK;
	size_t		head;
	size_t		i;

	MB_ASSERT(heads * width <= memory->bias.size);
	for (head = 0; head < heads; head++, bias += width)
	{
		for (i = 0; i < width && status == MB_OK; i++)
		{
			ptrdiff_t	distance = (ptrdiff_t) i - (ptrdiff_t) memory->reach;

			if (i % NUMBERS_BETWEEN_POLLS == 0)
				status = mb_poll_cancel(p->cancel, NULL, p->err);
			bias[i] = p->model->relative_bias[mb_relative_bucket(distance) *
											  heads + head];
		}
	}
	return status;
}

const float *
mb_bias_row(const mb_pass *p, size_t head, size_t query)
{
	const mb_attention_memory *memory = &p->memory.attention;

	return memory->bias.start + head * (2 * memory->reach + 1) +
		memory->reach - query;
}
