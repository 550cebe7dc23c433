/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <vmspace/heap.h>
#include <vmspace/process.h>

#include "base/align.h"
#include "heap/attributes.h"
#include "host/host.h"
#include "host/raw.h"
#include "preload/answer.h"
#include "preload/heap_open.h"
#include "preload/heap_range.h"
#include "preload/marks.h"

/*
 * mlockall(2) as it would be without the heap. The kernel's own counts every
 * address of the process against RLIMIT_MEMLOCK, and the heap has reserved more
 * than any limit. So the kernel is asked to lock future mappings only, which it
 * grants without counting. The mappings that there are get locked one by one here,
 * except for what the heap has reserved; before that their sum is compared with the
 * limit as the kernel does it. Under a limit the library's own memory is neither
 * counted nor locked: the program does not know of it.
 *
 * Rejected: to unmap what the heap does not use while the kernel looks. Another
 * thread's mapping could come to lie there, and each live block is followed by
 * reserved addresses that it is to grow into.
 */

static long kernel_mlockall(int flags)
{
	return vmsi_raw_call(SYS_mlockall, flags, 0, 0, 0, 0, 0);
}

static long kernel_munlockall(void)
{
	return vmsi_raw_call(SYS_munlockall, 0, 0, 0, 0, 0, 0);
}

/* --- the mappings --------------------------------------------------------- */

/* What the linker makes: where this library begins and ends in memory. */
extern const char library_start[] __asm__("__ehdr_start");
extern const char library_end[] __asm__("_end");

/* A walk over the mappings of the process, and over the blocks of the heap. */
struct locking {
	vms_heap *heap;
	/* Whether to pass over the library's own memory, too. */
	enum { WITH_OWN, WITHOUT_OWN } own;
	/*
	 * The walk goes upwards. These are the ends of the last record of the
	 * library and of the last PROT_NONE mapping that it has met: the one may
	 * have a guard above it, and the other be the guard below a record.
	 */
	uintptr_t records_end, guard_end;
	void (*act)(uintptr_t start, size_t length, void *context);
	void *context;
};

static bool is_in_library(const struct vms_mapping_info *mapping)
{
	return mapping->start >= vmsi_align_down((uintptr_t)library_start,
						 vmsi_page_size()) &&
		mapping->start < (uintptr_t)library_end;
}

/*
 * Whether a mapping is memory for the library's records, or the guard page above
 * it. Such memory is MAP_GROWSDOWN and begins where a PROT_NONE mapping ends. The
 * program's stack is the only other mapping of that kind, and begins at no such one.
 */
static bool is_record(struct locking *locking, const struct vms_mapping_info *mapping)
{
	const uintptr_t end = mapping->start + mapping->length;

	if (mapping->prot == PROT_NONE) {
		const bool after_record = mapping->start == locking->records_end;

		locking->guard_end = end;
		return after_record;
	}
	if (!(mapping->flags & VMS_MAPPING_GROWSDOWN) ||
	    mapping->start != locking->guard_end)
		return false;
	locking->records_end = end;
	return true;
}

/*
 * Act on each mapping but what is passed over, and in the heap on what blocks
 * have: the rest is reserved, or kept for others. Returns 0 or -errno.
 */
static int walk_mappings(vms_process_maps *maps, struct locking *locking)
{
	struct vms_mapping_info mapping = { .struct_size = sizeof mapping };
	int more;

	while ((more = vms_process_maps_next(maps, &mapping)) > 0) {
		const bool own = is_record(locking, &mapping) ||
			is_in_library(&mapping);

		if (!vmsi_interposer_has((const void *)mapping.start) &&
		    !(own && locking->own == WITHOUT_OWN))
			locking->act(mapping.start, mapping.length,
				  locking->context);
	}
	vmsi_heap_each_live(locking->heap, locking->act, locking->context);
	return more < 0 ? -errno : 0;
}

/* --- the limit ------------------------------------------------------------ */

static void add_length(uintptr_t start, size_t length, void *context)
{
	size_t *sum = context;

	/* The kernel's own page at the end of all addresses is not counted. */
	if (start < vmsi_address_limit())
		*sum += length;
}

/* What the kernel would count without this library. Returns 0 or -errno. */
static int count_mappings(vms_heap *heap, size_t *sum)
{
	struct locking locking = { .heap = heap, .own = WITHOUT_OWN,
			     .act = add_length, .context = sum };
	vms_process_maps *maps = vms_process_maps_open(0);
	int error;

	*sum = 0;
	if (!maps)
		return -errno;
	error = walk_mappings(maps, &locking);
	vms_process_maps_close(maps);
	return error;
}

