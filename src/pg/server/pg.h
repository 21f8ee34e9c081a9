/*-------------------------------------------------------------------------
 *
 * pg.h
 *	  The adapter's own header: what the files of src/pg share.
 *
 * Only files in src/pg see PostgreSQL's headers, and of the engine they see
 * engine.h alone.  How a value flows:
 *
 *	  fn_*.c		arguments, options, results
 *	  model_cache.c	name -> checked, mapped model (image_file.c makes the file)
 *	  registry.c	the registry's tables
 *	  import.c ...	files, bytea and large objects -> registry (import.h)
 *	  adapt.c		errors, memory, cancel, encodings
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_PG_H
#define MOBILEBERT_PG_H

#include "postgres.h"

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif
#include "fmgr.h"
#include "utils/array.h"
#include "utils/snapshot.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "engine/engine.h"

/* Server versions: spell the differences once. */
#if PG_VERSION_NUM < 140000
#error "mobilebert needs PostgreSQL 14 or newer"
#endif
#ifndef pg_noreturn				/* new in 18, which dropped the old spelling */
#define pg_noreturn pg_attribute_noreturn()
#endif

/*
 * adapt.c
 */

/* Raise err as an ERROR with the fitting SQLSTATE; never returns. */
pg_noreturn extern void mobilebert_raise(const mb_error *err);

static inline void
mobilebert_check(mb_status status, const mb_error *err)
{
	if (status != MB_OK)
		mobilebert_raise(err);
}

/* Memory of a context (NULL context: the one current at each call). */
extern mb_memory mobilebert_memory(MemoryContext context);

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
	int32	   *map;			/* code point -> character of the original;
								 * NULL when they are the same */
	size_t		map_length;		/* code points + 1 */
} MobilebertText;

extern void mobilebert_text_read(text *value, MobilebertText *result);

/* Offset in code points -> offset in characters of the original. */
static inline int32
mobilebert_text_offset(const MobilebertText *t, int32 code_points)
{
	if (t->map == NULL)
		return code_points;
	if ((size_t) code_points >= t->map_length)
		return t->map[t->map_length - 1];
	return t->map[code_points];
}

/* The same for an end: one within a character is the character's end. */
static inline int32
mobilebert_text_end(const MobilebertText *t, int32 code_points)
{
	int32		end = mobilebert_text_offset(t, code_points);

	if (code_points > 0 && t->map != NULL &&
		mobilebert_text_offset(t, code_points - 1) == end)
		end++;
	return end;
}

/*
 * The slices [starts[i], ends[i]) in characters of the original as text
 * datums; starts must not decrease (one pass over the text).
 */
extern void mobilebert_text_slices(const MobilebertText *t, const int32 *starts,
								   const int32 *ends, int count, Datum *slices);

/* UTF-8 from the engine -> text in the database encoding. */
extern text *mobilebert_text_make(const char *utf8, size_t length);

/* The same for messages: what cannot be converted becomes '?'; palloc'd. */
extern char *mobilebert_message(const char *utf8);

/* A C string argument in UTF-8 (palloc'd) from a text datum. */
extern char *mobilebert_utf8_cstring(text *value);

/*
 * guc.c
 */
extern char *mobilebert_default_model;
extern bool mobilebert_enable_batching;
extern int	mobilebert_batch_tokens;
extern int	mobilebert_cache_size;	/* kB */
extern int	mobilebert_memory_limit;	/* kB */
extern char *mobilebert_instruction_set;

extern void mobilebert_guc_init(void);

/*
 * stats.c
 */

/* What is counted, in the order of mobilebert.stat_models' columns. */
typedef enum MobilebertCounter
{
	STAT_CALLS,					/* texts, pairs and id arrays asked for */
	STAT_ROWS,					/* sequences that ran through the network */
	STAT_TOKENS,				/* of them */
	STAT_PASSES,
	STAT_MICROSECONDS,			/* of passes */
	STAT_CACHE_HITS,			/* calls answered by the session's cache */
	STAT_TRUNCATIONS,			/* texts that were cut */
	STAT_ERRORS,				/* texts refused and passes that failed */
	STAT_COUNTERS
} MobilebertCounter;

typedef struct MobilebertStats MobilebertStats;

extern void mobilebert_stats_init(void);

/* The counters of a model; NULL when nothing is counted.  Stays valid. */
extern MobilebertStats *mobilebert_stats_of(const pg_uuid_t *model);

/* Does nothing when stats is NULL. */
extern void mobilebert_stats_add(MobilebertStats *stats,
								 MobilebertCounter counter, uint64 value);

