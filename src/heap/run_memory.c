/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/mman.h>

#include <vmspace/mapping.h>

#include "base/reclaim.h"
#include "heap/request.h"
#include "heap/density.h"
#include "heap/run_parts.h"
#include "host/host.h"
#include "space/inside.h"

/*
 * The memory of blocks in runs (drawn in run.h). A run is committed from its
 * start to the room of its slot, except for its holes.
 *
 * The thread that owns a busy block commits it or gives it back without a lock.
 * Memory behind the begun blocks belongs to no block and is committed for
 * several at once, so it and room change under ahead_lock only. Without the
 * lock two threads that have read the same room could commit the same part, the
 * second one after a third has given it back.
 */

/*
 * ahead_lock is held over calls on the space. If one of these is refused, it must
 * not have heaps give memory back or ask a callback, since these may free blocks or
 * collect, and take the lock too.
 */
static void lock_ahead(struct vms_heap *heap)
{
	vmsi_reclaim_forbid();
	vmsi_lock_acquire(&heap->runs.ahead_lock);
}

static void unlock_ahead(struct vms_heap *heap)
{
	vmsi_lock_release(&heap->runs.ahead_lock);
	vmsi_reclaim_allow();
}

/* --- commit --------------------------------------------------------------- */

/* Commit a range, which is reserved first if the slot may have a hole there. */
static int protect(struct vms_heap *heap, struct vmsi_slot *slot,
		   uintptr_t start, size_t length)
{
	int error = slot->lost ?
		vmsi_slot_reserve_again(heap, slot, start, length) : 0;

	if (!error)
		error = vmsi_protect(heap->space, start, length,
				     PROT_READ | PROT_WRITE);
	vmsi_request_note(error);
	return error;
}

/* Give a run that is dense huge pages for what it commits next. */
static void advise_run(struct vms_heap *heap, struct vmsi_slot *slot)
{
	const size_t room = vmsi_get(&slot->room);

	if (slot->small_pages && room >= vmsi_huge_page_size() &&
	    vmsi_slot_is_dense(heap, slot, room))
		vmsi_slot_set_small_pages(heap, slot, false);
}

/* Commit up to end, and further ahead unless that is refused. */
static int commit_ahead(struct vms_heap *heap, struct vmsi_run *run, size_t end)
{
	const size_t size = vmsi_run_class(heap, run)->size;
	const size_t room = vmsi_get(&run->slot->room);
	const uintptr_t start = vmsi_block_start(heap, run, 0);
	size_t to = vmsi_min(vmsi_align_up(vmsi_commit_ahead(heap, end),
					   vmsi_page_size()),
			     run->count * size);
	int error;

	if (end <= room)
		return 0;
	advise_run(heap, run->slot);
	error = protect(heap, run->slot, start + room, to - room);
	if (error && to > end) {
		to = end;
		error = protect(heap, run->slot, start + room, to - room);
	}
	if (!error)
		vmsi_slot_set_room(heap, run->slot, to);
	return error;
}

static int commit_once(struct vms_heap *heap, struct vmsi_run *run,
		       unsigned index)
{
	struct vmsi_run_class *class = vmsi_run_class(heap, run);
	int error;

	if (run->blocks[index].memory == VMSI_BLOCK_HOLE)
		return protect(heap, run->slot,
			       vmsi_block_start(heap, run, index), class->size);
	if (vmsi_run_has_block(heap, run, index))
		return 0;
	lock_ahead(heap);
	error = commit_ahead(heap, run, (index + 1) * class->size);
	unlock_ahead(heap);
	return error;
}

int vmsi_run_commit(struct vms_heap *heap, struct vmsi_run *run,
		    unsigned index)
{
	const int error = commit_once(heap, run, index);

	if (error)
		(void)vmsi_status(error);
	else if (run->blocks[index].memory == VMSI_BLOCK_HOLE)
		run->blocks[index].memory = VMSI_BLOCK_FRESH;
	return error;
}

/* --- give back ------------------------------------------------------------ */

bool vmsi_run_drop_pages(struct vms_heap *heap, uintptr_t start, size_t length)
{
	return vms_madvise(heap->space, (void *)start, length,
			   MADV_DONTNEED) == 0;
}

static size_t used_bytes(struct vms_heap *heap, const struct vmsi_run *run,
			 unsigned low, unsigned high)
{
	size_t blocks = 0;

	for (unsigned i = low; i < high; i++)
		blocks += run->blocks[i].memory == VMSI_BLOCK_USED;
	return blocks * vmsi_run_class(heap, run)->size;
}

/* Give blocks back; only their pages, if there are too many holes already. */
static enum vmsi_gave give_range(struct vms_heap *heap, struct vmsi_run *run,
				 unsigned low, unsigned high, size_t used)
{
	struct vmsi_run_class *class = vmsi_run_class(heap, run);
	bool may_have_hole;

	vmsi_lock_acquire(&class->lock);
	may_have_hole = vmsi_run_may_have_hole(heap, run, low, high);
	vmsi_lock_release(&class->lock);
	if (may_have_hole)
		return vmsi_slot_give_range_back(heap, run->slot,
						 low * class->size,
						 high * class->size);
	return used && vmsi_run_drop_pages(heap,
					   vmsi_block_start(heap, run, low),
					   (high - low) * class->size) ?
		VMSI_GAVE_PAGES : VMSI_GAVE_NOTHING;
}

