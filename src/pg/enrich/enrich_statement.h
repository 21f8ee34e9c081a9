/*-------------------------------------------------------------------------
 *
 * enrich_statement.h
 *	  The SQL statements of mobilebert.enrich().
 *
 * Depends on server/pg.h.
 *
 * Depends on server/pg.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_ENRICH_STATEMENT_H
#define MOBILEBERT_ENRICH_STATEMENT_H

#include "server/pg.h"

#include "access/attnum.h"
#include "storage/block.h"
#include "storage/itemptr.h"
#include "utils/timestamp.h"

/* A table with rows: the relation itself, a partition or a child. */
typedef struct EnrichLeaf
{
	Oid			relid;
	bool		foreign;
	char	   *constraint;		/* of the partition, as SQL; NULL: none */
} EnrichLeaf;

/* What to do, as the caller said it.  Everything is checked and quoted. */
typedef struct EnrichJob
{
	Oid			relation;
	AttrNumber	attnum;			/* of the target */
	char	   *target;			/* quoted */
	char	   *error_column;	/* quoted; NULL: warn instead */
	char	   *expression;
	char	   *filter;			/* NULL: none */
	char	   *key;			/* "a, b": quoted columns of the primary key that
								 * may be read; NULL: there are none */
	bool		several_tables; /* relation may have rows in more than one */
} EnrichJob;

/* Rows of one leaf. */
typedef struct EnrichRows
{
	MemoryContext context;		/* holds tids */
	ItemPointerData *tids;
	int			count;
	int			room;
} EnrichRows;

/* Error unless text is one expression, as would stand in a select list. */
extern void enrich_check_expression(const char *argument, const char *text);

/* Column of the relation, or an error. */
extern AttrNumber enrich_column(Oid relation, const char *name);

/* The columns for EnrichJob.key. */
extern char *enrich_key_columns(Oid relation);

/* Plans every statement once: errors that all rows would have come now. */
extern void enrich_check_statements(const EnrichJob *job);

/* The relation's tables with rows, palloc'd. */
extern EnrichLeaf *enrich_leaves(const EnrichJob *job, int *count);

/* Blocks that a leaf has now. */
extern BlockNumber enrich_blocks(const EnrichJob *job, const EnrichLeaf *leaf);

/* Rows to be enriched. */
extern int64 enrich_count(const EnrichJob *job);

/*
 * Add the rows to be enriched in blocks [start, end) to rows.  False, when
 * there are more than limit: then not all of them were added.
 */
extern bool enrich_find(const EnrichJob *job, const EnrichLeaf *leaf,
						BlockNumber start, BlockNumber end, int limit,
						EnrichRows *rows);

/*
 * Lock those of the rows [from, to) that are still to be enriched and that no
 * other transaction holds.
 */
extern void enrich_lock(const EnrichJob *job, const EnrichLeaf *leaf,
						const EnrichRows *rows, int from, int to,
						EnrichRows *locked);

/*
 * Enrich them; calls null for each that has still NULL, by its new place.
 * Returns how many were updated, those included.
 */
extern int64 enrich_update(const EnrichJob *job, const EnrichLeaf *leaf,
						   const EnrichRows *rows,
						   void (*null) (void *context, Oid relid,
										 ItemPointer tid),
						   void *context);

/* Put message into the error column of a row. */
extern void enrich_note(const EnrichJob *job, const EnrichLeaf *leaf,
						ItemPointer tid, const char *message);

/* How to call a row in a message: "(id)=(7)" or "at (0,7)". */
extern char *enrich_row_name(const EnrichJob *job, const EnrichLeaf *leaf,
							 ItemPointer tid);

#endif							/* MOBILEBERT_ENRICH_STATEMENT_H */
