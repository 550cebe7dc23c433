/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_SERVE_INTERRUPTIBLE_H
#define VMSI_GROUP_SERVE_INTERRUPTIBLE_H

#include "group/process/group.h"

/*
 * A signal can interrupt a call that waits for the supervisor. Where the handler
 * was set without SA_RESTART, the kernel would answer EINTR, which these calls
 * answer nowhere else. So processes that set such handlers are traced
 * (tracer.c), and their calls are made again.
 */

struct vmsi_tracer;

/* The group's tracer, started at the first use. NULL: there can be none. */
struct vmsi_tracer *vmsi_serve_tracer(struct vms_group *group);

/* A process asks to set a handler (rt_sigaction): it goes on in any case. */
void vmsi_serve_handler(struct vms_group *group, struct vmsi_process *process);

/* debuggers.c: a process asks to trace, or to be traced (ptrace). */
void vmsi_serve_debugger(struct vms_group *group, struct vmsi_process *process);

#endif
