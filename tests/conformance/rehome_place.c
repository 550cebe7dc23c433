/* SPDX-License-Identifier: MIT */
#include "rehome.h"

#include "host/host.h"

/* Where ranges lie with respect to the space, and their pieces. */

enum vmsi_rehome_place vmsi_rehome_place(uintptr_t address, size_t length)
{
	struct vmsi_range space = vmsi_rehome_bounds();
	struct vmsi_range range = {
		.start = vmsi_align_down(address, vmsi_page_size()),
	};
	uintptr_t end;

	if (length == 0 || !vmsi_add(address, length, &end) ||
	    !vmsi_align_up_checked(end, vmsi_page_size(), &range.end))
		return range.start >= space.start && range.start < space.end ?
			VMSI_REHOME_INSIDE : VMSI_REHOME_OUTSIDE;
	if (!vmsi_range_overlaps(range, space))
		return VMSI_REHOME_OUTSIDE;
	if (range.start >= space.start && range.end <= space.end)
		return VMSI_REHOME_INSIDE;
	return VMSI_REHOME_STRADDLES;
}

size_t vmsi_rehome_split(struct vmsi_range range,
			 struct vmsi_rehome_piece pieces[3])
{
	struct vmsi_range space = vmsi_rehome_bounds();
	uintptr_t borders[] = { space.start, space.end, range.end };
	size_t count = 0;

	for (size_t i = 0; i < 3; i++) {
		uintptr_t border = vmsi_min(borders[i], range.end);

		if (border <= range.start)
			continue;
		pieces[count++] = (struct vmsi_rehome_piece){
			.range = { range.start, border },
			.place = i == 1 ? VMSI_REHOME_INSIDE :
					  VMSI_REHOME_OUTSIDE,
		};
		range.start = border;
	}
	return count;
}
