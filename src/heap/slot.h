/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_SLOT_H
#define VMSI_HEAP_SLOT_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "heap/atomic.h"
#include "heap/retained.h"

struct vms_heap;
struct vmsi_run;

/*
 * A slot of the heap, and its memory:
 *
 *   |########++++~~~~~~~~~~~~~~~~|..............................|
 *    size    room   retained                            capacity
 *
 *   #: the block, +: committed ahead, ~: retained (retained.h), .: PROT_NONE
 *
 * The states of a slot, and the functions that lead from one to the next:
 *
 *   UNUSED <---> BUSY <---> LIVE
 *                ^  ^
 *                |  '-----> RUN
 *                v
 *             RETAINED
 *
 *   UNUSED    BUSY      unused_slot (take.c)
 *   RETAINED  BUSY      vmsi_retained_unlist (retained.c)
 *   BUSY      LIVE      publish (alloc.c), vmsi_grown_publish (grow.c)
 *   BUSY      RUN       make_run (run.c)
 *   LIVE      BUSY      free_slot (block.c), grow_by_move (realloc.c)
 *   RUN       BUSY      vmsi_run_finish (run_memory.c)
 *   BUSY      RETAINED  list (retained.c)
 *   BUSY      UNUSED    put_empty (retained.c)
 *
 * - UNUSED: reserved addresses, without memory and charge; in the list of unused
 *   slots of its class, or never begun.
 * - BUSY: in no list; all fields belong to the thread that made it so. A slot with
 *   a hole that could not be mapped again stays busy, in the list of lost ones,
 *   until vmsi_slot_mend (slot.c) has mapped it.
 * - LIVE: holds a block. Its fields belong to the thread that has the block, and
 *   a surplus to the lists.
 * - RETAINED: free, with memory for the next block; in a bin and in the list of
 *   ages, under the heap's lock.
 * - RUN: holds many blocks, which have states of their own (run.h).
 */
enum vmsi_slot_use {
	VMSI_SLOT_UNUSED,
	VMSI_SLOT_BUSY,
	VMSI_SLOT_LIVE,
	VMSI_SLOT_RETAINED,
	VMSI_SLOT_RUN,
};

/* Atomic is what others read without a lock: for figures, and to find misuse. */
struct vmsi_slot {
	alignas(64) _Atomic size_t size; /* asked for by the program */
	_Atomic size_t room;     /* bytes from the start that the owner may use */
	/*
	 * Bytes from here to room were never written, unless size is larger:
	 * vmsi_slot_note_written() raises it to what the block may have written.
	 */
	_Atomic size_t touched;
	_Atomic uint32_t use;    /* enum vmsi_slot_use */
	/* New memory gets no huge pages. Several threads may set that of a run. */
	_Atomic bool small_pages;
	bool from_calloc;        /* the block was made by calloc */
	/* Has a hole that could not be mapped again. Any thread sets it in a run. */
	_Atomic bool lost;
	_Atomic bool changed;    /* by the program, see marks.h; of a live slot */
	_Atomic uint64_t grown;  /* how often the block has grown in place */
	struct vmsi_run *run;    /* of VMSI_SLOT_RUN */
	struct vmsi_slot *next, *previous; /* in a bin, the unused, or the lost */
	struct vmsi_retained retained;
};

static inline enum vmsi_slot_use vmsi_slot_use(const struct vmsi_slot *slot)
{
	return atomic_load_explicit(&slot->use, memory_order_relaxed);
}

static inline void vmsi_slot_set_use(struct vmsi_slot *slot,
				     enum vmsi_slot_use use)
{
	atomic_store_explicit(&slot->use, use, memory_order_relaxed);
}

/*
 * The memory of a slot that is busy, or live and the caller's. None of these is
 * called under a lock of the heap but those that are held over calls on the space.
 */

/*
 * How far to commit: to the end of what is asked for; or further, for a block that
 * grows and will be written there next.
 */
enum vmsi_reach { VMSI_REACH_EXACT, VMSI_REACH_AHEAD };

/* How far to commit for something that grows and has come to so many bytes. */
size_t vmsi_commit_ahead(const struct vms_heap *heap, size_t bytes);

/*
 * Commit the first bytes of a slot that is no run, as far as they are not committed
 * yet. What lies before from is left out: the caller moves committed pages there.
 * Where this is refused neither the heaps nor the budget's callback is asked to
 * make room; see request.h. Returns 0 or -ENOMEM.
 */
int vmsi_slot_commit(struct vms_heap *heap, struct vmsi_slot *slot,
		     size_t from, size_t bytes, enum vmsi_reach reach);

/*
 * How much of its room a slot needs whose block has come to so many bytes and
 * grows; in whole huge pages, so that what is left is none in part.
 */
size_t vmsi_slot_room_to_grow(const struct vms_heap *heap,
			      const struct vmsi_slot *slot, size_t bytes);

/* Change room, and what the heap counts as used. */
void vmsi_slot_set_room(struct vms_heap *heap, struct vmsi_slot *slot,
			size_t room);

/* What went back: neither pages nor charge; the pages only; or both. */
enum vmsi_gave { VMSI_GAVE_NOTHING, VMSI_GAVE_PAGES, VMSI_GAVE_ALL };

/*
 * Reserve a part of a slot again that has lost its memory, and may be a hole in
 * the space. Returns 0 or -errno; the slot is marked as lost then.
 */
int vmsi_slot_reserve_again(struct vms_heap *heap, struct vmsi_slot *slot,
			    uintptr_t start, size_t length);

/* Give bytes [from, to) of a slot back; room and touched stay as they are. */
enum vmsi_gave vmsi_slot_give_range_back(struct vms_heap *heap,
					 struct vmsi_slot *slot, size_t from,
					 size_t to);

/* Give the room of a slot back from an offset on, which is on a page. */
void vmsi_slot_give_back(struct vms_heap *heap, struct vmsi_slot *slot,
			 size_t from);

/* Raise touched to the last page that the block may have written. */
void vmsi_slot_note_written(struct vmsi_slot *slot);

/*
 * Reserve all of a slot that has a hole, or may have one. It has no memory then.
 * Returns whether that was done; else the slot is lost.
 */
bool vmsi_slot_mend(struct vms_heap *heap, struct vmsi_slot *slot);

/* Make the touched memory of a busy slot read as zeroes; it stays committed. */
void vmsi_slot_clear(struct vms_heap *heap, struct vmsi_slot *slot);

/* Advise the host to use small pages only, or huge ones, in all of a slot. */
void vmsi_slot_set_small_pages(struct vms_heap *heap, struct vmsi_slot *slot,
			       bool small_pages);

/*
 * Move the pages of a block to the start of a larger slot, which is busy. The
 * old slot is left without memory. Returns 0 or -errno: the block is as before,
 * the larger slot without memory.
 */
int vmsi_slot_move(struct vms_heap *heap, struct vmsi_slot *from,
		   struct vmsi_slot *to);

/*
 * Likewise a block of a run. The memory of its old place stays committed and is
 * zero; or the old place becomes a hole, which vmsi_run_renew fills.
 */
enum vmsi_left { VMSI_LEAVE_ZERO, VMSI_LEAVE_HOLE };
int vmsi_slot_move_block(struct vms_heap *heap, uintptr_t block, size_t length,
			 struct vmsi_slot *to, enum vmsi_left left);

#endif
