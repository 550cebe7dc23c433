/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_SLOT_H
#define VMSI_HEAP_SLOT_H

#include "heap/state.h"

/* The memory of a busy or live slot. (slot.c) */

/*
 * How much to commit: exactly; or ahead of a block that grows and is written
 * there next.
 */
enum vmsi_commit { VMSI_COMMIT_EXACT, VMSI_COMMIT_GROWTH };

/* How far to commit for something that grows and has come to so many bytes. */
size_t vmsi_commit_ahead(const struct vms_heap *heap, size_t bytes);

/*
 * See to it that bytes of a slot that is no run are committed. Nobody is asked
 * for memory when that is refused; see request.h. Returns 0 or -ENOMEM.
 */
int vmsi_slot_commit(struct vms_heap *heap, struct vmsi_slot *slot,
		     size_t bytes, enum vmsi_commit how);

/* Likewise, but for what is before an offset, which the caller will move there. */
int vmsi_slot_commit_from(struct vms_heap *heap, struct vmsi_slot *slot,
			  size_t from, size_t bytes, enum vmsi_commit how);

/* How far a slot is committed for a block that grows, of what it has. */
size_t vmsi_slot_growth_room(const struct vms_heap *heap,
			     struct vmsi_slot *slot, size_t bytes);

/* The slot is not retained, and so what it has counts as used. */
void vmsi_slot_set_room(struct vms_heap *heap, struct vmsi_slot *slot,
			size_t room);

/* What went back: neither pages nor charge, or the pages only. */
enum vmsi_gave { VMSI_GAVE_NOTHING, VMSI_GAVE_PAGES, VMSI_GAVE_ALL };

/*
 * A part of a slot that lost its memory, and may be a hole in the space, is
 * reserved again. Returns 0 or -errno; the slot is lost then.
 */
int vmsi_slot_reserve_again(struct vms_heap *heap, struct vmsi_slot *slot,
			    uintptr_t start, size_t length);

/* Give committed memory of a slot back; its fields stay as they are. */
enum vmsi_gave vmsi_slot_give_range_back(struct vms_heap *heap,
					 struct vmsi_slot *slot, size_t from,
					 size_t to);

/* Give memory and commit back from an offset on, which is on a page. */
void vmsi_slot_give_back(struct vms_heap *heap, struct vmsi_slot *slot,
			 size_t from);

/* Count what the block may have written as touched. */
void vmsi_slot_settle(struct vmsi_slot *slot);

/*
 * Reserve a slot anew that has a hole, or may have one. It has no memory then.
 * Returns whether that was done; else the slot is lost.
 */
bool vmsi_slot_mend(struct vms_heap *heap, struct vmsi_slot *slot);

/* The touched memory of a busy slot reads as zeroes, and stays committed. */
void vmsi_slot_clear(struct vms_heap *heap, struct vmsi_slot *slot);

/* Use huge pages, or not, for all of a slot. */
void vmsi_slot_set_plain(struct vms_heap *heap, struct vmsi_slot *slot,
			 bool plain);

/*
 * Move the pages of a block to the start of a larger slot, which is busy. The
 * old slot is left without memory. Returns 0 or -errno: the block is as before,
 * the larger slot without memory.
 */
int vmsi_slot_move(struct vms_heap *heap, struct vmsi_slot *from,
		   struct vmsi_slot *to);

/*
 * Likewise from a block in a run. The memory of its old place stays committed,
 * and is zero; or it is a hole, to be renewed.
 */
enum vmsi_left { VMSI_LEAVE_ZERO, VMSI_LEAVE_HOLE };
int vmsi_slot_move_block(struct vms_heap *heap, uintptr_t block, size_t length,
			 struct vmsi_slot *to, enum vmsi_left left);

#endif
