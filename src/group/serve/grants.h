/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_SERVE_GRANTS_H
#define VMSI_GROUP_SERVE_GRANTS_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vmspace/group.h>

#include "group/serve/backtrace.h"

struct vmsi_process;
struct vmsi_request;

/*
 * Requests that were granted, for who wants to be told of each.
 *
 * The stack of a thread that is refused is taken on its way back. One that is granted may
 * be long on its way, or wait for another process (vfork(2), MAP_POPULATE of a file),
 * which may be waiting for the supervisor. So its stack is taken before the call is
 * decided: the thread has its call put off, stops, and makes it again.
 *
 *	asks --> PUT OFF -- its stack was taken --> asks the same again --> decided
 *	  |         |
 *	  |         '-- a handler jumps away, it ends: forgotten when it is STALE
 *	  '-- no stack is to be taken: decided at once
 */
struct vmsi_put_off {
	pid_t thread;
	uint64_t time;
	struct seccomp_data call;
	struct vmsi_backtrace backtrace;
};

/* As many threads as may be between their stop and the same call. */
#define VMSI_PUT_OFF_MOST 64u

/* One that waits for the names of its stack. */
struct vmsi_held_grant {
	struct vms_group_grant grant;
	struct vmsi_backtrace backtrace;
};

#define VMSI_HELD_GRANTS_MOST 1024u

/* A group has this where somebody is to be told. */
struct vmsi_grants {
	void (*on_grant)(void *context, vms_group *group,
			 const struct vms_group_grant *grant);
	void *context;                 /* of on_grant */
	uint64_t backtraces;           /* how many were asked for */
	uint64_t next_backtrace;       /* no thread is stopped before */
	struct vmsi_put_off put_off[VMSI_PUT_OFF_MOST];
	size_t put_off_count;
	/* Of the call that is served now: its stack, or why there is none. */
	struct vmsi_backtrace stack;
	struct vmsi_held_grant held[VMSI_HELD_GRANTS_MOST];
	size_t held_count;
};

/* --- put_off.c ------------------------------------------------------------ */

/*
 * Whether the call that is served now is put off until its stack was taken: then its
 * thread asks again, and it is served no further.
 */
bool vmsi_put_off_call(struct vms_group *group);

/*
 * Take over the stack of the call that is served now, which its holder frees. Returns
 * false where it has none; backtrace tells why, if somebody is told of grants.
 */
bool vmsi_put_off_take_stack(struct vms_group *group,
			     struct vmsi_backtrace *backtrace);

/* The call has been served: nobody else takes its stack. */
void vmsi_put_off_end_call(struct vms_group *group);

/* Forget all stacks. */
void vmsi_put_off_end(struct vms_group *group);

/* --- grants.c ------------------------------------------------------------- */

/* The call that is served now was granted, and has gone on. */
void vmsi_grants_add(struct vms_group *group, const struct vmsi_process *process,
		     const struct vmsi_request *request);

/* Tell of those whose stacks have names by now. */
void vmsi_grants_tell_due(struct vms_group *group);

/* Tell of all, and wait for names. */
void vmsi_grants_end(struct vms_group *group);

#endif
