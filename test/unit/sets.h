/*-------------------------------------------------------------------------
 *
 * sets.h
 *	  The instruction sets of this kind of processor, for lists of tables that
 *	  tests go through.
 *
 * Each is the initialisers of an array of names:
 *
 *	SET_NAMES			all SETS of them
 *	VECTOR_SET_NAMES	those with vectors of their own
 *	MIXED_NAMES			these with OpenBLAS's products of floats (tables.h)
 *	MIXED_REF_NAMES		these with plain C's
 *
 * Depends on nothing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SETS_H
#define SETS_H

#define SETS 4

#if defined(__aarch64__)
#define SET_NAMES "neon", "dotprod", "i8mm", "bf16"
#define VECTOR_SET_NAMES "neon"
#define MIXED_NAMES "neon/openblas"
#define MIXED_REF_NAMES "neon/ref"
#else
#define SET_NAMES "avx2", "avx512", "vnni", "amx"
#define VECTOR_SET_NAMES "avx2", "avx512"
#define MIXED_NAMES "avx2/openblas", "avx512/openblas"
#define MIXED_REF_NAMES "avx2/ref", "avx512/ref"
#endif

#endif							/* SETS_H */
