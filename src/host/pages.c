/* SPDX-License-Identifier: MIT */
#include "host/host.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "base/pagemap.h"

/*
 * Which pages of the calling process are there, read from /proc/self/pagemap:
 * by PAGEMAP_SCAN (Linux 6.7 on), else by reading its words. See
 * Documentation/admin-guide/mm/pagemap.rst in the kernel's sources.
 */

#define REGIONS 64

/* A walk over the pages of a range that have any of the categories. */
struct page_walk {
	struct vmsi_range range;
	uint64_t categories; /* VMSI_PAGE_IS_* */
	uint64_t told;       /* further categories that tell regions apart */
	/* Called with each region in order; false ends the walk. */
	bool (*visit)(struct page_walk *walk, const struct vmsi_page_region *region);
	bool ended;
};

static void visit(struct page_walk *walk, const struct vmsi_page_region *region)
{
	walk->ended = walk->ended || !walk->visit(walk, region);
}

static int walk_by_scan(int fd, struct page_walk *walk)
{
	/* Cleared for valgrind, which does not know what the ioctl writes. */
	struct vmsi_page_region regions[REGIONS] = { { 0, 0, 0 } };
	struct vmsi_page_scan argument = {
		.size = sizeof(argument),
		.start = walk->range.start,
		.end = walk->range.end,
		.vector = (uintptr_t)regions,
		.vector_length = REGIONS,
		.category_anyof_mask = walk->categories,
		.return_mask = VMSI_PAGE_IS_PFNZERO | VMSI_PAGE_IS_HUGE |
			walk->told,
	};

	while (argument.start < argument.end && !walk->ended) {
		long found = vmsi_host.pagemap_scan(fd, &argument);

		/* Before Linux 6.15 the kernel does not know of guards. */
		if (found == -EINVAL &&
		    argument.return_mask & VMSI_PAGE_IS_GUARD) {
			argument.return_mask &= ~(uint64_t)VMSI_PAGE_IS_GUARD;
			continue;
		}
		if (found < 0)
			return (int)found;
		for (long i = 0; i < found; i++)
			visit(walk, &regions[i]);
		argument.start = argument.walk_end;
	}
	return 0;
}

static uint64_t wanted_bits(const struct page_walk *walk)
{
	uint64_t wanted = 0;

	if (walk->categories & VMSI_PAGE_IS_PRESENT)
		wanted |= VMSI_PAGEMAP_PRESENT;
	if (walk->categories & VMSI_PAGE_IS_SWAPPED)
		wanted |= VMSI_PAGEMAP_SWAPPED;
	return wanted;
}

static uint64_t categories_of(uint64_t word)
{
	return (word & VMSI_PAGEMAP_PRESENT ? VMSI_PAGE_IS_PRESENT : 0u) |
		(word & VMSI_PAGEMAP_SWAPPED ? VMSI_PAGE_IS_SWAPPED : 0u) |
		(word & VMSI_PAGEMAP_FILE ? VMSI_PAGE_IS_FILE : 0u) |
		(word & VMSI_PAGEMAP_GUARD ? VMSI_PAGE_IS_GUARD : 0u);
}

static int walk_by_reading(int fd, struct page_walk *walk)
{
	const size_t page_size = vmsi_page_size();
	const uint64_t wanted = wanted_bits(walk);
	uint64_t words[256] = { 0 };
	uintptr_t address = walk->range.start;

	while (address < walk->range.end && !walk->ended) {
		size_t pages = (walk->range.end - address) / page_size;
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
		for (size_t i = 0; i < pages; i++, address += page_size)
			if (words[i] & wanted)
				visit(walk, &(struct vmsi_page_region){
					address, address + page_size,
					categories_of(words[i]) & walk->told });
	}
	return 0;
}

/* An older kernel, or one that is emulated, does not know the request. */
static bool lacks_scan(int error)
{
	return error == -ENOTTY || error == -EINVAL || error == -ENOSYS;
}

static int walk_pages(struct page_walk *walk)
{
	long fd = vmsi_host.open("/proc/self/pagemap");
	int error;

	if (fd < 0)
		return (int)fd;
	error = walk_by_scan((int)fd, walk);
	if (lacks_scan(error))
		error = walk_by_reading((int)fd, walk);
	vmsi_host.close((int)fd);
	return error;
}

/* --- what is asked -------------------------------------------------------- */

/*
 * End the walk at a page other than the shared zero page. A huge zero page ends
 * it too: the host keeps the charge of memory with one, as of memory written
 * to.
 */
static bool pass_zero_page(struct page_walk *walk,
			   const struct vmsi_page_region *region)
{
	(void)walk;
	return (region->categories & VMSI_PAGE_IS_PFNZERO) &&
		!(region->categories & VMSI_PAGE_IS_HUGE);
}

int vmsi_host_has_pages(struct vmsi_range range)
{
	struct page_walk walk = {
		.range = range,
		.categories = VMSI_PAGE_IS_PRESENT | VMSI_PAGE_IS_SWAPPED,
		.visit = pass_zero_page,
	};

	if (walk_pages(&walk) < 0)
		return 1;
	return walk.ended;
}

/* A walk that ends at the first page. */
struct first_walk {
	struct page_walk walk;
	uintptr_t page;
};

static bool end_at_page(struct page_walk *walk,
			const struct vmsi_page_region *region)
{
	((struct first_walk *)walk)->page = region->start;
	return false;
}

