/*-------------------------------------------------------------------------
 *
 * exact_sum.c
 *	  The exact sum of vectors of floats.
 *
 * A float is +-m * 2^p * 2^-149 with m < 2^24 and p in 0 .. 253.  Shifted by
 * the low five bits of p, m reaches over two digits of 32 bits, p / 32 and the
 * next.  Digits lie apart, one array each for all numbers of the vector, and
 * come into being when they are first needed: numbers of like size use two or
 * three of the nine.
 *
 * After n additions a digit is below (n + 1) * 2^32 in size.  Before that could
 * overflow, carries move on to the next digit, which leaves each in 0 .. 2^32 - 1
 * and the sign to the highest.  That form is the same for equal sums.
 *
 * Source: R. M. Neal, Fast exact summation using small and large
 * superaccumulators (2015), the small one.
 * Depends on libc only.
 *
 *-------------------------------------------------------------------------
 */
#include "base/exact_sum.h"

#include <math.h>
#include <string.h>

#define DIGIT_BITS 32
#define DIGIT_MASK INT64_C(0xFFFFFFFF)
#define TOP (MB_EXACT_DIGITS - 1)

/* Unit of the lowest digit: the smallest float. */
#define LOWEST_EXPONENT (-149)

/* (pending + 1) * 2^32 stays below 2^63. */
#define PENDING_LIMIT (UINT32_C(1) << 30)

/* The highest digit gains less than 2^22 with each vector. */
#define COUNT_LIMIT (UINT64_C(1) << 40)

#define IS_NAN 1
#define IS_INFINITE 2
#define IS_MINUS_INFINITE 4

void
mb_exact_begin(mb_exact_sum *sum, size_t width, const mb_memory *memory)
{
	memset(sum, 0, sizeof(*sum));
	sum->memory = memory;
	sum->width = width;
}

/* Zeroed; size 0 is no reason to fail. */
static void *
zeroed(const mb_exact_sum *sum, size_t size)
{
	size_t		bytes;
	void	   *memory;

	if (!mb_size_multiply(sum->width, size, &bytes))
		return NULL;
	if (bytes == 0)
		bytes = size;
	memory = sum->memory->alloc(sum->memory->context, bytes);
	if (memory != NULL)
		memset(memory, 0, bytes);
	return memory;
}

static mb_status
need_digit(mb_exact_sum *sum, size_t digit, mb_error *err)
{
	if (sum->digits[digit] == NULL)
		sum->digits[digit] = zeroed(sum, sizeof(int64_t));
	return sum->digits[digit] == NULL ? mb_fail_memory(err) : MB_OK;
}

static mb_status
need_special(mb_exact_sum *sum, mb_error *err)
{
	if (sum->special == NULL)
		sum->special = zeroed(sum, 1);
	return sum->special == NULL ? mb_fail_memory(err) : MB_OK;
}

/*
 * Carries to the next digit.  A digit's array exists when the one below has
 * been added to, but one below that was merely carried into may lack it.
 */
static mb_status
carry(mb_exact_sum *sum, mb_error *err)
{
	size_t		digit;
	size_t		i;

	for (digit = 0; digit < TOP; digit++)
	{
		int64_t    *low = sum->digits[digit];
		int64_t    *high;
		int64_t		any = 0;

		if (low == NULL)
			continue;
		for (i = 0; i < sum->width; i++)
			any |= low[i] & ~DIGIT_MASK;
		if (any == 0)
			continue;
		if (need_digit(sum, digit + 1, err) != MB_OK)
			return MB_ERR_MEMORY;
		high = sum->digits[digit + 1];
		for (i = 0; i < sum->width; i++)
		{
			/* rounds down, so that what stays is not negative */
			int64_t		rest = low[i] & DIGIT_MASK;

			high[i] += (low[i] - rest) / (DIGIT_MASK + 1);
			low[i] = rest;
		}
	}
	sum->pending = 0;
	return MB_OK;
}

static mb_status
add_special(mb_exact_sum *sum, size_t i, uint32_t bits, mb_error *err)
{
	if (need_special(sum, err) != MB_OK)
		return MB_ERR_MEMORY;
	if ((bits & 0x7FFFFF) != 0)
		sum->special[i] |= IS_NAN;
	else
		sum->special[i] |= (bits >> 31) != 0 ? IS_MINUS_INFINITE : IS_INFINITE;
	return MB_OK;
}

