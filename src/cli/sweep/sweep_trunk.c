/* SPDX-License-Identifier: MIT */
#include "cli/sweep/sweep_trunk.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/sweep/sweep_start.h"

/* --- the trunk -------------------------------------------------------------------- */

static double limit(const struct vmsi_sweep_trunk *trunk)
{
	return vmsi_sweep_now() + trunk->worker->timeout;
}

/* Whatever it is doing: it ends with the server. */
static void kill_trunk(struct vmsi_sweep_trunk *trunk)
{
	vmsi_sweep_worker_end(trunk->worker);
	trunk->waits = false;
	trunk->in_time = false;
}

/* Returns false where there is none. */
static bool await_trunk(struct vmsi_sweep_trunk *trunk)
{
	struct vmsi_failing_message message;
	const int got = vmsi_sweep_worker_await(trunk->worker, limit(trunk),
						&message);

	return got == 1 && message.kind == VMSI_FAILING_FORKED &&
		message.value > 0;
}

static void start_trunk(struct vmsi_sweep_trunk *trunk,
			const struct vmsi_failing_choice *choice)
{
	struct vmsi_sweep_worker *worker = trunk->worker;

	if (vmsi_sweep_open_streams(worker->options, worker->output,
				    &trunk->input, &trunk->output))
		return;
	trunk->runs = true;
	trunk->in_time = true;
	trunk->waits = false;
	vmsi_sweep_worker_choose(worker, choice);
	if (vmsi_sweep_worker_serve(worker) ||
	    vmsi_sweep_send_streams(worker->socket, VMSI_FAILING_TRUNK,
				    trunk->input, trunk->output) ||
	    !await_trunk(trunk))
		kill_trunk(trunk);
}

static void go_on(struct vmsi_sweep_trunk *trunk,
		  const struct vmsi_failing_choice *choice)
{
	const char go = VMSI_FAILING_GO;

	trunk->worker->memory->choice = *choice;
	trunk->waits = false;
	if (send(trunk->worker->socket, &go, 1, MSG_NOSIGNAL) != 1)
		kill_trunk(trunk);
}

/*
 * Wait until the trunk stops or ends. Returns the kind of its message; CHANGED also
 * where it had to be killed.
 */
static uint32_t await_stop(struct vmsi_sweep_trunk *trunk, int *value)
{
	struct vmsi_failing_message message;

	if (!trunk->in_time ||
	    vmsi_sweep_worker_await(trunk->worker, limit(trunk), &message) != 1)
		message.kind = VMSI_FAILING_READY;
	switch (message.kind) {
	case VMSI_FAILING_BRANCHED:
	case VMSI_FAILING_UNABLE:
		*value = message.value;
		trunk->waits = true;
		return message.kind;
	case VMSI_FAILING_CHANGED:
		trunk->status = message.value;
		if (!WIFSTOPPED(message.value))
			return message.kind;
	}
	kill_trunk(trunk);
	return VMSI_FAILING_CHANGED;
}

bool vmsi_sweep_trunk_end(struct vmsi_sweep_trunk *trunk)
{
	const struct vmsi_failing_choice none = { .most = SIZE_MAX };
	struct vmsi_sweep_result result = { .number = 0 };
	int value;

	if (trunk->waits) {
		go_on(trunk, &none);
		if (await_stop(trunk, &value) != VMSI_FAILING_CHANGED)
			kill_trunk(trunk);
	}
	trunk->waits = false;
	trunk->runs = false;
	result.status = trunk->status;
	vmsi_sweep_end_others(trunk->worker->server);
	result.verdict = vmsi_sweep_judge(&result, trunk->worker->output,
					  trunk->output, trunk->in_time, false);
	close(trunk->input);
	close(trunk->output);
	return result.verdict == VMSI_SWEEP_SAME ||
		result.verdict == VMSI_SWEEP_WENT_ON;
}

/* --- a branch ----------------------------------------------------------------------- */

/* Returns false where the trunk has not told the end of the branch. */
static bool await_branch(struct vmsi_sweep_trunk *trunk, pid_t branch,
			 double until, int *status, bool *in_time)
{
	struct vmsi_failing_message message;
	int got;

	trunk->worker->awaited = branch;
	got = vmsi_sweep_worker_await(trunk->worker, until, &message);
	trunk->worker->awaited = 0;
	*in_time = got != 0 && !(got == 1 && WIFSTOPPED(message.value));
	if (!*in_time) {
		(void)kill(branch, SIGKILL);
		got = vmsi_sweep_worker_await_killed(trunk->worker, &message);
	}
	*status = message.value;
	return got == 1 && message.kind == VMSI_FAILING_BRANCH_CHANGED;
}

static enum vmsi_sweep_branch take_branch(struct vmsi_sweep_trunk *trunk,
					  pid_t branch, double patience,
					  struct vmsi_sweep_result *result)
{
	const double begin = vmsi_sweep_now();
	bool in_time = false;

	/* Whom a process group's number would end is not asked. */
	if (branch <= 0 || !await_branch(trunk, branch, begin + patience,
					 &result->status, &in_time)) {
		/* It has killed the trunk, or the program has written this. */
		kill_trunk(trunk);
		return VMSI_SWEEP_ENDED;
	}
	result->seconds = vmsi_sweep_now() - begin;
	result->error = 0;
	vmsi_sweep_worker_take(trunk->worker, trunk->output, in_time, result);
	return VMSI_SWEEP_BRANCHED;
}

enum vmsi_sweep_branch
vmsi_sweep_trunk_try(struct vmsi_sweep_trunk *trunk,
		     const struct vmsi_failing_choice *choice, double patience,
		     struct vmsi_sweep_result *result)
{
	int value = 0;

	if (trunk->waits)
		go_on(trunk, choice);
	else
		start_trunk(trunk, choice);
	trunk->at = choice->stop;
	if (!trunk->runs)
		return VMSI_SWEEP_ENDED;
	switch (await_stop(trunk, &value)) {
	case VMSI_FAILING_BRANCHED:
		return take_branch(trunk, value, patience, result);
	case VMSI_FAILING_UNABLE:
		return VMSI_SWEEP_UNABLE;
	default:
		return VMSI_SWEEP_ENDED;
	}
}
