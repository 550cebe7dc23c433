/* SPDX-License-Identifier: MIT */
#include <signal.h>

#include <vmspace/mapping.h>

#include "host/host.h"
#include "space/inside.h"
#include "stacks/fork.h"
#include "stacks/list.h"
#include "stacks/stacks.h"

/* vms_stacks_close. */

static bool holds(const struct vms_stacks *stacks, const void *address)
{
	return (uintptr_t)address >= stacks->mapping.start &&
		(uintptr_t)address < stacks->mapping.end;
}

static bool is_in_use(const struct vms_stacks *stacks)
{
	stack_t signals = { .ss_flags = SS_DISABLE };

	return holds(stacks, __builtin_frame_address(0)) ||
		(vmsi_host.signal_stack(NULL, &signals) == 0 &&
		 !(signals.ss_flags & SS_DISABLE) &&
		 holds(stacks, signals.ss_sp));
}

/* A host that refuses may have unmapped it all the same. */
static int unmap(struct vms_stacks *stacks)
{
	if (stacks->own_space)
		return vms_space_close(stacks->space);
	if (vms_munmap(stacks->space, (void *)stacks->mapping.start,
		       vmsi_range_length(stacks->mapping)) == 0 ||
	    !vmsi_is_mapped(stacks->space, stacks->mapping))
		return 0;
	return -1;
}

int vms_stacks_close(vms_stacks *stacks)
{
	const int earlier = errno;

	if (!stacks)
		return 0;
	if (is_in_use(stacks))
		return vmsi_status(-EBUSY);
#ifdef VMSI_DEBUG
	vmsi_list_check(stacks);
#endif
	/* The addresses may be another pool's as soon as they are unmapped. */
	vmsi_stacks_hide(stacks);
	if (unmap(stacks) != 0) {
		vmsi_stacks_show(stacks);
		return -1;
	}
	vmsi_space_tell_no_more(&stacks->sign);
	vmsi_stacks_unregister(stacks);
	vmsi_records_put(NULL, stacks, stacks->record_bytes);
	errno = earlier;
	return 0;
}
