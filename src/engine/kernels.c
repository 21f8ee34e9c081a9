/*-------------------------------------------------------------------------
 *
 * kernels.c
 *	  Choosing the table of kernels.
 *
 * The pointer below, to a constant table, is set on first use (beside it the
 * engine keeps only the tables of crc32c.c); mb_kernels_choose() moves it for
 * tests, measurements and a user's wish.
 *
 * Depends on kernels_isa.h, cpu.h, gemm.h.
 *
 *-------------------------------------------------------------------------
 */
#include "kernels.h"

#include "cpu.h"
#include "gemm.h"
#include "kernels_isa.h"

#include <string.h>

typedef struct kernel_choice
{
	const char *name;			/* as given to mb_kernels_choose() */
	const mb_kernels *table;
	bool		(*usable) (void);
} kernel_choice;

static const mb_kernels *current = NULL;

static bool
always(void)
{
	return true;
}

/*
 * Best first: "auto" takes the first usable one.  Where none of our instruction
 * sets is there, that is plain C, on any processor, though OpenBLAS is more than
 * twice as fast: its sums are in float, and further from the exact result than
 * the bound on fidelity allows, even when only few inputs are summed at a time;
 * plain C's are in double.  test/golden/model/README.md has the figures.
 */
static const kernel_choice choices[] = {
#if defined(__x86_64__)
	{"amx", &mb_kernels_amx, mb_cpu_has_amx},
	{"vnni", &mb_kernels_vnni, mb_cpu_has_vnni},
	{"avx512", &mb_kernels_avx512, mb_cpu_has_avx512},
	{"avx512/openblas", &mb_kernels_avx512_openblas, mb_cpu_has_avx512},
	{"avx512/ref", &mb_kernels_avx512_plain, mb_cpu_has_avx512},
	{"avx2", &mb_kernels_avx2, mb_cpu_has_avx2},
	{"avx2/openblas", &mb_kernels_avx2_openblas, mb_cpu_has_avx2},
	{"avx2/ref", &mb_kernels_avx2_plain, mb_cpu_has_avx2},
#endif
	{"ref", &mb_kernels_ref, always},
	{"ref/openblas", &mb_kernels_ref_openblas, always},
	{"ref/ref", &mb_kernels_ref, always},
};

#define CHOICES (sizeof(choices) / sizeof(choices[0]))

bool
mb_kernels_choose(const char *name)
{
	bool		any;
	size_t		i;

	if (name == NULL)
		return false;
	any = strcmp(name, "auto") == 0;
	for (i = 0; i < CHOICES; i++)
	{
		if (!any && strcmp(name, choices[i].name) != 0)
			continue;
		if (!choices[i].usable())
			continue;
		mb_gemm_prepare();
		current = choices[i].table;
		return true;
	}
	return false;
}

const mb_kernels *
mb_kernels_current(void)
{
	if (current == NULL)
		(void) mb_kernels_choose("auto");
	return current;
}
