/*-------------------------------------------------------------------------
 *
 * choose.c
 *	  Choosing the table of kernels.
 *
 * The pointer below, to a constant table, is set on first use (beside it the
 * engine keeps only the tables of crc32c.c); mb_kernels_choose() sets it when
 * the user changes mobilebert.instruction_set.  It is read by the functions of
 * vectors and where a model is opened.
 *
 * Depends on base/cpu.h.
 *
 *-------------------------------------------------------------------------
 */
#include "kernels/choose.h"

#include "base/cpu.h"

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
 * sets is there, that is plain C with OpenBLAS's products.
 */
static const kernel_choice choices[] = {
#if defined(__x86_64__)
	{"amx", &mb_kernels_amx, mb_cpu_has_amx},
	{"vnni", &mb_kernels_vnni, mb_cpu_has_vnni},
	{"avx512", &mb_kernels_avx512, mb_cpu_has_avx512},
	{"avx2", &mb_kernels_avx2, mb_cpu_has_avx2},
#endif
#if defined(__aarch64__)
	{"bf16", &mb_kernels_bf16, mb_cpu_has_bf16},
	{"i8mm", &mb_kernels_i8mm, mb_cpu_has_i8mm},
	{"dotprod", &mb_kernels_dotprod, mb_cpu_has_dotprod},
	{"neon", &mb_kernels_neon, mb_cpu_has_neon},
#endif
	{"ref/openblas", &mb_kernels_ref_openblas, always},
	{"ref", &mb_kernels_ref, always},
};

#define CHOICES (sizeof(choices) / sizeof(choices[0]))

const mb_kernels *
mb_kernels_find(const char *name)
{
	size_t		i;

	for (i = 0; name != NULL && i < CHOICES; i++)
		if ((strcmp(name, "auto") == 0 ||
			 strcmp(name, choices[i].name) == 0) && choices[i].usable())
			return choices[i].table;
	return NULL;
}

bool
mb_kernels_choose(const char *name)
{
	const mb_kernels *table = mb_kernels_find(name);

	if (table == NULL)
		return false;
	current = table;
	return true;
}

const mb_kernels *
mb_kernels_current(void)
{
	if (current == NULL)
		(void) mb_kernels_choose("auto");
	return current;
}
