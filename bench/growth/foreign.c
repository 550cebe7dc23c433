/* SPDX-License-Identifier: MIT */
#include "foreign.h"

#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "pattern.h"

static size_t page_size(void)
{
	static size_t known;

	if (known == 0)
		known = (size_t)sysconf(_SC_PAGESIZE);
	return known;
}

static void drop(struct foreign *foreign, size_t index)
{
	void *page = foreign->pages[index];

	foreign->pages[index] = NULL;
	if (page && munmap(page, page_size()) != 0)
		pattern_fail("munmap");
}

void foreign_place(struct foreign *foreign, const char *end)
{
	const size_t length = page_size();
	void *wanted = (void *)(((uintptr_t)end + length - 1) & ~(length - 1));
	size_t index = foreign->next++ % FOREIGN_KEPT;
	uint64_t start = bench_now();
	void *page;

	drop(foreign, index);
	page = mmap(wanted, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
		    MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	if (page == wanted) {
		foreign->pages[index] = page;
		foreign->placed++;
	} else {
		/* Kernels before 4.17 take the address for a hint. */
		if (page != MAP_FAILED && munmap(page, length) != 0)
			pattern_fail("munmap");
		foreign->occupied++;
	}
	foreign->ns += bench_now() - start;
}

void foreign_clear(struct foreign *foreign)
{
	for (size_t i = 0; i < FOREIGN_KEPT; i++)
		drop(foreign, i);
}
