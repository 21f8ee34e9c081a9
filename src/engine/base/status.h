/*-------------------------------------------------------------------------
 *
 * status.h
 *	  How engine functions report failure and are cancelled.
 *
 * The engine never exits, never writes to stderr and never jumps: a function
 * that can fail returns an mb_status and, when it is not MB_OK, has filled the
 * caller's mb_error.  The adapter in src/pg turns that into ereport().
 *
 * Depends on libc only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_STATUS_H
#define MB_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define MB_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define MB_PRINTF(fmt, args)
#endif

/*
 * What holds unless the engine itself is wrong; never a check of what a caller
 * or a file gave.  Checked in builds for tests (-DMB_ASSERTIONS), not in the
 * library.
 */
#if defined(MB_ASSERTIONS)
#include <assert.h>
#define MB_ASSERT(condition) assert(condition)
#else
#define MB_ASSERT(condition) ((void) 0)
#endif

typedef enum mb_status
{
	MB_OK = 0,
	MB_ERR_ARGUMENT,			/* the caller passed a value that is not allowed */
	MB_ERR_DATA,				/* a file or stored data is malformed */
	MB_ERR_UNSUPPORTED,			/* well formed, but not something we do */
	MB_ERR_LIMIT,				/* a size is over the engine's or the model's limit */
	MB_ERR_MEMORY,				/* the caller's allocator returned NULL */
	MB_ERR_CANCELLED,			/* mb_cancel said so */
	MB_ERR_IO					/* a callback of the caller failed to read or write */
} mb_status;

/*
 * What went wrong, in the style of PostgreSQL's messages: "message" is lower
 * case without a final period; detail and hint are whole sentences or "".
 * All three are valid UTF-8 and zero-terminated; too long text is cut at a
 * character boundary.
 */
typedef struct mb_error
{
	mb_status	status;
	char		message[512];
	char		detail[512];
	char		hint[256];
} mb_error;

/* Fill err (may be NULL) and return status; clears detail and hint. */
extern mb_status mb_fail(mb_error *err, mb_status status,
						 const char *format,...) MB_PRINTF(3, 4);
extern void mb_detail(mb_error *err, const char *format,...) MB_PRINTF(2, 3);
extern void mb_hint(mb_error *err, const char *format,...) MB_PRINTF(2, 3);

/* An allocation failed: "out of memory". */
extern mb_status mb_fail_memory(mb_error *err);

/* A cancel was requested: "<work> was cancelled", or "cancelled" for NULL. */
extern mb_status mb_fail_cancelled(mb_error *err, const char *work);

/*
 * Polled at least every 50 ms of work; true stops the call, which then returns
 * MB_ERR_CANCELLED.  A NULL mb_cancel pointer, or a NULL function, never stops.
 */
typedef struct mb_cancel
{
	bool		(*requested) (void *context);
	void	   *context;
} mb_cancel;

static inline bool
mb_cancelled(const mb_cancel *cancel)
{
	return cancel != NULL && cancel->requested != NULL &&
		cancel->requested(cancel->context);
}

/* MB_OK, or that the cancel was requested, as mb_fail_cancelled() says it. */
static inline mb_status
mb_poll_cancel(const mb_cancel *cancel, const char *work, mb_error *err)
{
	return mb_cancelled(cancel) ? mb_fail_cancelled(err, work) : MB_OK;
}

#endif							/* MB_STATUS_H */