size_t vmsi_run_give_back(struct vms_heap *heap, struct vmsi_run *run,
			  unsigned low, unsigned high)
{
	const size_t used = used_bytes(heap, run, low, high);
	const enum vmsi_gave gave = give_range(heap, run, low, high, used);

	if (gave == VMSI_GAVE_NOTHING)
		return 0;
	for (unsigned i = low; i < high; i++)
		run->blocks[i].memory = gave == VMSI_GAVE_ALL ?
			VMSI_BLOCK_HOLE : VMSI_BLOCK_FRESH;
	vmsi_count(&heap->counts.given_back, used);
	return gave == VMSI_GAVE_ALL ?
		(high - low) * vmsi_run_class(heap, run)->size : used;
}

/* --- what is committed ahead ---------------------------------------------- */

/* The memory that a run has committed behind its begun blocks. */
struct ahead {
	struct vmsi_run *run;
	unsigned block;          /* the first block of it, made busy */
	size_t from, to;
};

/*
 * Find the next run of a list with memory committed ahead. Its first block there is
 * made busy, so that the run does not end meanwhile; and room is lowered, so that a
 * thread that takes another block there has to commit it and waits for ahead_lock.
 */
static bool next_ahead(struct vms_heap *heap, struct vmsi_run *run,
		       uint64_t pass, struct ahead *ahead)
{
	while (run && (run->trimmed >= pass || run->begun == run->count ||
		       vmsi_get(&run->slot->room) <=
			       run->begun * vmsi_run_class(heap, run)->size))
		run = run->next;
	if (!run)
		return false;
	run->trimmed = pass;
	*ahead = (struct ahead){
		.run = run,
		.block = run->begun,
		.from = run->begun * vmsi_run_class(heap, run)->size,
		.to = vmsi_get(&run->slot->room),
	};
	run->blocks[run->begun++].use = VMSI_BLOCK_BUSY;
	run->live++;
	vmsi_slot_set_room(heap, run->slot, ahead->from);
	vmsi_run_place(vmsi_run_class(heap, run), run);
	return true;
}

/* Undo next_ahead, as far as the host has not taken the memory back. */
static void leave_ahead(struct vms_heap *heap, struct ahead *ahead,
			enum vmsi_gave gave)
{
	struct vmsi_run *run = ahead->run;

	if (gave != VMSI_GAVE_ALL)
		vmsi_slot_set_room(heap, run->slot, ahead->to);
	if (gave != VMSI_GAVE_NOTHING)
		run->blocks[ahead->block].memory = VMSI_BLOCK_FRESH;
	vmsi_run_unbegin_block(heap, run, ahead->block);
	vmsi_run_lower(heap, run);
}

static size_t trim_next(struct vms_heap *heap, struct vmsi_run_class *class,
			uint64_t pass, bool *any)
{
	enum vmsi_gave gave;
	struct ahead ahead;

	*any = false;
	vmsi_lock_acquire(&class->lock);
	for (unsigned i = 0; !*any && i < VMSI_RUN_LISTS; i++)
		*any = next_ahead(heap, class->runs[i], pass, &ahead);
	vmsi_lock_release(&class->lock);
	if (!*any)
		return 0;
	gave = vmsi_slot_give_range_back(heap, ahead.run->slot, ahead.from,
					 ahead.to);
	vmsi_lock_acquire(&class->lock);
	leave_ahead(heap, &ahead, gave);
	vmsi_lock_release(&class->lock);
	return gave == VMSI_GAVE_ALL ? ahead.to - ahead.from : 0;
}

size_t vmsi_runs_trim(struct vms_heap *heap, struct vmsi_run_class *class,
		      uint64_t pass)
{
	size_t bytes = 0;
	bool any;

	do {
		lock_ahead(heap);
		bytes += trim_next(heap, class, pass, &any);
		unlock_ahead(heap);
	} while (any);
	return bytes;
}

/* --- the end of a run ----------------------------------------------------- */

static void give_record(struct vms_heap *heap, struct vmsi_run *run)
{
	vmsi_lock_acquire(&heap->runs.pool_lock);
	vmsi_pool_give(&heap->runs.pool, run);
	vmsi_lock_release(&heap->runs.pool_lock);
}

/*
 * Note that the host refused to take back memory of a slot. If it has holes, the
 * slot is lost. If the pages stayed too, all of it counts as touched: what the slot
 * held before the run may lie behind the begun blocks.
 */
static void note_kept(struct vms_heap *heap, struct vmsi_slot *slot,
		      size_t holes, enum vmsi_gave gave)
{
	if (holes) {
		slot->lost = true;
		vmsi_slot_set_room(heap, slot, vmsi_get(&slot->room) - holes);
	}
	vmsi_set(&slot->touched,
		 gave == VMSI_GAVE_PAGES ? 0 : vmsi_get(&slot->room));
}

size_t vmsi_run_finish(struct vms_heap *heap, struct vmsi_run *run, size_t holes,
		    const struct vmsi_block *last)
{
	const size_t size = vmsi_run_class(heap, run)->size;
	const bool used = last && last->memory == VMSI_BLOCK_USED;
	struct vmsi_slot *slot = run->slot;
	const size_t room = vmsi_get(&slot->room);
	enum vmsi_gave gave;

	vmsi_slot_set_use(slot, VMSI_SLOT_BUSY);
	slot->run = NULL;
	give_record(heap, run);
	gave = room ? vmsi_slot_give_range_back(heap, slot, 0, room) :
		      VMSI_GAVE_ALL;
	if (gave == VMSI_GAVE_ALL)
		vmsi_slot_set_room(heap, slot, 0);
	else
		note_kept(heap, slot, holes, gave);
	if (used && gave != VMSI_GAVE_NOTHING)
		vmsi_count(&heap->counts.given_back, size);
	vmsi_slot_put(heap, slot);
	return gave == VMSI_GAVE_ALL ? room - holes : 0;
}
