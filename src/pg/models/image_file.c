/*-------------------------------------------------------------------------
 *
 * image_file.c
 *	  Weight images as files that all backends map.
 *
 * An image is derived data: the registry is the truth.  It lies in a directory
 * below the data directory whose name begins with "pgsql_tmp", which backups
 * leave out, under a name made of database, content, instruction set and
 * precision.  It is written under a temporary name, flushed and renamed, so
 * that whoever finds it finds all of it; a backend that finds none, or a wrong
 * one, makes it anew.
 * What a maker that died left under its temporary name is removed by the next
 * session that uses its first model, or makes an image.
 * One maker at a time: an advisory lock of a class that SQL cannot take (the
 * processes of one parallel query do not exclude each other, but then each
 * writes a temporary file of its own).  Mappings survive the removal of the file,
 * so removing is always safe.
 *
 * Damage.  Opening checks the head and the size; the data's CRC costs a reading
 * of the whole file and is compared once a server start: a small ".ok" file
 * beside the image names the start it was checked under.
 *
 * Only regular files count.  Whatever else stands in their place (a link, a
 * pipe, a device) is not waited for, not read or written through, and replaced.
 *
 * When the disk refuses (full, read-only, no rights) the image is made in
 * private memory instead, with a message in the log.
 *
 * image_build.c reads what an image is made of; start at image_file_load().
 *
 * Depends on server/pg.h, server/adapt.h, models/image_build.h,
 * models/registry.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "models/image_build.h"
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
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#define IMAGE_DIRECTORY "pgsql_tmp_mobilebert"
#define IMAGE_SUFFIX ".image"
#define TEMPORARY_MARK ".tmp."

/* Seconds that a file of an unknown model is left alone: it may belong to a
 * transaction that has not committed yet. */
#define IMAGE_GRACE 60
#define TEMPORARY_GRACE 3600

/* Bytes between looks at a pending cancel. */
#define STEP (4 * 1024 * 1024)

#define PIECE MB_LARGE_PAGE

/*
 * A file that gets an image: in pieces of a large page each, so that the file
 * system may keep it in such (pages.h).
 */
typedef struct ImageFile
{
	int			fd;
	char	   *piece;			/* [PIECE], on its way to the file */
	size_t		position;		/* after the bytes put so far */
	int			error;			/* errno of the first failed write */
} ImageFile;

static char *
image_path(const RegistryModel *model)
{
	char		hex[PG_SHA256_DIGEST_STRING_LENGTH];

	registry_hex(model->image_key, hex);
	return psprintf("%s/%u.%s.%s.%s%s", IMAGE_DIRECTORY, MyDatabaseId, hex,
					mb_kernels_current()->name, model->precision,
					IMAGE_SUFFIX);
}

/* ----------
 * Making the file
 * ----------
 */

/* Bytes at an offset of the file; false when the disk refuses. */
static bool
file_write(ImageFile *file, const char *bytes, size_t size, size_t offset)
{
	while (size > 0)
	{
		ssize_t		written = pwrite(file->fd, bytes, size, (off_t) offset);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
		{
			file->error = written < 0 ? errno : ENOSPC;
			return false;
		}
		bytes += written;
		size -= (size_t) written;
		offset += (size_t) written;
	}
	return true;
}

/* What comes in order, by way of the piece; false as above. */
static bool
file_append(ImageFile *file, const char *bytes, size_t size)
{
	while (size > 0)
	{
		size_t		at = file->position % PIECE;
		size_t		some = Min(size, PIECE - at);

		memcpy(file->piece + at, bytes, some);
		bytes += some;
		size -= some;
		file->position += some;
		if (at + some == PIECE &&
			!file_write(file, file->piece, PIECE, file->position - PIECE))
			return false;
	}
	return true;
}

/* ImagePut: the head comes last, when the rest of the piece can go. */
static mb_status
file_put(void *context, size_t offset, const void *bytes, size_t size,
		 mb_error *err)
{
	ImageFile  *file = context;
	bool		good;

	if (offset > 0)
	{
		if (file->position == 0)
			file->position = offset;	/* the head is left free */
		good = file_append(file, bytes, size);
	}
	else
		good = file_write(file, file->piece, file->position % PIECE,
						  file->position - file->position % PIECE) &&
			file_write(file, bytes, size, 0);
	return good ? MB_OK :
		mb_fail(err, MB_ERR_IO, "could not write a weight image");
}

/* Open a regular file for reading, without waiting for a pipe; or -1. */
static int
open_regular(const char *path, struct stat *st)
{
	int			fd = OpenTransientFile(path, O_RDONLY | O_NONBLOCK |
									   O_NOFOLLOW | PG_BINARY);

	if (fd >= 0 && (fstat(fd, st) != 0 || !S_ISREG(st->st_mode)))
	{
		CloseTransientFile(fd);
		fd = -1;
	}
	return fd;
}

