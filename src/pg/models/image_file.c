/*-------------------------------------------------------------------------
 *
 * image_file.c
 *	  Weight images as files that all backends map.
 *
 * An image is derived data: the registry is the truth.  It lies in a directory
 * below the data directory whose name begins with "pgsql_tmp", which backups
 * leave out, under a name made of database, content, instruction set and
 * precision.  It is
 * written under a temporary name, flushed and renamed, so that whoever finds it
 * finds all of it; a backend that finds none, or a wrong one, makes it anew.
 * One maker at a time: an advisory lock of a class that SQL cannot take (the
 * processes of one parallel query do not exclude each other, but then each
 * writes a temporary file of its own).  Maps survive the removal of the file,
 * so removing is always safe.
 *
 * Damage.  Opening checks the head and the size; the data's CRC costs a reading
 * of the whole file and is compared once a server start: a small ".ok" file
 * beside the image names the start it was checked under.
 *
 * When the disk refuses (full, read-only, no rights) the image is made in
 * private memory instead, with a message in the log.
 *
 * Depends on server/pg.h, server/adapt.h, models/registry.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "models/image_file.h"
#include "models/registry.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/file_perm.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#define IMAGE_DIRECTORY "pgsql_tmp_mobilebert"
#define IMAGE_SUFFIX ".image"

/* Seconds that a file of an unknown model is left alone: it may belong to a
 * transaction that has not committed yet. */
#define IMAGE_GRACE 60
#define TEMPORARY_GRACE 3600

/* Bytes between looks at a pending cancel. */
#define STEP (4 * 1024 * 1024)

/* What an image is made of, read from the registry under one snapshot. */
typedef struct ImageSource
{
	const RegistryModel *model;
	Snapshot	snapshot;
	MemoryContext context;
	mb_memory	memory;
	mb_arena	arena;
	mb_config	config;
	mb_sentence_settings settings;
	bytea	   *document;
	void	   *tokenizer;
	size_t		tokenizer_size;
	RegistryTensor **tensors;	/* by slot; NULL: not filled */
	uint32		parts;
	mb_image_plan plan;
} ImageSource;

/*
 * Where the bytes go: memory, or a file.  That is written in pieces of a large
 * page each, so that the file system may keep it in such (pages.h).
 */
typedef struct ImageSink
{
	int			fd;				/* -1: memory */
	char	   *memory;			/* all of it, or [PIECE] on its way to the file */
	size_t		position;
	uint32		crc;
	int			error;			/* errno of the first failed write */
} ImageSink;

#define PIECE MB_LARGE_PAGE

static char *
image_path(const RegistryModel *model)
{
	char		hex[PG_SHA256_DIGEST_STRING_LENGTH];

	registry_hex(model->image_key, hex);
	return psprintf("%s/%u.%s.%s.%s%s", IMAGE_DIRECTORY, MyDatabaseId, hex,
					mb_kernels_current()->name, model->precision,
					IMAGE_SUFFIX);
}

/* A dump may hold models of a newer version. */
static mb_precision
precision_of(const RegistryModel *model)
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
 * Reading the registry
 * ----------
 */

static mb_json *
parse_file(ImageSource *source, const char *name, bytea **content)
{
	bytea	   *file = registry_file(&source->model->id, name,
									 source->snapshot);
	mb_json    *root = NULL;
	mb_error	err;

	if (content != NULL)
		*content = file;
	if (file != NULL)
		mobilebert_check(mb_json_parse(VARDATA(file),
									   VARSIZE(file) - VARHDRSZ, name, true,
									   &source->arena, &mobilebert_cancel,
									   &root, &err), &err);
	return root;
}

static void
read_document(ImageSource *source, const char *name, mb_document *document)
{
	bytea	   *file = registry_file(&source->model->id, name,
									 source->snapshot);

	if (file == NULL)
		return;
	document->text = VARDATA(file);
	document->length = VARSIZE(file) - VARHDRSZ;
}

