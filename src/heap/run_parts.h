/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_RUN_PARTS_H
#define VMSI_HEAP_RUN_PARTS_H

#include "heap/heap.h"

/*
 * Which blocks are free, what memory they have, and how
 * that goes back. A block that is busy belongs to the thread that made it so.
 */

/* Of a set with a bit a block; before the first and behind the last is none. */
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

/* --- run_blocks.c: free blocks. All under the lock of the class ----------- */

/* A run that is new, or to which a block was added, goes to its list. */
void vmsi_run_place(struct vmsi_run_class *class, struct vmsi_run *run);

/*
 * A free block, made busy: the one with memory that was freed last; then one
 * that is committed ahead; then the lowest hole, which shrinks by it; then one
 * that was never used. The run is in a list.
 */
unsigned vmsi_run_take_block(struct vms_heap *heap, struct vmsi_run *run);

/* A busy block is free; its memory says what it has. */
void vmsi_run_put_block(struct vms_heap *heap, struct vmsi_run *run,
			unsigned index);

/* Likewise one for which there was no memory: it is as it was before. */
void vmsi_run_untake_block(struct vms_heap *heap, struct vmsi_run *run,
			   unsigned index);

/*
 * A busy block that was never used is so again, if it is still the last one;
 * else it is free.
 */
void vmsi_run_unbegin_block(struct vms_heap *heap, struct vmsi_run *run,
			    unsigned index);

/* Whether a block is committed, and so may be given back. */
bool vmsi_run_has_block(struct vms_heap *heap, const struct vmsi_run *run,
			unsigned index);

/* Whether blocks [low, high) may become holes: there are not too many. */
bool vmsi_run_may_have_hole(const struct vms_heap *heap,
			    const struct vmsi_run *run, unsigned low,
			    unsigned high);

/* Make the free blocks that were freed before a time busy, as bits of taken. */
bool vmsi_run_take_old(struct vms_heap *heap, struct vmsi_run *run,
		       uint64_t before, uint64_t *taken);

/* Whether all but so many blocks are free and hold nothing. */
bool vmsi_run_is_empty_but(const struct vmsi_run *run, unsigned live);

/*
 * Take a run that is empty, but for one busy block perhaps, out of everything,
 * to be ended. Returns the bytes of its holes.
 */
size_t vmsi_run_withdraw(struct vms_heap *heap, struct vmsi_run *run);

/*
 * The holes at the end of the begun blocks are no blocks any more, if nothing is
 * committed behind them. Under ahead_lock as well.
 */
void vmsi_run_lower(struct vms_heap *heap, struct vmsi_run *run);

/* --- run_memory.c: what blocks are made of. Under no lock ----------------- */

/*
 * See to it that a busy block is committed; others may be too, ahead of need.
 * Where there is no more memory, what the heap retains is given back first.
 * Returns 0 or -errno; the block is as before.
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

/* The pages of committed memory are the host's; it stays charged. */
bool vmsi_run_drop_pages(struct vms_heap *heap, uintptr_t start, size_t length);

/*
 * Give a run that was withdrawn back; holes is the bytes of its holes, and last
 * its busy block, whose memory goes too, or NULL. Returns the bytes.
 */
size_t vmsi_run_finish(struct vms_heap *heap, struct vmsi_run *run, size_t holes,
		    const struct vmsi_block *last);

#endif
