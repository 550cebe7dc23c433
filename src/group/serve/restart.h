/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_SERVE_RESTART_H
#define VMSI_GROUP_SERVE_RESTART_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

/* What a tracer reads and changes in the registers of a stopped thread. */

/*
 * The result that has the kernel make a call again. No header of it is for programs, which
 * never see it: whoever answers so has asked the thread to stop before.
 */
#define VMSI_ERESTARTNOINTR 513

struct vmsi_registers {
	struct user_regs_struct user;
};

/* Where the stack of the thread ends for now. */
static inline uintptr_t
vmsi_registers_stack(const struct vmsi_registers *registers)
{
#ifdef __x86_64__
	return registers->user.rsp;
#else
	return registers->user.sp;
#endif
}

/* Whether vmsi_restart_call works on this architecture. */
bool vmsi_restart_is_possible(void);

/*
 * A thread is stopped because a signal is about to be delivered. Where that
 * signal interrupted a call that the filter notifies, the kernel is told to
 * make the call again after the handler, whether or not the handler was set
 * with SA_RESTART.
 */
void vmsi_restart_call(pid_t thread);

/* Read the registers of a stopped thread. Returns 0 or -errno. */
int vmsi_registers_read(pid_t thread, struct vmsi_registers *registers);

#endif
