/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "heap/state.h"
#include "host/file.h"
#include "host/host.h"
#include "space/inside.h"

#define SMALL_SHIFT 26u
#define LARGE_SHIFT_MOST 34u
#define GIANT_SHIFT_MOST 40u

/* A range that is smaller has small slots only, and so no larger blocks. */
#define LARGER_FROM ((size_t)64 << 30)

/* Rather more slots than larger ones, down to so many. */
#define LARGES_LEAST 32
#define GIANTS_LEAST 4

/* Records are 128 bytes a slot. */
#define SMALL_MOST 65536u

/* What a host allows that does not tell. */
#define MAPS_MOST 65530u

/* The mappings of the host that a process may have: vm.max_map_count. */
static size_t maps_most(void)
{
	uint64_t maps;

	if (!vmsi_host_read_number("/proc/sys/vm/max_map_count", &maps))
		maps = 0;
	return maps ? maps : MAPS_MOST;
}

/*
 * A slot with memory is two mappings of the host, and so half of them are for
 * slots. A hole in a run makes two more: a quarter is for those. The rest is the
 * program's, which could start no thread and load no library without any.
 */
static size_t divide_maps(struct vms_heap *heap)
{
	const size_t maps = maps_most();

	heap->holes_most = maps / 8;
	return vmsi_min(maps / 4, SMALL_MOST);
}

static uintptr_t place_class(struct vmsi_slot_class *class, unsigned shift,
			     uintptr_t at, size_t count)
{
	class->shift = shift;
	class->count = (uint32_t)count;
	class->base = vmsi_align_up(at, (uintptr_t)1 << shift);
	return class->base + (count << shift);
}

/* The largest slots, up to a size, of which so many fit. */
static unsigned fitting_shift(size_t bytes, unsigned most, size_t least)
{
	unsigned shift = most;

	while (shift > SMALL_SHIFT && bytes >> shift < least)
		shift--;
	return shift;
}

/*
 * Larger slots first, so that no addresses are lost between the classes: the
 * end of each is on a boundary of the next, smaller one.
 */
int vmsi_heap_layout(struct vms_heap *heap, struct vmsi_range range)
{
	struct vmsi_slot_class *small = &heap->classes[0];
	struct vmsi_slot_class *large = &heap->classes[1];
	struct vmsi_slot_class *giant = &heap->classes[2];
	const size_t length = vmsi_range_length(range);
	const size_t larger = length < LARGER_FROM ? 0 : length;
	const unsigned giant_shift = fitting_shift(
		larger / 8 * 3, GIANT_SHIFT_MOST, GIANTS_LEAST);
	const unsigned large_shift = fitting_shift(
		larger / 4, LARGE_SHIFT_MOST, LARGES_LEAST);
	const size_t giants = (larger / 8 * 3) >> giant_shift;
	const size_t larges = (larger / 4) >> large_shift;
	uintptr_t at = vmsi_align_up(range.start, (uintptr_t)1 << giant_shift);
	struct vmsi_slot *slots;
	size_t count;

	heap->start = at;
	at = place_class(giant, giant_shift, at, giants);
	at = place_class(large, large_shift, at, larges);
	if (at >= range.end)
		return -ENOMEM;
	count = vmsi_min((range.end - at) >> SMALL_SHIFT, divide_maps(heap));
	if (count == 0)
		return -ENOMEM;
	at = place_class(small, SMALL_SHIFT, at, count);
	heap->length = at - heap->start;
	heap->record_bytes = vmsi_align_up((count + larges + giants) *
						   sizeof *slots,
					   vmsi_page_size());
	slots = vmsi_records_get(NULL, heap->record_bytes);
	if (!slots)
		return -ENOMEM;
	small->slots = slots;
	large->slots = slots + count;
	giant->slots = large->slots + larges;
	return 0;
}

void vmsi_heap_drop_layout(struct vms_heap *heap)
{
	if (heap->classes[0].slots)
		vmsi_records_put(NULL, heap->classes[0].slots,
				 heap->record_bytes);
}

struct vmsi_slot_class *vmsi_class_of_slot(struct vms_heap *heap,
					   const struct vmsi_slot *slot)
{
	struct vmsi_slot_class *class = heap->classes;

	/* Their records are one array, the small slots first. */
	while (slot >= class->slots + class->count)
		class++;
	return class;
}
