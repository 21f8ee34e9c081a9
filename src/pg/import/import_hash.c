/*-------------------------------------------------------------------------
 *
 * import_hash.c
 *	  Hashes of tensors and models.
 *
 * A tensor's hash covers type, shape and bytes.  The fingerprint of a model
 * covers precision, its tensors by slot, and its documents in canonical form
 * (JSON with sorted keys, without the keys that change no result), so that the
 * same model imported in another way has the same fingerprint.  The image key
 * covers the documents' own bytes as well.  What a model takes from its base has
 * a hash too, by which it knows that base again.
 *
 * Depends on server/pg.h, models/registry.h, import/import_model.h,
 * import/import_progress.h, import/import_read.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "models/registry.h"
#include "import/import_hash.h"
#include "import/import_model.h"
#include "import/import_progress.h"
#include "import/import_read.h"

#include "miscadmin.h"
#include "utils/memutils.h"

static pg_cryptohash_ctx *
hash_begin(void)
{
	pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);

	if (hash == NULL || pg_cryptohash_init(hash) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not start a SHA-256 hash")));
	return hash;
}

void
import_hash_add(pg_cryptohash_ctx *hash, const void *data, size_t size)
{
	const uint8 *bytes = data;

	while (size > 0)
	{
		size_t		step = Min(size, IMPORT_CHUNK);

		CHECK_FOR_INTERRUPTS();
		if (pg_cryptohash_update(hash, bytes, step) < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not update a SHA-256 hash")));
		bytes += step;
		size -= step;
	}
}

/* A string and its zero byte, so that neighbours cannot run together. */
static void
hash_string(pg_cryptohash_ctx *hash, const char *value)
{
	import_hash_add(hash, value, strlen(value) + 1);
}

