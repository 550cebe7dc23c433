/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/mman.h>

#include <vmspace/mapping.h>

#include "base/panic.h"
#include "heap/state.h"
#include "host/host.h"
#include "space/state.h"

/*
 * Runs: slots that hold many blocks of one size class, side by side, so that
 * they share huge pages and mappings of the host.
 *
 *   |block|block|block|  ...  |block|.........|
 *    live  free  live          begun  committed ahead
 *
 * The last block that was freed is the next to be used: its memory is warm.
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

	vmsi_lock_init(&heap->run_lock, VMSI_RANK_LEAF);
	vmsi_pool_init(&heap->run_pool, sizeof(struct vmsi_run), source);
	for (unsigned i = 0; i < VMSI_RUN_CLASSES; i++) {
		vmsi_lock_init(&heap->run_classes[i].lock, VMSI_RANK_LEAF);
		heap->run_classes[i].size = vmsi_align_up(class_size(i),
							  vmsi_page_size());
	}
}

void vmsi_runs_release(struct vms_heap *heap)
{
	vmsi_pool_release(&heap->run_pool);
}

/* --- the list of a class's runs with free blocks -------------------------- */

static void list_run(struct vmsi_run_class *class, struct vmsi_run *run)
{
	if (run->listed)
		return;
	run->listed = true;
	run->previous = NULL;
	run->next = class->runs;
	if (run->next)
		run->next->previous = run;
	class->runs = run;
}

static void unlist_run(struct vmsi_run_class *class, struct vmsi_run *run)
{
	run->listed = false;
	if (run->next)
		run->next->previous = run->previous;
	if (run->previous)
		run->previous->next = run->next;
	else
		class->runs = run->next;
}

/* --- making and ending runs ----------------------------------------------- */

static struct vmsi_run *take_record(struct vms_heap *heap)
{
	struct vmsi_run *run = NULL;

	vmsi_lock_acquire(&heap->run_lock);
	if (vmsi_pool_reserve(&heap->run_pool, 1) == 0)
		run = vmsi_pool_take(&heap->run_pool);
	vmsi_lock_release(&heap->run_lock);
	return run;
}

static void give_record(struct vms_heap *heap, struct vmsi_run *run)
{
	vmsi_lock_acquire(&heap->run_lock);
	vmsi_pool_give(&heap->run_pool, run);
	vmsi_lock_release(&heap->run_lock);
}

/* Memory of the slot's last use is that of free blocks, the lowest first. */
static void adopt_memory(struct vmsi_run *run, size_t size)
{
	const size_t touched = vmsi_get(&run->slot->touched);

	run->begun = (uint32_t)vmsi_min((touched + size - 1) / size,
					run->count);
	for (unsigned i = run->begun; i-- > 0;) {
		run->blocks[i] = (struct vmsi_block){
			.next = run->free,
			.use = VMSI_BLOCK_FREE,
			.touched = true,
			.freed_at = run->slot->freed_at,
		};
		run->free = (uint16_t)(i + 1);
	}
	vmsi_set(&run->slot->touched, 0);
}

static struct vmsi_run *make_run(struct vms_heap *heap, unsigned number)
{
	const size_t capacity = vmsi_slot_capacity(&heap->classes[0]);
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
		capacity / heap->run_classes[number].size, VMSI_RUN_BLOCKS);
	run->begun = run->live = 0;
	run->free = 0;
	run->listed = false;
	for (unsigned i = 0; i < run->count; i++)
		run->blocks[i] = (struct vmsi_block){ 0 };
	__builtin_memset(run->changed, 0, sizeof run->changed);
	adopt_memory(run, heap->run_classes[number].size);
	slot->run = run;
	vmsi_slot_set_plain(heap, slot, false);
	vmsi_slot_set_use(slot, VMSI_SLOT_RUN);
	return run;
}

/* A run without blocks, which is in no list. Returns the bytes it had. */
static size_t end_run(struct vms_heap *heap, struct vmsi_run *run)
{
	struct vmsi_slot *slot = run->slot;
	const size_t room = vmsi_get(&slot->room);

	vmsi_slot_set_use(slot, VMSI_SLOT_BUSY);
	slot->run = NULL;
	give_record(heap, run);
	vmsi_slot_give_back(heap, slot, 0);
	vmsi_slot_put(heap, slot);
	return room;
}

/* --- blocks --------------------------------------------------------------- */

static uintptr_t run_start(struct vms_heap *heap, const struct vmsi_run *run)
{
	return vmsi_slot_start(vmsi_class_of_slot(heap, run->slot), run->slot);
}

