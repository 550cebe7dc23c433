/* SPDX-License-Identifier: MIT */
#include "host/host.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/auxv.h>

#include "base/mman.h"
#include "base/procmap.h"
#include "host/file.h"

/*
 * What the host is and what it can do. Most answers are cached, without a lock:
 * threads that ask at the same time find the same.
 */

size_t vmsi_page_size(void)
{
	static _Atomic size_t cached;
	size_t size = atomic_load_explicit(&cached, memory_order_relaxed);

	if (size == 0) {
		size = getauxval(AT_PAGESZ);
		atomic_store_explicit(&cached, size, memory_order_relaxed);
	}
	return size;
}

static bool is_power_of_two(size_t value)
{
	return value != 0 && (value & (value - 1)) == 0;
}

size_t vmsi_huge_page_size(void)
{
	static _Atomic size_t cached;
	uint64_t size = atomic_load_explicit(&cached, memory_order_relaxed);

	if (size != 0)
		return size;
	/* A page-table page, whose entries have 8 bytes, covers a huge page. */
	if (!vmsi_host_read_number(
		    "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size",
		    &size) || !is_power_of_two(size))
		size = vmsi_page_size() * (vmsi_page_size() / 8);
	atomic_store_explicit(&cached, size, memory_order_relaxed);
	return size;
}

size_t vmsi_hugetlb_page_size(void)
{
	/* One more than the size, so that 0 means "not asked yet". */
	static _Atomic size_t cached;
	size_t known = atomic_load_explicit(&cached, memory_order_relaxed);
	static const struct vmsi_field field = { "Hugepagesize", 0,
						 VMSI_FIELD_KIB };
	uint64_t size, seen;

	if (known != 0)
		return known - 1;
	if (vmsi_host_read_fields("/proc/meminfo", &field, 1, &size, &seen) ||
	    !seen || !is_power_of_two(size))
		size = 0;
	atomic_store_explicit(&cached, size + 1, memory_order_relaxed);
	return size;
}

size_t vmsi_host_memory(void)
{
	size_t bytes;

	return vmsi_host.memory_size(&bytes) < 0 ? SIZE_MAX : bytes;
}

uintptr_t vmsi_address_limit(void)
{
	static _Atomic uintptr_t cached;
	uintptr_t limit = atomic_load_explicit(&cached, memory_order_relaxed);

	if (limit == 0) {
		/*
		 * The stack of the first thread lies just below the end of the
		 * address space, and AT_RANDOM points into it.
		 */
		uintptr_t top = getauxval(AT_RANDOM);

		limit = (uintptr_t)1 << (64 - __builtin_clzl(top));
		limit -= vmsi_page_size();
		atomic_store_explicit(&cached, limit, memory_order_relaxed);
	}
	return limit;
}

int vmsi_host_is_mapped(struct vmsi_range range)
{
	/* MS_ASYNC does nothing on Linux but look for unmapped addresses. */
	long result = vmsi_host.msync(range.start, vmsi_range_length(range),
				      MS_ASYNC);

	if (result == -ENOMEM)
		return 0;
	return result < 0 ? (int)result : 1;
}

int vmsi_host_is_locked(uintptr_t address)
{
	/* With MS_INVALIDATE Linux looks for VM_LOCKED, and does nothing else. */
	long result = vmsi_host.msync(address, vmsi_page_size(),
				      MS_ASYNC | MS_INVALIDATE);

	if (result == -EBUSY)
		return 1;
	return result < 0 ? (int)result : 0;
}

