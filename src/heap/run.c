/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/panic.h"
#include "heap/marks.h"
#include "heap/collect.h"
#include "heap/grow.h"
#include "heap/take.h"
#include "heap/run_parts.h"
#include "host/host.h"
#include "space/inside.h"

/*
 * Makes, frees and resizes blocks in runs, for alloc.c, block.c and realloc.c.
 * run_blocks.c knows which blocks are free, run_memory.c what memory they have,
 * and run_collect.c gives retained ones back.
 */

static unsigned class_for(size_t size)
{
	unsigned log;

	if (size <= VMSI_RUN_LEAST)
		return 0;
	log = (unsigned)(63 - __builtin_clzll(size - 1));
	return (log - 16) * 4 + (unsigned)(((size - 1) >> (log - 2)) & 3) + 1;
}

static size_t class_size(unsigned class)
{
	size_t below;

	if (class == 0)
		return VMSI_RUN_LEAST;
	below = VMSI_RUN_LEAST << ((class - 1) / 4);
	return below + below / 4 * ((class - 1) % 4 + 1);
}

void vmsi_runs_init(struct vms_heap *heap)
{
	const struct vmsi_pool_source source = {
		vmsi_records_get, vmsi_records_put, NULL
	};

	vmsi_lock_init(&heap->runs.ahead_lock, VMSI_RANK_AHEAD);
	vmsi_lock_init(&heap->runs.pool_lock, VMSI_RANK_LEAF);
	vmsi_pool_init(&heap->runs.pool, sizeof(struct vmsi_run), source);
	for (unsigned i = 0; i < VMSI_RUN_CLASSES; i++) {
		vmsi_lock_init(&heap->runs.classes[i].lock, VMSI_RANK_LEAF);
		heap->runs.classes[i].size = vmsi_align_up(class_size(i),
							  vmsi_page_size());
	}
}

void vmsi_runs_release(struct vms_heap *heap)
{
	vmsi_pool_release(&heap->runs.pool);
}

/* --- making runs ---------------------------------------------------------- */

static struct vmsi_run *take_record(struct vms_heap *heap)
{
	struct vmsi_run *run = NULL;

	vmsi_lock_acquire(&heap->runs.pool_lock);
	if (vmsi_pool_reserve(&heap->runs.pool, 1) == 0)
		run = vmsi_pool_take(&heap->runs.pool);
	vmsi_lock_release(&heap->runs.pool_lock);
	return run;
}

static void add_free(struct vmsi_run *run, unsigned index)
{
	run->blocks[index] = (struct vmsi_block){
		.next = run->free,
		.use = VMSI_BLOCK_FREE,
		.memory = VMSI_BLOCK_USED,
		.freed_at = run->slot->retained.freed_at,
	};
	run->free = (uint16_t)(index + 1);
}

/*
 * Make free blocks of the memory that the slot retained, the lowest on top of the
 * stack. A block of which only a part is committed does not count as begun, but
 * its memory counts as used, since that part may hold anything.
 */
static void adopt_memory(struct vmsi_run *run, size_t size)
{
	const size_t touched = vmsi_get(&run->slot->touched);
	const size_t whole = vmsi_get(&run->slot->room) / size;
	const size_t blocks = vmsi_min((touched + size - 1) / size, run->count);

	run->begun = (uint32_t)vmsi_min(blocks, whole);
	if (run->begun < blocks)
		run->blocks[run->begun].memory = VMSI_BLOCK_USED;
	for (unsigned i = run->begun; i-- > 0;)
		add_free(run, i);
	vmsi_set(&run->slot->touched, 0);
}

static struct vmsi_run *make_run(struct vms_heap *heap, unsigned number)
{
	const size_t capacity = vmsi_slot_capacity(&heap->layout.classes[0]);
	struct vmsi_slot *slot = vmsi_slot_take(heap, capacity, capacity,
						VMSI_FOR_BLOCK);
	struct vmsi_run *run;

	if (!slot)
		return NULL;
	run = take_record(heap);
	if (!run) {
		vmsi_slot_put(heap, slot);
		return NULL;
	}
	run->next = run->previous = NULL;
	run->slot = slot;
	run->class = number;
	run->count = (uint32_t)vmsi_min(
		capacity / heap->runs.classes[number].size, VMSI_RUN_BLOCKS);
	run->begun = run->live = 0;
	run->free = run->hole_blocks = 0;
	run->list = VMSI_RUNS_FULL;
	run->collected = run->trimmed = 0;
	__builtin_memset(run->holes, 0, sizeof run->holes);
	for (unsigned i = 0; i < run->count; i++)
		run->blocks[i] = (struct vmsi_block){ 0 };
	__builtin_memset(run->changed, 0, sizeof run->changed);
	adopt_memory(run, heap->runs.classes[number].size);
	slot->run = run;
	vmsi_slot_set_small_pages(heap, slot, !heap->huge_unasked);
	vmsi_slot_set_use(slot, VMSI_SLOT_RUN);
	return run;
}

