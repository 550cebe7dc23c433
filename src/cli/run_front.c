/* SPDX-License-Identifier: MIT */
#include "run_commit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "run.h"

/*
 * The process that the shell knows. It passes signals on, stops when the
 * program stops, and ends as the program ends. All are of one process group, so
 * the terminal's own signals reach the program without it.
 */

struct front {
	const char *program;
	pid_t supervisor;
	int events;  /* from the supervisor */
	int witness; /* of signals */
	/* SIGCHLD while the program starts; then what is passed on. */
	int signals;
	pid_t first; /* 0 while the program starts */
	int result;
};

/* --- signals ------------------------------------------------------------ */

void vmsi_front_signals(sigset_t *set)
{
	static const int passed_on[] = {
		SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM,
		SIGWINCH, SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU, SIGIO, SIGPWR,
		SIGURG, SIGVTALRM, SIGPROF, SIGSTKFLT,
	};

	sigemptyset(set);
	for (size_t i = 0; i < sizeof passed_on / sizeof passed_on[0]; i++)
		sigaddset(set, passed_on[i]);
	for (int i = SIGRTMIN; i <= SIGRTMAX; i++)
		sigaddset(set, i);
}

/* All that is ever read from signals. */
static void block_signals(sigset_t *before)
{
	sigset_t signals;

	vmsi_front_signals(&signals);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, before);
}

/* It has not got what came before there was a supervisor. */
static void pass_on_early_signals(const struct front *front)
{
	const struct timespec at_once = { 0, 0 };
	sigset_t signals;
	int number;

	vmsi_front_signals(&signals);
	while ((number = sigtimedwait(&signals, NULL, &at_once)) > 0)
		(void)kill(front->supervisor, number);
}

/* Other signals wait until there is a program to have them. */
static int watch_start(struct front *front)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	front->signals = signalfd(-1, &signals, SFD_CLOEXEC);
	return front->signals < 0 ? -errno : 0;
}

static void note_start(struct front *front, pid_t first)
{
	sigset_t signals;

	front->first = first;
	vmsi_front_signals(&signals);
	(void)signalfd(front->signals, &signals, 0);
}

/* What stops the job while it starts stops the supervisor too. */
static void stop_with_supervisor(const struct front *front)
{
	siginfo_t info = { .si_pid = 0 };

	if (waitid(P_PID, (id_t)front->supervisor, &info, WSTOPPED | WNOHANG) ||
	    info.si_pid != front->supervisor)
		return;
	raise(SIGSTOP);
	(void)kill(front->supervisor, SIGCONT);
}

/*
 * Whether the kernel sends a signal to one process too: a hang-up to the leader
 * of a session, which it has go on then, and an alarm.
 */
static bool may_be_ours_alone(int signal_number)
{
	return signal_number == SIGHUP || signal_number == SIGCONT ||
		signal_number == SIGALRM;
}

/* The witness is asked in any case, and so has seen what came until now. */
static bool has_program(const struct front *front,
			const struct signalfd_siginfo *info)
{
	const bool witnessed = vmsi_witness_has(front->witness, info);

	/* The terminal's are for the whole process group. */
	if (info->ssi_code > 0 && !may_be_ours_alone((int)info->ssi_signo))
		return true;
	/* A program that has left the group has not got what the group has. */
	return witnessed && getpgid(front->first) == getpgrp();
}

/* With the value that sigqueue(3) has given it. */
static void pass_on(const struct front *front,
		    const struct signalfd_siginfo *signal)
{
	siginfo_t info = {
		.si_signo = (int)signal->ssi_signo, .si_code = SI_QUEUE };

	info.si_pid = (pid_t)signal->ssi_pid;
	info.si_uid = signal->ssi_uid;
	info.si_value.sival_ptr = (void *)(uintptr_t)signal->ssi_ptr;
	if (signal->ssi_code != SI_QUEUE ||
	    syscall(SYS_rt_sigqueueinfo, front->first, info.si_signo, &info))
		(void)kill(front->first, info.si_signo);
}

static void take_signal(const struct front *front)
{
	struct signalfd_siginfo info;

	if (read(front->signals, &info, sizeof info) != sizeof info)
		return;
	if (front->first == 0)
		stop_with_supervisor(front);
	else if (!has_program(front, &info))
		pass_on(front, &info);
}

