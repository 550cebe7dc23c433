/* SPDX-License-Identifier: MIT */
#include "heap/collect.h"

#include <errno.h>

#include "heap/attributes.h"
#include "heap/check.h"
#include "heap/heap.h"

/* Makes retained memory reclaimable by its age, and later gives it back. */

/* At least so many milliseconds lie between two looks at ages. */
#define LOOK_EVERY 100

/*
 * Memory has reached an age if it was freed before the time that this returns; 0:
 * none has. A child of fork begins all ages anew, so none of its memory has reached
 * an age before the child itself has lived that long.
 */
static uint64_t time_before(const struct vms_heap *heap, uint64_t now,
			    unsigned age)
{
	const uint64_t born = atomic_load_explicit(&heap->ages.born,
						   memory_order_relaxed);

	if (age == VMS_HEAP_NEVER || now - born < age)
		return 0;
	return now - age;
}

static void look(struct vms_heap *heap, uint64_t now)
{
	vmsi_heap_forget_used(heap);
	vmsi_retained_make_reclaimable(
		heap, time_before(heap, now, heap->ages.reclaimable_after));
	now = time_before(heap, now, heap->ages.give_back_after);
	if (now == 0)
		return;
	(void)vmsi_retained_trim(heap, SIZE_MAX, now);
	(void)vmsi_runs_collect(heap, now);
}

void vmsi_heap_age(struct vms_heap *heap, uint64_t now)
{
	uint64_t last = atomic_load_explicit(&heap->ages.looked_at,
					     memory_order_relaxed);

	if (now - last >= LOOK_EVERY && vmsi_get(&heap->ages.retained) > 0 &&
	    atomic_compare_exchange_strong(&heap->ages.looked_at, &last, now))
		look(heap, now);
}

size_t vmsi_heap_collect_all(struct vms_heap *heap)
{
	size_t bytes;

	vmsi_heap_mend_lost(heap);
	bytes = vmsi_retained_trim(heap, 0, UINT64_MAX);
	return bytes + vmsi_runs_collect(heap, UINT64_MAX);
}

void vmsi_heap_set_locking(vms_heap *heap, uint32_t locking)
{
	atomic_store(&heap->locking, locking);
	/* Retained memory is not locked, but blocks are to be from now on. */
	if (locking)
		(void)vmsi_heap_collect_all(heap);
}

size_t vms_heap_collect(vms_heap *heap, unsigned flags)
{
	const uint64_t before = atomic_load(&heap->counts.given_back);
	const int saved = errno;

	if (flags & VMS_HEAP_COLLECT_ALL)
		(void)vmsi_heap_collect_all(heap);
	else
		look(heap, vmsi_heap_now());
	vmsi_heap_verify(heap);
	errno = saved;
	return (size_t)(atomic_load(&heap->counts.given_back) - before);
}
