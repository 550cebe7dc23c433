/* SPDX-License-Identifier: MIT */
#include "growth/growth.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mman.h"
#include "host/file.h"
#include "host/host.h"

#define HUGE_PAGES_ENABLED "/sys/kernel/mm/transparent_hugepage/enabled"

/*
 * vmsi_growth_populate brings in as much as is used already, up to this; where
 * eight times this is used or more, an eighth of what is used.
 */
#define POPULATE_EVEN ((size_t)512 << 10)

/* What has grown past its first page commits at least this. */
#define SMALL_LEAST ((size_t)64 << 10)

/* Whether the host gives huge pages to memory with MADV_HUGEPAGE, or to any. */
enum { UNKNOWN, NEVER, WHEN_ASKED, UNASKED };

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
	/* Often the first page is all that is ever needed. */
	ahead = wanted <= vmsi_page_size() ? wanted :
					     vmsi_max(2 * wanted, SMALL_LEAST);
	/* The host would use small pages for a huge page committed in part. */
	ahead = vmsi_min(vmsi_align_up(ahead, vmsi_page_size()),
			 vmsi_huge_page_size());
	return vmsi_min(ahead, maximum);
}

/* Whether the process has set PR_SET_THP_DISABLE. */
static bool is_disabled_for_process(void)
{
	static const struct vmsi_field field = { "THP_enabled", 0,
						 VMSI_FIELD_COUNT };
	uint64_t enabled, seen;

	return vmsi_host_read_fields("/proc/self/status", &field, 1, &enabled,
				     &seen) == 0 && seen && !enabled;
}

/* Ask the environment, the setting of the machine and that of the process. */
static int read_policy(void)
{
	const char *asked = getenv("VMSPACE_HUGE_PAGES");
	char text[128];
	struct vmsi_scan setting = { text, text };

	if (asked && strcmp(asked, "never") == 0)
		return NEVER;
	setting.end += vmsi_host_read_start(HUGE_PAGES_ENABLED, text,
					    sizeof(text));
	if (setting.end == text || vmsi_scan_is_chosen(setting, "never") ||
	    is_disabled_for_process())
		return NEVER;
	return vmsi_scan_is_chosen(setting, "always") ? UNASKED : WHEN_ASKED;
}

/* Read once, without a lock: threads that ask at the same time read the same. */
static int huge_page_policy(void)
{
	static atomic_int cached = UNKNOWN;
	int policy = atomic_load_explicit(&cached, memory_order_relaxed);

	if (policy == UNKNOWN) {
		policy = read_policy();
		atomic_store_explicit(&cached, policy, memory_order_relaxed);
	}
	return policy;
}

bool vmsi_growth_has_huge_pages(void)
{
	return huge_page_policy() != NEVER;
}

bool vmsi_growth_gives_unasked(void)
{
	return huge_page_policy() == UNASKED;
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
	/* For a single page the call would cost as much as the fault. */
	if (length > page)
		(void)vmsi_host.madvise(start + begin, length,
					MADV_POPULATE_WRITE);
	return vmsi_min(begin + length, limit);
}
