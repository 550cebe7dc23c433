/* SPDX-License-Identifier: MIT */
#include "cli/supervise/job.h"

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

#include "cli/program/program.h"
#include "cli/supervise/descriptors.h"
#include "cli/supervise/events.h"
#include "cli/supervise/runner.h"
#include "cli/supervise/signals.h"
#include "cli/supervise/supervisor.h"
#include "cli/supervise/threads.h"
#include "cli/supervise/witness.h"

/*
 * The job is the process that the shell waits for. It passes signals on to the
 * program, stops when that stops, and ends with its status or signal. Supervisor
 * and program are in the process group of the job, so that the terminal's signals
 * reach them without it.
 */

struct job {
	const struct vmsi_supervise_options *options;
	const char *program;
	pid_t supervisor;
	int events;  /* from the supervisor */
	int witness; /* of signals */
	/*
	 * signalfd: SIGCHLD while the program starts, then the signals to pass on
	 */
	int signals;
	pid_t first; /* 0 while the program starts */
	sigset_t early; /* what was sent to the supervisor meanwhile */
	int result;
};

/* --- signals ------------------------------------------------------------ */

/*
 * Block the signals that are read by signalfd(2): SIGCHLD and those to pass on.
 */
static void block_signals(sigset_t *before)
{
	sigset_t signals;

	vmsi_passed_on_signals(&signals);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, before);
}

/*
 * Signals that came before the fork are pending in the job alone: send them to
 * the supervisor, as if they had come after it.
 */
static void pass_on_early_signals(struct job *job)
{
	const struct timespec at_once = { 0, 0 };
	sigset_t signals;
	int number;

	sigemptyset(&job->early);
	vmsi_passed_on_signals(&signals);
	while ((number = sigtimedwait(&signals, NULL, &at_once)) > 0)
		if (kill(job->supervisor, number) == 0)
			sigaddset(&job->early, number);
}

/*
 * Where the job gets no processor the program may have started before it sends the
 * supervisor an early signal. The supervisor keeps that blocked, so it is for the
 * program.
 */
static void pass_on_kept_signals(const struct job *job)
{
	for (int number = 1; number <= SIGRTMAX; number++)
		if (sigismember(&job->early, number) == 1 &&
		    vmsi_witness_keeps(job->witness, number))
			(void)kill(job->first, number);
}

/*
 * Until the program has started only SIGCHLD is read; other signals stay pending.
 */
static int watch_start(struct job *job)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	job->signals = signalfd(-1, &signals, SFD_CLOEXEC);
	return job->signals < 0 ? -errno : 0;
}

/*
 * As the first process of a container the job becomes the parent of orphans that are
 * not the supervisor's, such as those of a shell that was brought in from outside.
 */
static bool is_init(void)
{
	return getpid() == 1;
}

/* The end of the supervisor is waited for where its last event was heard. */
static void reap_strangers(const struct job *job)
{
	siginfo_t info = { .si_pid = 0 };

	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid && info.si_pid != job->supervisor &&
	       info.si_pid != job->first) {
		(void)waitpid(info.si_pid, NULL, 0);
		info.si_pid = 0;
	}
}

static void note_start(struct job *job, pid_t first)
{
	sigset_t signals;

	job->first = first;
	vmsi_passed_on_signals(&signals);
	if (is_init())
		sigaddset(&signals, SIGCHLD);
	(void)signalfd(job->signals, &signals, 0);
	pass_on_kept_signals(job);
}

/*
 * A Ctrl-Z while the program starts stops the supervisor too, which is in the
 * same process group. The job then stops itself, and lets the supervisor go on
 * after itself.
 */
static void stop_with_supervisor(const struct job *job)
{
	siginfo_t info = { .si_pid = 0 };

	if (waitid(P_PID, (id_t)job->supervisor, &info, WSTOPPED | WNOHANG) ||
	    info.si_pid != job->supervisor)
		return;
	raise(SIGSTOP);
	(void)kill(job->supervisor, SIGCONT);
}

