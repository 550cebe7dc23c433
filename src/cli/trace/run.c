/* SPDX-License-Identifier: MIT */
#include "cli/trace/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/program/program.h"
#include "cli/supervise/descriptors.h"
#include "cli/supervise/events.h"
#include "cli/supervise/witness.h"

struct run {
	const struct vmsi_trace *trace;
	struct vmsi_recorder recorder;
	struct vmsi_sampler sampler;
	sigset_t before;      /* the mask that the program has */
	sighandler_t child_handler;
	int events;           /* the job is told them here */
	int children;         /* signalfd: SIGCHLD */
	pid_t first;
	bool has_first_ended, have_all_ended;
};

/* --- the start ------------------------------------------------------------ */

static _Noreturn void run_child(const struct run *run, const char *path,
				char **arguments, int failure)
{
	int error;

	signal(SIGCHLD, run->child_handler);
	sigprocmask(SIG_SETMASK, &run->before, NULL);
	execv(path, arguments);
	error = errno;
	(void)!write(failure, &error, sizeof(error));
	_exit(VMSI_EXIT_RUN_FAILED);
}

/* Returns 0, or -errno where the program could not be started. */
static int start(struct run *run, const char *path, char **arguments)
{
	int failure[2], error = 0;

	if (pipe2(failure, O_CLOEXEC))
		return -errno;
	run->first = fork();
	if (run->first == 0)
		run_child(run, path, arguments, failure[1]);
	if (run->first < 0)
		error = errno;
	close(failure[1]);
	if (!error && read(failure[0], &error, sizeof(error)) != sizeof(error))
		error = 0;
	close(failure[0]);
	if (error && run->first > 0)
		(void)waitpid(run->first, NULL, 0);
	return -error;
}

/*
 * SIGCHLD is blocked in all threads: the kernel would give it to one that does not
 * block it, where it is lost.
 */
static int watch_children(struct run *run)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, &run->before);
	/* Where it is ignored the kernel keeps no status of children. */
	run->child_handler = signal(SIGCHLD, SIG_DFL);
	run->children = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return run->children < 0 ? -errno : 0;
}

static int prepare(struct run *run, char **arguments, int witness)
{
	int error = watch_children(run);

	if (!error && vmsi_witness_start(witness))
		error = -errno;
	/* Orphans become children of this process, so that none is lost. */
	if (!error && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
		error = -errno;
	return error ? error :
		vmsi_trace_open(run->trace, arguments, &run->recorder);
}

/* --- the end -------------------------------------------------------------- */

static void note_end(struct run *run, pid_t pid, int status)
{
	siginfo_t info;

	vmsi_sampler_ended(&run->sampler, pid, status);
	if (pid != run->first)
		return;
	run->has_first_ended = true;
	run->have_all_ended = waitid(P_ALL, 0, &info, WEXITED | WNOHANG |
				     WNOWAIT) < 0 && errno == ECHILD;
	if (run->have_all_ended)
		(void)vmsi_sampler_finish(&run->sampler);
	vmsi_trace_complain(run->trace, &run->sampler);
	vmsi_job_tell(run->events, run->have_all_ended ? VMSI_JOB_ALL_ENDED :
							 VMSI_JOB_ENDED, status);
	vmsi_job_let_go_of_streams(true);
}

/* Wait for children that have ended, and see whether the first has stopped. */
static void reap(struct run *run)
{
	struct signalfd_siginfo info;
	pid_t pid = 0;
	int status;

	while (read(run->children, &info, sizeof(info)) == sizeof(info))
		continue;
	while (!run->have_all_ended &&
	       (pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
		if (!WIFSTOPPED(status))
			note_end(run, pid, status);
		else if (pid == run->first)
			vmsi_job_tell(run->events, VMSI_JOB_STOPPED, status);
	}
	if (pid < 0 && errno == ECHILD)
		run->have_all_ended = true;
}

static void record(struct run *run)
{
	while (!run->have_all_ended) {
		const uint64_t wait = vmsi_sampler_look(&run->sampler);
		const struct timespec time = {
			.tv_sec = (time_t)(wait / 1000000000),
			.tv_nsec = (long)(wait % 1000000000),
		};
		struct pollfd watched = {
			.fd = run->children, .events = POLLIN,
		};

		(void)ppoll(&watched, 1, &time, NULL);
		reap(run);
	}
}

void vmsi_trace_run(struct vmsi_supervise_options *options, const char *path,
		    char **arguments, int events, int witness)
{
	struct run run = { .trace = options->context, .events = events };
	int error;

	vmsi_restore_signals();
	error = prepare(&run, arguments, witness);
	if (error) {
		vmsi_complain(run.trace->path, "%s", strerror(-error));
		vmsi_job_tell(events, VMSI_JOB_FAILED, VMSI_EXIT_RUN_FAILED);
		return;
	}
	vmsi_sampler_begin(&run.sampler, &run.recorder, run.trace->every);
	error = start(&run, path, arguments);
	if (error) {
		vmsi_job_tell(events, VMSI_JOB_FAILED, (int)
			vmsi_program_explain_start(arguments[0], path, -error));
		return;
	}
	vmsi_let_go_of_descriptors(NULL);
	vmsi_let_go_of_directory(NULL);
	vmsi_job_block_signals();
	/* A full disk, or a file that may not be longer, is an error of the write. */
	signal(SIGXFSZ, SIG_IGN);
	vmsi_job_tell(events, VMSI_JOB_STARTED, run.first);
	record(&run);
	(void)vmsi_sampler_finish(&run.sampler);
	vmsi_sampler_free(&run.sampler);
	vmsi_recorder_close(&run.recorder);
}
