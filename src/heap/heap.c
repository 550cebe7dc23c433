/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/panic.h"
#include "heap/memlock.h"
#include "heap/request.h"
#include "heap/resize.h"
#include "heap/retain.h"
#include "heap/run.h"
#include "heap/slot.h"
#include "heap/state.h"
#include "host/host.h"

/* Blocks: allocate, grow, free. */

/* What a call answers; saved is what errno was before it. */
static void *answer(vms_heap *heap, void *block, int saved)
{
	if (!block)
		vmsi_count(&heap->counts.refusals, 1);
	vmsi_heap_age(heap, vmsi_heap_now());
	errno = block ? saved : ENOMEM;
	vmsi_heap_verify(heap);
	return block;
}

static void *address_of(vms_heap *heap, const struct vmsi_slot *slot)
{
	return (void *)vmsi_slot_start(vmsi_class_of_slot(heap, slot), slot);
}

/* --- slots ---------------------------------------------------------------- */

/*
 * Huge pages for memory that will be filled, and where all that is needed is
 * there already; none for what may stay empty.
 */
static bool wants_small_pages(const struct vmsi_slot *slot, size_t size,
			      enum vmsi_purpose purpose)
{
	if (purpose == VMSI_FOR_BLOCK)
		return slot->plain || vmsi_get(&slot->touched) < size;
	return purpose == VMSI_FOR_ZEROES;
}

static struct vmsi_slot *take_committed(vms_heap *heap, size_t addresses,
					size_t size, enum vmsi_purpose purpose)
{
	struct vmsi_slot *slot = vmsi_slot_take(heap, addresses, size, purpose);

	if (!slot)
		return NULL;
	vmsi_slot_set_plain(heap, slot, wants_small_pages(slot, size, purpose));
	if (vmsi_slot_commit(heap, slot, size, VMSI_COMMIT_EXACT)) {
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
	return address_of(heap, slot);
}

static void *alloc_slot(vms_heap *heap, size_t alignment, size_t size)
{
	size_t addresses = vmsi_max(alignment, size);
	struct vmsi_slot *slot = take_committed(
		heap, addresses, size, vmsi_purpose_of_block(heap, size));
	void *block;

	if (!slot)
		return NULL;
	block = publish(heap, slot, size);
	vmsi_watch_block(heap, slot);
	return block;
}

/* Runs are committed ahead, which memory that is to be locked is not. */
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
	return answer(heap, block, saved);
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
	return answer(heap, block, saved);
}

/* --- calloc --------------------------------------------------------------- */

