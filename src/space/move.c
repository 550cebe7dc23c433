/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/mman.h"
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
 * A mapping, or a part of one, moves to another place in the space. The host
 * moves its page tables with MREMAP_DONTUNMAP, so that the old place stays
 * mapped until the reservation replaces it, and no other thread can map there:
 *
 *   old:  |####|  --mremap-->  |    |  --reservation over it-->  hole
 *   new:   hole  ----------->  |####|
 *
 * For mappings that leaves_window names the host refuses that. They are moved
 * by a plain mremap, after which the old place is covered at once. What another
 * thread maps there in between is left alone.
 */

/* What the host has at the source after the pages have moved. */
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
	 * MREMAP_DONTUNMAP unlocks all of the host's mapping, which may be
	 * larger than the source, and leaves the source in the host's count
	 * (VmLck).
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
		 * A driver may refuse to keep its mapping (EINVAL), and the
		 * host to charge both places for an instant (ENOMEM). Then a
		 * plain move is tried, if nobody has taken the target.
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

/* Map the extension first: if that is refused, nothing has moved. */
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
	/* As on Linux, a move that fails has unmapped its target. */
	if (replaces) {
		extension = move->target;
		vmsi_forget(space, move->target);
	}
	vmsi_give_back_or_leave(space, extension);
	return error;
}

/*
 * If the mapping grows by no more than a guard gap, open a gap behind its new
 * place. The host's mremap grows it there after the move, so that all is kept
 * that only the host knows of it. Returns false if no gap can be had.
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
	vmsi_move_back(space, arrived, move->source.start);
	return error;
}

/*
 * Move and grow by one mremap, which leaves the source free. If the source is
 * several mappings to the host, its parts move first, and the last one then
 * grows.
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
		vmsi_move_back(space, (struct vmsi_range){ move->target.start,
							   extension.start },
			       move->source.start);
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
	 * Such a source is free for an instant in any case. Locked memory goes
	 * this way because put_back of transit.c would not restore its lock.
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
		/* As in move_pages. */
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
 * The ends of the memory around the source that the host has unlocked. It has
 * unlocked one mapping of its own, which may be shorter than that of the map:
 *
 *   | locked |   unlocked   | locked |      one mapping of the map
 *           low   source   high
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
	 * The target may have merged with the source. To forget the source
	 * splits the two, so whether pages were touched is learned before.
	 */
	if (is_next_to_source(move))
		vmsi_learn_touched(space, move->source, VMSI_LEARN_SPLIT);
	/*
	 * The target is charged before vmsi_forget uncharges the source, so
	 * that nobody else is granted those bytes meanwhile.
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
