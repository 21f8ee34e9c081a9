/*-------------------------------------------------------------------------
 *
 * adapt.h
 *	  Between the engine and the server: errors, memory, cancel, encodings.
 *
 * Depends on server/pg.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_ADAPT_H
#define MOBILEBERT_ADAPT_H

#include "server/pg.h"

#include "lib/stringinfo.h"

/* Raise err as an ERROR with the fitting SQLSTATE. */
pg_noreturn extern void mobilebert_raise(const mb_error *err);

static inline void
mobilebert_check(mb_status status, const mb_error *err)
{
	if (status != MB_OK)
		mobilebert_raise(err);
}

/*
 * ENGINE_CALL(function, arguments ...): calls a function of the engine, which
 * returns a status and has the error as its last argument, and raises that.
 */
#define ENGINE_CALL(function, ...) \
	do { \
		mb_error	engine_error; \
		\
		mobilebert_check(function(__VA_ARGS__, &engine_error), &engine_error); \
	} while (0)

/* Memory of a context (NULL context: the one current at each call). */
extern mb_memory mobilebert_memory(MemoryContext context);

/* The memory context of an aggregate's state; an error outside of one. */
extern MemoryContext mobilebert_aggregate_context(FunctionCallInfo fcinfo);

/*
 * mobilebert.memory_limit, or 4 MB where that is more, bounds whatever a user
 * decides the size of: an error before "what" is made (a word for the message)
 * when it takes more; an arena that refuses beyond it; and room for count
 * objects, at least one, in the current context.
 */
extern void mobilebert_memory_check(const char *what, size_t size);
extern void mobilebert_arena_init(mb_arena *arena, const mb_memory *memory);
extern void *mobilebert_allocate(size_t count, size_t size);

/* Serves interrupts; true when one ends the statement (mobilebert_raise). */
extern const mb_cancel mobilebert_cancel;

/*
 * A text value as UTF-8, with what is needed to give offsets back in
 * characters of the database encoding.
 */
typedef struct MobilebertText
{
	const char *utf8;			/* zero-terminated */
	size_t		length;			/* bytes of utf8 */
	const char *original;		/* bytes in the database encoding */
	size_t		original_length;
	int32	   *offsets;		/* code point -> character of the original;
								 * NULL when they are the same */
	size_t		offsets_length; /* code points + 1 */
} MobilebertText;

extern void mobilebert_text_read(text *value, MobilebertText *result);
extern void mobilebert_text_free(MobilebertText *t);

/* Its length in characters of the original. */
extern int32 mobilebert_text_length(const MobilebertText *t);

/* Offset in code points -> offset in characters of the original. */
static inline int32
mobilebert_text_offset(const MobilebertText *t, int32 code_points)
{
	if (t->offsets == NULL)
		return code_points;
	if ((size_t) code_points >= t->offsets_length)
		return t->offsets[t->offsets_length - 1];
	return t->offsets[code_points];
}

/* The same for an end: one within a character is the character's end. */
static inline int32
mobilebert_text_end(const MobilebertText *t, int32 code_points)
{
	int32		end = mobilebert_text_offset(t, code_points);

	if (code_points > 0 && t->offsets != NULL &&
		mobilebert_text_offset(t, code_points - 1) == end)
		end++;
	return end;
}

/*
 * The slices [starts[i], ends[i]) in characters of the original as text
 * datums; starts must not decrease, for the text is read once.
 */
extern void mobilebert_text_slices(const MobilebertText *t, const int32 *starts,
								   const int32 *ends, int count, Datum *slices);

/*
 * Where characters of the original begin, for those who ask in any order: a
 * table made once, and the byte of a character, or of the end.
 */
extern const uint32 *mobilebert_text_places(const MobilebertText *t);
extern size_t mobilebert_text_place(const MobilebertText *t,
									const uint32 *places, int32 character);

/* Have two values of varying length the same bytes, or are both NULL? */
extern bool mobilebert_same_value(const void *a, const void *b);

/* memcpy of what may be large: it lets a cancel in. */
extern void mobilebert_copy(char *to, const char *from, size_t length);

/* Append one more name to a list for a message: "a", "b" */
extern void mobilebert_list_name(StringInfo list, const char *name);

/* UTF-8 from the engine -> text in the database encoding. */
extern text *mobilebert_text_make(const char *utf8, size_t length);

/* The same for messages: what cannot be converted becomes '?'; palloc'd. */
extern char *mobilebert_message(const char *utf8);

/* A C string argument in UTF-8 (palloc'd) from a text datum. */
extern char *mobilebert_utf8_cstring(text *value);

#endif							/* MOBILEBERT_ADAPT_H */
