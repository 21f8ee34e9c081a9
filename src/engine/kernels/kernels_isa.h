/*-------------------------------------------------------------------------
 *
 * kernels_isa.h
 *	  The tables of the instruction sets, and what their files share.
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
extern const mb_kernels mb_kernels_avx512;
extern const mb_kernels mb_kernels_vnni;
extern const mb_kernels mb_kernels_amx;
#endif

#endif							/* MB_KERNELS_ISA_H */
