/* SPDX-License-Identifier: MIT */
#include "run_commit.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"

/*
 * The process that the shell knows. It passes signals on, stops when the
 * program stops, and ends as the program ends. All are of one process group, so
 * the terminal's own signals reach the program without it.
 */

struct front {
	const char *program;
	int supervisor; /* its end of the socket */
	int signals;
	pid_t first;
	int result;
};

static const int passed_on[] = {
	SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH,
	SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU,
};

static void fill_signals(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < sizeof passed_on / sizeof passed_on[0]; i++)
		sigaddset(set, passed_on[i]);
}

/* What the kernel sends, it has sent to the whole process group. */
static void pass_on(const struct front *front)
{
	struct signalfd_siginfo info;

	if (read(front->signals, &info, sizeof info) != sizeof info ||
	    info.ssi_code > 0 || front->first <= 0)
		return;
	(void)kill(front->first, (int)info.ssi_signo);
}

/* The shell is to see that the job has stopped. */
static void stop_with_program(const struct front *front)
{
	raise(SIGSTOP);
	/* Somebody has had us go on; the program may not have been told. */
	(void)kill(front->first, SIGCONT);
}

/* Die as the program did, without a second core. */
static _Noreturn void end_by(int signal_number)
{
	const struct rlimit none = { 0, 0 };
	sigset_t all;

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	signal(signal_number, SIG_DFL);
	sigfillset(&all);
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	raise(signal_number);
	_exit(128 + signal_number);
}

static int status_of_start(const struct front *front, int error)
{
	vmsi_run_complain(front->program, "%s", strerror(error));
	return error == ENOENT ? VMSI_EXIT_NOT_FOUND : VMSI_EXIT_CANNOT_RUN;
}

/* Returns false at the end. */
static bool hear(struct front *front)
{
	struct vmsi_front_event event;

	if (recv(front->supervisor, &event, sizeof event, 0) != sizeof event) {
		vmsi_run_complain(front->program, "the supervisor has ended; "
				  "what the program asks for fails from now "
				  "on");
		front->result = VMSI_EXIT_RUN_FAILED;
		return false;
	}
	switch (event.event) {
	case VMSI_FRONT_STARTED:
		front->first = event.number;
		return true;
	case VMSI_FRONT_FAILED:
		front->result = status_of_start(front, event.number);
		return false;
	case VMSI_FRONT_STOPPED:
		stop_with_program(front);
		return true;
	case VMSI_FRONT_ENDED:
		break;
	}
	if (WIFSIGNALED(event.number))
		end_by(WTERMSIG(event.number));
	front->result = WEXITSTATUS(event.number);
	return false;
}

static int stay(struct front *front)
{
	struct pollfd watched[] = {
		{ .fd = front->supervisor, .events = POLLIN },
		{ .fd = front->signals, .events = POLLIN },
	};

	for (;;) {
		if (poll(watched, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			return VMSI_EXIT_RUN_FAILED;
		}
		if (watched[1].revents & POLLIN)
			pass_on(front);
		if (watched[0].revents && !hear(front))
			return front->result;
	}
}

static int fail(const char *program)
{
	vmsi_run_complain(program, "%s", strerror(errno));
	return VMSI_EXIT_RUN_FAILED;
}

int vmsi_front_run(const struct vmsi_commit_options *options, const char *path,
		   char **arguments)
{
	struct front front = { .program = arguments[0] };
	sigset_t signals;
	int sockets[2];
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets))
		return fail(arguments[0]);
	fill_signals(&signals);
	child = fork();
	if (child < 0)
		return fail(arguments[0]);
	if (child == 0) {
		close(sockets[0]);
		vmsi_supervise(options, path, arguments, sockets[1]);
		_exit(0);
	}
	close(sockets[1]);
	front.supervisor = sockets[0];
	sigprocmask(SIG_BLOCK, &signals, NULL);
	front.signals = signalfd(-1, &signals, SFD_CLOEXEC);
	if (front.signals < 0)
		return fail(arguments[0]);
	return stay(&front);
}
