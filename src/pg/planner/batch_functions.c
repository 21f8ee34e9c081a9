/*-------------------------------------------------------------------------
 *
 * batch_functions.c
 *	  Which functions are gathered over the rows of a query.
 *
 * Depends on server/pg.h, pass/calls.h, functions/batched.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "pass/calls.h"
#include "functions/batched.h"
#include "planner/batch_functions.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#define BATCHED_FUNCTION(name) {name, name##_begin},

static const struct
{
	PGFunction	function;
	MobilebertBegin begin;
}			functions[] =
{
	BATCHED_FUNCTIONS(BATCHED_FUNCTION)
};

static MobilebertBegin
begin_of(PGFunction function)
{
	size_t		i;

	for (i = 0; i < lengthof(functions); i++)
	{
		if (functions[i].function == function)
			return functions[i].begin;
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
	return begin_of(flinfo.fn_addr);
}
