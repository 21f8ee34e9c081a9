/*-------------------------------------------------------------------------
 *
 * image_build.c
 *	  From a model's rows in the registry to the bytes of its weight image.
 *
 * The engine plans and writes an image (image_write.h); here is where it gets
 * things from: documents and tensors of the registry, all read under one
 * snapshot.  Errors of the server must not jump through the engine: reading
 * catches them, the writing ends, and they are thrown again after it.
 *
 * Depends on server/pg.h, server/adapt.h, server/progress.h,
 * models/documents.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/progress.h"
#include "models/documents.h"
#include "models/image_build.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define WORKSPACE_ALIGN 64

struct ImageBuild
{
	const RegistryModel *model;
	MemoryContext context;		/* of all this */
	Snapshot	snapshot;
	mb_memory	memory;
	mb_arena	arena;
	Documents	documents;
	mb_config	config;
	mb_sentence_settings settings;
	const pg_uuid_t **tensors;	/* by slot; NULL: not filled */
	mb_dtype   *dtypes;			/* by slot */
	mb_image_content content;
	mb_image_plan plan;
	void	   *workspace;		/* of the writer; NULL: not needed yet */
	ImagePut	put;			/* takes the image's bytes */
	void	   *put_context;
	RegistryTensorReader *reader;	/* of the tensor being read; or NULL */
	uint64		bytes;			/* of all tensors as stored */
	uint64		bytes_done;		/* of these, read */
	TimestampTz told_at;		/* how far it is */
	ErrorData  *failure;		/* of the server, caught while reading */
};

mb_precision
image_precision(const RegistryModel *model)
{
	mb_precision precision;

	if (!mb_precision_from_name(model->precision, &precision))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("model \"%s\" has precision \"%s\", which this version does not know",
						model->name, model->precision)));
	return precision;
}

/* ----------
 * Planning
 * ----------
 */

/* Note a tensor that fills a slot, if it is what the network wants there. */
static void
fill_slot(ImageBuild *build, size_t index, const RegistryTensor *tensor)
{
	RegistryTensorInfo info;
	mb_slot		slot;

	mb_slot_get(&build->config, index, &slot);
	if (!registry_tensor_info(&tensor->id, build->snapshot, &info))
		registry_incomplete(build->model,
							psprintf("Its tensor \"%s\" is missing.",
									 slot.name));
	ENGINE_CALL(mb_checkpoint_shape, &slot, slot.name, info.rank, info.shape);
	build->tensors[index] = &tensor->id;
	build->dtypes[index] = info.dtype;
}

static void
read_slots(ImageBuild *build)
{
	size_t		slots = mb_slot_count(&build->config);
	bool	   *present = palloc0(slots * sizeof(bool));
	RegistryTensor *tensors;
	int			count;
	int			i;

	build->tensors = palloc0(slots * sizeof(pg_uuid_t *));
	build->dtypes = palloc0(slots * sizeof(mb_dtype));
	tensors = registry_tensors(build->model, build->snapshot, &count);
	for (i = 0; i < count; i++)
	{
		ptrdiff_t	slot = mb_slot_index(&build->config, tensors[i].name);

		if (slot < 0)
			continue;
		present[slot] = true;
		fill_slot(build, (size_t) slot, &tensors[i]);
	}
	build->content.present = present;
	build->content.dtypes = build->dtypes;
	ENGINE_CALL(mb_checkpoint_complete, &build->config, present,
				&build->content.parts);
}

/* All of the content but the tensors' bytes. */
static void
read_content(ImageBuild *build)
{
	mb_image_content *content = &build->content;
	const mb_document *document = &build->documents.files[DOC_CONFIG];
	void	   *tokenizer;

	documents_init(&build->documents, &build->arena);
	documents_load_all(&build->documents, build->model, build->snapshot);
	documents_settings(&build->documents, &build->config, &build->settings);
	documents_tokenizer(&build->documents, &build->config, &build->settings,
						&tokenizer,
						&content->tokenizer_size);
	content->config = &build->config;
	content->settings = &build->settings;
	content->precision = image_precision(build->model);
	content->kernels = mb_kernels_current();
	content->key = build->model->image_key;
	content->tokenizer = tokenizer;
	content->document = document->text;
	content->document_size = document->length;
	read_slots(build);
}

ImageBuild *
image_build_begin(const RegistryModel *model)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "mobilebert image build",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	ImageBuild *build = palloc0(sizeof(ImageBuild));

	build->model = model;
	build->context = context;
	build->memory = mobilebert_memory(context);
	mb_arena_init(&build->arena, &build->memory, SIZE_MAX);
	build->snapshot = registry_snapshot();
	read_content(build);
	ENGINE_CALL(mb_image_plan_make, &build->content, &build->arena,
				&build->plan);
	MemoryContextSwitchTo(old);
	return build;
}

