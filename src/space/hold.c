/* SPDX-License-Identifier: MIT */
#include "space/state.h"

/*
 * The reservation: what is in no mapping is covered by PROT_NONE memory of the
 * host, so that nothing else in the process can land there.
 *
 * Two kinds of addresses in the space are neither mapped nor held, and have a
 * record in the map so that nothing is placed there:
 *
 * - foreign: another part of the process took them in an instant when the host
 *   had them free. They are not touched until they are free again.
 * - owed: our own leftover, which the host refused to replace.
 */

/*
 * Under mlockall(MCL_FUTURE) the host counts every new mapping as locked, and
 * may refuse one for that. Its own copy of a hole is not new to it.
 */
static int copy_hole_over(const struct vms_space *space,
			  struct vmsi_range range)
{
	const int flags = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
	struct vmsi_range hole = vmsi_map_largest_gap(&space->map);

	if (hole.start == hole.end)
		return -EAGAIN;
	while (range.start < range.end) {
		size_t length = vmsi_min(vmsi_range_length(range),
					 vmsi_range_length(hole));
		/* An open gap would be at the start of the hole. */
		long result = vmsi_host.mremap(hole.end - length, length,
					       length, flags, range.start);

		if (result < 0)
			return -EAGAIN;
		range.start += length;
	}
	return 0;
}

static int reserve_over(const struct vms_space *space, struct vmsi_range range,
			enum vmsi_warmth warmth)
{
	/*
	 * A warm hole is not merged with the reservation around it, and so need
	 * not be split off the next time. PROT_NONE memory is not charged
	 * either way.
	 */
	int flags = warmth == VMSI_COLD ? VMSI_RESERVATION :
					  MAP_PRIVATE | MAP_ANONYMOUS;
	long result = vmsi_host.mmap(range.start, vmsi_range_length(range),
				     PROT_NONE, flags | MAP_FIXED, -1, 0);

	if (result == -EAGAIN)
		return copy_hole_over(space, range);
	return result < 0 ? (int)result : 0;
}

/* --- addresses that are not held ------------------------------------------ */

static void add_hull(struct vms_space *space, struct vmsi_range range)
{
	unsigned last = VMSI_UNSETTLED_HULLS - 1;

	if (space->unsettled_count <= last) {
		space->unsettled[space->unsettled_count++] = range;
		return;
	}
	space->unsettled[last].start =
		vmsi_min(space->unsettled[last].start, range.start);
	space->unsettled[last].end =
		vmsi_max(space->unsettled[last].end, range.end);
}

static void mark_unheld(struct vms_space *space, struct vmsi_range range,
			uint32_t kind)
{
	struct vmsi_attributes attributes = { .flags = (uint32_t)kind };

	vmsi_map_insert(&space->map, range, 0, &attributes);
	add_hull(space, range);
}

static void mark_foreign(struct vms_space *space, struct vmsi_range range)
{
	/*
	 * Neighbouring parts merge, so the records reserved for the operation
	 * suffice but for a very scattered loss; what then finds no record is
	 * not marked, and so never won back, nor touched.
	 */
	if (vmsi_map_reserve(&space->map, 1) == 0)
		mark_unheld(space, range, VMSI_FOREIGN);
}

/* What to do with each part of a range that is to be reserved. */
struct reserving {
	/* The host had it free, and it is reserved now. */
	void (*reserved)(struct vms_space *space, struct vmsi_range range);
	/* The host has something there. */
	void (*taken)(struct vms_space *space, struct vmsi_range range);
	/* The host refused for another reason. */
	void (*refused)(struct vms_space *space, struct vmsi_range range);
};

static void ignore_part(struct vms_space *space, struct vmsi_range range)
{
	(void)space;
	(void)range;
}

static long reserve_if_free(struct vmsi_range range)
{
	return vmsi_host.mmap(range.start, vmsi_range_length(range), PROT_NONE,
			      VMSI_RESERVATION | MAP_FIXED_NOREPLACE, -1, 0);
}

/* Reserve what the host has free of a range, by halving where it is mixed. */
static void reserve_free(struct vms_space *space, struct vmsi_range range,
			 const struct reserving *reserving)
{
	size_t length = vmsi_range_length(range);
	uintptr_t middle;
	long result = reserve_if_free(range);

	/* The host may have failed for a moment only: ask twice. */
	if (result < 0 && result != -EEXIST)
		result = reserve_if_free(range);
	if (result >= 0) {
		reserving->reserved(space, range);
		return;
	}
	if (result != -EEXIST) {
		reserving->refused(space, range);
		return;
	}
	if (length == vmsi_page_size() || vmsi_host_is_mapped(range) == 1) {
		reserving->taken(space, range);
		return;
	}
	middle = vmsi_align_down(range.start + length / 2, vmsi_page_size());
	reserve_free(space, (struct vmsi_range){ range.start, middle },
		     reserving);
	reserve_free(space, (struct vmsi_range){ middle, range.end },
		     reserving);
}

