/*-------------------------------------------------------------------------
 *
 * encode.c
 *	  Truncation, windows, template and padding: from pieces to model inputs.
 *
 * Follows spec tokenizer.md 5.3 and 6, that is tokenizers 0.22.2 as called by
 * transformers.  Each text is cut into ranges of pieces (one when nothing is
 * cut); a window is a choice of one range per text, laid out by the
 * template.  Ranges are computed, not stored, so that memory goes only to the
 * windows that are wanted.
 *
 * Depends on tokenizer/blob.h.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/blob.h"

#include <limits.h>
#include <string.h>

/* Tokens of a window between two polls of cancel. */
#define POLL_TOKENS 65536

/* How a text is cut. */
typedef struct cut
{
	const mb_pieces *pieces;
	size_t		width;			/* pieces in a full range */
	size_t		step;			/* from one range to the next */
	size_t		ranges;
	bool		emptied;		/* width 0: an empty range, then the whole */
	bool		left;			/* truncation side */
} cut;

typedef struct encoding_job
{
	mb_blob		blob;
	const mb_tokenizer *tokenizer;
	const mb_encode_options *options;
	const mb_template_piece *template;
	uint32_t	template_count;
	cut			cuts[2];		/* first and second text */
	bool		pair;
	size_t		target;			/* length to pad to; 0: no padding */
	mb_arena   *arena;
	const mb_cancel *cancel;
	mb_error   *err;
} encoding_job;

void
mb_encode_defaults(const mb_tokenizer *tokenizer, mb_encode_options *options)
{
	memset(options, 0, sizeof(*options));
	options->add_special_tokens = true;
	options->truncate_left = tokenizer->truncate_left;
	options->pad_left = tokenizer->pad_left;
	options->truncation = MB_TRUNCATE_NONE;
	options->padding = MB_PAD_NONE;
	options->max_length = SIZE_MAX;
}

/*
 * Arguments
 */

static mb_status
bad_stride(mb_error *err, size_t stride, size_t room)
{
	mb_fail(err, MB_ERR_ARGUMENT, "stride %zu is too large", stride);
	mb_detail(err, "Windows have room for %zu tokens of the text, and the stride must be less.",
			  room);
	return MB_ERR_ARGUMENT;
}

/*
 * Checks that upstream makes before it looks at the text.  The stride is
 * compared with the template of a single text, for pairs and without special
 * tokens too (6.3).
 */
static mb_status
check_options(const mb_tokenizer *tokenizer, const mb_encode_options *options,
			  mb_error *err)
{
	bool		truncates = options->truncation != MB_TRUNCATE_NONE &&
		options->max_length != SIZE_MAX;
	bool		pads = options->padding != MB_PAD_NONE;
	size_t		multiple = options->pad_to_multiple_of;

	if (pads && tokenizer->pad_id < 0)
		return mb_fail(err, MB_ERR_ARGUMENT,
					   "cannot pad: the tokenizer has no \"pad_token\"");
	if (truncates && pads && multiple > 1 &&
		options->max_length % multiple != 0)
		return mb_fail(err, MB_ERR_ARGUMENT,
					   "max_length %zu is not a multiple of pad_to_multiple_of %zu",
					   options->max_length, multiple);
	if (truncates && options->max_length >= tokenizer->template_single &&
		options->max_length - tokenizer->template_single < options->stride)
		return bad_stride(err, options->stride,
						  options->max_length - tokenizer->template_single);
	return MB_OK;
}

/*
 * Truncation (6.2)
 */

/* How many tokens each of two texts keeps under longest_first. */
static void
share_room(size_t n1, size_t n2, size_t room, size_t *keep1, size_t *keep2)
{
	size_t		a = n1 < n2 ? n1 : n2;
	size_t		b;

	if (a > room)
		b = a;
	else
		b = a > room - a ? a : room - a;
	if (b > room || a > room - b)
	{
		a = room / 2;
		b = a + room % 2;
	}
	*keep1 = n1 > n2 ? b : a;
	*keep2 = n1 > n2 ? a : b;
}

static mb_status
too_short(mb_error *err, const char *which, size_t max_length)
{
	mb_fail(err, MB_ERR_ARGUMENT,
			"cannot truncate the %s text to fit max_length %zu",
			which, max_length);
	mb_detail(err, "Nothing would be left of it, and the other text may not be cut.");
	return MB_ERR_ARGUMENT;
}