static mb_status
too_many(mb_error *err)
{
	return mb_fail(err, MB_ERR_LIMIT, "too many vectors for a sum");
}

mb_status
mb_exact_add(mb_exact_sum *sum, const float *x, mb_error *err)
{
	size_t		i;

	if (sum->count >= COUNT_LIMIT)
		return too_many(err);
	if (sum->pending >= PENDING_LIMIT && carry(sum, err) != MB_OK)
		return MB_ERR_MEMORY;
	for (i = 0; i < sum->width; i++)
	{
		uint32_t	bits;
		uint32_t	exponent;
		uint32_t	mantissa;
		uint32_t	place;
		uint64_t	shifted;
		int64_t		low;
		int64_t		high;

		memcpy(&bits, &x[i], sizeof(bits));
		exponent = bits >> 23 & 0xFF;
		mantissa = bits & 0x7FFFFF;
		if (exponent == 0xFF)
		{
			if (add_special(sum, i, bits, err) != MB_OK)
				return MB_ERR_MEMORY;
			continue;
		}
		if (exponent > 0)
		{
			mantissa |= UINT32_C(1) << 23;
			exponent--;
		}
		if (mantissa == 0)
			continue;
		place = exponent / DIGIT_BITS;
		if (sum->digits[place] == NULL || sum->digits[place + 1] == NULL)
		{
			if (need_digit(sum, place, err) != MB_OK ||
				need_digit(sum, place + 1, err) != MB_OK)
				return MB_ERR_MEMORY;
		}
		shifted = (uint64_t) mantissa << exponent % DIGIT_BITS;
		low = (int64_t) (shifted & (uint64_t) DIGIT_MASK);
		high = (int64_t) (shifted >> DIGIT_BITS);
		if ((bits >> 31) != 0)
		{
			low = -low;
			high = -high;
		}
		sum->digits[place][i] += low;
		sum->digits[place + 1][i] += high;
	}
	sum->count++;
	sum->pending++;
	return MB_OK;
}

mb_status
mb_exact_merge(mb_exact_sum *sum, mb_exact_sum *other, mb_error *err)
{
	size_t		digit;
	size_t		i;

	MB_ASSERT(sum->width == other->width);
	if (sum->count + other->count > COUNT_LIMIT)
		return too_many(err);
	if (carry(sum, err) != MB_OK || carry(other, err) != MB_OK)
		return MB_ERR_MEMORY;
	for (digit = 0; digit < MB_EXACT_DIGITS; digit++)
	{
		if (other->digits[digit] == NULL)
			continue;
		if (need_digit(sum, digit, err) != MB_OK)
			return MB_ERR_MEMORY;
		for (i = 0; i < sum->width; i++)
			sum->digits[digit][i] += other->digits[digit][i];
	}
	if (other->special != NULL)
	{
		if (need_special(sum, err) != MB_OK)
			return MB_ERR_MEMORY;
		for (i = 0; i < sum->width; i++)
			sum->special[i] |= other->special[i];
	}
	sum->count += other->count;
	sum->pending = 1;
	return MB_OK;
}

static float
special_mean(uint8_t special)
{
	if (special == IS_INFINITE)
		return INFINITY;
	return special == IS_MINUS_INFINITE ? -INFINITY : NAN;
}

/*
 * One number's sum as a double.  Carries are done in a copy, and the sum is
 * made positive before digits are added up, the lowest first: so nothing
 * cancels, and the error is a few units of the last place.
 */
static double
sum_of(const mb_exact_sum *sum, size_t i)
{
	int64_t		digits[MB_EXACT_DIGITS];
	double		result = 0;
	bool		negative = false;
	int			turn;
	int			digit;

	for (digit = 0; digit < MB_EXACT_DIGITS; digit++)
		digits[digit] = sum->digits[digit] == NULL ? 0 : sum->digits[digit][i];
	for (turn = 0; turn < 2; turn++)
	{
		for (digit = 0; digit < TOP; digit++)
		{
			int64_t		rest = digits[digit] & DIGIT_MASK;

			digits[digit + 1] += (digits[digit] - rest) / (DIGIT_MASK + 1);
			digits[digit] = rest;
		}
		if (digits[TOP] >= 0)
			break;
		negative = true;
		for (digit = 0; digit < MB_EXACT_DIGITS; digit++)
			digits[digit] = -digits[digit];
	}
	for (digit = 0; digit < MB_EXACT_DIGITS; digit++)
		result += ldexp((double) digits[digit],
						LOWEST_EXPONENT + digit * DIGIT_BITS);
	return negative ? -result : result;
}

