/* SPDX-License-Identifier: MIT */
#include "preload/heap.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <vmspace/process.h>

#include "base/align.h"
#include "heap/attributes.h"
#include "host/host.h"
#include "host/raw.h"

/*
 * mlockall(2) as it would be without the heap. The kernel's own counts every
 * address of the process against RLIMIT_MEMLOCK, and the heap's reservation is
 * more than any limit. So the kernel is asked for the future only, which it
 * grants without counting, and the mappings that there are get locked one by
 * one, but for what the heap has reserved. Before that the sum of them is
 * compared with the limit as the kernel does it.
 *
 * Rejected: to unmap what the heap does not use while the kernel looks. Another
 * thread's mapping could come to lie there, and each live block is followed by
 * reserved addresses that it is to grow into.
 */

static int answer(long result)
{
	if (result >= 0)
		return (int)result;
	errno = (int)-result;
	return -1;
}

static long kernel_mlockall(int flags)
{
	return vmsi_raw_call(SYS_mlockall, flags, 0, 0, 0, 0, 0);
}

static long kernel_munlockall(void)
{
	return vmsi_raw_call(SYS_munlockall, 0, 0, 0, 0, 0, 0);
}

/* Addresses of the heap without rights are reserved. */
static bool is_reserved(const struct vms_mapping_info *mapping)
{
	return mapping->prot == PROT_NONE &&
		vmsi_front_has((const void *)mapping->start);
}

/* Call a function for each mapping that is not reserved. Returns 0 or -errno. */
static int for_each_mapping(vms_process_maps *maps,
			    void (*act)(const struct vms_mapping_info *mapping,
					void *context),
			    void *context)
{
	struct vms_mapping_info mapping = { .struct_size = sizeof mapping };
	int more;

	while ((more = vms_process_maps_next(maps, &mapping)) > 0)
		if (!is_reserved(&mapping))
			act(&mapping, context);
	return more < 0 ? -errno : 0;
}

/* --- the limit ------------------------------------------------------------ */

static void add_length(const struct vms_mapping_info *mapping, void *context)
{
	size_t *sum = context;

	/* The kernel's own page at the end of all addresses is not counted. */
	if (mapping->start < vmsi_address_limit())
		*sum += mapping->length;
}

/* Returns 0; -ENOMEM or -EPERM as the kernel would; or why it is not known. */
static int check_limit(void)
{
	vms_process_maps *maps;
	struct rlimit limit;
	size_t sum = 0;
	int error;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0)
		return -errno;
	maps = vms_process_maps_open(0);
	if (!maps)
		return -errno;
	error = for_each_mapping(maps, add_length, &sum);
	vms_process_maps_close(maps);
	if (error)
		return error;
	if (limit.rlim_cur == RLIM_INFINITY ||
	    (limit.rlim_cur && sum <= limit.rlim_cur))
		return 0;
	/* More than the limit by a page may be locked with CAP_IPC_LOCK only. */
	if (vmsi_host_may_lock(vmsi_align_up(limit.rlim_cur + 1,
					     vmsi_page_size())))
		return 0;
	return limit.rlim_cur ? -ENOMEM : -EPERM;
}

/* --- locking -------------------------------------------------------------- */

/* The kernel's mlockall overlooks what it cannot lock or bring in, too. */
static void lock_mapping(const struct vms_mapping_info *mapping, void *context)
{
	const unsigned *flags = context;

	(void)vmsi_raw_call(SYS_mlock2, (long)mapping->start,
			    (long)mapping->length, *flags, 0, 0, 0);
}

/*
 * What is mapped from now on is locked by the kernel, or it no longer is. It
 * can be told the latter only together with unlocking what there is.
 */
static long set_future(int flags, unsigned before)
{
	if (flags & MCL_FUTURE)
		return kernel_mlockall(flags & ~MCL_CURRENT);
	return before & VMSI_HEAP_LOCK_NEW ? kernel_munlockall() : 0;
}

static unsigned locking_of(int flags)
{
	unsigned locking = VMSI_HEAP_LOCKED;

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
static long lock_with(vms_heap *heap, int flags, vms_process_maps *list)
{
	const unsigned before = vmsi_heap_get_locking(heap);
	unsigned on_fault = flags & MCL_ONFAULT ? MLOCK_ONFAULT : 0;
	long error;

	vmsi_heap_set_locking(heap, locking_of(flags));
	error = set_future(flags, before);
	if (error < 0)
		vmsi_heap_set_locking(heap, before);
	else if (list)
		error = for_each_mapping(list, lock_mapping, &on_fault);
	return error;
}

static long lock_all(vms_heap *heap, int flags)
{
	vms_process_maps *list = NULL;
	long error;

	if (flags & MCL_CURRENT) {
		/* What it only retains is not to count. */
		(void)vms_heap_collect(heap, VMS_HEAP_COLLECT_ALL);
		error = check_limit();
		/* There may be no memory for it once the kernel locks. */
		list = error ? NULL : vms_process_maps_open(0);
		if (!list)
			return error ? error : -errno;
	}
	error = lock_with(heap, flags, list);
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
	vms_heap *heap = flags_are_good(flags) ? vmsi_front_get() : NULL;
	long result;

	errno = saved;
	result = heap ? lock_all(heap, flags) : kernel_mlockall(flags);
	errno = saved;
	return answer(result);
}

VMSI_EXPORTED int munlockall(void)
{
	vms_heap *heap = vmsi_front_if_open();
	long result = kernel_munlockall();

	if (heap && result == 0)
		vmsi_heap_set_locking(heap, 0);
	return answer(result);
}