/* keep[i]: tokens that text i keeps; n[1] is 0 for a single text. */
static mb_status
count_kept(const encoding_job *job, const size_t *n, size_t *keep)
{
	const mb_encode_options *options = job->options;
	size_t		added = job->pair ? job->tokenizer->template_pair :
		job->tokenizer->template_single;
	size_t		room = options->max_length;
	size_t		target;
	size_t		remove;

	keep[0] = n[0];
	keep[1] = n[1];
	if (options->truncation == MB_TRUNCATE_NONE || room == SIZE_MAX)
		return MB_OK;
	if (options->add_special_tokens)
	{
		if (room < added)
			return MB_OK;		/* upstream truncates nothing at all */
		room -= added;
	}
	if (room == 0)
	{
		keep[0] = 0;
		keep[1] = 0;
		return MB_OK;
	}
	if (n[0] <= room && n[1] <= room - n[0])
		return MB_OK;
	if (options->truncation == MB_TRUNCATE_LONGEST_FIRST)
	{
		if (job->pair)
			share_room(n[0], n[1], room, &keep[0], &keep[1]);
		else
			keep[0] = room;
		return MB_OK;
	}
	target = options->truncation == MB_TRUNCATE_ONLY_SECOND;
	if (target == 1 && !job->pair)
		return mb_fail(job->err, MB_ERR_ARGUMENT,
					   "truncation \"only_second\" needs a second text");
	remove = n[0] + n[1] - room;
	if (n[target] <= remove)
		return too_short(job->err, target == 0 ? "first" : "second",
						 options->max_length);
	keep[target] = n[target] - remove;
	return MB_OK;
}

/*
 * Windows (6.3)
 */

/* Work out the ranges of a text that keeps "keep" of its tokens. */
static mb_status
plan_cut(const mb_encode_options *options, const mb_pieces *pieces,
		 size_t keep, cut *c, mb_error *err)
{
	size_t		n = pieces->count;

	c->pieces = pieces;
	c->left = options->truncate_left;
	c->width = keep < n ? keep : n;
	c->step = 0;
	c->ranges = 1;
	c->emptied = false;
	if (keep >= n)
		return MB_OK;
	if (keep == 0)
	{
		c->emptied = true;
		c->ranges = 2;
		return MB_OK;
	}
	if (options->stride >= keep)
		return bad_stride(err, options->stride, keep);
	c->step = keep - options->stride;

	/* as many as it takes for the last to reach the end */
	c->ranges = 1 + (n - keep + c->step - 1) / c->step;
	return MB_OK;
}

static void
get_range(const cut *c, size_t index, size_t *start, size_t *stop)
{
	size_t		n = c->pieces->count;
	size_t		shift;

	if (c->emptied)
	{
		*start = 0;
		*stop = index == 0 ? 0 : n;
		return;
	}
	shift = index * c->step;
	if (c->left)
	{
		*stop = n - shift;
		*start = *stop > c->width ? *stop - c->width : 0;
	}
	else
	{
		*start = shift;
		*stop = n - shift > c->width ? shift + c->width : n;
	}
}

/*
 * One window
 */

static size_t
window_length(const encoding_job *job, const size_t *index)
{
	size_t		length = 0;
	int			text;

	for (text = 0; text < (job->pair ? 2 : 1); text++)
	{
		size_t		start;
		size_t		stop;

		get_range(&job->cuts[text], index[text], &start, &stop);
		length += stop - start;
	}
	if (job->options->add_special_tokens)
		length += job->pair ? job->tokenizer->template_pair :
			job->tokenizer->template_single;
	return length;
}

static bool
allocate_window(encoding_job *job, size_t length, mb_encoding *window)
{
	size_t		bytes;
	char	   *memory;

	/* five arrays of 4 bytes and three of 1 */
	if (!mb_size_multiply(length, 5 * sizeof(int32_t) + 3, &bytes))
		return false;
	memory = mb_arena_alloc(job->arena, bytes, 1);
	if (memory == NULL)
		return false;
	window->length = length;
	window->ids = (int32_t *) memory;
	window->types = window->ids + length;
	window->starts = window->types + length;
	window->ends = window->starts + length;
	window->words = window->ends + length;
	window->sequences = (int8_t *) (window->words + length);
	window->special = (uint8_t *) window->sequences + length;
	window->mask = window->special + length;
	return true;
}