void
import_hash_end(pg_cryptohash_ctx *hash, uint8 *result)
{
	if (pg_cryptohash_final(hash, result, PG_SHA256_DIGEST_LENGTH) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not finish a SHA-256 hash")));
	pg_cryptohash_free(hash);
}

pg_cryptohash_ctx *
import_hash_tensor(const RegistryTensorInfo *info)
{
	pg_cryptohash_ctx *hash = hash_begin();
	char		number[32];
	int			i;

	hash_string(hash, mb_dtype_name(info->dtype));
	for (i = 0; i < (int) info->rank; i++)
	{
		snprintf(number, sizeof(number), UINT64_FORMAT, info->shape[i]);
		hash_string(hash, number);
	}
	hash_string(hash, "");
	return hash;
}

static void
hash_tensors(Import *import)
{
	char	   *buffer = palloc(IMPORT_CHUNK);
	size_t		i;

	import_progress_phase(import, IMPORT_READS);
	for (i = 0; i < import->slots; i++)
	{
		Filled	   *filled = &import->filled[i];
		pg_cryptohash_ctx *hash;
		uint64		at;

		if (!import->present[i] || filled->file == NULL)
			continue;
		hash = import_hash_tensor(&filled->info);
		for (at = filled->entry->begin; at < filled->entry->end;)
		{
			size_t		step = Min(filled->entry->end - at, IMPORT_CHUNK);

			import_read_bytes(filled->file, at, buffer, step);
			import_hash_add(hash, buffer, step);
			import_progress_add(import, step);
			at += step;
		}
		import_hash_end(hash, filled->info.sha256);
	}
	pfree(buffer);
}

/* A tensor that the base model gives. */
typedef struct TakenTensor
{
	mb_slot		slot;
	const uint8 *sha256;
} TakenTensor;

static int
compare_taken(const void *a, const void *b)
{
	return strcmp(((const TakenTensor *) a)->slot.name,
				  ((const TakenTensor *) b)->slot.name);
}

void
import_hash_base(const Import *import, uint8 *result)
{
	pg_cryptohash_ctx *hash = hash_begin();
	TakenTensor *taken = palloc(import->slots * sizeof(TakenTensor));
	size_t		count = 0;
	size_t		i;

	for (i = 0; i < import->slots; i++)
	{
		if (!import->present[i] || import->filled[i].file != NULL)
			continue;
		mb_slot_get(&import->config, i, &taken[count].slot);
		taken[count++].sha256 = import->filled[i].info.sha256;
	}
	qsort(taken, count, sizeof(TakenTensor), compare_taken);
	for (i = 0; i < count; i++)
	{
		hash_string(hash, taken[i].slot.name);
		import_hash_add(hash, taken[i].sha256, PG_SHA256_DIGEST_LENGTH);
	}
	import_hash_end(hash, result);
	pfree(taken);
}

static int
compare_members(const void *a, const void *b)
{
	const mb_json *x = *(const mb_json *const *) a;
	const mb_json *y = *(const mb_json *const *) b;
	int			order = memcmp(x->key, y->key,
							   Min(x->key_length, y->key_length));

	if (order == 0)
		order = (x->key_length > y->key_length) -
			(x->key_length < y->key_length);
	return order;
}

static bool
changes_no_result(const mb_json *member)
{
	static const char *const keys[] = {
		"_name_or_path", "name_or_path", "transformers_version", "torch_dtype",
		"dtype", "base", "base_sha256", "default_for", "_commit_hash",
		"__version__"
	};
	int			i;

	for (i = 0; i < (int) lengthof(keys); i++)
		if (strcmp(member->key, keys[i]) == 0)
			return true;
	return false;
}

/* JSON in canonical form: keys sorted, numbers by value. */
static void
hash_json(pg_cryptohash_ctx *hash, const mb_json *value, bool top)
{
	char		number[64];
	const mb_json **members;
	const mb_json *member;
	size_t		n = 0;
	size_t		i;

	check_stack_depth();
	snprintf(number, sizeof(number), "%d", (int) value->type);
	hash_string(hash, number);
	switch (value->type)
	{
		case MB_JSON_NUMBER:
			snprintf(number, sizeof(number), "%.17g", value->number);
			hash_string(hash, number);
			break;
		case MB_JSON_STRING:
			import_hash_add(hash, value->text, value->length + 1);
			break;
		case MB_JSON_ARRAY:
			for (member = value->child; member != NULL; member = member->next)
				hash_json(hash, member, false);
			hash_string(hash, "end");
			break;
		case MB_JSON_OBJECT:
			members = palloc_extended(Max(value->length, 1) *
									  sizeof(mb_json *), MCXT_ALLOC_HUGE);
			for (member = value->child; member != NULL; member = member->next)
				members[n++] = member;
			qsort(members, n, sizeof(mb_json *), compare_members);
			for (i = 0; i < n; i++)
			{
				if (top && changes_no_result(members[i]))
					continue;
				import_hash_add(hash, members[i]->key,
								members[i]->key_length + 1);
				hash_json(hash, members[i], false);
			}
			hash_string(hash, "end");
			pfree(members);
			break;
		default:
			break;
	}
}

/* What a fitted classifier is beside the model that it was fitted on. */
static void
hash_classifier(Import *import)
{
	const mb_document *weights = &import->documents.files[DOC_CLASSIFIER_WEIGHTS];
	pg_cryptohash_ctx *hash = hash_begin();

	hash_string(hash, "mobilebert classifier 1");
	import_hash_add(hash, import->sha256, PG_SHA256_DIGEST_LENGTH);
	hash_json(hash, documents_tree(&import->documents, DOC_CLASSIFIER), true);
	import_hash_add(hash, weights->text, weights->length);
	import_hash_end(hash, import->sha256);
}

/* Of a fitted classifier the image key is that of its base: they share it. */
static void
hash_model(Import *import)
{
	pg_cryptohash_ctx *hash = hash_begin();
	int			d;
	size_t		i;

	hash_string(hash, "mobilebert model 1");
	hash_string(hash, import->precision);
	for (i = 0; i < import->slots; i++)
	{
		mb_slot		slot;

		if (!import->present[i])
			continue;
		mb_slot_get(&import->config, i, &slot);
		hash_string(hash, slot.name);
		import_hash_add(hash, import->filled[i].info.sha256,
						PG_SHA256_DIGEST_LENGTH);
	}
	for (d = 0; d < DOC_CLASSIFIER; d++)
	{
		if (import->documents.files[d].text == NULL)
			continue;
		hash_string(hash, document_names[d]);
		if (d == DOC_VOCAB)
			import_hash_add(hash, import->documents.files[d].text,
							import->documents.files[d].length);
		else
			hash_json(hash, documents_tree(&import->documents, d), true);
	}
	import_hash_end(hash, import->sha256);

	hash = hash_begin();
	import_hash_add(hash, import->sha256, PG_SHA256_DIGEST_LENGTH);
	for (d = 0; d < DOC_CLASSIFIER; d++)
	{
		if (import->documents.files[d].text == NULL)
			continue;
		hash_string(hash, document_names[d]);
		import_hash_add(hash, import->documents.files[d].text,
						import->documents.files[d].length);
	}
	import_hash_end(hash, import->image_key);
	if (import->documents.files[DOC_CLASSIFIER].text != NULL)
		hash_classifier(import);
}

void
import_hash(Import *import)
{
	hash_tensors(import);
	hash_model(import);
}
