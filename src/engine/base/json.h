/*-------------------------------------------------------------------------
 *
 * json.h
 *	  A strict JSON reader (RFC 8259) for configuration, tokenizer and
 *	  safetensors headers.
 *
 * It exists beside the server's jsonb because the engine reads hostile files
 * and is tested and fuzzed without a server.  It keeps what jsonb does not:
 * the order of an object's keys, and repeated keys.
 *
 * Depends on base/arena.h, base/status.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_JSON_H
#define MB_JSON_H

#include "base/arena.h"
#include "base/status.h"

typedef enum mb_json_type
{
	MB_JSON_NULL,
	MB_JSON_FALSE,
	MB_JSON_TRUE,
	MB_JSON_NUMBER,
	MB_JSON_STRING,
	MB_JSON_ARRAY,
	MB_JSON_OBJECT
} mb_json_type;

typedef struct mb_json mb_json;

struct mb_json
{
	mb_json_type type;
	bool		integer;		/* number without fraction or exponent */
	const char *key;			/* member name when inside an object, else NULL;
								 * zero-terminated, unescaped UTF-8 */
	size_t		key_length;
	const char *text;			/* string: unescaped value; number: its source
								 * text; both zero-terminated */
	size_t		length;			/* bytes of text; array, object: members */
	double		number;
	mb_json    *child;			/* array, object: first member */
	mb_json    *next;			/* next member of the parent */
};

#define MB_JSON_MAX_DEPTH 128

/*
 * Parse a whole document.  Input must be UTF-8 (MB_ERR_DATA otherwise); an
 * escaped lone surrogate is an error; "\u0000" in strings is kept.
 * python: also accept NaN, Infinity and -Infinity, as Python's writer emits
 * them.  "what" names the document in messages ("config.json").
 */
extern mb_status mb_json_parse(const char *text, size_t length,
							   const char *what, bool python,
							   mb_arena *arena, const mb_cancel *cancel,
							   mb_json **root, mb_error *err);

/* Last member of that name (as in Python), or NULL; NULL object gives NULL. */
extern mb_json *mb_json_get(const mb_json *object, const char *key);

/* No value (NULL, as of mb_json_get) or null. */
static inline bool
mb_json_is_null(const mb_json *value)
{
	return value == NULL || value->type == MB_JSON_NULL;
}

extern bool mb_json_is_string(const mb_json *value, const char *text);

/* An integer number within [low, high]; false otherwise. */
extern bool mb_json_int(const mb_json *value, int64_t low, int64_t high,
						int64_t *result);
extern bool mb_json_uint64(const mb_json *value, uint64_t *result);

#endif							/* MB_JSON_H */
