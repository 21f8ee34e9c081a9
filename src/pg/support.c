/*-------------------------------------------------------------------------
 *
 * support.c
 *	  Planner support: what a call of the network costs.
 *
 * The declared COST of a function cannot know the model.  When the model is a
 * constant (or the default), the multiply-adds a token costs and a guess at the
 * number of tokens give an honest figure, so that PostgreSQL evaluates cheap
 * conditions first and takes parallel workers by itself.
 *
 * Without a usable model the declared COST stands.
 *
 *-------------------------------------------------------------------------
 */
#include "pg.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "nodes/pathnodes.h"
#include "nodes/supportnodes.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(mobilebert_support);

/*
 * cpu_operator_cost stands for some 25 ns of today's processors, in which one
 * core does about this many multiply-adds in float32.
 */
#define MULTIPLY_ADDS_PER_OPERATOR 500.0

/* A result found in the session's cache, in operators. */
#define CACHED_OPERATORS 50.0

/* Characters of English text to a token, and tokens of a text unknown. */
#define BYTES_PER_TOKEN 4.5
#define TOKENS_UNKNOWN 32.0

/* Tokens of an argument: its length, or the average width of its column. */
static double
tokens_of(PlannerInfo *root, Node *argument)
{
	double		bytes = 0;

	if (IsA(argument, RelabelType))
		argument = (Node *) ((RelabelType *) argument)->arg;
	if (IsA(argument, Const))
	{
		Const	   *constant = (Const *) argument;

		if (!constant->constisnull && constant->constlen == -1)
			bytes = (double) toast_raw_datum_size(constant->constvalue) -
				VARHDRSZ;
	}
	else if (IsA(argument, Var) && root != NULL)
	{
		Var		   *var = (Var *) argument;

		if (var->varlevelsup == 0 && !IS_SPECIAL_VARNO(var->varno) &&
			(int) var->varno < root->simple_rel_array_size)
		{
			RangeTblEntry *rte = planner_rt_fetch(var->varno, root);

			if (rte->rtekind == RTE_RELATION)
				bytes = get_attavgwidth(rte->relid, var->varattno);
		}
	}
	return bytes > 0 ? bytes / BYTES_PER_TOKEN + 2 : TOKENS_UNKNOWN;
}

/* Which argument is named "model"; -1 when the function has none. */
static int
model_argument(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Oid		   *types;
	char	  **names;
	char	   *modes;
	int			count;
	int			found = -1;
	int			i;

	if (!HeapTupleIsValid(tuple))
		return -1;
	count = get_func_arg_info(tuple, &types, &names, &modes);
	for (i = 0; names != NULL && i < count && found < 0; i++)
		if (strcmp(names[i], "model") == 0)
			found = i;
	ReleaseSysCache(tuple);
	return found;
}

/* The model of a call, when planning can know it. */
static const RegistryModel *
model_of(FuncExpr *call)
{
	int			number = model_argument(call->funcid);
	Const	   *model;

	if (number < 0)
		return mobilebert_model_peek(NULL);
	if (number >= list_length(call->args))
		return NULL;
	model = list_nth(call->args, number);
	if (!IsA(model, Const) || model->constisnull ||
		model->consttype != TEXTOID)
		return NULL;
	return mobilebert_model_peek(TextDatumGetCString(model->constvalue));
}

/*
 * Tokens of a call's texts: the arguments before the model.  *constant: there
 * is one, and it is the same in all rows.
 */
static double
tokens_of_call(PlannerInfo *root, FuncExpr *call, bool *constant)
{
	int			model = model_argument(call->funcid);
	Node	   *first = linitial(call->args);
	double		tokens = 0;
	ListCell   *cell;

	foreach(cell, call->args)
	{
		if (model >= 0 && foreach_current_index(cell) >= model)
			break;
		tokens += tokens_of(root, lfirst(cell));
	}
	*constant = (model == 1 || list_length(call->args) == 1) &&
		(IsA(first, Const) || IsA(first, Param));
	return tokens;
}

Datum
mobilebert_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);
	SupportRequestCost *cost;
	const RegistryModel *model;
	double		tokens;
	bool		constant;
	double		pass;

	if (!IsA(request, SupportRequestCost))
		PG_RETURN_POINTER(NULL);
	cost = (SupportRequestCost *) request;
	if (cost->node == NULL || !IsA(cost->node, FuncExpr) ||
		((FuncExpr *) cost->node)->args == NIL)
		PG_RETURN_POINTER(NULL);
	model = model_of((FuncExpr *) cost->node);
	if (model == NULL)
		PG_RETURN_POINTER(NULL);
	tokens = tokens_of_call(cost->root, (FuncExpr *) cost->node, &constant);
	if (tokens > model->max_tokens)
		tokens = model->max_tokens;
	pass = cpu_operator_cost * tokens *
		(double) model->multiply_adds / MULTIPLY_ADDS_PER_OPERATOR;
	if (constant && mobilebert_cache_size > 0)
	{
		/* the same text for each row: computed once, then in the cache */
		cost->startup = pass;
		cost->per_tuple = cpu_operator_cost * CACHED_OPERATORS;
	}
	else
	{
		cost->startup = 0;
		cost->per_tuple = pass;
	}
	PG_RETURN_POINTER(cost);
}
