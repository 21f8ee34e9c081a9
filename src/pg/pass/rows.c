/*-------------------------------------------------------------------------
 *
 * rows.c
 *	  Texts of one call that belong together: the choices of a prompt, a batch
 *	  with labels.
 *
 * Each is one sequence.  They are tokenised once and kept as ids, so that the
 * longest is known before the first is read by a pass: in Hugging Face's padded
 * batches MobileBERT sees a pad token after all but the longest (model.md 7).
 *
 * Depends on server/pg.h, server/adapt.h, server/options.h,
 * models/model_cache.h, pass/rows.h, pass/sequences.h, pass/workspace.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/options.h"
#include "models/model_cache.h"
#include "pass/rows.h"
#include "pass/sequences.h"
#include "pass/workspace.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* Bytes of second texts' pieces that may gather beside the first's. */
#define PIECES_ROOM (16 * 1024 * 1024)

void
mobilebert_rows_init(MobilebertRows *rows, FunctionCallInfo fcinfo,
					 const MobilebertModel *model, bool truncate,
					 size_t max_length)
{
	memset(rows, 0, sizeof(*rows));
	rows->fcinfo = fcinfo;
	rows->model = model;
	rows->overflow = truncate ? OVERFLOW_TRUNCATE : OVERFLOW_ERROR;
	rows->max_length = max_length > 0 ? max_length :
		mobilebert_positions(model);
	rows->room = 4;
	rows->rows = palloc(rows->room * sizeof(MobilebertRow));
}

void
mobilebert_rows_keep(MobilebertRows *rows, const MobilebertSequence *sequence)
{
	size_t		length = sequence->length;
	MobilebertRow *row;

	rows->bytes += sizeof(MobilebertRow) + 2 * length * sizeof(int32);
	mobilebert_workspace_check(rows->bytes);
	if (rows->count == rows->room)
	{
		rows->room *= 2;
		rows->rows = repalloc_huge(rows->rows,
								   rows->room * sizeof(MobilebertRow));
	}
	row = &rows->rows[rows->count++];
	row->length = length;
	row->ids = palloc(length * sizeof(int32));
	row->types = palloc(length * sizeof(int32));
	memcpy(row->ids, sequence->ids, length * sizeof(int32));
	memcpy(row->types, sequence->types, length * sizeof(int32));
	rows->longest = Max(rows->longest, length);
}

/* Tokenise a first text, unless it is the current one. */
static void
rows_begin(MobilebertRows *rows, text *first)
{
	if (rows->first == first &&
		rows->in.arena.total <= rows->first_size +
		Min(PIECES_ROOM, rows->in.arena.limit / 4))
		return;
	mobilebert_rows_done(rows);
	mobilebert_input_begin(&rows->in, rows->model, first, rows->max_length);
	rows->first = first;
	rows->first_size = rows->in.arena.total;
}

static const mb_encoding *
rows_encode(MobilebertRows *rows)
{
	MobilebertSequence sequence;

	rows->in.truncated = false;
	mobilebert_input_fit(&rows->in, rows->fcinfo, rows->overflow, 0);
	mobilebert_input_window(&rows->in, 0, &sequence);
	mobilebert_rows_keep(rows, &sequence);
	return sequence.encoding;
}

const mb_encoding *
mobilebert_rows_add(MobilebertRows *rows, text *first, text *second)
{
	rows_begin(rows, first);
	memset(&rows->in.second, 0, sizeof(rows->in.second));
	rows->in.pair = second != NULL;
	if (second != NULL)
		mobilebert_input_tokenise(&rows->in, second, &rows->in.second);
	return rows_encode(rows);
}

const mb_encoding *
mobilebert_rows_add_words(MobilebertRows *rows, const mb_document *words,
						  size_t count)
{
	const mb_tokenizer *tokenizer = &rows->model->image.tokenizer;

	rows_begin(rows, cstring_to_text(""));
	ENGINE_CALL(mb_tokenize_words, tokenizer, words, count,
				tokenizer->split_special_tokens, &rows->in.arena,
				&mobilebert_cancel, &rows->in.first);
	rows->in.pair = false;
	return rows_encode(rows);
}

void
mobilebert_rows_done(MobilebertRows *rows)
{
	if (rows->first == NULL)
		return;
	mobilebert_input_free(&rows->in);
	rows->first = NULL;
}

void
mobilebert_rows_sequence(const MobilebertRows *rows, size_t n, bool padded,
						 MobilebertSequence *sequence)
{
	const MobilebertRow *row = &rows->rows[n];

	sequence->length = row->length;
	sequence->ids = row->ids;
	sequence->types = row->types;
	sequence->encoding = NULL;
	sequence->pad_after = padded && row->length < rows->longest;
	sequence->keep_from = 0;
	sequence->keep_to = row->length;
}
