/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_RUN_PARTS_H
#define VMSI_HEAP_RUN_PARTS_H

#include "heap/heap.h"

/*
 * What the files of runs have in common: which blocks are free, what memory they
 * have, and how that goes back.
 */

/* Whether a set with a bit a block has one; it has none of what is no block. */
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

/* Put a run in the list that it belongs to now. */
void vmsi_run_place(struct vmsi_run_class *class, struct vmsi_run *run);

/*
 * Make a block busy: the committed one that was freed last; else one that is
 * committed ahead; else the lowest hole; else one that was never used. The run is
 * in a list, and so has one of them.
 */
unsigned vmsi_run_take_block(struct vms_heap *heap, struct vmsi_run *run);

/* A busy block is free: a hole or a committed one, as its memory says. */
void vmsi_run_put_block(struct vms_heap *heap, struct vmsi_run *run,
			unsigned index);

/* Likewise one that could not be committed: the run is as it was before. */
void vmsi_run_untake_block(struct vms_heap *heap, struct vmsi_run *run,
			   unsigned index);

/*
 * A busy block that was not used after all is no begun one any more if it is the
 * last of them; else it is free.
 */
void vmsi_run_unbegin_block(struct vms_heap *heap, struct vmsi_run *run,
			    unsigned index);

/* Whether a block lies below the room of its slot: it is committed, or a hole. */
bool vmsi_run_has_block(struct vms_heap *heap, const struct vmsi_run *run,
			unsigned index);

/* Whether blocks [low, high) may become holes: not if there are too many. */
bool vmsi_run_may_have_hole(const struct vms_heap *heap,
			    const struct vmsi_run *run, unsigned low,
			    unsigned high);

/*
 * Make the blocks busy that were freed before a time, and set their bits in taken.
 * Returns whether there are any.
 */
bool vmsi_run_take_old(struct vms_heap *heap, struct vmsi_run *run,
		       uint64_t before, uint64_t *taken);

/* Whether all but so many blocks are free and none of the free ones was used. */
bool vmsi_run_is_empty_but(const struct vmsi_run *run, unsigned live);

/*
 * Take an empty run, which may have one busy block, and its blocks out of all
 * lists and sums, so that it can be ended. Returns the bytes of its holes.
 */
size_t vmsi_run_withdraw(struct vms_heap *heap, struct vmsi_run *run);

/*
 * If nothing is committed behind the begun blocks, the holes at their end are no
 * begun blocks any more. Under ahead_lock as well.
 */
void vmsi_run_lower(struct vms_heap *heap, struct vmsi_run *run);

/* --- run_memory.c: the memory of blocks. Called under no lock ------------- */

/*
 * See to it that a busy block is committed; blocks behind it may be too, ahead of
 * need. Returns 0, or -errno and the block is as before.
 */
int vmsi_run_commit(struct vms_heap *heap, struct vmsi_run *run,
		    unsigned index);

/* Give busy blocks [low, high) back. Returns the bytes of memory or charge. */
size_t vmsi_run_give_back(struct vms_heap *heap, struct vmsi_run *run,
			  unsigned low, unsigned high);

/*
 * Give back what runs of a class have committed ahead of need, in a pass over
 * them. Returns the bytes.
 */
size_t vmsi_runs_trim(struct vms_heap *heap, struct vmsi_run_class *class,
		      uint64_t pass);

/* Give back pages, not the charge. Returns false if the host keeps them. */
bool vmsi_run_drop_pages(struct vms_heap *heap, uintptr_t start, size_t length);

/*
 * End a run that was withdrawn and put its slot. holes is what vmsi_run_withdraw
 * has said; last is the busy block that the run still has, or NULL. Returns the
 * bytes that went back.
 */
size_t vmsi_run_finish(struct vms_heap *heap, struct vmsi_run *run, size_t holes,
		    const struct vmsi_block *last);

#endif
