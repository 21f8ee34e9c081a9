/*-------------------------------------------------------------------------
 *
 * settings.h
 *	  What makes an embedding of a model's states: the settings that
 *	  sentence-transformers keeps beside a checkpoint, and pooling modes.
 *
 * Source: sentence-transformers' Pooling; spec pipelines.md section 8.
 * Depends on base/json.h, base/status.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_SETTINGS_H
#define MB_SETTINGS_H

#include "base/json.h"
#include "base/status.h"

/* Pooling modes, in the order in which several of them are concatenated. */
typedef enum mb_pooling
{
	MB_POOL_CLS = 1,
	MB_POOL_MAX = 2,
	MB_POOL_MEAN = 4,
	MB_POOL_MEAN_SQRT_LEN = 8,
	MB_POOL_WEIGHTED_MEAN = 16,
	MB_POOL_LAST_TOKEN = 32,
	MB_POOL_POOLER = 64,		/* ours: Hugging Face's pooler_output */
	MB_POOL_END = 128			/* the bit after the last */
} mb_pooling;

/* 0 when the name is not one of sentence-transformers' names or "pooler". */
extern uint32_t mb_pooling_from_name(const char *name);

/* What the sentence-transformers files of a directory say. */
typedef struct mb_sentence_settings
{
	uint32_t	pooling;		/* bits of mb_pooling; default MB_POOL_MEAN */
	uint32_t	max_seq_length; /* 0: not set */
	uint8_t		normalize;
	uint8_t		do_lower_case;
	uint8_t		reserved[6];
} mb_sentence_settings;

/* Each document may be NULL (absent); all NULL gives the defaults. */
extern mb_status mb_sentence_settings_read(const mb_json *modules,
										   const mb_json *pooling,
										   const mb_json *sentence_bert,
										   mb_sentence_settings *settings,
										   mb_error *err);

#endif							/* MB_SETTINGS_H */
