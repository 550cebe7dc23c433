/* SPDX-License-Identifier: MIT */
#include "group/decide/request.h"

#include <errno.h>

#include "base/align.h"
#include "group/measure/shared.h"
#include "group/refresh/counter.h"
#include "group/refresh/granted.h"
#include "group/refresh/looks.h"
#include "group/refresh/members.h"

/*
 * A request is refused only when the kernel's own figures say that it does not
 * fit: the account may be too high, because nobody tells the supervisor what a
 * program gives back.
 */

/* A part of the limit that does not matter in a report. */
#define TRIFLES 64

/* What the call of a request adds to the account when the kernel makes it. */
static struct vmsi_effect effect_of(struct vms_group *group,
				    struct vmsi_process *process, pid_t thread,
				    const struct vmsi_request *request)
{
	struct vmsi_effect effect = { .kind = VMSI_EFFECT_OWN,
		.thread = thread, .bytes = request->bytes,
		.moved = request->moved };

	if (request->call == VMS_GROUP_FORK) {
		effect.kind = VMSI_EFFECT_CHILD;
	} else if (request->shared) {
		effect.kind = VMSI_EFFECT_OBJECT;
		effect.stays = request->file.end != 0;
		effect.replaced = request->replaced;
		effect.replaced_of = request->replaced ?
			&vmsi_counter_update(group, process)->account : NULL;
	}
	return effect;
}

static struct vmsi_account_process *copiers_of(struct vms_group *group,
					       struct vmsi_process *process,
					       const struct vmsi_effect *effect)
{
	return effect->kind == VMSI_EFFECT_OWN ?
		vmsi_members_forking(group, process) : NULL;
}

/* --- does it fit? --------------------------------------------------------- */

/*
 * A look may find that a stack has grown, that the heap ends lower than it did,
 * or that a part of a file does not count any more. A request for a fork, a brk
 * or a file is for another number of bytes then.
 */
static void update_bytes(struct vms_group *group, struct vmsi_process *process,
			 struct vmsi_request *request)
{
	if (request->call == VMS_GROUP_FORK)
		request->bytes = vmsi_counter_copy(group, process);
	if (request->call == VMS_GROUP_BRK)
		request->bytes = vmsi_request_heap_growth(request);
	vmsi_request_update_file(group, request);
}

/*
 * Returns whether a request fits by the account as it is, and what it would cost.
 */
static bool try(struct vms_group *group, struct vmsi_process *process,
		const struct vmsi_request *request, size_t *cost)
{
	const struct vmsi_effect effect =
		effect_of(group, process, 0, request);
	const struct vmsi_account_process *copiers =
		copiers_of(group, process, &effect);

	*cost = vmsi_account_cost(&effect, copiers);
	return vmsi_account_allows(&group->account, &effect, copiers);
}

/*
 * Look at processes until the sum is low enough for what the request cost before
 * the looks. Returns whether it fits with what it costs after them.
 */
static bool lower_to_fit(struct vms_group *group, struct vmsi_process *process,
		      pid_t thread, struct vmsi_request *request, size_t cost)
{
	if (cost > group->account.limit)
		return false;
	vmsi_look_to_lower(group, process, thread,
			   vmsi_account_below_limit(&group->account, cost));
	update_bytes(group, process, request);
	return try(group, process, request, &cost);
}

/*
 * Look at everything, when all that was granted before has been made. Then count
 * what the kernel would really charge for the request, and set its bytes to it.
 */
static bool make_sure(struct vms_group *group, struct vmsi_process *process,
		      pid_t thread, struct vmsi_request *request)
{
	size_t cost;

	vmsi_granted_wait(group);
	vmsi_look_at_all_for_peak(group);
	update_bytes(group, process, request);
	if (try(group, process, request, &cost))
		return true;
	vmsi_request_net(group, process, thread, request);
	return try(group, process, request, &cost);
}

/*
 * Whether a request cannot fit, by figures that cost little. What the account has beyond
 * them may have been given back: where that is more than a trifle, a look is made, so
 * that a report tells what is really in use. What they show is there, and so makes a peak.
 */
static bool is_beyond_floor(struct vms_group *group,
			    const struct vmsi_request *request)
{
	const size_t limit = group->account.limit;
	const size_t committed = vmsi_account_committed(&group->account);
	const size_t trifle = limit / TRIFLES;
	size_t floor;

	if (group->account.policy != VMS_COMMIT_STRICT ||
	    !group->counts_noreserve || !request->is_plain)
		return false;
	floor = vmsi_look_at_floor(group);
	if (floor + trifle < committed ||
	    (floor <= limit && request->bytes <= limit - floor))
		return false;
	vmsi_account_raise_peak_to(&group->account, vmsi_min(floor, committed));
	return true;
}

/* Look at as much as it takes for the request to fit. Returns whether it does. */
static bool look_until_it_fits(struct vms_group *group, struct vmsi_process *process,
		      pid_t thread, struct vmsi_request *request)
{
	size_t cost;

	if (try(group, process, request, &cost))
		return true;
	request->is_quick = is_beyond_floor(group, request);
	if (request->is_quick)
		return false;
	if (group->account.policy == VMS_COMMIT_STRICT)
		return lower_to_fit(group, process, thread, request, cost) ||
			make_sure(group, process, thread, request);
	/*
	 * A single call is compared with the whole limit: the sum is no matter.
	 */
	vmsi_look(group, process, thread);
	update_bytes(group, process, request);
	vmsi_request_net(group, process, thread, request);
	return try(group, process, request, &cost);
}