static void
read_settings(ImageSource *source)
{
	mb_error	err;
	mb_json    *config = parse_file(source, "config.json", &source->document);

	if (config == NULL)
		registry_no_configuration(source->model);
	mobilebert_check(mb_config_read(config, &source->config, &err), &err);
	mobilebert_check(mb_sentence_settings_read(
											   parse_file(source, "modules.json", NULL),
											   parse_file(source, "1_Pooling/config.json", NULL),
											   parse_file(source, "sentence_bert_config.json", NULL),
											   &source->settings, &err), &err);
}

static void
read_tokenizer(ImageSource *source)
{
	mb_tokenizer_files files;
	mb_error	err;

	memset(&files, 0, sizeof(files));
	read_document(source, "tokenizer.json", &files.tokenizer_json);
	read_document(source, "vocab.txt", &files.vocab_txt);
	read_document(source, "tokenizer_config.json", &files.tokenizer_config);
	read_document(source, "special_tokens_map.json",
				  &files.special_tokens_map);
	read_document(source, "added_tokens.json", &files.added_tokens);
	mobilebert_check(mb_tokenizer_build(&files, &source->arena,
										&mobilebert_cancel, &source->tokenizer,
										&source->tokenizer_size, &err), &err);
}

static void
read_slots(ImageSource *source)
{
	size_t		slots = mb_slot_count(&source->config);
	bool	   *present = palloc0(slots * sizeof(bool));
	mb_dtype   *dtypes = palloc0(slots * sizeof(mb_dtype));
	RegistryTensor *tensors;
	RegistryTensorInfo info;
	mb_error	err;
	int			count;
	int			i;

	source->tensors = palloc0(slots * sizeof(RegistryTensor *));
	tensors = registry_tensors(&source->model->id, source->snapshot, &count);
	for (i = 0; i < count; i++)
	{
		ptrdiff_t	slot = mb_slot_index(&source->config, tensors[i].name);

		if (slot < 0)
			continue;
		present[slot] = true;
		source->tensors[slot] = &tensors[i];
		if (registry_tensor_info(tensors[i].sha256, source->snapshot, &info))
			dtypes[slot] = info.dtype;
	}
	mobilebert_check(mb_checkpoint_complete(&source->config, present,
											&source->parts, &err), &err);
	mobilebert_check(mb_image_plan_make(&source->config, mb_kernels_current(),
										precision_of(source->model), present,
										dtypes, source->tokenizer_size,
										VARSIZE(source->document) - VARHDRSZ,
										&source->arena, &source->plan, &err),
					 &err);
}

