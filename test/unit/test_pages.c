/*-------------------------------------------------------------------------
 *
 * test_pages.c
 *	  Maps in large pages: contents, addresses, and that nothing stays.
 *
 *-------------------------------------------------------------------------
 */
#define _DEFAULT_SOURCE			/* MAP_ANONYMOUS */

#include "base/pages.h"

#include "tap.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const size_t sizes[] = {
	1, 4096, 4097, MB_LARGE_PAGE - 1, MB_LARGE_PAGE, MB_LARGE_PAGE + 1,
	3 * MB_LARGE_PAGE, 5 * MB_LARGE_PAGE + 12345
};

#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

/* Is any page of these mapped? */
static bool
mapped(const char *start, size_t size)
{
	size_t		page = (size_t) sysconf(_SC_PAGESIZE);
	size_t		at;

	for (at = 0; at < size; at += page)
		if (msync((char *) (uintptr_t) start + at, page, MS_ASYNC) == 0)
			return true;
	return false;
}

static bool
aligned(const void *p, size_t size)
{
	return p != NULL &&
		(size < MB_LARGE_PAGE || (uintptr_t) p % MB_LARGE_PAGE == 0);
}

static void
test_memory(void)
{
	bool		zero = true;
	bool		whole = true;
	bool		gone = true;
	size_t		i;
	size_t		k;

	for (i = 0; i < SIZES; i++)
	{
		unsigned char *p = mb_map_memory(sizes[i]);

		whole = whole && aligned(p, sizes[i]);
		for (k = 0; k < sizes[i]; k += 511)
		{
			zero = zero && p[k] == 0;
			p[k] = 1;
		}
		p[sizes[i] - 1] = 1;
		mb_unmap(p, sizes[i]);
		gone = gone && !mapped((char *) p, sizes[i]);
	}
	ok(whole, "memory begins where a large page does");
	ok(zero, "it is zero and can be written");
	ok(gone, "and given back");

	errno = 0;
	ok(mb_map_memory(SIZE_MAX) == NULL && errno == ENOMEM &&
	   mb_map_memory(SIZE_MAX - 3 * MB_LARGE_PAGE) == NULL,
	   "more than there is");
	mb_unmap(NULL, 5);
}

/* A mapping of a size leaves no page mapped after it. */
static bool
leaves_nothing(size_t size)
{
	size_t		space = size + 2 * MB_LARGE_PAGE;
	char	   *hole = mmap(NULL, space, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
							-1, 0);
	char	   *p;

	/* the system takes the hole again, or another: both must be empty after */
	munmap(hole, space);
	p = mb_map_memory(size);
	mb_unmap(p, size);
	return !mapped(hole, space);
}

static void
test_file(void)
{
	char		path[] = "/tmp/test_pages.XXXXXX";
	int			fd = mkstemp(path);
	unsigned char *bytes = malloc(sizes[SIZES - 1]);
	bool		equal = true;
	bool		whole = true;
	bool		gone = true;
	size_t		i;

	unlink(path);
	for (i = 0; i < sizes[SIZES - 1]; i++)
		bytes[i] = (unsigned char) (i * 2654435761u >> 24);
	for (i = 0; i < SIZES; i++)
	{
		const void *p;

		if (ftruncate(fd, 0) != 0 ||
			pwrite(fd, bytes, sizes[i], 0) != (ssize_t) sizes[i])
			break;
		p = mb_map_file(fd, sizes[i]);
		whole = whole && aligned(p, sizes[i]);
		equal = equal && memcmp(p, bytes, sizes[i]) == 0;
		mb_unmap(p, sizes[i]);
		gone = gone && !mapped(p, sizes[i]) && leaves_nothing(sizes[i]);
	}
	ok(i == SIZES && whole, "a file begins where a large page does");
	ok(equal, "it is what was written");
	ok(gone, "and nothing stays mapped");
	close(fd);
	free(bytes);

	errno = 0;
	ok(mb_map_file(-1, 100) == NULL && errno == EBADF, "no such file");
	errno = 0;
	ok(mb_map_file(-1, 3 * MB_LARGE_PAGE) == NULL && errno == EBADF,
	   "no such file, and large");
}

static void
test_advice(void)
{
	char	   *p = malloc(3 * MB_LARGE_PAGE);

	errno = 77;
	mb_prefer_large_pages(p, 0);
	mb_prefer_large_pages(p, 100);
	mb_prefer_large_pages(p, 3 * MB_LARGE_PAGE);
	memset(p, 5, 3 * MB_LARGE_PAGE);
	ok(errno == 77 && p[MB_LARGE_PAGE] == 5 && p[0] == 5,
	   "advice changes neither memory nor errno");
	free(p);
}

int
main(void)
{
	test_memory();
	test_file();
	test_advice();
	return done_testing();
}
