/*-------------------------------------------------------------------------
 *
 * patterns.c
 *	  Personal data that has a form of its own: the kinds, one after another,
 *	  and their finds in one order.
 *
 * Depends on tasks/patterns/scan.h.
 *
 *-------------------------------------------------------------------------
 */
#include "tasks/patterns/patterns.h"

#include <string.h>

#include "tasks/patterns/scan.h"

/* Finds between two polls of cancel. */
#define POLL_FINDS 4096

static const struct
{
	const char *name;
	mb_status	(*scan) (mb_scan *s);
}			kinds[MB_PATTERN_KINDS] =
{
	[MB_PATTERN_EMAIL] = {"EMAIL", mb_scan_email},
	[MB_PATTERN_URL] = {"URL", mb_scan_url},
	[MB_PATTERN_IP] = {"IP", mb_scan_ip},
	[MB_PATTERN_IBAN] = {"IBAN", mb_scan_iban},
	[MB_PATTERN_CREDIT_CARD] = {"CREDIT_CARD", mb_scan_card},
	[MB_PATTERN_PHONE] = {"PHONE", mb_scan_phone},
	[MB_PATTERN_DATE] = {"DATE", mb_scan_date}
};

const char *
mb_pattern_name(mb_pattern pattern)
{
	return kinds[pattern].name;
}

mb_status
mb_scan_cancelled(mb_scan *s, size_t at)
{
	s->poll = at + MB_SCAN_POLL;
	return mb_poll_cancel(s->cancel, "search for patterns", s->err);
}

mb_status
mb_scan_add(mb_scan *s, size_t start, size_t end)
{
	MB_ASSERT(start < end && end <= s->length);
	MB_ASSERT(s->count == 0 || s->places[s->count - 1].end <= start);
	if (s->count == s->capacity)
	{
		size_t		capacity = s->capacity == 0 ? 16 : s->capacity * 2;
		mb_place   *places = mb_arena_alloc(s->arena, capacity,
											sizeof(mb_place));

		if (places == NULL)
			return mb_fail_memory(s->err);
		if (s->count > 0)
			memcpy(places, s->places, s->count * sizeof(mb_place));
		s->places = places;
		s->capacity = capacity;
	}
	s->places[s->count].start = start;
	s->places[s->count].end = end;
	s->count++;
	return MB_OK;
}

/* Characters in bytes [from, to). */
static mb_status
count_characters(mb_scan *s, size_t from, size_t to, int32_t *count)
{
	size_t		n = 0;

	s->poll = from + MB_SCAN_POLL;
	while (from < to)
	{
		size_t		rest = to - from;
		size_t		bytes = rest < MB_SCAN_POLL ? rest : MB_SCAN_POLL;
		mb_status	status = mb_scan_poll(s, from);

		if (status != MB_OK)
			return status;
		n += mb_utf8_count(s->text + from, bytes);
		from += bytes;
	}
	*count = (int32_t) n;
	return MB_OK;
}

/* The kind whose next find comes first; MB_PATTERN_KINDS: there is none. */
static int
first_of(const mb_scan *scans, const size_t *next)
{
	int			first = MB_PATTERN_KINDS;
	int			i;

	for (i = 0; i < MB_PATTERN_KINDS; i++)
	{
		if (next[i] < scans[i].count &&
			(first == MB_PATTERN_KINDS ||
			 scans[i].places[next[i]].start <
			 scans[first].places[next[first]].start))
			first = i;
	}
	return first;
}

/* The finds of all kinds in one order, in characters. */
static mb_status
merge(mb_scan *scans, mb_matches *found)
{
	size_t		next[MB_PATTERN_KINDS] = {0};
	size_t		at = 0;
	int32_t		character = 0;
	int32_t		count = 0;
	mb_status	status = MB_OK;

	for (found->count = 0; status == MB_OK; found->count++)
	{
		int			kind = first_of(scans, next);
		mb_scan    *s = &scans[kind];
		mb_match   *match = &found->items[found->count];
		const mb_place *place;

		if (kind == MB_PATTERN_KINDS)
			break;
		place = &s->places[next[kind]++];
		status = count_characters(s, at, place->start, &count);
		at = place->start;
		character += count;
		match->start = character;
		if (status == MB_OK)
			status = count_characters(s, place->start, place->end, &count);
		match->end = character + count;
		match->pattern = (mb_pattern) kind;
		if (status == MB_OK && (found->count + 1) % POLL_FINDS == 0)
			status = mb_scan_cancelled(s, at);
	}
	return status;
}

mb_status
mb_patterns_find(const char *text, size_t length, unsigned set,
				 mb_arena *arena, const mb_cancel *cancel, mb_matches *found,
				 mb_error *err)
{
	mb_scan		scans[MB_PATTERN_KINDS];
	size_t		total = 0;
	mb_status	status;
	int			i;

	memset(scans, 0, sizeof(scans));
	memset(found, 0, sizeof(*found));
	for (i = 0; i < MB_PATTERN_KINDS; i++)
	{
		scans[i].text = text;
		scans[i].length = length;
		scans[i].cancel = cancel;
		scans[i].arena = arena;
		scans[i].err = err;
		if ((set & 1u << i) == 0)
			continue;
		status = kinds[i].scan(&scans[i]);
		if (status != MB_OK)
			return status;
		total += scans[i].count;
		found->looks += scans[i].looks;
	}
	MB_ASSERT(found->looks <= MB_PATTERN_LOOKS * (length + 1));
	found->items = mb_arena_alloc(arena, total, sizeof(mb_match));
	if (found->items == NULL)
		return mb_fail_memory(err);
	return merge(scans, found);
}
