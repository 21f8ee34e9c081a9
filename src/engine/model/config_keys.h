/*-------------------------------------------------------------------------
 *
 * config_keys.h
 *	  Reading the keys of a configuration file: numbers, flags, names.
 *
 * A key that is absent leaves *value alone; null is a value of the wrong type.
 *
 * Depends on base/json.h, base/status.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_CONFIG_KEYS_H
#define MB_CONFIG_KEYS_H

#include "base/json.h"
#include "base/status.h"

/* MB_ERR_DATA: "key" must be what is expected. */
extern mb_status mb_fail_type(const char *key, const char *expected,
							  mb_error *err);

/* An integer from low to high. */
extern mb_status mb_read_size(const mb_json *root, const char *key,
							  uint32_t low, uint32_t high, uint32_t *value,
							  mb_error *err);

/* Python takes 0 and 1 for false and true, and so do we. */
extern mb_status mb_read_flag(const mb_json *root, const char *key,
							  uint8_t *value, mb_error *err);

/* A finite number that is not negative, integer or not. */
extern mb_status mb_read_number(const mb_json *root, const char *key,
								double *value, mb_error *err);

/* Names of values; the first name of a value is the one that is written. */
typedef struct mb_named_value
{
	const char *name;
	uint32_t	value;
} mb_named_value;

/* false: no such name */
extern bool mb_find_value(const mb_named_value *table, size_t count,
						  const mb_json *name, uint32_t *value);

/* NULL: no such value */
extern const char *mb_find_name(const mb_named_value *table, size_t count,
								uint32_t value);

#endif							/* MB_CONFIG_KEYS_H */
