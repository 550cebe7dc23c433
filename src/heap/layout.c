/* SPDX-License-Identifier: MIT */
#include "heap/layout.h"

#include <errno.h>

#include "host/host.h"
#include "space/inside.h"

#define SMALL_SHIFT 26u
#define LARGE_SHIFT_MOST 34u
#define GIANT_SHIFT_MOST 40u

/* A smaller range is cut into small slots only, so it has no larger blocks. */
#define LARGER_FROM ((size_t)64 << 30)

/* In a small range, slots become smaller so that there are at least so many. */
#define LARGES_LEAST 32
#define GIANTS_LEAST 4

/* With records of 128 bytes, these have 8 MiB. */
#define SMALL_MOST ((size_t)65536)

static uintptr_t place_class(struct vmsi_slot_class *class, unsigned shift,
			     uintptr_t at, size_t count)
{
	class->shift = shift;
	class->count = (uint32_t)count;
	class->base = vmsi_align_up(at, (uintptr_t)1 << shift);
	return class->base + (count << shift);
}

/* The shift of the largest slots, up to most, of which least fit into bytes. */
static unsigned fitting_shift(size_t bytes, unsigned most, size_t least)
{
	unsigned shift = most;

	while (shift > SMALL_SHIFT && bytes >> shift < least)
		shift--;
	return shift;
}

/*
 * Larger slots come first, so that no addresses are lost between classes: a class
 * ends at a multiple of the size of the next, smaller slots.
 */
int vmsi_layout_init(struct vmsi_layout *layout, struct vmsi_range range,
		     size_t small_most)
{
	struct vmsi_slot_class *small = &layout->classes[0];
	struct vmsi_slot_class *large = &layout->classes[1];
	struct vmsi_slot_class *giant = &layout->classes[2];
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

	layout->start = at;
	at = place_class(giant, giant_shift, at, giants);
	at = place_class(large, large_shift, at, larges);
	if (at >= range.end)
		return -ENOMEM;
	count = vmsi_min((range.end - at) >> SMALL_SHIFT,
			 vmsi_min(small_most, SMALL_MOST));
	if (count == 0)
		return -ENOMEM;
	at = place_class(small, SMALL_SHIFT, at, count);
	layout->length = at - layout->start;
	layout->record_bytes = vmsi_align_up(
		(count + larges + giants) * sizeof *slots, vmsi_page_size());
	slots = vmsi_records_get(NULL, layout->record_bytes);
	if (!slots)
		return -ENOMEM;
	small->slots = slots;
	large->slots = slots + count;
	giant->slots = large->slots + larges;
	return 0;
}

void vmsi_layout_release(struct vmsi_layout *layout)
{
	if (layout->classes[0].slots)
		vmsi_records_put(NULL, layout->classes[0].slots,
				 layout->record_bytes);
}

struct vmsi_slot_class *vmsi_class_of_slot(struct vmsi_layout *layout,
					   const struct vmsi_slot *slot)
{
	struct vmsi_slot_class *class = layout->classes;

	/* The records of all classes are one array, those of small slots first. */
	while (slot >= class->slots + class->count)
		class++;
	return class;
}

uintptr_t vmsi_slot_address(struct vmsi_layout *layout,
			    const struct vmsi_slot *slot)
{
	return vmsi_slot_start(vmsi_class_of_slot(layout, slot), slot);
}

bool vmsi_layout_has_slots(const struct vmsi_layout *layout, size_t addresses)
{
	for (unsigned i = 0; i < VMSI_HEAP_CLASSES; i++)
		if (layout->classes[i].count > 0 &&
		    addresses <= vmsi_slot_capacity(&layout->classes[i]))
			return true;
	return false;
}