static uintptr_t block_address(struct vms_heap *heap, const struct vmsi_run *run,
			       unsigned index)
{
	return run_start(heap, run) + index * heap->run_classes[run->class].size;
}

static unsigned take_block(struct vms_heap *heap, struct vmsi_run_class *class,
			   struct vmsi_run *run)
{
	unsigned index;

	if (run->free) {
		index = run->free - 1u;
		run->free = run->blocks[index].next;
		if (run->blocks[index].touched)
			atomic_fetch_sub_explicit(&heap->retained, class->size,
						  memory_order_relaxed);
	} else {
		index = run->begun++;
	}
	run->live++;
	run->blocks[index].use = VMSI_BLOCK_BUSY;
	if (!run->free && run->begun == run->count)
		unlist_run(class, run);
	return index;
}

static void put_block(struct vms_heap *heap, struct vmsi_run_class *class,
		      struct vmsi_run *run, unsigned index)
{
	struct vmsi_block *block = &run->blocks[index];

	block->next = run->free;
	block->use = VMSI_BLOCK_FREE;
	run->free = (uint16_t)(index + 1);
	run->live--;
	if (block->touched)
		atomic_fetch_add_explicit(&heap->retained, class->size,
					  memory_order_relaxed);
	list_run(class, run);
}

/* A block whose memory is committed; *run: of it. */
static int take(struct vms_heap *heap, unsigned number, struct vmsi_run **run,
		unsigned *index)
{
	struct vmsi_run_class *class = &heap->run_classes[number];
	struct vmsi_run *made = NULL;
	int error;

	vmsi_lock_acquire(&class->lock);
	if (!class->runs) {
		vmsi_lock_release(&class->lock);
		made = make_run(heap, number);
		if (!made)
			return -ENOMEM;
		vmsi_lock_acquire(&class->lock);
		list_run(class, made);
		atomic_fetch_add_explicit(&heap->retained,
					  made->begun * class->size,
					  memory_order_relaxed);
	}
	*run = class->runs;
	*index = take_block(heap, class, *run);
	vmsi_lock_release(&class->lock);
	error = vmsi_slot_commit(heap, (*run)->slot, (*index + 1) * class->size,
				 VMSI_COMMIT_RUN);
	if (error) {
		vmsi_lock_acquire(&class->lock);
		put_block(heap, class, *run, *index);
		vmsi_lock_release(&class->lock);
	}
	return error;
}

static void count_live(struct vmsi_run_class *class, size_t bytes, size_t blocks)
{
	atomic_fetch_add_explicit(&class->live, bytes, memory_order_relaxed);
	atomic_fetch_add_explicit(&class->blocks, blocks, memory_order_relaxed);
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
	memory = (void *)block_address(heap, run, index);
	if (zeroed && block->touched)
		__builtin_memset(memory, 0, heap->run_classes[number].size);
	block->touched = true;
	block->size = (uint32_t)size;
	count_live(&heap->run_classes[number], size, 1);
	__atomic_store_n(&block->use, VMSI_BLOCK_LIVE, __ATOMIC_RELEASE);
	vmsi_count(&heap->counts.allocations, 1);
	return memory;
}

/* The live block at an address, or the end of the program. */
static unsigned find_block(struct vms_heap *heap, const struct vmsi_slot *slot,
			   uintptr_t address)
{
	struct vmsi_run *run = slot->run;
	size_t offset = address - run_start(heap, run);
	size_t size = heap->run_classes[run->class].size;
	size_t index = offset / size;

	if (offset % size != 0)
		vmsi_panic("heap: given a pointer into a block");
	if (index >= run->count ||
	    __atomic_load_n(&run->blocks[index].use, __ATOMIC_ACQUIRE) !=
		    VMSI_BLOCK_LIVE)
		vmsi_panic("heap: given a block that is not in use");
	return (unsigned)index;
}

/* The block's memory is the host's again, and reads as zeroes; not its commit. */
static bool drop_pages(struct vms_heap *heap, uintptr_t start, size_t length)
{
	if (vms_madvise(heap->space, (void *)start, length, MADV_DONTNEED))
		return false;
	vmsi_count(&heap->counts.given_back, length);
	return true;
}

