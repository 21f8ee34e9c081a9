/*-------------------------------------------------------------------------
 *
 * cpu.c
 *	  Which instruction sets this processor and operating system offer.
 *
 * The compiler's run-time support reads CPUID once and, for registers wider
 * than SSE's, learns from XGETBV whether the operating system saves them.  It
 * does not know AMX: CPUID and XGETBV are read here, and Linux grants tiles
 * only to a process that requests them (it then saves 8 kB more for each
 * thread).
 *
 * On aarch64 the kernel says what a process may use, in the words that it gives
 * to each program when it starts.
 *
 * Depends on libc only.
 *
 *-------------------------------------------------------------------------
 */
#include "base/cpu.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <stdint.h>

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

/* CPUID leaf 7, EDX */
#define AMX_BF16 (1u << 22)
#define AMX_TILE (1u << 24)
#define AMX_INT8 (1u << 25)

/* Tile configuration and tile data in XCR0 */
#define TILE_STATE (3u << 17)

/* arch_prctl(2); not in older systems' headers */
#define REQUEST_PERMISSION 0x1023
#define TILE_DATA 18

bool
mb_cpu_has_avx2(void)
{
	unsigned int a;
	unsigned int b;
	unsigned int c;
	unsigned int d;

	__builtin_cpu_init();
	if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
		return false;

	/* not every compiler knows the name of F16C; it needs what AVX needs */
	return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}

bool
mb_cpu_has_avx512(void)
{
	return mb_cpu_has_avx2() &&
		__builtin_cpu_supports("avx512f") &&
		__builtin_cpu_supports("avx512bw") &&
		__builtin_cpu_supports("avx512dq") &&
		__builtin_cpu_supports("avx512vl");
}

bool
mb_cpu_has_vnni(void)
{
	return mb_cpu_has_avx512() && __builtin_cpu_supports("avx512vnni");
}

#if defined(MB_SOFTWARE_TILES)

/* Tests bring tiles of their own: test/unit/software_tiles.h. */
static bool
has_tiles(void)
{
	return true;
}

#else

/* What the operating system saves for each thread; OSXSAVE is known to be. */
static uint32_t
saved_state(void)
{
	uint32_t	low;
	uint32_t	high;

	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low;
}

/* Idempotent: a process that has the permission gets it again. */
static bool
tiles_permitted(void)
{
#if defined(__linux__)
	return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
#else
	return false;
#endif
}

static bool
has_tiles(void)
{
	const unsigned int wanted = AMX_BF16 | AMX_TILE | AMX_INT8;
	unsigned int a;
	unsigned int b;
	unsigned int c;
	unsigned int d;

	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & wanted) == wanted &&
		(saved_state() & TILE_STATE) == TILE_STATE && tiles_permitted();
}

#endif							/* MB_SOFTWARE_TILES */

bool
mb_cpu_has_amx(void)
{
	return mb_cpu_has_vnni() && __builtin_cpu_supports("avx512bf16") &&
		has_tiles();
}

#else

bool
mb_cpu_has_avx2(void)
{
	return false;
}

bool
mb_cpu_has_avx512(void)
{
	return false;
}

bool
mb_cpu_has_vnni(void)
{
	return false;
}

bool
mb_cpu_has_amx(void)
{
	return false;
}

#endif							/* __x86_64__ */

#if defined(__aarch64__)

#if defined(__linux__)

#include <sys/auxv.h>

/* As in the kernel's asm/hwcap.h; not all in older systems' headers */
#define DOT_PRODUCT (1ul << 20) /* of AT_HWCAP */
#define BYTE_MATRICES (1ul << 13)	/* of AT_HWCAP2 */
#define BFLOAT_MATRICES (1ul << 14)

bool
mb_cpu_has_dotprod(void)
{
	return (getauxval(AT_HWCAP) & DOT_PRODUCT) != 0;
}

bool
mb_cpu_has_i8mm(void)
{
	return mb_cpu_has_dotprod() &&
		(getauxval(AT_HWCAP2) & BYTE_MATRICES) != 0;
}

bool
mb_cpu_has_bf16(void)
{
	return mb_cpu_has_i8mm() &&
		(getauxval(AT_HWCAP2) & BFLOAT_MATRICES) != 0;
}

#else

/* Elsewhere what the compiler was told that every processor has */

bool
mb_cpu_has_dotprod(void)
{
#if defined(__ARM_FEATURE_DOTPROD)
	return true;
#else
	return false;
#endif
}

bool
mb_cpu_has_i8mm(void)
{
#if defined(__ARM_FEATURE_MATMUL_INT8)
	return mb_cpu_has_dotprod();
#else
	return false;
#endif
}

bool
mb_cpu_has_bf16(void)
{
#if defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
	return mb_cpu_has_i8mm();
#else
	return false;
#endif
}

#endif							/* __linux__ */

bool
mb_cpu_has_neon(void)
{
	return true;
}

#else

bool
mb_cpu_has_neon(void)
{
	return false;
}

bool
mb_cpu_has_dotprod(void)
{
	return false;
}

bool
mb_cpu_has_i8mm(void)
{
	return false;
}

bool
mb_cpu_has_bf16(void)
{
	return false;
}

#endif							/* __aarch64__ */
