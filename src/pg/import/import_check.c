/*-------------------------------------------------------------------------
 *
 * import_check.c
 *	  Checking an import before anything is written.
 *
 * Depends on server/pg.h, server/adapt.h, models/model_cache.h,
 * models/registry.h, models/registry_write.h, models/rights.h,
 * import/import_hash.h, import/import_model.h, import/import_read.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "models/model_cache.h"
#include "models/registry.h"
#include "models/registry_write.h"
#include "models/rights.h"
#include "import/import_check.h"
#include "import/import_hash.h"
#include "import/import_model.h"
#include "import/import_read.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

static void
read_header(Import *import, WeightFile *file)
{
	uint8		first[MB_SAFETENSORS_PREFIX];
	char		start[64];
	size_t		length = Min(file->size, sizeof(start));
	char	   *header;

	import_read_bytes(file, 0, start, length);
	import_refuse_pointer(file->name, start, length);

	if (file->size < sizeof(first))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("model file \"%s\" is not a safetensors file",
						file->name),
				 errdetail("It has only " UINT64_FORMAT " bytes.",
						   file->size)));
	import_read_bytes(file, 0, (char *) first, sizeof(first));
	ENGINE_CALL(mb_safetensors_header_length, first, file->size, file->name,
				&length);
	header = palloc_extended(Max(length, 1), MCXT_ALLOC_HUGE);
	import_read_bytes(file, sizeof(first), header, length);
	ENGINE_CALL(mb_safetensors_read, header, length, file->size, file->name,
				&import->arena, &mobilebert_cancel, &file->contents);
	pfree(header);
}

static void
check_documents(Import *import)
{
	const mb_document *files = import->documents.files;
	void	   *blob;
	size_t		size;

	documents_settings(&import->documents, &import->config, &import->settings);
	if (files[DOC_TOKENIZER].text == NULL && files[DOC_VOCAB].text == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FILE),
				 errmsg("the model has neither \"tokenizer.json\" nor \"vocab.txt\"")));
	documents_tokenizer(&import->documents, &import->config,
						&import->settings, &blob, &size);
	ENGINE_CALL(mb_tokenizer_open, blob, size, &import->tokenizer);
}

/*
 * A tokenizer that lost its words: transformers 5 writes one of five tokens for
 * a fast tokenizer that was made of "vocab_file".  Tables with some rows more
 * than there are tokens are common.
 */
static void
warn_of_vocabulary(const Import *import)
{
	const mb_tokenizer *tokenizer = &import->tokenizer;
	uint32		rows = import->config.vocab_size;
	uint32		tokens = 0;
	uint32		id;

	for (id = 0; id < tokenizer->vocabulary_size; id++)
	{
		size_t		length;

		tokens += mb_token_text(tokenizer, (int32_t) id, &length) != NULL;
	}
	if (tokens >= rows / 2)
		return;
	ereport(WARNING,
			(errmsg("the tokenizer of model \"%s\" has %u tokens for %u rows of the model's vocabulary",
					import->name, tokens, rows),
			 errdetail("Words that it cannot put together become [UNK], and texts lose their difference."),
			 errhint("Import the model with the tokenizer.json or vocab.txt that was published with it.")));
}

/* "base" in config.json: the registered model that fills what is missing. */
static void
find_base(Import *import)
{
	mb_json    *value = mb_json_get(documents_tree(&import->documents, DOC_CONFIG), "base");
	char	   *name;

	/* a variant has the tensors that its base got from another one */
	if (import->variant)
		return;
	if (value == NULL || value->type == MB_JSON_NULL)
		return;
	if (value->type != MB_JSON_STRING)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("\"base\" in \"config.json\" is not a string")));
	name = text_to_cstring(mobilebert_text_make(value->text, value->length));
	import->base = registry_find(name);
	if (import->base == NULL || !rights_may_use(import->base))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("base model \"%s\" does not exist", name),
				 errdetail("The model to import holds only the tensors in which it differs from it."),
				 errhint("Import the base model first, under that name.")));
}

