/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/mman.h"
#include "base/panic.h"
#include "host/host.h"
#include "space/grow.h"
#include "space/handle_table.h"
#include "space/mend.h"
#include "space/move.h"
#include "space/move_parts.h"
#include "space/records.h"
#include "space/reservation.h"
#include "space/space.h"
#include "space/walk.h"

/*
 * Moving a mapping, or a part of one, to another place in the space.
 *
 * The page tables go first, and the old place stays mapped meanwhile
 * (MREMAP_DONTUNMAP), so that the host never has it free:
 *
 *   old:  |####|  --mremap-->  |    |  --reservation over it-->  hole
 *   new:   hole  ----------->  |####|
 *
 * Some kinds of mappings refuse that. They are moved by a plain mremap, and
 * the old place is held again right after; what another thread maps there in
 * between is found out and left alone.
 */

/* What the host has at the source after its pages have gone. */
enum source_state { SOURCE_MAPPED, SOURCE_FREE };

static bool is_next_to_source(const struct vmsi_move *move)
{
	return move->target.start == move->source.end ||
		move->target.end == move->source.start;
}

static bool leaves_window(const struct vmsi_move *move,
			  const struct vmsi_attributes *attributes)
{
	if (vmsi_has(attributes, VMSI_HUGETLB))
		return true;
	/* Kernels before 5.13 keep only private anonymous memory mapped. */
	if (attributes->object && !vmsi_host_keeps_moved_objects())
		return true;
	/*
	 * Where the source is kept, the host takes the lock from all of its own
	 * mapping, which may be larger than the source and may join the target.
	 * And the host goes on counting the source as locked.
	 */
	return vmsi_host_is_locked(move->source.start) == 1;
}

static int move_pages(struct vms_space *space, const struct vmsi_move *move,
		      const struct vmsi_attributes *attributes,
		      enum source_state *state)
{
	struct vmsi_parts_move parts = {
		.source = move->source,
		.target = move->target.start,
		.flags = MREMAP_DONTUNMAP,
	};
	long result;

	*state = SOURCE_MAPPED;
	if (move->keep == VMSI_KEEP_SOURCE || !leaves_window(move, attributes)) {
		result = vmsi_move_or_undo(space, &parts);
		if (result >= 0)
			return 0;
		/*
		 * A driver's mapping may refuse to be kept, and a host that is
		 * short of commit refuses to charge both places for an
		 * instant. The target must be ours for a second try.
		 */
		if (move->keep == VMSI_KEEP_SOURCE ||
		    (result != -EINVAL && result != -ENOMEM) ||
		    !vmsi_mend_for_retry(space, (struct vmsi_range){
					parts.target, parts.opened }))
			return (int)result;
	}
	*state = SOURCE_FREE;
	parts.flags = 0;
	result = vmsi_move_or_undo(space, &parts);
	return result < 0 ? (int)result : 0;
}

/* --- moves that also grow ------------------------------------------------------------ */

/* Map the extension first, so that a refusal leaves the mapping where it is. */
static int move_and_extend(struct vms_space *space, const struct vmsi_move *move,
			   const struct vmsi_attributes *attributes,
			   enum source_state *state)
{
	const size_t length = vmsi_range_length(move->source);
	struct vmsi_range extension = { move->target.start + length,
					move->target.end };
	bool replaces = vmsi_first(space, move->target);
	int error;

	if (vmsi_has(attributes, VMSI_SHARED))
		error = vmsi_alias_extension(space, move->source.end, extension);
	else
		error = vmsi_map_extension(space, extension.start,
					   vmsi_range_length(extension),
					   attributes);
	if (error)
		return error;
	error = move_pages(space, move, attributes, state);
	if (!error)
		return 0;
	/*
	 * As on Linux, what was at the target is gone once the replacement has
	 * begun.
	 */
	if (replaces) {
		extension = move->target;
		vmsi_forget(space, move->target);
	}
	vmsi_give_back_or_leave(space, extension);
	return error;
}

/*
 * Growth by no more than an open gap: the gap is made where the mapping is going
 * to end, and the host grows it when it has arrived, so that it takes along what
 * only the host knows of it. false: no gap can be had.
 */
static bool make_gap(struct vms_space *space, const struct vmsi_move *move,
		     struct vmsi_range *extension)
{
	extension->start = move->target.start +
		vmsi_range_length(move->source);
	extension->end = move->target.end;
	if (move->keep == VMSI_KEEP_SOURCE ||
	    !vmsi_map_is_free(&space->map, move->target))
		return false;
	vmsi_gap_open(space, extension->start, vmsi_range_length(*extension));
	if (vmsi_gap_stretch(space, *extension))
		return true;
	vmsi_gaps_close(space, move->target);
	return false;
}

