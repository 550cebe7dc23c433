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
 * room is all that is committed and not retained: it ends behind the +.
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
 * - UNUSED: it has addresses, but no memory and no charge; in the list of unused
 *   slots of its class, or never begun.
 * - BUSY: in no list; all fields belong to the thread that made it so. A slot with
 *   a hole, which the space could not reserve again, stays busy in the list of lost
 *   slots until vmsi_slot_mend (slot.c) has reserved it.
 * - LIVE: holds a block. Its fields belong to the thread that has the block, except
 *   a surplus, which any thread may take out of the list of ages.
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

/* Other threads read the atomic fields without a lock, for figures and checks. */
struct vmsi_slot {
	alignas(64) _Atomic size_t size; /* asked for by the program */
	_Atomic size_t room;     /* bytes from the start that the owner may use */
	/*
	 * Bytes from touched to room were never written, once
	 * vmsi_slot_note_written() has raised touched to the size of the block.
	 */
	_Atomic size_t touched;
	_Atomic uint32_t use;    /* enum vmsi_slot_use */
	/* Has MADV_NOHUGEPAGE. Several threads may set that of a run. */
	_Atomic bool small_pages;
	bool from_calloc;        /* calloc made the block */
	/* It must be mapped anew before use: see vmsi_slot_put_lost. */
	_Atomic bool lost;
	_Atomic bool changed;    /* by the program (marks.h); if LIVE or BUSY */
	_Atomic uint64_t grown;  /* how often the block has grown in place */
	struct vmsi_run *run;    /* if RUN */
	struct vmsi_slot *next, *previous; /* in a bin; next: of unused or lost ones */
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
 * The functions below are for the thread that owns a busy slot or a live block.
 * They make calls on the space, so the caller holds no lock of the heap but
 * ages.lock or runs.ahead_lock.
 */

/*
 * How far vmsi_slot_commit commits: only the bytes asked for; or more, for a block
 * that grows and will be written there next.
 */
enum vmsi_reach { VMSI_REACH_EXACT, VMSI_REACH_AHEAD };

/* How far to commit for a block or run that grows and needs so many bytes. */
size_t vmsi_commit_ahead(const struct vms_heap *heap, size_t bytes);

/*
 * Commit the first bytes of a slot, which is no run, from its room on. Bytes before
 * from are left out: the caller moves committed pages there. For bytes that are
 * committed ahead, heaps give retained memory back if need be; if what is needed is
 * refused, the caller's request is made again (request.h). Returns 0 or -ENOMEM.
 */
int vmsi_slot_commit(struct vms_heap *heap, struct vmsi_slot *slot,
		     size_t from, size_t bytes, enum vmsi_reach reach);

/*
 * How much of its room a slot needs for a block of so many bytes that grows. In
 * whole huge pages, so that a surplus behind it begins with a whole one.
 */
size_t vmsi_slot_room_to_grow(const struct vms_heap *heap,
			      const struct vmsi_slot *slot, size_t bytes);

/* Set room, and change ages.used by the difference. */
void vmsi_slot_set_room(struct vms_heap *heap, struct vmsi_slot *slot,
			size_t room);

/* What the host took back: nothing; the pages, but not the charge; or both. */
enum vmsi_gave { VMSI_GAVE_NOTHING, VMSI_GAVE_PAGES, VMSI_GAVE_ALL };

/*
 * Map the reservation over a part of a slot without memory, which may be a hole in
 * the space. Returns 0; -errno, and the slot is marked as lost.
 */
int vmsi_slot_reserve_again(struct vms_heap *heap, struct vmsi_slot *slot,
			    uintptr_t start, size_t length);

/* Give bytes [from, to) of a slot back; the caller changes room and touched. */
enum vmsi_gave vmsi_slot_give_range_back(struct vms_heap *heap,
					 struct vmsi_slot *slot, size_t from,
					 size_t to);

/* Give the room of a slot back from an offset on, a multiple of the page size. */
void vmsi_slot_give_back(struct vms_heap *heap, struct vmsi_slot *slot,
			 size_t from);

/* Raise touched to the end of the block, which may have written all of it. */
void vmsi_slot_note_written(struct vmsi_slot *slot);

/*
 * Reserve all of a lost slot again, so that it has no hole and no memory. Returns
 * whether that was done; else it stays lost.
 */
bool vmsi_slot_mend(struct vms_heap *heap, struct vmsi_slot *slot);

/* Clear the touched memory of a busy slot, which stays committed. */
void vmsi_slot_clear(struct vms_heap *heap, struct vmsi_slot *slot);

/* Advise the host to use small pages or huge ones in all of a slot. */
void vmsi_slot_set_small_pages(struct vms_heap *heap, struct vmsi_slot *slot,
			       bool small_pages);

/*
 * Move the room of a slot to the start of another one, which is busy. The old slot
 * is left without memory. Returns 0; -errno, and the old slot is as before, the
 * other one without memory.
 */
int vmsi_slot_move(struct vms_heap *heap, struct vmsi_slot *from,
		   struct vmsi_slot *to);

/*
 * Likewise move a block of a run. Its old place stays committed and is zero; or
 * it becomes a hole, which vmsi_run_renew maps anew.
 */
enum vmsi_left { VMSI_LEAVE_ZERO, VMSI_LEAVE_HOLE };
int vmsi_slot_move_block(struct vms_heap *heap, uintptr_t block, size_t length,
			 struct vmsi_slot *to, enum vmsi_left left);

#endif
