/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/panic.h"
#include "base/reclaim.h"
#include "space/entry.h"
#include "space/fork.h"
#include "space/inside.h"
#include "space/refusal.h"
#include "space/reservation.h"
#include "space/space.h"

/* What every public call on a space does first and last. */

int vmsi_enter(struct vms_space *space)
{
	if (!space)
		return -EINVAL;
	vmsi_refusal_begin();
	if (space->budget)
		vmsi_budget_begin();
	vmsi_fork_notice(space);
	vmsi_lock_acquire(&space->lock);
	if (space->stacks.first)
		vmsi_stacks_refresh(space);
	if (space->uncovered.count)
		vmsi_recover(space);
	return 0;
}

#ifdef VMSI_DEBUG
/*
 * A map of up to so many mappings is checked after every call. A larger one is
 * checked less often, so that a call costs about the same on average.
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
	if (space->stacks.first)
		vmsi_stacks_update(space);
	vmsi_limits_note(space, space->map.mapped -
				vmsi_uncovered_count(space).bytes);
#ifdef VMSI_DEBUG
	check_invariants(space);
#endif
	vmsi_lock_release(&space->lock);
}

/*
 * Ask heaps for memory if the host has too little. They are not asked if it has
 * too many mappings, since to give memory back may need more of them.
 */
static bool ask_heaps(struct vmsi_attempts *attempts)
{
	const enum vms_refusal reason = vmsi_reason();
	bool given;

	if (attempts->all_heaps ||
	    (reason != VMS_REFUSAL_HOST && reason != VMS_REFUSAL_RECORDS))
		return false;
	attempts->all_heaps = true;
	given = vmsi_reclaim(NULL, vmsi_refusal_since());
	/* Heaps have called spaces meanwhile, which changed the reason. */
	(void)vmsi_refuse(reason);
	return given;
}

static bool ask_budget(struct vms_space *space, struct vmsi_attempts *attempts)
{
	switch (vmsi_budget_ask(attempts)) {
	case VMSI_BUDGET_DID_NOT_REFUSE:
		return false;
	case VMSI_BUDGET_TRY_AGAIN:
		return true;
	case VMSI_BUDGET_REFUSES:
		break;
	}
	vmsi_lock_acquire(&space->lock);
	space->ledger.refusals++;
	vmsi_lock_release(&space->lock);
	/* The callback may have called spaces, which changed the reason. */
	(void)vmsi_refuse(VMS_REFUSAL_BUDGET);
	return false;
}

struct vms_budget *vmsi_space_budget(const struct vms_space *space)
{
	return space->budget;
}

bool vmsi_ask_to_give_back(struct vms_space *space,
			   struct vmsi_attempts *attempts)
{
	if (space->budget && ask_budget(space, attempts))
		return true;
	return ask_heaps(attempts);
}
