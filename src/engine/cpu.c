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

bool
mb_cpu_has_avx2(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
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