/* --- granting ------------------------------------------------------------- */

/* A child's heap ends where its parent's does, so the notes of a fork say where. */
static struct vmsi_call_notes notes_of(struct vms_group *group,
				       struct vmsi_process *process,
				       const struct vmsi_request *request,
				       size_t copied)
{
	struct vmsi_call_notes notes =
		vmsi_granted_notes(request->number, copied);

	if (request->call == VMS_GROUP_FORK)
		notes.breaks = vmsi_counter_update(group, process)->breaks;
	return notes;
}

/* Returns 0 or -errno as vmsi_account_grant. */
static int charge(struct vms_group *group, struct vmsi_process *process,
		  pid_t thread, const struct vmsi_request *request,
		  bool is_looked_at, bool may_reach_mark)
{
	struct vmsi_effect effect = effect_of(group, process, thread, request);
	int error;

	effect.is_looked_at = is_looked_at || may_reach_mark;
	effect.may_reach_mark = may_reach_mark;
	effect.notes = notes_of(group, process, request,
				effect.kind == VMSI_EFFECT_CHILD ?
				request->bytes : 0);
	error = vmsi_account_grant(&group->account, &process->account, &effect,
				   copiers_of(group, process, &effect));
	if (error)
		return error;
	if (request->file.end)
		vmsi_memory_files_count(&group->shared->files, &request->file);
	if (request->call == VMS_GROUP_SHMGET)
		group->shared->made_segments = true;
	if (request->call == VMS_GROUP_BRK)
		request->heap->data_end = request->data_end;
	return 0;
}

int vmsi_request_grant(struct vms_group *group, struct vmsi_process *process,
		       pid_t thread, struct vmsi_request *request)
{
	bool is_looked_at, may_reach_mark;
	int error = -EDQUOT;

	if (!look_until_it_fits(group, process, thread, request))
		return -EDQUOT;
	is_looked_at = vmsi_look_for_peak(group, process, thread,
					  request->bytes);
	may_reach_mark = vmsi_look_for_marks(group, process, thread,
					     request->bytes);
	if (is_looked_at || may_reach_mark)
		update_bytes(group, process, request);
	/*
	 * charge asks which process counts a memory. That may look at a process
	 * which has left the memory, and raise the sum: if the request does not
	 * fit any more, charge returns -EDQUOT and has charged nothing. Each
	 * process leaves a memory once, so this loop ends.
	 */
	while (error == -EDQUOT &&
	       look_until_it_fits(group, process, thread, request))
		error = charge(group, process, thread, request, is_looked_at,
			       may_reach_mark);
	return error;
}

void vmsi_request_take_back(struct vms_group *group,
			    struct vmsi_process *process, pid_t thread,
			    const struct vmsi_request *request)
{
	vmsi_account_withdraw(&group->account, &process->account, thread);
	vmsi_marks_take_back(&group->account.marks);
	/*
	 * data_end was raised to what this brk asked for, and nothing tells where
	 * the heap ends without it: 0 has the next brk look.
	 */
	if (request->call == VMS_GROUP_BRK)
		request->heap->data_end = 0;
}

/* --- without a charge ----------------------------------------------------- */

/*
 * With VMS_GROUP_FORK_FREE a child has its copy as a credit, until it executes.
 */
static void note_free_fork(struct vms_group *group,
			   struct vmsi_process *process, pid_t thread,
			   const struct vmsi_request *request)
{
	struct vmsi_effect fork = {
		.kind = VMSI_EFFECT_CHILD, .thread = thread };

	vmsi_look(group, process, thread);
	fork.credit = vmsi_counter_copy(group, process) +
		process->account.credit;
	fork.credit -= process->not_copied < fork.credit ?
		process->not_copied : fork.credit;
	fork.notes = notes_of(group, process, request, fork.credit);
	/* Without memory for the note the child has no credit, and is charged. */
	(void)vmsi_account_note(&group->account, &process->account, &fork);
}

/*
 * While mremap moves memory, figures may show it in neither place, so the note
 * has the bytes that are moved. And a note of a file keeps what counts of it, as
 * long as nobody knows whether the call has mapped it.
 */
void vmsi_request_note_free(struct vms_group *group,
			    struct vmsi_process *process, pid_t thread,
			    const struct vmsi_request *request)
{
	const struct vmsi_effect effect = {
		.kind = request->moved ? VMSI_EFFECT_OWN : VMSI_EFFECT_OBJECT,
		.thread = thread, .moved = request->moved,
		.notes = vmsi_granted_notes(request->number, 0),
	};

	if (request->call == VMS_GROUP_FORK)
		note_free_fork(group, process, thread, request);
	/* Without memory for the note, figures are too low for an instant. */
	if (request->moved || request->file.end)
		(void)vmsi_account_note(&group->account, &process->account,
					&effect);
}
