/*-------------------------------------------------------------------------
 *
 * registry.h
 *	  The registry's tables: rows of models, their files and tensors.
 *
 * Reading goes by index scans with the newest snapshot, as for catalogs; no
 * rights on the tables are needed, the functions here check the right to use a
 * model.  registry_write.h is for those who change them.
 *
 * Depends on server/pg.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_REGISTRY_H
#define MOBILEBERT_REGISTRY_H

#include "server/pg.h"

#include "common/sha2.h"
#include "utils/snapshot.h"
#include "utils/uuid.h"

#define MOBILEBERT_NAME_MAX 200 /* characters of a model name */

/* One row of mobilebert.model. */
typedef struct RegistryModel
{
	pg_uuid_t	id;
	char	   *name;			/* database encoding */
	Oid			owner;			/* InvalidOid: gone, or not of this cluster */
	char	   *precision;
	uint32		parts;			/* engine: 1 << mb_part */
	uint32		tasks;			/* engine: mb_task bits */
	int32		max_tokens;		/* of one window, template included */
	int64		multiply_adds;	/* of the encoder, for one token */
	int32		file_count;		/* rows that belong to it: fewer are there while */
	int32		tensor_count;	/* a restore is under way */
	uint8		sha256[PG_SHA256_DIGEST_LENGTH];	/* fingerprint */
	uint8		image_key[PG_SHA256_DIGEST_LENGTH];
	bool		public_use;
	int			grantees_count;
	Oid		   *grantees;
	pg_uuid_t  *base_id;		/* it has tensors of that model, or NULL */
	struct RegistryModel *base; /* that model; NULL: not there */
} RegistryModel;

/* How many models may stand one on the other. */
#define REGISTRY_BASES_MAX 32

/* Read a model by name or id, in CurrentMemoryContext; NULL: there is none. */
extern RegistryModel *registry_find(const char *name);
extern RegistryModel *registry_find_id(const pg_uuid_t *id);

/* The stored default of a task: true and *id when there is one. */
extern bool registry_default(const char *task, pg_uuid_t *id);

/* Ids of the models with a task (0: any), by name; and of those with that base. */
extern pg_uuid_t *registry_with_task(uint32 task, int *count);
extern pg_uuid_t *registry_standing_on(const pg_uuid_t *id, int *count);

/* Error unless a new model may be called so. */
extern void registry_check_name(const char *name);

/* Error when a model of that name exists. */
extern void registry_name_is_free(const char *name);

/*
 * Changes whenever any session changed the registry; starts at 1.  Cached
 * conclusions are void when it moved.
 */
extern uint64 registry_generation(void);

/*
 * false: no trigger tells of changes, so that the generation changes with each
 * statement, and nothing need have happened.
 */
extern bool registry_announced(void);

/*
 * Make this session look again: after a wait in a statement, when others may
 * have changed the registry.
 */
extern void registry_look_again(void);

/* The OID of one of the registry's tables or indexes. */
extern Oid	registry_relid(const char *table);

/* Error unless all files of a model are there. */
extern void registry_check_files(const RegistryModel *model,
								 Snapshot snapshot);

/* A file of the model ("config.json"); NULL when absent.  Detoasted copy. */
extern bytea *registry_file(const pg_uuid_t *id, const char *file_name,
							Snapshot snapshot);

/* One tensor of a model. */
typedef struct RegistryTensor
{
	char	   *name;			/* slot name */
	pg_uuid_t	id;
} RegistryTensor;

/* All tensors of a model; error unless all are there. */
extern RegistryTensor *registry_tensors(const RegistryModel *model,
										Snapshot snapshot, int *count);

/* What is said of a stored tensor; false when there is no such tensor. */
typedef struct RegistryTensorInfo
{
	uint8		sha256[PG_SHA256_DIGEST_LENGTH];	/* of what follows and the
													 * bytes */
	mb_dtype	dtype;
	uint32		rank;
	uint64		shape[2];
	uint64		bytes;
} RegistryTensorInfo;

extern bool registry_tensor_info(const pg_uuid_t *id, Snapshot snapshot,
								 RegistryTensorInfo *info);

/* A stored tensor that is read from its first byte to its last. */
typedef struct RegistryTensorReader RegistryTensorReader;

extern RegistryTensorReader *registry_tensor_open(const pg_uuid_t *id,
												  Snapshot snapshot);

/* The next bytes of it; returns how many there were. */
extern size_t registry_tensor_read(RegistryTensorReader *reader, void *buffer,
								   size_t size);
extern bool registry_tensor_at_end(RegistryTensorReader *reader);
extern void registry_tensor_close(RegistryTensorReader *reader);

/* A hash in hexadecimal: hex [PG_SHA256_DIGEST_STRING_LENGTH], zero and all. */
extern void registry_hex(const uint8 *hash, char *hex);

/* The newest committed state (and our own changes), for several reads. */
extern Snapshot registry_snapshot(void);

/* Is there a model of this image key?  (for cleaning up image files) */
extern bool registry_has_image(const uint8 *image_key);

/* Are all rows of a model there, as far as counting tells? */
extern bool registry_is_complete(const RegistryModel *model);

/*
 * Error: rows of a model are not there (detail says which), or the model is not
 * any more.
 */
pg_noreturn extern void registry_incomplete(const RegistryModel *model,
											const char *detail);

#endif							/* MOBILEBERT_REGISTRY_H */
