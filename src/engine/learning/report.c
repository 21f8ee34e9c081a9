/*-------------------------------------------------------------------------
 *
 * report.c
 *	  Counts of labels, and the report that follows from them.
 *
 * Source: precision_recall_fscore_support and classification_report of
 * scikit-learn 1.9, with zero_division = 0.
 *
 * Depends on learning/report.h.
 *
 *-------------------------------------------------------------------------
 */
#include "learning/report.h"

#include <string.h>

#define FIRST_LABELS 16

/* Comparisons between two looks for a cancel, in the order of lines */
#define POLL_LABELS 4096

void
mb_report_begin(mb_report *report, mb_arena *arena)
{
	memset(report, 0, sizeof(*report));
	report->arena = arena;
}

static uint64_t
hash_name(const char *name, size_t length)
{
	uint64_t	hash = UINT64_C(0xCBF29CE484222325);
	size_t		i;

	for (i = 0; i < length; i++)
		hash = (hash ^ (unsigned char) name[i]) * UINT64_C(0x100000001B3);
	return hash ^ hash >> 32;
}

/* The slot of a name: its own, or the free one where it belongs */
static uint32_t *
find_slot(const mb_report *report, const char *name, size_t length)
{
	size_t		slot = hash_name(name, length) & (report->slot_count - 1);

	while (report->slots[slot] != 0)
	{
		const mb_report_count *count = &report->counts[report->slots[slot] - 1];

		if (count->length == length && memcmp(count->name, name, length) == 0)
			break;
		slot = (slot + 1) & (report->slot_count - 1);
	}
	return &report->slots[slot];
}

/* Room for one more label, and for twice as many slots as labels */
static mb_status
grow(mb_report *report, mb_error *err)
{
	size_t		capacity = report->capacity == 0 ? FIRST_LABELS :
		report->capacity * 2;
	mb_report_count *counts;
	uint32_t   *slots;
	size_t		i;

	if (report->labels < report->capacity)
		return MB_OK;
	if (capacity > UINT32_MAX / 4)
		return mb_fail_memory(err);
	counts = mb_arena_alloc(report->arena, capacity, sizeof(*counts));
	slots = mb_arena_zero(report->arena, capacity * 2, sizeof(*slots));
	if (counts == NULL || slots == NULL)
		return mb_fail_memory(err);
	if (report->labels > 0)
		memcpy(counts, report->counts, report->labels * sizeof(*counts));
	report->counts = counts;
	report->capacity = capacity;
	report->slots = slots;
	report->slot_count = capacity * 2;
	for (i = 0; i < report->labels; i++)
		*find_slot(report, counts[i].name, counts[i].length) =
			(uint32_t) (i + 1);
	return MB_OK;
}

/* The number of a label, which is made if it is not there. */
static mb_status
find_label(mb_report *report, const char *name, size_t length,
		   size_t *label, mb_error *err)
{
	uint32_t   *slot;
	mb_report_count *count;
	mb_status	status = grow(report, err);

	if (status != MB_OK)
		return status;
	slot = find_slot(report, name, length);
	if (*slot == 0)
	{
		count = &report->counts[report->labels];
		memset(count, 0, sizeof(*count));
		count->name = mb_arena_copy(report->arena, name, length);
		if (count->name == NULL)
			return mb_fail_memory(err);
		count->length = length;
		*slot = (uint32_t) ++report->labels;
	}
	*label = *slot - 1;
	return MB_OK;
}

mb_status
mb_report_add(mb_report *report, const char *actual, size_t actual_length,
			  const char *predicted, size_t predicted_length, mb_error *err)
{
	size_t		is;
	size_t		said;
	mb_status	status = find_label(report, actual, actual_length, &is, err);

	if (status == MB_OK && predicted != NULL)
		status = find_label(report, predicted, predicted_length, &said, err);
	if (status != MB_OK)
		return status;
	report->counts[is].support++;
	if (predicted != NULL)
	{
		report->counts[said].predicted++;
		report->counts[is].correct += is == said;
	}
	return MB_OK;
}

mb_status
mb_report_combine(mb_report *report, const mb_report_count *part,
				  mb_error *err)
{
	mb_report_count *count;
	size_t		label;
	mb_status	status;

	if (part->correct > part->support || part->correct > part->predicted)
		return mb_fail(err, MB_ERR_DATA, "counts of a report are malformed");
	status = find_label(report, part->name, part->length, &label, err);
	if (status != MB_OK)
		return status;
	count = &report->counts[label];
	if (__builtin_add_overflow(count->support, part->support,
							   &count->support) ||
		__builtin_add_overflow(count->predicted, part->predicted,
							   &count->predicted))
		return mb_fail(err, MB_ERR_DATA, "counts of a report are malformed");
	count->correct += part->correct;
	return MB_OK;
}

