/*-------------------------------------------------------------------------
 *
 * refuse.c
 *	  A disk that refuses, for faults.pl: preloaded into a server, it lets
 *	  writes fail with an error of the test's choice.
 *
 * The environment variable REFUSE names a file.  While there is such a file,
 * its first line, "ERRNO PART", says that writes to files whose path contains
 * PART fail with that number.  With EROFS making, opening for writing, renaming
 * and removing of such files fail as well, as in a file system that became
 * read-only; with EACCES making, renaming and removing alone, as in directories
 * without the right to write.  Everything else goes to the C library.
 *
 * Depends on nothing of ours.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* The error for a file of this path, or 0. */
static int
refused(const char *path)
{
	const char *control = getenv("REFUSE");
	char		line[PATH_MAX];
	int			(*next_open) (const char *, int,...);
	ssize_t		size;
	int			fd;
	char	   *part;

	if (control == NULL || path == NULL)
		return 0;
	next_open = (int (*) (const char *, int,...)) dlsym(RTLD_NEXT, "open");
	fd = next_open(control, O_RDONLY);
	if (fd < 0)
		return 0;
	size = read(fd, line, sizeof(line) - 1);
	close(fd);
	if (size <= 0)
		return 0;
	line[size] = '\0';
	line[strcspn(line, "\n")] = '\0';
	part = strchr(line, ' ');
	if (part == NULL || strstr(path, part + 1) == NULL)
		return 0;
	return atoi(line);
}

static int
refused_descriptor(int fd)
{
	int			before = errno;
	char		link[64];
	char		path[PATH_MAX];
	ssize_t		size;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	size = readlink(link, path, sizeof(path) - 1);
	errno = before;
	if (size <= 0)
		return 0;
	path[size] = '\0';
	size = refused(path);
	errno = before;
	return size == EACCES ? 0 : (int) size;
}

/* A name; others than absolute ones are below the server's data directory. */
static int
refused_name(const char *name)
{
	int			before = errno;
	char		path[2 * PATH_MAX];
	char		here[PATH_MAX];
	int			result;

	if (name != NULL && name[0] != '/' && getcwd(here, sizeof(here)) != NULL)
	{
		snprintf(path, sizeof(path), "%s/%s", here, name);
		name = path;
	}
	result = refused(name);
	errno = before;
	return result == EROFS || result == EACCES ? result : 0;
}

/* A function that fails with -1 and errno, where "refusal" gives an error. */
#define REFUSE(type, name, parameters, arguments, refusal) \
type \
name parameters \
{ \
	type		(*next) parameters = (type (*) parameters) dlsym(RTLD_NEXT, #name); \
	int			error = refusal; \
\
	if (error != 0) \
	{ \
		errno = error; \
		return -1; \
	} \
	return next arguments; \
}

#define REFUSE_WRITE(type, name, parameters, arguments) \
	REFUSE(type, name, parameters, arguments, refused_descriptor(fd))
#define REFUSE_NAME(name, parameters, arguments) \
	REFUSE(int, name, parameters, arguments, refused_name(path))

REFUSE_WRITE(ssize_t, write, (int fd, const void *data, size_t size),
			 (fd, data, size))
REFUSE_WRITE(ssize_t, writev, (int fd, const struct iovec *parts, int count),
			 (fd, parts, count))
REFUSE_WRITE(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at),
			 (fd, data, size, at))
REFUSE_WRITE(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t at),
			 (fd, data, size, at))
REFUSE_WRITE(ssize_t, pwritev, (int fd, const struct iovec *parts, int count, off_t at),
			 (fd, parts, count, at))
REFUSE_WRITE(ssize_t, pwritev64, (int fd, const struct iovec *parts, int count, off64_t at),
			 (fd, parts, count, at))
REFUSE_WRITE(int, ftruncate, (int fd, off_t size), (fd, size))
REFUSE_WRITE(int, ftruncate64, (int fd, off64_t size), (fd, size))

/* These give the error back instead of setting it. */
#define REFUSE_ALLOCATION(name, offset) \
int \
name(int fd, offset at, offset size) \
{ \
	int			(*next) (int, offset, offset) = \
	(int (*) (int, offset, offset)) dlsym(RTLD_NEXT, #name); \
	int			error = refused_descriptor(fd); \
\
	return error != 0 ? error : next(fd, at, size); \
}

REFUSE_ALLOCATION(posix_fallocate, off_t)
REFUSE_ALLOCATION(posix_fallocate64, off64_t)

#define REFUSE_OPEN(name) \
int \
name(const char *path, int flags,...) \
{ \
	int			(*next) (const char *, int,...) = \
	(int (*) (const char *, int,...)) dlsym(RTLD_NEXT, #name); \
	mode_t		mode = 0; \
	int			error = 0; \
	va_list		rest; \
\
	if (flags & O_CREAT) \
	{ \
		va_start(rest, flags); \
		mode = va_arg(rest, mode_t); \
		va_end(rest); \
	} \
	if ((flags & O_CREAT) || (flags & O_ACCMODE) != O_RDONLY) \
		error = refused_name(path); \
	if (error == EACCES && !(flags & O_CREAT)) \
		error = 0; \
	if (error != 0) \
	{ \
		errno = error; \
		return -1; \
	} \
	return next(path, flags, mode); \
}

REFUSE_OPEN(open)
REFUSE_OPEN(open64)

REFUSE_NAME(mkdir, (const char *path, mode_t mode), (path, mode))
REFUSE_NAME(rename, (const char *path, const char *to), (path, to))
REFUSE_NAME(unlink, (const char *path), (path))
