/*-------------------------------------------------------------------------
 *
 * rows.h
 *	  Texts of one call that belong together.
 *
 * Depends on server/pg.h, server/options.h, models/model_cache.h,
 * pass/sequences.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_ROWS_H
#define MOBILEBERT_ROWS_H

#include "server/pg.h"
#include "server/options.h"
#include "models/model_cache.h"
#include "pass/sequences.h"

/*
 * Rows of one call that belong together, each a text or a pair in one window.
 * Memory comes from the current context of rows_init; what the rows' ids take
 * may not exceed mobilebert.memory_limit.
 */
typedef struct MobilebertRow
{
	size_t		length;
	int32	   *ids;			/* [length] */
	int32	   *types;			/* [length] */
} MobilebertRow;

typedef struct MobilebertRows
{
	FunctionCallInfo fcinfo;
	const MobilebertModel *model;
	MobilebertOverflow overflow;	/* error or truncate */
	size_t		max_length;
	text	   *first;			/* the current first text */
	MobilebertInput in;			/* it and the second one, while first is set */
	size_t		first_size;		/* bytes of its pieces */
	MobilebertRow *rows;		/* [count] */
	size_t		count;
	size_t		room;
	size_t		bytes;
	size_t		longest;		/* tokens of the longest row */
} MobilebertRows;

extern void mobilebert_rows_init(MobilebertRows *rows, FunctionCallInfo fcinfo,
								 const MobilebertModel *model, bool truncate,
								 size_t max_length);

/*
 * Add a text, or a pair when second is not NULL; several pairs with the same
 * first text one after another tokenise it once.  Or words, which are a text
 * that was split before.  The encoding lasts until the next add or done, its
 * ids and types are kept.
 */
extern const mb_encoding *mobilebert_rows_add(MobilebertRows *rows,
											  text *first, text *second);
extern const mb_encoding *mobilebert_rows_add_words(MobilebertRows *rows,
													const mb_document *words,
													size_t count);

/* Add a row that was encoded elsewhere. */
extern void mobilebert_rows_keep(MobilebertRows *rows,
								 const MobilebertSequence *sequence);

/* All are added. */
extern void mobilebert_rows_done(MobilebertRows *rows);

/*
 * Row n for a pass; padded: as if the rows had been padded to the longest (the
 * longest itself is not).
 */
extern void mobilebert_rows_sequence(const MobilebertRows *rows, size_t n,
									 bool padded,
									 MobilebertSequence *sequence);

#endif							/* MOBILEBERT_ROWS_H */