/*
 * Whether the kernel may send a signal to the job alone: SIGHUP and SIGCONT to
 * the leader of a session whose terminal hangs up, and SIGALRM of an alarm that
 * the caller had set.
 */
static bool may_be_ours_alone(int signal_number)
{
	return signal_number == SIGHUP || signal_number == SIGCONT ||
		signal_number == SIGALRM;
}

/*
 * Whether the program has got the signal too. The witness is asked even where the
 * answer is known, because to answer it removes the signal that is pending in the
 * supervisor.
 */
static bool has_program(const struct job *job,
			const struct signalfd_siginfo *info)
{
	const bool witnessed = vmsi_witness_has(job->witness, info);

	/* The kernel sends signals of the terminal to the whole process group. */
	if (info->ssi_code > 0 && !may_be_ours_alone((int)info->ssi_signo))
		return true;
	/* A program that has left the process group did not get it. */
	return witnessed && getpgid(job->first) == getpgrp();
}

/* Send the program a signal, with its value where sigqueue(3) has sent it. */
static void pass_on(const struct job *job,
		    const struct signalfd_siginfo *signal)
{
	siginfo_t info = {
		.si_signo = (int)signal->ssi_signo, .si_code = SI_QUEUE };

	info.si_pid = (pid_t)signal->ssi_pid;
	info.si_uid = signal->ssi_uid;
	info.si_value.sival_ptr = (void *)(uintptr_t)signal->ssi_ptr;
	if (signal->ssi_code != SI_QUEUE ||
	    syscall(SYS_rt_sigqueueinfo, job->first, info.si_signo, &info))
		(void)kill(job->first, info.si_signo);
}

static void take_signal(const struct job *job)
{
	struct signalfd_siginfo info;

	if (read(job->signals, &info, sizeof info) != sizeof info)
		return;
	if (job->first == 0)
		stop_with_supervisor(job);
	else if (info.ssi_signo == SIGCHLD)
		reap_strangers(job);
	else if (!has_program(job, &info))
		pass_on(job, &info);
}

/*
 * Stop the job as the program has stopped, so that the shell sees it. The SIGCONT
 * that continues the job is passed on as other signals are.
 */
static void stop_with_program(const struct job *job)
{
	const int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC);
	const pid_t foreground = tcgetpgrp(terminal);

	raise(SIGSTOP);
	/*
	 * A program that was in the foreground with a process group of its own,
	 * such as a shell, gets the terminal back.
	 */
	if (foreground > 0 && foreground == getpgid(job->first) &&
	    tcgetpgrp(terminal) == getpgrp())
		(void)tcsetpgrp(terminal, foreground);
	if (terminal >= 0)
		close(terminal);
}

/* --- the end ------------------------------------------------------------ */

/* End by the signal that ended the program, without another core file. */
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

static void end_as_program(struct job *job, int status)
{
	if (WIFSIGNALED(status))
		end_by(WTERMSIG(status));
	job->result = WEXITSTATUS(status);
}

/* Wait for the program, which is a child of the job now, and pass signals on. */
static void stay_with_program(struct job *job)
{
	sigset_t signals;
	int status;

	vmsi_passed_on_signals(&signals);
	sigaddset(&signals, SIGCHLD);
	(void)signalfd(job->signals, &signals, 0);
	for (;;) {
		struct pollfd watched = { .fd = job->signals, .events = POLLIN };
		const pid_t pid = waitpid(job->first, &status,
					  WNOHANG | WUNTRACED);

		if (pid == job->first && !WIFSTOPPED(status))
			break;
		if (pid < 0 && errno != EINTR) {
			job->result = VMSI_EXIT_RUN_FAILED;
			return;
		}
		if (pid > 0)
			stop_with_program(job);
		else if (poll(&watched, 1, -1) > 0)
			take_signal(job);
	}
	end_as_program(job, status);
}

/*
 * The supervisor has ended before it told the end of the program. While the
 * program starts, a signal to the process group does that, and the job ends by
 * it.
 */
