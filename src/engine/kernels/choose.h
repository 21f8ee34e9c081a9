/*-------------------------------------------------------------------------
 *
 * choose.h
 *	  Choosing the table of kernels.
 *
 * Depends on kernels/kernels.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_CHOOSE_H
#define MB_CHOOSE_H

#include "kernels/kernels.h"

/*
 * "auto", the name of a table (kernels.h), or "ref/openblas", plain C with the
 * products of a library.  "auto" is the best of them; without vector
 * instructions that is "ref/openblas".  NULL when this CPU (or build) has no
 * such table.
 */
extern const mb_kernels *mb_kernels_find(const char *name);

/*
 * That table becomes the one of this process.  False when there is none, and
 * then nothing changes.
 */
extern bool mb_kernels_choose(const char *name);

/*
 * The table of this process, for vectors and for models to come; chosen on
 * first use for this CPU.  A model keeps the one it was made for.
 */
extern const mb_kernels *mb_kernels_current(void);

#endif							/* MB_CHOOSE_H */
