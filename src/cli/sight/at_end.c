/* SPDX-License-Identifier: MIT */
#include "cli/sight/at_end.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/program/program.h"

/* --- the child ------------------------------------------------------------ */

/* The child waits for a byte before it executes the program, and says why it cannot. */
struct start {
	const char *path;
	char *const *arguments;
	int go[2], failure[2];
};

static _Noreturn void run_child(const struct start *start)
{
	int error;
	char byte;

	close(start->go[1]);
	close(start->failure[0]);
	if (read(start->go[0], &byte, 1) == 1) {
		vmsi_restore_signals();
		execv(start->path, start->arguments);
		error = errno;
		(void)!write(start->failure[1], &error, sizeof(error));
	}
	_exit(VMSI_EXIT_RUN_FAILED);
}

/* --- the program ---------------------------------------------------------- */

static bool is_event(int status, int event)
{
	return WIFSTOPPED(status) && status >> 16 == event;
}

/* Let a stopped program go on; a signal that it got is its own. */
static void resume(pid_t pid, int status)
{
	const int signal = WSTOPSIG(status);
	const bool is_stopped = is_event(status, PTRACE_EVENT_STOP) &&
		(signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN ||
		 signal == SIGTTOU);

	if (is_stopped)
		/* It stays stopped until it is continued. */
		(void)ptrace(PTRACE_LISTEN, pid, NULL, NULL);
	else
		(void)ptrace(PTRACE_CONT, pid, NULL,
			     (void *)(uintptr_t)(status >> 16 ? 0 : signal));
}

static void wait_for_end(struct vmsi_at_end *run, pid_t pid)
{
	for (;;) {
		int status;

		if (waitpid(pid, &status, __WALL) < 0) {
			if (errno == EINTR)
				continue;
			return;
		}
		if (!WIFSTOPPED(status)) {
			run->status = status;
			return;
		}
		if (run->look && is_event(status, PTRACE_EVENT_EXIT))
			run->look(run->context, pid);
		resume(pid, status);
	}
}

static int start_program(struct start *start, pid_t *pid)
{
	const long options = PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL;
	int error = 0;

	*pid = fork();
	if (*pid == 0)
		run_child(start);
	if (*pid < 0)
		return -errno;
	close(start->go[0]);
	close(start->failure[1]);
	if (ptrace(PTRACE_SEIZE, *pid, NULL, (void *)options))
		error = -errno;
	if (!error && write(start->go[1], "", 1) != 1)
		error = -errno;
	close(start->go[1]);
	return error;
}

static enum vmsi_exit run_program(struct vmsi_at_end *run, struct start *start)
{
	const char *name = run->arguments[0];
	void (*interrupt)(int), (*quit)(int);
	int error, failure = 0;
	pid_t pid;

	error = start_program(start, &pid);
	if (error) {
		vmsi_complain(name, "cannot be traced: %s", strerror(-error));
		if (pid > 0)
			(void)waitpid(pid, NULL, 0);
		return VMSI_EXIT_RUN_FAILED;
	}
	/* Those of the terminal are the program's: what it has is still shown. */
	interrupt = signal(SIGINT, SIG_IGN);
	quit = signal(SIGQUIT, SIG_IGN);
	if (read(start->failure[0], &failure, sizeof(failure)) != sizeof(failure))
		failure = 0;
	if (failure)
		run->look = NULL;
	wait_for_end(run, pid);
	signal(SIGINT, interrupt);
	signal(SIGQUIT, quit);
	return failure ? vmsi_program_explain_start(name, start->path, failure) :
			 VMSI_EXIT_OK;
}

enum vmsi_exit vmsi_at_end_run(struct vmsi_at_end *run)
{
	struct vmsi_program program;
	struct start start = { .path = program.path, .arguments = run->arguments };
	enum vmsi_exit result = vmsi_program_look_up(run->arguments[0], &program);

	if (result != VMSI_EXIT_OK)
		return result;
	if (pipe2(start.go, O_CLOEXEC) || pipe2(start.failure, O_CLOEXEC)) {
		vmsi_complain(run->arguments[0], "%s", strerror(errno));
		return VMSI_EXIT_RUN_FAILED;
	}
	result = run_program(run, &start);
	close(start.failure[0]);
	return result;
}
