/* SPDX-License-Identifier: MIT */
#include <vmspace/stacks.h>
#include <vmspace/stat.h>

#include "base/versioned.h"
#include "host/host.h"
#include "space/inside.h"
#include "stacks/stacks.h"

/* vms_stacks_get_stats. */

static size_t count_taken(struct vms_stacks *stacks)
{
	const size_t made = atomic_load(&stacks->made);
	size_t taken = 0;

	for (size_t i = 0; i < made; i++) {
		const enum slot_state state =
			vmsi_slot_state(atomic_load(&stacks->slots[i].state));

		taken += state == SLOT_TAKEN || state == SLOT_GIVING;
	}
	return taken;
}

static enum vms_shadow_stacks shadow_stacks(void)
{
	switch (vmsi_host_shadow_stack()) {
	case VMSI_SHADOW_STACK_ON:
		return VMS_SHADOW_STACKS_ON;
	case VMSI_SHADOW_STACK_OFF:
		return VMS_SHADOW_STACKS_OFF;
	default:
		return VMS_SHADOW_STACKS_NONE;
	}
}

int vms_stacks_get_stats(vms_stacks *stacks, struct vms_stacks_stats *stats)
{
	struct vms_stacks_stats known = { 0 };
	int error = stacks && stats ?
		vmsi_check_struct_size(stats->struct_size,
				       VMSI_FIRST_STACKS_STATS) : -EINVAL;

	if (error)
		return vmsi_status(error);
	known.count = stacks->count;
	known.guard_mappings = atomic_load(&stacks->guard_mappings);
	known.made = atomic_load(&stacks->made);
	known.taken = count_taken(stacks);
	known.stack_size = stacks->size;
	known.guard_size = stacks->guard;
	known.pitch = stacks->pitch;
	known.reserved = vmsi_range_length(stacks->mapping);
	known.committed =
		(known.made - known.guard_mappings) * stacks->pitch +
		known.guard_mappings * stacks->size;
	known.metadata = stacks->record_bytes;
	known.collected = atomic_load(&stacks->collected);
	known.shadow_stacks = shadow_stacks();
	vmsi_give_figures(stats, &known, sizeof(known));
	return 0;
}

/* Of a space that the pool has for itself all is told. */
int vms_stat_stacks(vms_stacks *stacks, unsigned flags, struct vms_stat *stat)
{
	struct vms_stacks_stats stats = { .struct_size = sizeof(stats) };
	struct vms_stat known = { .known = VMS_STAT_RESERVED | VMS_STAT_COMMITTED };
	int error = vmsi_stat_check(stacks, flags, stat);

	if (!error && stacks->own_space)
		error = vmsi_stat_of_space(stacks->space, flags, &known);
	else if (!error)
		error = vmsi_stat_pages(stacks->space, stacks->mapping, flags, &known);
	if (!error && !stacks->own_space) {
		(void)vms_stacks_get_stats(stacks, &stats);
		known.reserved = stats.reserved;
		known.committed = stats.committed;
	}
	return vmsi_stat_give(error, &known, stat);
}
