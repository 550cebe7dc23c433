/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_LAYOUT_H
#define VMSI_HEAP_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/align.h"
#include "heap/bins.h"
#include "heap/slot.h"

/*
 * A heap is one space, cut into slots of three sizes. A slot is far larger than
 * the block at its start, so that the block can grow; or it is a run, with many
 * blocks of one size class of up to 1 MiB.
 *
 *   space  |  1 TiB slots  |  16 GiB slots  |  64 MiB slots  |
 *
 * (In a small space the first two sizes are smaller.) The address alone tells which
 * slot it lies in. The records of slots lie apart from memory that the program
 * writes.
 */

#define VMSI_HEAP_CLASSES 3

/*
 * The slots of one size. Fields from base to slots do not change while the heap is
 * open; the heap's lock guards the others.
 */
struct vmsi_slot_class {
	uintptr_t base;
	unsigned shift;          /* a slot has 1 << shift bytes */
	uint32_t count;
	struct vmsi_slot *slots;
	uint32_t begun;          /* slots that were ever used: the first ones */
	struct vmsi_slot *unused; /* begun slots that are UNUSED */
	struct vmsi_bins bins[2]; /* of slots with huge pages, and with small ones */
};

struct vmsi_layout {
	uintptr_t start;         /* the first address of a slot */
	size_t length;           /* bytes of addresses of all slots */
	struct vmsi_slot_class classes[VMSI_HEAP_CLASSES]; /* small slots first */
	size_t record_bytes;     /* of the records of all slots */
};

/*
 * Cut a range into small slots, at most small_most, and larger ones if it is large
 * enough. Returns 0 or -ENOMEM.
 */
int vmsi_layout_init(struct vmsi_layout *layout, struct vmsi_range range,
		     size_t small_most);
void vmsi_layout_release(struct vmsi_layout *layout);

static inline bool vmsi_layout_has(const struct vmsi_layout *layout,
				   const void *address)
{
	return (uintptr_t)address - layout->start < layout->length;
}

/* The class of the slot that an address of the layout lies in. */
static inline struct vmsi_slot_class *
vmsi_class_of(struct vmsi_layout *layout, uintptr_t address)
{
	struct vmsi_slot_class *class = layout->classes;

	/* The smallest slots have the highest addresses. */
	while (address < class->base)
		class++;
	return class;
}

static inline struct vmsi_slot *vmsi_slot_of(struct vmsi_slot_class *class,
					     uintptr_t address)
{
	return &class->slots[(address - class->base) >> class->shift];
}

static inline size_t vmsi_slot_capacity(const struct vmsi_slot_class *class)
{
	return (size_t)1 << class->shift;
}

static inline uintptr_t vmsi_slot_start(const struct vmsi_slot_class *class,
					const struct vmsi_slot *slot)
{
	return class->base + ((uintptr_t)(slot - class->slots) << class->shift);
}

struct vmsi_slot_class *vmsi_class_of_slot(struct vmsi_layout *layout,
					   const struct vmsi_slot *slot);

/* vmsi_slot_start, where the caller does not know the class. */
uintptr_t vmsi_slot_address(struct vmsi_layout *layout,
			    const struct vmsi_slot *slot);

/* Whether a slot of any class, free or not, has so many addresses. */
bool vmsi_layout_has_slots(const struct vmsi_layout *layout, size_t addresses);

#endif