void
image_build_end(ImageBuild *build)
{
	UnregisterSnapshot(build->snapshot);
	MemoryContextDelete(build->context);
}

size_t
image_build_size(const ImageBuild *build)
{
	return build->plan.total_size;
}

/* ----------
 * Writing
 * ----------
 */

static uint64
stored_size(const ImageBuild *build, size_t slot)
{
	return mb_slot_size(&build->config, slot) *
		mb_dtype_size(build->dtypes[slot]);
}

/* The next bytes of a tensor; after the last of them there must be no more. */
static void
read_stored(ImageBuild *build, size_t index, uint64 offset, void *buffer,
			size_t size)
{
	uint64		stored = stored_size(build, index);
	mb_slot		slot;
	size_t		got;
	bool		whole;

	if (offset == 0)
		build->reader = registry_tensor_open(build->tensors[index],
											 build->snapshot);
	mb_slot_get(&build->config, index, &slot);
	got = registry_tensor_read(build->reader, buffer, size);
	if (got < size)
		registry_incomplete(build->model,
							psprintf("Its tensor \"%s\" has " UINT64_FORMAT
									 " of " UINT64_FORMAT " bytes.",
									 slot.name, offset + got, stored));
	if (offset + size < stored)
		return;
	whole = registry_tensor_at_end(build->reader);
	registry_tensor_close(build->reader);
	build->reader = NULL;
	if (whole)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("tensor \"%s\" of model \"%s\" has the wrong length in the registry",
					slot.name, build->model->name)));
}

/*
 * Tell the client of a large model how far it is, once a second: its first use
 * takes that long, and those after it do not.
 */
static void
tell_progress(ImageBuild *build, size_t size)
{
	build->bytes_done += size;
	if (build->bytes < PROGRESS_LARGE ||
		!mobilebert_progress_due(&build->told_at))
		return;
	ereport(NOTICE,
			(errmsg("model \"%s\" is made ready for its first use: " UINT64_FORMAT " of " UINT64_FORMAT " MB",
					build->model->name, build->bytes_done / PROGRESS_MEGABYTE,
					build->bytes / PROGRESS_MEGABYTE)));
}

/* mb_image_io's read */
static mb_status
read_tensor(void *context, size_t slot, uint64_t offset, void *buffer,
			size_t size, mb_error *err)
{
	ImageBuild *build = context;
	volatile mb_status status = MB_OK;

	PG_TRY();
	{
		read_stored(build, slot, offset, buffer, size);
		tell_progress(build, size);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(build->context);
		build->failure = CopyErrorData();
		FlushErrorState();
		status = mb_fail(err, MB_ERR_IO, "could not read a tensor");
	}
	PG_END_TRY();
	return status;
}

/* mb_image_io's put */
static mb_status
put_bytes(void *context, size_t offset, const void *bytes, size_t size,
		  mb_error *err)
{
	ImageBuild *build = context;

	return build->put(build->put_context, offset, bytes, size, err);
}

/* Aligned memory of the build's context, to be freed with it. */
static void *
make_workspace(const ImageBuild *build, size_t size)
{
	char	   *block = NULL;

	if (size <= MaxAllocHugeSize - WORKSPACE_ALIGN)
		block = MemoryContextAllocExtended(build->context,
										   size + WORKSPACE_ALIGN,
										   MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
	if (block == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("Packing the weights of model \"%s\" needs %zu bytes.",
						   build->model->name, size)));
	return (void *) TYPEALIGN(WORKSPACE_ALIGN, block);
}

static uint64
bytes_stored(const ImageBuild *build)
{
	uint64		bytes = 0;
	size_t		i;

	for (i = 0; i < build->plan.slots; i++)
		if (build->tensors[i] != NULL)
			bytes += stored_size(build, i);
	return bytes;
}

mb_status
image_build_write(ImageBuild *build, ImagePut put, void *context,
				  mb_error *err)
{
	size_t		size = mb_image_write_memory(&build->content, &build->plan);
	MemoryContext old = MemoryContextSwitchTo(build->context);
	mb_image_io io = {build, read_tensor, put_bytes};
	mb_status	status;

	if (build->workspace == NULL)
		build->workspace = make_workspace(build, size);
	build->put = put;
	build->put_context = context;
	build->bytes = bytes_stored(build);
	build->bytes_done = 0;
	build->told_at = GetCurrentTimestamp();
	status = mb_image_write(&build->content, &build->plan, &io,
							&mobilebert_cancel, build->workspace, size, err);
	if (build->failure != NULL)
		ReThrowError(build->failure);
	if (build->reader != NULL)
		registry_tensor_close(build->reader);
	build->reader = NULL;
	MemoryContextSwitchTo(old);
	return status;
}