void vmsi_hold(struct vms_space *space, struct vmsi_range range)
{
	static const struct reserving hold = { ignore_part, mark_foreign,
					       mark_foreign };

	if (range.start >= range.end)
		return;
	/* An open gap in it is free, and is closed by this. */
	reserve_free(space, range, &hold);
	if (space->has_stacks)
		vmsi_stacks_closed(space, range);
}

void vmsi_hold_free(struct vms_space *space, struct vmsi_range range)
{
	uintptr_t at = range.start;

	while (at < range.end) {
		struct vmsi_mapping *mapping = vmsi_map_find(&space->map, at);
		struct vmsi_range hole = { at, range.end };

		if (mapping && mapping->start < range.end)
			hole.end = vmsi_max(at, mapping->start);
		if (hole.start < hole.end)
			vmsi_hold(space, hole);
		at = mapping ? mapping->end : range.end;
	}
}

/* Try to replace what is owed in a hull; note the hull again if anything stays. */
static void recover_hull(struct vms_space *space, struct vmsi_range hull)
{
	uintptr_t at = hull.start;
	struct vmsi_mapping *mapping;

	/* What others took, or the host had refused, may be free by now. */
	vmsi_settle(space, hull);
	while ((mapping = vmsi_map_find(&space->map, at)) &&
	       mapping->start < hull.end) {
		struct vmsi_range range = vmsi_mapping_range(mapping);
		bool owed = vmsi_has(&mapping->attributes, VMSI_OWED);

		at = range.end;
		if (!vmsi_is_unheld(mapping))
			continue;
		if (owed && reserve_over(space, range, VMSI_COLD) == 0)
			vmsi_map_erase(&space->map, range);
		else
			add_hull(space, range);
	}
}

void vmsi_recover(struct vms_space *space)
{
	struct vmsi_range hulls[VMSI_UNSETTLED_HULLS];
	unsigned count = space->unsettled_count;

	for (unsigned i = 0; i < count; i++)
		hulls[i] = space->unsettled[i];
	space->unsettled_count = 0;
	for (unsigned i = 0; i < count; i++)
		recover_hull(space, hulls[i]);
}

bool vmsi_may_replace(const struct vms_space *space, struct vmsi_range range)
{
	struct vmsi_mapping *mapping;

	if (space->unsettled_count == 0)
		return true;
	for (mapping = vmsi_map_find(&space->map, range.start);
	     mapping && mapping->start < range.end;
	     mapping = vmsi_map_next(mapping))
		if (vmsi_has(&mapping->attributes, VMSI_FOREIGN))
			return false;
	return true;
}

int vmsi_claim(struct vms_space *space, struct vmsi_range range)
{
	if (space->gap_count)
		vmsi_gaps_close(space, range);
	if (!vmsi_may_replace(space, range))
		return vmsi_refuse(VMS_REFUSAL_ADDRESSES);
	if (!space->stacks)
		return 0;
	vmsi_stacks_close(space, range);
	return vmsi_may_replace(space, range) ? 0 :
		vmsi_refused_by_host(space, -ENOMEM);
}

/* --- giving back ------------------------------------------------------------ */

struct vmsi_range vmsi_next_ours(const struct vms_space *space,
				 struct vmsi_range range)
{
	struct vmsi_range part = range;
	struct vmsi_mapping *mapping;

	if (space->unsettled_count == 0)
		return part;
	for (mapping = vmsi_map_find(&space->map, range.start);
	     mapping && mapping->start < range.end;
	     mapping = vmsi_map_next(mapping)) {
		if (!vmsi_has(&mapping->attributes, VMSI_FOREIGN))
			continue;
		if (mapping->start > part.start) {
			part.end = mapping->start;
			return part;
		}
		part.start = vmsi_min(mapping->end, range.end);
	}
	return part;
}

/* What the space knows of a part after the reservation was put over it. */
static void note_reserved(struct vms_space *space, struct vmsi_range part,
			  enum vmsi_warmth warmth)
{
	if (warmth == VMSI_WARM)
		vmsi_warm_add(space, (struct vmsi_warm_hole){ part });
	if (space->has_stacks)
		vmsi_stacks_closed(space, part);
}

