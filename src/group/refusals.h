/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_REFUSALS_H
#define VMSI_GROUP_REFUSALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vmspace/group.h>

#include "group/stack.h"

struct vmsi_process;
struct vmsi_request;

/*
 * Refusals for want of memory that are not told yet: an allocator may give back
 * what it retains and ask again, and its program then never sees the refusal.
 */

/* A malloc tries three calls before it says no: enough for twenty threads. */
#define VMSI_HELD_MOST 64u

struct vmsi_held_refusal {
	struct vms_group_refusal refusal;
	struct vmsi_stack stack;
	uintptr_t data_end;            /* of brk */
	uint64_t tell_at;              /* the clock */
	enum {
		VMSI_HELD_WAITS,
		VMSI_HELD_STANDS,      /* and those before it are told first */
		VMSI_HELD_GRANTED,     /* when it was asked for again */
	} state;
};

/* In the order of time. */
struct vmsi_held_refusals {
	struct vmsi_held_refusal list[VMSI_HELD_MOST];
	size_t count;
};

/* A refusal is to be told, or not. The stack is taken over. */
void vmsi_refusals_hold(struct vms_group *group,
			const struct vms_group_refusal *refusal,
			const struct vmsi_request *request,
			struct vmsi_stack *stack);

/* A thread is let have a request; one that it repeats did not fail. */
void vmsi_refusals_granted(struct vms_group *group, pid_t thread,
			   const struct vmsi_request *request);

/* Tell those of a process (of all: 0), which will not ask again. */
void vmsi_refusals_end(struct vms_group *group, pid_t process);

/* Tell those for which nobody has asked again for some time. */
void vmsi_refusals_tell_due(struct vms_group *group);

/* Nobody was served for some time, ns: who asks again had to wait. */
void vmsi_refusals_postpone(struct vms_group *group, uint64_t time);

/* Milliseconds, of wait at most, until one is due. */
int vmsi_refusals_wait(const struct vms_group *group, int wait);

#endif
