/*-------------------------------------------------------------------------
 *
 * import_model.h
 *	  A model on its way into the registry: what the steps of an import share.
 *
 * An import gathers "documents" (configuration and tokenizer files, kept byte
 * for byte) and weight files (safetensors, read by offset from disk, memory or a
 * large object), in this order:
 *
 *	  import.c			the SQL functions, and the order of things
 *	  import_shipped.c	the same for models that come with the extension
 *	  import_read.c		directories, files, large objects -> documents and
 *						weight files
 *	  import_check.c	everything is checked before anything is written: the
 *						configuration, the tokenizer, each header, and for each
 *						slot of the network that a tensor of the right shape
 *						fills it
 *	  import_hash.c		hashes of tensors and of the model
 *	  import_store.c	rows of the registry
 *	  import_progress.c	how far it has come
 *
 * A variant of a registered model goes the same way: its documents and tensors
 * come from the registry, and no tensor is stored again.  So does a classifier
 * that was fitted on the states of one (create_classifier.c), with two documents
 * of its own.
 *
 * Depends on server/pg.h, models/documents.h, models/registry.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_IMPORT_MODEL_H
#define MOBILEBERT_IMPORT_MODEL_H

#include "server/pg.h"
#include "models/documents.h"
#include "models/registry.h"

#include "common/sha2.h"
#include "datatype/timestamp.h"

/* Bytes read, hashed and stored at a time. */
#define IMPORT_CHUNK (1024 * 1024)

/* A safetensors file, wherever it is; a shard when there are several. */
typedef struct WeightFile
{
	char	   *name;			/* for messages */
	uint64		size;
	int			fd;				/* file, or -1 */
	const char *memory;			/* bytea, or NULL */
	int			object;			/* descriptor of a large object, or -1 */
	mb_safetensors contents;
} WeightFile;

/* A tensor that goes into the model: from a file, or from the base model. */
typedef struct Filled
{
	const WeightFile *file;		/* NULL: the base model's */
	const mb_tensor_entry *entry;
	RegistryTensorInfo info;
	pg_uuid_t	id;				/* of the base's tensor */
} Filled;

/* What is done with all tensors, one by one. */
typedef enum ImportPhase
{
	IMPORT_READS,
	IMPORT_STORES
} ImportPhase;

typedef struct Import
{
	const char *command;		/* for messages: "import_model()" */
	char	   *name;
	const char *precision;
	Documents	documents;
	WeightFile *weight_files;
	int			weight_file_count;
	WeightFile	module_files[MB_MODULES_LIMIT]; /* of modules after Pooling;
												 * name NULL: none */
	mb_json    *index;			/* weight_map of a sharded model, or NULL */

	mb_memory	memory;
	mb_arena	arena;
	mb_config	config;
	mb_sentence_settings settings;
	mb_tokenizer tokenizer;
	RegistryModel *base;		/* whose tensors it takes, or NULL */
	bool		variant;		/* of base, which has all of it */
	bool		shipped;		/* with the extension */
	mb_classifier *classifier;	/* fitted on its states; or NULL: it is none */
	size_t		slots;
	Filled	   *filled;			/* [slots]; where present */
	bool	   *present;		/* [slots] */
	uint32		parts_mask;
	uint8		sha256[PG_SHA256_DIGEST_LENGTH];
	uint8		image_key[PG_SHA256_DIGEST_LENGTH];
	uint64		image_bytes;	/* what the tensors take in a weight image */

	/* how far it has come: import_progress.c */
	uint64		bytes;			/* of the tensors that come from files */
	uint64		bytes_done;		/* in this phase */
	ImportPhase phase;
	TimestampTz started_at;
	TimestampTz told_at;
} Import;

#endif							/* MOBILEBERT_IMPORT_MODEL_H */
