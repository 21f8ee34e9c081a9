/*-------------------------------------------------------------------------
 *
 * zero_shot.c
 *	  Labels of one's own for a text: labels, sentences made of them, and the
 *	  results.
 *
 * A NULL among the labels takes no part and comes last in the result.
 *
 * Depends on server/pg.h, server/adapt.h, server/options.h, pass/calls.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/options.h"
#include "pass/calls.h"
#include "compare/zero_shot.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"

ZeroShotStatement *
zero_shot_statement(FunctionCallInfo fcinfo)
{
	FmgrInfo   *function = fcinfo->flinfo;

	if (function == NULL)
		return NULL;
	if (function->fn_extra == NULL)
		function->fn_extra = MemoryContextAllocZero(function->fn_mcxt,
													sizeof(ZeroShotStatement));
	return function->fn_extra;
}

/*
 * Labels and the sentences made of them
 */

static void
labels_read(ZeroShotCall *z, ArrayType *array)
{
	ArrayIterator iterator;
	Datum		element;
	bool		null;
	size_t		count = mobilebert_array_length(array, "labels");

	if (count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("array \"labels\" must not be empty")));
	z->labels = mobilebert_allocate(count, sizeof(text *));
	iterator = array_create_iterator(array, 0, NULL);
	while (array_iterate(iterator, &element, &null))
	{
		CHECK_FOR_INTERRUPTS();
		if (null)
			z->nulls++;
		else
			z->labels[z->count++] = DatumGetTextPP(element);
	}
	array_free_iterator(iterator);
}

/* One for each label, NULLs included: that of a NULL label is passed over. */
static void
descriptions_read(ZeroShotCall *z, ArrayType *labels, ArrayType *array)
{
	ArrayIterator of_label;
	ArrayIterator iterator;
	Datum		label;
	Datum		element;
	bool		no_label;
	bool		null;
	size_t		count = mobilebert_array_length(array, "descriptions");
	size_t		n = 0;

	if (count != z->count + z->nulls)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("arrays \"labels\" and \"descriptions\" must have the same length, not %zu and %zu",
						z->count + z->nulls, count),
				 errhint("Give a description for each label, in the same order; NULL where the label says enough.")));
	z->descriptions = mobilebert_allocate(z->count, sizeof(text *));
	of_label = array_create_iterator(labels, 0, NULL);
	iterator = array_create_iterator(array, 0, NULL);
	while (array_iterate(of_label, &label, &no_label) &&
		   array_iterate(iterator, &element, &null))
	{
		CHECK_FOR_INTERRUPTS();
		if (no_label)
			continue;
		z->descriptions[n] = null ? z->labels[n] : DatumGetTextPP(element);
		n++;
	}
	array_free_iterator(iterator);
	array_free_iterator(of_label);
}

void
zero_shot_labels_read(ZeroShotCall *z, FunctionCallInfo fcinfo,
					  const char *default_template)
{
	ArrayType  *labels;

	if (VARSIZE_ANY_EXHDR(PG_GETARG_TEXT_PP(ZERO_SHOT_INPUT)) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("text to classify must not be empty"),
				 errhint("Where texts may be empty write nullif(text, ''), which gives NULL.")));
	labels = PG_GETARG_ARRAYTYPE_P_COPY(ZERO_SHOT_LABELS);
	labels_read(z, labels);
	z->descriptions = z->labels;
	if (ARG_IS_GIVEN(ZERO_SHOT_DESCRIPTIONS))
		descriptions_read(z, labels,
						  PG_GETARG_ARRAYTYPE_P_COPY(ZERO_SHOT_DESCRIPTIONS));
	z->alone = ARG_BOOL(ZERO_SHOT_MULTI_LABEL, false) || z->count == 1;
	z->template = ARG_TEXT(ZERO_SHOT_TEMPLATE);
	if (z->template == NULL)
		z->template = cstring_to_text(default_template);
	z->memory = mobilebert_memory(CurrentMemoryContext);
	mobilebert_arena_init(&z->arena, &z->memory);
}

/* A template without a field is refused. */
text *
zero_shot_sentence(ZeroShotCall *z, size_t n)
{
	text	   *label = z->descriptions[n];
	const char *template = VARDATA_ANY(z->template);
	size_t		template_length = VARSIZE_ANY_EXHDR(z->template);
	char	   *made;
	size_t		length;
	text	   *sentence;

	ENGINE_CALL(mb_format_label, template, template_length,
				VARDATA_ANY(label), VARSIZE_ANY_EXHDR(label), &z->arena, &made,
				&length);
	if (n == 0 && length == template_length &&
		memcmp(made, template, length) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("hypothesis template has no place for the label"),
				 errhint("Write {} where the label goes.")));
	sentence = cstring_to_text_with_len(made, (int) length);
	mb_arena_free(&z->arena);
	return sentence;
}

/*
 * Results
 */

/* Indexes of the labels by score; palloc'd. */
static size_t *
label_order(const ZeroShotCall *z)
{
	size_t	   *order = mobilebert_allocate(z->count, sizeof(size_t));
	mb_memory	memory = mobilebert_memory(CurrentMemoryContext);
	mb_arena	arena;

	mobilebert_arena_init(&arena, &memory);
	ENGINE_CALL(mb_zero_shot_order, z->scores, z->count, &arena, order);
	mb_arena_free(&arena);
	return order;
}

Datum
zero_shot_rows(MobilebertCall *call, bool *null)
{
	ZeroShotCall *z = (ZeroShotCall *) call;
	ReturnSetInfo *info = (ReturnSetInfo *) z->fcinfo->resultinfo;
	size_t	   *order = label_order(z);
	size_t		i;

	for (i = 0; i < z->count + z->nulls; i++)
	{
		Datum		values[3] = {0};
		bool		nulls[3] = {false, true, true};

		CHECK_FOR_INTERRUPTS();
		values[0] = Int32GetDatum((int32) i + 1);
		if (i < z->count)
		{
			nulls[1] = nulls[2] = false;
			values[1] = PointerGetDatum(z->labels[order[i]]);
			values[2] = Float4GetDatum(z->scores[order[i]]);
		}
		tuplestore_putvalues(info->setResult, info->setDesc, values, nulls);
	}
	pfree(order);
	*null = true;
	return (Datum) 0;
}

Datum
zero_shot_best(MobilebertCall *call, bool *null)
{
	ZeroShotCall *z = (ZeroShotCall *) call;
	Datum		label;
	size_t	   *order;

	*null = z->count == 0;
	if (*null)
		return (Datum) 0;
	order = label_order(z);
	label = PointerGetDatum(z->labels[order[0]]);
	pfree(order);
	return datumCopy(label, false, -1);
}
