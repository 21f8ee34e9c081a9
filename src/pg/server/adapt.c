/*-------------------------------------------------------------------------
 *
 * adapt.c
 *	  Between the engine and the server: errors, memory, cancel, encodings.
 *
 * The engine returns a status and fills an mb_error; here it becomes
 * ereport().  The engine asks for memory; here it comes from a memory context
 * and goes with it.  The engine reads UTF-8 and counts code points; here texts
 * are converted from the database encoding, and offsets are counted in its
 * characters.
 *
 * In SQL_ASCII the server does not know what its bytes mean: a character is a
 * byte there (as for length() and substring()), and the bytes must be UTF-8.
 *
 * A text can have a gigabyte, so loops over one let a cancel in.  The server's
 * own conversion, where the encoding is not UTF-8, cannot be interrupted.
 *
 * Depends on server/pg.h, server/guc.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/guc.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* What ended the engine's work, on its way from cancel to raise. */
static ErrorData *interrupt = NULL;

/* Beside its passes a call may keep so much, whatever the limit. */
#define MEMORY_FLOOR ((size_t) 4 * 1024 * 1024)

/* Did the server have no memory for the engine's last request? */
static bool memory_refused = false;

/* Characters between two entries of a table of places. */
#define PLACE_STEP 64

/* Bytes of simple work between two looks for a cancel. */
#define POLL_BYTES ((size_t) 1024 * 1024)

/*
 * Errors
 */

static int
sqlstate_of(mb_status status)
{
	switch (status)
	{
		case MB_OK:
			break;
		case MB_ERR_ARGUMENT:
			return ERRCODE_INVALID_PARAMETER_VALUE;
		case MB_ERR_DATA:
			return ERRCODE_DATA_EXCEPTION;
		case MB_ERR_UNSUPPORTED:
			return ERRCODE_FEATURE_NOT_SUPPORTED;
		case MB_ERR_LIMIT:
			return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
		case MB_ERR_MEMORY:
			return ERRCODE_OUT_OF_MEMORY;
		case MB_ERR_CANCELLED:
			return ERRCODE_QUERY_CANCELED;
		case MB_ERR_IO:
			return ERRCODE_IO_ERROR;
	}
	return ERRCODE_INTERNAL_ERROR;
}

void
mobilebert_raise(const mb_error *err)
{
	/* The server's own message is the better one: it tells the reason. */
	if (err->status == MB_ERR_CANCELLED && interrupt != NULL)
	{
		ErrorData  *error = interrupt;

		interrupt = NULL;
		ReThrowError(error);
	}

	/* The server had it, so an arena's limit forbade it. */
	if (err->status == MB_ERR_MEMORY && !memory_refused)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("call needs more memory than mobilebert.memory_limit, %d kB",
						mobilebert_memory_limit),
				 errhint("Raise mobilebert.memory_limit, or give less text at a time.")));

	ereport(ERROR,
			(errcode(sqlstate_of(err->status)),
			 errmsg_internal("%s", mobilebert_message(err->message)),
			 err->detail[0] == '\0' ? 0 :
			 errdetail_internal("%s", mobilebert_message(err->detail)),
			 err->hint[0] == '\0' ? 0 :
			 errhint("%s", mobilebert_message(err->hint))));
}

/*
 * Memory and cancel
 */

static void *
context_alloc(void *context, size_t size)
{
	MemoryContext target = context;
	void	   *result = NULL;

	if (target == NULL)
		target = CurrentMemoryContext;

	/* Beyond that even a huge allocation is an ERROR, which would jump. */
	if (AllocHugeSizeIsValid(size))
		result = MemoryContextAllocExtended(target, Max(size, 1),
											MCXT_ALLOC_HUGE |
											MCXT_ALLOC_NO_OOM);
	memory_refused = result == NULL;
	return result;
}

static void
context_release(void *context, void *pointer)
{
	(void) context;
	if (pointer != NULL)
		pfree(pointer);
}

