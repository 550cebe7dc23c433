/* SPDX-License-Identifier: MIT */
#include "group/refresh/heap_end.h"

#include <sys/resource.h>

#include "group/pages.h"
#include "group/process/maps.h"
#include "group/process/proc.h"
#include "group/refresh/counter.h"
#include "group/refresh/looks.h"

struct vmsi_process *vmsi_heap_update(struct vms_group *group,
				    struct vmsi_process *process)
{
	struct vmsi_process *heap = vmsi_counter_update(group, process);

	if (heap->data_end == 0)
		vmsi_look(group, heap, heap->pid);
	return heap;
}

/*
 * Return the last end that was let through and is in the page where the kernel
 * says that the heap ends. If there is none, the program has mapped memory next
 * to its heap or has unmapped a part of it: then return the last end below that
 * page. 0: none is known.
 */
static uintptr_t find_made(const struct vmsi_breaks *breaks, uintptr_t page_end)
{
	for (unsigned i = breaks->count; i-- > 0;)
		if (vmsi_pages(breaks->ends[i]) == page_end)
			return breaks->ends[i];
	for (unsigned i = breaks->count; i-- > 0;)
		if (breaks->ends[i] < page_end)
			return breaks->ends[i];
	return 0;
}

/*
 * Return the end that was let through last, where the kernel says that the heap ends in
 * its page. 0: it does not, and all ends that it may have are to be looked at.
 */
static uintptr_t find_last(const struct vmsi_process *heap)
{
	const struct vmsi_breaks *breaks = &heap->breaks;
	const uintptr_t end = breaks->count ? breaks->ends[breaks->count - 1] : 0;

	return end && vmsi_maps_heap_ends_at(heap->pid, vmsi_pages(end)) ? end : 0;
}

/*
 * A program that is full has its brk refused for each malloc. To ask about one mapping
 * takes some us, whatever the program has; a look takes ms.
 */
uintptr_t vmsi_heap_end(struct vms_group *group, struct vmsi_process *heap)
{
	uintptr_t end = find_last(heap);

	if (!end) {
		vmsi_look(group, heap, heap->pid);
		end = find_made(&heap->breaks, heap->data_end);
	}
	if (!end)
		return heap->data_end;
	vmsi_breaks_begin(&heap->breaks, end);
	return end;
}

/*
 * Whether RLIMIT_DATA makes the kernel refuse. It counts the heap to the byte,
 * and the program's initialised data with it.
 */
static bool is_past_limit(const struct vmsi_process *heap, uintptr_t end)
{
	struct vmsi_proc_stat stat;
	struct rlimit limit;

	if (prlimit(heap->pid, RLIMIT_DATA, NULL, &limit) ||
	    limit.rlim_cur == RLIM_INFINITY ||
	    !vmsi_proc_read_stat(heap->pid, &stat) || !stat.heap_start)
		return false;
	return end - stat.heap_start + (stat.data_end - stat.data_start) >
		limit.rlim_cur;
}

void vmsi_heap_note_end(struct vms_group *group, struct vmsi_process *heap,
			uintptr_t end)
{
	struct vmsi_breaks *breaks = &heap->breaks;

	/* What later calls ask for above this end is charged. */
	if (heap->data_end == 0)
		heap->data_end = end;
	/*
	 * The ends are kept because a refused brk answers the old end to the byte.
	 * Where no end is known to the byte, the kernel tells the page of it, and
	 * later ends would not help.
	 */
	if (breaks->count == 0 || end < heap->heap_start)
		return;
	/*
	 * The kernel refuses a brk within a page only for RLIMIT_DATA: such an end
	 * is not reached, and is not kept.
	 */
	if (vmsi_pages(breaks->ends[breaks->count - 1]) == vmsi_pages(end) &&
	    is_past_limit(heap, end))
		return;
	if (breaks->count == VMSI_BREAKS)
		(void)vmsi_heap_end(group, heap);
	if (breaks->count == VMSI_BREAKS)
		/*
		 * The process hides its mappings, so the look has not told which
		 * ends were reached: the latest is the likeliest.
		 */
		vmsi_breaks_begin(breaks, breaks->ends[VMSI_BREAKS - 1]);
	breaks->ends[breaks->count++] = end;
}