/* A token of the template or padding: no offsets, word or sequence. */
static void
put_special(mb_encoding *window, size_t at, int32_t id, int32_t type,
			uint8_t mask)
{
	window->ids[at] = id;
	window->types[at] = type;
	window->starts[at] = 0;
	window->ends[at] = 0;
	window->words[at] = -1;
	window->sequences[at] = -1;
	window->special[at] = 1;
	window->mask[at] = mask;
}

/* n pieces of a text. */
static void
put_pieces(const mb_pieces *pieces, size_t start, size_t n,
		   mb_encoding *window, size_t at, int text, int32_t type)
{
	size_t		i;

	memcpy(window->ids + at, pieces->ids + start, n * sizeof(int32_t));
	memcpy(window->starts + at, pieces->starts + start, n * sizeof(int32_t));
	memcpy(window->ends + at, pieces->ends + start, n * sizeof(int32_t));
	memcpy(window->words + at, pieces->words + start, n * sizeof(int32_t));
	for (i = at; i < at + n; i++)
		window->types[i] = type;
	memset(window->sequences + at, text, n);
	memset(window->special + at, 0, n);
	memset(window->mask + at, 1, n);
}

/*
 * A range of a text; *at moves past it.  Upstream gives the type id of the
 * template to the first range only, and leaves overflow ranges with 0 for the
 * first text and 1 for the second; with BERT's template that is the same.
 */
static mb_status
put_sequence(const encoding_job *job, mb_encoding *window, size_t *at,
			 int text, size_t index, int32_t type)
{
	bool		later = index > 0 || job->options->later[text];
	mb_status	status = MB_OK;
	size_t		start;
	size_t		stop;

	get_range(&job->cuts[text], index, &start, &stop);
	while (start < stop && status == MB_OK)
	{
		size_t		n = stop - start > POLL_TOKENS ? POLL_TOKENS : stop - start;

		put_pieces(job->cuts[text].pieces, start, n, window, *at, text,
				   job->tokenizer->no_types ? 0 : later ? text : type);
		*at += n;
		start += n;
		if (start < stop)
			status = mb_poll_cancel(job->cancel, "tokenizing", job->err);
	}
	return status;
}

static mb_status
put_padding(const encoding_job *job, mb_encoding *window, size_t at, size_t n)
{
	mb_status	status = MB_OK;
	size_t		i;

	for (i = 0; i < n && status == MB_OK; i++)
	{
		put_special(window, at + i, job->tokenizer->pad_id,
					job->tokenizer->pad_type_id, 0);
		if ((i + 1) % POLL_TOKENS == 0)
			status = mb_poll_cancel(job->cancel, "tokenizing", job->err);
	}
	return status;
}

/* index[i]: which range of text i. */
static mb_status
build_window(encoding_job *job, const size_t *index, mb_encoding *window)
{
	size_t		length = window_length(job, index);
	size_t		total = length < job->target ? job->target : length;
	size_t		padding = total - length;
	size_t		at = job->options->pad_left ? padding : 0;
	mb_status	status = MB_OK;
	uint32_t	i;

	if (!allocate_window(job, total, window))
		return mb_fail_memory(job->err);
	for (i = 0; i < job->template_count && status == MB_OK; i++)
	{
		const mb_template_piece *piece = &job->template[i];

		if (piece->kind == MB_TEMPLATE_FIRST)
			status = put_sequence(job, window, &at, 0, index[0], piece->type);
		else if (piece->kind == MB_TEMPLATE_SECOND)
			status = put_sequence(job, window, &at, 1, index[1], piece->type);
		else if (job->options->add_special_tokens)
			put_special(window, at++, piece->id,
						job->tokenizer->no_types ? 0 : piece->type, 1);
	}
	if (status != MB_OK)
		return status;
	return put_padding(job, window, job->options->pad_left ? 0 : length,
					   padding);
}

/*
 * All windows
 */

/* The text that comes first in the template (B may come before A). */
static int
outer_text(const encoding_job *job)
{
	uint32_t	i;

	for (i = 0; i < job->template_count; i++)
	{
		if (job->template[i].kind == MB_TEMPLATE_FIRST)
			return 0;
		if (job->template[i].kind == MB_TEMPLATE_SECOND)
			return 1;
	}
	return 0;
}

