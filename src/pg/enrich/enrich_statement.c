/*-------------------------------------------------------------------------
 *
 * enrich_statement.c
 *	  The SQL statements of mobilebert.enrich().
 *
 * All are made for the moment: the relation's name is looked up by its OID
 * each time, and places of rows stand in the text as constants, so that no
 * parameter can be mixed up with one in the caller's expression, and the
 * planner sees how many rows there are.  What is added here is qualified with
 * pg_catalog; the caller's expression and filter mean what they mean in the
 * caller's search_path.  They are checked to be expressions by themselves, and
 * stand in parentheses with a line break after them, for the sake of comments.
 *
 * The relation is always named as the caller named it, never a partition of
 * it: so the caller's rights on it, its policies and its statement triggers
 * count, and nothing else.  A row is known by table and ctid.
 *
 * Locks are FOR NO KEY UPDATE, what an UPDATE takes itself: FOR UPDATE would
 * skip rows that a foreign key check of somebody else holds.
 *
 * Depends on server/pg.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "enrich/enrich_statement.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "parser/parser.h"
#include "storage/bufmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"

/* Rows taken from a cursor at a time. */
#define FETCH_ROWS 1000

/* Rows that a list has room for at first; it grows. */
#define ROWS_ROOM 256

/*
 * Arguments
 */

/* One SELECT of one column without a name, and no other clause. */
static bool
is_expression(const List *parsed)
{
	SelectStmt *select;
	ResTarget  *column;

	if (list_length(parsed) != 1)
		return false;
	select = (SelectStmt *) linitial_node(RawStmt, parsed)->stmt;
	if (!IsA(select, SelectStmt) || select->op != SETOP_NONE ||
		list_length(select->targetList) != 1 ||
		select->distinctClause != NIL || select->intoClause != NULL ||
		select->fromClause != NIL || select->whereClause != NULL ||
		select->groupClause != NIL || select->havingClause != NULL ||
		select->windowClause != NIL || select->sortClause != NIL ||
		select->limitOffset != NULL || select->limitCount != NULL ||
		select->lockingClause != NIL || select->withClause != NULL)
		return false;
	column = linitial_node(ResTarget, select->targetList);
	return column->name == NULL;
}

/* A position in this statement is none in the client's. */
static void
expression_error(void *sql)
{
	int			position = geterrposition();

	if (position > 0)
	{
		errposition(0);
		internalerrposition(position);
		internalerrquery(sql);
	}
}

void
enrich_check_expression(const char *argument, const char *text)
{
	char	   *sql = psprintf("SELECT %s\n", text);
	ErrorContextCallback callback;
	List	   *parsed;

	callback.callback = expression_error;
	callback.arg = sql;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	parsed = raw_parser(sql, RAW_PARSE_DEFAULT);
	error_context_stack = callback.previous;
	if (!is_expression(parsed))
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("argument \"%s\" must be one expression: \"%s\"",
						argument, text)));
	pfree(sql);
}

AttrNumber
enrich_column(Oid relation, const char *name)
{
	AttrNumber	attnum = get_attnum(relation, name);

	if (attnum == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist",
						name, get_rel_name(relation))));
	if (attnum < 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot assign to system column \"%s\"", name)));
	return attnum;
}