/* --- blocks --------------------------------------------------------------- */

static struct vmsi_run *listed_run(const struct vmsi_run_class *class)
{
	return class->runs[VMSI_RUNS_COMMITTED] ? class->runs[VMSI_RUNS_COMMITTED] :
					     class->runs[VMSI_RUNS_UNCOMMITTED];
}

static void add_run(struct vms_heap *heap, struct vmsi_run_class *class,
		    struct vmsi_run *run)
{
	vmsi_run_place(class, run);
	vmsi_increase(&heap->ages.retained, run->begun * class->size);
}

/* Take a block and commit it: sets *run and *index. Returns 0 or -errno. */
static int take(struct vms_heap *heap, unsigned number, struct vmsi_run **run,
		unsigned *index)
{
	struct vmsi_run_class *class = &heap->runs.classes[number];
	struct vmsi_run *made = NULL;
	int error;

	vmsi_lock_acquire(&class->lock);
	if (!listed_run(class)) {
		vmsi_lock_release(&class->lock);
		made = make_run(heap, number);
		if (!made)
			return -ENOMEM;
		vmsi_lock_acquire(&class->lock);
		add_run(heap, class, made);
	}
	*run = listed_run(class);
	*index = vmsi_run_take_block(heap, *run);
	vmsi_lock_release(&class->lock);
	error = vmsi_run_commit(heap, *run, *index);
	if (error) {
		vmsi_lock_acquire(&class->lock);
		vmsi_run_untake_block(heap, *run, *index);
		vmsi_lock_release(&class->lock);
	}
	return error;
}

static void count_live(struct vmsi_run_class *class, size_t bytes, size_t blocks)
{
	vmsi_increase(&class->live, bytes);
	vmsi_increase(&class->blocks, blocks);
}

void *vmsi_run_alloc(struct vms_heap *heap, size_t size, bool zeroed)
{
	unsigned number = class_for(size), index;
	struct vmsi_block *block;
	struct vmsi_run *run;
	void *memory;

	if (take(heap, number, &run, &index))
		return NULL;
	block = &run->blocks[index];
	memory = (void *)vmsi_block_start(heap, run, index);
	if (zeroed && block->memory == VMSI_BLOCK_USED)
		__builtin_memset(memory, 0, heap->runs.classes[number].size);
	block->memory = VMSI_BLOCK_USED;
	block->size = (uint32_t)size;
	count_live(&heap->runs.classes[number], size, 1);
	__atomic_store_n(&block->use, VMSI_BLOCK_LIVE, __ATOMIC_RELEASE);
	vmsi_count(&heap->counts.allocations, 1);
	return memory;
}

/* The index of the live block at an address; panics if there is none. */
static unsigned find_block(struct vms_heap *heap, const struct vmsi_slot *slot,
			   uintptr_t address)
{
	struct vmsi_run *run = slot->run;
	size_t offset = address - vmsi_block_start(heap, run, 0);
	size_t size = heap->runs.classes[run->class].size;
	size_t index = offset / size;

	if (offset % size != 0)
		vmsi_panic("heap: given a pointer into a block");
	if (index >= run->count ||
	    __atomic_load_n(&run->blocks[index].use, __ATOMIC_ACQUIRE) !=
		    VMSI_BLOCK_LIVE)
		vmsi_panic("heap: given a block that is not in use");
	return (unsigned)index;
}

/* --- free ----------------------------------------------------------------- */

static void keep(struct vms_heap *heap, struct vmsi_run *run, unsigned index)
{
	struct vmsi_run_class *class = vmsi_run_class(heap, run);

	vmsi_lock_acquire(&class->lock);
	vmsi_run_put_block(heap, run, index);
	vmsi_lock_release(&class->lock);
}

/* End a run that has only this busy block left. Returns whether it has ended. */
static bool end_with(struct vms_heap *heap, struct vmsi_run *run,
		     unsigned index)
{
	struct vmsi_run_class *class = vmsi_run_class(heap, run);
	size_t holes = 0;
	bool ends;

	vmsi_lock_acquire(&class->lock);
	ends = vmsi_run_is_empty_but(run, 1);
	if (ends)
		holes = vmsi_run_withdraw(heap, run);
	vmsi_lock_release(&class->lock);
	if (ends)
		(void)vmsi_run_finish(heap, run, holes, &run->blocks[index]);
	return ends;
}

