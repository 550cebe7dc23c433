/* SPDX-License-Identifier: MIT */
#include "heap/density.h"

#include "growth/growth.h"
#include "heap/heap.h"
#include "host/host.h"

/*
 * Decides which new blocks get huge pages. A block gets small ones until blocks
 * like it are seen to be dense, since a sparse block on huge pages would take many
 * times the memory that it takes under another malloc. Where the host gives huge
 * pages unasked, any malloc gets them, and so does the heap.
 *
 * Only blocks on small pages tell anything: a huge page is in memory as a whole
 * however little of it was written.
 */

/* Smaller blocks are not looked at: the call would cost more than it saves. */
#define DENSITY_LEAST ((size_t)1 << 20)

/* of_calloc stays within this, so that it soon follows a program that changes. */
#define DENSITY_MOST 4

/* A sample has so many pages, of a large block in parts spread over all of it. */
#define SAMPLE_PAGES 4096
#define SAMPLE_PARTS 4
#define PART_PAGES (SAMPLE_PAGES / SAMPLE_PARTS)

/* A dense block of malloc tells of those up to so many times its size. */
#define LIKE_IT 4

/* How many of count pages are in memory; SIZE_MAX: the host does not tell. */
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
		vmsi_slot_address(&heap->layout, slot);
	const size_t count = bytes / vmsi_page_size();
	const size_t apart = count > PART_PAGES ?
		(count - PART_PAGES) / (SAMPLE_PARTS - 1) : 0;
	size_t resident = 0;

	if (count <= SAMPLE_PAGES)
		return pages_in_memory(start, count) >= count / 2;
	/* In parts, as a sparse block may have a dense beginning. */
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

static void expect_dense(struct vms_heap *heap, size_t up_to)
{
	if (up_to > vmsi_get(&heap->density.dense_up_to))
		vmsi_set(&heap->density.dense_up_to, up_to);
}

/*
 * Learn from the latest block on small pages, if it is dense by now. If it is not,
 * that tells nothing, since the program may be about to fill it.
 */
static void look_at_latest(struct vms_heap *heap)
{
	struct vmsi_slot *slot = atomic_load_explicit(&heap->density.latest,
						      memory_order_relaxed);
	size_t size;

	if (!slot || vmsi_slot_use(slot) != VMSI_SLOT_LIVE || !slot->small_pages)
		return;
	size = vmsi_get(&slot->size);
	if (size > 0 && vmsi_slot_is_dense(heap, slot, size))
		expect_dense(heap, LIKE_IT * size);
}

enum vmsi_purpose vmsi_purpose_of_malloc(struct vms_heap *heap, size_t size)
{
	if (!heap->huge_pages || heap->huge_unasked)
		return VMSI_FOR_DENSE_BLOCK;
	if (size > vmsi_get(&heap->density.dense_up_to))
		look_at_latest(heap);
	return size <= vmsi_get(&heap->density.dense_up_to) ? VMSI_FOR_DENSE_BLOCK :
						 VMSI_FOR_BLOCK;
}

void vmsi_density_watch(struct vms_heap *heap, struct vmsi_slot *slot)
{
	if (slot->small_pages)
		atomic_store_explicit(&heap->density.latest, slot,
				      memory_order_relaxed);
}

/* The slot of a dense block gets huge pages, to be retained for dense blocks. */
static void learn_of_malloc(struct vms_heap *heap, struct vmsi_slot *slot)
{
	const size_t size = vmsi_get(&slot->size);

	if (!slot->small_pages || size < DENSITY_LEAST)
		return;
	if (vmsi_slot_is_dense(heap, slot, size)) {
		expect_dense(heap, LIKE_IT * size);
		vmsi_slot_set_small_pages(heap, slot, false);
	} else if (size < vmsi_get(&heap->density.dense_up_to)) {
		vmsi_set(&heap->density.dense_up_to, size - 1);
	}
}

/* --- blocks of calloc ------------------------------------------------------ */

static int of_calloc(const struct vms_heap *heap)
{
	return atomic_load_explicit(&heap->density.of_calloc,
				    memory_order_relaxed);
}

/*
 * A program may make a large table by calloc and use little of it. Whether this
 * one does is learned from the tables that it has freed.
 */
enum vmsi_purpose vmsi_purpose_of_calloc(const struct vms_heap *heap)
{
	return of_calloc(heap) > 0 ? VMSI_FOR_DENSE_BLOCK :
				     VMSI_FOR_SPARSE_BLOCK;
}

static void learn_of_calloc(struct vms_heap *heap, const struct vmsi_slot *slot)
{
	const size_t size = vmsi_get(&slot->size);
	const int seen = of_calloc(heap);
	int next;

	if (size < DENSITY_LEAST)
		return;
	next = vmsi_slot_is_dense(heap, slot, size) ? seen + 1 : seen - 1;
	if (next >= -DENSITY_MOST && next <= DENSITY_MOST)
		atomic_store_explicit(&heap->density.of_calloc, next,
				      memory_order_relaxed);
}

void vmsi_density_learn(struct vms_heap *heap, struct vmsi_slot *slot)
{
	if (slot->from_calloc)
		learn_of_calloc(heap, slot);
	else
		learn_of_malloc(heap, slot);
}
