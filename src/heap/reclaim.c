/* SPDX-License-Identifier: MIT */
#include "base/reclaim.h"
#include "heap/collect.h"
#include "heap/heap.h"
#include "heap/registry.h"
#include "space/inside.h"

/* The reclaimer of base/reclaim.h: heaps give back what they retain. */

static bool is_asked(const struct vms_heap *heap,
		     const struct vms_budget *budget)
{
	return !budget ||
		vmsi_budget_is_under(vmsi_space_budget(heap->space), budget);
}

static size_t reclaim(const struct vms_budget *budget)
{
	size_t bytes = 0;

	for (struct vms_heap *heap = vmsi_heap_registered_after(NULL); heap;
	     heap = vmsi_heap_registered_after(heap))
		if (is_asked(heap, budget))
			bytes += vmsi_heap_collect_all(heap);
	return bytes;
}

void vmsi_heap_handle_refusals(void)
{
	vmsi_reclaim_register(reclaim);
}