void
import_base_dropped(const Import *import)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("base model \"%s\" does not exist",
					import->base->name),
			 errdetail("It was dropped, or the right to use it revoked, meanwhile.")));
}

/* Once more when those who were changing it are through. */
void
import_base_is_there(const Import *import)
{
	RegistryModel *now;

	if (import->base == NULL)
		return;
	registry_wait(import->base->name);
	now = registry_find_id(&import->base->id);
	if (now == NULL || !rights_may_use(now))
		import_base_dropped(import);
}

/* The tensor is called "name" in messages. */
static void
fill_slot(Import *import, size_t index, const WeightFile *file,
		  const mb_tensor_entry *entry, const char *name)
{
	Filled	   *filled = &import->filled[index];
	mb_slot		slot;
	mb_error	err;
	int			i;

	mb_slot_get(&import->config, index, &slot);
	if (mb_checkpoint_stray(&import->config, slot.part) &&
		(entry->dtype == MB_DTYPE_OTHER ||
		 mb_checkpoint_shape(&slot, name, entry->rank, entry->shape,
							 &err) != MB_OK))
		return;
	ENGINE_CALL(mb_checkpoint_shape, &slot, name, entry->rank, entry->shape);
	if (entry->dtype == MB_DTYPE_OTHER)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("tensor \"%s\" has type %s, which is not read",
						mobilebert_message(name), entry->dtype_name),
				 errhint("Store the weights as F32, F16, BF16 or F64.")));
	filled->file = file;
	filled->entry = entry;
	filled->info.dtype = entry->dtype;
	filled->info.rank = entry->rank;
	for (i = 0; i < (int) entry->rank; i++)
		filled->info.shape[i] = entry->shape[i];
	filled->info.bytes = entry->end - entry->begin;
	import->present[index] = true;
}

/* In a sharded model a tensor counts in the file that the index names. */
static bool
index_agrees(const WeightFile *file, const mb_tensor_entry *entry,
			 const mb_json *item)
{
	return strcmp(item->key, entry->name) == 0 &&
		strcmp(strrchr(file->name, '/') + 1, item->text) == 0;
}

typedef struct NamedEntry
{
	const char *name;
	const WeightFile *file;
	const mb_tensor_entry *entry;
} NamedEntry;

static int
compare_named(const void *a, const void *b)
{
	return strcmp(((const NamedEntry *) a)->name,
				  ((const NamedEntry *) b)->name);
}

/* All tensors of all files; for shards checked against the index. */
static NamedEntry *
list_entries(Import *import, size_t *count)
{
	NamedEntry *all;
	NamedEntry *kept;
	size_t		total = 0;
	size_t		n = 0;
	mb_json    *item;
	int			p;

	for (p = 0; p < import->weight_file_count; p++)
		total += import->weight_files[p].contents.count;
	all = palloc_extended(Max(total, 1) * sizeof(NamedEntry),
						  MCXT_ALLOC_HUGE);
	for (p = 0; p < import->weight_file_count; p++)
	{
		size_t		i;

		for (i = 0; i < import->weight_files[p].contents.count; i++)
		{
			all[n].entry = &import->weight_files[p].contents.entries[i];
			all[n].name = all[n].entry->name;
			all[n++].file = &import->weight_files[p];
		}
	}
	*count = total;
	if (import->index == NULL)
		return all;

	qsort(all, total, sizeof(NamedEntry), compare_named);
	kept = palloc_extended(Max(import->index->length, 1) * sizeof(NamedEntry),
						   MCXT_ALLOC_HUGE);
	n = 0;
	for (item = import->index->child; item != NULL; item = item->next)
	{
		NamedEntry	wanted = {item->key, NULL, NULL};
		NamedEntry *found = bsearch(&wanted, all, total, sizeof(NamedEntry),
									compare_named);

		/* the same name may lie in several files: look at all of them */
		while (found != NULL && found > all &&
			   strcmp(found[-1].name, item->key) == 0)
			found--;
		while (found != NULL && found < all + total &&
			   strcmp(found->name, item->key) == 0 &&
			   !index_agrees(found->file, found->entry, item))
			found++;
		if (found == NULL || found == all + total ||
			strcmp(found->name, item->key) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("tensor \"%s\" is not in file \"%s\"",
							mobilebert_message(item->key),
							mobilebert_message(item->text)),
					 errdetail("The model's index says that it is.")));
		kept[n++] = *found;
	}
	*count = n;
	return kept;
}

