/* SPDX-License-Identifier: MIT */
#include "group/serve/refusals.h"

#include <string.h>

#include "group/clock.h"
#include "group/decide/request.h"
#include "group/serve/service.h"

/* How long a refusal is held: allocators give memory back and ask again at once. */
#define HOLD_NS (200ull * 1000 * 1000)

/* Take a refusal out of the figures, in which it was counted when it was held. */
static void uncount(struct vms_group *group, struct vmsi_held_refusal *held)
{
	struct vmsi_refusals *all = &group->service->refusals;
	struct vmsi_process *process =
		vmsi_process_find(group, held->refusal.process);

	held->state = VMSI_HELD_GRANTED;
	all->granted_again++;
	all->count--;
	all->unaccounted -= held->refusal.unaccounted;
	if (process)
		process->refusals--;
}

void vmsi_refusals_tell(struct vms_group *group,
			struct vms_group_refusal *refusal,
			struct vmsi_backtrace *backtrace)
{
	const struct vmsi_refusals *all = &group->service->refusals;

	refusal->backtrace = NULL;
	if (backtrace->stack)
		refusal->backtrace = vmsi_seen_text(backtrace->stack,
						    &backtrace->why);
	refusal->why_no_backtrace = backtrace->why;
	if (all->on_refusal)
		all->on_refusal(all->context, group, refusal);
}

/* Whether those whose stack has no names yet are told, too, when it has them. */
enum tell { TELL_NAMED, TELL_ALL };

static bool may_tell(const struct vmsi_held_refusal *held, enum tell which)
{
	return held->state == VMSI_HELD_GRANTED ||
		(held->state == VMSI_HELD_STANDS &&
		 (which == TELL_ALL || !held->backtrace.stack ||
		  vmsi_seen_is_named(held->backtrace.stack)));
}

/*
 * Refusals are told in the order of time, so one that waits holds up those
 * after it.
 */
static void tell_decided(struct vms_group *group, enum tell which)
{
	struct vmsi_refusals *all = &group->service->refusals;
	size_t told = 0;

	while (told < all->held_count && may_tell(&all->held[told], which)) {
		struct vmsi_held_refusal *held = &all->held[told++];

		if (held->state == VMSI_HELD_STANDS)
			vmsi_refusals_tell(group, &held->refusal,
					   &held->backtrace);
		vmsi_backtrace_free(&held->backtrace);
	}
	all->held_count -= told;
	memmove(all->held, all->held + told,
		all->held_count * sizeof *all->held);
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
	/* The same fork asks for less once the process has given memory back. */
		return true;
	case VMS_GROUP_BRK:
		return held->data_end == request->data_end;
	default:
		return held->refusal.requested == request->bytes;
	}
}

/* The place of the first refusal that a request repeats; held_count: none. */
static size_t find_repeated(const struct vmsi_refusals *all, pid_t thread,
			    const struct vmsi_request *request)
{
	size_t i = 0;

	while (i < all->held_count && !(waits_of(&all->held[i], thread) &&
					is_repeated(&all->held[i], request)))
		i++;
	return i;
}

/*
 * Whether a refusal is of a call that malloc made in place of the first one:
 * malloc asks for about as much by brk or another mmap, before it returns NULL.
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

/* What a thread was refused and did not get afterwards has failed: it is told. */
static void stand(struct vmsi_refusals *all, pid_t thread)
{
	for (size_t i = 0; i < all->held_count; i++)
		if (waits_of(&all->held[i], thread))
			all->held[i].state = VMSI_HELD_STANDS;
}

void vmsi_refusals_hold(struct vms_group *group,
			const struct vms_group_refusal *refusal,
			const struct vmsi_request *request,
			const struct vmsi_backtrace *backtrace)
{
	struct vmsi_refusals *all = &group->service->refusals;

	if (find_repeated(all, refusal->thread, request) < all->held_count)
		stand(all, refusal->thread);
	if (all->held_count == VMSI_HELD_MOST)
		all->held[0].state = VMSI_HELD_STANDS;
	tell_decided(group, all->held_count == VMSI_HELD_MOST ?
				TELL_ALL : TELL_NAMED);
	all->held[all->held_count++] = (struct vmsi_held_refusal){
		.refusal = *refusal, .backtrace = *backtrace,
		.data_end = request->data_end,
		.tell_at = vmsi_now() + HOLD_NS,
		.state = VMSI_HELD_WAITS,
	};
}

void vmsi_refusals_granted(struct vms_group *group, pid_t thread,
			   const struct vmsi_request *request)
{
	struct vmsi_refusals *all = &group->service->refusals;
	const size_t first = find_repeated(all, thread, request);

	if (all->held_count == 0 ||
	    (first == all->held_count && request->bytes == 0))
		return;
	/*
	 * A thread that goes on to another request, or to another size by the
	 * same call, has given up what it was refused.
	 */
	for (size_t i = 0; i < all->held_count; i++) {
		struct vmsi_held_refusal *held = &all->held[i];

		if (!waits_of(held, thread))
			continue;
		if (i == first ||
		    (i > first &&
		     is_in_place_of(held, &all->held[first].refusal))) {
			uncount(group, held);
		} else if (first < all->held_count ||
			   held->refusal.call == request->call) {
			held->state = VMSI_HELD_STANDS;
		}
	}
	tell_decided(group, TELL_NAMED);
}

void vmsi_refusals_end(struct vms_group *group, pid_t process)
{
	struct vmsi_refusals *all = &group->service->refusals;

	for (size_t i = 0; i < all->held_count; i++) {
		struct vmsi_held_refusal *held = &all->held[i];

		if (held->state == VMSI_HELD_WAITS &&
		    (process == 0 || held->refusal.process == process))
			held->state = VMSI_HELD_STANDS;
	}
	tell_decided(group, process == 0 ? TELL_ALL : TELL_NAMED);
}

void vmsi_refusals_tell_due(struct vms_group *group)
{
	struct vmsi_refusals *all = &group->service->refusals;
	uint64_t now;

	if (all->held_count == 0)
		return;
	now = vmsi_now();
	for (size_t i = 0; i < all->held_count && all->held[i].tell_at <= now;
	     i++)
		if (all->held[i].state == VMSI_HELD_WAITS)
			all->held[i].state = VMSI_HELD_STANDS;
	tell_decided(group, TELL_NAMED);
}

void vmsi_refusals_postpone(struct vms_group *group, uint64_t time)
{
	struct vmsi_refusals *all = &group->service->refusals;

	for (size_t i = 0; i < all->held_count; i++)
		all->held[i].tell_at += time;
}

/* Rounded up: a wait of 0 ms would spin until the hold ends. */
int vmsi_refusals_wait(const struct vms_group *group, int wait)
{
	const struct vmsi_refusals *all = &group->service->refusals;
	int until_due;

	if (all->held_count == 0)
		return wait;
	until_due = vmsi_ms_until(all->held[0].tell_at, wait);
	return until_due ? until_due : wait > 0;
}