int vmsi_give_back(struct vms_space *space, struct vmsi_range range,
		   enum vmsi_warmth warmth, uintptr_t *done)
{
	/* What is foreign in an open gap is found out before it is covered. */
	if (space->gap_count)
		vmsi_gaps_close(space, range);
	if (space->stacks)
		vmsi_stacks_close(space, range);
	vmsi_warm_trim(space, range);
	for (*done = range.start; *done < range.end; *done = range.start) {
		struct vmsi_range part = vmsi_next_ours(space, range);
		int error = 0;

		if (part.start < part.end)
			error = reserve_over(space, part, warmth);
		if (error)
			return error;
		if (part.start < part.end)
			note_reserved(space, part, warmth);
		range.start = part.end;
	}
	return 0;
}

void vmsi_give_back_or_owe(struct vms_space *space, struct vmsi_range range)
{
	if (space->gap_count)
		vmsi_gaps_close(space, range);
	if (space->stacks)
		vmsi_stacks_close(space, range);
	vmsi_warm_trim(space, range);
	while (range.start < range.end) {
		struct vmsi_range part = vmsi_next_ours(space, range);
		int error;

		range.start = part.end;
		if (part.start == part.end)
			continue;
		error = reserve_over(space, part, VMSI_COLD);
		/* The host may have failed for a moment only: ask twice. */
		if (error)
			error = reserve_over(space, part, VMSI_COLD);
		if (!error)
			note_reserved(space, part, VMSI_COLD);
		else
			mark_unheld(space, part, VMSI_OWED);
	}
}

static void forget_part(struct vms_space *space, struct vmsi_range range)
{
	if (space->has_stacks)
		vmsi_stacks_closed(space, range);
	if (vmsi_map_reserve(&space->map, VMSI_MAP_RECORDS))
		return;
	vmsi_forget(space, range);
	/* What was foreign in it is ours again. */
	vmsi_map_erase(&space->map, range);
}

void vmsi_settle(struct vms_space *space, struct vmsi_range range)
{
	static const struct reserving settle = { forget_part, ignore_part,
						 add_hull };
	int mapped;

	if (space->gap_count)
		vmsi_gaps_close(space, range);
	mapped = vmsi_host_is_mapped(range);
	if (mapped == 0)
		reserve_free(space, range, &settle);
	else if (mapped < 0)
		add_hull(space, range);
}

bool vmsi_take_back(struct vms_space *space, struct vmsi_range range)
{
	int mapped = vmsi_host_is_mapped(range);

	if (mapped == 0) {
		/* All of it was unmapped: what is there by now is of others. */
		vmsi_forget(space, range);
		vmsi_hold(space, range);
	}
	return mapped >= 0 && vmsi_may_replace(space, range);
}

/* --- warm holes --------------------------------------------------------------- */

static void remove_warm(struct vms_space *space, unsigned at)
{
	space->warm_count--;
	for (; at < space->warm_count; at++)
		space->warm[at] = space->warm[at + 1];
}

/* A hole that stays warm in the host's eyes only costs it a mapping. */
static void cool(const struct vms_space *space, struct vmsi_range range)
{
	(void)reserve_over(space, range, VMSI_COLD);
}

void vmsi_warm_add(struct vms_space *space, struct vmsi_warm_hole hole)
{
	if (space->warm_count == VMSI_WARM_HOLES) {
		cool(space, space->warm[0].range);
		remove_warm(space, 0);
	}
	space->warm[space->warm_count++] = hole;
}

enum vmsi_warmth vmsi_warm_wanted(struct vms_space *space)
{
	/*
	 * While every place is taken, new holes are cold: to cool an old one
	 * for each would cost a call more. From time to time the oldest go, so
	 * that new sizes get a chance.
	 */
	if (space->warm_count < VMSI_WARM_HOLES)
		return VMSI_WARM;
	if (++space->warm_misses % VMSI_WARM_HOLES)
		return VMSI_COLD;
	return VMSI_WARM;
}

bool vmsi_warm_take(struct vms_space *space, size_t length, size_t alignment,
		    uintptr_t *start)
{
	for (unsigned i = space->warm_count; i-- > 0;) {
		const struct vmsi_warm_hole *hole = &space->warm[i];

		if (vmsi_range_length(hole->range) == length &&
		    vmsi_is_aligned(hole->range.start, alignment)) {
			*start = hole->range.start;
			return true;
		}
	}
	return false;
}

void vmsi_warm_trim(struct vms_space *space, struct vmsi_range range)
{
	for (unsigned i = space->warm_count; i-- > 0;) {
		struct vmsi_range *hole = &space->warm[i].range;
		struct vmsi_range below = { hole->start, range.start };
		struct vmsi_range above = { range.end, hole->end };

		if (!vmsi_range_overlaps(*hole, range))
			continue;
		if (above.start < above.end) {
			*hole = above;
			if (below.start < below.end)
				cool(space, below);
		} else if (below.start < below.end) {
			*hole = below;
		} else {
			remove_warm(space, i);
		}
	}
}