/* Make a new file in the place of whatever is there but a directory. */
static int
create_file(const char *path)
{
	(void) unlink(path);
	return OpenTransientFilePerm(path, O_RDWR | O_CREAT | O_EXCL | PG_BINARY,
								 pg_file_create_mode);
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
make_file(ImageBuild *build, const char *path)
{
	char	   *temporary = psprintf("%s" TEMPORARY_MARK "%d", path, MyProcPid);
	ImageFile	file = {-1, NULL, 0, 0};
	bool		done = false;

	if (MakePGDirectory(IMAGE_DIRECTORY) < 0 && errno != EEXIST)
	{
		disk_refused("make the directory of", path, errno);
		return false;
	}
	/* what can fail comes before there is a file to remove */
	file.piece = palloc0(PIECE);
	file.fd = create_file(temporary);
	if (file.fd < 0)
	{
		disk_refused("create", temporary, errno);
		return false;
	}
	PG_TRY();
	{
		mb_error	err;
		mb_status	status = image_build_write(build, file_put, &file, &err);

		if (file.error != 0)
			disk_refused("write", temporary, file.error);
		else if (status != MB_OK)
			mobilebert_raise(&err);
		else if (pg_fsync(file.fd) != 0)
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
	CloseTransientFile(file.fd);
	pfree(file.piece);
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
	struct stat st;
	int			fd;

	fd = open_regular(stamp_path, &st);
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

	fd = create_file(stamp_path);
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
	struct stat st;
	int			fd = open_regular(path, &st);
	mb_memory	memory = mobilebert_memory(context);
	mb_arena	arena;
	const void *base = NULL;
	mb_error	err;
	volatile bool good = false;

	if (fd < 0)
		return false;
	if (st.st_size > 0)
		base = mb_map_file(fd, (size_t) st.st_size);
	CloseTransientFile(fd);
	if (base == NULL)
		return false;

	PG_TRY();
	{
		mb_status	status;

		mb_arena_init(&arena, &memory, SIZE_MAX);
		status = mb_image_open(base, (size_t) st.st_size,
							   mb_kernels_current(), image_precision(model),
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

/* ImagePut: context is the image's memory */
static mb_status
memory_put(void *context, size_t offset, const void *bytes, size_t size,
		   mb_error *err)
{
	(void) err;
	memcpy((char *) context + offset, bytes, size);
	return MB_OK;
}

/* The image in memory of this backend alone. */
static void
make_private(const RegistryModel *model, ImageBuild *build,
			 MemoryContext context, ImageBytes *bytes, mb_image *image)
{
	mb_memory	memory = mobilebert_memory(context);
	size_t		size = image_build_size(build);
	void	   *base = mb_map_memory(size);
	mb_arena	arena;
	mb_error	err;

	if (base == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("The weights of model \"%s\" need %zu bytes.",
						   model->name, size)));
	PG_TRY();
	{
		mobilebert_check(image_build_write(build, memory_put, base, &err),
						 &err);
		mb_arena_init(&arena, &memory, SIZE_MAX);
		mobilebert_check(mb_image_open(base, size, mb_kernels_current(),
									   image_precision(model),
									   model->image_key, &arena, image, &err),
						 &err);
	}
	PG_CATCH();
	{
		mb_unmap(base, size);
		PG_RE_THROW();
	}
	PG_END_TRY();
	bytes->bytes = base;
	bytes->size = size;
	bytes->shared = false;
}

void
image_file_load(const RegistryModel *model, MemoryContext context,
				ImageBytes *bytes, mb_image *image)
{
	char	   *path = image_path(model);
	LOCKTAG		lock;
	uint32		lock_key;

	if (map_file(model, path, context, bytes, image))
		return;

	/* class 7: pg_advisory_lock and its variants use 1 and 2 */
	memcpy(&lock_key, model->image_key, sizeof(lock_key));
	SET_LOCKTAG_ADVISORY(lock, MyDatabaseId, lock_key, 0x6d62, 7);
	(void) LockAcquire(&lock, ExclusiveLock, false, false);
	if (!map_file(model, path, context, bytes, image))
	{
		ImageBuild *build;

		image_file_clean();		/* to make room */
		build = image_build_begin(model);
		if (!make_file(build, path) ||
			!map_file(model, path, context, bytes, image))
			make_private(model, build, context, bytes, image);
		image_build_end(build);
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

/*
 * A temporary file has the process id of its maker.  Another process may have
 * that id now, after a restart even of this server.
 */
static bool
maker_is_gone(const char *pid, time_t written)
{
	return BackendPidGetProc(atoi(pid)) == NULL ||
		written < timestamptz_to_time_t(PgStartTime) ||
		time(NULL) - written > TEMPORARY_GRACE;
}

static bool
is_unused(const char *name, time_t written)
{
	const char *temporary = strstr(name, TEMPORARY_MARK);
	time_t		age = time(NULL) - written;
	Oid			database;
	uint8		image_key[PG_SHA256_DIGEST_LENGTH];

	if (temporary != NULL)
		return maker_is_gone(temporary + strlen(TEMPORARY_MARK), written);
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
			is_unused(file->d_name, st.st_mtime))
			unlink(path);
		pfree(path);
	}
	FreeDir(directory);
}
