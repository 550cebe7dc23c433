/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "heap/block.h"
#include "heap/memlock.h"
#include "heap/request.h"
#include "heap/take.h"
#include "host/host.h"

/* New blocks: malloc, aligned_alloc, calloc. */

/* --- slots ---------------------------------------------------------------- */

/*
 * Whether a block gets small pages. One that may be dense or sparse gets huge pages
 * only if the slot has them, and has memory for all of the block already.
 */
static bool wants_small_pages(const struct vmsi_slot *slot, size_t size,
			      enum vmsi_purpose purpose)
{
	if (purpose == VMSI_FOR_BLOCK)
		return slot->small_pages || vmsi_get(&slot->touched) < size;
	return purpose == VMSI_FOR_SPARSE_BLOCK;
}

static struct vmsi_slot *take_committed(vms_heap *heap, size_t addresses,
					size_t size, enum vmsi_purpose purpose)
{
	struct vmsi_slot *slot = vmsi_slot_take(heap, addresses, size, purpose);

	if (!slot)
		return NULL;
	vmsi_slot_set_small_pages(heap, slot,
				  wants_small_pages(slot, size, purpose));
	if (vmsi_slot_commit(heap, slot, 0, size, VMSI_REACH_EXACT)) {
		vmsi_slot_put(heap, slot);
		return NULL;
	}
	return slot;
}

static void *publish(vms_heap *heap, struct vmsi_slot *slot, size_t size)
{
	vmsi_set(&slot->size, size);
	vmsi_slot_set_use(slot, VMSI_SLOT_LIVE);
	vmsi_count(&heap->counts.allocations, 1);
	return vmsi_block_of(heap, slot);
}

static void *alloc_slot(vms_heap *heap, size_t alignment, size_t size)
{
	size_t addresses = vmsi_max(alignment, size);
	struct vmsi_slot *slot = take_committed(
		heap, addresses, size, vmsi_purpose_of_malloc(heap, size));
	void *block;

	if (!slot)
		return NULL;
	block = publish(heap, slot, size);
	vmsi_density_watch(heap, slot);
	return block;
}

/* Runs commit ahead, so blocks that are to be locked get slots. */
static bool fits_run(const vms_heap *heap, size_t size)
{
	return size <= VMSI_RUN_MOST && !vmsi_heap_locks_new(heap);
}

static void *alloc(vms_heap *heap, size_t size)
{
	size = size ? size : 1;
	return fits_run(heap, size) ? vmsi_run_alloc(heap, size, false) :
				      alloc_slot(heap, 1, size);
}

void *vms_heap_malloc(vms_heap *heap, size_t size)
{
	const int saved = errno;
	void *block;

	vmsi_request_begin();
	do
		block = alloc(heap, size);
	while (!block && vmsi_request_again(heap, size));
	return vmsi_block_answer(heap, block, saved);
}

static void *alloc_aligned(vms_heap *heap, size_t alignment, size_t size)
{
	if (alignment <= vmsi_page_size())
		return alloc(heap, size);
	return alloc_slot(heap, alignment, size ? size : 1);
}

void *vms_heap_aligned_alloc(vms_heap *heap, size_t alignment, size_t size)
{
	const int saved = errno;
	void *block;

	if (alignment == 0 || (alignment & (alignment - 1))) {
		errno = EINVAL;
		return NULL;
	}
	vmsi_request_begin();
	do
		block = alloc_aligned(heap, alignment, size);
	while (!block &&
	       vmsi_request_again(heap, vmsi_max(alignment, size)));
	return vmsi_block_answer(heap, block, saved);
}

/* --- calloc --------------------------------------------------------------- */

static void *calloc_slot(vms_heap *heap, size_t size)
{
	const enum vmsi_purpose purpose = vmsi_purpose_of_calloc(heap);
	struct vmsi_slot *slot = take_committed(heap, size, size, purpose);

	if (!slot)
		return NULL;
	slot->from_calloc = true;
	if (purpose == VMSI_FOR_DENSE_BLOCK)
		memset(vmsi_block_of(heap, slot), 0,
		       vmsi_min(size, vmsi_get(&slot->touched)));
	else
		vmsi_slot_clear(heap, slot);
	return publish(heap, slot, size);
}

static void *alloc_zeroes(vms_heap *heap, size_t size)
{
	size = size ? size : 1;
	return fits_run(heap, size) ? vmsi_run_alloc(heap, size, true) :
				      calloc_slot(heap, size);
}

void *vms_heap_calloc(vms_heap *heap, size_t count, size_t size)
{
	const int saved = errno;
	void *block;
	size_t bytes;

	vmsi_request_begin();
	if (!vmsi_multiply(count, size, &bytes))
		return vmsi_block_answer(heap, NULL, saved);
	do
		block = alloc_zeroes(heap, bytes);
	while (!block && vmsi_request_again(heap, bytes));
	return vmsi_block_answer(heap, block, saved);
}
