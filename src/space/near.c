/* SPDX-License-Identifier: MIT */
#include "space/near.h"

#include <errno.h>

#include "base/mman.h"
#include "host/host.h"
#include "space/cover.h"

/*
 * Addresses near a given one. The host is asked for one place after the other, on
 * boundaries of huge pages, further and further away to both sides: it does not tell
 * what is free otherwise, without /proc.
 */

/* Reserve a range if it is free: 0, -EEXIST, or -errno. */
static int try_range(struct vmsi_range range)
{
	const size_t length = vmsi_range_length(range);
	long at = vmsi_host.mmap(range.start, length, PROT_NONE,
				 VMSI_RESERVATION | MAP_FIXED_NOREPLACE, -1, 0);

	/* Addresses that nobody may have are as good as taken. */
	if (at == -EPERM || at == -EINVAL)
		return -EEXIST;
	if (at < 0)
		return (int)at;
	if ((uintptr_t)at == range.start)
		return 0;
	/* Linux before 4.17 takes the address for a hint. */
	vmsi_host.munmap((uintptr_t)at, length);
	return -EEXIST;
}

int vmsi_reserve_near(size_t size, uintptr_t near, size_t reach,
		      struct vmsi_range *range)
{
	const size_t step = vmsi_huge_page_size();
	const uintptr_t low = near > reach ? near - reach : 0;
	const uintptr_t high = vmsi_min(vmsi_add_saturating(near, reach),
					vmsi_address_limit());
	const uintptr_t middle = vmsi_align_down(near, step);
	int error = -EEXIST;

	for (size_t distance = 0; distance <= reach && error == -EEXIST;
	     distance += step) {
		const uintptr_t below =
			vmsi_align_down(middle - distance - size, step);
		const uintptr_t above = middle + distance;

		*range = (struct vmsi_range){ below, below + size };
		if (middle >= distance + size && below >= low && below > 0)
			error = try_range(*range);
		if (error != -EEXIST)
			break;
		*range = (struct vmsi_range){ above, above + size };
		if (above > 0 && above >= low && above < high && high - above >= size)
			error = try_range(*range);
	}
	return error == -EEXIST ? -ERANGE : error;
}
