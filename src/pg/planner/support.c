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
 * PostgreSQL does not consider parallel scans of tables below
 * min_parallel_table_scan_size, whatever is to be done with the rows.  A few
 * thousand texts are a small table, but minutes of work; so a hook adds the
 * parallel scan where calls are worth it, and the costs decide as always.  A
 * table's own parallel_workers is respected.
 *
 * Start with mobilebert_support(), and for scans with parallel_scan().
 *
 * Depends on server/pg.h, server/guc.h, models/model_cache.h,
 * models/prompts.h, models/registry.h, planner/batch_functions.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/guc.h"
#include "models/model_cache.h"
#include "models/prompts.h"
#include "models/registry.h"
#include "planner/batch_functions.h"
#include "planner/support.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "nodes/supportnodes.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
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

/* redact() without a model, for each token */
#define PATTERN_OPERATORS 5.0

/* Bytes of English text to a token, tokens around it ([CLS] and [SEP]) ... */
#define BYTES_PER_TOKEN 4.5
#define TEMPLATE_TOKENS 2

/* ... and tokens of a text of which nothing is known. */
#define UNKNOWN_TOKENS 32.0

/* What a worker should have to do at least, in units of parallel_setup_cost. */
#define WORKER_SETUPS 10.0

static set_rel_pathlist_hook_type previous_pathlist = NULL;

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
	return bytes > 0 ? bytes / BYTES_PER_TOKEN + TEMPLATE_TOKENS :
		UNKNOWN_TOKENS;
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

/* Which default model a function uses. */
static mb_task
task_of(const char *function)
{
	static const struct
	{
		const char *function;
		mb_task		task;
	}			tasks[] =
	{
		{"classify", MB_TASK_CLASSIFY}, {"label", MB_TASK_CLASSIFY},
		{"score", MB_TASK_CLASSIFY}, {"uncertainty", MB_TASK_CLASSIFY},
		{"zero_shot", MOBILEBERT_ZERO_SHOT}, {"best_label", MOBILEBERT_ZERO_SHOT},
		{"ner", MB_TASK_NER},
		{"entities", MB_TASK_NER}, {"redact", MB_TASK_NER},
		{"answer", MB_TASK_ANSWER},
		{"best_answer", MB_TASK_ANSWER}, {"fill_mask", MB_TASK_FILL_MASK},
		{"best_token", MB_TASK_FILL_MASK},
		{"token_log_probability", MB_TASK_FILL_MASK},
		{"pseudo_perplexity", MB_TASK_FILL_MASK},
		{"pretraining", MB_TASK_FILL_MASK},
		{"next_sentence", MB_TASK_NEXT_SENTENCE},
		{"choose", MB_TASK_CHOOSE}, {"best_choice", MB_TASK_CHOOSE}
	};
	size_t		i;

	for (i = 0; i < lengthof(tasks); i++)
	{
		if (strcmp(function, tasks[i].function) == 0)
			return tasks[i].task;
	}
	return MB_TASK_EMBED;
}

/* The model of a call, when planning can know it. */
static const RegistryModel *
model_of(FuncExpr *call, const char *function, int number)
{
	Const	   *model;

	if (number < 0 && function == NULL)
		return NULL;
	if (number < 0)
	{
		return mobilebert_model_peek(NULL, task_of(function));
	}
	if (number >= list_length(call->args))
		return NULL;
	model = list_nth(call->args, number);
	if (!IsA(model, Const) || model->constisnull ||
		model->consttype != TEXTOID)
		return NULL;
	return mobilebert_model_peek(TextDatumGetCString(model->constvalue), 0);
}

/* Functions that put a prompt before a text, and which; NULL: the default one */
static const struct
{
	const char *function;
	MobilebertPrompted what;
	const char *prompt;
}			prompting[] =
{
	{"embed", PROMPTED_VECTOR, NULL}, {"similarity", PROMPTED_VECTOR, NULL},
	{"best_label", PROMPTED_VECTOR, NULL},
	{"embed_query", PROMPTED_VECTOR, "query"},
	{"embed_document", PROMPTED_VECTOR, "document"},
	{"label", PROMPTED_LABEL, NULL}, {"uncertainty", PROMPTED_LABEL, NULL},
	{"score", PROMPTED_SCORE, NULL}
};

/* Arguments of embed() */
#define EMBED_PROMPT 7
#define EMBED_PROMPT_TEXT 8

/* Is the option left out? */
static bool
not_given(FuncExpr *call, int number)
{
	Node	   *argument;

	if (number >= list_length(call->args))
		return true;
	argument = list_nth(call->args, number);
	return IsA(argument, Const) && ((Const *) argument)->constisnull;
}

char *
mobilebert_prompt_of_call(FuncExpr *call)
{
	const char *function = get_func_name(call->funcid);
	const RegistryModel *row;
	const char *name;
	text	   *prompt;
	size_t		i = 0;

	if (function == NULL || call->args == NIL ||
		exprType(linitial(call->args)) != TEXTOID)
		return NULL;
	while (i < lengthof(prompting) &&
		   strcmp(function, prompting[i].function) != 0)
		i++;
	if (i == lengthof(prompting))
		return NULL;
	if (strcmp(function, "embed") == 0 &&
		!(not_given(call, EMBED_PROMPT) && not_given(call, EMBED_PROMPT_TEXT)))
		return NULL;
	row = model_of(call, function, model_argument(call->funcid));
	if (row == NULL)
		return NULL;

	/* what a classifier is asked has none */
	if (strcmp(function, "best_label") == 0 &&
		(row->tasks & MB_TASK_CLASSIFY) != 0)
		return NULL;
	name = prompting[i].prompt;
	prompt = mobilebert_prompt_peek(row, prompting[i].what, &name);
	return prompt == NULL ? NULL :
		psprintf("%s (\"%s\" of model \"%s\")",
				 quote_literal_cstr(text_to_cstring(prompt)), name, row->name);
}

