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
	struct iovec room = { &registers->user, sizeof registers->user };

	return ptrace(PTRACE_GETREGSET, thread, (void *)NT_PRSTATUS, &room) ?
		-errno : 0;
}

#ifdef __x86_64__

/* The kernel's own results of an interrupted call; programs never see them. */
#define ERESTARTSYS 512L
#define ERESTARTNOINTR 513L

bool vmsi_restart_is_possible(void)
{
	return true;
}

/*
 * None of the calls that the filter notifies answers ERESTARTSYS by itself, so
 * it comes from the wait for the supervisor, and the call has done nothing yet.
 * orig_rax is -1 where the thread is in no call.
 */
void vmsi_restart_call(pid_t thread)
{
	struct vmsi_registers registers;

	if (vmsi_registers_read(thread, &registers) ||
	    (long)registers.user.rax != -ERESTARTSYS ||
	    !vmsi_filter_notifies((long)registers.user.orig_rax))
		return;
	(void)ptrace(PTRACE_POKEUSER, thread, offsetof(struct user, regs.rax),
		     (void *)-ERESTARTNOINTR);
}

#else

/*
 * On aarch64 the kernel has set the registers back to the call before a tracer
 * sees the stop, and compares only its own copy of the result afterwards.
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
