/* SPDX-License-Identifier: MIT */
#include "cli/sweep/sweep_worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/sweep/sweep_deadlock.h"
#include "cli/sweep/sweep_start.h"

/* --- the end of a child ----------------------------------------------------------- */

/* How often a worker looks whether a signal has come that ends the sweep. */
#define LOOK_MS 100

/* The time to wait next, in milliseconds; 0: the child is to be ended. */
static int next_wait(double until)
{
	const double left_ms = (until - vmsi_sweep_now()) * 1000;

	if (left_ms <= 0 || vmsi_sweep_interrupted())
		return 0;
	return left_ms < LOOK_MS ? (int)left_ms + 1 : LOOK_MS;
}

int vmsi_sweep_worker_await(const struct vmsi_sweep_worker *worker, double until,
			    struct vmsi_failing_message *message)
{
	struct pollfd poll_for = { .fd = worker->socket, .events = POLLIN };
	int wait_ms;

	while ((wait_ms = next_wait(until))) {
		if (poll(&poll_for, 1, wait_ms) <= 0) {
			if (worker->awaited &&
			    vmsi_sweep_is_deadlocked(worker->awaited))
				break;
			continue;
		}
		return read(worker->socket, message, sizeof *message) ==
			(ssize_t)sizeof *message ? 1 : -ECONNRESET;
	}
	return 0;
}

/* How long a worker waits for the end of what it has killed. */
#define KILLED_SECONDS 5

int vmsi_sweep_worker_await_killed(const struct vmsi_sweep_worker *worker,
				   struct vmsi_failing_message *message)
{
	const double until = vmsi_sweep_now() + KILLED_SECONDS;
	struct pollfd poll_for = { .fd = worker->socket, .events = POLLIN };
	double left;

	while ((left = until - vmsi_sweep_now()) > 0)
		if (poll(&poll_for, 1, (int)(left * 1000) + 1) > 0)
			return read(worker->socket, message, sizeof *message) ==
				(ssize_t)sizeof *message ? 1 : -ECONNRESET;
	return -ECONNRESET;
}

/* Wait for this message, and no other. */
static int await_message(const struct vmsi_sweep_worker *worker, double until,
			 enum vmsi_failing_kind kind, int *value)
{
	struct vmsi_failing_message message;
	const int got = vmsi_sweep_worker_await(worker, until, &message);

	if (got != 1)
		return got;
	*value = message.value;
	return message.kind == (uint32_t)kind ? 1 : -ECONNRESET;
}

/* --- one trial with the server ----------------------------------------------------- */

/* Returns 0 or -errno. EBUSY: the program has threads, and cannot be forked. */
int vmsi_sweep_worker_serve(struct vmsi_sweep_worker *worker)
{
	int can_fork, got, error;

	if (worker->server)
		return 0;
	error = vmsi_sweep_start_server(worker);
	if (error)
		return error;
	got = await_message(worker, vmsi_sweep_now() + worker->timeout,
			    VMSI_FAILING_READY, &can_fork);
	if (got == 1 && can_fork)
		return 0;
	vmsi_sweep_worker_end(worker);
	return got == 0 ? -ETIMEDOUT : got < 0 ? got : -EBUSY;
}

/*
 * Wait until the child of the server has ended. Where it has stopped or takes too
 * long, it is killed. Returns 0 or -errno.
 */
static int await_forked(struct vmsi_sweep_worker *worker, pid_t child,
			double until, int *status, bool *in_time)
{
	struct vmsi_failing_message end;
	int got;

	worker->awaited = child;
	got = await_message(worker, until, VMSI_FAILING_CHANGED, status);
	worker->awaited = 0;
	*in_time = got != 0 && !(got == 1 && WIFSTOPPED(*status));
	if (*in_time)
		return got < 0 ? got : 0;
	(void)kill(child, SIGKILL);
	got = vmsi_sweep_worker_await_killed(worker, &end);
	return got < 0 ? got : 0;
}

