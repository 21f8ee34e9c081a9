/*-------------------------------------------------------------------------
 *
 * fuzz.h
 *	  What the fuzz targets share.
 *
 * A target is one function, libFuzzer's LLVMFuzzerTestOneInput().  It is linked
 * with clang's -fsanitize=fuzzer, or with driver.c where that is missing;
 * both take the same arguments:
 *
 *	fuzz_json -runs=100000 -seed=1 corpus/json
 *
 * A target does not only wait for a crash: CHECK() names what has to hold for
 * every input, and ends the program when it does not.
 *
 * Depends on base/arena.h, base/utf8.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_FUZZ_H
#define MB_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/utf8.h"

/* Memory that one input may take; more is refused, as in a backend. */
#define FUZZ_MEMORY ((size_t) 256 * 1024 * 1024)

#define CHECK(condition) \
	do { \
		if (!(condition)) \
		{ \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, \
					#condition); \
			abort(); \
		} \
	} while (0)

/* A failure has to say why, in valid UTF-8 and with a status that is one. */
#define CHECK_ERROR(code, error) \
	do { \
		CHECK((error).status == (code)); \
		CHECK((error).message[0] != '\0'); \
		CHECK(mb_utf8_valid((error).message, strlen((error).message))); \
		CHECK(mb_utf8_valid((error).detail, strlen((error).detail))); \
	} while (0)

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif							/* MB_FUZZ_H */
