/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * Tests of what the host answers need a kernel. valgrind and qemu-user stand
 * between and answer some calls themselves, so each program that links this
 * first tries three things that every kernel from 5.10 on does, and skips all of
 * its cases where one fails.
 */

/* Private anonymous memory moves and stays mapped. */
static bool moves_and_keeps(char *page, size_t page_size)
{
	char *moved = mremap(page, page_size, page_size,
			     MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);

	if (moved == MAP_FAILED)
		return false;
	(void)munmap(moved, page_size);
	return true;
}

/* The pagemap tells of a page that was written to. */
static bool tells_pages(const char *page, size_t page_size)
{
	const uint64_t present = 1ull << 63;
	uint64_t word = present;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	/* Without /proc there is nothing to be found out. */
	if (fd < 0)
		return true;
	if (pread(fd, &word, sizeof(word), (off_t)((uintptr_t)page / page_size *
						   sizeof(word))) < 0)
		word = present;
	(void)close(fd);
	return word & present;
}

__attribute__((constructor)) static void need_a_real_kernel(void)
{
	const size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
	char *page = mmap(NULL, page_size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const char *missing = NULL;

	if (page == MAP_FAILED)
		return;
	*page = 1;
	if (!tells_pages(page, page_size))
		missing = "/proc/self/pagemap does not tell of a page";
	else if (madvise(page, page_size, 9999) == 0)
		missing = "madvise accepts what is no advice";
	else if (!moves_and_keeps(page, page_size))
		missing = "MREMAP_DONTUNMAP is refused";
	(void)munmap(page, page_size);
	if (!missing)
		return;
	(void)printf("1..0 # SKIP the kernel's calls are emulated here: %s\n",
		     missing);
	(void)fflush(stdout);
	_exit(0);
}