static int run_forked(struct vmsi_sweep_worker *worker, int input, int output,
		      int *status, bool *in_time)
{
	const double until = vmsi_sweep_now() + worker->timeout;
	int error = vmsi_sweep_worker_serve(worker), got, child = 0;

	if (!error)
		error = vmsi_sweep_send_streams(worker->socket,
						VMSI_FAILING_RUN, input, output);
	if (error)
		return error;
	got = await_message(worker, until, VMSI_FAILING_FORKED, &child);
	error = got < 0 ? got : child < 0 ? child : 0;
	if (!error && (got == 0 || child == 0))
		error = -ETIMEDOUT;
	if (!error)
		error = await_forked(worker, child, until, status, in_time);
	/* What it is doing is not known: the next trial has another one. */
	if (error)
		vmsi_sweep_worker_end(worker);
	return error;
}

/* --- one trial with a program of its own -------------------------------------------- */

static bool has_changed(pid_t child, siginfo_t *change)
{
	memset(change, 0, sizeof *change);
	return waitid(P_PID, (id_t)child, change,
		      WEXITED | WSTOPPED | WNOHANG | WNOWAIT) == 0 &&
		change->si_pid != 0;
}

/*
 * Wait until a child has ended or stopped, or waits for itself for ever. Returns whether
 * it has ended in time.
 */
static bool await_own(pid_t child, double until)
{
	struct pollfd poll_for = { .events = POLLIN };
	siginfo_t change;
	int wait_ms;

	poll_for.fd = vmsi_sweep_watch(child);
	while (!has_changed(child, &change) && (wait_ms = next_wait(until)))
		/* A stop does not show in the descriptor. */
		if (poll(&poll_for, 1, wait_ms) == 0 &&
		    vmsi_sweep_is_deadlocked(child))
			break;
	if (poll_for.fd >= 0)
		close(poll_for.fd);
	return change.si_pid != 0 && change.si_code != CLD_STOPPED;
}

static int run_own(struct vmsi_sweep_worker *worker, int input, int output,
		   int *status, bool *in_time)
{
	const double until = vmsi_sweep_now() + worker->timeout;
	pid_t child;
	int error = vmsi_sweep_start(worker, input, output, -1, &child);

	if (error)
		return error;
	*in_time = await_own(child, until);
	if (!*in_time)
		(void)kill(child, SIGKILL);
	while (waitpid(child, status, 0) < 0 && errno == EINTR)
		;
	return 0;
}

/* --- trials --------------------------------------------------------------------------- */

void vmsi_sweep_worker_choose(const struct vmsi_sweep_worker *worker,
			      const struct vmsi_failing_choice *choice)
{
	worker->memory->choice = *choice;
	memset(&worker->memory->outcome, 0, sizeof worker->memory->outcome);
}

/* The program may have written anything there. */
static void take_outcome(const struct vmsi_failing_outcome *outcome,
			 struct vmsi_sweep_result *result)
{
	static const char *const names[VMSI_FAILING_FUNCTIONS] = {
		"malloc", "calloc", "realloc", "reallocarray", "aligned_alloc",
		"posix_memalign", "memalign", "valloc", "pvalloc",
		"operator new",
	};
	const uint32_t function = outcome->function;

	result->made = outcome->allocations;
	if (!outcome->failed || function >= VMSI_FAILING_FUNCTIONS)
		return;
	result->number = outcome->number ? outcome->number : 1;
	result->stack = outcome->hash;
	result->requested = outcome->size;
	strncpy(result->call, names[function], sizeof result->call - 1);
}

/*
 * A run that has ended by itself may have left leaks, whatever else came of it but what
 * is worse.
 */