static void
source_begin(ImageSource *source, const RegistryModel *model)
{
	source->model = model;
	source->context = AllocSetContextCreate(CurrentMemoryContext,
											"mobilebert image source",
											ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(source->context);
	source->memory = mobilebert_memory(source->context);
	mb_arena_init(&source->arena, &source->memory, SIZE_MAX);
	source->snapshot = registry_snapshot();
	read_settings(source);
	read_tokenizer(source);
	read_slots(source);
}

/* ----------
 * Writing the bytes
 * ----------
 */

/* Bytes at an offset of the file */
static void
sink_write(ImageSink *sink, const char *bytes, size_t size, size_t offset)
{
	while (size > 0 && sink->error == 0)
	{
		ssize_t		written = pwrite(sink->fd, bytes, size, (off_t) offset);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
		{
			sink->error = written < 0 ? errno : ENOSPC;
			return;
		}
		bytes += written;
		size -= (size_t) written;
		offset += (size_t) written;
	}
}

static void
sink_put(ImageSink *sink, const void *data, size_t size)
{
	const char *bytes = data;

	sink->crc = mb_crc32c(sink->crc, data, size);
	if (sink->fd < 0)
	{
		memcpy(sink->memory + sink->position, data, size);
		sink->position += size;
		return;
	}
	while (size > 0 && sink->error == 0)
	{
		size_t		at = sink->position % PIECE;
		size_t		some = Min(size, PIECE - at);

		memcpy(sink->memory + at, bytes, some);
		bytes += some;
		size -= some;
		sink->position += some;
		if (at + some == PIECE)
			sink_write(sink, sink->memory, PIECE, sink->position - PIECE);
	}
}

/* What is left of the last piece, and the head, which was left free. */
static void
sink_close(ImageSink *sink, const char *head, size_t size)
{
	if (sink->fd < 0)
	{
		memcpy(sink->memory, head, size);
		return;
	}
	sink_write(sink, sink->memory, sink->position % PIECE,
			   sink->position - sink->position % PIECE);
	sink_write(sink, head, size, 0);
}

/* Zeros up to an offset. */
static void
sink_seek(ImageSink *sink, size_t offset)
{
	static const char zeros[4096] = {0};

	while (sink->error == 0 && sink->position < offset)
		sink_put(sink, zeros, Min(sizeof(zeros), offset - sink->position));
}

/*
 * One tensor on its way from stored bytes to floats, which go to the sink as
 * they come, or are collected where they have to be packed.
 */
typedef struct TensorStream
{
	ImageSink  *sink;
	float	   *rows;			/* next float to collect; NULL: to the sink */
	mb_dtype	dtype;
	size_t		element;		/* bytes of a stored number */
	uint64		left;			/* stored bytes still to come */
	size_t		carry;			/* bytes of a number cut by a chunk border */
	char		partial[8];
	float	   *buffer;			/* [STREAM_FLOATS] */
	bool		too_long;
} TensorStream;

#define STREAM_FLOATS 65536

static void
stream_floats(TensorStream *stream, const char *data, size_t count)
{
	if (stream->rows != NULL)
	{
		mb_widen(stream->dtype, data, count, stream->rows);
		stream->rows += count;
		return;
	}
	while (count > 0)
	{
		size_t		n = Min(count, STREAM_FLOATS);

		mb_widen(stream->dtype, data, n, stream->buffer);
		sink_put(stream->sink, stream->buffer, n * sizeof(float));
		data += n * stream->element;
		count -= n;
	}
}

static void
stream_chunk(void *context, const char *data, size_t size)
{
	TensorStream *stream = context;

	if (size > stream->left)
	{
		stream->too_long = true;
		return;
	}
	stream->left -= size;
	if (stream->carry > 0)
	{
		size_t		n = Min(stream->element - stream->carry, size);

		memcpy(stream->partial + stream->carry, data, n);
		stream->carry += n;
		data += n;
		size -= n;
		if (stream->carry < stream->element)
			return;
		stream_floats(stream, stream->partial, 1);
		stream->carry = 0;
	}
	stream_floats(stream, data, size / stream->element);
	stream->carry = size % stream->element;
	memcpy(stream->partial, data + size - stream->carry, stream->carry);
}

/* Read a tensor of the registry into stream->rows or the sink. */
static void
read_tensor(ImageSource *source, size_t index, TensorStream *stream)
{
	const RegistryTensor *tensor = source->tensors[index];
	RegistryTensorInfo info;
	mb_slot		slot;
	mb_error	err;

	mb_slot_get(&source->config, index, &slot);
	if (!registry_tensor_info(tensor->sha256, source->snapshot, &info))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("tensor \"%s\" of model \"%s\" is missing in the registry",
						slot.name, source->model->name)));
	mobilebert_check(mb_checkpoint_shape(&slot, slot.name, info.rank,
										 info.shape, &err), &err);
	stream->dtype = info.dtype;
	stream->element = mb_dtype_size(info.dtype);
	stream->left = mb_slot_elements(&slot) * stream->element;
	registry_tensor_read(tensor->sha256, source->snapshot, stream_chunk,
						 stream);
	if (stream->too_long || stream->left != 0 || stream->carry != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("tensor \"%s\" of model \"%s\" has the wrong length in the registry",
						slot.name, source->model->name)));
}

