/*-------------------------------------------------------------------------
 *
 * cpu.h
 *	  Which instruction sets this processor and operating system offer.
 *
 * Depends on libc only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_CPU_H
#define MB_CPU_H

#include <stdbool.h>

/* AVX2, FMA and F16C. */
extern bool mb_cpu_has_avx2(void);

/* AVX-512 F, BW, DQ and VL, and all of mb_cpu_has_avx2(). */
extern bool mb_cpu_has_avx512(void);

/* AVX-512 VNNI, and all of mb_cpu_has_avx512(). */
extern bool mb_cpu_has_vnni(void);

/*
 * AMX tiles for int8 and bf16, AVX-512 BF16, all of mb_cpu_has_vnni(), and the
 * operating system's permission to use tiles, which the first call requests.
 */
extern bool mb_cpu_has_amx(void);

/*
 * aarch64: NEON, which all have; with products of bytes by fours (dot product);
 * by matrices of bytes (I8MM) as well; and by matrices of bfloat16.
 */
extern bool mb_cpu_has_neon(void);
extern bool mb_cpu_has_dotprod(void);
extern bool mb_cpu_has_i8mm(void);
extern bool mb_cpu_has_bf16(void);

#endif							/* MB_CPU_H */