bool vmsi_host_keeps_moved_objects(void)
{
	enum { UNKNOWN, YES, NO };
	static _Atomic int cached = UNKNOWN;
	const size_t page_size = vmsi_page_size();
	long page, moved;

	if (atomic_load_explicit(&cached, memory_order_relaxed) != UNKNOWN)
		return atomic_load_explicit(&cached, memory_order_relaxed) == YES;
	page = vmsi_host.mmap(0, page_size, PROT_NONE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page < 0)
		return true;
	moved = vmsi_host.mremap((uintptr_t)page, page_size, page_size,
				 MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
	if (moved >= 0)
		vmsi_host.munmap((uintptr_t)moved, page_size);
	vmsi_host.munmap((uintptr_t)page, page_size);
	/* Other errors tell nothing about what the host can do. */
	if (moved >= 0 || moved == -EINVAL)
		atomic_store_explicit(&cached, moved >= 0 ? YES : NO,
				      memory_order_relaxed);
	return moved != -EINVAL;
}

/*
 * The address of two sealed pages, made once and never unmapped; 0: the host
 * cannot seal. A move onto them is refused and changes nothing.
 */
static uintptr_t sealed_pages(void)
{
	enum { UNKNOWN = 0, NONE = 1 };
	static _Atomic uintptr_t cached = UNKNOWN;
	const size_t bytes = 2 * vmsi_page_size();
	uintptr_t known = atomic_load(&cached), unknown = UNKNOWN;
	long pages;

	if (known != UNKNOWN)
		return known == NONE ? 0 : known;
	pages = vmsi_host.mmap(0, bytes, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			       0);
	if (pages < 0)
		return 0;
	if (vmsi_host.mseal((uintptr_t)pages, bytes, 0) < 0) {
		vmsi_host.munmap((uintptr_t)pages, bytes);
		pages = NONE;
	}
	if (atomic_compare_exchange_strong(&cached, &unknown, (uintptr_t)pages))
		return pages == NONE ? 0 : (uintptr_t)pages;
	/* Another thread was first. The pages of this one are sealed and stay. */
	return unknown == NONE ? 0 : unknown;
}

/* Whether one mremap moves several mappings: tries it on two. */
static bool moves_several(uintptr_t sealed)
{
	enum { UNKNOWN, YES, NO };
	static _Atomic int cached = UNKNOWN;
	const size_t page_size = vmsi_page_size();
	long pages, result;

	if (atomic_load(&cached) != UNKNOWN)
		return atomic_load(&cached) == YES;
	pages = vmsi_host.mmap(0, 2 * page_size, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			       0);
	if (pages < 0)
		return false;
	result = vmsi_host.mprotect((uintptr_t)pages, page_size, PROT_READ);
	if (result == 0)
		result = vmsi_host.mremap((uintptr_t)pages, 2 * page_size,
					  2 * page_size,
					  MREMAP_MAYMOVE | MREMAP_FIXED, sealed);
	vmsi_host.munmap((uintptr_t)pages, 2 * page_size);
	/* EPERM: only the sealed target was a reason to refuse. */
	if (result == -EPERM || result == -EFAULT)
		atomic_store(&cached, result == -EPERM ? YES : NO);
	return result == -EPERM;
}

bool vmsi_host_moves_among(uintptr_t end)
{
	const size_t page_size = vmsi_page_size();
	uintptr_t sealed = sealed_pages();

	if (!sealed)
		return true;
	/*
	 * Try to move the mapping's last page, together with the page behind
	 * it, onto sealed pages. The kernel looks at the mapping first, and
	 * says EFAULT if it moves only alone; else EPERM for the target.
	 * Kernels that move one mapping a call say EFAULT for any two.
	 */
	if (vmsi_host.mremap(end - page_size, 2 * page_size, 2 * page_size,
			     MREMAP_MAYMOVE | MREMAP_FIXED, sealed) != -EFAULT)
		return true;
	return !moves_several(sealed);
}

bool vmsi_host_mapping_end(uintptr_t address, uintptr_t *end)
{
	struct vmsi_procmap_query query = {
		.size = sizeof(query), .address = address,
	};
	long fd = vmsi_host.open("/proc/self/maps");
	long result;

	if (fd < 0)
		return false;
	result = vmsi_host.maps_query((int)fd, &query);
	vmsi_host.close((int)fd);
	*end = query.end;
	return result == 0 && query.end > address;
}

/*
 * Whether the host answers EFAULT where a range is to grow in place beyond the
 * end of the address space, which never succeeds: it does so where the range
 * has several mappings, or one that may not grow at all.
 */
static bool growth_is_a_fault(struct vmsi_range range)
{
	/* The limit is a page below a power of two; this is a page above it. */
	const uintptr_t beyond = vmsi_address_limit() + 2 * vmsi_page_size();

	return vmsi_host.mremap(range.start, vmsi_range_length(range),
				beyond - range.start, 0, 0) == -EFAULT;
}

/*
 * Where /proc does not tell, a growth that must fail does. In a group the
 * kernel asks the supervisor about that call too, which sees by the length that
 * no kernel grants it, and does not count it as a request.
 */
bool vmsi_host_is_several(struct vmsi_range range)
{
	const struct vmsi_range page = { range.start,
					 range.start + vmsi_page_size() };
	uintptr_t end;

	if (vmsi_range_length(range) <= vmsi_page_size())
		return false;
	if (vmsi_host_mapping_end(range.start, &end))
		return end < range.end;
	return growth_is_a_fault(range) && !growth_is_a_fault(page);
}

/* mremap refuses already where up to six more would be too many. */
#define PROBE_SPLITS 8
#define PROBE_PAGES (2 * PROBE_SPLITS + 1)

int vmsi_host_make_probe(uintptr_t *probe)
{
	long result = vmsi_host.mmap(0, PROBE_PAGES * vmsi_page_size(),
				     PROT_NONE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				     -1, 0);

	if (result < 0)
		return (int)result;
	*probe = (uintptr_t)result;
	return 0;
}

void vmsi_host_drop_probe(uintptr_t probe)
{
	vmsi_host.munmap(probe, PROBE_PAGES * vmsi_page_size());
}

bool vmsi_host_at_map_limit(uintptr_t probe)
{
	const size_t page_size = vmsi_page_size();
	bool at_limit = false;

	/*
	 * Each odd page that becomes readable makes two mappings more, without
	 * commit, memory or new addresses: only the map count can be in the
	 * way.
	 */
	for (size_t i = 1; i < PROBE_PAGES && !at_limit; i += 2)
		at_limit = vmsi_host.mprotect(probe + i * page_size, page_size,
					      PROT_READ) == -ENOMEM;
	vmsi_host.mprotect(probe, PROBE_PAGES * page_size, PROT_NONE);
	return at_limit;
}
