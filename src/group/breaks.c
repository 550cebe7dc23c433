/* SPDX-License-Identifier: MIT */
#include "group/breaks.h"

#include <sys/resource.h>
#include <unistd.h>

#include "group/state.h"

static uintptr_t page_end(uintptr_t address)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	return (address + page - 1) / page * page;
}

void vmsi_breaks_begin(struct vmsi_breaks *breaks, uintptr_t start)
{
	breaks->count = 0;
	if (start)
		breaks->ends[breaks->count++] = start;
}

/*
 * The last one that ends in the page where the data end. Where there is none the
 * program has mapped something next to its heap or unmapped a part of it: the
 * last one below that. 0: none is known.
 */
static uintptr_t made_end(const struct vmsi_breaks *breaks, uintptr_t end)
{
	for (unsigned i = breaks->count; i-- > 0;)
		if (page_end(breaks->ends[i]) == end)
			return breaks->ends[i];
	for (unsigned i = breaks->count; i-- > 0;)
		if (breaks->ends[i] < end)
			return breaks->ends[i];
	return 0;
}

uintptr_t vmsi_breaks_now(struct vms_group *group, struct vmsi_process *heap)
{
	uintptr_t end;

	vmsi_group_look(group, heap, heap->pid);
	end = made_end(&heap->breaks, heap->data_end);
	if (!end)
		return heap->data_end;
	vmsi_breaks_begin(&heap->breaks, end);
	return end;
}

/*
 * Inside one page only RLIMIT_DATA stops the kernel, which counts the bytes of
 * the program's initialised data to it.
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

void vmsi_breaks_note(struct vms_group *group, struct vmsi_process *heap,
		      uintptr_t end)
{
	struct vmsi_breaks *breaks = &heap->breaks;

	/* Not known: nothing tells the byte, and the page will have to do. */
	if (breaks->count == 0 || end < heap->heap_start)
		return;
	if (page_end(breaks->ends[breaks->count - 1]) == page_end(end) &&
	    is_past_limit(heap, end))
		return;
	if (breaks->count == VMSI_BREAKS)
		(void)vmsi_breaks_now(group, heap);
	if (breaks->count == VMSI_BREAKS)
		/* It hides from us: the latest are the likeliest. */
		vmsi_breaks_begin(breaks, breaks->ends[VMSI_BREAKS - 1]);
	breaks->ends[breaks->count++] = end;
}
