/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_SERVE_SERVICE_H
#define VMSI_GROUP_SERVE_SERVICE_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "group/process/group.h"
#include "group/serve/grants.h"
#include "group/serve/refusals.h"

struct vmsi_tracer;

/* What a supervisor keeps to serve a group. */
struct vmsi_service {
	int listener;                  /* -1: not received yet */
	int epoll;                     /* of all that is served, for callers */
	struct seccomp_notif *call;    /* the one that is served now */
	size_t call_bytes;             /* as large as this kernel's */
	bool unused;                   /* no process has the filter any more */
	uint64_t next_asking;          /* when to look for what nothing tells */
	uint64_t calls;
	struct vmsi_refusals refusals;
	struct vmsi_grants *grants;    /* NULL: nobody is told of them */
	struct vmsi_tracer *tracer;    /* NULL: not needed yet */
	int watched;                   /* a descriptor of the caller's; -1: none */
	void (*on_mark)(void *context, vms_group *group,
			const struct vms_group_mark *mark);
	void *mark_context;
	void (*on_full)(void *context, vms_group *group);
	void *full_context;

	/* The end of the group's first process. */
	int status;                    /* as of waitpid(2) */
	bool first_ended;
	bool first_ended_told;
};

/* --- ends.c --------------------------------------------------------------- */

/* Where the first process has ended: note its status. */
void vmsi_serve_reap_first(struct vms_group *group);

/* A process has ended: what it had comes back. */
void vmsi_serve_ended(struct vms_group *group, struct vmsi_process *process);

/* Find the ends of processes that no descriptor tells. */
void vmsi_serve_find_ended(struct vms_group *group);

/* --- marks.c -------------------------------------------------------------- */

/*
 * Tell the caller of marks that were reached. process is the one that was served;
 * 0: none was. The caller may signal processes, which looks for them, so what is
 * known of a process is to be found anew afterwards.
 */
void vmsi_serve_marks(struct vms_group *group, pid_t process);

#endif
