/*-------------------------------------------------------------------------
 *
 * test_exact_sum.c
 *	  Sums of vectors of floats: against long arithmetic, in any order and
 *	  parts, through bytes; what is no number; bytes that are no sum.
 *
 *-------------------------------------------------------------------------
 */
#include "base/exact_sum.h"

#include "tap.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 5
#define ROWS 400

/* gcc has _Float128 everywhere, clang another name for it on x86-64. */
#if defined(__clang__) && defined(__x86_64__)
typedef __float128 quad;
#elif defined(__clang__)
typedef long double quad;
#else
typedef _Float128 quad;
#endif

static uint64_t seed = 1;

static uint32_t
below(uint32_t limit)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t) (seed >> 33) % limit;
}

/* Any float that is a number, of any size. */
static float
any_float(void)
{
	uint32_t	bits = below(255) << 23 | below(1 << 23) | below(2) << 31;
	float		result;

	memcpy(&result, &bits, sizeof(result));
	return result;
}

static bool
same_bits(const float *a, const float *b, size_t count)
{
	return memcmp(a, b, count * sizeof(float)) == 0;
}

static void
release(mb_exact_sum *sum)
{
	int			digit;

	for (digit = 0; digit < MB_EXACT_DIGITS; digit++)
		free(sum->digits[digit]);
	free(sum->special);
}

static bool
means(const float *values, size_t count, float expected)
{
	mb_exact_sum sum;
	float		mean;
	size_t		i;
	bool		done = true;

	mb_exact_begin(&sum, 1, &mb_libc_memory);
	for (i = 0; i < count; i++)
		done &= mb_exact_add(&sum, &values[i], NULL) == MB_OK;
	mb_exact_mean(&sum, &mean);
	release(&sum);
	return done && (isnan(expected) ? isnan(mean) : mean == expected);
}

#define MEANS(expected, ...) \
	means((const float[]) {__VA_ARGS__}, \
		  sizeof((const float[]) {__VA_ARGS__}) / sizeof(float), expected)

static void
test_values(void)
{
	ok(MEANS(2, 1, 2, 3) && MEANS(-2, -1, -2, -3) && MEANS(0, 5, -5) &&
	   MEANS(0, -0.0f) && MEANS(-1, -1), "small numbers");
	ok(MEANS(0.25f, 1e30f, 1, -1e30f, 0), "what cancels leaves the rest");
	ok(MEANS(0x1p-149f, 0x1p-149f) &&
	   MEANS(-0x1p-149f, -0x1p-149f, -0x1p-149f) &&
	   MEANS(FLT_MIN, FLT_MIN, FLT_MIN), "the smallest numbers");
	ok(MEANS(FLT_MAX, FLT_MAX, FLT_MAX, FLT_MAX) &&
	   MEANS(-FLT_MAX, -FLT_MAX, -FLT_MAX) && MEANS(0, FLT_MAX, -FLT_MAX),
	   "the largest numbers");
	ok(MEANS(NAN, NAN, 1) && MEANS(INFINITY, 1, INFINITY) &&
	   MEANS(-INFINITY, -INFINITY, 3e38f) &&
	   MEANS(NAN, INFINITY, 1, -INFINITY) && MEANS(NAN, -INFINITY, NAN),
	   "what is no number");
}

/* Against a float of 128 bits, which is exact for numbers of like size. */
static void
test_near(void)
{
	int			round;
	int			wrong = 0;

	for (round = 0; round < 200; round++)
	{
		mb_exact_sum sum;
		quad		expected = 0;
		uint32_t	exponent = 1 + below(210);
		float		mean;
		int			i;

		mb_exact_begin(&sum, 1, &mb_libc_memory);
		for (i = 0; i < ROWS; i++)
		{
			uint32_t	bits = (exponent + below(40)) << 23 |
				below(1 << 23) | below(2) << 31;
			float		x;

			memcpy(&x, &bits, sizeof(x));
			expected += x;
			wrong += mb_exact_add(&sum, &x, NULL) != MB_OK;
		}
		mb_exact_mean(&sum, &mean);
		wrong += mean != (float) ((double) expected / ROWS);
		release(&sum);
	}
	ok(wrong == 0, "means of numbers of like size are those of long arithmetic");
}

/*
 * Numbers of any size: in order, backwards, in parts that are merged, and with
 * each part as bytes in between.
 */