static void
fill_from_base(Import *import)
{
	RegistryTensor *tensors;
	int			count;
	int			i;

	tensors = registry_tensors(import->base, NULL, &count);
	for (i = 0; i < count; i++)
	{
		ptrdiff_t	index = mb_slot_index(&import->config, tensors[i].name);
		Filled	   *filled;
		mb_slot		slot;

		if (index < 0 || import->present[index])
			continue;
		mb_slot_get(&import->config, (size_t) index, &slot);
		if (!import->variant && slot.part != MB_PART_BASE &&
			slot.part != MB_PART_POOLER)
			continue;
		filled = &import->filled[index];
		if (!registry_tensor_info(&tensors[i].id, NULL, &filled->info))
			registry_incomplete(import->base,
								psprintf("Its tensor \"%s\" is missing.",
										 slot.name));
		if (mb_checkpoint_shape(&slot, slot.name, filled->info.rank,
								filled->info.shape, NULL) != MB_OK)
			continue;
		filled->id = tensors[i].id;
		import->present[index] = true;
	}
}

/* Tensors of modules after Pooling, each of which has a file of its own. */
static void
fill_modules(Import *import)
{
	size_t		i;
	size_t		t;

	for (i = 0; i < import->config.module_count; i++)
	{
		WeightFile *file = &import->module_files[i];

		if (file->name == NULL)
			continue;
		read_header(import, file);
		for (t = 0; t < file->contents.count; t++)
		{
			const mb_tensor_entry *entry = &file->contents.entries[t];
			ptrdiff_t	slot = mb_slot_of_module(&import->config, i,
												 entry->name);

			if (slot < 0)
				ereport(ERROR,
						(errcode(ERRCODE_DATA_EXCEPTION),
						 errmsg("tensor \"%s\" in file \"%s\" is not one of the module %s",
								mobilebert_message(entry->name), file->name,
								mb_module_name(import->config.modules[i].kind))));
			fill_slot(import, (size_t) slot, file, entry,
					  psprintf("modules.%d.%s", (int) i + MB_MODULES_FIRST,
							   entry->name));
		}
	}
}

static void
check_tensors(Import *import)
{
	NamedEntry *entries;
	const char **names;
	int32	   *slots;
	size_t		count;
	size_t		i;
	int			p;

	for (p = 0; p < import->weight_file_count; p++)
		read_header(import, &import->weight_files[p]);
	entries = list_entries(import, &count);
	names = palloc_extended(Max(count, 1) * sizeof(char *), MCXT_ALLOC_HUGE);
	slots = palloc_extended(Max(count, 1) * sizeof(int32), MCXT_ALLOC_HUGE);
	for (i = 0; i < count; i++)
		names[i] = entries[i].name;
	ENGINE_CALL(mb_checkpoint_match, &import->config, names, count,
				&import->arena, slots);

	import->slots = mb_slot_count(&import->config);
	import->filled = palloc0(import->slots * sizeof(Filled));
	import->present = palloc0(import->slots * sizeof(bool));
	for (i = 0; i < count; i++)
		if (slots[i] >= 0)
			fill_slot(import, (size_t) slots[i], entries[i].file,
					  entries[i].entry, entries[i].name);
	fill_modules(import);
	if (import->base != NULL)
		fill_from_base(import);
	ENGINE_CALL(mb_checkpoint_complete, &import->config, import->present,
				&import->parts_mask);

	/* what is left of a head that is not whole is of no use */
	for (i = 0; i < import->slots; i++)
	{
		mb_slot		slot;

		mb_slot_get(&import->config, i, &slot);
		if ((import->parts_mask & (1U << slot.part)) == 0)
			import->present[i] = false;
	}
}

