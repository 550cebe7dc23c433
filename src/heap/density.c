/* SPDX-License-Identifier: MIT */
#include "growth/growth.h"
#include "heap/slot.h"
#include "heap/state.h"
#include "host/host.h"

/*
 * Which blocks get huge pages before a byte of them was written. A huge page
 * brings in 2 MiB for one byte, so a block that is touched here and there would
 * hold many times what it holds under another malloc. A block therefore has
 * small pages until the program is seen to fill blocks like it; where the host
 * gives huge pages unasked it would get them from any malloc, and does here.
 *
 * Only blocks on small pages tell anything: a huge page is all in memory
 * however little of it was written.
 */

/* What is smaller is not worth a look at whether it is full. */
#define DENSITY_LEAST ((size_t)1 << 20)
#define DENSITY_MOST 4

/* A part of the block tells enough; more would cost more than it saves. */
#define SAMPLE_PAGES 4096
#define SAMPLE_PARTS 4
#define PART_PAGES (SAMPLE_PAGES / SAMPLE_PARTS)

/* Blocks of up to so many times one that was filled are expected to be, too. */
#define LIKE_IT 4

/* Pages of count, from an address on, that are in memory; SIZE_MAX: unknown. */
static size_t pages_in_memory(uintptr_t start, size_t count)
{
	unsigned char pages[SAMPLE_PAGES];
	size_t resident = 0;

	if (vmsi_host.mincore(start, count * vmsi_page_size(), pages) < 0)
		return SIZE_MAX;
	for (size_t i = 0; i < count; i++)
		resident += pages[i] & 1;
	return resident;
}

bool vmsi_slot_is_dense(struct vms_heap *heap, const struct vmsi_slot *slot,
			size_t bytes)
{
	const uintptr_t start =
		vmsi_slot_start(vmsi_class_of_slot(heap, slot), slot);
	const size_t count = bytes / vmsi_page_size();
	const size_t apart = count > PART_PAGES ?
		(count - PART_PAGES) / (SAMPLE_PARTS - 1) : 0;
	size_t resident = 0;

	if (count <= SAMPLE_PAGES)
		return pages_in_memory(start, count) >= count / 2;
	/* From end to end: a table may have a full beginning. */
	for (size_t i = 0; i < SAMPLE_PARTS; i++) {
		size_t part = pages_in_memory(
			start + i * apart * vmsi_page_size(), PART_PAGES);

		if (part == SIZE_MAX)
			return true;
		resident += part;
	}
	return resident >= SAMPLE_PAGES / 2;
}

/* --- blocks of malloc ------------------------------------------------------ */

static void expect_filled(struct vms_heap *heap, size_t up_to)
{
	if (up_to > vmsi_get(&heap->filled))
		vmsi_set(&heap->filled, up_to);
}

/*
 * A block that lives and is full tells as much as one that is freed. One that
 * is not may be filled later, and tells nothing.
 */
static void look_at_latest(struct vms_heap *heap)
{
	struct vmsi_slot *slot = atomic_load_explicit(&heap->latest,
						      memory_order_relaxed);
	size_t size;

	if (!slot || vmsi_slot_use(slot) != VMSI_SLOT_LIVE || !slot->plain)
		return;
	size = vmsi_get(&slot->size);
	if (size > 0 && vmsi_slot_is_dense(heap, slot, size))
		expect_filled(heap, LIKE_IT * size);
}

enum vmsi_purpose vmsi_purpose_of_block(struct vms_heap *heap, size_t size)
{
	if (!heap->huge_pages || heap->huge_unasked)
		return VMSI_FOR_FULL_BLOCK;
	if (size > vmsi_get(&heap->filled))
		look_at_latest(heap);
	return size <= vmsi_get(&heap->filled) ? VMSI_FOR_FULL_BLOCK :
						 VMSI_FOR_BLOCK;
}

void vmsi_watch_block(struct vms_heap *heap, struct vmsi_slot *slot)
{
	if (slot->plain)
		atomic_store_explicit(&heap->latest, slot,
				      memory_order_relaxed);
}

/* What was filled keeps its memory for the next that is. */
static void learn_of_block(struct vms_heap *heap, struct vmsi_slot *slot)
{
	const size_t size = vmsi_get(&slot->size);

	if (!slot->plain || size < DENSITY_LEAST)
		return;
	if (vmsi_slot_is_dense(heap, slot, size)) {
		expect_filled(heap, LIKE_IT * size);
		vmsi_slot_set_plain(heap, slot, false);
	} else if (size < vmsi_get(&heap->filled)) {
		vmsi_set(&heap->filled, size - 1);
	}
}

/* --- tables of calloc ------------------------------------------------------ */

/*
 * A program may take a large table of zeroes and use little of it. Whether this
 * one does is learned from the tables that it gives back.
 */
enum vmsi_purpose vmsi_purpose_of_zeroes(const struct vms_heap *heap)
{
	return atomic_load_explicit(&heap->density, memory_order_relaxed) > 0 ?
		VMSI_FOR_FULL_BLOCK : VMSI_FOR_ZEROES;
}

static void learn_of_zeroes(struct vms_heap *heap, const struct vmsi_slot *slot)
{
	const size_t size = vmsi_get(&slot->size);
	int seen = atomic_load_explicit(&heap->density, memory_order_relaxed);
	int next;

	if (size < DENSITY_LEAST)
		return;
	next = vmsi_slot_is_dense(heap, slot, size) ? seen + 1 : seen - 1;
	if (next >= -DENSITY_MOST && next <= DENSITY_MOST)
		atomic_store_explicit(&heap->density, next,
				      memory_order_relaxed);
}

void vmsi_learn_density(struct vms_heap *heap, struct vmsi_slot *slot)
{
	if (slot->zeroed)
		learn_of_zeroes(heap, slot);
	else
		learn_of_block(heap, slot);
}
