/*-------------------------------------------------------------------------
 *
 * import_hash.h
 *	  Hashes of tensors and models.
 *
 * Depends on server/pg.h, models/registry.h, import/import_model.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_IMPORT_HASH_H
#define MOBILEBERT_IMPORT_HASH_H

#include "server/pg.h"
#include "models/registry.h"
#include "import/import_model.h"

#include "common/cryptohash.h"

/* A hash with a tensor's type and shape already in it. */
extern pg_cryptohash_ctx *import_hash_tensor(const RegistryTensorInfo *info);
extern void import_hash_add(pg_cryptohash_ctx *hash, const void *data,
							size_t size);

/* Ends the hash and frees it: result [PG_SHA256_DIGEST_LENGTH]. */
extern void import_hash_end(pg_cryptohash_ctx *hash, uint8 *result);

/*
 * Of the tensors that a model takes from its base: in the order of their names'
 * bytes each name, a zero byte, and the tensor's hash.  result
 * [PG_SHA256_DIGEST_LENGTH].
 */
extern void import_hash_base(const Import *import, uint8 *result);

/* Of each tensor of a weight file, and of the model. */
extern void import_hash(Import *import);

#endif							/* MOBILEBERT_IMPORT_HASH_H */