/*
 * registry.c: reading goes by index scans with the newest snapshot, as for
 * catalogs; no rights on the tables are needed, the functions here check the
 * right to use a model.  Writing goes through SPI as the tables' owner.
 */
#define MOBILEBERT_NAME_MAX 200 /* characters of a model name */

/* One row of mobilebert.model. */
typedef struct RegistryModel
{
	pg_uuid_t	id;
	char	   *name;			/* database encoding */
	Oid			owner;			/* InvalidOid: the role is gone */
	char	   *precision;
	uint32		parts;			/* engine: 1 << mb_part */
	uint32		tasks;			/* engine: mb_task bits */
	int32		max_tokens;		/* of one window, template included */
	int64		multiply_adds;	/* of the encoder, for one token */
	uint8		sha256[32];		/* fingerprint */
	uint8		image_key[32];
	bool		public_use;
	int			grantees_count;
	Oid		   *grantees;
} RegistryModel;

/* Read a model by name or id, in CurrentMemoryContext; NULL: there is none. */
extern RegistryModel *registry_find(const char *name);
extern RegistryModel *registry_find_id(const pg_uuid_t *id);

/* The stored default of a task: true and *id when there is one. */
extern bool registry_default(const char *task, pg_uuid_t *id);

/* May the current user use (or, owner, change) this model? */
extern bool registry_may_use(const RegistryModel *model);
extern bool registry_owned_by(const RegistryModel *model, Oid user);

/* Error unless a new model may be called so. */
extern void registry_check_name(const char *name);

/* Error when a model of that name exists. */
extern void registry_name_is_free(const char *name);

/*
 * Changes whenever any session changed the registry; starts at 1.  Cached
 * conclusions are void when it moved.
 */
extern uint64 registry_generation(void);

/* A file of the model ("config.json"); NULL when absent.  Detoasted copy. */
extern bytea *registry_file(const pg_uuid_t *id, const char *file_name,
							Snapshot snapshot);

/* One tensor of a model. */
typedef struct RegistryTensor
{
	char	   *name;			/* slot name */
	uint8		sha256[32];
} RegistryTensor;

extern RegistryTensor *registry_tensors(const pg_uuid_t *id, Snapshot snapshot,
										int *count);

/* dtype and shape of a stored tensor; false when there is no such tensor. */
typedef struct RegistryTensorInfo
{
	mb_dtype	dtype;
	uint32		rank;
	uint64		shape[2];
	uint64		bytes;
} RegistryTensorInfo;

extern bool registry_tensor_info(const uint8 *sha256, Snapshot snapshot,
								 RegistryTensorInfo *info);

/* Calls consume(context, data, size) for each chunk in order. */
extern void registry_tensor_read(const uint8 *sha256, Snapshot snapshot,
								 void (*consume) (void *context,
												  const char *data,
												  size_t size),
								 void *context);

/* 32 bytes as 64 hexadecimal digits and a zero. */
extern void registry_hex(const uint8 *hash, char *hex);

/* The newest committed state (and our own changes), for several reads. */
extern Snapshot registry_snapshot(void);

/* Up to five names of usable models with a task, "a", "b"; "" when none. */
extern char *registry_names_with_task(uint32 task);

/* Is there a model of this image key?  (for cleaning up image files) */
extern bool registry_has_image(const uint8 *image_key);

/* Error: a model's configuration is not there, or the model is not any more. */
pg_noreturn extern void registry_no_configuration(const RegistryModel *model);

/*
 * Writing: between begin and end SPI is connected, the user is the tables'
 * owner, search_path is pg_catalog alone.  Takes the lock that serialises
 * writers.
 */
typedef struct RegistryWrite
{
	Oid			user;
	int			security;
	int			guc_level;
} RegistryWrite;

/* "what" names the command in errors: "import_model()". */
extern void registry_write_begin(RegistryWrite *write, const char *what);
extern void registry_write_end(RegistryWrite *write);

/* Run one statement with parameters; returns rows processed. */
extern uint64 registry_execute(const char *sql, int count, const Oid *types,
							   const Datum *values, const char *nulls);

/* Remove tensors that no model uses (inside begin/end). */
extern void registry_collect_tensors(void);

/*
 * model_cache.c
 */
typedef struct MobilebertModel
{
	char	   *name;			/* as asked for */
	RegistryModel *registry;
	mb_image	image;
	const void *bytes;			/* the image */
	size_t		size;
	bool		shared;			/* mapped from a file, not private memory */
	struct MobilebertLabels *labels;	/* those asked for so far (labels.c) */
	MobilebertStats *stats;		/* its counters; NULL: not counted */
} MobilebertModel;

