/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "failing/parts.h"

/*
 * A trunk is a run in which nothing fails. Before an allocation that is to fail it forks
 * a branch, in which that fails, and waits for its end: so the trials have their common
 * beginning together.
 *
 *    trunk  ---o------o-----------o----- end
 *              |      |           |
 *              x      x--- end    x- end      branches
 */

static struct {
	pid_t process; /* 0: this is no trunk */
	int socket;
	struct stat socket_status;
	struct stat output;
} trunk;

void vmsi_failing_begin_trunk(int socket)
{
	if (fstat(socket, &trunk.socket_status) == 0 &&
	    fstat(STDOUT_FILENO, &trunk.output) == 0 &&
	    vmsi_failing_inherit(socket)) {
		trunk.socket = socket;
		trunk.process = getpid();
	}
}

/*
 * Whether this is the trunk itself, and no process that it has forked; and the socket is
 * still there: the program could have closed it, and have another file by its number.
 */
static bool is_trunk(void)
{
	struct stat status;

	return trunk.process == getpid() && fstat(trunk.socket, &status) == 0 &&
		status.st_dev == trunk.socket_status.st_dev &&
		status.st_ino == trunk.socket_status.st_ino;
}

/* The command makes the next choice before. */
static void await_go(void)
{
	char go;
	ssize_t got;

	do
		got = recv(trunk.socket, &go, 1, 0);
	while (got < 0 && errno == EINTR);
	if (got != 1)
		_exit(127);
}

/*
 * Fork by the kernel's call: glibc's would note the branch's own thread ID, and a
 * recursive mutex that the program holds now would be another one's there. The program
 * hears nothing of the branch: its end sends no SIGCHLD, and wait(2) does not show it.
 */
static pid_t fork_branch(void)
{
	return (pid_t)syscall(SYS_clone, 0L, NULL, NULL, NULL, NULL);
}

/* Returns true in the branch. */
static bool branch(void)
{
	const pid_t child = fork_branch();

	if (child == 0) {
		close(trunk.socket);
		trunk.process = 0;
		return true;
	}
	if (child < 0) {
		(void)vmsi_failing_send(trunk.socket, VMSI_FAILING_UNABLE,
					-errno);
		await_go();
		return false;
	}
	if (!vmsi_failing_send(trunk.socket, VMSI_FAILING_BRANCHED, child) ||
	    !vmsi_failing_tell_changes(trunk.socket, child, __WALL,
				       VMSI_FAILING_BRANCH_CHANGED))
		_exit(127);
	await_go();
	(void)waitpid(child, NULL, __WALL | WNOHANG);
	return false;
}

bool vmsi_failing_branch(struct vmsi_failing_memory *memory,
			 const struct vmsi_failing_stack *stack)
{
	const struct vmsi_failing_outcome before = memory->outcome;
	struct vmsi_failing_kept kept;

	if (!is_trunk())
		return false;
	if (stack->hash != memory->choice.stack ||
	    !vmsi_failing_keep(&kept, memory, trunk.socket, &trunk.output)) {
		(void)vmsi_failing_send(trunk.socket, VMSI_FAILING_UNABLE, 0);
		await_go();
		return false;
	}
	if (branch())
		return true;
	vmsi_failing_put_back(&kept);
	memory->outcome = before;
	return false;
}
