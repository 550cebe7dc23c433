/* SPDX-License-Identifier: MIT */
#include "group/decide/faults.h"

#include "group/decide/request.h"

/* The state of the random numbers must not be 0. */
void vmsi_faults_init(struct vmsi_faults *faults,
		      const struct vms_group_faults *wanted)
{
	*faults = (struct vmsi_faults){
		.wanted = *wanted, .random = wanted->seed * 2 + 1 };
}

/* xorshift64*, from 0 to below 1: the same seed gives the same refusals. */
static double next_random(struct vmsi_faults *faults)
{
	uint64_t state = faults->random;

	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	faults->random = state;
	return (double)((state * 0x2545f4914f6cdd1dull) >> 11) /
		(double)(1ull << 53);
}

/*
 * Whether the request that was counted last is to be refused. Draws a random
 * number only where a probability decides.
 */
static bool choose(struct vmsi_faults *faults)
{
	const struct vms_group_faults *wanted = &faults->wanted;

	if (!wanted->nth && !wanted->from && wanted->probability <= 0)
		return wanted->minimum > 0;
	if (wanted->nth && faults->requests == wanted->nth)
		return true;
	if (wanted->from && faults->requests >= wanted->from)
		return true;
	return wanted->probability > 0 &&
		next_random(faults) < wanted->probability;
}

/* --- what is tried in place of a refused call ----------------------------- */

/*
 * What malloc calls after a refused mmap or mremap, in its order. Fork, which
 * malloc never calls, ends a list.
 */
static const enum vms_group_call instead_of_mmap[] = {
	VMS_GROUP_BRK, VMS_GROUP_MMAP, VMS_GROUP_FORK,
};
static const enum vms_group_call instead_of_mremap[] = {
	VMS_GROUP_MMAP, VMS_GROUP_BRK, VMS_GROUP_MMAP, VMS_GROUP_FORK,
};

static void expect_more(struct vmsi_faults *faults, pid_t thread,
			const struct vmsi_request *request)
{
	faults->thread = thread;
	faults->bytes = request->bytes;
	faults->instead =
		request->call == VMS_GROUP_MMAP ? instead_of_mmap :
		request->call == VMS_GROUP_BRK ? instead_of_mmap + 1 :
		request->call == VMS_GROUP_MREMAP ? instead_of_mremap : NULL;
}

/*
 * Whether a request is the next call of the list instead, by the same thread and
 * for at least half as much, since a heap that grows has a part of the memory
 * already. If not, the list is given up.
 */
static bool take_instead(struct vmsi_faults *faults,
		       const struct vmsi_process *process, pid_t thread,
		       const struct vmsi_request *request)
{
	const enum vms_group_call *instead = faults->instead;

	if (!instead || faults->thread != thread)
		return false;
	/* In other threads than the first malloc tries brk and mmap in another order. */
	while (thread != process->pid && *instead != VMS_GROUP_FORK &&
	       *instead != request->call)
		instead++;
	if (*instead != request->call ||
	    request->bytes < faults->bytes / 2) {
		faults->instead = NULL;
		return false;
	}
	faults->instead = instead + 1;
	return true;
}

/* --- the loader ----------------------------------------------------------- */

/*
 * Whether the code that asks is the dynamic loader's. The first request of other
 * code shows that the program runs: from then on nothing is the loader's.
 */
static bool check_loading(struct vmsi_process *process, uintptr_t code)
{
	if (code >= process->loader_start && code < process->loader_end)
		return true;
	process->loader_start = process->loader_end = 0;
	return false;
}

bool vmsi_faults_count(struct vmsi_faults *faults, struct vmsi_process *process,
		       pid_t thread, uintptr_t code,
		       const struct vmsi_request *request)
{
	if (check_loading(process, code) &&
	    !(faults->wanted.flags & VMS_GROUP_FAIL_LOADER))
		return false;
	if (take_instead(faults, process, thread, request))
		return true;
	if (request->bytes < faults->wanted.minimum)
		return false;
	faults->requests++;
	if (!choose(faults))
		return false;
	expect_more(faults, thread, request);
	return true;
}
