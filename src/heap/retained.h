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
 * Retained memory: a part of a slot that no block uses, kept for the next block. A
 * slot has at most one such part. In a free slot it begins at 0. In the slot of a
 * live block it begins where the room ends, and is called the block's surplus: the
 * block may grow into it, and until then it goes back by its age.
 *
 *   free slot   |~~~~~~~~~~~~~~~~~~~~+++++.........................|
 *                from                touched  to
 *
 *   live block  |##########++++++~~~~~~~~~~~~~~~~~~~~~+++++........|
 *                size      room = from               touched  to
 *
 *   #: the block, ~: may have pages, +: committed and zero, .: reserved
 *
 * The states, and the functions that lead from one to the next:
 *
 *             vmsi_slot_put,
 *             vmsi_slot_leave_surplus          make_oldest_reclaimable
 *        NONE ----------------------> WAITING -------------------> RECLAIMABLE
 *         ^                           |     |                      |     |
 *         |  vmsi_slot_take,          |     |                      |     |
 *         |  vmsi_slot_take_surplus   v     |                      v     |
 *         +---------------------------+-----|----------------------+     |
 *         |  give_back_oldest: all          v                            v
 *         +---------------------------------+----------------------------+
 *
 * give_back_oldest leaves in its state, and lists again, what goes back in part:
 *
 *   the end of a surplus, above the limit of what is retained: to and touched fall
 *   pages only, where the host keeps the charge: touched falls and to stays
 *
 *   NONE         to is 0.
 *   WAITING      In the list of ages; a free slot is in a bin, too.
 *   RECLAIMABLE  Likewise, and the host was told by MADV_FREE that it may take the
 *                pages when it is short of memory.
 *
 * A thread that takes retained memory, gives it back or makes it reclaimable takes
 * it out of the list of ages first, so that no other thread does so meanwhile; see
 * vmsi_retained_unlist.
 */
struct vmsi_retained {
	struct vmsi_slot *slot;
	size_t from, touched;
	/* 0: nothing is retained. The block's owner reads it without a lock. */
	_Atomic size_t to;
	/* vmsi_heap_now() of its last use; stays when a block takes it. */
	uint64_t freed_at;
	bool reclaimable;
	struct vmsi_retained *older, *newer;
};

/*
 * What a heap retains, and for how long. The age of retained memory is the time
 * since freed_at; the list of ages has it all but that of runs, the oldest first.
 * This list and that of lost slots are guarded by the heap's lock.
 */
struct vmsi_ages {
	/*
	 * Held by a thread from when it takes retained memory out of the list to
	 * make a surplus room, to give memory back or to make it reclaimable, until
	 * that is done: a block's owner and a thread that collects may both want a
	 * surplus. (A thread that takes a free slot does not need it.)
	 */
	struct vmsi_lock lock;
	struct vmsi_retained *oldest, *newest; /* the list of ages */
	struct vmsi_slot *lost;  /* busy slots with a hole, for vmsi_slot_mend */
	size_t most;             /* bytes that may be retained at most */
	unsigned reclaimable_after, give_back_after; /* milliseconds */
	/* Retained bytes that may have pages: of slots, and free blocks of runs. */
	_Atomic size_t retained;
	/* Bytes that are room of slots, less holes of runs. */
	_Atomic size_t used;
	_Atomic size_t used_lately; /* the most that used was; falls with time */
	_Atomic uint64_t looked_at; /* when vmsi_heap_age last looked at ages */
	_Atomic uint64_t born;   /* when fork made this process: ages begin anew; or 0 */
};

uint64_t vmsi_heap_now(void); /* milliseconds */

/*
 * Free a busy slot: it retains its memory, or is unused if it has none. If more is
 * retained then than the heap may retain, the oldest goes back.
 */
void vmsi_slot_put(struct vms_heap *heap, struct vmsi_slot *slot);

/*
 * Put a busy slot, which has a hole or memory that the host will not take back,
 * into the list of lost slots, for vmsi_heap_mend_lost to map it anew.
 */
void vmsi_slot_put_lost(struct vms_heap *heap, struct vmsi_slot *slot);

/* Put all lost slots again; those that cannot be mapped anew stay lost. */
void vmsi_heap_mend_lost(struct vms_heap *heap);

/*
 * For the owner of a live block: make the surplus room of the block, as it must
 * before it changes room; and make the part of the room that the block does not
 * need yet its surplus.
 */
void vmsi_slot_take_surplus(struct vms_heap *heap, struct vmsi_slot *slot);
void vmsi_slot_leave_surplus(struct vms_heap *heap, struct vmsi_slot *slot);

/*
 * Take retained memory out of the list of ages and its bin; a free slot becomes
 * busy. The caller holds the heap's lock, and that of ages if it is a surplus.
 */
void vmsi_retained_unlist(struct vms_heap *heap, struct vmsi_retained *retained);

/* Make retained memory, which is in no list, room of its slot. */
void vmsi_retained_use(struct vms_heap *heap, struct vmsi_retained *retained);

/*
 * Give back memory that was freed before a time, and the oldest as long as more
 * than limit is retained. Returns the bytes, 0 if nothing went back.
 */
size_t vmsi_retained_trim(struct vms_heap *heap, size_t limit, uint64_t before);

/* Make memory that was freed before a time reclaimable. */
void vmsi_retained_make_reclaimable(struct vms_heap *heap, uint64_t before);

/* Lower used_lately a little towards used. */
void vmsi_heap_forget_used(struct vms_heap *heap);

/*
 * Check bins and the list of ages, under the locks of the heap and of ages. Adds
 * what is retained to bytes. Returns NULL, or what is wrong.
 */
const char *vmsi_retained_check(struct vms_heap *heap, size_t *bytes);

#endif
