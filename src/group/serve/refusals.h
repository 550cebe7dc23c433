/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_SERVE_REFUSALS_H
#define VMSI_GROUP_SERVE_REFUSALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vmspace/group.h>

#include "group/serve/backtrace.h"

struct vmsi_process;
struct vmsi_request;

/*
 * A refusal is held back for a moment before the caller is told of it: an
 * allocator may give back what it retains and ask again, and its program then
 * never learns of the refusal.
 *
 *	hold --> WAITS -- the thread asks again, and gets it --> GRANTED
 *	           |      (end of the hold, of the process,        |
 *	           v       or another request in between)          v
 *	        STANDS --> told, after those before it          not told
 */
struct vmsi_held_refusal {
	struct vms_group_refusal refusal;
	struct vmsi_backtrace backtrace;
	uintptr_t data_end;            /* that a brk has asked for */
	uint64_t tell_at;              /* when the hold ends */
	enum {
		VMSI_HELD_WAITS,
		VMSI_HELD_STANDS,
		VMSI_HELD_GRANTED,
	} state;
};

/* malloc tries three calls before it says no: enough for twenty threads. */
#define VMSI_HELD_MOST 64u

/* Why a request is refused. */
enum vmsi_refused {
	VMSI_REFUSED_FULL,        /* it does not fit */
	VMSI_REFUSED_ON_DEMAND,   /* as vms_group_faults say */
	VMSI_REFUSED_UNACCOUNTED, /* the supervisor has no memory to note it */
};

struct vmsi_refusals {
	void (*on_refusal)(void *context, vms_group *group,
			   const struct vms_group_refusal *refusal);
	void *context;                 /* of on_refusal */
	uint64_t born;                 /* their times count from here on */
	uint64_t next_backtrace;       /* no thread is unwound before */
	uint64_t count;                /* without those granted again */
	uint64_t injected;             /* of count */
	uint64_t granted_again;
	uint64_t unaccounted;          /* not all of them in count */
	struct vmsi_held_refusal held[VMSI_HELD_MOST]; /* by time */
	size_t held_count;
};

/* --- refuse.c ------------------------------------------------------------- */

/* Refuse the call that is served now. */
void vmsi_group_refuse(struct vms_group *group, struct vmsi_process *process,
		 const struct vmsi_request *request, enum vmsi_refused why);

/*
 * Refuse it where its process is not known: it has gone, and gets no answer, or the
 * supervisor has no memory to note it, and the call counts as unaccounted.
 */
void vmsi_refuse_unknown(struct vms_group *group);

/* --- refusals.c: those that are held -------------------------------------- */

/*
 * Hold a refusal; its backtrace is freed when it is told. That is not before its
 * stack was named, which the thread that is refused does not wait for.
 */
void vmsi_refusals_hold(struct vms_group *group,
			const struct vms_group_refusal *refusal,
			const struct vmsi_request *request,
			const struct vmsi_backtrace *backtrace);

/* Call the program's on_refusal, with the backtrace of the refusal. */
void vmsi_refusals_tell(struct vms_group *group,
			struct vms_group_refusal *refusal,
			struct vmsi_backtrace *backtrace);

/*
 * A request of a thread is let through: a refusal that is held and that the
 * request repeats made nothing fail, and is not told.
 */
void vmsi_refusals_granted(struct vms_group *group, pid_t thread,
			   const struct vmsi_request *request);

/* Tell what is held of a process that will not ask again; 0: of all processes. */
void vmsi_refusals_end(struct vms_group *group, pid_t process);

/* Tell the refusals whose hold has ended. */
void vmsi_refusals_tell_due(struct vms_group *group);

/*
 * The supervisor served nobody for a time, in ns, and a thread that asks again
 * had to wait for it: hold all refusals longer by that time.
 */
void vmsi_refusals_postpone(struct vms_group *group, uint64_t time);

/* Milliseconds until the next hold ends, but no more than wait. */
int vmsi_refusals_wait(const struct vms_group *group, int wait);

#endif
