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
 * One mapping of the map may be several to the host. Before Linux 6.17 mremap
 * refuses several; since then it moves them, but if it refuses a later one, it
 * leaves the first ones moved and does not tell how many. So each is moved by a
 * call of its own, and moves back if a later one is refused. Where the host
 * does not tell how they lie, they are found by halving.
 */

static long host_move(struct vmsi_range source, uintptr_t target, int flags)
{
	size_t length = vmsi_range_length(source);

	return vmsi_host.mremap(source.start, length, length,
				MREMAP_MAYMOVE | MREMAP_FIXED | flags, target);
}

/*
 * Move one part. EFAULT says that it is several mappings, but the host has
 * unmapped the target all the same. In the space the target is covered again,
 * so that no other thread maps there before the next, shorter part comes.
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

/* The middle of a part, rounded up to a page. */
static uintptr_t middle_of(struct vmsi_range part)
{
	return part.start +
		vmsi_align_down(vmsi_range_length(part) / 2 +
					vmsi_page_size() - 1,
				vmsi_page_size());
}

/* The end of the host's first mapping in the part, or else its middle. */
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

bool vmsi_could_not_move_back(const struct vms_space *space,
			      enum vmsi_move_way way, size_t bytes,
			      size_t whole)
{
	return way == VMSI_MOVE_THERE && bytes < whole &&
		vmsi_host_at_map_limit(space->limit_probe);
}

static long move_parts(struct vms_space *space, struct vmsi_parts_move *move,
		       enum vmsi_move_way way)
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
		if (vmsi_could_not_move_back(space, way,
					     vmsi_range_length(part),
					     vmsi_range_length(move->source)))
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

void vmsi_move_back(struct vms_space *space, struct vmsi_range moved,
		    uintptr_t to)
{
	struct vmsi_parts_move back = { .source = moved, .target = to };

	if (move_parts(space, &back, VMSI_MOVE_BACK) < 0)
		vmsi_panic("space: a mapping cannot be put together again");
}

long vmsi_move_or_undo(struct vms_space *space, struct vmsi_parts_move *move)
{
	const long result = move_parts(space, move, VMSI_MOVE_THERE);
	const struct vmsi_range arrived = { move->target,
					    place_of(move, move->moved) };

	if (result < 0 && move->moved > move->source.start)
		vmsi_move_back(space, arrived, move->source.start);
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