static void take_leaks(const struct vmsi_sweep_worker *worker,
		       struct vmsi_sweep_result *result)
{
	if (!worker->leaks ||
	    worker->memory->outcome.leaks != VMSI_FAILING_LEAKS_LOOKED)
		return;
	if (worker->learns)
		vmsi_sweep_leaks_learn(worker->leaks, worker->report);
	else if ((result->verdict == VMSI_SWEEP_SAME ||
		  result->verdict == VMSI_SWEEP_WENT_ON ||
		  result->verdict == VMSI_SWEEP_FAILED) &&
		 vmsi_sweep_leaks_find(worker->leaks, worker->report,
				       result->leak))
		result->verdict = VMSI_SWEEP_LEAKED;
}

void vmsi_sweep_worker_take(const struct vmsi_sweep_worker *worker, int output,
			    bool in_time, struct vmsi_sweep_result *result)
{
	vmsi_sweep_end_others(worker->server);
	take_outcome(&worker->memory->outcome, result);
	result->verdict = vmsi_sweep_judge(result, worker->output, output,
					   in_time,
					   worker->memory->outcome.failed > 0);
	take_leaks(worker, result);
	/* It was ended with the sweep, and nothing is known of it. */
	if ((!in_time || result->error) && vmsi_sweep_interrupted())
		result->verdict = VMSI_SWEEP_UNTRIED;
}

static void run(struct vmsi_sweep_worker *worker, int input, int output,
		struct vmsi_sweep_result *result)
{
	const double begin = vmsi_sweep_now();
	bool in_time = true;
	int error = worker->forks ?
		run_forked(worker, input, output, &result->status, &in_time) :
		run_own(worker, input, output, &result->status, &in_time);

	result->seconds = vmsi_sweep_now() - begin;
	result->error = -error;
	vmsi_sweep_worker_take(worker, output, in_time, result);
}

void vmsi_sweep_worker_try(struct vmsi_sweep_worker *worker,
			   const struct vmsi_failing_choice *choice,
			   struct vmsi_sweep_result *result)
{
	int input, output;
	int error = vmsi_sweep_open_streams(worker->options, worker->output,
					    &input, &output);

	result->kind = VMSI_SWEEP_ALLOCATION;
	if (!error && worker->leaks)
		error = vmsi_sweep_leaks_clear(worker->report);
	result->error = -error;
	result->verdict = VMSI_SWEEP_BROKEN;
	if (error)
		return;
	vmsi_sweep_worker_choose(worker, choice);
	run(worker, input, output, result);
	close(input);
	close(output);
}

/* --- workers ----------------------------------------------------------------------------- */

int vmsi_sweep_memory_open(size_t length)
{
	const int file = memfd_create("vmspace-sweep", MFD_CLOEXEC);

	if (file >= 0 && ftruncate(file, (off_t)length) == 0)
		return file;
	return -errno;
}

int vmsi_sweep_worker_begin(struct vmsi_sweep_worker *worker)
{
	const size_t all = sizeof(struct vmsi_failing_memory);
	const size_t length = worker->file >= 0 ? all :
		offsetof(struct vmsi_failing_memory, stacks);
	void *memory;

	/* Where it is ignored nobody could wait for the program. */
	(void)signal(SIGCHLD, SIG_DFL);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
		return -errno;
	if (worker->file < 0)
		worker->file = vmsi_sweep_memory_open(length);
	if (worker->file < 0)
		return worker->file;
	worker->report = worker->leaks ? vmsi_sweep_leaks_open() : -1;
	if (worker->leaks && worker->report < 0)
		return worker->report;
	memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED,
		      worker->file, 0);
	if (memory == MAP_FAILED)
		return -errno;
	worker->memory = memory;
	return 0;
}

void vmsi_sweep_worker_end(struct vmsi_sweep_worker *worker)
{
	if (!worker->server)
		return;
	(void)kill(worker->server, SIGKILL);
	while (waitpid(worker->server, NULL, 0) < 0 && errno == EINTR)
		;
	close(worker->socket);
	worker->server = 0;
	vmsi_sweep_end_others(0);
}
