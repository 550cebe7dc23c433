/* SPDX-License-Identifier: MIT */
#include "group/refusals.h"

#include <string.h>

#include "group/state.h"

/* An allocator that asks again does so at once, when it has given back. */
#define HOLD_NS (200ull * 1000 * 1000)

/* It was counted when it was made, as if it stood. */
static void take_back(struct vms_group *group, struct vmsi_held_refusal *held)
{
	struct vmsi_process *process =
		vmsi_process_find(group, held->refusal.process);

	held->state = VMSI_HELD_GRANTED;
	group->granted_again++;
	group->refusals--;
	if (process)
		process->refusals--;
}

static void tell(struct vms_group *group, struct vmsi_held_refusal *held)
{
	held->refusal.stack = held->stack.text;
	held->refusal.why_no_stack = held->stack.why;
	if (held->state == VMSI_HELD_STANDS && group->options.on_refusal)
		group->options.on_refusal(group->options.context, group,
					  &held->refusal);
	vmsi_stack_free(&held->stack);
}

/* Those that wait keep back what came after them: the order is that of time. */
static void tell_decided(struct vms_group *group)
{
	struct vmsi_held_refusals *all = &group->held;
	size_t told = 0;

	while (told < all->count && all->list[told].state != VMSI_HELD_WAITS)
		tell(group, &all->list[told++]);
	all->count -= told;
	memmove(all->list, all->list + told, all->count * sizeof *all->list);
}

static bool waits_of(const struct vmsi_held_refusal *held, pid_t thread)
{
	return held->state == VMSI_HELD_WAITS && held->refusal.thread == thread;
}

static bool is_repeated(const struct vmsi_held_refusal *held,
			const struct vmsi_request *request)
{
	if (held->refusal.call != request->call)
		return false;
	switch (request->call) {
	case VMS_GROUP_FORK:
		/* It copies less when something was given back. */
		return true;
	case VMS_GROUP_BRK:
		return held->data_end == request->data_end;
	default:
		return held->refusal.requested == request->bytes;
	}
}

/* The first that a thread repeats; the count where it repeats none. */
static size_t find_repeated(const struct vmsi_held_refusals *all, pid_t thread,
			    const struct vmsi_request *request)
{
	size_t i = 0;

	while (i < all->count && !(waits_of(&all->list[i], thread) &&
				   is_repeated(&all->list[i], request)))
		i++;
	return i;
}

/*
 * What a malloc tries in place of a refused call, before it says that there is
 * no memory: brk or another mmap, for about as much.
 */
static bool is_in_place_of(const struct vmsi_held_refusal *held,
			   const struct vms_group_refusal *first)
{
	return (first->call == VMS_GROUP_MMAP || first->call == VMS_GROUP_BRK ||
		first->call == VMS_GROUP_MREMAP) &&
		(held->refusal.call == VMS_GROUP_MMAP ||
		 held->refusal.call == VMS_GROUP_BRK) &&
		held->refusal.requested >= first->requested / 2;
}

static void stand(struct vms_group *group, pid_t thread)
{
	for (size_t i = 0; i < group->held.count; i++)
		if (waits_of(&group->held.list[i], thread))
			group->held.list[i].state = VMSI_HELD_STANDS;
}

void vmsi_refusals_hold(struct vms_group *group,
			const struct vms_group_refusal *refusal,
			const struct vmsi_request *request,
			struct vmsi_stack *stack)
{
	struct vmsi_held_refusals *all = &group->held;

	/* What was asked again, and refused again, has failed. */
	if (find_repeated(all, refusal->thread, request) < all->count)
		stand(group, refusal->thread);
	if (all->count == VMSI_HELD_MOST)
		all->list[0].state = VMSI_HELD_STANDS;
	tell_decided(group);
	all->list[all->count++] = (struct vmsi_held_refusal){
		.refusal = *refusal, .stack = *stack,
		.data_end = request->data_end,
		.tell_at = vmsi_group_now() + HOLD_NS,
		.state = VMSI_HELD_WAITS,
	};
}

void vmsi_refusals_granted(struct vms_group *group, pid_t thread,
			   const struct vmsi_request *request)
{
	struct vmsi_held_refusals *all = &group->held;
	size_t first = find_repeated(all, thread, request);

	if (all->count == 0 || (first == all->count && request->bytes == 0))
		return;
	/* Whatever was refused before is not what it asks for now. */
	for (size_t i = 0; i < all->count; i++) {
		struct vmsi_held_refusal *held = &all->list[i];

		if (!waits_of(held, thread))
			continue;
		if (i == first ||
		    (i > first &&
		     is_in_place_of(held, &all->list[first].refusal))) {
			take_back(group, held);
		} else if (first < all->count ||
			   held->refusal.call == request->call) {
			held->state = VMSI_HELD_STANDS;
		}
	}
	tell_decided(group);
}

void vmsi_refusals_end(struct vms_group *group, pid_t process)
{
	for (size_t i = 0; i < group->held.count; i++) {
		struct vmsi_held_refusal *held = &group->held.list[i];

		if (held->state == VMSI_HELD_WAITS &&
		    (process == 0 || held->refusal.process == process))
			held->state = VMSI_HELD_STANDS;
	}
	tell_decided(group);
}

void vmsi_refusals_tell_due(struct vms_group *group)
{
	uint64_t now;

	if (group->held.count == 0)
		return;
	now = vmsi_group_now();
	for (size_t i = 0; i < group->held.count &&
	     group->held.list[i].tell_at <= now; i++)
		if (group->held.list[i].state == VMSI_HELD_WAITS)
			group->held.list[i].state = VMSI_HELD_STANDS;
	tell_decided(group);
}

void vmsi_refusals_postpone(struct vms_group *group, uint64_t time)
{
	for (size_t i = 0; i < group->held.count; i++)
		group->held.list[i].tell_at += time;
}

int vmsi_refusals_wait(const struct vms_group *group, int wait)
{
	int until_due;

	if (group->held.count == 0)
		return wait;
	until_due = vmsi_group_ms_until(group->held.list[0].tell_at, wait);
	return until_due ? until_due : wait > 0;
}
