/* SPDX-License-Identifier: MIT */
#include "group/serve/restart.h"

#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "group/serve/filter.h"

int vmsi_registers_read(pid_t thread, struct vmsi_registers *registers)
{
	struct iovec set = { &registers->user, sizeof registers->user };

	return ptrace(PTRACE_GETREGSET, thread, (void *)NT_PRSTATUS, &set) ?
		-errno : 0;
}

#ifdef __x86_64__

/* Another result of an interrupted call that programs never see. */
#define ERESTARTSYS 512L

bool vmsi_restart_is_possible(void)
{
	return true;
}

/*
 * No call that the filter asks about answers ERESTARTSYS by itself: it comes
 * from the wait for the supervisor, so the call has done nothing yet. orig_rax
 * is -1 where the thread is in no call.
 */
void vmsi_restart_call(pid_t thread)
{
	struct vmsi_registers registers;

	if (vmsi_registers_read(thread, &registers) ||
	    (long)registers.user.rax != -ERESTARTSYS ||
	    !vmsi_filter_notifies((long)registers.user.orig_rax))
		return;
	(void)ptrace(PTRACE_POKEUSER, thread, offsetof(struct user, regs.rax),
		     (void *)-(long)VMSI_ERESTARTNOINTR);
}

#else

/*
 * On aarch64 the kernel sets the registers back to the call before a tracer
 * sees the stop, and later looks only at its own copy of the result.
 */
bool vmsi_restart_is_possible(void)
{
	return false;
}

void vmsi_restart_call(pid_t thread)
{
	(void)thread;
}

#endif
