/* SPDX-License-Identifier: MIT */
#include "growth/growth.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "host/host.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define HUGE_PAGES_ENABLED "/sys/kernel/mm/transparent_hugepage/enabled"

/* Up to here as much again as is used; then so much, until that is an eighth. */
#define POPULATE_EVEN ((size_t)512 << 10)

/* What has grown past its first page is committed so far. */
#define SMALL_LEAST ((size_t)64 << 10)

enum { UNKNOWN, NO, YES };

size_t vmsi_growth_ahead(size_t wanted, size_t maximum)
{
	const size_t huge = vmsi_huge_page_size();
	uintptr_t end;

	if (!vmsi_add(wanted, vmsi_max(wanted / 8, huge), &end) ||
	    !vmsi_align_up_checked(end, huge, &end))
		return maximum;
	return vmsi_min(end, maximum);
}

size_t vmsi_growth_from_small(size_t wanted, size_t maximum)
{
	size_t ahead;

	if (wanted >= vmsi_huge_page_size())
		return vmsi_growth_ahead(wanted, maximum);
	/* What is needed at first is often all; later, it has grown before. */
	ahead = wanted <= vmsi_page_size() ? wanted :
					     vmsi_max(2 * wanted, SMALL_LEAST);
	/* A part of the next huge page would keep all of it on small ones. */
	ahead = vmsi_min(vmsi_align_up(ahead, vmsi_page_size()),
			 vmsi_huge_page_size());
	return vmsi_min(ahead, maximum);
}

/* Whether a file could be read and has a word in its first 4 KiB. */
static bool file_has(const char *path, const char *word, bool *readable)
{
	char text[4096] = "";
	long fd = vmsi_host.open(path);
	long length;

	*readable = false;
	if (fd < 0)
		return false;
	length = vmsi_host.read((int)fd, text, sizeof text - 1);
	(void)vmsi_host.close((int)fd);
	*readable = length > 0;
	return *readable && strstr(text, word);
}

/* By the machine's setting, and by the process's own: PR_SET_THP_DISABLE. */
static bool host_has_huge_pages(void)
{
	const char *asked = getenv("VMSPACE_HUGE_PAGES");
	bool readable;

	if (asked && strcmp(asked, "never") == 0)
		return false;
	if (file_has(HUGE_PAGES_ENABLED, "[never]", &readable) || !readable)
		return false;
	return !file_has("/proc/self/status", "THP_enabled:\t0", &readable);
}

/* What is asked once; threads that ask at the same time get the same answer. */
static bool ask_once(atomic_int *known, bool (*ask)(void))
{
	int answer = atomic_load_explicit(known, memory_order_relaxed);

	if (answer == UNKNOWN) {
		answer = ask() ? YES : NO;
		atomic_store_explicit(known, answer, memory_order_relaxed);
	}
	return answer == YES;
}

bool vmsi_growth_has_huge_pages(void)
{
	static atomic_int known = UNKNOWN;

	return ask_once(&known, host_has_huge_pages);
}

static bool host_gives_unasked(void)
{
	bool readable;

	return vmsi_growth_has_huge_pages() &&
		file_has(HUGE_PAGES_ENABLED, "[always]", &readable);
}

bool vmsi_growth_gives_unasked(void)
{
	static atomic_int known = UNKNOWN;

	return ask_once(&known, host_gives_unasked);
}

size_t vmsi_growth_populate(uintptr_t start, size_t used, size_t needed,
			    size_t limit)
{
	const size_t page = vmsi_page_size();
	size_t begin = vmsi_align_up(used, page);
	const size_t even = vmsi_min(used, POPULATE_EVEN);
	size_t length = vmsi_max(vmsi_max(used / 8, even),
				 vmsi_max(needed, page));

	if (begin >= limit)
		return limit;
	length = vmsi_min(length, VMSI_GROWTH_POPULATE_MOST);
	length = vmsi_align_up(vmsi_min(length, limit - begin), page);
	/* A single page is brought in by a fault just as well. */
	if (length > page)
		(void)vmsi_host.madvise(start + begin, length,
					MADV_POPULATE_WRITE);
	return vmsi_min(begin + length, limit);
}
