/* SPDX-License-Identifier: MIT */
#include "host/host.h"

#include <errno.h>

/*
 * Which pages of the calling process are there, read from /proc/self/pagemap:
 * by PAGEMAP_SCAN (Linux 6.7 on), else by reading its words. See
 * Documentation/admin-guide/mm/pagemap.rst in the kernel's sources.
 */

struct page_region {
	uint64_t start;
	uint64_t end;
	uint64_t categories;
};

/* struct pm_scan_arg of <linux/fs.h>, which older systems' headers lack. */
struct scan_argument {
	uint64_t size;
	uint64_t flags;
	uint64_t start;
	uint64_t end;
	uint64_t walk_end;
	uint64_t vector;
	uint64_t vector_length;
	uint64_t max_pages;
	uint64_t category_inverted;
	uint64_t category_mask;
	uint64_t category_anyof_mask;
	uint64_t return_mask;
};

_Static_assert(sizeof(struct scan_argument) == 96, "the kernel's layout");

#define PAGE_IS_PRESENT (1u << 3)
#define PAGE_IS_SWAPPED (1u << 4)
#define PAGE_IS_PFNZERO (1u << 5)
#define PAGE_IS_HUGE (1u << 6)

#define PAGEMAP_PRESENT (1ull << 63)
#define PAGEMAP_SWAPPED (1ull << 62)

#define REGIONS 64

/* A walk over the pagemap: what to count, and when to stop. */
struct page_count {
	struct vmsi_range range;
	uint64_t categories;   /* PAGE_IS_*: any of these counts */
	enum { COUNT_ZERO_PAGES, LEAVE_OUT_ZERO_PAGES } zero_pages;
	size_t stop_at;        /* bytes; SIZE_MAX: count all */
	size_t bytes;
};

/*
 * The shared zero page is what memory has that was only read. To the host a
 * huge one counts as memory of one's own.
 */
static bool counts(const struct page_count *count,
		   const struct page_region *region)
{
	return count->zero_pages == COUNT_ZERO_PAGES ||
		!(region->categories & PAGE_IS_PFNZERO) ||
		(region->categories & PAGE_IS_HUGE);
}

static int count_by_scan(int fd, struct page_count *count)
{
	/* Set, for tools that do not know what the call writes. */
	struct page_region regions[REGIONS] = { { 0, 0, 0 } };
	struct scan_argument argument = {
		.size = sizeof(argument),
		.start = count->range.start,
		.end = count->range.end,
		.vector = (uintptr_t)regions,
		.vector_length = REGIONS,
		.category_anyof_mask = count->categories,
		.return_mask = PAGE_IS_PFNZERO | PAGE_IS_HUGE,
	};

	while (argument.start < argument.end && count->bytes < count->stop_at) {
		long found = vmsi_host.pagemap_scan(fd, &argument);

		if (found < 0)
			return (int)found;
		for (long i = 0; i < found; i++)
			if (counts(count, &regions[i]))
				count->bytes +=
					regions[i].end - regions[i].start;
		argument.start = argument.walk_end;
	}
	return 0;
}

static int count_by_reading(int fd, struct page_count *count)
{
	const size_t page_size = vmsi_page_size();
	uint64_t wanted = 0;
	uint64_t words[256] = { 0 };
	uintptr_t address = count->range.start;

	if (count->categories & PAGE_IS_PRESENT)
		wanted |= PAGEMAP_PRESENT;
	if (count->categories & PAGE_IS_SWAPPED)
		wanted |= PAGEMAP_SWAPPED;
	while (address < count->range.end && count->bytes < count->stop_at) {
		size_t pages = (count->range.end - address) / page_size;
		long got;

		if (pages > 256)
			pages = 256;
		got = vmsi_host.pread(fd, words, pages * sizeof(words[0]),
				      address / page_size * sizeof(words[0]));
		if (got < 0)
			return (int)got;
		if (got < (long)sizeof(words[0]))
			return -EIO;
		pages = (size_t)got / sizeof(words[0]);
		for (size_t i = 0; i < pages; i++)
			if (words[i] & wanted)
				count->bytes += page_size;
		address += pages * page_size;
	}
	return 0;
}

static int count_pages(struct page_count *count)
{
	long fd = vmsi_host.open("/proc/self/pagemap");
	int error;

	if (fd < 0)
		return (int)fd;
	error = count_by_scan((int)fd, count);
	/* An older kernel, or one that is emulated, does not know the request. */
	if (error == -ENOTTY || error == -EINVAL || error == -ENOSYS) {
		count->bytes = 0;
		error = count_by_reading((int)fd, count);
	}
	vmsi_host.close((int)fd);
	return error;
}

int vmsi_host_has_pages(struct vmsi_range range)
{
	struct page_count count = {
		.range = range,
		.categories = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
		.zero_pages = LEAVE_OUT_ZERO_PAGES,
		.stop_at = 1,
	};

	if (count_pages(&count) < 0)
		return 1;
	return count.bytes > 0;
}

int vmsi_host_resident(struct vmsi_range range, size_t *bytes)
{
	struct page_count count = {
		.range = range,
		.categories = PAGE_IS_PRESENT,
		.stop_at = SIZE_MAX,
	};
	int error = count_pages(&count);

	if (error == 0)
		*bytes = count.bytes;
	return error;
}
