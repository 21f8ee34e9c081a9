/*-------------------------------------------------------------------------
 *
 * batch_functions.c
 *	  Which functions are gathered over the rows of a query.
 *
 * Depends on server/pg.h, pass/calls.h, functions/batched.h, planner/batch.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "pass/calls.h"
#include "functions/batched.h"
#include "planner/batch.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

/*
 * Functions that give one value for a call, and how their calls begin: what
 * may be gathered over the rows of a query.
 */
static const struct
{
	PGFunction	function;
	MobilebertBegin begin;
}			scalars[] =
{
	{mobilebert_embed, mobilebert_embed_begin},
	{mobilebert_similarity, mobilebert_similarity_begin},
	{mobilebert_label, mobilebert_label_begin},
	{mobilebert_score, mobilebert_score_begin},
	{mobilebert_best_label, mobilebert_best_label_begin},
	{mobilebert_best_token, mobilebert_best_token_begin},
	{mobilebert_pseudo_perplexity, mobilebert_pseudo_perplexity_begin},
	{mobilebert_next_sentence, mobilebert_next_sentence_begin},
	{mobilebert_best_choice, mobilebert_best_choice_begin},
	{mobilebert_best_answer, mobilebert_best_answer_begin},
	{mobilebert_entities, mobilebert_entities_begin},
	{mobilebert_entities_words, mobilebert_entities_words_begin},
	{mobilebert_loss_label, mobilebert_loss_label_begin},
	{mobilebert_loss_name, mobilebert_loss_name_begin},
	{mobilebert_loss_target, mobilebert_loss_target_begin},
	{mobilebert_loss_targets, mobilebert_loss_targets_begin},
	{mobilebert_loss_tokens, mobilebert_loss_tokens_begin},
	{mobilebert_loss_tags, mobilebert_loss_tags_begin},
	{mobilebert_loss_positions, mobilebert_loss_positions_begin},
	{mobilebert_loss_answer, mobilebert_loss_answer_begin},
	{mobilebert_loss_choice, mobilebert_loss_choice_begin},
	{mobilebert_loss_labels_batch, mobilebert_loss_labels_batch_begin},
	{mobilebert_loss_targets_batch, mobilebert_loss_targets_batch_begin},
	{mobilebert_loss_choice_batch, mobilebert_loss_choice_batch_begin},
};

static MobilebertBegin
scalar_begin(PGFunction function)
{
	size_t		i;

	for (i = 0; i < lengthof(scalars); i++)
	{
		if (scalars[i].function == function)
			return scalars[i].begin;
	}
	return NULL;
}

MobilebertBegin
mobilebert_batched_function(Oid function)
{
	HeapTuple	tuple;
	Form_pg_proc proc;
	Datum		source;
	bool		null;
	bool		ours;
	FmgrInfo	flinfo;

	if (function < FirstNormalObjectId)
		return NULL;
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	if (!HeapTupleIsValid(tuple))
		return NULL;
	proc = (Form_pg_proc) GETSTRUCT(tuple);
	source = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &null);
	ours = !null && proc->prolang == ClanguageId && !proc->proretset &&
		proc->provolatile != PROVOLATILE_VOLATILE &&
		strncmp(TextDatumGetCString(source), "mobilebert_",
				strlen("mobilebert_")) == 0;
	ReleaseSysCache(tuple);
	if (!ours)
		return NULL;

	/* What has settings or an owner's rights of its own is another function. */
	fmgr_info(function, &flinfo);
	return scalar_begin(flinfo.fn_addr);
}