int vmsi_host_first_page(struct vmsi_range range, uintptr_t *page)
{
	struct first_walk first = {
		.walk = {
			.range = range,
			.categories = VMSI_PAGE_IS_PRESENT | VMSI_PAGE_IS_SWAPPED,
			.visit = end_at_page,
		},
		.page = range.end,
	};
	int error = walk_pages(&first.walk);

	if (error == 0)
		*page = first.page;
	return error;
}

/* Whether the shared zero page is mapped at an address; -errno: not told. */
static int is_zero_page(uintptr_t page)
{
	struct page_walk walk = {
		.range = { page, page + vmsi_page_size() },
		.categories = VMSI_PAGE_IS_PRESENT,
		.visit = pass_zero_page,
	};
	long fd = vmsi_host.open("/proc/self/pagemap");
	int error;

	if (fd < 0)
		return (int)fd;
	error = walk_by_scan((int)fd, &walk);
	vmsi_host.close((int)fd);
	return error ? error : !walk.ended;
}

bool vmsi_host_has_zero_page(void)
{
	enum { UNKNOWN, YES, NO };
	static _Atomic int cached = UNKNOWN;
	const int known = atomic_load_explicit(&cached, memory_order_relaxed);
	long page;
	int answer;

	if (known != UNKNOWN)
		return known == YES;
	page = vmsi_host.mmap(0, vmsi_page_size(), PROT_READ,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page < 0)
		return true;
	/* cppcheck-suppress nullPointerRedundantCheck ; it is not 0 */
	(void)*(volatile const char *)(uintptr_t)page;
	answer = is_zero_page((uintptr_t)page);
	vmsi_host.munmap((uintptr_t)page, vmsi_page_size());
	/* A kernel that lacks the request will not have it later. */
	if (answer >= 0 || answer == -ENOTTY || answer == -EINVAL)
		atomic_store_explicit(&cached, answer == 0 ? NO : YES,
				      memory_order_relaxed);
	return answer != 0;
}

/* A walk that counts the bytes that it has worked on. */
struct byte_walk {
	struct page_walk walk;
	size_t bytes;
	size_t most; /* for clear_bytes: ends before there are more */
};

static bool count_bytes(struct page_walk *walk,
			const struct vmsi_page_region *region)
{
	struct byte_walk *count = (struct byte_walk *)walk;

	count->bytes += region->end - region->start;
	return true;
}

int vmsi_host_resident(struct vmsi_range range, size_t *bytes)
{
	struct byte_walk count = {
		.walk = {
			.range = range,
			.categories = VMSI_PAGE_IS_PRESENT,
			.visit = count_bytes,
		},
	};
	int error = walk_pages(&count.walk);

	if (error == 0)
		*bytes = count.bytes;
	return error;
}

/* A walk that adds up bytes by what their pages are. */
struct kind_walk {
	struct page_walk walk;
	struct vmsi_page_kinds kinds;
};

static bool count_kinds(struct page_walk *walk,
			const struct vmsi_page_region *region)
{
	struct vmsi_page_kinds *kinds = &((struct kind_walk *)walk)->kinds;
	const uint64_t length = region->end - region->start;
	const uint64_t is = region->categories;

	if (is & (VMSI_PAGE_IS_PFNZERO | VMSI_PAGE_IS_GUARD))
		return true;
	if (is & VMSI_PAGE_IS_SWAPPED)
		kinds->swapped += length;
	else if (is & VMSI_PAGE_IS_FILE)
		kinds->file += length;
	else
		kinds->anonymous += length;
	return true;
}

/* By PAGEMAP_SCAN at once, or else each place by itself. */
static int walk_places(int fd, const struct vmsi_page_places *places,
		       struct page_walk *walk)
{
	int error;

	walk->range = places->all;
	error = walk_by_scan(fd, walk);
	if (!lacks_scan(error))
		return error;
	for (error = 0; !error && places->next(places->context, &walk->range);)
		error = walk_by_reading(fd, walk);
	return error;
}

int vmsi_host_page_kinds(const struct vmsi_page_places *places,
			 struct vmsi_page_kinds *kinds)
{
	struct kind_walk count = {
		.walk = {
			.categories = VMSI_PAGE_IS_PRESENT | VMSI_PAGE_IS_SWAPPED,
			.told = VMSI_PAGE_IS_SWAPPED | VMSI_PAGE_IS_FILE |
				VMSI_PAGE_IS_GUARD,
			.visit = count_kinds,
		},
	};
	const long fd = vmsi_host.open("/proc/self/pagemap");
	int error;

	if (fd < 0)
		return (int)fd;
	error = walk_places((int)fd, places, &count.walk);
	vmsi_host.close((int)fd);
	if (!error)
		*kinds = count.kinds;
	return error;
}

static bool clear_bytes(struct page_walk *walk,
			const struct vmsi_page_region *region)
{
	struct byte_walk *clear = (struct byte_walk *)walk;
	const size_t length = region->end - region->start;

	if (region->categories & VMSI_PAGE_IS_PFNZERO)
		return true;
	if (length > clear->most - clear->bytes)
		return false;
	memset((void *)(uintptr_t)region->start, 0, length);
	clear->bytes += length;
	return true;
}

bool vmsi_host_clear_pages(struct vmsi_range range, size_t most)
{
	struct byte_walk clear = {
		.walk = {
			.range = range,
			.categories = VMSI_PAGE_IS_PRESENT | VMSI_PAGE_IS_SWAPPED,
			.visit = clear_bytes,
		},
		.most = most,
	};

	return walk_pages(&clear.walk) == 0 && !clear.walk.ended;
}
