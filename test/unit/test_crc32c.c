/*-------------------------------------------------------------------------
 *
 * test_crc32c.c
 *	  CRC-32C: known values, and the processor's way against plain C.
 *
 *-------------------------------------------------------------------------
 */
#include "base/crc32c.h"
#include "tap.h"

#include <string.h>

int
main(void)
{
	static uint8_t bytes[5000];
	size_t		wrong = 0;
	size_t		i;
	uint32_t	state = 1;

	/* Vectors of RFC 3720, B.4, and the usual check value. */
	ok(mb_crc32c(0, "123456789", 9) == 0xE3069283, "check value");
	ok(mb_crc32c(0, bytes, 32) == 0x8A9136AA, "32 bytes of zero");
	memset(bytes, 0xFF, 32);
	ok(mb_crc32c(0, bytes, 32) == 0x62A8AB43, "32 bytes of ones");
	for (i = 0; i < 32; i++)
		bytes[i] = (uint8_t) i;
	ok(mb_crc32c(0, bytes, 32) == 0x46DD794E, "ascending");
	for (i = 0; i < 32; i++)
		bytes[i] = (uint8_t) (31 - i);
	ok(mb_crc32c(0, bytes, 32) == 0x113FDB5C, "descending");
	ok(mb_crc32c(0, bytes, 0) == 0 && mb_crc32c(77, bytes, 0) == 77,
	   "nothing");

	for (i = 0; i < sizeof(bytes); i++)
	{
		state = state * 1664525 + 1013904223;
		bytes[i] = (uint8_t) (state >> 24);
	}
	for (i = 0; i < 300; i++)
	{
		size_t		from = i % 17;
		size_t		size = i * 13 % 4000;
		uint32_t	whole = mb_crc32c_ref(0, bytes + from, size);
		uint32_t	first = mb_crc32c(0, bytes + from, size / 3);

		wrong += mb_crc32c(0, bytes + from, size) != whole;
		wrong += mb_crc32c(first, bytes + from + size / 3,
						   size - size / 3) != whole;
	}
	ok(wrong == 0, "both ways agree, also in pieces");
	return done_testing();
}
