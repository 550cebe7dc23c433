/* SPDX-License-Identifier: MIT */
#include "cli/supervise/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/supervise/descriptors.h"

/*
 * So many commands may run at once. A group that goes up and down may warn more
 * often than a command ends, and then further ones are left out.
 */
#define COMMANDS_MOST 4

struct message {
	enum { RUN, LET_GO } what;
	struct vmsi_run_figures figures;
};

struct runner {
	const char *program, *command;
	int supervisor; /* a socket */
	int running;
};

/* --- the command ----------------------------------------------------------- */

static void set_number(const char *name, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof text, "%llu", (unsigned long long)number);
	setenv(name, text, 1);
}

/* A process that there is none of has no variable. */
static void set_process(const char *name, int pid)
{
	if (pid)
		set_number(name, (uint64_t)pid);
	else
		unsetenv(name);
}

static void set_environment(const struct vmsi_run_figures *figures)
{
	setenv("VMSPACE_WARNING", vmsi_stage_word(figures->stage), 1);
	set_number("VMSPACE_WARN_AT", figures->at);
	set_number("VMSPACE_COMMITTED", figures->committed);
	set_number("VMSPACE_LIMIT", figures->limit);
	set_number("VMSPACE_PEAK", figures->peak);
	set_number("VMSPACE_REFUSALS", figures->refusals);
	set_process("VMSPACE_FIRST_PID", figures->first);
	set_process("VMSPACE_ASKED_PID", figures->asked);
	set_process("VMSPACE_LARGEST_PID", figures->largest);
	set_number("VMSPACE_LARGEST_COMMITTED", figures->largest_committed);
	setenv("VMSPACE_LARGEST_COMMAND", figures->largest_command, 1);
}

static _Noreturn void become_command(const struct runner *runner,
				     const struct vmsi_run_figures *figures)
{
	vmsi_restore_signals();
	set_environment(figures);
	execl("/bin/sh", "sh", "-c", runner->command, (char *)NULL);
	fprintf(stderr, "%s: cannot run the command of --on-warn: /bin/sh: %s\n",
		runner->program, strerror(errno));
	_exit(VMSI_EXIT_CANNOT_RUN);
}

static void run(struct runner *runner, const struct vmsi_run_figures *figures)
{
	pid_t child;

	while (runner->running && waitpid(-1, NULL, WNOHANG) > 0)
		runner->running--;
	if (runner->running == COMMANDS_MOST) {
		fprintf(stderr, "%s: %d commands of --on-warn still run, so it "
			"is not run again\n", runner->program, COMMANDS_MOST);
		return;
	}
	child = fork();
	if (child == 0)
		become_command(runner, figures);
	if (child < 0)
		fprintf(stderr, "%s: cannot run the command of --on-warn: %s\n",
			runner->program, strerror(errno));
	runner->running += child > 0;
}

/* --- the runner ------------------------------------------------------------ */

static void let_go_of_errors(void)
{
	const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (nothing < 0)
		return;
	(void)dup2(nothing, STDOUT_FILENO);
	(void)dup2(nothing, STDERR_FILENO);
	close(nothing);
}

/*
 * The output of the command goes to standard error: standard output is the
 * program's, whose reader waits until all have closed it.
 */
static _Noreturn void serve(struct runner *runner)
{
	struct message message;

	(void)setsid();
	signal(SIGCHLD, SIG_DFL);
	vmsi_let_go_of_descriptors(NULL);
	(void)dup2(STDERR_FILENO, STDOUT_FILENO);
	while (recv(runner->supervisor, &message, sizeof message, 0) ==
	       sizeof message)
		if (message.what == RUN)
			run(runner, &message.figures);
		else
			let_go_of_errors();
	_exit(0);
}

int vmsi_runner_start(const char *program, const char *command)
{
	struct runner runner = { .program = program, .command = command };
	int ends[2];
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -errno;
	child = fork();
	if (child < 0) {
		const int error = errno;

		close(ends[0]);
		close(ends[1]);
		return -error;
	}
	if (child == 0) {
		close(ends[0]);
		runner.supervisor = ends[1];
		serve(&runner);
	}
	close(ends[1]);
	return ends[0];
}

/* --- the supervisor's side -------------------------------------------------- */

/* The supervisor never waits: what does not fit is not sent. */
static int tell(int runner, const struct message *message)
{
	return send(runner, message, sizeof *message,
		    MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof *message ?
		0 : -errno;
}

int vmsi_runner_run(int runner, const struct vmsi_run_figures *figures)
{
	struct message message;

	/* The padding is sent as well. */
	memset(&message, 0, sizeof message);
	message.what = RUN;
	message.figures = *figures;
	return tell(runner, &message);
}

void vmsi_runner_let_go(int runner)
{
	struct message message;

	memset(&message, 0, sizeof message);
	message.what = LET_GO;
	(void)tell(runner, &message);
}
