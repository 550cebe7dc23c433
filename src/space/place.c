/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "host/host.h"
#include "space/inside.h"
#include "space/space.h"

/* Where mappings go that were given no address. (In vma.h a hole is a gap.) */

/* What a page table covers whose entries cover size each. */
static size_t next_level(size_t size)
{
	return size * (vmsi_page_size() / 8);
}

static int find_gap(const struct vms_space *space,
		    const struct vmsi_place_request *request,
		    uintptr_t *start)
{
	struct vmsi_gap_request gap = {
		.length = request->length,
		.alignment = request->alignment,
		.residue = request->residue & (request->alignment - 1),
		.end = space->placement == VMS_PLACE_TOP ? VMSI_GAP_HIGH :
							   VMSI_GAP_LOW,
	};

	return vmsi_map_find_gap(&space->map, &gap, start);
}

/*
 * Choose the middle of the largest hole, so that the mapping and the one below
 * the hole can both grow. The hole must be four times as long as the request.
 */
static int find_middle(const struct vms_space *space,
		      const struct vmsi_place_request *request,
		      uintptr_t *start)
{
	struct vmsi_range gap = vmsi_map_largest_gap(&space->map);
	size_t plenty, residue = request->residue & (request->alignment - 1);
	uintptr_t place;

	if (!vmsi_multiply(request->length, 4, &plenty) ||
	    !vmsi_add(plenty, request->alignment, &plenty) ||
	    vmsi_range_length(gap) < plenty)
		return -ENOMEM;
	place = gap.start + vmsi_range_length(gap) / 2;
	place = vmsi_align_down(place, request->alignment) + residue;
	if (place < gap.start || place > gap.end - request->length)
		return -ENOMEM;
	*start = place;
	return 0;
}

#ifdef VMSI_DEBUG

void vmsi_note_left(struct vms_space *space, struct vmsi_range range)
{
	space->left.all[space->left.count++ % VMSI_LEFT_PLACES] = range;
}

static bool was_left(const struct vms_space *space, uintptr_t start,
		     size_t length)
{
	struct vmsi_range range = { start, start + length };

	for (size_t i = 0; i < VMSI_LEFT_PLACES; i++)
		if (vmsi_range_overlaps(space->left.all[i], range))
			return true;
	return false;
}

/* If a mapping has left the place lately, choose another. */
static void avoid_left(const struct vms_space *space,
		       const struct vmsi_place_request *request,
		       uintptr_t *start)
{
	size_t residue = request->residue & (request->alignment - 1);
	struct vmsi_range gap = vmsi_map_largest_gap(&space->map);
	uintptr_t place;

	if (!was_left(space, *start, request->length) ||
	    vmsi_range_length(gap) < request->length + 2 * request->alignment)
		return;
	place = vmsi_align_down(gap.end - request->length - request->alignment,
				request->alignment) + residue;
	if (place >= gap.start && !was_left(space, place, request->length))
		*start = place;
}

#else

void vmsi_note_left(struct vms_space *space, struct vmsi_range range)
{
	(void)space;
	(void)range;
}

static void avoid_left(const struct vms_space *space,
		       const struct vmsi_place_request *request,
		       uintptr_t *start)
{
	(void)space;
	(void)request;
	(void)start;
}

#endif

static int choose(const struct vms_space *space,
		  const struct vmsi_place_request *request, uintptr_t *start)
{
	int error = -ENOMEM;

	if (request->growth == VMSI_MAY_GROW)
		error = find_middle(space, request, start);
	if (error)
		error = find_gap(space, request, start);
	if (!error)
		avoid_left(space, request, start);
	return error;
}

/*
 * To close an open gap at the place can reveal foreign memory there. Then
 * another place is chosen.
 */
int vmsi_place(struct vms_space *space, const struct vmsi_place_request *request,
	       uintptr_t *start)
{
	unsigned gaps;
	int error;

	do {
		error = choose(space, request, start);
		gaps = space->gaps.count;
		if (!error)
			vmsi_gaps_close(space, (struct vmsi_range){
				*start, *start + request->length });
	} while (!error && space->gaps.count < gaps);
	return error;
}

int vmsi_place_move(struct vms_space *space, const struct vmsi_mapping *mapping,
		    uintptr_t old, size_t new_length, uintptr_t *start)
{
	const size_t smallest = (size_t)1 << mapping->attributes.page_shift;
	const size_t table = vmsi_page_size() * (vmsi_page_size() / 8);
	struct vmsi_place_request request = {
		.length = new_length,
		.residue = old,
		.growth = VMSI_MAY_GROW,
	};

	for (size_t alignment = next_level(table); alignment > smallest;
	     alignment = alignment > table ? table : smallest) {
		if (alignment > new_length)
			continue;
		request.alignment = alignment;
		if (vmsi_place(space, &request, start) == 0)
			return 0;
	}
	request.alignment = smallest;
	if (vmsi_place(space, &request, start) == 0)
		return 0;
	return vmsi_refuse(VMS_REFUSAL_ADDRESSES);
}