/* Is it known that a call has no model?  Only redact() can do without. */
static bool
has_no_model(FuncExpr *call, int number)
{
	Node	   *model = number < 0 || number >= list_length(call->args) ? NULL :
		list_nth(call->args, number);

	return model != NULL && IsA(model, Const) && ((Const *) model)->constisnull;
}

/*
 * Tokens of a call's texts, which stand before the model; whether all of them
 * are the same for each row.
 */
static double
tokens_of_call(PlannerInfo *root, FuncExpr *call, const char *function,
			   int model, bool *constant)
{
	double		tokens = 0;
	int			count = model < 0 ? list_length(call->args) : model;
	int			i;

	/* Of all functions, embed() and its kin keep their results. */
	*constant = function != NULL && strncmp(function, "embed", 5) == 0;
	for (i = 0; i < count; i++)
	{
		Node	   *argument = list_nth(call->args, i);

		if (i > 0 && exprType(argument) != TEXTOID)
			continue;
		tokens += tokens_of(root, argument);
		if (!IsA(argument, Const) && !IsA(argument, Param))
			*constant = false;
	}
	return tokens;
}

Datum
mobilebert_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);
	SupportRequestCost *cost;
	const RegistryModel *model;
	FuncExpr   *call;
	const char *function;
	bool		constant;
	double		tokens;
	double		pass;
	int			number;

	if (!IsA(request, SupportRequestCost))
		PG_RETURN_POINTER(NULL);
	cost = (SupportRequestCost *) request;
	call = (FuncExpr *) cost->node;
	if (call == NULL || !IsA(call, FuncExpr) || call->args == NIL)
		PG_RETURN_POINTER(NULL);
	number = model_argument(call->funcid);
	function = get_func_name(call->funcid);
	if (has_no_model(call, number))
	{
		cost->startup = 0;
		cost->per_tuple = cpu_operator_cost * PATTERN_OPERATORS *
			tokens_of_call(cost->root, call, function, number, &constant);
		PG_RETURN_POINTER(cost);
	}
	model = model_of(call, function, number);
	if (model == NULL)
		PG_RETURN_POINTER(NULL);
	tokens = tokens_of_call(cost->root, call, function, number, &constant);
	if (tokens > model->max_tokens &&
		(function == NULL || strcmp(function, "embed_chunks") != 0))
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

/*
 * Parallel scans of small tables
 */

/* A relation, and what calls on its columns cost a row. */
typedef struct CallCost
{
	PlannerInfo *root;
	Index		relation;
	Cost		per_row;
} CallCost;

static bool
call_cost_walker(Node *node, void *context)
{
	CallCost   *sum = context;
	QualCost	cost;

	if (node == NULL)
		return false;
	if (IsA(node, FuncExpr) &&
		mobilebert_batched_function(((FuncExpr *) node)->funcid) != NULL &&
		bms_is_member((int) sum->relation, pull_varnos(sum->root, node)))
	{
		cost_qual_eval_node(&cost, node, sum->root);
		sum->per_row += cost.per_tuple;
		return false;
	}
	return expression_tree_walker(node, call_cost_walker, context);
}

/* What is to be done for the rows of a relation. */
static Cost
calls_cost(PlannerInfo *root, RelOptInfo *rel, Index relation)
{
	CallCost	listed = {root, relation, 0};
	CallCost	conditions = {root, relation, 0};
	ListCell   *lc;

	(void) call_cost_walker((Node *) root->processed_tlist, &listed);
	foreach(lc, rel->baserestrictinfo)
		(void) call_cost_walker((Node *) lfirst_node(RestrictInfo, lc)->clause,
								&conditions);
	return listed.per_row * rel->rows + conditions.per_row * rel->tuples;
}

static void
parallel_scan(PlannerInfo *root, RelOptInfo *rel, Index relation,
			  RangeTblEntry *entry)
{
	double		workers;

	if (previous_pathlist != NULL)
		previous_pathlist(root, rel, relation, entry);
	if (rel->reloptkind != RELOPT_BASEREL || !rel->consider_parallel ||
		rel->partial_pathlist != NIL || rel->rel_parallel_workers != -1 ||
		rel->lateral_relids != NULL || entry->rtekind != RTE_RELATION ||
		entry->inh || entry->tablesample != NULL ||
		(entry->relkind != RELKIND_RELATION &&
		 entry->relkind != RELKIND_MATVIEW))
		return;
	workers = calls_cost(root, rel, relation) /
		Max(WORKER_SETUPS * parallel_setup_cost, 1.0);
	if (workers > max_parallel_workers_per_gather)
		workers = max_parallel_workers_per_gather;
	if (workers >= 1)
		add_partial_path(rel, create_seqscan_path(root, rel, NULL,
												  (int) workers));
}

void
mobilebert_support_init(void)
{
	previous_pathlist = set_rel_pathlist_hook;
	set_rel_pathlist_hook = parallel_scan;
}