static int move_and_grow_in_gap(struct vms_space *space, struct vmsi_move *move,
				const struct vmsi_attributes *attributes,
				struct vmsi_range extension,
				enum source_state *state)
{
	struct vmsi_range arrived = { move->target.start, extension.start };
	struct vmsi_move whole = *move;
	int error;

	whole.target = arrived;
	error = move_pages(space, &whole, attributes, state);
	if (error)
		return error;
	error = vmsi_gap_extend(space, extension);
	if (!error)
		return 0;
	if (vmsi_move_in_parts(space, arrived, move->source.start, 0) < 0)
		vmsi_panic("space: a mapping cannot be moved back");
	return error;
}

/*
 * A private mapping of a file: only the host can do it. Where that takes
 * several steps (see vmsi_move_in_parts) the extension is the last of them.
 */
static int move_growing(struct vms_space *space, const struct vmsi_move *move,
			enum source_state *state)
{
	const size_t length = vmsi_range_length(move->source);
	struct vmsi_range extension = { move->target.start + length,
					move->target.end };
	long result = vmsi_host.mremap(move->source.start, length,
				       vmsi_range_length(move->target),
				       MREMAP_MAYMOVE | MREMAP_FIXED,
				       move->target.start);

	*state = SOURCE_FREE;
	if (result != -EFAULT)
		return result < 0 ? (int)result : 0;
	if (!vmsi_mend_for_retry(space, move->target))
		return -ENOMEM;
	result = vmsi_move_in_parts(space, move->source, move->target.start, 0);
	if (result < 0)
		return (int)result;
	result = vmsi_extend_by_window(space, extension.start, extension);
	if (result < 0)
		(void)vmsi_move_in_parts(space,
					 (struct vmsi_range){ move->target.start,
							      extension.start },
					 move->source.start, 0);
	return (int)result;
}

static int act(struct vms_space *space, struct vmsi_move *move,
	       const struct vmsi_attributes *attributes,
	       enum source_state *state)
{
	struct vmsi_range extension;
	int error;

	if (vmsi_range_length(move->source) == vmsi_range_length(move->target))
		return move_pages(space, move, attributes, state);
	if (make_gap(space, move, &extension))
		return move_and_grow_in_gap(space, move, attributes, extension,
					    state);
	/*
	 * The source is free for an instant in any case, so one call of the
	 * host moves and grows it. Locked memory goes this way too, since it
	 * could not be put back with its lock.
	 */
	if (leaves_window(move, attributes) ||
	    vmsi_has(attributes, VMSI_LOCKED))
		return move_growing(space, move, state);
	*state = SOURCE_MAPPED;
	switch (vmsi_move_by_transit(space, move->source, move->target,
				     &error)) {
	case VMSI_TRANSIT_DONE:
		return 0;
	case VMSI_TRANSIT_REFUSED:
		return error;
	case VMSI_TRANSIT_NOT_KEPT:
		/*
		 * As in move_pages: a driver may refuse to keep the source, and
		 * the host may lack the commit for both places.
		 */
		if (error == -EINVAL || error == -ENOMEM)
			return move_growing(space, move, state);
		return error;
	case VMSI_TRANSIT_NO_PLACE:
		break;
	}
	if (attributes->object && !vmsi_has(attributes, VMSI_SHARED))
		return move_growing(space, move, state);
	return move_and_extend(space, move, attributes, state);
}

/* --- publish ---------------------------------------------------------------------------- */

static void unlock(struct vmsi_mapping *piece, void *context)
{
	(void)context;
	piece->attributes.flags &=
		~(VMSI_LOCKED | VMSI_LOCK_ON_FAULT);
}

/*
 * Where the host's unlocked memory ends, from a page that is unlocked towards
 * one that bounds the mapping; the host's own mappings may be shorter.
 *
 *   | locked |   unlocked   | locked |      one mapping of ours
 *            low   source   high
 */
static uintptr_t lowest_unlocked(uintptr_t low, uintptr_t high)
{
	while (low < high) {
		uintptr_t middle = vmsi_align_down(low + (high - low) / 2,
						   vmsi_page_size());

		if (vmsi_host_is_locked(middle) == 1)
			low = middle + vmsi_page_size();
		else
			high = middle;
	}
	return low;
}