mb_memory
mobilebert_memory(MemoryContext context)
{
	mb_memory	memory;

	memory.alloc = context_alloc;
	memory.release = context_release;
	memory.context = context;
	return memory;
}

/* What is kept beside a pass; a very low limit is meant for the pass. */
static size_t
memory_limit(void)
{
	return Max((size_t) mobilebert_memory_limit * 1024, MEMORY_FLOOR);
}

MemoryContext
mobilebert_aggregate_context(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "aggregate function called in non-aggregate context");
	return context;
}

void
mobilebert_memory_check(const char *what, size_t size)
{
	if (size > memory_limit())
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("%s would take %zu kB of memory, but mobilebert.memory_limit is %d kB",
						what, size / 1024 + (size % 1024 != 0),
						mobilebert_memory_limit),
				 errhint("Raise mobilebert.memory_limit, or give less text at a time.")));
}

void
mobilebert_arena_init(mb_arena *arena, const mb_memory *memory)
{
	/* what is refused by it was not refused by the server */
	memory_refused = false;
	mb_arena_init(arena, memory, memory_limit());
}

void *
mobilebert_allocate(size_t count, size_t size)
{
	size_t		bytes;

	if (!mb_size_multiply(Max(count, 1), size, &bytes))
		bytes = SIZE_MAX;
	mobilebert_memory_check("call", bytes);
	return MemoryContextAllocHuge(CurrentMemoryContext, bytes);
}

/*
 * Serve whatever interrupt waits: a cancel, a time-out, a recovery conflict, a
 * barrier.  One that ends the statement is an ERROR, which must not jump over
 * the engine's frames: it is caught here, the engine returns that it was
 * cancelled, and mobilebert_raise() throws it again.
 */
static bool
cancel_requested(void *context)
{
	MemoryContext caller = CurrentMemoryContext;
	volatile bool cancelled = false;

	(void) context;
	if (likely(!InterruptPending))
		return false;
	interrupt = NULL;
	PG_TRY();
	{
		CHECK_FOR_INTERRUPTS();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		interrupt = CopyErrorData();
		FlushErrorState();
		cancelled = true;
	}
	PG_END_TRY();
	return cancelled;
}

const mb_cancel mobilebert_cancel = {cancel_requested, NULL};

/*
 * Encodings
 */

static bool
is_ascii(const char *s, size_t length)
{
	size_t		i = 0;
	unsigned char bits = 0;

	while (i < length)
	{
		size_t		stop = Min(length, i + POLL_BYTES);

		for (; i < stop; i++)
			bits |= (unsigned char) s[i];
		if (i < length)
			CHECK_FOR_INTERRUPTS();
	}
	return (bits & 0x80) == 0;
}

bool
mobilebert_same_value(const void *a, const void *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
		memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
}

void
mobilebert_copy(char *to, const char *from, size_t length)
{
	size_t		at;

	for (at = 0; at < length; at += POLL_BYTES)
	{
		CHECK_FOR_INTERRUPTS();
		memcpy(to + at, from + at, Min(length - at, POLL_BYTES));
	}
}

void
mobilebert_list_name(StringInfo list, const char *name)
{
	appendStringInfo(list, "%s\"%s\"", list->len > 0 ? ", " : "", name);
}

/* A zero-terminated copy. */
static char *
copy_bytes(const char *s, size_t length)
{
	char	   *copy = palloc(length + 1);

	mobilebert_copy(copy, s, length);
	copy[length] = '\0';
	return copy;
}

static size_t
count_code_points(const char *utf8, size_t length)
{
	size_t		i = 0;
	size_t		count = 0;

	while (i < length)
	{
		size_t		stop = Min(length, i + POLL_BYTES);

		for (; i < stop; i++)
			count += ((unsigned char) utf8[i] & 0xC0) != 0x80;
		if (i < length)
			CHECK_FOR_INTERRUPTS();
	}
	return count;
}

