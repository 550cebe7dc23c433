/* SPDX-License-Identifier: MIT */
#include "group/serve/bell.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * The bell shares all memory with the tracer, thread-local variables too. So it
 * makes raw system calls and nothing else: libc's wrappers use thread-local
 * variables, for errno and for cancellation. It ends when the tracer's process
 * does, or it would keep the listener of the group open.
 */
static int run_bell(void *context)
{
	const struct vmsi_bell *bell = context;
	const long self = syscall(SYS_getpid);
	uint64_t rings;

	syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	while (syscall(SYS_getppid) == bell->owner &&
	       syscall(SYS_read, bell->event, &rings, sizeof rings) ==
		       (long)sizeof rings)
		syscall(SYS_kill, self, SIGSTOP);
	return 0;
}

int vmsi_bell_make(struct vmsi_bell *bell)
{
	pid_t pid;

	bell->owner = getpid();
	/*
	 * A child that sends no signal at its end is skipped where the program
	 * waits for any child.
	 */
	pid = clone(run_bell, bell->stack + sizeof bell->stack,
		    CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_UNTRACED, bell);
	if (pid < 0)
		return -errno;
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL)) {
		const int error = errno;

		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, __WALL);
		return -error;
	}
	bell->pid = pid;
	return 0;
}

/* The signal that stopped it is not delivered. */
void vmsi_bell_reset(struct vmsi_bell *bell)
{
	(void)ptrace(PTRACE_CONT, bell->pid, NULL, NULL);
}

void vmsi_bell_end(struct vmsi_bell *bell)
{
	if (bell->pid <= 0)
		return;
	(void)kill(bell->pid, SIGKILL);
	while (waitpid(bell->pid, NULL, __WALL) < 0 && errno == EINTR)
		;
	bell->pid = 0;
}

void vmsi_bell_ring(const struct vmsi_bell *bell)
{
	const uint64_t one = 1;

	(void)!write(bell->event, &one, sizeof one);
}