char *
enrich_key_columns(Oid relation)
{
	Relation	rel = table_open(relation, AccessShareLock);
	Bitmapset  *key = RelationGetIndexAttrBitmap(rel,
												 INDEX_ATTR_BITMAP_PRIMARY_KEY);
	StringInfoData columns;
	int			i = -1;

	initStringInfo(&columns);
	while ((i = bms_next_member(key, i)) >= 0)
	{
		AttrNumber	attnum = i + FirstLowInvalidHeapAttributeNumber;

		appendStringInfo(&columns, "%s%s", columns.len > 0 ? ", " : "",
						 quote_identifier(get_attname(relation, attnum,
													  false)));
	}
	table_close(rel, AccessShareLock);
	if (columns.len == 0 ||
		pg_class_aclcheck(relation, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		return NULL;
	return columns.data;
}

/*
 * Pieces of statements
 */

static char *
relation_name(const EnrichJob *job)
{
	char	   *name = get_rel_name(job->relation);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the table to be enriched does not exist any more")));
	return quote_qualified_identifier(
									  get_namespace_name(get_rel_namespace(job->relation)), name);
}

/* Which rows are to be enriched. */
static void
append_wanted(StringInfo sql, const EnrichJob *job)
{
	appendStringInfo(sql, "%s IS NULL", job->target);
	if (job->error_column != NULL)
		appendStringInfo(sql, " AND %s IS NULL", job->error_column);
	if (job->filter != NULL)
		appendStringInfo(sql, " AND (%s\n)", job->filter);
}

/*
 * The partition's constraint changes nothing but what the planner knows: it
 * leaves the other partitions alone.  Where there is one table only the
 * condition is left out: a foreign server could not decide it.
 */
static void
append_leaf(StringInfo sql, const EnrichJob *job, const EnrichLeaf *leaf)
{
	if (!job->several_tables)
		return;
	appendStringInfo(sql, " AND tableoid OPERATOR(pg_catalog.=) '%u'::pg_catalog.oid",
					 leaf->relid);
	if (leaf->constraint != NULL)
		appendStringInfo(sql, " AND (%s)", leaf->constraint);
}

static void
append_tids(StringInfo sql, const EnrichJob *job, const EnrichLeaf *leaf,
			const ItemPointerData *tids, int count)
{
	int			i;

	appendStringInfoString(sql, "ctid OPERATOR(pg_catalog.=) ANY ('{");
	for (i = 0; i < count; i++)
		appendStringInfo(sql, "%s\"(%u,%u)\"", i > 0 ? "," : "",
						 ItemPointerGetBlockNumberNoCheck(&tids[i]),
						 ItemPointerGetOffsetNumberNoCheck(&tids[i]));
	appendStringInfoString(sql, "}'::pg_catalog.tid[])");
	append_leaf(sql, job, leaf);
}

/*
 * Run a statement; returns how many rows it gave or changed.  SPI leaves its
 * own memory context current, which would keep everything until the end.
 */
static uint64
execute(const char *sql, int expected)
{
	MemoryContext context = CurrentMemoryContext;
	int			result = SPI_execute(sql, false, 0);

	MemoryContextSwitchTo(context);
	if (result != expected)
		elog(ERROR, "SPI_execute returned %s for \"%s\"",
			 SPI_result_code_string(result), sql);
	return SPI_processed;
}

/* The only value of a query's only row, copied. */
static Datum
single_value(const char *sql, bool *null)
{
	Datum		value;
	Form_pg_attribute column;

	*null = true;
	if (execute(sql, SPI_OK_SELECT) != 1)
		return (Datum) 0;
	column = TupleDescAttr(SPI_tuptable->tupdesc, 0);
	value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
						  null);
	if (!*null)
		value = datumCopy(value, column->attbyval, column->attlen);
	SPI_freetuptable(SPI_tuptable);
	return value;
}

static void
add_row(EnrichRows *rows, ItemPointer tid)
{
	if (rows->tids == NULL)
	{
		rows->room = ROWS_ROOM;
		rows->tids = MemoryContextAlloc(rows->context,
										rows->room * sizeof(ItemPointerData));
	}
	else if (rows->count == rows->room)
	{
		rows->room *= 2;
		rows->tids = repalloc_huge(rows->tids,
								   rows->room * sizeof(ItemPointerData));
	}
	rows->tids[rows->count++] = *tid;
}

/* Add the rows whose ctids a statement gave. */
static void
add_result(EnrichRows *rows)
{
	uint64		i;

	for (i = 0; i < SPI_processed; i++)
	{
		bool		null;
		Datum		tid = SPI_getbinval(SPI_tuptable->vals[i],
										SPI_tuptable->tupdesc, 1, &null);

		add_row(rows, (ItemPointer) DatumGetPointer(tid));
	}
	SPI_freetuptable(SPI_tuptable);
}

/*
 * Statements
 */

static char *
find_statement(const EnrichJob *job, const EnrichLeaf *leaf,
			   BlockNumber start, BlockNumber end)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql,
					 "SELECT ctid FROM %s WHERE "
					 "ctid OPERATOR(pg_catalog.>=) '(%u,0)'::pg_catalog.tid AND "
					 "ctid OPERATOR(pg_catalog.<) '(%u,0)'::pg_catalog.tid",
					 relation_name(job), start, end);
	append_leaf(&sql, job, leaf);
	appendStringInfoString(&sql, " AND ");
	append_wanted(&sql, job);
	return sql.data;
}

