/*-------------------------------------------------------------------------
 *
 * pages.c
 *	  Memory in large pages.
 *
 * A large page needs an address that is a multiple of its size, which the
 * system gives to files on some file systems only: a mapping begins as
 * a reservation that is larger by one page, of which the excess is given back.
 *
 * Depends on base/pages.h, mmap of POSIX and madvise of Linux.
 *
 *-------------------------------------------------------------------------
 */
#define _DEFAULT_SOURCE			/* MAP_ANONYMOUS, madvise */

#include "base/pages.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

/* Where a large page begins, at or after an address. */
static char *
large_page(void *start)
{
	uintptr_t	address = (uintptr_t) start;

	return (char *) start +
		(MB_LARGE_PAGE - address % MB_LARGE_PAGE) % MB_LARGE_PAGE;
}

static void *
refused(int error)
{
	errno = error;
	return NULL;
}

/* Addresses that a mapping of so many bytes takes: whole large pages. */
static size_t
extent(size_t size)
{
	return size < MB_LARGE_PAGE ? size :
		(size + MB_LARGE_PAGE - 1) / MB_LARGE_PAGE * MB_LARGE_PAGE;
}

/* Addresses for a mapping of so many bytes; NULL: none. */
static char *
reserve(size_t size)
{
	size_t		all = extent(size) + MB_LARGE_PAGE;
	char	   *start;
	char	   *first;
	char	   *end;

	if (size > SIZE_MAX - 2 * MB_LARGE_PAGE)
		return refused(ENOMEM);
	start = mmap(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (start == MAP_FAILED)
		return NULL;
	first = large_page(start);
	end = first + extent(size);
	if (first > start)
		(void) munmap(start, (size_t) (first - start));
	if (end < start + all)
		(void) munmap(end, (size_t) (start + all - end));
	return first;
}

static void *
map_pages(size_t size, int protection, int flags, int fd)
{
	char	   *at = NULL;
	void	   *start;

	if (size >= MB_LARGE_PAGE)
	{
		at = reserve(size);
		if (at == NULL)
			return NULL;
		flags |= MAP_FIXED;
	}
	start = mmap(at, size, protection, flags, fd, 0);
	if (start == MAP_FAILED)
	{
		int			error = errno;

		if (at != NULL)
			(void) munmap(at, extent(size));
		return refused(error);
	}
	mb_prefer_large_pages(start, size);
	return start;
}

const void *
mb_map_file(int fd, size_t size)
{
	return map_pages(size, PROT_READ, MAP_SHARED, fd);
}

void *
mb_map_memory(size_t size)
{
	return map_pages(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

void
mb_unmap(const void *start, size_t size)
{
	if (start != NULL)
		(void) munmap((void *) (uintptr_t) start, extent(size));
}

void
mb_prefer_large_pages(void *start, size_t size)
{
#ifdef MADV_HUGEPAGE
	char	   *first = large_page(start);
	char	   *end = (char *) start + size;

	if (first < end && (size_t) (end - first) >= MB_LARGE_PAGE)
	{
		int			error = errno;

		/* systems that have none say so, and all is as before */
		(void) madvise(first, (size_t) (end - first), MADV_HUGEPAGE);
		errno = error;
	}
#else
	(void) start;
	(void) size;
#endif
}