/* A slot that goes to the sink as panels: the whole of it is needed at once. */
static void
write_panels(ImageSource *source, size_t index, ImageSink *sink)
{
	mb_format	format = (mb_format) source->plan.slot_formats[index];
	TensorStream stream;
	uint64_t	shape[2];
	size_t		size;
	float	   *rows;
	void	   *panels;

	/* the plan has found that these sizes fit */
	(void) mb_slot_linear(&source->config, index, shape);
	(void) mb_format_size(format, shape[1], shape[0], &size);
	rows = MemoryContextAllocHuge(CurrentMemoryContext,
								  shape[0] * shape[1] * sizeof(float));
	panels = MemoryContextAllocHuge(CurrentMemoryContext, size);
	memset(&stream, 0, sizeof(stream));
	stream.rows = rows;
	read_tensor(source, index, &stream);
	mb_format_pack(format, rows, shape[1], shape[0], panels);
	sink_put(sink, panels, size);
	pfree(rows);
	pfree(panels);
}

static void
write_tensor(ImageSource *source, size_t index, ImageSink *sink, float *buffer)
{
	TensorStream stream;

	if (source->plan.slot_formats[index] != MB_FORMAT_ROWS)
	{
		write_panels(source, index, sink);
		return;
	}
	memset(&stream, 0, sizeof(stream));
	stream.sink = sink;
	stream.buffer = buffer;
	read_tensor(source, index, &stream);
}

/* Everything behind the head, then the head; false: see sink->error. */
static bool
write_image(ImageSource *source, ImageSink *sink)
{
	const mb_image_plan *plan = &source->plan;
	float	   *buffer = palloc(STREAM_FLOATS * sizeof(float));
	char	   *head = palloc0(plan->head_size);
	uint32		crc;
	size_t		i;

	sink->position = plan->head_size;
	sink->crc = 0;
	sink_seek(sink, plan->tokenizer_offset);
	sink_put(sink, source->tokenizer, source->tokenizer_size);
	sink_seek(sink, plan->document_offset);
	sink_put(sink, VARDATA(source->document), plan->document_size);
	for (i = 0; i < plan->slots && sink->error == 0; i++)
	{
		if (source->tensors[i] == NULL)
			continue;
		sink_seek(sink, plan->slot_offsets[i]);
		write_tensor(source, i, sink, buffer);
		CHECK_FOR_INTERRUPTS();
	}
	sink_seek(sink, plan->total_size);
	crc = sink->crc;
	mb_image_head(plan, &source->config, &source->settings, source->parts,
				  source->model->image_key, crc, head);
	sink_close(sink, head, plan->head_size);
	pfree(head);
	pfree(buffer);
	return sink->error == 0;
}

static void
disk_refused(const char *what, const char *path, int error)
{
	errno = error;
	ereport(LOG,
			(errcode_for_file_access(),
			 errmsg("could not %s weight image \"%s\": %m", what, path),
			 errdetail("This session keeps the weights in private memory.")));
}

/* Write the file and give it its name; false when the disk refuses. */
static bool
make_file(ImageSource *source, const char *path)
{
	char	   *temporary = psprintf("%s.tmp.%d", path, MyProcPid);
	ImageSink	sink = {0, NULL, 0, 0, 0};
	bool		done = false;

	if (MakePGDirectory(IMAGE_DIRECTORY) < 0 && errno != EEXIST)
	{
		disk_refused("make the directory of", path, errno);
		return false;
	}
	/* what can fail comes before there is a file to remove */
	sink.memory = palloc0(PIECE);
	sink.fd = OpenTransientFilePerm(temporary,
									O_RDWR | O_CREAT | O_TRUNC | PG_BINARY,
									pg_file_create_mode);
	if (sink.fd < 0)
	{
		disk_refused("create", temporary, errno);
		return false;
	}
	PG_TRY();
	{
		if (!write_image(source, &sink))
			disk_refused("write", temporary, sink.error);
		else if (pg_fsync(sink.fd) != 0)
			disk_refused("flush", temporary, errno);
		else
			done = true;
	}
	PG_CATCH();
	{
		unlink(temporary);
		PG_RE_THROW();
	}
	PG_END_TRY();
	CloseTransientFile(sink.fd);
	pfree(sink.memory);
	if (done && durable_rename(temporary, path, LOG) != 0)
		done = false;
	if (!done)
		unlink(temporary);
	return done;
}

