/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_RETAINED_H
#define VMSI_HEAP_RETAINED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/lock.h"

struct vms_heap;
struct vmsi_slot;

/*
 * Memory of a slot that no block uses and that the heap keeps for the next one. A
 * slot has at most one such part. In a free slot it begins at 0. In the slot of a
 * live block it begins where the room ends and is called the block's surplus: the
 * block grows into it, and until then its age decides when it goes back.
 *
 *   free slot   |~~~~~~~~~~~~~~~~~~~~+++++.........................|
 *                from                touched  to
 *
 *   live block  |##########++++++~~~~~~~~~~~~~~~~~~~~~.............|
 *                size      room = from               touched = to
 *
 *   #: the block, ~: may have pages, +: committed and zero, .: reserved
 *
 * The states, and the functions that lead from one to the next:
 *
 *             vmsi_slot_put,
 *             vmsi_slot_leave_surplus              offer_oldest
 *        NONE ----------------------> WAITING -------------------> OFFERED
 *         ^                           |     |                      |     |
 *         |  vmsi_slot_take,          |     |                      |     |
 *         |  vmsi_slot_take_surplus   v     |                      v     |
 *         +---------------------------+-----|----------------------+     |
 *         |  give_back_oldest               v                            v
 *         +---------------------------------+----------------------------+
 *
 *   NONE     to is 0.
 *   WAITING  In the list of ages; that of a free slot is in a bin, too.
 *   OFFERED  Likewise, and the host was told that it may take the pages when it is
 *            short of memory (MADV_FREE).
 *
 * Whoever takes it, gives it back or offers it takes it out of the list of ages
 * first, so that nobody else does; vmsi_retained_unlist says how.
 */
struct vmsi_retained {
	struct vmsi_slot *slot;
	size_t from, touched;
	/* 0: nothing is retained. The owner of a live block reads it unlocked. */
	_Atomic size_t to;
	uint64_t freed_at;       /* vmsi_heap_now(); kept while a block uses it */
	bool offered;
	struct vmsi_retained *older, *newer;
};

/* What a heap retains, and for how long. The lists belong to the heap's lock. */
struct vmsi_ages {
	/*
	 * Whoever takes or gives back a surplus holds it all the while, since the
	 * owner of the block and a thread that collects may both want to.
	 */
	struct vmsi_lock lock;
	struct vmsi_retained *oldest, *newest;
	struct vmsi_slot *lost;  /* slots with a hole, to be tried again */
	size_t most;             /* bytes that may be retained at most */
	unsigned offer_after, give_back_after; /* milliseconds */
	/* Bytes that may have pages: of slots, and of free blocks in runs. */
	_Atomic size_t retained;
	/* Bytes committed in slots; of runs, without the blocks given back. */
	_Atomic size_t used;
	_Atomic size_t used_lately; /* the most that used was; falls with time */
	_Atomic uint64_t looked_at; /* when ages were last looked at */
	_Atomic uint64_t born;   /* no memory is older than this process */
};

uint64_t vmsi_heap_now(void); /* milliseconds */

/*
 * A busy slot is free: it retains what it has, or is unused if that is nothing.
 * What is more than the heap may retain goes back, the oldest first.
 */
void vmsi_slot_put(struct vms_heap *heap, struct vmsi_slot *slot);

/* A busy slot with a hole, or memory that nobody may get, is to be mended later. */
void vmsi_slot_put_lost(struct vms_heap *heap, struct vmsi_slot *slot);

/* Try again to mend the lost slots. */
void vmsi_heap_mend_lost(struct vms_heap *heap);

/*
 * The owner of a live block makes the block's surplus room, before it changes the
 * room; and afterwards leaves as a surplus what the block does not need yet.
 */
void vmsi_slot_take_surplus(struct vms_heap *heap, struct vmsi_slot *slot);
void vmsi_slot_leave_surplus(struct vms_heap *heap, struct vmsi_slot *slot);

/*
 * Take retained memory out of the lists, under the heap's lock, and under that of
 * ages if it is a surplus. A free slot is busy then and the caller's.
 */
void vmsi_retained_unlist(struct vms_heap *heap, struct vmsi_retained *retained);

/* What was taken out of the lists is room of its slot. */
void vmsi_retained_use(struct vms_heap *heap, struct vmsi_retained *retained);

/*
 * Give back what was freed before a time, and the oldest as long as more than
 * limit is retained. Returns a number of bytes that is 0 if nothing went back.
 */
size_t vmsi_retained_trim(struct vms_heap *heap, size_t limit, uint64_t before);

/* Offer what was freed before a time to the host. */
void vmsi_retained_offer(struct vms_heap *heap, uint64_t before);

/* Remember by and by less of the most that was used. */
void vmsi_heap_forget_used(struct vms_heap *heap);

/*
 * What bins and ages are wrong in; NULL: nothing. Adds what is retained to bytes.
 * Under the locks of the heap and of ages.
 */
const char *vmsi_retained_check(struct vms_heap *heap, size_t *bytes);

#endif