static void end_without_supervisor(struct job *job)
{
	int status = 0;

	(void)waitpid(job->supervisor, &status, 0);
	if (job->first == 0 && WIFSIGNALED(status))
		end_by(WTERMSIG(status));
	if (job->first && job->options->outlived) {
		vmsi_complain(job->program, "%s", job->options->outlived);
		stay_with_program(job);
		return;
	}
	vmsi_complain(job->program, "the supervisor has ended; what the "
			  "program asks for fails from now on");
	job->result = VMSI_EXIT_RUN_FAILED;
}

/* --- what the supervisor tells ------------------------------------------ */

/* Read an event of the supervisor. Returns false where the job is to end. */
static bool hear(struct job *job)
{
	struct vmsi_job_event event;

	if (recv(job->events, &event, sizeof event, 0) != sizeof event) {
		end_without_supervisor(job);
		return false;
	}
	switch (event.event) {
	case VMSI_JOB_STARTED:
		note_start(job, event.number);
		return true;
	case VMSI_JOB_FAILED:
		(void)waitpid(job->supervisor, NULL, 0);
		job->result = event.number;
		break;
	case VMSI_JOB_STOPPED:
		stop_with_program(job);
		return true;
	case VMSI_JOB_ALL_ENDED:
		/* Wait for the supervisor, so that it is not left to init. */
		(void)waitpid(job->supervisor, NULL, 0);
		end_as_program(job, event.number);
		break;
	case VMSI_JOB_ENDED:
		end_as_program(job, event.number);
		break;
	}
	return false;
}

static int stay(struct job *job)
{
	struct pollfd watched[] = {
		{ .fd = job->events, .events = POLLIN },
		{ .fd = job->signals, .events = POLLIN },
	};

	for (;;) {
		if (poll(watched, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			return VMSI_EXIT_RUN_FAILED;
		}
		if (watched[1].revents & POLLIN)
			take_signal(job);
		if (watched[0].revents && !hear(job))
			return job->result;
	}
}

static int fail(const char *program, int error)
{
	vmsi_complain(program, "%s", strerror(error));
	return VMSI_EXIT_RUN_FAILED;
}

/* Before everything else, so that the runner has nothing of the job's. */
static int start_runner(struct vmsi_supervise_options *options)
{
	if (!options->warn.command)
		return 0;
	options->warn.runner = vmsi_runner_start(options->program,
						 options->warn.command);
	return options->warn.runner < 0 ? options->warn.runner : 0;
}

int vmsi_job_run(struct vmsi_supervise_options *options, const char *path,
		   char **arguments)
{
	struct job job = { .options = options, .program = arguments[0] };
	int events[2], witness[2], error;
	sighandler_t child_handler;
	sigset_t before;

	error = start_runner(options);
	if (error)
		return fail(job.program, -error);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, events) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, witness))
		return fail(job.program, errno);
	/* Signals are blocked before the fork, so that none is lost meanwhile. */
	block_signals(&before);
	/*
	 * A process that ignores SIGCHLD is not told of children that stop. The
	 * handler is set before the fork, since setting it discards a pending
	 * SIGCHLD.
	 */
	child_handler = signal(SIGCHLD, SIG_DFL);
	if (options->outlived)
		(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	job.supervisor = fork();
	if (job.supervisor < 0)
		return fail(job.program, errno);
	if (job.supervisor == 0) {
		signal(SIGCHLD, child_handler);
		sigprocmask(SIG_SETMASK, &before, NULL);
		close(events[0]);
		close(witness[0]);
		vmsi_threads_allow();
		(options->run ? options->run : vmsi_supervisor_run)(
			options, path, arguments, events[1], witness[1]);
		_exit(0);
	}
	close(events[1]);
	close(witness[1]);
	/* The runner ends with the supervisor. */
	if (options->warn.runner >= 0)
		close(options->warn.runner);
	job.events = events[0];
	job.witness = witness[0];
	vmsi_let_go_of_descriptors(NULL);
	vmsi_let_go_of_directory(NULL);
	pass_on_early_signals(&job);
	error = watch_start(&job);
	return error ? fail(job.program, -error) : stay(&job);
}