/*
 * Can the encoder's linear layers be computed in the precision asked for?  What
 * all tensors take in a weight image is added up meanwhile.
 */
static void
check_precision(Import *import)
{
	mb_precision precision;
	size_t		i;

	if (!mb_precision_from_name(import->precision, &precision))
		elog(ERROR, "unrecognized precision");
	for (i = 0; i < import->slots; i++)
	{
		uint64_t	shape[2];
		size_t		size;

		if (!import->present[i])
			continue;
		if (!mb_slot_linear(&import->config, i, shape))
			size = mb_slot_size(&import->config, i) * sizeof(float);
		else if (!mb_format_size(mb_format_choose(mb_kernels_current(),
												  precision,
												  import->filled[i].info.dtype),
								 shape[1], shape[0], &size))
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("the model is too wide for precision %s",
							import->precision)));
		import->image_bytes += size;
	}
}

/*
 * "base_sha256" in config.json: what the model was trained on.  Another model of
 * that name and shape would fill the gaps as well, with wrong results.
 */
static void
check_base_is_meant(Import *import)
{
	const mb_json *value = mb_json_get(documents_tree(&import->documents, DOC_CONFIG),
									   "base_sha256");
	uint8		found[PG_SHA256_DIGEST_LENGTH];
	char		hex[PG_SHA256_DIGEST_STRING_LENGTH];

	if (import->variant || value == NULL || value->type == MB_JSON_NULL)
		return;
	import_hash_base(import, found);
	registry_hex(found, hex);
	if (value->type == MB_JSON_STRING && strcmp(value->text, hex) == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("model \"%s\" was not made for this base model \"%s\"",
					import->name, import->base->name),
			 errdetail("The tensors to take from it have the hash %s, \"base_sha256\" in \"config.json\" is another.",
					   hex),
			 errhint("Drop or rename the base model, and import the one that came with the model, under that name.")));
}

/* A model that has all tensors in its own files stands on no other. */
static void
check_base(Import *import)
{
	RegistryModel *base = import->base;
	int			depth = 1;
	size_t		i;

	for (i = 0; i < import->slots; i++)
		if (import->present[i] && import->filled[i].file == NULL)
			break;
	if (i == import->slots)
		import->base = NULL;
	if (import->base == NULL)
		return;
	check_base_is_meant(import);
	while ((base = base->base) != NULL)
		depth++;
	if (depth > REGISTRY_BASES_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("more than %d models would stand one on the other",
						REGISTRY_BASES_MAX),
				 errhint("Take a model further down for a base.")));
}

/* A fitted classifier, or a variant of one: what it reads is to be there. */
static void
check_classifier(Import *import)
{
	const mb_document *weights = &import->documents.files[DOC_CLASSIFIER_WEIGHTS];

	if (import->documents.files[DOC_CLASSIFIER].text == NULL)
		return;
	import->classifier = palloc(sizeof(mb_classifier));
	ENGINE_CALL(mb_classifier_read,
				documents_tree(&import->documents, DOC_CLASSIFIER),
				weights->text, weights->length, &import->config,
				&import->arena, &mobilebert_cancel, import->classifier);
	if (mb_poolings_contain(import->classifier->pooling, MB_POOL_POOLER) &&
		(mb_checkpoint_tasks(&import->config, import->parts_mask) &
		 MB_TASK_POOLER) == 0)
		mobilebert_no_head(import->base, MB_TASK_POOLER);
}

void
import_check(Import *import)
{
	check_documents(import);
	warn_of_vocabulary(import);
	find_base(import);
	check_tensors(import);
	check_base(import);
	check_precision(import);
	check_classifier(import);
}
