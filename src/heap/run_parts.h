/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_RUN_PARTS_H
#define VMSI_HEAP_RUN_PARTS_H

#include "heap/heap.h"

/* What run.c, run_blocks.c, run_memory.c and run_collect.c share. */

/* Whether the bit of a block is set; false for an index that no block can have. */
static inline bool vmsi_run_has_bit(const uint64_t *bits, unsigned index)
{
	return index < VMSI_RUN_BLOCKS && (bits[index / 64] >> index % 64 & 1);
}

static inline struct vmsi_run_class *vmsi_run_class(struct vms_heap *heap,
						    const struct vmsi_run *run)
{
	return &heap->runs.classes[run->class];
}

static inline uintptr_t vmsi_block_start(struct vms_heap *heap,
					 const struct vmsi_run *run,
					 unsigned index)
{
	return vmsi_slot_address(&heap->layout, run->slot) +
		index * heap->runs.classes[run->class].size;
}

/* --- run_blocks.c: which blocks are free. Under the lock of the class ----- */

/* Move a run to the list that it belongs to now. */
void vmsi_run_place(struct vmsi_run_class *class, struct vmsi_run *run);

/*
 * Choose a block and make it busy: the committed one that was freed last; else one
 * that is committed ahead; else the lowest hole; else one that was never used. The
 * run is in a list, so it has one.
 */
unsigned vmsi_run_take_block(struct vms_heap *heap, struct vmsi_run *run);

/* Free a busy block: its field memory tells whether it is a hole or committed. */
void vmsi_run_put_block(struct vms_heap *heap, struct vmsi_run *run,
			unsigned index);

/* Free a busy block that could not be committed, and undo vmsi_run_take_block. */
void vmsi_run_untake_block(struct vms_heap *heap, struct vmsi_run *run,
			   unsigned index);

/*
 * Free a busy block that was begun and not used. If it is the last of the begun
 * blocks, it counts as never used.
 */
void vmsi_run_unbegin_block(struct vms_heap *heap, struct vmsi_run *run,
			    unsigned index);

/* Whether a block lies within the room of its slot: it is committed, or a hole. */
bool vmsi_run_has_block(struct vms_heap *heap, const struct vmsi_run *run,
			unsigned index);

/* Whether blocks [low, high) may become a hole, or there are too many holes. */
bool vmsi_run_may_have_hole(const struct vms_heap *heap,
			    const struct vmsi_run *run, unsigned low,
			    unsigned high);

/*
 * Make the committed blocks busy that were freed before a time, and set their bits
 * in taken. Returns whether there are any.
 */
bool vmsi_run_take_old(struct vms_heap *heap, struct vmsi_run *run,
		       uint64_t before, uint64_t *taken);

/* Whether so many blocks are live or busy, and no free one is VMSI_BLOCK_USED. */
bool vmsi_run_is_empty_but(const struct vmsi_run *run, unsigned live);

/*
 * Take a run that is to end, and its blocks, out of all lists and sums. Returns
 * the bytes of its holes.
 */
size_t vmsi_run_withdraw(struct vms_heap *heap, struct vmsi_run *run);

/*
 * Make holes at the end of the begun blocks blocks that were never used, and lower
 * room, if nothing is committed behind them. Under ahead_lock as well.
 */
void vmsi_run_lower(struct vms_heap *heap, struct vmsi_run *run);

/* --- run_memory.c: the memory of blocks. Called under no lock ------------- */

/*
 * Commit a busy block, and perhaps blocks behind it, ahead of need. Returns 0;
 * -errno, and the block is as before.
 */
int vmsi_run_commit(struct vms_heap *heap, struct vmsi_run *run,
		    unsigned index);

/* Give busy blocks [low, high) back. Returns the bytes of memory or charge. */
size_t vmsi_run_give_back(struct vms_heap *heap, struct vmsi_run *run,
			  unsigned low, unsigned high);

/*
 * Give back what runs of a class have committed ahead. Runs that this pass has seen
 * are left out. Returns the bytes.
 */
size_t vmsi_runs_trim(struct vms_heap *heap, struct vmsi_run_class *class,
		      uint64_t pass);

/* Drop the pages of a range, which stays committed. False: the host refused. */
bool vmsi_run_drop_pages(struct vms_heap *heap, uintptr_t start, size_t length);

/*
 * End a run after vmsi_run_withdraw, which returned holes: give back its memory and
 * put its slot. last is the busy block that it still has, or NULL. Returns the
 * bytes that went back.
 */
size_t vmsi_run_finish(struct vms_heap *heap, struct vmsi_run *run, size_t holes,
		    const struct vmsi_block *last);

#endif