/*
 * The model of that name for a task (0: any), ready to run, usable by the
 * current user.  NULL name: the default model of the task.  Raises an error
 * when there is none, it may not be used, or it lacks the head.  Valid until
 * the end of the transaction.
 */
extern const MobilebertModel *mobilebert_model(text *name, mb_task task);

/* The same without loading weights: only the registry's row. */
extern const RegistryModel *mobilebert_model_row(text *name, mb_task task);

/* A model for the planner (NULL name: the task's default): NULL, no errors. */
extern const RegistryModel *mobilebert_model_peek(const char *name,
												  mb_task task);

/* The name of the default model for a task, or NULL. */
extern char *mobilebert_default_name(mb_task task);

/* The task of a name such as "embed"; error when there is none. */
extern mb_task mobilebert_task(const char *name);

extern void mobilebert_model_cache_init(void);

/* Error: a model lacks the head that a task needs. */
pg_noreturn extern void mobilebert_no_head(const RegistryModel *row,
										   mb_task task);

/* Limit of tokens in one window, template included. */
extern size_t mobilebert_token_limit(const mb_config *config,
									 const mb_sentence_settings *settings,
									 const mb_tokenizer *tokenizer);
extern size_t mobilebert_max_tokens(const MobilebertModel *model);

/*
 * image_file.c: making, finding and removing image files.
 */
typedef struct ImageBytes
{
	const void *bytes;
	size_t		size;
	bool		shared;
} ImageBytes;

/* Find or make the image of a model; opened into *image. */
extern void image_file_load(const RegistryModel *model, MemoryContext context,
							ImageBytes *bytes, mb_image *image);
extern void image_file_unload(ImageBytes *bytes);

/* Remove files of this database that no model needs any more. */
extern void image_file_clean(void);

/*
 * options.c: reading SQL arguments
 */
typedef enum MobilebertOverflow
{
	OVERFLOW_ERROR,
	OVERFLOW_TRUNCATE,
	OVERFLOW_WINDOW
} MobilebertOverflow;

/* NULL text gives the default; a bad value is an error listing the values. */
extern MobilebertOverflow mobilebert_overflow(text *value,
											  MobilebertOverflow otherwise);

/* Note a truncated text; one WARNING when the statement ends. */
extern void mobilebert_note_truncated(FunctionCallInfo fcinfo,
									  size_t tokens, size_t limit);

/*
 * Texts that were cut for a row that may never be asked for.  While *cuts is
 * collecting, notes go there; mobilebert_note_cuts() notes them for good.
 */
typedef struct MobilebertCuts
{
	uint64		texts;
	size_t		longest;		/* tokens of the longest of them */
	size_t		limit;
} MobilebertCuts;

extern void mobilebert_collect_cuts(MobilebertCuts *cuts);	/* NULL: no more */
extern void mobilebert_note_cuts(FunctionCallInfo fcinfo,
								 const MobilebertCuts *cuts);

/* Argument n, or a default where it is NULL or was not passed. */
#define ARG_IS_GIVEN(n) (PG_NARGS() > (n) && !PG_ARGISNULL(n))
#define ARG_TEXT(n) (ARG_IS_GIVEN(n) ? PG_GETARG_TEXT_PP(n) : NULL)
#define ARG_BOOL(n, otherwise) (ARG_IS_GIVEN(n) ? PG_GETARG_BOOL(n) : (otherwise))
#define ARG_INT(n, otherwise) (ARG_IS_GIVEN(n) ? PG_GETARG_INT32(n) : (otherwise))

/* real[] from floats, and int[] from ints (no nulls). */
extern ArrayType *mobilebert_real_array(const float *values, size_t count);
extern ArrayType *mobilebert_int_array(const int32 *values, size_t count);

/* Set-returning function with a tuplestore (InitMaterializedSRF before 15). */
extern void mobilebert_srf_begin(FunctionCallInfo fcinfo);

/*
 * support.c
 */
extern void mobilebert_support_init(void);

/*
 * fn_embed.c and result_cache.c
 */
extern void mobilebert_result_cache_init(void);
extern const float *mobilebert_result_find(const void *key, size_t key_size,
										   size_t *count);
extern void mobilebert_result_store(const void *key, size_t key_size,
									const float *values, size_t count);

/* A workspace for one pass, checked against mobilebert.memory_limit. */
extern void mobilebert_workspace_check(size_t size);
extern void *mobilebert_workspace(size_t size);
extern void mobilebert_workspace_release(void *workspace);

#endif							/* MOBILEBERT_PG_H */
