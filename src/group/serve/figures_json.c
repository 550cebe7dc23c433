/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include <vmspace/group.h>

#include "base/versioned.h"
#include "text/json.h"

/* Figures as JSON: all members of the struct, in their order. */

#define MEMBER(member) \
	VMSI_MEMBER(struct vms_group_stats, member, VMSI_MEMBER_NUMBER)

static const struct vmsi_json_member rows[] = {
	MEMBER(limit),
	MEMBER(committed),
	MEMBER(committed_peak),
	MEMBER(shared),
	MEMBER(requests),
	MEMBER(calls),
	MEMBER(refusals),
	MEMBER(injected),
	MEMBER(looks),
	MEMBER(processes),
	MEMBER(interruptible),
	MEMBER(granted_again),
	MEMBER(unaccounted),
	MEMBER(highest_limit),
	MEMBER(age),
};

int vms_group_stats_to_json(const struct vms_group_stats *stats, char *buffer,
			    size_t size)
{
	const struct vmsi_json_members members = { rows, sizeof(rows) / sizeof(rows[0]) };
	const int error = stats && (buffer || !size) ?
		vmsi_check_struct_size(stats->struct_size, VMSI_FIRST_GROUP_STATS) :
		-EINVAL;

	if (!error)
		return vmsi_write_members(&members, stats, stats->struct_size, 0,
					  buffer, size);
	errno = -error;
	return -1;
}