/*
 * Order of windows (6.3): the result first; then for each further range of the
 * outer text all ranges of the inner one; then the outer text's first range
 * with the further ranges of the inner one.
 */
static void
choose_ranges(const encoding_job *job, size_t number, size_t *index)
{
	int			outer = job->pair ? outer_text(job) : 0;
	size_t		inner_ranges = job->pair ? job->cuts[1 - outer].ranges : 1;
	size_t		outer_ranges = job->cuts[outer].ranges;

	index[0] = 0;
	index[1] = 0;
	if (number == 0)
		return;
	number--;
	if (number / inner_ranges < outer_ranges - 1)
	{
		index[outer] = 1 + number / inner_ranges;
		index[1 - outer] = number % inner_ranges;
	}
	else
		index[1 - outer] = 1 + number - (outer_ranges - 1) * inner_ranges;
}

static mb_status
plan_padding(encoding_job *job)
{
	const mb_encode_options *options = job->options;
	const size_t first[2] = {0, 0};
	size_t		multiple = options->pad_to_multiple_of;

	job->target = 0;
	if (options->padding == MB_PAD_LONGEST)
		job->target = window_length(job, first);
	else if (options->padding == MB_PAD_MAX_LENGTH &&
			 options->max_length != SIZE_MAX)
		job->target = options->max_length;
	else
		return MB_OK;
	if (multiple > 1 && job->target % multiple != 0 &&
		!mb_size_add(job->target, multiple - job->target % multiple,
					 &job->target))
		return mb_fail(job->err, MB_ERR_LIMIT, "length to pad to is too large");
	if (job->target > INT32_MAX)
		return mb_fail(job->err, MB_ERR_LIMIT, "length to pad to is too large");
	return MB_OK;
}

static mb_status
build_windows(encoding_job *job, mb_encoding **windows, size_t *count)
{
	size_t		total = job->cuts[0].ranges;
	size_t		i;

	if (job->pair &&
		!mb_size_multiply(total, job->cuts[1].ranges, &total))
		return mb_fail(job->err, MB_ERR_LIMIT, "too many windows");
	if (!job->options->overflow)
		total = 1;
	*windows = mb_arena_alloc(job->arena, total, sizeof(mb_encoding));
	if (*windows == NULL)
		return mb_fail_memory(job->err);
	*count = total;
	for (i = 0; i < total; i++)
	{
		size_t		index[2];
		mb_status	status;

		status = mb_poll_cancel(job->cancel, "tokenizing", job->err);
		if (status != MB_OK)
			return status;
		choose_ranges(job, i, index);
		status = build_window(job, index, &(*windows)[i]);
		if (status != MB_OK)
			return status;
	}
	return MB_OK;
}

mb_status
mb_encode(const mb_tokenizer *tokenizer, const mb_pieces *first,
		  const mb_pieces *second, const mb_encode_options *options,
		  mb_arena *arena, const mb_cancel *cancel, mb_encoding **windows,
		  size_t *count, size_t *dropped, mb_error *err)
{
	const mb_pieces *texts[2] = {first, second};
	encoding_job job;
	size_t		n[2];
	size_t		keep[2];
	mb_status	status;
	int			i;

	memset(&job, 0, sizeof(job));
	mb_blob_view(tokenizer, &job.blob);
	job.tokenizer = tokenizer;
	job.options = options;
	job.pair = second != NULL;
	job.template = job.pair ? job.blob.pair : job.blob.single;
	job.template_count = job.pair ? job.blob.pair_count :
		job.blob.single_count;
	job.arena = arena;
	job.cancel = cancel;
	job.err = err;

	n[0] = first->count;
	n[1] = job.pair ? second->count : 0;
	status = check_options(tokenizer, options, err);
	if (status == MB_OK)
		status = count_kept(&job, n, keep);
	for (i = 0; i < (job.pair ? 2 : 1) && status == MB_OK; i++)
		status = plan_cut(options, texts[i], keep[i], &job.cuts[i], err);
	if (status == MB_OK)
		status = plan_padding(&job);
	if (status != MB_OK)
		return status;
	if (dropped != NULL)
		*dropped = (n[0] - job.cuts[0].width) +
			(job.pair ? n[1] - job.cuts[1].width : 0);
	return build_windows(&job, windows, count);
}
