/*-------------------------------------------------------------------------
 *
 * kernels_isa.h
 *	  The tables behind mb_kernels_choose(), some for each instruction set, and
 *	  what their files share.
 *
 * The plain name stands for matrix products of the same instruction set (for
 * "ref": plain C); the others take them from gemm.c's OpenBLAS or plain C.
 *
 * Depends on kernels/kernels.h, and on kernels/gemm.h, kernels/reduced.h and
 * kernels/split.h for entries.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_KERNELS_ISA_H
#define MB_KERNELS_ISA_H

#include "kernels/gemm.h"
#include "kernels/kernels.h"
#include "kernels/reduced.h"
#include "kernels/split.h"

/*
 * A softmax weight of e to less than this is 0.  It could not be seen beside
 * the largest, and subnormal weights make processors two hundred times slower:
 * e^-70 over 2^24 tokens is still a normal number.
 */
#define SOFTMAX_LEAST (-70.0f)

extern const mb_kernels mb_kernels_ref_openblas;

#if defined(__x86_64__)
extern const mb_kernels mb_kernels_avx2;
extern const mb_kernels mb_kernels_avx2_openblas;
extern const mb_kernels mb_kernels_avx2_plain;
extern const mb_kernels mb_kernels_avx512;
extern const mb_kernels mb_kernels_avx512_openblas;
extern const mb_kernels mb_kernels_avx512_plain;
extern const mb_kernels mb_kernels_vnni;
extern const mb_kernels mb_kernels_amx;
#endif

#endif							/* MB_KERNELS_ISA_H */
