/* SPDX-License-Identifier: MIT */
#include "preload/heap_large.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <vmspace/heap.h>

#include "base/align.h"
#include "heap/resize.h"
#include "preload/heap_again.h"
#include "preload/heap_forking.h"
#include "preload/heap_next.h"
#include "preload/heap_open.h"
#include "preload/heap_range.h"
#include "preload/heap_yield.h"
#include "preload/marks.h"

/* Large blocks, and blocks that cross the threshold. */

void *vmsi_interposer_alloc(size_t size)
{
	int error = errno;
	vms_heap *heap = vmsi_interposer_get();
	void *block;

	vmsi_interposer_enter();
	block = heap ? vms_heap_malloc(heap, size) : NULL;
	vmsi_interposer_leave();
	errno = error;
	return block;
}

void *vmsi_interposer_aligned_alloc(size_t alignment, size_t size)
{
	int error = errno;
	vms_heap *heap = vmsi_interposer_get();
	void *block = NULL;

	vmsi_interposer_enter();
	if (heap && alignment && vmsi_is_aligned(alignment, alignment))
		block = vms_heap_aligned_alloc(heap, alignment, size);
	vmsi_interposer_leave();
	errno = error;
	return block;
}

/* If the heap has no memory, the next malloc may; if not, its errno stays. */
void *vmsi_interposer_malloc(size_t size)
{
	void *block = vmsi_interposer_alloc(size);

	if (!block)
		block = vmsi_interposer_next.malloc(size);
	return block ? block : vmsi_interposer_malloc_again(size);
}

void *vmsi_interposer_calloc(size_t count, size_t size)
{
	int error = errno;
	vms_heap *heap = vmsi_interposer_get();
	void *block;

	vmsi_interposer_enter();
	block = heap ? vms_heap_calloc(heap, count, size) : NULL;
	vmsi_interposer_leave();
	errno = error;
	if (!block)
		block = vmsi_interposer_next.calloc(count, size);
	return block ? block : vmsi_interposer_calloc_again(count, size);
}

void vmsi_interposer_free(void *block)
{
	if (vmsi_interposer_is_forking()) {
		vmsi_interposer_free_later(block);
		return;
	}
	vmsi_interposer_enter();
	vms_heap_free(vmsi_interposer_if_open(), block);
	vmsi_interposer_leave();
}

size_t vmsi_interposer_usable_size(const void *block)
{
	return vms_heap_usable_size(vmsi_interposer_if_open(), block);
}

/* A block of the heap becomes one of the next malloc. */
static void *move_out(void *block, size_t size)
{
	void *moved = vmsi_interposer_next.malloc(size);

	if (!moved)
		moved = vmsi_interposer_malloc_again(size);
	if (!moved)
		return NULL;
	memcpy(moved, block,
	       vmsi_min(size, vmsi_interposer_usable_size(block)));
	vmsi_interposer_free(block);
	return moved;
}

/*
 * With some mallocs realloc(block, 0) frees the block, with others it gives a block
 * of no bytes. The next one is asked for what it does.
 */
static void *resize_to_nothing(void *block)
{
	void *probe = vmsi_interposer_next.malloc(1);

	if (!probe)
		return NULL;
	probe = vmsi_interposer_next.realloc(probe, 0);
	vmsi_interposer_free(block);
	return probe;
}

static void *resize_in_heap(vms_heap *heap, void *block, size_t size)
{
	void *resized;

	vmsi_interposer_enter();
	resized = vms_heap_realloc(heap, block, size);
	vmsi_interposer_leave();
	return resized;
}

/*
 * A block of the heap stays there when it shrinks, so that one whose size swings
 * around the threshold is not copied again and again. Below a quarter of the
 * threshold it moves out, as most of what the heap gives it would be unused.
 */
VMSI_APART static void *resize_own(void *block, size_t size)
{
	vms_heap *heap = vmsi_interposer_get();
	bool stays = size >= VMSI_RELAXED(vmsi_interposer.threshold) / 4;
	int error = errno;
	void *resized = NULL;

	if (size == 0)
		return resize_to_nothing(block);
	if (stays && heap)
		resized = resize_in_heap(heap, block, size);
	/* The heap has left errno alone. */
	if (resized)
		return resized;
	resized = move_out(block, size);
	if (!resized && !stays && heap)
		resized = resize_in_heap(heap, block, size);
	if (resized)
		errno = error;
	return resized;
}

/*
 * A block of the next malloc becomes one of the heap, by the only copy in its life.
 * One that is far above the threshold was refused by the heap before, and stays.
 */
static void *move_in(void *block, size_t size)
{
	size_t old_size = vmsi_interposer_next.malloc_usable_size(block);
	void *moved;

	/* The size is 0 from tcmalloc before its constructors have run. */
	if (old_size == 0 ||
	    old_size / 4 > VMSI_RELAXED(vmsi_interposer.threshold))
		return NULL;
	moved = vmsi_interposer_alloc(size);
	if (!moved)
		return NULL;
	memcpy(moved, block, vmsi_min(old_size, size));
	vmsi_interposer_next.free(block);
	return moved;
}

VMSI_APART static void *resize_other(void *block, size_t size)
{
	void *moved = NULL;

	if (!block)
		return vmsi_interposer_malloc(size);
	if (vmsi_interposer_next.knows_sizes)
		moved = move_in(block, size);
	if (!moved)
		moved = vmsi_interposer_next.realloc(block, size);
	if (!moved)
		moved = vmsi_interposer_realloc_again(block, size);
	/* Not every malloc sets errno. */
	if (!moved)
		errno = ENOMEM;
	return moved;
}

void *vmsi_interposer_realloc(void *block, size_t size)
{
	vms_heap *heap = vmsi_interposer_if_open();
	void *same;

	if (!vmsi_interposer_has(block))
		return resize_other(block, size);
	if (heap && size >= VMSI_RELAXED(vmsi_interposer.threshold) / 4) {
		same = vmsi_heap_resize_in_room(heap, block, size);
		if (same)
			return same;
	}
	return resize_own(block, size);
}
