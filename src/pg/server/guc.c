/*-------------------------------------------------------------------------
 *
 * guc.c
 *	  Settings of the extension.
 *
 * Depends on server/pg.h, server/guc.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/guc.h"

#include <limits.h>

#include "utils/guc.h"

/* Their first values are those below. */
char	   *mobilebert_default_model;
bool		mobilebert_enable_batching;
int			mobilebert_batch_tokens;
int			mobilebert_cache_size;
int			mobilebert_memory_limit;
char	   *mobilebert_instruction_set;

/* A set of kernels that this machine does not have must not be accepted. */
static bool
check_instruction_set(char **newval, void **extra, GucSource source)
{
	(void) extra;
	(void) source;
	if (mb_kernels_find(*newval) == NULL)
	{
		GUC_check_errdetail("This machine or build has no kernels \"%s\".",
							*newval);
		GUC_check_errhint("Legal values are auto and ref, on x86-64 avx2, avx512, vnni and amx, on aarch64 neon, dotprod, i8mm and bf16.");
		return false;
	}
	return true;
}

static void
assign_instruction_set(const char *newval, void *extra)
{
	(void) extra;
	if (newval != NULL)
		(void) mb_kernels_choose(newval);
}

void
mobilebert_guc_init(void)
{
	DefineCustomStringVariable("mobilebert.default_model",
							   "Sets the model that functions use when none is named.",
							   "It counts for the tasks that the model can do; empty means the stored defaults.",
							   &mobilebert_default_model, "",
							   PGC_USERSET, 0, NULL, NULL, NULL);

	DefineCustomBoolVariable("mobilebert.enable_batching",
							 "Enables the planner to gather calls of many rows in common passes.",
							 "Results do not depend on it.",
							 &mobilebert_enable_batching, true,
							 PGC_USERSET, 0, NULL, NULL, NULL);

	DefineCustomIntVariable("mobilebert.batch_tokens",
							"Sets how many tokens of several texts are packed into one pass.",
							"A single text may be longer. Results do not depend on it.",
							&mobilebert_batch_tokens, 256, 1, 1048576,
							PGC_USERSET, 0, NULL, NULL, NULL);

	DefineCustomIntVariable("mobilebert.cache_size",
							"Sets the memory for results that a session keeps by model and text.",
							"0 turns the cache off.",
							&mobilebert_cache_size, 4096, 0, MAX_KILOBYTES,
							PGC_USERSET, GUC_UNIT_KB, NULL, NULL, NULL);

	DefineCustomIntVariable("mobilebert.memory_limit",
							"Sets the working memory that one pass over a model may take.",
							"A pass that needs more is refused before anything is allocated, and so is what a call keeps beside its passes.",
							&mobilebert_memory_limit, 1024 * 1024, 64,
							MAX_KILOBYTES,
							PGC_USERSET, GUC_UNIT_KB, NULL, NULL, NULL);

	DefineCustomStringVariable("mobilebert.instruction_set",
							   "Sets the kernels that do the arithmetic.",
							   "auto takes the best that this machine has; ref is plain C.",
							   &mobilebert_instruction_set, "auto",
							   PGC_SUSET, 0,
							   check_instruction_set, assign_instruction_set,
							   NULL);

#if PG_VERSION_NUM >= 150000
	MarkGUCPrefixReserved("mobilebert");
#else
	EmitWarningsOnPlaceholders("mobilebert");
#endif
}
