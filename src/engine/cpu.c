/*-------------------------------------------------------------------------
 *
 * cpu.c
 *	  Which instruction sets this processor and operating system offer.
 *
 * The compiler's run-time support reads CPUID once and, for registers wider
 * than SSE's, asks XGETBV whether the operating system saves them.
 *
 *-------------------------------------------------------------------------
 */
#include "cpu.h"

#if defined(__x86_64__)

#include <cpuid.h>

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

#endif							/* __x86_64__ */