static uintptr_t highest_unlocked(uintptr_t low, uintptr_t high)
{
	while (low < high) {
		uintptr_t middle = vmsi_align_down(low + (high - low) / 2,
						   vmsi_page_size());

		if (vmsi_host_is_locked(middle) == 1)
			high = middle;
		else
			low = middle + vmsi_page_size();
	}
	return low;
}

void vmsi_unlock_kept(struct vms_space *space, struct vmsi_range source,
		      enum vmsi_part part)
{
	struct vmsi_mapping *mapping = vmsi_lookup(space, source.start);
	struct vmsi_range unlocked;

	if (part == VMSI_WHOLE)
		mapping->attributes.flags &= ~VMSI_TOUCHED;
	if (!vmsi_has(&mapping->attributes, VMSI_LOCKED))
		return;
	unlocked.start = lowest_unlocked(mapping->start, source.start);
	unlocked.end = highest_unlocked(source.end, mapping->end);
	vmsi_change(space, unlocked, unlock, NULL);
}

static void publish(struct vms_space *space, const struct vmsi_move *move,
		    uint64_t offset, const struct vmsi_attributes *attributes,
		    enum source_state state)
{
	if (move->keep == VMSI_KEEP_SOURCE)
		vmsi_unlock_kept(space, move->source, move->part);
	vmsi_publish(space, move->target, offset, attributes);
	if (move->keep == VMSI_KEEP_SOURCE && is_next_to_source(move) &&
	    vmsi_host_is_locked(move->target.start) == 0)
		vmsi_change(space, move->target, unlock, NULL);
	vmsi_handles_moved(space, move->source, move->target);
	space->moves++;
	if (move->keep == VMSI_KEEP_SOURCE)
		return;
	vmsi_note_left(space, move->source);
	/*
	 * The mapping that the target has joined may be touched, and its mark
	 * would be hidden by the split.
	 */
	if (is_next_to_source(move))
		vmsi_learn_touched(space, move->source, VMSI_LEARN_SPLIT);
	/*
	 * The charge for the target is made before that for the source comes
	 * back, so that nobody else is granted it meanwhile.
	 */
	if (vmsi_has(attributes, VMSI_ACCOUNTED))
		vmsi_ledger_charge_forced(&space->ledger,
					  vmsi_range_length(move->source),
					  vmsi_range_length(move->source));
	vmsi_forget(space, move->source);
	if (state == SOURCE_FREE)
		vmsi_cover_free(space, move->source);
	else
		vmsi_give_back_or_leave(space, move->source);
}

int vmsi_move(struct vms_space *space, struct vmsi_move *move)
{
	struct vmsi_mapping *mapping;
	struct vmsi_attributes attributes;
	enum source_state state;
	uint64_t offset = 0;
	int error = vmsi_reserve_records(space);

	if (error)
		return error;
	vmsi_learn_touched(space, move->source, VMSI_LEARN_SPLIT);
	vmsi_learn_touched(space, move->target, VMSI_LEARN_SPLIT);
	mapping = vmsi_lookup(space, move->source.start);
	attributes = mapping->attributes;
	move->part = mapping->start == move->source.start &&
		mapping->end == move->source.end ? VMSI_WHOLE : VMSI_PART;
	if (attributes.object)
		offset = mapping->offset + (move->source.start - mapping->start);
	if (vmsi_range_length(move->target) > vmsi_range_length(move->source))
		attributes.flags |= VMSI_GREW;
	error = act(space, move, &attributes, &state);
	if (error) {
		/* make_gap may have opened a gap in the target. */
		vmsi_gaps_close(space, move->target);
		vmsi_mend(space, move->target);
		return error;
	}
	publish(space, move, offset, &attributes, state);
	return 0;
}

int vmsi_alias(struct vms_space *space, uintptr_t source,
	       struct vmsi_range target)
{
	struct vmsi_mapping *mapping = vmsi_lookup(space, source);
	struct vmsi_attributes attributes = mapping->attributes;
	uint64_t offset = mapping->offset + (source - mapping->start);
	int error = vmsi_reserve_records(space);
	long result;

	if (error)
		return error;
	vmsi_learn_touched(space, target, VMSI_LEARN_SPLIT);
	result = vmsi_host.mremap(source, 0, vmsi_range_length(target),
				  MREMAP_MAYMOVE | MREMAP_FIXED, target.start);
	if (result < 0) {
		vmsi_mend(space, target);
		return (int)result;
	}
	vmsi_publish(space, target, offset, &attributes);
	return 0;
}