void vmsi_run_free(struct vms_heap *heap, struct vmsi_slot *slot,
		   uintptr_t address)
{
	unsigned index = find_block(heap, slot, address);
	struct vmsi_run *run = slot->run;
	struct vmsi_run_class *class = &heap->run_classes[run->class];
	struct vmsi_block *block = &run->blocks[index];
	uint8_t live = VMSI_BLOCK_LIVE;
	enum vmsi_renewed renewed;

	if (!__atomic_compare_exchange_n(&block->use, &live, VMSI_BLOCK_BUSY,
					 false, __ATOMIC_ACQ_REL,
					 __ATOMIC_RELAXED))
		vmsi_panic("heap: given a block that is not in use");
	renewed = vmsi_run_renew(heap, run, index, address);
	if (renewed == VMSI_RENEWED ||
	    (vmsi_get(&heap->retained) + class->size > heap->retain &&
	     block->touched && drop_pages(heap, address, class->size)))
		block->touched = false;
	count_live(class, -(size_t)block->size, -(size_t)1);
	/* A block that nobody may get stays taken, and its run in use. */
	if (renewed == VMSI_RENEWED_LOST)
		return;
	block->freed_at = vmsi_heap_now();
	vmsi_heap_age(heap, block->freed_at);
	vmsi_lock_acquire(&class->lock);
	put_block(heap, class, run, index);
	vmsi_lock_release(&class->lock);
}

size_t vmsi_run_usable(struct vms_heap *heap, struct vmsi_slot *slot,
		       uintptr_t address)
{
	(void)find_block(heap, slot, address);
	return heap->run_classes[slot->run->class].size;
}

/* --- realloc -------------------------------------------------------------- */

/* What a block no longer uses goes back where it is much. */
static void shrink(struct vms_heap *heap, uintptr_t address, size_t capacity,
		   struct vmsi_block *block, size_t size)
{
	uintptr_t from = vmsi_align_up(address + size, vmsi_page_size());

	if (size < block->size / 2 && size < capacity / 2)
		(void)drop_pages(heap, from, address + capacity - from);
}

void *vmsi_run_realloc(struct vms_heap *heap, struct vmsi_slot *slot,
		       uintptr_t address, size_t size)
{
	unsigned index = find_block(heap, slot, address);
	struct vmsi_block *block = &slot->run->blocks[index];
	size_t capacity = heap->run_classes[slot->run->class].size;
	struct vmsi_slot *grown;
	bool changed;

	if (size <= capacity) {
		if (size > block->size)
			vmsi_count(&heap->counts.grown_in_place, 1);
		shrink(heap, address, capacity, block, size);
		count_live(&heap->run_classes[slot->run->class],
			   size - block->size, 0);
		block->size = (uint32_t)size;
		return (void *)address;
	}
	grown = vmsi_slot_take_grower(heap, capacity, size, false,
				      VMSI_FOR_GROWTH);
	if (!grown)
		return NULL;
	/* The program may have written up to what usable_size has told. */
	changed = vmsi_run_moves_changed(heap, slot->run, index);
	if (vmsi_slot_move_block(heap, address, capacity, grown,
				 changed ? VMSI_LEAVE_HOLE : VMSI_LEAVE_ZERO)) {
		vmsi_slot_put(heap, grown);
		return NULL;
	}
	vmsi_slot_set_changed(grown, changed);
	vmsi_slot_publish_grown(heap, grown, size);
	block->touched = false;
	vmsi_run_free(heap, slot, address);
	return (void *)vmsi_slot_start(vmsi_class_of_slot(heap, grown), grown);
}

/* --- collection ----------------------------------------------------------- */

/* Take the old free blocks with memory out of a run; returns the first, plus 1. */
static uint16_t split_off(struct vms_heap *heap, struct vmsi_run_class *class,
			  struct vmsi_run *run, uint64_t before)
{
	uint16_t *link = &run->free, old = 0;

	while (*link) {
		struct vmsi_block *block = &run->blocks[*link - 1];
		uint16_t number = *link;

		if (!block->touched || block->freed_at >= before) {
			link = &block->next;
			continue;
		}
		*link = block->next;
		block->next = old;
		old = number;
		block->use = VMSI_BLOCK_BUSY;
		/* So the run is not ended meanwhile. */
		run->live++;
		atomic_fetch_sub_explicit(&heap->retained, class->size,
					  memory_order_relaxed);
	}
	if (old && !run->free && run->begun == run->count && run->listed)
		unlist_run(class, run);
	return old;
}

/*
 * The blocks that lie side by side at the head of a list, as [*low, *high).
 * Returns the next one of the list, plus 1.
 */
static uint16_t neighbours(const struct vmsi_run *run, uint16_t number,
			   unsigned *low, unsigned *high)
{
	*low = number - 1u;
	*high = number;
	number = run->blocks[*low].next;
	while (number && (number - 1u == *high || number == *low)) {
		if (number == *low)
			--*low;
		else
			++*high;
		number = run->blocks[number - 1].next;
	}
	return number;
}