/* Bytes of the character at s, in the database encoding, at most rest. */
static size_t
character_length(const char *s, size_t rest)
{
	size_t		length = (size_t) pg_encoding_mblen(GetDatabaseEncoding(), s);

	return Min(length, rest);
}

/* Characters of a string in the database encoding. */
static size_t
count_characters(const char *s, size_t length)
{
	size_t		count = 0;
	size_t		at;

	if (pg_database_encoding_max_length() == 1)
		return length;
	for (at = 0; at < length; at += character_length(s + at, length - at))
	{
		count++;
		CHECK_FOR_INTERRUPTS();
	}
	return count;
}

/* The byte offset of the count'th character from the one at "at" on. */
static size_t
skip_characters(const MobilebertText *t, size_t at, int32 count)
{
	if (pg_database_encoding_max_length() == 1)
		return Min(at + (size_t) Max(count, 0), t->original_length);
	for (; count > 0 && at < t->original_length; count--)
	{
		at += character_length(t->original + at, t->original_length - at);
		CHECK_FOR_INTERRUPTS();
	}
	return at;
}

/*
 * Fill offsets[code point] = character, and one entry more for the end.  Each
 * character is converted alone, so that a character which becomes several code
 * points gets all of them.
 */
static void
offsets_build(MobilebertText *t, size_t characters)
{
	int			encoding = GetDatabaseEncoding();
	size_t		code_points = count_code_points(t->utf8, t->length);
	size_t		at = 0;
	size_t		done = 0;
	size_t		i;

	t->offsets_length = code_points + 1;
	t->offsets = mobilebert_allocate(t->offsets_length, sizeof(int32));

	if (encoding == PG_SQL_ASCII)
	{
		/* the original is UTF-8 and its characters are bytes */
		for (i = 0; i < t->length; i++)
		{
			if (((unsigned char) t->utf8[i] & 0xC0) != 0x80)
				t->offsets[done++] = (int32) i;
			CHECK_FOR_INTERRUPTS();
		}
		t->offsets[done] = (int32) t->length;
		return;
	}

	for (i = 0; i < characters; i++)
	{
		const char *c = t->original + at;
		size_t		length = character_length(c, t->original_length - at);
		size_t		points = 1;

		if (IS_HIGHBIT_SET(*c))
		{
			char	   *one = (char *)
				pg_do_encoding_conversion((unsigned char *) c, (int) length,
										  encoding, PG_UTF8);

			points = count_code_points(one, strlen(one));
			if (one != c)
				pfree(one);
		}
		while (points-- > 0 && done < code_points)
			t->offsets[done++] = (int32) i;
		at += length;
		CHECK_FOR_INTERRUPTS();
	}
	while (done <= code_points)
		t->offsets[done++] = (int32) characters;
}

void
mobilebert_text_read(text *value, MobilebertText *result)
{
	int			encoding = GetDatabaseEncoding();
	const char *original = VARDATA_ANY(value);
	size_t		length = VARSIZE_ANY_EXHDR(value);
	char	   *utf8;
	size_t		characters;

	result->original = original;
	result->original_length = length;
	result->offsets = NULL;
	result->offsets_length = 0;
	mobilebert_memory_check("text", length + 1);

	/*
	 * Plain ASCII means the same in every server encoding.  In UTF-8 the
	 * server has checked the text when it came in; the engine checks again.
	 */
	if (encoding == PG_UTF8 || is_ascii(original, length))
	{
		result->utf8 = copy_bytes(original, length);
		result->length = length;
		return;
	}

	utf8 = (char *) pg_do_encoding_conversion((unsigned char *) original,
											  (int) length, encoding, PG_UTF8);
	if (utf8 == original)
		utf8 = copy_bytes(original, length);	/* SQL_ASCII: checked only */
	result->utf8 = utf8;
	result->length = strlen(utf8);

	characters = count_characters(original, length);
	if (characters != count_code_points(utf8, result->length))
		offsets_build(result, characters);
}