void
mb_exact_mean(const mb_exact_sum *sum, float *mean)
{
	size_t		i;

	MB_ASSERT(sum->count > 0);
	for (i = 0; i < sum->width; i++)
	{
		if (sum->special != NULL && sum->special[i] != 0)
			mean[i] = special_mean(sum->special[i]);
		else
			mean[i] = (float) (sum_of(sum, i) / (double) sum->count);
	}
}

/*
 * As bytes: this, then the arrays that there are, the lowest digit first.
 */
typedef struct Header
{
	uint64_t	width;
	uint64_t	count;
	uint32_t	pending;
	uint32_t	arrays;			/* a bit for each digit, the next for special */
} Header;

static uint32_t
arrays_of(const mb_exact_sum *sum)
{
	uint32_t	arrays = sum->special != NULL ? 1u << MB_EXACT_DIGITS : 0;
	int			digit;

	for (digit = 0; digit < MB_EXACT_DIGITS; digit++)
		arrays |= sum->digits[digit] != NULL ? 1u << digit : 0;
	return arrays;
}

size_t
mb_exact_memory(const mb_exact_sum *sum)
{
	size_t		bytes = sum->special != NULL ? sum->width : 0;
	int			digit;

	for (digit = 0; digit < MB_EXACT_DIGITS; digit++)
		bytes += sum->digits[digit] != NULL ? sum->width * sizeof(int64_t) : 0;
	return bytes;
}

size_t
mb_exact_size(const mb_exact_sum *sum)
{
	return sizeof(Header) + mb_exact_memory(sum);
}

void
mb_exact_write(const mb_exact_sum *sum, void *bytes)
{
	Header		header = {sum->width, sum->count, sum->pending, arrays_of(sum)};
	char	   *at = bytes;
	int			digit;

	memcpy(at, &header, sizeof(header));
	at += sizeof(header);
	for (digit = 0; digit < MB_EXACT_DIGITS; digit++)
	{
		if (sum->digits[digit] == NULL)
			continue;
		memcpy(at, sum->digits[digit], sum->width * sizeof(int64_t));
		at += sum->width * sizeof(int64_t);
	}
	if (sum->special != NULL)
		memcpy(at, sum->special, sum->width);
}

static mb_status
no_sum(mb_error *err)
{
	return mb_fail(err, MB_ERR_DATA, "bytes are not a sum of vectors");
}

mb_status
mb_exact_read(mb_exact_sum *sum, const void *bytes, size_t size,
			  const mb_memory *memory, mb_error *err)
{
	const char *at = bytes;
	Header		header;
	size_t		each;
	size_t		wanted = sizeof(header);
	int			digit;

	if (size < sizeof(header))
		return no_sum(err);
	memcpy(&header, at, sizeof(header));
	at += sizeof(header);
	if (header.width > size || header.count > COUNT_LIMIT ||
		header.pending > PENDING_LIMIT ||
		header.arrays >> (MB_EXACT_DIGITS + 1) != 0)
		return no_sum(err);

	mb_exact_begin(sum, (size_t) header.width, memory);
	sum->count = header.count;
	sum->pending = header.pending;
	each = sum->width * sizeof(int64_t);
	for (digit = 0; digit < MB_EXACT_DIGITS; digit++)
		wanted += (header.arrays >> digit & 1) != 0 ? each : 0;
	wanted += header.arrays >> MB_EXACT_DIGITS != 0 ? sum->width : 0;
	if (wanted != size)
		return no_sum(err);
	for (digit = 0; digit < MB_EXACT_DIGITS; digit++)
	{
		if ((header.arrays >> digit & 1) == 0)
			continue;
		if (need_digit(sum, (size_t) digit, err) != MB_OK)
			return MB_ERR_MEMORY;
		memcpy(sum->digits[digit], at, each);
		at += each;
	}
	if (header.arrays >> MB_EXACT_DIGITS != 0)
	{
		if (need_special(sum, err) != MB_OK)
			return MB_ERR_MEMORY;
		memcpy(sum->special, at, sum->width);
	}
	return MB_OK;
}