static void *calloc_slot(vms_heap *heap, size_t size)
{
	const enum vmsi_purpose purpose = vmsi_purpose_of_zeroes(heap);
	struct vmsi_slot *slot = take_committed(heap, size, size, purpose);

	if (!slot)
		return NULL;
	slot->zeroed = true;
	if (purpose == VMSI_FOR_FULL_BLOCK)
		memset(address_of(heap, slot), 0,
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
		return answer(heap, NULL, saved);
	do
		block = alloc_zeroes(heap, bytes);
	while (!block && vmsi_request_again(heap, bytes));
	return answer(heap, block, saved);
}

/* --- finding a block ------------------------------------------------------ */

/* The slot of a block, or of the run that holds it. */
static struct vmsi_slot *find_live(vms_heap *heap, const void *block)
{
	const uintptr_t address = (uintptr_t)block;
	struct vmsi_slot_class *class;
	struct vmsi_slot *slot;

	if (!vmsi_heap_has(heap, block))
		vmsi_panic("heap: given a pointer that it does not own");
	class = vmsi_class_of(heap, address);
	slot = vmsi_slot_of(class, address);
	if (vmsi_slot_use(slot) == VMSI_SLOT_RUN)
		return slot;
	if (vmsi_slot_use(slot) != VMSI_SLOT_LIVE)
		vmsi_panic("heap: given a block that is not in use");
	if (!vmsi_is_aligned(address, vmsi_slot_capacity(class)))
		vmsi_panic("heap: given a pointer into a block");
	return slot;
}

size_t vms_heap_usable_size(const vms_heap *heap, const void *block)
{
	struct vmsi_slot *slot;

	if (!block)
		return 0;
	slot = find_live((vms_heap *)heap, block);
	if (vmsi_slot_use(slot) == VMSI_SLOT_RUN)
		return vmsi_run_usable((vms_heap *)heap, slot, (uintptr_t)block);
	return vmsi_align_up(vmsi_get(&slot->size), vmsi_page_size());
}

bool vms_heap_owns(const vms_heap *heap, const void *address)
{
	return vmsi_heap_has(heap, address);
}

/* --- free ----------------------------------------------------------------- */

static uint64_t growths(const struct vmsi_slot *slot)
{
	return atomic_load_explicit(&slot->grown, memory_order_relaxed);
}

/* The block is the calling thread's: no other one counts. */
static void count_growth(struct vmsi_slot *slot)
{
	atomic_store_explicit(&slot->grown, growths(slot) + 1,
			      memory_order_relaxed);
}

static void free_slot(vms_heap *heap, struct vmsi_slot *slot)
{
	uint32_t live = VMSI_SLOT_LIVE;

	/* Of two threads that free one block, one is told. */
	if (!atomic_compare_exchange_strong(&slot->use, &live, VMSI_SLOT_BUSY))
		vmsi_panic("heap: given a block that is not in use");
	vmsi_count(&heap->counts.grown_in_place, growths(slot));
	vmsi_learn_density(heap, slot);
	vmsi_slot_settle(slot);
	vmsi_slot_put(heap, slot);
	vmsi_heap_age(heap, vmsi_heap_now());
}

void vms_heap_free(vms_heap *heap, void *block)
{
	int saved = errno;
	struct vmsi_slot *slot;

	if (!block)
		return;
	slot = find_live(heap, block);
	if (vmsi_slot_use(slot) == VMSI_SLOT_RUN)
		vmsi_run_free(heap, slot, (uintptr_t)block);
	else
		free_slot(heap, slot);
	vmsi_heap_verify(heap);
	errno = saved;
}

/* --- realloc -------------------------------------------------------------- */

/* A block that grows is a full one, unless it is seen not to be. */
static void use_huge_pages(vms_heap *heap, struct vmsi_slot *slot)
{
	if (slot->plain &&
	    vmsi_slot_is_dense(heap, slot, vmsi_get(&slot->size)))
		vmsi_slot_set_plain(heap, slot, false);
}

/*
 * The block's page tables go to another slot. What is to follow them there is
 * committed first, so that a refusal leaves the block where it is.
 */
static void *grow_by_move(vms_heap *heap, struct vmsi_slot *slot, size_t size,
			  enum vmsi_purpose purpose)
{
	/* What is moved takes its advice along. */
	struct vmsi_slot *larger = vmsi_slot_take_grower(
		heap, vmsi_get(&slot->room), size, slot->plain, purpose);

	if (!larger)
		return NULL;
	vmsi_slot_settle(slot);
	if (vmsi_slot_move(heap, slot, larger)) {
		vmsi_slot_put(heap, larger);
		return NULL;
	}
	vmsi_slot_publish_grown(heap, larger, size);
	vmsi_slot_set_use(slot, VMSI_SLOT_BUSY);
	vmsi_slot_put(heap, slot);
	return address_of(heap, larger);
}

/* Into what lies warm behind its room. Returns whether that is enough. */
static bool grow_into_surplus(vms_heap *heap, struct vmsi_slot *slot,
			      size_t size)
{
	vmsi_slot_take_surplus(heap, slot);
	if (size > vmsi_get(&slot->room))
		return false;
	vmsi_set(&slot->size, size);
	vmsi_slot_leave_surplus(heap, slot);
	return true;
}

/* By memory that it does not have yet. */
static void *grow_beyond(vms_heap *heap, struct vmsi_slot *slot, size_t size)
{
	struct vmsi_slot_class *class = vmsi_class_of_slot(heap, slot);
	void *moved;

	use_huge_pages(heap, slot);
	if (size > vmsi_slot_capacity(class))
		return grow_by_move(heap, slot, size, VMSI_FOR_GROWTH);
	/* Before new memory comes to lie beside it. */
	moved = grow_by_move(heap, slot, size, VMSI_FOR_WARMTH);
	if (moved)
		return moved;
	if (vmsi_slot_commit(heap, slot, size, VMSI_COMMIT_GROWTH))
		return NULL;
	vmsi_set(&slot->size, size);
	count_growth(slot);
	return address_of(heap, slot);
}

static void *grow(vms_heap *heap, struct vmsi_slot *slot, size_t size)
{
	const bool had_surplus = vmsi_get(&slot->surplus) > 0;
	void *grown;

	if (grow_into_surplus(heap, slot, size)) {
		count_growth(slot);
		return address_of(heap, slot);
	}
	grown = grow_beyond(heap, slot, size);
	/* A refusal does not make room of it. */
	if (!grown && had_surplus)
		vmsi_slot_leave_surplus(heap, slot);
	return grown;
}

/*
 * Little less is kept as it is; much less goes back to the system, and so does
 * what many times little has come to.
 */
static void *shrink(vms_heap *heap, struct vmsi_slot *slot, size_t size)
{
	const size_t old = vmsi_get(&slot->size);
	size_t touched;

	vmsi_slot_settle(slot);
	touched = vmsi_get(&slot->touched);
	vmsi_set(&slot->size, size);
	if (touched - size > VMSI_RUN_MOST &&
	    (old - size > old / 4 || size < touched / 2)) {
		vmsi_slot_take_surplus(heap, slot);
		vmsi_slot_give_back(heap, slot,
				    vmsi_align_up(size, vmsi_page_size()));
	}
	return address_of(heap, slot);
}

static void *resize(vms_heap *heap, struct vmsi_slot *slot, void *block,
		    size_t size)
{
	if (vmsi_slot_use(slot) == VMSI_SLOT_RUN)
		return vmsi_run_realloc(heap, slot, (uintptr_t)block, size);
	if (size > vmsi_get(&slot->room))
		return grow(heap, slot, size);
	return shrink(heap, slot, size);
}

static void *realloc_slowly(vms_heap *heap, struct vmsi_slot *slot, void *block,
			    size_t size)
{
	const int saved = errno;
	void *changed;

	vmsi_request_begin();
	do
		changed = resize(heap, slot, block, size);
	while (!changed && vmsi_request_again(heap, size));
	return answer(heap, changed, saved);
}

/*
 * What is neither more than the slot has committed nor so much less that any
 * of it goes back. The size of a run is 0, and so no block of one is.
 */
static bool stays_in_room(const struct vmsi_slot *slot, size_t old, size_t size)
{
	const size_t touched = vmsi_get(&slot->touched);

	if (old == 0 || size == 0 || size > vmsi_get(&slot->room))
		return false;
	return size >= old ||
		(old <= touched && touched - size <= VMSI_RUN_MOST);
}

/* The new size is noted, and nothing else is to be done. */
static void *keep_in_room(struct vmsi_slot *slot, void *block, size_t old,
			  size_t size)
{
	vmsi_set(&slot->size, size);
	if (size > old)
		count_growth(slot);
	return block;
}

void *vmsi_heap_resize_in_room(vms_heap *heap, void *block, size_t size)
{
	struct vmsi_slot *slot = find_live(heap, block);
	const size_t old = vmsi_get(&slot->size);

	return stays_in_room(slot, old, size) ?
		keep_in_room(slot, block, old, size) : NULL;
}

void *vms_heap_realloc(vms_heap *heap, void *block, size_t size)
{
	struct vmsi_slot *slot;
	size_t old;

	if (!block)
		return vms_heap_malloc(heap, size);
	slot = find_live(heap, block);
	old = vmsi_get(&slot->size);
	if (stays_in_room(slot, old, size))
		return keep_in_room(slot, block, old, size);
	return realloc_slowly(heap, slot, block, size ? size : 1);
}