static double
ratio(double part, double whole)
{
	return whole > 0 ? part / whole : 0;
}

static void
fill_line(mb_report_line *line, const mb_report_count *count)
{
	double		support = (double) count->support;
	double		predicted = (double) count->predicted;
	double		correct = (double) count->correct;

	line->name = count->name;
	line->length = count->length;
	line->precision = ratio(correct, predicted);
	line->recall = ratio(correct, support);
	line->f1 = ratio(2 * correct, support + predicted);
	line->support = count->support;
	line->predicted = count->predicted;
}

static bool
is_before(const mb_report_line *a, const mb_report_line *b)
{
	size_t		shared = a->length < b->length ? a->length : b->length;
	int			order = shared == 0 ? 0 : memcmp(a->name, b->name, shared);

	return order != 0 ? order < 0 : a->length < b->length;
}

/* lines [count] by name; spare [count] */
static mb_status
sort_lines(mb_report_line *lines, mb_report_line *spare, size_t count,
		   const mb_cancel *cancel, mb_error *err)
{
	size_t		run;
	size_t		i;

	for (run = 1; run < count; run *= 2)
	{
		size_t		start;

		for (start = 0; start < count; start += 2 * run)
		{
			size_t		middle = start + run < count ? start + run : count;
			size_t		end = middle + run < count ? middle + run : count;
			size_t		left = start;
			size_t		right = middle;

			for (i = start; i < end; i++)
			{
				if (i % POLL_LABELS == 0 && mb_cancelled(cancel))
					return mb_fail_cancelled(err, NULL);
				if (left < middle &&
					(right == end || !is_before(&lines[right], &lines[left])))
					spare[i] = lines[left++];
				else
					spare[i] = lines[right++];
			}
		}
		memcpy(lines, spare, count * sizeof(*lines));
	}
	return MB_OK;
}

/* The three lines of all labels, from theirs */
static void
fill_extra(mb_report_line *lines, size_t labels, uint64_t correct)
{
	mb_report_line *extra = lines + labels;
	double		accuracy;
	double		weight;
	size_t		i;

	memset(extra, 0, MB_REPORT_EXTRA * sizeof(*extra));
	for (i = 0; i < labels; i++)
	{
		extra[0].support += lines[i].support;
		extra[0].predicted += lines[i].predicted;
	}
	for (i = 1; i < MB_REPORT_EXTRA; i++)
	{
		extra[i].support = extra[0].support;
		extra[i].predicted = extra[0].predicted;
	}
	accuracy = ratio((double) correct, (double) extra[0].support);
	extra[MB_REPORT_ACCURACY].precision = accuracy;
	extra[MB_REPORT_ACCURACY].recall = accuracy;
	extra[MB_REPORT_ACCURACY].f1 = accuracy;
	for (i = 0; i < labels; i++)
	{
		mb_report_line *macro = &extra[MB_REPORT_MACRO];
		mb_report_line *weighted = &extra[MB_REPORT_WEIGHTED];

		macro->precision += lines[i].precision;
		macro->recall += lines[i].recall;
		macro->f1 += lines[i].f1;
		weight = (double) lines[i].support;
		weighted->precision += lines[i].precision * weight;
		weighted->recall += lines[i].recall * weight;
		weighted->f1 += lines[i].f1 * weight;
	}
	for (i = MB_REPORT_MACRO; i <= MB_REPORT_WEIGHTED; i++)
	{
		weight = i == MB_REPORT_MACRO ? (double) labels :
			(double) extra[0].support;
		extra[i].precision = ratio(extra[i].precision, weight);
		extra[i].recall = ratio(extra[i].recall, weight);
		extra[i].f1 = ratio(extra[i].f1, weight);
	}
}

mb_status
mb_report_lines(mb_report *report, mb_report_line **lines, size_t *count,
				const mb_cancel *cancel, mb_error *err)
{
	mb_report_line *spare;
	uint64_t	correct = 0;
	mb_status	status;
	size_t		i;

	*lines = NULL;
	*count = 0;
	if (report->labels == 0)
		return MB_OK;
	*lines = mb_arena_alloc(report->arena, report->labels + MB_REPORT_EXTRA,
							sizeof(**lines));
	spare = mb_arena_alloc(report->arena, report->labels, sizeof(*spare));
	if (*lines == NULL || spare == NULL)
		return mb_fail_memory(err);
	for (i = 0; i < report->labels; i++)
	{
		fill_line(*lines + i, &report->counts[i]);
		correct += report->counts[i].correct;
	}
	status = sort_lines(*lines, spare, report->labels, cancel, err);
	if (status != MB_OK)
		return status;
	fill_extra(*lines, report->labels, correct);
	*count = report->labels + MB_REPORT_EXTRA;
	return MB_OK;
}