int32
mobilebert_text_length(const MobilebertText *t)
{
	if (t->offsets == NULL)		/* characters are code points */
		return (int32) count_code_points(t->utf8, t->length);
	return t->offsets[t->offsets_length - 1];
}

void
mobilebert_text_free(MobilebertText *t)
{
	if (t->offsets != NULL)
		pfree(t->offsets);
	pfree((char *) t->utf8);
}

void
mobilebert_text_slices(const MobilebertText *t, const int32 *starts,
					   const int32 *ends, int count, Datum *slices)
{
	size_t		at = 0;			/* byte offset of character "done" */
	size_t		bytes = 0;		/* of the slices; they may overlap */
	int32		done = 0;
	int			i;

	for (i = 0; i < count; i++)
	{
		size_t		end;

		at = skip_characters(t, at, starts[i] - done);
		done = starts[i];
		end = skip_characters(t, at, ends[i] - done);
		bytes += VARHDRSZ + end - at;
		mobilebert_memory_check("parts of the text", bytes);
		slices[i] = PointerGetDatum(cstring_to_text_with_len(t->original + at,
															 (int) (end - at)));
		CHECK_FOR_INTERRUPTS();
	}
}

const uint32 *
mobilebert_text_places(const MobilebertText *t)
{
	size_t		count = (size_t) mobilebert_text_length(t) / PLACE_STEP + 1;
	uint32	   *places = mobilebert_allocate(count, sizeof(uint32));
	size_t		at = 0;
	size_t		i;

	for (i = 0; i < count; i++)
	{
		places[i] = (uint32) at;
		at = skip_characters(t, at, PLACE_STEP);
	}
	return places;
}

size_t
mobilebert_text_place(const MobilebertText *t, const uint32 *places,
					  int32 character)
{
	return skip_characters(t, places[character / PLACE_STEP],
						   character % PLACE_STEP);
}

text *
mobilebert_text_make(const char *utf8, size_t length)
{
	char	   *converted;
	text	   *result;

	if (length > MaxAllocSize - VARHDRSZ - 1)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("text of %zu bytes is too long", length)));

	converted = pg_any_to_server(utf8, (int) length, PG_UTF8);
	if (converted == utf8)
		return cstring_to_text_with_len(utf8, (int) length);
	result = cstring_to_text(converted);
	pfree(converted);
	return result;
}

char *
mobilebert_message(const char *utf8)
{
	int			encoding = GetDatabaseEncoding();
	size_t		length = strlen(utf8);
	size_t		at = 0;
	size_t		room;
	Oid			conversion = InvalidOid;
	char	   *result;
	char	   *target;

	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII ||
		is_ascii(utf8, length))
		return pstrdup(utf8);

	if (IsTransactionState())
		conversion = FindDefaultConversionProc(PG_UTF8, encoding);

	room = length * MAX_CONVERSION_GROWTH + 1;
	result = palloc(room);
	target = result;
	while (at < length)
	{
		const char *c = utf8 + at;
		int			bytes = pg_utf_mblen((const unsigned char *) c);

		bytes = Min(bytes, (int) (length - at));
		if (!IS_HIGHBIT_SET(*c))
			*target++ = *c;
		else if (OidIsValid(conversion) &&
				 pg_do_encoding_conversion_buf(conversion, PG_UTF8, encoding,
											   (unsigned char *) c, bytes,
											   (unsigned char *) target,
											   (int) (result + room - target),
											   true) == bytes)
			target += strlen(target);
		else
			*target++ = '?';
		at += bytes;
	}
	*target = '\0';
	return result;
}

char *
mobilebert_utf8_cstring(text *value)
{
	MobilebertText t;

	mobilebert_text_read(value, &t);
	if (t.offsets != NULL)
		pfree(t.offsets);
	return (char *) t.utf8;
}
