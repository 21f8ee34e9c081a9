/*-------------------------------------------------------------------------
 *
 * crc32c.c
 *	  CRC-32C (Castagnoli): the processor's instruction where there is one,
 *	  else eight bytes a step through tables.
 *
 * Polynomial 0x1EDC6F41, reflected 0x82F63B78, initial value and final
 * exclusive-or of all ones, as in RFC 3720.
 *
 * Depends on base/crc32c.h.
 *
 *-------------------------------------------------------------------------
 */
#include "base/crc32c.h"

#include <stdbool.h>
#include <string.h>

#define POLYNOMIAL 0x82F63B78u

/*
 * tables[0] advances the checksum by one byte, tables[n] by that byte and n
 * bytes of zero after it.  Filled on first use; filling twice at the same time
 * writes the same numbers.
 */
static uint32_t tables[8][256];
static bool tables_filled;

static void
fill_tables(void)
{
	uint32_t	i;
	int			n;

	for (i = 0; i < 256; i++)
	{
		uint32_t	crc = i;

		for (n = 0; n < 8; n++)
			crc = (crc >> 1) ^ ((crc & 1) ? POLYNOMIAL : 0);
		tables[0][i] = crc;
	}
	for (i = 0; i < 256; i++)
	{
		for (n = 1; n < 8; n++)
			tables[n][i] = (tables[n - 1][i] >> 8) ^
				tables[0][tables[n - 1][i] & 0xFF];
	}
	__atomic_store_n(&tables_filled, true, __ATOMIC_RELEASE);
}

/* The bytes of a little-endian number, whatever the machine's order. */
static inline uint32_t
load32(const uint8_t *bytes)
{
	return (uint32_t) bytes[0] | (uint32_t) bytes[1] << 8 |
		(uint32_t) bytes[2] << 16 | (uint32_t) bytes[3] << 24;
}

uint32_t
mb_crc32c_ref(uint32_t crc, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;

	if (!__atomic_load_n(&tables_filled, __ATOMIC_ACQUIRE))
		fill_tables();
	crc = ~crc;
	for (; size >= 8; size -= 8, at += 8)
	{
		uint32_t	low = load32(at) ^ crc;
		uint32_t	high = load32(at + 4);

		crc = tables[7][low & 0xFF] ^ tables[6][low >> 8 & 0xFF] ^
			tables[5][low >> 16 & 0xFF] ^ tables[4][low >> 24] ^
			tables[3][high & 0xFF] ^ tables[2][high >> 8 & 0xFF] ^
			tables[1][high >> 16 & 0xFF] ^ tables[0][high >> 24];
	}
	for (; size > 0; size--, at++)
		crc = (crc >> 8) ^ tables[0][(crc ^ *at) & 0xFF];
	return ~crc;
}

#if defined(__x86_64__)

#include <nmmintrin.h>

__attribute__((target("sse4.2")))
static uint32_t
crc32c_sse42(uint32_t crc, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;
	uint64_t	wide = (uint32_t) ~crc;

	for (; size >= 8; size -= 8, at += 8)
	{
		uint64_t	word;

		memcpy(&word, at, sizeof(word));
		wide = _mm_crc32_u64(wide, word);
	}
	crc = (uint32_t) wide;
	for (; size > 0; size--, at++)
		crc = _mm_crc32_u8(crc, *at);
	return ~crc;
}

uint32_t
mb_crc32c(uint32_t crc, const void *bytes, size_t size)
{
	return __builtin_cpu_supports("sse4.2") ?
		crc32c_sse42(crc, bytes, size) : mb_crc32c_ref(crc, bytes, size);
}

#else

uint32_t
mb_crc32c(uint32_t crc, const void *bytes, size_t size)
{
	return mb_crc32c_ref(crc, bytes, size);
}

#endif
