/* SPDX-License-Identifier: MIT */
#include "group/state.h"

/* Requests that are refused on demand. */

/* xorshift64*: the same seed, the same refusals. */
static double next_chance(struct vms_group *group)
{
	uint64_t state = group->chance;

	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	group->chance = state;
	return (double)((state * 0x2545f4914f6cdd1dull) >> 11) /
		(double)(1ull << 53);
}

static bool is_chosen(struct vms_group *group)
{
	const struct vms_group_faults *faults = &group->options.faults;

	if (!faults->nth && !faults->from && faults->probability <= 0)
		return faults->minimum > 0;
	if (faults->nth && group->requests == faults->nth)
		return true;
	if (faults->from && group->requests >= faults->from)
		return true;
	return faults->probability > 0 &&
		next_chance(group) < faults->probability;
}

/* --- what is tried in place of a refused call ------------------------------ */

/* Lists end with a call that no malloc makes. */
static const enum vms_group_call instead_of_mmap[] = {
	VMS_GROUP_BRK, VMS_GROUP_MMAP, VMS_GROUP_FORK,
};
static const enum vms_group_call instead_of_mremap[] = {
	VMS_GROUP_MMAP, VMS_GROUP_BRK, VMS_GROUP_MMAP, VMS_GROUP_FORK,
};

static void expect_more(struct vms_group *group, pid_t thread,
			const struct vmsi_request *request)
{
	group->refused.thread = thread;
	group->refused.bytes = request->bytes;
	group->refused.instead =
		request->call == VMS_GROUP_MMAP ? instead_of_mmap :
		request->call == VMS_GROUP_BRK ? instead_of_mmap + 1 :
		request->call == VMS_GROUP_MREMAP ? instead_of_mremap : NULL;
}

/*
 * The next request of the same thread, in the usual order, for about as much:
 * a heap that grows has some of it already.
 */
static bool is_instead(struct vms_group *group,
		       const struct vmsi_process *process, pid_t thread,
		       const struct vmsi_request *request)
{
	const enum vms_group_call *instead = group->refused.instead;

	if (!instead || group->refused.thread != thread)
		return false;
	/* Other threads have arenas of their own, and try these before. */
	while (thread != process->pid && *instead != VMS_GROUP_FORK &&
	       *instead != request->call)
		instead++;
	if (*instead != request->call ||
	    request->bytes < group->refused.bytes / 2) {
		group->refused.instead = NULL;
		return false;
	}
	group->refused.instead = instead + 1;
	return true;
}

/* --- the loader -------------------------------------------------------------- */

/* Until something else of the program asks for the first time. */
static bool is_loading(struct vmsi_process *process, uintptr_t instruction)
{
	if (instruction >= process->loader_start &&
	    instruction < process->loader_end)
		return true;
	process->loader_start = process->loader_end = 0;
	return false;
}

bool vmsi_faults_hit(struct vms_group *group, struct vmsi_process *process,
		     const struct seccomp_notif *call,
		     const struct vmsi_request *request)
{
	const struct vms_group_faults *faults = &group->options.faults;
	const pid_t thread = (pid_t)call->pid;

	if (is_loading(process, (uintptr_t)call->data.instruction_pointer) &&
	    !(faults->flags & VMS_GROUP_FAIL_LOADER))
		return false;
	if (is_instead(group, process, thread, request))
		return true;
	if (request->bytes < faults->minimum)
		return false;
	group->requests++;
	if (!is_chosen(group))
		return false;
	expect_more(group, thread, request);
	return true;
}