/* Give back the memory of blocks taken out; false where the host keeps some. */
static bool drop_blocks(struct vms_heap *heap, struct vmsi_run_class *class,
			struct vmsi_run *run, uint16_t number, size_t *bytes)
{
	bool dropped = true;

	while (number) {
		unsigned low, high;
		bool gone;

		number = neighbours(run, number, &low, &high);
		gone = drop_pages(heap, block_address(heap, run, low),
				  (high - low) * class->size);
		*bytes += gone ? (high - low) * class->size : 0;
		dropped = dropped && gone;
		vmsi_lock_acquire(&class->lock);
		for (unsigned i = high; i-- > low;) {
			run->blocks[i].touched = !gone;
			run->blocks[i].freed_at = vmsi_heap_now();
			put_block(heap, class, run, i);
		}
		vmsi_lock_release(&class->lock);
	}
	return dropped;
}

/* Whether nothing is left of a run but committed addresses. */
static bool is_empty(const struct vmsi_run *run)
{
	if (run->live > 0)
		return false;
	for (unsigned i = 0; i < run->begun; i++)
		if (run->blocks[i].touched)
			return false;
	return true;
}

/* An empty run of a class, taken out of the list. */
static struct vmsi_run *take_empty(struct vmsi_run_class *class)
{
	struct vmsi_run *run = class->runs;

	while (run && !is_empty(run))
		run = run->next;
	if (run)
		unlist_run(class, run);
	return run;
}

static size_t collect_class(struct vms_heap *heap, struct vmsi_run_class *class,
			    uint64_t before)
{
	struct vmsi_run *run;
	bool dropped = true;
	uint16_t old = 0;
	size_t bytes = 0;

	do {
		vmsi_lock_acquire(&class->lock);
		for (run = class->runs; run; run = run->next) {
			old = split_off(heap, class, run, before);
			if (old)
				break;
		}
		vmsi_lock_release(&class->lock);
		if (run)
			dropped = drop_blocks(heap, class, run, old, &bytes);
	} while (run && dropped);
	return bytes;
}

static size_t end_empty(struct vms_heap *heap, struct vmsi_run_class *class)
{
	struct vmsi_run *run;
	size_t bytes = 0;

	do {
		vmsi_lock_acquire(&class->lock);
		run = take_empty(class);
		vmsi_lock_release(&class->lock);
		if (run)
			bytes += end_run(heap, run);
	} while (run);
	return bytes;
}

size_t vmsi_runs_collect(struct vms_heap *heap, uint64_t before)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < VMSI_RUN_CLASSES; i++) {
		bytes += collect_class(heap, &heap->run_classes[i], before);
		bytes += end_empty(heap, &heap->run_classes[i]);
	}
	return bytes;
}

/* --- invariants ----------------------------------------------------------- */

static const char *check_run(const struct vmsi_run *run,
			     const struct vmsi_run_class *class, size_t *bytes)
{
	unsigned free_blocks = 0;

	if (run->slot->run != run || !run->listed ||
	    vmsi_slot_use(run->slot) != VMSI_SLOT_RUN)
		return "H6: a slot does not have the run that has it";
	for (uint16_t number = run->free; number && free_blocks <= run->begun;
	     number = run->blocks[number - 1].next, free_blocks++) {
		const struct vmsi_block *block = &run->blocks[number - 1];

		if (number > run->begun || block->use != VMSI_BLOCK_FREE)
			return "H7: a block of the free ones is not free";
		*bytes += block->touched ? class->size : 0;
	}
	if (run->live + free_blocks != run->begun || run->begun > run->count)
		return "H7: the blocks of a run are not all free or live";
	if (!run->free && run->begun == run->count)
		return "H8: a full run is in the list of those with free blocks";
	return NULL;
}

const char *vmsi_heap_check_runs(struct vms_heap *heap, size_t *bytes)
{
	const char *wrong = NULL;

	for (unsigned i = 0; i < VMSI_RUN_CLASSES; i++) {
		const struct vmsi_run_class *class = &heap->run_classes[i];
		const struct vmsi_run *previous = NULL;

		for (const struct vmsi_run *run = class->runs; !wrong && run;
		     previous = run, run = run->next) {
			if (run->previous != previous || run->class != i)
				return "H8: the list of runs does not lead back";
			wrong = check_run(run, class, bytes);
		}
	}
	return wrong;
}