static char *
lock_statement(const EnrichJob *job, const EnrichLeaf *leaf,
			   const ItemPointerData *tids, int count)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT ctid FROM %s WHERE ", relation_name(job));
	append_tids(&sql, job, leaf, tids, count);
	appendStringInfoString(&sql, " AND ");
	append_wanted(&sql, job);
	appendStringInfoString(&sql, " FOR NO KEY UPDATE SKIP LOCKED");
	return sql.data;
}

static char *
update_statement(const EnrichJob *job, const EnrichLeaf *leaf,
				 const ItemPointerData *tids, int count)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s SET %s = (%s\n) WHERE ",
					 relation_name(job), job->target, job->expression);
	append_tids(&sql, job, leaf, tids, count);
	appendStringInfo(&sql, " AND %s IS NULL RETURNING %s IS NULL, tableoid, ctid",
					 job->target, job->target);
	return sql.data;
}

static char *
note_statement(const EnrichJob *job, const EnrichLeaf *leaf, ItemPointer tid,
			   const char *message)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s SET %s = %s WHERE ",
					 relation_name(job), job->error_column,
					 quote_literal_cstr(message));
	append_tids(&sql, job, leaf, tid, 1);
	appendStringInfo(&sql, " AND %s IS NULL", job->target);
	return sql.data;
}

void
enrich_check_statements(const EnrichJob *job)
{
	EnrichLeaf	leaf = {job->relation, false, NULL};
	ItemPointerData tid;

	ItemPointerSet(&tid, 0, FirstOffsetNumber);
	execute(psprintf("EXPLAIN %s", find_statement(job, &leaf, 0, 1)),
			SPI_OK_UTILITY);
	execute(psprintf("EXPLAIN %s", lock_statement(job, &leaf, &tid, 1)),
			SPI_OK_UTILITY);
	execute(psprintf("EXPLAIN %s", update_statement(job, &leaf, &tid, 1)),
			SPI_OK_UTILITY);
	if (job->error_column != NULL)
		execute(psprintf("EXPLAIN %s", note_statement(job, &leaf, &tid, "")),
				SPI_OK_UTILITY);
}

static char *
partition_constraint(Oid relid)
{
	Expr	   *constraint;

	if (!get_rel_relispartition(relid))
		return NULL;
	constraint = get_partition_qual_relid(relid);
	if (constraint == NULL)
		return NULL;			/* the only one, by default */
	return deparse_expression((Node *) constraint,
							  deparse_context_for(get_rel_name(relid), relid),
							  false, false);
}

EnrichLeaf *
enrich_leaves(const EnrichJob *job, int *count)
{
	List	   *tables;
	ListCell   *cell;
	EnrichLeaf *leaves;

	tables = find_all_inheritors(job->relation, AccessShareLock, NULL);
	leaves = palloc(list_length(tables) * sizeof(EnrichLeaf));
	*count = 0;
	foreach(cell, tables)
	{
		char		kind = get_rel_relkind(lfirst_oid(cell));

		if (kind != RELKIND_RELATION && kind != RELKIND_FOREIGN_TABLE)
			continue;
		leaves[*count].relid = lfirst_oid(cell);
		leaves[*count].foreign = kind == RELKIND_FOREIGN_TABLE;
		leaves[*count].constraint = partition_constraint(lfirst_oid(cell));
		(*count)++;
	}
	return leaves;
}