/* ----------
 * Mapping
 * ----------
 */

/* Is the image checked since this server started, or can it be now? */
static bool
data_verified(const char *path, const mb_image *image, const char *bytes,
			  size_t size)
{
	char	   *stamp_path = psprintf("%s.ok", path);
	struct
	{
		TimestampTz start;
		uint32		crc;
		uint32		zero;
	}			stamp = {PgStartTime, image->data_crc, 0}, found = {0, 0, 0};
	uint32		crc = 0;
	size_t		at;
	int			fd;

	fd = OpenTransientFile(stamp_path, O_RDONLY | PG_BINARY);
	if (fd >= 0)
	{
		ssize_t		got = read(fd, &found, sizeof(found));

		CloseTransientFile(fd);
		if (got == sizeof(found) && memcmp(&found, &stamp, sizeof(stamp)) == 0)
			return true;
	}

	for (at = image->head_size; at < size; at += STEP)
	{
		crc = mb_crc32c(crc, bytes + at, Min((size_t) STEP, size - at));
		CHECK_FOR_INTERRUPTS();
	}
	if (crc != image->data_crc)
		return false;

	fd = OpenTransientFilePerm(stamp_path,
							   O_WRONLY | O_CREAT | O_TRUNC | PG_BINARY,
							   pg_file_create_mode);
	if (fd >= 0)
	{
		/* a stamp that cannot be written only costs the next one a check */
		ssize_t		put = write(fd, &stamp, sizeof(stamp));

		(void) put;
		CloseTransientFile(fd);
	}
	return true;
}

/* Map a file and bind the model in it; false when it has to be made. */
static bool
map_file(const RegistryModel *model, const char *path, MemoryContext context,
		 ImageBytes *bytes, mb_image *image)
{
	int			fd = OpenTransientFile(path, O_RDONLY | PG_BINARY);
	mb_memory	memory = mobilebert_memory(context);
	mb_arena	arena;
	struct stat st;
	const void *base = NULL;
	mb_error	err;
	volatile bool good = false;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		base = mb_map_file(fd, (size_t) st.st_size);
	CloseTransientFile(fd);
	if (base == NULL)
		return false;

	PG_TRY();
	{
		mb_status	status;

		mb_arena_init(&arena, &memory, SIZE_MAX);
		status = mb_image_open(base, (size_t) st.st_size,
							   mb_kernels_current(), precision_of(model),
							   model->image_key, &arena, image, &err);
		if (status == MB_ERR_MEMORY)
			mobilebert_raise(&err);
		if (status != MB_OK)
			ereport(LOG,
					(errmsg("weight image \"%s\" is made anew", path),
					 errdetail("%s", mobilebert_message(err.message))));
		else if (!data_verified(path, image, base, (size_t) st.st_size))
			ereport(LOG,
					(errmsg("weight image \"%s\" is made anew", path),
					 errdetail("Its checksum is wrong.")));
		else
			good = true;
	}
	PG_CATCH();
	{
		mb_unmap(base, (size_t) st.st_size);
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (!good)
	{
		mb_unmap(base, (size_t) st.st_size);
		return false;
	}
	bytes->bytes = base;
	bytes->size = (size_t) st.st_size;
	bytes->shared = true;
	return true;
}

/* The image in memory of this backend alone. */
static void
make_private(ImageSource *source, MemoryContext context, ImageBytes *bytes,
			 mb_image *image)
{
	mb_memory	memory = mobilebert_memory(context);
	size_t		size = source->plan.total_size;
	ImageSink	sink = {0, NULL, 0, 0, 0};
	mb_arena	arena;
	mb_error	err;

	sink.fd = -1;
	sink.memory = mb_map_memory(size);
	if (sink.memory == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("The weights of model \"%s\" need %zu bytes.",
						   source->model->name, size)));
	PG_TRY();
	{
		(void) write_image(source, &sink);
		mb_arena_init(&arena, &memory, SIZE_MAX);
		mobilebert_check(mb_image_open(sink.memory, size,
									   source->plan.kernels,
									   precision_of(source->model),
									   source->model->image_key, &arena, image,
									   &err), &err);
	}
	PG_CATCH();
	{
		mb_unmap(sink.memory, size);
		PG_RE_THROW();
	}
	PG_END_TRY();
	bytes->bytes = sink.memory;
	bytes->size = size;
	bytes->shared = false;
}

