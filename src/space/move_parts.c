/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/mman.h"
#include "base/panic.h"
#include "host/host.h"
#include "space/mend.h"
#include "space/move.h"
#include "space/move_parts.h"
#include "space/space.h"

/*
 * What is one mapping in our map may be several to the host. Before Linux 6.17
 * it moves one a call; since then it would leave the first of them moved where
 * a later one is refused, and not tell how many. So it goes in parts, found by
 * halving, and what has moved goes back if a later part is refused.
 */

/* The one call of the host that moves; MREMAP_DONTUNMAP may be in flags. */
static long host_move(struct vmsi_range source, uintptr_t target, int flags)
{
	size_t length = vmsi_range_length(source);

	return vmsi_host.mremap(source.start, length, length,
				MREMAP_MAYMOVE | MREMAP_FIXED | flags, target);
}

/*
 * Move one part to a fixed place. A host that answers EFAULT has unmapped the
 * place all the same. In the space it is covered again, so that nothing of
 * another thread is there when the next, shorter part comes.
 */
static long move_part(struct vms_space *space, struct vmsi_range part,
		      uintptr_t target, int flags)
{
	const struct vmsi_range place = { target,
					  target + vmsi_range_length(part) };
	long result = host_move(part, target, flags);
	if (result == -EFAULT && vmsi_inside(space, place) &&
	    !vmsi_mend_for_retry(space, place))
		return -ENOMEM;
	return result;
}

static bool is_all_of(struct vmsi_range part, struct vmsi_range source)
{
	return vmsi_range_length(part) == vmsi_range_length(source);
}

/*
 * Halve a part of whole pages; of an odd number, the first half gets one more.
 */
static uintptr_t middle_of(struct vmsi_range part)
{
	return part.start +
		vmsi_align_down(vmsi_range_length(part) / 2 +
					vmsi_page_size() - 1,
				vmsi_page_size());
}

/*
 * Where the host's first mapping in the part ends; where it does not tell, the
 * middle.
 */
static uintptr_t first_boundary(struct vmsi_range part)
{
	uintptr_t end;

	if (vmsi_host_mapping_end(part.start, &end) && end < part.end)
		return end;
	return middle_of(part);
}

static uintptr_t place_of(const struct vmsi_parts_move *move, uintptr_t address)
{
	return move->target + (address - move->source.start);
}

/* A part makes a mapping or two more, which could forbid the way back. */
static bool could_not_go_back(struct vms_space *space,
			      const struct vmsi_parts_move *move,
			      struct vmsi_range part)
{
	return move->way == VMSI_MOVE_THERE && !is_all_of(part, move->source) &&
		vmsi_host_at_map_limit(space->limit_probe);
}

static long move_parts(struct vms_space *space, struct vmsi_parts_move *move)
{
	struct vmsi_range part = move->source;
	long result = 0;

	while (part.start < move->source.end) {
		move->moved = part.start;
		move->opened = place_of(move, part.start);
		if (vmsi_host_is_several(part)) {
			part.end = first_boundary(part);
			continue;
		}
		if (could_not_go_back(space, move, part))
			return -ENOMEM;
		move->opened = place_of(move, part.end);
		result = move_part(space, part, place_of(move, part.start),
				   move->flags);
		if (result >= 0) {
			part.start = part.end;
			part.end = move->source.end;
		} else if (result == -EFAULT &&
			   vmsi_range_length(part) > vmsi_page_size()) {
			part.end = middle_of(part);
		} else {
			return result;
		}
	}
	move->moved = move->source.end;
	return result;
}

/*
 * Move back what has moved. The host has no reason to refuse that, since
 * nothing more is charged and no mapping is made. If it does, the program
 * cannot go on without its data.
 */
static void move_back(struct vms_space *space, const struct vmsi_parts_move *refused)
{
	struct vmsi_parts_move back = {
		.source = { refused->target,
			    place_of(refused, refused->moved) },
		.target = refused->source.start,
		.way = VMSI_MOVE_BACK,
	};

	if (move_parts(space, &back) < 0)
		vmsi_panic("space: a mapping cannot be put together again");
}

long vmsi_move_or_undo(struct vms_space *space, struct vmsi_parts_move *move)
{
	long result = move_parts(space, move);

	if (result < 0 && move->moved > move->source.start)
		move_back(space, move);
	return result;
}

long vmsi_move_in_parts(struct vms_space *space, struct vmsi_range source,
			uintptr_t target, int flags)
{
	struct vmsi_parts_move move = {
		.source = source, .target = target, .flags = flags,
	};

	return vmsi_move_or_undo(space, &move);
}
