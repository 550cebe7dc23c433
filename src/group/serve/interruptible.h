/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_SERVE_INTERRUPTIBLE_H
#define VMSI_GROUP_SERVE_INTERRUPTIBLE_H

#include "group/process/group.h"

/*
 * A signal can interrupt a call that waits for the supervisor. If its handler
 * was set without SA_RESTART, the call would answer EINTR, which it never does
 * otherwise. So processes that set such handlers are traced (tracer.h), and the
 * tracer has their calls made again. Where they cannot be traced, they are
 * counted as interruptible.
 */

struct vmsi_tracer;

/*
 * The group's tracer, which the first use starts. NULL: it cannot be started.
 */
struct vmsi_tracer *vmsi_serve_tracer(struct vms_group *group);

/* Serve a call of rt_sigaction, which always goes on. */
void vmsi_serve_handler(struct vms_group *group, struct vmsi_process *process);

/*
 * debuggers.c: serve a call of ptrace that begins to trace, which always goes
 * on.
 */
void vmsi_serve_debugger(struct vms_group *group, struct vmsi_process *process);

#endif
