/* SPDX-License-Identifier: MIT */
#include "space/remap_rules.h"

#include <errno.h>
#include <stdbool.h>

#include "base/align.h"
#include "base/mman.h"
#include "host/host.h"

/* Whether a new address can be a target of the source. */
static bool is_good_target(struct vmsi_range source, uintptr_t start,
			   size_t length)
{
	struct vmsi_range target = { start, 0 };

	if (!vmsi_is_aligned(start, vmsi_page_size()) ||
	    !vmsi_add(start, length, &target.end) ||
	    target.end > vmsi_address_limit())
		return false;
	/* As in Linux, a source without length overlaps a target around it. */
	return source.end <= target.start || target.end <= source.start;
}

int vmsi_remap_rules(uintptr_t old, size_t *old_length, size_t *new_length,
		     int flags, uintptr_t new_address)
{
	const int with_target = MREMAP_FIXED | MREMAP_DONTUNMAP;
	const int known = MREMAP_MAYMOVE | with_target;
	const size_t page_size = vmsi_page_size();

	if ((flags & ~known) || !vmsi_is_aligned(old, page_size))
		return -EINVAL;
	*old_length = vmsi_align_up(*old_length, page_size);
	*new_length = vmsi_align_up(*new_length, page_size);
	if (*new_length == 0 || *new_length > vmsi_address_limit())
		return -EINVAL;
	if (!(flags & with_target))
		return 0;
	if (!(flags & MREMAP_MAYMOVE) ||
	    ((flags & MREMAP_DONTUNMAP) && *old_length != *new_length) ||
	    !is_good_target((struct vmsi_range){ old, old + *old_length },
			    new_address, *new_length))
		return -EINVAL;
	return 0;
}