/*
 * Free a block whose memory was given back. end_with() ends no run whose last two
 * blocks are freed by two threads at once, so it may have to end here.
 */
static void put_given_back(struct vms_heap *heap, struct vmsi_run *run,
			   unsigned index)
{
	struct vmsi_run_class *class = vmsi_run_class(heap, run);
	size_t holes = 0;
	bool ends;

	vmsi_lock_acquire(&class->lock);
	vmsi_run_put_block(heap, run, index);
	ends = vmsi_run_is_empty_but(run, 0);
	if (ends)
		holes = vmsi_run_withdraw(heap, run);
	vmsi_lock_release(&class->lock);
	if (ends)
		(void)vmsi_run_finish(heap, run, holes, NULL);
}

void vmsi_run_free(struct vms_heap *heap, struct vmsi_slot *slot,
		   uintptr_t address)
{
	unsigned index = find_block(heap, slot, address);
	struct vmsi_run *run = slot->run;
	struct vmsi_run_class *class = &heap->runs.classes[run->class];
	struct vmsi_block *block = &run->blocks[index];
	uint8_t live = VMSI_BLOCK_LIVE;
	bool kept_by_host;

	if (!__atomic_compare_exchange_n(&block->use, &live, VMSI_BLOCK_BUSY,
					 false, __ATOMIC_ACQ_REL,
					 __ATOMIC_RELAXED))
		vmsi_panic("heap: given a block that is not in use");
	kept_by_host = !vmsi_run_renew(heap, run, index, address);
	count_live(class, -(size_t)block->size, -(size_t)1);
	/* The host refused to map it anew: the block stays busy for ever. */
	if (kept_by_host)
		return;
	block->freed_at = vmsi_heap_now();
	vmsi_heap_age(heap, block->freed_at);
	if (vmsi_get(&heap->ages.retained) + class->size <= heap->ages.most) {
		keep(heap, run, index);
	} else if (!end_with(heap, run, index)) {
		(void)vmsi_run_give_back(heap, run, index, index + 1);
		put_given_back(heap, run, index);
	}
}

size_t vmsi_run_usable(struct vms_heap *heap, struct vmsi_slot *slot,
		       uintptr_t address)
{
	(void)find_block(heap, slot, address);
	return heap->runs.classes[slot->run->class].size;
}

/* --- realloc -------------------------------------------------------------- */

/* Drop the pages behind a block that shrinks to less than half of its size. */
static void shrink(struct vms_heap *heap, uintptr_t address, size_t capacity,
		   struct vmsi_block *block, size_t size)
{
	uintptr_t from = vmsi_align_up(address + size, vmsi_page_size());

	if (size < block->size / 2 && size < capacity / 2 &&
	    vmsi_run_drop_pages(heap, from, address + capacity - from))
		vmsi_count(&heap->counts.given_back,
			   address + capacity - from);
}

void *vmsi_run_realloc(struct vms_heap *heap, struct vmsi_slot *slot,
		       uintptr_t address, size_t size)
{
	unsigned index = find_block(heap, slot, address);
	struct vmsi_block *block = &slot->run->blocks[index];
	size_t capacity = heap->runs.classes[slot->run->class].size;
	struct vmsi_slot *grown;
	bool changed;

	if (size <= capacity) {
		if (size > block->size)
			vmsi_count(&heap->counts.grown_in_place, 1);
		shrink(heap, address, capacity, block, size);
		count_live(&heap->runs.classes[slot->run->class],
			   size - block->size, 0);
		block->size = (uint32_t)size;
		return (void *)address;
	}
	grown = vmsi_grown_take(heap, capacity, size, false,
				      VMSI_FOR_GROWTH);
	if (!grown)
		return NULL;
	/* All pages move, as vms_heap_usable_size lets the program use them all. */
	changed = vmsi_run_moves_changed(heap, slot->run, index);
	if (vmsi_slot_move_block(heap, address, capacity, grown,
				 changed ? VMSI_LEAVE_HOLE : VMSI_LEAVE_ZERO)) {
		vmsi_slot_put(heap, grown);
		return NULL;
	}
	vmsi_slot_set_changed(grown, changed);
	vmsi_grown_publish(heap, grown, size);
	block->memory = VMSI_BLOCK_FRESH;
	vmsi_run_free(heap, slot, address);
	return (void *)vmsi_slot_address(&heap->layout, grown);
}