/*
 * The shell is to see that the job has stopped. The SIGCONT that ends this is
 * passed on as other signals are.
 */
static void stop_with_program(const struct front *front)
{
	const int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC);
	const pid_t foreground = tcgetpgrp(terminal);

	raise(SIGSTOP);
	/* A shell in the program has a process group of its own. */
	if (foreground > 0 && foreground == getpgid(front->first) &&
	    tcgetpgrp(terminal) == getpgrp())
		(void)tcsetpgrp(terminal, foreground);
	if (terminal >= 0)
		close(terminal);
}

/* --- the end ------------------------------------------------------------ */

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

static void end_as_program(struct front *front, int status)
{
	if (WIFSIGNALED(status))
		end_by(WTERMSIG(status));
	front->result = WEXITSTATUS(status);
}

/* A signal to the whole job, while it starts, ends us all. */
static void end_without_supervisor(struct front *front)
{
	int status = 0;

	(void)waitpid(front->supervisor, &status, 0);
	if (front->first == 0 && WIFSIGNALED(status))
		end_by(WTERMSIG(status));
	vmsi_run_complain(front->program, "the supervisor has ended; what the "
			  "program asks for fails from now on");
	front->result = VMSI_EXIT_RUN_FAILED;
}

/* --- what the supervisor tells ------------------------------------------ */

/* Returns false at the end. */
static bool hear(struct front *front)
{
	struct vmsi_front_event event;

	if (recv(front->events, &event, sizeof event, 0) != sizeof event) {
		end_without_supervisor(front);
		return false;
	}
	switch (event.event) {
	case VMSI_FRONT_STARTED:
		note_start(front, event.number);
		return true;
	case VMSI_FRONT_FAILED:
		(void)waitpid(front->supervisor, NULL, 0);
		front->result = event.number;
		break;
	case VMSI_FRONT_STOPPED:
		stop_with_program(front);
		return true;
	case VMSI_FRONT_ALL_ENDED:
		/* Nobody else is to have to wait for it. */
		(void)waitpid(front->supervisor, NULL, 0);
		end_as_program(front, event.number);
		break;
	case VMSI_FRONT_ENDED:
		end_as_program(front, event.number);
		break;
	}
	return false;
}

static int stay(struct front *front)
{
	struct pollfd watched[] = {
		{ .fd = front->events, .events = POLLIN },
		{ .fd = front->signals, .events = POLLIN },
	};

	for (;;) {
		if (poll(watched, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			return VMSI_EXIT_RUN_FAILED;
		}
		if (watched[1].revents & POLLIN)
			take_signal(front);
		if (watched[0].revents && !hear(front))
			return front->result;
	}
}

static int fail(const char *program, int error)
{
	vmsi_run_complain(program, "%s", strerror(error));
	return VMSI_EXIT_RUN_FAILED;
}

int vmsi_front_run(struct vmsi_commit_options *options, const char *path,
		   char **arguments)
{
	struct front front = { .program = arguments[0] };
	int events[2], witness[2], error;
	sighandler_t child_handler;
	sigset_t before;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, events) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, witness))
		return fail(front.program, errno);
	/* From here on, so that none comes between. */
	block_signals(&before);
	/*
	 * Who ignores SIGCHLD is not told of children that stop. Before there is
	 * a child, since this takes away a SIGCHLD that is pending.
	 */
	child_handler = signal(SIGCHLD, SIG_DFL);
	front.supervisor = fork();
	if (front.supervisor < 0)
		return fail(front.program, errno);
	if (front.supervisor == 0) {
		signal(SIGCHLD, child_handler);
		sigprocmask(SIG_SETMASK, &before, NULL);
		close(events[0]);
		close(witness[0]);
		vmsi_supervise(options, path, arguments, events[1], witness[1]);
		_exit(0);
	}
	close(events[1]);
	close(witness[1]);
	front.events = events[0];
	front.witness = witness[0];
	vmsi_let_go_of_descriptors(NULL);
	vmsi_let_go_of_directory(NULL);
	pass_on_early_signals(&front);
	error = watch_start(&front);
	return error ? fail(front.program, -error) : stay(&front);
}