void
image_file_load(const RegistryModel *model, MemoryContext context,
				ImageBytes *bytes, mb_image *image)
{
	MemoryContext old = CurrentMemoryContext;
	char	   *path = image_path(model);
	ImageSource source;
	LOCKTAG		lock;
	uint32		lock_key;

	if (map_file(model, path, context, bytes, image))
		return;

	/* class 7: pg_advisory_lock and its kin use 1 and 2 */
	memcpy(&lock_key, model->image_key, sizeof(lock_key));
	SET_LOCKTAG_ADVISORY(lock, MyDatabaseId, lock_key, 0x6d62, 7);
	(void) LockAcquire(&lock, ExclusiveLock, false, false);
	if (!map_file(model, path, context, bytes, image))
	{
		source_begin(&source, model);
		MemoryContextSwitchTo(source.context);
		if (!make_file(&source, path) ||
			!map_file(model, path, context, bytes, image))
			make_private(&source, context, bytes, image);
		UnregisterSnapshot(source.snapshot);
		MemoryContextSwitchTo(old);
		MemoryContextDelete(source.context);
	}
	(void) LockRelease(&lock, ExclusiveLock, false);
}

void
image_file_unload(ImageBytes *bytes)
{
	mb_unmap(bytes->bytes, bytes->size);
	bytes->bytes = NULL;
}

/* ----------
 * Cleaning up
 * ----------
 */

#define KEY_DIGITS (2 * PG_SHA256_DIGEST_LENGTH)

/* "<database>.<KEY_DIGITS hexadecimal digits>.<...>" */
static bool
parse_name(const char *name, Oid *database, uint8 *image_key)
{
	char	   *end;
	unsigned long number = strtoul(name, &end, 10);

	if (end == name || *end != '.' || number > PG_UINT32_MAX ||
		strspn(end + 1, "0123456789abcdef") != KEY_DIGITS ||
		end[1 + KEY_DIGITS] != '.')
		return false;
	*database = (Oid) number;
	(void) hex_decode(end + 1, KEY_DIGITS, (char *) image_key);
	return true;
}

static bool
is_unused(const char *name, time_t age)
{
	Oid			database;
	uint8		image_key[PG_SHA256_DIGEST_LENGTH];

	if (strstr(name, ".tmp.") != NULL)
		return age > TEMPORARY_GRACE;
	if (age < IMAGE_GRACE || !parse_name(name, &database, image_key))
		return false;
	if (database == MyDatabaseId)
		return !registry_has_image(image_key);
	return !SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum(database));
}

void
image_file_clean(void)
{
	DIR		   *directory = AllocateDir(IMAGE_DIRECTORY);
	struct dirent *file;

	if (directory == NULL)
		return;
	while ((file = ReadDirExtended(directory, IMAGE_DIRECTORY, LOG)) != NULL)
	{
		char	   *path = psprintf("%s/%s", IMAGE_DIRECTORY, file->d_name);
		struct stat st;

		if (lstat(path, &st) == 0 && S_ISREG(st.st_mode) &&
			is_unused(file->d_name, time(NULL) - st.st_mtime))
			unlink(path);
		pfree(path);
	}
	FreeDir(directory);
}