/* More than the limit by a page may be locked with CAP_IPC_LOCK only. */
static bool is_unlimited(uint64_t limit)
{
	return limit == RLIM_INFINITY ||
		vmsi_host_may_lock(vmsi_align_up(limit + 1, vmsi_page_size()));
}

/*
 * Returns 0 or, as the kernel would, -ENOMEM or -EPERM; or why it is not known.
 * The library's own memory is locked as well where no limit counts it.
 */
static int check_limit(struct locking *locking)
{
	struct rlimit limit;
	size_t sum;
	int error;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0)
		return -errno;
	locking->own = WITH_OWN;
	if (is_unlimited(limit.rlim_cur))
		return 0;
	locking->own = WITHOUT_OWN;
	if (limit.rlim_cur == 0)
		return -EPERM;
	error = count_mappings(locking->heap, &sum);
	if (error)
		return error;
	return sum <= limit.rlim_cur ? 0 : -ENOMEM;
}

/* --- locking -------------------------------------------------------------- */

/* The kernel's mlockall overlooks what it cannot lock or bring in, too. */
static void lock_memory(uintptr_t start, size_t length, void *context)
{
	const unsigned *flags = context;

	(void)vmsi_raw_call(SYS_mlock2, (long)start, (long)length, *flags, 0, 0,
			    0);
}

/*
 * Have the kernel lock what is mapped from now on, or no longer do so. The only
 * call for the latter unlocks all that is locked as well.
 */
static long set_future(int flags, unsigned before)
{
	if (flags & MCL_FUTURE)
		return kernel_mlockall(flags & ~MCL_CURRENT);
	return before & VMSI_HEAP_LOCK_NEW ? kernel_munlockall() : 0;
}

static unsigned locking_of(int flags)
{
	uint32_t locking = VMSI_HEAP_LOCKED;

	if (flags & MCL_FUTURE)
		locking |= VMSI_HEAP_LOCK_NEW;
	if (flags & MCL_ONFAULT)
		locking |= VMSI_HEAP_LOCK_ON_FAULT;
	return locking;
}

/*
 * The heap locks before the kernel does, so that no block that another thread
 * makes meanwhile is missed. list: of the mappings, for MCL_CURRENT.
 */
static long lock_with(vms_heap *heap, int flags, vms_process_maps *list,
		      struct locking *locking)
{
	const uint32_t before = vmsi_heap_get_locking(heap);
	long error;

	vmsi_heap_set_locking(heap, locking_of(flags));
	error = set_future(flags, before);
	if (error < 0)
		vmsi_heap_set_locking(heap, before);
	else if (list)
		error = walk_mappings(list, locking);
	return error;
}

static long lock_all(vms_heap *heap, int flags)
{
	unsigned on_fault = flags & MCL_ONFAULT ? MLOCK_ONFAULT : 0;
	struct locking locking = { .heap = heap, .act = lock_memory,
			     .context = &on_fault };
	vms_process_maps *list = NULL;
	long error;

	if (flags & MCL_CURRENT) {
		/*
		 * The heap gives back what it retains of freed memory, which would
		 * count against the limit and be locked.
		 */
		(void)vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL);
		error = check_limit(&locking);
		/*
		 * The list is made first: memory for it is locked, and may be refused
		 * by the limit, once the kernel locks what is mapped from then on.
		 */
		list = error ? NULL : vms_process_maps_open(0);
		if (!list)
			return error ? error : -errno;
	}
	error = lock_with(heap, flags, list, &locking);
	vms_process_maps_close(list);
	return error;
}

static bool flags_are_good(int flags)
{
	return (flags & (MCL_CURRENT | MCL_FUTURE)) &&
		!(flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT));
}

/*
 * The heap is opened first: once the kernel locks what is mapped, the addresses
 * cannot be had.
 */
VMSI_EXPORTED int mlockall(int flags)
{
	const int saved = errno;
	vms_heap *heap = flags_are_good(flags) ? vmsi_interposer_get() : NULL;
	long result;

	errno = saved;
	result = heap ? lock_all(heap, flags) : kernel_mlockall(flags);
	errno = saved;
	return vmsi_interposer_answer(result);
}

VMSI_EXPORTED int munlockall(void)
{
	vms_heap *heap = vmsi_interposer_if_open();
	long result = kernel_munlockall();

	if (heap && result == 0)
		vmsi_heap_set_locking(heap, 0);
	return vmsi_interposer_answer(result);
}
