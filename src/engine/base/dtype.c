/*-------------------------------------------------------------------------
 *
 * dtype.c
 *	  The types of stored numbers by name, and widening them to float.
 *
 * Source: huggingface/safetensors; spec formats.md 1.3.
 * Depends on base/dtype.h.
 *
 *-------------------------------------------------------------------------
 */
#include "base/dtype.h"

#define DTYPES (sizeof(dtypes) / sizeof(dtypes[0]))

static const mb_dtype_info dtypes[] = {
	{"F32", 32, MB_DTYPE_F32},
	{"F16", 16, MB_DTYPE_F16},
	{"BF16", 16, MB_DTYPE_BF16},
	{"F64", 64, MB_DTYPE_F64},
	{"I64", 64, MB_DTYPE_OTHER},
	{"I32", 32, MB_DTYPE_OTHER},
	{"I16", 16, MB_DTYPE_OTHER},
	{"I8", 8, MB_DTYPE_OTHER},
	{"U64", 64, MB_DTYPE_OTHER},
	{"U32", 32, MB_DTYPE_OTHER},
	{"U16", 16, MB_DTYPE_OTHER},
	{"U8", 8, MB_DTYPE_OTHER},
	{"BOOL", 8, MB_DTYPE_OTHER},
	{"C64", 64, MB_DTYPE_OTHER},
	{"F8_E5M2", 8, MB_DTYPE_OTHER},
	{"F8_E4M3", 8, MB_DTYPE_OTHER},
	{"F8_E8M0", 8, MB_DTYPE_OTHER},
	{"F8_E4M3FNUZ", 8, MB_DTYPE_OTHER},
	{"F8_E5M2FNUZ", 8, MB_DTYPE_OTHER},
	{"F6_E2M3", 6, MB_DTYPE_OTHER},
	{"F6_E3M2", 6, MB_DTYPE_OTHER},
	{"F4", 4, MB_DTYPE_OTHER}
};

const mb_dtype_info *
mb_dtype_find(const char *name)
{
	size_t		i;

	for (i = 0; i < DTYPES; i++)
	{
		if (strcmp(name, dtypes[i].name) == 0)
			return &dtypes[i];
	}
	return NULL;
}

size_t
mb_dtype_size(mb_dtype dtype)
{
	switch (dtype)
	{
		case MB_DTYPE_F32:
			return 4;
		case MB_DTYPE_F16:
		case MB_DTYPE_BF16:
			return 2;
		case MB_DTYPE_F64:
			return 8;
		case MB_DTYPE_OTHER:
			break;
	}
	return 0;
}

mb_dtype
mb_dtype_from_name(const char *name)
{
	const mb_dtype_info *info = mb_dtype_find(name);

	return info == NULL ? MB_DTYPE_OTHER : info->dtype;
}

const char *
mb_dtype_name(mb_dtype dtype)
{
	size_t		i;

	for (i = 0; i < DTYPES && dtype != MB_DTYPE_OTHER; i++)
	{
		if (dtypes[i].dtype == dtype)
			return dtypes[i].name;
	}
	return "other";
}

/* ----------
 * Widening
 *
 * The loops have no branch and read through memcpy, so that compilers turn
 * them into vector code whatever the alignment of the source.
 * ----------
 */

static inline uint16_t
load16(const uint8_t *source)
{
	uint16_t	value;

	memcpy(&value, source, sizeof(value));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	value = __builtin_bswap16(value);
#endif
	return value;
}

static inline uint32_t
load32(const uint8_t *source)
{
	uint32_t	value;

	memcpy(&value, source, sizeof(value));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	value = __builtin_bswap32(value);
#endif
	return value;
}

static inline uint64_t
load64(const uint8_t *source)
{
	uint64_t	value;

	memcpy(&value, source, sizeof(value));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	value = __builtin_bswap64(value);
#endif
	return value;
}

static void
widen_f64(const uint8_t *source, size_t count, float *target)
{
	size_t		i;

	for (i = 0; i < count; i++)
	{
		uint64_t	bits = load64(source + i * 8);
		double		value;

		/* The cast rounds to nearest even, the mode every program starts in. */
		memcpy(&value, &bits, sizeof(value));
		target[i] = (float) value;
	}
}

void
mb_widen(mb_dtype dtype, const void *source, size_t count, float *target)
{
	const uint8_t *bytes = source;
	size_t		i;

	switch (dtype)
	{
		case MB_DTYPE_F32:
			for (i = 0; i < count; i++)
				target[i] = mb_float_from_bits(load32(bytes + i * 4));
			break;
		case MB_DTYPE_F16:
			for (i = 0; i < count; i++)
				target[i] = mb_half_to_float(load16(bytes + i * 2));
			break;
		case MB_DTYPE_BF16:
			for (i = 0; i < count; i++)
				target[i] = mb_bf16_to_float(load16(bytes + i * 2));
			break;
		case MB_DTYPE_F64:
			widen_f64(bytes, count, target);
			break;
		case MB_DTYPE_OTHER:
			memset(target, 0, count * sizeof(float));
			break;
	}
}
