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

/* What every public call does on its way in and out. */

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
 * The invariants are checked after every call while the map has at most so many
 * mappings. Beyond, they are checked so seldom that a call costs about the
 * same.
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
 * Where the host has too little memory, heaps may have some to give back. They
 * are not asked where it has too many mappings, since giving memory back may
 * need more of them.
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
	case VMSI_BUDGET_MADE_ROOM:
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

bool vmsi_ask_for_room(struct vms_space *space, struct vmsi_attempts *attempts)
{
	if (space->budget && ask_budget(space, attempts))
		return true;
	return ask_heaps(attempts);
}