/* A foreign server does not tell its blocks, but the place of its last row. */
static BlockNumber
foreign_blocks(const EnrichJob *job, const EnrichLeaf *leaf)
{
	StringInfoData sql;
	ItemPointer last;
	BlockNumber block;
	bool		null;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT pg_catalog.max(ctid) FROM %s WHERE ",
					 relation_name(job));
	append_wanted(&sql, job);
	append_leaf(&sql, job, leaf);
	last = (ItemPointer) DatumGetPointer(single_value(sql.data, &null));
	if (null)
		return 0;
	block = ItemPointerGetBlockNumberNoCheck(last);
	if (!BlockNumberIsValid(block))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot enrich foreign table \"%s\"",
						get_rel_name(leaf->relid)),
				 errdetail("Its foreign-data wrapper does not identify rows by ctid.")));
	return block + 1;
}

BlockNumber
enrich_blocks(const EnrichJob *job, const EnrichLeaf *leaf)
{
	Relation	rel;
	BlockNumber blocks = 0;

	if (leaf->foreign)
		return foreign_blocks(job, leaf);
	rel = try_relation_open(leaf->relid, AccessShareLock);
	if (rel != NULL)
	{
		blocks = RelationGetNumberOfBlocks(rel);
		relation_close(rel, AccessShareLock);
	}
	return blocks;
}

int64
enrich_count(const EnrichJob *job)
{
	StringInfoData sql;
	bool		null;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT pg_catalog.count(*) FROM %s WHERE ",
					 relation_name(job));
	append_wanted(&sql, job);
	return DatumGetInt64(single_value(sql.data, &null));
}

bool
enrich_find(const EnrichJob *job, const EnrichLeaf *leaf, BlockNumber start,
			BlockNumber end, int limit, EnrichRows *rows)
{
	MemoryContext context = CurrentMemoryContext;
	Portal		portal;
	bool		all = true;

	portal = SPI_cursor_open_with_args(NULL,
									   find_statement(job, leaf, start, end),
									   0, NULL, NULL, NULL, false, 0);
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		if (SPI_processed == 0)
			break;
		all = SPI_processed <= (uint64) (limit - rows->count);
		if (!all)
			break;
		add_result(rows);
	}
	SPI_freetuptable(SPI_tuptable);
	SPI_cursor_close(portal);
	MemoryContextSwitchTo(context);
	return all;
}

void
enrich_lock(const EnrichJob *job, const EnrichLeaf *leaf,
			const EnrichRows *rows, int from, int to, EnrichRows *locked)
{
	(void) execute(lock_statement(job, leaf, rows->tids + from, to - from),
				   SPI_OK_SELECT);
	add_result(locked);
}

int64
enrich_update(const EnrichJob *job, const EnrichLeaf *leaf,
			  const EnrichRows *rows,
			  void (*null) (void *context, Oid relid, ItemPointer tid),
			  void *context)
{
	uint64		count;
	uint64		i;

	count = execute(update_statement(job, leaf, rows->tids, rows->count),
					SPI_OK_UPDATE_RETURNING);
	for (i = 0; i < count; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;

		if (DatumGetBool(SPI_getbinval(tuple, desc, 1, &isnull)))
			null(context,
				 DatumGetObjectId(SPI_getbinval(tuple, desc, 2, &isnull)),
				 (ItemPointer) DatumGetPointer(SPI_getbinval(tuple, desc, 3,
															 &isnull)));
	}
	SPI_freetuptable(SPI_tuptable);
	return (int64) count;
}

void
enrich_note(const EnrichJob *job, const EnrichLeaf *leaf, ItemPointer tid,
			const char *message)
{
	(void) execute(note_statement(job, leaf, tid, message), SPI_OK_UPDATE);
}

char *
enrich_row_name(const EnrichJob *job, const EnrichLeaf *leaf, ItemPointer tid)
{
	StringInfoData sql;
	bool		null = true;
	Datum		values = (Datum) 0;

	if (job->key != NULL)
	{
		initStringInfo(&sql);
		appendStringInfo(&sql,
						 "SELECT pg_catalog.concat_ws(', ', %s) FROM %s WHERE ",
						 job->key, relation_name(job));
		append_tids(&sql, job, leaf, tid, 1);
		values = single_value(sql.data, &null);
	}
	if (null)
		return psprintf("at (%u,%u)", ItemPointerGetBlockNumberNoCheck(tid),
						ItemPointerGetOffsetNumberNoCheck(tid));
	return psprintf("(%s)=(%s)", job->key, TextDatumGetCString(values));
}
