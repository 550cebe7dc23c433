/* SPDX-License-Identifier: MIT */
#include "base/panic.h"
#include "base/reclaim.h"
#include "space/state.h"

/* What every public call does on its way in and out. */

/*
 * In a library that is preloaded, thread-local storage of the general model
 * can call malloc at its first use; this model cannot.
 */
static _Thread_local struct {
	enum vms_refusal current; /* of the call that is running */
	enum vms_refusal last;    /* of the latest that failed with ENOMEM */
	unsigned since;           /* vmsi_reclaim_moment when it began */
} refusal __attribute__((tls_model("initial-exec")));

int vmsi_enter(struct vms_space *space)
{
	if (!space)
		return -EINVAL;
	refusal.current = VMS_REFUSAL_NONE;
	refusal.since = vmsi_reclaim_moment();
	if (space->budget)
		vmsi_budget_begin();
	vmsi_fork_notice(space);
	vmsi_lock_acquire(&space->lock);
	if (space->unsettled_count)
		vmsi_recover(space);
	if (space->stacks)
		vmsi_stacks_refresh(space);
	return 0;
}

#ifdef VMSI_DEBUG
/*
 * After every call while the map is small; beyond, as often as keeps the cost
 * a call about the same.
 */
#define CHECKED_ALWAYS 1024

static void check_invariants(struct vms_space *space)
{
	const char *wrong;

	if (++space->unchecked < space->map.count / CHECKED_ALWAYS)
		return;
	space->unchecked = 0;
	wrong = vmsi_space_check(space);
	if (wrong)
		vmsi_panic(wrong);
}
#endif

void vmsi_leave(struct vms_space *space)
{
	if (space->stacks)
		vmsi_stacks_update(space);
	vmsi_limits_note(space, space->map.mapped - vmsi_unheld_bytes(space));
#ifdef VMSI_DEBUG
	check_invariants(space);
#endif
	vmsi_lock_release(&space->lock);
}

static void fail(int error)
{
	if (error == -ENOMEM)
		refusal.last = refusal.current == VMS_REFUSAL_NONE ?
			VMS_REFUSAL_HOST : refusal.current;
	errno = -error;
}

int vmsi_status(int error)
{
	if (error == 0)
		return 0;
	fail(error);
	return -1;
}

void *vmsi_address_or_failed(long result)
{
	if (result >= 0 || result < -4095)
		return (void *)result;
	fail((int)result);
	return MAP_FAILED;
}

int vmsi_refuse(enum vms_refusal reason)
{
	refusal.current = reason;
	return -ENOMEM;
}

int vmsi_refuse_charge(int error)
{
	return vmsi_refuse(error == -EDQUOT ? VMS_REFUSAL_BUDGET :
					      VMS_REFUSAL_COMMIT);
}

enum vms_refusal vmsi_reason(void)
{
	return refusal.current;
}

/*
 * Where the host has too little memory, heaps may have some to give back. Not
 * where it has too few mappings: to give memory back may need more of them.
 */
static bool ask_heaps(struct vmsi_attempts *attempts)
{
	const enum vms_refusal reason = refusal.current;
	bool given;

	if (attempts->all_heaps ||
	    (reason != VMS_REFUSAL_HOST && reason != VMS_REFUSAL_RECORDS))
		return false;
	attempts->all_heaps = true;
	given = vmsi_reclaim(NULL, refusal.since);
	/* It has made calls of its own. */
	refusal.current = reason;
	return given;
}

static bool ask_budget(struct vms_space *space, struct vmsi_attempts *attempts)
{
	switch (vmsi_budget_ask(attempts)) {
	case VMSI_BUDGET_DID_NOT_REFUSE:
		return false;
	case VMSI_BUDGET_MADE_ROOM:
		return true;
	case VMSI_BUDGET_REFUSES:
		break;
	}
	vmsi_lock_acquire(&space->lock);
	space->ledger.refusals++;
	vmsi_lock_release(&space->lock);
	/* The callback may have had others. */
	(void)vmsi_refuse(VMS_REFUSAL_BUDGET);
	return false;
}

struct vms_budget *vmsi_space_budget(const struct vms_space *space)
{
	return space->budget;
}

bool vmsi_ask_for_room(struct vms_space *space, struct vmsi_attempts *attempts)
{
	if (space->budget && ask_budget(space, attempts))
		return true;
	return ask_heaps(attempts);
}

int vmsi_refused_by_host(struct vms_space *space, long error)
{
	if (error == -ENOMEM && refusal.current == VMS_REFUSAL_NONE)
		return vmsi_refuse(vmsi_host_at_map_limit(space->limit_probe) ?
					   VMS_REFUSAL_MAP_COUNT :
					   VMS_REFUSAL_HOST);
	return (int)error;
}

int vmsi_refuse_records(struct vms_space *space)
{
	/* Records need mappings, too. */
	return vmsi_refuse(vmsi_host_at_map_limit(space->limit_probe) ?
				   VMS_REFUSAL_MAP_COUNT : VMS_REFUSAL_RECORDS);
}

enum vms_refusal vms_last_refusal(void)
{
	return refusal.last;
}

const char *vms_refusal_text(enum vms_refusal reason)
{
	switch (reason) {
	case VMS_REFUSAL_NONE:
		return "nothing was refused";
	case VMS_REFUSAL_HOST:
		return "the host refused (its overcommit policy or a resource limit)";
	case VMS_REFUSAL_COMMIT:
		return "the commit limit of the space would be passed";
	case VMS_REFUSAL_ADDRESSES:
		return "no such range of addresses is free in the space";
	case VMS_REFUSAL_MAP_COUNT:
		return "the process has as many mappings as vm.max_map_count allows (a hole between two mappings of a space counts as one)";
	case VMS_REFUSAL_RECORDS:
		return "no memory for the space's own records";
	case VMS_REFUSAL_UNMAPPED:
		return "part of the range is not mapped, or is blocked";
	case VMS_REFUSAL_BUDGET:
		return "the limit of the space's budget would be passed";
	case VMS_REFUSAL_OPEN:
		return "the process has no range of addresses of that size left for a new space, or may not have it (RLIMIT_AS)";
	}
	return "unknown";
}

bool vmsi_page_range(uintptr_t address, size_t length,
		     struct vmsi_range *range)
{
	uintptr_t rounded;

	range->start = address;
	return vmsi_align_up_checked(length, vmsi_page_size(), &rounded) &&
		vmsi_add(address, rounded, &range->end);
}