static void
test_orders(void)
{
	static float rows[ROWS][WIDTH];
	int			round;
	int			wrong = 0;

	for (round = 0; round < 50; round++)
	{
		mb_exact_sum forward;
		mb_exact_sum backward;
		mb_exact_sum whole;
		mb_exact_sum parts[3];
		float		mean[3][WIDTH];
		int			i;

		for (i = 0; i < ROWS * WIDTH; i++)
			rows[i / WIDTH][i % WIDTH] = round % 5 == 4 && below(50) == 0 ?
				(below(2) == 0 ? INFINITY : -INFINITY) : any_float();
		mb_exact_begin(&forward, WIDTH, &mb_libc_memory);
		mb_exact_begin(&backward, WIDTH, &mb_libc_memory);
		mb_exact_begin(&whole, WIDTH, &mb_libc_memory);
		for (i = 0; i < 3; i++)
			mb_exact_begin(&parts[i], WIDTH, &mb_libc_memory);
		for (i = 0; i < ROWS; i++)
		{
			wrong += mb_exact_add(&forward, rows[i], NULL) != MB_OK;
			wrong += mb_exact_add(&backward, rows[ROWS - 1 - i], NULL) != MB_OK;
			wrong += mb_exact_add(&parts[below(3)], rows[i], NULL) != MB_OK;
		}
		for (i = 0; i < 3; i++)
		{
			mb_exact_sum copy;
			size_t		size = mb_exact_size(&parts[i]);
			void	   *bytes = malloc(size);

			mb_exact_write(&parts[i], bytes);
			wrong += mb_exact_read(&copy, bytes, size, &mb_libc_memory,
								   NULL) != MB_OK;
			wrong += mb_exact_merge(&whole, &copy, NULL) != MB_OK;
			free(bytes);
			release(&copy);
			release(&parts[i]);
		}
		mb_exact_mean(&forward, mean[0]);
		mb_exact_mean(&backward, mean[1]);
		mb_exact_mean(&whole, mean[2]);
		wrong += !same_bits(mean[0], mean[1], WIDTH);
		wrong += !same_bits(mean[0], mean[2], WIDTH);
		release(&forward);
		release(&backward);
		release(&whole);
	}
	ok(wrong == 0, "the same bits in any order, in parts, and through bytes");
}

/* As if so many had been added before: carries come in time. */
static void
test_carries(void)
{
	mb_exact_sum sum;
	float		x[2] = {1.5f, -FLT_MAX};
	float		mean[2];
	int			i;
	bool		done = true;

	mb_exact_begin(&sum, 2, &mb_libc_memory);
	for (i = 0; i < 10; i++)
	{
		sum.pending += UINT32_C(1) << 29;
		done &= mb_exact_add(&sum, x, NULL) == MB_OK;
	}
	mb_exact_mean(&sum, mean);
	ok(done && same_bits(mean, x, 2) && sum.pending < UINT32_C(1) << 30,
	   "carries move on in time");
	sum.count = UINT64_C(1) << 40;
	ok(mb_exact_add(&sum, x, NULL) == MB_ERR_LIMIT &&
	   mb_exact_merge(&sum, &sum, NULL) == MB_ERR_LIMIT,
	   "there is an end to the number of vectors");
	release(&sum);
}

static void *
no_memory(void *context, size_t size)
{
	(void) context;
	(void) size;
	return NULL;
}

static void
test_refusals(void)
{
	const mb_memory none = {no_memory, NULL, NULL};
	mb_exact_sum sum;
	mb_exact_sum copy;
	float		x[2] = {1, NAN};
	char		bytes[1000];
	size_t		size;
	size_t		cut;
	int			wrong = 0;

	mb_exact_begin(&sum, 2, &none);
	ok(mb_exact_add(&sum, x, NULL) == MB_ERR_MEMORY, "no memory");
	mb_exact_begin(&sum, 2, &mb_libc_memory);
	ok(mb_exact_memory(&sum) == 0 && mb_exact_add(&sum, x, NULL) == MB_OK &&
	   mb_exact_memory(&sum) == 2 * 2 * sizeof(int64_t) + 2,
	   "digits come into being when they are needed");
	size = mb_exact_size(&sum);
	mb_exact_write(&sum, bytes);
	for (cut = 0; cut < size; cut++)
		wrong += mb_exact_read(&copy, bytes, cut, &mb_libc_memory, NULL) !=
			MB_ERR_DATA;
	memset(bytes, 0xFF, sizeof(uint64_t));
	wrong += mb_exact_read(&copy, bytes, size, &mb_libc_memory, NULL) !=
		MB_ERR_DATA;
	ok(wrong == 0, "bytes that are no sum");
	release(&sum);

	mb_exact_begin(&sum, 0, &mb_libc_memory);
	ok(mb_exact_add(&sum, x, NULL) == MB_OK &&
	   mb_exact_size(&sum) < sizeof(bytes), "vectors without numbers");
	release(&sum);
}

int
main(void)
{
	test_values();
	test_near();
	test_orders();
	test_carries();
	test_refusals();
	return done_testing();
}
